//! The examples of a stage, what was decided about them, and who is looking at which.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use ruminate_core::{Example, Message, Role};
use serde::{Deserialize, Serialize};

use super::filter::{Facets, Filter};
use super::pace::Pace;
use crate::review_file::{Decision, DecisionKind, REVIEW_FILE, ReviewFile};
use crate::run_dir::{io_context, read_jsonl};

/// How long an example is kept for a page that does not speak up again.
const HOLD: Duration = Duration::from_secs(90);

/// Decisions of one page that can be undone.
const MAX_UNDO: usize = 1000;

/// Longest name of a reviewer or page, letters.
const MAX_NAME: usize = 64;

/// The open review of one stage. No other process can open it until this is dropped.
#[derive(Debug)]
pub(crate) struct Desk {
    stage_dir: PathBuf,
    examples: Vec<Example>,
    idx_by_id: BTreeMap<String, usize>,
    file: ReviewFile,
    /// `review.json` as this process last read or wrote it.
    saved: Option<Stamp>,
    /// `examples.jsonl` as it was read.
    read: Option<Stamp>,
    /// How often the decision about each example has changed in this sitting.
    versions: Vec<u64>,
    holds: BTreeMap<String, Hold>,
    undo: BTreeMap<String, Vec<Undo>>,
    pace: Pace,
    _lock: File,
}

/// Who asks: one page of one reviewer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Who {
    /// The page.
    pub(super) page: String,
    /// The person's name.
    pub(super) reviewer: String,
}

/// Which way to look for the next example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Way {
    /// Behind the one that is shown, then from the start.
    Forward,
    /// Before the one that is shown, then from the end.
    Backward,
    /// The one that is shown, if it still fits, then as forward.
    Stay,
}

/// A decision that a page asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    /// The example.
    pub(super) id: String,
    /// The version that the page has shown. If it is no longer the current one, nothing is changed.
    pub(super) version: u64,
    /// What to decide.
    pub(super) decision: DecisionKind,
    /// The response as it should be, for [`DecisionKind::Edit`] only.
    pub(super) text: Option<String>,
}

/// Why something was not done. Nothing has changed then, neither in memory nor on disk.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Somebody else has decided since.
    Conflict {
        /// The example.
        idx: usize,
    },
    /// The request makes no sense.
    Invalid(String),
    /// There is nothing to undo.
    NothingToUndo,
    /// The file could not be written.
    NotSaved(String),
}

/// How far the review is.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Progress {
    n_examples: usize,
    n_reviewed: usize,
    n_accepted: usize,
    n_rejected: usize,
    n_edited: usize,
    n_skipped: usize,
    /// Number of examples by who reviewed them; skipped ones are not counted.
    reviewers: BTreeMap<String, usize>,
    /// Decisions in the file about examples that the stage no longer has.
    n_gone: usize,
    secs_left: Option<f64>,
}

#[derive(Debug)]
struct Hold {
    idx: usize,
    reviewer: String,
    since: Instant,
}

#[derive(Debug)]
struct Undo {
    idx: usize,
    before: Option<Decision>,
    /// The version that the undone decision made.
    version: u64,
}

/// Tells whether a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: SystemTime,
}

impl Desk {
    /// Opens the review of a stage, with what was decided before.
    ///
    /// # Errors
    /// The folder has no examples; another process reviews them; a file is damaged; the file system's.
    pub(crate) fn open(stage_dir: &Path) -> Result<Self> {
        let path = examples_path(stage_dir);
        if !path.is_file() {
            bail!(
                "expected the folder of a stage that collects examples, such as runs/tiny/cold, found no {}; the stage must have run first",
                path.display()
            );
        }
        let lock = lock(stage_dir)?;
        // The stamp first: a change while reading is one.
        let read = Stamp::of(&path)?;
        let examples: Vec<Example> = read_jsonl(&path)?;
        if examples.is_empty() {
            bail!("{} has no examples: there is nothing to review", path.display());
        }
        let mut idx_by_id = BTreeMap::new();
        for (idx, example) in examples.iter().enumerate() {
            if let Some(before) = idx_by_id.insert(example.id.clone(), idx) {
                bail!("{}: expected different ids, found {:?} in examples {} and {}", path.display(), example.id, before + 1, idx + 1);
            }
            if example.messages.last().is_none_or(|message| message.role != Role::Assistant) {
                bail!("{}: example {:?}: expected messages that end with an assistant's turn", path.display(), example.id);
            }
        }
        let saved = Stamp::of(&review_path(stage_dir))?;
        let file = ReviewFile::load(&review_path(stage_dir))?.unwrap_or_default();
        Ok(Self {
            stage_dir: stage_dir.to_owned(),
            versions: vec![0; examples.len()],
            examples,
            idx_by_id,
            file,
            saved,
            read,
            holds: BTreeMap::new(),
            undo: BTreeMap::new(),
            pace: Pace::default(),
            _lock: lock,
        })
    }

    /// The folder of the stage.
    pub(crate) fn stage_dir(&self) -> &Path {
        &self.stage_dir
    }

