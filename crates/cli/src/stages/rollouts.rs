//! From problems to graded rollouts: prompts, requests, completions, verdicts. Training and evaluation share it.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use ruminate_compute::DeviceKind;
use ruminate_core::{Completion, FinishReason, PolicyVersion, Problem, Rollout, RolloutGroup, Seed};
use ruminate_model::{ChatTemplate, ModelConfig, Policy, Tokenizer};
use ruminate_rewards::{GradeError, Graded, Resources, RewardMix, RewardOptions, Submission, grade, grade_group};
use ruminate_rollout::{Engine, EngineLimits, Event, Request, RolloutError, SamplingParams};

use crate::graders::Graders;
use crate::prompts::{Prompt, Prompter};
use crate::recipe::{EvaluationConfig, GrpoConfig, StageEvaluation, Template};

/// Most bytes of the key/value cache on the CPU; sequences wait for room beyond it.
const CPU_CACHE_BYTES: usize = 2 << 30;

/// Most bytes of the key/value cache: a quarter of a device's own memory, no bound where that is not known.
pub(crate) fn max_cache_bytes(kind: DeviceKind) -> usize {
    match kind {
        DeviceKind::Cpu => CPU_CACHE_BYTES,
        DeviceKind::Cuda { memory_bytes, .. } => memory_bytes.map_or(usize::MAX, |bytes| bytes / 4),
    }
}

/// Longest sequences come in steps of so many tokens, so that the engine is not made anew for every longer prompt.
const SEQUENCE_STEP: usize = 64;

/// How completions are sampled and graded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SampleSettings {
    /// How a question becomes a prompt.
    pub(crate) template: Template,
    /// System message of the template `chat`.
    pub(crate) system: Option<String>,
    /// Completions of each problem.
    pub(crate) n_samples: u32,
    /// Generation budget.
    pub(crate) max_new_tokens: usize,
    /// How tokens are drawn.
    pub(crate) params: SamplingParams,
    /// Strings that end a completion.
    pub(crate) stop: Vec<String>,
    /// Weights of the rewards.
    pub(crate) rewards: RewardMix,
    /// Sequences decoded at once.
    pub(crate) max_batch: usize,
}

impl SampleSettings {
    /// As a training stage samples.
    pub(crate) fn of_grpo(config: &GrpoConfig) -> Self {
        Self {
            template: config.template,
            system: config.system.clone(),
            n_samples: config.settings.group_size,
            max_new_tokens: config.settings.max_completion_tokens as usize,
            params: SamplingParams {
                temperature: config.settings.temperature,
                top_k: config.top_k,
                top_p: config.top_p,
                min_p: config.min_p,
            },
            stop: config.stop.clone(),
            rewards: config.rewards.clone(),
            max_batch: config.max_batch,
        }
    }

    /// As an evaluation samples from the policy of a stage.
    pub(crate) fn of_evaluation(config: &EvaluationConfig, stage: &StageEvaluation) -> Self {
        let (template, system) = match stage.template {
            Some(template) => (template, &stage.system),
            None => (config.template, &config.system),
        };
        Self {
            template,
            system: system.clone(),
            n_samples: config.samples,
            max_new_tokens: config.max_new_tokens,
            params: SamplingParams { temperature: config.temperature, top_k: config.top_k, top_p: config.top_p, min_p: config.min_p },
            stop: if template == config.template { config.stop.clone() } else { template.default_stop() },
            rewards: RewardMix { options: RewardOptions { format: stage.form, ..RewardOptions::default() }, ..RewardMix::default() },
            max_batch: config.max_batch,
        }
    }
}

/// What belongs to a policy besides its weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyText<'a> {
    /// Its tokenizer.
    pub(crate) tokenizer: &'a Tokenizer,
    /// Its chat template.
    pub(crate) chat: Option<&'a ChatTemplate>,
}

