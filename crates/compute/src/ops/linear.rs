//! Linear layers: `y = x Wᵀ + b`, with weights `[out, in]` as checkpoints store them.

use rayon::prelude::*;

use super::elementwise;
use crate::buffer::{View, ViewMut};
use crate::cpu::gemm::{Lhs, Panels, Rhs, Start, gemm};
use crate::cpu::vector::vectorize;
use crate::cuda::matmul::{Operand, Product};
use crate::cuda::memory::Span;
use crate::cuda::{Kernel, ROWS, kernels, sum_bytes, width};
use crate::device::Device;

kernels!(SOURCE = "linear", ["linear.cu"]);

/// Whether a result replaces or adds to what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// `y = …`.
    Replace,
    /// `y += …`: how residual connections are joined.
    Add,
}

impl Write {
    /// What sums begin with.
    fn start(self) -> Start<'static> {
        match self {
            Self::Replace => Start::Zero,
            Self::Add => Start::Accumulate,
        }
    }
}

/// A weight matrix `[N, K]` ready for products: as it lies in the flat buffer, or repacked for the many products of a
/// decode loop. It borrows the policy's weights, so that it cannot outlive an optimizer step.
#[derive(Debug)]
pub struct Weight<'a> {
    view: View<'a>,
    panels: Option<Panels>,
}

impl<'a> Weight<'a> {
    /// The matrix as it is.
    pub fn new(view: View<'a>) -> Self {
        Self { view, panels: None }
    }

    /// The matrix in the layout that small batches read fastest. On the CPU this is a copy of the same size.
    pub fn prepared(device: &Device, view: View<'a>) -> Self {
        match device {
            Device::Cpu => {
                let panels = Panels::pack(Rhs::Transposed { data: view.slice(), stride: view.cols() }, view.cols(), view.rows());
                Self { view, panels: Some(panels) }
            }
            Device::Cuda(_) => Self::new(view),
        }
    }

    /// The matrix as it lies in memory.
    pub fn view(&self) -> View<'a> {
        self.view
    }

    /// The right-hand side `[K, N - first]` that starts at output `first`.
    pub(crate) fn rhs(&self, first: usize) -> Rhs<'_> {
        match &self.panels {
            Some(panels) => Rhs::Packed { panels, first },
            None => Rhs::Transposed { data: &self.view.slice()[first * self.view.cols()..], stride: self.view.cols() },
        }
    }
}

/// y `[M, N]` = x `[M, K]` · wᵀ (+ bias `[1, N]`). With [`Write::Add`] the product is added to y; a bias is then not allowed.
pub fn forward(device: &Device, mut y: ViewMut<'_>, x: View<'_>, w: &Weight<'_>, bias: Option<View<'_>>, write: Write) {
    let (m, k, n) = (x.rows(), x.cols(), w.view.rows());
    assert_eq!((y.rows(), y.cols(), w.view.cols()), (m, n, k), "linear::forward");
    match device {
        Device::Cpu => {
            let start = match (write, &bias) {
                (Write::Replace, None) => Start::Zero,
                (Write::Replace, Some(bias)) => Start::Row(bias.slice()),
                (Write::Add, None) => Start::Accumulate,
                (Write::Add, Some(_)) => panic!("linear::forward: a bias cannot be added to a residual"),
            };
            gemm(m, n, k, Lhs { data: x.slice(), row: k, col: 1 }, w.rhs(0), y.slice(), start);
        }
        Device::Cuda(cuda) => {
            assert!(write == Write::Replace || bias.is_none(), "linear::forward: a bias cannot be added to a residual");
            let d = y.span();
            let addend = (write == Write::Add).then_some(d);
            cuda.multiply_rows(Product { addend, bias: bias.map(|bias| bias.span()), ..product(d, x, w) });
        }
    }
}

/// y `[M, N]` = residual `[M, N]` + x `[M, K]` · wᵀ: how a residual connection goes on in another buffer.
pub fn forward_onto(device: &Device, mut y: ViewMut<'_>, x: View<'_>, w: &Weight<'_>, residual: View<'_>) {
    match device {
        Device::Cpu => {
            elementwise::copy(device, y.reborrow(), residual);
            forward(device, y, x, w, None, Write::Add);
        }
        Device::Cuda(cuda) => {
            let (m, n) = (x.rows(), w.view.rows());
            assert_eq!((y.rows(), y.cols(), residual.rows(), residual.cols()), (m, n, m, n), "linear::forward_onto");
            cuda.multiply_rows(Product { addend: Some(residual.span()), ..product(y.span(), x, w) });
        }
    }
}

