//! Several rewards, weighted and summed.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use ruminate_core::{Gold, Language, Outcome, Problem, Verdict};
use ruminate_sandbox::Sandbox;
use serde::{Deserialize, Serialize};

use crate::code::{self, CodeError};
use crate::format::FormatForm;
use crate::judge::{self, Chat, Judge, judge_answer};
use crate::length::{CosineLength, grade_group_lengths};
use crate::repetition::{Repetition, WordSplit};
use crate::{grade_accuracy, grade_language};

/// One reward among those that are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Is the answer right: [`grade_accuracy`], for programs [`code::grade_completion`].
    Accuracy,
    /// Is the completion in the asked form: [`FormatForm`].
    Format,
    /// A quarter for each tag in its place.
    TagCount,
    /// Is there a box with an answer.
    Boxed,
    /// Is there a summary in Markdown.
    MarkdownSummary,
    /// Share of words in the target language: [`grade_language`].
    Language,
    /// Length by a cosine: [`CosineLength`].
    CosineLength,
    /// Length within the group: [`grade_group_lengths`].
    GroupLength,
    /// Penalty of repeated n-grams: [`Repetition`].
    Repetition,
    /// How helpful the response is, as a reward model says: [`add_score`].
    Helpful,
    /// How safe the response is, as a reward model says: [`add_score`].
    Safe,
}

impl Component {
    /// All components, in the order of the declaration.
    pub const ALL: [Self; 11] = [
        Self::Accuracy,
        Self::Format,
        Self::TagCount,
        Self::Boxed,
        Self::MarkdownSummary,
        Self::Language,
        Self::CosineLength,
        Self::GroupLength,
        Self::Repetition,
        Self::Helpful,
        Self::Safe,
    ];

    /// Its name in recipes and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Format => "format",
            Self::TagCount => "tag_count",
            Self::Boxed => "boxed",
            Self::MarkdownSummary => "markdown_summary",
            Self::Language => "language",
            Self::CosineLength => "cosine_length",
            Self::GroupLength => "group_length",
            Self::Repetition => "repetition",
            Self::Helpful => "helpful",
            Self::Safe => "safe",
        }
    }

    /// Whether its verdict is recorded even where it weighs nothing, since reports show it.
    fn is_always_recorded(self) -> bool {
        matches!(self, Self::Accuracy | Self::Format | Self::Language)
    }
}

/// Weight of each component; those that are left out weigh nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of Component")]
pub struct Weights {
    pub accuracy: f32,
    pub format: f32,
    pub tag_count: f32,
    pub boxed: f32,
    pub markdown_summary: f32,
    pub language: f32,
    pub cosine_length: f32,
    pub group_length: f32,
    pub repetition: f32,
    pub helpful: f32,
    pub safe: f32,
}

impl Weights {
    /// R1-Zero: accuracy and format, equally.
    pub const R1_ZERO: Self = Self { accuracy: 1.0, format: 1.0, ..Self::NONE };

    const NONE: Self = Self {
        accuracy: 0.0,
        format: 0.0,
        tag_count: 0.0,
        boxed: 0.0,
        markdown_summary: 0.0,
        language: 0.0,
        cosine_length: 0.0,
        group_length: 0.0,
        repetition: 0.0,
        helpful: 0.0,
        safe: 0.0,
    };

    /// The weight of one component.
    pub fn of(&self, component: Component) -> f32 {
        match component {
            Component::Accuracy => self.accuracy,
            Component::Format => self.format,
            Component::TagCount => self.tag_count,
            Component::Boxed => self.boxed,
            Component::MarkdownSummary => self.markdown_summary,
            Component::Language => self.language,
            Component::CosineLength => self.cosine_length,
            Component::GroupLength => self.group_length,
            Component::Repetition => self.repetition,
            Component::Helpful => self.helpful,
            Component::Safe => self.safe,
        }
    }
}

/// Settings of the components that have some.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardOptions {
    /// The form that `format` asks for.
    pub format: FormatForm,
    /// Values and length of `cosine_length`, in tokens.
    pub cosine_length: CosineLength,
    /// Of `repetition`.
    pub repetition: RepetitionOptions,
}

/// Settings of the repetition penalty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RepetitionOptions {
    /// Words of an n-gram.
    pub ngram_size: NonZeroUsize,
    /// Penalty of a completion that says nothing but one n-gram, at most 0.
    pub max_penalty: f64,
}

impl Default for RepetitionOptions {
    /// The defaults of open-r1.
    fn default() -> Self {
        const NGRAM_SIZE: NonZeroUsize = NonZeroUsize::new(3).expect("3 is not 0");
        Self { ngram_size: NGRAM_SIZE, max_penalty: -1.0 }
    }
}

