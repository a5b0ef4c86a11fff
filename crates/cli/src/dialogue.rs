//! A conversation as the tokens that a policy learns from: what the assistant says is trained, all else is only read.
//!
//! The tokens before a turn are those that sampling would show to the policy, and a turn ends with the token that ends sampling. Where a
//! chat template does not allow that, because it writes earlier turns in another way than it asks for them, that is an error.

use anyhow::{Context, Result, bail, ensure};
use ruminate_core::{Message, Role, TokenId};
use ruminate_model::{ChatTemplate, ModelConfig};
use ruminate_tasks::synthetic::tiny_prompt;

use crate::prompts::r1_zero_prompt;
use crate::recipe::Template;
use crate::stages::rollouts::PolicyText;

/// Writes conversations for one policy.
#[derive(Debug)]
pub(crate) struct Dialogue<'a> {
    template: Template,
    system: Option<&'a str>,
    text: PolicyText<'a>,
    /// What ends a completion of the policy, for templates without a mark of their own.
    end: Option<TokenId>,
}

/// A conversation as tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// All tokens.
    pub(crate) token_ids: Vec<TokenId>,
    /// Whether each is trained; the first is not.
    pub(crate) is_trained: Vec<bool>,
    /// The token that ends the assistant's turns.
    pub(crate) end: TokenId,
}

impl Encoded {
    /// Tokens that are trained.
    pub(crate) fn n_trained(&self) -> usize {
        self.is_trained.iter().filter(|&&is_trained| is_trained).count()
    }

    fn push(&mut self, ids: &[TokenId], is_trained: bool) {
        self.token_ids.extend_from_slice(ids);
        self.is_trained.resize(self.token_ids.len(), is_trained);
    }
}

/// The parts of a conversation as text: what is read before each of the assistant's turns, and the turn.
struct Turn {
    before: String,
    said: String,
}

impl<'a> Dialogue<'a> {
    /// A writer for a policy; `system` opens every conversation under a chat template that has no system message of its own.
    ///
    /// # Errors
    /// The template `chat` for a checkpoint that has none; another template for one that names no end token.
    pub(crate) fn new(template: Template, system: Option<&'a str>, text: PolicyText<'a>, config: &ModelConfig) -> Result<Self> {
        match template {
            Template::Chat if text.chat.is_none() => {
                bail!("template 'chat': the checkpoint has no chat template, expected one; 'tiny' and 'r1-zero' need none")
            }
            Template::Tiny | Template::R1Zero if config.eos.is_empty() => {
                bail!("expected a checkpoint with an end token, which ends what the assistant says, found none")
            }
            _ => Ok(Self { template, system, text, end: config.eos.first().copied() }),
        }
    }

    /// The tokens of a conversation, which ends with a turn of the assistant.
    ///
    /// # Errors
    /// Text that the tokenizer has no tokens for, roles that the template has no place for, a template that is ambiguous about what
    /// the assistant said.
    pub(crate) fn encode(&self, messages: &[Message]) -> Result<Encoded> {
        let (turns, end) = match (self.template, self.text.chat) {
            (Template::Chat, Some(chat)) => self.chat_turns(messages, chat)?,
            _ => (self.plain_turns(messages)?, self.end.context("checked when the writer was made")?),
        };
        let mut encoded = Encoded { end, ..Encoded::default() };
        for (idx, turn) in turns.iter().enumerate() {
            // As sampling does: a chat template writes its own start of sequence, and the tiny world has none.
            let add_special = idx == 0 && self.template == Template::R1Zero;
            encoded.push(&self.text.tokenizer.encode_known(&turn.before, add_special)?, false);
            encoded.push(&self.text.tokenizer.encode_known(&turn.said, false)?, true);
            encoded.push(&[end], true);
        }
        ensure!(encoded.is_trained.first() == Some(&false), "expected text before the assistant's first turn, found none");
        Ok(encoded)
    }

    /// Templates that have no marks but their own words.
    fn plain_turns(&self, messages: &[Message]) -> Result<Vec<Turn>> {
        let mut turns: Vec<Turn> = Vec::new();
        for pair in messages.chunks(2) {
            let [Message { role: Role::User, content: question }, Message { role: Role::Assistant, content: answer }] = pair else {
                bail!("expected turns of user and assistant, found another order; only the template 'chat' has a place for system messages")
            };
            let is_first = turns.is_empty();
            turns.push(match self.template {
                Template::Tiny => {
                    let line_break = if is_first { "" } else { "\n" };
                    Turn { before: format!("{line_break}{}", tiny_prompt(question)), said: answer.clone() }
                }
                _ => {
                    let question = question.trim_end_matches('.');
                    let before = if is_first { r1_zero_prompt(question) } else { format!(" User: {question}. Assistant:") };
                    // Words are parted by spaces: nothing else would stand there in a text.
                    let space = if answer.starts_with(char::is_whitespace) { "" } else { " " };
                    Turn { before, said: format!("{space}{answer}") }
                }
            });
        }
        Ok(turns)
    }

