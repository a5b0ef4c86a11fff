//! Settings of the optimizer, which all stages share that train on examples. (Those of reinforcement learning are part of its presets.)

use ruminate_train::trainer::OptimizerConfig;
use serde::Serialize;

use super::checks::Checks;
use super::error::RecipeError;

/// AdamW (Loshchilov, Hutter 2019, arXiv 1711.05101) behind clipping of the gradient's norm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct AdamW {
    /// Decoupled weight decay.
    pub(crate) weight_decay: f32,
    /// β1 and β2.
    pub(crate) adam_betas: [f32; 2],
    /// ε.
    pub(crate) adam_eps: f32,
    /// Global gradient norm above which gradients are scaled down.
    pub(crate) max_grad_norm: f32,
}

impl AdamW {
    /// What the recipe says of it, `weight_decay` with the stage's own default.
    pub(super) fn new(weight_decay: f32, adam_betas: Option<[f32; 2]>, adam_eps: Option<f32>, max_grad_norm: Option<f32>) -> Self {
        Self {
            weight_decay,
            adam_betas: adam_betas.unwrap_or([0.9, 0.95]),
            adam_eps: adam_eps.unwrap_or(1e-8),
            max_grad_norm: max_grad_norm.unwrap_or(1.0),
        }
    }

    /// # Errors
    /// The first value out of its range.
    pub(super) fn check(&self, check: &Checks<'_>) -> Result<(), RecipeError> {
        check.positive("adam_eps", self.adam_eps)?;
        check.positive("max_grad_norm", self.max_grad_norm)?;
        check.range("weight_decay", self.weight_decay, 0.0, f32::MAX)?;
        self.adam_betas.into_iter().try_for_each(|beta| check.range("adam_betas", beta, 0.0, 1.0 - f32::EPSILON))
    }

    /// For the trainer.
    pub(crate) fn config(&self) -> OptimizerConfig {
        let [beta1, beta2] = self.adam_betas;
        OptimizerConfig { beta1, beta2, eps: self.adam_eps, weight_decay: self.weight_decay, max_grad_norm: self.max_grad_norm }
    }
}
