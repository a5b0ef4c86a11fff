//! Units: dropped where one side has none, converted where both have one.

use dashu_ratio::RBig;

use super::Matcher;
use crate::math::Method;
use crate::math::answer::{Answer, Constant, Dimension, Expr, Number, Unit};
use crate::math::number::{Decided, any, variables};
use crate::math::work::Exhausted;

impl Matcher {
    /// Two values of which at least one has a unit.
    pub(super) fn quantities(&mut self, gold: &Answer, found: &Answer) -> Result<Decided, Exhausted> {
        let (Some((expected, unit)), Some((value, other))) = (parts(gold), parts(found)) else {
            return Ok(Decided::Different(Method::Exact));
        };
        match (unit, other) {
            (Some(unit), Some(other)) => self.both(expected, unit, value, other),
            (Some(unit), None) => self.with_and_without(expected, value, unit, true),
            (None, Some(unit)) => self.with_and_without(expected, value, unit, false),
            (None, None) => self.leaf(expected, value),
        }
    }

    fn both(&mut self, expected: &Expr, unit: &Unit, value: &Expr, other: &Unit) -> Result<Decided, Exhausted> {
        let (Some(dimension), Some(other_dimension)) = (unit.dimension, other.dimension) else {
            // Degrees against radians; else what is counted does not matter.
            return match (is_degrees(unit), is_degrees(other)) {
                (true, false) if is_radians(other) => self.leaf(&radians(expected, unit), value),
                (false, true) if is_radians(unit) => self.leaf(expected, &radians(value, other)),
                _ => self.leaf(expected, value),
            };
        };
        if dimension != other_dimension {
            self.note = Some("the units measure different things");
            return Ok(Decided::Different(Method::Exact));
        }
        if unit.factor == other.factor && unit.offset == other.offset {
            return self.leaf(expected, value);
        }
        if unit.factor.is_zero() {
            return Ok(Decided::Open("a unit of size zero"));
        }
        // The found value in the gold unit, so that a rounded gold value keeps its meaning.
        let shift = (&other.offset - &unit.offset) / &unit.factor;
        let converted = scaled(value, &other.factor / &unit.factor);
        let converted = if shift.is_zero() { converted } else { Expr::Sum(vec![converted, number(shift)]) };
        self.leaf(expected, &converted)
    }

    /// A value with a unit against one without.
    fn with_and_without(&mut self, expected: &Expr, value: &Expr, unit: &Unit, gold_has_it: bool) -> Result<Decided, Exhausted> {
        // πr²h has a height, not hours: a letter behind variables is no unit that may be left out.
        let with_unit = if gold_has_it { expected } else { value };
        if unit.name.chars().count() == 1 && !variables(&[with_unit]).is_empty() {
            return Ok(self.other_kind());
        }
        let plain = self.leaf(expected, value)?;
        let Some(dimension) = unit.dimension.filter(|_| !plain.is_equal()) else { return Ok(plain) };
        if dimension.percent == 1 {
            // 50% is 50 and 1/2.
            let hundred = RBig::from(100);
            let factor = if gold_has_it { hundred } else { RBig::ONE / hundred };
            return self.leaf(expected, &scaled(value, factor));
        }
        // An angle in degrees against one in parts of π, if that is how the gold answer says it.
        let (degrees, other) = if gold_has_it { (expected, value) } else { (value, expected) };
        if is_degrees(unit) && mentions_pi(other) && !mentions_pi(degrees) && !(gold_has_it && self.tolerant) {
            return self.judge.same(other, &radians(degrees, unit));
        }
        Ok(plain)
    }
}

fn parts(answer: &Answer) -> Option<(&Expr, Option<&Unit>)> {
    match answer {
        Answer::Expr(value) => Some((value, None)),
        Answer::Quantity { value, unit } => Some((value, Some(unit))),
        _ => None,
    }
}

fn is_degrees(unit: &Unit) -> bool {
    unit.dimension == Some(Dimension { angle: 1, ..Dimension::default() })
}

fn is_radians(unit: &Unit) -> bool {
    unit.dimension.is_none() && unit.name == "rad"
}

/// An angle in degrees (or minutes) as radians.
fn radians(angle: &Expr, unit: &Unit) -> Expr {
    let straight = Expr::Quotient(Box::new(Expr::Constant(Constant::Pi)), Box::new(number(RBig::from(180))));
    Expr::Product(vec![scaled(angle, unit.factor.clone()), straight])
}

fn mentions_pi(expr: &Expr) -> bool {
    any(expr, &|part| matches!(part, Expr::Constant(Constant::Pi)))
}

fn number(value: RBig) -> Expr {
    Expr::Number(Number { value, decimals: None })
}

fn scaled(value: &Expr, factor: RBig) -> Expr {
    if factor.is_one() { value.clone() } else { Expr::Product(vec![value.clone(), number(factor)]) }
}
