//! What a recipe file may hold. Every table refuses keys that are not listed here.

use ruminate_tasks::synthetic::{SyntheticKind, SyntheticLanguage};
use ruminate_train::schedule::ScheduleKind;
use serde::Deserialize;
use toml::{Table, Value};

use super::config::{Control, DataSplit, Template};

/// The whole file.
#[derive(Debug, Deserialize)]
pub(super) struct RecipeFile {
    /// Name of the run, and of its directory under `runs/`.
    pub(super) name: String,
    /// Root of all randomness.
    #[serde(default)]
    pub(super) seed: u64,
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
    /// `load`, `pretrain` or `grpo`.
    pub(super) kind: String,
}

/// `kind = "load"`.
#[derive(Debug, Deserialize)]
pub(super) struct LoadFile {
    /// Hugging Face folder, GGUF file, or `builtin:tiny`.
    pub(super) path: String,
}

/// `kind = "pretrain"`.
#[derive(Debug, Deserialize)]
pub(super) struct PretrainFile {
    /// Name of a shape.
    pub(super) shape: String,
    /// Tokens to train on.
    pub(super) tokens: u64,
    /// Peak learning rate.
    pub(super) learning_rate: f32,
    /// Default `cosine`.
    pub(super) schedule: Option<ScheduleKind>,
    /// Default: a fiftieth of the steps.
    pub(super) warmup_steps: Option<u64>,
    /// Last learning rate as a share of the peak; default 0.1.
    pub(super) floor_ratio: Option<f32>,
    /// Tokens of an optimizer step.
    pub(super) batch_tokens: usize,
    /// Tokens of a forward pass; default: `batch_tokens`, at most 8192.
    pub(super) microbatch_tokens: Option<usize>,
    /// Default 0.1.
    pub(super) weight_decay: Option<f32>,
    /// Default 0.9 and 0.95.
    pub(super) adam_betas: Option<[f32; 2]>,
    /// Default 1e-8.
    pub(super) adam_eps: Option<f32>,
    /// Default 1.
    pub(super) max_grad_norm: Option<f32>,
    /// Steps between saved states; default 200.
    pub(super) save_every: Option<u64>,
    /// What the documents are like; default: the built-in mix.
    pub(super) corpus: Option<Table>,
}

/// `kind = "grpo"`; every key of a preset but `max_completion_tokens` may stand beside these and replaces the preset's value.
#[derive(Debug, Deserialize)]
pub(super) struct GrpoFile {
    /// Id of the stage whose policy is trained.
    pub(super) policy: String,
    /// Name of a preset.
    pub(super) preset: String,
    /// Where problems come from.
    pub(super) prompts: Vec<Value>,
    /// How a question becomes a prompt.
    pub(super) template: Template,
    /// System message of the template `chat`.
    pub(super) system: Option<String>,
    /// Weights of the rewards; default: accuracy and format, equally.
    pub(super) rewards: Option<Table>,
    /// Optimizer steps.
    pub(super) steps: u64,
    /// Generation budget; replaces `max_completion_tokens` of the preset.
    pub(super) max_new_tokens: Option<u32>,
    /// Default 1: no truncation.
    pub(super) top_p: Option<f32>,
    /// Keep the k most probable tokens; default 0: all.
    pub(super) top_k: Option<u32>,
    /// Keep tokens with at least this share of the largest probability; default 0: all.
    pub(super) min_p: Option<f32>,
    /// Sequences decoded at once; default 64.
    pub(super) max_batch: Option<usize>,
    /// Tokens of a training forward pass; default 4096.
    pub(super) microbatch_tokens: Option<usize>,
    /// Strings that end a completion; default: the template's.
    pub(super) stop: Option<Vec<String>>,
    /// Steps between saved states; default 10.
    pub(super) save_every: Option<u64>,
    /// Steps between evaluations on the way; default: none.
    pub(super) evaluate_every: Option<u64>,
    /// Takes the reason to learn away, to see that nothing else is at work.
    pub(super) control: Option<Control>,
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
    /// JSONL file.
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
