//! Texts for reward models: prompt and response put together, always in the same way, in training and in scoring.

use anyhow::{Context, Result, bail};
use ruminate_core::{Message, Role, TokenId};
use ruminate_model::{ChatTemplate, Checkpoint, Reads, Tokenizer};
use ruminate_rewards::behind_reasoning;
use ruminate_tasks::synthetic::tiny_prompt;

use crate::prompts::r1_zero_prompt;
use crate::recipe::Template;

/// The mark that opens reasoning. A template may have it at the end of the prompt; responses here always begin with it if they reason.
pub(crate) const OPEN: &str = "<think>";

/// Puts texts together for one reward model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RewardText<'a> {
    reads: Reads,
    template: Template,
    tokenizer: &'a Tokenizer,
    chat: Option<&'a ChatTemplate>,
}

/// The template that fits a checkpoint: its own, or that of the tiny world where it has none.
pub(crate) fn template_of(checkpoint: &Checkpoint) -> Template {
    if checkpoint.chat_template.is_some() { Template::Chat } else { Template::Tiny }
}

impl<'a> RewardText<'a> {
    /// For a model with this tokenizer and chat template.
    ///
    /// # Errors
    /// The template `chat` for a checkpoint that has none.
    pub(crate) fn new(reads: Reads, template: Template, checkpoint: &'a Checkpoint) -> Result<Self> {
        let chat = checkpoint.chat_template.as_ref();
        if template == Template::Chat && chat.is_none() {
            bail!("template 'chat': {} has no chat template, expected one; 'tiny' and 'r1-zero' need none", checkpoint.path().display());
        }
        Ok(Self { reads, template, tokenizer: &checkpoint.tokenizer, chat })
    }

    /// What is read of a response; empty where nothing stands behind reasoning that should be followed by a summary.
    pub(crate) fn read<'t>(&self, response: &'t str) -> &'t str {
        match self.reads {
            Reads::Summary => behind_reasoning(response, false).unwrap_or_default().trim(),
            Reads::Everything => response.trim(),
        }
    }

    /// The tokens of a prompt and what is read of the response to it.
    ///
    /// # Errors
    /// A prompt that the template has no form for; text that the tokenizer refuses.
    pub(crate) fn ids(&self, prompt: &[Message], response: &str) -> Result<Vec<TokenId>> {
        let read = self.read(response);
        let text = match (self.template, self.chat) {
            (Template::Chat, Some(chat)) => {
                let prompt = chat.render(prompt, true).context("chat template")?;
                format!("{}{read}", prompt.trim_end().strip_suffix(OPEN).unwrap_or(&prompt))
            }
            (Template::Tiny, _) => format!("{}{read}", tiny_prompt(single_turn(prompt)?)),
            (Template::R1Zero, _) => format!("{} {read}", r1_zero_prompt(single_turn(prompt)?.trim_end_matches('.'))),
            (Template::Chat, None) => unreachable!("checked when this was made"),
        };
        // As the engine does: a chat template writes its own start of sequence, and the tiny world has none.
        Ok(self.tokenizer.encode(&text, self.template == Template::R1Zero)?)
    }
}

/// A response as a text of its own: with the mark that its prompt already held.
pub(crate) fn whole_response(text: &str, prompt_opens_think: bool) -> String {
    if prompt_opens_think { format!("{OPEN}{text}") } else { text.to_owned() }
}

/// The prompt of one question.
pub(crate) fn question(text: &str) -> Vec<Message> {
    vec![Message { role: Role::User, content: text.to_owned() }]
}

fn single_turn(prompt: &[Message]) -> Result<&str> {
    match prompt {
        [Message { role: Role::User, content }] => Ok(content),
        _ => bail!("expected one question, found a conversation of {} messages; only template 'chat' has a form for those", prompt.len()),
    }
}
