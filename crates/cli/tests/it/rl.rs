//! What a `grpo` stage remembers, how long it goes on, and when it stops early.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::training::{bytes, kill_after, learned, metrics};
use crate::util::Folder;

const RECIPE: &str = r#"
name = "r"
seed = 4
[[stage]]
id = "base"
kind = "load"
path = "model"
[[stage]]
id = "zero"
kind = "grpo"
policy = "base"
preset = "r1"
template = "tiny"
prompts = [{ source = "arithmetic", difficulties = [1, 2], weight = 3.0 }, { data = "sums.jsonl", split = "all" }]
rewards = { accuracy = 1.0, format = 1.0, language = 1.0 }
steps = 12
prompts_per_step = 4
group_size = 2
minibatches = 2
max_new_tokens = 12
learning_rate = 1e-2
save_every = 2
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("r.toml", RECIPE);
    let line = |i: u32| serde_json::json!({"question": format!("{i}+{i}=?"), "answer": format!("#### {}", 2 * i)}).to_string() + "\n";
    folder.write("sums.jsonl", &(1..9).map(line).collect::<String>());
    folder
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("expected a number, found {value}"))
}

/// Problems of a round by kind.
fn kinds(folder: &Folder, name: &str) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for line in folder.read(name).lines() {
        let group: ruminate_core::RolloutGroup = serde_json::from_str(line).unwrap();
        *kinds.entry(group.problem.kind).or_default() += 1;
    }
    kinds
}

#[test]
fn what_is_known_of_problems_is_kept_across_kills_and_proportions_hold() {
    let folder = folder();
    let args = |out| ["run", "r.toml", "--set", "zero.difficulty_memory={looks=2}", "--out", out];
    folder.ruminate(&args("whole")).well();
    let lines = metrics(&folder, "whole/zero/metrics.jsonl");
    let hopeless: Vec<f64> = lines.iter().map(|line| number(&line["rl/hopeless_share"])).collect();
    // Random weights are never right: all that was looked at twice is hopeless.
    assert_eq!(hopeless[0], 0.0);
    assert!(hopeless[2] > 0.3, "{hopeless:?}");
    assert!(lines.iter().all(|line| line["rl/solved_share"] == 0.0));
    let memory = folder.json("whole/zero/state/difficulty.json");
    let cells = memory.as_object().unwrap().keys().filter(|key| key.starts_with("arithmetic/")).count();
    assert_eq!(cells, 4, "two difficulties in two languages: {memory}");
    assert!(memory.as_object().unwrap().values().all(|record| record["pass_rate"] == 0.0));
    for step in [0, 4, 10] {
        let found = kinds(&folder, &format!("whole/zero/rollouts/step-{step:05}.jsonl"));
        assert_eq!(found, BTreeMap::from([("arithmetic".to_owned(), 6), ("sums".to_owned(), 2)]), "step {step}");
    }

    for n_lines in [1, 4] {
        assert!(kill_after(&folder, &args("killed"), "killed/zero/metrics.jsonl", n_lines) < 6, "it was killed on the way");
    }
    folder.ruminate(&args("killed")).well();
    assert_eq!(learned(&folder, "killed/zero/metrics.jsonl"), learned(&folder, "whole/zero/metrics.jsonl"));
    for line in metrics(&folder, "whole/zero/metrics.jsonl") {
        for phase in ["rollout", "reward", "train", "record"] {
            let seconds = line[&format!("seconds/{phase}")].as_f64().unwrap();
            assert!((0.0..100.0).contains(&seconds), "{phase}: {seconds}");
        }
    }
    for name in ["checkpoint/model.safetensors", "state/state.safetensors", "state/difficulty.json", "rollouts/step-00010.jsonl"] {
        assert!(bytes(&folder, &format!("killed/zero/{name}")) == bytes(&folder, &format!("whole/zero/{name}")), "{name}");
    }
}

const COMPUTE: &str = r#"
[[stage]]
id = "tuned"
kind = "sft"
policy = "base"
template = "tiny"
examples = [{ data = "talks.jsonl" }]
epochs = 20
batch_examples = 4
learning_rate = 1e-3
held_out = 0
"#;

