//! From what is written to what is meant.

use ruminate_rewards::judge::Judge;
use toml::Table;

use super::checks::Checks;
use super::config::{DataSplit, EvaluationConfig, PromptSource, RunConfig, StageConfig, StageEvaluation};
use super::error::{Problem, RecipeError};
use super::fields::field_names;
use super::file::{EvaluationFile, RecipeFile, StageHead};
use super::prompts::{resolve_prompts, resolve_system};
use super::source::{Part, Source};
use super::stages::{BestBy, GrpoConfig, StageKind};
use crate::endpoint::EndpointConfig;
use crate::graders::JudgeConfig;
use crate::sandbox::SandboxSettings;

/// Keys of every stage, whatever its kind.
const HEAD_KEYS: [&str; 4] = ["id", "kind", "evaluate", "form"];

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
    check_evaluated(source, &stages, evaluation.is_some())?;
    let sandbox = match &file.sandbox {
        Some(table) => source.read_table(table, &Part::root().below("sandbox", "sandbox"))?,
        None => SandboxSettings::default(),
    };
    let judge = file.judge.as_ref().map(|table| resolve_judge(source, table)).transpose()?;
    let inputs = source.inputs.clone();
    Ok(RunConfig { name: file.name, seed: file.seed, deterministic: file.deterministic, inputs, evaluation, sandbox, judge, stages })
}

fn resolve_stage(source: &Source, table: &Table, at: &Part) -> Result<StageConfig, RecipeError> {
    // Of the head only the head's keys: the rest depends on the kind.
    let (head, body): (Table, Table) = table.clone().into_iter().partition(|(key, _)| HEAD_KEYS.contains(&key.as_str()));
    let head: StageHead = source.read_table(&head, at)?;
    check_name(source, at, "id", &head.id)?;
    if head.id == "evaluation" {
        return Err(source.error(at, Some("id"), Problem::value("id", "'evaluation' names the table of that name, expected another")));
    }
    let part = &at.named(format!("stage '{}'", head.id));
    let kind = StageKind::resolve(&head.kind, source, &body, part)?;
    let of_kind = kind.evaluation();
    let evaluation = StageEvaluation { form: head.form.unwrap_or(of_kind.form), ..of_kind };
    Ok(StageConfig { id: head.id, evaluate: head.evaluate.unwrap_or(true).then_some(evaluation), kind })
}

/// Stages that need figures of an evaluation have one.
fn check_evaluated(source: &Source, stages: &[StageConfig], has_evaluation: bool) -> Result<(), RecipeError> {
    let is_evaluated = |id: &str| has_evaluation && stages.iter().any(|stage| stage.id == id && stage.evaluate.is_some());
    for stage in stages {
        let (key, message) = match &stage.kind {
            StageKind::Sft(config) if config.best_by == BestBy::PassAt1 && !is_evaluated(&stage.id) => {
                ("best_by", "expected a recipe with an [evaluation] of this stage for 'pass@1', found none".to_owned())
            }
            StageKind::Compare(config) => match config.stages.iter().find(|id| !is_evaluated(id)) {
                Some(id) => ("stages", format!("expected stages that are evaluated, found '{id}', which is not")),
                None => continue,
            },
            _ => continue,
        };
        let part = Part::root().below("stage", "").below(&source.stage_position(&stage.id), format!("stage '{}'", stage.id));
        return Err(source.error(&part, Some(key), Problem::value(key, message)));
    }
    Ok(())
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

/// Each stage after those that it needs, otherwise as written.
fn in_order(source: &Source, mut waiting: Vec<(StageConfig, Part)>) -> Result<Vec<StageConfig>, RecipeError> {
    let ids: Vec<String> = waiting.iter().map(|(stage, _)| stage.id.clone()).collect();
    for (stage, part) in &waiting {
        if let Some((key, unknown)) = stage.kind.needs().into_iter().find(|(_, id)| !ids.iter().any(|other| other == id)) {
            return Err(source.error(part, Some(key), Problem::unknown_name("stage", unknown, ids.clone())));
        }
        let needed = |id: &str| waiting.iter().find(|(other, _)| other.id == id).map(|(other, _)| &other.kind);
        if let Some((key, id, why)) = stage.kind.needs().into_iter().find_map(|(key, id)| Some((key, id, needed(id)?.misfit(key)?))) {
            return Err(source.error(part, Some(key), Problem::value(key, format!("stage '{id}': {why}"))));
        }
    }
    let mut done: Vec<StageConfig> = Vec::new();
    while !waiting.is_empty() {
        let is_ready = |(stage, _): &(StageConfig, Part)| stage.kind.needs().iter().all(|(_, id)| done.iter().any(|s| s.id == *id));
        let Some(ready) = waiting.iter().position(is_ready) else {
            let (stage, part) = &waiting[0];
            let (key, _) = first_waiting(stage, &waiting);
            return Err(source.error(part, Some(key), Problem::Cycle { ids: circle(&waiting) }));
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
        let (_, next) = first_waiting(&stage.0, waiting);
        let seen = ids.iter().position(|id| *id == next);
        ids.push(next.to_owned());
        if let Some(first) = seen {
            return ids.split_off(first);
        }
    }
}

/// The first need of a stage that is not done yet.
fn first_waiting<'a>(stage: &'a StageConfig, waiting: &[(StageConfig, Part)]) -> (&'static str, &'a str) {
    let waits = |id: &str| waiting.iter().any(|(other, _)| other.id == id);
    stage.kind.needs().into_iter().find(|(_, id)| waits(id)).expect("it waits")
}

/// Names become directories.
fn check_name(source: &Source, part: &Part, key: &str, name: &str) -> Result<(), RecipeError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    // A name that begins with a dot would be hidden, or another folder.
    if !name.starts_with('.') && !name.is_empty() && name.len() <= 64 && name.chars().all(is_plain) {
        return Ok(());
    }
    let message = format!("expected 1 to 64 letters, digits, '-', '_' or '.', not first, found \"{name}\"");
    Err(source.error(part, Some(key), Problem::value(key, message)))
}
