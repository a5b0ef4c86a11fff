//! The policy-gradient losses of the GRPO family, with their gradients written out.
//!
//! With π the policy in training, π_old the trainer's policy before the first minibatch, π_roll the policy as it was sampled, A_i the
//! advantage of sequence i, sg the stop-gradient, and c_t the weight of a token from [`Normalisation`]:
//!
//! loss = Σ_t c_t · (w_t · pg_t + `kl_coef` · kl_t)
//!
//! - ratio ρ_t = exp(log π(y_t) − log π_old(y_t)), or, at sequence level (GSPO, arXiv 2507.18071, equation 7), the geometric mean
//!   s_i = exp(1/|y_i| Σ_t (log π(y_t) − log π_old(y_t))) for every token of i, so that each token receives 1/|y_i| of its gradient
//! - `Clip`: pg_t = −min(ρ A, clip(ρ, 1 − ε_low, 1 + ε_high) A) (arXiv 2402.03300, equation 3; separate ε: arXiv 2503.14476, equation 8);
//!   with a dual clip c (arXiv 1912.09729), for A < 0, pg_t = −max(min(ρ A, clip(ρ) A), c A)
//! - `Cispo`: pg_t = −sg(min(ρ, 1 + ε_high)) · A · log π(y_t) (arXiv 2506.13585, equation 4, without a lower bound)
//! - truncated importance sampling: w_t = sg(min(π_old(y_t)/π_roll(y_t), C)), 1 without a cap; it never multiplies the KL term
//! - kl_t, with δ = log π_ref(y_t) − log π(y_t): K1 = −δ, K2 = δ²/2, K3 = exp(δ) − 1 − δ (<http://joschu.net/blog/kl-approx.html>)
//!
//! Every log-ratio is clamped to ±[`LOG_RATIO_BOUND`] before exp; where the clamp holds, the gradient through that ratio is 0.
//! Left out: the importance weight on the KL term (DeepSeek-V3.2, arXiv 2512.02556), entropy bonuses, a learned value baseline.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{BatchTotals, Normalisation};

/// Log-ratios are clamped to ± this, nats.
const LOG_RATIO_BOUND: f64 = 20.0;

/// What the importance ratio is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatioLevel {
    /// Each token has its own.
    Token,
    /// All tokens of a sequence share the geometric mean (GSPO).
    Sequence,
}

/// What is done with the ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The clipped surrogate of PPO.
    Clip,
    /// A detached, capped ratio weighs log π (CISPO).
    Cispo,
}

/// Estimator of the distance between policy and reference, as a differentiated loss on the policy's own samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlEstimator {
    /// No KL term.
    None,
    /// −log r: unbiased as a number, but its expected gradient is zero.
    K1,
    /// ½ log² r: expected gradient of KL(π‖ref).
    K2,
    /// r − 1 − log r: unbiased and never negative; expected gradient of KL(ref‖π). What GRPO uses.
    K3,
}

/// Which loss of the family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrpoLossConfig {
    /// What the ratio is taken over.
    pub ratio: RatioLevel,
    /// What is done with it.
    pub objective: Objective,
    /// The ratio is clipped below at 1 − this; not used by [`Objective::Cispo`].
    pub clip_eps_low: f32,
    /// The ratio is clipped above at 1 + this.
    pub clip_eps_high: f32,
    /// Bound c > 1 of the dual clip; for [`Objective::Clip`] only.
    pub dual_clip: Option<f32>,
    /// Estimator of the KL term.
    pub kl: KlEstimator,
    /// Weight of the KL term.
    pub kl_coef: f32,
    /// How per-token losses become one number.
    pub normalisation: Normalisation,
    /// Cap C of truncated importance sampling.
    pub importance_cap: Option<f32>,
}

/// A value of [`GrpoLossConfig`] that no loss can be computed with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LossConfigError {
    /// A number is outside its range.
    #[error("{key}: expected {expected}, found {found}")]
    OutOfRange {
        /// The field.
        key: &'static str,
        /// Its range in words.
        expected: &'static str,
        /// The value.
        found: f32,
    },
    /// CISPO has no clipped surrogate that a dual clip could bound.
    #[error("dual_clip: expected none with objective cispo, found {found}")]
    DualClipWithCispo {
        /// The value.
        found: f32,
    },
    /// A weight without the term that it weighs.
    #[error("kl_coef: expected 0 with kl none, found {found}")]
    KlCoefWithoutKl {
        /// The value.
        found: f32,
    },
}

