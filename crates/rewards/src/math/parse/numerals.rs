//! Numerals: what a run of digits is worth.

use std::borrow::Cow;

use dashu_base::BitTest;
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::ParseError;
use super::lex::Kind;
use crate::math::answer::Number;
use crate::math::work::{Exhausted, Work};

/// The raised characters and what they stand for.
pub(super) const RAISED: [(char, char); 20] = [
    ('⁰', '0'),
    ('¹', '1'),
    ('²', '2'),
    ('³', '3'),
    ('⁴', '4'),
    ('⁵', '5'),
    ('⁶', '6'),
    ('⁷', '7'),
    ('⁸', '8'),
    ('⁹', '9'),
    ('⁺', '+'),
    ('⁻', '-'),
    ('⁽', '('),
    ('⁾', ')'),
    ('ⁿ', 'n'),
    ('ⁱ', 'i'),
    ('ˣ', 'x'),
    ('ᵏ', 'k'),
    ('ᵐ', 'm'),
    ('⸍', '/'),
];

/// The lowered characters and what they stand for.
pub(super) const LOWERED: [(char, char); 14] = [
    ('₀', '0'),
    ('₁', '1'),
    ('₂', '2'),
    ('₃', '3'),
    ('₄', '4'),
    ('₅', '5'),
    ('₆', '6'),
    ('₇', '7'),
    ('₈', '8'),
    ('₉', '9'),
    ('₊', '+'),
    ('₋', '-'),
    ('ₙ', 'n'),
    ('ₖ', 'k'),
];

pub(super) fn script(c: char, table: &[(char, char)]) -> Option<char> {
    table.iter().find(|&&(raised, _)| raised == c).map(|&(_, plain)| plain)
}

/// The value of a character that is a fraction.
pub(super) fn vulgar(c: char) -> Option<(u8, u8)> {
    Some(match c {
        '½' => (1, 2),
        '⅓' => (1, 3),
        '⅔' => (2, 3),
        '¼' => (1, 4),
        '¾' => (3, 4),
        '⅕' => (1, 5),
        '⅖' => (2, 5),
        '⅗' => (3, 5),
        '⅘' => (4, 5),
        '⅙' => (1, 6),
        '⅚' => (5, 6),
        '⅐' => (1, 7),
        '⅛' => (1, 8),
        '⅜' => (3, 8),
        '⅝' => (5, 8),
        '⅞' => (7, 8),
        '⅑' => (1, 9),
        '⅒' => (1, 10),
        _ => return None,
    })
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// Reads a numeral at the start of `text`, which begins with a digit or with a point and a digit; gives it and its length in bytes.
///
/// Separators that cannot be mistaken are taken here: `1{,}000`, `1\,000`, `1,\!000`, `1 000`. The comma of `1,000` is left to the
/// parser.
pub(super) fn scan<'a>(text: &'a str) -> (Kind<'a>, usize) {
    let mut len = digits(text);
    let mut plain = Cow::Borrowed(&text[..len]);
    if (1..=3).contains(&len) && !text.starts_with('0') {
        while let Some((separator, group)) = group(&text[len..]) {
            plain.to_mut().push_str(&text[len + separator..len + separator + group]);
            len += separator + group;
        }
    }
    if let Some(rest) = text[len..].strip_prefix("{,}")
        && digits(rest) > 0
    {
        // The decimal comma as LaTeX writes it.
        let decimals = digits(rest);
        let mut number = plain.into_owned();
        number.push('.');
        number.push_str(&rest[..decimals]);
        return (Kind::Number(Cow::Owned(number)), len + 3 + decimals);
    }
    let Some(behind) = text[len..].strip_prefix('.') else { return exponent(text, plain, len) };
    let decimals = digits(behind);
    if let Some((cycle, cycle_len)) = cycle(&behind[decimals..]) {
        let kind = Kind::Repeating([plain.into_owned(), behind[..decimals].to_owned(), cycle]);
        return (kind, len + 1 + decimals + cycle_len);
    }
    if decimals == 0 {
        return (Kind::Number(plain), len);
    }
    let (dots, dots_len) = dots(&behind[decimals..]);
    if dots && let Some((head, cycle)) = period(&behind[..decimals]) {
        let kind = Kind::Repeating([plain.into_owned(), head.to_owned(), cycle.to_owned()]);
        return (kind, len + 1 + decimals + dots_len);
    }
    let mut number = match plain {
        Cow::Borrowed(_) => Cow::Borrowed(&text[..len + 1 + decimals]),
        Cow::Owned(mut plain) => {
            plain.push('.');
            plain.push_str(&behind[..decimals]);
            Cow::Owned(plain)
        }
    };
    len += 1 + decimals;
    if dots {
        return (Kind::Number(number), len + dots_len);
    }
    // Groups of digits behind the point: `3.141\,592`.
    while let Some((separator, group)) = group(&text[len..]).filter(|_| text[len..].starts_with("\\,")) {
        number.to_mut().push_str(&text[len + separator..len + separator + group]);
        len += separator + group;
    }
    exponent(text, number, len)
}

