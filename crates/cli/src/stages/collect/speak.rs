//! What a source says to the model that it asks, and what comes back.

use anyhow::{Result, anyhow};
use ruminate_core::{FinishReason, Language, Message, PolicyVersion, Problem, ProblemId, Role, Seed};
use ruminate_model::{Checkpoint, Policy};
use ruminate_rewards::RewardMix;
use ruminate_rewards::judge::{Chat, ChatError, ChatParams, ChatRequest};
use ruminate_rollout::SamplingParams;
use ruminate_tasks::synthetic::corpus::Style;
use ruminate_tasks::synthetic::{SyntheticLanguage, instruction};
use serde::{Deserialize, Serialize};

use super::worked::Worked;
use crate::endpoint::{Breaker, Endpoint, EndpointConfig};
use crate::parallel::in_parallel;
use crate::prompts::{Prompt, Prompter};
use crate::recipe::{Ask, CollectConfig, Method, TeacherConfig, Template, Who};
use crate::stages::StageContext;
use crate::stages::rollouts::{SampleSettings, Sampler, completion_text};

/// Where a base model begins the next question by itself.
const NEXT_QUESTION: &str = "\nUser:";

const WITH_REASONING: &str = "Think first: write your reasoning in <think> and </think>. After it, answer the user in Markdown, without \
                              mentioning the reasoning.";
const WITHOUT_REASONING: &str = "Answer the user directly, without showing any reasoning.";

/// One response as it was sampled, a line of `samples/SOURCE/00000.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sample {
    /// The problem.
    pub(super) problem: ProblemId,
    /// Its number among the responses to the problem.
    pub(super) sample_idx: u32,
    /// The response, with the words that it was made to begin with.
    pub(super) text: String,
    /// Whether the prompt ended with `<think>`, which then is not part of the text.
    pub(super) opens_think: bool,
    /// Whether the token budget ended it.
    pub(super) is_truncated: bool,
}

/// A model that is asked, ready.
pub(super) enum Speaker<'a> {
    /// A policy of the run, in memory.
    Policy { checkpoint: Box<Checkpoint>, policy: Box<Policy>, sampler: Box<Sampler<'a>> },
    /// A model behind an endpoint.
    Teacher { endpoint: Box<Endpoint>, config: &'a TeacherConfig },
}

/// What is said, whoever it is said to.
#[derive(Debug)]
pub(super) struct Speech<'a> {
    pub(super) config: &'a CollectConfig,
    pub(super) method: &'a Method,
    pub(super) ask: &'a Ask,
    /// Worked examples, for few-shot prompting.
    pub(super) worked: Option<Worked>,
}

impl<'a> Speaker<'a> {
    /// Opens the model of a source.
    pub(super) fn open(ctx: &StageContext<'a>, speech: &Speech<'a>, replies: &std::path::Path) -> Result<Self> {
        match &speech.ask.who {
            Who::Policy(id) => {
                let checkpoint = Box::new(Checkpoint::open(&ctx.policy_path(id)?)?);
                let policy = Box::new(Policy::load_frozen(ctx.device, &checkpoint)?);
                Ok(Self::Policy { checkpoint, policy, sampler: Box::new(Sampler::new(speech.settings(), ctx.graders)) })
            }
            Who::Teacher(config) => Ok(Self::Teacher { endpoint: Box::new(open_endpoint(config, replies)?), config }),
        }
    }

    /// The responses to some problems.
    pub(super) fn respond(&mut self, speech: &Speech<'_>, problems: &[Problem], seed: Seed) -> Result<Vec<Sample>> {
        match self {
            Self::Policy { checkpoint, policy, sampler } => {
                let prompts = problems.iter().map(|problem| speech.prompt(checkpoint, problem)).collect::<Result<Vec<_>>>()?;
                let completions = sampler.complete(policy, PolicyVersion(0), &checkpoint.tokenizer, (problems, &prompts), seed)?;
                let mut samples = Vec::new();
                for ((problem, prompt), of_problem) in problems.iter().zip(&prompts).zip(completions) {
                    for (sample_idx, completion) in (0..).zip(&of_problem) {
                        let text = completion_text(policy.config(), &checkpoint.tokenizer, completion)?;
                        let text = text.strip_suffix(NEXT_QUESTION).unwrap_or(&text);
                        let begin = if prompt.text.ends_with(&speech.ask.begin) { speech.ask.begin.as_str() } else { "" };
                        samples.push(Sample {
                            problem: problem.id.clone(),
                            sample_idx,
                            text: format!("{begin}{text}"),
                            opens_think: prompt.opens_think && begin.is_empty(),
                            is_truncated: completion.finish_reason == FinishReason::Length,
                        });
                    }
                }
                Ok(samples)
            }
            Self::Teacher { endpoint, config } => {
                let breaker = Breaker::new(endpoint.as_ref(), endpoint.concurrency());
                let conversations = problems.iter().map(|problem| speech.messages(problem)).collect::<Result<Vec<_>>>()?;
                let asked: Vec<(&Problem, Vec<Message>)> = problems.iter().zip(conversations).collect();
                let ask = |(problem, messages): &(&Problem, Vec<Message>)| {
                    let params = ChatParams {
                        temperature: speech.ask.temperature,
                        top_p: speech.ask.top_p,
                        max_tokens: config.max_tokens,
                        n: speech.ask.samples,
                        // Some servers take 31 bits only.
                        seed: Some(seed.with(&problem.id.0).value() >> 33),
                        stop: Vec::new(),
                    };
                    chat(&breaker, config, messages.clone(), params)
                };
                let mut samples = Vec::new();
                for (problem, replies) in problems.iter().zip(in_parallel(endpoint.concurrency(), &asked, ask)) {
                    let replies = replies.map_err(|error| pause(&error))?;
                    samples.extend((0..).zip(replies).map(|(sample_idx, (text, is_truncated))| Sample {
                        problem: problem.id.clone(),
                        sample_idx,
                        text,
                        opens_think: false,
                        is_truncated,
                    }));
                }
                Ok(samples)
            }
        }
    }
}

