//! `ruminate bench`: how fast a shape trains and decodes.

use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use ruminate_compute::{Device, DeviceKind};
use ruminate_core::{PolicyVersion, Seed, TokenId};
use ruminate_model::{Memory, ModelConfig, Policy, flops, tiny_tokenizer};
use ruminate_rollout::{Engine, EngineLimits, Event, Request, SamplingParams};
use ruminate_tasks::synthetic::pieces;
use ruminate_train::losses::{SftOutputs, sft_loss};
use ruminate_train::packing::PackedBatch;
use ruminate_train::trainer::{MicrobatchLoss, OptimizerConfig, SumOver, Trainer};
use serde::Serialize;

use super::plan::sampling_memory;
use super::{DeviceChoice, print, print_json};
use crate::ceilings::Ceilings;
use crate::machine::{hardware, peak_bytes, place};
use crate::shapes;
use crate::stages::rollouts::max_cache_bytes;
use crate::summary::mebibytes;

/// Measures training (forward, full cross-entropy, backward, `AdamW`) and decoding of a shape with random weights, in tokens per second.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Name of the shape.
    #[arg(long, default_value = "tiny")]
    shape: String,
    /// Sequences of a training step.
    #[arg(long, value_name = "N", default_value_t = 32)]
    sequences: usize,
    /// Tokens of a training sequence.
    #[arg(long, value_name = "N", default_value_t = 128)]
    sequence_tokens: usize,
    /// Most tokens of a forward pass, in whole sequences [default: all of the step].
    #[arg(long, value_name = "N")]
    microbatch_tokens: Option<usize>,
    /// Blocks whose activations are computed again in the backward instead of kept.
    #[arg(long, value_name = "N", default_value_t = 0)]
    recompute_layers: usize,
    /// Sequences decoded at once.
    #[arg(long, value_name = "N", default_value_t = 64)]
    batch: usize,
    /// Prompt tokens of a decoded sequence.
    #[arg(long, value_name = "N", default_value_t = 16)]
    prompt_tokens: usize,
    /// New tokens of a decoded sequence.
    #[arg(long, value_name = "N", default_value_t = 128)]
    new_tokens: usize,
    /// Measure one of the two.
    #[arg(long, value_enum)]
    only: Option<Work>,
    /// Time to measure each for, seconds; at least one step.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// Have the same bits in sampling and training, in any batch, as the key `deterministic` of a recipe; the CPU always has.
    #[arg(long)]
    deterministic: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Optimizer steps.
    Train,
    /// Sampling, log-probabilities included.
    Decode,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    shape: &'a str,
    device: &'static str,
    /// Its model, where the system tells it.
    hardware: Option<String>,
    n_threads: usize,
    n_parameters: usize,
    /// Largest resident size of the process so far, where the system tells it.
    peak_bytes: Option<u64>,
    /// Most bytes of the device's own memory that were held at once, if it has any.
    device_peak_bytes: Option<u64>,
    /// What `plan` would have said.
    planned_bytes: u64,
    /// What the device can do at most.
    ceilings: Ceilings,
    train: Option<Throughput>,
    decode: Option<Throughput>,
}

/// Tokens per second over whole steps after one that is not counted.
#[derive(Debug, Serialize)]
struct Throughput {
    sequences: usize,
    tokens_per_sequence: usize,
    n_steps: usize,
    /// Of the fastest step.
    best_tokens_per_second: f64,
    /// Of the step in the middle.
    median_tokens_per_second: f64,
    mean_tokens_per_second: f64,
    /// Of the median step: operations of its matrix products and attention over what the device can do.
    product_share: f64,
    /// Of the median step: weights and cache that decoding has to read over what the memory can give; `None` in training.
    memory_share: Option<f64>,
}

impl BenchArgs {
    /// Measures.
    pub(crate) fn run(&self) -> Result<()> {
        let known = || format!("--shape: expected one of {}, found '{}'", shapes::names().collect::<Vec<_>>().join(", "), self.shape);
        let config = shapes::shape(&self.shape).with_context(known)?;
        let device = self.device.open(self.deterministic)?;
        let mut policy = Policy::random(&device, config, Seed::new(1))?;
        let wants = |work| self.only.is_none_or(|only| only == work);
        let mut decode = if wants(Work::Decode) { Some(self.decode(&policy)?) } else { None };
        let mut train = if wants(Work::Train) { Some(self.train(&mut policy)?) } else { None };
        // Before the ceilings are measured, which takes memory of its own.
        let device_peak_bytes = device.peak_bytes().map(|bytes| bytes as u64);
        let ceilings = Ceilings::measure(&device)?;
        self.compare(policy.config(), ceilings, &device, &mut train, &mut decode);
        let report = Report {
            shape: &self.shape,
            device: device.name(),
            hardware: hardware(&device),
            n_threads: device.n_threads(),
            n_parameters: policy.n_parameters(),
            peak_bytes: peak_bytes(),
            device_peak_bytes,
            planned_bytes: self.planned_bytes(policy.config(), device.kind()) as u64,
            ceilings,
            train,
            decode,
        };
        if self.json { print_json(&report) } else { print(&report.to_string()) }
    }

