//! Language consistency: the share of target-language words in the chain of thought (DeepSeek-R1, section 2.3).

use ruminate_core::Language;

/// The reasoning of a completion: what stands between `<think>` and `</think>`; an end that is missing means the rest of the text, a
/// beginning that is missing (the prompt opened it) means from the start.
pub fn chain_of_thought(text: &str) -> &str {
    let body = text.find("<think>").map_or(text, |at| &text[at + "<think>".len()..]);
    body.find("</think>").map_or(body, |at| &body[..at])
}

/// Share of target-language words in the chain of thought, in [0, 1]; `None` if it has no words.
///
/// A Latin word of two or more letters is one English word, a CJK ideograph is one Chinese word, a word of any other script is a
/// word of neither. Numbers, symbols, tags, LaTeX commands and single letters (names and variables) are not words.
/// Only the script is looked at: French counts as English.
pub fn language_share(text: &str, target: Language) -> Option<f32> {
    let counts = count_words(chain_of_thought(text));
    let hits = match target {
        Language::En => counts.latin,
        Language::Zh => counts.cjk,
    };
    let total = counts.latin + counts.cjk + counts.other;
    (total > 0).then(|| hits as f32 / total as f32)
}

#[derive(Debug, Default)]
struct WordCounts {
    latin: usize,
    cjk: usize,
    other: usize,
}

fn count_words(text: &str) -> WordCounts {
    let mut counts = WordCounts::default();
    let mut chars = text.chars().peekable();
    let mut previous = ' ';
    while let Some(c) = chars.next() {
        let before = std::mem::replace(&mut previous, c);
        if is_cjk(c) {
            counts.cjk += 1;
        } else if c.is_alphabetic() {
            let (mut letters, mut latin) = (1, is_latin(c));
            while let Some(next) = chars.next_if(|&n| (n.is_alphabetic() && !is_cjk(n)) || n == '\'' || n == '’') {
                letters += 1;
                latin &= is_latin(next) || !next.is_alphabetic();
            }
            // `\frac` is notation and `<answer>` a tag: neither is a word of any language.
            let notation = before == '\\' || ((before == '<' || before == '/') && chars.peek() == Some(&'>'));
            match (letters > 1 && !notation, latin) {
                (true, true) => counts.latin += 1,
                (true, false) => counts.other += 1,
                (false, _) => {}
            }
        }
    }
    counts
}

/// CJK ideographs: the unified block, extension A, compatibility, and the supplementary planes of extensions.
fn is_cjk(c: char) -> bool {
    matches!(c as u32, 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

/// Basic Latin letters, Latin-1 and Latin Extended.
fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c as u32, 0xC0..=0x24F)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, en: Option<f32>, zh: Option<f32>) {
        assert_eq!((language_share(text, Language::En), language_share(text, Language::Zh)), (en, zh), "{text}");
    }

    #[test]
    fn shares() {
        check("<think>first 1+2=3 so done</think><answer>检查</answer>", Some(1.0), Some(0.0));
        check("<think>检查 1+2=3</think>", Some(0.0), Some(1.0));
        check("<think>wait 等等 A是</think>", Some(0.25), Some(0.75));
        check("<think>1+2=3 x \\frac{1}{2}</think><answer>three</answer>", None, None);
        check("<think>привет hello</think>", Some(0.5), Some(0.0));
        check("it's so</think> 是", Some(1.0), Some(0.0));
        check("<think>so <answer>12", Some(1.0), Some(0.0));
        check("", None, None);
    }
}
