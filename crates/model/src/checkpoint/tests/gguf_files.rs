//! GGUF files: element types, names, row order, metadata.

use std::path::Path;

use serde::Deserialize;

use super::super::elements::ElementType;
use super::super::gguf_model::gguf_name;
use super::build::{GgufBuilder, numbers, tiny_config, tiny_metadata};
use crate::{Architecture, Checkpoint, ModelConfig, ModelError, RopeScaling};

#[derive(Deserialize)]
struct Golden {
    #[serde(rename = "type")]
    id: u32,
    name: String,
    bytes: String,
    values: Vec<f32>,
}

#[test]
fn every_element_type_decodes_as_the_reference_does() {
    let cases: Vec<Golden> = serde_json::from_str(include_str!("../../../../../tests/golden/quantisation.json")).unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let bytes: Vec<u8> = (0..case.bytes.len()).step_by(2).map(|i| u8::from_str_radix(&case.bytes[i..i + 2], 16).unwrap()).collect();
        let mut out = vec![f32::NAN; case.values.len()];
        let element = ElementType::from_ggml(case.id).unwrap();
        assert_eq!(element.n_bytes(out.len()), Some(bytes.len()), "{}", case.name);
        element.decode(&bytes, &mut out);
        assert_eq!(out, case.values, "{}", case.name);
    }
}

/// A file with all tensors of `config`, numbered in the canonical order, in F32.
pub(super) fn tiny_file(config: &ModelConfig) -> GgufBuilder {
    let mut file = tiny_metadata(config.architecture.model_type());
    for (i, spec) in config.tensors().iter().enumerate() {
        file = file.tensor_f32(&gguf_name(&spec.name).unwrap(), &spec.shape, &numbers(i, spec.n_elements()));
    }
    file
}

pub(super) fn open(file: &[u8]) -> Result<Checkpoint, ModelError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    std::fs::write(&path, file).unwrap();
    Checkpoint::open(&path)
}

fn read(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    let spec = checkpoint.config.tensors().into_iter().find(|spec| spec.name == name).unwrap();
    let mut out = vec![f32::NAN; spec.n_elements()];
    checkpoint.read_tensor(&spec, &mut out).unwrap();
    out
}

#[test]
fn tensors_are_found_under_their_hugging_face_names() {
    for architecture in [Architecture::Qwen2, Architecture::Qwen3] {
        let config = tiny_config(architecture);
        let checkpoint = open(&tiny_file(&config).bytes()).unwrap();
        assert_eq!(checkpoint.config, config);
        for (i, spec) in config.tensors().iter().enumerate() {
            assert_eq!(read(&checkpoint, &spec.name), numbers(i, spec.n_elements()), "{}", spec.name);
        }
    }
}

#[test]
fn rotary_rows_of_llama_are_put_back_in_order() {
    let config = tiny_config(Architecture::Llama);
    let checkpoint = open(&tiny_file(&config).bytes()).unwrap();
    // Within each head of width 4, the file has rows 0, 2, 1, 3.
    let stored = numbers(2, 64);
    let row = |i: usize| stored[8 * i..8 * i + 8].to_vec();
    assert_eq!(read(&checkpoint, "model.layers.0.self_attn.q_proj.weight"), [0, 2, 1, 3, 4, 6, 5, 7].map(row).concat());
    let stored = numbers(3, 32);
    let row = |i: usize| stored[8 * i..8 * i + 8].to_vec();
    assert_eq!(read(&checkpoint, "model.layers.0.self_attn.k_proj.weight"), [0, 2, 1, 3].map(row).concat());
    assert_eq!(read(&checkpoint, "model.layers.0.self_attn.v_proj.weight"), numbers(4, 32));
}

#[test]
fn an_absent_output_head_means_a_tied_one() {
    let config = ModelConfig { tied: true, ..tiny_config(Architecture::Qwen3) };
    assert!(open(&tiny_file(&config).bytes()).unwrap().config.tied);
}

