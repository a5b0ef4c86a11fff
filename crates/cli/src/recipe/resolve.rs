//! From what is written to what is meant.

use std::path::PathBuf;

use ruminate_rewards::judge::Judge;
use ruminate_rewards::{RewardMix, RewardOptions, Weights};
use ruminate_tasks::synthetic::corpus::CorpusMix;
use ruminate_tasks::synthetic::{SyntheticKind, SyntheticLanguage};
use ruminate_train::presets::{self, GrpoPreset};
use ruminate_train::schedule::{ScheduleConfig, ScheduleKind};
use toml::{Table, Value};

use super::config::{
    DataSplit, EvaluationConfig, GrpoConfig, LoadConfig, PretrainConfig, PromptSource, RunConfig, StageConfig, StageKind, Template,
};
use super::error::{Problem, RecipeError};
use super::fields::field_names;
use super::file::{DataFile, EvaluationFile, GrpoFile, LoadFile, PretrainFile, RecipeFile, StageHead, SyntheticFile};
use super::source::{Part, Source};
use crate::endpoint::EndpointConfig;
use crate::graders::JudgeConfig;
use crate::sandbox::SandboxSettings;
use crate::shapes;

/// The preset's key that a recipe writes as `max_new_tokens`, the name that evaluation and the command line use too.
const PRESET_BUDGET: &str = "max_completion_tokens";

/// Options of a preset that `false` switches off, since TOML cannot write "none".
const OPTIONAL_SETTINGS: [&str; 4] = ["dual_clip", "importance_cap", "reference_refresh_steps", "overlong_cache_share"];

/// Checks a recipe and fills in every value.
pub(super) fn resolve(source: &Source) -> Result<RunConfig, RecipeError> {
    let root = Part::root();
    let file: RecipeFile = source.read_table(&source.root, &root)?;
    if file.stage.is_empty() {
        return Err(source.error(&root, None, Problem::MissingKey { key: "[[stage]]".into() }));
    }
    check_name(source, &root, "name", &file.name)?;
    let mut stages = Vec::new();
    for (stage_idx, table) in file.stage.iter().enumerate() {
        let at = root.below("stage", "").below(&stage_idx.to_string(), format!("stage {}", stage_idx + 1));
        let stage = resolve_stage(source, table, &at)?;
        if stages.iter().any(|(other, _): &(StageConfig, Part)| other.id == stage.id) {
            return Err(source.error(&at, Some("id"), Problem::DuplicateId { id: stage.id }));
        }
        let part = at.named(format!("stage '{}'", stage.id));
        stages.push((stage, part));
    }
    let stages = in_order(source, stages)?;
    let first_grpo = stages.iter().find_map(|stage| match &stage.kind {
        StageKind::Grpo(config) => Some(config.as_ref()),
        _ => None,
    });
    let evaluation = match &file.evaluation {
        Some(table) => Some(resolve_evaluation(source, table, first_grpo)?),
        None => None,
    };
    let sandbox = match &file.sandbox {
        Some(table) => source.read_table(table, &Part::root().below("sandbox", "sandbox"))?,
        None => SandboxSettings::default(),
    };
    let judge = file.judge.as_ref().map(|table| resolve_judge(source, table)).transpose()?;
    Ok(RunConfig { name: file.name, seed: file.seed, inputs: source.inputs.clone(), evaluation, sandbox, judge, stages })
}

