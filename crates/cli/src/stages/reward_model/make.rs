//! Pairs and labels from policies and a judge: responses are sampled, then compared or labelled, a chunk of files at a time, so that a
//! stage that was stopped goes on where it was.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ruminate_core::{PolicyVersion, Problem, Seed};
use ruminate_model::{Checkpoint, Policy};
use ruminate_rewards::RewardMix;
use ruminate_rewards::judge::{Chat, Compared, Judge, Preference, Safety, compare, compare_by_rules, judge_safety, safe_by_rules};
use ruminate_rollout::SamplingParams;
use ruminate_train::preferences::draw_pairs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::StageContext;
use super::super::rollouts::{PolicyText, SampleSettings, Sampler};
use super::data::{Counts, Record, Said, samples_file};
use crate::parallel::in_parallel;
use crate::problems::ProblemStream;
use crate::prompts::Prompter;
use crate::recipe::{JudgeKind, MadeSource, RewardLoss, RewardModelConfig};
use crate::reward_text::{RewardText, question, template_of, whole_response};
use crate::run_dir::{StageDir, read_jsonl, write_jsonl};

/// Prompts that are sampled, and entries that are judged, between two files.
const CHUNK: usize = 64;

/// The responses of one policy to one prompt, a line of a file of samples.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sampled {
    problem: Problem,
    responses: Vec<String>,
}

/// A response and the stage whose policy gave it.
#[derive(Clone, Debug)]
struct Response {
    from: String,
    text: String,
}

/// A prompt with all responses to it.
struct Prompt {
    problem: Problem,
    responses: Vec<Response>,
}

/// What a judge said of one entry, a line of a file of judgements.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Judged<T> {
    id: String,
    ruling: T,
}

/// A ruling, or the reason why there is none yet.
enum Ruled<T> {
    Ruling(T),
    Pending(String),
}

/// Samples, judges, and gives the records with what was said of them.
pub(super) fn make(
    ctx: &StageContext<'_>,
    stage_id: &str,
    dir: &StageDir,
    config: &RewardModelConfig,
    made: &MadeSource,
    text: &RewardText<'_>,
) -> Result<(Vec<Record>, Counts)> {
    let prompts = sample(ctx, stage_id, dir, config, made)?;
    let judge = Judging::new(ctx, stage_id, dir, config, made);
    match config.loss {
        RewardLoss::Pairwise => judge.pairs(&prompts, made.pairs_per_prompt, text),
        RewardLoss::Pointwise => judge.labels(&prompts, text),
    }
}

/// The responses of all policies, sampled unless an earlier sitting did.
fn sample(ctx: &StageContext<'_>, stage_id: &str, dir: &StageDir, config: &RewardModelConfig, made: &MadeSource) -> Result<Vec<Prompt>> {
    let seed = ctx.seed(stage_id);
    let mut stream = ProblemStream::open(&made.prompts, seed.with("problems"), 0)?;
    let mut prompts: Vec<Prompt> = Vec::with_capacity(made.n_prompts);
    for _ in 0..made.n_prompts {
        prompts.push(Prompt { problem: stream.draw()?, responses: Vec::new() });
    }
    for id in &made.responses_from {
        let missing = |chunk: &usize| !samples_file(dir, id, *chunk).exists();
        let chunks: Vec<usize> = (0..prompts.len().div_ceil(CHUNK)).filter(missing).collect();
        if !chunks.is_empty() {
            sample_policy(ctx, stage_id, dir, config, made, (id, &chunks), &prompts)
                .with_context(|| format!("responses of stage '{id}'"))?;
        }
        for chunk in 0..prompts.len().div_ceil(CHUNK) {
            let file = samples_file(dir, id, chunk);
            let sampled: Vec<Sampled> = read_jsonl(&file)?;
            let of_chunk = prompts.iter_mut().skip(chunk * CHUNK).take(CHUNK);
            let n_expected = of_chunk.len();
            if sampled.len() != n_expected {
                bail!("{}: expected {n_expected} lines, found {}; remove the file to have it made again", file.display(), sampled.len());
            }
            for (prompt, sampled) in of_chunk.zip(sampled) {
                prompt.responses.extend(sampled.responses.into_iter().map(|text| Response { from: id.clone(), text }));
            }
        }
    }
    Ok(prompts)
}

