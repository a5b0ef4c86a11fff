//! Texts for reward models: prompt and response put together, always in the same way, in training and in scoring.

use anyhow::{Context, Result, bail};
use ruminate_core::{Message, Role, TokenId};
use ruminate_model::{ChatTemplate, Checkpoint, ModelError, Reads, Tokenizer};
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
        let read = match self.reads {
            Reads::Summary => behind_reasoning(response, false).unwrap_or_default(),
            Reads::Everything => response,
        };
        // The pieces of the tiny world hold spaces: a text without those at its ends may be no sequence of pieces.
        if self.template == Template::Tiny && !read.trim().is_empty() { read } else { read.trim() }
    }

    /// The tokens of a prompt and what is read of the response to it; `None` if the tokenizer has no tokens for that text, as that of the
    /// tiny world has for its own pieces only.
    ///
    /// # Errors
    /// A prompt that the template has no form for.
    pub(crate) fn ids(&self, prompt: &[Message], response: &str) -> Result<Option<Vec<TokenId>>> {
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
        match self.tokenizer.encode(&text, self.template == Template::R1Zero) {
            Ok(ids) => Ok(Some(ids)),
            Err(ModelError::Tokenizer { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
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

#[cfg(test)]
mod tests {
    use ruminate_model::{SaveDtype, save_checkpoint, tiny_tokenizer};

    use super::*;
    use crate::shapes::shape;

    fn with_text(chat: Option<&str>, check: impl Fn(&Checkpoint)) {
        let pieces: Vec<String> =
            "User:|Assistant:|<think>|</think>|0|1|2|3|4|5|6|7|8|9|+|=|?| | so|\n|[|]|u".split('|').map(String::from).collect();
        let tokenizer = tiny_tokenizer(&pieces).unwrap();
        let config = ruminate_model::ModelConfig { vocab: tokenizer.vocab_size(), eos: vec![], ..shape("tiny").unwrap() };
        let template = chat.map(|source| ChatTemplate::new(source, None, None).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let mut zeros = |spec: &ruminate_model::TensorSpec| Ok(vec![0.0; spec.n_elements()].into());
        save_checkpoint(&dir.path().join("m"), &config, &tokenizer, template.as_ref(), SaveDtype::Bf16, &mut zeros).unwrap();
        check(&Checkpoint::open(&dir.path().join("m")).unwrap());
    }

    fn text_of(checkpoint: &Checkpoint, reads: Reads, template: Template, prompt: &[Message], response: &str) -> Option<String> {
        let text = RewardText::new(reads, template, checkpoint).unwrap();
        let ids = text.ids(prompt, response).unwrap()?;
        Some(checkpoint.tokenizer.decode(&ids).unwrap())
    }

    #[test]
    fn a_helpful_model_reads_the_summary_and_a_safe_one_everything() {
        with_text(None, |checkpoint| {
            let text = |reads, response| text_of(checkpoint, reads, Template::Tiny, &question("1+1=?"), response);
            let some = |text: &str| Some(text.to_owned());
            let response = "<think>1+1 so 2</think> so 2";
            assert_eq!(text(Reads::Summary, response), some("User: 1+1=?\nAssistant: so 2"));
            assert_eq!(text(Reads::Everything, response), some("User: 1+1=?\nAssistant:<think>1+1 so 2</think> so 2"));
            assert_eq!(text(Reads::Summary, "2"), some("User: 1+1=?\nAssistant:2"));
            // Reasoning that never ends has no summary.
            assert_eq!(text(Reads::Summary, "<think>1+1"), some("User: 1+1=?\nAssistant:"));
            // What the tokenizer has no pieces for.
            assert_eq!(text(Reads::Everything, "two"), None);
            assert_eq!(template_of(checkpoint), Template::Tiny);
            let turns = [question("1"), question("2")].concat();
            assert!(RewardText::new(Reads::Summary, Template::Tiny, checkpoint).unwrap().ids(&turns, "1").is_err());
            assert!(RewardText::new(Reads::Summary, Template::Chat, checkpoint).is_err());
        });
    }

    #[test]
    fn a_prompt_that_opens_the_reasoning_is_read_without_the_mark() {
        let chat = "{% for m in messages %}[u]{{ m.content }}{% endfor %}[]<think>\n";
        with_text(Some(chat), |checkpoint| {
            let response = whole_response("1+1</think>\n2 ", true);
            let text = |reads, turns: &[Message]| text_of(checkpoint, reads, template_of(checkpoint), turns, &response).unwrap();
            assert_eq!(text(Reads::Summary, &question("1")), "[u]1[]2");
            assert_eq!(text(Reads::Everything, &question("1")), "[u]1[]<think>1+1</think>\n2");
            assert_eq!(text(Reads::Summary, &[question("1"), question("3")].concat()), "[u]1[u]3[]2");
        });
    }
}
