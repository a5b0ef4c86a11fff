//! Which of nine Latin-script languages a word may belong to: function and common words, and letter trigrams of them.
//!
//! The lists in `lexicon` were written for this project. A listed word is evidence for the languages that list it. Of another word the
//! trigrams of its letters are compared by a naive Bayes model that is made from the same lists at first use.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ruminate_core::Language;
use unicode_normalization::UnicodeNormalization;

use super::words::Token;

/// The languages that are told apart, in the order of [`Fit`].
pub(super) const LANGUAGES: [Language; 9] =
    [Language::En, Language::De, Language::Fr, Language::Es, Language::It, Language::Pt, Language::Nl, Language::Tr, Language::Vi];

/// The place of German in [`LANGUAGES`]: its nouns are capitalised.
pub(super) const GERMAN: usize = 1;

/// [`LANGUAGES`] and, last, any other language in Latin letters.
pub(super) const N: usize = LANGUAGES.len() + 1;

/// Log-likelihood of a word in each language, the largest 0, in nats.
pub(super) type Fit = [f32; N];

const LEXICONS: [&str; 9] = [
    include_str!("lexicon/en.txt"),
    include_str!("lexicon/de.txt"),
    include_str!("lexicon/fr.txt"),
    include_str!("lexicon/es.txt"),
    include_str!("lexicon/it.txt"),
    include_str!("lexicon/pt.txt"),
    include_str!("lexicon/nl.txt"),
    include_str!("lexicon/tr.txt"),
    include_str!("lexicon/vi.txt"),
];

/// Given names and the like: no words even where a sentence begins with them.
const NAMES: &str = include_str!("lexicon/names.txt");

/// The fit of a language that does not list a word that another one lists. A single such word is no phrase of another language: it
/// costs less than two changes of language.
const NOT_LISTED: f32 = -4.5;
/// The fit of the other languages, beside the best one, for a word that nothing is known of.
const OTHER: f32 = -2.0;
/// The least fit of a language by letters.
const FLOOR: f32 = -2.0;
/// What a letter costs that no listed word of the language has.
const STRANGE_LETTER: f32 = -4.0;
/// How much the log-likelihoods of trigrams count: those of one word are not independent.
const TRIGRAM_WEIGHT: f32 = 0.25;

/// What a token in Latin letters is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Latin {
    /// No word of any language: a variable, a unit, an acronym, an identifier, a name.
    Symbol,
    /// A word.
    Word(Fit),
    /// Capitalised within a sentence and in no list: a noun if its context is German, else a name.
    Name(Fit),
}

/// Reads a token in Latin letters. `follows`: whether a word in Latin letters follows it in the same sentence, in lower
/// case or behind a comma.
pub(super) fn read(token: &Token<'_>, follows: bool, buffer: &mut String) -> Latin {
    let text = composed(token.text);
    let n_letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let case = Case::of(&text);
    if case == Case::Inner || (n_letters <= 1 && text.is_ascii()) {
        return Latin::Symbol;
    }
    lower(&text, buffer);
    // `NOT` is a word, `IT` and `AI` may as well be acronyms.
    if case == Case::Upper && n_letters == 2 {
        return Latin::Symbol;
    }
    if let Some(listed) = MODEL.listed(buffer) {
        return Latin::Word(fit_of_listed(listed));
    }
    let has_vowel = !buffer.is_ascii() || buffer.bytes().any(|byte| b"aeiouy".contains(&byte));
    if n_letters <= 1 || !has_vowel || (n_letters == 2 && buffer.is_ascii()) || case == Case::Upper {
        return Latin::Symbol;
    }
    if case == Case::Capital && NAME_SET.contains(buffer.split('\'').next().unwrap_or(buffer)) {
        return Latin::Symbol;
    }
    let fit = MODEL.fit_of_letters(buffer);
    if case == Case::Capital && !(token.is_initial && follows) { Latin::Name(fit) } else { Latin::Word(fit) }
}

/// Where a word has capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Lower,
    Capital,
    Upper,
    /// Behind a lower-case letter, as in `camelCase`.
    Inner,
}

