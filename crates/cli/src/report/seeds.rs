//! Several runs of one recipe.

use std::collections::BTreeMap;

use ruminate_tasks::statistics::mean_over_seeds;

use super::charts::Unit;
use super::ladder;
use super::model::{RunReport, SeedStage, StageReport};

/// The ladder over seeds; `None` with one run. A figure that a run lacks is not averaged.
pub(super) fn over_seeds(runs: &[RunReport]) -> Option<Vec<SeedStage>> {
    if runs.len() < 2 {
        return None;
    }
    let ids = stage_ids(runs);
    let of_stage = |id: &String| {
        let stages: Vec<&StageReport> = runs.iter().filter_map(|run| run.stages.iter().find(|stage| stage.id == *id)).collect();
        let mut figures = BTreeMap::new();
        for rung in ladder::RUNGS {
            let values: Vec<f64> = stages.iter().filter_map(|stage| Some(rung.of(stage)?.mean)).collect();
            if values.len() == runs.len() {
                let mut interval = mean_over_seeds(&values);
                // Student's interval knows nothing of the bounds of a share.
                if let (Unit::Share, Some(it)) = (rung.unit, &mut interval) {
                    (it.lo, it.hi) = (it.lo.max(0.0), it.hi.min(1.0));
                }
                figures.extend(interval.map(|interval| (rung.name, interval)));
            }
        }
        SeedStage { id: id.clone(), figures }
    };
    Some(ids.iter().map(of_stage).collect())
}

/// Ids of the stages of all runs, in the order in which they first appear.
pub(super) fn stage_ids(runs: &[RunReport]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for stage in runs.iter().flat_map(|run| &run.stages) {
        if !ids.contains(&stage.id) {
            ids.push(stage.id.clone());
        }
    }
    ids
}
