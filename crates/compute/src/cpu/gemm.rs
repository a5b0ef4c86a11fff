//! Matrix products whose bits do not depend on how they are cut up.
//!
//! `C[i, j] = start[i, j] + Σ_k A[i, k] B[k, j]` is computed as one chain of fused multiply-adds per element, `k` ascending.
//! Tiles, blocks and threads only decide which element is computed when: a row of the result is the same whether it is
//! computed alone or in a batch. Library kernels change their order of summation with the shape and cannot promise that.
//!
//! The structure is the usual one (Goto, van de Geijn 2008): `B` is packed into panels of [`Kernel::width`] columns, and a
//! register tile of up to 12 rows runs over the panel. `A` is read in place, its elements are broadcast; only of a transposed `A`
//! the rows of a tile are copied first, since they lie in a cache line, and often a page, of their own for each `k`.

#![expect(unsafe_code, reason = "the register tile reads packed panels through raw pointers")]

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Rows and blocks of `k` that stay in the first-level cache together with a panel.
const K_BLOCK: usize = 256;
/// Columns of `B` packed at once by one task: with [`K_BLOCK`] rows this is half a megabyte, inside a second-level cache.
const N_BLOCK: usize = 512;
/// Products with fewer multiply-adds than this run on the calling thread.
const MIN_PARALLEL: usize = 1 << 16;

/// `A[i, k]` at `data[i * row + k * col]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lhs<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub col: usize,
}

