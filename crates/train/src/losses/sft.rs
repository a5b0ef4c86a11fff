//! Cross-entropy on completions only.
//!
//! loss = −Σ_t w_t log π(y_t) / W, with W the sum of the weights of the whole optimizer batch. Prompt tokens never appear here: see
//! [`crate::packing::PackedBatch`].

/// What [`sft_loss`] returns. Losses of microbatches, and of parts of them, add up.
#[derive(Clone, Debug, PartialEq)]
pub struct SftOutputs {
    /// Their share of the batch loss, nats.
    pub loss: f64,
    /// Derivative of `loss` by each log-probability.
    pub dlogprobs: Vec<f32>,
}

/// Mean cross-entropy of trained tokens and its gradient; the whole optimizer batch has `total_tokens` of them.
///
/// `policy_logprobs` holds the natural log-probability of each. One that is not finite makes the loss not finite.
///
/// # Panics
/// If there are more tokens than in the whole batch.
pub fn sft_loss(policy_logprobs: &[f32], total_tokens: usize) -> SftOutputs {
    let n = policy_logprobs.len();
    assert!(n <= total_tokens, "a microbatch of {n} tokens is larger than its batch of {total_tokens}");
    weighted(policy_logprobs, std::iter::repeat_n(1.0, n), total_tokens as f64)
}

/// As [`sft_loss`] with a weight for each token; `total_weight` is the sum of the weights of the whole optimizer batch.
///
/// # Panics
/// If the lengths differ.
pub fn weighted_sft_loss(policy_logprobs: &[f32], weights: &[f32], total_weight: f64) -> SftOutputs {
    assert_eq!(policy_logprobs.len(), weights.len(), "one weight for each trained token");
    weighted(policy_logprobs, weights.iter().map(|&weight| f64::from(weight)), total_weight)
}

fn weighted(policy_logprobs: &[f32], weights: impl Iterator<Item = f64> + Clone, total_weight: f64) -> SftOutputs {
    SftOutputs {
        loss: policy_logprobs.iter().zip(weights.clone()).map(|(&logprob, weight)| -f64::from(logprob) * weight).sum::<f64>()
            / total_weight,
        dlogprobs: weights.map(|weight| (-weight / total_weight) as f32).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGPROBS: [f32; 4] = [-1.0, -2.0, -3.0, -0.5];

    #[test]
    fn values_by_hand() {
        let outputs = sft_loss(&LOGPROBS, 5);
        assert!((outputs.loss - 6.5 / 5.0).abs() < 1e-12);
        assert_eq!(outputs.dlogprobs, [-0.2; 4]);
        assert_eq!(sft_loss(&[], 5), SftOutputs { loss: 0.0, dlogprobs: vec![] });
    }

    #[test]
    fn weights_of_tokens_by_hand() {
        let outputs = weighted_sft_loss(&LOGPROBS, &[1.0, 1.0, 1.0, 3.0], 6.0);
        assert!((outputs.loss - (1.0 + 2.0 + 3.0 + 1.5) / 6.0).abs() < 1e-12);
        assert_eq!(outputs.dlogprobs, [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0, -0.5]);
        let plain = sft_loss(&LOGPROBS, 4);
        for weight in [1.0, 2.5] {
            let equal = weighted_sft_loss(&LOGPROBS, &[weight; 4], 4.0 * f64::from(weight));
            assert!((equal.loss - plain.loss).abs() < 1e-12);
            assert_eq!(equal.dlogprobs, plain.dlogprobs);
        }
    }

    #[test]
    fn parts_add_up() {
        let (whole, parts) = (sft_loss(&LOGPROBS, 4), [sft_loss(&LOGPROBS[..1], 4), sft_loss(&LOGPROBS[1..], 4)]);
        assert!((parts[0].loss + parts[1].loss - whole.loss).abs() < 1e-12);
        assert_eq!([&parts[0].dlogprobs[..], &parts[1].dlogprobs].concat(), whole.dlogprobs);
        let weights = [1.0, 1.0, 1.0, 3.0];
        let whole = weighted_sft_loss(&LOGPROBS, &weights, 6.0);
        let parts = [0..1, 1..4].map(|rows| weighted_sft_loss(&LOGPROBS[rows.clone()], &weights[rows], 6.0));
        assert!((parts[0].loss + parts[1].loss - whole.loss).abs() < 1e-12);
    }

    #[test]
    fn a_log_probability_that_is_not_finite_surfaces() {
        for bad in [f32::NAN, f32::NEG_INFINITY] {
            assert!(!sft_loss(&[-1.0, bad], 2).loss.is_finite());
            assert!(!weighted_sft_loss(&[bad], &[1.0], 1.0).loss.is_finite());
        }
    }

    #[test]
    #[should_panic(expected = "larger than its batch")]
    fn a_total_smaller_than_the_microbatch_is_a_bug() {
        sft_loss(&LOGPROBS, 3);
    }
}
