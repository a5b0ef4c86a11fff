//! Tests that are text in the program's language: the text runs in a process of its own, which this one connects with the program's.
//!
//! The test's process has no text of the program and the program's process has no text of the test. Frames go back and forth in turns: the test asks,
//! the program answers or calls a function of the test, and so on, until the test's driver says how it ended. That word is taken from the test's
//! channel only.

use ruminate_sandbox::{ChannelError, Launch, Process, Program};
use serde::Deserialize;
use serde_json::json;

use super::call::{Names, lost, serve, start};
use super::languages::{compiles_tests, declared_name, test_runner};
use super::run::{Failure, Run, TestResult};
use super::{CodeError, CodeOutcome, shorten};

/// First byte of the frame in which the test's driver says how the test ended.
const END: u8 = b'E';

/// What is built, and the two processes.
#[derive(Default)]
pub(super) struct Assertions {
    program: Option<Result<(Program, Launch), Failure>>,
    runner: Option<(Program, Launch)>,
    pair: Option<Pair>,
}

/// A program that waits for questions, and a driver that waits for a test.
struct Pair {
    program: Process,
    names: Names,
    tests: Process,
}

/// How a test ended.
#[derive(Deserialize)]
struct End {
    end: EndKind,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum EndKind {
    /// The text ran to its end.
    Passed,
    /// The test found fault with the program.
    Failed,
    /// The program threw an exception that the test did not expect, or lacks a name.
    Error,
    /// The text is none in its language.
    Bad,
}

/// Who is gone when a test does not come to its end.
enum Lost {
    Program(ChannelError),
    Tests(ChannelError),
}

impl Assertions {
    /// Runs the text of one test.
    ///
    /// Tests share the two processes, whose time is that of one test. A test is never failed for what another one did: if a process ends in a test
    /// that was not its first, the test runs again in a new pair.
    pub(super) fn test(&mut self, run: &mut Run<'_>, text: &str) -> TestResult {
        if self.program.is_none() {
            self.program = Some(serve(run, &declared_name(run.task).into_iter().collect())?);
        }
        if let Some(Err(failure)) = &self.program {
            return Ok(Err(failure.clone()));
        }
        if self.runner.is_none() || compiles_tests(run.language) {
            self.runner = Some(build_runner(run, text)?);
            self.pair.take().map_or(Ok(()), |pair| stop(run, pair))?;
        }
        let (Some(Ok(program)), Some(runner)) = (&self.program, &self.runner) else {
            return Ok(Err(Failure::new(CodeOutcome::CompileError, "the program is not built")));
        };
        loop {
            let is_fresh = self.pair.is_none();
            let mut pair = match self.pair.take() {
                Some(pair) => pair,
                None => match open(run, program, runner)? {
                    Ok(pair) => pair,
                    Err(failure) => return Ok(Err(failure)),
                },
            };
            match relay(run, &mut pair, text) {
                Ok(End { end: EndKind::Bad, reason }) => return Err(CodeError::BadTask(format!("the text of a test: {reason}"))),
                Ok(End { end: EndKind::Error, reason }) => {
                    run.stop(pair.tests)?;
                    let failure = Failure::new(CodeOutcome::RuntimeError, long_line(&reason));
                    return Ok(Err(run.second_look(pair.program, failure)?));
                }
                Ok(End { end: EndKind::Failed, reason }) => {
                    self.pair = Some(pair);
                    return Ok(Err(Failure::new(CodeOutcome::WrongAnswer, long_line(&reason))));
                }
                Ok(End { end: EndKind::Passed, .. }) => {
                    self.pair = Some(pair);
                    return Ok(Ok(()));
                }
                Err(_) if !is_fresh => stop(run, pair)?,
                Err(Lost::Program(error)) => {
                    run.stop(pair.tests)?;
                    return Ok(Err(lost(run, pair.program, error)?));
                }
                Err(Lost::Tests(error)) => {
                    run.stop(pair.program)?;
                    return Ok(Err(unfinished(run, pair.tests, error)?));
                }
            }
        }
    }

    /// Ends the processes.
    pub(super) fn stop(self, run: &mut Run<'_>) -> Result<(), CodeError> {
        self.pair.map_or(Ok(()), |pair| stop(run, pair))
    }
}

fn build_runner(run: &mut Run<'_>, text: &str) -> Result<(Program, Launch), CodeError> {
    let (source, arguments) = test_runner(run.language, run.task, text);
    let runner = run.build(&source)?.map_err(|failure| CodeError::BadTask(format!("the text of a test: {}", failure.reason)))?;
    Ok((runner, Launch { arguments, channel: true, ..Launch::default() }))
}

/// Starts the two processes and waits until the program is loaded.
fn open(run: &mut Run<'_>, program: &(Program, Launch), runner: &(Program, Launch)) -> Result<Result<Pair, Failure>, CodeError> {
    let seconds = run.test_seconds();
    let mut program = run.slot.launch(&program.0, &program.1, &run.limits(seconds))?;
    // It starts meanwhile, and outlives the program, so that it is known which of them was too slow.
    let tests = run.slot.launch(&runner.0, &runner.1, &run.limits(2.0 * seconds + 1.0))?;
    match start(run, &mut program)? {
        Some(Ok(names)) => Ok(Ok(Pair { program, names, tests })),
        Some(Err(failure)) => {
            run.stop(tests)?;
            Ok(Err(run.second_look(program, failure)?))
        }
        None => {
            run.stop(tests)?;
            Ok(Err(run.ended(program)?))
        }
    }
}

/// What a test says by ending before its end. A failed `assert` of C ends the process.
fn unfinished(run: &mut Run<'_>, tests: Process, error: ChannelError) -> Result<Failure, CodeError> {
    let failure = lost(run, tests, error)?;
    let outcome = match failure.outcome {
        CodeOutcome::RuntimeError | CodeOutcome::CompileError => CodeOutcome::WrongAnswer,
        outcome => outcome,
    };
    Ok(Failure { reason: format!("the test did not come to its end: {}", failure.reason), outcome, ends_all: false })
}

/// Gives the text to the test's driver and carries frames until it says how the test ended.
fn relay(run: &Run<'_>, pair: &mut Pair, text: &str) -> Result<End, Lost> {
    let Names { names, errors } = &pair.names;
    let task = run.task;
    let test = json!({
        "test": text,
        "setup": task.setup,
        "entry_point": task.entry_point,
        "program": {"names": names, "errors": errors},
    });
    pair.tests.send(test.to_string().as_bytes()).map_err(Lost::Tests)?;
    loop {
        let frame = pair.tests.receive().map_err(Lost::Tests)?;
        match frame.split_first() {
            Some((&END, end)) => return serde_json::from_slice(end).map_err(|_| Lost::Tests(ChannelError::Ended)),
            Some((_, question)) => pair.program.send(question).map_err(Lost::Program)?,
            None => return Err(Lost::Tests(ChannelError::Ended)),
        }
        let answer = pair.program.receive().map_err(Lost::Program)?;
        pair.tests.send(&answer).map_err(Lost::Tests)?;
    }
}

/// The driver has shortened its parts already.
fn long_line(text: &str) -> String {
    let line: String = text.chars().take(1000).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.trim().is_empty() { shorten("no reason given") } else { line }
}

fn stop(run: &mut Run<'_>, pair: Pair) -> Result<(), CodeError> {
    run.stop(pair.program)?;
    run.stop(pair.tests)
}
