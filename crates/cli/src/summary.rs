//! `summary.json`, the stable form for scripts, and the closing table. Both are made from the files of the run directory, so that they
//! tell of the whole run whatever number of sittings it took.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use ruminate_tasks::statistics::Interval;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::machine::peak_bytes;
use crate::recipe::{RunConfig, StageConfig, StageKind};
use crate::run_dir::{MetricsFile, RunDir, read_json};
use crate::stages::collect::read_yield;
use crate::stages::evaluate::{Evaluation, percent};
use crate::stages::reward_model::RewardReport;

/// Metrics of a phase's time start with this: `seconds/rollout`.
const SECONDS: &str = "seconds/";

/// Steps that the first and last response length are taken over, at most.
const MAX_WINDOW: usize = 10;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Name of the recipe.
    pub(crate) recipe: String,
    /// Root of all randomness.
    pub(crate) seed: u64,
    /// Time of all stages, over all sittings.
    pub(crate) seconds: f64,
    /// Largest memory of the process, bytes; `None` where the system does not tell.
    pub(crate) peak_bytes: Option<u64>,
    /// The stages in the order in which they ran.
    pub(crate) stages: Vec<StageSummary>,
}

/// One stage. What does not apply is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageSummary {
    /// Name of the stage.
    pub(crate) id: String,
    /// Name of its kind, such as `grpo`.
    pub(crate) kind: String,
    /// Time, its evaluation included.
    pub(crate) seconds: f64,
    /// Optimizer steps.
    pub(crate) steps: Option<u64>,
    /// The policy it made, absolute or relative to the run directory.
    pub(crate) policy: Option<String>,
    /// Floating-point operations of training and of sampling for it.
    #[serde(default)]
    pub(crate) flops: f64,
    /// Largest memory of the process while the stage ran, bytes.
    #[serde(default)]
    pub(crate) peak_bytes: Option<u64>,
    /// On the evaluation's problems, those of general kinds excepted.
    pub(crate) pass_at_1: Option<Interval>,
    /// On the evaluation's problems of general kinds.
    #[serde(default)]
    pub(crate) general: Option<Interval>,
    /// The same by kind of problem.
    pub(crate) pass_at_1_by_kind: Option<BTreeMap<String, Interval>>,
    /// While training, tokens.
    pub(crate) response_length: Option<FirstLast>,
    /// In the evaluation, tokens.
    pub(crate) evaluation_length: Option<f64>,
    /// Share of completions in the asked form, in the evaluation, or else at the end of training.
    pub(crate) format_share: Option<f64>,
    /// Share of target-language words in the reasoning, likewise.
    pub(crate) language_share: Option<f64>,
    /// Share of completions cut off by the token budget, in the evaluation.
    pub(crate) truncated_share: Option<f64>,
    /// Examples that a collecting stage kept, and responses that it chose from.
    pub(crate) examples: Option<Examples>,
    /// Mean reward of training completions.
    pub(crate) reward: Option<FirstLast>,
    /// Share of held-out preferences or labels that a reward model gets right.
    pub(crate) reward_accuracy: Option<Interval>,
    /// Time by phase: `rollout`, `reward`, `train`, `evaluate`.
    pub(crate) phase_seconds: BTreeMap<String, f64>,
}

/// What a collecting stage kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Examples {
    /// Examples to learn from.
    pub(crate) kept: usize,
    /// Responses before the filters.
    pub(crate) sampled: usize,
}

/// Means over the first and the last tenth of the steps, at most ten.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FirstLast {
    /// At the start.
    pub(crate) first: f64,
    /// At the end.
    pub(crate) last: f64,
}

/// Reads what the run left.
///
/// # Errors
/// A damaged file, by name.
pub(crate) fn summarise(config: &RunConfig, run_dir: &RunDir) -> Result<Summary> {
    let stages = config.stages.iter().map(|stage| summarise_stage(stage, run_dir)).collect::<Result<Vec<_>>>()?;
    Ok(Summary {
        recipe: config.name.clone(),
        seed: config.seed,
        seconds: stages.iter().map(|stage| stage.seconds).sum(),
        peak_bytes: stages.iter().map(|stage| stage.peak_bytes).max().flatten().max(peak_bytes()),
        stages,
    })
}

