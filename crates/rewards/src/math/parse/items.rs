//! Answers above the level of expressions: lists, relations, sets, tuples, intervals, unions.

use super::lex::Kind;
use super::{Fork, ParseError, Parser, commands, words};
use crate::math::answer::{Answer, Constant, Expr, Function, Operator};

impl Parser<'_, '_> {
    /// The whole text.
    pub(super) fn whole(&mut self) -> Result<Answer, ParseError> {
        if let Some(answer) = self.labelled()? {
            return Ok(answer);
        }
        let answer = self.list()?;
        self.finish()?;
        Ok(answer)
    }

    fn finish(&mut self) -> Result<(), ParseError> {
        while matches!(self.kind(), Kind::Sign('.' | ',' | ';')) && self.only_points(self.at) {
            self.advance()?;
        }
        if matches!(self.kind(), Kind::End) { Ok(()) } else { Err(self.error("an operator, a comma or the end")) }
    }

    /// `(B) 12`, `B. 12`: a choice and what it says.
    fn labelled(&mut self) -> Result<Option<Answer>, ParseError> {
        let open = usize::from(self.sign() == Some('('));
        let letter = match self.word_at(open) {
            Some(word) if word.len() == 1 => word.chars().next().filter(char::is_ascii_uppercase),
            _ => None,
        };
        let Some(label) = letter else { return Ok(None) };
        let behind = open + 1;
        let body = match (open, self.sign_at(behind)) {
            (1, Some(')')) if self.sign_at(behind + 1) == Some('.') || self.sign_at(behind + 1) == Some(':') => behind + 2,
            (1, Some(')')) => behind + 1,
            (0, Some('.' | ')' | ':')) => behind + 1,
            _ => return Ok(None),
        };
        if self.only_points(body)
            || !self.spaced(body)
            || matches!(self.kind_at(body), Kind::Sign(s) if !matches!(s, '-' | '$' | '(' | '[' | '⦃' | '√'))
        {
            return Ok(None);
        }
        // `(A) 12 (B) 13` repeats the choices and makes none.
        let more = |at: usize| {
            self.spaced(at)
                && self.sign_at(at) == Some('(')
                && self.sign_at(at + 2) == Some(')')
                && matches!(self.word_at(at + 1), Some(word) if word.len() == 1 && word.starts_with(|c: char| c.is_ascii_uppercase()))
        };
        if (body + 1..self.tokens.len()).any(more) {
            return Ok(None);
        }
        let start = self.at;
        self.at = body;
        let said = self.list().and_then(|answer| self.finish().map(|()| answer));
        match said {
            Ok(answer) => Ok(Some(Answer::Labelled { label, answer: Box::new(answer) })),
            Err(ParseError::Exhausted) => Err(ParseError::Exhausted),
            Err(_) => {
                self.at = start;
                Ok(None)
            }
        }
    }

    /// Items with commas, semicolons, "and" or "or" between them.
    pub(super) fn list(&mut self) -> Result<Answer, ParseError> {
        let first = self.item()?;
        if !self.joint()? {
            return Ok(first);
        }
        let mut items = vec![first];
        loop {
            items.push(self.item()?);
            if !self.joint()? {
                break;
            }
        }
        Ok(share_subject(items))
    }

    /// An item of a list, without the part of the question that it answers: "for part (a)".
    fn item(&mut self) -> Result<Answer, ParseError> {
        let item = self.relation()?;
        if (self.word_at(self.at), self.word_at(self.at + 1)) == (Some("for"), Some("part")) {
            let bracket = usize::from(self.sign_at(self.at + 2) == Some('('));
            let label = self.at + 2 + bracket;
            let named = match self.kind_at(label) {
                Kind::Word(word) => word.len() == 1,
                Kind::Number(_) => true,
                _ => false,
            };
            if named && (bracket == 0 || self.sign_at(label + 1) == Some(')')) {
                self.at = label + bracket;
                self.advance()?;
            }
        }
        Ok(item)
    }

    /// Takes what stands between two items of a list; `false` if nothing of the kind follows, or nothing stands behind it.
    fn joint(&mut self) -> Result<bool, ParseError> {
        let start = self.at;
        while self.is_joint(self.at) {
            self.advance()?;
        }
        if self.at == start {
            return Ok(false);
        }
        match self.kind() {
            Kind::End | Kind::Sign('.') => {
                self.at = start;
                Ok(false)
            }
            // `{5,}`: a comma that ends a group.
            Kind::Sign('}' | '⟧') => Ok(false),
            _ => Ok(true),
        }
    }

