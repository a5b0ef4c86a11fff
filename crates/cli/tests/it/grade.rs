//! `grade` and `sandbox`: the same verdicts from files and over HTTP, and defects of data or machine that never look like wrong answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::util::Folder;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The answers to lines of one kind, without their times.
fn graded(kind: &str, input: &[Value]) -> Vec<Value> {
    let folder = Folder::new();
    folder.write("in.jsonl", &input.iter().map(|line| format!("{line}\n")).collect::<String>());
    let mut answers = lines(&folder.ruminate(&["grade", "--kind", kind, "in.jsonl"]).well().out);
    for answer in &mut answers {
        let answer = answer.as_object_mut().unwrap();
        for time in ["micros", "millis"] {
            assert!(answer.remove(time).is_none_or(|time| time.as_f64().unwrap() >= 0.0));
        }
    }
    answers
}

fn fields(answers: &[Value], names: &[&str]) -> Vec<Value> {
    answers.iter().map(|answer| names.iter().map(|name| answer[*name].clone()).collect()).collect()
}

#[test]
fn maths_lines() {
    let pair = |id: i32, gold: &str, pred: &str| json!({ "id": id, "gold": gold, "pred": pred });
    let answers = graded(
        "math",
        &[pair(1, "\\frac{1}{2}", "so \\boxed{0.5}"), pair(2, "7", "<answer>8</answer>"), pair(3, "7", ""), pair(4, "\\frac{1}{", "1")],
    );
    let verdicts = fields(&answers, &["id", "verdict"]);
    assert_eq!(json!(verdicts), json!([[1, "equal"], [2, "different"], [3, "unparsed_prediction"], [4, "unparsed_gold"]]));
    assert_eq!(answers[1].as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "reason", "verdict"]);
}

#[test]
fn code_lines() {
    let line = |id: &str, program: &str, tests: Value| json!({ "id": id, "language": "python", "program": program, "tests": tests });
    let answers = graded(
        "code",
        &[
            line("io", "print(int(input()) + 1)", json!([{ "stdin": "1\n", "stdout": "2\n" }, { "stdin": "5", "stdout": "6" }])),
            line(
                "call",
                "def f(x):\n    return x * x",
                json!([{ "call": "f", "args": [3], "expect": 9 }, { "call": "f", "args": [2], "expect": 5 }]),
            ),
            line("assert", "def f(x):\n    return x", json!([{ "assert": "assert f(3) == 3" }])),
            line("hack", "import os\nos._exit(0)", json!([{ "assert": "assert f(3) == 3" }])),
            line("syntax", "def f(:", json!([{ "assert": "assert f(3) == 3" }])),
        ],
    );
    assert_eq!(
        json!(fields(&answers, &["id", "verdict", "passed", "total"])),
        json!([
            ["io", "passed", 2, 2],
            ["call", "wrong_answer", 1, 2],
            ["assert", "passed", 1, 1],
            ["hack", "runtime_error", 0, 1],
            ["syntax", "compile_error", 0, 1]
        ])
    );
    let folder = Folder::new();
    folder.write("in.jsonl", &format!("{}\n", json!({ "id": 1, "language": "cobol", "program": "", "tests": [{ "stdout": "" }] })));
    let said = folder.ruminate(&["grade", "--kind", "code", "in.jsonl"]);
    said.failed(1, "1 of 1 lines could not be graded");
    assert!(lines(&said.out)[0]["error"].as_str().unwrap().contains("cobol"), "{}", said.out);
}

#[test]
fn format_language_and_logic_lines() {
    let form = |form: &str, completion: &str| json!({ "id": form, "completion": completion, "form": form });
    let answers = graded("format", &[form("think_answer", "<think>a</think><answer>b</answer>"), form("boxed", "no box")]);
    assert_eq!(json!(fields(&answers, &["id", "ok"])), json!([["think_answer", true], ["boxed", false]]));

    let text = |target: &str, text: &str| json!({ "id": target, "text": text, "target": target });
    let answers = graded("language", &[text("en", "first we add and then we stop"), text("zh", "首先我们相加"), text("en", "1 + 1 = 2")]);
    assert_eq!(json!(fields(&answers[..2], &["id", "share"])), json!([["en", 1.0], ["zh", 1.0]]));
    assert_eq!((&answers[0]["words"], &answers[2]["share"], &answers[2]["words"]), (&json!(7), &Value::Null, &json!(0)));

    let mixed = graded("language", &[text("en", "first we add and 然后我们停")]);
    assert_eq!(json!(fields(&mixed, &["share", "words"])), json!([[4.0 / 9.0, 9]]));

    let sudoku = json!({ "type": "sudoku", "givens": [[1, 2, 3, 4], [3, 4, 1, 2], [2, 1, 4, 3], [4, 3, 2, 0]] });
    let answers = graded(
        "logic",
        &[
            json!({ "id": 1, "gold": sudoku, "pred": "<answer>1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1</answer>" }),
            json!({ "id": 2, "gold": sudoku, "pred": "<answer>1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 2</answer>" }),
            json!({ "id": 3, "gold": { "type": "countdown", "numbers": [2, 3, 4], "target": 20 }, "pred": "\\boxed{(2 + 3) * 4}" }),
        ],
    );
    assert_eq!(json!(fields(&answers, &["id", "ok"])), json!([[1, true], [2, false], [3, true]]));
}

