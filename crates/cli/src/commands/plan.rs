//! `ruminate plan`: what a recipe will take, from configurations alone.

use anyhow::{Context, Result, bail};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use ruminate_compute::Device;
use ruminate_model::decoder::Decoder;
use ruminate_model::training::Activations;
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
use crate::recipe::{
    CollectConfig, EvaluationConfig, GrpoConfig, PromptSource, RewardModelConfig, RewardSource, RunConfig, SftConfig, StageConfig,
    StageKind,
};
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

impl StagePlan {
    fn new(stage: &StageConfig, n_parameters: usize) -> Self {
        Self {
            id: stage.id.clone(),
            kind: stage.kind.name(),
            n_parameters,
            steps: None,
            tokens_per_step: None,
            peak_bytes: std::collections::BTreeMap::new(),
        }
    }
}

/// The model that an earlier stage makes.
fn model_of(models: &[(String, ModelConfig)], id: &str) -> Result<ModelConfig> {
    let (_, model) = models.iter().find(|(other, _)| other == id).context("stages come after those that they need")?;
    Ok(model.clone())
}

fn plan(config: &RunConfig, device: &Device) -> Result<Vec<StagePlan>> {
    let mut models: Vec<(String, ModelConfig)> = Vec::new();
    let mut plans = Vec::new();
    for stage in &config.stages {
        let model = match &stage.kind {
            StageKind::Load(load) => models::shape(&load.path).with_context(|| format!("stage '{}'", stage.id))?,
            StageKind::Pretrain(pretrain) => tiny_config(&pretrain.shape)?,
            StageKind::Collect(collect) => {
                plans.push(plan_collect(&stage.id, collect, &models, device)?);
                continue;
            }
            StageKind::Grpo(grpo) => model_of(&models, &grpo.policy)?,
            StageKind::Sft(sft) => model_of(&models, &sft.policies[0])?,
            // Its head for tokens is left out, and a row of the width of the hidden state takes its place.
            StageKind::RewardModel(reward) => ModelConfig { tied: true, ..model_of(&models, &reward.policy)? },
            StageKind::Compare(_) => {
                plans.push(StagePlan::new(stage, 0));
                continue;
            }
        };
        let mut plan = StagePlan::new(stage, model.n_parameters());
        match &stage.kind {
            StageKind::Load(_) | StageKind::Collect(_) | StageKind::Compare(_) => {}
            StageKind::Sft(sft) => plan_sft(&mut plan, sft, &models, device)?,
            StageKind::Pretrain(pretrain) => {
                plan.steps = Some(pretrain.n_steps());
                plan.tokens_per_step = Some(pretrain.batch_tokens as u64);
                let bytes =
                    weights_bytes(device, &model) + Trainer::bytes(device, &model, pretrain.microbatch_tokens, pretrain.recompute_layers);
                plan.peak_bytes.insert("train", bytes as u64);
            }
            StageKind::Grpo(grpo) => plan_grpo(&mut plan, grpo, &model, &models, device)?,
            StageKind::RewardModel(reward) => plan_reward_model(&mut plan, reward, &model, &models, device)?,
        }
        let makes_policy = !matches!(stage.kind, StageKind::RewardModel(_));
        if let (Some(evaluation), Some(_), true) = (&config.evaluation, &stage.evaluate, makes_policy) {
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

/// A collecting stage holds one policy after the other; it makes none, so that nothing is evaluated.
fn plan_collect(id: &str, collect: &CollectConfig, models: &[(String, ModelConfig)], device: &Device) -> Result<StagePlan> {
    let asked: Vec<&ModelConfig> =
        collect.policies().filter_map(|policy| models.iter().find(|(id, _)| id == policy)).map(|(_, model)| model).collect();
    let mut peak_bytes = std::collections::BTreeMap::new();
    if !asked.is_empty() {
        // A worked example is about as long as a response.
        let longest = longest_question(&collect.prompts)? + TEMPLATE_TOKENS + collect.max_new_tokens;
        let bytes = |model: &&ModelConfig| {
            let sequence = (longest + collect.max_new_tokens).min(ruminate_model::context(model));
            2 * weights_bytes(device, model) + decoder_bytes(device, model, collect.max_batch, sequence)
        };
        peak_bytes.insert("sample", asked.iter().map(bytes).max().unwrap_or(0) as u64);
    }
    let n_parameters = asked.iter().map(|model| model.n_parameters()).max().unwrap_or(0);
    Ok(StagePlan { id: id.to_owned(), kind: "collect", n_parameters, steps: None, tokens_per_step: None, peak_bytes })
}

/// Responses are sampled from one policy after the other, with the weights of the model to be trained at hand; then it is trained.
fn plan_reward_model(
    plan: &mut StagePlan,
    reward: &RewardModelConfig,
    model: &ModelConfig,
    models: &[(String, ModelConfig)],
    device: &Device,
) -> Result<()> {
    plan.n_parameters += model.hidden;
    let weights = weights_bytes(device, model);
    let mut sequence = ruminate_model::context(model);
    if let RewardSource::Made(made) = &reward.source {
        let longest = longest_question(&made.prompts)? + TEMPLATE_TOKENS;
        let mut peak = 0;
        for id in &made.responses_from {
            let policy = &model_of(models, id)?;
            let of_policy = (longest + made.max_new_tokens).min(ruminate_model::context(policy));
            let max_batch = made.max_batch.min(made.n_prompts * made.samples as usize);
            peak = peak.max(2 * weights_bytes(device, policy) + decoder_bytes(device, policy, max_batch, of_policy));
        }
        plan.peak_bytes.insert("rollout", (weights + peak) as u64);
        sequence = sequence.min(longest + made.max_new_tokens);
        // Some pairs will have no clear preference: these are the most steps that there can be.
        let n_responses = made.n_prompts * made.samples as usize * made.responses_from.len();
        let n_entries = if reward.loss.n_sequences() == 2 { made.n_prompts * made.pairs_per_prompt } else { n_responses };
        plan.steps = Some(reward.epochs * (n_entries * reward.loss.n_sequences()).div_ceil(reward.n_sequences()) as u64);
    }
    plan.tokens_per_step = Some((reward.n_sequences() * sequence) as u64);
    // The two responses of a pair are in one forward pass.
    let together = reward.microbatch_tokens.max(reward.loss.n_sequences() * sequence);
    plan.peak_bytes.insert("train", (weights + Trainer::bytes(device, model, together, reward.recompute_layers)) as u64);
    Ok(())
}

/// Bytes of the longest of some questions.
fn longest_question(prompts: &[PromptSource]) -> Result<usize> {
    let mut stream = ProblemStream::open(prompts, ruminate_core::Seed::new(0), 0)?;
    let questions = (0..N_QUESTIONS).map(|_| Ok(stream.draw()?.question.len())).collect::<Result<Vec<_>>>()?;
    Ok(questions.into_iter().max().unwrap_or(0))
}

fn plan_grpo(
    plan: &mut StagePlan,
    grpo: &GrpoConfig,
    model: &ModelConfig,
    models: &[(String, ModelConfig)],
    device: &Device,
) -> Result<()> {
    let settings = &grpo.settings;
    let budget = settings.max_completion_tokens as usize;
    let longest = longest_question(&grpo.prompts)? + TEMPLATE_TOKENS;
    let sequence = (longest + budget).min(ruminate_model::context(model));
    // With `compute_of` alone, how many steps there are depends on how long completions become.
    plan.steps = grpo.steps;
    plan.tokens_per_step = Some(u64::from(settings.prompts_per_step) * u64::from(settings.group_size) * sequence as u64);
    let max_batch = grpo.max_batch.min((settings.prompts_per_rollout() * u64::from(settings.group_size)) as usize);
    let weights = weights_bytes(device, model);
    let prepared = prepared_bytes(device, model);
    let reference = if settings.kl == KlEstimator::None { 0 } else { weights };
    // Reward models stay loaded, each with activations of its own.
    let mut scorers = 0;
    for (_, id) in grpo.reward_models.each() {
        let scorer = &model_of(models, id)?;
        let longest = grpo.microbatch_tokens.max(sequence.min(ruminate_model::context(scorer)));
        scorers += weights_bytes(device, scorer) + Activations::bytes(device, scorer, longest, 0);
    }
    let held = weights + reference + scorers + Trainer::bytes(device, model, 0, 0) + decoder_bytes(device, model, max_batch, sequence);
    // While it samples, the CPU keeps a second copy of the weights in the layout that it reads fastest.
    // The activations of the step before are kept for the next.
    let longest = grpo.microbatch_tokens.max(sequence);
    let activations = Activations::bytes(device, model, longest, grpo.recompute_layers) - Activations::bytes(device, model, 0, 0);
    plan.peak_bytes.insert("rollout", (held + activations + prepared) as u64);
    plan.peak_bytes.insert("train", (held + activations) as u64);
    Ok(())
}

/// Examples of earlier stages are not there yet, so steps are known only where all come from files.
fn plan_sft(plan: &mut StagePlan, sft: &SftConfig, models: &[(String, ModelConfig)], device: &Device) -> Result<()> {
    if sft.example_stages().next().is_none() {
        let counts =
            sft.example_files().map(|data| Ok(crate::stages::collect::read_examples(data, None)?.len())).collect::<Result<Vec<_>>>()?;
        // Held-out examples only take steps away.
        let steps = counts.iter().sum::<usize>().div_ceil(sft.batch_examples) as u64 * u64::from(sft.epochs);
        plan.steps = Some(steps * sft.variants().len() as u64);
    }
    let mut peak = 0;
    for policy in &sft.policies {
        let model = model_of(models, policy)?;
        // A conversation is not cut: one as long as the context has a forward pass of its own.
        let longest = sft.microbatch_tokens.max(ruminate_model::context(&model));
        let tokens = sft.batch_examples as u64 * ruminate_model::context(&model) as u64;
        plan.tokens_per_step = plan.tokens_per_step.max(Some(tokens));
        peak = peak.max(weights_bytes(device, &model) + Trainer::bytes(device, &model, longest, sft.recompute_layers));
    }
    plan.peak_bytes.insert("train", peak as u64);
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
