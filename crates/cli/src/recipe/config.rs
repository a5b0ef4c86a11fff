//! What a recipe means, every value filled in. Saved as `resolved.toml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ruminate_core::Language;
use ruminate_rewards::RewardMix;
use ruminate_tasks::synthetic::corpus::CorpusMix;
use ruminate_tasks::synthetic::{SyntheticKind, SyntheticLanguage};
use ruminate_train::presets::GrpoPreset;
use ruminate_train::schedule::ScheduleConfig;
use serde::{Deserialize, Serialize};

use crate::graders::JudgeConfig;
use crate::sandbox::SandboxSettings;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RunConfig {
    /// Name of the run.
    pub(crate) name: String,
    /// Root of all randomness.
    pub(crate) seed: u64,
    /// Values of the inputs.
    pub(crate) inputs: BTreeMap<String, String>,
    /// How each policy is evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evaluation: Option<EvaluationConfig>,
    /// How model-written programs are run.
    #[serde(skip_serializing_if = "SandboxSettings::is_default")]
    pub(crate) sandbox: SandboxSettings,
    /// Who judges answers that no rule can compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) judge: Option<JudgeConfig>,
    /// The stages, each after those that it needs.
    #[serde(rename = "stage")]
    pub(crate) stages: Vec<StageConfig>,
}

impl RunConfig {
    /// The resolved recipe as TOML.
    pub(crate) fn to_toml(&self) -> String {
        toml::to_string(self).expect("every value of a resolved recipe has a TOML form")
    }

    /// Hash of the resolved recipe: two runs with the same hash do the same.
    pub(crate) fn hash(&self) -> String {
        blake3::hash(self.to_toml().as_bytes()).to_hex()[..32].to_owned()
    }
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct StageConfig {
    /// Name, unique.
    pub(crate) id: String,
    /// What it does.
    #[serde(flatten)]
    pub(crate) kind: StageKind,
}

/// What a stage does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum StageKind {
    /// Takes a policy from a file.
    Load(LoadConfig),
    /// Trains a small policy on the built-in corpus from random weights.
    Pretrain(PretrainConfig),
    /// Reinforcement learning.
    Grpo(Box<GrpoConfig>),
}

impl StageKind {
    /// The kind's name in recipes and summaries.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Load(_) => "load",
            Self::Pretrain(_) => "pretrain",
            Self::Grpo(_) => "grpo",
        }
    }

    /// Id of the stage whose policy this one starts from.
    pub(crate) fn policy(&self) -> Option<&str> {
        match self {
            Self::Load(_) | Self::Pretrain(_) => None,
            Self::Grpo(config) => Some(&config.policy),
        }
    }
}

/// A policy from a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LoadConfig {
    /// Hugging Face folder, GGUF file, or `builtin:tiny`.
    pub(crate) path: String,
}

/// Pretraining on the built-in corpus.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PretrainConfig {
    /// Name of a shape, see `shapes`.
    pub(crate) shape: String,
    /// Tokens to train on; the last step is a whole one.
    pub(crate) tokens: u64,
    /// Tokens of an optimizer step.
    pub(crate) batch_tokens: usize,
    /// Most tokens of a forward pass.
    pub(crate) microbatch_tokens: usize,
    /// Decoupled weight decay of AdamW.
    pub(crate) weight_decay: f32,
    /// β1 and β2 of AdamW.
    pub(crate) adam_betas: [f32; 2],
    /// ε of AdamW.
    pub(crate) adam_eps: f32,
    /// Global gradient norm above which gradients are scaled down.
    pub(crate) max_grad_norm: f32,
    /// Steps between saved states.
    pub(crate) save_every: u64,
    /// Learning rate by step.
    pub(crate) schedule: ScheduleConfig,
    /// What the documents are like.
    pub(crate) corpus: CorpusMix,
}

impl PretrainConfig {
    /// Optimizer steps.
    pub(crate) fn n_steps(&self) -> u64 {
        self.tokens.div_ceil(self.batch_tokens as u64)
    }
}

