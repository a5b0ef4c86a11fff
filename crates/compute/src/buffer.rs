//! Memory on a device, and two-dimensional views of it.

use std::ops::Range;

use crate::cuda::CudaDevice;
use crate::cuda::memory::{CudaMemory, Dtype, Span};
use crate::device::ComputeError;

/// One cache line; vectors of it keep CPU buffers aligned for the widest loads.
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// An owned row-major matrix of floats on a device.
#[derive(Debug)]
pub struct Buffer {
    rows: usize,
    cols: usize,
    storage: Storage,
}

#[derive(Debug)]
enum Storage {
    Cpu(Vec<Line>),
    Cuda(CudaMemory, Dtype),
}

/// A borrowed matrix `[rows, cols]`, contiguous and row-major.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    rows: usize,
    cols: usize,
    data: ViewData<'a>,
}

#[derive(Clone, Copy, Debug)]
enum ViewData<'a> {
    Cpu(&'a [f32]),
    Cuda(Span<'a>),
}

/// A mutably borrowed matrix `[rows, cols]`, contiguous and row-major.
#[derive(Debug)]
pub struct ViewMut<'a> {
    rows: usize,
    cols: usize,
    data: ViewDataMut<'a>,
}

#[derive(Debug)]
enum ViewDataMut<'a> {
    Cpu(&'a mut [f32]),
    /// Not copied while it is borrowed mutably.
    Cuda(Span<'a>),
}

impl Buffer {
    pub(crate) fn zeros_cpu(rows: usize, cols: usize) -> Result<Self, ComputeError> {
        let out_of_memory =
            || ComputeError::OutOfMemory { device: "cpu", bytes: rows.saturating_mul(cols).saturating_mul(4), rows, cols, room: None };
        let n_lines = rows.checked_mul(cols).ok_or_else(out_of_memory)?.div_ceil(16);
        let mut lines = Vec::new();
        lines.try_reserve_exact(n_lines).map_err(|_| out_of_memory())?;
        lines.resize(n_lines, Line::default());
        Ok(Self { rows, cols, storage: Storage::Cpu(lines) })
    }

    pub(crate) fn zeros_cuda(device: &CudaDevice, rows: usize, cols: usize, dtype: Dtype) -> Result<Self, ComputeError> {
        let memory = CudaMemory::zeros(device, rows, cols, dtype.bytes())?;
        Ok(Self { rows, cols, storage: Storage::Cuda(memory, dtype) })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The whole buffer.
    pub fn view(&self) -> View<'_> {
        match &self.storage {
            Storage::Cpu(lines) => View::from_slice(&bytemuck::cast_slice(lines)[..self.rows * self.cols], self.rows, self.cols),
            Storage::Cuda(memory, dtype) => {
                let span = Span { ptr: memory.ptr, dtype: *dtype, len: self.rows * self.cols, device: &memory.device };
                View::from_span(span, self.rows, self.cols)
            }
        }
    }

    /// The whole buffer, mutably.
    pub fn view_mut(&mut self) -> ViewMut<'_> {
        match &mut self.storage {
            Storage::Cpu(lines) => ViewMut::from_slice(&mut bytemuck::cast_slice_mut(lines)[..self.rows * self.cols], self.rows, self.cols),
            Storage::Cuda(memory, dtype) => {
                let span = Span { ptr: memory.ptr, dtype: *dtype, len: self.rows * self.cols, device: &memory.device };
                ViewMut::from_span(span, self.rows, self.cols)
            }
        }
    }

    /// The first `rows` rows.
    pub fn head(&self, rows: usize) -> View<'_> {
        self.view().rows_range(0..rows)
    }

    /// The first `rows` rows, mutably.
    pub fn head_mut(&mut self, rows: usize) -> ViewMut<'_> {
        self.view_mut().into_rows(0..rows)
    }

    /// Copies all numbers to the host as f32.
    ///
    /// # Errors
    /// A pending device error.
    pub fn to_vec(&self) -> Result<Vec<f32>, ComputeError> {
        self.view().to_vec()
    }

    /// Overwrites the buffer from the host.
    pub fn copy_from_host(&mut self, values: &[f32]) {
        self.view_mut().copy_from_host(values);
    }
}

impl<'a> View<'a> {
    pub(crate) fn from_slice(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::of(ViewData::Cpu(data), rows, cols)
    }

    fn from_span(span: Span<'a>, rows: usize, cols: usize) -> Self {
        Self::of(ViewData::Cuda(span), rows, cols)
    }

