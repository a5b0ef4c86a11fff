//! `grpo`: reinforcement learning from rule-based rewards (Shao et al. 2024, arXiv 2402.03300, eq. 3; DeepSeek-R1, arXiv 2501.12948).
//!
//! Each round: draw problems, sample a group of completions for each, grade them, turn rewards into group-relative advantages, and
//! make one or more optimizer steps on the clipped, importance-weighted objective. Formulas and names: `docs/concepts/grpo.md`.

mod goal;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rand::seq::SliceRandom;
use ruminate_core::{FinishReason, PolicyVersion, Problem, ProblemId, Rollout, RolloutGroup, Seed};
use ruminate_model::{Policy, SaveDtype, flops};
use ruminate_rewards::{Component, RewardMix, language_share, reflection_words};
use ruminate_tasks::difficulty::{DifficultyMemory, Standing};
use ruminate_train::advantages::{advantages, is_informative};
use ruminate_train::losses::{BatchTotals, GrpoLossConfig, KlEstimator, LossInputs, LossMetrics, RatioLevel, grpo_loss};
use ruminate_train::overlong::is_complete;
use ruminate_train::packing::{PackedBatch, Part, Sequence, pack};
use ruminate_train::presets::GrpoPreset;
use ruminate_train::schedule::learning_rate;
use ruminate_train::trainer::{Accumulated, MicrobatchLoss, SumOver, TrainError, Trainer};

use self::goal::Goal;
use super::evaluate::{evaluate_policy, interval_figures, is_general, tally};
use super::hacking::{HackingWatch, Stopped, WayBack, reward_key};
use super::rollouts::{PolicyText, SampleSettings, SampleStats, Sampler};
use super::scoring::Scorers;
use super::state;
use super::{COMPUTE_KEY, SAMPLING_KEY, StageContext, StageResult, own_checkpoint};
use crate::models;
use crate::parallel::{in_parallel, n_cores};
use crate::problems::{Difficulty, ProblemStream};
use crate::recipe::{Control, GrpoConfig};
use crate::run_dir::{MetricsFile, StageDir, write_json};

/// Rounds of sampling at most for one batch under dynamic sampling.
const MAX_RESAMPLING: usize = 10;

