use ruminate_core::Seed;
use serde::Deserialize;

use super::*;
use crate::advantages::{AdvantageKind, advantages};

const PLAIN: GrpoLossConfig = GrpoLossConfig {
    ratio: RatioLevel::Token,
    objective: Objective::Clip,
    clip_eps_low: 0.2,
    clip_eps_high: 0.2,
    dual_clip: None,
    kl: KlEstimator::None,
    kl_coef: 0.0,
    normalisation: Normalisation::PerSequence,
    importance_cap: None,
};

/// Every combination of options that [`GrpoLossConfig::validate`] lets through.
fn all_configs() -> Vec<GrpoLossConfig> {
    let mut configs = Vec::new();
    for ratio in [RatioLevel::Token, RatioLevel::Sequence] {
        for (objective, dual_clip) in [(Objective::Clip, None), (Objective::Clip, Some(1.4)), (Objective::Cispo, None)] {
            for kl in [KlEstimator::None, KlEstimator::K1, KlEstimator::K2, KlEstimator::K3] {
                for normalisation in [Normalisation::PerSequence, Normalisation::Token, Normalisation::Constant { length: 5 }] {
                    for importance_cap in [None, Some(1.1)] {
                        let kl_coef = if kl == KlEstimator::None { 0.0 } else { 0.3 };
                        let eps = GrpoLossConfig { clip_eps_low: 0.15, clip_eps_high: 0.25, ..PLAIN };
                        configs.push(GrpoLossConfig { ratio, objective, dual_clip, kl, kl_coef, normalisation, importance_cap, ..eps });
                    }
                }
            }
        }
    }
    assert!(configs.iter().all(|c| c.validate().is_ok()));
    configs
}

#[derive(Clone)]
struct Batch {
    policy: Vec<f32>,
    rollout: Vec<f32>,
    old: Option<Vec<f32>>,
    reference: Vec<f32>,
    advantages: Vec<f32>,
    cu_seqlens: Vec<usize>,
    lengths: Vec<usize>,
}

impl Batch {
    /// Random log-probabilities; lengths include 0 and 1.
    fn random(seed: u64, lengths: &[usize]) -> Self {
        let n_tokens: usize = lengths.iter().sum();
        let draw = |name: &str, base: Option<&[f32]>, spread: f64| -> Vec<f32> {
            let seed = Seed::new(seed).with(name);
            (0..n_tokens)
                .map(|t| (base.map_or(-2.0, |b| f64::from(b[t])) + spread * (2.0 * seed.with_index(t as u64).uniform() - 1.0)) as f32)
                .collect()
        };
        let rollout = draw("rollout", None, 1.5);
        let old = draw("old", Some(&rollout), 0.3);
        let policy = draw("policy", Some(&old), 0.6);
        let reference = draw("ref", Some(&policy), 0.5);
        let advantages =
            (0..lengths.len() as u64).map(|i| 3.0 * (Seed::new(seed).with("a").with_index(i).uniform() - 0.5) as f32).collect();
        let cu_seqlens = [0]
            .into_iter()
            .chain(lengths.iter().scan(0, |end, n| {
                *end += n;
                Some(*end)
            }))
            .collect();
        Self { policy, rollout, old: Some(old), reference, advantages, cu_seqlens, lengths: lengths.to_vec() }
    }

    fn totals(&self) -> BatchTotals {
        BatchTotals::of_lengths(self.cu_seqlens.windows(2).map(|w| w[1] - w[0]))
    }

    fn loss(&self, config: &GrpoLossConfig, denominators: BatchTotals) -> LossOutputs {
        let inputs = LossInputs {
            policy_logprobs: &self.policy,
            rollout_logprobs: &self.rollout,
            old_logprobs: self.old.as_deref(),
            ref_logprobs: Some(&self.reference),
            advantages: &self.advantages,
            cu_seqlens: &self.cu_seqlens,
            lengths: &self.lengths,
            denominators,
        };
        grpo_loss(config, &inputs)
    }

    /// Sequences `range` as a microbatch.
    fn part(&self, range: Range<usize>) -> Self {
        self.tokens(self.cu_seqlens[range.start]..self.cu_seqlens[range.end], range)
    }

