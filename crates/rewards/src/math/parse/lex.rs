//! From characters to tokens: LaTeX commands, Unicode signs and full-width forms become one set of signs.

use std::borrow::Cow;

use super::ParseError;
use super::commands::{self, Meaning};
use super::numerals;
use crate::math::work::Work;

/// A piece of the text.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    /// The byte where it starts.
    pub(super) at: usize,
    /// White space stands before it.
    pub(super) spaced: bool,
    /// It stands in `\text`, `\mathrm` or the like.
    pub(super) upright: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    /// Digits with at most one point, perhaps `e` and an exponent.
    Number(Cow<'a, str>),
    /// A repeating decimal: digits before the point, behind it, and the digits that repeat.
    Repeating([String; 3]),
    /// `½`.
    Vulgar(u8, u8),
    /// A run of Latin letters.
    Word(Cow<'a, str>),
    /// A command that stands for a name: `\sin`, `\alpha`.
    Name(&'a str),
    /// A run of Chinese characters that are no numeral.
    Han(&'a str),
    /// A Chinese numeral.
    HanNumber(&'a str),
    /// An operator, bracket, separator or sign, as one character; see [`commands`].
    Sign(char),
    /// A command that takes arguments: `\frac`, `\overline`.
    Command(&'a str),
    /// `\begin{…}`.
    Begin(&'a str),
    /// `\end{…}`.
    Finish(&'a str),
    /// Behind the last character.
    End,
}

/// Steps paid for a token.
const TOKEN_COST: u64 = 20;

pub(super) fn tokens<'a>(text: &'a str, work: &mut Work) -> Result<Vec<Token<'a>>, ParseError> {
    let mut lexer = Lexer {
        text,
        at: 0,
        out: Vec::new(),
        braces: Vec::new(),
        texts: 0,
        spaced: false,
        dollars: Dollars::read(text),
        closing: text.trim_end_matches(['.', ' ', '\n', '*', '。']).len(),
        quoted: false,
        matrices: 0,
    };
    lexer.skip_bold();
    while lexer.at < text.len() {
        work.pay(TOKEN_COST)?;
        lexer.step(work)?;
    }
    lexer.push(Kind::End, text.len());
    Ok(lowered(lexer.out))
}

/// Degrees and primes are raised in LaTeX, not elsewhere: `^\circ`, `^{\circ}` and `^\prime` become the plain signs.
fn lowered(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let sign = |at: usize| match tokens.get(at).map(|token| &token.kind) {
        Some(Kind::Sign(sign)) => Some(*sign),
        _ => None,
    };
    let mark = |at: usize| matches!(sign(at), Some('°' | '\'' | '"'));
    let mut dropped = Vec::new();
    for at in 0..tokens.len() {
        if sign(at) != Some('^') {
            continue;
        }
        if mark(at + 1) {
            dropped.push(at);
        } else if matches!(sign(at + 1), Some('{' | '⟦')) && mark(at + 2) {
            let close = if mark(at + 3) { at + 4 } else { at + 3 };
            if matches!(sign(close), Some('}' | '⟧')) {
                dropped.extend([at, at + 1, close]);
            }
        }
    }
    if dropped.is_empty() {
        return tokens;
    }
    let mut next = dropped.into_iter().peekable();
    tokens.into_iter().enumerate().filter(|(at, _)| next.next_if_eq(at).is_none()).map(|(_, token)| token).collect()
}

/// The length of "and" or "or" in `x=1orx=2`: glued to the number in front and to the name of which the next item speaks.
fn glued_joint(letters: &str, behind: &str) -> Option<usize> {
    let joint = ["and", "or"].into_iter().find(|joint| letters.starts_with(joint))?;
    (letters.len() == joint.len() + 1 && behind.starts_with(['=', '('])).then_some(joint.len())
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    out: Vec<Token<'a>>,
    braces: Vec<Brace>,
    /// Open braces of `\text`.
    texts: usize,
    spaced: bool,
    dollars: Dollars,
    /// Behind this byte stand only final points and the marks that close bold type.
    closing: usize,
    /// The text begins with a quotation mark.
    quoted: bool,
    /// Open environments with rows.
    matrices: usize,
}

/// What an open brace of LaTeX was for.
#[derive(Clone, Copy, PartialEq)]
enum Brace {
    Group,
    /// Of `\mathbf{…}` or `\boxed{…}`: it never makes a set.
    Style,
    /// Of `\text{…}`: it leaves no token.
    Text,
}

/// How a bare `$` is read.
#[derive(Clone, Copy, PartialEq)]
enum Dollars {
    /// As the border of a formula.
    Border,
    /// As money.
    Money,
}

impl Dollars {
    /// Borders come in pairs, and the second one of a pair is not glued to a number behind a space: `\$5 and \$6` is money.
    fn read(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut count = 0_usize;
        for at in memchr_dollars(bytes) {
            count += 1;
            let spaced = at > 0 && bytes[at - 1] == b' ';
            if count.is_multiple_of(2) && spaced && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
                return Self::Money;
            }
        }
        if count.is_multiple_of(2) { Self::Border } else { Self::Money }
    }
}

/// Places of dollar signs without a backslash.
fn memchr_dollars(bytes: &[u8]) -> impl Iterator<Item = usize> {
    (0..bytes.len()).filter(|&at| bytes[at] == b'$' && (at == 0 || bytes[at - 1] != b'\\'))
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind<'a>, at: usize) {
        let upright = self.texts > 0;
        self.out.push(Token { kind, at, spaced: self.spaced, upright });
        self.spaced = false;
    }

    fn sign(&mut self, sign: char, len: usize) {
        let at = self.at;
        self.at += len;
        self.push(Kind::Sign(sign), at);
    }

    /// `**bold**` around everything: Markdown, not a power.
    fn skip_bold(&mut self) {
        let lead = self.text.len() - self.text.trim_start().len();
        self.at = lead;
        if self.rest().starts_with("**") {
            self.at += 2;
        }
        // A quoted answer.
        self.quoted = self.rest().starts_with('"');
        self.at += usize::from(self.quoted);
    }

    fn step(&mut self, work: &mut Work) -> Result<(), ParseError> {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else { return Ok(()) };
        match c {
            '\\' => self.command(work),
            '0'..='9' => self.number(work),
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) && !self.behind_digits() => self.number(work),
            'a'..='z' | 'A'..='Z' => {
                let len = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
                work.pay(len as u64)?;
                let len = if self.behind_digits() { glued_joint(&rest[..len], &rest[len..]).unwrap_or(len) } else { len };
                let at = self.at;
                self.at += len;
                self.push(Kind::Word(Cow::Borrowed(&rest[..len])), at);
                Ok(())
            }
            '{' => {
                self.braces.push(Brace::Group);
                self.sign('{', 1);
                Ok(())
            }
            '}' => {
                match self.braces.pop() {
                    Some(Brace::Text) => {
                        self.texts -= 1;
                        self.at += 1;
                        self.spaced |= self.text[..self.at - 1].ends_with([' ', '~']);
                    }
                    Some(Brace::Style) => self.sign('⟧', 1),
                    _ => self.sign('}', 1),
                }
                Ok(())
            }
            '$' => {
                match self.dollars {
                    Dollars::Border => self.skip(if rest.starts_with("$$") { 2 } else { 1 }),
                    Dollars::Money => self.sign('$', 1),
                }
                Ok(())
            }
            '*' if rest.starts_with("**") => {
                // A power between operands; at the end it closes Markdown's bold type.
                if self.at >= self.closing {
                    self.skip(2);
                } else {
                    self.sign('^', 2);
                }
                Ok(())
            }
            '.' if rest.starts_with("...") => {
                self.sign('…', 3);
                Ok(())
            }
            '<' | '>' | '!' | '=' | ':' => {
                self.comparison(c);
                Ok(())
            }
            '"' if self.quoted && self.at + 1 >= self.closing => {
                self.skip(1);
                Ok(())
            }
            '`' => {
                self.skip(1);
                Ok(())
            }
            '~' => {
                self.space(1);
                Ok(())
            }
            c if c.is_ascii_whitespace() => {
                self.space(1);
                Ok(())
            }
            c if c.is_ascii_graphic() => {
                self.sign(c, 1);
                Ok(())
            }
            c => self.unicode(c, work),
        }
    }

    fn behind_digits(&self) -> bool {
        !self.spaced && matches!(self.out.last(), Some(Token { kind: Kind::Number(_), .. }))
    }

    fn skip(&mut self, len: usize) {
        self.at += len;
    }

    fn space(&mut self, len: usize) {
        self.at += len;
        self.spaced = true;
    }

    /// Relations of two or three characters: `<=`, `!=`, `==`, `:=`, `=>`.
    fn comparison(&mut self, c: char) {
        let rest = self.rest();
        for (text, sign) in [("<=", '≤'), (">=", '≥'), ("=<", '≤'), ("!=", '≠'), ("<>", '≠'), ("==", '='), (":=", '=')] {
            if rest.starts_with(text) {
                return self.sign(sign, 2);
            }
        }
        self.sign(c, 1);
    }

    fn number(&mut self, work: &mut Work) -> Result<(), ParseError> {
        let at = self.at;
        let (kind, len) = numerals::scan(self.rest());
        work.pay(len as u64)?;
        self.at += len;
        self.push(kind, at);
        Ok(())
    }

    fn unicode(&mut self, c: char, work: &mut Work) -> Result<(), ParseError> {
        let len = c.len_utf8();
        let rest = self.rest();
        if let Some((numerator, denominator)) = numerals::vulgar(c) {
            let at = self.at;
            self.at += len;
            self.push(Kind::Vulgar(numerator, denominator), at);
            return Ok(());
        }
        if let Some(raised) = numerals::script(c, &numerals::RAISED) {
            return self.script('^', raised, &numerals::RAISED, work);
        }
        if let Some(lowered) = numerals::script(c, &numerals::LOWERED) {
            return self.script('_', lowered, &numerals::LOWERED, work);
        }
        if c.is_whitespace() || commands::is_invisible(c) {
            self.space(len);
            return Ok(());
        }
        if matches!(c, '\u{ff10}'..='\u{ff19}') {
            let at = self.at;
            let run: usize = rest.chars().take_while(|&c| matches!(c, '\u{ff10}'..='\u{ff19}' | '\u{ff0e}')).map(char::len_utf8).sum();
            work.pay(run as u64)?;
            let digits: String = rest[..run].chars().map(commands::fold).collect();
            self.at += run;
            self.push(Kind::Number(Cow::Owned(digits)), at);
            return Ok(());
        }
        let folded = commands::fold(c);
        if folded.is_ascii_alphabetic() {
            let at = self.at;
            self.at += len;
            self.push(Kind::Word(Cow::Owned(folded.to_string())), at);
            return Ok(());
        }
        if let Some(name) = commands::greek(c) {
            let at = self.at;
            self.at += len;
            self.push(Kind::Name(name), at);
            return Ok(());
        }
        if commands::is_sign(folded) {
            self.sign(folded, len);
            return Ok(());
        }
        if commands::is_han(c) {
            return self.han(work);
        }
        Err(ParseError::unreadable(self.at, "a sign of mathematics", &rest[..len]))
    }

    /// Raised or lowered digits, as in `x²`, become a sign and a group.
    fn script(&mut self, sign: char, first: char, table: &[(char, char)], work: &mut Work) -> Result<(), ParseError> {
        let at = self.at;
        let mut content = String::new();
        let mut next = Some(first);
        while let Some(c) = next {
            content.push(c);
            self.at += self.rest().chars().next().map_or(0, char::len_utf8);
            next = self.rest().chars().next().and_then(|c| numerals::script(c, table));
        }
        work.pay(4 * content.len() as u64)?;
        self.push(Kind::Sign(sign), at);
        self.push(Kind::Sign('{'), at);
        let mut digits = String::new();
        for c in content.chars().chain(['}']) {
            if c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            if !digits.is_empty() {
                self.push(Kind::Number(Cow::Owned(std::mem::take(&mut digits))), at);
            }
            let kind = if c.is_ascii_alphabetic() { Kind::Word(Cow::Owned(c.to_string())) } else { Kind::Sign(c) };
            self.push(kind, at);
        }
        Ok(())
    }

    fn han(&mut self, work: &mut Work) -> Result<(), ParseError> {
        let rest = self.rest();
        let at = self.at;
        let numeral = numerals::han_len(rest);
        if numeral > 0 {
            work.pay(numeral as u64)?;
            self.at += numeral;
            self.push(Kind::HanNumber(&rest[..numeral]), at);
            return Ok(());
        }
        let mut len = 0;
        for (at, c) in rest.char_indices() {
            if at > 0 && (!commands::is_han(c) || numerals::han_len(&rest[at..]) > 0 || commands::han_stops(&rest[at..])) {
                break;
            }
            len = at + c.len_utf8();
            work.pay(4)?;
            if commands::han_word(&rest[..len]) {
                break;
            }
        }
        self.at += len;
        let run = &rest[..len];
        let sign = commands::HAN_SIGNS.iter().find(|&&(word, _)| word == run).map(|&(_, sign)| sign);
        self.push(sign.map_or(Kind::Han(run), Kind::Sign), at);
        Ok(())
    }

    fn command(&mut self, work: &mut Work) -> Result<(), ParseError> {
        let at = self.at;
        let rest = self.rest();
        let body = &rest[1..];
        let Some(c) = body.chars().next() else {
            // A space that was trimmed off: `\ ` at the end.
            self.space(1);
            return Ok(());
        };
        if !c.is_ascii_alphabetic() {
            return self.symbol_command(c);
        }
        let len = body.bytes().take_while(u8::is_ascii_alphabetic).count();
        work.pay(len as u64)?;
        let name = &body[..len];
        self.at += 1 + len;
        match commands::meaning(name) {
            Meaning::Space => self.spaced = true,
            Meaning::Nothing => {}
            // `{\rm cm}`
            Meaning::Roman => {
                let opened = self.out.last().is_some_and(|token| token.kind == Kind::Sign('{'));
                if let (true, Some(brace @ Brace::Group)) = (opened, self.braces.last_mut()) {
                    *brace = Brace::Text;
                    self.texts += 1;
                    self.out.pop();
                    self.spaced = true;
                }
            }
            Meaning::Skip(arguments) => self.skip_arguments(arguments, work)?,
            Meaning::Delimiter => {
                if self.rest().trim_start().starts_with('.') {
                    self.at += self.rest().len() - self.rest().trim_start().len() + 1;
                }
            }
            Meaning::Upright => {
                let gap = self.rest().len() - self.rest().trim_start().len();
                if self.rest()[gap..].starts_with('{') {
                    self.at += gap + 1;
                    self.braces.push(Brace::Text);
                    self.texts += 1;
                    self.spaced |= self.rest().starts_with([' ', '~']);
                } else {
                    self.spaced = true;
                }
            }
            Meaning::Style => {
                let gap = self.rest().len() - self.rest().trim_start().len();
                if self.rest()[gap..].starts_with('{') {
                    self.at += gap;
                    self.braces.push(Brace::Style);
                    self.sign('⟦', 1);
                }
            }
            Meaning::Board => self.blackboard(at)?,
            Meaning::Sign(sign) => self.push(Kind::Sign(sign), at),
            Meaning::Name => self.push(Kind::Name(name), at),
            Meaning::Alias(name) => self.push(Kind::Name(name), at),
            Meaning::Command(name) => self.push(Kind::Command(name), at),
            Meaning::Begin => self.environment(at, true)?,
            Meaning::End => self.environment(at, false)?,
            Meaning::Newline => self.push(Kind::Sign('\n'), at),
            Meaning::Unknown => {
                if let Some(len) = commands::glued_space(name) {
                    self.at = at + 1 + len;
                    self.spaced = true;
                    return Ok(());
                }
                let found = format!("\\{name}");
                return Err(ParseError::unreadable(at, "a command of LaTeX that stands for mathematics", &found));
            }
        }
        Ok(())
    }

    fn symbol_command(&mut self, c: char) -> Result<(), ParseError> {
        let at = self.at;
        self.at += 1 + c.len_utf8();
        match c {
            '{' => self.push(Kind::Sign('⦃'), at),
            '}' => self.push(Kind::Sign('⦄'), at),
            '|' => self.push(Kind::Sign('‖'), at),
            '$' | '%' | '#' | '_' | '&' => self.push(Kind::Sign(if c == '&' { ',' } else { c }), at),
            '(' | ')' | '[' | ']' => {}
            '!' => {}
            ',' | ';' | ':' | ' ' | '>' | '/' | '-' | '\n' | '\t' => self.spaced = true,
            '\\' => {
                let rest = self.rest();
                if self.matrices == 0 && rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '(' | ')' | '{' | '}')) {
                    // A backslash that was escaped once too often.
                    self.at -= 1;
                    return Ok(());
                }
                self.push(Kind::Sign('\n'), at);
                self.row_gap();
            }
            _ => {
                let end = self.at;
                return Err(ParseError::unreadable(at, "a command of LaTeX that stands for mathematics", &self.text[at..end]));
            }
        }
        Ok(())
    }

    /// The star and the `[2pt]` that may stand behind `\\`.
    fn row_gap(&mut self) {
        if self.rest().starts_with('*') {
            self.at += 1;
        }
        let rest = self.rest().trim_start();
        let Some(inside) = rest.strip_prefix('[') else { return };
        let Some(end) = inside.bytes().take(24).position(|b| b == b']') else { return };
        let unit = inside[..end].trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | ' '));
        if matches!(unit.trim(), "pt" | "em" | "ex" | "mm" | "cm" | "in" | "mu" | "\\jot" | "\\baselineskip") {
            self.at = self.text.len() - rest.len() + 1 + end + 1;
        }
    }

    fn skip_arguments(&mut self, arguments: u8, work: &mut Work) -> Result<(), ParseError> {
        for _ in 0..arguments {
            let rest = self.rest().trim_start();
            let start = self.text.len() - rest.len();
            if !rest.starts_with('{') {
                return Ok(());
            }
            let mut depth = 0_usize;
            let mut end = None;
            for (at, byte) in rest.bytes().enumerate() {
                work.pay(1)?;
                match byte {
                    b'{' => depth += 1,
                    b'}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    end = Some(at + 1);
                    break;
                }
            }
            let Some(end) = end else {
                return Err(ParseError::unreadable(start, "a closing brace", "the end"));
            };
            self.at = start + end;
        }
        self.spaced = true;
        Ok(())
    }

    fn blackboard(&mut self, at: usize) -> Result<(), ParseError> {
        let rest = self.rest().trim_start();
        let start = self.text.len() - rest.len();
        let (letter, len) = match rest.strip_prefix('{') {
            Some(inside) => {
                let inner = inside.trim_start();
                let letter = inner.chars().next();
                let close = inner.get(1..).map(str::trim_start).filter(|tail| tail.starts_with('}'));
                match (letter, close) {
                    (Some(letter), Some(close)) => (Some(letter), rest.len() - close.len() + 1),
                    _ => (None, 0),
                }
            }
            None => (rest.chars().next(), 1),
        };
        let Some(sign) = letter.and_then(commands::number_set) else {
            return Err(ParseError::unreadable(start, "one of the number sets R, Z, Q, N, C", rest));
        };
        self.at = start + len;
        self.push(Kind::Sign(sign), at);
        Ok(())
    }

    fn environment(&mut self, at: usize, begins: bool) -> Result<(), ParseError> {
        let rest = self.rest().trim_start();
        let start = self.text.len() - rest.len();
        let name =
            rest.strip_prefix('{').and_then(|inside| inside.as_bytes().iter().take(24).position(|&b| b == b'}').map(|end| &inside[..end]));
        let Some(name) = name else {
            return Err(ParseError::unreadable(start, "the name of an environment in braces", rest));
        };
        self.at = start + name.len() + 2;
        if !begins {
            self.matrices = self.matrices.saturating_sub(1);
            self.push(Kind::Finish(name), at);
            return Ok(());
        }
        self.matrices += 1;
        self.push(Kind::Begin(name), at);
        if matches!(name, "array" | "tabular") {
            // The columns: `{cc|c}`.
            let rest = self.rest().trim_start();
            if let Some(end) = rest.strip_prefix('{').and_then(|inside| inside.as_bytes().iter().take(64).position(|&b| b == b'}')) {
                self.at = self.text.len() - rest.len() + end + 2;
            }
        }
        Ok(())
    }
}
