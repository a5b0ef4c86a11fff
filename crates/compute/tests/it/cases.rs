//! What the suite runs on: devices with their tolerances, shapes, random inputs; and how results are compared.

use std::sync::OnceLock;

use ruminate_compute::ops::attention::Heads;
use ruminate_compute::{Buffer, CudaOptions, Device, Ints, Precision};

/// A device under test.
#[derive(Clone)]
pub(crate) struct Target {
    pub device: Device,
    /// Largest error of a row, relative to its norm (see [`assert_close`]).
    pub tolerance: f64,
    /// Whether the bits of a forward do not depend on the batch.
    pub is_invariant: bool,
}

impl Target {
    /// Whether it computes in f32.
    pub(crate) fn is_f32(&self) -> bool {
        self.device.float_bytes() == 4
    }
}

/// The devices that the suite runs on: the CPU, and an NVIDIA GPU in f32 and in bf16 if there is one. A bf16 number has 8 bits:
/// each rounding is off by at most 2^-9, and results of several are held to 2%.
pub(crate) fn devices() -> Vec<Target> {
    static DEVICES: OnceLock<Vec<Target>> = OnceLock::new();
    let cuda = |precision, tolerance| match Device::cuda(CudaOptions { precision, ..CudaOptions::default() }) {
        Ok(device) => Some(Target { device, tolerance, is_invariant: false }),
        Err(error) => {
            println!("skipped on cuda, {precision:?}: {error}");
            None
        }
    };
    let open = || {
        let cpu = Some(Target { device: Device::Cpu, tolerance: 1e-5, is_invariant: true });
        [cpu, cuda(Precision::F32, 1e-5), cuda(Precision::Bf16, 2e-2)].into_iter().flatten().collect()
    };
    DEVICES.get_or_init(open).clone()
}

/// The devices whose forwards are the same to the bit in any batch and on any number of threads: the CPU, and a GPU that was opened
/// for it.
pub(crate) fn invariant_devices() -> Vec<Target> {
    static DEVICES: OnceLock<Vec<Target>> = OnceLock::new();
    let cuda = |precision, tolerance| {
        let device = Device::cuda(CudaOptions { precision, deterministic: true, ..CudaOptions::default() }).ok()?;
        Some(Target { device, tolerance, is_invariant: true })
    };
    let open = || {
        let cpu = devices().into_iter().filter(|target| target.is_invariant);
        cpu.chain(cuda(Precision::F32, 1e-5)).chain(cuda(Precision::Bf16, 2e-2)).collect()
    };
    DEVICES.get_or_init(open).clone()
}

/// All of [`devices`] and [`invariant_devices`], each once.
pub(crate) fn all_devices() -> Vec<Target> {
    let invariant = invariant_devices().into_iter().filter(|target| !matches!(target.device, Device::Cpu));
    devices().into_iter().chain(invariant).collect()
}

/// Lengths around the sizes of pages and query blocks.
pub(crate) const LENGTHS: [usize; 10] = [1, 2, 15, 16, 17, 47, 48, 49, 130, 300];

/// Query heads, key/value heads and head sizes: one to one, shared by three, shared by two.
pub(crate) const HEADS: [Heads; 6] = [
    Heads { n: 2, n_kv: 2, size: 8 },
    Heads { n: 3, n_kv: 1, size: 32 },
    Heads { n: 4, n_kv: 2, size: 64 },
    Heads { n: 2, n_kv: 1, size: 80 },
    Heads { n: 1, n_kv: 1, size: 2 },
    Heads { n: 6, n_kv: 2, size: 128 },
];

/// Heads small enough for finite differences.
pub(crate) const SMALL_HEADS: [Heads; 3] =
    [Heads { n: 1, n_kv: 1, size: 4 }, Heads { n: 3, n_kv: 1, size: 2 }, Heads { n: 4, n_kv: 2, size: 6 }];

/// Packed batches, with empty and length-1 sequences at the start, in the middle and at the end.
pub(crate) fn packed_lengths() -> Vec<Vec<usize>> {
    let mut batches = vec![vec![], vec![0], vec![0, 1, 0, 5, 47, 0, 1], vec![17, 49, 1, 0], vec![1, 1, 1]];
    batches.extend(LENGTHS.map(|n| vec![n]));
    batches
}

/// `[0, n_0, n_0 + n_1, …]`.
pub(crate) fn cumulative(lengths: &[usize]) -> Vec<u32> {
    let mut borders = vec![0];
    for &n in lengths {
        borders.push(borders[borders.len() - 1] + n as u32);
    }
    borders
}

/// Numbers that depend on the seed alone (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// About normal (a sum of uniforms), mean 0, standard deviation `scale`; exact in bf16, so that all devices get the same.
    pub(crate) fn floats(&mut self, n: usize, scale: f64) -> Vec<f32> {
        let number = |_| (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0;
        (0..n).map(number).map(|x| half::bf16::from_f64(x * scale).to_f32()).collect()
    }

    pub(crate) fn indices(&mut self, n: usize, below: usize) -> Vec<u32> {
        (0..n).map(|_| self.below(below) as u32).collect()
    }
}

