//! From problems to graded rollouts: prompts, requests, completions, verdicts. Training and evaluation share it.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use ruminate_core::{Completion, FinishReason, PolicyVersion, Problem, Rollout, RolloutGroup, Seed};
use ruminate_model::{ChatTemplate, ModelConfig, Policy, Tokenizer};
use ruminate_rewards::{RewardMix, grade};
use ruminate_rollout::{Engine, EngineLimits, Event, Request, RolloutError, SamplingParams};

use crate::prompts::{Prompt, Prompter};
use crate::recipe::{EvaluationConfig, GrpoConfig, Template};

/// Most bytes of the key/value cache; sequences wait for room beyond it.
pub(crate) const MAX_CACHE_BYTES: usize = 2 << 30;

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
            rewards: config.rewards,
            max_batch: config.max_batch,
        }
    }

    /// As an evaluation samples.
    pub(crate) fn of_evaluation(config: &EvaluationConfig) -> Self {
        Self {
            template: config.template,
            system: config.system.clone(),
            n_samples: config.samples,
            max_new_tokens: config.max_new_tokens,
            params: SamplingParams { temperature: config.temperature, top_k: config.top_k, top_p: config.top_p, min_p: config.min_p },
            stop: config.stop.clone(),
            rewards: RewardMix::default(),
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
pub(crate) struct Sampler {
    settings: SampleSettings,
    engine: Option<(EngineLimits, Engine)>,
}

impl Sampler {
    /// A sampler; its memory is taken by the first call of [`Sampler::sample`].
    pub(crate) fn new(settings: SampleSettings) -> Self {
        Self { settings, engine: None }
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
        let mut completions: Vec<Vec<(u32, Completion)>> = vec![Vec::new(); requests.len()];
        let (mut n_finished, mut n_tokens) = (0, 0);
        let mut on_event = |event| match event {
            Event::Token { .. } => n_tokens += 1,
            Event::Finished { request_idx, sample_idx, completion } => {
                completions[request_idx].push((sample_idx, completion));
                n_finished += 1;
                on_finished(n_finished, n_tokens);
            }
        };
        let limits = self.limits(policy, &requests);
        let sampled = self.engine(policy, limits)?.generate(policy, version, text.tokenizer, &requests, &mut on_event);
        sampled.map_err(|error| name_problem(error, version, problems))?;
        let mut stats = SampleStats { rollout_secs: started.elapsed().as_secs_f64(), reward_secs: 0.0, n_sampled: n_tokens };

        let started = Instant::now();
        let mut groups = Vec::with_capacity(problems.len());
        for (((problem, prompt), request), mut completions) in problems.iter().zip(&prompts).zip(requests).zip(completions) {
            completions.sort_by_key(|&(sample_idx, _)| sample_idx);
            let grade = |(sample_idx, completion)| self.graded(policy.config(), text.tokenizer, problem, prompt, sample_idx, completion);
            let rollouts = completions.into_iter().map(grade).collect::<Result<_>>()?;
            groups.push(RolloutGroup { problem: problem.clone(), prompt_ids: request.prompt_ids, rollouts });
        }
        stats.reward_secs = started.elapsed().as_secs_f64();
        Ok((groups, stats))
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
        EngineLimits { max_batch, max_sequence, max_cache_bytes: MAX_CACHE_BYTES }
    }

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

    fn graded(
        &self,
        config: &ModelConfig,
        tokenizer: &Tokenizer,
        problem: &Problem,
        prompt: &Prompt,
        sample_idx: u32,
        completion: Completion,
    ) -> Result<Rollout> {
        let text = completion_text(config, tokenizer, &completion)?;
        let (verdicts, reward) = grade(problem, &text, &self.settings.rewards, prompt.opens_think);
        Ok(Rollout { sample_idx, completion, text, verdicts, reward })
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