/// d `[M, N]` = x `[M, K]` · wᵀ on a GPU.
fn product<'a>(d: Span<'a>, x: View<'a>, w: &'a Weight<'_>) -> Product<'a> {
    let (m, k, n) = (x.rows(), x.cols(), w.view.rows());
    let a = Operand { span: x.span(), stride: k, transposed: false };
    let b = Operand { span: w.view.span(), stride: k, transposed: true };
    Product { m, n, k, a, b, d, addend: None, bias: None }
}

/// dx `[M, K]` = dy `[M, N]` · w `[N, K]`.
pub fn backward_input(device: &Device, mut dx: ViewMut<'_>, dy: View<'_>, w: View<'_>, write: Write) {
    let (m, n, k) = (dy.rows(), dy.cols(), w.cols());
    assert_eq!((dx.rows(), dx.cols(), w.rows()), (m, k, n), "linear::backward_input");
    match device {
        Device::Cpu => {
            let rhs = Rhs::RowMajor { data: w.slice(), stride: k };
            gemm(m, k, n, Lhs { data: dy.slice(), row: n, col: 1 }, rhs, dx.slice(), write.start());
        }
        Device::Cuda(cuda) => {
            let a = Operand { span: dy.span(), stride: n, transposed: false };
            let b = Operand { span: w.span(), stride: k, transposed: false };
            let d = dx.span();
            cuda.multiply(Product { m, n: k, k: n, a, b, d, addend: (write == Write::Add).then_some(d), bias: None });
        }
    }
}

/// dw `[N, K]` = dyᵀ · x (replaced or added to), over dy `[M, N]`, x `[M, K]`.
pub fn backward_weight(device: &Device, mut dw: ViewMut<'_>, dy: View<'_>, x: View<'_>, write: Write) {
    let (m, n, k) = (dy.rows(), dy.cols(), x.cols());
    assert_eq!((dw.rows(), dw.cols(), x.rows()), (n, k, m), "linear::backward_weight");
    match device {
        Device::Cpu => {
            let rhs = Rhs::RowMajor { data: x.slice(), stride: k };
            gemm(n, k, m, Lhs { data: dy.slice(), row: 1, col: n }, rhs, dw.slice(), write.start());
        }
        Device::Cuda(cuda) => {
            let a = Operand { span: dy.span(), stride: n, transposed: true };
            let b = Operand { span: x.span(), stride: k, transposed: false };
            let d = dw.span();
            cuda.multiply(Product { m: n, n: k, k: m, a, b, d, addend: (write == Write::Add).then_some(d), bias: None });
        }
    }
}

/// Bytes of partial sums of [`backward_bias`] on a GPU.
pub fn partial_bytes(rows: usize, cols: usize) -> usize {
    sum_bytes(rows, cols)
}

/// db `[1, N]` += Σ over rows of dy `[M, N]`.
pub fn backward_bias(device: &Device, mut db: ViewMut<'_>, dy: View<'_>) {
    let n = dy.cols();
    assert_eq!(db.cols(), n, "linear::backward_bias");
    match device {
        Device::Cpu => {
            let dy = dy.slice();
            db.slice().par_chunks_mut(64).enumerate().for_each(|(part, db)| {
                add_rows(db, dy, n, part * 64);
            });
        }
        Device::Cuda(cuda) => {
            let (rows, dy) = (dy.rows(), dy.span());
            let wide = width(n, &[dy]);
            let kernel = Kernel::wide(&SOURCE, dy.dtype, ["bias_8", "bias_1"], wide);
            cuda.sum_columns(db.span(), kernel, wide, rows, &[dy.into(), rows.into(), n.into(), ROWS.into()]);
        }
    }
}

vectorize! {
/// Adds `db.len()` columns from `start` of all rows.
fn add_rows(db: &mut [f32], dy: &[f32], n: usize, start: usize) {
    for row in dy.chunks_exact(n) {
        db.iter_mut().zip(&row[start..]).for_each(|(db, dy)| *db += dy);
    }
}
}