    /// Sets the shares of the ceilings.
    fn compare(
        &self,
        config: &ModelConfig,
        ceilings: Ceilings,
        device: &Device,
        train: &mut Option<Throughput>,
        decode: &mut Option<Throughput>,
    ) {
        if let Some(train) = train {
            let operations = flops::training(config, std::iter::repeat_n(self.sequence_tokens, self.sequences));
            train.product_share = operations / train.median_seconds() / ceilings.product_flops;
        }
        if let Some(decode) = decode {
            let operations = self.batch as f64 * flops::sampling(config, self.prompt_tokens, [self.new_tokens]);
            decode.product_share = operations / decode.median_seconds() / ceilings.product_flops;
            let numbers = self.new_tokens as f64 * flops::numbers_read(config, self.batch, self.prompt_tokens, self.new_tokens);
            let bytes = numbers * device.float_bytes() as f64;
            decode.memory_share = Some(bytes / decode.median_seconds() / ceilings.memory_bytes);
        }
    }

    /// Most that what is measured holds at once; the second copy of the weights that the CPU samples from is not in it.
    fn planned_bytes(&self, config: &ModelConfig, kind: DeviceKind) -> usize {
        let train = Memory::of_training(kind, config, self.sequences_at_once() * self.sequence_tokens, self.recompute_layers);
        let decode = sampling_memory(kind, config, self.batch, self.prompt_tokens + self.new_tokens);
        let of_work = match self.only {
            Some(Work::Train) => train.total(),
            Some(Work::Decode) => decode.total(),
            None => train.total().max(decode.total()),
        };
        (Memory::of_weights(kind, config) + Memory::of_device(kind)).total() + of_work
    }

    /// Sequences of a forward pass in training.
    fn sequences_at_once(&self) -> usize {
        let fit = self.microbatch_tokens.map_or(self.sequences, |tokens| tokens / self.sequence_tokens.max(1));
        fit.clamp(1, self.sequences.max(1))
    }

    fn train(&self, policy: &mut Policy) -> Result<Throughput> {
        let per_batch = self.sequences_at_once();
        let starts = (0..self.sequences).step_by(per_batch);
        let batches: Vec<PackedBatch> =
            starts.map(|first| packed(policy.config(), first..(first + per_batch).min(self.sequences), self.sequence_tokens)).collect();
        let optimizer = OptimizerConfig { beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1, max_grad_norm: 1.0 };
        let mut trainer = Trainer::recomputing(policy, optimizer, self.recompute_layers)?;
        let n_trained = batches.iter().map(PackedBatch::n_rows).sum();
        let mut step = || -> Result<()> {
            for batch in &batches {
                trainer.accumulate(policy, batch, 1.0, SumOver::Tokens, |_, scores| {
                    let SftOutputs { loss, dlogprobs } = sft_loss(&scores.logprobs, n_trained);
                    MicrobatchLoss { loss, dlogprobs, metrics: () }
                })?;
            }
            trainer.step(policy, 1e-4)?;
            Ok(())
        };
        self.measure(self.sequences, self.sequence_tokens, &mut step)
    }

    fn decode(&self, policy: &Policy) -> Result<Throughput> {
        // Only read for stop strings, of which there are none.
        let tokenizer = tiny_tokenizer(&pieces())?;
        let max_sequence = self.prompt_tokens + self.new_tokens;
        let max_cache_bytes = max_cache_bytes(policy.device().kind());
        let limits = EngineLimits { max_batch: self.batch, max_sequence, max_cache_bytes };
        let mut engine = Engine::new(policy, limits)?;
        let request = |i| Request {
            key: Seed::new(2).with_index(i as u64),
            prompt_ids: random_tokens(policy.config(), i, self.prompt_tokens),
            n_samples: 1,
            max_new_tokens: self.new_tokens,
            params: SamplingParams::default(),
            stop: Vec::new(),
        };
        let requests: Vec<Request> = (0..self.batch).map(request).collect();
        let mut step = || -> Result<()> {
            engine.generate(policy, PolicyVersion(0), &tokenizer, &requests, &mut |_: Event| {})?;
            Ok(())
        };
        self.measure(self.batch, self.new_tokens, &mut step)
    }

