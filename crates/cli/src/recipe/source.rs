//! The text of a recipe as a tree, with the line of every key, `--set` applied and `$inputs` replaced.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::Overrides;
use super::error::{Place, Problem, RecipeError};
use super::fields::field_names;
use super::file::{InputFile, RecipeFile};

/// A recipe as a tree.
#[derive(Debug)]
pub(super) struct Source {
    file: String,
    /// Line of each key by its path, such as `stage.1.steps`.
    lines: BTreeMap<String, usize>,
    /// The whole recipe.
    pub(super) root: Table,
    /// Values of the inputs.
    pub(super) inputs: BTreeMap<String, String>,
}

/// A part of the recipe: its path in the tree, and its name for people.
#[derive(Clone, Debug)]
pub(super) struct Part {
    path: String,
    name: String,
}

impl Part {
    /// The whole recipe.
    pub(super) fn root() -> Self {
        Self { path: String::new(), name: String::new() }
    }

    /// The part below this one; `name` is for people and replaces this part's.
    pub(super) fn below(&self, key: &str, name: impl Into<String>) -> Self {
        Self { path: join(&self.path, key), name: name.into() }
    }

    /// The same part under another name.
    pub(super) fn named(&self, name: impl Into<String>) -> Self {
        Self { path: self.path.clone(), name: name.into() }
    }

    /// The name for people.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The part below this one, named by its path from the last named part.
    pub(super) fn key(&self, key: &str) -> Self {
        let name = if self.name.is_empty() { format!("'{key}'") } else { format!("{}, '{key}'", self.name) };
        self.below(key, name)
    }
}