/// Opens an endpoint that keeps replies in `replies` if the recipe names no other folder: what was answered is not asked again.
pub(super) fn open_endpoint(config: &TeacherConfig, replies: &std::path::Path) -> Result<Endpoint> {
    let cache = config.endpoint.cache.clone().or_else(|| Some(replies.to_owned()));
    Endpoint::open(EndpointConfig { cache, ..config.endpoint.clone() })
}

/// Replies to a conversation, kept for the next time, each with whether it was cut off.
pub(super) fn chat(
    chat: &dyn Chat,
    config: &TeacherConfig,
    messages: Vec<Message>,
    params: ChatParams,
) -> Result<Vec<(String, bool)>, ChatError> {
    let request = ChatRequest { model: config.model.clone(), messages, params, schema: None };
    let reply = chat.complete(&request)?;
    chat.keep(&request, &reply);
    Ok(reply.choices.into_iter().map(|choice| (choice.text, choice.finish_reason.as_deref() == Some("length"))).collect())
}

/// A teacher that is down pauses the run.
pub(super) fn pause(error: &ChatError) -> anyhow::Error {
    anyhow!("{error}; what was sampled is kept, and when the teacher answers again, the same command goes on from here")
}

impl Speech<'_> {
    fn settings(&self) -> SampleSettings {
        let mut stop = self.config.template.default_stop();
        if matches!(self.method, Method::FewShot { .. }) && self.config.template != Template::Chat {
            stop = vec![NEXT_QUESTION.to_owned()];
        }
        SampleSettings {
            template: self.config.template,
            system: None,
            n_samples: self.ask.samples,
            max_new_tokens: self.config.max_new_tokens,
            params: SamplingParams { temperature: self.ask.temperature, top_k: 0, top_p: self.ask.top_p, min_p: 0.0 },
            stop,
            rewards: RewardMix::default(),
            max_batch: self.config.max_batch,
        }
    }

    /// What a policy goes on with.
    fn prompt(&self, checkpoint: &Checkpoint, problem: &Problem) -> Result<Prompt> {
        let template = self.config.template;
        let system = self.system(problem);
        let chat_system = Some(system.as_str()).filter(|system| template == Template::Chat && !system.is_empty());
        let prompter = Prompter::new(template, chat_system, checkpoint.chat_template.as_ref())?;
        let mut prompt = match &self.worked {
            Some(worked) => {
                let (question, response) = worked.example(problem)?;
                prompter.prompt_behind((&question, &response), problem)?
            }
            None if matches!(self.method, Method::Direct { .. }) && template != Template::Chat => {
                let question = format!("{}{}{system}", problem.question, if template == Template::Tiny { "" } else { "\n" });
                prompter.prompt(&Problem { question, ..problem.clone() })?
            }
            None => prompter.prompt(problem)?,
        };
        if !prompt.opens_think && !self.ask.begin.is_empty() {
            let gap = if template == Template::R1Zero { " " } else { "" };
            prompt.text = format!("{}{gap}{}", prompt.text, self.ask.begin);
            prompt.opens_think = self.ask.begin.trim_end().ends_with("<think>");
        }
        Ok(prompt)
    }

    /// What an endpoint is sent.
    fn messages(&self, problem: &Problem) -> Result<Vec<Message>> {
        let mut turns = Vec::new();
        let system = self.system(problem);
        if !system.is_empty() {
            turns.push((Role::System, system));
        }
        if let Some(worked) = &self.worked {
            let (question, response) = worked.example(problem)?;
            turns.extend([(Role::User, question), (Role::Assistant, response)]);
        }
        turns.push((Role::User, problem.question.clone()));
        Ok(turns.into_iter().map(|(role, content)| Message { role, content }).collect())
    }

    /// The system message, or for templates without one the instruction behind the question; empty if there is none.
    fn system(&self, problem: &Problem) -> String {
        match self.method {
            Method::Direct { instruction: Some(instruction), .. } => instruction.clone(),
            Method::Direct { instruction: None, .. } => {
                let language = if problem.language == Language::Zh { SyntheticLanguage::Zh } else { SyntheticLanguage::En };
                instruction(Style::Checked, true, language)
            }
            Method::Teacher { system: Some(system), .. } => system.clone(),
            Method::Teacher { with_reasoning, .. } => match with_reasoning.of(problem) {
                Some(true) => WITH_REASONING,
                Some(false) => WITHOUT_REASONING,
                None => "",
            }
            .to_owned(),
            _ => self.config.system.clone().unwrap_or_default(),
        }
    }
}
