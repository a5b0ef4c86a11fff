//! `pretrain` and `grpo` stages: they learn, they go on after a kill, and they stop before weights are spoilt.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::util::Folder;

const PRETRAIN: &str = r#"
name = "t"
seed = 5
[[stage]]
id = "base"
kind = "pretrain"
shape = "tiny"
tokens = 40_000
batch_tokens = 2048
learning_rate = 3e-3
save_every = 3
"#;

const GRPO: &str = r#"
name = "g"
seed = 5
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
prompts = ["arithmetic", "countdown", "logic"]
steps = 12
prompts_per_step = 3
group_size = 4
minibatches = 2
max_new_tokens = 24
learning_rate = 1e-2
save_every = 2
reference_refresh_steps = 4
evaluate_every = 4
# Random weights are never right, but some of their characters are Chinese.
rewards = { accuracy = 1.0, format = 1.0, language = 1.0 }
"#;

pub(crate) fn metrics(folder: &Folder, name: &str) -> Vec<serde_json::Map<String, Value>> {
    folder.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All figures but times.
pub(crate) fn learned(folder: &Folder, name: &str) -> Vec<serde_json::Map<String, Value>> {
    let mut lines = metrics(folder, name);
    lines.iter_mut().for_each(|line| line.retain(|key, _| !key.starts_with("seconds/")));
    lines
}

pub(crate) fn bytes(folder: &Folder, name: &str) -> Vec<u8> {
    std::fs::read(folder.path().join(name)).unwrap()
}

/// Starts the program, kills it without warning once `metrics` has `n_lines` lines, and says how many it had in the end.
pub(crate) fn kill_after(folder: &Folder, args: &[&str], metrics: &str, n_lines: usize) -> usize {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ruminate"));
    let mut child = command.args(args).current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    let count = || std::fs::read_to_string(folder.path().join(metrics)).map_or(0, |text| text.lines().count());
    while count() < n_lines {
        assert!(child.try_wait().unwrap().is_none(), "the program ended before it could be killed");
        assert!(Instant::now() < deadline, "no progress");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    count()
}

#[test]
fn pretraining_lowers_the_loss_and_ends_with_the_same_bytes_after_a_kill() {
    let folder = Folder::new();
    folder.write("t.toml", PRETRAIN);
    folder.ruminate(&["run", "t.toml", "--out", "whole"]).well();
    let whole = metrics(&folder, "whole/base/metrics.jsonl");
    assert_eq!(whole.len(), 20);
    let loss = |line: &serde_json::Map<String, Value>| line["pretrain/loss"].as_f64().unwrap();
    // ln 387 is 5.96: the loss of knowing nothing.
    assert!((loss(&whole[0]) - 5.96).abs() < 0.2, "{}", loss(&whole[0]));
    assert!(loss(&whole[19]) < 4.5, "{}", loss(&whole[19]));

    let n_lines = kill_after(&folder, &["run", "t.toml", "--out", "killed"], "killed/base/metrics.jsonl", 7);
    assert!(n_lines < 20, "it was killed on the way");
    folder.ruminate(&["run", "t.toml", "--out", "killed"]).well();
    assert_eq!(learned(&folder, "killed/base/metrics.jsonl"), learned(&folder, "whole/base/metrics.jsonl"));
    assert!(bytes(&folder, "killed/base/checkpoint/model.safetensors") == bytes(&folder, "whole/base/checkpoint/model.safetensors"));
}

#[test]
fn grpo_learns_on_policy_and_keeps_every_completion() {
    let folder = Folder::new();
    folder.write("g.toml", GRPO);
    folder.ruminate(&["run", "g.toml", "--out", "g"]).well();
    assert!(bytes(&folder, "g/zero/checkpoint/model.safetensors") != bytes(&folder, "model/model.safetensors"), "it did learn");
    let lines = metrics(&folder, "g/zero/metrics.jsonl");
    assert_eq!(lines.iter().map(|line| line["step"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 2, 4, 6, 8, 10], "two steps a round");
    for line in &lines {
        assert_eq!(line["rl/mismatch_max"], 0.0, "sampling and training agree to the bit on the CPU");
    }
    assert!(lines[0].get("eval/pass@1").is_none());
    assert!(lines[1]["eval/pass@1"].as_f64().is_some() && lines[3]["eval/pass@1"].as_f64().is_some(), "evaluate_every = 4");
    assert!(lines[1]["eval/pass@1_lo"].as_f64() <= lines[1]["eval/pass@1_hi"].as_f64());
    // Every completion of every round is kept: 6 prompts x 4.
    let groups = folder.read("g/zero/rollouts/step-00010.jsonl");
    assert_eq!(groups.lines().count(), 6);
    let group: ruminate_core::RolloutGroup = serde_json::from_str(groups.lines().next().unwrap()).unwrap();
    assert_eq!((group.rollouts.len(), group.rollouts[0].completion.policy_version.0), (4, 10));
}

#[test]
fn without_advantages_nothing_is_learned() {
    let folder = Folder::new();
    folder.write("g.toml", GRPO);
    let control = ["--set", "zero.control=zero-advantage", "--set", "zero.kl=none", "--set", "zero.kl_coef=0"];
    folder.ruminate(&[["run", "g.toml", "--out", "control"].as_slice(), &control].concat()).well();
    assert!(bytes(&folder, "control/zero/checkpoint/model.safetensors") == bytes(&folder, "model/model.safetensors"));
}

#[test]
fn shuffled_rewards_move_the_policy_elsewhere() {
    let folder = Folder::new();
    folder.write("g.toml", GRPO);
    folder.ruminate(&["run", "g.toml", "--out", "learns"]).well();
    folder.ruminate(&["run", "g.toml", "--out", "control", "--set", "zero.control=shuffled-rewards"]).well();
    let (learns, control) = (metrics(&folder, "learns/zero/metrics.jsonl"), metrics(&folder, "control/zero/metrics.jsonl"));
    assert_eq!(learns[0]["rl/reward_mean"], control[0]["rl/reward_mean"], "the same completions earn the same");
    let weights = |run: &str| bytes(&folder, &format!("{run}/zero/checkpoint/model.safetensors"));
    assert!(weights("control") != weights("learns") && weights("control") != bytes(&folder, "model/model.safetensors"));
}

#[test]
fn every_preset_runs() {
    let folder = Folder::new();
    folder.write("g.toml", GRPO);
    for preset in ["r1", "dapo", "dr-grpo", "gspo", "cispo", "rloo"] {
        let preset_key = format!("zero.preset={preset}");
        // Random weights earn nothing, and dynamic sampling would wait for a group that does.
        let args =
            ["run", "g.toml", "--out", preset, "--set", &preset_key, "--set", "zero.dynamic_sampling=false", "--set", "zero.steps=2"];
        folder.ruminate(&args).well();
        assert_eq!(metrics(&folder, &format!("{preset}/zero/metrics.jsonl")).len(), 1, "{preset}");
    }
    let dynamic = ["run", "g.toml", "--out", "dynamic", "--set", "zero.preset=dapo", "--set", "zero.rewards.language=0"];
    folder.ruminate(&dynamic).failed(1, "dynamic sampling: expected groups with right and wrong completions, found none among");
}

#[test]
fn dynamic_sampling_keeps_every_completion_and_trains_on_what_it_found() {
    let folder = Folder::new();
    // The tiny base model is right now and then, so that some groups teach and some do not.
    folder.write("g.toml", &GRPO.replace("path = \"model\"", "path = \"builtin:tiny\""));
    let args = ["run", "g.toml", "--out", "d", "--set", "zero.preset=dapo", "--set", "zero.steps=1", "--set", "zero.minibatches=1"];
    folder
        .ruminate(
            &[
                args.as_slice(),
                &["--set", "zero.prompts_per_step=8", "--set", "zero.max_new_tokens=60", "--set", "zero.importance_cap=2.0"],
            ]
            .concat(),
        )
        .well();
    let line = &metrics(&folder, "d/zero/metrics.jsonl")[0];
    assert_eq!(
        (&line["rl/optimizer_steps"], &line["rl/mismatch_kl"]),
        (&1.0.into(), &0.0.into()),
        "old and rollout log-probabilities agree"
    );
    let groups: Vec<ruminate_core::RolloutGroup> =
        folder.read("d/zero/rollouts/step-00000.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let teaches = |group: &ruminate_core::RolloutGroup| {
        let n_right = group.rollouts.iter().filter(|rollout| rollout.verdicts["accuracy"].reward == 1.0).count();
        (1..group.rollouts.len()).contains(&n_right)
    };
    let n_teaching = groups.iter().filter(|group| teaches(group)).count();
    assert!(n_teaching == 8 && groups.len() > 8, "{n_teaching} of {} groups teach; 8 are wanted", groups.len());
    assert!(groups[..8].iter().all(teaches), "those that were trained come first");
}

#[test]
fn nan_weights_stop_the_run_and_name_step_and_problem() {
    let folder = Folder::new();
    folder.write("g.toml", GRPO);
    let path = folder.path().join("model/model.safetensors");
    let mut model = std::fs::read(&path).unwrap();
    let end = model.len();
    model[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, &model).unwrap();
    let said = folder.ruminate(&["run", "g.toml"]);
    said.failed(1, "expected a finite log-probability, found NaN");
    assert!(said.err.contains("sampling problem") && said.err.contains("policy of step 0"), "{}", said.err);
    assert!(!folder.path().join("runs/g/zero/checkpoint").exists());
}
