//! Figures over steps: which are shown together, and how runs with different seeds are laid over each other.

use std::collections::BTreeMap;

use anyhow::Result;
use ruminate_tasks::statistics::mean_over_seeds;

use super::charts::{Band, Line, LineChart, N_COLORS, Pen, Unit};
use super::figures::{Figure, Legend};
use super::model::{Points, StageReport};

/// Most points of a line: more cannot be seen at this width.
const MAX_POINTS: usize = 300;

/// With so few points each one is marked.
const FEW: usize = 24;

/// Figures that are shown in one chart.
struct Group {
    title: &'static str,
    y_label: &'static str,
    unit: Unit,
    /// Key in `metrics.jsonl`, and its name in the legend.
    keys: &'static [(&'static str, &'static str)],
}

const GROUPS: &[Group] = &[
    group("Reward", "reward", Unit::Number, &[("rl/reward_mean", "mean of completions")]),
    group("Accuracy", "right answers, %", Unit::Share, &[("rl/accuracy", "training"), ("eval/pass@1", "held-out pass@1")]),
    group("Response length", "tokens", Unit::Number, &[("rl/response_length_mean", "training"), ("eval/response_length_mean", "held-out")]),
    group("Format", "well-formed, %", Unit::Share, &[("rl/format_share", "training"), ("eval/format_share", "held-out")]),
    group("Language", "target-language words, %", Unit::Share, &[("rl/language_share", "training"), ("eval/language_share", "held-out")]),
    group("Entropy", "nats per token", Unit::Number, &[("rl/entropy", "policy")]),
    group("KL divergence from the reference", "nats per token", Unit::Number, &[("rl/ref_kl", "policy to reference")]),
    group("KL divergence of an update", "nats per token", Unit::Number, &[("rl/update_kl", "within a round")]),
    group(
        "Clipped tokens",
        "tokens, %",
        Unit::Share,
        &[("rl/clip_low_share", "low"), ("rl/clip_high_share", "high"), ("rl/dual_clip_share", "dual")],
    ),
    group("Gradient norm", "norm before clipping", Unit::Number, &[("rl/grad_norm", "gradient")]),
    group("Groups that teach", "groups with mixed rewards, %", Unit::Share, &[("rl/informative_share", "informative")]),
    group("Cut off by the budget", "completions, %", Unit::Share, &[("rl/truncated_share", "training")]),
    group("Sampling against training", "nats, largest difference", Unit::Number, &[("rl/mismatch_max", "log-probability")]),
    group("Difficulty memory", "problems, %", Unit::Share, &[("rl/solved_share", "solved"), ("rl/hopeless_share", "hopeless")]),
    group("Loss", "nats per token", Unit::Number, &[("sft/loss", "training"), ("sft/held_out_loss", "held out")]),
    group("Gradient norm", "norm before clipping", Unit::Number, &[("sft/grad_norm", "gradient")]),
    group("Learning rate", "learning rate", Unit::Number, &[("sft/learning_rate", "learning rate")]),
    group("Loss", "nats per token", Unit::Number, &[("pretrain/loss", "training")]),
    group("Loss", "nats per pair or label", Unit::Number, &[("rm/loss", "training"), ("rm/held_out_loss", "held out")]),
    group("Accuracy", "pairs or labels, %", Unit::Share, &[("rm/accuracy", "training"), ("rm/held_out_accuracy", "held out")]),
];

const fn group(title: &'static str, y_label: &'static str, unit: Unit, keys: &'static [(&'static str, &'static str)]) -> Group {
    Group { title, y_label, unit, keys }
}

/// Prefix of the reward's components, before they are weighted.
const COMPONENT: &str = "reward/";

/// Keys that count and have no course to look at.
const COUNTS: [&str; 2] = ["rl/optimizer_steps", "rl/tokens_sampled"];

/// What the keys of an interval's ends have behind the key of its value.
const ENDS: [&str; 2] = ["_lo", "_hi"];

