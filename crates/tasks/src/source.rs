//! Problems from files in the forms in which sets are published.

mod code;
mod knights;
mod puzzles;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use ruminate_core::{Gold, Language, Problem, ProblemId, Uses};
use ruminate_rewards::check_gold;
use ruminate_rewards::math::extract::{Extraction, Place, Several, candidates};
use ruminate_rewards::math::is_number;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{TaskError, read_rows};

/// What one row of a problem file looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case", deny_unknown_fields)]
pub enum ProblemForm {
    /// The serde form of [`Problem`].
    Ruminate,
    /// GSM8K: `question`, and `answer` that ends in `#### N` with a number N.
    Gsm8k,
    /// MATH and its descendants: `problem` or `prompt`, and `answer`, or else `solution` with the answer in `\boxed{}`.
    Math,
    /// Countdown: `nums` and `target`, with the sentence in `prompt` or `question` if there is one.
    Countdown,
    /// Knights and knaves: `prompt` or `quiz`, `names`, and `solution` with one truth value per name. Statements that are worded as in
    /// Logic-RL are read from the text, and the solution must be the only one that fits them.
    Knights,
    /// HumanEval: `prompt` with the head of a function, `test` with a function `check`, and `entry_point`.
    HumanEval,
    /// MBPP: `text` or `prompt`, and assertions in `test_list` or `tests`.
    Mbpp,
    /// LiveCodeBench: `question_content`, `starter_code`, `public_test_cases`, `private_test_cases` and `metadata`.
    LiveCodeBench,
    /// ZebraLogic in grid mode: `puzzle`, and `solution` with `header` and `rows`.
    Zebra,
    /// Satisfiability: `cnf` with the text of a DIMACS file, or `clauses` with lists of literals, or `formula`; `satisfiable` if known.
    Sat,
    /// Sudoku: `puzzle`, `quizzes` or `givens` with 16 or 81 characters row by row, `0` or `.` for empty cells, or with lists of rows.
    Sudoku,
    /// Any other: the names of the fields to read.
    Fields {
        /// Field of the question.
        question: String,
        /// Field of the gold answer.
        answer: String,
        /// Field of the id; without it the line number is the id.
        id: Option<String>,
    },
}

impl ProblemForm {
    /// Recognises the form by the fields of one line; `None` if no form fits.
    pub fn detect(fields: &Map<String, Value>) -> Option<Self> {
        let has = |field: &str| fields.contains_key(field);
        let prompted = has("prompt") || has("problem");
        if has("question") && has("gold") && has("kind") {
            Some(Self::Ruminate)
        } else if has("test") && has("entry_point") {
            Some(Self::HumanEval)
        } else if has("test_list") || (prompted && fields.get("tests").is_some_and(Value::is_array)) {
            Some(Self::Mbpp)
        } else if has("question_content") && has("public_test_cases") {
            Some(Self::LiveCodeBench)
        } else if has("nums") && has("target") {
            Some(Self::Countdown)
        } else if fields.get("solution").is_some_and(|solution| solution.get("header").is_some()) {
            Some(Self::Zebra)
        } else if has("cnf") || has("clauses") || has("formula") {
            Some(Self::Sat)
        } else if puzzles::SUDOKU_FIELDS.iter().any(|field| fields.get(*field).is_some_and(puzzles::is_sudoku)) {
            Some(Self::Sudoku)
        } else if has("names") && fields.get("solution").is_some_and(Value::is_array) {
            Some(Self::Knights)
        } else if has("question") && fields.get("answer").and_then(Value::as_str).is_some_and(|answer| answer.contains("####")) {
            Some(Self::Gsm8k)
        } else if prompted && (has("answer") || has("solution")) {
            Some(Self::Math)
        } else {
            None
        }
    }
}

