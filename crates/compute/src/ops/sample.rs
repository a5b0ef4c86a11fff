//! Draws the next token of each row from the head's distribution, without holding the logits of a whole batch.
//!
//! The vocabulary is walked in chunks; of each chunk only its maximum and its sum of exponentials are kept. The inverse of the
//! cumulative distribution first picks a chunk, whose logits are then computed again (to the same bits) for that row alone.
//! Rows that truncate the distribution (top-k, top-p, min-p) need it sorted: they are handled a few rows at a time.

mod cuda;

use std::cell::RefCell;

use rayon::prelude::*;

use super::head::{CHUNK, HeadScratch, PIECE, RowSums, piece_logits, scale};
use super::linear::Weight;
use crate::buffer::{Buffer, Ints, View, ViewMut};
use crate::cpu::gemm::{Lhs, Start, gemm, gemm_single};
use crate::cpu::vector::{exp, vectorize};
use crate::device::{ComputeError, Device, DeviceKind};

/// Rows whose full logits exist at the same time when distributions are truncated.
const TRUNCATED_ROWS: usize = 8;

/// How one row is sampled. Truncation is applied in the order top-k, top-p, min-p, as common engines do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleParams {
    /// Logits are divided by it; 0 takes the most probable token.
    pub temperature: f32,
    /// Keep the k most probable tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep the most probable tokens that together have this probability; 1 keeps all.
    pub top_p: f32,
    /// Keep tokens with at least this share of the largest probability; 0 keeps all.
    pub min_p: f32,
    /// The random number in [0, 1) that decides.
    pub uniform: f64,
}

impl SampleParams {
    fn truncates(&self) -> bool {
        self.temperature > 0.0 && (self.top_k > 0 || self.top_p < 1.0 || self.min_p > 0.0)
    }

    fn inv_temperature(&self) -> f32 {
        if self.temperature > 0.0 { 1.0 / self.temperature } else { 1.0 }
    }
}

thread_local! {
    static LOGITS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    static ORDER: RefCell<Vec<(f32, u32)>> = const { RefCell::new(Vec::new()) };
}

/// Memory for [`sample`], reused from step to step.
#[derive(Debug, Default)]
pub struct SampleScratch {
    chunks: Vec<RowSums>,
    full: Vec<f32>,
    /// Parameters of the rows on a GPU.
    rows: Option<Ints>,
}

/// Draws `tokens[b]` for each row of hidden `[B, D]`; `logprobs` `[B, 1]` receives its log-probability under the whole
/// distribution at the row's temperature (at 1 when the temperature is 0), equal to the bit to what [`super::head::forward`]
/// computes for that token where no backward follows.
#[expect(clippy::too_many_arguments, reason = "the operation has this many operands")]
pub fn sample(
    device: &Device,
    head: &mut HeadScratch,
    scratch: &mut SampleScratch,
    tokens: &mut Ints,
    mut logprobs: ViewMut<'_>,
    hidden: View<'_>,
    w: &Weight<'_>,
    params: &[SampleParams],
) {
    let rows = hidden.rows();
    assert_eq!((params.len(), logprobs.rows(), w.view().cols()), (rows, rows, hidden.cols()), "sample");
    match device {
        Device::Cpu => {
            let step = head.logits.rows();
            for start in (0..rows).step_by(step) {
                let part = start..(start + step).min(rows);
                let (tokens, logprobs) = (&mut tokens.slice_mut()[part.clone()], &mut logprobs.slice()[part.clone()]);
                sample_rows(head, scratch, tokens, logprobs, hidden.rows_range(part.clone()), w, &params[part]);
            }
        }
        Device::Cuda(cuda) => {
            cuda::reserve(&mut scratch.rows, cuda, rows.max(1));
            let Some(ints) = &mut scratch.rows else { return };
            ints.copy_from_host(&cuda::words(params));
            let places = cuda::Places {
                tokens: tokens.ptr(rows),
                logprobs: logprobs.span().ptr,
                params: ints.ptr(rows * cuda::WORDS),
                uniforms: 0,
                step: 0,
                all_tokens: 0,
                all_logprobs: 0,
                stride: rows,
            };
            cuda::draw(cuda, head, places, hidden, w.view());
        }
    }
}

/// A loop of draws whose results the host reads after the last step: parameters, random numbers and results of all steps.
#[derive(Debug)]
pub struct Ahead {
    max_rows: usize,
    max_steps: usize,
    params: Vec<SampleParams>,
    uniforms: Vec<f64>, // [n_steps, rows]
    device_params: Ints,
    device_uniforms: Ints, // [max_steps, max_rows] of two words
    tokens: Ints,          // [max_steps, max_rows]
    logprobs: Buffer,      // [max_steps, max_rows]
    step: Ints,
    /// On the CPU, where the step is known.
    host_step: usize,
}

