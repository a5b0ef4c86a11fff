//! CUDA devices: driver, run-time compiler and cuBLASLt are found when a device is opened.
//!
//! All work of a device goes to one stream, in order. Errors of work are kept and come out of the next synchronisation.

#![expect(unsafe_code, reason = "calls of the driver")]

mod columns;
mod compile;
pub(crate) mod graph;
mod launch;
mod library;
pub(crate) mod matmul;
pub(crate) mod memory;
pub(crate) mod product;
pub(crate) mod wgmma;

use std::cell::Cell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::{result, sys};

use self::launch::Function;
use self::matmul::Matmul;
use self::memory::Dtype;
use crate::device::ComputeError;

pub(crate) use self::columns::{ROWS, sum_bytes};
#[cfg(test)]
pub(crate) use self::compile::assert_compiles;
pub(crate) use self::launch::{Arg, Kernel, Source, blocks, kernels};

/// Format that a CUDA device computes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Weights and activations in bf16, sums in f32.
    #[default]
    Bf16,
    /// Everything in f32, for tests.
    F32,
}

/// Where compiled kernels are kept from run to run: whoever opens a device knows files, this crate does not. A cache that fails
/// costs time and nothing else.
pub trait KernelCache: std::fmt::Debug + Send + Sync {
    /// What was stored under this name.
    fn load(&self, name: &str) -> Option<Vec<u8>>;
    /// Stores an image, whole or not at all.
    fn store(&self, name: &str, image: &[u8]);
}

/// How to open a CUDA device.
#[derive(Clone, Debug, Default)]
pub struct CudaOptions {
    /// Number of the device.
    pub ordinal: usize,
    /// What it computes in.
    pub precision: Precision,
    /// Compiled kernels of earlier runs; `None` compiles them every time.
    pub cache: Option<Arc<dyn KernelCache>>,
    /// Where libraries are looked for besides the system's places.
    pub library_dirs: Vec<PathBuf>,
    /// Whether a row of a forward has the same bits in any batch, in training, prefill and decoding alike; slower.
    pub deterministic: bool,
}

/// A CUDA device. Clones are the same device.
#[derive(Clone)]
pub struct CudaDevice {
    inner: Arc<Inner>,
}