    fn measure(&self, sequences: usize, tokens_per_sequence: usize, step: &mut dyn FnMut() -> Result<()>) -> Result<Throughput> {
        step()?;
        let started = Instant::now();
        let mut seconds: Vec<f64> = Vec::new();
        while seconds.is_empty() || started.elapsed().as_secs_f64() < self.seconds {
            let since = Instant::now();
            step()?;
            seconds.push(since.elapsed().as_secs_f64());
        }
        let tokens = (sequences * tokens_per_sequence) as f64;
        let mean = started.elapsed().as_secs_f64() / seconds.len() as f64;
        seconds.sort_by(f64::total_cmp);
        Ok(Throughput {
            sequences,
            tokens_per_sequence,
            n_steps: seconds.len(),
            best_tokens_per_second: tokens / seconds[0],
            median_tokens_per_second: tokens / seconds[seconds.len() / 2],
            mean_tokens_per_second: tokens / mean,
            product_share: 0.0,
            memory_share: None,
        })
    }
}

impl Throughput {
    fn median_seconds(&self) -> f64 {
        (self.sequences * self.tokens_per_sequence) as f64 / self.median_tokens_per_second
    }
}

impl std::fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Report { shape, device, hardware, n_threads, n_parameters, .. } = self;
        write!(f, "{shape}, {n_parameters} parameters, {}", place(device, hardware.as_deref(), Some(*n_threads)))?;
        for (name, throughput) in [("train", &self.train), ("decode", &self.decode)] {
            let Some(t) = throughput else { continue };
            let (median, best, mean) = (t.median_tokens_per_second, t.best_tokens_per_second, t.mean_tokens_per_second);
            write!(f, "\n{name:6}  {median:>9.0} tokens/s in the median step, {best:.0} best, {mean:.0} mean; ")?;
            write!(f, "{} x {} tokens, {} steps; ", t.sequences, t.tokens_per_sequence, t.n_steps)?;
            write!(f, "{:.0}% of the rate of a large product", 100.0 * t.product_share)?;
            if let Some(share) = t.memory_share {
                write!(f, ", {:.0}% of the memory's", 100.0 * share)?;
            }
        }
        let planned = self.device_peak_bytes.map(|_| self.planned_bytes);
        let Ceilings { product_flops, memory_bytes } = self.ceilings;
        write!(f, "\nceilings  {:.3} TFLOP/s of a large product, {:.0} GB/s of a copy", product_flops / 1e12, memory_bytes / 1e9)?;
        for (what, bytes) in [("peak  ", self.peak_bytes), ("peak on the device", self.device_peak_bytes), ("planned", planned)] {
            if let Some(bytes) = bytes {
                write!(f, "\n{what}  {}", mebibytes(bytes))?;
            }
        }
        Ok(())
    }
}

/// A batch of which every token is read and predicts a token: what other frameworks call `sequences x tokens`. (Sequences made
/// by [`ruminate_train::packing::pack`] end in a token that predicts nothing.)
fn packed(config: &ModelConfig, sequences: std::ops::Range<usize>, tokens: usize) -> PackedBatch {
    let ids: Vec<Vec<TokenId>> = sequences.map(|i| random_tokens(config, i, tokens + 1)).collect();
    let sequences = ids.len();
    let borders: Vec<usize> = (0..=sequences).map(|i| i * tokens).collect();
    PackedBatch {
        token_ids: ids.iter().flat_map(|ids| ids[..tokens].iter().copied()).collect(),
        position_ids: (0..sequences).flat_map(|_| 0..tokens as u32).collect(),
        cu_seqlens: borders.clone(),
        predict_rows: (0..sequences * tokens).collect(),
        targets: ids.iter().flat_map(|ids| ids[1..].iter().copied()).collect(),
        completion_cu: borders,
        sequence_idx: (0..sequences).collect(),
    }
}

fn random_tokens(config: &ModelConfig, sequence_idx: usize, n: usize) -> Vec<TokenId> {
    let seed = Seed::new(3).with_index(sequence_idx as u64);
    (0..n).map(|i| (seed.with_index(i as u64).uniform() * config.vocab as f64) as TokenId).collect()
}
