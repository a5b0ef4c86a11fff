//! Published settings by name, as data: `recipes/presets/*.toml`. The source of every value is in `docs/concepts/grpo.md`.

use serde::{Deserialize, Serialize};

use crate::advantages::AdvantageKind;
use crate::losses::{GrpoLossConfig, KlEstimator, LossConfigError, Normalisation, Objective, RatioLevel};
use crate::overlong::SoftOverlong;
use crate::schedule::{ScheduleConfig, ScheduleKind};
use crate::trainer::OptimizerConfig;

/// Name and TOML text of each preset.
const PRESETS: [(&str, &str); 7] = [
    ("r1-zero", include_str!("../../../recipes/presets/r1-zero.toml")),
    ("r1", include_str!("../../../recipes/presets/r1.toml")),
    ("dapo", include_str!("../../../recipes/presets/dapo.toml")),
    ("dr-grpo", include_str!("../../../recipes/presets/dr-grpo.toml")),
    ("gspo", include_str!("../../../recipes/presets/gspo.toml")),
    ("cispo", include_str!("../../../recipes/presets/cispo.toml")),
    ("rloo", include_str!("../../../recipes/presets/rloo.toml")),
];

/// Every option of GRPO training. An optional key that a preset leaves out is switched off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpoPreset {
    /// Completions sampled for each prompt, G.
    pub group_size: u32,
    /// Prompts whose groups make one optimizer step.
    pub prompts_per_step: u32,
    /// Optimizer steps that share one rollout batch, within one inner epoch; see [`GrpoPreset::prompts_per_rollout`].
    pub minibatches: u32,
    /// Passes over each rollout batch.
    pub inner_epochs: u32,
    /// Generation budget of a completion, tokens.
    pub max_completion_tokens: u32,
    /// Sampling temperature.
    pub temperature: f32,
    /// What a reward is compared with.
    pub advantage: AdvantageKind,
    /// What the importance ratio is taken over.
    pub ratio: RatioLevel,
    /// What is done with it.
    pub objective: Objective,
    /// The ratio is clipped below at 1 − this.
    pub clip_eps_low: f32,
    /// The ratio is clipped above at 1 + this.
    pub clip_eps_high: f32,
    /// Bound of the dual clip.
    pub dual_clip: Option<f32>,
    /// Cap of truncated importance sampling.
    pub importance_cap: Option<f32>,
    /// How per-token losses become one number.
    pub normalisation: PresetNormalisation,
    /// Estimator of the KL term.
    pub kl: KlEstimator,
    /// Weight of the KL term.
    pub kl_coef: f32,
    /// The reference becomes the policy every so many optimizer steps; without it the reference never changes.
    pub reference_refresh_steps: Option<u32>,
    /// Replace groups whose rewards are all equal by new prompts.
    pub dynamic_sampling: bool,
    /// Take truncated completions out of the loss.
    pub overlong_filter: bool,
    /// Soft overlong punishment over this share of the generation budget.
    pub overlong_cache_share: Option<f32>,
    /// Learning rate after warm-up, constant.
    pub learning_rate: f32,
    /// Optimizer steps of linear warm-up.
    pub warmup_steps: u64,
    /// Decoupled weight decay of AdamW.
    pub weight_decay: f32,
    /// β1 and β2 of AdamW.
    pub adam_betas: [f32; 2],
    /// ε of AdamW.
    pub adam_eps: f32,
    /// Global gradient norm above which gradients are scaled down.
    pub max_grad_norm: f32,
}

/// [`Normalisation`], with its constant derived from the generation budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresetNormalisation {
    /// [`Normalisation::PerSequence`].
    PerSequence,
    /// [`Normalisation::Token`].
    Token,
    /// [`Normalisation::Constant`] with `max_completion_tokens`.
    GenerationBudget,
}

/// Why there is no usable preset.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PresetError {
    /// No preset has this name.
    #[error("preset: expected one of {expected}, found {found:?}")]
    UnknownName {
        /// All names.
        expected: String,
        /// The name asked for.
        found: String,
    },
    /// A number is outside its range.
    #[error("{key}: expected {expected}, found {found}")]
    OutOfRange {
        /// The field.
        key: &'static str,
        /// Its range in words.
        expected: &'static str,
        /// The value.
        found: f64,
    },
    /// The loss cannot be computed with these values.
    #[error(transparent)]
    Loss(#[from] LossConfigError),
}

