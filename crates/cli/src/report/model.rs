//! What a report tells: the figures of runs, as far as their files are there. `--json` prints it.

use std::collections::BTreeMap;

use ruminate_tasks::statistics::{Calibration, Interval, SeedInterval, StratifiedDifference};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::samples::Sample;

/// Figures by step: (step, value), steps ascending.
pub(super) type Points = Vec<(f64, f64)>;

/// One run or several of the same recipe.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The runs, in the order of the command line.
    pub(crate) runs: Vec<RunReport>,
    /// The ladder over seeds, where there are several runs: by stage, then by figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) over_seeds: Option<Vec<SeedStage>>,
}

/// A stage over seeds.
#[derive(Debug, Serialize)]
pub(crate) struct SeedStage {
    /// Name of the stage.
    pub(crate) id: String,
    /// Figures of the ladder by name, such as `pass@1`.
    pub(crate) figures: BTreeMap<&'static str, SeedInterval>,
}

/// How far a run or a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Not begun.
    NotStarted,
    /// A process is at work.
    Running,
    /// Begun, not finished, and no process is at work: stopped, failed or killed.
    Stopped,
    /// Finished.
    Done,
}

impl State {
    /// For people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NotStarted => "not started",
            Self::Running => "running",
            Self::Stopped => "stopped before its end",
            Self::Done => "done",
        }
    }
}

/// One run.
#[derive(Debug, Serialize)]
pub(crate) struct RunReport {
    /// The run directory.
    pub(crate) path: String,
    /// Name of the recipe.
    pub(crate) recipe: Option<String>,
    /// Root of all randomness.
    pub(crate) seed: Option<u64>,
    /// When it was first started, UTC.
    pub(crate) started: Option<String>,
    /// Where it computed.
    pub(crate) device: Option<String>,
    /// Model of that device.
    pub(crate) hardware: Option<String>,
    /// Threads of the CPU.
    pub(crate) n_threads: Option<usize>,
    /// Version of Ruminate and, if known, the commit.
    pub(crate) version: Option<String>,
    /// How far it is.
    pub(crate) state: State,
    /// Time of all stages, over all sittings.
    pub(crate) seconds: f64,
    /// Largest memory of the process.
    pub(crate) peak_bytes: Option<u64>,
    /// Layers of isolation that held for model-written programs, if any were run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sandbox: Option<Value>,
    /// The stages in the order in which they run.
    pub(crate) stages: Vec<StageReport>,
    /// Files that could not be read, and what else the reader should know.
    pub(crate) notes: Vec<String>,
    /// The resolved recipe, TOML.
    #[serde(skip)]
    pub(super) resolved: String,
    /// Chosen completions.
    #[serde(skip)]
    pub(super) samples: Vec<Sample>,
    /// Completions in all files, of which `samples` are chosen.
    pub(crate) n_completions: usize,
}

/// One stage. What does not apply is absent.
#[derive(Debug, Serialize)]
pub(crate) struct StageReport {
    /// Name.
    pub(crate) id: String,
    /// `load`, `grpo`, …
    pub(crate) kind: String,
    /// How far it is.
    pub(crate) state: State,
    /// Time, over all sittings.
    pub(crate) seconds: f64,
    /// Time by phase; `other` is what no phase names.
    pub(crate) phases: BTreeMap<String, f64>,
    /// Optimizer steps made, and those of the recipe.
    pub(crate) steps: Option<u64>,
    /// Optimizer steps that the recipe asks for.
    pub(crate) planned_steps: Option<u64>,
    /// Floating-point operations.
    pub(crate) flops: Option<f64>,
    /// Largest memory while it ran.
    pub(crate) peak_bytes: Option<u64>,
    /// The policy that it made.
    pub(crate) policy: Option<String>,
    /// Ids of the stages that it reads.
    pub(crate) reads: Vec<String>,
    /// Hash of everything that it depends on.
    pub(crate) inputs_hash: Option<String>,
    /// Hashes of its inputs, by stage or file.
    pub(crate) lineage: BTreeMap<String, String>,
    /// Figures of its evaluation.
    pub(crate) evaluation: Option<EvaluationFigures>,
    /// Figures by step.
    #[serde(skip)]
    pub(super) curves: BTreeMap<String, Points>,
    /// Words of reflection.
    pub(crate) reflection: Option<Reflection>,
    /// What a collection kept and why it dropped the rest.
    pub(crate) yields: Option<Yield>,
    /// What reviewers said.
    pub(crate) review: Option<BTreeMap<String, usize>>,
    /// Accuracy and calibration of a reward model.
    pub(crate) reward_model: Option<RewardModel>,
    /// Comparison of stages.
    pub(crate) comparison: Option<Comparison>,
    /// Variants of a fine-tuning stage, as it wrote them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) variants: Option<Value>,
}

