//! What a decoder-only transformer looks like: sizes, position encoding, and the names and shapes of its tensors.

mod hf;
#[cfg(test)]
mod tests;

pub(crate) use self::hf::{Object, eos_to_json, reward_head, write_reward_head};
use crate::ModelError;

/// Family of models, which fixes the parts that the sizes do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Llama, `SmolLM2`, DeepSeek-R1-Distill-Llama.
    Llama,
    /// Mistral: Llama with an optional sliding attention window.
    Mistral,
    /// Qwen2 and Qwen2.5: biases on the query, key and value projections.
    Qwen2,
    /// Qwen3: RMS norm on each head's queries and keys.
    Qwen3,
}

/// How rotary frequencies are changed to reach beyond the context of pretraining.
///
/// The unscaled angular frequency of pair `i` is `theta^(-2i / head_dim)`.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Unscaled.
    None,
    /// All frequencies divided by `factor` (Chen et al. 2023, arXiv:2306.15595).
    Linear {
        /// Divisor of every frequency.
        factor: f32,
    },
    /// Llama 3.1: long wavelengths divided by `factor`, short ones kept, a linear blend between.
    Llama3 {
        /// Divisor of low frequencies.
        factor: f32,
        /// Wavelengths above `original_max_position / low_freq_factor` are scaled in full.
        low_freq_factor: f32,
        /// Wavelengths below `original_max_position / high_freq_factor` are kept.
        high_freq_factor: f32,
        /// Context length of pretraining, in tokens.
        original_max_position: usize,
    },
    /// `YaRN` (Peng et al. 2023, arXiv:2309.00071).
    Yarn {
        /// Divisor of frequencies that turn less than `beta_slow` times within `original_max_position`.
        factor: f32,
        /// Context length of pretraining, in tokens.
        original_max_position: usize,
        /// Frequencies that turn more often than this within the original context are kept.
        beta_fast: f32,
        /// Frequencies that turn less often than this are divided by `factor`.
        beta_slow: f32,
        /// Multiplies cosines and sines, so attention logits grow by its square.
        attention_factor: f32,
        /// Whether the bounds of the blend are rounded outwards to whole dimensions.
        truncate: bool,
    },
}

/// Sizes and variants of one model. Built by [`ModelConfig::from_hf_json`], a GGUF file, or field by field and then
/// [`ModelConfig::validate`].
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Family.
    pub architecture: Architecture,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Transformer blocks.
    pub n_layers: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of one head; even.
    pub head_dim: usize,
    /// Width of the feed-forward layer.
    pub ffn: usize,
    /// Rows of the embedding; at least the tokenizer's size.
    pub vocab: usize,
    /// Longest sequence that the model is made for, in tokens.
    pub max_positions: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// Change of the rotary frequencies.
    pub rope_scaling: RopeScaling,
    /// Added to the mean square before its root.
    pub rms_norm_eps: f32,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// Whether query, key and value projections have biases.
    pub qkv_bias: bool,
    /// Whether each head's queries and keys are RMS-normalised before the rotation.
    pub qk_norm: bool,
    /// Tokens that attention looks back at, itself included; `None` is all.
    pub sliding_window: Option<usize>,
    /// Token that starts a sequence, if the model has one.
    pub bos: Option<u32>,
    /// Tokens that end a completion.
    pub eos: Vec<u32>,
}

/// Name and shape of one weight tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Hugging Face name, such as `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// Row-major shape; a projection is `[out, in]`.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// Number of elements.
    pub fn n_elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Bounds beyond every known model of these families. They keep products within `usize` and a lying file from asking for
/// absurd amounts of memory.
const LIMITS: [(&str, usize); 8] = [
    ("hidden_size", 1 << 17),
    ("num_hidden_layers", 1 << 10),
    ("num_attention_heads", 1 << 12),
    ("num_key_value_heads", 1 << 12),
    ("head_dim", 1 << 12),
    ("intermediate_size", 1 << 20),
    ("vocab_size", 1 << 24),
    ("max_position_embeddings", 1 << 30),
];

impl ModelConfig {
    /// Checks that the sizes fit together.
    ///
    /// # Errors
    /// [`ModelError::Key`] with the key's Hugging Face name.
    pub fn validate(&self) -> Result<(), ModelError> {
        let sizes = [self.hidden, self.n_layers, self.n_heads, self.n_kv_heads, self.head_dim, self.ffn, self.vocab, self.max_positions];
        for ((key, limit), value) in LIMITS.into_iter().zip(sizes) {
            if value == 0 || value > limit {
                return Err(ModelError::key(key, format!("1 to {limit}"), value.to_string()));
            }
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            let expected = format!("a divisor of num_attention_heads = {}", self.n_heads);
            return Err(ModelError::key("num_key_value_heads", expected, self.n_kv_heads.to_string()));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(ModelError::key("head_dim", "an even number", self.head_dim.to_string()));
        }
        positive("rope_theta", self.rope_theta)?;
        positive("rms_norm_eps", self.rms_norm_eps)?;
        self.validate_variants()?;
        for &id in self.bos.iter().chain(&self.eos) {
            if id as usize >= self.vocab {
                return Err(ModelError::key("bos_token_id or eos_token_id", format!("an id below {}", self.vocab), id.to_string()));
            }
        }
        self.validate_scaling()
    }

