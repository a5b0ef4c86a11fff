//! Streams of problems: for training without end, for evaluation a fixed set.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ruminate_core::{Language, Problem, Seed};
use ruminate_rewards::language_of;
use ruminate_tasks::difficulty::{DifficultyMemory, DifficultySettings, Standing, cell_key};
use ruminate_tasks::synthetic::{Split, SyntheticKind, SyntheticLanguage, generate};
use ruminate_tasks::{ProblemForm, load_problems};

use crate::hub::{Hub, HubName};
use crate::recipe::{DataSplit, EvaluationConfig, PromptSource};
use crate::ui::Ui;

/// Names of the forms of problem files; `fields:QUESTION,ANSWER` names the fields of any other.
pub(crate) const FORMS: [&str; 12] = [
    "ruminate",
    "gsm8k",
    "math",
    "countdown",
    "knights",
    "zebra",
    "sat",
    "sudoku",
    "humaneval",
    "mbpp",
    "livecodebench",
    "fields:QUESTION,ANSWER",
];

/// One in this many problems of a file is held out.
const HELD_OUT_EVERY: u64 = 10;

/// Problems of a file that are looked at for one that teaches something, in place of one that does not.
const MAX_REDRAWS: u64 = 64;

/// Turns that are passed by, one after the other, before a stream gives up.
const MAX_UNWANTED: u64 = 10_000;

/// A form by its name.
pub(crate) fn problem_form(name: &str) -> Option<ProblemForm> {
    Some(match name {
        "ruminate" => ProblemForm::Ruminate,
        "gsm8k" => ProblemForm::Gsm8k,
        "math" => ProblemForm::Math,
        "countdown" => ProblemForm::Countdown,
        "knights" => ProblemForm::Knights,
        "zebra" => ProblemForm::Zebra,
        "sat" => ProblemForm::Sat,
        "sudoku" => ProblemForm::Sudoku,
        "humaneval" => ProblemForm::HumanEval,
        "mbpp" => ProblemForm::Mbpp,
        "livecodebench" => ProblemForm::LiveCodeBench,
        other => {
            let (question, answer) = other.strip_prefix("fields:")?.split_once(',')?;
            let field = |name: &str| (!name.trim().is_empty()).then(|| name.trim().to_owned());
            ProblemForm::Fields { question: field(question)?, answer: field(answer)?, id: None }
        }
    })
}

/// An endless stream of training problems, a pure function of sources, seed and position.
///
/// Sources take turns in proportion to their weights. A file is read in a new random order each time it is used up; a synthetic source
/// never repeats a number.
#[derive(Debug)]
pub(crate) struct ProblemStream {
    sources: Vec<Source>,
    turns: Turns,
    seed: Seed,
    position: u64,
}

impl ProblemStream {
    /// A stream that starts at problem number `position`.
    ///
    /// # Errors
    /// A problem file that cannot be read or has no problem of the wanted split.
    pub(crate) fn open(prompts: &[PromptSource], seed: Seed, position: u64) -> Result<Self> {
        let sources = prompts.iter().map(|prompts| Source::open(prompts, Split::Train)).collect::<Result<Vec<_>>>()?;
        let mut stream = Self { turns: Turns::new(prompts), sources, seed, position: 0 };
        while stream.position < position {
            stream.turns.take();
            stream.position += 1;
        }
        Ok(stream)
    }

    /// How many problems came so far: where a stream must start to go on.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// How many different problems there are at most; `None` where a source has no end.
    pub(crate) fn n_problems(&self) -> Option<usize> {
        let of_source = |source: &Source| match source {
            Source::File { problems, .. } => Some(problems.len()),
            Source::Synthetic { .. } => None,
        };
        self.sources.iter().map(of_source).sum()
    }

    /// All problems that come from files.
    pub(crate) fn file_problems(&self) -> impl Iterator<Item = &Problem> {
        self.sources.iter().flat_map(|source| match source {
            Source::File { problems, .. } => problems.as_slice(),
            Source::Synthetic { .. } => &[],
        })
    }

    /// The next problem.
    ///
    /// # Errors
    /// None in practice: difficulties are checked when the recipe is resolved.
    pub(crate) fn draw(&mut self) -> Result<Problem> {
        Ok(self.draw_by(None, |_| true)?.problem)
    }

