//! Completions with everything that training and reports need to know about them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Completion, Problem, TokenId, Verdict};

/// One completion with its text and verdicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// Index of the sample within its group.
    pub sample_idx: u32,
    /// What the policy sampled.
    pub completion: Completion,
    /// The completion decoded for graders and people; never tokenized again.
    pub text: String,
    /// Verdict by component, such as `accuracy` and `format`.
    pub verdicts: BTreeMap<String, Verdict>,
    /// Weighted sum of the verdicts' rewards.
    pub reward: f32,
}

/// All rollouts of one prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutGroup {
    /// The question.
    pub problem: Problem,
    /// The tokens shown to the policy.
    pub prompt_ids: Vec<TokenId>,
    /// Its rollouts, ordered by `sample_idx`.
    pub rollouts: Vec<Rollout>,
}
