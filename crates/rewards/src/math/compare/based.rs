//! Kinds that are compared as they are written: numerals with a base, choices, days and times.

use dashu_int::IBig;
use dashu_ratio::RBig;

use super::{Matcher, is_name};
use crate::math::Method;
use crate::math::answer::{Answer, Expr};
use crate::math::number::Decided;
use crate::math::work::Exhausted;

fn decided(equal: bool, method: Method) -> Decided {
    if equal { Decided::Equal(method) } else { Decided::Different(method) }
}

impl Matcher {
    /// Numerals with a base. Two of them are equal if their values are. Against a prediction without a base the digits must be the
    /// same: `1011_2` is `1011`, whoever leaves the base out means the one that was asked for, and is neither `11` nor `1011_3`. A
    /// gold number without a base is a decimal number, which a prediction with a base must have as its value.
    pub(super) fn based(&mut self, gold: &Answer, found: &Answer) -> Decided {
        if let (true, Answer::Expr(expr), Answer::Based { value, negative, .. }) = (self.tolerant, gold, found)
            && let Some(expected) = plain_number(expr)
        {
            let value = RBig::from(value.clone());
            let equal = expected == if *negative { -value } else { value };
            if !equal {
                self.note = Some("a number without a base is decimal");
            }
            return decided(equal, Method::Exact);
        }
        let (Answer::Based { value, base, negative }, other) = (match gold {
            Answer::Based { .. } => (gold, found),
            _ => (found, gold),
        }) else {
            return Decided::Different(Method::Exact);
        };
        if let Answer::Based { value: second, negative: second_negative, .. } = other {
            return decided(value == second && (negative == second_negative || value.is_zero()), Method::Exact);
        }
        // Hostile numerals are not written out.
        if dashu_base::BitTest::bit_len(value) > 4_096 || !(2..=36).contains(base) {
            self.note = Some("a numeral too long to be written out");
            return Decided::Different(Method::Exact);
        }
        let digits = value.in_radix(*base as u8).to_string();
        let equal = match other {
            Answer::Expr(expr) => {
                let (inside, minus) = match expr {
                    Expr::Negative(inside) => (inside.as_ref(), true),
                    other => (other, false),
                };
                match inside {
                    Expr::Number(number) if number.decimals.is_none() && number.value.is_int() => {
                        let written = number.value.numerator();
                        let signed = if minus { -written.clone() } else { written.clone() };
                        let sign = if *negative { "-" } else { "" };
                        signed == IBig::ZERO && digits == "0" || decimal_text(&signed).is_some_and(|text| text == format!("{sign}{digits}"))
                    }
                    inside => minus == *negative && is_name(inside, &digits),
                }
            }
            Answer::Words(words) => !negative && *words == digits,
            Answer::Choice(letter) => !negative && digits.chars().eq(letter.to_lowercase()),
            _ => false,
        };
        if !equal {
            self.note = Some("a numeral of another base, or other digits");
        }
        decided(equal, Method::Text)
    }

    /// A choice with its text: two of them agree in the letter and in the text, one of them and a plain answer in the letter or in the
    /// text. A text that could be a choice too says nothing: `(A) B` as a prediction names two choices.
    pub(super) fn labelled(&mut self, gold: &Answer, found: &Answer) -> Result<Decided, Exhausted> {
        let names_more = |answer: &Answer| matches!(answer, Answer::Labelled { answer, .. } if is_choices(answer));
        if names_more(found) || !self.tolerant && names_more(gold) {
            self.note = Some("a choice whose text names choices");
            return Ok(Decided::Different(Method::Text));
        }
        match (gold, found) {
            (Answer::Labelled { label, answer }, Answer::Labelled { label: other, answer: said }) => {
                if label != other {
                    return Ok(Decided::Different(Method::Text));
                }
                self.answers(answer, said)
            }
            (Answer::Labelled { label, answer }, plain) => {
                let by_letter = self.answers(&Answer::Choice(*label), plain)?;
                if by_letter.is_equal() || is_choices(answer) {
                    return Ok(by_letter);
                }
                self.answers(answer, plain)
            }
            (plain, Answer::Labelled { label, answer }) => {
                let by_letter = self.answers(plain, &Answer::Choice(*label))?;
                if by_letter.is_equal() || matches!(plain, Answer::Choice(_)) {
                    return Ok(by_letter);
                }
                self.answers(plain, answer)
            }
            _ => Ok(self.other_kind()),
        }
    }

