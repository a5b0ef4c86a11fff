//! Sampling: continuous batching over a paged key/value cache.

mod engine;
mod pages;
mod request;
mod stop;

pub use engine::{Engine, EngineLimits, Event, GenerateStats};
pub use request::{Request, RolloutError, SamplingParams};
