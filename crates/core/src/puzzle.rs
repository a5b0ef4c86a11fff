//! Logic puzzles as data. What the fields mean is said here; the rules are checked in `rewards`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often a countdown expression must use each number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Uses {
    /// Every number, once.
    #[default]
    ExactlyOnce,
    /// Any of the numbers, none of them twice.
    AtMostOnce,
}

impl Uses {
    /// Whether this is the usual rule, which files leave out.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What one inhabitant of the island of knights and knaves says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Who says it.
    pub speaker: String,
    /// What is said, as a formula over `is_knight(NAME)`, `is_knave(NAME)` and `count(knights) >= N`, such as
    /// `is_knave(Zoe) and not is_knight(Max)`.
    pub says: String,
}

/// Houses in a row, each with one value of every category; clues say which.
///
/// A value is written as its name, or as `category: value` where two categories have a value of that name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZebraPuzzle {
    /// Number of houses, numbered from 1 on the left.
    pub houses: usize,
    /// Values by category, as many as there are houses.
    pub categories: BTreeMap<String, Vec<String>>,
    /// What must hold.
    pub clues: Vec<ZebraClue>,
    /// Whether the data promises that only one assignment fits; checked before training. Grading takes any that fits.
    #[serde(default)]
    pub unique: bool,
}

/// One clue. Values stand for their houses: `Same(a, b)` says that the house of `a` is that of `b`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZebraClue {
    /// In one house.
    Same(String, String),
    /// In different houses.
    NotSame(String, String),
    /// The first somewhere left of the second.
    LeftOf(String, String),
    /// The first somewhere right of the second.
    RightOf(String, String),
    /// The first in the house left of the second's.
    DirectlyLeftOf(String, String),
    /// The first in the house right of the second's.
    DirectlyRightOf(String, String),
    /// In neighbouring houses.
    NextTo(String, String),
    /// Not in neighbouring houses.
    NotNextTo(String, String),
    /// The first somewhere between the other two, whichever of them is left.
    Between(String, String, String),
    /// So many houses apart; neighbours are 1 apart.
    Apart(String, String, usize),
    /// In the house of this number.
    At(String, usize),
    /// Not in the house of this number.
    NotAt(String, usize),
    /// In the first or the last house.
    AtEnd(String),
    /// At least one of these holds.
    AnyOf(Vec<ZebraClue>),
}

/// Boolean satisfiability: clauses over numbered variables, or a formula. Exactly one of the two is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SatPuzzle {
    /// Clauses as in DIMACS: `[1, -2]` is "variable 1 or not variable 2".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clauses: Vec<Vec<i32>>,
    /// A formula over names, with `not`, `and`, `or`, `xor`, `->`, `<->` and their usual signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Names of the variables in order. Without them variable n of the clauses is called `xn`, and those of a formula stand in the order
    /// in which they come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Whether the data says that an assignment exists; checked before training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub satisfiable: Option<bool>,
}

/// Sudoku of 4x4 with boxes of 2x2, or of 9x9 with boxes of 3x3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SudokuPuzzle {
    /// Rows from the top; 0 is an empty cell.
    pub givens: Vec<Vec<u8>>,
    /// Whether the data promises that only one grid fits; checked before training. Grading takes any that fits.
    #[serde(default)]
    pub unique: bool,
}
