//! When two answers say the same: kind by kind, from the readings down to the numbers.

mod based;
mod expand;
mod named;
mod quantity;
mod region;
mod relation;

use dashu_int::UBig;
use dashu_ratio::RBig;

use super::Method;
use super::answer::{Answer, Expr};
use super::number::{Decided, Judge, Paths};
use super::work::{Exhausted, Work};

/// Compares answers. The first of two is always the gold one; in symmetric mode it has no privilege.
#[derive(Debug)]
pub(crate) struct Matcher {
    judge: Judge,
    /// A decimal on the gold side may be rounded.
    tolerant: bool,
    /// Why the two differ, if it is the kind and not the value.
    note: Option<&'static str>,
}

/// What comparing all readings gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) decided: Decided,
    pub(crate) note: Option<&'static str>,
}

/// What all readings of two texts together say about single pairs of them.
struct Context {
    /// Square brackets, or half-open ones, stand on the one side, and the other side may be an interval too.
    brackets: bool,
    /// Both are most likely times of day.
    times: bool,
    /// Both are most likely intervals.
    intervals: bool,
}

impl Context {
    fn of(gold: &[Answer], found: &[Answer]) -> Self {
        let closed = |readings: &[Answer]| {
            let is = |answer: &Answer| matches!(answer, Answer::Interval { low_closed, high_closed, .. } if *low_closed || *high_closed);
            readings.iter().any(is)
        };
        let set = |readings: &[Answer]| readings.iter().any(|answer| matches!(answer, Answer::Interval { .. } | Answer::Relation { .. }));
        let time = |readings: &[Answer]| matches!(readings.first(), Some(Answer::Time { .. }));
        let interval = |readings: &[Answer]| matches!(readings.first(), Some(Answer::Interval { .. }));
        Self {
            intervals: interval(gold) && interval(found),
            brackets: closed(gold) && !closed(found) && set(found) || closed(found) && !closed(gold) && set(gold),
            times: time(gold) && time(found),
        }
    }

    /// Whether a pair of readings makes no sense, with the places of the readings in their lists.
    fn excludes(&self, (gold, index): (&Answer, usize), (found, at): (&Answer, usize)) -> bool {
        // A letter that is more likely a variable is no unit that may be left out.
        let unlikely_unit = |answer: &Answer, index: usize, other: &Answer| {
            index > 0 && matches!(answer, Answer::Quantity { .. }) && matches!(other, Answer::Expr(_))
        };
        // [1, 2] against (1, 2) or 1 < x < 2 is a closed interval against an open one, not a list against a pair.
        let tuple = matches!(gold, Answer::Tuple(_)) || matches!(found, Answer::Tuple(_));
        unlikely_unit(gold, index, found)
            || unlikely_unit(found, at, gold)
            || (self.brackets || self.intervals) && tuple
            || self.times && !matches!((gold, found), (Answer::Time { .. }, Answer::Time { .. }))
    }
}

impl Matcher {
    pub(crate) fn new(work: Work, paths: Paths, tolerant: bool, seed: u64) -> Self {
        Self { judge: Judge::new(work, paths, seed), tolerant, note: None }
    }

    /// Equal if any reading of the one equals any reading of the other. The first readings decide about the reason otherwise.
    pub(crate) fn readings(&mut self, gold: &[Answer], found: &[Answer]) -> Result<Match, Exhausted> {
        let mut first: Option<Match> = None;
        let context = Context::of(gold, found);
        for (index, expected) in gold.iter().enumerate() {
            for (at, answer) in found.iter().enumerate() {
                if context.excludes((expected, index), (answer, at)) {
                    continue;
                }
                self.note = None;
                let decided = self.answers(expected, answer)?;
                if decided.is_equal() {
                    return Ok(Match { decided, note: None });
                }
                let this = Match { decided, note: self.note };
                // A reading without an objection of kind says more than one with.
                match first {
                    Some(Match { note: None, .. }) => {}
                    Some(before) if this.note.is_some() && before.note.is_some() => {}
                    _ => first = Some(this),
                }
            }
        }
        Ok(first.unwrap_or(Match { decided: Decided::Open("there is no reading"), note: None }))
    }

    /// One reading of each.
    pub(crate) fn answers(&mut self, gold: &Answer, found: &Answer) -> Result<Decided, Exhausted> {
        self.judge.work.pay(5)?;
        if gold == found && self.judge.paths != Paths::NumericOnly {
            return Ok(Decided::Equal(Method::Exact));
        }
        if let (Answer::Expr(gold), Answer::Expr(found)) = (gold, found)
            && !expand::has_signs(gold)
            && !expand::has_signs(found)
        {
            return self.leaf(gold, found);
        }
        let (gold, found) = (expand::signs_expanded(gold), expand::signs_expanded(found));
        self.statements(&gold, &found)
    }

