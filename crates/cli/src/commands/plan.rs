//! `ruminate plan`: what a recipe will take, from configurations alone.

use anyhow::{Context, Result, bail};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use ruminate_compute::Device;
use ruminate_model::decoder::Decoder;
use ruminate_model::{ModelConfig, Policy, tiny_tokenizer};
use ruminate_rollout::EngineLimits;
use ruminate_tasks::synthetic::pieces;
use ruminate_train::losses::KlEstimator;
use ruminate_train::trainer::Trainer;
use serde::Serialize;

use super::run::RecipeArgs;
use super::{DeviceChoice, print, print_json};
use crate::models;
use crate::problems::ProblemStream;
use crate::recipe::{EvaluationConfig, GrpoConfig, RunConfig, StageKind};
use crate::shapes;
use crate::stages::rollouts::max_cache_bytes;
use crate::summary::mebibytes;

/// Prints parameters, peak memory by phase and tokens per step of a recipe, and runs nothing.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// Print the plan as JSON.
    #[arg(long)]
    json: bool,
}

/// Prompts are not tokenized for a plan: a byte of a question is at most a token, and templates take about so many on top.
const TEMPLATE_TOKENS: usize = 128;

/// Questions that the longest prompt is estimated from.
const N_QUESTIONS: usize = 256;

/// What one stage takes.
#[derive(Debug, PartialEq, Serialize)]
struct StagePlan {
    id: String,
    kind: &'static str,
    n_parameters: usize,
    /// Optimizer steps.
    steps: Option<u64>,
    /// Most tokens that an optimizer step trains on.
    tokens_per_step: Option<u64>,
    /// Most bytes held at once, by phase.
    peak_bytes: std::collections::BTreeMap<&'static str, u64>,
}

impl PlanArgs {
    /// Prints the plan.
    pub(crate) fn run(&self) -> Result<()> {
        let config = self.recipe.load()?;
        let device = self.device.device()?;
        let plans = plan(&config, &device)?;
        if self.json {
            return print_json(&serde_json::json!({ "recipe": config.name, "device": device.name(), "stages": plans }));
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["stage", "kind", "parameters", "steps", "tokens per step, at most", "peak memory by phase"]);
        for plan in &plans {
            let peaks = plan.peak_bytes.iter().map(|(phase, &bytes)| format!("{phase} {}", mebibytes(bytes)));
            let number = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
            table.add_row([
                plan.id.clone(),
                plan.kind.to_owned(),
                plan.n_parameters.to_string(),
                number(plan.steps),
                number(plan.tokens_per_step),
                peaks.collect::<Vec<_>>().join(", "),
            ]);
        }
        for column in 2..5 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        print(&table.to_string())
    }
}

fn plan(config: &RunConfig, device: &Device) -> Result<Vec<StagePlan>> {
    let mut models: Vec<(String, ModelConfig)> = Vec::new();
    let mut plans = Vec::new();
    for stage in &config.stages {
        let model = match &stage.kind {
            StageKind::Load(load) => models::open(&load.path).with_context(|| format!("stage '{}'", stage.id))?.checkpoint.config,
            StageKind::Pretrain(pretrain) => tiny_config(&pretrain.shape)?,
            StageKind::Grpo(grpo) => {
                let (_, model) = models.iter().find(|(id, _)| *id == grpo.policy).context("stages come after those that they need")?;
                model.clone()
            }
        };
        let mut plan = StagePlan {
            id: stage.id.clone(),
            kind: stage.kind.name(),
            n_parameters: model.n_parameters(),
            steps: None,
            tokens_per_step: None,
            peak_bytes: std::collections::BTreeMap::new(),
        };
        match &stage.kind {
            StageKind::Load(_) => {}
            StageKind::Pretrain(pretrain) => {
                plan.steps = Some(pretrain.n_steps());
                plan.tokens_per_step = Some(pretrain.batch_tokens as u64);
                let bytes = weights_bytes(device, &model) + Trainer::bytes(device, &model, pretrain.microbatch_tokens);
                plan.peak_bytes.insert("train", bytes as u64);
            }
            StageKind::Grpo(grpo) => plan_grpo(&mut plan, grpo, &model, device)?,
        }
        if let Some(evaluation) = &config.evaluation {
            plan.peak_bytes.insert("evaluate", evaluation_bytes(evaluation, &model, device)? as u64);
        }
        if let Some(memory) = device.memory_bytes()
            && let Some((phase, bytes)) = plan.peak_bytes.iter().find(|(_, bytes)| **bytes > memory as u64)
        {
            let (needed, there) = (mebibytes(*bytes), mebibytes(memory as u64));
            bail!("stage '{}': {phase} needs {needed}, the device has {there}: lower microbatch_tokens or max_batch", stage.id);
        }
        plans.push(plan);
        models.push((stage.id.clone(), model));
    }
    Ok(plans)
}

