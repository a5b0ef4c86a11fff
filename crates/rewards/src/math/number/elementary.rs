//! Exponential, logarithm, sine, cosine and angle of fixed-point numbers: the integer `x` at `bits` stands for `x / 2^bits`.
//!
//! Each result is off by less than 2^24 units in the last place; callers work with 64 bits more than they need. The methods are the
//! usual ones: argument reduction, Taylor series, and one step from a machine-precision value for the inverse functions.

use std::sync::OnceLock;

use dashu_base::BitTest;
use dashu_int::IBig;

/// Most bits that the constants are known to.
pub(super) const MAX_BITS: usize = 6_000;
/// How often an argument is halved before its series.
const HALVINGS: usize = 8;

/// π.
pub(super) fn pi(bits: usize) -> IBig {
    static PI: OnceLock<IBig> = OnceLock::new();
    // Machin: π = 16 arctan 1/5 − 4 arctan 1/239.
    let known = PI.get_or_init(|| inverse_series(5, true) * 16 - inverse_series(239, true) * 4);
    known >> (MAX_BITS - bits)
}

/// ln 2.
pub(super) fn ln_2(bits: usize) -> IBig {
    static LN_2: OnceLock<IBig> = OnceLock::new();
    // ln 2 = 18 artanh 1/26 − 2 artanh 1/4801 + 8 artanh 1/8749.
    let known = LN_2.get_or_init(|| inverse_series(26, false) * 18 - inverse_series(4801, false) * 2 + inverse_series(8749, false) * 8);
    known >> (MAX_BITS - bits)
}

/// arctan(1/n), or artanh(1/n), at `MAX_BITS`.
fn inverse_series(n: u32, alternating: bool) -> IBig {
    let mut power = (IBig::ONE << MAX_BITS) / n;
    let mut sum = IBig::ZERO;
    let mut odd = 1_u32;
    while !power.is_zero() {
        let term = &power / odd;
        if alternating && odd % 4 == 3 {
            sum -= term;
        } else {
            sum += term;
        }
        power /= n * n;
        odd += 2;
    }
    sum
}

/// e^x as `(mantissa at bits, exponent of two)`, the mantissa near 1. `None` if x is beyond ± 2^20.
pub(super) fn exp(x: &IBig, bits: usize) -> Option<(IBig, i64)> {
    if x.bit_len() > bits + 20 {
        return None;
    }
    let ln_2 = ln_2(bits);
    let turns = i64::try_from(x / &ln_2).ok()?;
    let mut small = x - &ln_2 * turns;
    small >>= HALVINGS;
    let one = IBig::ONE << bits;
    let (mut sum, mut term) = (&one + &small, small.clone());
    let mut n = 2_u32;
    while !term.is_zero() && term != IBig::NEG_ONE {
        term = ((term * &small) >> bits) / n;
        sum += &term;
        n += 1;
    }
    for _ in 0..HALVINGS {
        sum = (&sum * &sum) >> bits;
    }
    Some((sum, turns))
}

/// Cosine and sine. `None` if x is beyond ± 2^40.
pub(super) fn cos_sin(x: &IBig, bits: usize) -> Option<(IBig, IBig)> {
    if x.bit_len() > bits + 40 || bits + 64 > MAX_BITS {
        return None;
    }
    // Whole turns are taken off with π known to more bits, so that large angles lose nothing.
    let tau: IBig = pi(bits + 48) * 2;
    let turns = (x << 48) / &tau;
    let reduced: IBig = ((x << 48) - &tau * turns) >> 48;
    let small = reduced >> HALVINGS;
    let (mut cos, mut sin) = (IBig::ONE << bits, small.clone());
    let mut term = small.clone();
    let mut n = 2_u32;
    while !term.is_zero() && term != IBig::NEG_ONE {
        term = ((term * &small) >> bits) / n;
        match n % 4 {
            0 => cos += &term,
            1 => sin += &term,
            2 => cos -= &term,
            _ => sin -= &term,
        }
        n += 1;
    }
    for _ in 0..HALVINGS {
        let (c, s) = ((&cos * &cos - &sin * &sin) >> bits, (&cos * &sin) >> (bits - 1));
        (cos, sin) = (c, s);
    }
    Some((cos, sin))
}

