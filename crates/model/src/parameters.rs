//! The flat buffer of weights and its named parts.
//!
//! All weights lie in one buffer, in the order of [`ModelConfig::tensors`]. Tensors that are used together are neighbours, so
//! that queries, keys and values are one matrix, and gate and up are one matrix, without being copied.

use ruminate_compute::ops::attention::Heads;
use ruminate_compute::ops::linear::Weight;
use ruminate_compute::{Device, View, ViewMut};

use crate::ModelConfig;

/// One block's parts of a flat buffer.
#[derive(Debug)]
pub(crate) struct LayerParameters<T> {
    pub input_norm: T,
    /// Queries, keys, values: `[(H + 2K) S, D]`.
    pub qkv: T,
    pub qkv_bias: Option<T>,
    pub q_norm: Option<T>,
    pub k_norm: Option<T>,
    /// `[D, H S]`.
    pub o: T,
    pub post_norm: T,
    /// Gate, up: `[2F, D]`.
    pub gate_up: T,
    /// `[D, F]`.
    pub down: T,
}

/// All parts of a flat buffer: of the weights, or of their gradients.
#[derive(Debug)]
pub(crate) struct Parameters<T> {
    /// `[V, D]`.
    pub embed: T,
    pub layers: Vec<LayerParameters<T>>,
    pub norm: T,
    /// `[V, D]`; none when tied to `embed`.
    pub head: Option<T>,
}

impl<T> Parameters<T> {
    /// Calls `take(rows, cols)` for each part in the order of the buffer.
    fn cut(config: &ModelConfig, mut take: impl FnMut(usize, usize) -> T) -> Self {
        let (d, f) = (config.hidden, config.ffn);
        let heads = config.heads();
        let embed = take(config.vocab, d);
        let mut layer = || LayerParameters {
            input_norm: take(1, d),
            qkv: take(heads.qkv_cols(), d),
            qkv_bias: config.qkv_bias.then(|| take(1, heads.qkv_cols())),
            q_norm: config.qk_norm.then(|| take(1, heads.size)),
            k_norm: config.qk_norm.then(|| take(1, heads.size)),
            o: take(d, heads.out_cols()),
            post_norm: take(1, d),
            gate_up: take(2 * f, d),
            down: take(d, f),
        };
        let layers = (0..config.n_layers).map(|_| layer()).collect();
        let norm = take(1, d);
        let head = (!config.tied).then(|| take(config.vocab, d));
        Self { embed, layers, norm, head }
    }
}

impl<'a> Parameters<View<'a>> {
    pub(crate) fn of(config: &ModelConfig, flat: View<'a>) -> Self {
        let mut start = 0;
        let parameters = Self::cut(config, |rows, cols| {
            start += rows * cols;
            flat.at(start - rows * cols, rows, cols)
        });
        assert_eq!(start, flat.cols(), "the parts fill the flat buffer");
        parameters
    }
}

impl<'a> Parameters<ViewMut<'a>> {
    pub(crate) fn of_mut(config: &ModelConfig, flat: ViewMut<'a>) -> Self {
        let mut rest = Some(flat);
        let parameters = Self::cut(config, |rows, cols| {
            let (part, tail) = rest.take().expect("put back below").split_at(rows * cols);
            rest = Some(tail);
            part.reshape(rows, cols)
        });
        assert_eq!(rest.map_or(0, |rest| rest.cols()), 0, "the parts fill the flat buffer");
        parameters
    }
}

/// One block's weights, ready for the forward.
#[derive(Debug)]
pub(crate) struct LayerWeights<'a> {
    pub input_norm: View<'a>,
    pub qkv: Weight<'a>,
    pub qkv_bias: Option<View<'a>>,
    pub qk_norm: Option<(View<'a>, View<'a>)>,
    pub o: Weight<'a>,
    pub post_norm: View<'a>,
    pub gate_up: Weight<'a>,
    pub down: Weight<'a>,
}

/// The policy's weights, ready for the forward. Borrowed from the policy: they cannot outlive an optimizer step, so sampling
/// never uses stale weights.
#[derive(Debug)]
pub struct Weights<'a> {
    pub(crate) embed: View<'a>,
    pub(crate) layers: Vec<LayerWeights<'a>>,
    pub(crate) norm: View<'a>,
    pub(crate) head: Weight<'a>,
}

impl<'a> Weights<'a> {
    pub(crate) fn of(config: &ModelConfig, flat: View<'a>, weight: impl Fn(View<'a>) -> Weight<'a>) -> Self {
        let parts = Parameters::of(config, flat);
        let layer = |layer: LayerParameters<View<'a>>| LayerWeights {
            input_norm: layer.input_norm,
            qkv: weight(layer.qkv),
            qkv_bias: layer.qkv_bias,
            qk_norm: layer.q_norm.zip(layer.k_norm),
            o: weight(layer.o),
            post_norm: layer.post_norm,
            gate_up: weight(layer.gate_up),
            down: weight(layer.down),
        };
        let layers = parts.layers.into_iter().map(layer).collect();
        Self { embed: parts.embed, layers, norm: parts.norm, head: weight(parts.head.unwrap_or(parts.embed)) }
    }

    pub(crate) fn plain(config: &ModelConfig, flat: View<'a>) -> Self {
        Self::of(config, flat, Weight::new)
    }

    pub(crate) fn prepared(device: &Device, config: &ModelConfig, flat: View<'a>) -> Self {
        Self::of(config, flat, |view| Weight::prepared(device, view))
    }
}

impl ModelConfig {
    /// Head counts and size of the attention layers.
    pub fn heads(&self) -> Heads {
        Heads { n: self.n_heads, n_kv: self.n_kv_heads, size: self.head_dim }
    }
}