    /// Number of examples, and of those about which something was decided.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let n_decided = self.examples.iter().filter(|example| self.file.decisions.contains_key(&example.id)).count();
        (self.examples.len(), n_decided)
    }

    pub(super) fn example(&self, idx: usize) -> &Example {
        &self.examples[idx]
    }

    pub(super) fn version(&self, idx: usize) -> u64 {
        self.versions[idx]
    }

    pub(super) fn decision(&self, idx: usize) -> Option<&Decision> {
        self.file.decisions.get(&self.examples[idx].id)
    }

    pub(super) fn idx(&self, id: &str) -> Result<usize, Refusal> {
        self.idx_by_id.get(id).copied().ok_or_else(|| Refusal::Invalid(format!("there is no example {id:?}")))
    }

    /// Chooses the next example and keeps it for the page that asks; `None` if no other fits. Undecided examples that somebody else
    /// looks at are passed over.
    pub(super) fn next(
        &mut self,
        who: &Who,
        filter: &Filter,
        from: Option<usize>,
        way: Way,
        now: Instant,
    ) -> Result<Option<usize>, Refusal> {
        who.check()?;
        let n = self.examples.len();
        let start = from.unwrap_or(0).min(n - 1);
        let order: Vec<usize> = match way {
            Way::Stay => (0..n).map(|step| (start + step) % n).collect(),
            Way::Forward => (1..=n).map(|step| (start + step) % n).collect(),
            Way::Backward => (1..=n).map(|step| (start + n - step) % n).collect(),
        };
        self.holds.retain(|page, hold| page != &who.page && now.saturating_duration_since(hold.since) < HOLD);
        let held: Vec<usize> = self.holds.values().map(|hold| hold.idx).collect();
        let fits = |&idx: &usize| {
            let decision = self.decision(idx).map(|decision| decision.decision);
            filter.wants(&self.examples[idx], decision) && (decision.is_some() || !held.contains(&idx))
        };
        let found = order.into_iter().find(fits);
        if let Some(idx) = found {
            self.hold(who, idx, now);
        }
        Ok(found)
    }

    /// Keeps an example for a page for a while longer.
    pub(super) fn hold(&mut self, who: &Who, idx: usize, now: Instant) {
        self.holds.insert(who.page.clone(), Hold { idx, reviewer: who.reviewer.clone(), since: now });
    }

    /// Who else looks at an example.
    pub(super) fn other_holder(&self, who: &Who, idx: usize, now: Instant) -> Option<&str> {
        let is_other =
            |(page, hold): &(&String, &Hold)| *page != &who.page && hold.idx == idx && now.saturating_duration_since(hold.since) < HOLD;
        self.holds.iter().find(is_other).map(|(_, hold)| hold.reviewer.as_str())
    }

    /// Takes a decision and saves it. Returns the example.
    pub(super) fn decide(&mut self, who: &Who, wish: Wish, at_unix_secs: u64, now: Instant) -> Result<usize, Refusal> {
        who.check()?;
        let idx = self.idx(&wish.id)?;
        if wish.version != self.versions[idx] {
            return Err(Refusal::Conflict { idx });
        }
        let messages = self.edited(idx, wish.decision, wish.text)?;
        let decision = Decision { decision: wish.decision, messages, reviewer: who.reviewer.trim().to_owned(), at_unix_secs };
        let before = self.replace(idx, Some(decision))?;
        self.pace.record(now);
        let undo = self.undo.entry(who.page.clone()).or_default();
        undo.push(Undo { idx, before, version: self.versions[idx] });
        if undo.len() > MAX_UNDO {
            undo.remove(0);
        }
        Ok(idx)
    }

    /// Takes back the last decision of a page. Returns the example.
    pub(super) fn undo(&mut self, who: &Who) -> Result<usize, Refusal> {
        who.check()?;
        let Some(Undo { idx, before, version }) = self.undo.get_mut(&who.page).and_then(Vec::pop) else {
            return Err(Refusal::NothingToUndo);
        };
        if version != self.versions[idx] {
            // Somebody has decided since: that stays, and the entry is of no more use.
            return Err(Refusal::Conflict { idx });
        }
        match self.replace(idx, before.clone()) {
            Ok(_) => Ok(idx),
            Err(refusal) => {
                self.undo.entry(who.page.clone()).or_default().push(Undo { idx, before, version });
                Err(refusal)
            }
        }
    }

    /// How far the review is.
    pub(super) fn progress(&self) -> Progress {
        let there: Vec<&Decision> = self.examples.iter().filter_map(|example| self.file.decisions.get(&example.id)).collect();
        let count = |kind: DecisionKind| there.iter().filter(|decision| decision.decision == kind).count();
        let n_skipped = count(DecisionKind::Skip);
        let mut reviewers = BTreeMap::new();
        for decision in there.iter().filter(|decision| decision.decision != DecisionKind::Skip) {
            *reviewers.entry(decision.reviewer.clone()).or_default() += 1;
        }
        Progress {
            n_examples: self.examples.len(),
            n_reviewed: there.len() - n_skipped,
            n_accepted: count(DecisionKind::Accept),
            n_rejected: count(DecisionKind::Reject),
            n_edited: count(DecisionKind::Edit),
            n_skipped,
            reviewers,
            n_gone: self.file.decisions.len() - there.len(),
            secs_left: self.pace.secs_left(self.examples.len() - there.len()),
        }
    }

    /// Position of an example among those that a filter wants, from 1, and their number.
    pub(super) fn position(&self, filter: &Filter, idx: usize) -> (usize, usize) {
        let wanted = |idx: usize| filter.wants(&self.examples[idx], self.decision(idx).map(|decision| decision.decision));
        let n_before = (0..idx).filter(|&idx| wanted(idx)).count();
        (n_before + 1, n_before + (idx..self.examples.len()).filter(|&idx| wanted(idx)).count())
    }

    /// What filters can ask for.
    pub(super) fn facets(&self) -> Facets {
        Facets::of(&self.examples)
    }

    /// The conversation with another last turn, for an edit; nothing else has messages.
    fn edited(&self, idx: usize, choice: DecisionKind, text: Option<String>) -> Result<Option<Vec<Message>>, Refusal> {
        match (choice, text) {
            (DecisionKind::Edit, Some(text)) => {
                check_edit(&text).map_err(Refusal::Invalid)?;
                let mut messages = self.examples[idx].messages.clone();
                messages.last_mut().expect("examples end with an assistant's turn").content = text;
                Ok(Some(messages))
            }
            (DecisionKind::Edit, None) => Err(Refusal::Invalid("an edit needs a text".into())),
            (_, Some(_)) => Err(Refusal::Invalid("only an edit has a text".into())),
            (_, None) => Ok(None),
        }
    }

    /// Replaces a decision in memory and on disk. Returns what was there.
    fn replace(&mut self, idx: usize, decision: Option<Decision>) -> Result<Option<Decision>, Refusal> {
        let id = self.examples[idx].id.clone();
        let before = self.file.decisions.get(&id).cloned();
        self.put(&id, decision);
        if let Err(error) = self.save() {
            self.put(&id, before);
            return Err(Refusal::NotSaved(format!("{error:#}")));
        }
        self.versions[idx] += 1;
        Ok(before)
    }

    fn put(&mut self, id: &str, decision: Option<Decision>) {
        match decision {
            Some(decision) => drop(self.file.decisions.insert(id.to_owned(), decision)),
            None => drop(self.file.decisions.remove(id)),
        }
    }

    fn save(&mut self) -> Result<()> {
        let examples = examples_path(&self.stage_dir);
        if Stamp::of(&examples)? != self.read {
            bail!("{} has changed or gone since the review began; end this and start the review again", examples.display());
        }
        let path = review_path(&self.stage_dir);
        if Stamp::of(&path)? != self.saved {
            bail!("{} was changed by something else, which is not written over; end this and start the review again", path.display());
        }
        self.file.save(&path)?;
        self.saved = Stamp::of(&path)?;
        Ok(())
    }
}

