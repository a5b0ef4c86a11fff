//! `kind = "collect"`: conversations to learn from.

mod sources;

use std::path::{Path, PathBuf};

use ruminate_rewards::FormatForm;
use ruminate_tasks::curate::{Curation, Filters};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::recipe::checks::Checks;
use crate::recipe::config::{DataSplit, PromptSource, Template};
use crate::recipe::error::{Problem, RecipeError};
use crate::recipe::prompts::{resolve_prompts, resolve_system};
use crate::recipe::source::{Part, Source};

use sources::BUILTIN_GENERAL;
pub(crate) use sources::{Ask, CollectSource, Method, Rewriter, TeacherConfig, Who};

/// Collection of conversations to learn from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CollectConfig {
    /// How a question becomes a prompt.
    pub(crate) template: Template,
    /// System message of the template `chat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system: Option<String>,
    /// Problems that are asked about; `None`: every one of the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n_prompts: Option<usize>,
    /// Generation budget.
    pub(crate) max_new_tokens: usize,
    /// Sequences decoded at once.
    pub(crate) max_batch: usize,
    /// Words of the sequences that must not be shared with an evaluation problem; `None` allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decontaminate: Option<usize>,
    /// Whether the decisions of reviewers are waited for by nobody, but used if they are there.
    pub(crate) review: bool,
    /// What is kept.
    #[serde(flatten)]
    pub(crate) curation: Curation,
    /// Where problems come from.
    pub(crate) prompts: Vec<PromptSource>,
    /// How responses are made.
    #[serde(rename = "source")]
    pub(crate) sources: Vec<CollectSource>,
}

impl CollectConfig {
    /// Ids of the stages whose policies are asked.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter_map(|source| source.method.ask()).filter_map(|ask| match &ask.who {
            Who::Policy(id) => Some(id.as_str()),
            Who::Teacher(_) => None,
        })
    }

    /// Files that are read besides those of the prompts.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.sources.iter().filter_map(|source| match &source.method {
            Method::FewShot { examples, .. } => examples.as_deref(),
            Method::Dataset { data, .. } => data.to_str().is_none_or(|data| data != BUILTIN_GENERAL).then_some(data.as_path()),
            _ => None,
        })
    }
}

/// `kind = "collect"`.
#[derive(Debug, Deserialize)]
struct CollectFile {
    /// Where problems come from; may be left out where all sources are data sets.
    #[serde(default)]
    prompts: Vec<Value>,
    /// Problems that are asked about; default: every one of the files.
    n_prompts: Option<usize>,
    /// How a question becomes a prompt; needed where a policy is asked.
    template: Option<Template>,
    /// System message of the template `chat`.
    system: Option<String>,
    /// Most examples of one problem; default 1.
    per_prompt: Option<usize>,
    /// Most examples in all; default: all.
    max_examples: Option<usize>,
    /// Generation budget; needed where a policy is asked.
    max_new_tokens: Option<usize>,
    /// Sequences decoded at once; default 64.
    max_batch: Option<usize>,
    /// What readable means; `false` switches a filter off.
    filters: Option<Table>,
    /// Words of the sequences that must not be shared with an evaluation problem: `true` (10), a number, or `false`.
    decontaminate: Option<Switch<usize>>,
    /// Similarity of near duplicates: a number (0.8), or `false`.
    near_duplicate: Option<Switch<f32>>,
    /// Whether `review.json` is used, if it is there; default false.
    review: Option<bool>,
    /// How responses are made.
    #[serde(default)]
    source: Vec<Table>,
}

/// `filters = { … }`.
#[derive(Debug, Deserialize)]
struct FiltersFile {
    /// Least share of words in the language of the question; default 0.95.
    language: Option<Switch<f32>>,
    /// Largest share of repeated sequences of four words; default 0.5.
    repetition: Option<Switch<f32>>,
    /// Most characters of a paragraph of the chain of thought; default 2000.
    paragraph_chars: Option<Switch<usize>>,
    /// Whether blocks of code in the chain of thought are refused; default true.
    code_blocks: Option<bool>,
    /// Form of responses to problems with a right answer; default `think_summary`.
    form: Option<Switch<FormatForm>>,
}

/// A value, `true` for its default or `false` for none.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a value in its range, true or false")]
enum Switch<T> {
    On(bool),
    Value(T),
}

impl<T: Copy> Switch<T> {
    fn or(switch: Option<Self>, default: Option<T>) -> Option<T> {
        match switch {
            None | Some(Self::On(true)) => default,
            Some(Self::On(false)) => None,
            Some(Self::Value(value)) => Some(value),
        }
    }
}

