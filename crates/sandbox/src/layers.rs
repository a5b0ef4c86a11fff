//! The layers of the sandbox: which hold on this machine, and what each is for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One layer of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Own user namespace: an unprivileged user without capabilities, whoever started the sandbox.
    UserNamespace,
    /// Own mount namespace: a read-only root with nothing but the toolchain, and a private working folder with a size limit.
    MountNamespace,
    /// Own pid namespace: other processes cannot be seen or signalled, and the whole tree dies with its first process.
    PidNamespace,
    /// Own network namespace without any device.
    NetworkNamespace,
    /// Own System V and POSIX message queues, semaphores and shared memory.
    IpcNamespace,
    /// Own host name.
    UtsNamespace,
    /// Allow-list of system calls.
    Seccomp,
    /// Landlock: a second, independent check of file access, TCP and signals.
    Landlock,
    /// Limits of each process: address space, file size, open files, no core files.
    ResourceLimits,
    /// Limit of the number of processes of a job, by a control group.
    CgroupPids,
    /// Limit of the memory of a job, by a control group.
    CgroupMemory,
    /// Processor time of a job, counted by a control group.
    CgroupCpu,
}

/// How well a layer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum LayerStatus {
    /// The layer is in force for every job.
    InForce {
        /// Version or kind, for example "cgroup v1".
        detail: String,
    },
    /// The layer is not there.
    Missing {
        /// Why it is missing.
        reason: String,
    },
}

/// A name that no layer has, or the name of a layer that cannot be done without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a layer out of {}, found {found:?}", Layer::ALL.map(Layer::name).join(", "))]
pub struct UnknownLayer {
    /// The name as it was given.
    pub found: String,
}

impl Layer {
    /// All layers, from the outermost to the innermost.
    pub const ALL: [Self; 12] = [
        Self::UserNamespace,
        Self::MountNamespace,
        Self::PidNamespace,
        Self::NetworkNamespace,
        Self::IpcNamespace,
        Self::UtsNamespace,
        Self::Seccomp,
        Self::Landlock,
        Self::ResourceLimits,
        Self::CgroupPids,
        Self::CgroupMemory,
        Self::CgroupCpu,
    ];

    /// The name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserNamespace => "user-namespace",
            Self::MountNamespace => "mount-namespace",
            Self::PidNamespace => "pid-namespace",
            Self::NetworkNamespace => "network-namespace",
            Self::IpcNamespace => "ipc-namespace",
            Self::UtsNamespace => "uts-namespace",
            Self::Seccomp => "seccomp",
            Self::Landlock => "landlock",
            Self::ResourceLimits => "resource-limits",
            Self::CgroupPids => "cgroup-pids",
            Self::CgroupMemory => "cgroup-memory",
            Self::CgroupCpu => "cgroup-cpu",
        }
    }

    /// What the layer holds back.
    pub const fn holds(self) -> &'static str {
        match self {
            Self::UserNamespace => "rights of the user who runs the trainer; root is never root in a job",
            Self::MountNamespace => "files outside of the toolchain, filling the disk",
            Self::PidNamespace => "seeing and signalling other processes, orphans",
            Self::NetworkNamespace => "every network, abstract sockets",
            Self::IpcNamespace => "shared memory and queues of others",
            Self::UtsNamespace => "the name of the host",
            Self::Seccomp => "ptrace, mount, new namespaces, bpf, keyrings, sockets, other kernel interfaces",
            Self::Landlock => "writing outside of the working folder, once more; TCP; signals",
            Self::ResourceLimits => "memory and open files of one process, core files",
            Self::CgroupPids => "fork bombs, also of threads",
            Self::CgroupMemory => "memory of all processes of a job together",
            Self::CgroupCpu => "nothing; counts the processor time of all processes together",
        }
    }

    /// What stays open without the layer.
    pub const fn open_without(self) -> &'static str {
        match self {
            Self::UserNamespace | Self::MountNamespace | Self::PidNamespace => "everything: the sandbox does not start",
            Self::NetworkNamespace => "nothing while seccomp refuses sockets; with both gone, the network",
            Self::IpcNamespace => "System V shared memory of the same user",
            Self::UtsNamespace => "the name of the host can be read",
            Self::Seccomp => "ptrace inside the job, sockets inside the job, the kernel's whole interface",
            Self::Landlock => "nothing while the mount namespace holds; one barrier less",
            Self::ResourceLimits => "one process can use all memory that the control group allows",
            Self::CgroupPids => "a limit of the job's own user namespace holds processes (Linux 5.14); it has no verdict of its own",
            Self::CgroupMemory => "a job can use its memory limit times its process limit",
            Self::CgroupCpu => "the limit of processor time holds for each process alone",
        }
    }

    /// Whether the sandbox can do its work without this layer, if the user says so by name.
    pub const fn can_be_waived(self) -> bool {
        !matches!(self, Self::UserNamespace | Self::MountNamespace | Self::PidNamespace | Self::ResourceLimits)
    }

    /// Whether the sandbox refuses to start without this layer unless the user says so by name. What is not in the minimum changes
    /// how exactly a job is measured, not whether it is held.
    pub const fn in_minimum(self) -> bool {
        !matches!(self, Self::CgroupPids | Self::CgroupCpu | Self::UtsNamespace)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Layer {
    type Err = UnknownLayer;

    fn from_str(text: &str) -> Result<Self, UnknownLayer> {
        let found = Self::ALL.into_iter().find(|layer| layer.name() == text);
        found.ok_or_else(|| UnknownLayer { found: text.to_owned() })
    }
}

/// The layers as they are on this machine. Stored with each run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layers {
    /// Every layer and its status, in the order of [`Layer::ALL`].
    pub layers: Vec<LayerReport>,
}

