//! Evaluation of a policy on held-out problems: pass@1 with its interval, and what the responses look like.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use ruminate_core::{FinishReason, Gold, Outcome, PolicyVersion, Problem, RolloutGroup, Seed};
use ruminate_model::{Checkpoint, Policy};
use ruminate_rewards::math::extract::{Extraction, candidates};
use ruminate_rewards::math::same_answer;
use ruminate_rewards::{language_share, reflection_words};
use ruminate_tasks::statistics::{Interval, Tally, interval_of_means, majority, mean_pass_at_k, pass_at_1};
use serde::{Deserialize, Serialize};

use super::StageContext;
use super::rollouts::{PolicyText, SampleSettings, Sampler};
use crate::problems::evaluation_set;
use crate::run_dir::{StageDir, read_json, write_json, write_jsonl};
use crate::ui::Ui;

/// Figures of an evaluation, `evaluation.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evaluation {
    /// Share of right completions, over the problems that have a right answer.
    pub(crate) pass_at_1: Interval,
    /// Probability that at least one of k completions is right, k being the number of samples; `None` with one sample.
    pub(crate) pass_at_k: Option<Interval>,
    /// Share of problems whose most frequent answer is right, over those whose answer is a value; `None` with one sample, or without
    /// such problems.
    #[serde(default)]
    pub(crate) cons_at_k: Option<Interval>,
    /// Share of completions that hold what a rule can ask of requests of general kinds; `None` without such requests.
    #[serde(default)]
    pub(crate) general: Option<Interval>,
    /// The share of right completions by kind of problem, general kinds included.
    pub(crate) pass_at_1_by_kind: BTreeMap<String, Interval>,
    /// Mean length of completions, tokens; this and what follows of problems that have a right answer: a greeting has no reasoning.
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
    let policy = Policy::load_frozen(ctx.device, &checkpoint)?;
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
    let evaluation = count(&groups, stats.n_sampled, started.elapsed().as_secs_f64())
        .context("expected an evaluation with problems that have a right answer, found none")?;
    let general = evaluation.general.map_or_else(String::new, |general| format!(", general {}", percent(&general)));
    let length = evaluation.response_length;
    progress.finish(&format!("pass@1 {}{general}, {length:.0} tokens on average", percent(&evaluation.pass_at_1)));
    Ok((evaluation, groups))
}

