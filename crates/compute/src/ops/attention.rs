//! Causal grouped-query attention over packed sequences, for training and prefill.
//!
//! Per query head `h` and position `i`: `o = Σ_{j ≤ i} p_j v_j`, `p = softmax_j(q · k_j / √S)`; each key/value head serves
//! `H / K` query heads. Only blocks of a few query rows against the keys exist at a time, never a T x T matrix; the backward
//! recomputes the probabilities from the log-sum-exp of each row (Dao et al. 2022, arXiv 2205.14135).

#![expect(unsafe_code, reason = "tasks write disjoint head columns of the same rows")]

mod cuda;

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::{Ints, View, ViewMut};
use crate::cpu::gemm::{Lhs, Panels, Rhs, Start, gemm_serial};
use crate::cpu::vector::{dot, exp, max, sum_by, vectorize};
use crate::device::{ComputeError, Device};

/// Query rows that are handled together: four register tiles.
const Q_BLOCK: usize = 48;

/// Head counts and size of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Query heads H.
    pub n: usize,
    /// Key/value heads K; divides H.
    pub n_kv: usize,
    /// Numbers per head S.
    pub size: usize,
}

impl Heads {
    /// Columns of a fused row of queries, keys and values: `(H + 2K) S`.
    pub fn qkv_cols(&self) -> usize {
        (self.n + 2 * self.n_kv) * self.size
    }

    /// Columns of the attention output: `H S`.
    pub fn out_cols(&self) -> usize {
        self.n * self.size
    }

    /// 1 / √S.
    pub(crate) fn scale(&self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }

    /// Query heads that share key/value head `kv`.
    pub(crate) fn group(&self, kv: usize) -> Range<usize> {
        let per = self.n / self.n_kv;
        kv * per..(kv + 1) * per
    }
}

/// Borders of the sequences in a packed batch.
#[derive(Debug)]
pub struct Sequences {
    cu_seqlens: Vec<u32>,
    /// The same on the device, for kernels.
    borders: Ints,
    tiles: Option<cuda::Tiles>,
}

impl Sequences {
    /// From cumulative lengths: sequence `i` is rows `cu_seqlens[i]..cu_seqlens[i + 1]`; the first is 0.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn new(device: &Device, cu_seqlens: &[u32]) -> Result<Self, ComputeError> {
        assert!(cu_seqlens.first() == Some(&0) && cu_seqlens.is_sorted(), "cu_seqlens must start at 0 and ascend");
        let mut ints = device.ints(cu_seqlens.len())?;
        ints.copy_from_host(cu_seqlens);
        let tiles = match device {
            Device::Cpu => None,
            Device::Cuda(_) => Some(cuda::Tiles::new(device, cu_seqlens)?),
        };
        Ok(Self { cu_seqlens: cu_seqlens.to_vec(), borders: ints, tiles })
    }

    /// Number of rows.
    pub fn n_tokens(&self) -> usize {
        self.cu_seqlens.last().map_or(0, |&last| last as usize)
    }

    fn tasks(&self, heads: Heads) -> Vec<(Range<usize>, usize)> {
        let sequences = self.cu_seqlens.windows(2).map(|w| w[0] as usize..w[1] as usize).filter(|rows| !rows.is_empty());
        sequences.flat_map(|rows| (0..heads.n_kv).map(move |kv| (rows.clone(), kv))).collect()
    }
}

/// A matrix that tasks write disjoint parts of.
#[derive(Clone, Copy)]
struct Parts {
    data: *mut f32,
    cols: usize,
}
// SAFETY: each task writes the rows of its sequence and the columns of its heads, which no other task touches.
unsafe impl Send for Parts {}
// SAFETY: as above.
unsafe impl Sync for Parts {}

impl Parts {
    fn new(view: &mut ViewMut<'_>) -> Self {
        let cols = view.cols();
        Self { data: view.slice().as_mut_ptr(), cols }
    }

    /// # Safety
    /// In bounds, and not borrowed elsewhere.
    #[expect(clippy::mut_from_ref, reason = "disjoint parts of one matrix")]
    unsafe fn at(&self, row: usize, col: usize, len: usize) -> &mut [f32] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(row * self.cols + col), len) }
    }
}

