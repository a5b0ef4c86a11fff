//! Complex balls: a midpoint in fixed point and a bound on its error, which every operation keeps true.

use dashu_base::{BitTest, Sign, UnsignedAbs};
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::Stop;
use super::elementary::{self, to_f64};
use crate::math::work::Work;

/// Values of 2^MAX_SIZE and more are not computed.
const MAX_SIZE: usize = 900;
/// Bits that inner computations carry in addition.
const GUARD: usize = 64;

/// A disc of the complex plane: the value is within `radius` of the midpoint.
#[derive(Clone, Debug)]
pub(crate) struct Ball {
    re: IBig,
    im: IBig,
    /// In units of the last place.
    radius: f64,
    /// The value is known to be a real number.
    real: bool,
}

/// The precision of a computation.
#[derive(Debug)]
pub(crate) struct Field<'w> {
    /// Bits behind the point.
    bits: usize,
    /// Even roots and logarithms of negative numbers have no value: what a formula in real variables means.
    pub(super) real_only: bool,
    pub(super) work: &'w mut Work,
}

impl Ball {
    /// The sign of a real value, if the radius leaves no doubt. An exact zero has the sign 0.
    pub(crate) fn sign(&self) -> Option<i8> {
        if !self.real {
            return None;
        }
        if self.radius == 0.0 && self.re.is_zero() {
            return Some(0);
        }
        let clear = to_f64(&self.re, 0).abs() * (1.0 - 1e-12) > self.radius;
        clear.then(|| if self.re.sign() == Sign::Negative { -1 } else { 1 })
    }

    pub(crate) fn is_real(&self) -> bool {
        self.real
    }

    /// Whether zero cannot be ruled out.
    pub(crate) fn may_be_zero(&self) -> bool {
        let size = to_f64(&self.re, 0).abs().max(to_f64(&self.im, 0).abs());
        size * (1.0 - 1e-12) <= self.radius
    }

    /// Whether the radius is so small that a zero inside says something: half of the bits at most are lost.
    pub(crate) fn is_narrow(&self, bits: usize) -> bool {
        self.radius_below(bits, bits as f64 * 0.5)
    }

    /// Whether the radius is below 2^-wanted.
    pub(crate) fn radius_below(&self, bits: usize, wanted: f64) -> bool {
        self.radius == 0.0 || self.radius.log2() - (bits as f64) < -wanted
    }

    fn exact(re: IBig) -> Self {
        Self { re, im: IBig::ZERO, radius: 0.0, real: true }
    }
}

/// Rounds a bound up.
fn up(radius: f64) -> f64 {
    if radius.is_nan() { f64::INFINITY } else { radius * (1.0 + 1e-9) }
}

impl<'w> Field<'w> {
    pub(crate) fn new(bits: usize, real_only: bool, work: &'w mut Work) -> Self {
        Self { bits, real_only, work }
    }

    pub(crate) fn zero(&self) -> Ball {
        Ball::exact(IBig::ZERO)
    }

    pub(crate) fn one(&self) -> Ball {
        Ball::exact(IBig::ONE << self.bits)
    }

    pub(crate) fn imaginary(&self) -> Ball {
        Ball { re: IBig::ZERO, im: IBig::ONE << self.bits, radius: 0.0, real: false }
    }

    pub(crate) fn pi(&self) -> Ball {
        Ball { re: elementary::pi(self.bits), im: IBig::ZERO, radius: 2.0, real: true }
    }

    pub(crate) fn number(&mut self, value: &RBig) -> Result<Ball, Stop> {
        let (top, bottom) = (value.numerator(), value.denominator());
        if top.bit_len() > bottom.bit_len() + MAX_SIZE {
            return Err(Stop::TooBig);
        }
        let words = ((top.bit_len() + self.bits) / 64 + 1) as u64;
        self.work.pay(4 + words * (bottom.bit_len() as u64 / 64 + 1))?;
        let scaled = top << self.bits;
        if bottom.is_one() {
            return Ok(Ball::exact(scaled));
        }
        Ok(Ball { re: scaled / bottom, im: IBig::ZERO, radius: 1.0, real: true })
    }

    /// Pays for `operations` products of full length.
    fn pay(&mut self, operations: u64) -> Result<(), Stop> {
        let words = (self.bits / 64 + 2) as u64;
        Ok(self.work.pay(10 + operations * (10 + words * words / 2))?)
    }

    fn real_size(&self, value: &IBig) -> f64 {
        to_f64(value, self.bits).abs() * (1.0 + 1e-12)
    }

