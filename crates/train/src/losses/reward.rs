//! Losses of reward models: pairs of responses of which one is better, and single responses that are good or not.
//!
//! Pairwise (Bradley, Terry 1952; Ouyang et al. 2022, arXiv:2203.02155, eq. 1): loss = −1/N Σ log σ(c − r − m) over N pairs, with c and r
//! the scores of the chosen and the rejected response and m a margin, 0 in DeepSeek-R1. Its gradient by c is −σ(r − c + m)/N, by r the
//! opposite. Pointwise: binary cross-entropy, loss = −1/N Σ [y log σ(s) + (1 − y) log σ(−s)], gradient (σ(s) − y)/N.

/// What [`pairwise_loss`] returns. Losses and counts of microbatches add up.
#[derive(Clone, Debug, PartialEq)]
pub struct PairwiseOutputs {
    /// This microbatch's share of the batch loss, nats.
    pub loss: f64,
    /// Derivative by the score of each chosen response.
    pub d_chosen: Vec<f32>,
    /// Derivative by the score of each rejected response.
    pub d_rejected: Vec<f32>,
    /// Pairs whose chosen response has the higher score.
    pub n_right: usize,
    /// Sum over pairs of chosen − rejected.
    pub difference_sum: f64,
}

/// What [`pointwise_loss`] returns. Losses and counts of microbatches add up.
#[derive(Clone, Debug, PartialEq)]
pub struct PointwiseOutputs {
    /// This microbatch's share of the batch loss, nats.
    pub loss: f64,
    /// Derivative by each score.
    pub d_scores: Vec<f32>,
    /// Responses whose score has the sign of their label.
    pub n_right: usize,
}

/// Bradley-Terry loss of a microbatch and its gradient. `n_pairs` is that of the whole optimizer batch. A score that is not finite makes
/// the loss not finite.
///
/// # Panics
/// If the lengths differ.
pub fn pairwise_loss(chosen: &[f32], rejected: &[f32], margins: &[f32], n_pairs: usize) -> PairwiseOutputs {
    assert_eq!((rejected.len(), margins.len()), (chosen.len(), chosen.len()), "one rejected response and one margin for each chosen");
    let weight = 1.0 / n_pairs as f64;
    let mut outputs = PairwiseOutputs { loss: 0.0, d_chosen: Vec::new(), d_rejected: Vec::new(), n_right: 0, difference_sum: 0.0 };
    for ((&chosen, &rejected), &margin) in chosen.iter().zip(rejected).zip(margins) {
        let difference = f64::from(chosen) - f64::from(rejected);
        let x = difference - f64::from(margin);
        outputs.loss += weight * softplus(-x);
        let gradient = (weight * sigmoid(-x)) as f32;
        outputs.d_chosen.push(-gradient);
        outputs.d_rejected.push(gradient);
        outputs.n_right += usize::from(difference > 0.0);
        outputs.difference_sum += difference;
    }
    outputs
}

/// Binary cross-entropy of a microbatch and its gradient; a label is true for a good response, whose score should be above 0. `n_total` is
/// the number of responses of the whole optimizer batch. A score that is not finite makes the loss not finite.
///
/// # Panics
/// If the lengths differ.
pub fn pointwise_loss(scores: &[f32], labels: &[bool], n_total: usize) -> PointwiseOutputs {
    assert_eq!(labels.len(), scores.len(), "one label for each response");
    let weight = 1.0 / n_total as f64;
    let mut outputs = PointwiseOutputs { loss: 0.0, d_scores: Vec::new(), n_right: 0 };
    for (&score, &is_good) in scores.iter().zip(labels) {
        let s = f64::from(score);
        outputs.loss += weight * softplus(if is_good { -s } else { s });
        outputs.d_scores.push((weight * if is_good { -sigmoid(-s) } else { sigmoid(s) }) as f32);
        outputs.n_right += usize::from((s > 0.0) == is_good);
    }
    outputs
}

