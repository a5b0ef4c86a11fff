//! The examples of a stage as tokens: read, tokenized, held out, counted.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use ruminate_core::{Example, Seed};
use serde::{Deserialize, Serialize};

use crate::dialogue::{Dialogue, Encoded};
use crate::recipe::{ExampleSource, SftConfig, StageKind, TooLong};
use crate::stages::StageContext;
use crate::stages::collect::{learned_examples, read_examples};

/// Ids that a message names at most.
const MAX_NAMED: usize = 5;

/// Examples from one place.
pub(super) struct Source {
    name: String,
    weight: f32,
    examples: Vec<Example>,
}

/// One example as tokens.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Id of the example.
    pub(super) id: String,
    /// Weight of the loss of its tokens.
    pub(super) weight: f32,
    /// Its tokens.
    pub(super) encoded: Encoded,
}

/// What there is to learn from.
pub(super) struct Data {
    pub(super) trained: Vec<Item>,
    pub(super) held_out: Vec<Item>,
    pub(super) record: DataRecord,
}

/// `data.json`: what a policy was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DataRecord {
    /// The sources, in the order of the recipe.
    pub(crate) sources: Vec<SourceRecord>,
}

/// Counts of one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SourceRecord {
    /// Id of a stage, or path of a file.
    pub(crate) from: String,
    /// Weight of the loss of its tokens.
    pub(crate) weight: f32,
    /// Examples that are trained.
    pub(crate) n_trained: usize,
    /// Examples that are held out.
    pub(crate) n_held_out: usize,
    /// Ids of the examples that are left out since they are longer than the context.
    pub(crate) too_long: Vec<String>,
    /// Tokens of the trained examples.
    pub(crate) n_tokens: usize,
    /// Those of them that enter the loss.
    pub(crate) n_trained_tokens: usize,
}

/// Reads all sources of a stage.
///
/// # Errors
/// A source that is damaged or holds nothing; two examples of one id.
pub(super) fn sources(ctx: &StageContext<'_>, config: &SftConfig) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for from in &config.examples {
        let name = from.name();
        let examples = match from {
            ExampleSource::Stage { from, .. } => of_stage(ctx, from).with_context(|| format!("examples of stage '{from}'"))?,
            ExampleSource::File { data, .. } => read_examples(data, None)?,
        };
        for example in &examples {
            if let Some(other) = seen.insert(example.id.clone(), name.clone()) {
                bail!("examples: id '{}' is in '{other}' and in '{name}', expected each example once", example.id);
            }
        }
        sources.push(Source { name, weight: from.weight(), examples });
    }
    Ok(sources)
}

/// What a collecting stage kept, as reviewers left it.
fn of_stage(ctx: &StageContext<'_>, id: &str) -> Result<Vec<Example>> {
    let stage = ctx.config.stages.iter().find(|stage| stage.id == id);
    let Some(StageKind::Collect(collect)) = stage.map(|stage| &stage.kind) else {
        bail!("expected a stage that collects, found another kind");
    };
    learned_examples(&ctx.run_dir.stage(id), collect)
}

/// Tokenizes the examples for one policy and holds some out.
///
/// # Errors
/// By example: a conversation that its template or tokenizer refuses, one of more than `longest` tokens. Nothing left to train on, or
/// nothing to hold out.
pub(super) fn prepare(
    ctx: &StageContext<'_>,
    label: &str,
    config: &SftConfig,
    sources: &[Source],
    dialogue: &Dialogue<'_>,
    longest: usize,
) -> Result<Data> {
    let questions = || sources.iter().flat_map(|source| source.examples.iter().map(|example| example.problem.question.as_str()));
    let held_out_questions = held_out(questions(), config.held_out);
    let mut data = Data { trained: Vec::new(), held_out: Vec::new(), record: DataRecord { sources: Vec::new() } };
    for source in sources {
        let Source { name, weight, .. } = source;
        let mut record = SourceRecord { from: name.clone(), weight: *weight, ..SourceRecord::default() };
        for example in &source.examples {
            let encoded = dialogue.encode(&example.messages).with_context(|| format!("example '{}'", example.id))?;
            if encoded.token_ids.len() > longest {
                record.too_long.push(example.id.clone());
                continue;
            }
            let item = Item { id: example.id.clone(), weight: *weight, encoded };
            if held_out_questions.contains(example.problem.question.as_str()) {
                record.n_held_out += 1;
                data.held_out.push(item);
            } else {
                record.n_trained += 1;
                record.n_tokens += item.encoded.token_ids.len();
                record.n_trained_tokens += item.encoded.n_trained();
                data.trained.push(item);
            }
        }
        data.record.sources.push(record);
    }
    report_too_long(ctx, label, config, &data.record, longest)?;
    if data.trained.is_empty() {
        bail!("expected examples to train on, found none: {} are held out", data.held_out.len());
    }
    if config.held_out > 0.0 && data.held_out.is_empty() {
        bail!("held_out = {}: expected examples of at least two questions, so that one can be held out; set held_out = 0", config.held_out);
    }
    Ok(data)
}

