//! Whether two expressions have the same value: exactly if possible, by evaluation otherwise.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use dashu_base::Sign;
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::Stop;
use super::algebra::Algebra;
use super::ball::{Ball, Field};
use super::convert::Setting;
use super::evaluate::{Point, is_negative};
use super::magnitude::{Separation, log_size};
use super::poly::{Fraction, Monomial, Poly};
use crate::math::Method;
use crate::math::answer::{Constant, Expr, Function};
use crate::math::work::{Exhausted, Work};

/// Bits of evaluations: the first finds most differences, the last is what equality of constants rests on.
const PRECISIONS: [usize; 3] = [64, 256, 768];
/// Points at which two expressions in variables must agree.
const POINTS: usize = 4;
/// Points that are tried, since many lie outside the domain.
const TRIES: usize = 24;
/// Largest precision that a proof by root separation may take.
const MAX_SEPARATION: f64 = 1_500.0;

/// What a comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    /// The same value.
    Equal(Method),
    /// Another value, or no value on one side.
    Different(Method),
    /// Not decided, and why. Never counted as equal.
    Open(&'static str),
}

impl Decided {
    pub(crate) fn is_equal(self) -> bool {
        matches!(self, Self::Equal(_))
    }
}

/// Which stages may decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paths {
    /// Exact first, then numeric.
    Both,
    /// Canonical forms only.
    ExactOnly,
    /// Evaluation only.
    NumericOnly,
}

/// Decides about expressions and pays for it.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) work: Work,
    pub(crate) paths: Paths,
    seed: u64,
}

impl Judge {
    /// `seed` chooses the points of evaluation.
    pub(crate) fn new(work: Work, paths: Paths, seed: u64) -> Self {
        Self { work, paths, seed }
    }

    /// Whether two expressions have the same value, for all values of their variables where both have one.
    pub(crate) fn same(&mut self, a: &Expr, b: &Expr) -> Result<Decided, Exhausted> {
        self.work.pay(2)?;
        if self.paths != Paths::NumericOnly {
            if let (Expr::Number(a), Expr::Number(b)) = (a, b) {
                let equal = a.value == b.value;
                return Ok(if equal { Decided::Equal(Method::Exact) } else { Decided::Different(Method::Exact) });
            }
            if a == b {
                return Ok(Decided::Equal(Method::Exact));
            }
        }
        match (infinity(a), infinity(b)) {
            (None, None) => {}
            (a, b) => return Ok(if a == b { Decided::Equal(Method::Exact) } else { Decided::Different(Method::Exact) }),
        }
        let logs = mentions_log(a) || mentions_log(b);
        let mut found = self.same_under(a, b, false)?;
        if logs && !found.is_equal() {
            found = self.same_under(a, b, true)?;
        }
        Ok(found)
    }

    fn same_under(&mut self, a: &Expr, b: &Expr, decimal_log: bool) -> Result<Decided, Exhausted> {
        if self.paths != Paths::NumericOnly {
            match self.with_share(|algebra| same_form(algebra, a, b, decimal_log))? {
                Ok(Some(decided)) => return Ok(decided),
                Ok(None) | Err(Stop::TooBig | Stop::Unknown | Stop::Exhausted) => {}
                Err(Stop::Undefined) => return Ok(Decided::Different(Method::Exact)),
            }
            if self.paths == Paths::ExactOnly {
                return Ok(Decided::Open("the canonical forms differ, but that proves nothing"));
            }
        }
        let variables = variables(&[a, b]);
        if variables.is_empty() { self.same_constant(a, b, decimal_log) } else { self.same_function(a, b, &variables, decimal_log) }
    }

