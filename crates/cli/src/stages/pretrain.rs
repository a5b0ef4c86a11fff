//! `pretrain`: not built yet.

use anyhow::{Result, bail};

use super::{StageContext, StageResult};
use crate::recipe::PretrainConfig;
use crate::run_dir::StageDir;

/// Says that it cannot run yet.
pub(super) fn run(_: &StageContext<'_>, _: &str, _: &StageDir, _: &PretrainConfig) -> Result<StageResult> {
    bail!("stages of kind 'pretrain' cannot run yet")
}