impl Case {
    fn of(text: &str) -> Self {
        let (mut n_upper, mut n_lower, mut before, mut starts_upper) = (0, 0, ' ', false);
        for c in text.chars() {
            if c.is_uppercase() {
                starts_upper |= n_upper + n_lower == 0;
                n_upper += 1;
                if before.is_lowercase() {
                    return Self::Inner;
                }
            } else if c.is_lowercase() {
                n_lower += 1;
            }
            before = c;
        }
        match (n_upper, n_lower) {
            (0, _) => Self::Lower,
            (2.., 0) => Self::Upper,
            // `l'Italie`: the capital stands behind the elision.
            _ if starts_upper || text.contains(['\'', '’']) => Self::Capital,
            _ => Self::Inner,
        }
    }
}

/// The text with letters and their accents in one character each.
fn composed(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| ('\u{300}'..='\u{36f}').contains(&c)) { text.nfc().collect() } else { text.into() }
}

/// The text in lower case with straight apostrophes.
fn lower(text: &str, buffer: &mut String) {
    buffer.clear();
    for c in text.chars() {
        match c {
            '’' | 'ʼ' => buffer.push('\''),
            // Its lower case would be two characters.
            'İ' => buffer.push('i'),
            _ if c.is_ascii() => buffer.push(c.to_ascii_lowercase()),
            _ => buffer.extend(c.to_lowercase()),
        }
    }
}

/// A set of languages, one bit for each of [`LANGUAGES`].
type Languages = u16;

fn fit_of_listed(listed: Languages) -> Fit {
    let mut fit = [NOT_LISTED; N];
    for (language, score) in fit.iter_mut().enumerate() {
        if listed & (1 << language) != 0 {
            *score = 0.0;
        }
    }
    fit
}

static MODEL: LazyLock<Model> = LazyLock::new(Model::from_lexicons);
static NAME_SET: LazyLock<HashSet<&'static str>> = LazyLock::new(|| NAMES.split_whitespace().collect());

/// A letter as an index; 0 stands before and behind words.
type Letter = u8;

const LETTERS: usize = 128;
const LANGS: usize = LANGUAGES.len();

struct Model {
    words: HashMap<&'static str, Languages>,
    letters: HashMap<char, Letter>,
    /// Which languages have a letter.
    alphabets: [Languages; LETTERS],
    /// ln p(letter | the one before), by language.
    bigrams: Vec<[f32; LANGS]>,
    /// ln p(letter | the two before), by language, of the trigrams that any listed word has.
    trigrams: HashMap<(Letter, Letter, Letter), [f32; LANGS]>,
}

impl Model {
    fn from_lexicons() -> Self {
        let mut words: HashMap<&'static str, Languages> = HashMap::new();
        for (language, lexicon) in LEXICONS.iter().enumerate() {
            for word in lexicon.split([' ', '\n', '-']).filter(|word| !word.is_empty()) {
                *words.entry(word).or_default() |= 1 << language;
            }
        }
        let mut all: Vec<char> = LEXICONS.concat().chars().filter(|c| c.is_alphabetic()).collect();
        all.sort_unstable();
        all.dedup();
        let letters: HashMap<char, Letter> = all.into_iter().zip(1..).collect();
        let mut alphabets = [0; LETTERS];
        for (language, lexicon) in LEXICONS.iter().enumerate() {
            for letter in lexicon.chars().filter_map(|c| letters.get(&c)) {
                alphabets[usize::from(*letter)] |= 1 << language;
            }
        }
        let mut model = Self { words, letters, alphabets, bigrams: vec![[0.0; LANGS]; LETTERS * LETTERS], trigrams: HashMap::new() };
        model.count();
        model
    }

