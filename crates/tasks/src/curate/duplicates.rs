//! Conversations that were there before.

use std::collections::HashMap;

use super::words::jaccard;

/// For each text the index of the first equal one before it, if there is one. Texts are equal if their words are.
pub fn exact_duplicates(texts: &[Vec<String>]) -> Vec<Option<usize>> {
    let mut first = HashMap::new();
    texts.iter().enumerate().map(|(idx, words)| Some(*first.entry(words).or_insert(idx)).filter(|&first| first != idx)).collect()
}

/// For each set of shingles (in order, as [`super::shingles`] gives them) the index of the first set before it that it is like and that
/// is itself like none before: a Jaccard similarity of at least `threshold`, which is in (0, 1].
///
/// Exact, without comparing all pairs: in any common order, two sets of similarity ≥ t share one of the first |x| − ⌈t·|x|⌉ + 1
/// members of each (Bayardo, Ma, Srikant 2007, "Scaling up all pairs similarity search"). The order is from rare to frequent, so that few
/// pairs are looked at.
pub fn near_duplicates(sets: &[Vec<u64>], threshold: f64) -> Vec<Option<usize>> {
    let mut frequency: HashMap<u64, usize> = HashMap::new();
    for &member in sets.iter().flatten() {
        *frequency.entry(member).or_default() += 1;
    }
    let mut with_member: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut found = Vec::with_capacity(sets.len());
    for (idx, set) in sets.iter().enumerate() {
        let mut rare_first = set.clone();
        rare_first.sort_unstable_by_key(|member| (frequency[member], *member));
        // A little less than t·|x|, so that rounding only lengthens the prefix.
        let least_common = (threshold * set.len() as f64 - 1e-9).ceil().max(1.0) as usize;
        rare_first.truncate((set.len() + 1).saturating_sub(least_common));
        let mut candidates: Vec<usize> =
            rare_first.iter().flat_map(|member| with_member.get(member).into_iter().flatten()).copied().collect();
        candidates.sort_unstable();
        candidates.dedup();
        let like = candidates.into_iter().find(|&other| jaccard(set, &sets[other]) >= threshold);
        if like.is_none() {
            for member in rare_first {
                with_member.entry(member).or_default().push(idx);
            }
        }
        found.push(like);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::words;
    use super::*;

    #[test]
    fn layout_and_case_make_no_difference() {
        let texts = ["So 3+4=7.", "so  3+4 = 7", "so 3-4=7", "so 3+4=7"].map(words);
        assert_eq!(exact_duplicates(&texts), [None, Some(0), None, Some(0)]);
    }

    #[test]
    fn near_duplicates_by_value() {
        let sets = vec![vec![1, 2, 3, 4], vec![1, 2, 3, 5], vec![1, 2, 3, 4, 5], vec![], vec![], vec![9]];
        // 3/5, then 4/5 with the first.
        assert_eq!(near_duplicates(&sets, 0.8), [None, None, Some(0), None, None, None]);
        assert_eq!(near_duplicates(&sets, 0.6), [None, Some(0), Some(0), None, None, None]);
        assert_eq!(near_duplicates(&sets, 1.0), [None; 6]);
    }

    proptest! {
        #[test]
        fn near_duplicates_are_those_of_all_pairs(
            sets in prop::collection::vec(prop::collection::btree_set(0_u64..12, 0..8), 0..24),
            threshold in 0.05..=1.0,
        ) {
            let sets: Vec<Vec<u64>> = sets.into_iter().map(|set| set.into_iter().collect()).collect();
            let mut expected: Vec<Option<usize>> = Vec::new();
            for idx in 0..sets.len() {
                let like = (0..idx).find(|&other| expected[other].is_none() && jaccard(&sets[idx], &sets[other]) >= threshold);
                expected.push(like);
            }
            prop_assert_eq!(near_duplicates(&sets, threshold), expected);
        }
    }
}
