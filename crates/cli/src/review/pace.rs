//! How long the rest will take at the pace of this sitting.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Decisions that the pace is measured over.
const WINDOW: usize = 30;

/// A longer gap between two decisions is a break, not work.
const LONGEST_GAP: Duration = Duration::from_mins(5);

/// When the last decisions were taken, by all reviewers together.
#[derive(Debug, Default)]
pub(super) struct Pace {
    gaps: VecDeque<Duration>,
    last: Option<Instant>,
}

impl Pace {
    /// A decision was taken.
    pub(super) fn record(&mut self, now: Instant) {
        let gap = self.last.replace(now).map(|last| now.saturating_duration_since(last));
        if let Some(gap) = gap.filter(|gap| *gap <= LONGEST_GAP) {
            self.gaps.push_back(gap);
            if self.gaps.len() > WINDOW {
                self.gaps.pop_front();
            }
        }
    }

    /// Seconds that `n_left` decisions will take; `None` before three were taken.
    pub(super) fn secs_left(&self, n_left: usize) -> Option<f64> {
        let total: Duration = self.gaps.iter().sum();
        (self.gaps.len() >= 2).then(|| total.as_secs_f64() / self.gaps.len() as f64 * n_left as f64)
    }
}
