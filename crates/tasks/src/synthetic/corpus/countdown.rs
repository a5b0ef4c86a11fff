//! Working on a countdown puzzle: expressions are tried until one gives the target.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Pen, Plan, Style};
use crate::synthetic::countdown::{Expression, Puzzle, Step};

/// Probability that a worked response runs out of ideas, and a checked one.
const GIVES_UP: [f64; 2] = [0.10, 0.03];

/// Writes the reasoning and returns the answer.
pub(super) fn reason(puzzle: &Puzzle, plan: Plan, pen: &mut Pen, rng: &mut ChaCha8Rng) -> String {
    if plan.style == Style::Direct {
        let answer = if plan.direct_is_right { puzzle.solution.to_string() } else { failing(puzzle, rng).to_string() };
        pen.write(|w| w.so, &answer, rng);
        return answer;
    }
    let checked = plan.style == Style::Checked;
    // More numbers make longer tries, so fewer of them.
    let most_fails = if puzzle.numbers.len() == 3 { 3 } else { 2 };
    // A slip that is found costs a try and a check, so one other try less.
    let fails = rng.random_range(usize::from(checked)..=most_fails) - usize::from(checked && plan.slips);
    let slip = plan.slips.then(|| rng.random_range(0..=fails));
    let gives_up = rng.random_bool(GIVES_UP[usize::from(checked)]);
    let mut last = None;
    for fail_idx in 0..=fails {
        if slip == Some(fail_idx) {
            // A last step that is bent to the target, and only a check would notice.
            let wrong = failing(puzzle, rng);
            write_try(&wrong, Some(puzzle.target), pen, rng);
            pen.add(|w| w.yes);
            if !checked {
                return wrong.to_string();
            }
            write_check(&wrong, pen, rng);
            pen.add(|w| w.no);
            pen.wait(rng);
        }
        if fail_idx < fails || gives_up {
            let wrong = failing(puzzle, rng);
            write_try(&wrong, None, pen, rng);
            pen.add(|w| w.no);
            last = Some(wrong);
        }
    }
    if let (true, Some(last)) = (gives_up, last) {
        pen.write(|w| w.so, &last.to_string(), rng);
        return last.to_string();
    }
    write_try(&puzzle.solution, None, pen, rng);
    pen.add(|w| w.yes);
    if checked {
        write_check(&puzzle.solution, pen, rng);
        pen.add(|w| w.fine);
    }
    puzzle.solution.to_string()
}

/// A random expression over the numbers that misses the target, the closer of two.
fn failing(puzzle: &Puzzle, rng: &mut ChaCha8Rng) -> Expression {
    let distance = |expression: &Expression| expression.value().abs_diff(puzzle.target);
    let mut sample = || {
        loop {
            let expression = Expression::sample(&puzzle.numbers, rng);
            if expression.value() != puzzle.target {
                return expression;
            }
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
    pen.write(|w| w.attempt, &joined(&steps), rng);
}

fn write_check(expression: &Expression, pen: &mut Pen, rng: &mut ChaCha8Rng) {
    pen.write(|w| w.check, &joined(&expression.steps()), rng);
}

fn joined(steps: &[Step]) -> String {
    steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
