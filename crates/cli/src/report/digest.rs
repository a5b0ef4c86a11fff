//! What a file of completions comes to: counts, and which of its completions may be shown. Files are read once: a live page asks again
//! and again, and only what is new is read.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ruminate_core::{Example, Outcome, Rollout, RolloutGroup, Seed};
use ruminate_model::{Checkpoint, Tokenizer};
use ruminate_rewards::{N_REFLECTION_WORDS, language_share, reflection_word_counts};
use ruminate_tasks::statistics::{Interval, SplitTally, Tally, interval_of_means, mean_over_seeds};
use serde::Deserialize;

use super::files::{Notes, step_files};
use crate::stages::evaluate::is_general;

/// Completions of a stratum that a file of a training step offers, at most.
const OFFERED_BY_STEP: usize = 2;

/// Completions of a stratum that any other file offers, at most.
const OFFERED: usize = 12;

/// Where a file's completions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// A round of training.
    Training,
    /// The evaluation of the stage's policy.
    Evaluation,
    /// A collection's examples.
    Kept,
    /// What a collection's filters took out.
    Dropped,
}

/// A file of completions.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The stage it belongs to.
    pub(super) stage: String,
    /// The step that sampled it.
    pub(super) step: Option<u64>,
    /// Where they come from.
    pub(super) origin: Origin,
    /// The file.
    pub(super) path: PathBuf,
    /// What it comes to.
    digest: Arc<Digest>,
}

impl std::ops::Deref for Source {
    type Target = Digest;

    fn deref(&self) -> &Digest {
        &self.digest
    }
}

/// Counts of a file.
#[derive(Debug, Default)]
pub(super) struct Digest {
    /// Completions in it.
    pub(super) n_completions: usize,
    /// How often each reflection word occurs.
    pub(super) words: [u64; N_REFLECTION_WORDS],
    /// Completions with a reflection word.
    pub(super) n_reflective: usize,
    /// Each problem's kind and right completions, with and without reflection words.
    pub(super) splits: Vec<(String, SplitTally)>,
    /// Completions that may be shown.
    pub(super) candidates: Vec<Candidate>,
    /// Of an evaluation: means with intervals over problems, `form`, `language`, `tokens`.
    pub(super) spreads: Option<BTreeMap<&'static str, Interval>>,
    n_damaged: usize,
}

/// A completion that may be shown.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Line of the file, from 0.
    pub(super) line: usize,
    /// Completion of the line's group.
    pub(super) rollout: usize,
    /// What it is like: few of each are shown.
    pub(super) stratum: Stratum,
    /// Its place among those that are like it: a hash, so that the choice is the same every time.
    pub(super) rank: u64,
}

/// Kind of problem, filter or outcome, and quarters of reward.
pub(super) type Stratum = (String, String, i64);

/// Files that were read, and tokenizers.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    files: HashMap<PathBuf, (u64, SystemTime, Arc<Digest>)>,
    tokenizers: HashMap<PathBuf, Option<Arc<Tokenizer>>>,
}

impl Digests {
    /// The rounds of a training stage, in order.
    pub(super) fn training(&mut self, dir: &Path, stage: &str, notes: &mut Notes) -> Vec<Source> {
        let files = step_files(&dir.join("rollouts"), notes);
        files.into_iter().filter_map(|(step, path)| self.file(&path, stage, Some(step), notes)).collect()
    }

    /// What a collection kept and dropped.
    pub(super) fn collected(&mut self, dir: &Path, stage: &str, notes: &mut Notes) -> Vec<Source> {
        let files = [("examples.jsonl", Origin::Kept), ("dropped.jsonl", Origin::Dropped)];
        files.into_iter().filter_map(|(name, origin)| self.source(&dir.join(name), stage, None, origin, notes)).collect()
    }

    /// The rollouts of a step, or without a step those of the evaluation.
    pub(super) fn file(&mut self, path: &Path, stage: &str, step: Option<u64>, notes: &mut Notes) -> Option<Source> {
        let origin = if step.is_some() { Origin::Training } else { Origin::Evaluation };
        self.source(path, stage, step, origin, notes)
    }

    fn source(&mut self, path: &Path, stage: &str, step: Option<u64>, origin: Origin, notes: &mut Notes) -> Option<Source> {
        let metadata = path.metadata().ok()?;
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let known = self.files.get(path).filter(|(size, time, _)| (*size, *time) == (metadata.len(), modified));
        let digest = match known {
            Some((.., digest)) => Arc::clone(digest),
            None => match digest(path, origin) {
                Ok(digest) => Arc::new(digest),
                Err(error) => {
                    notes.push(format!("{} cannot be read: {error}", path.display()));
                    return None;
                }
            },
        };
        if digest.n_damaged > 0 {
            notes.push(format!("{}: {} damaged lines are left out", path.display(), digest.n_damaged));
        }
        self.files.insert(path.to_owned(), (metadata.len(), modified, Arc::clone(&digest)));
        Some(Source { stage: stage.to_owned(), step, origin, path: path.to_owned(), digest })
    }

    /// The tokenizer of a policy; `None` if it cannot be read.
    pub(super) fn tokenizer(&mut self, folder: &Path) -> Option<Arc<Tokenizer>> {
        let open = || Checkpoint::open(folder).ok().map(|checkpoint| Arc::new(checkpoint.tokenizer));
        self.tokenizers.entry(folder.to_owned()).or_insert_with(open).clone()
    }
}

/// A line of `dropped.jsonl`.
#[derive(Debug, Deserialize)]
pub(super) struct Dropped {
    /// What was dropped.
    pub(super) example: Example,
    /// The filter that dropped it.
    pub(super) filter: String,
    /// Why, in words.
    #[serde(default)]
    pub(super) reason: String,
}

