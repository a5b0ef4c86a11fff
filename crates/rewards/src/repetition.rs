//! A penalty for saying the same again: the share of repeated n-grams ("Demystifying long chain-of-thought reasoning in LLMs",
//! arXiv 2502.03373, appendix C.2), with the values of open-r1's `get_repetition_penalty_reward`.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

use jieba_rs::Jieba;
use ruminate_core::{Outcome, Verdict};
use serde::{Deserialize, Serialize};

/// What the words of a completion are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WordSplit {
    /// Pieces between white space, in lower case: open-r1's language `en`.
    #[default]
    Whitespace,
    /// Jieba's words, marks and spaces, as they are: open-r1's language `zh`. The first use reads its dictionary, which takes about a
    /// tenth of a second and 33 MB.
    Jieba,
}

/// The penalty with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repetition {
    ngram_size: NonZeroUsize,
    max_penalty: f64,
    split: WordSplit,
}

/// A largest penalty that is none.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("expected a max_penalty of at most 0, found {0}")]
pub struct PositivePenalty(pub f64);

impl Repetition {
    /// Takes the size of the n-grams in words and the penalty of a completion that says nothing but one n-gram, at most 0.
    ///
    /// # Errors
    /// A `max_penalty` above 0 or not finite.
    pub fn new(ngram_size: NonZeroUsize, max_penalty: f64, split: WordSplit) -> Result<Self, PositivePenalty> {
        if max_penalty.is_finite() && max_penalty <= 0.0 {
            Ok(Self { ngram_size, max_penalty, split })
        } else {
            Err(PositivePenalty(max_penalty))
        }
    }

    /// Grades a completion: (1 − different n-grams/all n-grams) · `max_penalty`; 0 for one that is shorter than an n-gram.
    pub fn grade(&self, text: &str) -> Verdict {
        let lower;
        let words: Vec<&str> = match self.split {
            WordSplit::Whitespace => {
                lower = text.to_lowercase();
                lower.split(is_python_space).filter(|word| !word.is_empty()).collect()
            }
            WordSplit::Jieba => jieba_words(text),
        };
        let ngrams = words.windows(self.ngram_size.get());
        let n_ngrams = ngrams.len();
        let n_different = ngrams.collect::<HashSet<_>>().len();
        let repeated = if n_ngrams == 0 { 0.0 } else { 1.0 - n_different as f64 / n_ngrams as f64 };
        Verdict {
            // Adding 0 makes no difference but to the sign of 0.
            reward: (repeated * self.max_penalty + 0.0) as f32,
            outcome: if n_different < n_ngrams { Outcome::Wrong } else { Outcome::Right },
            reason: format!("{} of {n_ngrams} {}-grams are repetitions", n_ngrams - n_different, self.ngram_size),
        }
    }
}

/// What `str.split()` of Python splits at: white space and the four separators of ASCII.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The segmenter with its own dictionary: compiled-in data, no state.
static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// The words of jieba in Python: those of `jieba-rs`, but what is ASCII and not in the dictionary is cut at every mark.
fn jieba_words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for token in JIEBA.cut(text, true) {
        let mut rest = token.word;
        if rest.is_ascii() && !JIEBA.has_word(rest) {
            while let Some(end) = ascii_end(rest.as_bytes()).filter(|&end| end < rest.len()) {
                let (word, behind) = rest.split_at(end);
                words.push(word);
                rest = behind;
            }
        }
        words.push(rest);
    }
    words
}

