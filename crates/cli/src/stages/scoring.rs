//! Reward models beside the rules: scores of rollouts, as verdicts on a known scale.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use ruminate_core::{Outcome, RolloutGroup, TokenId, Verdict};
use ruminate_model::training::Activations;
use ruminate_model::{Checkpoint, Reads, RewardInfo, RewardModel};
use ruminate_rewards::{Component, RewardMix, add_score};
use ruminate_train::packing::{Sequence, pack};
use ruminate_train::trainer::score_sequences;

use super::StageContext;
use super::rollouts::PolicyText;
use crate::prompts::Prompter;
use crate::recipe::{GrpoConfig, Template};
use crate::reward_text::{RewardText, question, whole_response};

/// Standard deviations above and below the mean that are told apart: rewards go from 0 to 1 over this range.
const RANGE: f64 = 3.0;

/// The reward models of a stage, loaded.
#[derive(Debug)]
pub(super) struct Scorers {
    template: Template,
    system: Option<String>,
    microbatch_tokens: usize,
    scorers: Vec<Scorer>,
}

/// One reward model.
#[derive(Debug)]
struct Scorer {
    component: Component,
    checkpoint: Checkpoint,
    template: Template,
    info: RewardInfo,
    model: RewardModel,
    activations: Activations,
}

impl Scorers {
    /// Loads the reward models that the stage names.
    ///
    /// # Errors
    /// A stage that left no reward model, or one without a scale.
    pub(super) fn open(ctx: &StageContext<'_>, config: &GrpoConfig) -> Result<Self> {
        let open = |(component, id): (Component, &str)| {
            Scorer::open(ctx, component, id).with_context(|| format!("reward_models.{}: stage '{id}'", component.as_str()))
        };
        Ok(Self {
            template: config.template,
            system: config.system.clone(),
            microbatch_tokens: config.microbatch_tokens,
            scorers: config.reward_models.each().map(open).collect::<Result<_>>()?,
        })
    }

    /// Adds the verdict of every model that weighs something for the kind of problem, and counts the rewards again. Returns the time it took,
    /// seconds.
    ///
    /// # Errors
    /// A chat template that refuses a question; a device error.
    pub(super) fn score(&mut self, mix: &RewardMix, text: PolicyText<'_>, groups: &mut [RolloutGroup]) -> Result<f64> {
        let started = Instant::now();
        if self.scorers.is_empty() {
            return Ok(0.0);
        }
        let prompter = Prompter::new(self.template, self.system.as_deref(), text.chat)?;
        let opens_think = groups.iter().map(|group| Ok(prompter.prompt(&group.problem)?.opens_think)).collect::<Result<Vec<bool>>>()?;
        for scorer in &mut self.scorers {
            scorer.score(mix, &opens_think, self.microbatch_tokens, groups)?;
        }
        Ok(started.elapsed().as_secs_f64())
    }
}

/// What a model reads of a rollout.
struct Reading {
    group_idx: usize,
    rollout_idx: usize,
    /// Its tokens, or the verdict where there is nothing that it could read.
    ids: Result<Vec<TokenId>, Verdict>,
}

impl Scorer {
    fn open(ctx: &StageContext<'_>, component: Component, id: &str) -> Result<Self> {
        let dir = ctx.run_dir.stage(id);
        let policy = dir.manifest()?.and_then(|manifest| manifest.policy);
        let path = policy.map_or_else(|| dir.checkpoint(), |policy| ctx.run_dir.path().join(policy));
        let checkpoint = Checkpoint::open(&path)?;
        let model = RewardModel::load_frozen(ctx.device, &checkpoint)?;
        let Some(info) = checkpoint.reward_head.as_ref().and_then(|head| head.info.clone()) else {
            bail!(
                "{}: expected 'ruminate_reward' in config.json, an object with reads, template, mean and std of its scores, found none",
                path.display()
            );
        };
        let template = serde_json::from_value(info.template.as_str().into())
            .with_context(|| format!("{}: ruminate_reward.template of config.json", path.display()))?;
        // Looked at now, so that a chat template that is missing is not found in the middle of training.
        RewardText::new(info.reads, template, &checkpoint)?;
        let activations = Activations::new(ctx.device, model.policy().config(), 0)?;
        Ok(Self { component, checkpoint, template, info, model, activations })
    }

