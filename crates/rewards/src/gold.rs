//! Finding broken reference answers before training.

use ruminate_core::{Gold, Problem, ProblemId};

use crate::math::parse::ParseError;
use crate::math::{MAX_ANSWER_BYTES, parse_gold};
use crate::reachable;

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
            if let Err(source) = parse_gold(text) {
                return Err(GoldError::Unreadable { id: id(), text: text.clone(), source });
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
    }
    Ok(())
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
        for text in ["  ", r"\frac{1}{2", "1}", "$$"] {
            let error = value(text).unwrap_err();
            assert!(error.starts_with(&format!("problem set/7: gold answer '{text}' cannot be read: expected ")), "{error}");
        }
        assert_eq!(value(&"1".repeat(2001)), Err("problem set/7: gold answer has 2001 bytes, expected at most 2000".into()));
        let impossible = Gold::Countdown { numbers: vec![1, 1], target: 7 };
        assert_eq!(check(impossible), Err("problem set/7: no expression over [1, 1] gives 7".into()));
        assert_eq!(check(Gold::Countdown { numbers: vec![3, 5, 7], target: 22 }), Ok(()));
        let nobody = "problem set/7: gold roles name [], expected at least one person and no empty name";
        assert_eq!(check(Gold::Knights { roles: BTreeMap::new() }), Err(nobody.into()));
    }
}
