use proptest::prelude::*;

use super::*;

fn puzzle(rows: &[&str]) -> SudokuPuzzle {
    let digits = |row: &&str| row.bytes().map(|byte| if byte == b'.' { 0 } else { byte - b'0' }).collect();
    SudokuPuzzle { givens: rows.iter().map(digits).collect(), unique: false }
}

fn check_grade(answer: &str, expected: Outcome, reason: &str) {
    let verdict = grade(&puzzle(&["1..4", "..1.", ".1..", "4..1"]), &format!("<answer>{answer}</answer>"));
    assert_eq!((verdict.outcome, verdict.reason.as_str()), (expected, reason), "{answer}");
}

#[test]
fn written_forms() {
    for answer in [
        "1234\n3412\n2143\n4321",
        "1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1",
        "1,2,3,4\n3,4,1,2\n2,1,4,3\n4,3,2,1.",
        "1 2 | 3 4\n3 4 | 1 2\n----+----\n2 1 | 4 3\n4 3 | 2 1",
        "| 1 | 2 | 3 | 4 |\n|---|---|---|---|\n| 3 | 4 | 1 | 2 |\n| 2 | 1 | 4 | 3 |\n| 4 | 3 | 2 | 1 |",
        "[[1,2,3,4],[3,4,1,2],[2,1,4,3],[4,3,2,1]]",
        "[[1, 2, 3, 4],\n [3, 4, 1, 2],\n [2, 1, 4, 3],\n [4, 3, 2, 1]]",
        "1234341221434321",
        "Here it is:\n```\n1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1\n```",
        "Row 1: 1 2 3 4\nRow 2: 3 4 1 2\nRow 3: 2 1 4 3\nRow 4: 4 3 2 1",
        "第一行：1 2 3 4\n第二行：3 4 1 2\n第三行：2 1 4 3\n第四行：4 3 2 1",
        "\\begin{array}{cccc}\n1 & 2 & 3 & 4 \\\\\n3 & 4 & 1 & 2 \\\\ \\hline\n2 & 1 & 4 & 3 \\\\\n4 & 3 & 2 & 1\n\\end{array}",
        "so \\boxed{1 2 3 4 \\\\ 3 4 1 2 \\\\ 2 1 4 3 \\\\ 4 3 2 1}",
    ] {
        check_grade(answer, Outcome::Right, "the grid keeps the givens and all rules");
    }
}

#[test]
fn the_broken_rule_is_named() {
    for (answer, outcome, reason) in [
        ("1324\n3412\n2143\n4331", Outcome::Wrong, "row 4 has 3 twice"),
        ("1234\n3214\n2143\n4321", Outcome::Wrong, "column 2 has 2 twice"),
        ("1324\n2413\n3142\n4231", Outcome::Right, "the grid keeps the givens and all rules"),
        ("1234\n2413\n3142\n4321", Outcome::Wrong, "box 1 has 2 twice"),
        ("2134\n3412\n1243\n4321", Outcome::Wrong, "row 1 column 1 is given as 1, found 2"),
        ("1534\n3412\n2143\n4321", Outcome::Wrong, "expected digits from 1 to 4, found 5"),
        ("1234\n3412\n2143", Outcome::Wrong, "expected 4 rows, found 3"),
        ("1.34\n3412\n2143\n4321", Outcome::Wrong, "row 1 has an empty cell"),
        ("1234\n3412\n2143\n4321\n1234", Outcome::Unparsed, "'1234 3412 2143 4321 1234': expected 4 rows, found 5"),
        ("12345\n3412\n2143\n4321", Outcome::Unparsed, "'12345 3412 2143 4321': expected rows of 4 digits, found one of 5"),
        ("no idea", Outcome::Unparsed, "'no idea': holds no row of 4 digits"),
    ] {
        check_grade(answer, outcome, reason);
    }
}