/// Reads the problems of a file with a JSON object on each line, or of a Parquet file: see [`read_rows`].
///
/// `form`: `None` detects it from the first row. `kind` and `language` are given to every problem whose form holds none. An `id` field
/// becomes `kind/id`; without one the row's number, from 1, stands for it.
///
/// # Errors
/// An unreadable or empty file, a line that is no object, a missing field, two problems with one id, or a gold answer that cannot be
/// used; each with file and line.
pub fn load_problems(path: &Path, form: Option<&ProblemForm>, kind: &str, language: Language) -> Result<Vec<Problem>, TaskError> {
    let mut form = form.cloned();
    let mut problems = Vec::new();
    let mut lines_by_id = HashMap::new();
    for row in read_rows(path)? {
        let (line, fields) = row?;
        let row = Row { path, line, fields, kind, language };
        let form = match &form {
            Some(form) => form,
            None => form.insert(row.detect()?),
        };
        let problem = row.problem(form)?;
        check_gold(&problem).map_err(|source| TaskError::Gold { path: path.to_owned(), line, source: source.into() })?;
        if let Some(first) = lines_by_id.insert(problem.id.clone(), line) {
            return Err(TaskError::DuplicateId { path: path.to_owned(), line, id: problem.id.0, first });
        }
        problems.push(problem);
    }
    if problems.is_empty() {
        return Err(TaskError::Empty { path: path.to_owned() });
    }
    Ok(problems)
}

/// One line with its place.
struct Row<'a> {
    path: &'a Path,
    line: usize,
    fields: Map<String, Value>,
    kind: &'a str,
    language: Language,
}

