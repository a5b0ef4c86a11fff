//! The smallest parts of expressions: numbers, names, groups, fractions, roots, functions, sums with bounds.

use std::borrow::Cow;

use dashu_ratio::RBig;

use super::expr::single_or;
use super::lex::Kind;
use super::{Fork, ParseError, Parser, numerals, words};
use crate::math::answer::{Constant, Expr, Function, Number};

/// What [`ParseError`] says where an atom is missing.
const AN_ATOM: &str = "a number, a name or an opening bracket";

impl Parser<'_, '_> {
    pub(super) fn atom(&mut self) -> Result<Expr, ParseError> {
        self.work.pay(25)?;
        match self.kind() {
            Kind::Number(_) => self.number(),
            Kind::Repeating(parts) => {
                let value = numerals::repeating(&parts.clone(), self.work)?;
                self.advance()?;
                Ok(Expr::Number(Number { value, decimals: None }))
            }
            &Kind::Vulgar(numerator, denominator) => {
                self.advance()?;
                Ok(Expr::quotient(Expr::whole(numerator.into()), Expr::whole(denominator.into())))
            }
            Kind::HanNumber(_) => self.han_number(),
            Kind::Word(_) | Kind::Name(_) => self.name(),
            &Kind::Command(name) => {
                self.advance()?;
                self.command(name)
            }
            &Kind::Sign(sign) => self.signed_atom(sign),
            _ => Err(self.error(AN_ATOM)),
        }
    }

    fn signed_atom(&mut self, sign: char) -> Result<Expr, ParseError> {
        match sign {
            '(' | '[' | '{' | '⟦' => self.group(),
            '⌊' | '⌈' => {
                self.advance()?;
                let inner = self.outside_bars(Self::expression)?;
                let (close, function) = if sign == '⌊' { ('⌋', Function::Floor) } else { ('⌉', Function::Ceiling) };
                self.expect(close, "the other half of the bracket")?;
                Ok(Expr::Apply(function, vec![inner]))
            }
            '|' => {
                self.advance()?;
                self.bars += 1;
                let inner = self.expression();
                self.bars -= 1;
                let inner = inner?;
                self.expect('|', "the bar that ends the absolute value")?;
                Ok(Expr::Apply(Function::Abs, vec![inner]))
            }
            '∞' => {
                self.advance()?;
                Ok(Expr::Constant(Constant::Infinity))
            }
            '√' | '∛' | '∜' => {
                self.advance()?;
                let degree = match sign {
                    '√' => 2,
                    '∛' => 3,
                    _ => 4,
                };
                self.root(Expr::whole(degree))
            }
            '∑' | '∏' => {
                self.advance()?;
                self.series(sign == '∏')
            }
            '∠' | '△' => {
                self.advance()?;
                let Kind::Word(word) = self.kind() else { return Err(self.error("the letters of the corners")) };
                let name = format!("{sign}{word}");
                self.advance()?;
                Ok(Expr::Symbol(name))
            }
            '_' | '^' => self.chosen(),
            _ => Err(self.error(AN_ATOM)),
        }
    }

    /// `_5C_2` and `^5C_2`, binomial coefficients.
    fn chosen(&mut self) -> Result<Expr, ParseError> {
        let start = self.at;
        self.advance()?;
        let upper = self.argument()?;
        if !matches!(self.word_at(self.at), Some("C")) || self.sign_at(self.at + 1) != Some('_') {
            self.at = start;
            return Err(self.error(AN_ATOM));
        }
        self.at += 1;
        self.advance()?;
        let lower = self.argument()?;
        Ok(Expr::Apply(Function::Binomial, vec![upper, lower]))
    }

    /// A bracketed expression.
    fn group(&mut self) -> Result<Expr, ParseError> {
        let close = match self.sign() {
            Some('(') => ')',
            Some('[') => ']',
            Some('{') => '}',
            _ => '⟧',
        };
        self.advance()?;
        let inner = self.outside_bars(Self::expression)?;
        self.expect(close, "an operator or a closing bracket")?;
        Ok(inner)
    }

