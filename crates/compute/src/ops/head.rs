//! The language-model head: log-probabilities and entropies of given next tokens, without ever holding the logits of all
//! tokens over the whole vocabulary.
//!
//! With `l = hidden · wᵀ / temperature`: `logprob = l[target] − lse`, `lse = ln Σ_v e^{l_v}`, `entropy = lse − Σ_v p_v l_v`.
//! Backward, from `g = ∂loss/∂logprob`: `∂loss/∂l_v = g (1[v = target] − p_v)`.
//! The vocabulary is walked in pieces; each row keeps a running maximum and rescaled sums (Milakov, Gimelshein 2018,
//! arXiv 1805.02867). Pieces are the same for every batch, so rows do not depend on their neighbours; on a GPU, unless it is
//! deterministic, they may depend on whether a backward follows.

pub(super) mod cuda;

use std::ops::Range;

use rayon::prelude::*;

use super::elementwise;
use super::linear::{self, Weight, Write};
use crate::buffer::{Buffer, Ints, View, ViewMut};
use crate::cpu::gemm::{Lhs, Start, gemm};
use crate::cpu::vector::{exp, max, vectorize};
use crate::device::{ComputeError, Device, DeviceKind};

/// Tokens of the vocabulary in one product.
pub(super) const PIECE: usize = 4096;
/// Tokens of the vocabulary in one set of sums; divides [`PIECE`].
pub(super) const CHUNK: usize = 512;
/// Rows in one product.
const ROWS: usize = 1024;

/// Memory for logits, reused from call to call: of some rows over a piece of the vocabulary, on a GPU over all of it.
#[derive(Debug)]
pub struct HeadScratch {
    pub(super) logits: Buffer,
    /// What the last forward left for its backward, until that has used it up.
    kept: Option<cuda::Kept>,
}

impl HeadScratch {
    /// For batches of at most `max_rows` rows; more rows are handled in parts.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn new(device: &Device, max_rows: usize, vocab: usize) -> Result<Self, ComputeError> {
        let (rows, cols) = Self::sizes(device.kind(), max_rows, vocab);
        Ok(Self { logits: device.zeros_f32(rows, cols)?, kept: None })
    }

    /// Bytes that [`HeadScratch::new`] takes.
    pub fn bytes(kind: DeviceKind, max_rows: usize, vocab: usize) -> usize {
        let (rows, cols) = Self::sizes(kind, max_rows, vocab);
        rows * cols * 4
    }

    fn sizes(kind: DeviceKind, max_rows: usize, vocab: usize) -> (usize, usize) {
        match kind {
            DeviceKind::Cpu => (max_rows.clamp(1, ROWS), vocab.min(PIECE)),
            DeviceKind::Cuda { .. } => (cuda::rows_at_once(max_rows, vocab), vocab),
        }
    }

    fn max_rows(&self) -> usize {
        self.logits.rows()
    }

    /// Cuts consecutive groups of rows, which end at `ends`, into runs of whole groups for [`forward`] and [`backward`], given by their
    /// rows: as many as have their logits kept between the two. A group that is too large is a run of its own, and where logits are never
    /// kept all are one.
    pub fn runs(&self, device: &Device, ends: &[usize]) -> Vec<(Range<usize>, Logits)> {
        match device {
            Device::Cpu => vec![(0..ends.last().copied().unwrap_or(0), Logits::Again)],
            Device::Cuda(_) => runs(ends, self.max_rows()),
        }
    }
}

/// Rows of runs of groups that end at `ends` and have at most `max_rows` rows together, or one group alone that has more.
fn runs(ends: &[usize], max_rows: usize) -> Vec<(Range<usize>, Logits)> {
    let (mut runs, mut first, mut start) = (Vec::new(), 0, 0);
    while first < ends.len() {
        let n = ends[first..].iter().take_while(|&&end| end - start <= max_rows).count();
        first += n.max(1);
        let end = ends[first - 1];
        runs.push((start..end, if n == 0 { Logits::Again } else { Logits::Kept }));
        start = end;
    }
    runs
}

/// Running sums of one row: maximum, Σ e^{l − max}, Σ e^{l − max} l.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowSums {
    pub max: f32,
    pub sum: f32,
    pub weighted: f32,
}

impl RowSums {
    pub(super) const EMPTY: Self = Self { max: f32::NEG_INFINITY, sum: 0.0, weighted: 0.0 };

    /// Sums over one chunk of scaled logits.
    #[inline(always)]
    pub(super) fn of(logits: &[f32]) -> Self {
        let largest = max(logits);
        let mut sums = [0.0_f32; 16];
        let mut weighted = [0.0_f32; 16];
        let (blocks, rest) = logits.as_chunks::<16>();
        for block in blocks {
            for lane in 0..16 {
                let p = exp(block[lane] - largest);
                sums[lane] += p;
                weighted[lane] += p * block[lane];
            }
        }
        for (lane, &l) in rest.iter().enumerate() {
            let p = exp(l - largest);
            sums[lane] += p;
            weighted[lane] += p * l;
        }
        Self { max: largest, sum: sums.iter().sum(), weighted: weighted.iter().sum() }
    }

