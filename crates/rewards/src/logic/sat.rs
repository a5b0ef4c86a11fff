//! Boolean satisfiability: any assignment that makes every clause true is right, and so is the word that there is none where there is none.

mod read;
mod solver;

use ruminate_core::{Outcome, SatPuzzle, Verdict};

use super::answer::{self, shorten};
use super::formula::{Atoms, Formula, Names};
use solver::Solution;

/// Largest instance: these bound the work of reading and checking one answer.
const MAX_VARIABLES: usize = 1000;
const MAX_LITERALS: usize = 50_000;

/// Steps of the search for a solution, each a look at one literal; some tenths of a second at most.
const MAX_STEPS: u64 = 10_000_000;

/// A variable, or its opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Literal {
    variable: usize,
    positive: bool,
}

/// A puzzle that has been read: all clauses and all further parts must be true.
#[derive(Debug)]
struct Instance {
    names: Names,
    clauses: Vec<Vec<Literal>>,
    /// Parts of a formula that are no clauses.
    parts: Vec<Formula>,
}

/// What a response answers.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// Values by variable; those left open do not matter.
    Values(Vec<Option<bool>>),
    Unsatisfiable,
}

/// Grades an answer such as `x1=true, x2=false`, `1 0 1`, `x1, not x2`, `1 -2 3 0` or `unsatisfiable`.
pub(crate) fn grade(puzzle: &SatPuzzle, text: &str) -> Verdict {
    let instance = match Instance::new(puzzle) {
        Ok(instance) => instance,
        Err(reason) => return Verdict::none(Outcome::BadGold, reason),
    };
    match answer::read(text, |piece| read::read(&instance, piece)) {
        Ok(Answer::Values(values)) => match instance.broken(&values) {
            Some(reason) => Verdict::none(Outcome::Wrong, reason),
            None => Verdict::right(format!("all {} clauses are true", instance.clauses.len() + instance.parts.len())),
        },
        Ok(Answer::Unsatisfiable) => grade_unsatisfiable(&instance, puzzle.satisfiable),
        Err(verdict) => verdict,
    }
}

/// `known` was checked before training; what is not known is searched.
fn grade_unsatisfiable(instance: &Instance, known: Option<bool>) -> Verdict {
    match known {
        Some(false) => return Verdict::right("no assignment exists"),
        Some(true) => return Verdict::none(Outcome::Wrong, "an assignment exists"),
        None => {}
    }
    match solver::solve(instance, MAX_STEPS) {
        Solution::None => Verdict::right("no assignment exists"),
        Solution::Found(values) => {
            let reason = format!("an assignment exists: {}", shorten(&instance.write(&values)));
            Verdict::none(Outcome::Wrong, reason)
        }
        Solution::Unknown => Verdict::none(Outcome::TimedOut, format!("no assignment found in {MAX_STEPS} steps")),
    }
}

/// Checks that the puzzle can be read and whether it can be satisfied, as far as the search gets.
///
/// # Errors
/// What is wrong, in one line.
pub(crate) fn check(puzzle: &SatPuzzle) -> Result<(), String> {
    let instance = Instance::new(puzzle)?;
    match (solver::solve(&instance, MAX_STEPS), puzzle.satisfiable) {
        (Solution::Found(values), Some(false)) => {
            Err(format!("expected an unsatisfiable puzzle, found the assignment {}", shorten(&instance.write(&values))))
        }
        (Solution::None, Some(true)) => Err("expected a satisfiable puzzle, no assignment exists".into()),
        (Solution::Unknown, _) => Err(format!("whether an assignment exists is not known after {MAX_STEPS} steps; leave this puzzle out")),
        _ => Ok(()),
    }
}

impl Instance {
    fn new(puzzle: &SatPuzzle) -> Result<Self, String> {
        let mut names = Names::default();
        for name in &puzzle.names {
            names.index(name.trim());
        }
        if names.list().len() != puzzle.names.len() || names.list().iter().any(String::is_empty) {
            return Err("names of variables must be different and not empty".into());
        }
        let instance = match (&puzzle.formula, puzzle.clauses.is_empty()) {
            (Some(formula), true) => Self::of_formula(formula, names)?,
            (None, false) => Self::of_clauses(&puzzle.clauses, names)?,
            (formula, _) => {
                let found = if formula.is_some() { "both" } else { "neither" };
                return Err(format!("expected either clauses or a formula, found {found}"));
            }
        };
        if !puzzle.names.is_empty() && instance.names.list().len() > puzzle.names.len() {
            return Err(format!("variable '{}' is not among the names", instance.names.list()[puzzle.names.len()]));
        }
        if instance.names.list().len() > MAX_VARIABLES {
            return Err(format!("expected at most {MAX_VARIABLES} variables, found {}", instance.names.list().len()));
        }
        let lowercase: std::collections::BTreeSet<String> = instance.names.list().iter().map(|name| name.to_lowercase()).collect();
        if lowercase.len() < instance.names.list().len() {
            return Err("two names of variables differ in case only".into());
        }
        Ok(instance)
    }

