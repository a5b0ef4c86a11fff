//! Whether completions that have a property are right more often than those that have not, within strata.
//!
//! Easy and hard problems, or early and late steps, differ both in how often the property occurs and in how often answers are right:
//! comparing all completions at once can turn the sign around (Simpson's paradox). The differences within strata do not mix them.

use serde::{Deserialize, Serialize};

use super::{Interval, Tally, Z_95, wilson};

/// Completions on each side that a stratum needs: with fewer, its spread cannot be told.
const LEAST_SIDE: usize = 5;

/// Completions of one problem, apart by the property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitTally {
    /// Those that have it.
    pub with: Tally,
    /// Those that have it not.
    pub without: Tally,
}

/// A difference of shares, averaged over strata.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StratifiedDifference {
    /// Share of right completions with the property minus that without, within strata.
    pub mean: f64,
    /// Lower end of the 95% interval.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// Completions in the strata that count.
    pub n_used: usize,
    /// Completions in strata that are left out, since one side has too few.
    pub n_left_out: usize,
}

/// Share of right samples over all problems together, with its 95% interval, cut to [0, 1].
///
/// Problems may have different numbers of samples, those without any are passed over. The share is Σ rᵢ / Σ nᵢ; as a ratio of two sums
/// over problems its variance is m/(m−1) Σ (rᵢ − p nᵢ)² / (Σ nᵢ)² for m problems (Cochran 1977, "Sampling Techniques", equation 6.13).
/// Without spread it is Wilson's interval over problems. `None` without samples.
pub fn clustered_share(tallies: &[Tally]) -> Option<Interval> {
    let tallies: Vec<Tally> = tallies.iter().copied().filter(|tally| tally.samples > 0).collect();
    let k = tallies.iter().map(|tally| tally.samples).min()?;
    let (mean, n) = pooled(tallies.iter().copied());
    let m = tallies.len() as f64;
    let squares: f64 = tallies.iter().map(|tally| residual(*tally, mean).powi(2)).sum();
    let (lo, hi) = if tallies.len() < 2 || squares == 0.0 {
        wilson(mean, tallies.len())
    } else {
        let error = (m / (m - 1.0) * squares).sqrt() / n;
        ((mean - Z_95 * error).max(0.0), (mean + Z_95 * error).min(1.0))
    };
    Some(Interval { mean, lo, hi, n_problems: tallies.len(), k })
}

/// The mean over strata of the difference in the share of right completions, with a 95% interval.
///
/// Strata are weighted by n₁n₀/(n₁+n₀), as Mantel and Haenszel's risk difference does (Greenland and Robins 1985). Samples of one
/// problem are not independent: the variance is the sum of squares of each problem's influence on the mean, with m/(m−1) for the m
/// problems of a stratum. Strata with fewer than five completions on one side, or one problem, are left out and counted. `None` if none
/// is left.
pub fn difference_within_strata(strata: &[Vec<SplitTally>]) -> Option<StratifiedDifference> {
    let (mut used, mut n_used, mut n_left_out) = (Vec::new(), 0, 0);
    for problems in strata {
        let (p1, n1) = pooled(problems.iter().map(|problem| problem.with));
        let (p0, n0) = pooled(problems.iter().map(|problem| problem.without));
        if n1.min(n0) < LEAST_SIDE as f64 || problems.len() < 2 {
            n_left_out += (n1 + n0) as usize;
            continue;
        }
        n_used += (n1 + n0) as usize;
        let m = problems.len() as f64;
        let influence = |problem: &SplitTally| residual(problem.with, p1) / n1 - residual(problem.without, p0) / n0;
        let variance = m / (m - 1.0) * problems.iter().map(|problem| influence(problem).powi(2)).sum::<f64>();
        used.push((n1 * n0 / (n1 + n0), p1 - p0, variance));
    }
    let total: f64 = used.iter().map(|(weight, ..)| weight).sum();
    if used.is_empty() {
        return None;
    }
    let mean = used.iter().map(|(weight, difference, _)| weight * difference).sum::<f64>() / total;
    let error = used.iter().map(|(weight, _, variance)| (weight / total).powi(2) * variance).sum::<f64>().sqrt();
    let (lo, hi) = ((mean - Z_95 * error).max(-1.0), (mean + Z_95 * error).min(1.0));
    Some(StratifiedDifference { mean, lo, hi, n_used, n_left_out })
}

