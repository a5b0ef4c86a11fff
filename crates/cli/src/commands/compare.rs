//! `ruminate compare`: finished stages of a run, held against each other.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use super::{print, print_json};
use crate::run_dir::RunDir;
use crate::stages::compare::{compare, table};

/// Compares evaluated stages of a run on the same problems, pair by pair, with what they cost.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Directory of the run, such as runs/tiny.
    run: PathBuf,
    /// Ids of at least two stages.
    #[arg(required = true, num_args = 2..)]
    stages: Vec<String>,
    /// Print the comparison as JSON.
    #[arg(long)]
    json: bool,
}

impl CompareArgs {
    /// Prints the comparison.
    pub(crate) fn run(&self) -> Result<()> {
        if !RunDir::is_run(&self.run) {
            bail!("{} is not the directory of a run, expected one that `ruminate run` made", self.run.display());
        }
        let stages: Vec<_> = self.stages.iter().map(|id| (id.as_str(), RunDir::stage_of(&self.run, id))).collect();
        let comparison = compare(&stages)?;
        if self.json { print_json(&comparison) } else { print(&table(&comparison)) }
    }
}
