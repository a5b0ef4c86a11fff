//! How well problems are solved, with intervals. Pure functions of counts.
//!
//! Samples of one problem are not independent, so every interval is built on per-problem means: its width falls with the number of
//! problems, not of samples (Miller 2024, "Adding Error Bars to Evals").

mod scores;
mod seeds;
mod strata;

use std::collections::BTreeMap;

pub use self::scores::{Calibration, CalibrationBin, calibration, correlation};
use serde::{Deserialize, Serialize};

pub use self::seeds::{SeedInterval, mean_over_seeds};
pub use self::strata::{SplitTally, StratifiedDifference, clustered_share, difference_within_strata};

/// The 97.5% point of the standard normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

/// Below this many problems the normal approximation for single samples is replaced by Wilson's interval.
const SMALL: usize = 1000;

/// A mean with its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate.
    pub mean: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// Number of problems.
    pub n_problems: usize,
    /// Samples per problem; the smallest number if they differ.
    pub k: usize,
}

/// Right samples of one problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many samples are right.
    pub right: usize,
    /// How many were drawn.
    pub samples: usize,
}

impl Tally {
    /// Counts outcomes.
    pub fn of(outcomes: &[bool]) -> Self {
        Self { right: outcomes.iter().filter(|&&right| right).count(), samples: outcomes.len() }
    }

    /// Share of right samples; 0 without samples.
    pub fn share(self) -> f64 {
        if self.samples == 0 { 0.0 } else { self.right as f64 / self.samples as f64 }
    }
}

/// pass@1: the mean over problems of the share of right samples, with its 95% interval, cut to [0, 1].
///
/// With several samples per problem the interval is normal on the per-problem means: mean ± 1.96 s/√n with s² the sample variance
/// (divisor n − 1). Where that has no spread to go by (k = 1 with fewer than 1000 problems, one problem, or all means equal), it is
/// Wilson's score interval over problems. `None` without problems, or if a problem has no samples.
pub fn pass_at_1(tallies: &[Tally]) -> Option<Interval> {
    let k = smallest_k(tallies)?;
    let shares: Vec<f64> = tallies.iter().map(|tally| tally.share()).collect();
    let (mean, error) = mean_and_error(&shares);
    let n_problems = shares.len();
    let (lo, hi) = if (k == 1 && n_problems < SMALL) || error == 0.0 {
        wilson(mean, n_problems)
    } else {
        ((mean - Z_95 * error).max(0.0), (mean + Z_95 * error).min(1.0))
    };
    Some(Interval { mean, lo, hi, n_problems, k })
}

/// Unbiased pass@k of one problem: 1 − C(n−c, k)/C(n, k) for n samples of which c are right (Chen et al. 2021, equation 1).
///
/// `None` if `k` is 0 or more than n samples.
pub fn pass_at_k(tally: Tally, k: usize) -> Option<f64> {
    let Tally { right, samples } = tally;
    if k == 0 || k > samples || right > samples {
        return None;
    }
    if samples - right < k {
        return Some(1.0);
    }
    // The quotient of binomials as a product of k factors below 1: no overflow.
    let missed: f64 = (0..k).map(|i| (samples - right - i) as f64 / (samples - i) as f64).product();
    Some(1.0 - missed)
}

/// Mean of [`pass_at_k`] over problems with its 95% interval, normal on the per-problem values and cut to [0, 1].
///
/// `None` without problems or if a problem has fewer than `k` samples. The field `k` of the result is this `k`.
pub fn mean_pass_at_k(tallies: &[Tally], k: usize) -> Option<Interval> {
    let values: Vec<f64> = tallies.iter().map(|&tally| pass_at_k(tally, k)).collect::<Option<_>>()?;
    interval_of_means(&values, k)
}

/// cons@k of one problem: the expected correctness of the majority answer.
///
/// `classes[i]` is the equivalence class of the answer of sample i, `None` if it has none (such samples do not vote);
/// `right_class` is the class of the gold answer, `None` if no sample reached it. Equal counts at the top share the vote: with t
/// classes tied and the right one among them the result is 1/t, the mean over random tie-breaks.
pub fn majority(classes: &[Option<u32>], right_class: Option<u32>) -> f64 {
    let mut votes: BTreeMap<u32, usize> = BTreeMap::new();
    for &class in classes.iter().flatten() {
        *votes.entry(class).or_default() += 1;
    }
    let Some(&top) = votes.values().max() else { return 0.0 };
    let winners: Vec<u32> = votes.iter().filter(|&(_, &count)| count == top).map(|(&class, _)| class).collect();
    match right_class {
        Some(right) if winners.contains(&right) => 1.0 / winners.len() as f64,
        _ => 0.0,
    }
}