    /// Two expressions: the same value, or within the rounding of a gold decimal.
    fn leaf(&mut self, gold: &Expr, found: &Expr) -> Result<Decided, Exhausted> {
        if self.tolerant
            && let Some((value, half)) = rounded_value(gold)
        {
            return self.judge.is_within(found, &value, &half);
        }
        let decided = self.judge.same(gold, found)?;
        if self.tolerant && !decided.is_equal() && self.prints(gold, found)? {
            return Ok(Decided::Equal(Method::Exact));
        }
        Ok(decided)
    }

    /// Whether the found number is what a computer prints for a fraction: so many decimals that no other fraction of this size has them.
    fn prints(&mut self, gold: &Expr, found: &Expr) -> Result<bool, Exhausted> {
        /// Different fractions with denominators up to this one are at least `1e-10` apart, a hundred units of the last place.
        const MAX_DENOMINATOR: u32 = 100_000;
        const MIN_DECIMALS: u32 = 12;
        if decimals(found).is_none_or(|places| places < MIN_DECIMALS) {
            return Ok(false);
        }
        let Some((value, half)) = rounded_value(found) else { return Ok(false) };
        let Some(fraction) = self.judge.rational(gold)? else { return Ok(false) };
        let small = *fraction.denominator() <= UBig::from(MAX_DENOMINATOR);
        let rest = if value < RBig::ZERO { value - fraction } else { fraction - value };
        // The last digit of a printed binary number may be cut off instead of rounded.
        Ok(small && -&half <= rest && rest < half * RBig::from(2))
    }

    /// Two answers without names and signs.
    fn pair(&mut self, gold: &Answer, found: &Answer) -> Result<Decided, Exhausted> {
        use Answer as A;
        self.judge.work.pay(5)?;
        if gold == found && self.judge.paths != Paths::NumericOnly {
            return Ok(Decided::Equal(Method::Exact));
        }
        match (gold, found) {
            (A::Expr(a), A::Expr(b)) => self.leaf(a, b),
            (A::Labelled { .. }, _) | (_, A::Labelled { .. }) => self.labelled(gold, found),
            (A::Based { .. }, _) | (_, A::Based { .. }) => Ok(self.based(gold, found)),
            (A::Choice(_), _) | (_, A::Choice(_)) => Ok(self.choice(gold, found)),
            (A::Relation { .. }, _) | (_, A::Relation { .. }) => self.relations(gold, found),
            (A::Quantity { .. }, A::Quantity { .. } | A::Expr(_)) | (A::Expr(_), A::Quantity { .. }) => self.quantities(gold, found),
            (A::Tuple(a), A::Tuple(b) | A::List(b)) | (A::List(a), A::Tuple(b)) => self.ordered(a, b),
            (A::Matrix(a), A::Matrix(b)) => self.matrices(a, b),
            (A::Matrix(a), A::Tuple(b) | A::List(b)) => self.ordered(&rows(a), b),
            (A::Tuple(a) | A::List(a), A::Matrix(b)) => self.ordered(a, &rows(b)),
            (A::List(a), A::List(b)) | (A::Set(a) | A::List(a), A::Set(b)) | (A::Set(a), A::List(b)) => self.unordered(a, b),
            (A::Date { .. }, A::Date { .. }) | (A::Time { .. }, A::Time { .. }) => Ok(self.calendar(gold, found)),
            (A::Words(a), A::Words(b)) if plain_words(a) == plain_words(b) => Ok(Decided::Equal(Method::Text)),
            (A::Words(words), A::Set(parts)) | (A::Set(parts), A::Words(words)) if parts.is_empty() && says_nothing(words) => {
                Ok(Decided::Equal(Method::Text))
            }
            (A::Words(a), A::Expr(b)) | (A::Expr(b), A::Words(a)) if is_name(b, a) => Ok(Decided::Equal(Method::Text)),
            (A::Words(_), A::Words(_)) => Ok(Decided::Different(Method::Text)),
            _ => self.regions(gold, found),
        }
    }

    /// Part by part.
    fn ordered(&mut self, gold: &[Answer], found: &[Answer]) -> Result<Decided, Exhausted> {
        if gold.len() != found.len() {
            self.note = Some("another number of parts");
            return Ok(Decided::Different(Method::Exact));
        }
        let mut worst = Method::Exact;
        let mut open = None;
        for (expected, answer) in gold.iter().zip(found) {
            match self.answers(expected, answer)? {
                Decided::Equal(method) => worst = worst.max(method),
                Decided::Open(reason) => open = Some(reason),
                different => return Ok(different),
            }
        }
        Ok(open.map_or(Decided::Equal(worst), Decided::Open))
    }

