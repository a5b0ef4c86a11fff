//! A small search for a satisfying assignment: unit propagation, and else the other value of the last decision (Davis, Logemann and
//! Loveland 1962). No learning: the puzzles are those that a person could solve.

use super::{Instance, Literal, clause_truth};

/// How a search ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Solution {
    /// A satisfying assignment, by variable.
    Found(Vec<bool>),
    /// There is none.
    None,
    /// The steps were used up.
    Unknown,
}

/// Searches with at most `max_steps` looks at a literal.
pub(super) fn solve(instance: &Instance, max_steps: u64) -> Solution {
    let mut search = Search::new(instance, max_steps);
    match search.run() {
        Some(true) => Solution::Found(search.values.iter().map(|value| value.unwrap_or(false)).collect()),
        Some(false) => Solution::None,
        None => Solution::Unknown,
    }
}

struct Search<'a> {
    instance: &'a Instance,
    values: Vec<Option<bool>>,
    /// Variables in the order in which they were given values; `true` marks a decision whose other value is still to be tried.
    trail: Vec<(usize, bool)>,
    /// Clauses by variable.
    occurrences: Vec<Vec<usize>>,
    /// Variables, those in most clauses first.
    order: Vec<usize>,
    /// Looks that one pass over the parts takes.
    part_steps: u64,
    steps_left: u64,
}

impl<'a> Search<'a> {
    fn new(instance: &'a Instance, max_steps: u64) -> Self {
        let n_variables = instance.names.list().len();
        let mut occurrences = vec![Vec::new(); n_variables];
        for (clause_idx, clause) in instance.clauses.iter().enumerate() {
            clause.iter().for_each(|literal| occurrences[literal.variable].push(clause_idx));
        }
        let mut order: Vec<usize> = (0..n_variables).collect();
        order.sort_by_key(|&variable| std::cmp::Reverse(occurrences[variable].len()));
        let part_steps = instance.parts.iter().map(|part| part.size() as u64).sum();
        Self { instance, values: vec![None; n_variables], trail: Vec::new(), occurrences, order, part_steps, steps_left: max_steps }
    }

    /// Whether there is an assignment, which then stands in `values`; `None` if the steps are used up.
    fn run(&mut self) -> Option<bool> {
        // The first look is at all clauses; later ones only at those of a variable that got a value.
        let mut consistent = self.look_at_all()? && self.propagate(0)?;
        loop {
            let start = self.trail.len();
            if !consistent {
                let Some(variable) = self.undo() else { return Some(false) };
                let value = !self.values[variable].unwrap_or(false);
                self.values[variable] = Some(value);
                let start = self.trail.len();
                self.trail.push((variable, false));
                consistent = self.propagate(start)?;
                continue;
            }
            let Some(variable) = self.order.iter().copied().find(|&variable| self.values[variable].is_none()) else { return Some(true) };
            self.steps_left = self.steps_left.checked_sub(1 + self.order.len() as u64 / 16)?;
            self.values[variable] = Some(true);
            self.trail.push((variable, true));
            consistent = self.propagate(start)?;
        }
    }

    /// Takes values back up to the last decision with a value to try, which is returned with its old value in place.
    fn undo(&mut self) -> Option<usize> {
        while let Some((variable, is_open)) = self.trail.pop() {
            if is_open {
                return Some(variable);
            }
            self.values[variable] = None;
        }
        None
    }

    fn look_at_all(&mut self) -> Option<bool> {
        for clause_idx in 0..self.instance.clauses.len() {
            if !self.look_at(clause_idx)? {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Gives all values that follow from the trail from `start` on. `Some(false)` is a contradiction.
    fn propagate(&mut self, start: usize) -> Option<bool> {
        let mut next = start;
        while next < self.trail.len() {
            let variable = self.trail[next].0;
            for occurrence_idx in 0..self.occurrences[variable].len() {
                if !self.look_at(self.occurrences[variable][occurrence_idx])? {
                    return Some(false);
                }
            }
            next += 1;
        }
        self.steps_left = self.steps_left.checked_sub(self.part_steps)?;
        Some(self.instance.parts.iter().all(|part| part.truth(&self.values) != Some(false)))
    }

    /// Gives the only open literal of a clause its value if all others are false. `Some(false)` if all are.
    fn look_at(&mut self, clause_idx: usize) -> Option<bool> {
        let clause = &self.instance.clauses[clause_idx];
        self.steps_left = self.steps_left.checked_sub(1 + clause.len() as u64)?;
        match clause_truth(clause, &self.values) {
            Some(truth) => Some(truth),
            None => {
                let mut open = clause.iter().filter(|literal| self.values[literal.variable].is_none());
                if let (Some(&Literal { variable, positive }), None) = (open.next(), open.next()) {
                    self.values[variable] = Some(positive);
                    self.trail.push((variable, false));
                }
                Some(true)
            }
        }
    }
}