    /// Some tokens as a part of a microbatch, all of them within the sequences `range`.
    fn tokens(&self, tokens: Range<usize>, range: Range<usize>) -> Self {
        Self {
            policy: self.policy[tokens.clone()].to_vec(),
            rollout: self.rollout[tokens.clone()].to_vec(),
            old: self.old.as_ref().map(|old| old[tokens.clone()].to_vec()),
            reference: self.reference[tokens.clone()].to_vec(),
            advantages: self.advantages[range.clone()].to_vec(),
            cu_seqlens: self.cu_seqlens[range.start..=range.end]
                .iter()
                .map(|c| c.clamp(&tokens.start, &tokens.end) - tokens.start)
                .collect(),
            lengths: self.lengths[range].to_vec(),
        }
    }
}

fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()), "{what}: found {found}, expected {expected}");
}

mod golden {
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        lengths: Vec<usize>,
        group_size: usize,
        rewards: Vec<f32>,
        policy_logprobs: Vec<f32>,
        rollout_logprobs: Vec<f32>,
        old_logprobs: Vec<f32>,
        ref_logprobs: Vec<f32>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        config: Config,
        advantages: Vec<f64>,
        loss: f64,
        dlogprobs: Vec<f64>,
    }

    #[derive(Deserialize)]
    struct Config {
        ratio: RatioLevel,
        objective: Objective,
        clip_eps_low: f32,
        clip_eps_high: f32,
        dual_clip: Option<f32>,
        kl: KlEstimator,
        kl_coef: f32,
        normalisation: Normalisation,
        importance_cap: Option<f32>,
        advantage: AdvantageKind,
    }

    /// Values and gradients by autograd in float64: `tests/golden/grpo_losses.py`.
    #[test]
    fn agrees_with_autograd() {
        let golden: Golden = serde_json::from_str(include_str!("../../../../../tests/golden/grpo_losses.json")).unwrap();
        assert_eq!(golden.cases.len(), 15);
        let groups: Vec<Vec<f32>> = golden.rewards.chunks(golden.group_size).map(<[f32]>::to_vec).collect();
        for case in golden.cases {
            let Config { ratio, objective, clip_eps_low, clip_eps_high, dual_clip, kl, kl_coef, normalisation, importance_cap, advantage } =
                case.config;
            let config =
                GrpoLossConfig { ratio, objective, clip_eps_low, clip_eps_high, dual_clip, kl, kl_coef, normalisation, importance_cap };
            let batch = Batch {
                policy: golden.policy_logprobs.clone(),
                rollout: golden.rollout_logprobs.clone(),
                old: Some(golden.old_logprobs.clone()),
                reference: golden.ref_logprobs.clone(),
                advantages: advantages(advantage, &groups).concat(),
                cu_seqlens: Batch::random(0, &golden.lengths).cu_seqlens,
                lengths: golden.lengths.clone(),
            };
            for (found, expected) in batch.advantages.iter().zip(&case.advantages) {
                assert_close(f64::from(*found), *expected, 1e-6, &format!("{} advantage", case.name));
            }
            let found = batch.loss(&config, batch.totals());
            assert_close(found.loss, case.loss, 1e-7, &format!("{} loss", case.name));
            assert_eq!(found.dlogprobs.len(), case.dlogprobs.len());
            for (t, (f, e)) in found.dlogprobs.iter().zip(&case.dlogprobs).enumerate() {
                assert_close(f64::from(*f), *e, 1e-7, &format!("{} gradient of token {t}", case.name));
            }
        }
    }
}

