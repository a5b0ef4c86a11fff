//! The stages of a run, in order; those that are done are skipped. Stages meet only through files in the run directory.

pub(crate) mod evaluate;
mod grpo;
mod hacking;
mod load;
mod pretrain;
pub(crate) mod rollouts;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use ruminate_compute::Device;
use ruminate_core::Seed;

use self::rollouts::SampleSettings;
use crate::graders::{Graders, Needs};
use crate::models;
use crate::problems::{ProblemStream, data_file, evaluation_set};
use crate::recipe::{PromptSource, RunConfig, StageConfig, StageKind};
use crate::run_dir::{RunDir, StageDir, StageManifest, StageState};
use crate::ui::Ui;

/// What every stage is given.
#[derive(Debug)]
pub(crate) struct StageContext<'a> {
    /// The whole recipe.
    pub(crate) config: &'a RunConfig,
    /// Where to compute.
    pub(crate) device: &'a Device,
    /// Where to write.
    pub(crate) run_dir: &'a RunDir,
    /// What grading needs besides rules.
    pub(crate) graders: &'a Graders,
    /// Where to show progress.
    pub(crate) ui: &'a Ui,
}

impl StageContext<'_> {
    /// The randomness key of a stage.
    pub(crate) fn seed(&self, stage_id: &str) -> Seed {
        Seed::new(self.config.seed).with(stage_id)
    }

    /// How the policy of a stage is sampled in evaluations, if it is evaluated.
    pub(crate) fn evaluation_settings(&self, stage_id: &str) -> Option<SampleSettings> {
        let stage = self.config.stages.iter().find(|stage| stage.id == stage_id)?;
        Some(SampleSettings::of_evaluation(self.config.evaluation.as_ref()?, stage.evaluate.as_ref()?))
    }

    /// The policy that a finished stage made: a path that `Checkpoint::open` opens.
    ///
    /// # Errors
    /// The stage made none or its record is damaged.
    pub(crate) fn policy_path(&self, stage_id: &str) -> Result<PathBuf> {
        let manifest = self.run_dir.stage(stage_id).manifest()?;
        let policy = manifest.and_then(|manifest| manifest.policy).with_context(|| format!("stage '{stage_id}' made no policy"))?;
        // An absolute path, that of a loaded model, replaces the run directory's.
        Ok(self.run_dir.path().join(policy))
    }
}

/// What a stage leaves behind. Everything else is in its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StageResult {
    /// The policy, absolute or relative to the run directory; `None` where the stage makes something else.
    pub(crate) policy: Option<PathBuf>,
}

/// Runs all stages that are not done, each with its evaluation.
///
/// # Errors
/// The first stage that fails, by name.
pub(crate) fn run_all(ctx: &StageContext<'_>) -> Result<()> {
    let mut hashes = BTreeMap::new();
    for stage in &ctx.config.stages {
        let hash = run_stage(ctx, stage, &hashes).with_context(|| format!("stage '{}'", stage.id))?;
        hashes.insert(stage.id.clone(), hash);
    }
    Ok(())
}

/// Checks what can be checked before anything runs: models open, problem files have problems of their split. Gives back what
/// grading needs.
///
/// # Errors
/// The first input that is missing or damaged.
pub(crate) fn check_inputs(config: &RunConfig) -> Result<Needs> {
    let mut needs = Needs::default();
    for stage in &config.stages {
        let in_stage = || format!("stage '{}'", stage.id);
        if let StageKind::Load(load) = &stage.kind {
            models::open(&load.path).with_context(in_stage)?;
        }
        ProblemStream::open(stage.kind.prompts(), Seed::new(0), 0)
            .and_then(|stream| needs.add(stream.file_problems()))
            .with_context(in_stage)?;
    }
    if let Some(evaluation) = &config.evaluation {
        let problems = evaluation_set(&evaluation.prompts, evaluation.n_problems).context("evaluation")?;
        needs.add(&problems).context("evaluation")?;
    }
    Ok(needs)
}

