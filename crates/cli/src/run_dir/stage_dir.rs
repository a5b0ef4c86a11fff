//! The directory of a stage.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ruminate_core::RolloutGroup;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::files::{io_context, read_json, read_jsonl, write_json, write_jsonl, write_long_jsonl};

/// How far a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StageState {
    /// Started, perhaps interrupted.
    Running,
    /// Complete.
    Done,
}

/// The record of a stage, `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageManifest {
    /// How far it is.
    pub(crate) state: StageState,
    /// Hash of everything that the stage's result depends on.
    pub(crate) inputs_hash: String,
    /// Hashes of the inputs of the stages before it, by id, and of the files it read, by path.
    pub(crate) lineage: std::collections::BTreeMap<String, String>,
    /// Version of Ruminate that wrote it.
    pub(crate) version: String,
    /// The policy that the stage made, a checkpoint that can be opened.
    pub(crate) policy: Option<String>,
    /// Time spent, over all sittings, seconds.
    pub(crate) seconds: f64,
    /// Floating-point operations of training and of sampling for it; evaluations and the making of its data are not counted.
    #[serde(default)]
    pub(crate) flops: f64,
    /// The part of `flops` that sampling took.
    #[serde(default)]
    pub(crate) sampling_flops: f64,
    /// Largest memory of the process while the stage ran, bytes; `None` where the system does not tell.
    #[serde(default)]
    pub(crate) peak_bytes: Option<u64>,
}

/// The directory of a stage.
#[derive(Clone, Debug)]
pub(crate) struct StageDir {
    path: PathBuf,
}

impl StageDir {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The policy as a Hugging Face folder.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    /// What a resumed stage needs; its files belong to the stage.
    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// One line of metrics for each step.
    pub(crate) fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// The directory of one of several variants that a stage trains, laid out like a stage's.
    pub(crate) fn variant(&self, name: &str) -> Self {
        Self { path: self.path.join("variants").join(name) }
    }

    /// Figures of the evaluation.
    pub(crate) fn evaluation(&self) -> PathBuf {
        self.path.join("evaluation.json")
    }

    /// The rollouts of the evaluation.
    pub(crate) fn evaluation_rollouts(&self) -> PathBuf {
        self.path.join("evaluation.jsonl")
    }

    /// Figures of a reward model.
    pub(crate) fn reward_report(&self) -> PathBuf {
        self.path.join("reward_model.json")
    }

    /// The stage's record, if it was ever started.
    pub(crate) fn manifest(&self) -> Result<Option<StageManifest>> {
        read_json(&self.path.join("manifest.json"))
    }

    /// Replaces the stage's record.
    pub(crate) fn write_manifest(&self, manifest: &StageManifest) -> Result<()> {
        write_json(&self.path.join("manifest.json"), manifest)
    }

    /// Keeps every completion of a step.
    pub(crate) fn write_rollouts(&self, step: u64, groups: &[RolloutGroup]) -> Result<()> {
        write_long_jsonl(&self.path.join("rollouts").join(format!("step-{step:05}.jsonl")), groups)
    }

    /// Gives the directory another name, `ID.before-N`, so that the stage can start over and nothing is lost. Returns that name.
    pub(crate) fn set_aside(&self) -> Result<PathBuf> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let free = |n: u32| Some(self.path.with_file_name(format!("{name}.before-{n}"))).filter(|path| !path.exists());
        let aside = (1..).find_map(free).context("no free name")?;
        std::fs::rename(&self.path, &aside).with_context(io_context("rename", &self.path))?;
        Ok(aside)
    }
}

/// `metrics.jsonl`, open for more lines. Each line is an object with `step` and figures under `stage/name` keys.
#[derive(Debug)]
pub(crate) struct MetricsFile {
    path: PathBuf,
    file: File,
}

impl MetricsFile {
    /// Opens the metrics of a stage that goes on with step `next_step`: lines of that step and later ones, which an interrupted
    /// sitting left, are dropped.
    pub(crate) fn open(path: &Path, next_step: u64) -> Result<Self> {
        let kept: Vec<Value> = Self::read_whole_lines(path)?
            .into_iter()
            .filter(|line| line.get("step").and_then(Value::as_u64).is_some_and(|step| step < next_step))
            .map(Value::Object)
            .collect();
        write_jsonl(path, &kept)?;
        let file = OpenOptions::new().append(true).open(path).with_context(io_context("open", path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds the line of a step.
    pub(crate) fn append(&mut self, step: u64, figures: &[(&str, f64)]) -> Result<()> {
        let mut line = Map::from_iter([("step".to_owned(), Value::from(step))]);
        line.extend(figures.iter().map(|&(key, value)| (key.to_owned(), Value::from(value))));
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // One call, so that a kill leaves at most one torn line, which opening drops.
        self.file.write_all(text.as_bytes()).with_context(io_context("write", &self.path))
    }

    /// Reads all lines.
    pub(crate) fn read(path: &Path) -> Result<Vec<Map<String, Value>>> {
        read_jsonl(path)
    }

    /// As [`MetricsFile::read`], without a last line that was not written to its end.
    fn read_whole_lines(path: &Path) -> Result<Vec<Map<String, Value>>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(io_context("read", path)),
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse =
            |(idx, line): (usize, &str)| serde_json::from_str(line).with_context(|| format!("{}:{} is damaged", path.display(), idx + 1));
        whole.lines().enumerate().map(parse).collect()
    }
}
