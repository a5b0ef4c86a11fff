//! Choosing what is worth learning from: the readable form of a completion, filters with reasons, duplicates, overlap with benchmarks,
//! and the choice among several right answers to one problem.
//!
//! DeepSeek-R1 (arXiv 2501.12948, sections 2.3.1 and 2.3.3) keeps right answers only, in the form of a readable chain of thought and a
//! summary, and drops mixed languages, long paragraphs and blocks of code in the chain of thought. Everything here is a pure function.

mod convert;
mod duplicates;
mod filters;
mod overlap;
mod pipeline;
mod select;
mod words;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use convert::{think_summary, without_reasoning};
pub use duplicates::{exact_duplicates, near_duplicates};
pub use filters::{Filters, unreadable};
pub use overlap::Benchmarks;
pub use pipeline::{Curation, Draft, curate};
pub use select::{Candidate, select};
pub use words::{jaccard, shingles, words};

/// Why an example is not learned from, as it stands in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The token budget ended it.
    Truncated,
    /// It has no chain of thought that begins and ends.
    NoForm,
    /// Nothing that is a summary stands behind the chain of thought.
    NoSummary,
    /// A rule or the judge says that the answer is wrong.
    Wrong,
    /// The judge could not tell, or grading ran into a limit.
    Unsure,
    /// The chain of thought mixes languages.
    MixedLanguage,
    /// It says the same again and again.
    Repetition,
    /// The chain of thought has a paragraph that nobody reads.
    LongParagraph,
    /// The chain of thought holds a block of code.
    CodeBlock,
    /// Its words stand in a problem that policies are evaluated on.
    Contaminated,
    /// The same conversation was there before.
    Duplicate,
    /// Nearly the same conversation was there before.
    NearDuplicate,
    /// Shorter or more different examples of its problem were kept, or the stage has enough.
    Surplus,
}

impl Filter {
    /// All filters, in the order in which they look at an example.
    pub const ALL: [Self; 13] = [
        Self::Truncated,
        Self::NoForm,
        Self::NoSummary,
        Self::Wrong,
        Self::Unsure,
        Self::MixedLanguage,
        Self::Repetition,
        Self::LongParagraph,
        Self::CodeBlock,
        Self::Contaminated,
        Self::Duplicate,
        Self::NearDuplicate,
        Self::Surplus,
    ];

    /// Its name in records and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::NoForm => "no_form",
            Self::NoSummary => "no_summary",
            Self::Wrong => "wrong",
            Self::Unsure => "unsure",
            Self::MixedLanguage => "mixed_language",
            Self::Repetition => "repetition",
            Self::LongParagraph => "long_paragraph",
            Self::CodeBlock => "code_block",
            Self::Contaminated => "contaminated",
            Self::Duplicate => "duplicate",
            Self::NearDuplicate => "near_duplicate",
            Self::Surplus => "surplus",
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a filter has against an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaw {
    /// The filter.
    pub filter: Filter,
    /// One line for people: what was expected, what was found.
    pub reason: String,
}

impl Flaw {
    /// A flaw with its reason.
    pub fn new(filter: Filter, reason: impl Into<String>) -> Self {
        Self { filter, reason: reason.into() }
    }
}

/// The chain of thought of a response and what stands behind it; no chain of thought if no `</think>` ends one.
fn split_reasoning(text: &str) -> (Option<&str>, &str) {
    match text.split_once("</think>") {
        Some((before, behind)) => (Some(before.rsplit_once("<think>").map_or(before, |(_, inside)| inside)), behind),
        None => (None, text),
    }
}