/// Runs one stage unless it is done, and gives back the hash of its inputs.
fn run_stage(ctx: &StageContext<'_>, stage: &StageConfig, hashes: &BTreeMap<String, String>) -> Result<String> {
    let dir = ctx.run_dir.stage(&stage.id);
    let lineage = lineage(ctx.config, stage, hashes)?;
    let inputs_hash = inputs_hash(ctx.config, stage, &lineage)?;
    let mut seconds_before = 0.0;
    match dir.manifest()? {
        Some(manifest) if manifest.inputs_hash == inputs_hash && manifest.state == StageState::Done => {
            ctx.ui.say(&format!("{}: done before, skipped", stage.id));
            return Ok(inputs_hash);
        }
        Some(manifest) if manifest.inputs_hash == inputs_hash => seconds_before = manifest.seconds,
        Some(_) => {
            let aside = dir.set_aside()?;
            ctx.ui.say(&format!(
                "{}: its inputs have changed since it ran, starting over; what it made is in {}",
                stage.id,
                aside.display()
            ));
        }
        None => {}
    }
    let mut manifest = StageManifest {
        state: StageState::Running,
        inputs_hash: inputs_hash.clone(),
        lineage,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        policy: None,
        seconds: seconds_before,
    };
    dir.write_manifest(&manifest)?;
    let started = Instant::now();
    let result = match &stage.kind {
        StageKind::Load(config) => load::run(ctx, &dir, config)?,
        StageKind::Pretrain(config) => pretrain::run(ctx, &stage.id, &dir, config)?,
        StageKind::Grpo(config) => grpo::run(ctx, &stage.id, &dir, config)?,
    };
    manifest.policy = result.policy.as_ref().map(|policy| policy.display().to_string());
    if let (Some(settings), Some(policy)) = (ctx.evaluation_settings(&stage.id), &result.policy) {
        evaluate::evaluate_stage(ctx, &stage.id, &dir, &ctx.run_dir.path().join(policy), settings)?;
    }
    manifest.seconds += started.elapsed().as_secs_f64();
    manifest.state = StageState::Done;
    dir.write_manifest(&manifest)?;
    Ok(inputs_hash)
}

/// Hashes of what the stage reads: earlier stages by id, files by path.
fn lineage(config: &RunConfig, stage: &StageConfig, hashes: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let mut lineage = BTreeMap::new();
    match &stage.kind {
        StageKind::Load(load) if load.path == models::BUILTIN_TINY => {
            lineage.insert(load.path.clone(), models::hash_builtin_tiny());
        }
        StageKind::Load(load) => {
            lineage.insert(load.path.clone(), models::hash_files(&models::resolve(&load.path)?)?);
        }
        StageKind::Pretrain(_) | StageKind::Grpo(_) => {}
    }
    let of_evaluation = config.evaluation.iter().flat_map(|evaluation| &evaluation.prompts);
    for prompts in of_evaluation.chain(stage.kind.prompts()) {
        if let PromptSource::File { data, .. } = prompts {
            lineage.insert(data.display().to_string(), models::hash_files(&data_file(data)?)?);
        }
    }
    for (_, id) in stage.kind.needs() {
        lineage.insert(id.to_owned(), hashes[id].clone());
    }
    Ok(lineage)
}

/// Hash of everything that the stage's result depends on.
fn inputs_hash(config: &RunConfig, stage: &StageConfig, lineage: &BTreeMap<String, String>) -> Result<String> {
    let all = (config.seed, stage, &config.evaluation, lineage);
    let bytes = serde_json::to_vec(&all).context("cannot hash the stage's settings")?;
    Ok(blake3::hash(&bytes).to_hex()[..32].to_owned())
}

/// The checkpoint of a stage, relative to the run directory.
fn own_checkpoint_path(stage_id: &str, dir: &StageDir) -> PathBuf {
    Path::new(stage_id).join(dir.checkpoint().file_name().unwrap_or_default())
}

/// What a stage leaves whose policy is its checkpoint.
fn own_checkpoint(stage_id: &str, dir: &StageDir) -> StageResult {
    StageResult { policy: Some(own_checkpoint_path(stage_id, dir)) }
}