/// Trains, or goes on training, and writes the checkpoint.
pub(super) fn run(ctx: &StageContext<'_>, stage_id: &str, dir: &StageDir, config: &GrpoConfig) -> Result<StageResult> {
    if let Some(stopped) = Stopped::read(dir)? {
        ctx.ui.say(&format!("{stage_id}: {}", stopped.message()));
        return Ok(own_checkpoint(stage_id, dir));
    }
    let settings = &config.settings;
    let seed = ctx.seed(stage_id);
    let start = models::open(&ctx.policy_path(&config.policy)?.display().to_string())?.checkpoint;
    let text = PolicyText { tokenizer: &start.tokenizer, chat: start.chat_template.as_ref() };
    let mut policy = Policy::load(ctx.device, &start)?;
    let mut reference = if settings.kl == KlEstimator::None { None } else { Some(Policy::load_frozen(ctx.device, &start)?) };
    let mut trainer = Trainer::recomputing(&policy, settings.optimizer_config(), config.recompute_layers)?;
    let (mut counters, mut memory): (state::Counters, DifficultyMemory) =
        state::restore_with(dir, &mut policy, &mut trainer, reference.as_mut())?;
    let mut stream = ProblemStream::open(&config.prompts, seed.with("problems"), counters.position)?;
    let mut sampler = Sampler::new(SampleSettings::of_grpo(config), ctx.graders);
    let mut metrics = MetricsFile::open(&dir.metrics(), counters.step)?;
    let mut goal = Goal::of(ctx, config, dir, counters.step)?;
    let mut watch = HackingWatch::new(dir, config.stop_on_hacking)?;
    let way_back = config.stop_on_hacking.map(|stop| WayBack::new(dir, stop));
    let mut scorers = Scorers::open(ctx, config)?;
    let mut progress = ctx.ui.progress(stage_id, goal.n_units());
    progress.start_at(goal.units());

    while !goal.is_reached() {
        // Sample and grade.
        let began = Instant::now();
        let version = PolicyVersion(counters.step);
        if let Some(way_back) = &way_back {
            way_back.keep(watch.n_rounds(), &policy, text)?;
        }
        let mix = if goal.preference_counts() { config.rewards.clone() } else { config.rewards.without_preference() };
        let is_wanted = |problem: &Problem| goal.preference_counts() || !is_for_preference(&config.rewards, problem);
        sampler.set_rewards(mix.clone());
        let difficulty = config.difficulty_memory.as_ref().map(|settings| Difficulty { settings, memory: &memory });
        let seed = seed.with_index(counters.step);
        let round = Round { config, stream: &mut stream, sampler: &mut sampler, seed, difficulty };
        let Sampled { mut groups, n_trained, mut stats, keys } = round.sample(&policy, version, text, &is_wanted)?;
        stats.reward_secs +=
            scorers.score(&mix, text, &mut groups).with_context(|| format!("step {}, scores of reward models", version.0))?;
        dir.write_rollouts(counters.step, &groups)?;

        // Group-relative advantages.
        let started = Instant::now();
        let mut rewards: Vec<Vec<f32>> = groups.iter().map(|group| shaped_rewards(settings, group)).collect();
        if config.control == Some(Control::ShuffledRewards) {
            let mut rng = seed.with("control").rng();
            rewards.iter_mut().for_each(|group| group.shuffle(&mut rng));
        }
        let mut advantages = advantages(settings.advantage, &rewards[..n_trained]);
        if config.control == Some(Control::ZeroAdvantage) {
            advantages.iter_mut().flatten().for_each(|advantage| *advantage = 0.0);
        }

        // Optimizer steps.
        let old_logprobs = match settings.importance_cap {
            Some(_) => {
                let at = || format!("step {}, log-probabilities before the update", version.0);
                Some(old_logprobs(config, &policy, &mut trainer, &groups[..n_trained]).with_context(at)?)
            }
            None => None,
        };
        let mut learned = Learned::default();
        for minibatch in minibatches(n_trained, settings).into_iter().take(goal.steps_left()) {
            let trained = trained_rollouts(minibatch, &groups, settings.overlong_filter);
            let batch = Minibatch { groups: &groups, advantages: &advantages, trained: &trained, old_logprobs: old_logprobs.as_ref() };
            let learning_rate = learning_rate(&settings.schedule(), counters.step + learned.n_steps, goal.n_steps());
            batch
                .train(config, &mut policy, reference.as_ref(), &mut trainer, learning_rate, &mut learned)
                .with_context(|| format!("step {}, policy version {}", counters.step + learned.n_steps, version.0))?;
            let refresh = settings.reference_refresh_steps.is_some_and(|every| trainer.n_steps().is_multiple_of(u64::from(every)));
            if let (true, Some(reference)) = (refresh, &mut reference) {
                reference.copy_weights_from(&policy)?;
            }
        }
        let train_secs = started.elapsed().as_secs_f64();

        // Records.
        let mut figures = figures(&groups, &rewards, &stats, &learned, train_secs);
        // Files of rollouts, figures and the rest of a step, but for saved states.
        figures.push(("seconds/record", began.elapsed().as_secs_f64() - stats.rollout_secs - stats.reward_secs - train_secs));
        let before = counters.step;
        counters.step += learned.n_steps;
        counters.position = stream.position();
        figures.extend(goal.spend(policy.config(), &groups, &learned, counters.step));
        figures.extend(observe(config, &mut memory, &groups, &keys));
        let alarms = watch.watch(ctx.ui, before, &mut figures);
        progress.set(goal.units(), &message(&figures));
        // Rounds can make several steps: things are due when a multiple of their period was passed.
        let is_due = |every: u64| counters.step / every > before / every && !goal.is_reached();
        if let (Some(settings), true) = (ctx.evaluation_settings(stage_id), config.evaluate_every.is_some_and(is_due)) {
            // It samples with an engine of its own, and there need not be room for two.
            sampler.release();
            figures.extend(held_out_figures(ctx, &policy, text, settings)?);
        }
        metrics.append(before, &figures)?;
        if let (Some(way_back), Some(alarm)) = (&way_back, alarms.first()) {
            let stopped = way_back.stop(alarm, counters.step, watch.n_rounds())?;
            progress.finish(&stopped.message());
            return Ok(own_checkpoint(stage_id, dir));
        }
        if is_due(config.save_every) {
            save_state(dir, config, &policy, &trainer, reference.as_ref(), counters, &memory)?;
        }
    }
    progress.finish(&format!("{} steps", counters.step));
    // A kill from here on, during the evaluation too, trains nothing again.
    save_state(dir, config, &policy, &trainer, reference.as_ref(), counters, &memory)?;
    policy.save(&dir.checkpoint(), &start.tokenizer, start.chat_template.as_ref(), SaveDtype::F32)?;
    Ok(own_checkpoint(stage_id, dir))
}

