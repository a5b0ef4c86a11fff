//! Forward and backward over packed sequences, keeping what the backward needs.

use std::ops::Range;

use ruminate_compute::ops::attention::Sequences;
use ruminate_compute::ops::head::{HeadGradients, HeadOutputs, HeadScratch, Logits};
use ruminate_compute::ops::linear::Write;
use ruminate_compute::ops::rope::Direction;
use ruminate_compute::ops::{attention, elementwise, embedding, head, linear, qk_norm, rms_norm, rope, swiglu};
use ruminate_compute::{Buffer, ComputeError, Device, Ints, View, ViewMut};
use ruminate_core::TokenId;

use crate::block::{self, BlockBuffers, Context, Passing};
use crate::parameters::{LayerParameters, LayerWeights, Parameters, Weights};
use crate::{Memory, ModelConfig, ModelError, Policy};

mod scores;
mod weight_gradient;

pub use scores::{backward_scores, forward_scores};
pub use weight_gradient::WeightGradient;

/// Packed sequences on the device, and which of their tokens are trained.
#[derive(Debug)]
pub struct Batch {
    token_ids: Ints,
    positions: Ints,
    sequences: Sequences,
    rows: Ints,
    targets: Ints,
    n_tokens: usize,
    n_rows: usize,
}

impl Batch {
    /// Uploads T tokens in sequences with borders `cu_seqlens`, of which the last token's hidden state is wanted: see [`forward_scores`].
    ///
    /// # Errors
    /// A sequence without tokens, and as [`Batch::new`].
    pub fn of_ends(policy: &Policy, token_ids: &[TokenId], cu_seqlens: &[usize]) -> Result<Self, ModelError> {
        if cu_seqlens.windows(2).any(|w| w[0] == w[1]) {
            return Err(ModelError::key("sequence", "at least one token", "none"));
        }
        let rows: Vec<usize> = cu_seqlens.iter().skip(1).map(|&border| border - 1).collect();
        // Nothing is predicted: targets are there for the shape.
        let targets: Vec<TokenId> = rows.iter().map(|&row| token_ids[row]).collect();
        Self::new(policy, token_ids, cu_seqlens, &rows, &targets)
    }

    /// Uploads T tokens in sequences with borders `cu_seqlens`; the token after each of `rows` is trained to be that of `targets`.
    ///
    /// # Errors
    /// A token outside the vocabulary, a sequence longer than the context, out of memory.
    pub fn new(
        policy: &Policy,
        token_ids: &[TokenId],
        cu_seqlens: &[usize],
        rows: &[usize],
        targets: &[TokenId],
    ) -> Result<Self, ModelError> {
        let (device, vocab) = (policy.device(), policy.config().vocab);
        if let Some(&id) = token_ids.iter().chain(targets).find(|&&id| id as usize >= vocab) {
            return Err(ModelError::key("token id", format!("below the vocabulary of {vocab}"), id.to_string()));
        }
        if let Some(length) = cu_seqlens.windows(2).map(|w| w[1] - w[0]).find(|&length| length > policy.context()) {
            return Err(ModelError::key("sequence", format!("at most {} tokens", policy.context()), format!("{length} tokens")));
        }
        let upload = |values: &[u32]| -> Result<Ints, ComputeError> {
            let mut ints = device.ints(values.len())?;
            ints.copy_from_host(values);
            Ok(ints)
        };
        let borders: Vec<u32> = cu_seqlens.iter().map(|&border| border as u32).collect();
        let positions: Vec<u32> = cu_seqlens.windows(2).flat_map(|w| 0..(w[1] - w[0]) as u32).collect();
        assert_eq!((positions.len(), rows.len()), (token_ids.len(), targets.len()), "borders and rows fit the tokens");
        Ok(Self {
            token_ids: upload(token_ids)?,
            positions: upload(&positions)?,
            sequences: Sequences::new(device, &borders)?,
            rows: upload(&rows.iter().map(|&row| row as u32).collect::<Vec<_>>())?,
            targets: upload(targets)?,
            n_tokens: token_ids.len(),
            n_rows: rows.len(),
        })
    }
}

/// Log-probability and entropy (nats) of each trained token, in the order of the batch's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenScores {
    /// Natural log-probabilities.
    pub logprobs: Vec<f32>,
    /// Entropies of the distributions they were drawn from.
    pub entropies: Vec<f32>,
}

/// One block: its input, and what it computed unless that is made again in the backward.
#[derive(Debug)]
struct Layer {
    x: Buffer, // [T, D], before attention
    kept: Option<Kept>,
}

