//! What becomes of responses before a reward model learns from them: which are compared, which pairs stay, which are held out.

use std::collections::BTreeSet;

use ruminate_core::Seed;

/// Largest share of pairs that [`balance_lengths`] leaves in which the longer, or the shorter, response is the better one.
const MAX_ONE_SIDED: f64 = 0.55;

/// Pairs of texts to compare: at most `most` of all pairs whose texts differ, drawn without repetition, in ascending order.
pub fn draw_pairs(texts: &[&str], most: usize, seed: Seed) -> Vec<(usize, usize)> {
    let all = (0..texts.len()).flat_map(|first| (first + 1..texts.len()).map(move |second| (first, second)));
    // The same two texts again would be the same question to the judge.
    let mut seen = BTreeSet::new();
    let is_new = |&(first, second): &(usize, usize)| {
        let (a, b) = (texts[first].min(texts[second]), texts[first].max(texts[second]));
        a != b && seen.insert((a, b))
    };
    let mut pairs: Vec<(usize, usize)> = all.filter(is_new).collect();
    pairs.sort_by_key(|&(first, second)| seed.with_index(first as u64).with_index(second as u64).value());
    pairs.truncate(most);
    pairs.sort_unstable();
    pairs
}

/// In how many pairs the chosen response is the longer one, and in how many the shorter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LengthCount {
    /// Pairs whose chosen response is longer.
    pub longer_wins: usize,
    /// Pairs whose chosen response is shorter.
    pub shorter_wins: usize,
}

impl LengthCount {
    /// Counts pairs of lengths, the chosen response's first.
    pub fn of(lengths: &[(usize, usize)]) -> Self {
        Self {
            longer_wins: lengths.iter().filter(|(chosen, rejected)| chosen > rejected).count(),
            shorter_wins: lengths.iter().filter(|(chosen, rejected)| chosen < rejected).count(),
        }
    }
}

/// Which pairs stay so that length says little about which response is better: of `(chosen, rejected)` lengths, the indices in ascending
/// order. Where the longer response wins too often, as judges like it, or the shorter one, such pairs go until at most 55% of the pairs of
/// different lengths are on that side; those with the largest difference go first, since they teach length most.
///
/// None of different lengths stays if all are on one side.
pub fn balance_lengths(lengths: &[(usize, usize)]) -> Vec<usize> {
    let count = LengthCount::of(lengths);
    let (more, fewer) = (count.longer_wins.max(count.shorter_wins), count.longer_wins.min(count.shorter_wins));
    let most = (fewer as f64 * MAX_ONE_SIDED / (1.0 - MAX_ONE_SIDED)).floor() as usize;
    let longer_goes = count.longer_wins > count.shorter_wins;
    let is_on_side = |&(chosen, rejected): &(usize, usize)| if longer_goes { chosen > rejected } else { chosen < rejected };
    let mut on_side: Vec<usize> = (0..lengths.len()).filter(|&idx| is_on_side(&lengths[idx])).collect();
    // A stable sort: of equal differences the later pairs go first.
    on_side.sort_by_key(|&idx| lengths[idx].0.abs_diff(lengths[idx].1));
    let gone: BTreeSet<usize> = on_side.into_iter().skip(most.min(more)).collect();
    (0..lengths.len()).filter(|idx| !gone.contains(idx)).collect()
}

/// Which entries are held out, by what was asked: all entries of a prompt on one side, so that held-out prompts are new to the model.
///
/// The share is of prompts, rounded to the nearest number but at least one prompt, and at least one is left to learn from where there are two.
pub fn hold_out(prompts: &[&str], share: f64, seed: Seed) -> Vec<bool> {
    let distinct: BTreeSet<&str> = prompts.iter().copied().collect();
    let mut order: Vec<&str> = distinct.into_iter().collect();
    order.sort_by_key(|prompt| (seed.with(prompt).value(), *prompt));
    let n_out =
        if share == 0.0 { 0 } else { ((order.len() as f64 * share).round() as usize).clamp(1, order.len().saturating_sub(1).max(1)) };
    let out: BTreeSet<&str> = order.into_iter().take(n_out).collect();
    prompts.iter().map(|prompt| out.contains(prompt)).collect()
}