/// ln of a positive number.
pub(super) fn ln(x: &IBig, bits: usize) -> Option<IBig> {
    let shift = x.bit_len() as i64 - bits as i64;
    // x = scaled · 2^shift with scaled in [1/2, 1).
    let scaled: IBig = if shift >= 0 { x >> shift as usize } else { x << (-shift) as usize };
    let start = to_f64(&scaled, bits).ln();
    let start = from_f64(start, bits)?;
    let (mantissa, turns) = exp(&-&start, bits)?;
    let inverse: IBig = if turns >= 0 { mantissa << turns as usize } else { mantissa >> (-turns) as usize };
    let rest = ((scaled * inverse) >> bits) - (IBig::ONE << bits);
    // ln(1 + r) for a tiny r.
    let (mut sum, mut power) = (IBig::ZERO, rest.clone());
    let mut n = 1_i32;
    while !power.is_zero() && power != IBig::NEG_ONE && n < 500 {
        sum += if n % 2 == 1 { &power / n } else { -(&power / n) };
        power = (power * &rest) >> bits;
        n += 1;
    }
    // x may be known to more bits than the shift throws away; callers count that as an error of the input.
    Some(start + sum + ln_2(bits) * shift)
}

/// The angle of the point (x, y), in (-π, π]; not both zero.
pub(super) fn angle(y: &IBig, x: &IBig, bits: usize) -> Option<IBig> {
    let size = x.bit_len().max(y.bit_len());
    let scale = |v: &IBig| -> IBig { if size > bits { v >> (size - bits) } else { v << (bits - size) } };
    let (x, y) = (scale(x), scale(y));
    let start = from_f64(to_f64(&y, bits).atan2(to_f64(&x, bits)), bits)?;
    let (cos, sin) = cos_sin(&start, bits)?;
    // Turned back by the start, the point is close to the positive axis.
    let along: IBig = (&x * &cos + &y * &sin) >> bits;
    let across: IBig = &y * &cos - &x * &sin;
    if along.is_zero() {
        return None;
    }
    let slope: IBig = across / along;
    let square = (&slope * &slope) >> bits;
    let (mut sum, mut power) = (IBig::ZERO, slope);
    let mut odd = 1_i32;
    while !power.is_zero() && power != IBig::NEG_ONE && odd < 500 {
        sum += if odd % 4 == 1 { &power / odd } else { -(&power / odd) };
        power = (power * &square) >> bits;
        odd += 2;
    }
    Some(start + sum)
}

/// The nearest machine number.
pub(super) fn to_f64(x: &IBig, bits: usize) -> f64 {
    let length = x.bit_len();
    let shift = length.saturating_sub(62);
    let top = i64::try_from(x >> shift).unwrap_or_default();
    let exponent = shift as i64 - bits as i64;
    // Two steps, because 2^exponent alone may underflow.
    let half = (exponent / 2) as i32;
    (top as f64) * 2_f64.powi(half) * 2_f64.powi((exponent - i64::from(half)) as i32)
}

fn from_f64(value: f64, bits: usize) -> Option<IBig> {
    if !value.is_finite() || value.abs() > 1e6 {
        return None;
    }
    let scaled = (value * 2_f64.powi(40)) as i64;
    // 40 bits behind the point are exact in a machine number of this size; the step that follows needs no more.
    let start = IBig::from(scaled);
    Some(if bits >= 40 { start << (bits - 40) } else { start >> (40 - bits) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(value: f64) -> IBig {
        from_f64(value, 300).unwrap()
    }

    fn close(found: &IBig, expected: f64, what: &str) {
        assert!((to_f64(found, 300) - expected).abs() < 1e-9 * (1.0 + expected.abs()), "{what}: {} {expected}", to_f64(found, 300));
    }

    #[test]
    fn values_agree_with_machine_precision() {
        close(&pi(300), std::f64::consts::PI, "pi");
        close(&ln_2(300), std::f64::consts::LN_2, "ln 2");
        for x in [0.5, 1.0, 3.25, 17.5, 0.001, -0.5, -20.0, 0.0] {
            let (mantissa, turns) = exp(&fixed(x), 300).unwrap();
            let x = to_f64(&fixed(x), 300);
            close(&mantissa, x.exp() / 2_f64.powi(turns as i32), "exp");
            let (cos, sin) = cos_sin(&fixed(x), 300).unwrap();
            close(&cos, x.cos(), "cos");
            close(&sin, x.sin(), "sin");
            if x > 0.0 {
                close(&ln(&fixed(x), 300).unwrap(), x.ln(), "ln");
            }
            close(&angle(&fixed(x), &fixed(0.75), 300).unwrap(), x.atan2(0.75), "angle");
            close(&angle(&fixed(x), &fixed(-0.75), 300).unwrap(), x.atan2(-0.75), "angle");
        }
    }

    #[test]
    fn inverse_functions_undo_at_full_precision() {
        let bits = 500;
        let x = (IBig::from(7) << bits) / 5;
        let (mantissa, turns) = exp(&x, bits).unwrap();
        let back = ln(&(mantissa << turns as usize), bits).unwrap();
        assert!((back - &x).bit_len() < 24);
        let (cos, sin) = cos_sin(&x, bits).unwrap();
        assert!((angle(&sin, &cos, bits).unwrap() - &x).bit_len() < 24);
    }
}
