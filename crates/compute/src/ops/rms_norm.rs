//! Root-mean-square normalisation (Zhang, Sennrich 2019, arXiv 1910.07467): `y = x / rms(x) ⊙ w`, `rms(x) = √(mean(x²) + ε)`.
//!
//! Backward, with `r = 1 / rms(x)`: `dx = r (dy ⊙ w − x r² mean(dy ⊙ w ⊙ x))`, `dw = Σ_t dy ⊙ x r`.

use rayon::prelude::*;

use super::linear::Write;
use super::min_rows;
use crate::buffer::{View, ViewMut};
use crate::cpu::vector::{sum_by, sum_squares, vectorize};
use crate::cuda::memory::Dtype;
use crate::cuda::{Arg, Kernel, ROWS, blocks, kernels, sum_bytes, width};
use crate::device::Device;

kernels!(SOURCE = "rms_norm", ["rms_norm.cu"]);

/// Rows of which several are handled by one block.
const MANY_ROWS: usize = 4096;

/// Rows that a block of the backward in one pass adds up the gradient of w over.
const ROWS_OF_BLOCK: usize = 32;

/// Columns of which a warp holds a row in registers, at most.
const MAX_IN_REGISTERS: usize = 2048;

/// Bytes of partial sums of [`backward`] on a GPU.
pub fn partial_bytes(rows: usize, cols: usize) -> usize {
    if cols <= MAX_IN_REGISTERS { 4 * cols * rows.div_ceil(ROWS_OF_BLOCK) } else { sum_bytes(rows, cols) }
}

/// The kernel of [`forward`] that first adds the parts of a product to x.
pub(super) fn joined_kernel() -> Kernel {
    Kernel::new(&SOURCE, Dtype::Bf16, "rms_forward_joined").early()
}

/// Threads of a block that holds a row in registers, 8 numbers each, where that is possible.
pub(super) fn row_threads(cols: usize, width: usize) -> Option<u32> {
    (width == 8 && cols <= 8192).then(|| (cols / 8).next_multiple_of(32) as u32)
}

/// y, x `[T, D]`; w `[1, D]`; `inv_rms` `[T, 1]` is kept for the backward.
pub fn forward(device: &Device, mut y: ViewMut<'_>, mut inv_rms: ViewMut<'_>, x: View<'_>, w: View<'_>, eps: f32) {
    let cols = x.cols();
    assert_eq!((y.rows(), y.cols(), inv_rms.rows(), w.cols()), (x.rows(), cols, x.rows(), cols), "rms_norm::forward");
    match device {
        Device::Cpu => {
            let w = w.slice();
            let rows = y.slice().par_chunks_mut(cols).zip(x.slice().par_chunks(cols)).zip(inv_rms.slice());
            rows.with_min_len(min_rows(cols)).for_each(|((y, x), inv_rms)| {
                *inv_rms = row_forward(y, x, w, eps);
            });
        }
        Device::Cuda(cuda) => {
            let (rows, y, inv_rms, x, w) = (x.rows(), y.span(), inv_rms.span(), x.span(), w.span());
            let pointers = [y.into(), inv_rms.into(), x.into(), w.into()];
            let wide = width(cols, &[y, x, w]);
            let args = [&pointers[..], &[rows.into(), cols.into(), eps.into()]].concat();
            if let Some(threads) = row_threads(cols, wide) {
                // Of many rows a block takes several, so that more is on its way at once, if it has registers for them.
                let is_many = rows >= MANY_ROWS && threads <= 512;
                let (name, rows_each) = if is_many { ("rms_forward_4_rows", 4) } else { ("rms_forward_row", 1) };
                let kernel = Kernel::new(&SOURCE, x.dtype, name).early();
                cuda.launch(kernel, (blocks(rows, rows_each), 1, 1), threads, 0, &args);
            } else {
                let kernel = Kernel::wide(&SOURCE, x.dtype, ["rms_forward_8", "rms_forward_1"], wide);
                cuda.launch(kernel, (blocks(rows, 4), 1, 1), 128, 0, &args);
            }
        }
    }
}

vectorize! {
pub(super) fn row_forward(y: &mut [f32], x: &[f32], w: &[f32], eps: f32) -> f32 {
    let r = 1.0 / (sum_squares(x) / x.len() as f32 + eps).sqrt();
    for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
        *y = x * r * w;
    }
    r
}
}

vectorize! {
fn scale_row(y: &mut [f32], x: &[f32], w: &[f32], r: f32) {
    for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
        *y = x * r * w;
    }
}
}

