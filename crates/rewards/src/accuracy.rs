//! Accuracy: is the final answer right?

use ruminate_core::{Gold, Outcome, Problem, Verdict};

use crate::{logic, math, open};

/// Grades the final answer in `text` against the gold answer: reward 1 if right, 0 otherwise, with the reason.
///
/// Values are judged by [`math::verify`], puzzles by their rules. Total: never panics, and its work is linear in the length of `text`
/// plus a constant for the answer, whose length is bounded. A gold answer that cannot be read gives [`Outcome::BadGold`].
pub fn grade_accuracy(problem: &Problem, text: &str) -> Verdict {
    match &problem.gold {
        Gold::Value { text: gold } => grade_value(gold, text),
        Gold::Countdown { numbers, target, uses } => logic::countdown::grade(numbers, *target, *uses, text),
        Gold::Knights { roles, statements } => logic::knights::grade(roles, statements, text),
        Gold::Zebra(puzzle) => logic::zebra::grade(puzzle, text),
        Gold::Sat(puzzle) => logic::sat::grade(puzzle, text),
        Gold::Sudoku(puzzle) => logic::sudoku::grade(puzzle, text),
        Gold::Open(task) => open::grade_open(task, text),
        Gold::Judged { .. } => Verdict::none(Outcome::BadGold, "a judge is asked by judge::judge_answer, which has a chat model"),
        Gold::Code(_) => Verdict::none(Outcome::BadGold, "a program is graded by code::grade_completion, which has a sandbox"),
    }
}

fn grade_value(gold: &str, text: &str) -> Verdict {
    // Otherwise a policy learns to leave the arithmetic to the verifier.
    let found = math::verify(gold, text, &math::Options { worked_out: true, ..math::Options::default() });
    match found.verdict {
        math::Verdict::Equal => Verdict::right(found.reason),
        math::Verdict::Different => Verdict::none(Outcome::Wrong, found.reason),
        math::Verdict::UnparsedPrediction => Verdict::none(Outcome::Unparsed, found.reason),
        math::Verdict::UnparsedGold => Verdict::none(Outcome::BadGold, found.reason),
        math::Verdict::Timeout => Verdict::none(Outcome::TimedOut, found.reason),
    }
}

#[cfg(test)]
mod tests;