/// The charts of one stage of one run, or of the same stage of several: those that everyone looks at, then all others.
///
/// # Errors
/// The plotting library's.
pub(super) fn charts(stages: &[&StageReport]) -> Result<(Vec<Figure>, Vec<Figure>)> {
    let keys: std::collections::BTreeSet<&str> = stages.iter().flat_map(|stage| stage.curves.keys().map(String::as_str)).collect();
    let mut main = Vec::new();
    for group in GROUPS {
        let keys: Vec<(&str, &str)> = group.keys.iter().copied().filter(|(key, _)| keys.contains(key)).collect();
        main.extend(chart(stages, group.title, group.y_label, group.unit, &keys)?);
        if group.title == "Reward" {
            main.extend(components(stages, "Rewards by component, before weights", COMPONENT)?);
        }
    }
    let is_shown = |key: &str| GROUPS.iter().any(|group| group.keys.iter().any(|(known, _)| *known == key));
    let mut others = Vec::new();
    let is_end = |key: &str| ENDS.iter().any(|end| key.strip_suffix(end).is_some_and(|value| keys.contains(value)));
    for key in keys.iter().filter(|key| !is_shown(key) && !is_end(key) && !key.starts_with(COMPONENT) && !COUNTS.contains(key)) {
        let unit = if key.ends_with("_share") { Unit::Share } else { Unit::Number };
        others.extend(chart(stages, key, key, unit, &[(key, key)])?);
    }
    Ok((main, others))
}

fn components(stages: &[&StageReport], title: &str, prefix: &str) -> Result<Option<Figure>> {
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for key in stages.iter().flat_map(|stage| stage.curves.keys()) {
        if let Some(name) = key.strip_prefix(prefix)
            && !keys.iter().any(|(known, _)| known == key)
        {
            keys.push((key, name));
        }
    }
    chart(stages, title, "reward", Unit::Number, &keys)
}

fn chart(stages: &[&StageReport], title: &str, y_label: &str, unit: Unit, keys: &[(&str, &str)]) -> Result<Option<Figure>> {
    let series: Vec<(&str, Vec<&Points>)> =
        keys.iter().map(|&(key, name)| (name, stages.iter().filter_map(|stage| stage.curves.get(key)).collect())).collect();
    // Several seeds have the interval of their mean instead.
    let bands = match stages {
        [stage] => keys.iter().enumerate().filter_map(|(idx, (key, _))| interval(&stage.curves, key, idx % N_COLORS)).collect(),
        _ => Vec::new(),
    };
    draw(title, y_label, unit, &series, bands)
}

/// The interval around the values of a key, where the run has written its ends.
fn interval(curves: &BTreeMap<String, Points>, key: &str, color: usize) -> Option<Band> {
    let [lo, hi] = ENDS.map(|end| curves.get(&format!("{key}{end}")));
    let hi: BTreeMap<u64, f64> = hi?.iter().map(|&(step, hi)| (step as u64, hi)).collect();
    let points = lo?.iter().filter_map(|&(step, lo)| Some((step, lo, *hi.get(&(step as u64))?))).collect();
    Some(Band { color, points })
}

/// A chart over steps of named series, each with the points of one run or of several.
///
/// # Errors
/// The plotting library's.
pub(super) fn figure(title: &str, y_label: &str, unit: Unit, series: &[(&str, Vec<&Points>)]) -> Result<Option<Figure>> {
    draw(title, y_label, unit, series, Vec::new())
}

fn draw(title: &str, y_label: &str, unit: Unit, series: &[(&str, Vec<&Points>)], mut bands: Vec<Band>) -> Result<Option<Figure>> {
    let (mut lines, mut legend) = (Vec::new(), Vec::new());
    for (idx, (name, runs)) in series.iter().filter(|(_, runs)| !runs.is_empty()).enumerate() {
        let color = idx % N_COLORS;
        legend.push(Legend { color, label: (*name).to_owned() });
        if runs.len() == 1 {
            lines.extend(lines_of_one(color, runs[0]));
        } else {
            lines.extend(runs.iter().map(|points| Line { color, pen: Pen::Thin, points: thinned(points) }));
            let (mean, band) = over_seeds(runs);
            lines.push(Line { color, pen: if mean.len() <= FEW { Pen::Dots } else { Pen::Bold }, points: mean });
            bands.push(Band { color, points: band });
        }
    }
    let chart = LineChart {
        title: format!("{title} over optimizer steps"),
        x_label: "optimizer steps".to_owned(),
        y_label: y_label.to_owned(),
        unit,
        bands,
        lines,
    };
    // One series is named by the title.
    if legend.len() < 2 {
        legend.clear();
    }
    Ok(chart.svg()?.map(|svg| Figure { title: title.to_owned(), svg, legend }))
}

/// Few points as they are; many as a pale line with their moving mean.
fn lines_of_one(color: usize, points: &Points) -> Vec<Line> {
    if points.len() <= FEW {
        return vec![Line { color, pen: Pen::Dots, points: points.clone() }];
    }
    let smooth = moving_mean(points, points.len() / 20);
    vec![Line { color, pen: Pen::Thin, points: thinned(points) }, Line { color, pen: Pen::Bold, points: thinned(&smooth) }]
}

