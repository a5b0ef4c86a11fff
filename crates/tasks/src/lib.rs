//! Where problems come from: JSONL files, the built-in synthetic world; the choice of what to learn from among the responses to them; and
//! the statistics of how well they are solved.

pub mod curate;
pub mod difficulty;
mod error;
mod source;
pub mod statistics;
pub mod synthetic;

pub use error::TaskError;
pub use source::{ProblemForm, load_jsonl};