/// Where the first piece of an ASCII token ends: letters and digits with decimals and a percent sign, or the marks before them.
fn ascii_end(bytes: &[u8]) -> Option<usize> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
    let Some(end) = bytes.iter().position(|byte| !is_word(byte)) else { return Some(bytes.len()) };
    if end == 0 {
        return bytes.iter().position(is_word);
    }
    let n_digits = bytes[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = if bytes[end] == b'.' && n_digits > 0 { end + 1 + n_digits } else { end };
    Some(end + usize::from(bytes.get(end) == Some(&b'%')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repetition(ngram_size: usize, max_penalty: f64, split: WordSplit) -> Repetition {
        Repetition::new(NonZeroUsize::new(ngram_size).unwrap(), max_penalty, split).unwrap()
    }

    fn check(text: &str, ngram_size: usize, max_penalty: f64, split: WordSplit, expected: f64) {
        let found = repetition(ngram_size, max_penalty, split).grade(text).reward;
        assert!((f64::from(found) - expected).abs() < 1e-6, "{text:?}: expected {expected}, found {found}");
    }

    /// Computed with Python: `g = list(zip(*[words[i:] for i in range(n)]))`, `(1 - len(set(g)) / len(g)) * max_penalty`, 0 for
    /// `len(words) < n`, with `words = text.lower().split()`.
    #[test]
    fn values_are_those_of_open_r1() {
        for (text, ngram_size, max_penalty, expected) in [
            ("", 3, -1.0, 0.0),
            ("a b", 3, -1.0, 0.0),
            ("a b c", 3, -1.0, 0.0),
            ("a b c a b c", 3, -1.0, -0.25),
            ("The the THE the cat", 1, -0.5, -0.3),
            ("so so so so so so so so", 2, -1.0, -0.8571428571428572),
            ("x\u{a0}y\u{1c}x y\u{3000}x y", 2, -0.1, -0.06),
            ("wait let me check wait let me check wait let me check", 4, -0.7, -0.3888888888888889),
            ("Σας σας ΣΑΣ", 1, -1.0, -0.6666666666666667),
        ] {
            check(text, ngram_size, max_penalty, WordSplit::Whitespace, expected);
        }
    }

    /// The same with `words = list(jieba.cut(text))`, jieba 0.42.1.
    #[test]
    fn chinese_values_are_those_of_open_r1() {
        for (text, ngram_size, max_penalty, expected) in [
            ("我们先计算，我们先计算，我们再计算。", 2, -1.0, -0.36363636363636365),
            ("答案是3.14cm，答案是3.14cm。", 3, -1.0, -0.25),
            ("等等，等等，等等，检查一下。", 2, -0.5, -0.2142857142857143),
            ("你好", 3, -1.0, 0.0),
            ("", 3, -1.0, 0.0),
        ] {
            check(text, ngram_size, max_penalty, WordSplit::Jieba, expected);
        }
        for (text, words) in [
            ("ABC1233.14x约3.5%多", "ABC1233.14|x|约|3.5%|多"),
            ("debian-boot的5.4.7节", "debian|-|boot|的|5.4|.|7|节"),
            ("用C++和x+1", "用|C++|和|x|+|1"),
        ] {
            assert_eq!(jieba_words(text).join("|"), words);
        }
    }

    #[test]
    fn a_penalty_is_no_reward() {
        for penalty in [0.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Repetition::new(NonZeroUsize::MIN, penalty, WordSplit::Whitespace).is_err());
        }
        let error = Repetition::new(NonZeroUsize::MIN, 0.5, WordSplit::Whitespace).unwrap_err();
        assert_eq!(error.to_string(), "expected a max_penalty of at most 0, found 0.5");
        let verdict = repetition(1, -1.0, WordSplit::Whitespace).grade("a a");
        assert_eq!((verdict.outcome, verdict.reason.as_str()), (Outcome::Wrong, "1 of 2 1-grams are repetitions"));
    }

    proptest! {
        #[test]
        fn penalties_stay_in_their_range(text in "[abc中 \n]{0,40}", ngram_size in 1_usize..6, penalty in -3.0..=0.0) {
            for split in [WordSplit::Whitespace, WordSplit::Jieba] {
                let reward = repetition(ngram_size, penalty, split).grade(&text).reward;
                prop_assert!(reward <= 0.0 && f64::from(reward) >= penalty - 1e-6);
            }
        }

        #[test]
        fn different_words_are_not_punished(n in 0_usize..40, ngram_size in 1_usize..6) {
            let text: Vec<String> = (0..n).map(|word| format!("word{word}")).collect();
            prop_assert_eq!(repetition(ngram_size, -1.0, WordSplit::Whitespace).grade(&text.join(" ")).reward, 0.0);
        }
    }
}
