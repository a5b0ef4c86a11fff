//! Runs whose problems need more than rules: programs in the sandbox, a judge that may be down.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::training::metrics;
use crate::util::Folder;

const RECIPE: &str = r#"
name = "g"
seed = 5
[[stage]]
id = "base"
kind = "load"
path = "model"
[[stage]]
id = "zero"
kind = "grpo"
policy = "base"
preset = "r1-zero"
template = "tiny"
prompts = [{ data = "p.jsonl", split = "all" }]
steps = 2
prompts_per_step = 2
group_size = 2
minibatches = 1
max_new_tokens = 8
rewards = { accuracy = 1.0, boxed = 0.5, kinds = { other = { accuracy = 2.0 } }, options = { repetition = { ngram_size = 2, max_penalty = -0.5 } } }
"#;

/// Only characters of the built-in world: its tokenizer has no others.
fn problem(id: usize, kind: &str, gold: &Value) -> String {
    let line = json!({ "id": format!("p/{id}"), "kind": kind, "question": format!("{id} + 1 = ?"), "gold": gold, "language": "en" });
    format!("{line}\n")
}

fn rollouts(folder: &Folder) -> Vec<ruminate_core::RolloutGroup> {
    folder.read("g/zero/rollouts/step-00000.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn programs_are_run_in_the_sandbox_and_its_layers_are_kept_with_the_run() {
    let folder = Folder::new();
    let code = json!({ "type": "code", "language": "python", "tests": [{ "stdin": "", "stdout": "2" }] });
    folder.write("p.jsonl", &(1..4).map(|id| problem(id, "code", &code)).collect::<String>());
    folder.write("g.toml", RECIPE);
    folder.ruminate(&["run", "g.toml", "--out", "g"]).well();
    let layers = folder.read("g/sandbox.json");
    assert!(layers.contains("seccomp"), "{layers}");
    for group in rollouts(&folder) {
        for rollout in &group.rollouts {
            let names: Vec<&str> = rollout.verdicts.keys().map(String::as_str).collect();
            assert_eq!(names, ["accuracy", "boxed", "format", "language"]);
            // Random characters are no program that prints 2.
            assert_eq!(rollout.verdicts["accuracy"].reward, 0.0);
            assert!(!rollout.verdicts["accuracy"].reason.is_empty());
        }
    }
    let line = &metrics(&folder, "g/zero/metrics.jsonl")[0];
    assert_eq!((&line["reward/accuracy"], &line["reward/boxed"], &line["rl/alarms"]), (&json!(0.0), &json!(0.0), &json!(0.0)));

    let cobol = json!({ "type": "code", "language": "cobol", "tests": [{ "stdin": "", "stdout": "2" }] });
    folder.write("p.jsonl", &problem(1, "code", &cobol));
    folder.ruminate(&["run", "g.toml", "--out", "other"]).failed(1, "cobol");
}

/// Serves requests with the same reply.
fn judge(reply: &'static str) -> String {
    serve(|_| Some(reply.to_owned()))
}

/// Serves requests with what `reply` makes of their bodies; where it makes nothing, the connection is closed.
pub(crate) fn serve(reply: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reply = Arc::new(reply);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let reply = Arc::clone(&reply);
            std::thread::spawn(move || answer(stream.unwrap(), reply.as_ref()));
        }
    });
    format!("http://{address}/v1")
}

fn answer(mut stream: TcpStream, reply: &dyn Fn(&str) -> Option<String>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    // The body is whole when its JSON is.
    while !std::str::from_utf8(&request)
        .is_ok_and(|text| text.split_once("\r\n\r\n").is_some_and(|(_, body)| serde_json::from_str::<Value>(body).is_ok()))
    {
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "the request ended early");
        request.extend_from_slice(&buffer[..n]);
    }
    let Some(reply) = reply(std::str::from_utf8(&request).unwrap()) else { return };
    let body = json!({ "choices": [{ "message": { "role": "assistant", "content": reply }, "finish_reason": "stop" }] }).to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
}

