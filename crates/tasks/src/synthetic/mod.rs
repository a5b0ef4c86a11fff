//! The built-in world: three kinds of problems with graded difficulty and six kinds of general requests, in two languages, and a
//! pretraining corpus about them.
//!
//! Everything is a pure function of its arguments. A problem belongs to the training or the held-out split by a hash of its content,
//! which is the same in every language, under every renaming of people and every order of the numbers; so no problem is ever in both
//! splits, whatever is sampled.

mod arithmetic;
pub mod corpus;
mod countdown;
mod examples;
mod general;
mod logic;
mod pieces;

use std::fmt;

use rand_chacha::ChaCha8Rng;
use ruminate_core::{Gold, Language, Problem, ProblemId, Seed};
use serde::{Deserialize, Serialize};

pub use examples::{few_shot_prompt, general_example, instruction, long_example, summary};
pub use pieces::{n_pieces, pieces};

use crate::TaskError;

/// One in this many contents of problems is held out, and of general requests, which have few contents.
const HELD_OUT_EVERY: u64 = 10;
const HELD_OUT_EVERY_GENERAL: u64 = 5;

/// A language of the built-in world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyntheticLanguage {
    /// English.
    En,
    /// Chinese.
    Zh,
}

impl SyntheticLanguage {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// The language's name in problem ids and recipes.
    pub fn as_str(self) -> &'static str {
        Language::from(self).as_str()
    }

    /// The one that it is not.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::En => Self::Zh,
            Self::Zh => Self::En,
        }
    }
}

impl From<SyntheticLanguage> for Language {
    fn from(language: SyntheticLanguage) -> Self {
        match language {
            SyntheticLanguage::En => Self::En,
            SyntheticLanguage::Zh => Self::Zh,
        }
    }
}

/// A kind of synthetic problem: three with a checkable answer, and six of general requests, whose gold is [`Gold::Open`].
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
    /// Hello. 28 contents; no reasoning is wanted.
    Greeting,
    /// Who the model is. 27 contents; no reasoning is wanted.
    Identity,
    /// One of 40 facts, asked for in 3 ways. A way of asking is held out, not the fact.
    Fact,
    /// An adjective and a noun into the other language: 160 contents; reasoning word by word is wanted.
    Translation,
    /// A sentence about an adjective and a noun: 160 contents; reasoning is wanted.
    Writing,
    /// How to do harm: 30 contents, asked for in 3 ways; to be refused.
    Harmful,
}

impl SyntheticKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Arithmetic,
        Self::Countdown,
        Self::Logic,
        Self::Greeting,
        Self::Identity,
        Self::Fact,
        Self::Translation,
        Self::Writing,
        Self::Harmful,
    ];

    /// The kinds with a checkable answer.
    pub const REASONING: [Self; 3] = [Self::Arithmetic, Self::Countdown, Self::Logic];

    /// The kinds of general requests.
    pub const GENERAL: [Self; 6] = [Self::Greeting, Self::Identity, Self::Fact, Self::Translation, Self::Writing, Self::Harmful];

    /// The kind's name in problem ids and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arithmetic => "arithmetic",
            Self::Countdown => "countdown",
            Self::Logic => "logic",
            Self::Greeting => "greeting",
            Self::Identity => "identity",
            Self::Fact => "fact",
            Self::Translation => "translation",
            Self::Writing => "writing",
            Self::Harmful => "harmful",
        }
    }

    /// Whether its problems are general requests, which have no single right answer.
    pub fn is_general(self) -> bool {
        Self::GENERAL.contains(&self)
    }

    /// The hardest difficulty; the easiest is 1. General requests have one difficulty.
    pub fn max_difficulty(self) -> u32 {
        match self {
            Self::Arithmetic => 6,
            Self::Countdown | Self::Logic => 4,
            _ => 1,
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
/// [`TaskError::Difficulty`] if the kind has no such difficulty.
pub fn generate(
    kind: SyntheticKind,
    difficulty: u32,
    language: SyntheticLanguage,
    split: Split,
    index: u64,
    seed: Seed,
) -> Result<Problem, TaskError> {
    if !(1..=kind.max_difficulty()).contains(&difficulty) {
        return Err(TaskError::Difficulty { kind: kind.as_str(), max: kind.max_difficulty(), found: difficulty });
    }
    let id = format!("{kind}/{difficulty}/{}/{}/{index}", split.as_str(), language.as_str());
    let mut rng = seed.with(&id).rng();
    let content = Content::sample(kind, difficulty, split, &mut rng);
    Ok(content.problem(ProblemId(id), difficulty, language))
}

/// The prompt of the template `tiny`: the question between the fewest marks that tell a base model who speaks.
pub fn tiny_prompt(question: &str) -> String {
    format!("User: {question}\nAssistant:")
}

/// A problem before it is written in a language.
#[derive(Clone, Debug)]
enum Content {
    Arithmetic(arithmetic::Chain),
    Countdown(countdown::Puzzle),
    Logic(logic::Puzzle),
    General(general::Request),
}

impl Content {
    /// Samples until the content falls into the wanted split: about 1.1 tries for training, 10 for held-out.
    fn sample(kind: SyntheticKind, difficulty: u32, split: Split, rng: &mut ChaCha8Rng) -> Self {
        loop {
            let content = match kind {
                SyntheticKind::Arithmetic => Self::Arithmetic(arithmetic::Chain::sample(difficulty, rng)),
                SyntheticKind::Countdown => Self::Countdown(countdown::Puzzle::sample(difficulty, rng)),
                SyntheticKind::Logic => Self::Logic(logic::Puzzle::sample(difficulty, rng)),
                SyntheticKind::Greeting
                | SyntheticKind::Identity
                | SyntheticKind::Fact
                | SyntheticKind::Translation
                | SyntheticKind::Writing
                | SyntheticKind::Harmful => Self::General(general::Request::sample(kind, rng)),
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
            Self::General(request) => request.canonical(),
        }
    }

    fn split(&self) -> Split {
        // The root is a constant of the world: every run, whatever its seed, holds out the same problems.
        let hash = Seed::new(0).with("split").with(&self.canonical()).value();
        let every = if matches!(self, Self::General(_)) { HELD_OUT_EVERY_GENERAL } else { HELD_OUT_EVERY };
        if hash.is_multiple_of(every) { Split::HeldOut } else { Split::Train }
    }

    fn problem(&self, id: ProblemId, difficulty: u32, language: SyntheticLanguage) -> Problem {
        let (kind, question, gold) = match self {
            Self::Arithmetic(chain) => {
                (SyntheticKind::Arithmetic, chain.question(language), Gold::Value { text: chain.value().to_string() })
            }
            Self::Countdown(puzzle) => (SyntheticKind::Countdown, puzzle.question(language), puzzle.gold()),
            Self::Logic(puzzle) => (SyntheticKind::Logic, puzzle.question(language), puzzle.gold()),
            Self::General(request) => (request.kind(), request.question(language), request.gold(language)),
        };
        Problem { id, kind: kind.as_str().to_owned(), question, gold, language: language.into(), difficulty: Some(difficulty) }
    }
}

#[cfg(test)]
mod tests;
