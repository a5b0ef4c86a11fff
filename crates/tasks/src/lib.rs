//! Where problems come from: files, the built-in synthetic world; the choice of what to learn from among the responses to them; and
//! the statistics of how well they are solved.

pub mod curate;
pub mod difficulty;
mod error;
mod rows;
mod source;
pub mod statistics;
pub mod synthetic;

pub use error::TaskError;
pub use rows::{Row, read_rows};
pub use source::{ProblemForm, load_problems};
