//! Alone or in a batch, large cache or small, sampling or training: the same tokens and the same bits.

use std::collections::BTreeMap;

use ruminate_compute::{CudaOptions, Device, Precision};
use ruminate_core::{Completion, FinishReason, PolicyVersion, Seed};
use ruminate_model::training::{self, Activations, Batch};
use ruminate_model::{Architecture, ModelConfig, Policy, RopeScaling, Tokenizer, tiny_tokenizer};
use ruminate_rollout::{Engine, EngineLimits, Event, Request, SamplingParams};

pub(crate) const VOCAB: usize = 60;

pub(crate) fn config(architecture: Architecture) -> ModelConfig {
    ModelConfig {
        architecture,
        hidden: 40,
        n_layers: 3,
        n_heads: 6,
        n_kv_heads: 2,
        head_dim: 16,
        ffn: 72,
        vocab: VOCAB,
        max_positions: 256,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        rms_norm_eps: 1e-5,
        tied: architecture != Architecture::Qwen3,
        qkv_bias: architecture == Architecture::Qwen2,
        qk_norm: architecture == Architecture::Qwen3,
        sliding_window: None,
        bos: None,
        eos: vec![0],
    }
}

/// The same with heads that a GPU has tensor cores for.
fn config_of_wide_heads(architecture: Architecture) -> ModelConfig {
    ModelConfig { hidden: 64, head_dim: 64, ffn: 136, ..config(architecture) }
}

/// A random policy whose distributions are far from uniform.
pub(crate) fn policy(architecture: Architecture) -> Policy {
    policy_on(&Device::Cpu, config(architecture))
}

fn policy_on(device: &Device, config: ModelConfig) -> Policy {
    let mut policy = Policy::random(device, config, Seed::new(5)).unwrap();
    let mut weights = policy.flat().to_vec().unwrap();
    weights.iter_mut().for_each(|w| *w *= 6.0);
    policy.write_flat(|mut flat| flat.copy_from_host(&weights));
    policy
}

pub(crate) fn tokenizer() -> Tokenizer {
    let pieces: Vec<String> = (0..VOCAB - 1).map(|i| char::from_u32(0x4E00 + i as u32).unwrap().to_string()).collect();
    tiny_tokenizer(&pieces).unwrap()
}

pub(crate) fn limits(max_batch: usize) -> EngineLimits {
    EngineLimits { max_batch, max_sequence: 120, max_cache_bytes: 1 << 30 }
}

fn request(problem: usize, n_samples: u32, params: SamplingParams) -> Request {
    let length = [1, 2, 15, 16, 17, 31, 33, 40][problem % 8];
    let prompt_ids = (0..length).map(|i| ((i * 7 + problem * 3) % (VOCAB - 1) + 1) as u32).collect();
    Request { key: Seed::new(9).with_index(problem as u64), prompt_ids, n_samples, max_new_tokens: 30 + problem, params, stop: Vec::new() }
}

pub(crate) fn generate(policy: &Policy, limits: EngineLimits, requests: &[Request]) -> BTreeMap<(usize, u32), Completion> {
    let mut engine = Engine::new(policy, limits).unwrap();
    let mut completions = BTreeMap::new();
    let stats = engine
        .generate(policy, PolicyVersion(3), &tokenizer(), requests, &mut |event| {
            if let Event::Finished { request_idx, sample_idx, completion } = event {
                assert!(completions.insert((request_idx, sample_idx), completion).is_none(), "each sample finishes once");
            }
        })
        .unwrap();
    assert_eq!(stats.n_sampled, completions.values().map(|c| c.token_ids.len()).sum::<usize>());
    assert_eq!(stats.n_prefilled, requests.iter().map(|r| r.prompt_ids.len() - 1).sum::<usize>(), "each prompt is prefilled once");
    completions
}

#[test]
fn one_problem_alone_equals_the_same_problem_in_a_batch_of_64() {
    check_alone_and_together(&policy(Architecture::Llama), 1);
    for device in deterministic_devices() {
        for config in [config, config_of_wide_heads] {
            check_alone_and_together(&policy_on(&device, config(Architecture::Qwen2)), 3);
        }
    }
}

/// Holds every `every`-th problem of a batch against itself alone.
fn check_alone_and_together(policy: &Policy, every: usize) {
    for params in [
        SamplingParams::default(),
        SamplingParams { temperature: 0.6, top_p: 0.95, ..SamplingParams::default() },
        SamplingParams { top_k: 5, min_p: 0.05, ..SamplingParams::default() },
        SamplingParams { temperature: 0.0, ..SamplingParams::default() },
    ] {
        let requests: Vec<Request> = (0..16).map(|problem| request(problem, 4, params)).collect();
        let together = generate(policy, limits(64), &requests);
        assert_eq!(together.len(), 64);
        for (request_idx, request) in requests.iter().enumerate().step_by(every) {
            let alone = generate(policy, limits(1), &[Request { n_samples: 4, ..request.clone() }]);
            for sample_idx in 0..4 {
                assert_eq!(
                    alone[&(0, sample_idx)],
                    together[&(request_idx, sample_idx)],
                    "problem {request_idx}, sample {sample_idx}, {params:?}"
                );
            }
        }
        let distinct: std::collections::BTreeSet<_> = together.values().map(|c| c.token_ids.clone()).collect();
        assert!(distinct.len() > if params.temperature > 0.0 { 30 } else { 8 }, "{} distinct completions", distinct.len());
    }
}

