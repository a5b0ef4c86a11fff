//! Small random reward models of every family: scores, loss and every gradient; and their folders.

use std::path::Path;

use ruminate_compute::Device;
use ruminate_core::Seed;
use ruminate_model::training::{self, Activations, Batch, WeightGradient};
use ruminate_model::{
    Architecture, Checkpoint, ModelConfig, Policy, Reads, RewardInfo, RewardModel, RopeScaling, SaveDtype, Tokenizer, tiny_tokenizer,
};

use crate::golden::{Errors, Golden, TOLERANCE};

fn tokenizer(n_pieces: usize) -> Tokenizer {
    let pieces: Vec<String> = (0..n_pieces as u8).map(|i| char::from(b'0' + i).to_string()).collect();
    tiny_tokenizer(&pieces).unwrap()
}

const INFO: RewardInfo = RewardInfo { reads: Reads::Summary, template: String::new(), mean: 0.25, std: 1.5 };

/// A reward model with these weights, score head last, by way of its folder.
fn with_weights(dir: &Path, config: &ModelConfig, weights: &[f32]) -> RewardModel {
    let tokenizer = tokenizer(config.vocab - 1);
    let policy = Policy::random(&Device::Cpu, config.clone(), Seed::new(0)).unwrap();
    policy.save(&dir.join("writer"), &tokenizer, None, SaveDtype::F32).unwrap();
    let mut model = RewardModel::start(&Device::Cpu, &Checkpoint::open(&dir.join("writer")).unwrap(), Seed::new(1)).unwrap();
    model.policy_mut().write_flat(|mut flat| flat.copy_from_host(weights));
    model.save(&dir.join("reward"), &tokenizer, None, &INFO, SaveDtype::F32).unwrap();
    RewardModel::load_frozen(&Device::Cpu, &Checkpoint::open(&dir.join("reward")).unwrap()).unwrap()
}

fn check(name: &str) {
    let bytes = std::fs::read(Golden::path("reward_models", name)).unwrap();
    let golden = Golden::parse(&bytes);
    let config = ModelConfig { eos: vec![golden.config.vocab as u32 - 1], bos: None, ..golden.config.clone() };
    assert!(config.tied, "a classifier has no head for tokens");
    let names: Vec<String> = config.tensors().into_iter().map(|spec| spec.name).chain(["score.weight".to_owned()]).collect();
    let weights: Vec<f32> = names.iter().flat_map(|name| golden.floats(&format!("weight.{name}"))).collect();
    let dir = tempfile::tempdir().unwrap();
    let model = with_weights(dir.path(), &config, &weights);
    assert_eq!(model.policy().flat().to_vec().unwrap(), weights);

    let tokens = golden.ids("tokens");
    let batch = Batch::of_ends(model.policy(), &tokens, &golden.indices("cu_seqlens")).unwrap();
    let mut acts = Activations::new(&Device::Cpu, model.policy().config(), 0).unwrap();
    let scores = training::forward_scores(&model, &mut acts, &batch).unwrap();
    let mut errors = Errors::new(TOLERANCE);
    errors.compare("scores", &scores, &golden.floats("scores"));
    // Bradley-Terry: -log sigma(chosen - rejected), the mean over pairs.
    let n_pairs = scores.len() as f32 / 2.0;
    let wrong = |pair: &[f32]| 1.0 / (1.0 + (pair[0] - pair[1]).exp());
    let loss: f32 = scores.chunks(2).map(|pair| -(1.0 - wrong(pair)).ln() / n_pairs).sum();
    errors.compare("loss", &[loss], &golden.floats("loss"));
    let dscores: Vec<f32> = scores.chunks(2).flat_map(|pair| [-wrong(pair) / n_pairs, wrong(pair) / n_pairs]).collect();
    let mut gradient = WeightGradient::new(model.policy()).unwrap();
    training::backward_scores(&model, &mut acts, &batch, &dscores, &mut gradient).unwrap();
    // The second sum must hold nothing of the first.
    gradient.restart();
    assert_eq!(training::forward_scores(&model, &mut acts, &batch).unwrap(), scores);
    training::backward_scores(&model, &mut acts, &batch, &dscores, &mut gradient).unwrap();
    let grads = gradient.view().to_vec().unwrap();
    let mut start = 0;
    for name in &names {
        let expected = golden.floats(&format!("grad.{name}"));
        errors.compare(name, &grads[start..start + expected.len()], &expected);
        start += expected.len();
    }
    assert_eq!(start, grads.len());
}

#[test]
fn llama_as_a_reward_model() {
    check("llama");
}

#[test]
fn qwen2_as_a_reward_model() {
    check("qwen2");
}

#[test]
fn qwen3_as_a_reward_model() {
    check("qwen3");
}