    /// An upper bound on the absolute value, not counting the radius.
    fn size(&self, a: &Ball) -> f64 {
        self.real_size(&a.re) + self.real_size(&a.im)
    }

    /// A lower bound on the absolute value, counting the radius; not above zero if zero is inside.
    fn least(&self, a: &Ball) -> f64 {
        let middle = to_f64(&a.re, self.bits).abs().max(to_f64(&a.im, self.bits).abs());
        middle * (1.0 - 1e-12) - self.in_units(a.radius)
    }

    /// A radius as a number.
    fn in_units(&self, radius: f64) -> f64 {
        if radius == 0.0 { 0.0 } else { radius * 2_f64.powi(-(self.bits as i32)) }
    }

    fn in_ulps(&self, size: f64) -> f64 {
        if size == 0.0 { 0.0 } else { up(size * 2_f64.powi(self.bits.min(1_000) as i32)) }
    }

    fn checked(&self, ball: Ball) -> Result<Ball, Stop> {
        if ball.re.bit_len().max(ball.im.bit_len()) > self.bits + MAX_SIZE { Err(Stop::TooBig) } else { Ok(ball) }
    }

    pub(crate) fn add(&mut self, a: &Ball, b: &Ball) -> Result<Ball, Stop> {
        self.work.pay(10)?;
        let ball = Ball { re: &a.re + &b.re, im: &a.im + &b.im, radius: up(a.radius + b.radius), real: a.real && b.real };
        self.checked(ball)
    }

    pub(crate) fn negate(&self, a: &Ball) -> Ball {
        Ball { re: -&a.re, im: -&a.im, ..a.clone() }
    }

    pub(crate) fn subtract(&mut self, a: &Ball, b: &Ball) -> Result<Ball, Stop> {
        let b = self.negate(b);
        self.add(a, &b)
    }

    pub(crate) fn multiply(&mut self, a: &Ball, b: &Ball) -> Result<Ball, Stop> {
        self.pay(if a.real && b.real { 1 } else { 4 })?;
        let (re, im) = if a.real && b.real {
            ((&a.re * &b.re) >> self.bits, IBig::ZERO)
        } else {
            ((&a.re * &b.re - &a.im * &b.im) >> self.bits, (&a.re * &b.im + &a.im * &b.re) >> self.bits)
        };
        let spread = |size: f64, radius: f64| if radius == 0.0 { 0.0 } else { size * radius };
        let radius = spread(self.size(a), b.radius) + spread(self.size(b), a.radius) + spread(self.in_units(a.radius), b.radius);
        self.checked(Ball { re, im, radius: up(radius) + 2.0, real: a.real && b.real })
    }

    pub(crate) fn inverse(&mut self, a: &Ball) -> Result<Ball, Stop> {
        if a.radius == 0.0 && a.re.is_zero() && a.im.is_zero() {
            return Err(Stop::Undefined);
        }
        let least = self.least(a);
        if least <= 0.0 {
            return Err(Stop::Unknown);
        }
        self.pay(6)?;
        let (re, im) = if a.real {
            ((IBig::ONE << (2 * self.bits)) / &a.re, IBig::ZERO)
        } else {
            let norm = &a.re * &a.re + &a.im * &a.im;
            ((&a.re << (2 * self.bits)) / &norm, (-(&a.im << (2 * self.bits))) / &norm)
        };
        let radius = if a.radius == 0.0 { 0.0 } else { a.radius / least / least };
        self.checked(Ball { re, im, radius: up(radius) + 2.0, real: a.real })
    }

    pub(crate) fn divide(&mut self, a: &Ball, b: &Ball) -> Result<Ball, Stop> {
        let inverse = self.inverse(b)?;
        self.multiply(a, &inverse)
    }

    /// `a^n` by repeated squaring.
    pub(crate) fn whole_power(&mut self, a: &Ball, n: i64) -> Result<Ball, Stop> {
        let mut result = self.one();
        let mut square = a.clone();
        let mut left = n.unsigned_abs();
        while left > 0 {
            if left & 1 == 1 {
                result = self.multiply(&result, &square)?;
            }
            left >>= 1;
            if left > 0 {
                square = self.multiply(&square, &square)?;
            }
        }
        if n < 0 { self.inverse(&result) } else { Ok(result) }
    }

