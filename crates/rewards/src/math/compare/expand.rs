//! `\pm` and `\mp`: one answer that stands for two; and changes of all expressions of an answer.

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
    each_expr(answer, &|expr| with_sign(expr, plus))
}

/// The answer with every expression in it replaced.
pub(super) fn each_expr(answer: &Answer, change: &dyn Fn(&Expr) -> Expr) -> Answer {
    let all = |parts: &[Answer]| parts.iter().map(|part| each_expr(part, change)).collect();
    match answer {
        Answer::Expr(expr) => Answer::Expr(change(expr)),
        Answer::Quantity { value, unit } => Answer::Quantity { value: change(value), unit: unit.clone() },
        Answer::Tuple(parts) => Answer::Tuple(all(parts)),
        Answer::List(parts) => Answer::List(all(parts)),
        Answer::Set(parts) => Answer::Set(all(parts)),
        Answer::Union(parts) => Answer::Union(all(parts)),
        Answer::Difference(a, b) => Answer::Difference(Box::new(each_expr(a, change)), Box::new(each_expr(b, change))),
        Answer::Relation { terms, operators } => Answer::Relation { terms: all(terms), operators: operators.clone() },
        Answer::Interval { low, high, low_closed, high_closed } => {
            Answer::Interval { low: change(low), high: change(high), low_closed: *low_closed, high_closed: *high_closed }
        }
        Answer::Matrix(rows) => Answer::Matrix(rows.iter().map(|row| row.iter().map(change).collect()).collect()),
        other => other.clone(),
    }
}

fn with_sign(expr: &Expr, plus: bool) -> Expr {
    match expr {
        Expr::PlusMinus(inside) if plus => with_sign(inside, plus),
        Expr::MinusPlus(inside) if !plus => with_sign(inside, plus),
        Expr::PlusMinus(inside) | Expr::MinusPlus(inside) => Expr::Negative(Box::new(with_sign(inside, plus))),
        other => each_child(other, &|inside| with_sign(inside, plus)),
    }
}

/// The expression with free variables under other names, all at once.
pub(super) fn renamed(expr: &Expr, names: &[(&str, &str)]) -> Expr {
    match expr {
        Expr::Symbol(name) => {
            let new = names.iter().find(|(old, _)| old == name).map_or(name.as_str(), |(_, new)| new);
            Expr::Symbol(new.to_owned())
        }
        // A bound variable of that name hides the free one.
        Expr::Series { index, .. } if names.iter().any(|(old, new)| old == index || new == index) => expr.clone(),
        other => each_child(other, &|inside| renamed(inside, names)),
    }
}

fn each_child(expr: &Expr, change: &dyn Fn(&Expr) -> Expr) -> Expr {
    let one = |inside: &Expr| Box::new(change(inside));
    let all = |parts: &[Expr]| parts.iter().map(change).collect();
    match expr {
        Expr::PlusMinus(inside) => Expr::PlusMinus(one(inside)),
        Expr::MinusPlus(inside) => Expr::MinusPlus(one(inside)),
        Expr::Negative(inside) => Expr::Negative(one(inside)),
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
