//! What a device can do at most, measured in a moment: the ground of estimates, and the measure of how well `bench` uses it.

use std::time::Instant;

use anyhow::Result;
use ruminate_compute::Device;
use ruminate_compute::ops::elementwise;
use ruminate_compute::ops::linear::{self, Weight, Write};
use ruminate_core::Seed;
use serde::Serialize;

/// Repetitions, of which the fastest counts: nothing makes a machine faster than it is.
const REPEATS: usize = 5;

/// Different numbers in the operands, in no step with their rows.
const PERIOD: u64 = 65_537;

/// The two rates that bound every step of training and sampling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Ceilings {
    /// Floating-point operations per second of a large square matrix product, in the format that the device computes in.
    pub(crate) product_flops: f64,
    /// Bytes per second that a large copy reads and writes.
    pub(crate) memory_bytes: f64,
}

impl Ceilings {
    /// Of an H200 in bf16, as measured for `benches/results/cuda-h200.md`.
    pub(crate) const H200: Self = Self { product_flops: 677e12, memory_bytes: 4.24e12 };

    /// Measures both: a fraction of a second.
    ///
    /// # Errors
    /// Too little memory, or a device error.
    pub(crate) fn measure(device: &Device) -> Result<Self> {
        device.run(|| {
            let is_gpu = device.memory_bytes().is_some();
            let n = if is_gpu { 8192 } else { 1024 };
            let (mut x, mut w, mut y) = (device.zeros(n, n)?, device.zeros(n, n)?, device.zeros(n, n)?);
            // Of zeros a GPU makes a third more products in a second: they take less power, and power is what bounds its clock.
            let seed = Seed::new(1);
            let some: Vec<f32> = (0..PERIOD).map(|i| seed.with_index(i).uniform() as f32 - 0.5).collect();
            let numbers: Vec<f32> = some.iter().copied().cycle().take(n * n).collect();
            x.copy_from_host(&numbers);
            w.copy_from_host(&numbers);
            let weight = Weight::new(w.view());
            let product = fastest(device, || linear::forward(device, y.view_mut(), x.view(), &weight, None, Write::Replace))?;
            // Larger than any cache.
            let rows = if is_gpu { 1 << 17 } else { 1 << 14 };
            let (from, mut to) = (device.zeros(rows, 4096)?, device.zeros(rows, 4096)?);
            let copy = fastest(device, || elementwise::copy(device, to.view_mut(), from.view()))?;
            let bytes = 2 * rows * 4096 * device.float_bytes();
            Ok(Self { product_flops: 2.0 * (n as f64).powi(3) / product, memory_bytes: bytes as f64 / copy })
        })
    }
}

/// Seconds of the fastest of some calls, after one that is not counted.
fn fastest(device: &Device, mut work: impl FnMut()) -> Result<f64> {
    let mut best = f64::INFINITY;
    for repeat in 0..=REPEATS {
        device.synchronize()?;
        let started = Instant::now();
        work();
        device.synchronize()?;
        if repeat > 0 {
            best = best.min(started.elapsed().as_secs_f64());
        }
    }
    Ok(best)
}