    /// Estimates all probabilities, each smoothed by those of the shorter context (Witten and Bell's way with a constant weight).
    fn count(&mut self) {
        const WEIGHT: f32 = 4.0;
        let mut singles = vec![[0.0_f32; LANGS]; LETTERS];
        let mut pairs = vec![[0.0_f32; LANGS]; LETTERS * LETTERS];
        let mut starts = vec![[0.0_f32; LANGS]; LETTERS * LETTERS];
        let mut triples: HashMap<(Letter, Letter, Letter), [f32; LANGS]> = HashMap::new();
        for (language, lexicon) in LEXICONS.iter().enumerate() {
            for word in lexicon.split([' ', '\n', '-']).filter(|word| !word.is_empty()) {
                for (a, b, c) in self.contexts(word) {
                    singles[usize::from(c)][language] += 1.0;
                    pairs[pair(b, c)][language] += 1.0;
                    starts[pair(a, b)][language] += 1.0;
                    triples.entry((a, b, c)).or_default()[language] += 1.0;
                }
            }
        }
        let n_letters = self.letters.len() as f32;
        let mut totals = [0.0; LANGS];
        let mut n_after_one = vec![[0.0_f32; LANGS]; LETTERS];
        for (letter, counts) in singles.iter().enumerate() {
            for language in 0..LANGS {
                totals[language] += counts[language];
                for next in 0..LETTERS {
                    n_after_one[letter][language] += pairs[letter * LETTERS + next][language];
                }
            }
        }
        for before in 0..LETTERS {
            for letter in 0..LETTERS {
                for language in 0..LANGS {
                    let single = (singles[letter][language] + 0.1) / (totals[language] + 0.1 * n_letters);
                    let at = before * LETTERS + letter;
                    self.bigrams[at][language] = (pairs[at][language] + WEIGHT * single) / (n_after_one[before][language] + WEIGHT);
                }
            }
        }
        for ((a, b, c), counts) in sorted(&triples) {
            let mut row = [0.0; LANGS];
            for language in 0..LANGS {
                let backoff = WEIGHT * self.bigrams[pair(b, c)][language];
                row[language] = ((counts[language] + backoff) / (starts[pair(a, b)][language] + WEIGHT)).ln();
            }
            self.trigrams.insert((a, b, c), row);
        }
        for probability in self.bigrams.iter_mut().flatten() {
            *probability = probability.ln();
        }
    }

    /// The letters of a word, each with the two before it, and the end.
    fn contexts(&self, word: &str) -> impl Iterator<Item = (Letter, Letter, Letter)> {
        let mut before = (0, 0);
        let letters = word.chars().filter_map(|c| self.letters.get(&c).copied()).chain(std::iter::once(0));
        letters.map(move |letter| {
            let (a, b) = before;
            before = (b, letter);
            (a, b, letter)
        })
    }

    /// The languages that list a word in lower case, its elision, or what stands before its ending.
    fn listed(&self, word: &str) -> Option<Languages> {
        if let Some(&languages) = self.words.get(word) {
            return Some(languages);
        }
        let at = word.find('\'')?;
        if let Some(&elision) = self.words.get(&word[..=at]) {
            let rest = self.words.get(&word[at + 1..]).map_or(elision, |rest| rest & elision);
            return Some(if rest == 0 { elision } else { rest });
        }
        // `knight's`: the ending is English.
        let is_english_ending = matches!(&word[at + 1..], "s" | "re" | "ll" | "ve" | "d" | "m" | "");
        self.words.get(&word[..at]).copied().filter(|languages| is_english_ending && languages & 1 != 0).map(|_| 1)
    }

    /// The fit of a word by its trigrams and its alphabet.
    fn fit_of_letters(&self, word: &str) -> Fit {
        let mut sums = [0.0_f32; LANGS];
        for (a, b, c) in self.contexts(word) {
            let row = self.trigrams.get(&(a, b, c)).unwrap_or(&self.bigrams[pair(b, c)]);
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += TRIGRAM_WEIGHT * value;
            }
        }
        let mut is_foreign = false;
        for c in word.chars().filter(|c| c.is_alphabetic() && !c.is_ascii()) {
            let alphabets = self.letters.get(&c).map_or(0, |&letter| self.alphabets[usize::from(letter)]);
            is_foreign |= alphabets == 0;
            for (language, sum) in sums.iter_mut().enumerate() {
                if alphabets & (1 << language) == 0 {
                    *sum += STRANGE_LETTER;
                }
            }
        }
        let best = sums.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut fit = [if is_foreign { 0.0 } else { OTHER }; N];
        for (score, sum) in fit.iter_mut().zip(sums) {
            *score = if is_foreign { NOT_LISTED } else { (sum - best).max(FLOOR) };
        }
        fit
    }
}

fn pair(a: Letter, b: Letter) -> usize {
    usize::from(a) * LETTERS + usize::from(b)
}

fn sorted<K: Ord + Copy, V: Copy>(map: &HashMap<K, V>) -> Vec<(K, V)> {
    let mut entries: Vec<(K, V)> = map.iter().map(|(&key, &value)| (key, value)).collect();
    entries.sort_unstable_by_key(|entry| entry.0);
    entries
}
