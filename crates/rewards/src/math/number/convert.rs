//! From the written tree to the canonical form.

use dashu_base::Sign;
use dashu_ratio::RBig;

use super::Stop;
use super::algebra::{Algebra, Atom};
use super::exponent::Exponent;
use super::poly::{Fraction, small_integer};
use crate::math::answer::{Constant, Expr, Function};

/// Most terms of a finite sum or product that is written out.
pub(super) const MAX_SERIES: i64 = 2_000;

/// What a conversion takes for granted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setting {
    /// `\log` without a base is the decimal logarithm, else the natural one.
    pub(crate) decimal_log: bool,
    /// Values of running variables.
    pub(super) bound: Vec<(String, RBig)>,
}

impl Algebra<'_> {
    /// The canonical form of an expression.
    pub(crate) fn convert(&mut self, expr: &Expr, setting: &Setting) -> Result<Fraction, Stop> {
        self.work.pay(12)?;
        match expr {
            Expr::Number(number) => Ok(Fraction::constant(number.value.clone())),
            Expr::Symbol(name) => match setting.bound.iter().rev().find(|(bound, _)| bound == name) {
                Some((_, value)) => Ok(Fraction::constant(value.clone())),
                None => self.single(Atom::Variable(name.clone())),
            },
            Expr::Constant(Constant::Pi) => self.single(Atom::Pi),
            Expr::Constant(Constant::E) => self.single(Atom::E),
            Expr::Constant(Constant::I) => self.imaginary(),
            Expr::Constant(Constant::Infinity) | Expr::PlusMinus(_) | Expr::MinusPlus(_) => Err(Stop::Unknown),
            Expr::Sum(parts) => {
                let mut sum = Fraction::integer(0);
                for part in parts {
                    let part = self.convert(part, setting)?;
                    sum = self.add(&sum, &part)?;
                }
                Ok(sum)
            }
            Expr::Product(parts) => {
                let mut product = Fraction::integer(1);
                for part in parts {
                    let part = self.convert(part, setting)?;
                    product = self.multiply(&product, &part)?;
                }
                Ok(product)
            }
            Expr::Quotient(top, bottom) => {
                let top = self.convert(top, setting)?;
                let bottom = self.convert(bottom, setting)?;
                self.divide(&top, &bottom)
            }
            Expr::Negative(inside) => Ok(self.convert(inside, setting)?.negated()),
            Expr::Power(base, exponent) => {
                let base = self.convert(base, setting)?;
                let exponent = self.convert(exponent, setting)?;
                self.power(&base, &exponent)
            }
            Expr::Root { degree, radicand } => {
                let degree = self.convert(degree, setting)?;
                let radicand = self.convert(radicand, setting)?;
                let exponent = self.divide(&Fraction::integer(1), &degree)?;
                self.power(&radicand, &exponent)
            }
            Expr::Apply(function, arguments) => self.apply(function, arguments, setting),
            Expr::Series { product, index, low, high, body } => self.series(expr, (*product, index, body), (low, high), setting),
        }
    }

    fn series(
        &mut self,
        whole: &Expr,
        (product, index, body): (bool, &str, &Expr),
        (low, high): (&Expr, &Expr),
        setting: &Setting,
    ) -> Result<Fraction, Stop> {
        let low = self.convert(low, setting)?;
        let ends = match self.convert(high, setting) {
            Ok(high) => low.as_constant().zip(high.as_constant()),
            Err(Stop::Unknown) => None,
            Err(stop) => return Err(stop),
        };
        let Some((low, high)) = ends else {
            return if setting.bound.is_empty() { self.single(Atom::Opaque(whole.clone())) } else { Err(Stop::Unknown) };
        };
        let (low, high) = small_integer(&low).zip(small_integer(&high)).ok_or(Stop::TooBig)?;
        if high.saturating_sub(low) >= MAX_SERIES {
            return Err(Stop::TooBig);
        }
        let mut inner = setting.clone();
        let mut total = Fraction::integer(i64::from(product));
        for value in low..=high {
            inner.bound.push((index.to_owned(), RBig::from(value)));
            let part = self.convert(body, &inner)?;
            inner.bound.pop();
            total = if product { self.multiply(&total, &part)? } else { self.add(&total, &part)? };
        }
        Ok(total)
    }

    fn apply(&mut self, function: &Function, arguments: &[Expr], setting: &Setting) -> Result<Fraction, Stop> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.convert(argument, setting)?);
        }
        self.applied(function, &values, setting)
    }

    /// Real and imaginary part of a number in which nothing but i is not real.
    pub(super) fn real_and_imaginary(&mut self, value: &Fraction) -> Result<Option<(Fraction, Fraction)>, Stop> {
        let i = self.intern(Atom::Imaginary)?;
        let real = |algebra: &Self, id| matches!(algebra.atom(id), Atom::Base { .. } | Atom::Pi | Atom::E | Atom::Imaginary);
        let mut terms = value.top.terms().iter().chain(value.bottom.terms()).flat_map(|(monomial, _)| monomial);
        if !terms.all(|&(id, _)| real(self, id)) {
            return Ok(None);
        }
        // Make the lower part real first: a/b = a b̄ / (b b̄).
        let (top, bottom) = if value.bottom.mentions(i) {
            let mirrored = self.conjugated(&Fraction::whole(value.bottom.clone()))?.top;
            (self.multiply_polys(&value.top, &mirrored)?, self.multiply_polys(&value.bottom, &mirrored)?)
        } else {
            (value.top.clone(), value.bottom.clone())
        };
        let (mut re, mut im) = (Vec::new(), Vec::new());
        for (mut monomial, coefficient) in top.into_terms() {
            match monomial.iter().position(|&(id, _)| id == i) {
                Some(at) => {
                    monomial.remove(at);
                    im.push((monomial, coefficient));
                }
                None => re.push((monomial, coefficient)),
            }
        }
        let bottom = Fraction::whole(bottom);
        let re = self.divide(&Fraction::whole(super::poly::Poly::collect(re)), &bottom)?;
        let im = self.divide(&Fraction::whole(super::poly::Poly::collect(im)), &bottom)?;
        Ok(Some((re, im)))
    }

    /// The value with i turned into -i.
    pub(super) fn conjugated(&mut self, value: &Fraction) -> Result<Fraction, Stop> {
        let i = self.intern(Atom::Imaginary)?;
        let turn = |poly: &super::poly::Poly| {
            let mut terms = poly.clone().into_terms();
            for (monomial, coefficient) in &mut terms {
                if monomial.iter().any(|&(id, _)| id == i) {
                    *coefficient = -std::mem::take(coefficient);
                }
            }
            super::poly::Poly::collect(terms)
        };
        Ok(Fraction { top: turn(&value.top), bottom: turn(&value.bottom) })
    }

    /// Multiplies by -1 if the first coefficient is negative; says whether it did.
    pub(super) fn with_positive_lead(value: &Fraction) -> (Fraction, bool) {
        let negative = value.top.terms().last().is_some_and(|(_, coefficient)| coefficient.sign() == Sign::Negative);
        if negative { (value.clone().negated(), true) } else { (value.clone(), false) }
    }

    /// The number as a fraction of π, if it is one.
    pub(super) fn part_of_pi(&self, value: &Fraction) -> Option<Exponent> {
        if value.top.is_zero() {
            return Some(Exponent::integer(0));
        }
        let (monomial, coefficient) = value.as_term()?;
        match monomial.as_slice() {
            [(id, exponent)] if *exponent == Exponent::ONE && *self.atom(*id) == Atom::Pi => super::poly::small_fraction(coefficient),
            _ => None,
        }
    }
}