impl Source {
    /// Parses, applies `--seed` and each `--set` in order, and puts the inputs in.
    pub(super) fn read(file: &str, text: &str, overrides: &Overrides) -> Result<Self, RecipeError> {
        let line_of = |offset: usize| 1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|&&b| b == b'\n').count();
        let syntax = |error: &toml::de::Error| {
            let place = Place { file: file.to_owned(), line: error.span().map(|span| line_of(span.start)), part: String::new() };
            RecipeError::At { place, problem: Box::new(Problem::Syntax(error.message().to_owned())) }
        };
        let spanned = DeTable::parse(text).map_err(|error| syntax(&error))?;
        let mut lines = BTreeMap::new();
        record_lines(spanned.get_ref(), "", &line_of, &mut lines);
        let root: Table = toml::from_str(text).map_err(|error| syntax(&error))?;
        let mut source = Self { file: file.to_owned(), lines, root, inputs: BTreeMap::new() };
        source.apply(overrides)?;
        Ok(source)
    }

    /// Reads a table as a struct. Unknown keys are found here, with the nearest known one; the type of each value by serde.
    pub(super) fn read_table<T: DeserializeOwned>(&self, table: &Table, part: &Part) -> Result<T, RecipeError> {
        let known = field_names::<T>();
        self.check_keys(table, part, &known)?;
        self.read_known(table, part)
    }

    /// Refuses keys that are not in `known`.
    pub(super) fn check_keys(&self, table: &Table, part: &Part, known: &[String]) -> Result<(), RecipeError> {
        match table.keys().find(|key| !known.contains(key)) {
            Some(key) => Err(self.error(part, Some(key), Problem::unknown_key(key, known.to_vec()))),
            None => Ok(()),
        }
    }

    /// Reads a table whose keys are known to be right.
    pub(super) fn read_known<T: DeserializeOwned>(&self, table: &Table, part: &Part) -> Result<T, RecipeError> {
        serde_path_to_error::deserialize(table.clone()).map_err(|error| {
            let path = error.path().to_string();
            let message = error.inner().message().to_owned();
            if let Some(key) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
                return self.error(part, None, Problem::MissingKey { key: key.to_owned() });
            }
            let key = path.split(['.', '[']).next().filter(|key| !key.is_empty() && *key != "?");
            self.error(part, key, Problem::value(&path, message))
        })
    }

    /// An error about a key of a part, or about the part itself.
    pub(super) fn error(&self, part: &Part, key: Option<&str>, problem: Problem) -> RecipeError {
        let path = key.map_or_else(|| part.path.clone(), |key| join(&part.path, key));
        let line = self.lines.get(&path).copied();
        let mut name = part.name.clone();
        if line.is_none() && key.is_some() {
            // Not in the file, so it came from the command line.
            name = if name.is_empty() { "from --set".to_owned() } else { format!("{name}, from --set") };
        }
        RecipeError::At { place: Place { file: self.file.clone(), line, part: name }, problem: Box::new(problem) }
    }

    fn apply(&mut self, overrides: &Overrides) -> Result<(), RecipeError> {
        let inputs = self.read_inputs()?;
        for set in &overrides.sets {
            let failed = |problem: Problem| RecipeError::Set { set: set.clone(), problem: Box::new(problem) };
            let Some((key, value)) = set.split_once('=') else {
                return Err(failed(Problem::Syntax("expected key=value".into())));
            };
            let (key, value) = (key.trim(), value.trim());
            if inputs.contains_key(key) {
                self.inputs.insert(key.to_owned(), value.to_owned());
            } else {
                self.set_path(key, parse_value(value), inputs.keys()).map_err(failed)?;
            }
        }
        if let Some(seed) = overrides.seed {
            let seed = i64::try_from(seed).map_err(|_| RecipeError::Set {
                set: format!("seed={seed}"),
                problem: Box::new(Problem::value("seed", format!("expected at most {}", i64::MAX))),
            })?;
            self.root.insert("seed".into(), Value::Integer(seed));
        }
        for (name, input) in inputs {
            if self.inputs.contains_key(&name) {
                continue;
            }
            let Some(default) = input.default else {
                let part = Part::root().below("inputs", "inputs");
                return Err(self.error(&part, Some(&name), Problem::NoInput { name: name.clone(), help: input.help }));
            };
            self.inputs.insert(name, default);
        }
        self.replace_inputs()
    }

    fn read_inputs(&self) -> Result<BTreeMap<String, InputFile>, RecipeError> {
        let root = Part::root();
        self.check_keys(&self.root, &root, &field_names::<RecipeFile>())?;
        let Some(inputs) = self.root.get("inputs") else { return Ok(BTreeMap::new()) };
        let wrong = |key: &str, found: &Value| Problem::value(key, format!("expected a table, found {}", found.type_str()));
        let Value::Table(inputs) = inputs else { return Err(self.error(&root, Some("inputs"), wrong("inputs", inputs))) };
        let part = root.below("inputs", "inputs");
        let mut read = BTreeMap::new();
        for (name, input) in inputs {
            let Value::Table(table) = input else { return Err(self.error(&part, Some(name), wrong(name, input))) };
            read.insert(name.clone(), self.read_table(table, &part.below(name, format!("input '{name}'")))?);
        }
        Ok(read)
    }

    /// Puts a value at `seed`, `deterministic`, `evaluation.samples`, `zero.steps` (stages by their id), `zero.rewards.format`.
    fn set_path<'a>(&mut self, path: &str, value: Value, inputs: impl Iterator<Item = &'a String>) -> Result<(), Problem> {
        let mut keys = path.split('.');
        let first = keys.next().unwrap_or_default();
        let keys: Vec<&str> = keys.collect();
        let ids: Vec<String> = self.stages().filter_map(|stage| Some(stage.get("id")?.as_str()?.to_owned())).collect();
        let Some((last, middle)) = keys.split_last() else {
            if matches!(first, "seed" | "name" | "deterministic") {
                self.root.insert(first.into(), value);
                return Ok(());
            }
            let known: Vec<String> = inputs.cloned().chain(["seed", "name", "deterministic"].map(Into::into)).collect();
            if first == "evaluation" || ids.iter().any(|id| id == first) {
                return Err(Problem::value(first, format!("expected a key of it, as in {first}.key=value")));
            }
            return Err(Problem::unknown_name("input", first, known));
        };
        let table = if first == "evaluation" {
            let table = self.root.get_mut("evaluation").and_then(Value::as_table_mut);
            table.ok_or_else(|| Problem::value("evaluation", "the recipe has no such table"))?
        } else if let Some(stage_idx) = ids.iter().position(|id| id == first) {
            let stage = self.root.get_mut("stage").and_then(Value::as_array_mut).and_then(|stages| stages.get_mut(stage_idx));
            stage.and_then(Value::as_table_mut).ok_or_else(|| Problem::value(first, "expected a table"))?
        } else {
            let known = ids.into_iter().chain(["evaluation".into()]).collect();
            return Err(Problem::unknown_name("stage", first, known));
        };
        let mut table = table;
        for key in middle {
            let below = table.entry(*key).or_insert_with(|| Value::Table(Table::new()));
            let found = below.type_str();
            table = below.as_table_mut().ok_or_else(|| Problem::value(key, format!("expected a table, found {found}")))?;
        }
        table.insert((*last).to_owned(), value);
        Ok(())
    }

    /// The place of a stage in the file, from 0, as paths write it.
    pub(super) fn stage_position(&self, id: &str) -> String {
        let is_it = |stage: &Table| stage.get("id").and_then(Value::as_str) == Some(id);
        self.stages().position(is_it).map_or_else(String::new, |idx| idx.to_string())
    }

    fn stages(&self) -> impl Iterator<Item = &Table> {
        self.root.get("stage").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
    }

    fn replace_inputs(&mut self) -> Result<(), RecipeError> {
        let mut root = std::mem::take(&mut self.root);
        let mut result = Ok(());
        for (key, value) in &mut root {
            if key != "inputs" && result.is_ok() {
                result = replace(value, &self.inputs).map_err(|problem| self.error(&Part::root(), Some(key), problem));
            }
        }
        self.root = root;
        result
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A value as TOML writes it, or else a bare word as a string.
fn parse_value(text: &str) -> Value {
    toml::from_str::<Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn record_lines(table: &DeTable<'_>, path: &str, line_of: &dyn Fn(usize) -> usize, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = join(path, key.get_ref());
        lines.insert(path.clone(), line_of(key.span().start));
        record_value(value.get_ref(), &path, line_of, lines);
    }
}

fn record_value(value: &DeValue<'_>, path: &str, line_of: &dyn Fn(usize) -> usize, lines: &mut BTreeMap<String, usize>) {
    match value {
        DeValue::Table(table) => record_lines(table, path, line_of, lines),
        DeValue::Array(array) => {
            for (idx, value) in array.iter().enumerate() {
                let path = join(path, &idx.to_string());
                lines.insert(path.clone(), line_of(value.span().start));
                record_value(value.get_ref(), &path, line_of, lines);
            }
        }
        _ => {}
    }
}

/// Replaces each `$name` in the strings of a value.
fn replace(value: &mut Value, inputs: &BTreeMap<String, String>) -> Result<(), Problem> {
    match value {
        Value::String(text) if text.contains('$') => {
            *text = replace_text(text, inputs)?;
            Ok(())
        }
        Value::Array(values) => values.iter_mut().try_for_each(|value| replace(value, inputs)),
        Value::Table(table) => table.iter_mut().try_for_each(|(_, value)| replace(value, inputs)),
        _ => Ok(()),
    }
}

fn replace_text(text: &str, inputs: &BTreeMap<String, String>) -> Result<String, Problem> {
    let mut parts = text.split('$');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        let value = inputs.get(name).ok_or_else(|| Problem::unknown_name("input", name, inputs.keys().cloned().collect()))?;
        out.push_str(value);
        out.push_str(rest);
    }
    Ok(out)
}
