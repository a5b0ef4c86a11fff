//! Keys and values of running sequences, in pages that sequences can share, and attention of one new token over them.
//!
//! A page holds [`PAGE`] consecutive positions of one sequence for every layer. A sequence is a list of pages; samples of one
//! prompt share the pages that the prompt fills. (The idea of paging is from Kwon et al. 2023, arXiv 2309.06180.)

mod cuda;

use std::cell::RefCell;

use rayon::prelude::*;

use super::attention::{Heads, softmax_row};
use super::rope::{self, Direction};
use crate::buffer::{Buffer, Ints, View, ViewMut};
use crate::cpu::vector::vectorize;
use crate::device::{ComputeError, Device};

/// Positions per page.
pub const PAGE: usize = 16;

/// The pages of all layers.
///
/// On a GPU both are `[K][PAGE][S]`. On the CPU a page of keys is `[K][S][PAGE]`, so that the products with a query run over the positions of the page, and a
/// page of values is `[K][PAGE][S]`. Both keep the order of operations of [`super::attention::forward`]: the results are equal
/// to the bit.
#[derive(Debug)]
pub struct KvCache {
    keys: Buffer,
    values: Buffer,
    n_pages: usize,
    n_layers: usize,
    heads: Heads,
}

impl KvCache {
    /// An empty cache.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn new(device: &Device, n_layers: usize, n_pages: usize, heads: Heads) -> Result<Self, ComputeError> {
        let page = PAGE * heads.n_kv * heads.size;
        Ok(Self {
            keys: device.zeros(n_layers * n_pages, page)?,
            values: device.zeros(n_layers * n_pages, page)?,
            n_pages,
            n_layers,
            heads,
        })
    }

    /// Number of pages.
    pub fn n_pages(&self) -> usize {
        self.n_pages
    }

    fn page_len(&self) -> usize {
        PAGE * self.heads.n_kv * self.heads.size
    }
}

/// Bytes of the partial results of [`attend`] on a GPU, where a sequence of `max_pages` pages is the work of several blocks.
pub fn partial_bytes(rows: usize, max_pages: usize, heads: Heads) -> usize {
    let n_splits = cuda::max_splits(max_pages);
    if n_splits > 1 { 4 * rows * heads.n * n_splits * (heads.size + 2) } else { 0 }
}

/// Stores the keys and values of qkv `[T, (H + 2K) S]` in layer `layer`; row t goes to slot `slots[t] = page · PAGE + offset`.
pub fn append(device: &Device, cache: &mut KvCache, layer: usize, qkv: View<'_>, slots: &Ints) {
    let heads = cache.heads;
    assert_eq!(qkv.cols(), heads.qkv_cols(), "kv_cache::append");
    match device {
        Device::Cpu => {
            let (page_len, size) = (cache.page_len(), heads.size);
            let first = layer * cache.n_pages;
            let (mut keys, mut values) = (cache.keys.view_mut(), cache.values.view_mut());
            let (keys, values) = (keys.slice(), values.slice());
            for (row, &slot) in qkv.slice().chunks_exact(qkv.cols()).zip(slots.slice()) {
                let (page, offset) = (slot as usize / PAGE, slot as usize % PAGE);
                let at = (first + page) * page_len;
                let (k, v) = row[heads.n * size..].split_at(heads.n_kv * size);
                for head in 0..heads.n_kv {
                    let at = at + head * size * PAGE;
                    let key_column = keys[at..at + size * PAGE].iter_mut().skip(offset).step_by(PAGE);
                    key_column.zip(&k[head * size..]).for_each(|(y, x)| *y = *x);
                    values[at + offset * size..][..size].copy_from_slice(&v[head * size..][..size]);
                }
            }
        }
        Device::Cuda(cuda) => cuda::append(cuda, cache, layer, qkv, slots),
    }
}

/// [`super::rope::apply`] forward on qkv in place, then [`append`]: what a prefill does in every layer.
pub fn rotate_and_append(
    device: &Device,
    cache: &mut KvCache,
    layer: usize,
    mut qkv: ViewMut<'_>,
    table: View<'_>,
    positions: &Ints,
    slots: &Ints,
) {
    let heads = cache.heads;
    assert_eq!((qkv.cols(), table.cols()), (heads.qkv_cols(), heads.size), "kv_cache::rotate_and_append");
    match device {
        Device::Cpu => {
            rope::apply(device, qkv.reborrow(), table, positions, heads, Direction::Forward);
            append(device, cache, layer, qkv.as_view(), slots);
        }
        Device::Cuda(cuda) => cuda::rotate_and_append(cuda, cache, layer, qkv, table, positions, slots),
    }
}

