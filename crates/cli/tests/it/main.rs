//! The built program as a user runs it.

mod commands;
mod run;
mod train;
mod training;
mod util;