    fn of(data: ViewData<'a>, rows: usize, cols: usize) -> Self {
        let found = match data {
            ViewData::Cpu(data) => data.len(),
            ViewData::Cuda(span) => span.len,
        };
        assert_eq!(found, rows * cols, "a view of {rows} x {cols} needs {} numbers, found {found}", rows * cols);
        Self { rows, cols, data }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The numbers, on the CPU.
    pub(crate) fn slice(&self) -> &'a [f32] {
        match self.data {
            ViewData::Cpu(data) => data,
            ViewData::Cuda(span) => panic!("expected a buffer of the CPU, found one of {:?}", span.device),
        }
    }

    /// The numbers, on a CUDA device.
    pub(crate) fn span(&self) -> Span<'a> {
        match self.data {
            ViewData::Cuda(span) => span,
            ViewData::Cpu(_) => panic!("expected a buffer of a CUDA device, found one of the CPU"),
        }
    }

    /// Where the numbers lie in their device's memory, to tell buffers apart.
    pub fn address(&self) -> u64 {
        match self.data {
            ViewData::Cpu(data) => data.as_ptr().addr() as u64,
            ViewData::Cuda(span) => span.ptr,
        }
    }

    /// The same numbers as `[rows, cols]`.
    #[must_use]
    pub fn reshape(&self, rows: usize, cols: usize) -> Self {
        Self::of(self.data, rows, cols)
    }

    /// Some consecutive rows.
    #[must_use]
    pub fn rows_range(&self, range: Range<usize>) -> Self {
        self.at(range.start * self.cols, range.len(), self.cols)
    }

    /// `rows x cols` consecutive numbers from flat position `start`: how named weights are cut out of the flat buffer.
    #[must_use]
    pub fn at(&self, start: usize, rows: usize, cols: usize) -> Self {
        let data = match self.data {
            ViewData::Cpu(data) => ViewData::Cpu(&data[start..start + rows * cols]),
            ViewData::Cuda(span) => ViewData::Cuda(span.part(start, rows * cols)),
        };
        Self::of(data, rows, cols)
    }

    /// Copies all numbers to the host as f32.
    ///
    /// # Errors
    /// A pending device error.
    pub fn to_vec(&self) -> Result<Vec<f32>, ComputeError> {
        let mut values = Vec::new();
        self.read_into(&mut values)?;
        Ok(values)
    }

    /// Replaces the contents of `out` by all numbers as f32, reusing its memory.
    ///
    /// # Errors
    /// A pending device error.
    pub fn read_into(&self, out: &mut Vec<f32>) -> Result<(), ComputeError> {
        match self.data {
            ViewData::Cpu(data) => {
                out.clear();
                out.extend_from_slice(data);
                Ok(())
            }
            ViewData::Cuda(span) => span.read(out),
        }
    }
}

impl<'a> ViewMut<'a> {
    pub(crate) fn from_slice(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::of(ViewDataMut::Cpu(data), rows, cols)
    }

    fn from_span(span: Span<'a>, rows: usize, cols: usize) -> Self {
        Self::of(ViewDataMut::Cuda(span), rows, cols)
    }

    fn of(data: ViewDataMut<'a>, rows: usize, cols: usize) -> Self {
        let found = match &data {
            ViewDataMut::Cpu(data) => data.len(),
            ViewDataMut::Cuda(span) => span.len,
        };
        assert_eq!(found, rows * cols, "a view of {rows} x {cols} needs {} numbers, found {found}", rows * cols);
        Self { rows, cols, data }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The numbers, on the CPU.
    pub(crate) fn slice(&mut self) -> &mut [f32] {
        match &mut self.data {
            ViewDataMut::Cpu(data) => data,
            ViewDataMut::Cuda(span) => panic!("expected a buffer of the CPU, found one of {:?}", span.device),
        }
    }

    /// The numbers, on a CUDA device.
    pub(crate) fn span(&mut self) -> Span<'_> {
        self.as_view().span()
    }

