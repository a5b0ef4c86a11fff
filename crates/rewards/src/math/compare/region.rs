//! Sets of real numbers: intervals, unions, differences, inequalities in one variable, single points.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::Matcher;
use crate::math::Method;
use crate::math::answer::{Answer, Constant, Expr, Function, Operator};
use crate::math::number::{Decided, infinity, variables};
use crate::math::work::Exhausted;

/// The numbers from `low` to `high`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    low: Expr,
    high: Expr,
    low_closed: bool,
    high_closed: bool,
}

/// Most pieces of one set.
const MAX_SPANS: usize = 200;

impl Matcher {
    /// Two answers of which at least one may be a set of real numbers, or that are of different kinds.
    pub(super) fn regions(&mut self, gold: &Answer, found: &Answer) -> Result<Decided, Exhausted> {
        use Answer as A;
        match (gold, found) {
            // (1, 2) may have been meant as an open interval and [1, 2] as a list.
            (A::Tuple(parts), A::Interval { low, high, low_closed: false, high_closed: false })
            | (A::List(parts), A::Interval { low, high, low_closed: true, high_closed: true }) => {
                return self.ordered(parts, &[A::Expr(low.clone()), A::Expr(high.clone())]);
            }
            (A::Interval { low, high, low_closed: false, high_closed: false }, A::Tuple(parts))
            | (A::Interval { low, high, low_closed: true, high_closed: true }, A::List(parts)) => {
                return self.ordered(&[A::Expr(low.clone()), A::Expr(high.clone())], parts);
            }
            (A::Interval { low, high, low_closed: true, high_closed: true }, A::Matrix(rows)) if is_pair(rows) => {
                return self.ordered(&[A::Expr(low.clone()), A::Expr(high.clone())], &super::rows(rows));
            }
            (A::Matrix(rows), A::Interval { low, high, low_closed: true, high_closed: true }) if is_pair(rows) => {
                return self.ordered(&super::rows(rows), &[A::Expr(low.clone()), A::Expr(high.clone())]);
            }
            // A list or set of one is its element.
            (A::List(parts) | A::Set(parts) | A::Tuple(parts), other) if parts.len() == 1 => return self.answers(&parts[0], other),
            (other, A::List(parts) | A::Set(parts) | A::Tuple(parts)) if parts.len() == 1 => return self.answers(other, &parts[0]),
            (
                A::Interval { low, high, low_closed, high_closed },
                A::Interval { low: other_low, high: other_high, low_closed: other_low_closed, high_closed: other_high_closed },
            ) => {
                let span = |low: &Expr, high: &Expr, low_closed: bool, high_closed: bool| Span {
                    low: low.clone(),
                    high: high.clone(),
                    low_closed,
                    high_closed,
                };
                let expected = span(low, high, *low_closed, *high_closed);
                let answer = span(other_low, other_high, *other_low_closed, *other_high_closed);
                return self.same_spans(&[expected], &[answer]);
            }
            _ => {}
        }
        let Some(expected) = self.region(gold)? else { return Ok(self.other_kind()) };
        let Some(answer) = self.region(found)? else { return Ok(self.other_kind()) };
        self.same_spans(&expected, &answer)
    }

    pub(super) fn other_kind(&mut self) -> Decided {
        self.note = Some("answers of different kinds");
        Decided::Different(Method::Exact)
    }

    pub(super) fn same_spans(&mut self, gold: &[Span], found: &[Span]) -> Result<Decided, Exhausted> {
        if gold.len() != found.len() {
            return Ok(Decided::Different(Method::Exact));
        }
        let mut worst = Method::Exact;
        for (expected, span) in gold.iter().zip(found) {
            let flags =
                |span: &Span| (span.low_closed && infinity(&span.low).is_none(), span.high_closed && infinity(&span.high).is_none());
            if flags(expected) != flags(span) {
                self.note = Some("an end belongs to one and not to the other");
                return Ok(Decided::Different(Method::Exact));
            }
            for (a, b) in [(&expected.low, &span.low), (&expected.high, &span.high)] {
                // Rounding is for values, not for the ends of regions.
                match self.judge.same(a, b)? {
                    Decided::Equal(method) => worst = worst.max(method),
                    other => return Ok(other),
                }
            }
        }
        Ok(Decided::Equal(worst))
    }

