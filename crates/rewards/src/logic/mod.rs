//! Logic puzzles, checked by their rules: any answer that breaks none of them is right, however it is written.
//!
//! What a puzzle is stands in `ruminate_core`; the ways of writing an answer stand in `docs/concepts/logic.md`.

mod answer;
mod claims;
pub(crate) mod countdown;
mod formula;
pub(crate) mod knights;
pub(crate) mod sat;
pub(crate) mod sudoku;
pub(crate) mod zebra;

pub use countdown::reachable;