/// `evaluation.json`, as far as it is there, with what its rollouts tell.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct EvaluationFigures {
    /// Share of right completions.
    pub(crate) pass_at_1: Option<Interval>,
    /// Probability that one of k is right.
    pub(crate) pass_at_k: Option<Interval>,
    /// Correctness of the majority answer among k.
    pub(crate) cons_at_k: Option<Interval>,
    /// Share of responses to general requests that keep to their rules.
    pub(crate) general: Option<Interval>,
    /// pass@1 by kind.
    #[serde(default)]
    pub(crate) pass_at_1_by_kind: BTreeMap<String, Interval>,
    /// Tokens of a completion.
    pub(crate) response_length: Option<f64>,
    /// Share of completions in the asked form.
    pub(crate) format_share: Option<f64>,
    /// Share of target-language words in the reasoning.
    pub(crate) language_share: Option<f64>,
    /// Share of completions cut off by the budget.
    pub(crate) truncated_share: Option<f64>,
    /// Reflection words in a completion.
    pub(crate) reflection_words: Option<f64>,
    /// Time.
    pub(crate) seconds: Option<f64>,
    /// Means over problems of form, language and length with intervals, from the rollouts.
    #[serde(default, skip_deserializing)]
    pub(crate) spreads: BTreeMap<&'static str, Interval>,
}

/// Reflection words of a training stage.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reflection {
    /// Completions that were counted.
    pub(crate) n_completions: usize,
    /// Each word that occurs: its number, and how often a completion has it, by step.
    pub(crate) words: Vec<WordCount>,
    /// Words that never occur.
    pub(crate) absent: Vec<&'static str>,
    /// Share of completions with at least one word, by step.
    #[serde(skip)]
    pub(super) share: Points,
    /// Accuracy with and without, by kind of problem.
    pub(crate) kinds: Vec<ReflectionAccuracy>,
    /// Accuracy with and without, over all kinds.
    pub(crate) all: ReflectionAccuracy,
}

/// How often a word occurs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct WordCount {
    /// The word.
    pub(crate) word: &'static str,
    /// Its number.
    pub(crate) n: u64,
    /// Occurrences in a completion, by step.
    #[serde(skip)]
    pub(super) points: Points,
}

/// Accuracy of completions with and without reflection words.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReflectionAccuracy {
    /// Kind of problem.
    pub(crate) kind: String,
    /// Completions with reflection words.
    pub(crate) n_with: usize,
    /// Those without.
    pub(crate) n_without: usize,
    /// Accuracy of those with.
    pub(crate) with: Option<Interval>,
    /// Accuracy of those without.
    pub(crate) without: Option<Interval>,
    /// Difference within the same kind and tenth of training.
    pub(crate) difference: Option<StratifiedDifference>,
}

/// `yield.json` of a collection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Yield {
    /// By source.
    #[serde(default)]
    pub(crate) sources: Vec<SourceYield>,
    /// Prompts that were sampled.
    pub(crate) n_prompts: Option<u64>,
    /// What reviewers decided.
    pub(crate) reviewed: Option<BTreeMap<String, usize>>,
}

/// What came of one source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SourceYield {
    /// Name.
    pub(crate) source: String,
    /// Completions sampled.
    #[serde(default)]
    pub(crate) sampled: u64,
    /// Completions kept.
    #[serde(default)]
    pub(crate) kept: u64,
    /// Completions dropped, by filter.
    #[serde(default)]
    pub(crate) dropped: BTreeMap<String, u64>,
}

/// `reward_model.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RewardModel {
    /// Figures on prompts that were held out.
    pub(crate) held_out: Option<HeldOut>,
    /// Everything else that it says.
    #[serde(flatten)]
    pub(crate) more: BTreeMap<String, Value>,
}

/// Figures of a reward model on prompts that it has not seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HeldOut {
    /// Share of right preferences or labels.
    pub(crate) accuracy: Option<Interval>,
    /// Predicted against observed.
    pub(crate) calibration: Option<Calibration>,
    /// How far scores follow the length of the response.
    pub(crate) length: Option<Value>,
    /// Mean loss, nats.
    pub(crate) loss: Option<f64>,
}

/// `comparison.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// The stages that are compared.
    #[serde(default)]
    pub(crate) stages: Vec<ComparedStage>,
    /// Differences on the same problems.
    #[serde(default)]
    pub(crate) pairs: Vec<ComparedPair>,
}

/// A stage in a comparison.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ComparedStage {
    /// Name.
    pub(crate) id: String,
    /// On the evaluation's problems.
    pub(crate) pass_at_1: Option<Interval>,
    /// Floating-point operations, those of the stages before it included.
    pub(crate) flops: Option<f64>,
}

/// A difference between two stages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ComparedPair {
    /// The one.
    pub(crate) before: String,
    /// The other.
    pub(crate) after: String,
    /// pass@1 of the other minus that of the one, on the same problems.
    pub(crate) difference: Interval,
    /// Whether the interval leaves out 0.
    #[serde(default)]
    pub(crate) significant: bool,
}
