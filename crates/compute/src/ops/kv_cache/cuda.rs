//! The cache on a GPU.

use super::{Cursors, KvCache, PAGE, PageTable, partial_bytes};
use crate::buffer::{Ints, View, ViewMut};
use crate::cuda::memory::{Dtype, Span};
use crate::cuda::{Arg, CudaDevice, Kernel, blocks, kernels, width};
use crate::ops::attention::Heads;

/// `[head size, query heads of a key head]` that kernels are compiled for.
#[cfg(test)]
const SIZES: [[usize; 2]; 2] = [[64, 7], [128, 1]];

kernels!(ANY = "kv_cache", ["../attention.cuh", "../kv_cache.cu"]);
kernels!(ATTEND = "kv_attend", ["../kv_attend.cu"], for [F32, Bf16], with super::SIZES);
kernels!(ATTEND_MMA = "kv_attend_mma", ["../../cuda/mma.cuh", "../kv_attend_mma.cu"], for [Bf16], with super::SIZES);
kernels!(
    ATTEND_ORDERED = "kv_attend_ordered",
    ["../../cuda/mma.cuh", "../softening.cuh", "../kv_attend_ordered.cu"], for [Bf16], with super::SIZES
);

/// Positions of a sequence for each block that attends to it at most.
const SPLIT: usize = 256;

impl KvCache {
    /// Keys and values of one layer.
    fn layer(&self, layer: usize) -> (Span<'_>, Span<'_>) {
        let len = self.n_pages * self.page_len();
        (self.keys.view().span().part(layer * len, len), self.values.view().span().part(layer * len, len))
    }
}

pub(super) fn append(cuda: &CudaDevice, cache: &mut KvCache, layer: usize, qkv: View<'_>, slots: &Ints) {
    let (rows, heads, qkv) = (qkv.rows(), cache.heads, qkv.span());
    let (keys, values) = cache.layer(layer);
    let wide = width(heads.size, &[keys, values, qkv]);
    let kernel = Kernel::wide(&ANY, qkv.dtype, ["append_8", "append_1"], wide);
    let sizes = [rows, heads.n, heads.n_kv, heads.size].map(Into::into);
    let args = [&[keys.into(), values.into(), qkv.into(), Arg::Ptr(slots.ptr(rows))], &sizes[..]].concat();
    cuda.launch(kernel, (blocks(rows * heads.n_kv * heads.size / wide, 128), 1, 1), 128, 0, &args);
}

pub(super) fn rotate_and_append(
    cuda: &CudaDevice,
    cache: &mut KvCache,
    layer: usize,
    mut qkv: ViewMut<'_>,
    table: View<'_>,
    positions: &Ints,
    slots: &Ints,
) {
    let (rows, heads, qkv, table) = (qkv.rows(), cache.heads, qkv.span(), table.span());
    let (keys, values) = cache.layer(layer);
    let wide = width(heads.size / 2, &[keys, values, qkv, table]);
    let kernel = Kernel::wide(&ANY, qkv.dtype, ["rotate_append_8", "rotate_append_1"], wide).early();
    let sizes = [rows, heads.n, heads.n_kv, heads.size].map(Into::into);
    let pointers = [qkv.into(), keys.into(), values.into(), table.into(), Arg::Ptr(positions.ptr(rows)), Arg::Ptr(slots.ptr(rows))];
    let n_items = rows * (heads.n + 2 * heads.n_kv) * (heads.size / 2 / wide);
    cuda.launch(kernel, (blocks(n_items, 128), 1, 1), 128, 0, &[&pointers[..], &sizes].concat());
}

pub(super) fn copy_page(cuda: &CudaDevice, cache: &mut KvCache, from: u32, to: u32) {
    let (len, keys, values) = (cache.page_len(), cache.keys.view().span(), cache.values.view().span());
    let args = [keys.into(), values.into(), Arg::Int(from as i32), Arg::Int(to as i32), cache.n_pages.into(), len.into()];
    cuda.launch(Kernel::new(&ANY, keys.dtype, "copy_page"), (blocks(len, 256), cache.n_layers as u32, 1), 256, 0, &args);
}

pub(super) fn advance(cuda: &CudaDevice, cursors: Cursors<'_>, pages: &Ints, [max_pages, rows, limit]: [usize; 3]) {
    let Cursors { positions, slots, lengths, step } = cursors;
    let pointers = [positions.ptr(rows), slots.ptr(rows), lengths.ptr(rows), step.ptr(1), pages.ptr(rows * max_pages)].map(Arg::Ptr);
    let args = [&pointers[..], &[rows.into(), max_pages.into(), limit.into()]].concat();
    cuda.launch(Kernel::new(&ANY, cuda.dtype(), "advance").early(), (blocks(rows, 256), 1, 1), 256, 0, &args);
}

/// Blocks that a sequence of so many pages is the work of at most.
pub(super) fn max_splits(max_pages: usize) -> usize {
    (max_pages * PAGE).div_ceil(SPLIT)
}

