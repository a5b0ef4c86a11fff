//! The CPU side of the operations: matrix products, vectorised loops.

pub(crate) mod gemm;
pub(crate) mod vector;
