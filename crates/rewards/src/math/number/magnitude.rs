//! Sizes of numbers that are too big to compute: bounds on the logarithm of positive expressions.

use dashu_base::{BitTest, Sign};
use dashu_ratio::RBig;

use super::Stop;
use crate::math::answer::{Constant, Expr, Function};
use crate::math::work::Work;

/// Bounds on log2 of a positive number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LogSize {
    low: f64,
    high: f64,
}

impl LogSize {
    fn around(value: f64) -> Self {
        Self { low: value - 1e-9 * (1.0 + value.abs()), high: value + 1e-9 * (1.0 + value.abs()) }
    }

    /// Whether the two certainly differ.
    pub(crate) fn differs(self, other: Self) -> bool {
        self.high < other.low || other.high < self.low
    }

    fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }

    /// Bounds on the number itself, as far as a machine number goes.
    fn value(self) -> (f64, f64) {
        ((self.low.min(1_000.0)).exp2(), if self.high > 1_000.0 { f64::INFINITY } else { self.high.exp2() })
    }
}

/// Bounds on log2 of `expr`, if it is a positive constant built from numbers by +, ·, /, powers, factorials and binomials.
pub(crate) fn log_size(expr: &Expr, work: &mut Work) -> Result<Option<LogSize>, Stop> {
    work.pay(10)?;
    let size = match expr {
        Expr::Number(number) => of_number(&number.value),
        Expr::Constant(Constant::Pi) => Some(LogSize::around(std::f64::consts::PI.log2())),
        Expr::Constant(Constant::E) => Some(LogSize::around(std::f64::consts::LOG2_E)),
        Expr::Sum(parts) => {
            let mut sizes = Vec::with_capacity(parts.len());
            for part in parts {
                let Some(size) = log_size(part, work)? else { return Ok(None) };
                sizes.push(size);
            }
            let most = |bound: fn(&LogSize) -> f64| sizes.iter().map(bound).fold(f64::NEG_INFINITY, f64::max);
            let count = (sizes.len().max(1) as f64).log2();
            Some(LogSize { low: most(|size| size.low), high: most(|size| size.high) + count + 1e-9 })
        }
        Expr::Product(parts) => {
            let mut total = LogSize::around(0.0);
            for part in parts {
                let Some(size) = log_size(part, work)? else { return Ok(None) };
                total = total.plus(size);
            }
            Some(total)
        }
        Expr::Quotient(top, bottom) => match (log_size(top, work)?, log_size(bottom, work)?) {
            (Some(top), Some(bottom)) => Some(LogSize { low: top.low - bottom.high, high: top.high - bottom.low }),
            _ => None,
        },
        Expr::Power(base, exponent) => match (log_size(base, work)?, log_size(exponent, work)?) {
            (Some(base), Some(exponent)) if base.low >= 0.0 => {
                let (low, high) = exponent.value();
                Some(LogSize { low: base.low * low, high: base.high * high })
            }
            _ => None,
        },
        Expr::Apply(Function::Factorial, arguments) => match arguments.as_slice() {
            [n] => log_size(n, work)?.map(|size| {
                let (low, high) = size.value();
                // n log2(n/e) <= log2 n! <= n log2 n
                LogSize { low: low * (size.low - std::f64::consts::LOG2_E).max(0.0), high: high * size.high.max(0.0) }
            }),
            _ => None,
        },
        _ => None,
    };
    Ok(size.filter(|size| !size.low.is_nan() && !size.high.is_nan()))
}

fn of_number(value: &RBig) -> Option<LogSize> {
    if value.is_zero() || value.sign() == Sign::Negative {
        return None;
    }
    let exact = value.to_f64_fast();
    if exact.is_normal() {
        return Some(LogSize::around(exact.log2()));
    }
    let (top, bottom) = (value.numerator().bit_len() as f64, value.denominator().bit_len() as f64);
    Some(LogSize { low: top - bottom - 1.0, high: top - bottom + 1.0 })
}

/// How close to zero an algebraic number may come without being zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Separation {
    /// log2 of the two bounds of the expression's numerator and denominator.
    upper: f64,
    lower: f64,
    /// An upper bound on its degree.
    degree: f64,
}

impl Separation {
    /// A number that is not zero is at least 2^-bits.
    pub(crate) fn bits(self) -> f64 {
        (self.degree - 1.0) * self.upper + self.lower
    }

    /// That of a difference.
    pub(crate) fn minus(self, other: Self) -> Self {
        let (left, right) = (self.upper + other.lower, self.lower + other.upper);
        let degree = self.degree * other.degree;
        Self { upper: left.max(right) + 1.0, lower: self.lower + other.lower, degree }
    }

    /// The bound of Burnikel, Fleischer, Mehlhorn and Schirra ("Efficient exact geometric computation made easy", 1999) for
    /// expressions of rational numbers, i and roots by + - * /. `None` if anything else occurs.
    pub(crate) fn of(expr: &Expr, work: &mut Work) -> Result<Option<Self>, Stop> {
        work.pay(10)?;
        let fold = |parts: &[Expr], work: &mut Work, join: fn(Self, Self) -> Self| -> Result<Option<Self>, Stop> {
            let mut total: Option<Self> = None;
            for part in parts {
                let Some(part) = Self::of(part, work)? else { return Ok(None) };
                total = Some(total.map_or(part, |total| join(total, part)));
            }
            Ok(total)
        };
        let times = |a: Self, b: Self| Self { upper: a.upper + b.upper, lower: a.lower + b.lower, degree: a.degree * b.degree };
        Ok(match expr {
            Expr::Number(number) => Some(Self {
                upper: number.value.numerator().bit_len() as f64,
                lower: number.value.denominator().bit_len() as f64,
                degree: 1.0,
            }),
            Expr::Constant(Constant::I) => Some(Self { upper: 0.0, lower: 0.0, degree: 2.0 }),
            Expr::Negative(inside) => Self::of(inside, work)?,
            Expr::Sum(parts) => fold(parts, work, Self::minus)?,
            Expr::Product(parts) => fold(parts, work, times)?,
            Expr::Quotient(top, bottom) => match (Self::of(top, work)?, Self::of(bottom, work)?) {
                (Some(a), Some(b)) => Some(Self { upper: a.upper + b.lower, lower: a.lower + b.upper, degree: a.degree * b.degree }),
                _ => None,
            },
            Expr::Root { degree, radicand } => match (degree.as_ref(), Self::of(radicand, work)?) {
                (Expr::Number(degree), Some(inside)) => {
                    let k = degree.value.to_f64_fast();
                    (degree.value.is_int() && (2.0..=64.0).contains(&k)).then(|| {
                        let (u, l) = (inside.upper, inside.lower);
                        let (upper, lower) = if u >= l { ((u + (k - 1.0) * l) / k, l) } else { (u, ((k - 1.0) * u + l) / k) };
                        Self { upper, lower, degree: inside.degree * k }
                    })
                }
                _ => None,
            },
            Expr::Power(base, exponent) => match (Self::of(base, work)?, exponent.as_ref()) {
                (Some(base), Expr::Number(exponent)) if exponent.value.is_int() => {
                    let n = exponent.value.to_f64_fast();
                    let (u, l) = (base.upper * n.abs(), base.lower * n.abs());
                    let (upper, lower) = if n >= 0.0 { (u, l) } else { (l, u) };
                    Some(Self { upper, lower, degree: base.degree })
                }
                _ => None,
            },
            _ => None,
        })
    }
}