#[test]
fn reinforcement_learning_can_spend_what_another_stage_spent() {
    let folder = folder();
    let talk = |i: u32| {
        serde_json::json!({"messages": [{"role": "user", "content": format!("{i}+1=?")}, {"role": "assistant", "content": format!("{}", i + 1)}]})
            .to_string()
            + "\n"
    };
    folder.write("talks.jsonl", &(1..25).map(talk).collect::<String>());
    folder.write("c.toml", &(RECIPE.replace("steps = 12", "compute_of = \"tuned\"") + COMPUTE));
    let args = |out| ["run", "c.toml", "--out", out];
    folder.ruminate(&args("whole")).well();
    let lines = metrics(&folder, "whole/zero/metrics.jsonl");
    let flops = |stage: &str| number(&folder.json(&format!("whole/{stage}/manifest.json"))["flops"]);
    let last = number(&lines.last().unwrap()["compute/flops"]);
    assert!(lines.len() > 2, "{} rounds", lines.len());
    assert!((flops("tuned")..flops("tuned") + last).contains(&flops("zero")), "{} for {}", flops("zero"), flops("tuned"));
    let sampling = number(&folder.json("whole/zero/manifest.json")["sampling_flops"]);
    assert!(0.0 < sampling && sampling < flops("zero"));
    assert_eq!(flops("base"), 0.0);

    assert!(kill_after(&folder, &args("killed"), "killed/zero/metrics.jsonl", 2) < lines.len(), "it was killed on the way");
    folder.ruminate(&args("killed")).well();
    assert_eq!(learned(&folder, "killed/zero/metrics.jsonl"), learned(&folder, "whole/zero/metrics.jsonl"));
    assert!(bytes(&folder, "killed/zero/checkpoint/model.safetensors") == bytes(&folder, "whole/zero/checkpoint/model.safetensors"));

    folder.ruminate(&["run", "c.toml", "--out", "b", "--set", "zero.steps=4"]).well();
    assert_eq!(metrics(&folder, "b/zero/metrics.jsonl").len(), 2, "steps are an upper bound");
    folder.write("l.toml", &RECIPE.replace("steps = 12", "compute_of = \"base\""));
    folder.ruminate(&["run", "l.toml", "--out", "l"]).failed(1, "compute_of: expected a stage that trains, found 'base'");
    folder.write("n.toml", &RECIPE.replace("steps = 12", ""));
    folder.ruminate(&["run", "n.toml"]).failed(2, "missing key 'steps'");
    for (set, expected) in [
        ("zero.difficulty_memory={rare=0.0}", "'rare': expected a number in (0, 1], found 0"),
        ("zero.difficulty_memory={look=3}", "unknown key 'look'; did you mean 'looks'?"),
        ("zero.difficulty_memory=3", "expected true, false or a table, found integer"),
        ("zero.stop_on_hacking={window=1}", "'window': expected a number >= 2, found 1"),
        ("zero.preference_from=1.5", "'preference_from': expected a number from 0 to 1, found 1.5"),
    ] {
        folder.ruminate(&["run", "r.toml", "--set", set]).failed(2, expected);
    }
}

#[test]
fn a_stage_whose_reward_is_hacked_stops_with_the_policy_from_before() {
    let folder = folder();
    // A reward for being wrong in the right form: accuracy falls while the form rises.
    let recipe = RECIPE.replace("path = \"model\"", "path = \"builtin:tiny\"").replace("preset = \"r1\"", "preset = \"r1-zero\"");
    folder.write(
        "h.toml",
        &recipe.replace("rewards = { accuracy = 1.0, format = 1.0, language = 1.0 }", "rewards = { accuracy = -1.0, format = 1.0 }"),
    );
    let args = |out| {
        [
            "run",
            "h.toml",
            "--out",
            out,
            "--set",
            "zero.stop_on_hacking={window=8}",
            "--set",
            "zero.steps=80",
            "--set",
            "zero.minibatches=1",
            "--set",
            "zero.prompts_per_step=8",
            "--set",
            "zero.group_size=8",
            "--set",
            "zero.max_new_tokens=60",
            "--set",
            "zero.learning_rate=2e-4",
            "--set",
            "zero.save_every=3",
            "--set",
            "zero.prompts=[{source='arithmetic',difficulties=[1]}]",
        ]
    };
    let said = folder.ruminate(&args("whole")).well();
    let stopped = folder.json("whole/zero/stopped.json");
    let (rounds, kept) = (stopped["rounds"].as_u64().unwrap(), stopped["kept_round"].as_u64().unwrap());
    let lines = metrics(&folder, "whole/zero/metrics.jsonl");
    assert_eq!((lines.len() as u64, &stopped["reason"], &stopped["component"]), (rounds, &"reward_hacking".into(), &"format".into()));
    assert!(rounds < 80 && kept + 8 <= rounds && kept + 16 > rounds, "{stopped}");
    assert!(number(&stopped["fall"]) < 0.0 && number(&stopped["rise"]) > 0.0);
    assert!(said.err.contains("reward hacking; the policy is the one after round"), "{}", said.err);
    let kept_file = format!("whole/zero/state/kept/round-{kept:05}/model.safetensors");
    assert!(bytes(&folder, "whole/zero/checkpoint/model.safetensors") == bytes(&folder, &kept_file));
    assert_eq!(folder.json("whole/zero/manifest.json")["state"], "done");

    assert!((kill_after(&folder, &args("killed"), "killed/zero/metrics.jsonl", 6) as u64) < rounds, "it was killed on the way");
    folder.ruminate(&args("killed")).well();
    assert_eq!(folder.json("killed/zero/stopped.json"), stopped);
    assert!(bytes(&folder, "killed/zero/checkpoint/model.safetensors") == bytes(&folder, "whole/zero/checkpoint/model.safetensors"));
    // A kill after it stopped: nothing is trained again.
    let manifest = folder.read("killed/zero/manifest.json").replace("\"done\"", "\"running\"");
    folder.write("killed/zero/manifest.json", &manifest);
    let said = folder.ruminate(&args("killed")).well();
    assert!(said.err.contains("zero: stopped after"), "{}", said.err);
    assert_eq!(metrics(&folder, "killed/zero/metrics.jsonl").len() as u64, rounds);
}
