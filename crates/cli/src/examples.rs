//! Conversations to learn from: what `collect` stages kept, with the decisions of reviewers, and files of others.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ruminate_core::{Example, Gold, Language, Message, OpenTask, Problem, ProblemId, Role};
use ruminate_rewards::language_of;
use serde::Deserialize;

use crate::review_file::{REVIEW_FILE, ReviewFile, Reviewed, check_conversation};
use crate::run_dir::{StageDir, io_context};

/// A line that is a conversation and nothing more; other fields are not looked at.
#[derive(Deserialize)]
struct Plain {
    id: Option<String>,
    messages: Vec<Message>,
}

/// What a `collect` stage kept, as reviewers left it; with the count of their decisions if there is a review.
///
/// # Errors
/// A file that is damaged; nothing that is left to learn from.
pub(crate) fn of_stage(dir: &StageDir) -> Result<(Vec<Example>, Option<Reviewed>)> {
    let path = dir.examples();
    let examples = read(&path)?;
    let review = dir.path().join(REVIEW_FILE);
    let Some(file) = ReviewFile::load(&review)? else { return Ok((examples, None)) };
    let (learned, reviewed) = file.apply(examples).with_context(|| format!("{} cannot be used", review.display()))?;
    if learned.is_empty() {
        bail!("expected an example to learn from, found none: {} rejects all {} of them", review.display(), reviewed.rejected);
    }
    Ok((learned, Some(reviewed)))
}

/// The examples of a JSONL file: [`Example`]s or plain `{"messages": [...]}`, also mixed.
///
/// # Errors
/// A file that cannot be read or holds nothing; by file and line: a line that is neither, a conversation without turns in order, an id
/// that comes twice.
pub(crate) fn read(path: &Path) -> Result<Vec<Example>> {
    let text = std::fs::read_to_string(path).with_context(io_context("read", path))?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("file");
    let mut lines_of_ids: BTreeMap<String, usize> = BTreeMap::new();
    let mut examples = Vec::new();
    for (idx, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("{}:{}", path.display(), idx + 1);
        let example = parse(line, stem, idx + 1).with_context(place)?;
        if let Some(first) = lines_of_ids.insert(example.id.clone(), idx + 1) {
            bail!("{}: id '{}' is used before, on line {first}", place(), example.id);
        }
        examples.push(example);
    }
    if examples.is_empty() {
        bail!("{} holds no example, expected one JSON object per line", path.display());
    }
    Ok(examples)
}

fn parse(line: &str, stem: &str, number: usize) -> Result<Example> {
    let value: serde_json::Value = serde_json::from_str(line).context("expected a JSON object")?;
    let example = if value.get("problem").is_some() {
        serde_json::from_value(value).context("expected an example")?
    } else {
        let Plain { id, messages } = serde_json::from_value(value).context("expected an example or an object with messages")?;
        plain(id.unwrap_or_else(|| format!("{stem}/{number}")), stem, messages)
    };
    check_conversation(&example.messages).with_context(|| format!("example '{}'", example.id))?;
    Ok(example)
}

/// A conversation as an example of no known problem.
fn plain(id: String, source: &str, messages: Vec<Message>) -> Example {
    let question = messages.iter().find(|message| message.role == Role::User).map(|message| message.content.clone()).unwrap_or_default();
    let problem = Problem {
        id: ProblemId(id.clone()),
        kind: source.to_owned(),
        language: language_of(&question).unwrap_or(Language::En),
        question,
        gold: Gold::Open(OpenTask::default()),
        difficulty: None,
    };
    Example { id, source: source.to_owned(), problem, messages, verdicts: BTreeMap::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Example>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.jsonl");
        std::fs::write(&path, text).unwrap();
        let folder = format!("{}/", dir.path().display());
        read(&path).map_err(|error| format!("{error:#}").replace(&folder, ""))
    }

    const PLAIN: &str = r#"{"messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}], "extra": 1}"#;

    #[test]
    fn plain_lines_become_examples_and_examples_are_kept() {
        let examples = read_text(PLAIN).unwrap();
        assert_eq!((examples[0].id.as_str(), examples[0].problem.question.as_str()), ("data/1", "1+1?"));
        assert_eq!((examples[0].source.as_str(), examples[0].response()), ("data", "2"));
        let whole = serde_json::to_string(&examples[0]).unwrap();
        let mixed = read_text(&format!("{whole}\n\n{}\n", PLAIN.replace("1+1", "2+2"))).unwrap();
        assert_eq!(mixed[0], examples[0]);
        assert_eq!(mixed[1].id, "data/3");
    }

    #[test]
    fn nonsense_is_named_by_line() {
        for (text, expected) in [
            (String::new(), "data.jsonl holds no example, expected one JSON object per line"),
            (format!("{PLAIN}\n[1]"), "data.jsonl:2: expected an example or an object with messages"),
            ("{".to_owned(), "data.jsonl:1: expected a JSON object"),
            (r#"{"mesages": []}"#.to_owned(), "missing field `messages`"),
            (r#"{"problem": 1}"#.to_owned(), "data.jsonl:1: expected an example"),
            (PLAIN.replace("assistant", "user"), "data.jsonl:1: example 'data/1': turn 2: expected one of the assistant, found user"),
            (
                format!("{}\n{}", PLAIN.replacen('{', r#"{"id": "a","#, 1), PLAIN.replacen('{', r#"{"id": "a","#, 1)),
                "data.jsonl:2: id 'a' is used before, on line 1",
            ),
        ] {
            let error = read_text(&text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
