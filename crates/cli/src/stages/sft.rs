//! `sft`: supervised fine-tuning on conversations, the loss on what the assistant says only; distillation is the same on data of a teacher.
//!
//! Several policies and learning rates are tried one after the other, each combination in a directory of its own. Formulas and names:
//! `docs/concepts/sft.md`.

mod choose;
mod data;

use std::time::Instant;

use anyhow::{Context, Result};
use ruminate_model::{Checkpoint, Policy, SaveDtype, flops};
use ruminate_tasks::statistics::Interval;
use ruminate_train::losses::{SftOutputs, weighted_sft_loss};
use ruminate_train::packing::{MaskedSequence, PackedBatch, pack_masked};
use ruminate_train::schedule::learning_rate;
use ruminate_train::trainer::{MicrobatchLoss, SumOver, TrainError, Trainer};
use serde::{Deserialize, Serialize};

use self::data::{Item, Source, learn_order, sources};
use super::evaluate::{evaluate_policy, evaluate_stage, interval_figures};
use super::rollouts::PolicyText;
use super::state::{self, Counters};
use super::{COMPUTE_KEY, StageContext, StageResult, longest, own_checkpoint};
use crate::dialogue::Dialogue;
use crate::models;
use crate::recipe::{BestBy, SftConfig, SftVariant};
use crate::run_dir::{MetricsFile, StageDir, read_json, write_json};

/// What came of one combination of policy and learning rate, `variant.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct VariantResult {
    /// Name of the combination.
    pub(crate) name: String,
    /// Id of the stage whose policy was trained.
    pub(crate) policy: String,
    /// Peak learning rate.
    pub(crate) learning_rate: f32,
    /// Size of the policy.
    pub(crate) n_parameters: usize,
    /// Optimizer steps.
    pub(crate) steps: u64,
    /// Steps behind the policy that was kept.
    pub(crate) best_step: u64,
    /// Mean loss of a held-out token before training, nats; `None` if nothing is held out.
    pub(crate) held_out_loss_before: Option<f64>,
    /// The same of the policy that was kept.
    pub(crate) held_out_loss: Option<f64>,
    /// Training loss of the last step.
    pub(crate) last_loss: f64,
    /// pass@1 of the policy that was kept, if the stage is evaluated.
    pub(crate) pass_at_1: Option<Interval>,
    /// Floating-point operations of training.
    pub(crate) flops: f64,
}

/// The best policy so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Best {
    /// What is best by: a loss, or pass@1.
    value: f64,
    /// Steps behind it; 0 if there is none yet.
    step: u64,
    /// Its loss on held-out examples.
    held_out_loss: Option<f64>,
    /// That of the policy before training.
    held_out_loss_before: Option<f64>,
    /// Training loss of the last step.
    last_loss: f64,
}

/// Trains every variant that is not done, and makes the best one of the first policy the stage's own.
pub(super) fn run(ctx: &StageContext<'_>, stage_id: &str, dir: &StageDir, config: &SftConfig) -> Result<StageResult> {
    let sources = sources(ctx, config)?;
    let variants = config.variants();
    if let [variant] = variants.as_slice() {
        train_variant(ctx, stage_id, stage_id, dir, config, variant, &sources)?;
        return Ok(own_checkpoint(stage_id, dir));
    }
    let mut results: Vec<VariantResult> = Vec::new();
    for variant in &variants {
        let variant_dir = dir.variant(&variant.name);
        let record = variant_dir.path().join("variant.json");
        if let Some(result) = read_json(&record)? {
            results.push(result);
            continue;
        }
        let label = format!("{stage_id}/{}", variant.name);
        let mut result = train_variant(ctx, stage_id, &label, &variant_dir, config, variant, &sources)?;
        if let Some(settings) = ctx.evaluation_settings(stage_id) {
            result.pass_at_1 = Some(evaluate_stage(ctx, &label, &variant_dir, &variant_dir.checkpoint(), settings)?.pass_at_1);
        }
        write_json(&record, &result)?;
        results.push(result);
    }
    choose::take_best(ctx, dir, config, &results)?;
    Ok(own_checkpoint(stage_id, dir))
}