    /// The next problem, with the key that it is remembered by. Where the one whose turn it is teaches nothing, another one of the same
    /// source mostly takes its place: the shares of the sources stay, and the draw is a function of seed, position and memory. Turns of
    /// problems that are not wanted are passed by.
    ///
    /// # Errors
    /// As [`ProblemStream::draw`], and where nothing is wanted for long.
    pub(crate) fn draw_by(&mut self, difficulty: Option<Difficulty<'_>>, is_wanted: impl Fn(&Problem) -> bool) -> Result<Drawn> {
        for _ in 0..MAX_UNWANTED {
            let (source_idx, n_before) = self.turns.take();
            self.position += 1;
            let drawn = self.sources[source_idx].draw(n_before, self.seed.with_index(source_idx as u64), difficulty)?;
            if is_wanted(&drawn.problem) {
                return Ok(drawn);
            }
        }
        bail!(
            "expected prompts that a rule grades, found none in {MAX_UNWANTED}; before preference_from, those that only reward models grade are \
             left out"
        );
    }
}

/// What is known about the difficulty of problems, and what it means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Difficulty<'a> {
    /// When a problem is rare.
    pub(crate) settings: &'a DifficultySettings,
    /// How problems went so far.
    pub(crate) memory: &'a DifficultyMemory,
}

impl Difficulty<'_> {
    fn passes_over(self, key: &str, seed: Seed) -> bool {
        self.memory.passes_over(self.settings, key, seed)
    }

    fn is_open(self, key: &str) -> bool {
        self.memory.standing(self.settings, key) == Standing::Open
    }
}

/// A problem that was drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawn {
    /// The problem.
    pub(crate) problem: Problem,
    /// What it is remembered by: its id, or its cell if it will never come again.
    pub(crate) key: String,
}

/// `n_problems` different problems for evaluation, shared out between the sources by weight. They are the same in every run, whatever
/// its seed, so that runs can be compared problem by problem.
///
/// # Errors
/// A file that cannot be read, or sources with too few different problems.
pub(crate) fn evaluation_set(prompts: &[PromptSource], n_problems: usize) -> Result<Vec<Problem>> {
    let seed = Seed::new(0).with("evaluation");
    let mut sources = prompts.iter().map(|prompts| Source::open(prompts, Split::HeldOut)).collect::<Result<Vec<_>>>()?;
    let mut turns = Turns::new(prompts);
    let mut seen = BTreeSet::new();
    let mut problems = Vec::with_capacity(n_problems);
    let mut n_repeats = 0;
    while problems.len() < n_problems {
        let (source_idx, n_before) = turns.take();
        // By source, not by its place in the list: a source's problems do not depend on what else is evaluated.
        let problem = match &mut sources[source_idx] {
            Source::File { problems, .. } if n_before >= problems.len() as u64 => None,
            Source::File { problems, .. } => Some(problems[n_before as usize].clone()),
            synthetic @ Source::Synthetic { .. } => Some(synthetic.draw(n_before, seed, None)?.problem),
        };
        match problem.filter(|problem| seen.insert((problem.question.clone(), problem.language))) {
            Some(problem) => problems.push(problem),
            None => n_repeats += 1,
        }
        if n_repeats > 20 * n_problems + 1000 {
            bail!("evaluation: expected {n_problems} different problems, found {}; lower n_problems", problems.len());
        }
    }
    Ok(problems)
}

/// Every problem that must not be learned from: those of the evaluation, and all others of the split that its files are evaluated on.
///
/// # Errors
/// As [`evaluation_set`].
pub(crate) fn evaluation_problems(evaluation: &EvaluationConfig) -> Result<Vec<Problem>> {
    let mut problems = evaluation_set(&evaluation.prompts, evaluation.n_problems)?;
    for prompts in &evaluation.prompts {
        if let Source::File { problems: of_file, .. } = Source::open(prompts, Split::HeldOut)? {
            problems.extend(of_file);
        }
    }
    Ok(problems)
}

