//! Sums over rows in a fixed order: gradients of biases and of norms.

use super::memory::{Dtype, Span};
use super::{Arg, CudaDevice, Kernel, blocks, kernels};

kernels!(SOURCE = "columns", ["columns.cu"]);

/// Rows that one block adds up.
pub(crate) const ROWS: usize = 64;

/// Bytes of the partial sums of [`CudaDevice::sum_columns`].
pub(crate) fn sum_bytes(rows: usize, cols: usize) -> usize {
    4 * cols * rows.div_ceil(ROWS)
}

impl CudaDevice {
    /// `sums [cols] += Σ over rows`, by a kernel that writes one row of partial sums for each [`ROWS`] rows: its arguments are the
    /// partial sums, then `args`.
    pub(crate) fn sum_columns(&self, sums: Span<'_>, kernel: Kernel, width: usize, rows: usize, args: &[Arg<'_>]) {
        let n = rows.div_ceil(ROWS);
        self.fold_columns(sums, n, |partial| {
            self.launch(kernel, (blocks(sums.len, 32 * width), n as u32, 1), 256, 0, &[&[partial], args].concat());
        });
    }

    /// `sums [cols] += Σ` of the rows of partial sums `[n, cols]`, which what `launch` launches writes.
    pub(crate) fn fold_columns<'a>(&self, sums: Span<'_>, n: usize, launch: impl FnOnce(Arg<'a>)) {
        let cols = sums.len;
        if n == 0 || cols == 0 {
            return;
        }
        assert_eq!(sums.dtype, Dtype::F32, "gradients of weights are f32");
        self.with_scratch(4 * n * cols, |partial| {
            launch(Arg::Ptr(partial));
            let fold = Kernel::new(&SOURCE, Dtype::F32, "fold_columns");
            self.launch(fold, (blocks(cols, 32), 1, 1), 256, 0, &[sums.into(), Arg::Ptr(partial), n.into(), cols.into()]);
        });
    }
}
