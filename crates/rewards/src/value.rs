//! One definition of when two written values are equal.
//!
//! Text is brought to a canonical [`Value`]; two texts are equal if their values are. So equality is reflexive, symmetric and
//! transitive by construction, and the same relation serves grading and majority votes.
//!
//! Left out: algebra. `x+1` and `1+x` are different texts here.

use std::fmt;

use crate::Rational;

/// Longest answer, in bytes, that is read as a value. Longer ones are not answers.
pub(crate) const MAX_ANSWER_BYTES: usize = 2000;

/// What an answer says, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A number: integer, decimal, fraction or mixed number. Units, currency marks and `%` are dropped, so `50%` is 50 and not 1/2.
    Number(Rational),
    /// Anything else, without white space and without LaTeX that changes only the looks.
    Text(String),
}

impl Value {
    /// Reads a value. `None` if nothing is left after dropping decoration, or if the text is longer than 2000 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_ANSWER_BYTES {
            return None;
        }
        let plain = plain_text(strip_wrappers(text));
        let mut body = right_of_variable(plain.trim());
        while let Some(shorter) = body.strip_suffix(['.', '。', ',', '，', '!', ';']) {
            body = shorter.trim_end();
        }
        if let Some(number) = parse_number(body).or_else(|| parse_number(without_unit(body)?)) {
            return Some(Self::Number(number));
        }
        let text: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        (!text.is_empty()).then_some(Self::Text(text))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Whether two texts say the same value. Texts that say nothing are equal to nothing, not even to themselves.