    #[inline(always)]
    pub(super) fn merge(self, other: Self) -> Self {
        if self.sum == 0.0 {
            return other;
        }
        let max = if other.max > self.max { other.max } else { self.max };
        let (a, b) = (exp(self.max - max), exp(other.max - max));
        Self { max, sum: self.sum * a + other.sum * b, weighted: self.weighted * a + other.weighted * b }
    }

    pub(super) fn log_sum_exp(self) -> f32 {
        self.max + self.sum.ln()
    }
}

/// Scaled logits `[rows, piece]` of some rows over one piece of the vocabulary, on the CPU.
pub(super) fn piece_logits(logits: &mut [f32], hidden: &[f32], w: &Weight<'_>, first: usize, n: usize, inv_temperature: f32) {
    let d = w.view().cols();
    let rows = hidden.len() / d;
    gemm(rows, n, d, Lhs { data: hidden, row: d, col: 1 }, w.rhs(first), logits, Start::Zero);
    if inv_temperature != 1.0 {
        logits.par_chunks_mut(n).for_each(|row| scale(row, inv_temperature));
    }
}

vectorize! {
pub(super) fn scale(logits: &mut [f32], inv_temperature: f32) {
    logits.iter_mut().for_each(|l| *l *= inv_temperature);
}
}

vectorize! {
/// Adds the sums over a piece of scaled logits.
fn add_piece(sums: RowSums, logits: &[f32]) -> RowSums {
    logits.chunks(CHUNK).fold(sums, |sums, chunk| sums.merge(RowSums::of(chunk)))
}
}

vectorize! {
/// Logits become the gradient `−factor · p`; the target's own part is added by the caller.
fn differentiate(logits: &mut [f32], factor: f32, lse: f32) {
    logits.iter_mut().for_each(|l| *l = -factor * exp(*l - lse));
}
}

/// What the forward computes for each row, all `[T, 1]`.
#[derive(Debug)]
pub struct HeadOutputs<'a> {
    /// Log-probability of the target.
    pub logprobs: ViewMut<'a>,
    /// Entropy of the distribution, in nats.
    pub entropies: ViewMut<'a>,
    /// Log-sum-exp of the logits, for the backward; left as it is where that needs none.
    pub lse: ViewMut<'a>,
}

/// `rows` of hidden `[T, D]`, w `[V, D]`, the first T of `targets`; `logits` is what the backward of these rows will be told, and
/// [`Logits::Again`] where none follows.
#[expect(clippy::too_many_arguments, reason = "the operation has this many operands")]
pub fn forward(
    device: &Device,
    scratch: &mut HeadScratch,
    mut outputs: HeadOutputs<'_>,
    hidden: View<'_>,
    w: &Weight<'_>,
    targets: &Ints,
    temperature: f32,
    rows: Range<usize>,
    logits: Logits,
) {
    let (vocab, d) = (w.view().rows(), hidden.cols());
    assert_eq!((w.view().cols(), outputs.logprobs.rows()), (d, hidden.rows()), "head::forward");
    match device {
        Device::Cpu => {
            let step = scratch.max_rows();
            let targets = &targets.slice()[..hidden.rows()];
            for start in rows.clone().step_by(step) {
                let rows = start..(start + step).min(rows.end);
                let hidden = hidden.rows_range(rows.clone()).slice();
                let mut states = vec![(RowSums::EMPTY, f32::NAN); rows.len()];
                for first in (0..vocab).step_by(PIECE) {
                    let n = PIECE.min(vocab - first);
                    let mut logits = scratch.logits.view_mut();
                    let logits = &mut logits.slice()[..rows.len() * n];
                    piece_logits(logits, hidden, w, first, n, 1.0 / temperature);
                    let rows = states.par_iter_mut().zip(logits.par_chunks(n)).zip(&targets[rows.clone()]);
                    rows.for_each(|(((sums, at_target), logits), &target)| {
                        *sums = add_piece(*sums, logits);
                        if (first..first + n).contains(&(target as usize)) {
                            *at_target = logits[target as usize - first];
                        }
                    });
                }
                for (row, (sums, at_target)) in rows.zip(states) {
                    let lse = sums.log_sum_exp();
                    outputs.lse.slice()[row] = lse;
                    outputs.logprobs.slice()[row] = at_target - lse;
                    outputs.entropies.slice()[row] = lse - sums.weighted / sums.sum;
                }
            }
        }
        Device::Cuda(cuda) => cuda::forward(cuda, scratch, outputs, hidden, w.view(), targets, temperature, rows, logits),
    }
}

