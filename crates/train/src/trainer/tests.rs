use ruminate_compute::Device;
use ruminate_core::Seed;
use ruminate_model::{Architecture, Checkpoint, ModelConfig, Policy, RopeScaling, SaveDtype, tiny_tokenizer};

use super::*;
use crate::losses::{SftOutputs, sft_loss, weighted_sft_loss};
use crate::packing::{MaskedSequence, Sequence, pack, pack_masked};

const CONFIG: OptimizerConfig = OptimizerConfig { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 };

fn policy() -> Policy {
    let config = ModelConfig {
        architecture: Architecture::Qwen3,
        hidden: 24,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        head_dim: 8,
        ffn: 40,
        vocab: 30,
        max_positions: 64,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        rms_norm_eps: 1e-5,
        tied: false,
        qkv_bias: false,
        qk_norm: true,
        sliding_window: None,
        bos: None,
        eos: vec![0],
    };
    Policy::random(&Device::Cpu, config, Seed::new(3)).unwrap()
}

fn documents() -> Vec<Vec<u32>> {
    (0..8_u32).map(|i| (0..6 + 3 * i).map(|j| (i * 5 + j * j * 3) % 30).collect()).collect()
}

/// Adds the gradient of the mean negative log-likelihood, in microbatches of at most `max_tokens`; returns the loss.
fn accumulate(policy: &Policy, trainer: &mut Trainer, documents: &[Vec<u32>], max_tokens: usize) -> f64 {
    let sequences: Vec<Sequence<'_>> = documents.iter().map(|ids| Sequence { prompt_ids: &ids[..2], completion_ids: &ids[2..] }).collect();
    let n_trained = sequences.iter().map(|sequence| sequence.completion_ids.len()).sum();
    let mut loss = 0.0;
    for packed in pack(&sequences, max_tokens).unwrap() {
        loss += trainer
            .accumulate(policy, &packed, 1.0, SumOver::Tokens, |_, scores| {
                let SftOutputs { loss, dlogprobs } = sft_loss(&scores.logprobs, n_trained);
                MicrobatchLoss { loss, dlogprobs, metrics: () }
            })
            .unwrap()
            .loss;
    }
    loss
}

#[test]
fn gradient_agrees_with_finite_differences_along_random_directions() {
    let mut policy = policy();
    let mut trainer = Trainer::new(&policy, CONFIG).unwrap();
    accumulate(&policy, &mut trainer, &documents(), 1000);
    let gradient = trainer.grads().to_vec().unwrap();
    let weights = policy.flat().to_vec().unwrap();
    for direction_idx in 0..4 {
        let seed = Seed::new(7).with_index(direction_idx);
        let direction: Vec<f32> = (0..weights.len() as u64).map(|i| seed.with_index(i).uniform() as f32 - 0.5).collect();
        let expected: f64 = gradient.iter().zip(&direction).map(|(&g, &d)| f64::from(g) * f64::from(d)).sum();
        let mut loss_at = |step: f32| {
            let moved: Vec<f32> = weights.iter().zip(&direction).map(|(w, d)| w + step * d).collect();
            policy.write_flat(|mut flat| flat.copy_from_host(&moved));
            accumulate(&policy, &mut Trainer::new(&policy, CONFIG).unwrap(), &documents(), 1000)
        };
        let found = (loss_at(1e-3) - loss_at(-1e-3)) / 2e-3;
        assert!((found - expected).abs() < 1e-2 * expected.abs().max(0.1), "direction {direction_idx}: {found} and {expected}");
    }
}

#[test]
fn microbatches_add_up_to_the_batch() {
    let policy = policy();
    let gradient = |max_tokens| {
        let mut trainer = Trainer::new(&policy, CONFIG).unwrap();
        let loss = accumulate(&policy, &mut trainer, &documents(), max_tokens);
        (loss, trainer.grads().to_vec().unwrap())
    };
    let (loss, whole) = gradient(1000);
    let (split_loss, split) = gradient(1);
    assert!((loss - split_loss).abs() < 1e-6, "{loss} and {split_loss}");
    let norm = |x: &[f32]| x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let difference: Vec<f32> = whole.iter().zip(&split).map(|(a, b)| a - b).collect();
    assert!(norm(&difference) < 1e-5 * norm(&whole), "{} of {}", norm(&difference), norm(&whole));
}