pub fn same_value(a: &str, b: &str) -> bool {
    match (Value::parse(a), Value::parse(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// Takes off marks that surround a whole answer: `$…$`, `\(…\)`, `\[…\]`, `**…**`, `\boxed{…}`.
pub(crate) fn strip_wrappers(text: &str) -> &str {
    const PAIRS: [(&str, &str); 6] = [("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`")];
    let mut body = text.trim();
    loop {
        let trimmed = body.trim_end_matches(['.', '。']).trim();
        let inner = PAIRS
            .iter()
            .find_map(|(open, close)| trimmed.strip_prefix(open)?.strip_suffix(close))
            .or_else(|| ["\\boxed{", "\\fbox{"].iter().find_map(|open| whole_group(trimmed, open)));
        match inner {
            Some(inner) => body = inner.trim(),
            None => return body,
        }
    }
}

/// The inside of `open … }` if that group is the whole text.
fn whole_group<'a>(text: &'a str, open: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(open)?;
    let end = closing_brace(rest)?;
    (end + 1 == rest.len()).then_some(&rest[..end])
}

/// Byte index of the `}` that closes a group which is already open at the start of `text`.
pub(crate) fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Writes one form of signs that only look different: full-width digits, minus signs, LaTeX spacing, currency, percent, degrees.
fn plain_text(text: &str) -> String {
    const DROPPED: [&str; 19] = [
        r"\left",
        r"\right",
        r"\!",
        r"\,",
        r"\;",
        r"\:",
        r"\ ",
        r"\$",
        r"\%",
        "$",
        "%",
        "％",
        "€",
        "£",
        "¥",
        "￥",
        r"^{\circ}",
        r"^\circ",
        "°",
    ];
    const RENAMED: [(&str, &str); 11] = [
        (r"\dfrac", r"\frac"),
        (r"\tfrac", r"\frac"),
        ("{,}", ","),
        (r"\text{", "{"),
        (r"\textbf{", "{"),
        (r"\mathrm{", "{"),
        (r"\mbox{", "{"),
        ("−", "-"),
        ("–", "-"),
        (r"\cdot", "*"),
        (r"\times", "*"),
    ];
    let mut plain: String = text.chars().map(half_width).collect();
    for (from, to) in RENAMED {
        // An unwrapped group keeps its braces, so that `5\text{ cm}` does not run into what follows; see `bare_groups`.
        plain = plain.replace(from, to);
    }
    for mark in DROPPED {
        plain = plain.replace(mark, "");
    }
    bare_groups(&plain)
}

/// Full-width ASCII (U+FF01 to U+FF5E) as ASCII.
fn half_width(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        _ => c,
    }
}

/// Drops the braces of groups that hold letters only, as `\text{east}` and `\mathrm{cm}` leave behind, with one space of separation.
fn bare_groups(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, group) = rest.split_at(open);
        out.push_str(before);
        let end = group.find('}').filter(|&end| {
            let inside = &group[1..end];
            inside.chars().any(char::is_alphabetic)
                && inside.chars().all(|c| c.is_alphabetic() || c == ' ' || c == '.')
                && !before.ends_with(['^', '_'])
                && !before.ends_with(|c: char| c.is_alphabetic())
                && !before.ends_with('}')
        });
        match end {
            Some(end) => {
                out.push(' ');
                out.push_str(&group[1..end]);
                rest = &group[end + 1..];
            }
            None => {
                out.push('{');
                rest = &group[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// `x = 5` says 5: the right side if the left is one letter.
fn right_of_variable(text: &str) -> &str {
    match text.split_once('=') {
        Some((left, right)) if !right.contains('=') => {
            let mut letters = left.trim().chars();
            let single = letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none();
            if single { right.trim() } else { text }
        }
        _ => text,
    }
}

/// The number in front of a unit, if what follows can only be a unit: `18 eggs`, `5cm`, `30公里`.
fn without_unit(text: &str) -> Option<&str> {
    // Words that change the value or join another one.
    const NOT_UNITS: [&str; 15] = [
        "and", "or", "to", "pi", "sqrt", "hundred", "thousand", "million", "billion", "trillion", "dozen", "squared", "cubed", "plus",
        "minus",
    ];
    const CJK_SCALE: [char; 10] = ['百', '千', '万', '萬', '亿', '億', '和', '或', '到', '至'];
    let end = text.rfind(|c: char| c.is_ascii_digit() || c == '}')? + 1;
    let (number, unit) = text.split_at(end);
    let glued = !unit.starts_with(' ');
    let unit = unit.trim();
    let wordy = unit.chars().all(|c| c.is_alphabetic() || c == ' ' || c == '.' || c == '-');
    let bad_word = unit.split([' ', '.', '-']).any(|word| {
        let mut letters = word.chars();
        let single = letters.next().is_some_and(|c| c.is_ascii_alphabetic()) && letters.next().is_none();
        // A single letter is a unit only for metre, gram, second, hour and litre, and only after a space: `2x` is a product.
        NOT_UNITS.contains(&word.to_lowercase().as_str()) || (single && (glued || !["m", "g", "s", "h", "L", "l"].contains(&word)))
    });
    (!unit.is_empty() && wordy && !bad_word && !unit.contains(CJK_SCALE) && unit.split_whitespace().count() <= 4)
        .then_some(number.trim_end())
}

/// Integer, decimal, `a/b`, `\frac{a}{b}`, each with sign, and mixed numbers.
fn parse_number(text: &str) -> Option<Rational> {
    let text = text.trim();
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text.strip_prefix('+').unwrap_or(text).trim_start()),
    };
    if body.starts_with(['-', '+']) {
        return None;
    }
    let magnitude = parse_unsigned(body)?;
    Some(if negative { -magnitude } else { magnitude })
}

fn parse_unsigned(body: &str) -> Option<Rational> {
    if let Some(at) = body.find(r"\frac") {
        let fraction = parse_latex_fraction(&body[at + r"\frac".len()..])?;
        let whole = body[..at].trim();
        return if whole.is_empty() { Some(fraction) } else { parse_digits(whole)?.checked_add(fraction) };
    }
    let Some((top, bottom)) = body.split_once('/') else { return parse_decimal(body) };
    let (top, bottom) = (top.trim(), bottom.trim());
    match top.split_once(char::is_whitespace) {
        Some((whole, top)) => parse_digits(whole)?.checked_add(parse_digits(top.trim())?.checked_div(parse_digits(bottom)?)?),
        None => parse_decimal(top)?.checked_div(parse_decimal(bottom)?),
    }
}

/// The two arguments of `\frac`: groups in braces or single digits.
fn parse_latex_fraction(arguments: &str) -> Option<Rational> {
    let (top, rest) = latex_argument(arguments)?;
    let (bottom, rest) = latex_argument(rest)?;
    if !rest.trim().is_empty() {
        return None;
    }
    signed_decimal(top)?.checked_div(signed_decimal(bottom)?)
}

fn latex_argument(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix('{') {
        let end = closing_brace(rest)?;
        return Some((&rest[..end], &rest[end + 1..]));
    }
    text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.split_at(1))
}

fn signed_decimal(text: &str) -> Option<Rational> {
    let text = text.trim();
    match text.strip_prefix('-') {
        Some(rest) => Some(-parse_decimal(rest.trim_start())?),
        None => parse_decimal(text),
    }
}

/// Digits with optional thousands separators and optional decimals.
fn parse_decimal(text: &str) -> Option<Rational> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && decimals.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { String::from("0") } else { without_separators(whole)? };
    let digits = whole + decimals;
    let scale = 10_i128.checked_pow(u32::try_from(decimals.len()).ok()?)?;
    all_digits(&digits).then(|| digits.parse().ok()).flatten().and_then(|value| Rational::new(value, scale))
}

/// `1,234,567` without commas; `None` if the groups are not of three digits, as in the pair `1,2`.
fn without_separators(text: &str) -> Option<String> {
    let mut groups = text.split(',');
    let first = groups.next()?;
    let mut digits = String::from(first);
    let mut grouped = false;
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        grouped = true;
        digits.push_str(group);
    }
    (!grouped || (1..=3).contains(&first.len())).then_some(digits)
}

fn parse_digits(text: &str) -> Option<Rational> {
    all_digits(text).then(|| text.parse().ok()).flatten().and_then(|value| Rational::new(value, 1))
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
