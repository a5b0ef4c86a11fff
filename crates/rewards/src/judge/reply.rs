//! Reading what a judge replied: JSON, alone, in a fence or among other words, and else `name: value` in plain text.

use serde_json::{Map, Value};

/// Longest reply that is read, in bytes.
const MAX_REPLY_BYTES: usize = 100_000;

/// Most places where an object may begin that are tried.
const MAX_STARTS: usize = 100;

/// A reply that says nothing, or two things.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the judge's reply cannot be read: {reason}: '{reply}'")]
pub struct Unreadable {
    /// What was expected and found.
    pub reason: String,
    /// The beginning of the reply.
    pub reply: String,
}

impl Unreadable {
    pub(super) fn new(reply: &str, reason: impl Into<String>) -> Self {
        let line: String = reply.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self { reason: reason.into(), reply: line }
    }
}

/// The JSON objects in a reply. Reasoning before `</think>` is passed over.
pub(super) fn objects(reply: &str) -> Result<Vec<Map<String, Value>>, Unreadable> {
    let text = said(reply)?;
    let mut found = Vec::new();
    let mut at = 0;
    for _ in 0..MAX_STARTS {
        let Some(start) = text[at..].find('{').map(|offset| at + offset) else { break };
        let mut objects = serde_json::Deserializer::from_str(&text[start..]).into_iter();
        match objects.next() {
            Some(Ok(object)) => {
                at = start + objects.byte_offset();
                found.push(object);
            }
            _ => at = start + 1,
        }
    }
    Ok(found)
}

/// A field of an object, its name in any case.
pub(super) fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The words that follow `name` in plain text, such as `right` in `**Verdict**: right`. Choices such as `right|wrong` are none.
pub(super) fn words_behind<'a>(reply: &'a str, name: &str) -> Result<Vec<&'a str>, Unreadable> {
    let text = said(reply)?;
    let lower = text.to_ascii_lowercase();
    let behind = lower.match_indices(name).map(|(at, name)| {
        let text = &text[at + name.len()..];
        let text = text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '*' | ':' | '=' | '`' | '_'));
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '-')).unwrap_or(text.len());
        let choice = text[end..].trim_start_matches(['"', '\'', ' ']).starts_with(['|', '/']);
        if choice { "" } else { text[..end].trim_end_matches('.') }
    });
    Ok(behind.filter(|word| !word.is_empty()).collect())
}

/// The reply without its reasoning.
fn said(reply: &str) -> Result<&str, Unreadable> {
    if reply.len() > MAX_REPLY_BYTES {
        return Err(Unreadable::new(reply, format!("expected at most {MAX_REPLY_BYTES} bytes, found {}", reply.len())));
    }
    match reply.rfind("</think>") {
        Some(at) => Ok(&reply[at + "</think>".len()..]),
        None if reply.trim_start().starts_with("<think>") => Err(Unreadable::new(reply, "its reasoning does not end")),
        None => Ok(reply),
    }
}
