//! Whole models against golden numbers of transformers; how they were made stands in `tests/golden/README.md`.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod golden;
mod reward;
mod runs;
mod smollm2;
