//! A language model as judge, where no rule can say whether an answer is right.
//!
//! Pure: messages are built and replies are read here, and whoever implements [`Chat`] brings them to a model. A judge that cannot be
//! reached or understood is not a wrong answer: it leaves [`Graded::Pending`].

mod chat;
mod pairwise;
mod pointwise;
mod quote;
mod reply;

pub use chat::{Chat, ChatError, ChatParams, ChatReply, ChatRequest, Choice, JsonSchema, content_key};
pub use pairwise::{Compared, Order, Preference, Scores, combine, compare, pairwise_messages, read_scores};
pub use pointwise::{Graded, Judgement, Ruling, judge_answer, pointwise_messages, read_judgement};
pub use reply::Unreadable;

use serde::{Deserialize, Serialize};

/// Version of the wording of all questions to a judge, part of every [`content_key`]: what was answered to other words does not count.
pub const TEMPLATE_VERSION: u32 = 1;

/// Who is asked, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Judge {
    /// Name of the model at the endpoint.
    pub model: String,
    /// Longest reply in tokens.
    pub max_tokens: u32,
    /// How often an answer is asked about until a reply can be read.
    pub asks: u32,
    /// How often each order of two responses is asked. DeepSeek-R1 asks four times in all.
    pub rounds: u32,
    /// Smallest mean difference of scores that makes a preference, exclusive. DeepSeek-R1: 1.
    pub min_margin: f32,
}

impl Default for Judge {
    fn default() -> Self {
        Self { model: String::new(), max_tokens: 512, asks: 3, rounds: 2, min_margin: 1.0 }
    }
}

impl Judge {
    /// A request whose randomness depends on `ask` alone: the first is greedy, later ones vary.
    fn request(&self, messages: Vec<ruminate_core::Message>, schema: JsonSchema, ask: u32, temperature: f32) -> ChatRequest {
        let params = ChatParams { temperature, max_tokens: self.max_tokens, seed: Some(u64::from(ask)), ..ChatParams::default() };
        ChatRequest { model: self.model.clone(), messages, params, schema: Some(schema) }
    }
}

#[cfg(test)]
mod tests;