/// How long the parts took, and how much came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SampleStats {
    /// Time for sampling.
    pub(crate) rollout_secs: f64,
    /// Time for grading.
    pub(crate) reward_secs: f64,
    /// Tokens sampled.
    pub(crate) n_sampled: usize,
}

/// Samples and grades. Keeps the engine's memory from call to call.
#[derive(Debug)]
pub(crate) struct Sampler<'a> {
    settings: SampleSettings,
    graders: &'a Graders,
    engine: Option<(EngineLimits, Engine)>,
}

impl<'a> Sampler<'a> {
    /// A sampler; its memory is taken by the first call of [`Sampler::sample`].
    pub(crate) fn new(settings: SampleSettings, graders: &'a Graders) -> Self {
        Self { settings, graders, engine: None }
    }

    /// Completions of each problem.
    pub(crate) fn n_samples(&self) -> usize {
        self.settings.n_samples as usize
    }

    /// Changes the weights of the rewards.
    pub(crate) fn set_rewards(&mut self, rewards: RewardMix) {
        self.settings.rewards = rewards;
    }

    /// Gives back the engine's memory until the next call that samples.
    pub(crate) fn release(&mut self) {
        self.engine = None;
    }

    /// Graded rollouts of each problem, in the order of the problems. `seed` is the key of the step; a completion depends on it, the
    /// problem's id and the sample's index only. `on_finished` hears how many completions and tokens there are.
    ///
    /// # Errors
    /// A question that the template or tokenizer refuses or that is too long, by problem; the engine's.
    pub(crate) fn sample(
        &mut self,
        policy: &Policy,
        version: PolicyVersion,
        text: PolicyText<'_>,
        problems: &[Problem],
        seed: Seed,
        on_finished: &mut dyn FnMut(usize, usize),
    ) -> Result<(Vec<RolloutGroup>, SampleStats)> {
        let prompter = Prompter::new(self.settings.template, self.settings.system.as_deref(), text.chat)?;
        let prompts = problems.iter().map(|problem| prompter.prompt(problem)).collect::<Result<Vec<_>>>()?;
        let requests = self.requests(policy, text.tokenizer, problems, &prompts, seed)?;
        let started = Instant::now();
        let limits = self.limits(policy, &requests);
        let (mut n_finished, mut n_tokens) = (0, 0);
        let rewards = self.settings.rewards.clone();
        let graders = self.graders;
        let breaker = graders.breaker();
        let resources = graders.resources(breaker.as_ref());
        let grading =
            Grading { config: policy.config(), tokenizer: text.tokenizer, rewards: &rewards, resources, problems, prompts: &prompts };
        let engine = self.engine(policy, limits)?;
        // Completions are graded as they finish, beside the engine: programs under test run while the device samples.
        let (sampled, graded, rollout_secs) = std::thread::scope(|scope| {
            let (finished, queue) = mpsc::channel();
            let queue = Arc::new(Mutex::new(queue));
            let grader = |queue: Arc<_>| scope.spawn(move || grading.all(&queue));
            let threads: Vec<_> = (0..graders.n_threads()).map(|_| grader(Arc::clone(&queue))).collect();
            let mut on_event = |event| match event {
                Event::Token { .. } => n_tokens += 1,
                Event::Finished { request_idx, sample_idx, completion } => {
                    // Graders end only when this sender does.
                    drop(finished.send(Finished { request_idx, sample_idx, completion }));
                    n_finished += 1;
                    on_finished(n_finished, n_tokens);
                }
            };
            let sampled = engine.generate(policy, version, text.tokenizer, &requests, &mut on_event);
            let rollout_secs = started.elapsed().as_secs_f64();
            drop(finished);
            let graded: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect();
            (sampled, graded, rollout_secs)
        });
        sampled.map_err(|error| name_problem(error, version, problems))?;
        let mut groups: Vec<RolloutGroup> = problems
            .iter()
            .zip(requests)
            .map(|(problem, request)| RolloutGroup { problem: problem.clone(), prompt_ids: request.prompt_ids, rollouts: Vec::new() })
            .collect();
        for graded in graded {
            for (request_idx, rollout) in graded.map_err(pause)? {
                groups[request_idx].rollouts.push(rollout);
            }
        }
        for group in &mut groups {
            group.rollouts.sort_by_key(|rollout| rollout.sample_idx);
            grade_whole_group(group, &rewards);
        }
        let reward_secs = started.elapsed().as_secs_f64() - rollout_secs;
        let stats = SampleStats { rollout_secs, reward_secs, n_sampled: n_tokens };
        Ok((groups, stats))
    }

