//! How much arithmetic a forward or a training step is, in floating-point operations.
//!
//! For T tokens in sequences of lengths L, n weights that are multiplied by, l layers and q = heads · head size:
//! a forward is 2 n T + 2 l q Σ L² (a multiplication and an addition for each weight and token; in attention the products of queries and
//! keys and of scores and values, half of each under the causal mask). The backward is twice the forward, so training is three times
//! (Kaplan et al. 2020, arXiv 2001.08361, section 2.1; Chowdhery et al. 2022, arXiv 2204.02311, appendix B).
//! What is done besides matrix products, what is recomputed, and the optimizer are not counted.

use crate::ModelConfig;

/// Operations of a forward over sequences of these lengths, in tokens.
pub fn forward(config: &ModelConfig, lengths: impl IntoIterator<Item = usize>) -> f64 {
    let (n, attention) = (n_multiplied(config) as f64, (config.n_layers * config.n_heads * config.head_dim) as f64);
    lengths.into_iter().map(|length| length as f64).map(|length| 2.0 * n * length + 2.0 * attention * length * length).sum()
}

/// Operations of a forward and a backward over sequences of these lengths, in tokens.
pub fn training(config: &ModelConfig, lengths: impl IntoIterator<Item = usize>) -> f64 {
    3.0 * forward(config, lengths)
}

/// Operations of a forward and a backward of a reward model over sequences of these lengths, in tokens: instead of every token's logits there
/// is one score of each sequence.
pub fn scored_training(config: &ModelConfig, lengths: impl IntoIterator<Item = usize> + Clone) -> f64 {
    let (n_sequences, n_tokens) = lengths.clone().into_iter().fold((0, 0), |(n, sum), length| (n + 1, sum + length));
    let heads = |rows: usize, width: usize| 6.0 * (rows * width * config.hidden) as f64;
    training(config, lengths) - heads(n_tokens, config.vocab) + heads(n_sequences, 1)
}

/// Operations of sampling completions of these lengths to one prompt that is read once, in tokens.
pub fn sampling(config: &ModelConfig, prompt: usize, completions: impl IntoIterator<Item = usize>) -> f64 {
    let prefill = forward(config, [prompt]);
    prefill + completions.into_iter().map(|length| forward(config, [prompt + length]) - prefill).sum::<f64>()
}

/// Numbers that a decoding step of so many sequences reads in the middle of completions of this length: all weights once, and for each
/// sequence the keys and values of its prompt and of half of its completion.
pub fn numbers_read(config: &ModelConfig, sequences: usize, prompt: usize, completion: usize) -> f64 {
    let positions = sequences * (prompt + completion / 2);
    (config.n_parameters() + 2 * config.n_layers * config.n_kv_heads * config.head_dim * positions) as f64
}

/// Weights that take part in a product: all but those of an embedding that is only looked up.
fn n_multiplied(config: &ModelConfig) -> usize {
    config.n_parameters() - if config.tied { 0 } else { config.vocab * config.hidden }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, RopeScaling};

    fn config(tied: bool) -> ModelConfig {
        ModelConfig {
            architecture: Architecture::Llama,
            hidden: 8,
            n_layers: 2,
            n_heads: 2,
            n_kv_heads: 1,
            head_dim: 4,
            ffn: 16,
            vocab: 10,
            max_positions: 64,
            rope_theta: 1e4,
            rope_scaling: RopeScaling::None,
            rms_norm_eps: 1e-5,
            tied,
            qkv_bias: false,
            qk_norm: false,
            sliding_window: None,
            bos: None,
            eos: Vec::new(),
        }
    }

    #[test]
    fn values_by_hand() {
        // A layer: q and o 64 each, k and v 32 each, three of 128, two norms of 8: 592. Embedding 80, last norm 8.
        assert_eq!(config(true).n_parameters(), 2 * 592 + 80 + 8);
        let n = 1272.0;
        assert_eq!(forward(&config(true), [3, 5]), 2.0 * n * 8.0 + 2.0 * 2.0 * 8.0 * (9.0 + 25.0));
        assert_eq!(training(&config(true), [3, 5]), 3.0 * forward(&config(true), [3, 5]));
        // An untied head is multiplied, its embedding is not.
        assert_eq!(forward(&config(false), [3, 5]), forward(&config(true), [3, 5]));
        assert_eq!(forward(&config(true), []), 0.0);
        // Without the embedding's 80 weights, with a head of 8 for each of two sequences.
        let without_head = 3.0 * (2.0 * (n - 80.0) * 8.0 + 2.0 * 2.0 * 8.0 * (9.0 + 25.0));
        assert_eq!(scored_training(&config(true), [3, 5]), without_head + 6.0 * 8.0 * 2.0);
    }

    #[test]
    fn a_prompt_is_read_once_and_sampling_adds_up_to_forwards() {
        let config = config(true);
        assert_eq!(sampling(&config, 4, [6]), forward(&config, [10]));
        let two = sampling(&config, 4, [6, 1]);
        assert_eq!(two, forward(&config, [10]) + forward(&config, [5]) - forward(&config, [4]));
        assert_eq!(sampling(&config, 4, []), forward(&config, [4]));
        // Two layers with one head of four numbers for keys and one for values, at 3 · (4 + 3) positions.
        assert_eq!(numbers_read(&config, 3, 4, 6), (config.n_parameters() + 2 * 2 * 4 * 21) as f64);
    }
}