#[test]
fn a_small_cache_changes_the_order_but_not_the_result() {
    let policy = policy(Architecture::Llama);
    let n_samples = |problem| if problem % 3 == 0 { 1 } else { 5 };
    let requests: Vec<Request> = (0..12).map(|problem| request(problem, n_samples(problem), SamplingParams::default())).collect();
    let roomy = generate(&policy, limits(60), &requests);
    // A page of this model takes 2 · 3 layers · 2 heads · 16 · 16 positions · 4 bytes = 12 KiB; 20 pages hold two to five sequences.
    let cramped = generate(&policy, EngineLimits { max_cache_bytes: 20 * 12 * 1024, ..limits(60) }, &requests);
    assert_eq!(roomy, cramped);
}

/// The devices, with the largest and the mean difference between a log-probability at sampling and that of the training forward.
/// In bf16 the weights of this test, six times as large as usual, make much of every rounding.
fn devices() -> Vec<(Device, [f32; 2])> {
    let mut devices = vec![(Device::Cpu, [0.0; 2])];
    devices.extend(deterministic_devices().into_iter().map(|device| (device, [0.0; 2])));
    for (precision, tolerance) in [(Precision::F32, [1e-3, 1e-4]), (Precision::Bf16, [5.0, 0.2])] {
        match Device::cuda(CudaOptions { precision, ..CudaOptions::default() }) {
            Ok(device) => devices.push((device, tolerance)),
            Err(error) => println!("skipped on cuda, {precision:?}: {error}"),
        }
    }
    devices
}

/// A GPU that promises the same bits in sampling and training, in any batch.
fn deterministic_devices() -> Vec<Device> {
    let open = |precision| match Device::cuda(CudaOptions { precision, deterministic: true, ..CudaOptions::default() }) {
        Ok(device) => Some(device),
        Err(error) => {
            println!("skipped on cuda, deterministic, {precision:?}: {error}");
            None
        }
    };
    [Precision::F32, Precision::Bf16].into_iter().filter_map(open).collect()
}

#[test]
fn logprobs_at_sampling_equal_those_of_the_training_forward() {
    for (device, tolerance) in devices() {
        check_logprobs(&device, tolerance);
    }
}

fn check_logprobs(device: &Device, tolerance: [f32; 2]) {
    let shapes = [Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3].map(|a| [config(a), config_of_wide_heads(a)]);
    // What roundings make of wide heads is known for devices without any difference only.
    for config in shapes.concat().into_iter().filter(|config| tolerance[0] == 0.0 || config.head_dim == 16) {
        for temperature in [1.0, 0.7] {
            let (architecture, size) = (config.architecture, config.head_dim);
            let policy = policy_on(device, config.clone());
            let params = SamplingParams { temperature, ..SamplingParams::default() };
            let requests: Vec<Request> = (0..8).map(|problem| request(problem, 3, params)).collect();
            let completions = generate(&policy, limits(24), &requests);
            // All sequences packed into one batch.
            let (mut tokens, mut borders, mut rows, mut targets, mut sampled) = (vec![], vec![0], vec![], vec![], vec![]);
            for ((request_idx, _), completion) in &completions {
                let prompt = &requests[*request_idx].prompt_ids;
                rows.extend((0..completion.token_ids.len()).map(|i| tokens.len() + prompt.len() - 1 + i));
                tokens.extend(prompt.iter().chain(&completion.token_ids).copied());
                targets.extend_from_slice(&completion.token_ids);
                borders.push(tokens.len());
                sampled.extend_from_slice(&completion.rollout_logprobs);
            }
            let batch = Batch::new(&policy, &tokens, &borders, &rows, &targets).unwrap();
            let mut activations = Activations::new(policy.device(), policy.config(), 0).unwrap();
            let scores = training::forward(&policy, &mut activations, &batch, temperature).unwrap();
            let differences = || scores.logprobs.iter().zip(&sampled).map(|(a, b)| (a - b).abs());
            let found = [differences().fold(0.0, f32::max), differences().sum::<f32>() / sampled.len() as f32];
            let name = if tolerance[0] > 0.0 { "" } else { "deterministic, " };
            let what = format!(
                "{}, {name}{architecture:?}, heads of {size}, temperature {temperature}: largest and mean {found:?}",
                device.name()
            );
            println!("{what}");
            assert!(found[0] <= tolerance[0] && found[1] <= tolerance[1], "{what}, allowed {tolerance:?}");
            assert!(scores.logprobs.iter().any(|&l| l < -1.0), "the distributions are not degenerate");
        }
    }
}

#[test]
fn completions_end_at_eos_or_at_the_budget() {
    let policy = policy(Architecture::Llama);
    let requests: Vec<Request> = (0..8).map(|problem| request(problem, 8, SamplingParams::default())).collect();
    let completions = generate(&policy, limits(64), &requests);
    let mut n_stopped = 0;
    for ((request_idx, _), completion) in &completions {
        let ends_in_eos = completion.token_ids.last() == Some(&0);
        assert_eq!(completion.token_ids.iter().filter(|&&id| id == 0).count(), usize::from(ends_in_eos));
        match completion.finish_reason {
            FinishReason::Stop => assert!(ends_in_eos),
            FinishReason::Length => assert!(!ends_in_eos && completion.token_ids.len() == requests[*request_idx].max_new_tokens),
            FinishReason::Aborted => panic!("nothing was aborted"),
        }
        n_stopped += usize::from(ends_in_eos);
    }
    assert!((1..completions.len()).contains(&n_stopped), "both endings occur: {n_stopped} of {}", completions.len());
}
