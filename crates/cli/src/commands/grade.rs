//! `ruminate grade`: verdicts for files of answers, or over HTTP.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use ruminate_rewards::judge::Judge;
use ruminate_rewards::math;
use serde::Deserialize;
use serde_json::Value;

use super::print;
use crate::endpoint::EndpointConfig;
use crate::graders::JudgeConfig;
use crate::grading::{Grader, Kind, error_line, serve};
use crate::parallel::{in_parallel, n_cores};
use crate::run_dir::io_context;
use crate::sandbox::SandboxArgs;

/// Lines that are graded together: enough to keep all threads busy, few enough to see progress and to need little memory.
const CHUNK: usize = 1024;

/// What is read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Grades a file of answers, one JSON object on each line, or serves verdicts over HTTP.
///
/// Without --kind, a file of {"id","gold","pred"} pairs gives a report for people: every verdict with its reason, a summary, and the
/// pairs on which exact and numeric comparison disagree.
#[derive(Debug, Args)]
pub(crate) struct GradeArgs {
    /// Answers, one JSON object on each line; - is the standard input.
    #[arg(value_name = "FILE.jsonl", required_unless_present = "serve", conflicts_with = "serve")]
    file: Option<PathBuf>,
    /// What the lines hold; writes one JSON line for each.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Answer POST /grade/KIND at this address, for instance 127.0.0.1:8100; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", conflicts_with = "kind")]
    serve: Option<SocketAddr>,
    #[command(flatten)]
    sandbox: SandboxArgs,
    #[command(flatten)]
    judge: JudgeArgs,
}

/// The chat model that judges where no rule can.
#[derive(Debug, Args)]
struct JudgeArgs {
    /// Base URL of the judge, OpenAI-compatible, such as http://localhost:8000/v1.
    #[arg(long, value_name = "URL", requires = "judge_model")]
    judge_url: Option<String>,
    /// Name of the judge's model.
    #[arg(long, value_name = "NAME", requires = "judge_url")]
    judge_model: Option<String>,
    /// Environment variable that holds the judge's key.
    #[arg(long, value_name = "VARIABLE", requires = "judge_url")]
    judge_key_env: Option<String>,
    /// Folder that keeps the judge's replies, so that no question is asked twice.
    #[arg(long, value_name = "DIR", requires = "judge_url")]
    judge_cache: Option<PathBuf>,
}

impl JudgeArgs {
    fn config(&self) -> Option<JudgeConfig> {
        let (url, model) = self.judge_url.clone().zip(self.judge_model.clone())?;
        Some(JudgeConfig {
            endpoint: EndpointConfig {
                url,
                key_env: self.judge_key_env.clone(),
                cache: self.judge_cache.clone(),
                ..EndpointConfig::default()
            },
            judge: Judge { model, ..Judge::default() },
        })
    }
}

impl GradeArgs {
    /// Grades.
    pub(crate) fn run(&self) -> Result<()> {
        if let Some(address) = self.serve {
            return self.serve(address);
        }
        let path = self.file.as_deref().context("expected a file")?;
        let lines = Lines::open(path)?;
        self.refuse_idle_flags()?;
        match self.kind {
            Some(kind) => grade_lines(&Grader::new(self.sandbox.settings(), self.judge.config())?, kind, lines),
            None => report(lines),
        }
    }

    /// A flag that would do nothing is a misunderstanding.
    fn refuse_idle_flags(&self) -> Result<()> {
        if self.kind != Some(Kind::Code) && self.sandbox.is_given() {
            bail!("--jobs and --allow-missing are for --kind code and --serve: nothing else runs programs");
        }
        if self.kind != Some(Kind::Judge) && self.judge.judge_url.is_some() {
            bail!("--judge-url is for --kind judge and --serve: nothing else asks a judge");
        }
        Ok(())
    }

    fn serve(&self, address: SocketAddr) -> Result<()> {
        if !address.ip().is_loopback() {
            eprintln!("warning: {address} can be reached from other machines, and whoever reaches it can run programs in the sandbox");
        }
        let grader = Grader::new(self.sandbox.settings(), self.judge.config())?;
        serve::serve(address, grader, |bound| {
            print(&format!("serving verdicts at http://{bound}/grade/{{{}}}", Kind::ALL.map(Kind::name).join(",")))
        })
    }
}

/// A line with its number in the file; what is no text is an error.
type Line = (usize, Result<String>);

/// The objects of a JSONL file.
struct Lines {
    name: String,
    reader: BufReader<Box<dyn Read>>,
    line_no: usize,
}

impl Lines {
    fn open(path: &Path) -> Result<Self> {
        let reader: Box<dyn Read> = match path.to_str() {
            Some("-") => Box::new(std::io::stdin()),
            _ => Box::new(File::open(path).with_context(io_context("read", path))?),
        };
        Ok(Self { name: path.display().to_string(), reader: BufReader::with_capacity(BUFFER_BYTES, reader), line_no: 0 })
    }

    /// The next lines, blank ones left out; none at the end. Lines that are there are not held back for others that may come: a program
    /// may write one and wait for its answer.
    fn chunk(&mut self) -> Result<Vec<Line>> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK && (chunk.is_empty() || !self.reader.buffer().is_empty()) {
            let mut line = Vec::new();
            let n_bytes =
                self.reader.read_until(b'\n', &mut line).with_context(|| format!("cannot read {}:{}", self.name, self.line_no + 1))?;
            if n_bytes == 0 {
                break;
            }
            self.line_no += 1;
            // Some editors put a mark at the beginning of a file.
            let line = if self.line_no == 1 { line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&line) } else { &line };
            match std::str::from_utf8(line) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => chunk.push((self.line_no, Ok(text.to_owned()))),
                Err(error) => chunk.push((self.line_no, Err(anyhow!("expected UTF-8: {error}")))),
            }
        }
        Ok(chunk)
    }
}

