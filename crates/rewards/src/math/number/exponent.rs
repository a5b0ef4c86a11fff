//! Exponents of monomials: small fractions.

/// A fraction in lowest terms with a positive denominator. Every operation is checked: `None` means overflow.
///
/// The derived order is that of storage, not of value: it only has to be the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Exponent {
    top: i64,
    bottom: i64,
}

impl Exponent {
    pub(crate) const ONE: Self = Self { top: 1, bottom: 1 };

    /// `top / bottom` in lowest terms; `None` for a denominator of zero.
    pub(crate) fn new(top: i64, bottom: i64) -> Option<Self> {
        if bottom == 0 || top == i64::MIN || bottom == i64::MIN {
            return None;
        }
        let divisor = gcd(top.unsigned_abs(), bottom.unsigned_abs()) as i64;
        let sign = bottom.signum();
        Some(Self { top: sign * top / divisor, bottom: sign * bottom / divisor })
    }

    pub(crate) fn integer(value: i64) -> Self {
        Self { top: value, bottom: 1 }
    }

    pub(crate) fn top(self) -> i64 {
        self.top
    }

    pub(crate) fn bottom(self) -> i64 {
        self.bottom
    }

    pub(crate) fn is_zero(self) -> bool {
        self.top == 0
    }

    /// The value if it is whole.
    pub(crate) fn whole(self) -> Option<i64> {
        (self.bottom == 1).then_some(self.top)
    }

    pub(crate) fn floor(self) -> i64 {
        self.top.div_euclid(self.bottom)
    }

    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        if self.bottom == 1 && other.bottom == 1 {
            return Self::new(self.top.checked_add(other.top)?, 1);
        }
        let top = self.top.checked_mul(other.bottom)?.checked_add(other.top.checked_mul(self.bottom)?)?;
        Self::new(top, self.bottom.checked_mul(other.bottom)?)
    }

    pub(crate) fn checked_mul(self, other: Self) -> Option<Self> {
        Self::new(self.top.checked_mul(other.top)?, self.bottom.checked_mul(other.bottom)?)
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_in_lowest_terms_and_checked() {
        let half = Exponent::new(2, 4).unwrap();
        assert_eq!((half.top(), half.bottom()), (1, 2));
        assert_eq!(half.checked_add(half), Some(Exponent::ONE));
        assert_eq!(half.checked_mul(Exponent::integer(-6)), Some(Exponent::integer(-3)));
        assert_eq!(Exponent::new(-1, 2).map(Exponent::floor), Some(-1));
        assert_eq!(Exponent::new(1, 0), None);
        assert_eq!(Exponent::integer(i64::MAX).checked_add(Exponent::ONE), None);
    }
}