impl GrpoLossConfig {
    /// Checks every value, to be called where a recipe is read.
    ///
    /// # Errors
    /// The first value that is out of range or contradicts another.
    pub fn validate(&self) -> Result<(), LossConfigError> {
        let length = match self.normalisation {
            Normalisation::Constant { length } => length as f32,
            Normalisation::PerSequence | Normalisation::Token => 1.0,
        };
        let ranges = [
            ("clip_eps_low", "a number >= 0", self.clip_eps_low, self.clip_eps_low >= 0.0),
            ("clip_eps_high", "a number >= 0", self.clip_eps_high, self.clip_eps_high >= 0.0),
            ("dual_clip", "a number > 1", self.dual_clip.unwrap_or(2.0), self.dual_clip.is_none_or(|c| c > 1.0)),
            ("kl_coef", "a finite number >= 0", self.kl_coef, self.kl_coef >= 0.0 && self.kl_coef.is_finite()),
            ("importance_cap", "a number > 0", self.importance_cap.unwrap_or(1.0), self.importance_cap.is_none_or(|c| c > 0.0)),
            ("normalisation.length", "a number > 0", length, length > 0.0),
        ];
        if let Some((key, expected, found, _)) = ranges.into_iter().find(|(.., holds)| !holds) {
            return Err(LossConfigError::OutOfRange { key, expected, found });
        }
        match (self.objective, self.dual_clip) {
            (Objective::Cispo, Some(found)) => return Err(LossConfigError::DualClipWithCispo { found }),
            (Objective::Cispo, None) | (Objective::Clip, _) => {}
        }
        if self.kl == KlEstimator::None && self.kl_coef != 0.0 {
            return Err(LossConfigError::KlCoefWithoutKl { found: self.kl_coef });
        }
        Ok(())
    }
}

/// One microbatch or a part of it. R completion tokens of S sequences; prompts do not appear. Log-probabilities are natural.
#[derive(Clone, Copy, Debug)]
pub struct LossInputs<'a> {
    /// Under the policy in training.
    pub policy_logprobs: &'a [f32], // [R]
    /// At sampling time.
    pub rollout_logprobs: &'a [f32], // [R]
    /// Under the trainer's policy before the first minibatch; `None`: those at sampling time, which makes every importance weight 1.
    pub old_logprobs: Option<&'a [f32]>, // [R]
    /// Under the reference.
    pub ref_logprobs: Option<&'a [f32]>, // [R]
    /// One for each sequence.
    pub advantages: &'a [f32], // [S]
    /// Sequence i is `cu_seqlens[i]..cu_seqlens[i + 1]` of the tokens.
    pub cu_seqlens: &'a [usize], // [S + 1]
    /// Tokens of each whole sequence: with a ratio for each token, a part of them may be elsewhere.
    pub lengths: &'a [usize], // [S]
    /// Totals of the whole optimizer batch.
    pub denominators: BatchTotals,
}

/// What [`grpo_loss`] returns. Losses of microbatches add up; metrics merge with [`LossMetrics::merge`].
#[derive(Clone, Debug, PartialEq)]
pub struct LossOutputs {
    /// This microbatch's share of the batch loss.
    pub loss: f64,
    /// Derivative of `loss` by each of `policy_logprobs`.
    pub dlogprobs: Vec<f32>, // [R]
    /// Sums and counts for reports.
    pub metrics: LossMetrics,
}

/// Sums and counts over the tokens of one or more microbatches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossMetrics {
    /// Tokens.
    pub n_tokens: usize,
    /// Input numbers that were NaN or infinite; if any, loss and gradients are NaN and the other metrics of that microbatch are left out.
    pub n_non_finite: usize,
    /// Tokens without policy gradient because A < 0 and the ratio is below 1 − ε_low.
    pub n_clip_low: usize,
    /// Tokens without policy gradient because A > 0 and the ratio is above 1 + ε_high; under CISPO, tokens whose ratio is capped.
    pub n_clip_high: usize,
    /// Tokens without policy gradient because of the dual clip.
    pub n_dual_clip: usize,
    /// Tokens whose importance weight is capped.
    pub n_importance_capped: usize,
    /// Tokens with a reference log-probability.
    pub n_ref_tokens: usize,
    /// Sum of the K3 estimate of the policy against the reference, whatever estimator is differentiated.
    pub ref_kl_sum: f64,
    /// Sum of π/π_old − 1 − log(π/π_old): how far the minibatches have moved, KL(π_old‖π) on samples of π_old.
    pub update_kl_sum: f64,
    /// Sum of π_train/π_roll − 1 − log(π_train/π_roll), π_train being the old policy, if given: KL(π_roll‖π_train) on samples of π_roll.
    pub mismatch_kl_sum: f64,
    /// Largest absolute difference between the two log-probabilities of `mismatch_kl_sum`, nats.
    pub mismatch_max: f64,
    /// Largest ratio of the policy to the old policy, at the level that the loss uses.
    pub ratio_max: f64,
}