impl Ahead {
    /// Memory for `max_rows` rows and [`Device::steps_ahead`] steps.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn new(device: &Device, max_rows: usize) -> Result<Self, ComputeError> {
        let max_steps = device.steps_ahead();
        Ok(Self {
            max_rows,
            max_steps,
            params: Vec::new(),
            uniforms: Vec::new(),
            device_params: device.ints(max_rows * cuda::WORDS)?,
            device_uniforms: device.ints(2 * max_steps * max_rows)?,
            tokens: device.ints(max_steps * max_rows)?,
            logprobs: device.zeros_f32(max_steps, max_rows)?,
            step: device.ints(1)?,
            host_step: 0,
        })
    }

    /// Bytes that [`Ahead::new`] takes.
    pub fn bytes(kind: DeviceKind, max_rows: usize) -> usize {
        max_rows * 4 * (cuda::WORDS + 4 * kind.steps_ahead()) + 4
    }

    /// Starts a loop over these rows, with the random numbers `uniforms` `[n_steps, rows]`.
    pub fn begin(&mut self, device: &Device, params: &[SampleParams], uniforms: &[f64]) {
        let n = params.len();
        assert!(n <= self.max_rows && uniforms.len() <= self.max_steps * n, "{n} rows and {} random numbers", uniforms.len());
        self.host_step = 0;
        self.params.clear();
        self.params.extend_from_slice(params);
        self.uniforms.clear();
        match device {
            Device::Cpu => self.uniforms.extend_from_slice(uniforms),
            Device::Cuda(_) => {
                for step in uniforms.chunks(n.max(1)) {
                    self.uniforms.extend_from_slice(step);
                    self.uniforms.resize(self.uniforms.len() + self.max_rows - n, 0.0);
                }
                self.step.copy_from_host(&[0]);
                self.device_params.copy_from_host(&cuda::words(params));
                self.device_uniforms.copy_from_host(bytemuck::cast_slice(&self.uniforms));
            }
        }
    }

    /// The counter of steps, which [`super::kv_cache::advance`] moves on.
    pub fn step_mut(&mut self) -> &mut Ints {
        &mut self.step
    }

    /// Copies tokens and log-probabilities `[n_steps, rows]` to the host.
    ///
    /// # Errors
    /// A pending device error.
    pub fn finish(&self, n_steps: usize, tokens: &mut Vec<u32>, logprobs: &mut Vec<f32>) -> Result<(), ComputeError> {
        let n = self.params.len();
        self.tokens.read_into(n_steps * self.max_rows, tokens)?;
        self.logprobs.head(n_steps).read_into(logprobs)?;
        // Rows beyond the batch go.
        for step in 1..n_steps {
            tokens.copy_within(step * self.max_rows..step * self.max_rows + n, step * n);
            logprobs.copy_within(step * self.max_rows..step * self.max_rows + n, step * n);
        }
        tokens.truncate(n_steps * n);
        logprobs.truncate(n_steps * n);
        Ok(())
    }
}

#[expect(clippy::too_many_arguments, reason = "the operation has this many operands")]
/// Draws the next tokens of a loop into `tokens`; hidden may hold more rows than the loop has, whose tokens mean nothing.
pub fn sample_ahead(
    device: &Device,
    head: &mut HeadScratch,
    scratch: &mut SampleScratch,
    ahead: &mut Ahead,
    tokens: &mut Ints,
    mut logprobs: ViewMut<'_>,
    hidden: View<'_>,
    w: &Weight<'_>,
) {
    match device {
        Device::Cpu => {
            let (n, step) = (ahead.params.len(), ahead.host_step);
            let uniforms = &ahead.uniforms[step * n..(step + 1) * n];
            ahead.params.iter_mut().zip(uniforms).for_each(|(params, &uniform)| params.uniform = uniform);
            sample(device, head, scratch, tokens, logprobs.reborrow(), hidden, w, &ahead.params);
            let first = step * ahead.max_rows;
            ahead.tokens.slice_mut()[first..first + n].copy_from_slice(&tokens.slice()[..n]);
            ahead.logprobs.view_mut().slice()[first..first + n].copy_from_slice(logprobs.slice());
            ahead.host_step += 1;
        }
        Device::Cuda(cuda) => {
            let rows = hidden.rows();
            let places = cuda::Places {
                tokens: tokens.ptr(rows),
                logprobs: logprobs.span().ptr,
                params: ahead.device_params.ptr(rows * cuda::WORDS),
                uniforms: ahead.device_uniforms.ptr(0),
                step: ahead.step.ptr(1),
                all_tokens: ahead.tokens.ptr(0),
                all_logprobs: ahead.logprobs.view().span().ptr,
                stride: ahead.max_rows,
            };
            cuda::draw(cuda, head, places, hidden, w.view());
        }
    }
}

