use std::io::Write;

use super::*;

fn load(text: &str, form: Option<&ProblemForm>) -> Result<Vec<Problem>, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let name = file.path().display().to_string();
    load_jsonl(file.path(), form, "set", Language::En).map_err(|error| error.to_string().replace(&name, "FILE"))
}

fn golds(text: &str) -> Vec<Gold> {
    load(text, None).unwrap().into_iter().map(|problem| problem.gold).collect()
}

#[test]
fn gsm8k() {
    let text = r#"{"question":"Two and two?","answer":"2+2=<<2+2=4>>4\n#### 4"}

{"question":"A lot?","answer":"many\n#### 1,200"}"#;
    let problems = load(text, None).unwrap();
    assert_eq!(problems[0].question, "Two and two?");
    assert_eq!(problems.iter().map(|p| p.id.0.as_str()).collect::<Vec<_>>(), ["set/1", "set/3"]);
    assert_eq!(golds(text), [value("4"), value("1,200")]);
}

#[test]
fn math_with_an_answer_or_a_box() {
    let text = r#"{"problem":"Half?","solution":"So $\\boxed{\\frac{1}{2}}$.","level":"Level 3","unique_id":"a/1.json"}
{"problem":"Third?","answer":3,"level":2.0}"#;
    let problems = load(text, None).unwrap();
    assert_eq!(golds(text), [value(r"\frac{1}{2}"), value("3")]);
    assert_eq!(problems.iter().map(|p| p.difficulty).collect::<Vec<_>>(), [Some(3), Some(2)]);
    assert_eq!(problems[0].id.0, "set/a/1.json");
}

#[test]
fn countdown_and_knights() {
    assert_eq!(golds(r#"{"nums":[3,5,7],"target":22}"#), [Gold::Countdown { numbers: vec![3, 5, 7], target: 22 }]);
    let roles = BTreeMap::from([("Zoe".to_owned(), true), ("Max".to_owned(), false)]);
    assert_eq!(golds(r#"{"prompt":"Who?","names":["Zoe","Max"],"solution":[true,false],"answer":"x"}"#), [Gold::Knights { roles }]);
}

#[test]
fn own_form_and_field_mapping() {
    let problem = Problem {
        id: ProblemId("t/1".into()),
        kind: "t".into(),
        question: "1+1".into(),
        gold: value("2"),
        language: Language::Zh,
        difficulty: Some(1),
    };
    assert_eq!(load(&serde_json::to_string(&problem).unwrap(), None).unwrap(), [problem]);
    let form = ProblemForm::Fields { question: "q".into(), answer: "a".into(), id: Some("n".into()) };
    let problems = load(r#"{"q":"1+1","a":2,"n":9}"#, Some(&form)).unwrap();
    assert_eq!((problems[0].id.0.as_str(), &problems[0].gold), ("set/9", &value("2")));
}

#[test]
fn errors_name_file_and_line() {
    let check = |text: &str, expected: &str| assert_eq!(load(text, None).unwrap_err(), expected, "{text}");
    check("\n\n", "FILE holds no problem, expected one JSON object per line");
    check("{\"question\":\"a\",\"answer\":\"#### 1\"}\nnot json", "FILE:2: expected a JSON object");
    check("[1]", "FILE:1: expected a JSON object");
    check(r#"{"a":1,"b":2}"#, "FILE:1: no known problem form has the fields [a, b]; name the question and answer fields");
    check(
        "{\"question\":\"a\",\"answer\":\"#### 1\"}\n{\"question\":\"b\",\"answer\":\"#### x\"}",
        "FILE:2: expected field 'answer' with text that ends in '#### N' with a number N, found \"#### x\"",
    );
    check(
        r#"{"problem":"a","solution":"no box"}"#,
        r#"FILE:1: expected field 'solution' with text with the answer in \boxed{}, found "no box""#,
    );
    let unreadable = load(r#"{"problem":"a","answer":"$$"}"#, None).unwrap_err();
    assert!(unreadable.starts_with("FILE:1: problem set/1: gold answer '$$' cannot be read: expected "), "{unreadable}");
    check(r#"{"nums":[1,1],"target":7}"#, "FILE:1: problem set/1: no expression over [1, 1] gives 7");
    check(
        "{\"problem\":\"a\",\"answer\":1,\"id\":5}\n{\"problem\":\"b\",\"answer\":2,\"id\":5}",
        "FILE:2: id 'set/5' is used before, on line 1",
    );
    check(
        r#"{"prompt":"w","names":["A"],"solution":[true,false]}"#,
        "FILE:1: expected field 'solution' with one truth value per name, found [true,false]",
    );
    let form = ProblemForm::Fields { question: "q".into(), answer: "a".into(), id: None };
    assert_eq!(load(r#"{"q":"x"}"#, Some(&form)).unwrap_err(), "FILE:1: expected field 'a' with text or a number, found no such field");
    let missing = load_jsonl(Path::new("no/such/file.jsonl"), None, "set", Language::En).unwrap_err();
    assert_eq!(missing.to_string(), "cannot read no/such/file.jsonl");
}
