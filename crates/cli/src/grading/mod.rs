//! Verdicts for scripts and for trainers in other languages: one JSON object in, one out, the same from a file and over HTTP.
//!
//! ```text
//! math      {"id","gold","pred"}                          {"id","verdict","reason","micros"}
//! code      {"id","language","program","tests","limits"}  {"id","verdict","passed","total","reason","millis"}
//! format    {"id","completion","form"}                    {"id","ok","reason"}
//! language  {"id","text","target"}                        {"id","share","words"}
//! logic     {"id","gold","pred"}                          {"id","ok","outcome","reason"}
//! judge     {"id","question","gold","pred"}               {"id","ok","outcome","reason"} or {"id","pending"}
//! ```

pub(crate) mod serve;

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use ruminate_core::{Gold, Language, Outcome, Problem, ProblemId, Verdict};
use ruminate_rewards::code::{self, CodeAnswer, CodeLine};
use ruminate_rewards::judge::{Graded, Judge, judge_answer};
use ruminate_rewards::{FormatForm, check_gold, count_language, grade_accuracy, language_of, math};
use ruminate_sandbox::Sandbox;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::graders::JudgeConfig;
use crate::parallel::in_parallel;
use crate::sandbox::SandboxSettings;

/// What is graded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Is the answer to a maths question equal to the reference?
    Math,
    /// Does a program pass its tests? Runs it in the sandbox.
    Code,
    /// Is a completion in the asked form?
    Format,
    /// Which share of the words is in the target language?
    Language,
    /// Does an answer obey the rules of a puzzle?
    Logic,
    /// Does an answer mean what the reference means? Asks the chat model at --judge-url.
    Judge,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 6] = [Self::Math, Self::Code, Self::Format, Self::Language, Self::Logic, Self::Judge];

    /// The kind's name on the command line and in addresses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Math => "math",
            Self::Code => "code",
            Self::Format => "format",
            Self::Language => "language",
            Self::Logic => "logic",
            Self::Judge => "judge",
        }
    }
}

#[derive(Deserialize)]
struct MathLine {
    gold: String,
    pred: String,
}

#[derive(Deserialize)]
struct FormatLine {
    completion: String,
    form: String,
}

#[derive(Deserialize)]
struct LanguageLine {
    text: String,
    target: Option<Language>,
}

#[derive(Deserialize)]
struct LogicLine {
    gold: Gold,
    pred: String,
}

#[derive(Deserialize)]
struct JudgeLine {
    question: String,
    gold: String,
    pred: String,
}

/// Grades lines of every kind. The sandbox starts with the first program.
#[derive(Debug)]
pub(crate) struct Grader {
    settings: SandboxSettings,
    sandbox: OnceLock<Sandbox>,
    starting: Mutex<()>,
    judge: Option<(Endpoint, Judge)>,
}

impl Grader {
    /// A grader whose programs run under these settings and that asks this judge.
    ///
    /// # Errors
    /// A judge's address or key that cannot be used.
    pub(crate) fn new(settings: SandboxSettings, judge: Option<JudgeConfig>) -> Result<Self> {
        let judge = judge.map(|JudgeConfig { endpoint, judge }| anyhow::Ok((Endpoint::open(endpoint)?, judge))).transpose()?;
        Ok(Self { settings, sandbox: OnceLock::new(), starting: Mutex::new(()), judge })
    }

    /// The sandbox, started if it was not.
    fn sandbox(&self) -> Result<&Sandbox> {
        let _guard = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.sandbox.get().is_none() {
            drop(self.sandbox.set(self.settings.start()?));
        }
        self.sandbox.get().context("the sandbox was just started")
    }

