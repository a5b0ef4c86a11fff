//! Devices, buffers and the operations of decoder-only transformers, each with an explicit forward and backward.
//!
//! `model`, `rollout` and `train` see only [`Device`], [`Buffer`], [`Ints`] and [`ops`]; where the numbers live and in
//! which format is decided here. Operations enqueue work and return nothing: a device error is sticky and comes out of the
//! next [`Device::synchronize`] or download, as asynchronous devices report it. Shapes that do not fit are bugs of the
//! caller and panic with both shapes.
//!
//! On the CPU every operation is deterministic and *batch-invariant*: the bits of a row do not depend on how many other
//! rows are computed with it, nor on the number of threads. Each output element of a matrix product is one chain of fused
//! multiply-adds in index order, and every reduction has a fixed shape.

mod buffer;
mod cpu;
mod cuda;
mod device;
pub mod ops;

pub use buffer::{Buffer, Ints, View, ViewMut};
pub use cuda::{CudaDevice, CudaOptions, KernelCache, Precision};
pub use device::{ComputeError, Device, DeviceKind, Recordings, Room};