fn error(file: &GgufBuilder) -> String {
    match open(&file.bytes()) {
        Err(ModelError::File { source, .. }) => source.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_missing_or_unfit_is_named() {
    let config = tiny_config(Architecture::Qwen3);
    let specs = config.tensors();
    let but = |skip: &str, replacement: Option<(&[usize], u32)>| {
        let mut file = tiny_metadata("qwen3");
        for spec in &specs {
            let name = gguf_name(&spec.name).unwrap();
            match replacement {
                _ if spec.name != skip => file = file.tensor_f32(&name, &spec.shape, &vec![0.0; spec.n_elements()]),
                Some((shape, kind)) => file = file.tensor(&name, shape, kind, vec![0; 4 * shape.iter().product::<usize>()]),
                None => {}
            }
        }
        file
    };
    let gate = "model.layers.0.mlp.gate_proj.weight";
    assert_eq!(error(&but(gate, None)), format!("tensor {gate} is missing: expected shape [12, 8], found no tensor of that name"));
    assert_eq!(error(&but(gate, Some((&[8, 12], 0)))), format!("tensor {gate}: expected shape [12, 8], found [8, 12]"));
    assert_eq!(
        error(&but(gate, Some((&[12, 8], 10)))),
        "tensor blk.0.ffn_gate.weight: expected one of F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, found type Q2_K"
    );
    assert_eq!(
        error(&but(gate, Some((&[12, 8], 8)))),
        "corrupt GGUF file: row of blk.0.ffn_gate.weight: expected a multiple of 32 elements, found 8"
    );
    let extra = tiny_file(&config).tensor_f32("blk.0.attn_output.bias", &[8], &[0.0; 8]);
    assert_eq!(error(&extra), "tensor is not supported: expected those of llama, qwen2 and qwen3 blocks, found blk.0.attn_output.bias");
    assert_eq!(error(&tiny_file(&config).u32("qwen3.expert_count", 8)), "qwen3.expert_count is not supported: expected 0, found 8");
    assert_eq!(
        error(&GgufBuilder::new().text("general.architecture", "gemma")),
        "general.architecture is not supported: expected llama, qwen2 or qwen3, found gemma"
    );
}

#[test]
fn a_token_without_embedding_is_an_error() {
    let config = ModelConfig { vocab: 7, eos: vec![], ..tiny_config(Architecture::Qwen3) };
    let mut file = tiny_file(&config);
    // The end token is the eighth: the model has seven rows.
    assert_eq!(error(&file), "bos_token_id or eos_token_id: expected an id below 7, found 7");
    file = GgufBuilder::new();
    let key = |name: &str| format!("qwen3.{name}");
    for (name, value) in [
        ("embedding_length", 8),
        ("block_count", 1),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 1),
        ("feed_forward_length", 12),
        ("context_length", 16),
    ] {
        file = file.u32(&key(name), value);
    }
    file = file
        .text("general.architecture", "qwen3")
        .text("tokenizer.ggml.model", "gpt2")
        .texts("tokenizer.ggml.tokens", &["a", "b", "c", "d", "e", "f", "g", "h"])
        .texts("tokenizer.ggml.merges", &[]);
    for spec in config.tensors() {
        file = file.tensor_f32(&gguf_name(&spec.name).unwrap(), &spec.shape, &vec![0.0; spec.n_elements()]);
    }
    assert_eq!(error(&file), r#"tokenizer and model do not fit: expected token ids below 7, found "h" with id 7"#);
}

/// Llama 3.1's divisors for heads of width 64 and base 500000.
#[test]
fn frequency_divisors_are_recognised_as_llama_3() {
    let divisors = |factor: f64| -> Vec<f32> {
        let divisor = |i: i32| {
            let wavelength = std::f64::consts::TAU * 500_000_f64.powf(f64::from(i) / 32.0);
            match wavelength {
                short if short < 8192.0 / 4.0 => 1.0,
                long if long > 8192.0 => factor,
                between => {
                    let smooth = (8192.0 / between - 1.0) / 3.0;
                    1.0 / ((1.0 - smooth) / factor + smooth)
                }
            }
        };
        (0..32).map(|i| divisor(i) as f32).collect()
    };
    let config = ModelConfig { head_dim: 64, ..tiny_config(Architecture::Llama) };
    let file = |divisors: &[f32]| {
        let file = tiny_file(&config).f32("llama.rope.freq_base", 500_000.0).u32("llama.attention.key_length", 64);
        file.tensor_f32("rope_freqs.weight", &[32], divisors)
    };
    let scaling = open(&file(&divisors(32.0)).bytes()).unwrap().config.rope_scaling;
    let expected = RopeScaling::Llama3 { factor: 32.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_position: 8192 };
    assert_eq!(scaling, expected);
    for wrong in [2.0, f32::NAN] {
        let mut divisors = divisors(32.0);
        divisors[0] = wrong;
        assert!(error(&file(&divisors)).starts_with("rope_freqs.weight is not supported: expected 1 at 0"));
    }
}

#[test]
fn yarn_and_linear_scaling_of_metadata() {
    let config = tiny_config(Architecture::Qwen2);
    let linear = tiny_file(&config).text("qwen2.rope.scaling.type", "linear").f32("qwen2.rope.scaling.factor", 2.0);
    assert_eq!(open(&linear.bytes()).unwrap().config.rope_scaling, RopeScaling::Linear { factor: 2.0 });
    let yarn = tiny_file(&config)
        .text("qwen2.rope.scaling.type", "yarn")
        .f32("qwen2.rope.scaling.factor", 4.0)
        .u32("qwen2.rope.scaling.original_context_length", 32768);
    match open(&yarn.bytes()).unwrap().config.rope_scaling {
        RopeScaling::Yarn { factor: 4.0, original_max_position: 32768, attention_factor, .. } => {
            assert!((attention_factor - 1.138_629_4).abs() < 1e-6);
        }
        other => panic!("{other:?}"),
    }
}

/// SmolLM2-135M-Instruct, quantised; too large to keep here.
#[test]
fn a_real_file_opens_and_tokenizes_as_in_transformers() {
    let Some(path) = std::env::var_os("RUMINATE_TEST_GGUF") else {
        println!("skipped: RUMINATE_TEST_GGUF names no file");
        return;
    };
    let checkpoint = Checkpoint::open(Path::new(&path)).unwrap();
    assert_eq!(checkpoint.config.n_parameters(), 134_515_008);
    assert!(checkpoint.config.tied && checkpoint.config.eos == [2]);
    // Ids from transformers 5.23.0 reading the same file.
    let cases: [(&str, &[u32]); 4] = [
        ("Hello  world 1234\n\n你好 <|im_end|>", &[19556, 216, 905, 216, 33, 34, 35, 36, 198, 198, 18645, 250, 48392, 138, 216, 2]),
        ("It's we'll I'D 'S", &[1589, 506, 392, 3060, 339, 23, 52, 637, 67]),
        (
            "x = 3.14159; def f(a):\n    return a**2\n\n\n\tindent",
            &[104, 446, 216, 35, 30, 33, 36, 33, 37, 41, 43, 753, 275, 24, 81, 727, 472, 1003, 253, 828, 34, 16506, 197, 32166],
        ),
        ("\\boxed{\\frac{1}{2}} $x^2$", &[76, 4810, 277, 26754, 18169, 107, 33, 15009, 34, 17859, 1885, 104, 78, 34, 20]),
    ];
    for (text, ids) in cases {
        assert_eq!(checkpoint.tokenizer.encode(text, true).unwrap(), ids);
        assert_eq!(checkpoint.tokenizer.decode(ids).unwrap(), text);
    }
}
