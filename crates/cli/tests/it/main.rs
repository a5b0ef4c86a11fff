//! The built program as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod commands;
mod grade;
mod graders;
mod interrupted;
mod reward_model;
mod run;
mod training;
mod util;