    /// Runs an exact computation with half of the work that is left, so that evaluation has the other half.
    pub(super) fn with_share<T>(&mut self, run: impl FnOnce(&mut Algebra<'_>) -> T) -> Result<T, Exhausted> {
        let share = self.work.left() / 2;
        let mut part = Work::new(share);
        let result = run(&mut Algebra::new(&mut part));
        self.work.pay(share - part.left())?;
        Ok(result)
    }

    /// Constants: evaluated with more and more bits until the difference is not zero, or until zero is sure enough.
    fn same_constant(&mut self, a: &Expr, b: &Expr, decimal_log: bool) -> Result<Decided, Exhausted> {
        let point = Point { values: Vec::new(), decimal_log };
        let mut close = false;
        for bits in PRECISIONS {
            match self.gap(a, b, &point, bits, false) {
                Ok(gap) if !gap.may_be_zero() => return Ok(Decided::Different(Method::Numeric)),
                Ok(gap) => close = gap.is_narrow(bits),
                Err(Stop::Exhausted) => return Err(Exhausted),
                Err(Stop::Undefined) => return Ok(Decided::Different(Method::Numeric)),
                Err(Stop::TooBig) => return self.differ_in_size(a, b),
                Err(Stop::Unknown) => close = false,
            }
        }
        if !close {
            return Ok(Decided::Open("the value cannot be evaluated closely enough"));
        }
        let proof = self.separation(a, b)?;
        Ok(Decided::Equal(if proof { Method::Exact } else { Method::Numeric }))
    }

    /// Whether two algebraic numbers that agree so far are proven equal by a bound on how close different ones can be.
    fn separation(&mut self, a: &Expr, b: &Expr) -> Result<bool, Exhausted> {
        let bounds = (Separation::of(a, &mut self.work), Separation::of(b, &mut self.work));
        let (Ok(Some(left)), Ok(Some(right))) = bounds else { return Ok(false) };
        let needed = left.minus(right).bits();
        if needed.is_nan() || needed > MAX_SEPARATION {
            return Ok(false);
        }
        let bits = needed.max(0.0) as usize + 64;
        match self.gap(a, b, &Point::default(), bits, false) {
            Ok(gap) => Ok(gap.may_be_zero() && gap.radius_below(bits, needed)),
            Err(Stop::Exhausted) => Err(Exhausted),
            Err(_) => Ok(false),
        }
    }

    /// Numbers too big to compute differ if their logarithms do.
    fn differ_in_size(&mut self, a: &Expr, b: &Expr) -> Result<Decided, Exhausted> {
        match (log_size(a, &mut self.work), log_size(b, &mut self.work)) {
            (Ok(Some(a)), Ok(Some(b))) if a.differs(b) => Ok(Decided::Different(Method::Numeric)),
            (Err(Stop::Exhausted), _) | (_, Err(Stop::Exhausted)) => Err(Exhausted),
            _ => Ok(Decided::Open("the numbers are too big to compute")),
        }
    }

    /// Expressions in variables: equal if they agree at several random points of their common domain.
    fn same_function(&mut self, a: &Expr, b: &Expr, variables: &Variables, decimal_log: bool) -> Result<Decided, Exhausted> {
        let real_only = !mentions_i(a) && !mentions_i(b);
        let points = if has_kinks(a) || has_kinks(b) { 2 * POINTS } else { POINTS };
        let spread = spread(a).max(spread(b));
        let mut agreeing = 0;
        let mut too_big = false;
        for attempt in 0..TRIES {
            let point = Point { values: self.random_point(variables, attempt, spread), decimal_log };
            let bits = if attempt == 0 { PRECISIONS[0] } else { PRECISIONS[1] };
            match self.gap(a, b, &point, bits, real_only) {
                Ok(gap) if !gap.may_be_zero() => return Ok(Decided::Different(Method::Numeric)),
                Ok(gap) if attempt > 0 && gap.is_narrow(bits) => agreeing += 1,
                Ok(_) | Err(Stop::Undefined | Stop::Unknown) => {}
                Err(Stop::TooBig) => too_big = true,
                Err(Stop::Exhausted) => return Err(Exhausted),
            }
            if agreeing == points {
                return Ok(Decided::Equal(Method::Numeric));
            }
        }
        Ok(Decided::Open(if too_big { "the numbers are too big to compute" } else { "too few points at which both have a value" }))
    }

    fn gap(&mut self, a: &Expr, b: &Expr, point: &Point, bits: usize, real_only: bool) -> Result<Ball, Stop> {
        let mut field = Field::new(bits, real_only, &mut self.work);
        let a = field.evaluate(a, point)?;
        let b = field.evaluate(b, point)?;
        field.subtract(&a, &b)
    }

    /// `spread` is log2 of a size beyond all numbers in the expressions, so that both sides of every kink are met.
    fn random_point(&self, variables: &Variables, attempt: usize, spread: u32) -> Vec<(String, RBig)> {
        let mut state = self.seed ^ (attempt as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let value = |integer: bool, state: &mut u64| {
            let bits = splitmix(state);
            if integer {
                return RBig::from(1 + bits % (6 + attempt as u64));
            }
            // 40 random bits in (1/8, 17/8), a quarter of that, and beyond all numbers that occur: from 2 to 8 times the largest.
            let (size, up, down) = match attempt % 4 {
                0 => ((1_u64 << 37) + (bits >> 23), 0, 40),
                2 => ((1_u64 << 37) + (bits >> 23), 0, 42),
                _ => ((1_u64 << 40) + (bits >> 24), spread + 1, 40),
            };
            let size = UBig::from(size);
            let negative = match attempt {
                0..=2 => false,
                3 | 4 => true,
                _ => splitmix(state) & 1 == 1,
            };
            let sign = if negative { Sign::Negative } else { Sign::Positive };
            RBig::from_parts(IBig::from_parts(sign, size << up as usize), UBig::ONE << down)
        };
        variables.iter().map(|(name, integer)| (name.clone(), value(*integer, &mut state))).collect()
    }

    /// The order of two real constants; `None` if they are not both real, or not told apart.
    pub(crate) fn order(&mut self, a: &Expr, b: &Expr) -> Result<Option<Ordering>, Exhausted> {
        if let (Expr::Number(a), Expr::Number(b)) = (a, b) {
            return Ok(Some(a.value.cmp(&b.value)));
        }
        match (infinity(a), infinity(b)) {
            (None, None) => {}
            (a, b) => return Ok(Some(a.unwrap_or(0).cmp(&b.unwrap_or(0)))),
        }
        if !variables(&[a, b]).is_empty() {
            return Ok(None);
        }
        for bits in PRECISIONS {
            match self.gap(a, b, &Point::default(), bits, false) {
                Ok(gap) if !gap.is_real() => return Ok(None),
                Ok(gap) => {
                    if let Some(sign) = gap.sign() {
                        return Ok(Some(sign.cmp(&0)));
                    }
                }
                Err(Stop::Exhausted) => return Err(Exhausted),
                Err(_) => return Ok(None),
            }
            // Told apart by no sign: often the same number.
            if bits == PRECISIONS[0] && self.same(a, b)?.is_equal() {
                return Ok(Some(Ordering::Equal));
            }
        }
        Ok(None)
    }

    /// Whether `expr` is a real constant at most `half` away from `middle`.
    pub(crate) fn is_within(&mut self, expr: &Expr, middle: &RBig, half: &RBig) -> Result<Decided, Exhausted> {
        let point = Point::default();
        let decide = |inside: bool, method| if inside { Decided::Equal(method) } else { Decided::Different(method) };
        match Field::new(64, false, &mut self.work).exact(expr, &point) {
            Ok(Some(value)) => {
                let gap = value - middle;
                let gap = if is_negative(&gap) { -gap } else { gap };
                return Ok(decide(gap <= *half, Method::Exact));
            }
            Ok(None) => {}
            Err(Stop::Exhausted) => return Err(Exhausted),
            Err(_) => return Ok(Decided::Different(Method::Exact)),
        }
        if infinity(expr).is_some() || !variables(&[expr]).is_empty() {
            return Ok(Decided::Different(Method::Exact));
        }
        for decimal_log in [false, true] {
            let point = Point { values: Vec::new(), decimal_log };
            for bits in PRECISIONS {
                match self.distance_sign(expr, &point, (middle, half), bits) {
                    Ok(Some(sign)) if sign <= 0 => return Ok(Decided::Equal(Method::Numeric)),
                    Ok(Some(_)) => break,
                    Ok(None) | Err(Stop::Unknown) => {}
                    Err(Stop::Exhausted) => return Err(Exhausted),
                    Err(_) => break,
                }
            }
            if !mentions_log(expr) {
                break;
            }
        }
        Ok(Decided::Different(Method::Numeric))
    }

    /// The exact value of an expression that arithmetic shows to be a rational number.
    pub(crate) fn rational(&mut self, expr: &Expr) -> Result<Option<RBig>, Exhausted> {
        match Field::new(64, false, &mut self.work).exact(expr, &Point::default()) {
            Ok(value) => Ok(value),
            Err(Stop::Exhausted) => Err(Exhausted),
            Err(_) => Ok(None),
        }
    }

    /// The sign of `|expr - middle| - half`.
    fn distance_sign(&mut self, expr: &Expr, point: &Point, (middle, half): (&RBig, &RBig), bits: usize) -> Result<Option<i8>, Stop> {
        let mut field = Field::new(bits, false, &mut self.work);
        let value = field.evaluate(expr, point)?;
        let (middle, half) = (field.number(middle)?, field.number(half)?);
        let gap = field.subtract(&value, &middle)?;
        let size = field.absolute(&gap)?;
        Ok(field.subtract(&size, &half)?.sign())
    }

    /// Whether `a = c b` for a constant `c` that is not zero, and the sign of `c` where it is needed and real.
    ///
    /// For equations (`signed` is false) denominators are multiplied out first: both stand for "this is zero".
    pub(crate) fn proportion(&mut self, a: &Expr, b: &Expr, signed: bool) -> Result<Option<i8>, Exhausted> {
        let form = self.with_share(|algebra| proportional_forms(algebra, a, b, signed))?;
        let proportional = match form {
            Ok(Some(decided)) => decided,
            Ok(None) | Err(_) => self.proportional_values(a, b)?,
        };
        if !proportional || !signed {
            return Ok(proportional.then_some(1));
        }
        let variables = variables(&[a, b]);
        for attempt in 0..TRIES {
            let point = Point { values: self.random_point(&variables, attempt, 0), decimal_log: false };
            let mut field = Field::new(PRECISIONS[1], true, &mut self.work);
            let signs = field.evaluate(a, &point).and_then(|a| Ok((a.sign(), field.evaluate(b, &point)?.sign())));
            match signs {
                Ok((Some(a), Some(b))) if a != 0 && b != 0 => return Ok(Some(a * b)),
                Err(Stop::Exhausted) => return Err(Exhausted),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The same by evaluation: `a(p) b(q) = b(p) a(q)` for random points.
    fn proportional_values(&mut self, a: &Expr, b: &Expr) -> Result<bool, Exhausted> {
        let variables = variables(&[a, b]);
        let mut first: Option<(Ball, Ball)> = None;
        let mut agreeing = 0;
        for attempt in 0..TRIES {
            let point = Point { values: self.random_point(&variables, attempt, 0), decimal_log: false };
            let mut field = Field::new(PRECISIONS[1], true, &mut self.work);
            let values = field.evaluate(a, &point).and_then(|a| Ok((a, field.evaluate(b, &point)?)));
            let (x, y) = match values {
                Ok((x, y)) if !x.may_be_zero() && !y.may_be_zero() => (x, y),
                Err(Stop::Exhausted) => return Err(Exhausted),
                _ => continue,
            };
            let Some((first_x, first_y)) = &first else {
                first = Some((x, y));
                continue;
            };
            let gap = field.multiply(&x, first_y).and_then(|left| {
                let right = field.multiply(&y, first_x)?;
                field.subtract(&left, &right)
            });
            match gap {
                Ok(gap) if !gap.may_be_zero() => return Ok(false),
                Ok(gap) if gap.is_narrow(PRECISIONS[1]) => agreeing += 1,
                Err(Stop::Exhausted) => return Err(Exhausted),
                _ => {}
            }
            if agreeing == POINTS {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The solution `x = -b/a` of `a x + b` with constant a and b, as `(a < 0, solution)`; `None` if it is not of this kind.
    pub(crate) fn linear_root(&mut self, expr: &Expr, variable: &str) -> Result<Option<(bool, RBig)>, Exhausted> {
        let form = self.with_share(|algebra| {
            let form = algebra.convert(expr, &Setting::default())?;
            Ok::<_, Stop>(linear_parts(algebra, &form, variable))
        })?;
        Ok(match form {
            Ok(Some((a, b))) => Some((is_negative(&a), -(b / a))),
            _ => None,
        })
    }
}

fn same_form(algebra: &mut Algebra<'_>, a: &Expr, b: &Expr, decimal_log: bool) -> Result<Option<Decided>, Stop> {
    let setting = Setting { decimal_log, ..Setting::default() };
    let a = algebra.convert(a, &setting)?;
    let b = algebra.convert(b, &setting)?;
    let gap = algebra.difference(&a, &b)?;
    let method = if algebra.is_algebraic_number(&a) && algebra.is_algebraic_number(&b) { Method::Exact } else { Method::Symbolic };
    Ok(if gap.is_zero() {
        Some(Decided::Equal(method))
    } else if algebra.is_surely_nonzero(&gap) {
        Some(Decided::Different(method))
    } else {
        None
    })
}

fn proportional_forms(algebra: &mut Algebra<'_>, a: &Expr, b: &Expr, signed: bool) -> Result<Option<bool>, Stop> {
    let setting = Setting::default();
    let (a, b) = (algebra.convert(a, &setting)?, algebra.convert(b, &setting)?);
    if a.top.is_zero() || b.top.is_zero() {
        return Ok(Some(a.top.is_zero() && b.top.is_zero()));
    }
    let (p, q) = if signed {
        (algebra.multiply_polys(&a.top, &b.bottom)?, algebra.multiply_polys(&b.top, &a.bottom)?)
    } else {
        (without_negative_powers(algebra, &a)?, without_negative_powers(algebra, &b)?)
    };
    let Some((lead, first)) = group_of(algebra, &p, None) else { return Ok(None) };
    let Some((_, second)) = group_of(algebra, &q, Some(&lead)) else { return Ok(None) };
    let left = algebra.multiply_polys(&p, &second)?;
    let right = algebra.multiply_polys(&q, &first)?;
    let gap = algebra.add_polys(&left, &right.negated())?;
    Ok(if gap.is_zero() {
        Some(true)
    } else if algebra.is_surely_nonzero(&gap) {
        Some(false)
    } else {
        None
    })
}

/// The upper part, multiplied by what makes all exponents of variables positive.
fn without_negative_powers(algebra: &mut Algebra<'_>, fraction: &Fraction) -> Result<Poly, Stop> {
    let mut lowest = Monomial::new();
    for &(id, exponent) in fraction.top.terms().iter().flat_map(|(monomial, _)| monomial) {
        if exponent.top() < 0 && algebra.depends_on_variables(id) {
            match lowest.iter_mut().find(|(own, _)| *own == id) {
                Some((_, low))
                    if i128::from(exponent.top()) * i128::from(low.bottom()) < i128::from(low.top()) * i128::from(exponent.bottom()) =>
                {
                    *low = exponent;
                }
                Some(_) => {}
                None => lowest.push((id, exponent)),
            }
        }
    }
    lowest.sort_unstable();
    for (_, exponent) in &mut lowest {
        *exponent = exponent.checked_mul(super::exponent::Exponent::integer(-1)).ok_or(Stop::TooBig)?;
    }
    algebra.multiply_polys(&fraction.top, &Poly::term(lowest, RBig::ONE))
}

/// The constant factor of one product of variables: that of `wanted`, or of the first.
fn group_of(algebra: &Algebra<'_>, poly: &Poly, wanted: Option<&Monomial>) -> Option<(Monomial, Poly)> {
    let split =
        |monomial: &Monomial| -> (Monomial, Monomial) { monomial.iter().copied().partition(|&(id, _)| algebra.depends_on_variables(id)) };
    let lead = match wanted {
        Some(lead) => lead.clone(),
        None => split(&poly.terms().last()?.0).0,
    };
    let mut factor = Vec::new();
    for (monomial, coefficient) in poly.terms() {
        let (variables, constants) = split(monomial);
        if variables == lead {
            factor.push((constants, coefficient.clone()));
        }
    }
    let factor = Poly::collect(factor);
    (!factor.is_zero()).then_some((lead, factor))
}

/// `a` and `b` of `a x + b` with rational numbers.
fn linear_parts(algebra: &Algebra<'_>, form: &Fraction, variable: &str) -> Option<(RBig, RBig)> {
    use super::algebra::Atom;
    use super::exponent::Exponent;
    let mut a = RBig::ZERO;
    let mut b = RBig::ZERO;
    for (monomial, coefficient) in form.is_whole().then(|| form.top.terms())? {
        match monomial.as_slice() {
            [] => b = coefficient.clone(),
            [(id, exponent)] if *exponent == Exponent::ONE && matches!(algebra.atom(*id), Atom::Variable(name) if name == variable) => {
                a = coefficient.clone();
            }
            _ => return None,
        }
    }
    (!a.is_zero()).then_some((a, b))
}

/// 1 for ∞, -1 for -∞.
pub(crate) fn infinity(expr: &Expr) -> Option<i8> {
    match expr {
        Expr::Constant(Constant::Infinity) => Some(1),
        Expr::Negative(inside) => infinity(inside).map(|sign| -sign),
        Expr::Sum(parts) | Expr::Product(parts) => match parts.as_slice() {
            [only] => infinity(only),
            _ => None,
        },
        _ => None,
    }
}

/// Names of variables, and whether only whole numbers make sense for them.
type Variables = Vec<(String, bool)>;

/// The free variables of all expressions, in order of their names.
pub(crate) fn variables(exprs: &[&Expr]) -> Variables {
    let (mut all, mut whole) = (BTreeSet::new(), BTreeSet::new());
    for expr in exprs {
        collect_variables(expr, &mut Vec::new(), false, &mut all, &mut whole);
    }
    all.into_iter().map(|name| (name.to_owned(), whole.contains(name))).collect()
}

fn collect_variables<'a>(
    expr: &'a Expr,
    bound: &mut Vec<&'a str>,
    discrete: bool,
    all: &mut BTreeSet<&'a str>,
    whole: &mut BTreeSet<&'a str>,
) {
    let mut visit = |expr: &'a Expr, discrete: bool, bound: &mut Vec<&'a str>| collect_variables(expr, bound, discrete, all, whole);
    match expr {
        Expr::Symbol(name) if !bound.contains(&name.as_str()) => {
            all.insert(name);
            if discrete {
                whole.insert(name);
            }
        }
        Expr::Number(_) | Expr::Symbol(_) | Expr::Constant(_) => {}
        Expr::Sum(parts) | Expr::Product(parts) => parts.iter().for_each(|part| visit(part, discrete, bound)),
        Expr::Negative(inside) | Expr::PlusMinus(inside) | Expr::MinusPlus(inside) => visit(inside, discrete, bound),
        Expr::Quotient(a, b) => {
            visit(a, discrete, bound);
            visit(b, discrete, bound);
        }
        Expr::Power(base, exponent) => {
            visit(base, discrete, bound);
            // (-1)^n has a meaning for whole n only.
            visit(exponent, discrete || matches!(base.as_ref(), Expr::Negative(_)) || is_negative_number(base), bound);
        }
        Expr::Root { degree, radicand } => {
            visit(degree, discrete, bound);
            visit(radicand, discrete, bound);
        }
        Expr::Apply(function, arguments) => {
            use Function as F;
            let counts = matches!(function, F::Factorial | F::DoubleFactorial | F::Binomial | F::Gcd | F::Lcm | F::Mod);
            arguments.iter().for_each(|argument| visit(argument, discrete || counts, bound));
        }
        Expr::Series { index, low, high, body, .. } => {
            visit(low, true, bound);
            visit(high, true, bound);
            bound.push(index);
            visit(body, discrete, bound);
            bound.pop();
        }
    }
}

fn is_negative_number(expr: &Expr) -> bool {
    matches!(expr, Expr::Number(number) if is_negative(&number.value))
}

/// Whether anything in the tree satisfies a test.
pub(crate) fn any(expr: &Expr, test: &impl Fn(&Expr) -> bool) -> bool {
    test(expr)
        || match expr {
            Expr::Number(_) | Expr::Symbol(_) | Expr::Constant(_) => false,
            Expr::Sum(parts) | Expr::Product(parts) | Expr::Apply(_, parts) => parts.iter().any(|part| any(part, test)),
            Expr::Quotient(a, b) | Expr::Power(a, b) => any(a, test) || any(b, test),
            Expr::Root { degree, radicand } => any(degree, test) || any(radicand, test),
            Expr::Negative(inside) | Expr::PlusMinus(inside) | Expr::MinusPlus(inside) => any(inside, test),
            Expr::Series { low, high, body, .. } => any(low, test) || any(high, test) || any(body, test),
        }
}

/// Whether the expression may follow different formulas in different places.
fn has_kinks(expr: &Expr) -> bool {
    use Function as F;
    any(expr, &|part| match part {
        Expr::Apply(function, _) => matches!(function, F::Abs | F::Floor | F::Ceiling | F::Min | F::Max | F::Mod | F::Gcd | F::Lcm),
        Expr::Root { .. } => true,
        Expr::Power(_, exponent) => matches!(exponent.as_ref(), Expr::Quotient(..)),
        _ => false,
    })
}

/// log2 of a size beyond the numbers of the expression, at most 40.
fn spread(expr: &Expr) -> u32 {
    let largest = std::cell::Cell::new(0);
    any(expr, &|part| {
        if let Expr::Number(number) = part {
            let size = number.value.to_f64_fast().abs().min(1e12);
            largest.set(largest.get().max(size.log2().ceil().max(0.0) as u32));
        }
        false
    });
    largest.get()
}

fn mentions_log(expr: &Expr) -> bool {
    any(expr, &|part| matches!(part, Expr::Apply(Function::Log, _)))
}

fn mentions_i(expr: &Expr) -> bool {
    any(expr, &|part| matches!(part, Expr::Constant(Constant::I)))
}

/// A small generator of random bits (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
