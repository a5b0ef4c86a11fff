//! The sandbox as the command line and recipes set it up: started from this very program, with the layers that the user accepts to miss.

use anyhow::{Context, Result};
use clap::Args;
use ruminate_sandbox::{Layer, Sandbox, SandboxConfig};

/// The hidden first argument that makes this program a launcher.
pub(crate) const LAUNCHER: &str = "sandbox-launcher";

/// How untrusted programs are run.
#[derive(Clone, Debug, Args)]
pub(crate) struct SandboxArgs {
    /// Programs that run at once [default: the number of cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Run programs although this layer of isolation is missing; `ruminate sandbox doctor` names them. May be repeated.
    #[arg(long, value_name = "LAYER")]
    allow_missing: Vec<String>,
}

impl SandboxArgs {
    /// The settings.
    ///
    /// # Errors
    /// A layer that does not exist, with the list of those that do.
    pub(crate) fn settings(&self) -> Result<SandboxSettings> {
        let allow = self.allow_missing.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
        Ok(SandboxSettings { jobs: self.jobs.map(usize::from), allow })
    }
}

/// What a sandbox is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct SandboxSettings {
    /// Programs at once; `None`: as many as cores.
    pub(crate) jobs: Option<usize>,
    /// Layers that the user accepts to be without.
    pub(crate) allow: Vec<Layer>,
}

impl SandboxSettings {
    /// Programs that run at once.
    pub(crate) fn slots(&self) -> usize {
        self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// For the sandbox.
    ///
    /// # Errors
    /// If this program's own file cannot be found.
    pub(crate) fn config(&self) -> Result<SandboxConfig> {
        let program = std::env::current_exe().context("cannot find this program's file")?;
        Ok(SandboxConfig { slots: self.slots(), allow: self.allow.clone(), ..SandboxConfig::new(program, [LAUNCHER]) })
    }

    /// Starts it.
    ///
    /// # Errors
    /// A layer that is missing and not accepted.
    pub(crate) fn start(&self) -> Result<Sandbox> {
        Ok(Sandbox::start(self.config()?)?)
    }
}