    fn is_joint(&self, at: usize) -> bool {
        match self.kind_at(at) {
            Kind::Sign(',' | ';' | '∨' | '∧' | '∪') => true,
            Kind::Word(word) => words::is_joint(word),
            Kind::Han(run) => commands::HAN_JOINTS.contains(run),
            _ => false,
        }
    }

    /// A chain of relations, or what stands in one.
    pub(super) fn relation(&mut self) -> Result<Answer, ParseError> {
        // `= 5`, `\approx 5`, "is 5".
        if matches!(self.sign(), Some('=' | '≈' | ':')) {
            self.advance()?;
        }
        let mut terms = vec![self.union()?];
        let mut operators = Vec::new();
        while let Some(operator) = self.operator()? {
            operators.push(operator);
            terms.push(self.union()?);
        }
        if let Some(modulus) = self.modulus()? {
            match terms.pop() {
                Some(Answer::Expr(last)) => terms.push(Answer::Expr(Expr::Apply(Function::Mod, vec![last, modulus]))),
                _ => return Err(self.error("an expression in front of the modulus")),
            }
        }
        if operators.is_empty()
            && let Some(term) = terms.pop()
        {
            return Ok(term);
        }
        Ok(Answer::Relation { terms, operators })
    }

    fn operator(&mut self) -> Result<Option<Operator>, ParseError> {
        let operator = match self.kind() {
            Kind::Sign('=') => Operator::Equal,
            Kind::Sign('≠') => Operator::NotEqual,
            Kind::Sign('<') => Operator::Less,
            Kind::Sign('≤') => Operator::LessOrEqual,
            Kind::Sign('>') => Operator::Greater,
            Kind::Sign('≥') => Operator::GreaterOrEqual,
            Kind::Sign('≈') => Operator::About,
            Kind::Sign('∈') => Operator::In,
            Kind::Sign('≡') => Operator::Congruent,
            Kind::Sign(':') => Operator::Ratio,
            Kind::Sign('̸') if self.sign_at(self.at + 1) == Some('=') => {
                self.advance()?;
                Operator::NotEqual
            }
            Kind::Word(word) => match words::relation(word) {
                Some(operator) => operator,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(operator))
    }

    /// `\pmod 5`, `(mod 5)`.
    fn modulus(&mut self) -> Result<Option<Expr>, ParseError> {
        let open = self.sign() == Some('(');
        let at = self.at + usize::from(open);
        let bare = matches!(self.word_at(at), Some("pmod"));
        let bracketed = open && matches!(self.word_at(at), Some("mod"));
        if !bare && !bracketed {
            return Ok(None);
        }
        self.at = at;
        self.advance()?;
        let modulus = if bracketed { self.expression()? } else { self.argument()? };
        if bracketed {
            self.expect(')', "a closing bracket behind the modulus")?;
        }
        Ok(Some(modulus))
    }

    /// Sets joined by `\cup` or taken away by `\setminus`.
    fn union(&mut self) -> Result<Answer, ParseError> {
        let mut parts = vec![self.part()?];
        loop {
            match self.kind() {
                // `x < 1 \cup x > 3` joins relations, not the numbers between them.
                Kind::Sign('∪') if !matches!(parts.last(), Some(Answer::Expr(expr)) if !matches!(expr, Expr::Symbol(_))) => {
                    self.advance()?;
                    parts.push(self.part()?);
                }
                Kind::Word(word) if word == "U" && !matches!(parts.last(), Some(Answer::Expr(_))) => {
                    self.advance()?;
                    parts.push(self.part()?);
                }
                Kind::Sign('∖') => {
                    self.advance()?;
                    let left = one_or(parts, Answer::Union);
                    let right = self.part()?;
                    self.grow()?;
                    parts = vec![Answer::Difference(Box::new(left), Box::new(right))];
                }
                Kind::Sign('-') if self.sign_at(self.at + 1) == Some('⦃') => {
                    self.advance()?;
                    let left = one_or(parts, Answer::Union);
                    let right = self.part()?;
                    self.grow()?;
                    parts = vec![Answer::Difference(Box::new(left), Box::new(right))];
                }
                _ => return Ok(one_or(parts, Answer::Union)),
            }
        }
    }

    /// One set, tuple, interval, matrix, date, quantity, …
    fn part(&mut self) -> Result<Answer, ParseError> {
        self.work.pay(60)?;
        self.deeper(Self::part_here)
    }

    fn part_here(&mut self) -> Result<Answer, ParseError> {
        match self.sign() {
            Some('∅') => {
                self.advance()?;
                return Ok(Answer::Set(Vec::new()));
            }
            Some(sign @ ('ℝ' | 'ℤ' | 'ℚ' | 'ℕ' | 'ℂ')) => return self.number_set(sign),
            Some('⦃') => return self.set(),
            Some(opener @ ('{' | '⟦')) => {
                if let Some(answer) = self.braces(opener)? {
                    return Ok(answer);
                }
            }
            Some(opener @ ('(' | '[' | '⟨')) => {
                if let Some(answer) = self.brackets(opener)? {
                    return Ok(answer);
                }
            }
            Some(']') => return self.outward_interval(),
            _ => {}
        }
        if let Kind::Begin(_) = self.kind() {
            return self.matrix_sum(None);
        }
        if self.sign() == Some('-') && matches!(self.kind_at(self.at + 1), Kind::Begin(_)) {
            self.advance()?;
            return self.matrix_sum(Some(&Expr::negative(Expr::whole(1))));
        }
        if let Some(answer) = self.moment()? {
            return Ok(answer);
        }
        if let Some(answer) = self.based()? {
            return Ok(answer);
        }
        if let Some(answer) = self.letters()? {
            return Ok(answer);
        }
        if self.applied_name() {
            return Ok(Answer::Expr(self.definition()?));
        }
        let answer = self.quantity()?;
        match (&answer, self.kind()) {
            (Answer::Expr(factor), Kind::Begin(_)) => self.matrix_sum(Some(&factor.clone())),
            _ => Ok(answer),
        }
    }

    /// Whether a single letter stands behind the bracket, as in `(B)`.
    fn letter_in_brackets(&self) -> bool {
        matches!(self.kind_at(self.at + 1), Kind::Word(word) if word.len() == 1) && matches!(self.sign_at(self.at + 2), Some(')' | ']'))
    }

    fn number_set(&mut self, sign: char) -> Result<Answer, ParseError> {
        self.advance()?;
        let infinity = Expr::Constant(Constant::Infinity);
        let below = Expr::Negative(Box::new(infinity.clone()));
        let mut answer = match sign {
            'ℝ' => Answer::Interval { low: below.clone(), high: infinity.clone(), low_closed: false, high_closed: false },
            _ => Answer::Expr(Expr::Symbol(sign.to_string())),
        };
        if let Some(mark @ ('^' | '_')) = self.sign() {
            self.advance()?;
            let braced = self.eat('{')?;
            let zero = Expr::whole(0);
            match self.sign() {
                Some('+') if sign == 'ℝ' => {
                    answer = Answer::Interval { low: zero, high: infinity, low_closed: false, high_closed: false }
                }
                Some('-') if sign == 'ℝ' => answer = Answer::Interval { low: below, high: zero, low_closed: false, high_closed: false },
                Some(part @ ('+' | '-' | '*')) => answer = Answer::Expr(Expr::Symbol(format!("{sign}{part}"))),
                _ => {
                    let power = if mark == '^' { self.atom()? } else { return Err(self.error("a plus or a minus behind the set")) };
                    answer = Answer::Expr(Expr::Power(Box::new(Expr::Symbol(sign.to_string())), Box::new(power)));
                    if braced {
                        self.expect('}', "a closing brace")?;
                    }
                    return Ok(answer);
                }
            }
            self.advance()?;
            if braced {
                self.expect('}', "a closing brace")?;
            }
        }
        Ok(answer)
    }

    /// `\{…\}`: parts, or what they must fulfil.
    fn set(&mut self) -> Result<Answer, ParseError> {
        self.advance()?;
        if self.eat('⦄')? {
            return Ok(Answer::Set(Vec::new()));
        }
        if let Some(condition) = self.condition('⦄')? {
            return Ok(condition);
        }
        let content = self.outside_bars(Self::list)?;
        self.expect('⦄', "a closing brace of the set")?;
        Ok(Answer::Set(parts_of(content)))
    }

    /// The rest of `\{x \mid x > 3\}` behind its brace, if it is one: the relation.
    fn condition(&mut self, close: char) -> Result<Option<Answer>, ParseError> {
        let start = self.at;
        if !matches!(self.kind(), Kind::Word(_) | Kind::Name(_)) {
            return Ok(None);
        }
        let mut at = self.at + 1;
        if self.sign_at(at) == Some('∈') && matches!(self.sign_at(at + 1), Some('ℝ' | 'ℤ' | 'ℚ' | 'ℕ' | 'ℂ')) {
            at += 2;
        }
        if !matches!(self.sign_at(at), Some('∣' | '|' | ':')) {
            return Ok(None);
        }
        self.at = at;
        self.advance()?;
        let content = self.outside_bars(Self::list)?;
        if self.sign() != Some(close) {
            self.at = start;
            return Err(self.error("a closing brace of the set"));
        }
        self.advance()?;
        Ok(Some(content))
    }

    /// A group of LaTeX that is a whole item: nothing but its content. Braces of plain text around commas make a set.
    fn braces(&mut self, opener: char) -> Result<Option<Answer>, ParseError> {
        let Some(group) = self.groups[self.at] else { return Err(self.error("a brace that closes")) };
        // The braces of a command are no set: an empty box is no answer.
        if opener == '{' && group.close == self.at + 1 && self.is_boundary(group.close + 1) {
            self.at = group.close;
            self.advance()?;
            return Ok(Some(Answer::Set(Vec::new())));
        }
        if !self.is_boundary(group.close + 1) {
            return Ok(None);
        }
        let start = self.at;
        self.advance()?;
        if opener == '{'
            && let Some(condition) = self.condition('}')?
        {
            return Ok(Some(condition));
        }
        let content = self.outside_bars(Self::list)?;
        if self.at != group.close {
            self.at = start;
            return Ok(None);
        }
        self.advance()?;
        if opener == '{' && matches!(content, Answer::List(_)) && !self.fork(Fork::Brackets) {
            return Ok(Some(Answer::Set(parts_of(content))));
        }
        Ok(Some(content))
    }

    /// Round, square or angle brackets that hold parts, or that are a whole item.
    fn brackets(&mut self, opener: char) -> Result<Option<Answer>, ParseError> {
        let Some(group) = self.groups[self.at] else {
            return Err(self.error("a bracket that closes"));
        };
        let whole = self.is_boundary(group.close + 1) || self.set_behind(group.close + 1);
        let empty = group.close == self.at + 1;
        if !group.parts && (!whole || empty || self.letter_in_brackets()) {
            return Ok(None);
        }
        let in_sets = self.beside_sets(group.close + 1);
        let start = self.at;
        self.advance()?;
        let content = self.outside_bars(|parser| parser.parts(group.close))?;
        let closer = self.sign();
        if self.at != group.close {
            if group.parts {
                return Err(self.error("a comma or a closing bracket"));
            }
            self.at = start;
            return Ok(None);
        }
        self.advance()?;
        let answer = match <[Answer; 1]>::try_from(content) {
            Ok([single]) => {
                if !group.parts && opener == '[' && closer == Some(']') && matches!(single, Answer::Tuple(_)) {
                    Answer::Tuple(vec![single])
                } else {
                    single
                }
            }
            Err(parts) => self.tuple_or_interval(opener, closer, parts, in_sets)?,
        };
        self.transposed()?;
        Ok(Some(answer))
    }

    fn parts(&mut self, close: usize) -> Result<Vec<Answer>, ParseError> {
        let mut parts = vec![self.relation()?];
        while self.at < close && matches!(self.sign(), Some(',' | ';')) {
            self.advance()?;
            if self.at == close {
                break;
            }
            parts.push(self.relation()?);
        }
        Ok(parts)
    }

    fn tuple_or_interval(&mut self, opener: char, closer: Option<char>, parts: Vec<Answer>, in_sets: bool) -> Result<Answer, ParseError> {
        let ends = match parts.as_slice() {
            [Answer::Expr(low), Answer::Expr(high)] => Some((low.clone(), high.clone())),
            _ => None,
        };
        let mixed = matches!((opener, closer), ('(', Some(']')) | ('[', Some(')')));
        let Some((low, high)) = ends else {
            return if mixed { Err(self.error("two ends of an interval")) } else { Ok(Answer::Tuple(parts)) };
        };
        let infinite = matches!(&low, Expr::Negative(inner) if is_infinite(inner)) || is_infinite(&high);
        let turned = !mixed && value(&low).zip(value(&high)).is_some_and(|(low, high)| low >= high);
        let interval = mixed || infinite || in_sets || !turned && (opener != '⟨' && self.fork(Fork::Brackets) == (opener == '('));
        if interval {
            return Ok(Answer::Interval { low, high, low_closed: opener == '[', high_closed: closer == Some(']') });
        }
        Ok(Answer::Tuple(parts))
    }

    /// `]0, 1[`: square brackets that turn their backs are open ends.
    fn outward_interval(&mut self) -> Result<Answer, ParseError> {
        self.advance()?;
        let low = self.expression()?;
        if !self.eat(',')? {
            self.expect(';', "a comma between the ends of an interval")?;
        }
        let high = self.expression()?;
        let high_closed = match self.sign() {
            Some('[') => false,
            Some(']') => true,
            _ => return Err(self.error("a square bracket that ends the interval")),
        };
        self.advance()?;
        Ok(Answer::Interval { low, high, low_closed: false, high_closed })
    }

    /// `^T` behind a tuple: a column or a row is the same vector.
    pub(super) fn transposed(&mut self) -> Result<bool, ParseError> {
        if self.sign() != Some('^') {
            return Ok(false);
        }
        let braced = matches!(self.sign_at(self.at + 1), Some('{' | '⟦'));
        let at = self.at + 1 + usize::from(braced);
        if !matches!(self.word_at(at), Some("T" | "t")) {
            return Ok(false);
        }
        self.at = at;
        self.advance()?;
        if braced {
            self.advance()?;
        }
        Ok(true)
    }

    fn set_behind(&self, at: usize) -> bool {
        matches!(self.kind_at(at), Kind::Word(word) if word == "U")
            || (self.sign_at(at) == Some('-') && self.sign_at(at + 1) == Some('⦃'))
            || (self.sign_at(at) == Some('^') && matches!(self.word_at(at + 1), Some("T")))
    }

    /// Whether a bracket stands next to a sign that only sets have.
    fn beside_sets(&self, behind: usize) -> bool {
        let before = self.at.checked_sub(1);
        let joins = |at: usize| {
            matches!(self.kind_at(at), Kind::Sign('∪' | '∖' | '∩')) || matches!(self.kind_at(at), Kind::Word(word) if word == "U")
        };
        joins(behind)
            || (self.sign_at(behind) == Some('-') && self.sign_at(behind + 1) == Some('⦃'))
            || before.is_some_and(|at| joins(at) || self.sign_at(at) == Some('∈') || self.word_at(at) == Some("in"))
    }

    /// Runs `read` inside brackets, where bars outside of them do not count.
    pub(super) fn outside_bars<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        let bars = std::mem::take(&mut self.bars);
        let result = self.deeper(read);
        self.bars = bars;
        result
    }
}

