use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Qwen2.5-0.5B's `config.json`, transformers 4 form.
fn qwen2() -> Value {
    json!({
        "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151643,
        "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02, "intermediate_size": 4864,
        "max_position_embeddings": 32768, "max_window_layers": 24, "model_type": "qwen2", "num_attention_heads": 14,
        "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1_000_000.0,
        "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_sliding_window": false,
        "vocab_size": 151_936
    })
}

/// Llama-3.2-1B-Instruct's `config.json`, transformers 4 form.
fn llama3() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "bos_token_id": 128_000,
        "eos_token_id": [128_001, 128_008, 128_009], "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048,
        "intermediate_size": 8192, "max_position_embeddings": 131_072, "mlp_bias": false, "model_type": "llama",
        "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": { "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3" },
        "rope_theta": 500_000.0, "tie_word_embeddings": true, "vocab_size": 128_256
    })
}

fn set(mut json: Value, key: &str, value: Value) -> Value {
    json[key] = value;
    json
}

fn without(mut json: Value, key: &str) -> Value {
    json.as_object_mut().unwrap().remove(key);
    json
}

fn message(json: &Value) -> String {
    ModelConfig::from_hf_json(json).unwrap_err().to_string()
}

#[test]
fn qwen2_of_transformers_4() {
    let config = ModelConfig::from_hf_json(&qwen2()).unwrap();
    assert_eq!((config.hidden, config.head_dim, config.n_kv_heads, config.ffn), (896, 64, 2, 4864));
    assert_eq!((config.qkv_bias, config.qk_norm, config.tied, config.sliding_window), (true, false, true, None));
    assert_eq!((config.rope_theta, config.rope_scaling.clone()), (1e6, RopeScaling::None));
    assert_eq!((config.bos, config.eos.as_slice()), (Some(151_643), [151_643].as_slice()));
    // The published size of Qwen2.5-0.5B.
    assert_eq!(config.n_parameters(), 494_032_768);
}

#[test]
fn llama3_of_transformers_4_and_5() {
    let config = ModelConfig::from_hf_json(&llama3()).unwrap();
    let scaling = RopeScaling::Llama3 { factor: 32.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_position: 8192 };
    assert_eq!((config.rope_theta, &config.rope_scaling), (5e5, &scaling));
    assert_eq!(config.eos, [128_001, 128_008, 128_009]);
    assert_eq!(config.n_parameters(), 1_235_814_400);

    let mut parameters = llama3()["rope_scaling"].clone();
    parameters["rope_theta"] = json!(500_000.0);
    let v5 = set(without(without(llama3(), "rope_scaling"), "rope_theta"), "rope_parameters", parameters);
    assert_eq!(ModelConfig::from_hf_json(&v5).unwrap(), config);
}

#[test]
fn absent_keys_have_the_values_of_transformers() {
    let mut json = llama3();
    for key in ["head_dim", "rope_scaling", "rope_theta", "num_key_value_heads", "rms_norm_eps", "tie_word_embeddings", "eos_token_id"] {
        json = without(json, key);
    }
    let config = ModelConfig::from_hf_json(&json).unwrap();
    assert_eq!((config.head_dim, config.n_kv_heads, config.rope_theta, config.rms_norm_eps), (64, 32, 1e4, 1e-6));
    assert!(!config.tied && config.eos.is_empty());
}

#[test]
fn mistral_window_is_null_or_a_number() {
    let mistral = set(without(llama3(), "rope_scaling"), "model_type", json!("mistral"));
    let window = |json: &Value| ModelConfig::from_hf_json(json).unwrap().sliding_window;
    assert_eq!(window(&set(mistral.clone(), "sliding_window", Value::Null)), None);
    assert_eq!(window(&set(mistral.clone(), "sliding_window", json!(1024))), Some(1024));
    assert_eq!(window(&mistral), Some(4096));
}

