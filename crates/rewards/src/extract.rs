//! The final answer of tasks whose answer is no mathematics: a whole line of free text.

use crate::math::extract::{Extracted, Extraction, Place, Several, candidates};

/// The final answer of a completion, by the strongest mark in it; `None` if there is none.
///
/// As [`candidates`], but without any mark the last line that is not empty counts as a whole, so that the answer may be a sentence.
pub fn final_answer(text: &str) -> Option<Extracted<'_>> {
    let order = vec![Place::Tag, Place::Boxed, Place::Hashes, Place::Phrase];
    if let Some(found) = candidates(text, &Extraction { order, several: Several::Last }).pop() {
        return Some(found);
    }
    // An empty <answer> says that there is none.
    if text.contains("</answer>") {
        return None;
    }
    let rest = match text.rfind("</think>") {
        Some(at) => &text[at + "</think>".len()..],
        None if text.contains("<think>") => return None,
        None => text,
    };
    let line = rest.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(Extracted { text: line, place: Place::Rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_first_and_the_last_line_is_whole() {
        for (text, expected) in [
            ("<answer>A: knight</answer>", Some("A: knight")),
            ("<think>x</think>\nB is a knave\n", Some("B is a knave")),
            ("so \\boxed{3+4}", Some("3+4")),
            ("<think>the answer is 7", None),
            ("3 + 4\n<answer></answer>", None),
            (" \n ", None),
        ] {
            assert_eq!(final_answer(text).map(|found| found.text), expected, "{text}");
        }
    }
}
