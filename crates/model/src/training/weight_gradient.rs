//! The gradient of the weights, summed over microbatches.

use ruminate_compute::ops::elementwise;
use ruminate_compute::ops::linear::Write;
use ruminate_compute::{Buffer, ComputeError, Device, View, ViewMut};

use crate::Policy;
use crate::parameters::{LayerParameters, Parameters};

/// `[1, n]`, f32, in the order of the weights.
///
/// A new sum does not begin with zeros: the first microbatch replaces what is there wherever that saves a pass over memory.
#[derive(Debug)]
pub struct WeightGradient {
    device: Device,
    sum: Buffer,
    is_new: bool,
}

impl WeightGradient {
    /// A sum of nothing yet.
    ///
    /// # Errors
    /// [`ComputeError::OutOfMemory`].
    pub fn new(policy: &Policy) -> Result<Self, ComputeError> {
        let device = policy.device().clone();
        let sum = device.zeros_f32(1, policy.n_parameters())?;
        Ok(Self { device, sum, is_new: true })
    }

    /// Begins a new sum.
    pub fn restart(&mut self) {
        self.is_new = true;
    }

    /// What has been added since the beginning: zeros are written when they are asked for.
    pub fn view(&mut self) -> View<'_> {
        if std::mem::take(&mut self.is_new) {
            elementwise::fill(&self.device, self.sum.view_mut(), 0.0);
        }
        self.sum.view()
    }

    /// The parts to add to, what lies behind the tensors of the configuration, and how the matrices of the blocks are written; everything
    /// else is added to. The sum stays new until [`WeightGradient::added`], so that an error on the way leaves nothing of an old one.
    pub(super) fn parts(&mut self, policy: &Policy) -> (Parameters<ViewMut<'_>>, ViewMut<'_>, Write) {
        let (flat, mut behind) = policy.split(self.sum.view_mut());
        let mut parts = Parameters::of_mut(policy.config(), flat);
        if !self.is_new {
            return (parts, behind, Write::Add);
        }
        let Parameters { embed, layers, norm, head } = &mut parts;
        let of_layers = layers.iter_mut().flat_map(|layer| {
            let LayerParameters { input_norm, qkv: _, qkv_bias, q_norm, k_norm, o: _, post_norm, gate_up: _, down: _ } = layer;
            [Some(input_norm), qkv_bias.as_mut(), q_norm.as_mut(), k_norm.as_mut(), Some(post_norm)].into_iter().flatten()
        });
        for part in [embed, norm, &mut behind].into_iter().chain(head).chain(of_layers) {
            elementwise::fill(&self.device, part.reborrow(), 0.0);
        }
        (parts, behind, Write::Replace)
    }

    /// All parts have been added to.
    pub(super) fn added(&mut self) {
        self.is_new = false;
    }
}
