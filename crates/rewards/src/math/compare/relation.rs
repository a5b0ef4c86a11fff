//! Equations, inequalities, ratios and congruences.

use dashu_int::IBig;
use dashu_ratio::RBig;

use super::named::{Named, named};
use super::region::variable_of;
use super::{Matcher, rounded_value};
use crate::math::Method;
use crate::math::answer::{Answer, Expr, Function, Operator};
use crate::math::number::{Decided, variables};
use crate::math::work::Exhausted;

impl Matcher {
    /// Two answers that may give names to values; signs are expanded.
    pub(super) fn statements(&mut self, gold: &Answer, found: &Answer) -> Result<Decided, Exhausted> {
        if self.contradicts(found)? || !self.tolerant && self.contradicts(gold)? {
            self.note = Some("a chain that contradicts itself");
            return Ok(Decided::Different(Method::Exact));
        }
        match (named(gold), named(found)) {
            (None, None) => self.pair(gold, found),
            (Some(expected), Some(answer)) => {
                if let Some(value) = expected.value_of(&answer) {
                    let decided = self.answers(&expected.value, &value)?;
                    if decided.is_equal() {
                        return Ok(decided);
                    }
                }
                self.pair(gold, found)
            }
            (Some(expected), None) if !holds_relation(found) => self.value_against(&expected, found, true),
            (None, Some(answer)) if !holds_relation(gold) => self.value_against(&answer, gold, false),
            _ => self.pair(gold, found),
        }
    }