fn resolve_stage(source: &Source, table: &Table, at: &Part) -> Result<StageConfig, RecipeError> {
    // Of the head only the head's keys: the rest depends on the kind.
    let head: Table = table.iter().filter(|(key, _)| *key == "id" || *key == "kind").map(|(k, v)| (k.clone(), v.clone())).collect();
    let head: StageHead = source.read_table(&head, at)?;
    check_name(source, at, "id", &head.id)?;
    if head.id == "evaluation" {
        return Err(source.error(at, Some("id"), Problem::value("id", "'evaluation' names the table of that name, expected another")));
    }
    let part = &at.named(format!("stage '{}'", head.id));
    let mut body = table.clone();
    body.remove("id");
    body.remove("kind");
    let kind = match head.kind.as_str() {
        "load" => {
            let LoadFile { path } = source.read_table(&body, part)?;
            StageKind::Load(LoadConfig { path })
        }
        "pretrain" => StageKind::Pretrain(resolve_pretrain(source, &body, part)?),
        "grpo" => StageKind::Grpo(Box::new(resolve_grpo(source, &body, part)?)),
        other => {
            let known = ["load", "pretrain", "grpo"].map(str::to_owned).to_vec();
            return Err(source.error(part, Some("kind"), Problem::unknown_name("kind", other, known)));
        }
    };
    Ok(StageConfig { id: head.id, kind })
}

fn resolve_pretrain(source: &Source, body: &Table, part: &Part) -> Result<PretrainConfig, RecipeError> {
    let file: PretrainFile = source.read_table(body, part)?;
    if shapes::shape(&file.shape).is_none() {
        let known = shapes::names().map(str::to_owned).collect();
        return Err(source.error(part, Some("shape"), Problem::unknown_name("shape", &file.shape, known)));
    }
    let corpus: CorpusMix = match &file.corpus {
        Some(table) => source.read_table(table, &part.key("corpus"))?,
        None => CorpusMix::default(),
    };
    let check = Checks { source, part };
    check.at_least_one("tokens", file.tokens)?;
    check.at_least_one("batch_tokens", file.batch_tokens as u64)?;
    check.positive("learning_rate", file.learning_rate)?;
    let n_steps = file.tokens.div_ceil(file.batch_tokens as u64);
    let config = PretrainConfig {
        shape: file.shape,
        tokens: file.tokens,
        batch_tokens: file.batch_tokens,
        microbatch_tokens: file.microbatch_tokens.unwrap_or(file.batch_tokens.min(8192)),
        weight_decay: file.weight_decay.unwrap_or(0.1),
        adam_betas: file.adam_betas.unwrap_or([0.9, 0.95]),
        adam_eps: file.adam_eps.unwrap_or(1e-8),
        max_grad_norm: file.max_grad_norm.unwrap_or(1.0),
        save_every: file.save_every.unwrap_or(200),
        schedule: ScheduleConfig {
            kind: file.schedule.unwrap_or(ScheduleKind::Cosine),
            learning_rate: file.learning_rate,
            warmup_steps: file.warmup_steps.unwrap_or(n_steps / 50),
            floor_ratio: file.floor_ratio.unwrap_or(0.1),
        },
        corpus,
    };
    check.at_least_one("microbatch_tokens", config.microbatch_tokens as u64)?;
    check.at_least_one("save_every", config.save_every)?;
    check.positive("adam_eps", config.adam_eps)?;
    check.positive("max_grad_norm", config.max_grad_norm)?;
    check.range("weight_decay", config.weight_decay, 0.0, f32::MAX)?;
    check.range("floor_ratio", config.schedule.floor_ratio, 0.0, 1.0)?;
    for beta in config.adam_betas {
        check.range("adam_betas", beta, 0.0, 1.0 - f32::EPSILON)?;
    }
    Ok(config)
}