    /// Every part of the one is among the parts of the other, and the other way round.
    fn unordered(&mut self, gold: &[Answer], found: &[Answer]) -> Result<Decided, Exhausted> {
        if self.tolerant && gold.iter().any(holds_decimal) {
            return self.one_to_one(gold, found);
        }
        let mut worst = Method::Exact;
        let mut open = None;
        let mut met = vec![false; found.len()];
        for (index, expected) in gold.iter().enumerate() {
            let mut matched = false;
            // Most often the order is the same: look there first.
            for at in std::iter::once(index).filter(|&at| at < found.len()).chain((0..found.len()).filter(|&at| at != index)) {
                if met[at] && matched {
                    continue;
                }
                match self.answers(expected, &found[at])? {
                    Decided::Equal(method) => {
                        (matched, met[at]) = (true, true);
                        worst = worst.max(method);
                        if at == index {
                            break;
                        }
                    }
                    Decided::Open(reason) => open = Some(reason),
                    Decided::Different(_) => {}
                }
            }
            if !matched {
                return Ok(open.map_or(Decided::Different(Method::Exact), Decided::Open));
            }
        }
        for (index, answer) in found.iter().enumerate().filter(|&(index, _)| !met[index]).collect::<Vec<_>>() {
            let mut matched = false;
            for (at, expected) in gold.iter().enumerate() {
                if at != index && self.answers(expected, answer)?.is_equal() {
                    matched = true;
                    break;
                }
            }
            if !matched {
                self.note = Some("another number of parts");
                return Ok(open.map_or(Decided::Different(Method::Exact), Decided::Open));
            }
        }
        Ok(Decided::Equal(worst))
    }

    /// Parts of which some may be rounded: each different one has a partner of its own.
    fn one_to_one(&mut self, gold: &[Answer], found: &[Answer]) -> Result<Decided, Exhausted> {
        let (gold, found) = (self.different_ones(gold)?, self.different_ones(found)?);
        if gold.len() != found.len() {
            self.note = Some("another number of parts");
            return Ok(Decided::Different(Method::Exact));
        }
        let mut worst = Method::Exact;
        let mut fits = vec![Vec::new(); gold.len()];
        for (expected, fitting) in gold.iter().zip(&mut fits) {
            for (at, answer) in found.iter().enumerate() {
                if let Decided::Equal(method) = self.answers(expected, answer)? {
                    worst = worst.max(method);
                    fitting.push(at);
                }
            }
        }
        let mut partner = vec![None; found.len()];
        for index in 0..gold.len() {
            self.judge.work.pay((gold.len() * found.len()) as u64)?;
            if !place(index, &fits, &mut partner, &mut vec![false; found.len()]) {
                return Ok(Decided::Different(Method::Exact));
            }
        }
        Ok(Decided::Equal(worst))
    }

    /// Parts without repetition; decimals are exact here.
    fn different_ones(&mut self, parts: &[Answer]) -> Result<Vec<Answer>, Exhausted> {
        let tolerant = std::mem::replace(&mut self.tolerant, false);
        let mut kept: Vec<Answer> = Vec::with_capacity(parts.len());
        let mut result = Ok(());
        for part in parts {
            let mut known = Ok(false);
            for own in &kept {
                known = self.answers(own, part).map(Decided::is_equal);
                if !matches!(known, Ok(false)) {
                    break;
                }
            }
            match known {
                Ok(false) => kept.push(part.clone()),
                Ok(true) => {}
                Err(Exhausted) => {
                    result = Err(Exhausted);
                    break;
                }
            }
        }
        self.tolerant = tolerant;
        result.map(|()| kept)
    }

    fn matrices(&mut self, gold: &[Vec<Expr>], found: &[Vec<Expr>]) -> Result<Decided, Exhausted> {
        let width = |rows: &[Vec<Expr>]| rows.first().map_or(0, Vec::len);
        let vector = |rows: &[Vec<Expr>]| rows.len() == 1 || width(rows) == 1;
        let same_shape = gold.len() == found.len() && width(gold) == width(found);
        let vectors = vector(gold) && vector(found);
        if !(same_shape || vectors) {
            self.note = Some("a matrix of another shape");
            return Ok(Decided::Different(Method::Exact));
        }
        let cells = |rows: &[Vec<Expr>]| rows.iter().flatten().cloned().map(Answer::Expr).collect::<Vec<_>>();
        self.ordered(&cells(gold), &cells(found))
    }
}

