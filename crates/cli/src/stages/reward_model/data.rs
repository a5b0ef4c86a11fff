//! What a reward model learns from: records on disk, files of others, and the way to tokens.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use ruminate_core::{Message, TokenId};
use ruminate_train::preferences::{LengthCount, balance_lengths, hold_out};
use serde::{Deserialize, Serialize};

use super::super::StageContext;
use super::make;
use crate::preference_file;
use crate::recipe::{RewardLoss, RewardModelConfig, RewardSource};
use crate::reward_text::RewardText;
use crate::run_dir::{StageDir, read_json, read_jsonl, write_json, write_jsonl};

/// A pair or a labelled response with where it came from: a line of `pairs.jsonl` or `labels.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Unique within the stage.
    pub(crate) id: String,
    /// The conversation up to the response.
    pub(crate) prompt: Vec<Message>,
    /// The responses and what was said of them.
    #[serde(flatten)]
    pub(crate) said: Said,
    /// Whether the prompt is held out.
    #[serde(default)]
    pub(crate) is_held_out: bool,
}

/// Responses and what was said of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Said {
    /// One response is better than the other.
    Pair {
        /// The better response.
        chosen: String,
        /// The other.
        rejected: String,
        /// By how much, in the judge's scores, if anybody said.
        margin: Option<f32>,
        /// Stages whose policies gave them.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<[String; 2]>,
    },
    /// A response is good or not.
    Label {
        /// The response.
        response: String,
        /// Good, or safe.
        label: bool,
        /// Stage whose policy gave it.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
}

/// Where the data went, part of `reward_model.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Pairs or responses that were judged, or that the file holds.
    pub(crate) judged: usize,
    /// Of these, pairs without a preference, or responses that the judge was unsure of.
    pub(crate) no_preference: usize,
    /// Pairs of the file whose margin is too small.
    pub(crate) small_margin: usize,
    /// Those with a text longer than the model's context.
    pub(crate) too_long: usize,
    /// Those with a text that the tokenizer has no tokens for.
    pub(crate) unreadable: usize,
    /// Pairs whose responses are read as the same text.
    pub(crate) same_text: usize,
    /// Pairs that went so that length says little.
    pub(crate) unbalanced: usize,
    /// Which side was longer before.
    pub(crate) lengths_before: LengthCount,
    /// Which side is longer in the pairs that were kept.
    pub(crate) lengths_after: LengthCount,
    /// What was kept.
    pub(crate) kept: usize,
}

/// Tokens of a pair or a labelled response.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// Of two responses the better and the other.
    Pair { chosen: Vec<TokenId>, rejected: Vec<TokenId>, margin: f32 },
    /// One response.
    Labelled { ids: Vec<TokenId>, is_good: bool },
}

impl Entry {
    /// Its texts, the better one first.
    pub(super) fn texts(&self) -> Vec<&[TokenId]> {
        match self {
            Self::Pair { chosen, rejected, .. } => vec![chosen, rejected],
            Self::Labelled { ids, .. } => vec![ids],
        }
    }
}

/// One entry of the data, ready to be learned from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) id: String,
    /// What was asked, as a key: entries of one prompt belong together.
    pub(super) prompt: String,
    pub(super) is_held_out: bool,
    pub(super) entry: Entry,
}

/// Everything that is learned from or held out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prepared {
    pub(super) items: Vec<Item>,
    pub(super) counts: Counts,
}

/// Makes the stage's data, or reads what an earlier sitting made.
pub(super) fn prepare(
    ctx: &StageContext<'_>,
    stage_id: &str,
    dir: &StageDir,
    config: &RewardModelConfig,
    text: &RewardText<'_>,
    longest: usize,
) -> Result<Prepared> {
    let file = dir.path().join(if config.loss == RewardLoss::Pairwise { "pairs.jsonl" } else { "labels.jsonl" });
    let counts_file = dir.path().join("data.json");
    let (records, counts) = match read_json(&counts_file)? {
        Some(counts) => (read_jsonl(&file)?, counts),
        None => {
            let (made, mut counts) = match &config.source {
                RewardSource::File { data } => from_file(data, config)?,
                RewardSource::Made(made) => make::make(ctx, stage_id, dir, config, made, text)?,
            };
            let records = choose(ctx, stage_id, config, text, longest, made, &mut counts)?;
            write_jsonl(&file, &records)?;
            // Last: where the counts are, the records are too.
            write_json(&counts_file, &counts)?;
            (records, counts)
        }
    };
    // None of those that were kept is unreadable, unless somebody changed the file.
    let read = |record: &Record| {
        item(record, text)?.with_context(|| format!("{}: expected text that the tokenizer has tokens for in {}", file.display(), record.id))
    };
    let items = records.iter().map(read).collect::<Result<Vec<_>>>()?;
    check(config, &items, &counts)?;
    say(ctx, stage_id, config, &counts);
    Ok(Prepared { items, counts })
}

fn from_file(data: &Path, config: &RewardModelConfig) -> Result<(Vec<Record>, Counts)> {
    let records = preference_file::read(data, config.loss)?;
    let counts = Counts { judged: records.len(), ..Counts::default() };
    Ok((records, counts))
}

