//! `collect`: conversations to learn from. Cold-start data, rejection sampling and general data (DeepSeek-R1, sections 2.3.1 and 2.3.3).
//!
//! Every source makes drafts, batch by batch: responses are sampled (`samples/SOURCE/00000.jsonl`), then brought into a readable form
//! and graded (`samples/SOURCE/00000.drafts.jsonl`). What is in a file is never made again. The filters then look at all drafts together.

mod dataset;
mod draft;
mod speak;
mod worked;
mod yields;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ruminate_core::{Example, Gold, Problem, Seed};
use ruminate_tasks::curate::{Benchmarks, Draft, Filter, curate};
use serde::Serialize;

pub(crate) use self::dataset::read_examples;
use self::draft::Drafter;
use self::yields::Yield;
use super::{StageContext, StageResult};
use crate::endpoint::Endpoint;
use crate::problems::{ProblemStream, evaluation_problems};
use crate::recipe::{CollectConfig, Method, RunConfig};
use crate::review_file::{REVIEW_FILE, ReviewFile, Reviewed};
use crate::run_dir::{StageDir, io_context, read_json, read_jsonl, write_json, write_jsonl};

/// What was kept.
const EXAMPLES: &str = "examples.jsonl";
/// What was not kept, with the reasons.
const DROPPED: &str = "dropped.jsonl";
/// How many, by source and reason.
const YIELD: &str = "yield.json";

/// A line of `dropped.jsonl`.
#[derive(Serialize)]
struct Dropped<'a> {
    example: &'a Example,
    filter: Filter,
    reason: &'a str,
}

/// Collects, filters, and writes what is kept and what is not.
pub(super) fn run(ctx: &StageContext<'_>, stage_id: &str, dir: &StageDir, config: &CollectConfig) -> Result<StageResult> {
    let seed = ctx.seed(stage_id);

    // Make drafts: sample, bring into form, grade.
    let problems = problems_to_ask(config, seed.with("problems"))?;
    let mut drafts: Vec<Draft> = Vec::new();
    for source in &config.sources {
        let drafter = Drafter { ctx, stage_id, dir, config, source, seed: seed.with(&source.name) };
        drafts.extend(drafter.drafts(&problems).with_context(|| format!("source '{}'", source.name))?);
    }

    // Filter.
    let benchmarks = benchmarks(ctx.config, config)?;
    let flaws = curate(&drafts, &config.curation, &benchmarks, seed.with("keep"));
    let kept: Vec<&Example> = drafts.iter().zip(&flaws).filter(|(_, flaw)| flaw.is_none()).map(|(draft, _)| &draft.example).collect();
    let dropped: Vec<Dropped<'_>> = drafts
        .iter()
        .zip(&flaws)
        .filter_map(|(draft, flaw)| {
            flaw.as_ref().map(|flaw| Dropped { example: &draft.example, filter: flaw.filter, reason: &flaw.reason })
        })
        .collect();

    // Write.
    let names = config.sources.iter().map(|source| source.name.as_str());
    let outcomes = drafts.iter().zip(&flaws).map(|(draft, flaw)| (&draft.example, flaw.as_ref().map(|flaw| flaw.filter)));
    let yields = Yield::count(names, outcomes, problems.len(), benchmarks.n_problems());
    write_jsonl(&dir.path().join(DROPPED), &dropped)?;
    write_jsonl(&dir.path().join(EXAMPLES), &kept)?;
    write_json(&dir.path().join(YIELD), &yields)?;
    ctx.ui.say(&format!("{stage_id}: {}\n{}", yields.line(), yields.table()));
    if let Some(filter) = yields.emptied_by() {
        bail!(
            "the filters left no example, most were dropped as '{filter}'; every one is in {} with its reason, and what was sampled is kept",
            dir.path().join(DROPPED).display()
        );
    }
    Ok(StageResult { policy: None })
}

/// The yield of a stage, if it has one by now.
///
/// # Errors
/// A damaged file.
pub(crate) fn read_yield(dir: &StageDir) -> Result<Option<Yield>> {
    read_json(&dir.path().join(YIELD))
}

/// What is learned from a collected stage: the examples that passed the filters, as reviewers left them where the stage says
/// `review = true`.
///
/// # Errors
/// Files that are missing or damaged, and a `review.json` that cannot be used.
pub(crate) fn learned_examples(dir: &StageDir, config: &CollectConfig) -> Result<Vec<Example>> {
    Ok(reviewed(dir, config)?.0)
}