/// Saves everything that the next step depends on in one file; what is known of the problems also in a file for people.
fn save_state(
    dir: &StageDir,
    config: &GrpoConfig,
    policy: &Policy,
    trainer: &Trainer,
    reference: Option<&Policy>,
    counters: state::Counters,
    memory: &DifficultyMemory,
) -> Result<()> {
    state::save_with(dir, policy, trainer, reference, counters, memory)?;
    if config.difficulty_memory.is_some() {
        write_json(&dir.state().join("difficulty.json"), memory)?;
    }
    Ok(())
}

/// One round of sampling.
struct Round<'a, 's> {
    config: &'a GrpoConfig,
    stream: &'a mut ProblemStream,
    sampler: &'a mut Sampler<'s>,
    seed: Seed,
    difficulty: Option<Difficulty<'a>>,
}

/// What a round of sampling gave.
struct Sampled {
    /// Every group: first those that are trained, then those that dynamic sampling passed over.
    groups: Vec<RolloutGroup>,
    n_trained: usize,
    stats: SampleStats,
    /// What each problem is remembered by.
    keys: BTreeMap<ProblemId, String>,
}

impl Round<'_, '_> {
    /// Graded groups for the round's optimizer steps. Under dynamic sampling (DAPO, arXiv 2503.14476, eq. 11) groups whose completions
    /// are all right or all wrong are replaced by groups of new problems; what only reward models grade stays, since they speak later.
    /// Where the rounds run out, fewer groups are trained.
    fn sample(
        self,
        policy: &Policy,
        version: PolicyVersion,
        text: PolicyText<'_>,
        is_wanted: &dyn Fn(&Problem) -> bool,
    ) -> Result<Sampled> {
        let rewards = &self.config.rewards;
        let teaches = |group: &RolloutGroup| is_for_preference(rewards, &group.problem) || is_informative(&accuracies(group));
        let wanted = self.config.settings.prompts_per_rollout() as usize;
        let (mut trained, mut passed_over) = (Vec::with_capacity(wanted), Vec::new());
        let mut total = SampleStats::default();
        let mut keys = BTreeMap::new();
        for attempt in 0..MAX_RESAMPLING {
            let drawn = (trained.len()..wanted).map(|_| self.stream.draw_by(self.difficulty, is_wanted)).collect::<Result<Vec<_>>>()?;
            keys.extend(drawn.iter().map(|drawn| (drawn.problem.id.clone(), drawn.key.clone())));
            let problems: Vec<Problem> = drawn.into_iter().map(|drawn| drawn.problem).collect();
            let seed = self.seed.with_index(attempt as u64);
            let (sampled, stats) = self.sampler.sample(policy, version, text, &problems, seed, &mut |_, _| {})?;
            total.rollout_secs += stats.rollout_secs;
            total.reward_secs += stats.reward_secs;
            total.n_sampled += stats.n_sampled;
            let (kept, rest): (Vec<_>, Vec<_>) =
                sampled.into_iter().partition(|group| !self.config.settings.dynamic_sampling || teaches(group));
            trained.extend(kept);
            passed_over.extend(rest);
            if trained.len() == wanted {
                break;
            }
        }
        if trained.is_empty() {
            bail!(
                "dynamic sampling: expected groups with right and wrong completions, found none among {} problems; they are all solved or \
                 all hopeless: change their difficulty or set dynamic_sampling = false",
                passed_over.len()
            );
        }
        let n_trained = trained.len();
        trained.append(&mut passed_over);
        Ok(Sampled { groups: trained, n_trained, stats: total, keys })
    }
}

