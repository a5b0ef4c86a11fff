//! Model shapes by name, for pretraining and benchmarks. Sizes are those of the published `config.json` files.

use ruminate_model::{Architecture, ModelConfig, RopeScaling};

/// Names of all shapes, smallest first.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|shape| shape.name)
}

/// The configuration of a named shape, without special tokens.
pub(crate) fn shape(name: &str) -> Option<ModelConfig> {
    SHAPES.iter().find(|shape| shape.name == name).map(Shape::config)
}

struct Shape {
    name: &'static str,
    architecture: Architecture,
    hidden: usize,
    n_layers: usize,
    n_heads: usize,
    n_kv_heads: usize,
    head_dim: usize,
    ffn: usize,
    vocab: usize,
    max_positions: usize,
    rope_theta: f32,
    rms_norm_eps: f32,
}

const SHAPES: [Shape; 7] = [
    Shape {
        name: "mini",
        architecture: Architecture::Llama,
        hidden: 48,
        n_layers: 3,
        n_heads: 3,
        n_kv_heads: 3,
        head_dim: 16,
        ffn: 128,
        // Pretraining replaces this by the size of its tokenizer, here and below.
        vocab: 387,
        max_positions: 512,
        rope_theta: 10_000.0,
        rms_norm_eps: 1e-5,
    },
    Shape {
        name: "small",
        architecture: Architecture::Llama,
        hidden: 80,
        n_layers: 4,
        n_heads: 5,
        n_kv_heads: 5,
        head_dim: 16,
        ffn: 208,
        vocab: 387,
        max_positions: 512,
        rope_theta: 10_000.0,
        rms_norm_eps: 1e-5,
    },
    Shape {
        name: "tiny",
        architecture: Architecture::Llama,
        hidden: 128,
        n_layers: 4,
        n_heads: 4,
        n_kv_heads: 4,
        head_dim: 32,
        ffn: 384,
        vocab: 387,
        max_positions: 512,
        rope_theta: 10_000.0,
        rms_norm_eps: 1e-5,
    },
    Shape {
        name: "smollm2-135m",
        architecture: Architecture::Llama,
        hidden: 576,
        n_layers: 30,
        n_heads: 9,
        n_kv_heads: 3,
        head_dim: 64,
        ffn: 1536,
        vocab: 49_152,
        max_positions: 8192,
        rope_theta: 100_000.0,
        rms_norm_eps: 1e-5,
    },
    Shape {
        name: "smollm2-360m",
        architecture: Architecture::Llama,
        hidden: 960,
        n_layers: 32,
        n_heads: 15,
        n_kv_heads: 5,
        head_dim: 64,
        ffn: 2560,
        vocab: 49_152,
        max_positions: 8192,
        rope_theta: 100_000.0,
        rms_norm_eps: 1e-5,
    },
    Shape {
        name: "qwen2.5-0.5b",
        architecture: Architecture::Qwen2,
        hidden: 896,
        n_layers: 24,
        n_heads: 14,
        n_kv_heads: 2,
        head_dim: 64,
        ffn: 4864,
        vocab: 151_936,
        max_positions: 32_768,
        rope_theta: 1_000_000.0,
        rms_norm_eps: 1e-6,
    },
    Shape {
        name: "qwen2.5-1.5b",
        architecture: Architecture::Qwen2,
        hidden: 1536,
        n_layers: 28,
        n_heads: 12,
        n_kv_heads: 2,
        head_dim: 128,
        ffn: 8960,
        vocab: 151_936,
        max_positions: 32_768,
        rope_theta: 1_000_000.0,
        rms_norm_eps: 1e-6,
    },
];

impl Shape {
    fn config(&self) -> ModelConfig {
        ModelConfig {
            architecture: self.architecture,
            hidden: self.hidden,
            n_layers: self.n_layers,
            n_heads: self.n_heads,
            n_kv_heads: self.n_kv_heads,
            head_dim: self.head_dim,
            ffn: self.ffn,
            vocab: self.vocab,
            max_positions: self.max_positions,
            rope_theta: self.rope_theta,
            rope_scaling: RopeScaling::None,
            rms_norm_eps: self.rms_norm_eps,
            tied: true,
            qkv_bias: self.architecture == Architecture::Qwen2,
            qk_norm: false,
            sliding_window: None,
            bos: None,
            eos: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_valid_and_have_the_published_sizes() {
        let n_parameters = |name: &str| {
            let config = shape(name).unwrap();
            config.validate().unwrap();
            config.n_parameters()
        };
        assert_eq!(
            names().map(n_parameters).collect::<Vec<_>>(),
            [101_856, 333_760, 902_656, 134_515_008, 361_821_120, 494_032_768, 1_543_714_304]
        );
        assert!(shape("tinny").is_none());
    }
}
