//! Pairs of answers of which it is known, by how they were made, whether they say the same.
//!
//! A family makes a gold answer out of random parameters together with texts that say the same (other notations of the same
//! parameters) and texts that do not (notations of changed parameters, or edits that must change the meaning). Nothing here asks
//! the verifier. Where people would argue (`50` against `0.5\%`, `5 apples` against `5 oranges`) no pair is made.

mod algebra;
mod dice;
mod extraction;
mod functions;
mod language;
mod latex;
mod numbers;
mod quantities;
mod real;
mod seeds;
mod structures;
mod subtle;
mod truncated;

use std::collections::HashSet;

use dice::Dice;
pub(crate) use real::read_answers;

/// A reference answer, a response, and whether the response is right.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// What it tests.
    pub(crate) family: &'static str,
    /// The reference answer.
    pub(crate) gold: String,
    /// The response, in which the answer has to be found.
    pub(crate) response: String,
    /// The answer alone as it stands in the response, for judges without extraction.
    pub(crate) answer: String,
    /// Whether the response gives the reference answer.
    pub(crate) equal: bool,
}

/// A gold answer, answers that say the same, and answers that do not.
#[derive(Clone, Debug, Default)]
struct Group {
    gold: String,
    equal: Vec<String>,
    different: Vec<String>,
}

impl Group {
    fn new(gold: impl Into<String>, equal: Vec<String>, different: Vec<String>) -> Self {
        Self { gold: gold.into(), equal, different }
    }
}

/// How an answer becomes a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrap {
    /// LaTeX: in a box, between dollars, in a display.
    Math,
    /// Plain text without mathematical marks.
    Plain,
    /// Words: as plain text or as `\text` in a box.
    Words,
    /// Some of each of the first two.
    Both,
    /// It is a response already.
    Whole,
}

/// A family: its name, how answers are wrapped, how many pairs it gives at most, and its maker.
type Family = (&'static str, Wrap, usize, fn(&mut Dice) -> Group);

/// The stress set without real answers.
pub(crate) fn built(seed: u64) -> Vec<Pair> {
    let mut set = Set::default();
    let tables: [&[Family]; 8] = [
        &numbers::FAMILIES,
        &functions::FAMILIES,
        &quantities::FAMILIES,
        &algebra::FAMILIES,
        &structures::FAMILIES,
        &language::FAMILIES,
        &truncated::FAMILIES,
        &subtle::FAMILIES,
    ];
    for &(name, wrap, n_pairs, make) in tables.into_iter().flatten().chain(&extraction::FAMILIES) {
        let mut dice = Dice::new(seed, name);
        let until = set.pairs.len() + n_pairs;
        // Small families run out of different pairs before they are full.
        for _ in 0..n_pairs * 4 {
            if set.pairs.len() >= until {
                break;
            }
            let group = make(&mut dice);
            set.add(name, wrap, &group, 2, &mut dice);
        }
    }
    let mut dice = Dice::new(seed, "seeds");
    for (wrap, group) in seeds::groups() {
        set.add("seeds", wrap, &group, usize::MAX, &mut dice);
    }
    set.pairs
}

/// Pairs made of real answers.
pub(crate) fn from_answers(answers: &[String], seed: u64) -> Vec<Pair> {
    let mut set = Set::default();
    for answer in answers {
        let mut dice = Dice::new(seed, answer);
        for (name, wrap, group) in real::groups(answer, answers, &mut dice) {
            set.add(name, wrap, &group, 1, &mut dice);
        }
    }
    set.pairs
}

/// Pairs so far, each once.
#[derive(Default)]
struct Set {
    pairs: Vec<Pair>,
    seen: HashSet<(String, String)>,
}

impl Set {
    /// Adds at most `n_each` equal and as many different pairs of a group.
    fn add(&mut self, family: &'static str, wrap: Wrap, group: &Group, n_each: usize, dice: &mut Dice) {
        for (answers, equal) in [(&group.equal, true), (&group.different, false)] {
            for answer in dice.shuffled(answers).into_iter().take(n_each) {
                // An edit that changed nothing but spaces is no near miss.
                if !equal && squeezed(&answer) == squeezed(&group.gold) {
                    continue;
                }
                if !self.seen.insert((group.gold.clone(), answer.clone())) {
                    continue;
                }
                let response = wrapped(wrap, &answer, dice);
                self.pairs.push(Pair { family, gold: group.gold.clone(), response, answer, equal });
            }
        }
    }
}

/// The text without spaces, sizes of brackets and braces.
fn squeezed(text: &str) -> String {
    let mut text = text.to_owned();
    for dropped in ["\\left", "\\right", "\\bigl", "\\bigr", "\\big", "\\,", "\\;", "\\!", "\\ "] {
        text = text.replace(dropped, "");
    }
    text.chars().filter(|c| !(c.is_whitespace() || matches!(c, '{' | '}'))).collect()
}

/// A response that gives `answer`.
fn wrapped(wrap: Wrap, answer: &str, dice: &mut Dice) -> String {
    match wrap {
        Wrap::Math => math_response(answer, dice),
        Wrap::Plain => plain_response(answer, dice),
        Wrap::Words if dice.chance(2) => {
            let form =
                dice.pick(&["\\boxed{\\text{#}}", "The answer is $\\boxed{\\text{#}}$.", "$\\text{#}$", "\\[\\boxed{\\textbf{#}}\\]"]);
            form.replace('#', answer)
        }
        Wrap::Words => plain_response(answer, dice),
        Wrap::Both if dice.chance(2) => plain_response(answer, dice),
        Wrap::Both => math_response(answer, dice),
        Wrap::Whole => answer.to_owned(),
    }
}

const MATH_RESPONSES: [&str; 18] = [
    "\\boxed{#}",
    "\\boxed{#}",
    "\\boxed{#}",
    "$\\boxed{#}$",
    "$\\boxed{#}$.",
    "So the result is $\\boxed{#}$.",
    "Therefore, the final answer is $\\boxed{#}$. I hope it is correct.",
    "The answer is $#$.",
    "The final answer is: $#$",
    "**Answer:** $#$",
    "We add both sides and simplify.\n\n\\[\\boxed{#}\\]",
    "\\[#\\]",
    "$$#$$",
    "$#$",
    "\\(#\\)",
    "<think>Case 1 gives 7, case 2 gives 12. Both fail.</think><answer>$#$</answer>",
    "<think>Let me see. Is it 17? No.</think>\nThe answer is $\\boxed{#}$.",
    "<think>\nfirst try: \\boxed{0.125}?\n</think>\n\\boxed{#}",
];

const PLAIN_RESPONSES: [&str; 8] = [
    "#",
    "The answer is #.",
    "So the answer is # .",
    "The final answer is: #",
    "**Answer:** #",
    "Answer: #",
    "<think>Let me think about 3 and 4.</think><answer>#</answer>",
    "<think>Maybe 12?</think>\nThe answer is #.",
];

fn math_response(answer: &str, dice: &mut Dice) -> String {
    dice.pick(&MATH_RESPONSES).replace('#', answer)
}

fn plain_response(answer: &str, dice: &mut Dice) -> String {
    dice.pick(&PLAIN_RESPONSES).replace('#', answer)
}