/// Whether reward models are what tells good responses to a problem from bad ones: no rule says what is right.
fn is_for_preference(rewards: &RewardMix, problem: &Problem) -> bool {
    let weights = rewards.weights_of(&problem.kind);
    weights.accuracy == 0.0 && (weights.helpful != 0.0 || weights.safe != 0.0)
}

fn accuracies(group: &RolloutGroup) -> Vec<f32> {
    group.rollouts.iter().map(|rollout| rollout.verdicts.get("accuracy").map_or(0.0, |verdict| verdict.reward)).collect()
}

/// Rewards of a group, with the soft punishment of overlong completions where it is on.
fn shaped_rewards(settings: &GrpoPreset, group: &RolloutGroup) -> Vec<f32> {
    let penalty = |rollout: &Rollout| settings.soft_overlong().map_or(0.0, |soft| soft.penalty(rollout.completion.token_ids.len()));
    group.rollouts.iter().map(|rollout| rollout.reward + penalty(rollout)).collect()
}

/// Ranges of groups for each optimizer step: all minibatches, once for each inner epoch.
fn minibatches(n_groups: usize, settings: &GrpoPreset) -> Vec<std::ops::Range<usize>> {
    let size = n_groups.div_ceil(settings.minibatches as usize).max(1);
    let once = (0..n_groups).step_by(size).map(|start| start..(start + size).min(n_groups));
    (0..settings.inner_epochs).flat_map(|_| once.clone()).collect()
}

/// Log-probabilities of each (group, rollout) under the policy before the round's first step: the numerator of truncated importance
/// sampling, whose denominator is what the engine said when it sampled.
fn old_logprobs(config: &GrpoConfig, policy: &Policy, trainer: &mut Trainer, groups: &[RolloutGroup]) -> Result<OldLogprobs> {
    let all = trained_rollouts(0..groups.len(), groups, false);
    let sequence = |&(group, rollout): &(usize, usize)| Sequence {
        prompt_ids: &groups[group].prompt_ids,
        completion_ids: &groups[group].rollouts[rollout].completion.token_ids,
    };
    let sequences: Vec<Sequence<'_>> = all.iter().map(sequence).collect();
    let mut old = OldLogprobs::new();
    for packed in pack(&sequences, config.microbatch_tokens)? {
        let scores = trainer.score(policy, &packed, config.settings.temperature)?;
        for (at, &sequence) in packed.sequence_idx.iter().enumerate() {
            old.insert(all[sequence], scores.logprobs[packed.rows(at)].to_vec());
        }
    }
    Ok(old)
}

type OldLogprobs = BTreeMap<(usize, usize), Vec<f32>>;

/// (group, rollout) of the completions that enter the loss.
fn trained_rollouts(range: std::ops::Range<usize>, groups: &[RolloutGroup], overlong_filter: bool) -> Vec<(usize, usize)> {
    let all = range.flat_map(|group| (0..groups[group].rollouts.len()).map(move |rollout| (group, rollout)));
    all.filter(|&(group, rollout)| {
        let completion = &groups[group].rollouts[rollout].completion;
        !completion.token_ids.is_empty() && (!overlong_filter || is_complete(completion.finish_reason))
    })
    .collect()
}

/// What the optimizer steps of a round came to.
#[derive(Clone, Debug, Default)]
struct Learned {
    n_steps: u64,
    loss: f64,
    grad_norm: f64,
    entropy_sum: f64,
    n_tokens: usize,
    /// Floating-point operations of training, the reference's forward included.
    flops: f64,
    learning_rate: f32,
    /// Largest |log-probability in training − at sampling| before the first update.
    mismatch_max: f64,
    metrics: LossMetrics,
}

