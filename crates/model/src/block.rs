//! The parts of a transformer block that training, prefill and decoding share. Where a device promises it, those that they do not
//! share, attention above all, give a token the same bits on every path.

use ruminate_compute::ops::linear::Write;
use ruminate_compute::ops::{linear, qk_norm, residual, rms_norm, swiglu};
use ruminate_compute::{Buffer, ComputeError, Device, View, ViewMut};

use crate::ModelConfig;
use crate::parameters::LayerWeights;

/// Where a block is computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub device: &'a Device,
    pub config: &'a ModelConfig,
    /// Cosines and sines, `[positions, S]`.
    pub rope: View<'a>,
}

/// What a block computes for T tokens; the backward reads it.
#[derive(Debug)]
pub(crate) struct BlockBuffers {
    pub inv_rms: Buffer, // [T, 1]
    /// Queries and keys before their norm, for models that have one.
    pub qkv_raw: Buffer, // [T, (H + 2K) S]
    pub qk_inv_rms: Buffer, // [T, H + K]
    pub qkv: Buffer,     // [T, (H + 2K) S]
    pub attended: Buffer, // [T, H S]
    pub lse: Buffer,     // [T, H]
    pub inv_rms_mid: Buffer, // [T, 1]
    pub gate_up: Buffer, // [T, 2F]
}

/// What lives within a block only: one is enough for all of them. The backward makes it again from [`BlockBuffers`], which costs a
/// pass over memory, and lets gradients take its place.
#[derive(Debug)]
pub(crate) struct Passing {
    /// Before attention, then before the feed-forward; in decoding at last what the head reads; in the backward also its gradient.
    pub normed: Buffer, // [T, D]
    /// In the backward its gradient first.
    pub activated: Buffer, // [T, F]
}

impl Passing {
    pub(crate) fn new(device: &Device, config: &ModelConfig, n: usize) -> Result<Self, ComputeError> {
        Ok(Self { normed: device.zeros(n, config.hidden)?, activated: device.zeros(n, config.ffn)? })
    }

    /// Numbers per token, in the device's format.
    pub(crate) fn numbers_per_token(config: &ModelConfig) -> usize {
        config.hidden + config.ffn
    }
}

impl BlockBuffers {
    pub(crate) fn new(device: &Device, config: &ModelConfig, n: usize) -> Result<Self, ComputeError> {
        let heads = config.heads();
        let n_normed = if config.qk_norm { n } else { 0 };
        Ok(Self {
            inv_rms: device.zeros_f32(n, 1)?,
            qkv_raw: device.zeros(n_normed, heads.qkv_cols())?,
            qk_inv_rms: device.zeros_f32(n_normed, heads.n + heads.n_kv)?,
            qkv: device.zeros(n, heads.qkv_cols())?,
            attended: device.zeros(n, heads.out_cols())?,
            lse: device.zeros_f32(n, heads.n)?,
            inv_rms_mid: device.zeros_f32(n, 1)?,
            gate_up: device.zeros(n, 2 * config.ffn)?,
        })
    }

    /// Numbers kept per token, for the memory planner: (in the device's format, in f32).
    pub(crate) fn numbers_per_token(config: &ModelConfig) -> (usize, usize) {
        let heads = config.heads();
        let normed = usize::from(config.qk_norm);
        let floats = (1 + normed) * heads.qkv_cols() + heads.out_cols() + 2 * config.ffn;
        (floats, 2 + heads.n + normed * (heads.n + heads.n_kv))
    }
}

/// The norm before attention: `passing.normed` from the residual stream x `[T, D]`.
pub(crate) fn normalize(ctx: Context<'_>, layer: &LayerWeights<'_>, b: &mut BlockBuffers, passing: &mut Passing, x: View<'_>) {
    let (normed, inv_rms) = (passing.normed.head_mut(x.rows()), b.inv_rms.head_mut(x.rows()));
    rms_norm::forward(ctx.device, normed, inv_rms, x, layer.input_norm, ctx.config.rms_norm_eps);
}

/// Projections: `b.qkv` of n tokens from `passing.normed`, not yet rotated.
pub(crate) fn project_qkv(ctx: Context<'_>, layer: &LayerWeights<'_>, b: &mut BlockBuffers, passing: &mut Passing, n: usize) {
    let (device, eps, heads) = (ctx.device, ctx.config.rms_norm_eps, ctx.config.heads());
    if let Some((q_norm, k_norm)) = layer.qk_norm {
        linear::forward(device, b.qkv_raw.head_mut(n), passing.normed.head(n), &layer.qkv, layer.qkv_bias, Write::Replace);
        qk_norm::forward(device, b.qkv.head_mut(n), b.qk_inv_rms.head_mut(n), b.qkv_raw.head(n), q_norm, k_norm, heads, eps);
    } else {
        linear::forward(device, b.qkv.head_mut(n), passing.normed.head(n), &layer.qkv, layer.qkv_bias, Write::Replace);
    }
}

/// Norm, gate and up: `b.gate_up` from the residual stream x `[T, D]`.
pub(crate) fn project_gate_up(ctx: Context<'_>, layer: &LayerWeights<'_>, b: &mut BlockBuffers, passing: &mut Passing, x: View<'_>) {
    let (device, n, normed) = (ctx.device, x.rows(), &mut passing.normed);
    rms_norm::forward(device, normed.head_mut(n), b.inv_rms_mid.head_mut(n), x, layer.post_norm, ctx.config.rms_norm_eps);
    linear::forward(device, b.gate_up.head_mut(n), normed.head(n), &layer.gate_up, None, Write::Replace);
}

/// What comes after attention, for those who keep nothing for a backward: the residual stream x `[T, D]` after the block, and
/// `passing.normed`, by the norm that comes next.
pub(crate) fn finish(
    ctx: Context<'_>,
    layer: &LayerWeights<'_>,
    b: &mut BlockBuffers,
    passing: &mut Passing,
    mut x: ViewMut<'_>,
    next_norm: View<'_>,
) {
    let (device, n, eps, Passing { normed, activated }) = (ctx.device, x.rows(), ctx.config.rms_norm_eps, passing);
    let (attended, inv_rms) = (b.attended.head(n), &mut b.inv_rms_mid);
    residual::join(device, x.reborrow(), normed.head_mut(n), inv_rms.head_mut(n), attended, &layer.o, layer.post_norm, eps);
    swiglu::project(device, activated.head_mut(n), b.gate_up.head_mut(n), normed.head(n), &layer.gate_up);
    let inv_rms = &mut b.inv_rms;
    residual::join(device, x, normed.head_mut(n), inv_rms.head_mut(n), activated.head(n), &layer.down, next_norm, eps);
}
