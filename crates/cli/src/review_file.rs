//! `review.json`: what people decided about the examples of a `collect` stage.
//!
//! ```text
//! {"version": 1, "decisions": {"EXAMPLE_ID": {"decision": "accept", "reviewer": "ada", "at_unix_secs": 1790000000}}}
//! ```
//!
//! `decision` is `accept`, `reject`, `edit` with the new `messages`, or `skip`. Examples that nobody decided about, and skipped ones,
//! stay as the filters left them. The page of `ruminate review` writes the file; people may edit it, so everything is checked on reading.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use ruminate_core::{Example, Gold, Message, Outcome, Role};
use ruminate_rewards::{Component, grade_accuracy};
use serde::{Deserialize, Serialize};

use crate::run_dir::{read_json, write_json};

/// The version that this program reads and writes.
pub(crate) const VERSION: u32 = 1;

/// Name of the file in a stage's directory.
pub(crate) const REVIEW_FILE: &str = "review.json";

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewFile {
    /// Form of the file.
    pub(crate) version: u32,
    /// The last decision about each example, by its id.
    pub(crate) decisions: BTreeMap<String, Decision>,
}

/// What one person decided about one example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    /// What becomes of it.
    pub(crate) decision: DecisionKind,
    /// The conversation that takes its place; for edits, and only for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) messages: Option<Vec<Message>>,
    /// Who decided.
    pub(crate) reviewer: String,
    /// When, in seconds since 1970.
    pub(crate) at_unix_secs: u64,
}

/// What becomes of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DecisionKind {
    /// It is learned.
    Accept,
    /// It is not learned.
    Reject,
    /// Other words are learned in its place.
    Edit,
    /// Looked at, not decided.
    Skip,
}

/// How many examples were decided about, `reviewed` of `yield.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reviewed {
    /// Accepted as they are.
    pub(crate) accepted: usize,
    /// Not learned.
    pub(crate) rejected: usize,
    /// Learned in other words.
    pub(crate) edited: usize,
    /// Of these, those whose answer a rule calls wrong. They are learned all the same: people have the last word.
    #[serde(default)]
    pub(crate) edited_wrong: usize,
    /// Skipped or never seen: learned as the filters left them.
    pub(crate) unseen: usize,
}

impl Default for ReviewFile {
    fn default() -> Self {
        Self { version: VERSION, decisions: BTreeMap::new() }
    }
}

impl ReviewFile {
    /// Reads and checks the file; `None` if there is none.
    ///
    /// # Errors
    /// By file: what cannot be read, another version, an edit without a conversation to learn from, messages without an edit.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>> {
        let Some(file) = read_json::<Self>(path)? else { return Ok(None) };
        file.check().with_context(|| format!("{} cannot be used", path.display()))?;
        Ok(Some(file))
    }

    /// Writes the file as a whole; on an error, what was there stays.
    ///
    /// # Errors
    /// As [`ReviewFile::load`] has for what is checked, and the file system's.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        self.check().with_context(|| format!("refused to write {}", path.display()))?;
        write_json(path, self)
    }

    /// The examples to learn from, in their order, and how many were decided about.
    ///
    /// # Errors
    /// A decision about an example that is not there.
    pub(crate) fn apply(&self, examples: Vec<Example>) -> Result<(Vec<Example>, Reviewed)> {
        let ids: BTreeSet<&str> = examples.iter().map(|example| example.id.as_str()).collect();
        if let Some(unknown) = self.decisions.keys().find(|id| !ids.contains(id.as_str())) {
            bail!("expected decisions about examples of examples.jsonl, found one about '{unknown}', which is not there");
        }
        let mut reviewed = Reviewed::default();
        let mut learned = Vec::with_capacity(examples.len());
        for mut example in examples {
            let decision = self.decisions.get(&example.id);
            match decision.map_or(DecisionKind::Skip, |decision| decision.decision) {
                DecisionKind::Accept => reviewed.accepted += 1,
                DecisionKind::Skip => reviewed.unseen += 1,
                DecisionKind::Reject => {
                    reviewed.rejected += 1;
                    continue;
                }
                DecisionKind::Edit => {
                    reviewed.edited += 1;
                    example.messages = decision.and_then(|decision| decision.messages.clone()).context("an edit has messages")?;
                    // They were about other words.
                    example.verdicts.clear();
                    if !matches!(example.problem.gold, Gold::Judged { .. } | Gold::Code(_)) {
                        let verdict = grade_accuracy(&example.problem, example.response());
                        reviewed.edited_wrong += usize::from(verdict.outcome != Outcome::Right);
                        example.verdicts.insert(Component::Accuracy.as_str().to_owned(), verdict);
                    }
                }
            }
            learned.push(example);
        }
        Ok((learned, reviewed))
    }

    fn check(&self) -> Result<()> {
        ensure!(self.version == VERSION, "expected version {VERSION}, found {}", self.version);
        self.decisions.iter().try_for_each(|(id, decision)| decision.check().with_context(|| format!("decision about '{id}'")))
    }
}

impl Decision {
    fn check(&self) -> Result<()> {
        match (self.decision, &self.messages) {
            (DecisionKind::Edit, None) => bail!("expected messages with an edit, found none"),
            (DecisionKind::Edit, Some(messages)) => check_conversation(messages),
            (_, Some(_)) => bail!("expected messages with an edit only, found them with another decision"),
            (_, None) => Ok(()),
        }
    }
}

