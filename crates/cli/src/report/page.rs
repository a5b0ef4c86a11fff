//! The page: one HTML file with its style, its script, its pictures and its data.
//!
//! What models and problems say is hostile. The template escapes every value, the script puts text into text nodes only, and a content
//! security policy lets nothing run or load that does not carry the page's nonce.

use anyhow::{Context as _, Result};
use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;

use super::choose::{MAX_BYTES, MAX_SAMPLES};
use super::curves;
use super::figures::{self, Figure, Table, prefix, run_name};
use super::model::{Report, RunReport, StageReport};
use super::seeds::stage_ids;
use crate::machine::place;
use crate::summary::mebibytes;

const TEMPLATE: &str = include_str!("assets/report.html");
const STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");
const LIVE_SCRIPT: &str = include_str!("assets/live.js");

/// What the page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A file that stands alone.
    File,
    /// Served for a run in progress: it asks its server for news.
    Live,
}

/// One stage's section.
#[derive(Debug, Serialize)]
struct StageSection {
    id: String,
    kind: String,
    charts: Vec<Figure>,
    others: Vec<Figure>,
    reflection: Vec<Figure>,
    tables: Vec<Table>,
}

/// A run's facts.
#[derive(Debug, Serialize)]
struct Head {
    name: String,
    facts: Vec<(&'static str, String)>,
    stages: Table,
}

/// Figures and tables of one kind.
#[derive(Debug, Default, Serialize)]
struct Section {
    figures: Vec<Figure>,
    tables: Vec<Table>,
}

/// What the template is filled with.
#[derive(Debug, Serialize)]
struct Context<'a> {
    title: String,
    is_live: bool,
    nonce: String,
    style: &'static str,
    script: String,
    data: String,
    heads: Vec<Head>,
    notes: Vec<String>,
    ladder: Section,
    stages: Vec<StageSection>,
    yields: Section,
    comparison: Section,
    time: Section,
    lineage: Section,
    recipes: Vec<(String, &'a str)>,
    sandbox: Vec<(String, String)>,
    n_shown: usize,
    n_all: usize,
    most_shown: usize,
    most_bytes: String,
}

/// The page.
///
/// # Errors
/// The plotting library's, the template's.
pub(crate) fn render(report: &Report, mode: Mode) -> Result<String> {
    let data = samples_json(report)?;
    let script = if mode == Mode::Live { format!("{SCRIPT}\n{LIVE_SCRIPT}") } else { SCRIPT.to_owned() };
    // No text in the page can hold the hash of that text.
    let nonce = blake3::hash(format!("{STYLE}{script}{data}").as_bytes()).to_hex()[..32].to_owned();
    let ladder = figures::ladder(report)?;
    let mut environment = Environment::new();
    environment.add_template("report.html", TEMPLATE).context("the report's template is damaged")?;
    let template = environment.get_template("report.html").context("the report's template is damaged")?;
    let page = template.render(Serde(Context {
        title: title(report),
        is_live: mode == Mode::Live,
        nonce,
        style: STYLE,
        script,
        data,
        heads: report.runs.iter().map(|run| head(report, run)).collect(),
        notes: notes(report),
        ladder: Section { figures: ladder.0, tables: ladder.1 },
        stages: stage_sections(report)?,
        yields: yields(report)?,
        comparison: comparisons(report)?,
        time: time(report)?,
        lineage: lineage(report)?,
        recipes: report.runs.iter().map(|run| (run_name(report, run), run.resolved.as_str())).collect(),
        sandbox: report.runs.iter().filter_map(|run| Some((run_name(report, run), sandbox_text(run)?))).collect(),
        n_shown: report.runs.iter().map(|run| run.samples.len()).sum(),
        n_all: report.runs.iter().map(|run| run.n_completions).sum(),
        most_shown: MAX_SAMPLES,
        most_bytes: mebibytes(MAX_BYTES as u64),
    }));
    page.context("the report's page cannot be made")
}

fn title(report: &Report) -> String {
    let recipe = report.runs.first().and_then(|run| run.recipe.clone()).unwrap_or_else(|| "a run".to_owned());
    if report.runs.len() > 1 { format!("{recipe}, {} runs", report.runs.len()) } else { recipe }
}

fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    for run in &report.runs {
        let of = prefix(report, run);
        notes.extend(run.notes.iter().map(|note| format!("{of}{note}")));
    }
    let without_seed = |run: &RunReport| run.resolved.lines().filter(|line| !line.starts_with("seed = ")).collect::<Vec<_>>().join("\n");
    if let Some((first, others)) = report.runs.split_first() {
        for run in others.iter().filter(|run| without_seed(run) != without_seed(first)) {
            notes.push(format!("{} has another recipe than {}: they differ in more than their seed", run.path, first.path));
        }
    }
    notes
}

fn head(report: &Report, run: &RunReport) -> Head {
    let mut facts = vec![("state", run.state.words().to_owned())];
    facts.extend(run.recipe.clone().map(|recipe| ("recipe", recipe)));
    facts.extend(run.seed.map(|seed| ("seed", seed.to_string())));
    facts.extend(run.started.clone().map(|started| ("first started", started)));
    facts.extend(run.device.as_ref().map(|device| ("device", place(device, run.hardware.as_deref(), run.n_threads))));
    facts.push(("time", duration(run.seconds)));
    facts.push(("peak memory", run.peak_bytes.map_or_else(|| "not recorded yet".to_owned(), mebibytes)));
    facts.extend(run.version.clone().map(|version| ("ruminate", version)));
    facts.push(("directory", run.path.clone()));
    let mut stages = Table::new("State of each stage", &["stage", "kind", "state", "optimizer steps", "time", "peak memory"]);
    for stage in &run.stages {
        let steps = match (stage.steps, stage.planned_steps) {
            (Some(made), Some(planned)) => format!("{made} of {planned}"),
            (Some(made), None) => made.to_string(),
            (None, Some(planned)) => format!("0 of {planned}"),
            (None, None) => String::new(),
        };
        let time = if stage.seconds > 0.0 { duration(stage.seconds) } else { String::new() };
        let memory = stage.peak_bytes.map_or_else(String::new, mebibytes);
        stages.rows.push(vec![stage.id.clone(), stage.kind.clone(), stage.state.words().to_owned(), steps, time, memory]);
    }
    Head { name: run_name(report, run), facts, stages }
}

