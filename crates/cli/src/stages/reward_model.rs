//! `reward_model`: a model that scores responses, from pairs of which one is better or from responses that are good or not.
//!
//! Responses are sampled and judged, or read from a file; what is kept is written down, learned from, and measured on prompts that were
//! held out. Formulas and names: `docs/concepts/reward-models.md`.

pub(crate) mod data;
mod make;
mod measure;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ruminate_core::Seed;
use ruminate_model::{RewardInfo, RewardModel, SaveDtype, flops};
use ruminate_train::losses::{PairwiseOutputs, PointwiseOutputs, pairwise_loss, pointwise_loss};
use ruminate_train::packing::{PackedBatch, Sequence, pack_together};
use ruminate_train::preferences::epoch_order;
use ruminate_train::schedule::learning_rate;
use ruminate_train::trainer::{MicrobatchLoss, Trainer};

use self::data::{Entry, Item};
pub(crate) use self::measure::RewardReport;
use super::state::{self, Counters};
use super::{COMPUTE_KEY, StageContext, StageResult, longest};
use crate::models;
use crate::recipe::{RewardLoss, RewardModelConfig, Template};
use crate::reward_text::{RewardText, template_of};
use crate::run_dir::{MetricsFile, StageDir, write_json};
use crate::ui::Progress;

/// Trains, or goes on training, and writes checkpoint and report.
pub(super) fn run(ctx: &StageContext<'_>, stage_id: &str, dir: &StageDir, config: &RewardModelConfig) -> Result<StageResult> {
    let seed = ctx.seed(stage_id);
    let start = models::open(&ctx.policy_path(&config.policy)?.display().to_string())?.checkpoint;
    let template = config.template.unwrap_or_else(|| template_of(&start));
    let text = RewardText::new(config.reads, template, &start)?;
    let mut model = RewardModel::start(ctx.device, &start, seed.with("head"))?;
    let prepared = data::prepare(ctx, stage_id, dir, config, &text, longest(config.max_tokens, model.policy().context()))?;
    let (train, held_out): (Vec<&Item>, Vec<&Item>) = prepared.items.iter().partition(|item| !item.is_held_out);

    let mut trainer = Trainer::recomputing(model.policy(), config.optimizer.config(), config.recompute_layers)?;
    let learner = Learner { config, seed, train: &train, held_out: &held_out };
    let mut progress = ctx.ui.progress(stage_id, learner.n_steps());
    learner.learn(dir, &mut model, &mut trainer, &mut progress)?;

    let of_train = scores(config, &mut trainer, &model, &train)?;
    let of_held_out = scores(config, &mut trainer, &model, &held_out)?;
    let (mean, std) = measure::scale(&of_train);
    ensure!(
        std > 0.0 && std.is_finite(),
        "the {} training responses all have the score {mean}: nothing was learned; raise learning_rate or epochs",
        of_train.iter().map(Vec::len).sum::<usize>()
    );
    let report = measure::report(config, &prepared, (&train, &of_train), (&held_out, &of_held_out));
    progress.finish(&report.to_string());
    let info = RewardInfo { reads: config.reads, template: template_name(template)?, mean, std };
    model.save(&dir.checkpoint(), &start.tokenizer, start.chat_template.as_ref(), &info, SaveDtype::F32)?;
    write_json(&dir.reward_report(), &report)?;
    // It writes no text: it is no policy.
    Ok(StageResult { policy: None })
}

/// What is learned, and in which order.
struct Learner<'a> {
    config: &'a RewardModelConfig,
    seed: Seed,
    train: &'a [&'a Item],
    held_out: &'a [&'a Item],
}

impl Learner<'_> {
    /// Entries of a step.
    fn batch_size(&self) -> usize {
        (self.config.n_sequences() / self.config.loss.n_sequences()).min(self.train.len())
    }

    fn steps_per_epoch(&self) -> u64 {
        self.train.len().div_ceil(self.batch_size()) as u64
    }

    fn n_steps(&self) -> u64 {
        self.config.epochs * self.steps_per_epoch()
    }

    /// Makes the steps that earlier sittings did not.
    fn learn(&self, dir: &StageDir, model: &mut RewardModel, trainer: &mut Trainer, progress: &mut Progress) -> Result<()> {
        let mut counters = state::restore(dir, model.policy_mut(), trainer, None)?;
        let mut metrics = MetricsFile::open(&dir.metrics(), counters.step)?;
        progress.start_at(counters.step);
        while counters.step < self.n_steps() {
            let started = Instant::now();
            let batch = self.batch(counters.step);
            let mut figures = self.step(model, trainer, counters.step, &batch).with_context(|| format!("step {}", counters.step))?;
            progress.set(counters.step + 1, &format!("loss {:.3}, right {:.0}%", figures[0].1, 100.0 * figures[1].1));
            if (counters.step + 1).is_multiple_of(self.steps_per_epoch()) && !self.held_out.is_empty() {
                let scores = scores(self.config, trainer, model, self.held_out)?;
                let (loss, accuracy) = measure::loss_and_accuracy(self.config.loss, self.held_out, &scores);
                figures.extend([("rm/held_out_loss", loss), ("rm/held_out_accuracy", accuracy)]);
            }
            figures.push(("seconds/train", started.elapsed().as_secs_f64()));
            metrics.append(counters.step, &figures)?;
            counters = Counters { step: counters.step + 1, position: counters.position + batch.len() as u64 };
            if counters.step.is_multiple_of(self.config.save_every) && counters.step < self.n_steps() {
                state::save(dir, model.policy(), trainer, None, counters)?;
            }
        }
        // A kill from here on trains nothing again.
        state::save(dir, model.policy(), trainer, None, counters)
    }

    /// The entries of a step: a new order in each epoch.
    fn batch(&self, step: u64) -> Vec<&Item> {
        let order = epoch_order(self.train.len(), step / self.steps_per_epoch(), self.seed);
        let first = (step % self.steps_per_epoch()) as usize * self.batch_size();
        order.iter().skip(first).take(self.batch_size()).map(|&idx| self.train[idx]).collect()
    }

    /// One optimizer step; its figures begin with loss and accuracy.
    fn step(&self, model: &mut RewardModel, trainer: &mut Trainer, step: u64, batch: &[&Item]) -> Result<Vec<(&'static str, f64)>> {
        let sums = accumulate(self.config, trainer, model, batch)?;
        let rate = learning_rate(&self.config.schedule, step, self.n_steps());
        let stats = trainer.step(model.policy_mut(), rate)?;
        let n = batch.len() as f64;
        let mut figures = vec![
            ("rm/loss", sums.loss),
            ("rm/accuracy", sums.n_right as f64 / n),
            ("rm/learning_rate", f64::from(rate)),
            ("rm/grad_norm", stats.grad_norm),
            ("rm/epoch", (step / self.steps_per_epoch()) as f64),
            ("rm/tokens", sums.n_tokens as f64),
            (COMPUTE_KEY, sums.flops),
        ];
        if self.config.loss == RewardLoss::Pairwise {
            figures.push(("rm/score_difference", sums.difference / n));
        }
        Ok(figures)
    }
}

