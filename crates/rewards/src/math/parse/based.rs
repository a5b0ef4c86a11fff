//! Numerals whose base is written: `1011_2`, `\text{FF}_{16}`, `(1011)_2`, `1011 base 2`.

use dashu_int::UBig;

use super::lex::Kind;
use super::{ParseError, Parser, words};
use crate::math::answer::Answer;

impl Parser<'_, '_> {
    /// A numeral with a base, if one stands here as a whole item.
    pub(super) fn based(&mut self) -> Result<Option<Answer>, ParseError> {
        let start = self.at;
        let found = self.based_here()?;
        if found.is_none() {
            self.at = start;
        }
        Ok(found)
    }

    fn based_here(&mut self) -> Result<Option<Answer>, ParseError> {
        let negative = self.sign() == Some('-');
        let mut at = self.at + usize::from(negative);
        // Brackets, groups and overlines around the digits.
        let mut opened = 0;
        while matches!(self.kind_at(at), Kind::Sign('(' | '{' | '⟦') | Kind::Command("overline")) && opened < 4 {
            opened += usize::from(self.sign_at(at).is_some());
            at += 1;
        }
        let first = at;
        let mut len = 0_usize;
        while let Kind::Number(piece) | Kind::Word(piece) = self.kind_at(at) {
            if at > first && self.spaced(at) && !matches!(self.kind_at(at), Kind::Number(_)) {
                break;
            }
            len += piece.len();
            at += 1;
        }
        if len == 0 {
            return Ok(None);
        }
        self.work.pay(len as u64)?;
        let last = at;
        let wrapped = opened > 0;
        while opened > 0 && matches!(self.sign_at(at), Some(')' | '}' | '⟧')) {
            at += 1;
            opened -= 1;
        }
        let prefixed = if wrapped { None } else { self.prefixed(first, last) };
        let Some((base, mut end)) = self.base_at(at).or(prefixed.map(|base| (base, at))) else { return Ok(None) };
        // `-(12_7)`
        while opened > 0 && matches!(self.sign_at(end), Some(')' | '}' | '⟧')) {
            end += 1;
            opened -= 1;
        }
        if opened > 0 {
            return Ok(None);
        }
        if !(2..=36).contains(&base) || !self.is_boundary(end) {
            return Ok(None);
        }
        let mut text = String::with_capacity(len);
        let mut upright = true;
        for at in first..last {
            if let Kind::Number(piece) | Kind::Word(piece) = self.kind_at(at) {
                text.push_str(piece);
            }
            upright &= self.upright(at);
        }
        if prefixed.is_some() {
            text.drain(..2);
            upright = true;
        }
        if !is_numeral(&text, base, upright) {
            return Ok(None);
        }
        let words = text.len() as u64 / 12;
        self.work.pay(text.len() as u64 + words.saturating_mul(words))?;
        let Ok(value) = UBig::from_str_radix(&text, base) else {
            return Err(self.error("digits below the base"));
        };
        self.at = end;
        Ok(Some(Answer::Based { value, base, negative }))
    }

    /// The base of `0xFF`, `0b101`, `0o17`.
    fn prefixed(&self, first: usize, last: usize) -> Option<u32> {
        let (Kind::Number(zero), Kind::Word(mark)) = (self.kind_at(first), self.kind_at(first + 1)) else { return None };
        if zero != "0" || self.spaced(first + 1) || (mark.len() == 1 && last < first + 3) || self.spaced(first + 2) && mark.len() == 1 {
            return None;
        }
        match mark.as_bytes()[0] {
            b'x' => Some(16),
            b'b' if mark.len() == 1 => Some(2),
            b'o' if mark.len() == 1 => Some(8),
            _ => None,
        }
    }

    /// A base that is written at a token, and the place behind it.
    fn base_at(&self, at: usize) -> Option<(u32, usize)> {
        if self.sign_at(at) == Some('_') {
            return match self.sign_at(at + 1) {
                Some('{' | '⟦') => {
                    let bracket = usize::from(self.sign_at(at + 2) == Some('('));
                    let named = usize::from(matches!(self.word_at(at + 2 + bracket), Some("base")));
                    let number = at + 2 + bracket + named;
                    let end = number + 1 + bracket;
                    let closed = matches!(self.sign_at(end), Some('}' | '⟧')) && (bracket == 0 || self.sign_at(number + 1) == Some(')'));
                    closed.then_some((self.base_number(number)?, end + 1))
                }
                Some('(') => (self.sign_at(at + 3) == Some(')')).then_some((self.base_number(at + 2)?, at + 4)),
                _ => Some((self.base_number(at + 1)?, at + 2)),
            };
        }
        let bracket = usize::from(self.sign_at(at) == Some('('));
        let inside = usize::from(matches!(self.word_at(at + bracket), Some("in")));
        let word = at + bracket + inside;
        if !matches!(self.word_at(word), Some("base")) {
            return None;
        }
        let closed = bracket == 0 || self.sign_at(word + 2) == Some(')');
        closed.then_some((self.base_number(word + 1)?, word + 2 + bracket))
    }

    fn base_number(&self, at: usize) -> Option<u32> {
        match self.kind_at(at) {
            Kind::Number(text) => text.parse().ok(),
            Kind::Word(word) => u32::try_from(words::number(word)?).ok(),
            _ => None,
        }
    }
}

/// Whether digits in that base are more likely than a variable with an index: letters are capital, or in `\text`.
fn is_numeral(text: &str, base: u32, upright: bool) -> bool {
    let valid = text.chars().all(|c| c.is_digit(36)) && text.chars().next().is_some();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let lower = text.bytes().any(|b| b.is_ascii_lowercase());
    if !valid || text.contains(['.', '+', '-']) {
        return false;
    }
    if digits == text.len() {
        return true;
    }
    // `3a_{12}` is a product, `1a_{16}` is not.
    let fits = text.chars().all(|c| c.is_digit(base));
    fits && (upright || (digits > 0 || text.len() > 1) && (!lower || (base == 16 && (text.len() > 1 || digits > 0))))
}
