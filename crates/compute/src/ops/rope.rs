//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in the half-split layout of Hugging Face checkpoints:
//! numbers `i` and `i + S/2` of a head are rotated by `position · frequency[i]`.

use rayon::prelude::*;

use super::attention::Heads;
use super::min_rows;
use crate::buffer::{Ints, View, ViewMut};
use crate::cpu::vector::vectorize;
use crate::cuda::{Arg, Kernel, blocks, kernels, width};
use crate::device::Device;

kernels!(SOURCE = "rope", ["rope.cu"]);

/// Which way to rotate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// By the position's angle.
    Forward,
    /// Back: the gradient of a rotation is the inverse rotation (times the same scale).
    Backward,
}

/// Rotates the query and key heads of qkv `[T, (H + 2K) S]` in place. `table` `[max_positions, S]` holds, for each position,
/// S/2 cosines then S/2 sines (scaled, where the model scales them); `positions` holds T row indices into it.
pub fn apply(device: &Device, mut qkv: ViewMut<'_>, table: View<'_>, positions: &Ints, heads: Heads, direction: Direction) {
    let (cols, size) = (heads.qkv_cols(), heads.size);
    assert_eq!((qkv.cols(), table.cols()), (cols, size), "rope::apply");
    match device {
        Device::Cpu => {
            let positions = &positions.slice()[..qkv.rows()];
            let table = table.slice();
            qkv.slice().par_chunks_mut(cols).zip(positions).with_min_len(min_rows(cols)).for_each(|(row, &position)| {
                let (cos, sin) = table[position as usize * size..][..size].split_at(size / 2);
                let sign = if direction == Direction::Forward { 1.0 } else { -1.0 };
                rotate(&mut row[..(heads.n + heads.n_kv) * size], cos, sin, sign);
            });
        }
        Device::Cuda(cuda) => {
            let (rows, n_rotated) = (qkv.rows(), heads.n + heads.n_kv);
            let (qkv, table, positions) = (qkv.span(), table.span(), Arg::Ptr(positions.ptr(rows)));
            let wide = width(size / 2, &[qkv, table]);
            let sign = if direction == Direction::Forward { 1.0 } else { -1.0 };
            let kernel = Kernel::wide(&SOURCE, qkv.dtype, ["rope_8", "rope_1"], wide);
            let sizes = [rows, n_rotated, n_rotated + heads.n_kv, size].map(Into::into);
            let args = [&[qkv.into(), table.into(), positions], &sizes[..], &[Arg::Float(sign)]].concat();
            cuda.launch(kernel, (blocks(rows * n_rotated * (size / 2 / wide), 256), 1, 1), 256, 0, &args);
        }
    }
}

vectorize! {
fn rotate(heads: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) {
    for head in heads.chunks_exact_mut(2 * cos.len()) {
        let (first, second) = head.split_at_mut(cos.len());
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            let sin = sign * sin;
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}
}
