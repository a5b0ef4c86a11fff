//! What the grader says, and the lines in which scripts ask and are answered.

use ruminate_core::{CodeReward, CodeTask, Outcome, Verdict};
use ruminate_sandbox::{MissingToolchain, SandboxError};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::keep_integers;

/// How a program fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeOutcome {
    /// All tests hold.
    Passed,
    /// It ended well and said something wrong.
    WrongAnswer,
    /// It is no program of its language.
    CompileError,
    /// It ended with an error, threw an exception, or lacks the function that is called.
    RuntimeError,
    /// It took too long.
    TimeLimit,
    /// It took too much memory.
    MemoryLimit,
    /// It wrote too much.
    OutputLimit,
    /// It did what only an attack does.
    Forbidden,
}

/// What became of one program. The outcome and reason are those of the first test that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeVerdict {
    /// How it fared.
    pub verdict: CodeOutcome,
    /// Tests that hold, among those that ran.
    pub passed: usize,
    /// Tests of the task.
    pub total: usize,
    /// One line for people: which test, what was expected, what was found.
    pub reason: String,
    /// Wall-clock time that its processes took, in milliseconds.
    pub millis: u64,
}

impl CodeVerdict {
    /// What the program earns, in [0, 1].
    pub fn reward(&self, reward: CodeReward) -> f32 {
        match reward {
            CodeReward::AllPassed => f32::from(u8::from(self.verdict == CodeOutcome::Passed)),
            CodeReward::Fraction => self.passed as f32 / self.total.max(1) as f32,
        }
    }

    /// The verdict in the form that all graders share.
    pub fn to_verdict(&self, reward: CodeReward) -> Verdict {
        let outcome = match self.verdict {
            CodeOutcome::Passed => Outcome::Right,
            CodeOutcome::TimeLimit => Outcome::TimedOut,
            _ => Outcome::Wrong,
        };
        Verdict { reward: self.reward(reward), outcome, reason: format!("{} of {} tests passed: {}", self.passed, self.total, self.reason) }
    }
}

/// Why there is no verdict. None of these is the program's fault.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The task cannot be graded as it is written.
    #[error("bad task: {0}")]
    BadTask(String),
    /// The language's compiler or interpreter is not there.
    #[error(transparent)]
    MissingToolchain(#[from] MissingToolchain),
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// One line of a script that asks for a verdict: a program and its task.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeLine {
    /// Given back with the verdict.
    pub id: Json,
    /// The program's text.
    pub program: String,
    /// What it must do.
    pub task: CodeTask,
}

impl CodeLine {
    /// Reads a line of JSON: the fields of [`CodeTask`], and `id` and `program`.
    ///
    /// Integers of any length keep their digits.
    ///
    /// # Errors
    /// What is not JSON, and fields that are missing or that no task has.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        use serde::de::Error as _;

        let mut fields: serde_json::Map<String, Json> = serde_json::from_str(&keep_integers(line))?;
        let id = fields.remove("id").ok_or_else(|| serde_json::Error::missing_field("id"))?;
        let program = fields.remove("program").ok_or_else(|| serde_json::Error::missing_field("program"))?;
        Ok(Self { id, program: serde_json::from_value(program)?, task: serde_json::from_value(Json::Object(fields))? })
    }
}

/// The answer to a [`CodeLine`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CodeAnswer {
    /// That of the line.
    pub id: Json,
    /// What became of the program.
    #[serde(flatten)]
    pub verdict: CodeVerdict,
}

#[cfg(test)]
mod tests {
    use ruminate_core::{CodeTest, Compare};
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_hold_all_forms_of_tests() {
        let line = r#"{"id":7,"language":"python","program":"p","tests":[{"stdin":"1","stdout":"2"},{"stdout":""},
            {"call":"f","args":[1,123456789012345678901],"expect":null},{"assert":"assert f(1)"}],
            "limits":{"seconds":2.5,"mebibytes":64},"compare":"float","tolerance":0.01,"reward":"fraction"}"#;
        let line = CodeLine::parse(line).unwrap();
        assert_eq!((line.id, line.program.as_str()), (json!(7), "p"));
        let task = line.task;
        let call = CodeTest::Call { call: "f".into(), args: vec![json!(1), json!({"$int": "123456789012345678901"})], expect: Json::Null };
        let output = |stdin: &str, stdout: &str| CodeTest::Output { stdin: stdin.into(), stdout: stdout.into() };
        assert_eq!(task.tests, [output("1", "2"), output("", ""), call, CodeTest::Assert { assert: "assert f(1)".into() }]);
        assert_eq!((task.compare, task.tolerance, task.reward), (Compare::Float, Some(0.01), CodeReward::Fraction));
        assert_eq!((task.limits.seconds, task.limits.mebibytes, task.limits.total_seconds), (Some(2.5), Some(64), None));
        let again: CodeTask = serde_json::from_str(&serde_json::to_string(&task).unwrap()).unwrap();
        assert_eq!(again, task);
    }

    #[test]
    fn misspelt_lines_are_errors() {
        for (line, message) in [
            (r#"{"language":"python","program":"p","tests":[]}"#, "missing field `id`"),
            (r#"{"id":1,"language":"python","tests":[]}"#, "missing field `program`"),
            (r#"{"id":1,"language":"python","program":"p","tests":[],"limit":{}}"#, "unknown field `limit`"),
            (r#"{"id":1,"language":"python","program":"p","tests":[],"limits":{"second":1}}"#, "unknown field `second`"),
            (r#"{"id":1,"language":"python","program":"p","tests":[{"stdni":"","stdout":""}]}"#, "unknown field `stdni`"),
            (r#"{"id":1,"language":"python","program":"p","tests":[{"stdin":""}]}"#, "expected a test with `stdin`"),
            (r#"{"id":1,"language":"python","program":"p","tests":[{"call":"f","args":[]}]}"#, "expected a test with `stdin`"),
            (
                r#"{"id":1,"language":"python","program":"p","tests":[{"call":"f","args":[],"expect":1,"stdout":""}]}"#,
                "expected a test with `stdin`",
            ),
        ] {
            let error = CodeLine::parse(line).unwrap_err().to_string();
            assert!(error.contains(message), "{line}: {error}");
        }
    }

    #[test]
    fn answers_are_flat() {
        let verdict = CodeVerdict { verdict: CodeOutcome::TimeLimit, passed: 1, total: 4, reason: "test 2".into(), millis: 12 };
        assert_eq!((verdict.reward(CodeReward::AllPassed), verdict.reward(CodeReward::Fraction)), (0.0, 0.25));
        let answer = CodeAnswer { id: json!("a"), verdict };
        let text = r#"{"id":"a","verdict":"time_limit","passed":1,"total":4,"reason":"test 2","millis":12}"#;
        assert_eq!(serde_json::to_string(&answer).unwrap(), text);
    }
}
