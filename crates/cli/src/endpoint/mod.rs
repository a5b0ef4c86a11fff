//! Chat models behind an OpenAI-compatible endpoint: judges and teachers that are too large for this process.
//!
//! A question is tried again after errors that may pass, with growing pauses, until its deadline. Replies that were of use are kept in a
//! folder under a hash of the question. An endpoint that stays down says nothing about what was asked: see [`judge_all`].

mod cache;
mod http;
mod retry;
mod slots;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ruminate_rewards::judge::{Chat, ChatError, ChatReply, ChatRequest, Graded, Judge, content_key, judge_answer};
use serde::{Deserialize, Serialize};

use crate::parallel::in_parallel;
use crate::ui::Ui;
use cache::Cache;
use http::{Attempt, Format, Http};
use retry::Pauses;
use slots::Slots;

/// Where the endpoint is and how patiently it is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EndpointConfig {
    /// Base URL, such as `http://localhost:8000/v1`.
    pub(crate) url: String,
    /// Name of the environment variable that holds the key; `None` sends none.
    pub(crate) key_env: Option<String>,
    /// Most requests at a time.
    pub(crate) concurrency: usize,
    /// Most tries of one question.
    pub(crate) tries: u32,
    /// Longest wait for one try, in seconds.
    pub(crate) try_secs: f64,
    /// Longest time for one question, all its tries and pauses together, in seconds.
    pub(crate) deadline_secs: f64,
    /// First pause between tries, in seconds; each further one is twice as long, up to a minute.
    pub(crate) pause_secs: f64,
    /// Folder of kept replies; `None` keeps none.
    pub(crate) cache: Option<PathBuf>,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            key_env: None,
            concurrency: 8,
            tries: 8,
            try_secs: 120.0,
            deadline_secs: 600.0,
            pause_secs: 0.5,
            cache: None,
        }
    }
}

/// An endpoint, ready to be asked.
#[derive(Debug)]
pub(crate) struct Endpoint {
    config: EndpointConfig,
    http: Http,
    cache: Option<Cache>,
    slots: Slots,
    /// The strictest form of replies that the server has not refused, as an index into [`Format::ALL`].
    format: AtomicUsize,
}

impl Endpoint {
    /// Checks the configuration and reads the key. Asks nothing.
    ///
    /// # Errors
    /// A setting out of range, a key variable that is not set, or a folder that cannot be made.
    pub(crate) fn open(config: EndpointConfig) -> Result<Self> {
        ensure!(
            config.url.starts_with("http://") || config.url.starts_with("https://"),
            "url: expected one such as http://localhost:8000/v1, found '{}'",
            config.url
        );
        ensure!((1..=1024).contains(&config.concurrency), "concurrency: expected 1 to 1024, found {}", config.concurrency);
        ensure!(config.tries >= 1, "tries: expected at least 1, found 0");
        for (name, secs) in [("try_secs", config.try_secs), ("deadline_secs", config.deadline_secs), ("pause_secs", config.pause_secs)] {
            ensure!(secs > 0.0 && secs <= 1e6, "{name}: expected more than 0 and at most 1000000, found {secs}");
        }
        let key = match &config.key_env {
            None => None,
            Some(name) => {
                let key = std::env::var(name).ok().filter(|key| !key.trim().is_empty());
                Some(key.with_context(|| format!("key_env: the environment variable {name} is not set; it must hold the key"))?)
            }
        };
        let cache = config.cache.as_deref().map(Cache::open).transpose()?;
        let http = Http::new(&config.url, key.as_deref());
        Ok(Self { http, cache, slots: Slots::new(config.concurrency), format: AtomicUsize::new(0), config })
    }

    /// Most requests at a time.
    pub(crate) fn concurrency(&self) -> usize {
        self.config.concurrency
    }

