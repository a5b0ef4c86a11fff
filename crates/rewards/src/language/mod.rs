//! Language consistency: the share of target-language words in the chain of thought (DeepSeek-R1, section 2.3).
//!
//! 1. `prose` leaves out code, formulas, LaTeX and tags.
//! 2. `words` cuts the rest into words by Unicode segmentation, and leaves out URLs, addresses, paths, numbers and identifiers.
//! 3. `latin` (with `trigrams`) and `evidence` say how well each word fits the languages that its script may be of.
//! 4. `runs` gives each word the language of the run of words it stands in: a phrase of another language is seen, a borrowed word is not.
//!
//! Nothing is looked at across a blank line, so that the counts of paragraphs add up to those of the text.

mod evidence;
mod latin;
mod prose;
mod runs;
#[cfg(test)]
mod tests;
mod trigrams;
mod words;

use ruminate_core::{Language, Outcome, Verdict};

use latin::Latin;
use runs::{Evidence, Gap, label};
use words::{Script, Token, tokenize};

/// What a target language has in advance where a paragraph begins and ends, in nats: words that several languages share are taken for it.
const TARGET_PRIOR: f32 = 2.0;
/// What Chinese has in advance over Japanese, Russian over other Cyrillic languages, and Arabic over Persian; Japanese has it over
/// Chinese if it is the target. Less than a change of language, so that a first character goes with those behind it.
const SCRIPT_PRIOR: f32 = 1.0;

/// The reasoning of a completion: what stands between `<think>` and `</think>`; an end that is missing means the rest of the text, a
/// beginning that is missing (the prompt opened it) means from the start.
pub fn chain_of_thought(text: &str) -> &str {
    let body = text.find("<think>").map_or(text, |at| &text[at + "<think>".len()..]);
    body.find("</think>").map_or(body, |at| &body[..at])
}

/// How many words a text has, and how many of them are in the target language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LanguageCount {
    /// Words of the target language.
    pub target: usize,
    /// All words that count.
    pub words: usize,
}

impl LanguageCount {
    /// The share of target-language words, in [0, 1]; `None` if there are no words.
    pub fn share(self) -> Option<f32> {
        (self.words > 0).then(|| self.target as f32 / self.words as f32)
    }
}

/// Counts the words of a whole text.
///
/// Words are those of Unicode segmentation: an ideograph or hiragana is a word, a run of katakana is one, Thai is cut by a dictionary.
/// No words are: code, formulas, LaTeX, tags, URLs, addresses, paths, numbers, symbols, identifiers, single letters, and names, that
/// is capitalised words within a sentence that no list has (in German they are nouns and do count).
/// Words that the target language shares with another one count for the target.
pub fn count_language(text: &str, target: Language) -> LanguageCount {
    let counts = Counts::of(text, Some(target));
    LanguageCount { target: counts.by_language[target as usize], words: counts.total() }
}

/// Share of target-language words in the chain of thought, in [0, 1]; `None` if it has no words. [`count_language`] says what counts.
pub fn language_share(text: &str, target: Language) -> Option<f32> {
    count_language(chain_of_thought(text), target).share()
}

/// The language that most words of a text are in: the target, where the language of the prompt is the target. `None` if no word is of
/// a known language. Of languages with as many words the first of [`Language::ALL`].
pub fn language_of(text: &str) -> Option<Language> {
    let counts = Counts::of(text, None);
    let best = Language::ALL.into_iter().rev().max_by_key(|&language| counts.by_language[language as usize])?;
    (counts.by_language[best as usize] > 0).then_some(best)
}

/// The language share as a reward. Reasoning in symbols only mixes nothing and earns 1; no reasoning at all earns 0.
pub fn grade_language(text: &str, target: Language) -> Verdict {
    let reasoning = chain_of_thought(text);
    let count = count_language(reasoning, target);
    match count.share() {
        Some(share) if share > 0.0 => Verdict {
            reward: share,
            outcome: Outcome::Right,
            reason: format!("{:.0}% of the words are in the target language", 100.0 * share),
        },
        Some(_) => Verdict::none(Outcome::Wrong, "no word is in the target language"),
        None if reasoning.trim().is_empty() => Verdict::none(Outcome::Unparsed, "no chain of thought"),
        None => Verdict::right("the chain of thought has no words"),
    }
}

/// Number of words of each language.
#[derive(Clone, Debug, Default)]
struct Counts {
    by_language: [usize; Language::ALL.len()],
    other: usize,
}

impl Counts {
    fn of(text: &str, target: Option<Language>) -> Self {
        let mut counter = Counter { counts: Self::default(), target, buffer: String::new() };
        let mut tokens = Vec::new();
        for paragraph in prose::paragraphs(text) {
            tokens.clear();
            tokenize(paragraph, &mut tokens);
            counter.paragraph(&tokens);
        }
        counter.counts
    }

