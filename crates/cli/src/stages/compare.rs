//! `compare`: policies held against each other on the same problems, with what they cost. The stage writes `comparison.json`; the
//! command `ruminate compare` prints the same of any finished stages.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use comfy_table::{CellAlignment, Table, presets};
use ruminate_core::RolloutGroup;
use ruminate_tasks::statistics::{Interval, SignTest, Tally, paired_difference, pass_at_1, sign_test};
use serde::{Deserialize, Serialize};

use super::evaluate::{is_general, percent, tally};
use super::{StageContext, StageResult};
use crate::recipe::CompareConfig;
use crate::run_dir::{StageDir, StageState, read_jsonl, write_json};

/// `comparison.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// The stages, in the order asked for.
    pub(crate) stages: Vec<ComparedStage>,
    /// Every pair of them, the earlier one of the order first.
    pub(crate) pairs: Vec<ComparedPair>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ComparedStage {
    /// Its id.
    pub(crate) id: String,
    /// On the problems with a right answer.
    pub(crate) pass_at_1: Interval,
    /// On requests of general kinds; `None` without any.
    pub(crate) general: Option<Interval>,
    /// Floating-point operations of the stage: training, and sampling for it.
    pub(crate) flops: f64,
    /// The part of them that sampling took.
    pub(crate) sampling_flops: f64,
}

/// Two stages on the same problems.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ComparedPair {
    /// Id of the stage that is compared with.
    pub(crate) before: String,
    /// Id of the stage that is compared.
    pub(crate) after: String,
    /// Mean of after − before over the problems, with its 95% interval.
    pub(crate) difference: Interval,
    /// Problems that went either way.
    pub(crate) sign_test: SignTest,
    /// Whether the interval leaves out 0.
    pub(crate) significant: bool,
}

/// The evaluation of one stage, problem by problem.
struct Evaluated {
    stage: ComparedStage,
    /// Tallies by problem id and question: ids of different data can be alike.
    tallies: BTreeMap<(String, String), Tally>,
}

/// Compares the stages and writes the result.
pub(super) fn run(ctx: &StageContext<'_>, dir: &StageDir, config: &CompareConfig) -> Result<StageResult> {
    let stages: Vec<(&str, StageDir)> = config.stages.iter().map(|id| (id.as_str(), ctx.run_dir.stage(id))).collect();
    let comparison = compare(&stages)?;
    ctx.ui.say(&table(&comparison));
    write_json(&dir.path().join("comparison.json"), &comparison)?;
    Ok(StageResult { policy: None })
}

/// Compares finished stages by the files they left.
///
/// # Errors
/// A stage that has not run or was not evaluated; stages that were evaluated on different problems.
pub(crate) fn compare(stages: &[(&str, StageDir)]) -> Result<Comparison> {
    let evaluated = stages.iter().map(|(id, dir)| read(id, dir)).collect::<Result<Vec<_>>>()?;
    let mut pairs = Vec::new();
    for (idx, before) in evaluated.iter().enumerate() {
        for after in &evaluated[idx + 1..] {
            pairs.push(pair(before, after)?);
        }
    }
    Ok(Comparison { stages: evaluated.into_iter().map(|evaluated| evaluated.stage).collect(), pairs })
}

fn read(id: &str, dir: &StageDir) -> Result<Evaluated> {
    let manifest = dir.manifest()?.with_context(|| format!("stage '{id}' has not run, expected its record in {}", dir.path().display()))?;
    if manifest.state != StageState::Done {
        bail!("stage '{id}' is not done yet; run its recipe to the end first");
    }
    let path = dir.evaluation_rollouts();
    let groups: Vec<RolloutGroup> = read_jsonl(&path)?;
    let (general, checkable): (Vec<&RolloutGroup>, Vec<&RolloutGroup>) = groups.iter().partition(|group| is_general(&group.problem));
    let tallies = |groups: &[&RolloutGroup]| groups.iter().map(|group| tally(group)).collect::<Vec<_>>();
    let Some(of_checkable) = pass_at_1(&tallies(&checkable)) else {
        bail!(
            "stage '{id}' was not evaluated, expected problems with a right answer in {}; give the recipe an [evaluation], and the stage no \
             evaluate = false",
            path.display()
        );
    };
    let stage = ComparedStage {
        id: id.to_owned(),
        pass_at_1: of_checkable,
        general: pass_at_1(&tallies(&general)),
        flops: manifest.flops,
        sampling_flops: manifest.sampling_flops,
    };
    let key = |group: &RolloutGroup| (group.problem.id.0.clone(), group.problem.question.clone());
    Ok(Evaluated { stage, tallies: checkable.into_iter().map(|group| (key(group), tally(group))).collect() })
}

fn pair(before: &Evaluated, after: &Evaluated) -> Result<ComparedPair> {
    let (a, b) = (&before.stage.id, &after.stage.id);
    let missing = |from: &Evaluated, of: &Evaluated| from.tallies.keys().find(|key| !of.tallies.contains_key(*key)).cloned();
    for (has, lacks, found) in [(a, b, missing(before, after)), (b, a, missing(after, before))] {
        if let Some((id, _)) = found {
            bail!(
                "stages '{a}' and '{b}' were evaluated on different problems: expected '{id}' in both, found it in '{has}' and not in '{lacks}'"
            );
        }
    }
    let tallies = |of: &Evaluated| of.tallies.values().copied().collect::<Vec<_>>();
    let (before_tallies, after_tallies) = (tallies(before), tallies(after));
    let different = || format!("stages '{a}' and '{b}': expected samples of the same problems");
    let difference = paired_difference(&before_tallies, &after_tallies).with_context(different)?;
    Ok(ComparedPair {
        before: a.clone(),
        after: b.clone(),
        difference,
        sign_test: sign_test(&before_tallies, &after_tallies).with_context(different)?,
        significant: difference.lo > 0.0 || difference.hi < 0.0,
    })
}

/// The comparison for people.
pub(crate) fn table(comparison: &Comparison) -> String {
    let mut stages = Table::new();
    stages.load_style(presets::UTF8_HORIZONTAL_ONLY);
    stages.set_header(["stage", "pass@1 [95%]", "general [95%]", "FLOPs", "of them sampling"]);
    for stage in &comparison.stages {
        stages.add_row([
            stage.id.clone(),
            percent(&stage.pass_at_1),
            stage.general.as_ref().map_or_else(String::new, percent),
            format!("{:.2e}", stage.flops),
            format!("{:.2e}", stage.sampling_flops),
        ]);
    }
    let mut pairs = Table::new();
    pairs.load_style(presets::UTF8_HORIZONTAL_ONLY);
    pairs.set_header(["from", "to", "difference [95%]", "better", "worse", "sign test p"]);
    for pair in &comparison.pairs {
        let Interval { mean, lo, hi, .. } = pair.difference;
        let mark = if pair.significant { " *" } else { "" };
        pairs.add_row([
            pair.before.clone(),
            pair.after.clone(),
            format!("{:+.1}% [{:+.1}, {:+.1}]{mark}", 100.0 * mean, 100.0 * lo, 100.0 * hi),
            pair.sign_test.n_better.to_string(),
            pair.sign_test.n_worse.to_string(),
            format!("{:.2e}", pair.sign_test.p_value),
        ]);
    }
    for (table, first) in [(&mut stages, 1), (&mut pairs, 2)] {
        for column in first..6 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let n = comparison.pairs.first().map_or(0, |pair| pair.difference.n_problems);
    format!("{stages}\n{pairs}\n{n} problems, compared one by one; * the interval leaves out 0")
}
