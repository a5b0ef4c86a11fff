//! Prefill and token-by-token decoding over the paged cache, with all memory taken up front.

use ruminate_compute::ops::attention::Sequences;
use ruminate_compute::ops::head::HeadScratch;
use ruminate_compute::ops::kv_cache::{self, Cursors, KvCache, Newest, PageTable};
use ruminate_compute::ops::sample::{Ahead, SampleParams, SampleScratch, sample_ahead};
use ruminate_compute::ops::{attention, embedding};
use ruminate_compute::{Buffer, ComputeError, Device, Ints, Recordings};
use ruminate_core::TokenId;

use crate::block::{self, BlockBuffers, Passing};
use crate::{ModelConfig, Policy, Weights};

pub use ruminate_compute::ops::kv_cache::PAGE;

/// Sizes of a [`Decoder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderLimits {
    /// Sequences decoded together.
    pub max_batch: usize,
    /// Prompt tokens prefilled together; at least the longest prompt.
    pub max_prefill_tokens: usize,
    /// Pages of the cache, [`PAGE`] positions each.
    pub n_pages: usize,
    /// Pages of the longest sequence.
    pub max_pages: usize,
}

/// Prompts laid end to end, each from position 0.
#[derive(Clone, Copy, Debug)]
pub struct Prompts<'a> {
    /// `[T]`.
    pub token_ids: &'a [TokenId],
    /// Position of each token within its prompt, `[T]`.
    pub positions: &'a [u32],
    /// Borders, from 0.
    pub cu_seqlens: &'a [u32],
    /// Cache slot of each token, `page · PAGE + offset`, `[T]`.
    pub slots: &'a [u32],
}

/// The next token of each running sequence.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Token sampled last, `[B]`.
    pub token_ids: &'a [TokenId],
    /// Its position, `[B]`.
    pub positions: &'a [u32],
    /// Its cache slot, `[B]`.
    pub slots: &'a [u32],
    /// Pages of each sequence, `[B, max_pages]`.
    pub pages: &'a [u32],
    /// Positions to attend to, itself included, `[B]`.
    pub lengths: &'a [u32],
}

/// Buffers and cache for sampling with one policy shape.
#[derive(Debug)]
pub struct Decoder {
    limits: DecoderLimits,
    cache: KvCache,
    buffers: BlockBuffers,
    passing: Passing,
    x: Buffer,        // [T, D]
    x_rows: Buffer,   // [B, D]
    logprobs: Buffer, // [B, 1]
    token_ids: Ints,
    positions: Ints,
    slots: Ints,
    pages: Ints,
    lengths: Ints,
    head: HeadScratch,
    scratch: SampleScratch,
    ahead: Ahead,
    recordings: Recordings,
    /// Rows beyond the batch, for devices that decode few different numbers of rows.
    padded: Padded,
}

#[derive(Debug, Default)]
struct Padded {
    token_ids: Vec<u32>,
    positions: Vec<u32>,
    slots: Vec<u32>,
    pages: Vec<u32>,
    lengths: Vec<u32>,
    params: Vec<SampleParams>,
}

