//! The ladder: what each stage's policy can do, with 95% intervals.

use super::charts::Unit;
use super::model::{EvaluationFigures, StageReport};
use ruminate_tasks::statistics::Interval;

/// A figure of the ladder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rung {
    /// Short name, as in `--json`.
    pub(super) name: &'static str,
    /// What it is, for the axis.
    pub(super) label: &'static str,
    /// What its numbers are.
    pub(super) unit: Unit,
    of: fn(&EvaluationFigures) -> Option<Estimate>,
}

/// A value, with its interval if that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    /// The value.
    pub(super) mean: f64,
    /// Its 95% interval.
    pub(super) interval: Option<(f64, f64)>,
}

impl From<Interval> for Estimate {
    fn from(interval: Interval) -> Self {
        Self { mean: interval.mean, interval: Some((interval.lo, interval.hi)) }
    }
}

/// The figures, in the order in which they are shown.
pub(super) const RUNGS: [Rung; 6] = [
    Rung { name: "pass@1", label: "pass@1, % of completions", unit: Unit::Share, of: |it| it.pass_at_1.map(Estimate::from) },
    Rung { name: "cons@k", label: "cons@k, % of problems", unit: Unit::Share, of: |it| it.cons_at_k.map(Estimate::from) },
    Rung { name: "general", label: "general requests met, %", unit: Unit::Share, of: |it| it.general.map(Estimate::from) },
    Rung { name: "form", label: "well-formed completions, %", unit: Unit::Share, of: |it| with_spread(it, it.format_share, "form") },
    Rung {
        name: "language",
        label: "words in the target language, %",
        unit: Unit::Share,
        of: |it| with_spread(it, it.language_share, "language"),
    },
    Rung { name: "length", label: "response length, tokens", unit: Unit::Number, of: |it| with_spread(it, it.response_length, "tokens") },
];

impl Rung {
    /// The figure of a stage, if it was evaluated.
    pub(super) fn of(&self, stage: &StageReport) -> Option<Estimate> {
        (self.of)(stage.evaluation.as_ref()?)
    }
}

/// The figure that the stage recorded is a mean over completions, the interval one of means over problems: the interval is moved to
/// the figure.
fn with_spread(evaluation: &EvaluationFigures, mean: Option<f64>, name: &str) -> Option<Estimate> {
    let mean = mean?;
    let interval = evaluation.spreads.get(name).map(|it| (it.lo - it.mean + mean, it.hi - it.mean + mean));
    Some(Estimate { mean, interval })
}
