//! How likely the letters of a word are in each Latin language, by the trigrams of listed words.

use std::array;
use std::collections::HashMap;

use super::latin::{LANGUAGES, words_of};

const N: usize = LANGUAGES.len();

/// One number for each of [`LANGUAGES`].
type Row = [f32; N];

/// A letter as an index; 0 stands before and behind words.
type Letter = u8;

/// More than there are letters in all lists together.
const LETTERS: usize = 128;
/// How many occurrences the estimate of a shorter context is worth.
const BACKOFF: f32 = 4.0;
/// How many occurrences each letter has in each language before any was seen.
const UNSEEN: f32 = 0.1;
/// Log-likelihood of a letter that no listed word of a language has.
const STRANGE_LETTER: f32 = -16.0;

/// Letter trigrams of each language, each smoothed by the bigram and the single letter.
pub(super) struct Trigrams {
    letters: HashMap<char, Letter>,
    /// How often each language has a letter.
    singles: Vec<Row>,
    /// ln p(letter | the one before), at [`pair`].
    bigrams: Vec<Row>,
    /// ln p(letter | the two before), of the trigrams that any listed word has.
    trigrams: HashMap<(Letter, Letter, Letter), Row>,
}

impl Trigrams {
    /// Counts the words of each language.
    pub(super) fn of(lexicons: &[&'static str; N]) -> Self {
        let mut all: Vec<char> = lexicons.concat().chars().filter(|c| c.is_alphabetic()).collect();
        all.sort_unstable();
        all.dedup();
        let letters: HashMap<char, Letter> = all.into_iter().zip(1..).collect();
        let n_letters = letters.len() as f32;
        let mut model = Self { letters, singles: vec![[0.0; N]; LETTERS], bigrams: Vec::new(), trigrams: HashMap::new() };

        let mut pairs = vec![[0.0_f32; N]; LETTERS * LETTERS];
        let (mut after_one, mut after_two) = (vec![[0.0_f32; N]; LETTERS], vec![[0.0_f32; N]; LETTERS * LETTERS]);
        let mut triples: HashMap<(Letter, Letter, Letter), Row> = HashMap::new();
        let mut totals = [0.0_f32; N];
        for (language, lexicon) in lexicons.iter().enumerate() {
            for (a, b, c) in words_of(lexicon).flat_map(|word| contexts(&model.letters, word)) {
                totals[language] += 1.0;
                model.singles[usize::from(c)][language] += 1.0;
                pairs[pair(b, c)][language] += 1.0;
                after_one[usize::from(b)][language] += 1.0;
                triples.entry((a, b, c)).or_default()[language] += 1.0;
                after_two[pair(a, b)][language] += 1.0;
            }
        }
        let single = |c: usize, language: usize| (model.singles[c][language] + UNSEEN) / (totals[language] + UNSEEN * n_letters);
        let estimate = |count: f32, shorter: f32, n: f32| (count + BACKOFF * shorter) / (n + BACKOFF);
        let bigrams: Vec<Row> = (0..LETTERS * LETTERS)
            .map(|at| array::from_fn(|l| estimate(pairs[at][l], single(at % LETTERS, l), after_one[at / LETTERS][l])))
            .collect();
        let trigram = |(a, b, c): (Letter, Letter, Letter), counts: Row| -> Row {
            array::from_fn(|l| estimate(counts[l], bigrams[pair(b, c)][l], after_two[pair(a, b)][l]).ln())
        };
        model.trigrams = triples.into_iter().map(|(key, counts)| (key, trigram(key, counts))).collect();
        model.bigrams = bigrams.iter().map(|row| row.map(f32::ln)).collect();
        model
    }

    /// The log-likelihood of a word in lower case in each language; `None` if it has a letter that no language has.
    pub(super) fn log_likelihoods(&self, word: &str) -> Option<Row> {
        let mut sums = [0.0; N];
        for (a, b, c) in contexts(&self.letters, word) {
            let row = self.trigrams.get(&(a, b, c)).unwrap_or(&self.bigrams[pair(b, c)]);
            sums = array::from_fn(|l| sums[l] + row[l]);
        }
        for c in word.chars().filter(|c| c.is_alphabetic() && !c.is_ascii()) {
            let counts = &self.singles[usize::from(*self.letters.get(&c)?)];
            sums = array::from_fn(|l| sums[l] + if counts[l] == 0.0 { STRANGE_LETTER } else { 0.0 });
        }
        Some(sums)
    }
}

/// The letters of a word, each with the two before it, and the end.
fn contexts(letters: &HashMap<char, Letter>, word: &str) -> impl Iterator<Item = (Letter, Letter, Letter)> {
    let mut before = (0, 0);
    let letters = word.chars().filter_map(|c| letters.get(&c).copied()).chain(std::iter::once(0));
    letters.map(move |letter| {
        let (a, b) = before;
        before = (b, letter);
        (a, b, letter)
    })
}

fn pair(a: Letter, b: Letter) -> usize {
    usize::from(a) * LETTERS + usize::from(b)
}
