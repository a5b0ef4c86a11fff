use ruminate_compute::{CudaOptions, DeviceKind, Precision};

use super::*;
use crate::{Architecture, RopeScaling, tiny_tokenizer};

fn config() -> ModelConfig {
    ModelConfig {
        architecture: Architecture::Qwen3,
        hidden: 16,
        n_layers: 2,
        n_heads: 2,
        n_kv_heads: 1,
        head_dim: 8,
        ffn: 24,
        vocab: 11,
        max_positions: 12,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        rms_norm_eps: 1e-5,
        tied: false,
        qkv_bias: false,
        qk_norm: true,
        sliding_window: None,
        bos: None,
        eos: vec![10],
    }
}

/// The CPU, and the first GPU in bf16 if there is one.
fn devices() -> Vec<Device> {
    let mut devices = vec![Device::Cpu];
    match Device::cuda(CudaOptions::default()) {
        Ok(device) => devices.push(device),
        Err(error) => println!("skipped on cuda: {error}"),
    }
    devices
}

/// A folder with random weights in f32.
fn saved() -> (tempfile::TempDir, Checkpoint) {
    let dir = tempfile::tempdir().unwrap();
    let pieces: Vec<String> = (0..10_u8).map(|i| char::from(b'0' + i).to_string()).collect();
    let policy = Policy::random(&Device::Cpu, config(), Seed::new(1)).unwrap();
    policy.save(&dir.path().join("model"), &tiny_tokenizer(&pieces).unwrap(), None, SaveDtype::F32).unwrap();
    let checkpoint = Checkpoint::open(&dir.path().join("model")).unwrap();
    (dir, checkpoint)
}

/// The weights that forwards read.
fn working(policy: &Policy) -> Vec<f32> {
    policy.weights.to_vec().unwrap()
}

#[test]
fn a_frozen_policy_computes_with_the_weights_of_one_for_training_and_has_no_master() {
    let (_dir, checkpoint) = saved();
    for device in devices() {
        let trained = Policy::load(&device, &checkpoint).unwrap();
        let frozen = Policy::load_frozen(&device, &checkpoint).unwrap();
        assert_eq!((trained.is_frozen(), frozen.is_frozen()), (false, true));
        assert_eq!((trained.master.is_some(), frozen.master.is_some()), (device.float_bytes() == 2, false));
        assert_eq!(working(&frozen), working(&trained), "{}", device.name());
        assert_eq!(frozen.flat().to_vec().unwrap(), working(&frozen));
    }
}

#[test]
fn a_reference_takes_over_the_weights_that_the_policy_computes_with() {
    let (_dir, checkpoint) = saved();
    for device in devices() {
        let mut policy = Policy::load(&device, &checkpoint).unwrap();
        let mut reference = Policy::load_frozen(&device, &checkpoint).unwrap();
        let before = working(&reference);
        let moved: Vec<f32> = policy.flat().to_vec().unwrap().iter().map(|w| 1.1 * w + 0.01).collect();
        policy.write_flat(|mut flat| flat.copy_from_host(&moved));
        reference.copy_weights_from(&policy).unwrap();
        assert_eq!(working(&reference), working(&policy), "{}", device.name());
        assert_ne!(working(&reference), before);
        // What was read from it and is written back is the same to the bit, as after a restart.
        let kept = reference.flat().to_vec().unwrap();
        let mut again = Policy::load_frozen(&device, &checkpoint).unwrap();
        again.write_flat(|mut flat| flat.copy_from_host(&kept));
        assert_eq!(working(&again), working(&reference));
    }
}

#[test]
#[should_panic(expected = "found one for training")]
fn weights_are_not_copied_beside_a_master() {
    let mut policy = Policy::random(&Device::Cpu, config(), Seed::new(1)).unwrap();
    let other = Policy::random(&Device::Cpu, config(), Seed::new(2)).unwrap();
    let _ = policy.copy_weights_from(&other);
}

#[test]
#[should_panic(expected = "found a frozen one")]
fn an_optimizer_is_not_given_frozen_weights() {
    Policy::zeros(&Device::Cpu, config(), 0, Purpose::Inference).unwrap().flat_and_working();
}

#[test]
fn a_master_is_counted_where_weights_are_trained_in_another_format() {
    let (config, gpu) = (config(), |precision| DeviceKind::Cuda { precision, memory_bytes: None });
    for (kind, trained, frozen) in [(DeviceKind::Cpu, 4, 4), (gpu(Precision::F32), 4, 4), (gpu(Precision::Bf16), 6, 2)] {
        let found = [Memory::of_weights(kind, &config), Memory::of_frozen_weights(kind, &config)];
        let expected = [trained, frozen].map(|bytes| Memory { weights: bytes * config.n_parameters(), ..found[0] });
        assert_eq!(found, expected, "{}", kind.name());
    }
}