/// A file of kernels, what `real` stands for in it, and its constants.
type ModuleKey = (&'static str, Dtype, [usize; 2]);

struct Inner {
    options: CudaOptions,
    name: String,
    total_bytes: usize,
    n_processors: usize,
    /// Compute capability, such as 90.
    capability: u32,
    /// See [`CudaDevice::has_clusters`].
    has_clusters: bool,
    /// See [`CudaDevice::has_wgmma`].
    has_wgmma: bool,
    context: sys::CUcontext,
    stream: sys::CUstream,
    matmul: Mutex<Matmul>,
    /// By module and name.
    functions: Mutex<HashMap<(ModuleKey, &'static str), Function>>,
    modules: Mutex<HashMap<ModuleKey, usize>>,
    error: Mutex<Option<ComputeError>>,
    allocated: AtomicI64,
    peak: AtomicI64,
    scratch: Mutex<Option<(u64, usize)>>,
}

// SAFETY: contexts, streams and functions of the driver may be used from any thread; what is not made for several threads at
// once (the cuBLASLt handle's plans, scratch memory) is behind a mutex.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl std::fmt::Debug for CudaDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CudaDevice({}, {:?})", self.inner.name, self.inner.options.precision)
    }
}

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// How many numbers kernels handle at a time: 8 where rows and pointers are aligned for it.
pub(crate) fn width(cols: usize, spans: &[memory::Span<'_>]) -> usize {
    if cols.is_multiple_of(8) && spans.iter().all(|span| span.ptr.is_multiple_of(16)) { 8 } else { 1 }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CudaDevice {
    /// Opens a device and loads the libraries that it needs.
    ///
    /// # Errors
    /// A library that is missing, no such device, a device older than compute capability 8.0, a driver error.
    pub fn open(options: CudaOptions) -> Result<Self, ComputeError> {
        for needed in [library::DRIVER, library::NVRTC, library::CUBLASLT] {
            library::load(needed, &options.library_dirs)?;
        }
        let fail = |operation| move |error| ComputeError::driver(operation, error);
        result::init().map_err(fail("start of the driver"))?;
        let n_devices = result::device::get_count().map_err(fail("count of devices"))?;
        if options.ordinal >= n_devices as usize {
            return Err(ComputeError::NoDevice { ordinal: options.ordinal, n_devices: n_devices as usize });
        }
        let device = result::device::get(options.ordinal as i32).map_err(fail("device"))?;
        let name = result::device::get_name(device).map_err(fail("name of the device"))?;
        use sys::CUdevice_attribute as Attribute;
        // SAFETY: `device` is a device of the driver.
        let attribute = |attribute| unsafe { result::device::get_attribute(device, attribute) }.map_err(fail("attribute"));
        let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        let n_processors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)? as usize;
        let capability = (10 * major + minor) as u32;
        if capability < 80 {
            return Err(ComputeError::OldDevice { name, capability });
        }
        // SAFETY: `device` is a device of the driver; the context is kept for the life of the process.
        let (total_bytes, context) = unsafe {
            let total = result::device::total_mem(device).map_err(fail("memory of the device"))?;
            let context = result::primary_ctx::retain(device).map_err(fail("context"))?;
            result::ctx::set_current(context).map_err(fail("context"))?;
            (total, context)
        };
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking).map_err(fail("stream"))?;
        keep_pool_memory(device);
        let is_new = driver_version()? >= 12_000;
        let has_clusters = is_new && compile::has_clusters(capability)?;
        let has_wgmma = is_new && compile::has_own_instructions(capability)?;
        let inner = Inner {
            options,
            name,
            total_bytes,
            n_processors,
            capability,
            has_clusters,
            has_wgmma,
            context,
            stream,
            matmul: Mutex::new(Matmul::new(has_wgmma)?),
            functions: Mutex::default(),
            modules: Mutex::default(),
            error: Mutex::default(),
            allocated: AtomicI64::new(0),
            peak: AtomicI64::new(0),
            scratch: Mutex::default(),
        };
        let device = Self { inner: Arc::new(inner) };
        lock(&device.inner.matmul).take_workspace(&device)?;
        Ok(device)
    }

    /// Name of the model, such as `NVIDIA H200`.
    pub fn model(&self) -> &str {
        &self.inner.name
    }

    /// Bytes of the device's memory.
    pub fn total_bytes(&self) -> usize {
        self.inner.total_bytes
    }

    /// Bytes that buffers of this device hold.
    fn held_bytes(&self) -> usize {
        self.inner.allocated.load(Ordering::Relaxed).max(0) as usize
    }

    /// Most bytes that buffers of this device have held at once.
    pub fn peak_bytes(&self) -> usize {
        self.inner.peak.load(Ordering::Relaxed) as usize
    }

    /// What it computes in.
    pub fn precision(&self) -> Precision {
        self.inner.options.precision
    }

    /// Whether a row of a forward has the same bits in any batch.
    pub fn is_deterministic(&self) -> bool {
        self.inner.options.deterministic
    }

    pub(crate) fn dtype(&self) -> Dtype {
        match self.inner.options.precision {
            Precision::Bf16 => Dtype::Bf16,
            Precision::F32 => Dtype::F32,
        }
    }

    /// Whether blocks can work together in a cluster: from compute capability 9.0 on, if compiler and driver know of them.
    pub(crate) fn has_clusters(&self) -> bool {
        self.inner.has_clusters
    }

    pub(crate) fn n_processors(&self) -> usize {
        self.inner.n_processors
    }

    fn stream(&self) -> sys::CUstream {
        self.inner.stream
    }

    /// Makes the context current in this thread.
    fn bind(&self) {
        let context = self.inner.context as usize;
        if CURRENT.get() != context {
            // SAFETY: the context is retained for the life of the process.
            self.keep(unsafe { result::ctx::set_current(self.inner.context) }.map_err(|error| ComputeError::driver("context", error)));
            CURRENT.set(context);
        }
    }

    /// Keeps the first error for the next synchronisation.
    pub(crate) fn keep(&self, outcome: Result<(), ComputeError>) {
        if let Err(error) = outcome {
            lock(&self.inner.error).get_or_insert(error);
        }
    }

    fn count(&self, bytes: i64) {
        let now = self.inner.allocated.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.inner.peak.fetch_max(now, Ordering::Relaxed);
    }

    /// Waits for all work; the first error since the last time.
    pub(crate) fn synchronize(&self) -> Result<(), ComputeError> {
        self.bind();
        // SAFETY: the stream lives as long as the device.
        let waited = unsafe { result::stream::synchronize(self.stream()) };
        self.keep(waited.map_err(|error| ComputeError::driver("work on the device", error)));
        lock(&self.inner.error).take().map_or(Ok(()), Err)
    }

    /// At least `bytes` of memory that lasts while `f` enqueues work; the next user's work comes later on the stream.
    pub(crate) fn with_scratch(&self, bytes: usize, f: impl FnOnce(u64)) {
        let mut scratch = lock(&self.inner.scratch);
        if scratch.is_none_or(|(_, size)| size < bytes) {
            let size = scratch_size(bytes);
            self.bind();
            // Smaller memory from before stays: recorded launches may use it.
            // SAFETY: the context is current.
            match unsafe { result::malloc_sync(size) } {
                Ok(ptr) => {
                    self.count(size as i64);
                    *scratch = Some((ptr, size));
                }
                Err(error) => {
                    self.keep(Err(self.no_memory(size, error)));
                    return;
                }
            }
        }
        if let Some((ptr, _)) = *scratch {
            f(ptr);
        }
    }
}