fn resolve_grpo(source: &Source, body: &Table, part: &Part) -> Result<GrpoConfig, RecipeError> {
    let own = field_names::<GrpoFile>();
    let settings_keys: Vec<String> = field_names::<GrpoPreset>().into_iter().filter(|key| key != PRESET_BUDGET).collect();
    let known: Vec<String> = own.iter().chain(&settings_keys).cloned().collect();
    source.check_keys(body, part, &known)?;
    let (own_keys, changes): (Table, Table) = body.clone().into_iter().partition(|(key, _)| own.contains(key));
    let file: GrpoFile = source.read_known(&own_keys, part)?;
    let settings = resolve_settings(source, part, &file, changes)?;

    let check = Checks { source, part };
    check.at_least_one("steps", file.steps)?;
    let config = GrpoConfig {
        policy: file.policy,
        preset: file.preset,
        template: file.template,
        steps: file.steps,
        top_p: file.top_p.unwrap_or(1.0),
        top_k: file.top_k.unwrap_or(0),
        min_p: file.min_p.unwrap_or(0.0),
        max_batch: file.max_batch.unwrap_or(64),
        microbatch_tokens: file.microbatch_tokens.unwrap_or(4096),
        stop: file.stop.unwrap_or_else(|| file.template.default_stop()),
        save_every: file.save_every.unwrap_or(10),
        evaluate_every: file.evaluate_every,
        control: file.control,
        rewards: match &file.rewards {
            Some(table) => resolve_rewards(source, table, part)?,
            None => RewardMix::default(),
        },
        settings,
        prompts: resolve_prompts(source, &file.prompts, part, DataSplit::Train)?,
        system: resolve_system(source, part, file.template, file.system)?,
    };
    check.at_least_one("max_batch", config.max_batch as u64)?;
    check.at_least_one("microbatch_tokens", config.microbatch_tokens as u64)?;
    check.at_least_one("save_every", config.save_every)?;
    check.at_least_one("evaluate_every", config.evaluate_every.unwrap_or(1))?;
    check.share("top_p", config.top_p)?;
    check.hold((0.0..1.0).contains(&config.min_p), "min_p", "a number in [0, 1)", &config.min_p)?;
    Ok(config)
}

/// `[judge]` holds the keys of the endpoint and those of the judge side by side.
fn resolve_judge(source: &Source, table: &Table) -> Result<JudgeConfig, RecipeError> {
    let part = &Part::root().below("judge", "judge");
    let (of_endpoint, of_judge) = (field_names::<EndpointConfig>(), field_names::<Judge>());
    source.check_keys(table, part, &of_endpoint.iter().chain(&of_judge).cloned().collect::<Vec<_>>())?;
    for key in ["url", "model"] {
        if !table.contains_key(key) {
            return Err(source.error(part, None, Problem::MissingKey { key: key.to_owned() }));
        }
    }
    let (endpoint, judge): (Table, Table) = table.clone().into_iter().partition(|(key, _)| of_endpoint.contains(key));
    Ok(JudgeConfig { endpoint: source.read_known(&endpoint, part)?, judge: source.read_known(&judge, part)? })
}

/// Weights that a recipe leaves out are 0: `{ accuracy = 1.0 }` is the accuracy reward alone. `kinds` has weights for kinds of
/// problems, `options` the settings of rewards that have some.
fn resolve_rewards(source: &Source, table: &Table, part: &Part) -> Result<RewardMix, RecipeError> {
    let at = part.key("rewards");
    let known: Vec<String> = field_names::<Weights>().into_iter().chain(["kinds", "options"].map(str::to_owned)).collect();
    source.check_keys(table, &at, &known)?;
    let mut weights = table.clone();
    let sub_table = |value: Option<Value>, key: &str| match value {
        None => Ok(Table::new()),
        Some(Value::Table(table)) => Ok(table),
        Some(other) => Err(source.error(&at, Some(key), Problem::value(key, format!("expected a table, found {}", other.type_str())))),
    };
    let kinds = sub_table(weights.remove("kinds"), "kinds")?;
    let options = sub_table(weights.remove("options"), "options")?;
    let resolve_kind = |(kind, value): (String, Value)| {
        let part = at.key("kinds").key(&kind);
        let table = sub_table(Some(value), "kinds")?;
        Ok((kind, source.read_table::<Weights>(&table, &part)?))
    };
    let options: RewardOptions = source.read_table(&options, &at.key("options"))?;
    if !(options.repetition.max_penalty <= 0.0 && options.repetition.max_penalty.is_finite()) {
        let message = format!("expected max_penalty to be at most 0, found {}", options.repetition.max_penalty);
        return Err(source.error(&at.key("options"), Some("repetition"), Problem::value("repetition", message)));
    }
    Ok(RewardMix {
        weights: source.read_known(&weights, &at)?,
        kinds: kinds.into_iter().map(resolve_kind).collect::<Result<_, RecipeError>>()?,
        options,
    })
}