/// The file of a path, or of a name of the hub, from which it is fetched if it is not there.
///
/// # Errors
/// As [`Hub::fetch`].
pub(crate) fn data_file(path: &Path) -> Result<PathBuf> {
    match path.to_str().filter(|text| text.starts_with("hf:")).and_then(HubName::parse) {
        Some(name) => Hub::from_env()?.fetch(&name?, &Ui::new()),
        None => Ok(path.to_owned()),
    }
}

/// All problems of an evaluation file, at most `limit`. Without a language, each problem's is that of its question.
///
/// # Errors
/// As [`load_problems`].
pub(crate) fn load_file(path: &Path, form: Option<&str>, language: Option<Language>, limit: Option<usize>) -> Result<Vec<Problem>> {
    let form = form
        .map(|name| problem_form(name).with_context(|| format!("form: expected one of {}, found '{name}'", FORMS.join(", "))))
        .transpose()?;
    let path = &data_file(path)?;
    let kind = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("file");
    let mut problems = load_problems(path, form.as_ref(), kind, language.unwrap_or(Language::En))?;
    problems.truncate(limit.unwrap_or(usize::MAX));
    if language.is_none() {
        for problem in &mut problems {
            problem.language = language_of(&problem.question).unwrap_or(problem.language);
        }
    }
    Ok(problems)
}

#[derive(Debug)]
enum Source {
    Synthetic { kind: SyntheticKind, difficulties: Vec<u32>, languages: Vec<SyntheticLanguage>, split: Split },
    File { problems: Vec<Problem>, epoch: Option<u64>, order: Vec<usize> },
}

impl Source {
    fn open(prompts: &PromptSource, split: Split) -> Result<Self> {
        match prompts {
            PromptSource::Synthetic { source, difficulties, languages, .. } => {
                Ok(Self::Synthetic { kind: *source, difficulties: difficulties.clone(), languages: languages.clone(), split })
            }
            PromptSource::File { data, form, language, split, limit, .. } => {
                let mut problems = load_file(data, form.as_deref(), *language, None)?;
                problems.retain(|problem| in_split(problem, *split));
                problems.truncate(limit.unwrap_or(usize::MAX));
                if problems.is_empty() {
                    bail!(
                        "{} has no problem in split {split:?}; a file that holds one split only is read with split = \"all\"",
                        data.display()
                    );
                }
                Ok(Self::File { problems, epoch: None, order: Vec::new() })
            }
        }
    }

    /// Problem number `n_before` of this source, or another one in its place where that one is passed over.
    fn draw(&mut self, n_before: u64, seed: Seed, difficulty: Option<Difficulty<'_>>) -> Result<Drawn> {
        let draw_seed = seed.with("difficulty").with_index(n_before);
        match self {
            Self::Synthetic { kind, difficulties, languages, split } => {
                // All pairs of difficulty and language in turn: batches are as even as they can be.
                let n_difficulties = difficulties.len() as u64;
                let mut cell = (
                    difficulties[(n_before % n_difficulties) as usize],
                    languages[(n_before / n_difficulties % languages.len() as u64) as usize],
                );
                let key = |(difficulty, language): (u32, SyntheticLanguage)| cell_key(kind.as_str(), difficulty, language.into());
                if let Some(known) = difficulty.filter(|known| known.passes_over(&key(cell), draw_seed)) {
                    let all = difficulties.iter().flat_map(|&difficulty| languages.iter().map(move |&language| (difficulty, language)));
                    let open: Vec<_> = all.filter(|&cell| known.is_open(&key(cell))).collect();
                    // Where every cell teaches nothing, the turn is as good as any.
                    cell = open.get((draw_seed.uniform() * open.len() as f64) as usize).copied().unwrap_or(cell);
                }
                let problem = generate(*kind, cell.0, cell.1, *split, n_before, seed)?;
                Ok(Drawn { problem, key: key(cell) })
            }
            Self::File { problems, epoch, order } => {
                let n = problems.len() as u64;
                if *epoch != Some(n_before / n) {
                    *epoch = Some(n_before / n);
                    let key = |&idx: &usize| seed.with("epoch").with_index(n_before / n).with_index(idx as u64).value();
                    *order = (0..problems.len()).collect();
                    order.sort_by_key(key);
                }
                let mut drawn = &problems[order[(n_before % n) as usize]];
                if let Some(known) = difficulty.filter(|known| known.passes_over(&drawn.id.0, draw_seed)) {
                    let mut others = (0..MAX_REDRAWS).map(|i| &problems[(draw_seed.with_index(i).uniform() * n as f64) as usize]);
                    drawn = others.find(|other| known.is_open(&other.id.0)).unwrap_or(drawn);
                }
                Ok(Drawn { problem: drawn.clone(), key: drawn.id.0.clone() })
            }
        }
    }
}

