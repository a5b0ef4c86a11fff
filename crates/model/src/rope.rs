//! Rotary frequencies with the scalings that models use, as a table of cosines and sines.

use std::f64::consts::PI;

use crate::{ModelConfig, RopeScaling};

/// Cosines then sines of each position, `[n_positions, S]` row by row.
///
/// Angles are rounded to f32 as the models' own code does in pretraining: at large positions this matters more than accuracy.
pub(crate) fn table(config: &ModelConfig, n_positions: usize) -> Vec<f32> {
    let frequencies = frequencies(config);
    let scale = match config.rope_scaling {
        RopeScaling::Yarn { attention_factor, .. } => f64::from(attention_factor),
        _ => 1.0,
    };
    let mut table = Vec::with_capacity(n_positions * 2 * frequencies.len());
    for position in 0..n_positions {
        let angles = || frequencies.iter().map(|frequency| f64::from(position as f32 * frequency));
        table.extend(angles().map(|angle| (angle.cos() * scale) as f32));
        table.extend(angles().map(|angle| (angle.sin() * scale) as f32));
    }
    table
}

/// Angular frequency of each pair, `[S / 2]`.
fn frequencies(config: &ModelConfig) -> Vec<f32> {
    let dim = config.head_dim as f64;
    let theta = f64::from(config.rope_theta);
    let plain = (0..config.head_dim / 2).map(|i| 1.0 / theta.powf(2.0 * i as f64 / dim));
    let scaled = |(i, frequency): (usize, f64)| match config.rope_scaling {
        RopeScaling::None => frequency,
        RopeScaling::Linear { factor } => frequency / f64::from(factor),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position } => {
            let (low, high) = (f64::from(low_freq_factor), f64::from(high_freq_factor));
            // Turns within the original context; the blend is linear in it.
            let turns = original_max_position as f64 * frequency / (2.0 * PI);
            let keep = ((turns - low) / (high - low)).clamp(0.0, 1.0);
            (1.0 - keep) * frequency / f64::from(factor) + keep * frequency
        }
        RopeScaling::Yarn { factor, original_max_position, beta_fast, beta_slow, truncate, .. } => {
            // The pair that turns `beta` times within the original context.
            let pair = |beta: f32| dim * (original_max_position as f64 / (f64::from(beta) * 2.0 * PI)).ln() / (2.0 * theta.ln());
            let (low, high) = (pair(beta_fast), pair(beta_slow));
            let (low, high) = if truncate { (low.floor(), high.ceil()) } else { (low, high) };
            let (low, high) = (low.max(0.0), high.min(dim - 1.0));
            let high = if high == low { high + 0.001 } else { high };
            let interpolate = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
            interpolate * frequency / f64::from(factor) + (1.0 - interpolate) * frequency
        }
    };
    plain.enumerate().map(|pair| scaled(pair) as f32).collect()
}
