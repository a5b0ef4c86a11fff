//! Working through a chain: one line per operation; a check computes the step another way.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Pen, Plan, Style, plausible_error};
use crate::synthetic::arithmetic::{Chain, MAX_VALUE, Op};

/// Checks cost as much as steps.
const MAX_CHECKS: usize = 2;

/// Probability that a checked response leaves just its wrong step unchecked.
const OVERLOOKED: f64 = 0.03;

/// Writes the reasoning and returns the answer.
pub(super) fn reason(chain: &Chain, plan: Plan, pen: &mut Pen, rng: &mut ChaCha8Rng) -> String {
    if plan.style == Style::Direct {
        let answer = if plan.direct_is_right { chain.value() } else { misjudged(chain, rng) }.to_string();
        pen.write(|w| w.so, &answer, rng);
        return answer;
    }
    let step_count = chain.steps.len();
    let slip = plan.slips.then(|| rng.random_range(0..step_count));
    let checks = if plan.style == Style::Checked { steps_to_check(step_count, slip, rng) } else { Vec::new() };
    let mut value = chain.start;
    for (step_idx, &(op, right)) in chain.steps.iter().enumerate() {
        let result = op.apply(value, right);
        let claimed = if slip == Some(step_idx) { slipped(chain, step_idx, result, rng) } else { result };
        let line = format!("{value}{}{right}={claimed}", op.symbol());
        pen.write(if step_idx == 0 { |w| w.first } else { |w| w.then }, &line, rng);
        let checked = checks.contains(&step_idx);
        if checked {
            pen.write(|w| w.check, &check(value, op, right, claimed), rng);
            if claimed == result {
                pen.add(|w| w.fine);
            } else {
                pen.write(|w| w.wait, &format!("{value}{}{right}={result}", op.symbol()), rng);
            }
        }
        value = if checked { result } else { claimed };
    }
    pen.write(|w| w.so, &value.to_string(), rng);
    value.to_string()
}

/// The step computed another way: sums and products with the operands exchanged, differences by adding back.
fn check(value: i64, op: Op, right: i64, claimed: i64) -> String {
    match op {
        Op::Add => format!("{right}+{value}={}", right + value),
        Op::Mul => format!("{right}*{value}={}", right * value),
        Op::Sub => format!("{claimed}+{right}={}", claimed + right),
    }
}

fn steps_to_check(step_count: usize, slip: Option<usize>, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut checks: Vec<usize> = (0..step_count).collect();
    checks.shuffle(rng);
    checks.truncate(MAX_CHECKS);
    if let Some(slip) = slip {
        checks.retain(|&step| step != slip);
        checks.truncate(MAX_CHECKS - 1);
        if !rng.random_bool(OVERLOOKED) {
            checks.push(slip);
        }
    }
    checks
}

/// A wrong result of one step with which the rest of the chain stays in range.
fn slipped(chain: &Chain, step_idx: usize, right: i64, rng: &mut ChaCha8Rng) -> i64 {
    let stays_in_range = |start: i64| {
        let mut value = start;
        chain.steps[step_idx + 1..].iter().all(|&(op, right)| {
            value = op.apply(value, right);
            (0..=MAX_VALUE).contains(&value)
        })
    };
    for _ in 0..8 {
        let wrong = plausible_error(right, rng);
        if wrong <= MAX_VALUE && stays_in_range(wrong) {
            return wrong;
        }
    }
    right
}

/// A hasty answer: near the right one, or with one operation left out.
fn misjudged(chain: &Chain, rng: &mut ChaCha8Rng) -> i64 {
    let right = chain.value();
    if rng.random_bool(0.5) {
        let mut shorter = chain.clone();
        shorter.steps.remove(rng.random_range(0..chain.steps.len()));
        let value = shorter.value();
        if value != right && (0..=MAX_VALUE).contains(&value) {
            return value;
        }
    }
    plausible_error(right, rng)
}