    /// Whether a chain, or one in a list, gives a name two values: `x = 5 = 4`, or a value an approximation that is none: `5 \approx 4`.
    fn contradicts(&mut self, answer: &Answer) -> Result<bool, Exhausted> {
        match answer {
            Answer::Relation { terms, operators } if self.is_far(terms, operators)? => Ok(true),
            Answer::Relation { .. } => match named(answer) {
                Some(Named { value, later, .. }) => Ok(!self.all_say(&value, &later)?),
                None => Ok(false),
            },
            Answer::List(parts) | Answer::Set(parts) => {
                for part in parts.iter().filter(|part| matches!(part, Answer::Relation { .. })) {
                    if self.contradicts(part)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// Whether all terms of a chain of equations are its value. A decimal may be rounded: x = 1/3 = 0.333.
    fn all_say(&mut self, value: &Answer, terms: &[Answer]) -> Result<bool, Exhausted> {
        let tolerant = std::mem::replace(&mut self.tolerant, true);
        let mut all = Ok(true);
        for term in terms {
            all = self.answers(term, value).and_then(|decided| Ok(decided.is_equal() || self.answers(value, term)?.is_equal()));
            if !matches!(all, Ok(true)) {
                break;
            }
        }
        self.tolerant = tolerant;
        all
    }

    /// A named value against a bare one.
    fn value_against(&mut self, named: &Named, other: &Answer, gold_is_named: bool) -> Result<Decided, Exhausted> {
        let mut first = None;
        for value in std::iter::once(&named.value).chain(&named.as_written) {
            let decided = if gold_is_named { self.answers(value, other)? } else { self.answers(other, value)? };
            if decided.is_equal() {
                return Ok(decided);
            }
            first.get_or_insert(decided);
        }
        Ok(first.unwrap_or(Decided::Different(Method::Exact)))
    }

    /// Two answers of which at least one is a relation.
    pub(super) fn relations(&mut self, gold: &Answer, found: &Answer) -> Result<Decided, Exhausted> {
        match (gold, found) {
            (Answer::Relation { terms, operators }, Answer::Relation { terms: other_terms, operators: other_operators }) => {
                let all = |operators: &[Operator], wanted| operators.iter().all(|operator| *operator == wanted);
                if all(operators, Operator::Ratio) && all(other_operators, Operator::Ratio) {
                    return self.ratios(terms, other_terms);
                }
                if all(operators, Operator::Congruent) && all(other_operators, Operator::Congruent) {
                    return self.congruences(terms, other_terms);
                }
                if variable_of(gold) == variable_of(found) && is_inequality(operators) && is_inequality(other_operators) {
                    let regions = (self.region(gold)?, self.region(found)?);
                    if let (Some(expected), Some(answer)) = regions {
                        return self.same_spans(&expected, &answer);
                    }
                }
                self.chains((terms, operators), (other_terms, other_operators))
            }
            (Answer::Relation { terms, operators }, other) => self.relation_against(terms, operators, gold, other, true),
            (other, Answer::Relation { terms, operators }) => self.relation_against(terms, operators, found, other, false),
            _ => Ok(self.other_kind()),
        }
    }

    /// Whether what stands behind a ≈ is not near the constant before it: as far away as a unit of its last digit (of the digit before
    /// zeros that fill it up) and as a fifteenth of the constant, or as half of itself.
    fn is_far(&mut self, terms: &[Answer], operators: &[Operator]) -> Result<bool, Exhausted> {
        for (at, _) in operators.iter().enumerate().filter(|(_, operator)| **operator == Operator::About) {
            if let Some((value, near)) = same_unit(&terms[at], &terms[at + 1])
                && variables(&[value, near]).is_empty()
                && self.is_far_from(value, near)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_far_from(&mut self, value: &Expr, near: &Expr) -> Result<bool, Exhausted> {
        let size = |number: &RBig| if *number < RBig::ZERO { -number } else { number.clone() };
        // Where only one side is rational, the bound comes from it.
        let (other, told) = match (self.judge.rational(near)?, self.judge.rational(value)?) {
            (Some(told), _) => (value, told),
            (None, Some(told)) => (near, told),
            (None, None) => return Ok(false),
        };
        let fifteenth = size(&told) / RBig::from(15);
        let bound = match last_unit(near, &told) {
            Some(unit) if unit > fifteenth && told == RBig::ZERO => unit,
            Some(unit) if unit > fifteenth => unit.min(size(&told) / RBig::from(2)),
            _ => fifteenth,
        };
        let below_one = RBig::from_parts(999.into(), 1000_u16.into());
        Ok(matches!(self.judge.is_within(other, &told, &(bound * below_one))?, Decided::Different(_)))
    }

    fn relation_against(
        &mut self,
        terms: &[Answer],
        operators: &[Operator],
        relation: &Answer,
        other: &Answer,
        gold_is_relation: bool,
    ) -> Result<Decided, Exhausted> {
        let oriented = |matcher: &mut Self, value: &Answer| {
            if gold_is_relation { matcher.answers(value, other) } else { matcher.answers(other, value) }
        };
        // What stands behind ≈ tells how large the value is, and not what it is.
        let exact = operators.iter().position(|operator| *operator == Operator::About).unwrap_or(operators.len());
        if exact == 0 && is_constant(&terms[0]) {
            return oriented(self, &terms[0]);
        }
        let (terms, operators) = (&terms[..=exact], &operators[..exact]);
        match (terms, operators) {
            ([Answer::Expr(top), Answer::Expr(bottom)], [Operator::Ratio]) if matches!(other, Answer::Expr(_)) => {
                let quotient = Expr::Quotient(Box::new(top.clone()), Box::new(bottom.clone()));
                return oriented(self, &Answer::Expr(quotient));
            }
            // The residue alone answers "what is x modulo m".
            ([_, Answer::Expr(Expr::Apply(Function::Mod, arguments))], [Operator::Congruent]) if matches!(other, Answer::Expr(_)) => {
                if let [residue, _] = arguments.as_slice() {
                    return oriented(self, &Answer::Expr(residue.clone()));
                }
            }
            // 2 + 3 = 5 says 5, if it is true.
            ([first, between @ .., last], _)
                if operators.iter().all(|operator| *operator == Operator::Equal)
                    && (is_constant(first) || matches!(first, Answer::Quantity { value, .. } if variables(&[value]).is_empty()))
                    && self.answers(first, last)?.is_equal()
                    && self.all_say(first, between)? =>
            {
                return oriented(self, last);
            }
            _ => {}
        }
        if !operators.is_empty() && is_inequality(operators) {
            return if gold_is_relation { self.regions(relation, other) } else { self.regions(other, relation) };
        }
        Ok(self.other_kind())
    }

    /// `a : b : c` in proportion.
    fn ratios(&mut self, gold: &[Answer], found: &[Answer]) -> Result<Decided, Exhausted> {
        if gold.len() != found.len() {
            return Ok(Decided::Different(Method::Exact));
        }
        let (Some(a), Some(b)) = (exprs(gold), exprs(found)) else { return Ok(Decided::Different(Method::Exact)) };
        let product = |x: &Expr, y: &Expr| Expr::Product(vec![x.clone(), y.clone()]);
        let zero = |expr: &Expr| matches!(expr, Expr::Number(number) if number.value.is_zero());
        if a.iter().chain(&b).any(|part| zero(part)) {
            // 5:0 is in proportion to 9:0, but nobody means that.
            return self.ordered(gold, found);
        }
        let mut worst = Method::Exact;
        for index in 1..a.len() {
            match self.judge.same(&product(a[0], b[index]), &product(b[0], a[index]))? {
                Decided::Equal(method) => worst = worst.max(method),
                other => return Ok(other),
            }
        }
        Ok(Decided::Equal(worst))
    }

    /// `x \equiv a (mod m)`: the same modulus, and residues that differ by a multiple of it.
    fn congruences(&mut self, gold: &[Answer], found: &[Answer]) -> Result<Decided, Exhausted> {
        let ([left, residue], [other_left, other_residue]) = (gold, found) else { return self.ordered(gold, found) };
        let (Some((residue, modulus)), Some((other_residue, other_modulus))) = (modular(residue), modular(other_residue)) else {
            return self.ordered(gold, found);
        };
        if !self.answers(left, other_left)?.is_equal() {
            return Ok(Decided::Different(Method::Exact));
        }
        let same_modulus = self.judge.same(modulus, other_modulus)?;
        if !same_modulus.is_equal() {
            return Ok(same_modulus);
        }
        let step = |value: &Expr| Expr::Apply(Function::Mod, vec![value.clone(), modulus.clone()]);
        self.judge.same(&step(residue), &step(other_residue))
    }

    /// Chains of equations and inequalities: each link up to scaling and rearrangement, links in any order.
    fn chains(&mut self, gold: (&[Answer], &[Operator]), found: (&[Answer], &[Operator])) -> Result<Decided, Exhausted> {
        let (Some(gold_links), Some(found_links)) = (links(gold.0, gold.1), links(found.0, found.1)) else {
            if gold.1 == found.1 {
                return self.ordered(gold.0, found.0);
            }
            return Ok(Decided::Different(Method::Exact));
        };
        if gold_links.len() != found_links.len() {
            return Ok(Decided::Different(Method::Exact));
        }
        let mut left: Vec<&Link> = found_links.iter().collect();
        for link in &gold_links {
            let mut matched = None;
            for (index, other) in left.iter().enumerate() {
                if self.same_link(link, other)? {
                    matched = Some(index);
                    break;
                }
            }
            match matched {
                Some(index) => drop(left.swap_remove(index)),
                None => return Ok(Decided::Different(Method::Symbolic)),
            }
        }
        Ok(Decided::Equal(Method::Symbolic))
    }

    fn same_link(&mut self, a: &Link, b: &Link) -> Result<bool, Exhausted> {
        if a.operator != b.operator {
            return Ok(false);
        }
        let signed = matches!(a.operator, Operator::Less | Operator::LessOrEqual);
        Ok(self.judge.proportion(&a.gap, &b.gap, signed)?.is_some_and(|sign| !signed || sign > 0))
    }
}

/// The values of two answers, if they are in the same unit or one of them has none.
fn same_unit<'a>(a: &'a Answer, b: &'a Answer) -> Option<(&'a Expr, &'a Expr)> {
    match (a, b) {
        (Answer::Quantity { value: a, unit }, Answer::Quantity { value: b, unit: other }) => (unit == other).then_some((a, b)),
        (Answer::Expr(a) | Answer::Quantity { value: a, .. }, Answer::Expr(b) | Answer::Quantity { value: b, .. }) => Some((a, b)),
        _ => None,
    }
}

/// One in the last digit of an approximation that is not a filling zero: 0.01 of 3.14, 100 of 2300 and of `2.3\cdot10^3`.
fn last_unit(near: &Expr, value: &RBig) -> Option<RBig> {
    if !value.is_int() {
        return rounded_value(near).map(|(_, half)| half * RBig::from(2));
    }
    let (mut digits, mut unit) = (value.numerator().clone(), IBig::ONE);
    while digits != IBig::ZERO && (&digits % IBig::from(10)) == IBig::ZERO {
        digits /= IBig::from(10);
        unit *= IBig::from(10);
    }
    Some(RBig::from(unit))
}

/// One relation brought to `gap operator 0`, where the operator is =, ≠, < or ≤.
struct Link {
    gap: Expr,
    operator: Operator,
}

fn links(terms: &[Answer], operators: &[Operator]) -> Option<Vec<Link>> {
    let terms = exprs(terms)?;
    let links = terms.windows(2).zip(operators).map(|(pair, operator)| {
        use Operator as O;
        let (left, right, operator) = match operator {
            O::Equal | O::About => (pair[0], pair[1], O::Equal),
            O::NotEqual => (pair[0], pair[1], O::NotEqual),
            O::Less | O::LessOrEqual => (pair[0], pair[1], *operator),
            O::Greater => (pair[1], pair[0], O::Less),
            O::GreaterOrEqual => (pair[1], pair[0], O::LessOrEqual),
            O::In | O::Congruent | O::Ratio => return None,
        };
        Some(Link { gap: gap(left, right), operator })
    });
    links.collect()
}

/// `left - right`.
pub(super) fn gap(left: &Expr, right: &Expr) -> Expr {
    Expr::Sum(vec![left.clone(), Expr::Negative(Box::new(right.clone()))])
}

fn exprs(terms: &[Answer]) -> Option<Vec<&Expr>> {
    terms.iter().map(|term| if let Answer::Expr(expr) = term { Some(expr) } else { None }).collect()
}

fn modular(term: &Answer) -> Option<(&Expr, &Expr)> {
    match term {
        Answer::Expr(Expr::Apply(Function::Mod, arguments)) => match arguments.as_slice() {
            [residue, modulus] => Some((residue, modulus)),
            _ => None,
        },
        _ => None,
    }
}

fn is_inequality(operators: &[Operator]) -> bool {
    use Operator as O;
    operators.iter().all(|operator| matches!(operator, O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual | O::NotEqual | O::In))
}

pub(super) fn is_constant(answer: &Answer) -> bool {
    matches!(answer, Answer::Expr(expr) if variables(&[expr]).is_empty())
}

/// Whether the answer is a relation or a list of some, which only another relation can equal.
fn holds_relation(answer: &Answer) -> bool {
    match answer {
        // A ratio is a value.
        Answer::Relation { operators, .. } => !operators.iter().all(|operator| *operator == Operator::Ratio),
        Answer::List(parts) | Answer::Set(parts) => parts.iter().any(|part| matches!(part, Answer::Relation { .. })),
        _ => false,
    }
}
