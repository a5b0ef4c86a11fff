//! Recipes: one TOML file says what a run does.
//!
//! [`source`] reads the text, `--set` and `$inputs`; [`mod@file`] is what may be written; [`config`] is what it means, with every value
//! filled in; [`stages`] has both for each kind of stage. The resolved form is saved with the run, and its hash tells recipes apart.

mod checks;
mod config;
mod error;
mod fields;
mod file;
mod optimizer;
mod prompts;
mod resolve;
mod rewards;
mod source;
mod stages;
#[cfg(test)]
mod tests;

use std::path::Path;

pub(crate) use config::{DataSplit, EvaluationConfig, PromptSource, RunConfig, StageConfig, StageEvaluation, Template};
pub(crate) use error::RecipeError;
pub(crate) use stages::{
    Ask, BUILTIN_GENERAL, BestBy, CollectConfig, CollectSource, CompareConfig, Control, ExampleSource, GrpoConfig, JudgeKind, LoadConfig,
    MadeSource, Method, PretrainConfig, RewardLoss, RewardModelConfig, RewardSource, Rewriter, SftConfig, SftVariant, StageKind,
    StopOnHacking, TeacherConfig, TooLong, Who,
};

/// What the command line adds to a recipe.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// `--seed`.
    pub(crate) seed: Option<u64>,
    /// Each `--set key=value`.
    pub(crate) sets: Vec<String>,
}

/// Reads, overrides, checks and resolves a recipe file.
///
/// # Errors
/// The first thing that is wrong, with file, line and key.
pub(crate) fn load(path: &Path, overrides: &Overrides) -> Result<RunConfig, RecipeError> {
    let text = std::fs::read_to_string(path).map_err(|source| RecipeError::Read { path: path.to_owned(), source })?;
    parse(&path.display().to_string(), &text, overrides)
}

fn parse(name: &str, text: &str, overrides: &Overrides) -> Result<RunConfig, RecipeError> {
    let source = source::Source::read(name, text, overrides)?;
    resolve::resolve(&source)
}