impl LossMetrics {
    /// Adds another microbatch.
    pub fn merge(&mut self, other: &Self) {
        self.n_tokens += other.n_tokens;
        self.n_non_finite += other.n_non_finite;
        self.n_clip_low += other.n_clip_low;
        self.n_clip_high += other.n_clip_high;
        self.n_dual_clip += other.n_dual_clip;
        self.n_importance_capped += other.n_importance_capped;
        self.n_ref_tokens += other.n_ref_tokens;
        self.ref_kl_sum += other.ref_kl_sum;
        self.update_kl_sum += other.update_kl_sum;
        self.mismatch_kl_sum += other.mismatch_kl_sum;
        self.mismatch_max = self.mismatch_max.max(other.mismatch_max);
        self.ratio_max = self.ratio_max.max(other.ratio_max);
    }

    /// Share of tokens clipped below; 0 for no tokens.
    pub fn clip_low_share(&self) -> f64 {
        self.per_token(self.n_clip_low as f64)
    }

    /// Share of tokens clipped above; 0 for no tokens.
    pub fn clip_high_share(&self) -> f64 {
        self.per_token(self.n_clip_high as f64)
    }

    /// Share of tokens stopped by the dual clip; 0 for no tokens.
    pub fn dual_clip_share(&self) -> f64 {
        self.per_token(self.n_dual_clip as f64)
    }

    /// Share of tokens whose importance weight is capped; 0 for no tokens.
    pub fn importance_capped_share(&self) -> f64 {
        self.per_token(self.n_importance_capped as f64)
    }

    /// Mean K3 against the reference per token, nats; `None` without a reference.
    pub fn ref_kl(&self) -> Option<f64> {
        (self.n_ref_tokens > 0).then(|| self.ref_kl_sum / self.n_ref_tokens as f64)
    }

    /// Mean of `update_kl_sum` per token, nats; 0 for no tokens.
    pub fn update_kl(&self) -> f64 {
        self.per_token(self.update_kl_sum)
    }

    /// Mean of `mismatch_kl_sum` per token, nats; 0 for no tokens.
    pub fn mismatch_kl(&self) -> f64 {
        self.per_token(self.mismatch_kl_sum)
    }

    fn per_token(&self, sum: f64) -> f64 {
        if self.n_tokens == 0 { 0.0 } else { sum / self.n_tokens as f64 }
    }
}

/// The loss of one microbatch, its gradient by the policy's log-probabilities, and metrics. The arithmetic is in f64.
///
/// Sequences without tokens contribute nothing. If any input is NaN or infinite, `loss` and every gradient are NaN:
/// a bad number is never clamped, clipped or multiplied by zero out of sight.
///
/// # Panics
/// If slices differ in length, the bounds do not fit, the totals are smaller than the microbatch, or a KL term is asked for
/// without `ref_logprobs`: mistakes of the calling code. Values of the configuration are checked by [`GrpoLossConfig::validate`].
pub fn grpo_loss(config: &GrpoLossConfig, inputs: &LossInputs<'_>) -> LossOutputs {
    check_inputs(config, inputs);
    let n_tokens = inputs.policy_logprobs.len();
    let n_non_finite = count_non_finite(inputs);
    let mut outputs = LossOutputs {
        loss: 0.0,
        dlogprobs: vec![0.0; n_tokens],
        metrics: LossMetrics { n_tokens, n_non_finite, ..LossMetrics::default() },
    };
    if n_non_finite > 0 {
        outputs.loss = f64::NAN;
        outputs.dlogprobs.fill(f32::NAN);
        return outputs;
    }
    for (i, bounds) in inputs.cu_seqlens.windows(2).enumerate() {
        sequence_loss(config, inputs, i, bounds[0]..bounds[1], &mut outputs);
    }
    outputs
}

