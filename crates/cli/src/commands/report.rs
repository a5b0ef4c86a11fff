//! `ruminate report`: what a run did, as one HTML page.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::{print, print_json};
use crate::report::{Digests, Mode, Report, read, render};
use crate::run_dir::write_atomically;

/// Writes the report of a run as one HTML page that needs no network; with several runs of one recipe, their seeds are laid over each
/// other. A run that is not finished has a report too.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Directories of runs, such as runs/tiny.
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The page [default: RUN/report.html; with several runs, report-over-seeds.html in the first].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show the page in the browser.
    #[arg(long)]
    open: bool,
    /// Print the figures as JSON too.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    page: String,
    #[serde(flatten)]
    report: &'a Report,
}

impl ReportArgs {
    /// Writes it.
    pub(crate) fn run(&self) -> Result<()> {
        let report = read(&self.runs, false, &mut Digests::default())?;
        let name = if self.runs.len() > 1 { "report-over-seeds.html" } else { "report.html" };
        let out = self.out.clone().unwrap_or_else(|| self.runs[0].join(name));
        write_atomically(&out, render(&report, Mode::File)?.as_bytes())?;
        if self.json {
            print_json(&Printed { page: out.display().to_string(), report: &report })?;
        } else {
            print(&format!("{}", out.display()))?;
        }
        if self.open {
            open::that_detached(&out).with_context(|| format!("the report is in {}, but no browser could be started", out.display()))?;
        }
        Ok(())
    }
}