fn report_too_long(ctx: &StageContext<'_>, label: &str, config: &SftConfig, record: &DataRecord, longest: usize) -> Result<()> {
    let ids: Vec<&str> = record.sources.iter().flat_map(|source| &source.too_long).map(String::as_str).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let more = ids.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more, all of them in data.json") } else { String::new() };
    let named = format!("{}{more}", ids[..ids.len().min(MAX_NAMED)].join(", "));
    if config.too_long == TooLong::Error {
        bail!(
            "expected examples of at most {longest} tokens, {}, found {} longer ones: {named}; shorten them, or leave them out with \
             too_long = \"skip\"",
            if config.max_tokens == Some(longest) { "max_tokens" } else { "the context of the policy" },
            ids.len()
        );
    }
    ctx.ui.say(&format!("{label}: {} examples are longer than {longest} tokens and left out: {named}", ids.len()));
    Ok(())
}

/// The questions whose examples are held out: by a hash that knows no run and no seed, the first `share` of them, and at least one if
/// there are two.
fn held_out<'a>(questions: impl Iterator<Item = &'a str>, share: f32) -> std::collections::BTreeSet<&'a str> {
    let key = |question: &str| Seed::new(0).with("sft held out").with(question).value();
    let mut by_hash: BTreeMap<(u64, &str), ()> = BTreeMap::new();
    by_hash.extend(questions.map(|question| ((key(question), question), ())));
    let n = by_hash.len();
    let n_held_out = if share > 0.0 && n >= 2 { ((f64::from(share) * n as f64).round() as usize).clamp(1, n - 1) } else { 0 };
    by_hash.into_keys().take(n_held_out).map(|(_, question)| question).collect()
}

/// The order in which an epoch goes through `n` examples: a pure function of its arguments.
pub(super) fn learn_order(n: usize, seed: Seed, epoch: u64) -> Vec<usize> {
    let seed = seed.with_index(epoch);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&idx| (seed.with_index(idx as u64).value(), idx));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_has_every_example_once_in_another_order() {
        let (first, second) = (learn_order(50, Seed::new(1), 0), learn_order(50, Seed::new(1), 1));
        assert_eq!(first, learn_order(50, Seed::new(1), 0));
        assert_ne!(first, second);
        assert_ne!(first, learn_order(50, Seed::new(2), 0));
        for mut order in [first, second] {
            order.sort_unstable();
            assert_eq!(order, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn questions_are_held_out_whole_and_at_least_one() {
        let texts: Vec<String> = (0..100).map(|i| format!("{i}?")).collect();
        let twice = || texts.iter().chain(&texts).map(String::as_str);
        assert_eq!(held_out(twice(), 0.05).len(), 5);
        assert_eq!(held_out(twice().rev(), 0.05), held_out(twice(), 0.05), "the order does not matter");
        assert_eq!(held_out(twice().take(3), 0.05).len(), 1);
        assert_eq!(held_out(twice().take(2), 0.9).len(), 1);
        assert_eq!(held_out(twice().take(1), 0.5).len(), 0);
        assert_eq!(held_out(twice(), 0.0).len(), 0);
    }
}
