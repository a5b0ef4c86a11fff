//! Reviewing the examples of a stage: a page on this machine that shows one at a time.
//!
//! ```text
//! RUN/STAGE/
//!   examples.jsonl   what is reviewed; never changed here
//!   review.json      the decisions, saved at each one
//!   .review.lock     held while somebody reviews
//! ```

mod desk;
mod filter;
mod pace;
mod render;
mod serve;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use desk::Desk;
pub(crate) use serve::{Server, serve};
