//! Memory on a device, and two-dimensional views of it.

use std::ops::Range;

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
}

impl Buffer {
    pub(crate) fn zeros_cpu(rows: usize, cols: usize) -> Result<Self, ComputeError> {
        let out_of_memory = || ComputeError::OutOfMemory { device: "cpu", bytes: rows.saturating_mul(cols).saturating_mul(4), rows, cols };
        let n_lines = rows.checked_mul(cols).ok_or_else(out_of_memory)?.div_ceil(16);
        let mut lines = Vec::new();
        lines.try_reserve_exact(n_lines).map_err(|_| out_of_memory())?;
        lines.resize(n_lines, Line::default());
        Ok(Self { rows, cols, storage: Storage::Cpu(lines) })
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
        }
    }

    /// The whole buffer, mutably.
    pub fn view_mut(&mut self) -> ViewMut<'_> {
        match &mut self.storage {
            Storage::Cpu(lines) => ViewMut::from_slice(&mut bytemuck::cast_slice_mut(lines)[..self.rows * self.cols], self.rows, self.cols),
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
        assert_eq!(data.len(), rows * cols, "a view of {rows} x {cols} needs {} numbers, found {}", rows * cols, data.len());
        Self { rows, cols, data: ViewData::Cpu(data) }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    pub(crate) fn slice(&self) -> &'a [f32] {
        match self.data {
            ViewData::Cpu(data) => data,
        }
    }

    /// The same numbers as `[rows, cols]`.
    #[must_use]
    pub fn reshape(&self, rows: usize, cols: usize) -> Self {
        Self::from_slice(self.slice(), rows, cols)
    }

    /// Some consecutive rows.
    #[must_use]
    pub fn rows_range(&self, range: Range<usize>) -> Self {
        Self::from_slice(&self.slice()[range.start * self.cols..range.end * self.cols], range.len(), self.cols)
    }

    /// `rows x cols` consecutive numbers from flat position `start`: how named weights are cut out of the flat buffer.
    #[must_use]
    pub fn at(&self, start: usize, rows: usize, cols: usize) -> Self {
        Self::from_slice(&self.slice()[start..start + rows * cols], rows, cols)
    }

    /// Copies all numbers to the host as f32.
    ///
    /// # Errors
    /// A pending device error.
    pub fn to_vec(&self) -> Result<Vec<f32>, ComputeError> {
        match self.data {
            ViewData::Cpu(data) => Ok(data.to_vec()),
        }
    }
}

impl View<'_> {
    /// Replaces the contents of `out` by all numbers as f32, reusing its memory.
    ///
    /// # Errors
    /// A pending device error.
    pub fn read_into(&self, out: &mut Vec<f32>) -> Result<(), ComputeError> {
        out.clear();
        out.extend_from_slice(self.slice());
        Ok(())
    }
}

impl<'a> ViewMut<'a> {
    pub(crate) fn from_slice(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "a view of {rows} x {cols} needs {} numbers, found {}", rows * cols, data.len());
        Self { rows, cols, data: ViewDataMut::Cpu(data) }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    pub(crate) fn slice(&mut self) -> &mut [f32] {
        match &mut self.data {
            ViewDataMut::Cpu(data) => data,
        }
    }

    pub(crate) fn into_slice(self) -> &'a mut [f32] {
        match self.data {
            ViewDataMut::Cpu(data) => data,
        }
    }

    /// A shorter mutable borrow of the same numbers.
    pub fn reborrow(&mut self) -> ViewMut<'_> {
        let (rows, cols) = (self.rows, self.cols);
        ViewMut::from_slice(self.slice(), rows, cols)
    }

    /// A shared borrow of the same numbers.
    pub fn as_view(&self) -> View<'_> {
        match &self.data {
            ViewDataMut::Cpu(data) => View::from_slice(data, self.rows, self.cols),
        }
    }

    /// The same numbers as `[rows, cols]`.
    #[must_use]
    pub fn reshape(self, rows: usize, cols: usize) -> Self {
        Self::from_slice(self.into_slice(), rows, cols)
    }

    /// Some consecutive rows.
    #[must_use]
    pub fn into_rows(self, range: Range<usize>) -> Self {
        let cols = self.cols;
        Self::from_slice(&mut self.into_slice()[range.start * cols..range.end * cols], range.len(), cols)
    }

    /// Splits off the first `len` numbers of a flat buffer as `[1, len]`, and the rest.
    #[must_use]
    pub fn split_at(self, len: usize) -> (Self, Self) {
        let (first, rest) = self.into_slice().split_at_mut(len);
        let n_rest = rest.len();
        (Self::from_slice(first, 1, len), Self::from_slice(rest, 1, n_rest))
    }

    /// `rows x cols` consecutive numbers from flat position `start`.
    #[must_use]
    pub fn into_at(self, start: usize, rows: usize, cols: usize) -> Self {
        Self::from_slice(&mut self.into_slice()[start..start + rows * cols], rows, cols)
    }

    /// Overwrites the numbers from the host.
    ///
    /// # Panics
    /// When `values` has another length.
    pub fn copy_from_host(&mut self, values: &[f32]) {
        self.slice().copy_from_slice(values);
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
}

impl Ints {
    pub(crate) fn zeros_cpu(len: usize) -> Result<Self, ComputeError> {
        let mut data = Vec::new();
        data.try_reserve_exact(len).map_err(|_| ComputeError::OutOfMemory {
            device: "cpu",
            bytes: len.saturating_mul(4),
            rows: 1,
            cols: len,
        })?;
        data.resize(len, 0);
        Ok(Self { storage: IntStorage::Cpu(data) })
    }

    /// Number of integers.
    pub fn len(&self) -> usize {
        match &self.storage {
            IntStorage::Cpu(data) => data.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn slice(&self) -> &[u32] {
        match &self.storage {
            IntStorage::Cpu(data) => data,
        }
    }

    pub(crate) fn slice_mut(&mut self) -> &mut [u32] {
        match &mut self.storage {
            IntStorage::Cpu(data) => data,
        }
    }

    /// Overwrites the first `values.len()` integers from the host.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn copy_from_host(&mut self, values: &[u32]) {
        self.slice_mut()[..values.len()].copy_from_slice(values);
    }

    /// Replaces the contents of `out` by the first `n` integers, reusing its memory.
    ///
    /// # Errors
    /// A pending device error.
    pub fn read_into(&self, n: usize, out: &mut Vec<u32>) -> Result<(), ComputeError> {
        out.clear();
        out.extend_from_slice(&self.slice()[..n]);
        Ok(())
    }
}
