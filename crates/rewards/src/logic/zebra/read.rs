//! The ways of writing which values a house has.
//!
//! Lines are read one by one. `House 2: red, Alice` and `- red` below a heading place values in a house, `Alice: house 2` and
//! `colour: red, green, blue` do too, and tables say by their heads what rows and columns are. Lines with neither house nor category
//! count as the houses in order if there are as many as houses.

pub(super) mod words;

use super::super::answer::{Unread, plain};
use super::{Grid, json};
use words::{Token, Words};

/// Most values that wait for a decision which category is meant; more than any puzzle has.
const MAX_UNDECIDED: usize = 500;

/// Reads a full assignment: the house of each value, from 0.
pub(super) fn read(grid: &Grid, piece: &str) -> Result<Vec<usize>, Unread> {
    let words = Words::new(grid);
    if let Some(found) = json::parse(piece) {
        let mut placed = Placed::new(grid);
        json::place(&found, &words, &mut placed)?;
        if !placed.is_empty() {
            return placed.finish();
        }
    }
    let mut lines = Lines { words: &words, placed: Placed::new(grid), current: None, columns: None, n_rows: 0, in_order: Vec::new() };
    for line in plain(piece).lines() {
        lines.read(line)?;
    }
    lines.finish()
}

/// Values and their houses as far as they are read.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    grid: &'a Grid,
    house_of: Vec<Option<usize>>,
    /// House and possible values of a word that several categories have.
    undecided: Vec<(usize, Vec<usize>)>,
}

impl<'a> Placed<'a> {
    fn new(grid: &'a Grid) -> Self {
        Self { grid, house_of: vec![None; grid.values.len()], undecided: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.undecided.is_empty() && self.house_of.iter().all(Option::is_none)
    }

    /// Puts one of the values `candidates`, that of `category` if it is known, into a house.
    pub(super) fn place(&mut self, candidates: &[usize], category: Option<usize>, house: usize) -> Result<(), Unread> {
        let meant = |&&value: &&usize| category.is_none_or(|category| self.grid.category(value) == category);
        let fitting: Vec<usize> = match candidates {
            // A category in the line may belong to another word of it.
            [only] => vec![*only],
            several => several.iter().filter(meant).copied().collect(),
        };
        match fitting[..] {
            [value] => self.put(value, house),
            _ if self.undecided.len() == MAX_UNDECIDED => Err(Unread::Nothing("too many words with several meanings".into())),
            _ => {
                self.undecided.push((house, candidates.to_vec()));
                Ok(())
            }
        }
    }

    fn put(&mut self, value: usize, house: usize) -> Result<(), Unread> {
        match self.house_of[value].replace(house) {
            Some(other) if other != house => {
                Err(Unread::Conflict(format!("'{}' is in houses {} and {}", self.grid.values[value], other + 1, house + 1)))
            }
            _ => Ok(()),
        }
    }

    /// The house of every value, each house with one value of each category.
    fn finish(mut self) -> Result<Vec<usize>, Unread> {
        let grid = self.grid;
        for (house, candidates) in std::mem::take(&mut self.undecided) {
            let is_free = |&value: &usize| {
                let category = grid.category(value);
                let mut values = category * grid.houses..(category + 1) * grid.houses;
                self.house_of[value] == Some(house) || !values.any(|other| self.house_of[other] == Some(house))
            };
            let free: Vec<usize> = candidates.iter().copied().filter(is_free).collect();
            match free[..] {
                [value] => self.put(value, house)?,
                _ => return Err(Unread::Nothing(format!("'{}' may be of several categories: name it", grid.values[candidates[0]]))),
            }
        }
        if self.is_empty() {
            return Err(Unread::Nothing("places no value in a house".into()));
        }
        let mut found: Vec<Option<usize>> = vec![None; grid.categories.len() * grid.houses];
        for (value, house) in self.house_of.iter().enumerate() {
            let Some(house) = *house else { continue };
            let category = grid.category(value);
            if let Some(other) = found[category * grid.houses + house].replace(value) {
                let (category, other, value) = (&grid.categories[category], &grid.values[other], &grid.values[value]);
                return Err(Unread::Conflict(format!("house {} has two values of '{category}': {other} and {value}", house + 1)));
            }
        }
        let houses = self.house_of.iter().enumerate().map(|(value, house)| house.ok_or(value));
        houses.collect::<Result<_, _>>().map_err(|value| {
            let (value, category) = (&grid.values[value], &grid.categories[grid.category(value)]);
            Unread::Partial(format!("no house for '{value}' of '{category}'"))
        })
    }
}

/// What a column of a table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    House(usize),
    Category(usize),
    Other,
}

