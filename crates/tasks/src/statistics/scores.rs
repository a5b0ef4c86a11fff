//! How far a model's scores can be trusted: calibration of probabilities, and correlation with what they should not follow.

use serde::{Deserialize, Serialize};

/// Predictions whose probability lies between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Lower bound of the probability, inclusive.
    pub lo: f64,
    /// Upper bound, exclusive but for 1.
    pub hi: f64,
    /// Predictions.
    pub n: usize,
    /// Mean probability.
    pub predicted: f64,
    /// Share that came true.
    pub observed: f64,
}

/// Predicted probabilities against what happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Bins of equal width over [0, 1] that hold predictions, ascending.
    pub bins: Vec<CalibrationBin>,
    /// Expected calibration error: Σ n_b/n · |predicted − observed| (Guo et al. 2017, arXiv:1706.04599, eq. 3).
    pub ece: f64,
}

/// Calibration of predictions, each a probability and whether it came true, in `n_bins` bins.
///
/// `None` without predictions or bins, or with a probability outside [0, 1].
pub fn calibration(predictions: &[(f64, bool)], n_bins: usize) -> Option<Calibration> {
    if predictions.is_empty() || n_bins == 0 || !predictions.iter().all(|(p, _)| (0.0..=1.0).contains(p)) {
        return None;
    }
    let bin_of = |p: f64| ((p * n_bins as f64) as usize).min(n_bins - 1);
    let mut bins = Vec::new();
    let mut ece = 0.0;
    for bin in 0..n_bins {
        let inside: Vec<&(f64, bool)> = predictions.iter().filter(|(p, _)| bin_of(*p) == bin).collect();
        if inside.is_empty() {
            continue;
        }
        let n = inside.len() as f64;
        let predicted = inside.iter().map(|(p, _)| p).sum::<f64>() / n;
        let observed = inside.iter().filter(|(_, is_true)| *is_true).count() as f64 / n;
        ece += n / predictions.len() as f64 * (predicted - observed).abs();
        let (lo, hi) = (bin as f64 / n_bins as f64, (bin + 1) as f64 / n_bins as f64);
        bins.push(CalibrationBin { lo, hi, n: inside.len(), predicted, observed });
    }
    Some(Calibration { bins, ece })
}

/// Pearson's correlation of two columns; `None` if their lengths differ or one of them has no spread.
pub fn correlation(xs: &[f64], ys: &[f64]) -> Option<f64> {
    if xs.len() != ys.len() || xs.len() < 2 {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_x, mean_y) = (mean(xs), mean(ys));
    let sum = |f: &dyn Fn(f64, f64) -> f64| xs.iter().zip(ys).map(|(x, y)| f(x - mean_x, y - mean_y)).sum::<f64>();
    let spread = (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt();
    (spread > 0.0 && spread.is_finite()).then(|| (sum(&|x, y| x * y) / spread).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn calibration_by_hand() {
        let predictions = [(0.9, true), (0.8, true), (0.85, false), (0.1, false), (1.0, true)];
        let calibration = calibration(&predictions, 2).unwrap();
        assert_eq!(calibration.bins.len(), 2);
        let [low, high] = [calibration.bins[0], calibration.bins[1]];
        assert_eq!((low.lo, low.hi, low.n, low.predicted, low.observed), (0.0, 0.5, 1, 0.1, 0.0));
        assert_eq!((high.n, high.observed), (4, 0.75));
        assert!((high.predicted - 0.8875).abs() < 1e-12);
        assert!((calibration.ece - (0.2 * 0.1 + 0.8 * 0.1375)).abs() < 1e-12, "{}", calibration.ece);
    }

    #[test]
    fn what_has_no_figure_is_none() {
        assert_eq!(calibration(&[], 10), None);
        assert_eq!(calibration(&[(1.5, true)], 10), None);
        assert_eq!(calibration(&[(f64::NAN, true)], 10), None);
        assert_eq!(correlation(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(correlation(&[1.0], &[1.0]), None);
        assert_eq!(correlation(&[1.0, f64::NAN], &[1.0, 2.0]), None);
    }

    #[test]
    fn correlation_by_hand() {
        assert_eq!(correlation(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]), Some(1.0));
        assert_eq!(correlation(&[1.0, 2.0, 3.0], &[6.0, 4.0, 2.0]), Some(-1.0));
        // Deviations (-1, 0, 1) and (-1, 2, -1): the product is 0.
        assert_eq!(correlation(&[1.0, 2.0, 3.0], &[0.0, 3.0, 0.0]), Some(0.0));
    }

    proptest! {
        #[test]
        fn bins_hold_every_prediction_once(predictions in prop::collection::vec((0.0_f64..=1.0, any::<bool>()), 1..80), n_bins in 1_usize..12) {
            let calibration = calibration(&predictions, n_bins).unwrap();
            prop_assert_eq!(calibration.bins.iter().map(|bin| bin.n).sum::<usize>(), predictions.len());
            prop_assert!((0.0..=1.0).contains(&calibration.ece));
            prop_assert!(calibration.bins.iter().all(|bin| bin.predicted >= bin.lo - 1e-9 && bin.predicted <= bin.hi + 1e-9));
        }
    }
}
