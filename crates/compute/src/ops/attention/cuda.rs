//! Attention on a GPU.

use super::{Heads, Sequences};
use crate::cuda::memory::Span;
use crate::cuda::{Arg, CudaDevice, Kernel, Source, blocks};

static ANY: Source = Source { name: "attention", text: concat!(include_str!("../attention.cuh"), include_str!("../attention.cu")) };

/// Largest head size of the kernels for any size.
pub(in crate::ops) const MAX_SIZE: usize = 256;

/// What the backward reads.
#[derive(Clone, Copy)]
pub(super) struct Saved<'a> {
    pub dout: Span<'a>,
    pub out: Span<'a>,
    pub lse: Span<'a>,
    pub qkv: Span<'a>,
}

/// Borders and sizes, as the kernels take them.
fn sizes(sequences: &Sequences, heads: Heads) -> [Arg; 7] {
    let n = sequences.cu_seqlens.len();
    assert!(heads.size <= MAX_SIZE, "attention: heads of {} columns, at most {MAX_SIZE}", heads.size);
    let borders = Arg::Ptr(sequences.borders.ptr(n));
    [borders, (n - 1).into(), sequences.n_tokens().into(), heads.n.into(), heads.n_kv.into(), heads.size.into(), heads.scale().into()]
}

pub(super) fn forward(cuda: &CudaDevice, out: Span<'_>, lse: Span<'_>, qkv: Span<'_>, sequences: &Sequences, heads: Heads) {
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
        let args = [&[dqkv.into(), dout.into(), delta, lse.into(), qkv.into()], &sizes(sequences, heads)[..]].concat();
        for (name, n) in [("backward_query_any", heads.n), ("backward_key_any", heads.n_kv)] {
            let kernel = Kernel::new(&ANY, qkv.dtype, name);
            cuda.launch(kernel, (blocks(sequences.n_tokens() * n, 4), 1, 1), 128, 0, &args);
        }
    });
}