/// Finds a partner for one part, moving others where that helps (Kuhn 1955); as deep as there are parts at most.
fn place(index: usize, fits: &[Vec<usize>], partner: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for &at in &fits[index] {
        if !std::mem::replace(&mut seen[at], true) && partner[at].is_none_or(|other| place(other, fits, partner, seen)) {
            partner[at] = Some(index);
            return true;
        }
    }
    false
}

/// Whether a number in the answer may be rounded.
fn holds_decimal(answer: &Answer) -> bool {
    match answer {
        Answer::Expr(expr) | Answer::Quantity { value: expr, .. } => {
            super::number::any(expr, &|part| matches!(part, Expr::Number(number) if number.decimals.is_some()))
        }
        Answer::Tuple(parts) | Answer::List(parts) | Answer::Set(parts) | Answer::Union(parts) => parts.iter().any(holds_decimal),
        Answer::Relation { terms, .. } => terms.iter().any(holds_decimal),
        _ => false,
    }
}

/// A vector as its parts, a matrix as its rows.
fn rows(matrix: &[Vec<Expr>]) -> Vec<Answer> {
    let vector = matrix.len() == 1 || matrix.iter().all(|row| row.len() == 1);
    if vector {
        return matrix.iter().flatten().cloned().map(Answer::Expr).collect();
    }
    matrix.iter().map(|row| Answer::Tuple(row.iter().cloned().map(Answer::Expr).collect())).collect()
}

/// The value of a decimal and half a unit of its last place; `None` if the number is not written as a decimal.
fn rounded_value(expr: &Expr) -> Option<(RBig, RBig)> {
    /// Longer decimals are exact for all that matters.
    const MAX_DECIMALS: u32 = 1_000;
    match expr {
        Expr::Number(number) => {
            let places = number.decimals.filter(|&places| places <= MAX_DECIMALS)?;
            let half = RBig::from_parts(1.into(), UBig::from(10_u8).pow(places as usize) * 2_u8);
            Some((number.value.clone(), half))
        }
        Expr::Negative(inside) => rounded_value(inside).map(|(value, half)| (-value, half)),
        Expr::Product(parts) => match parts.as_slice() {
            [Expr::Number(_), Expr::Power(ten, exponent)] => {
                let scale = power_of_ten(ten, exponent)?;
                let (value, half) = rounded_value(&parts[0])?;
                Some((value * &scale, half * scale))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The digits that a plain number has behind its point.
fn decimals(expr: &Expr) -> Option<u32> {
    match expr {
        Expr::Number(number) => number.decimals,
        Expr::Negative(inside) => decimals(inside),
        _ => None,
    }
}

/// `10^k` of scientific notation.
fn power_of_ten(base: &Expr, exponent: &Expr) -> Option<RBig> {
    let (Expr::Number(base), sign, Expr::Number(exponent)) = (match exponent {
        Expr::Negative(inside) => (base, -1, inside.as_ref()),
        other => (base, 1, other),
    }) else {
        return None;
    };
    let power = isize::try_from(exponent.value.numerator()).ok().filter(|power| power.abs() <= 1_000 && exponent.value.is_int())?;
    (base.value == RBig::from(10)).then(|| base.value.pow(sign * power))
}

/// Words without articles and endings of courtesy, for comparison.
fn plain_words(words: &str) -> Vec<String> {
    let cleaned = words.to_lowercase().replace(['-', '\u{2019}', '\''], " ");
    cleaned.split_whitespace().filter(|word| !matches!(*word, "a" | "an" | "the")).map(str::to_owned).collect()
}

/// Ways to say that the solution set is empty.
fn says_nothing(words: &str) -> bool {
    let words = plain_words(words).join(" ");
    matches!(words.as_str(), "no solution" | "no solutions" | "no real solution" | "no real solutions" | "empty set" | "none")
}

/// Whether an expression is nothing but this name, letter by letter: words in italics are read as products of symbols.
fn is_name(expr: &Expr, words: &str) -> bool {
    fn spell(expr: &Expr, out: &mut String) -> bool {
        match expr {
            Expr::Symbol(name) => {
                out.push_str(name);
                true
            }
            Expr::Product(parts) => parts.iter().all(|part| spell(part, out)),
            Expr::Constant(super::answer::Constant::E) => {
                out.push('e');
                true
            }
            Expr::Constant(super::answer::Constant::I) => {
                out.push('i');
                true
            }
            _ => false,
        }
    }
    let mut name = String::new();
    // "A" alone is a letter and no article.
    let is = |name: &str| name == words.to_lowercase().replace(' ', "") || name == plain_words(words).concat();
    spell(expr, &mut name) && is(&name.to_lowercase())
}
