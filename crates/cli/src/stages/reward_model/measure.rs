//! How good a reward model is: on prompts that were held out its accuracy, its calibration, and how far it follows length.

use std::collections::BTreeMap;
use std::fmt;

use ruminate_tasks::statistics::{Calibration, Interval, Tally, calibration, correlation, pass_at_1};
use ruminate_train::losses::{pairwise_loss, pointwise_loss, sigmoid};
use serde::{Deserialize, Serialize};

use super::data::{Counts, Entry, Item, Prepared};
use crate::recipe::{RewardLoss, RewardModelConfig};
use crate::stages::evaluate::percent;

/// Bins of the calibration over [0, 1].
const N_BINS: usize = 10;

/// `reward_model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RewardReport {
    /// What it learned from.
    pub(crate) loss: RewardLoss,
    /// `summary` or `everything`.
    pub(crate) reads: String,
    /// Pairs or responses that it learned from.
    pub(crate) n_train: usize,
    /// Those that were held out.
    pub(crate) n_held_out: usize,
    /// Where the rest went.
    pub(crate) data: Counts,
    /// Share of right ones among those that it learned from.
    pub(crate) train_accuracy: f64,
    /// Mean score of the responses that it learned from.
    pub(crate) mean: f64,
    /// Their standard deviation.
    pub(crate) std: f64,
    /// On prompts that were held out; none if there were none.
    pub(crate) held_out: Option<HeldOut>,
}

/// Figures on prompts that the model has not seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HeldOut {
    /// Share of pairs whose better response has the higher score, or of responses whose score has the sign of their label; the interval is over
    /// prompts.
    pub(crate) accuracy: Interval,
    /// Mean loss, nats.
    pub(crate) loss: f64,
    /// Of pairs, the probability of the response that the model prefers; of responses, that of being good.
    pub(crate) calibration: Calibration,
    /// How far scores follow length.
    pub(crate) length: LengthBias,
}

/// How far scores follow the length of the response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LengthBias {
    /// Correlation of score and tokens over all responses; none where one of them is always the same.
    pub(crate) correlation: Option<f64>,
    /// Accuracy on pairs whose longer response is the better one.
    pub(crate) longer_is_better: Option<Interval>,
    /// Accuracy on pairs whose shorter response is the better one. A model that follows length is right less often here.
    pub(crate) shorter_is_better: Option<Interval>,
}

impl fmt::Display for RewardReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(HeldOut { accuracy, calibration, length, .. }) = &self.held_out else {
            return write!(f, "right on {:.1}% of what it learned from; nothing was held out", 100.0 * self.train_accuracy);
        };
        write!(f, "held-out accuracy {}, calibration error {:.3}", percent(accuracy), calibration.ece)?;
        if let Some(correlation) = length.correlation {
            write!(f, ", correlation with length {correlation:+.2}")?;
        }
        if let (Some(longer), Some(shorter)) = (&length.longer_is_better, &length.shorter_is_better) {
            write!(f, ", right where the longer is better {:.0}%, where the shorter is {:.0}%", 100.0 * longer.mean, 100.0 * shorter.mean)?;
        }
        Ok(())
    }
}

