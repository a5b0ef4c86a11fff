//! `prompts = [ … ]`: where problems come from, and how they become prompts.

use std::path::PathBuf;

use ruminate_tasks::synthetic::{SyntheticKind, SyntheticLanguage};
use toml::{Table, Value};

use super::checks::Checks;
use super::config::{DataSplit, PromptSource, Template};
use super::error::{Problem, RecipeError};
use super::file::{DataFile, SyntheticFile};
use super::source::{Part, Source};
use crate::prompts::system_or_default;

/// Reads the sources of a stage, or of an evaluation; `split` is that of files without one of their own.
pub(super) fn resolve_prompts(source: &Source, entries: &[Value], part: &Part, split: DataSplit) -> Result<Vec<PromptSource>, RecipeError> {
    if entries.is_empty() {
        return Err(source.error(part, Some("prompts"), Problem::value("prompts", "expected at least one source, found none")));
    }
    let below = |idx: usize| part.key("prompts").below(&idx.to_string(), format!("{}, prompts entry {}", part.name(), idx + 1));
    entries.iter().enumerate().map(|(idx, entry)| resolve_source(source, entry, &below(idx), split)).collect()
}

fn resolve_source(source: &Source, entry: &Value, part: &Part, split: DataSplit) -> Result<PromptSource, RecipeError> {
    let named = |name: &Value| Table::from_iter([("source".to_owned(), name.clone())]);
    let table = match entry {
        Value::String(_) => named(entry),
        Value::Table(table) => table.clone(),
        other => {
            let message = format!("expected the name of a source or a table, found {}", other.type_str());
            return Err(source.error(part, None, Problem::value("prompts", message)));
        }
    };
    if table.contains_key("data") {
        return resolve_data(source, &table, part, split);
    }
    if let Some(name) = table.get("source").and_then(Value::as_str)
        && !SyntheticKind::ALL.iter().any(|kind| kind.as_str() == name)
    {
        let known = SyntheticKind::ALL.map(|kind| kind.as_str().to_owned()).to_vec();
        return Err(source.error(part, None, Problem::unknown_name("source", name, known)));
    }
    let file: SyntheticFile = source.read_table(&table, part)?;
    let difficulties = file.difficulties.unwrap_or_else(|| (1..=file.source.max_difficulty()).collect());
    let languages = file.languages.unwrap_or_else(|| SyntheticLanguage::ALL.to_vec());
    let check = Checks { source, part };
    check.positive("weight", file.weight.unwrap_or(1.0))?;
    let max = file.source.max_difficulty();
    if difficulties.is_empty() || difficulties.iter().any(|d| !(1..=max).contains(d)) {
        let message = format!("expected difficulties 1 to {max} of {}, found {difficulties:?}", file.source);
        return Err(source.error(part, Some("difficulties"), Problem::value("difficulties", message)));
    }
    if languages.is_empty() {
        return Err(source.error(part, Some("languages"), Problem::value("languages", "expected at least one, found none")));
    }
    Ok(PromptSource::Synthetic { source: file.source, difficulties, languages, weight: file.weight.unwrap_or(1.0) })
}

fn resolve_data(source: &Source, table: &Table, part: &Part, split: DataSplit) -> Result<PromptSource, RecipeError> {
    let file: DataFile = source.read_table(table, part)?;
    let check = Checks { source, part };
    check.positive("weight", file.weight.unwrap_or(1.0))?;
    check.at_least_one("limit", file.limit.unwrap_or(1) as u64)?;
    if let Some(form) = &file.form
        && crate::problems::problem_form(form).is_none()
    {
        let known = crate::problems::FORMS.map(str::to_owned).to_vec();
        return Err(source.error(part, Some("form"), Problem::unknown_name("form", form, known)));
    }
    Ok(PromptSource::File {
        data: PathBuf::from(file.data),
        form: file.form,
        language: file.language,
        split: file.split.unwrap_or(split),
        weight: file.weight.unwrap_or(1.0),
        limit: file.limit,
    })
}

/// The system message of the template `chat`.
pub(super) fn resolve_system(
    source: &Source,
    part: &Part,
    template: Template,
    system: Option<String>,
) -> Result<Option<String>, RecipeError> {
    check_system(source, part, template, system.as_deref())?;
    Ok(system_or_default(system, template))
}

/// Refuses a system message that the template has no place for.
pub(super) fn check_system(source: &Source, part: &Part, template: Template, system: Option<&str>) -> Result<(), RecipeError> {
    if system.is_some() && template != Template::Chat {
        return Err(source.error(part, Some("system"), Problem::value("system", "only the template 'chat' has a system message")));
    }
    Ok(())
}
