//! Plain passes: fill, add, gather and scatter of rows, sums of squares.

use rayon::prelude::*;

use super::min_rows;
use crate::buffer::{Ints, View, ViewMut};
use crate::cpu::vector::{sum_squares as sum_squares_of, vectorize};
use crate::device::Device;

/// Numbers per partial sum in [`sum_squares`]; fixed, so that the sum does not depend on the number of threads.
const SUM_BLOCK: usize = 1 << 16;

/// `x = value`.
pub fn fill(device: &Device, mut x: ViewMut<'_>, value: f32) {
    match device {
        Device::Cpu => x.slice().par_chunks_mut(SUM_BLOCK).for_each(|x| x.fill(value)),
    }
}

/// `y = x`.
pub fn copy(device: &Device, mut y: ViewMut<'_>, x: View<'_>) {
    assert_eq!((y.rows(), y.cols()), (x.rows(), x.cols()), "copy");
    match device {
        Device::Cpu => y.slice().par_chunks_mut(SUM_BLOCK).zip(x.slice().par_chunks(SUM_BLOCK)).for_each(|(y, x)| y.copy_from_slice(x)),
    }
}

/// `y += x`.
pub fn add(device: &Device, mut y: ViewMut<'_>, x: View<'_>) {
    assert_eq!((y.rows(), y.cols()), (x.rows(), x.cols()), "add");
    match device {
        Device::Cpu => y.slice().par_chunks_mut(SUM_BLOCK).zip(x.slice().par_chunks(SUM_BLOCK)).for_each(|(y, x)| {
            add_to(y, x);
        }),
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
    }
}

/// Σ x² in f64, for gradient norms. Not finite exactly when some element is not (or the sum overflows).
pub fn sum_squares(device: &Device, x: View<'_>) -> f64 {
    match device {
        Device::Cpu => {
            let partial: Vec<f64> =
                x.slice().par_chunks(SUM_BLOCK).map(|x| x.chunks(1024).map(|x| f64::from(sum_squares_block(x))).sum()).collect();
            partial.iter().sum()
        }
    }
}

vectorize! {
fn sum_squares_block(x: &[f32]) -> f32 {
    sum_squares_of(x)
}
}
