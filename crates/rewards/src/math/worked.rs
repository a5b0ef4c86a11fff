//! Whether an answer says a number, or leaves it to its reader to work one out.
//!
//! Math-Verify and its like take `24*6-8-39` for 97. A policy that is rewarded for it learns in ten steps to repeat the question.

use dashu_int::IBig;
use dashu_ratio::RBig;

use super::answer::{Answer, Expr, Operator};
use super::work::Work;
use super::{STEPS, gold, parse};

/// Whether the gold answer is a number and the prediction leaves it to be worked out.
pub(super) fn is_missing(gold: &str, prediction: &str) -> bool {
    let mut work = Work::new(STEPS);
    let is_number = gold::read(gold, &mut work).is_ok_and(|readings| readings.first().is_some_and(is_number));
    is_number && parse::parse(prediction, &mut work).is_ok_and(|readings| readings.first().is_some_and(is_unworked))
}

/// A number as written, with or without a sign and a unit.
pub(super) fn is_number(answer: &Answer) -> bool {
    match answer {
        Answer::Expr(value) | Answer::Quantity { value, .. } => is_numeral(value),
        _ => false,
    }
}

/// Whether an answer to a question for a number is nothing but arithmetic that is still to be done: sums, products, and quotients that
/// come out even. `\frac72`, `2\frac12`, `1.5\cdot10^3`, `2^{10}` and `10!` say a number; so does a chain with a number in it, as
/// `48 + 24 = 72`, all of whose terms are equal.
fn is_unworked(answer: &Answer) -> bool {
    match answer {
        Answer::Expr(value) | Answer::Quantity { value, .. } => is_arithmetic(value),
        Answer::Relation { terms, operators } => {
            operators.iter().all(|operator| *operator == Operator::Equal) && terms.iter().any(is_unworked) && !terms.iter().any(is_number)
        }
        _ => false,
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
        Expr::Sum(parts) => parts.iter().all(is_rational) && !is_mixed(parts),
        Expr::Product(parts) => parts.iter().all(is_rational) && !parts.iter().any(is_power_of_ten),
        Expr::Quotient(a, b) => is_rational(a) && is_rational(b) && !is_fraction(a, b),
        _ => false,
    }
}

/// Whether nothing but numbers, the four operations and powers are in it.
fn is_rational(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) => true,
        Expr::Negative(inside) => is_rational(inside),
        Expr::Sum(parts) | Expr::Product(parts) => parts.iter().all(is_rational),
        Expr::Quotient(a, b) | Expr::Power(a, b) => is_rational(a) && is_rational(b),
        _ => false,
    }
}

/// `2\frac12`: a whole number and a fraction below one.
fn is_mixed(parts: &[Expr]) -> bool {
    let [Expr::Number(whole), Expr::Quotient(a, b)] = parts else { return false };
    let (Expr::Number(a), Expr::Number(b)) = (a.as_ref(), b.as_ref()) else { return false };
    whole.value.is_int() && is_fraction_of(&a.value, &b.value) && a.value < b.value
}

/// Two numbers that do not come out even, or a fraction of two numbers with a power, such as `3/10^5`.
fn is_fraction(a: &Expr, b: &Expr) -> bool {
    let unsigned = |expr: &Expr| match expr {
        Expr::Negative(inside) => inside.as_ref().clone(),
        other => other.clone(),
    };
    match (unsigned(a), unsigned(b)) {
        (Expr::Number(a), Expr::Number(b)) => is_fraction_of(&a.value, &b.value),
        (Expr::Number(_) | Expr::Power(..), Expr::Number(_) | Expr::Power(..)) => true,
        _ => false,
    }
}

fn is_fraction_of(a: &RBig, b: &RBig) -> bool {
    *b != RBig::ZERO && !(a / b).is_int()
}

fn is_power_of_ten(expr: &Expr) -> bool {
    matches!(expr, Expr::Power(base, _) if matches!(base.as_ref(), Expr::Number(number) if number.value == RBig::from(IBig::from(10))))
}
