//! Attention on a GPU: with tensor cores for bf16 and head sizes 64 and 128, else by kernels for any size up to [`MAX_SIZE`].

use super::{Heads, Sequences};
use crate::buffer::Ints;
use crate::cuda::memory::{Dtype, Span};
use crate::cuda::wgmma::{Lies, instruction};
use crate::cuda::{Arg, CudaDevice, Kernel, blocks, kernels};
use crate::device::{ComputeError, Device};

kernels!(ANY = "attention", ["../attention.cuh", "../attention.cu"]);
kernels!(
    FLASH = "attention_flash",
    ["../../cuda/mma.cuh", "../softening.cuh", "../attention_flash.cu"], for [Bf16], with [[64, 0], [128, 0]]
);
kernels!(
    FLASH_BACKWARD = "attention_flash_backward",
    ["../../cuda/mma.cuh", "../attention_flash_backward.cu"], for [Bf16], with [[64, 0], [128, 0]]
);
kernels!(
    WGMMA = "attention_wgmma",
    ["../../cuda/mma.cuh", "../../cuda/wgmma.cuh", "../attention_wgmma.cu"] after instructions, for [Bf16], with [[64, 0], [128, 0]], on [90]
);

/// The instructions of `attention_wgmma.cu`, for its constants.
fn instructions([size, _]: [usize; 2]) -> String {
    [
        instruction("wgmma_keys", 128, Lies::InRegisters, Lies::Across),
        instruction("wgmma_rows", 64, Lies::InRegisters, Lies::Across),
        instruction("wgmma_tile", 64, Lies::Across, Lies::Across),
        instruction("wgmma_sums", size, Lies::InRegisters, Lies::Down),
    ]
    .concat()
}

/// Largest head size of the kernels for any size.
const MAX_SIZE: usize = 256;

/// Rows of a block of the backward, and keys of a step of the forward.
const TILE: usize = 64;

/// Work of the tensor-core kernels: `(first row, start of its sequence, end of its sequence)` of every tile, those with the most
/// work first, so that the last blocks to finish are short ones.
#[derive(Debug)]
pub(super) struct Tiles {
    ints: Ints,
    /// Where the lists begin, in tiles: queries and keys in tiles of 128 rows, then in tiles of 64; and their end.
    borders: [usize; 5],
}

impl Tiles {
    pub(super) fn new(device: &Device, cu_seqlens: &[u32]) -> Result<Self, ComputeError> {
        let cut = |size: usize| {
            let of_sequence = move |w: &[u32]| (w[0]..w[1]).step_by(size).map(|first| [first, w[0], w[1]]).collect::<Vec<_>>();
            cu_seqlens.windows(2).flat_map(of_sequence).collect::<Vec<[u32; 3]>>()
        };
        let mut lists = [cut(2 * TILE), cut(2 * TILE), cut(TILE), cut(TILE)];
        let mut borders = [0; 5];
        for (i, list) in lists.iter_mut().enumerate() {
            let is_keys = i % 2 == 1;
            list.sort_by_key(|&[first, start, end]| std::cmp::Reverse(if is_keys { end - first } else { first - start }));
            borders[i + 1] = borders[i] + list.len();
        }
        let flat = lists.concat().concat();
        let mut ints = device.ints(flat.len())?;
        ints.copy_from_host(&flat);
        Ok(Self { ints, borders })
    }

