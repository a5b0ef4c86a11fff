//! Rule-based rewards: accuracy, format, language consistency, length and repetition, each with a reason.
//!
//! Every grader is total: any text of any length gives a [`Verdict`](ruminate_core::Verdict) after bounded work. A reference answer that cannot be
//! read is found by [`check_gold`] before training and is [`Outcome::BadGold`](ruminate_core::Outcome::BadGold) if it gets as far as a grader.
//!
//! R1-Zero's reward is accuracy plus format with equal weight; the first RL stage of R1 adds language consistency, the share of
//! target-language words in the chain of thought (DeepSeek-R1, section 2).

mod accuracy;
pub mod alarm;
pub mod code;
mod format;
mod gold;
pub mod judge;
mod language;
mod length;
mod logic;
pub mod math;
mod mix;
mod open;
mod rational;
mod reflection;
mod repetition;

pub use accuracy::grade_accuracy;
pub use format::{FormatForm, SPECIAL_TOKEN, UnknownForm, behind_reasoning, grade_format, grade_special_token};
pub use gold::{GoldError, check_gold};
pub use language::{LanguageCount, chain_of_thought, count_language, grade_language, language_of, language_share};
pub use length::{CosineLength, grade_group_lengths, grade_overlong};
pub use logic::reachable;
pub use mix::{
    Component, GradeError, Graded, RepetitionOptions, Resources, RewardMix, RewardOptions, Submission, Weights, add_score, grade,
    grade_group,
};
pub use reflection::{N_REFLECTION_WORDS, REFLECTION_WORDS, reflection_word_counts, reflection_words};
pub use repetition::{PositivePenalty, Repetition, WordSplit};