/// Inputs of the backward, those that it gets from the forward included.
#[derive(Clone, Copy, Debug)]
pub struct HeadGradients<'a> {
    /// ∂loss/∂logprob `[T, 1]`.
    pub dlogprobs: View<'a>,
    /// Log-sum-exp from the forward `[T, 1]`.
    pub lse: View<'a>,
    /// The targets of the forward.
    pub targets: &'a Ints,
    /// The temperature of the forward.
    pub temperature: f32,
}

/// Where a backward finds its logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logits {
    /// Where the forward of the same rows left them, or what it made of them, just before: only for one of [`HeadScratch::runs`].
    Kept,
    /// They are computed again.
    Again,
}

/// `rows` of dhidden `[T, D]` (overwritten), and dw `[V, D]` (added to).
#[expect(clippy::too_many_arguments, reason = "the operation has this many operands")]
pub fn backward(
    device: &Device,
    scratch: &mut HeadScratch,
    mut dhidden: ViewMut<'_>,
    mut dw: ViewMut<'_>,
    hidden: View<'_>,
    w: View<'_>,
    gradients: HeadGradients<'_>,
    rows: Range<usize>,
    logits: Logits,
) {
    let (vocab, d) = (w.rows(), hidden.cols());
    assert_eq!((w.cols(), dhidden.rows(), dw.rows()), (d, hidden.rows(), vocab), "head::backward");
    match device {
        Device::Cpu => {
            let HeadGradients { dlogprobs, lse, targets, temperature } = gradients;
            let weight = Weight::new(w);
            let mut partial = Vec::new();
            let step = scratch.max_rows();
            let targets = &targets.slice()[..hidden.rows()];
            for start in rows.clone().step_by(step) {
                let rows = start..(start + step).min(rows.end);
                let hidden = hidden.rows_range(rows.clone());
                for first in (0..vocab).step_by(PIECE) {
                    let n = PIECE.min(vocab - first);
                    let mut logits = scratch.logits.view_mut();
                    let logits = &mut logits.slice()[..rows.len() * n];
                    piece_logits(logits, hidden.slice(), &weight, first, n, 1.0 / temperature);
                    let per_row = (targets[rows.clone()].par_iter()).zip(&dlogprobs.slice()[rows.clone()]).zip(&lse.slice()[rows.clone()]);
                    logits.par_chunks_mut(n).zip(per_row).for_each(|(logits, ((&target, &dlogprob), &lse))| {
                        let factor = dlogprob / temperature;
                        differentiate(logits, factor, lse);
                        if (first..first + n).contains(&(target as usize)) {
                            logits[target as usize - first] += factor;
                        }
                    });
                    let dlogits = View::from_slice(logits, rows.len(), n);
                    let piece = w.rows_range(first..first + n);
                    let mut dhidden = dhidden.reborrow().into_rows(rows.clone());
                    if first == 0 {
                        linear::backward_input(device, dhidden, dlogits, piece, Write::Replace);
                    } else {
                        // One chain of additions over a large vocabulary loses digits: the embeddings' mean cancels in the sum.
                        partial.resize(rows.len() * d, 0.0);
                        let mut partial = ViewMut::from_slice(&mut partial, rows.len(), d);
                        linear::backward_input(device, partial.reborrow(), dlogits, piece, Write::Replace);
                        elementwise::add(device, dhidden.reborrow(), partial.as_view());
                    }
                    linear::backward_weight(device, dw.reborrow().into_rows(first..first + n), dlogits, hidden, Write::Add);
                }
            }
        }
        Device::Cuda(cuda) => cuda::backward(cuda, scratch, dhidden, dw, hidden, w, gradients, rows, logits),
    }
}

#[cfg(test)]
mod tests {
    use super::Logits::{Again, Kept};
    use super::runs;

    #[test]
    fn runs_are_of_whole_groups_that_fit() {
        assert_eq!(runs(&[], 5), []);
        assert_eq!(runs(&[0], 5), [(0..0, Kept)]);
        assert_eq!(runs(&[5], 5), [(0..5, Kept)], "an exact fit");
        assert_eq!(runs(&[6], 5), [(0..6, Again)]);
        assert_eq!(runs(&[3, 5, 5, 14, 18], 5), [(0..5, Kept), (5..14, Again), (14..18, Kept)]);
        assert_eq!(runs(&[9, 10, 11], 5), [(0..9, Again), (9..11, Kept)], "a large group first");
        assert_eq!(runs(&[2, 4, 13], 5), [(0..4, Kept), (4..13, Again)], "and last");
        assert_eq!(runs(&[0, 0, 3, 3, 6], 5), [(0..3, Kept), (3..6, Kept)], "groups without rows");
    }
}
