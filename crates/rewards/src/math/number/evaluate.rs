//! The value of an expression at a point, as a ball.

use dashu_base::Sign;
use dashu_ratio::RBig;

use super::Stop;
use super::ball::{Ball, Field};
use super::convert::MAX_SERIES;
use super::functions::{factorial, of_numbers};
use super::poly::{bits, ratio, small_integer, words};
use crate::math::answer::{Constant, Expr, Function};

/// Exact values are kept up to this many bits.
const EXACT_BITS: u64 = 4_000;

/// Values of variables, and what a logarithm without a base means.
#[derive(Clone, Debug, Default)]
pub(crate) struct Point {
    pub(crate) values: Vec<(String, RBig)>,
    pub(crate) decimal_log: bool,
}

impl Point {
    fn value(&self, name: &str) -> Option<&RBig> {
        self.values.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value)
    }
}

impl Field<'_> {
    /// The value of `expr` at `point`.
    pub(crate) fn evaluate(&mut self, expr: &Expr, point: &Point) -> Result<Ball, Stop> {
        self.work.pay(10)?;
        match expr {
            Expr::Number(number) => self.number(&number.value),
            Expr::Symbol(name) => match point.value(name) {
                Some(value) => self.number(value),
                None => Err(Stop::Unknown),
            },
            Expr::Constant(Constant::Pi) => Ok(self.pi()),
            Expr::Constant(Constant::E) => {
                let one = self.one();
                self.exp(&one)
            }
            Expr::Constant(Constant::I) => Ok(self.imaginary()),
            Expr::Constant(Constant::Infinity) | Expr::PlusMinus(_) | Expr::MinusPlus(_) => Err(Stop::Unknown),
            Expr::Sum(parts) => {
                let mut sum = self.zero();
                for part in parts {
                    let part = self.evaluate(part, point)?;
                    sum = self.add(&sum, &part)?;
                }
                Ok(sum)
            }
            Expr::Product(parts) => {
                let mut product = self.one();
                for part in parts {
                    let part = self.evaluate(part, point)?;
                    product = self.multiply(&product, &part)?;
                }
                Ok(product)
            }
            Expr::Quotient(top, bottom) => {
                let (top, bottom) = (self.evaluate(top, point)?, self.evaluate(bottom, point)?);
                self.divide(&top, &bottom)
            }
            Expr::Negative(inside) => {
                let inside = self.evaluate(inside, point)?;
                Ok(self.negate(&inside))
            }
            Expr::Power(base, exponent) => self.evaluate_power(base, exponent, point),
            Expr::Root { degree, radicand } => {
                let inside = self.evaluate(radicand, point)?;
                match self.exact(degree, point)?.as_ref().and_then(small_integer) {
                    Some(0) => Err(Stop::Undefined),
                    Some(degree @ 1..=1_000) => self.root(&inside, degree as u32),
                    _ => {
                        let degree = self.evaluate(degree, point)?;
                        let exponent = self.inverse(&degree)?;
                        self.general_power(&inside, &exponent)
                    }
                }
            }
            Expr::Apply(function, arguments) => self.evaluate_function(function, arguments, point),
            Expr::Series { product, index, low, high, body } => {
                let ends = (self.exact(low, point)?, self.exact(high, point)?);
                let (Some(low), Some(high)) = ends else { return Err(Stop::Unknown) };
                let (low, high) = small_integer(&low).zip(small_integer(&high)).ok_or(Stop::TooBig)?;
                if high.saturating_sub(low) >= MAX_SERIES {
                    return Err(Stop::TooBig);
                }
                let mut inner = point.clone();
                let mut total = if *product { self.one() } else { self.zero() };
                for value in low..=high {
                    inner.values.push((index.clone(), RBig::from(value)));
                    let part = self.evaluate(body, &inner)?;
                    inner.values.pop();
                    total = if *product { self.multiply(&total, &part)? } else { self.add(&total, &part)? };
                }
                Ok(total)
            }
        }
    }

    fn evaluate_power(&mut self, base: &Expr, exponent: &Expr, point: &Point) -> Result<Ball, Stop> {
        if let Some(exact) = self.exact(exponent, point)? {
            let base = self.evaluate(base, point)?;
            if exact.is_zero() {
                return Ok(self.one());
            }
            if let Some(whole) = small_integer(&exact) {
                return self.whole_power(&base, whole);
            }
            let numerator = i64::try_from(exact.numerator()).ok();
            let degree = u32::try_from(exact.denominator()).ok();
            if let Some((numerator, degree)) = numerator.zip(degree)
                && (degree <= 1_000 && numerator.abs() <= 100_000)
            {
                let root = self.root(&base, degree)?;
                return self.whole_power(&root, numerator);
            }
            let exponent = self.number(&exact)?;
            return self.general_power(&base, &exponent);
        }
        if *base == Expr::Constant(Constant::E) {
            let exponent = self.evaluate(exponent, point)?;
            return self.exp(&exponent);
        }
        let (base, exponent) = (self.evaluate(base, point)?, self.evaluate(exponent, point)?);
        self.general_power(&base, &exponent)
    }

    /// e^(exponent ln base).
    fn general_power(&mut self, base: &Ball, exponent: &Ball) -> Result<Ball, Stop> {
        let log = self.ln(base)?;
        let product = self.multiply(&log, exponent)?;
        self.exp(&product)
    }

    /// The exact rational value of an expression, if it is small and plainly has one.
    pub(super) fn exact(&mut self, expr: &Expr, point: &Point) -> Result<Option<RBig>, Stop> {
        self.work.pay(4)?;
        let fits = |value: &RBig| bits(value) <= EXACT_BITS;
        let value = match expr {
            Expr::Number(number) => Some(number.value.clone()),
            Expr::Symbol(name) => point.value(name).cloned(),
            Expr::Negative(inside) => self.exact(inside, point)?.map(|value| -value),
            Expr::Sum(parts) | Expr::Product(parts) => {
                let product = matches!(expr, Expr::Product(_));
                let mut total = if product { RBig::ONE } else { RBig::ZERO };
                for part in parts {
                    let Some(part) = self.exact(part, point)? else { return Ok(None) };
                    self.work.pay(4 + words(&total) * words(&part))?;
                    total = if product { total * part } else { total + part };
                    if !fits(&total) {
                        return Ok(None);
                    }
                }
                Some(total)
            }
            Expr::Quotient(top, bottom) => match (self.exact(top, point)?, self.exact(bottom, point)?) {
                (Some(_), Some(bottom)) if bottom.is_zero() => return Err(Stop::Undefined),
                (Some(top), Some(bottom)) => Some(top / bottom),
                _ => None,
            },
            Expr::Power(base, exponent) => match (self.exact(base, point)?, self.exact(exponent, point)?) {
                (Some(base), Some(exponent)) => match small_integer(&exponent) {
                    Some(whole) if bits(&base).saturating_mul(whole.unsigned_abs()) <= EXACT_BITS => {
                        if base.is_zero() && whole < 0 {
                            return Err(Stop::Undefined);
                        }
                        self.work.pay(4 + words(&base) * whole.unsigned_abs())?;
                        Some(base.pow(whole as isize))
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        Ok(value.filter(fits))
    }

    fn evaluate_function(&mut self, function: &Function, arguments: &[Expr], point: &Point) -> Result<Ball, Stop> {
        use Function as F;
        if matches!(function, F::Factorial | F::DoubleFactorial | F::Binomial | F::Gcd | F::Lcm | F::Mod) {
            return self.integer_function(function, arguments, point);
        }
        if let [argument] = arguments {
            // Rounding is exact where the argument is.
            if matches!(function, F::Floor | F::Ceiling)
                && let Some(value) = self.exact(argument, point)?
            {
                let whole = if *function == F::Floor { value.floor() } else { value.ceil() };
                return self.number(&whole.into());
            }
            let x = self.evaluate(argument, point)?;
            return self.function_of_one(function, &x, point);
        }
        match (function, arguments) {
            (F::LogBase, [base, x]) => {
                let (base, x) = (self.evaluate(base, point)?, self.evaluate(x, point)?);
                let (base, x) = (self.ln(&base)?, self.ln(&x)?);
                self.divide(&x, &base)
            }
            (F::Min | F::Max, [first, rest @ ..]) => {
                let mut best = self.evaluate(first, point)?;
                for other in rest {
                    let other = self.evaluate(other, point)?;
                    let sign = self.subtract(&other, &best)?.sign().ok_or(Stop::Unknown)?;
                    if (*function == F::Max) == (sign > 0) {
                        best = other;
                    }
                }
                Ok(best)
            }
            _ => Err(Stop::Unknown),
        }
    }

    /// Functions that are computed from exact arguments.
    fn integer_function(&mut self, function: &Function, arguments: &[Expr], point: &Point) -> Result<Ball, Stop> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.exact(argument, point)?.ok_or(Stop::Unknown)?);
        }
        let value = match (function, values.as_slice()) {
            (Function::Factorial, [n]) => factorial(self.work, n, false)?,
            (Function::DoubleFactorial, [n]) => factorial(self.work, n, true)?,
            (Function::Binomial, [n, k]) => {
                let mut steps = small_integer(k).ok_or(Stop::Undefined)?;
                if let Some(whole) = small_integer(n).filter(|&whole| whole >= steps && whole >= 0) {
                    steps = steps.min(whole - steps);
                }
                if steps < 0 {
                    return Ok(self.zero());
                }
                if steps > 2_000 {
                    return Err(Stop::TooBig);
                }
                let mut product = RBig::ONE;
                for step in 0..steps {
                    self.work.pay(10 + 4 * words(&product))?;
                    product *= (n - RBig::from(step)) * ratio(1, step + 1).ok_or(Stop::Undefined)?;
                }
                product
            }
            (function, values) => of_numbers(self.work, function, values)?,
        };
        self.number(&value)
    }

    fn function_of_one(&mut self, function: &Function, x: &Ball, point: &Point) -> Result<Ball, Stop> {
        use Function as F;
        match function {
            F::Abs => self.absolute(x),
            F::Floor => self.rounded(x, true),
            F::Ceiling => self.rounded(x, false),
            F::Exp => self.exp(x),
            F::Ln => self.ln(x),
            F::Log => {
                let log = self.ln(x)?;
                if !point.decimal_log {
                    return Ok(log);
                }
                let ten = self.number(&RBig::from(10))?;
                let base = self.ln(&ten)?;
                self.divide(&log, &base)
            }
            F::Sin | F::Cos | F::Tan | F::Cot | F::Sec | F::Csc => {
                let (cos, sin) = self.cos_sin(x)?;
                match function {
                    F::Sin => Ok(sin),
                    F::Cos => Ok(cos),
                    F::Tan => self.divide(&sin, &cos),
                    F::Cot => self.divide(&cos, &sin),
                    F::Sec => self.inverse(&cos),
                    _ => self.inverse(&sin),
                }
            }
            F::Sinh | F::Cosh | F::Tanh | F::Coth => {
                let up = self.exp(x)?;
                let down = self.inverse(&up)?;
                let (sum, gap) = (self.add(&up, &down)?, self.subtract(&up, &down)?);
                let half = self.number(&ratio(1, 2).ok_or(Stop::Undefined)?)?;
                match function {
                    F::Sinh => self.multiply(&gap, &half),
                    F::Cosh => self.multiply(&sum, &half),
                    F::Tanh => self.divide(&gap, &sum),
                    _ => self.divide(&sum, &gap),
                }
            }
            F::Conjugate => Ok(self.conjugate(x)),
            F::Re => Ok(self.parts(x).0),
            F::Im => Ok(self.parts(x).1),
            _ => self.inverse_function(function, x),
        }
    }

    /// Inverse trigonometric and hyperbolic functions of real arguments, principal values.
    fn inverse_function(&mut self, function: &Function, x: &Ball) -> Result<Ball, Stop> {
        use Function as F;
        if !x.is_real() {
            return Err(Stop::Unknown);
        }
        let one = self.one();
        // √(1 - x²) and √(x² ± 1) decide whether there is a value at all.
        let square = self.multiply(x, x)?;
        match function {
            F::Arctan => self.angle(x, &one),
            F::Arccot => self.angle(&one, x),
            F::Arcsin | F::Arccos => {
                let inside = self.subtract(&one, &square)?;
                if inside.sign() == Some(-1) {
                    return Err(Stop::Undefined);
                }
                let other = self.root(&inside, 2)?;
                let (other, _) = self.parts(&other);
                if *function == F::Arcsin { self.angle(x, &other) } else { self.angle(&other, x) }
            }
            F::Arsinh | F::Arcosh => {
                let inside = if *function == F::Arsinh { self.add(&square, &one)? } else { self.subtract(&square, &one)? };
                if inside.sign() == Some(-1) || (*function == F::Arcosh && x.sign() == Some(-1)) {
                    return Err(Stop::Undefined);
                }
                let root = self.root(&inside, 2)?;
                let (root, _) = self.parts(&root);
                let sum = self.add(x, &root)?;
                self.ln(&sum)
            }
            F::Artanh => {
                let (above, below) = (self.add(&one, x)?, self.subtract(&one, x)?);
                let quotient = self.divide(&above, &below)?;
                if quotient.sign() == Some(-1) {
                    return Err(Stop::Undefined);
                }
                let log = self.ln(&quotient)?;
                let half = self.number(&ratio(1, 2).ok_or(Stop::Undefined)?)?;
                self.multiply(&log, &half)
            }
            _ => Err(Stop::Unknown),
        }
    }
}

/// Whether a number is below zero.
pub(super) fn is_negative(value: &RBig) -> bool {
    value.sign() == Sign::Negative
}