    /// The root of degree `n` of a number: real for odd degrees of real numbers, else principal.
    pub(crate) fn root(&mut self, a: &Ball, n: u32) -> Result<Ball, Stop> {
        if n == 1 || (a.radius == 0.0 && a.re.is_zero() && a.im.is_zero()) {
            return Ok(a.clone());
        }
        if a.real {
            match a.sign() {
                Some(-1) if n % 2 == 1 => {
                    let mirrored = self.negate(a);
                    let root = self.root(&mirrored, n)?;
                    return Ok(self.negate(&root));
                }
                Some(-1) if self.real_only => return Err(Stop::Undefined),
                Some(-1) if n == 2 => {
                    let mirrored = self.negate(a);
                    let root = self.root(&mirrored, n)?;
                    return Ok(Ball { re: IBig::ZERO, im: root.re, radius: root.radius, real: false });
                }
                Some(1) if n <= 16 => return self.positive_root(a, n),
                None => {
                    // Zero is possible: the root is small, and imaginary if the value is on the other side.
                    let size = self.size(a) + self.in_units(a.radius);
                    let radius = self.in_ulps(size.powf(1.0 / f64::from(n)));
                    return Ok(Ball { re: IBig::ZERO, im: IBig::ZERO, radius, real: n % 2 == 1 || self.real_only });
                }
                _ => {}
            }
        }
        let log = self.ln(a)?;
        let part = self.number(&RBig::from_parts(IBig::ONE, UBig::from(n)))?;
        let scaled = self.multiply(&log, &part)?;
        self.exp(&scaled)
    }

    fn positive_root(&mut self, a: &Ball, n: u32) -> Result<Ball, Stop> {
        self.pay(if n == 2 { 6 } else { 40 * u64::from(n) })?;
        let shifted: IBig = &a.re << (self.bits * (n as usize - 1));
        let root = IBig::from(shifted.unsigned_abs().nth_root(n as usize));
        let least = self.least(a);
        let slope = least.powf(1.0 / f64::from(n) - 1.0) / f64::from(n);
        let radius = if a.radius == 0.0 { 0.0 } else { a.radius * slope };
        self.checked(Ball { re: root, im: IBig::ZERO, radius: up(radius) + 2.0, real: true })
    }

    pub(crate) fn exp(&mut self, a: &Ball) -> Result<Ball, Stop> {
        let wiggle = self.in_units(a.radius);
        if wiggle > 1.0 {
            return Err(Stop::Unknown);
        }
        let size = to_f64(&a.re, self.bits);
        if size > MAX_SIZE as f64 {
            return Err(Stop::TooBig);
        }
        self.pay(60)?;
        let inner = self.bits + GUARD + (size.max(0.0) * 1.5) as usize;
        if inner + 64 > elementary::MAX_BITS {
            return Err(Stop::TooBig);
        }
        let widen = inner - self.bits;
        let (mantissa, turns) = elementary::exp(&(&a.re << widen), inner).ok_or(Stop::TooBig)?;
        let scale = |value: IBig| -> IBig {
            let shift = turns - widen as i64;
            if shift >= 0 { value << shift as usize } else { value >> shift.unsigned_abs() as usize }
        };
        let (re, im) = if a.real {
            (scale(mantissa), IBig::ZERO)
        } else {
            self.pay(60)?;
            let (cos, sin) = elementary::cos_sin(&(&a.im << widen), inner).ok_or(Stop::TooBig)?;
            (scale((&mantissa * cos) >> inner), scale((&mantissa * sin) >> inner))
        };
        let ball = Ball { re, im, radius: 0.0, real: a.real };
        // |e^(z+d) - e^z| <= |e^z| |d| e^|d|
        let radius = if a.radius == 0.0 { 0.0 } else { (self.size(&ball) + self.in_units(4.0)) * a.radius * wiggle.exp() };
        self.checked(Ball { radius: up(radius) + 4.0, ..ball })
    }

    /// The principal logarithm.
    pub(crate) fn ln(&mut self, a: &Ball) -> Result<Ball, Stop> {
        if a.radius == 0.0 && a.re.is_zero() && a.im.is_zero() {
            return Err(Stop::Undefined);
        }
        let least = self.least(a);
        if least <= 0.0 {
            return Err(Stop::Unknown);
        }
        let negative = a.re.sign() == Sign::Negative;
        if a.real && negative && self.real_only {
            return Err(Stop::Undefined);
        }
        // Across the negative axis the logarithm jumps.
        if !a.real && negative && a.radius > 0.0 && to_f64(&a.im, 0).abs() <= a.radius {
            return Err(Stop::Unknown);
        }
        self.pay(150)?;
        let inner = self.bits + GUARD;
        let size = if a.real {
            IBig::from((&a.re << GUARD).unsigned_abs())
        } else {
            let norm: IBig = (&a.re * &a.re + &a.im * &a.im) << (2 * GUARD);
            IBig::from(norm.unsigned_abs().nth_root(2))
        };
        let re = elementary::ln(&size, inner).ok_or(Stop::Unknown)? >> GUARD;
        let im = if a.real && !negative { IBig::ZERO } else { self.angle_of(&a.im, &a.re)? };
        let radius = if a.radius == 0.0 { 0.0 } else { a.radius / least };
        Ok(Ball { re, im, radius: up(radius) + 4.0, real: a.real && !negative })
    }

