//! What supervised fine-tuning learns from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Message, Problem, Verdict};

/// One conversation to learn from, with where it came from and why it was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Stable name, unique within its file: the problem's id, the source and the sample's number.
    pub id: String,
    /// How it was made, such as `few-shot`, `direct`, `rewritten`, `rejection` or `teacher`.
    pub source: String,
    /// What was asked.
    pub problem: Problem,
    /// The conversation. The assistant's turns are what is learned; the last turn is one of them.
    pub messages: Vec<Message>,
    /// Verdicts by component about the last turn.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub verdicts: BTreeMap<String, Verdict>,
}

impl Example {
    /// The assistant's last turn; empty if there is none.
    pub fn response(&self) -> &str {
        self.messages.last().map_or("", |message| message.content.as_str())
    }
}
