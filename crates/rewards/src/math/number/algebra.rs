//! Canonical forms: every expression becomes a quotient of sums of monomials in atoms.
//!
//! Atoms are variables, π, e, i, the prime bases of radicals, and whatever else has no simpler form (sines, roots of sums). Powers of
//! atoms have fractional exponents, so √2·√3 and √6 are one monomial, 2^½·3^½. Products of radicals of primes with exponents in
//! [0, 1) are linearly independent over the rationals (Besicovitch, "On the linear independence of fractional powers of integers",
//! J. London Math. Soc. 15, 1940), so a sum of them is zero only if all its coefficients are.

use dashu_int::UBig;
use dashu_ratio::RBig;

use super::Stop;
use super::exponent::Exponent;
use super::poly::{AtomId, Fraction, Monomial, Poly, bits, words};
use crate::math::answer::{Expr, Function};
use crate::math::work::Work;

/// Longest coefficient, in bits. About 6,000 decimal digits: more is a trap, not an answer.
pub(super) const MAX_BITS: u64 = 20_000;
/// Most terms of a sum.
const MAX_TERMS: usize = 3_000;
/// Atoms of one comparison.
const MAX_ATOMS: usize = 400;

/// What monomials are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Atom {
    /// A positive integer under a root, or in a power too big to write out.
    Base {
        /// The integer, at least 2.
        value: UBig,
        /// It is known to be prime.
        prime: bool,
    },
    /// i, with exponents 0 and 1.
    Imaginary,
    Pi,
    E,
    Variable(String),
    /// A sum under a root; whole powers of it are written out.
    Compound(Fraction),
    /// A power with an exponent that is no number.
    Power(Fraction, Fraction),
    Apply(Function, Vec<Fraction>),
    /// Something that only equals itself.
    Opaque(Expr),
}

/// The atoms of one comparison, so that both sides speak of the same, and its arithmetic.
#[derive(Debug)]
pub(crate) struct Algebra<'w> {
    atoms: Vec<Atom>,
    pub(crate) work: &'w mut Work,
}

impl<'w> Algebra<'w> {
    pub(crate) fn new(work: &'w mut Work) -> Self {
        Self { atoms: Vec::new(), work }
    }

    pub(crate) fn atom(&self, id: AtomId) -> &Atom {
        &self.atoms[id as usize]
    }

    /// The number of this atom; atoms that are equal as values get the same one where cross-multiplication shows it.
    pub(super) fn intern(&mut self, atom: Atom) -> Result<AtomId, Stop> {
        for id in 0..self.atoms.len() {
            self.work.pay(2)?;
            if self.atoms[id] == atom || self.same_atom(id, &atom)? {
                return Ok(id as AtomId);
            }
        }
        if self.atoms.len() == MAX_ATOMS {
            return Err(Stop::TooBig);
        }
        self.atoms.push(atom);
        Ok((self.atoms.len() - 1) as AtomId)
    }

