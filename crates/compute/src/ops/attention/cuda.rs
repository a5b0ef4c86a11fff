//! Attention on a GPU: with tensor cores for bf16 and head sizes 64 and 128, else by kernels for any size up to [`MAX_SIZE`].

use super::{Heads, Sequences};
use crate::buffer::Ints;
use crate::cuda::memory::{Dtype, Span};
use crate::cuda::{Arg, CudaDevice, Kernel, Source, blocks};
use crate::device::{ComputeError, Device};

static ANY: Source = Source::of("attention", concat!(include_str!("../attention.cuh"), include_str!("../attention.cu")));
static FLASH: Source = Source::of(
    "attention_flash",
    concat!(include_str!("../../cuda/mma.cuh"), include_str!("../softening.cuh"), include_str!("../attention_flash.cu")),
);
static FLASH_BACKWARD: Source =
    Source::of("attention_flash_backward", concat!(include_str!("../../cuda/mma.cuh"), include_str!("../attention_flash_backward.cu")));

/// Largest head size of the kernels for any size.
const MAX_SIZE: usize = 256;

/// Rows of a block of the backward, and keys of a step of the forward.
const TILE: usize = 64;

/// Work of the tensor-core kernels: `(first row, start of its sequence, end of its sequence)` of every tile, those with the most
/// work first, so that the last blocks to finish are short ones.
#[derive(Debug)]
pub(super) struct Tiles {
    ints: Ints,
    /// Where the lists begin, in tiles: query tiles of 128 rows, query tiles of 64, key tiles of 64, end.
    borders: [usize; 4],
}

impl Tiles {
    pub(super) fn new(device: &Device, cu_seqlens: &[u32]) -> Result<Self, ComputeError> {
        let cut = |size: usize| {
            let of_sequence = move |w: &[u32]| (w[0]..w[1]).step_by(size).map(|first| [first, w[0], w[1]]).collect::<Vec<_>>();
            cu_seqlens.windows(2).flat_map(of_sequence).collect::<Vec<[u32; 3]>>()
        };
        let mut lists = [cut(2 * TILE), cut(TILE), cut(TILE)];
        lists[0].sort_by_key(|&[first, start, _]| std::cmp::Reverse(first - start));
        lists[1].sort_by_key(|&[first, start, _]| std::cmp::Reverse(first - start));
        lists[2].sort_by_key(|&[first, _, end]| std::cmp::Reverse(end - first));
        let ends = [lists[0].len(), lists[0].len() + lists[1].len(), lists.iter().map(Vec::len).sum()];
        let flat = lists.concat().concat();
        let mut ints = device.ints(flat.len())?;
        ints.copy_from_host(&flat);
        Ok(Self { ints, borders: [0, ends[0], ends[1], ends[2]] })
    }

    /// Address and number of the tiles of a list.
    fn list(&self, which: usize) -> (Arg<'_>, u32) {
        let (first, end) = (self.borders[which], self.borders[which + 1]);
        (Arg::Ptr(self.ints.ptr(3 * end) + 12 * first as u64), (end - first) as u32)
    }
}

/// What the backward reads.
#[derive(Clone, Copy)]
pub(super) struct Saved<'a> {
    pub dout: Span<'a>,
    pub out: Span<'a>,
    pub lse: Span<'a>,
    pub qkv: Span<'a>,
}

/// The tiles, where the kernels with tensor cores can be used.
fn tiles<'a>(sequences: &'a Sequences, qkv: Span<'_>, heads: Heads) -> Option<&'a Tiles> {
    let fits = qkv.dtype == Dtype::Bf16 && matches!(heads.size, 64 | 128) && qkv.ptr.is_multiple_of(16);
    sequences.tiles.as_ref().filter(|_| fits)
}

/// Borders and sizes, as the kernels for any size take them.
fn sizes(sequences: &Sequences, heads: Heads) -> [Arg<'_>; 7] {
    let n = sequences.cu_seqlens.len();
    assert!(heads.size <= MAX_SIZE, "attention: heads of {} columns, at most {MAX_SIZE}", heads.size);
    let borders = Arg::Ptr(sequences.borders.ptr(n));
    [borders, (n - 1).into(), sequences.n_tokens().into(), heads.n.into(), heads.n_kv.into(), heads.size.into(), heads.scale().into()]
}

pub(super) fn forward(cuda: &CudaDevice, out: Span<'_>, lse: Span<'_>, qkv: Span<'_>, sequences: &Sequences, heads: Heads) {
    if let Some(tiles) = tiles(sequences, qkv, heads) {
        let query_rows = if heads.size == 64 { 2 * TILE } else { TILE };
        let (list, n_tiles) = tiles.list(usize::from(query_rows == TILE));
        let kernel = Kernel::new(&FLASH, qkv.dtype, "flash_forward").with([heads.size, 0]);
        let args = [out.into(), lse.into(), qkv.into(), list, heads.n.into(), heads.n_kv.into(), heads.scale().into()];
        // The queries, and keys and values twice.
        let shared = (query_rows + 4 * TILE) * heads.size * qkv.dtype.bytes();
        cuda.launch(kernel, (heads.n as u32, n_tiles, 1), 128, shared as u32, &args);
        return;
    }
    let kernel = Kernel::new(&ANY, qkv.dtype, "forward_any");
    let args = [&[out.into(), lse.into(), qkv.into()], &sizes(sequences, heads)[..]].concat();
    cuda.launch(kernel, (blocks(sequences.n_tokens() * heads.n, 4), 1, 1), 128, 0, &args);
}

pub(super) fn backward(cuda: &CudaDevice, dqkv: Span<'_>, saved: Saved<'_>, sequences: &Sequences, heads: Heads) {
    let items = sequences.n_tokens() * heads.n;
    let Saved { dout, out, lse, qkv } = saved;
    cuda.with_scratch(4 * items, |delta| {
        let delta = Arg::Ptr(delta);
        let kernel = Kernel::new(&ANY, qkv.dtype, "backward_delta");
        cuda.launch(kernel, (blocks(items, 8), 1, 1), 256, 0, &[delta, dout.into(), out.into(), items.into(), heads.size.into()]);
        let inputs = [dqkv.into(), dout.into(), delta, lse.into(), qkv.into()];
        if let Some(tiles) = tiles(sequences, qkv, heads) {
            for (name, n, which) in [("flash_backward_key", heads.n_kv, 2), ("flash_backward_query", heads.n, 1)] {
                let (list, n_tiles) = tiles.list(which);
                let kernel = Kernel::new(&FLASH_BACKWARD, qkv.dtype, name).with([heads.size, 0]);
                let args = [&inputs[..], &[list, heads.n.into(), heads.n_kv.into(), heads.scale().into()]].concat();
                // Two tiles that stay, and two that change twice.
                let shared = 6 * TILE * heads.size * qkv.dtype.bytes();
                cuda.launch(kernel, (n as u32, n_tiles, 1), 128, shared as u32, &args);
            }
            return;
        }
        let args = [&inputs[..], &sizes(sequences, heads)[..]].concat();
        for (name, n) in [("backward_query_any", heads.n), ("backward_key_any", heads.n_kv)] {
            let kernel = Kernel::new(&ANY, qkv.dtype, name);
            cuda.launch(kernel, (blocks(sequences.n_tokens() * n, 4), 1, 1), 128, 0, &args);
        }
    });
}