    /// A shorter mutable borrow of the same numbers.
    pub fn reborrow(&mut self) -> ViewMut<'_> {
        let data = match &mut self.data {
            ViewDataMut::Cpu(data) => ViewDataMut::Cpu(data),
            ViewDataMut::Cuda(span) => ViewDataMut::Cuda(*span),
        };
        ViewMut::of(data, self.rows, self.cols)
    }

    /// A shared borrow of the same numbers.
    pub fn as_view(&self) -> View<'_> {
        match &self.data {
            ViewDataMut::Cpu(data) => View::from_slice(data, self.rows, self.cols),
            ViewDataMut::Cuda(span) => View::from_span(*span, self.rows, self.cols),
        }
    }

    /// The same numbers as `[rows, cols]`.
    #[must_use]
    pub fn reshape(self, rows: usize, cols: usize) -> Self {
        Self::of(self.data, rows, cols)
    }

    /// Some consecutive rows.
    #[must_use]
    pub fn into_rows(self, range: Range<usize>) -> Self {
        let cols = self.cols;
        self.into_at(range.start * cols, range.len(), cols)
    }

    /// Splits off the first `len` numbers of a flat buffer as `[1, len]`, and the rest.
    #[must_use]
    pub fn split_at(self, len: usize) -> (Self, Self) {
        let n_rest = self.rows * self.cols - len;
        let (first, rest) = match self.data {
            ViewDataMut::Cpu(data) => {
                let (first, rest) = data.split_at_mut(len);
                (ViewDataMut::Cpu(first), ViewDataMut::Cpu(rest))
            }
            ViewDataMut::Cuda(span) => (ViewDataMut::Cuda(span.part(0, len)), ViewDataMut::Cuda(span.part(len, n_rest))),
        };
        (Self::of(first, 1, len), Self::of(rest, 1, n_rest))
    }

    /// `rows x cols` consecutive numbers from flat position `start`.
    #[must_use]
    pub fn into_at(self, start: usize, rows: usize, cols: usize) -> Self {
        let data = match self.data {
            ViewDataMut::Cpu(data) => ViewDataMut::Cpu(&mut data[start..start + rows * cols]),
            ViewDataMut::Cuda(span) => ViewDataMut::Cuda(span.part(start, rows * cols)),
        };
        Self::of(data, rows, cols)
    }

    /// Overwrites the numbers from the host.
    ///
    /// # Panics
    /// When `values` has another length.
    pub fn copy_from_host(&mut self, values: &[f32]) {
        match &mut self.data {
            ViewDataMut::Cpu(data) => data.copy_from_slice(values),
            ViewDataMut::Cuda(span) => span.write(values),
        }
    }
}

/// Owned 32-bit integers on a device.
#[derive(Debug)]
pub struct Ints {
    storage: IntStorage,
}

#[derive(Debug)]
enum IntStorage {
    Cpu(Vec<u32>),
    Cuda(CudaMemory, usize),
}

impl Ints {
    pub(crate) fn zeros_cpu(len: usize) -> Result<Self, ComputeError> {
        let mut data = Vec::new();
        data.try_reserve_exact(len).map_err(|_| ComputeError::OutOfMemory {
            device: "cpu",
            bytes: len.saturating_mul(4),
            rows: 1,
            cols: len,
            room: None,
        })?;
        data.resize(len, 0);
        Ok(Self { storage: IntStorage::Cpu(data) })
    }

    pub(crate) fn zeros_cuda(device: &CudaDevice, len: usize) -> Result<Self, ComputeError> {
        Ok(Self { storage: IntStorage::Cuda(CudaMemory::zeros(device, 1, len, 4)?, len) })
    }

    /// Number of integers.
    pub fn len(&self) -> usize {
        match &self.storage {
            IntStorage::Cpu(data) => data.len(),
            IntStorage::Cuda(_, len) => *len,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn slice(&self) -> &[u32] {
        match &self.storage {
            IntStorage::Cpu(data) => data,
            IntStorage::Cuda(memory, _) => panic!("expected integers of the CPU, found some of {:?}", memory.device),
        }
    }

    pub(crate) fn slice_mut(&mut self) -> &mut [u32] {
        match &mut self.storage {
            IntStorage::Cpu(data) => data,
            IntStorage::Cuda(memory, _) => panic!("expected integers of the CPU, found some of {:?}", memory.device),
        }
    }

    /// Where the first `n` integers lie on a CUDA device.
    pub(crate) fn ptr(&self, n: usize) -> u64 {
        match &self.storage {
            IntStorage::Cuda(memory, len) => {
                assert!(n <= *len, "expected at least {n} integers, found {len}");
                memory.ptr
            }
            IntStorage::Cpu(_) => panic!("expected integers of a CUDA device, found some of the CPU"),
        }
    }

    /// Overwrites the first `values.len()` integers from the host.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn copy_from_host(&mut self, values: &[u32]) {
        match &mut self.storage {
            IntStorage::Cpu(data) => data[..values.len()].copy_from_slice(values),
            IntStorage::Cuda(memory, len) => {
                assert!(values.len() <= *len, "expected at most {len} integers, found {}", values.len());
                memory.device.upload(memory.ptr, values);
            }
        }
    }

    /// Replaces the contents of `out` by the first `n` integers, reusing its memory.
    ///
    /// # Errors
    /// A pending device error.
    pub fn read_into(&self, n: usize, out: &mut Vec<u32>) -> Result<(), ComputeError> {
        out.clear();
        match &self.storage {
            IntStorage::Cpu(data) => {
                out.extend_from_slice(&data[..n]);
                Ok(())
            }
            IntStorage::Cuda(memory, len) => {
                assert!(n <= *len, "expected at most {len} integers, asked for {n}");
                out.resize(n, 0);
                memory.device.download(memory.ptr, out)
            }
        }
    }
}
