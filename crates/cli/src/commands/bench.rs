//! `ruminate bench`: how fast a shape trains and decodes.

use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use ruminate_core::{PolicyVersion, Seed, TokenId};
use ruminate_model::{ModelConfig, Policy, tiny_tokenizer};
use ruminate_rollout::{Engine, EngineLimits, Event, Request, SamplingParams};
use ruminate_tasks::synthetic::pieces;
use ruminate_train::losses::{BatchTotals, Normalisation, sft_loss};
use ruminate_train::packing::{Sequence, pack};
use ruminate_train::trainer::{MicrobatchLoss, OptimizerConfig, Trainer};
use serde::Serialize;

use super::{DeviceChoice, print, print_json};
use crate::shapes;
use crate::stages::rollouts::MAX_CACHE_BYTES;

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
    /// Sequences decoded at once.
    #[arg(long, value_name = "N", default_value_t = 64)]
    batch: usize,
    /// Prompt tokens of a decoded sequence.
    #[arg(long, value_name = "N", default_value_t = 16)]
    prompt_tokens: usize,
    /// New tokens of a decoded sequence.
    #[arg(long, value_name = "N", default_value_t = 128)]
    new_tokens: usize,
    /// Time to measure each for, seconds; at least one step.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    shape: &'a str,
    device: &'static str,
    n_threads: usize,
    n_parameters: usize,
    train: Throughput,
    decode: Throughput,
}

/// Tokens per second over whole steps after one that is not counted.
#[derive(Debug, Serialize)]
struct Throughput {
    sequences: usize,
    tokens_per_sequence: usize,
    n_steps: usize,
    /// Of the fastest step.
    best_tokens_per_second: f64,
    mean_tokens_per_second: f64,
}

impl BenchArgs {
    /// Measures.
    pub(crate) fn run(&self) -> Result<()> {
        let known = || format!("--shape: expected one of {}, found '{}'", shapes::names().collect::<Vec<_>>().join(", "), self.shape);
        let config = shapes::shape(&self.shape).with_context(known)?;
        let device = self.device.device();
        let mut policy = Policy::random(&device, config, Seed::new(1))?;
        let report = Report {
            shape: &self.shape,
            device: device.name(),
            n_threads: device.n_threads(),
            n_parameters: policy.n_parameters(),
            decode: self.decode(&policy)?,
            train: self.train(&mut policy)?,
        };
        if self.json {
            return print_json(&report);
        }
        let line = |name: &str, t: &Throughput| {
            let (best, mean) = (t.best_tokens_per_second, t.mean_tokens_per_second);
            format!(
                "{name}  {best:>9.0} tokens/s best, {mean:.0} mean, {} x {} tokens, {} steps",
                t.sequences, t.tokens_per_sequence, t.n_steps
            )
        };
        let Report { shape, device, n_threads, n_parameters, train, decode } = &report;
        let head = format!("{shape}, {n_parameters} parameters, {device}, {n_threads} threads");
        print(&format!("{head}\n{}\n{}", line("train ", train), line("decode", decode)))
    }

    fn train(&self, policy: &mut Policy) -> Result<Throughput> {
        let sequences: Vec<Vec<TokenId>> =
            (0..self.sequences).map(|i| random_tokens(policy.config(), i, self.sequence_tokens + 1)).collect();
        let sequences: Vec<Sequence<'_>> =
            sequences.iter().map(|ids| Sequence { prompt_ids: &ids[..1], completion_ids: &ids[1..] }).collect();
        let microbatches = pack(&sequences, self.sequences * (self.sequence_tokens + 1))?;
        let optimizer = OptimizerConfig { beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1, max_grad_norm: 1.0 };
        let mut trainer = Trainer::new(policy, optimizer)?;
        let totals = BatchTotals::of_lengths(sequences.iter().map(|sequence| sequence.completion_ids.len()));
        let mut step = || -> Result<()> {
            for batch in &microbatches {
                trainer.accumulate(policy, batch, 1.0, |scores| {
                    let outputs = sft_loss(&scores.logprobs, &batch.completion_cu, Normalisation::Token, totals);
                    MicrobatchLoss { loss: outputs.loss, dlogprobs: outputs.dlogprobs, metrics: () }
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
        let limits = EngineLimits { max_batch: self.batch, max_sequence, max_cache_bytes: MAX_CACHE_BYTES };
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
        let (mut n_steps, mut best) = (0, f64::INFINITY);
        while n_steps == 0 || started.elapsed().as_secs_f64() < self.seconds {
            let since = Instant::now();
            step()?;
            best = best.min(since.elapsed().as_secs_f64());
            n_steps += 1;
        }
        let tokens = (sequences * tokens_per_sequence) as f64;
        let mean = started.elapsed().as_secs_f64() / n_steps as f64;
        Ok(Throughput {
            sequences,
            tokens_per_sequence,
            n_steps,
            best_tokens_per_second: tokens / best,
            mean_tokens_per_second: tokens / mean,
        })
    }
}

fn random_tokens(config: &ModelConfig, sequence_idx: usize, n: usize) -> Vec<TokenId> {
    let seed = Seed::new(3).with_index(sequence_idx as u64);
    (0..n).map(|i| (seed.with_index(i as u64).uniform() * config.vocab as f64) as TokenId).collect()
}
