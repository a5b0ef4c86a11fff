//! Countdown: an expression over given numbers, each used exactly once, that reaches a target.

use std::fmt;

use ruminate_core::{Outcome, Verdict};

use crate::accuracy::shorten;
use crate::rational::Rational;

/// Bounds on the work for one expression; every real one is far below.
const MAX_TOKENS: usize = 200;
const MAX_DEPTH: usize = 40;

/// Grades an answer such as `(3*5)+7` or `3 × 5 + 7 = 22`.
pub(crate) fn grade(numbers: &[i64], target: i64, answer: &str) -> Verdict {
    let answer = strip_wrappers(answer);
    let (expression, stated) = match answer.split_once('=') {
        Some((left, right)) => (left, Some(right.trim())),
        None => (answer, None),
    };
    let parsed = tokenize(expression).and_then(|tokens| {
        let mut parser = Parser { tokens: &tokens, at: 0, used: Vec::new() };
        let value = parser.whole()?;
        Ok((value, parser.used))
    });
    let (value, used) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Verdict::none(error.outcome(), format!("'{}': {error}", shorten(answer))),
    };
    if let Some(reason) = misused(numbers, &used) {
        return Verdict::none(Outcome::Wrong, reason);
    }
    if value != Rational::integer(target) {
        return Verdict::none(Outcome::Wrong, format!("expected {target}, the expression gives {value}"));
    }
    match stated {
        Some(right) if right.parse() != Ok(target) => {
            Verdict::none(Outcome::Wrong, format!("the expression gives {value} but the answer states '{}'", shorten(right)))
        }
        _ => Verdict::right(format!("{} gives {target}", shorten(expression.trim()))),
    }
}

/// Whether some expression over all `numbers` gives `target`, by trying every pair of numbers and every operation.
///
/// Exponential: for at most 6 numbers; more give `None`, which means "not known".
pub fn reachable(numbers: &[i64], target: i64) -> Option<bool> {
    if numbers.len() > 6 {
        return None;
    }
    let numbers: Vec<Rational> = numbers.iter().map(|&n| Rational::integer(n)).collect();
    Some(reaches(&numbers, Rational::integer(target)))
}

fn reaches(numbers: &[Rational], target: Rational) -> bool {
    if let [last] = numbers {
        return *last == target;
    }
    for i in 0..numbers.len() {
        for j in 0..numbers.len() {
            if i == j {
                continue;
            }
            let (a, b) = (numbers[i], numbers[j]);
            let rest: Vec<Rational> = (0..numbers.len()).filter(|&k| k != i && k != j).map(|k| numbers[k]).collect();
            let commutative = if i < j { [a.checked_add(b), a.checked_mul(b)] } else { [None, None] };
            for value in commutative.into_iter().chain([a.checked_sub(b), a.checked_div(b)]).flatten() {
                let mut next = rest.clone();
                next.push(value);
                if reaches(&next, target) {
                    return true;
                }
            }
        }
    }
    false
}

/// Takes off marks that surround a whole answer: `$…$`, `\(…\)`, `\[…\]`, `**…**`, `\boxed{…}`.
fn strip_wrappers(text: &str) -> &str {
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
fn closing_brace(text: &str) -> Option<usize> {
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

/// Which rule on the use of numbers is broken, if any.
fn misused(numbers: &[i64], used: &[i64]) -> Option<String> {
    let mut left = numbers.to_vec();
    for number in used {
        match left.iter().position(|n| n == number) {
            Some(at) => {
                left.swap_remove(at);
            }
            None if numbers.contains(number) => return Some(format!("number {number} is used too often")),
            None => return Some(format!("number {number} is not among {numbers:?}")),
        }
    }
    left.first().map(|number| format!("number {number} is not used"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Number(i64),
    Plus,
    Minus,
    Times,
    Over,
    Open,
    Close,
}

#[derive(Debug, PartialEq, Eq)]
enum ExpressionError {
    Symbol(char),
    Incomplete,
    Unexpected(usize),
    TooLong,
    TooDeep,
    Arithmetic,
}

impl ExpressionError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Symbol(_) | Self::Incomplete | Self::Unexpected(_) => Outcome::Unparsed,
            Self::TooLong | Self::TooDeep => Outcome::TimedOut,
            Self::Arithmetic => Outcome::Wrong,
        }
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol(c) => write!(f, "'{}' has no place in an expression", c.escape_debug()),
            Self::Incomplete => f.write_str("the expression ends too early"),
            Self::Unexpected(at) => write!(f, "unexpected part {} of the expression", at + 1),
            Self::TooLong => write!(f, "more than {MAX_TOKENS} parts"),
            Self::TooDeep => write!(f, "more than {MAX_DEPTH} levels of parentheses"),
            Self::Arithmetic => f.write_str("division by zero or overflow"),
        }
    }
}

