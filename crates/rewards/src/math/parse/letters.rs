//! Items made of letters: choices and words.

use super::lex::Kind;
use super::{Fork, ParseError, Parser, units, words};
use crate::math::answer::{Answer, Constant, Expr};

impl Parser<'_, '_> {
    /// A choice or words, if the item is one.
    pub(super) fn letters(&mut self) -> Result<Option<Answer>, ParseError> {
        if let Some(choice) = self.choice()? {
            return Ok(Some(choice));
        }
        let Some((text, end)) = self.words_ahead() else { return Ok(None) };
        // `two hours` is a quantity, `two lines` are words.
        let counts = self.word_at(self.at).and_then(words::number).is_some();
        if counts && (self.at..end).filter_map(|at| self.word_at(at)).any(|word| units::is_known(word) || words::scale(word).is_some()) {
            return Ok(None);
        }
        let related = |at: usize| matches!(self.sign_at(at), Some('=' | '<' | '>' | '≤' | '≥' | '≠' | '∈' | '≈' | '≡'));
        // `AB = 9` is about a length; `answer = 9` stays words.
        if text.bytes().all(|b| b.is_ascii_uppercase()) && text.len() < 4 && (related(end) || self.at.checked_sub(1).is_some_and(related)) {
            return Ok(None);
        }
        self.work.pay(text.len() as u64)?;
        self.at = end;
        let lower = text.to_lowercase();
        if matches!(lower.as_str(), "all real numbers" | "all reals" | "real numbers" | "all real number" | "the real numbers") {
            let infinity = Expr::Constant(Constant::Infinity);
            return Ok(Some(Answer::Interval {
                low: Expr::negative(infinity.clone()),
                high: infinity,
                low_closed: false,
                high_closed: false,
            }));
        }
        if lower == "empty set" || lower == "the empty set" {
            return Ok(Some(Answer::Set(Vec::new())));
        }
        Ok(Some(Answer::Words(lower)))
    }

    /// `B`, `(B)`, `\text{(C)}`.
    fn choice(&mut self) -> Result<Option<Answer>, ParseError> {
        let bracket = usize::from(matches!(self.sign(), Some('(' | '[')));
        let at = self.at + bracket;
        let letter = match self.kind_at(at) {
            Kind::Word(word) if word.len() == 1 => word.chars().next(),
            _ => None,
        };
        let Some(letter) = letter.filter(char::is_ascii_uppercase) else { return Ok(None) };
        let end = at + 1 + bracket;
        if (bracket == 1 && !matches!(self.sign_at(at + 1), Some(')' | ']'))) || !self.is_boundary(end) {
            return Ok(None);
        }
        // A relation is about variables: `A = 5`.
        let related = |at: usize| matches!(self.sign_at(at), Some('=' | '<' | '>' | '≤' | '≥' | '≠' | ':' | '∈' | '≈' | '≡'));
        if related(end) || self.at.checked_sub(1).is_some_and(related) {
            return Ok(None);
        }
        let likely = bracket == 1 || ('A'..='H').contains(&letter);
        if self.fork(Fork::Letters) == likely {
            return Ok(None);
        }
        self.at = end;
        Ok(Some(Answer::Choice(letter)))
    }

    /// Words up to the end of the item, if the item is nothing but words, and the place behind them.
    fn words_ahead(&self) -> Option<(String, usize)> {
        let mut at = self.at;
        let mut text = String::new();
        let mut prose = false;
        loop {
            match self.kind_at(at) {
                Kind::Word(word) if !words::is_joint(word) => {
                    if !text.is_empty() && self.spaced(at) {
                        text.push(' ');
                    }
                    let capitals = word.len() > 1 && word.bytes().all(|b| b.is_ascii_uppercase()) && words::function(word).is_none();
                    // A function or a letter among words is mathematics, but a word of several letters in text is not.
                    prose |= words::is_prose(word)
                        || capitals
                        || (self.upright(at)
                            && word.len() > 1
                            && words::is_mathematics(word)
                            && !words::is_name(word)
                            && words::function(word).is_none()
                            && words::number(word).is_none());
                    text.push_str(word);
                }
                Kind::Sign('-') if !text.is_empty() && !self.spaced(at) && matches!(self.kind_at(at + 1), Kind::Word(_)) => text.push('-'),
                Kind::Sign('\'') if !text.is_empty() && !self.spaced(at) && matches!(self.kind_at(at + 1), Kind::Word(_)) => {
                    text.push('\'');
                }
                Kind::Han(run) if text.is_empty() => {
                    return self.is_boundary(at + 1).then(|| ((*run).to_owned(), at + 1));
                }
                _ => break,
            }
            at += 1;
            if text.len() > 400 {
                return None;
            }
        }
        (prose && self.is_boundary(at)).then_some((text, at))
    }
}
