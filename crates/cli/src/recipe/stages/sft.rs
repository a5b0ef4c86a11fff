//! `kind = "sft"`: supervised fine-tuning, and distillation, which is the same on data of a teacher.

use std::path::PathBuf;

use ruminate_train::schedule::{ScheduleConfig, ScheduleKind};
use ruminate_train::sft_presets::{self, SftPreset};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::recipe::checks::Checks;
use crate::recipe::config::Template;
use crate::recipe::error::{Problem, RecipeError};
use crate::recipe::optimizer::AdamW;
use crate::recipe::prompts::check_system;
use crate::recipe::source::{Part, Source};

/// Supervised fine-tuning.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SftConfig {
    /// Ids of the stages whose policies are trained, each on its own.
    pub(crate) policies: Vec<String>,
    /// Name of the preset that the settings started from.
    pub(crate) preset: String,
    /// How a conversation becomes tokens.
    pub(crate) template: Template,
    /// System message of conversations that have none, under the template `chat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system: Option<String>,
    /// Passes over the examples.
    pub(crate) epochs: u32,
    /// Conversations of an optimizer step; the last one of an epoch may have fewer.
    pub(crate) batch_examples: usize,
    /// Most tokens of a forward pass; a longer conversation has one of its own.
    pub(crate) microbatch_tokens: usize,
    /// Blocks whose activations are computed again in the backward instead of kept.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub(crate) recompute_layers: usize,
    /// Peak learning rates, each tried on its own.
    pub(crate) learning_rates: Vec<f32>,
    /// Learning rate by step.
    pub(crate) schedule: ScheduleKind,
    /// Steps of linear warm-up.
    pub(crate) warmup_steps: u64,
    /// Last learning rate as a share of the peak.
    pub(crate) floor_ratio: f32,
    /// How gradients become steps.
    #[serde(flatten)]
    pub(crate) optimizer: AdamW,
    /// Share of the problems whose examples are held out.
    pub(crate) held_out: f32,
    /// Steps between evaluations on the way; `None`: one after each epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evaluate_every: Option<u64>,
    /// Which of the policies on the way is kept.
    pub(crate) best_by: BestBy,
    /// Most tokens of an example; `None`: the context of the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_tokens: Option<usize>,
    /// What happens to examples that are longer.
    pub(crate) too_long: TooLong,
    /// Steps between saved states.
    pub(crate) save_every: u64,
    /// What is learned.
    pub(crate) examples: Vec<ExampleSource>,
}

/// Which of the policies on the way, and of several variants, is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BestBy {
    /// The least loss on held-out examples.
    #[serde(rename = "held_out_loss")]
    HeldOutLoss,
    /// The highest pass@1 on the problems of the evaluation.
    #[serde(rename = "pass@1")]
    PassAt1,
    /// The last one; among variants, the least training loss of the last step.
    #[serde(rename = "last")]
    Last,
}

/// What happens to examples that are too long. None is ever cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TooLong {
    /// The stage stops and names them.
    Error,
    /// They are left out, counted and named.
    Skip,
}

/// Where examples come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum ExampleSource {
    /// What a stage kept.
    Stage {
        /// Its id.
        from: String,
        /// Weight of the loss of its tokens.
        weight: f32,
    },
    /// A JSONL or Parquet file.
    File {
        /// The file.
        data: PathBuf,
        /// Weight of the loss of its tokens.
        weight: f32,
    },
}

impl ExampleSource {
    /// Its name in records: the stage's id or the file's path.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stage { from, .. } => from.clone(),
            Self::File { data, .. } => data.display().to_string(),
        }
    }

    /// Weight of the loss of its tokens.
    pub(crate) fn weight(&self) -> f32 {
        match self {
            Self::Stage { weight, .. } | Self::File { weight, .. } => *weight,
        }
    }
}

/// One of the combinations of policy and learning rate that a stage tries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SftVariant {
    /// Its name and that of its directory.
    pub(crate) name: String,
    /// Id of the stage whose policy is trained.
    pub(crate) policy: String,
    /// Learning rate by step.
    pub(crate) schedule: ScheduleConfig,
}

impl SftConfig {
    /// All combinations, those of the first policy first.
    pub(crate) fn variants(&self) -> Vec<SftVariant> {
        let of_policy = |policy: &String| {
            let variant = |&learning_rate: &f32| SftVariant {
                name: format!("{policy}-lr{learning_rate:e}"),
                policy: policy.clone(),
                schedule: ScheduleConfig {
                    kind: self.schedule,
                    learning_rate,
                    warmup_steps: self.warmup_steps,
                    floor_ratio: self.floor_ratio,
                },
            };
            self.learning_rates.iter().map(variant).collect::<Vec<_>>()
        };
        self.policies.iter().flat_map(of_policy).collect()
    }

