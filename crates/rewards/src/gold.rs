//! Finding broken reference answers before training.

use ruminate_core::{Gold, Problem, ProblemId};

use crate::code::check_task;
use crate::logic;
use crate::math::parse::ParseError;
use crate::math::{MAX_ANSWER_BYTES, parse_gold};

/// Why a gold answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoldError {
    /// The text cannot be read as an answer.
    #[error("problem {id}: gold answer '{text}' cannot be read: {source}")]
    Unreadable {
        /// The problem.
        id: ProblemId,
        /// The gold answer.
        text: String,
        /// What was expected, and where.
        source: ParseError,
    },
    /// The text is too long to be an answer.
    #[error("problem {id}: gold answer has {found} bytes, expected at most {expected}")]
    TooLong {
        /// The problem.
        id: ProblemId,
        /// Length of the gold answer in bytes.
        found: usize,
        /// Longest allowed length in bytes.
        expected: usize,
    },
    /// A puzzle that cannot be read or has no answer, or no reference for a judge.
    #[error("problem {id}: {reason}")]
    Puzzle {
        /// The problem.
        id: ProblemId,
        /// What is wrong with it.
        reason: String,
    },
    /// Tests of a program that make no sense.
    #[error("problem {id}: {message}")]
    Code {
        /// The problem.
        id: ProblemId,
        /// What is wrong.
        message: String,
    },
}

/// Checks that the gold answer can be read and met, so that no problem is unwinnable by a defect of the data.
///
/// # Errors
/// Names the problem and what is wrong. Puzzles are solved, with bounded work: see `docs/concepts/logic.md`.
pub fn check_gold(problem: &Problem) -> Result<(), GoldError> {
    let id = || problem.id.clone();
    let puzzle = |reason| GoldError::Puzzle { id: id(), reason };
    match &problem.gold {
        Gold::Value { text } => {
            if text.len() > MAX_ANSWER_BYTES {
                return Err(GoldError::TooLong { id: id(), found: text.len(), expected: MAX_ANSWER_BYTES });
            }
            if let Err(source) = parse_gold(text) {
                return Err(GoldError::Unreadable { id: id(), text: text.clone(), source });
            }
        }
        Gold::Countdown { numbers, target, uses } => logic::countdown::check(numbers, *target, *uses).map_err(puzzle)?,
        Gold::Knights { roles, statements } => logic::knights::check(roles, statements).map_err(puzzle)?,
        Gold::Zebra(zebra) => logic::zebra::check(zebra).map_err(puzzle)?,
        Gold::Sat(sat) => logic::sat::check(sat).map_err(puzzle)?,
        Gold::Sudoku(sudoku) => logic::sudoku::check(sudoku).map_err(puzzle)?,
        Gold::Judged { reference } if reference.trim().is_empty() => {
            return Err(GoldError::Puzzle { id: id(), reason: "expected a reference answer for the judge, found an empty one".to_owned() });
        }
        Gold::Judged { .. } | Gold::Open(_) => {}
        Gold::Code(task) => check_task(task).map_err(|error| GoldError::Code { id: id(), message: error.to_string() })?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ruminate_core::{Language, Uses};

    use super::*;

    fn check(gold: Gold) -> Result<(), String> {
        let id = ProblemId("set/7".into());
        let problem = Problem { id, kind: "t".into(), question: "?".into(), gold, language: Language::En, difficulty: None };
        check_gold(&problem).map_err(|error| error.to_string())
    }

    fn value(text: &str) -> Result<(), String> {
        check(Gold::Value { text: text.into() })
    }

    #[test]
    fn readable_values_pass() {
        for text in ["72", "1/2", r"\frac{\pi}{2}", r"\{1,2\}", "east", r"\left( 3, \frac{\pi}{2} \right)"] {
            assert_eq!(value(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn broken_gold_is_named() {
        for text in ["  ", r"\frac{1}{2", "1}", "$$"] {
            let error = value(text).unwrap_err();
            assert!(error.starts_with(&format!("problem set/7: gold answer '{text}' cannot be read: expected ")), "{error}");
        }
        assert_eq!(value(&"1".repeat(2001)), Err("problem set/7: gold answer has 2001 bytes, expected at most 2000".into()));
        let impossible = Gold::Countdown { numbers: vec![1, 1], target: 7, uses: Uses::ExactlyOnce };
        assert_eq!(check(impossible), Err("problem set/7: no expression over [1, 1] gives 7".into()));
        assert_eq!(check(Gold::Countdown { numbers: vec![3, 5, 7], target: 22, uses: Uses::ExactlyOnce }), Ok(()));
        let nobody = "problem set/7: gold roles name [], expected at least one person and no empty name";
        assert_eq!(check(Gold::Knights { roles: BTreeMap::new(), statements: Vec::new() }), Err(nobody.into()));
    }
}
