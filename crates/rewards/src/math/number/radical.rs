//! Powers with rational exponents: roots of numbers, of monomials and of sums.

use dashu_base::BitTest;
use dashu_int::UBig;
use dashu_ratio::RBig;

use super::Stop;
use super::algebra::{Algebra, Atom, MAX_BITS};
use super::exponent::Exponent;
use super::poly::{AtomId, Fraction, Monomial, Poly, bits, small_fraction, words};

/// Trial division stops here; what is left below its square is prime.
const LARGEST_TRIAL: u64 = 1_000;

impl Algebra<'_> {
    /// `base^exponent`. Odd roots of negative numbers are real, even ones principal; roots of expressions in variables are those of
    /// their real domain.
    pub(super) fn rational_power(&mut self, base: &Fraction, exponent: Exponent) -> Result<Fraction, Stop> {
        if exponent.is_zero() {
            return Ok(Fraction::integer(1));
        }
        if base.top.is_zero() {
            return if exponent.top() > 0 { Ok(base.clone()) } else { Err(Stop::Undefined) };
        }
        if let Some(whole) = exponent.whole() {
            return self.whole_power(base, whole);
        }
        if exponent.top() < 0 {
            let positive = exponent.checked_mul(Exponent::integer(-1)).ok_or(Stop::TooBig)?;
            let root = self.rational_power(base, positive)?;
            return self.divide(&Fraction::integer(1), &root);
        }
        if let Some((monomial, coefficient)) = base.as_term().cloned() {
            return self.root_of_term(&monomial, &coefficient, exponent);
        }
        if !base.is_whole() {
            return self.power_of_atom(Atom::Compound(base.clone()), exponent);
        }
        if exponent.bottom() == 2
            && let Some(root) = self.denested(&base.top)?
        {
            return self.whole_power(&root, exponent.top());
        }
        let (content, primitive) = self.without_content(&base.top)?;
        let outside = self.root_of_term(&Monomial::new(), &content, exponent)?;
        let inside = self.power_of_atom(Atom::Compound(Fraction::whole(primitive)), exponent)?;
        self.multiply(&outside, &inside)
    }

    fn whole_power(&mut self, base: &Fraction, exponent: i64) -> Result<Fraction, Stop> {
        if exponent == 1 {
            return Ok(base.clone());
        }
        let size = exponent.unsigned_abs();
        if let Some((monomial, coefficient)) = base.as_term().cloned() {
            let power = Exponent::integer(exponent);
            let mut raised = Monomial::with_capacity(monomial.len());
            for (id, own) in monomial {
                raised.push((id, own.checked_mul(power).ok_or(Stop::TooBig)?));
            }
            if bits(&coefficient).saturating_mul(size) > MAX_BITS {
                let number = self.huge_power(&coefficient, power)?;
                let rest = Fraction::whole(self.reduce(raised, RBig::ONE)?);
                return self.multiply(&number, &rest);
            }
            self.work.pay(4 + words(&coefficient) * size)?;
            return Ok(Fraction::whole(self.reduce(raised, coefficient.pow(exponent as isize))?));
        }
        if size > 1_000 {
            return Err(Stop::TooBig);
        }
        let top = self.power_of_poly(&base.top, size as i64)?;
        let bottom = self.power_of_poly(&base.bottom, size as i64)?;
        let (top, bottom) = if exponent > 0 { (top, bottom) } else { (bottom, top) };
        self.divide(&Fraction::whole(top), &Fraction::whole(bottom))
    }

    /// A number to a power that is too big to write out stays a product of powers of primes.
    fn huge_power(&mut self, value: &RBig, exponent: Exponent) -> Result<Fraction, Stop> {
        let magnitude = if value.numerator().sign() == dashu_base::Sign::Negative { -value.clone() } else { value.clone() };
        let odd = exponent.top() % 2 != 0;
        let result = self.positive_power(&magnitude, exponent)?;
        Ok(if magnitude != *value && odd { result.negated() } else { result })
    }

    /// `value^exponent` for a positive number, as powers of primes.
    fn positive_power(&mut self, value: &RBig, exponent: Exponent) -> Result<Fraction, Stop> {
        let numerator = UBig::try_from(value.numerator().clone()).map_err(|_| Stop::Unknown)?;
        let mut monomial = Monomial::new();
        for (number, sign) in [(&numerator, 1), (value.denominator(), -1)] {
            for (base, multiplicity, prime) in self.factors(number)? {
                let id = self.intern(Atom::Base { value: base, prime })?;
                let own = exponent.checked_mul(Exponent::integer(sign * multiplicity)).ok_or(Stop::TooBig)?;
                monomial.push((id, own));
            }
        }
        monomial.sort_unstable();
        // A base that trial division leaves in both halves would stand twice; they have no common factor, so it cannot.
        Ok(Fraction::whole(self.reduce(monomial, RBig::ONE)?))
    }

    /// A positive fractional power of one term.
    fn root_of_term(&mut self, monomial: &Monomial, coefficient: &RBig, exponent: Exponent) -> Result<Fraction, Stop> {
        let odd_root = exponent.bottom() % 2 == 1;
        let (positive, others): (Monomial, Monomial) = monomial.iter().copied().partition(|&(id, _)| self.is_positive(id));
        let negative = coefficient.numerator().sign() == dashu_base::Sign::Negative;
        let magnitude = if negative { -coefficient.clone() } else { coefficient.clone() };
        let mut root = self.positive_power(&magnitude, exponent)?;
        let mut raised = Monomial::with_capacity(positive.len());
        for (id, own) in positive {
            raised.push((id, own.checked_mul(exponent).ok_or(Stop::TooBig)?));
        }
        let raised = Fraction::whole(self.reduce(raised, RBig::ONE)?);
        root = self.multiply(&root, &raised)?;
        if negative && odd_root {
            if exponent.top() % 2 != 0 {
                root = root.negated();
            }
        } else if negative && exponent.bottom() == 2 && others.is_empty() {
            let i = self.imaginary()?;
            let turned = self.whole_power(&i, exponent.top())?;
            return self.multiply(&root, &turned);
        }
        let sign = if negative && !odd_root { RBig::NEG_ONE } else { RBig::ONE };
        if others.is_empty() && sign.is_one() {
            return Ok(root);
        }
        // √(x³) is x^(3/2) wherever it is real; √(x²) is |x| and stays as it is.
        if let [(id, own)] = others.as_slice()
            && sign.is_one()
            && !matches!(self.atom(*id), Atom::Imaginary | Atom::Compound(_))
            && (odd_root || own.top() % 2 != 0)
        {
            let power = own.checked_mul(exponent).ok_or(Stop::TooBig)?;
            let rest = Fraction::whole(self.reduce(vec![(*id, power)], RBig::ONE)?);
            return self.multiply(&root, &rest);
        }
        let inside = Fraction::whole(Poly::term(others, sign));
        let rest = self.power_of_atom(Atom::Compound(inside), exponent)?;
        self.multiply(&root, &rest)
    }

    /// Whether powers of it multiply like powers of a positive number.
    fn is_positive(&self, id: AtomId) -> bool {
        match self.atom(id) {
            Atom::Base { .. } | Atom::Pi | Atom::E => true,
            Atom::Power(base, exponent) => {
                let real = !exponent.top.terms().iter().any(|(m, _)| m.iter().any(|&(a, _)| *self.atom(a) == Atom::Imaginary));
                real && match base.as_term() {
                    Some((monomial, c)) => {
                        c.numerator().sign() == dashu_base::Sign::Positive && monomial.iter().all(|&(a, _)| self.is_positive(a))
                    }
                    None => false,
                }
            }
            _ => false,
        }
    }

    /// √(a + t) as a sum of two roots, where a is rational and t² too: √(a ± √c) = √((a+s)/2) ± √((a−s)/2) with s² = a² − c.
    fn denested(&mut self, inside: &Poly) -> Result<Option<Fraction>, Stop> {
        let [(first, a), (monomial, b)] = inside.terms() else { return Ok(None) };
        if !first.is_empty() || a.numerator().sign() == dashu_base::Sign::Negative {
            return Ok(None);
        }
        let part = Poly::term(monomial.clone(), b.clone());
        let Some(square) = self.multiply_polys(&part, &part)?.as_constant() else { return Ok(None) };
        let Some(s) = self.rational_square_root(&(a * a - &square))? else { return Ok(None) };
        let two = RBig::from(2);
        let half = Exponent::new(1, 2).ok_or(Stop::TooBig)?;
        // For a complex number (t² < 0) the second root is that of a negative number: i times a real one.
        let left = self.root_of_term(&Monomial::new(), &((a + &s) / &two), half)?;
        let low = (a - &s) / &two;
        let right = if low.is_zero() { Fraction::integer(0) } else { self.root_of_term(&Monomial::new(), &low, half)? };
        let right = if b.numerator().sign() == dashu_base::Sign::Negative { right.negated() } else { right };
        Ok(Some(self.add(&left, &right)?))
    }

    pub(super) fn rational_square_root(&mut self, value: &RBig) -> Result<Option<RBig>, Stop> {
        if value.numerator().sign() == dashu_base::Sign::Negative {
            return Ok(None);
        }
        self.work.pay(4 + words(value) * words(value))?;
        let Ok(numerator) = UBig::try_from(value.numerator().clone()) else { return Ok(None) };
        let (top, bottom) = (exact_root(&numerator, 2), exact_root(value.denominator(), 2));
        Ok(top.zip(bottom).map(|(top, bottom)| RBig::from_parts(top.into(), bottom)))
    }

    /// Takes the common rational factor out of a sum; it is positive.
    fn without_content(&mut self, poly: &Poly) -> Result<(RBig, Poly), Stop> {
        use dashu_base::{Gcd, UnsignedAbs};
        let mut top = UBig::ZERO;
        let mut bottom = UBig::ONE;
        for (_, coefficient) in poly.terms() {
            self.work.pay(8 * words(coefficient) * words(coefficient))?;
            let numerator = coefficient.numerator().clone().unsigned_abs();
            top = if top.is_zero() { numerator } else { top.gcd(numerator) };
            let common = (&bottom).gcd(coefficient.denominator());
            bottom = bottom / common * coefficient.denominator();
            if bottom.bit_len() as u64 > MAX_BITS {
                return Err(Stop::TooBig);
            }
        }
        let content = RBig::from_parts(top.into(), bottom);
        let inverse = RBig::ONE / &content;
        Ok((content, poly.clone().scaled(&inverse)))
    }

    /// Factors of a positive integer with multiplicities, smallest first, and whether each is known to be prime.
    pub(super) fn factors(&mut self, number: &UBig) -> Result<Vec<(UBig, i64, bool)>, Stop> {
        let mut factors = Vec::new();
        let mut rest = number.clone();
        let mut divisor = 2_u64;
        while divisor <= LARGEST_TRIAL && !rest.is_one() {
            if let Ok(small) = u64::try_from(&rest) {
                self.factors_of_small(small, divisor, &mut factors)?;
                return Ok(factors);
            }
            self.work.pay(1 + rest.bit_len() as u64 / 64)?;
            let mut multiplicity = 0;
            while (&rest % divisor) == 0 {
                self.work.pay(4 + rest.bit_len() as u64 / 32)?;
                rest /= divisor;
                multiplicity += 1;
            }
            if multiplicity > 0 {
                factors.push((UBig::from(divisor), multiplicity, true));
            }
            divisor += if divisor == 2 { 1 } else { 2 };
        }
        if !rest.is_one() {
            self.leftover(rest, &mut factors)?;
        }
        Ok(factors)
    }

    fn factors_of_small(&mut self, mut rest: u64, from: u64, factors: &mut Vec<(UBig, i64, bool)>) -> Result<(), Stop> {
        let mut divisor = from;
        while divisor <= LARGEST_TRIAL && divisor * divisor <= rest {
            self.work.pay(1)?;
            let mut multiplicity = 0;
            while rest.is_multiple_of(divisor) {
                rest /= divisor;
                multiplicity += 1;
            }
            if multiplicity > 0 {
                factors.push((UBig::from(divisor), multiplicity, true));
            }
            divisor += if divisor == 2 { 1 } else { 2 };
        }
        if rest > 1 {
            if divisor * divisor > rest {
                factors.push((UBig::from(rest), 1, true));
            } else {
                self.leftover(UBig::from(rest), factors)?;
            }
        }
        Ok(())
    }

    /// A number without small factors: a perfect power of something, or taken as it is.
    fn leftover(&mut self, rest: UBig, factors: &mut Vec<(UBig, i64, bool)>) -> Result<(), Stop> {
        let size = rest.bit_len() as u64 / 64 + 1;
        if size > 64 {
            return Err(Stop::TooBig);
        }
        let is_prime = |value: &UBig| *value < UBig::from((LARGEST_TRIAL + 1) * (LARGEST_TRIAL + 1));
        for degree in [2_i64, 3, 5] {
            self.work.pay(50 + size * size * 8)?;
            if let Some(root) = exact_root(&rest, degree as usize) {
                let prime = is_prime(&root);
                factors.push((root, degree, prime));
                return Ok(());
            }
        }
        let prime = is_prime(&rest);
        factors.push((rest, 1, prime));
        Ok(())
    }

    /// `base^exponent` in full generality.
    pub(super) fn power(&mut self, base: &Fraction, exponent: &Fraction) -> Result<Fraction, Stop> {
        if let Some(value) = exponent.as_constant() {
            return match small_fraction(&value) {
                Some(exponent) => self.rational_power(base, exponent),
                None => self.single(Atom::Power(base.clone(), exponent.clone())),
            };
        }
        let splits = exponent.is_whole()
            && base.as_term().is_some_and(|(monomial, c)| {
                c.numerator().sign() == dashu_base::Sign::Positive && monomial.iter().all(|&(id, _)| self.is_positive(id))
            });
        let Some((monomial, coefficient)) = base.as_term().cloned().filter(|_| splits) else {
            return self.single(Atom::Power(base.clone(), exponent.clone()));
        };
        // A product of positive bases to a sum: each base to each term on its own.
        let numerator = UBig::try_from(coefficient.numerator().clone()).map_err(|_| Stop::Unknown)?;
        let mut bases: Vec<(Atom, Exponent)> = Vec::new();
        for (number, sign) in [(&numerator, 1), (coefficient.denominator(), -1)] {
            for (value, multiplicity, prime) in self.factors(number)? {
                bases.push((Atom::Base { value, prime }, Exponent::integer(sign * multiplicity)));
            }
        }
        bases.extend(monomial.iter().map(|&(id, own)| (self.atom(id).clone(), own)));
        let mut result = Fraction::integer(1);
        for (atom, own) in bases {
            for (part, factor) in exponent.top.terms() {
                let times = small_fraction(factor).and_then(|factor| factor.checked_mul(own)).ok_or(Stop::TooBig)?;
                let power = self.power_of_base(&atom, part, times)?;
                result = self.multiply(&result, &power)?;
            }
        }
        Ok(result)
    }

    /// `(atom^part)^times` for a positive atom.
    fn power_of_base(&mut self, atom: &Atom, part: &Monomial, times: Exponent) -> Result<Fraction, Stop> {
        if part.is_empty() {
            return self.power_of_atom(atom.clone(), times);
        }
        if *atom == Atom::E {
            if let [(id, own)] = part.as_slice()
                && *own == Exponent::ONE
                && let Atom::Apply(crate::math::answer::Function::Ln, arguments) = self.atom(*id).clone()
                && let [argument] = arguments.as_slice()
            {
                return self.rational_power(argument, times);
            }
            let is = |id: AtomId, what: &Atom| self.atom(id) == what;
            if let [(a, m), (b, n)] = part.as_slice()
                && *m == Exponent::ONE
                && *n == Exponent::ONE
                && (is(*a, &Atom::Imaginary) && is(*b, &Atom::Pi) || is(*a, &Atom::Pi) && is(*b, &Atom::Imaginary))
                && let Some(root) = self.root_of_unity(times)?
            {
                return Ok(root);
            }
        }
        let base = self.single(atom.clone())?;
        let exponent = Fraction::whole(Poly::term(part.clone(), RBig::ONE));
        self.power_of_atom(Atom::Power(base, exponent), times)
    }
}

/// The integer `r` with `r^degree == value`, if there is one.
pub(super) fn exact_root(value: &UBig, degree: usize) -> Option<UBig> {
    let root = value.nth_root(degree);
    (root.pow(degree) == *value).then_some(root)
}
