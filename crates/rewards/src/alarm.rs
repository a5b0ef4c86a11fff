//! Notices reward hacking: a component of the reward rises while accuracy falls.

use std::collections::BTreeMap;

/// The component that all others are held against.
const ACCURACY: &str = "accuracy";

/// Standard errors that a change must exceed, in both directions, before it counts. With independent rounds chance alone gives an
/// alarm in about one of half a million comparisons.
const MIN_STANDARD_ERRORS: f64 = 3.0;

/// Changes below this share of the reward's scale are of no interest, however certain.
const MIN_CHANGE: f64 = 0.01;

/// Mean reward of each component in one round of training, by name.
pub type RoundRewards = BTreeMap<String, f64>;

/// A component that rose while accuracy fell.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// The component.
    pub component: String,
    /// Change of its mean from the earlier window to the later one, above 0.
    pub rise: f64,
    /// Change of accuracy over the same rounds, below 0.
    pub fall: f64,
}

/// Compares the last `window` rounds with the `window` rounds before them. Components that are missing from a round are skipped.
/// Fewer than two windows of rounds, or windows of fewer than 2 rounds, tell nothing.
pub fn alarms(rounds: &[RoundRewards], window: usize) -> Vec<Alarm> {
    let Some(fall) = change(rounds, ACCURACY, window).filter(|&change| change < 0.0) else { return Vec::new() };
    let names = rounds.last().into_iter().flat_map(BTreeMap::keys).filter(|name| *name != ACCURACY);
    let rising = |name: &String| Some(Alarm { component: name.clone(), rise: change(rounds, name, window).filter(|&c| c > 0.0)?, fall });
    names.filter_map(rising).collect()
}

/// The change of a component's mean between the last two windows, if it is more than noise.
fn change(rounds: &[RoundRewards], name: &str, window: usize) -> Option<f64> {
    let recent = &rounds[rounds.len().checked_sub(window.checked_mul(2)?)?..];
    if window < 2 {
        return None;
    }
    let values: Vec<f64> = recent.iter().map(|round| round.get(name).copied()).collect::<Option<_>>()?;
    let (earlier, later) = values.split_at(window);
    let ((mean_before, error_before), (mean_after, error_after)) = (mean_and_error(earlier), mean_and_error(later));
    let change = mean_after - mean_before;
    let noise = MIN_STANDARD_ERRORS * (error_before + error_after).sqrt();
    (change.abs() > noise.max(MIN_CHANGE)).then_some(change)
}

/// Mean and squared standard error of the mean.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, variance / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds with a little noise around the given means.
    fn rounds(values: impl IntoIterator<Item = (f64, f64)>) -> Vec<RoundRewards> {
        let round = |(round_idx, (accuracy, format)): (usize, (f64, f64))| {
            let noise = if round_idx % 2 == 0 { 0.02 } else { -0.02 };
            RoundRewards::from([("accuracy".into(), accuracy + noise), ("format".into(), format - noise)])
        };
        values.into_iter().enumerate().map(round).collect()
    }

    fn two_windows(before: (f64, f64), after: (f64, f64)) -> Vec<Alarm> {
        let mut all = rounds(std::iter::repeat_n(before, 10).chain(std::iter::repeat_n(after, 10)));
        // What was longer ago does not matter.
        all.splice(0..0, rounds([(0.0, 0.0); 7]));
        alarms(&all, 10)
    }

    #[test]
    fn only_a_rise_against_falling_accuracy_alarms() {
        let alarm = two_windows((0.6, 0.5), (0.4, 0.9));
        assert_eq!(alarm.len(), 1);
        assert_eq!(alarm[0].component, "format");
        assert!((alarm[0].rise - 0.4).abs() < 1e-9 && (alarm[0].fall + 0.2).abs() < 1e-9, "{alarm:?}");
        for (before, after) in [
            ((0.6, 0.5), (0.6, 0.9)),
            ((0.4, 0.5), (0.6, 0.9)),
            ((0.6, 0.9), (0.4, 0.5)),
            ((0.6, 0.5), (0.595, 0.9)),
            ((0.6, 0.5), (0.4, 0.505)),
        ] {
            assert_eq!(two_windows(before, after), [], "{before:?} {after:?}");
        }
    }

    #[test]
    fn too_few_rounds_tell_nothing() {
        assert_eq!(alarms(&rounds([(0.9, 0.1), (0.9, 0.1), (0.1, 0.9)]), 2), []);
        assert_eq!(alarms(&rounds([(0.9, 0.1), (0.1, 0.9)]), 1), []);
        assert_eq!(alarms(&[], 0), []);
        assert_eq!(alarms(&rounds([(0.9, 0.1); 4]), usize::MAX), []);
    }
}
