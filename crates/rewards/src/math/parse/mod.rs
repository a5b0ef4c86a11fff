//! From the text of an answer to its readings: a lexer, then recursive descent with a limit of depth.
//!
//! The whole text is read, or it is an error that says where and what was expected: a prefix is never taken for the answer.
//! Where a text can be read in several ways, each such choice is a fork (`Fork`). The first reading takes the likelier branch of every fork
//! that it meets; each further reading takes the other branch of one of them.

mod atoms;
mod based;
mod commands;
mod expr;
mod items;
mod letters;
mod lex;
mod matrices;
mod moments;
mod numerals;
mod render;
mod units;
mod words;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub(super) use words::month;

use lex::{Kind, Token};

use crate::math::answer::Answer;
use crate::math::escapes::{place, with_backslashes};
use crate::math::work::{Exhausted, Work};

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The limit of work or of depth was met.
    #[error("the text is longer or deeper than can be read within the limit of work")]
    Exhausted,
    /// The text is not a known form of an answer.
    #[error("expected {expected} at byte {at}, found {found}")]
    Unreadable {
        /// The byte where reading stopped.
        at: usize,
        /// What could have stood there.
        expected: &'static str,
        /// What stood there, shortened.
        found: String,
    },
}

impl ParseError {
    fn unreadable(at: usize, expected: &'static str, found: &str) -> Self {
        let mut shown: String = found.chars().take(20).collect();
        if shown.is_empty() {
            shown.push_str("nothing");
        } else {
            shown = format!("{shown:?}");
        }
        Self::Unreadable { at, expected, found: shown }
    }
}

impl From<Exhausted> for ParseError {
    fn from(Exhausted: Exhausted) -> Self {
        Self::Exhausted
    }
}

/// The steps that [`read`] may take: about 20 ms.
const READ_STEPS: u64 = 2_000_000;

/// Most readings of one text.
const MAX_READINGS: usize = 4;

/// Deepest nesting of brackets, groups and signs.
const MAX_DEPTH: u32 = 64;

/// All plausible readings of a text, the likeliest first, at most four.
///
/// # Errors
/// [`ParseError`] where the text as a whole is no answer, or asks for too much work.
pub fn read(text: &str) -> Result<Vec<Answer>, ParseError> {
    parse(text, &mut Work::new(READ_STEPS))
}

/// As [`read`], within what is left of `work`.
pub(crate) fn parse(text: &str, work: &mut Work) -> Result<Vec<Answer>, ParseError> {
    parse_repaired(&with_backslashes(text), work).map_err(|error| match error {
        ParseError::Unreadable { at, expected, found } => ParseError::Unreadable { at: place(text, at), expected, found },
        ParseError::Exhausted => ParseError::Exhausted,
    })
}

fn parse_repaired(text: &str, work: &mut Work) -> Result<Vec<Answer>, ParseError> {
    let words = words::plain_words(text);
    let tokens = match lex::tokens(text, work) {
        Ok(tokens) => tokens,
        Err(ParseError::Exhausted) => return Err(ParseError::Exhausted),
        Err(error) => return words.map(|words| vec![Answer::Words(words)]).ok_or(error),
    };
    let mut readings = Vec::new();
    let (first, seen) = reading(text, &tokens, 0, work);
    let failure = match first {
        Ok(answer) => {
            readings.push(answer);
            None
        }
        Err(ParseError::Exhausted) => return Err(ParseError::Exhausted),
        Err(error) => Some(error),
    };
    for fork in Fork::ALL {
        if seen & fork.bit() == 0 || readings.len() == MAX_READINGS {
            continue;
        }
        match reading(text, &tokens, fork.bit(), work).0 {
            Ok(answer) if !readings.contains(&answer) => readings.push(answer),
            Err(ParseError::Exhausted) => return Err(ParseError::Exhausted),
            _ => {}
        }
    }
    match (readings.is_empty(), words, failure) {
        (false, _, _) => Ok(readings),
        (true, Some(words), _) => Ok(vec![Answer::Words(words)]),
        (true, None, Some(failure)) => Err(failure),
        (true, None, None) => Err(ParseError::unreadable(0, "an answer", text)),
    }
}

/// A choice between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fork {
    /// `(1, 2)` is a tuple, or an open interval; `[1, 2]` a closed interval, or a tuple; `{1, 2}` a set, or a list.
    Brackets,
    /// `1,234` is a number, or a list; within brackets the other way round.
    Thousands,
    /// `B` is a choice, or a variable.
    Letters,
    /// `5 m` has a unit, or a variable.
    Units,
    /// `3:45` is a time, or a ratio.
    Colon,
    /// `1/2x` is x/2, or 1/(2x).
    Slash,
    /// `3 and 1/2` is a list, or a mixed number.
    And,
}

