//! Reflection words over training, and whether completions that have them are right more often.

use std::collections::BTreeMap;

use ruminate_rewards::REFLECTION_WORDS;
use ruminate_tasks::statistics::{SplitTally, Tally, clustered_share, difference_within_strata};

use super::digest::Source;
use super::model::{Points, Reflection, ReflectionAccuracy, WordCount};

/// Parts of the training that are compared within themselves.
const PARTS: u64 = 10;

/// Counts the rounds of a training stage; `None` without any.
pub(super) fn reflection(rounds: &[Source]) -> Option<Reflection> {
    let n_completions = rounds.iter().map(|round| round.n_completions).sum();
    if n_completions == 0 {
        return None;
    }
    let over_steps = |count: &dyn Fn(&Source) -> u64| -> Points {
        let filled = rounds.iter().filter(|round| round.n_completions > 0);
        filled.map(|round| (round.step.unwrap_or(0) as f64, count(round) as f64 / round.n_completions as f64)).collect()
    };
    let (mut words, mut absent) = (Vec::new(), Vec::new());
    for (idx, word) in REFLECTION_WORDS.into_iter().enumerate() {
        let n = rounds.iter().map(|round| round.words[idx]).sum();
        if n == 0 {
            absent.push(word);
        } else {
            words.push(WordCount { word, n, points: over_steps(&|round| round.words[idx]) });
        }
    }
    words.sort_by_key(|word| std::cmp::Reverse(word.n));
    let last = rounds.iter().filter_map(|round| round.step).max().unwrap_or(0);
    let mut by_kind: BTreeMap<&str, BTreeMap<u64, Vec<SplitTally>>> = BTreeMap::new();
    for round in rounds {
        let part = round.step.unwrap_or(0) * PARTS / (last + 1);
        for (kind, split) in &round.splits {
            by_kind.entry(kind).or_default().entry(part).or_default().push(*split);
        }
    }
    let strata: Vec<(&str, Vec<Vec<SplitTally>>)> =
        by_kind.into_iter().map(|(kind, parts)| (kind, parts.into_values().collect())).collect();
    let all: Vec<Vec<SplitTally>> = strata.iter().flat_map(|(_, parts)| parts.clone()).collect();
    Some(Reflection {
        n_completions,
        words,
        absent,
        share: over_steps(&|round| round.n_reflective as u64),
        kinds: strata.iter().map(|(kind, parts)| accuracy(kind, parts)).collect(),
        all: accuracy("all kinds", &all),
    })
}

fn accuracy(kind: &str, strata: &[Vec<SplitTally>]) -> ReflectionAccuracy {
    let side = |of: fn(&SplitTally) -> Tally| strata.iter().flatten().map(of).collect::<Vec<Tally>>();
    let (with, without) = (side(|split| split.with), side(|split| split.without));
    let n = |tallies: &[Tally]| tallies.iter().map(|tally| tally.samples).sum();
    ReflectionAccuracy {
        kind: kind.to_owned(),
        n_with: n(&with),
        n_without: n(&without),
        with: clustered_share(&with),
        without: clustered_share(&without),
        difference: difference_within_strata(strata),
    }
}
