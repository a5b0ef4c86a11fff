//! On a GPU the logits of some rows over the whole vocabulary exist at a time: as many rows as [`LOGITS`] bytes hold, whatever
//! the batch. They are f32; their gradient takes their place in the format of the weights.

use std::ops::Range;

use super::{HeadGradients, HeadOutputs, HeadScratch, Logits};
use crate::buffer::{Ints, View, ViewMut};
use crate::cuda::matmul::{Operand, Product};
use crate::cuda::memory::{Dtype, Span};
use crate::cuda::{Arg, CudaDevice, Kernel, kernels};

kernels!(SOURCE = "head", ["../softmax.cuh", "../head.cu"]);

/// Most bytes of logits at a time: 2,176 rows of a vocabulary of 151,936.
const LOGITS: usize = 5 << 28;

/// Rows of a tile of large products: many rows are whole tiles.
const TILE_ROWS: usize = 128;

/// Threads of a row, as in the kernels.
pub(in crate::ops) const THREADS: u32 = 512;

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
) {
    let (vocab, step) = (w.rows(), scratch.logits.rows());
    let targets = targets.ptr(hidden.rows());
    for start in rows.clone().step_by(step) {
        let rows = start..(start + step).min(rows.end);
        let logits = logits(cuda, scratch, hidden.rows_range(rows.clone()), w);
        let of = |span: Span<'_>| Arg::Ptr(span.part(start, rows.len()).ptr);
        let args = [
            of(outputs.logprobs.span()),
            of(outputs.entropies.span()),
            of(outputs.lse.span()),
            logits.into(),
            Arg::Ptr(targets + 4 * start as u64),
            vocab.into(),
            (1.0 / temperature).into(),
        ];
        let kernel = Kernel::new(&SOURCE, cuda.dtype(), "head_forward");
        cuda.launch(kernel, (rows.len() as u32, 1, 1), THREADS, 0, &args);
    }
    scratch.kept = (rows.len() <= step).then_some(rows);
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
    let dtype = hidden.span().dtype;
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
        let logits = product.d;
        let of = |span: Span<'_>| Arg::Ptr(span.part(start, n).ptr);
        let args = [
            logits.into(),
            of(dlogprobs.span()),
            of(lse.span()),
            Arg::Ptr(targets + 4 * start as u64),
            vocab.into(),
            (1.0 / temperature).into(),
        ];
        cuda.launch(Kernel::new(&SOURCE, dtype, "head_backward"), (n as u32, 1, 1), THREADS, 0, &args);
        // The same memory as `dtype`: rows as far apart as before, in bytes.
        let stride = vocab * Dtype::F32.bytes() / dtype.bytes();
        let dlogits = Span { dtype, len: n * stride, ..logits };
        let a = Operand { span: dlogits, stride, transposed: false };
        let b = Operand { span: w.span(), stride: d, transposed: false };
        let out = dhidden.span().part(start * d, n * d);
        cuda.multiply(Product { m: n, n: d, k: vocab, a, b, d: out, addend: None, bias: None });
        let a = Operand { span: dlogits, stride, transposed: true };
        let b = Operand { span: hidden.span(), stride: d, transposed: false };
        let out = dw.span();
        cuda.multiply(Product { m: vocab, n: d, k: n, a, b, d: out, addend: Some(out), bias: None });
    }
}