#[test]
fn lines_without_a_verdict_have_an_error_in_their_place() {
    let folder = Folder::new();
    folder.write("in.jsonl", "{\"id\": 1, \"gold\": \"1\", \"pred\": \"1\"}\n\nnonsense\n{\"id\": 3, \"gold\": \"1\"}\n");
    let said = folder.ruminate(&["grade", "--kind", "math", "in.jsonl"]);
    said.failed(1, "in.jsonl:3: expected");
    assert!(said.err.contains("in.jsonl:4: missing field `pred`") && said.err.contains("2 of 3 lines could not be graded"), "{}", said.err);
    let answers = lines(&said.out);
    assert_eq!((&answers[0]["verdict"], &answers[1]["id"], &answers[2]["id"]), (&json!("equal"), &Value::Null, &json!(3)));
    assert!(answers[1]["error"].is_string() && answers[2]["error"].is_string());
    folder.write("form.jsonl", "{\"id\": 1, \"completion\": \"\", \"form\": \"xml\"}\n");
    folder.ruminate(&["grade", "--kind", "format", "form.jsonl"]).failed(1, "expected one of think_answer");
    folder.ruminate(&["grade", "--kind", "judge", "form.jsonl"]).failed(1, "expected --judge-url and --judge-model");
    folder.ruminate(&["grade", "gone.jsonl"]).failed(1, "gone.jsonl");
    folder.ruminate(&["grade", "--kind", "poetry", "form.jsonl"]).failed(2, "possible values: math, code");
}

#[test]
fn one_bad_line_holds_up_no_other() {
    let folder = Folder::new();
    let mut bytes = b"\xef\xbb\xbf{\"id\": 1, \"gold\": \"1\", \"pred\": \"1\"}\r\n".to_vec();
    bytes.extend(b"{\"id\": 2, \"gold\": \"1\", \"pred\": \"\xff\"}\n");
    bytes.extend(format!("{}\n", json!({ "id": 3, "gold": "1", "pred": "x".repeat(3_000_000) })).bytes());
    bytes.extend(b"[[[[[\nnull\n{\"id\": 6, \"gold\": 1, \"pred\": \"1\"}\n{\"id\": 7, \"gold\": \"1\", \"pred\": \"1\", \"more\": []}");
    std::fs::write(folder.path().join("in.jsonl"), bytes).unwrap();
    let said = folder.ruminate(&["grade", "--kind", "math", "in.jsonl"]);
    said.failed(1, "in.jsonl:2: expected UTF-8");
    let answers = lines(&said.out);
    let heads: Vec<Value> = answers.iter().map(|answer| json!([answer["id"], answer["verdict"], answer["error"].is_string()])).collect();
    let error = |id: Value| json!([id, null, true]);
    let expected = [
        json!([1, "equal", false]),
        error(Value::Null),
        json!([3, "unparsed_prediction", false]),
        error(Value::Null),
        error(Value::Null),
        error(json!(6)),
        json!([7, "equal", false]),
    ];
    assert_eq!(heads, expected);
    folder.ruminate(&["grade", "in.jsonl"]).failed(1, "4 lines hold no pair");

    folder.write("empty.jsonl", "\n \n");
    assert_eq!(folder.ruminate(&["grade", "--kind", "math", "empty.jsonl"]).well().out, "");
}

#[test]
fn ids_come_back_as_they_were_written() {
    let ids = ["340282366920938463463374607431768211455", "1.10", "\"a\"", "[1,{\"b\":null}]", "null", "true"];
    let folder = Folder::new();
    folder.write("in.jsonl", &ids.map(|id| format!("{{\"id\":{id},\"gold\":\"1\",\"pred\":\"1\"}}\n")).concat());
    let out = folder.ruminate(&["grade", "--kind", "math", "in.jsonl"]).well().out;
    for (line, id) in out.lines().zip(ids) {
        assert!(line.starts_with(&format!("{{\"id\":{id},")), "{line}");
    }
}

