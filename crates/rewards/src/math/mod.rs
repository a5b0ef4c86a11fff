//! The maths verifier: is what a completion answers what the reference answers?

pub mod answer;
mod work;
