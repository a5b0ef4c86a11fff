//! The directory of a run: files that appear whole or not at all, a lock, and the record of what is done.
//!
//! ```text
//! runs/tiny/
//!   resolved.toml  manifest.json  summary.json  .lock
//!   zero/
//!     manifest.json     state of the stage, hash of its inputs, lineage
//!     metrics.jsonl     one line for each step
//!     rollouts/step-00012.jsonl
//!     checkpoint/       Hugging Face folder
//!     evaluation.json  evaluation.jsonl
//!     state/            what a resumed stage needs
//! ```

mod files;
mod stage_dir;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub(crate) use files::{io_context, read_json, read_jsonl, replace_file, write_atomically, write_json, write_jsonl};
pub(crate) use stage_dir::{MetricsFile, StageDir, StageManifest, StageState};

use crate::recipe::RunConfig;

const RESOLVED: &str = "resolved.toml";
const MANIFEST: &str = "manifest.json";

/// Differences that an error lists at most.
const MAX_DIFFERENCES: usize = 5;

/// The record of a run, `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunManifest {
    /// Name of the recipe.
    pub(crate) recipe: String,
    /// Hash of the resolved recipe.
    pub(crate) recipe_hash: String,
    /// Root of all randomness.
    pub(crate) seed: u64,
    /// Version of Ruminate.
    pub(crate) version: String,
    /// Commit it was built from, if the build knew.
    pub(crate) commit: Option<String>,
    /// Where it computes.
    pub(crate) device: String,
    /// Model of that device where the run was first started, if the system tells it.
    pub(crate) hardware: Option<String>,
    /// Threads of the CPU.
    pub(crate) n_threads: usize,
    /// When the run was first started, seconds since 1970.
    pub(crate) started_unix_secs: u64,
}

/// An open run directory. No other process can open it until this is dropped.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    _lock: File,
}

impl RunDir {
    /// Opens or makes the directory of a run.
    ///
    /// # Errors
    /// Another process is at work there; it holds a run of another recipe; it is a directory of something else; the file system's.
    pub(crate) fn open(path: &Path, config: &RunConfig, manifest: &RunManifest) -> Result<Self> {
        refuse_other_contents(path)?;
        std::fs::create_dir_all(path).with_context(io_context("create", path))?;
        let lock_path = path.join(".lock");
        let lock = File::create(&lock_path).with_context(io_context("create", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("{} is in use by another process; wait for it, or give another directory with --out", path.display())
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(io_context("lock", &lock_path)),
        }
        let run_dir = Self { path: path.to_owned(), _lock: lock };
        run_dir.check_recipe(config)?;
        // The recipe first: a directory with a manifest always has one.
        write_atomically(&path.join(RESOLVED), config.to_toml().as_bytes())?;
        if !path.join(MANIFEST).exists() {
            write_json(&path.join(MANIFEST), manifest)?;
        }
        Ok(run_dir)
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of a stage, which may not exist yet.
    pub(crate) fn stage(&self, id: &str) -> StageDir {
        Self::stage_of(&self.path, id)
    }

    /// The directory of a stage in the directory of a run that is only read.
    pub(crate) fn stage_of(run: &Path, id: &str) -> StageDir {
        StageDir::new(run.join(id))
    }

    /// Whether a run lives in this directory.
    pub(crate) fn is_run(path: &Path) -> bool {
        path.join(RESOLVED).is_file()
    }

    fn check_recipe(&self, config: &RunConfig) -> Result<()> {
        let path = self.path.join(RESOLVED);
        if !path.exists() {
            return Ok(());
        }
        let text = std::fs::read_to_string(&path).with_context(io_context("read", &path))?;
        if text == config.to_toml() {
            return Ok(());
        }
        let there: Table = toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        let now: Table = toml::from_str(&config.to_toml()).expect("a resolved recipe is valid TOML");
        let differences = differences(&there, &now);
        let shown = differences.iter().take(MAX_DIFFERENCES).cloned().collect::<Vec<_>>().join("; ");
        let more = differences.len().saturating_sub(MAX_DIFFERENCES);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        bail!("{} holds a run of another recipe: {shown}{more}; give another directory with --out", self.path.display())
    }
}

/// A directory that is not empty and holds no run belongs to someone else.
fn refuse_other_contents(path: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(io_context("read", path))?,
    };
    let names: Vec<_> =
        entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>().with_context(io_context("read", path))?;
    let is_run = names.is_empty() || names.iter().any(|name| name == RESOLVED || name == ".lock");
    if !is_run {
        bail!("{} is not empty and holds no run; give another directory with --out", path.display());
    }
    Ok(())
}

/// Each value that differs, as `zero.steps is 60 there, 120 now`. Stages are named by their ids.
fn differences(there: &Table, now: &Table) -> Vec<String> {
    let mut found = Vec::new();
    compare_tables("", there, now, &mut found);
    found
}

fn compare_tables(path: &str, there: &Table, now: &Table, found: &mut Vec<String>) {
    let keys: std::collections::BTreeSet<&String> = there.keys().chain(now.keys()).collect();
    for key in keys {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        compare(&below, there.get(key), now.get(key), found);
    }
}

fn compare(path: &str, there: Option<&Value>, now: Option<&Value>, found: &mut Vec<String>) {
    match (there, now) {
        (Some(Value::Table(there)), Some(Value::Table(now))) => compare_tables(path, there, now, found),
        (Some(Value::Array(there)), Some(Value::Array(now))) if path == "stage" => {
            let id = |stage: Option<&Value>| stage.and_then(|stage| stage.get("id")?.as_str().map(str::to_owned));
            for idx in 0..there.len().max(now.len()) {
                let name = id(there.get(idx)).or_else(|| id(now.get(idx))).unwrap_or_else(|| format!("stage {}", idx + 1));
                compare(&name, there.get(idx), now.get(idx), found);
            }
        }
        (there, now) if there == now => {}
        (there, now) => {
            let show = |value: Option<&Value>| value.map_or_else(|| "absent".to_owned(), shortened);
            found.push(format!("{path} is {} there, {} now", show(there), show(now)));
        }
    }
}

fn shortened(value: &Value) -> String {
    match value {
        Value::Table(_) => "present".to_owned(),
        other => {
            let text = other.to_string();
            if text.chars().count() <= 60 { text } else { format!("{}...", text.chars().take(57).collect::<String>()) }
        }
    }
}