    fn total(&self) -> usize {
        self.by_language.iter().sum::<usize>() + self.other
    }

    fn add(&mut self, language: Option<Language>) {
        match language {
            Some(language) => self.by_language[language as usize] += 1,
            None => self.other += 1,
        }
    }
}

struct Counter {
    counts: Counts,
    target: Option<Language>,
    /// A word in lower case.
    buffer: String,
}

impl Counter {
    fn paragraph(&mut self, tokens: &[Token<'_>]) {
        self.latin(tokens);
        self.sides(tokens, Language::Zh, Some(Language::Ja), |token| match token.script {
            Script::Han => Some(evidence::of_han(token.text)),
            Script::Kana => Some(evidence::OF_KANA),
            _ => None,
        });
        self.sides(tokens, Language::Ru, None, |token| {
            (token.script == Script::Cyrillic && is_word(token.text, "авикосуя")).then(|| evidence::of_cyrillic(token.text))
        });
        self.sides(tokens, Language::Ar, None, |token| {
            (token.script == Script::Arabic && is_word(token.text, "و")).then(|| evidence::of_arabic(token.text))
        });
        for token in tokens {
            match token.script {
                Script::Hangul => self.counts.add(Some(Language::Ko)),
                Script::Devanagari if is_word(token.text, "नवओ") => self.counts.add(Some(Language::Hi)),
                // With its sign `ก็` is a word, though it has one letter only.
                Script::Thai if token.text.chars().nth(1).is_some() => self.counts.add(Some(Language::Th)),
                Script::Other if is_word(token.text, "") => self.counts.add(None),
                _ => {}
            }
        }
    }

    fn latin(&mut self, tokens: &[Token<'_>]) {
        let mut words = Vec::new();
        let mut is_name = Vec::new();
        let mut gap = Gap::Word;
        for (token_idx, token) in tokens.iter().enumerate() {
            gap = gap.max(token.gap);
            if token.script != Script::Latin {
                gap = gap.max(Gap::Clause);
                continue;
            }
            // `Simplifying this` and `Nevertheless, I` are words, `Wojciech Kowalski` is a name.
            let follows = tokens.get(token_idx + 1).is_some_and(|next| {
                let is_lower = next.text.chars().next().is_some_and(char::is_lowercase);
                next.script == Script::Latin && next.gap < Gap::Line && (is_lower || next.gap == Gap::Clause)
            });
            let (fit, name) = match latin::read(token, follows, &mut self.buffer) {
                Latin::Symbol => continue,
                Latin::Word(fit) => (fit, false),
                Latin::Name(fit) => (fit, true),
            };
            words.push(Evidence { gap, fit });
            is_name.push(name);
            gap = Gap::Word;
        }
        let mut prior = [0.0; latin::N];
        if let Some(target) = latin::LANGUAGES.iter().position(|&language| Some(language) == self.target) {
            prior[target] = TARGET_PRIOR;
        }
        let labels = label(&words, prior);
        // Names alone make no German.
        let is_german = labels.iter().zip(&is_name).any(|(&language, &is_name)| usize::from(language) == latin::GERMAN && !is_name);
        for (language, is_name) in labels.into_iter().map(usize::from).zip(is_name) {
            if !is_name || (language == latin::GERMAN && is_german) {
                self.counts.add(latin::LANGUAGES.get(language).copied());
            }
        }
    }

    /// Counts the words of a script that two sides write: `first`, and another language or languages that are not known.
    fn sides(
        &mut self,
        tokens: &[Token<'_>],
        first: Language,
        second: Option<Language>,
        fit: impl Fn(&Token<'_>) -> Option<evidence::Fit>,
    ) {
        let mut words = Vec::new();
        let mut is_kana = Vec::new();
        let mut gap = Gap::Word;
        for token in tokens {
            gap = gap.max(token.gap);
            if let Some(fit) = fit(token) {
                words.push(Evidence { gap, fit });
                is_kana.push(token.script == Script::Kana);
                gap = Gap::Word;
            }
        }
        let prior = if second.is_some() && second == self.target { [0.0, SCRIPT_PRIOR] } else { [SCRIPT_PRIOR, 0.0] };
        for (side, is_kana) in label(&words, prior).into_iter().zip(is_kana) {
            self.counts.add(if is_kana || side == 1 { second } else { Some(first) });
        }
    }
}

/// Whether a token has two letters or is a letter that is a word: single letters are variables and marks of lists.
fn is_word(text: &str, one_letter_words: &str) -> bool {
    let mut letters = text.chars().filter(|c| c.is_alphabetic());
    match (letters.next(), letters.next()) {
        (Some(_), Some(_)) => true,
        (Some(letter), None) => letter.to_lowercase().any(|c| one_letter_words.contains(c)),
        _ => false,
    }
}