    fn same_atom(&mut self, id: usize, atom: &Atom) -> Result<bool, Stop> {
        let pairs: Vec<(Fraction, Fraction)> = match (&self.atoms[id], atom) {
            (Atom::Compound(a), Atom::Compound(b)) => vec![(a.clone(), b.clone())],
            (Atom::Power(a, m), Atom::Power(b, n)) => vec![(a.clone(), b.clone()), (m.clone(), n.clone())],
            (Atom::Apply(f, a), Atom::Apply(g, b)) if f == g && a.len() == b.len() => a.iter().cloned().zip(b.iter().cloned()).collect(),
            _ => return Ok(false),
        };
        for (a, b) in &pairs {
            if !self.difference(a, b)?.is_zero() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An atom to the first power.
    pub(super) fn single(&mut self, atom: Atom) -> Result<Fraction, Stop> {
        self.power_of_atom(atom, Exponent::ONE)
    }

    pub(super) fn power_of_atom(&mut self, atom: Atom, exponent: Exponent) -> Result<Fraction, Stop> {
        let id = self.intern(atom)?;
        Ok(Fraction::whole(self.reduce(vec![(id, exponent)], RBig::ONE)?))
    }

    pub(super) fn imaginary(&mut self) -> Result<Fraction, Stop> {
        self.single(Atom::Imaginary)
    }

    /// The upper part of `a - b` over a common denominator: zero exactly if the canonical forms agree.
    pub(crate) fn difference(&mut self, a: &Fraction, b: &Fraction) -> Result<Poly, Stop> {
        if a.bottom == b.bottom {
            return self.add_polys(&a.top, &b.top.clone().negated());
        }
        let left = self.multiply_polys(&a.top, &b.bottom)?;
        let right = self.multiply_polys(&b.top, &a.bottom)?;
        self.add_polys(&left, &right.negated())
    }

    pub(crate) fn add(&mut self, a: &Fraction, b: &Fraction) -> Result<Fraction, Stop> {
        if a.bottom == b.bottom {
            let top = self.add_polys(&a.top, &b.top)?;
            return Ok(Fraction { top, bottom: a.bottom.clone() });
        }
        let left = self.multiply_polys(&a.top, &b.bottom)?;
        let right = self.multiply_polys(&b.top, &a.bottom)?;
        let top = self.add_polys(&left, &right)?;
        let bottom = self.multiply_polys(&a.bottom, &b.bottom)?;
        self.quotient(top, bottom)
    }

    pub(crate) fn multiply(&mut self, a: &Fraction, b: &Fraction) -> Result<Fraction, Stop> {
        let top = self.multiply_polys(&a.top, &b.top)?;
        if a.is_whole() && b.is_whole() {
            return Ok(Fraction::whole(top));
        }
        let bottom = self.multiply_polys(&a.bottom, &b.bottom)?;
        self.quotient(top, bottom)
    }

    pub(crate) fn divide(&mut self, a: &Fraction, b: &Fraction) -> Result<Fraction, Stop> {
        if b.top.is_zero() {
            return Err(Stop::Undefined);
        }
        let top = self.multiply_polys(&a.top, &b.bottom)?;
        let bottom = self.multiply_polys(&a.bottom, &b.top)?;
        self.quotient(top, bottom)
    }

    /// A quotient whose lower part is 1 if it was one term of simple atoms.
    fn quotient(&mut self, top: Poly, bottom: Poly) -> Result<Fraction, Stop> {
        if bottom.is_zero() {
            return Err(Stop::Undefined);
        }
        if top.is_zero() || top == bottom {
            return Ok(Fraction::integer(i64::from(!top.is_zero())));
        }
        let [(monomial, coefficient)] = bottom.terms() else {
            return Ok(Fraction { top, bottom });
        };
        if monomial.iter().any(|&(id, _)| matches!(self.atom(id), Atom::Compound(_))) {
            return Ok(Fraction { top, bottom });
        }
        let mut inverse = Monomial::with_capacity(monomial.len());
        for &(id, exponent) in monomial {
            inverse.push((id, exponent.checked_mul(Exponent::integer(-1)).ok_or(Stop::TooBig)?));
        }
        self.work.pay(words(coefficient))?;
        let inverse = self.reduce(inverse, RBig::ONE / coefficient)?;
        Ok(Fraction::whole(self.multiply_polys(&top, &inverse)?))
    }

    pub(super) fn add_polys(&mut self, a: &Poly, b: &Poly) -> Result<Poly, Stop> {
        if a.is_zero() || b.is_zero() {
            return Ok(if a.is_zero() { b.clone() } else { a.clone() });
        }
        self.work.pay(20 + 10 * (a.size() + b.size()))?;
        let sum = Poly::collect(a.terms().iter().chain(b.terms()).cloned().collect());
        if sum.terms().len() > MAX_TERMS { Err(Stop::TooBig) } else { Ok(sum) }
    }

    pub(super) fn multiply_polys(&mut self, a: &Poly, b: &Poly) -> Result<Poly, Stop> {
        for (one, other) in [(a, b), (b, a)] {
            if let Some(factor) = one.as_constant() {
                self.work.pay(20 + other.terms().len() as u64 * 8 * words(&factor) + other.size() * words(&factor))?;
                return Ok(other.clone().scaled(&factor));
            }
        }
        let products = a.terms().len().saturating_mul(b.terms().len());
        if products > 20 * MAX_TERMS {
            return Err(Stop::TooBig);
        }
        let mut terms = Vec::with_capacity(products);
        for (left, c) in a.terms() {
            for (right, d) in b.terms() {
                self.work.pay(40 + 8 * words(c) * words(d))?;
                let merged = merge(left, right).ok_or(Stop::TooBig)?;
                terms.extend(self.reduce(merged, c * d)?.into_terms());
            }
        }
        let product = Poly::collect(terms);
        if product.terms().len() > MAX_TERMS { Err(Stop::TooBig) } else { Ok(product) }
    }

    /// Brings exponents into their canonical range: primes to [0, 1), i to {0, 1}, whole powers of sums are written out.
    pub(super) fn reduce(&mut self, monomial: Monomial, mut coefficient: RBig) -> Result<Poly, Stop> {
        if bits(&coefficient) > MAX_BITS {
            return Err(Stop::TooBig);
        }
        let mut kept = Monomial::with_capacity(monomial.len());
        let mut written_out: Option<Poly> = None;
        for (id, exponent) in monomial {
            let whole = exponent.floor();
            let mut left = exponent;
            match self.atom(id) {
                Atom::Base { value, .. } if whole != 0 => {
                    let (value, size) = (value.clone(), words(&RBig::from(value.clone())));
                    if bits_of_power(&value, whole) <= MAX_BITS {
                        self.work.pay(size * whole.unsigned_abs())?;
                        coefficient *= RBig::from(value).pow(whole as isize);
                        left = exponent.checked_add(Exponent::integer(-whole)).ok_or(Stop::TooBig)?;
                    }
                }
                Atom::Imaginary => {
                    let turns = exponent.whole().ok_or(Stop::Unknown)?.rem_euclid(4);
                    if turns >= 2 {
                        coefficient = -coefficient;
                    }
                    left = Exponent::integer(turns % 2);
                }
                Atom::Compound(inside) if whole >= 1 && inside.is_whole() => {
                    let inside = inside.top.clone();
                    left = exponent.checked_add(Exponent::integer(-whole)).ok_or(Stop::TooBig)?;
                    let power = self.power_of_poly(&inside, whole)?;
                    written_out = Some(match written_out {
                        Some(before) => self.multiply_polys(&before, &power)?,
                        None => power,
                    });
                }
                _ => {}
            }
            if !left.is_zero() {
                kept.push((id, left));
            }
        }
        let term = Poly::term(kept, coefficient);
        match written_out {
            Some(factor) => self.multiply_polys(&term, &factor),
            None => Ok(term),
        }
    }

    /// A sum to a whole power of at least 1, by repeated squaring.
    pub(super) fn power_of_poly(&mut self, base: &Poly, exponent: i64) -> Result<Poly, Stop> {
        if let Some(value) = base.as_constant() {
            if bits(&value).saturating_mul(exponent.unsigned_abs()) > MAX_BITS {
                return Err(Stop::TooBig);
            }
            self.work.pay(4 + words(&value) * exponent.unsigned_abs())?;
            return Ok(Poly::constant(value.pow(exponent as isize)));
        }
        let mut result = Poly::constant(RBig::ONE);
        let mut square = base.clone();
        let mut left = exponent;
        while left > 0 {
            if left & 1 == 1 {
                result = self.multiply_polys(&result, &square)?;
            }
            left >>= 1;
            if left > 0 {
                square = self.multiply_polys(&square, &square)?;
            }
        }
        Ok(result)
    }

    /// Whether a sum that is not empty is proven not to vanish: its atoms are known to be independent.
    ///
    /// Radicals of primes and i are (see the module); variables stand for themselves; π or e, one of them, is transcendental over
    /// all of these. That π and e are independent of each other is not known, so both together prove nothing.
    pub(crate) fn is_surely_nonzero(&self, poly: &Poly) -> bool {
        let (mut pi, mut e) = (false, false);
        let known = poly.terms().iter().flat_map(|(monomial, _)| monomial).all(|&(id, _)| match self.atom(id) {
            Atom::Base { prime, .. } => *prime,
            Atom::Imaginary | Atom::Variable(_) => true,
            Atom::Pi => {
                pi = true;
                true
            }
            Atom::E => {
                e = true;
                true
            }
            _ => false,
        });
        known && !poly.is_zero() && !(pi && e)
    }

    /// Whether no atom but numbers and i occurs: the value is an algebraic number with an exact canonical form.
    pub(crate) fn is_algebraic_number(&self, fraction: &Fraction) -> bool {
        let terms = fraction.top.terms().iter().chain(fraction.bottom.terms());
        terms.flat_map(|(monomial, _)| monomial).all(|&(id, _)| matches!(self.atom(id), Atom::Base { .. } | Atom::Imaginary))
    }

    /// Whether this atom, or anything inside it, depends on a variable.
    pub(crate) fn depends_on_variables(&self, id: AtomId) -> bool {
        let inside = |fraction: &Fraction| {
            let terms = fraction.top.terms().iter().chain(fraction.bottom.terms());
            terms.flat_map(|(monomial, _)| monomial).any(|&(inner, _)| self.depends_on_variables(inner))
        };
        match self.atom(id) {
            Atom::Variable(_) | Atom::Opaque(_) => true,
            Atom::Base { .. } | Atom::Imaginary | Atom::Pi | Atom::E => false,
            Atom::Compound(a) => inside(a),
            Atom::Power(a, b) => inside(a) || inside(b),
            Atom::Apply(_, arguments) => arguments.iter().any(inside),
        }
    }
}

/// Bits of `value^exponent`, nearly.
fn bits_of_power(value: &UBig, exponent: i64) -> u64 {
    bits(&RBig::from(value.clone())).saturating_mul(exponent.unsigned_abs())
}

/// The product of two monomials before reduction.
fn merge(a: &Monomial, b: &Monomial) -> Option<Monomial> {
    let mut merged = Monomial::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        match a[i].0.cmp(&b[j].0) {
            std::cmp::Ordering::Less => {
                merged.push(a[i]);
                i += 1;
            }
            std::cmp::Ordering::Greater => {
                merged.push(b[j]);
                j += 1;
            }
            std::cmp::Ordering::Equal => {
                let sum = a[i].1.checked_add(b[j].1)?;
                if !sum.is_zero() {
                    merged.push((a[i].0, sum));
                }
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    merged.extend_from_slice(&a[i..]);
    merged.extend_from_slice(&b[j..]);
    Some(merged)
}
