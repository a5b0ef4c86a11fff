//! Published problem sets with their own solutions. They are not part of the repository: without them the tests are skipped and say so.
//!
//! `RUMINATE_DATA` names the folder of the files `humaneval.jsonl.gz`, `mbpp.jsonl.gz` and `humaneval_x.jsonl.gz`; otherwise it is `../shared/data`.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::Trial;
use ruminate_core::{CodeTask, CodeTest, Gold, Language, Problem};
use ruminate_rewards::code::{CodeError, CodeOutcome, CodeVerdict, grade};
use serde_json::{Map, Value, json};

use crate::support::{sandbox, test};

/// One problem of so many is graded, unless `RUMINATE_STEP` says otherwise: 1 is all of them.
const STEP: usize = 25;

/// The same for languages whose tests are compiled.
const COMPILED_STEP: usize = 80;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("solutions_of_human_eval_pass_and_wrong_ones_do_not", || human_eval(step(STEP))),
        test("solutions_of_mbpp_pass_and_wrong_ones_do_not", || mbpp(step(STEP))),
        test("solutions_of_human_eval_x_in_javascript_pass_and_wrong_ones_do_not", || human_eval_x("js", step(STEP))),
        test("solutions_of_human_eval_x_in_cpp_pass_and_wrong_ones_do_not", || human_eval_x("cpp", step(COMPILED_STEP))),
        test("solutions_of_human_eval_x_in_java_pass_and_wrong_ones_do_not", || human_eval_x("java", step(COMPILED_STEP))),
    ]
}

fn step(default: usize) -> usize {
    std::env::var("RUMINATE_STEP").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Problems whose own solution fails its own tests, with the reason: defects of the data.
const BROKEN: [(&str, &str); 3] = [
    ("JavaScript/112", "returns the second of a pair in parentheses, which is no pair; the original test prints nine failures"),
    ("JavaScript/155", "counts no digit in 0; the original test prints a failure"),
    ("JavaScript/162", "requires the package js-md5"),
];

/// Time of a test: the solution of mbpp/123 takes 5.5 s on an idle processor.
const SECONDS: f64 = 30.0;

/// A problem, its solution, and one that cannot be right.
struct Pair {
    name: String,
    task: CodeTask,
    solution: String,
    wrong: String,
}

fn human_eval(step: usize) {
    check("humaneval", step, |row, problem| Pair { solution: text(row, "answer"), wrong: "    return None\n".to_owned(), ..pair(problem) });
}

fn mbpp(step: usize) {
    check("mbpp", step, |row, problem| {
        let solution = text(row, "answer");
        Pair { wrong: without_bodies(&solution), solution, ..pair(problem) }
    });
}

fn human_eval_x(language: &str, step: usize) {
    let Some(text_of_file) = file("humaneval_x") else { return };
    let (wrong, declaration) = match language {
        "js" => ("  return undefined;\n}\n", None),
        "cpp" => ("    return {};\n}\n", Some("declaration")),
        _ => ("        throw new RuntimeException();\n    }\n}\n", Some("declaration")),
    };
    let rows = text_of_file.lines().map(|line| serde_json::from_str::<Map<String, Value>>(line).unwrap());
    let pairs = rows.filter(|row| row["language"] == language).map(|row| {
        let task = json!({
            "language": language,
            "declaration": declaration.map(|field| text(&row, field)),
            "tests": [CodeTest::Assert { assert: text(&row, "test") }],
            "limits": {"seconds": SECONDS},
        });
        let [solution, wrong] = [text(&row, "answer"), wrong.to_owned()].map(|body| text(&row, "prompt") + &body);
        Pair { name: text(&row, "id"), task: serde_json::from_value(task).unwrap(), solution, wrong }
    });
    grade_all(&format!("humaneval_x in {language}"), &pairs.step_by(step).collect::<Vec<_>>());
}

fn pair(problem: Problem) -> Pair {
    let Gold::Code(mut task) = problem.gold else { panic!("{problem:?}") };
    task.limits.seconds = Some(SECONDS);
    Pair { name: problem.id.0, task: *task, solution: String::new(), wrong: String::new() }
}

fn text(row: &Map<String, Value>, field: &str) -> String {
    row[field].as_str().unwrap().to_owned()
}

/// The same functions and classes, all of which give nothing.
fn without_bodies(program: &str) -> String {
    let names = program.lines().filter_map(|line| line.trim_start().strip_prefix("def ")?.split('(').next());
    let classes = program.lines().filter_map(|line| line.strip_prefix("class ")?.split([':', '(']).next());
    let functions = names.map(|name| format!("def {name}(*args, **kwargs): return None\n"));
    functions.chain(classes.map(|name| format!("class {name}:\n    def __init__(self, *args): pass\n"))).collect()
}

/// Loads the set by the loader of its form, and grades.
fn check(name: &str, step: usize, make: impl Fn(&Map<String, Value>, Problem) -> Pair) {
    let Some(text) = file(name) else { return };
    let rows: Vec<Map<String, Value>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut plain = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut plain, text.as_bytes()).unwrap();
    let problems = ruminate_tasks::load_problems(plain.path(), None, name, Language::En).unwrap();
    assert_eq!(problems.len(), rows.len());
    let pairs = rows.iter().zip(problems).map(|(row, problem)| make(row, problem));
    grade_all(name, &pairs.step_by(step).collect::<Vec<_>>());
}

/// The text of a set, or `None` if it is not there.
fn file(name: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("RUMINATE_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let Ok(file) = std::fs::File::open(folder.join(format!("{name}.jsonl.gz"))) else {
        println!("{name}: skipped, {} has no such file", folder.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(text)
}

/// A task that cannot be graded counts as a fault of its own.
fn bad(pair: &Pair, error: &CodeError) -> CodeVerdict {
    CodeVerdict { verdict: CodeOutcome::CompileError, passed: 0, total: pair.task.tests.len(), reason: error.to_string(), millis: 0 }
}

fn grade_all(name: &str, pairs: &[Pair]) {
    let next = AtomicUsize::new(0);
    let graded = |pair: &Pair| -> [CodeVerdict; 2] {
        [&pair.solution, &pair.wrong].map(|program| grade(sandbox(), &pair.task, program).unwrap_or_else(|error| bad(pair, &error)))
    };
    let work = || {
        let mut found = Vec::new();
        while let Some(pair) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.push((pair, graded(pair)));
        }
        found
    };
    let found: Vec<_> = std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let n_passed = found.iter().filter(|(_, [right, _])| right.verdict == CodeOutcome::Passed).count();
    println!("{name}: {n_passed} of {} solutions pass", found.len());
    let mut faults = Vec::new();
    for (pair, [right, wrong]) in found {
        let is_broken = BROKEN.iter().any(|(name, _)| *name == pair.name);
        if (right.verdict == CodeOutcome::Passed) == is_broken {
            faults.push(format!("{}: {right:?}", pair.name));
        }
        if wrong.verdict == CodeOutcome::Passed {
            faults.push(format!("{}: a wrong program passes", pair.name));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}