impl Fork {
    const ALL: [Self; 7] = [Self::Brackets, Self::Thousands, Self::Letters, Self::Units, Self::Colon, Self::Slash, Self::And];

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// One reading, and the forks that it met.
fn reading<'a>(text: &'a str, tokens: &[Token<'a>], flipped: u8, work: &mut Work) -> (Result<Answer, ParseError>, u8) {
    let mut seen = 0;
    let merged = match merge_thousands(tokens, flipped & Fork::Thousands.bit() != 0, &mut seen, work) {
        Ok(merged) => merged,
        Err(Exhausted) => return (Err(ParseError::Exhausted), seen),
    };
    let mut parser = Parser {
        text,
        groups: groups(&merged),
        tokens: merged,
        at: 0,
        flipped,
        seen,
        depth: 0,
        bars: 0,
        arguments: 0,
        symbols: false,
        chain: 0,
        work,
    };
    let answer = parser.whole();
    (answer, parser.seen)
}

/// The state of one reading.
struct Parser<'a, 'w> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    /// For each opening bracket: where it closes, and whether it holds a comma of its own.
    groups: Vec<Option<Group>>,
    at: usize,
    flipped: u8,
    seen: u8,
    depth: u32,
    /// Open bars of an absolute value since the last bracket.
    bars: u32,
    /// Open arguments of functions: degrees count as numbers there.
    arguments: u32,
    /// Whether the quantity that is read holds a variable: a letter behind it is then no unit.
    symbols: bool,
    /// Trees that grew on the left by a loop, which the depth does not count.
    chain: u32,
    work: &'w mut Work,
}

/// What is known of a bracket before it is read.
#[derive(Clone, Copy, Debug)]
struct Group {
    close: usize,
    parts: bool,
}

impl<'a> Parser<'a, '_> {
    /// Whether the less likely branch of a fork is to be taken.
    fn fork(&mut self, fork: Fork) -> bool {
        self.seen |= fork.bit();
        self.flipped & fork.bit() != 0
    }

    fn kind(&self) -> &Kind<'a> {
        self.kind_at(self.at)
    }

    /// The kind of a token; [`Kind::End`] behind the last one.
    fn kind_at(&self, at: usize) -> &Kind<'a> {
        self.tokens.get(at).map_or(&Kind::End, |token| &token.kind)
    }

    fn spaced(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.spaced)
    }

    fn upright(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.upright)
    }

    fn sign_at(&self, at: usize) -> Option<char> {
        match self.kind_at(at) {
            Kind::Sign(sign) => Some(*sign),
            _ => None,
        }
    }

    fn sign(&self) -> Option<char> {
        self.sign_at(self.at)
    }

    fn word_at(&self, at: usize) -> Option<&str> {
        match self.kind_at(at) {
            Kind::Word(word) => Some(word),
            Kind::Name(name) => Some(name),
            _ => None,
        }
    }

    fn advance(&mut self) -> Result<(), ParseError> {
        self.work.pay(4)?;
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        Ok(())
    }

    /// Takes a sign if it is next.
    fn eat(&mut self, sign: char) -> Result<bool, ParseError> {
        let found = self.sign() == Some(sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, sign: char, expected: &'static str) -> Result<(), ParseError> {
        if self.eat(sign)? { Ok(()) } else { Err(self.error(expected)) }
    }

    fn error(&self, expected: &'static str) -> ParseError {
        let at = self.tokens.get(self.at).map_or(self.text.len(), |token| token.at);
        let found = self.text.get(at..).unwrap_or_default();
        if found.is_empty() {
            return ParseError::Unreadable { at, expected, found: "the end".to_owned() };
        }
        ParseError::unreadable(at, expected, found)
    }

    /// Runs `read` one level deeper.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.depth >= MAX_DEPTH {
            return Err(ParseError::Exhausted);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Counts a tree that grows on the left.
    fn grow(&mut self) -> Result<(), ParseError> {
        self.chain += 1;
        if self.chain > 3 * MAX_DEPTH { Err(ParseError::Exhausted) } else { Ok(()) }
    }

    /// Whether a token ends an item of a list.
    fn is_boundary(&self, at: usize) -> bool {
        match self.kind_at(at) {
            Kind::End | Kind::Finish(_) => true,
            Kind::Sign(sign) => {
                matches!(
                    sign,
                    ',' | ';'
                        | ')'
                        | ']'
                        | '}'
                        | '⦄'
                        | '⟧'
                        | '⟩'
                        | '&'
                        | '\n'
                        | '='
                        | '≠'
                        | '<'
                        | '>'
                        | '≤'
                        | '≥'
                        | '≈'
                        | '≡'
                        | '∈'
                        | '∉'
                        | '∪'
                        | '∩'
                        | '∖'
                        | '∧'
                        | '∨'
                        | '∣'
                        | ':'
                ) || (*sign == '.' && self.only_points(at))
            }
            Kind::Word(word) => words::is_joint(word) || &**word == "for" && self.word_at(at + 1) == Some("part"),
            Kind::Han(run) => commands::HAN_JOINTS.contains(run),
            _ => false,
        }
    }

    /// Whether nothing but final points follows.
    fn only_points(&self, at: usize) -> bool {
        (at..self.tokens.len()).take(8).all(|at| matches!(self.kind_at(at), Kind::End | Kind::Sign('.' | ',' | ';' | '"')))
    }
}