/// y `[T, D]` of an earlier [`forward`], to its bits, from what that left in `inv_rms`: cheaper to do again than to keep.
pub fn forward_again(device: &Device, mut y: ViewMut<'_>, x: View<'_>, inv_rms: View<'_>, w: View<'_>) {
    let cols = x.cols();
    assert_eq!((y.rows(), y.cols(), inv_rms.rows(), w.cols()), (x.rows(), cols, x.rows(), cols), "rms_norm::forward_again");
    match device {
        Device::Cpu => {
            let w = w.slice();
            let rows = y.slice().par_chunks_mut(cols).zip(x.slice().par_chunks(cols)).zip(inv_rms.slice());
            rows.with_min_len(min_rows(cols)).for_each(|((y, x), &r)| scale_row(y, x, w, r));
        }
        Device::Cuda(cuda) => {
            let (rows, y, x, r, w) = (x.rows(), y.span(), x.span(), inv_rms.span(), w.span());
            let wide = width(cols, &[y, x, w]);
            let kernel = Kernel::wide(&SOURCE, x.dtype, ["rms_again_8", "rms_again_1"], wide);
            let args = [y.into(), x.into(), r.into(), w.into(), rows.into(), cols.into()];
            cuda.launch(kernel, (blocks(rows * cols, 256 * wide), 1, 1), 256, 0, &args);
        }
    }
}

/// dx `[T, D]` (replaced or added to), dw `[1, D]` added to; dy, x `[T, D]`, `inv_rms` from the forward.
#[expect(clippy::too_many_arguments, reason = "the operation has this many operands")]
pub fn backward(
    device: &Device,
    mut dx: ViewMut<'_>,
    mut dw: ViewMut<'_>,
    dy: View<'_>,
    x: View<'_>,
    inv_rms: View<'_>,
    w: View<'_>,
    write: Write,
) {
    let cols = x.cols();
    assert_eq!((dx.rows(), dx.cols(), dy.rows(), dw.cols()), (x.rows(), cols, x.rows(), cols), "rms_norm::backward");
    match device {
        Device::Cpu => {
            let (x, dy, r, w) = (x.slice(), dy.slice(), inv_rms.slice(), w.slice());
            let rows = dx.slice().par_chunks_mut(cols).zip(dy.par_chunks(cols)).zip(x.par_chunks(cols)).zip(r);
            rows.with_min_len(min_rows(cols)).for_each(|(((dx, dy), x), &r)| {
                row_backward(dx, dy, x, r, w, write);
            });
            weight_backward(dw.slice(), dy, x, r);
        }
        Device::Cuda(cuda) => {
            let (rows, dx, dy, x, r, w) = (x.rows(), dx.span(), dy.span(), x.span(), inv_rms.span(), w.span());
            let wide = width(cols, &[dx, dy, x, w]);
            let add = Arg::Int(i32::from(write == Write::Add));
            let inputs = [dy.into(), x.into(), r.into(), w.into(), rows.into(), cols.into(), add];
            if wide == 8 && cols <= MAX_IN_REGISTERS {
                let name = if cols <= 1024 { "rms_backward_1024" } else { "rms_backward_2048" };
                cuda.fold_columns(dw.span(), rows.div_ceil(ROWS_OF_BLOCK), |partial| {
                    let args = [&[dx.into(), partial], &inputs[..], &[ROWS_OF_BLOCK.into()]].concat();
                    cuda.launch(Kernel::new(&SOURCE, x.dtype, name), (blocks(rows, ROWS_OF_BLOCK), 1, 1), 256, 0, &args);
                });
            } else {
                let kernel = Kernel::wide(&SOURCE, x.dtype, ["rms_weight_8", "rms_weight_1"], wide);
                let args = [dy.into(), x.into(), r.into(), rows.into(), cols.into(), ROWS.into()];
                cuda.sum_columns(dw.span(), kernel, wide, rows, &args);
                let kernel = Kernel::wide(&SOURCE, x.dtype, ["rms_backward_8", "rms_backward_1"], wide);
                cuda.launch(kernel, (blocks(rows, 4), 1, 1), 128, 0, &[&[dx.into()], &inputs[..]].concat());
            }
        }
    }
}

vectorize! {
pub(super) fn row_backward(dx: &mut [f32], dy: &[f32], x: &[f32], r: f32, w: &[f32], write: Write) {
    let (dy, x, w) = (&dy[..dx.len()], &x[..dx.len()], &w[..dx.len()]);
    let mean = sum_by(x.len(), |i| dy[i] * w[i] * x[i]) / x.len() as f32;
    let scale = r * r * mean;
    match write {
        Write::Replace => (0..dx.len()).for_each(|i| dx[i] = r * (dy[i] * w[i] - x[i] * scale)),
        Write::Add => (0..dx.len()).for_each(|i| dx[i] += r * (dy[i] * w[i] - x[i] * scale)),
    }
}
}

/// `dw += Σ_t dy_t ⊙ x_t r_t`, parallel over columns so that the order of the sum is fixed.
fn weight_backward(dw: &mut [f32], dy: &[f32], x: &[f32], r: &[f32]) {
    let cols = dw.len();
    dw.par_chunks_mut(64).enumerate().for_each(|(part, dw)| add_columns(dw, dy, x, r, cols, part * 64));
}

vectorize! {
fn add_columns(dw: &mut [f32], dy: &[f32], x: &[f32], r: &[f32], cols: usize, start: usize) {
    for ((dy, x), &r) in dy.chunks_exact(cols).zip(x.chunks_exact(cols)).zip(r) {
        let (dy, x) = (&dy[start..start + dw.len()], &x[start..start + dw.len()]);
        (0..dw.len()).for_each(|i| dw[i] += dy[i] * x[i] * r);
    }
}
}
