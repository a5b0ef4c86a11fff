//! Clues: what they say and whether it holds.

use ruminate_core::ZebraClue;

use super::Grid;

/// Nested `any_of`; a real puzzle has one.
const MAX_DEPTH: usize = 8;

/// A clue over numbered values.
#[derive(Clone, Debug)]
pub(super) struct Clue {
    /// The values that it is about, without repeats.
    pub(super) values: Vec<usize>,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Same(usize, usize),
    NotSame(usize, usize),
    LeftOf(usize, usize),
    DirectlyLeftOf(usize, usize),
    NextTo(usize, usize),
    NotNextTo(usize, usize),
    Between(usize, usize, usize),
    Apart(usize, usize, usize),
    At(usize, usize),
    NotAt(usize, usize),
    /// The house has one of these two numbers.
    AtEnd(usize, usize),
    AnyOf(Vec<Clue>),
}

impl Clue {
    /// Finds the values that a clue names.
    pub(super) fn new(clue: &ZebraClue, grid: &Grid) -> Result<Self, String> {
        Self::nested(clue, grid, 0)
    }

    fn nested(clue: &ZebraClue, grid: &Grid, depth: usize) -> Result<Self, String> {
        let value = |name: &str| grid.value(name);
        let house = |number: usize| {
            let inside = (1..=grid.houses).contains(&number);
            if inside { Ok(number - 1) } else { Err(format!("expected a house from 1 to {}, found {number}", grid.houses)) }
        };
        let (rule, mut values) = match clue {
            ZebraClue::Same(a, b) => pair(Rule::Same, value(a)?, value(b)?),
            ZebraClue::NotSame(a, b) => pair(Rule::NotSame, value(a)?, value(b)?),
            ZebraClue::LeftOf(a, b) => pair(Rule::LeftOf, value(a)?, value(b)?),
            ZebraClue::RightOf(a, b) => pair(Rule::LeftOf, value(b)?, value(a)?),
            ZebraClue::DirectlyLeftOf(a, b) => pair(Rule::DirectlyLeftOf, value(a)?, value(b)?),
            ZebraClue::DirectlyRightOf(a, b) => pair(Rule::DirectlyLeftOf, value(b)?, value(a)?),
            ZebraClue::NextTo(a, b) => pair(Rule::NextTo, value(a)?, value(b)?),
            ZebraClue::NotNextTo(a, b) => pair(Rule::NotNextTo, value(a)?, value(b)?),
            ZebraClue::Between(a, b, c) => {
                let (a, b, c) = (value(a)?, value(b)?, value(c)?);
                (Rule::Between(a, b, c), vec![a, b, c])
            }
            ZebraClue::Apart(a, b, n) => {
                let (a, b) = (value(a)?, value(b)?);
                (Rule::Apart(a, b, *n), vec![a, b])
            }
            ZebraClue::At(a, number) => {
                let a = value(a)?;
                (Rule::At(a, house(*number)?), vec![a])
            }
            ZebraClue::NotAt(a, number) => {
                let a = value(a)?;
                (Rule::NotAt(a, house(*number)?), vec![a])
            }
            ZebraClue::AtEnd(a) => {
                let a = value(a)?;
                (Rule::AtEnd(a, grid.houses - 1), vec![a])
            }
            ZebraClue::AnyOf(clues) if depth < MAX_DEPTH && !clues.is_empty() => {
                let clues = clues.iter().map(|clue| Self::nested(clue, grid, depth + 1)).collect::<Result<Vec<_>, _>>()?;
                let values = clues.iter().flat_map(|clue| clue.values.iter().copied()).collect();
                (Rule::AnyOf(clues), values)
            }
            ZebraClue::AnyOf(_) => return Err(format!("expected any_of with clues in it, nested at most {MAX_DEPTH} deep")),
        };
        values.sort_unstable();
        values.dedup();
        Ok(Self { values, rule })
    }

    /// Whether the clue holds where value number v is in house `house_of[v]`, from 0.
    pub(super) fn holds(&self, house_of: &[usize]) -> bool {
        let at = |value: usize| house_of[value];
        match self.rule {
            Rule::Same(a, b) => at(a) == at(b),
            Rule::NotSame(a, b) => at(a) != at(b),
            Rule::LeftOf(a, b) => at(a) < at(b),
            Rule::DirectlyLeftOf(a, b) => at(a) + 1 == at(b),
            Rule::NextTo(a, b) => at(a).abs_diff(at(b)) == 1,
            Rule::NotNextTo(a, b) => at(a).abs_diff(at(b)) != 1,
            Rule::Between(a, b, c) => at(b).min(at(c)) < at(a) && at(a) < at(b).max(at(c)),
            Rule::Apart(a, b, n) => at(a).abs_diff(at(b)) == n,
            Rule::At(a, house) => at(a) == house,
            Rule::NotAt(a, house) => at(a) != house,
            Rule::AtEnd(a, last) => at(a) == 0 || at(a) == last,
            Rule::AnyOf(ref clues) => clues.iter().any(|clue| clue.holds(house_of)),
        }
    }
}

fn pair(rule: fn(usize, usize) -> Rule, a: usize, b: usize) -> (Rule, Vec<usize>) {
    (rule(a, b), vec![a, b])
}

/// The clue as a sentence, for reasons.
pub(super) fn in_words(clue: &ZebraClue) -> String {
    match clue {
        ZebraClue::Same(a, b) => format!("{a} and {b} are in the same house"),
        ZebraClue::NotSame(a, b) => format!("{a} and {b} are in different houses"),
        ZebraClue::LeftOf(a, b) => format!("{a} is somewhere left of {b}"),
        ZebraClue::RightOf(a, b) => format!("{a} is somewhere right of {b}"),
        ZebraClue::DirectlyLeftOf(a, b) => format!("{a} is directly left of {b}"),
        ZebraClue::DirectlyRightOf(a, b) => format!("{a} is directly right of {b}"),
        ZebraClue::NextTo(a, b) => format!("{a} is next to {b}"),
        ZebraClue::NotNextTo(a, b) => format!("{a} is not next to {b}"),
        ZebraClue::Between(a, b, c) => format!("{a} is between {b} and {c}"),
        ZebraClue::Apart(a, b, n) => format!("{a} and {b} are {n} apart"),
        ZebraClue::At(a, number) => format!("{a} is in house {number}"),
        ZebraClue::NotAt(a, number) => format!("{a} is not in house {number}"),
        ZebraClue::AtEnd(a) => format!("{a} is in the first or last house"),
        ZebraClue::AnyOf(clues) => clues.iter().map(in_words).collect::<Vec<_>>().join(", or "),
    }
}