/// Blocks that each of so many pairs of a sequence and a key head is the work of, and their positions: one block, where that keeps all
/// processors busy, since it reads without a break and leaves nothing to add up.
fn split(cuda: &CudaDevice, n_pairs: usize, max_pages: usize) -> (usize, usize) {
    // Three blocks a processor.
    let wanted = (3 * cuda.n_processors()).div_ceil(n_pairs).min(max_splits(max_pages));
    let positions = max_pages.div_ceil(wanted) * PAGE;
    ((max_pages * PAGE).div_ceil(positions), positions)
}

/// Warps of each block: as many as let all blocks run at once. A processor has registers for 16 warps of heads of 64, and 12 of 128.
fn warps(cuda: &CudaDevice, n_blocks: usize, size: usize) -> u32 {
    // Three warps of heads of 64 make the kernel faster and the step slower.
    let (at_once, choices): (_, &[usize]) = if size == 64 { (16, &[4]) } else { (12, &[4, 3]) };
    choices.iter().find(|&warps| n_blocks <= cuda.n_processors() * (at_once / warps)).map_or(2, |&warps| warps as u32)
}

/// Whether there are kernels of its own for these heads.
fn is_fast(heads: Heads) -> bool {
    matches!(heads.size, 64 | 128) && heads.n / heads.n_kv <= 8
}

/// Whether the kernel of [`attend`] can rotate and append on its way.
pub(super) fn appends(cuda: &CudaDevice, heads: Heads) -> bool {
    cuda.dtype() == Dtype::Bf16 && is_fast(heads) && !cuda.is_deterministic()
}

/// With `rope` the last position is rotated and appended first, see [`appends`].
pub(super) fn attend(
    cuda: &CudaDevice,
    out: Span<'_>,
    qkv: View<'_>,
    cache: &KvCache,
    layer: usize,
    table: PageTable<'_>,
    rope: Option<Span<'_>>,
) {
    if qkv.rows() == 0 {
        return;
    }
    let (rows, heads, qkv) = (qkv.rows(), cache.heads, qkv.span());
    let (keys, values) = cache.layer(layer);
    let (pages, lengths) = (Arg::Ptr(table.pages.ptr(rows * table.max_pages)), Arg::Ptr(table.lengths.ptr(rows)));
    if cuda.is_deterministic() && qkv.dtype == Dtype::Bf16 && matches!(heads.size, 64 | 128) {
        let group = heads.n / heads.n_kv;
        let kernel = Kernel::new(&ATTEND_ORDERED, qkv.dtype, "attend_ordered").with([heads.size, group]).early();
        let inputs = [out.into(), qkv.into(), keys.into(), values.into(), pages, lengths];
        let args = [&inputs[..], &[heads.n_kv.into(), table.max_pages.into(), heads.scale().into()]].concat();
        // Queries of 16 heads, and tiles of 64 keys and values twice.
        let shared = (16 + 4 * 64) * heads.size * qkv.dtype.bytes();
        cuda.launch(kernel, (rows as u32, heads.n_kv as u32, group.div_ceil(16) as u32), 128, shared as u32, &args);
        return;
    }
    // In training and prefill, too, these go through the kernels for any size.
    if cuda.is_deterministic() || !is_fast(heads) {
        let sizes = [rows, heads.n, heads.n_kv, heads.size, table.max_pages].map(Into::into);
        let args = [&[out.into(), qkv.into(), keys.into(), values.into(), pages, lengths], &sizes[..], &[heads.scale().into()]].concat();
        cuda.launch(Kernel::new(&ANY, qkv.dtype, "attend_any"), (blocks(rows * heads.n, 4), 1, 1), 128, 0, &args);
        return;
    }
    let (n_splits, positions) = split(cuda, rows * heads.n_kv, table.max_pages);
    let consts = [heads.size, heads.n / heads.n_kv];
    cuda.with_scratch(partial_bytes(rows, table.max_pages, heads), |partial| {
        let partial = Arg::Ptr(partial);
        let is_bf16 = qkv.dtype == Dtype::Bf16;
        let mut args = vec![out.into(), partial, qkv.into(), keys.into(), values.into()];
        if is_bf16 {
            args.push(rope.into());
        }
        args.extend([pages, lengths, heads.n_kv.into(), table.max_pages.into(), positions.into(), heads.scale().into()]);
        let (source, n_warps) = if is_bf16 { (&ATTEND_MMA, warps(cuda, rows * heads.n_kv * n_splits, heads.size)) } else { (&ATTEND, 4) };
        let kernel = Kernel::new(source, qkv.dtype, "attend").with(consts).early();
        cuda.launch(kernel, (rows as u32, heads.n_kv as u32, n_splits as u32), 32 * n_warps, 0, &args);
        if n_splits > 1 {
            let kernel = Kernel::new(&ATTEND, qkv.dtype, "attend_merge").with(consts).early();
            let args = [out.into(), partial, lengths, heads.n.into(), n_splits.into(), positions.into()];
            cuda.launch(kernel, (rows as u32, heads.n as u32, 1), heads.size as u32, 0, &args);
        }
    });
}