/// A named shape with the vocabulary of the built-in world.
pub(crate) fn tiny_config(shape: &str) -> Result<ModelConfig> {
    let config = shapes::shape(shape)
        .with_context(|| format!("shape: expected one of {}, found '{shape}'", shapes::names().collect::<Vec<_>>().join(", ")))?;
    let tokenizer = tiny_tokenizer(&pieces())?;
    Ok(ModelConfig { vocab: tokenizer.vocab_size(), eos: tokenizer.eos_id().into_iter().collect(), ..config })
}

fn plan_grpo(plan: &mut StagePlan, grpo: &GrpoConfig, model: &ModelConfig, device: &Device) -> Result<()> {
    let settings = &grpo.settings;
    let budget = settings.max_completion_tokens as usize;
    let mut stream = ProblemStream::open(&grpo.prompts, ruminate_core::Seed::new(0), 0)?;
    let questions = (0..N_QUESTIONS).map(|_| Ok(stream.draw()?.question.len())).collect::<Result<Vec<_>>>()?;
    let longest = questions.into_iter().max().unwrap_or(0) + TEMPLATE_TOKENS;
    let sequence = (longest + budget).min(ruminate_model::context(model));
    plan.steps = Some(grpo.steps);
    plan.tokens_per_step = Some(u64::from(settings.prompts_per_step) * u64::from(settings.group_size) * sequence as u64);
    let max_batch = grpo.max_batch.min((settings.prompts_per_rollout() * u64::from(settings.group_size)) as usize);
    let weights = weights_bytes(device, model);
    let prepared = prepared_bytes(device, model);
    let reference = if settings.kl == KlEstimator::None { 0 } else { weights };
    let held = weights + reference + Trainer::bytes(device, model, 0) + decoder_bytes(device, model, max_batch, sequence);
    // While it samples, the CPU keeps a second copy of the weights in the layout that it reads fastest.
    // The activations of the step before are kept for the next.
    let activations = Trainer::bytes(device, model, grpo.microbatch_tokens.max(sequence)) - Trainer::bytes(device, model, 0);
    plan.peak_bytes.insert("rollout", (held + activations + prepared) as u64);
    plan.peak_bytes.insert("train", (held + activations) as u64);
    Ok(())
}

fn evaluation_bytes(config: &EvaluationConfig, model: &ModelConfig, device: &Device) -> Result<usize> {
    let problems = crate::problems::evaluation_set(&config.prompts, config.n_problems)?;
    let longest = problems.iter().map(|problem| problem.question.len()).max().unwrap_or(0) + TEMPLATE_TOKENS;
    let sequence = (longest + config.max_new_tokens).min(ruminate_model::context(model));
    let max_batch = config.max_batch.min(config.n_problems * config.samples as usize);
    Ok(weights_bytes(device, model) + prepared_bytes(device, model) + decoder_bytes(device, model, max_batch, sequence))
}

fn weights_bytes(device: &Device, model: &ModelConfig) -> usize {
    Policy::bytes(device, model)
}

/// The second copy of the weights that the CPU decodes from.
fn prepared_bytes(device: &Device, model: &ModelConfig) -> usize {
    if device.memory_bytes().is_some() { 0 } else { weights_bytes(device, model) }
}

fn decoder_bytes(device: &Device, model: &ModelConfig, max_batch: usize, max_sequence: usize) -> usize {
    let limits = EngineLimits { max_batch, max_sequence, max_cache_bytes: max_cache_bytes(device) };
    Decoder::bytes(device, model, limits.decoder_limits(model, device))
}