/// Adds the tokens of sequence i that are here to the loss, the gradient and the metrics.
fn sequence_loss(config: &GrpoLossConfig, inputs: &LossInputs<'_>, i: usize, tokens: Range<usize>, outputs: &mut LossOutputs) {
    let (n_tokens, advantage) = (tokens.len(), f64::from(inputs.advantages[i]));
    if n_tokens == 0 {
        return;
    }
    let weight = config.normalisation.token_weight(inputs.lengths[i], inputs.denominators);
    let old_logprobs = inputs.old_logprobs.unwrap_or(inputs.rollout_logprobs);
    let log_ratio = |t: usize| f64::from(inputs.policy_logprobs[t]) - f64::from(old_logprobs[t]);
    let sequence_ratio = match config.ratio {
        RatioLevel::Token => None,
        RatioLevel::Sequence => Some(Ratio::of(tokens.clone().map(log_ratio).sum::<f64>() / n_tokens as f64)),
    };
    // Derivative of the loss by the log of the sequence ratio, collected over the tokens and then shared out among them.
    let mut d_log_sequence_ratio = 0.0;
    for t in tokens.clone() {
        let metrics = &mut outputs.metrics;
        let policy_logprob = f64::from(inputs.policy_logprobs[t]);
        let ratio = sequence_ratio.unwrap_or_else(|| Ratio::of(log_ratio(t)));
        let policy = policy_term(config, ratio, advantage, policy_logprob, metrics);
        let importance = importance_weight(config, f64::from(old_logprobs[t]), f64::from(inputs.rollout_logprobs[t]), metrics);
        let kl = kl_term(config, inputs.ref_logprobs.map(|r| f64::from(r[t])), policy_logprob, metrics);
        metrics.update_kl_sum += k3(log_ratio(t));
        metrics.ratio_max = metrics.ratio_max.max(ratio.value);
        let trainer_logprob = inputs.old_logprobs.unwrap_or(inputs.policy_logprobs)[t];
        let mismatch = f64::from(trainer_logprob) - f64::from(inputs.rollout_logprobs[t]);
        metrics.mismatch_kl_sum += k3(mismatch);
        metrics.mismatch_max = metrics.mismatch_max.max(mismatch.abs());

        let kl_coef = f64::from(config.kl_coef);
        outputs.loss += weight * (importance * policy.value + kl_coef * kl.value);
        let mut d_logprob = weight * (importance * policy.d_logprob + kl_coef * kl.d_logprob);
        let d_log_ratio = weight * importance * policy.d_log_ratio;
        match sequence_ratio {
            Some(_) => d_log_sequence_ratio += d_log_ratio,
            None => d_logprob += d_log_ratio,
        }
        outputs.dlogprobs[t] = d_logprob as f32;
    }
    if sequence_ratio.is_some() {
        let share = d_log_sequence_ratio / n_tokens as f64;
        for d_logprob in &mut outputs.dlogprobs[tokens] {
            *d_logprob = (f64::from(*d_logprob) + share) as f32;
        }
    }
}

/// An importance ratio, and its derivative by the log-ratio before the clamp.
#[derive(Clone, Copy)]
struct Ratio {
    value: f64,
    d_log_ratio: f64,
}

impl Ratio {
    fn of(log_ratio: f64) -> Self {
        let value = log_ratio.clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND).exp();
        Self { value, d_log_ratio: if log_ratio.abs() <= LOG_RATIO_BOUND { value } else { 0.0 } }
    }
}

/// A term of a token's loss, with its derivatives through the log-ratio and directly by the policy's log-probability.
#[derive(Clone, Copy, Default)]
struct Term {
    value: f64,
    d_log_ratio: f64,
    d_logprob: f64,
}

fn policy_term(config: &GrpoLossConfig, ratio: Ratio, advantage: f64, policy_logprob: f64, metrics: &mut LossMetrics) -> Term {
    let low = 1.0 - f64::from(config.clip_eps_low);
    let high = 1.0 + f64::from(config.clip_eps_high);
    if config.objective == Objective::Cispo {
        metrics.n_clip_high += usize::from(ratio.value > high);
        let factor = -ratio.value.min(high) * advantage;
        return Term { value: factor * policy_logprob, d_log_ratio: 0.0, d_logprob: factor };
    }
    let unclipped = ratio.value * advantage;
    let clipped = ratio.value.clamp(low, high) * advantage;
    if let Some(bound) = config.dual_clip.map(f64::from)
        && advantage < 0.0
        && bound * advantage > unclipped.min(clipped)
    {
        metrics.n_dual_clip += 1;
        return Term { value: -bound * advantage, ..Term::default() };
    }
    if clipped < unclipped {
        metrics.n_clip_high += usize::from(advantage > 0.0);
        metrics.n_clip_low += usize::from(advantage < 0.0);
        return Term { value: -clipped, ..Term::default() };
    }
    Term { value: -unclipped, d_log_ratio: -ratio.d_log_ratio * advantage, d_logprob: 0.0 }
}

