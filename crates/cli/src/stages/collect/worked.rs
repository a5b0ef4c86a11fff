//! Worked examples for few-shot prompting: questions with long responses in the wanted style.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ruminate_core::{Example, Language, Problem, Role, Seed};
use ruminate_tasks::synthetic::{SyntheticKind, SyntheticLanguage, long_example};

use super::dataset::read_examples;
use crate::recipe::PromptSource;

/// Where worked examples come from.
#[derive(Clone, Debug)]
pub(super) enum Worked {
    /// The built-in world.
    Tiny(Seed),
    /// A file.
    File(Vec<Example>),
}

/// Checks that there is a worked example for every problem that may be asked about.
///
/// # Errors
/// A file that cannot be read, or problems of no built-in kind.
pub(super) fn check(examples: Option<&Path>, prompts: &[PromptSource]) -> Result<()> {
    if let Some(path) = examples {
        return read_examples(path, None).map(drop);
    }
    for prompts in prompts {
        match prompts {
            PromptSource::File { data, .. } => {
                bail!("examples: expected a file of worked examples for the problems of {}, found none", data.display())
            }
            PromptSource::Synthetic { source, .. } if source.is_general() => {
                bail!("examples: expected a file of worked examples for problems of kind '{source}', found none")
            }
            PromptSource::Synthetic { .. } => {}
        }
    }
    Ok(())
}

impl Worked {
    /// Reads the file, or takes the built-in ones.
    pub(super) fn open(examples: Option<&Path>, seed: Seed) -> Result<Self> {
        match examples {
            Some(path) => Ok(Self::File(read_examples(path, None)?)),
            None => Ok(Self::Tiny(seed)),
        }
    }

    /// Question and response of an example that suits a problem and is not about it: of its kind and language if there is one, else of
    /// its language, else any.
    pub(super) fn example(&self, problem: &Problem) -> Result<(String, String)> {
        match self {
            Self::Tiny(seed) => tiny(problem, *seed),
            Self::File(examples) => {
                let suits = |example: &&Example| example.problem.question != problem.question;
                let closeness = |example: &&Example| {
                    let (is_kind, is_language) = (example.problem.kind == problem.kind, example.problem.language == problem.language);
                    2 * u8::from(is_language) + u8::from(is_kind)
                };
                // The first of the closest.
                let example = examples.iter().rev().filter(suits).max_by_key(closeness);
                let example =
                    example.with_context(|| format!("examples: expected one that is not problem {} itself, found none", problem.id))?;
                let asked = example.messages.iter().rev().find(|message| message.role == Role::User);
                Ok((asked.map_or_else(String::new, |message| message.content.clone()), example.response().to_owned()))
            }
        }
    }
}

/// A training problem of the kind, language and difficulty, solved step by step with checks, in R1's form.
fn tiny(problem: &Problem, seed: Seed) -> Result<(String, String)> {
    let kind = SyntheticKind::REASONING.into_iter().find(|kind| kind.as_str() == problem.kind);
    let kind =
        kind.with_context(|| format!("examples: expected a file of worked examples for problems of kind '{}', found none", problem.kind))?;
    let language = if problem.language == Language::Zh { SyntheticLanguage::Zh } else { SyntheticLanguage::En };
    let difficulty = problem.difficulty.unwrap_or(1).min(kind.max_difficulty());
    let seed = seed.with(&problem.id.0);
    let mut index = 0;
    loop {
        let (worked, response) = long_example(kind, difficulty, language, index, seed)?;
        if worked.question != problem.question {
            return Ok((worked.question, response));
        }
        index += 1;
    }
}