/// Mean of each point with `half` points on either side, fewer at the ends.
fn moving_mean(points: &Points, half: usize) -> Points {
    let mean_at = |idx: usize| {
        let half = half.min(idx).min(points.len() - 1 - idx);
        let window = &points[idx - half..=idx + half];
        (points[idx].0, window.iter().map(|point| point.1).sum::<f64>() / window.len() as f64)
    };
    (0..points.len()).map(mean_at).collect()
}

/// At most [`MAX_POINTS`] points, means of neighbours.
fn thinned(points: &Points) -> Points {
    let size = points.len().div_ceil(MAX_POINTS).max(1);
    let mean = |chunk: &[(f64, f64)]| {
        let n = chunk.len() as f64;
        (chunk.iter().map(|point| point.0).sum::<f64>() / n, chunk.iter().map(|point| point.1).sum::<f64>() / n)
    };
    points.chunks(size).map(mean).collect()
}

/// Mean and interval at the steps that all runs have, smoothed over neighbours as single runs are.
fn over_seeds(runs: &[&Points]) -> (Points, Vec<(f64, f64, f64)>) {
    let mut at: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for points in runs {
        let half = if points.len() <= FEW { 0 } else { points.len() / 20 };
        for (step, value) in moving_mean(points, half) {
            at.entry(step as u64).or_default().push(value);
        }
    }
    let complete: Vec<(f64, Vec<f64>)> =
        at.into_iter().filter(|(_, values)| values.len() == runs.len()).map(|(step, values)| (step as f64, values)).collect();
    let every = complete.len().div_ceil(MAX_POINTS).max(1);
    let (mut mean, mut band) = (Points::new(), Vec::new());
    for (step, values) in complete.iter().step_by(every) {
        if let Some(interval) = mean_over_seeds(values) {
            mean.push((*step, interval.mean));
            if interval.lo.is_finite() {
                band.push((*step, interval.lo, interval.hi));
            }
        }
    }
    (mean, band)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_means_keep_their_ends_and_lines() {
        let points: Points = (0..9).map(|i| (f64::from(i), f64::from(i) * 2.0)).collect();
        assert_eq!(moving_mean(&points, 3), points, "a straight line stays straight");
        let peak: Points = vec![(0.0, 0.0), (1.0, 0.0), (2.0, 3.0), (3.0, 0.0), (4.0, 0.0)];
        let means: Vec<f64> = moving_mean(&peak, 1).iter().map(|point| point.1).collect();
        assert_eq!(means, [0.0, 1.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn ends_of_an_interval_are_its_band() {
        let curve = |value: f64| vec![(10.0, value), (20.0, value + 1.0)];
        let named = [("eval/pass@1", 0.5), ("eval/pass@1_lo", 0.25), ("eval/pass@1_hi", 0.75)];
        let curves = named.map(|(key, value)| (key.to_owned(), curve(value))).into();
        let band = interval(&curves, "eval/pass@1", 1).unwrap();
        assert_eq!((band.color, band.points), (1, vec![(10.0, 0.25, 0.75), (20.0, 1.25, 1.75)]));
        assert!(interval(&curves, "rl/accuracy", 0).is_none());
        let series = [("held-out", vec![&curves["eval/pass@1"]])];
        let drawn = |bands| draw("Accuracy", "right", Unit::Share, &series, bands).unwrap().unwrap().svg;
        let band = || interval(&curves, "eval/pass@1", 0).into_iter().collect();
        assert!(drawn(band()).matches("<polygon").count() == drawn(Vec::new()).matches("<polygon").count() + 1);
    }

    #[test]
    fn long_lines_are_thinned_to_means() {
        let points: Points = (0..1000).map(|i| (f64::from(i), f64::from(i % 4))).collect();
        let thin = thinned(&points);
        assert_eq!((thin.len(), thin[0]), (250, (1.5, 1.5)));
        assert_eq!(thinned(&points[..300].to_vec()).len(), 300);
    }

    #[test]
    fn seeds_are_averaged_where_all_of_them_have_a_step() {
        let (a, b): (Points, Points) = (vec![(0.0, 1.0), (1.0, 2.0), (2.0, 9.0)], vec![(0.0, 3.0), (1.0, 2.0)]);
        let (mean, band) = over_seeds(&[&a, &b]);
        assert_eq!(mean, [(0.0, 2.0), (1.0, 2.0)]);
        // s/sqrt(2) = 1, t = 12.706.
        assert!((band[0].2 - 2.0 - 12.706_205).abs() < 1e-9 && band[1] == (1.0, 2.0, 2.0), "{band:?}");
    }
}
