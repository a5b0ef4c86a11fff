//! Formulas of propositional logic: reading, and truth under a full or partial assignment.
//!
//! Loosest to tightest: `<->` (`iff`, "if and only if"), `->` (`implies`, to the right; also `if A then B`), `xor`, `or`, `and`, `not`,
//! each with its usual signs.

mod lexer;

use std::collections::BTreeMap;

use lexer::{Token, tokenize};

/// Nested parentheses and signs; a real formula has a handful.
const MAX_DEPTH: usize = 60;

/// A formula over atoms, which are indices into a list of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Formula {
    /// True or false by itself.
    Constant(bool),
    /// The value of a name.
    Atom(usize),
    /// The opposite.
    Not(Box<Formula>),
    /// All of these.
    All(Vec<Formula>),
    /// At least one of these.
    Any(Vec<Formula>),
    /// Both true or both false.
    Iff(Box<Formula>, Box<Formula>),
    /// How many of these atoms are `wanted`, compared with a number.
    Count { atoms: Vec<usize>, wanted: bool, relation: Relation, n: usize },
}

/// How a count compares with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// What names mean in a formula.
#[derive(Debug)]
pub(super) enum Atoms {
    /// Any word is the name of a variable.
    Variables,
    /// Atoms are `is_knight(NAME)` and `is_knave(NAME)`; `count(knights) >= N` and `count(knaves, NAME, NAME) = N` count people.
    People,
}

/// The names of a puzzle in the order of their indices.
#[derive(Debug, Default)]
pub(super) struct Names {
    list: Vec<String>,
    by_name: BTreeMap<String, usize>,
}

impl Names {
    /// The index of a name, new or known.
    pub(super) fn index(&mut self, name: &str) -> usize {
        if let Some(&idx) = self.by_name.get(name) {
            return idx;
        }
        self.by_name.insert(name.to_owned(), self.list.len());
        self.list.push(name.to_owned());
        self.list.len() - 1
    }

    /// All names.
    pub(super) fn list(&self) -> &[String] {
        &self.list
    }
}

impl Formula {
    /// Reads a formula; names that are not known yet are added.
    ///
    /// # Errors
    /// What is wrong and where, in one line.
    pub(super) fn parse(text: &str, atoms: &Atoms, names: &mut Names) -> Result<Self, String> {
        let tokens = tokenize(text, atoms)?;
        let mut parser = Parser { tokens: &tokens, at: 0, names };
        let formula = parser.iff(0)?;
        match parser.tokens.get(parser.at) {
            None => Ok(formula),
            Some(token) => Err(format!("unexpected {token}")),
        }
    }

    /// Number of atoms, constants and connectives.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Constant(_) | Self::Atom(_) => 1,
            Self::Not(inner) => 1 + inner.size(),
            Self::All(parts) | Self::Any(parts) => 1 + parts.iter().map(Self::size).sum::<usize>(),
            Self::Iff(left, right) => 1 + left.size() + right.size(),
            Self::Count { atoms, .. } => 1 + atoms.len(),
        }
    }

    /// Truth under an assignment that may leave names open: `None` if it depends on them, as far as Kleene's tables can tell.
    pub(super) fn truth(&self, values: &[Option<bool>]) -> Option<bool> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Atom(idx) => values.get(*idx).copied().flatten(),
            Self::Not(inner) => inner.truth(values).map(|value| !value),
            Self::All(parts) => all(parts.iter().map(|part| part.truth(values))),
            Self::Any(parts) => all(parts.iter().map(|part| part.truth(values).map(|value| !value))).map(|none| !none),
            Self::Iff(left, right) => Some(left.truth(values)? == right.truth(values)?),
            Self::Count { atoms, wanted, relation, n } => {
                let truths = atoms.iter().map(|&idx| values.get(idx).copied().flatten());
                let n_open = truths.clone().filter(Option::is_none).count();
                let n_found = truths.filter(|&value| value == Some(*wanted)).count();
                let first = relation.holds(n_found, *n);
                (1..=n_open).all(|more| relation.holds(n_found + more, *n) == first).then_some(first)
            }
        }
    }
}

impl Relation {
    fn holds(self, found: usize, n: usize) -> bool {
        match self {
            Self::Equal => found == n,
            Self::NotEqual => found != n,
            Self::Less => found < n,
            Self::AtMost => found <= n,
            Self::Greater => found > n,
            Self::AtLeast => found >= n,
        }
    }
}

/// False if one is, open if one is, else true.
fn all(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for truth in truths {
        match truth {
            Some(false) => return Some(false),
            None => result = None,
            Some(true) => {}
        }
    }
    result
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    names: &'a mut Names,
}

