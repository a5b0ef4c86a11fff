//! What a training stage needs to go on after it was killed: weights, moments and counters, in one file that is replaced as a whole.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use ruminate_compute::{ComputeError, View, ViewMut};
use ruminate_model::Policy;
use ruminate_train::trainer::Trainer;
use safetensors::tensor::{Dtype, Metadata};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::run_dir::{StageDir, io_context, replace_file};

/// Where a training stage stands. Random numbers need no state: they are functions of the seed and these counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    /// Optimizer steps made.
    pub(crate) step: u64,
    /// Problems or documents used.
    pub(crate) position: u64,
}

/// The counters, and what else a stage must remember from step to step.
#[derive(Serialize, Deserialize)]
struct Saved<T> {
    #[serde(flatten)]
    counters: Counters,
    #[serde(default)]
    memory: T,
}

/// Most bytes of a header; a larger one is damage. What a stage remembers of each of a hundred thousand problems fits.
const MAX_HEADER: u64 = 1 << 26;

/// Where a stage's state lies.
fn state_file(dir: &StageDir) -> PathBuf {
    dir.state().join("state.safetensors")
}

/// Saves weights, moments, an optional reference and the counters.
///
/// # Errors
/// The file system's; the state before stays as it was.
pub(crate) fn save(dir: &StageDir, policy: &Policy, trainer: &Trainer, reference: Option<&Policy>, counters: Counters) -> Result<()> {
    save_with(dir, policy, trainer, reference, counters, &())
}

/// As [`save`], together with what the stage remembers: they belong to the same step, whenever the stage is killed.
///
/// # Errors
/// As [`save`].
pub(crate) fn save_with<T: Serialize>(
    dir: &StageDir,
    policy: &Policy,
    trainer: &Trainer,
    reference: Option<&Policy>,
    counters: Counters,
    memory: &T,
) -> Result<()> {
    let path = state_file(dir);
    policy.device().synchronize()?;
    let (m, v) = trainer.moments();
    let failed = RefCell::new(None);
    let flat = |view| Flat::of(view, &failed);
    let mut tensors = vec![("weights", flat(policy.flat())), ("m", flat(m)), ("v", flat(v))];
    if let Some(reference) = reference {
        tensors.push(("reference", flat(reference.flat())));
    }
    let metadata = HashMap::from([("counters".to_owned(), serde_json::to_string(&Saved { counters, memory })?)]);
    replace_file(&path, |partial| {
        safetensors::serialize_to_file(tensors.iter().map(|(name, flat)| (*name, flat)), Some(metadata), partial)
            .with_context(io_context("write", partial))?;
        // What could not be read from the device is not what was trained: the file before stays.
        failed.take().map_or(Ok(()), |error| Err(error).context("state of the stage"))
    })
}

/// Restores what [`save`] saved, if there is such a file.
///
/// # Errors
/// A file that cannot be read or belongs to another model.
pub(crate) fn restore(dir: &StageDir, policy: &mut Policy, trainer: &mut Trainer, reference: Option<&mut Policy>) -> Result<Counters> {
    restore_with::<()>(dir, policy, trainer, reference).map(|(counters, ())| counters)
}

/// As [`restore`], with what the stage remembered.
///
/// # Errors
/// As [`restore`].
pub(crate) fn restore_with<T: DeserializeOwned + Default>(
    dir: &StageDir,
    policy: &mut Policy,
    trainer: &mut Trainer,
    reference: Option<&mut Policy>,
) -> Result<(Counters, T)> {
    let path = state_file(dir);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Counters::default(), T::default())),
        Err(error) => return Err(error).with_context(io_context("open", &path)),
    };
    read_state(file, policy, trainer, reference).with_context(|| {
        format!("{} cannot be used to go on; remove the stage's directory {} to start it over", path.display(), dir.path().display())
    })
}

fn read_state<T: DeserializeOwned + Default>(
    mut file: File,
    policy: &mut Policy,
    trainer: &mut Trainer,
    reference: Option<&mut Policy>,
) -> Result<(Counters, T)> {
    let mut size = [0; 8];
    file.read_exact(&mut size)?;
    let n_header = u64::from_le_bytes(size);
    let mut header = Vec::new();
    file.by_ref().take(n_header.min(MAX_HEADER)).read_to_end(&mut header)?;
    let metadata: Metadata = serde_json::from_slice(&header).context("its header is damaged")?;
    let counters = metadata.metadata().as_ref().and_then(|metadata| metadata.get("counters")).context("it holds no counters")?;
    let Saved { counters, memory } = serde_json::from_str(counters).context("its counters are damaged")?;
    let n = policy.n_parameters();
    let mut read = |name: &str, to: ViewMut<'_>| -> Result<()> {
        let tensor = metadata.info(name).with_context(|| format!("it holds no {name}"))?;
        if tensor.dtype != Dtype::F32 || tensor.shape != [n] {
            bail!("{name}: expected F32 [{n}], found {:?} {:?}", tensor.dtype, tensor.shape);
        }
        file.seek(SeekFrom::Start(8 + n_header + tensor.data_offsets.0 as u64))?;
        read_floats(&mut file, to).with_context(|| name.to_owned())
    };
    policy.write_flat(|flat| read("weights", flat))?;
    let (m, v) = trainer.restore(counters.step);
    read("m", m)?;
    read("v", v)?;
    if let Some(reference) = reference {
        reference.write_flat(|flat| read("reference", flat))?;
    }
    Ok((counters, memory))
}

