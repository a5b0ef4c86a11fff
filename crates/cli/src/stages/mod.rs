//! The stages of a run, in order; those that are done are skipped. Stages meet only through files in the run directory.

pub(crate) mod collect;
pub(crate) mod compare;
pub(crate) mod evaluate;
mod grpo;
mod hacking;
mod load;
mod pretrain;
pub(crate) mod reward_model;
pub(crate) mod rollouts;
mod scoring;
pub(crate) mod sft;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use ruminate_compute::{ComputeError, Device};
use ruminate_core::Seed;
use ruminate_model::ModelError;
use ruminate_rollout::RolloutError;
use ruminate_train::trainer::TrainError;

use self::rollouts::SampleSettings;
use crate::graders::{Graders, Needs};
use crate::machine::{peak_bytes, reset_peak_bytes};
use crate::models;
use crate::preference_file;
use crate::problems::{ProblemStream, data_file, evaluation_set};
use crate::recipe::{PromptSource, RewardSource, RunConfig, StageConfig, StageKind};
use crate::run_dir::{MetricsFile, RunDir, StageDir, StageManifest, StageState};
use crate::ui::Ui;

/// The metric of a step's floating-point operations: all that the stage's own policies cost, its evaluations excepted.
pub(crate) const COMPUTE_KEY: &str = "compute/flops";

/// The part of [`COMPUTE_KEY`] that sampling took.
pub(crate) const SAMPLING_KEY: &str = "compute/sampling_flops";

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

/// Floating-point operations that a stage has spent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spent {
    /// All of them.
    pub(crate) total: f64,
    /// Those of sampling.
    pub(crate) sampling: f64,
}

/// What the steps of a stage have spent, as its metrics say.
///
/// # Errors
/// Metrics that are damaged.
pub(crate) fn spent(metrics: &Path) -> Result<Spent> {
    let lines = MetricsFile::read(metrics)?;
    // The sum of no numbers is -0.
    let sum = |key: &str| lines.iter().filter_map(|line| line.get(key)?.as_f64()).fold(0.0, |sum, x| sum + x);
    Ok(Spent { total: sum(COMPUTE_KEY), sampling: sum(SAMPLING_KEY) })
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
        let hash = run_stage(ctx, stage, &hashes).map_err(advise).with_context(|| format!("stage '{}'", stage.id))?;
        hashes.insert(stage.id.clone(), hash);
    }
    Ok(())
}

/// Says what to do where the device failed. State appears on disk whole or not at all, so the last one is good.
fn advise(error: anyhow::Error) -> anyhow::Error {
    let is_of_device = error.chain().any(|cause| {
        let model = match (cause.downcast_ref::<TrainError>(), cause.downcast_ref::<RolloutError>()) {
            (Some(TrainError::Model(error)), _) | (_, Some(RolloutError::Model(error))) => Some(error),
            _ => cause.downcast_ref::<ModelError>(),
        };
        let compute = match model {
            Some(ModelError::Compute(error)) => Some(error),
            _ => cause.downcast_ref::<ComputeError>(),
        };
        matches!(compute, Some(ComputeError::Driver { .. }))
    });
    if !is_of_device {
        return error;
    }
    error.context(
        "the device failed; the state that was saved last is whole: the same command goes on from it \
         (with CUDA_LAUNCH_BLOCKING=1 the error names the operation that failed; if it comes again at the same step, that is a bug to report)",
    )
}

