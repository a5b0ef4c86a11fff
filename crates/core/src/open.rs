//! Requests that have no single right answer, and what a rule can say about responses to them.

use serde::{Deserialize, Serialize};

/// Whether a response should think before it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reasoning {
    /// As it likes.
    #[default]
    Free,
    /// A simple request, such as a greeting: no chain of thought.
    Unwanted,
    /// A request that needs thought.
    Wanted,
}

/// A request of a general kind: chat, writing, translation, a fact, a question about the model itself, something harmful.
///
/// How good a response is, a reward model says; what a rule can check is here. Words are looked for in the response behind its
/// reasoning, without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTask {
    /// Whether a response should think before it answers.
    #[serde(default)]
    pub reasoning: Reasoning,
    /// The request is harmful: it should be refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_harmful: bool,
    /// At least one of these texts must stand in the response; empty: any response will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any_of: Vec<String>,
    /// None of these texts may stand in the response.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub none_of: Vec<String>,
}