/// The same loss, slowly: one token at a time from the formulas. `frozen` stands for the policy under a stop-gradient.
fn twin(config: &GrpoLossConfig, batch: &Batch, policy: &[f64], frozen: &[f64]) -> f64 {
    let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|&v| f64::from(v)).collect() };
    let (rollout, reference) = (wide(&batch.rollout), wide(&batch.reference));
    let old = batch.old.as_ref().map_or(rollout.clone(), |old| wide(old));
    let clamp = |x: f64| x.clamp(-20.0, 20.0);
    let (low, high) = (1.0 - f64::from(config.clip_eps_low), 1.0 + f64::from(config.clip_eps_high));
    let n_sequences = batch.advantages.len() as f64;
    let mut loss = 0.0;
    for (i, bounds) in batch.cu_seqlens.windows(2).enumerate() {
        let (start, end, n) = (bounds[0], bounds[1], (bounds[1] - bounds[0]) as f64);
        let a = f64::from(batch.advantages[i]);
        let ratio = |policy: &[f64], t: usize| match config.ratio {
            RatioLevel::Token => clamp(policy[t] - old[t]).exp(),
            RatioLevel::Sequence => clamp((start..end).map(|u| policy[u] - old[u]).sum::<f64>() / n).exp(),
        };
        for t in start..end {
            let rho = ratio(policy, t);
            let mut gain = match config.objective {
                Objective::Clip => (rho * a).min(rho.clamp(low, high) * a),
                Objective::Cispo => ratio(frozen, t).min(high) * a * policy[t],
            };
            if let (Some(c), true) = (config.dual_clip, a < 0.0) {
                gain = gain.max(f64::from(c) * a);
            }
            if let Some(cap) = config.importance_cap {
                gain *= clamp(old[t] - rollout[t]).exp().min(f64::from(cap));
            }
            let log_r = clamp(reference[t] - policy[t]);
            let kl = match config.kl {
                KlEstimator::None => 0.0,
                KlEstimator::K1 => -log_r,
                KlEstimator::K2 => log_r.powi(2) / 2.0,
                KlEstimator::K3 => log_r.exp() - 1.0 - log_r,
            };
            let per_token = f64::from(config.kl_coef) * kl - gain;
            loss += match config.normalisation {
                Normalisation::PerSequence => per_token / n / n_sequences,
                Normalisation::Token => per_token / policy.len() as f64,
                Normalisation::Constant { length } => per_token / (n_sequences * f64::from(length)),
            };
        }
    }
    loss
}

/// Checks loss and gradients against the twin and its central differences. Returns how many tokens were checked, the others being
/// closer to a kink of the loss than the step of the difference.
fn check_gradients(config: &GrpoLossConfig, batch: &Batch) -> usize {
    let found = batch.loss(config, batch.totals());
    let base: Vec<f64> = batch.policy.iter().map(|&v| f64::from(v)).collect();
    assert_close(found.loss, twin(config, batch, &base, &base), 1e-10, &format!("{config:?} loss"));
    let mut n_checked = 0;
    for t in 0..base.len() {
        let slope = |h: f64| {
            let moved = |by: f64| {
                let mut policy = base.clone();
                policy[t] += by;
                twin(config, batch, &policy, &base)
            };
            (moved(h) - moved(-h)) / (2.0 * h)
        };
        // Near a kink the two steps see different slopes.
        let (wide, narrow) = (slope(1e-4), slope(1e-5));
        if (wide - narrow).abs() > 1e-6 * (1.0 + narrow.abs()) {
            continue;
        }
        assert_close(f64::from(found.dlogprobs[t]), narrow, 1e-6, &format!("{config:?} gradient of token {t}"));
        n_checked += 1;
    }
    n_checked
}

#[test]
fn gradients_are_finite_differences_for_every_combination() {
    let batches: Vec<Batch> = (0..4).map(|seed| Batch::random(seed, &[3, 0, 1, 5, 2])).collect();
    let configs = all_configs();
    assert_eq!(configs.len(), 144);
    let mut n_checked = 0;
    for config in &configs {
        n_checked += batches.iter().map(|batch| check_gradients(config, batch)).sum::<usize>();
    }
    assert!(n_checked * 100 >= 144 * 44 * 99, "only {n_checked} tokens were away from kinks");
}

