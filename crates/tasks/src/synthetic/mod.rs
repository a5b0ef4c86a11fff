//! The built-in world: three kinds of problems with graded difficulty in two languages, and a pretraining corpus about them.
//!
//! Everything is a pure function of its arguments. A problem belongs to the training or the held-out split by a hash of its content,
//! which is the same in every language, under every renaming of people and every order of the numbers; so no problem is ever in both
//! splits, whatever is sampled.

mod arithmetic;
pub mod corpus;
mod countdown;
mod logic;
mod pieces;

use std::fmt;

use rand_chacha::ChaCha8Rng;
use ruminate_core::{Gold, Language, Problem, ProblemId, Seed};
use serde::{Deserialize, Serialize};

pub use pieces::pieces;

use crate::TaskError;

/// One in this many contents is held out.
const HELD_OUT_EVERY: u64 = 10;

/// A kind of synthetic problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyntheticKind {
    /// A chain of additions, subtractions and multiplications. Difficulty d has d + 1 operations.
    Arithmetic,
    /// Reach a target with each number once. Difficulties 1 and 2 have 3 numbers, 3 and 4 have 4; the even ones are larger.
    Countdown,
    /// Knights and knaves. Difficulty 1 has 2 people, 2 and 3 have 3 (3 with more "or" and "and"), 4 has 4.
    ///
    /// Up to renaming there are few puzzles of 2 people: about 33 in training and 5 held out.
    Logic,
}

impl SyntheticKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Arithmetic, Self::Countdown, Self::Logic];

    /// The kind's name in problem ids and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arithmetic => "arithmetic",
            Self::Countdown => "countdown",
            Self::Logic => "logic",
        }
    }

    /// The hardest difficulty; the easiest is 1.
    pub fn max_difficulty(self) -> u32 {
        match self {
            Self::Arithmetic => 6,
            Self::Countdown | Self::Logic => 4,
        }
    }
}

impl fmt::Display for SyntheticKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part of the world that a problem belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// For pretraining and RL.
    Train,
    /// For evaluation only.
    HeldOut,
}

impl Split {
    /// The split's name in problem ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::HeldOut => "held-out",
        }
    }
}

/// Problem number `index` of a kind, difficulty, language and split.
///
/// # Errors
/// [`TaskError::Difficulty`] if the kind has no such difficulty, [`TaskError::Language`] for other languages than English and Chinese.
pub fn generate(
    kind: SyntheticKind,
    difficulty: u32,
    language: Language,
    split: Split,
    index: u64,
    seed: Seed,
) -> Result<Problem, TaskError> {
    if !(1..=kind.max_difficulty()).contains(&difficulty) {
        return Err(TaskError::Difficulty { kind: kind.as_str(), max: kind.max_difficulty(), found: difficulty });
    }
    let tongue = Tongue::of(language)?;
    let id = format!("{kind}/{difficulty}/{}/{}/{index}", split.as_str(), tongue.as_str());
    let mut rng = seed.with(&id).rng();
    let content = Content::sample(kind, difficulty, split, &mut rng);
    Ok(content.problem(ProblemId(id), difficulty, tongue))
}

/// The prompt of the template `tiny`: the question between the fewest marks that tell a base model who speaks.
pub fn tiny_prompt(question: &str) -> String {
    format!("User: {question}\nAssistant:")
}

/// The languages that the world is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tongue {
    En,
    Zh,
}

impl Tongue {
    fn of(language: Language) -> Result<Self, TaskError> {
        match language {
            Language::En => Ok(Self::En),
            Language::Zh => Ok(Self::Zh),
            found => Err(TaskError::Language { found }),
        }
    }

    fn language(self) -> Language {
        match self {
            Self::En => Language::En,
            Self::Zh => Language::Zh,
        }
    }

    fn as_str(self) -> &'static str {
        self.language().as_str()
    }
}

/// A problem before it is written in a language.
#[derive(Clone, Debug)]
enum Content {
    Arithmetic(arithmetic::Chain),
    Countdown(countdown::Puzzle),
    Logic(logic::Puzzle),
}

impl Content {
    /// Samples until the content falls into the wanted split: about 1.1 tries for training, 10 for held-out.
    fn sample(kind: SyntheticKind, difficulty: u32, split: Split, rng: &mut ChaCha8Rng) -> Self {
        loop {
            let content = match kind {
                SyntheticKind::Arithmetic => Self::Arithmetic(arithmetic::Chain::sample(difficulty, rng)),
                SyntheticKind::Countdown => Self::Countdown(countdown::Puzzle::sample(difficulty, rng)),
                SyntheticKind::Logic => Self::Logic(logic::Puzzle::sample(difficulty, rng)),
            };
            if content.split() == split {
                return content;
            }
        }
    }

    /// What makes two problems the same, whatever their wording.
    fn canonical(&self) -> String {
        match self {
            Self::Arithmetic(chain) => chain.canonical(),
            Self::Countdown(puzzle) => puzzle.canonical(),
            Self::Logic(puzzle) => puzzle.canonical(),
        }
    }

    fn split(&self) -> Split {
        // The root is a constant of the world: every run, whatever its seed, holds out the same problems.
        let hash = Seed::new(0).with("split").with(&self.canonical()).value();
        if hash.is_multiple_of(HELD_OUT_EVERY) { Split::HeldOut } else { Split::Train }
    }

    fn problem(&self, id: ProblemId, difficulty: u32, tongue: Tongue) -> Problem {
        let (kind, question, gold) = match self {
            Self::Arithmetic(chain) => (SyntheticKind::Arithmetic, chain.question(tongue), Gold::Value { text: chain.value().to_string() }),
            Self::Countdown(puzzle) => (SyntheticKind::Countdown, puzzle.question(tongue), puzzle.gold()),
            Self::Logic(puzzle) => (SyntheticKind::Logic, puzzle.question(tongue), puzzle.gold()),
        };
        Problem { id, kind: kind.as_str().to_owned(), question, gold, language: tongue.language(), difficulty: Some(difficulty) }
    }
}

#[cfg(test)]
mod tests;