#[test]
fn a_program_may_write_a_line_and_wait_for_its_answer() {
    let folder = Folder::new();
    let mut grader = folder.spawn(&["grade", "--kind", "math", "-"]);
    let mut input = grader.stdin.take().unwrap();
    let output = BufReader::new(grader.stdout.take().unwrap());
    let (sender, answers) = std::sync::mpsc::channel();
    std::thread::spawn(move || output.lines().try_for_each(|line| sender.send(line.unwrap())));
    for id in 1..=3 {
        writeln!(input, "{}", json!({ "id": id, "gold": "2", "pred": "1 + 1" })).unwrap();
        let Ok(line) = answers.recv_timeout(Duration::from_secs(60)) else {
            grader.kill().unwrap();
            panic!("no answer to line {id}");
        };
        assert_eq!(json!([lines(&line)[0]["id"], lines(&line)[0]["verdict"]]), json!([id, "equal"]));
    }
    drop(input);
    assert!(grader.wait().unwrap().success());
}

#[test]
fn a_report_has_every_verdict_a_summary_and_disagreements() {
    let folder = Folder::new();
    folder.write("p.jsonl", "{\"id\": \"a\", \"gold\": \"0.5\", \"pred\": \"1/2\"}\n{\"gold\": \"x^2-1\", \"pred\": \"(x-1)(x+2)\"}\n");
    let out = folder.ruminate(&["grade", "p.jsonl"]).well().out;
    for part in ["equal", "a  found 1/2", "line 2  expected x^2 - 1", "50.0%", "2 pairs, median", "agree wherever both decide"] {
        assert!(out.contains(part), "expected '{part}' in:\n{out}");
    }
    let piped = folder.ruminate_with(&["grade", "--kind", "math", "-"], "{\"id\": 1, \"gold\": \"2\", \"pred\": \"2\"}\n").well().out;
    assert_eq!(lines(&piped)[0]["verdict"], "equal");
}

/// One request to a server on this machine: status and body.
fn request(address: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[test]
fn the_server_answers_lines_and_lists_of_lines() {
    let folder = Folder::new();
    let mut server = folder.spawn(&["grade", "--serve", "127.0.0.1:0"]);
    let mut first = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let address = first.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_else(|| panic!("{first}"));

    let (status, health) = request(address, "GET", "/health", "");
    assert_eq!((status, &health["status"]), (200, &json!("ok")));
    let one = request(address, "POST", "/grade/math", r#"{"id": 7, "gold": "1/2", "pred": "0.5"}"#);
    assert_eq!((one.0, &one.1["id"], &one.1["verdict"]), (200, &json!(7), &json!("equal")));
    let many = r#"[{"id": 1, "gold": "1", "pred": "2"}, {"id": 2, "gold": "1"}, {"id": 3, "gold": "3", "pred": "3"}]"#;
    let (status, answers) = request(address, "POST", "/grade/math", many);
    assert_eq!((status, &answers[0]["verdict"], &answers[2]["verdict"]), (200, &json!("different"), &json!("equal")));
    assert_eq!((&answers[1]["id"], answers[1]["error"].is_string()), (&json!(2), true));
    let code = r#"{"id": 1, "language": "python", "program": "print(2)", "tests": [{"stdin": "", "stdout": "2"}]}"#;
    assert_eq!(request(address, "POST", "/grade/code", code).1["verdict"], "passed");
    assert_eq!(request(address, "POST", "/grade/math", "{").0, 400);
    let (status, refusal) = request(address, "POST", "/grade/poetry", "{}");
    assert!(status == 404 && refusal["error"].as_str().unwrap().starts_with("kind: expected one of math, code"), "{refusal}");
    server.kill().unwrap();
    server.wait().unwrap();
    folder.ruminate(&["grade", "--serve", "nowhere"]).failed(2, "--serve");
}

#[test]
fn the_doctor_names_layers_toolchains_and_attacks() {
    let folder = Folder::new();
    let said = folder.ruminate(&["sandbox", "doctor", "--json"]).well();
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert!(report["layers"].is_object() || report["layers"].is_array(), "{report}");
    let text = folder.ruminate(&["sandbox", "doctor"]).well().out;
    for part in ["seccomp", "python", "network"] {
        assert!(text.to_lowercase().contains(part), "expected '{part}' in:\n{text}");
    }
    folder.ruminate(&["sandbox", "doctor", "--allow-missing", "luck"]).failed(2, "luck");
}