    /// Completions of prompts of one's own, ungraded: as many for each prompt as the settings say, by sample. `problems` names them; a
    /// completion depends on `seed`, the problem's id and the sample's index only.
    ///
    /// # Errors
    /// As [`Sampler::sample`].
    pub(crate) fn complete(
        &mut self,
        policy: &Policy,
        version: PolicyVersion,
        tokenizer: &Tokenizer,
        (problems, prompts): (&[Problem], &[Prompt]),
        seed: Seed,
    ) -> Result<Vec<Vec<Completion>>> {
        let requests = self.requests(policy, tokenizer, problems, prompts, seed)?;
        let limits = self.limits(policy, &requests);
        let mut finished: Vec<Vec<(u32, Completion)>> = problems.iter().map(|_| Vec::new()).collect();
        let mut on_event = |event| {
            if let Event::Finished { request_idx, sample_idx, completion } = event {
                finished[request_idx].push((sample_idx, completion));
            }
        };
        let sampled = self.engine(policy, limits)?.generate(policy, version, tokenizer, &requests, &mut on_event);
        sampled.map_err(|error| name_problem(error, version, problems))?;
        for of_prompt in &mut finished {
            of_prompt.sort_by_key(|(sample_idx, _)| *sample_idx);
        }
        Ok(finished.into_iter().map(|of_prompt| of_prompt.into_iter().map(|(_, completion)| completion).collect()).collect())
    }

    fn requests(
        &self,
        policy: &Policy,
        tokenizer: &Tokenizer,
        problems: &[Problem],
        prompts: &[Prompt],
        seed: Seed,
    ) -> Result<Vec<Request>> {
        // A chat template writes its own start of sequence, and the tiny world has none.
        let add_special = self.settings.template == Template::R1Zero;
        let mut requests = Vec::with_capacity(problems.len());
        for (problem, prompt) in problems.iter().zip(prompts) {
            let prompt_ids = tokenizer.encode(&prompt.text, add_special).with_context(|| format!("prompt of problem {}", problem.id))?;
            if prompt_ids.len() >= policy.context() {
                bail!(
                    "problem {}: expected a prompt shorter than the context of {} tokens, found {}",
                    problem.id,
                    policy.context(),
                    prompt_ids.len()
                );
            }
            requests.push(Request {
                key: seed.with(&problem.id.0),
                prompt_ids,
                n_samples: self.settings.n_samples,
                max_new_tokens: self.settings.max_new_tokens,
                params: self.settings.params,
                stop: self.settings.stop.clone(),
            });
        }
        Ok(requests)
    }

    fn limits(&self, policy: &Policy, requests: &[Request]) -> EngineLimits {
        let longest = requests.iter().map(|request| request.prompt_ids.len()).max().unwrap_or(0);
        let max_sequence = (longest + self.settings.max_new_tokens).next_multiple_of(SEQUENCE_STEP).min(policy.context());
        // Slots that nothing can fill would only take memory.
        let max_batch = self.settings.max_batch.min(requests.len() * self.settings.n_samples as usize).max(1);
        EngineLimits { max_batch, max_sequence, max_cache_bytes: max_cache_bytes(policy.device().kind()) }
    }

