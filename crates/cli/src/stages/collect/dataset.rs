//! Conversations that are there already: files of examples or of messages, and the general ones of the built-in world.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use ruminate_core::{Example, Gold, Language, Message, OpenTask, Problem, ProblemId, Role, Seed};
use ruminate_rewards::{check_gold, language_of};
use ruminate_tasks::read_rows;
use ruminate_tasks::synthetic::{SyntheticKind, SyntheticLanguage, general_example};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::recipe::BUILTIN_GENERAL;
use crate::review_file::check_conversation;

/// The conversations of a source under the source's name, at most `limit`.
///
/// # Errors
/// As [`read_examples`].
pub(super) fn load(source: &str, data: &Path, limit: Option<usize>, seed: Seed) -> Result<Vec<Example>> {
    let mut examples = if data == Path::new(BUILTIN_GENERAL) { general(limit.unwrap_or(0), seed)? } else { read_examples(data, limit)? };
    for example in &mut examples {
        example.id = format!("{source}/{}", example.id);
        source.clone_into(&mut example.source);
    }
    Ok(examples)
}

/// Reads a file ([`read_rows`]) whose rows are examples (`problem` and `messages`, as `examples.jsonl` has them), conversations in `messages`
/// with `role` and `content`, or conversations in `conversations` with `from` and `value`.
///
/// A conversation without a problem is a request that has no right answer: the user's last turn. Its language is that of its words.
///
/// # Errors
/// By file and line: what cannot be read, turns in no order, two examples with one id, a gold answer that cannot be used.
pub(crate) fn read_examples(path: &Path, limit: Option<usize>) -> Result<Vec<Example>> {
    let mut examples: Vec<Example> = Vec::new();
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let kind = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("file");
    for row in read_rows(path)?.take(limit.unwrap_or(usize::MAX)) {
        let (line, fields) = row?;
        let at = || format!("{}:{line}", path.display());
        let example = read_row(fields, kind, line).with_context(at)?;
        if let Some(first) = lines.insert(example.id.clone(), line) {
            bail!("{}: the id '{}' stands in line {first} already", at(), example.id);
        }
        examples.push(example);
    }
    ensure!(!examples.is_empty(), "{}: expected conversations, found none", path.display());
    Ok(examples)
}

/// General conversations of the built-in world: every kind in every language in turn. There are few different ones; those that come again
/// are dropped as duplicates.
fn general(n: usize, seed: Seed) -> Result<Vec<Example>> {
    let example = |index: usize| {
        let kind = SyntheticKind::GENERAL[index % SyntheticKind::GENERAL.len()];
        let language = SyntheticLanguage::ALL[index / SyntheticKind::GENERAL.len() % SyntheticLanguage::ALL.len()];
        let (problem, response) = general_example(kind, language, index as u64, seed)?;
        let turns = [(Role::User, problem.question.clone()), (Role::Assistant, response)];
        let messages = turns.map(|(role, content)| Message { role, content }).to_vec();
        Ok(Example { id: problem.id.0.clone(), source: "dataset".into(), problem, messages, verdicts: BTreeMap::new() })
    };
    (0..n).map(example).collect()
}

/// The form of ShareGPT.
#[derive(Deserialize)]
struct Turn {
    from: String,
    value: String,
}

fn read_row(mut fields: Map<String, Value>, kind: &str, number: usize) -> Result<Example> {
    // Published sets have a text in `problem`.
    if fields.get("problem").is_some_and(Value::is_object) && fields.contains_key("messages") {
        fields.entry("source").or_insert_with(|| "dataset".into());
        let example: Example =
            serde_json::from_value(Value::Object(fields)).context("expected an example with id, problem and messages")?;
        check_conversation(&example.messages)?;
        check_gold(&example.problem)?;
        return Ok(example);
    }
    let messages: Vec<Message> = if let Some(messages) = fields.remove("messages") {
        serde_json::from_value(messages).context("messages: expected turns with role and content")?
    } else if let Some(turns) = fields.remove("conversations") {
        let turns: Vec<Turn> = serde_json::from_value(turns).context("conversations: expected turns with from and value")?;
        turns.into_iter().map(message).collect::<Result<_>>()?
    } else {
        let found = fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        bail!("expected messages, conversations, or an example with problem and messages; found {found}");
    };
    check_conversation(&messages)?;
    let name = match fields.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => number.to_string(),
    };
    let question =
        messages.iter().rev().find(|message| message.role == Role::User).map_or("", |message| message.content.as_str()).to_owned();
    let problem = Problem {
        id: ProblemId(format!("{kind}/{name}")),
        kind: fields.get("kind").and_then(Value::as_str).unwrap_or(kind).to_owned(),
        language: language_of(&question).unwrap_or(Language::En),
        question,
        gold: Gold::Open(OpenTask::default()),
        difficulty: None,
    };
    Ok(Example { id: problem.id.0.clone(), source: "dataset".into(), problem, messages, verdicts: BTreeMap::new() })
}

