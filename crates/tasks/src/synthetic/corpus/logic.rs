//! Working on a knights-and-knaves puzzle: a role is supposed and its consequences are drawn.
//!
//! A worked response stops there and does not notice when they contradict each other. A checked one does: "wait", and the role is turned
//! round. So checking pays wherever the first guess is wrong.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Pen, Plan, Style, Words};
use crate::synthetic::SyntheticLanguage;
use crate::synthetic::logic::{Puzzle, Statement, claim_text};

type Roles = Vec<Option<bool>>;

/// Probability that a checked response without a slip looks at all statements once more.
const CHECKS_ALL: f64 = 0.5;

/// Writes the reasoning and returns the answer.
pub(super) fn reason(puzzle: &Puzzle, plan: Plan, pen: &mut Pen, rng: &mut ChaCha8Rng) -> String {
    if plan.style == Style::Direct {
        let roles = if plan.direct_is_right { puzzle.roles.clone() } else { misjudged(&puzzle.roles, rng) };
        let answer = answer(puzzle, &roles, pen.language);
        pen.write(|w| w.so, &answer, rng);
        return answer;
    }
    let (log, _) = deduce(&puzzle.statements);
    let (mut written, mut roles) =
        if plan.style == Style::Worked { first_guess(puzzle, &log) } else { (log.clone(), puzzle.roles.clone()) };
    let careless = if plan.slips { careless_log(puzzle, &written, rng) } else { None };
    let is_careless = careless.is_some();
    if let Some(careless) = careless {
        (written, roles) = careless;
    }
    write_log(puzzle, &written, pen, rng);
    let checks = plan.style == Style::Checked && (is_careless || rng.random_bool(CHECKS_ALL));
    if checks && !write_check(puzzle, &roles, pen, rng) {
        write_log(puzzle, &log, pen, rng);
        roles.clone_from(&puzzle.roles);
    }
    answer(puzzle, &roles, pen.language)
}

/// The deduction up to its first contradiction, which is not noticed; what is not known by then is drawn from one statement after the
/// other.
fn first_guess(puzzle: &Puzzle, log: &[Line]) -> (Vec<Line>, Vec<bool>) {
    let end = log.iter().position(|line| matches!(line.says, Says::Contradiction(_))).unwrap_or(log.len());
    let mut guess = log[..end].to_vec();
    let roles = guess.last().map_or_else(|| vec![None; puzzle.roles.len()], |line| line.roles.clone());
    let roles = complete(puzzle, roles, &mut guess);
    (guess, roles)
}

fn answer(puzzle: &Puzzle, roles: &[bool], language: SyntheticLanguage) -> String {
    let mut people: Vec<(char, bool)> = puzzle.names.iter().copied().zip(roles.iter().copied()).collect();
    people.sort_unstable();
    let claims: Vec<String> = people.into_iter().map(|(name, role)| claim_text(name, role, language)).collect();
    claims.join(if language == SyntheticLanguage::En { ", " } else { "，" })
}

/// Random roles that are not the right ones.
fn misjudged(right: &[bool], rng: &mut ChaCha8Rng) -> Vec<bool> {
    loop {
        let roles: Vec<bool> = right.iter().map(|_| rng.random_bool(0.5)).collect();
        if roles != right {
            return roles;
        }
    }
}

/// One line of a deduction, with what is known after it.
#[derive(Clone, Debug)]
struct Line {
    says: Says,
    roles: Roles,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Suppose(usize, bool),
    /// A role, and the speaker whose statement forces it; without one it is what is left after a contradiction.
    So(usize, bool, Option<usize>),
    /// The speaker's statement does not fit the speaker's role.
    Contradiction(usize),
}

/// Finds the consistent roles by supposing and drawing consequences; returns every line of it and the roles.
fn deduce(statements: &[Statement]) -> (Vec<Line>, Roles) {
    let mut roles = vec![None; statements.len()];
    let mut log = Vec::new();
    search(statements, &mut roles, &mut log);
    (log, roles)
}

fn search(statements: &[Statement], roles: &mut Roles, log: &mut Vec<Line>) -> bool {
    loop {
        match consequence(statements, roles) {
            Consequence::Contradiction(speaker) => {
                log.push(Line { says: Says::Contradiction(speaker), roles: roles.clone() });
                return false;
            }
            Consequence::Role(person, role, speaker) => {
                roles[person] = Some(role);
                log.push(Line { says: Says::So(person, role, Some(speaker)), roles: roles.clone() });
            }
            Consequence::Nothing => break,
        }
    }
    let Some(person) = roles.iter().position(Option::is_none) else { return true };
    let before = roles.clone();
    for (guess, says) in [(true, Says::Suppose(person, true)), (false, Says::So(person, false, None))] {
        roles.clone_from(&before);
        roles[person] = Some(guess);
        log.push(Line { says, roles: roles.clone() });
        if search(statements, roles, log) {
            return true;
        }
    }
    false
}

