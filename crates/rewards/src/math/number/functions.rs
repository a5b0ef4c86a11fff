//! Functions of canonical forms: exact values where they are known, atoms otherwise.

use dashu_base::{Gcd, Sign, UnsignedAbs};
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::Stop;
use super::algebra::{Algebra, Atom, MAX_BITS};
use super::convert::Setting;
use super::exponent::Exponent;
use super::poly::{Fraction, bits, ratio, small_integer, words};
use crate::math::answer::Function;

impl Algebra<'_> {
    /// `function(values)`.
    pub(super) fn applied(&mut self, function: &Function, values: &[Fraction], setting: &Setting) -> Result<Fraction, Stop> {
        use Function as F;
        let one = Fraction::integer(1);
        match (function, values) {
            (F::Abs, [x]) => self.absolute(x),
            (F::Floor | F::Ceiling, [x]) => match x.as_constant() {
                Some(value) => {
                    let whole = if *function == F::Floor { value.floor() } else { value.ceil() };
                    Ok(Fraction::constant(whole.into()))
                }
                None => self.kept(function, values),
            },
            (F::Factorial | F::DoubleFactorial, [x]) => match x.as_constant() {
                Some(value) => Ok(Fraction::constant(factorial(self.work, &value, *function == F::DoubleFactorial)?)),
                None => self.kept(function, values),
            },
            (F::Binomial, [n, k]) => self.binomial(n, k),
            (F::Exp, [x]) => {
                let e = self.single(Atom::E)?;
                self.power(&e, x)
            }
            (F::Ln, [x]) => self.natural_log(x),
            (F::Log, [x]) if setting.decimal_log => self.log_to_base(&Fraction::integer(10), x),
            (F::Log, [x]) => self.natural_log(x),
            (F::LogBase, [base, x]) => self.log_to_base(base, x),
            (F::Sin, [x]) => self.sine(x),
            (F::Cos, [x]) => self.cosine(x),
            (F::Tan | F::Cot, [x]) => {
                let (sine, cosine) = (self.sine(x)?, self.cosine(x)?);
                if *function == F::Tan { self.divide(&sine, &cosine) } else { self.divide(&cosine, &sine) }
            }
            (F::Sec, [x]) => {
                let cosine = self.cosine(x)?;
                self.divide(&one, &cosine)
            }
            (F::Csc, [x]) => {
                let sine = self.sine(x)?;
                self.divide(&one, &sine)
            }
            (F::Sinh | F::Cosh | F::Tanh | F::Coth, [x]) => self.hyperbolic(function, x),
            (F::Gcd | F::Lcm | F::Min | F::Max | F::Mod, _) => match values.iter().map(Fraction::as_constant).collect::<Option<Vec<_>>>() {
                Some(numbers) => Ok(Fraction::constant(of_numbers(self.work, function, &numbers)?)),
                None => self.kept(function, values),
            },
            (F::Conjugate | F::Re | F::Im, [x]) => match self.real_and_imaginary(x)? {
                Some((re, im)) => match function {
                    F::Re => Ok(re),
                    F::Im => Ok(im),
                    _ => {
                        let i = self.imaginary()?;
                        let turned = self.multiply(&i, &im)?;
                        self.add(&re, &turned.negated())
                    }
                },
                None => self.kept(function, values),
            },
            _ => self.kept(function, values),
        }
    }

    fn kept(&mut self, function: &Function, values: &[Fraction]) -> Result<Fraction, Stop> {
        self.single(Atom::Apply(function.clone(), values.to_vec()))
    }

    fn absolute(&mut self, x: &Fraction) -> Result<Fraction, Stop> {
        if let Some(value) = x.as_constant() {
            return Ok(Fraction::constant(if value.sign() == Sign::Negative { -value } else { value }));
        }
        if let Some((re, im)) = self.real_and_imaginary(x)?
            && !im.top.is_zero()
        {
            let (a, b) = (self.multiply(&re, &re)?, self.multiply(&im, &im)?);
            let square = self.add(&a, &b)?;
            return self.rational_power(&square, Exponent::new(1, 2).ok_or(Stop::TooBig)?);
        }
        let (x, _) = Self::with_positive_lead(x);
        if let Some((monomial, _)) = x.as_term()
            && monomial.iter().all(|&(id, _)| matches!(self.atom(id), Atom::Base { .. } | Atom::Pi | Atom::E))
        {
            return Ok(x);
        }
        self.kept(&Function::Abs, &[x])
    }

    /// `n (n-1) … (n-k+1) / k!` for small whole k.
    fn binomial(&mut self, n: &Fraction, k: &Fraction) -> Result<Fraction, Stop> {
        let Some(k_value) = k.as_constant().as_ref().and_then(small_integer) else {
            return self.kept(&Function::Binomial, &[n.clone(), k.clone()]);
        };
        let mut k_small = k_value;
        if let Some(n_value) = n.as_constant() {
            // C(n, k) = C(n, n-k) keeps the product short.
            if let Some(n_small) = small_integer(&n_value).filter(|&n| n >= 0) {
                if k_value > n_small {
                    return Ok(Fraction::integer(0));
                }
                k_small = k_value.min(n_small - k_value);
            }
            if k_small.unsigned_abs().saturating_mul(bits(&n_value)) > MAX_BITS {
                return Err(Stop::TooBig);
            }
        } else if k_small > 12 {
            return self.kept(&Function::Binomial, &[n.clone(), k.clone()]);
        }
        if k_small < 0 {
            return Ok(Fraction::integer(0));
        }
        let mut product = Fraction::integer(1);
        for step in 0..k_small {
            let shifted = self.add(n, &Fraction::integer(-step))?;
            let factor = self.multiply(&shifted, &Fraction::constant(ratio(1, step + 1).ok_or(Stop::Undefined)?))?;
            product = self.multiply(&product, &factor)?;
        }
        Ok(product)
    }

    fn log_to_base(&mut self, base: &Fraction, x: &Fraction) -> Result<Fraction, Stop> {
        let (top, bottom) = (self.natural_log(x)?, self.natural_log(base)?);
        self.divide(&top, &bottom)
    }

    /// Products of positive numbers split into logarithms of primes.
    fn natural_log(&mut self, x: &Fraction) -> Result<Fraction, Stop> {
        if x.top.is_zero() {
            return Err(Stop::Undefined);
        }
        let Some((monomial, coefficient)) = x.as_term().cloned() else {
            return self.kept(&Function::Ln, std::slice::from_ref(x));
        };
        let simple = |algebra: &Self| {
            monomial.iter().all(|&(id, _)| match algebra.atom(id) {
                Atom::Base { .. } | Atom::Pi | Atom::E => true,
                Atom::Power(base, _) => algebra.is_plain_e(base),
                _ => false,
            })
        };
        if coefficient.sign() == Sign::Negative || !simple(self) {
            return self.kept(&Function::Ln, std::slice::from_ref(x));
        }
        let mut sum = Fraction::integer(0);
        let numerator = coefficient.numerator().clone().unsigned_abs();
        for (number, sign) in [(&numerator, 1), (coefficient.denominator(), -1)] {
            for (base, multiplicity, _) in self.factors(number)? {
                let log = self.kept(&Function::Ln, &[Fraction::constant(RBig::from(base))])?;
                let part = self.multiply(&log, &Fraction::integer(sign * multiplicity))?;
                sum = self.add(&sum, &part)?;
            }
        }
        for (id, exponent) in monomial {
            let log = match self.atom(id).clone() {
                Atom::E => Fraction::integer(1),
                Atom::Power(_, power) => power,
                Atom::Base { value, .. } => self.kept(&Function::Ln, &[Fraction::constant(RBig::from(value))])?,
                other => {
                    let inside = self.single(other)?;
                    self.kept(&Function::Ln, &[inside])?
                }
            };
            let times = Fraction::constant(ratio(exponent.top(), exponent.bottom()).ok_or(Stop::Undefined)?);
            let part = self.multiply(&log, &times)?;
            sum = self.add(&sum, &part)?;
        }
        Ok(sum)
    }

    fn is_plain_e(&self, fraction: &Fraction) -> bool {
        matches!(fraction.as_term(), Some((monomial, c)) if c.is_one()
            && matches!(monomial.as_slice(), [(id, own)] if *own == Exponent::ONE && *self.atom(*id) == Atom::E))
    }

    fn hyperbolic(&mut self, function: &Function, x: &Fraction) -> Result<Fraction, Stop> {
        let e = self.single(Atom::E)?;
        let up = self.power(&e, x)?;
        let down = self.power(&e, &x.clone().negated())?;
        let half = Fraction::constant(ratio(1, 2).ok_or(Stop::Undefined)?);
        let (plus, minus) = (self.add(&up, &down)?, self.add(&up, &down.negated())?);
        match function {
            Function::Sinh => self.multiply(&minus, &half),
            Function::Cosh => self.multiply(&plus, &half),
            Function::Tanh => self.divide(&minus, &plus),
            _ => self.divide(&plus, &minus),
        }
    }

    fn sine(&mut self, x: &Fraction) -> Result<Fraction, Stop> {
        if let Some(part) = self.part_of_pi(x) {
            let quarter = Exponent::new(1, 2).ok_or(Stop::TooBig)?;
            let shifted = part.checked_mul(Exponent::integer(-1)).and_then(|part| part.checked_add(quarter)).ok_or(Stop::TooBig)?;
            return self.cosine_of_part(shifted);
        }
        let (x, turned) = Self::with_positive_lead(x);
        let sine = self.kept(&Function::Sin, &[x])?;
        Ok(if turned { sine.negated() } else { sine })
    }

    fn cosine(&mut self, x: &Fraction) -> Result<Fraction, Stop> {
        if let Some(part) = self.part_of_pi(x) {
            return self.cosine_of_part(part);
        }
        let (x, _) = Self::with_positive_lead(x);
        self.kept(&Function::Cos, &[x])
    }

    /// cos(π part): an exact value for multiples of π/12 and π/5, else the atom of an angle between 0 and π/2.
    fn cosine_of_part(&mut self, part: Exponent) -> Result<Fraction, Stop> {
        let (top, bottom) = (part.top(), part.bottom());
        let circle = bottom.checked_mul(2).ok_or(Stop::TooBig)?;
        // Into [0, 2), then [0, 1], then [0, 1/2] with a sign.
        let mut top = top.rem_euclid(circle);
        if top > bottom {
            top = circle - top;
        }
        let negative = top.checked_mul(2).ok_or(Stop::TooBig)? > bottom;
        if negative {
            top = bottom - top;
        }
        let angle = Exponent::new(top, bottom).ok_or(Stop::TooBig)?;
        let value = match self.exact_cosine(angle)? {
            Some(value) => value,
            None => {
                let pi = self.single(Atom::Pi)?;
                let argument = self.multiply(&pi, &Fraction::constant(ratio(angle.top(), angle.bottom()).ok_or(Stop::Undefined)?))?;
                self.kept(&Function::Cos, &[argument])?
            }
        };
        Ok(if negative { value.negated() } else { value })
    }

    fn exact_cosine(&mut self, angle: Exponent) -> Result<Option<Fraction>, Stop> {
        // Each value is a sum of c·√n: (numerator of c, denominator of c, n).
        let terms: &[(i64, i64, i64)] = match (angle.top(), angle.bottom()) {
            (0, _) => &[(1, 1, 1)],
            (1, 12) => &[(1, 4, 6), (1, 4, 2)],
            (1, 6) => &[(1, 2, 3)],
            (1, 5) => &[(1, 4, 1), (1, 4, 5)],
            (1, 4) => &[(1, 2, 2)],
            (1, 3) => &[(1, 2, 1)],
            (2, 5) => &[(-1, 4, 1), (1, 4, 5)],
            (5, 12) => &[(1, 4, 6), (-1, 4, 2)],
            (1, 2) => &[],
            _ => return Ok(None),
        };
        let half = Exponent::new(1, 2).ok_or(Stop::TooBig)?;
        let mut sum = Fraction::integer(0);
        for &(top, bottom, radicand) in terms {
            let root = self.rational_power(&Fraction::integer(radicand), half)?;
            let factor = Fraction::constant(ratio(top, bottom).ok_or(Stop::Undefined)?);
            let part = self.multiply(&root, &factor)?;
            sum = self.add(&sum, &part)?;
        }
        Ok(Some(sum))
    }

    /// e^(iπ part), if its cosine and sine are known exactly.
    pub(super) fn root_of_unity(&mut self, part: Exponent) -> Result<Option<Fraction>, Stop> {
        if !matches!(part.bottom(), 1 | 2 | 3 | 4 | 6 | 12) {
            return Ok(None);
        }
        let pi = self.single(Atom::Pi)?;
        let angle = self.multiply(&pi, &Fraction::constant(ratio(part.top(), part.bottom()).ok_or(Stop::Undefined)?))?;
        let (cosine, sine, i) = (self.cosine(&angle)?, self.sine(&angle)?, self.imaginary()?);
        let turned = self.multiply(&sine, &i)?;
        self.add(&cosine, &turned).map(Some)
    }
}