/// The order of `n` entries in an epoch.
pub fn epoch_order(n: usize, epoch: u64, seed: Seed) -> Vec<usize> {
    let seed = seed.with("epoch").with_index(epoch);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&idx| seed.with_index(idx as u64).value());
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_texts_that_differ_are_compared_and_none_twice() {
        let texts = ["a", "b", "a", "c"];
        // Of {a, b}, {a, c}, {b, c} the first places where they occur.
        assert_eq!(draw_pairs(&texts, 9, Seed::new(1)), [(0, 1), (0, 3), (1, 3)]);
        assert_eq!(draw_pairs(&texts, 2, Seed::new(1)).len(), 2);
        assert_eq!(draw_pairs(&["a", "a"], 9, Seed::new(1)), []);
        let drawn: BTreeSet<_> = (0..20).map(|seed| draw_pairs(&texts, 1, Seed::new(seed))).collect();
        assert_eq!(drawn.len(), 3, "every pair has its turn");
    }

    #[test]
    fn lengths_are_balanced_by_value() {
        // Four pairs in which the longer wins, one in which the shorter does, one of equal lengths.
        let lengths = [(9, 1), (5, 4), (8, 6), (3, 2), (2, 4), (3, 3)];
        assert_eq!(LengthCount::of(&lengths), LengthCount { longer_wins: 4, shorter_wins: 1 });
        // At most 1.22 of them may stay: the one with the smallest difference that stands first.
        assert_eq!(balance_lengths(&lengths), [1, 4, 5]);
        let swapped: Vec<(usize, usize)> = lengths.iter().map(|&(a, b)| (b, a)).collect();
        assert_eq!(balance_lengths(&swapped), [1, 4, 5]);
        assert_eq!(balance_lengths(&[(2, 1), (3, 1)]), [0_usize; 0]);
        assert_eq!(balance_lengths(&[(2, 1), (1, 2), (2, 2)]), [0, 1, 2]);
        assert_eq!(balance_lengths(&[]), [0_usize; 0]);
    }

    #[test]
    fn prompts_are_held_out_whole() {
        let prompts = ["a", "b", "a", "c", "d", "b"];
        let out = hold_out(&prompts, 0.25, Seed::new(3));
        assert_eq!((out[0], out[1]), (out[2], out[5]));
        let names: BTreeSet<&str> = prompts.iter().zip(&out).filter(|(_, out)| **out).map(|(prompt, _)| *prompt).collect();
        assert_eq!(names.len(), 1);
        assert_eq!(hold_out(&prompts, 0.0, Seed::new(3)), [false; 6]);
        assert_eq!(hold_out(&["a", "b"], 0.9, Seed::new(3)).iter().filter(|out| **out).count(), 1);
    }

    proptest! {
        #[test]
        fn no_side_has_more_than_its_share(lengths in prop::collection::vec((0_usize..30, 0_usize..30), 0..60)) {
            let kept = balance_lengths(&lengths);
            let count = LengthCount::of(&kept.iter().map(|&idx| lengths[idx]).collect::<Vec<_>>());
            let n = count.longer_wins + count.shorter_wins;
            prop_assert!(count.longer_wins.max(count.shorter_wins) as f64 <= MAX_ONE_SIDED * n as f64 + 1e-9);
            // The smaller side and pairs of equal lengths stay whole.
            let before = LengthCount::of(&lengths);
            prop_assert_eq!(count.longer_wins.min(count.shorter_wins), before.longer_wins.min(before.shorter_wins));
        }

        #[test]
        fn epochs_have_everything_once(n in 0_usize..50, epoch in 0_u64..4) {
            let mut order = epoch_order(n, epoch, Seed::new(1));
            order.sort_unstable();
            prop_assert_eq!(order, (0..n).collect::<Vec<_>>());
        }
    }
}