    /// Ids of the stages whose examples are read.
    pub(crate) fn example_stages(&self) -> impl Iterator<Item = &str> {
        self.examples.iter().filter_map(|source| match source {
            ExampleSource::Stage { from, .. } => Some(from.as_str()),
            ExampleSource::File { .. } => None,
        })
    }

    /// Files of examples.
    pub(crate) fn example_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.examples.iter().filter_map(|source| match source {
            ExampleSource::File { data, .. } => Some(data),
            ExampleSource::Stage { .. } => None,
        })
    }
}

/// `kind = "sft"`.
#[derive(Debug, Deserialize)]
struct SftFile {
    /// Id of the stage whose policy is trained.
    policy: Option<String>,
    /// Or of several stages: each policy is trained on its own.
    policies: Option<Vec<String>>,
    /// Name of a preset; default `r1`.
    preset: Option<String>,
    /// Ids of stages that collected examples, or tables.
    examples: Vec<Value>,
    /// How a conversation becomes tokens.
    template: Template,
    /// System message of conversations that have none; default: none.
    system: Option<String>,
    /// Default: the preset's.
    epochs: Option<u32>,
    /// Conversations of an optimizer step; default: the preset's.
    batch_examples: Option<usize>,
    /// Tokens of a forward pass; default 4096.
    microbatch_tokens: Option<usize>,
    /// Blocks whose activations are computed again in the backward instead of kept; default 0.
    recompute_layers: Option<usize>,
    /// Peak learning rate; default: the preset's.
    learning_rate: Option<f32>,
    /// Or several: each is tried on its own.
    learning_rates: Option<Vec<f32>>,
    /// Default `cosine`.
    schedule: Option<ScheduleKind>,
    /// Default 0.
    warmup_steps: Option<u64>,
    /// Last learning rate as a share of the peak; default: the preset's.
    floor_ratio: Option<f32>,
    /// Default 0.
    weight_decay: Option<f32>,
    /// Default 0.9 and 0.95.
    adam_betas: Option<[f32; 2]>,
    /// Default 1e-8.
    adam_eps: Option<f32>,
    /// Default 1.
    max_grad_norm: Option<f32>,
    /// Share of the problems whose examples are held out; default 0.05.
    held_out: Option<f32>,
    /// Steps between evaluations on the way; default: one after each epoch.
    evaluate_every: Option<u64>,
    /// Default `held_out_loss`, or `last` if nothing is held out.
    best_by: Option<BestBy>,
    /// Most tokens of an example; default: the context of the policy.
    max_tokens: Option<usize>,
    /// Default `error`.
    too_long: Option<TooLong>,
    /// Steps between saved states; default 50.
    save_every: Option<u64>,
}

/// `{ from = "rejection", weight = 3.0 }`.
#[derive(Debug, Deserialize)]
struct StageExamplesFile {
    /// Id of a stage that collected examples.
    from: String,
    /// Weight of the loss of its tokens; default 1.
    weight: Option<f32>,
}

/// `{ data = "examples.jsonl" }`.
#[derive(Debug, Deserialize)]
struct FileExamplesFile {
    /// JSONL or Parquet file of examples or plain conversations.
    data: String,
    /// Weight of the loss of its tokens; default 1.
    weight: Option<f32>,
}

/// Reads the stage's table.
pub(in crate::recipe) fn resolve(source: &Source, body: &Table, part: &Part) -> Result<SftConfig, RecipeError> {
    let file: SftFile = source.read_table(body, part)?;
    let preset = resolve_preset(source, part, file.preset.as_deref())?;
    let held_out = file.held_out.unwrap_or(0.05);
    check_system(source, part, file.template, file.system.as_deref())?;
    let config = SftConfig {
        policies: one_or_many(source, part, "policy", "policies", file.policy, file.policies)?
            .ok_or_else(|| source.error(part, None, Problem::MissingKey { key: "policy".into() }))?,
        preset: preset.name.to_owned(),
        template: file.template,
        system: file.system,
        epochs: file.epochs.unwrap_or(preset.epochs),
        batch_examples: file.batch_examples.unwrap_or(preset.batch_examples as usize),
        microbatch_tokens: file.microbatch_tokens.unwrap_or(4096),
        recompute_layers: file.recompute_layers.unwrap_or(0),
        learning_rates: one_or_many(source, part, "learning_rate", "learning_rates", file.learning_rate, file.learning_rates)?
            .unwrap_or_else(|| vec![preset.learning_rate]),
        schedule: file.schedule.unwrap_or(ScheduleKind::Cosine),
        warmup_steps: file.warmup_steps.unwrap_or(0),
        floor_ratio: file.floor_ratio.unwrap_or(preset.floor_ratio),
        optimizer: AdamW::new(file.weight_decay.unwrap_or(0.0), file.adam_betas, file.adam_eps, file.max_grad_norm),
        held_out,
        evaluate_every: file.evaluate_every,
        best_by: file.best_by.unwrap_or(if held_out > 0.0 { BestBy::HeldOutLoss } else { BestBy::Last }),
        max_tokens: file.max_tokens,
        too_long: file.too_long.unwrap_or(TooLong::Error),
        save_every: file.save_every.unwrap_or(50),
        examples: resolve_examples(source, part, &file.examples)?,
    };
    check(&Checks { source, part }, &config)?;
    Ok(config)
}

