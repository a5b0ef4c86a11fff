//! One request over HTTP, and what its outcome means.

use std::time::Duration;

use ruminate_rewards::judge::{ChatReply, ChatRequest, Choice, JsonSchema};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use ureq::Agent;
use ureq::http::Response;

/// Longest reply that is read.
const MAX_REPLY_BYTES: u64 = 64 << 20;

/// How a request says which form the reply must have, strictest first. Servers know some of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenAI, vLLM, SGLang, llama.cpp.
    JsonSchema,
    /// llama-cpp-python and others: any JSON object, with a schema beside it.
    ObjectWithSchema,
    /// Any JSON object.
    Object,
    /// Nothing but the words of the question.
    Free,
}

impl Format {
    pub(super) const ALL: [Self; 4] = [Self::JsonSchema, Self::ObjectWithSchema, Self::Object, Self::Free];

    fn field(self, JsonSchema { name, schema }: &JsonSchema) -> Option<Value> {
        match self {
            Self::JsonSchema => Some(json!({"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": true}})),
            Self::ObjectWithSchema => Some(json!({"type": "json_object", "schema": schema})),
            Self::Object => Some(json!({"type": "json_object"})),
            Self::Free => None,
        }
    }
}

/// What became of one request.
#[derive(Debug)]
pub(super) enum Attempt {
    /// Replies, at least one.
    Done(ChatReply),
    /// Another try may do better, after the pause that the server asked for.
    Failed { cause: String, pause: Option<Duration> },
    /// The server does not want this form of replies, as far as can be told.
    FormatRefused(String),
    /// No try will do better.
    Refused(String),
}

/// The connection to one endpoint.
#[derive(Debug)]
pub(super) struct Http {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

/// The fields of a reply that are read.
#[derive(Deserialize)]
struct Body {
    choices: Vec<BodyChoice>,
}

#[derive(Deserialize)]
struct BodyChoice {
    message: BodyMessage,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct BodyMessage {
    content: Option<String>,
    /// The chain of thought, where the server takes it out of the content.
    reasoning_content: Option<String>,
}

impl BodyMessage {
    /// Reasoning and answer in one text, whichever way the server gives them.
    fn text(self) -> String {
        let content = self.content.unwrap_or_default();
        match self.reasoning_content.filter(|reasoning| !reasoning.trim().is_empty()) {
            Some(reasoning) => format!("<think>\n{}\n</think>\n\n{}", reasoning.trim(), content.trim_start()),
            None => content,
        }
    }
}

impl Http {
    pub(super) fn new(base_url: &str, key: Option<&str>) -> Self {
        // Statuses are read here. A redirect is refused: it would carry the key and the question elsewhere.
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).max_redirects_will_error(false);
        let config = config.user_agent(concat!("ruminate/", env!("CARGO_PKG_VERSION")));
        let url = format!("{}/chat/completions", base_url.trim_end_matches('/'));
        Self { agent: config.build().new_agent(), url, authorization: key.map(|key| format!("Bearer {}", key.trim())) }
    }

    /// Asks once and waits at most `longest`, from the look-up of the name to the last byte.
    pub(super) fn post(&self, request: &ChatRequest, format: Format, longest: Duration) -> Attempt {
        let body = body(request, format).to_string();
        let mut post = self.agent.post(&self.url).header("content-type", "application/json");
        if let Some(authorization) = &self.authorization {
            post = post.header("authorization", authorization);
        }
        let response = post.config().timeout_global(Some(longest)).build().send(&body);
        let failed = |error: ureq::Error| Attempt::Failed { cause: error.to_string(), pause: None };
        let mut response = match response {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TlsRequired)) => {
                return Attempt::Refused(format!("{}: {error}", self.url));
            }
            Err(error) => return failed(error),
        };
        let status = response.status().as_u16();
        let pause = retry_after(&response);
        match response.body_mut().with_config().limit(MAX_REPLY_BYTES).lossy_utf8(true).read_to_string() {
            Ok(text) => meaning(status, &text, pause, request.schema.is_some() && format != Format::Free),
            Err(error) => failed(error),
        }
    }
}

fn body(request: &ChatRequest, format: Format) -> Value {
    let params = &request.params;
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    set("model", json!(request.model));
    set("messages", json!(request.messages));
    set("temperature", decimal(params.temperature));
    set("top_p", decimal(params.top_p));
    set("max_tokens", json!(params.max_tokens));
    // Fields at their usual value are left out: some servers do not know them.
    if params.n > 1 {
        set("n", json!(params.n));
    }
    if let Some(seed) = params.seed {
        set("seed", json!(seed));
    }
    if !params.stop.is_empty() {
        set("stop", json!(params.stop));
    }
    if let Some(field) = request.schema.as_ref().and_then(|schema| format.field(schema)) {
        set("response_format", field);
    }
    Value::Object(body)
}

/// 0.6 and not 0.6000000238418579.
fn decimal(value: f32) -> Value {
    json!((f64::from(value) * 1e6).round() / 1e6)
}

/// What a status and body mean. `has_format`: the request asked for a form of the reply, which may be what the server objects to.
fn meaning(status: u16, text: &str, pause: Option<Duration>, has_format: bool) -> Attempt {
    let said = || format!("HTTP {status}: {}", excerpt(text));
    match status {
        200..=299 => match read_reply(text) {
            Ok(reply) => Attempt::Done(reply),
            Err(error) => Attempt::Failed { cause: format!("expected a chat completion, found {error}: {}", excerpt(text)), pause: None },
        },
        400 | 415 | 422 | 501 if has_format => Attempt::FormatRefused(said()),
        // llama-cpp-python answers an unknown form with 500.
        500 if has_format && (text.contains("response_format") || text.contains("json_schema")) => Attempt::FormatRefused(said()),
        408 | 409 | 425 | 429 | 500..=599 => Attempt::Failed { cause: said(), pause },
        _ => Attempt::Refused(said()),
    }
}

fn read_reply(text: &str) -> Result<ChatReply, String> {
    let body: Body = serde_json::from_str(text).map_err(|error| format!("something else ({error})"))?;
    if body.choices.is_empty() {
        return Err("no choices".into());
    }
    let choice = |choice: BodyChoice| Choice { text: choice.message.text(), finish_reason: choice.finish_reason };
    Ok(ChatReply { choices: body.choices.into_iter().map(choice).collect() })
}

/// `Retry-After` in seconds. The form with a date is passed over: the usual pauses do as well.
fn retry_after<T>(response: &Response<T>) -> Option<Duration> {
    let seconds: f64 = response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The beginning of a body on one line.
fn excerpt(text: &str) -> String {
    let line: String = text.trim().chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.is_empty() { "an empty body".to_owned() } else { line }
}
