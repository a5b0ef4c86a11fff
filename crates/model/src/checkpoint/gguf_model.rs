//! A GGUF file's metadata as a [`ModelConfig`], and its tensors under their Hugging Face names.

use std::f64::consts::TAU;

use super::elements::ElementType;
use super::gguf::{Header, Metadata};
use crate::{Architecture, ModelConfig, ModelError, RopeScaling};

/// Keys of one architecture: `llama.block_count` and so on.
struct Keys<'a> {
    metadata: Metadata<'a>,
    prefix: &'a str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn usize(&self, name: &str) -> Result<Option<usize>, ModelError> {
        self.metadata.usize(&self.key(name))
    }

    fn required_usize(&self, name: &str) -> Result<usize, ModelError> {
        self.usize(name)?.ok_or_else(|| ModelError::key(self.key(name), "a whole number", "nothing"))
    }

    fn f32(&self, name: &str) -> Result<Option<f32>, ModelError> {
        self.metadata.f32(&self.key(name))
    }
}

/// Reads the configuration from metadata and the shape of the embedding.
pub(crate) fn config(header: &Header, file: &[u8]) -> Result<ModelConfig, ModelError> {
    let metadata = header.metadata(file);
    let prefix = metadata.text("general.architecture")?.unwrap_or("nothing");
    let architecture = match prefix {
        "llama" => Architecture::Llama,
        "qwen2" => Architecture::Qwen2,
        "qwen3" => Architecture::Qwen3,
        found => return Err(ModelError::unsupported("general.architecture", "llama, qwen2 or qwen3", found)),
    };
    let keys = Keys { metadata, prefix };
    refuse_unsupported(header, &keys)?;
    let embedding = header.tensor("token_embd.weight").map(|tensor| tensor.shape.as_slice());
    let &[vocab, _] = embedding.unwrap_or_default() else {
        let found = embedding.map_or_else(|| "nothing".to_owned(), |shape| format!("shape {shape:?}"));
        return Err(ModelError::key("token_embd.weight", "a matrix", found));
    };
    let hidden = keys.required_usize("embedding_length")?;
    let n_heads = keys.required_usize("attention.head_count")?;
    let head_dim = match keys.usize("attention.key_length")? {
        Some(head_dim) => head_dim,
        None => hidden.checked_div(n_heads).unwrap_or(0),
    };
    let n_layers = keys.required_usize("block_count")?;
    // Each block has several tensors: a larger count would only make a long list of missing ones.
    if n_layers > header.n_tensors() {
        return Err(ModelError::key(keys.key("block_count"), format!("at most {} tensors", header.n_tensors()), n_layers.to_string()));
    }
    let rope_theta = keys.f32("rope.freq_base")?.unwrap_or(10_000.0);
    let token = |name: &str| Ok(metadata.usize(name)?.and_then(|id| u32::try_from(id).ok()));
    let config = ModelConfig {
        architecture,
        hidden,
        n_layers,
        n_heads,
        n_kv_heads: keys.usize("attention.head_count_kv")?.unwrap_or(n_heads),
        head_dim,
        ffn: keys.required_usize("feed_forward_length")?,
        vocab,
        max_positions: keys.required_usize("context_length")?,
        rope_theta,
        rope_scaling: rope_scaling(header, file, &keys, head_dim, rope_theta)?,
        rms_norm_eps: keys.f32("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-6),
        tied: header.tensor("output.weight").is_none(),
        qkv_bias: architecture == Architecture::Qwen2,
        qk_norm: architecture == Architecture::Qwen3,
        sliding_window: None,
        bos: token("tokenizer.ggml.bos_token_id")?,
        eos: end_tokens(token)?,
    };
    config.validate()?;
    if let Some(found) = keys.usize("rope.dimension_count")?.filter(|&n| n != head_dim) {
        return Err(ModelError::unsupported(keys.key("rope.dimension_count"), format!("the head width {head_dim}"), found.to_string()));
    }
    Ok(config)
}

/// End of text, of a turn, and of a message before a tool call.
fn end_tokens(token: impl Fn(&str) -> Result<Option<u32>, ModelError>) -> Result<Vec<u32>, ModelError> {
    let mut ids = Vec::new();
    for key in ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"] {
        ids.extend(token(key)?.filter(|id| !ids.contains(id)));
    }
    Ok(ids)
}

fn refuse_unsupported(header: &Header, keys: &Keys<'_>) -> Result<(), ModelError> {
    if let Some(found) = keys.usize("expert_count")?.filter(|&n| n > 0) {
        return Err(ModelError::unsupported(keys.key("expert_count"), "0", found.to_string()));
    }
    if let Some(found) = keys.usize("attention.sliding_window")?.filter(|&n| n > 0) {
        return Err(ModelError::unsupported(keys.key("attention.sliding_window"), "none", found.to_string()));
    }
    // An unknown tensor would be left out of the forward pass without a word.
    match header.names().find(|name| hf_name(name).is_none() && *name != "rope_freqs.weight") {
        Some(name) => Err(ModelError::unsupported("tensor", "those of llama, qwen2 and qwen3 blocks", name)),
        None => Ok(()),
    }
}