/// Most tokens of what is learned from: of the recipe or of the policy's context, whichever is less.
pub(crate) fn longest(max_tokens: Option<usize>, context: usize) -> usize {
    max_tokens.unwrap_or(usize::MAX).min(context)
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
        match &stage.kind {
            StageKind::Load(load) => drop(models::open(&load.path).with_context(in_stage)?),
            StageKind::Collect(collect) => {
                let of_data_sets = collect::check_inputs(collect).with_context(in_stage)?;
                needs.add(&of_data_sets).with_context(in_stage)?;
            }
            StageKind::RewardModel(config) => {
                if let RewardSource::File { data } = &config.source {
                    preference_file::read(data, config.loss).with_context(in_stage)?;
                }
                if config.asks_judge() {
                    needs.add_judge(format!("stage '{}' asks a judge", stage.id));
                }
            }
            StageKind::Sft(sft) => {
                sft.example_files().try_for_each(|data| collect::read_examples(data, None).map(drop)).with_context(in_stage)?;
            }
            StageKind::Pretrain(_) | StageKind::Grpo(_) | StageKind::Compare(_) => {}
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

/// Runs one stage unless it is done, and gives back the hash of what it leaves.
fn run_stage(ctx: &StageContext<'_>, stage: &StageConfig, hashes: &BTreeMap<String, String>) -> Result<String> {
    let dir = ctx.run_dir.stage(&stage.id);
    let lineage = lineage(ctx.config, stage, hashes)?;
    let inputs_hash = inputs_hash(ctx.config, stage, &lineage)?;
    let mut before = (0.0, None);
    match dir.manifest()? {
        Some(manifest) if manifest.inputs_hash == inputs_hash && manifest.state == StageState::Done => {
            ctx.ui.say(&format!("{}: done before, skipped", stage.id));
            return output_hash(ctx, stage, &dir, inputs_hash);
        }
        Some(manifest) if manifest.inputs_hash == inputs_hash => before = (manifest.seconds, manifest.peak_bytes),
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
        seconds: before.0,
        flops: 0.0,
        sampling_flops: 0.0,
        peak_bytes: before.1,
    };
    dir.write_manifest(&manifest)?;
    let started = Instant::now();
    reset_peak_bytes();
    let result = match &stage.kind {
        StageKind::Load(config) => load::run(ctx, &dir, config)?,
        StageKind::Pretrain(config) => pretrain::run(ctx, &stage.id, &dir, config)?,
        StageKind::Collect(config) => collect::run(ctx, &stage.id, &dir, config)?,
        StageKind::Grpo(config) => grpo::run(ctx, &stage.id, &dir, config)?,
        StageKind::RewardModel(config) => reward_model::run(ctx, &stage.id, &dir, config)?,
        StageKind::Sft(config) => sft::run(ctx, &stage.id, &dir, config)?,
        StageKind::Compare(config) => compare::run(ctx, &dir, config)?,
    };
    manifest.policy = result.policy.as_ref().map(|policy| policy.display().to_string());
    if let (Some(settings), Some(policy)) = (ctx.evaluation_settings(&stage.id), &result.policy) {
        evaluate::evaluate_stage(ctx, &stage.id, &dir, &ctx.run_dir.path().join(policy), settings)?;
    }
    let spent = spent(&dir.metrics())?;
    (manifest.flops, manifest.sampling_flops) = (spent.total, spent.sampling);
    manifest.peak_bytes = manifest.peak_bytes.max(peak_bytes());
    manifest.seconds += started.elapsed().as_secs_f64();
    manifest.state = StageState::Done;
    dir.write_manifest(&manifest)?;
    output_hash(ctx, stage, &dir, inputs_hash)
}

/// Hash of what the stage leaves to others: that of its inputs, and of what people did with it since.
fn output_hash(ctx: &StageContext<'_>, stage: &StageConfig, dir: &StageDir, inputs_hash: String) -> Result<String> {
    match &stage.kind {
        StageKind::Collect(config) => collect::hash_with_review(ctx, &stage.id, dir, config, inputs_hash),
        _ => Ok(inputs_hash),
    }
}

/// Hashes of what the stage reads: earlier stages by id, files by path.
fn lineage(config: &RunConfig, stage: &StageConfig, hashes: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let mut lineage = BTreeMap::new();
    match &stage.kind {
        StageKind::Load(load) => {
            let hash = match models::builtin(&load.path)? {
                Some(builtin) => builtin.hash(),
                None => models::hash_files(&models::resolve(&load.path)?)?,
            };
            lineage.insert(load.path.clone(), hash);
        }
        StageKind::Collect(collect) => {
            for path in collect.files() {
                lineage.insert(path.display().to_string(), models::hash_files(path)?);
            }
        }
        StageKind::RewardModel(config) => {
            if let RewardSource::File { data } = &config.source {
                lineage.insert(data.display().to_string(), models::hash_files(data)?);
            }
        }
        StageKind::Sft(sft) => {
            for path in sft.example_files() {
                lineage.insert(path.display().to_string(), models::hash_files(path)?);
            }
        }
        StageKind::Pretrain(_) | StageKind::Grpo(_) | StageKind::Compare(_) => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_device_comes_with_step_operation_and_what_to_do() {
        let failed = || ComputeError::Driver { operation: "flash_forward", name: "CUDA_ERROR_ECC".into(), text: "ecc".into() };
        let errors = [
            anyhow::Error::new(TrainError::from(failed())),
            anyhow::Error::new(RolloutError::from(failed())),
            anyhow::Error::new(ModelError::from(failed())),
            anyhow::Error::new(failed()),
        ];
        for error in errors {
            let text = format!("{:#}", advise(error.context("step 7")));
            for part in ["the same command goes on", "step 7", "flash_forward failed on the CUDA device: CUDA_ERROR_ECC"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
        let other = anyhow::anyhow!("no such file").context("step 7");
        assert_eq!(format!("{:#}", advise(other)), "step 7: no such file");
    }
}