/// Applies what reviewers decided to a stage that is done. The result goes into the hash that later stages depend on: a new decision
/// makes them learn again.
///
/// # Errors
/// As [`learned_examples`].
pub(super) fn hash_with_review(
    ctx: &StageContext<'_>,
    stage_id: &str,
    dir: &StageDir,
    config: &CollectConfig,
    hash: String,
) -> Result<String> {
    let path = dir.path().join(REVIEW_FILE);
    let is_there = path.exists();
    if !config.review {
        if is_there {
            ctx.ui.say(&format!("{stage_id}: {} is not used, since the stage says review = false", path.display()));
        }
        return Ok(hash);
    }
    let (examples, counts) = reviewed(dir, config)?;
    let mut yields = read_yield(dir)?.with_context(|| format!("{} has no {YIELD}", dir.path().display()))?;
    if yields.reviewed != counts {
        yields.reviewed = counts;
        write_json(&dir.path().join(YIELD), &yields)?;
    }
    let Some(counts) = counts else {
        ctx.ui.say(&format!(
            "{stage_id}: nobody has reviewed the {} examples, going on with what passed the filters; to review them: ruminate review {}",
            examples.len(),
            dir.path().display()
        ));
        return Ok(hash);
    };
    ctx.ui.say(&format!(
        "{stage_id}: reviewed, {} accepted, {} edited, {} rejected, {} not decided: {} are learned from",
        counts.accepted,
        counts.edited,
        counts.rejected,
        counts.unseen,
        examples.len()
    ));
    if counts.edited_wrong > 0 {
        ctx.ui.say(&format!("{stage_id}: {} edited examples have an answer that the rule calls wrong", counts.edited_wrong));
    }
    if examples.is_empty() {
        bail!("{}: reviewers rejected every example", path.display());
    }
    let bytes = std::fs::read(&path).with_context(io_context("read", &path))?;
    Ok(blake3::Hasher::new().update(hash.as_bytes()).update(&bytes).finalize().to_hex()[..32].to_owned())
}

/// Checks what can be checked before anything runs, and gives back the problems of data sets.
///
/// # Errors
/// Files that cannot be read, worked examples that are missing, keys of endpoints that are not set.
pub(super) fn check_inputs(config: &CollectConfig) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for source in &config.sources {
        let mut check = || -> Result<()> {
            for teacher in source.method.teachers() {
                Endpoint::open(crate::endpoint::EndpointConfig { cache: None, ..teacher.endpoint.clone() })?;
            }
            match &source.method {
                Method::FewShot { examples, .. } => worked::check(examples.as_deref(), &config.prompts),
                Method::Dataset { data, limit } => {
                    problems.extend(dataset::load(&source.name, data, *limit, Seed::new(0))?.into_iter().map(|example| example.problem));
                    Ok(())
                }
                _ => Ok(()),
            }
        };
        check().with_context(|| format!("source '{}'", source.name))?;
    }
    Ok(problems)
}

/// What is learned, and how many examples reviewers decided about, if they did.
fn reviewed(dir: &StageDir, config: &CollectConfig) -> Result<(Vec<Example>, Option<Reviewed>)> {
    let path = dir.path().join(EXAMPLES);
    let examples: Vec<Example> = read_jsonl(&path)?;
    if examples.is_empty() {
        bail!("{}: expected examples, found none", path.display());
    }
    let review_path = dir.path().join(REVIEW_FILE);
    match if config.review { ReviewFile::load(&review_path)? } else { None } {
        None => Ok((examples, None)),
        Some(review) => {
            let (learned, counts) = review.apply(examples).with_context(|| format!("{} cannot be used", review_path.display()))?;
            Ok((learned, Some(counts)))
        }
    }
}

/// The problems that sources ask about, each once.
fn problems_to_ask(config: &CollectConfig, seed: Seed) -> Result<Vec<Problem>> {
    if config.prompts.is_empty() {
        return Ok(Vec::new());
    }
    let mut stream = ProblemStream::open(&config.prompts, seed, 0)?;
    let n_wanted = config.n_prompts.or(stream.n_problems()).context("n_prompts: expected a number, found none")?;
    let (mut problems, mut questions, mut ids): (Vec<Problem>, _, _) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut n_repeats = 0;
    while problems.len() < n_wanted {
        let problem = stream.draw()?;
        if !questions.insert((problem.question.clone(), problem.language)) {
            n_repeats += 1;
            // Without a number of one's own, a file that repeats itself has fewer problems than lines.
            if config.n_prompts.is_none() && n_repeats > 2 * n_wanted {
                break;
            }
            if n_repeats > 20 * n_wanted + 1000 {
                bail!("n_prompts: expected {n_wanted} different problems, found {}; lower it", problems.len());
            }
            continue;
        }
        if !ids.insert(problem.id.clone()) {
            bail!("two problems have the id {}; files of problems need names that differ", problem.id);
        }
        problems.push(problem);
    }
    Ok(problems)
}

fn benchmarks(run: &RunConfig, config: &CollectConfig) -> Result<Benchmarks> {
    let (Some(n), Some(evaluation)) = (config.decontaminate, &run.evaluation) else { return Ok(Benchmarks::default()) };
    let problems = evaluation_problems(evaluation)?;
    Ok(Benchmarks::new(problems.iter().map(|problem| (problem.id.0.as_str(), problem.question.as_str())), n))
}

/// Whether a rule, a program's tests or a judge decides about a right answer.
fn has_right_answer(problem: &Problem) -> bool {
    !matches!(problem.gold, Gold::Open(_))
}

/// Where a source keeps its samples.
fn samples_dir(dir: &StageDir, source: &str) -> std::path::PathBuf {
    Path::new(dir.path()).join("samples").join(source)
}
