//! The built program as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod commands;
mod interrupted;
mod run;
mod training;
mod util;
