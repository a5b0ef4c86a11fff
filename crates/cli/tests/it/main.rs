//! The built program as a user runs it.

mod commands;
mod run;
mod util;
