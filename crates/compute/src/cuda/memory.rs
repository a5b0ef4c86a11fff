//! Device memory and typed spans of it.

#![expect(unsafe_code, reason = "calls of the driver")]

use cudarc::driver::result;
use half::bf16;
use half::slice::HalfFloatSliceExt;

use super::CudaDevice;
use crate::device::{ComputeError, Room};

/// Format of the numbers in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dtype {
    F32,
    Bf16,
}

impl Dtype {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }
}

/// Allocations up to this size come from the stream's pool, which neither waits for the device nor asks the driver.
const POOLED: usize = 64 << 20;

/// Owned zeroed memory.
#[derive(Debug)]
pub(crate) struct CudaMemory {
    pub ptr: u64,
    bytes: usize,
    pub device: CudaDevice,
}

impl CudaMemory {
    /// `rows x cols` zeros of `item` bytes.
    pub(crate) fn zeros(device: &CudaDevice, rows: usize, cols: usize, item: usize) -> Result<Self, ComputeError> {
        let bytes = rows.saturating_mul(cols).saturating_mul(item);
        let memory = Self::uninit(device, bytes).map_err(|error| match error {
            ComputeError::OutOfMemory { device, bytes, room, .. } => ComputeError::OutOfMemory { device, bytes, rows, cols, room },
            error => error,
        })?;
        // SAFETY: the memory was just taken and is that large.
        let zeroed = unsafe { result::memset_d8_async(memory.ptr, 0, memory.bytes, device.stream()) };
        zeroed.map_err(|error| ComputeError::driver("memset", error))?;
        Ok(memory)
    }

    pub(super) fn uninit(device: &CudaDevice, bytes: usize) -> Result<Self, ComputeError> {
        device.bind();
        let bytes = bytes.max(16);
        // SAFETY: the context is current; memory of the pool is used on this stream only.
        let taken = unsafe { if bytes > POOLED { result::malloc_sync(bytes) } else { result::malloc_async(device.stream(), bytes) } };
        match taken {
            Ok(ptr) => {
                device.count(bytes as i64);
                Ok(Self { ptr, bytes, device: device.clone() })
            }
            Err(error) => Err(device.no_memory(bytes, error)),
        }
    }
}

impl Drop for CudaMemory {
    fn drop(&mut self) {
        self.device.bind();
        self.device.count(-(self.bytes as i64));
        // SAFETY: taken by `uninit` in the same way, and given back once. Work that still uses it is earlier on the stream;
        // the synchronous call waits for it. An error here is that of earlier work, which `synchronize` reports.
        let given_back =
            unsafe { if self.bytes > POOLED { result::free_sync(self.ptr) } else { result::free_async(self.ptr, self.device.stream()) } };
        self.device.keep(given_back.map_err(|error| ComputeError::driver("memory", error)));
    }
}

/// Borrowed numbers on a device. The lifetime is kept by the view that holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span<'a> {
    pub ptr: u64,
    pub dtype: Dtype,
    pub len: usize,
    pub device: &'a CudaDevice,
}

impl<'a> Span<'a> {
    /// `len` numbers from `start`.
    pub(crate) fn part(self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.len, "numbers {start}..{} of {}", start + len, self.len);
        Self { ptr: self.ptr + (start * self.dtype.bytes()) as u64, len, ..self }
    }

    /// Copies to the host as f32, after all work before it.
    pub(crate) fn read(self, out: &mut Vec<f32>) -> Result<(), ComputeError> {
        out.clear();
        out.resize(self.len, 0.0);
        match self.dtype {
            Dtype::F32 => self.device.download(self.ptr, out)?,
            Dtype::Bf16 => {
                let mut host = vec![bf16::ZERO; self.len];
                self.device.download(self.ptr, &mut host)?;
                host.convert_to_f32_slice(out);
            }
        }
        Ok(())
    }

    /// Overwrites from the host.
    pub(crate) fn write(self, values: &[f32]) {
        assert_eq!(values.len(), self.len, "copy_from_host");
        match self.dtype {
            Dtype::F32 => self.device.upload(self.ptr, values),
            Dtype::Bf16 => {
                let mut host = vec![bf16::ZERO; values.len()];
                host.convert_from_f32_slice(values);
                self.device.upload(self.ptr, &host);
            }
        }
    }
}

impl CudaDevice {
    /// Why memory could not be taken.
    pub(super) fn no_memory(&self, bytes: usize, error: result::DriverError) -> ComputeError {
        if error.0 != cudarc::driver::sys::cudaError_enum::CUDA_ERROR_OUT_OF_MEMORY {
            return ComputeError::driver("memory", error);
        }
        let held = self.held_bytes();
        let room = result::mem_get_info().ok().map(|(free, total)| Room { free, total, held });
        ComputeError::OutOfMemory { device: "cuda", bytes, rows: 1, cols: bytes, room }
    }

    /// Copies to the host and waits for it.
    pub(crate) fn download<T: bytemuck::Pod>(&self, ptr: u64, out: &mut [T]) -> Result<(), ComputeError> {
        if out.is_empty() {
            return self.synchronize();
        }
        self.bind();
        // SAFETY: the caller's span is that long; the copy is waited for below.
        let copied = unsafe { result::memcpy_dtoh_async(out, ptr, self.stream()) };
        self.keep(copied.map_err(|error| ComputeError::driver("copy to the host", error)));
        self.synchronize()
    }

    /// Copies from pageable host memory; the driver is done with it when this returns.
    pub(crate) fn upload<T: bytemuck::Pod>(&self, ptr: u64, values: &[T]) {
        if values.is_empty() {
            return;
        }
        self.bind();
        // SAFETY: the caller's span is that long.
        let copied = unsafe { result::memcpy_htod_async(ptr, values, self.stream()) };
        self.keep(copied.map_err(|error| ComputeError::driver("copy to the device", error)));
    }

    /// Copies within the device.
    pub(crate) fn copy(&self, to: u64, from: u64, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.bind();
        // SAFETY: the caller's spans are that long.
        let copied = unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream()) };
        self.keep(copied.map_err(|error| ComputeError::driver("copy", error)));
    }

    /// Sets bytes to zero.
    pub(crate) fn clear(&self, ptr: u64, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.bind();
        // SAFETY: the caller's span is that long.
        let cleared = unsafe { result::memset_d8_async(ptr, 0, bytes, self.stream()) };
        self.keep(cleared.map_err(|error| ComputeError::driver("memset", error)));
    }
}
