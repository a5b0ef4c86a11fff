//! `load`: takes a policy from a file.

use anyhow::{Context, Result};
use ruminate_model::Checkpoint;

use super::{StageContext, StageResult, own_checkpoint_path};
use crate::models::{builtin, resolve};
use crate::recipe::LoadConfig;
use crate::run_dir::{StageDir, io_context};

/// Checks that the policy can be read. It stays where it is; only a built-in one is written into the stage.
pub(super) fn run(ctx: &StageContext<'_>, dir: &StageDir, config: &LoadConfig) -> Result<StageResult> {
    let policy = if let Some(builtin) = builtin(&config.path)? {
        builtin.write(&dir.checkpoint())?;
        let stage_id = dir.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        own_checkpoint_path(&stage_id, dir)
    } else {
        let path = resolve(&config.path)?;
        // Absolute, so that the run can be continued from another working directory.
        path.canonicalize().with_context(io_context("open", &path))?
    };
    let checkpoint = Checkpoint::open(&ctx.run_dir.path().join(&policy))?;
    ctx.ui.say(&format!("{}: {} parameters", config.path, checkpoint.config.n_parameters()));
    Ok(StageResult { policy: Some(policy) })
}
