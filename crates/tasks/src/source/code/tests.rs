use std::path::Path;

use proptest::prelude::*;
use ruminate_core::Language;
use serde_json::{Value, json};

use super::*;
use crate::ProblemForm;

fn problem(fields: Value) -> Result<Problem, String> {
    let Value::Object(fields) = fields else { panic!("{fields}") };
    let form = ProblemForm::detect(&fields).unwrap();
    let row = Row { path: Path::new("FILE"), line: 1, fields, kind: "set", language: Language::En };
    row.problem(&form).map_err(|error| error.to_string())
}

fn task(problem: &Problem) -> &CodeTask {
    let Gold::Code(task) = &problem.gold else { panic!("{problem:?}") };
    task
}

fn assertion(text: &str) -> CodeTest {
    CodeTest::Assert { assert: text.to_owned() }
}

#[test]
fn human_eval_checks_the_entry_point() {
    let prompt = "def twice(x):\n    \"\"\"Twice x.\"\"\"\n";
    let test = "def check(candidate):\n    assert candidate(1) == 2\n";
    let found = problem(json!({"task_id": "HumanEval/7", "prompt": prompt, "canonical_solution": "    return 2 * x\n", "test": test, "entry_point": "twice"})).unwrap();
    assert_eq!((found.id.0.as_str(), found.question.as_str()), ("set/HumanEval/7", prompt));
    let task = task(&found);
    assert_eq!((task.prefix.as_deref(), task.setup.as_deref(), task.entry_point.as_deref()), (Some(prompt), Some(prompt), Some("twice")));
    assert_eq!(task.tests, [assertion(&format!("{test}\n\ncheck(twice)\n"))]);
}

#[test]
fn mbpp_of_both_editions() {
    let full = json!({"task_id": 2, "text": "Add one.", "code": "def g(x):\n    return x\ndef f(x): return g(x) + 1", "test_setup_code": "y = 1", "test_list": ["assert f(y) == 2", "assert f(2) == 3"], "challenge_test_list": []});
    let found = problem(full).unwrap();
    assert_eq!(found.id.0, "set/2");
    assert_eq!(found.question, "Add one.\n\nThe program must pass these tests:\n\n```python\nassert f(y) == 2\nassert f(2) == 3\n```");
    assert_eq!((task(&found).setup.as_deref(), task(&found).entry_point.as_deref()), (Some("y = 1"), Some("f")));
    assert_eq!(task(&found).tests, [assertion("assert f(y) == 2"), assertion("assert f(2) == 3")]);
    let sanitized =
        json!({"task_id": 2, "prompt": "Add one.", "test_imports": ["import math", "import re"], "test_list": ["assert f(1) == 2"]});
    assert_eq!(task(&problem(sanitized).unwrap()).setup.as_deref(), Some("import math\nimport re"));
    let error = problem(json!({"text": "a", "test_list": [1]})).unwrap_err();
    assert_eq!(error, "FILE:1: expected field 'test_list' with a list of texts, found [1]");
}

#[test]
fn live_code_bench_has_outputs_and_calls() {
    let public = r#"[{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]"#;
    let row = json!({"question_id": "a_b", "question_content": "Add.\n", "starter_code": "", "public_test_cases": public, "private_test_cases": public, "metadata": "{}"});
    let found = problem(row).unwrap();
    assert_eq!((found.id.0.as_str(), found.question.as_str()), ("set/a_b", "Add."));
    assert_eq!(task(&found).tests, vec![CodeTest::Output { stdin: "1 2\n".into(), stdout: "3\n".into() }; 2]);
    assert_eq!((task(&found).compare, task(&found).limits.seconds), (Compare::Float, Some(6.0)));
    let packed = [
        "eJxrYIqIZWBgiK5WyswrKC1RslJQijbUMYqNybNU0lFQyi8tgYoaGhmbmJqZW1gaYGOB1JakFpeUVBakglSnleYll2Tm5yXmKNXGFjLoAQBmTxvM",
        "eJxrYJmayAABPbHR1UqZeQWlJUpWCkrRhjpGsTF5lko6Ckr5pSVQUUMjYxNTM3MLSwNsLJDaktTikpLKglSQ6rTSvOSSzPy8xByl2tgpegDF7x0b",
        "eJxrYJ2ayAABPbHR1UqZeQWlJUpWCkrRhjpGsTF5lko6Ckr5pSVQUUMjYxNTM3MLSwNsLJDaktTikpLKglSQ6rTSvOSSzPy8xByl2tgpegDGWh0c",
    ];
    for private in packed {
        let row = json!({"question_content": "Go.", "starter_code": "class Solution:\n", "public_test_cases": "[]", "private_test_cases": private, "metadata": r#"{"func_name": "go"}"#});
        let found = problem(row).unwrap();
        assert_eq!(found.question, "Go.\n\nStart with this code:\n\n```python\nclass Solution:\n```");
        let expect = json!({"$int": "123456789012345678901234567890"});
        assert_eq!(task(&found).tests, [CodeTest::Call { call: "go".into(), args: vec![json!([1, 2]), json!(9)], expect }]);
    }
}

#[test]
fn live_code_bench_without_sense_is_an_error() {
    let functional = r#"[{"input": "1", "output": "x", "testtype": "functional"}]"#;
    let row = |public: &str, metadata: &str| json!({"question_content": "Go.", "public_test_cases": public, "metadata": metadata});
    let check = |row: Value, expected: &str| assert!(problem(row).unwrap_err().contains(expected));
    check(row("[", "{}"), "expected field 'public_test_cases' with a list of tests as JSON text");
    // A pickle of a list: only text is read.
    check(row("eJxrYJnKxgABsVO8GRP1ABkRAuw=", "{}"), "expected field 'public_test_cases' with a list of tests as JSON text");
    check(row(functional, r#"{"func_name": "go"}"#), "expected field 'public_test_cases' with JSON as input and output");
    check(row(&functional.replace("\"x\"", "\"1\""), "{}"), "expected field 'metadata' with JSON text with 'func_name'");
}

proptest! {
    #[test]
    fn any_bytes_are_unpickled_or_not(bytes in prop::collection::vec(prop_oneof![Just(0x80_u8), Just(0x95), Just(0x8c), Just(b'X'), any::<u8>()], 0..40)) {
        unpickle(&bytes);
    }
}
