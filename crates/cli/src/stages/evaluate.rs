//! Evaluation of a policy on held-out problems: pass@1 with its interval, and what the responses look like.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use ruminate_core::{FinishReason, Outcome, PolicyVersion, Problem, RolloutGroup, Seed};
use ruminate_model::{Checkpoint, Policy};
use ruminate_rewards::{language_share, reflection_words};
use ruminate_tasks::statistics::{Interval, Tally, mean_pass_at_k, pass_at_1};
use serde::{Deserialize, Serialize};

use super::StageContext;
use super::rollouts::{PolicyText, SampleSettings, Sampler};
use crate::problems::evaluation_set;
use crate::run_dir::{StageDir, read_json, write_json, write_jsonl};
use crate::ui::Ui;

/// Figures of an evaluation, `evaluation.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evaluation {
    /// Share of right completions.
    pub(crate) pass_at_1: Interval,
    /// Probability that at least one of k completions is right, k being the number of samples; `None` with one sample.
    pub(crate) pass_at_k: Option<Interval>,
    /// pass@1 by kind of problem.
    pub(crate) pass_at_1_by_kind: BTreeMap<String, Interval>,
    /// Mean length of completions, tokens.
    pub(crate) response_length: f64,
    /// Share of completions in the asked form.
    pub(crate) format_share: f64,
    /// Mean share of target-language words in the reasoning, over the completions that reason in words.
    pub(crate) language_share: Option<f64>,
    /// Share of completions cut off by the token budget.
    pub(crate) truncated_share: f64,
    /// Reflection words in a completion, on average.
    pub(crate) reflection_words: f64,
    /// Tokens sampled.
    pub(crate) n_sampled: usize,
    /// Time it took.
    pub(crate) seconds: f64,
}

/// Evaluates the policy of a stage and writes figures and rollouts, unless they are there.
pub(super) fn evaluate_stage(
    ctx: &StageContext<'_>,
    stage_id: &str,
    dir: &StageDir,
    policy: &Path,
    settings: SampleSettings,
) -> Result<Evaluation> {
    if let Some(evaluation) = read_json(&dir.evaluation())? {
        return Ok(evaluation);
    }
    let checkpoint = Checkpoint::open(policy)?;
    let policy = Policy::load(ctx.device, &checkpoint)?;
    let text = PolicyText { tokenizer: &checkpoint.tokenizer, chat: checkpoint.chat_template.as_ref() };
    let (evaluation, groups) = evaluate_policy(ctx, &policy, text, settings, &format!("{stage_id} evaluation"))?;
    write_jsonl(&dir.evaluation_rollouts(), &groups)?;
    // Last: where the figures are, the rollouts are too.
    write_json(&dir.evaluation(), &evaluation)?;
    Ok(evaluation)
}

/// Evaluates a policy on the recipe's problems.
pub(super) fn evaluate_policy(
    ctx: &StageContext<'_>,
    policy: &Policy,
    text: PolicyText<'_>,
    settings: SampleSettings,
    label: &str,
) -> Result<(Evaluation, Vec<RolloutGroup>)> {
    let config = ctx.config.evaluation.as_ref().context("the recipe has no evaluation")?;
    let problems = evaluation_set(&config.prompts, config.n_problems)?;
    // The same key for every policy of the run: the comparison of two has less noise.
    let seed = Seed::new(ctx.config.seed).with("evaluation");
    evaluate(policy, text, &problems, Sampler::new(settings, ctx.graders), seed, ctx.ui, label)
}

/// Samples each problem and counts.
///
/// # Errors
/// As [`Sampler::sample`].
pub(crate) fn evaluate(
    policy: &Policy,
    text: PolicyText<'_>,
    problems: &[Problem],
    mut sampler: Sampler<'_>,
    seed: Seed,
    ui: &Ui,
    label: &str,
) -> Result<(Evaluation, Vec<RolloutGroup>)> {
    let started = Instant::now();
    let n_total = problems.len() * sampler.n_samples();
    let mut progress = ui.progress(label, n_total as u64);
    let mut on_finished = |n_finished: usize, n_tokens: usize| {
        let rate = n_tokens as f64 / started.elapsed().as_secs_f64();
        progress.set(n_finished as u64, &format!("{rate:.0} tokens/s"));
    };
    let (groups, stats) = sampler.sample(policy, PolicyVersion(0), text, problems, seed, &mut on_finished)?;
    let evaluation = count(&groups, stats.n_sampled, started.elapsed().as_secs_f64()).context("an evaluation without problems")?;
    progress.finish(&format!("pass@1 {}, {:.0} tokens on average", percent(&evaluation.pass_at_1), evaluation.response_length));
    Ok((evaluation, groups))
}

/// The figures of graded rollouts; `None` without any.
fn count(groups: &[RolloutGroup], n_sampled: usize, seconds: f64) -> Option<Evaluation> {
    let tally =
        |group: &RolloutGroup| Tally::of(&group.rollouts.iter().map(|rollout| is_right(&rollout.verdicts, "accuracy")).collect::<Vec<_>>());
    let tallies: Vec<Tally> = groups.iter().map(tally).collect();
    let mut by_kind: BTreeMap<&str, Vec<Tally>> = BTreeMap::new();
    for (group, &tally) in groups.iter().zip(&tallies) {
        by_kind.entry(&group.problem.kind).or_default().push(tally);
    }
    let pass_at_1 = pass_at_1(&tallies)?;
    let rollouts = || groups.iter().flat_map(|group| group.rollouts.iter().map(move |rollout| (group, rollout)));
    let mean = |values: &mut dyn Iterator<Item = f64>| {
        let (n, sum) = values.fold((0_usize, 0.0), |(n, sum), value| (n + 1, sum + value));
        (n > 0).then(|| sum / n as f64)
    };
    let share =
        |is_so: &dyn Fn(&ruminate_core::Rollout) -> bool| mean(&mut rollouts().map(|(_, rollout)| f64::from(u8::from(is_so(rollout)))));
    Some(Evaluation {
        pass_at_k: (pass_at_1.k > 1).then(|| mean_pass_at_k(&tallies, pass_at_1.k)).flatten(),
        pass_at_1,
        pass_at_1_by_kind: by_kind
            .into_iter()
            .filter_map(|(kind, tallies)| Some((kind.to_owned(), ruminate_tasks::statistics::pass_at_1(&tallies)?)))
            .collect(),
        response_length: mean(&mut rollouts().map(|(_, rollout)| rollout.completion.token_ids.len() as f64))?,
        format_share: share(&|rollout| is_right(&rollout.verdicts, "format"))?,
        language_share: mean(
            &mut rollouts().filter_map(|(group, rollout)| language_share(&rollout.text, group.problem.language)).map(f64::from),
        ),
        truncated_share: share(&|rollout| rollout.completion.finish_reason == FinishReason::Length)?,
        reflection_words: mean(&mut rollouts().map(|(_, rollout)| reflection_words(&rollout.text) as f64))?,
        n_sampled,
        seconds,
    })
}

fn is_right(verdicts: &BTreeMap<String, ruminate_core::Verdict>, name: &str) -> bool {
    verdicts.get(name).is_some_and(|verdict| verdict.outcome == Outcome::Right)
}

/// An interval of shares for people: `42.0% [37.5, 46.5]`.
pub(crate) fn percent(interval: &Interval) -> String {
    format!("{:.1}% [{:.1}, {:.1}]", 100.0 * interval.mean, 100.0 * interval.lo, 100.0 * interval.hi)
}