/// Copies a page in every layer: before a sequence writes into a page that others share.
pub fn copy_page(device: &Device, cache: &mut KvCache, from: u32, to: u32) {
    match device {
        Device::Cpu => {
            let (len, n_layers, n_pages) = (cache.page_len(), cache.n_layers, cache.n_pages);
            for buffer in [&mut cache.keys, &mut cache.values] {
                let mut view = buffer.view_mut();
                let data = view.slice();
                for layer in 0..n_layers {
                    let at = |page: u32| (layer * n_pages + page as usize) * len;
                    data.copy_within(at(from)..at(from) + len, at(to));
                }
            }
        }
        Device::Cuda(cuda) => cuda::copy_page(cuda, cache, from, to),
    }
}

/// Where each row of a decode batch finds its pages.
#[derive(Clone, Copy, Debug)]
pub struct PageTable<'a> {
    /// `[B, max_pages]`, page numbers of each sequence in order.
    pub pages: &'a Ints,
    /// Width of a row of `pages`.
    pub max_pages: usize,
    /// `[B]`, positions to attend to, the new token included.
    pub lengths: &'a Ints,
}

/// What one decode step moves on, see [`advance`].
#[derive(Debug)]
pub struct Cursors<'a> {
    /// Position of the token decoded next, `[B]`.
    pub positions: &'a mut Ints,
    /// Its cache slot, `[B]`.
    pub slots: &'a mut Ints,
    /// Positions to attend to, itself included, `[B]`.
    pub lengths: &'a mut Ints,
    /// Number of the step.
    pub step: &'a mut Ints,
}

/// Moves the first `rows` sequences to their next position, found in `pages` `[B, max_pages]`; a sequence at position
/// `limit - 1` stays there.
pub fn advance(device: &Device, cursors: Cursors<'_>, pages: &Ints, max_pages: usize, rows: usize, limit: usize) {
    let limit = limit.min(max_pages * PAGE);
    match device {
        Device::Cpu => {
            let pages = pages.slice().chunks_exact(max_pages);
            let cursors = cursors.positions.slice_mut().iter_mut().zip(cursors.slots.slice_mut()).zip(cursors.lengths.slice_mut());
            for (((position, slot), length), pages) in cursors.zip(pages).take(rows) {
                let next = (*position as usize + 1).min(limit - 1);
                *position = next as u32;
                *length = next as u32 + 1;
                *slot = pages[next / PAGE] * PAGE as u32 + (next % PAGE) as u32;
            }
        }
        Device::Cuda(cuda) => cuda::advance(cuda, cursors, pages, [max_pages, rows, limit]),
    }
}

/// Columns of a value row that one job sums: two hardware vectors.
const PART: usize = 32;
/// Jobs summed together. Each sum is one chain of multiply-adds; this many vectors in flight hide its latency.
const JOBS: usize = 4;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Default)]
struct Scratch {
    scores: Vec<f32>, // [query heads of the task, pages * PAGE]
    inv_sums: Vec<f32>,
    jobs: Vec<Job>,
}

/// One part of one query head's output.
#[derive(Clone, Copy)]
struct Job {
    /// Query head within the task.
    query: usize,
    /// Where its value columns start within a page.
    values: usize,
    /// Where its output starts.
    out: usize,
}

/// One sequence's part of a layer.
#[derive(Clone, Copy)]
struct Paged<'a> {
    data: &'a [f32],
    pages: &'a [u32],
    first_page: usize,
    page_len: usize,
    length: usize,
}

impl<'a> Paged<'a> {
    #[inline(always)]
    fn page(&self, page: u32) -> &'a [f32] {
        &self.data[(self.first_page + page as usize) * self.page_len..][..self.page_len]
    }
}

/// A decode step of one layer: [`rotate_and_append`], then [`attend`], with what they need.
#[derive(Clone, Copy, Debug)]
pub struct Newest<'a> {
    /// Cosines and sines, `[positions, S]`.
    pub rope: View<'a>,
    /// Position of each row, `[B]`: the last of its length.
    pub positions: &'a Ints,
    /// Its slot, `[B]`: where its page table says.
    pub slots: &'a Ints,
    /// Where each row finds its pages.
    pub table: PageTable<'a>,
}

