//! `ruminate plan`: what a recipe will take, from configurations alone.

mod time;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use ruminate_compute::{DeviceKind, Precision};
use ruminate_model::{Memory, ModelConfig, tiny_tokenizer};
use ruminate_rollout::EngineLimits;
use ruminate_tasks::read_rows;
use ruminate_tasks::synthetic::pieces;
use ruminate_train::losses::KlEstimator;
use serde::Serialize;

use self::time::Pace;
use super::run::RecipeArgs;
use super::{DeviceChoice, print, print_json};
use crate::ceilings::Ceilings;
use crate::models;
use crate::problems::ProblemStream;
use crate::recipe::{
    BestBy, CollectConfig, EvaluationConfig, GrpoConfig, PromptSource, RewardModelConfig, RewardSource, RunConfig, SftConfig, StageConfig,
    StageKind,
};
use crate::shapes;
use crate::stages::longest;
use crate::stages::rollouts::max_cache_bytes;
use crate::summary::mebibytes;

/// Prints parameters, steps, estimated time and peak memory by phase of a recipe, and runs nothing.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// Plan for a GPU with so much memory, such as 80GiB; none needs to be in this machine.
    #[arg(long, value_name = "SIZE", value_parser = read_size)]
    memory: Option<usize>,
    /// Tokens that responses are taken to have, for the time [default: a quarter of the budget].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    response_tokens: Option<u32>,
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
    /// Estimated time, its evaluation included.
    seconds: Option<f64>,
    /// Most bytes held at once, by phase.
    peak_bytes: BTreeMap<&'static str, u64>,
    /// What they are for, by phase.
    memory: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
}

/// What the driver and compiled kernels take of a GPU's memory, beside all that is planned: about what an H200 with CUDA 13 shows.
const DRIVER_BYTES: usize = 640 << 20;

/// `80GiB`, `16384 MiB`, or bytes.
fn read_size(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "mib" => f64::from(1 << 20),
        "gib" => f64::from(1 << 30),
        "mb" => 1e6,
        "gb" => 1e9,
        _ => return Err(format!("expected a size such as 80GiB or 16384MiB, found '{text}'")),
    };
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 && number * scale < 1e18 => Ok((number * scale) as usize),
        _ => Err(format!("expected a size such as 80GiB or 16384MiB, found '{text}'")),
    }
}

impl PlanArgs {
    /// Prints the plan.
    pub(crate) fn run(&self) -> Result<()> {
        let config = self.recipe.load()?;
        let (kind, ceilings, of) = self.device()?;
        let response_tokens = self.response_tokens.map(|tokens| tokens as usize);
        let plans = plan(&config, kind, &mut Pace::new(kind, ceilings, response_tokens))?;
        if self.json {
            print_json(&serde_json::json!({ "recipe": config.name, "device": kind.name(), "ceilings": ceilings, "stages": plans }))?;
            return check_memory(&plans, kind);
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["stage", "kind", "parameters", "steps", "tokens per step, at most", "time", "peak memory"]);
        for plan in &plans {
            let peak = plan.peak_bytes.values().max();
            let number = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
            table.add_row([
                plan.id.clone(),
                plan.kind.to_owned(),
                plan.n_parameters.to_string(),
                number(plan.steps),
                number(plan.tokens_per_step),
                plan.seconds.filter(|&seconds| seconds > 0.0).map_or_else(String::new, time::time),
                peak.map_or_else(String::new, |&bytes| mebibytes(bytes)),
            ]);
        }
        for column in 2..7 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let seconds: f64 = plans.iter().filter_map(|plan| plan.seconds).sum();
        let length = self.response_tokens.map_or_else(|| "a quarter of their budget".to_owned(), |tokens| format!("{tokens} tokens"));
        let Ceilings { product_flops, memory_bytes } = ceilings;
        let rates = format!("{:.3} TFLOP/s, {:.0} GB/s", product_flops / 1e12, memory_bytes / 1e9);
        let note = format!("about {} if responses are {length} long, by the rates of {of}: {rates}", time::time(seconds));
        print(&format!("{table}\n{note}\n\n{}", memory_table(&plans)))?;
        check_memory(&plans, kind)
    }

