//! Which completions a page holds: some of every stage, step, kind of problem and reward, in a bounded number of bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ruminate_core::RolloutGroup;

use super::digest::{Candidate, Digests, Origin, Source, Stratum};
use super::files::{self, Notes};
use super::model::StageReport;
use super::read::policy_folder;
use super::samples::Sample;

/// Most completions of a run in a page.
pub(super) const MAX_SAMPLES: usize = 600;

/// Most bytes of a run's completions in a page.
pub(super) const MAX_BYTES: usize = 8 << 20;

/// Parts of a stage's steps that completions are chosen from equally.
const STEP_PARTS: u64 = 12;

/// A candidate and the source it comes from.
type Choice<'a> = (usize, &'a Candidate);

/// The candidates of a stage that are alike: from the same kind of file, part of the steps and stratum.
type Strata<'a> = BTreeMap<(Origin, u64, &'a Stratum), Vec<Choice<'a>>>;

/// Chooses and reads completions: the same ones from the same files.
pub(super) fn choose(run: &Path, stages: &[StageReport], sources: &[Source], digests: &mut Digests, notes: &mut Notes) -> Vec<Sample> {
    let chosen = ordered(sources);
    let chosen = &chosen[..chosen.len().min(MAX_SAMPLES)];
    // Each file once; then back into the order of choice.
    let mut by_source: BTreeMap<usize, Vec<(usize, &Candidate)>> = BTreeMap::new();
    for (place, &(source, candidate)) in chosen.iter().enumerate() {
        by_source.entry(source).or_default().push((place, candidate));
    }
    let mut loaded: BTreeMap<usize, Sample> = BTreeMap::new();
    let mut without_tokenizer: Vec<&str> = Vec::new();
    for (source_idx, wanted) in by_source {
        let source = &sources[source_idx];
        let tokenizer = policy_folder(run, stages, &source.stage).and_then(|folder: PathBuf| digests.tokenizer(&folder));
        if tokenizer.is_none()
            && matches!(source.origin, Origin::Training | Origin::Evaluation)
            && !without_tokenizer.contains(&&*source.stage)
        {
            without_tokenizer.push(&source.stage);
            notes.push(format!("stage '{}': no tokenizer was found, its completions are shown without their tokens", source.stage));
        }
        let Some(text) = files::text(&source.path, notes) else { continue };
        let lines: Vec<&str> = text.lines().collect();
        for (place, candidate) in wanted {
            let Some(line) = lines.get(candidate.line) else { continue };
            if let Some(sample) = sample(source, candidate, line, tokenizer.as_deref()) {
                loaded.insert(place, sample);
            }
        }
    }
    let mut n_bytes = 0;
    let mut samples: Vec<Sample> = loaded
        .into_values()
        .take_while(|sample| {
            n_bytes += sample.n_bytes();
            n_bytes <= MAX_BYTES
        })
        .collect();
    let place = |stage: &str| stages.iter().position(|other| other.id == stage);
    samples.sort_by(|a, b| {
        let key = |sample: &Sample| {
            (place(&sample.stage), sample.step.unwrap_or(u64::MAX), sample.kind.clone(), sample.id.clone(), sample.sample)
        };
        key(a).cmp(&key(b))
    });
    samples
}

fn sample(source: &Source, candidate: &Candidate, line: &str, tokenizer: Option<&ruminate_model::Tokenizer>) -> Option<Sample> {
    match source.origin {
        Origin::Kept | Origin::Dropped => Sample::of_line(&source.stage, source.origin, line),
        Origin::Training | Origin::Evaluation => {
            let group: RolloutGroup = serde_json::from_str(line).ok()?;
            let rollout = group.rollouts.get(candidate.rollout)?;
            Some(Sample::of_rollout(&source.stage, source.step, &group, rollout, tokenizer))
        }
    }
}

/// All candidates, those that should be shown first at the front: stages take turns, and within a stage the strata do.
fn ordered(sources: &[Source]) -> Vec<Choice<'_>> {
    let mut by_stage: BTreeMap<&str, Strata<'_>> = BTreeMap::new();
    let mut last_step: BTreeMap<&str, u64> = BTreeMap::new();
    for source in sources {
        let last = last_step.entry(&source.stage).or_default();
        *last = (*last).max(source.step.unwrap_or(0));
    }
    for (source_idx, source) in sources.iter().enumerate() {
        let part = source.step.unwrap_or(0) * STEP_PARTS / (last_step[&*source.stage] + 1);
        for candidate in &source.candidates {
            let strata = by_stage.entry(&source.stage).or_default();
            strata.entry((source.origin, part, &candidate.stratum)).or_default().push((source_idx, candidate));
        }
    }
    round_robin(by_stage.into_values().map(within_stage).collect())
}

fn within_stage(strata: Strata<'_>) -> Vec<Choice<'_>> {
    let mut strata: Vec<Vec<Choice<'_>>> = strata.into_values().collect();
    for stratum in &mut strata {
        stratum.sort_by_key(|&(source, candidate)| (candidate.rank, source));
    }
    // Where there are more strata than room, which of them are shown is left to the hash too: not only those of the first steps.
    strata.sort_by_key(|stratum| stratum.first().map(|&(source, candidate)| (candidate.rank, source)));
    round_robin(strata)
}

fn round_robin<T>(lists: Vec<Vec<T>>) -> Vec<T> {
    let n = lists.iter().map(Vec::len).sum();
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let mut all = Vec::with_capacity(n);
    while all.len() < n {
        all.extend(lists.iter_mut().filter_map(Iterator::next));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_take_turns() {
        assert_eq!(round_robin(vec![vec![1, 2, 3], vec![], vec![4], vec![5, 6]]), [1, 4, 5, 2, 6, 3]);
        assert_eq!(round_robin(Vec::<Vec<u8>>::new()), Vec::<u8>::new());
    }
}
