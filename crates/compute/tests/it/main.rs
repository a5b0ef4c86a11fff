//! Conformance of every operation, on every device: forward and backward against a slow f64 reference written from the
//! formulas, the reference's gradients against finite differences, and the promises that hold to the bit (a row does not
//! depend on its batch nor on the number of threads; decoding equals prefill; sampling equals the training forward).

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod adamw;
mod attention;
mod cases;
mod device;
mod elementwise;
mod embedding;
mod head;
mod kv_cache;
mod linear;
mod qk_norm;
mod reference;
mod residual;
mod rms_norm;
mod rope;
mod sample;
mod swiglu;