    /// What to plan for, the device or one that is elsewhere, with its rates and whose they are.
    fn device(&self) -> Result<(DeviceKind, Ceilings, &'static str)> {
        let elsewhere = |precision| DeviceKind::Cuda { precision, memory_bytes: self.memory };
        let precision = if matches!(self.device, DeviceChoice::CudaF32) { Precision::F32 } else { Precision::Bf16 };
        if self.memory.is_some() {
            ensure!(!matches!(self.device, DeviceChoice::Cpu), "--memory: is that of a GPU, and --device cpu has none");
            ensure!(precision == Precision::Bf16, "--memory: plans for bf16; --device cuda-f32 is planned for the GPU of this machine");
            return Ok((elsewhere(precision), Ceilings::H200, "an H200"));
        }
        match self.device.device() {
            Ok(device) => match Ceilings::measure(&device) {
                Ok(ceilings) => Ok((device.kind(), ceilings, "this machine")),
                Err(error) if device.memory_bytes().is_some() => {
                    eprintln!("the rates of the GPU cannot be measured, perhaps since another process uses it: {error:#}");
                    Ok((device.kind(), Ceilings::H200, "an H200"))
                }
                Err(error) => Err(error),
            },
            Err(error) if precision == Precision::F32 => Err(error),
            Err(error) => {
                eprintln!("there is no GPU to look at ({error:#}): this is what one would need; --memory 80GiB plans for one of that size");
                Ok((elsewhere(precision), Ceilings::H200, "an H200"))
            }
        }
    }
}