/// Whether the answer is right.
pub(super) fn is_right(rollout: &Rollout) -> bool {
    rollout.verdicts.get("accuracy").is_some_and(|verdict| verdict.outcome == Outcome::Right)
}

fn digest(path: &Path, origin: Origin) -> std::io::Result<Digest> {
    let mut digest = Digest::default();
    let mut evaluation = EvaluationSums::default();
    for (line_idx, line) in BufReader::new(File::open(path)?).lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let is_whole = match origin {
            Origin::Training | Origin::Evaluation => serde_json::from_str(&line).map(|group: RolloutGroup| {
                digest.add_group(line_idx, &group);
                if origin == Origin::Evaluation {
                    evaluation.add(&group);
                }
            }),
            Origin::Kept => serde_json::from_str(&line).map(|example: Example| digest.add_example(line_idx, &example, "kept")),
            Origin::Dropped => serde_json::from_str(&line).map(|it: Dropped| digest.add_example(line_idx, &it.example, &it.filter)),
        };
        digest.n_damaged += usize::from(is_whole.is_err());
    }
    digest.spreads = (origin == Origin::Evaluation).then(|| evaluation.spreads());
    let offered = if origin == Origin::Training { OFFERED_BY_STEP } else { OFFERED };
    digest.thin_out(offered);
    Ok(digest)
}

impl Digest {
    fn add_group(&mut self, line: usize, group: &RolloutGroup) {
        let seed = Seed::new(0).with(&group.problem.id.0);
        let mut split = SplitTally { with: Tally { right: 0, samples: 0 }, without: Tally { right: 0, samples: 0 } };
        for (idx, rollout) in group.rollouts.iter().enumerate() {
            let counts = reflection_word_counts(&rollout.text);
            self.words.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count as u64);
            let is_reflective = counts.iter().any(|&count| count > 0);
            let is_right = is_right(rollout);
            let side = if is_reflective { &mut split.with } else { &mut split.without };
            side.samples += 1;
            side.right += usize::from(is_right);
            self.n_reflective += usize::from(is_reflective);
            self.n_completions += 1;
            let outcome = if is_right { "right" } else { "wrong" };
            let quarters = (f64::from(rollout.reward) * 4.0).round() as i64;
            let stratum = (group.problem.kind.clone(), outcome.to_owned(), quarters);
            let rank = seed.with_index(u64::from(rollout.sample_idx)).value();
            self.candidates.push(Candidate { line, rollout: idx, stratum, rank });
        }
        self.splits.push((group.problem.kind.clone(), split));
    }

    fn add_example(&mut self, line: usize, example: &Example, fate: &str) {
        self.n_completions += 1;
        let stratum = (example.problem.kind.clone(), format!("{fate} {}", example.source), 0);
        self.candidates.push(Candidate { line, rollout: 0, stratum, rank: Seed::new(0).with(&example.id).value() });
    }

    /// Keeps the first few of each stratum.
    fn thin_out(&mut self, offered: usize) {
        self.candidates.sort_by(|a, b| (&a.stratum, a.rank, a.line, a.rollout).cmp(&(&b.stratum, b.rank, b.line, b.rollout)));
        let mut n_alike = 0;
        let mut last: Option<Stratum> = None;
        self.candidates.retain(|candidate| {
            n_alike = if last.as_ref() == Some(&candidate.stratum) { n_alike + 1 } else { 1 };
            last = Some(candidate.stratum.clone());
            n_alike <= offered
        });
        self.candidates.shrink_to_fit();
    }
}

/// Means of problems.
#[derive(Default)]
struct EvaluationSums {
    k: Option<usize>,
    form: Vec<f64>,
    language: Vec<f64>,
    tokens: Vec<f64>,
}

impl EvaluationSums {
    fn add(&mut self, group: &RolloutGroup) {
        let n = group.rollouts.len();
        // As evaluations count: a greeting has no reasoning and no form.
        if n == 0 || is_general(&group.problem) {
            return;
        }
        let mean = |value: &dyn Fn(&Rollout) -> f64| group.rollouts.iter().map(value).sum::<f64>() / n as f64;
        let has_form = |rollout: &Rollout| rollout.verdicts.get("format").is_some_and(|verdict| verdict.outcome == Outcome::Right);
        self.form.push(mean(&|rollout| f64::from(u8::from(has_form(rollout)))));
        self.tokens.push(mean(&|rollout| rollout.completion.token_ids.len() as f64));
        let shares: Vec<f64> =
            group.rollouts.iter().filter_map(|rollout| language_share(&rollout.text, group.problem.language)).map(f64::from).collect();
        if !shares.is_empty() {
            self.language.push(shares.iter().sum::<f64>() / shares.len() as f64);
        }
        self.k = Some(self.k.map_or(n, |k| k.min(n)));
    }

    fn spreads(self) -> BTreeMap<&'static str, Interval> {
        let k = self.k.unwrap_or(0);
        let mut spreads = BTreeMap::new();
        spreads.extend(interval_of_means(&self.form, k).map(|form| ("form", form)));
        spreads.extend(interval_of_means(&self.language, k).map(|language| ("language", language)));
        // Lengths are no shares: the interval is not cut to [0, 1].
        if let Some(tokens) = mean_over_seeds(&self.tokens).filter(|tokens| tokens.lo.is_finite()) {
            spreads.insert("tokens", Interval { mean: tokens.mean, lo: tokens.lo, hi: tokens.hi, n_problems: self.tokens.len(), k });
        }
        spreads
    }
}
