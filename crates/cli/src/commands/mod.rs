//! The commands, one file each.

pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod eval;
pub(crate) mod grade;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod review;
pub(crate) mod run;
pub(crate) mod sandbox;

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

/// How `eval` and `chat` draw tokens: by default as DeepSeek-R1 is evaluated.
#[derive(Debug, clap::Args)]
pub(crate) struct SamplingArgs {
    /// Sampling temperature; 0 takes the most probable token.
    #[arg(long, default_value_t = 0.6)]
    pub(super) temperature: f32,
    /// Nucleus of sampling.
    #[arg(long, default_value_t = 0.95)]
    pub(super) top_p: f32,
    /// Keep the k most probable tokens; 0 keeps all.
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: u32,
    /// Keep tokens with at least this share of the largest probability; 0 keeps all.
    #[arg(long, default_value_t = 0.0)]
    min_p: f32,
}

impl SamplingArgs {
    /// For the engine.
    fn params(&self) -> ruminate_rollout::SamplingParams {
        ruminate_rollout::SamplingParams { temperature: self.temperature, top_k: self.top_k, top_p: self.top_p, min_p: self.min_p }
    }
}
