//! Accuracy: is the final answer right?

use ruminate_core::{Gold, Outcome, Problem, Verdict};

use crate::extract::{Extracted, Place, final_answer, last_number};
use crate::value::{MAX_ANSWER_BYTES, Value};
use crate::{countdown, knights};

/// Grades the final answer in `text` against the gold answer: reward 1 if right, 0 otherwise, with the reason.
///
/// Total: never panics, and its work is linear in the length of `text` plus a constant for the answer, which may be 2000 bytes
/// at most. A gold answer that cannot be read gives [`Outcome::BadGold`].
pub fn grade_accuracy(problem: &Problem, text: &str) -> Verdict {
    let Some(answer) = final_answer(text) else {
        return Verdict::none(Outcome::Unparsed, "no answer found: no <answer>, \\boxed, #### or text behind the reasoning");
    };
    if answer.text.len() > MAX_ANSWER_BYTES {
        let reason = format!("answer has {} bytes, at most {MAX_ANSWER_BYTES} are read", answer.text.len());
        return Verdict::none(Outcome::Unparsed, reason);
    }
    match &problem.gold {
        Gold::Value { text: gold } => grade_value(gold, answer),
        Gold::Countdown { numbers, target } => countdown::grade(numbers, *target, answer.text),
        Gold::Knights { roles } => knights::grade(roles, answer.text),
        Gold::Code(_) => Verdict::none(Outcome::BadGold, "a program is graded by code::grade_completion, which has a sandbox"),
    }
}

fn grade_value(gold: &str, answer: Extracted<'_>) -> Verdict {
    let Some(expected) = Value::parse(gold) else {
        return Verdict::none(Outcome::BadGold, format!("gold answer '{}' holds no value", shorten(gold)));
    };
    let Some(found) = Value::parse(answer.text) else {
        return Verdict::none(Outcome::Unparsed, format!("no value in '{}' {}", shorten(answer.text), answer.place.as_str()));
    };
    if found == expected {
        return Verdict::right(format!("found {} {}", shorten(&found.to_string()), answer.place.as_str()));
    }
    // Without any mark the answer is a sentence, and its last number counts.
    if answer.place >= Place::Phrase
        && let Some(found) = last_number(answer.text).and_then(Value::parse)
    {
        if found == expected {
            return Verdict::right(format!("found {} as the last number {}", shorten(&found.to_string()), answer.place.as_str()));
        }
        return Verdict::none(Outcome::Wrong, wrong(&expected, &found, answer.place));
    }
    Verdict::none(Outcome::Wrong, wrong(&expected, &found, answer.place))
}

fn wrong(expected: &Value, found: &Value, place: Place) -> String {
    format!("expected {}, found {} {}", shorten(&expected.to_string()), shorten(&found.to_string()), place.as_str())
}

/// At most 60 characters on one line: reasons are read by people.
pub(crate) fn shorten(text: &str) -> String {
    let line: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < text.len() { line + "…" } else { line }
}

#[cfg(test)]
mod tests;
