//! Finding values, categories and houses in a line.

use super::super::super::answer::{Unread, starts_with_name, starts_with_word};
use super::super::super::claims::{HEDGES, NEGATIONS};
use super::super::Grid;

/// Something in a line that means something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Token {
    /// A word that is the name of these values: of one, unless categories share a word.
    Value(Vec<usize>),
    Category(usize),
    /// A house, from 0.
    House(usize),
}

impl Token {
    pub(super) fn values(&self) -> Option<&Vec<usize>> {
        match self {
            Self::Value(values) => Some(values),
            _ => None,
        }
    }
}

/// Words before the number of a house. The Chinese ones may stand behind it.
const HOUSES: [&str; 10] = ["house", "position", "home", "房子", "房屋", "屋子", "房", "座", "号", "第"];

const ORDINALS: [&str; 12] =
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"];

/// The words of a puzzle.
#[derive(Debug)]
pub(in super::super) struct Words<'a> {
    pub(in super::super) grid: &'a Grid,
    /// Names with their meaning, longest first.
    names: Vec<(String, Token)>,
}

impl<'a> Words<'a> {
    pub(super) fn new(grid: &'a Grid) -> Self {
        let mut names: Vec<(String, Token)> = Vec::new();
        for (value, name) in grid.values.iter().enumerate() {
            match names.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, Token::Value(values))) => values.push(value),
                _ => names.push((name.clone(), Token::Value(vec![value]))),
            }
        }
        for (category, name) in grid.categories.iter().enumerate() {
            for variant in [name.clone(), format!("{name}s"), name.replace('_', " ")] {
                if !names.iter().any(|(known, _)| known.eq_ignore_ascii_case(&variant)) {
                    names.push((variant, Token::Category(category)));
                }
            }
        }
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { grid, names }
    }

    /// What a line or the cell of a table holds, in order. A number alone is a house at the start of a line, behind a value and a sign
    /// such as `:`, and if it is all there is.
    pub(in super::super) fn tokens(&self, text: &str, is_cell: bool) -> Result<Vec<Token>, Unread> {
        let text = text.trim().trim_start_matches(['-', '#', '(', '[', '•', '·', '+', ' ']);
        let mut tokens = Vec::new();
        let mut rest = text;
        let mut previous = ' ';
        let mut mark = ' ';
        while let Some(c) = rest.chars().next() {
            let mut step = c.len_utf8();
            if let Some((name, token)) = self.names.iter().find(|(name, _)| is_here(rest, name, previous)) {
                tokens.push(token.clone());
                (step, mark) = (name.len(), ' ');
            } else if let Some((number, length)) = house_marker(rest, previous) {
                tokens.push(Token::House(self.house(number)?));
                (step, mark) = (length, ' ');
            } else if let Some((number, length)) = whole_number(rest).filter(|_| !previous.is_ascii_alphanumeric()) {
                let is_first = rest.len() == text.len();
                let is_alone = is_first && length == text.trim_end().len();
                let behind = rest[length..].trim_start();
                let starts_line =
                    is_first && !is_cell && (behind.starts_with([':', '：', '.', ')', '、', ',', '-']) || length < rest.len());
                if is_alone || starts_line || matches!((tokens.last(), mark), (Some(Token::Value(_)), ':' | '：' | '=' | '>' | '→' | '-'))
                {
                    tokens.push(Token::House(self.house(number)?));
                }
                (step, mark) = (length, ' ');
            } else if let Some(word) = HEDGES.iter().chain(&NEGATIONS).find(|word| starts_with_word(rest, word, previous)) {
                return Err(Unread::Nothing(format!("'{word}' leaves it open")));
            } else if !c.is_whitespace() && !matches!(c, '"' | '\'') {
                mark = c;
            }
            previous = rest[..step].chars().next_back().unwrap_or(' ');
            rest = &rest[step..];
        }
        Ok(tokens)
    }

    /// A house by its number from 1.
    pub(in super::super) fn house(&self, number: u64) -> Result<usize, Unread> {
        let house = usize::try_from(number).ok().and_then(|number| number.checked_sub(1)).filter(|&house| house < self.grid.houses);
        house.ok_or_else(|| Unread::Nothing(format!("there is no house {number}")))
    }
}

/// Names are read in any case, but single letters, which may be articles, in their own.
fn is_here(text: &str, name: &str, previous: char) -> bool {
    if name.len() == 1 { starts_with_name(text, name, previous) } else { starts_with_word(text, name, previous) }
}

/// `house 3`, `House #3`, `third house`, `3rd house`, `第3座房子`: the number and the length of all.
fn house_marker(text: &str, previous: char) -> Option<(u64, usize)> {
    if previous.is_ascii_alphanumeric() {
        return None;
    }
    if let Some(word) = HOUSES.iter().find(|word| starts(text, word)) {
        let behind = text[word.len()..].trim_start_matches([' ', '#', '_', '-']);
        let behind = behind.strip_prefix("no. ").or(behind.strip_prefix("number ")).unwrap_or(behind);
        let (number, length) = number(behind)?;
        let end = text.len() - behind.len() + length;
        return Some((number, end + behind_number(&text[end..])));
    }
    for (idx, ordinal) in ORDINALS.iter().enumerate() {
        if starts(text, ordinal) {
            let end = ordinal.len();
            return houses_word(&text[end..]).map(|length| (idx as u64 + 1, end + length));
        }
    }
    let (number, length) = number(text)?;
    let behind = &text[length..];
    if let Some(suffix) = ["st", "nd", "rd", "th"].iter().find(|suffix| starts(behind, suffix)) {
        let end = length + suffix.len();
        return houses_word(&text[end..]).map(|length| (number, end + length));
    }
    let length_behind = behind_number(behind);
    (length_behind > 0).then_some((number, length + length_behind))
}

fn starts(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Length of " house" or its like behind an ordinal.
fn houses_word(text: &str) -> Option<usize> {
    let behind = text.trim_start();
    let word = HOUSES[..3].iter().find(|word| starts_with_word(behind, word, ' '))?;
    Some(text.len() - behind.len() + word.len())
}

/// Length of the Chinese words for a house behind its number.
fn behind_number(text: &str) -> usize {
    let mut behind = text;
    while let Some(word) = HOUSES[3..].iter().chain(&["间", "栋", "个"]).find(|word| behind.starts_with(**word)) {
        behind = &behind[word.len()..];
    }
    text.len() - behind.len()
}

fn number(text: &str) -> Option<(u64, usize)> {
    let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..length].parse().ok()?, length))
}

/// A number that is not part of a word.
fn whole_number(text: &str) -> Option<(u64, usize)> {
    let (value, length) = number(text)?;
    (!text[length..].starts_with(|c: char| c.is_alphanumeric())).then_some((value, length))
}
