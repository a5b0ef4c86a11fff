//! Expressions: sums, products, powers and what is written without an operator.

use dashu_int::IBig;
use dashu_ratio::RBig;

use super::lex::Kind;
use super::{Fork, ParseError, Parser, words};
use crate::math::answer::{Constant, Expr, Function, Number};

impl Expr {
    /// An integer.
    pub(super) fn whole(value: u64) -> Self {
        Self::Number(Number { value: RBig::from(value), decimals: None })
    }

    pub(super) fn quotient(numerator: Self, denominator: Self) -> Self {
        Self::Quotient(Box::new(numerator), Box::new(denominator))
    }

    pub(super) fn power(base: Self, exponent: Self) -> Self {
        Self::Power(Box::new(base), Box::new(exponent))
    }

    pub(super) fn negative(inner: Self) -> Self {
        Self::Negative(Box::new(inner))
    }
}

/// An operator between the factors of a product.
enum Between {
    Times,
    Over,
    Modulo,
    /// The factors stand side by side.
    Nothing,
}

impl Parser<'_, '_> {
    /// A sum.
    pub(super) fn expression(&mut self) -> Result<Expr, ParseError> {
        let upper = self.deeper(Self::sum)?;
        let &Kind::Command(name @ ("choose" | "over")) = self.kind() else { return Ok(upper) };
        self.advance()?;
        let lower = self.deeper(Self::sum)?;
        Ok(if name == "over" { Expr::quotient(upper, lower) } else { Expr::Apply(Function::Binomial, vec![upper, lower]) })
    }

    fn sum(&mut self) -> Result<Expr, ParseError> {
        let mut terms = Vec::new();
        let mut sign = self.sum_sign();
        loop {
            if let Some((_, len)) = sign {
                for _ in 0..len {
                    self.advance()?;
                }
            }
            let term = self.product()?;
            terms.push(match sign {
                Some(('-', _)) => Expr::negative(term),
                Some(('±', _)) => Expr::PlusMinus(Box::new(term)),
                Some(('∓', _)) => Expr::MinusPlus(Box::new(term)),
                _ => term,
            });
            sign = self.sum_sign();
            // `\mathbb{R} - \{0\}` is no sum, and in `$24 + $40` the currency stands between.
            if sign.is_none() || self.sign_at(self.at + 1) == Some('⦃') || self.currency_at(self.at + 1).is_some() {
                break;
            }
        }
        Ok(single_or(terms, Expr::Sum))
    }

    /// A sign of a sum and the number of its tokens.
    fn sum_sign(&self) -> Option<(char, usize)> {
        match self.kind() {
            Kind::Sign('+') if self.sign_at(self.at + 1) == Some('/') && self.sign_at(self.at + 2) == Some('-') => Some(('±', 3)),
            Kind::Sign('+') if self.sign_at(self.at + 1) == Some('-') && !self.spaced(self.at + 1) => Some(('±', 2)),
            Kind::Sign(sign @ ('+' | '-' | '±' | '∓')) => Some((*sign, 1)),
            Kind::Word(word) => match &**word {
                "plus" => Some(('+', 1)),
                "minus" | "negative" => Some(('-', 1)),
                _ => None,
            },
            _ => None,
        }
    }

    fn between(&self) -> Option<Between> {
        match self.kind() {
            Kind::Sign('*') => Some(Between::Times),
            Kind::Sign('/') if !(self.unit_at(self.at + 1) && self.word_at(self.at + 1).is_none_or(|word| word.len() > 1)) => {
                Some(Between::Over)
            }
            Kind::Word(word) if matches!(&**word, "times" | "over") => Some(if word == "times" { Between::Times } else { Between::Over }),
            // `4 x 5`
            Kind::Word(word)
                if word == "x"
                    && (self.spaced(self.at) && self.spaced(self.at + 1) || self.sign_at(self.at + 2) == Some('^'))
                    && matches!((self.kind_at(self.at.wrapping_sub(1)), self.kind_at(self.at + 1)), (Kind::Number(_), Kind::Number(_))) =>
            {
                Some(Between::Times)
            }
            Kind::Word(word) if word == "mod" => Some(Between::Modulo),
            Kind::Name("mod") => Some(Between::Modulo),
            _ if self.starts_factor(self.at) => Some(Between::Nothing),
            _ => None,
        }
    }

