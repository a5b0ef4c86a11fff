//! Rules about `Cargo.toml` files: who may know whom, and the common lints.

use anyhow::{Context, Result};
use toml::{Table, Value};

/// Crates of the workspace that each crate may depend on. An edge that is not here is a change of the architecture: it is made in
/// this table, with a reason in the change.
const EDGES: [(&str, &[&str]); 11] = [
    ("core", &[]),
    ("sandbox", &[]),
    ("compute", &[]),
    ("rewards", &["core", "sandbox"]),
    ("tasks", &["core", "rewards"]),
    ("model", &["core", "compute"]),
    ("rollout", &["core", "compute", "model"]),
    ("train", &["core", "compute", "model"]),
    ("cli", &["core", "sandbox", "compute", "rewards", "tasks", "model", "rollout", "train"]),
    // The chores must build even when a crate does not.
    ("xtask", &[]),
    // A workspace of its own, which links libFuzzer.
    ("fuzz", &["rewards"]),
];

const PREFIX: &str = "ruminate-";

/// Findings of one manifest of a member.
pub(super) fn check(path: &str, text: &str) -> Result<Vec<String>> {
    let manifest: Table = text.parse().with_context(|| path.to_owned())?;
    let folder = path.trim_end_matches("/Cargo.toml").rsplit('/').next().unwrap_or_default();
    let mut findings = Vec::new();
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str).unwrap_or_default();
    let expected = if folder == "xtask" { folder.to_owned() } else { format!("{PREFIX}{folder}") };
    if name != expected {
        findings.push(format!("expected the package name {expected}, found {name:?}"));
    }
    if manifest.get("lints").and_then(|lints| lints.get("workspace")) != Some(&Value::Boolean(true)) {
        findings.push("expected `[lints] workspace = true`".to_owned());
    }
    let Some((_, allowed)) = EDGES.iter().find(|(from, _)| *from == folder) else {
        findings.push(format!("the crate {folder} is not in the table of edges of xtask tidy"));
        return Ok(findings);
    };
    for (dependency, value) in dependencies(&manifest) {
        if let Some(to) = dependency.strip_prefix(PREFIX)
            && !allowed.contains(&to)
        {
            findings.push(format!("{folder} must not depend on {to}"));
        }
        if value.get("workspace") != Some(&Value::Boolean(true)) {
            findings.push(format!("{dependency}: expected `workspace = true`, versions stand in the root manifest"));
        }
    }
    Ok(findings)
}

/// Normal and build dependencies, for all targets. Tests may know more than the code they test: an engine's parity with the trainer
/// cannot be tested without the trainer.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&String, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let tables = std::iter::once(manifest).chain(targets);
    let sections = tables.flat_map(|table| ["dependencies", "build-dependencies"].map(|key| table.get(key)));
    sections.flatten().filter_map(Value::as_table).flatten()
}
