//! When a stage of reinforcement learning is over: after so many steps, or when it has cost as much as another stage.

use anyhow::{Context, Result, bail};
use ruminate_core::RolloutGroup;
use ruminate_model::{ModelConfig, flops};

use super::{COMPUTE_KEY, Learned, SAMPLING_KEY, StageContext};
use crate::recipe::GrpoConfig;
use crate::run_dir::StageDir;
use crate::stages::spent;

/// Units of progress where compute is what counts.
const PER_MILLE: u64 = 1000;

/// How far a stage is, and how far it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Goal {
    steps: Option<u64>,
    /// Floating-point operations.
    budget: Option<f64>,
    preference_from: f64,
    step: u64,
    spent: f64,
}

impl Goal {
    /// The goal of a stage that has made `step` steps; what they cost stands in its metrics.
    ///
    /// # Errors
    /// `compute_of` a stage that is not done or has spent nothing.
    pub(super) fn of(ctx: &StageContext<'_>, config: &GrpoConfig, dir: &StageDir, step: u64) -> Result<Self> {
        let budget = |id: &String| {
            let manifest = ctx.run_dir.stage(id).manifest()?.with_context(|| format!("compute_of: stage '{id}' has not run"))?;
            if manifest.flops <= 0.0 {
                bail!("compute_of: expected a stage that trains, found '{id}', which has spent no compute");
            }
            Ok(manifest.flops)
        };
        let budget = config.compute_of.as_ref().map(budget).transpose()?;
        let preference_from = f64::from(config.preference_from.unwrap_or(0.0));
        Ok(Self { steps: config.steps, budget, preference_from, step, spent: spent(&dir.metrics())?.total })
    }

    /// Counts a round, and gives back what it cost.
    pub(super) fn spend(
        &mut self,
        config: &ModelConfig,
        groups: &[RolloutGroup],
        learned: &Learned,
        step: u64,
    ) -> [(&'static str, f64); 2] {
        let of_group = |group: &RolloutGroup| {
            let lengths = group.rollouts.iter().map(|rollout| rollout.completion.token_ids.len());
            flops::sampling(config, group.prompt_ids.len(), lengths)
        };
        let sampling: f64 = groups.iter().map(of_group).sum();
        self.step = step;
        self.spent += sampling + learned.flops;
        [(COMPUTE_KEY, sampling + learned.flops), (SAMPLING_KEY, sampling)]
    }

    /// Share of the stage that is done, by whatever ends it first; 1 or more is all of it.
    fn share_done(&self) -> f64 {
        let of_steps = self.steps.map_or(0.0, |steps| self.step as f64 / steps as f64);
        let of_budget = self.budget.map_or(0.0, |budget| self.spent / budget);
        of_steps.max(of_budget)
    }

    /// Whether the stage is over.
    pub(super) fn is_reached(&self) -> bool {
        self.share_done() >= 1.0
    }

    /// Whether what reward models say counts in the next round.
    pub(super) fn preference_counts(&self) -> bool {
        self.share_done() >= self.preference_from
    }

    /// Steps that the next round makes at most.
    pub(super) fn steps_left(&self) -> usize {
        self.steps.map_or(usize::MAX, |steps| (steps - self.step) as usize)
    }

    /// Steps of the whole stage at most, for schedules. Those of presets are constant after warm-up.
    pub(super) fn n_steps(&self) -> u64 {
        self.steps.unwrap_or(u64::MAX)
    }

    /// Length of the progress bar.
    pub(super) fn n_units(&self) -> u64 {
        if self.budget.is_some() { PER_MILLE } else { self.n_steps() }
    }

    /// Its position.
    pub(super) fn units(&self) -> u64 {
        if self.budget.is_some() { (self.share_done().min(1.0) * PER_MILLE as f64) as u64 } else { self.step }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOAL: Goal = Goal { steps: None, budget: None, preference_from: 0.75, step: 0, spent: 0.0 };

    #[test]
    fn what_ends_first_counts() {
        let of = |steps, budget, step, spent| Goal { steps, budget, step, spent, ..GOAL };
        assert!(!of(Some(10), None, 9, 1e9).is_reached() && of(Some(10), None, 10, 0.0).is_reached());
        assert!(!of(None, Some(100.0), 1000, 99.0).is_reached() && of(None, Some(100.0), 1, 100.0).is_reached());
        assert!(of(Some(10), Some(100.0), 10, 1.0).is_reached() && of(Some(10), Some(100.0), 1, 150.0).is_reached());
        assert_eq!((of(Some(10), None, 4, 0.0).steps_left(), of(None, Some(1.0), 4, 0.0).steps_left()), (6, usize::MAX));
        assert_eq!((of(None, Some(100.0), 7, 25.0).units(), of(None, Some(100.0), 7, 25.0).n_units()), (250, 1000));
        assert_eq!((of(Some(10), None, 7, 25.0).units(), of(Some(10), None, 7, 25.0).n_units()), (7, 10));
    }

    #[test]
    fn preference_counts_in_the_last_part() {
        // R1: the last 400 of 1,700 steps.
        let at = |step| Goal { steps: Some(1700), preference_from: 1300.0 / 1700.0, step, ..GOAL }.preference_counts();
        assert!(!at(0) && !at(1299) && at(1300) && at(1699));
        assert!(Goal { steps: Some(1), preference_from: 0.0, ..GOAL }.preference_counts());
    }
}
