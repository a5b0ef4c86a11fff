//! Work on many items at once: on every core, or on more threads for work that waits for others, programs and endpoints.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Cores of this machine that the process may use.
pub(crate) fn n_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `work` on every item, so many at a time, on threads of their own: one that waits holds up no other. Results in the order of the items.
pub(crate) fn in_parallel<T: Sync, R: Send + Sync>(n_threads: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let results: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..n_threads.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let idx = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(idx) else { break };
                    // Each index is taken once, so the place is empty.
                    drop(results[idx].set(work(item)));
                }
            });
        }
    });
    results.into_iter().map(|result| result.into_inner().expect("every item was worked on")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        for n_threads in [0, 1, 3, 64] {
            assert_eq!(in_parallel(n_threads, &items, |&item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
        assert!(in_parallel(4, &[] as &[u8], |&item| item).is_empty());
    }
}
