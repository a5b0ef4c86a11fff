//! Which of several right answers to one problem are kept.

use super::words::jaccard;

/// One answer that may be kept.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its length, in any unit.
    pub length: usize,
    /// What it says, as [`super::shingles`] gives it.
    pub shingles: &'a [u64],
}

/// The indices of at most `most` candidates, best first: the shortest one, then each time the one whose distance from all that are chosen
/// (1 − the largest Jaccard similarity) less its length (as a share of the longest) is largest. Of equals the first.
pub fn select(candidates: &[Candidate<'_>], most: usize) -> Vec<usize> {
    let longest = candidates.iter().map(|candidate| candidate.length).max().unwrap_or(0).max(1) as f64;
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < most.min(candidates.len()) {
        let score = |idx: usize| {
            let nearest = chosen.iter().map(|&other| jaccard(candidates[idx].shingles, candidates[other].shingles)).fold(0.0, f64::max);
            1.0 - nearest - candidates[idx].length as f64 / longest
        };
        let free = (0..candidates.len()).filter(|idx| !chosen.contains(idx)).map(|idx| (idx, score(idx)));
        let best = free.reduce(|best, next| if next.1 > best.1 { next } else { best });
        chosen.extend(best.map(|(idx, _)| idx));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(candidates: &[(usize, &[u64])], most: usize) -> Vec<usize> {
        let candidates: Vec<Candidate<'_>> = candidates.iter().map(|&(length, shingles)| Candidate { length, shingles }).collect();
        select(&candidates, most)
    }

    #[test]
    fn the_shortest_first_then_what_differs_for_its_length() {
        let all: [(usize, &[u64]); 4] = [(10, &[1, 2, 3]), (8, &[1, 2, 4]), (8, &[1, 2, 4]), (10, &[7, 8])];
        assert_eq!(chosen(&all, 1), [1]);
        // Scores of the second choice: 0: 1 - 0.5 - 1 = -0.5; 2: 1 - 1 - 0.8 = -0.8; 3: 1 - 0 - 1 = 0.
        assert_eq!(chosen(&all, 2), [1, 3]);
        assert_eq!(chosen(&all, 9), [1, 3, 0, 2]);
        assert_eq!(chosen(&all, 0), [0_usize; 0]);
        assert_eq!(chosen(&[], 3), [0_usize; 0]);
        // A much longer one does not win by being different.
        assert_eq!(chosen(&[(10, &[1, 2]), (12, &[1, 2, 3]), (100, &[9])], 2), [0, 1]);
    }
}
