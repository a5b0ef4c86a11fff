//! Zebra grids, satisfiability and sudoku from the fields of a line.

use std::collections::{BTreeMap, BTreeSet};

use ruminate_core::{Gold, Language, Problem, SatPuzzle, SudokuPuzzle, ZebraClue, ZebraPuzzle};
use serde_json::Value;

use super::Row;
use crate::TaskError;

/// Where sets keep the grid of a sudoku.
pub(super) const SUDOKU_FIELDS: [&str; 3] = ["puzzle", "quizzes", "givens"];

/// Whether a field holds the grid of a sudoku, as text or as rows.
pub(super) fn is_sudoku(value: &Value) -> bool {
    givens(value).is_some()
}

impl Row<'_> {
    /// A table of values by house. What a cell says becomes a clue, so that only the table's own assignment is right: the clues of the
    /// set stand in words only.
    pub(super) fn zebra(&self) -> Result<ZebraPuzzle, TaskError> {
        const EXPECTED: &str = "a header of categories behind 'House' and rows of as many values, each with its house number first";
        let error = || self.field_error("solution", EXPECTED);
        let list = |name: &str| self.fields.get("solution").and_then(|solution| solution.get(name)).and_then(Value::as_array);
        let texts =
            |cells: &Vec<Value>| cells.iter().map(|cell| cell.as_str().map(|text| text.trim().to_owned())).collect::<Option<Vec<String>>>();
        let header = list("header").and_then(texts).filter(|header| header.len() >= 2).ok_or_else(error)?;
        let rows: Vec<Vec<String>> =
            list("rows").ok_or_else(error)?.iter().map(|row| texts(row.as_array()?)).collect::<Option<_>>().ok_or_else(error)?;
        let mut categories: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut clues = Vec::new();
        let mut seen = BTreeSet::new();
        for row in &rows {
            let number: usize = row.first().and_then(|number| number.parse().ok()).ok_or_else(error)?;
            if row.len() != header.len() || !seen.insert(number) {
                return Err(error());
            }
            for (category, value) in header.iter().zip(row).skip(1) {
                categories.entry(category.clone()).or_default().push(value.clone());
                clues.push(ZebraClue::At(format!("{category}: {value}"), number));
            }
        }
        Ok(ZebraPuzzle { houses: rows.len(), categories, clues, unique: true })
    }

    pub(super) fn sat(&self) -> Result<Problem, TaskError> {
        let clauses = match (self.fields.get("cnf"), self.fields.get("clauses")) {
            (Some(Value::String(text)), _) => dimacs(text).ok_or_else(|| self.field_error("cnf", "the text of a DIMACS file"))?,
            (Some(_), _) => return Err(self.field_error("cnf", "the text of a DIMACS file")),
            (None, Some(clauses)) => {
                let lists = serde_json::from_value::<Vec<Vec<i32>>>(clauses.clone());
                lists.map_err(|_| self.field_error("clauses", "lists of literals such as [[1, -2], [2]]"))?
            }
            (None, None) => Vec::new(),
        };
        let formula = if clauses.is_empty() { Some(self.text("formula")?.to_owned()) } else { None };
        let satisfiable = match self.fields.get("satisfiable") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_bool().ok_or_else(|| self.field_error("satisfiable", "true or false"))?),
        };
        let puzzle = SatPuzzle { clauses, formula, names: Vec::new(), satisfiable };
        let question = match self.first_of(&["prompt", "question"]) {
            field if self.fields.contains_key(field) => self.text(field)?.to_owned(),
            _ => sat_question(&puzzle, self.language),
        };
        self.build(&question, Gold::Sat(puzzle), Some("id"))
    }

    pub(super) fn sudoku(&self) -> Result<Problem, TaskError> {
        let field = self.first_of(&SUDOKU_FIELDS);
        let expected = "16 or 81 digits row by row with 0 or . for empty cells, or a list of rows";
        let givens = self.fields.get(field).and_then(givens).ok_or_else(|| self.field_error(field, expected))?;
        let question = match self.first_of(&["prompt", "question"]) {
            field if self.fields.contains_key(field) => self.text(field)?.to_owned(),
            _ => sudoku_question(&givens, self.language),
        };
        self.build(&question, Gold::Sudoku(SudokuPuzzle { givens, unique: false }), Some("id"))
    }
}

/// The clauses of a DIMACS file: comments begin with c, the head with p, and 0 ends a clause.
fn dimacs(text: &str) -> Option<Vec<Vec<i32>>> {
    let mut clauses = Vec::new();
    let mut clause = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with(['c', 'p']) || line.is_empty() {
            continue;
        }
        // Old benchmark files end in a line of this sign.
        if line == "%" {
            break;
        }
        for word in line.split_whitespace() {
            match word.parse().ok()? {
                0 => clauses.push(std::mem::take(&mut clause)),
                literal => clause.push(literal),
            }
        }
    }
    if !clause.is_empty() {
        clauses.push(clause);
    }
    (!clauses.is_empty()).then_some(clauses)
}

fn givens(value: &Value) -> Option<Vec<Vec<u8>>> {
    let digits: Vec<u8> = match value {
        Value::String(text) => {
            let cells = text.chars().filter(|c| !c.is_whitespace());
            cells.map(|c| if c == '.' { Some(0) } else { c.to_digit(10).map(|digit| digit as u8) }).collect::<Option<_>>()?
        }
        Value::Array(rows) => {
            let rows: Vec<Vec<u8>> = rows.iter().map(|row| serde_json::from_value(row.clone()).ok()).collect::<Option<_>>()?;
            return matches!(rows.len(), 4 | 9).then_some(rows);
        }
        _ => return None,
    };
    let size = match digits.len() {
        16 => 4,
        81 => 9,
        _ => return None,
    };
    Some(digits.chunks(size).map(<[u8]>::to_vec).collect())
}

fn sat_question(puzzle: &SatPuzzle, language: Language) -> String {
    let literal = |literal: &i32| format!("{}x{}", if *literal < 0 { "not " } else { "" }, literal.unsigned_abs());
    let clause = |clause: &Vec<i32>| format!("({})", clause.iter().map(literal).collect::<Vec<_>>().join(" or "));
    let formula = match &puzzle.formula {
        Some(formula) => formula.clone(),
        None => puzzle.clauses.iter().map(clause).collect::<Vec<_>>().join(" and "),
    };
    match language {
        Language::Zh => format!("给每个变量赋值 true 或 false，使下式为真；若不可能，请回答“不可满足”：{formula}"),
        _ => format!("Give each variable the value true or false so that this is true, or say that it is unsatisfiable: {formula}"),
    }
}

fn sudoku_question(givens: &[Vec<u8>], language: Language) -> String {
    let row =
        |row: &Vec<u8>| row.iter().map(|&digit| if digit == 0 { ".".to_owned() } else { digit.to_string() }).collect::<Vec<_>>().join(" ");
    let grid = givens.iter().map(row).collect::<Vec<_>>().join("\n");
    let (size, side) = (givens.len(), givens.len().isqrt());
    match language {
        Language::Zh => format!("填满这个数独，使每行、每列和每个 {side}x{side} 宫中 1 到 {size} 各出现一次：\n{grid}"),
        _ => format!("Fill in the grid so that every row, column and {side}x{side} box has each of 1 to {size} once:\n{grid}"),
    }
}
