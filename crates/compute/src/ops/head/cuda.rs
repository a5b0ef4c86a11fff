//! On a GPU the logits of some rows over the whole vocabulary exist at a time: as many rows as [`LOGITS`] bytes hold, whatever
//! the batch. They are f32; their gradient takes their place in the format of the weights.
//!
//! Where it can, the forward leaves not logits but directions, `1[v = target] − p` in bf16: logits are read once instead of twice. The
//! factor of a row, which the loss gives, is multiplied into its hidden state and its gradient instead, which are rounded once more.

use std::ops::Range;

use super::{HeadGradients, HeadOutputs, HeadScratch, Logits};
use crate::buffer::{Ints, View, ViewMut};
use crate::cuda::matmul::{Operand, Product};
use crate::cuda::memory::{Dtype, Span};
use crate::cuda::{Arg, CudaDevice, Kernel, kernels, width};
use crate::ops::elementwise;

kernels!(SOURCE = "head", ["../softmax.cuh", "../head.cu"]);
// Vocabularies of 151,936, 98,304, 49,152 and 8 tokens, on the first architecture with clusters and the newest.
kernels!(CLUSTER = "head_cluster", ["../head_cluster.cu"], for [Bf16], with [[10, 8], [12, 4], [12, 2], [1, 1]], on [90, 120]);

/// Most bytes of logits at a time: 2,176 rows of a vocabulary of 151,936.
const LOGITS: usize = 5 << 28;

/// Rows of a tile of large products: many rows are whole tiles.
const TILE_ROWS: usize = 128;

/// Threads of a block, as in the kernels.
pub(in crate::ops) const THREADS: u32 = 512;

/// Most vectors of 4 logits that a thread holds, and most blocks of a cluster: `head_cluster.cu`.
const MAX_VECTORS: usize = 12;
const MAX_BLOCKS: usize = 8;

/// What a forward left for the backward.
#[derive(Debug)]
pub(super) struct Kept {
    rows: Range<usize>,
    has_directions: bool,
}

/// How a row of logits is held by a cluster: vectors of each thread and blocks, the constants of `head_cluster.cu`.
fn cluster(vocab: usize) -> Option<[usize; 2]> {
    let of_block = 4 * THREADS as usize;
    let blocks = vocab.div_ceil(of_block * MAX_VECTORS).next_power_of_two();
    (vocab.is_multiple_of(8) && blocks <= MAX_BLOCKS).then(|| [vocab.div_ceil(of_block * blocks), blocks])
}

/// Rows of logits that exist at a time.
pub(super) fn rows_at_once(max_rows: usize, vocab: usize) -> usize {
    let fit = LOGITS / (4 * vocab.max(1));
    max_rows.clamp(1, if fit >= TILE_ROWS { fit / TILE_ROWS * TILE_ROWS } else { fit.max(16) })
}

/// Logits `[rows, V]` = hidden · wᵀ, in the scratch memory, of forwards and of sampling.
pub(in crate::ops) fn logits_of<'a>(cuda: &CudaDevice, scratch: &'a mut HeadScratch, hidden: View<'a>, w: View<'a>) -> Span<'a> {
    scratch.kept = None;
    let product = logits_product(scratch, hidden, w);
    cuda.multiply_rows(product);
    product.d
}

fn logits_product<'a>(scratch: &'a HeadScratch, hidden: View<'a>, w: View<'a>) -> Product<'a> {
    let (rows, vocab, d) = (hidden.rows(), w.rows(), hidden.cols());
    let out = scratch.logits.view().span().part(0, rows * vocab);
    let a = Operand { span: hidden.span(), stride: d, transposed: false };
    let b = Operand { span: w.span(), stride: d, transposed: true };
    Product { m: rows, n: vocab, k: d, a, b, d: out, addend: None, bias: None }
}