/// `n!` or `n!!` of a whole number that is not negative.
pub(super) fn factorial(work: &mut crate::math::work::Work, value: &RBig, double: bool) -> Result<RBig, Stop> {
    let negative = value.sign() == Sign::Negative;
    if !value.is_int() || negative {
        return Err(Stop::Undefined);
    }
    let n = small_integer(value).ok_or(Stop::TooBig)?;
    // log2 n! is below n log2 n.
    if (n as f64) * (n as f64 + 2.0).log2() > 2.0 * MAX_BITS as f64 {
        return Err(Stop::TooBig);
    }
    let mut product = IBig::ONE;
    let mut factor = n;
    while factor > 1 {
        work.pay(4 + words(&RBig::from(product.clone())))?;
        product *= factor;
        factor -= if double { 2 } else { 1 };
    }
    let product = RBig::from(product);
    if bits(&product) > MAX_BITS { Err(Stop::TooBig) } else { Ok(product) }
}

/// Functions of several exact numbers.
pub(super) fn of_numbers(work: &mut crate::math::work::Work, function: &Function, numbers: &[RBig]) -> Result<RBig, Stop> {
    let cost: u64 = numbers.iter().map(words).sum();
    work.pay(8 + cost * cost)?;
    let integers = || -> Result<Vec<UBig>, Stop> {
        let whole = |value: &RBig| value.is_int().then(|| value.numerator().clone().unsigned_abs()).ok_or(Stop::Undefined);
        numbers.iter().map(whole).collect()
    };
    match (function, numbers) {
        (Function::Min, _) => numbers.iter().min().cloned().ok_or(Stop::Undefined),
        (Function::Max, _) => numbers.iter().max().cloned().ok_or(Stop::Undefined),
        (Function::Mod, [a, b]) => {
            if b.is_zero() {
                return Err(Stop::Undefined);
            }
            let turns = RBig::from((a / b).floor());
            Ok(a - b * turns)
        }
        (Function::Gcd, _) => {
            let mut result = UBig::ZERO;
            for value in integers()? {
                result = if result.is_zero() || value.is_zero() { result + value } else { result.gcd(value) };
            }
            Ok(RBig::from(result))
        }
        (Function::Lcm, _) => {
            let mut result = UBig::ONE;
            for value in integers()? {
                if value.is_zero() {
                    return Ok(RBig::ZERO);
                }
                let common = (&result).gcd(&value);
                result = result / common * value;
                if bits(&RBig::from(result.clone())) > MAX_BITS {
                    return Err(Stop::TooBig);
                }
            }
            Ok(RBig::from(result))
        }
        _ => Err(Stop::Undefined),
    }
}
