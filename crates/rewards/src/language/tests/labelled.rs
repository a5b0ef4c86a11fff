//! Sentences of known languages with known numbers of words.

use ruminate_core::Language;

/// A sentence and what is true of it by construction.
#[derive(Clone, Debug)]
pub(crate) struct Sentence {
    /// The language of all its words.
    pub(crate) language: Language,
    /// The text, as a completion would have it.
    pub(crate) text: String,
    /// How many words count.
    pub(crate) words: usize,
}

/// All sentences, in the order of the file: a language code and a sentence in each line. What stands in `⟦…⟧` is no word: formulas,
/// code, names, identifiers, single letters. The bars between Thai words are left out of the text.
pub(crate) fn sentences() -> Vec<Sentence> {
    include_str!("sentences.txt").lines().map(sentence).collect()
}

/// Sentences in the Latin languages that were written when the word lists and constants were done: half of their words are in no list.
pub(crate) fn fresh_sentences() -> Vec<Sentence> {
    include_str!("fresh.txt").lines().map(sentence).collect()
}

fn sentence(line: &str) -> Sentence {
    let (code, marked) = line.split_once('\t').expect("a code, a tab and a sentence");
    let language = code.parse().expect("a known code");
    let mut prose = String::new();
    for part in marked.split('⟦') {
        prose.push_str(part.split_once('⟧').map_or(part, |(_, behind)| behind));
        prose.push(' ');
    }
    let text = marked.replace(['⟦', '⟧', '|'], "");
    Sentence { language, text, words: count(&prose, language) }
}

/// Counts words by rules of the test's own.
fn count(prose: &str, language: Language) -> usize {
    let words = prose.split(|c: char| !(c.is_alphabetic() || is_sign(c) || c == '\'')).filter(|word| !word.is_empty());
    match language {
        Language::Zh => prose.chars().filter(|c| c.is_alphabetic()).count(),
        // A run of katakana is one word, any other character is one.
        Language::Ja => {
            let chars: Vec<char> = prose.chars().collect();
            (0..chars.len()).filter(|&i| chars[i].is_alphabetic() && !(is_katakana(chars[i]) && i > 0 && is_katakana(chars[i - 1]))).count()
        }
        Language::Th | Language::Ko => words.count(),
        _ => words.filter(|word| word.chars().count() > 1 || !word.is_ascii()).count(),
    }
}

/// Vowel signs and other marks of Devanagari and Thai.
fn is_sign(c: char) -> bool {
    matches!(c, '\u{900}'..='\u{963}' | '\u{970}'..='\u{97f}' | '\u{e31}'..='\u{e4e}')
}

fn is_katakana(c: char) -> bool {
    matches!(c, 'ァ'..='ヺ' | 'ー')
}