#[derive(Default)]
struct Scratch {
    k_t: Panels,
    v_t: Panels,
    k: Panels,
    v: Panels,
    q_block: Panels,
    dout_block: Panels,
    p: Vec<f32>,
    ds: Vec<f32>,
    out: Vec<f32>,
    dk: Vec<f32>,
    dv: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// out `[T, H S]` and log-sum-exp lse `[T, H]` from rotated qkv `[T, (H + 2K) S]`.
pub fn forward(device: &Device, mut out: ViewMut<'_>, mut lse: ViewMut<'_>, qkv: View<'_>, sequences: &Sequences, heads: Heads) {
    let n_tokens = sequences.n_tokens();
    assert_eq!((qkv.rows(), out.rows(), lse.rows()), (n_tokens, n_tokens, n_tokens), "attention::forward rows");
    assert_eq!((qkv.cols(), out.cols(), lse.cols()), (heads.qkv_cols(), heads.out_cols(), heads.n), "attention::forward columns");
    assert!(heads.n.is_multiple_of(heads.n_kv), "{heads:?}");
    match device {
        Device::Cpu => {
            let (out, lse, qkv) = (Parts::new(&mut out), Parts::new(&mut lse), qkv.slice());
            sequences.tasks(heads).into_par_iter().with_max_len(1).for_each(|(rows, kv)| {
                SCRATCH.with_borrow_mut(|scratch| forward_task(scratch, out, lse, qkv, rows, kv, heads));
            });
        }
        Device::Cuda(cuda) => cuda::forward(cuda, out.span(), lse.span(), qkv.span(), sequences, heads),
    }
}

fn forward_task(scratch: &mut Scratch, out: Parts, lse: Parts, qkv: &[f32], rows: Range<usize>, kv: usize, heads: Heads) {
    let (size, stride, len) = (heads.size, heads.qkv_cols(), rows.len());
    let base = &qkv[rows.start * stride..];
    scratch.k_t.repack(Rhs::Transposed { data: &base[(heads.n + kv) * size..], stride }, 0..size, 0..len);
    scratch.v.repack(Rhs::RowMajor { data: &base[(heads.n + heads.n_kv + kv) * size..], stride }, 0..len, 0..size);
    scratch.p.resize(Q_BLOCK * len, 0.0);
    scratch.out.resize(Q_BLOCK * size, 0.0);
    for head in heads.group(kv) {
        for start in (0..len).step_by(Q_BLOCK) {
            let end = (start + Q_BLOCK).min(len);
            let q = Lhs { data: &base[start * stride + head * size..], row: stride, col: 1 };
            gemm_serial(end - start, end, size, q, &scratch.k_t, &mut scratch.p, len, Start::Zero);
            let mut inv_sums = [0.0; Q_BLOCK];
            for i in start..end {
                let row = &mut scratch.p[(i - start) * len..][..end];
                let (largest, sum) = softmax_row(&mut row[..=i], heads.scale());
                row[i + 1..].fill(0.0);
                inv_sums[i - start] = 1.0 / sum;
                // SAFETY: row of this sequence, column of this group.
                unsafe { lse.at(rows.start + i, head, 1)[0] = largest + sum.ln() };
            }
            let p = Lhs { data: &scratch.p, row: len, col: 1 };
            gemm_serial(end - start, size, end, p, &scratch.v, &mut scratch.out, size, Start::Zero);
            for i in start..end {
                // SAFETY: as above.
                let target = unsafe { out.at(rows.start + i, head * size, size) };
                let inv_sum = inv_sums[i - start];
                target.iter_mut().zip(&scratch.out[(i - start) * size..]).for_each(|(y, x)| *y = x * inv_sum);
            }
        }
    }
}

vectorize! {
/// Turns raw products `q · k_j` into unnormalised probabilities; returns the largest scaled score and the sum.
pub(super) fn softmax_row(row: &mut [f32], scale: f32) -> (f32, f32) {
    let largest = max(row) * scale;
    row.iter_mut().for_each(|s| *s = exp(s.mul_add(scale, -largest)));
    (largest, sum_by(row.len(), |i| row[i]))
}
}

/// dqkv `[T, (H + 2K) S]` from dout `[T, H S]`; out, lse, qkv from the forward.
#[expect(clippy::too_many_arguments, reason = "the operation has this many operands")]
pub fn backward(
    device: &Device,
    mut dqkv: ViewMut<'_>,
    dout: View<'_>,
    out: View<'_>,
    lse: View<'_>,
    qkv: View<'_>,
    sequences: &Sequences,
    heads: Heads,
) {
    let n_tokens = sequences.n_tokens();
    assert_eq!((qkv.rows(), dqkv.rows(), dout.rows(), out.rows()), (n_tokens, n_tokens, n_tokens, n_tokens), "attention::backward rows");
    assert_eq!(
        (dqkv.cols(), dout.cols(), out.cols()),
        (heads.qkv_cols(), heads.out_cols(), heads.out_cols()),
        "attention::backward columns"
    );
    match device {
        Device::Cpu => {
            let dqkv = Parts::new(&mut dqkv);
            let saved = Saved { dout: dout.slice(), out: out.slice(), lse: lse.slice(), qkv: qkv.slice() };
            sequences.tasks(heads).into_par_iter().with_max_len(1).for_each(|(rows, kv)| {
                SCRATCH.with_borrow_mut(|scratch| backward_task(scratch, dqkv, saved, rows, kv, heads));
            });
        }
        Device::Cuda(cuda) => {
            let saved = cuda::Saved { dout: dout.span(), out: out.span(), lse: lse.span(), qkv: qkv.span() };
            cuda::backward(cuda, dqkv.span(), saved, sequences, heads);
        }
    }
}

#[derive(Clone, Copy)]
struct Saved<'a> {
    dout: &'a [f32],
    out: &'a [f32],
    lse: &'a [f32],
    qkv: &'a [f32],
}

