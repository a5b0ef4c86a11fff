//! `kind = "pretrain"`: a small base policy from random weights.

use ruminate_tasks::synthetic::corpus::CorpusMix;
use ruminate_train::schedule::{ScheduleConfig, ScheduleKind};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::recipe::checks::Checks;
use crate::recipe::error::{Problem, RecipeError};
use crate::recipe::optimizer::AdamW;
use crate::recipe::source::{Part, Source};
use crate::shapes;

/// Pretraining on the built-in corpus.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PretrainConfig {
    /// Name of a shape, see `shapes`.
    pub(crate) shape: String,
    /// Tokens to train on; the last step is a whole one.
    pub(crate) tokens: u64,
    /// Tokens of an optimizer step.
    pub(crate) batch_tokens: usize,
    /// Most tokens of a forward pass.
    pub(crate) microbatch_tokens: usize,
    /// Blocks whose activations are computed again in the backward instead of kept.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub(crate) recompute_layers: usize,
    /// How gradients become steps.
    #[serde(flatten)]
    pub(crate) optimizer: AdamW,
    /// Steps between saved states.
    pub(crate) save_every: u64,
    /// Learning rate by step.
    pub(crate) schedule: ScheduleConfig,
    /// What the documents are like.
    pub(crate) corpus: CorpusMix,
}

impl PretrainConfig {
    /// Optimizer steps.
    pub(crate) fn n_steps(&self) -> u64 {
        self.tokens.div_ceil(self.batch_tokens as u64)
    }
}

/// `kind = "pretrain"`.
#[derive(Debug, Deserialize)]
struct PretrainFile {
    /// Name of a shape.
    shape: String,
    /// Tokens to train on.
    tokens: u64,
    /// Peak learning rate.
    learning_rate: f32,
    /// Default `cosine`.
    schedule: Option<ScheduleKind>,
    /// Default: a fiftieth of the steps.
    warmup_steps: Option<u64>,
    /// Last learning rate as a share of the peak; default 0.1.
    floor_ratio: Option<f32>,
    /// Tokens of an optimizer step.
    batch_tokens: usize,
    /// Tokens of a forward pass; default: `batch_tokens`, at most 8192.
    microbatch_tokens: Option<usize>,
    /// Blocks whose activations are computed again in the backward instead of kept; default 0.
    recompute_layers: Option<usize>,
    /// Default 0.1.
    weight_decay: Option<f32>,
    /// Default 0.9 and 0.95.
    adam_betas: Option<[f32; 2]>,
    /// Default 1e-8.
    adam_eps: Option<f32>,
    /// Default 1.
    max_grad_norm: Option<f32>,
    /// Steps between saved states; default 200.
    save_every: Option<u64>,
    /// What the documents are like; default: the built-in mix.
    corpus: Option<Table>,
}

/// Reads the stage's table.
pub(in crate::recipe) fn resolve(source: &Source, body: &Table, part: &Part) -> Result<PretrainConfig, RecipeError> {
    let file: PretrainFile = source.read_table(body, part)?;
    if shapes::shape(&file.shape).is_none() {
        let known = shapes::names().map(str::to_owned).collect();
        return Err(source.error(part, Some("shape"), Problem::unknown_name("shape", &file.shape, known)));
    }
    let corpus: CorpusMix = match &file.corpus {
        Some(table) => source.read_table(table, &part.key("corpus"))?,
        None => CorpusMix::default(),
    };
    let check = Checks { source, part };
    check.at_least_one("tokens", file.tokens)?;
    check.at_least_one("batch_tokens", file.batch_tokens as u64)?;
    check.positive("learning_rate", file.learning_rate)?;
    let n_steps = file.tokens.div_ceil(file.batch_tokens as u64);
    let config = PretrainConfig {
        shape: file.shape,
        tokens: file.tokens,
        batch_tokens: file.batch_tokens,
        microbatch_tokens: file.microbatch_tokens.unwrap_or(file.batch_tokens.min(8192)),
        recompute_layers: file.recompute_layers.unwrap_or(0),
        optimizer: AdamW::new(file.weight_decay.unwrap_or(0.1), file.adam_betas, file.adam_eps, file.max_grad_norm),
        save_every: file.save_every.unwrap_or(200),
        schedule: ScheduleConfig {
            kind: file.schedule.unwrap_or(ScheduleKind::Cosine),
            learning_rate: file.learning_rate,
            warmup_steps: file.warmup_steps.unwrap_or(n_steps / 50),
            floor_ratio: file.floor_ratio.unwrap_or(0.1),
        },
        corpus,
    };
    check.at_least_one("microbatch_tokens", config.microbatch_tokens as u64)?;
    check.at_least_one("save_every", config.save_every)?;
    config.optimizer.check(&check)?;
    check.range("floor_ratio", config.schedule.floor_ratio, 0.0, 1.0)?;
    Ok(config)
}