/// Reads the stage's table.
pub(in crate::recipe) fn resolve(source: &Source, body: &Table, part: &Part) -> Result<CollectConfig, RecipeError> {
    let file: CollectFile = source.read_table(body, part)?;
    let missing = |key: &str| source.error(part, None, Problem::MissingKey { key: key.to_owned() });
    if file.source.is_empty() {
        return Err(missing("[[stage.source]]"));
    }
    let sources = sources::resolve(source, &file.source, part, file.template)?;
    let asks = sources.iter().any(|source| source.method.ask().is_some());
    let asks_policy = sources.iter().any(|source| matches!(source.method.ask(), Some(Ask { who: Who::Policy(_), .. })));
    let prompts = match (asks, file.prompts.is_empty()) {
        (true, true) => return Err(missing("prompts")),
        (false, false) => {
            let message = "expected none, found some: no source asks anybody, data sets have problems of their own";
            return Err(source.error(part, Some("prompts"), Problem::value("prompts", message)));
        }
        (true, false) => resolve_prompts(source, &file.prompts, part, DataSplit::Train)?,
        (false, true) => Vec::new(),
    };
    if file.n_prompts.is_none() && prompts.iter().any(|prompts| matches!(prompts, PromptSource::Synthetic { .. })) {
        return Err(missing("n_prompts"));
    }
    // Nobody reads them where no policy is asked.
    let (template, max_new_tokens) = match (file.template, file.max_new_tokens) {
        (None, _) if asks_policy => return Err(missing("template")),
        (_, None) if asks_policy => return Err(missing("max_new_tokens")),
        (template, budget) => (template.unwrap_or(Template::Chat), budget.unwrap_or(1)),
    };
    let system = if asks_policy { resolve_system(source, part, template, file.system)? } else { None };
    let config = CollectConfig {
        template,
        system,
        n_prompts: file.n_prompts,
        max_new_tokens,
        max_batch: file.max_batch.unwrap_or(64),
        decontaminate: Switch::or(file.decontaminate, Some(10)),
        review: file.review.unwrap_or(false),
        curation: Curation {
            filters: resolve_filters(source, file.filters.unwrap_or_default(), part)?,
            near_duplicate: Switch::or(file.near_duplicate, Some(0.8)),
            per_prompt: file.per_prompt.unwrap_or(1),
            max_examples: file.max_examples,
        },
        prompts,
        sources,
    };
    check(source, part, &config)?;
    Ok(config)
}

fn check(source: &Source, part: &Part, config: &CollectConfig) -> Result<(), RecipeError> {
    let check = Checks { source, part };
    check.at_least_one("n_prompts", config.n_prompts.unwrap_or(1) as u64)?;
    check.at_least_one("per_prompt", config.curation.per_prompt as u64)?;
    check.at_least_one("max_examples", config.curation.max_examples.unwrap_or(1) as u64)?;
    check.at_least_one("max_new_tokens", config.max_new_tokens as u64)?;
    check.at_least_one("max_batch", config.max_batch as u64)?;
    check.share("near_duplicate", config.curation.near_duplicate.unwrap_or(1.0))?;
    let n = config.decontaminate.unwrap_or(10);
    check.hold((2..=1000).contains(&n), "decontaminate", "a number of words from 2 to 1000, true or false", &n)
}

fn resolve_filters(source: &Source, table: Table, part: &Part) -> Result<Filters, RecipeError> {
    let at = part.key("filters");
    let file: FiltersFile = source.read_table(&table, &at)?;
    let default = Filters::default();
    let filters = Filters {
        language: Switch::or(file.language, default.language),
        repetition: Switch::or(file.repetition, default.repetition),
        paragraph_chars: Switch::or(file.paragraph_chars, default.paragraph_chars),
        code_blocks: file.code_blocks.unwrap_or(default.code_blocks),
        form: Switch::or(file.form, default.form),
    };
    let check = Checks { source, part: &at };
    check.range("language", filters.language.unwrap_or(1.0), 0.0, 1.0)?;
    check.range("repetition", filters.repetition.unwrap_or(1.0), 0.0, 1.0)?;
    check.at_least_one("paragraph_chars", filters.paragraph_chars.unwrap_or(1) as u64)?;
    Ok(filters)
}

/// The path that a recipe names.
fn path(text: &str) -> PathBuf {
    PathBuf::from(text)
}