fn resolve_settings(source: &Source, part: &Part, file: &GrpoFile, changes: Table) -> Result<GrpoPreset, RecipeError> {
    let text = presets::preset_toml(&file.preset).map_err(|_| {
        let known = presets::preset_names().map(str::to_owned).collect();
        source.error(part, Some("preset"), Problem::unknown_name("preset", &file.preset, known))
    })?;
    let mut table: Table = toml::from_str(text).expect("presets are valid TOML");
    for (key, value) in changes {
        if value == Value::Boolean(false) && OPTIONAL_SETTINGS.contains(&key.as_str()) {
            table.remove(&key);
        } else {
            table.insert(key, value);
        }
    }
    if let Some(budget) = file.max_new_tokens {
        table.insert(PRESET_BUDGET.into(), Value::Integer(budget.into()));
    }
    let settings: GrpoPreset = source.read_known(&table, part)?;
    settings.validate().map_err(|error| source.error(part, None, Problem::Preset(error)))?;
    Ok(settings)
}

fn resolve_evaluation(source: &Source, table: &Table, first_grpo: Option<&GrpoConfig>) -> Result<EvaluationConfig, RecipeError> {
    let part = &Part::root().below("evaluation", "evaluation");
    let file: EvaluationFile = source.read_table(table, part)?;
    let missing = |key: &str| source.error(part, None, Problem::MissingKey { key: key.to_owned() });
    let template = file.template.or(first_grpo.map(|config| config.template)).ok_or_else(|| missing("template"))?;
    let budget = first_grpo.map(|config| config.settings.max_completion_tokens as usize);
    let prompts = match (&file.prompts, first_grpo) {
        (Some(prompts), _) => resolve_prompts(source, prompts, part, DataSplit::HeldOut)?,
        (None, Some(config)) => {
            if config.prompts.iter().any(|prompts| matches!(prompts, PromptSource::File { split: DataSplit::All, .. })) {
                let expected =
                    "expected prompts to evaluate on, found none; the stage trains on all problems of a file, none of them is held out";
                return Err(source.error(part, None, Problem::value("prompts", expected)));
            }
            config.prompts.iter().cloned().map(held_out).collect()
        }
        (None, None) => return Err(missing("prompts")),
    };
    let system = file.system.or_else(|| first_grpo.filter(|config| config.template == template).and_then(|config| config.system.clone()));
    let config = EvaluationConfig {
        template,
        system: resolve_system(source, part, template, system)?,
        n_problems: file.n_problems.unwrap_or(200),
        samples: file.samples.unwrap_or(4),
        temperature: file.temperature.unwrap_or(0.6),
        top_p: file.top_p.unwrap_or(0.95),
        top_k: file.top_k.unwrap_or(0),
        min_p: file.min_p.unwrap_or(0.0),
        max_new_tokens: file.max_new_tokens.or(budget).ok_or_else(|| missing("max_new_tokens"))?,
        max_batch: file.max_batch.unwrap_or(64),
        stop: file.stop.unwrap_or_else(|| template.default_stop()),
        prompts,
    };
    let check = Checks { source, part };
    check.at_least_one("n_problems", config.n_problems as u64)?;
    check.at_least_one("samples", config.samples.into())?;
    check.at_least_one("max_new_tokens", config.max_new_tokens as u64)?;
    check.at_least_one("max_batch", config.max_batch as u64)?;
    check.range("temperature", config.temperature, 0.0, 100.0)?;
    check.share("top_p", config.top_p)?;
    check.hold((0.0..1.0).contains(&config.min_p), "min_p", "a number in [0, 1)", &config.min_p)?;
    Ok(config)
}

fn held_out(mut prompts: PromptSource) -> PromptSource {
    match &mut prompts {
        PromptSource::File { split, .. } if *split == DataSplit::Train => *split = DataSplit::HeldOut,
        _ => {}
    }
    prompts
}

