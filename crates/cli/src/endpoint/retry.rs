//! Pauses between tries.

use std::time::Duration;

use ruminate_core::Seed;

/// Longest pause that is chosen here; a server may ask for a longer one.
const LONGEST: Duration = Duration::from_secs(60);

/// Pauses that double, each shortened by up to a half at random, so that many questions that failed together do not come back together.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
    seed: Seed,
    n_given: u64,
}

impl Pauses {
    /// `name` makes the randomness: other questions wait otherwise.
    pub(super) fn new(first: Duration, name: &str) -> Self {
        Self { next: first.min(LONGEST), seed: Seed::new(0).with("pause").with(name), n_given: 0 }
    }

    /// The next pause: at least what the server asked for.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let share = 0.5 + 0.5 * self.seed.with_index(self.n_given).uniform();
        let pause = self.next.mul_f64(share);
        self.next = (2 * self.next).min(LONGEST);
        self.n_given += 1;
        asked.map_or(pause, |asked| asked.max(pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_obey_the_server() {
        let mut pauses = Pauses::new(Duration::from_secs(1), "q");
        for secs in [1, 2, 4, 8, 16, 32, 60, 60] {
            let pause = pauses.next(None);
            assert!(pause > Duration::from_secs(secs) / 2 && pause <= Duration::from_secs(secs), "{secs}: {pause:?}");
        }
        assert_eq!(pauses.next(Some(Duration::from_secs(100))), Duration::from_secs(100));
        let mut short = Pauses::new(Duration::from_secs(1), "q");
        assert!(short.next(Some(Duration::ZERO)) >= Duration::from_millis(500));
        let first = |name| Pauses::new(Duration::from_secs(1), name).next(None);
        assert_eq!(first("a"), first("a"));
        assert_ne!(first("a"), first("b"));
    }
}
