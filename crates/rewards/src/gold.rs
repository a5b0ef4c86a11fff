//! Finding broken reference answers before training.

use ruminate_core::{Gold, Problem, ProblemId};

use crate::code::check_task;
use crate::value::{MAX_ANSWER_BYTES, Value};
use crate::{reachable, value};

/// Why a gold answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoldError {
    /// The text holds no value.
    #[error("problem {id}: gold answer '{text}' holds no value")]
    NoValue {
        /// The problem.
        id: ProblemId,
        /// The gold answer.
        text: String,
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
    /// A brace opens or closes alone.
    #[error("problem {id}: braces of gold answer '{text}' do not match")]
    Braces {
        /// The problem.
        id: ProblemId,
        /// The gold answer.
        text: String,
    },
    /// No expression over the numbers gives the target.
    #[error("problem {id}: no expression over {numbers:?} gives {target}")]
    Unreachable {
        /// The problem.
        id: ProblemId,
        /// The numbers.
        numbers: Vec<i64>,
        /// The target.
        target: i64,
    },
    /// Nobody, or somebody without a name.
    #[error("problem {id}: gold roles name {found}, expected at least one person and no empty name")]
    Names {
        /// The problem.
        id: ProblemId,
        /// The names as found.
        found: String,
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
/// Names the problem and what is wrong. Reachability of countdown targets is checked for up to 4 numbers; more take too long.
pub fn check_gold(problem: &Problem) -> Result<(), GoldError> {
    let id = || problem.id.clone();
    match &problem.gold {
        Gold::Value { text } => {
            if text.len() > MAX_ANSWER_BYTES {
                return Err(GoldError::TooLong { id: id(), found: text.len(), expected: MAX_ANSWER_BYTES });
            }
            if Value::parse(text).is_none() {
                return Err(GoldError::NoValue { id: id(), text: text.clone() });
            }
            if !braces_match(text) {
                return Err(GoldError::Braces { id: id(), text: text.clone() });
            }
        }
        Gold::Countdown { numbers, target } => {
            let possible = !numbers.is_empty() && (numbers.len() > 4 || reachable(numbers, *target) == Some(true));
            if !possible {
                return Err(GoldError::Unreachable { id: id(), numbers: numbers.clone(), target: *target });
            }
        }
        Gold::Knights { roles } => {
            if roles.is_empty() || roles.keys().any(|name| name.trim().is_empty()) {
                return Err(GoldError::Names { id: id(), found: format!("{:?}", roles.keys().collect::<Vec<_>>()) });
            }
        }
        Gold::Code(task) => check_task(task).map_err(|error| GoldError::Code { id: id(), message: error.to_string() })?,
    }
    Ok(())
}

fn braces_match(text: &str) -> bool {
    // Escaped braces, as in `\{1,2\}`, are set brackets and pair up by themselves.
    let text = text.replace("\\{", "").replace("\\}", "");
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        if rest[at..].starts_with('}') {
            return false;
        }
        match value::closing_brace(&rest[at + 1..]) {
            Some(end) => rest = &rest[at + 1 + end + 1..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ruminate_core::Language;

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
        assert_eq!(value("  "), Err("problem set/7: gold answer '  ' holds no value".into()));
        assert_eq!(value(r"\frac{1}{2"), Err(r"problem set/7: braces of gold answer '\frac{1}{2' do not match".into()));
        assert_eq!(value("1}"), Err("problem set/7: braces of gold answer '1}' do not match".into()));
        assert_eq!(value(&"1".repeat(2001)), Err("problem set/7: gold answer has 2001 bytes, expected at most 2000".into()));
        let impossible = Gold::Countdown { numbers: vec![1, 1], target: 7 };
        assert_eq!(check(impossible), Err("problem set/7: no expression over [1, 1] gives 7".into()));
        assert_eq!(check(Gold::Countdown { numbers: vec![3, 5, 7], target: 22 }), Ok(()));
        let nobody = "problem set/7: gold roles name [], expected at least one person and no empty name";
        assert_eq!(check(Gold::Knights { roles: BTreeMap::new() }), Err(nobody.into()));
    }
}