/// out `[B, H S]` from qkv `[B, (H + 2K) S]` as projected, which is used up.
pub fn append_and_attend(
    device: &Device,
    mut out: ViewMut<'_>,
    cache: &mut KvCache,
    layer: usize,
    mut qkv: ViewMut<'_>,
    newest: Newest<'_>,
) {
    let Newest { rope, positions, slots, table } = newest;
    let heads = cache.heads;
    assert_eq!((qkv.cols(), rope.cols()), (heads.qkv_cols(), heads.size), "kv_cache::append_and_attend");
    assert_eq!((out.rows(), out.cols()), (qkv.rows(), heads.out_cols()), "kv_cache::append_and_attend");
    match device {
        Device::Cuda(cuda) if cuda::appends(cuda, heads) => {
            cuda::attend(cuda, out.span(), qkv.as_view(), cache, layer, table, Some(rope.span()));
        }
        _ => {
            rotate_and_append(device, cache, layer, qkv.reborrow(), rope, positions, slots);
            attend(device, out, qkv.as_view(), cache, layer, table);
        }
    }
}

/// out `[B, H S]`: attention of one query row per sequence, qkv `[B, (H + 2K) S]`, over the pages of layer `layer`; the new
/// token's keys and values must have been appended.
pub fn attend(device: &Device, mut out: ViewMut<'_>, qkv: View<'_>, cache: &KvCache, layer: usize, table: PageTable<'_>) {
    let heads = cache.heads;
    assert_eq!((qkv.cols(), out.cols(), out.rows()), (heads.qkv_cols(), heads.out_cols(), qkv.rows()), "kv_cache::attend");
    match device {
        Device::Cpu => {
            let (keys, values) = (cache.keys.view().slice(), cache.values.view().slice());
            let (pages, lengths) = (table.pages.slice(), table.lengths.slice());
            let per_kv = heads.n / heads.n_kv;
            // Enough heads per task to fill the jobs, no more: a batch of one must keep all threads busy.
            let kv_per_task = JOBS.div_ceil(per_kv * heads.size.div_ceil(PART)).min(heads.n_kv);
            let (row_cols, task_cols) = (heads.out_cols(), kv_per_task * per_kv * heads.size);
            let rows = out.slice().par_chunks_mut(row_cols).zip(qkv.slice().par_chunks(heads.qkv_cols())).enumerate();
            rows.for_each(|(row, (out, qkv))| {
                let length = lengths[row] as usize;
                let pages = &pages[row * table.max_pages..][..length.div_ceil(PAGE)];
                let paged = |data| Paged { data, pages, first_page: layer * cache.n_pages, page_len: cache.page_len(), length };
                out.par_chunks_mut(task_cols).zip(qkv.par_chunks(task_cols)).enumerate().for_each(|(task, (out, queries))| {
                    let queries = &queries[..out.len()];
                    SCRATCH.with_borrow_mut(|scratch| {
                        attend_task(scratch, out, queries, paged(keys), paged(values), task * kv_per_task, heads);
                    });
                });
            });
        }
        Device::Cuda(cuda) => cuda::attend(cuda, out.span(), qkv, cache, layer, table, None),
    }
}

/// Some query heads of one sequence, the first of which belongs to key/value head `first_kv`.
fn attend_task(scratch: &mut Scratch, out: &mut [f32], queries: &[f32], keys: Paged<'_>, values: Paged<'_>, first_kv: usize, heads: Heads) {
    let (size, per_kv, padded) = (heads.size, heads.n / heads.n_kv, keys.pages.len() * PAGE);
    let Scratch { scores, inv_sums, jobs } = scratch;
    scores.resize(queries.len() / size * padded, 0.0);
    inv_sums.clear();
    jobs.clear();
    for (i, (query, scores)) in queries.chunks_exact(size).zip(scores.chunks_exact_mut(padded)).enumerate() {
        let at = (first_kv + i / per_kv) * size * PAGE;
        score_pages(scores, query, keys, at);
        let (_, sum) = softmax_row(&mut scores[..keys.length], heads.scale());
        inv_sums.push(1.0 / sum);
        jobs.extend((0..size).step_by(PART).map(|part| Job { query: i, values: at + part, out: i * size + part }));
    }
    let mut rest = jobs.as_slice();
    while let Some(job) = rest.first() {
        if job.out % size + PART > size {
            weigh_edge(out, scores, inv_sums[job.query], values, *job, size);
            rest = &rest[1..];
        } else {
            let n = rest.iter().take(JOBS).take_while(|job| job.out % size + PART <= size).count();
            rest = &rest[weigh_parts(out, scores, inv_sums, values, &rest[..n], size)..];
        }
    }
}

