//! Sums of monomials over exact rationals, and quotients of two.

use dashu_int::UBig;
use dashu_ratio::RBig;

use super::exponent::Exponent;

/// An atom of the [`Algebra`](super::algebra::Algebra) that made it.
pub(crate) type AtomId = u32;

/// A product of powers of atoms: sorted by atom, no exponent zero. Exponents may be negative and fractional.
pub(crate) type Monomial = Vec<(AtomId, Exponent)>;

/// A sum of monomials with coefficients: sorted by monomial, no coefficient zero, so equal sums are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Poly {
    terms: Vec<(Monomial, RBig)>,
}

impl Poly {
    pub(crate) fn constant(value: RBig) -> Self {
        Self::term(Monomial::new(), value)
    }

    pub(crate) fn term(monomial: Monomial, coefficient: RBig) -> Self {
        if coefficient.is_zero() { Self::default() } else { Self { terms: vec![(monomial, coefficient)] } }
    }

    /// Sorts and merges terms in any order.
    pub(crate) fn collect(mut terms: Vec<(Monomial, RBig)>) -> Self {
        terms.sort_by(|a, b| a.0.cmp(&b.0));
        let mut merged: Vec<(Monomial, RBig)> = Vec::with_capacity(terms.len());
        for (monomial, coefficient) in terms {
            match merged.last_mut() {
                Some(last) if last.0 == monomial => last.1 += coefficient,
                _ => merged.push((monomial, coefficient)),
            }
        }
        merged.retain(|(_, coefficient)| !coefficient.is_zero());
        Self { terms: merged }
    }

    pub(crate) fn terms(&self) -> &[(Monomial, RBig)] {
        &self.terms
    }

    pub(crate) fn into_terms(self) -> Vec<(Monomial, RBig)> {
        self.terms
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.terms.is_empty()
    }

    /// The value if no atom occurs.
    pub(crate) fn as_constant(&self) -> Option<RBig> {
        match self.terms.as_slice() {
            [] => Some(RBig::ZERO),
            [(monomial, value)] if monomial.is_empty() => Some(value.clone()),
            _ => None,
        }
    }

    pub(crate) fn negated(mut self) -> Self {
        for (_, coefficient) in &mut self.terms {
            *coefficient = -std::mem::take(coefficient);
        }
        self
    }

    pub(crate) fn scaled(mut self, factor: &RBig) -> Self {
        if factor.is_zero() {
            return Self::default();
        }
        if !factor.is_one() {
            for (_, coefficient) in &mut self.terms {
                *coefficient *= factor;
            }
        }
        self
    }

    /// Whether any monomial has this atom.
    pub(crate) fn mentions(&self, atom: AtomId) -> bool {
        self.terms.iter().any(|(monomial, _)| monomial.iter().any(|&(id, _)| id == atom))
    }

    /// Words of all numbers together: what an operation on it costs.
    pub(crate) fn size(&self) -> u64 {
        self.terms.iter().map(|(monomial, coefficient)| monomial.len() as u64 + words(coefficient)).sum()
    }
}

/// A quotient. The lower part is never the zero sum; it is 1 wherever a single term could be divided out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fraction {
    pub(crate) top: Poly,
    pub(crate) bottom: Poly,
}

impl Fraction {
    pub(crate) fn constant(value: RBig) -> Self {
        Self::whole(Poly::constant(value))
    }

    pub(crate) fn integer(value: i64) -> Self {
        Self::constant(RBig::from(value))
    }

    pub(crate) fn whole(top: Poly) -> Self {
        Self { top, bottom: Poly::constant(RBig::ONE) }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.bottom.as_constant().is_some_and(|value| value.is_one())
    }

    pub(crate) fn as_constant(&self) -> Option<RBig> {
        if self.is_whole() { self.top.as_constant() } else { None }
    }

    /// Monomial and coefficient if it is one term over 1.
    pub(crate) fn as_term(&self) -> Option<&(Monomial, RBig)> {
        match self.top.terms() {
            [term] if self.is_whole() => Some(term),
            _ => None,
        }
    }

    pub(crate) fn negated(self) -> Self {
        Self { top: self.top.negated(), bottom: self.bottom }
    }
}

/// Machine words of a number.
pub(crate) fn words(value: &RBig) -> u64 {
    1 + bits(value) / 64
}

/// Bits of numerator and denominator together.
pub(crate) fn bits(value: &RBig) -> u64 {
    use dashu_base::BitTest;
    (value.numerator().bit_len() + value.denominator().bit_len()) as u64
}

/// The value as a machine integer, if it is whole and small enough.
pub(crate) fn small_integer(value: &RBig) -> Option<i64> {
    if value.is_int() { i64::try_from(value.numerator()).ok() } else { None }
}

/// The value as an exponent, if numerator and denominator are small enough.
pub(crate) fn small_fraction(value: &RBig) -> Option<Exponent> {
    Exponent::new(i64::try_from(value.numerator()).ok()?, i64::try_from(value.denominator()).ok()?)
}

/// `top / bottom`; `None` for a denominator of zero.
pub(crate) fn ratio(top: i64, bottom: i64) -> Option<RBig> {
    let sign = bottom.signum();
    (bottom != 0).then(|| RBig::from_parts((i128::from(top) * i128::from(sign)).into(), UBig::from(bottom.unsigned_abs())))
}
