//! Token embedding: `out[t] = table[tokens[t]]`; backward `dtable[tokens[t]] += dout[t]`.

use rayon::prelude::*;

use super::{elementwise, min_rows};
use crate::buffer::{Ints, View, ViewMut};
use crate::cuda::memory::Dtype;
use crate::cuda::{Arg, Kernel, kernels};
use crate::device::Device;

kernels!(SOURCE = "embedding", ["embedding.cu"]);

/// out `[T, D]`, table `[V, D]`, the first T of `tokens`.
pub fn forward(device: &Device, out: ViewMut<'_>, table: View<'_>, tokens: &Ints) {
    elementwise::gather_rows(device, out, table, tokens);
}

/// Adds to dtable `[V, D]`; dout `[T, D]`. Equal tokens are added in order of position.
pub fn backward(device: &Device, mut dtable: ViewMut<'_>, dout: View<'_>, tokens: &Ints) {
    let cols = dout.cols();
    assert_eq!(dtable.cols(), cols, "embedding::backward");
    match device {
        Device::Cpu => {
            let tokens = &tokens.slice()[..dout.rows()];
            let mut order: Vec<u32> = (0..tokens.len() as u32).collect();
            order.sort_by_key(|&t| tokens[t as usize]);
            // One group of positions per distinct token: groups write different rows, so they may run in parallel.
            let groups: Vec<&[u32]> = order.chunk_by(|&a, &b| tokens[a as usize] == tokens[b as usize]).collect();
            let mut rows: Vec<(&mut [f32], &[u32])> = Vec::with_capacity(groups.len());
            let mut rest = dtable.slice();
            let mut next_row = 0;
            for group in groups {
                let row = tokens[group[0] as usize] as usize;
                let (_, tail) = rest.split_at_mut((row - next_row) * cols);
                let (target, tail) = tail.split_at_mut(cols);
                rows.push((target, group));
                (rest, next_row) = (tail, row + 1);
            }
            let dout = dout.slice();
            rows.into_par_iter().with_min_len(min_rows(cols)).for_each(|(target, group)| {
                for &t in group {
                    target.iter_mut().zip(&dout[t as usize * cols..][..cols]).for_each(|(y, x)| *y += x);
                }
            });
        }
        Device::Cuda(cuda) => {
            let (rows, dtable, dout) = (dout.rows(), dtable.span(), dout.span());
            assert_eq!(dtable.dtype, Dtype::F32, "embedding::backward: gradients of weights are f32");
            let kernel = Kernel::new(&SOURCE, dout.dtype, "embedding_backward");
            let args = [dtable.into(), dout.into(), Arg::Ptr(tokens.ptr(rows)), rows.into(), cols.into()];
            cuda.launch(kernel, (rows as u32, 1, 1), 128, 0, &args);
        }
    }
}