/// What each phase of each stage holds memory for.
fn memory_table(plans: &[StagePlan]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let names = Memory::default().parts().map(|(name, _)| name);
    table.set_header(["stage", "phase"].into_iter().chain(names).chain(["in all"]));
    for plan in plans {
        for (phase, parts) in &plan.memory {
            let numbers = names.iter().map(|name| parts[name]).chain([plan.peak_bytes[phase]]);
            let shown = numbers.map(|bytes| if bytes == 0 { String::new() } else { mebibytes(bytes) });
            table.add_row([plan.id.clone(), (*phase).to_owned()].into_iter().chain(shown));
        }
    }
    for column in 2..names.len() + 3 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// # Errors
/// The first phase that does not fit, with what takes most of it and what would make that less.
fn check_memory(plans: &[StagePlan], kind: DeviceKind) -> Result<()> {
    let Some(there) = kind.memory_bytes() else { return Ok(()) };
    let needs = plans.iter().flat_map(|plan| plan.peak_bytes.iter().map(move |(phase, &bytes)| (plan, *phase, bytes)));
    let Some((plan, phase, bytes)) = needs.into_iter().find(|(.., bytes)| bytes + DRIVER_BYTES as u64 > there as u64) else {
        return Ok(());
    };
    let (largest, most) = plan.memory[phase].iter().max_by_key(|(_, bytes)| **bytes).context("a phase holds something")?;
    let advice = match *largest {
        "activations" if phase == "train" || phase == "rollout" => "lower microbatch_tokens or raise recompute_layers",
        "cache" => "lower max_batch or max_new_tokens",
        _ => "take a smaller model, or lower microbatch_tokens and max_batch",
    };
    let [needed, driver, there, most] = [bytes, DRIVER_BYTES as u64, there as u64, *most].map(mebibytes);
    bail!(
        "stage '{}': {phase} needs {needed} and about {driver} for the driver, the device has {there}; {most} are {largest}: {advice}",
        plan.id
    )
}

impl StagePlan {
    fn new(stage: &StageConfig, n_parameters: usize) -> Self {
        Self {
            id: stage.id.clone(),
            kind: stage.kind.name(),
            n_parameters,
            steps: None,
            tokens_per_step: None,
            seconds: Some(0.0),
            peak_bytes: BTreeMap::new(),
            memory: BTreeMap::new(),
        }
    }

    /// Sets what a phase holds.
    fn hold(&mut self, kind: DeviceKind, phase: &'static str, memory: Memory) {
        let memory = memory + Memory::of_device(kind);
        self.peak_bytes.insert(phase, memory.total() as u64);
        self.memory.insert(phase, memory.parts().map(|(name, bytes)| (name, bytes as u64)).into());
    }
}

/// The model that an earlier stage makes.
fn model_of(models: &[(String, ModelConfig)], id: &str) -> Result<ModelConfig> {
    let (_, model) = models.iter().find(|(other, _)| other == id).context("stages come after those that they need")?;
    Ok(model.clone())
}

fn plan(config: &RunConfig, kind: DeviceKind, pace: &mut Pace) -> Result<Vec<StagePlan>> {
    let mut models: Vec<(String, ModelConfig)> = Vec::new();
    let mut plans = Vec::new();
    for stage in &config.stages {
        let model = match &stage.kind {
            StageKind::Load(load) => models::shape(&load.path).with_context(|| format!("stage '{}'", stage.id))?,
            StageKind::Pretrain(pretrain) => tiny_config(&pretrain.shape)?,
            StageKind::Collect(collect) => {
                let mut plan = plan_collect(stage, collect, &models, kind)?;
                plan.seconds = Some(pace.collect(&stage.id, collect, &models)?);
                plans.push(plan);
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
        let mut training = Memory::default();
        match &stage.kind {
            StageKind::Load(_) | StageKind::Collect(_) | StageKind::Compare(_) => {}
            StageKind::Sft(sft) => {
                training = plan_sft(&mut plan, sft, &models, kind)?;
                let (steps, seconds) = pace.sft(sft, &models)?;
                // Examples of earlier stages are not there yet: steps are known only where all come from files.
                plan.steps = sft.example_stages().next().is_none().then_some(steps);
                plan.seconds = Some(seconds);
            }
            StageKind::Pretrain(pretrain) => {
                plan.steps = Some(pretrain.n_steps());
                plan.tokens_per_step = Some(pretrain.batch_tokens as u64);
                plan.seconds = Some(pace.pretrain(pretrain, &model));
                let optimizer = Memory::of_training(kind, &model, pretrain.microbatch_tokens, pretrain.recompute_layers);
                plan.hold(kind, "train", Memory::of_weights(kind, &model) + optimizer);
            }
            StageKind::Grpo(grpo) => {
                training = plan_grpo(&mut plan, grpo, &model, &models, kind)?;
                // As long as the stage whose compute it spends.
                let like = |id: &String| plans.iter().find(|plan: &&StagePlan| plan.id == *id).and_then(|plan| plan.seconds);
                plan.seconds = pace.grpo(grpo, &model)?.or_else(|| grpo.compute_of.as_ref().and_then(like));
            }
            StageKind::RewardModel(reward) => {
                plan_reward_model(&mut plan, reward, &model, &models, kind)?;
                plan.seconds = Some(pace.reward_model(reward, plan.steps, &model, &models)?);
            }
        }
        let makes_policy = !matches!(stage.kind, StageKind::RewardModel(_));
        if let (Some(evaluation), Some(_), true) = (&config.evaluation, &stage.evaluate, makes_policy) {
            // What a stage leaves is loaded again; on the way, everything that trains it is there.
            let held = if evaluates_on_the_way(&stage.kind) { training } else { Memory::of_frozen_weights(kind, &model) };
            plan.hold(kind, "evaluate", sampled_from(kind, &model, held) + evaluation_memory(evaluation, &model, kind)?);
            let once = pace.evaluation(evaluation, &model, time::prompt_tokens(longest_question(&evaluation.prompts)?));
            plan.seconds = plan.seconds.map(|seconds| seconds + once * n_evaluations(&stage.kind));
        }
        plans.push(plan);
        models.push((stage.id.clone(), model));
    }
    Ok(plans)
}

/// Whether a stage evaluates while it trains, too.
fn evaluates_on_the_way(stage: &StageKind) -> bool {
    match stage {
        StageKind::Grpo(grpo) => grpo.evaluate_every.is_some_and(|every| grpo.steps.is_none_or(|steps| every < steps)),
        StageKind::Sft(sft) => sft.best_by == BestBy::PassAt1,
        _ => false,
    }
}

/// How often a stage evaluates: at its end, each of its variants, and on the way.
fn n_evaluations(stage: &StageKind) -> f64 {
    match stage {
        StageKind::Grpo(grpo) => grpo.steps.zip(grpo.evaluate_every).map_or(1.0, |(steps, every)| steps.div_ceil(every) as f64),
        StageKind::Sft(sft) => sft.variants().len() as f64,
        _ => 1.0,
    }
}

/// A named shape with the vocabulary of the built-in world.
pub(crate) fn tiny_config(shape: &str) -> Result<ModelConfig> {
    let config = shapes::shape(shape)
        .with_context(|| format!("shape: expected one of {}, found '{shape}'", shapes::names().collect::<Vec<_>>().join(", ")))?;
    let tokenizer = tiny_tokenizer(&pieces())?;
    Ok(ModelConfig { vocab: tokenizer.vocab_size(), eos: tokenizer.eos_id().into_iter().collect(), ..config })
}

/// A collecting stage holds one policy after the other; it makes none, so that nothing is evaluated.
fn plan_collect(stage: &StageConfig, collect: &CollectConfig, models: &[(String, ModelConfig)], kind: DeviceKind) -> Result<StagePlan> {
    let asked: Vec<&ModelConfig> =
        collect.policies().filter_map(|policy| models.iter().find(|(id, _)| id == policy)).map(|(_, model)| model).collect();
    let mut plan = StagePlan::new(stage, asked.iter().map(|model| model.n_parameters()).max().unwrap_or(0));
    if !asked.is_empty() {
        // A worked example is about as long as a response.
        let longest = longest_question(&collect.prompts)? + TEMPLATE_TOKENS + collect.max_new_tokens;
        let memory = |model: &&ModelConfig| {
            let sequence = (longest + collect.max_new_tokens).min(ruminate_model::context(model));
            let weights = Memory::of_frozen_weights(kind, model);
            sampled_from(kind, model, weights) + sampling_memory(kind, model, collect.max_batch, sequence)
        };
        plan.hold(kind, "sample", asked.iter().map(memory).max_by_key(|memory| memory.total()).unwrap_or_default());
    }
    Ok(plan)
}

/// Responses are sampled from one policy after the other, with the weights of the model to be trained at hand; then it is trained.
fn plan_reward_model(
    plan: &mut StagePlan,
    reward: &RewardModelConfig,
    model: &ModelConfig,
    models: &[(String, ModelConfig)],
    kind: DeviceKind,
) -> Result<()> {
    plan.n_parameters += model.hidden;
    let weights = Memory::of_weights(kind, model);
    let mut sequence = longest(reward.max_tokens, ruminate_model::context(model));
    let n_steps = |n_entries: usize| reward.epochs * (n_entries * reward.loss.n_sequences()).div_ceil(reward.n_sequences()) as u64;
    if let RewardSource::File { data } = &reward.source {
        plan.steps = Some(n_steps(read_rows(data)?.count()));
    }
    if let RewardSource::Made(made) = &reward.source {
        let longest = longest_question(&made.prompts)? + TEMPLATE_TOKENS;
        let mut peak = Memory::default();
        for id in &made.responses_from {
            let policy = &model_of(models, id)?;
            let of_policy = (longest + made.max_new_tokens).min(ruminate_model::context(policy));
            let max_batch = made.max_batch.min(made.n_prompts * made.samples as usize);
            let frozen = Memory::of_frozen_weights(kind, policy);
            peak = larger(peak, sampled_from(kind, policy, frozen) + sampling_memory(kind, policy, max_batch, of_policy));
        }
        plan.hold(kind, "rollout", weights + peak);
        sequence = sequence.min(longest + made.max_new_tokens);
        // Some pairs will have no clear preference: these are the most steps that there can be.
        let n_responses = made.n_prompts * made.samples as usize * made.responses_from.len();
        let n_entries = if reward.loss.n_sequences() == 2 { made.n_prompts * made.pairs_per_prompt } else { n_responses };
        plan.steps = Some(n_steps(n_entries));
    }
    plan.tokens_per_step = Some((reward.n_sequences() * sequence) as u64);
    // The two responses of a pair are in one forward pass.
    let together = reward.microbatch_tokens.max(reward.loss.n_sequences() * sequence);
    plan.hold(kind, "train", weights + Memory::of_training(kind, model, together, reward.recompute_layers));
    Ok(())
}

/// Bytes of the longest of some questions.
fn longest_question(prompts: &[PromptSource]) -> Result<usize> {
    let mut stream = ProblemStream::open(prompts, ruminate_core::Seed::new(0), 0)?;
    let questions = (0..N_QUESTIONS).map(|_| Ok(stream.draw()?.question.len())).collect::<Result<Vec<_>>>()?;
    Ok(questions.into_iter().max().unwrap_or(0))
}

/// Gives back what is held all the time: everything but the engine, which makes room for that of an evaluation.
fn plan_grpo(
    plan: &mut StagePlan,
    grpo: &GrpoConfig,
    model: &ModelConfig,
    models: &[(String, ModelConfig)],
    kind: DeviceKind,
) -> Result<Memory> {
    let settings = &grpo.settings;
    let budget = settings.max_completion_tokens as usize;
    let longest = longest_question(&grpo.prompts)? + TEMPLATE_TOKENS;
    let sequence = (longest + budget).min(ruminate_model::context(model));
    // With `compute_of` alone, how many steps there are depends on how long completions become.
    plan.steps = grpo.steps;
    plan.tokens_per_step = Some(u64::from(settings.prompts_per_step) * u64::from(settings.group_size) * sequence as u64);
    let max_batch = grpo.max_batch.min((settings.prompts_per_rollout() * u64::from(settings.group_size)) as usize);
    let reference = if settings.kl == KlEstimator::None { Memory::default() } else { Memory::of_frozen_weights(kind, model) };
    // Reward models stay loaded, each with activations of its own.
    let mut scorers = Memory::default();
    for (_, id) in grpo.reward_models.each() {
        let scorer = &model_of(models, id)?;
        let longest = grpo.microbatch_tokens.max(sequence.min(ruminate_model::context(scorer)));
        scorers = scorers + Memory::of_frozen_weights(kind, scorer) + Memory::of_activations(kind, scorer, longest, 0);
    }
    // The activations of the step before are kept for the next, and so is the cache.
    let training = Memory::of_training(kind, model, grpo.microbatch_tokens.max(sequence), grpo.recompute_layers);
    let held = Memory::of_weights(kind, model) + reference + scorers + training;
    let engine = sampling_memory(kind, model, max_batch, sequence);
    plan.hold(kind, "rollout", sampled_from(kind, model, held) + engine);
    plan.hold(kind, "train", held + engine);
    Ok(held)
}

/// What the variants hold, one after the other. Gives back the most that one of them does.
fn plan_sft(plan: &mut StagePlan, sft: &SftConfig, models: &[(String, ModelConfig)], kind: DeviceKind) -> Result<Memory> {
    let mut peak = Memory::default();
    for policy in &sft.policies {
        let model = model_of(models, policy)?;
        // A conversation is not cut: the longest has a forward pass of its own.
        let conversation = longest(sft.max_tokens, ruminate_model::context(&model));
        let longest = sft.microbatch_tokens.max(conversation);
        let tokens = (sft.batch_examples * conversation) as u64;
        plan.tokens_per_step = plan.tokens_per_step.max(Some(tokens));
        let memory = Memory::of_weights(kind, &model) + Memory::of_training(kind, &model, longest, sft.recompute_layers);
        peak = larger(peak, memory);
    }
    plan.hold(kind, "train", peak);
    Ok(peak)
}

/// What an evaluation takes besides what is held already.
fn evaluation_memory(config: &EvaluationConfig, model: &ModelConfig, kind: DeviceKind) -> Result<Memory> {
    let problems = crate::problems::evaluation_set(&config.prompts, config.n_problems)?;
    let longest = problems.iter().map(|problem| problem.question.len()).max().unwrap_or(0) + TEMPLATE_TOKENS;
    let sequence = (longest + config.max_new_tokens).min(ruminate_model::context(model));
    let max_batch = config.max_batch.min(config.n_problems * config.samples as usize);
    Ok(sampling_memory(kind, model, max_batch, sequence))
}

fn larger(a: Memory, b: Memory) -> Memory {
    if b.total() > a.total() { b } else { a }
}

/// What is held while one of the models in it is sampled from: the CPU keeps a second copy of its weights in the layout that it reads
/// fastest.
fn sampled_from(kind: DeviceKind, model: &ModelConfig, held: Memory) -> Memory {
    match kind {
        DeviceKind::Cpu => Memory { weights: held.weights + Memory::of_frozen_weights(kind, model).weights, ..held },
        DeviceKind::Cuda { .. } => held,
    }
}

/// What sampling takes besides the weights.
pub(super) fn sampling_memory(kind: DeviceKind, model: &ModelConfig, max_batch: usize, max_sequence: usize) -> Memory {
    let limits = EngineLimits { max_batch, max_sequence, max_cache_bytes: max_cache_bytes(kind) };
    Memory::of_sampling(kind, model, limits.decoder_limits(model, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("80GiB", 80 << 30), ("1.5 gib", 3 << 29), ("16384MiB", 16 << 30), ("24GB", 24_000_000_000), ("512", 512)] {
            assert_eq!(read_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "80 apples", "-1GiB", "1e9", "0"] {
            assert!(read_size(text).unwrap_err().contains("such as 80GiB"), "{text}");
        }
    }
}
