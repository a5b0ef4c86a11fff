//! How problems went so far, so that those which teach nothing are seldom asked.
//!
//! A problem whose completions are all right, or never right, gives every completion the same reward and GRPO nothing to learn from.
//! It is not dropped: a policy forgets and learns, so it is looked at now and then.
//!
//! A problem of a file is remembered by its id. A synthetic source never asks the same problem twice, so what is remembered is its cell:
//! kind, difficulty and language.

use std::collections::BTreeMap;

use ruminate_core::{Language, Seed};
use serde::{Deserialize, Serialize};

/// When a problem is rare, and how rare.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DifficultySettings {
    /// Probability that a solved or hopeless problem whose turn it is is asked; in (0, 1].
    pub rare: f64,
    /// Weight of the newest look in the exponential mean of the pass rate; in (0, 1].
    pub smoothing: f64,
    /// A mean of at least this is solved.
    pub solved: f64,
    /// Looks before anything is called solved or hopeless.
    pub looks: u32,
}

impl Default for DifficultySettings {
    fn default() -> Self {
        Self { rare: 0.1, smoothing: 0.3, solved: 0.95, looks: 3 }
    }
}

/// What is known about a problem or cell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifficultyRecord {
    /// Exponential mean of the share of right completions.
    pub pass_rate: f64,
    /// Rounds in which it was asked.
    pub n_looks: u32,
}

/// How a problem stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not looked at often enough to tell, or sometimes right.
    Open,
    /// All right lately.
    Solved,
    /// Never right so far.
    Hopeless,
}

/// What is known about all problems.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DifficultyMemory {
    records: BTreeMap<String, DifficultyRecord>,
}

impl DifficultyMemory {
    /// Takes in one round: for each problem that was asked its key and its share of right completions. A key that comes several times,
    /// such as that of a cell, counts as one look with the mean of its shares.
    pub fn observe(&mut self, settings: &DifficultySettings, round: impl IntoIterator<Item = (String, f64)>) {
        let mut sums: BTreeMap<String, (f64, u32)> = BTreeMap::new();
        for (key, share) in round {
            let (sum, n) = sums.entry(key).or_default();
            *sum += share;
            *n += 1;
        }
        for (key, (sum, n)) in sums {
            let share = sum / f64::from(n);
            let first = DifficultyRecord { pass_rate: share, n_looks: 0 };
            let record = self.records.entry(key).or_insert(first);
            record.pass_rate += settings.smoothing * (share - record.pass_rate);
            record.n_looks += 1;
        }
    }

    /// How a problem stands.
    pub fn standing(&self, settings: &DifficultySettings, key: &str) -> Standing {
        match self.records.get(key) {
            Some(record) if record.n_looks < settings.looks => Standing::Open,
            Some(record) if record.pass_rate >= settings.solved => Standing::Solved,
            // The mean of shares is 0 only if all of them are.
            Some(record) if record.pass_rate <= 0.0 => Standing::Hopeless,
            _ => Standing::Open,
        }
    }

    /// Share of the remembered problems that stand so; 0 without any.
    pub fn share(&self, settings: &DifficultySettings, standing: Standing) -> f64 {
        let n = self.records.keys().filter(|key| self.standing(settings, key) == standing).count();
        if n == 0 { 0.0 } else { n as f64 / self.records.len() as f64 }
    }

    /// All records by key.
    pub fn records(&self) -> &BTreeMap<String, DifficultyRecord> {
        &self.records
    }

    /// Whether the problem of this key is passed over: it teaches nothing, and it is not the rare case in which it is asked.
    /// `seed` is the key of the draw.
    pub fn passes_over(&self, settings: &DifficultySettings, key: &str, seed: Seed) -> bool {
        self.standing(settings, key) != Standing::Open && seed.with("rare").uniform() >= settings.rare
    }
}

/// The key of a cell of a synthetic source.
pub fn cell_key(kind: &str, difficulty: u32, language: Language) -> String {
    format!("{kind}/{difficulty}/{}", language.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: DifficultySettings = DifficultySettings { rare: 0.1, smoothing: 0.5, solved: 0.9, looks: 2 };

    fn memory(shares: &[f64]) -> DifficultyMemory {
        let mut memory = DifficultyMemory::default();
        for &share in shares {
            memory.observe(&SETTINGS, [("p".to_owned(), share)]);
        }
        memory
    }

    #[test]
    fn means_by_hand() {
        let record = |shares: &[f64]| memory(shares).records()["p"];
        assert_eq!(record(&[0.5]), DifficultyRecord { pass_rate: 0.5, n_looks: 1 });
        assert_eq!(record(&[0.5, 1.0]), DifficultyRecord { pass_rate: 0.75, n_looks: 2 });
        assert_eq!(record(&[0.5, 1.0, 0.0]), DifficultyRecord { pass_rate: 0.375, n_looks: 3 });
        // Two problems of one cell in a round are one look.
        let mut cell = DifficultyMemory::default();
        cell.observe(&SETTINGS, [("c".to_owned(), 1.0), ("d".to_owned(), 0.0), ("c".to_owned(), 0.0)]);
        assert_eq!(cell.records()["c"], DifficultyRecord { pass_rate: 0.5, n_looks: 1 });
        assert_eq!(cell.records()["d"].pass_rate, 0.0);
    }

    #[test]
    fn standings_need_looks_and_can_change() {
        let standing = |shares: &[f64]| memory(shares).standing(&SETTINGS, "p");
        assert_eq!(standing(&[1.0]), Standing::Open);
        assert_eq!(standing(&[1.0, 1.0]), Standing::Solved);
        assert_eq!(standing(&[0.5, 1.0]), Standing::Open);
        assert_eq!(standing(&[0.5, 1.0, 1.0, 1.0]), Standing::Solved);
        assert_eq!(standing(&[1.0, 1.0, 0.5]), Standing::Open, "it was forgotten");
        assert_eq!(standing(&[0.0, 0.0]), Standing::Hopeless);
        assert_eq!(standing(&[0.0, 0.0, 0.1]), Standing::Open, "there is hope");
        assert_eq!(memory(&[1.0]).standing(&SETTINGS, "other"), Standing::Open);
        let mut both = memory(&[1.0, 1.0]);
        both.observe(&SETTINGS, [("q".to_owned(), 0.0)]);
        both.observe(&SETTINGS, [("q".to_owned(), 0.0), ("r".to_owned(), 0.5)]);
        let share = |standing| both.share(&SETTINGS, standing);
        assert_eq!([share(Standing::Solved), share(Standing::Hopeless), share(Standing::Open)], [1.0 / 3.0; 3]);
        assert_eq!(DifficultyMemory::default().share(&SETTINGS, Standing::Solved), 0.0);
    }

    #[test]
    fn the_rare_case_is_as_rare_as_asked() {
        let solved = memory(&[1.0, 1.0]);
        let n = (0..10_000).filter(|&i| !solved.passes_over(&SETTINGS, "p", Seed::new(1).with_index(i))).count();
        // Binomial(10000, 0.1): standard deviation 30.
        assert!(n.abs_diff(1000) < 150, "{n}");
        assert!((0..100).all(|i| !memory(&[0.5, 0.5]).passes_over(&SETTINGS, "p", Seed::new(1).with_index(i))));
    }

    #[test]
    fn it_survives_its_file() {
        let memory = memory(&[0.1, 0.2, 0.7]);
        let json = serde_json::to_string(&memory).unwrap();
        assert_eq!(serde_json::from_str::<DifficultyMemory>(&json).unwrap(), memory);
    }
}
