//! Losses as pure functions of log-probabilities: values and their gradients in, nothing else touched.

mod grpo;
mod reward;
mod sft;

use serde::{Deserialize, Serialize};

pub use grpo::{GrpoLossConfig, KlEstimator, LossConfigError, LossInputs, LossMetrics, LossOutputs, Objective, RatioLevel, grpo_loss};
pub use reward::{PairwiseOutputs, PointwiseOutputs, pairwise_loss, pointwise_loss, sigmoid};
pub use sft::{SftOutputs, sft_loss, weighted_sft_loss};

/// How per-token losses become one number. N sequences, |y_i| tokens in sequence i, both of the whole optimizer batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// Mean over the tokens of each sequence, then over sequences: 1/(N·|y_i|) each (GRPO, arXiv 2402.03300).
    PerSequence,
    /// Mean over all trained tokens: 1/Σ|y_i| each (DAPO, arXiv 2503.14476).
    Token,
    /// One constant whatever the lengths: 1/(N·`length`) each, `length` being the generation budget (Dr. GRPO, arXiv 2503.20783).
    Constant {
        /// Tokens.
        length: u32,
    },
}

/// Size of a whole optimizer batch. Every microbatch is given the totals of the batch, so that their losses and gradients add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchTotals {
    /// Sequences, those without tokens included.
    pub n_sequences: usize,
    /// Trained tokens.
    pub n_tokens: usize,
}

impl BatchTotals {
    /// The totals of sequences of these lengths, counted in trained tokens.
    pub fn of_lengths(lengths: impl IntoIterator<Item = usize>) -> Self {
        lengths.into_iter().fold(Self::default(), |t, n| Self { n_sequences: t.n_sequences + 1, n_tokens: t.n_tokens + n })
    }
}

impl Normalisation {
    /// Weight of the loss of each token of a sequence of `n_tokens` tokens. A sequence without tokens has no token to weigh.
    fn token_weight(self, n_tokens: usize, totals: BatchTotals) -> f64 {
        let denominator = match self {
            Normalisation::PerSequence => totals.n_sequences as f64 * n_tokens as f64,
            Normalisation::Token => totals.n_tokens as f64,
            Normalisation::Constant { length } => totals.n_sequences as f64 * f64::from(length),
        };
        1.0 / denominator
    }
}