fn summarise_stage(stage: &StageConfig, run_dir: &RunDir) -> Result<StageSummary> {
    let dir = run_dir.stage(&stage.id);
    let manifest = dir.manifest()?.with_context(|| format!("stage '{}' has no manifest", stage.id))?;
    let metrics = MetricsFile::read(&dir.metrics())?;
    let evaluation: Option<Evaluation> = read_json(&dir.evaluation())?;
    let mut phase_seconds = phase_seconds(&metrics);
    if let Some(evaluation) = &evaluation {
        *phase_seconds.entry("evaluate".to_owned()).or_default() += evaluation.seconds;
    }
    let last = |key: &str| first_last(&metrics, key).map(|ends| ends.last);
    Ok(StageSummary {
        id: stage.id.clone(),
        kind: stage.kind.name().to_owned(),
        // The record does not know of sittings that were killed, the phases do.
        seconds: manifest.seconds.max(phase_seconds.values().sum()),
        steps: match &stage.kind {
            StageKind::Load(_) | StageKind::Collect(_) | StageKind::Compare(_) => None,
            StageKind::Pretrain(_) | StageKind::Sft(_) | StageKind::RewardModel(_) => Some(metrics.len() as u64),
            // A line is a round, which can make several steps.
            StageKind::Grpo(_) => Some(metrics.iter().filter_map(|line| line.get("rl/optimizer_steps")?.as_f64()).sum::<f64>() as u64),
        },
        policy: manifest.policy,
        flops: manifest.flops,
        peak_bytes: manifest.peak_bytes,
        general: evaluation.as_ref().and_then(|evaluation| evaluation.general),
        pass_at_1: evaluation.as_ref().map(|evaluation| evaluation.pass_at_1),
        pass_at_1_by_kind: evaluation.as_ref().map(|evaluation| evaluation.pass_at_1_by_kind.clone()),
        response_length: first_last(&metrics, "rl/response_length_mean"),
        evaluation_length: evaluation.as_ref().map(|evaluation| evaluation.response_length),
        format_share: evaluation.as_ref().map(|evaluation| evaluation.format_share).or_else(|| last("rl/format_share")),
        language_share: evaluation.as_ref().map_or_else(|| last("rl/language_share"), |evaluation| evaluation.language_share),
        truncated_share: evaluation.as_ref().map(|evaluation| evaluation.truncated_share),
        examples: read_yield(&dir)?.map(|yields| Examples { kept: yields.n_kept(), sampled: yields.n_sampled() }),
        reward: first_last(&metrics, "rl/reward_mean"),
        reward_accuracy: read_json::<RewardReport>(&dir.reward_report())?.and_then(|report| Some(report.held_out?.accuracy)),
        phase_seconds,
    })
}

fn phase_seconds(metrics: &[Map<String, Value>]) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for (key, value) in metrics.iter().flatten() {
        if let (Some(phase), Some(seconds)) = (key.strip_prefix(SECONDS), value.as_f64()) {
            *sums.entry(phase.to_owned()).or_default() += seconds;
        }
    }
    sums
}

fn first_last(metrics: &[Map<String, Value>], key: &str) -> Option<FirstLast> {
    let values: Vec<f64> = metrics.iter().filter_map(|line| line.get(key)?.as_f64()).collect();
    if values.is_empty() {
        return None;
    }
    let n = (values.len() / 10).clamp(1, MAX_WINDOW);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    Some(FirstLast { first: mean(&values[..n]), last: mean(&values[values.len() - n..]) })
}

