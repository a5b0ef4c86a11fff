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
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::ValueEnum;
use ruminate_compute::{ComputeError, CudaOptions, Device, KernelCache, Precision};
use serde::Serialize;

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum DeviceChoice {
    /// The fastest there is.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The first NVIDIA GPU, in bf16.
    Cuda,
    /// The first NVIDIA GPU, in f32: slower, for comparisons.
    CudaF32,
}

impl DeviceChoice {
    /// The device.
    ///
    /// # Errors
    /// A GPU that was asked for and cannot be used.
    pub(crate) fn device(self) -> Result<Device> {
        self.open(false)
    }

    /// The device; a deterministic one gives a row of a forward the same bits in any batch, in sampling and in training. The CPU
    /// always does.
    ///
    /// # Errors
    /// As [`DeviceChoice::device`].
    pub(crate) fn open(self, deterministic: bool) -> Result<Device> {
        let open_cuda = |precision| open_cuda(precision, deterministic);
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(open_cuda(Precision::Bf16).unwrap_or_else(|error| {
                if !matches!(error, ComputeError::MissingLibrary { what: "the NVIDIA driver", .. }) {
                    eprintln!("the GPU is not used: {error}");
                }
                Device::Cpu
            })),
            Self::Cuda => open_cuda(Precision::Bf16).context("--device cuda"),
            Self::CudaF32 => open_cuda(Precision::F32).context("--device cuda-f32"),
        }
    }
}

/// Kernels are kept in the user's cache directory; libraries are looked for where the toolkit is usually installed.
fn open_cuda(precision: Precision, deterministic: bool) -> Result<Device, ComputeError> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    let roots = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(variable).chain([PathBuf::from("/usr/local/cuda")]);
    let library_dirs = roots.flat_map(|root| [root.join("lib64"), root.join("lib")]).collect();
    let cache = cache.map(|cache| Arc::new(KernelFiles(cache.join("ruminate/kernels"))) as Arc<dyn KernelCache>);
    Device::cuda(CudaOptions { ordinal: 0, precision, cache, library_dirs, deterministic })
}

/// Compiled kernels, a file each.
#[derive(Debug)]
struct KernelFiles(PathBuf);

impl KernelCache for KernelFiles {
    fn load(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.0.join(name)).ok()
    }

    fn store(&self, name: &str, image: &[u8]) {
        let (path, partial) = (self.0.join(name), self.0.join(format!("{name}.partial-{}", std::process::id())));
        let written = std::fs::create_dir_all(&self.0).and_then(|()| std::fs::write(&partial, image));
        if written.and_then(|()| std::fs::rename(&partial, path)).is_err() {
            let _ = std::fs::remove_file(&partial);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_come_back_as_they_were_stored() {
        let folder = tempfile::tempdir().unwrap();
        let files = KernelFiles(folder.path().join("a/b"));
        assert_eq!(files.load("rope"), None);
        files.store("rope", &[1, 2, 3]);
        assert_eq!(files.load("rope"), Some(vec![1, 2, 3]));
        assert_eq!(std::fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1, "nothing else is left");
    }
}
