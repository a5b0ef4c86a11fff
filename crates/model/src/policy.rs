//! The model in training: one copy of its weights serves sampling and training.

use std::borrow::Cow;
use std::path::Path;

use rayon::prelude::*;
use ruminate_compute::ops::elementwise;
use ruminate_compute::{Buffer, Device, View, ViewMut};
use ruminate_core::Seed;

use crate::block::Context;
use crate::checkpoint::{Checkpoint, SaveDtype, save_checkpoint};
use crate::parameters::Weights;
use crate::{ChatTemplate, Memory, ModelConfig, ModelError, TensorSpec, Tokenizer, rope};

/// Positions that the rotation table holds at most: the longest context of R1's recipe.
const MAX_TABLE: usize = 32_768;

/// What the weights of a policy are there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An optimizer steps them.
    Training,
    /// They stay as they are, or are taken over from another policy: a reference, a scorer, a policy that is only sampled from.
    Inference,
}

/// A decoder-only transformer on a device.
#[derive(Debug)]
pub struct Policy {
    device: Device,
    config: ModelConfig,
    /// All weights, `[1, n]`, in the format that the device computes in; those of a reward model end with its score head, `[1, D]`.
    weights: Buffer,
    /// The same in f32, where that is another format and an optimizer steps them: a learning rate of 1e-6 would vanish in bf16.
    master: Option<Buffer>,
    purpose: Purpose,
    /// Weights of the tensors of `config`.
    n_of_config: usize,
    /// Cosines and sines, `[context, S]`.
    rope: Buffer,
}

impl Policy {
    /// All weights 0, with room for `n_more` behind the tensors of the configuration.
    pub(crate) fn zeros(device: &Device, config: ModelConfig, n_more: usize, purpose: Purpose) -> Result<Self, ModelError> {
        config.validate()?;
        let context = context(&config);
        let mut rope = device.zeros_f32(context, config.head_dim)?;
        rope.copy_from_host(&rope::table(&config, context));
        let n_of_config = config.n_parameters();
        let n = n_of_config + n_more;
        let (has_master, memory) = match purpose {
            Purpose::Training => (device.float_bytes() < 4, Memory::of_weights(device.kind(), &config)),
            Purpose::Inference => (false, Memory::of_frozen_weights(device.kind(), &config)),
        };
        let master = if has_master { device.zeros_f32(1, n).map(Some) } else { Ok(None) };
        let (weights, master) = device.zeros(1, n).and_then(|weights| Ok((weights, master?))).map_err(ModelError::no_room(
            format!("{n} weights"),
            memory.total(),
            "a smaller model or a device with more memory is needed",
        ))?;
        Ok(Self { device: device.clone(), config, weights, master, purpose, n_of_config, rope })
    }

    /// Reads the weights of a checkpoint to train them.
    ///
    /// # Errors
    /// A tensor that is missing, has another shape or cannot be read, by name; a reward model; out of memory.
    pub fn load(device: &Device, checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        Self::load_for(Purpose::Training, device, checkpoint)
    }