    fn angle_of(&mut self, y: &IBig, x: &IBig) -> Result<IBig, Stop> {
        self.pay(100)?;
        let inner = self.bits + GUARD;
        Ok(elementary::angle(&(y << GUARD), &(x << GUARD), inner).ok_or(Stop::Unknown)? >> GUARD)
    }

    /// The angle of the point (x, y) of two real numbers.
    pub(crate) fn angle(&mut self, y: &Ball, x: &Ball) -> Result<Ball, Stop> {
        let point = Ball { re: x.re.clone(), im: y.re.clone(), radius: x.radius + y.radius, real: false };
        let least = self.least(&point);
        let jump = x.re.sign() == Sign::Negative && point.radius > 0.0 && to_f64(&y.re, 0).abs() <= point.radius;
        if least <= 0.0 || jump || !x.real || !y.real {
            return Err(Stop::Unknown);
        }
        let re = self.angle_of(&y.re, &x.re)?;
        let radius = if point.radius == 0.0 { 0.0 } else { point.radius / least };
        Ok(Ball { re, im: IBig::ZERO, radius: up(radius) + 4.0, real: true })
    }

    /// Cosine and sine.
    pub(crate) fn cos_sin(&mut self, a: &Ball) -> Result<(Ball, Ball), Stop> {
        if !a.real {
            let i = self.imaginary();
            let turned = self.multiply(&i, a)?;
            let (up, back) = (self.exp(&turned)?, self.negate(&turned));
            let down = self.exp(&back)?;
            let (sum, gap) = (self.add(&up, &down)?, self.subtract(&up, &down)?);
            let half = self.number(&RBig::from_parts(IBig::ONE, UBig::from(2_u8)))?;
            let cos = self.multiply(&sum, &half)?;
            let halved = self.multiply(&gap, &half)?;
            let turned_back = self.negate(&i);
            return Ok((cos, self.multiply(&halved, &turned_back)?));
        }
        self.pay(60)?;
        let inner = self.bits + GUARD;
        let (cos, sin) = elementary::cos_sin(&(&a.re << GUARD), inner).ok_or(Stop::TooBig)?;
        let ball = |value: IBig| Ball { re: value >> GUARD, im: IBig::ZERO, radius: up(a.radius) + 2.0, real: true };
        Ok((ball(cos), ball(sin)))
    }

    /// |a|.
    pub(crate) fn absolute(&mut self, a: &Ball) -> Result<Ball, Stop> {
        if a.real {
            return Ok(Ball { re: IBig::from(a.re.clone().unsigned_abs()), ..a.clone() });
        }
        self.pay(6)?;
        let norm = &a.re * &a.re + &a.im * &a.im;
        Ok(Ball { re: IBig::from(norm.unsigned_abs().nth_root(2)), im: IBig::ZERO, radius: a.radius + 2.0, real: true })
    }

    /// The whole number that the value certainly lies above or on (`floor`), or below or on.
    pub(crate) fn rounded(&mut self, a: &Ball, floor: bool) -> Result<Ball, Stop> {
        if !a.real || !a.radius.is_finite() {
            return Err(Stop::Unknown);
        }
        let margin = IBig::from(a.radius.min(1e300) as u128).max(IBig::ONE) + IBig::ONE;
        let margin = if a.radius == 0.0 { IBig::ZERO } else { margin };
        let round = |value: IBig| if floor { value >> self.bits } else { -((-value) >> self.bits) };
        let (low, high) = (round(&a.re - &margin), round(&a.re + &margin));
        if low != high || a.radius > 1e30 { Err(Stop::Unknown) } else { Ok(Ball::exact(low << self.bits)) }
    }

    /// Real and imaginary part.
    pub(crate) fn parts(&self, a: &Ball) -> (Ball, Ball) {
        let part = |value: &IBig| Ball { re: value.clone(), im: IBig::ZERO, radius: a.radius, real: true };
        (part(&a.re), if a.real { self.zero() } else { part(&a.im) })
    }

    pub(crate) fn conjugate(&self, a: &Ball) -> Ball {
        Ball { im: -&a.im, ..a.clone() }
    }
}