fn duration(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0..120 => format!("{seconds:.1} s"),
        120..7200 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// A section for each stage that has anything to show.
fn stage_sections(report: &Report) -> Result<Vec<StageSection>> {
    let mut sections = Vec::new();
    for id in stage_ids(&report.runs) {
        let found: Vec<(&RunReport, &StageReport)> =
            report.runs.iter().filter_map(|run| Some((run, run.stages.iter().find(|stage| stage.id == id)?))).collect();
        let stages: Vec<&StageReport> = found.iter().map(|(_, stage)| *stage).collect();
        let (charts, others) = curves::charts(&stages)?;
        let named: Vec<(String, &StageReport)> = found.iter().map(|(run, stage)| (prefix(report, run), *stage)).collect();
        let (reflection, mut tables) = figures::reflection(&named)?;
        let mut charts = charts;
        for (run, stage) in &named {
            if let Some(model) = &stage.reward_model {
                let (of_model, table) = figures::reward_model(&format!("{run}{}", stage.id), model)?;
                charts.extend(of_model);
                tables.push(table);
            }
            tables.extend(stage.variants.as_ref().and_then(|variants| variants_table(stage, variants)));
        }
        let section = StageSection { kind: stages[0].kind.clone(), id, charts, others, reflection, tables };
        if !(section.charts.is_empty() && section.others.is_empty() && section.tables.is_empty()) {
            sections.push(section);
        }
    }
    Ok(sections)
}

/// Variants of a stage, one in each row: a list of objects, or objects by name.
fn variants_table(stage: &StageReport, variants: &serde_json::Value) -> Option<Table> {
    let rows: Vec<&serde_json::Map<String, serde_json::Value>> = match variants {
        serde_json::Value::Array(list) => list.iter().filter_map(|variant| variant.as_object()).collect(),
        serde_json::Value::Object(fields) => {
            let list = fields.values().find_map(|value| value.as_array())?;
            list.iter().filter_map(|variant| variant.as_object()).collect()
        }
        _ => return None,
    };
    let first = rows.first()?;
    let head: Vec<&str> = first.keys().map(String::as_str).collect();
    let mut table = Table::new(&format!("{}: variants", stage.id), &head);
    let cell = |value: Option<&serde_json::Value>| value.map_or_else(String::new, figures::plain);
    table.rows = rows.iter().map(|row| head.iter().map(|&key| cell(row.get(key))).collect()).collect();
    Some(table)
}

fn yields(report: &Report) -> Result<Section> {
    let mut section = Section::default();
    for (run, stage) in report.runs.iter().flat_map(|run| run.stages.iter().map(move |stage| (run, stage))) {
        let name = format!("{}{}", prefix(report, run), stage.id);
        if let Some(yields) = &stage.yields {
            let (of_stage, table) = figures::yields(&name, yields)?;
            section.figures.extend(of_stage);
            section.tables.push(table);
        }
        let reviewed = stage.yields.as_ref().and_then(|yields| yields.reviewed.as_ref()).or(stage.review.as_ref());
        if let Some(reviewed) = reviewed {
            let mut table = Table::new(&format!("{name}: what reviewers decided"), &["decision", "examples"]);
            table.rows = reviewed.iter().map(|(decision, n)| vec![decision.clone(), n.to_string()]).collect();
            section.tables.push(table);
        }
    }
    Ok(section)
}

fn comparisons(report: &Report) -> Result<Section> {
    let mut section = Section::default();
    for run in &report.runs {
        for stage in &run.stages {
            let Some(comparison) = &stage.comparison else { continue };
            let name = format!("{}{}", prefix(report, run), stage.id);
            let (of_stage, tables) = figures::comparison(&name, comparison)?;
            section.figures.extend(of_stage);
            section.tables.extend(tables);
        }
    }
    Ok(section)
}

fn time(report: &Report) -> Result<Section> {
    let mut section = Section::default();
    for run in &report.runs {
        let (of_run, table) = figures::time(report, run)?;
        section.figures.extend(of_run);
        section.tables.push(table);
    }
    section.tables.retain(|table| !table.rows.is_empty());
    Ok(section)
}

fn lineage(report: &Report) -> Result<Section> {
    let mut section = Section::default();
    for run in &report.runs {
        let (graph, table) = figures::lineage(run)?;
        // The graph is the same for all seeds.
        if section.figures.is_empty() {
            section.figures.extend(graph);
        }
        section.tables.push(table);
    }
    Ok(section)
}

fn sandbox_text(run: &RunReport) -> Option<String> {
    serde_json::to_string_pretty(run.sandbox.as_ref()?).ok()
}

/// The samples as JSON that can stand in a `script` element: nothing in it looks like markup.
fn samples_json(report: &Report) -> Result<String> {
    #[derive(Serialize)]
    struct Named<'a> {
        run: String,
        samples: &'a [super::samples::Sample],
    }
    let runs: Vec<Named<'_>> = report.runs.iter().map(|run| Named { run: run_name(report, run), samples: &run.samples }).collect();
    let json = serde_json::to_string(&runs).context("cannot write the samples")?;
    Ok(json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"))
}