enum Consequence {
    Nothing,
    /// A person's role, and whose statement forces it.
    Role(usize, bool, usize),
    /// Whose statement does not fit.
    Contradiction(usize),
}

/// The first thing that follows from the known roles by looking at one statement.
fn consequence(statements: &[Statement], roles: &Roles) -> Consequence {
    for (speaker, &statement) in statements.iter().enumerate() {
        match (roles[speaker], statement.truth(roles)) {
            (Some(role), Some(truth)) if role != truth => return Consequence::Contradiction(speaker),
            (None, Some(truth)) => return Consequence::Role(speaker, truth, speaker),
            (Some(role), None) => {
                for person in statement.people() {
                    if let Some(forced) = forced_role(statement, role, person, roles) {
                        return Consequence::Role(person, forced, speaker);
                    }
                }
            }
            _ => {}
        }
    }
    Consequence::Nothing
}

/// The only role of `person` with which `statement` can still have the truth value `role`.
fn forced_role(statement: Statement, role: bool, person: usize, roles: &Roles) -> Option<bool> {
    if roles[person].is_some() {
        return None;
    }
    [true, false].into_iter().find(|&guess| {
        let mut other = roles.clone();
        other[person] = Some(!guess);
        statement.truth(&other) == Some(!role)
    })
}

/// The deduction with one conclusion turned round and carried on without noticing contradictions; `None` if it draws no conclusion or
/// ends at the right roles all the same.
fn careless_log(puzzle: &Puzzle, log: &[Line], rng: &mut ChaCha8Rng) -> Option<(Vec<Line>, Vec<bool>)> {
    let conclusions: Vec<usize> = (0..log.len()).filter(|&at| matches!(log[at].says, Says::So(..))).collect();
    let &at = conclusions.get(rng.random_range(0..conclusions.len().max(1)))?;
    let Says::So(person, role, because) = log[at].says else { return None };
    let mut careless = log[..at].to_vec();
    let mut roles = log[at].roles.clone();
    roles[person] = Some(!role);
    careless.push(Line { says: Says::So(person, !role, because), roles: roles.clone() });
    let roles = complete(puzzle, roles, &mut careless);
    (roles != puzzle.roles).then_some((careless, roles))
}

/// Finds the roles that are not known yet without noticing contradictions, and adds the lines of it.
fn complete(puzzle: &Puzzle, mut roles: Roles, log: &mut Vec<Line>) -> Vec<bool> {
    while let Some(unknown) = roles.iter().position(Option::is_none) {
        let (person, role, because) = match consequence(&puzzle.statements, &roles) {
            Consequence::Role(person, role, speaker) => (person, role, Some(speaker)),
            _ => (unknown, true, None),
        };
        roles[person] = Some(role);
        log.push(Line { says: Says::So(person, role, because), roles: roles.clone() });
    }
    roles.into_iter().flatten().collect()
}

/// Each conclusion quotes the statement it comes from and says whether that is true: a small model can copy a statement and look at
/// two roles, but not find the statement and turn it round in one step.
fn write_log(puzzle: &Puzzle, log: &[Line], pen: &mut Pen, rng: &mut ChaCha8Rng) {
    for line in log {
        let language = pen.line(rng);
        let words = Words::of(language);
        let mut quote = |speaker: usize| {
            pen.text.push_str(puzzle.says(speaker, language).trim_end_matches(['.', '。']));
            let truth = puzzle.statements[speaker].truth(&line.roles).unwrap_or(false);
            pen.text.push_str(if truth { words.truth } else { words.lie });
        };
        match line.says {
            Says::Contradiction(speaker) => {
                quote(speaker);
                pen.text.push_str(words.no);
                pen.wait(rng);
            }
            Says::Suppose(person, role) => {
                pen.text.push_str(words.suppose);
                pen.text.push_str(&claim_text(puzzle.names[person], role, language));
            }
            Says::So(person, role, because) => {
                if let Some(speaker) = because {
                    quote(speaker);
                    pen.text.push_str(if language == SyntheticLanguage::En { " " } else { "，" });
                }
                pen.text.push_str(words.so);
                pen.text.push_str(&claim_text(puzzle.names[person], role, language));
            }
        }
    }
}

/// Says of each statement whether it is true under `roles`; stops at the first that does not fit its speaker and returns whether all do.
fn write_check(puzzle: &Puzzle, roles: &[bool], pen: &mut Pen, rng: &mut ChaCha8Rng) -> bool {
    let known: Roles = roles.iter().copied().map(Some).collect();
    let words = Words::of(pen.line(rng));
    pen.text.push_str(words.check);
    for (speaker, statement) in puzzle.statements.iter().enumerate() {
        let truth = statement.truth(&known) == Some(true);
        if speaker > 0 {
            pen.text.push(' ');
        }
        pen.text.push(puzzle.names[speaker]);
        pen.text.push_str(if truth { words.truth } else { words.lie });
        if truth != roles[speaker] {
            pen.wait(rng);
            return false;
        }
    }
    pen.text.push_str(words.fine);
    true
}
