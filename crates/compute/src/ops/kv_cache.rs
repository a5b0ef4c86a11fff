//! Keys and values of running sequences, in pages that sequences can share, and attention of one new token over them.
//!
//! A page holds [`PAGE`] consecutive positions of one sequence for every layer. A sequence is a list of pages; samples of one
//! prompt share the pages that the prompt fills. (The idea of paging is from Kwon et al. 2023, arXiv 2309.06180.)

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::attention::{Heads, softmax_row};
use crate::buffer::{Buffer, Ints, View, ViewMut};
use crate::cpu::vector::vectorize;
use crate::device::{ComputeError, Device};

/// Positions per page.
pub const PAGE: usize = 16;

/// The pages of all layers.
///
/// On the CPU a page of keys is `[K][S][PAGE]`, so that the products with a query run over the positions of the page, and a
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

thread_local! {
    static SCORES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
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
            let first_page = layer * cache.n_pages;
            let group_cols = heads.size * (heads.n / heads.n_kv);
            out.slice().par_chunks_mut(group_cols).enumerate().for_each(|(task, out)| {
                let (row, kv) = (task / heads.n_kv, task % heads.n_kv);
                let length = lengths[row] as usize;
                let pages = &pages[row * table.max_pages..][..length.div_ceil(PAGE)];
                let page_at = |page: u32| (first_page + page as usize) * cache.page_len() + kv * heads.size * PAGE;
                let queries = &qkv.slice()[row * heads.qkv_cols() + kv * group_cols..][..group_cols];
                SCORES.with_borrow_mut(|scores| {
                    scores.resize(pages.len() * PAGE, 0.0);
                    for (query, out) in queries.chunks_exact(heads.size).zip(out.chunks_exact_mut(heads.size)) {
                        for (scores, &page) in scores.chunks_exact_mut(PAGE).zip(pages) {
                            score_page(scores, query, &keys[page_at(page)..]);
                        }
                        let (_, sum) = softmax_row(&mut scores[..length], heads.scale());
                        let inv_sum = 1.0 / sum;
                        weigh_values(out, &scores[..length], pages, values, page_at(0)..page_at(1), inv_sum);
                    }
                });
            });
        }
    }
}

vectorize! {
/// `scores[j] = Σ_d query[d] keys[d][j]` for the positions of one page.
fn score_page(scores: &mut [f32], query: &[f32], keys: &[f32]) {
    let mut sums = [0.0_f32; PAGE];
    for (&q, keys) in query.iter().zip(keys.as_chunks::<PAGE>().0) {
        for (sum, &k) in sums.iter_mut().zip(keys) {
            *sum = q.mul_add(k, *sum);
        }
    }
    scores.copy_from_slice(&sums);
}
}

vectorize! {
/// `out = inv_sum Σ_j p[j] v[j]`, 32 columns at a time to keep several chains in flight; `first_page` is
/// the range of page 0 in `values`.
fn weigh_values(out: &mut [f32], p: &[f32], pages: &[u32], values: &[f32], first_page: Range<usize>, inv_sum: f32) {
    let size = out.len();
    for (part, out) in out.chunks_mut(32).enumerate() {
        let mut sums = [0.0_f32; 32];
        for (p, &page) in p.chunks(PAGE).zip(pages) {
            let values = &values[first_page.start + page as usize * first_page.len()..];
            for (j, &p) in p.iter().enumerate() {
                let row = &values[j * size + part * 32..][..out.len()];
                if let Some(row) = row.first_chunk::<32>() {
                    sums.iter_mut().zip(row).for_each(|(sum, &v)| *sum = p.mul_add(v, *sum));
                } else {
                    sums.iter_mut().zip(row).for_each(|(sum, &v)| *sum = p.mul_add(v, *sum));
                }
            }
        }
        out.iter_mut().zip(sums).for_each(|(y, sum)| *y = sum * inv_sum);
    }
}
}
