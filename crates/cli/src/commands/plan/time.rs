//! How long a recipe will take: operations and bytes of its stages over what the device reaches.
//!
//! How long responses become is what a run finds out, so that it is an assumption here. What is not counted: grading by programs or by
//! judges, teachers behind an endpoint, and writing files.

use ruminate_compute::Device;
use ruminate_model::{ModelConfig, flops};

use crate::ceilings::Ceilings;

/// Share of the rate of a large product that whole training steps and decoding steps reach. Measured: 0.4 to 0.7 for 135M to 1.5B
/// parameters on an H200, 0.58 for the built-in model on two CPU cores.
const PRODUCT_SHARE: f64 = 0.5;

/// Seconds of a decoding step for each layer whatever the batch is: kernels too short to fill a GPU, or threads that wait for each other.
const LAYER_SECONDS_GPU: f64 = 36e-6;
const LAYER_SECONDS_CPU: f64 = 5e-6;

/// Bytes that an optimizer step reads and writes for each parameter: weights, gradients and two moments in f32.
const OPTIMIZER_BYTES: f64 = 32.0;

/// Share of the generation budget that responses are taken to be long.
const LENGTH_SHARE: usize = 4;

/// What estimates stand on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    ceilings: Ceilings,
    float_bytes: f64,
    layer_seconds: f64,
    /// Tokens of a response; `None`: a quarter of the budget.
    response_tokens: Option<usize>,
}

/// Responses to be sampled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampling {
    /// Different prompts.
    pub(super) n_prompts: usize,
    /// Responses to each.
    pub(super) samples: usize,
    /// Tokens of a prompt.
    pub(super) prompt: usize,
    /// Most tokens of a response.
    pub(super) budget: usize,
    /// Sequences decoded at once.
    pub(super) max_batch: usize,
}

impl Pace {
    pub(super) fn new(device: &Device, ceilings: Ceilings, response_tokens: Option<usize>) -> Self {
        let layer_seconds = if device.memory_bytes().is_some() { LAYER_SECONDS_GPU } else { LAYER_SECONDS_CPU };
        Self { ceilings, float_bytes: device.float_bytes() as f64, layer_seconds, response_tokens }
    }

    /// Tokens that a response is taken to have.
    pub(super) fn response(&self, budget: usize) -> usize {
        self.response_tokens.unwrap_or(budget / LENGTH_SHARE).clamp(1, budget.max(1))
    }

    /// Seconds of sampling.
    pub(super) fn sampling(&self, model: &ModelConfig, work: Sampling) -> f64 {
        let n = work.n_prompts * work.samples;
        let response = self.response(work.budget);
        let batch = work.max_batch.min(n).max(1);
        let steps = (n * response) as f64 / batch as f64;
        let operations = work.n_prompts as f64 * flops::sampling(model, work.prompt, std::iter::repeat_n(response, work.samples));
        // In the middle of a response, each sequence reads the keys and values of its prompt and of half of the response.
        let positions = batch * (work.prompt + response / 2);
        let cache = 2 * model.n_layers * model.n_kv_heads * model.head_dim * positions;
        let bytes = (model.n_parameters() + cache) as f64 * self.float_bytes;
        operations / self.product_flops() + steps * (bytes / self.ceilings.memory_bytes + model.n_layers as f64 * self.layer_seconds)
    }

    /// Seconds of optimizer steps over sequences of one length.
    pub(super) fn training(&self, model: &ModelConfig, steps: u64, sequences: u64, tokens: usize) -> f64 {
        let operations = steps as f64 * sequences as f64 * flops::training(model, [tokens]);
        operations / self.product_flops() + steps as f64 * model.n_parameters() as f64 * OPTIMIZER_BYTES / self.ceilings.memory_bytes
    }

    fn product_flops(&self) -> f64 {
        PRODUCT_SHARE * self.ceilings.product_flops
    }
}

/// A time for people.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "< 1 s".to_owned(),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes;

    fn pace(response_tokens: Option<usize>) -> Pace {
        let ceilings = Ceilings { product_flops: 677e12, memory_bytes: 4.24e12 };
        Pace { ceilings, float_bytes: 2.0, layer_seconds: LAYER_SECONDS_GPU, response_tokens }
    }

    /// The figures of `benches/results/cuda-h200.md`, with the ceilings measured beside them.
    #[test]
    fn estimates_are_near_what_was_measured_on_an_h200() {
        for (shape, train, decode) in
            [("smollm2-135m", 334_176.0, 196_125.0), ("qwen2.5-0.5b", 127_290.0, 152_502.0), ("qwen2.5-1.5b", 51_941.0, 79_833.0)]
        {
            let model = shapes::shape(shape).unwrap();
            let trained = 16.0 * 1024.0 / pace(None).training(&model, 1, 16, 1024);
            let sampling = Sampling { n_prompts: 256, samples: 1, prompt: 64, budget: 128, max_batch: 256 };
            let decoded = 256.0 * 128.0 / pace(Some(128)).sampling(&model, sampling);
            for (estimate, measured) in [(trained, train), (decoded, decode)] {
                let ratio: f64 = estimate / measured;
                assert!((0.6..1.5).contains(&ratio), "{shape}: {estimate:.0} tokens/s for {measured:.0}");
            }
        }
    }

    #[test]
    fn more_work_takes_longer() {
        let model = shapes::shape("tiny").unwrap();
        let work = Sampling { n_prompts: 16, samples: 16, prompt: 40, budget: 240, max_batch: 128 };
        let of = |work| pace(None).sampling(&model, work);
        assert_eq!(pace(None).response(240), 60);
        assert!(of(Sampling { n_prompts: 32, ..work }) > 1.9 * of(work));
        assert!(of(Sampling { max_batch: 64, ..work }) > of(work) && of(Sampling { budget: 480, ..work }) > of(work));
        assert!((pace(None).training(&model, 10, 8, 100) / pace(None).training(&model, 5, 8, 100) - 2.0).abs() < 1e-9);
        assert_eq!([0.2, 59.6, 600.0, 9000.0].map(time), ["< 1 s", "60 s", "10 min", "2.5 h"]);
    }
}
