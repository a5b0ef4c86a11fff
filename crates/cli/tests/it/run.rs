//! `ruminate run`.

use crate::util::Folder;

const RECIPE: &str = r#"
name = "t"
seed = 3
[evaluation]
template = "tiny"
prompts = ["arithmetic", { source = "logic", weight = 0.5 }]
n_problems = 9
samples = 2
max_new_tokens = 12
[[stage]]
id = "base"
kind = "load"
path = "model"
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("t.toml", RECIPE);
    folder
}

#[test]
fn a_run_leaves_its_record_and_is_skipped_when_done() {
    let folder = folder();
    let said = folder.ruminate(&["run", "t.toml", "--json"]).well();
    let summary: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(summary, folder.json("runs/t/summary.json"));
    assert_eq!((&summary["recipe"], &summary["seed"]), (&"t".into(), &3.into()));
    let stage = &summary["stages"][0];
    assert_eq!((&stage["id"], &stage["kind"], &stage["steps"]), (&"base".into(), &"load".into(), &serde_json::Value::Null));
    assert_eq!((&stage["pass_at_1"]["n_problems"], &stage["pass_at_1"]["k"]), (&9.into(), &2.into()));
    assert!(stage["phase_seconds"]["evaluate"].as_f64().unwrap() > 0.0);
    assert!(summary["peak_bytes"].as_u64().unwrap() > 1 << 20);

    let groups: Vec<ruminate_core::RolloutGroup> =
        folder.read("runs/t/base/evaluation.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(groups.len(), 9);
    for group in &groups {
        assert!(group.problem.id.0.contains("held-out"), "{}", group.problem.id);
        assert_eq!(group.rollouts.len(), 2);
        for rollout in &group.rollouts {
            assert!((1..=12).contains(&rollout.completion.token_ids.len()));
            assert_eq!(rollout.completion.token_ids.len(), rollout.completion.rollout_logprobs.len());
            assert_eq!(rollout.verdicts.keys().collect::<Vec<_>>(), ["accuracy", "format", "language"]);
        }
    }
    assert_eq!(folder.json("runs/t/base/manifest.json")["state"], "done");
    assert_eq!(folder.json("runs/t/manifest.json")["seed"], 3);

    let again = folder.ruminate(&["run", "t.toml"]).well();
    assert!(again.err.contains("base: done before, skipped"), "{}", again.err);
    assert!(again.out.contains("base") && again.out.contains("evaluate"), "{}", again.out);
}

#[test]
fn the_same_seed_gives_the_same_rollouts_and_another_gives_others() {
    let folder = folder();
    for (out, seed) in [("a", "3"), ("b", "3"), ("c", "4")] {
        folder.ruminate(&["run", "t.toml", "--out", out, "--seed", seed]).well();
    }
    let rollouts = |out: &str| folder.read(&format!("{out}/base/evaluation.jsonl"));
    assert_eq!(rollouts("a"), rollouts("b"));
    assert_ne!(rollouts("a"), rollouts("c"));
}

#[test]
fn a_model_that_changed_makes_its_stage_start_over_and_another_recipe_is_refused() {
    let folder = folder();
    folder.ruminate(&["run", "t.toml"]).well();
    let before = folder.read("runs/t/base/evaluation.jsonl");
    folder.save_model("model", 2);
    let said = folder.ruminate(&["run", "t.toml"]).well();
    assert!(said.err.contains("base: its inputs have changed since it ran, starting over"), "{}", said.err);
    assert_ne!(folder.read("runs/t/base/evaluation.jsonl"), before);
    assert_eq!(folder.read("runs/t/base.before-1/evaluation.jsonl"), before, "nothing is lost");

    let said = folder.ruminate(&["run", "t.toml", "--set", "evaluation.samples=3"]);
    said.failed(1, "runs/t holds a run of another recipe: evaluation.samples is 2 there, 3 now; give another directory with --out");
}

#[test]
fn an_interrupted_evaluation_is_done_again_with_the_same_result() {
    let folder = folder();
    folder.ruminate(&["run", "t.toml"]).well();
    let (figures, rollouts) = (folder.json("runs/t/base/evaluation.json"), folder.read("runs/t/base/evaluation.jsonl"));
    // As a kill between the two files leaves it.
    let manifest = folder.read("runs/t/base/manifest.json").replace("\"done\"", "\"running\"");
    folder.write("runs/t/base/manifest.json", &manifest);
    std::fs::remove_file(folder.path().join("runs/t/base/evaluation.json")).unwrap();
    folder.write("runs/t/base/evaluation.jsonl.partial", "{\"torn");
    folder.ruminate(&["run", "t.toml"]).well();
    assert_eq!(folder.read("runs/t/base/evaluation.jsonl"), rollouts);
    assert_eq!(folder.json("runs/t/base/evaluation.json")["pass_at_1"], figures["pass_at_1"]);
    assert_eq!(folder.json("runs/t/base/manifest.json")["state"], "done");
}

#[test]
fn a_dry_run_prints_the_resolved_recipe_and_leaves_nothing() {
    let folder = folder();
    let said = folder.ruminate(&["run", "t.toml", "--dry-run", "--set", "evaluation.samples=5"]).well();
    assert!(said.out.starts_with("# would run base in runs/t\nname = \"t\"\n"), "{}", said.out);
    assert!(said.out.contains("samples = 5\n") && said.out.contains("top_p = 0.95\n"), "{}", said.out);
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn mistakes_in_a_recipe_are_usage_errors() {
    let folder = folder();
    folder.write("bad.toml", &RECIPE.replace("samples = 2", "sample = 2"));
    folder.ruminate(&["run", "bad.toml"]).failed(2, "error: bad.toml:8: evaluation: unknown key 'sample'; did you mean 'samples'?");
    folder.ruminate(&["run", "none.toml"]).failed(2, "error: cannot read recipe none.toml: No such file");
    folder
        .ruminate(&["run", "t.toml", "--set", "base.paht=x"])
        .failed(2, "stage 'base', from --set: unknown key 'paht'; did you mean 'path'?");
    folder
        .ruminate(&["run", "t.toml", "--set", "base.path=gone"])
        .failed(1, "error: stage 'base': gone: cannot open: No such file or directory (os error 2)\n");
    folder.ruminate(&["run"]).failed(2, "<RECIPE>");
    assert!(!folder.path().join("runs").exists(), "nothing runs before everything is checked");
}
