//! Counter-based randomness: every random number is a pure function of a key, so nothing depends on order or batching.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A 64-bit randomness key, derived step by step: `Seed::new(17).with("rollout").with_index(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The root key of a run.
    pub fn new(value: u64) -> Self {
        Self(mix(value))
    }

    /// The key below this one for a name, such as a stage or problem id.
    #[must_use]
    pub fn with(self, name: &str) -> Self {
        let hash = blake3::Hasher::new().update(&self.0.to_le_bytes()).update(name.as_bytes()).finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        Self(u64::from_le_bytes(first))
    }

    /// The key below this one for a number, such as a step, sample index or position.
    #[must_use]
    pub fn with_index(self, index: u64) -> Self {
        Self(mix(self.0 ^ mix(index.wrapping_add(0x9E37_79B9_7F4A_7C15))))
    }

    /// The key as a number in [0, 1), with 53 random bits.
    pub fn uniform(self) -> f64 {
        (mix(self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The key as an integer, for records.
    pub fn value(self) -> u64 {
        self.0
    }

    /// A generator that starts from this key, for data that is made in a fixed order.
    pub fn rng(self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.0)
    }
}

/// The finalizer of `SplitMix64` (Steele, Lea, Flood 2014): a bijection of 64-bit words in which every input bit reaches every output bit.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_every_part() {
        let a = Seed::new(17).with("zero").with_index(1);
        assert_eq!(a, Seed::new(17).with("zero").with_index(1));
        assert_ne!(a, Seed::new(18).with("zero").with_index(1));
        assert_ne!(a, Seed::new(17).with("one").with_index(1));
        assert_ne!(a, Seed::new(17).with("zero").with_index(2));
    }

    #[test]
    fn uniform_fills_the_unit_interval_evenly() {
        let n = 100_000;
        let mut tenths = [0_u32; 10];
        for i in 0..n {
            let u = Seed::new(1).with_index(i).uniform();
            tenths[(u * 10.0) as usize] += 1;
        }
        // Binomial(100000, 0.1): standard deviation 95, so 5 sigma is 475.
        assert!(tenths.iter().all(|&c| c.abs_diff(10_000) < 475), "{tenths:?}");
    }
}
