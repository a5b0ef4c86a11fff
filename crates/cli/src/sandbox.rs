//! The sandbox as the command line and recipes set it up: started from this very program, with the layers that the user accepts to miss.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use clap::Args;
use ruminate_core::{Gold, Problem};
use ruminate_sandbox::{Language, Layer, Sandbox, SandboxConfig};
use serde::{Deserialize, Serialize};

use crate::parallel::n_cores;

/// The hidden first argument that makes this program a launcher.
pub(crate) const LAUNCHER: &str = "sandbox-launcher";

/// How untrusted programs are run, on the command line.
#[derive(Clone, Debug, Args)]
pub(crate) struct SandboxArgs {
    /// Programs that run at once [default: the number of cores].
    #[arg(long, value_name = "N")]
    jobs: Option<std::num::NonZeroU16>,
    /// Run programs although this layer of isolation is missing; `ruminate sandbox doctor` names them. May be repeated.
    #[arg(long, value_name = "LAYER")]
    allow_missing: Vec<Layer>,
}

impl SandboxArgs {
    /// Whether any flag was given.
    pub(crate) fn is_given(&self) -> bool {
        self.jobs.is_some() || !self.allow_missing.is_empty()
    }

    /// The settings.
    pub(crate) fn settings(&self) -> SandboxSettings {
        SandboxSettings { jobs: self.jobs, allow_missing: self.allow_missing.clone() }
    }
}

/// How untrusted programs are run, `[sandbox]` of a recipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SandboxSettings {
    /// Programs that run at once; default: the number of cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<std::num::NonZeroU16>,
    /// Layers of isolation that the user accepts to be without, by name.
    allow_missing: Vec<Layer>,
}

impl SandboxSettings {
    /// Whether nothing was set.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Programs that run at once.
    pub(crate) fn slots(&self) -> usize {
        self.jobs.map_or_else(n_cores, |jobs| usize::from(jobs.get()))
    }

    /// For the sandbox.
    ///
    /// # Errors
    /// If this program's own file cannot be found.
    pub(crate) fn config(&self) -> Result<SandboxConfig> {
        let program = std::env::current_exe().context("cannot find this program's file")?;
        Ok(SandboxConfig { slots: self.slots(), allow: self.allow_missing.clone(), ..SandboxConfig::new(program, [LAUNCHER]) })
    }

    /// Starts it.
    ///
    /// # Errors
    /// A layer that is missing and not accepted.
    pub(crate) fn start(&self) -> Result<Sandbox> {
        Ok(Sandbox::start(self.config()?)?)
    }

    /// Starts it if any of these languages is to be run.
    ///
    /// # Errors
    /// As [`Self::start`]; a language without a toolchain on this machine, by name.
    pub(crate) fn start_for(&self, languages: &BTreeSet<Language>) -> Result<Option<Sandbox>> {
        if languages.is_empty() {
            return Ok(None);
        }
        let sandbox = self.start()?;
        for &language in languages {
            sandbox.toolchain(language)?;
        }
        Ok(Some(sandbox))
    }
}

/// Languages that must be run to grade a problem: that of the program and that of its checker.
///
/// # Errors
/// A language that nobody knows, by problem.
pub(crate) fn languages(problem: &Problem) -> Result<Vec<Language>> {
    let Gold::Code(task) = &problem.gold else { return Ok(Vec::new()) };
    let names = std::iter::once(&task.language).chain(task.checker.as_ref().map(|checker| &checker.language));
    names.map(|name| name.parse().with_context(|| format!("problem {}", problem.id))).collect()
}