/// Checks that a conversation can be learned from: perhaps a system message, then user and assistant in turns, an assistant's turn last,
/// and no empty turn.
///
/// # Errors
/// The first turn that does not fit.
pub(crate) fn check_conversation(messages: &[Message]) -> Result<()> {
    let turns = match messages {
        [Message { role: Role::System, .. }, turns @ ..] => turns,
        turns => turns,
    };
    ensure!(!turns.is_empty(), "expected a conversation, found no turn");
    for (idx, message) in turns.iter().enumerate() {
        let expected = if idx % 2 == 0 { Role::User } else { Role::Assistant };
        let turn = idx + 1;
        ensure!(message.role == expected, "turn {turn}: expected one of the {}, found {}", expected.as_str(), message.role.as_str());
        ensure!(!message.content.trim().is_empty(), "turn {turn}: expected text, found none");
    }
    ensure!(turns.len() % 2 == 0, "expected the assistant's turn last, found the user's");
    Ok(())
}

#[cfg(test)]
mod tests {
    use ruminate_core::{Language, Problem, ProblemId, Verdict};

    use super::*;

    fn example(id: &str) -> Example {
        let problem = Problem {
            id: ProblemId(id.into()),
            kind: "t".into(),
            question: "1+1?".into(),
            gold: Gold::Value { text: "2".into() },
            language: Language::En,
            difficulty: None,
        };
        Example {
            id: id.into(),
            source: "direct".into(),
            problem,
            messages: conversation(&[(Role::User, "1+1?"), (Role::Assistant, "2")]),
            verdicts: BTreeMap::from([("accuracy".to_owned(), Verdict::right("2"))]),
        }
    }

    fn conversation(turns: &[(Role, &str)]) -> Vec<Message> {
        turns.iter().map(|&(role, content)| Message { role, content: content.to_owned() }).collect()
    }

    fn decision(kind: DecisionKind) -> Decision {
        let messages = (kind == DecisionKind::Edit).then(|| conversation(&[(Role::User, "1+1?"), (Role::Assistant, "the answer is 2.")]));
        Decision { decision: kind, messages, reviewer: "ada".into(), at_unix_secs: 7 }
    }

    #[test]
    fn decisions_are_applied_and_counted() {
        let mut file = ReviewFile::default();
        for (id, kind) in [("a", DecisionKind::Accept), ("b", DecisionKind::Reject), ("c", DecisionKind::Edit), ("d", DecisionKind::Skip)] {
            file.decisions.insert(id.into(), decision(kind));
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(REVIEW_FILE);
        assert_eq!(ReviewFile::load(&path).unwrap(), None);
        file.save(&path).unwrap();
        assert_eq!(ReviewFile::load(&path).unwrap().unwrap(), file);

        let (learned, reviewed) = file.apply(["a", "b", "c", "d", "e"].map(example).to_vec()).unwrap();
        assert_eq!(learned.iter().map(|example| example.id.as_str()).collect::<Vec<_>>(), ["a", "c", "d", "e"]);
        assert_eq!(reviewed, Reviewed { accepted: 1, rejected: 1, edited: 1, edited_wrong: 0, unseen: 2 });
        assert_eq!((learned[1].response(), learned[1].verdicts["accuracy"].outcome), ("the answer is 2.", Outcome::Right));
        file.decisions.get_mut("c").unwrap().messages = Some(conversation(&[(Role::User, "1+1?"), (Role::Assistant, "the answer is 3.")]));
        let (learned, reviewed) = file.apply(["a", "b", "c", "d"].map(example).to_vec()).unwrap();
        assert_eq!((learned[1].verdicts["accuracy"].outcome, reviewed.edited_wrong), (Outcome::Wrong, 1), "learned, and counted");
        let error = file.apply(vec![example("a")]).unwrap_err().to_string();
        assert!(error.contains("found one about 'b', which is not there"), "{error}");
    }

    #[test]
    fn nonsense_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(REVIEW_FILE);
        let with = |decision: &str| {
            format!("{{\"version\": 1, \"decisions\": {{\"x/1\": {{{decision}, \"reviewer\": \"a\", \"at_unix_secs\": 1}}}}}}")
        };
        let turns = |turns: &str| with(&format!("\"decision\": \"edit\", \"messages\": [{turns}]"));
        let (user, assistant) = ("{\"role\": \"user\", \"content\": \"q\"}", "{\"role\": \"assistant\", \"content\": \"a\"}");
        for (text, expected) in [
            ("{".to_owned(), "EOF while parsing"),
            ("[]".to_owned(), "invalid length"),
            ("{\"version\": 2, \"decisions\": {}}".to_owned(), "expected version 1, found 2"),
            ("{\"version\": 1}".to_owned(), "missing field `decisions`"),
            (with("\"decision\": \"maybe\""), "unknown variant `maybe`, expected one of `accept`, `reject`, `edit`, `skip`"),
            (with("\"decision\": \"accept\", \"note\": 1"), "unknown field `note`"),
            (with("\"decision\": \"edit\""), "decision about 'x/1': expected messages with an edit, found none"),
            (with("\"decision\": \"accept\", \"messages\": []"), "expected messages with an edit only"),
            (turns(""), "expected a conversation, found no turn"),
            (turns(user), "expected the assistant's turn last, found the user's"),
            (turns(assistant), "turn 1: expected one of the user, found assistant"),
            (turns(&format!("{user}, {{\"role\": \"assistant\", \"content\": \" \"}}")), "turn 2: expected text, found none"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let error = format!("{:#}", ReviewFile::load(&path).unwrap_err());
            assert!(error.contains(expected) && error.contains("review.json"), "{text}: {error}");
        }
    }
}
