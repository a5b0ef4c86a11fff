//! Decoder-only transformers: what they look like, their weights on disk, their tokenizers and chat templates.

mod chat;
mod checkpoint;
mod config;
mod error;
mod tokenizer;

pub use chat::ChatTemplate;
pub use checkpoint::{Checkpoint, SaveDtype, save_checkpoint};
pub use config::{Architecture, ModelConfig, RopeScaling, TensorSpec};
pub use error::ModelError;
pub use tokenizer::{Tokenizer, tiny_tokenizer};