#[expect(clippy::too_many_arguments, reason = "the operation has this many operands")]
pub(super) fn forward(
    cuda: &CudaDevice,
    scratch: &mut HeadScratch,
    mut outputs: HeadOutputs<'_>,
    hidden: View<'_>,
    w: View<'_>,
    targets: &Ints,
    temperature: f32,
    rows: Range<usize>,
    logits: Logits,
) {
    let (vocab, step) = (w.rows(), scratch.logits.rows());
    assert!(logits == Logits::Again || rows.len() <= step, "{} rows have no room, expected at most {step}", rows.len());
    // Directions fill half of a row, and leave the other half to its hidden state.
    let has_room = hidden.cols() <= vocab && width(hidden.cols(), &[hidden.span()]) == 8;
    let may = logits == Logits::Kept && has_room && cuda.dtype() == Dtype::Bf16 && cuda.has_clusters() && !cuda.is_deterministic();
    let cluster = cluster(vocab).filter(|_| may);
    let targets = targets.ptr(hidden.rows());
    for start in rows.clone().step_by(step) {
        let rows = start..(start + step).min(rows.end);
        let n = rows.len();
        let logits = logits_of(cuda, scratch, hidden.rows_range(rows), w);
        let of = |span: Span<'_>| Arg::Ptr(span.part(start, n).ptr);
        let (logprobs, entropies, lse) = (of(outputs.logprobs.span()), of(outputs.entropies.span()), of(outputs.lse.span()));
        let (targets, scale) = (Arg::Ptr(targets + 4 * start as u64), (1.0 / temperature).into());
        if let Some([vectors, blocks]) = cluster {
            // Clusters of many blocks leave processors idle that have no room for a whole one. A processor has room for two blocks; while
            // a row is worked on, the one three quarters of all that room further on is on its way.
            let ahead = if blocks > 2 { 3 * cuda.n_processors() / (2 * blocks) } else { 0 };
            let args = [logprobs, entropies, logits.into(), targets, n.into(), vocab.into(), scale, ahead.into()];
            let kernel = Kernel::new(&CLUSTER, Dtype::Bf16, "head_directions").with([vectors, blocks]);
            cuda.launch(kernel, ((n * blocks) as u32, 1, 1), THREADS, 0, &args);
        } else {
            let args = [logprobs, entropies, lse, logits.into(), targets, vocab.into(), scale];
            cuda.launch(Kernel::new(&SOURCE, cuda.dtype(), "head_forward"), (n as u32, 1, 1), THREADS, 0, &args);
        }
    }
    scratch.kept = (logits == Logits::Kept).then_some(Kept { rows, has_directions: cluster.is_some() });
}

#[expect(clippy::too_many_arguments, reason = "the operation has this many operands")]
pub(super) fn backward(
    cuda: &CudaDevice,
    scratch: &mut HeadScratch,
    mut dhidden: ViewMut<'_>,
    mut dw: ViewMut<'_>,
    hidden: View<'_>,
    w: View<'_>,
    gradients: HeadGradients<'_>,
    rows: Range<usize>,
    logits: Logits,
) {
    let (vocab, d, step) = (w.rows(), hidden.cols(), scratch.logits.rows());
    let HeadGradients { dlogprobs, lse, targets, temperature } = gradients;
    let targets = targets.ptr(hidden.rows());
    let (dtype, scale) = (hidden.span().dtype, 1.0 / temperature);
    let kept = scratch.kept.take();
    let expected = (logits == Logits::Kept).then_some(&rows);
    assert_eq!(kept.as_ref().map(|kept| &kept.rows), expected, "rows that the forward left for its backward, and those of the backward");
    let has_directions = kept.is_some_and(|kept| kept.has_directions);
    for start in rows.clone().step_by(step) {
        let rows = start..(start + step).min(rows.end);
        let n = rows.len();
        let hidden = hidden.rows_range(rows.clone());
        let product = logits_product(scratch, hidden, w);
        if logits == Logits::Again {
            // Gradients need not have the order of the forward.
            cuda.multiply(product);
        }
        let of = |span: Span<'_>| Arg::Ptr(span.part(start, n).ptr);
        if !has_directions {
            let targets = Arg::Ptr(targets + 4 * start as u64);
            let args = [product.d.into(), of(dlogprobs.span()), of(lse.span()), targets, vocab.into(), scale.into()];
            cuda.launch(Kernel::new(&SOURCE, dtype, "head_backward"), (n as u32, 1, 1), THREADS, 0, &args);
        }
        // The same memory as `dtype`: rows as far apart as before, in bytes.
        let stride = vocab * Dtype::F32.bytes() / dtype.bytes();
        let dlogits = Span { dtype, len: n * stride, ..product.d };
        let a = Operand { span: dlogits, stride, transposed: false };
        let b = Operand { span: w.span(), stride: d, transposed: false };
        let out = dhidden.span().part(start * d, n * d);
        cuda.multiply(Product { m: n, n: d, k: vocab, a, b, d: out, addend: None, bias: None });
        let hidden = if has_directions {
            let (factors, scaled) = (dlogprobs.span().part(start, n), dlogits.part(vocab, n * stride - vocab));
            elementwise::scale_rows(cuda, (out, d), (out, d), factors, d, scale);
            elementwise::scale_rows(cuda, (scaled, stride), (hidden.span(), d), factors, d, scale);
            Operand { span: scaled, stride, transposed: false }
        } else {
            Operand { span: hidden.span(), stride: d, transposed: false }
        };
        let a = Operand { span: dlogits, stride, transposed: true };
        let out = dw.span();
        cuda.multiply(Product { m: vocab, n: d, k: n, a, b: hidden, d: out, addend: Some(out), bias: None });
    }
}

#[cfg(test)]
mod tests {
    use super::cluster;

    #[test]
    fn clusters_hold_a_row() {
        for (vocab, expected) in [
            (8, Some([1, 1])),
            (24_576, Some([12, 1])),
            (24_584, Some([7, 2])),
            (49_152, Some([12, 2])),
            (151_936, Some([10, 8])),
            (196_608, Some([12, 8])),
            (196_616, None),
            (511, None),
        ] {
            assert_eq!(cluster(vocab), expected, "{vocab}");
        }
    }
}
