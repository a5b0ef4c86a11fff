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

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use ruminate_core::{Gold, Language, Outcome, Problem, ProblemId, Verdict};
use ruminate_rewards::code::{self, CodeLine};
use ruminate_rewards::judge::{Graded, Judge};
use ruminate_rewards::{FormatForm, check_gold, count_language, grade_accuracy, language_of, math};
use ruminate_sandbox::Sandbox;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::endpoint::{Endpoint, Question, judge_all};
use crate::graders::JudgeConfig;
use crate::parallel::{in_parallel, n_cores};
use crate::sandbox::SandboxSettings;

/// What is graded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Is the answer to a maths question equal to the reference? With "worked_out": true in a line a number must be met by a number
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
    #[serde(default)]
    worked_out: bool,
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

impl JudgeLine {
    fn question(&self) -> Question<'_> {
        Question { question: &self.question, ground_truth: &self.gold, prediction: &self.pred }
    }
}

/// What is said about a line.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    /// The line's id, digit by digit as it was written: it may be a number that no other type here holds.
    id: Option<Box<RawValue>>,
    #[serde(flatten)]
    fields: Value,
}

impl Answer {
    /// Whether the judge gave no verdict yet.
    pub(crate) fn is_pending(&self) -> bool {
        self.fields.get("pending").is_some()
    }
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

    /// Grades lines of JSON, many at once; the answers come in the order of the lines, each with the `id` of its line.
    ///
    /// # Errors
    /// By line: text that is no JSON object, a field that is missing or cannot be used, a sandbox that cannot start. Then there is no
    /// verdict.
    pub(crate) fn grade(&self, kind: Kind, lines: &[&str]) -> Vec<Result<Answer>> {
        let n_cores = n_cores();
        let answers = match kind {
            Kind::Math => in_parallel(n_cores, lines, |line| Ok(grade_math(&read(line)?))),
            Kind::Code => in_parallel(self.settings.slots(), lines, |line| self.grade_code(line)),
            Kind::Format => in_parallel(n_cores, lines, |line| grade_format(&read(line)?)),
            Kind::Language => in_parallel(n_cores, lines, |line| Ok(grade_language(&read(line)?))),
            Kind::Logic => in_parallel(n_cores, lines, |line| grade_logic(read(line)?)),
            Kind::Judge => self.grade_by_judge(lines),
        };
        answers.into_iter().zip(lines).map(|(fields, line)| Ok(Answer { id: id(line), fields: fields? })).collect()
    }

    /// A judge that is down leaves lines pending: that says nothing about their answers.
    fn grade_by_judge(&self, lines: &[&str]) -> Vec<Result<Value>> {
        let lines: Vec<Result<JudgeLine>> = lines.iter().map(|line| read(line)).collect();
        let Some((endpoint, judge)) = &self.judge else {
            return lines.iter().map(|_| bail!("kind judge: expected --judge-url and --judge-model, found none")).collect();
        };
        let questions: Vec<Question<'_>> = lines.iter().flatten().map(JudgeLine::question).collect();
        let mut graded = judge_all(endpoint, judge, &questions, endpoint.concurrency()).into_iter();
        let mut answer = |line: &Result<JudgeLine>| match line {
            Err(error) => bail!("{error:#}"),
            Ok(_) => match graded.next().context("one answer for each question")? {
                Graded::Verdict(verdict) => Ok(verdict_line(&verdict)),
                Graded::Pending(reason) => Ok(json!({ "pending": reason })),
            },
        };
        lines.iter().map(&mut answer).collect()
    }

    fn grade_code(&self, line: &str) -> Result<Value> {
        let CodeLine { program, task, .. } = CodeLine::parse(line).map_err(|error| anyhow!("{error}"))?;
        let verdict = code::grade(self.sandbox()?, &task, &program)?;
        serde_json::to_value(verdict).context("a verdict is JSON")
    }
}

/// What stands in the place of a line that could not be graded.
pub(crate) fn error_line(line: &str, error: &anyhow::Error) -> Answer {
    Answer { id: id(line), fields: json!({ "error": format!("{error:#}") }) }
}

/// The line's id, if it has one.
fn id(line: &str) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
    }
    serde_json::from_str::<Line<'_>>(line).ok()?.id.map(ToOwned::to_owned)
}

fn read<T: DeserializeOwned>(line: &str) -> Result<T> {
    serde_json::from_str(line).map_err(|error| anyhow!("{error}"))
}

fn grade_math(line: &MathLine) -> Value {
    let started = Instant::now();
    let options = math::Options { worked_out: line.worked_out, ..math::Options::default() };
    let comparison = math::verify(&line.gold, &line.pred, &options);
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
    // In double precision: 4 of 9 words are not 0.44444448.
    let share = (count.words > 0).then(|| count.target as f64 / count.words as f64);
    json!({ "share": share, "words": count.words, "target": target })
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