#[test]
fn recomputed_blocks_have_the_same_gradient_to_the_bit() {
    let policy = policy();
    let gradient = |recompute_layers| {
        let mut trainer = Trainer::recomputing(&policy, CONFIG, recompute_layers).unwrap();
        // Several microbatches, so that shared memory holds what another one left.
        let loss = accumulate(&policy, &mut trainer, &documents(), 64);
        (loss.to_bits(), trainer.grads().to_vec().unwrap().iter().map(|g| g.to_bits()).collect::<Vec<_>>())
    };
    let kept = gradient(0);
    assert!(kept.1.iter().any(|&g| f32::from_bits(g).abs() > 1e-3));
    for recompute_layers in [1, 2, 100] {
        assert!(gradient(recompute_layers) == kept, "{recompute_layers} blocks of {} made again", policy.config().n_layers);
    }
}

#[test]
fn steps_lower_the_loss_and_leave_nothing_of_the_gradient() {
    let mut policy = policy();
    let mut trainer = Trainer::new(&policy, CONFIG).unwrap();
    let first = accumulate(&policy, &mut trainer, &documents(), 64);
    for _ in 0..60 {
        trainer.step(&mut policy, 1e-2).unwrap();
        accumulate(&policy, &mut trainer, &documents(), 64);
    }
    let mut fresh = Trainer::new(&policy, CONFIG).unwrap();
    let last = accumulate(&policy, &mut fresh, &documents(), 64);
    assert!(first > 3.3 && last < 0.5, "{first} -> {last}");
    assert_eq!(trainer.n_steps(), 60);
    assert_eq!(trainer.grads().to_vec().unwrap(), fresh.grads().to_vec().unwrap());
    trainer.step(&mut policy, 1e-2).unwrap();
    assert!(trainer.grads().to_vec().unwrap().iter().all(|&g| g == 0.0), "a sum of nothing");
}

#[test]
fn a_loss_or_gradient_that_is_not_finite_touches_no_weight() {
    let mut policy = policy();
    let before = policy.flat().to_vec().unwrap();
    let mut trainer = Trainer::new(&policy, CONFIG).unwrap();
    let ids = [1, 2, 3, 4];
    let packed = &pack(&[Sequence { prompt_ids: &ids[..1], completion_ids: &ids[1..] }], 10).unwrap()[0];
    let mut attempt = |loss: f64, gradient: f32| {
        trainer.accumulate(&policy, packed, 1.0, SumOver::Sequences, |_, scores| MicrobatchLoss {
            loss,
            dlogprobs: vec![gradient; scores.logprobs.len()],
            metrics: (),
        })
    };
    let error = attempt(f64::NAN, 1.0).unwrap_err();
    assert!(matches!(&error, TrainError::NonFiniteLoss { sequences, .. } if sequences == &[0]), "{error}");
    assert!(attempt(1.0, f32::INFINITY).is_err());
    // A finite derivative can still overflow on the way back.
    attempt(1.0, f32::MAX).unwrap();
    let error = trainer.step(&mut policy, 1e-3).unwrap_err();
    assert!(matches!(error, TrainError::NonFiniteGradient { .. }), "{error}");
    assert_eq!(policy.flat().to_vec().unwrap(), before);
    assert_eq!(trainer.n_steps(), 0);
}

#[test]
fn a_failed_microbatch_leaves_nothing_of_the_step_before() {
    let mut policy = policy();
    let mut trainer = Trainer::new(&policy, CONFIG).unwrap();
    accumulate(&policy, &mut trainer, &documents(), 64);
    trainer.step(&mut policy, 1e-2).unwrap();
    let packed = &pack(&[Sequence { prompt_ids: &[1], completion_ids: &[2, 3] }], 10).unwrap()[0];
    let fails = |_: &Part<'_>, scores: &TokenScores| {
        let dlogprobs = vec![0.0; scores.logprobs.len()];
        MicrobatchLoss { loss: f64::NAN, dlogprobs, metrics: () }
    };
    trainer.accumulate(&policy, packed, 1.0, SumOver::Tokens, fails).unwrap_err();
    accumulate(&policy, &mut trainer, &documents(), 64);
    let mut fresh = Trainer::new(&policy, CONFIG).unwrap();
    accumulate(&policy, &mut fresh, &documents(), 64);
    assert_eq!(trainer.grads().to_vec().unwrap(), fresh.grads().to_vec().unwrap());
    trainer.step(&mut policy, 1e-2).unwrap();
    trainer.accumulate(&policy, packed, 1.0, SumOver::Tokens, fails).unwrap_err();
    assert!(trainer.grads().to_vec().unwrap().iter().all(|&g| g == 0.0));
}

