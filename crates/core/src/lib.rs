//! The vocabulary that every crate of Ruminate shares: problems, completions, verdicts, rollouts, seeds.
//!
//! Plain data without I/O, clock or global state. The way of the data through the program:
//! [`Problem`] → prompt tokens → [`Completion`] → [`Verdict`]s → [`Rollout`] → [`RolloutGroup`].

mod code;
mod completion;
mod example;
mod language;
mod open;
mod overlong;
mod problem;
mod puzzle;
mod rollout;
mod seed;
mod verdict;

pub use code::{Checker, CodeLimits, CodeReward, CodeTask, CodeTest, Compare};
pub use completion::{Completion, FinishReason, PolicyVersion, TokenId};
pub use example::Example;
pub use language::{Language, UnknownLanguage};
pub use open::{OpenTask, Reasoning};
pub use overlong::SoftOverlong;
pub use problem::{Gold, Message, Problem, ProblemId, Role};
pub use puzzle::{SatPuzzle, Statement, SudokuPuzzle, Uses, ZebraClue, ZebraPuzzle};
pub use rollout::{Rollout, RolloutGroup};
pub use seed::Seed;
pub use verdict::{Outcome, Verdict};