fn tokenize(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let text = text.replace("\\times", "*").replace("\\cdot", "*").replace("\\div", "/");
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let token = match c {
            c if c.is_whitespace() => continue,
            '0'..='9' => {
                let mut value = i64::from(c as u8 - b'0');
                while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                    chars.next();
                    value = value.checked_mul(10).and_then(|v| v.checked_add(i64::from(digit))).ok_or(ExpressionError::Arithmetic)?;
                }
                Token::Number(value)
            }
            '+' | '＋' => Token::Plus,
            '-' | '−' | '–' => Token::Minus,
            '*' | '×' | '·' | 'x' | 'X' => Token::Times,
            '/' | '÷' => Token::Over,
            '(' | '（' | '[' => Token::Open,
            ')' | '）' | ']' => Token::Close,
            other => return Err(ExpressionError::Symbol(other)),
        };
        if tokens.len() == MAX_TOKENS {
            return Err(ExpressionError::TooLong);
        }
        tokens.push(token);
    }
    Ok(tokens)
}

/// Recursive descent with the usual precedence; division is exact.
struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    used: Vec<i64>,
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<Rational, ExpressionError> {
        let value = self.sum(0)?;
        if self.at < self.tokens.len() { Err(ExpressionError::Unexpected(self.at)) } else { Ok(value) }
    }

    fn sum(&mut self, depth: usize) -> Result<Rational, ExpressionError> {
        let mut value = self.product(depth)?;
        while let Some(token @ (Token::Plus | Token::Minus)) = self.peek() {
            self.at += 1;
            let right = self.product(depth)?;
            value = if token == Token::Plus { value.checked_add(right) } else { value.checked_sub(right) }
                .ok_or(ExpressionError::Arithmetic)?;
        }
        Ok(value)
    }

    fn product(&mut self, depth: usize) -> Result<Rational, ExpressionError> {
        let mut value = self.factor(depth)?;
        while let Some(token @ (Token::Times | Token::Over)) = self.peek() {
            self.at += 1;
            let right = self.factor(depth)?;
            value = if token == Token::Times { value.checked_mul(right) } else { value.checked_div(right) }
                .ok_or(ExpressionError::Arithmetic)?;
        }
        Ok(value)
    }

    fn factor(&mut self, depth: usize) -> Result<Rational, ExpressionError> {
        if depth > MAX_DEPTH {
            return Err(ExpressionError::TooDeep);
        }
        let token = self.peek().ok_or(ExpressionError::Incomplete)?;
        self.at += 1;
        match token {
            Token::Number(value) => {
                self.used.push(value);
                Ok(Rational::integer(value))
            }
            Token::Minus => Ok(-self.factor(depth + 1)?),
            Token::Open => {
                let value = self.sum(depth + 1)?;
                match self.peek() {
                    Some(Token::Close) => {
                        self.at += 1;
                        Ok(value)
                    }
                    Some(_) => Err(ExpressionError::Unexpected(self.at)),
                    None => Err(ExpressionError::Incomplete),
                }
            }
            _ => Err(ExpressionError::Unexpected(self.at - 1)),
        }
    }

    fn peek(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests;
