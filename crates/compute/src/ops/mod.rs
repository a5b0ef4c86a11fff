//! The operations. Each module says what it computes; shapes are `[rows, cols]`.
//!
//! Legend: T tokens, D hidden, H query heads, K key/value heads, S head size, F feed-forward, V vocabulary, B batch.
//! Backward operations *add* to gradients of weights; gradients of activations are overwritten unless said otherwise.

pub mod adamw;
pub mod attention;
pub mod elementwise;
pub mod embedding;
pub mod head;
pub mod kv_cache;
pub mod linear;
pub mod qk_norm;
pub mod residual;
pub mod rms_norm;
pub mod rope;
pub mod sample;
pub mod swiglu;

/// Rows that one task handles at least, so that small batches are not cut into many tiny tasks.
pub(crate) fn min_rows(cols: usize) -> usize {
    (8192 / cols.max(1)).max(1)
}
