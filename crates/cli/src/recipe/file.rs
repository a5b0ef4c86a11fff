//! What a recipe file may hold. Every table refuses keys that are not listed here.

use ruminate_rewards::FormatForm;
use ruminate_tasks::synthetic::{SyntheticKind, SyntheticLanguage};
use serde::Deserialize;
use toml::{Table, Value};

use super::config::{DataSplit, Template};

/// The whole file.
#[derive(Debug, Deserialize)]
pub(super) struct RecipeFile {
    /// Name of the run, and of its directory under `runs/`.
    pub(super) name: String,
    /// Root of all randomness.
    #[serde(default)]
    pub(super) seed: u64,
    /// Whether sampling and training have the same bits on a GPU, in any batch; default false. The CPU always has.
    #[serde(default)]
    pub(super) deterministic: bool,
    /// Values that the user gives with `--set`.
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest, since the rest refers to it; here it makes the key known")]
    pub(super) inputs: Table,
    /// How each policy is evaluated; without it none is.
    pub(super) evaluation: Option<Table>,
    /// How model-written programs are run.
    pub(super) sandbox: Option<Table>,
    /// Who judges answers that no rule can compare.
    pub(super) judge: Option<Table>,
    /// The stages, in any order.
    #[serde(default)]
    pub(super) stage: Vec<Table>,
}

/// A value that the user gives: `model = { help = "Hugging Face folder or GGUF file" }`.
#[derive(Debug, Deserialize)]
pub(super) struct InputFile {
    /// What it is, for the message that asks for it.
    #[serde(default)]
    pub(super) help: String,
    /// Used when it is not given.
    pub(super) default: Option<String>,
}

/// `[evaluation]`.
#[derive(Debug, Deserialize)]
pub(super) struct EvaluationFile {
    /// Default: those of the first `grpo` stage.
    pub(super) prompts: Option<Vec<Value>>,
    /// Default: that of the first `grpo` stage.
    pub(super) template: Option<Template>,
    /// System message of the template `chat`; default: one that asks for the answer form.
    pub(super) system: Option<String>,
    /// Problems, over all sources; default 200.
    pub(super) n_problems: Option<usize>,
    /// Completions of each problem; default 4.
    pub(super) samples: Option<u32>,
    /// Default 0.6, as DeepSeek-R1 is evaluated.
    pub(super) temperature: Option<f32>,
    /// Default 0.95, as DeepSeek-R1 is evaluated.
    pub(super) top_p: Option<f32>,
    /// Keep the k most probable tokens; default 0: all.
    pub(super) top_k: Option<u32>,
    /// Keep tokens with at least this share of the largest probability; default 0: all.
    pub(super) min_p: Option<f32>,
    /// Default: that of the first `grpo` stage.
    pub(super) max_new_tokens: Option<usize>,
    /// Sequences decoded at once; default 64.
    pub(super) max_batch: Option<usize>,
    /// Strings that end a completion; default: the template's.
    pub(super) stop: Option<Vec<String>>,
}

/// What every stage has.
#[derive(Debug, Deserialize)]
pub(super) struct StageHead {
    /// Name, unique, and name of the stage's directory.
    pub(super) id: String,
    /// What it does: the name of a kind.
    pub(super) kind: String,
    /// Whether its policy is evaluated, if the recipe has an evaluation; default: it is.
    pub(super) evaluate: Option<bool>,
    /// The form that evaluations of its policy look for; default: the one that the stage rewards, or think_answer.
    pub(super) form: Option<FormatForm>,
}

/// A synthetic source of problems: `{ source = "arithmetic", difficulties = [1, 2] }`.
#[derive(Debug, Deserialize)]
pub(super) struct SyntheticFile {
    /// Kind of problem.
    pub(super) source: SyntheticKind,
    /// Default: all of the kind.
    pub(super) difficulties: Option<Vec<u32>>,
    /// Default: English and Chinese.
    pub(super) languages: Option<Vec<SyntheticLanguage>>,
    /// Share of the problems; default 1.
    pub(super) weight: Option<f32>,
}

/// A file of problems: `{ data = "$data", form = "gsm8k" }`.
#[derive(Debug, Deserialize)]
pub(super) struct DataFile {
    /// JSONL or Parquet file.
    pub(super) data: String,
    /// Form of its lines; default: told from the first line.
    pub(super) form: Option<String>,
    /// Language that reasoning should be in; default: that of each question.
    pub(super) language: Option<ruminate_core::Language>,
    /// Which problems of the file; default `train` in a stage and `held-out` in `[evaluation]`.
    pub(super) split: Option<DataSplit>,
    /// Share of the problems; default 1.
    pub(super) weight: Option<f32>,
    /// At most so many problems, from the start of the file.
    pub(super) limit: Option<usize>,
}
