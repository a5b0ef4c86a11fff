//! Assignments as JSON: by house, by category, by value, or as a table with header and rows.

use serde_json::{Map, Value};

use super::super::answer::Unread;
use super::read::Placed;
use super::read::words::{Token, Words};

/// Keys of an object that give the number of its house.
const HOUSE_KEYS: [&str; 6] = ["house", "position", "number", "house_number", "id", "房子"];

/// The JSON in a text, from the first bracket to the last; `None` if there is none or it is damaged.
pub(super) fn parse(text: &str) -> Option<Value> {
    let start = text.find(['{', '['])?;
    let end = text.rfind(['}', ']'])?;
    serde_json::from_str(text.get(start..=end)?).ok()
}

/// What is known of a value from what stands around it.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    house: Option<usize>,
    category: Option<usize>,
}

/// Places all values that the JSON puts into a house.
pub(super) fn place(json: &Value, words: &Words<'_>, placed: &mut Placed<'_>) -> Result<(), Unread> {
    walk(json, Place::default(), words, placed)
}

/// The depth is bounded by the parser.
fn walk(json: &Value, at: Place, words: &Words<'_>, placed: &mut Placed<'_>) -> Result<(), Unread> {
    match json {
        Value::Object(fields) => walk_object(fields, at, words, placed),
        Value::Array(items) => walk_array(items, at, words, placed),
        Value::String(text) => {
            for token in words.tokens(text, true)? {
                if let (Token::Value(values), Some(house)) = (token, at.house) {
                    placed.place(&values, at.category, house)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn walk_object(fields: &Map<String, Value>, mut at: Place, words: &Words<'_>, placed: &mut Placed<'_>) -> Result<(), Unread> {
    if let (Some(Value::Array(header)), Some(Value::Array(rows))) = (fields.get("header"), fields.get("rows")) {
        return walk_table(header, rows, words, placed);
    }
    let own_house = fields.iter().find(|(key, _)| HOUSE_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key)));
    if let Some((_, value)) = own_house {
        at.house = house(value, words)?.or(at.house);
    }
    for (key, value) in fields {
        match words.tokens(key, true)?[..] {
            [Token::House(house)] => walk(value, Place { house: Some(house), ..at }, words, placed)?,
            [Token::Category(category)] => walk(value, Place { category: Some(category), ..at }, words, placed)?,
            [Token::Value(ref values)] => match house(value, words)? {
                Some(house) => placed.place(values, at.category, house)?,
                None => walk(value, at, words, placed)?,
            },
            _ => walk(value, at, words, placed)?,
        }
    }
    Ok(())
}

/// Items of a list stand for the houses in order if there are as many, unless they say otherwise.
fn walk_array(items: &[Value], at: Place, words: &Words<'_>, placed: &mut Placed<'_>) -> Result<(), Unread> {
    let are_lists = items.iter().all(|item| item.is_object() || item.is_array());
    let are_houses = at.house.is_none() && items.len() == words.grid.houses && (are_lists || at.category.is_some());
    for (item_idx, item) in items.iter().enumerate() {
        let mut item_at = at;
        if are_houses {
            let named = item.as_array().and_then(|cells| cells.first()).map_or(Ok(None), |first| house(first, words))?;
            item_at.house = Some(named.unwrap_or(item_idx));
        }
        walk(item, item_at, words, placed)?;
    }
    Ok(())
}

fn walk_table(header: &[Value], rows: &[Value], words: &Words<'_>, placed: &mut Placed<'_>) -> Result<(), Unread> {
    for (row_idx, row) in rows.iter().enumerate() {
        let Value::Array(cells) = row else { return Err(Unread::Nothing("a row of the table is no list".into())) };
        let named = cells.first().map_or(Ok(None), |first| house(first, words))?;
        let row_house = match named {
            Some(house) => house,
            None => words.house(row_idx as u64 + 1)?,
        };
        for (cell, head) in cells.iter().zip(header) {
            let category = match words.tokens(head.as_str().unwrap_or_default(), true)?[..] {
                [Token::Category(category)] => Some(category),
                _ => None,
            };
            walk(cell, Place { house: Some(row_house), category }, words, placed)?;
        }
    }
    Ok(())
}

/// A house as a number or as text such as `House 2`; `None` if it is something else.
fn house(json: &Value, words: &Words<'_>) -> Result<Option<usize>, Unread> {
    match json {
        Value::Number(number) => match number.as_u64() {
            Some(number) => words.house(number).map(Some),
            None => Err(Unread::Nothing(format!("there is no house {number}"))),
        },
        Value::String(text) => match words.tokens(text, true)?[..] {
            [Token::House(house)] => Ok(Some(house)),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}
