//! On a GPU the logits of some rows over the whole vocabulary exist at a time: as many rows as [`LOGITS`] bytes hold, whatever
//! the batch. They are f32; their gradient takes their place in the format of the weights, in the forward already where it can.

use std::ops::Range;

use super::{HeadGradients, HeadOutputs, HeadScratch, Logits};
use crate::buffer::{Ints, View, ViewMut};
use crate::cuda::matmul::{Operand, Product};
use crate::cuda::memory::{Dtype, Span};
use crate::cuda::{Arg, CudaDevice, Kernel, blocks, kernels, width};

kernels!(SOURCE = "head", ["../softmax.cuh", "../head.cu"]);
// Vocabularies of 151,936, 49,152 and 8 tokens; the newest architecture besides.
kernels!(CLUSTER = "head_cluster", ["../head_cluster.cu"], for [Bf16], with [[10, 8], [12, 2], [1, 1]], on [90, 120]);

/// Most bytes of logits at a time: 2,176 rows of a vocabulary of 151,936.
const LOGITS: usize = 5 << 28;

/// Rows of a tile of large products: many rows are whole tiles.
const TILE_ROWS: usize = 128;

/// Threads of a row, as in the kernels.
pub(in crate::ops) const THREADS: u32 = 512;

/// Most vectors of 4 logits that a thread holds, and most blocks that share a row: `head_cluster.cu`.
const MAX_VECTORS: usize = 12;
const MAX_BLOCKS: usize = 8;

/// How a row of logits is shared by a cluster of blocks: vectors of a thread and blocks, the constants of `head_cluster.cu`.
fn cluster(vocab: usize) -> Option<[usize; 2]> {
    let of_block = 4 * THREADS as usize;
    let blocks = vocab.div_ceil(of_block * MAX_VECTORS).next_power_of_two();
    (vocab.is_multiple_of(8) && blocks <= MAX_BLOCKS).then(|| [vocab.div_ceil(of_block * blocks), blocks])
}

/// Whether the forward leaves, instead of logits, their gradient but for a factor of each row: then they are read once, and the products
/// of the backward are multiplied by the factors afterwards, which takes hidden states that fit into the half of a row that is left.
fn leaves_directions(cuda: &CudaDevice, hidden: View<'_>, vocab: usize, logits: Logits) -> Option<[usize; 2]> {
    let in_bf16 = cuda.dtype() == Dtype::Bf16 && width(hidden.cols(), &[hidden.span()]) == 8 && hidden.cols() <= vocab;
    let may = logits == Logits::Kept && in_bf16 && cuda.has_clusters() && !cuda.is_deterministic();
    cluster(vocab).filter(|_| may)
}

/// Rows of logits that exist at a time.
pub(super) fn rows_at_once(max_rows: usize, vocab: usize) -> usize {
    let fit = LOGITS / (4 * vocab.max(1));
    max_rows.clamp(1, if fit >= TILE_ROWS { fit / TILE_ROWS * TILE_ROWS } else { fit.max(16) })
}

/// Logits `[rows, V]` = hidden · wᵀ, in the scratch memory, of forwards and of sampling.
pub(in crate::ops) fn logits<'a>(cuda: &CudaDevice, scratch: &'a mut HeadScratch, hidden: View<'a>, w: View<'a>) -> Span<'a> {
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
    let targets = targets.ptr(hidden.rows());
    let shares = leaves_directions(cuda, hidden, vocab, logits);
    for start in rows.clone().step_by(step) {
        let rows = start..(start + step).min(rows.end);
        let n = rows.len();
        let product = logits_product(scratch, hidden.rows_range(rows), w);
        cuda.multiply_rows(product);
        let of = |span: Span<'_>| Arg::Ptr(span.part(start, n).ptr);
        let (logprobs, entropies, lse) = (of(outputs.logprobs.span()), of(outputs.entropies.span()), of(outputs.lse.span()));
        let (logits, targets, scale) = (product.d.into(), Arg::Ptr(targets + 4 * start as u64), (1.0 / temperature).into());
        if let Some([vectors, blocks]) = shares {
            // Clusters that share a row among many blocks leave processors idle, and wait for each other: a row is fetched while three
            // quarters of those that there is room for are worked on.
            let ahead = if blocks > 2 { 3 * cuda.n_processors() / (2 * blocks) } else { 0 };
            let args = [logprobs, entropies, logits, targets, n.into(), vocab.into(), scale, ahead.into()];
            let kernel = Kernel::new(&CLUSTER, Dtype::Bf16, "head_softmax").with([vectors, blocks]);
            cuda.launch(kernel, ((n * blocks) as u32, 1, 1), THREADS, 0, &args);
        } else {
            let args = [logprobs, entropies, lse, logits, targets, vocab.into(), scale];
            cuda.launch(Kernel::new(&SOURCE, cuda.dtype(), "head_forward"), (n as u32, 1, 1), THREADS, 0, &args);
        }
    }
    scratch.kept = (logits == Logits::Kept).then_some(rows);
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
    let shares = leaves_directions(cuda, hidden, vocab, logits);
    let kept = scratch.kept.take();
    assert!(logits == Logits::Again || kept.as_ref() == Some(&rows), "expected logits of rows {rows:?}, found those of {kept:?}");
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
        if shares.is_none() {
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
        let hidden = if let Some(shares) = shares {
            let scaled = dlogits.part(vocab, n * stride - vocab);
            for (y, y_stride, x) in [(out, d, out), (scaled, stride, hidden.span())] {
                let args = [y.into(), x.into(), of(dlogprobs.span()), n.into(), d.into(), y_stride.into(), d.into(), scale.into()];
                let kernel = Kernel::new(&CLUSTER, dtype, "scale_rows").with(shares);
                cuda.launch(kernel, (blocks(n * d / 8, 256), 1, 1), 256, 0, &args);
            }
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