/// What a block computed and its backward reads.
#[derive(Debug)]
struct Kept {
    x_mid: Buffer, // [T, D], before the feed-forward
    buffers: BlockBuffers,
}

impl Kept {
    fn new(device: &Device, config: &ModelConfig, n: usize) -> Result<Self, ComputeError> {
        Ok(Self { x_mid: device.zeros(n, config.hidden)?, buffers: BlockBuffers::new(device, config, n)? })
    }
}

/// Memory of one microbatch: everything the forward computes and the backward reads. Grows to the largest batch seen.
///
/// A block keeps its two residual streams, queries, keys and values, the attention's output, gate and up. Its norms and its activation
/// are passes over these and are made again in the backward. The first `recompute_layers` blocks keep nothing but their input (Chen et
/// al. 2016, arXiv 1604.06174): the backward runs their forward again, to the same bits.
#[derive(Debug)]
pub struct Activations {
    max_tokens: usize,
    recompute_layers: usize,
    layers: Vec<Layer>,
    /// Of the block that is worked on, where it keeps nothing itself.
    shared: Option<Kept>,
    passing: Passing,
    x: Buffer,            // [T, D], after the last block
    x_rows: Buffer,       // [R, D], its trained rows
    normed_rows: Buffer,  // [R, D]
    inv_rms_rows: Buffer, // [R, 1]
    logprobs: Buffer,     // [R, 1], also its gradient
    entropies: Buffer,    // [R, 1]
    lse: Buffer,          // [R, 1]
    dx: Buffer,           // [T, D]
    d_qkv: Buffer,        // [T, (H + 2K) S]
    d_attended: Buffer,   // [T, H S]
    head: HeadScratch,
}

impl Activations {
    /// Memory for at most `max_tokens` tokens; every block keeps what it computes.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn new(device: &Device, config: &ModelConfig, max_tokens: usize) -> Result<Self, ComputeError> {
        Self::recomputing(device, config, max_tokens, 0)
    }

    /// As [`Activations::new`], with the first `recompute_layers` blocks keeping their input only.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn recomputing(device: &Device, config: &ModelConfig, max_tokens: usize, recompute_layers: usize) -> Result<Self, ComputeError> {
        let (n, d, heads) = (max_tokens, config.hidden, config.heads());
        let recompute_layers = recompute_layers.min(config.n_layers);
        let kept = |is_kept: bool| is_kept.then(|| Kept::new(device, config, n)).transpose();
        let layer = |i| Ok(Layer { x: device.zeros(n, d)?, kept: kept(i >= recompute_layers)? });
        Ok(Self {
            max_tokens,
            recompute_layers,
            layers: (0..config.n_layers).map(layer).collect::<Result<_, ComputeError>>()?,
            shared: kept(recompute_layers > 0)?,
            passing: Passing::new(device, config, n)?,
            x: device.zeros(n, d)?,
            x_rows: device.zeros(n, d)?,
            normed_rows: device.zeros(n, d)?,
            inv_rms_rows: device.zeros_f32(n, 1)?,
            logprobs: device.zeros_f32(n, 1)?,
            entropies: device.zeros_f32(n, 1)?,
            lse: device.zeros_f32(n, 1)?,
            dx: device.zeros(n, d)?,
            d_qkv: device.zeros(n, heads.qkv_cols())?,
            d_attended: device.zeros(n, heads.out_cols())?,
            head: HeadScratch::new(device, n, config.vocab)?,
        })
    }

    /// Makes room for `n_tokens`.
    ///
    /// # Errors
    /// [`ModelError::NoRoom`].
    pub fn reserve(&mut self, policy: &Policy, n_tokens: usize) -> Result<(), ModelError> {
        if n_tokens > self.max_tokens {
            // The old memory is given back before the new is taken.
            *self = Self::recomputing(policy.device(), policy.config(), 0, self.recompute_layers)?;
            let memory = Memory::of_activations(policy.device().kind(), policy.config(), n_tokens, self.recompute_layers);
            let no_room = ModelError::no_room(
                format!("activations of a microbatch of {n_tokens} tokens"),
                memory.total(),
                "lower microbatch_tokens or raise recompute_layers (in a new run, with --out)",
            );
            *self = Self::recomputing(policy.device(), policy.config(), n_tokens, self.recompute_layers).map_err(no_room)?;
        }
        Ok(())
    }
}

