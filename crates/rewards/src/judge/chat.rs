//! What is asked of a chat model, and what comes back.

use ruminate_core::Message;
use serde::{Deserialize, Serialize};

use super::TEMPLATE_VERSION;

/// How replies are sampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatParams {
    /// 0 is greedy.
    pub temperature: f32,
    /// Smallest set of tokens with this probability; 1 is all.
    pub top_p: f32,
    /// Longest reply in tokens.
    pub max_tokens: u32,
    /// Number of replies.
    pub n: u32,
    /// Makes sampling repeatable where the server can.
    pub seed: Option<u64>,
    /// Strings that end a reply.
    pub stop: Vec<String>,
}

impl Default for ChatParams {
    fn default() -> Self {
        Self { temperature: 0.0, top_p: 1.0, max_tokens: 512, n: 1, seed: None, stop: Vec::new() }
    }
}

/// The form that a reply must have, for servers that can be held to one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonSchema {
    /// Name of the form: letters, digits, underscores.
    pub name: String,
    /// JSON Schema of an object.
    pub schema: serde_json::Value,
}

/// One question to a chat model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// Name of the model at the endpoint.
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// How to sample.
    pub params: ChatParams,
    /// The form of the reply, if it is not free text.
    pub schema: Option<JsonSchema>,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What the model said.
    pub text: String,
    /// Why it ended, in the server's words, such as `stop` or `length`.
    pub finish_reason: Option<String>,
}

/// The replies to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatReply {
    /// As many as were asked for, at least one.
    pub choices: Vec<Choice>,
}

/// Why there is no reply. Neither says anything about what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// The server cannot be reached, is overloaded or answers nonsense, after all tries.
    #[error("the endpoint is down: {0}")]
    Down(String),
    /// The server will not answer this request, however often it is asked.
    #[error("the endpoint refuses the request: {0}")]
    Refused(String),
}

/// A chat model somewhere.
pub trait Chat: Sync {
    /// Replies to one question; a reply that was kept is given again.
    ///
    /// # Errors
    /// No reply, after as many tries as the implementation makes.
    fn complete(&self, request: &ChatRequest) -> Result<ChatReply, ChatError>;

    /// Says that a reply is of use and worth keeping, where replies are kept.
    fn keep(&self, _request: &ChatRequest, _reply: &ChatReply) {}
}

/// The key under which a reply is kept: a BLAKE3 hash, in hexadecimal, of everything that the reply depends on.
pub fn content_key(request: &ChatRequest) -> String {
    let text = serde_json::to_vec(&(TEMPLATE_VERSION, request)).expect("a request has no maps with other keys than text");
    blake3::hash(&text).to_hex().to_string()
}
