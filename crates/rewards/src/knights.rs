//! Knights and knaves: every person has exactly one role, and it is the right one.

use std::collections::{BTreeMap, BTreeSet};

use ruminate_core::{Outcome, Verdict};

use crate::accuracy::shorten;

/// Role words in lower case. Longer words that contain a shorter one are not needed: plurals match by prefix.
const ROLES: [(&str, bool); 6] = [("knight", true), ("骑士", true), ("騎士", true), ("knave", false), ("无赖", false), ("無賴", false)];

/// Words between a name and a role that turn the role round.
const NEGATIONS: [&str; 4] = ["not ", "n't ", "不是", "并非"];

/// Grades an answer such as `A: knight, B: knave`, `A and C are knights. B is a knave`, `knights: A, C; knaves: B` or `A是骑士，B是无赖`.
pub(crate) fn grade(roles: &BTreeMap<String, bool>, answer: &str) -> Verdict {
    if roles.is_empty() {
        return Verdict::none(Outcome::BadGold, "gold answer names nobody");
    }
    let claims = match read_claims(roles, answer) {
        Ok(claims) => claims,
        Err(reason) => return Verdict::none(Outcome::Unparsed, format!("'{}': {reason}", shorten(answer))),
    };
    if claims.is_empty() {
        return Verdict::none(Outcome::Unparsed, format!("'{}' gives nobody a role", shorten(answer)));
    }
    for (name, &is_knight) in roles {
        match claims.get(name.as_str()) {
            None => return Verdict::none(Outcome::Wrong, format!("{name} has no role")),
            Some(said) if said.len() > 1 => return Verdict::none(Outcome::Wrong, format!("{name} has both roles")),
            Some(said) if !said.contains(&is_knight) => {
                return Verdict::none(Outcome::Wrong, format!("{name} is a {}, found {}", role_name(is_knight), role_name(!is_knight)));
            }
            Some(_) => {}
        }
    }
    Verdict::right(format!("all {} roles are right", roles.len()))
}

fn role_name(is_knight: bool) -> &'static str {
    if is_knight { "knight" } else { "knave" }
}

/// Reads names and roles from left to right. Names wait for the next role; a role followed by a colon takes the names behind it.
fn read_claims<'a>(roles: &'a BTreeMap<String, bool>, answer: &str) -> Result<BTreeMap<&'a str, BTreeSet<bool>>, &'static str> {
    let mut names: Vec<&str> = roles.keys().map(String::as_str).filter(|name| !name.is_empty()).collect();
    // Longest first, so that a name never hides one that begins with it.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut claims: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    let mut waiting: Vec<&str> = Vec::new();
    let mut heading = None;
    let mut negated = false;
    let mut rest = answer;
    let mut previous = ' ';
    while let Some(c) = rest.chars().next() {
        let mut step = c.len_utf8();
        if let Some(name) = names.iter().copied().find(|name| starts_with_word(rest, name, previous)) {
            step = name.len();
            match heading {
                Some(role) => {
                    claims.entry(name).or_default().insert(role);
                }
                None => waiting.push(name),
            }
        } else if let Some((word, role)) = ROLES.iter().copied().find(|(word, _)| starts_with_ignoring_case(rest, word)) {
            step = word.len();
            let behind = rest[step..].trim_start_matches(|c: char| c == 's' || c.is_whitespace() || c == '*');
            if !waiting.is_empty() {
                for name in waiting.drain(..) {
                    claims.entry(name).or_default().insert(role != negated);
                }
            } else if behind.starts_with([':', '：']) {
                heading = Some(role);
            } else {
                return Err("a role stands without a name");
            }
            negated = false;
        } else if NEGATIONS.iter().any(|word| starts_with_ignoring_case(rest, word)) {
            negated = true;
        }
        previous = rest[..step].chars().next_back().unwrap_or(' ');
        rest = &rest[step..];
    }
    Ok(claims)
}

/// Whether `text` begins with `word`, and a Latin word is not part of a longer one.
fn starts_with_word(text: &str, word: &str, previous: char) -> bool {
    let latin = word.starts_with(|c: char| c.is_ascii_alphanumeric());
    text.strip_prefix(word)
        .is_some_and(|rest| !latin || (!previous.is_ascii_alphanumeric() && !rest.starts_with(|c: char| c.is_ascii_alphanumeric())))
}

fn starts_with_ignoring_case(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(answer: &str, expected: Outcome) {
        let roles = BTreeMap::from([("A".to_owned(), true), ("B".to_owned(), false), ("C".to_owned(), true)]);
        let verdict = grade(&roles, answer);
        assert_eq!(verdict.outcome, expected, "{answer}: {}", verdict.reason);
    }

    #[test]
    fn written_forms() {
        check("A: knight, B: knave, C: knight", Outcome::Right);
        check("A is a knight, B is a knave, C is a knight", Outcome::Right);
        check("A and C are knights. B is a Knave.", Outcome::Right);
        check("Knights: A, C; knaves: B", Outcome::Right);
        check("A是骑士，B是无赖，C是骑士", Outcome::Right);
        check("A骑士 B无赖 C骑士", Outcome::Right);
        check("(1) A is a knight\n(2) B is not a knight\n(3) C is a knight", Outcome::Right);
        check("A不是无赖，B不是骑士，C是骑士", Outcome::Right);
        check("A: knave, B: knave, C: knight", Outcome::Wrong);
        check("A: knight, B: knave", Outcome::Wrong);
        check("A: knight, B: knave, C: knight, C: knave", Outcome::Wrong);
        check("A is a knight or knave, B is a knave, C is a knight", Outcome::Unparsed);
        check("no idea", Outcome::Unparsed);
        check("", Outcome::Unparsed);
    }

    #[test]
    fn names_are_whole_words_and_longest_first() {
        let roles = BTreeMap::from([("Zoe".to_owned(), true), ("Zoey".to_owned(), false), ("小明".to_owned(), true)]);
        assert_eq!(grade(&roles, "Zoey is a knave, Zoe is a knight, 小明是骑士").outcome, Outcome::Right);
        assert_eq!(grade(&roles, "Zoey is a knave, 小明是骑士").reason, "Zoe has no role");
    }

    proptest! {
        #[test]
        fn right_roles_are_right_and_one_flip_is_wrong(bits in prop::collection::vec(any::<bool>(), 2..5), flip in 0_usize..4) {
            let name = |i: usize| ["A", "B", "C", "D"][i].to_owned();
            let roles: BTreeMap<String, bool> = bits.iter().enumerate().map(|(i, &b)| (name(i), b)).collect();
            let write = |bits: &[bool]| {
                let parts: Vec<String> = bits.iter().enumerate().map(|(i, &b)| format!("{} is a {}", name(i), role_name(b))).collect();
                parts.join(", ")
            };
            prop_assert_eq!(grade(&roles, &write(&bits)).outcome, Outcome::Right);
            let mut other = bits.clone();
            let at = flip % bits.len();
            other[at] = !other[at];
            prop_assert_eq!(grade(&roles, &write(&other)).outcome, Outcome::Wrong);
        }
    }
}