/// The completions of one optimizer step.
struct Minibatch<'a> {
    groups: &'a [RolloutGroup],
    advantages: &'a [Vec<f32>],
    trained: &'a [(usize, usize)],
    old_logprobs: Option<&'a OldLogprobs>,
}

impl Minibatch<'_> {
    fn rollout(&self, (group, rollout): (usize, usize)) -> &Rollout {
        &self.groups[group].rollouts[rollout]
    }

    /// One optimizer step over all microbatches.
    fn train(
        &self,
        config: &GrpoConfig,
        policy: &mut Policy,
        reference: Option<&Policy>,
        trainer: &mut Trainer,
        learning_rate: f32,
        learned: &mut Learned,
    ) -> Result<()> {
        let loss_config = config.settings.loss_config();
        let temperature = config.settings.temperature;
        let terms = match loss_config.ratio {
            RatioLevel::Token => SumOver::Tokens,
            RatioLevel::Sequence => SumOver::Sequences,
        };
        let sequence = |&(group, rollout): &(usize, usize)| Sequence {
            prompt_ids: &self.groups[group].prompt_ids,
            completion_ids: &self.rollout((group, rollout)).completion.token_ids,
        };
        let sequences: Vec<Sequence<'_>> = self.trained.iter().map(sequence).collect();
        let totals = BatchTotals::of_lengths(sequences.iter().map(|sequence| sequence.completion_ids.len()));
        let lengths = || sequences.iter().map(Sequence::n_tokens);
        let n_forwards = f64::from(u8::from(reference.is_some()) + u8::from(self.old_logprobs.is_some()));
        learned.flops += flops::training(policy.config(), lengths()) + n_forwards * flops::forward(policy.config(), lengths());
        for packed in pack(&sequences, config.microbatch_tokens)? {
            let ref_logprobs = match reference {
                Some(reference) => Some(trainer.score(reference, &packed, temperature)?.logprobs),
                None => None,
            };
            let inputs = MicrobatchInputs::gather(self, &packed, ref_logprobs);
            let Accumulated { scores, loss, metrics } = trainer
                .accumulate(policy, &packed, temperature, terms, |part, scores| inputs.loss(&loss_config, part, &scores.logprobs, totals))
                .map_err(|error| self.name_rollouts(error))?;
            learned.loss += loss;
            metrics.iter().for_each(|metrics| learned.metrics.merge(metrics));
            learned.entropy_sum += scores.entropies.iter().map(|&entropy| f64::from(entropy)).sum::<f64>();
            learned.n_tokens += scores.entropies.len();
            if learned.n_steps == 0 {
                let differences = scores.logprobs.iter().zip(&inputs.rollout_logprobs).map(|(a, b)| f64::from((a - b).abs()));
                learned.mismatch_max = differences.fold(learned.mismatch_max, f64::max);
            }
        }
        let stats = trainer.step(policy, learning_rate).map_err(|error| self.name_rollouts(error))?;
        learned.grad_norm = stats.grad_norm;
        learned.learning_rate = learning_rate;
        learned.n_steps += 1;
        Ok(())
    }

    /// Says which rollouts were in the microbatch without a finite loss, or in the step without a finite gradient.
    fn name_rollouts(&self, error: TrainError) -> anyhow::Error {
        let involved = match &error {
            TrainError::NonFiniteLoss { sequences, .. } => sequences.iter().map(|&sequence| self.trained[sequence]).collect(),
            TrainError::NonFiniteGradient { .. } => self.trained.to_vec(),
            TrainError::Model(_) => return error.into(),
        };
        let mut samples: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for at in involved {
            samples.entry(&self.groups[at.0].problem.id.0).or_default().push(self.rollout(at).sample_idx.to_string());
        }
        let names: Vec<String> = samples.iter().map(|(problem, samples)| format!("{problem} samples {}", samples.join(" "))).collect();
        anyhow::Error::from(error).context(format!("rollouts {}", names.join(", ")))
    }
}

/// What the loss needs of the rollouts in a microbatch, laid out like its trained tokens.
struct MicrobatchInputs {
    rollout_logprobs: Vec<f32>,
    old_logprobs: Option<Vec<f32>>,
    ref_logprobs: Option<Vec<f32>>,
    advantages: Vec<f32>,
}