impl Row<'_> {
    fn detect(&self) -> Result<ProblemForm, TaskError> {
        ProblemForm::detect(&self.fields).ok_or_else(|| TaskError::UnknownForm {
            path: self.path.to_owned(),
            line: self.line,
            found: self.fields.keys().cloned().collect(),
        })
    }

    fn problem(self, form: &ProblemForm) -> Result<Problem, TaskError> {
        match form {
            ProblemForm::Ruminate => {
                let (path, line) = (self.path.to_owned(), self.line);
                serde_json::from_value(Value::Object(self.fields)).map_err(|source| TaskError::Json { path, line, source })
            }
            ProblemForm::Gsm8k => {
                let solution = self.text("answer")?;
                let answer = solution.rsplit_once("####").map(|(_, answer)| answer.trim());
                match answer.filter(|answer| is_number(answer)) {
                    Some(answer) => self.build(self.text("question")?, value(answer), Some("id")),
                    None => Err(self.field_error("answer", "text that ends in '#### N' with a number N")),
                }
            }
            ProblemForm::Math => {
                let question = self.text(self.first_of(&["problem", "prompt", "question"]))?;
                let gold =
                    if self.fields.contains_key("answer") { value(&self.scalar("answer")?) } else { value(&self.boxed("solution")?) };
                self.build(question, gold, Some(self.first_of(&["id", "unique_id"])))
            }
            ProblemForm::Countdown => {
                let (numbers, target) = (self.integers("nums")?, self.integer("target")?);
                let question = match self.first_of(&["prompt", "question"]) {
                    field if self.fields.contains_key(field) => self.text(field)?.to_owned(),
                    _ => countdown_question(&numbers, target, self.language),
                };
                self.build(&question, Gold::Countdown { numbers, target, uses: Uses::ExactlyOnce }, Some("id"))
            }
            ProblemForm::Knights => {
                let question = self.text(self.first_of(&["prompt", "quiz", "question"]))?;
                let roles = self.roles()?;
                let statements = knights::statements(question, &roles).unwrap_or_default();
                self.build(question, Gold::Knights { roles, statements }, Some("id"))
            }
            ProblemForm::HumanEval => self.human_eval(),
            ProblemForm::Mbpp => self.mbpp(),
            ProblemForm::LiveCodeBench => self.live_code_bench(),
            ProblemForm::Zebra => self.build(self.text("puzzle")?, Gold::Zebra(self.zebra()?), Some("id")),
            ProblemForm::Sat => self.sat(),
            ProblemForm::Sudoku => self.sudoku(),
            ProblemForm::Fields { question, answer, id } => {
                if let Some(id) = id {
                    self.scalar(id)?;
                }
                self.build(self.text(question)?, value(&self.scalar(answer)?), id.as_deref())
            }
        }
    }

    fn build(&self, question: &str, gold: Gold, id_field: Option<&str>) -> Result<Problem, TaskError> {
        let name = match id_field {
            Some(field) if self.fields.contains_key(field) => self.scalar(field)?,
            _ => self.line.to_string(),
        };
        Ok(Problem {
            id: ProblemId(format!("{}/{name}", self.kind)),
            kind: self.kind.to_owned(),
            question: question.to_owned(),
            gold,
            language: self.language,
            difficulty: self.fields.get("level").and_then(level),
        })
    }

    /// The first of these fields that the line has; the first one if it has none, so that an error names it.
    fn first_of(&self, fields: &[&'static str]) -> &'static str {
        fields.iter().copied().find(|field| self.fields.contains_key(*field)).unwrap_or(fields[0])
    }

    fn text(&self, field: &str) -> Result<&str, TaskError> {
        let text = self.fields.get(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| self.field_error(field, "text"))
    }

    /// Text or a number, as text.
    fn scalar(&self, field: &str) -> Result<String, TaskError> {
        match self.fields.get(field) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(self.field_error(field, "text or a number")),
        }
    }

    fn boxed(&self, field: &str) -> Result<String, TaskError> {
        let boxed = Extraction { order: vec![Place::Boxed], several: Several::Last };
        let found = candidates(self.text(field)?, &boxed).pop();
        found.map(|found| found.text.to_owned()).ok_or_else(|| self.field_error(field, "text with the answer in \\boxed{}"))
    }

    fn integer(&self, field: &str) -> Result<i64, TaskError> {
        self.fields.get(field).and_then(Value::as_i64).ok_or_else(|| self.field_error(field, "an integer"))
    }

    fn integers(&self, field: &str) -> Result<Vec<i64>, TaskError> {
        let list = self.fields.get(field).and_then(Value::as_array);
        let numbers = list.and_then(|list| list.iter().map(Value::as_i64).collect::<Option<Vec<_>>>());
        numbers.filter(|numbers| !numbers.is_empty()).ok_or_else(|| self.field_error(field, "a list of integers"))
    }

    fn roles(&self) -> Result<BTreeMap<String, bool>, TaskError> {
        let list = |field| self.fields.get(field).and_then(Value::as_array);
        let names = list("names").and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        let names = names.ok_or_else(|| self.field_error("names", "a list of names"))?;
        let roles = list("solution").and_then(|list| list.iter().map(Value::as_bool).collect::<Option<Vec<_>>>());
        let roles = roles.filter(|roles| roles.len() == names.len());
        let roles = roles.ok_or_else(|| self.field_error("solution", "one truth value per name"))?;
        Ok(names.into_iter().map(str::to_owned).zip(roles).collect())
    }

    fn field_error(&self, field: &str, expected: &'static str) -> TaskError {
        let found = self.fields.get(field).map_or_else(|| "no such field".to_owned(), |value| shorten(&value.to_string()));
        TaskError::Field { path: self.path.to_owned(), line: self.line, field: field.to_owned(), expected, found }
    }
}

fn value(text: &str) -> Gold {
    Gold::Value { text: text.trim().to_owned() }
}

/// MATH writes levels as 5, 5.0 or "Level 5".
fn level(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => {
            number.as_f64().filter(|level| level.fract() == 0.0 && (1.0..100.0).contains(level)).map(|level| level as u32)
        }
        Value::String(text) => text.trim_start_matches("Level ").parse().ok(),
        _ => None,
    }
}

fn countdown_question(numbers: &[i64], target: i64, language: Language) -> String {
    match language {
        Language::Zh => format!("用 {numbers:?} 中的每个数恰好一次，通过加减乘除得到 {target}。"),
        _ => format!("Write an expression that equals {target}, with + - * / and each of the numbers {numbers:?} exactly once."),
    }
}

fn shorten(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { short + "…" } else { short }
}

#[cfg(test)]
mod tests;
