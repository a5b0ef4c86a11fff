//! The reward for code: programs are run against tests, and no program can say of itself that it is right.
//!
//! A program runs in the sandbox. Whatever must not be forged stays outside of its process:
//!
//! | test | in the program's process | elsewhere |
//! | --- | --- | --- |
//! | output | the program | the expected output and the comparison: here; a checker: in a sandbox of its own |
//! | call | the program and a driver that answers calls with values | the expected value and the comparison: here |
//! | assertion | the program and the same driver | the test's text: in a second sandboxed process, which has the program's names as stand-ins that call across |
//!
//! So a program can end early, print what it likes, patch its own process or write frames of its own: all that comes out of it is a value or an
//! output, and those are compared where it cannot reach. What remains possible is what any grader with the same tests must accept: right values for
//! the tests' inputs.

mod assertion;
mod call;
mod check;
mod extract;
mod languages;
mod output;
mod run;
mod text;
mod value;
mod verdict;

pub use check::check_task;
pub use extract::program_of;
pub use value::keep_integers;
pub use verdict::{CodeAnswer, CodeError, CodeLine, CodeOutcome, CodeVerdict};

use ruminate_core::{CodeReward, CodeTask, CodeTest, Outcome, Verdict};
use ruminate_sandbox::Sandbox;

use assertion::Assertions;
use call::Calls;
use output::Outputs;
use run::{Failure, Run};

/// Largest program, in bytes: what a model writes is far smaller.
const MAX_PROGRAM: usize = 1 << 20;

/// Difference of floating-point numbers that a task accepts if it does not say.
const TOLERANCE: f64 = 1e-6;

/// Runs a program against the tests of a task. It waits for a free slot of the sandbox and takes one.
///
/// Tests run in order; with [`CodeReward::AllPassed`] the first failure is the last test.
///
/// # Errors
/// The task makes no sense, the language's toolchain is missing, or the sandbox fails. Nothing that the program does is an error.
pub fn grade(sandbox: &Sandbox, task: &CodeTask, program: &str) -> Result<CodeVerdict, CodeError> {
    let language = check::checked_language(task)?;
    sandbox.toolchain(language)?;
    let total = task.tests.len();
    if program.len() > MAX_PROGRAM {
        let reason = format!("expected a program of at most {MAX_PROGRAM} bytes, found {}", program.len());
        return Ok(CodeVerdict { verdict: CodeOutcome::CompileError, passed: 0, total, reason, millis: 0 });
    }
    let slot = sandbox.slot();
    let mut run = Run::new(&slot, task, language, program);
    let (mut outputs, mut calls, mut assertions) = (Outputs::default(), Calls::default(), Assertions::default());
    let (mut passed, mut first_failure) = (0, None);
    for (test_idx, test) in task.tests.iter().enumerate() {
        let result = match test {
            CodeTest::Output { stdin, stdout } => outputs.test(&mut run, stdin, stdout)?,
            CodeTest::Call { call, args, expect } => calls.test(&mut run, call, args, expect)?,
            CodeTest::Assert { assert } => assertions.test(&mut run, assert)?,
        };
        let result = result.and_then(|()| run.check_total());
        match result {
            Ok(()) => passed += 1,
            Err(failure) => {
                let is_last = task.reward == CodeReward::AllPassed || failure.ends_all;
                first_failure.get_or_insert(Failure { reason: format!("test {}: {}", test_idx + 1, failure.reason), ..failure });
                if is_last {
                    break;
                }
            }
        }
    }
    calls.stop(&mut run)?;
    assertions.stop(&mut run)?;
    let (verdict, reason) = match first_failure {
        Some(failure) => (failure.outcome, failure.reason),
        None => (CodeOutcome::Passed, format!("all {total} tests hold")),
    };
    Ok(CodeVerdict { verdict, passed, total, reason, millis: (run.seconds * 1000.0) as u64 })
}

/// Grades the program of a completion, in the form that all graders share.
///
/// # Errors
/// As [`grade`].
pub fn grade_completion(sandbox: &Sandbox, task: &CodeTask, completion: &str) -> Result<Verdict, CodeError> {
    let program = program_of(completion);
    if program.trim().is_empty() {
        return Ok(Verdict::none(Outcome::Unparsed, "no program found: no block of code and no text behind the reasoning"));
    }
    Ok(grade(sandbox, task, program)?.to_verdict(task.reward))
}

/// One line of at most 120 characters.
fn shorten(text: &str) -> String {
    let line: String = text.chars().take(120).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < text.len() { line + "…" } else { line }
}
