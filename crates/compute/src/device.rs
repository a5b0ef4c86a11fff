//! Where buffers live and operations run.

use crate::buffer::{Buffer, Ints};

/// A device error.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    /// The device could not provide the memory.
    #[error("out of memory on {device}: {bytes} bytes were asked for ({rows} x {cols} numbers)")]
    OutOfMemory {
        /// Name of the device.
        device: &'static str,
        /// Size of the request.
        bytes: usize,
        /// Rows of the buffer.
        rows: usize,
        /// Columns of the buffer.
        cols: usize,
    },
}

/// A device that holds buffers and runs [`crate::ops`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Device {
    /// All cores of this machine, in f32.
    Cpu,
}

impl Device {
    /// Short name, as on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
        }
    }

    /// Threads that operations are spread over.
    pub fn n_threads(&self) -> usize {
        match self {
            Self::Cpu => rayon::current_num_threads(),
        }
    }

    /// Bytes of one number in the format this device computes in: weights and activations.
    pub fn float_bytes(&self) -> usize {
        match self {
            Self::Cpu => 4,
        }
    }

    /// A zeroed buffer `[rows, cols]` in the format this device computes in (f32 on the CPU).
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn zeros(&self, rows: usize, cols: usize) -> Result<Buffer, ComputeError> {
        match self {
            Self::Cpu => Buffer::zeros_cpu(rows, cols),
        }
    }

    /// A zeroed f32 buffer `[rows, cols]` on any device: statistics, gradients, optimizer state.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn zeros_f32(&self, rows: usize, cols: usize) -> Result<Buffer, ComputeError> {
        match self {
            Self::Cpu => Buffer::zeros_cpu(rows, cols),
        }
    }

    /// A zeroed buffer of `len` 32-bit integers: token ids, positions, page tables.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn ints(&self, len: usize) -> Result<Ints, ComputeError> {
        match self {
            Self::Cpu => Ints::zeros_cpu(len),
        }
    }

    /// Calls `f` where starting an operation is cheapest: on the CPU in a thread of the pool, so that each of the operations in
    /// it need not be handed over to the pool and waited for. Worth it around many small ones.
    pub fn run<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Cpu => rayon::scope(|_| f()),
        }
    }

    /// Waits for all work so far.
    ///
    /// # Errors
    /// The first error of any operation since the last call.
    pub fn synchronize(&self) -> Result<(), ComputeError> {
        match self {
            Self::Cpu => Ok(()),
        }
    }
}
