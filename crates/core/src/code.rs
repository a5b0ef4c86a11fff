//! Programming problems: what a program must do, as tests. The grader that runs them is in `rewards`.

use serde::{Deserialize, Serialize};

/// A programming problem's gold: the language and the tests that a program must pass.
///
/// The serde form is that of one line of `ruminate grade` for code, without `id` and `program`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeTask {
    /// Language that the program is to be written in, as the sandbox names it: `python`, `cpp`, `javascript` and so on.
    pub language: String,
    /// What the program must do. At least one test.
    pub tests: Vec<CodeTest>,
    /// Text that stands before the program in its own process: imports that a judge gives, or the head of the function that the program completes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Trusted text that runs before the text of each [`CodeTest::Assert`]. What it defines wins over the program's names, except `entry_point`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// The function that the tests are about. It is the program's, even if `setup` has one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<String>,
    /// Head of the entry point up to its opening brace, for [`CodeTest::Assert`] in compiled languages: the test is compiled against it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declaration: Option<String>,
    /// How the output of [`CodeTest::Output`] is compared.
    #[serde(default)]
    pub compare: Compare,
    /// Largest difference of two floating-point numbers, absolute or relative to the expected one, whichever is larger. `None`: 1e-6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// A program that judges the output in place of `compare`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checker: Option<Checker>,
    /// What each test may take.
    #[serde(default)]
    pub limits: CodeLimits,
    /// What the reward is made of; also whether grading goes on after a failed test.
    #[serde(default)]
    pub reward: CodeReward,
}

/// One test of a program.
///
/// In JSON the fields tell the form: `stdin` and `stdout`, or `call`, `args` and `expect`, or `assert`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "TestFields")]
pub enum CodeTest {
    /// The program reads `stdin` and writes `stdout`.
    Output {
        /// What the program reads.
        stdin: String,
        /// What it must write.
        stdout: String,
    },
    /// A function of the program is called.
    Call {
        /// Name of the function, or of a method of the program's class `Solution`.
        call: String,
        /// Arguments in order. An integer beyond 64 bits is written `{"$int": "digits"}`.
        args: Vec<serde_json::Value>,
        /// The value that it must return, written as the arguments are.
        expect: serde_json::Value,
    },
    /// Text in the program's language that runs to its end only if the program is right.
    Assert {
        /// The text. It uses the program's names.
        assert: String,
    },
}

/// All fields of all forms. Serde's untagged enums would overlook a misspelt field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestFields {
    stdin: Option<String>,
    stdout: Option<String>,
    call: Option<String>,
    args: Option<Vec<serde_json::Value>>,
    #[serde(default, deserialize_with = "present")]
    expect: Option<serde_json::Value>,
    assert: Option<String>,
}

/// `null` is a value that can be expected, and not the lack of one.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

impl TryFrom<TestFields> for CodeTest {
    type Error = &'static str;

    fn try_from(fields: TestFields) -> Result<Self, Self::Error> {
        match fields {
            TestFields { stdin, stdout: Some(stdout), call: None, args: None, expect: None, assert: None } => {
                Ok(Self::Output { stdin: stdin.unwrap_or_default(), stdout })
            }
            TestFields { stdin: None, stdout: None, call: Some(call), args: Some(args), expect: Some(expect), assert: None } => {
                Ok(Self::Call { call, args, expect })
            }
            TestFields { stdin: None, stdout: None, call: None, args: None, expect: None, assert: Some(assert) } => {
                Ok(Self::Assert { assert })
            }
            _ => Err("expected a test with `stdin` and `stdout`, with `call`, `args` and `expect`, or with `assert`"),
        }
    }
}

/// How two outputs are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// Line by line, without white space at the ends of lines and empty lines at the end.
    #[default]
    Lines,
    /// Byte for byte.
    Exact,
    /// As words separated by white space.
    Tokens,
    /// As words; two that are both numbers may differ by the tolerance.
    Float,
}

/// A trusted program that judges outputs: it is given the names of three files (input, output of the program, expected output) and ends with exit
/// code 0 for a right output and 1 or 2 for a wrong one. What it writes becomes the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checker {
    /// Language of the program.
    pub language: String,
    /// Its text.
    pub program: String,
}

/// What one test may take. `None` is the sandbox's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodeLimits {
    /// Time of one test, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Memory of the program, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mebibytes: Option<u64>,
    /// Time of all [`CodeTest::Output`] tests together, in seconds; `None`: no limit but that of each test. Calls and assertions share one
    /// process and have the limit of each test only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_seconds: Option<f64>,
}

/// What a program earns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeReward {
    /// 1 if it passes all tests, else 0. Grading ends at the first failure.
    #[default]
    AllPassed,
    /// The share of tests that it passes.
    Fraction,
}