/// 1/(1 + e^−x) without overflow.
pub fn sigmoid(x: f64) -> f64 {
    // The exponential of a negative number is at most 1.
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

/// log(1 + e^x) without overflow and without loss of small values.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn golden() -> Value {
        serde_json::from_str(include_str!("../../../../tests/golden/reward_losses.json")).unwrap()
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    }

    fn floats(value: &Value) -> Vec<f32> {
        numbers(value).into_iter().map(|x| x as f32).collect()
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-7 * expected.abs().max(1e-3), "found {found}, expected {expected}");
    }

    #[track_caller]
    fn all_close(found: &[f32], expected: &Value) {
        let expected = numbers(expected);
        assert_eq!(found.len(), expected.len());
        found.iter().zip(expected).for_each(|(&found, expected)| close(f64::from(found), expected));
    }

    #[test]
    fn losses_and_gradients_are_those_of_pytorch() {
        let golden = golden();
        let (chosen, rejected) = (floats(&golden["chosen"]), floats(&golden["rejected"]));
        for case in golden["pairwise"].as_array().unwrap() {
            let outputs = pairwise_loss(&chosen, &rejected, &floats(&case["margins"]), chosen.len());
            close(outputs.loss, case["loss"].as_f64().unwrap());
            all_close(&outputs.d_chosen, &case["d_chosen"]);
            all_close(&outputs.d_rejected, &case["d_rejected"]);
            assert_eq!(outputs.n_right, chosen.iter().zip(&rejected).filter(|(c, r)| c > r).count());
        }
        let case = &golden["pointwise"];
        let labels: Vec<bool> = case["labels"].as_array().unwrap().iter().map(|label| label.as_bool().unwrap()).collect();
        let outputs = pointwise_loss(&chosen, &labels, labels.len());
        close(outputs.loss, case["loss"].as_f64().unwrap());
        all_close(&outputs.d_scores, &case["d_scores"]);
    }

    #[test]
    fn values_by_hand() {
        // σ(ln 3) = 3/4.
        let third = 3_f32.ln();
        let outputs = pairwise_loss(&[third, 0.0], &[0.0, third], &[0.0, 0.0], 4);
        close(outputs.loss, -(0.75_f64.ln() + 0.25_f64.ln()) / 4.0);
        assert!((outputs.d_chosen[0] + 0.0625).abs() < 1e-7 && (outputs.d_chosen[1] + 0.1875).abs() < 1e-7, "{outputs:?}");
        assert_eq!((outputs.n_right, outputs.difference_sum), (1, 0.0));
        let outputs = pointwise_loss(&[third, third], &[true, false], 2);
        close(outputs.loss, -(0.75_f64.ln() + 0.25_f64.ln()) / 2.0);
        assert_eq!(outputs.n_right, 1);
    }

    #[test]
    fn scores_that_are_not_finite_surface() {
        assert!(!pairwise_loss(&[f32::NAN], &[0.0], &[0.0], 1).loss.is_finite());
        assert!(!pairwise_loss(&[f32::INFINITY], &[f32::INFINITY], &[0.0], 1).loss.is_finite());
        assert!(!pointwise_loss(&[f32::NAN], &[true], 1).loss.is_finite());
    }

    proptest! {
        #[test]
        fn gradients_agree_with_finite_differences(
            pairs in prop::collection::vec((-6.0_f32..6.0, -6.0_f32..6.0, 0.0_f32..2.0, any::<bool>()), 1..6),
        ) {
            let n = pairs.len();
            let chosen: Vec<f32> = pairs.iter().map(|p| p.0).collect();
            let rejected: Vec<f32> = pairs.iter().map(|p| p.1).collect();
            let margins: Vec<f32> = pairs.iter().map(|p| p.2).collect();
            let labels: Vec<bool> = pairs.iter().map(|p| p.3).collect();
            let outputs = pairwise_loss(&chosen, &rejected, &margins, n);
            let pointwise = pointwise_loss(&chosen, &labels, n);
            for i in 0..n {
                let moved = |by: f32| { let mut chosen = chosen.clone(); chosen[i] += by; chosen };
                // As far as f32 moved it.
                let h = f64::from(moved(0.01)[i]) - f64::from(moved(-0.01)[i]);
                let slope = |f: &dyn Fn(&[f32]) -> f64| (f(&moved(0.01)) - f(&moved(-0.01))) / h;
                let expected = slope(&|chosen| pairwise_loss(chosen, &rejected, &margins, n).loss);
                prop_assert!((expected - f64::from(outputs.d_chosen[i])).abs() < 1e-4);
                prop_assert!((outputs.d_chosen[i] + outputs.d_rejected[i]).abs() < 1e-9);
                let expected = slope(&|scores| pointwise_loss(scores, &labels, n).loss);
                prop_assert!((expected - f64::from(pointwise.d_scores[i])).abs() < 1e-4);
            }
        }

        #[test]
        fn microbatches_add_up(pairs in prop::collection::vec((-9.0_f32..9.0, -9.0_f32..9.0), 2..8), at in 1_usize..2) {
            let (chosen, rejected): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let (n, zeros) = (chosen.len(), vec![0.0; chosen.len()]);
            let whole = pairwise_loss(&chosen, &rejected, &zeros, n);
            let first = pairwise_loss(&chosen[..at], &rejected[..at], &zeros[..at], n);
            let second = pairwise_loss(&chosen[at..], &rejected[at..], &zeros[at..], n);
            prop_assert!((first.loss + second.loss - whole.loss).abs() < 1e-12);
            prop_assert_eq!([first.d_chosen, second.d_chosen].concat(), whole.d_chosen);
            prop_assert_eq!(first.n_right + second.n_right, whole.n_right);
        }
    }
}