impl Decoder {
    /// Takes all memory that prefill, decoding and sampling need.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn new(device: &Device, config: &ModelConfig, limits: DecoderLimits) -> Result<Self, ComputeError> {
        let (batch, d) = (device.decode_rows(limits.max_batch), config.hidden);
        let rows = batch.max(limits.max_prefill_tokens);
        Ok(Self {
            limits,
            // One page more, for what is decoded beyond the end of a sequence.
            cache: KvCache::new(device, config.n_layers, limits.n_pages + 1, config.heads())?,
            buffers: BlockBuffers::new(device, config, rows)?,
            passing: Passing::new(device, config, rows)?,
            x: device.zeros(rows, d)?,
            x_rows: device.zeros(batch, d)?,
            logprobs: device.zeros_f32(batch, 1)?,
            token_ids: device.ints(rows)?,
            positions: device.ints(rows)?,
            slots: device.ints(rows)?,
            pages: device.ints(batch * limits.max_pages)?,
            lengths: device.ints(batch)?,
            head: HeadScratch::new(device, batch, config.vocab)?,
            scratch: SampleScratch::default(),
            ahead: Ahead::new(device, batch)?,
            recordings: Recordings::default(),
            padded: Padded::default(),
        })
    }

    /// The sizes it was made for.
    pub fn limits(&self) -> DecoderLimits {
        self.limits
    }

    /// Runs prompts through the blocks and stores their keys and values; nothing is sampled.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn prefill(&mut self, policy: &Policy, weights: &Weights<'_>, prompts: Prompts<'_>) -> Result<(), ComputeError> {
        let ctx = policy.block_context();
        let (device, n) = (ctx.device, prompts.token_ids.len());
        assert!(n <= self.limits.max_prefill_tokens, "{n} prompt tokens, room for {}", self.limits.max_prefill_tokens);
        let sequences = Sequences::new(device, prompts.cu_seqlens)?;
        self.upload(prompts.token_ids, prompts.positions, prompts.slots);
        embedding::forward(device, self.x.head_mut(n), weights.embed, &self.token_ids);
        let (b, passing) = (&mut self.buffers, &mut self.passing);
        block::normalize(ctx, &weights.layers[0], b, passing, self.x.head(n));
        for (i, layer) in weights.layers.iter().enumerate() {
            block::project_qkv(ctx, layer, b, passing, n);
            kv_cache::rotate_and_append(device, &mut self.cache, i, b.qkv.head_mut(n), ctx.rope, &self.positions, &self.slots);
            // Nobody reads what the last block makes of a prompt.
            let Some(next) = weights.layers.get(i + 1) else { break };
            attention::forward(device, b.attended.head_mut(n), b.lse.head_mut(n), b.qkv.head(n), &sequences, ctx.config.heads());
            block::finish(ctx, layer, b, passing, self.x.head_mut(n), next.input_norm);
        }
        Ok(())
    }

    /// The page that belongs to no sequence: where a page list ends, and what lies behind it is never read.
    pub fn spare_page(&self) -> u32 {
        self.limits.n_pages as u32
    }

    /// Decodes the next `n_steps` tokens of each sequence: each step runs the token sampled last and draws the next, with the
    /// random numbers `uniforms` `[n_steps, B]`. `tokens` and `logprobs` receive all of them, `[n_steps, B]`.
    ///
    /// # Errors
    /// A device error.
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    pub fn decode(
        &mut self,
        policy: &Policy,
        weights: &Weights<'_>,
        step: Step<'_>,
        params: &[SampleParams],
        uniforms: &[f64],
        tokens: &mut Vec<TokenId>,
        logprobs: &mut Vec<f32>,
    ) -> Result<(), ComputeError> {
        let (device, n) = (policy.device(), step.token_ids.len());
        let n_steps = uniforms.len() / n.max(1);
        let rows = device.decode_rows(n);
        let mut padded = std::mem::take(&mut self.padded);
        padded.fill(step, params, rows, self.limits.max_pages, self.spare_page());
        self.upload(&padded.token_ids, &padded.positions, &padded.slots);
        self.pages.copy_from_host(&padded.pages);
        self.lengths.copy_from_host(&padded.lengths);
        self.ahead.begin(device, &padded.params[..n], uniforms);
        self.padded = padded;
        let mut recordings = std::mem::take(&mut self.recordings);
        // What is recorded reads the weights where they lay: the same policy, or one that took its place in memory.
        let key = policy.address().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ rows as u64;
        for _ in 0..n_steps {
            device.replay(&mut recordings, key, || self.decode_one(policy, weights, rows));
        }
        self.recordings = recordings;
        self.ahead.finish(n_steps, tokens, logprobs)
    }

    /// One token of each row: through the blocks, drawn, and on to the next position.
    fn decode_one(&mut self, policy: &Policy, weights: &Weights<'_>, n: usize) {
        let ctx = policy.block_context();
        let device = ctx.device;
        let table = PageTable { pages: &self.pages, max_pages: self.limits.max_pages, lengths: &self.lengths };
        let newest = Newest { rope: ctx.rope, positions: &self.positions, slots: &self.slots, table };
        embedding::forward(device, self.x_rows.head_mut(n), weights.embed, &self.token_ids);
        let (b, passing) = (&mut self.buffers, &mut self.passing);
        block::normalize(ctx, &weights.layers[0], b, passing, self.x_rows.head(n));
        for (i, layer) in weights.layers.iter().enumerate() {
            block::project_qkv(ctx, layer, b, passing, n);
            kv_cache::append_and_attend(device, b.attended.head_mut(n), &mut self.cache, i, b.qkv.head_mut(n), newest);
            let next_norm = weights.layers.get(i + 1).map_or(weights.norm, |next| next.input_norm);
            block::finish(ctx, layer, b, passing, self.x_rows.head_mut(n), next_norm);
        }
        let (hidden, out) = (passing.normed.head(n), self.logprobs.head_mut(n));
        sample_ahead(device, &mut self.head, &mut self.scratch, &mut self.ahead, &mut self.token_ids, out, hidden, &weights.head);
        let cursors =
            Cursors { positions: &mut self.positions, slots: &mut self.slots, lengths: &mut self.lengths, step: self.ahead.step_mut() };
        kv_cache::advance(device, cursors, &self.pages, self.limits.max_pages, n, policy.context());
    }

    /// Copies a page of the cache in all layers.
    pub fn copy_page(&mut self, policy: &Policy, from: u32, to: u32) {
        kv_cache::copy_page(policy.device(), &mut self.cache, from, to);
    }

    fn upload(&mut self, token_ids: &[TokenId], positions: &[u32], slots: &[u32]) {
        self.token_ids.copy_from_host(token_ids);
        self.positions.copy_from_host(positions);
        self.slots.copy_from_host(slots);
    }
}

impl Padded {
    /// The step, with rows of its own making up to `rows`: they decode token 0 in the spare page.
    fn fill(&mut self, step: Step<'_>, params: &[SampleParams], rows: usize, max_pages: usize, spare_page: u32) {
        for (to, from, filler) in [
            (&mut self.token_ids, step.token_ids, 0),
            (&mut self.positions, step.positions, 0),
            (&mut self.slots, step.slots, spare_page * PAGE as u32),
            (&mut self.lengths, step.lengths, 1),
        ] {
            to.clear();
            to.extend_from_slice(from);
            to.resize(rows, filler);
        }
        self.pages.clear();
        self.pages.extend_from_slice(step.pages);
        self.pages.resize(rows * max_pages, spare_page);
        self.params.clear();
        self.params.extend_from_slice(params);
    }
}