    /// Address and number of the tiles of queries, or of keys, of `rows` rows.
    fn list(&self, rows: usize, is_keys: bool) -> (Arg<'_>, u32) {
        let which = 2 * usize::from(rows == TILE) + usize::from(is_keys);
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
        if uses_wgmma(cuda) {
            return cuda.keep(forward_wgmma(cuda, [out, lse, qkv], sequences.n_tokens(), tiles, heads));
        }
        let query_rows = if heads.size == 64 { 2 * TILE } else { TILE };
        let (list, n_tiles) = tiles.list(query_rows, false);
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
            if uses_wgmma(cuda) {
                return cuda.keep(backward_wgmma(cuda, dqkv, delta, saved, sequences.n_tokens(), tiles, heads));
            }
            for (name, n, is_keys) in [("flash_backward_key", heads.n_kv, true), ("flash_backward_query", heads.n, false)] {
                let (list, n_tiles) = tiles.list(TILE, is_keys);
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

/// In another order of additions than `attention_flash.cu`, which decoding on deterministic devices follows.
fn uses_wgmma(cuda: &CudaDevice) -> bool {
    cuda.has_wgmma() && !cuda.is_deterministic()
}

/// Threads of a block of `attention_wgmma.cu`.
const WGMMA_THREADS: u32 = 384;

/// Shared memory of a block that keeps `own` tiles of 128 rows, with a ring of as many stages as the kernels have; tiles are aligned
/// to 1,024 bytes.
fn wgmma_shared(own: usize, stage_rows: usize, size: usize) -> u32 {
    let n_stages = if size == 64 { 4 } else { 2 };
    ((own * 2 * TILE + n_stages * 2 * stage_rows) * size * Dtype::Bf16.bytes() + 1024) as u32
}

fn forward_wgmma(
    cuda: &CudaDevice,
    [out, lse, qkv]: [Span<'_>; 3],
    n_tokens: usize,
    tiles: &Tiles,
    heads: Heads,
) -> Result<(), ComputeError> {
    let (list, n_tiles) = tiles.list(2 * TILE, false);
    if n_tiles == 0 {
        return Ok(());
    }
    let map = cuda.tensor_map(qkv, [n_tokens, heads.qkv_cols()], 2 * TILE)?;
    let kernel = Kernel::new(&WGMMA, qkv.dtype, "flash_forward").with([heads.size, 0]);
    let n_items = heads.n * n_tiles as usize;
    let args = [Arg::Map(&map), out.into(), lse.into(), list, n_items.into(), heads.n.into(), heads.n_kv.into(), heads.scale().into()];
    let grid = n_items.min(cuda.n_processors()) as u32;
    cuda.launch(kernel, (grid, 1, 1), WGMMA_THREADS, wgmma_shared(1, 2 * TILE, heads.size), &args);
    Ok(())
}

fn backward_wgmma(
    cuda: &CudaDevice,
    dqkv: Span<'_>,
    delta: Arg<'_>,
    saved: Saved<'_>,
    n_tokens: usize,
    tiles: &Tiles,
    heads: Heads,
) -> Result<(), ComputeError> {
    let Saved { dout, lse, qkv, .. } = saved;
    if n_tokens == 0 {
        return Ok(());
    }
    let rows = cuda.tensor_map(qkv, [n_tokens, heads.qkv_cols()], 2 * TILE)?;
    let steps = cuda.tensor_map(qkv, [n_tokens, heads.qkv_cols()], TILE)?;
    for (name, n, is_keys) in [("flash_backward_key", heads.n_kv, true), ("flash_backward_query", heads.n, false)] {
        let grads = cuda.tensor_map(dout, [n_tokens, heads.out_cols()], if is_keys { TILE } else { 2 * TILE })?;
        let (list, n_tiles) = tiles.list(2 * TILE, is_keys);
        let kernel = Kernel::new(&WGMMA, qkv.dtype, name).with([heads.size, 0]);
        let maps = [&rows, &steps, &grads].map(Arg::Map);
        let rest = [dqkv.into(), delta, lse.into(), list, heads.n.into(), heads.n_kv.into(), heads.scale().into()];
        let args = [&maps[..], &rest].concat();
        cuda.launch(kernel, (n as u32 * n_tiles, 1, 1), WGMMA_THREADS, wgmma_shared(2, TILE, heads.size), &args);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_fit_the_shared_memory_of_a_processor() {
        // 227 KiB, of which the kernels declare less than 4.
        let most = [(1, 2 * TILE), (2, TILE)].map(|(own, rows)| [64, 128].map(|size| wgmma_shared(own, rows, size)));
        assert!(most.as_flattened().iter().all(|&bytes| bytes <= 223 << 10), "{most:?}");
    }

    #[test]
    fn tiles_cover_every_sequence_and_the_longest_work_comes_first() {
        let tiles = Tiles::new(&Device::Cpu, &[0, 300, 300, 301, 429]).unwrap();
        assert_eq!(tiles.borders, [0, 5, 10, 18, 26]);
        let ints = tiles.ints.slice();
        let list = |which: usize| ints[3 * tiles.borders[which]..3 * tiles.borders[which + 1]].as_chunks::<3>().0.to_vec();
        assert_eq!(list(0), [[256, 0, 300], [128, 0, 300], [0, 0, 300], [300, 300, 301], [301, 301, 429]], "queries see what lies before");
        assert_eq!(list(1), [[0, 0, 300], [128, 0, 300], [301, 301, 429], [256, 0, 300], [300, 300, 301]], "keys are seen from behind");
    }
}
