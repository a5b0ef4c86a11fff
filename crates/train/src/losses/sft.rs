//! Cross-entropy on completions only.
//!
//! loss = −Σ_t w_t log π(y_t), with w from [`Normalisation`]: `Token` is the mean over trained tokens of the batch, which weighs long
//! answers more; `PerSequence` gives every answer the same weight. Prompt tokens never appear here: see [`crate::packing::PackedBatch`].

use super::{BatchTotals, Normalisation, check_bounds};

/// What [`sft_loss`] returns. Losses and `nll_sum` of microbatches add up.
#[derive(Clone, Debug, PartialEq)]
pub struct SftOutputs {
    /// This microbatch's share of the batch loss, nats.
    pub loss: f64,
    /// Derivative of `loss` by each log-probability.
    pub dlogprobs: Vec<f32>,
    /// Sum of −log π over the microbatch, whatever the normalisation; over the token count it is the cross-entropy to report.
    pub nll_sum: f64,
}

/// Cross-entropy of a microbatch and its gradient.
///
/// `policy_logprobs` holds the natural log-probability of each trained token; sequence i is `cu_seqlens[i]..cu_seqlens[i + 1]`.
/// A log-probability that is not finite makes the loss not finite.
/// With [`Normalisation::PerSequence`] every sequence must be whole.
///
/// # Panics
/// If the bounds do not fit the tokens or the totals are smaller than the microbatch.
pub fn sft_loss(policy_logprobs: &[f32], cu_seqlens: &[usize], normalisation: Normalisation, totals: BatchTotals) -> SftOutputs {
    check_bounds(cu_seqlens, policy_logprobs.len(), totals);
    let mut outputs = SftOutputs { loss: 0.0, dlogprobs: Vec::with_capacity(policy_logprobs.len()), nll_sum: 0.0 };
    for bounds in cu_seqlens.windows(2) {
        let tokens = &policy_logprobs[bounds[0]..bounds[1]];
        let weight = normalisation.token_weight(tokens.len(), totals);
        let nll: f64 = tokens.iter().map(|&l| -f64::from(l)).sum();
        if !tokens.is_empty() {
            outputs.loss += weight * nll;
        }
        outputs.nll_sum += nll;
        outputs.dlogprobs.extend(tokens.iter().map(|_| -weight as f32));
    }
    outputs
}

/// Weighted cross-entropy of a microbatch and its gradient: −Σ_t w_t log π(y_t) / W, with W = `total_weight` the sum of the weights of
/// the whole optimizer batch. With equal weights it is [`sft_loss`] under [`Normalisation::Token`].
///
/// `policy_logprobs` and `weights` hold one value for each trained token.
///
/// # Panics
/// If the lengths differ.
pub fn weighted_sft_loss(policy_logprobs: &[f32], weights: &[f32], total_weight: f64) -> SftOutputs {
    assert_eq!(policy_logprobs.len(), weights.len(), "one weight for each trained token");
    let nll = || policy_logprobs.iter().map(|&logprob| -f64::from(logprob));
    SftOutputs {
        loss: nll().zip(weights).map(|(nll, &weight)| f64::from(weight) * nll).sum::<f64>() / total_weight,
        dlogprobs: weights.iter().map(|&weight| (-f64::from(weight) / total_weight) as f32).collect(),
        nll_sum: nll().sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_tokens_by_hand() {
        let outputs = weighted_sft_loss(&LOGPROBS, &[1.0, 1.0, 1.0, 3.0], 6.0);
        assert!((outputs.loss - (1.0 + 2.0 + 3.0 + 1.5) / 6.0).abs() < 1e-12);
        assert_eq!(outputs.dlogprobs, [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0, -0.5]);
        assert!((outputs.nll_sum - 6.5).abs() < 1e-12);
        let plain = sft_loss(&LOGPROBS, &CU, Normalisation::Token, BatchTotals::of_cu_seqlens(&CU));
        for weight in [1.0, 2.5] {
            let equal = weighted_sft_loss(&LOGPROBS, &[weight; 4], 4.0 * f64::from(weight));
            assert!((equal.loss - plain.loss).abs() < 1e-12);
            assert_eq!(equal.dlogprobs, plain.dlogprobs);
        }
        // Microbatches add up.
        let parts = [weighted_sft_loss(&LOGPROBS[..1], &[1.0], 6.0), weighted_sft_loss(&LOGPROBS[1..], &[1.0, 1.0, 3.0], 6.0)];
        assert!((parts[0].loss + parts[1].loss - outputs.loss).abs() < 1e-12);
        assert!(!weighted_sft_loss(&[f32::NAN], &[1.0], 1.0).loss.is_finite());
    }

    const LOGPROBS: [f32; 4] = [-1.0, -2.0, -3.0, -0.5];
    const CU: [usize; 4] = [0, 3, 3, 4];

    #[test]
    fn values_by_hand() {
        let totals = BatchTotals::of_cu_seqlens(&CU);
        assert_eq!(totals, BatchTotals { n_sequences: 3, n_tokens: 4 });

        let token = sft_loss(&LOGPROBS, &CU, Normalisation::Token, totals);
        assert!((token.loss - 6.5 / 4.0).abs() < 1e-12);
        assert_eq!(token.dlogprobs, vec![-0.25; 4]);
        assert!((token.nll_sum - 6.5).abs() < 1e-12);

        let sequence = sft_loss(&LOGPROBS, &CU, Normalisation::PerSequence, totals);
        assert!((sequence.loss - (2.0 + 0.0 + 0.5) / 3.0).abs() < 1e-12);
        assert_eq!(sequence.dlogprobs, vec![-1.0 / 9.0, -1.0 / 9.0, -1.0 / 9.0, -1.0 / 3.0]);

        let constant = sft_loss(&LOGPROBS, &CU, Normalisation::Constant { length: 10 }, totals);
        assert!((constant.loss - 6.5 / 30.0).abs() < 1e-12);
    }

    #[test]
    fn microbatches_add_up() {
        let totals = BatchTotals::of_cu_seqlens(&CU);
        for normalisation in [Normalisation::Token, Normalisation::PerSequence, Normalisation::Constant { length: 7 }] {
            let whole = sft_loss(&LOGPROBS, &CU, normalisation, totals);
            let parts: Vec<SftOutputs> =
                CU.windows(2).map(|w| sft_loss(&LOGPROBS[w[0]..w[1]], &[0, w[1] - w[0]], normalisation, totals)).collect();
            assert!((parts.iter().map(|p| p.loss).sum::<f64>() - whole.loss).abs() < 1e-12);
            assert_eq!(parts.iter().flat_map(|p| p.dlogprobs.clone()).collect::<Vec<_>>(), whole.dlogprobs);
        }
    }

    #[test]
    fn a_log_probability_that_is_not_finite_surfaces() {
        let totals = BatchTotals { n_sequences: 1, n_tokens: 2 };
        for bad in [f32::NAN, f32::NEG_INFINITY] {
            assert!(!sft_loss(&[-1.0, bad], &[0, 2], Normalisation::Token, totals).loss.is_finite());
        }
    }

    #[test]
    #[should_panic(expected = "larger than its batch")]
    fn totals_smaller_than_the_microbatch_are_a_bug() {
        sft_loss(&LOGPROBS, &CU, Normalisation::Token, BatchTotals { n_sequences: 3, n_tokens: 3 });
    }
}