    fn number(&mut self) -> Result<Expr, ParseError> {
        let at = self.tokens[self.at].at;
        let Kind::Number(text) = &mut self.tokens[self.at].kind else { return Err(self.error(AN_ATOM)) };
        let text = std::mem::take(text);
        let read = numerals::value(&text, at, self.work);
        self.tokens[self.at].kind = Kind::Number(text);
        let (number, exponent) = read?;
        self.advance()?;
        let number = Expr::Number(number);
        let Some(exponent) = exponent else { return Ok(number) };
        let size = Expr::Number(Number { value: RBig::from(exponent.clone()), decimals: None });
        let power = Expr::power(Expr::whole(10), size);
        Ok(Expr::Product(vec![number, power]))
    }

    fn han_number(&mut self) -> Result<Expr, ParseError> {
        let Kind::HanNumber(text) = *self.kind() else { return Err(self.error(AN_ATOM)) };
        let number = numerals::han_value(text).ok_or_else(|| self.error("a Chinese numeral below 10^18"))?;
        self.advance()?;
        let number = Expr::Number(number);
        if *self.kind() != Kind::Han("分之") {
            return Ok(number);
        }
        // 三分之二: the denominator comes first.
        self.advance()?;
        let numerator = self.deeper(Self::atom)?;
        Ok(Expr::quotient(numerator, number))
    }

