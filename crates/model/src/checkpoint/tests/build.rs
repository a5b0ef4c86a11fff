//! Small files made by hand.

use crate::{Architecture, ModelConfig, RopeScaling};

/// A GGUF file under construction.
pub(crate) struct GgufBuilder {
    metadata: Vec<u8>,
    n_values: u64,
    tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
}

impl GgufBuilder {
    pub(crate) fn new() -> Self {
        Self { metadata: Vec::new(), n_values: 0, tensors: Vec::new() }
    }

    fn value(mut self, key: &str, kind: u32, bytes: &[u8]) -> Self {
        text_into(&mut self.metadata, key);
        self.metadata.extend(kind.to_le_bytes());
        self.metadata.extend(bytes);
        self.n_values += 1;
        self
    }

    pub(crate) fn u32(self, key: &str, value: u32) -> Self {
        self.value(key, 4, &value.to_le_bytes())
    }

    pub(crate) fn f32(self, key: &str, value: f32) -> Self {
        self.value(key, 6, &value.to_le_bytes())
    }

    pub(crate) fn bool(self, key: &str, value: bool) -> Self {
        self.value(key, 7, &[value.into()])
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        let mut bytes = Vec::new();
        text_into(&mut bytes, value);
        self.value(key, 8, &bytes)
    }

    pub(crate) fn texts(self, key: &str, values: &[&str]) -> Self {
        let mut bytes = array_head(8, values.len());
        values.iter().for_each(|value| text_into(&mut bytes, value));
        self.value(key, 9, &bytes)
    }

    pub(crate) fn i32s(self, key: &str, values: &[i32]) -> Self {
        let mut bytes = array_head(5, values.len());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.value(key, 9, &bytes)
    }

    pub(crate) fn f32s(self, key: &str, values: &[f32]) -> Self {
        let mut bytes = array_head(6, values.len());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.value(key, 9, &bytes)
    }

    /// `shape` is row-major; the file has it reversed.
    pub(crate) fn tensor(mut self, name: &str, shape: &[usize], kind: u32, data: Vec<u8>) -> Self {
        self.tensors.push((name.to_owned(), shape.iter().rev().map(|&size| size as u64).collect(), kind, data));
        self
    }

    pub(crate) fn tensor_f32(self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        self.tensor(name, shape, 0, values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3_u32.to_le_bytes());
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend(self.n_values.to_le_bytes());
        file.extend(&self.metadata);
        let mut data = Vec::new();
        for (name, dims, kind, bytes) in &self.tensors {
            text_into(&mut file, name);
            file.extend((dims.len() as u32).to_le_bytes());
            dims.iter().for_each(|size| file.extend(size.to_le_bytes()));
            file.extend(kind.to_le_bytes());
            data.resize(data.len().next_multiple_of(32), 0);
            file.extend((data.len() as u64).to_le_bytes());
            data.extend(bytes);
        }
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(data);
        file
    }
}

fn text_into(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn array_head(kind: u32, len: usize) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend((len as u64).to_le_bytes());
    bytes
}

/// One block, 2 heads of width 4, 8 tokens.
pub(super) fn tiny_config(architecture: Architecture) -> ModelConfig {
    ModelConfig {
        architecture,
        hidden: 8,
        n_layers: 1,
        n_heads: 2,
        n_kv_heads: 1,
        head_dim: 4,
        ffn: 12,
        vocab: 8,
        max_positions: 16,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        rms_norm_eps: 1e-5,
        tied: false,
        qkv_bias: architecture == Architecture::Qwen2,
        qk_norm: architecture == Architecture::Qwen3,
        sliding_window: None,
        bos: None,
        eos: vec![7],
    }
}

/// Different numbers for each tensor and element, exact in bf16.
pub(super) fn numbers(tensor_idx: usize, n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7 + tensor_idx * 31) % 255) as f32 / 64.0 - 2.0).collect()
}

/// Metadata of [`tiny_config`] and a byte-level tokenizer with 8 tokens.
pub(super) fn tiny_metadata(architecture: &str) -> GgufBuilder {
    let key = |name: &str| format!("{architecture}.{name}");
    GgufBuilder::new()
        .text("general.architecture", architecture)
        .u32(&key("embedding_length"), 8)
        .u32(&key("block_count"), 1)
        .u32(&key("attention.head_count"), 2)
        .u32(&key("attention.head_count_kv"), 1)
        .u32(&key("feed_forward_length"), 12)
        .u32(&key("context_length"), 16)
        .f32(&key("attention.layer_norm_rms_epsilon"), 1e-5)
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "qwen2")
        .texts("tokenizer.ggml.tokens", &["a", "b", "c", "Ġ", "ab", "Ġc", "Ċ", "<|end|>"])
        .i32s("tokenizer.ggml.token_type", &[1, 1, 1, 1, 1, 1, 1, 3])
        .texts("tokenizer.ggml.merges", &["a b", "Ġ c"])
        .u32("tokenizer.ggml.eos_token_id", 7)
}
