//! On a GPU every row is drawn by one block from its logits, without a sort: truncation searches the place in the order of
//! logits at which enough probability, or enough tokens, lie above.

use super::SampleParams;
use crate::buffer::{Ints, View};
use crate::cuda::{Arg, CudaDevice, Kernel, kernels};
use crate::ops::head::HeadScratch;
use crate::ops::head::cuda::{THREADS, logits_of};

kernels!(SOURCE = "sample", ["../softmax.cuh", "../sample.cu"]);

/// [`SampleParams`] as the kernel reads them.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Row {
    uniform: f64,
    temperature: f32,
    top_p: f32,
    min_p: f32,
    top_k: u32,
}

/// Words of a row's parameters.
pub(super) const WORDS: usize = size_of::<Row>() / 4;

/// The parameters as words.
pub(super) fn words(params: &[SampleParams]) -> Vec<u32> {
    let row = |p: &SampleParams| Row { uniform: p.uniform, temperature: p.temperature, top_p: p.top_p, min_p: p.min_p, top_k: p.top_k };
    bytemuck::cast_slice(&params.iter().map(row).collect::<Vec<_>>()).to_vec()
}

/// Where a draw reads and writes, as addresses on the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub tokens: u64,
    pub logprobs: u64,
    pub params: u64,
    /// Random numbers `[steps, stride]` and the number of the step, or 0: then they stand in the parameters.
    pub uniforms: u64,
    pub step: u64,
    /// Tokens and log-probabilities of all steps, `[steps, stride]`, or 0.
    pub all_tokens: u64,
    pub all_logprobs: u64,
    pub stride: usize,
}

/// Draws for each row of hidden.
pub(super) fn draw(cuda: &CudaDevice, head: &mut HeadScratch, places: Places, hidden: View<'_>, w: View<'_>) {
    let (vocab, at_once) = (w.rows(), head.logits.rows());
    for start in (0..hidden.rows()).step_by(at_once) {
        let rows = start..(start + at_once).min(hidden.rows());
        let n = rows.len() as u32;
        let logits = logits_of(cuda, head, hidden.rows_range(rows), w);
        let at = |base: u64, size: usize| Arg::Ptr(if base == 0 { 0 } else { base + (start * size) as u64 });
        let args = [
            at(places.tokens, 4),
            at(places.logprobs, 4),
            at(places.all_tokens, 4),
            at(places.all_logprobs, 4),
            logits.into(),
            at(places.params, 4 * WORDS),
            at(places.uniforms, 8),
            Arg::Ptr(places.step),
            places.stride.into(),
            vocab.into(),
        ];
        cuda.launch(Kernel::new(&SOURCE, cuda.dtype(), "sample").early(), (n, 1, 1), THREADS, 0, &args);
    }
}

/// Makes room for the parameters of `n` rows.
pub(super) fn reserve(rows: &mut Option<Ints>, cuda: &CudaDevice, n: usize) {
    if rows.as_ref().is_none_or(|rows| rows.len() < n * WORDS) {
        match Ints::zeros_cuda(cuda, n * WORDS) {
            Ok(ints) => *rows = Some(ints),
            Err(error) => cuda.keep(Err(error)),
        }
    }
}
