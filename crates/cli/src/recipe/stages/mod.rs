//! Kinds of stages: of each what may be written, what it means, and the way from one to the other.

mod collect;
mod compare;
mod grpo;
mod load;
mod pretrain;
mod reward_model;
mod sft;

pub(crate) use collect::{Ask, BUILTIN_GENERAL, CollectConfig, CollectSource, Method, Rewriter, TeacherConfig, Who};
pub(crate) use compare::CompareConfig;
pub(crate) use grpo::{Control, GrpoConfig, StopOnHacking};
pub(crate) use load::LoadConfig;
pub(crate) use pretrain::PretrainConfig;
pub(crate) use reward_model::{JudgeKind, MadeSource, RewardLoss, RewardModelConfig, RewardSource};
use ruminate_rewards::FormatForm;
use serde::Serialize;
pub(crate) use sft::{BestBy, ExampleSource, SftConfig, SftVariant, TooLong};
use toml::Table;

use super::config::{PromptSource, StageEvaluation};
use super::error::{Problem, RecipeError};
use super::source::{Part, Source};

/// What a stage does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum StageKind {
    /// Takes a policy from a file.
    Load(LoadConfig),
    /// Trains a small policy on the built-in corpus from random weights.
    Pretrain(Box<PretrainConfig>),
    /// Collects conversations to learn from.
    Collect(Box<CollectConfig>),
    /// Reinforcement learning.
    Grpo(Box<GrpoConfig>),
    /// Trains a model that scores responses.
    RewardModel(Box<RewardModelConfig>),
    /// Supervised fine-tuning.
    Sft(Box<SftConfig>),
    /// Holds policies against each other.
    Compare(CompareConfig),
}

impl StageKind {
    /// Names of all kinds, as recipes write them.
    const NAMES: [&'static str; 7] = ["load", "pretrain", "collect", "grpo", "reward_model", "sft", "compare"];

    /// Reads what a stage's table says besides `id` and `kind`.
    pub(super) fn resolve(kind: &str, source: &Source, body: &Table, part: &Part) -> Result<Self, RecipeError> {
        Ok(match kind {
            "load" => Self::Load(load::resolve(source, body, part)?),
            "pretrain" => Self::Pretrain(Box::new(pretrain::resolve(source, body, part)?)),
            "collect" => Self::Collect(Box::new(collect::resolve(source, body, part)?)),
            "grpo" => Self::Grpo(Box::new(grpo::resolve(source, body, part)?)),
            "reward_model" => Self::RewardModel(Box::new(reward_model::resolve(source, body, part)?)),
            "sft" => Self::Sft(Box::new(sft::resolve(source, body, part)?)),
            "compare" => Self::Compare(compare::resolve(source, body, part)?),
            other => {
                let known = Self::NAMES.map(str::to_owned).to_vec();
                return Err(source.error(part, Some("kind"), Problem::unknown_name("kind", other, known)));
            }
        })
    }

    /// The kind's name in recipes and summaries.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Load(_) => "load",
            Self::Pretrain(_) => "pretrain",
            Self::Collect(_) => "collect",
            Self::Grpo(_) => "grpo",
            Self::RewardModel(_) => "reward_model",
            Self::Sft(_) => "sft",
            Self::Compare(_) => "compare",
        }
    }

    /// How evaluations speak to the policy that the stage makes: as the stage itself does.
    pub(super) fn evaluation(&self) -> StageEvaluation {
        match self {
            Self::Load(_) | Self::Pretrain(_) | Self::Collect(_) | Self::RewardModel(_) | Self::Compare(_) => StageEvaluation::default(),
            // The form of all that is learned behind R1-Zero.
            Self::Sft(config) => {
                StageEvaluation { form: FormatForm::ThinkSummary, template: Some(config.template), system: config.system.clone() }
            }
            Self::Grpo(config) => {
                StageEvaluation { form: config.rewards.options.format, template: Some(config.template), system: config.system.clone() }
            }
        }
    }

    /// Where the stage's problems come from.
    pub(crate) fn prompts(&self) -> &[PromptSource] {
        match self {
            Self::Load(_) | Self::Pretrain(_) | Self::Sft(_) | Self::Compare(_) => &[],
            Self::Collect(config) => &config.prompts,
            Self::Grpo(config) => &config.prompts,
            Self::RewardModel(config) => config.prompts(),
        }
    }

    /// Ids of the stages that this one reads, each with the key that names it.
    pub(crate) fn needs(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Load(_) | Self::Pretrain(_) => Vec::new(),
            Self::Collect(config) => config.policies().map(|id| ("source", id)).collect(),
            Self::Grpo(config) => {
                let scored_by = config.reward_models.each().map(|(_, id)| ("reward_models", id));
                let compute_of = config.compute_of.iter().map(|id| ("compute_of", id.as_str()));
                std::iter::once(("policy", config.policy.as_str())).chain(scored_by).chain(compute_of).collect()
            }
            Self::Sft(config) => {
                let policies = config.policies.iter().map(|id| ("policy", id.as_str()));
                policies.chain(config.example_stages().map(|id| ("examples", id))).collect()
            }
            Self::Compare(config) => config.stages.iter().map(|id| ("stages", id.as_str())).collect(),
            Self::RewardModel(config) => {
                let responses_from = config.responses_from().iter().map(|id| ("responses_from", id.as_str()));
                std::iter::once(("policy", config.policy.as_str())).chain(responses_from).collect()
            }
        }
    }

    /// Why another stage cannot use this one under the key that names it; `None` if it can.
    pub(super) fn misfit(&self, key: &str) -> Option<String> {
        let expected = match (key, self) {
            // What was spent, and what was evaluated, is seen when it is read.
            ("examples", Self::Collect(_)) | ("compute_of" | "stages", _) => return None,
            ("examples", _) => "of kind collect",
            // A loaded model may be of either kind: that is seen when it is opened.
            (_, Self::Load(_)) | ("reward_models", Self::RewardModel(_)) => return None,
            ("reward_models", _) => "of kind reward_model or load",
            (_, Self::RewardModel(_) | Self::Collect(_) | Self::Compare(_)) => "that makes a policy",
            _ => return None,
        };
        Some(format!("expected a stage {expected}, found one of kind {}", self.name()))
    }
}

/// For keys that are left out of a resolved recipe where they say nothing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}