#[test]
fn a_judge_that_is_down_pauses_the_run_and_one_that_is_back_lets_it_go_on() {
    let folder = Folder::new();
    folder.write("p.jsonl", &(1..4).map(|id| problem(id, "chat", &json!({ "type": "judged", "reference": "blue" }))).collect::<String>());
    let with_judge = |url: &str| format!("{RECIPE}[judge]\nurl = \"{url}\"\nmodel = \"m\"\ntries = 1\ncache = \"judged\"\n");
    folder.write("g.toml", RECIPE);
    folder.ruminate(&["run", "g.toml", "--out", "g"]).failed(1, "is graded by a judge: expected a [judge] table");

    // Nobody listens on a port that was just given back.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    folder.write("g.toml", &with_judge(&format!("http://{free}/v1")));
    let said = folder.ruminate(&["run", "g.toml", "--out", "down"]);
    said.failed(1, "no verdict from the judge: the endpoint is down");
    assert!(said.err.contains("the same command goes on"), "{}", said.err);
    assert!(!folder.path().join("down/zero/metrics.jsonl").exists() || folder.read("down/zero/metrics.jsonl").is_empty());

    folder.write("g.toml", &with_judge(&judge("{\"verdict\": \"right\", \"reason\": \"it is blue\"}")));
    folder.ruminate(&["run", "g.toml", "--out", "g"]).well();
    for group in rollouts(&folder) {
        for rollout in &group.rollouts {
            assert_eq!((rollout.verdicts["accuracy"].reward, rollout.reward), (1.0, 1.0));
            assert_eq!(rollout.verdicts["accuracy"].reason, "judge: it is blue");
        }
    }
    assert!(std::fs::read_dir(folder.path().join("judged")).unwrap().count() > 0, "replies are kept");
}

#[test]
fn grade_asks_the_judge_and_leaves_pending_what_it_did_not_answer() {
    let folder = Folder::new();
    folder.write("in.jsonl", "{\"id\": 1, \"question\": \"sky?\", \"gold\": \"blue\", \"pred\": \"azure\"}\n");
    let url = judge("{\"verdict\": \"wrong\", \"reason\": \"another colour\"}");
    let out = folder.ruminate(&["grade", "--kind", "judge", "in.jsonl", "--judge-url", &url, "--judge-model", "m"]).well().out;
    let line: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&line["id"], &line["ok"], &line["outcome"]), (&json!(1), &json!(false), &json!("wrong")));
    folder.ruminate(&["grade", "--kind", "judge", "in.jsonl", "--judge-url", &url]).failed(2, "--judge-model");
}

#[test]
fn mistakes_in_rewards_sandbox_and_judge_are_usage_errors() {
    let folder = Folder::new();
    folder.write("p.jsonl", &problem(1, "other", &json!({ "type": "value", "text": "2" })));
    for (from, to, message) in [
        ("boxed = 0.5", "boxt = 0.5", "unknown key 'boxt'; did you mean 'boxed'?"),
        ("other = { accuracy = 2.0 }", "other = { acuracy = 2.0 }", "unknown key 'acuracy'; did you mean 'accuracy'?"),
        ("max_penalty = -0.5", "max_penalty = 0.5", "expected max_penalty to be at most 0, found 0.5"),
        ("seed = 5", "seed = 5\n[sandbox]\njob = 2", "unknown key 'job'"),
        ("seed = 5", "seed = 5\n[sandbox]\nallow_missing = [\"luck\"]", "luck"),
        ("seed = 5", "seed = 5\n[judge]\nurl = \"http://x\"", "model"),
        ("seed = 5", "seed = 5\n[judge]\nurl = \"http://x\"\nmodel = \"m\"\ntimeout = 3", "unknown key 'timeout'"),
    ] {
        folder.write("g.toml", &RECIPE.replacen(from, to, 1));
        folder.ruminate(&["run", "g.toml", "--dry-run"]).failed(2, message);
    }
}