fn resolve_system(source: &Source, part: &Part, template: Template, system: Option<String>) -> Result<Option<String>, RecipeError> {
    match (template, system) {
        (Template::Chat, Some(system)) => Ok(Some(system)),
        (Template::Chat, None) => Ok(Some(crate::prompts::CHAT_SYSTEM.to_owned())),
        (_, None) => Ok(None),
        (_, Some(_)) => Err(source.error(part, Some("system"), Problem::value("system", "only the template 'chat' has a system message"))),
    }
}

fn resolve_prompts(source: &Source, entries: &[Value], part: &Part, split: DataSplit) -> Result<Vec<PromptSource>, RecipeError> {
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

/// Each stage after those that it needs, otherwise as written.
fn in_order(source: &Source, mut waiting: Vec<(StageConfig, Part)>) -> Result<Vec<StageConfig>, RecipeError> {
    let ids: Vec<String> = waiting.iter().map(|(stage, _)| stage.id.clone()).collect();
    for (stage, part) in &waiting {
        if let Some(policy) = stage.kind.policy()
            && !ids.iter().any(|id| id == policy)
        {
            return Err(source.error(part, Some("policy"), Problem::unknown_name("stage", policy, ids.clone())));
        }
    }
    let mut done: Vec<StageConfig> = Vec::new();
    while !waiting.is_empty() {
        let is_ready = |(stage, _): &(StageConfig, Part)| stage.kind.policy().is_none_or(|policy| done.iter().any(|s| s.id == policy));
        let Some(ready) = waiting.iter().position(is_ready) else {
            let (_, part) = &waiting[0];
            return Err(source.error(part, Some("policy"), Problem::Cycle { ids: circle(&waiting) }));
        };
        done.push(waiting.remove(ready).0);
    }
    Ok(done)
}

/// Follows the first stage's needs until one comes twice. Every stage given waits for another one given.
fn circle(waiting: &[(StageConfig, Part)]) -> Vec<String> {
    let mut ids = vec![waiting[0].0.id.clone()];
    loop {
        let last = ids.last().expect("starts with one");
        let stage = waiting.iter().find(|(stage, _)| stage.id == *last).expect("waits for one of those that wait");
        let next = stage.0.kind.policy().expect("waits").to_owned();
        let seen = ids.iter().position(|id| *id == next);
        ids.push(next);
        if let Some(first) = seen {
            return ids.split_off(first);
        }
    }
}

/// Names become directories.
fn check_name(source: &Source, part: &Part, key: &str, name: &str) -> Result<(), RecipeError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.len() <= 64 && name.chars().all(is_plain) {
        return Ok(());
    }
    let message = format!("expected 1 to 64 letters, digits, '-' or '_', found \"{name}\"");
    Err(source.error(part, Some(key), Problem::value(key, message)))
}

struct Checks<'a> {
    source: &'a Source,
    part: &'a Part,
}

impl Checks<'_> {
    fn at_least_one(&self, key: &str, value: u64) -> Result<(), RecipeError> {
        self.hold(value >= 1, key, "a number >= 1", &value)
    }

    fn positive(&self, key: &str, value: f32) -> Result<(), RecipeError> {
        self.hold(value > 0.0 && value.is_finite(), key, "a finite number > 0", &value)
    }

    fn share(&self, key: &str, value: f32) -> Result<(), RecipeError> {
        self.hold(value > 0.0 && value <= 1.0, key, "a number in (0, 1]", &value)
    }

    fn range(&self, key: &str, value: f32, low: f32, high: f32) -> Result<(), RecipeError> {
        self.hold((low..=high).contains(&value), key, &format!("a number from {low} to {high}"), &value)
    }

    fn hold(&self, holds: bool, key: &str, expected: &str, found: &dyn std::fmt::Display) -> Result<(), RecipeError> {
        if holds {
            return Ok(());
        }
        Err(self.source.error(self.part, Some(key), Problem::value(key, format!("expected {expected}, found {found}"))))
    }
}
