//! Pretraining documents for the tiny base model: training problems and responses.
//!
//! What R1-Zero needs from a base model is not skill but variety: most responses answer at once and are mostly wrong on hard problems,
//! fewer work step by step, a few check what they have and go on; and the tags of the format appear whole in a minority only. So RL
//! finds something to reward in every direction: format, working, checking. What R1 needs beside that are documents with several
//! problems solved in the same style (few-shot prompts), questions with instructions, answers with a summary, and general requests.
//! Held-out problems never appear.

mod arithmetic;
mod countdown;
mod forms;
mod logic;
mod pen;
mod words;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use ruminate_core::{Problem, ProblemId, Seed};
use serde::{Deserialize, Serialize};

pub(super) use words::Words;

use self::forms::Form;
use self::pen::Pen;
use super::{Content, Split, SyntheticKind, SyntheticLanguage, few_shot_prompt, instruction, n_pieces, tiny_prompt};

/// Most pieces of a document with several problems: with the end of the sequence it fits a context of 512.
const MAX_PIECES: usize = 500;

/// Probability that an instruction is followed, in style and in form each.
const OBEYS: f64 = 0.85;

/// Probability that an instruction asks for R1's form too.
const WANTS_SUMMARY: f64 = 0.4;

/// Probability that a checked response goes on after each miss, for impatient and patient ones.
const GOES_ON: [f64; 2] = [0.35, 0.97];

/// Weights of the general kinds: facts have to be learned by heart.
const GENERAL_WEIGHTS: [f64; 6] = [1.0, 1.0, 3.0, 2.0, 2.0, 1.5];

/// How a response goes about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// The answer at once.
    Direct,
    /// Step by step, once.
    Worked,
    /// Step by step; what turns out to be wrong is taken back and tried again.
    Checked,
}

impl Style {
    /// All styles.
    pub const ALL: [Self; 3] = [Self::Direct, Self::Worked, Self::Checked];
}

/// Shares and rates of the corpus. Weights need not sum to 1; rates and shares are in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorpusMix {
    /// Weights of arithmetic, countdown and logic.
    pub kinds: [f64; 3],
    /// Hardest difficulty of each kind that appears; difficulties are uniform from 1 to here, at most the kind's own maximum.
    pub max_difficulty: [u32; 3],
    /// Weights of direct, worked and checked responses.
    pub styles: [f64; 3],
    /// Share of problems in Chinese.
    pub chinese: f64,
    /// Share of responses whose reasoning mixes the languages.
    pub mixed: f64,
    /// Share of responses with all tags in order.
    pub well_formed: f64,
    /// Probability that a worked response holds a wrong step, carried on to a wrong answer.
    pub worked_errors: f64,
    /// Probability that a checked response holds a wrong step, nearly always found and corrected.
    pub checked_errors: f64,
    /// Share of checked responses that go on until they have found what they look for; the others soon give up.
    pub patient: f64,
    /// Share of documents about general requests.
    pub general: f64,
    /// Share of the other documents with several problems, all solved in the same style and form.
    pub few_shot: f64,
    /// Share of the other documents with an instruction behind the question, mostly followed. Here all styles are equally frequent.
    pub instructed: f64,
    /// Share of responses without instruction that end with a summary, R1's form.
    pub summaries: f64,
}

impl Default for CorpusMix {
    fn default() -> Self {
        Self {
            kinds: [0.4, 0.3, 0.3],
            max_difficulty: [6, 4, 4],
            styles: [0.6, 0.25, 0.15],
            chinese: 0.4,
            mixed: 0.25,
            well_formed: 0.34,
            worked_errors: 0.15,
            checked_errors: 0.35,
            patient: 0.25,
            general: 0.12,
            few_shot: 0.10,
            instructed: 0.12,
            summaries: 0.05,
        }
    }
}

/// What a document holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// A problem and a response.
    Plain,
    /// Several problems, all solved in the same style and form.
    FewShot,
    /// A problem with an instruction, and a response that mostly follows it.
    Instructed,
    /// A general request and a response of any quality.
    General,
}

/// One pretraining text: `prompt` + `response` + the tokenizer's end of sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it holds.
    pub kind: DocumentKind,
    /// Problems that were solved in the prompt, with the responses to them. Only for [`DocumentKind::FewShot`].
    pub shots: Vec<(Problem, String)>,
    /// The last problem, always of the training split as all others.
    pub problem: Problem,
    /// The prompt, as the template `tiny` writes it; behind the question of [`Self::problem`] an instruction may stand.
    pub prompt: String,
    /// What the assistant says to the last problem.
    pub response: String,
    /// How all responses go about their problems. General requests: worked if there is reasoning.
    pub style: Style,
}