impl MicrobatchInputs {
    fn gather(batch: &Minibatch<'_>, packed: &PackedBatch, ref_logprobs: Option<Vec<f32>>) -> Self {
        let advantages: Vec<f32> = batch.trained.iter().map(|&(group, rollout)| batch.advantages[group][rollout]).collect();
        let sampled: Vec<&[f32]> = batch.trained.iter().map(|&at| batch.rollout(at).completion.rollout_logprobs.as_slice()).collect();
        let old = |old: &OldLogprobs| packed.gather_rows(&batch.trained.iter().map(|at| old[at].as_slice()).collect::<Vec<_>>());
        Self {
            rollout_logprobs: packed.gather_rows(&sampled),
            old_logprobs: batch.old_logprobs.map(old),
            advantages: packed.gather_sequences(&advantages),
            ref_logprobs,
        }
    }

    fn loss(&self, config: &GrpoLossConfig, part: &Part<'_>, policy_logprobs: &[f32], totals: BatchTotals) -> MicrobatchLoss<LossMetrics> {
        let rows = part.rows.clone();
        let inputs = LossInputs {
            policy_logprobs,
            rollout_logprobs: &self.rollout_logprobs[rows.clone()],
            // One copy of the weights samples and trains: unless their difference is to be capped, what sampled is the old policy.
            old_logprobs: self.old_logprobs.as_ref().map(|all| &all[rows.clone()]),
            ref_logprobs: self.ref_logprobs.as_ref().map(|all| &all[rows.clone()]),
            advantages: &self.advantages[part.sequences.clone()],
            cu_seqlens: &part.completion_cu(),
            lengths: &part.lengths(),
            denominators: totals,
        };
        let outputs = grpo_loss(config, &inputs);
        MicrobatchLoss { loss: outputs.loss, dlogprobs: outputs.dlogprobs, metrics: outputs.metrics }
    }
}

/// Remembers which problems the groups of a round solved, if the stage does; what it knows then, as figures.
fn observe(
    config: &GrpoConfig,
    memory: &mut DifficultyMemory,
    groups: &[RolloutGroup],
    keys: &BTreeMap<ProblemId, String>,
) -> Vec<(&'static str, f64)> {
    let Some(settings) = &config.difficulty_memory else { return Vec::new() };
    // What only reward models grade is neither solved nor hopeless by a rule.
    let by_rule = groups.iter().filter(|group| !is_for_preference(&config.rewards, &group.problem));
    memory.observe(settings, by_rule.map(|group| (keys[&group.problem.id].clone(), tally(group).share())));
    let share = |standing| memory.share(settings, standing);
    vec![("rl/solved_share", share(Standing::Solved)), ("rl/hopeless_share", share(Standing::Hopeless))]
}

