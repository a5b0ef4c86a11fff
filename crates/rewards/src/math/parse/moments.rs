//! Dates and times of day.

use super::lex::Kind;
use super::{Fork, ParseError, Parser, numerals, words};
use crate::math::answer::Answer;

impl Parser<'_, '_> {
    /// A date or a time, if the item is one.
    pub(super) fn moment(&mut self) -> Result<Option<Answer>, ParseError> {
        let found = match self.kind() {
            Kind::Number(_) | Kind::HanNumber(_) => self
                .numeric_date()
                .or_else(|| self.han_date())
                .or_else(|| self.day_month())
                .or_else(|| self.time_ahead(self.at, None))
                .or_else(|| self.han_time(self.at, None)),
            Kind::Word(_) => self.month_day(),
            Kind::Han(run) => {
                let half = match *run {
                    "上午" | "早上" | "凌晨" | "早晨" => Some(false),
                    "下午" | "晚上" | "傍晚" | "中午" => Some(true),
                    _ => None,
                };
                half.and_then(|half| self.time_ahead(self.at + 1, Some(half)).or_else(|| self.han_time(self.at + 1, Some(half))))
            }
            _ => None,
        };
        let Some((answer, end)) = found.filter(|&(_, end)| self.is_boundary(end)) else { return Ok(None) };
        // Without am, pm or seconds it could be a ratio.
        if matches!(answer, Answer::Time { half: false, minute: 1.., .. })
            && self.sign_at(self.at + 1) == Some(':')
            && self.fork(Fork::Colon)
        {
            return Ok(None);
        }
        self.at = end;
        Ok(Some(answer))
    }

    fn integer(&self, at: usize) -> Option<u32> {
        match self.kind_at(at) {
            Kind::Number(text) if text.len() <= 4 => text.parse().ok(),
            Kind::HanNumber(text) => {
                let number = numerals::han_value(text)?;
                number.value.is_int().then(|| u32::try_from(number.value.numerator().clone()).ok())?
            }
            _ => None,
        }
    }

    /// Whether the number at a token has so many digits.
    fn has_digits(&self, at: usize, count: usize) -> bool {
        matches!(self.kind_at(at), Kind::Number(text) if text.len() == count)
    }

    /// `2020-03-05`, `2020/3/5`, `3/5/2020`.
    fn numeric_date(&self) -> Option<(Answer, usize)> {
        let at = self.at;
        let mark = self.sign_at(at + 1).filter(|mark| matches!(mark, '-' | '/' | '.'))?;
        if self.sign_at(at + 3) != Some(mark) || (at + 1..at + 5).any(|at| self.spaced(at)) {
            return None;
        }
        let (first, second, third) = (self.integer(at)?, self.integer(at + 2)?, self.integer(at + 4)?);
        if self.has_digits(at, 4) {
            // `2020-3-5` could be a difference; dates in that form have two digits each.
            let full = mark == '/' || (self.has_digits(at + 2, 2) && self.has_digits(at + 4, 2));
            return full.then_some((date(Some(first), second, Some(third))?, at + 5));
        }
        if mark == '/' && self.has_digits(at + 4, 4) {
            return Some((date(Some(third), first, Some(second))?, at + 5));
        }
        None
    }

    /// 2020年3月5日.
    fn han_date(&self) -> Option<(Answer, usize)> {
        let mut at = self.at;
        let year = if *self.kind_at(at + 1) == Kind::Han("年") {
            let year = self.integer(at)?;
            at += 2;
            Some(year)
        } else {
            None
        };
        if *self.kind_at(at + 1) != Kind::Han("月") {
            return None;
        }
        let month = self.integer(at)?;
        at += 2;
        let day = if matches!(self.kind_at(at + 1), Kind::Han("日" | "号")) {
            let day = self.integer(at)?;
            at += 2;
            Some(day)
        } else {
            None
        };
        Some((date(year, month, day)?, at))
    }

    /// `March 5, 2020`, `March 5th`, `March 2020`.
    fn month_day(&self) -> Option<(Answer, usize)> {
        let mut at = self.at;
        let month = words::month(self.word_at(at)?)?;
        at += 1;
        if self.sign_at(at) == Some('.') {
            at += 1;
        }
        if self.has_digits(at, 4) {
            return Some((date(Some(self.integer(at)?), month, None)?, at + 1));
        }
        let day = self.integer(at)?;
        at += 1;
        at += self.ordinal_len(at);
        let comma = usize::from(self.sign_at(at) == Some(','));
        if self.has_digits(at + comma, 4) && self.is_boundary(at + comma + 1) {
            return Some((date(Some(self.integer(at + comma)?), month, Some(day))?, at + comma + 1));
        }
        Some((date(None, month, Some(day))?, at))
    }

