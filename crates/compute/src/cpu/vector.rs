//! Loops compiled for the widest instructions of this processor, and the reductions and functions that vectorise.
//!
//! Sums keep [`LANES`] partial sums whatever the width of the hardware vectors, so results do not depend on the processor.

/// Number of partial sums in every reduction.
pub(crate) const LANES: usize = 16;

/// Compiles a function for several instruction sets and picks the widest one there is when it is called. What it calls must be
/// `#[inline(always)]` to take part; closures inside it do.
macro_rules! vectorize {
    ($($function:tt)*) => {
        #[multiversion::multiversion(targets(
            "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+bmi1+bmi2+fma+lzcnt+movbe+popcnt",
            "x86_64+avx2+bmi1+bmi2+fma+lzcnt+movbe+popcnt",
        ))]
        $($function)*
    };
}
pub(crate) use vectorize;

/// Σ f(i) over `0..n` with fixed lanes.
#[inline(always)]
pub(crate) fn sum_by(n: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let n_blocks = n / LANES;
    for block in 0..n_blocks {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += f(block * LANES + lane);
        }
    }
    for (lane, sum) in lanes.iter_mut().enumerate() {
        let i = n_blocks * LANES + lane;
        if i < n {
            *sum += f(i);
        }
    }
    fold(lanes)
}

/// Adds the lanes pairwise.
#[inline(always)]
fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Σ x².
#[inline(always)]
pub(crate) fn sum_squares(x: &[f32]) -> f32 {
    sum_by(x.len(), |i| x[i] * x[i])
}

/// Σ x y.
#[inline(always)]
pub(crate) fn dot(x: &[f32], y: &[f32]) -> f32 {
    let y = &y[..x.len()];
    sum_by(x.len(), |i| x[i] * y[i])
}

/// The largest element; `-inf` when there is none.
#[inline(always)]
pub(crate) fn max(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            // A NaN must come out, so that it is found; `f32::max` would drop it.
            *lane = if value > *lane || value.is_nan() { value } else { *lane };
        }
    }
    let mut largest = f32::NEG_INFINITY;
    for &value in lanes.iter().chain(rest) {
        largest = if value > largest || value.is_nan() { value } else { largest };
    }
    largest
}

/// eˣ to about 1 ulp; exactly 0 below -87.3 (there f32 turns subnormal), +inf above 88.0 (f32 overflows at 88.7), NaN for NaN.
///
/// Cody-Waite reduction by multiples of ln 2 and a degree-6 polynomial on [-ln 2 / 2, ln 2 / 2] (the minimax coefficients of
/// the Cephes library's `expf`).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 leaves the rounded integer in the low mantissa bits.
    const MAGIC: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.3, 88.0);
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, MAGIC);
    let n = shifted - MAGIC;
    let r = n.mul_add(-0.693_359_4, clamped);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4_f32.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r * r, r + 1.0);
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    let y = if x < -87.3 { 0.0 } else { p * power };
    if x > 88.0 { f32::INFINITY } else { y }
}

/// The logistic function 1 / (1 + e⁻ˣ).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_libm() {
        let mut worst: f64 = 0.0;
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let expected = f64::from(x).exp();
            worst = worst.max(((f64::from(exp(x)) - expected) / expected).abs());
        }
        assert!(worst < 1.5e-7, "largest relative error {worst:e}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-100.0), 0.0);
        assert_eq!(exp(100.0), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn reductions_match_plain_loops() {
        for n in [0, 1, 15, 16, 17, 100] {
            let x: Vec<f32> = (0..n).map(|i| i as f32 - 3.0).collect();
            assert_eq!(sum_by(n, |i| x[i]), x.iter().sum::<f32>());
            assert_eq!(max(&x), x.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
        assert!(max(&[1.0, f32::NAN, 2.0]).is_nan());
    }
}
