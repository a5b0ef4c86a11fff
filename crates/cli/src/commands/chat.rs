//! `ruminate chat`: a conversation with a model.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context, Result, bail};
use clap::Args;
use ruminate_core::{Message, PolicyVersion, Role, Seed, TokenId};
use ruminate_model::{ChatTemplate, Checkpoint, Policy, Tokenizer};
use ruminate_rollout::{Engine, EngineLimits, Event, Request, SamplingParams};
use ruminate_tasks::synthetic::tiny_prompt;

use super::eval::TemplateChoice;
use super::{DeviceChoice, SamplingArgs};
use crate::models;
use crate::prompts::r1_zero_prompt;
use crate::recipe::Template;
use crate::stages::rollouts::{completion_text, max_cache_bytes};

/// Most tokens of a conversation: room for more is memory that few use.
const MAX_CONVERSATION: usize = 4096;

/// Talks with a model, line by line. Reads questions from the standard input, from a pipe too.
#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// Hugging Face folder, GGUF file, directory of a stage, or builtin:tiny, builtin:small, builtin:mini.
    model: String,
    /// System message, for models with a chat template.
    #[arg(long)]
    system: Option<String>,
    /// How a line becomes a prompt [default: chat if the model has a chat template, else tiny].
    #[arg(long, value_enum)]
    template: Option<TemplateChoice>,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Generation budget of a reply.
    #[arg(long, value_name = "N", default_value_t = 512)]
    max_new_tokens: usize,
    /// Root of all randomness.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
}

impl ChatArgs {
    /// Talks until the input ends.
    pub(crate) fn run(&self) -> Result<()> {
        let model = models::open(&self.model)?;
        let Checkpoint { tokenizer, chat_template, .. } = &model.checkpoint;
        let template = TemplateChoice::resolve(self.template, chat_template.is_some());
        let policy = Policy::load_frozen(&self.device.device()?, &model.checkpoint)?;
        let params = self.sampling.params();
        params.validate()?;
        let max_sequence = policy.context().min(MAX_CONVERSATION);
        let limits = EngineLimits { max_batch: 1, max_sequence, max_cache_bytes: max_cache_bytes(policy.device().kind()) };
        let mut talk = Talk {
            args: self,
            engine: Engine::new(&policy, limits)?,
            policy,
            tokenizer,
            chat: chat_template.as_ref(),
            template,
            params,
            max_sequence,
            messages: Vec::new(),
            n_replies: 0,
        };
        talk.converse()
    }
}

struct Talk<'a> {
    max_sequence: usize,
    args: &'a ChatArgs,
    engine: Engine,
    policy: Policy,
    tokenizer: &'a Tokenizer,
    chat: Option<&'a ChatTemplate>,
    template: Template,
    params: SamplingParams,
    /// The conversation so far, for the template `chat`.
    messages: Vec<Message>,
    n_replies: u64,
}

impl Talk<'_> {
    fn converse(&mut self) -> Result<()> {
        if let Some(system) = &self.args.system {
            if self.template != Template::Chat {
                bail!("--system: expected a model with a chat template, found the template of a base model");
            }
            self.messages.push(Message { role: Role::System, content: system.clone() });
        }
        let stdin = std::io::stdin();
        let is_terminal = stdin.is_terminal();
        loop {
            if is_terminal {
                write_out("> ")?;
            }
            let mut line = String::new();
            if stdin.lock().read_line(&mut line).context("cannot read the standard input")? == 0 {
                return Ok(());
            }
            let question = line.trim();
            if question.is_empty() {
                continue;
            }
            self.reply(question)?;
        }
    }

    /// The tokens that the reply goes on from. A conversation that outgrows the context loses its oldest turns.
    fn prompt(&mut self, question: &str) -> Result<Vec<TokenId>> {
        let chat = match (self.template, self.chat) {
            (Template::Chat, Some(chat)) => chat,
            (Template::Chat, None) => bail!("--template chat: the model has no chat template"),
            (Template::Tiny, _) => return Ok(self.tokenizer.encode(&tiny_prompt(question), false)?),
            (Template::R1Zero, _) => return Ok(self.tokenizer.encode(&r1_zero_prompt(question.trim_end_matches('.')), true)?),
        };
        self.messages.push(Message { role: Role::User, content: question.to_owned() });
        loop {
            let prompt_ids = self.tokenizer.encode(&chat.render(&self.messages, true)?, false)?;
            let oldest = self.messages.iter().position(|message| message.role != Role::System);
            let removable = oldest.filter(|&oldest| oldest + 2 < self.messages.len());
            match removable {
                Some(oldest) if prompt_ids.len() + self.args.max_new_tokens > self.max_sequence => {
                    self.messages.drain(oldest..oldest + 2);
                }
                _ => return Ok(prompt_ids),
            }
        }
    }

    fn reply(&mut self, question: &str) -> Result<()> {
        let prompt_ids = self.prompt(question)?;
        let request = Request {
            key: Seed::new(self.args.seed).with("chat").with_index(self.n_replies),
            prompt_ids,
            n_samples: 1,
            max_new_tokens: self.args.max_new_tokens,
            params: self.params,
            stop: self.template.default_stop(),
        };
        self.n_replies += 1;
        let eos = self.policy.config().eos.clone();
        let mut shown = Shown { tokenizer: self.tokenizer, ids: Vec::new(), n_shown: 0, result: Ok(()) };
        let mut finished = None;
        let mut on_event = |event| match event {
            Event::Token { token_id, .. } if eos.contains(&token_id) => {}
            Event::Token { token_id, .. } => shown.push(token_id),
            Event::Finished { completion, .. } => finished = Some(completion),
        };
        self.engine.generate(&self.policy, PolicyVersion(0), self.tokenizer, &[request], &mut on_event)?;
        shown.result?;
        write_out("\n")?;
        let completion = finished.context("the engine gave no completion")?;
        let content = completion_text(self.policy.config(), self.tokenizer, &completion)?;
        if self.template == Template::Chat {
            self.messages.push(Message { role: Role::Assistant, content });
        }
        Ok(())
    }
}

/// Text that is printed while it is sampled. Bytes of an unfinished character wait for the rest of it.
struct Shown<'a> {
    tokenizer: &'a Tokenizer,
    ids: Vec<TokenId>,
    /// Bytes of the text of `ids` that are printed.
    n_shown: usize,
    result: Result<()>,
}

impl Shown<'_> {
    fn push(&mut self, token_id: TokenId) {
        self.ids.push(token_id);
        if self.result.is_ok() {
            self.result = self.show();
        }
    }

    fn show(&mut self) -> Result<()> {
        let text = self.tokenizer.decode(&self.ids)?;
        // A decoder shows the part of a character that is there as U+FFFD.
        let whole = text.trim_end_matches('\u{fffd}');
        if let Some(new) = whole.get(self.n_shown..) {
            write_out(new)?;
            self.n_shown = whole.len();
        }
        // Lines keep the text that is decoded again for every token short.
        if whole.len() == text.len() && text.ends_with('\n') {
            self.ids.clear();
            self.n_shown = 0;
        }
        Ok(())
    }
}

fn write_out(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to the standard output")
}
