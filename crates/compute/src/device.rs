//! Where buffers live and operations run.

use crate::buffer::{Buffer, Ints};
use crate::cuda::graph::Graphs;
use crate::cuda::matmul::WORKSPACE;
use crate::cuda::memory::Dtype;
use crate::cuda::{CudaDevice, CudaOptions, Precision, scratch_size};

/// A device error.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    /// The device could not provide the memory.
    #[error("out of memory on {device}: {bytes} bytes were asked for ({rows} x {cols} numbers){}", Room::text(*.room))]
    OutOfMemory {
        /// Name of the device.
        device: &'static str,
        /// Size of the request.
        bytes: usize,
        /// Rows of the buffer.
        rows: usize,
        /// Columns of the buffer.
        cols: usize,
        /// What there was, where the device tells it.
        room: Option<Room>,
    },
    /// A library of CUDA is not on this machine, or cannot be loaded.
    #[error("{what} was not found: none of {names:?} could be loaded from {places}")]
    MissingLibrary {
        /// What is missing.
        what: &'static str,
        /// File names that were tried.
        names: &'static [&'static str],
        /// Where they were looked for.
        places: String,
    },
    /// The driver knows fewer devices.
    #[error("there is no CUDA device {ordinal}: the driver reports {n_devices}")]
    NoDevice {
        /// The device asked for, from 0.
        ordinal: usize,
        /// Devices that there are.
        n_devices: usize,
    },
    /// The device lacks bf16 and asynchronous copies.
    #[error("{name} has compute capability {}.{}, at least 8.0 is needed (Ampere, 2020, or newer)", capability / 10, capability % 10)]
    OldDevice {
        /// Name of the device.
        name: String,
        /// Its compute capability, times ten.
        capability: u32,
    },
    /// The run-time compiler refused a file of kernels.
    #[error("{file}: NVRTC failed: {log}")]
    Compile {
        /// The file.
        file: &'static str,
        /// What the compiler says.
        log: String,
    },
    /// The driver or a library reports an error, perhaps of work that was enqueued before.
    #[error("{operation} failed on the CUDA device: {name}: {text}")]
    Driver {
        /// What was done.
        operation: &'static str,
        /// Name of the error.
        name: String,
        /// Its description.
        text: String,
    },
}

/// What the memory that is needed on a device follows from: enough to plan for one that is not in this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// This machine.
    Cpu,
    /// An NVIDIA GPU.
    Cuda {
        /// What it computes in.
        precision: Precision,
        /// Its memory, if that is known.
        memory_bytes: Option<usize>,
    },
}

impl DeviceKind {
    /// Short name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda { precision: Precision::Bf16, .. } => "cuda",
            Self::Cuda { precision: Precision::F32, .. } => "cuda-f32",
        }
    }

    /// Bytes of one number in the format that it computes in: weights and activations.
    pub fn float_bytes(self) -> usize {
        match self {
            Self::Cuda { precision: Precision::Bf16, .. } => 2,
            Self::Cpu | Self::Cuda { precision: Precision::F32, .. } => 4,
        }
    }

    /// Decode steps that are enqueued before the host looks at their tokens.
    pub fn steps_ahead(self) -> usize {
        match self {
            Self::Cpu => 1,
            Self::Cuda { .. } => 16,
        }
    }

    /// Prompt tokens that are worth running together.
    pub fn prefill_tokens(self) -> usize {
        match self {
            Self::Cpu => 512,
            Self::Cuda { .. } => 8192,
        }
    }

    /// Rows that `n` sequences are decoded as: on a GPU few sizes occur, because each is recorded.
    pub fn decode_rows(self, n: usize) -> usize {
        match self {
            Self::Cpu => n,
            Self::Cuda { .. } if n <= 32 => n.next_multiple_of(8),
            Self::Cuda { .. } => n.next_multiple_of(32),
        }
    }

    /// Bytes of the device's own memory, where it has some and they are known.
    pub fn memory_bytes(self) -> Option<usize> {
        match self {
            Self::Cpu => None,
            Self::Cuda { memory_bytes, .. } => memory_bytes,
        }
    }

    /// Bytes that are held besides buffers whatever is computed.
    pub fn fixed_bytes(self) -> usize {
        match self {
            Self::Cpu => 0,
            Self::Cuda { .. } => WORKSPACE,
        }
    }

    /// Bytes that are held for intermediate results of an operation which needs `bytes` of them.
    pub fn scratch_bytes(self, bytes: usize) -> usize {
        match self {
            Self::Cpu => 0,
            Self::Cuda { .. } => scratch_size(bytes),
        }
    }
}

/// A device's memory at the moment of an error, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Nobody holds.
    pub free: usize,
    /// The device has.
    pub total: usize,
    /// Buffers of this process hold.
    pub held: usize,
}

impl Room {
    /// What the driver itself takes of a device, about: more than that beside our own buffers is another's.
    const DRIVER: usize = 1 << 30;

    fn text(room: Option<Self>) -> String {
        let Some(Self { free, total, held }) = room else { return String::new() };
        let gib = |bytes: usize| bytes as f64 / f64::from(1 << 30);
        let others = total.saturating_sub(free + held);
        let mut text = format!("; {:.1} of {:.1} GiB are free, this process holds {:.1}", gib(free), gib(total), gib(held));
        if others > Self::DRIVER {
            text += &format!(": another process may hold {:.1} (nvidia-smi lists them)", gib(others));
        }
        text
    }
}

