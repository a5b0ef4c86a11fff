//! What the engine samples.

use serde::{Deserialize, Serialize};

/// Index of a token in the policy's vocabulary.
pub type TokenId = u32;

/// Number of optimizer steps behind the weights that sampled a completion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyVersion(pub u64);

/// Why sampling ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// An end-of-sequence token or a stop string.
    Stop,
    /// The token budget or the context was used up.
    Length,
    /// The run was interrupted or the request withdrawn.
    Aborted,
}

/// Sampled tokens of one sample, with the log-probability of each at sampling time.
///
/// `token_ids` and `rollout_logprobs` have equal length. The end-of-sequence token, when sampled, is the last token: it is
/// a decision of the policy and is trained like any other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// Sampled tokens, prompt not included.
    pub token_ids: Vec<TokenId>,
    /// Natural log-probability of each sampled token under the whole distribution at the sampling temperature, before any
    /// truncation by top-k, top-p or min-p.
    pub rollout_logprobs: Vec<f32>,
    /// Why sampling ended.
    pub finish_reason: FinishReason,
    /// Weights that sampled it.
    pub policy_version: PolicyVersion,
}