#[test]
#[should_panic(expected = "found a frozen one")]
fn a_frozen_policy_gets_no_trainer() {
    let dir = tempfile::tempdir().unwrap();
    let pieces: Vec<String> = (0..29_u8).map(|i| char::from(b'A' + i).to_string()).collect();
    policy().save(&dir.path().join("model"), &tiny_tokenizer(&pieces).unwrap(), None, SaveDtype::F32).unwrap();
    let frozen = Policy::load_frozen(&Device::Cpu, &Checkpoint::open(&dir.path().join("model")).unwrap()).unwrap();
    let _ = Trainer::new(&frozen, CONFIG);
}

/// A conversation of the golden file.
#[derive(serde::Deserialize)]
struct Conversation {
    token_ids: Vec<u32>,
    is_trained: Vec<bool>,
    weight: f32,
}

/// `tests/golden/sft_losses.json`.
#[derive(serde::Deserialize)]
struct Golden {
    conversations: Vec<Conversation>,
    loss: f64,
    grads: std::collections::BTreeMap<String, GoldenGradient>,
}

#[derive(serde::Deserialize)]
struct GoldenGradient {
    norm: f64,
    product: f64,
}

/// The small Llama of the golden numbers.
fn golden_policy() -> Policy {
    let bytes = include_bytes!("../../../../tests/golden/models/llama.safetensors");
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes).unwrap();
    let config = ModelConfig::from_hf_json(&serde_json::from_str(&header.metadata().as_ref().unwrap()["config"]).unwrap()).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let mut weights: Vec<f32> = Vec::new();
    for spec in config.tensors() {
        let tensor = tensors.tensor(&format!("weight.{}", spec.name)).unwrap();
        weights.extend(tensor.data().chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().unwrap())));
    }
    let mut policy = Policy::random(&Device::Cpu, config, Seed::new(0)).unwrap();
    policy.write_flat(|mut flat| flat.copy_from_host(&weights));
    policy
}

#[test]
fn masked_loss_agrees_with_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("../../../../tests/golden/sft_losses.json")).unwrap();
    let policy = golden_policy();
    let sequences: Vec<MaskedSequence<'_>> =
        golden.conversations.iter().map(|c| MaskedSequence { token_ids: &c.token_ids, is_trained: &c.is_trained }).collect();
    let n_trained = |c: &Conversation| c.is_trained.iter().filter(|&&trained| trained).count();
    let total_weight: f64 = golden.conversations.iter().map(|c| f64::from(c.weight) * n_trained(c) as f64).sum();
    // All in one batch, two in one, each alone.
    for max_tokens in [100, 30, 1] {
        let mut trainer = Trainer::new(&policy, CONFIG).unwrap();
        let mut batch_loss = 0.0;
        for packed in pack_masked(&sequences, max_tokens).unwrap() {
            let weight = |s: usize| std::iter::repeat_n(golden.conversations[packed.sequence_idx[s]].weight, packed.rows(s).len());
            let weights: Vec<f32> = (0..packed.n_sequences()).flat_map(weight).collect();
            let loss = |part: &Part<'_>, scores: &TokenScores| {
                let SftOutputs { loss, dlogprobs } = weighted_sft_loss(&scores.logprobs, &weights[part.rows.clone()], total_weight);
                MicrobatchLoss { loss, dlogprobs, metrics: () }
            };
            batch_loss += trainer.accumulate(&policy, &packed, 1.0, SumOver::Tokens, loss).unwrap().loss;
        }
        assert!((batch_loss - golden.loss).abs() < 1e-5 * golden.loss, "{batch_loss} and {}", golden.loss);
        let grads = trainer.grads().to_vec().unwrap();
        let mut start = 0;
        for spec in policy.config().tensors() {
            let grad = &grads[start..start + spec.n_elements()];
            start += spec.n_elements();
            let expected = &golden.grads[&spec.name];
            let direction = |i: usize| (i * 37 % 101) as f64 / 101.0 - 0.5;
            let norm = grad.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
            let product: f64 = grad.iter().enumerate().map(|(i, &g)| f64::from(g) * direction(i)).sum();
            let room = 1e-4 * expected.norm * (spec.n_elements() as f64).sqrt();
            assert!((norm - expected.norm).abs() < 1e-4 * expected.norm, "{}: {norm} and {}", spec.name, expected.norm);
            assert!((product - expected.product).abs() < room, "{}: {product} and {}", spec.name, expected.product);
        }
    }
}
