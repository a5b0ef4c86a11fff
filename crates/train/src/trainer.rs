//! One optimizer step on a policy: gradients of microbatches added up, clipped, and applied by `AdamW`.

use ruminate_compute::ops::adamw::{self, AdamW};
use ruminate_compute::ops::elementwise;
use ruminate_compute::{Buffer, ComputeError, View, ViewMut};
use ruminate_model::training::{self, Activations, Batch, TokenScores, WeightGradient};
use ruminate_model::{ModelError, Policy, RewardModel};

use crate::packing::{PackedBatch, Part};

/// `AdamW` and clipping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptimizerConfig {
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Gradients with a larger norm are scaled down to it.
    pub max_grad_norm: f32,
}

/// Why a step was not made. The weights are as they were before.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The loss or its gradient by the log-probabilities is NaN or infinite.
    #[error("expected a finite loss, found {loss}, among sequences {sequences:?}; the weights were not touched")]
    NonFiniteLoss {
        /// The loss.
        loss: f64,
        /// The sequences whose loss was computed together, as indices into what was packed.
        sequences: Vec<usize>,
    },
    /// The gradient of the weights is NaN or infinite.
    #[error("expected a finite gradient norm, found {norm}; the weights were not touched")]
    NonFiniteGradient {
        /// The norm.
        norm: f64,
    },
    /// The model or its device could not do it.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl From<ComputeError> for TrainError {
    fn from(error: ComputeError) -> Self {
        Self::Model(error.into())
    }
}

/// What a loss is a sum over: where it may be computed in parts. Small parts let the logits over the whole vocabulary, which are too
/// many to keep, stay from forward to backward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumOver {
    /// Every part has whole sequences.
    Sequences,
    /// A part may end within a sequence.
    Tokens,
}

/// What the loss says of a microbatch or a part of one: see [`crate::losses`].
#[derive(Clone, Debug)]
pub struct MicrobatchLoss<M> {
    /// Its share of the batch loss.
    pub loss: f64,
    /// Derivative of the loss by the log-probability of each trained token, or by the score of each sequence.
    pub dlogprobs: Vec<f32>,
    /// What else to report.
    pub metrics: M,
}

/// What a microbatch came to.
#[derive(Clone, Debug)]
pub struct Accumulated<M> {
    /// Log-probabilities and entropies of its trained tokens.
    pub scores: TokenScores,
    /// Its share of the batch loss.
    pub loss: f64,
    /// What the loss said of each part besides.
    pub metrics: Vec<M>,
}

/// What an optimizer step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepStats {
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Whether it was clipped.
    pub clipped: bool,
}

/// Gradients, moments and activation memory for training one policy.
#[derive(Debug)]
pub struct Trainer {
    config: OptimizerConfig,
    grads: WeightGradient,
    m: Buffer,
    v: Buffer,
    activations: Activations,
    n_steps: u64,
}

impl Trainer {
    /// Zero moments and no activation memory yet.
    ///
    /// # Errors
    /// Out of memory.
    ///
    /// # Panics
    /// When the policy is frozen.
    pub fn new(policy: &Policy, config: OptimizerConfig) -> Result<Self, TrainError> {
        Self::recomputing(policy, config, 0)
    }

    /// As [`Trainer::new`], with the first `recompute_layers` blocks of the policy keeping their input only: see [`Activations`].
    ///
    /// # Errors
    /// Out of memory.
    ///
    /// # Panics
    /// As [`Trainer::new`].
    pub fn recomputing(policy: &Policy, config: OptimizerConfig, recompute_layers: usize) -> Result<Self, TrainError> {
        assert!(!policy.is_frozen(), "a trainer is made for a policy that was loaded for training, found a frozen one");
        let (device, n) = (policy.device(), policy.n_parameters());
        let buffers = || Ok((WeightGradient::new(policy)?, device.zeros_f32(1, n)?, device.zeros_f32(1, n)?));
        let advice = "a smaller model or a device with more memory is needed";
        let (grads, m, v) = buffers().map_err(ModelError::no_room(format!("gradients and moments of {n} weights"), 12 * n, advice))?;
        Ok(Self { config, grads, m, v, activations: Activations::recomputing(device, policy.config(), 0, recompute_layers)?, n_steps: 0 })
    }

    /// Log-probabilities of a microbatch's trained tokens, without a gradient.
    ///
    /// # Errors
    /// A batch that does not fit the model, out of memory.
    pub fn score(&mut self, policy: &Policy, packed: &PackedBatch, temperature: f32) -> Result<TokenScores, TrainError> {
        let batch = upload(policy, packed)?;
        Ok(training::forward(policy, &mut self.activations, &batch, temperature)?)
    }

