//! The gated feed-forward activation (Shazeer 2020, arXiv 2002.05202): `y = silu(g) ⊙ u`, `silu(g) = g / (1 + e⁻ᵍ)`.

use rayon::prelude::*;

use super::linear::{self, Weight, Write};
use super::min_rows;
use crate::buffer::{View, ViewMut};
use crate::cpu::vector::{sigmoid, vectorize};
use crate::cuda::{Kernel, blocks, kernels, width};
use crate::device::Device;

kernels!(SOURCE = "swiglu", ["swiglu.cu"]);

/// y `[T, F]`; `gate_up` `[T, 2F]` holds g then u in each row.
pub fn forward(device: &Device, mut y: ViewMut<'_>, gate_up: View<'_>) {
    let cols = y.cols();
    assert_eq!((gate_up.rows(), gate_up.cols()), (y.rows(), 2 * cols), "swiglu::forward");
    match device {
        Device::Cpu => {
            let rows = y.slice().par_chunks_mut(cols).zip(gate_up.slice().par_chunks(2 * cols));
            rows.with_min_len(min_rows(cols)).for_each(|(y, gate_up)| {
                let (gate, up) = gate_up.split_at(cols);
                activate(y, gate, up);
            });
        }
        Device::Cuda(cuda) => {
            let (rows, y, gate_up) = (gate_up.rows(), y.span(), gate_up.span());
            let wide = width(cols, &[y, gate_up]);
            let kernel = Kernel::wide(&SOURCE, y.dtype, ["swiglu_forward_8", "swiglu_forward_1"], wide).early();
            let args = [y.into(), gate_up.into(), rows.into(), cols.into()];
            cuda.launch(kernel, (blocks(rows * cols, 256 * wide), 1, 1), 256, 0, &args);
        }
    }
}

/// y `[T, F]` = [`forward`] of x `[T, D]` · wᵀ, w `[2F, D]`. `gate_up` `[T, 2F]` holds the product where a device has no kernel that
/// does both.
pub fn project(device: &Device, mut y: ViewMut<'_>, mut gate_up: ViewMut<'_>, x: View<'_>, w: &Weight<'_>) {
    let (rows, cols) = (y.rows(), y.cols());
    assert_eq!((w.view().rows(), w.view().cols(), rows), (2 * cols, x.cols(), x.rows()), "swiglu::project");
    if let Device::Cuda(cuda) = device
        && cuda.multiply_activated(x.span(), w.view().span(), y.span(), [rows, cols, x.cols()])
    {
        return;
    }
    linear::forward(device, gate_up.reborrow(), x, w, None, Write::Replace);
    forward(device, y, gate_up.as_view());
}

vectorize! {
fn activate(y: &mut [f32], gate: &[f32], up: &[f32]) {
    y.iter_mut().zip(gate).zip(up).for_each(|((y, &g), &u)| *y = g * sigmoid(g) * u);
}
}

/// Turns `gate_up` `[T, 2F]` in place into its gradient, from dy `[T, F]`, and dy into y, to the bits of [`forward`]: whoever needs y
/// for another gradient need not have kept it.
pub fn backward_in_place(device: &Device, mut gate_up: ViewMut<'_>, mut dy: ViewMut<'_>) {
    let cols = dy.cols();
    assert_eq!((gate_up.rows(), gate_up.cols()), (dy.rows(), 2 * cols), "swiglu::backward");
    match device {
        Device::Cpu => {
            let rows = gate_up.slice().par_chunks_mut(2 * cols).zip(dy.slice().par_chunks_mut(cols));
            rows.with_min_len(min_rows(cols)).for_each(|(gate_up, dy)| {
                let (gate, up) = gate_up.split_at_mut(cols);
                differentiate(gate, up, dy);
            });
        }
        Device::Cuda(cuda) => {
            let (rows, gate_up, dy) = (dy.rows(), gate_up.span(), dy.span());
            let wide = width(cols, &[gate_up, dy]);
            let kernel = Kernel::wide(&SOURCE, dy.dtype, ["swiglu_backward_8", "swiglu_backward_1"], wide);
            let args = [gate_up.into(), dy.into(), rows.into(), cols.into()];
            cuda.launch(kernel, (blocks(rows * cols, 256 * wide), 1, 1), 256, 0, &args);
        }
    }
}

vectorize! {
fn differentiate(gate: &mut [f32], up: &mut [f32], dy: &mut [f32]) {
    for ((g, u), d) in gate.iter_mut().zip(up).zip(dy) {
        let s = sigmoid(*g);
        let silu = *g * s;
        (*g, *u, *d) = (*d * *u * (s + silu * (1.0 - s)), *d * silu, silu * *u);
    }
}
}
