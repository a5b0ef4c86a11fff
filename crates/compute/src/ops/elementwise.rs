//! Plain passes: fill, add, gather and scatter of rows, sums of squares.

use rayon::prelude::*;

use super::min_rows;
use crate::buffer::{Ints, View, ViewMut};
use crate::cpu::vector::{sum_squares as sum_squares_of, vectorize};
use crate::cuda::memory::{Dtype, Span};
use crate::cuda::{Arg, CudaDevice, Kernel, blocks, kernels, width};
use crate::device::Device;

kernels!(SOURCE = "elementwise", ["elementwise.cu"]);

/// Numbers per partial sum in [`sum_squares`]; fixed, so that the sum does not depend on the number of threads.
const SUM_BLOCK: usize = 1 << 16;

/// `x = value`.
pub fn fill(device: &Device, mut x: ViewMut<'_>, value: f32) {
    match device {
        Device::Cpu => x.slice().par_chunks_mut(SUM_BLOCK).for_each(|x| x.fill(value)),
        Device::Cuda(cuda) => {
            let x = x.span();
            if value.to_bits() == 0 {
                cuda.clear(x.ptr, x.len * x.dtype.bytes());
            } else {
                pass(cuda, "fill", x.dtype, &[x.into(), Arg::Long(x.len as i64), value.into()], x.len);
            }
        }
    }
}

/// A kernel of one pass over `n` numbers.
fn pass(cuda: &CudaDevice, name: &'static str, dtype: Dtype, args: &[Arg<'_>], n: usize) {
    let grid = blocks(n, 1024).min(8 * cuda.n_processors() as u32);
    cuda.launch(Kernel::new(&SOURCE, dtype, name), (grid, 1, 1), 256, 0, args);
}

/// `y = x`; also from f32 into the format that the device computes in.
pub fn copy(device: &Device, mut y: ViewMut<'_>, x: View<'_>) {
    assert_eq!((y.rows(), y.cols()), (x.rows(), x.cols()), "copy");
    match device {
        Device::Cpu => y.slice().par_chunks_mut(SUM_BLOCK).zip(x.slice().par_chunks(SUM_BLOCK)).for_each(|(y, x)| y.copy_from_slice(x)),
        Device::Cuda(cuda) => {
            let (y, x) = (y.span(), x.span());
            if y.dtype == x.dtype {
                cuda.copy(y.ptr, x.ptr, x.len * x.dtype.bytes());
            } else {
                assert_eq!(x.dtype, Dtype::F32, "copy: from f32, or within one format");
                pass(cuda, "cast_from_f32", y.dtype, &[y.into(), x.into(), Arg::Long(x.len as i64)], x.len);
            }
        }
    }
}

/// `y += x`.
pub fn add(device: &Device, mut y: ViewMut<'_>, x: View<'_>) {
    assert_eq!((y.rows(), y.cols()), (x.rows(), x.cols()), "add");
    match device {
        Device::Cpu => y.slice().par_chunks_mut(SUM_BLOCK).zip(x.slice().par_chunks(SUM_BLOCK)).for_each(|(y, x)| {
            add_to(y, x);
        }),
        Device::Cuda(cuda) => {
            let (y, x) = (y.span(), x.span());
            assert_eq!(y.dtype, x.dtype, "add: one format");
            pass(cuda, "add", x.dtype, &[y.into(), x.into(), Arg::Long(x.len as i64)], x.len);
        }
    }
}

vectorize! {
fn add_to(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
}
}

/// `y[i] = x[rows[i]]`, y `[n, D]`, x `[T, D]`, the first n of `rows`.
pub fn gather_rows(device: &Device, mut y: ViewMut<'_>, x: View<'_>, rows: &Ints) {
    let cols = x.cols();
    assert_eq!(y.cols(), cols, "gather_rows");
    match device {
        Device::Cpu => {
            let (x, rows) = (x.slice(), &rows.slice()[..y.rows()]);
            y.slice().par_chunks_mut(cols).zip(rows).with_min_len(min_rows(cols)).for_each(|(y, &row)| {
                y.copy_from_slice(&x[row as usize * cols..][..cols]);
            });
        }
        Device::Cuda(cuda) => {
            let n = y.rows();
            move_rows(cuda, y.span(), x.span(), rows.ptr(n), [n, cols], 0);
        }
    }
}

