//! `ruminate sandbox`: what protects this machine from the programs that models write.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use super::{print, print_json};
use crate::sandbox::SandboxArgs;

/// Looks after the sandbox for model-written programs.
#[derive(Debug, Args)]
pub(crate) struct SandboxCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Shows the layers of isolation in force, which limits hold, the toolchains found, and tries a few attacks.
    Doctor(DoctorArgs),
}

#[derive(Debug, Args)]
struct DoctorArgs {
    #[command(flatten)]
    sandbox: SandboxArgs,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

impl SandboxCommand {
    /// Does it. Exit status 1 if programs would be refused or an attack got through.
    pub(crate) fn run(&self) -> Result<()> {
        let Action::Doctor(args) = &self.action;
        let report = ruminate_sandbox::doctor(args.sandbox.settings().config()?)?;
        if args.json {
            print_json(&report)?;
        } else {
            print(&report.to_string())?;
        }
        if !report.is_healthy() {
            bail!("programs would not be isolated well enough; see above");
        }
        Ok(())
    }
}
