//! A language model as judge, where no rule can say whether an answer is right.
//!
//! Pure: messages are built and replies are read here, and whoever implements [`Chat`] brings them to a model. A judge that cannot be
//! reached or understood is not a wrong answer: it leaves [`Graded::Pending`].

mod chat;
mod pairwise;
mod pointwise;
mod quote;
mod reply;
mod rules;
mod safety;

pub use chat::{Chat, ChatError, ChatParams, ChatReply, ChatRequest, Choice, JsonSchema, content_key};
pub use pairwise::{Compared, Order, Preference, Scores, combine, compare, pairwise_messages, read_scores};
pub use pointwise::{Graded, Judgement, Ruling, judge_answer, pointwise_messages, read_judgement};
pub use reply::Unreadable;
pub use rules::{RuleError, compare_by_rules, safe_by_rules};
pub use safety::{Safety, judge_safety, read_safety, safety_messages};

use ruminate_core::Message;
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
    /// Asks until a reply can be read, at most `asks` times. `settings` gives seed and temperature of each ask.
    ///
    /// The replies before the readable one are kept with it: the same question later takes the same way without asking. If none can be
    /// read, none is kept.
    fn ask<T>(
        &self,
        chat: &dyn Chat,
        messages: &[Message],
        schema: &JsonSchema,
        settings: impl Fn(u32) -> (u64, f32),
        read: impl Fn(&str) -> Result<T, Unreadable>,
    ) -> Result<T, String> {
        let mut asked = Vec::new();
        let mut reason = "the judge is set up to be asked 0 times".to_owned();
        for ask in 0..self.asks {
            let (seed, temperature) = settings(ask);
            let params = ChatParams { temperature, max_tokens: self.max_tokens, seed: Some(seed), ..ChatParams::default() };
            let request = ChatRequest { model: self.model.clone(), messages: messages.to_vec(), params, schema: Some(schema.clone()) };
            let reply = chat.complete(&request).map_err(|error| error.to_string())?;
            let result = read(reply.choices.first().map_or("", |choice| choice.text.as_str()));
            asked.push((request, reply));
            match result {
                Ok(value) => {
                    asked.iter().for_each(|(request, reply)| chat.keep(request, reply));
                    return Ok(value);
                }
                Err(error) => reason = error.to_string(),
            }
        }
        Err(reason)
    }
}

#[cfg(test)]
mod tests;