/// A separator of thousands and three digits that follow: the lengths of both.
fn group(text: &str) -> Option<(usize, usize)> {
    const SEPARATORS: [&str; 10] = ["\\,", ",\\! ", ",\\!", "{,\\!}", "\\ ", "\\;", "\\:", "\u{a0}", "\u{202f}", "\u{2009}"];
    let written = || SEPARATORS.iter().find(|separator| text.starts_with(**separator)).map(|separator| separator.len());
    let space = || text.starts_with([' ', '~']).then_some(1);
    let separator = braced_comma(text).or_else(written).or_else(space)?;
    // `5 125/1000` is a mixed number.
    let mixed = text.starts_with(' ') && text.as_bytes().get(separator + 3) == Some(&b'/');
    (digits(&text[separator..]) == 3 && !mixed).then_some((separator, 3))
}

/// The length of `{,}`, which may have spaces around and inside of its braces.
fn braced_comma(text: &str) -> Option<usize> {
    let spaceless = |text: &'_ str| text.trim_start_matches(' ').len();
    let mut rest = text;
    for sign in ['{', ',', '}'] {
        rest = rest[rest.len() - spaceless(rest)..].strip_prefix(sign)?;
    }
    Some(text.len() - spaceless(rest))
}

/// Takes an exponent as in `1.5e3`.
fn exponent<'a>(text: &'a str, number: Cow<'a, str>, len: usize) -> (Kind<'a>, usize) {
    let rest = &text[len..];
    let Some(tail) = rest.strip_prefix(['e', 'E']) else { return (Kind::Number(number), len) };
    let sign = usize::from(tail.starts_with(['+', '-']));
    let count = digits(&tail[sign..]);
    if count == 0 || tail[sign + count..].starts_with(|c: char| c.is_ascii_alphabetic()) {
        return (Kind::Number(number), len);
    }
    let end = 1 + sign + count;
    let whole = match number {
        Cow::Borrowed(_) => Cow::Borrowed(&text[..len + end]),
        Cow::Owned(number) => Cow::Owned(number + &rest[..end]),
    };
    (Kind::Number(whole), len + end)
}

/// The digits that repeat, as in `\overline{36}`, `\bar{6}`, `\dot{1}4\dot{2}`, `(36)`, and the length of the mark.
fn cycle(text: &str) -> Option<(String, usize)> {
    if let Some(inside) = text.strip_prefix('(') {
        let count = digits(inside);
        return (count > 0 && inside[count..].starts_with(')')).then(|| (inside[..count].to_owned(), count + 2));
    }
    let (outer, body) = match text.strip_prefix('{') {
        Some(body) => (1, body),
        None => (0, text),
    };
    for mark in ["\\overline{", "\\bar{", "\\overline ", "\\bar "] {
        if let Some(inside) = body.strip_prefix(mark) {
            let count = if mark.ends_with('{') { digits(inside) } else { digits(inside).min(1) };
            let close = if mark.ends_with('{') { usize::from(inside[count..].starts_with('}')) } else { 0 };
            let len = outer + mark.len() + count + close + outer;
            let closed = (close == 1 || !mark.ends_with('{')) && (outer == 0 || body[len - 1 - outer..].starts_with('}'));
            return (count > 0 && closed).then(|| (inside[..count].to_owned(), len));
        }
    }
    let first = dotted(text)?;
    let mut cycle = first.0.to_owned();
    let mut len = first.1;
    let between = digits(&text[len..]);
    if let Some((last, last_len)) = dotted(&text[len + between..]) {
        cycle.push_str(&text[len..len + between]);
        cycle.push_str(last);
        len += between + last_len;
    }
    Some((cycle, len))
}

