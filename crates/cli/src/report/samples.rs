//! A completion as the page shows it.

use ruminate_core::{Example, FinishReason, Gold, Outcome, Problem, Rollout, RolloutGroup, Verdict};
use ruminate_model::Tokenizer;
use serde::Serialize;

use super::digest::{Dropped, Origin, is_right};
use super::pieces::pieces;

/// Tokens of a completion that are shown from its start and from its end.
const SHOWN_TOKENS: (usize, usize) = (1200, 400);

/// Most characters of a prompt, a gold answer or a reason.
const SHOWN_CHARS: usize = 4000;

/// A completion with everything that is known about it. Names are short: there are hundreds in a page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sample {
    /// Stage.
    pub(super) stage: String,
    /// Step that sampled it.
    pub(super) step: Option<u64>,
    /// `training`, `evaluation`, `kept` or `dropped`.
    pub(super) origin: &'static str,
    /// Kind of problem.
    pub(super) kind: String,
    /// Name of the problem or example.
    pub(super) id: String,
    /// Number within its group.
    pub(super) sample: Option<u32>,
    /// Whether the answer is right; `None` if no rule said.
    pub(super) right: Option<bool>,
    /// Weighted sum of the verdicts.
    pub(super) reward: Option<f32>,
    /// Why it ended.
    pub(super) finish: Option<FinishReason>,
    /// What the policy was shown.
    pub(super) prompt: String,
    /// The right answer.
    pub(super) gold: String,
    /// The text of each token; one piece where the tokens are not known.
    pub(super) pieces: Vec<String>,
    /// Log-probability of each piece at sampling time, in hundredths; empty where not known.
    pub(super) logprobs: Vec<i32>,
    /// All tokens.
    pub(super) n_tokens: usize,
    /// Tokens that are left out behind piece [`SHOWN_TOKENS`]`.0`.
    pub(super) n_hidden: usize,
    /// Component, reward, outcome, reason.
    pub(super) verdicts: Vec<(String, f32, Outcome, String)>,
    /// The filter that dropped it and why, or how it was made.
    pub(super) remark: String,
}

impl Sample {
    /// A completion of a round or an evaluation.
    pub(super) fn of_rollout(
        stage: &str,
        step: Option<u64>,
        group: &RolloutGroup,
        rollout: &Rollout,
        tokenizer: Option<&Tokenizer>,
    ) -> Self {
        let completion = &rollout.completion;
        let decode = |ids: &[u32]| tokenizer?.decode(ids).ok();
        let mut logprobs: Vec<i32> =
            completion.rollout_logprobs.iter().map(|logprob| (logprob * 100.0).round().clamp(-9999.0, 0.0) as i32).collect();
        let mut shown = match pieces(decode, &completion.token_ids) {
            Some(pieces) if tokenizer.is_some() && pieces.len() == logprobs.len() => pieces,
            _ => {
                logprobs.clear();
                vec![shortened(&rollout.text)]
            }
        };
        let n_hidden = hide_middle(&mut shown, &mut logprobs);
        let prompt = tokenizer.and_then(|tokenizer| tokenizer.decode(&group.prompt_ids).ok());
        Self {
            stage: stage.to_owned(),
            step,
            origin: if step.is_some() { "training" } else { "evaluation" },
            kind: group.problem.kind.clone(),
            id: group.problem.id.0.clone(),
            sample: Some(rollout.sample_idx),
            right: Some(is_right(rollout)),
            reward: Some(rollout.reward),
            finish: Some(completion.finish_reason),
            prompt: shortened(prompt.as_deref().unwrap_or(&group.problem.question)),
            gold: gold(&group.problem),
            pieces: shown,
            logprobs,
            n_tokens: completion.token_ids.len(),
            n_hidden,
            verdicts: verdicts(rollout.verdicts.iter()),
            remark: String::new(),
        }
    }

    /// An example that a collection kept or dropped.
    pub(super) fn of_example(stage: &str, example: &Example, dropped: Option<&Dropped>) -> Self {
        let (turns, response) = example.messages.split_at(example.messages.len().saturating_sub(1));
        let turns: Vec<String> = turns.iter().map(|turn| format!("[{}] {}", turn.role.as_str(), turn.content)).collect();
        let accuracy = example.verdicts.get("accuracy");
        Self {
            stage: stage.to_owned(),
            step: None,
            origin: if dropped.is_some() { "dropped" } else { "kept" },
            kind: example.problem.kind.clone(),
            id: example.id.clone(),
            sample: None,
            right: accuracy.map(|verdict| verdict.outcome == Outcome::Right),
            reward: None,
            finish: None,
            prompt: shortened(&turns.join("\n")),
            gold: gold(&example.problem),
            pieces: response.iter().map(|turn| shortened(&turn.content)).collect(),
            logprobs: Vec::new(),
            n_tokens: 0,
            n_hidden: 0,
            verdicts: verdicts(example.verdicts.iter()),
            remark: match dropped {
                Some(dropped) => shortened(&format!("{} ({}): {}", dropped.filter, example.source, dropped.reason)),
                None => example.source.clone(),
            },
        }
    }

    /// Bytes that it takes in the page, about.
    pub(super) fn n_bytes(&self) -> usize {
        serde_json::to_string(self).map_or(0, |json| json.len())
    }

    /// A line of a collection's file.
    pub(super) fn of_line(stage: &str, origin: Origin, line: &str) -> Option<Self> {
        if origin == Origin::Kept {
            return Some(Self::of_example(stage, &serde_json::from_str(line).ok()?, None));
        }
        let dropped: Dropped = serde_json::from_str(line).ok()?;
        Some(Self::of_example(stage, &dropped.example, Some(&dropped)))
    }
}

fn verdicts<'a>(verdicts: impl Iterator<Item = (&'a String, &'a Verdict)>) -> Vec<(String, f32, Outcome, String)> {
    verdicts.map(|(name, verdict)| (name.clone(), verdict.reward, verdict.outcome, shortened(&verdict.reason))).collect()
}

/// Takes tokens out of the middle of a long completion; gives back how many.
fn hide_middle(pieces: &mut Vec<String>, logprobs: &mut Vec<i32>) -> usize {
    let (first, last) = SHOWN_TOKENS;
    if pieces.len() <= first + last {
        return 0;
    }
    let hidden = first..pieces.len() - last;
    if logprobs.len() == pieces.len() {
        logprobs.drain(hidden.clone());
    }
    let n_hidden = hidden.len();
    pieces.drain(hidden);
    n_hidden
}

/// The right answer in words.
fn gold(problem: &Problem) -> String {
    match &problem.gold {
        Gold::Value { text } => shortened(text),
        Gold::Judged { reference } => shortened(reference),
        Gold::Countdown { numbers, target, .. } => format!("{target} out of {numbers:?}"),
        Gold::Code(_) => "a program that passes the tests".to_owned(),
        other => shortened(&serde_json::to_string(other).unwrap_or_default()),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{} […]", &text[..end]),
        None => text.to_owned(),
    }
}
