//! Completions that are cut off by the token budget: DAPO's two answers (arXiv 2503.14476, section 3.4).
//!
//! Soft overlong punishment adds [`SoftOverlong::penalty`] to the reward. Overlong filtering takes truncated completions out of the
//! loss: their rewards still count in the baseline of their group, but they are not packed, and so count in no denominator.

use ruminate_core::FinishReason;
pub use ruminate_core::SoftOverlong;

/// Whether a completion takes part in the loss when truncated ones are filtered: it ended by itself.
pub fn is_complete(finish_reason: FinishReason) -> bool {
    finish_reason == FinishReason::Stop
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_completions_that_ended_by_themselves_are_complete() {
        assert_eq!([FinishReason::Stop, FinishReason::Length, FinishReason::Aborted].map(is_complete), [true, false, false]);
    }
}