    pub(super) fn product(&mut self) -> Result<Expr, ParseError> {
        let mut factors = vec![self.factor()?];
        let mut divisions = 0;
        while let Some(between) = self.between() {
            match between {
                Between::Nothing => factors.push(self.power()?),
                Between::Times => {
                    self.advance()?;
                    factors.push(self.factor()?);
                }
                Between::Over | Between::Modulo => {
                    divisions += 1;
                    if divisions > 1 {
                        self.grow()?;
                    }
                    let slash = self.sign() == Some('/');
                    if slash && self.derivative_around() {
                        return Err(self.error("a fraction that is no derivative"));
                    }
                    self.advance()?;
                    let mut right = self.factor()?;
                    if slash && matches!(right, Expr::Number(_)) && self.glued_symbol() && self.fork(Fork::Slash) {
                        right = Expr::Product(vec![right, self.power()?]);
                    }
                    let left = product_of(factors);
                    factors = vec![match between {
                        Between::Over => Expr::quotient(left, right),
                        _ => Expr::Apply(Function::Mod, vec![left, right]),
                    }];
                }
            }
        }
        Ok(product_of(factors))
    }

    /// A letter without white space in front of it, as the x in `1/2x`.
    fn glued_symbol(&self) -> bool {
        !self.spaced(self.at) && matches!(self.kind(), Kind::Word(_) | Kind::Name(_) | Kind::Sign('√' | '(')) && self.starts_factor(self.at)
    }

    /// A power with a sign in front.
    fn factor(&mut self) -> Result<Expr, ParseError> {
        let Some(sign @ ('-' | '+' | '±' | '∓')) = self.sign() else { return self.power() };
        self.advance()?;
        let inner = self.deeper(Self::factor)?;
        Ok(match sign {
            '-' => Expr::negative(inner),
            '±' => Expr::PlusMinus(Box::new(inner)),
            '∓' => Expr::MinusPlus(Box::new(inner)),
            _ => inner,
        })
    }

    /// Whether a factor can begin here without an operator in front of it.
    pub(super) fn starts_factor(&self, at: usize) -> bool {
        match self.kind_at(at) {
            Kind::Word(word) => {
                let taken = words::is_joint(word) || words::relation(word).is_some() || words::is_operator(word) || self.unit_at(at);
                let union = word == "U" && self.upright(at);
                !taken && !union && words::number(word).is_none() && words::is_mathematics(word)
            }
            Kind::Name(name) => !matches!(*name, "mod" | "pmod"),
            Kind::Number(_) => self.number_multiplies(at),
            Kind::Sign('(') => {
                !matches!(self.word_at(at + 1), Some("mod" | "base")) && self.groups.get(at).is_some_and(|g| !g.is_some_and(|g| g.parts))
            }
            Kind::Sign('[') => self.groups.get(at).is_some_and(|g| g.is_some_and(|g| !g.parts && self.sign_at(g.close) == Some(']'))),
            Kind::Sign('|') => self.bars == 0,
            Kind::Sign(sign) => matches!(sign, '{' | '⟦' | '⌊' | '⌈' | '√' | '∛' | '∜' | '∞' | '∑' | '∏' | '∠' | '△'),
            Kind::Command(name) => !matches!(*name, "choose" | "over"),
            _ => false,
        }
    }

