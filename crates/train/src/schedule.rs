//! The learning rate of each optimizer step.

use serde::{Deserialize, Serialize};

/// Shape of the learning rate after warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// The peak, always.
    Constant,
    /// Half a cosine wave from the peak to the floor.
    Cosine,
    /// A straight line from the peak to the floor.
    Linear,
}

/// A learning-rate schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Shape after warm-up.
    pub kind: ScheduleKind,
    /// The largest learning rate.
    pub learning_rate: f32,
    /// Steps of linear warm-up; 0 starts at the peak.
    pub warmup_steps: u64,
    /// Learning rate of the last step as a share of the peak, for `Cosine` and `Linear`; DeepSeek-R1's SFT and distillation use 0.1.
    pub floor_ratio: f32,
}

impl ScheduleConfig {
    /// The peak at every step.
    pub fn constant(learning_rate: f32) -> Self {
        Self { kind: ScheduleKind::Constant, learning_rate, warmup_steps: 0, floor_ratio: 1.0 }
    }
}

/// The learning rate of optimizer step `step`, counted from 0, of a run of `n_steps`.
///
/// Warm-up step k has peak · (k + 1)/`warmup_steps`, so no step is wasted at 0 and the last warm-up step is at the peak.
/// Decay begins at the step after warm-up, which is at the peak, and ends at step `n_steps` − 1, which is at the floor:
/// with p the progress between these two, `Cosine` is floor + (peak − floor) · (1 + cos πp)/2 and `Linear` is peak + (floor − peak) · p.
/// Steps past the end stay at the floor.
pub fn learning_rate(config: &ScheduleConfig, step: u64, n_steps: u64) -> f32 {
    let peak = f64::from(config.learning_rate);
    let floor = peak * f64::from(config.floor_ratio);
    if step < config.warmup_steps {
        return (peak * (step + 1) as f64 / config.warmup_steps as f64) as f32;
    }
    let n_decay_steps = n_steps.saturating_sub(1).saturating_sub(config.warmup_steps);
    let steps_done = step - config.warmup_steps;
    let progress = if steps_done == 0 { 0.0 } else { (steps_done as f64 / n_decay_steps as f64).min(1.0) };
    let rate = match config.kind {
        ScheduleKind::Constant => peak,
        ScheduleKind::Cosine => floor + (peak - floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        ScheduleKind::Linear => peak + (floor - peak) * progress,
    };
    rate as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(config: ScheduleConfig, n_steps: u64, expected: &[f32]) {
        let found: Vec<f32> = (0..expected.len() as u64).map(|step| learning_rate(&config, step, n_steps)).collect();
        let agree = found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= 1e-6 * e.abs());
        assert!(agree, "{config:?}: found {found:?}, expected {expected:?}");
    }

    #[test]
    fn constant_with_warmup() {
        let config = ScheduleConfig { warmup_steps: 4, ..ScheduleConfig::constant(2.0) };
        check(config, 7, &[0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0]);
        check(ScheduleConfig::constant(3e-6), 3, &[3e-6, 3e-6, 3e-6, 3e-6]);
    }

    #[test]
    fn linear_reaches_its_floor_at_the_last_step() {
        let config = ScheduleConfig { kind: ScheduleKind::Linear, learning_rate: 1.0, warmup_steps: 2, floor_ratio: 0.2 };
        check(config, 7, &[0.5, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.2, 0.2]);
    }

    #[test]
    fn cosine_from_5e_5_to_5e_6() {
        let config = ScheduleConfig { kind: ScheduleKind::Cosine, learning_rate: 5e-5, warmup_steps: 0, floor_ratio: 0.1 };
        // 5e-6 + 45e-6 · (1 + cos πp)/2 at p = 0, 1/4, 1/2, 3/4, 1; cos(π/4) = 0.70710678.
        check(config, 5, &[5e-5, 4.340_990_3e-5, 2.75e-5, 1.159_009_7e-5, 5e-6, 5e-6]);
    }

    #[test]
    fn runs_that_end_in_warmup_or_after_one_step() {
        let config = ScheduleConfig { kind: ScheduleKind::Cosine, learning_rate: 1.0, warmup_steps: 3, floor_ratio: 0.1 };
        check(config, 2, &[1.0 / 3.0, 2.0 / 3.0]);
        check(ScheduleConfig { warmup_steps: 0, ..config }, 1, &[1.0]);
    }

    proptest! {
        #[test]
        fn stays_between_floor_and_peak_and_never_rises_after_warmup(
            kind in prop::sample::select(vec![ScheduleKind::Constant, ScheduleKind::Cosine, ScheduleKind::Linear]),
            warmup_steps in 0_u64..20, n_steps in 0_u64..60, floor_ratio in 0.0_f32..1.0,
        ) {
            let config = ScheduleConfig { kind, learning_rate: 1e-3, warmup_steps, floor_ratio };
            let rates: Vec<f32> = (0..n_steps + 3).map(|step| learning_rate(&config, step, n_steps)).collect();
            prop_assert!(rates.iter().all(|r| *r > 0.0 || floor_ratio == 0.0));
            prop_assert!(rates.iter().all(|r| *r <= 1e-3));
            prop_assert!(rates.iter().skip(warmup_steps as usize).all(|r| *r >= 1e-3 * floor_ratio * (1.0 - 1e-6)));
            prop_assert!(rates.windows(2).skip(warmup_steps as usize).all(|w| w[1] <= w[0]));
            prop_assert!(rates.windows(2).take(warmup_steps.saturating_sub(1) as usize).all(|w| w[1] > w[0]));
        }
    }
}