    /// As many replies to one question as one request brings: some servers give one whatever is asked for.
    fn ask(&self, request: &ChatRequest, deadline: Instant) -> Result<ChatReply, ChatError> {
        let mut pauses = Pauses::new(Duration::from_secs_f64(self.config.pause_secs), &content_key(request));
        let mut n_tries = 0;
        let mut format_idx = self.format.load(Ordering::Relaxed);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let longest = left.min(Duration::from_secs_f64(self.config.try_secs));
            let (cause, asked_pause) = match self.http.post(request, Format::ALL[format_idx], longest) {
                Attempt::Done(reply) => {
                    // Only now is it known that the form was what the server objected to.
                    self.format.fetch_max(format_idx, Ordering::Relaxed);
                    return Ok(reply);
                }
                // Not a try: the server is there and objects to the form, or to something that it will object to again.
                Attempt::FormatRefused(_) if format_idx + 1 < Format::ALL.len() => {
                    format_idx += 1;
                    continue;
                }
                Attempt::FormatRefused(cause) | Attempt::Refused(cause) => return Err(ChatError::Refused(cause)),
                Attempt::Failed { cause, pause } => (cause, pause),
            };
            n_tries += 1;
            let pause = pauses.next(asked_pause);
            let left = deadline.saturating_duration_since(Instant::now());
            if n_tries >= self.config.tries || pause >= left {
                let tries = if n_tries == 1 { "1 try".to_owned() } else { format!("{n_tries} tries") };
                return Err(ChatError::Down(format!("{} after {tries}: {cause}", self.config.url)));
            }
            std::thread::sleep(pause);
        }
    }
}

impl Chat for Endpoint {
    fn complete(&self, request: &ChatRequest) -> Result<ChatReply, ChatError> {
        if let Some(cache) = &self.cache {
            match cache.get(&content_key(request)) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(warning) => Ui::new().say(&format!("warning: {warning}; the question is asked again")),
            }
        }
        let _slot = self.slots.take();
        let deadline = Instant::now() + Duration::from_secs_f64(self.config.deadline_secs);
        let n_wanted = request.params.n.max(1);
        let mut request = request.clone();
        let mut choices = Vec::new();
        while choices.len() < n_wanted as usize {
            request.params.n = n_wanted - choices.len() as u32;
            let mut reply = self.ask(&request, deadline)?;
            reply.choices.truncate(request.params.n as usize);
            choices.append(&mut reply.choices);
            // The same seed would bring the same replies.
            request.params.seed = request.params.seed.map(|seed| seed.wrapping_add(choices.len() as u64));
        }
        Ok(ChatReply { choices })
    }

    fn keep(&self, request: &ChatRequest, reply: &ChatReply) {
        if let Some(cache) = &self.cache
            && let Err(error) = cache.put(request, reply)
        {
            Ui::new().say(&format!("warning: a reply is not kept: {error:#}"));
        }
    }
}

/// One answer that no rule can grade.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// What was asked.
    pub(crate) question: &'a str,
    /// The right answer.
    pub(crate) ground_truth: &'a str,
    /// The answer to grade.
    pub(crate) prediction: &'a str,
}

/// Has a judge grade many answers, `n_threads` at a time.
///
/// The result has one entry for each answer, in their order. [`Graded::Pending`] is no verdict: keep the rollout and call again later, or
/// pause the run. What was judged is kept by the endpoint, so the second call asks about the rest only. When as many answers in a row as
/// there are threads find the judge down, the others are not asked about any more in this call.
pub(crate) fn judge_all(chat: &dyn Chat, judge: &Judge, answers: &[Question<'_>], n_threads: usize) -> Vec<Graded> {
    let breaker = Breaker::new(chat, n_threads);
    in_parallel(n_threads, answers, |answer| judge_answer(&breaker, judge, answer.question, answer.ground_truth, answer.prediction))
}

/// Stops asking a chat model that is down.
pub(crate) struct Breaker<'a> {
    chat: &'a dyn Chat,
    n_down_in_row: AtomicUsize,
    most: usize,
    last: OnceLock<ChatError>,
}

impl<'a> Breaker<'a> {
    /// Gives up when as many questions in a row as there are threads (at least 2) found the model down.
    pub(crate) fn new(chat: &'a dyn Chat, n_threads: usize) -> Self {
        Self { chat, n_down_in_row: AtomicUsize::new(0), most: n_threads.max(2), last: OnceLock::new() }
    }
}

impl Chat for Breaker<'_> {
    fn complete(&self, request: &ChatRequest) -> Result<ChatReply, ChatError> {
        if let Some(error) = self.last.get() {
            return Err(error.clone());
        }
        let result = self.chat.complete(request);
        match &result {
            Err(error @ ChatError::Down(_)) => {
                if self.n_down_in_row.fetch_add(1, Ordering::Relaxed) + 1 >= self.most {
                    self.last.get_or_init(|| error.clone());
                }
            }
            _ => self.n_down_in_row.store(0, Ordering::Relaxed),
        }
        result
    }

    fn keep(&self, request: &ChatRequest, reply: &ChatReply) {
        self.chat.keep(request, reply);
    }
}

#[cfg(test)]
mod tests;
