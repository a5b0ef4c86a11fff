//! Sudoku of 4x4 and 9x9: every row, column and box has each digit once, and the givens stay.

use std::fmt;

use ruminate_core::{Outcome, SudokuPuzzle, Verdict};

use super::answer::{self, Unread, plain};

/// Steps of the search for solutions, each a cell that is filled.
const MAX_STEPS: u64 = 1_000_000;

/// Rows of digits; 0 is an empty cell.
type Grid = Vec<Vec<u8>>;

/// Grades an answer of rows of digits, with or without spaces, commas, brackets, bars and lines between boxes.
pub(crate) fn grade(puzzle: &SudokuPuzzle, text: &str) -> Verdict {
    if let Err(reason) = check_shape(&puzzle.givens) {
        return Verdict::none(Outcome::BadGold, reason);
    }
    let grid = match answer::read(text, |piece| read_grid(puzzle.givens.len(), piece)) {
        Ok(grid) => grid,
        Err(verdict) => return verdict,
    };
    match changed_given(&puzzle.givens, &grid).or_else(|| broken_rule(&grid)) {
        Some(reason) => Verdict::none(Outcome::Wrong, reason),
        None => Verdict::right("the grid keeps the givens and all rules"),
    }
}

/// Checks that the givens are a grid that can be completed, in one way only if the puzzle promises that.
///
/// # Errors
/// What is wrong, in one line.
pub(crate) fn check(puzzle: &SudokuPuzzle) -> Result<(), String> {
    check_shape(&puzzle.givens)?;
    if let Some(reason) = broken_rule(&puzzle.givens) {
        return Err(format!("the givens break a rule: {reason}"));
    }
    let mut search = Search { grid: puzzle.givens.clone(), n_found: 0, n_wanted: if puzzle.unique { 2 } else { 1 }, steps_left: MAX_STEPS };
    search.run();
    match search.n_found {
        0 if search.steps_left == 0 => Err(format!("no grid found in {MAX_STEPS} steps; leave this puzzle out")),
        0 => Err("no grid keeps the givens and all rules".into()),
        1 if puzzle.unique && search.steps_left == 0 => {
            Err(format!("not known to be unique after {MAX_STEPS} steps; leave this puzzle out"))
        }
        2 => Err("expected one grid that keeps the givens and all rules, found two".into()),
        _ => Ok(()),
    }
}

fn check_shape(givens: &Grid) -> Result<(), String> {
    let size = givens.len();
    if !matches!(size, 4 | 9) || givens.iter().any(|row| row.len() != size) {
        let found: Vec<usize> = givens.iter().map(Vec::len).collect();
        return Err(format!("expected 4 rows of 4 or 9 rows of 9 givens, found rows of {found:?}"));
    }
    match givens.iter().flatten().find(|&&digit| usize::from(digit) > size) {
        Some(digit) => Err(format!("expected givens from 0 to {size}, found {digit}")),
        None => Ok(()),
    }
}

fn changed_given(givens: &Grid, grid: &Grid) -> Option<String> {
    let cells = givens.iter().zip(grid).enumerate().flat_map(|(row_idx, (givens, found))| {
        givens.iter().zip(found).enumerate().map(move |(column_idx, (given, found))| (row_idx + 1, column_idx + 1, *given, *found))
    });
    let (row, column, given, found) = cells.into_iter().find(|(.., given, found)| *given != 0 && given != found)?;
    Some(format!("row {row} column {column} is given as {given}, found {found}"))
}

/// A group of cells that must differ.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Row(usize),
    Column(usize),
    Box(usize),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(idx) => write!(f, "row {}", idx + 1),
            Self::Column(idx) => write!(f, "column {}", idx + 1),
            Self::Box(idx) => write!(f, "box {}", idx + 1),
        }
    }
}

/// The first digit that stands where it must not. Empty cells break no rule.
fn broken_rule(grid: &Grid) -> Option<String> {
    let size = grid.len();
    if let Some(digit) = grid.iter().flatten().find(|&&digit| usize::from(digit) > size) {
        return Some(format!("expected digits from 1 to {size}, found {digit}"));
    }
    let side = side(size);
    for unit in [Unit::Row as fn(usize) -> Unit, Unit::Column, Unit::Box].into_iter().flat_map(|unit| (0..size).map(unit)) {
        let mut seen = 0_u16;
        for cell_idx in 0..size {
            let digit = match unit {
                Unit::Row(row) => grid[row][cell_idx],
                Unit::Column(column) => grid[cell_idx][column],
                Unit::Box(box_idx) => grid[box_idx / side * side + cell_idx / side][box_idx % side * side + cell_idx % side],
            };
            if digit != 0 && seen >> digit & 1 == 1 {
                return Some(format!("{unit} has {digit} twice"));
            }
            seen |= 1 << digit;
        }
    }
    None
}

