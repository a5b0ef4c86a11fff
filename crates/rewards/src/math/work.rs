//! Bounded work: every step of parsing and comparing pays, and a judgement that runs out of money ends.

/// A budget of elementary steps. One step is about ten nanoseconds: a limit of work is a limit of time on any machine, up to its
/// speed, and gives the same verdict on all of them.
#[derive(Debug)]
pub(crate) struct Work {
    left: u64,
}

/// The budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl Work {
    pub(crate) fn new(steps: u64) -> Self {
        Self { left: steps }
    }

    /// Steps that are left.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Pays for `steps`. Big-number operations cost their size in words, products its square.
    pub(crate) fn pay(&mut self, steps: u64) -> Result<(), Exhausted> {
        self.left = self.left.checked_sub(steps).ok_or(Exhausted)?;
        Ok(())
    }
}