fn importance_weight(config: &GrpoLossConfig, old_logprob: f64, rollout_logprob: f64, metrics: &mut LossMetrics) -> f64 {
    let Some(cap) = config.importance_cap.map(f64::from) else { return 1.0 };
    let weight = Ratio::of(old_logprob - rollout_logprob).value;
    metrics.n_importance_capped += usize::from(weight > cap);
    weight.min(cap)
}

fn kl_term(config: &GrpoLossConfig, ref_logprob: Option<f64>, policy_logprob: f64, metrics: &mut LossMetrics) -> Term {
    let Some(ref_logprob) = ref_logprob else { return Term::default() };
    let log_r = (ref_logprob - policy_logprob).clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND);
    metrics.n_ref_tokens += 1;
    metrics.ref_kl_sum += k3(log_r);
    let (value, d_log_r) = match config.kl {
        KlEstimator::None => (0.0, 0.0),
        KlEstimator::K1 => (-log_r, -1.0),
        KlEstimator::K2 => (0.5 * log_r * log_r, log_r),
        KlEstimator::K3 => (k3(log_r), log_r.exp_m1()),
    };
    let clamped = (ref_logprob - policy_logprob).abs() > LOG_RATIO_BOUND;
    Term { value, d_log_ratio: 0.0, d_logprob: if clamped { 0.0 } else { -d_log_r } }
}

/// exp(x) − 1 − x of the clamped x, without the cancellation of writing it so.
fn k3(log_r: f64) -> f64 {
    let log_r = log_r.clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND);
    log_r.exp_m1() - log_r
}

/// Asserts what the loss indexes by, so that a mistake of the caller is named where it happens.
fn check_bounds(cu_seqlens: &[usize], n_tokens: usize, totals: BatchTotals) {
    assert_eq!(cu_seqlens.first(), Some(&0), "sequence bounds start at 0");
    assert_eq!(cu_seqlens.last(), Some(&n_tokens), "sequence bounds end at the number of tokens");
    assert!(cu_seqlens.is_sorted(), "sequence bounds ascend");
    assert!(
        cu_seqlens.len() - 1 <= totals.n_sequences && n_tokens <= totals.n_tokens,
        "a microbatch of {} sequences and {n_tokens} tokens is larger than its batch, {totals:?}",
        cu_seqlens.len() - 1,
    );
}

fn check_inputs(config: &GrpoLossConfig, inputs: &LossInputs<'_>) {
    let n_tokens = inputs.policy_logprobs.len();
    check_bounds(inputs.cu_seqlens, n_tokens, inputs.denominators);
    assert_eq!(inputs.rollout_logprobs.len(), n_tokens, "one rollout log-probability for each token");
    assert!(inputs.old_logprobs.is_none_or(|l| l.len() == n_tokens), "one old log-probability for each token");
    assert!(inputs.ref_logprobs.is_none_or(|l| l.len() == n_tokens), "one reference log-probability for each token");
    assert_eq!(inputs.advantages.len(), inputs.cu_seqlens.len() - 1, "one advantage for each sequence");
    let mut lengths = inputs.cu_seqlens.windows(2).map(|w| w[1] - w[0]).zip(inputs.lengths);
    let fits = |(here, &whole): (usize, &usize)| if config.ratio == RatioLevel::Token { here <= whole } else { here == whole };
    assert!(inputs.lengths.len() == inputs.advantages.len() && lengths.all(fits), "one length for each sequence, which has its tokens");
    assert!(config.kl == KlEstimator::None || inputs.ref_logprobs.is_some(), "a KL term needs reference log-probabilities");
}

fn count_non_finite(inputs: &LossInputs<'_>) -> usize {
    let slices = [Some(inputs.policy_logprobs), Some(inputs.rollout_logprobs), inputs.old_logprobs, inputs.ref_logprobs];
    slices.into_iter().flatten().chain([inputs.advantages]).flatten().filter(|x| !x.is_finite()).count()
}

#[cfg(test)]
mod tests;