/// Side of a box.
fn side(size: usize) -> usize {
    size.isqrt()
}

/// The grid in a piece of text: as many rows of so many digits as the puzzle has, or all digits in one row.
fn read_grid(size: usize, piece: &str) -> Result<Grid, Unread> {
    let text = plain(piece);
    let mut rows: Grid = Vec::new();
    let mut open = None;
    for line in text.lines() {
        let Some(cells) = digits_of(line) else { continue };
        if cells.len() == size * size && rows.is_empty() {
            rows = cells.chunks(size).map(<[u8]>::to_vec).collect();
        } else if cells.len() == size {
            rows.push(cells);
        } else if cells.len() > 1 {
            return Err(Unread::Nothing(format!("expected rows of {size} digits, found one of {}", cells.len())));
        }
        open = rows.iter().position(|row| row.contains(&0)).or(open);
    }
    if rows.is_empty() {
        return Err(Unread::Nothing(format!("holds no row of {size} digits")));
    }
    if rows.len() > size {
        return Err(Unread::Nothing(format!("expected {size} rows, found {}", rows.len())));
    }
    if rows.len() < size {
        return Err(Unread::Partial(format!("expected {size} rows, found {}", rows.len())));
    }
    match open {
        Some(row_idx) => Err(Unread::Partial(format!("row {} has an empty cell", row_idx + 1))),
        None => Ok(rows),
    }
}

/// The digits of a line that holds nothing else but marks between cells, perhaps behind a label such as `Row 1:`; `None` for words.
fn digits_of(line: &str) -> Option<Vec<u8>> {
    let cells = match line.rsplit_once([':', '：']) {
        Some((label, cells)) if label.len() <= 20 => cells,
        _ => line,
    };
    let mut digits = Vec::new();
    for c in cells.chars() {
        match c {
            '0'..='9' => digits.push(c as u8 - b'0'),
            '.' | '?' | '_' | 'x' | 'X' => digits.push(0),
            '|' | '[' | ']' | '(' | ')' | ',' | '+' | '-' | '─' | '│' | '┼' | '═' | '║' | '"' | '\'' | ';' | '，' => {}
            c if c.is_whitespace() => {}
            _ => return None,
        }
    }
    // A dot may end the last row.
    if digits.last() == Some(&0) && cells.trim_end().ends_with('.') && digits.len() > 1 && !digits[..digits.len() - 1].contains(&0) {
        digits.pop();
    }
    Some(digits)
}

/// Fills the empty cell with the fewest candidates first.
struct Search {
    grid: Grid,
    n_found: usize,
    n_wanted: usize,
    steps_left: u64,
}

impl Search {
    /// Counts solutions until enough are found or the steps are used up. Its depth is the number of empty cells, at most 81.
    fn run(&mut self) {
        let size = self.grid.len();
        let cells = (0..size * size).map(|idx| (idx / size, idx % size)).filter(|&(row, column)| self.grid[row][column] == 0);
        let Some((row, column, candidates)) =
            cells.map(|(row, column)| (row, column, self.candidates(row, column))).min_by_key(|(.., candidates)| candidates.count_ones())
        else {
            self.n_found += 1;
            return;
        };
        for digit in (1..=size as u8).filter(|digit| candidates >> digit & 1 == 1) {
            if self.steps_left == 0 || self.n_found >= self.n_wanted {
                break;
            }
            self.steps_left -= 1;
            self.grid[row][column] = digit;
            self.run();
        }
        self.grid[row][column] = 0;
    }

    /// Digits that no row, column or box of this cell has, as bits.
    fn candidates(&self, row: usize, column: usize) -> u16 {
        let size = self.grid.len();
        let side = side(size);
        let mut used = 0_u16;
        for idx in 0..size {
            let in_box = self.grid[row / side * side + idx / side][column / side * side + idx % side];
            used |= 1 << self.grid[row][idx] | 1 << self.grid[idx][column] | 1 << in_box;
        }
        !used & ((1_u16 << (size + 1)) - 2)
    }
}

#[cfg(test)]
mod tests;