fn in_split(problem: &Problem, split: DataSplit) -> bool {
    let is_held_out = || Seed::new(0).with("split").with(&problem.question).value().is_multiple_of(HELD_OUT_EVERY);
    match split {
        DataSplit::All => true,
        DataSplit::HeldOut => is_held_out(),
        DataSplit::Train => !is_held_out(),
    }
}

/// Whose turn it is: every source gains its weight of credit each turn, and the one with the most pays for the turn. So after any
/// number of turns no source is more than one turn away from its share.
#[derive(Debug)]
struct Turns {
    weights: Vec<f64>,
    credits: Vec<f64>,
    counts: Vec<u64>,
}

impl Turns {
    fn new(prompts: &[PromptSource]) -> Self {
        let total: f64 = prompts.iter().map(|prompts| f64::from(prompts.weight())).sum();
        let weights: Vec<f64> = prompts.iter().map(|prompts| f64::from(prompts.weight()) / total).collect();
        Self { credits: vec![0.0; weights.len()], counts: vec![0; weights.len()], weights }
    }

    /// The source whose turn it is, and how many it had before.
    fn take(&mut self) -> (usize, u64) {
        for (credit, weight) in self.credits.iter_mut().zip(&self.weights) {
            *credit += weight;
        }
        let mut best = 0;
        for idx in 1..self.credits.len() {
            if self.credits[idx] > self.credits[best] {
                best = idx;
            }
        }
        self.credits[best] -= 1.0;
        self.counts[best] += 1;
        (best, self.counts[best] - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synthetic(source: SyntheticKind, weight: f32) -> PromptSource {
        PromptSource::Synthetic { source, difficulties: vec![1, 2], languages: SyntheticLanguage::ALL.to_vec(), weight }
    }

    fn file(path: &Path, split: DataSplit) -> PromptSource {
        PromptSource::File { data: path.to_owned(), form: None, language: None, split, weight: 1.0, limit: None }
    }

    fn write_gsm8k(dir: &Path, n: usize) -> PathBuf {
        let lines: Vec<String> = (0..n)
            .map(|i| serde_json::json!({"question": format!("{i}+{i}?"), "answer": format!("so\n#### {}", 2 * i)}).to_string())
            .collect();
        let path = dir.join("mini.jsonl");
        std::fs::write(&path, lines.join("\n")).unwrap();
        path
    }

    #[test]
    fn turns_follow_weights_and_a_stream_can_start_anywhere() {
        let prompts = [synthetic(SyntheticKind::Arithmetic, 3.0), synthetic(SyntheticKind::Logic, 1.0)];
        let mut stream = ProblemStream::open(&prompts, Seed::new(5), 0).unwrap();
        let problems: Vec<Problem> = (0..40).map(|_| stream.draw().unwrap()).collect();
        assert_eq!(problems.iter().filter(|problem| problem.kind == "arithmetic").count(), 30);
        let mut later = ProblemStream::open(&prompts, Seed::new(5), 17).unwrap();
        assert_eq!((0..23).map(|_| later.draw().unwrap()).collect::<Vec<_>>(), problems[17..]);
        assert_eq!(later.position(), 40);
        let mut other = ProblemStream::open(&prompts, Seed::new(6), 0).unwrap();
        assert_ne!(other.draw().unwrap().question, problems[0].question);
        for (difficulty, language) in
            [(1, SyntheticLanguage::En), (1, SyntheticLanguage::Zh), (2, SyntheticLanguage::En), (2, SyntheticLanguage::Zh)]
        {
            let n = problems.iter().filter(|p| p.difficulty == Some(difficulty) && p.language == language.into()).count();
            assert!((9..=11).contains(&n), "{difficulty} {language:?}: {n}");
        }
    }

    /// A memory after three rounds in which these keys had these shares of right completions.
    fn remembered(shares: &[(&str, f64)]) -> DifficultyMemory {
        let mut memory = DifficultyMemory::default();
        for _ in 0..3 {
            memory.observe(&DifficultySettings::default(), shares.iter().map(|&(key, share)| (key.to_owned(), share)));
        }
        memory
    }

    #[test]
    fn cells_that_teach_nothing_are_rare_and_proportions_hold() {
        let prompts = [synthetic(SyntheticKind::Arithmetic, 3.0), synthetic(SyntheticKind::Logic, 1.0)];
        let memory = remembered(&[("arithmetic/1/en", 1.0), ("arithmetic/1/zh", 0.0), ("logic/1/en", 1.0), ("arithmetic/2/en", 0.5)]);
        let settings = DifficultySettings::default();
        let known = Some(Difficulty { settings: &settings, memory: &memory });
        let mut stream = ProblemStream::open(&prompts, Seed::new(5), 0).unwrap();
        let drawn: Vec<Drawn> = (0..4000).map(|_| stream.draw_by(known, |_| true).unwrap()).collect();
        let count = |start: &str| drawn.iter().filter(|drawn| drawn.key.starts_with(start)).count();
        assert_eq!((count("arithmetic"), count("logic")), (3000, 1000), "shares of the sources are exact");
        // A cell has a quarter of its source; a rare one a tenth of that, the rest goes to the open cells.
        for (key, expected) in
            [("arithmetic/1/en", 75), ("arithmetic/1/zh", 75), ("logic/1/en", 25), ("arithmetic/2/en", 1425), ("logic/2/zh", 325)]
        {
            assert!(count(key).abs_diff(expected) < 60 + expected / 10, "{key}: {}", count(key));
        }
        assert!(
            drawn.iter().all(|drawn| drawn.problem.id.0.starts_with(&drawn.key[..drawn.key.len() - 2])),
            "the key is that of the problem"
        );
        let ids: BTreeSet<&str> = drawn.iter().map(|drawn| drawn.problem.id.0.as_str()).collect();
        assert_eq!(ids.len(), drawn.len(), "no number comes twice");
        // From the middle, with the same memory, the same.
        let mut later = ProblemStream::open(&prompts, Seed::new(5), 1234).unwrap();
        assert_eq!(later.draw_by(known, |_| true).unwrap(), drawn[1234]);
        // A memory of nothing changes nothing, and neither does one in which all is solved.
        let all = remembered(
            &["arithmetic", "logic"]
                .map(|kind| [1, 2].map(|d| ["en", "zh"].map(|l| format!("{kind}/{d}/{l}"))))
                .as_flattened()
                .as_flattened()
                .iter()
                .map(|key| (key.as_str(), 1.0))
                .collect::<Vec<_>>(),
        );
        for memory in [DifficultyMemory::default(), all] {
            let known = Some(Difficulty { settings: &settings, memory: &memory });
            let (mut with, mut without) =
                (ProblemStream::open(&prompts, Seed::new(5), 0).unwrap(), ProblemStream::open(&prompts, Seed::new(5), 0).unwrap());
            assert!((0..40).all(|_| with.draw_by(known, |_| true).unwrap().problem == without.draw().unwrap()));
        }
    }

    #[test]
    fn problems_that_are_not_wanted_are_passed_by() {
        let prompts = [synthetic(SyntheticKind::Arithmetic, 1.0), synthetic(SyntheticKind::Logic, 1.0)];
        let open = |position| ProblemStream::open(&prompts, Seed::new(5), position).unwrap();
        let (mut all, mut some) = (open(0), open(0));
        let expected: Vec<Problem> = (0..20).map(|_| all.draw().unwrap()).filter(|problem| problem.kind == "logic").collect();
        let is_logic = |problem: &Problem| problem.kind == "logic";
        let drawn: Vec<Problem> = expected.iter().map(|_| some.draw_by(None, is_logic).unwrap().problem).collect();
        assert_eq!(drawn, expected);
        let position = some.position();
        assert_eq!(some.draw().unwrap(), open(position).draw().unwrap(), "a stream can go on from there");
        let error = some.draw_by(None, |_| false).unwrap_err().to_string();
        assert!(error.contains("before preference_from"), "{error}");
    }

    #[test]
    fn problems_of_a_file_that_teach_nothing_are_rare() {
        let dir = tempfile::tempdir().unwrap();
        let prompts = [file(&write_gsm8k(dir.path(), 20), DataSplit::All)];
        let mut stream = ProblemStream::open(&prompts, Seed::new(1), 0).unwrap();
        let ids: BTreeSet<String> = (0..20).map(|_| stream.draw().unwrap().id.0).collect();
        let rare: Vec<&str> = ids.iter().take(10).map(String::as_str).collect();
        let memory = remembered(&rare.iter().enumerate().map(|(i, &id)| (id, if i % 2 == 0 { 1.0 } else { 0.0 })).collect::<Vec<_>>());
        let settings = DifficultySettings::default();
        let known = Some(Difficulty { settings: &settings, memory: &memory });
        let n_rare = (0..2000).filter(|_| rare.contains(&stream.draw_by(known, |_| true).unwrap().key.as_str())).count();
        // Half of the turns are theirs, and a tenth of those is kept: 100, with a standard deviation of 10.
        assert!(n_rare.abs_diff(100) < 50, "{n_rare}");
    }

    #[test]
    fn the_evaluation_set_is_held_out_and_without_repeats() {
        let prompts = [synthetic(SyntheticKind::Arithmetic, 1.0), synthetic(SyntheticKind::Countdown, 1.0)];
        let problems = evaluation_set(&prompts, 60).unwrap();
        assert_eq!(problems.len(), 60);
        assert!(problems.iter().all(|problem| problem.id.0.contains("held-out")));
        let questions: BTreeSet<&str> = problems.iter().map(|problem| problem.question.as_str()).collect();
        assert_eq!(questions.len(), 60);
        // A source's problems are the same with and without others beside it.
        let alone = evaluation_set(&prompts[1..], 10).unwrap();
        assert_eq!(alone[..], problems.iter().filter(|p| p.kind == "countdown").take(10).cloned().collect::<Vec<_>>()[..]);
    }

    #[test]
    fn a_file_is_split_and_each_epoch_has_every_problem_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = write_gsm8k(dir.path(), 200);
        let Source::File { problems: train, .. } = Source::open(&file(&path, DataSplit::Train), Split::Train).unwrap() else { panic!() };
        let held_out = evaluation_set(&[file(&path, DataSplit::HeldOut)], 5).unwrap();
        let Source::File { problems: all_held_out, .. } = Source::open(&file(&path, DataSplit::HeldOut), Split::HeldOut).unwrap() else {
            panic!()
        };
        assert_eq!(train.len() + all_held_out.len(), 200);
        assert!((8..=35).contains(&all_held_out.len()), "{}", all_held_out.len());
        assert!(held_out.iter().all(|problem| !train.contains(problem)));

        let mut stream = ProblemStream::open(&[file(&path, DataSplit::Train)], Seed::new(1), 0).unwrap();
        let mut epoch = || (0..train.len()).map(|_| stream.draw().unwrap().id).collect::<Vec<_>>();
        let (first, second) = (epoch(), epoch());
        assert_ne!(first, second);
        assert_eq!(first.iter().collect::<BTreeSet<_>>(), second.iter().collect());
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), train.len());
        let error = evaluation_set(&[file(&path, DataSplit::HeldOut)], 100).unwrap_err().to_string();
        assert!(error.contains("expected 100 different problems, found"), "{error}");
    }

    #[test]
    fn forms_have_names() {
        assert_eq!(problem_form("gsm8k"), Some(ProblemForm::Gsm8k));
        let fields = ProblemForm::Fields { question: "q".into(), answer: "a".into(), id: None };
        assert_eq!(problem_form("fields:q, a"), Some(fields));
        assert_eq!([problem_form("gsm"), problem_form("fields:q"), problem_form("fields:,a")], [None, None, None]);
    }
}