    /// The pieces of a set of real numbers in order, touching ones merged; `None` if the answer is no such set.
    pub(super) fn region(&mut self, answer: &Answer) -> Result<Option<Vec<Span>>, Exhausted> {
        self.judge.work.pay(5)?;
        let spans = match answer {
            Answer::Interval { low, high, low_closed, high_closed } => {
                // Ends in the wrong order are no interval, and above all not the empty set.
                if self.judge.order(low, high)? == Some(Ordering::Greater) {
                    return Ok(None);
                }
                vec![Span { low: low.clone(), high: high.clone(), low_closed: *low_closed, high_closed: *high_closed }]
            }
            Answer::Tuple(parts) => match parts.as_slice() {
                [Answer::Expr(low), Answer::Expr(high)] => {
                    if self.judge.order(low, high)? == Some(Ordering::Greater) {
                        return Ok(None);
                    }
                    vec![Span { low: low.clone(), high: high.clone(), low_closed: false, high_closed: false }]
                }
                _ => return Ok(None),
            },
            Answer::Union(parts) => match self.regions_of(parts)? {
                Some(all) => all.into_iter().flatten().collect(),
                None => return Ok(None),
            },
            Answer::Set(parts) => {
                let point = |part: &Answer| match part {
                    Answer::Expr(value) => Some(point(value)),
                    _ => None,
                };
                match parts.iter().map(point).collect::<Option<Vec<_>>>() {
                    Some(points) => points,
                    None => return Ok(None),
                }
            }
            Answer::Difference(whole, hole) => {
                let (Some(whole), Some(hole)) = (self.region(whole)?, self.region(hole)?) else { return Ok(None) };
                let Some(outside) = self.complement(&hole)? else { return Ok(None) };
                return self.intersection(&whole, &outside);
            }
            Answer::Relation { terms, operators } => return self.region_of_chain(terms, operators),
            Answer::List(parts) => return self.region_of_list(parts),
            Answer::Expr(Expr::Symbol(name)) if matches!(name.as_str(), "ℝ" | "\\mathbb{R}" | "R") => vec![everything()],
            Answer::Choice('R') => vec![everything()],
            Answer::Words(words) if matches!(words.as_str(), "all real numbers" | "all reals" | "real numbers" | "reals") => {
                vec![everything()]
            }
            _ => return Ok(None),
        };
        self.merged(spans)
    }

    fn regions_of(&mut self, parts: &[Answer]) -> Result<Option<Vec<Vec<Span>>>, Exhausted> {
        let mut all = Vec::with_capacity(parts.len());
        for part in parts {
            let Some(region) = self.region(part)? else { return Ok(None) };
            all.push(region);
        }
        Ok(Some(all))
    }

    /// Inequalities side by side: what all of them allow, or if that is nothing, what any of them allows ("x < 1 or x > 2").
    fn region_of_list(&mut self, parts: &[Answer]) -> Result<Option<Vec<Span>>, Exhausted> {
        let relations = parts.iter().all(|part| matches!(part, Answer::Relation { .. }));
        let mut names: Vec<String> = parts.iter().filter_map(variable_of).collect();
        names.dedup();
        if !relations || names.len() != 1 {
            return Ok(None);
        }
        let Some(all) = self.regions_of(parts)? else { return Ok(None) };
        let mut common = vec![everything()];
        for region in &all {
            let Some(next) = self.intersection(&common, region)? else { return Ok(None) };
            common = next;
        }
        if common.is_empty() { self.merged(all.into_iter().flatten().collect()) } else { Ok(Some(common)) }
    }

    /// `2 < x \le 3`, `x \ne 1`, `2x + 1 > 5`, `x \in S` as the numbers that the variable may be.
    fn region_of_chain(&mut self, terms: &[Answer], operators: &[Operator]) -> Result<Option<Vec<Span>>, Exhausted> {
        if let ([_, set], [Operator::In]) = (terms, operators) {
            return self.region(set);
        }
        let exprs: Option<Vec<Cow<'_, Expr>>> = terms.iter().map(unknown).collect();
        let Some(exprs) = exprs else { return Ok(None) };
        let exprs: Vec<&Expr> = exprs.iter().map(AsRef::as_ref).collect();
        let names = variables(&exprs);
        let [(name, _)] = names.as_slice() else { return Ok(None) };
        let mut common = vec![everything()];
        for (pair, operator) in exprs.windows(2).zip(operators) {
            let Some(half) = self.half_line(pair[0], pair[1], *operator, name)? else { return Ok(None) };
            let Some(next) = self.intersection(&common, &half)? else { return Ok(None) };
            common = next;
        }
        Ok(Some(common))
    }