impl RepetitionOptions {
    /// Chinese and Japanese have no spaces between words.
    fn grade(self, text: &str, language: Language) -> Verdict {
        let split = if matches!(language, Language::Zh | Language::Ja) { WordSplit::Jieba } else { WordSplit::Whitespace };
        match Repetition::new(self.ngram_size, self.max_penalty, split) {
            Ok(repetition) => repetition.grade(text),
            Err(error) => Verdict::none(Outcome::Unparsed, error.to_string()),
        }
    }
}

/// How the reward of a stage is put together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RewardMix {
    /// Weights for all kinds of problems that have none of their own.
    pub weights: Weights,
    /// Weights by kind of problem.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, Weights>,
    /// Settings of the components.
    pub options: RewardOptions,
}

impl Default for RewardMix {
    fn default() -> Self {
        Self { weights: Weights::R1_ZERO, kinds: BTreeMap::new(), options: RewardOptions::default() }
    }
}

impl RewardMix {
    /// The same without what reward models say: R1's last stage counts preference rewards only in the last part of its steps, since
    /// longer led to reward hacking.
    #[must_use]
    pub fn without_preference(&self) -> Self {
        let without = |weights: &Weights| Weights { helpful: 0.0, safe: 0.0, ..*weights };
        let kinds = self.kinds.iter().map(|(kind, weights)| (kind.clone(), without(weights))).collect();
        Self { weights: without(&self.weights), kinds, options: self.options.clone() }
    }

    /// The weights for a kind of problem.
    pub fn weights_of(&self, kind: &str) -> &Weights {
        self.kinds.get(kind).unwrap_or(&self.weights)
    }
}

/// What is graded.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The question and its gold answer.
    pub problem: &'a Problem,
    /// The completion.
    pub text: &'a str,
    /// Length of the completion in tokens.
    pub n_tokens: usize,
    /// The prompt ended inside `<think>`, as in [`FormatForm::grade`].
    pub prompt_opens_think: bool,
}

/// The verdict of each component by name, and their weighted sum.
pub type Graded = (BTreeMap<String, Verdict>, f32);

/// What grading may need besides the text.
#[derive(Clone, Copy, Default)]
pub struct Resources<'a> {
    /// Runs programs.
    pub sandbox: Option<&'a Sandbox>,
    /// Rules where no rule can.
    pub judge: Option<(&'a dyn Chat, &'a Judge)>,
}

impl std::fmt::Debug for Resources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let judge = self.judge.map(|(_, judge)| judge);
        f.debug_struct("Resources").field("sandbox", &self.sandbox).field("judge", &judge).finish()
    }
}

/// Why there is no verdict: never the completion's fault.
#[derive(Debug, thiserror::Error)]
pub enum GradeError {
    /// The problem needs a judge, and none was given.
    #[error("problem {0} is graded by a judge: expected one, found none")]
    NoJudge(String),
    /// The judge is down or cannot be understood: the completion is to be graded later.
    #[error("problem {id}: no verdict from the judge: {reason}")]
    Pending {
        /// The problem.
        id: String,
        /// Why.
        reason: String,
    },
    /// The problem needs a program to be run, and no sandbox was given.
    #[error("problem {0} is graded by running programs: expected a sandbox, found none")]
    NoSandbox(String),
    /// The program could not be run.
    #[error("problem {id}: {source}")]
    Code {
        /// The problem.
        id: String,
        /// What is wrong with its tests or with the machine.
        source: CodeError,
    },
}

/// Grades one completion by every component that weighs something, and by accuracy, format and language in any case.
///
/// [`Component::GroupLength`] needs the whole group: see [`grade_group`]. What reward models say is added by [`add_score`].
///
/// # Errors
/// A program that cannot be run, a judge that gives no verdict; by problem.
pub fn grade(submission: &Submission<'_>, mix: &RewardMix, resources: Resources<'_>) -> Result<Graded, GradeError> {
    let Submission { problem, text, n_tokens, prompt_opens_think } = *submission;
    let weights = mix.weights_of(&problem.kind);
    let accuracy = match &problem.gold {
        Gold::Code(task) => {
            let sandbox = resources.sandbox.ok_or_else(|| GradeError::NoSandbox(problem.id.to_string()))?;
            code::grade_completion(sandbox, task, text).map_err(|source| GradeError::Code { id: problem.id.to_string(), source })?
        }
        Gold::Judged { reference } => {
            let (chat, judge) = resources.judge.ok_or_else(|| GradeError::NoJudge(problem.id.to_string()))?;
            // The judge rules on the answer: reasoning may say anything on its way there.
            let prediction = text.rsplit_once("</think>").map_or(text, |(_, answer)| answer);
            match judge_answer(chat, judge, &problem.question, reference, prediction) {
                judge::Graded::Verdict(verdict) => verdict,
                judge::Graded::Pending(reason) => return Err(GradeError::Pending { id: problem.id.to_string(), reason }),
            }
        }
        _ => grade_accuracy(problem, text),
    };
    let is_right = accuracy.outcome == Outcome::Right;
    let mut verdicts = BTreeMap::new();
    for component in Component::ALL {
        if weights.of(component) == 0.0 && !component.is_always_recorded() {
            continue;
        }
        let verdict = match component {
            Component::Accuracy => accuracy.clone(),
            Component::Format => mix.options.format.grade(text, prompt_opens_think),
            Component::TagCount => FormatForm::TagCount.grade(text, prompt_opens_think),
            Component::Boxed => FormatForm::Boxed.grade(text, prompt_opens_think),
            Component::MarkdownSummary => FormatForm::MarkdownSummary.grade(text, prompt_opens_think),
            Component::Language => grade_language(text, problem.language),
            Component::CosineLength => mix.options.cosine_length.grade(is_right, n_tokens),
            Component::Repetition => mix.options.repetition.grade(text, problem.language),
            Component::GroupLength | Component::Helpful | Component::Safe => continue,
        };
        verdicts.insert(component.as_str().to_owned(), verdict);
    }
    let reward = total(&verdicts, weights);
    Ok((verdicts, reward))
}