pub(crate) fn upload(device: &Device, rows: usize, cols: usize, values: &[f32]) -> Buffer {
    let mut buffer = device.zeros(rows, cols).unwrap();
    buffer.copy_from_host(values);
    buffer
}

/// A buffer full of NaN, for results that must be overwritten whatever was there.
pub(crate) fn garbage(device: &Device, rows: usize, cols: usize) -> Buffer {
    upload(device, rows, cols, &vec![f32::NAN; rows * cols])
}

/// In f32 on every device: statistics and gradients of weights.
pub(crate) fn upload_f32(device: &Device, rows: usize, cols: usize, values: &[f32]) -> Buffer {
    let mut buffer = device.zeros_f32(rows, cols).unwrap();
    buffer.copy_from_host(values);
    buffer
}

/// A buffer of f32 full of NaN.
pub(crate) fn garbage_f32(device: &Device, rows: usize, cols: usize) -> Buffer {
    upload_f32(device, rows, cols, &vec![f32::NAN; rows * cols])
}

pub(crate) fn upload_ints(device: &Device, values: &[u32]) -> Ints {
    let mut ints = device.ints(values.len()).unwrap();
    ints.copy_from_host(values);
    ints
}

pub(crate) fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().copied().map(f64::from).collect()
}

/// Every row differs from the expected one by at most `tolerance` times the larger of its norm and the mean norm of all rows
/// (rows that cancel to zero are judged by what they were summed from).
#[track_caller]
pub(crate) fn assert_close(what: &str, actual: &[f32], expected: &[f64], cols: usize, tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{what}: length");
    if expected.is_empty() {
        return;
    }
    let norm = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>().sqrt();
    let n_rows = expected.len() / cols;
    let mean = expected.chunks(cols).map(norm).sum::<f64>() / n_rows as f64;
    for (i, (actual, expected)) in actual.chunks(cols).zip(expected.chunks(cols)).enumerate() {
        let difference: Vec<f64> = actual.iter().zip(expected).map(|(&a, e)| f64::from(a) - e).collect();
        let (error, bound) = (norm(&difference), tolerance * norm(expected).max(mean));
        // Written so that NaN fails.
        assert!(error <= bound, "{what}: row {i} of {n_rows} is off by {error:e}, allowed {bound:e}: {actual:?} for {expected:?}");
    }
}

impl Target {
    /// Equal to the bit where the device promises it, else within the tolerance.
    #[track_caller]
    pub(crate) fn assert_same(&self, what: &str, actual: &[f32], expected: &[f32], cols: usize) {
        if self.is_invariant {
            assert_same_bits(what, actual, expected);
        } else {
            assert_close(what, actual, &wide(expected), cols, self.tolerance);
        }
    }
}

#[track_caller]
pub(crate) fn assert_same_bits(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}: length");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!(a.to_bits() == e.to_bits(), "{what}: number {i} is {a:?}, expected the bits of {e:?}");
    }
}

/// Gradient of `Σ weight ⊙ f(x)` by central differences.
pub(crate) fn finite_differences(x: &[f64], weight: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let loss = |x: &[f64]| f(x).iter().zip(weight).map(|(y, w)| y * w).sum::<f64>();
    let mut x = x.to_vec();
    (0..x.len())
        .map(|i| {
            let at = x[i];
            x[i] = at + STEP;
            let above = loss(&x);
            x[i] = at - STEP;
            let below = loss(&x);
            x[i] = at;
            (above - below) / (2.0 * STEP)
        })
        .collect()
}

/// Holds an analytic gradient of the reference against finite differences.
#[track_caller]
pub(crate) fn assert_gradient(what: &str, analytic: &[f64], differences: &[f64]) {
    assert_eq!(analytic.len(), differences.len(), "{what}: length");
    let largest = differences.iter().fold(1e-3_f64, |m, x| m.max(x.abs()));
    for (i, (a, d)) in analytic.iter().zip(differences).enumerate() {
        assert!((a - d).abs() <= 1e-7 * largest, "{what}: number {i} is {a}, finite differences give {d}");
    }
}

/// Runs on 1, 2 and 5 threads and expects the same bits.
#[track_caller]
pub(crate) fn assert_thread_invariant(what: &str, run: impl Fn() -> Vec<f32> + Sync) {
    let on = |n: usize| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(&run);
    let expected = on(1);
    assert!(!expected.is_empty() && expected.iter().all(|x| x.is_finite()), "{what}: nothing to compare");
    for n in [2, 5] {
        assert_same_bits(&format!("{what} on {n} threads"), &on(n), &expected);
    }
}