/// Trains, or goes on training, one policy at one learning rate and writes the best checkpoint.
fn train_variant(
    ctx: &StageContext<'_>,
    stage_id: &str,
    label: &str,
    dir: &StageDir,
    config: &SftConfig,
    variant: &SftVariant,
    sources: &[Source],
) -> Result<VariantResult> {
    let start = models::open(&ctx.policy_path(&variant.policy)?.display().to_string())?.checkpoint;
    let text = PolicyText { tokenizer: &start.tokenizer, chat: start.chat_template.as_ref() };
    let mut policy = Policy::load(ctx.device, &start)?;
    let dialogue = Dialogue::new(config.template, config.system.as_deref(), text, policy.config())?;
    let data = data::prepare(ctx, label, config, sources, &dialogue, longest(config.max_tokens, policy.context()))
        .with_context(|| format!("examples for the policy of stage '{}'", variant.policy))?;
    write_json(&dir.path().join("data.json"), &data.record)?;
    for item in &data.trained {
        policy.add_eos(item.encoded.end)?;
    }
    let mut trainer = Trainer::recomputing(&policy, config.optimizer.config(), config.recompute_layers)?;
    let (mut counters, mut best): (Counters, Best) = state::restore_with(dir, &mut policy, &mut trainer, None)?;
    let mut metrics = MetricsFile::open(&dir.metrics(), counters.step)?;
    let tuning = Tuning { ctx, stage_id, label, dir, config, start: &start, held_out: &data.held_out };
    let seed = ctx.seed(stage_id).with("order");
    let per_epoch = data.trained.len().div_ceil(config.batch_examples) as u64;
    let n_steps = per_epoch * u64::from(config.epochs);
    if counters.step == 0 {
        best.held_out_loss_before = held_out_loss(&policy, &mut trainer, &data.held_out, config.microbatch_tokens)?;
    }
    let mut progress = ctx.ui.progress(label, n_steps);
    progress.start_at(counters.step);

    while counters.step < n_steps {
        // A new order of all examples in each epoch.
        let (epoch, batch_idx) = (counters.step / per_epoch, (counters.step % per_epoch) as usize);
        let order = learn_order(data.trained.len(), seed, epoch);
        let batch: Vec<&Item> =
            order.chunks(config.batch_examples).nth(batch_idx).into_iter().flatten().map(|&i| &data.trained[i]).collect();

        // One optimizer step.
        let started = Instant::now();
        let rate = learning_rate(&variant.schedule, counters.step, n_steps);
        let at = || format!("step {}, epoch {}", counters.step, epoch + 1);
        let loss = accumulate(&policy, &mut trainer, &batch, config.microbatch_tokens).with_context(at)?;
        let stats = trainer.step(&mut policy, rate).map_err(|error| name_examples(error, &batch)).with_context(at)?;
        let n_tokens: usize = batch.iter().map(|item| item.encoded.token_ids.len()).sum();
        let mut figures = vec![
            ("sft/loss", loss),
            ("sft/grad_norm", stats.grad_norm),
            ("sft/learning_rate", f64::from(rate)),
            ("sft/epoch", (counters.step + 1) as f64 / per_epoch as f64),
            ("sft/tokens", n_tokens as f64),
            ("sft/trained_tokens", batch.iter().map(|item| item.encoded.n_trained()).sum::<usize>() as f64),
            (COMPUTE_KEY, flops::training(policy.config(), batch.iter().map(|item| item.encoded.token_ids.len()))),
            ("seconds/train", started.elapsed().as_secs_f64()),
        ];
        if counters.step == 0 {
            figures.extend(best.held_out_loss_before.map(|loss| ("sft/held_out_loss_before", loss)));
        }
        best.last_loss = loss;
        let before = counters.step;
        counters.step += 1;
        counters.position += batch.len() as u64;
        progress.set(counters.step, &format!("loss {loss:.3}, {:.0} tokens/s", n_tokens as f64 / started.elapsed().as_secs_f64()));

        // What was learned shows on what was not trained; the best policy stays.
        let every = config.evaluate_every.unwrap_or(per_epoch);
        let is_due = counters.step.is_multiple_of(every) || counters.step == n_steps;
        if is_due {
            figures.extend(tuning.measure(&policy, &mut trainer, &mut best, counters.step)?);
        }
        metrics.append(before, &figures)?;
        if is_due || counters.step.is_multiple_of(config.save_every) {
            state::save_with(dir, &policy, &trainer, None, counters, &best)?;
        }
    }
    progress.finish(&finish_message(n_steps, &best));
    Ok(VariantResult {
        name: variant.name.clone(),
        policy: variant.policy.clone(),
        learning_rate: variant.schedule.learning_rate,
        n_parameters: policy.n_parameters(),
        steps: n_steps,
        best_step: best.step,
        held_out_loss_before: best.held_out_loss_before,
        held_out_loss: best.held_out_loss,
        last_loss: best.last_loss,
        pass_at_1: None,
        flops: super::spent(&dir.metrics())?.total,
    })
}

/// What stays the same while one policy is trained.
struct Tuning<'a> {
    ctx: &'a StageContext<'a>,
    stage_id: &'a str,
    label: &'a str,
    dir: &'a StageDir,
    config: &'a SftConfig,
    start: &'a Checkpoint,
    held_out: &'a [Item],
}

