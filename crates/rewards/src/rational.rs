//! Exact fractions for comparing answers.

use std::fmt;
use std::ops::Neg;

/// A fraction in lowest terms with a positive denominator. Every operation is checked: `None` means overflow or division by zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rational {
    numerator: i128,
    denominator: i128,
}

impl Rational {
    /// `numerator / denominator` in lowest terms.
    pub(crate) fn new(numerator: i128, denominator: i128) -> Option<Self> {
        // `i128::MIN` has no absolute value; no honest answer comes near it.
        if denominator == 0 || numerator == i128::MIN || denominator == i128::MIN {
            return None;
        }
        let divisor = gcd(numerator.unsigned_abs(), denominator.unsigned_abs()) as i128;
        let sign = denominator.signum();
        Some(Self { numerator: sign * numerator / divisor, denominator: sign * denominator / divisor })
    }

    /// A whole number.
    pub(crate) fn integer(value: i64) -> Self {
        Self { numerator: i128::from(value), denominator: 1 }
    }

    /// The sum.
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Self::new(left.checked_add(right)?, self.denominator.checked_mul(other.denominator)?)
    }

    /// The difference.
    pub(crate) fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(-other)
    }

    /// The product.
    pub(crate) fn checked_mul(self, other: Self) -> Option<Self> {
        Self::new(self.numerator.checked_mul(other.numerator)?, self.denominator.checked_mul(other.denominator)?)
    }

    /// The quotient.
    pub(crate) fn checked_div(self, other: Self) -> Option<Self> {
        Self::new(self.numerator.checked_mul(other.denominator)?, self.denominator.checked_mul(other.numerator)?)
    }
}

impl Neg for Rational {
    type Output = Self;

    fn neg(self) -> Self {
        Self { numerator: -self.numerator, ..self }
    }
}

impl fmt::Display for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator == 1 { write!(f, "{}", self.numerator) } else { write!(f, "{}/{}", self.numerator, self.denominator) }
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowest_terms_and_sign() {
        assert_eq!(Rational::new(6, -4).map(|r| r.to_string()), Some("-3/2".into()));
        assert_eq!(Rational::new(0, -7), Some(Rational::integer(0)));
        assert_eq!(Rational::new(1, 0), None);
        assert_eq!(Rational::new(i128::MIN, 1), None);
    }

    #[test]
    fn arithmetic_is_exact_and_overflow_is_none() {
        let third = Rational::new(1, 3).unwrap();
        let half = Rational::new(1, 2).unwrap();
        assert_eq!(third.checked_add(half), Rational::new(5, 6));
        assert_eq!(third.checked_sub(half), Rational::new(-1, 6));
        assert_eq!(third.checked_mul(half), Rational::new(1, 6));
        assert_eq!(third.checked_div(half), Rational::new(2, 3));
        assert_eq!(third.checked_div(Rational::integer(0)), None);
        let huge = Rational::new(i128::MAX, 1).unwrap();
        assert_eq!(huge.checked_add(huge), None);
        assert_eq!(huge.checked_mul(huge), None);
    }
}