/// Bytes of scratch memory where `bytes` are needed: it grows in large steps.
pub(crate) fn scratch_size(bytes: usize) -> usize {
    bytes.next_power_of_two().max(1 << 20)
}

/// The newest version of CUDA that the driver knows, such as 12040 for 12.4.
fn driver_version() -> Result<i32, ComputeError> {
    let mut version = 0;
    // SAFETY: a plain out-parameter.
    let found = unsafe { sys::cuDriverGetVersion(&raw mut version) };
    found.result().map_err(|error| ComputeError::driver("version of the driver", error))?;
    Ok(version)
}

/// Memory given back to the driver's pool stays there: asking the system again is slow.
fn keep_pool_memory(device: sys::CUdevice) {
    let mut threshold: u64 = 1 << 30;
    // SAFETY: `device` is a device of the driver; the attribute is a u64. Without it everything works, only slower.
    unsafe {
        if let Ok(pool) = result::device::get_default_mem_pool(device) {
            let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
            let _ = sys::cuMemPoolSetAttribute(pool, attribute, (&raw mut threshold).cast());
        }
    }
}

impl ComputeError {
    pub(crate) fn driver(operation: &'static str, error: result::DriverError) -> Self {
        let name = error.error_name().map_or_else(|_| format!("{:?}", error.0), |name| name.to_string_lossy().into_owned());
        let text = error.error_string().map_or_else(|_| String::new(), |text| text.to_string_lossy().into_owned());
        Self::Driver { operation, name, text }
    }
}

/// Memory besides buffers that lasts as long as the process.
fn permanent(device: &CudaDevice, bytes: usize) -> Result<u64, ComputeError> {
    device.bind();
    // SAFETY: the context is current.
    let taken = unsafe { result::malloc_sync(bytes) }.map_err(|error| device.no_memory(bytes, error))?;
    device.count(bytes as i64);
    Ok(taken)
}
