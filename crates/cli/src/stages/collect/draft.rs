//! The drafts of one source: batches of responses, brought into a readable form and graded. Each finished batch is a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ruminate_core::{Example, Gold, Message, Outcome, Problem, ProblemId, Role, Seed, Verdict};
use ruminate_model::{Checkpoint, Tokenizer};
use ruminate_rewards::judge::ChatParams;
use ruminate_rewards::{FormatForm, GradeError, Resources, RewardMix, RewardOptions, Submission, grade};
use ruminate_tasks::curate::{Draft, Filter, Flaw, think_summary, without_reasoning};

use super::speak::{Sample, Speaker, Speech, chat, open_endpoint, pause};
use super::worked::Worked;
use super::{dataset, has_right_answer, samples_dir};
use crate::endpoint::{Breaker, Endpoint};
use crate::parallel::in_parallel;
use crate::recipe::{Ask, CollectConfig, CollectSource, Method, Rewriter, TeacherConfig, Who};
use crate::run_dir::{StageDir, read_jsonl, write_jsonl};
use crate::stages::StageContext;

/// Least problems, or conversations of a data set, whose responses are one file.
const BATCH: usize = 32;

/// How often the responses of one file fill the places in which a policy decodes: the more often, the fewer are empty near its end.
const FILLS: usize = 4;

const REWRITE: &str = "You are given a question and somebody's rough notes that lead to an answer. Write them anew for a reader: clear and \
                       complete reasoning in the language of the question, in short paragraphs, with every check and correction that the \
                       notes make, and without code blocks. Keep the answer as it is. Reply with the reasoning in <think> and </think>, and \
                       after it a short summary in Markdown that ends with the answer.";

/// Makes the drafts of one source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drafter<'a> {
    pub(super) ctx: &'a StageContext<'a>,
    pub(super) stage_id: &'a str,
    pub(super) dir: &'a StageDir,
    pub(super) config: &'a CollectConfig,
    pub(super) source: &'a CollectSource,
    pub(super) seed: Seed,
}