    fn chat_turns(&self, messages: &[Message], chat: &ChatTemplate) -> Result<(Vec<Turn>, TokenId)> {
        let own_system = self.system.filter(|_| messages.first().is_some_and(|message| message.role != Role::System));
        let system = own_system.map(|content| Message { role: Role::System, content: content.to_owned() });
        let messages: Vec<Message> = system.into_iter().chain(messages.iter().cloned()).collect();
        let whole = chat.render(&messages, false)?;
        let (mut turns, mut end, mut done) = (Vec::new(), None, 0);
        for (idx, message) in messages.iter().enumerate().filter(|(_, message)| message.role == Role::Assistant) {
            let turn = idx + 1;
            let prompt = chat.render(&messages[..idx], true)?;
            let after = chat.render(&messages[..=idx], false)?;
            for (what, part) in [("the prompt of", &prompt), ("the text up to", &after)] {
                ensure!(
                    whole.starts_with(part.as_str()),
                    "turn {turn}: expected the chat template to write {what} this turn in the same way within the whole conversation, \
                     found another text; templates that drop earlier reasoning or name another role cannot be trained on"
                );
            }
            // The turn is what the assistant says and the mark behind it.
            let content = message.content.trim();
            let said_end = after.rfind(content).map(|at| at + content.len()).filter(|&end| end >= prompt.len());
            let said_end = said_end.with_context(|| {
                format!("turn {turn}: expected the chat template to write what the assistant says unchanged, found it changed or dropped")
            })?;
            let mark = &after[said_end..];
            let mark_start = said_end + mark.len() - mark.trim_start().len();
            let id = self.text.tokenizer.token_id(mark.trim()).with_context(|| {
                format!("turn {turn}: expected one token that ends the turn behind what the assistant says, found {:?}", mark.trim())
            })?;
            ensure!(*end.get_or_insert(id) == id, "turn {turn}: expected all turns to end with the same token, found two");
            ensure!(prompt.len() >= done, "turn {turn}: expected the prompt to go on where the turn before ended");
            turns.push(Turn { before: prompt[done..].to_owned(), said: whole[prompt.len()..mark_start].to_owned() });
            done = mark_start + mark.trim().len();
        }
        let end = end.context("expected a turn of the assistant, found none")?;
        self.check_pieces(&turns, &whole[..done], end)?;
        Ok((turns, end))
    }

