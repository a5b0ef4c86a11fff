//! Pictures and tables of a report's sections, apart from the curves over steps.

use std::collections::BTreeMap;

use anyhow::Result;
use ruminate_tasks::statistics::{CalibrationBin, Interval};
use serde::Serialize;

use super::charts::{BarChart, Dot, DotChart, Line, LineChart, N_COLORS, Node, Pen, Unit, graph};
use super::curves;
use super::ladder::{Estimate, RUNGS, Rung};
use super::model::{Comparison, Reflection, Report, RewardModel, RunReport, StageReport, Yield};
use super::seeds::stage_ids;
use crate::summary::mebibytes;

/// A picture with its legend.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    /// What it shows.
    pub(super) title: String,
    /// The picture.
    pub(super) svg: String,
    /// Names of its colours.
    pub(super) legend: Vec<Legend>,
}

/// A colour's name.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Legend {
    /// Index of the colour.
    pub(super) color: usize,
    /// Its name.
    pub(super) label: String,
}

/// Text cells; the first column names the row.
#[derive(Debug, Default, Serialize)]
pub(super) struct Table {
    /// What it tells.
    pub(super) caption: String,
    /// Names of the columns.
    pub(super) head: Vec<String>,
    /// The rows.
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new(caption: &str, head: &[&str]) -> Self {
        Self { caption: caption.to_owned(), head: head.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// Takes out columns that no row fills.
    fn drop_empty_columns(&mut self) {
        for column in (0..self.head.len()).rev() {
            if self.rows.iter().all(|row| row[column].is_empty()) {
                self.head.remove(column);
                self.rows.iter_mut().for_each(|row| drop(row.remove(column)));
            }
        }
    }
}

/// One figure of the ladder for each rung that any stage has.
///
/// # Errors
/// The plotting library's.
pub(super) fn ladder(report: &Report) -> Result<(Vec<Figure>, Vec<Table>)> {
    let mut figures = Vec::new();
    let ids = stage_ids(&report.runs);
    for rung in &RUNGS {
        let dots = ids.iter().flat_map(|id| rung_dots(report, rung, id)).collect();
        let chart =
            DotChart { title: format!("{} by stage", rung.label), x_label: rung.label.to_owned(), unit: rung.unit, mark: None, dots };
        figures.extend(chart.svg()?.map(|svg| Figure { title: rung.name.to_owned(), svg, legend: seed_legend(report) }));
    }
    let mut tables = Vec::new();
    if let Some(seeds) = &report.over_seeds {
        let mut table = ladder_table(&format!("Means over {} seeds with 95% intervals (Student)", report.runs.len()));
        for stage in seeds.iter().filter(|stage| !stage.figures.is_empty()) {
            let cell = |rung: &Rung| match stage.figures.get(rung.name) {
                Some(it) => shown(rung.unit, &Estimate { mean: it.mean, interval: Some((it.lo, it.hi)) }),
                None => String::new(),
            };
            table.rows.push(std::iter::once(stage.id.clone()).chain(RUNGS.iter().map(cell)).collect());
        }
        tables.push(table);
    }
    for run in &report.runs {
        let mut table = ladder_table(&format!("{}95% intervals over problems", prefix(report, run)));
        for stage in run.stages.iter().filter(|stage| stage.evaluation.is_some()) {
            let cell = |rung: &Rung| rung.of(stage).map_or_else(String::new, |estimate| shown(rung.unit, &estimate));
            table.rows.push(std::iter::once(stage.id.clone()).chain(RUNGS.iter().map(cell)).collect());
        }
        tables.push(table);
    }
    tables.retain(|table| !table.rows.is_empty());
    tables.iter_mut().for_each(Table::drop_empty_columns);
    tables.extend(report.runs.iter().filter_map(|run| kinds_table(report, run)));
    Ok((figures, tables))
}

fn ladder_table(caption: &str) -> Table {
    let names: Vec<&str> = std::iter::once("stage").chain(RUNGS.iter().map(|rung| rung.name)).collect();
    Table::new(caption, &names)
}

/// A stage's dots: one for each run, or the mean over seeds below them.
fn rung_dots(report: &Report, rung: &Rung, id: &str) -> Vec<Dot> {
    let mut dots = Vec::new();
    for (idx, run) in report.runs.iter().enumerate() {
        let Some(estimate) = run.stages.iter().find(|stage| stage.id == id).and_then(|stage| rung.of(stage)) else { continue };
        let label = if dots.is_empty() { id.to_owned() } else { String::new() };
        dots.push(Dot { label, color: idx, value: estimate.mean, interval: estimate.interval });
    }
    dots
}

fn seed_legend(report: &Report) -> Vec<Legend> {
    if report.runs.len() < 2 {
        return Vec::new();
    }
    let label = |(idx, run): (usize, &RunReport)| Legend { color: idx % N_COLORS, label: run_name(report, run) };
    report.runs.iter().enumerate().map(label).collect()
}

/// pass@1 by kind of problem.
fn kinds_table(report: &Report, run: &RunReport) -> Option<Table> {
    let evaluations = || run.stages.iter().filter_map(|stage| Some((stage, stage.evaluation.as_ref()?)));
    let kinds: std::collections::BTreeSet<&String> = evaluations().flat_map(|(_, it)| it.pass_at_1_by_kind.keys()).collect();
    if kinds.len() < 2 {
        return None;
    }
    let head: Vec<&str> = std::iter::once("stage").chain(kinds.iter().map(|kind| kind.as_str())).collect();
    let mut table = Table::new(&format!("{}pass@1 by kind of problem", prefix(report, run)), &head);
    for (stage, evaluation) in evaluations() {
        let cell = |kind: &&String| {
            evaluation.pass_at_1_by_kind.get(*kind).map_or_else(String::new, |it| shown(Unit::Share, &Estimate::from(*it)))
        };
        table.rows.push(std::iter::once(stage.id.clone()).chain(kinds.iter().map(cell)).collect());
    }
    Some(table)
}

/// How a run is called where there are several.
pub(super) fn run_name(report: &Report, run: &RunReport) -> String {
    let seeds: std::collections::BTreeSet<Option<u64>> = report.runs.iter().map(|run| run.seed).collect();
    match run.seed {
        Some(seed) if seeds.len() == report.runs.len() => format!("seed {seed}"),
        _ => run.path.clone(),
    }
}

/// The run's name before a caption, where there are several runs.
pub(super) fn prefix(report: &Report, run: &RunReport) -> String {
    if report.runs.len() > 1 { format!("{}: ", run_name(report, run)) } else { String::new() }
}

/// `42.0% [37.5, 46.5]`.
fn shown(unit: Unit, estimate: &Estimate) -> String {
    let (factor, sign) = if unit == Unit::Share { (100.0, "%") } else { (1.0, "") };
    let mean = format!("{:.1}{sign}", factor * estimate.mean);
    match estimate.interval {
        Some((lo, hi)) if lo.is_finite() => format!("{mean} [{:.1}, {:.1}]", factor * lo, factor * hi),
        _ => mean,
    }
}

/// Words over steps, and accuracy with and without them.
///
/// # Errors
/// The plotting library's.
pub(super) fn reflection(stages: &[(String, &StageReport)]) -> Result<(Vec<Figure>, Vec<Table>)> {
    let counted: Vec<(&String, &Reflection)> = stages.iter().filter_map(|(run, stage)| Some((run, stage.reflection.as_ref()?))).collect();
    let mut words: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for word in counted.iter().flat_map(|(_, reflection)| &reflection.words) {
        words.entry(word.word).or_default().push(&word.points);
        *totals.entry(word.word).or_default() += word.n;
    }
    let mut series: Vec<(&str, Vec<_>)> = words.into_iter().collect();
    series.sort_by_key(|(word, _)| std::cmp::Reverse(totals[word]));
    let mut figures = Vec::new();
    let shares = vec![("with at least one word", counted.iter().map(|(_, reflection)| &reflection.share).collect())];
    figures.extend(curves::figure("Completions that reflect", "completions, %", Unit::Share, &shares)?);
    for (idx, some) in series.chunks(4).enumerate() {
        let title = if idx == 0 { "Most frequent reflection words" } else { "Less frequent reflection words" };
        figures.extend(curves::figure(title, "words per completion", Unit::Number, some)?);
    }
    let mut tables = Vec::new();
    for (run, reflection) in &counted {
        let mut table = Table::new(
            &format!("{run}accuracy with and without reflection words, 95% intervals over problems"),
            &["kind", "with", "accuracy with", "without", "accuracy without", "difference within kind and tenth of training"],
        );
        for row in reflection.kinds.iter().chain([&reflection.all]) {
            let share = |it: Option<Interval>| it.map_or_else(String::new, |it| shown(Unit::Share, &it.into()));
            let difference = row.difference.as_ref().map_or_else(
                || "too few on one side".to_owned(),
                |it| {
                    let left_out = if it.n_left_out > 0 { format!("; {} left out", it.n_left_out) } else { String::new() };
                    format!("{}{left_out}", points(it.mean, it.lo, it.hi))
                },
            );
            table.rows.push(vec![
                row.kind.clone(),
                row.n_with.to_string(),
                share(row.with),
                row.n_without.to_string(),
                share(row.without),
                difference,
            ]);
        }
        tables.push(table);
        tables.push(words_table(run, reflection));
    }
    Ok((figures, tables))
}

fn words_table(run: &str, reflection: &Reflection) -> Table {
    let mut table = Table::new(&format!("{run}reflection words in {} training completions", reflection.n_completions), &["word", "number"]);
    table.rows = reflection.words.iter().map(|word| vec![word.word.to_owned(), word.n.to_string()]).collect();
    if !reflection.absent.is_empty() {
        table.rows.push(vec![reflection.absent.join(", "), "0".to_owned()]);
    }
    table
}

/// A difference of shares in points: `+3.1 points [0.2, 6.0]`.
fn points(mean: f64, lo: f64, hi: f64) -> String {
    format!("{:+.1} points [{:+.1}, {:+.1}]", 100.0 * mean, 100.0 * lo, 100.0 * hi)
}

/// What a collection kept and dropped.
///
/// # Errors
/// The plotting library's.
pub(super) fn yields(name: &str, yields: &Yield) -> Result<(Vec<Figure>, Table)> {
    let filters: std::collections::BTreeSet<&String> = yields.sources.iter().flat_map(|source| source.dropped.keys()).collect();
    let head: Vec<&str> = ["source", "sampled", "kept", "yield"].into_iter().chain(filters.iter().map(|name| name.as_str())).collect();
    let prompts = yields.n_prompts.map_or_else(String::new, |n| format!(", {n} prompts"));
    let mut table = Table::new(&format!("{name}: completions kept and dropped by filter{prompts}"), &head);
    for source in &yields.sources {
        let share = if source.sampled > 0 { format!("{:.1}%", 100.0 * source.kept as f64 / source.sampled as f64) } else { String::new() };
        let mut row = vec![source.source.clone(), source.sampled.to_string(), source.kept.to_string(), share];
        row.extend(filters.iter().map(|filter| source.dropped.get(*filter).copied().unwrap_or(0).to_string()));
        table.rows.push(row);
    }
    let colors: Vec<Legend> = std::iter::once("kept")
        .chain(filters.iter().map(|name| name.as_str()))
        .enumerate()
        .map(|(idx, label)| Legend { color: idx % N_COLORS, label: label.to_owned() })
        .collect();
    let bar = |source: &super::model::SourceYield| {
        let dropped = filters.iter().map(|filter| source.dropped.get(*filter).copied().unwrap_or(0));
        let parts = std::iter::once(source.kept).chain(dropped).enumerate();
        (source.source.clone(), parts.map(|(idx, n)| (idx % N_COLORS, n as f64)).collect())
    };
    let chart = BarChart {
        title: format!("{name}: what became of the completions"),
        x_label: "completions".to_owned(),
        bars: yields.sources.iter().map(bar).collect(),
    };
    let figure = chart.svg()?.map(|svg| Figure { title: format!("{name}: kept and dropped"), svg, legend: colors });
    Ok((figure.into_iter().collect(), table))
}

/// pass@1 against compute, and differences on the same problems.
///
/// # Errors
/// The plotting library's.
pub(super) fn comparison(stage: &str, comparison: &Comparison) -> Result<(Vec<Figure>, Vec<Table>)> {
    let dots = comparison.pairs.iter().map(|pair| Dot {
        label: format!("{} − {}", pair.after, pair.before),
        color: usize::from(!pair.significant) * (N_COLORS - 1),
        value: pair.difference.mean,
        interval: Some((pair.difference.lo, pair.difference.hi)),
    });
    let chart = DotChart {
        title: format!("{stage}: paired differences in pass@1"),
        x_label: "difference in pass@1, points".to_owned(),
        unit: Unit::Points,
        mark: Some(0.0),
        dots: dots.collect(),
    };
    let legend = vec![
        Legend { color: 0, label: "the interval leaves out 0".to_owned() },
        Legend { color: N_COLORS - 1, label: "it does not".to_owned() },
    ];
    let figures = chart.svg()?.map(|svg| Figure { title: "Paired differences".to_owned(), svg, legend }).into_iter().collect();
    let mut stages = Table::new(&format!("{stage}: the compared stages"), &["stage", "pass@1", "compute, floating-point operations"]);
    for compared in &comparison.stages {
        let pass = compared.pass_at_1.map_or_else(String::new, |it| shown(Unit::Share, &it.into()));
        stages.rows.push(vec![compared.id.clone(), pass, compared.flops.map_or_else(String::new, |flops| format!("{flops:.2e}"))]);
    }
    let mut pairs = Table::new(
        &format!("{stage}: differences on the same problems"),
        &["pair", "difference in pass@1", "problems", "significant at 5%"],
    );
    for pair in &comparison.pairs {
        let it = &pair.difference;
        let verdict = if pair.significant { "yes" } else { "no" };
        let name = format!("{} against {}", pair.after, pair.before);
        pairs.rows.push(vec![name, points(it.mean, it.lo, it.hi), it.n_problems.to_string(), verdict.to_owned()]);
    }
    Ok((figures, vec![stages, pairs]))
}

/// Calibration and accuracy of a reward model.
///
/// # Errors
/// The plotting library's.
pub(super) fn reward_model(name: &str, model: &RewardModel) -> Result<(Vec<Figure>, Table)> {
    let mut table = Table::new(&format!("{name}: the reward model"), &["figure", "value"]);
    let mut figures = Vec::new();
    if let Some(held_out) = &model.held_out {
        let mut row = |figure: &str, value: Option<String>| table.rows.extend(value.map(|value| vec![figure.to_owned(), value]));
        row("held-out accuracy", held_out.accuracy.map(|it| shown(Unit::Share, &it.into())));
        row("held-out loss, nats", held_out.loss.map(|loss| format!("{loss:.3}")));
        let calibration = held_out.calibration.as_ref();
        row("expected calibration error", calibration.map(|it| format!("{:.3}", it.ece)));
        row("length bias", held_out.length.as_ref().map(plain));
        figures.extend(calibration_figure(name, calibration.map_or(&[][..], |it| &it.bins))?);
    }
    table.rows.extend(model.more.iter().map(|(name, value)| vec![words(name), plain(value)]));
    Ok((figures, table))
}

fn calibration_figure(name: &str, bins: &[CalibrationBin]) -> Result<Option<Figure>> {
    if bins.is_empty() {
        return Ok(None);
    }
    let chart = LineChart {
        title: format!("{name}: calibration"),
        x_label: "predicted probability".to_owned(),
        y_label: "observed, %".to_owned(),
        unit: Unit::Share,
        bands: Vec::new(),
        lines: vec![
            Line { color: N_COLORS - 1, pen: Pen::Thin, points: vec![(0.0, 0.0), (1.0, 1.0)] },
            Line { color: 0, pen: Pen::Dots, points: bins.iter().map(|bin| (bin.predicted, bin.observed)).collect() },
        ],
    };
    let legend = vec![
        Legend { color: 0, label: "held-out pairs or labels".to_owned() },
        Legend { color: N_COLORS - 1, label: "perfectly calibrated".to_owned() },
    ];
    Ok(chart.svg()?.map(|svg| Figure { title: "Calibration".to_owned(), svg, legend }))
}

/// A key in words: `n_train` is the number of what is in train.
fn words(key: &str) -> String {
    let number = key.strip_prefix("n_").map(|rest| format!("number, {rest}"));
    number.unwrap_or_else(|| key.to_owned()).replace('_', " ")
}

/// A JSON value for people.
pub(super) fn plain(value: &serde_json::Value) -> String {
    if let Ok(interval) = serde_json::from_value::<Interval>(value.clone()) {
        return shown(Unit::Share, &interval.into());
    }
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => match number.as_f64() {
            Some(value) if value.fract() != 0.0 => format!("{value:.3}"),
            _ => number.to_string(),
        },
        serde_json::Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{} {}", words(name), plain(value))).collect::<Vec<_>>().join("; ")
        }
        serde_json::Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

/// Where time and memory went.
///
/// # Errors
/// The plotting library's.
pub(super) fn time(report: &Report, run: &RunReport) -> Result<(Vec<Figure>, Table)> {
    let phases: std::collections::BTreeSet<&String> = run.stages.iter().flat_map(|stage| stage.phases.keys()).collect();
    let head: Vec<&str> = ["stage", "seconds"]
        .into_iter()
        .chain(phases.iter().map(|name| name.as_str()))
        .chain(["peak memory", "floating-point operations"])
        .collect();
    let name = prefix(report, run);
    let mut table = Table::new(&format!("{name}seconds by phase"), &head);
    for stage in run.stages.iter().filter(|stage| stage.seconds > 0.0) {
        let mut row = vec![stage.id.clone(), format!("{:.1}", stage.seconds)];
        row.extend(phases.iter().map(|phase| stage.phases.get(*phase).map_or_else(String::new, |seconds| format!("{seconds:.1}"))));
        row.push(stage.peak_bytes.map_or_else(String::new, mebibytes));
        row.push(stage.flops.map_or_else(String::new, |flops| format!("{flops:.2e}")));
        table.rows.push(row);
    }
    let bar = |stage: &StageReport| {
        let parts = phases.iter().enumerate().map(|(idx, phase)| (idx % N_COLORS, stage.phases.get(*phase).copied().unwrap_or(0.0)));
        (stage.id.clone(), parts.collect())
    };
    let chart = BarChart {
        title: format!("{name}seconds by stage and phase"),
        x_label: "seconds".to_owned(),
        bars: run.stages.iter().filter(|stage| stage.seconds > 0.0).map(bar).collect(),
    };
    let legend = phases.iter().enumerate().map(|(idx, phase)| Legend { color: idx % N_COLORS, label: (*phase).clone() }).collect();
    let figures = chart.svg()?.map(|svg| Figure { title: format!("{name}seconds by stage"), svg, legend }).into_iter().collect();
    Ok((figures, table))
}

/// Stages and files, and what was made from what.
///
/// # Errors
/// The plotting library's.
pub(super) fn lineage(run: &RunReport) -> Result<(Option<Figure>, Table)> {
    let kinds: Vec<&str> = run.stages.iter().fold(Vec::new(), |mut kinds, stage| {
        if !kinds.contains(&stage.kind.as_str()) {
            kinds.push(&stage.kind);
        }
        kinds
    });
    let place = |id: &str| run.stages.iter().position(|stage| stage.id == id);
    let mut files: Vec<&String> = run.stages.iter().flat_map(|stage| &stage.reads).filter(|name| place(name).is_none()).collect();
    files.sort();
    files.dedup();
    // Files stand in the first row, each stage below all that it reads. Stages come after those they read.
    let mut rows: Vec<usize> = Vec::new();
    for stage in &run.stages {
        let below = stage.reads.iter().filter_map(|name| rows.get(place(name)?).map(|row| row + 1)).max();
        rows.push(below.unwrap_or(0).max(usize::from(!files.is_empty())));
    }
    let mut in_row: BTreeMap<usize, usize> = BTreeMap::new();
    let mut column = |row: usize| {
        let next = in_row.entry(row).or_default();
        *next += 1;
        *next - 1
    };
    let file_name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let mut nodes: Vec<Node> = run
        .stages
        .iter()
        .zip(&rows)
        .map(|(stage, &row)| {
            let color = kinds.iter().position(|kind| *kind == stage.kind).unwrap_or(0) % (N_COLORS - 1);
            Node { name: stage.id.clone(), detail: stage.kind.clone(), color, row, column: column(row) }
        })
        .collect();
    for file in &files {
        nodes.push(Node { name: file_name(file), detail: "input".to_owned(), color: N_COLORS - 1, row: 0, column: column(0) });
    }
    let node = |name: &String| place(name).or_else(|| Some(run.stages.len() + files.iter().position(|file| *file == name)?));
    let edges: Vec<(usize, usize)> =
        run.stages.iter().enumerate().flat_map(|(to, stage)| stage.reads.iter().filter_map(node).map(move |from| (from, to))).collect();
    let svg = graph("stages and what they read", &nodes, &edges)?;
    let mut table = Table::new("Stages and hashes of what they depend on", &["stage", "kind", "state", "hash of its inputs", "reads"]);
    for stage in &run.stages {
        let reads = stage.reads.iter().map(|name| match stage.lineage.get(name) {
            Some(hash) => format!("{name} ({})", hash.get(..12).unwrap_or(hash)),
            None => name.clone(),
        });
        table.rows.push(vec![
            stage.id.clone(),
            stage.kind.clone(),
            stage.state.words().to_owned(),
            stage.inputs_hash.clone().unwrap_or_default(),
            reads.collect::<Vec<_>>().join(", "),
        ]);
    }
    Ok((svg.map(|svg| Figure { title: "What was made from what".to_owned(), svg, legend: Vec::new() }), table))
}
