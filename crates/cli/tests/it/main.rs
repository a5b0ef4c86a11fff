//! The built program as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod browser;
mod commands;
mod grade;
mod graders;
mod hub;
mod interrupted;
mod review;
mod run;
mod training;
mod util;