impl Drafter<'_> {
    /// All drafts, those of earlier sittings from their files.
    pub(super) fn drafts(self, problems: &[Problem]) -> Result<Vec<Draft>> {
        match &self.source.method {
            Method::Dataset { data, limit } => {
                let examples = dataset::load(&self.source.name, data, *limit, self.seed)?;
                self.batches(&examples, |example| &example.problem.id, |_, batch| self.grade_examples(batch))
            }
            method => {
                let ask = method.ask().context("every other method asks somebody")?;
                let worked = match method {
                    Method::FewShot { examples, .. } => Some(Worked::open(examples.as_deref(), self.seed.with("examples"))?),
                    _ => None,
                };
                let speech = Speech { config: self.config, method, ask, worked };
                let rewriter = match method {
                    Method::Rewrite { by: Rewriter::Teacher(teacher), .. } => {
                        Some((open_endpoint(teacher, &self.replies())?, teacher.as_ref()))
                    }
                    _ => None,
                };
                let tokenizer = match (&ask.who, &rewriter) {
                    (Who::Policy(id), None) => Some(Checkpoint::open(&self.ctx.policy_path(id)?)?.tokenizer),
                    // What a teacher writes is for whoever learns from it.
                    (Who::Policy(_), Some(_)) | (Who::Teacher(_), _) => None,
                };
                // Loaded for the first batch that is not there.
                let mut speaker = None;
                self.batches(
                    problems,
                    |problem| &problem.id,
                    |file, batch| {
                        let samples = self.samples(file, &speech, &mut speaker, batch)?;
                        let mut drafts = self.grade_samples(&samples, batch, rewriter.as_ref())?;
                        if let Some(tokenizer) = &tokenizer {
                            drafts.iter_mut().for_each(|draft| refuse_unwritable(draft, tokenizer));
                        }
                        Ok(drafts)
                    },
                )
            }
        }
    }

    /// Makes what is not there yet, one batch after the other.
    fn batches<T>(
        self,
        items: &[T],
        id: impl Fn(&T) -> &ProblemId,
        mut make: impl FnMut(&Path, &[T]) -> Result<Vec<Draft>>,
    ) -> Result<Vec<Draft>> {
        let folder = samples_dir(self.dir, &self.source.name);
        let mut progress = self.ctx.ui.progress(&format!("{} {}", self.stage_id, self.source.name), items.len() as u64);
        let mut drafts = Vec::new();
        let mut n_right = 0;
        let size = self.batch_size();
        for (idx, batch) in items.chunks(size).enumerate() {
            let path = folder.join(format!("{idx:05}.drafts.jsonl"));
            let of_batch: Vec<Draft> = if path.exists() {
                let drafts: Vec<Draft> = read_jsonl(&path)?;
                covers(&path, drafts.iter().map(|draft| &draft.example.problem.id), batch.iter().map(&id))?;
                drafts
            } else {
                let made = make(&folder.join(format!("{idx:05}.jsonl")), batch)?;
                write_jsonl(&path, &made)?;
                made
            };
            n_right += of_batch.iter().filter(|draft| draft.flaw.is_none()).count();
            drafts.extend(of_batch);
            progress.set(((idx + 1) * size).min(items.len()) as u64, &format!("{n_right} of {} right", drafts.len()));
        }
        progress.finish(&format!("{n_right} of {} right", drafts.len()));
        Ok(drafts)
    }

    /// Problems whose responses are one file: what a kill can take.
    fn batch_size(self) -> usize {
        match self.source.method.ask() {
            Some(Ask { who: Who::Policy(_), samples, .. }) => (FILLS * self.config.max_batch).div_ceil(*samples as usize).max(BATCH),
            _ => BATCH,
        }
    }

    /// The responses of a batch.
    fn samples<'s>(self, path: &Path, speech: &Speech<'s>, speaker: &mut Option<Speaker<'s>>, batch: &[Problem]) -> Result<Vec<Sample>>
    where
        Self: 's,
    {
        if path.exists() {
            let samples: Vec<Sample> = read_jsonl(path)?;
            covers(path, samples.iter().map(|sample| &sample.problem), batch.iter().map(|problem| &problem.id))?;
            return Ok(samples);
        }
        let open = match speaker {
            Some(open) => open,
            None => speaker.insert(Speaker::open(self.ctx, speech, &self.replies())?),
        };
        let samples = open.respond(speech, batch, self.seed)?;
        write_jsonl(path, &samples)?;
        Ok(samples)
    }

    /// Folder of the replies of endpoints.
    fn replies(self) -> PathBuf {
        samples_dir(self.dir, &self.source.name).join("replies")
    }

    fn grade_samples(self, samples: &[Sample], batch: &[Problem], rewriter: Option<&(Endpoint, &TeacherConfig)>) -> Result<Vec<Draft>> {
        let rewriting = rewriter.map(|(endpoint, teacher)| (Breaker::new(endpoint, endpoint.concurrency()), *teacher));
        let n_threads = rewriter.map_or(0, |(endpoint, _)| endpoint.concurrency());
        self.in_parallel(n_threads, samples, |sample, resources| {
            let problem = batch.iter().find(|problem| problem.id == sample.problem).context("samples are of the batch")?;
            self.draft(sample, problem, resources, rewriting.as_ref())
        })
    }

    fn grade_examples(self, batch: &[Example]) -> Result<Vec<Draft>> {
        self.in_parallel(0, batch, |example, resources| {
            let (verdicts, flaw) = self.grade(&example.problem, example.response(), resources)?;
            Ok(Draft { example: Example { verdicts, ..example.clone() }, flaw })
        })
    }

    fn in_parallel<T: Sync>(
        self,
        n_threads: usize,
        items: &[T],
        make: impl Fn(&T, Resources<'_>) -> Result<Draft> + Sync,
    ) -> Result<Vec<Draft>> {
        let graders = self.ctx.graders;
        let breaker = graders.breaker();
        let made = in_parallel(graders.n_threads().max(n_threads), items, |item| make(item, graders.resources(breaker.as_ref())));
        made.into_iter().collect()
    }

    /// One response as an example, with the first thing that stands against it.
    fn draft(
        self,
        sample: &Sample,
        problem: &Problem,
        resources: Resources<'_>,
        rewriting: Option<&(Breaker<'_>, &TeacherConfig)>,
    ) -> Result<Draft> {
        let draft = |text: &str, verdicts: BTreeMap<String, Verdict>, flaw: Option<Flaw>| {
            let turns = [(Role::User, problem.question.as_str()), (Role::Assistant, text)];
            let messages = turns.map(|(role, content)| Message { role, content: content.to_owned() }).to_vec();
            let id = format!("{}/{}/{}", problem.id, self.source.name, sample.sample_idx);
            Draft { example: Example { id, source: self.source.name.clone(), problem: problem.clone(), messages, verdicts }, flaw }
        };
        if sample.is_truncated {
            let flaw = Flaw::new(Filter::Truncated, "the token budget ended the response");
            return Ok(draft(&sample.text, BTreeMap::new(), Some(flaw)));
        }
        let mut text = match self.convert(sample, problem) {
            Ok(text) => text,
            Err(flaw) => return Ok(draft(&sample.text, BTreeMap::new(), Some(flaw))),
        };
        let (mut verdicts, mut flaw) = self.grade(problem, &text, resources)?;
        if let (Some((breaker, teacher)), None, true) = (rewriting, &flaw, has_right_answer(problem)) {
            // What is wrong need not be rewritten; what is rewritten may have become wrong.
            let written = self.rewritten(sample, problem, &text, breaker, teacher)?;
            match written {
                Err(flaw) => return Ok(draft(&text, verdicts, Some(flaw))),
                Ok(written) => {
                    (verdicts, flaw) = self.grade(problem, &written, resources)?;
                    text = written;
                }
            }
        }
        Ok(draft(&text, verdicts, flaw))
    }

    /// The response in the form that is learned.
    fn convert(self, sample: &Sample, problem: &Problem) -> Result<String, Flaw> {
        let method = &self.source.method;
        if has_right_answer(problem) {
            return think_summary(problem, &sample.text, sample.opens_think, matches!(method, Method::Rewrite { .. }));
        }
        let text = if sample.opens_think { format!("<think>{}", sample.text) } else { sample.text.clone() };
        let wants = match method {
            Method::Teacher { with_reasoning, .. } => with_reasoning.of(problem),
            _ => None,
        };
        match wants {
            Some(false) => Ok(without_reasoning(&text).to_owned()),
            Some(true) if !text.contains("</think>") => Err(Flaw::new(Filter::NoForm, "expected a chain of thought, found none")),
            _ => Ok(text.trim().to_owned()),
        }
    }

    /// What a teacher makes of a right response.
    fn rewritten(
        self,
        sample: &Sample,
        problem: &Problem,
        text: &str,
        breaker: &Breaker<'_>,
        teacher: &TeacherConfig,
    ) -> Result<Result<String, Flaw>> {
        let notes = format!("Question:\n{}\n\nNotes:\n{text}", problem.question);
        let turns = [(Role::System, REWRITE.to_owned()), (Role::User, notes)];
        let messages = turns.map(|(role, content)| Message { role, content }).to_vec();
        // Two samples with the same words are rewritten twice.
        let seed = self.seed.with("rewrite").with(&problem.id.0).with_index(sample.sample_idx.into()).value() >> 33;
        let params =
            ChatParams { temperature: 0.6, top_p: 0.95, max_tokens: teacher.max_tokens, seed: Some(seed), ..ChatParams::default() };
        let mut replies = chat(breaker, teacher, messages, params).map_err(|error| pause(&error))?;
        let (text, is_truncated) = replies.pop().context("a reply has at least one choice")?;
        if is_truncated {
            return Ok(Err(Flaw::new(Filter::Truncated, "the token budget ended what the teacher wrote")));
        }
        Ok(think_summary(problem, &text, false, false))
    }

    /// Verdicts on a response, and what stands against it.
    fn grade(self, problem: &Problem, text: &str, resources: Resources<'_>) -> Result<(BTreeMap<String, Verdict>, Option<Flaw>)> {
        let format = self.config.curation.filters.form.unwrap_or(FormatForm::ThinkSummary);
        let mix = RewardMix { options: RewardOptions { format, ..RewardOptions::default() }, ..RewardMix::default() };
        let submission = Submission { problem, text, n_tokens: 0, prompt_opens_think: false };
        let (verdicts, _) = grade(&submission, &mix, resources).map_err(|error| match error {
            GradeError::Pending { .. } => {
                let paused = "paused; what was sampled is kept, and when the judge answers again, the same command goes on from here";
                anyhow::Error::from(error).context(paused)
            }
            other => other.into(),
        })?;
        let accuracy = verdicts.get("accuracy").context("accuracy is always graded")?;
        let is_judged = matches!(problem.gold, Gold::Judged { .. });
        let flaw = match accuracy.outcome {
            Outcome::Right => None,
            Outcome::TimedOut | Outcome::BadGold => Some(Flaw::new(Filter::Unsure, accuracy.reason.clone())),
            Outcome::Unparsed if is_judged => Some(Flaw::new(Filter::Unsure, accuracy.reason.clone())),
            Outcome::Wrong | Outcome::Unparsed => Some(Flaw::new(Filter::Wrong, accuracy.reason.clone())),
        };
        Ok((verdicts, flaw))
    }
}

/// Checks that a file of an earlier sitting is of the problems of its batch, all of them and no others.
fn covers<'a>(path: &Path, found: impl Iterator<Item = &'a ProblemId>, asked: impl Iterator<Item = &'a ProblemId>) -> Result<()> {
    let (found, asked): (BTreeSet<_>, BTreeSet<_>) = (found.collect(), asked.collect());
    if found != asked {
        let n_shared = found.intersection(&asked).count();
        bail!(
            "{}: expected responses to the {} problems of this batch, found {n_shared} of them and {} others; batches were of another \
             size when it was written: remove the folder and they are sampled again",
            path.display(),
            asked.len(),
            found.len() - n_shared
        );
    }
    Ok(())
}