/// The right-hand side `B[k, j]`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rhs<'a> {
    /// `B[k, j]` at `data[k * stride + j]`.
    RowMajor { data: &'a [f32], stride: usize },
    /// `B[k, j]` at `data[j * stride + k]`: the transpose of a row-major matrix.
    Transposed { data: &'a [f32], stride: usize },
    /// Packed before; the product uses the columns from `first`, a multiple of the panel width.
    Packed { panels: &'a Panels, first: usize },
}

/// What the chains of multiply-adds start from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    Zero,
    /// The present contents of `C`.
    Accumulate,
    /// The same row for every row of `C`.
    Row(&'a [f32]),
}

/// `B` packed into zero-padded panels: panel `p` holds columns `p * width ..`, as `[k][width]`.
#[derive(Debug, Default)]
pub(crate) struct Panels {
    data: Vec<f32>,
    k: usize,
    n: usize,
}

impl Panels {
    /// Packs all of `b`, a matrix `[k, n]`, in parallel.
    pub(crate) fn pack(b: Rhs<'_>, k: usize, n: usize) -> Self {
        let width = Kernel::width();
        let mut data = vec![0.0; n.div_ceil(width) * width * k];
        if k > 0 {
            data.par_chunks_mut(width * k).enumerate().for_each(|(panel, out)| {
                let start = panel * width;
                pack_panel(out, b, 0..k, start..(start + width).min(n), width);
            });
        }
        Self { data, k, n }
    }

    /// Packs on the calling thread, reusing the memory.
    pub(crate) fn repack(&mut self, b: Rhs<'_>, k_range: Range<usize>, n_range: Range<usize>) {
        let width = Kernel::width();
        (self.k, self.n) = (k_range.len(), n_range.len());
        let n_panels = self.n.div_ceil(width);
        // Every number is overwritten below, padding included.
        self.data.resize(n_panels * width * self.k, 0.0);
        for (panel, out) in self.data.chunks_mut((width * self.k).max(1)).enumerate() {
            let start = n_range.start + panel * width;
            pack_panel(out, b, k_range.clone(), start..(start + width).min(n_range.end), width);
        }
    }
}

/// A copy whose usual lengths (a panel's row, a tile's column) are known to the compiler: calls of `memcpy` for a hundred bytes each
/// took an eighth of the training time.
#[inline(always)]
fn copy_row(to: &mut [f32], from: &[f32]) {
    if let (Ok(to), Ok(from)) = (<&mut [f32; 32]>::try_from(&mut *to), <&[f32; 32]>::try_from(from)) {
        *to = *from;
    } else if let (Ok(to), Ok(from)) = (<&mut [f32; 12]>::try_from(&mut *to), <&[f32; 12]>::try_from(from)) {
        *to = *from;
    } else {
        to.copy_from_slice(from);
    }
}

/// Writes `B[ks, js]` as `[k][width]`, padding columns with zeros.
fn pack_panel(out: &mut [f32], b: Rhs<'_>, ks: Range<usize>, js: Range<usize>, width: usize) {
    let n = js.len();
    match b {
        Rhs::RowMajor { data, stride } => {
            for (row, k) in out.chunks_exact_mut(width).zip(ks) {
                copy_row(&mut row[..n], &data[k * stride + js.start..k * stride + js.end]);
                row[n..].fill(0.0);
            }
        }
        Rhs::Transposed { data, stride } => {
            if n < width {
                out.fill(0.0);
            }
            // Blocks of 16 k keep one cache line of each source row in use.
            for k_start in ks.clone().step_by(16) {
                let k_end = (k_start + 16).min(ks.end);
                for (j, source) in js.clone().enumerate() {
                    let line = &data[source * stride + k_start..source * stride + k_end];
                    for (k, &value) in line.iter().enumerate() {
                        out[(k_start - ks.start + k) * width + j] = value;
                    }
                }
            }
        }
        Rhs::Packed { .. } => unreachable!("panels are never packed twice"),
    }
}

/// `C[m, n]` (row-major, contiguous rows) from `A[m, k] B[k, n]`, over all threads.
pub(crate) fn gemm(m: usize, n: usize, k: usize, a: Lhs<'_>, b: Rhs<'_>, c: &mut [f32], start: Start<'_>) {
    assert_eq!(c.len(), m * n, "product of {m} x {k} and {k} x {n}");
    if m == 0 || n == 0 {
        return;
    }
    let c = Shared { data: c.as_mut_ptr(), stride: n };
    let n_threads = if m * n * k < MIN_PARALLEL { 1 } else { rayon::current_num_threads() };
    let (row_parts, col_parts) = grid(m, n, n_threads);
    if row_parts * col_parts == 1 {
        return block(0..m, 0..n, k, a, b, c, start);
    }
    (0..row_parts * col_parts).into_par_iter().with_max_len(1).for_each(|part| {
        let rows = share(m, Kernel::height(), row_parts, part / col_parts);
        let cols = share(n, Kernel::width(), col_parts, part % col_parts);
        block(rows, cols, k, a, b, c, start);
    });
}

/// How many parts rows and columns are cut into: rows first, because every part packs its own columns of `B`.
fn grid(m: usize, n: usize, n_threads: usize) -> (usize, usize) {
    let max_rows = m.div_ceil(Kernel::height()).max(1);
    let max_cols = n.div_ceil(Kernel::width()).max(1);
    let rows = if m >= 16 * n_threads { n_threads.min(max_rows) } else { 1 };
    (rows, (n_threads / rows).clamp(1, max_cols))
}

/// Part `index` of `0..len`, cut at multiples of `unit`.
fn share(len: usize, unit: usize, parts: usize, index: usize) -> Range<usize> {
    let units = len.div_ceil(unit);
    let at = |i: usize| (units * i / parts * unit).min(len);
    at(index)..at(index + 1)
}

/// A matrix that several tasks write disjoint blocks of.
#[derive(Clone, Copy)]
struct Shared {
    data: *mut f32,
    stride: usize,
}
// SAFETY: tasks write disjoint blocks (`share` partitions rows and columns), and nobody reads before they are joined.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

thread_local! {
    static PACKED: std::cell::RefCell<Panels> = std::cell::RefCell::default();
    static LEFT: std::cell::RefCell<Vec<f32>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// One thread's block of `C`.
fn block(rows: Range<usize>, cols: Range<usize>, k: usize, a: Lhs<'_>, b: Rhs<'_>, c: Shared, start: Start<'_>) {
    let width = Kernel::width();
    if rows.is_empty() || cols.is_empty() {
        return;
    }
    if let Rhs::Packed { panels, first } = b {
        assert_eq!(panels.k, k, "packed rows of the right-hand side");
        assert!(first.is_multiple_of(width) && first + cols.end <= panels.n, "packed columns {first}.. of {}", panels.n);
        let run = |ks: Range<usize>, start| {
            let at = (first + cols.start) * k + ks.start * width;
            let b = Tile { data: &panels.data[at..], panel_stride: width * k };
            run_tiles(rows.clone(), cols.clone(), ks, a, b, c, start);
        };
        // Small batches read each panel once whatever the order; blocks of k only pay when a panel is used again.
        let step = if rows.len() <= 2 * Kernel::height() { k.max(1) } else { K_BLOCK };
        return in_k_blocks(k, step, start, run);
    }
    PACKED.with_borrow_mut(|packed| {
        for n_start in cols.clone().step_by(N_BLOCK) {
            let n_range = n_start..(n_start + N_BLOCK).min(cols.end);
            in_k_blocks(k, K_BLOCK, start, |ks, start| {
                packed.repack(b, ks.clone(), n_range.clone());
                let b = Tile { data: &packed.data, panel_stride: width * ks.len() };
                // Copying pays when several panels read the copy.
                if a.row == 1 && a.col > 1 && n_range.len() > width {
                    LEFT.with_borrow_mut(|left| run_packed_rows(left, rows.clone(), n_range.clone(), ks, a, b, c, start));
                } else {
                    run_tiles(rows.clone(), n_range.clone(), ks, a, b, c, start);
                }
            });
        }
    });
}

/// Calls `run` for each block of `0..k`; blocks after the first go on from what the first left in `C`.
fn in_k_blocks<'a>(k: usize, step: usize, start: Start<'a>, mut run: impl FnMut(Range<usize>, Start<'a>)) {
    if k == 0 {
        return run(0..0, start);
    }
    for k_start in (0..k).step_by(step) {
        run(k_start..(k_start + step).min(k), if k_start == 0 { start } else { Start::Accumulate });
    }
}

/// Packed panels for some columns and a block of `k`.
#[derive(Clone, Copy)]
struct Tile<'a> {
    data: &'a [f32],
    panel_stride: usize,
}

/// [`run_tiles`] over a transposed left-hand side, of which the rows of one tile at a time are copied as `[k][height]`.
#[expect(clippy::too_many_arguments, reason = "those of run_tiles and the memory for the copy")]
fn run_packed_rows(
    left: &mut Vec<f32>,
    rows: Range<usize>,
    cols: Range<usize>,
    ks: Range<usize>,
    a: Lhs<'_>,
    b: Tile<'_>,
    c: Shared,
    start: Start<'_>,
) {
    let height = Kernel::height();
    left.resize(height * ks.len(), 0.0);
    for first in rows.clone().step_by(height) {
        let n = height.min(rows.end - first);
        for (copy, k) in left.chunks_exact_mut(height).zip(ks.clone()) {
            copy_row(&mut copy[..n], &a.data[k * a.col + first..][..n]);
        }
        let copied = Lhs { data: left, row: 1, col: height };
        let c = Shared { data: c.data.wrapping_add(first * c.stride), stride: c.stride };
        run_tiles(0..n, cols.clone(), 0..ks.len(), copied, b, c, start);
    }
}

fn run_tiles(rows: Range<usize>, cols: Range<usize>, ks: Range<usize>, a: Lhs<'_>, b: Tile<'_>, c: Shared, start: Start<'_>) {
    if !ks.is_empty() {
        let last = (rows.end - 1) * a.row + (ks.end - 1) * a.col;
        assert!(last < a.data.len(), "the left-hand side is too short");
        let n_panels = cols.len().div_ceil(Kernel::width());
        assert!((n_panels - 1) * b.panel_stride + ks.len() * Kernel::width() <= b.data.len(), "the packed side is too short");
    }
    if let Start::Row(row) = start {
        assert!(row.len() >= cols.end);
    }
    Arch::new().dispatch(Kernel { rows, cols, ks, a, b, c, start });
}

/// One block of `C`, tile by tile.
struct Kernel<'a> {
    rows: Range<usize>,
    cols: Range<usize>,
    ks: Range<usize>,
    a: Lhs<'a>,
    b: Tile<'a>,
    c: Shared,
    start: Start<'a>,
}

impl Kernel<'_> {
    /// Columns of a register tile: two hardware vectors.
    fn width() -> usize {
        struct Width;
        impl WithSimd for Width {
            type Output = usize;
            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> usize {
                2 * S::F32_LANES
            }
        }
        Arch::new().dispatch(Width)
    }

    /// Most rows of a register tile.
    fn height() -> usize {
        12
    }
}