/// A line of [`Layers`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerReport {
    /// Which layer.
    pub layer: Layer,
    /// How well it holds.
    #[serde(flatten)]
    pub status: LayerStatus,
    /// What it holds back.
    pub holds: &'static str,
    /// What stays open, when it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<&'static str>,
}

impl Layers {
    pub(crate) fn new(status: impl Fn(Layer) -> LayerStatus) -> Self {
        let report = |layer: Layer| {
            let status = status(layer);
            let open = matches!(status, LayerStatus::Missing { .. }).then(|| layer.open_without());
            LayerReport { layer, status, holds: layer.holds(), open }
        };
        Self { layers: Layer::ALL.map(report).into() }
    }

    /// Whether the layer holds for every job.
    pub fn in_force(&self, layer: Layer) -> bool {
        self.layers.iter().any(|report| report.layer == layer && matches!(report.status, LayerStatus::InForce { .. }))
    }

    /// Missing layers and the reasons.
    pub fn missing(&self) -> impl Iterator<Item = (Layer, &str)> {
        self.layers.iter().filter_map(|report| match &report.status {
            LayerStatus::Missing { reason } => Some((report.layer, reason.as_str())),
            LayerStatus::InForce { .. } => None,
        })
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, report) in self.layers.iter().enumerate() {
            if line > 0 {
                writeln!(f)?;
            }
            match &report.status {
                LayerStatus::InForce { detail } => {
                    let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
                    write!(f, "{:<18} in force  holds back: {}{detail}", report.layer, report.holds)?;
                }
                LayerStatus::Missing { reason } => {
                    write!(f, "{:<18} MISSING   {reason}; stays open: {}", report.layer, report.layer.open_without())?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for layer in Layer::ALL {
            assert_eq!(layer.name().parse(), Ok(layer));
            assert_eq!(serde_json::to_value(layer).unwrap(), layer.name());
        }
        assert!("firewall".parse::<Layer>().unwrap_err().to_string().contains("found \"firewall\""));
    }

    #[test]
    fn what_is_missing_says_what_stays_open() {
        let layers = Layers::new(|layer| match layer {
            Layer::Landlock => LayerStatus::Missing { reason: "old kernel".to_owned() },
            _ => LayerStatus::InForce { detail: "v1".to_owned() },
        });
        assert_eq!(layers.missing().collect::<Vec<_>>(), [(Layer::Landlock, "old kernel")]);
        assert!(!layers.in_force(Layer::Landlock) && layers.in_force(Layer::Seccomp));
        let text = layers.to_string();
        assert!(text.contains("landlock           MISSING   old kernel; stays open: nothing while the mount namespace holds"), "{text}");
        let json = serde_json::to_value(&layers).unwrap();
        assert_eq!(json["layers"][7]["status"], "missing");
        assert_eq!(json["layers"][6]["status"], "in-force");
    }
}
