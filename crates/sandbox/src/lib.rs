//! Runs programs that nobody trusts: written by a model, judged by a grader, on the machine that trains.
//!
//! A [`Sandbox`] is a pool. A [`Slot`] builds a [`Source`] to a [`Program`] and runs it; a running [`Process`] can talk to us over a
//! channel that only it has. Which [`Layers`] hold depends on the machine; below a minimum the sandbox does not start.
//!
//! What runs in the sandbox sees its toolchain, its own files, and nothing else: no other process, no network, no environment of ours,
//! and never an expected output.

mod archive;
mod cgroup;
mod doctor;
mod error;
mod java;
mod language;
mod launcher;
mod layers;
mod limits;
mod pool;
mod process;
mod recipes;
mod run;
mod sys;
mod toolchain;
mod wire;

pub use doctor::{AttackReport, Report, ToolchainReport, doctor};
pub use error::{BuildError, ChannelError, MissingToolchain, SandboxError};
pub use language::{Language, UnknownLanguage};
pub use launcher::serve_launcher;
pub use layers::{Layer, LayerReport, LayerStatus, Layers, UnknownLayer};
pub use limits::Limits;
pub use pool::{Sandbox, SandboxConfig, Slot};
pub use process::Process;
pub use run::{Ending, Finished, Launch, Program, Source, SourceFile};
pub use toolchain::Toolchain;