/// `\dot{3}` or `\dot3`.
fn dotted(text: &str) -> Option<(&str, usize)> {
    let body = text.strip_prefix("\\dot")?;
    let (open, inside) = match body.strip_prefix('{') {
        Some(inside) => (1, inside),
        None => (0, body),
    };
    let close = if open == 1 { inside.get(1..)?.starts_with('}') } else { true };
    (digits(inside) > 0 && close).then(|| (&inside[..1], 5 + open * 2))
}

/// Whether dots follow, as in `0.333...`, and how long they are.
fn dots(text: &str) -> (bool, usize) {
    let rest = text.trim_start_matches(' ');
    let gap = text.len() - rest.len();
    for mark in ["...", "…", "⋯", "\\ldots", "\\dots", "\\cdots"] {
        if rest.starts_with(mark) {
            return (true, gap + mark.len());
        }
    }
    (false, 0)
}

/// The longest repeated end of written decimals, as in `333` or `1666` or `142857142857`: what stands before it, and one turn of it.
/// One digit must be seen three times, or twice if nothing else is there; more digits twice.
fn period(decimals: &str) -> Option<(&str, &str)> {
    let bytes = decimals.as_bytes();
    let count = bytes.len();
    // Nobody writes longer turns by hand, and the work stays small.
    for turn in 1..=12.min(count / 2) {
        let last = &bytes[count - turn..];
        let turns = bytes.rchunks(turn).take_while(|chunk| *chunk == last).take(64).count();
        let whole = turns * turn == count;
        if turns >= 3 || (turns == 2 && (whole || turn > 1)) {
            return Some((&decimals[..count - turns * turn], &decimals[count - turn..]));
        }
    }
    None
}

fn big(digits: &str, work: &mut Work) -> Result<UBig, Exhausted> {
    let count = digits.len() as u64;
    work.pay(count + (count / 24).saturating_mul(count / 24))?;
    if digits.is_empty() {
        return Ok(UBig::ZERO);
    }
    // The text is digits only, so that the other branch is never taken.
    Ok(UBig::from_str_radix(digits, 10).unwrap_or_default())
}

/// 10 to the power of `exponent`.
fn ten_to(exponent: usize, work: &mut Work) -> Result<UBig, Exhausted> {
    let words = exponent as u64 / 19;
    work.pay(words.saturating_mul(words))?;
    Ok(UBig::from(10_u8).pow(exponent))
}

/// A numeral's value, and the exponent of ten that it states if that is too large to be multiplied out.
pub(super) fn value(text: &str, at: usize, work: &mut Work) -> Result<(Number, Option<IBig>), ParseError> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent),
        None => (text, "0"),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + decimals.len() > 100_000 {
        return Err(ParseError::Exhausted);
    }
    let pointed = mantissa.contains('.');
    let joined = if pointed { Cow::Owned([whole, decimals].concat()) } else { Cow::Borrowed(whole) };
    let digits = big(&joined, work)?;
    let places = decimals.len();
    let shift: i64 = match exponent.parse() {
        Ok(shift) => shift,
        Err(_) => return far(digits, places, exponent, at, work),
    };
    if shift.unsigned_abs() > 4000 {
        return far(digits, places, exponent, at, work);
    }
    let places = places as i64 - shift;
    let value = match usize::try_from(places) {
        Ok(0) => RBig::from(digits),
        Ok(places) => {
            pay_reduction(places, digits.bit_len(), work)?;
            RBig::from_parts(IBig::from(digits), ten_to(places, work)?)
        }
        Err(_) => RBig::from(digits * ten_to(places.unsigned_abs() as usize, work)?),
    };
    let written = (pointed || places > 0).then(|| u32::try_from(places.max(0)).unwrap_or(u32::MAX));
    Ok((Number { value, decimals: written }, None))
}

fn far(digits: UBig, places: usize, exponent: &str, at: usize, work: &mut Work) -> Result<(Number, Option<IBig>), ParseError> {
    let unsigned = exponent.trim_start_matches(['+', '-']);
    let size = IBig::from(big(unsigned, work)?);
    let exponent = if exponent.starts_with('-') { -size } else { size };
    if places > 4000 {
        return Err(ParseError::unreadable(at, "a number of at most 4000 decimals in scientific notation", "more"));
    }
    let value = RBig::from_parts(IBig::from(digits), ten_to(places, work)?);
    Ok((Number { value, decimals: None }, Some(exponent)))
}

