//! `ruminate report`, and the live page of `ruminate run`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use html5gum::{DefaultEmitter, Token, Tokenizer};
use serde_json::{Value, json};

use crate::util::{Folder, Said};

/// What a model or a problem might say.
const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"'&amp; <!-- {{ 7*7 }} \u{2028} ]]>";

const RESOLVED: &str = r#"
name = "tiny"
seed = 17
[[stage]]
id = "base"
kind = "load"
path = "builtin:tiny"
[[stage]]
id = "zero"
kind = "grpo"
policy = "base"
steps = 4
[[stage]]
id = "cold"
kind = "collect"
[[stage]]
id = "helpful"
kind = "reward_model"
[[stage]]
id = "compared"
kind = "compare"
"#;

fn interval(mean: f64) -> Value {
    json!({ "mean": mean, "lo": mean - 0.1, "hi": mean + 0.1, "n_problems": 10, "k": 4 })
}

/// A group of completions, each with its text and whether it is right.
fn group(id: &str, kind: &str, completions: &[(&str, bool)]) -> Value {
    let rollouts: Vec<Value> = completions
        .iter()
        .enumerate()
        .map(|(idx, (text, right))| {
            let outcome = if *right { "right" } else { "wrong" };
            json!({
                "sample_idx": idx, "text": text, "reward": if *right { 2.0 } else { 0.0 },
                "completion": { "token_ids": [1, 2, 3], "rollout_logprobs": [-0.1, -2.0, -0.001], "finish_reason": "stop", "policy_version": 0 },
                "verdicts": {
                    "accuracy": { "reward": if *right { 1.0 } else { 0.0 }, "outcome": outcome, "reason": format!("found {HOSTILE}") },
                    "format": { "reward": 1.0, "outcome": "right", "reason": "as asked" },
                },
            })
        })
        .collect();
    json!({
        "problem": { "id": id, "kind": kind, "question": HOSTILE, "gold": { "type": "value", "text": "7" }, "language": "en", "difficulty": 1 },
        "prompt_ids": [4, 5], "rollouts": rollouts,
    })
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// A run that was killed in its second stage, with files of later stages put beside it.
pub(crate) fn folder(run: &str, seed: u64) -> Folder {
    let folder = Folder::new();
    write_run(&folder, run, seed, 0.5);
    folder
}

fn write_run(folder: &Folder, run: &str, seed: u64, pass: f64) {
    for stage in ["base", "zero/rollouts", "cold", "helpful", "compared"] {
        std::fs::create_dir_all(folder.path().join(run).join(stage)).unwrap();
    }
    let write = |name: &str, text: String| folder.write(&format!("{run}/{name}"), &text);
    write("resolved.toml", RESOLVED.replace("seed = 17", &format!("seed = {seed}")));
    let manifest = json!({
        "recipe": "tiny", "recipe_hash": "h", "seed": seed, "version": "0.1.0", "commit": "abc", "device": "cpu", "hardware": "Processor <9>",
        "n_threads": 2, "started_unix_secs": 1_795_827_900,
    });
    write("manifest.json", manifest.to_string());
    let stage = |state: &str, lineage: Value| json!({ "state": state, "inputs_hash": "f00d", "lineage": lineage, "version": "0.1.0", "policy": null, "seconds": 10.0, "flops": 2e12, "peak_bytes": 1 << 30 });
    write("base/manifest.json", stage("done", json!({ "builtin:tiny": "0123456789abcdef" })).to_string());
    write("zero/manifest.json", stage("running", json!({ "base": "f00d" })).to_string());
    let metrics = |step: u64| {
        json!({ "step": step, "rl/reward_mean": step as f64, "rl/accuracy": 0.25, "reward/accuracy": 0.25, "rl/clip_low_share": 0.01,
            "rl/unheard_of": 3.0, "eval/pass@1": 0.5, "eval/pass@1_lo": 0.4, "eval/pass@1_hi": 0.6, "rl/optimizer_steps": 1.0, "seconds/rollout": 1.5, "seconds/train": 2.0 })
    };
    write("zero/metrics.jsonl", lines(&[metrics(0), metrics(1)]) + "{\"step\": 2, \"rl/rew");
    let sure: Vec<(&str, bool)> = vec![("4+3=7", true), ("so 7", true), ("so 8", false)];
    let unsure: Vec<(&str, bool)> = vec![("wait, check: 7", true), ("Wait 8", false), ("but 检查 7", true)];
    let both = [sure, unsure].concat();
    let round: Vec<Value> = ["a", "b"].iter().map(|id| group(id, "sums", &both)).collect();
    write("zero/rollouts/step-00000.jsonl", lines(&round));
    write(
        "zero/rollouts/step-00001.jsonl",
        lines(&[group("c", "<b>logic</b>", &[(HOSTILE, false), ("so", true)])]) + "{\"problem\": {\"torn",
    );
    let evaluation = json!({
        "pass_at_1": interval(pass), "cons_at_k": interval(0.6), "general": interval(0.7), "pass_at_1_by_kind": { "sums": interval(0.5), "<i>": interval(0.4) },
        "response_length": 3.0, "format_share": 1.0, "language_share": 0.9, "truncated_share": 0.0, "reflection_words": 0.5, "seconds": 0.75,
    });
    write("base/evaluation.json", evaluation.to_string());
    write(
        "base/evaluation.jsonl",
        lines(&[group("e/1", "sums", &[("7", true), ("8", false)]), group("e/2", "sums", &[("7", true), ("7", true)])]),
    );
    let yields = json!({ "sources": [{ "source": "few-shot", "sampled": 800, "kept": 210, "dropped": { "wrong": 550, HOSTILE: 40 } }], "n_prompts": 400,
        "reviewed": { "accepted": 5, "rejected": 1, "edited": 0, "unseen": 204 } });
    write("cold/yield.json", yields.to_string());
    let example = json!({ "id": "x/1", "source": "few-shot", "problem": group("p", "sums", &[])["problem"], "messages":
        [{ "role": "user", "content": "2+5?" }, { "role": "assistant", "content": HOSTILE }] });
    write("cold/examples.jsonl", lines(std::slice::from_ref(&example)));
    write("cold/dropped.jsonl", lines(&[json!({ "example": example, "filter": "wrong", "reason": HOSTILE })]));
    let bins = json!([{ "lo": 0.2, "hi": 0.3, "predicted": 0.2, "observed": 0.25, "n": 40 }, { "lo": 0.8, "hi": 0.9, "predicted": 0.8, "observed": 0.7, "n": 30 }]);
    write(
        "helpful/reward_model.json",
        json!({ "reads": "summary", "n_train": 70, "held_out": { "accuracy": interval(0.8), "loss": 0.5, "calibration": { "bins": bins, "ece": 0.07 }, "length": { "correlation": 0.12, "longer_is_better": interval(0.9), "shorter_is_better": null } } }).to_string(),
    );
    let difference = json!({ "mean": 0.2, "lo": 0.1, "hi": 0.3, "n_problems": 400, "k": 4 });
    let pair = json!({ "before": "small-rl", "after": "distilled", "difference": difference, "significant": true });
    let compared = json!([{ "id": "small-rl", "pass_at_1": interval(0.3), "flops": 2e12 }, { "id": "distilled", "pass_at_1": interval(0.5), "flops": 1e12 }]);
    write("compared/comparison.json", json!({ "stages": compared, "pairs": [pair] }).to_string());
}

fn report(folder: &Folder, args: &[&str]) -> (Value, String) {
    let said = folder.ruminate(&[&["report"], args, &["--json"]].concat()).well();
    let printed: Value = serde_json::from_str(&said.out).unwrap();
    let page = folder.read(printed["page"].as_str().unwrap());
    (printed, page)
}

/// Reads the page as a browser's tokenizer does: no errors, every tag closed in order. Gives back the names of all tags.
fn check_html(page: &str) -> Vec<String> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let (mut open, mut all): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let name = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for Ok(token) in Tokenizer::new_with_emitter(page, emitter) {
        match token {
            Token::StartTag(tag) => {
                let tag_name = name(&tag.name);
                all.push(tag_name.clone());
                let is_void = matches!(tag_name.as_str(), "meta" | "input" | "br" | "img" | "link");
                if !tag.self_closing && !is_void {
                    open.push(tag_name);
                }
            }
            Token::EndTag(tag) => assert_eq!(open.pop().as_deref(), Some(name(&tag.name).as_str()), "closes what is open"),
            Token::Error(error) => panic!("{error:?}"),
            Token::String(_) | Token::Comment(_) | Token::Doctype(_) => {}
        }
    }
    assert_eq!(open, Vec::<String>::new());
    all
}