/// Adds what can be said only of a whole group: of each completion its length in tokens and its grades so far.
pub fn grade_group(problem: &Problem, mix: &RewardMix, completions: &mut [(usize, &mut Graded)]) {
    let weights = mix.weights_of(&problem.kind);
    if weights.group_length == 0.0 {
        return;
    }
    let is_right = |graded: &Graded| graded.0.get(Component::Accuracy.as_str()).is_some_and(|verdict| verdict.outcome == Outcome::Right);
    let lengths: Vec<(usize, bool)> = completions.iter().map(|(n_tokens, graded)| (*n_tokens, is_right(graded))).collect();
    for ((_, graded), verdict) in completions.iter_mut().zip(grade_group_lengths(&lengths)) {
        graded.0.insert(Component::GroupLength.as_str().to_owned(), verdict);
        graded.1 = total(&graded.0, weights);
    }
}

/// Adds the verdict of a reward model and counts again.
pub fn add_score(problem: &Problem, mix: &RewardMix, graded: &mut Graded, component: Component, verdict: Verdict) {
    graded.0.insert(component.as_str().to_owned(), verdict);
    graded.1 = total(&graded.0, mix.weights_of(&problem.kind));
}

fn total(verdicts: &BTreeMap<String, Verdict>, weights: &Weights) -> f32 {
    let weighted = |component: Component| verdicts.get(component.as_str()).map_or(0.0, |verdict| weights.of(component) * verdict.reward);
    Component::ALL.into_iter().map(weighted).sum()
}

#[cfg(test)]
mod tests {
    use ruminate_core::ProblemId;

    use super::*;

    #[test]
    fn what_reward_models_say_can_be_left_out() {
        let weights = Weights { accuracy: 1.0, helpful: 0.5, safe: 0.25, language: 0.1, ..Weights::default() };
        let mix = RewardMix { weights, kinds: BTreeMap::from([("chat".to_owned(), weights)]), options: RewardOptions::default() };
        let expected = Weights { accuracy: 1.0, language: 0.1, ..Weights::default() };
        let without = mix.without_preference();
        assert_eq!((without.weights_of("sums"), without.weights_of("chat")), (&expected, &expected));
        assert_eq!(without.without_preference(), without);
    }

    fn problem() -> Problem {
        Problem {
            id: ProblemId("t/1".into()),
            kind: "t".into(),
            question: "1+1".into(),
            gold: Gold::Value { text: "2".into() },
            language: Language::En,
            difficulty: None,
        }
    }

    fn graded(text: &str, mix: &RewardMix) -> Graded {
        let submission = Submission { problem: &problem(), text, n_tokens: text.len(), prompt_opens_think: false };
        grade(&submission, mix, Resources::default()).unwrap()
    }

    fn total_of(text: &str, weights: Weights) -> f32 {
        let (verdicts, reward) = graded(text, &RewardMix { weights, ..RewardMix::default() });
        for name in ["accuracy", "format", "language"] {
            assert!(verdicts.contains_key(name), "{name} is always recorded");
        }
        reward
    }