/// Document number `index` of the corpus.
pub fn document(seed: Seed, index: u64, mix: &CorpusMix) -> Document {
    let rng = &mut seed.with("corpus").with_index(index).rng();
    if chance(mix.general, rng) {
        return general_document(index, mix, rng);
    }
    let kind = match rng.random::<f64>() {
        share if share < mix.few_shot => DocumentKind::FewShot,
        share if share < mix.few_shot + mix.instructed => DocumentKind::Instructed,
        _ => DocumentKind::Plain,
    };
    let mut manner = Manner::sample(kind, mix, rng);
    let asked = (kind == DocumentKind::Instructed).then(|| manner.ask(rng));

    let difficulty_of = |kind_idx: usize, rng: &mut ChaCha8Rng| {
        rng.random_range(1..=mix.max_difficulty[kind_idx].clamp(1, SyntheticKind::REASONING[kind_idx].max_difficulty()))
    };
    let kind_idx = pick(&mix.kinds, rng);
    let difficulty = difficulty_of(kind_idx, rng);
    let (problem, response) = respond(SyntheticKind::REASONING[kind_idx], difficulty, index, manner, rng);
    let mut shots = Vec::new();
    if kind == DocumentKind::FewShot {
        let n_shots = rng.random_range(1..=2);
        let is_one_kind = rng.random_bool(0.6);
        let mut n_left = MAX_PIECES.saturating_sub(pieces_of(&problem, &response));
        for _ in 0..n_shots {
            let kind_idx = if is_one_kind { kind_idx } else { pick(&mix.kinds, rng) };
            let difficulty = difficulty_of(kind_idx, rng);
            let (problem, response) = respond(SyntheticKind::REASONING[kind_idx], difficulty, index, manner, rng);
            let n_pieces = pieces_of(&problem, &response);
            if n_pieces <= n_left {
                n_left -= n_pieces;
                shots.push((problem, response));
            }
        }
    }
    // Examples that did not fit leave a plain document.
    let kind = if kind == DocumentKind::FewShot && shots.is_empty() { DocumentKind::Plain } else { kind };
    let question = asked.map_or_else(|| problem.question.clone(), |asked| format!("{}{asked}", problem.question));
    let prompt = few_shot_prompt(shots.iter().map(|(problem, response)| (problem.question.as_str(), response.as_str())), &question);
    Document { kind, shots, problem, prompt, response, style: manner.style }
}

/// A training problem and a checked response in one language and in R1's form, without slips, that goes on until it has an answer.
pub(super) fn checked_response(kind: SyntheticKind, difficulty: u32, language: SyntheticLanguage, seed: Seed) -> (Problem, String) {
    let manner = Manner {
        style: Style::Checked,
        form: Form::Summary,
        language,
        is_mixed: false,
        is_patient: true,
        worked_errors: 0.0,
        checked_errors: 0.5,
    };
    let rng = &mut seed.rng();
    respond(kind, difficulty, seed.value(), manner, rng)
}

/// How the responses of a document are written.
#[derive(Clone, Copy, Debug)]
struct Manner {
    style: Style,
    form: Form,
    language: SyntheticLanguage,
    is_mixed: bool,
    is_patient: bool,
    worked_errors: f64,
    checked_errors: f64,
}

impl Manner {
    fn sample(kind: DocumentKind, mix: &CorpusMix, rng: &mut ChaCha8Rng) -> Self {
        // What is asked for or shown decides about the style, not how frequent it is.
        let styles = if kind == DocumentKind::Plain { mix.styles } else { [1.0; 3] };
        let style = Style::ALL[pick(&styles, rng)];
        let form = if chance(mix.summaries, rng) || (kind == DocumentKind::FewShot && rng.random_bool(0.3)) {
            Form::Summary
        } else if chance(mix.well_formed, rng) {
            Form::ThinkAnswer
        } else {
            Form::flawed(rng)
        };
        Self {
            style,
            form,
            language: if chance(mix.chinese, rng) { SyntheticLanguage::Zh } else { SyntheticLanguage::En },
            is_mixed: chance(mix.mixed, rng),
            is_patient: chance(mix.patient, rng) || (kind != DocumentKind::Plain && rng.random_bool(0.5)),
            worked_errors: mix.worked_errors,
            checked_errors: mix.checked_errors,
        }
    }

