//! Qwen3's normalisation of every query and key head: [`super::rms_norm`] over the head size, before the rotation.

use rayon::prelude::*;

use super::attention::Heads;
use super::linear::Write;
use super::min_rows;
use super::rms_norm::{row_backward, row_forward};
use crate::buffer::{View, ViewMut};
use crate::cuda::{Kernel, ROWS, blocks, kernels};
use crate::device::Device;

kernels!(SOURCE = "qk_norm", ["qk_norm.cu"]);

/// out, qkv `[T, (H + 2K) S]`; values are copied. Weights `[1, S]`; `inv_rms` `[T, H + K]` is kept for the backward.
#[expect(clippy::too_many_arguments, reason = "the operation has this many operands")]
pub fn forward(
    device: &Device,
    mut out: ViewMut<'_>,
    mut inv_rms: ViewMut<'_>,
    qkv: View<'_>,
    q_weight: View<'_>,
    k_weight: View<'_>,
    heads: Heads,
    eps: f32,
) {
    let (cols, size, n_normed) = (heads.qkv_cols(), heads.size, heads.n + heads.n_kv);
    assert_eq!((qkv.cols(), out.cols(), out.rows(), inv_rms.cols()), (cols, cols, qkv.rows(), n_normed), "qk_norm::forward");
    match device {
        Device::Cpu => {
            let (qw, kw) = (q_weight.slice(), k_weight.slice());
            let rows = out.slice().par_chunks_mut(cols).zip(qkv.slice().par_chunks(cols)).zip(inv_rms.slice().par_chunks_mut(n_normed));
            rows.with_min_len(min_rows(cols)).for_each(|((out, qkv), inv_rms)| {
                out.copy_from_slice(qkv);
                for (head, r) in inv_rms.iter_mut().enumerate() {
                    let at = head * size..(head + 1) * size;
                    let w = if head < heads.n { qw } else { kw };
                    *r = row_forward(&mut out[at.clone()], &qkv[at], w, eps);
                }
            });
        }
        Device::Cuda(cuda) => {
            let rows = qkv.rows();
            let (out, r, qkv, q_weight, k_weight) = (out.span(), inv_rms.span(), qkv.span(), q_weight.span(), k_weight.span());
            let kernel = Kernel::new(&SOURCE, qkv.dtype, "qk_forward");
            let sizes = [rows.into(), heads.n.into(), heads.n_kv.into(), size.into(), eps.into()];
            let args = [&[out.into(), r.into(), qkv.into(), q_weight.into(), k_weight.into()], &sizes[..]].concat();
            cuda.launch(kernel, (blocks(rows * (n_normed + heads.n_kv), 4), 1, 1), 128, 0, &args);
        }
    }
}

/// Turns dqkv `[T, (H + 2K) S]` from the gradient of the normalised into that of the raw heads, and adds to the gradients of
/// the weights `[1, S]`; qkv and `inv_rms` are those of the forward.
#[expect(clippy::too_many_arguments, reason = "the operation has this many operands")]
pub fn backward(
    device: &Device,
    mut dqkv: ViewMut<'_>,
    mut dq_weight: ViewMut<'_>,
    mut dk_weight: ViewMut<'_>,
    qkv: View<'_>,
    inv_rms: View<'_>,
    q_weight: View<'_>,
    k_weight: View<'_>,
    heads: Heads,
) {
    let (cols, size, n_normed) = (heads.qkv_cols(), heads.size, heads.n + heads.n_kv);
    assert_eq!((qkv.cols(), dqkv.cols(), dqkv.rows(), inv_rms.cols()), (cols, cols, qkv.rows(), n_normed), "qk_norm::backward");
    match device {
        Device::Cpu => {
            let (qkv, r) = (qkv.slice(), inv_rms.slice());
            for (dw, heads) in [(dq_weight.slice(), 0..heads.n), (dk_weight.slice(), heads.n..n_normed)] {
                for ((dy, x), r) in dqkv.slice().chunks_exact(cols).zip(qkv.chunks_exact(cols)).zip(r.chunks_exact(n_normed)) {
                    for head in heads.clone() {
                        let (dy, x) = (&dy[head * size..][..size], &x[head * size..][..size]);
                        (0..size).for_each(|i| dw[i] += dy[i] * x[i] * r[head]);
                    }
                }
            }
            let (qw, kw) = (q_weight.slice(), k_weight.slice());
            let rows = dqkv.slice().par_chunks_mut(cols).zip(qkv.par_chunks(cols)).zip(r.par_chunks(n_normed));
            rows.with_min_len(min_rows(cols)).for_each_init(
                || vec![0.0; size],
                |dy, ((dqkv, qkv), r)| {
                    for (head, &r) in r.iter().enumerate() {
                        let at = head * size..(head + 1) * size;
                        let w = if head < heads.n { qw } else { kw };
                        dy.copy_from_slice(&dqkv[at.clone()]);
                        row_backward(&mut dqkv[at.clone()], dy, &qkv[at], r, w, Write::Replace);
                    }
                },
            );
        }
        Device::Cuda(cuda) => {
            let rows = qkv.rows();
            let (dqkv, qkv, r, q_weight, k_weight) = (dqkv.span(), qkv.span(), inv_rms.span(), q_weight.span(), k_weight.span());
            for (dw, first, n) in [(dq_weight.span(), 0, heads.n), (dk_weight.span(), heads.n, heads.n_kv)] {
                let kernel = Kernel::new(&SOURCE, qkv.dtype, "qk_weight");
                let sizes = [rows, cols, size, n_normed, first, n, ROWS].map(Into::into);
                cuda.sum_columns(dw, kernel, 1, rows, &[&[dqkv.into(), qkv.into(), r.into()], &sizes[..]].concat());
            }
            let kernel = Kernel::new(&SOURCE, qkv.dtype, "qk_backward");
            let sizes = [rows, heads.n, heads.n_kv, size].map(Into::into);
            let args = [&[dqkv.into(), qkv.into(), r.into(), q_weight.into(), k_weight.into()], &sizes[..]].concat();
            cuda.launch(kernel, (blocks(rows * n_normed, 4), 1, 1), 128, 0, &args);
        }
    }
}