/// `y[rows[i]] = x[i]`, all other rows of y 0; y `[T, D]`, x `[n, D]`, `rows` distinct.
pub fn scatter_rows(device: &Device, mut y: ViewMut<'_>, x: View<'_>, rows: &Ints) {
    let cols = x.cols();
    assert_eq!(y.cols(), cols, "scatter_rows");
    match device {
        Device::Cpu => {
            let y = y.slice();
            y.fill(0.0);
            for (x, &row) in x.slice().chunks_exact(cols).zip(rows.slice()) {
                y[row as usize * cols..][..cols].copy_from_slice(x);
            }
        }
        Device::Cuda(cuda) => {
            let (n, y) = (x.rows(), y.span());
            cuda.clear(y.ptr, y.len * y.dtype.bytes());
            move_rows(cuda, y, x.span(), rows.ptr(n), [n, cols], 1);
        }
    }
}

fn move_rows(cuda: &CudaDevice, y: Span<'_>, x: Span<'_>, rows: u64, [n, cols]: [usize; 2], scatter: i32) {
    assert_eq!(y.dtype, x.dtype, "rows of one format");
    let wide = width(cols, &[y, x]);
    let kernel = Kernel::wide(&SOURCE, x.dtype, ["move_rows_8", "move_rows_1"], wide).early();
    let args = [y.into(), x.into(), Arg::Ptr(rows), n.into(), cols.into(), Arg::Int(scatter)];
    cuda.launch(kernel, (blocks(n * cols / wide, 256), 1, 1), 256, 0, &args);
}

/// `y[i] = scale factors[i] x[i]` for rows of `cols` numbers, `factors` f32; y and x, which may be the same, each with the distance of its
/// rows.
pub(super) fn scale_rows(
    cuda: &CudaDevice,
    (y, y_stride): (Span<'_>, usize),
    (x, x_stride): (Span<'_>, usize),
    factors: Span<'_>,
    cols: usize,
    scale: f32,
) {
    assert_eq!(y.dtype, x.dtype, "rows of one format");
    let n = factors.len;
    let aligned = y_stride.is_multiple_of(8) && x_stride.is_multiple_of(8);
    let wide = if aligned { width(cols, &[y, x]) } else { 1 };
    let kernel = Kernel::wide(&SOURCE, x.dtype, ["scale_rows_8", "scale_rows_1"], wide).early();
    let args = [y.into(), x.into(), factors.into(), n.into(), cols.into(), y_stride.into(), x_stride.into(), scale.into()];
    cuda.launch(kernel, (blocks(n * cols / wide, 256), 1, 1), 256, 0, &args);
}

/// Σ x² in f64, for gradient norms. Not finite exactly when some element is not (or the sum overflows).
pub fn sum_squares(device: &Device, x: View<'_>) -> f64 {
    match device {
        Device::Cpu => {
            let partial: Vec<f64> =
                x.slice().par_chunks(SUM_BLOCK).map(|x| x.chunks(1024).map(|x| f64::from(sum_squares_block(x))).sum()).collect();
            partial.iter().sum()
        }
        Device::Cuda(cuda) => {
            let x = x.span();
            let n = blocks(x.len, 1 << 14).clamp(1, 1024) as usize;
            let mut partial = vec![f64::NAN; n];
            cuda.with_scratch(8 * n, |sums| {
                let kernel = Kernel::new(&SOURCE, x.dtype, "sum_squares");
                cuda.launch(kernel, (n as u32, 1, 1), 256, 0, &[Arg::Ptr(sums), x.into(), Arg::Long(x.len as i64)]);
                // An error leaves NaN in the sum and comes again at the next synchronisation.
                let outcome = cuda.download(sums, &mut partial);
                cuda.keep(outcome);
            });
            partial.iter().sum()
        }
    }
}

vectorize! {
fn sum_squares_block(x: &[f32]) -> f32 {
    sum_squares_of(x)
}
}