/// The line of a round in `metrics.jsonl`. Accuracy, form, length and reflection are those of problems that a rule can grade: a greeting
/// is to be answered at once. Where there are no such problems, they are those of all.
fn figures(
    groups: &[RolloutGroup],
    rewards: &[Vec<f32>],
    stats: &SampleStats,
    learned: &Learned,
    train_secs: f64,
) -> Vec<(&'static str, f64)> {
    let rollouts: Vec<(&RolloutGroup, &Rollout)> = groups.iter().flat_map(|group| group.rollouts.iter().map(move |r| (group, r))).collect();
    let by_rule: Vec<_> = rollouts.iter().filter(|(group, _)| !is_general(&group.problem)).copied().collect();
    let by_rule = if by_rule.is_empty() { &rollouts } else { &by_rule };
    let mean = |f: &dyn Fn(&Rollout) -> f64| by_rule.iter().map(|&(_, rollout)| f(rollout)).sum::<f64>() / by_rule.len().max(1) as f64;
    let component = |component: Component| {
        let of = if matches!(component, Component::Accuracy | Component::Format) { by_rule } else { &rollouts };
        let rewards: Vec<f64> =
            of.iter().filter_map(|(_, rollout)| Some(f64::from(rollout.verdicts.get(component.as_str())?.reward))).collect();
        (!rewards.is_empty()).then(|| rewards.iter().sum::<f64>() / rewards.len() as f64)
    };
    // Both read all of the texts.
    let languages = in_parallel(n_cores(), &rollouts, |(group, rollout)| language_share(&rollout.text, group.problem.language));
    let languages: Vec<f64> = languages.into_iter().flatten().map(f64::from).collect();
    let n_reflections: usize = in_parallel(n_cores(), by_rule, |(_, rollout)| reflection_words(&rollout.text)).into_iter().sum();
    let mut figures = vec![
        ("rl/reward_mean", rewards.iter().flatten().map(|&reward| f64::from(reward)).sum::<f64>() / rollouts.len().max(1) as f64),
        ("rl/accuracy", component(Component::Accuracy).unwrap_or(0.0)),
        ("rl/format_share", component(Component::Format).unwrap_or(0.0)),
        ("rl/response_length_mean", mean(&|rollout| rollout.completion.token_ids.len() as f64)),
        ("rl/truncated_share", mean(&|rollout| f64::from(rollout.completion.finish_reason == FinishReason::Length))),
        ("rl/reflection_words", n_reflections as f64 / by_rule.len().max(1) as f64),
        ("rl/informative_share", rewards.iter().filter(|rewards| is_informative(rewards)).count() as f64 / groups.len().max(1) as f64),
        ("rl/entropy", learned.entropy_sum / learned.n_tokens.max(1) as f64),
        ("rl/loss", learned.loss),
        ("rl/grad_norm", learned.grad_norm),
        ("rl/learning_rate", f64::from(learned.learning_rate)),
        ("rl/clip_low_share", learned.metrics.clip_low_share()),
        ("rl/clip_high_share", learned.metrics.clip_high_share()),
        ("rl/dual_clip_share", learned.metrics.dual_clip_share()),
        ("rl/importance_capped_share", learned.metrics.importance_capped_share()),
        ("rl/mismatch_kl", learned.metrics.mismatch_kl()),
        ("rl/optimizer_steps", learned.n_steps as f64),
        ("rl/ratio_max", learned.metrics.ratio_max),
        ("rl/update_kl", learned.metrics.update_kl()),
        ("rl/mismatch_max", learned.mismatch_max),
        ("rl/tokens_sampled", stats.n_sampled as f64),
        ("seconds/rollout", stats.rollout_secs),
        ("seconds/reward", stats.reward_secs),
        ("seconds/train", train_secs),
    ];
    figures.extend(Component::ALL.into_iter().filter_map(|which| Some((reward_key(which), component(which)?))));
    if !languages.is_empty() {
        figures.push(("rl/language_share", languages.iter().sum::<f64>() / languages.len() as f64));
    }
    if let Some(kl) = learned.metrics.ref_kl() {
        figures.push(("rl/ref_kl", kl));
    }
    figures
}

/// An evaluation on the way, as figures of the step before it.
fn held_out_figures(
    ctx: &StageContext<'_>,
    policy: &Policy,
    text: PolicyText<'_>,
    settings: SampleSettings,
) -> Result<impl Iterator<Item = (&'static str, f64)>> {
    let (evaluation, _) = evaluate_policy(ctx, policy, text, settings, "held-out")?;
    let others = [
        ("eval/format_share", evaluation.format_share),
        ("eval/response_length_mean", evaluation.response_length),
        ("seconds/evaluate", evaluation.seconds),
    ];
    Ok(interval_figures(&evaluation.pass_at_1).into_iter().chain(others))
}

/// What the progress bar says of a round.
fn message(figures: &[(&'static str, f64)]) -> String {
    let get = |key: &str| figures.iter().find(|(name, _)| *name == key).map_or(f64::NAN, |&(_, value)| value);
    format!(
        "reward {:.2}, accuracy {:.0}%, format {:.0}%, {:.0} tokens",
        get("rl/reward_mean"),
        100.0 * get("rl/accuracy"),
        100.0 * get("rl/format_share"),
        get("rl/response_length_mean")
    )
}
