//! Texts as sets of short sequences of words.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// Signs that make a difference in mathematics; all other signs only set words apart.
const SIGNS: &str = "+-*/=<>^%×÷·√≤≥≠±∑∫";

/// The words of a text in lower case: runs of letters and digits, single ideographs and kana, and signs of mathematics. Layout and
/// punctuation make no difference.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() && !is_alone(c) {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if is_alone(c) || SIGNS.contains(c) {
            words.push(c.to_string());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The hashes of all sequences of `n` words, in order and without repetition; of a shorter text that of the whole. None without words.
///
/// Hashes are equal within one program only: they are for comparing, not for keeping.
///
/// # Panics
/// If `n` is 0.
pub fn shingles(words: &[String], n: usize) -> Vec<u64> {
    let mut hashes: Vec<u64> = if words.is_empty() { Vec::new() } else { words.windows(n.min(words.len())).map(hash).collect() };
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// |a ∩ b| / |a ∪ b| of two sets given in order; 0 if both are empty.
pub fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut i, mut j, mut n_common) = (0, 0, 0_usize);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        n_common += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    let n_all = a.len() + b.len() - n_common;
    if n_all == 0 { 0.0 } else { n_common as f64 / n_all as f64 }
}

pub(super) fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    // Made without random keys: the same in every process.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Ideographs and kana, which no space sets apart.
fn is_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_digits_ideographs_and_signs() {
        assert_eq!(words("Compute (3+45)*2, now!"), ["compute", "3", "+", "45", "*", "2", "now"]);
        assert_eq!(words("计算3-4。Étage"), ["计", "算", "3", "-", "4", "étage"]);
        assert!(words(" \n.,").is_empty());
    }

    #[test]
    fn shingles_are_a_set() {
        let of = |text: &str, n| shingles(&words(text), n);
        assert_eq!(of("a b a b a", 2).len(), 2);
        assert_eq!(of("a b c", 3), of("A, b. c", 3));
        assert_eq!(of("a b", 3), of("a b", 2), "a short text is one shingle");
        assert!(of("", 3).is_empty());
    }

    #[test]
    fn jaccard_by_value() {
        assert_eq!(jaccard(&[1, 2, 3], &[2, 3, 4]), 0.5);
        assert_eq!(jaccard(&[1], &[1]), 1.0);
        assert_eq!(jaccard(&[1], &[]), 0.0);
        assert_eq!(jaccard(&[], &[]), 0.0);
    }
}