#[test]
fn gradients_are_those_of_the_clamped_function() {
    let mut batch = Batch::random(9, &[2, 2, 2, 1]);
    let old = batch.old.clone().unwrap();
    // A whole sequence far above the old policy, another far below, and a reference far from the policy on either side.
    for t in [0, 1] {
        batch.policy[t] = old[t] + 25.0;
        batch.reference[t] = batch.policy[t];
    }
    for t in [2, 3] {
        batch.policy[t] = old[t] - 25.0;
        batch.reference[t] = batch.policy[t];
    }
    batch.reference[4] = batch.policy[4] + 30.0;
    batch.reference[5] = batch.policy[5] - 30.0;
    for advantage in [1.0, -1.0] {
        batch.advantages.fill(advantage);
        for config in all_configs().into_iter().filter(|c| c.kl != KlEstimator::K3) {
            // A < 0 bounds the ratio by the clamp alone, and exp(20) leaves too few digits for differences: the zeros are stated instead.
            if advantage < 0.0 && config.objective == Objective::Clip && config.dual_clip.is_none() {
                let found = batch.loss(&GrpoLossConfig { kl: KlEstimator::None, ..config }, batch.totals());
                assert_eq!(found.dlogprobs[..4], [0.0; 4], "{config:?}");
                continue;
            }
            assert_eq!(check_gradients(&config, &batch), 7, "{config:?}");
        }
        // The same holds for K3 beyond the clamp.
        let outputs = batch.loss(&GrpoLossConfig { kl: KlEstimator::K3, kl_coef: 1.0, ..PLAIN }, batch.totals());
        let without = batch.loss(&PLAIN, batch.totals());
        assert_eq!(outputs.dlogprobs[4..6], without.dlogprobs[4..6]);
        let k3 = |x: f64| x.exp() - 1.0 - x;
        let expected: f64 =
            without.loss + (k3(20.0) + k3(-20.0)) / 8.0 + k3(f64::from(batch.reference[6]) - f64::from(batch.policy[6])) / 4.0;
        assert_close(outputs.loss, expected, 1e-12, "K3 beyond the clamp");
    }
}

#[test]
fn one_batch_of_eight_is_eight_batches_of_one() {
    let batch = Batch::random(3, &[4, 1, 0, 6, 2, 3, 1, 5]);
    for config in all_configs() {
        let whole = batch.loss(&config, batch.totals());
        for size in [1, 2, 4] {
            let parts: Vec<LossOutputs> = (0..8).step_by(size).map(|i| batch.part(i..i + size).loss(&config, batch.totals())).collect();
            assert_close(parts.iter().map(|p| p.loss).sum(), whole.loss, 1e-12, "loss");
            assert_eq!(parts.iter().flat_map(|p| p.dlogprobs.clone()).collect::<Vec<_>>(), whole.dlogprobs);
            let mut metrics = LossMetrics::default();
            parts.iter().for_each(|p| metrics.merge(&p.metrics));
            let sums = |m: &LossMetrics| [m.ref_kl_sum, m.update_kl_sum, m.mismatch_kl_sum, m.mismatch_max, m.ratio_max];
            for (found, expected) in sums(&metrics).into_iter().zip(sums(&whole.metrics)) {
                assert_close(found, expected, 1e-12, "metric");
            }
            let sums_left_out = |m: LossMetrics| LossMetrics { ref_kl_sum: 0.0, update_kl_sum: 0.0, mismatch_kl_sum: 0.0, ..m };
            assert_eq!(sums_left_out(metrics), sums_left_out(whole.metrics));
        }
    }
}

#[test]
fn with_a_ratio_for_each_token_a_batch_may_be_cut_anywhere() {
    let batch = Batch::random(4, &[4, 1, 0, 6]);
    for config in all_configs().into_iter().filter(|config| config.ratio == RatioLevel::Token) {
        let whole = batch.loss(&config, batch.totals());
        for cuts in [[0, 1, 3, 11], [0, 2, 9, 11], [0, 5, 6, 11]] {
            let parts: Vec<LossOutputs> = cuts.windows(2).map(|w| batch.tokens(w[0]..w[1], 0..4).loss(&config, batch.totals())).collect();
            assert_close(parts.iter().map(|p| p.loss).sum(), whole.loss, 1e-12, "loss");
            assert_eq!(parts.iter().flat_map(|p| p.dlogprobs.clone()).collect::<Vec<_>>(), whole.dlogprobs);
        }
    }
}

#[test]
#[should_panic(expected = "which has its tokens")]
fn with_a_ratio_for_each_sequence_a_cut_one_is_a_bug() {
    let batch = Batch::random(4, &[4, 2]);
    batch.tokens(0..3, 0..1).loss(&GrpoLossConfig { ratio: RatioLevel::Sequence, ..PLAIN }, batch.totals());
}

