//! Decoder-only transformers: what they look like, their weights on disk, their tokenizers and chat templates.

mod block;
mod chat;
mod checkpoint;
mod config;
pub mod decoder;
mod error;
pub mod flops;
mod memory;
mod parameters;
mod policy;
mod reward;
mod rope;
mod tokenizer;
pub mod training;

pub use chat::ChatTemplate;
pub use checkpoint::{Checkpoint, SaveDtype, TensorSource, save_checkpoint};
pub use config::{Architecture, ModelConfig, RopeScaling, TensorSpec};
pub use error::ModelError;
pub use memory::Memory;
pub use parameters::Weights;
pub use policy::{Policy, context};
pub use reward::{Reads, RewardHead, RewardInfo, RewardModel};
pub use tokenizer::{Tokenizer, tiny_tokenizer};