/// The closing table, folded to the terminal's width if there is one.
pub(crate) fn table(summary: &Summary) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    // Columns that few runs have something to show in stand only where there is something.
    let has = |has: fn(&StageSummary) -> bool| summary.stages.iter().any(has);
    let general = has(|stage| stage.general.is_some());
    let data = has(|stage| stage.examples.is_some() || stage.reward_accuracy.is_some());
    let is_shown = [true, true, general, true, true, true, data, true];
    let shown =
        |cells: [String; 8]| cells.into_iter().zip(is_shown).filter(|(_, is_shown)| *is_shown).map(|(cell, _)| cell).collect::<Vec<_>>();
    let header = ["stage", "pass@1, % [95%]", "general, % [95%]", "tokens", "form, %", "language, %", "data", "seconds"];
    table.set_header(shown(header.map(str::to_owned)));
    for stage in &summary.stages {
        let length = match (stage.response_length, stage.evaluation_length) {
            (Some(length), _) => format!("{:.0} -> {:.0}", length.first, length.last),
            (None, Some(length)) => format!("{length:.0}"),
            (None, None) => String::new(),
        };
        let share = |share: Option<f64>| share.map_or_else(String::new, |share| format!("{:.1}", 100.0 * share));
        let interval = |interval: Option<&Interval>| interval.map_or_else(String::new, |interval| percent(interval).replace('%', ""));
        let examples = stage.examples.map(|examples| format!("{} of {}", examples.kept, examples.sampled));
        table.add_row(shown([
            stage.id.clone(),
            interval(stage.pass_at_1.as_ref()),
            interval(stage.general.as_ref()),
            length,
            share(stage.format_share),
            share(stage.language_share),
            examples.or_else(|| Some(format!("{:.0}% right", 100.0 * stage.reward_accuracy?.mean))).unwrap_or_default(),
            format!("{:.0}", stage.seconds),
        ]));
    }
    for column in 1..shown(header.map(str::to_owned)).len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let memory = summary.peak_bytes.map_or_else(String::new, |bytes| format!(", {} at most", mebibytes(bytes)));
    let mut phases: BTreeMap<&str, f64> = BTreeMap::new();
    for (phase, seconds) in summary.stages.iter().flat_map(|stage| &stage.phase_seconds) {
        *phases.entry(phase).or_default() += seconds;
    }
    let phases: Vec<String> = phases.into_iter().map(|(phase, seconds)| format!("{phase} {seconds:.0}")).collect();
    let phases = if phases.is_empty() { String::new() } else { format!(" ({})", phases.join(", ")) };
    format!("{table}\n{:.0} seconds{phases}{memory}", summary.seconds)
}

/// A size for people.
pub(crate) fn mebibytes(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes < 1024.0 { format!("{mebibytes:.1} MiB") } else { format!("{:.2} GiB", mebibytes / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(values: &[(f64, f64)]) -> Vec<Map<String, Value>> {
        let line = |&(length, seconds)| {
            Map::from_iter([
                ("rl/response_length_mean".to_owned(), Value::from(length)),
                ("seconds/train".to_owned(), Value::from(seconds)),
            ])
        };
        values.iter().map(line).collect()
    }

    #[test]
    fn ends_are_means_over_a_tenth_of_the_steps_and_phases_are_sums() {
        let metrics = lines(&(0..30).map(|step| (f64::from(step), 0.5)).collect::<Vec<_>>());
        assert_eq!(first_last(&metrics, "rl/response_length_mean"), Some(FirstLast { first: 1.0, last: 28.0 }));
        assert_eq!(first_last(&metrics[..5], "rl/response_length_mean"), Some(FirstLast { first: 0.0, last: 4.0 }));
        assert_eq!(first_last(&metrics, "rl/other"), None);
        assert_eq!(phase_seconds(&metrics), BTreeMap::from([("train".to_owned(), 15.0)]));
    }

    #[test]
    fn the_table_leaves_out_what_does_not_apply() {
        let stage = |id: &str| StageSummary {
            id: id.into(),
            kind: "load".into(),
            seconds: 2.0,
            steps: None,
            policy: None,
            flops: 0.0,
            peak_bytes: None,
            general: None,
            pass_at_1: Some(Interval { mean: 0.25, lo: 0.2, hi: 0.3, n_problems: 9, k: 4 }),
            pass_at_1_by_kind: None,
            response_length: None,
            evaluation_length: Some(11.0),
            format_share: Some(0.5),
            language_share: None,
            truncated_share: None,
            examples: None,
            reward: None,
            reward_accuracy: None,
            phase_seconds: BTreeMap::from([("evaluate".into(), 1.25)]),
        };
        let summary = Summary { recipe: "t".into(), seed: 1, seconds: 4.0, peak_bytes: Some(3 << 20), stages: vec![stage("base")] };
        let text = table(&summary);
        assert!(text.contains("25.0 [20.0, 30.0]") && text.contains(" 11 ") && text.contains("50.0"), "{text}");
        assert!(text.ends_with("4 seconds (evaluate 1), 3.0 MiB at most"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(!text.contains("general"), "{text}");
        let mut with_general = summary.clone();
        with_general.stages[0].general = Some(Interval { mean: 0.75, lo: 0.5, hi: 0.9, n_problems: 4, k: 4 });
        let text = table(&with_general);
        assert!(text.contains("general, % [95%]") && text.contains("75.0 [50.0, 90.0]"), "{text}");
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["stages"][0]["steps"], Value::Null);
        assert_eq!(json["stages"][0]["pass_at_1"]["n_problems"], 9);
    }
}
