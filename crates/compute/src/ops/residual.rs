//! A residual connection and the norm that reads it: `x += a Wᵀ`, `y = rms_norm(x)`.
//!
//! A product of few rows has too few tiles for all processors of a GPU, and each of them reads more than it should. Cut along k it
//! keeps them busy; its parts are added up by the norm, which reads the row anyway.

use super::linear::{self, Weight, Write};
use super::rms_norm::{self, joined_kernel, row_threads};
use crate::buffer::{View, ViewMut};
use crate::cuda::product::parts_bytes;
use crate::cuda::{Precision, width};
use crate::device::{Device, DeviceKind};

/// Bytes that the parts of products with `cols` columns take at most: only a GPU in bf16 cuts them.
pub fn partial_bytes(kind: DeviceKind, cols: usize) -> usize {
    match kind {
        DeviceKind::Cuda { precision: Precision::Bf16, .. } => parts_bytes(cols),
        DeviceKind::Cpu | DeviceKind::Cuda { precision: Precision::F32, .. } => 0,
    }
}

/// x `[T, D]` += a `[T, K]` · wᵀ, w `[D, K]`; y `[T, D]` and `inv_rms` `[T, 1]` are those of [`rms_norm::forward`] of that x with
/// `gains` `[1, D]`.
#[expect(clippy::too_many_arguments, reason = "the operation has this many operands")]
pub fn join(
    device: &Device,
    mut x: ViewMut<'_>,
    mut y: ViewMut<'_>,
    mut inv_rms: ViewMut<'_>,
    a: View<'_>,
    w: &Weight<'_>,
    gains: View<'_>,
    eps: f32,
) {
    let (m, k, n) = (a.rows(), a.cols(), x.cols());
    assert_eq!((x.rows(), w.view().rows(), w.view().cols()), (m, n, k), "residual::join: x {} x {n}", x.rows());
    assert_eq!((y.rows(), y.cols(), inv_rms.rows(), gains.cols()), (m, n, m, n), "residual::join");
    if let Device::Cuda(cuda) = device {
        let (x, y, inv_rms, gains) = (x.span(), y.span(), inv_rms.span(), gains.span());
        if let Some(threads) = row_threads(n, width(n, &[x, y, gains])) {
            let joined = cuda.multiply_in_parts(a.span(), w.view().span(), [m, n, k], |parts, n_parts| {
                let args = [x.into(), y.into(), inv_rms.into(), parts.into(), gains.into(), n_parts.into(), n.into(), eps.into()];
                cuda.launch(joined_kernel(), (m as u32, 1, 1), threads, 0, &args);
            });
            if joined {
                return;
            }
        }
    }
    linear::forward(device, x.reborrow(), a, w, None, Write::Add);
    rms_norm::forward(device, y, inv_rms, x.as_view(), gains, eps);
}