    /// `5 March 2020`, `the 5th of March`.
    fn day_month(&self) -> Option<(Answer, usize)> {
        let day = self.integer(self.at)?;
        let mut at = self.at + 1;
        at += self.ordinal_len(at);
        if self.word_at(at) == Some("of") {
            at += 1;
        }
        let month = words::month(self.word_at(at)?)?;
        at += 1;
        let comma = usize::from(self.sign_at(at) == Some(','));
        if self.has_digits(at + comma, 4) {
            return Some((date(Some(self.integer(at + comma)?), month, Some(day))?, at + comma + 1));
        }
        Some((date(None, month, Some(day))?, at))
    }

    fn ordinal_len(&self, at: usize) -> usize {
        usize::from(matches!(self.word_at(at), Some("th" | "st" | "nd" | "rd")))
    }

    /// `3:45`, `3:45 pm`, `3 pm`, `12:30:15`; `late` is what words in front said.
    fn time_ahead(&self, start: usize, late: Option<bool>) -> Option<(Answer, usize)> {
        let hour = self.integer(start)?;
        let mut at = start + 1;
        let (mut minute, mut second) = (0, 0);
        let mut colon = false;
        if self.sign_at(at) == Some(':') && self.has_digits(at + 1, 2) {
            colon = true;
            minute = self.integer(at + 1)?;
            at += 2;
            if self.sign_at(at) == Some(':') && self.has_digits(at + 1, 2) {
                second = self.integer(at + 1)?;
                at += 2;
            }
        }
        let (half, len) = self.half(at);
        if !colon && half.is_none() {
            return None;
        }
        let half = half.or(late);
        time(hour, minute, second, half).map(|answer| (answer, at + len))
    }

    /// `am`, `p.m.` at a token: whether it is the second half of the day, and the number of tokens.
    fn half(&self, at: usize) -> (Option<bool>, usize) {
        let Some(word) = self.word_at(at) else { return (None, 0) };
        match word {
            "am" | "AM" | "Am" => (Some(false), 1),
            "pm" | "PM" | "Pm" => (Some(true), 1),
            "a" | "A" | "p" | "P" if self.sign_at(at + 1) == Some('.') && matches!(self.word_at(at + 2), Some("m" | "M")) => {
                (Some(word.eq_ignore_ascii_case("p")), 3 + usize::from(self.sign_at(at + 3) == Some('.')))
            }
            _ => (None, 0),
        }
    }

    /// 3点45分, 3时.
    fn han_time(&self, start: usize, late: Option<bool>) -> Option<(Answer, usize)> {
        if !matches!(self.kind_at(start + 1), Kind::Han("点" | "点钟" | "时" | "点整")) {
            return match self.kind_at(start + 1) {
                Kind::Han("点半") => Some((time(self.integer(start)?, 30, 0, late)?, start + 2)),
                _ => None,
            };
        }
        let hour = self.integer(start)?;
        let mut at = start + 2;
        let mut minute = 0;
        if let Some(found) = self.integer(at) {
            minute = found;
            at += 1;
            if *self.kind_at(at) == Kind::Han("分") {
                at += 1;
            }
        }
        Some((time(hour, minute, 0, late)?, at))
    }
}

fn date(year: Option<u32>, month: u32, day: Option<u32>) -> Option<Answer> {
    let leap = year.is_none_or(|year| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let valid = (1..=12).contains(&month) && day.is_none_or(|day| (1..=days).contains(&day));
    let year = match year {
        Some(year) => Some(i32::try_from(year).ok()?),
        None => None,
    };
    valid.then_some(Answer::Date { year, month, day })
}

fn time(hour: u32, minute: u32, second: u32, late: Option<bool>) -> Option<Answer> {
    if minute > 59 || second > 59 || hour > 23 {
        return None;
    }
    let hour = match late {
        Some(true) if hour < 12 => hour + 12,
        Some(false) if hour == 12 => 0,
        _ => hour,
    };
    Some(Answer::Time { hour, minute, second, half: late.is_some() })
}
