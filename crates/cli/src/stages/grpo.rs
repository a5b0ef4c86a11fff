//! `grpo`: not built yet.

use anyhow::{Result, bail};

use super::{StageContext, StageResult};
use crate::recipe::GrpoConfig;
use crate::run_dir::StageDir;

/// Says that it cannot run yet.
pub(super) fn run(_: &StageContext<'_>, _: &str, _: &StageDir, _: &GrpoConfig) -> Result<StageResult> {
    bail!("stages of kind 'grpo' cannot run yet")
}
