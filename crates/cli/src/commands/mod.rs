//! The commands, one file each.

pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod eval;
pub(crate) mod plan;
pub(crate) mod run;

use std::io::Write;

use anyhow::{Context, Result};
use clap::ValueEnum;
use ruminate_compute::Device;
use serde::Serialize;

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum DeviceChoice {
    /// The fastest there is.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
}

impl DeviceChoice {
    /// The device.
    pub(crate) fn device(self) -> Device {
        match self {
            Self::Auto | Self::Cpu => Device::Cpu,
        }
    }
}

/// Prints to the standard output. A closed pipe is an error like any other.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write to the standard output")
}

/// Prints a value as indented JSON.
pub(crate) fn print_json<T: Serialize>(value: &T) -> Result<()> {
    print(&serde_json::to_string_pretty(value).context("cannot write JSON")?)
}
