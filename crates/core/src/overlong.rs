//! The penalty of completions that come close to the token budget. Here because rewards and trainer both speak of it.

/// The length-dependent penalty of equation 13 of DAPO (arXiv 2503.14476, section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftOverlong {
    /// L_max: the length from which the penalty is −1; DAPO 20,480 tokens.
    pub max_length: u32,
    /// L_cache: over how many tokens before L_max the penalty grows; DAPO 4,096 tokens.
    pub cache: u32,
}

impl SoftOverlong {
    /// The penalty whose cache is `share` of the generation budget, as 4,096 is 0.2 of DAPO's 20,480; rounded to whole tokens.
    pub fn of_budget(max_length: u32, share: f32) -> Self {
        Self { max_length, cache: (f64::from(max_length) * f64::from(share)).round() as u32 }
    }

    /// What to add to the reward of a completion of `n_tokens` tokens, in [−1, 0]: 0 up to L_max − L_cache, then
    /// ((L_max − L_cache) − |y|)/L_cache, and −1 beyond L_max.
    pub fn penalty(self, n_tokens: usize) -> f32 {
        let n_over = n_tokens as f64 - (f64::from(self.max_length) - f64::from(self.cache));
        if n_over <= 0.0 {
            0.0
        } else if n_tokens > self.max_length as usize {
            -1.0
        } else {
            (-n_over / f64::from(self.cache)) as f32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        let dapo = SoftOverlong { max_length: 20_480, cache: 4_096 };
        assert_eq!(SoftOverlong::of_budget(20_480, 0.2), dapo);
        let cases = [(0, 0.0), (16_384, 0.0), (16_385, -1.0 / 4096.0), (18_432, -0.5), (20_480, -1.0), (20_481, -1.0), (60_000, -1.0)];
        for (n_tokens, expected) in cases {
            assert_eq!(dapo.penalty(n_tokens), expected, "{n_tokens} tokens");
        }
    }

    #[test]
    fn no_cache_is_a_step() {
        let step = SoftOverlong { max_length: 10, cache: 0 };
        assert_eq!([step.penalty(10), step.penalty(11)], [0.0, -1.0]);
    }

    #[test]
    fn a_cache_larger_than_the_budget_starts_below_zero() {
        let penalty = SoftOverlong { max_length: 10, cache: 20 };
        assert_eq!([penalty.penalty(0), penalty.penalty(10)], [-0.5, -1.0]);
    }
}
