//! Tests that call a function: only the call crosses into the program's process, and a value comes back.

use std::collections::BTreeSet;

use ruminate_core::CodeTest;
use ruminate_sandbox::{ChannelError, Ending, Language, Launch, Process, Program};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::languages::served_program;
use super::run::{Failure, Run, TestResult, is_out_of_memory};
use super::value::{Value, to_wire};
use super::{CodeError, CodeOutcome, shorten, text};

/// Time that a process may take beside its tests, in seconds: interpreters and virtual machines start in it.
const START_SECONDS: f64 = 5.0;

/// Seconds that a process which has closed its channel has to end by itself, before it is stopped.
const GRACE: f64 = 2.0;

/// A program with its driver, once it is built, and the process that answers.
///
/// Tests share a process, as they do in the sets that these tests come from. A test is never failed for what another one did: if the process ends
/// in a test that was not its first, the test runs again in a new one.
#[derive(Default)]
pub(super) struct Calls {
    program: Option<Result<(Program, Launch), Failure>>,
    process: Option<Process>,
}

/// The first frame of a driver: the names that the program defines, or why it does not run.
#[derive(Deserialize)]
#[serde(untagged)]
enum Start {
    Ready { names: Vec<String>, errors: std::collections::BTreeMap<String, String> },
    Syntax { syntax: [String; 3] },
    Raise { raise: [String; 3] },
}

/// What a program defines, by its own account.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) names: Vec<String>,
    pub(super) errors: std::collections::BTreeMap<String, String>,
}

impl Calls {
    /// Calls one function.
    pub(super) fn test(&mut self, run: &mut Run<'_>, call: &str, args: &[Json], expect: &Json) -> TestResult {
        if self.program.is_none() {
            let names =
                run.task.tests.iter().filter_map(|test| if let CodeTest::Call { call, .. } = test { Some(call.as_str()) } else { None });
            self.program = Some(serve(run, &names.collect())?);
        }
        match &self.program {
            Some(Ok((program, launch))) if run.language == Language::Bash => call_bash(run, program, launch, call, args, expect),
            Some(Ok((program, launch))) => call_served(run, &mut self.process, program, launch, call, args, expect),
            Some(Err(failure)) => Ok(Err(failure.clone())),
            None => Ok(Err(Failure::new(CodeOutcome::CompileError, "the program is not built"))),
        }
    }

    /// Ends the process.
    pub(super) fn stop(self, run: &mut Run<'_>) -> Result<(), CodeError> {
        self.process.map_or(Ok(()), |process| run.stop(process))
    }
}

/// Builds the program with its driver.
pub(super) fn serve(run: &mut Run<'_>, names: &BTreeSet<&str>) -> Result<Result<(Program, Launch), Failure>, CodeError> {
    let (source, arguments) = served_program(run.language, &run.text, names);
    let launch = Launch { arguments, channel: true, ..Launch::default() };
    Ok(run.build(&source)?.map(|program| (program, launch)))
}

fn call_served(
    run: &mut Run<'_>,
    process: &mut Option<Process>,
    program: &Program,
    launch: &Launch,
    call: &str,
    args: &[Json],
    expect: &Json,
) -> TestResult {
    let frame = json!({"op": "call", "on": call, "args": args.iter().map(to_wire).collect::<Vec<_>>()}).to_string();
    loop {
        let is_fresh = process.is_none();
        let mut running = match process.take() {
            Some(running) => running,
            None => {
                let seconds = run.test_seconds() * (run.task.tests.len() as f64 + 1.0) + START_SECONDS;
                let mut running = run.slot.launch(program, launch, &run.limits(seconds))?;
                match start(run, &mut running)? {
                    Some(Ok(_)) => running,
                    Some(Err(failure)) => return Ok(Err(run.second_look(running, failure)?)),
                    None => return Ok(Err(run.ended(running)?)),
                }
            }
        };
        let seconds = run.test_seconds();
        let answer = running.send(frame.as_bytes()).and_then(|()| running.receive_within(seconds));
        match answer {
            Ok(answer) => {
                let result = judge(run, call, args, &answer, expect);
                return match result {
                    Err(failure) if failure.outcome == CodeOutcome::RuntimeError => Ok(Err(run.second_look(running, failure)?)),
                    result => {
                        *process = Some(running);
                        Ok(result)
                    }
                };
            }
            Err(ChannelError::Ended) if !is_fresh => run.stop(running)?,
            Err(error) => return Ok(Err(lost(run, running, error)?)),
        }
    }
}

/// Waits until the program is loaded. `None`: it has ended.
pub(super) fn start(run: &Run<'_>, process: &mut Process) -> Result<Option<Result<Names, Failure>>, CodeError> {
    let frame = match process.receive_within(run.test_seconds() + START_SECONDS) {
        Ok(frame) => frame,
        Err(ChannelError::Ended) => return Ok(None),
        Err(ChannelError::Sandbox(error)) => return Err(error.into()),
        Err(ChannelError::Late { .. }) => return Ok(Some(Err(late(run)))),
        Err(error) => return Ok(Some(Err(Failure::new(CodeOutcome::RuntimeError, error.to_string())))),
    };
    Ok(Some(match serde_json::from_slice(&frame) {
        Ok(Start::Ready { names, errors }) => Ok(Names { names, errors }),
        Ok(Start::Syntax { syntax }) => {
            Err(Failure::new(CodeOutcome::CompileError, format!("the program cannot be read: {}", exception(&syntax))).ending_all())
        }
        Ok(Start::Raise { raise }) => Err(raised(run, &raise, "while the program was loaded").ending_all()),
        Err(_) => Err(unreadable(&frame)),
    }))
}

