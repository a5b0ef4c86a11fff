//! The engine: what it samples depends on weights, prompt, key and sample index only, and agrees with the training forward.

mod parity;
mod stopping;