vectorize! {
/// `scores[j] = Σ_d query[d] keys[d][j]` for all positions; keys of this head start at `at` in each page.
fn score_pages(scores: &mut [f32], query: &[f32], keys: Paged<'_>, at: usize) {
    let (four, rest) = keys.pages.as_chunks::<4>();
    let (four_scores, rest_scores) = scores.split_at_mut(four.len() * 4 * PAGE);
    for (scores, pages) in four_scores.chunks_exact_mut(4 * PAGE).zip(four) {
        score(scores, query, pages.map(|page| &keys.page(page)[at..]));
    }
    for (scores, &page) in rest_scores.chunks_exact_mut(PAGE).zip(rest) {
        score(scores, query, [&keys.page(page)[at..]]);
    }
}
}

#[inline(always)]
fn score<const N: usize>(scores: &mut [f32], query: &[f32], keys: [&[f32]; N]) {
    let keys = keys.map(|keys| &keys.as_chunks::<PAGE>().0[..query.len()]);
    let mut sums = [[0.0_f32; PAGE]; N];
    for (d, &q) in query.iter().enumerate() {
        for (sums, keys) in sums.iter_mut().zip(&keys) {
            sums.iter_mut().zip(&keys[d]).for_each(|(sum, &k)| *sum = q.mul_add(k, *sum));
        }
    }
    scores.as_chunks_mut::<PAGE>().0.iter_mut().zip(sums).for_each(|(scores, sums)| *scores = sums);
}

vectorize! {
/// `out = Σ_j p[j] v[j] / Σ p` for up to [`JOBS`] jobs of whole parts; returns how many were done.
fn weigh_parts(out: &mut [f32], scores: &[f32], inv_sums: &[f32], values: Paged<'_>, jobs: &[Job], size: usize) -> usize {
    match jobs {
        &[a, b, c, d, ..] => weigh(out, scores, inv_sums, values, [a, b, c, d], size),
        &[a, b, ..] => weigh(out, scores, inv_sums, values, [a, b], size),
        &[a] => weigh(out, scores, inv_sums, values, [a], size),
        [] => 0,
    }
}
}

#[inline(always)]
fn weigh<const N: usize>(out: &mut [f32], scores: &[f32], inv_sums: &[f32], values: Paged<'_>, jobs: [Job; N], size: usize) -> usize {
    let padded = values.pages.len() * PAGE;
    let mut sums = [[0.0_f32; PART]; N];
    for (i, &page) in values.pages.iter().enumerate() {
        let n = PAGE.min(values.length - i * PAGE);
        let data = values.page(page);
        let p = jobs.map(|job| &scores[job.query * padded + i * PAGE..][..n]);
        let v = jobs.map(|job| &data[job.values..]);
        for j in 0..n {
            for ((sums, p), v) in sums.iter_mut().zip(&p).zip(&v) {
                let row: &[f32] = &v[j * size..][..PART];
                let p = p[j];
                sums.iter_mut().zip(row).for_each(|(sum, &v)| *sum = p.mul_add(v, *sum));
            }
        }
    }
    for (job, sums) in jobs.iter().zip(sums) {
        let inv_sum = inv_sums[job.query];
        out[job.out..][..PART].iter_mut().zip(sums).for_each(|(y, sum)| *y = sum * inv_sum);
    }
    N
}

vectorize! {
/// The last columns of a head whose size is no multiple of [`PART`].
fn weigh_edge(out: &mut [f32], scores: &[f32], inv_sum: f32, values: Paged<'_>, job: Job, size: usize) {
    let scores = &scores[job.query * values.pages.len() * PAGE..];
    let out = &mut out[job.out..job.out + size - job.out % size];
    let mut sums = [0.0_f32; PART];
    for (p, &page) in scores[..values.length].chunks(PAGE).zip(values.pages) {
        let data = &values.page(page)[job.values..];
        for (&p, row) in p.iter().zip(data.chunks(size)) {
            sums.iter_mut().zip(&row[..out.len()]).for_each(|(sum, &v)| *sum = p.mul_add(v, *sum));
        }
    }
    out.iter_mut().zip(sums).for_each(|(y, sum)| *y = sum * inv_sum);
}
}
