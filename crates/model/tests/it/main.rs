//! Whole models against golden numbers of transformers; how they were made stands in `tests/golden/README.md`.

mod golden;
mod smollm2;