    /// One relation of two terms, linear in the variable.
    fn half_line(&mut self, left: &Expr, right: &Expr, operator: Operator, name: &str) -> Result<Option<Vec<Span>>, Exhausted> {
        if let Some(bounds) = self.bounds_of_size(left, right, operator, name)? {
            return Ok(bounds);
        }
        let is_name = |expr: &Expr| matches!(expr, Expr::Symbol(own) if own == name);
        let (end, turned) = if is_name(left) && variables(&[right]).is_empty() {
            (right.clone(), false)
        } else if is_name(right) && variables(&[left]).is_empty() {
            (left.clone(), true)
        } else {
            let gap = super::relation::gap(left, right);
            match self.judge.linear_root(&gap, name)? {
                Some((negative, value)) => (Expr::Number(crate::math::answer::Number { value, decimals: None }), negative),
                None => return Ok(None),
            }
        };
        use Operator as O;
        let operator = match (operator, turned) {
            (O::Less, true) => O::Greater,
            (O::LessOrEqual, true) => O::GreaterOrEqual,
            (O::Greater, true) => O::Less,
            (O::GreaterOrEqual, true) => O::LessOrEqual,
            (other, _) => other,
        };
        let below = |closed| Span { low: minus_infinity(), high: end.clone(), low_closed: false, high_closed: closed };
        let above = |closed| Span { low: end.clone(), high: plus_infinity(), low_closed: closed, high_closed: false };
        Ok(match operator {
            O::Less => Some(vec![below(false)]),
            O::LessOrEqual => Some(vec![below(true)]),
            O::Greater => Some(vec![above(false)]),
            O::GreaterOrEqual => Some(vec![above(true)]),
            O::NotEqual => Some(vec![below(false), above(false)]),
            O::Equal => Some(vec![point(&end)]),
            _ => None,
        })
    }

    /// `|x| < a` is `-a < x < a`, and `|x| > a` is `x < -a` or `x > a`; the outer `None` if it is no such relation.
    fn bounds_of_size(
        &mut self,
        left: &Expr,
        right: &Expr,
        operator: Operator,
        name: &str,
    ) -> Result<Option<Option<Vec<Span>>>, Exhausted> {
        use Operator as O;
        let inside = |expr: &Expr| match expr {
            Expr::Apply(Function::Abs, arguments) => arguments.first().cloned(),
            _ => None,
        };
        let (inner, bound, operator) = match (inside(left), inside(right), operator) {
            (Some(inner), None, _) => (inner, right, operator),
            (None, Some(inner), O::Less) => (inner, left, O::Greater),
            (None, Some(inner), O::LessOrEqual) => (inner, left, O::GreaterOrEqual),
            (None, Some(inner), O::Greater) => (inner, left, O::Less),
            (None, Some(inner), O::GreaterOrEqual) => (inner, left, O::LessOrEqual),
            _ => return Ok(None),
        };
        let inequality = matches!(operator, O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual);
        if !inequality || !variables(&[bound]).is_empty() {
            return Ok(None);
        }
        // Absolute values within each other double the work with each.
        self.judge.work.pay(200)?;
        let upper = self.half_line(&inner, bound, operator, name)?;
        let lower = self.half_line(&Expr::Negative(Box::new(bound.clone())), &inner, operator, name)?;
        let (Some(upper), Some(lower)) = (upper, lower) else { return Ok(Some(None)) };
        let both = matches!(operator, O::Less | O::LessOrEqual);
        Ok(Some(if both { self.intersection(&lower, &upper)? } else { self.merged([lower, upper].concat())? }))
    }

    /// Sorts pieces, drops empty ones, and joins those that touch or overlap. Ends that cannot be ordered (variables) stay as written.
    fn merged(&mut self, mut spans: Vec<Span>) -> Result<Option<Vec<Span>>, Exhausted> {
        if spans.len() > MAX_SPANS {
            return Ok(None);
        }
        let mut kept = Vec::with_capacity(spans.len());
        for span in spans.drain(..) {
            match self.judge.order(&span.low, &span.high)? {
                Some(Ordering::Greater) => {}
                Some(Ordering::Equal) if !(span.low_closed && span.high_closed) => {}
                _ => kept.push(span),
            }
        }
        let mut sorted: Vec<Span> = Vec::with_capacity(kept.len());
        for span in kept {
            let mut at = sorted.len();
            while at > 0 {
                match self.before(&span, &sorted[at - 1])? {
                    Some(true) => at -= 1,
                    Some(false) => break,
                    None => break,
                }
            }
            sorted.insert(at, span);
        }
        let mut merged: Vec<Span> = Vec::with_capacity(sorted.len());
        for span in sorted {
            let Some(last) = merged.last_mut() else {
                merged.push(span);
                continue;
            };
            let touches = match self.judge.order(&span.low, &last.high)? {
                Some(Ordering::Less) => true,
                Some(Ordering::Equal) => span.low_closed || last.high_closed,
                _ => false,
            };
            if !touches {
                merged.push(span);
                continue;
            }
            match self.judge.order(&span.high, &last.high)? {
                Some(Ordering::Greater) => (last.high, last.high_closed) = (span.high, span.high_closed),
                Some(Ordering::Equal) => last.high_closed |= span.high_closed,
                _ => {}
            }
        }
        Ok(Some(merged))
    }

