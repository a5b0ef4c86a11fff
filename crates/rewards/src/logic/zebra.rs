//! Zebra puzzles: every house has one value of each category, and no clue is broken.

mod clue;
mod json;
mod read;
mod solver;

use std::collections::BTreeSet;

use ruminate_core::{Outcome, Verdict, ZebraPuzzle};

use super::answer;
use clue::Clue;
use solver::Solutions;

/// Largest puzzle: these bound the work of one answer.
const MAX_HOUSES: usize = 12;
const MAX_CATEGORIES: usize = 16;
const MAX_CLUES: usize = 500;

/// Steps of the search for solutions, each a trial of one clue; about a second at most.
const MAX_STEPS: u64 = 20_000_000;

/// A puzzle that has been read. Values are numbered: those of category c are `c * houses ..`.
#[derive(Debug)]
struct Grid {
    houses: usize,
    categories: Vec<String>,
    values: Vec<String>,
    clues: Vec<Clue>,
}

/// Grades an answer that says which values each house has: a table, `House 1: red, Alice, tea`, `colour: red, green, blue`, JSON and
/// other usual ways.
pub(crate) fn grade(puzzle: &ZebraPuzzle, text: &str) -> Verdict {
    let grid = match Grid::new(puzzle) {
        Ok(grid) => grid,
        Err(reason) => return Verdict::none(Outcome::BadGold, reason),
    };
    let house_of = match answer::read(text, |piece| read::read(&grid, piece)) {
        Ok(house_of) => house_of,
        Err(verdict) => return verdict,
    };
    match grid.clues.iter().position(|clue| !clue.holds(&house_of)) {
        Some(clue_idx) => {
            let reason = format!("clue {} does not hold: {}", clue_idx + 1, clue::in_words(&puzzle.clues[clue_idx]));
            Verdict::none(Outcome::Wrong, reason)
        }
        None => Verdict::right(format!("all {} clues hold", grid.clues.len())),
    }
}

/// Checks that the puzzle can be read and solved, in one way only if it promises that.
///
/// # Errors
/// What is wrong, in one line.
pub(crate) fn check(puzzle: &ZebraPuzzle) -> Result<(), String> {
    let grid = Grid::new(puzzle)?;
    let unknown = || Err(format!("the clues are not solved after {MAX_STEPS} steps; leave this puzzle out"));
    match solver::solve(&grid, if puzzle.unique { 2 } else { 1 }, MAX_STEPS) {
        Solutions { n_found: 0, is_whole: true } => Err("no assignment fits all clues".into()),
        Solutions { n_found: 0, is_whole: false } => unknown(),
        Solutions { n_found: 1, is_whole: false } if puzzle.unique => unknown(),
        Solutions { n_found: 2, .. } => Err("expected one assignment that fits all clues, found two".into()),
        _ => Ok(()),
    }
}

impl Grid {
    fn new(puzzle: &ZebraPuzzle) -> Result<Self, String> {
        let houses = puzzle.houses;
        if !(1..=MAX_HOUSES).contains(&houses) {
            return Err(format!("expected 1 to {MAX_HOUSES} houses, found {houses}"));
        }
        if !(1..=MAX_CATEGORIES).contains(&puzzle.categories.len()) {
            return Err(format!("expected 1 to {MAX_CATEGORIES} categories, found {}", puzzle.categories.len()));
        }
        if puzzle.clues.len() > MAX_CLUES {
            return Err(format!("expected at most {MAX_CLUES} clues, found {}", puzzle.clues.len()));
        }
        let mut grid = Self { houses, categories: Vec::new(), values: Vec::new(), clues: Vec::new() };
        for (category, values) in &puzzle.categories {
            let different: BTreeSet<String> = values.iter().map(|value| value.trim().to_lowercase()).collect();
            if values.len() != houses || different.len() != houses {
                return Err(format!("expected {houses} different values of '{category}', found {values:?}"));
            }
            if category.trim().is_empty() {
                return Err("a category has no name".into());
            }
            if let Some(bad) = values.iter().find(|value| !value.chars().any(char::is_alphabetic)) {
                return Err(format!("value '{bad}' of '{category}' has no letter and cannot be told from a house number; write more"));
            }
            grid.categories.push(category.trim().to_owned());
            grid.values.extend(values.iter().map(|value| value.trim().to_owned()));
        }
        for (clue_idx, clue) in puzzle.clues.iter().enumerate() {
            let clue = Clue::new(clue, &grid).map_err(|error| format!("clue {}: {error}", clue_idx + 1))?;
            grid.clues.push(clue);
        }
        Ok(grid)
    }

    /// The category of a value.
    fn category(&self, value: usize) -> usize {
        value / self.houses
    }

    /// The value that a clue names: by itself, or as `category: value`.
    fn value(&self, name: &str) -> Result<usize, String> {
        let name = name.trim();
        let found: Vec<usize> = (0..self.values.len()).filter(|&value| self.values[value].eq_ignore_ascii_case(name)).collect();
        if let [value] = found[..] {
            return Ok(value);
        }
        if let Some((category, value)) = name.split_once(':') {
            let is_meant = |&idx: &usize| {
                self.values[idx].eq_ignore_ascii_case(value.trim())
                    && self.categories[self.category(idx)].eq_ignore_ascii_case(category.trim())
            };
            if let Some(value) = (0..self.values.len()).find(is_meant) {
                return Ok(value);
            }
        }
        match found[..] {
            [] => Err(format!("'{name}' is no value of any category")),
            [first, ..] => {
                let category = &self.categories[self.category(first)];
                Err(format!("'{name}' is a value of several categories; write '{category}: {name}' or another"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
