//! What can be wrong with a recipe.

use std::fmt;
use std::path::PathBuf;

use ruminate_train::presets::PresetError;

/// Why a recipe cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecipeError {
    /// The file cannot be read.
    #[error("cannot read recipe {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{place}: {problem}")]
    At {
        /// Where.
        place: Place,
        /// What.
        problem: Box<Problem>,
    },
    /// A `--set` that names nothing.
    #[error("--set {set}: {problem}")]
    Set {
        /// The argument.
        set: String,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
}

/// Where something stands: `recipes/tiny.toml:12: stage 'zero'`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The recipe file.
    pub(crate) file: String,
    /// Line, from 1; none for what `--set` added.
    pub(crate) line: Option<usize>,
    /// The part of the recipe in words, such as `stage 'zero'`; empty for the top.
    pub(crate) part: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.part.is_empty() {
            write!(f, ": {}", self.part)?;
        }
        Ok(())
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// Not TOML.
    #[error("{0}")]
    Syntax(String),
    /// A key that nothing reads.
    #[error("unknown key '{key}'{}", hint(nearest.as_deref(), known))]
    UnknownKey {
        /// The key.
        key: String,
        /// A known key that looks like it.
        nearest: Option<String>,
        /// All known keys.
        known: Vec<String>,
    },
    /// A name that nothing has.
    #[error("unknown {what} '{name}'{}", hint(nearest.as_deref(), known))]
    UnknownName {
        /// What is named: a stage, an input, a preset.
        what: &'static str,
        /// The name.
        name: String,
        /// A known name that looks like it.
        nearest: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// A key that must be there.
    #[error("missing key '{key}'")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A value of another type or outside its range.
    #[error("'{key}': {message}")]
    Value {
        /// The key, with a path if it is nested.
        key: String,
        /// Expected and found.
        message: String,
    },
    /// An input without default that the user did not give.
    #[error("input '{name}' has no value ({help}); give it with --set {name}=...")]
    NoInput {
        /// The input.
        name: String,
        /// What it is.
        help: String,
    },
    /// Two things of one name.
    #[error("id '{id}' is used twice")]
    DuplicateId {
        /// The name.
        id: String,
    },
    /// A stage waits for itself.
    #[error("stages wait for each other in a circle: {}", ids.join(" -> "))]
    Cycle {
        /// The stages, in the order in which they wait.
        ids: Vec<String>,
    },
    /// A preset's value.
    #[error("{0}")]
    Preset(PresetError),
}

fn hint(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean '{nearest}'?"),
        None if known.is_empty() => String::new(),
        None => format!("; expected one of {}", known.join(", ")),
    }
}

/// The known name that looks most like `name`, if any is near.
pub(crate) fn nearest(name: &str, known: &[String]) -> Option<String> {
    let closeness = |candidate: &String| strsim::jaro_winkler(name, candidate).max(strsim::normalized_damerau_levenshtein(name, candidate));
    let best = known.iter().max_by(|a, b| closeness(a).total_cmp(&closeness(b)))?;
    (closeness(best) >= 0.75).then(|| best.clone())
}

impl Problem {
    /// An unknown key, with the nearest known one.
    pub(crate) fn unknown_key(key: &str, known: Vec<String>) -> Self {
        Self::UnknownKey { key: key.to_owned(), nearest: nearest(key, &known), known }
    }

    /// An unknown name, with the nearest known one.
    pub(crate) fn unknown_name(what: &'static str, name: &str, known: Vec<String>) -> Self {
        Self::UnknownName { what, name: name.to_owned(), nearest: nearest(name, &known), known }
    }

    /// A wrong value.
    pub(crate) fn value(key: &str, message: impl Into<String>) -> Self {
        Self::Value { key: key.to_owned(), message: message.into() }
    }
}