fn template_name(template: Template) -> Result<String> {
    Ok(serde_json::from_value(serde_json::to_value(template)?)?)
}

/// Sums over a batch.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    loss: f64,
    n_right: usize,
    difference: f64,
    n_tokens: usize,
    /// Floating-point operations.
    flops: f64,
}

/// The sequences of some items, those of one item together.
fn packed(config: &RewardModelConfig, model: &RewardModel, items: &[&Item]) -> Result<Vec<PackedBatch>> {
    let texts = items.iter().flat_map(|item| item.entry.texts());
    let sequences: Vec<Sequence<'_>> = texts.map(|ids| Sequence { prompt_ids: model.scored(ids), completion_ids: &[] }).collect();
    Ok(pack_together(&sequences, config.loss.n_sequences(), config.microbatch_tokens)?)
}

/// Adds the gradient of a batch.
fn accumulate(config: &RewardModelConfig, trainer: &mut Trainer, model: &RewardModel, batch: &[&Item]) -> Result<Sums> {
    let mut sums = Sums::default();
    for packed in packed(config, model, batch)? {
        // An item's sequences follow each other.
        let items: Vec<&Item> =
            packed.sequence_idx.iter().step_by(config.loss.n_sequences()).map(|idx| batch[idx / config.loss.n_sequences()]).collect();
        let result = trainer
            .accumulate_scores(model, &packed, |scores| loss(config, &items, scores, batch.len()))
            .with_context(|| format!("entries {}", items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>().join(", ")))?;
        sums.loss += result.loss;
        sums.n_right += result.metrics.n_right;
        sums.difference += result.metrics.difference;
        sums.n_tokens += packed.n_tokens();
        sums.flops += flops::scored_training(model.policy().config(), packed.cu_seqlens.windows(2).map(|w| w[1] - w[0]));
    }
    Ok(sums)
}

/// The loss of a microbatch by its scores.
fn loss(config: &RewardModelConfig, items: &[&Item], scores: &[f32], n_batch: usize) -> MicrobatchLoss<Sums> {
    match config.loss {
        RewardLoss::Pairwise => {
            let (chosen, rejected): (Vec<f32>, Vec<f32>) = scores.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
            let margins: Vec<f32> = items.iter().map(|item| config.loss_margin * item.entry.margin()).collect();
            let PairwiseOutputs { loss, d_chosen, d_rejected, n_right, difference_sum } =
                pairwise_loss(&chosen, &rejected, &margins, n_batch);
            let dlogprobs = d_chosen.into_iter().zip(d_rejected).flat_map(|(chosen, rejected)| [chosen, rejected]).collect();
            MicrobatchLoss { loss, dlogprobs, metrics: Sums { n_right, difference: difference_sum, ..Sums::default() } }
        }
        RewardLoss::Pointwise => {
            let labels: Vec<bool> = items.iter().map(|item| item.entry.is_good()).collect();
            let PointwiseOutputs { loss, d_scores, n_right } = pointwise_loss(scores, &labels, n_batch);
            MicrobatchLoss { loss, dlogprobs: d_scores, metrics: Sums { n_right, ..Sums::default() } }
        }
    }
}

/// The scores of each item's texts: of a pair the chosen one's first.
fn scores(config: &RewardModelConfig, trainer: &mut Trainer, model: &RewardModel, items: &[&Item]) -> Result<Vec<Vec<f32>>> {
    let mut flat = Vec::with_capacity(2 * items.len());
    for packed in packed(config, model, items)? {
        flat.extend(trainer.score_sequences(model, &packed)?);
    }
    Ok(flat.chunks(config.loss.n_sequences()).map(<[f32]>::to_vec).collect())
}

impl Entry {
    /// The margin of a pair; 0 where nobody gave one.
    fn margin(&self) -> f32 {
        match self {
            Self::Pair { margin, .. } => *margin,
            Self::Labelled { .. } => 0.0,
        }
    }

    /// The label of a response; the better of a pair comes first, so that a pair is right as it stands.
    fn is_good(&self) -> bool {
        match self {
            Self::Pair { .. } => true,
            Self::Labelled { is_good, .. } => *is_good,
        }
    }
}
