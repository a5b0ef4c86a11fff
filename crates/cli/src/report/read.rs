//! From the files of a run directory to its report.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::Value as Json;
use toml::{Table, Value};

use super::choose::choose;
use super::digest::{Digests, Source};
use super::files::{self, MetricsLine, Notes};
use super::model::{EvaluationFigures, Points, RunReport, StageReport, State, Yield};
use super::reflection;
use crate::run_dir::RunManifest;
use crate::stages::evaluate::interval_figures;
use crate::summary::Summary;

/// Metrics of a phase's time start with this.
const SECONDS: &str = "seconds/";

/// Figures of an evaluation on the way start with this.
const EVALUATION: &str = "eval/";

/// `manifest.json` of a stage, as far as it is there.
#[derive(Debug, Default, Deserialize)]
struct StageRecord {
    state: Option<String>,
    inputs_hash: Option<String>,
    #[serde(default)]
    lineage: BTreeMap<String, String>,
    policy: Option<String>,
    #[serde(default)]
    seconds: f64,
    flops: Option<f64>,
    peak_bytes: Option<u64>,
}

/// `review.json`, of which only the decisions are counted.
#[derive(Debug, Deserialize)]
struct ReviewFile {
    #[serde(default)]
    decisions: BTreeMap<String, Decision>,
}

#[derive(Debug, Deserialize)]
struct Decision {
    decision: String,
}

/// Reads one run.
///
/// # Errors
/// A directory that holds no run.
pub(super) fn read_run(path: &Path, is_in_progress: bool, digests: &mut Digests) -> Result<RunReport> {
    let mut notes = Notes::new();
    let Some(resolved) = files::text(&path.join("resolved.toml"), &mut notes) else { bail!(no_run(path)) };
    let recipe: Table = toml::from_str(&resolved).unwrap_or_else(|error| {
        notes.push(format!("{} is damaged, the stages are not known: {}", path.join("resolved.toml").display(), error.message()));
        Table::new()
    });
    let manifest: Option<RunManifest> = files::json(&path.join("manifest.json"), &mut notes);
    let summary: Option<Summary> = files::json(&path.join("summary.json"), &mut notes);
    let is_in_progress = is_in_progress || is_locked(path);
    let tables = recipe.get("stage").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table);
    let mut stages = Vec::new();
    let mut sources = Vec::new();
    for table in tables {
        let stage = read_stage(path, table, is_in_progress, digests, &mut sources, &mut notes);
        stages.push(stage);
    }
    let state = run_state(&stages, is_in_progress);
    if state == State::Stopped {
        notes.push("the run was stopped or killed before its end; the same `ruminate run` command goes on with it".to_owned());
    }
    let chosen = choose(path, &stages, &sources, digests, &mut notes);
    Ok(RunReport {
        path: path.display().to_string(),
        recipe: recipe.get("name").and_then(Value::as_str).map(str::to_owned),
        seed: recipe.get("seed").and_then(Value::as_integer).and_then(|seed| u64::try_from(seed).ok()),
        started: manifest.as_ref().map(|manifest| utc(manifest.started_unix_secs)),
        device: manifest.as_ref().map(|manifest| manifest.device.clone()),
        hardware: manifest.as_ref().and_then(|manifest| manifest.hardware.clone()),
        n_threads: manifest.as_ref().map(|manifest| manifest.n_threads),
        version: manifest.as_ref().map(|manifest| match &manifest.commit {
            Some(commit) => format!("{} ({commit})", manifest.version),
            None => manifest.version.clone(),
        }),
        state,
        seconds: stages.iter().map(|stage| stage.seconds).sum(),
        peak_bytes: summary.and_then(|summary| summary.peak_bytes).max(stages.iter().filter_map(|stage| stage.peak_bytes).max()),
        sandbox: files::json(&path.join("sandbox.json"), &mut notes),
        n_completions: sources.iter().map(|source| source.n_completions).sum(),
        stages,
        notes,
        resolved,
        samples: chosen,
    })
}