struct Lines<'a> {
    words: &'a Words<'a>,
    placed: Placed<'a>,
    /// The house of the last heading.
    current: Option<usize>,
    /// The head of the table.
    columns: Option<Vec<Column>>,
    /// Rows of the table without a house of their own.
    n_rows: usize,
    /// Lines of values alone.
    in_order: Vec<Vec<Vec<usize>>>,
}

impl Lines<'_> {
    fn read(&mut self, line: &str) -> Result<(), Unread> {
        if line.matches('|').count() >= 2 || (line.contains('|') && self.columns.is_some()) { self.row(line) } else { self.sentence(line) }
    }

    fn row(&mut self, line: &str) -> Result<(), Unread> {
        let cells = line.trim().trim_matches('|').split('|').map(|cell| self.words.tokens(cell, true)).collect::<Result<Vec<_>, _>>()?;
        let column = |cell: &Vec<Token>| match cell[..] {
            [Token::House(house)] | [Token::Category(_), Token::House(house)] => Column::House(house),
            [Token::Category(category)] => Column::Category(category),
            _ => Column::Other,
        };
        let has_values = cells.iter().flatten().any(|token| matches!(token, Token::Value(_)));
        if !has_values {
            let columns: Vec<Column> = cells.iter().map(column).collect();
            // A line below the head holds nothing.
            if columns.iter().filter(|&&column| column != Column::Other).count() >= 2 {
                (self.columns, self.n_rows) = (Some(columns), 0);
            } else if let [Column::House(house)] = columns[..] {
                self.current = Some(house);
            }
            return Ok(());
        }
        let Some(columns) = self.columns.clone() else { return self.sentence(&line.replace('|', " , ")) };
        let row_category = match column(&cells[0]) {
            Column::Category(category) => Some(category),
            _ => None,
        };
        let of_houses = columns.iter().any(|column| matches!(column, Column::House(_)));
        let row_house = cells.iter().flatten().find_map(|token| match token {
            Token::House(house) if !of_houses => Some(*house),
            _ => None,
        });
        let row_house = match row_house {
            None if !of_houses => {
                self.n_rows += 1;
                let house = self.n_rows - 1;
                if house >= self.words.grid.houses {
                    return Err(Unread::Nothing("the table has more rows than there are houses".into()));
                }
                Some(house)
            }
            found => found,
        };
        for (cell, column) in cells.iter().zip(columns) {
            for token in cell {
                let Token::Value(values) = token else { continue };
                let (house, category) = match column {
                    Column::House(house) => (Some(house), row_category),
                    Column::Category(category) => (row_house, Some(category)),
                    Column::Other => (row_house, row_category),
                };
                let Some(house) = house else { return Err(Unread::Nothing("a cell of the table has no house".into())) };
                self.placed.place(values, category, house)?;
            }
        }
        Ok(())
    }

    fn sentence(&mut self, line: &str) -> Result<(), Unread> {
        let tokens = self.words.tokens(line, false)?;
        let values: Vec<&Vec<usize>> = tokens.iter().filter_map(Token::values).collect();
        let n_houses = tokens.iter().filter(|token| matches!(token, Token::House(_))).count();
        match tokens.iter().find(|token| !matches!(token, Token::Category(_))) {
            None => Ok(()),
            Some(Token::House(_)) => {
                // A number before a list of one category is the number of the line.
                if let Some(category) =
                    self.list_of(&tokens, &values).filter(|_| n_houses == 1 && line.trim_start().starts_with(|c: char| c.is_ascii_digit()))
                {
                    return self.place_in_order(&values, category);
                }
                self.heading(&tokens)
            }
            Some(_) if n_houses > 0 => self.houses_behind(&tokens, n_houses),
            Some(_) => {
                if let Some(category) = self.list_of(&tokens, &values) {
                    return self.place_in_order(&values, category);
                }
                match self.current {
                    Some(house) => self.place_all(&tokens, house),
                    None => {
                        self.in_order.push(values.into_iter().cloned().collect());
                        Ok(())
                    }
                }
            }
        }
    }

    /// The category of a line that names it first and then as many values of it as there are houses.
    fn list_of(&self, tokens: &[Token], values: &[&Vec<usize>]) -> Option<usize> {
        let grid = self.words.grid;
        let category = match tokens {
            [Token::Category(category), ..] | [Token::House(_), Token::Category(category), ..] => *category,
            _ => return None,
        };
        let of_category = |values: &&&Vec<usize>| values.iter().any(|&value| grid.category(value) == category);
        (values.len() == grid.houses && grid.houses > 1 && values.iter().filter(of_category).count() == grid.houses).then_some(category)
    }

    fn place_in_order(&mut self, values: &[&Vec<usize>], category: usize) -> Result<(), Unread> {
        values.iter().enumerate().try_for_each(|(house, values)| {
            let of_category: Vec<usize> = values.iter().copied().filter(|&value| self.words.grid.category(value) == category).collect();
            self.placed.place(&of_category, Some(category), house)
        })
    }

    /// `House 1: red, Alice; house 2: …`: each house takes the values behind it, and those of the lines below.
    fn heading(&mut self, tokens: &[Token]) -> Result<(), Unread> {
        let mut category = None;
        for token in tokens {
            match token {
                Token::House(house) => (self.current, category) = (Some(*house), None),
                Token::Category(found) => category = Some(*found),
                Token::Value(values) => {
                    if let Some(house) = self.current {
                        self.placed.place(values, category, house)?;
                    }
                    category = None;
                }
            }
        }
        Ok(())
    }

    /// `Alice: house 1`, `Alice lives in house 1 and Bob in house 2`: values wait for the house behind them.
    fn houses_behind(&mut self, tokens: &[Token], n_houses: usize) -> Result<(), Unread> {
        let mut waiting = Vec::new();
        let mut category = None;
        let mut last = None;
        for token in tokens {
            match token {
                Token::House(house) => {
                    for (values, category) in waiting.drain(..) {
                        self.placed.place(values, category, *house)?;
                    }
                    last = Some(*house);
                }
                Token::Category(found) => category = Some(*found),
                Token::Value(values) => {
                    waiting.push((values, category));
                    category = None;
                }
            }
        }
        // With one house in the line, what stands behind it belongs to it too.
        match last {
            Some(house) if n_houses == 1 => {
                waiting.into_iter().try_for_each(|(values, category)| self.placed.place(values, category, house))
            }
            _ if waiting.is_empty() => Ok(()),
            _ => Err(Unread::Nothing("a value at the end of a line has no house".into())),
        }
    }

    fn place_all(&mut self, tokens: &[Token], house: usize) -> Result<(), Unread> {
        let mut category = None;
        for token in tokens {
            match token {
                Token::Category(found) => category = Some(*found),
                Token::Value(values) => {
                    self.placed.place(values, category, house)?;
                    category = None;
                }
                Token::House(_) => {}
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<usize>, Unread> {
        if self.placed.is_empty() && self.in_order.len() == self.words.grid.houses {
            for (house, line) in std::mem::take(&mut self.in_order).iter().enumerate() {
                for values in line {
                    self.placed.place(values, None, house)?;
                }
            }
        }
        self.placed.finish()
    }
}