/// Runs the blocks; the final hidden states of the trained rows are then in `acts.normed_rows`.
fn forward_blocks(policy: &Policy, weights: &Weights<'_>, acts: &mut Activations, batch: &Batch) {
    let ctx = policy.block_context();
    let (device, n, r) = (ctx.device, batch.n_tokens, batch.n_rows);
    embedding::forward(device, layer_input(acts, 0, n), weights.embed, &batch.token_ids);
    let Activations { layers, shared, passing, x: last, .. } = &mut *acts;
    for (i, layer) in weights.layers.iter().enumerate() {
        // The next block's input lies in the next element of `layers`, or after the last one in `x`.
        let (before, after) = layers.split_at_mut(i + 1);
        let Layer { x, kept } = &mut before[i];
        let next = after.first_mut().map_or(&mut *last, |layer| &mut layer.x);
        let kept = kept.as_mut().or(shared.as_mut()).expect("a block keeps its results or shares memory for them");
        forward_to_gate_up(ctx, layer, kept, passing, x.head(n), batch);
        swiglu::forward(device, passing.activated.head_mut(n), kept.buffers.gate_up.head(n));
        linear::forward_onto(device, next.head_mut(n), passing.activated.head(n), &layer.down, kept.x_mid.head(n));
    }
    elementwise::gather_rows(device, acts.x_rows.head_mut(r), acts.x.head(n), &batch.rows);
    let (normed, inv_rms) = (acts.normed_rows.head_mut(r), acts.inv_rms_rows.head_mut(r));
    rms_norm::forward(device, normed, inv_rms, acts.x_rows.head(r), weights.norm, ctx.config.rms_norm_eps);
}

/// A block up to gate and up, from its input x `[T, D]`: all that it keeps.
fn forward_to_gate_up(ctx: Context<'_>, layer: &LayerWeights<'_>, kept: &mut Kept, passing: &mut Passing, x: View<'_>, batch: &Batch) {
    let (device, n, heads) = (ctx.device, batch.n_tokens, ctx.config.heads());
    let Kept { x_mid, buffers: b } = kept;
    block::normalize(ctx, layer, b, passing, x);
    block::project_qkv(ctx, layer, b, passing, n);
    rope::apply(device, b.qkv.head_mut(n), ctx.rope, &batch.positions, heads, Direction::Forward);
    attention::forward(device, b.attended.head_mut(n), b.lse.head_mut(n), b.qkv.head(n), &batch.sequences, heads);
    linear::forward_onto(device, x_mid.head_mut(n), b.attended.head(n), &layer.o, x);
    block::project_gate_up(ctx, layer, b, passing, x_mid.head(n));
}

fn layer_input(acts: &mut Activations, layer: usize, n: usize) -> ViewMut<'_> {
    acts.layers.get_mut(layer).map_or(&mut acts.x, |layer| &mut layer.x).head_mut(n)
}

/// Log-probabilities and entropies of the batch's targets at `temperature`.
///
/// # Errors
/// Out of memory, or a device error.
pub fn forward(policy: &Policy, acts: &mut Activations, batch: &Batch, temperature: f32) -> Result<TokenScores, ModelError> {
    acts.reserve(policy, batch.n_tokens)?;
    let weights = policy.weights();
    policy.device().run(|| forward_blocks(policy, &weights, acts, batch));
    score_rows(policy, &weights, acts, batch, temperature, 0..batch.n_rows, Logits::Again)
}

/// Scores of some of the trained rows, whose final hidden states are there.
fn score_rows(
    policy: &Policy,
    weights: &Weights<'_>,
    acts: &mut Activations,
    batch: &Batch,
    temperature: f32,
    rows: Range<usize>,
    logits: Logits,
) -> Result<TokenScores, ModelError> {
    let (device, r) = (policy.device(), batch.n_rows);
    device.run(|| {
        let outputs = HeadOutputs { logprobs: acts.logprobs.head_mut(r), entropies: acts.entropies.head_mut(r), lse: acts.lse.head_mut(r) };
        let (hidden, targets) = (acts.normed_rows.head(r), &batch.targets);
        head::forward(device, &mut acts.head, outputs, hidden, &weights.head, targets, temperature, rows.clone(), logits);
    });
    let of_rows = |buffer: &Buffer| buffer.head(r).rows_range(rows.clone()).to_vec();
    Ok(TokenScores { logprobs: of_rows(&acts.logprobs)?, entropies: of_rows(&acts.entropies)? })
}

