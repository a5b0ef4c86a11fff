//! Search for assignments that fit all clues: houses that no clue supports are struck off, then one value's houses are tried in turn.
//!
//! Which value: that with the fewest houses for the weight of its clues, where a clue gains weight each time it leaves a value without a
//! house (Boussemart, Hemery, Lecoutre and Sais 2004). Without weights a puzzle of loose clues can take for ever.

use super::Grid;

/// Up to this many houses, all sets of values of a category are looked at: 256 of them.
const MAX_HALL_HOUSES: usize = 8;

/// What a search found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Solutions {
    pub(super) n_found: usize,
    /// Whether the search ended by itself, not for lack of steps.
    pub(super) is_whole: bool,
}

/// Searches until `n_wanted` assignments are found, with at most `max_steps` trials of a clue.
pub(super) fn solve(grid: &Grid, n_wanted: usize, max_steps: u64) -> Solutions {
    let mut search = Search { grid, weights: vec![1; grid.clues.len()], n_found: 0, n_wanted, steps_left: max_steps };
    let everywhere = (1_u32 << grid.houses) - 1;
    let is_whole = search.run(vec![everywhere; grid.values.len()]).is_some();
    Solutions { n_found: search.n_found, is_whole }
}

struct Search<'a> {
    grid: &'a Grid,
    /// By clue.
    weights: Vec<u64>,
    n_found: usize,
    n_wanted: usize,
    steps_left: u64,
}

impl Search<'_> {
    /// `houses[v]` are the houses that value v may be in, as bits. `None` when the steps are used up. The depth is at most the number of
    /// values.
    fn run(&mut self, mut houses: Vec<u32>) -> Option<()> {
        if !self.strike(&mut houses)? {
            return Some(());
        }
        let Some(value) = self.next_value(&houses) else {
            let house_of: Vec<usize> = houses.iter().map(|bits| bits.trailing_zeros() as usize).collect();
            self.steps_left = self.steps_left.checked_sub(self.grid.clues.len() as u64)?;
            match self.grid.clues.iter().position(|clue| !clue.holds(&house_of)) {
                Some(broken) => self.weights[broken] += 1,
                None => self.n_found += 1,
            }
            return Some(());
        };
        for house in (0..self.grid.houses).filter(|house| houses[value] >> house & 1 == 1) {
            let mut next = houses.clone();
            next[value] = 1 << house;
            self.run(next)?;
            if self.n_found >= self.n_wanted {
                break;
            }
        }
        Some(())
    }

    /// The value to try next; `None` if all have one house.
    fn next_value(&self, houses: &[u32]) -> Option<usize> {
        let mut weights = vec![1_u64; houses.len()];
        for (clue, weight) in self.grid.clues.iter().zip(&self.weights) {
            clue.values.iter().for_each(|&value| weights[value] += weight);
        }
        let open = (0..houses.len()).filter(|&value| houses[value].count_ones() > 1);
        // Few houses and much weight first, compared without division.
        open.reduce(|best, value| {
            let ahead = u64::from(houses[value].count_ones()) * weights[best] < u64::from(houses[best].count_ones()) * weights[value];
            if ahead { value } else { best }
        })
    }

    /// Strikes off houses until nothing changes. `Some(false)` if a value has none left.
    fn strike(&mut self, houses: &mut [u32]) -> Option<bool> {
        loop {
            let before = houses.to_vec();
            for clue_idx in 0..self.grid.clues.len() {
                // Wider clues are looked at when all their values have a house.
                if self.grid.clues[clue_idx].values.len() <= 3 {
                    self.strike_by_clue(clue_idx, houses)?;
                    if self.grid.clues[clue_idx].values.iter().any(|&value| houses[value] == 0) {
                        self.weights[clue_idx] += 1;
                        return Some(false);
                    }
                }
            }
            for values in houses.chunks_mut(self.grid.houses) {
                self.steps_left = self.steps_left.checked_sub(1 << values.len().min(MAX_HALL_HOUSES))?;
                strike_by_category(values);
            }
            if houses.contains(&0) {
                return Some(false);
            }
            if houses == before {
                return Some(true);
            }
        }
    }

    /// Keeps the houses that stand in some choice of houses for the clue's values under which it holds.
    fn strike_by_clue(&mut self, clue_idx: usize, houses: &mut [u32]) -> Option<()> {
        let clue = &self.grid.clues[clue_idx];
        let mut house_of = vec![0; houses.len()];
        let mut supported = vec![0_u32; clue.values.len()];
        let n_houses = self.grid.houses;
        let n_choices = n_houses.pow(clue.values.len() as u32);
        // Choices that are passed over cost little, but not nothing.
        self.steps_left = self.steps_left.checked_sub(1 + n_choices as u64 / 16)?;
        for choice in 0..n_choices {
            let chosen = |idx: usize| choice / n_houses.pow(idx as u32) % n_houses;
            if clue.values.iter().enumerate().any(|(idx, &value)| houses[value] >> chosen(idx) & 1 == 0) {
                continue;
            }
            clue.values.iter().enumerate().for_each(|(idx, &value)| house_of[value] = chosen(idx));
            self.steps_left = self.steps_left.checked_sub(1)?;
            if clue.holds(&house_of) {
                (0..supported.len()).for_each(|idx| supported[idx] |= 1 << chosen(idx));
            }
        }
        clue.values.iter().zip(supported).for_each(|(&value, supported)| houses[value] &= supported);
        Some(())
    }
}

/// The values of one category are in different houses, and every house has one: as many values as share as many houses take them from
/// the others.
fn strike_by_category(values: &mut [u32]) {
    let n_values = values.len();
    if n_values > MAX_HALL_HOUSES {
        for idx in 0..n_values {
            let others = (0..n_values).filter(|&other| other != idx).fold(0, |bits, other| bits | values[other]);
            if (values[idx] & !others).count_ones() == 1 {
                values[idx] &= !others;
            }
            if values[idx].count_ones() == 1 {
                let taken = values[idx];
                (0..n_values).filter(|&other| other != idx).for_each(|other| values[other] &= !taken);
            }
        }
        return;
    }
    for set in 1_u32..1 << n_values {
        let is_member = |idx: usize| set >> idx & 1 == 1;
        let shared = (0..n_values).filter(|&idx| is_member(idx)).fold(0, |bits, idx| bits | values[idx]);
        match shared.count_ones().cmp(&set.count_ones()) {
            std::cmp::Ordering::Less => return values.fill(0),
            std::cmp::Ordering::Equal => (0..n_values).filter(|&idx| !is_member(idx)).for_each(|idx| values[idx] &= !shared),
            std::cmp::Ordering::Greater => {}
        }
    }
}