/// A readable form that the policy's own tokenizer cannot write teaches nothing: a vocabulary of whole words may lack a word without the
/// space before it, which the form does not keep.
fn refuse_unwritable(draft: &mut Draft, tokenizer: &Tokenizer) {
    if draft.flaw.is_none()
        && let Err(error) = tokenizer.encode_known(draft.example.response(), false)
    {
        draft.flaw = Some(Flaw::new(Filter::NoForm, error.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use ruminate_core::Language;
    use ruminate_model::tiny_tokenizer;

    use super::*;

    #[test]
    fn what_the_tokenizer_cannot_write_is_no_form() {
        let tokenizer = tiny_tokenizer(&["a".to_owned(), " b".to_owned()]).unwrap();
        let flaw = |text: &str| {
            let problem = Problem {
                id: ProblemId("t/1".into()),
                kind: "t".into(),
                question: "a".into(),
                gold: Gold::Value { text: "2".into() },
                language: Language::En,
                difficulty: None,
            };
            let messages = vec![Message { role: Role::Assistant, content: text.to_owned() }];
            let example = Example { id: "t/1/0".into(), source: "sample".into(), problem, messages, verdicts: BTreeMap::new() };
            let mut draft = Draft { example, flaw: None };
            refuse_unwritable(&mut draft, &tokenizer);
            draft.flaw
        };
        assert_eq!(flaw("a b"), None);
        let flaw = flaw("b a").unwrap();
        assert!(flaw.filter == Filter::NoForm && flaw.reason.contains("no token for"), "{flaw:?}");
    }
}