/// Joins `1,234` to one number: outside of brackets, or inside if `flipped`.
fn merge_thousands<'a>(tokens: &[Token<'a>], flipped: bool, seen: &mut u8, work: &mut Work) -> Result<Vec<Token<'a>>, Exhausted> {
    let mut out: Vec<Token<'a>> = Vec::with_capacity(tokens.len());
    let mut depth = 0_i64;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        work.pay(6)?;
        match token.kind {
            Kind::Sign('(' | '[' | '⦃' | '⟨') => depth += 1,
            Kind::Sign(')' | ']' | '⦄' | '⟩') => depth -= 1,
            // Braces of plain text make a set; those of LaTeX follow a command or a sign.
            Kind::Sign('{') if at == 0 => depth += 1,
            _ => {}
        }
        let glued = out.last().is_none_or(|last| token.spaced || !matches!(last.kind, Kind::Sign('.') | Kind::Number(_)));
        // `12,34,567` has no groups of three.
        let listed = !token.spaced
            && matches!(out.as_slice(), [.., before, comma] if matches!((&before.kind, &comma.kind), (Kind::Number(_), Kind::Sign(','))) && !comma.spaced);
        let end = if glued && !listed { thousands(tokens, at) } else { at };
        if end > at {
            // `1,000` is no list; `(1,234)` is no number.
            let certain = tokens[at + 1..end].iter().any(|token| matches!(&token.kind, Kind::Number(digits) if digits.starts_with('0')));
            let alone = depth > 0
                && tokens.get(end).is_some_and(|next| matches!(next.kind, Kind::Sign(')' | ']' | '⦄' | '⟩')))
                && out.last().is_some_and(|last| matches!(last.kind, Kind::Sign('(' | '[' | '⦃' | '⟨')));
            if !certain && !alone {
                *seen |= Fork::Thousands.bit();
            }
            if certain || (!alone && flipped == (depth > 0)) {
                let joined: String =
                    tokens[at..end].iter().map(|token| if let Kind::Number(digits) = &token.kind { digits } else { "" }).collect();
                work.pay(joined.len() as u64)?;
                out.push(Token { kind: Kind::Number(Cow::Owned(joined)), ..token.clone() });
                at = end;
                continue;
            }
            // All groups stay apart, not only the first.
            out.extend(tokens[at..end].iter().cloned());
            at = end;
            continue;
        }
        out.push(token.clone());
        at += 1;
    }
    Ok(out)
}

/// Behind the last group of three digits of a number that starts at `at`; `at` itself if it has none.
fn thousands(tokens: &[Token<'_>], at: usize) -> usize {
    let Some(Kind::Number(first)) = tokens.get(at).map(|token| &token.kind) else { return at };
    if !(1..=3).contains(&first.len()) || first.starts_with('0') || !first.bytes().all(|b| b.is_ascii_digit()) {
        return at;
    }
    let mut end = at + 1;
    while let (Some(comma), Some(group)) = (tokens.get(end), tokens.get(end + 1)) {
        let Kind::Number(digits) = &group.kind else { break };
        // `30 , 951` with spaces on both sides is one number, `30, 951` a list.
        if !matches!(comma.kind, Kind::Sign(',')) || comma.spaced != group.spaced {
            break;
        }
        let whole = digits.bytes().take_while(u8::is_ascii_digit).count();
        if whole != 3 {
            return at;
        }
        end += 2;
        if digits.len() > 3 {
            break;
        }
    }
    if end == at + 1 { at } else { end }
}

/// Finds for each opening bracket its closing one, in one pass.
fn groups(tokens: &[Token<'_>]) -> Vec<Option<Group>> {
    let mut groups = vec![None; tokens.len()];
    let mut open: Vec<(usize, char, bool)> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Kind::Sign(sign) = token.kind else { continue };
        match sign {
            '(' | '[' | '{' | '⦃' | '⟨' | '⌊' | '⌈' | '⟦' => open.push((at, sign, false)),
            ',' | ';' => {
                if let Some(last) = open.last_mut() {
                    last.2 = true;
                }
            }
            ')' | ']' | '}' | '⦄' | '⟩' | '⌋' | '⌉' | '⟧' => {
                let fits = open.last().is_some_and(|&(_, opener, _)| closes(opener, sign));
                if fits && let Some((opener, _, parts)) = open.pop() {
                    groups[opener] = Some(Group { close: at, parts });
                }
            }
            _ => {}
        }
    }
    groups
}

/// Whether `sign` closes `opener`; round and square brackets may be mixed, as in `[0, 1)`.
fn closes(opener: char, sign: char) -> bool {
    match opener {
        '(' | '[' => matches!(sign, ')' | ']'),
        '{' => sign == '}',
        '⦃' => sign == '⦄',
        '⟨' => sign == '⟩',
        '⌊' => sign == '⌋',
        '⌈' => sign == '⌉',
        _ => sign == '⟧',
    }
}
