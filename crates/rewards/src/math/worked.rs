//! Whether an answer says a number, or leaves it to its reader to work one out.
//!
//! Math-Verify and its like take `24*6-8-39` for 97. A policy that is rewarded for it learns in ten steps to repeat the question.

use dashu_ratio::RBig;

use super::answer::{Answer, Expr, Function, Operator};
use super::compare::Matcher;
use super::number::Paths;
use super::work::{Exhausted, Work};
use super::{STEPS, gold, parse};

/// Whether the gold answer is a number and the prediction leaves it to be worked out.
pub(super) fn is_missing(gold: &str, prediction: &str) -> bool {
    let mut work = Work::new(STEPS);
    let (Ok(expected), Ok(found)) = (gold::read(gold, &mut work), parse::parse(prediction, &mut work)) else { return false };
    match (expected.first(), found.first()) {
        (Some(expected), Some(found)) if is_number(expected) && is_unworked(found) => {
            let mut matcher = Matcher::new(work, Paths::Both, true, 0);
            !says(found, expected, &mut matcher).unwrap_or(false)
        }
        _ => false,
    }
}

/// A number as written, with or without a sign and a unit.
pub(super) fn is_number(answer: &Answer) -> bool {
    match answer {
        Answer::Expr(value) | Answer::Quantity { value, .. } => is_numeral(value),
        _ => false,
    }
}

/// Whether a part of the answer is a number, and the one that is expected: as in `48 + 24 = 72`.
fn says(answer: &Answer, expected: &Answer, matcher: &mut Matcher) -> Result<bool, Exhausted> {
    for part in parts(answer) {
        if is_number(part) && matcher.answers(expected, part)?.is_equal() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether arithmetic in the answer is still to be done: sums, products, and quotients that come out even. `\frac72`, `2\frac12`,
/// `1.5\cdot10^3`, `2^{10}` and `10!` say a number.
fn is_unworked(answer: &Answer) -> bool {
    match answer {
        Answer::Expr(value) | Answer::Quantity { value, .. } => is_arithmetic(value),
        Answer::Relation { terms, operators } if operators.contains(&Operator::Ratio) => match terms.as_slice() {
            [Answer::Expr(a), Answer::Expr(b)] => is_arithmetic(&Expr::Quotient(Box::new(a.clone()), Box::new(b.clone()))),
            _ => false,
        },
        other => parts(other).iter().any(is_unworked),
    }
}

/// What an answer of several parts that may all mean one number consists of.
fn parts(answer: &Answer) -> &[Answer] {
    match answer {
        Answer::Relation { terms: parts, .. } | Answer::List(parts) | Answer::Set(parts) | Answer::Tuple(parts) => parts,
        Answer::Labelled { answer, .. } => std::slice::from_ref(answer),
        _ => &[],
    }
}

fn is_numeral(expr: &Expr) -> bool {
    match expr {
        Expr::Negative(inside) => matches!(inside.as_ref(), Expr::Number(_)),
        other => matches!(other, Expr::Number(_)),
    }
}

/// Whether the expression is made of numbers alone, and the last operation is one that anybody can do.
fn is_arithmetic(expr: &Expr) -> bool {
    match expr {
        Expr::Negative(inside) => is_arithmetic(inside),
        Expr::Root { radicand, .. } => is_arithmetic(radicand),
        Expr::Sum(parts) => parts.iter().all(is_rational) && !is_mixed(parts),
        Expr::Product(parts) => parts.iter().all(is_rational) && !parts.iter().any(is_power_of_ten),
        Expr::Quotient(a, b) => is_rational(a) && is_rational(b) && !is_fraction(a, b),
        Expr::Power(base, exponent) => is_rational(base) && is_rational(exponent) && (is_arithmetic(base) || is_arithmetic(exponent)),
        Expr::Apply(..) => is_rational(expr),
        _ => false,
    }
}

/// Whether nothing but numbers, the four operations, powers and functions of whole numbers are in it.
fn is_rational(expr: &Expr) -> bool {
    use Function as F;
    match expr {
        Expr::Number(_) => true,
        Expr::Negative(inside) => is_rational(inside),
        Expr::Sum(parts) | Expr::Product(parts) => parts.iter().all(is_rational),
        Expr::Quotient(a, b) | Expr::Power(a, b) => is_rational(a) && is_rational(b),
        Expr::Apply(F::Abs | F::Floor | F::Ceiling | F::Min | F::Max | F::Mod | F::Gcd | F::Lcm, parts) => parts.iter().all(is_rational),
        _ => false,
    }
}

/// `2\frac12`: a whole number and a fraction below one.
fn is_mixed(parts: &[Expr]) -> bool {
    let [Expr::Number(whole), Expr::Quotient(a, b)] = parts else { return false };
    let (Expr::Number(a), Expr::Number(b)) = (a.as_ref(), b.as_ref()) else { return false };
    whole.value.is_int() && is_uneven(&a.value, &b.value) && a.value < b.value
}

/// A quotient of two numbers that does not come out even, or one with a power, such as `3/10^5`.
fn is_fraction(a: &Expr, b: &Expr) -> bool {
    let unsigned = |expr: &Expr| if let Expr::Negative(inside) = expr { inside.as_ref().clone() } else { expr.clone() };
    match (unsigned(a), unsigned(b)) {
        (Expr::Number(a), Expr::Number(b)) => is_uneven(&a.value, &b.value),
        (Expr::Number(_) | Expr::Power(..), Expr::Number(_) | Expr::Power(..)) => true,
        _ => false,
    }
}

fn is_uneven(a: &RBig, b: &RBig) -> bool {
    *b != RBig::ZERO && !(a / b).is_int()
}

fn is_power_of_ten(expr: &Expr) -> bool {
    matches!(expr, Expr::Power(base, _) if matches!(base.as_ref(), Expr::Number(number) if number.value == RBig::from(10)))
}
