//! Accuracy: is the final answer right?

use ruminate_core::{Gold, Outcome, Problem, Verdict};

use crate::extract::final_answer;
use crate::math::{self, MAX_ANSWER_BYTES};
use crate::{countdown, knights};

/// Grades the final answer in `text` against the gold answer: reward 1 if right, 0 otherwise, with the reason.
///
/// Values are judged by [`math::verify`]. Total: never panics, and its work is linear in the length of `text` plus a constant for
/// the answer, which may be 2000 bytes at most. A gold answer that cannot be read gives [`Outcome::BadGold`].
pub fn grade_accuracy(problem: &Problem, text: &str) -> Verdict {
    if let Gold::Value { text: gold } = &problem.gold {
        return grade_value(gold, text);
    }
    let Some(answer) = final_answer(text) else {
        return Verdict::none(Outcome::Unparsed, NO_ANSWER);
    };
    if answer.text.len() > MAX_ANSWER_BYTES {
        let reason = format!("answer has {} bytes, at most {MAX_ANSWER_BYTES} are read", answer.text.len());
        return Verdict::none(Outcome::Unparsed, reason);
    }
    match &problem.gold {
        Gold::Value { text: gold } => grade_value(gold, text),
        Gold::Countdown { numbers, target } => countdown::grade(numbers, *target, answer.text),
        Gold::Knights { roles } => knights::grade(roles, answer.text),
    }
}

const NO_ANSWER: &str = "no answer found: no <answer>, \\boxed, #### or text behind the reasoning";

fn grade_value(gold: &str, text: &str) -> Verdict {
    let found = math::verify(gold, text, &math::Options::default());
    match found.verdict {
        math::Verdict::Equal => Verdict::right(found.reason),
        math::Verdict::Different => Verdict::none(Outcome::Wrong, found.reason),
        math::Verdict::UnparsedPrediction if found.place.is_none() => Verdict::none(Outcome::Unparsed, NO_ANSWER),
        math::Verdict::UnparsedPrediction => Verdict::none(Outcome::Unparsed, found.reason),
        math::Verdict::UnparsedGold => Verdict::none(Outcome::BadGold, found.reason),
        math::Verdict::Timeout => Verdict::none(Outcome::TimedOut, found.reason),
    }
}

/// At most 60 characters on one line: reasons are read by people.
pub(crate) fn shorten(text: &str) -> String {
    let line: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < text.len() { line + "…" } else { line }
}

#[cfg(test)]
mod tests;