fn sample_rows(
    head: &mut HeadScratch,
    scratch: &mut SampleScratch,
    tokens: &mut [u32],
    logprobs: &mut [f32],
    hidden: View<'_>,
    w: &Weight<'_>,
    params: &[SampleParams],
) {
    let (vocab, d, rows) = (w.view().rows(), hidden.cols(), hidden.rows());
    let n_chunks = vocab.div_ceil(CHUNK);
    scratch.chunks.clear();
    scratch.chunks.resize(rows * n_chunks, RowSums::EMPTY);
    for first in (0..vocab).step_by(PIECE) {
        let n = PIECE.min(vocab - first);
        let mut logits = head.logits.view_mut();
        let logits = &mut logits.slice()[..rows * n];
        piece_logits(logits, hidden.slice(), w, first, n, 1.0);
        scratch.chunks.par_chunks_mut(n_chunks).zip(logits.par_chunks_mut(n)).zip(params).for_each(|((chunks, logits), params)| {
            let inv_temperature = params.inv_temperature();
            scale(logits, inv_temperature);
            chunk_sums(&mut chunks[first / CHUNK..], logits);
        });
    }
    let outputs = tokens.par_iter_mut().zip(logprobs.par_iter_mut());
    outputs.zip(hidden.slice().par_chunks(d)).zip(scratch.chunks.par_chunks(n_chunks)).zip(params).for_each(
        |((((token, logprob), hidden), chunks), params)| {
            if !params.truncates() {
                (*token, *logprob) = draw(hidden, w, chunks, params);
            }
        },
    );
    draw_truncated(&mut scratch.full, tokens, logprobs, hidden, w, &scratch.chunks, params);
}

vectorize! {
fn chunk_sums(chunks: &mut [RowSums], logits: &[f32]) {
    for (sums, logits) in chunks.iter_mut().zip(logits.chunks(CHUNK)) {
        *sums = RowSums::of(logits);
    }
}
}

vectorize! {
/// Total sums of a row, merged in the order of [`super::head::forward`].
fn total(chunks: &[RowSums]) -> RowSums {
    chunks.iter().fold(RowSums::EMPTY, |sums, &chunk| sums.merge(chunk))
}
}

/// Draws from the whole distribution of one row, or takes its maximum.
fn draw(hidden: &[f32], w: &Weight<'_>, chunks: &[RowSums], params: &SampleParams) -> (u32, f32) {
    let sums = total(chunks);
    let weight = |chunk: &RowSums| f64::from(chunk.sum) * f64::from(chunk.max - sums.max).exp();
    let greedy = params.temperature <= 0.0;
    let (chunk, rest) = if greedy {
        (chunks.iter().position(|chunk| chunk.max >= sums.max).unwrap_or(0), 0.0)
    } else {
        pick(chunks.iter().map(weight), params.uniform * chunks.iter().map(weight).sum::<f64>())
    };
    LOGITS.with_borrow_mut(|logits| {
        let (vocab, first) = (w.view().rows(), chunk * CHUNK);
        logits.resize(CHUNK.min(vocab - first), 0.0);
        gemm_single(hidden, w.rhs(first), logits);
        let inv_temperature = params.inv_temperature();
        scale(logits, inv_temperature);
        let offset = if greedy {
            logits.iter().position(|&l| l >= sums.max).unwrap_or(0)
        } else {
            let scale = f64::from(chunks[chunk].max - sums.max).exp();
            pick(logits.iter().map(|&l| f64::from(exp(l - chunks[chunk].max)) * scale), rest).0
        };
        ((first + offset) as u32, logits[offset] - sums.log_sum_exp())
    })
}

/// Index at which the running sum of the weights passes `target`, and how far `target` lies inside that weight. When rounding
/// leaves no such index: the last weight that changes the sum, and infinity. A weight of zero is never picked.
fn pick(weights: impl Iterator<Item = f64>, target: f64) -> (usize, f64) {
    let (mut sum, mut last) = (0.0, 0);
    for (i, weight) in weights.enumerate() {
        let next = sum + weight;
        if target < next {
            return (i, target - sum);
        }
        if next > sum {
            last = i;
        }
        sum = next;
    }
    (last, f64::INFINITY)
}

