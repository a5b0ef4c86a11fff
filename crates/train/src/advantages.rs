//! Advantages: how much better a completion is than the others that it is compared with.
//!
//! With rewards r of one group of G completions, m their mean and s their standard deviation:
//!
//! | [`AdvantageKind`] | A_i | source |
//! | --- | --- | --- |
//! | `GroupNormalised` | (r_i − m) / (s + [`STD_EPS`]) | GRPO, arXiv 2402.03300 section 4.1.2 |
//! | `GroupCentred` | r_i − m | Dr. GRPO, arXiv 2503.20783 |
//! | `LeaveOneOut` | r_i − mean of the other G − 1 = G/(G−1) · (r_i − m) | RLOO, arXiv 2402.14740 |
//! | `BatchNormalised` | (r_i − M) / (S + [`STD_EPS`]), M and S over all completions of the batch | REINFORCE++, arXiv 2501.03262 |
//!
//! The GRPO paper writes `std` without saying which. TRL and verl both divide by the sample standard deviation (G − 1 in the
//! denominator), TRL adding 1e-4 and verl 1e-6 to it; this module does what verl does, so that figures can be compared.

use serde::{Deserialize, Serialize};

/// Added to the standard deviation, in units of reward. Rewards that differ only by rounding (1e-7) then earn no credit worth the name.
pub const STD_EPS: f64 = 1e-6;

/// What a completion's reward is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvantageKind {
    /// Mean and sample standard deviation of the group (GRPO).
    GroupNormalised,
    /// Mean of the group (Dr. GRPO).
    GroupCentred,
    /// Mean of the others of the group (RLOO).
    LeaveOneOut,
    /// Mean and sample standard deviation of the whole batch (REINFORCE++; its KL penalty belongs in the reward).
    BatchNormalised,
}

/// Advantages of the completions of a batch, from their rewards by group; same shape out as in.
///
/// A group whose rewards are all equal (a group of one included) gets exactly 0 everywhere, except under
/// [`AdvantageKind::BatchNormalised`], where that holds for a batch whose rewards are all equal.
/// A reward that is not finite makes every advantage that is computed from it NaN: the loss then refuses the batch.
pub fn advantages(kind: AdvantageKind, groups: &[Vec<f32>]) -> Vec<Vec<f32>> {
    if kind == AdvantageKind::BatchNormalised {
        let moments = Moments::of(groups.iter().flatten());
        return groups.iter().map(|rewards| moments.map(rewards, Moments::normalised)).collect();
    }
    groups
        .iter()
        .map(|rewards| {
            let moments = Moments::of(rewards);
            match kind {
                AdvantageKind::GroupNormalised | AdvantageKind::BatchNormalised => moments.map(rewards, Moments::normalised),
                AdvantageKind::GroupCentred => moments.map(rewards, Moments::centred),
                AdvantageKind::LeaveOneOut => moments.map(rewards, Moments::against_the_others),
            }
        })
        .collect()
}

/// Whether a group can teach: its rewards are not all equal. Dynamic sampling (DAPO, arXiv 2503.14476, equation 11) replaces
/// the groups of which this is false; with a reward of 0 or 1 it is the paper's 0 < correct < G.
pub fn is_informative(rewards: &[f32]) -> bool {
    rewards.windows(2).any(|pair| pair[0] != pair[1])
}

struct Moments {
    n: f64,
    mean: f64,
    std: f64,
    all_equal: bool,
    all_finite: bool,
}

