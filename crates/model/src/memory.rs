//! How much memory training and sampling take, from sizes alone. What is taken is in [`crate::Policy`], [`crate::training::Activations`],
//! [`crate::decoder::Decoder`] and the trainer; a test in `rollout` holds these formulas against what the CPU's allocator counts.

use ruminate_compute::DeviceKind;
use ruminate_compute::ops::head::HeadScratch;
use ruminate_compute::ops::sample::Ahead;
use ruminate_compute::ops::{kv_cache, linear, residual, rms_norm};

use crate::ModelConfig;
use crate::block::{BlockBuffers, Passing};
use crate::decoder::{DecoderLimits, PAGE};
use crate::policy::context;

/// Bytes that are held at the same time, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Weights in all formats that they are held in.
    pub weights: usize,
    /// Gradients of the weights.
    pub gradients: usize,
    /// First and second moments of the optimizer.
    pub moments: usize,
    /// What forwards compute, and its gradients.
    pub activations: usize,
    /// Logits of some rows over the vocabulary.
    pub logits: usize,
    /// Keys and values of running sequences.
    pub cache: usize,
    /// Tables, tokens, and what libraries work in.
    pub other: usize,
}

impl Memory {
    /// The weights of a model that is trained, with their f32 master where the device computes in another format, and its table of
    /// rotations.
    pub fn of_weights(kind: DeviceKind, config: &ModelConfig) -> Self {
        let master = if kind.float_bytes() == 4 { 0 } else { 4 * config.n_parameters() };
        let frozen = Self::of_frozen_weights(kind, config);
        Self { weights: frozen.weights + master, ..frozen }
    }

    /// The weights of a model that is not trained: [`crate::Policy::load_frozen`], [`crate::RewardModel::load_frozen`].
    pub fn of_frozen_weights(kind: DeviceKind, config: &ModelConfig) -> Self {
        let weights = config.n_parameters() * kind.float_bytes();
        Self { weights, other: 4 * context(config) * config.head_dim, ..Self::default() }
    }

    /// Forward and backward over at most `max_tokens` tokens at a time, the weights excepted: see [`crate::training::Activations`].
    pub fn of_activations(kind: DeviceKind, config: &ModelConfig, max_tokens: usize, recompute_layers: usize) -> Self {
        let (float, heads, recomputed) = (kind.float_bytes(), config.heads(), recompute_layers.min(config.n_layers));
        let (block_floats, block_f32) = BlockBuffers::numbers_per_token(config);
        let kept = (block_floats + config.hidden) * float + block_f32 * 4;
        let n_kept = config.n_layers - recomputed + usize::from(recomputed > 0);
        let shared = 4 * config.hidden + Passing::numbers_per_token(config) + heads.qkv_cols() + heads.out_cols();
        let per_token = n_kept * kept + (config.n_layers * config.hidden + shared) * float + 4 * 4;
        // Of attention's backward one number for each head; the sums of a bias, and of a norm.
        let of_bias = linear::partial_bytes(max_tokens, heads.qkv_cols());
        let scratch = (4 * max_tokens * heads.n).max(of_bias).max(rms_norm::partial_bytes(max_tokens, config.hidden));
        Self {
            activations: max_tokens * per_token,
            logits: HeadScratch::bytes(kind, max_tokens, config.vocab),
            // Tokens, positions, rows and targets.
            other: 4 * 4 * max_tokens + kind.scratch_bytes(scratch),
            ..Self::default()
        }
    }

    /// What an optimizer holds besides the weights, and [`Memory::of_activations`].
    pub fn of_training(kind: DeviceKind, config: &ModelConfig, max_tokens: usize, recompute_layers: usize) -> Self {
        let of_weights = 4 * config.n_parameters();
        let optimizer = Self { gradients: of_weights, moments: 2 * of_weights, ..Self::default() };
        optimizer + Self::of_activations(kind, config, max_tokens, recompute_layers)
    }

    /// A [`crate::decoder::Decoder`].
    pub fn of_sampling(kind: DeviceKind, config: &ModelConfig, limits: DecoderLimits) -> Self {
        let float = kind.float_bytes();
        let batch = kind.decode_rows(limits.max_batch);
        let rows = batch.max(limits.max_prefill_tokens);
        let (block_floats, block_f32) = BlockBuffers::numbers_per_token(config);
        let per_row = (block_floats + Passing::numbers_per_token(config) + config.hidden) * float + block_f32 * 4;
        let integers = 4 * (3 * rows + batch * (1 + limits.max_pages));
        let parts = residual::partial_bytes(kind, config.hidden);
        let scratch = kind.scratch_bytes(parts.max(kv_cache::partial_bytes(batch, limits.max_pages, config.heads())));
        Self {
            activations: rows * per_row + batch * (config.hidden * float + 4),
            logits: HeadScratch::bytes(kind, batch, config.vocab),
            cache: 2 * config.n_layers * (limits.n_pages + 1) * PAGE * config.n_kv_heads * config.head_dim * float,
            other: integers + Ahead::bytes(kind, batch) + scratch,
            ..Self::default()
        }
    }

    /// What a device holds whatever it computes.
    pub fn of_device(kind: DeviceKind) -> Self {
        Self { other: kind.fixed_bytes(), ..Self::default() }
    }

    /// All parts, with their names.
    pub fn parts(self) -> [(&'static str, usize); 7] {
        [
            ("weights", self.weights),
            ("gradients", self.gradients),
            ("moments", self.moments),
            ("activations", self.activations),
            ("logits", self.logits),
            ("cache", self.cache),
            ("other", self.other),
        ]
    }

    /// Bytes in all.
    pub fn total(self) -> usize {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }
}

impl std::ops::Add for Memory {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            weights: self.weights + other.weights,
            gradients: self.gradients + other.gradients,
            moments: self.moments + other.moments,
            activations: self.activations + other.activations,
            logits: self.logits + other.logits,
            cache: self.cache + other.cache,
            other: self.other + other.other,
        }
    }
}