fn check(check: &Checks<'_>, config: &SftConfig) -> Result<(), RecipeError> {
    check.at_least_one("epochs", config.epochs.into())?;
    check.at_least_one("batch_examples", config.batch_examples as u64)?;
    check.at_least_one("microbatch_tokens", config.microbatch_tokens as u64)?;
    check.at_least_one("max_tokens", config.max_tokens.unwrap_or(1) as u64)?;
    check.at_least_one("save_every", config.save_every)?;
    check.at_least_one("evaluate_every", config.evaluate_every.unwrap_or(1))?;
    config.optimizer.check(check)?;
    check.range("floor_ratio", config.floor_ratio, 0.0, 1.0)?;
    check.hold((0.0..1.0).contains(&config.held_out), "held_out", "a number in [0, 1)", &config.held_out)?;
    for &learning_rate in &config.learning_rates {
        check.positive("learning_rate", learning_rate)?;
    }
    let needs_held_out = config.best_by == BestBy::HeldOutLoss;
    check.hold(!needs_held_out || config.held_out > 0.0, "best_by", "'pass@1' or 'last' where held_out is 0", &"held_out_loss")?;
    let names: std::collections::BTreeSet<String> = config.variants().into_iter().map(|variant| variant.name).collect();
    let n_variants = config.variants().len();
    check.hold(names.len() == n_variants, "policies", "every policy and learning rate once", &"one of them twice")
}

fn resolve_preset(source: &Source, part: &Part, name: Option<&str>) -> Result<SftPreset, RecipeError> {
    let name = name.unwrap_or(sft_presets::DEFAULT);
    sft_presets::preset(name).ok_or_else(|| {
        let known = sft_presets::names().map(str::to_owned).collect();
        source.error(part, Some("preset"), Problem::unknown_name("preset", name, known))
    })
}

/// A key for one value or one for several, not both; `None` without either.
fn one_or_many<T>(
    source: &Source,
    part: &Part,
    one_key: &str,
    many_key: &str,
    one: Option<T>,
    many: Option<Vec<T>>,
) -> Result<Option<Vec<T>>, RecipeError> {
    match (one, many) {
        (None, None) => Ok(None),
        (Some(one), None) => Ok(Some(vec![one])),
        (None, Some(many)) if !many.is_empty() => Ok(Some(many)),
        (None, Some(_)) => Err(source.error(part, Some(many_key), Problem::value(many_key, "expected at least one, found none"))),
        (Some(_), Some(_)) => {
            let message = format!("expected either this or '{one_key}', found both");
            Err(source.error(part, Some(many_key), Problem::value(many_key, message)))
        }
    }
}

fn resolve_examples(source: &Source, part: &Part, entries: &[Value]) -> Result<Vec<ExampleSource>, RecipeError> {
    if entries.is_empty() {
        return Err(source.error(part, Some("examples"), Problem::value("examples", "expected at least one source, found none")));
    }
    let resolve_entry = |(idx, entry): (usize, &Value)| {
        let at = part.key("examples").below(&idx.to_string(), format!("{}, examples entry {}", part.name(), idx + 1));
        let example_source = match entry {
            Value::String(from) => ExampleSource::Stage { from: from.clone(), weight: 1.0 },
            Value::Table(table) if table.contains_key("data") => {
                let FileExamplesFile { data, weight } = source.read_table(table, &at)?;
                ExampleSource::File { data: PathBuf::from(data), weight: weight.unwrap_or(1.0) }
            }
            Value::Table(table) => {
                let StageExamplesFile { from, weight } = source.read_table(table, &at)?;
                ExampleSource::Stage { from, weight: weight.unwrap_or(1.0) }
            }
            other => {
                let message = format!("expected the id of a stage or a table, found {}", other.type_str());
                return Err(source.error(&at, None, Problem::value("examples", message)));
            }
        };
        Checks { source, part: &at }.positive("weight", example_source.weight())?;
        Ok(example_source)
    };
    entries.iter().enumerate().map(resolve_entry).collect()
}
