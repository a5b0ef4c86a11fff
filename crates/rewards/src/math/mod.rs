//! The maths verifier: is what a completion answers what the reference answers?

pub mod answer;
pub mod parse;
mod work;