/// Raw logits of the batch's rows over the whole vocabulary, `[R, V]`: for tests and inspection of small batches only.
///
/// # Errors
/// Out of memory, or a device error.
pub fn logits(policy: &Policy, acts: &mut Activations, batch: &Batch) -> Result<Buffer, ModelError> {
    acts.reserve(policy, batch.n_tokens)?;
    let weights = policy.weights();
    forward_blocks(policy, &weights, acts, batch);
    let mut logits = policy.device().zeros_f32(batch.n_rows, policy.config().vocab)?;
    linear::forward(policy.device(), logits.view_mut(), acts.normed_rows.head(batch.n_rows), &weights.head, None, Write::Replace);
    Ok(logits)
}

/// Forward and backward of a batch: adds to the gradient of the weights and gives back what [`forward`] would.
///
/// The loss is computed in runs of whole groups of rows, such as sequences or single rows, which end at `ends`: `loss` is given the rows of
/// a run and their scores, and returns ∂loss/∂logprob of each. Only so the logits over the whole vocabulary, which are too many to keep,
/// need not be computed once more for the backward.
///
/// # Errors
/// Those of [`forward`], and what `loss` returns; the sum then holds a part of this batch's gradient, or nothing if it was new.
pub fn forward_backward<E: From<ModelError>>(
    policy: &Policy,
    acts: &mut Activations,
    batch: &Batch,
    temperature: f32,
    ends: &[usize],
    gradient: &mut WeightGradient,
    mut loss: impl FnMut(Range<usize>, &TokenScores) -> Result<Vec<f32>, E>,
) -> Result<TokenScores, E> {
    let (device, r) = (policy.device(), batch.n_rows);
    assert_eq!(ends.last().copied().unwrap_or(0), r, "groups have all rows");
    acts.reserve(policy, batch.n_tokens)?;
    let weights = policy.weights();
    device.run(|| forward_blocks(policy, &weights, acts, batch));
    let (mut grads, _, write) = gradient.parts(policy);
    let mut scores = TokenScores::default();
    for (rows, logits) in acts.head.runs(device, ends).into_iter().filter(|(rows, _)| !rows.is_empty()) {
        let run = score_rows(policy, &weights, acts, batch, temperature, rows.clone(), logits)?;
        let dlogprobs = loss(rows.clone(), &run)?;
        scores.logprobs.extend(run.logprobs);
        scores.entropies.extend(run.entropies);
        acts.logprobs.head_mut(r).into_rows(rows.clone()).copy_from_host(&dlogprobs);
        device.run(|| {
            let gradients = HeadGradients { dlogprobs: acts.logprobs.head(r), lse: acts.lse.head(r), targets: &batch.targets, temperature };
            let (d_normed, normed) = (acts.passing.normed.head_mut(r), acts.normed_rows.head(r));
            let dw = grads.head.as_mut().unwrap_or(&mut grads.embed).reborrow();
            head::backward(device, &mut acts.head, d_normed, dw, normed, weights.head.view(), gradients, rows, logits);
        });
    }
    device.run(|| backward_blocks(policy, &weights, acts, batch, &mut grads, write));
    gradient.added();
    device.synchronize().map_err(ModelError::from)?;
    Ok(scores)
}

/// `acts.passing.normed` holds the gradient of the rows behind the final norm; adds that of everything before, the matrices of the blocks
/// as `write` says.
fn backward_blocks(
    policy: &Policy,
    weights: &Weights<'_>,
    acts: &mut Activations,
    batch: &Batch,
    grads: &mut Parameters<ViewMut<'_>>,
    write: Write,
) {
    let (device, n, r) = (policy.device(), batch.n_tokens, batch.n_rows);
    // `normed_rows` is used up: it takes the gradient of the rows before the norm.
    let (d_rows, x_rows, inv_rms) = (acts.normed_rows.head_mut(r), acts.x_rows.head(r), acts.inv_rms_rows.head(r));
    rms_norm::backward(device, d_rows, grads.norm.reborrow(), acts.passing.normed.head(r), x_rows, inv_rms, weights.norm, Write::Replace);
    elementwise::scatter_rows(device, acts.dx.head_mut(n), acts.normed_rows.head(r), &batch.rows);
    let Activations { recompute_layers, layers, shared, passing, dx, d_qkv, d_attended, .. } = &mut *acts;
    let mut gradients = Gradients { passing, dx, d_qkv, d_attended, write };
    for ((i, grads), Layer { x, kept }) in grads.layers.iter_mut().enumerate().zip(layers).rev() {
        let (ctx, layer, x) = (policy.block_context(), &weights.layers[i], x.head(n));
        let kept = match kept {
            Some(kept) => kept,
            None => {
                let kept = shared.as_mut().expect("a block that keeps nothing shares memory");
                // Those of the last such block are still there from the forward.
                if i + 1 < *recompute_layers {
                    forward_to_gate_up(ctx, layer, kept, gradients.passing, x, batch);
                }
                kept
            }
        };
        backward_feed_forward(ctx, layer, kept, &mut gradients, grads, n);
        backward_attention(ctx, layer, x, &kept.buffers, &mut gradients, grads, batch);
    }
    embedding::backward(device, grads.embed.reborrow(), acts.dx.head(n), &batch.token_ids);
}

