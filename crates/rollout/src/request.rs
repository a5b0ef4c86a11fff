//! What is asked of the engine, and why it can refuse.

use ruminate_core::{Seed, TokenId};
use ruminate_model::ModelError;

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingParams {
    /// Logits are divided by it; 0 takes the most probable token.
    pub temperature: f32,
    /// Keep the k most probable tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep the most probable tokens that together have this probability; 1 keeps all.
    pub top_p: f32,
    /// Keep tokens with at least this share of the largest probability; 0 keeps all.
    pub min_p: f32,
}

impl Default for SamplingParams {
    /// The policy's own distribution, as R1-Zero samples.
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0 }
    }
}

impl SamplingParams {
    /// # Errors
    /// [`RolloutError::Params`] for a number outside its range.
    pub fn validate(&self) -> Result<(), RolloutError> {
        let checks = [
            ("temperature", self.temperature, "a number of at least 0", self.temperature.is_finite() && self.temperature >= 0.0),
            ("top_p", self.top_p, "above 0, at most 1", self.top_p > 0.0 && self.top_p <= 1.0),
            ("min_p", self.min_p, "at least 0, below 1", (0.0..1.0).contains(&self.min_p)),
        ];
        match checks.iter().find(|check| !check.3) {
            Some(&(key, found, expected, _)) => Err(RolloutError::Params { key, expected, found }),
            None => Ok(()),
        }
    }
}

/// One prompt and how often to continue it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Randomness key of the prompt; the engine adds the sample's index and the token's position.
    pub key: Seed,
    /// Prompt tokens, at least one.
    pub prompt_ids: Vec<TokenId>,
    /// Samples to draw.
    pub n_samples: u32,
    /// Most tokens per sample, the end-of-sequence token included.
    pub max_new_tokens: usize,
    /// How tokens are drawn.
    pub params: SamplingParams,
    /// A sample ends as soon as its text holds one of these.
    pub stop: Vec<String>,
}

/// Why sampling is not possible.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// A sampling parameter outside its range.
    #[error("{key}: expected {expected}, found {found}")]
    Params {
        /// Its name.
        key: &'static str,
        /// Its range.
        expected: &'static str,
        /// Its value.
        found: f32,
    },
    /// A prompt without tokens.
    #[error("request {request_idx}: expected a prompt of at least one token, found none")]
    EmptyPrompt {
        /// Index of the request.
        request_idx: usize,
    },
    /// A prompt that leaves no room for an answer.
    #[error("request {request_idx}: expected a prompt shorter than the context of {context} tokens, found {length} tokens")]
    PromptTooLong {
        /// Index of the request.
        request_idx: usize,
        /// Tokens of the prompt.
        length: usize,
        /// Longest sequence of the model.
        context: usize,
    },
    /// A prompt token that the model does not have.
    #[error("request {request_idx}: expected token ids below the vocabulary of {vocab}, found {id}")]
    UnknownToken {
        /// Index of the request.
        request_idx: usize,
        /// The token.
        id: TokenId,
        /// Tokens of the vocabulary.
        vocab: usize,
    },
    /// One sequence needs more cache than there is.
    #[error(
        "request {request_idx}: expected at most {n_pages} cache pages per sequence, found {needed}; raise the cache or lower max_new_tokens"
    )]
    CacheTooSmall {
        /// Index of the request.
        request_idx: usize,
        /// Pages that the sequence needs.
        needed: usize,
        /// Pages of the cache.
        n_pages: usize,
    },
    /// The policy's distribution is not finite.
    #[error(
        "request {request_idx}, sample {sample_idx}, token {position}: expected a finite log-probability, found {found}; the weights hold NaN or infinity"
    )]
    NonFinite {
        /// Index of the request.
        request_idx: usize,
        /// Index of the sample.
        sample_idx: u32,
        /// Position within the completion.
        position: usize,
        /// The log-probability.
        found: f32,
    },
    /// The model or its device could not do it.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl From<ruminate_compute::ComputeError> for RolloutError {
    fn from(error: ruminate_compute::ComputeError) -> Self {
        Self::Model(error.into())
    }
}
