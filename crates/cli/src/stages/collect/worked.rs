//! Worked examples for few-shot prompting: questions with long responses in the wanted style.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ruminate_core::{Example, Outcome, Problem, Role, Seed};
use ruminate_rewards::{grade_accuracy, reflection_words};
use ruminate_tasks::curate::think_summary;
use ruminate_tasks::synthetic::SyntheticKind;
use ruminate_tasks::synthetic::corpus::{CorpusMix, document};

use super::dataset::read_examples;
use crate::recipe::PromptSource;

/// Documents of the built-in corpus that are looked at for one worked example.
const N_DOCUMENTS: u64 = 400;

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
    match prompts.iter().find(|prompts| matches!(prompts, PromptSource::File { .. })) {
        Some(PromptSource::File { data, .. }) => {
            bail!("examples: expected a file of worked examples for the problems of {}, found none", data.display())
        }
        _ => Ok(()),
    }
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

/// A training problem of the kind and language, solved step by step with checks and at least one correction, in R1's form.
fn tiny(problem: &Problem, seed: Seed) -> Result<(String, String)> {
    let kind_idx = SyntheticKind::ALL.iter().position(|kind| kind.as_str() == problem.kind);
    let kind_idx = kind_idx
        .with_context(|| format!("examples: expected a file of worked examples for problems of kind '{}', found none", problem.kind))?;
    let mut kinds = [0.0; 3];
    kinds[kind_idx] = 1.0;
    let mix = CorpusMix {
        kinds,
        max_difficulty: [2, 2, 2],
        styles: [0.0, 0.0, 1.0],
        chinese: f64::from(u8::from(problem.language == ruminate_core::Language::Zh)),
        mixed: 0.0,
        well_formed: 1.0,
        checked_errors: 1.0,
        ..CorpusMix::default()
    };
    let seed = seed.with(&problem.id.0);
    let is_good = |document: &ruminate_tasks::synthetic::corpus::Document| {
        document.problem.question != problem.question
            && reflection_words(&document.response) > 1
            && grade_accuracy(&document.problem, &document.response).outcome == Outcome::Right
    };
    let found = (0..N_DOCUMENTS).map(|index| document(seed, index, &mix)).find(is_good);
    let document = found.with_context(|| format!("no document of the built-in corpus is a worked example for problem {}", problem.id))?;
    let response = think_summary(&document.problem, &document.response, false, false);
    let response = response.ok().with_context(|| format!("the worked example for problem {} has no readable form", problem.id))?;
    Ok((document.problem.question, response))
}
