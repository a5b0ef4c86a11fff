//! The statements in the text of knights-and-knaves problems, as the sets of Logic-RL and mem-kk-logic word them.
//!
//! A problem introduces its people, then each says one thing, in one of a dozen ways: `Zoey said, "Max is a knave."`. What is said is one
//! role, two joined by "and", "or" or "if and only if", or "If … then …".

use std::collections::BTreeMap;

use ruminate_core::Statement;

/// Ways to say something with the speaker first; `S` stands for the speaker.
const SPEAKER_FIRST: [&str; 15] = [
    "S commented,",
    "S was heard saying,",
    "S expressed that",
    "In a statement by S:",
    "According to S,",
    "In S's words:",
    "S said,",
    "S said that",
    "S asserted:",
    "As S put it,",
    "S told you that",
    "S noted,",
    "S stated,",
    "S remarked,",
    "S says:",
];

/// Ways with the speaker last, behind the quotation.
const SPEAKER_LAST: [&str; 4] = ["- S", "S declared", "S claimed", "S mentioned"];

/// The statements of a problem, each by another person; `None` if the text is worded in any other way.
pub(super) fn statements(text: &str, names: &BTreeMap<String, bool>) -> Option<Vec<Statement>> {
    let (_, text) = text.split_once("inhabitants: ")?;
    let (_, text) = text.split_once(". ")?;
    let mut rest = text.trim_start();
    let mut statements: Vec<Statement> = Vec::new();
    while statements.len() < names.len() {
        let (statement, behind) = names.keys().find_map(|name| speaker_first(rest, name)).or_else(|| speaker_last(rest, names))?;
        if statements.iter().any(|other| other.speaker == statement.speaker) || !names.contains_key(&statement.speaker) {
            return None;
        }
        statements.push(statement);
        rest = behind.trim_start();
    }
    // Nobody speaks twice, so what is left must be the question.
    (rest.is_empty() || rest.starts_with("So who is a knight")).then_some(statements)
}

fn speaker_first<'a>(text: &'a str, name: &str) -> Option<(Statement, &'a str)> {
    let behind = SPEAKER_FIRST.iter().find_map(|pattern| text.strip_prefix(pattern.replace('S', name).as_str()))?;
    let behind = behind.trim_start();
    match behind.strip_prefix('"') {
        Some(quoted) => {
            let (said, behind) = quoted.split_once('"')?;
            Some((statement(name, said)?, behind.strip_prefix('.').unwrap_or(behind)))
        }
        None => {
            let (said, behind) = behind.split_once('.')?;
            Some((statement(name, said)?, behind))
        }
    }
}

fn speaker_last<'a>(text: &'a str, names: &BTreeMap<String, bool>) -> Option<(Statement, &'a str)> {
    let (said, behind) = text.strip_prefix('"')?.split_once('"')?;
    let (speaker, behind) = behind.trim_start().split_once('.')?;
    let name = names.keys().find(|name| SPEAKER_LAST.iter().any(|pattern| pattern.replace('S', name) == speaker))?;
    Some((statement(name, said)?, behind))
}

fn statement(name: &str, said: &str) -> Option<Statement> {
    let said = said.trim().trim_end_matches([',', '.']);
    let both = |left: &str, sign: &str, right: &str| Some(format!("{} {sign} {}", role(left)?, role(right)?));
    let says = if let Some((left, right)) = said.strip_prefix("If ").and_then(|said| said.split_once(" then ")) {
        both(left, "->", right)?
    } else if let Some((left, right)) = said.split_once(" if and only if ") {
        both(left, "<->", right)?
    } else if let Some((left, right)) = said.split_once(" and ") {
        both(left, "and", right)?
    } else if let Some((left, right)) = said.split_once(" or ") {
        both(left, "or", right)?
    } else {
        role(said)?
    };
    Some(Statement { speaker: name.to_owned(), says })
}

/// `Zoey is not a knave` as a formula.
fn role(text: &str) -> Option<String> {
    let (name, role) = text.split_once(" is ")?;
    let is_plain = !name.is_empty() && !name.contains(['(', ')', ',', ' ']);
    let formula = match role {
        "a knight" => format!("is_knight({name})"),
        "a knave" => format!("is_knave({name})"),
        "not a knight" => format!("not is_knight({name})"),
        "not a knave" => format!("not is_knave({name})"),
        _ => return None,
    };
    is_plain.then_some(formula)
}
