//! Decoder-only transformers: what they look like, their weights on disk, their tokenizers and chat templates.

mod config;
mod error;

pub use config::{Architecture, ModelConfig, RopeScaling, TensorSpec};
pub use error::ModelError;