/// Mean and standard deviation of all scores.
pub(super) fn scale(scores: &[Vec<f32>]) -> (f64, f64) {
    let all: Vec<f64> = scores.iter().flatten().map(|&score| f64::from(score)).collect();
    let n = all.len() as f64;
    let mean = all.iter().sum::<f64>() / n;
    (mean, (all.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// Mean loss and accuracy of some items.
pub(super) fn loss_and_accuracy(loss: RewardLoss, items: &[&Item], scores: &[Vec<f32>]) -> (f64, f64) {
    let n = items.len();
    let (loss, n_right) = match loss {
        RewardLoss::Pairwise => {
            let (chosen, rejected): (Vec<f32>, Vec<f32>) = scores.iter().map(|pair| (pair[0], pair[1])).unzip();
            let outputs = pairwise_loss(&chosen, &rejected, &vec![0.0; n], n);
            (outputs.loss, outputs.n_right)
        }
        RewardLoss::Pointwise => {
            let labels: Vec<bool> = items.iter().map(|item| item.entry.is_good()).collect();
            let outputs = pointwise_loss(&scores.concat(), &labels, n);
            (outputs.loss, outputs.n_right)
        }
    };
    (loss, n_right as f64 / n as f64)
}

/// The whole report.
pub(super) fn report(
    config: &RewardModelConfig,
    prepared: &Prepared,
    (train, of_train): (&[&Item], &[Vec<f32>]),
    (held_out, of_held_out): (&[&Item], &[Vec<f32>]),
) -> RewardReport {
    let (mean, std) = scale(of_train);
    RewardReport {
        loss: config.loss,
        reads: config.reads.as_str().to_owned(),
        n_train: train.len(),
        n_held_out: held_out.len(),
        data: prepared.counts.clone(),
        train_accuracy: loss_and_accuracy(config.loss, train, of_train).1,
        mean,
        std,
        held_out: measure(config.loss, held_out, of_held_out),
    }
}

fn measure(loss: RewardLoss, items: &[&Item], scores: &[Vec<f32>]) -> Option<HeldOut> {
    let is_right = |idx: usize| match &items[idx].entry {
        Entry::Pair { .. } => scores[idx][0] > scores[idx][1],
        Entry::Labelled { is_good, .. } => (scores[idx][0] > 0.0) == *is_good,
    };
    // Entries of one prompt are not independent.
    let accuracy = |wanted: &dyn Fn(usize) -> bool| {
        let mut by_prompt: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
        for idx in (0..items.len()).filter(|&idx| wanted(idx)) {
            by_prompt.entry(&items[idx].prompt).or_default().push(is_right(idx));
        }
        pass_at_1(&by_prompt.values().map(|outcomes| Tally::of(outcomes)).collect::<Vec<_>>())
    };
    let lengths = |idx: usize| items[idx].entry.texts().into_iter().map(|ids| ids.len() as f64).collect::<Vec<f64>>();
    let order = |idx: usize| match lengths(idx).as_slice() {
        [chosen, rejected] => chosen.partial_cmp(rejected),
        _ => None,
    };
    let all: Vec<f64> = (0..items.len()).flat_map(lengths).collect();
    let flat: Vec<f64> = scores.iter().flatten().map(|&score| f64::from(score)).collect();
    Some(HeldOut {
        accuracy: accuracy(&|_| true)?,
        loss: loss_and_accuracy(loss, items, scores).0,
        calibration: calibration(&predictions(items, scores), N_BINS)?,
        length: LengthBias {
            correlation: correlation(&all, &flat),
            longer_is_better: accuracy(&|idx| order(idx) == Some(std::cmp::Ordering::Greater)),
            shorter_is_better: accuracy(&|idx| order(idx) == Some(std::cmp::Ordering::Less)),
        },
    })
}

/// Probabilities and what came of them.
fn predictions(items: &[&Item], scores: &[Vec<f32>]) -> Vec<(f64, bool)> {
    let predict = |(item, scores): (&&Item, &Vec<f32>)| match &item.entry {
        Entry::Pair { .. } => {
            let difference = f64::from(scores[0]) - f64::from(scores[1]);
            (sigmoid(difference.abs()), difference > 0.0)
        }
        Entry::Labelled { is_good, .. } => (sigmoid(f64::from(scores[0])), *is_good),
    };
    items.iter().zip(scores).map(predict).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(prompt: &str, n_chosen: usize, n_rejected: usize) -> Item {
        let entry = Entry::Pair { chosen: vec![1; n_chosen], rejected: vec![1; n_rejected], margin: 2.0 };
        Item { id: prompt.into(), prompt: prompt.into(), is_held_out: true, entry }
    }

    #[test]
    fn a_model_that_follows_length_is_found_out() {
        let items = [pair("a", 9, 2), pair("a", 8, 3), pair("b", 2, 7), pair("c", 7, 1)];
        let scores: Vec<Vec<f32>> = items.iter().map(|item| item.entry.texts().iter().map(|ids| ids.len() as f32).collect()).collect();
        let held_out = measure(RewardLoss::Pairwise, &items.iter().collect::<Vec<_>>(), &scores).unwrap();
        assert!((held_out.length.correlation.unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(held_out.length.longer_is_better.unwrap().mean, 1.0);
        assert_eq!(held_out.length.shorter_is_better.unwrap().mean, 0.0);
        // Prompts a and c are right, b is not.
        assert!((held_out.accuracy.mean - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(held_out.accuracy.n_problems, 3);
        // Sure of itself, and wrong once in four: probabilities from σ(5) on.
        assert!((held_out.calibration.ece - 0.25).abs() < 0.01, "{:?}", held_out.calibration);
        assert_eq!(held_out.calibration.bins.len(), 1);
    }

    #[test]
    fn labels_are_measured_by_the_sign_of_the_score() {
        let labelled = |prompt: &str, is_good| Item {
            id: prompt.into(),
            prompt: prompt.into(),
            is_held_out: true,
            entry: Entry::Labelled { ids: vec![1, 2], is_good },
        };
        let items = [labelled("a", true), labelled("b", false), labelled("c", true), labelled("d", false)];
        let scores = vec![vec![2.0], vec![-2.0], vec![-1.0], vec![-3.0]];
        let held_out = measure(RewardLoss::Pointwise, &items.iter().collect::<Vec<_>>(), &scores).unwrap();
        assert_eq!((held_out.accuracy.mean, held_out.length.correlation), (0.75, None));
        assert_eq!(held_out.length.longer_is_better, None);
        assert!(held_out.loss > 0.1 && held_out.loss < 0.5, "{}", held_out.loss);
        assert_eq!(scale(&scores), (-1.0, 3.5_f64.sqrt()));
        assert_eq!(measure(RewardLoss::Pointwise, &[], &[]), None);
    }
}