fn no_run(path: &Path) -> String {
    if path.join("manifest.json").is_file() && path.parent().is_some_and(|parent| parent.join("resolved.toml").is_file()) {
        let run = path.parent().unwrap_or(path);
        return format!("{} is the directory of a stage, expected that of its run: {}", path.display(), run.display());
    }
    let what = if path.exists() { "holds no run" } else { "does not exist" };
    format!("{} {what}: expected a directory that `ruminate run` made, with resolved.toml, such as runs/tiny", path.display())
}

/// Whether a process is at work in the run directory.
fn is_locked(path: &Path) -> bool {
    let Ok(lock) = File::open(path.join(".lock")) else { return false };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn run_state(stages: &[StageReport], is_in_progress: bool) -> State {
    if !stages.is_empty() && stages.iter().all(|stage| stage.state == State::Done) {
        State::Done
    } else if is_in_progress {
        State::Running
    } else if stages.iter().all(|stage| stage.state == State::NotStarted) {
        State::NotStarted
    } else {
        State::Stopped
    }
}

fn read_stage(
    run: &Path,
    table: &Table,
    is_in_progress: bool,
    digests: &mut Digests,
    sources: &mut Vec<Source>,
    notes: &mut Notes,
) -> StageReport {
    let text = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = text("id");
    let dir = run.join(&id);
    let record: Option<StageRecord> = files::json(&dir.join("manifest.json"), notes);
    let state = match record.as_ref().and_then(|record| record.state.as_deref()) {
        Some("done") => State::Done,
        _ if record.is_none() && !dir.is_dir() => State::NotStarted,
        _ if is_in_progress => State::Running,
        _ => State::Stopped,
    };
    let record = record.unwrap_or_default();
    let metrics: Vec<MetricsLine> = files::lines(&dir.join("metrics.jsonl"), notes);
    let trained = digests.training(&dir, &id, notes);
    let evaluated = digests.file(&dir.join("evaluation.jsonl"), &id, None, notes);
    let evaluation = read_evaluation(&dir, evaluated.as_ref(), notes);
    let phases = phases(&metrics, evaluation.as_ref(), record.seconds);
    let reflection = reflection::reflection(&trained);
    sources.extend(trained);
    sources.extend(evaluated);
    sources.extend(digests.collected(&dir, &id, notes));
    let yields: Option<Yield> = files::json(&dir.join("yield.json"), notes);
    let review: Option<ReviewFile> = files::json(&dir.join("review.json"), notes);
    StageReport {
        steps: steps(&metrics),
        planned_steps: table.get("steps").and_then(Value::as_integer).and_then(|steps| u64::try_from(steps).ok()),
        curves: curves(&metrics, evaluation.as_ref()),
        kind: text("kind"),
        state,
        seconds: record.seconds.max(phases.values().sum()),
        phases,
        flops: record.flops.filter(|&flops| flops > 0.0),
        peak_bytes: record.peak_bytes,
        policy: record.policy,
        reads: reads(table, &record.lineage),
        inputs_hash: record.inputs_hash,
        lineage: record.lineage,
        evaluation,
        reflection,
        review: review.map(|review| tally(&review)),
        yields,
        reward_model: files::json(&dir.join("reward_model.json"), notes),
        comparison: files::json(&dir.join("comparison.json"), notes),
        variants: files::json(&dir.join("variants.json"), notes),
        id,
    }
}

fn read_evaluation(dir: &Path, rollouts: Option<&Source>, notes: &mut Notes) -> Option<EvaluationFigures> {
    let mut figures: EvaluationFigures = files::json(&dir.join("evaluation.json"), notes)?;
    if let Some(summary) = rollouts.and_then(|source| source.spreads.as_ref()) {
        figures.spreads.clone_from(summary);
    }
    Some(figures)
}

fn tally(review: &ReviewFile) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for decision in review.decisions.values() {
        *counts.entry(decision.decision.clone()).or_default() += 1;
    }
    counts
}

/// Ids of stages that the recipe names, and other stages that the record knows.
fn reads(table: &Table, lineage: &BTreeMap<String, String>) -> Vec<String> {
    let mut found: Vec<String> = lineage.keys().cloned().collect();
    for key in ["policy", "base", "teacher"] {
        if let Some(id) = table.get(key).and_then(Value::as_str)
            && !found.iter().any(|other| other == id)
        {
            found.push(id.to_owned());
        }
    }
    found
}