/// Names of all presets.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|&(name, _)| name)
}

/// The preset of this name.
///
/// # Errors
/// [`PresetError::UnknownName`], with the names there are.
pub fn preset(name: &str) -> Result<GrpoPreset, PresetError> {
    Ok(toml::from_str(preset_toml(name)?).expect("presets are compiled in, and a test reads each of them"))
}

/// The TOML text of the preset of this name, for recipes that override some of its keys.
///
/// # Errors
/// [`PresetError::UnknownName`], with the names there are.
pub fn preset_toml(name: &str) -> Result<&'static str, PresetError> {
    let unknown = || PresetError::UnknownName { expected: preset_names().collect::<Vec<_>>().join(", "), found: name.to_owned() };
    PRESETS.iter().find(|(n, _)| *n == name).map(|&(_, text)| text).ok_or_else(unknown)
}

impl GrpoPreset {
    /// Checks every value, the loss's included.
    ///
    /// # Errors
    /// The first value that is out of range or contradicts another.
    pub fn validate(&self) -> Result<(), PresetError> {
        let at_least_one = |key, n: u32| (key, "a number >= 1", f64::from(n), n >= 1);
        let positive = |key, x: f32| (key, "a finite number > 0", f64::from(x), x > 0.0 && x.is_finite());
        let beta = |key, x: f32| (key, "a number in [0, 1)", f64::from(x), (0.0..1.0).contains(&x));
        let cache_share = self.overlong_cache_share.unwrap_or(1.0);
        let ranges = [
            at_least_one("group_size", self.group_size),
            at_least_one("prompts_per_step", self.prompts_per_step),
            at_least_one("minibatches", self.minibatches),
            at_least_one("inner_epochs", self.inner_epochs),
            at_least_one("max_completion_tokens", self.max_completion_tokens),
            at_least_one("reference_refresh_steps", self.reference_refresh_steps.unwrap_or(1)),
            positive("temperature", self.temperature),
            positive("adam_eps", self.adam_eps),
            positive("max_grad_norm", self.max_grad_norm),
            beta("adam_betas[0]", self.adam_betas[0]),
            beta("adam_betas[1]", self.adam_betas[1]),
            ("overlong_cache_share", "a number in (0, 1]", f64::from(cache_share), cache_share > 0.0 && cache_share <= 1.0),
            (
                "learning_rate",
                "a finite number >= 0",
                f64::from(self.learning_rate),
                self.learning_rate.is_finite() && self.learning_rate >= 0.0,
            ),
            (
                "weight_decay",
                "a finite number >= 0",
                f64::from(self.weight_decay),
                self.weight_decay.is_finite() && self.weight_decay >= 0.0,
            ),
        ];
        if let Some((key, expected, found, _)) = ranges.into_iter().find(|(.., holds)| !holds) {
            return Err(PresetError::OutOfRange { key, expected, found });
        }
        Ok(self.loss_config().validate()?)
    }

    /// The optimizer.
    pub fn optimizer_config(&self) -> OptimizerConfig {
        let [beta1, beta2] = self.adam_betas;
        OptimizerConfig { beta1, beta2, eps: self.adam_eps, weight_decay: self.weight_decay, max_grad_norm: self.max_grad_norm }
    }

    /// The loss.
    pub fn loss_config(&self) -> GrpoLossConfig {
        GrpoLossConfig {
            ratio: self.ratio,
            objective: self.objective,
            clip_eps_low: self.clip_eps_low,
            clip_eps_high: self.clip_eps_high,
            dual_clip: self.dual_clip,
            kl: self.kl,
            kl_coef: self.kl_coef,
            normalisation: match self.normalisation {
                PresetNormalisation::PerSequence => Normalisation::PerSequence,
                PresetNormalisation::Token => Normalisation::Token,
                PresetNormalisation::GenerationBudget => Normalisation::Constant { length: self.max_completion_tokens },
            },
            importance_cap: self.importance_cap,
        }
    }