fn draw_truncated(
    full: &mut Vec<f32>,
    tokens: &mut [u32],
    logprobs: &mut [f32],
    hidden: View<'_>,
    w: &Weight<'_>,
    chunks: &[RowSums],
    params: &[SampleParams],
) {
    let (vocab, d) = (w.view().rows(), hidden.cols());
    let n_chunks = vocab.div_ceil(CHUNK);
    for start in (0..params.len()).step_by(TRUNCATED_ROWS) {
        let rows = start..(start + TRUNCATED_ROWS).min(params.len());
        if !params[rows.clone()].iter().any(SampleParams::truncates) {
            continue;
        }
        full.resize(TRUNCATED_ROWS * vocab, 0.0);
        let logits = &mut full[..rows.len() * vocab];
        let hidden = hidden.rows_range(rows.clone()).slice();
        gemm(rows.len(), vocab, d, Lhs { data: hidden, row: d, col: 1 }, w.rhs(0), logits, Start::Zero);
        let outputs = tokens[rows.clone()].par_iter_mut().zip(&mut logprobs[rows.clone()]);
        let inputs = logits.par_chunks_mut(vocab).zip(chunks[rows.start * n_chunks..].par_chunks(n_chunks)).zip(&params[rows]);
        outputs.zip(inputs).for_each(|((token, logprob), ((logits, chunks), params))| {
            if params.truncates() {
                let inv_temperature = params.inv_temperature();
                scale(logits, inv_temperature);
                let sums = total(chunks);
                *token = ORDER.with_borrow_mut(|order| draw_kept(order, logits, sums, params));
                *logprob = logits[*token as usize] - sums.log_sum_exp();
            }
        });
    }
}

/// Draws among the tokens that top-k, top-p and min-p keep, the most probable first.
fn draw_kept(order: &mut Vec<(f32, u32)>, logits: &[f32], sums: RowSums, params: &SampleParams) -> u32 {
    // Tokens under (1 − top_p) / V cannot be in the nucleus: all of them together have less than 1 − top_p.
    let nucleus_floor = (1.0 - params.top_p) / logits.len() as f32 * 0.5;
    let floor = if params.top_p < 1.0 && params.top_k == 0 { nucleus_floor } else { 0.0 };
    order.clear();
    order.extend(logits.iter().enumerate().map(|(i, &l)| (exp(l - sums.max) / sums.sum, i as u32)).filter(|&(p, _)| p >= floor));
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    if params.top_k > 0 {
        order.truncate(params.top_k as usize);
    }
    if params.top_p < 1.0 {
        let kept: f64 = if params.top_k > 0 { order.iter().map(|&(p, _)| f64::from(p)).sum() } else { 1.0 };
        let mut mass = 0.0;
        let n = order.iter().position(|&(p, _)| {
            mass += f64::from(p);
            mass >= f64::from(params.top_p) * kept
        });
        order.truncate(n.map_or(order.len(), |n| n + 1));
    }
    if let Some(&(largest, _)) = order.first() {
        order.retain(|&(p, _)| p >= params.min_p * largest);
    }
    let mass: f64 = order.iter().map(|&(p, _)| f64::from(p)).sum();
    let (picked, _) = pick(order.iter().map(|&(p, _)| f64::from(p)), params.uniform * mass);
    // A row of NaN keeps no order; the caller sees the NaN in the log-probability.
    order.get(picked).map_or(0, |&(_, token)| token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(top_k: u32, top_p: f32, min_p: f32, uniform: f64) -> SampleParams {
        SampleParams { temperature: 1.0, top_k, top_p, min_p, uniform }
    }

    fn kept(top_k: u32, top_p: f32, min_p: f32) -> Vec<u32> {
        // Probabilities 0.4, 0.3, 0.2, 0.1 in mixed order.
        let logits: Vec<f32> = [0.1_f32, 0.4, 0.2, 0.3].iter().map(|p| p.ln()).collect();
        let sums = RowSums::of(&logits);
        let draw = |i| draw_kept(&mut Vec::new(), &logits, sums, &params(top_k, top_p, min_p, f64::from(i) / 1000.0));
        let mut tokens: Vec<u32> = (0..1000).map(draw).collect();
        tokens.dedup();
        tokens
    }

    #[test]
    fn truncation_keeps_the_right_tokens_in_order() {
        assert_eq!(kept(2, 1.0, 0.0), [1, 3]);
        assert_eq!(kept(0, 0.65, 0.0), [1, 3]);
        assert_eq!(kept(0, 0.75, 0.0), [1, 3, 2]);
        assert_eq!(kept(0, 1.0, 0.6), [1, 3]);
        assert_eq!(kept(3, 0.7, 0.0), [1, 3], "top-p counts within what top-k kept: 0.7 of 0.9 is 0.63");
        assert_eq!(kept(1, 0.5, 0.9), [1]);
    }
}