/// Optimizer steps made. A line of a training stage is a round, which can make several.
fn steps(metrics: &[MetricsLine]) -> Option<u64> {
    let last = metrics.last()?;
    let step = last.get("step").and_then(Json::as_u64)?;
    Some(step + last.get("rl/optimizer_steps").and_then(Json::as_f64).map_or(1, |steps| steps as u64))
}

/// Figures by step. A line is a round, and its evaluation is that of the policy after it; the last one is the stage's own.
fn curves(metrics: &[MetricsLine], evaluation: Option<&EvaluationFigures>) -> BTreeMap<String, Points> {
    let mut curves: BTreeMap<String, Points> = BTreeMap::new();
    for line in metrics {
        let Some(step) = line.get("step").and_then(Json::as_f64) else { continue };
        let after = step + line.get("rl/optimizer_steps").and_then(Json::as_f64).unwrap_or(1.0);
        for (key, value) in line.iter().filter(|(key, _)| *key != "step" && !key.starts_with(SECONDS)) {
            if let Some(value) = value.as_f64().filter(|value| value.is_finite()) {
                let at = if key.starts_with(EVALUATION) { after } else { step };
                curves.entry(key.clone()).or_default().push((at, value));
            }
        }
    }
    if let (Some(steps), Some(last)) = (steps(metrics), evaluation) {
        let others = [
            ("eval/format_share", last.format_share),
            ("eval/response_length_mean", last.response_length),
            ("eval/language_share", last.language_share),
        ];
        let others = others.into_iter().filter_map(|(key, value)| Some((key, value?)));
        for (key, value) in last.pass_at_1.iter().flat_map(interval_figures).chain(others) {
            // Only where there are others: one point is no curve, and the ladder has it.
            if let Some(points) = curves.get_mut(key) {
                points.push((steps as f64, value));
            }
        }
    }
    curves
}

/// Time by phase; what the record has beyond the phases is `other`.
fn phases(metrics: &[MetricsLine], evaluation: Option<&EvaluationFigures>, total: f64) -> BTreeMap<String, f64> {
    let mut phases: BTreeMap<String, f64> = BTreeMap::new();
    for (key, value) in metrics.iter().flatten() {
        if let (Some(phase), Some(seconds)) = (key.strip_prefix(SECONDS), value.as_f64()) {
            *phases.entry(phase.to_owned()).or_default() += seconds;
        }
    }
    if let Some(seconds) = evaluation.and_then(|evaluation| evaluation.seconds) {
        *phases.entry("evaluate".to_owned()).or_default() += seconds;
    }
    let other = total - phases.values().sum::<f64>();
    if other > 0.0 {
        phases.insert("other".to_owned(), other);
    }
    phases
}

/// Seconds since 1970 as `2026-11-28 01:05 UTC`.
///
/// Days to a date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn utc(unix_secs: u64) -> String {
    let (days, second) = (unix_secs / 86_400 + 719_468, unix_secs % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months count from March.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02} {:02}:{:02} UTC", era * 400 + year_of_era + next_year, second / 3600, second / 60 % 60)
}

/// The tokenizer's folder: the policy that sampled the completions of a stage, or else the one it started from.
pub(super) fn policy_folder(run: &Path, stages: &[StageReport], id: &str) -> Option<PathBuf> {
    let mut at = id;
    // As many hops as there are stages: a recipe cannot have a cycle, but a file that was edited by hand can.
    for _ in 0..=stages.len() {
        let stage = stages.iter().find(|stage| stage.id == at)?;
        let own = stage.policy.as_ref().map(|policy| run.join(policy));
        if let Some(folder) = own.filter(|folder| folder.exists()) {
            return Some(folder);
        }
        at = stage.reads.iter().find(|id| stages.iter().any(|stage| stage.id == **id))?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(utc(1_795_827_900), "2026-11-28 01:05 UTC");
        assert_eq!(utc(4_107_542_399), "2100-02-28 23:59 UTC");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00 UTC");
    }
}