    /// As [`Policy::load`], for inference only: on a GPU no f32 master lies beside the weights, which are those that a policy for
    /// training computes with.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn load_frozen(device: &Device, checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        Self::load_for(Purpose::Inference, device, checkpoint)
    }

    fn load_for(purpose: Purpose, device: &Device, checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        if checkpoint.reward_head.is_some() {
            let error = ModelError::unsupported("architectures", "a model that writes (ForCausalLM)", "a reward model");
            return Err(error.at(checkpoint.path()));
        }
        let mut policy = Self::zeros(device, checkpoint.config.clone(), 0, purpose)?;
        let specs = policy.config.tensors();
        policy.read(checkpoint, &specs)?;
        Ok(policy)
    }

    /// Reads tensors of a checkpoint, in the order in which they lie in memory, from the first weight on.
    pub(crate) fn read(&mut self, checkpoint: &Checkpoint, specs: &[TensorSpec]) -> Result<(), ModelError> {
        self.write_flat(|flat| {
            let mut rest = Some(flat);
            let mut host = Vec::new();
            for spec in specs {
                host.resize(spec.n_elements(), 0.0);
                checkpoint.read_tensor(spec, &mut host)?;
                let (mut part, tail) = rest.take().expect("put back below").split_at(host.len());
                part.copy_from_host(&host);
                rest = Some(tail);
            }
            Ok(())
        })
    }

    /// Fresh weights: normal with deviation 0.02, the projections into the residual stream divided by √(2 layers) (GPT-2's
    /// scheme), norms 1, biases 0. Each weight is a pure function of the seed and its index.
    ///
    /// # Errors
    /// A configuration that does not fit together; out of memory.
    pub fn random(device: &Device, config: ModelConfig, seed: Seed) -> Result<Self, ModelError> {
        let mut policy = Self::zeros(device, config, 0, Purpose::Training)?;
        let residual = 1.0 / (2.0 * policy.config.n_layers as f64).sqrt();
        let mut values = Vec::with_capacity(policy.n_parameters());
        for spec in policy.config.tensors() {
            let seed = seed.with(&spec.name);
            let into_residual = spec.name.ends_with("o_proj.weight") || spec.name.ends_with("down_proj.weight");
            let deviation = 0.02 * if into_residual { residual } else { 1.0 };
            match spec.shape.as_slice() {
                [_] if spec.name.ends_with(".bias") => values.resize(values.len() + spec.n_elements(), 0.0),
                [_] => values.resize(values.len() + spec.n_elements(), 1.0),
                _ => {
                    let start = values.len();
                    values.resize(start + spec.n_elements(), 0.0);
                    let weight = |i: usize| (normal(seed.with_index(i as u64)) * deviation) as f32;
                    values[start..].par_iter_mut().enumerate().for_each(|(i, value)| *value = weight(i));
                }
            }
        }
        policy.write_flat(|mut flat| flat.copy_from_host(&values));
        Ok(policy)
    }

    /// Writes a Hugging Face folder that `transformers` opens, completely or not at all. On a GPU a frozen policy holds, and writes,
    /// weights that were rounded to bf16.
    ///
    /// # Errors
    /// The file system's.
    pub fn save(
        &self,
        dir: &Path,
        tokenizer: &Tokenizer,
        chat_template: Option<&ChatTemplate>,
        dtype: SaveDtype,
    ) -> Result<(), ModelError> {
        let weights = self.flat().to_vec()?;
        let mut start = 0;
        let mut tensor = |spec: &TensorSpec| {
            start += spec.n_elements();
            Ok(Cow::Borrowed(&weights[start - spec.n_elements()..start]))
        };
        save_checkpoint(dir, &self.config, tokenizer, chat_template, dtype, &mut tensor)
    }

    /// Takes over the weights that a policy of the same shape computes with.
    ///
    /// # Errors
    /// A device error.
    ///
    /// # Panics
    /// When this policy is not frozen, since its master would stay behind, or has another shape.
    pub fn copy_weights_from(&mut self, other: &Self) -> Result<(), ModelError> {
        assert!(self.is_frozen(), "weights are copied into a frozen policy, found one for training");
        elementwise::copy(&self.device, self.weights.view_mut(), other.weights.view());
        Ok(self.device.synchronize()?)
    }

    /// Sizes and variants.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Lets one more token end a completion.
    ///
    /// # Errors
    /// A token outside the vocabulary.
    pub fn add_eos(&mut self, id: u32) -> Result<(), ModelError> {
        if !self.config.eos.contains(&id) {
            self.config.eos.push(id);
            self.config.validate()?;
        }
        Ok(())
    }

    /// Where the weights live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether it is for inference only: no optimizer may step its weights.
    pub fn is_frozen(&self) -> bool {
        self.purpose == Purpose::Inference
    }

    /// Number of weights, a score head included.
    pub fn n_parameters(&self) -> usize {
        self.weights.cols()
    }

    /// Longest sequence, prompt and completion together.
    pub fn context(&self) -> usize {
        self.rope.rows()
    }

    /// All weights as one row: in f32, but for a frozen policy in the device's own format.
    pub fn flat(&self) -> View<'_> {
        self.master.as_ref().unwrap_or(&self.weights).view()
    }

    /// Overwrites weights: `f` is given all of them as one row, in the format of [`Policy::flat`]. Numbers from the host are rounded to
    /// it.
    pub fn write_flat<R>(&mut self, f: impl FnOnce(ViewMut<'_>) -> R) -> R {
        let Some(master) = &mut self.master else { return f(self.weights.view_mut()) };
        let result = f(master.view_mut());
        elementwise::copy(&self.device, self.weights.view_mut(), master.view());
        result
    }

    /// All weights in f32 as one row, and the copy in the device's own format, if that is another: for the optimizer, which
    /// keeps them equal.
    ///
    /// # Panics
    /// When the policy is frozen: on a GPU its only weights are not f32.
    pub fn flat_and_working(&mut self) -> (ViewMut<'_>, Option<ViewMut<'_>>) {
        assert!(!self.is_frozen(), "an optimizer steps the weights of a policy for training, found a frozen one");
        match &mut self.master {
            Some(master) => (master.view_mut(), Some(self.weights.view_mut())),
            None => (self.weights.view_mut(), None),
        }
    }

    /// The weights as they lie in memory, for training.
    pub fn weights(&self) -> Weights<'_> {
        Weights::plain(&self.config, self.of_config())
    }

    /// The weights in the layout that decoding reads fastest; on the CPU a copy. Worth it for more than a few steps.
    pub fn prepared_weights(&self) -> Weights<'_> {
        Weights::prepared(&self.device, &self.config, self.of_config())
    }

    /// The weights of the tensors of the configuration.
    fn of_config(&self) -> View<'_> {
        self.weights.view().at(0, 1, self.n_of_config)
    }

    /// What lies behind them.
    pub(crate) fn behind_config(&self) -> View<'_> {
        self.weights.view().at(self.n_of_config, 1, self.weights.cols() - self.n_of_config)
    }

    /// Cuts a flat buffer of the size of the weights, such as their gradient, into the tensors of the configuration and what lies behind.
    pub(crate) fn split<'a>(&self, flat: ViewMut<'a>) -> (ViewMut<'a>, ViewMut<'a>) {
        flat.split_at(self.n_of_config)
    }

    /// Identifies where the weights lie.
    pub(crate) fn address(&self) -> u64 {
        self.weights.view().address()
    }

    pub(crate) fn block_context(&self) -> Context<'_> {
        Context { device: &self.device, config: &self.config, rope: self.rope.view() }
    }
}

/// Positions a model of this shape can use here.
pub fn context(config: &ModelConfig) -> usize {
    config.max_positions.min(config.sliding_window.unwrap_or(usize::MAX)).min(MAX_TABLE)
}

/// A standard normal number (Box, Muller 1958).
pub(crate) fn normal(seed: Seed) -> f64 {
    let radius = (-2.0 * (1.0 - seed.with_index(0).uniform()).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * seed.with_index(1).uniform()).cos()
}

#[cfg(test)]
mod tests;
