//! Whether a task can be graded at all, found before anything runs.

use ruminate_core::{CodeTask, CodeTest};
use ruminate_sandbox::Language;

use super::CodeError;
use super::languages::{asserts, calls};

/// Longest text of a task's part, in bytes: tests of real sets have some hundred kilobytes.
const MAX_TEXT: usize = 64 << 20;

/// Checks that a task's language, tests and limits make sense together.
///
/// # Errors
/// [`CodeError::BadTask`]: what is wrong and where.
pub fn check_task(task: &CodeTask) -> Result<(), CodeError> {
    checked_language(task).map(drop)
}

/// The language of a task that makes sense.
pub(super) fn checked_language(task: &CodeTask) -> Result<Language, CodeError> {
    let language: Language = task.language.parse().map_err(|error| CodeError::BadTask(format!("language: {error}")))?;
    check_numbers(task)?;
    if let Some(checker) = &task.checker {
        checker.language.parse::<Language>().map_err(|error| CodeError::BadTask(format!("checker: {error}")))?;
    }
    if task.tests.is_empty() {
        return Err(CodeError::BadTask("expected at least one test, found none".to_owned()));
    }
    for (test_idx, test) in task.tests.iter().enumerate() {
        check_test(task, language, test).map_err(|reason| CodeError::BadTask(format!("test {}: {reason}", test_idx + 1)))?;
    }
    Ok(language)
}

fn check_numbers(task: &CodeTask) -> Result<(), CodeError> {
    // An hour for one test, 1 TiB: more is a slip of the pen.
    let positive = |name: &str, value: Option<f64>, most: f64| match value {
        Some(value) if !(value > 0.0 && value <= most) => {
            Err(CodeError::BadTask(format!("{name}: expected more than 0 and at most {most}, found {value}")))
        }
        _ => Ok(()),
    };
    positive("limits.seconds", task.limits.seconds, 3600.0)?;
    positive("limits.total_seconds", task.limits.total_seconds, 86400.0)?;
    positive("limits.mebibytes", task.limits.mebibytes.map(|value| value as f64), 1_048_576.0)?;
    match task.tolerance {
        Some(value) if !(0.0..=1.0).contains(&value) => Err(CodeError::BadTask(format!("tolerance: expected 0 to 1, found {value}"))),
        _ => Ok(()),
    }
}

fn check_test(task: &CodeTask, language: Language, test: &CodeTest) -> Result<(), String> {
    let size = match test {
        CodeTest::Output { stdin, stdout } => stdin.len() + stdout.len(),
        CodeTest::Call { call, .. } => {
            calls(language)?;
            check_name(call)?;
            0
        }
        CodeTest::Assert { assert } => {
            asserts(language, task)?;
            if let Some(entry_point) = &task.entry_point {
                check_name(entry_point)?;
            }
            assert.len()
        }
    };
    if size > MAX_TEXT {
        return Err(format!("expected at most {MAX_TEXT} bytes, found {size}"));
    }
    Ok(())
}

/// Names go into the text of drivers.
fn check_name(name: &str) -> Result<(), String> {
    let is_start = |c: char| c == '_' || c == '$' || c.is_alphabetic();
    let mut chars = name.chars();
    if chars.next().is_some_and(is_start) && chars.all(|c| is_start(c) || c.is_numeric()) {
        return Ok(());
    }
    Err(format!("expected the name of a function, found {name:?}"))
}