    /// An instruction that asks for what is going to be done, or sometimes for something else.
    fn ask(&mut self, rng: &mut ChaCha8Rng) -> String {
        let style = if rng.random_bool(OBEYS) { self.style } else { Style::ALL[pick(&[1.0; 3], rng)] };
        let wants_summary = rng.random_bool(WANTS_SUMMARY);
        if wants_summary && rng.random_bool(OBEYS) {
            self.form = Form::Summary;
        }
        instruction(style, wants_summary, self.language)
    }
}

fn respond(kind: SyntheticKind, difficulty: u32, index: u64, manner: Manner, rng: &mut ChaCha8Rng) -> (Problem, String) {
    let Manner { style, form, language, .. } = manner;
    let content = Content::sample(kind, difficulty, Split::Train, rng);
    let mut pen = Pen::new(language, manner.is_mixed);
    let plan = Plan {
        style,
        direct_is_right: chance(direct_skill(kind, difficulty), rng),
        slips: chance(if style == Style::Checked { manner.checked_errors } else { manner.worked_errors }, rng),
        goes_on: GOES_ON[usize::from(manner.is_patient)],
    };
    let answer = match &content {
        Content::Arithmetic(chain) => arithmetic::reason(chain, plan, &mut pen, rng),
        Content::Countdown(puzzle) => countdown::reason(puzzle, plan, &mut pen, rng),
        Content::Logic(puzzle) => logic::reason(puzzle, plan, &mut pen, rng),
        Content::General(_) => unreachable!("general requests have their own responses"),
    };
    let response = form.write(&pen.text, &answer, style, language);
    let id = ProblemId(format!("corpus/{kind}/{difficulty}/{}/{index}", language.as_str()));
    (content.problem(id, difficulty, language), response)
}

fn general_document(index: u64, mix: &CorpusMix, rng: &mut ChaCha8Rng) -> Document {
    let kind = SyntheticKind::GENERAL[pick(&GENERAL_WEIGHTS, rng)];
    let language = if chance(mix.chinese, rng) { SyntheticLanguage::Zh } else { SyntheticLanguage::En };
    let content = Content::sample(kind, 1, Split::Train, rng);
    let Content::General(request) = &content else { unreachable!("a general kind has general contents") };
    let reply = request.ordinary(language, rng);
    let style = if reply.reasoning.is_some() { Style::Worked } else { Style::Direct };
    let problem = content.problem(ProblemId(format!("corpus/{kind}/1/{}/{index}", language.as_str())), 1, language);
    let prompt = tiny_prompt(&problem.question);
    Document { kind: DocumentKind::General, shots: Vec::new(), problem, prompt, response: reply.text(), style }
}

/// What was decided about a response before it is written.
#[derive(Clone, Copy, Debug)]
struct Plan {
    style: Style,
    /// For direct answers.
    direct_is_right: bool,
    /// Whether worked and checked responses make a mistake on the way.
    slips: bool,
    /// Probability that a checked response goes on after each miss.
    goes_on: f64,
}

/// Probability that a direct answer is right.
fn direct_skill(kind: SyntheticKind, difficulty: u32) -> f64 {
    let by_difficulty: &[f64] = match kind {
        SyntheticKind::Arithmetic => &[0.40, 0.25, 0.16, 0.10, 0.07, 0.05],
        SyntheticKind::Countdown => &[0.20, 0.12, 0.08, 0.05],
        _ => &[0.40, 0.25, 0.20, 0.12],
    };
    by_difficulty[difficulty as usize - 1]
}

/// Pieces of a problem in a prompt with its response and the lines between.
fn pieces_of(problem: &Problem, response: &str) -> usize {
    // All documents are made of pieces, which a test holds them to.
    n_pieces(&tiny_prompt(&problem.question)).unwrap_or(MAX_PIECES) + n_pieces(response).unwrap_or(MAX_PIECES) + 2
}

/// Index by weight; the last one if the weights do not sum to something positive.
fn pick(weights: &[f64], rng: &mut ChaCha8Rng) -> usize {
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    for (idx, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return idx;
        }
    }
    weights.len() - 1
}

/// True with this probability; beyond [0, 1] it is certain or impossible.
fn chance(probability: f64, rng: &mut ChaCha8Rng) -> bool {
    rng.random::<f64>() < probability
}

/// A number that one could take for `right`: a digit or a carry off, never negative and never right.
fn plausible_error(right: i64, rng: &mut ChaCha8Rng) -> i64 {
    const OFFSETS: [i64; 8] = [1, -1, 1, -1, 2, -2, 10, -10];
    let wrong = right + OFFSETS[rng.random_range(0..OFFSETS.len())];
    if wrong < 0 { right + 1 } else { wrong }
}