impl WithSimd for Kernel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut row = self.rows.start;
        while row < self.rows.end {
            let left = self.rows.end - row;
            // 12 x 2 accumulators fill 32 registers; with 16 registers 6 x 2 do.
            row += if S::F32_LANES >= 16 {
                match left {
                    12.. => self.row_tile::<S, 12>(simd, row),
                    8..=11 => self.row_tile::<S, 8>(simd, row),
                    4..=7 => self.row_tile::<S, 4>(simd, row),
                    2..=3 => self.row_tile::<S, 2>(simd, row),
                    _ => self.row_tile::<S, 1>(simd, row),
                }
            } else {
                match left {
                    6.. => self.row_tile::<S, 6>(simd, row),
                    4..=5 => self.row_tile::<S, 4>(simd, row),
                    2..=3 => self.row_tile::<S, 2>(simd, row),
                    _ => self.row_tile::<S, 1>(simd, row),
                }
            };
        }
    }
}

impl Kernel<'_> {
    /// `ROWS` rows from `row`, all columns. Returns `ROWS`.
    #[inline(always)]
    fn row_tile<S: Simd, const ROWS: usize>(&self, simd: S, row: usize) -> usize {
        let width = 2 * S::F32_LANES;
        let mut panel = 0;
        let mut col = self.cols.start;
        while col < self.cols.end {
            let n = width.min(self.cols.end - col);
            // SAFETY: `run_tiles` checked the extents of A, B and the starting row; C has `rows.end` rows of `stride`
            // numbers and `cols.end <= stride`; full tiles touch `width` columns, partial ones go through a stack copy.
            unsafe {
                let b = self.b.data.as_ptr().add(panel * self.b.panel_stride);
                let c = self.c.data.add(row * self.c.stride + col);
                if n == width {
                    self.tile::<S, ROWS>(simd, row, col, b, c, self.c.stride);
                } else {
                    let mut edge = [[0.0_f32; 32]; ROWS];
                    for (i, edge) in edge.iter_mut().enumerate() {
                        std::ptr::copy_nonoverlapping(c.add(i * self.c.stride), edge.as_mut_ptr(), n);
                    }
                    self.edge_tile::<S, ROWS>(simd, row, col, b, &mut edge, n);
                    for (i, edge) in edge.iter().enumerate() {
                        std::ptr::copy_nonoverlapping(edge.as_ptr(), c.add(i * self.c.stride), n);
                    }
                }
            }
            panel += 1;
            col += width;
        }
        ROWS
    }

    #[inline(always)]
    unsafe fn edge_tile<S: Simd, const ROWS: usize>(
        &self,
        simd: S,
        row: usize,
        col: usize,
        b: *const f32,
        edge: &mut [[f32; 32]; ROWS],
        n: usize,
    ) {
        let mut padded = [0.0_f32; 32];
        let start = match self.start {
            Start::Row(values) => {
                padded[..n].copy_from_slice(&values[col..col + n]);
                Start::Row(&padded)
            }
            other => other,
        };
        let kernel = Kernel { rows: 0..0, cols: 0..0, ks: self.ks.clone(), a: self.a, b: self.b, c: self.c, start };
        // SAFETY: the stack copy has 32 >= width columns per row; the starting row is padded to as many.
        unsafe { kernel.tile::<S, ROWS>(simd, row, 0, b, edge.as_mut_ptr().cast(), 32) };
    }

    /// The register tile: `c[ROWS, width]` from `A[row.., ks]` and one panel.
    #[inline(always)]
    unsafe fn tile<S: Simd, const ROWS: usize>(&self, simd: S, row: usize, col: usize, b: *const f32, c: *mut f32, c_stride: usize) {
        let lanes = S::F32_LANES;
        let zero = simd.splat_f32s(0.0);
        let mut sums = [[zero; 2]; ROWS];
        // SAFETY: extents are the caller's promise; unaligned loads and stores.
        unsafe {
            match self.start {
                Start::Zero => {}
                Start::Accumulate => {
                    for (i, sums) in sums.iter_mut().enumerate() {
                        for (v, sum) in sums.iter_mut().enumerate() {
                            *sum = c.add(i * c_stride + v * lanes).cast::<S::f32s>().read_unaligned();
                        }
                    }
                }
                Start::Row(values) => {
                    for sums in &mut sums {
                        for (v, sum) in sums.iter_mut().enumerate() {
                            *sum = values.as_ptr().add(col + v * lanes).cast::<S::f32s>().read_unaligned();
                        }
                    }
                }
            }
            let mut a = self.a.data.as_ptr().wrapping_add(row * self.a.row + self.ks.start * self.a.col);
            let mut b = b;
            for _ in 0..self.ks.len() {
                let b0 = b.cast::<S::f32s>().read_unaligned();
                let b1 = b.add(lanes).cast::<S::f32s>().read_unaligned();
                for (i, sums) in sums.iter_mut().enumerate() {
                    let a = simd.splat_f32s(*a.add(i * self.a.row));
                    sums[0] = simd.mul_add_f32s(a, b0, sums[0]);
                    sums[1] = simd.mul_add_f32s(a, b1, sums[1]);
                }
                a = a.wrapping_add(self.a.col);
                b = b.wrapping_add(2 * lanes);
            }
            for (i, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    c.add(i * c_stride + v * lanes).cast::<S::f32s>().write_unaligned(sum);
                }
            }
        }
    }
}