    #[test]
    fn weighted_sums() {
        let r1_zero = Weights::R1_ZERO;
        assert_eq!(total_of("<think>so 2</think><answer>2</answer>", r1_zero), 2.0);
        assert_eq!(total_of("<think>so 3</think><answer>3</answer>", r1_zero), 1.0);
        assert_eq!(total_of("the answer is 2", r1_zero), 1.0);
        assert_eq!(total_of("", r1_zero), 0.0);
        let all = Weights { accuracy: 2.0, format: 0.5, language: 1.0, ..Weights::default() };
        assert_eq!(total_of("<think>so we add 等等等</think><answer>2</answer>", all), 3.0);
        assert_eq!(total_of("<think>是</think><answer>2</answer>", all), 2.5);
        assert_eq!(total_of("<think>1+1=2</think><answer>2</answer>", all), 3.5);
        assert_eq!(total_of("<think></think><answer>2</answer>", all), 2.0);
        let cosine = Weights { cosine_length: 1.0, ..Weights::default() };
        assert!(total_of("<answer>2</answer>", cosine) > 0.99 && total_of("<answer>3</answer>", cosine) < -0.99);
        let boxed = Weights { boxed: 1.0, repetition: 1.0, ..Weights::default() };
        assert_eq!(total_of("so \\boxed{2}", boxed), 1.0);
    }

    #[test]
    fn a_kind_can_have_weights_of_its_own() {
        let kinds = BTreeMap::from([("t".to_owned(), Weights { accuracy: 5.0, ..Weights::default() })]);
        let mix = RewardMix { kinds, ..RewardMix::default() };
        assert_eq!(graded("<think>so 2</think><answer>2</answer>", &mix).1, 5.0);
    }

    #[test]
    fn lengths_are_compared_within_the_group() {
        let mix = RewardMix { weights: Weights { accuracy: 1.0, group_length: 1.0, ..Weights::default() }, ..RewardMix::default() };
        let mut all: Vec<Graded> = ["2", "2.0", "3"].map(|text| graded(&format!("<answer>{text}</answer>"), &mix)).into();
        let mut group: Vec<(usize, &mut Graded)> = [10, 30, 20].into_iter().zip(all.iter_mut()).collect();
        grade_group(&problem(), &mix, &mut group);
        assert_eq!(all.iter().map(|graded| graded.1).collect::<Vec<_>>(), [1.5, 0.5, 0.0]);
    }

    #[test]
    fn scores_of_reward_models_are_added_to_the_sum() {
        let mix = RewardMix { weights: Weights { accuracy: 1.0, helpful: 0.5, ..Weights::default() }, ..RewardMix::default() };
        let mut graded = graded("<answer>2</answer>", &mix);
        assert_eq!(graded.1, 1.0);
        add_score(&problem(), &mix, &mut graded, Component::Helpful, Verdict { reward: -0.5, ..Verdict::right("score") });
        add_score(&problem(), &mix, &mut graded, Component::Safe, Verdict::right("score"));
        assert_eq!(graded.1, 0.75);
    }

    #[test]
    fn programs_are_not_graded_without_a_sandbox() {
        let task = serde_json::from_str(r#"{"language":"python","tests":[{"stdin":"","stdout":"1"}]}"#).unwrap();
        let problem = Problem { gold: Gold::Code(task), ..problem() };
        let submission = Submission { problem: &problem, text: "print(1)", n_tokens: 3, prompt_opens_think: false };
        let error = grade(&submission, &RewardMix::default(), Resources::default()).unwrap_err().to_string();
        assert_eq!(error, "problem t/1 is graded by running programs: expected a sandbox, found none");
    }

    /// A judge that says the same to everything, or is down.
    struct Says(Option<&'static str>);

    impl Chat for Says {
        fn complete(&self, _: &judge::ChatRequest) -> Result<judge::ChatReply, judge::ChatError> {
            let text = self.0.ok_or_else(|| judge::ChatError::Down("no route".into()))?;
            Ok(judge::ChatReply { choices: vec![judge::Choice { text: text.into(), finish_reason: None }] })
        }
    }

    #[test]
    fn a_judge_that_is_down_is_no_wrong_answer() {
        let problem = Problem { gold: Gold::Judged { reference: "blue".into() }, ..problem() };
        let submission = Submission { problem: &problem, text: "<think>x</think>It is blue", n_tokens: 3, prompt_opens_think: false };
        let judge = Judge::default();
        let ask = |says| grade(&submission, &RewardMix::default(), Resources { sandbox: None, judge: Some((&Says(says), &judge)) });
        assert_eq!(ask(Some(r#"{"verdict": "right", "reason": "same"}"#)).unwrap().1, 1.0);
        assert_eq!(ask(Some(r#"{"verdict": "wrong", "reason": "no"}"#)).unwrap().1, 0.0);
        let pending = ask(None).unwrap_err().to_string();
        assert!(pending.starts_with("problem t/1: no verdict from the judge: ") && pending.contains("no route"), "{pending}");
        let none = grade(&submission, &RewardMix::default(), Resources::default()).unwrap_err().to_string();
        assert_eq!(none, "problem t/1 is graded by a judge: expected one, found none");
    }
}