#[test]
fn unmarked_grids_behind_the_puzzle_are_found() {
    let text = "The puzzle:\n1..4\n..1.\n.1..\n4..1\n\nThe solution:\n\n1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1";
    assert_eq!(grade(&puzzle(&["1..4", "..1.", ".1..", "4..1"]), text).outcome, Outcome::Right);
}

#[test]
fn gold_is_checked() {
    let check_unique = |rows: &[&str]| check(&SudokuPuzzle { unique: true, ..puzzle(rows) });
    assert_eq!(check(&puzzle(&["1...", "....", "....", "...."])), Ok(()));
    assert_eq!(
        check_unique(&["1...", "....", "....", "...."]),
        Err("expected one grid that keeps the givens and all rules, found two".into())
    );
    assert_eq!(
        check_unique(&["12..", "..12", "2...", "..2."]),
        Err("expected one grid that keeps the givens and all rules, found two".into())
    );
    assert_eq!(check_unique(&[".4..", "2...", "...2", "3..1"]), Ok(()));
    assert_eq!(check(&puzzle(&["11..", "....", "....", "...."])), Err("the givens break a rule: row 1 has 1 twice".into()));
    assert_eq!(check(&puzzle(&["12..", "...3", "....", "...4"])), Err("no grid keeps the givens and all rules".into()));
    assert_eq!(check(&puzzle(&["1234"])), Err("expected 4 rows of 4 or 9 rows of 9 givens, found rows of [4]".into()));
    assert_eq!(check(&puzzle(&["5...", "....", "....", "...."])), Err("expected givens from 0 to 4, found 5".into()));
    let nine = ["53..7....", "6..195...", ".98....6.", "8...6...3", "4..8.3..1", "7...2...6", ".6....28.", "...419..5", "....8..79"];
    assert_eq!(check_unique(&nine), Ok(()));
}

/// A full 4x4 or 9x9 grid from the pattern that shifts each row, with digits renamed and rows and columns of a band swapped.
fn full_grid(side: usize, renamed: &[u8], swaps: &[(usize, usize)]) -> Grid {
    let size = side * side;
    let mut grid: Grid =
        (0..size).map(|row| (0..size).map(|column| renamed[(row * side + row / side + column) % size]).collect()).collect();
    for &(a, b) in swaps {
        let (first, second) = (a % size, a % size / side * side + b % side);
        grid.swap(first, second);
        grid.iter_mut().for_each(|row| row.swap(second, first));
    }
    grid
}

fn grids() -> impl Strategy<Value = Grid> {
    (2_usize..4)
        .prop_flat_map(|side| {
            let size = (side * side) as u8;
            let renamed = Just((1..=size).collect::<Vec<u8>>()).prop_shuffle();
            (Just(side), renamed, prop::collection::vec((0_usize..9, 0_usize..3), 0..6))
        })
        .prop_map(|(side, renamed, swaps)| full_grid(side, &renamed, &swaps))
}

fn write(grid: &Grid) -> String {
    grid.iter().map(|row| row.iter().map(u8::to_string).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
}

proptest! {
    #[test]
    fn full_grids_are_right_and_any_changed_cell_is_wrong(
        grid in grids(), hidden in prop::collection::vec(any::<bool>(), 81), at in 0_usize..81, shift in 1_u8..9,
    ) {
        let size = grid.len();
        let mut givens = grid.clone();
        givens.iter_mut().flatten().zip(hidden).filter(|(_, is_hidden)| *is_hidden).for_each(|(digit, _)| *digit = 0);
        let puzzle = SudokuPuzzle { givens, unique: false };
        prop_assert_eq!(check(&puzzle), Ok(()));
        prop_assert_eq!(grade(&puzzle, &write(&grid)).outcome, Outcome::Right);
        let mut other = grid.clone();
        let digit = &mut other[at % size][at / size % size];
        *digit = (*digit - 1 + shift % size as u8) % size as u8 + 1;
        let expected = if other == grid { Outcome::Right } else { Outcome::Wrong };
        prop_assert_eq!(grade(&puzzle, &write(&other)).outcome, expected);
    }
}