fn message(turn: Turn) -> Result<Message> {
    let role = match turn.from.as_str() {
        "system" => Role::System,
        "human" | "user" => Role::User,
        "gpt" | "assistant" => Role::Assistant,
        other => bail!("conversations: expected turns from system, human or gpt, found '{other}'"),
    };
    Ok(Message { role, content: turn.value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Example>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("talk.jsonl");
        std::fs::write(&path, text).unwrap();
        read_examples(&path, None).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_general_conversations_of_the_built_in_world_are_right() {
        let found = load("talk", Path::new(BUILTIN_GENERAL), Some(60), Seed::new(3)).unwrap();
        let kinds: std::collections::BTreeSet<&str> = found.iter().map(|example| example.problem.kind.as_str()).collect();
        assert_eq!((found.len(), kinds.len()), (60, SyntheticKind::GENERAL.len()));
        for example in &found {
            let verdict = ruminate_rewards::grade_accuracy(&example.problem, example.response());
            assert_eq!(verdict.reward, 1.0, "{}: {}", example.response(), verdict.reason);
            assert!(example.id.starts_with("talk/example/") && example.source == "talk");
        }
    }

    #[test]
    fn three_forms_are_read() {
        let example = r#"{"id":"a","problem":{"id":"p/1","kind":"sum","question":"1+1?","gold":{"type":"value","text":"2"},"language":"en","difficulty":null},"messages":[{"role":"user","content":"1+1?"},{"role":"assistant","content":"2"}]}"#;
        let messages = r#"{"messages":[{"role":"system","content":"Be kind"},{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi"},{"role":"user","content":"你好吗？"},{"role":"assistant","content":"很好"}]}"#;
        let shared = r#"{"id":7,"kind":"chat","conversations":[{"from":"human","value":"Hello"},{"from":"gpt","value":"Hi"}]}"#;
        let found = read(&format!("{example}\n\n{messages}\n{shared}\n")).unwrap();
        let ids: Vec<&str> = found.iter().map(|example| example.id.as_str()).collect();
        assert_eq!(ids, ["a", "talk/3", "talk/7"]);
        assert_eq!(found[0].problem.gold, Gold::Value { text: "2".into() });
        assert_eq!((found[1].messages.len(), found[1].problem.language, found[1].problem.question.as_str()), (5, Language::Zh, "你好吗？"));
        assert_eq!((found[2].problem.kind.as_str(), found[2].response()), ("chat", "Hi"));
    }

    #[test]
    fn what_cannot_be_learned_from_is_named_by_line() {
        let turns = |turns: &str| format!("{{\"messages\":[{turns}]}}");
        let (user, assistant) = (r#"{"role":"user","content":"q"}"#, r#"{"role":"assistant","content":"a"}"#);
        let good = turns(&format!("{user},{assistant}"));
        for (text, expected) in [
            (String::new(), "expected conversations, found none"),
            ("x".into(), "talk.jsonl:1: expected a JSON object"),
            (
                format!("{good}\n{{\"text\":1}}"),
                "talk.jsonl:2: expected messages, conversations, or an example with problem and messages; found text",
            ),
            (turns(user), "expected the assistant's turn last"),
            (turns(&format!("{user},{user}")), "turn 2: expected one of the assistant, found user"),
            (r#"{"messages":[{"role":"robot","content":"q"}]}"#.into(), "messages: expected turns with role and content"),
            (r#"{"conversations":[{"from":"robot","value":"q"}]}"#.into(), "expected turns from system, human or gpt, found 'robot'"),
            (format!("{{\"id\":1,{}\n{{\"id\":1,{}", &good[1..], &good[1..]), "talk.jsonl:2: the id 'talk/1' stands in line 1 already"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