/// Gradients of activations, of the block that is worked on.
struct Gradients<'a> {
    passing: &'a mut Passing,
    dx: &'a mut Buffer,
    d_qkv: &'a mut Buffer,
    d_attended: &'a mut Buffer,
    /// How the gradient of a matrix is written.
    write: Write,
}

/// `dx` holds the gradient after the block; adds the part through the feed-forward.
fn backward_feed_forward(
    ctx: Context<'_>,
    layer: &LayerWeights<'_>,
    kept: &mut Kept,
    gradients: &mut Gradients<'_>,
    grads: &mut LayerParameters<ViewMut<'_>>,
    n: usize,
) {
    let device = ctx.device;
    let Gradients { passing: Passing { normed, activated }, dx, write, .. } = gradients;
    let Kept { x_mid, buffers: b } = kept;
    linear::backward_input(device, activated.head_mut(n), dx.head(n), layer.down.view(), Write::Replace);
    swiglu::backward_in_place(device, b.gate_up.head_mut(n), activated.head_mut(n));
    linear::backward_weight(device, grads.down.reborrow(), dx.head(n), activated.head(n), *write);
    rms_norm::forward_again(device, normed.head_mut(n), x_mid.head(n), b.inv_rms_mid.head(n), layer.post_norm);
    linear::backward_weight(device, grads.gate_up.reborrow(), b.gate_up.head(n), normed.head(n), *write);
    linear::backward_input(device, normed.head_mut(n), b.gate_up.head(n), layer.gate_up.view(), Write::Replace);
    let (dx, inv_rms) = (dx.head_mut(n), b.inv_rms_mid.head(n));
    rms_norm::backward(device, dx, grads.post_norm.reborrow(), normed.head(n), x_mid.head(n), inv_rms, layer.post_norm, Write::Add);
}

/// `dx` holds the gradient between attention and feed-forward; adds the part through attention.
fn backward_attention(
    ctx: Context<'_>,
    layer: &LayerWeights<'_>,
    x: View<'_>,
    b: &BlockBuffers,
    gradients: &mut Gradients<'_>,
    grads: &mut LayerParameters<ViewMut<'_>>,
    batch: &Batch,
) {
    let (device, heads, n) = (ctx.device, ctx.config.heads(), batch.n_tokens);
    let Gradients { passing: Passing { normed, .. }, dx, d_qkv, d_attended, write } = gradients;
    linear::backward_weight(device, grads.o.reborrow(), dx.head(n), b.attended.head(n), *write);
    linear::backward_input(device, d_attended.head_mut(n), dx.head(n), layer.o.view(), Write::Replace);
    let (dout, out, lse, qkv) = (d_attended.head(n), b.attended.head(n), b.lse.head(n), b.qkv.head(n));
    attention::backward(device, d_qkv.head_mut(n), dout, out, lse, qkv, &batch.sequences, heads);
    rope::apply(device, d_qkv.head_mut(n), ctx.rope, &batch.positions, heads, Direction::Backward);
    if let (Some((q_norm, k_norm)), Some(dq_norm), Some(dk_norm)) = (layer.qk_norm, &mut grads.q_norm, &mut grads.k_norm) {
        let (raw, inv_rms) = (b.qkv_raw.head(n), b.qk_inv_rms.head(n));
        qk_norm::backward(device, d_qkv.head_mut(n), dq_norm.reborrow(), dk_norm.reborrow(), raw, inv_rms, q_norm, k_norm, heads);
    }
    if let Some(d_bias) = &mut grads.qkv_bias {
        linear::backward_bias(device, d_bias.reborrow(), d_qkv.head(n));
    }
    rms_norm::forward_again(device, normed.head_mut(n), x, b.inv_rms.head(n), layer.input_norm);
    linear::backward_weight(device, grads.qkv.reborrow(), d_qkv.head(n), normed.head(n), *write);
    linear::backward_input(device, normed.head_mut(n), d_qkv.head(n), layer.qkv.view(), Write::Replace);
    let (dx, inv_rms) = (dx.head_mut(n), b.inv_rms.head(n));
    rms_norm::backward(device, dx, grads.input_norm.reborrow(), normed.head(n), x, inv_rms, layer.input_norm, Write::Add);
}
