//! Whether an answer says a number, or leaves it to its reader to work one out.
//!
//! Math-Verify and its like take `24*6-8-39` for 97. A policy that is rewarded for it learns in ten steps to repeat the question. So what
//! says a number is listed here, and everything else does not.

use dashu_ratio::RBig;

use super::answer::{Answer, Expr, Function, Number};
use super::compare::Matcher;
use super::number::any;
use super::work::Exhausted;

/// Whether the gold answer is a number and the prediction, which is equal to it, leaves it to be worked out; both by their readings.
pub(super) fn is_missing(expected: &[Answer], found: &[Answer], matcher: &mut Matcher) -> bool {
    let Some(expected) = expected.first().filter(|answer| is_rational_number(answer)) else { return false };
    let may_be_irrational = is_decimal(expected);
    if found.iter().all(|answer| says_nothing_else(answer, may_be_irrational)) {
        return false;
    }
    !found.iter().any(|answer| says(answer, expected, may_be_irrational, matcher).unwrap_or(false))
}

/// A number as written, with or without a sign and a unit.
pub(super) fn is_number(answer: &Answer) -> bool {
    value_of(answer).is_some_and(|value| numeral(value).is_some())
}

/// A number, a fraction, a mixed number or one in scientific notation: what must be met by a number.
fn is_rational_number(answer: &Answer) -> bool {
    value_of(answer).is_some_and(is_rational)
}

/// Whether a number was rounded, so that `10\sqrt2` may be what it stands for.
fn is_decimal(answer: &Answer) -> bool {
    let has_decimals = |part: &Expr| matches!(part, Expr::Number(Number { decimals: Some(_), .. }));
    value_of(answer).is_some_and(|value| any(value, &has_decimals))
}

fn value_of(answer: &Answer) -> Option<&Expr> {
    match answer {
        Answer::Expr(value) | Answer::Quantity { value, .. } => Some(value),
        _ => None,
    }
}

/// Whether the answer, or a part of it, says the expected number: `48 + 24 = 72`.
fn says(answer: &Answer, expected: &Answer, may_be_irrational: bool, matcher: &mut Matcher) -> Result<bool, Exhausted> {
    match value_of(answer) {
        Some(value) => Ok(says_number(value, may_be_irrational) && matcher.answers(expected, answer)?.is_equal()),
        None => {
            for part in parts(answer) {
                if says(part, expected, may_be_irrational, matcher)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// Whether nothing in the answer is left to be worked out.
fn says_nothing_else(answer: &Answer, may_be_irrational: bool) -> bool {
    match (value_of(answer), answer) {
        (Some(value), _) => says_number(value, may_be_irrational),
        // 144:2 is read as a quotient.
        (None, Answer::Relation { .. }) => false,
        (None, _) => parts(answer).iter().all(|part| says_nothing_else(part, may_be_irrational)),
    }
}

/// What an answer of several parts, all of which may mean one number, consists of.
fn parts(answer: &Answer) -> &[Answer] {
    match answer {
        Answer::Relation { terms: parts, .. } | Answer::List(parts) | Answer::Set(parts) | Answer::Tuple(parts) => parts,
        Answer::Labelled { answer, .. } => std::slice::from_ref(answer),
        _ => &[],
    }
}

fn says_number(expr: &Expr, may_be_irrational: bool) -> bool {
    is_rational(expr) || is_closed_form(expr) || may_be_irrational && is_irrational(expr)
}

/// Forms that are read as one number: `-3`, `\frac72`, `2\frac12`, `1.5\cdot10^3`, `3/10^5`.
fn is_rational(expr: &Expr) -> bool {
    match expr {
        Expr::Negative(inside) => is_rational(inside),
        Expr::Number(_) => true,
        Expr::Quotient(a, b) => is_fraction(a, b),
        Expr::Sum(parts) => is_mixed(parts),
        Expr::Product(parts) => match parts.as_slice() {
            [Expr::Quotient(a, b), power] => is_fraction(a, b) && is_power_of_ten(power),
            [number, power] => numeral(number).is_some() && is_power_of_ten(power),
            _ => false,
        },
        _ => false,
    }
}

/// `2^{10}`, `5!`, `\binom{10}{3}`, `|-5|`: of numbers as written, and what people leave so.
fn is_closed_form(expr: &Expr) -> bool {
    use Function as F;
    match expr {
        Expr::Negative(inside) => is_closed_form(inside),
        Expr::Power(base, exponent) => numeral(base).is_some() && numeral(exponent).is_some(),
        Expr::Apply(F::Factorial | F::DoubleFactorial | F::Binomial | F::Abs, parts) => parts.iter().all(|part| numeral(part).is_some()),
        _ => false,
    }
}

/// `10\sqrt2`, `\frac{3\pi}{4}`: not rational, without variables, and no two rational numbers in it that could be put together.
fn is_irrational(expr: &Expr) -> bool {
    let is_symbol = |part: &Expr| matches!(part, Expr::Symbol(_) | Expr::Series { .. });
    let is_open = |part: &Expr| match part {
        Expr::Sum(parts) | Expr::Product(parts) => parts.iter().filter(|part| is_arithmetic(part)).count() > 1,
        Expr::Quotient(a, b) => is_arithmetic(a) && is_arithmetic(b) && !is_rational(part),
        _ => false,
    };
    !is_arithmetic(expr) && !any(expr, &is_symbol) && !any(expr, &is_open)
}

/// Whether nothing but numbers, the four operations and powers are in it.
fn is_arithmetic(expr: &Expr) -> bool {
    let is_other = |part: &Expr| {
        !matches!(part, Expr::Number(_) | Expr::Negative(_) | Expr::Sum(_) | Expr::Product(_) | Expr::Quotient(..) | Expr::Power(..))
    };
    !any(expr, &is_other)
}

/// A number as written, perhaps with a sign.
fn numeral(expr: &Expr) -> Option<&Number> {
    let unsigned = if let Expr::Negative(inside) = expr { inside } else { expr };
    if let Expr::Number(number) = unsigned { Some(number) } else { None }
}

/// `2\frac12`: a whole number and a fraction below one.
fn is_mixed(parts: &[Expr]) -> bool {
    let ([Expr::Number(whole), Expr::Quotient(a, b)] | [Expr::Quotient(a, b), Expr::Number(whole)]) = parts else { return false };
    let (Expr::Number(a), Expr::Number(b)) = (a.as_ref(), b.as_ref()) else { return false };
    whole.value.is_int() && is_uneven(&a.value, &b.value) && a.value < b.value
}

/// A quotient of two numbers that does not come out even or is over one, or one over a power, such as `3/10^5`.
fn is_fraction(a: &Expr, b: &Expr) -> bool {
    let Some(above) = numeral(a) else { return false };
    match (numeral(b), b) {
        (Some(below), _) => below.value == RBig::ONE || is_uneven(&above.value, &below.value),
        (None, power) => is_power_of_ten(power),
    }
}

fn is_uneven(a: &RBig, b: &RBig) -> bool {
    *b != RBig::ZERO && !(a / b).is_int()
}

fn is_power_of_ten(expr: &Expr) -> bool {
    matches!(expr, Expr::Power(base, exponent)
        if numeral(exponent).is_some() && matches!(base.as_ref(), Expr::Number(number) if number.value == RBig::from(10)))
}
