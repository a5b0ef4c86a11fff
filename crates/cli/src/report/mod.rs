//! The report of a run: one HTML page that needs nothing else, from the files of the run directory.
//!
//! [`mod@read`] takes what is there, whatever a killed run left, into [`model`]; [`figures`] makes pictures and tables of it; [`page`] makes
//! the page. [`live`] serves the same page for a run in progress.

mod charts;
mod choose;
mod curves;
mod digest;
mod figures;
mod files;
mod ladder;
pub(crate) mod live;
mod model;
mod page;
mod pieces;
mod read;
mod reflection;
mod samples;
mod seeds;

use std::path::PathBuf;

use anyhow::Result;

pub(crate) use self::digest::Digests;
pub(crate) use self::model::Report;
pub(crate) use self::page::{Mode, render};

/// Reads runs and chooses samples.
///
/// # Errors
/// A directory that holds no run. Files that are missing or damaged are notes of the report, not errors.
pub(crate) fn read(paths: &[PathBuf], is_in_progress: bool, digests: &mut Digests) -> Result<Report> {
    let runs = paths.iter().map(|path| read::read_run(path, is_in_progress, digests)).collect::<Result<Vec<_>>>()?;
    Ok(Report { over_seeds: seeds::over_seeds(&runs), runs })
}