#[test]
fn on_policy_every_objective_is_reinforce() {
    let mut batch = Batch::random(5, &[3, 1, 4]);
    batch.policy = batch.rollout.clone();
    batch.old = None;
    for objective in [Objective::Clip, Objective::Cispo] {
        for ratio in [RatioLevel::Token, RatioLevel::Sequence] {
            let config = GrpoLossConfig { objective, ratio, importance_cap: Some(2.0), ..PLAIN };
            let found = batch.loss(&config, batch.totals());
            for (i, n) in [3, 1, 4].into_iter().enumerate() {
                for t in batch.cu_seqlens[i]..batch.cu_seqlens[i + 1] {
                    let expected = -f64::from(batch.advantages[i]) / (3.0 * f64::from(n));
                    assert_close(f64::from(found.dlogprobs[t]), expected, 1e-6, &format!("{objective:?} {ratio:?} token {t}"));
                }
            }
            assert_eq!((found.metrics.ratio_max, found.metrics.mismatch_max, found.metrics.update_kl()), (1.0, 0.0, 0.0));
        }
    }
}

#[test]
fn zero_advantages_leave_only_the_kl_term() {
    let mut batch = Batch::random(6, &[3, 2]);
    batch.advantages.fill(0.0);
    for config in all_configs() {
        let without_kl = GrpoLossConfig { kl: KlEstimator::None, kl_coef: 0.0, ..config };
        let outputs = batch.loss(&without_kl, batch.totals());
        assert_eq!(outputs.loss, 0.0);
        assert!(outputs.dlogprobs.iter().all(|&g| g == 0.0), "{config:?}");
        if config.kl != KlEstimator::None {
            assert!(batch.loss(&config, batch.totals()).dlogprobs.iter().all(|&g| g != 0.0), "{config:?}");
        }
    }
}

#[test]
fn a_sequence_of_one_token_has_the_same_ratio_at_both_levels() {
    let batch = Batch::random(8, &[1, 1, 1]);
    for config in all_configs() {
        let token = batch.loss(&GrpoLossConfig { ratio: RatioLevel::Token, ..config }, batch.totals());
        let sequence = batch.loss(&GrpoLossConfig { ratio: RatioLevel::Sequence, ..config }, batch.totals());
        assert_close(token.loss, sequence.loss, 1e-12, "loss");
        for (t, s) in token.dlogprobs.iter().zip(&sequence.dlogprobs) {
            assert_close(f64::from(*t), f64::from(*s), 1e-6, "gradient");
        }
    }
}

#[test]
fn nothing_to_train_is_a_loss_of_zero() {
    for lengths in [&[][..], &[0], &[0, 0, 0]] {
        for config in all_configs() {
            let batch = Batch::random(1, lengths);
            let outputs = batch.loss(&config, batch.totals());
            assert_eq!((outputs.loss, outputs.dlogprobs.len(), outputs.metrics.n_tokens), (0.0, 0, 0));
            assert_eq!((outputs.metrics.clip_low_share(), outputs.metrics.mismatch_kl(), outputs.metrics.ref_kl()), (0.0, 0.0, None));
        }
    }
}

#[test]
fn numbers_that_are_not_finite_surface() {
    let slots: [fn(&mut Batch) -> &mut f32; 5] = [
        |b| &mut b.policy[1],
        |b| &mut b.rollout[1],
        |b| &mut b.old.as_mut().unwrap()[1],
        |b| &mut b.reference[1],
        |b| &mut b.advantages[0],
    ];
    for config in all_configs() {
        for slot in slots {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut batch = Batch::random(2, &[3, 2]);
                *slot(&mut batch) = bad;
                let outputs = batch.loss(&config, batch.totals());
                assert!(outputs.loss.is_nan() && outputs.dlogprobs.iter().all(|g| g.is_nan()), "{config:?} {bad}");
                assert_eq!(outputs.metrics.n_non_finite, 1);
            }
        }
    }
}

