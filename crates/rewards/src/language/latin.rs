//! Which of nine Latin-script languages a word may belong to: function and common words, and letter trigrams of them.
//!
//! The lists in `lexicon` were written for this project. A listed word is evidence for the languages that list it. Of another word the
//! trigrams of its letters are compared by a naive Bayes model that is made from the same lists at first use.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ruminate_core::Language;
use unicode_normalization::UnicodeNormalization;

use super::trigrams::Trigrams;
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
/// How much the log-likelihoods of letters count: those of one word are not independent.
const LETTER_WEIGHT: f32 = 0.25;

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
    if let Some(listed) = listed(buffer) {
        return Latin::Word(fit_of_listed(listed));
    }
    let has_vowel = !buffer.is_ascii() || buffer.bytes().any(|byte| b"aeiouy".contains(&byte));
    if n_letters <= 1 || !has_vowel || (n_letters == 2 && buffer.is_ascii()) || case == Case::Upper {
        return Latin::Symbol;
    }
    if case == Case::Capital && NAME_SET.contains(buffer.split('\'').next().unwrap_or(buffer)) {
        return Latin::Symbol;
    }
    let fit = fit_of_letters(buffer);
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

const ENGLISH: Languages = 1;

fn fit_of_listed(listed: Languages) -> Fit {
    let mut fit = [NOT_LISTED; N];
    for (language, score) in fit.iter_mut().enumerate() {
        if listed & (1 << language) != 0 {
            *score = 0.0;
        }
    }
    fit
}

static WORDS: LazyLock<HashMap<&'static str, Languages>> = LazyLock::new(|| {
    let mut words: HashMap<_, Languages> = HashMap::new();
    for (language, lexicon) in LEXICONS.iter().enumerate() {
        for word in words_of(lexicon) {
            *words.entry(word).or_default() |= 1 << language;
        }
    }
    words
});
static TRIGRAMS: LazyLock<Trigrams> = LazyLock::new(|| Trigrams::of(&LEXICONS));
static NAME_SET: LazyLock<HashSet<&'static str>> = LazyLock::new(|| NAMES.split_whitespace().collect());

/// The words of a list; those with a hyphen are two, as in texts.
pub(super) fn words_of(lexicon: &'static str) -> impl Iterator<Item = &'static str> {
    lexicon.split([' ', '\n', '-']).filter(|word| !word.is_empty())
}

/// The languages that list a word in lower case, its elision, or what stands before its ending.
fn listed(word: &str) -> Option<Languages> {
    if let Some(&languages) = WORDS.get(word) {
        return Some(languages);
    }
    let at = word.find('\'')?;
    if let Some(&elision) = WORDS.get(&word[..=at]) {
        let rest = WORDS.get(&word[at + 1..]).map_or(elision, |rest| rest & elision);
        return Some(if rest == 0 { elision } else { rest });
    }
    // `knight's`: the ending is English.
    let is_english_ending = matches!(&word[at + 1..], "s" | "re" | "ll" | "ve" | "d" | "m" | "");
    let is_english_word = WORDS.get(&word[..at]).is_some_and(|languages| languages & ENGLISH != 0);
    (is_english_ending && is_english_word).then_some(ENGLISH)
}

/// The fit of a word by its letters. A word with a letter that none of the languages has is of another one.
fn fit_of_letters(word: &str) -> Fit {
    let Some(sums) = TRIGRAMS.log_likelihoods(word) else {
        let mut fit = [NOT_LISTED; N];
        fit[N - 1] = 0.0;
        return fit;
    };
    let best = sums.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut fit = [OTHER; N];
    for (score, sum) in fit.iter_mut().zip(sums) {
        *score = (LETTER_WEIGHT * (sum - best)).max(FLOOR);
    }
    fit
}
