//! `\pm` and `\mp`: one answer that stands for two.

use crate::math::answer::{Answer, Expr};
use crate::math::number::any;

/// Whether a sign is open.
pub(super) fn has_signs(expr: &Expr) -> bool {
    any(expr, &|part| matches!(part, Expr::PlusMinus(_) | Expr::MinusPlus(_)))
}

fn answer_has_signs(answer: &Answer) -> bool {
    match answer {
        Answer::Expr(expr) | Answer::Quantity { value: expr, .. } => has_signs(expr),
        Answer::Tuple(parts) | Answer::List(parts) | Answer::Set(parts) | Answer::Union(parts) => parts.iter().any(answer_has_signs),
        Answer::Relation { terms, .. } => terms.iter().any(answer_has_signs),
        Answer::Difference(a, b) => answer_has_signs(a) || answer_has_signs(b),
        Answer::Interval { low, high, .. } => has_signs(low) || has_signs(high),
        Answer::Matrix(rows) => rows.iter().flatten().any(has_signs),
        _ => false,
    }
}

/// The answer without open signs: parts of lists and sets turn one by one, anything else becomes a list of its two versions.
pub(super) fn signs_expanded(answer: &Answer) -> Answer {
    if !answer_has_signs(answer) {
        return answer.clone();
    }
    let parts = |parts: &[Answer]| -> Vec<Answer> {
        let expanded = parts.iter().map(signs_expanded);
        expanded.flat_map(|part| if let Answer::List(parts) = part { parts } else { vec![part] }).collect()
    };
    match answer {
        Answer::List(own) => Answer::List(parts(own)),
        Answer::Set(own) => Answer::Set(parts(own)),
        _ => Answer::List(vec![turned(answer, true), turned(answer, false)]),
    }
}

fn turned(answer: &Answer, plus: bool) -> Answer {
    let all = |parts: &[Answer]| parts.iter().map(|part| turned(part, plus)).collect();
    match answer {
        Answer::Expr(expr) => Answer::Expr(with_sign(expr, plus)),
        Answer::Quantity { value, unit } => Answer::Quantity { value: with_sign(value, plus), unit: unit.clone() },
        Answer::Tuple(parts) => Answer::Tuple(all(parts)),
        Answer::List(parts) => Answer::List(all(parts)),
        Answer::Set(parts) => Answer::Set(all(parts)),
        Answer::Union(parts) => Answer::Union(all(parts)),
        Answer::Difference(a, b) => Answer::Difference(Box::new(turned(a, plus)), Box::new(turned(b, plus))),
        Answer::Relation { terms, operators } => Answer::Relation { terms: all(terms), operators: operators.clone() },
        Answer::Interval { low, high, low_closed, high_closed } => {
            Answer::Interval { low: with_sign(low, plus), high: with_sign(high, plus), low_closed: *low_closed, high_closed: *high_closed }
        }
        Answer::Matrix(rows) => Answer::Matrix(rows.iter().map(|row| row.iter().map(|cell| with_sign(cell, plus)).collect()).collect()),
        other => other.clone(),
    }
}

fn with_sign(expr: &Expr, plus: bool) -> Expr {
    let one = |inside: &Expr| Box::new(with_sign(inside, plus));
    let all = |parts: &[Expr]| parts.iter().map(|part| with_sign(part, plus)).collect();
    match expr {
        Expr::PlusMinus(inside) if plus => with_sign(inside, plus),
        Expr::MinusPlus(inside) if !plus => with_sign(inside, plus),
        Expr::PlusMinus(inside) | Expr::MinusPlus(inside) | Expr::Negative(inside) => Expr::Negative(one(inside)),
        Expr::Number(_) | Expr::Symbol(_) | Expr::Constant(_) => expr.clone(),
        Expr::Sum(parts) => Expr::Sum(all(parts)),
        Expr::Product(parts) => Expr::Product(all(parts)),
        Expr::Quotient(a, b) => Expr::Quotient(one(a), one(b)),
        Expr::Power(a, b) => Expr::Power(one(a), one(b)),
        Expr::Root { degree, radicand } => Expr::Root { degree: one(degree), radicand: one(radicand) },
        Expr::Apply(function, arguments) => Expr::Apply(function.clone(), all(arguments)),
        Expr::Series { product, index, low, high, body } => {
            Expr::Series { product: *product, index: index.clone(), low: one(low), high: one(high), body: one(body) }
        }
    }
}
