//! Runs that are interrupted: killed, stopped by Ctrl-C, started twice.

use std::process::Command;

use crate::util::{Folder, Said};

const RECIPE: &str = r#"
name = "t"
seed = 3
[evaluation]
n_problems = 6
samples = 1
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
prompts = [{ source = "arithmetic", difficulties = [1, 2] }, "logic"]
rewards = { accuracy = 1.0, format = 1.0, language = 0.5 }
steps = 8
prompts_per_step = 2
group_size = 4
minibatches = 1
max_new_tokens = 16
learning_rate = 1e-2
reference_refresh_steps = 3
save_every = 2
"#;

const RESULTS: [&str; 4] =
    ["zero/checkpoint/model.safetensors", "zero/rollouts/step-00007.jsonl", "zero/evaluation.jsonl", "base/evaluation.jsonl"];

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("t.toml", RECIPE);
    folder
}

fn same_results(folder: &Folder, a: &str, b: &str) {
    for name in RESULTS {
        let bytes = |run: &str| std::fs::read(folder.path().join(run).join(name)).unwrap();
        assert!(bytes(a) == bytes(b), "{name} differs");
    }
}

/// The figures of `metrics.jsonl` that are not times.
fn metrics(folder: &Folder, run: &str) -> Vec<serde_json::Value> {
    let timeless = |line: &str| {
        let mut line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        line.retain(|key, _| !key.starts_with("seconds/"));
        line.into()
    };
    folder.read(&format!("{run}/zero/metrics.jsonl")).lines().map(timeless).collect()
}

#[test]
fn a_killed_run_goes_on_and_ends_with_the_same_bytes() {
    let folder = folder();
    folder.ruminate(&["run", "t.toml", "--out", "whole"]).well();
    for n_lines in [1, 4, 5] {
        let mut child = folder.spawn(&["run", "t.toml", "--out", "killed"]);
        folder.wait_for_lines("killed/zero/metrics.jsonl", n_lines, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let said = folder.ruminate(&["run", "t.toml", "--out", "killed"]).well();
    assert!(said.err.contains("base: done before, skipped"), "{}", said.err);
    same_results(&folder, "whole", "killed");
    assert_eq!(metrics(&folder, "whole"), metrics(&folder, "killed"));

    let summary = folder.json("killed/summary.json");
    let zero = &summary["stages"][1];
    assert_eq!((&zero["steps"], &zero["policy"]), (&8.into(), &"zero/checkpoint".into()));
    for (key, found) in [("first", &zero["response_length"]["first"]), ("last", &zero["response_length"]["last"])] {
        assert!(found.as_f64().is_some_and(|tokens| tokens >= 1.0), "{key}: {found}");
    }
    for phase in ["rollout", "reward", "train", "evaluate"] {
        assert!(zero["phase_seconds"][phase].as_f64().is_some_and(|seconds| seconds > 0.0), "{phase}");
    }
    // What training wrote can be used like any other model, by its stage.
    folder.write("p.jsonl", "{\"question\": \"1 + 1 = ?\", \"answer\": \"#### 2\"}\n");
    folder.ruminate(&["eval", "killed/zero", "--data", "p.jsonl", "--max-new-tokens", "4"]).well();
}

#[test]
fn control_c_leaves_a_run_that_goes_on() {
    let folder = folder();
    let mut child = folder.spawn(&["run", "t.toml"]);
    folder.wait_for_lines("runs/t/zero/metrics.jsonl", 2, &mut child);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    Said::of(child).failed(130, "interrupted");
    assert!(!folder.path().join("runs/t/summary.json").exists());
    folder.ruminate(&["run", "t.toml"]).well();
    assert_eq!(metrics(&folder, "runs/t").len(), 8);
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let folder = folder();
    let mut child = folder.spawn(&["run", "t.toml", "--set", "zero.steps=2000"]);
    folder.wait_for_lines("runs/t/zero/metrics.jsonl", 1, &mut child);
    folder.ruminate(&["run", "t.toml", "--set", "zero.steps=2000"]).failed(1, "runs/t is in use by another process");
    child.kill().unwrap();
    child.wait().unwrap();
}
