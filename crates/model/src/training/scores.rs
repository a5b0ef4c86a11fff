//! Scores of whole sequences: one number from the last token's hidden state, forward and backward.
//!
//! s = w · norm(x_T), with x_T the residual stream after the last block at the sequence's last token and w the score head `[1, D]`.

use ruminate_compute::ops::linear::{self, Weight, Write};

use super::{Activations, Batch, WeightGradient, backward_blocks, forward_blocks};
use crate::{ModelError, RewardModel};

/// The score of each sequence of a batch made by [`Batch::of_ends`], in its order; keeps what [`backward_scores`] needs.
///
/// # Errors
/// Out of memory, or a device error.
pub fn forward_scores(model: &RewardModel, acts: &mut Activations, batch: &Batch) -> Result<Vec<f32>, ModelError> {
    let policy = model.policy();
    acts.reserve(policy, batch.n_tokens)?;
    let weights = policy.weights();
    let r = batch.n_rows;
    policy.device().run(|| {
        forward_blocks(policy, &weights, acts, batch);
        let head = Weight::new(model.score_head());
        linear::forward(policy.device(), acts.logprobs.head_mut(r), acts.normed_rows.head(r), &head, None, Write::Replace);
    });
    Ok(acts.logprobs.head(r).to_vec()?)
}

/// Adds the gradient of all weights, score head included, to `gradient`, given `dscores` = ∂loss/∂score of each sequence. Must
/// follow the [`forward_scores`] of the same batch; its activations are used up.
///
/// # Errors
/// A device error.
pub fn backward_scores(
    model: &RewardModel,
    acts: &mut Activations,
    batch: &Batch,
    dscores: &[f32],
    gradient: &mut WeightGradient,
) -> Result<(), ModelError> {
    let policy = model.policy();
    let (device, r) = (policy.device(), batch.n_rows);
    // In the format that the device computes in, as the other side of both products.
    let mut of_scores = device.zeros(r, 1)?;
    device.run(|| {
        let (mut grads, of_head, write) = gradient.parts(policy);
        of_scores.copy_from_host(dscores);
        let (dscores, normed) = (of_scores.view(), acts.normed_rows.head(r));
        linear::backward_weight(device, of_head, dscores, normed, Write::Add);
        linear::backward_input(device, acts.passing.normed.head_mut(r), dscores, model.score_head(), Write::Replace);
        backward_blocks(policy, &policy.weights(), acts, batch, &mut grads, write);
    });
    gradient.added();
    Ok(device.synchronize()?)
}
