//! Pretraining documents for the tiny base model: one training problem and one response each.
//!
//! What R1-Zero needs from a base model is not skill but variety: most responses answer at once and are mostly wrong on hard problems,
//! fewer work step by step, a few check their steps and correct them; and the tags of the format appear whole in a minority only. So
//! RL finds something to reward in every direction: format, working, checking. Held-out problems never appear.

mod arithmetic;
mod countdown;
mod logic;
mod words;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use ruminate_core::{Problem, ProblemId, Seed};
use serde::{Deserialize, Serialize};

pub(super) use words::Words;

use super::{Content, Split, SyntheticKind, Tongue, tiny_prompt};

/// How a response goes about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// The answer at once.
    Direct,
    /// Step by step.
    Worked,
    /// Step by step, with steps checked and wrong ones corrected.
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
}

impl Default for CorpusMix {
    fn default() -> Self {
        Self {
            kinds: [0.5, 0.25, 0.25],
            max_difficulty: [6, 4, 4],
            styles: [0.65, 0.25, 0.10],
            chinese: 0.4,
            mixed: 0.15,
            well_formed: 0.34,
            worked_errors: 0.05,
            checked_errors: 0.35,
        }
    }
}

/// One pretraining text: `prompt` + `response` + the tokenizer's end of sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The problem, always of the training split.
    pub problem: Problem,
    /// The prompt, as the template `tiny` writes it.
    pub prompt: String,
    /// What the assistant says.
    pub response: String,
    /// How it goes about the problem.
    pub style: Style,
}

/// Document number `index` of the corpus.
pub fn document(seed: Seed, index: u64, mix: &CorpusMix) -> Document {
    let rng = &mut seed.with("corpus").with_index(index).rng();
    let kind_idx = pick(&mix.kinds, rng);
    let kind = SyntheticKind::ALL[kind_idx];
    let difficulty = rng.random_range(1..=mix.max_difficulty[kind_idx].clamp(1, kind.max_difficulty()));
    let style = Style::ALL[pick(&mix.styles, rng)];
    let language = if chance(mix.chinese, rng) { Tongue::Zh } else { Tongue::En };
    let content = Content::sample(kind, difficulty, Split::Train, rng);

    let mut pen = Pen { text: String::new(), language, mixed: chance(mix.mixed, rng), open: false };
    let plan = Plan {
        style,
        direct_is_right: chance(direct_skill(kind, difficulty), rng),
        slips: chance(if style == Style::Checked { mix.checked_errors } else { mix.worked_errors }, rng),
    };
    let answer = match &content {
        Content::Arithmetic(chain) => arithmetic::reason(chain, plan, &mut pen, rng),
        Content::Countdown(puzzle) => countdown::reason(puzzle, plan, &mut pen, rng),
        Content::Logic(puzzle) => logic::reason(puzzle, plan, &mut pen, rng),
    };
    let response =
        if chance(mix.well_formed, rng) { well_formed(&pen.text, &answer) } else { ill_formed(&pen.text, &answer, style, language, rng) };
    let id = ProblemId(format!("corpus/{kind}/{difficulty}/{}/{index}", language.as_str()));
    let problem = content.problem(id, difficulty, language);
    Document { prompt: tiny_prompt(&problem.question), response, problem, style }
}

/// What was decided about a response before it is written.
#[derive(Clone, Copy, Debug)]
struct Plan {
    style: Style,
    /// For direct answers.
    direct_is_right: bool,
    /// Whether worked and checked responses make a mistake on the way.
    slips: bool,
}

/// Probability that a direct answer is right.
fn direct_skill(kind: SyntheticKind, difficulty: u32) -> f64 {
    let by_difficulty: &[f64] = match kind {
        SyntheticKind::Arithmetic => &[0.40, 0.25, 0.16, 0.10, 0.07, 0.05],
        SyntheticKind::Countdown => &[0.25, 0.15, 0.08, 0.05],
        SyntheticKind::Logic => &[0.50, 0.30, 0.25, 0.15],
    };
    by_difficulty[difficulty as usize - 1]
}

/// The reasoning as it is written, one line after the other.
#[derive(Debug)]
struct Pen {
    text: String,
    language: Tongue,
    /// Whether each line picks its language anew.
    mixed: bool,
    /// Whether the next line goes on behind a word that already stands on its own line.
    open: bool,
}

impl Pen {
    /// Starts a line and says whose words it uses.
    fn line(&mut self, rng: &mut ChaCha8Rng) -> Tongue {
        if !self.text.is_empty() && !std::mem::take(&mut self.open) {
            self.text.push('\n');
        }
        match (self.mixed && rng.random_bool(0.5), self.language) {
            (false, language) => language,
            (true, Tongue::En) => Tongue::Zh,
            (true, Tongue::Zh) => Tongue::En,
        }
    }

    /// Writes a line that begins with a word of the table.
    fn write(&mut self, word: fn(&Words) -> &'static str, rest: &str, rng: &mut ChaCha8Rng) {
        let words = Words::of(self.line(rng));
        self.text.push_str(word(words));
        self.text.push_str(rest);
    }

    /// Writes "wait", after which the next line goes on.
    fn wait(&mut self, rng: &mut ChaCha8Rng) {
        self.write(|w| w.wait, "", rng);
        self.open = true;
    }

    /// Adds a word of the table to the last line, in the language of the response.
    fn add(&mut self, word: fn(&Words) -> &'static str) {
        self.text.push_str(word(Words::of(self.language)));
    }
}

fn well_formed(reasoning: &str, answer: &str) -> String {
    format!("<think>{reasoning}</think><answer>{answer}</answer>")
}

/// The ways in which a base model misses the format. Without tags, a direct response has no reasoning but the answer itself.
fn ill_formed(reasoning: &str, answer: &str, style: Style, language: Tongue, rng: &mut ChaCha8Rng) -> String {
    let phrase = Words::of(language).answer_is;
    let direct = style == Style::Direct;
    match rng.random_range(0..8) {
        0 | 1 if direct => answer.to_owned(),
        0 | 1 => format!("{reasoning}\n{phrase}{answer}"),
        2 if direct => format!("{phrase}{answer}"),
        2 => format!("{reasoning}\n{answer}"),
        3 if direct => format!("<answer>{answer}</answer>"),
        3 => format!("{reasoning}<answer>{answer}</answer>"),
        4 => format!("<think>{reasoning}</think>{answer}"),
        5 => format!("<think>{reasoning}<answer>{answer}</answer>"),
        6 => format!("<think>{reasoning}</think><answer>{answer}"),
        _ => format!("<think>{reasoning}\n{phrase}{answer}"),
    }
}

/// Index by weight; the last one if the weights do not sum to something positive.
fn pick(weights: &[f64; 3], rng: &mut ChaCha8Rng) -> usize {
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