impl Who {
    fn check(&self) -> Result<(), Refusal> {
        let is_name = |name: &str| !name.trim().is_empty() && name.chars().count() <= MAX_NAME && !name.contains(char::is_control);
        if !is_name(&self.reviewer) {
            return Err(Refusal::Invalid(format!("expected your name, 1 to {MAX_NAME} letters")));
        }
        if !is_name(&self.page) {
            return Err(Refusal::Invalid(format!("expected the name of the page, 1 to {MAX_NAME} letters")));
        }
        Ok(())
    }
}

impl Stamp {
    /// That of a file; `None` if there is no file.
    fn of(path: &Path) -> Result<Option<Self>> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self { len: metadata.len(), modified: metadata.modified().with_context(io_context("read", path))? })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(io_context("read", path)),
        }
    }
}

fn examples_path(stage_dir: &Path) -> PathBuf {
    stage_dir.join("examples.jsonl")
}

fn review_path(stage_dir: &Path) -> PathBuf {
    stage_dir.join(REVIEW_FILE)
}

fn lock(stage_dir: &Path) -> Result<File> {
    let path = stage_dir.join(".review.lock");
    let lock = File::create(&path).with_context(io_context("create", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!(
            "{} is being reviewed by another process; open the address that it has printed (any number of people can), or end it first",
            stage_dir.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(io_context("lock", &path)),
    }
}

/// A response without the marks of reasoning is one that does not think; with them it must have R1's form.
fn check_edit(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("the text is empty; reject the example in place of that".into());
    }
    if !text.contains("<think>") && !text.contains("</think>") {
        return Ok(());
    }
    let body = text.trim_start().strip_prefix("<think>").and_then(|body| body.split_once("</think>"));
    match body {
        Some((reasoning, summary))
            if !reasoning.trim().is_empty()
                && !reasoning.contains("<think>")
                && !summary.trim().is_empty()
                && !summary.contains("think>") =>
        {
            Ok(())
        }
        _ => Err("expected <think>, the reasoning, </think> and a summary, each once and in this order; or none of the marks".into()),
    }
}