/// Samples the chunks of one policy that are missing.
fn sample_policy(
    ctx: &StageContext<'_>,
    stage_id: &str,
    dir: &StageDir,
    config: &RewardModelConfig,
    made: &MadeSource,
    (id, chunks): (&str, &[usize]),
    prompts: &[Prompt],
) -> Result<()> {
    let checkpoint = Checkpoint::open(&ctx.policy_path(id)?)?;
    let policy = Policy::load_frozen(ctx.device, &checkpoint)?;
    let text = PolicyText { tokenizer: &checkpoint.tokenizer, chat: checkpoint.chat_template.as_ref() };
    let template = config.template.unwrap_or_else(|| template_of(&checkpoint));
    let settings = SampleSettings {
        template,
        system: None,
        n_samples: made.samples,
        max_new_tokens: made.max_new_tokens,
        params: SamplingParams { temperature: made.temperature, top_p: made.top_p, top_k: 0, min_p: 0.0 },
        stop: template.default_stop(),
        rewards: RewardMix::default(),
        max_batch: made.max_batch,
    };
    let prompter = Prompter::new(template, None, text.chat)?;
    let mut sampler = Sampler::new(settings, ctx.graders);
    let seed = ctx.seed(stage_id).with("responses").with(id);
    let mut progress = ctx.ui.progress(&format!("{stage_id}: responses of {id}"), chunks.len() as u64);
    for (n_done, &chunk) in chunks.iter().enumerate() {
        let problems: Vec<Problem> = prompts.iter().skip(chunk * CHUNK).take(CHUNK).map(|prompt| prompt.problem.clone()).collect();
        let seed = seed.with_index(chunk as u64);
        let (groups, _) = sampler.sample(&policy, PolicyVersion(0), text, &problems, seed, &mut |_, _| {})?;
        let mut sampled = Vec::with_capacity(groups.len());
        for group in groups {
            let opens_think = prompter.prompt(&group.problem)?.opens_think;
            let responses = group.rollouts.iter().map(|rollout| whole_response(&rollout.text, opens_think)).collect();
            sampled.push(Sampled { problem: group.problem, responses });
        }
        write_jsonl(&samples_file(dir, id, chunk), &sampled)?;
        progress.set(n_done as u64 + 1, "");
    }
    progress.finish(&format!("{} prompts", prompts.len()));
    Ok(())
}

/// Who judges, and where it is written down.
struct Judging<'a> {
    ctx: &'a StageContext<'a>,
    dir: &'a Path,
    seed: Seed,
    kind: JudgeKind,
    judge: Judge,
}

impl<'a> Judging<'a> {
    fn new(ctx: &'a StageContext<'a>, stage_id: &str, dir: &'a StageDir, config: &RewardModelConfig, made: &MadeSource) -> Self {
        let of_recipe = ctx.config.judge.as_ref().map(|config| config.judge.clone()).unwrap_or_default();
        let judge = Judge { rounds: made.rounds, min_margin: config.min_margin, ..of_recipe };
        Self { ctx, dir: dir.path(), seed: ctx.seed(stage_id).with("judge"), kind: made.judge, judge }
    }

    fn pairs(&self, prompts: &[Prompt], most: usize, text: &RewardText<'_>) -> Result<(Vec<Record>, Counts)> {
        let mut candidates = Vec::new();
        for (prompt_idx, prompt) in prompts.iter().enumerate() {
            let read: Vec<&str> = prompt.responses.iter().map(|response| text.read(&response.text)).collect();
            for (first, second) in draw_pairs(&read, most, self.seed.with("pairs").with_index(prompt_idx as u64)) {
                candidates.push((format!("{}/{prompt_idx}/{first}-{second}", prompt.problem.id), prompt, [first, second]));
            }
        }
        let ids: Vec<&str> = candidates.iter().map(|(id, ..)| id.as_str()).collect();
        let rulings = self.judge_all(&ids, |idx, chat| {
            let (id, Prompt { problem, responses }, sides) = &candidates[idx];
            let [first, second] = sides.map(|side| text.read(&responses[side].text));
            match chat {
                None => Ok(Ruled::Ruling(compare_by_rules(&self.judge, problem, first, second, self.seed.with(id))?)),
                Some(chat) => Ok(match compare(chat, &self.judge, &problem.question, first, second) {
                    Compared::Preference(preference) => Ruled::Ruling(preference),
                    Compared::Pending(reason) => Ruled::Pending(reason),
                }),
            }
        })?;
        let mut counts = Counts { judged: rulings.len(), ..Counts::default() };
        let mut records = Vec::new();
        for ((id, Prompt { problem, responses }, [first, second]), preference) in candidates.into_iter().zip(rulings) {
            let (better, worse, margin) = match preference {
                Preference::First(margin) => (first, second, margin),
                Preference::Second(margin) => (second, first, margin),
                Preference::None(_) => {
                    counts.no_preference += 1;
                    continue;
                }
            };
            let said = Said::Pair {
                chosen: responses[better].text.clone(),
                rejected: responses[worse].text.clone(),
                margin: Some(margin),
                from: Some([responses[better].from.clone(), responses[worse].from.clone()]),
            };
            records.push(Record { id, prompt: question(&problem.question), said, is_held_out: false });
        }
        Ok((records, counts))
    }

