//! What all forms of tests share: limits, building, and what the end of a process says about the program.

use ruminate_core::CodeTask;
use ruminate_sandbox::{BuildError, Ending, Finished, Language, Limits, Process, Program, Slot, Source};

use super::{CodeError, CodeOutcome, TOLERANCE, shorten};

/// Why a test failed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) outcome: CodeOutcome,
    pub(super) reason: String,
    /// Whether no other test can hold, so that none needs to run.
    pub(super) ends_all: bool,
}

impl Failure {
    pub(super) fn new(outcome: CodeOutcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into(), ends_all: false }
    }

    pub(super) fn ending_all(self) -> Self {
        Self { ends_all: true, ..self }
    }
}

/// The outcome of one test, unless there is none because something else than the program failed.
pub(super) type TestResult = Result<Result<(), Failure>, CodeError>;

/// One program that is being graded.
pub(super) struct Run<'a> {
    pub(super) slot: &'a Slot<'a>,
    pub(super) task: &'a CodeTask,
    pub(super) language: Language,
    /// The program's text after the task's prefix.
    pub(super) text: String,
    /// Wall-clock time of all processes so far, in seconds.
    pub(super) seconds: f64,
}

impl<'a> Run<'a> {
    pub(super) fn new(slot: &'a Slot<'a>, task: &'a CodeTask, language: Language, program: &str) -> Self {
        let text = task.prefix.as_ref().map_or_else(|| program.to_owned(), |prefix| prefixed(language, prefix, program));
        Self { slot, task, language, text, seconds: 0.0 }
    }

    pub(super) fn tolerance(&self) -> f64 {
        self.task.tolerance.unwrap_or(TOLERANCE)
    }

    /// Time that one test may take.
    pub(super) fn test_seconds(&self) -> f64 {
        self.task.limits.seconds.unwrap_or(Limits::default().seconds)
    }

    /// Limits of a process that runs for this long. Processor time is there to stop many threads; a virtual machine has some of its own.
    pub(super) fn limits(&self, seconds: f64) -> Limits {
        let default = Limits::default();
        Limits { seconds, cpu_seconds: 2.0 * seconds + 1.0, mebibytes: self.task.limits.mebibytes.unwrap_or(default.mebibytes), ..default }
    }

    /// Builds a program, or says why it is none.
    pub(super) fn build(&mut self, source: &Source) -> Result<Result<Program, Failure>, CodeError> {
        match self.slot.build(source, &Limits::compile()) {
            Ok(program) => Ok(Ok(program)),
            Err(BuildError::MissingToolchain(error)) => Err(error.into()),
            Err(BuildError::Sandbox(error)) => Err(error.into()),
            Err(BuildError::Compile(finished)) => {
                self.seconds += finished.seconds;
                let said = first_error(&finished);
                Ok(Err(Failure::new(CodeOutcome::CompileError, format!("the program does not compile: {said}")).ending_all()))
            }
        }
    }

    /// Stops a process that is no longer needed.
    pub(super) fn stop(&mut self, process: Process) -> Result<(), CodeError> {
        self.seconds += process.stop()?.seconds;
        Ok(())
    }

    /// Stops a process after a failure that it reported itself. If it went over a limit, that is the cause: a program whose output is no longer read
    /// gets an exception from that.
    pub(super) fn second_look(&mut self, process: Process, failure: Failure) -> Result<Failure, CodeError> {
        let finished = process.stop()?;
        self.seconds += finished.seconds;
        Ok(match finished.ending {
            Ending::MemoryLimit | Ending::OutputLimit | Ending::Forbidden(_) => self.judge_end(&finished),
            _ => failure,
        })
    }

    /// What the end of a process says that should have gone on.
    pub(super) fn ended(&mut self, process: Process) -> Result<Failure, CodeError> {
        let finished = process.finish()?;
        self.seconds += finished.seconds;
        Ok(self.judge_end(&finished))
    }

    /// What the end of a program says, if it should not have ended so.
    pub(super) fn judge_end(&self, finished: &Finished) -> Failure {
        let stderr = String::from_utf8_lossy(&finished.stderr);
        let last_line = stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let with_line = |what: String| if last_line.is_empty() { what } else { format!("{what}: {}", shorten(last_line)) };
        match &finished.ending {
            Ending::TimeLimit => Failure::new(CodeOutcome::TimeLimit, format!("time limit of {} s", self.test_seconds())),
            Ending::MemoryLimit => Failure::new(CodeOutcome::MemoryLimit, self.memory_reason()),
            Ending::OutputLimit => Failure::new(CodeOutcome::OutputLimit, "the program writes too much"),
            Ending::Forbidden(call) => Failure::new(CodeOutcome::Forbidden, format!("the program tried {call}")),
            Ending::Exited(0) => Failure::new(CodeOutcome::RuntimeError, "the program ended before it was asked to"),
            // The language's own word for a failed allocation: nobody killed it.
            Ending::Exited(_) | Ending::Signaled(_) if is_out_of_memory(&stderr) => {
                Failure::new(CodeOutcome::MemoryLimit, self.memory_reason())
            }
            Ending::Exited(_) if self.is_syntax_error(&stderr) => {
                Failure::new(CodeOutcome::CompileError, with_line("the program cannot be read".to_owned())).ending_all()
            }
            ending => Failure::new(CodeOutcome::RuntimeError, with_line(ending.to_string())),
        }
    }

    pub(super) fn memory_reason(&self) -> String {
        format!("memory limit of {} MiB", self.limits(1.0).mebibytes)
    }

    /// Whether an interpreter refused the text. It reads before it runs, and says so in its last words.
    fn is_syntax_error(&self, stderr: &str) -> bool {
        let words: &[&str] = match self.language {
            Language::Python => &["SyntaxError: ", "IndentationError: ", "TabError: "],
            Language::JavaScript => &["SyntaxError: "],
            Language::Php => &["PHP Parse error: ", "Parse error: "],
            _ => &[],
        };
        stderr.lines().any(|line| words.iter().any(|word| line.starts_with(word)))
    }

    /// Holds all tests together to their limit.
    pub(super) fn check_total(&self) -> Result<(), Failure> {
        match self.task.limits.total_seconds {
            Some(total) if self.seconds > total => {
                Err(Failure::new(CodeOutcome::TimeLimit, format!("time limit of {total} s for all tests")).ending_all())
            }
            _ => Ok(()),
        }
    }
}

/// A program with the text that stands before it. Python wants statements about its future first, wherever they are from.
fn prefixed(language: Language, prefix: &str, program: &str) -> String {
    let is_future = |line: &&str| language == Language::Python && line.starts_with("from __future__ import ");
    let future: String = program.lines().filter(is_future).map(|line| format!("{line}\n")).collect();
    format!("{future}{prefix}\n{program}")
}

/// Whether a language's own message says that memory ran out.
pub(super) fn is_out_of_memory(message: &str) -> bool {
    let words = [
        "MemoryError",
        "std::bad_alloc",
        "OutOfMemoryError",
        "OutOfMemoryException",
        "heap out of memory",
        "Allowed memory size",
        "out of memory",
    ];
    words.iter().any(|word| message.contains(word))
}

/// The line in which a compiler says what is wrong.
fn first_error(finished: &Finished) -> String {
    let text = [&finished.stderr, &finished.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).join("\n");
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines.clone().find(|line| line.contains("error"));
    match error.or_else(|| lines.next()) {
        Some(line) if finished.ending == Ending::Exited(1) => shorten(line),
        Some(line) => format!("{}: {}", finished.ending, shorten(line)),
        None => finished.ending.to_string(),
    }
}