    /// Whether one piece begins before another.
    fn before(&mut self, a: &Span, b: &Span) -> Result<Option<bool>, Exhausted> {
        Ok(self.judge.order(&a.low, &b.low)?.map(|order| match order {
            Ordering::Less => true,
            Ordering::Equal => a.low_closed && !b.low_closed,
            Ordering::Greater => false,
        }))
    }

    /// All real numbers but these; the pieces must be in order.
    fn complement(&mut self, spans: &[Span]) -> Result<Option<Vec<Span>>, Exhausted> {
        let mut low = minus_infinity();
        let mut low_closed = false;
        let mut outside = Vec::new();
        for span in spans {
            outside.push(Span { low, low_closed, high: span.low.clone(), high_closed: !span.low_closed });
            (low, low_closed) = (span.high.clone(), !span.high_closed);
        }
        outside.push(Span { low, low_closed, high: plus_infinity(), high_closed: false });
        outside.retain(|span| !(infinity(&span.low) == Some(1) || infinity(&span.high) == Some(-1)));
        self.merged(outside)
    }

    fn intersection(&mut self, a: &[Span], b: &[Span]) -> Result<Option<Vec<Span>>, Exhausted> {
        let mut common = Vec::new();
        for left in a {
            for right in b {
                let (Some(low), Some(high)) = (self.judge.order(&left.low, &right.low)?, self.judge.order(&left.high, &right.high)?) else {
                    return Ok(None);
                };
                let (low_end, low_closed) = match low {
                    Ordering::Greater => (&left.low, left.low_closed),
                    Ordering::Less => (&right.low, right.low_closed),
                    Ordering::Equal => (&left.low, left.low_closed && right.low_closed),
                };
                let (high_end, high_closed) = match high {
                    Ordering::Less => (&left.high, left.high_closed),
                    Ordering::Greater => (&right.high, right.high_closed),
                    Ordering::Equal => (&left.high, left.high_closed && right.high_closed),
                };
                common.push(Span { low: low_end.clone(), high: high_end.clone(), low_closed, high_closed });
            }
        }
        self.merged(common)
    }
}

fn is_pair(rows: &[Vec<Expr>]) -> bool {
    matches!(rows, [row] if row.len() == 2)
}

fn plus_infinity() -> Expr {
    Expr::Constant(Constant::Infinity)
}

fn minus_infinity() -> Expr {
    Expr::Negative(Box::new(plus_infinity()))
}

fn everything() -> Span {
    Span { low: minus_infinity(), high: plus_infinity(), low_closed: false, high_closed: false }
}

fn point(value: &Expr) -> Span {
    Span { low: value.clone(), high: value.clone(), low_closed: true, high_closed: true }
}

/// The variable of a relation in one variable.
pub(super) fn variable_of(answer: &Answer) -> Option<String> {
    let Answer::Relation { terms, .. } = answer else { return None };
    let exprs: Vec<Cow<'_, Expr>> = terms.iter().filter_map(unknown).collect();
    let exprs: Vec<&Expr> = exprs.iter().map(AsRef::as_ref).collect();
    match variables(&exprs).as_slice() {
        [(name, _)] => Some(name.clone()),
        _ => None,
    }
}

/// A term of a relation; a value of a function, as `f(x)` in `0 < f(x) < 1`, is an unknown of its own.
fn unknown(term: &Answer) -> Option<Cow<'_, Expr>> {
    match term {
        Answer::Expr(Expr::Apply(Function::Other(name), _)) => Some(Cow::Owned(Expr::Symbol(format!("{name}()")))),
        Answer::Expr(expr) => Some(Cow::Borrowed(expr)),
        _ => None,
    }
}