    /// The family fixes its variants: no other combination has a `config.json`.
    fn validate_variants(&self) -> Result<(), ModelError> {
        let family = self.architecture.model_type();
        let fixed = [
            ("qkv_bias", self.qkv_bias, self.architecture == Architecture::Qwen2),
            ("qk_norm", self.qk_norm, self.architecture == Architecture::Qwen3),
        ];
        for (key, found, expected) in fixed {
            if found != expected {
                return Err(ModelError::key(key, format!("{expected} in {family}"), found.to_string()));
            }
        }
        match self.sliding_window {
            Some(window) if self.architecture != Architecture::Mistral => {
                Err(ModelError::key("sliding_window", format!("none in {family}"), window.to_string()))
            }
            Some(0) => Err(ModelError::key("sliding_window", "at least 1 or null", "0")),
            _ => Ok(()),
        }
    }

    fn validate_scaling(&self) -> Result<(), ModelError> {
        let window = |n: usize| match n {
            0 => Err(ModelError::key("rope_scaling.original_max_position_embeddings", "at least 1", "0")),
            _ => Ok(()),
        };
        match self.rope_scaling {
            RopeScaling::None => Ok(()),
            RopeScaling::Linear { factor } => positive("rope_scaling.factor", factor),
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position } => {
                positive("rope_scaling.factor", factor)?;
                positive("rope_scaling.low_freq_factor", low_freq_factor)?;
                positive("rope_scaling.high_freq_factor", high_freq_factor)?;
                if high_freq_factor <= low_freq_factor {
                    let expected = format!("more than low_freq_factor = {low_freq_factor}");
                    return Err(ModelError::key("rope_scaling.high_freq_factor", expected, high_freq_factor.to_string()));
                }
                window(original_max_position)
            }
            RopeScaling::Yarn { factor, original_max_position, beta_fast, beta_slow, attention_factor, .. } => {
                positive("rope_scaling.factor", factor)?;
                positive("rope_scaling.beta_fast", beta_fast)?;
                positive("rope_scaling.beta_slow", beta_slow)?;
                positive("rope_scaling.attention_factor", attention_factor)?;
                window(original_max_position)
            }
        }
    }

    /// All weight tensors in the canonical order: embedding, blocks, final norm, and the head unless tied.
    ///
    /// Meant for validated configurations: sizes beyond the limits would overflow.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = vec![spec("model.embed_tokens.weight".into(), &[self.vocab, self.hidden])];
        for layer_idx in 0..self.n_layers {
            self.push_layer(layer_idx, &mut specs);
        }
        specs.push(spec("model.norm.weight".into(), &[self.hidden]));
        if !self.tied {
            specs.push(spec("lm_head.weight".into(), &[self.vocab, self.hidden]));
        }
        specs
    }

    /// Number of weights; a tied head counts once.
    pub fn n_parameters(&self) -> usize {
        self.tensors().iter().map(TensorSpec::n_elements).sum()
    }

    fn push_layer(&self, layer_idx: usize, specs: &mut Vec<TensorSpec>) {
        let (d, q, kv) = (self.hidden, self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim);
        let mut push = |name: &str, shape: &[usize]| specs.push(spec(format!("model.layers.{layer_idx}.{name}"), shape));
        push("input_layernorm.weight", &[d]);
        push("self_attn.q_proj.weight", &[q, d]);
        push("self_attn.k_proj.weight", &[kv, d]);
        push("self_attn.v_proj.weight", &[kv, d]);
        if self.qkv_bias {
            push("self_attn.q_proj.bias", &[q]);
            push("self_attn.k_proj.bias", &[kv]);
            push("self_attn.v_proj.bias", &[kv]);
        }
        if self.qk_norm {
            push("self_attn.q_norm.weight", &[self.head_dim]);
            push("self_attn.k_norm.weight", &[self.head_dim]);
        }
        push("self_attn.o_proj.weight", &[d, q]);
        push("post_attention_layernorm.weight", &[d]);
        push("mlp.gate_proj.weight", &[self.ffn, d]);
        push("mlp.up_proj.weight", &[self.ffn, d]);
        push("mlp.down_proj.weight", &[d, self.ffn]);
    }
}

fn spec(name: String, shape: &[usize]) -> TensorSpec {
    TensorSpec { name, shape: shape.to_vec() }
}

fn positive(key: &str, value: f32) -> Result<(), ModelError> {
    if value.is_finite() && value > 0.0 { Ok(()) } else { Err(ModelError::key(key, "a positive number", value.to_string())) }
}