    /// `2\frac{3}{4}`, `2 3/4`, `2½`, 二又三分之一.
    pub(super) fn mixed(&mut self) -> Result<Option<Expr>, ParseError> {
        let whole = match self.kind() {
            Kind::Number(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse::<u64>().ok(),
            Kind::HanNumber(text) if *self.kind_at(self.at + 1) == Kind::Han("又") => {
                let Some(whole) = numerals::han_value(text) else { return Ok(None) };
                self.advance()?;
                self.advance()?;
                let part = self.deeper(Self::atom)?;
                return Ok(Some(Expr::Sum(vec![Expr::Number(whole), part])));
            }
            _ => None,
        };
        let Some(whole) = whole else { return Ok(None) };
        let joined = matches!(self.word_at(self.at + 1), Some("and"));
        let start = self.at + 1 + usize::from(joined);
        let Some((numerator, denominator, end)) = self.proper_fraction(start) else { return Ok(None) };
        if joined && !self.fork(Fork::And) {
            return Ok(None);
        }
        self.at = end;
        Ok(Some(Expr::Sum(vec![Expr::whole(whole), Expr::quotient(Expr::whole(numerator), Expr::whole(denominator))])))
    }

    /// A fraction of integers below one at `at`: numerator, denominator, and the place behind it.
    fn proper_fraction(&self, at: usize) -> Option<(u64, u64, usize)> {
        let (numerator, denominator, end) = match self.kind_at(at) {
            &Kind::Vulgar(numerator, denominator) => (numerator.into(), denominator.into(), at + 1),
            Kind::Number(_) if self.spaced(at) && self.sign_at(at + 1) == Some('/') => {
                let end = at + 3;
                if matches!(self.kind_at(end), Kind::Number(_)) || self.sign_at(end) == Some('/') {
                    return None;
                }
                (self.small(at)?, self.small(at + 2)?, end)
            }
            Kind::Command("frac") => match self.kind_at(at + 1) {
                Kind::Number(both) if both.len() == 2 && both.bytes().all(|b| b.is_ascii_digit()) => {
                    (both[..1].parse().ok()?, both[1..].parse().ok()?, at + 2)
                }
                _ => {
                    let (numerator, next) = self.small_argument(at + 1)?;
                    let (denominator, end) = self.small_argument(next)?;
                    (numerator, denominator, end)
                }
            },
            _ => return None,
        };
        (numerator < denominator).then_some((numerator, denominator, end))
    }

    fn small(&self, at: usize) -> Option<u64> {
        match self.kind_at(at) {
            Kind::Number(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
    }

    fn small_argument(&self, at: usize) -> Option<(u64, usize)> {
        if self.sign_at(at) == Some('{') {
            return (self.sign_at(at + 2) == Some('}')).then_some((self.small(at + 1)?, at + 3));
        }
        match self.kind_at(at) {
            Kind::Number(text) if text.len() == 1 => Some((self.small(at)?, at + 1)),
            _ => None,
        }
    }

    /// An argument of a command: a group, or one digit, one letter, one command.
    pub(super) fn argument(&mut self) -> Result<Expr, ParseError> {
        match &mut self.tokens[self.at].kind {
            Kind::Number(text) if text.len() > 1 && text.bytes().all(|b| b.is_ascii_digit()) => {
                let digit = u64::from(text.as_bytes()[0] - b'0');
                *text = Cow::Owned(text[1..].to_owned());
                self.work.pay(4)?;
                Ok(Expr::whole(digit))
            }
            Kind::Word(word) if word.len() > 1 => {
                let letter = word[..1].to_owned();
                *word = Cow::Owned(word[1..].to_owned());
                self.work.pay(4)?;
                Ok(words::letter(&letter))
            }
            _ => self.deeper(Self::atom),
        }
    }

    /// `{d}{dx}`, `{d^2y}{dx^2}`: letters that do not cancel.
    fn derivative_in_groups(&self) -> bool {
        let Some(Some(group)) = self.groups.get(self.at) else { return false };
        let lower = group.close + 1;
        self.sign() == Some('{')
            && self.sign_at(lower) == Some('{')
            && self.differential(self.at + 1)
            && self.differential_of(lower + 1).is_some()
    }

    /// Whether `d`, `dy` or `d^2` begins at a token.
    fn differential(&self, at: usize) -> bool {
        self.word_at(at).is_some_and(|word| word == "d") || self.differential_of(at).is_some()
    }

    /// The place behind `dx` at a token.
    fn differential_of(&self, at: usize) -> Option<usize> {
        match self.word_at(at)? {
            "d" if !self.spaced(at + 1) && self.word_at(at + 1).is_some_and(|word| word.len() == 1) => Some(at + 2),
            word if word.len() == 2 && word.starts_with('d') => Some(at + 1),
            _ => None,
        }
    }

    /// Whether a slash at this token stands in `d/dx` or `dy/dx`.
    pub(super) fn derivative_around(&self) -> bool {
        // By the text: letters of a word that were read are gone from its token.
        let before = self.tokens.get(self.at).and_then(|token| self.text.get(..token.at)).unwrap_or_default().trim_end();
        let letters = before.len() - before.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
        let upper = (1..=2).contains(&letters) && before[before.len() - letters..].starts_with('d');
        upper && self.differential_of(self.at + 1).is_some()
    }

    fn command(&mut self, name: &str) -> Result<Expr, ParseError> {
        match name {
            "frac" => {
                if self.derivative_in_groups() {
                    return Err(self.error("a fraction that is no derivative"));
                }
                let numerator = self.argument()?;
                let denominator = self.argument()?;
                Ok(Expr::quotient(numerator, denominator))
            }
            "binom" => {
                let upper = self.argument()?;
                let lower = self.argument()?;
                Ok(Expr::Apply(Function::Binomial, vec![upper, lower]))
            }
            "sqrt" => {
                let mut degree = Expr::whole(2);
                if self.sign() == Some('[') {
                    self.advance()?;
                    degree = self.outside_bars(Self::expression)?;
                    self.expect(']', "a closing bracket behind the degree of the root")?;
                }
                self.root(degree)
            }
            "sum" | "prod" => self.series(name == "prod"),
            "overline" => self.overline(),
            "abs" | "floor" | "ceil" => {
                let inner = self.argument()?;
                let function = match name {
                    "abs" => Function::Abs,
                    "floor" => Function::Floor,
                    _ => Function::Ceiling,
                };
                Ok(Expr::Apply(function, vec![inner]))
            }
            _ => Err(self.error("a command that begins an expression")),
        }
    }

    fn root(&mut self, degree: Expr) -> Result<Expr, ParseError> {
        // `\sqrt12` means the root of twelve, whatever LaTeX makes of it.
        let radicand = match self.kind() {
            Kind::Number(_) => self.number()?,
            _ => self.argument()?,
        };
        Ok(Expr::Root { degree: Box::new(degree), radicand: Box::new(radicand) })
    }

    /// `\overline{z}` is a conjugate, `\overline{AB}` a segment.
    fn overline(&mut self) -> Result<Expr, ParseError> {
        if self.sign() == Some('{')
            && let Kind::Word(word) = self.kind_at(self.at + 1)
            && word.len() > 1
            && word.bytes().all(|b| b.is_ascii_uppercase())
            && self.sign_at(self.at + 2) == Some('}')
        {
            let name = word.to_string();
            for _ in 0..3 {
                self.advance()?;
            }
            return Ok(Expr::Symbol(name));
        }
        let inner = self.argument()?;
        Ok(Expr::Apply(Function::Conjugate, vec![inner]))
    }

    /// `\sum_{i=1}^{n} body`, behind its sign.
    fn series(&mut self, product: bool) -> Result<Expr, ParseError> {
        let mut low = None;
        let mut high = None;
        while let Some(mark @ ('_' | '^')) = self.sign() {
            self.advance()?;
            if mark == '^' {
                high = Some(self.argument()?);
                continue;
            }
            let close = match self.sign() {
                Some('{') => '}',
                Some('(') => ')',
                _ => return Err(self.error("the first value of the running variable in braces")),
            };
            self.advance()?;
            let Some(index) = self.word_at(self.at).map(str::to_owned) else { return Err(self.error("a running variable")) };
            self.advance()?;
            self.expect('=', "an equals sign behind the running variable")?;
            let first = self.outside_bars(Self::expression)?;
            self.expect(close, "a closing brace")?;
            low = Some((index, first));
        }
        let (Some((index, low)), Some(high)) = (low, high) else {
            return Err(self.error("both bounds of the sum or product"));
        };
        let body = self.deeper(Self::product)?;
        let body = rename(body, &index);
        Ok(Expr::Series { product, index, low: Box::new(low), high: Box::new(high), body: Box::new(body) })
    }

    /// A function, a constant, a variable, or several letters side by side.
    fn name(&mut self) -> Result<Expr, ParseError> {
        if let Kind::Name(name) = *self.kind() {
            self.advance()?;
            return match words::function(name) {
                Some(function) => self.applied(function),
                None => self.indexed(name),
            };
        }
        let Kind::Word(word) = self.kind() else { return Err(self.error(AN_ATOM)) };
        let word = word.to_string();
        match word.as_str() {
            "sqrt" | "root" | "cbrt" => {
                self.advance()?;
                return self.named_root(&word);
            }
            "frac" | "binom" if self.sign_at(self.at + 1) == Some('{') => {
                self.advance()?;
                return self.command(&word);
            }
            "C" if self.sign_at(self.at + 1) == Some('(') && self.groups[self.at + 1].is_some_and(|group| group.parts) => {
                self.advance()?;
                return self.applied(Function::Binomial);
            }
            "f" | "g" | "h" => {
                if let Some((mark, len)) = self.call_ahead() {
                    self.at += len;
                    let arguments = self.call()?;
                    return Ok(Expr::Apply(Function::Other(word + mark), arguments));
                }
            }
            "log" | "Log" if !self.spaced(self.at + 1) && self.sign_at(self.at + 2) == Some('(') => {
                if let Some(base) = self.small(self.at + 1) {
                    // `log2(8)`
                    self.at += 2;
                    let mut arguments = self.call()?;
                    arguments.insert(0, Expr::whole(base));
                    return Ok(Expr::Apply(Function::LogBase, arguments));
                }
            }
            _ => {}
        }
        if let Some(function) = words::function(&word) {
            self.advance()?;
            return self.applied(function);
        }
        if let Some(value) = words::number(&word) {
            self.advance()?;
            return self.number_words(value);
        }
        if words::is_name(&word) {
            self.advance()?;
            return self.indexed(&word);
        }
        if !words::is_mathematics(&word) {
            return Err(self.error("a name of mathematics"));
        }
        // `sinx`, `xy`: the first name; the rest stays.
        let first = words::first_name(&word);
        self.work.pay(word.len() as u64)?;
        let token = &mut self.tokens[self.at];
        token.kind = Kind::Word(Cow::Owned(word[first..].to_owned()));
        token.spaced = false;
        match words::function(&word[..first]) {
            Some(function) => self.applied(function),
            None => Ok(words::letter(&word[..first])),
        }
    }

    /// What stands between the letter of a function and its bracket: primes, or the mark of an inverse; and the tokens of both.
    fn call_ahead(&self) -> Option<(&'static str, usize)> {
        let opens = |at: usize| self.sign_at(at) == Some('(') && !self.spaced(at);
        let primes = (1..4).take_while(|&count| self.sign_at(self.at + count) == Some('\'')).count();
        if opens(self.at + 1 + primes) {
            return Some((["", "'", "''", "'\''"][primes], 1 + primes));
        }
        let inverse = [Kind::Sign('^'), Kind::Sign('{'), Kind::Sign('-'), Kind::Number(Cow::Borrowed("1")), Kind::Sign('}')];
        let inverted = inverse.iter().zip(self.at + 1..).all(|(kind, at)| self.kind_at(at) == kind);
        (inverted && opens(self.at + 6)).then_some(("^{-1}", 6))
    }

    /// `twenty-one`, `two hundred five`.
    fn number_words(&mut self, first: u64) -> Result<Expr, ParseError> {
        let mut count = words::Count::new(first);
        loop {
            let hyphen = usize::from(self.sign() == Some('-') && !self.spaced(self.at));
            // "one hundred and five", but not "one and five".
            let and = usize::from(count.value() >= 100 && matches!(self.word_at(self.at), Some("and")));
            let at = self.at + hyphen + and;
            let Some(next) = self.word_at(at).and_then(words::number) else { break };
            if !count.add(next) {
                break;
            }
            self.at = at;
            self.advance()?;
        }
        Ok(Expr::whole(count.value()))
    }

    /// A name and its index: `x_1`, `a_{n+1}`.
    fn indexed(&mut self, name: &str) -> Result<Expr, ParseError> {
        if self.sign() != Some('_') {
            return Ok(words::letter(name));
        }
        self.advance()?;
        let mut index = String::new();
        if matches!(self.sign(), Some('{' | '⟦')) {
            self.advance()?;
            while !matches!(self.sign(), Some('}' | '⟧')) {
                let piece = self.index_piece().ok_or_else(|| self.error("an index of letters and digits"))?;
                index.push_str(&piece);
                self.advance()?;
                if index.len() > 40 {
                    return Err(self.error("an index of at most 40 letters"));
                }
            }
            self.advance()?;
        } else {
            index = self.index_piece().ok_or_else(|| self.error("an index of letters and digits"))?;
            self.advance()?;
        }
        Ok(Expr::Symbol(format!("{name}_{index}")))
    }

    fn index_piece(&self) -> Option<String> {
        match self.kind() {
            Kind::Number(text) | Kind::Word(text) if text.len() <= 40 => Some(text.to_string()),
            Kind::Name(name) => Some((*name).to_owned()),
            Kind::Sign(sign @ ('+' | '-' | ',' | '\'')) => Some(sign.to_string()),
            _ => None,
        }
    }

    fn named_root(&mut self, word: &str) -> Result<Expr, ParseError> {
        if word == "root" && self.sign() == Some('(') {
            let mut arguments = self.call()?;
            let (Some(radicand), Some(degree), true) = (arguments.pop(), arguments.pop(), arguments.is_empty()) else {
                return Err(self.error("a degree and a radicand"));
            };
            return Ok(Expr::Root { degree: Box::new(degree), radicand: Box::new(radicand) });
        }
        let mut degree = Expr::whole(if word == "cbrt" { 3 } else { 2 });
        if self.sign() == Some('[') {
            self.advance()?;
            degree = self.outside_bars(Self::expression)?;
            self.expect(']', "a closing bracket behind the degree of the root")?;
        }
        self.root(degree)
    }

    /// The arguments of a function in brackets.
    fn call(&mut self) -> Result<Vec<Expr>, ParseError> {
        let close = match self.sign() {
            Some('⦃') => '⦄',
            Some('{') => '}',
            Some('[') => ']',
            _ => ')',
        };
        self.advance()?;
        let mut arguments = vec![self.outside_bars(Self::expression)?];
        while self.eat(',')? || self.eat(';')? {
            arguments.push(self.outside_bars(Self::expression)?);
        }
        self.expect(close, "a comma or a closing bracket")?;
        Ok(arguments)
    }

    /// A function behind its name: power, base and argument.
    fn applied(&mut self, function: Function) -> Result<Expr, ParseError> {
        let mut function = function;
        let mut raised = None;
        let mut base = None;
        while let Some(mark @ ('^' | '_')) = self.sign() {
            self.advance()?;
            if mark == '_' && base.is_none() && matches!(function, Function::Log | Function::Ln) {
                base = Some(match self.kind() {
                    Kind::Number(_) => self.number()?,
                    _ => self.argument()?,
                });
            } else if mark == '^' && raised.is_none() {
                let negative = self.eat('-')?;
                let exponent = match self.kind() {
                    Kind::Number(_) => self.number()?,
                    _ => self.argument()?,
                };
                raised = Some(if negative { Expr::negative(exponent) } else { exponent });
            } else {
                return Err(self.error("the argument of the function"));
            }
        }
        if let Some(power) = &raised
            && *power == Expr::negative(Expr::whole(1))
            && let Some(inverse) = words::inverse(&function)
        {
            function = inverse;
            raised = None;
        }
        self.arguments += 1;
        let arguments = self.deeper(|parser| parser.operands(&function));
        self.arguments -= 1;
        let mut arguments = arguments?;
        if arguments.len() != words::arity(&function).unwrap_or(arguments.len()) {
            return Err(self.error("as many arguments as the function takes"));
        }
        let base = if function == Function::LogBase { Some(Expr::whole(10)) } else { base };
        if let Some(base) = base {
            arguments.insert(0, base);
            function = Function::LogBase;
        }
        let applied = Expr::Apply(function, arguments);
        Ok(match raised {
            Some(power) => Expr::power(applied, power),
            None => applied,
        })
    }

    /// The arguments: a bracket, or factors up to the next operator or function.
    fn operands(&mut self, function: &Function) -> Result<Vec<Expr>, ParseError> {
        if matches!(self.sign(), Some('(' | '[')) || (self.sign() == Some('⦃') && words::arity(function).is_none()) {
            return self.call();
        }
        if matches!(self.sign(), Some('{' | '⟦')) {
            return Ok(vec![self.group()?]);
        }
        if self.sign() == Some('-') {
            self.advance()?;
            let inner = self.deeper(Self::power)?;
            return Ok(vec![Expr::negative(inner)]);
        }
        let mut factors = vec![self.power()?];
        while self.starts_factor(self.at) && self.word_at(self.at).and_then(words::function).is_none() {
            factors.push(self.power()?);
        }
        Ok(vec![single_or(factors, Expr::Product)])
    }

    /// Whether `f(x) =` follows for any letter f.
    pub(super) fn applied_name(&self) -> bool {
        let letter = matches!(self.kind(), Kind::Word(word) if word.len() == 1)
            || matches!(self.kind(), Kind::Name(name) if words::function(name).is_none());
        letter
            && self.sign_at(self.at + 1) == Some('(')
            && self.groups[self.at + 1].is_some_and(|group| self.sign_at(group.close + 1) == Some('='))
    }

    /// The left side of `f(x) = …`.
    pub(super) fn definition(&mut self) -> Result<Expr, ParseError> {
        let name = self.word_at(self.at).unwrap_or_default().to_owned();
        self.advance()?;
        let arguments = self.call()?;
        Ok(Expr::Apply(Function::Other(name), arguments))
    }
}

/// Makes the running variable `i` or `e` a variable in the body of a sum.
fn rename(body: Expr, index: &str) -> Expr {
    let constant = match index {
        "i" => Constant::I,
        "e" => Constant::E,
        _ => return body,
    };
    replace(body, constant, index)
}

fn replace(expr: Expr, constant: Constant, name: &str) -> Expr {
    let all = |parts: Vec<Expr>| parts.into_iter().map(|part| replace(part, constant, name)).collect();
    let one = |part: Box<Expr>| Box::new(replace(*part, constant, name));
    match expr {
        Expr::Constant(found) if found == constant => Expr::Symbol(name.to_owned()),
        Expr::Sum(parts) => Expr::Sum(all(parts)),
        Expr::Product(parts) => Expr::Product(all(parts)),
        Expr::Apply(function, parts) => Expr::Apply(function, all(parts)),
        Expr::Quotient(a, b) => Expr::Quotient(one(a), one(b)),
        Expr::Power(a, b) => Expr::Power(one(a), one(b)),
        Expr::Root { degree, radicand } => Expr::Root { degree: one(degree), radicand: one(radicand) },
        Expr::Negative(inner) => Expr::Negative(one(inner)),
        Expr::PlusMinus(inner) => Expr::PlusMinus(one(inner)),
        Expr::MinusPlus(inner) => Expr::MinusPlus(one(inner)),
        Expr::Series { product, index, low, high, body } => {
            Expr::Series { product, index, low: one(low), high: one(high), body: one(body) }
        }
        other @ (Expr::Number(_) | Expr::Symbol(_) | Expr::Constant(_)) => other,
    }
}