    /// A choice equals its letter, in either case.
    pub(super) fn choice(&mut self, gold: &Answer, found: &Answer) -> Decided {
        let (Answer::Choice(letter), other) = (match gold {
            Answer::Choice(_) => (gold, found),
            _ => (found, gold),
        }) else {
            return Decided::Different(Method::Text);
        };
        let equal = match other {
            Answer::Choice(second) => letter == second,
            Answer::Expr(expr) => is_name(expr, &letter.to_string()),
            Answer::Words(words) => words.chars().eq(letter.to_lowercase()),
            Answer::List(parts) | Answer::Set(parts) | Answer::Tuple(parts) => match parts.as_slice() {
                [only] => {
                    return if matches!(only, Answer::Choice(second) if second == letter) {
                        Decided::Equal(Method::Text)
                    } else {
                        Decided::Different(Method::Text)
                    };
                }
                _ => false,
            },
            _ => false,
        };
        if !equal && !matches!(other, Answer::Choice(_)) {
            self.note = Some("one is a choice");
        }
        decided(equal, Method::Text)
    }

    /// Days and times of day. What the gold answer leaves out (a year, am or pm) may be said by the other.
    pub(super) fn calendar(&mut self, gold: &Answer, found: &Answer) -> Decided {
        let agrees = |expected: bool, same: bool| same || (!expected && self.tolerant);
        let equal = match (gold, found) {
            (Answer::Date { year, month, day }, Answer::Date { year: other_year, month: other_month, day: other_day }) => {
                agrees(year.is_some(), year == other_year) && month == other_month && agrees(day.is_some(), day == other_day)
            }
            (
                Answer::Time { hour, minute, second, half },
                Answer::Time { hour: other_hour, minute: other_minute, second: other_second, half: other_half },
            ) => {
                // 3:45 without am or pm may mean either; 15:45 cannot.
                let open = |hour: u32, half: bool| !half && hour <= 12;
                let one_is_open = *half != *other_half && (open(*hour, *half) || open(*other_hour, *other_half));
                let same_hour = hour == other_hour || one_is_open && hour % 12 == other_hour % 12;
                same_hour && minute == other_minute && second == other_second
            }
            _ => false,
        };
        decided(equal, Method::Exact)
    }
}

/// Whether an answer reads as a choice, or as several of them side by side.
fn is_choices(answer: &Answer) -> bool {
    let capital = |expr: &Expr| matches!(expr, Expr::Symbol(name) if name.len() == 1 && name.starts_with(|c: char| c.is_ascii_uppercase()));
    match answer {
        Answer::Choice(_) | Answer::Labelled { .. } => true,
        Answer::Expr(Expr::Product(factors)) => factors.iter().all(capital),
        Answer::Expr(expr) => capital(expr),
        Answer::List(parts) | Answer::Set(parts) | Answer::Tuple(parts) => !parts.is_empty() && parts.iter().all(is_choices),
        _ => false,
    }
}

/// The value of a number with or without a minus sign.
fn plain_number(expr: &Expr) -> Option<RBig> {
    match expr {
        Expr::Number(number) => Some(number.value.clone()),
        Expr::Negative(inside) => plain_number(inside).map(|value| -value),
        _ => None,
    }
}

/// An integer in decimal digits, if it is short.
fn decimal_text(value: &IBig) -> Option<String> {
    (dashu_base::BitTest::bit_len(value) <= 16_384).then(|| RBig::from(value.clone()).to_string())
}