/// A fraction is brought to lowest terms, which takes the square of its words.
fn pay_reduction(decimals: usize, bits: usize, work: &mut Work) -> Result<(), Exhausted> {
    let words = (decimals as u64 / 19 + 1).max(bits as u64 / 64 + 1);
    work.pay(words.saturating_mul(words).saturating_mul(2))
}

/// The value of a repeating decimal with its parts before the point, behind it, and repeating.
pub(super) fn repeating([whole, head, cycle]: &[String; 3], work: &mut Work) -> Result<RBig, ParseError> {
    if whole.len() + head.len() + cycle.len() > 2000 {
        return Err(ParseError::Exhausted);
    }
    // (all the digits - those that do not repeat) / (10^r - 1) 10^h
    let fixed = big(&[whole.as_str(), head].concat(), work)?;
    let all = big(&[whole.as_str(), head, cycle].concat(), work)?;
    let nines = ten_to(cycle.len(), work)? - UBig::ONE;
    let denominator = nines * ten_to(head.len(), work)?;
    pay_reduction(head.len() + cycle.len(), all.bit_len(), work)?;
    Ok(RBig::from_parts(IBig::from(all) - IBig::from(fixed), denominator))
}

/// The length of a Chinese numeral at the start of `text`; a lone 两, 万 or 百 without digits counts only as part of a larger one.
pub(super) fn han_len(text: &str) -> usize {
    let mut len = 0;
    for c in text.chars() {
        if han_digit(c).is_none() && han_unit(c).is_none() && c != '点' {
            break;
        }
        if c == '点' && (len == 0 || !text[len + c.len_utf8()..].starts_with(|c| han_digit(c).is_some())) {
            break;
        }
        len += c.len_utf8();
    }
    let starts = text.chars().next().is_some_and(|c| han_digit(c).is_some() || c == '十');
    if starts { len } else { 0 }
}

fn han_digit(c: char) -> Option<u8> {
    Some(match c {
        '零' | '〇' => 0,
        '一' | '壹' => 1,
        '二' | '两' | '贰' => 2,
        '三' | '叁' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' => 6,
        '七' | '柒' => 7,
        '八' | '捌' => 8,
        '九' | '玖' => 9,
        _ => return None,
    })
}

fn han_unit(c: char) -> Option<u64> {
    Some(match c {
        '十' | '拾' => 10,
        '百' | '佰' => 100,
        '千' | '仟' => 1000,
        '万' => 10_000,
        '亿' => 100_000_000,
        _ => return None,
    })
}

/// The value of a Chinese numeral: 一百二十三, 二〇二四, 三点一四. `None` if it is larger than 10^18 or not well formed.
pub(super) fn han_value(text: &str) -> Option<Number> {
    let (whole, decimals) = text.split_once('点').unwrap_or((text, ""));
    let value = if whole.chars().count() > 1 && whole.chars().all(|c| han_digit(c).is_some()) {
        whole.chars().try_fold(0_u64, |value, c| value.checked_mul(10)?.checked_add(u64::from(han_digit(c)?)))?
    } else {
        han_whole(whole)?
    };
    let mut number = RBig::from(value);
    let mut scale = UBig::ONE;
    let mut places = 0_u32;
    for c in decimals.chars().take(30) {
        scale *= UBig::from(10_u8);
        number += RBig::from_parts(IBig::from(han_digit(c)?), scale.clone());
        places += 1;
    }
    Some(Number { value: number, decimals: (places > 0).then_some(places) })
}

fn han_whole(text: &str) -> Option<u64> {
    let (mut total, mut section, mut digit) = (0_u64, 0_u64, None);
    for c in text.chars() {
        if let Some(value) = han_digit(c) {
            if digit.is_some_and(|digit| digit > 0) {
                return None;
            }
            digit = Some(u64::from(value));
            continue;
        }
        let unit = han_unit(c)?;
        if unit < 10_000 {
            section = section.checked_add(digit.unwrap_or(1).checked_mul(unit)?)?;
        } else {
            total = total.checked_add(section.checked_add(digit.unwrap_or(0))?)?.checked_mul(unit)?;
            section = 0;
        }
        digit = None;
    }
    total.checked_add(section)?.checked_add(digit.unwrap_or(0))
}
