//! Figures of several runs that differ in their seed only.

use serde::{Deserialize, Serialize};

use super::{Z_95, mean_and_error};

/// The 97.5% points of Student's distribution with 1 to 10 degrees of freedom.
const T_95: [f64; 10] = [12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004, 2.262_157, 2.228_139];

/// A mean over seeds with its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedInterval {
    /// The mean.
    pub mean: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// Number of seeds.
    pub n_seeds: usize,
}

/// Mean over seeds with the 95% interval of Student's distribution: mean ± t s/√n with n − 1 degrees of freedom.
///
/// One seed says nothing about the spread: its interval is infinite. `None` without values.
pub fn mean_over_seeds(values: &[f64]) -> Option<SeedInterval> {
    if values.is_empty() {
        return None;
    }
    let (mean, error) = mean_and_error(values);
    let half = if values.len() < 2 { f64::INFINITY } else { t_95(values.len() - 1) * error };
    Some(SeedInterval { mean, lo: mean - half, hi: mean + half, n_seeds: values.len() })
}

/// The 97.5% point of Student's distribution; beyond the table by its expansion in 1/ν (Abramowitz and Stegun, 26.7.5), which is right
/// to five digits there.
fn t_95(degrees: usize) -> f64 {
    if let Some(&t) = T_95.get(degrees.wrapping_sub(1)) {
        return t;
    }
    let (z, nu) = (Z_95, degrees as f64);
    let (z3, z5, z7, z9) = (z.powi(3), z.powi(5), z.powi(7), z.powi(9));
    z + (z3 + z) / (4.0 * nu)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * nu.powi(2))
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * nu.powi(3))
        + (79.0 * z9 + 776.0 * z7 + 1482.0 * z5 - 1920.0 * z3 - 945.0 * z) / (92_160.0 * nu.powi(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_seeds_have_a_wide_interval() {
        // s = 1, error = 1/sqrt(3), t = 4.302653.
        let found = mean_over_seeds(&[1.0, 2.0, 3.0]).unwrap();
        assert!((found.mean - 2.0).abs() < 1e-12 && found.n_seeds == 3);
        assert!((found.hi - 2.0 - 2.484_138).abs() < 1e-5 && (2.0 - found.lo - 2.484_138).abs() < 1e-5, "{found:?}");
        assert_eq!(mean_over_seeds(&[]), None);
        let one = mean_over_seeds(&[0.5]).unwrap();
        assert_eq!((one.mean, one.lo, one.hi), (0.5, f64::NEG_INFINITY, f64::INFINITY));
        let same = mean_over_seeds(&[0.5; 4]).unwrap();
        assert_eq!((same.lo, same.hi), (0.5, 0.5));
    }

    #[test]
    fn students_points_go_on_smoothly_beyond_the_table() {
        for (degrees, expected) in [(11, 2.200_985), (20, 2.085_963), (30, 2.042_272), (120, 1.979_930)] {
            assert!((t_95(degrees) - expected).abs() < 2e-5, "{degrees}: {}", t_95(degrees));
        }
    }
}
