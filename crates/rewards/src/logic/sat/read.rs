//! The ways of writing an assignment.

use super::super::answer::{Unread, plain};
use super::super::claims::{self, ValueWord};
use super::{Answer, Instance};

const TRUTHS: [ValueWord; 10] = [
    word("true", true, false),
    word("false", false, false),
    word("真", true, false),
    word("假", false, false),
    word("1", true, true),
    word("0", false, true),
    word("T", true, true),
    word("F", false, true),
    word("⊤", true, true),
    word("⊥", false, true),
];

const fn word(word: &'static str, value: bool, marked: bool) -> ValueWord {
    ValueWord { word, value, marked }
}

/// Ways to say that there is no assignment, in lower case.
const NONE: [&str; 9] =
    ["unsat", "not satisfiable", "isn't satisfiable", "no satisfying", "no solution", "no such assignment", "不可满足", "无解", "无法满足"];

/// Reads the answer in a piece of text.
pub(super) fn read(instance: &Instance, piece: &str) -> Result<Answer, Unread> {
    let names: Vec<&str> = instance.names.list().iter().map(String::as_str).collect();
    let mut text = plain(piece);
    if !names.iter().any(|name| name.contains('_')) {
        // x_1 is x1.
        text.retain(|c| c != '_');
    }
    let lower = text.to_lowercase();
    let values = read_values(&names, &text).or_else(|error| {
        // No two names differ in case only, so X1 can be read as x1 where nothing else is found.
        let lower_names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        let lower_names: Vec<&str> = lower_names.iter().map(String::as_str).collect();
        read_values(&lower_names, &lower).map_err(|_| error)
    });
    if NONE.iter().any(|phrase| lower.contains(phrase)) {
        // Why there is none may be told with some values, but not with all of them.
        return match values {
            Ok(values) if values.iter().all(Option::is_some) => {
                Err(Unread::Conflict("gives an assignment and says that there is none".into()))
            }
            _ => Ok(Answer::Unsatisfiable),
        };
    }
    let values = values?;
    match values.iter().position(Option::is_none) {
        Some(open) if !instance.is_full(&values) => Err(Unread::Partial(format!("{} has no value, and it matters", names[open]))),
        _ => Ok(Answer::Values(values)),
    }
}

fn read_values(names: &[&str], text: &str) -> Result<Vec<Option<bool>>, Unread> {
    if let Some(values) = numbers(names, text) {
        return values;
    }
    let said = match claims::read(names, &TRUTHS, text) {
        Ok(said) => said,
        Err(error) => return literals(names, text).unwrap_or(Err(error)),
    };
    if let Some(both) = said.iter().position(|said| said.yes && said.no) {
        return Err(Unread::Conflict(format!("{} has both values", names[both])));
    }
    Ok(said.into_iter().map(claims::Said::value).collect())
}

/// One value for each variable in order, as `1 0 1`, `101` or `T F T`, or literals as in DIMACS, `1 -2 3 0`; `None` for any other text.
fn numbers(names: &[&str], text: &str) -> Option<Result<Vec<Option<bool>>, Unread>> {
    let text = text.trim();
    let text = text.strip_prefix("s SATISFIABLE").unwrap_or(text).trim();
    let is_divider = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '[' | ']' | '(' | ')' | '|');
    // Solvers begin each line of values with a v.
    let mut tokens: Vec<&str> = text.split(is_divider).filter(|token| !token.is_empty() && *token != "v").collect();
    if tokens.is_empty() || tokens.len() > names.len() + 1 {
        return None;
    }
    let one_digit_each: Vec<&str> = match tokens[..] {
        [digits] if digits.len() == names.len() => digits.split("").filter(|digit| !digit.is_empty()).collect(),
        _ => tokens.clone(),
    };
    let bit = |token: &&str| match token.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" => Some(Some(true)),
        "0" | "f" | "false" => Some(Some(false)),
        _ => None,
    };
    if one_digit_each.len() == names.len()
        && let Some(values) = one_digit_each.iter().map(bit).collect()
    {
        return Some(Ok(values));
    }
    if tokens.last() == Some(&"0") {
        tokens.pop();
    }
    let mut values = vec![None; names.len()];
    for token in tokens {
        let number: i64 = token.parse().ok()?;
        let slot = values.get_mut(usize::try_from(number.unsigned_abs()).ok()?.checked_sub(1)?)?;
        if slot.is_some_and(|value| value != (number > 0)) {
            return Some(Err(Unread::Conflict(format!("variable {} has both values", number.unsigned_abs()))));
        }
        *slot = Some(number > 0);
    }
    Some(Ok(values))
}

/// Names with and without negation and nothing else: `x1, not x2, ¬x3`; `None` for any other text.
fn literals(names: &[&str], text: &str) -> Option<Result<Vec<Option<bool>>, Unread>> {
    const NEGATIONS: [&str; 6] = ["not", "¬", "~", "!", "-", "非"];
    let mut values = vec![None; names.len()];
    let mut negated = false;
    let mut any = false;
    let mut rest = text.trim();
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let word = &rest[..end];
        if let Some(idx) = names.iter().position(|&name| name == word) {
            if values[idx].is_some_and(|value: bool| value == negated) {
                return Some(Err(Unread::Conflict(format!("{} has both values", names[idx]))));
            }
            values[idx] = Some(!negated);
            (negated, any) = (false, true);
            rest = &rest[end..];
        } else if let Some(sign) = NEGATIONS.iter().find(|sign| rest.starts_with(**sign)) {
            negated = !negated;
            rest = &rest[sign.len()..];
        } else if word.eq_ignore_ascii_case("and") {
            rest = &rest[end..];
        } else if c.is_whitespace() || matches!(c, ',' | ';' | '∧' | '&' | '|' | '[' | ']' | '(' | ')' | '.' | '，' | '、') {
            rest = &rest[c.len_utf8()..];
        } else {
            return None;
        }
    }
    (any && !negated).then_some(Ok(values))
}
