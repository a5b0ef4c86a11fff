//! The scheduler: admits prompts, decodes all running sequences one token at a time, lets finished ones make room at once.
//!
//! A prompt is prefilled once, without its last token; its full pages are shared by all samples. Every sample starts by
//! decoding the prompt's last token in a page of its own, so it may start at any later time. Nothing of this shows in the
//! result: a completion depends on (weights, prompt, key, sample index) only, because all operations give a row the same bits in
//! any batch and random numbers are a function of key, sample index and position.

use ruminate_compute::DeviceKind;
use ruminate_compute::ops::sample::SampleParams;
use ruminate_core::{Completion, FinishReason, PolicyVersion, Seed, TokenId};
use ruminate_model::decoder::{Decoder, DecoderLimits, PAGE, Prompts, Step};
use ruminate_model::{Memory, ModelError, Policy, Tokenizer, Weights};

use crate::pages::PageAllocator;
use crate::stop::is_stopped;
use crate::{Request, RolloutError};

/// Sizes of an [`Engine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Sequences decoded together.
    pub max_batch: usize,
    /// Longest sequence, prompt and completion together, in tokens.
    pub max_sequence: usize,
    /// Most bytes for the key/value cache; sequences wait for room beyond it.
    pub max_cache_bytes: usize,
}

impl EngineLimits {
    /// The decoder's sizes for a model of this shape.
    pub fn decoder_limits(&self, policy_config: &ruminate_model::ModelConfig, kind: DeviceKind) -> DecoderLimits {
        let float_bytes = kind.float_bytes();
        let max_pages = self.max_sequence.div_ceil(PAGE).max(1);
        let page_bytes = 2 * policy_config.n_layers * policy_config.n_kv_heads * policy_config.head_dim * PAGE * float_bytes;
        let affordable = (self.max_cache_bytes / page_bytes.max(1)).max(max_pages + 1);
        // One page more per sequence than it needs alone: the partial page of a shared prompt.
        let n_pages = (self.max_batch * (max_pages + 1)).min(affordable);
        DecoderLimits { max_batch: self.max_batch, max_prefill_tokens: self.max_sequence.max(kind.prefill_tokens()), n_pages, max_pages }
    }
}

/// What happens while sampling.
#[derive(Debug)]
pub enum Event {
    /// A token was sampled.
    Token {
        /// Index of the request.
        request_idx: usize,
        /// Index of the sample.
        sample_idx: u32,
        /// The token.
        token_id: TokenId,
    },
    /// A sample is complete.
    Finished {
        /// Index of the request.
        request_idx: usize,
        /// Index of the sample.
        sample_idx: u32,
        /// What was sampled.
        completion: Completion,
    },
}

/// What a call of [`Engine::generate`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GenerateStats {
    /// Prompt tokens run through the model, each prompt once.
    pub n_prefilled: usize,
    /// Tokens sampled.
    pub n_sampled: usize,
    /// Decode steps.
    pub n_steps: usize,
}

/// Samples completions. Holds the cache and all buffers, so that decoding allocates nothing.
#[derive(Debug)]
pub struct Engine {
    decoder: Decoder,
    pages: PageAllocator,
    groups: Vec<Group>,
    running: Vec<Sample>,
    retired: Vec<Sample>,
    step: StepBuffers,
}

/// A prompt whose samples are not all started.
#[derive(Debug)]
struct Group {
    request_idx: usize,
    /// Pages of the prompt without its last token.
    pages: Vec<u32>,
    next_sample: u32,
}

/// A running sequence.
#[derive(Debug, Default)]
struct Sample {
    request_idx: usize,
    sample_idx: u32,
    /// Position of the token that is decoded next.
    position: usize,
    max_new_tokens: usize,
    pages: Vec<u32>,
    /// Pages still promised to it.
    n_promised: usize,
    next_token: TokenId,
    token_ids: Vec<TokenId>,
    logprobs: Vec<f32>,
}

#[derive(Debug, Default)]
struct StepBuffers {
    token_ids: Vec<u32>,
    positions: Vec<u32>,
    slots: Vec<u32>,
    pages: Vec<u32>,
    lengths: Vec<u32>,
    cu_seqlens: Vec<u32>,
    params: Vec<SampleParams>,
    /// `[n_steps, B]`.
    uniforms: Vec<f64>,
    /// `[n_steps, B]`.
    sampled: Vec<TokenId>,
    /// `[n_steps, B]`.
    logprobs: Vec<f32>,
}

