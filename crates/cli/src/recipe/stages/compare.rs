//! `kind = "compare"`: policies of earlier stages, held against each other on the same problems.

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::recipe::error::{Problem, RecipeError};
use crate::recipe::source::{Part, Source};

/// A comparison of stages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CompareConfig {
    /// Ids of the stages; every pair of them is compared.
    pub(crate) stages: Vec<String>,
}

/// `kind = "compare"`.
#[derive(Debug, Deserialize)]
struct CompareFile {
    /// Ids of at least two stages.
    stages: Vec<String>,
}

/// Reads the stage's table.
pub(in crate::recipe) fn resolve(source: &Source, body: &Table, part: &Part) -> Result<CompareConfig, RecipeError> {
    let CompareFile { stages } = source.read_table(body, part)?;
    let mut seen = std::collections::BTreeSet::new();
    if stages.len() < 2 || !stages.iter().all(|id| seen.insert(id)) {
        let message = format!("expected at least two different stages, found [{}]", stages.join(", "));
        return Err(source.error(part, Some("stages"), Problem::value("stages", message)));
    }
    Ok(CompareConfig { stages })
}
