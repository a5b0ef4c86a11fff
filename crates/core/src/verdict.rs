//! What graders say.

use serde::{Deserialize, Serialize};

/// How grading ended. Anything but [`Outcome::Right`] earns nothing or less, but for different reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The rule holds.
    Right,
    /// An answer was found and the rule does not hold.
    Wrong,
    /// No answer could be read from the completion.
    Unparsed,
    /// The reference answer itself cannot be read: a defect of the data, not of the policy.
    BadGold,
    /// Grading hit its work limit.
    TimedOut,
}

/// A scalar with its cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The scalar that the reward mix weighs: in [0, 1], but that of lengths and repetition may be below 0.
    pub reward: f32,
    /// How grading ended.
    pub outcome: Outcome,
    /// One line for people: what was expected, what was found.
    pub reason: String,
}

impl Verdict {
    /// The rule holds: reward 1.
    pub fn right(reason: impl Into<String>) -> Self {
        Self { reward: 1.0, outcome: Outcome::Right, reason: reason.into() }
    }

    /// No reward, with the outcome that says why.
    pub fn none(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { reward: 0.0, outcome, reason: reason.into() }
    }
}