    fn score(&mut self, mix: &RewardMix, opens_think: &[bool], max_tokens: usize, groups: &mut [RolloutGroup]) -> Result<()> {
        let text = RewardText::new(self.info.reads, self.template, &self.checkpoint)?;
        let mut read: Vec<Reading> = Vec::new();
        for (group_idx, group) in groups.iter().enumerate() {
            if mix.weights_of(&group.problem.kind).of(self.component) == 0.0 {
                continue;
            }
            for (rollout_idx, rollout) in group.rollouts.iter().enumerate() {
                let response = whole_response(&rollout.text, opens_think[group_idx]);
                let ids = match text.read(&response) {
                    // Nothing to read earns nothing: a model's word on an empty text could be more than on a poor one.
                    "" => Err(nothing(self.info.reads)),
                    _ => text.ids(&question(&group.problem.question), &response)?.ok_or_else(unreadable),
                };
                read.push(Reading { group_idx, rollout_idx, ids });
            }
        }
        let mut scores = self.scores(read.iter().filter_map(|reading| reading.ids.as_deref().ok()), max_tokens)?.into_iter();
        for Reading { group_idx, rollout_idx, ids } in read {
            let verdict = match ids {
                Ok(ids) => self.verdict(scores.next().context("expected one score for each text")?, ids.len()),
                Err(verdict) => verdict,
            };
            let RolloutGroup { problem, rollouts, .. } = &mut groups[group_idx];
            let rollout = &mut rollouts[rollout_idx];
            let mut graded = (std::mem::take(&mut rollout.verdicts), rollout.reward);
            add_score(problem, mix, &mut graded, self.component, verdict);
            (rollout.verdicts, rollout.reward) = graded;
        }
        Ok(())
    }

    /// The score of each text.
    fn scores<'t>(&mut self, texts: impl Iterator<Item = &'t [TokenId]>, max_tokens: usize) -> Result<Vec<f32>> {
        let (model, activations) = (&self.model, &mut self.activations);
        let sequences: Vec<Sequence<'_>> = texts.map(|ids| Sequence { prompt_ids: model.scored(ids), completion_ids: &[] }).collect();
        let mut scores = Vec::with_capacity(sequences.len());
        for packed in pack(&sequences, max_tokens)? {
            scores.extend(score_sequences(model, activations, &packed)?);
        }
        Ok(scores)
    }

    /// The score on the scale of the responses that the model was trained on.
    fn verdict(&self, score: f32, n_tokens: usize) -> Verdict {
        let context = self.model.policy().context();
        let cut = if n_tokens > context { format!(", of which the last {context} tokens") } else { String::new() };
        scaled(&self.info, f64::from(score), &cut)
    }
}

/// Reward 0.5 at the mean of the training responses, 0 and 1 at three standard deviations from it and beyond; right if above the mean.
fn scaled(info: &RewardInfo, score: f64, cut: &str) -> Verdict {
    let z = info.normalise(score);
    let read = match info.reads {
        Reads::Summary => "the summary",
        Reads::Everything => "reasoning and summary",
    };
    let reason = format!("score {score:.3}, {z:+.2} standard deviations from the mean of its training; read {read}{cut}");
    let outcome = if z > 0.0 { Outcome::Right } else { Outcome::Wrong };
    Verdict { reward: (0.5 + z / (2.0 * RANGE)).clamp(0.0, 1.0) as f32, outcome, reason }
}

fn unreadable() -> Verdict {
    Verdict::none(Outcome::Unparsed, "expected a text that the reward model's tokenizer has tokens for, found one that it has not")
}

fn nothing(reads: Reads) -> Verdict {
    let reason = match reads {
        Reads::Summary => "expected a summary to read, found none behind the reasoning",
        Reads::Everything => "expected a response to read, found none",
    };
    Verdict::none(Outcome::Unparsed, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_are_on_the_scale_of_the_training_responses() {
        let info = RewardInfo { reads: Reads::Summary, template: "tiny".into(), mean: 1.0, std: 2.0 };
        for (score, reward, outcome) in [
            (1.0, 0.5, Outcome::Wrong),
            (4.0, 0.75, Outcome::Right),
            (-2.0, 0.25, Outcome::Wrong),
            (100.0, 1.0, Outcome::Right),
            (-100.0, 0.0, Outcome::Wrong),
        ] {
            let verdict = scaled(&info, score, "");
            assert!((verdict.reward - reward).abs() < 1e-6, "{score}: {verdict:?}");
            assert_eq!(verdict.outcome, outcome);
        }
        let reason = scaled(&info, 4.0, "").reason;
        assert_eq!(reason, "score 4.000, +1.50 standard deviations from the mean of its training; read the summary");
    }
}