impl Parser<'_> {
    fn iff(&mut self, depth: usize) -> Result<Formula, String> {
        if depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} levels"));
        }
        let mut left = self.implication(depth)?;
        // A long chain nests to the left, so its length is bounded like a depth.
        let mut n_links = 0;
        while self.take(&Token::Iff) {
            n_links += 1;
            if n_links > MAX_DEPTH {
                return Err(format!("more than {MAX_DEPTH} parts in a row of <->"));
            }
            left = Formula::Iff(Box::new(left), Box::new(self.implication(depth)?));
        }
        Ok(left)
    }

    fn implication(&mut self, depth: usize) -> Result<Formula, String> {
        if depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} levels"));
        }
        let (left, is_implication) = if self.take(&Token::If) {
            let condition = self.exclusive(depth + 1)?;
            self.take(&Token::Comma);
            if !self.take(&Token::Then) {
                return Err("'if' without 'then'".into());
            }
            (condition, true)
        } else {
            let left = self.exclusive(depth)?;
            (left, self.take(&Token::Implies))
        };
        if !is_implication {
            return Ok(left);
        }
        let right = self.implication(depth + 1)?;
        Ok(Formula::Any(vec![Formula::Not(Box::new(left)), right]))
    }

    fn exclusive(&mut self, depth: usize) -> Result<Formula, String> {
        let mut left = self.disjunction(depth)?;
        let mut n_links = 0;
        while self.take(&Token::Xor) {
            n_links += 1;
            if n_links > MAX_DEPTH {
                return Err(format!("more than {MAX_DEPTH} parts in a row of xor"));
            }
            let right = self.disjunction(depth)?;
            left = Formula::Not(Box::new(Formula::Iff(Box::new(left), Box::new(right))));
        }
        Ok(left)
    }

    fn disjunction(&mut self, depth: usize) -> Result<Formula, String> {
        let first = self.conjunction(depth)?;
        let mut parts = vec![first];
        while self.take(&Token::Or) {
            parts.push(self.conjunction(depth)?);
        }
        Ok(one_or(parts, Formula::Any))
    }

    fn conjunction(&mut self, depth: usize) -> Result<Formula, String> {
        let first = self.negation(depth)?;
        let mut parts = vec![first];
        while self.take(&Token::And) {
            parts.push(self.negation(depth)?);
        }
        Ok(one_or(parts, Formula::All))
    }

    fn negation(&mut self, depth: usize) -> Result<Formula, String> {
        if depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} levels"));
        }
        let Some(token) = self.tokens.get(self.at) else { return Err("it ends too early".into()) };
        self.at += 1;
        match token {
            Token::Not => Ok(Formula::Not(Box::new(self.negation(depth + 1)?))),
            Token::Open => {
                let inner = self.iff(depth + 1)?;
                if self.take(&Token::Close) { Ok(inner) } else { Err("a parenthesis is not closed".into()) }
            }
            Token::Constant(value) => Ok(Formula::Constant(*value)),
            Token::Name(name) => Ok(Formula::Atom(self.names.index(name))),
            Token::Person { name, is_knight } => {
                let atom = Formula::Atom(self.names.index(name));
                Ok(if *is_knight { atom } else { Formula::Not(Box::new(atom)) })
            }
            Token::Count { people, wanted, relation, n } => {
                // Without names everybody is counted, which is known only when all statements are read: see `everybody`.
                let atoms = people.iter().map(|name| self.names.index(name)).collect();
                Ok(Formula::Count { atoms, wanted: *wanted, relation: *relation, n: *n })
            }
            other => Err(format!("unexpected {other}")),
        }
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(found);
        found
    }
}

fn one_or(mut parts: Vec<Formula>, join: fn(Vec<Formula>) -> Formula) -> Formula {
    if parts.len() == 1 { parts.swap_remove(0) } else { join(parts) }
}

/// Lets counts that name nobody count all `n` people.
pub(super) fn everybody(formula: &mut Formula, n: usize) {
    match formula {
        Formula::Count { atoms, .. } => {
            if atoms.is_empty() {
                *atoms = (0..n).collect();
            }
        }
        Formula::Not(inner) => everybody(inner, n),
        Formula::All(parts) | Formula::Any(parts) => parts.iter_mut().for_each(|part| everybody(part, n)),
        Formula::Iff(left, right) => {
            everybody(left, n);
            everybody(right, n);
        }
        Formula::Constant(_) | Formula::Atom(_) => {}
    }
}

#[cfg(test)]
mod tests;
