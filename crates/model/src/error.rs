//! What can go wrong with configurations, weights, tokenizers and templates.

use std::path::{Path, PathBuf};

/// Why a model could not be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A fault within one file.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The fault.
        source: Box<ModelError>,
    },
    /// The operating system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, such as `open` or `write`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A key of a configuration or metadata holds something else than it should.
    #[error("{key}: expected {expected}, found {found}")]
    Key {
        /// Name of the key, dotted when nested.
        key: String,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Valid, but beyond what Ruminate implements.
    #[error("{what} is not supported: expected {expected}, found {found}")]
    Unsupported {
        /// The feature, by the name that its file uses.
        what: String,
        /// What is implemented.
        expected: String,
        /// What the file asks for.
        found: String,
    },
    /// A container's own structure does not hold: truncated, overlapping, lying about its size.
    #[error("corrupt {format} file: {what}: expected {expected}, found {found}")]
    Corrupt {
        /// Container format.
        format: &'static str,
        /// Which part.
        what: String,
        /// What the structure demands.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A tensor that the configuration asks for is not in the checkpoint.
    #[error("tensor {name} is missing: expected shape {shape:?}, found no tensor of that name")]
    MissingTensor {
        /// Hugging Face name.
        name: String,
        /// Shape that the configuration implies.
        shape: Vec<usize>,
    },
    /// A tensor's shape differs from what the configuration implies.
    #[error("tensor {name}: expected shape {expected:?}, found {found:?}")]
    TensorShape {
        /// Hugging Face name.
        name: String,
        /// Shape that the configuration implies.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A buffer that a tensor is read into or written from has the wrong number of elements.
    #[error("tensor {name}: expected a buffer of {expected} elements, found {found}")]
    TensorLen {
        /// Hugging Face name.
        name: String,
        /// Elements of the tensor.
        expected: usize,
        /// Elements of the buffer.
        found: usize,
    },
    /// A tensor is stored in an element type that cannot be read.
    #[error("tensor {name}: expected one of {expected}, found type {found}")]
    TensorType {
        /// Name in the file.
        name: String,
        /// Readable types.
        expected: &'static str,
        /// Type in the file.
        found: String,
    },
    /// The tokenizer has a token that the model has no embedding for.
    #[error("tokenizer and model do not fit: expected token ids below {vocab}, found {token:?} with id {id}")]
    VocabMismatch {
        /// Rows of the model's embedding.
        vocab: usize,
        /// The token with the largest id.
        token: String,
        /// Its id.
        id: u32,
    },
    /// The tokenizer cannot be built or cannot encode or decode.
    #[error("tokenizer: {what}")]
    Tokenizer {
        /// The reason, with expected and found where there are such.
        what: String,
    },
    /// The device has no room for something, and which setting makes it smaller.
    #[error("{what} need {:.2} GiB: {source}; {advice}", *.bytes as f64 / f64::from(1 << 30))]
    NoRoom {
        /// What was to be there.
        what: String,
        /// Bytes of all of it.
        bytes: usize,
        /// Settings to change.
        advice: &'static str,
        /// The device's error.
        source: ruminate_compute::ComputeError,
    },
    /// The device could not do it.
    #[error(transparent)]
    Compute(#[from] ruminate_compute::ComputeError),
    /// A chat template that cannot be compiled or rendered.
    #[error("chat template: {what}")]
    Template {
        /// The template engine's reason, or the template's own `raise_exception` text.
        what: String,
    },
}

impl ModelError {
    /// This error as a fault of the file at `path`.
    #[must_use]
    pub fn at(self, path: &Path) -> Self {
        ModelError::File { path: path.to_owned(), source: Box::new(self) }
    }

    /// A device's error while room was made for something: where memory is short, it says for what and which setting lowers it.
    pub fn no_room(what: String, bytes: usize, advice: &'static str) -> impl FnOnce(ruminate_compute::ComputeError) -> Self {
        move |source| match source {
            ruminate_compute::ComputeError::OutOfMemory { .. } => Self::NoRoom { what, bytes, advice, source },
            source => Self::Compute(source),
        }
    }

    /// Wraps a failed system call on `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| ModelError::Io { action, source }.at(path)
    }

    pub(crate) fn key(key: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        ModelError::Key { key: key.into(), expected: expected.into(), found: found.into() }
    }

    pub(crate) fn unsupported(what: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        ModelError::Unsupported { what: what.into(), expected: expected.into(), found: found.into() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "used as a function from errors")]
    pub(crate) fn tokenizer(what: impl ToString) -> Self {
        ModelError::Tokenizer { what: what.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use ruminate_compute::ComputeError;

    use super::*;

    #[test]
    fn no_room_says_for_what_and_which_setting_lowers_it() {
        let short = ComputeError::OutOfMemory { device: "cuda", bytes: 1 << 20, rows: 1, cols: 1 << 18, room: None };
        let error = ModelError::no_room("activations of 512 tokens".into(), 3 << 30, "lower microbatch_tokens")(short).to_string();
        assert!(error.starts_with("activations of 512 tokens need 3.00 GiB: out of memory on cuda: 1048576 bytes"), "{error}");
        assert!(error.ends_with("; lower microbatch_tokens"), "{error}");
    }
}