    fn labels(&self, prompts: &[Prompt], text: &RewardText<'_>) -> Result<(Vec<Record>, Counts)> {
        let mut candidates = Vec::new();
        for (prompt_idx, prompt) in prompts.iter().enumerate() {
            for (idx, response) in prompt.responses.iter().enumerate() {
                candidates.push((format!("{}/{prompt_idx}/{idx}", prompt.problem.id), prompt, response));
            }
        }
        let ids: Vec<&str> = candidates.iter().map(|(id, ..)| id.as_str()).collect();
        let rulings = self.judge_all(&ids, |idx, chat| {
            let (_, Prompt { problem, .. }, response) = &candidates[idx];
            let read = text.read(&response.text);
            match chat {
                None => Ok(Ruled::Ruling(Some(safe_by_rules(problem, read)?))),
                Some(chat) => Ok(match judge_safety(chat, &self.judge, &problem.question, read) {
                    Safety::Label(label) => Ruled::Ruling(Some(label)),
                    Safety::Unsure => Ruled::Ruling(None),
                    Safety::Pending(reason) => Ruled::Pending(reason),
                }),
            }
        })?;
        let mut counts = Counts { judged: rulings.len(), ..Counts::default() };
        let mut records = Vec::new();
        for ((id, Prompt { problem, .. }, response), label) in candidates.into_iter().zip(rulings) {
            let Some(label) = label else {
                counts.no_preference += 1;
                continue;
            };
            let said = Said::Label { response: response.text.clone(), label, from: Some(response.from.clone()) };
            records.push(Record { id, prompt: question(&problem.question), said, is_held_out: false });
        }
        Ok((records, counts))
    }

    /// Has every entry judged, in chunks; what an earlier sitting judged is not judged again. `ask` is given the index of an entry, and the
    /// judge's endpoint where that is who judges.
    fn judge_all<T: Serialize + DeserializeOwned + Clone + Send + Sync>(
        &self,
        ids: &[&str],
        ask: impl Fn(usize, Option<&dyn Chat>) -> Result<Ruled<T>> + Sync,
    ) -> Result<Vec<T>> {
        let mut rulings = Vec::with_capacity(ids.len());
        for (chunk_idx, chunk) in ids.chunks(CHUNK).enumerate() {
            let file = self.dir.join("judged").join(format!("{chunk_idx:05}.jsonl"));
            let lines: Vec<Judged<T>> = read_jsonl(&file)?;
            let mut known: BTreeMap<String, T> = lines.into_iter().map(|line| (line.id, line.ruling)).collect();
            let open: Vec<usize> = (0..chunk.len()).filter(|&at| !known.contains_key(chunk[at])).collect();
            let mut pending = None;
            if !open.is_empty() {
                let breaker = self.ctx.graders.breaker();
                let chat = breaker.as_ref().filter(|_| self.kind == JudgeKind::Endpoint).map(|breaker| breaker as &dyn Chat);
                let found = in_parallel(self.ctx.graders.n_threads(), &open, |&at| ask(chunk_idx * CHUNK + at, chat));
                for (&at, ruled) in open.iter().zip(found) {
                    match ruled? {
                        Ruled::Ruling(ruling) => drop(known.insert(chunk[at].to_owned(), ruling)),
                        Ruled::Pending(reason) => pending = Some(reason),
                    }
                }
                let judged = chunk.iter().filter_map(|id| Some(Judged { id: (*id).to_owned(), ruling: known.get(*id)?.clone() }));
                write_jsonl(&file, &judged.collect::<Vec<_>>())?;
            }
            if let Some(reason) = pending {
                bail!(
                    "no verdict from the judge: {reason}; paused with {} of {} judged and kept: when the judge answers again, the same command \
                     goes on from here",
                    chunk_idx * CHUNK + known.len(),
                    ids.len()
                );
            }
            rulings.extend(chunk.iter().filter_map(|id| known.remove(*id)));
        }
        Ok(rulings)
    }
}