#[test]
fn yarn_attention_factor() {
    let scaling = |extra: Value| {
        let mut scaling = json!({ "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768 });
        scaling.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        match ModelConfig::from_hf_json(&set(qwen2(), "rope_scaling", scaling)).unwrap().rope_scaling {
            RopeScaling::Yarn { attention_factor, beta_fast, beta_slow, truncate: true, .. } => {
                assert_eq!((beta_fast, beta_slow), (32.0, 1.0));
                attention_factor
            }
            other => panic!("{other:?}"),
        }
    };
    // 0.1 ln 4 + 1
    assert!((scaling(json!({})) - 1.138_629_4).abs() < 1e-6);
    assert_eq!(scaling(json!({ "attention_factor": 1.5 })), 1.5);
    // (0.1 * 0.707 ln 4 + 1) / (0.1 ln 4 + 1)
    assert!((scaling(json!({ "mscale": 0.707, "mscale_all_dim": 1.0 })) - 0.964_327_1).abs() < 1e-6);
}

#[test]
fn what_cannot_be_run_is_refused_by_name() {
    let check = |json: Value, expected: &str| assert_eq!(message(&json), expected);
    check(
        set(qwen2(), "model_type", json!("gemma2")),
        "model_type is not supported: expected llama, mistral, qwen2 or qwen3, found gemma2",
    );
    check(set(llama3(), "attention_bias", json!(true)), "attention_bias is not supported: expected false, found true");
    check(set(llama3(), "mlp_bias", json!(true)), "mlp_bias is not supported: expected false, found true");
    check(set(qwen2(), "use_sliding_window", json!(true)), "use_sliding_window is not supported: expected false, found true");
    check(set(qwen2(), "hidden_act", json!("gelu")), "hidden_act is not supported: expected silu, found gelu");
    check(
        set(qwen2(), "rope_scaling", json!({ "rope_type": "dynamic", "factor": 2.0 })),
        "rope_type is not supported: expected default, linear, llama3 or yarn, found dynamic",
    );
    check(
        set(qwen2(), "rope_scaling", json!({ "rope_type": "llama3", "factor": 2.0 })),
        "rope_scaling.low_freq_factor: expected a number, found nothing",
    );
    check(
        set(qwen2(), "quantization_config", json!({ "bits": 4 })),
        r#"quantization_config is not supported: expected weights in F32, F16 or BF16, found {"bits":4}"#,
    );
}

#[test]
fn unfit_values_are_refused_by_key() {
    let check = |json: Value, expected: &str| assert_eq!(message(&json), expected);
    check(without(qwen2(), "hidden_size"), "hidden_size: expected a whole number, found nothing");
    check(set(qwen2(), "hidden_size", json!(-1)), "hidden_size: expected a whole number, found -1");
    check(set(qwen2(), "num_hidden_layers", json!(u64::MAX)), "num_hidden_layers: expected 1 to 1024, found 18446744073709551615");
    check(set(qwen2(), "num_attention_heads", json!(0)), "num_attention_heads: expected a divisor of hidden_size = 896, found 0");
    check(set(qwen2(), "num_key_value_heads", json!(5)), "num_key_value_heads: expected a divisor of num_attention_heads = 14, found 5");
    check(set(qwen2(), "head_dim", json!(63)), "head_dim: expected an even number, found 63");
    check(set(qwen2(), "rms_norm_eps", json!(1e300)), "rms_norm_eps: expected a positive number, found inf");
    check(set(qwen2(), "eos_token_id", json!(151_936)), "bos_token_id or eos_token_id: expected an id below 151936, found 151936");
    check(set(qwen2(), "tie_word_embeddings", json!("yes")), r#"tie_word_embeddings: expected true or false, found "yes""#);
    assert_eq!(message(&json!([])), "document: expected a JSON object, found []");
}

#[test]
fn tensors_come_in_the_canonical_order() {
    let names = |json: Value| {
        let mut config = ModelConfig::from_hf_json(&json).unwrap();
        config.n_layers = 1;
        config.tensors().into_iter().map(|spec| (spec.name.replace("model.layers.0.", ""), spec.shape)).collect::<Vec<_>>()
    };
    let pair = |name: &str, shape: &[usize]| (name.to_owned(), shape.to_vec());
    let expected = [
        pair("model.embed_tokens.weight", &[151_936, 896]),
        pair("input_layernorm.weight", &[896]),
        pair("self_attn.q_proj.weight", &[896, 896]),
        pair("self_attn.k_proj.weight", &[128, 896]),
        pair("self_attn.v_proj.weight", &[128, 896]),
        pair("self_attn.q_proj.bias", &[896]),
        pair("self_attn.k_proj.bias", &[128]),
        pair("self_attn.v_proj.bias", &[128]),
        pair("self_attn.o_proj.weight", &[896, 896]),
        pair("post_attention_layernorm.weight", &[896]),
        pair("mlp.gate_proj.weight", &[4864, 896]),
        pair("mlp.up_proj.weight", &[4864, 896]),
        pair("mlp.down_proj.weight", &[896, 4864]),
        pair("model.norm.weight", &[896]),
    ];
    assert_eq!(names(qwen2()), expected);

    let qwen3 = set(set(set(qwen2(), "model_type", json!("qwen3")), "head_dim", json!(128)), "tie_word_embeddings", json!(false));
    let specs = names(qwen3);
    assert_eq!(specs[2], pair("self_attn.q_proj.weight", &[14 * 128, 896]));
    assert_eq!(
        specs[5..8],
        [
            pair("self_attn.q_norm.weight", &[128]),
            pair("self_attn.k_norm.weight", &[128]),
            pair("self_attn.o_proj.weight", &[896, 14 * 128]),
        ]
    );
    assert_eq!(specs.last().unwrap(), &pair("lm_head.weight", &[151_936, 896]));
}

#[test]
fn small_numbers_are_written_as_people_write_them() {
    let json = ModelConfig::from_hf_json(&llama3()).unwrap().to_hf_json();
    assert_eq!(json["rms_norm_eps"].to_string(), "0.00001");
    assert_eq!(json["rope_theta"].to_string(), "500000.0");
    assert_eq!(json["eos_token_id"], json!([128_001, 128_008, 128_009]));
}

fn any_scaling() -> impl Strategy<Value = RopeScaling> {
    let positive = 1e-3_f32..1e3;
    prop_oneof![
        Just(RopeScaling::None),
        positive.clone().prop_map(|factor| RopeScaling::Linear { factor }),
        (positive.clone(), 1.0_f32..2.0, 2.5_f32..9.0, 1_usize..9999).prop_map(|(factor, low, high, n)| RopeScaling::Llama3 {
            factor,
            low_freq_factor: low,
            high_freq_factor: high,
            original_max_position: n,
        }),
        (positive.clone(), positive.clone(), positive.clone(), positive, 1_usize..9999, any::<bool>()).prop_map(
            |(factor, beta_fast, beta_slow, attention_factor, n, truncate)| RopeScaling::Yarn {
                factor,
                original_max_position: n,
                beta_fast,
                beta_slow,
                attention_factor,
                truncate,
            }
        ),
    ]
}

prop_compose! {
    fn any_config()(
        architecture in prop::sample::select(vec![Architecture::Llama, Architecture::Mistral, Architecture::Qwen2, Architecture::Qwen3]),
        (n_layers, n_kv_heads, per_kv, half_dim) in (1_usize..5, 1_usize..5, 1_usize..5, 1_usize..9),
        (hidden, ffn, vocab, max_positions) in (1_usize..200, 1_usize..200, 1_usize..200, 1_usize..200),
        (rope_theta, rms_norm_eps, tied) in (1.0_f32..1e7, 1e-8_f32..1e-3, any::<bool>()),
        rope_scaling in any_scaling(),
        window in prop::option::of(1_usize..99),
        (bos, eos) in (prop::option::of(Just(0)), prop::collection::vec(0_u32..1, 0..3)),
    ) -> ModelConfig {
        ModelConfig {
            architecture, hidden, n_layers, n_heads: n_kv_heads * per_kv, n_kv_heads, head_dim: 2 * half_dim, ffn, vocab, max_positions,
            rope_theta, rope_scaling, rms_norm_eps, tied,
            qkv_bias: architecture == Architecture::Qwen2,
            qk_norm: architecture == Architecture::Qwen3,
            sliding_window: window.filter(|_| architecture == Architecture::Mistral),
            bos, eos,
        }
    }
}

proptest! {
    #[test]
    fn written_configurations_read_back_the_same(config in any_config()) {
        let text = config.to_hf_json().to_string();
        prop_assert_eq!(ModelConfig::from_hf_json(&serde_json::from_str(&text).unwrap()).unwrap(), config);
    }
}