impl Tuning<'_> {
    /// Measures the policy after `step` steps on what is not trained, and writes it if it is the best so far. Gives back the figures.
    fn measure(&self, policy: &Policy, trainer: &mut Trainer, best: &mut Best, step: u64) -> Result<Vec<(&'static str, f64)>> {
        let started = Instant::now();
        let loss = held_out_loss(policy, trainer, self.held_out, self.config.microbatch_tokens)?;
        let (tokenizer, chat) = (&self.start.tokenizer, self.start.chat_template.as_ref());
        let pass_at_1 = match (self.config.best_by, self.ctx.evaluation_settings(self.stage_id)) {
            (BestBy::PassAt1, Some(settings)) => {
                let text = PolicyText { tokenizer, chat };
                Some(evaluate_policy(self.ctx, policy, text, settings, self.label)?.0.pass_at_1)
            }
            _ => None,
        };
        let mean = pass_at_1.map(|interval| interval.mean);
        if is_better(self.config.best_by, best, loss, mean) {
            *best = Best { value: mean.or(loss).unwrap_or(0.0), step, held_out_loss: loss, ..*best };
            // Before the state: a kill between them makes the same steps, and the same file, again.
            policy.save(&self.dir.checkpoint(), tokenizer, chat, SaveDtype::F32)?;
        }
        let others = [("sft/held_out_loss", loss), ("seconds/evaluate", Some(started.elapsed().as_secs_f64()))];
        let others = others.into_iter().filter_map(|(key, value)| Some((key, value?)));
        Ok(others.chain(pass_at_1.iter().flat_map(interval_figures)).collect())
    }
}

/// Microbatches of conversations, in their order.
fn pack_items(items: &[&Item], max_tokens: usize) -> Result<Vec<PackedBatch>> {
    let sequences: Vec<MaskedSequence<'_>> =
        items.iter().map(|item| MaskedSequence { token_ids: &item.encoded.token_ids, is_trained: &item.encoded.is_trained }).collect();
    Ok(pack_masked(&sequences, max_tokens)?)
}

/// Adds the gradient of the weighted mean loss of the batch's trained tokens, and gives back that loss.
fn accumulate(policy: &Policy, trainer: &mut Trainer, batch: &[&Item], max_tokens: usize) -> Result<f64> {
    let total_weight: f64 = batch.iter().map(|item| f64::from(item.weight) * item.encoded.n_trained() as f64).sum();
    let mut batch_loss = 0.0;
    for packed in pack_items(batch, max_tokens)? {
        let weight_of = |s: usize| std::iter::repeat_n(batch[packed.sequence_idx[s]].weight, packed.rows(s).len());
        let weights: Vec<f32> = (0..packed.n_sequences()).flat_map(weight_of).collect();
        let result = trainer.accumulate(policy, &packed, 1.0, SumOver::Tokens, |part, scores| {
            let SftOutputs { loss, dlogprobs } = weighted_sft_loss(&scores.logprobs, &weights[part.rows.clone()], total_weight);
            MicrobatchLoss { loss, dlogprobs, metrics: () }
        });
        batch_loss += result.map_err(|error| name_examples(error, batch))?.loss;
    }
    Ok(batch_loss)
}

/// Mean −log π of the trained tokens of held-out examples, nats; `None` without any.
fn held_out_loss(policy: &Policy, trainer: &mut Trainer, items: &[Item], max_tokens: usize) -> Result<Option<f64>> {
    let (mut sum, mut n) = (0.0, 0);
    for packed in pack_items(&items.iter().collect::<Vec<_>>(), max_tokens)? {
        let scores = trainer.score(policy, &packed, 1.0)?;
        sum -= scores.logprobs.iter().map(|&logprob| f64::from(logprob)).sum::<f64>();
        n += scores.logprobs.len();
    }
    Ok((n > 0).then(|| sum / n as f64))
}

/// Whether the policy of now takes the place of the best one so far; of equal ones the earlier stays.
fn is_better(by: BestBy, best: &Best, loss: Option<f64>, pass_at_1: Option<f64>) -> bool {
    match (by, loss, pass_at_1) {
        _ if best.step == 0 => true,
        (BestBy::HeldOutLoss, Some(loss), _) => loss < best.value,
        (BestBy::PassAt1, _, Some(pass_at_1)) => pass_at_1 > best.value,
        (BestBy::Last | BestBy::HeldOutLoss | BestBy::PassAt1, ..) => true,
    }
}

/// Says which examples were in the microbatch without a finite loss, or in the step without a finite gradient.
fn name_examples(error: TrainError, batch: &[&Item]) -> anyhow::Error {
    let involved: Vec<&str> = match &error {
        TrainError::NonFiniteLoss { sequences, .. } => sequences.iter().map(|&idx| batch[idx].id.as_str()).collect(),
        TrainError::NonFiniteGradient { .. } => batch.iter().map(|item| item.id.as_str()).collect(),
        TrainError::Model(_) => return error.into(),
    };
    let names = involved.join(", ");
    anyhow::Error::from(error).context(format!("examples {names}"))
}

fn finish_message(n_steps: u64, best: &Best) -> String {
    let loss = match (best.held_out_loss_before, best.held_out_loss) {
        (Some(before), Some(after)) => format!(", held-out loss {before:.3} -> {after:.3}"),
        _ => String::new(),
    };
    format!("{n_steps} steps, kept the policy of step {}{loss}", best.step)
}
