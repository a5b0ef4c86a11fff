//! Knights and knaves: knights always tell the truth, knaves always lie, and everybody is one of the two.

use std::collections::BTreeMap;

use ruminate_core::{Outcome, Statement, Verdict};

use super::answer::{self, Unread, plain};
use super::claims::{self, ValueWord};
use super::formula::{Atoms, Formula, Names, everybody};

/// Most people whose roles are searched: all 65,536 assignments of 16 are tried.
const MAX_PEOPLE: usize = 16;

const ROLES: [ValueWord; 6] =
    [role("knight", true), role("骑士", true), role("騎士", true), role("knave", false), role("无赖", false), role("無賴", false)];

const fn role(word: &'static str, value: bool) -> ValueWord {
    ValueWord { word, value, marked: false }
}

/// The island: who lives there and what they say.
#[derive(Debug)]
struct Island {
    names: Names,
    statements: Vec<Said>,
}

#[derive(Debug)]
struct Said {
    speaker: usize,
    text: String,
    formula: Formula,
}

/// Grades an answer such as `A: knight, B: knave`, `A and C are knights. B is a knave`, `knights: A, C; knaves: B` or `A是骑士，B是无赖`.
///
/// With statements any roles are right under which each knight's statements are true and each knave's false; without them the roles
/// must be those of the gold.
pub(crate) fn grade(roles: &BTreeMap<String, bool>, statements: &[Statement], text: &str) -> Verdict {
    let island = match Island::new(roles, statements) {
        Ok(island) => island,
        Err(reason) => return Verdict::none(Outcome::BadGold, reason),
    };
    let found = match answer::read(text, |piece| read_roles(island.names.list(), piece)) {
        Ok(found) => found,
        Err(verdict) => return verdict,
    };
    if let Some(broken) = island.broken(&found) {
        return Verdict::none(Outcome::Wrong, broken);
    }
    if statements.is_empty() {
        for (name, &found) in island.names.list().iter().zip(&found) {
            if roles.get(name) != Some(&found) {
                return Verdict::none(Outcome::Wrong, format!("{name} is a {}, found {}", role_name(!found), role_name(found)));
            }
        }
        return Verdict::right(format!("all {} roles are right", found.len()));
    }
    Verdict::right(format!("all {} statements fit the roles", statements.len()))
}

/// Checks that there are people, that the statements can be read, and that some roles fit them. Roles that are given beside statements
/// must be the only ones that fit.
///
/// # Errors
/// What is wrong, in one line.
pub(crate) fn check(roles: &BTreeMap<String, bool>, statements: &[Statement]) -> Result<(), String> {
    let island = Island::new(roles, statements)?;
    if statements.is_empty() {
        return Ok(());
    }
    let names = island.names.list();
    if names.len() > MAX_PEOPLE {
        return Err(format!("expected statements about at most {MAX_PEOPLE} people, found {}", names.len()));
    }
    if !roles.is_empty() {
        let given: Vec<bool> = names.iter().map(|name| roles.get(name).copied().ok_or(name)).collect::<Result<_, _>>().map_err(|name| {
            format!("{name} speaks or is spoken of, but the gold roles name only {:?}", roles.keys().collect::<Vec<_>>())
        })?;
        if let Some(broken) = island.broken(&given) {
            return Err(format!("the gold roles do not fit: {broken}"));
        }
    }
    let assignments = (0..1_u32 << names.len()).map(|bits| (0..names.len()).map(|idx| bits >> idx & 1 == 1).collect::<Vec<bool>>());
    let n_fitting = assignments.filter(|values| island.broken(values).is_none()).take(2).count();
    match n_fitting {
        0 => Err("no roles fit the statements".into()),
        2 if !roles.is_empty() => Err("the gold roles fit the statements, but others do too; give statements alone if any will do".into()),
        _ => Ok(()),
    }
}

impl Island {
    fn new(roles: &BTreeMap<String, bool>, statements: &[Statement]) -> Result<Self, String> {
        let mut names = Names::default();
        for name in roles.keys().chain(statements.iter().map(|statement| &statement.speaker)) {
            names.index(name.trim());
        }
        let mut said = Vec::new();
        for Statement { speaker, says } in statements {
            let formula = Formula::parse(says, &Atoms::People, &mut names).map_err(|error| format!("statement of {speaker}: {error}"))?;
            said.push(Said { speaker: names.index(speaker.trim()), text: says.clone(), formula });
        }
        let n_people = names.list().len();
        if n_people == 0 || names.list().iter().any(String::is_empty) {
            return Err(format!("gold roles name {:?}, expected at least one person and no empty name", names.list()));
        }
        said.iter_mut().for_each(|said| everybody(&mut said.formula, n_people));
        Ok(Self { names, statements: said })
    }

    /// The first statement that does not fit these roles.
    fn broken(&self, roles: &[bool]) -> Option<String> {
        let values: Vec<Option<bool>> = roles.iter().copied().map(Some).collect();
        let broken = self.statements.iter().find(|said| said.formula.truth(&values) != values[said.speaker])?;
        let (name, is_knight) = (&self.names.list()[broken.speaker], roles[broken.speaker]);
        let (role, truth) = (role_name(is_knight), !is_knight);
        Some(format!("{name} is a {role} but says '{}', which is {truth}", answer::shorten(&broken.text)))
    }
}

fn role_name(is_knight: bool) -> &'static str {
    if is_knight { "knight" } else { "knave" }
}

/// One role for everybody.
fn read_roles(names: &[String], piece: &str) -> Result<Vec<bool>, Unread> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let said = claims::read(&names, &ROLES, &plain(piece))?;
    if let Some(both) = said.iter().position(|said| said.yes && said.no) {
        return Err(Unread::Conflict(format!("{} has both roles", names[both])));
    }
    let roles = said.iter().zip(&names).map(|(said, name)| said.value().ok_or(name));
    roles.collect::<Result<_, _>>().map_err(|name| Unread::Partial(format!("{name} has no role")))
}

#[cfg(test)]
mod tests;