#[test]
fn metrics_by_hand() {
    // Ratios 0.5, 2, 0.5, 4 against the old policy: the first two with A > 0, the others with A < 0.
    let half = 0.5_f32.ln();
    let batch = Batch {
        rollout: vec![-3.0; 4],
        old: Some(vec![-3.0, -2.0, -3.0, -3.0]),
        policy: vec![-3.0 + half, -2.0 - half, -3.0 + half, -3.0 - 2.0 * half],
        reference: vec![-3.0 + half, -2.0, -3.0 + half, -3.0 - 2.0 * half],
        advantages: vec![1.0, -1.0],
        cu_seqlens: vec![0, 2, 4],
        lengths: vec![2, 2],
    };
    let metrics = batch.loss(&GrpoLossConfig { importance_cap: Some(2.0), ..PLAIN }, batch.totals()).metrics;
    assert_eq!((metrics.clip_high_share(), metrics.clip_low_share(), metrics.dual_clip_share()), (0.25, 0.25, 0.0));
    assert_eq!(metrics.importance_capped_share(), 0.25);
    assert_close(metrics.ratio_max, 4.0, 1e-6, "ratio_max");
    assert_close(metrics.mismatch_max, 1.0, 1e-6, "mismatch_max");
    assert_close(metrics.mismatch_kl(), (1.0_f64.exp() - 2.0) / 4.0, 1e-6, "mismatch_kl");
    let ln2 = 2.0_f64.ln();
    assert_close(metrics.update_kl(), (2.0 * (0.5 - 1.0 + ln2) + (2.0 - 1.0 - ln2) + (4.0 - 1.0 - 2.0 * ln2)) / 4.0, 1e-6, "update_kl");
    assert_close(metrics.ref_kl().unwrap(), (0.5 - 1.0 + ln2) / 4.0, 1e-6, "ref_kl");

    let dual = batch.loss(&GrpoLossConfig { dual_clip: Some(1.5), ..PLAIN }, batch.totals());
    assert_eq!((dual.metrics.dual_clip_share(), dual.dlogprobs[3]), (0.25, 0.0));
    let cispo = batch.loss(&GrpoLossConfig { objective: Objective::Cispo, ..PLAIN }, batch.totals());
    assert_eq!((cispo.metrics.clip_high_share(), cispo.metrics.clip_low_share()), (0.5, 0.0));
}

#[test]
fn without_an_old_policy_importance_weights_are_one_and_the_mismatch_is_the_policys() {
    let mut batch = Batch::random(4, &[3, 2]);
    batch.old = None;
    let capped = batch.loss(&GrpoLossConfig { importance_cap: Some(1.0), ..PLAIN }, batch.totals());
    let plain = batch.loss(&PLAIN, batch.totals());
    assert_eq!((capped.loss, &capped.dlogprobs), (plain.loss, &plain.dlogprobs));
    let largest = batch.policy.iter().zip(&batch.rollout).map(|(p, r)| f64::from((p - r).abs())).fold(0.0, f64::max);
    assert_close(plain.metrics.mismatch_max, largest, 1e-6, "mismatch_max");
}

#[test]
fn configurations_that_make_no_sense_are_named() {
    let check = |config: GrpoLossConfig, expected: &str| assert_eq!(config.validate().unwrap_err().to_string(), expected);
    check(GrpoLossConfig { clip_eps_high: f32::NAN, ..PLAIN }, "clip_eps_high: expected a number >= 0, found NaN");
    check(GrpoLossConfig { importance_cap: Some(0.0), ..PLAIN }, "importance_cap: expected a number > 0, found 0");
    check(
        GrpoLossConfig { normalisation: Normalisation::Constant { length: 0 }, ..PLAIN },
        "normalisation.length: expected a number > 0, found 0",
    );
    check(
        GrpoLossConfig { objective: Objective::Cispo, dual_clip: Some(3.0), ..PLAIN },
        "dual_clip: expected none with objective cispo, found 3",
    );
    check(GrpoLossConfig { kl_coef: 0.1, ..PLAIN }, "kl_coef: expected 0 with kl none, found 0.1");
    assert_eq!(GrpoLossConfig { clip_eps_low: f32::INFINITY, ..PLAIN }.validate(), Ok(()));
}