    /// The soft overlong punishment, if it is on.
    pub fn soft_overlong(&self) -> Option<SoftOverlong> {
        self.overlong_cache_share.map(|share| SoftOverlong::of_budget(self.max_completion_tokens, share))
    }

    /// The learning-rate schedule.
    pub fn schedule(&self) -> ScheduleConfig {
        let Self { learning_rate, warmup_steps, .. } = *self;
        ScheduleConfig { kind: ScheduleKind::Constant, learning_rate, warmup_steps, floor_ratio: 1.0 }
    }

    /// Prompts sampled at once; their completions serve `minibatches` · `inner_epochs` optimizer steps.
    pub fn prompts_per_rollout(&self) -> u64 {
        u64::from(self.prompts_per_step) * u64::from(self.minibatches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_be_read_and_used() {
        for name in preset_names() {
            assert_eq!(preset(name).unwrap().validate(), Ok(()), "{name}");
        }
    }

    #[test]
    fn published_batch_sizes() {
        let completions = |name: &str| {
            let preset = preset(name).unwrap();
            (preset.prompts_per_rollout() * u64::from(preset.group_size), preset.prompts_per_step * preset.group_size)
        };
        // R1-Zero: 8,192 outputs for each rollout batch, 512 for each step. DAPO: 512 prompts x 16, 512 for each step.
        assert_eq!(completions("r1-zero"), (8_192, 512));
        assert_eq!(completions("dapo"), (8_192, 512));
        assert_eq!(completions("dr-grpo"), (1_024, 128));
        assert_eq!(completions("rloo"), (512, 512));
    }

    #[test]
    fn published_values() {
        let zero = preset("r1-zero").unwrap();
        assert_eq!((zero.learning_rate, zero.kl_coef, zero.kl, zero.reference_refresh_steps), (3e-6, 0.001, KlEstimator::K3, Some(400)));
        assert_eq!(GrpoPreset { clip_eps_low: 10.0, clip_eps_high: 10.0, ..zero }, preset("r1").unwrap());
        let dapo = preset("dapo").unwrap();
        assert_eq!((dapo.clip_eps_low, dapo.clip_eps_high, dapo.kl, dapo.dynamic_sampling), (0.2, 0.28, KlEstimator::None, true));
        assert_eq!(dapo.soft_overlong(), Some(SoftOverlong { max_length: 20_480, cache: 4_096 }));
        assert_eq!(dapo.loss_config().normalisation, Normalisation::Token);
        assert_eq!(preset("dr-grpo").unwrap().loss_config().normalisation, Normalisation::Constant { length: 3_000 });
        let gspo = preset("gspo").unwrap();
        assert_eq!((gspo.ratio, gspo.clip_eps_low, gspo.clip_eps_high, gspo.minibatches), (RatioLevel::Sequence, 3e-4, 4e-4, 4));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_names_there_are() {
        let error = preset("r1zero").unwrap_err().to_string();
        assert_eq!(error, "preset: expected one of r1-zero, r1, dapo, dr-grpo, gspo, cispo, rloo, found \"r1zero\"");
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let text = format!("{}\nkl_coeff = 1.0\n", preset_toml("dapo").unwrap());
        let error = toml::from_str::<GrpoPreset>(&text).unwrap_err().to_string();
        assert!(error.contains("unknown field `kl_coeff`"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_named() {
        let check = |change: fn(&mut GrpoPreset), expected: &str| {
            let mut preset = preset("r1-zero").unwrap();
            change(&mut preset);
            assert_eq!(preset.validate().unwrap_err().to_string(), expected);
        };
        check(|p| p.group_size = 0, "group_size: expected a number >= 1, found 0");
        check(|p| p.temperature = 0.0, "temperature: expected a finite number > 0, found 0");
        check(|p| p.adam_betas[1] = 1.0, "adam_betas[1]: expected a number in [0, 1), found 1");
        check(|p| p.learning_rate = f32::NAN, "learning_rate: expected a finite number >= 0, found NaN");
        check(|p| p.clip_eps_low = -0.5, "clip_eps_low: expected a number >= 0, found -0.5");
        check(|p| p.dual_clip = Some(1.0), "dual_clip: expected a number > 1, found 1");
        check(|p| p.kl = KlEstimator::None, "kl_coef: expected 0 with kl none, found 0.001");
    }
}
