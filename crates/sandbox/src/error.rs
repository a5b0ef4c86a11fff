//! What can go wrong outside of programs.

use crate::language::Language;
use crate::layers::Layer;
use crate::run::Finished;

/// The sandbox itself cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A job has rights that it must not have.
    #[error("the sandbox's own check failed: expected a job without capabilities that cannot gain rights, found {found}; nothing is run")]
    NotIsolated {
        /// How the check ended.
        found: String,
    },
    /// Layers that are part of the minimum are missing and were not accepted by name.
    #[error(
        "the sandbox is below its minimum on this machine:{}\naccept what may be missing by name, or run where it is there",
        list(missing)
    )]
    BelowMinimum {
        /// Each missing layer and why.
        missing: Vec<(Layer, String)>,
    },
    /// A layer was waived that nothing else can stand in for.
    #[error("the layer {layer} cannot be done without: {}", layer.open_without())]
    CannotWaive {
        /// The layer.
        layer: Layer,
    },
    /// The launcher did not start, or died.
    #[error("launcher {command}: {message}")]
    Launcher {
        /// Its command.
        command: String,
        /// What happened.
        message: String,
    },
    /// A job could not be isolated as asked, so it was not run.
    #[error("cannot isolate a job: {step}: {message}")]
    Setup {
        /// What failed.
        step: String,
        /// Why.
        message: String,
    },
    /// Limits or paths that make no sense.
    #[error("{0}")]
    Invalid(String),
    /// A system call of the pool failed.
    #[error("sandbox: {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

fn list(missing: &[(Layer, String)]) -> String {
    missing.iter().map(|(layer, reason)| format!("\n  {layer}: {reason}; stays open: {}", layer.open_without())).collect()
}

/// The machine has no toolchain for a language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no toolchain for {language}: {found}; install {install}")]
pub struct MissingToolchain {
    /// The language.
    pub language: Language,
    /// What was looked for and what was found.
    pub found: String,
    /// What to install.
    pub install: &'static str,
}

/// A program could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The machine has no toolchain for the language.
    #[error(transparent)]
    MissingToolchain(#[from] MissingToolchain),
    /// The compiler refused the program, or went over its limits. Its output says more.
    #[error("the program does not compile: {}", .0.ending)]
    Compile(Box<Finished>),
    /// The sandbox failed, not the program.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// The channel to a program cannot be used (any more).
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The program has ended, was stopped at a limit, or has closed its end.
    #[error("the program has ended or has closed its channel")]
    Ended,
    /// Nothing came within the time that was given.
    #[error("no answer within {seconds} s")]
    Late {
        /// The time that was given.
        seconds: f64,
    },
    /// A frame is longer than the output limit. The channel cannot be used after this.
    #[error("expected a frame of at most {most} bytes, found one of {found}")]
    TooLong {
        /// Length that the frame claims.
        found: u64,
        /// The limit.
        most: usize,
    },
    /// The program was launched without a channel.
    #[error("expected a program that was launched with a channel")]
    None,
    /// The sandbox failed, not the program.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}