/// Fills a flat buffer from little-endian f32, a piece at a time: the whole file in memory would double what a run needs.
fn read_floats(file: &mut File, to: ViewMut<'_>) -> Result<()> {
    let mut rest = to;
    let mut bytes = Vec::new();
    while rest.cols() > 0 {
        let n = rest.cols().min(1 << 20);
        bytes.resize(4 * n, 0);
        file.read_exact(&mut bytes)?;
        let (mut piece, tail) = rest.split_at(n);
        piece.copy_from_host(&bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect::<Vec<_>>());
        rest = tail;
    }
    Ok(())
}

/// A flat buffer on its way to the file: one at a time is copied to the host.
struct Flat<'a> {
    view: View<'a>,
    shape: [usize; 1],
    /// The first error of the device: the trait that reads tensors knows none.
    failed: &'a RefCell<Option<ComputeError>>,
}

impl<'a> Flat<'a> {
    fn of(view: View<'a>, failed: &'a RefCell<Option<ComputeError>>) -> Self {
        Self { view, shape: [view.cols()], failed }
    }
}

impl safetensors::View for &Flat<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.view.to_vec() {
            Ok(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>().into(),
            Err(error) => {
                self.failed.borrow_mut().get_or_insert(error);
                vec![0; self.data_len()].into()
            }
        }
    }

    fn data_len(&self) -> usize {
        4 * self.view.cols()
    }
}

#[cfg(test)]
mod tests {
    use ruminate_compute::{CudaOptions, Device};
    use ruminate_train::trainer::OptimizerConfig;

    use super::*;
    use crate::models;
    use crate::run_dir::RunDir;

    const CONFIG: OptimizerConfig = OptimizerConfig { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 };

    /// The CPU, and the first GPU in bf16 if there is one.
    fn devices() -> Vec<Device> {
        let mut devices = vec![Device::Cpu];
        match Device::cuda(CudaOptions::default()) {
            Ok(device) => devices.push(device),
            Err(error) => println!("skipped on cuda: {error}"),
        }
        devices
    }

    #[test]
    fn policy_and_frozen_reference_come_back_to_the_bit() {
        let (folder, start) = (tempfile::tempdir().unwrap(), models::open("builtin:tiny").unwrap());
        let weights = |policy: &Policy| policy.flat().to_vec().unwrap();
        for device in devices() {
            let dir = RunDir::stage_of(folder.path(), device.name());
            let load = || {
                let policy = Policy::load(&device, &start.checkpoint).unwrap();
                let trainer = Trainer::new(&policy, CONFIG).unwrap();
                (policy, trainer, Policy::load_frozen(&device, &start.checkpoint).unwrap())
            };
            let (mut policy, mut trainer, mut reference) = load();
            // The reference was refreshed, and the policy went on from there.
            for factor in [1.01, 0.97] {
                let moved: Vec<f32> = weights(&policy).iter().map(|w| factor * w).collect();
                reference.copy_weights_from(&policy).unwrap();
                policy.write_flat(|mut flat| flat.copy_from_host(&moved));
            }
            let moments: Vec<f32> = (0..policy.n_parameters()).map(|i| 1e-3 * i as f32).collect();
            trainer.restore(7).0.copy_from_host(&moments);
            let counters = Counters { step: 7, position: 3 };
            save(&dir, &policy, &trainer, Some(&reference), counters).unwrap();

            let (mut policy_again, mut trainer_again, mut reference_again) = load();
            assert_ne!(weights(&reference_again), weights(&reference), "{}", device.name());
            let restored = restore(&dir, &mut policy_again, &mut trainer_again, Some(&mut reference_again)).unwrap();
            assert_eq!((restored, trainer_again.n_steps()), (counters, 7));
            assert_eq!(weights(&policy_again), weights(&policy), "{}", device.name());
            assert_eq!(weights(&reference_again), weights(&reference), "{}", device.name());
            assert_eq!(trainer_again.moments().0.to_vec().unwrap(), moments);
        }
    }
}
