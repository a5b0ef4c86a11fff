//! The engine: what it samples depends on weights, prompt, key and sample index only, and agrees with the training forward.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod parity;
mod stopping;
