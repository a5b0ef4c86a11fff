//! How reasoning and answer are put together: as R1-Zero is asked to, as R1 does, and the ways in which a base model misses both.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Style, Words};
use crate::synthetic::{SyntheticLanguage, summary};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `<think>…</think><answer>…</answer>`.
    ThinkAnswer,
    /// `<think>…</think>` and a summary.
    Summary,
    Flawed(Flaw),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    Phrase,
    Bare,
    NoThinking,
    NoAnswerTags,
    OpenThinking,
    OpenAnswer,
    OpenPhrase,
}

impl Form {
    pub(super) fn flawed(rng: &mut ChaCha8Rng) -> Self {
        Self::Flawed(match rng.random_range(0..8) {
            0 | 1 => Flaw::Phrase,
            2 => Flaw::Bare,
            3 => Flaw::NoThinking,
            4 => Flaw::NoAnswerTags,
            5 => Flaw::OpenThinking,
            6 => Flaw::OpenAnswer,
            _ => Flaw::OpenPhrase,
        })
    }

    /// The response. Without tags, a direct one has no reasoning but the answer itself.
    pub(super) fn write(self, reasoning: &str, answer: &str, style: Style, language: SyntheticLanguage) -> String {
        let phrase = Words::of(language).answer_is;
        let before = if style == Style::Direct { String::new() } else { format!("{reasoning}\n") };
        match self {
            Self::ThinkAnswer => format!("<think>{reasoning}</think><answer>{answer}</answer>"),
            Self::Summary => format!("<think>{reasoning}</think>{}", summary(answer, language)),
            Self::Flawed(Flaw::Phrase) => format!("{before}{phrase}{answer}"),
            Self::Flawed(Flaw::Bare) => format!("{before}{answer}"),
            Self::Flawed(Flaw::NoThinking) => format!("{}<answer>{answer}</answer>", before.trim_end()),
            Self::Flawed(Flaw::NoAnswerTags) => format!("<think>{reasoning}</think>{answer}"),
            Self::Flawed(Flaw::OpenThinking) => format!("<think>{reasoning}<answer>{answer}</answer>"),
            Self::Flawed(Flaw::OpenAnswer) => format!("<think>{reasoning}</think><answer>{answer}"),
            Self::Flawed(Flaw::OpenPhrase) => format!("<think>{reasoning}\n{phrase}{answer}"),
        }
    }
}