fn backward_task(s: &mut Scratch, dqkv: Parts, saved: Saved<'_>, rows: Range<usize>, kv: usize, heads: Heads) {
    let (size, stride, out_stride, len) = (heads.size, heads.qkv_cols(), heads.out_cols(), rows.len());
    let base = &saved.qkv[rows.start * stride..];
    let (keys, values) = (&base[(heads.n + kv) * size..], &base[(heads.n + heads.n_kv + kv) * size..]);
    s.k_t.repack(Rhs::Transposed { data: keys, stride }, 0..size, 0..len);
    s.v_t.repack(Rhs::Transposed { data: values, stride }, 0..size, 0..len);
    s.k.repack(Rhs::RowMajor { data: keys, stride }, 0..len, 0..size);
    for scratch in [&mut s.p, &mut s.ds] {
        scratch.resize(Q_BLOCK * len, 0.0);
    }
    for gradient in [&mut s.dk, &mut s.dv] {
        gradient.clear();
        gradient.resize(len * size, 0.0);
    }
    s.out.resize(Q_BLOCK * size, 0.0);
    for head in heads.group(kv) {
        let (queries, dout) = (&base[head * size..], &saved.dout[rows.start * out_stride + head * size..]);
        for start in (0..len).step_by(Q_BLOCK) {
            let end = (start + Q_BLOCK).min(len);
            let n = end - start;
            gemm_serial(n, end, size, Lhs { data: &queries[start * stride..], row: stride, col: 1 }, &s.k_t, &mut s.p, len, Start::Zero);
            let dout_lhs = Lhs { data: &dout[start * out_stride..], row: out_stride, col: 1 };
            gemm_serial(n, end, size, dout_lhs, &s.v_t, &mut s.ds, len, Start::Zero);
            for i in start..end {
                let token = rows.start + i;
                let (dout, out) = (&dout[i * out_stride..][..size], &saved.out[token * out_stride + head * size..][..size]);
                let lse = saved.lse[token * heads.n + head];
                let at = (i - start) * len..(i - start) * len + end;
                probability_rows(&mut s.p[at.clone()], &mut s.ds[at], i + 1, lse, dout, out, heads.scale());
            }
            s.q_block.repack(Rhs::RowMajor { data: queries, stride }, start..end, 0..size);
            s.dout_block.repack(Rhs::RowMajor { data: dout, stride: out_stride }, start..end, 0..size);
            gemm_serial(n, size, end, Lhs { data: &s.ds, row: len, col: 1 }, &s.k, &mut s.out, size, Start::Zero);
            for i in start..end {
                // SAFETY: row of this sequence, query head of this group.
                unsafe { dqkv.at(rows.start + i, head * size, size) }.copy_from_slice(&s.out[(i - start) * size..][..size]);
            }
            gemm_serial(end, size, n, Lhs { data: &s.ds, row: 1, col: len }, &s.q_block, &mut s.dk, size, Start::Accumulate);
            gemm_serial(end, size, n, Lhs { data: &s.p, row: 1, col: len }, &s.dout_block, &mut s.dv, size, Start::Accumulate);
        }
    }
    for i in 0..len {
        let (k_col, v_col) = ((heads.n + kv) * size, (heads.n + heads.n_kv + kv) * size);
        // SAFETY: row of this sequence, key and value head of this task.
        unsafe {
            dqkv.at(rows.start + i, k_col, size).copy_from_slice(&s.dk[i * size..][..size]);
            dqkv.at(rows.start + i, v_col, size).copy_from_slice(&s.dv[i * size..][..size]);
        }
    }
}

vectorize! {
/// One query row: raw scores become probabilities `p`, products `dout · v_j` become `ds = p (dp − dout · out) / √S`.
fn probability_rows(p: &mut [f32], ds: &mut [f32], n_seen: usize, lse: f32, dout: &[f32], out: &[f32], scale: f32) {
    let delta = dot(dout, out);
    for (p, ds) in p[..n_seen].iter_mut().zip(&mut ds[..n_seen]) {
        *p = exp(p.mul_add(scale, -lse));
        *ds = *p * (*ds - delta) * scale;
    }
    p[n_seen..].fill(0.0);
    ds[n_seen..].fill(0.0);
}
}
