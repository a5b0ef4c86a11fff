//! How a question becomes the text that the policy completes.

use anyhow::{Context, Result, anyhow};
use ruminate_core::{Message, Problem, Role};
use ruminate_model::ChatTemplate;
use ruminate_tasks::synthetic::{few_shot_prompt, tiny_prompt};

use crate::recipe::Template;

/// System message of the template `chat` when none is given.
const CHAT_SYSTEM: &str = "Think first, then answer. Write your reasoning in <think> and </think>, and after it only the final answer \
                                      in <answer> and </answer>.";

/// The system message that is given, or that of the template.
pub(crate) fn system_or_default(system: Option<String>, template: Template) -> Option<String> {
    system.or_else(|| (template == Template::Chat).then(|| CHAT_SYSTEM.to_owned()))
}

/// The template of R1-Zero (DeepSeek-R1, arXiv 2501.12948, table 1), with the question at its place.
pub(crate) fn r1_zero_prompt(question: &str) -> String {
    format!(
        "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first thinks about \
         the reasoning process in the mind and then provides the user with the answer. The reasoning process and answer are enclosed within \
         <think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process here </think> <answer> answer here \
         </answer>. User: {question}. Assistant:"
    )
}

/// Makes prompts for one policy.
#[derive(Debug)]
pub(crate) struct Prompter<'a> {
    template: Template,
    system: Option<&'a str>,
    chat: Option<&'a ChatTemplate>,
}

/// What the policy completes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// The text.
    pub(crate) text: String,
    /// Whether the text ends inside `<think>`, so that the completion must not open it again.
    pub(crate) opens_think: bool,
}

impl Prompt {
    fn of(text: String) -> Self {
        let opens_think = text.trim_end().ends_with("<think>");
        Self { text, opens_think }
    }
}

impl<'a> Prompter<'a> {
    /// A maker of prompts; `chat` is the chat template of the policy's checkpoint.
    ///
    /// # Errors
    /// The template `chat` for a checkpoint that has none.
    pub(crate) fn new(template: Template, system: Option<&'a str>, chat: Option<&'a ChatTemplate>) -> Result<Self> {
        if template == Template::Chat && chat.is_none() {
            return Err(anyhow!("template 'chat': the checkpoint has no chat template, expected one; 'tiny' and 'r1-zero' need none"));
        }
        Ok(Self { template, system, chat })
    }

    /// The prompt of a problem behind a worked example, which is a question with its response.
    ///
    /// # Errors
    /// A chat template that refuses the messages.
    pub(crate) fn prompt_behind(&self, (question, response): (&str, &str), problem: &Problem) -> Result<Prompt> {
        let text = match (self.template, self.chat) {
            (Template::Tiny, _) => few_shot_prompt([(question, response)], &problem.question),
            // A base model goes on with a conversation that it sees; the paper's template would ask for another form than the example's.
            (Template::R1Zero, _) => format!("User: {question}\nAssistant: {response}\n\nUser: {}\nAssistant:", problem.question),
            (Template::Chat, Some(chat)) => {
                let example = [(Role::User, question), (Role::Assistant, response)];
                self.chat_prompt(&example, &problem.question, chat).with_context(|| format!("prompt of problem {}", problem.id))?
            }
            (Template::Chat, None) => unreachable!("checked when the prompter was made"),
        };
        Ok(Prompt::of(text))
    }

    /// The prompt of a problem.
    ///
    /// # Errors
    /// A chat template that refuses the messages.
    pub(crate) fn prompt(&self, problem: &Problem) -> Result<Prompt> {
        let text = match (self.template, self.chat) {
            (Template::Tiny, _) => tiny_prompt(&problem.question),
            (Template::R1Zero, _) => r1_zero_prompt(problem.question.trim_end_matches('.')),
            (Template::Chat, Some(chat)) => {
                self.chat_prompt(&[], &problem.question, chat).with_context(|| format!("prompt of problem {}", problem.id))?
            }
            (Template::Chat, None) => unreachable!("checked when the prompter was made"),
        };
        Ok(Prompt::of(text))
    }

    fn chat_prompt(&self, before: &[(Role, &str)], question: &str, chat: &ChatTemplate) -> Result<String> {
        let system = self.system.map(|system| (Role::System, system));
        let turns = system.into_iter().chain(before.iter().copied()).chain([(Role::User, question)]);
        let messages: Vec<Message> = turns.map(|(role, content)| Message { role, content: content.to_owned() }).collect();
        Ok(chat.render(&messages, true)?)
    }
}

#[cfg(test)]
mod tests {
    use ruminate_core::{Gold, Language, ProblemId};

    use super::*;

    fn problem(question: &str) -> Problem {
        Problem {
            id: ProblemId("t/1".into()),
            kind: "t".into(),
            question: question.into(),
            gold: Gold::Value { text: "2".into() },
            language: Language::En,
            difficulty: None,
        }
    }

    #[test]
    fn tiny_and_r1_zero() {
        let tiny = Prompter::new(Template::Tiny, None, None).unwrap();
        assert_eq!(tiny.prompt(&problem("1+1=?")).unwrap(), Prompt { text: "User: 1+1=?\nAssistant:".into(), opens_think: false });
        let zero = Prompter::new(Template::R1Zero, None, None).unwrap().prompt(&problem("Add 1 and 1.")).unwrap();
        assert!(zero.text.starts_with("A conversation between User and Assistant. The user asks"), "{}", zero.text);
        assert!(zero.text.ends_with("answer here </answer>. User: Add 1 and 1. Assistant:"), "{}", zero.text);
        assert!(!zero.opens_think);
    }

    #[test]
    fn a_worked_example_stands_before_the_question() {
        let example = ("2+2?", "<think>so 4</think>4");
        let prompt = |template, chat| Prompter::new(template, None, chat).unwrap().prompt_behind(example, &problem("1+1?")).unwrap().text;
        assert_eq!(prompt(Template::Tiny, None), "User: 2+2?\nAssistant:<think>so 4</think>4\n\nUser: 1+1?\nAssistant:");
        assert_eq!(prompt(Template::R1Zero, None), "User: 2+2?\nAssistant: <think>so 4</think>4\n\nUser: 1+1?\nAssistant:");
        let chat = ChatTemplate::new("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]", None, None).unwrap();
        assert_eq!(prompt(Template::Chat, Some(&chat)), "[user]2+2?[assistant]<think>so 4</think>4[user]1+1?[assistant]");
    }

    #[test]
    fn chat_needs_a_template_and_knows_when_it_opens_the_reasoning() {
        let error = Prompter::new(Template::Chat, None, None).unwrap_err().to_string();
        assert!(error.contains("has no chat template"), "{error}");
        let source = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]<think>\n";
        let chat = ChatTemplate::new(source, None, None).unwrap();
        let prompter = Prompter::new(Template::Chat, Some("Be brief"), Some(&chat)).unwrap();
        let prompt = prompter.prompt(&problem("1+1?")).unwrap();
        assert_eq!(prompt.text.trim_end(), "[system]Be brief[user]1+1?[assistant]<think>");
        assert!(prompt.opens_think);
    }
}