impl Engine {
    /// Takes the memory for sampling from policies of this shape.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new(policy: &Policy, limits: EngineLimits) -> Result<Self, RolloutError> {
        let limits = limits.decoder_limits(policy.config(), policy.device().kind());
        let no_room = ModelError::no_room(
            format!("cache and buffers of {} sequences of at most {} tokens", limits.max_batch, limits.max_pages * PAGE),
            Memory::of_sampling(policy.device().kind(), policy.config(), limits).total(),
            "lower max_batch or max_new_tokens",
        );
        Ok(Self {
            decoder: Decoder::new(policy.device(), policy.config(), limits).map_err(no_room)?,
            pages: PageAllocator::new(limits.n_pages),
            groups: Vec::new(),
            running: Vec::new(),
            retired: Vec::new(),
            step: StepBuffers::default(),
        })
    }

    /// Samples all requests, telling `on_event` of each token and completion as it comes. `tokenizer` is only read for stop strings.
    ///
    /// # Errors
    /// A prompt that is empty, too long for the model or for the cache; a distribution that is not finite; a device error.
    pub fn generate(
        &mut self,
        policy: &Policy,
        version: PolicyVersion,
        tokenizer: &Tokenizer,
        requests: &[Request],
        on_event: &mut dyn FnMut(Event),
    ) -> Result<GenerateStats, RolloutError> {
        self.check(policy, requests)?;
        // A failed call may have left sequences behind.
        self.pages = PageAllocator::new(self.decoder.limits().n_pages);
        self.groups.clear();
        self.running.clear();
        let weights = policy.prepared_weights();
        let mut stats = GenerateStats::default();
        let mut waiting = requests.iter().enumerate().filter(|(_, request)| request.n_samples > 0 && request.max_new_tokens > 0).peekable();
        for (request_idx, request) in requests.iter().enumerate().filter(|(_, request)| request.max_new_tokens == 0) {
            for sample_idx in 0..request.n_samples {
                let completion = Completion {
                    token_ids: Vec::new(),
                    rollout_logprobs: Vec::new(),
                    finish_reason: FinishReason::Length,
                    policy_version: version,
                };
                on_event(Event::Finished { request_idx, sample_idx, completion });
            }
        }
        loop {
            self.start_samples(policy, requests);
            let first_new = self.groups.len();
            while self.has_room() && self.groups.len() < first_new + self.decoder.limits().max_batch {
                let Some(&(request_idx, request)) = waiting.peek() else { break };
                if !self.admit(request_idx, request, policy.context()) {
                    break;
                }
                waiting.next();
            }
            stats.n_prefilled += self.prefill(policy, &weights, requests, first_new)?;
            self.start_samples(policy, requests);
            if self.running.is_empty() {
                assert!(waiting.peek().is_none() && self.groups.is_empty(), "an empty engine can start any checked request");
                assert_eq!(self.pages.n_available(), self.decoder.limits().n_pages, "an empty engine has given back all pages");
                return Ok(stats);
            }
            stats.n_steps += self.decode(policy, &weights, requests)?;
            stats.n_sampled += self.collect(policy, version, tokenizer, requests, on_event)?;
        }
    }

    fn check(&self, policy: &Policy, requests: &[Request]) -> Result<(), RolloutError> {
        let (context, vocab, limits) = (policy.context(), policy.config().vocab, self.decoder.limits());
        for (request_idx, request) in requests.iter().enumerate() {
            request.params.validate()?;
            let length = request.prompt_ids.len();
            if length == 0 {
                return Err(RolloutError::EmptyPrompt { request_idx });
            }
            if let Some(&id) = request.prompt_ids.iter().find(|&&id| id as usize >= vocab) {
                return Err(RolloutError::UnknownToken { request_idx, id, vocab });
            }
            if length >= context || length > limits.max_prefill_tokens {
                return Err(RolloutError::PromptTooLong { request_idx, length, context: context.min(limits.max_prefill_tokens) });
            }
            // The prompt's own partial page comes on top.
            let needed = pages_for(length + budget(request, context) - 1);
            if needed > limits.max_pages || needed + 1 > limits.n_pages {
                return Err(RolloutError::CacheTooSmall { request_idx, needed, n_pages: limits.max_pages.min(limits.n_pages - 1) });
            }
        }
        Ok(())
    }

    /// Whether another prompt could start a sample now.
    fn has_room(&self) -> bool {
        let pending: usize = self.running.len() + self.groups.len();
        pending < self.decoder.limits().max_batch
    }

    /// Takes the pages of a prompt, if there are enough for it and one sample.
    fn admit(&mut self, request_idx: usize, request: &Request, context: usize) -> bool {
        let needed = pages_for(request.prompt_ids.len() - 1);
        let for_sample = own_pages(request, context, request.n_samples == 1);
        if needed + for_sample > self.pages.n_available() || !self.pages.promise(needed) {
            return false;
        }
        let pages = (0..needed).map(|_| self.pages.take()).collect();
        self.groups.push(Group { request_idx, pages, next_sample: 0 });
        true
    }

    /// Runs the prompts of the groups from `first` on through the model, as many at a time as the buffers hold.
    fn prefill(&mut self, policy: &Policy, weights: &Weights<'_>, requests: &[Request], first: usize) -> Result<usize, RolloutError> {
        let max_tokens = self.decoder.limits().max_prefill_tokens;
        let mut n_prefilled = 0;
        let mut next = first;
        while next < self.groups.len() {
            let s = &mut self.step;
            s.token_ids.clear();
            s.positions.clear();
            s.slots.clear();
            s.cu_seqlens.clear();
            s.cu_seqlens.push(0);
            while let Some(group) = self.groups.get(next) {
                let prompt = &requests[group.request_idx].prompt_ids;
                let shared = &prompt[..prompt.len() - 1];
                if s.token_ids.len() + shared.len() > max_tokens {
                    break;
                }
                s.token_ids.extend_from_slice(shared);
                s.positions.extend(0..shared.len() as u32);
                s.slots.extend((0..shared.len()).map(|position| slot(&group.pages, position)));
                s.cu_seqlens.push(s.token_ids.len() as u32);
                next += 1;
            }
            if !s.token_ids.is_empty() {
                let prompts = Prompts { token_ids: &s.token_ids, positions: &s.positions, cu_seqlens: &s.cu_seqlens, slots: &s.slots };
                let decoder = &mut self.decoder;
                policy.device().run(|| decoder.prefill(policy, weights, prompts))?;
                n_prefilled += s.token_ids.len();
            }
        }
        Ok(n_prefilled)
    }

    /// Starts samples of the prefilled groups while there are slots and pages.
    fn start_samples(&mut self, policy: &Policy, requests: &[Request]) {
        let limits = self.decoder.limits();
        let mut group_idx = 0;
        while group_idx < self.groups.len() && self.running.len() < limits.max_batch {
            let group = &mut self.groups[group_idx];
            let request = &requests[group.request_idx];
            let n_shared = request.prompt_ids.len() - 1;
            let n_full = n_shared / PAGE;
            let max_new_tokens = budget(request, policy.context());
            let is_last = group.next_sample + 1 == request.n_samples;
            let n_own = own_pages(request, policy.context(), is_last);
            if !self.pages.promise(n_own) {
                // A later prompt may need less: the one admitted last always fits, so that an empty engine never stalls.
                group_idx += 1;
                continue;
            }
            let mut sample = self.retired.pop().unwrap_or_default();
            sample.request_idx = group.request_idx;
            sample.sample_idx = group.next_sample;
            sample.position = n_shared;
            sample.max_new_tokens = max_new_tokens;
            sample.next_token = request.prompt_ids[n_shared];
            sample.token_ids.clear();
            sample.logprobs.clear();
            sample.token_ids.reserve(max_new_tokens);
            sample.logprobs.reserve(max_new_tokens);
            sample.pages.clear();
            sample.pages.reserve(limits.max_pages);
            sample.pages.extend_from_slice(&group.pages[..n_full]);
            sample.pages.iter().for_each(|&page| self.pages.share(page));
            sample.n_promised = n_own;
            // The last sample takes the prompt's partial page, which nobody else needs any more; the others copy it.
            if is_last && group.pages.len() > n_full {
                sample.pages.extend(group.pages.pop());
            } else if let Some(&partial) = group.pages.get(n_full) {
                let own = self.pages.take();
                sample.n_promised -= 1;
                self.decoder.copy_page(policy, partial, own);
                sample.pages.push(own);
            }
            self.running.push(sample);
            group.next_sample += 1;
            if is_last {
                // Full pages live on with the samples.
                group.pages.iter().for_each(|&page| self.pages.release(page));
                self.groups.remove(group_idx);
            }
        }
    }

    /// The next tokens of every running sequence: as many steps as the device goes ahead, unless all sequences end before.
    /// Returns the number of steps.
    fn decode(&mut self, policy: &Policy, weights: &Weights<'_>, requests: &[Request]) -> Result<usize, RolloutError> {
        let (max_pages, spare) = (self.decoder.limits().max_pages, self.decoder.spare_page());
        let longest = self.running.iter().map(|sample| sample.max_new_tokens - sample.token_ids.len()).max().unwrap_or(0);
        let n_steps = policy.device().steps_ahead().min(longest);
        let s = &mut self.step;
        for buffer in [&mut s.token_ids, &mut s.positions, &mut s.slots, &mut s.pages, &mut s.lengths] {
            buffer.clear();
        }
        s.params.clear();
        let n = self.running.len();
        s.uniforms.resize(n_steps * n, 0.0);
        for (i, sample) in self.running.iter_mut().enumerate() {
            // What is decoded beyond the end of the sequence lies in the spare page.
            while sample.n_promised > 0 && sample.pages.len() <= (sample.position + n_steps - 1) / PAGE {
                sample.pages.push(self.pages.take());
                sample.n_promised -= 1;
            }
            s.token_ids.push(sample.next_token);
            s.positions.push(sample.position as u32);
            s.slots.push(slot(&sample.pages, sample.position));
            s.lengths.push(sample.position as u32 + 1);
            s.pages.extend_from_slice(&sample.pages);
            s.pages.resize(s.lengths.len() * max_pages, spare);
            let request = &requests[sample.request_idx];
            s.params.push(sample_params(request));
            let key = request.key.with_index(u64::from(sample.sample_idx));
            for ahead in 0..n_steps {
                s.uniforms[ahead * n + i] = uniform(key, sample.token_ids.len() + ahead);
            }
        }
        let step = Step { token_ids: &s.token_ids, positions: &s.positions, slots: &s.slots, pages: &s.pages, lengths: &s.lengths };
        let decoder = &mut self.decoder;
        let (params, uniforms) = (&s.params, &s.uniforms);
        policy.device().run(|| decoder.decode(policy, weights, step, params, uniforms, &mut s.sampled, &mut s.logprobs))?;
        Ok(n_steps)
    }

    /// Appends the sampled tokens up to the end of each sequence and retires those that ended. Returns the number of tokens.
    fn collect(
        &mut self,
        policy: &Policy,
        version: PolicyVersion,
        tokenizer: &Tokenizer,
        requests: &[Request],
        on_event: &mut dyn FnMut(Event),
    ) -> Result<usize, RolloutError> {
        let (n, eos, mut n_tokens) = (self.running.len(), &policy.config().eos, 0);
        let n_steps = self.step.sampled.len() / n.max(1);
        // From the back: `swap_remove` then only moves sequences that were looked at.
        for i in (0..n).rev() {
            let sample = &mut self.running[i];
            let Sample { request_idx, sample_idx, .. } = *sample;
            let stop = &requests[request_idx].stop;
            for step in 0..n_steps {
                let (token_id, logprob) = (self.step.sampled[step * n + i], self.step.logprobs[step * n + i]);
                if !logprob.is_finite() {
                    return Err(RolloutError::NonFinite { request_idx, sample_idx, position: sample.token_ids.len(), found: logprob });
                }
                sample.token_ids.push(token_id);
                sample.logprobs.push(logprob);
                sample.next_token = token_id;
                sample.position += 1;
                n_tokens += 1;
                on_event(Event::Token { request_idx, sample_idx, token_id });
                let stopped = eos.contains(&token_id) || is_stopped(tokenizer, &sample.token_ids, stop)?;
                if stopped || sample.token_ids.len() == sample.max_new_tokens {
                    self.retire(i, if stopped { FinishReason::Stop } else { FinishReason::Length }, version, on_event);
                    break;
                }
            }
        }
        Ok(n_tokens)
    }

    /// Gives back what the sequence held and reports it.
    fn retire(&mut self, i: usize, finish_reason: FinishReason, version: PolicyVersion, on_event: &mut dyn FnMut(Event)) {
        let sample = self.running.swap_remove(i);
        let (request_idx, sample_idx) = (sample.request_idx, sample.sample_idx);
        let completion = Completion {
            token_ids: sample.token_ids.clone(),
            rollout_logprobs: sample.logprobs.clone(),
            finish_reason,
            policy_version: version,
        };
        sample.pages.iter().for_each(|&page| self.pages.release(page));
        self.pages.release_promise(sample.n_promised);
        self.retired.push(sample);
        on_event(Event::Finished { request_idx, sample_idx, completion });
    }
}

/// The random number that decides the token at `position` of the completion with this key.
fn uniform(key: Seed, position: usize) -> f64 {
    key.with_index(position as u64).uniform()
}

/// How a request is sampled; the random numbers come apart.
fn sample_params(request: &Request) -> SampleParams {
    let p = request.params;
    SampleParams { temperature: p.temperature, top_k: p.top_k, top_p: p.top_p, min_p: p.min_p, uniform: 0.0 }
}

/// Tokens a sample may have.
fn budget(request: &Request, context: usize) -> usize {
    request.max_new_tokens.min(context - request.prompt_ids.len())
}

/// Pages that a sample needs besides those of its prompt: the full ones are shared, and the partial one becomes that of the last.
fn own_pages(request: &Request, context: usize, is_last: bool) -> usize {
    let n_shared = request.prompt_ids.len() - 1;
    let of_prompt = if is_last { pages_for(n_shared) } else { n_shared / PAGE };
    pages_for(n_shared + budget(request, context)) - of_prompt
}

fn pages_for(n_positions: usize) -> usize {
    n_positions.div_ceil(PAGE)
}

fn slot(pages: &[u32], position: usize) -> u32 {
    pages[position / PAGE] * PAGE as u32 + (position % PAGE) as u32
}
