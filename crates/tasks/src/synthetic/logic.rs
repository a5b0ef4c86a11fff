//! Knights always tell the truth, knaves always lie. Each person says one thing; exactly one assignment of roles is consistent.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use ruminate_core::Gold;

use super::Tongue;

pub(super) const NAMES: [char; 5] = ['A', 'B', 'C', 'D', 'E'];

/// "Person is a knight" (`true`) or "person is a knave" (`false`).
pub(super) type Claim = (usize, bool);

/// What a person says, about persons by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Statement {
    Is(Claim),
    Alike(usize, usize),
    Differ(usize, usize),
    Either(Claim, Claim),
    Both(Claim, Claim),
}

impl Statement {
    /// Whether the statement is true, as far as the known roles decide it.
    pub(super) fn truth(self, roles: &[Option<bool>]) -> Option<bool> {
        let holds = |(person, role): Claim| Some(roles[person]? == role);
        match self {
            Self::Is(claim) => holds(claim),
            Self::Alike(a, b) => Some(roles[a]? == roles[b]?),
            Self::Differ(a, b) => Some(roles[a]? != roles[b]?),
            Self::Either(a, b) => match (holds(a), holds(b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::Both(a, b) => match (holds(a), holds(b)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
        }
    }

    pub(super) fn people(self) -> [usize; 2] {
        match self {
            Self::Is((a, _)) => [a, a],
            Self::Alike(a, b) | Self::Differ(a, b) | Self::Either((a, _), (b, _)) | Self::Both((a, _), (b, _)) => [a, b],
        }
    }

    /// The statement with every person renamed, parts in order.
    fn renamed(self, to: &[usize]) -> Self {
        let pair = |a: usize, b: usize| (to[a].min(to[b]), to[a].max(to[b]));
        let claims = |a: Claim, b: Claim| {
            let (a, b) = ((to[a.0], a.1), (to[b.0], b.1));
            (a.min(b), a.max(b))
        };
        match self {
            Self::Is((a, role)) => Self::Is((to[a], role)),
            Self::Alike(a, b) => {
                let (a, b) = pair(a, b);
                Self::Alike(a, b)
            }
            Self::Differ(a, b) => {
                let (a, b) = pair(a, b);
                Self::Differ(a, b)
            }
            Self::Either(a, b) => {
                let (a, b) = claims(a, b);
                Self::Either(a, b)
            }
            Self::Both(a, b) => {
                let (a, b) = claims(a, b);
                Self::Both(a, b)
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Puzzle {
    /// Name of each person, in the order of speaking.
    pub(super) names: Vec<char>,
    /// What each person says.
    pub(super) statements: Vec<Statement>,
    /// The only consistent roles.
    pub(super) roles: Vec<bool>,
}

impl Puzzle {
    pub(super) fn sample(difficulty: u32, rng: &mut ChaCha8Rng) -> Self {
        let count = [2, 3, 3, 4][difficulty as usize - 1];
        let joined = if difficulty == 2 { 0.2 } else { 0.4 };
        loop {
            let statements: Vec<Statement> = (0..count).map(|speaker| sample_statement(speaker, count, joined, rng)).collect();
            if let [roles] = consistent_roles(&statements).as_slice() {
                let mut names = NAMES;
                names.shuffle(rng);
                return Self { names: names[..count].to_vec(), statements, roles: roles.clone() };
            }
        }
    }

    pub(super) fn question(&self, language: Tongue) -> String {
        let says: Vec<String> = (0..self.names.len()).map(|speaker| self.says(speaker, language)).collect();
        match language {
            Tongue::En => format!("{} who is who?", says.join(" ")),
            Tongue::Zh => format!("{}谁是谁？", says.concat()),
        }
    }

    /// The line of a speaker, with its full stop.
    pub(super) fn says(&self, speaker: usize, language: Tongue) -> String {
        let name = |person: usize| self.names[person];
        let claim = |claim: Claim| claim_text(self.names[claim.0], claim.1, language);
        let text = match (self.statements[speaker], language) {
            (Statement::Is(a), _) => claim(a),
            (Statement::Alike(a, b), Tongue::En) => format!("{} and {} are the same", name(a), name(b)),
            (Statement::Alike(a, b), Tongue::Zh) => format!("{}和{}相同", name(a), name(b)),
            (Statement::Differ(a, b), Tongue::En) => format!("{} and {} are different", name(a), name(b)),
            (Statement::Differ(a, b), Tongue::Zh) => format!("{}和{}不同", name(a), name(b)),
            (Statement::Either(a, b), Tongue::En) => format!("{} or {}", claim(a), claim(b)),
            (Statement::Either(a, b), Tongue::Zh) => format!("{}或{}", claim(a), claim(b)),
            (Statement::Both(a, b), Tongue::En) => format!("{} and {}", claim(a), claim(b)),
            (Statement::Both(a, b), Tongue::Zh) => format!("{}且{}", claim(a), claim(b)),
        };
        match language {
            Tongue::En => format!("{}: {text}.", name(speaker)),
            Tongue::Zh => format!("{}：{text}。", name(speaker)),
        }
    }

    pub(super) fn gold(&self) -> Gold {
        Gold::Knights { roles: self.names.iter().map(char::to_string).zip(self.roles.iter().copied()).collect::<BTreeMap<_, _>>() }
    }

    /// The smallest writing over all renamings and orders of the people.
    pub(super) fn canonical(&self) -> String {
        let count = self.statements.len();
        let smallest = permutations(count).into_iter().map(|to| {
            let mut says: Vec<(usize, Statement)> =
                self.statements.iter().enumerate().map(|(speaker, statement)| (to[speaker], statement.renamed(&to))).collect();
            says.sort_unstable();
            says
        });
        format!("logic {:?}", smallest.min())
    }
}

/// `A is a knight` or `A是骑士`.
pub(super) fn claim_text(name: char, role: bool, language: Tongue) -> String {
    match (language, role) {
        (Tongue::En, true) => format!("{name} is a knight"),
        (Tongue::En, false) => format!("{name} is a knave"),
        (Tongue::Zh, true) => format!("{name}是骑士"),
        (Tongue::Zh, false) => format!("{name}是无赖"),
    }
}

/// `joined`: probability of an "or" or "and" statement.
fn sample_statement(speaker: usize, count: usize, joined: f64, rng: &mut ChaCha8Rng) -> Statement {
    let first = rng.random_range(0..count);
    let second = (first + rng.random_range(1..count)) % count;
    let mut role = || rng.random_bool(0.5);
    let (a, b) = ((first, role()), (second, role()));
    if rng.random_bool(joined) {
        return if rng.random_bool(0.6) { Statement::Either(a, b) } else { Statement::Both(a, b) };
    }
    match rng.random_range(0..4) {
        0 => Statement::Alike(first, second),
        1 => Statement::Differ(first, second),
        // "I am a knight" says nothing and "I am a knave" nobody can say, so the claim is about another person.
        _ => Statement::Is(if first == speaker { b } else { a }),
    }
}

/// Every assignment in which exactly the knights speak the truth.
fn consistent_roles(statements: &[Statement]) -> Vec<Vec<bool>> {
    let count = statements.len();
    let assignments = (0..1_u32 << count).map(|bits| (0..count).map(|person| bits >> person & 1 == 1).collect::<Vec<bool>>());
    assignments
        .filter(|roles| {
            let known: Vec<Option<bool>> = roles.iter().copied().map(Some).collect();
            statements.iter().zip(roles).all(|(statement, &role)| statement.truth(&known) == Some(role))
        })
        .collect()
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for next in 0..count {
        all = all
            .into_iter()
            .flat_map(|shorter: Vec<usize>| {
                (0..=shorter.len()).map(move |at| {
                    let mut longer = shorter.clone();
                    longer.insert(at, next);
                    longer
                })
            })
            .collect();
    }
    all
}
