//! A limit on how much goes on at a time.

use std::sync::{Condvar, Mutex, PoisonError};

/// Places to be taken.
#[derive(Debug)]
pub(super) struct Slots {
    n_free: Mutex<usize>,
    freed: Condvar,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Slot<'a>(&'a Slots);

impl Slots {
    pub(super) fn new(n: usize) -> Self {
        Self { n_free: Mutex::new(n), freed: Condvar::new() }
    }

    /// Waits for a free place.
    pub(super) fn take(&self) -> Slot<'_> {
        // A number cannot be left half changed by a thread that panicked.
        let mut n_free = self.n_free.lock().unwrap_or_else(PoisonError::into_inner);
        while *n_free == 0 {
            n_free = self.freed.wait(n_free).unwrap_or_else(PoisonError::into_inner);
        }
        *n_free -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.n_free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