/// One row on the calling thread: `c = x · B`.
pub(crate) fn gemm_single(x: &[f32], b: Rhs<'_>, c: &mut [f32]) {
    let shared = Shared { data: c.as_mut_ptr(), stride: c.len() };
    block(0..1, 0..c.len(), x.len(), Lhs { data: x, row: x.len(), col: 1 }, b, shared, Start::Zero);
}

/// A small product on the calling thread: `C[m, n]` with row stride `c_stride`, from the first `n` columns and the first `k`
/// rows of panels packed before.
#[expect(clippy::too_many_arguments, reason = "three sizes, two strided operands")]
pub(crate) fn gemm_serial(m: usize, n: usize, k: usize, a: Lhs<'_>, b: &Panels, c: &mut [f32], c_stride: usize, start: Start<'_>) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(k <= b.k && n <= b.n && (m - 1) * c_stride + n <= c.len(), "product of {m} x {k} and {k} x {n}");
    let tile = Tile { data: &b.data, panel_stride: Kernel::width() * b.k };
    run_tiles(0..m, 0..n, 0..k, a, tile, Shared { data: c.as_mut_ptr(), stride: c_stride }, start);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, salt: u32) -> Vec<f32> {
        (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(salt) >> 16) as f32 / 32768.0 - 1.0).collect()
    }

    /// The definition: one chain of fused multiply-adds per element.
    fn reference(m: usize, n: usize, k: usize, a: &[f32], b: &[f32], start: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        let mut c = vec![0.0; m * n];
        for i in 0..m {
            for j in 0..n {
                c[i * n + j] = (0..k).fold(start(i, j), |sum, l| a[i * k + l].mul_add(b[l * n + j], sum));
            }
        }
        c
    }

    fn transpose(rows: usize, cols: usize, x: &[f32]) -> Vec<f32> {
        (0..rows * cols).map(|i| x[(i % rows) * cols + i / rows]).collect()
    }

    #[test]
    fn all_forms_equal_the_chain_bit_for_bit() {
        for &(m, n, k) in
            &[(1, 1, 1), (1, 33, 7), (2, 32, 300), (5, 31, 513), (13, 64, 128), (70, 97, 40), (257, 530, 260), (3, 5, 0), (0, 4, 4)]
        {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            let (at, bt) = (transpose(m, k, &a), transpose(k, n, &b));
            let expected = reference(m, n, k, &a, &b, |_, _| 0.0);
            let panels = Panels::pack(Rhs::Transposed { data: &bt, stride: k }, k, n);
            let forms = [
                (Lhs { data: &a, row: k, col: 1 }, Rhs::RowMajor { data: &b, stride: n }),
                (Lhs { data: &a, row: k, col: 1 }, Rhs::Transposed { data: &bt, stride: k }),
                (Lhs { data: &at, row: 1, col: m }, Rhs::RowMajor { data: &b, stride: n }),
                (Lhs { data: &a, row: k, col: 1 }, Rhs::Packed { panels: &panels, first: 0 }),
            ];
            for (form, (lhs, rhs)) in forms.into_iter().enumerate() {
                let mut c = vec![f32::NAN; m * n];
                gemm(m, n, k, lhs, rhs, &mut c, Start::Zero);
                assert_eq!(c, expected, "{m} x {n} x {k}, form {form}");
            }
            let mut c = vec![f32::NAN; m * n];
            gemm_serial(m, n, k, forms[0].0, &panels, &mut c, n, Start::Zero);
            assert_eq!(c, expected, "{m} x {n} x {k}, serial");
        }
    }

    #[test]
    fn starts_from_a_row_or_the_contents() {
        let (m, n, k) = (14, 45, 300);
        let (a, b, bias, c0) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3), numbers(m * n, 4));
        let (lhs, rhs) = (Lhs { data: &a, row: k, col: 1 }, Rhs::RowMajor { data: &b, stride: n });
        let mut c = vec![f32::NAN; m * n];
        gemm(m, n, k, lhs, rhs, &mut c, Start::Row(&bias));
        assert_eq!(c, reference(m, n, k, &a, &b, |_, j| bias[j]));
        let mut c = c0.clone();
        gemm(m, n, k, lhs, rhs, &mut c, Start::Accumulate);
        assert_eq!(c, reference(m, n, k, &a, &b, |i, j| c0[i * n + j]));
    }
}