#[test]
fn the_figures_are_those_of_the_files() {
    let folder = folder("run", 17);
    let (printed, page) = report(&folder, &["run"]);
    let run = &printed["runs"][0];
    assert_eq!((&run["recipe"], &run["seed"], &run["started"]), (&json!("tiny"), &json!(17), &json!("2026-11-28 01:05 UTC")));
    assert_eq!((&run["state"], &run["version"]), (&json!("stopped"), &json!("0.1.0 (abc)")));
    assert_eq!((&run["device"], &run["hardware"], &run["n_threads"]), (&json!("cpu"), &json!("Processor <9>"), &json!(2)));
    assert!(page.contains("cpu (Processor &lt;9&gt;), 2 threads"));
    let states: Vec<&str> = run["stages"].as_array().unwrap().iter().map(|stage| stage["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "stopped", "stopped", "stopped", "stopped"]);
    let zero = &run["stages"][1];
    assert_eq!((&zero["steps"], &zero["planned_steps"], &zero["flops"]), (&json!(2), &json!(4), &json!(2e12)));
    assert_eq!(zero["phases"], json!({ "rollout": 3.0, "train": 4.0, "other": 3.0 }));
    // base has 10 s by its record, of which its evaluation took 0.75.
    assert_eq!(run["stages"][0]["phases"], json!({ "evaluate": 0.75, "other": 9.25 }));
    assert_eq!(run["seconds"], 20.0);

    let reflection = &zero["reflection"];
    assert_eq!(reflection["n_completions"], 14);
    let words: Vec<(&str, u64)> =
        reflection["words"].as_array().unwrap().iter().map(|word| (word["word"].as_str().unwrap(), word["n"].as_u64().unwrap())).collect();
    assert_eq!(words, [("wait", 4), ("but", 2), ("check", 2), ("检查", 2)]);
    assert!(reflection["absent"].as_array().unwrap().contains(&json!("however")));
    let sums = reflection["kinds"].as_array().unwrap().iter().find(|kind| kind["kind"] == "sums").unwrap();
    assert_eq!((&sums["n_with"], &sums["n_without"]), (&json!(6), &json!(6)));
    assert!((sums["with"]["mean"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!((&sums["difference"]["mean"], &sums["difference"]["n_used"]), (&json!(0.0), &json!(12)));
    let all = &reflection["all"];
    assert_eq!((&all["n_with"], &all["n_without"], &all["difference"]["n_left_out"]), (&json!(6), &json!(8), &json!(2)));

    // Form 1 in all completions; the mean length is that of the record, its interval that of the problems.
    let spreads = &run["stages"][0]["evaluation"]["spreads"];
    assert_eq!((&spreads["form"]["mean"], &spreads["tokens"]["mean"]), (&json!(1.0), &json!(3.0)));
    for shown in [
        "50.0% [40.0, 60.0]",
        "60.0% [50.0, 70.0]",
        "70.0% [60.0, 80.0]",
        "26.2%",
        "+20.0 points [+10.0, +30.0]",
        "held-out accuracy",
        "2.00e12",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(page.contains("rl/unheard_of"), "figures that nobody named are shown too");
    assert_eq!(page, report(&folder, &["run"]).1, "the same files give the same page");
}

#[test]
fn a_killed_run_has_a_report_that_says_what_is_missing() {
    let folder = folder("run", 17);
    for (name, text) in [("base/evaluation.json", "{\"pass"), ("helpful/reward_model.json", "[]"), ("manifest.json", "")] {
        folder.write(&format!("run/{name}"), text);
    }
    let (printed, page) = report(&folder, &["run"]);
    let notes: Vec<&str> = printed["runs"][0]["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    for expected in [
        "run/manifest.json is left out, it is damaged",
        "run/base/evaluation.json is left out, it is damaged",
        "run/helpful/reward_model.json is left out, it is damaged",
        "run/zero/metrics.jsonl: the last line is not complete and left out",
        "run/zero/rollouts/step-00001.jsonl: 1 damaged lines are left out",
        "stage 'zero': no tokenizer was found",
        "was stopped or killed before its end",
    ] {
        assert!(notes.iter().any(|note| note.contains(expected)), "{expected} in {notes:#?}");
    }
    check_html(&page);
    // Nothing but the recipe is there.
    folder.write("bare.toml", "");
    std::fs::create_dir(folder.path().join("bare")).unwrap();
    folder.write("bare/resolved.toml", RESOLVED);
    let (printed, page) = report(&folder, &["bare", "--out", "bare.html"]);
    assert_eq!((&printed["runs"][0]["state"], &printed["page"]), (&json!("not-started"), &json!("bare.html")));
    check_html(&page);
    // The record of an older version.
    let manifest = json!({ "recipe": "tiny", "recipe_hash": "h", "seed": 1, "version": "0", "commit": null, "device": "cuda", "n_threads": 1, "started_unix_secs": 1 });
    folder.write("bare/manifest.json", &manifest.to_string());
    let (printed, page) = report(&folder, &["bare"]);
    assert_eq!(printed["runs"][0]["hardware"], Value::Null);
    assert!(page.contains("cuda, 1 thread<"));
    folder.write("bare/resolved.toml", "name = ");
    assert!(report(&folder, &["bare"]).1.contains("resolved.toml is damaged"));
}

#[test]
fn hostile_text_stays_text() {
    let (_, page) = report(&folder("run", 17), &["run"]);
    let tags = check_html(&page);
    assert_eq!(tags.iter().filter(|tag| *tag == "script").count(), 2, "the data and the script");
    for forbidden in ["img", "b", "i"] {
        assert!(!tags.iter().any(|tag| tag == forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'; script-src 'nonce-"), "a strict policy");
    assert!(!page.contains("unsafe-inline") && !page.contains("49 \u{2028}"), "text is no template");
    for outside in ["http://", "https://", "//cdn", "@import", "url("] {
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(outside), "{outside}");
    }
    let data = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let samples = data[0]["samples"].as_array().unwrap();
    assert!(samples.iter().any(|sample| sample["pieces"][0] == HOSTILE && sample["origin"] == "training"));
    assert!(samples.iter().any(|sample| sample["origin"] == "dropped" && sample["remark"].as_str().unwrap().contains(HOSTILE)));
}

#[test]
fn samples_are_bounded_and_come_from_all_strata() {
    let folder = folder("run", 17);
    let texts: Vec<(String, bool)> = (0..20).map(|i| (format!("so {i}"), i % 5 == 0)).collect();
    let texts: Vec<(&str, bool)> = texts.iter().map(|(text, right)| (text.as_str(), *right)).collect();
    for step in 0..400 {
        let kinds = ["sums", "logic", "code"].map(|kind| group(&format!("{kind}/{step}"), kind, &texts));
        folder.write(&format!("run/zero/rollouts/step-{step:05}.jsonl"), &lines(&kinds));
    }
    let (printed, page) = report(&folder, &["run"]);
    let data: Value = serde_json::from_str(page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap()).unwrap();
    let samples = data[0]["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 600);
    assert_eq!(printed["runs"][0]["n_completions"], 400 * 60 + 4 + 2);
    assert!(page.contains("600 of 24006 completions"), "the number is stated");
    let trained: Vec<&Value> = samples.iter().filter(|sample| sample["origin"] == "training").collect();
    for part in 0..4 {
        for kind in ["sums", "logic", "code"] {
            for right in [true, false] {
                let is_of =
                    |sample: &&&Value| sample["step"].as_u64().unwrap() / 100 == part && sample["kind"] == kind && sample["right"] == right;
                assert!(trained.iter().filter(is_of).count() >= 5, "{part} {kind} {right}");
            }
        }
    }
    assert!(samples.iter().any(|sample| sample["origin"] == "evaluation") && samples.iter().any(|sample| sample["origin"] == "kept"));
}

#[test]
fn several_seeds_are_laid_over_each_other() {
    let folder = folder("one", 1);
    for (run, seed, pass) in [("two", 2, 0.6), ("three", 3, 0.7)] {
        write_run(&folder, run, seed, pass);
    }
    let (printed, page) = report(&folder, &["one", "two", "three"]);
    let base = &printed["over_seeds"][0]["figures"]["pass@1"];
    // s = 0.1, t = 4.302653 with two degrees of freedom.
    assert!((base["mean"].as_f64().unwrap() - 0.6).abs() < 1e-12 && base["n_seeds"] == 3);
    assert!((base["hi"].as_f64().unwrap() - 0.6 - 4.302_653 * 0.1 / 3_f64.sqrt()).abs() < 1e-9, "{base}");
    assert_eq!(printed["page"], "one/report-over-seeds.html");
    for shown in ["Means over 3 seeds", "60.0% [35.2, 84.8]", "seed 2"] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains("differ in more than their seed"));
    check_html(&page);
    folder.write("two/resolved.toml", &RESOLVED.replace("steps = 4", "steps = 5"));
    assert!(report(&folder, &["one", "two"]).1.contains("two has another recipe than one: they differ in more than their seed"));
}

#[test]
fn what_is_no_run_is_an_error_with_advice() {
    let folder = folder("run", 17);
    folder.ruminate(&["report", "gone"]).failed(1, "gone does not exist: expected a directory that `ruminate run` made");
    folder.ruminate(&["report", "model"]).failed(1, "model holds no run: expected a directory that `ruminate run` made");
    folder.ruminate(&["report", "run/zero"]).failed(1, "run/zero is the directory of a stage, expected that of its run: run");
    folder.ruminate(&["report"]).failed(2, "<RUN>");
    folder.ruminate(&["report", "run", "--out", "model/config.json/x.html"]).failed(1, "model/config.json");
}

/// A run of a random model in a second.
pub(crate) const LIVE: &str = r#"
name = "t"
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
prompts = ["arithmetic"]
steps = 6
prompts_per_step = 2
group_size = 2
minibatches = 1
max_new_tokens = 8
"#;

/// Starts a run with a live page and waits for its address.
pub(crate) fn start_live(folder: &Folder, sets: &[&str]) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ruminate"));
    command.args(["run", "t.toml", "--live", "127.0.0.1:0"]).args(sets).current_dir(folder.path());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("live page: http://")?.trim_end_matches('/').to_owned()));
    // The rest must be read, or the program waits for room in the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (child, address.expect("the program says where its page is"))
}

fn get(address: &str, path: &str, host: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn a_run_in_progress_has_a_live_page_for_this_machine() {
    let folder = Folder::new();
    folder.write("t.toml", LIVE);
    let (mut child, address) = start_live(&folder, &["--set", "zero.steps=100000"]);
    folder.wait_for_lines("runs/t/zero/metrics.jsonl", 2, &mut child);
    let (status, page) = get(&address, "/", &address);
    assert_eq!(status, 200);
    assert!(page.contains("connect-src 'self'") && page.contains("live: connected") && page.contains(">running<"), "{page}");
    let (status, version) = get(&address, "/version", "localhost:1");
    let version: Value = serde_json::from_str(&version).unwrap();
    assert_eq!(status, 200);
    assert!(version["version"].as_str().unwrap().len() == 16 && version["state"].as_str().unwrap().contains("of 100000"), "{version}");
    assert_eq!(get(&address, "/", "evil.example").0, 403, "names of others are refused");
    assert_eq!(get(&address, "/manifest.json", &address).0, 404);
    let port_in_use = folder.ruminate(&["run", "t.toml", "--out", "other", "--live", &address]);
    port_in_use.failed(1, "cannot listen there");
    assert!(!folder.path().join("other").exists(), "nothing ran");
    child.kill().unwrap();
    child.wait().unwrap();
    folder.ruminate(&["run", "t.toml", "--live", "0.0.0.0:0"]).failed(1, "expected a loopback address");
}

#[test]
fn a_live_page_changes_nothing_in_the_run() {
    let folder = Folder::new();
    folder.write("t.toml", LIVE);
    let (child, address) = start_live(&folder, &["--out", "watched"]);
    let watcher = std::thread::spawn(move || {
        while let Ok(mut stream) = TcpStream::connect(&address) {
            let asked = write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let mut answer = Vec::new();
            if asked.and_then(|()| stream.read_to_end(&mut answer)).is_err() {
                break;
            }
        }
    });
    Said::of(child).well();
    watcher.join().unwrap();
    folder.ruminate(&["run", "t.toml", "--out", "alone"]).well();
    for name in ["zero/checkpoint/model.safetensors", "zero/rollouts/step-00005.jsonl"] {
        let bytes = |run: &str| std::fs::read(folder.path().join(run).join(name)).unwrap();
        assert!(bytes("watched") == bytes("alone"), "{name} differs");
    }
}