    /// Tokenizing piece by piece must give back the text of the whole: some tokenizers put a space before every piece.
    fn check_pieces(&self, turns: &[Turn], whole: &str, end: TokenId) -> Result<()> {
        let tokenizer = self.text.tokenizer;
        let mut pieces = Vec::new();
        for turn in turns {
            pieces.extend(tokenizer.encode_known(&turn.before, false)?);
            pieces.extend(tokenizer.encode_known(&turn.said, false)?);
            pieces.push(end);
        }
        let at_once = tokenizer.encode_known(whole, false)?;
        ensure!(
            tokenizer.decode(&pieces)? == tokenizer.decode(&at_once)?,
            "expected the turns, each tokenized on its own, to give the text of the conversation, found another text"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ruminate_model::{Architecture, RopeScaling, Tokenizer, tiny_tokenizer};

    use super::*;

    const CHAT: &str = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% if m.role == 'assistant' %}<eos>\n{% endif %}{% endfor %}\
                        {% if add_generation_prompt %}[assistant]{% endif %}";

    fn tokenizer(pieces: &[&str]) -> Tokenizer {
        tiny_tokenizer(&pieces.iter().map(|&piece| piece.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn words() -> Tokenizer {
        tokenizer(&["[user]", "[assistant]", "[system]", "User:", "Assistant:", " ", "\n", "a", "b", "c", "d", "<think>", "</think>"])
    }

    fn conversation(turns: &[(Role, &str)]) -> Vec<Message> {
        turns.iter().map(|&(role, content)| Message { role, content: content.to_owned() }).collect()
    }

    fn config(eos: Vec<u32>) -> ModelConfig {
        ModelConfig {
            architecture: Architecture::Llama,
            hidden: 8,
            n_layers: 1,
            n_heads: 1,
            n_kv_heads: 1,
            head_dim: 8,
            ffn: 8,
            vocab: 32,
            max_positions: 64,
            rope_theta: 1e4,
            rope_scaling: RopeScaling::None,
            rms_norm_eps: 1e-5,
            tied: true,
            qkv_bias: false,
            qk_norm: false,
            sliding_window: None,
            bos: None,
            eos,
        }
    }

    /// Encodes, and gives back all text and the trained pieces.
    fn encode(
        template: Template,
        chat: Option<&str>,
        system: Option<&str>,
        turns: &[(Role, &str)],
    ) -> Result<(String, Vec<String>), String> {
        let tokenizer = words();
        let chat = chat.map(|source| ChatTemplate::new(source, None, None).unwrap());
        let text = PolicyText { tokenizer: &tokenizer, chat: chat.as_ref() };
        let config = config(tokenizer.eos_id().into_iter().collect());
        let dialogue = Dialogue::new(template, system, text, &config).unwrap();
        let encoded = dialogue.encode(&conversation(turns)).map_err(|error| format!("{error:#}"))?;
        assert_eq!(encoded.token_ids.len(), encoded.is_trained.len());
        let trained = encoded.token_ids.iter().zip(&encoded.is_trained).filter(|&(_, &is_trained)| is_trained);
        let pieces = trained.map(|(&id, _)| tokenizer.token(id).unwrap()).collect();
        Ok((tokenizer.decode(&encoded.token_ids).unwrap(), pieces))
    }

    const TWO_TURNS: [(Role, &str); 4] = [(Role::User, "ab"), (Role::Assistant, "c d"), (Role::User, "b"), (Role::Assistant, "da")];

    #[test]
    fn every_turn_of_the_assistant_and_its_end_are_trained_and_nothing_else() {
        let (text, trained) = encode(Template::Chat, Some(CHAT), None, &TWO_TURNS).unwrap();
        assert_eq!(text, "[user]ab[assistant]c d<eos>\n[user]b[assistant]da<eos>");
        assert_eq!(trained, ["c", " ", "d", "<eos>", "d", "a", "<eos>"]);
        let (text, trained) = encode(Template::Tiny, None, None, &TWO_TURNS).unwrap();
        assert_eq!(text, "User: ab\nAssistant:c d<eos>\nUser: b\nAssistant:da<eos>");
        assert_eq!(trained, ["c", " ", "d", "<eos>", "d", "a", "<eos>"]);
    }

    #[test]
    fn a_system_message_is_added_where_there_is_none() {
        let turns = [(Role::User, "a"), (Role::Assistant, "b")];
        assert_eq!(encode(Template::Chat, Some(CHAT), Some("d"), &turns).unwrap().0, "[system]d[user]a[assistant]b<eos>");
        let own = [(Role::System, "c"), turns[0], turns[1]];
        assert_eq!(encode(Template::Chat, Some(CHAT), Some("d"), &own).unwrap().0, "[system]c[user]a[assistant]b<eos>");
        let error = encode(Template::Tiny, None, None, &own).unwrap_err();
        assert!(error.contains("only the template 'chat' has a place for system messages"), "{error}");
    }

    #[test]
    fn a_prompt_that_opens_the_reasoning_takes_it_from_the_turn() {
        let opens = CHAT.replace("[assistant]{% endif %}", "[assistant]<think>{% endif %}");
        let turns = [(Role::User, "a"), (Role::Assistant, "<think>b</think>c")];
        let (text, trained) = encode(Template::Chat, Some(&opens), None, &turns).unwrap();
        assert_eq!(text, "[user]a[assistant]<think>b</think>c<eos>");
        assert_eq!(trained, ["b", "</think>", "c", "<eos>"]);
        // A turn without reasoning is not what such a prompt asks for.
        let error = encode(Template::Chat, Some(&opens), None, &[(Role::User, "a"), (Role::Assistant, "c")]).unwrap_err();
        assert!(error.contains("turn 2: expected the chat template to write the prompt of this turn in the same way"), "{error}");
    }

    #[test]
    fn templates_that_leave_the_turn_unclear_are_refused() {
        let drops = CHAT.replace("{{ m.content }}", "{{ m.content.split('</think>')[-1] }}");
        let turns = [(Role::User, "a"), (Role::Assistant, "<think>b</think>c")];
        let error = encode(Template::Chat, Some(&drops), None, &turns).unwrap_err();
        assert!(error.contains("expected the chat template to write what the assistant says unchanged"), "{error}");
        let unmarked = CHAT.replace("<eos>", "");
        let error = encode(Template::Chat, Some(&unmarked), None, &turns).unwrap_err();
        assert!(error.contains("expected one token that ends the turn"), "{error}");
        // Earlier turns are written in another way than when they were asked for.
        let forgets = "{% for m in messages %}{% if m.role == 'user' or loop.last %}[{{ m.role }}]{{ m.content }}{% endif %}\
                       {% if m.role == 'assistant' and loop.last %}<eos>{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
        let error = encode(Template::Chat, Some(forgets), None, &TWO_TURNS).unwrap_err();
        assert!(error.contains("within the whole conversation, found another text"), "{error}");
    }

    #[test]
    fn words_that_the_vocabulary_has_not_are_named() {
        let error = encode(Template::Tiny, None, None, &[(Role::User, "a"), (Role::Assistant, "b x")]).unwrap_err();
        assert!(error.contains("expected text that the vocabulary can express, found \"x\""), "{error}");
        let tokenizer = words();
        let text = PolicyText { tokenizer: &tokenizer, chat: None };
        let error = Dialogue::new(Template::Tiny, None, text, &config(Vec::new())).unwrap_err().to_string();
        assert!(error.contains("expected a checkpoint with an end token"), "{error}");
        let error = Dialogue::new(Template::Chat, None, text, &config(vec![1])).unwrap_err().to_string();
        assert!(error.contains("has no chat template"), "{error}");
    }
}
