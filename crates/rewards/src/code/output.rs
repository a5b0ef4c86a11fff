//! Tests that give a program input and look at its output.

use ruminate_core::Checker;
use ruminate_sandbox::{Ending, Launch, Limits, Program, Source, SourceFile};

use super::languages::whole_program;
use super::run::{Failure, Run, TestResult};
use super::{CodeError, CodeOutcome, shorten, text};

/// Room for wrong output beyond what is expected, in KiB: enough to say what is wrong.
const SPARE_KIBIBYTES: u64 = 1024;

/// The program, and the checker if the task has one, once they are built.
#[derive(Default)]
pub(super) struct Outputs {
    program: Option<Result<Program, Failure>>,
    checker: Option<Program>,
}

impl Outputs {
    /// Runs the program once.
    pub(super) fn test(&mut self, run: &mut Run<'_>, stdin: &str, stdout: &str) -> TestResult {
        let program = match self.program.take() {
            Some(program) => program,
            None => run.build(&whole_program(run.language, &run.text))?,
        };
        let program = match self.program.insert(program) {
            Ok(program) => program,
            Err(failure) => return Ok(Err(failure.clone())),
        };
        let default = run.limits(run.test_seconds());
        let limits = Limits { output_kibibytes: default.output_kibibytes.max(stdout.len() as u64 / 1024 + SPARE_KIBIBYTES), ..default };
        let finished = run.slot.run(program, stdin.as_bytes(), &limits)?;
        run.seconds += finished.seconds;
        if finished.ending != Ending::Exited(0) {
            return Ok(Err(run.judge_end(&finished)));
        }
        let Some(checker) = &run.task.checker else {
            let result = text::compare(&finished.stdout, stdout, run.task.compare, run.tolerance());
            return Ok(result.map_err(|reason| Failure::new(CodeOutcome::WrongAnswer, reason)));
        };
        if self.checker.is_none() {
            self.checker = Some(build_checker(run, checker)?);
        }
        match &self.checker {
            Some(program) => check(run, program, [stdin, &String::from_utf8_lossy(&finished.stdout), stdout], &limits),
            None => Err(CodeError::BadTask("the checker is not built".to_owned())),
        }
    }
}

fn build_checker(run: &mut Run<'_>, checker: &Checker) -> Result<Program, CodeError> {
    let language = checker.language.parse().map_err(|error| CodeError::BadTask(format!("checker: {error}")))?;
    let source: Source = whole_program(language, &checker.program);
    run.build(&source)?.map_err(|failure| CodeError::BadTask(format!("checker: {}", failure.reason)))
}

/// Asks the checker about one output. It is trusted but has its own process: the output that it reads is not.
fn check(run: &mut Run<'_>, checker: &Program, texts: [&str; 3], limits: &Limits) -> TestResult {
    let names = ["input.txt", "output.txt", "expected.txt"].map(str::to_owned);
    let size: u64 = texts.iter().map(|text| text.len() as u64).sum();
    // Its own limits are the default ones, with room for the three files.
    let default = Limits::default();
    let limits = Limits { disk_mebibytes: default.disk_mebibytes + (size >> 20), output_kibibytes: limits.output_kibibytes, ..default };
    let files = names.iter().zip(texts).map(|(path, text)| SourceFile { path: path.clone(), text: text.to_owned() }).collect();
    let launch = Launch { arguments: names.to_vec(), files, ..Launch::default() };
    let finished = run.slot.launch(checker, &launch, &limits)?.finish()?;
    run.seconds += finished.seconds;
    let said = shorten([&finished.stdout, &finished.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).join(" ").trim());
    match finished.ending {
        Ending::Exited(0) => Ok(Ok(())),
        Ending::Exited(1 | 2) => Ok(Err(Failure::new(CodeOutcome::WrongAnswer, format!("the checker says: {said}")))),
        ending => Err(CodeError::BadTask(format!("expected a checker that exits with 0, 1 or 2, found {ending}: {said}"))),
    }
}
