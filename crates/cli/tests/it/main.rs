//! The built program as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod browser;
mod collect;
mod commands;
mod grade;
mod graders;
mod hub;
mod interrupted;
mod report;
mod report_page;
mod review;
mod reward_model;
mod rl;
mod run;
mod sft;
mod training;
mod util;
