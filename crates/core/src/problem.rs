//! Questions with checkable answers, and the messages that carry them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CodeTask, Language, OpenTask, SatPuzzle, Statement, SudokuPuzzle, Uses, ZebraPuzzle};

/// Stable name of a problem, unique within its source, such as `gsm8k/train/17` or `arithmetic/5/held-out/3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProblemId(pub String);

impl fmt::Display for ProblemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a right answer is. Each variant has its own rule-based grader in `rewards`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Gold {
    /// One value, as text: an integer, decimal, fraction or LaTeX expression.
    Value {
        /// The value as the source writes it.
        text: String,
    },
    /// An arithmetic expression over given numbers that equals the target.
    Countdown {
        /// The numbers to use.
        numbers: Vec<i64>,
        /// The value to reach.
        target: i64,
        /// How often each number must be used.
        #[serde(default, skip_serializing_if = "Uses::is_default")]
        uses: Uses,
    },
    /// Who is a knight, who tells the truth, and who is a knave, who lies. At least one of the two fields is given.
    Knights {
        /// Role by name: `true` is a knight. Where there are statements too, the only roles that fit them.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        roles: BTreeMap<String, bool>,
        /// Who says what. Any roles are right that make exactly the statements of knights true.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        statements: Vec<Statement>,
    },
    /// A full assignment of values to houses that breaks no clue.
    Zebra(ZebraPuzzle),
    /// An assignment that makes a formula true, or the word that there is none.
    Sat(SatPuzzle),
    /// A full grid that keeps the givens and breaks no rule.
    Sudoku(SudokuPuzzle),
    /// An answer that means what the reference says, as judged by a language model: no rule can tell.
    Judged {
        /// The right answer.
        reference: String,
    },
    /// A request of a general kind, with no single right answer: `accuracy` is what a rule can check.
    Open(OpenTask),
    /// A program that passes tests. It is graded by `rewards::code`, which needs a sandbox.
    Code(Box<CodeTask>),
}

/// A question whose answer a rule can check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable name, used as a randomness key and in every record of the run.
    pub id: ProblemId,
    /// Family for reports and mixing, such as `arithmetic`, `countdown`, `logic`, `gsm8k`.
    pub kind: String,
    /// The question as the user would write it, without any template.
    pub question: String,
    /// The right answer.
    pub gold: Gold,
    /// Language of the question.
    pub language: Language,
    /// Graded difficulty within its kind, 1 is easiest; `None` if the source has none.
    pub difficulty: Option<u32>,
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that hold for the whole conversation.
    System,
    /// The person.
    User,
    /// The policy.
    Assistant,
}

impl Role {
    /// The role's name in chat templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}