    fn of_clauses(clauses: &[Vec<i32>], mut names: Names) -> Result<Self, String> {
        let n_literals: usize = clauses.iter().map(Vec::len).sum();
        if n_literals > MAX_LITERALS {
            return Err(format!("expected at most {MAX_LITERALS} literals, found {n_literals}"));
        }
        let highest = clauses.iter().flatten().map(|literal| literal.unsigned_abs() as usize).max().unwrap_or(0);
        if highest > MAX_VARIABLES {
            return Err(format!("expected at most {MAX_VARIABLES} variables, found number {highest}"));
        }
        if clauses.iter().flatten().any(|&literal| literal == 0) {
            return Err("a clause holds 0, which is no variable".into());
        }
        for idx in names.list().len()..highest {
            names.index(&format!("x{}", idx + 1));
        }
        let literal = |&literal: &i32| Literal { variable: literal.unsigned_abs() as usize - 1, positive: literal > 0 };
        let clauses = clauses.iter().map(|clause| clause.iter().map(literal).collect()).collect();
        Ok(Self { names, clauses, parts: Vec::new() })
    }

    fn of_formula(formula: &str, mut names: Names) -> Result<Self, String> {
        if formula.len() > MAX_LITERALS {
            return Err(format!("expected a formula of at most {MAX_LITERALS} bytes, found {}", formula.len()));
        }
        let formula =
            Formula::parse(formula, &Atoms::Variables, &mut names).map_err(|error| format!("formula '{}': {error}", shorten(formula)))?;
        let conjuncts = match formula {
            Formula::All(parts) => parts,
            other => vec![other],
        };
        let (mut clauses, mut parts) = (Vec::new(), Vec::new());
        for part in conjuncts {
            match clause(&part) {
                Some(clause) => clauses.push(clause),
                None => parts.push(part),
            }
        }
        Ok(Self { names, clauses, parts })
    }

    /// The first clause or part that is not true.
    fn broken(&self, values: &[Option<bool>]) -> Option<String> {
        if let Some(clause) = self.clauses.iter().find(|clause| clause_truth(clause, values) != Some(true)) {
            return Some(format!("clause ({}) is false", shorten(&self.write_clause(clause))));
        }
        let broken = self.parts.iter().position(|part| part.truth(values) != Some(true))?;
        Some(if self.clauses.is_empty() && self.parts.len() == 1 {
            "the formula is false".into()
        } else {
            format!("part {} of the formula that is no clause is false", broken + 1)
        })
    }

    /// Whether every variable has a value, or those that have none make no difference to a right answer.
    fn is_full(&self, values: &[Option<bool>]) -> bool {
        values.iter().all(Option::is_some) || self.broken(values).is_none()
    }

    fn write_clause(&self, clause: &[Literal]) -> String {
        let literal = |literal: &Literal| format!("{}{}", if literal.positive { "" } else { "not " }, self.names.list()[literal.variable]);
        clause.iter().map(literal).collect::<Vec<_>>().join(" or ")
    }

    fn write(&self, values: &[bool]) -> String {
        self.names.list().iter().zip(values).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    }
}

fn clause_truth(clause: &[Literal], values: &[Option<bool>]) -> Option<bool> {
    let mut truth = Some(false);
    for literal in clause {
        match values.get(literal.variable).copied().flatten() {
            Some(value) if value == literal.positive => return Some(true),
            None => truth = None,
            Some(_) => {}
        }
    }
    truth
}

/// A formula that is a clause.
fn clause(formula: &Formula) -> Option<Vec<Literal>> {
    let literal = |formula: &Formula| match formula {
        Formula::Atom(variable) => Some(Literal { variable: *variable, positive: true }),
        Formula::Not(inner) => match **inner {
            Formula::Atom(variable) => Some(Literal { variable, positive: false }),
            _ => None,
        },
        _ => None,
    };
    match formula {
        Formula::Any(parts) => parts.iter().map(literal).collect(),
        other => Some(vec![literal(other)?]),
    }
}

#[cfg(test)]
mod tests;