/// Share of right samples and their number; the share is 0 without samples.
fn pooled(tallies: impl Iterator<Item = Tally>) -> (f64, f64) {
    let (right, samples) = tallies.fold((0, 0), |(right, samples), tally| (right + tally.right, samples + tally.samples));
    (Tally { right, samples }.share(), samples as f64)
}

fn residual(tally: Tally, share: f64) -> f64 {
    tally.right as f64 - share * tally.samples as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(right: usize, samples: usize) -> Tally {
        Tally { right, samples }
    }

    fn split(with: (usize, usize), without: (usize, usize)) -> SplitTally {
        SplitTally { with: tally(with.0, with.1), without: tally(without.0, without.1) }
    }

    #[test]
    fn a_share_over_problems_of_different_sizes() {
        // p = 6/10; residuals 1.6, -1.2, -0.4: squares 4.16; error = sqrt(3/2 * 4.16)/10 = 0.249799...
        let found = clustered_share(&[tally(4, 4), tally(0, 2), tally(2, 4), tally(0, 0)]).unwrap();
        assert!((found.mean - 0.6).abs() < 1e-12);
        assert!((found.lo - (0.6 - Z_95 * 0.249_799_919_935_936)).abs() < 1e-9, "{found:?}");
        assert_eq!((found.hi, found.n_problems, found.k), (1.0, 3, 2));
        assert_eq!(clustered_share(&[tally(0, 0)]), None);
        let one = clustered_share(&[tally(1, 2)]).unwrap();
        assert!(one.lo > 0.0 && one.hi < 1.0 && one.lo < 0.1, "one problem says little: {one:?}");
    }

    #[test]
    fn samples_of_one_problem_count_as_one() {
        let many: Vec<Tally> = (0..100).map(|i| tally(i % 2, 1)).collect();
        let few: Vec<Tally> = (0..10).map(|i| tally(10 * (i % 2), 10)).collect();
        let width = |tallies: &[Tally]| clustered_share(tallies).map(|share| share.hi - share.lo).unwrap();
        assert!(width(&few) > 3.0 * width(&many));
    }

    #[test]
    fn simpsons_paradox_does_not_happen() {
        // Within each stratum the property helps by 0.1; over all it seems to hurt, since it is frequent where problems are hard.
        let easy: Vec<SplitTally> = (0..10).map(|_| split((10, 10), (81, 90))).collect();
        let hard: Vec<SplitTally> = (0..10).map(|_| split((27, 90), (2, 10))).collect();
        let all = pooled(easy.iter().chain(&hard).map(|problem| problem.with)).0
            - pooled(easy.iter().chain(&hard).map(|problem| problem.without)).0;
        assert!(all < -0.4, "{all}");
        let found = difference_within_strata(&[easy, hard]).unwrap();
        assert!((found.mean - 0.1).abs() < 1e-12, "{found:?}");
        assert_eq!((found.n_used, found.n_left_out), (2000, 0));
    }

    #[test]
    fn the_interval_is_that_of_the_problems_influences() {
        // n1 = n0 = 8, p1 = 0.75, p0 = 0.25. Influences: (3-3)/8-(2-1)/8 = -1/8, (3-3)/8-(0-1)/8 = 1/8; error = sqrt(2 * 2/64) = 0.25.
        let found = difference_within_strata(&[vec![split((3, 4), (2, 4)), split((3, 4), (0, 4))]]).unwrap();
        assert!((found.mean - 0.5).abs() < 1e-12);
        assert!((found.lo - (0.5 - Z_95 * 0.25)).abs() < 1e-12 && (found.hi - (0.5 + Z_95 * 0.25)).abs() < 1e-12, "{found:?}");
        // Too little on one side, or one problem only.
        let little = vec![split((4, 4), (0, 9)), split((0, 0), (1, 3))];
        assert_eq!(difference_within_strata(&[little.clone(), vec![split((9, 9), (0, 9))]]), None);
        let both = difference_within_strata(&[little, vec![split((3, 4), (2, 4)), split((3, 4), (0, 4))]]).unwrap();
        assert_eq!((both.mean, both.n_used, both.n_left_out), (found.mean, 16, 16));
    }
}