fn is_infinite(end: &Expr) -> bool {
    matches!(end, Expr::Constant(Constant::Infinity))
}

/// The value of a plain number or fraction, roughly.
fn value(end: &Expr) -> Option<f64> {
    Some(match end {
        Expr::Number(number) => number.value.to_f64().value(),
        Expr::Negative(inner) => -value(inner)?,
        Expr::Quotient(numerator, denominator) => value(numerator)? / value(denominator)?,
        _ => return None,
    })
}

/// The only part, or all of them joined.
fn one_or(mut parts: Vec<Answer>, join: impl FnOnce(Vec<Answer>) -> Answer) -> Answer {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => join(parts),
    }
}

fn parts_of(content: Answer) -> Vec<Answer> {
    match content {
        Answer::List(parts) => parts,
        other => vec![other],
    }
}

/// `x = 2, 3` says x = 2 and x = 3.
fn share_subject(items: Vec<Answer>) -> Answer {
    let subject = match items.as_slice() {
        [Answer::Relation { terms, operators }, rest @ ..]
            if operators.as_slice() == [Operator::Equal]
                && matches!(terms[0], Answer::Expr(Expr::Symbol(_)))
                && rest.iter().all(|item| matches!(item, Answer::Expr(_) | Answer::Quantity { .. })) =>
        {
            terms[0].clone()
        }
        _ => return Answer::List(items),
    };
    let related = items.into_iter().enumerate().map(|(at, item)| match at {
        0 => item,
        _ => Answer::Relation { terms: vec![subject.clone(), item], operators: vec![Operator::Equal] },
    });
    Answer::List(related.collect())
}