    /// Lines that can be graded at once.
    pub(crate) fn n_threads(&self, kind: Kind) -> usize {
        match kind {
            Kind::Code => self.settings.slots(),
            Kind::Judge => self.judge.as_ref().map_or(1, |(endpoint, _)| endpoint.concurrency()),
            Kind::Math | Kind::Format | Kind::Language | Kind::Logic => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Grades one line of JSON. The answer has the `id` of the line.
    ///
    /// # Errors
    /// Text that is no JSON object, a field that is missing or cannot be used, a sandbox that cannot start: then there is no verdict.
    pub(crate) fn grade(&self, kind: Kind, line: &str) -> Result<Value> {
        let mut answer = match kind {
            Kind::Math => grade_math(&read(line)?),
            Kind::Code => return self.grade_code(line),
            Kind::Format => grade_format(&read(line)?)?,
            Kind::Language => grade_language(&read(line)?),
            Kind::Logic => grade_logic(read(line)?)?,
            Kind::Judge => self.grade_by_judge(&read(line)?)?,
        };
        answer["id"] = id(line);
        Ok(answer)
    }

    /// Grades many lines at once, in order. A line that cannot be graded gives `{"id","error"}`.
    fn grade_all(&self, kind: Kind, lines: &[&str]) -> Vec<Value> {
        in_parallel(self.n_threads(kind), lines, |line| self.grade(kind, line).unwrap_or_else(|error| error_line(line, &error)))
    }

    /// A judge that is down leaves the line pending: that says nothing about the answer.
    fn grade_by_judge(&self, line: &JudgeLine) -> Result<Value> {
        let (endpoint, judge) = self.judge.as_ref().context("kind judge: expected --judge-url and --judge-model, found none")?;
        Ok(match judge_answer(endpoint, judge, &line.question, &line.gold, &line.pred) {
            Graded::Verdict(verdict) => verdict_line(&verdict),
            Graded::Pending(reason) => json!({ "pending": reason }),
        })
    }

    fn grade_code(&self, line: &str) -> Result<Value> {
        let CodeLine { id, program, task } = CodeLine::parse(line).map_err(|error| anyhow!("{error}"))?;
        let verdict = code::grade(self.sandbox()?, &task, &program)?;
        serde_json::to_value(CodeAnswer { id, verdict }).context("a verdict is JSON")
    }
}

/// What stands in the place of a line that could not be graded.
pub(crate) fn error_line(line: &str, error: &anyhow::Error) -> Value {
    json!({ "id": id(line), "error": format!("{error:#}") })
}

/// The line's id; null if it has none.
fn id(line: &str) -> Value {
    serde_json::from_str::<Value>(line).ok().and_then(|mut line| line.get_mut("id").map(Value::take)).unwrap_or_default()
}

fn read<T: DeserializeOwned>(line: &str) -> Result<T> {
    serde_json::from_str(line).map_err(|error| anyhow!("{error}"))
}

fn grade_math(line: &MathLine) -> Value {
    let started = Instant::now();
    let comparison = math::verify(&line.gold, &line.pred, &math::Options::default());
    let micros = started.elapsed().as_secs_f64() * 1e6;
    json!({ "verdict": comparison.verdict, "reason": comparison.reason, "micros": (micros * 1e3).round() / 1e3 })
}

fn grade_format(line: &FormatLine) -> Result<Value> {
    let form: FormatForm = line.form.parse()?;
    let verdict = form.grade(&line.completion, false);
    Ok(json!({ "ok": verdict.outcome == Outcome::Right, "reason": verdict.reason }))
}

fn grade_language(line: &LanguageLine) -> Value {
    // Without a target, the text's own main language: the share then says how pure it is.
    let target = line.target.or_else(|| language_of(&line.text)).unwrap_or(Language::En);
    let count = count_language(&line.text, target);
    json!({ "share": count.share(), "words": count.words, "target": target })
}

fn grade_logic(line: LogicLine) -> Result<Value> {
    let problem = Problem {
        id: ProblemId("line".to_owned()),
        kind: "logic".to_owned(),
        question: String::new(),
        gold: line.gold,
        language: Language::En,
        difficulty: None,
    };
    check_gold(&problem)?;
    Ok(verdict_line(&grade_accuracy(&problem, &line.pred)))
}

fn verdict_line(verdict: &Verdict) -> Value {
    json!({ "ok": verdict.outcome == Outcome::Right, "outcome": verdict.outcome, "reason": verdict.reason })
}
