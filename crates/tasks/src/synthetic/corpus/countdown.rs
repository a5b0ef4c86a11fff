//! Working on a countdown puzzle by trial and error: an expression is evaluated step by step, and if it misses, another one may be tried.
//!
//! One try is seldom enough, so going on pays: what a response earns grows with its patience, and each further try begins with "wait".

use rand_chacha::ChaCha8Rng;

use super::{Pen, Plan, Style, chance};
use crate::synthetic::countdown::{Expression, Puzzle, Step};

/// Probability that a try reaches the target: better than blind, but not good.
const HITS: f64 = 0.22;

/// Most tries with three numbers and with four, which make longer ones.
const MAX_TRIES: [usize; 2] = [8, 6];

/// Writes the reasoning and returns the answer.
pub(super) fn reason(puzzle: &Puzzle, plan: Plan, pen: &mut Pen, rng: &mut ChaCha8Rng) -> String {
    if plan.style == Style::Direct {
        let answer = if plan.direct_is_right { puzzle.solution.to_string() } else { failing(puzzle, &[], rng).to_string() };
        pen.write(|w| w.so, &answer, rng);
        return answer;
    }
    if plan.style == Style::Worked && plan.slips {
        // A last step that is bent to the target, which nobody notices.
        let wrong = failing(puzzle, &[], rng);
        write_try(&wrong, Some(puzzle.target), pen, rng);
        pen.add(|w| w.yes);
        return wrong.to_string();
    }
    let max_tries = if plan.style == Style::Worked { 1 } else { MAX_TRIES[usize::from(puzzle.numbers.len() > 3)] };
    let mut missed = Vec::new();
    loop {
        if !missed.is_empty() {
            pen.wait(rng);
        }
        if chance(HITS, rng) {
            write_try(&puzzle.solution, None, pen, rng);
            pen.add(|w| w.yes);
            return puzzle.solution.to_string();
        }
        let wrong = failing(puzzle, &missed, rng);
        write_try(&wrong, None, pen, rng);
        pen.add(|w| w.no);
        missed.push(wrong.to_string());
        if missed.len() == max_tries || !chance(plan.goes_on, rng) {
            pen.write(|w| w.so, &wrong.to_string(), rng);
            return wrong.to_string();
        }
    }
}

/// A random expression over the numbers that misses the target, the closer of two; not one of `missed` where that is easy.
fn failing(puzzle: &Puzzle, missed: &[String], rng: &mut ChaCha8Rng) -> Expression {
    let distance = |expression: &Expression| expression.value().abs_diff(puzzle.target);
    let mut sample = || {
        let mut n_repeats = 0;
        loop {
            let expression = Expression::sample(&puzzle.numbers, rng);
            if expression.value() == puzzle.target {
                continue;
            }
            if n_repeats < 8 && missed.contains(&expression.to_string()) {
                n_repeats += 1;
                continue;
            }
            return expression;
        }
    };
    let (a, b) = (sample(), sample());
    if distance(&a) <= distance(&b) { a } else { b }
}

fn write_try(expression: &Expression, bent_to: Option<i64>, pen: &mut Pen, rng: &mut ChaCha8Rng) {
    let mut steps = expression.steps();
    if let (Some(target), Some(last)) = (bent_to, steps.last_mut()) {
        last.value = target;
    }
    let steps: Vec<String> = steps.iter().map(Step::to_string).collect();
    pen.write(|w| w.attempt, &steps.join(" "), rng);
}
