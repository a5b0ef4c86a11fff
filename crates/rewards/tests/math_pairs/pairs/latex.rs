//! Small writers of LaTeX and exact fractions.

use std::fmt::Display;

use super::dice::Dice;

/// `\frac{a}{b}`.
pub(super) fn frac(above: impl Display, below: impl Display) -> String {
    format!("\\frac{{{above}}}{{{below}}}")
}

/// `\sqrt{a}`.
pub(super) fn sqrt(inside: impl Display) -> String {
    format!("\\sqrt{{{inside}}}")
}

/// `a^{b}`.
pub(super) fn pow(base: impl Display, exponent: impl Display) -> String {
    format!("{base}^{{{exponent}}}")
}

/// Texts from string slices.
pub(super) fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

pub(super) fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

/// `n!` for small `n`.
pub(super) fn factorial(n: i64) -> i64 {
    (1..=n).product()
}

/// `n` over `k`.
pub(super) fn binomial(n: i64, k: i64) -> i64 {
    (0..k).fold(1, |value, i| value * (n - i) / (i + 1))
}

/// Whether no square above 1 divides `n`.
pub(super) fn is_squarefree(n: i64) -> bool {
    (2..).take_while(|k| k * k <= n).all(|k| n % (k * k) != 0)
}

/// A number above 1 that no square divides, at most `high`.
pub(super) fn radicand(dice: &mut Dice, high: i64) -> i64 {
    loop {
        let n = dice.int(2, high);
        if is_squarefree(n) {
            return n;
        }
    }
}

/// Terms with whole coefficients as a sum, in the order given: `2x^2 - x + 3`. A term with an empty name is a number.
pub(super) fn sum(terms: &[(i64, String)]) -> String {
    let mut text = String::new();
    for (factor, name) in terms.iter().filter(|(factor, _)| *factor != 0) {
        let sign = match (text.is_empty(), *factor < 0) {
            (true, true) => "-",
            (true, false) => "",
            (false, true) => " - ",
            (false, false) => " + ",
        };
        text.push_str(sign);
        if factor.abs() != 1 || name.is_empty() {
            text.push_str(&factor.abs().to_string());
        }
        text.push_str(name);
    }
    if text.is_empty() { "0".to_owned() } else { text }
}

/// The text without spaces.
pub(super) fn tight(text: &str) -> String {
    text.replace(' ', "")
}

/// A fraction in lowest terms, the sign above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fraction {
    pub(super) above: i64,
    pub(super) below: i64,
}

impl Fraction {
    /// `below` must not be 0.
    pub(super) fn new(above: i64, below: i64) -> Self {
        let common = gcd(above, below).max(1) * below.signum();
        Self { above: above / common, below: below / common }
    }

    /// A random fraction that is no whole number.
    pub(super) fn random(dice: &mut Dice, high: i64) -> Self {
        loop {
            let fraction = Self::new(dice.nonzero(high), dice.int(2, high));
            if fraction.below > 1 {
                return fraction;
            }
        }
    }

    /// A random fraction, whole in about half of all cases.
    pub(super) fn any(dice: &mut Dice, high: i64) -> Self {
        if dice.chance(2) { Self::random(dice, high) } else { Self::new(dice.int(-high, high), 1) }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self::new(self.above * other.below + other.above * self.below, self.below * other.below)
    }

    pub(super) fn negative(self) -> Self {
        Self { above: -self.above, below: self.below }
    }

    /// The usual notation.
    pub(super) fn latex(self) -> String {
        match (self.above, self.below) {
            (above, 1) => above.to_string(),
            (above, below) if above < 0 => format!("-{}", frac(-above, below)),
            (above, below) => frac(above, below),
        }
    }

    /// With a slash.
    pub(super) fn plain(self) -> String {
        if self.below == 1 { self.above.to_string() } else { format!("{}/{}", self.above, self.below) }
    }

    /// As a decimal, if it ends behind at most six digits.
    pub(super) fn decimal(self) -> Option<String> {
        (0..=6).find_map(|n_digits| {
            let scale = 10_i64.pow(n_digits);
            (self.above * scale % self.below == 0).then(|| decimal(self.above * scale / self.below, n_digits))
        })
    }

    /// Notations in LaTeX, all of the same value.
    pub(super) fn notations(self, dice: &mut Dice) -> Vec<String> {
        let Self { above, below } = self;
        if below == 1 {
            return vec![above.to_string(), format!("{above}.0"), format!("{{{above}}}")];
        }
        let (sign, size) = if above < 0 { ("-", -above) } else { ("", above) };
        let k = dice.int(2, 9);
        let mut found = vec![
            self.latex(),
            format!("{sign}\\dfrac{{{size}}}{{{below}}}"),
            format!("{sign}\\tfrac{{{size}}}{{{below}}}"),
            format!("{sign}\\cfrac{{{size}}}{{{below}}}"),
            format!("{sign}\\frac{{{}}}{{{}}}", k * size, k * below),
            frac(above, below),
            format!("{sign}\\frac {{{size}}} {{{below}}}"),
            format!("{sign}{size}/{below}"),
            format!("{sign} {size} / {below}"),
            format!("{sign}{{{size} \\over {below}}}"),
            format!("{sign}\\left(\\frac{{{size}}}{{{below}}}\\right)"),
        ];
        if size < 10 && below < 10 {
            found.push(format!("{sign}\\frac{size}{below}"));
            found.push(format!("{sign}\\frac {size}{below}"));
            found.push(format!("{sign}\\tfrac{size}{below}"));
        }
        found.extend(self.decimal());
        found
    }
}

/// `value / 10^n_digits` written as a decimal.
pub(super) fn decimal(value: i64, n_digits: u32) -> String {
    if n_digits == 0 {
        return value.to_string();
    }
    let scale = 10_i64.pow(n_digits);
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{:0width$}", value.abs() / scale, value.abs() % scale, width = n_digits as usize)
}
