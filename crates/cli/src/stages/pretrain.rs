//! `pretrain`: a small base policy from random weights, by next-token prediction on the built-in corpus.

use std::time::Instant;

use anyhow::{Context, Result};
use ruminate_core::TokenId;
use ruminate_model::{ModelConfig, Policy, SaveDtype, Tokenizer, flops, tiny_tokenizer};
use ruminate_tasks::synthetic::corpus::document;
use ruminate_tasks::synthetic::pieces;
use ruminate_train::losses::{SftOutputs, sft_loss};
use ruminate_train::packing::{Sequence, pack};
use ruminate_train::schedule::learning_rate;
use ruminate_train::trainer::{MicrobatchLoss, SumOver, Trainer};

use super::state::{self, Counters};
use super::{COMPUTE_KEY, StageContext, StageResult, own_checkpoint};
use crate::recipe::PretrainConfig;
use crate::run_dir::{MetricsFile, StageDir};
use crate::shapes::shape;

/// Name of the token that ends a document.
const EOS: &str = "<eos>";

/// Trains, or goes on training, and writes the checkpoint.
pub(super) fn run(ctx: &StageContext<'_>, stage_id: &str, dir: &StageDir, config: &PretrainConfig) -> Result<StageResult> {
    let seed = ctx.seed(stage_id);
    let tokenizer = tiny_tokenizer(&pieces())?;
    let model_config = model_config(&config.shape, &tokenizer)?;
    let mut policy = Policy::random(ctx.device, model_config, seed.with("weights"))?;
    let mut trainer = Trainer::recomputing(&policy, config.optimizer.config(), config.recompute_layers)?;
    let mut counters = state::restore(dir, &mut policy, &mut trainer, None)?;
    let mut metrics = MetricsFile::open(&dir.metrics(), counters.step)?;
    let n_steps = config.n_steps();
    let mut progress = ctx.ui.progress(stage_id, n_steps);
    progress.start_at(counters.step);

    let corpus_seed = seed.with("corpus");
    while counters.step < n_steps {
        let started = Instant::now();
        // Documents, each one sequence that predicts all of its tokens but the first.
        let mut documents: Vec<Vec<TokenId>> = Vec::new();
        let mut n_tokens = 0;
        while n_tokens < config.batch_tokens {
            let document = document(corpus_seed, counters.position, &config.corpus);
            let mut token_ids = tokenizer.encode(&format!("{}{}", document.prompt, document.response), false)?;
            token_ids.push(end_token(&tokenizer)?);
            n_tokens += token_ids.len();
            documents.push(token_ids);
            counters.position += 1;
        }
        let sequences: Vec<Sequence<'_>> =
            documents.iter().map(|ids| Sequence { prompt_ids: &ids[..1], completion_ids: &ids[1..] }).collect();
        let n_trained = sequences.iter().map(|sequence| sequence.completion_ids.len()).sum();

        let mut loss = 0.0;
        for packed in pack(&sequences, config.microbatch_tokens)? {
            let result = trainer.accumulate(&policy, &packed, 1.0, SumOver::Tokens, |_, scores| {
                let SftOutputs { loss, dlogprobs } = sft_loss(&scores.logprobs, n_trained);
                MicrobatchLoss { loss, dlogprobs, metrics: () }
            });
            loss += result.with_context(|| place(counters, documents.len()))?.loss;
        }
        let learning_rate = learning_rate(&config.schedule, counters.step, n_steps);
        let stats = trainer.step(&mut policy, learning_rate).with_context(|| place(counters, documents.len()))?;
        let seconds = started.elapsed().as_secs_f64();

        let figures = [
            ("pretrain/loss", loss),
            ("pretrain/grad_norm", stats.grad_norm),
            ("pretrain/learning_rate", f64::from(learning_rate)),
            ("pretrain/tokens", n_tokens as f64),
            (COMPUTE_KEY, flops::training(policy.config(), documents.iter().map(Vec::len))),
            ("seconds/train", seconds),
        ];
        metrics.append(counters.step, &figures)?;
        counters.step += 1;
        progress.set(counters.step, &format!("loss {loss:.3}, {:.0} tokens/s", n_tokens as f64 / seconds));
        if counters.step % config.save_every == 0 && counters.step < n_steps {
            state::save(dir, &policy, &trainer, None, counters)?;
        }
    }
    progress.finish(&format!("{n_steps} steps"));
    // A kill from here on, during the evaluation too, trains nothing again.
    state::save(dir, &policy, &trainer, None, counters)?;
    // Half of f32's size: the base model is meant to be shipped, and training goes on from what the file holds.
    policy.save(&dir.checkpoint(), &tokenizer, None, SaveDtype::Bf16)?;
    Ok(own_checkpoint(stage_id, dir))
}

/// Where training is, for errors: the step and the documents of its batch.
fn place(counters: Counters, n_documents: usize) -> String {
    let Counters { step, position } = counters;
    format!("step {step}, documents {} to {}", position - n_documents as u64, position - 1)
}

/// The named shape with the tokenizer's vocabulary.
fn model_config(name: &str, tokenizer: &Tokenizer) -> Result<ModelConfig> {
    let config = shape(name).with_context(|| format!("no shape is called '{name}'"))?;
    Ok(ModelConfig { vocab: tokenizer.vocab_size(), eos: vec![end_token(tokenizer)?], ..config })
}

fn end_token(tokenizer: &Tokenizer) -> Result<TokenId> {
    tokenizer.token_id(EOS).with_context(|| format!("the tokenizer has no {EOS} token"))
}
