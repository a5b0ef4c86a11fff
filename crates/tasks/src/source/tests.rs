use std::io::Write;

use ruminate_core::{SatPuzzle, Statement, SudokuPuzzle};

use super::*;

fn load(text: &str, form: Option<&ProblemForm>) -> Result<Vec<Problem>, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let name = file.path().display().to_string();
    load_problems(file.path(), form, "set", Language::En).map_err(|error| error.to_string().replace(&name, "FILE"))
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
    assert_eq!(golds(r#"{"nums":[3,5,7],"target":22}"#), [Gold::Countdown { numbers: vec![3, 5, 7], target: 22, uses: Uses::ExactlyOnce }]);
    let roles = BTreeMap::from([("Zoe".to_owned(), true), ("Max".to_owned(), false)]);
    assert_eq!(
        golds(r#"{"prompt":"Who?","names":["Zoe","Max"],"solution":[true,false],"answer":"x"}"#),
        [Gold::Knights { roles, statements: Vec::new() }]
    );
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
    check("\n\n", "FILE holds no problem, expected one in each row");
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
    let missing = load_problems(Path::new("no/such/file.jsonl"), None, "set", Language::En).unwrap_err();
    assert_eq!(missing.to_string(), "cannot read no/such/file.jsonl");
}

#[test]
fn statements_of_knights_are_read_from_the_text() {
    let text = r#"{"prompt":"You meet 3 inhabitants: Zoe, Max, and Ann. Zoe was heard saying, \"Max is not a knave\". \"If Zoe is a knight then Ann is a knave,\" Max claimed. According to Ann, \"Zoe is a knight if and only if Max is a knave\". So who is a knight and who is a knave?","names":["Zoe","Max","Ann"],"solution":[true,true,false]}"#;
    let said = |speaker: &str, says: &str| Statement { speaker: speaker.into(), says: says.into() };
    let roles = BTreeMap::from([("Zoe".to_owned(), true), ("Max".to_owned(), true), ("Ann".to_owned(), false)]);
    let statements = vec![
        said("Zoe", "not is_knave(Max)"),
        said("Max", "is_knight(Zoe) -> is_knave(Ann)"),
        said("Ann", "is_knight(Zoe) <-> is_knave(Max)"),
    ];
    assert_eq!(golds(text), [Gold::Knights { roles, statements }]);
    assert_eq!(
        load(&text.replace("[true,true,false]", "[true,false,false]"), None).unwrap_err(),
        "FILE:1: problem set/1: the gold roles do not fit: Zoe is a knight but says 'not is_knave(Max)', which is false"
    );
    // Any other wording leaves the roles alone.
    let other = golds(&text.replace("According to", "Listen to"));
    assert!(matches!(&other[..], [Gold::Knights { statements, .. }] if statements.is_empty()), "{other:?}");
}

#[test]
fn zebra_tables_are_clues_on_every_cell() {
    let text =
        r#"{"id":"z1","puzzle":"Two houses…","solution":{"header":["House","Name","Hair"],"rows":[["2","Ann","red"],["1","Ben","grey"]]}}"#;
    let problem = load(text, None).unwrap().remove(0);
    let grade = |answer: &str| ruminate_rewards::grade_accuracy(&problem, answer).reason;
    assert_eq!(problem.question, "Two houses…");
    assert_eq!(grade("House 1: Ben, grey\nHouse 2: Ann, red"), "all 4 clues hold");
    assert_eq!(grade("House 1: Ann, grey\nHouse 2: Ben, red"), "clue 1 does not hold: Name: Ann is in house 2");
    let expected = "a header of categories behind 'House' and rows of as many values, each with its house number first";
    assert!(load(&text.replace("[\"1\",", "[\"2\","), None).unwrap_err().contains(expected));
    assert!(load(&text.replace(",\"grey\"", ""), None).unwrap_err().contains(expected));
}

#[test]
fn satisfiability_in_three_forms() {
    let clauses = vec![vec![1, -2], vec![2]];
    let of_clauses = Gold::Sat(SatPuzzle { clauses: clauses.clone(), satisfiable: Some(true), ..SatPuzzle::default() });
    assert_eq!(golds(r#"{"cnf":"c two\np cnf 2 2\n1 -2\n0 2 0\n%\n0\n","satisfiable":true}"#), std::slice::from_ref(&of_clauses));
    assert_eq!(golds(r#"{"clauses":[[1,-2],[2]],"satisfiable":true}"#), [of_clauses]);
    let formula = load(r#"{"formula":"a and not b"}"#, None).unwrap().remove(0);
    assert_eq!(formula.gold, Gold::Sat(SatPuzzle { formula: Some("a and not b".into()), ..SatPuzzle::default() }));
    assert!(formula.question.ends_with("a and not b"), "{}", formula.question);
    assert_eq!(
        load(r#"{"cnf":"1 x 0"}"#, None).unwrap_err(),
        r#"FILE:1: expected field 'cnf' with the text of a DIMACS file, found "1 x 0""#
    );
    assert_eq!(
        load(r#"{"clauses":[[1],[-1]],"satisfiable":true}"#, None).unwrap_err(),
        "FILE:1: problem set/1: expected a satisfiable puzzle, no assignment exists"
    );
}

#[test]
fn sudoku_as_text_and_as_rows() {
    let givens = vec![vec![0, 4, 0, 0], vec![2, 0, 0, 0], vec![0, 0, 0, 2], vec![3, 0, 0, 1]];
    let gold = Gold::Sudoku(SudokuPuzzle { givens, unique: false });
    assert_eq!(golds(r#"{"quizzes":"0400200000023001","solutions":"1423231441323241"}"#), std::slice::from_ref(&gold));
    let problem = load(r#"{"puzzle":".4..\n2...\n...2\n3..1"}"#, None).unwrap().remove(0);
    assert_eq!(problem.gold, gold);
    assert!(problem.question.ends_with(":\n. 4 . .\n2 . . .\n. . . 2\n3 . . 1"), "{}", problem.question);
    assert_eq!(golds(r#"{"givens":[[0,4,0,0],[2,0,0,0],[0,0,0,2],[3,0,0,1]]}"#), [gold]);
    let short = load(r#"{"puzzle":".4.."}"#, Some(&ProblemForm::Sudoku)).unwrap_err();
    assert!(short.contains("16 or 81 digits"), "{short}");
}

/// Real puzzles, where they are at hand: every statement must be understood, and the solution must be the only one that fits.
#[test]
fn statements_of_published_knights_are_all_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    for (name, n_expected) in [("knights_knaves_train.jsonl.gz", 4500), ("knights_knaves_test.jsonl.gz", 500)] {
        let path = folder.join(name);
        let Ok(file) = std::fs::File::open(&path) else {
            println!("skipped: no {}", path.display());
            continue;
        };
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
        let golds = golds(&text);
        let n_read = golds.iter().filter(|gold| matches!(gold, Gold::Knights { statements, .. } if !statements.is_empty())).count();
        assert_eq!((golds.len(), n_read), (n_expected, n_expected), "{name}");
    }
}