/// Reinforcement learning from rule-based rewards.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct GrpoConfig {
    /// Id of the stage whose policy is trained.
    pub(crate) policy: String,
    /// Name of the preset that `settings` started from.
    pub(crate) preset: String,
    /// How a question becomes a prompt.
    pub(crate) template: Template,
    /// System message of the template `chat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system: Option<String>,
    /// Optimizer steps.
    pub(crate) steps: u64,
    /// Nucleus of sampling; 1 is the whole distribution.
    pub(crate) top_p: f32,
    /// Most probable tokens that are kept; 0 keeps all.
    pub(crate) top_k: u32,
    /// Least share of the largest probability that is kept; 0 keeps all.
    pub(crate) min_p: f32,
    /// Sequences decoded at once.
    pub(crate) max_batch: usize,
    /// Most tokens of a training forward pass.
    pub(crate) microbatch_tokens: usize,
    /// Strings that end a completion.
    pub(crate) stop: Vec<String>,
    /// Steps between saved states.
    pub(crate) save_every: u64,
    /// Steps between evaluations on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evaluate_every: Option<u64>,
    /// What is taken away, in a control run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) control: Option<Control>,
    /// Weights of the rewards.
    pub(crate) rewards: RewardMix,
    /// Preset with the recipe's changes; its `max_completion_tokens` is the generation budget.
    pub(crate) settings: GrpoPreset,
    /// Where problems come from.
    pub(crate) prompts: Vec<PromptSource>,
}

/// Evaluation of a policy on held-out problems.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct EvaluationConfig {
    /// How a question becomes a prompt.
    pub(crate) template: Template,
    /// System message of the template `chat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system: Option<String>,
    /// Problems, over all sources.
    pub(crate) n_problems: usize,
    /// Completions of each problem.
    pub(crate) samples: u32,
    /// Sampling temperature; 0 is greedy.
    pub(crate) temperature: f32,
    /// Nucleus of sampling.
    pub(crate) top_p: f32,
    /// Most probable tokens that are kept; 0 keeps all.
    pub(crate) top_k: u32,
    /// Least share of the largest probability that is kept; 0 keeps all.
    pub(crate) min_p: f32,
    /// Generation budget.
    pub(crate) max_new_tokens: usize,
    /// Sequences decoded at once.
    pub(crate) max_batch: usize,
    /// Strings that end a completion.
    pub(crate) stop: Vec<String>,
    /// Where problems come from.
    pub(crate) prompts: Vec<PromptSource>,
}

/// Where problems come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum PromptSource {
    /// The built-in world.
    Synthetic {
        /// Kind of problem.
        source: SyntheticKind,
        /// Difficulties, equally often.
        difficulties: Vec<u32>,
        /// Languages, equally often.
        languages: Vec<SyntheticLanguage>,
        /// Share of the problems.
        weight: f32,
    },
    /// A JSONL file.
    File {
        /// The file.
        data: PathBuf,
        /// Form of its lines.
        #[serde(skip_serializing_if = "Option::is_none")]
        form: Option<String>,
        /// Language that reasoning should be in; `None`: that of each question.
        #[serde(skip_serializing_if = "Option::is_none")]
        language: Option<Language>,
        /// Which of its problems.
        split: DataSplit,
        /// Share of the problems.
        weight: f32,
        /// At most so many problems, from the start of the file.
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
    },
}

impl PromptSource {
    /// Share of the problems, not normalised.
    pub(crate) fn weight(&self) -> f32 {
        match self {
            Self::Synthetic { weight, .. } | Self::File { weight, .. } => *weight,
        }
    }
}

/// How a question becomes a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Template {
    /// The fewest marks, for the tiny base model.
    Tiny,
    /// The template of the DeepSeek-R1 paper, table 1, for base models.
    R1Zero,
    /// The checkpoint's own chat template.
    Chat,
}

impl Template {
    /// Strings that end a completion. A base model prompted with the paper's template goes on to write the next user's question: the
    /// end of the answer is the end.
    pub(crate) fn default_stop(self) -> Vec<String> {
        match self {
            Self::Tiny | Self::Chat => Vec::new(),
            Self::R1Zero => vec!["</answer>".to_owned()],
        }
    }
}

/// Which problems of a file. A tenth of them, chosen by a hash of the question, is held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DataSplit {
    /// The nine tenths for training.
    Train,
    /// The tenth for evaluation.
    HeldOut,
    /// Every problem, for files that hold one split already.
    All,
}

/// What a control run takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Control {
    /// Every advantage is zero: nothing but the KL term and weight decay is left to learn from.
    ZeroAdvantage,
}