    /// Adds the gradient of one microbatch; `loss`, a sum over `terms`, is given some of its rows at a time, with their scores.
    ///
    /// # Errors
    /// [`TrainError::NonFiniteLoss`]; a batch that does not fit the model, out of memory. The gradient then holds a part of the
    /// microbatch's, or nothing if it was the first.
    pub fn accumulate<M>(
        &mut self,
        policy: &Policy,
        packed: &PackedBatch,
        temperature: f32,
        terms: SumOver,
        mut loss: impl FnMut(&Part<'_>, &TokenScores) -> MicrobatchLoss<M>,
    ) -> Result<Accumulated<M>, TrainError> {
        let batch = upload(policy, packed)?;
        let (mut total, mut metrics) = (0.0, Vec::new());
        let ends = match terms {
            SumOver::Sequences => packed.completion_cu[1..].to_vec(),
            SumOver::Tokens => (1..=packed.n_rows()).collect(),
        };
        let (activations, grads) = (&mut self.activations, &mut self.grads);
        let scores = training::forward_backward(policy, activations, &batch, temperature, &ends, grads, |rows, scores| {
            let part = packed.part(rows);
            let result = loss(&part, scores);
            check_finite(&result, part.sequence_idx())?;
            total += result.loss;
            metrics.push(result.metrics);
            Ok::<_, TrainError>(result.dlogprobs)
        })?;
        Ok(Accumulated { scores, loss: total, metrics })
    }

    /// Scores of a microbatch's sequences, without a gradient.
    ///
    /// # Errors
    /// A batch that does not fit the model, out of memory.
    pub fn score_sequences(&mut self, model: &RewardModel, packed: &PackedBatch) -> Result<Vec<f32>, TrainError> {
        score_sequences(model, &mut self.activations, packed)
    }

    /// As [`Trainer::accumulate`] for a reward model: `loss` is given the score of each sequence of the microbatch.
    ///
    /// # Errors
    /// [`TrainError::NonFiniteLoss`]; a batch that does not fit the model, out of memory.
    pub fn accumulate_scores<M>(
        &mut self,
        model: &RewardModel,
        packed: &PackedBatch,
        loss: impl FnOnce(&[f32]) -> MicrobatchLoss<M>,
    ) -> Result<MicrobatchLoss<M>, TrainError> {
        let batch = Batch::of_ends(model.policy(), &packed.token_ids, &packed.cu_seqlens)?;
        let scores = training::forward_scores(model, &mut self.activations, &batch)?;
        let result = loss(&scores);
        check_finite(&result, &packed.sequence_idx)?;
        training::backward_scores(model, &mut self.activations, &batch, &result.dlogprobs, &mut self.grads)?;
        Ok(result)
    }

    /// Applies the gradients gathered since the last step; the next ones begin anew.
    ///
    /// # Errors
    /// [`TrainError::NonFiniteGradient`].
    pub fn step(&mut self, policy: &mut Policy, learning_rate: f32) -> Result<StepStats, TrainError> {
        let device = policy.device().clone();
        let grad_norm = elementwise::sum_squares(&device, self.grads.view()).sqrt();
        if !grad_norm.is_finite() {
            return Err(TrainError::NonFiniteGradient { norm: grad_norm });
        }
        let limit = f64::from(self.config.max_grad_norm);
        let clipped = grad_norm > limit;
        self.n_steps += 1;
        let config = AdamW {
            learning_rate,
            beta1: self.config.beta1,
            beta2: self.config.beta2,
            eps: self.config.eps,
            weight_decay: self.config.weight_decay,
            grad_scale: if clipped { (limit / grad_norm) as f32 } else { 1.0 },
            step: self.n_steps,
        };
        let (weights, working) = policy.flat_and_working();
        adamw::step(&device, weights, working, self.m.view_mut(), self.v.view_mut(), self.grads.view(), config);
        self.grads.restart();
        device.synchronize()?;
        Ok(StepStats { grad_norm, clipped })
    }

    /// Optimizer steps made so far.
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }

    /// First and second moments, `[1, n]`, for saving.
    pub fn moments(&self) -> (View<'_>, View<'_>) {
        (self.m.view(), self.v.view())
    }

    /// Moments to be overwritten by saved ones, together with the number of steps behind them.
    pub fn restore(&mut self, n_steps: u64) -> (ViewMut<'_>, ViewMut<'_>) {
        self.n_steps = n_steps;
        (self.m.view_mut(), self.v.view_mut())
    }

    /// The gradients gathered so far, `[1, n]`; see [`WeightGradient::view`].
    pub fn grads(&mut self) -> View<'_> {
        self.grads.view()
    }
}

/// Scores of a microbatch's sequences, for those that do not train.
///
/// # Errors
/// A batch that does not fit the model, out of memory.
pub fn score_sequences(model: &RewardModel, activations: &mut Activations, packed: &PackedBatch) -> Result<Vec<f32>, TrainError> {
    let batch = Batch::of_ends(model.policy(), &packed.token_ids, &packed.cu_seqlens)?;
    Ok(training::forward_scores(model, activations, &batch)?)
}

/// Whether loss and derivative of these sequences are numbers.
fn check_finite<M>(result: &MicrobatchLoss<M>, sequence_idx: &[usize]) -> Result<(), TrainError> {
    if result.loss.is_finite() && result.dlogprobs.iter().all(|d| d.is_finite()) {
        return Ok(());
    }
    Err(TrainError::NonFiniteLoss { loss: result.loss, sequences: sequence_idx.to_vec() })
}

fn upload(policy: &Policy, packed: &PackedBatch) -> Result<Batch, ModelError> {
    Batch::new(policy, &packed.token_ids, &packed.cu_seqlens, &packed.predict_rows, &packed.targets)
}

#[cfg(test)]
mod tests;
