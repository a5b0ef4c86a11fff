//! A loss over more rows than a GPU keeps logits of: run by run, within a sequence, it has the gradient of all rows at once.

use ruminate_compute::Device;
use ruminate_core::Seed;
use ruminate_model::training::{self, Activations, Batch, WeightGradient};
use ruminate_model::{Architecture, ModelConfig, ModelError, Policy, RopeScaling};

use crate::golden::{Errors, devices};

const ROWS: usize = 1700;

fn config(vocab: usize) -> ModelConfig {
    ModelConfig {
        architecture: Architecture::Llama,
        hidden: 16,
        n_layers: 1,
        n_heads: 2,
        n_kv_heads: 1,
        head_dim: 8,
        ffn: 16,
        vocab,
        max_positions: 2048,
        rope_theta: 1e4,
        rope_scaling: RopeScaling::None,
        rms_norm_eps: 1e-5,
        tied: true,
        qkv_bias: false,
        qk_norm: false,
        sliding_window: None,
        bos: None,
        eos: vec![0],
    }
}

#[test]
fn runs_within_a_sequence_add_up() {
    // The CPU never keeps logits, and computes all rows in one run.
    for (device, tolerance) in devices().into_iter().filter(|(device, _)| !matches!(device, Device::Cpu)) {
        // With so many rows of logits that fit. The smaller vocabulary is the largest whose rows a GPU can read once.
        for (vocab, fit) in [(300_000, 1024), (196_608, 1664)] {
            let policy = Policy::random(&device, config(vocab), Seed::new(5)).unwrap();
            let token = |i: usize| (i * 7919 % vocab) as u32;
            let (tokens, targets): (Vec<u32>, Vec<u32>) = ((0..=ROWS).map(token).collect(), (1..=ROWS).map(token).collect());
            let batch = Batch::new(&policy, &tokens, &[0, ROWS + 1], &(0..ROWS).collect::<Vec<_>>(), &targets).unwrap();
            let of_row = |row: usize| (row % 13) as f32 / 13.0 - 0.4;
            let mut acts = Activations::new(&device, policy.config(), tokens.len()).unwrap();
            let mut run = |ends: &[usize]| {
                let (mut gradient, mut seen) = (WeightGradient::new(&policy).unwrap(), Vec::new());
                let scores = training::forward_backward(&policy, &mut acts, &batch, 1.0, ends, &mut gradient, |rows, scores| {
                    assert_eq!(scores.logprobs.len(), rows.len());
                    seen.push(rows.clone());
                    Ok::<_, ModelError>(rows.map(of_row).collect())
                });
                (scores.unwrap(), gradient.view().to_vec().unwrap(), seen)
            };
            let (scores, grads, seen) = run(&[ROWS]);
            assert_eq!(seen, std::slice::from_ref(&(0..ROWS)));
            let (scores_by_runs, grads_by_runs, seen) = run(&(1..=ROWS).collect::<Vec<_>>());
            assert_eq!(seen, [0..fit, fit..ROWS]);
            let mut errors = Errors::new(tolerance);
            errors.compare("log-probabilities", &scores_by_runs.logprobs, &scores.logprobs);
            errors.compare("gradient", &grads_by_runs, &grads);
        }
    }
}