/// Why no answer came.
pub(super) fn lost(run: &mut Run<'_>, process: Process, error: ChannelError) -> Result<Failure, CodeError> {
    match error {
        ChannelError::Ended => {
            // Its channel is closed: mostly because it is just ending, and how it ends is the reason to tell. But it may also sit there.
            let finished = process.finish_within(GRACE)?;
            run.seconds += finished.seconds;
            if finished.ending == Ending::Stopped {
                return Ok(Failure::new(CodeOutcome::RuntimeError, "the program closed its channel"));
            }
            Ok(run.judge_end(&finished))
        }
        ChannelError::Sandbox(error) => Err(error.into()),
        ChannelError::Late { .. } => {
            run.stop(process)?;
            Ok(late(run))
        }
        ChannelError::TooLong { .. } => {
            run.stop(process)?;
            Ok(Failure::new(CodeOutcome::OutputLimit, error.to_string()))
        }
        ChannelError::None => Ok(Failure::new(CodeOutcome::RuntimeError, error.to_string())),
    }
}

fn late(run: &Run<'_>) -> Failure {
    Failure::new(CodeOutcome::TimeLimit, format!("time limit of {} s", run.test_seconds()))
}

/// Compares the value of an answer with the expected one.
fn judge(run: &Run<'_>, call: &str, args: &[Json], answer: &[u8], expect: &Json) -> Result<(), Failure> {
    // Text of a program need not be text: what is none cannot be the expected text.
    let text = String::from_utf8_lossy(answer);
    let Ok(Json::Object(fields)) = serde_json::from_str(&text) else { return Err(unreadable(answer)) };
    let args = args.iter().map(|arg| Value::expected(arg).to_string()).collect::<Vec<_>>().join(", ");
    let shown = format!("{call}({})", shorten(&args));
    if let Some(value) = fields.get("ok") {
        let Ok(got) = Value::from_wire(value) else { return Err(unreadable(answer)) };
        let expected = Value::expected(expect);
        if got.is(&expected, run.tolerance()) || (run.language == Language::Php && is_empty_array(&got, &expected)) {
            return Ok(());
        }
        let reason = format!("{shown}: expected {}, got {}", shorten(&expected.to_string()), shorten(&got.to_string()));
        return Err(Failure::new(CodeOutcome::WrongAnswer, reason));
    }
    match fields.get("raise").map(<[String; 3]>::deserialize) {
        Some(Ok(raise)) => Err(raised(run, &raise, &format!("in {shown}"))),
        _ if fields.contains_key("missing") => Err(Failure::new(CodeOutcome::RuntimeError, format!("the program does not define {call}"))),
        _ => Err(unreadable(answer)),
    }
}

/// PHP has one kind of array: an empty one is a list and a map.
fn is_empty_array(got: &Value, expected: &Value) -> bool {
    matches!((got, expected), (Value::List(got), Value::Dict(expected)) if got.is_empty() && expected.is_empty())
}

fn raised(run: &Run<'_>, raise: &[String; 3], place: &str) -> Failure {
    if is_out_of_memory(&raise[0]) {
        return Failure::new(CodeOutcome::MemoryLimit, run.memory_reason());
    }
    Failure::new(CodeOutcome::RuntimeError, format!("{} {place}", exception(raise)))
}

fn exception([name, _, message]: &[String; 3]) -> String {
    shorten(&if message.is_empty() { name.clone() } else { format!("{name}: {message}") })
}

fn unreadable(frame: &[u8]) -> Failure {
    let shown = shorten(&String::from_utf8_lossy(frame));
    Failure::new(CodeOutcome::RuntimeError, format!("expected an answer of the driver, found '{shown}'"))
}

/// Bash has text only: arguments are words, and the value is what the function writes.
fn call_bash(run: &mut Run<'_>, program: &Program, launch: &Launch, call: &str, args: &[Json], expect: &Json) -> TestResult {
    let word = |value: &Json| value.as_str().map_or_else(|| Value::expected(value).to_string(), str::to_owned);
    let arguments = std::iter::once(call.to_owned()).chain(args.iter().map(word)).collect();
    let launch = Launch { arguments, channel: false, ..launch.clone() };
    let finished = run.slot.launch(program, &launch, &run.limits(run.test_seconds()))?.finish()?;
    run.seconds += finished.seconds;
    // A function's status is part of its work: one that ends with a test which does not hold is not broken.
    if !matches!(finished.ending, Ending::Exited(0..=125)) {
        return Ok(Err(run.judge_end(&finished)));
    }
    let result = text::compare(&finished.stdout, &word(expect), run.task.compare, run.tolerance());
    Ok(result.map_err(|reason| Failure::new(CodeOutcome::WrongAnswer, format!("{call}: {reason}"))))
}