/// The tokens of a record; `None` if the tokenizer has none for one of its texts.
fn item(record: &Record, text: &RewardText<'_>) -> Result<Option<Item>> {
    let ids = |response: &str| text.ids(&record.prompt, response).with_context(|| format!("entry {}", record.id));
    let entry = match &record.said {
        Said::Pair { chosen, rejected, margin, .. } => {
            let (Some(chosen), Some(rejected)) = (ids(chosen)?, ids(rejected)?) else { return Ok(None) };
            Entry::Pair { chosen, rejected, margin: margin.unwrap_or(0.0) }
        }
        Said::Label { response, label, .. } => {
            let Some(ids) = ids(response)? else { return Ok(None) };
            Entry::Labelled { ids, is_good: *label }
        }
    };
    Ok(Some(Item { id: record.id.clone(), prompt: prompt_key(&record.prompt), is_held_out: record.is_held_out, entry }))
}

fn prompt_key(prompt: &[Message]) -> String {
    prompt.iter().flat_map(|message| [message.role.as_str(), "\n", &message.content, "\n"]).collect()
}

/// Keeps what can be learned from, and says which prompts are held out.
fn choose(
    ctx: &StageContext<'_>,
    stage_id: &str,
    config: &RewardModelConfig,
    text: &RewardText<'_>,
    longest: usize,
    mut records: Vec<Record>,
    counts: &mut Counts,
) -> Result<Vec<Record>> {
    let mut lengths = Vec::new();
    let mut kept = Vec::new();
    for record in records.drain(..) {
        let Some(item) = item(&record, text)? else {
            counts.unreadable += 1;
            continue;
        };
        let texts = item.entry.texts();
        let n_tokens: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        let is_small = matches!(record.said, Said::Pair { margin: Some(margin), .. } if margin <= config.min_margin);
        if is_small {
            counts.small_margin += 1;
        } else if n_tokens.iter().any(|&n| n > longest) {
            counts.too_long += 1;
        } else if texts.len() == 2 && texts[0] == texts[1] {
            counts.same_text += 1;
        } else {
            // The prompt is the same on both sides: what differs is the response.
            lengths.push((n_tokens[0], n_tokens.get(1).copied().unwrap_or(n_tokens[0])));
            kept.push(record);
        }
    }
    counts.lengths_before = LengthCount::of(&lengths);
    if config.balance_lengths {
        let stay = balance_lengths(&lengths);
        counts.unbalanced = kept.len() - stay.len();
        kept = stay.iter().map(|&idx| kept[idx].clone()).collect();
        lengths = stay.iter().map(|&idx| lengths[idx]).collect();
    }
    counts.lengths_after = LengthCount::of(&lengths);
    counts.kept = kept.len();
    let prompts: Vec<String> = kept.iter().map(|record| prompt_key(&record.prompt)).collect();
    let keys: Vec<&str> = prompts.iter().map(String::as_str).collect();
    let out = hold_out(&keys, config.held_out, ctx.seed(stage_id).with("held-out"));
    kept.iter_mut().zip(out).for_each(|(record, is_out)| record.is_held_out = is_out);
    Ok(kept)
}

/// There must be something to learn from.
fn check(config: &RewardModelConfig, items: &[Item], counts: &Counts) -> Result<()> {
    let train: Vec<&Item> = items.iter().filter(|item| !item.is_held_out).collect();
    match config.loss {
        RewardLoss::Pairwise => {
            ensure!(
                !items.is_empty(),
                "expected pairs to learn from, none is left of {} that were judged: {} without a preference, {} with a margin of at most {}, \
                 {} too long, {} that the tokenizer cannot read, {} of one text, {} dropped because the longer response always wins or always loses; lower min_margin, set \
                 balance_lengths = false, or take responses from more policies",
                counts.judged,
                counts.no_preference,
                counts.small_margin,
                config.min_margin,
                counts.too_long,
                counts.unreadable,
                counts.same_text,
                counts.unbalanced
            );
        }
        RewardLoss::Pointwise => {
            let n_good = train.iter().filter(|item| matches!(item.entry, Entry::Labelled { is_good: true, .. })).count();
            if n_good == 0 || n_good == train.len() {
                bail!(
                    "expected good and bad responses, found {n_good} good ones among {} for training ({} judged, {} unsure, {} too long); a \
                     model cannot learn from one label: add harmful requests, or policies that do not refuse them",
                    train.len(),
                    counts.judged,
                    counts.no_preference,
                    counts.too_long
                );
            }
        }
    }
    ensure!(!train.is_empty(), "expected at least two prompts, one of them to hold out, found one; set held_out = 0.0 or add prompts");
    Ok(())
}

fn say(ctx: &StageContext<'_>, stage_id: &str, config: &RewardModelConfig, counts: &Counts) {
    let Counts { judged, unbalanced, lengths_before, lengths_after, kept, .. } = counts;
    let left_out = judged - kept - unbalanced;
    match config.loss {
        RewardLoss::Pairwise => ctx.ui.say(&format!(
            "{stage_id}: {kept} pairs of {judged}; {left_out} without a clear preference or of no use, {unbalanced} dropped to balance lengths \
             (the longer one won in {} and lost in {}, now {} and {})",
            lengths_before.longer_wins, lengths_before.shorter_wins, lengths_after.longer_wins, lengths_after.shorter_wins
        )),
        RewardLoss::Pointwise => ctx.ui.say(&format!("{stage_id}: {kept} labelled responses of {judged}, {left_out} unsure or of no use")),
    }
}

/// The samples of a policy, a file for each chunk of prompts.
pub(super) fn samples_file(dir: &StageDir, policy: &str, chunk: usize) -> PathBuf {
    dir.path().join("samples").join(format!("{policy}-{chunk:05}.jsonl"))
}