fn rope_scaling(header: &Header, file: &[u8], keys: &Keys<'_>, head_dim: usize, theta: f32) -> Result<RopeScaling, ModelError> {
    if let Some(tensor) = header.tensor("rope_freqs.weight") {
        let mut factors = vec![0.0; head_dim / 2];
        if tensor.shape != [factors.len()] || tensor.element_type("rope_freqs.weight")? != ElementType::F32 {
            return Err(ModelError::key(
                "rope_freqs.weight",
                format!("F32 of shape [{}]", factors.len()),
                format!("shape {:?}", tensor.shape),
            ));
        }
        ElementType::F32.decode(&file[tensor.bytes.clone()], &mut factors);
        return llama3_scaling(&factors, theta);
    }
    let factor = || {
        let factor = keys.f32("rope.scaling.factor")?;
        factor.ok_or_else(|| ModelError::key(keys.key("rope.scaling.factor"), "a number", "nothing"))
    };
    match keys.metadata.text(&keys.key("rope.scaling.type"))? {
        None | Some("none") => Ok(RopeScaling::None),
        Some("linear") => Ok(RopeScaling::Linear { factor: factor()? }),
        Some("yarn") => {
            let factor = factor()?;
            // llama.cpp multiplies YaRN's own term by this number.
            let scale = keys.f32("rope.scaling.yarn_attn_factor")?.or(keys.f32("rope.scaling.attn_factor")?).unwrap_or(1.0);
            Ok(RopeScaling::Yarn {
                factor,
                original_max_position: keys.required_usize("rope.scaling.original_context_length")?,
                beta_fast: keys.f32("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
                beta_slow: keys.f32("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
                attention_factor: scale * if factor > 1.0 { 0.1 * factor.ln() + 1.0 } else { 1.0 },
                truncate: true,
            })
        }
        Some(found) => Err(ModelError::unsupported(keys.key("rope.scaling.type"), "none, linear or yarn", found)),
    }
}

/// GGUF stores what Llama 3.1's rule gives instead of its parameters: one divisor for each pair of dimensions. All released
/// models blend between 1 and 4 turns within 8192 positions; any other divisors are refused.
fn llama3_scaling(factors: &[f32], theta: f32) -> Result<RopeScaling, ModelError> {
    let factor = factors.last().copied().unwrap_or(1.0);
    for (i, &found) in factors.iter().enumerate() {
        let frequency = f64::from(theta).powf(-(i as f64) / factors.len() as f64);
        let turns = 8192.0 * frequency / TAU;
        let keep = ((turns - 1.0) / 3.0).clamp(0.0, 1.0);
        let expected = 1.0 / ((1.0 - keep) / f64::from(factor) + keep);
        // `total_cmp`-like care for NaN: the comparison must be false for it.
        let close = (f64::from(found) - expected).abs() <= 1e-3 * expected;
        if !close {
            let expected = format!("{expected} at {i} as in Llama 3.1 with factor {factor}");
            return Err(ModelError::unsupported("rope_freqs.weight", expected, found.to_string()));
        }
    }
    Ok(RopeScaling::Llama3 { factor, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_position: 8192 })
}

/// Names within a block, GGUF and Hugging Face.
const BLOCK_NAMES: [(&str, &str); 14] = [
    ("attn_norm.weight", "input_layernorm.weight"),
    ("attn_q.weight", "self_attn.q_proj.weight"),
    ("attn_k.weight", "self_attn.k_proj.weight"),
    ("attn_v.weight", "self_attn.v_proj.weight"),
    ("attn_q.bias", "self_attn.q_proj.bias"),
    ("attn_k.bias", "self_attn.k_proj.bias"),
    ("attn_v.bias", "self_attn.v_proj.bias"),
    ("attn_q_norm.weight", "self_attn.q_norm.weight"),
    ("attn_k_norm.weight", "self_attn.k_norm.weight"),
    ("attn_output.weight", "self_attn.o_proj.weight"),
    ("ffn_norm.weight", "post_attention_layernorm.weight"),
    ("ffn_gate.weight", "mlp.gate_proj.weight"),
    ("ffn_up.weight", "mlp.up_proj.weight"),
    ("ffn_down.weight", "mlp.down_proj.weight"),
];

/// Names outside of blocks.
const OUTER_NAMES: [(&str, &str); 3] =
    [("token_embd.weight", "model.embed_tokens.weight"), ("output_norm.weight", "model.norm.weight"), ("output.weight", "lm_head.weight")];

fn hf_name(gguf: &str) -> Option<String> {
    if let Some((_, hf)) = OUTER_NAMES.iter().find(|(name, _)| *name == gguf) {
        return Some((*hf).to_owned());
    }
    let (layer, name) = gguf.strip_prefix("blk.")?.split_once('.')?;
    let layer: u32 = layer.parse().ok()?;
    BLOCK_NAMES.iter().find(|(other, _)| *other == name).map(|(_, hf)| format!("model.layers.{layer}.{hf}"))
}

/// GGUF name of the tensor with this Hugging Face name.
pub(crate) fn gguf_name(hf: &str) -> Option<String> {
    if let Some((gguf, _)) = OUTER_NAMES.iter().find(|(_, name)| *name == hf) {
        return Some((*gguf).to_owned());
    }
    let (layer, name) = hf.strip_prefix("model.layers.")?.split_once('.')?;
    BLOCK_NAMES.iter().find(|(_, other)| *other == name).map(|(gguf, _)| format!("blk.{layer}.{gguf}"))
}

/// Heads whose rows llama.cpp interleaves: for architecture `llama` it stores the rows of each query and key head as
/// 0, h/2, 1, h/2 + 1, ... so that rotary pairs are neighbours.
pub(crate) fn interleaved_heads(config: &ModelConfig, hf_name: &str) -> bool {
    config.architecture == Architecture::Llama && (hf_name.contains(".q_proj.") || hf_name.contains(".k_proj."))
}

/// Row of the file that holds row `row` of the Hugging Face tensor, when heads are interleaved.
pub(crate) fn interleaved_row(row: usize, head_dim: usize) -> usize {
    let (head, within) = (row / head_dim, row % head_dim);
    let (half, pair) = (within / (head_dim / 2), within % (head_dim / 2));
    head * head_dim + 2 * pair + half
}
