//! `collect` stages: what is kept is right and readable, nothing is sampled twice, and what is missing is said.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ruminate_core::{Example, Outcome};
use ruminate_rewards::{FormatForm, grade_accuracy};
use serde_json::{Value, json};

use crate::util::Folder;

const COLD: &str = r#"
name = "c"
seed = 3
[evaluation]
template = "tiny"
prompts = [{ source = "arithmetic", difficulties = [1, 2] }]
n_problems = 8
samples = 1
max_new_tokens = 8
[[stage]]
id = "base"
kind = "load"
path = "builtin:tiny"
evaluate = false
[[stage]]
id = "cold"
kind = "collect"
prompts = [{ source = "arithmetic", difficulties = [1, 2] }]
n_prompts = 70
max_batch = 24
template = "tiny"
per_prompt = 2
max_new_tokens = 60
[[stage.source]]
method = "direct"
policy = "base"
instruction = ""
samples = 3
[[stage.source]]
name = "rewritten"
method = "rewrite"
policy = "base"
samples = 3
"#;

const RESULTS: [&str; 3] = ["cold/examples.jsonl", "cold/dropped.jsonl", "cold/yield.json"];

fn examples(folder: &Folder, name: &str) -> Vec<Example> {
    folder.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn dropped(folder: &Folder, name: &str) -> Vec<(Example, String)> {
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        assert!(!line["reason"].as_str().unwrap().is_empty());
        (serde_json::from_value(line["example"].take()).unwrap(), line["filter"].as_str().unwrap().to_owned())
    };
    folder.read(name).lines().map(line).collect()
}