fn config() -> ModelConfig {
    ModelConfig {
        architecture: Architecture::Qwen3,
        hidden: 16,
        n_layers: 1,
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

#[test]
fn a_writer_becomes_a_reward_model_and_neither_is_taken_for_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy::random(&Device::Cpu, config(), Seed::new(3)).unwrap();
    policy.save(&dir.path().join("writer"), &tokenizer(10), None, SaveDtype::F32).unwrap();
    let writer = Checkpoint::open(&dir.path().join("writer")).unwrap();
    let model = RewardModel::start(&Device::Cpu, &writer, Seed::new(4)).unwrap();
    // The head for tokens is left out, the score head stands in its place.
    assert_eq!(model.policy().n_parameters(), policy.n_parameters() - 11 * 16 + 16);
    let n = model.policy().n_parameters() - 16;
    assert_eq!(model.policy().flat().to_vec().unwrap()[..n], policy.flat().to_vec().unwrap()[..n]);
    assert_ne!(model.policy().flat().to_vec().unwrap()[n..], [0.0; 16]);

    model.save(&dir.path().join("reward"), &tokenizer(10), None, &INFO, SaveDtype::F32).unwrap();
    let saved = Checkpoint::open(&dir.path().join("reward")).unwrap();
    let head = saved.reward_head.clone().unwrap();
    assert_eq!((head.pad, head.info), (Some(10), Some(INFO)));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.path().join("reward/config.json")).unwrap()).unwrap();
    assert_eq!(json["architectures"][0], "Qwen3ForSequenceClassification");
    assert_eq!((&json["id2label"], &json["pad_token_id"]), (&serde_json::json!({ "0": "score" }), &10.into()));
    let error = Policy::load(&Device::Cpu, &saved).unwrap_err().to_string();
    assert!(error.contains("expected a model that writes") || error.contains("reward"), "{error}");
    assert!(RewardModel::load_frozen(&Device::Cpu, &writer).is_err());
    // Training can start from a reward model too; its head is made anew.
    let again = RewardModel::start(&Device::Cpu, &saved, Seed::new(4)).unwrap();
    assert_eq!(again.policy().flat().to_vec().unwrap(), model.policy().flat().to_vec().unwrap());
}

#[test]
fn damaged_heads_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy::random(&Device::Cpu, config(), Seed::new(3)).unwrap();
    policy.save(&dir.path().join("writer"), &tokenizer(10), None, SaveDtype::F32).unwrap();
    let model = RewardModel::start(&Device::Cpu, &Checkpoint::open(&dir.path().join("writer")).unwrap(), Seed::new(4)).unwrap();
    model.save(&dir.path().join("reward"), &tokenizer(10), None, &INFO, SaveDtype::F32).unwrap();
    let path = dir.path().join("reward/config.json");
    let good = std::fs::read_to_string(&path).unwrap();
    for (from, to, message) in [
        ("\"std\": 1.5", "\"std\": 0.0", "std above 0"),
        ("\"reads\": \"summary\"", "\"reads\": \"titles\"", "ruminate_reward"),
        ("\"hidden_size\": 16", "\"hidden_size\": 18", "expected shape"),
    ] {
        std::fs::write(&path, good.replace(from, to)).unwrap();
        let error = chain(&Checkpoint::open(&dir.path().join("reward")).unwrap_err());
        assert!(error.contains(message), "{from}: {error}");
    }
    // A writer's weights under a classifier's configuration.
    std::fs::write(&path, good).unwrap();
    std::fs::copy(dir.path().join("writer/model.safetensors"), dir.path().join("reward/model.safetensors")).unwrap();
    let error = chain(&Checkpoint::open(&dir.path().join("reward")).unwrap_err());
    assert!(error.contains("score.weight is missing"), "{error}");
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[test]
fn scores_depend_neither_on_the_batch_nor_on_padding_behind_the_text() {
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy::random(&Device::Cpu, config(), Seed::new(3)).unwrap();
    policy.save(&dir.path().join("writer"), &tokenizer(10), None, SaveDtype::F32).unwrap();
    let model = RewardModel::start(&Device::Cpu, &Checkpoint::open(&dir.path().join("writer")).unwrap(), Seed::new(4)).unwrap();
    let score = |tokens: &[u32], cu: &[usize]| {
        let batch = Batch::of_ends(model.policy(), tokens, cu).unwrap();
        let mut acts = Activations::new(&Device::Cpu, model.policy().config(), 0).unwrap();
        training::forward_scores(&model, &mut acts, &batch).unwrap()
    };
    let together = score(&[1, 2, 3, 4, 5, 6, 7], &[0, 3, 4, 7]);
    let alone = [score(&[1, 2, 3], &[0, 3]), score(&[4], &[0, 1]), score(&[5, 6, 7], &[0, 3])].concat();
    assert_eq!(together, alone);
    assert_eq!(model.scored(&[1, 2, 10, 10]), [1, 2]);
    assert_eq!(model.scored(&[10, 10]), [10]);
    assert_eq!(model.scored(&[]), [0_u32; 0]);
    // Longer than the context: the end is read.
    let long: Vec<u32> = (0..20).map(|i| i % 10).collect();
    assert_eq!(model.scored(&long), &long[8..]);
    assert!(Batch::of_ends(model.policy(), &[1], &[0, 1, 1]).is_err());
}
