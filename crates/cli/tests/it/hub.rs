//! Models of the hub that are in the cache, without a network.

use std::process::Command;

use crate::util::Folder;

const COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

#[test]
fn a_model_and_a_file_of_the_cache_are_used_offline() {
    let folder = Folder::new();
    let snapshot = |repo: &str| folder.path().join(format!("home/hub/{repo}/snapshots/{COMMIT}"));
    for (repo, from) in [("models--org--name", "model"), ("datasets--org--sums", "sums")] {
        if from == "sums" {
            std::fs::create_dir(folder.path().join("sums")).unwrap();
            folder.write("sums/p.jsonl", "{\"question\": \"3 + 4 = ?\", \"answer\": \"#### 7\"}\n");
        }
        std::fs::create_dir_all(snapshot(repo).parent().unwrap()).unwrap();
        std::fs::rename(folder.path().join(from), snapshot(repo)).unwrap();
        std::fs::create_dir(folder.path().join(format!("home/hub/{repo}/refs"))).unwrap();
        folder.write(&format!("home/hub/{repo}/refs/main"), COMMIT);
    }
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ruminate"));
        command.args(args).current_dir(folder.path()).env("HF_HOME", folder.path().join("home")).env("HF_HUB_OFFLINE", "1");
        let output = command.env_remove("HF_HUB_CACHE").env_remove("HF_TOKEN").output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let data = "hf:datasets/org/sums/p.jsonl";
    for model in ["hf:org/name", "org/name@main"] {
        let (status, out, err) = run(&["eval", model, "--data", data, "--max-new-tokens", "4", "--json"]);
        assert_eq!(status, Some(0), "{err}");
        assert!(out.contains("\"n_problems\": 1"), "{out}");
    }
    folder.write("t.toml", "name = \"t\"\n[[stage]]\nid = \"base\"\nkind = \"load\"\npath = \"hf:org/name\"\nevaluate = false\n");
    assert_eq!(run(&["run", "t.toml"]).0, Some(0));
    assert_eq!(folder.json("runs/t/base/manifest.json")["policy"], snapshot("models--org--name").to_str().unwrap());
    let (status, out, err) = run(&["plan", "t.toml"]);
    assert!(status == Some(0) && out.contains("base"), "{out}{err}");

    for (model, expected) in [
        ("org/gone", "a model of the hub is named hf:org/gone"),
        ("hf:org/gone", "HF_HUB_OFFLINE forbids to fetch it"),
        ("hf:gone", "expected hf:ORG/NAME"),
    ] {
        let (status, _, err) = run(&["eval", model, "--data", data]);
        assert!(status == Some(1) && err.contains(expected), "{model}: {err}");
    }
}
