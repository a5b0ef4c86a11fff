//! Files of preferences: pairs of responses of which one is better, or responses with a label, one in each row ([`read_rows`]).
//!
//! Pairs: `{"prompt" | "messages", "chosen", "rejected"}`, the responses as texts or as conversations that end with them; without a prompt
//! the conversations hold it, as lists of messages or as transcripts of `Human:` and `Assistant:`. Labels: `{"prompt" | "messages",
//! "response", "label"}`, the label true, 1, "good" or "safe", or false, 0, "bad" or "unsafe".

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use ruminate_core::{Message, Role};
use ruminate_tasks::read_rows;
use serde_json::{Map, Value};

use crate::recipe::RewardLoss;
use crate::reward_text::question;
use crate::stages::reward_model::data::{Record, Said};

/// Marks of the turns of a transcript.
const TURNS: [(&str, Role); 2] = [("\n\nHuman:", Role::User), ("\n\nAssistant:", Role::Assistant)];

/// Reads a file of what a loss learns from.
///
/// # Errors
/// A file that cannot be read or is empty; a line that is none of the forms, by number.
pub(crate) fn read(path: &Path, loss: RewardLoss) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for row in read_rows(path)? {
        let (line, object) = row?;
        let record = match loss {
            RewardLoss::Pairwise => pair(&object, line),
            RewardLoss::Pointwise => labelled(&object, line),
        };
        records.push(record.with_context(|| format!("{}:{line}", path.display()))?);
    }
    ensure!(!records.is_empty(), "{}: expected lines with responses, found none", path.display());
    Ok(records)
}

fn id(object: &Map<String, Value>, line: usize) -> String {
    object.get("id").map_or_else(|| format!("line-{line}"), |id| id.as_str().map_or_else(|| id.to_string(), str::to_owned))
}

fn pair(object: &Map<String, Value>, line: usize) -> Result<Record> {
    let given = prompt(object)?;
    let (of_chosen, chosen) = response(object, "chosen", given.is_none())?;
    let (of_rejected, rejected) = response(object, "rejected", given.is_none())?;
    let prompt = match (given, of_chosen, of_rejected) {
        (Some(prompt), _, _) => prompt,
        (None, Some(a), Some(b)) if a == b => a,
        (None, Some(_), Some(_)) => {
            bail!("expected 'chosen' and 'rejected' to differ in their last turn only, found other turns before it")
        }
        _ => bail!("expected a key 'prompt' or 'messages', or conversations in 'chosen' and 'rejected', found neither"),
    };
    let margin = match object.get("margin") {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_f64().filter(|m| m.is_finite()).with_context(|| format!("margin: expected a number, found {value}"))?),
    };
    let said = Said::Pair { chosen, rejected, margin: margin.map(|margin| margin as f32), from: None };
    Ok(Record { id: id(object, line), prompt, said, is_held_out: false })
}

fn labelled(object: &Map<String, Value>, line: usize) -> Result<Record> {
    let given = prompt(object)?;
    let (of_response, response) = response(object, "response", given.is_none())?;
    let prompt = given.or(of_response).context("expected a key 'prompt' or 'messages', found neither")?;
    let label = match object.get("label") {
        Some(Value::Bool(label)) => *label,
        Some(Value::Number(number)) if number.as_f64() == Some(1.0) => true,
        Some(Value::Number(number)) if number.as_f64() == Some(0.0) => false,
        Some(Value::String(word)) if ["good", "safe"].contains(&word.as_str()) => true,
        Some(Value::String(word)) if ["bad", "unsafe"].contains(&word.as_str()) => false,
        Some(other) => bail!("label: expected true or false, 1 or 0, \"safe\" or \"unsafe\", \"good\" or \"bad\", found {other}"),
        None => bail!("expected a key 'label', found none"),
    };
    Ok(Record { id: id(object, line), prompt, said: Said::Label { response, label, from: None }, is_held_out: false })
}

/// The conversation before the response, if the line gives it.
fn prompt(object: &Map<String, Value>) -> Result<Option<Vec<Message>>> {
    match (object.get("prompt"), object.get("messages")) {
        (Some(_), Some(_)) => bail!("expected 'prompt' or 'messages', found both"),
        (Some(Value::String(text)), None) => Ok(Some(question(text))),
        (Some(value), None) | (None, Some(value)) => {
            let messages = messages(value).context("prompt")?;
            ensure!(messages.last().is_some_and(|last| last.role == Role::User), "prompt: expected the user to speak last");
            Ok(Some(messages))
        }
        (None, None) => Ok(None),
    }
}

/// A response and, where it is the end of a conversation, what stands before it.
fn response(object: &Map<String, Value>, key: &str, holds_prompt: bool) -> Result<(Option<Vec<Message>>, String)> {
    let turns = match object.get(key) {
        None => bail!("expected a key '{key}', found none"),
        Some(Value::String(text)) if holds_prompt => transcript(text).with_context(|| key.to_owned())?,
        Some(Value::String(text)) => return Ok((None, text.clone())),
        Some(value) => messages(value).with_context(|| key.to_owned())?,
    };
    match turns.split_last() {
        Some((Message { role: Role::Assistant, content }, before)) => {
            Ok((Some(before.to_vec()).filter(|b| !b.is_empty()), content.clone()))
        }
        _ => bail!("{key}: expected the assistant to speak last"),
    }
}

