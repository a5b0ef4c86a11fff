//! Rewards of length: by a cosine, within a group, and near the token budget.
//!
//! They have the values of open-r1 (`get_cosine_scaled_reward`, `len_reward`, `get_soft_overlong_punishment`) for the same parameters.
//! Lengths are in the unit of the parameters: open-r1 counts characters for the first two and tokens for the third.

use std::num::NonZeroU32;

use ruminate_core::{Outcome, SoftOverlong, Verdict};
use serde::{Deserialize, Serialize};

/// Among right answers the short ones earn more, among wrong ones the long ones lose less ("Demystifying long chain-of-thought
/// reasoning in LLMs", arXiv 2502.03373). Each pair of values is a range: the end of a right answer of length 0 is the upper one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CosineLength {
    /// Reward of a wrong answer of length 0.
    pub min_value_wrong: f64,
    /// Reward of a wrong answer of length `max_len`.
    pub max_value_wrong: f64,
    /// Reward of a right answer of length `max_len`.
    pub min_value_correct: f64,
    /// Reward of a right answer of length 0.
    pub max_value_correct: f64,
    /// The length at which the cosine reaches its other end. Beyond it the cosine turns round, as in open-r1.
    pub max_len: NonZeroU32,
}

impl Default for CosineLength {
    /// The defaults of open-r1.
    fn default() -> Self {
        const MAX_LEN: NonZeroU32 = NonZeroU32::new(1000).expect("1000 is not 0");
        Self { min_value_wrong: -1.0, max_value_wrong: -0.5, min_value_correct: 0.5, max_value_correct: 1.0, max_len: MAX_LEN }
    }
}

impl CosineLength {
    /// Grades an answer by its length: low + (high − low)/2 · (1 + cos(π · length/max_len)), low and high swapped for wrong answers.
    pub fn grade(&self, is_right: bool, length: usize) -> Verdict {
        let (low, high) =
            if is_right { (self.min_value_correct, self.max_value_correct) } else { (self.max_value_wrong, self.min_value_wrong) };
        let cosine = (length as f64 / f64::from(self.max_len.get()) * std::f64::consts::PI).cos();
        let answer = if is_right { "right" } else { "wrong" };
        Verdict {
            reward: (low + 0.5 * (high - low) * (1.0 + cosine)) as f32,
            outcome: if is_right { Outcome::Right } else { Outcome::Wrong },
            reason: format!("a {answer} answer of length {length}, of {}", self.max_len),
        }
    }
}

/// Grades the lengths of a group of completions to one prompt (Kimi k1.5, arXiv 2501.12599, section 2.3.3).
///
/// With λ = 0.5 − (length − shortest)/(longest − shortest), a right answer gets λ and a wrong one min(0, λ); all get 0 if they are of
/// one length. Each completion is given as its length and whether its answer is right.
pub fn grade_group_lengths(completions: &[(usize, bool)]) -> Vec<Verdict> {
    let shortest = completions.iter().map(|&(length, _)| length).min().unwrap_or(0);
    let longest = completions.iter().map(|&(length, _)| length).max().unwrap_or(0);
    let grade = |&(length, is_right): &(usize, bool)| {
        let share = if longest == shortest { 0.5 } else { (length - shortest) as f64 / (longest - shortest) as f64 };
        let lambda = 0.5 - share;
        let answer = if is_right { "right" } else { "wrong" };
        Verdict {
            reward: if is_right { lambda } else { lambda.min(0.0) } as f32,
            outcome: if is_right { Outcome::Right } else { Outcome::Wrong },
            reason: format!("a {answer} answer of length {length} in a group from {shortest} to {longest}"),
        }
    };
    completions.iter().map(grade).collect()
}

