//! What this machine can do, found out by trying.

use std::fmt;

use serde::Serialize;

use crate::error::SandboxError;
use crate::language::Language;
use crate::launcher::attacks::{Attack, HELD};
use crate::layers::Layers;
use crate::pool::{Sandbox, SandboxConfig};
use crate::run::Ending;
use crate::toolchain::{self, Toolchain};

/// What [`doctor`] found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether the sandbox starts with this configuration.
    pub starts: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Each layer.
    pub layers: Layers,
    /// Each language.
    pub toolchains: Vec<ToolchainReport>,
    /// Attacks that were tried; empty when the sandbox does not start.
    pub attacks: Vec<AttackReport>,
}

/// A language on this machine.
#[derive(Debug, Clone, Serialize)]
pub struct ToolchainReport {
    /// The language.
    pub language: Language,
    /// Its toolchain, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolchain: Option<Toolchain>,
    /// What is missing and what to install, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// An attack that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttackReport {
    /// What was tried.
    pub attack: &'static str,
    /// Whether the sandbox held.
    pub held: bool,
    /// How the attack ended.
    pub ending: String,
}

impl Report {
    /// Whether the sandbox starts and held every attack.
    pub fn is_healthy(&self) -> bool {
        self.starts && self.attacks.iter().all(|attack| attack.held)
    }
}

/// Which endings mean that an attack was held, besides its own report.
type Judge = fn(&Ending) -> bool;

const ATTACKS: [(Attack, &str, Judge); 10] = [
    (Attack::ForkBomb, "fork bomb", |ending| *ending == Ending::ProcessLimit),
    (Attack::MemoryBomb, "memory bomb in several processes", |ending| *ending == Ending::MemoryLimit),
    (Attack::Loop, "endless loop", |ending| *ending == Ending::TimeLimit),
    (Attack::DiskFill, "filling the disk", |_| false),
    (Attack::Files, "files of the machine", |_| false),
    (Attack::Processes, "other processes", |_| false),
    (Attack::Network, "network", |_| false),
    (Attack::Rights, "rights of its own", |_| false),
    (Attack::Trace, "tracing a process", |ending| matches!(ending, Ending::Forbidden(_))),
    (Attack::Namespace, "namespaces of its own", |ending| matches!(ending, Ending::Forbidden(_))),
];

/// Looks for layers and toolchains, and tries attacks. Takes a few seconds.
///
/// # Errors
/// The launcher does not start, or the configuration waives what cannot be waived.
pub fn doctor(config: SandboxConfig) -> Result<Report, SandboxError> {
    let toolchains = Language::ALL.map(|language| match toolchain::find(language) {
        Ok(toolchain) => ToolchainReport { language, toolchain: Some(toolchain), missing: None },
        Err(error) => ToolchainReport { language, toolchain: None, missing: Some(error.to_string()) },
    });
    // The control groups are given back at once; the sandbox makes its own.
    let (layers, _) = Sandbox::layers_of(&config)?;
    let mut report = Report { starts: false, refusal: None, layers, toolchains: toolchains.into(), attacks: Vec::new() };
    match Sandbox::start(config) {
        Ok(sandbox) => {
            report.starts = true;
            report.attacks = ATTACKS.iter().map(|&(attack, name, judge)| attempt(&sandbox, attack, name, judge)).collect();
        }
        Err(error) => report.refusal = Some(error.to_string()),
    }
    Ok(report)
}

fn attempt(sandbox: &Sandbox, attack: Attack, name: &'static str, judge: Judge) -> AttackReport {
    match sandbox.attack(attack) {
        Ok(finished) => {
            let held = finished.ending == Ending::Exited(HELD) || judge(&finished.ending);
            AttackReport { attack: name, held, ending: finished.ending.to_string() }
        }
        Err(error) => AttackReport { attack: name, held: false, ending: error.to_string() },
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Layers\n{}\n\nToolchains", self.layers)?;
        for line in &self.toolchains {
            match (&line.toolchain, &line.missing) {
                (Some(toolchain), _) => writeln!(f, "{:<12} {}  {}", line.language, toolchain.version, toolchain.path.display())?,
                (None, missing) => writeln!(f, "{:<12} MISSING  {}", line.language, missing.as_deref().unwrap_or_default())?,
            }
        }
        if let Some(refusal) = &self.refusal {
            return write!(f, "\nThe sandbox does not start: {refusal}");
        }
        write!(f, "\nSelf-test")?;
        for attack in &self.attacks {
            let held = if attack.held { "held    " } else { "NOT HELD" };
            write!(f, "\n{:<34} {held}  {}", attack.attack, attack.ending)?;
        }
        Ok(())
    }
}
