//! `ruminate completions`: completions for a shell.

use anyhow::Result;
use clap::Args;
use clap_complete::Shell;

/// Prints completions for a shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

impl CompletionsArgs {
    /// Prints them.
    pub(crate) fn run(&self, command: &mut clap::Command) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "ruminate", &mut script);
        super::print(String::from_utf8_lossy(&script).trim_end())
    }
}