    /// Whether a number is a factor without an operator: behind a factorial, a bracket or a power, as in `5!7!` and `2^3 5^2`.
    fn number_multiplies(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return false };
        match self.kind_at(before) {
            Kind::Sign('!' | '}') => true,
            Kind::Sign(')') => !self.spaced(at),
            Kind::Number(_) => before > 0 && self.sign_at(before - 1) == Some('^') && self.spaced(at),
            _ => false,
        }
    }

    /// An atom with what stands behind or above it: powers, factorials, primes, indices.
    pub(super) fn power(&mut self) -> Result<Expr, ParseError> {
        if let Some(mixed) = self.mixed()? {
            return Ok(mixed);
        }
        let base = self.deeper(Self::atom)?;
        self.symbols |= matches!(base, Expr::Symbol(_));
        self.behind(base)
    }

    pub(super) fn behind(&mut self, mut base: Expr) -> Result<Expr, ParseError> {
        let mut marks = 0;
        loop {
            marks += 1;
            if marks > 3 {
                self.grow()?;
            }
            if self.sign() == Some('°') {
                if self.arguments == 0 {
                    return Ok(base);
                }
                self.advance()?;
                let turn = Expr::quotient(Expr::Constant(Constant::Pi), Expr::whole(180));
                base = Expr::Product(vec![base, turn]);
                continue;
            }
            if self.ordinal_mark()? {
                continue;
            }
            match self.sign() {
                Some('!') => {
                    self.advance()?;
                    let double = self.sign() == Some('!') && !self.spaced(self.at);
                    if double {
                        self.advance()?;
                    }
                    let function = if double { Function::DoubleFactorial } else { Function::Factorial };
                    base = Expr::Apply(function, vec![base]);
                }
                Some('^') => {
                    self.advance()?;
                    base = Expr::power(base, self.exponent()?);
                }
                Some('\'') => match base {
                    Expr::Symbol(name) => {
                        self.advance()?;
                        base = Expr::Symbol(name + "'");
                    }
                    other => return Ok(other),
                },
                _ => return Ok(base),
            }
        }
    }

    /// What stands behind `^`: a group, or one atom with its sign.
    fn exponent(&mut self) -> Result<Expr, ParseError> {
        if let Some(sign @ ('-' | '+')) = self.sign() {
            self.advance()?;
            let inner = self.deeper(Self::exponent)?;
            return Ok(if sign == '-' { Expr::negative(inner) } else { inner });
        }
        let mut exponent = self.deeper(Self::atom)?;
        if let (Some('\''), Expr::Symbol(name)) = (self.sign(), &mut exponent) {
            self.advance()?;
            name.push('\'');
        }
        if self.sign() == Some('^') {
            self.advance()?;
            let higher = self.deeper(Self::exponent)?;
            return Ok(Expr::power(exponent, higher));
        }
        Ok(exponent)
    }

    /// Takes the ending of `5th` or `21^{st}`.
    fn ordinal_mark(&mut self) -> Result<bool, ParseError> {
        if !matches!(self.at.checked_sub(1).map(|at| self.kind_at(at)), Some(Kind::Number(_))) {
            return Ok(false);
        }
        let raised = usize::from(self.sign() == Some('^'));
        let braced = usize::from(raised == 1 && matches!(self.sign_at(self.at + 1), Some('{' | '⟦')));
        let at = self.at + raised + braced;
        if !matches!(self.word_at(at), Some("th" | "st" | "nd" | "rd")) || (raised == 0 && self.spaced(at)) {
            return Ok(false);
        }
        for _ in 0..=raised + 2 * braced {
            self.advance()?;
        }
        Ok(true)
    }
}

/// The only term, or all of them joined.
pub(super) fn single_or(mut terms: Vec<Expr>, join: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match terms.pop() {
        Some(only) if terms.is_empty() => only,
        Some(last) => {
            terms.push(last);
            join(terms)
        }
        None => join(terms),
    }
}

/// A product; `1.5 \times 10^3` is a number.
fn product_of(factors: Vec<Expr>) -> Expr {
    if let [Expr::Number(Number { value, decimals: Some(decimals) }), Expr::Power(base, exponent)] = factors.as_slice()
        && let Some(shift) = power_of_ten(base, exponent)
    {
        let scale = RBig::from(IBig::from(10_u8).pow(shift.unsigned_abs() as usize));
        let value = if shift < 0 { value / scale } else { value * scale };
        let places = i64::from(*decimals) - i64::from(shift);
        return Expr::Number(Number { value, decimals: u32::try_from(places.max(0)).ok() });
    }
    single_or(factors, Expr::Product)
}

/// The exponent of a power of ten, if it is small.
fn power_of_ten(base: &Expr, exponent: &Expr) -> Option<i32> {
    let small = |expr: &Expr| match expr {
        Expr::Number(Number { value, decimals: None }) if value.is_int() => i32::try_from(value.numerator().clone()).ok(),
        _ => None,
    };
    let shift = match exponent {
        Expr::Negative(inner) => -small(inner)?,
        other => small(other)?,
    };
    (small(base) == Some(10) && shift.unsigned_abs() <= 200).then_some(shift)
}