/// Mean of per-problem values in [0, 1], such as those of [`majority`], with a normal 95% interval cut to [0, 1].
///
/// `k` is recorded as given. `None` without values.
pub fn interval_of_means(values: &[f64], k: usize) -> Option<Interval> {
    if values.is_empty() {
        return None;
    }
    let (mean, error) = mean_and_error(values);
    let (lo, hi) = if error == 0.0 { wilson(mean, values.len()) } else { ((mean - Z_95 * error).max(0.0), (mean + Z_95 * error).min(1.0)) };
    Some(Interval { mean, lo, hi, n_problems: values.len(), k })
}

/// Problems that went one way and the other, and how likely that is by chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignTest {
    /// Problems with a larger share of right samples after than before.
    pub n_better: usize,
    /// Problems with a smaller share.
    pub n_worse: usize,
    /// Probability of a split at least as uneven if better and worse are equally likely, two-sided.
    pub p_value: f64,
}

/// The exact sign test over the same problems in the same order; with one sample per problem it is `McNemar`'s exact test (1947).
///
/// Problems with equal shares say nothing. p = min(1, 2 Σ_{i ≤ m} C(n, i) / 2ⁿ) with n = better + worse and m the smaller of the two.
/// `None` if the lengths differ, are 0, or a problem has no samples.
pub fn sign_test(before: &[Tally], after: &[Tally]) -> Option<SignTest> {
    if before.len() != after.len() || smallest_k(before).is_none() || smallest_k(after).is_none() {
        return None;
    }
    // Products, not quotients: equal shares of different numbers of samples are exactly equal.
    let order = |(b, a): (&Tally, &Tally)| (a.right * b.samples).cmp(&(b.right * a.samples));
    let orders: Vec<std::cmp::Ordering> = before.iter().zip(after).map(order).collect();
    let (n_better, n_worse) = (orders.iter().filter(|o| o.is_gt()).count(), orders.iter().filter(|o| o.is_lt()).count());
    let n = n_better + n_worse;
    // ln C(n, i) − n ln 2, from one i to the next: no overflow, however many problems.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for i in 0..=n_better.min(n_worse) {
        tail += log_term.exp();
        log_term += ((n - i) as f64).ln() - ((i + 1) as f64).ln();
    }
    Some(SignTest { n_better, n_worse, p_value: (2.0 * tail).min(1.0) })
}

/// Mean of `after` − `before` over the same problems in the same order, with a normal 95% interval on the per-problem differences.
///
/// Pairing removes the spread of difficulty between problems. The difference is significant at 5% if the interval leaves out 0.
/// With fewer than 2 problems the interval is [−1, 1]. `None` if the lengths differ, are 0, or a problem has no samples.
pub fn paired_difference(before: &[Tally], after: &[Tally]) -> Option<Interval> {
    if before.len() != after.len() {
        return None;
    }
    let k = smallest_k(before)?.min(smallest_k(after)?);
    let differences: Vec<f64> = before.iter().zip(after).map(|(before, after)| after.share() - before.share()).collect();
    let (mean, error) = mean_and_error(&differences);
    let n_problems = differences.len();
    let (lo, hi) = if n_problems < 2 { (-1.0, 1.0) } else { ((mean - Z_95 * error).max(-1.0), (mean + Z_95 * error).min(1.0)) };
    Some(Interval { mean, lo, hi, n_problems, k })
}

/// `None` without problems or if one of them has no samples.
fn smallest_k(tallies: &[Tally]) -> Option<usize> {
    tallies.iter().map(|tally| tally.samples).min().filter(|&k| k > 0)
}

/// Mean and standard error of the mean; the error is 0 for fewer than 2 values.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    // Equal values must give exactly 0, whatever rounding did to the mean.
    if values.len() < 2 || values.iter().all(|&value| value == values[0]) {
        return (mean, 0.0);
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// Wilson's score interval (1927) for a share `p` of `n` trials.
fn wilson(p: f64, n: usize) -> (f64, f64) {
    let n = n as f64;
    let z2 = Z_95 * Z_95;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

#[cfg(test)]
mod tests;