/// One JSON line for each line, in order.
fn grade_lines(grader: &Grader, kind: Kind, mut lines: Lines) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut n_lines, mut n_failed, mut n_pending) = (0_usize, 0_usize, 0_usize);
    loop {
        let chunk = lines.chunk()?;
        if chunk.is_empty() {
            break;
        }
        let texts: Vec<&str> = chunk.iter().filter_map(|(_, line)| line.as_deref().ok()).collect();
        let mut graded = grader.grade(kind, &texts).into_iter();
        for (line_no, line) in chunk {
            n_lines += 1;
            let (text, answer) = match line {
                Ok(text) => (text, graded.next().context("one answer for each line")?),
                Err(error) => (String::new(), Err(error)),
            };
            let answer = answer.unwrap_or_else(|error| {
                n_failed += 1;
                eprintln!("error: {}:{line_no}: {error:#}", lines.name);
                error_line(&text, &error)
            });
            n_pending += usize::from(answer.is_pending());
            let answer = serde_json::to_string(&answer).context("an answer is JSON")?;
            writeln!(out, "{answer}").context("cannot write to the standard output")?;
        }
        out.flush().context("cannot write to the standard output")?;
    }
    if n_failed > 0 {
        bail!("{n_failed} of {n_lines} lines could not be graded; each has an \"error\" in its place");
    }
    if n_pending > 0 {
        bail!(
            "{n_pending} of {n_lines} lines are pending: the judge gave no verdict; grade them again later, with --judge-cache to ask only about those"
        );
    }
    Ok(())
}

#[derive(Deserialize)]
struct Pair {
    #[serde(default)]
    id: Value,
    gold: String,
    pred: String,
}

/// Every verdict with its reason, a summary, and the pairs on which the two ways of comparing disagree.
fn report(mut lines: Lines) -> Result<()> {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut micros = Vec::new();
    let mut disagreements = Vec::new();
    let mut n_failed = 0_usize;
    let n_threads = n_cores();
    let name = lines.name.clone();
    loop {
        let chunk = lines.chunk()?;
        if chunk.is_empty() {
            break;
        }
        let graded = in_parallel(n_threads, &chunk, |(line_no, line)| -> Result<_> {
            let line = line.as_ref().map_err(|error| anyhow!("{name}:{line_no}: {error:#}"))?;
            let pair: Pair =
                serde_json::from_str(line).with_context(|| format!("{name}:{line_no}: expected {{\"id\",\"gold\",\"pred\"}}"))?;
            let started = Instant::now();
            let comparison = math::verify(&pair.gold, &pair.pred, &math::Options::default());
            let micros = started.elapsed().as_secs_f64() * 1e6;
            let audit = math::audit(&pair.gold, &pair.pred, &math::Options::default());
            Ok((*line_no, pair, comparison, micros, audit))
        });
        for graded in graded {
            let (line_no, pair, comparison, time, audit) = match graded {
                Ok(graded) => graded,
                Err(error) => {
                    n_failed += 1;
                    eprintln!("error: {error:#}");
                    continue;
                }
            };
            let id = match &pair.id {
                Value::Null => format!("line {line_no}"),
                Value::String(id) => id.clone(),
                other => other.to_string(),
            };
            print(&format!("{:<21}{id}  {}", verdict_name(comparison.verdict), comparison.reason))?;
            *counts.entry(verdict_name(comparison.verdict)).or_default() += 1;
            micros.push(time);
            if audit.disagrees() {
                let [exact, numeric] = [audit.exact, audit.numeric].map(|verdict| verdict.map_or("undecided", verdict_name));
                let answer = audit.answer.unwrap_or_default();
                disagreements.push(format!("{id}  gold {}  answer {answer}  exact {exact}, numeric {numeric}", pair.gold));
            }
        }
    }
    summarize(&counts, micros, &disagreements)?;
    if n_failed > 0 {
        bail!("{n_failed} lines hold no pair and are left out");
    }
    Ok(())
}

/// A verdict as JSON writes it.
fn verdict_name(verdict: math::Verdict) -> &'static str {
    match verdict {
        math::Verdict::Equal => "equal",
        math::Verdict::Different => "different",
        math::Verdict::UnparsedPrediction => "unparsed_prediction",
        math::Verdict::UnparsedGold => "unparsed_gold",
        math::Verdict::Timeout => "timeout",
    }
}

fn summarize(counts: &BTreeMap<&'static str, usize>, mut micros: Vec<f64>, disagreements: &[String]) -> Result<()> {
    let total = micros.len();
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["verdict", "pairs", "share"]);
    for (name, count) in counts {
        table.add_row([(*name).to_owned(), count.to_string(), format!("{:.1}%", 100.0 * *count as f64 / total as f64)]);
    }
    for column in 1..3 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    micros.sort_by(f64::total_cmp);
    let quantile = |q: f64| micros.get(((total as f64 - 1.0) * q) as usize).copied().unwrap_or(0.0);
    print(&format!("\n{table}\n{total} pairs, median {:.1} µs, 99% within {:.1} µs", quantile(0.5), quantile(0.99)))?;
    if disagreements.is_empty() {
        return print("exact and numeric comparison agree wherever both decide");
    }
    print(&format!("\nexact and numeric comparison disagree on {} pairs:\n{}", disagreements.len(), disagreements.join("\n")))
}
