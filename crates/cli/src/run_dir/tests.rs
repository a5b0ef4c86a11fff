use std::collections::BTreeMap;

use super::files::write_long_jsonl;
use super::*;
use crate::recipe::{Overrides, RunConfig};

const RECIPE: &str = r#"
name = "t"
[[stage]]
id = "base"
kind = "load"
path = "builtin:tiny"
[[stage]]
id = "zero"
kind = "grpo"
policy = "base"
preset = "r1-zero"
prompts = ["arithmetic"]
template = "tiny"
steps = 3
"#;

fn config(sets: &[&str]) -> RunConfig {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.toml");
    std::fs::write(&path, RECIPE).unwrap();
    let sets = sets.iter().map(|&set| set.to_owned()).collect();
    crate::recipe::load(&path, &Overrides { seed: None, sets }).unwrap()
}

fn manifest(config: &RunConfig) -> RunManifest {
    RunManifest {
        recipe: config.name.clone(),
        recipe_hash: config.hash(),
        seed: config.seed,
        version: "0".into(),
        commit: None,
        device: "cpu".into(),
        hardware: None,
        n_threads: 1,
        started_unix_secs: 1,
    }
}

fn open(path: &Path, config: &RunConfig) -> Result<RunDir, String> {
    RunDir::open(path, config, &manifest(config)).map_err(|error| error.to_string())
}

#[test]
fn the_same_recipe_goes_on_and_another_is_refused_by_its_differences() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    drop(open(&path, &config(&[])).unwrap());
    drop(open(&path, &config(&[])).unwrap());
    let error = open(&path, &config(&["zero.steps=4", "seed=9", "zero.clip_eps_low=0.1"])).unwrap_err();
    let expected = format!(
        "{} holds a run of another recipe: seed is 0 there, 9 now; zero.settings.clip_eps_low is 0.2 there, 0.1 now; \
         zero.steps is 3 there, 4 now; give another directory with --out",
        path.display()
    );
    assert_eq!(error, expected);
    // A refused run changes nothing.
    drop(open(&path, &config(&[])).unwrap());
}

#[test]
fn a_directory_is_used_by_one_process_and_only_if_it_holds_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    let held = open(&path, &config(&[])).unwrap();
    let error = open(&path, &config(&[])).unwrap_err();
    assert!(error.contains("is in use by another process"), "{error}");
    drop(held);
    open(&path, &config(&[])).unwrap();

    let other = dir.path().join("photos");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("cat.jpg"), "x").unwrap();
    let error = open(&other, &config(&[])).unwrap_err();
    assert!(error.contains("is not empty and holds no run"), "{error}");
}

#[test]
fn failed_writes_name_the_file_and_leave_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.json");
    write_atomically(&path, b"old").unwrap();
    // The name of the partial file is taken by a directory, as good as a full disk.
    std::fs::create_dir(dir.path().join("x.json.partial")).unwrap();
    let error = write_atomically(&path, b"new").unwrap_err().to_string();
    assert_eq!(error, format!("cannot write {}", path.display()));
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    std::fs::remove_dir(dir.path().join("x.json.partial")).unwrap();
    write_atomically(&path, b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert!(!dir.path().join("x.json.partial").exists());
}

#[test]
fn long_lines_are_those_of_short_ones_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let (short, long) = (dir.path().join("short"), dir.path().join("long"));
    let values: Vec<String> = (0..1000).map(|i| "ü".repeat(i)).collect();
    write_jsonl(&short, &values).unwrap();
    write_long_jsonl(&long, &values).unwrap();
    assert_eq!(std::fs::read(&short).unwrap(), std::fs::read(&long).unwrap());
    // JSON has no maps whose keys are lists: what was there stays.
    let bad: Vec<BTreeMap<Vec<u8>, u8>> = vec![BTreeMap::new(), BTreeMap::from([(vec![1], 1)])];
    assert!(write_long_jsonl(&long, &bad).unwrap_err().to_string().starts_with("cannot write "));
    assert_eq!(std::fs::read(&short).unwrap(), std::fs::read(&long).unwrap());
    write_long_jsonl::<u8>(&long, &[]).unwrap();
    assert_eq!(std::fs::read(&long).unwrap(), b"");
}

#[test]
fn metrics_of_steps_that_are_done_again_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metrics.jsonl");
    let mut metrics = MetricsFile::open(&path, 0).unwrap();
    for step in 0..5 {
        metrics.append(step, &[("rl/reward_mean", step as f64 * 0.5)]).unwrap();
    }
    drop(metrics);
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"step\": 5, \"rl/rew");
    std::fs::write(&path, text).unwrap();
    let mut metrics = MetricsFile::open(&path, 3).unwrap();
    metrics.append(3, &[("rl/reward_mean", 9.0)]).unwrap();
    let lines = MetricsFile::read(&path).unwrap();
    let rewards: Vec<f64> = lines.iter().map(|line| line["rl/reward_mean"].as_f64().unwrap()).collect();
    assert_eq!(rewards, [0.0, 0.5, 1.0, 9.0]);
}
