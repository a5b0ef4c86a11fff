//! `kind = "load"`: a policy from a file.

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::models;
use crate::recipe::error::{Problem, RecipeError};
use crate::recipe::source::{Part, Source};

/// A policy from a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LoadConfig {
    /// Hugging Face folder, GGUF file, model of the hub as `hf:ORG/NAME` or `ORG/NAME@REVISION`, or a built-in model such as `builtin:tiny`.
    pub(crate) path: String,
}

/// `kind = "load"`.
#[derive(Debug, Deserialize)]
struct LoadFile {
    /// Hugging Face folder, GGUF file, model of the hub as `hf:ORG/NAME` or `ORG/NAME@REVISION`, or a built-in model such as `builtin:tiny`.
    path: String,
}

/// Reads the stage's table.
pub(in crate::recipe) fn resolve(source: &Source, body: &Table, part: &Part) -> Result<LoadConfig, RecipeError> {
    let LoadFile { path } = source.read_table(body, part)?;
    if models::builtin(&path).is_err() {
        return Err(source.error(part, Some("path"), Problem::unknown_name("built-in model", &path, models::builtin_names())));
    }
    Ok(LoadConfig { path })
}
