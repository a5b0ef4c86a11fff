//! What a recipe means, every value filled in. Saved as `resolved.toml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ruminate_core::Language;
use ruminate_rewards::FormatForm;
use ruminate_tasks::synthetic::{SyntheticKind, SyntheticLanguage};
use serde::{Deserialize, Serialize};

use super::stages::StageKind;
use crate::graders::JudgeConfig;
use crate::sandbox::SandboxSettings;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RunConfig {
    /// Name of the run.
    pub(crate) name: String,
    /// Root of all randomness.
    pub(crate) seed: u64,
    /// Whether sampling and training have the same bits on a GPU, in any batch.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deterministic: bool,
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
    /// How evaluations speak to its policy; `None`: the policy is not evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evaluate: Option<StageEvaluation>,
    /// What it does.
    #[serde(flatten)]
    pub(crate) kind: StageKind,
}

/// How evaluations speak to the policy of a stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct StageEvaluation {
    /// The form that its completions should have.
    pub(crate) form: FormatForm,
    /// How a question becomes a prompt; `None`: as the evaluation says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) template: Option<Template>,
    /// System message of the template `chat`, where `template` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system: Option<String>,
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
    /// A JSONL or Parquet file.
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