/// DAPO's soft overlong punishment as a verdict: right without a penalty, else wrong.
pub fn grade_overlong(limit: SoftOverlong, n_tokens: usize) -> Verdict {
    let penalty = limit.penalty(n_tokens);
    Verdict {
        reward: penalty,
        outcome: if penalty < 0.0 { Outcome::Wrong } else { Outcome::Right },
        reason: format!("{n_tokens} tokens, punished within {} of {}", limit.cache, limit.max_length),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(found: f32, expected: f64) {
        assert!((f64::from(found) - expected).abs() < 1e-6, "expected {expected}, found {found}");
    }

    /// Computed with Python: `lo + 0.5 * (hi - lo) * (1 + math.cos(n / max_len * math.pi))`, for wrong answers with
    /// `lo, hi = max_value_wrong, min_value_wrong`.
    #[test]
    fn cosine_values_are_those_of_open_r1() {
        let length = CosineLength::default();
        for (n, right) in [
            (0, 1.0),
            (1, 0.9999987663004646),
            (250, 0.9267766952966369),
            (500, 0.75),
            (999, 0.5000012336995354),
            (1000, 0.5),
            (1500, 0.75),
            (2000, 1.0),
        ] {
            near(length.grade(true, n).reward, right);
            near(length.grade(false, n).reward, -right);
        }
        let other = CosineLength {
            min_value_wrong: -10.0,
            max_value_wrong: -5.0,
            min_value_correct: 2.0,
            max_value_correct: 3.0,
            max_len: NonZeroU32::new(4096).unwrap(),
        };
        near(other.grade(true, 700).reward, 2.929650909178504);
        near(other.grade(false, 700).reward, -9.64825454589252);
        assert_eq!(length.grade(false, 7).reason, "a wrong answer of length 7, of 1000");
    }

    /// Computed with Python: `0.5 - (n - min) / (max - min)`, for wrong answers `min(0, …)`.
    #[test]
    fn group_values_are_those_of_kimi() {
        let check = |completions: &[(usize, bool)], expected: &[f64]| {
            let verdicts = grade_group_lengths(completions);
            assert_eq!(verdicts.len(), expected.len());
            for (verdict, &expected) in verdicts.iter().zip(expected) {
                near(verdict.reward, expected);
            }
        };
        check(&[(10, true), (20, false), (40, true), (50, false)], &[0.5, 0.0, -0.25, -0.5]);
        check(&[(100, true), (333, true), (700, false), (150, false)], &[0.5, 0.11166666666666669, -0.5, 0.0]);
        check(&[(7, true), (7, false)], &[0.0, 0.0]);
        check(&[(3, true)], &[0.0]);
        check(&[], &[]);
    }

    #[test]
    fn overlong_completions_are_punished_softly() {
        let dapo = SoftOverlong { max_length: 20_480, cache: 4_096 };
        let found = [16_384, 18_432, 20_480, 30_000].map(|n| grade_overlong(dapo, n));
        assert_eq!(found.each_ref().map(|verdict| verdict.reward), [0.0, -0.5, -1.0, -1.0]);
        assert_eq!((found[0].outcome, found[1].outcome), (Outcome::Right, Outcome::Wrong));
        assert_eq!(found[1].reason, "18432 tokens, punished within 4096 of 20480");
    }

    proptest! {
        #[test]
        fn rewards_stay_in_their_ranges(lengths in prop::collection::vec((0_usize..5000, any::<bool>()), 1..9)) {
            for (verdict, &(length, is_right)) in grade_group_lengths(&lengths).iter().zip(&lengths) {
                prop_assert!((-0.5..=0.5).contains(&verdict.reward) && (is_right || verdict.reward <= 0.0));
                let cosine = CosineLength::default().grade(is_right, length).reward;
                let range = if is_right { 0.5..=1.0 } else { -1.0..=-0.5 };
                prop_assert!(range.contains(&cosine));
            }
        }

        #[test]
        fn shorter_right_answers_earn_more(a in 0_usize..1000, b in 0_usize..1000) {
            let length = CosineLength::default();
            let (a, b) = (a.min(b), a.max(b));
            prop_assert!(length.grade(true, a).reward >= length.grade(true, b).reward);
            prop_assert!(length.grade(false, a).reward <= length.grade(false, b).reward);
        }
    }
}