fn messages(value: &Value) -> Result<Vec<Message>> {
    serde_json::from_value(value.clone()).context("expected a text or a list of {\"role\", \"content\"}")
}

/// `\n\nHuman: … \n\nAssistant: …`, the form of hh-rlhf.
fn transcript(text: &str) -> Result<Vec<Message>> {
    let mut turns = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some((mark, role)) = TURNS.iter().find(|(mark, _)| rest.starts_with(mark)) else {
            bail!("expected a transcript that begins with \"\\n\\nHuman:\", or a key 'prompt' beside it");
        };
        let body = &rest[mark.len()..];
        let end = TURNS.iter().filter_map(|(mark, _)| body.find(mark)).min().unwrap_or(body.len());
        turns.push(Message { role: *role, content: body[..end].trim().to_owned() });
        rest = &body[end..];
    }
    Ok(turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_lines(lines: &str, loss: RewardLoss) -> Result<Vec<Record>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.jsonl");
        std::fs::write(&path, lines).unwrap();
        read(&path, loss).map_err(|error| format!("{error:#}").replace(&path.display().to_string(), "p.jsonl"))
    }

    fn said(record: &Record) -> (&str, &str) {
        match &record.said {
            Said::Pair { chosen, rejected, .. } => (chosen, rejected),
            Said::Label { response, label, .. } => (response, if *label { "good" } else { "bad" }),
        }
    }

    #[test]
    fn every_form_of_a_pair_is_read() {
        let lines = [
            r#"{"prompt": "hi", "chosen": "hello", "rejected": "no", "margin": 2.5, "id": "a"}"#,
            r#"{"messages": [{"role": "user", "content": "hi"}], "chosen": "hello", "rejected": "no"}"#,
            r#"{"prompt": "hi", "chosen": [{"role": "assistant", "content": "hello"}], "rejected": [{"role": "assistant", "content": "no"}]}"#,
            r#"{"chosen": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}], "rejected": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "no"}]}"#,
            r#"{"chosen": "\n\nHuman: hi\n\nAssistant: hello", "rejected": "\n\nHuman: hi\n\nAssistant: no"}"#,
        ];
        let records = read_lines(&lines.join("\n"), RewardLoss::Pairwise).unwrap();
        assert_eq!(records.len(), 5);
        for record in &records {
            assert_eq!((record.prompt.as_slice(), said(record)), (question("hi").as_slice(), ("hello", "no")), "{record:?}");
        }
        assert!(matches!(records[0].said, Said::Pair { margin: Some(margin), .. } if margin == 2.5));
        assert_eq!((records[0].id.as_str(), records[1].id.as_str()), ("a", "line-2"));
        let long = r#"{"chosen": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d", "rejected": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: e"}"#;
        assert_eq!(read_lines(long, RewardLoss::Pairwise).unwrap()[0].prompt.len(), 3);
    }

    #[test]
    fn labels_are_read() {
        for (label, expected) in [("true", "good"), ("1", "good"), ("\"safe\"", "good"), ("0.0", "bad"), ("\"unsafe\"", "bad")] {
            let line = format!("{{\"prompt\": \"hi\", \"response\": \"hello\", \"label\": {label}}}\n\n");
            assert_eq!(said(&read_lines(&line, RewardLoss::Pointwise).unwrap()[0]), ("hello", expected), "{label}");
        }
    }

    #[test]
    fn lines_of_another_form_are_named() {
        for (line, loss, message) in [
            ("{", RewardLoss::Pairwise, "p.jsonl:1: expected a JSON object"),
            (r#"{"prompt": "a", "chosen": "b"}"#, RewardLoss::Pairwise, "p.jsonl:1: expected a key 'rejected', found none"),
            (r#"{"chosen": "b", "rejected": "c"}"#, RewardLoss::Pairwise, "expected a transcript that begins with"),
            (r#"{"prompt": "a", "messages": [], "chosen": "b", "rejected": "c"}"#, RewardLoss::Pairwise, "found both"),
            (r#"{"prompt": "a", "chosen": "b", "rejected": "c", "margin": "x"}"#, RewardLoss::Pairwise, "margin: expected a number"),
            (r#"{"prompt": "a", "response": "b", "label": 2}"#, RewardLoss::Pointwise, "label: expected true or false"),
            (r#"{"prompt": "a", "response": "b"}"#, RewardLoss::Pointwise, "expected a key 'label', found none"),
            (
                r#"{"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: x\n\nAssistant: c"}"#,
                RewardLoss::Pairwise,
                "to differ in their last turn only",
            ),
            ("", RewardLoss::Pairwise, "p.jsonl: expected lines with responses, found none"),
        ] {
            let error = read_lines(line, loss).unwrap_err();
            assert!(error.contains(message), "{line}: {error}");
        }
    }
}
