//! Prompts and responses that later stages than pretraining are made of: examples in a prompt, instructions, R1's form, and what a good
//! assistant says to general requests.

use ruminate_core::{Outcome, Problem, ProblemId, Seed};
use ruminate_rewards::{grade_accuracy, reflection_words};

use super::corpus::{self, Style};
use super::{Content, Split, SyntheticKind, SyntheticLanguage, generate, tiny_prompt};
use crate::TaskError;

/// What stands behind a question to ask for a style, in the order of [`Style::ALL`], in English and Chinese.
pub(super) const INSTRUCTIONS: [(&str, &str); 3] = [
    (" answer at once.", "请直接回答。"),
    (" think step by step.", "请一步一步想。"),
    (" think step by step and check.", "请一步一步想并检查。"),
];

/// What asks for R1's form.
pub(super) const SUMMARY_INSTRUCTION: (&str, &str) = (" end with a summary.", "最后请总结。");

/// What announces the answer in a summary.
pub(super) const ANSWER_MARKS: (&str, &str) = ("**answer:** ", "**答案：** ");

/// Most different tries until a long example is found; about one in two will do.
const MAX_TRIES: u64 = 1000;

/// The instruction that asks for a style, and for R1's form if `wants_summary`; to be put right behind a question.
///
/// The base model has seen it in a share of its corpus, mostly followed.
pub fn instruction(style: Style, wants_summary: bool, language: SyntheticLanguage) -> String {
    let (en, zh) = INSTRUCTIONS[style as usize];
    let summary = if wants_summary { SUMMARY_INSTRUCTION } else { ("", "") };
    match language {
        SyntheticLanguage::En => format!("{en}{}", summary.0),
        SyntheticLanguage::Zh => format!("{zh}{}", summary.1),
    }
}

/// What follows `</think>` in R1's form: a line break and the answer, announced in Markdown.
///
/// All graders read the answer from it. An answer with a `*` stands as code, so that it is not read as emphasis.
pub fn summary(answer: &str, language: SyntheticLanguage) -> String {
    let (en, zh) = ANSWER_MARKS;
    let mark = if language == SyntheticLanguage::En { en } else { zh };
    if answer.contains('*') { format!("\n{mark}`{answer}`") } else { format!("\n{mark}{answer}") }
}

/// A prompt of the template `tiny` with problems that were solved before: pairs of question and response.
///
/// The base model has seen documents of this form, in which all responses have the same style.
pub fn few_shot_prompt<'a>(shots: impl IntoIterator<Item = (&'a str, &'a str)>, question: &str) -> String {
    let mut text = String::new();
    for (question, response) in shots {
        text.push_str(&tiny_prompt(question));
        text.push_str(response);
        text.push_str("\n\n");
    }
    text + &tiny_prompt(question)
}

/// Example number `index` of a general kind: a request of the training split and what a good assistant says to it. Greetings, questions
/// about itself, facts and refusals come at once; translations and sentences after reasoning in `<think>`.
///
/// # Errors
/// [`TaskError::NotGeneral`] for the kinds with a checkable answer.
pub fn general_example(kind: SyntheticKind, language: SyntheticLanguage, index: u64, seed: Seed) -> Result<(Problem, String), TaskError> {
    let id = format!("example/{kind}/{}/{index}", language.as_str());
    let rng = &mut seed.with(&id).rng();
    if !kind.is_general() {
        return Err(TaskError::NotGeneral { kind: kind.as_str() });
    }
    let content = Content::sample(kind, 1, Split::Train, rng);
    let Content::General(request) = &content else { unreachable!("a general kind has general contents") };
    let response = request.ideal(language, rng).text();
    Ok((content.problem(ProblemId(id), 1, language), response))
}

/// A training problem with a long right response in R1's form, which reflects at least once and keeps to one language: what a person
/// would write as an example for a prompt.
///
/// # Errors
/// [`TaskError::Difficulty`] if the kind has no such difficulty, [`TaskError::NotReasoning`] for general kinds.
pub fn long_example(
    kind: SyntheticKind,
    difficulty: u32,
    language: SyntheticLanguage,
    index: u64,
    seed: Seed,
) -> Result<(Problem, String), TaskError> {
    if kind.is_general() {
        return Err(TaskError::NotReasoning { kind: kind.as_str() });
    }
    generate(kind, difficulty, language, Split::Train, index, seed)?;
    let seed = seed.with("example").with(kind.as_str()).with(language.as_str()).with_index(index);
    let mut tries = (0..MAX_TRIES).map(|number| corpus::checked_response(kind, difficulty, language, seed.with_index(number)));
    let found = tries.find(|(problem, response)| {
        grade_accuracy(problem, response).outcome == Outcome::Right && reflection_words(response) > 0 && response.contains('\n')
    });
    Ok(found.unwrap_or_else(|| unreachable!("about half of the checked responses reflect and are right")))
}