/// pass@1 and its interval as figures of `metrics.jsonl`.
pub(crate) fn interval_figures(pass_at_1: &Interval) -> [(&'static str, f64); 3] {
    [("eval/pass@1", pass_at_1.mean), ("eval/pass@1_lo", pass_at_1.lo), ("eval/pass@1_hi", pass_at_1.hi)]
}

/// Right completions of one problem.
pub(crate) fn tally(group: &RolloutGroup) -> Tally {
    Tally::of(&group.rollouts.iter().map(|rollout| is_right(&rollout.verdicts, "accuracy")).collect::<Vec<_>>())
}

/// Whether a problem is a request of a general kind, which counts apart: no answer to it is the right one.
pub(crate) fn is_general(problem: &Problem) -> bool {
    matches!(problem.gold, Gold::Open(_))
}

/// The correctness of the answer that most completions of a group agree on; `None` where the answer is no value that can be compared.
fn consensus(group: &RolloutGroup) -> Option<f64> {
    let Gold::Value { .. } = &group.problem.gold else { return None };
    let mut answers: Vec<(String, bool)> = Vec::new();
    let mut right_class = None;
    let mut classes = Vec::with_capacity(group.rollouts.len());
    for rollout in &group.rollouts {
        let found = candidates(&rollout.text, &Extraction::default()).pop().map(|answer| answer.text.to_owned());
        // The same value can be right or not: 24*6-8-39 leaves 97 to be worked out.
        let is_right = is_right(&rollout.verdicts, "accuracy");
        let class = found.map(|answer| {
            let known = answers.iter().position(|(other, right)| *right == is_right && (*other == answer || same_answer(other, &answer)));
            known.unwrap_or_else(|| {
                answers.push((answer, is_right));
                answers.len() - 1
            }) as u32
        });
        if is_right {
            right_class = right_class.or(class);
        }
        classes.push(class);
    }
    Some(majority(&classes, right_class))
}

/// The figures of graded rollouts; `None` without any that have a right answer.
fn count(groups: &[RolloutGroup], n_sampled: usize, seconds: f64) -> Option<Evaluation> {
    let mut by_kind: BTreeMap<&str, Vec<Tally>> = BTreeMap::new();
    for group in groups {
        by_kind.entry(&group.problem.kind).or_default().push(tally(group));
    }
    let (general, checkable): (Vec<&RolloutGroup>, Vec<&RolloutGroup>) = groups.iter().partition(|group| is_general(&group.problem));
    let general: Vec<Tally> = general.into_iter().map(tally).collect();
    let tallies: Vec<Tally> = checkable.iter().map(|group| tally(group)).collect();
    let general = pass_at_1(&general);
    let pass_at_1 = pass_at_1(&tallies)?;
    let consensus: Vec<f64> = checkable.iter().filter_map(|group| consensus(group)).collect();
    let rollouts = || checkable.iter().flat_map(|group| group.rollouts.iter().map(move |rollout| (group, rollout)));
    let mean = |values: &mut dyn Iterator<Item = f64>| {
        let (n, sum) = values.fold((0_usize, 0.0), |(n, sum), value| (n + 1, sum + value));
        (n > 0).then(|| sum / n as f64)
    };
    let share =
        |is_so: &dyn Fn(&ruminate_core::Rollout) -> bool| mean(&mut rollouts().map(|(_, rollout)| f64::from(u8::from(is_so(rollout)))));
    Some(Evaluation {
        pass_at_k: (pass_at_1.k > 1).then(|| mean_pass_at_k(&tallies, pass_at_1.k)).flatten(),
        cons_at_k: (pass_at_1.k > 1).then(|| interval_of_means(&consensus, pass_at_1.k)).flatten(),
        general,
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

#[cfg(test)]
mod tests {
    use ruminate_core::{Completion, Language, OpenTask, ProblemId, Rollout, Verdict};

    use super::*;

    fn group(gold: Gold, completions: &[(&str, bool)]) -> RolloutGroup {
        let rollout = |(sample_idx, &(text, right)): (usize, &(&str, bool))| Rollout {
            sample_idx: sample_idx as u32,
            completion: Completion {
                token_ids: vec![1, 2],
                rollout_logprobs: vec![-1.0, -1.0],
                finish_reason: FinishReason::Stop,
                policy_version: PolicyVersion(0),
            },
            text: text.into(),
            verdicts: BTreeMap::from([("accuracy".to_owned(), if right { Verdict::right("") } else { Verdict::none(Outcome::Wrong, "") })]),
            reward: 0.0,
        };
        let kind = if matches!(gold, Gold::Open(_)) { "chat" } else { "sums" };
        let id = ProblemId(format!("{kind}/{}", completions.len()));
        let problem = Problem { id, kind: kind.into(), question: "?".into(), gold, language: Language::En, difficulty: None };
        RolloutGroup { problem, prompt_ids: vec![1], rollouts: completions.iter().enumerate().map(rollout).collect() }
    }

    fn value() -> Gold {
        Gold::Value { text: "1/2".into() }
    }

    #[test]
    fn general_requests_count_apart() {
        let open = || Gold::Open(OpenTask::default());
        let groups = [
            group(value(), &[("<answer>0.5</answer>", true), ("<answer>3</answer>", false)]),
            group(open(), &[("hello", true), ("hi", true)]),
        ];
        let evaluation = count(&groups, 8, 1.0).unwrap();
        assert_eq!((evaluation.pass_at_1.mean, evaluation.pass_at_1.n_problems), (0.5, 1));
        let general = evaluation.general.unwrap();
        assert_eq!((general.mean, general.n_problems, general.k), (1.0, 1, 2));
        assert_eq!(evaluation.pass_at_1_by_kind.keys().collect::<Vec<_>>(), ["chat", "sums"]);
        assert_eq!(count(&groups[..1], 4, 1.0).unwrap().general, None);
        assert!(count(&groups[1..], 4, 1.0).is_none());
    }

    #[test]
    fn consensus_joins_equal_answers_of_another_form() {
        let right = |text: &'static str| (text, true);
        let wrong = |text: &'static str| (text, false);
        let (half, decimal, three) = (right("<answer>1/2</answer>"), right("<answer>0.5</answer>"), wrong("<answer>3</answer>"));
        assert_eq!(consensus(&group(value(), &[half, decimal, three, three, half])), Some(1.0));
        assert_eq!(consensus(&group(value(), &[half, three, three, three])), Some(0.0));
        assert_eq!(consensus(&group(value(), &[half, three])), Some(0.5));
        assert_eq!(consensus(&group(value(), &[wrong("")])), Some(0.0));
        assert_eq!(consensus(&group(Gold::Judged { reference: "x".into() }, &[half])), None);
        let evaluation = count(&[group(value(), &[half, decimal, three])], 6, 1.0).unwrap();
        assert_eq!(evaluation.cons_at_k.map(|interval| (interval.mean, interval.k)), Some((1.0, 3)));
        assert_eq!(count(&[group(value(), &[half])], 2, 1.0).unwrap().cons_at_k, None);
    }
}
