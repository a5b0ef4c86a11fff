//! Random choices that a seed decides.

use rand::RngExt;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// A source of random choices. The same seed and name give the same choices on every machine.
#[derive(Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// Dice of one family: the name is mixed in, so that a new family leaves the others as they are.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        // FNV-1a, as short as a mix of bytes can be.
        let mixed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(ChaCha8Rng::seed_from_u64(seed ^ mixed))
    }

    /// A number from `low` to `high`, both possible.
    pub(super) fn int(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high)
    }

    /// A number from `-high` to `high` that is not 0.
    pub(super) fn nonzero(&mut self, high: i64) -> i64 {
        let size = self.int(1, high);
        if self.chance(2) { -size } else { size }
    }

    /// An index below `len`.
    pub(super) fn below(&mut self, len: usize) -> usize {
        self.0.random_range(0..len)
    }

    /// One of the items.
    pub(super) fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    /// True once in `n` times.
    pub(super) fn chance(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// The items in random order.
    pub(super) fn shuffled<T: Clone>(&mut self, items: &[T]) -> Vec<T> {
        let mut items = items.to_vec();
        items.shuffle(&mut self.0);
        items
    }

    /// `n` different numbers from `low` to `high`, in random order.
    pub(super) fn distinct(&mut self, n: usize, low: i64, high: i64) -> Vec<i64> {
        let mut found = Vec::new();
        while found.len() < n {
            let value = self.int(low, high);
            if !found.contains(&value) {
                found.push(value);
            }
        }
        found
    }
}
