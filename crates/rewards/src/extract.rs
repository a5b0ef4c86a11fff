//! Finding the answer in free text.

use crate::value::closing_brace;

/// An answer and where it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extracted<'a> {
    /// The answer as written, trimmed.
    pub text: &'a str,
    /// The mark that made it an answer.
    pub place: Place,
}

/// What marks an answer, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The last `<answer>…</answer>`.
    Tag,
    /// The last `\boxed{…}`.
    Boxed,
    /// The last `#### …` line, as GSM8K writes it.
    Hashes,
    /// The last "the answer is …" or "答案是…".
    Phrase,
    /// What follows the reasoning, or the last line, without any mark.
    Rest,
}

impl Place {
    /// The place in words, for reasons.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "in <answer>",
            Self::Boxed => "in \\boxed",
            Self::Hashes => "after ####",
            Self::Phrase => "after 'answer is'",
            Self::Rest => "at the end",
        }
    }
}

/// The final answer of a completion, by the strongest mark in it; `None` if there is none.
///
/// Tags, boxes and hashes count anywhere. Phrases and unmarked text count only behind the reasoning: a `<think>` that never
/// closes holds no answer, so that a completion cut off in the middle earns nothing by chance. For [`Place::Rest`] the last
/// non-empty line is returned; the caller picks what it needs from it.
pub fn final_answer(text: &str) -> Option<Extracted<'_>> {
    if let Some(inside) = last_tag(text) {
        let boxed = last_boxed(inside).or_else(|| last_phrase(inside));
        return non_empty(boxed.unwrap_or(inside), Place::Tag);
    }
    if let Some(found) = last_boxed(text).and_then(|inside| non_empty(inside, Place::Boxed)) {
        return Some(found);
    }
    if let Some(at) = text.rfind("####") {
        let line = text[at + 4..].lines().next().unwrap_or_default();
        if let Some(found) = non_empty(line, Place::Hashes) {
            return Some(found);
        }
    }
    let rest = behind_reasoning(text)?;
    if let Some(found) = last_phrase(rest).and_then(|inside| non_empty(inside, Place::Phrase)) {
        return Some(found);
    }
    rest.lines().rev().find_map(|line| non_empty(line, Place::Rest))
}

/// The last number written in `text`: digits with separators, decimals, a slash and a sign.
pub(crate) fn last_number(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let end = bytes.iter().rposition(u8::is_ascii_digit)? + 1;
    let mut start = end - 1;
    while start > 0 {
        let previous = bytes[start - 1];
        let joins = matches!(previous, b',' | b'.' | b'/') && start > 1 && bytes[start - 2].is_ascii_digit();
        if !(previous.is_ascii_digit() || joins) {
            break;
        }
        start -= 1;
    }
    // A minus sign belongs to the number unless something stands before it to be subtracted from.
    if start > 0 && bytes[start - 1] == b'-' && !text[..start - 1].trim_end().ends_with(|c: char| c.is_ascii_digit() || c == ')') {
        start -= 1;
    }
    Some(&text[start..end])
}

fn non_empty(text: &str, place: Place) -> Option<Extracted<'_>> {
    let text = text.trim();
    (!text.is_empty()).then_some(Extracted { text, place })
}

/// What stands after the last `</think>`; the whole text if it has no reasoning tags; `None` if the reasoning never closes.
fn behind_reasoning(text: &str) -> Option<&str> {
    match text.rfind("</think>") {
        Some(at) => Some(&text[at + "</think>".len()..]),
        None => (!text.contains("<think>")).then_some(text),
    }
}

fn last_tag(text: &str) -> Option<&str> {
    let end = text.rfind("</answer>")?;
    let start = text[..end].rfind("<answer>")? + "<answer>".len();
    Some(&text[start..end])
}

/// The inside of the last `\boxed{…}` that closes, braces nested.
fn last_boxed(text: &str) -> Option<&str> {
    // Two marks at most are tried, so that a text full of open boxes stays linear work.
    text.rmatch_indices("\\boxed{").take(2).find_map(|(at, mark)| {
        let rest = &text[at + mark.len()..];
        Some(&rest[..closing_brace(rest)?])
    })
}

/// What follows the last "answer is", up to the end of the sentence or line.
fn last_phrase(text: &str) -> Option<&str> {
    const PHRASES: [&str; 7] = ["answer is", "Answer is", "answer:", "Answer:", "答案是", "答案为", "答案："];
    let start = PHRASES.iter().filter_map(|phrase| Some(text.rfind(phrase)? + phrase.len())).max()?;
    let line = text[start..].lines().next().unwrap_or_default();
    let line = line.trim_start_matches([':', '：', ' ']);
    let end = line
        .char_indices()
        .find(|&(at, c)| c == '。' || (c == '.' && line[at + 1..].chars().next().is_none_or(char::is_whitespace)))
        .map_or(line.len(), |(at, _)| at);
    Some(&line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, Place)>) {
        assert_eq!(final_answer(text).map(|found| (found.text, found.place)), expected, "{text}");
    }

    #[test]
    fn the_strongest_mark_wins() {
        check("<answer>1</answer> no, <answer> 2 </answer> \\boxed{3}", Some(("2", Place::Tag)));
        check("<answer>so \\boxed{4}</answer>", Some(("4", Place::Tag)));
        check("<answer>The answer is 4.5.</answer>", Some(("4.5", Place::Tag)));
        check("\\boxed{1} then \\boxed{\\frac{3}{4}}.", Some(("\\frac{3}{4}", Place::Boxed)));
        check("\\boxed{1} then \\boxed{2", Some(("1", Place::Boxed)));
        check("48/2=24\n#### 72\n", Some(("72", Place::Hashes)));
        check("So the answer is 3.5. Done", Some(("3.5", Place::Phrase)));
        check("所以答案是12。", Some(("12", Place::Phrase)));
        check("<think>7</think>\n9 eggs\n", Some(("9 eggs", Place::Rest)));
        check("<think>the answer is 7", None);
        check("<answer></answer>", None);
        check(" \n ", None);
    }

    #[test]
    fn the_last_number_with_its_sign() {
        for (text, expected) in
            [("a 12 b", "12"), ("x=-3", "-3"), ("7-3", "3"), ("(2)-3", "3"), ("it is 1,234.5.", "1,234.5"), ("3/4 of", "3/4"), ("5,", "5")]
        {
            assert_eq!(last_number(text), Some(expected), "{text}");
        }
        assert_eq!(last_number("none"), None);
    }
}