/// All files below a folder with their bytes.
fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(path).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            let below = files(&entry.path()).into_iter();
            found.extend(below.map(|(name, bytes)| (format!("{}/{name}", entry.file_name().display()), bytes)));
        } else {
            found.insert(entry.file_name().display().to_string(), std::fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn what_is_kept_is_right_readable_and_counted() {
    let folder = Folder::new();
    folder.write("c.toml", COLD);
    let said = folder.ruminate(&["run", "c.toml", "--out", "c"]).well();
    let (kept, dropped) = (examples(&folder, "c/cold/examples.jsonl"), dropped(&folder, "c/cold/dropped.jsonl"));
    assert_eq!(kept.len() + dropped.len(), 70 * 6, "every response is in one of the files");
    assert!(kept.len() > 10, "{}", kept.len());
    let mut by_problem: BTreeMap<&str, usize> = BTreeMap::new();
    for example in &kept {
        let verdict = grade_accuracy(&example.problem, example.response());
        assert_eq!(verdict.outcome, Outcome::Right, "{}: {}", example.response(), verdict.reason);
        assert_eq!(FormatForm::ThinkSummary.grade(example.response(), false).reward, 1.0, "{}", example.response());
        assert_eq!(example.verdicts["accuracy"].outcome, Outcome::Right);
        assert!(ruminate_rewards::language_share(example.response(), example.problem.language).is_none_or(|share| share >= 0.95));
        assert_eq!((example.messages.len(), &example.messages[0].content), (2, &example.problem.question));
        *by_problem.entry(&example.problem.id.0).or_default() += 1;
    }
    assert!(by_problem.values().all(|&n| n <= 2), "{by_problem:?}");

    // Many base completions have no form at all; rewriting mends some of them.
    let yields = folder.json("c/cold/yield.json");
    for (source, name) in yields["sources"].as_array().unwrap().iter().zip(["direct", "rewritten"]) {
        let n_dropped: u64 = source["dropped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        let n_kept = kept.iter().filter(|example| example.source == name).count() as u64;
        assert_eq!((&source["source"], &source["sampled"], &source["kept"]), (&json!(name), &json!(210), &json!(n_kept)));
        assert_eq!(n_kept + n_dropped, 210);
        for (filter, n) in source["dropped"].as_object().unwrap() {
            let n_found = dropped.iter().filter(|(example, of)| example.source == name && of == filter).count();
            assert_eq!(n, &json!(n_found), "{name} {filter}");
        }
    }
    assert!(yields["sources"][1]["kept"].as_u64() > Some(0), "{yields}");
    assert_eq!((&yields["n_prompts"], &yields["reviewed"], &yields["n_benchmark_problems"]), (&json!(70), &Value::Null, &json!(8)));
    assert!(dropped.iter().any(|(_, filter)| filter == "wrong"));
    assert!(said.err.contains("sampled") && said.err.contains("wrong") && said.err.contains("kept apart from 8 evaluation problems"));

    let summary = folder.json("c/summary.json");
    assert_eq!(summary["stages"][1]["examples"], json!({ "kept": kept.len(), "sampled": 420 }));
    let plan: Value = serde_json::from_str(&folder.ruminate(&["plan", "c.toml", "--json"]).well().out).unwrap();
    assert!(plan["stages"][1]["peak_bytes"]["sample"].as_u64() > Some(1 << 20), "{plan}");
    // On a GPU the policies that are asked have no master: 2 bytes a weight.
    let plan: Value = serde_json::from_str(&folder.ruminate(&["plan", "c.toml", "--json", "--memory", "80GiB"]).well().out).unwrap();
    let collect = &plan["stages"][1];
    assert_eq!(collect["memory"]["sample"]["weights"], 2 * collect["n_parameters"].as_u64().unwrap(), "{plan}");
}

#[test]
fn a_killed_stage_goes_on_and_ends_with_the_same_bytes() {
    let folder = Folder::new();
    folder.write("c.toml", COLD);
    folder.ruminate(&["run", "c.toml", "--out", "whole"]).well();
    for (file, n_lines) in [("direct/00000.jsonl", 1), ("direct/00002.drafts.jsonl", 1), ("rewritten/00001.jsonl", 1)] {
        let mut child = folder.spawn(&["run", "c.toml", "--out", "killed"]);
        folder.wait_for_lines(&format!("killed/cold/samples/{file}"), n_lines, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // What was sampled in an earlier sitting is used as it is.
    let first = folder.path().join("killed/cold/samples/direct/00000.jsonl");
    let sampled_at = std::fs::metadata(&first).unwrap().modified().unwrap();
    folder.ruminate(&["run", "c.toml", "--out", "killed"]).well();
    assert_eq!(std::fs::metadata(&first).unwrap().modified().unwrap(), sampled_at);
    for name in RESULTS {
        assert_eq!(folder.read(&format!("whole/{name}")), folder.read(&format!("killed/{name}")), "{name} differs");
    }
    assert!(files(&folder.path().join("whole/cold/samples")) == files(&folder.path().join("killed/cold/samples")));
}

#[test]
fn the_size_of_batches_changes_no_result() {
    let folder = Folder::new();
    folder.write("c.toml", COLD);
    folder.ruminate(&["run", "c.toml", "--out", "small"]).well();
    folder.ruminate(&["run", "c.toml", "--out", "large", "--set", "cold.max_batch=96"]).well();
    for name in RESULTS {
        assert_eq!(folder.read(&format!("small/{name}")), folder.read(&format!("large/{name}")), "{name} differs");
    }
    assert!(folder.path().join("small/cold/samples/direct/00002.jsonl").exists());
    assert!(!folder.path().join("large/cold/samples/direct/00001.jsonl").exists(), "70 problems fit one batch of 128");

    // A file that does not hold its whole batch is not taken for it.
    let file = "large/cold/samples/direct/00000.drafts.jsonl";
    let drafts = folder.read(file);
    folder.write(file, &drafts.split_inclusive('\n').take(96).collect::<String>());
    std::fs::remove_file(folder.path().join("large/cold/manifest.json")).unwrap();
    let args = ["run", "c.toml", "--out", "large", "--set", "cold.max_batch=96"];
    folder.ruminate(&args).failed(1, "expected responses to the 70 problems of this batch, found 32 of them and 0 others");
}

#[test]
fn worked_examples_stand_before_the_question() {
    let folder = Folder::new();
    let few_shot = COLD[..COLD.find("[[stage.source]]\nname").unwrap()]
        .replacen("method = \"direct\"", "method = \"few-shot\"", 1)
        .replace("instruction = \"\"\n", "");
    let few_shot = few_shot
        .replace("builtin:tiny", "model")
        .replace("n_prompts = 70", "n_prompts = 6")
        .replace("max_new_tokens = 60", "max_new_tokens = 12");
    folder.write("c.toml", &few_shot);
    // Random weights give nothing that is kept; what they say depends on what stands before the question.
    folder.ruminate(&["run", "c.toml", "--out", "built-in"]).failed(1, "the filters left no example");
    let turn = |role: &str, content: &str| json!({ "role": role, "content": content });
    let worked = json!({ "messages": [turn("user", "compute 2+3"), turn("assistant", "<think>first 2+3=5\nso 5</think>\n**answer:** 5")] });
    folder.write("worked.jsonl", &worked.to_string());
    folder.write("f.toml", &few_shot.replace("samples = 3", "samples = 3\nexamples = \"worked.jsonl\""));
    folder.ruminate(&["run", "f.toml", "--out", "file"]).failed(1, "the filters left no example");
    let samples = |run: &str| folder.read(&format!("{run}/cold/samples/few-shot/00000.jsonl"));
    assert_eq!((samples("built-in").lines().count(), samples("file").lines().count()), (18, 18));
    assert_ne!(samples("built-in"), samples("file"));
    assert!(samples("file").contains("\"text\":\"<think>"), "the response is made to begin with reasoning");

    folder.write("p.jsonl", "{\"question\": \"1 + 1 = ?\", \"answer\": \"#### 2\"}\n");
    let prompts = "prompts = [{ source = \"arithmetic\", difficulties = [1, 2] }]\nn_prompts";
    folder.write("f.toml", &few_shot.replace(prompts, "prompts = [{ data = \"p.jsonl\", split = \"all\" }]\nn_prompts"));
    let said = folder.ruminate(&["run", "f.toml", "--out", "none"]);
    said.failed(1, "examples: expected a file of worked examples for the problems of p.jsonl, found none");
}

#[test]
fn filters_that_leave_nothing_say_which_took_most_and_keep_everything() {
    let folder = Folder::new();
    // Random weights give no right answer in any form.
    folder.write("c.toml", &COLD.replace("builtin:tiny", "model").replace("n_prompts = 70", "n_prompts = 4"));
    let said = folder.ruminate(&["run", "c.toml", "--out", "c"]);
    said.failed(1, "stage 'cold': the filters left no example, most were dropped as 'truncated'");
    assert!(said.err.contains("source") && said.err.contains("sampled"), "{}", said.err);
    assert_eq!(dropped(&folder, "c/cold/dropped.jsonl").len(), 24);
    assert_eq!(folder.json("c/cold/yield.json")["sources"][0]["kept"], 0);
    assert_eq!(folder.read("c/cold/samples/direct/00000.jsonl").lines().count(), 12);
}

/// A server that answers every request by a script, given the body.
fn server(script: impl Fn(&Value) -> Option<String> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let script = Arc::new(script);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let script = script.clone();
            std::thread::spawn(move || answer(stream.unwrap(), script.as_ref()));
        }
    });
    url
}

fn answer(mut stream: TcpStream, script: &dyn Fn(&Value) -> Option<String>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let body = loop {
        let text = std::str::from_utf8(&request).unwrap_or_default();
        // The body is whole when its JSON is.
        if let Some(body) = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str::<Value>(body).ok()) {
            break body;
        }
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "the request ended early");
        request.extend_from_slice(&buffer[..n]);
    };
    let (status, body) = match script(&body) {
        Some(text) => {
            (200, json!({ "choices": [{ "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }] }).to_string())
        }
        None => (503, "{}".to_owned()),
    };
    let head =
        format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
}

fn problem(id: u32, kind: &str, gold: &Value) -> String {
    json!({ "id": format!("p/{id}"), "kind": kind, "question": format!("Question number {id}: what is the sky like?"), "gold": gold, "language": "en", "difficulty": null })
        .to_string()
        + "\n"
}

/// What a request asks for: its system message and the user's last turn.
fn asked(body: &Value) -> (String, String) {
    let messages = body["messages"].as_array().unwrap();
    let of = |role: &str| {
        messages.iter().rev().find(|message| message["role"] == role).map_or("", |message| message["content"].as_str().unwrap())
    };
    (of("system").to_owned(), of("user").to_owned())
}

#[test]
fn a_judge_or_teacher_that_is_down_pauses_and_nothing_is_asked_twice() {
    let folder = Folder::new();
    let judged = json!({ "type": "judged", "reference": "blue" });
    let open = json!({ "type": "open", "reasoning": "unwanted" });
    folder.write("p.jsonl", &((1..5).map(|id| problem(id, "sky", &judged)).chain([problem(5, "talk", &open)]).collect::<String>()));
    let (judge_is_up, teacher_is_up) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let n_taught = Arc::new(AtomicUsize::new(0));
    let url = server({
        let (judge_is_up, teacher_is_up, n_taught) = (judge_is_up.clone(), teacher_is_up.clone(), n_taught.clone());
        move |body| {
            let (system, user) = asked(body);
            if system.contains("ground truth") {
                let word = if user.contains("grey") { "wrong" } else { "right" };
                return judge_is_up.load(Ordering::SeqCst).then(|| format!("{{\"verdict\": \"{word}\", \"reason\": \"said so\"}}"));
            }
            if !teacher_is_up.load(Ordering::SeqCst) {
                return None;
            }
            n_taught.fetch_add(1, Ordering::SeqCst);
            let number = user.chars().find(char::is_ascii_digit).unwrap();
            assert_eq!(system.contains("Think first"), number != '5', "simple requests are answered without reasoning");
            let colour = if number == '2' { "grey" } else { "blue" };
            Some(format!(
                "<think>someone asks for number {number} and I look out of the window</think>\n\nIt is **{colour}** today, number {number}."
            ))
        }
    });
    let recipe = format!(
        "name = \"t\"\n[judge]\nurl = \"{url}\"\nmodel = \"m\"\ntries = 1\n[[stage]]\nid = \"talk\"\nkind = \"collect\"\n\
         prompts = [{{ data = \"p.jsonl\", split = \"all\" }}]\n[[stage.source]]\nmethod = \"teacher\"\nteacher = {{ url = \"{url}\", model = \"t\", tries = 1 }}\n"
    );
    folder.write("t.toml", &recipe);
    let run = || folder.ruminate(&["run", "t.toml", "--out", "t"]);
    run().failed(1, "when the teacher answers again, the same command goes on from here");
    assert!(!folder.path().join("t/talk/samples/teacher/00000.jsonl").exists());

    teacher_is_up.store(true, Ordering::SeqCst);
    let said = run();
    said.failed(1, "no verdict from the judge");
    assert!(said.err.contains("when the judge answers again, the same command goes on from here"), "{}", said.err);
    let samples = folder.read("t/talk/samples/teacher/00000.jsonl");
    assert_eq!((samples.lines().count(), n_taught.load(Ordering::SeqCst)), (5, 5));

    // The teacher may be gone by now: what it said is kept.
    teacher_is_up.store(false, Ordering::SeqCst);
    judge_is_up.store(true, Ordering::SeqCst);
    run().well();
    assert_eq!((folder.read("t/talk/samples/teacher/00000.jsonl"), n_taught.load(Ordering::SeqCst)), (samples, 5));
    let mut kept = examples(&folder, "t/talk/examples.jsonl");
    // A file is read in an order of its own.
    kept.sort_by(|a, b| a.problem.id.cmp(&b.problem.id));
    assert_eq!(kept.iter().map(|example| example.problem.id.0.as_str()).collect::<Vec<_>>(), ["p/1", "p/3", "p/4", "p/5"]);
    assert_eq!(kept[0].verdicts["accuracy"].reason, "judge: said so");
    assert_eq!(kept[3].response(), "It is **blue** today, number 5.", "no reasoning for a simple request");
    assert_eq!(dropped(&folder, "t/talk/dropped.jsonl")[0].1, "wrong");
    let yields = folder.json("t/talk/yield.json");
    assert_eq!((&yields["n_reasoning"], &yields["n_general"]), (&json!(3), &json!(1)));
}

#[test]
fn a_teacher_rewrites_what_is_right_and_is_graded_again() {
    let folder = Folder::new();
    let n_rewritten = Arc::new(AtomicUsize::new(0));
    let url = server({
        let n_rewritten = n_rewritten.clone();
        move |body| {
            let (system, user) = asked(body);
            assert!(system.contains("Write them anew") && user.contains("Notes:\n<think>"), "{user}");
            let n = n_rewritten.fetch_add(1, Ordering::SeqCst);
            // Every third answer is spoilt on the way.
            let answer = if n % 3 == 2 {
                "123456".to_owned()
            } else {
                user.rsplit(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty()).unwrap().to_owned()
            };
            Some(format!(
                "<think>Let us work this out with care, case number {n}, which gives what we want.</think>\n\n**Answer:** {answer}"
            ))
        }
    });
    let recipe = COLD[..COLD.find("[[stage.source]]").unwrap()]
        .replace("n_prompts = 70", "n_prompts = 40")
        .replace("[1, 2] }]\nn_prompts", "[1, 2], languages = [\"en\"] }]\nn_prompts");
    let source =
        format!("[[stage.source]]\nmethod = \"rewrite\"\npolicy = \"base\"\nby = {{ url = \"{url}\", model = \"t\", concurrency = 1 }}\n");
    folder.write("c.toml", &format!("{recipe}{source}"));
    folder.ruminate(&["run", "c.toml", "--out", "c", "--set", "cold.near_duplicate=false"]).well();
    let kept = examples(&folder, "c/cold/examples.jsonl");
    assert!(kept.len() > 3 && kept.iter().all(|example| example.response().contains("Let us work this out with care")));
    let spoilt = dropped(&folder, "c/cold/dropped.jsonl").into_iter().filter(|(example, _)| example.response().contains("123456"));
    let filters: Vec<String> = spoilt.map(|(_, filter)| filter).collect();
    assert!(filters.len() == n_rewritten.load(Ordering::SeqCst) / 3 && filters.iter().all(|filter| filter == "wrong"), "{filters:?}");
}

const TALK: &str = r#"
name = "d"
[[stage]]
id = "talk"
kind = "collect"
review = true
[[stage.source]]
method = "dataset"
data = "talk.jsonl"
"#;

fn talk(user: &str, assistant: &str) -> String {
    json!({ "messages": [{ "role": "user", "content": user }, { "role": "assistant", "content": assistant }] }).to_string() + "\n"
}

#[test]
fn decisions_of_reviewers_are_used_and_nonsense_is_refused_by_name() {
    let folder = Folder::new();
    let talks =
        [("Hello", "Hello to you"), ("Who are you?", "A small model"), ("How are you?", "Very well today"), ("Hello", "Hello to you")];
    folder.write("talk.jsonl", &talks.map(|(user, assistant)| talk(user, assistant)).concat());
    folder.write("d.toml", TALK);
    let run = || folder.ruminate(&["run", "d.toml", "--out", "d"]);
    let said = run().well();
    assert!(said.err.contains("nobody has reviewed the 3 examples") && said.err.contains("ruminate review d/talk"), "{}", said.err);
    assert_eq!(dropped(&folder, "d/talk/dropped.jsonl")[0].1, "duplicate");
    let ids: Vec<String> = examples(&folder, "d/talk/examples.jsonl").into_iter().map(|example| example.id).collect();
    assert_eq!(ids, ["dataset/talk/1", "dataset/talk/2", "dataset/talk/3"]);

    let decide = |id: &str, rest: &str| {
        format!("{{\"version\": 1, \"decisions\": {{\"{id}\": {{{rest}, \"reviewer\": \"ada\", \"at_unix_secs\": 1}}}}}}")
    };
    for (text, expected) in [
        ("accept all".to_owned(), "review.json is damaged"),
        (decide(&ids[0], "\"decision\": \"edit\""), "expected messages with an edit, found none"),
        (decide("talk/9", "\"decision\": \"reject\""), "found one about 'talk/9', which is not there"),
    ] {
        folder.write("d/talk/review.json", &text);
        let said = run();
        said.failed(1, expected);
        assert!(said.err.contains("d/talk/review.json"), "{}", said.err);
        assert_eq!(folder.read("d/talk/review.json"), text, "nothing is lost");
    }
    folder.write("d/talk/review.json", &decide(&ids[1], "\"decision\": \"reject\""));
    let said = run().well();
    assert!(said.err.contains("1 rejected, 2 not decided: 2 are learned from"), "{}", said.err);
    assert_eq!(
        folder.json("d/talk/yield.json")["reviewed"],
        json!({ "accepted": 0, "rejected": 1, "edited": 0, "edited_wrong": 0, "unseen": 2 })
    );
    let all = ids.iter().map(|id| format!("\"{id}\": {{\"decision\": \"reject\", \"reviewer\": \"a\", \"at_unix_secs\": 1}}"));
    folder.write("d/talk/review.json", &format!("{{\"version\": 1, \"decisions\": {{{}}}}}", all.collect::<Vec<_>>().join(",")));
    run().failed(1, "reviewers rejected every example");
}

#[test]
fn mistakes_in_a_collecting_stage_are_usage_errors() {
    let folder = Folder::new();
    folder.write("talk.jsonl", &talk("Hello", "Hi"));
    for (from, to, message) in [
        ("method = \"direct\"", "method = \"direkt\"", "stage 'cold', source 1: unknown method 'direkt'; did you mean 'direct'?"),
        ("method = \"direct\"\npolicy = \"base\"", "method = \"direct\"", "expected the policy of a stage or a teacher, found neither"),
        ("policy = \"base\"", "policy = \"bass\"", "unknown stage 'bass'; did you mean 'base'?"),
        ("policy = \"base\"", "polisy = \"base\"", "unknown key 'polisy'; did you mean 'policy'?"),
        ("name = \"rewritten\"", "name = \"direct\"", "'direct' is used twice; give one of the sources another name"),
        ("n_prompts = 70\n", "", "stage 'cold': missing key 'n_prompts'"),
        ("per_prompt = 2", "per_promt = 2", "unknown key 'per_promt'; did you mean 'per_prompt'?"),
        ("per_prompt = 2", "filters = { langage = 0.9 }", "stage 'cold', 'filters': unknown key 'langage'; did you mean 'language'?"),
        ("per_prompt = 2", "filters = { language = 2 }", "expected a number from 0 to 1, found 2"),
        ("per_prompt = 2", "decontaminate = 1", "expected a number of words from 2 to 1000, true or false, found 1"),
        ("template = \"tiny\"\nper", "per", "stage 'cold': missing key 'template'"),
        ("method = \"direct\"\npolicy = \"base\"", "method = \"direct\"\nteacher = { model = \"m\" }", "'teacher': missing key 'url'"),
    ] {
        assert!(COLD.contains(from), "{from}");
        folder.write("c.toml", &COLD.replacen(from, to, 1));
        folder.ruminate(&["run", "c.toml", "--dry-run"]).failed(2, message);
    }
    folder.write("d.toml", &TALK.replace("review = true", "prompts = [\"arithmetic\"]"));
    folder.ruminate(&["run", "d.toml", "--dry-run"]).failed(2, "no source asks anybody, data sets have problems of their own");
    folder.write("d.toml", &format!("{TALK}[[stage]]\nid = \"zero\"\nkind = \"grpo\"\npolicy = \"talk\"\npreset = \"r1-zero\"\ntemplate = \"tiny\"\nprompts = [\"logic\"]\nsteps = 1\n"));
    folder
        .ruminate(&["run", "d.toml", "--dry-run"])
        .failed(2, "stage 'talk': expected a stage that makes a policy, found one of kind collect");
    folder.write("d.toml", &TALK.replace("talk.jsonl", "builtin:general"));
    folder.ruminate(&["run", "d.toml", "--dry-run"]).failed(2, "source 1: missing key 'limit'");
    folder.write("d.toml", TALK);
    folder.write("talk.jsonl", "{\"messages\": []}\n");
    folder.ruminate(&["run", "d.toml", "--dry-run"]).failed(1, "talk.jsonl:1: expected a conversation, found no turn");
}
