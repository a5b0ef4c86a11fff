//! What a device can do at most, measured in a moment: the ground of estimates, and the measure of how well `bench` uses it.

use std::time::Instant;

use anyhow::Result;
use ruminate_compute::Device;
use ruminate_compute::ops::elementwise;
use ruminate_compute::ops::linear::{self, Weight, Write};
use ruminate_core::Seed;
use serde::Serialize;

/// How long each rate is measured: as long as it takes a GPU to lower its clock under load.
const SECONDS: f64 = 0.4;

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
    pub(crate) const H200: Self = Self { product_flops: 676e12, memory_bytes: 4.24e12 };

    /// Measures both: a second.
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
            let product = sustained(device, || linear::forward(device, y.view_mut(), x.view(), &weight, None, Write::Replace))?;
            // Larger than any cache.
            let rows = if is_gpu { 1 << 17 } else { 1 << 14 };
            let (from, mut to) = (device.zeros(rows, 4096)?, device.zeros(rows, 4096)?);
            let copy = sustained(device, || elementwise::copy(device, to.view_mut(), from.view()))?;
            let bytes = 2 * rows * 4096 * device.float_bytes();
            Ok(Self { product_flops: 2.0 * (n as f64).powi(3) / product, memory_bytes: bytes as f64 / copy })
        })
    }
}

/// Seconds of a call in the median of the later half of those that [`SECONDS`] have room for, after one that may load or compile.
fn sustained(device: &Device, mut work: impl FnMut()) -> Result<f64> {
    let mut call = || -> Result<f64> {
        let started = Instant::now();
        work();
        device.synchronize()?;
        Ok(started.elapsed().as_secs_f64())
    };
    device.synchronize()?;
    call()?;
    let (mut times, since) = (Vec::new(), Instant::now());
    while times.is_empty() || since.elapsed().as_secs_f64() < SECONDS {
        times.push(call()?);
    }
    let mut later = times.split_off(times.len() / 2);
    later.sort_by(f64::total_cmp);
    Ok(later[later.len() / 2])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn neither_the_first_call_nor_the_first_half_counts() {
        let (mut n_calls, since) = (0, Instant::now());
        let seconds = sustained(&Device::Cpu, || {
            let ms = if n_calls == 0 { 300 } else { 5 };
            n_calls += 1;
            // As a GPU that lowers its clock.
            let late = since.elapsed().as_secs_f64() > 0.3 + 0.25 * SECONDS;
            std::thread::sleep(Duration::from_millis(ms * if late { 2 } else { 1 }));
        });
        let seconds = seconds.unwrap();
        assert!((0.0095..0.1).contains(&seconds) && n_calls > 3, "{seconds} s in {n_calls} calls");
    }
}