/// What [`Device::replay`] has recorded.
#[derive(Debug, Default)]
pub struct Recordings(Graphs);

/// A device that holds buffers and runs [`crate::ops`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Device {
    /// All cores of this machine, in f32.
    Cpu,
    /// An NVIDIA GPU, in bf16 with sums in f32, or in f32.
    Cuda(CudaDevice),
}

impl Device {
    /// Opens a CUDA device.
    ///
    /// # Errors
    /// See [`CudaDevice::open`].
    pub fn cuda(options: CudaOptions) -> Result<Self, ComputeError> {
        CudaDevice::open(options).map(Self::Cuda)
    }

    /// What its memory needs follow from.
    pub fn kind(&self) -> DeviceKind {
        match self {
            Self::Cpu => DeviceKind::Cpu,
            Self::Cuda(cuda) => DeviceKind::Cuda { precision: cuda.precision(), memory_bytes: Some(cuda.total_bytes()) },
        }
    }

    /// Short name, as on the command line.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// Model of a GPU, such as `NVIDIA H200`.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Cpu => None,
            Self::Cuda(cuda) => Some(cuda.model()),
        }
    }

    /// Threads of this machine that operations are spread over.
    pub fn n_threads(&self) -> usize {
        match self {
            Self::Cpu => rayon::current_num_threads(),
            Self::Cuda(_) => 1,
        }
    }

    /// Bytes of one number in the format this device computes in: weights and activations.
    pub fn float_bytes(&self) -> usize {
        self.kind().float_bytes()
    }

    /// A zeroed buffer `[rows, cols]` in the format this device computes in (f32 on the CPU, bf16 on a GPU).
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn zeros(&self, rows: usize, cols: usize) -> Result<Buffer, ComputeError> {
        match self {
            Self::Cpu => Buffer::zeros_cpu(rows, cols),
            Self::Cuda(cuda) => Buffer::zeros_cuda(cuda, rows, cols, cuda.dtype()),
        }
    }

    /// A zeroed f32 buffer `[rows, cols]` on any device: statistics, gradients, optimizer state.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn zeros_f32(&self, rows: usize, cols: usize) -> Result<Buffer, ComputeError> {
        match self {
            Self::Cpu => Buffer::zeros_cpu(rows, cols),
            Self::Cuda(cuda) => Buffer::zeros_cuda(cuda, rows, cols, Dtype::F32),
        }
    }

    /// A zeroed buffer of `len` 32-bit integers: token ids, positions, page tables.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn ints(&self, len: usize) -> Result<Ints, ComputeError> {
        match self {
            Self::Cpu => Ints::zeros_cpu(len),
            Self::Cuda(cuda) => Ints::zeros_cuda(cuda, len),
        }
    }

    /// Calls `f` where starting an operation is cheapest: on the CPU in a thread of the pool, so that each of the operations in
    /// it need not be handed over to the pool and waited for. Worth it around many small ones.
    pub fn run<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Cpu => rayon::scope(|_| f()),
            Self::Cuda(_) => f(),
        }
    }

    /// Decode steps that are enqueued before the host looks at their tokens.
    pub fn steps_ahead(&self) -> usize {
        self.kind().steps_ahead()
    }

    /// Rows that `n` sequences are decoded as: on a GPU few sizes occur, because each is recorded.
    pub fn decode_rows(&self, n: usize) -> usize {
        self.kind().decode_rows(n)
    }

    /// Does `f`; where launching costs more than it should, records it under `key` and replays the record. What `f` does must
    /// depend on `key` alone, in the memory that it uses.
    pub fn replay(&self, recordings: &mut Recordings, key: u64, mut f: impl FnMut()) {
        match self {
            Self::Cpu => f(),
            Self::Cuda(cuda) => recordings.0.replay(cuda, key, f),
        }
    }

    /// Bytes of the device's own memory; none where it shares the machine's.
    pub fn memory_bytes(&self) -> Option<usize> {
        self.kind().memory_bytes()
    }

    /// Most bytes of its own memory that buffers have held at once.
    pub fn peak_bytes(&self) -> Option<usize> {
        match self {
            Self::Cpu => None,
            Self::Cuda(cuda) => Some(cuda.peak_bytes()),
        }
    }

    /// Waits for all work so far.
    ///
    /// # Errors
    /// The first error of any operation since the last call.
    pub fn synchronize(&self) -> Result<(), ComputeError> {
        match self {
            Self::Cpu => Ok(()),
            Self::Cuda(cuda) => cuda.synchronize(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_memory_says_how_much_is_free_and_who_may_hold_the_rest() {
        let error = |free: usize| ComputeError::OutOfMemory {
            device: "cuda",
            bytes: 4096,
            rows: 2,
            cols: 512,
            room: Some(Room { free: free << 30, total: 80 << 30, held: 10 << 30 }),
        };
        let alone = error(69).to_string();
        assert!(alone.contains("4096 bytes") && alone.contains("69.0 of 80.0 GiB are free, this process holds 10.0"), "{alone}");
        assert!(!alone.contains("another process"), "{alone}");
        assert!(error(3).to_string().ends_with("another process may hold 67.0 (nvidia-smi lists them)"), "{}", error(3));
    }
}
