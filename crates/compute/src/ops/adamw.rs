//! `AdamW` (Loshchilov, Hutter 2019, arXiv 1711.05101) in one pass over a flat buffer:
//! `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`, `w ← w − η (m̂ / (√v̂ + ε) + λ w)`, `m̂ = m/(1−β₁ᵗ)`, `v̂ = v/(1−β₂ᵗ)`.

use rayon::prelude::*;

use crate::buffer::{View, ViewMut};
use crate::cpu::vector::vectorize;
use crate::cuda::{Arg, Kernel, blocks, kernels};
use crate::device::Device;

kernels!(SOURCE = "adamw", ["adamw.cu"]);

/// Hyper-parameters of one step.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// Learning rate η.
    pub learning_rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decoupled weight decay λ.
    pub weight_decay: f32,
    /// Factor on the gradient: 1, or less when its norm is clipped.
    pub grad_scale: f32,
    /// Number of this step, counted from 1.
    pub step: u64,
}

/// Updates `weights`, `m` and `v` `[1, n]` from `grads` `[1, n]`, all f32; `working` is the copy of the weights in the device's
/// own format, if that is another.
pub fn step(
    device: &Device,
    mut weights: ViewMut<'_>,
    working: Option<ViewMut<'_>>,
    mut m: ViewMut<'_>,
    mut v: ViewMut<'_>,
    grads: View<'_>,
    config: AdamW,
) {
    let n = grads.cols();
    assert_eq!((weights.cols(), m.cols(), v.cols()), (n, n, n), "adamw::step");
    let correction = |beta: f32| (1.0 - f64::from(beta).powi(i32::try_from(config.step).unwrap_or(i32::MAX))) as f32;
    let factors = Factors {
        config,
        step_size: config.learning_rate / correction(config.beta1),
        inv_root: 1.0 / correction(config.beta2).sqrt(),
        keep: 1.0 - config.learning_rate * config.weight_decay,
    };
    match device {
        Device::Cpu => {
            let chunk = 1 << 14;
            let chunks = weights.slice().par_chunks_mut(chunk).zip(m.slice().par_chunks_mut(chunk)).zip(v.slice().par_chunks_mut(chunk));
            chunks.zip(grads.slice().par_chunks(chunk)).for_each(|(((w, m), v), g)| {
                update(w, m, v, g, factors);
            });
            assert!(working.is_none(), "adamw::step: the CPU has one format");
        }
        Device::Cuda(cuda) => {
            let mut working = working;
            let working = working.as_mut().map(ViewMut::span);
            let dtype = working.map_or(cuda.dtype(), |working| working.dtype);
            let Factors { config: AdamW { beta1, beta2, eps, grad_scale, .. }, step_size, inv_root, keep } = factors;
            let floats = [beta1, beta2, eps, grad_scale, step_size, inv_root, keep].map(Arg::Float);
            let working = Arg::from(working);
            let buffers = [weights.span().into(), working, m.span().into(), v.span().into(), grads.span().into(), Arg::Long(n as i64)];
            let grid = blocks(n, 1024).min(16 * cuda.n_processors() as u32);
            let kernel = Kernel::new(&SOURCE, dtype, "adamw");
            cuda.launch(kernel, (grid, 1, 1), 256, 0, &[&buffers[..], &floats].concat());
        }
    }
}

#[derive(Clone, Copy)]
struct Factors {
    config: AdamW,
    step_size: f32,
    inv_root: f32,
    keep: f32,
}

vectorize! {
fn update(w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], factors: Factors) {
    let Factors { config: AdamW { beta1, beta2, eps, grad_scale, .. }, step_size, inv_root, keep } = factors;
    for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(g) {
        let g = g * grad_scale;
        *m = beta1 * *m + (1.0 - beta1) * g;
        *v = beta2 * *v + (1.0 - beta2) * g * g;
        *w = *w * keep - step_size * *m / (v.sqrt() * inv_root + eps);
    }
}
}