    /// The engine, made anew if the one that is there is too small.
    fn engine(&mut self, policy: &Policy, limits: EngineLimits) -> Result<&mut Engine> {
        let is_enough =
            self.engine.as_ref().is_some_and(|(has, _)| has.max_sequence >= limits.max_sequence && has.max_batch >= limits.max_batch);
        if !is_enough {
            // The old memory is given back before the new is taken.
            self.engine = None;
        }
        let (_, engine) = match self.engine.take() {
            Some(made) => self.engine.insert(made),
            None => self.engine.insert((limits, Engine::new(policy, limits)?)),
        };
        Ok(engine)
    }
}

/// A completion that left the engine.
struct Finished {
    request_idx: usize,
    sample_idx: u32,
    completion: Completion,
}

/// What graders of a batch share.
#[derive(Clone, Copy)]
struct Grading<'a> {
    config: &'a ModelConfig,
    tokenizer: &'a Tokenizer,
    rewards: &'a RewardMix,
    resources: Resources<'a>,
    problems: &'a [Problem],
    prompts: &'a [Prompt],
}

impl Grading<'_> {
    /// Grades what comes out of the queue until nothing more will come.
    fn all(self, queue: &Mutex<mpsc::Receiver<Finished>>) -> Result<Vec<(usize, Rollout)>> {
        let mut graded = Vec::new();
        loop {
            // The lock is held while waiting: one grader waits for the queue, the others for it.
            let Ok(finished) = queue.lock().unwrap_or_else(PoisonError::into_inner).recv() else { return Ok(graded) };
            graded.push((finished.request_idx, self.one(finished)?));
        }
    }

    fn one(self, finished: Finished) -> Result<Rollout> {
        let Finished { request_idx, sample_idx, completion } = finished;
        let text = completion_text(self.config, self.tokenizer, &completion)?;
        let submission = Submission {
            problem: &self.problems[request_idx],
            text: &text,
            n_tokens: completion.token_ids.len(),
            prompt_opens_think: self.prompts[request_idx].opens_think,
        };
        let (verdicts, reward) = grade(&submission, self.rewards, self.resources)?;
        Ok(Rollout { sample_idx, completion, text, verdicts, reward })
    }
}

/// A judge without a verdict pauses the run: the same completions are sampled again when it goes on, and what was judged is kept if the
/// judge has a cache.
fn pause(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<GradeError>() {
        Some(GradeError::Pending { .. }) => error.context("paused; when the judge answers again, the same command goes on from here"),
        _ => error,
    }
}

/// Adds the verdicts that compare the completions of a group.
fn grade_whole_group(group: &mut RolloutGroup, rewards: &RewardMix) {
    let mut graded: Vec<Graded> =
        group.rollouts.iter_mut().map(|rollout| (std::mem::take(&mut rollout.verdicts), rollout.reward)).collect();
    let lengths = group.rollouts.iter().map(|rollout| rollout.completion.token_ids.len());
    grade_group(&group.problem, rewards, &mut lengths.zip(&mut graded).collect::<Vec<_>>());
    for (rollout, (verdicts, reward)) in group.rollouts.iter_mut().zip(graded) {
        (rollout.verdicts, rollout.reward) = (verdicts, reward);
    }
}

/// Says which problem and policy a distribution that is not finite belongs to.
fn name_problem(error: RolloutError, version: PolicyVersion, problems: &[Problem]) -> anyhow::Error {
    let RolloutError::NonFinite { request_idx, .. } = error else { return error.into() };
    let problem = &problems[request_idx].id;
    anyhow::Error::from(error).context(format!("sampling problem {problem} with the policy of step {}", version.0))
}

/// The text of a completion without its end token. Other special tokens stay visible: graders must see them.
pub(crate) fn completion_text(config: &ModelConfig, tokenizer: &Tokenizer, completion: &Completion) -> Result<String> {
    let ids = match completion.token_ids.split_last() {
        Some((last, rest)) if completion.finish_reason == FinishReason::Stop && config.eos.contains(last) => rest,
        _ => &completion.token_ids,
    };
    Ok(tokenizer.decode(ids)?)
}