impl Moments {
    fn of<'a>(rewards: impl IntoIterator<Item = &'a f32>) -> Self {
        let rewards: Vec<f64> = rewards.into_iter().map(|&r| f64::from(r)).collect();
        let n = rewards.len() as f64;
        let mean = rewards.iter().sum::<f64>() / n;
        let std = (rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let all_equal = rewards.windows(2).all(|pair| pair[0] == pair[1]);
        let all_finite = rewards.iter().all(|r| r.is_finite());
        Self { n, mean, std, all_equal, all_finite }
    }

    fn map(&self, rewards: &[f32], f: impl Fn(&Self, f64) -> f64) -> Vec<f32> {
        // Equality is asked of the rewards, not of the computed deviation: the mean of eight times 0.1 is not 0.1.
        match (self.all_finite, self.all_equal) {
            (false, _) => vec![f32::NAN; rewards.len()],
            (true, true) => vec![0.0; rewards.len()],
            (true, false) => rewards.iter().map(|&r| f(self, f64::from(r)) as f32).collect(),
        }
    }

    fn centred(&self, reward: f64) -> f64 {
        reward - self.mean
    }

    fn normalised(&self, reward: f64) -> f64 {
        (reward - self.mean) / (self.std + STD_EPS)
    }

    fn against_the_others(&self, reward: f64) -> f64 {
        self.n / (self.n - 1.0) * (reward - self.mean)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GROUP_KINDS: [AdvantageKind; 3] = [AdvantageKind::GroupNormalised, AdvantageKind::GroupCentred, AdvantageKind::LeaveOneOut];

    fn one(kind: AdvantageKind, rewards: &[f32]) -> Vec<f32> {
        advantages(kind, &[rewards.to_vec()]).remove(0)
    }

    fn check(kind: AdvantageKind, rewards: &[f32], expected: &[f32]) {
        let found = one(kind, rewards);
        assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-5), "{kind:?}: found {found:?}, expected {expected:?}");
    }

    #[test]
    fn values_by_hand() {
        let rewards = [1.0, 0.0, 0.0, 0.0];
        // Mean 1/4, sample variance (9 + 1 + 1 + 1)/16/3 = 1/4.
        check(AdvantageKind::GroupNormalised, &rewards, &[1.5, -0.5, -0.5, -0.5]);
        check(AdvantageKind::GroupCentred, &rewards, &[0.75, -0.25, -0.25, -0.25]);
        check(AdvantageKind::LeaveOneOut, &rewards, &[1.0, -1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0]);
    }

    #[test]
    fn batch_normalisation_compares_across_groups() {
        let found = advantages(AdvantageKind::BatchNormalised, &[vec![1.0, 1.0], vec![0.0, 0.0]]);
        // Mean 1/2, sample variance 4 · (1/4) / 3 = 1/3.
        let a = 0.5 * 3.0_f32.sqrt();
        for (f, e) in found.concat().iter().zip([a, a, -a, -a]) {
            assert!((f - e).abs() < 1e-5, "found {f}, expected {e}");
        }
        assert_eq!(advantages(AdvantageKind::BatchNormalised, &[vec![0.1; 3], vec![0.1; 5]]), vec![vec![0.0; 3], vec![0.0; 5]]);
    }

    #[test]
    fn a_reward_that_is_not_finite_surfaces() {
        for kind in GROUP_KINDS {
            for bad in [f32::NAN, f32::INFINITY] {
                let found = advantages(kind, &[vec![1.0, bad], vec![bad, bad], vec![1.0, 0.0]]);
                assert!(found[..2].concat().iter().all(|a| a.is_nan()), "{kind:?} {bad}");
                assert!(found[2].iter().all(|a| a.is_finite()), "{kind:?} {bad}");
            }
        }
    }

    #[test]
    fn empty_groups_and_groups_of_one() {
        for kind in [AdvantageKind::BatchNormalised].into_iter().chain(GROUP_KINDS) {
            assert_eq!(advantages(kind, &[vec![], vec![2.0]]), vec![vec![], vec![0.0]]);
            assert!(advantages(kind, &[]).is_empty());
        }
    }

    #[test]
    fn informative_groups() {
        assert!(is_informative(&[0.0, 0.0, 1.0]));
        assert!(!is_informative(&[1.0, 1.0, 1.0]));
        assert!(!is_informative(&[1.0]));
        assert!(!is_informative(&[]));
    }

    proptest! {
        #[test]
        fn equal_rewards_teach_nothing(reward in -3.0_f32..3.0, n in 1_usize..20) {
            for kind in GROUP_KINDS {
                prop_assert_eq!(one(kind, &vec![reward; n]), vec![0.0; n]);
            }
        }

        #[test]
        fn sums_to_zero_and_ignores_a_shift(rewards in prop::collection::vec(-2.0_f32..2.0, 2..20), shift in -4.0_f32..4.0) {
            let shifted: Vec<f32> = rewards.iter().map(|r| r + shift).collect();
            for kind in GROUP_KINDS {
                let found = one(kind, &rewards);
                // The tolerance covers f32 rewards that differ in their last digits only, which a division by a small deviation enlarges.
                let size = found.iter().fold(1.0_f32, |m, a| m.max(a.abs()));
                prop_assert!(found.iter().sum::<f32>().abs() < 1e-4 * size, "{:?} {:?}", kind, found);
                let spread = rewards.iter().fold(0.0_f32, |m, r| m.max((r - rewards[0]).abs()));
                prop_assume!(spread > 1e-2);
                for (a, b) in found.iter().zip(one(kind, &shifted)) {
                    prop_assert!((a - b).abs() < 1e-3, "{:?}: {} and, shifted, {}", kind, a, b);
                }
            }
        }

        #[test]
        fn normalised_ignores_a_scale(rewards in prop::collection::vec(-2.0_f32..2.0, 2..20), scale in 0.5_f32..4.0) {
            let spread = rewards.iter().fold(0.0_f32, |m, r| m.max((r - rewards[0]).abs()));
            prop_assume!(spread > 0.1);
            let scaled: Vec<f32> = rewards.iter().map(|r| r * scale).collect();
            for (a, b) in one(AdvantageKind::GroupNormalised, &rewards).iter().zip(one(AdvantageKind::GroupNormalised, &scaled)) {
                prop_assert!((a - b).abs() < 1e-3);
            }
        }

        #[test]
        fn leave_one_out_is_the_centred_one_enlarged(rewards in prop::collection::vec(-2.0_f32..2.0, 2..20)) {
            let n = rewards.len() as f32;
            let centred = one(AdvantageKind::GroupCentred, &rewards);
            for (i, (a, c)) in one(AdvantageKind::LeaveOneOut, &rewards).into_iter().zip(centred).enumerate() {
                prop_assert!((a - n / (n - 1.0) * c).abs() < 1e-5);
                let others: f32 = rewards.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, r)| r).sum::<f32>() / (n - 1.0);
                prop_assert!((a - (rewards[i] - others)).abs() < 1e-5);
            }
        }
    }
}
