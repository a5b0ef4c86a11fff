//! Errors of this crate.

use std::path::PathBuf;

use ruminate_rewards::GoldError;

/// Why problems could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A Parquet file cannot be read; Snappy and zstd are the compressions that are known.
    #[error("{}: {what}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Which row, and what the reader said.
        what: String,
    },
    /// The file holds no problem.
    #[error("{} holds no problem, expected one in each row", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is not a JSON object.
    #[error("{}:{line}: expected a JSON object", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// No known form fits the fields of the first line.
    #[error("{}:{line}: no known problem form has the fields [{}]; name the question and answer fields", path.display(), found.join(", "))]
    UnknownForm {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// Fields found.
        found: Vec<String>,
    },
    /// A field is missing or of another type.
    #[error("{}:{line}: expected field '{field}' with {expected}, found {found}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The field.
        field: String,
        /// What it should hold.
        expected: &'static str,
        /// What it holds, shortened.
        found: String,
    },
    /// A gold answer cannot be used.
    #[error("{}:{line}: {source}", path.display())]
    Gold {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        source: Box<GoldError>,
    },
    /// Two problems of one file have the same id.
    #[error("{}:{line}: id '{id}' is used before, on line {first}", path.display())]
    DuplicateId {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The id.
        id: String,
        /// Line of its first use, from 1.
        first: usize,
    },
    /// The synthetic world has no such difficulty.
    #[error("{kind} has difficulties 1 to {max}, found {found}")]
    Difficulty {
        /// The kind of problem.
        kind: &'static str,
        /// Its hardest difficulty.
        max: u32,
        /// What was asked for.
        found: u32,
    },
    /// What is asked for exists for general requests only.
    #[error("expected a kind of general requests, found {kind}")]
    NotGeneral {
        /// The kind of problem.
        kind: &'static str,
    },
    /// What is asked for exists for problems with a checkable answer only.
    #[error("expected a kind of problems with a checkable answer, found {kind}")]
    NotReasoning {
        /// The kind of problem.
        kind: &'static str,
    },
}
