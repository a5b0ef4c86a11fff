use proptest::prelude::*;

use super::*;

fn clauses(clauses: &[&[i32]]) -> SatPuzzle {
    SatPuzzle { clauses: clauses.iter().map(|clause| clause.to_vec()).collect(), ..SatPuzzle::default() }
}

fn formula(text: &str) -> SatPuzzle {
    SatPuzzle { formula: Some(text.into()), ..SatPuzzle::default() }
}

fn check_grade(puzzle: &SatPuzzle, answer: &str, expected: Outcome, reason: &str) {
    let verdict = grade(puzzle, &format!("<answer>{answer}</answer>"));
    assert_eq!((verdict.outcome, verdict.reason.as_str()), (expected, reason), "{answer}");
}

#[test]
fn written_forms() {
    // x1 and not x2, or x3 decides.
    let puzzle = clauses(&[&[1, 3], &[-2], &[3, 2]]);
    for answer in [
        "x1=true, x2=false, x3=true",
        "x1 = 1, x2 = 0, x3 = 1",
        "x1: T; x2: F; x3: T",
        "x1 is true, x2 is false, and x3 is true",
        "x1 and x3 are true, x2 is false",
        "x1 and x3 are true, x2 is not true",
        "True: x1, x3; False: x2",
        "{\"x1\": true, \"x2\": false, \"x3\": true}",
        "$x_1 = \\text{True}, x_{2} = \\text{False}, x_3 = \\text{True}$",
        "1 0 1",
        "101",
        "[1, 0, 1]",
        "[true, false, true]",
        "T F T",
        "x1, not x2, x3",
        "x1 ∧ ¬x2 ∧ x3",
        "{x1, ~x2, x3}",
        "1 -2 3 0",
        "s SATISFIABLE\nv 1 -2 3 0",
        "| x1 | true |\n| x2 | false |\n| x3 | true |",
        "X1=TRUE, X2=FALSE, X3=TRUE",
        "x1→真，x2→假，x3→真",
    ] {
        check_grade(&puzzle, answer, Outcome::Right, "all 3 clauses are true");
    }
    for (answer, outcome, reason) in [
        ("x1=true, x2=true, x3=true", Outcome::Wrong, "clause (not x2) is false"),
        ("x1=true, x2=false, x3=false", Outcome::Wrong, "clause (x3 or x2) is false"),
        ("0 0 0", Outcome::Wrong, "clause (x1 or x3) is false"),
        ("x1=true, x1=false, x2=false, x3=true", Outcome::Wrong, "x1 has both values"),
        ("1 -1 2 0", Outcome::Wrong, "variable 1 has both values"),
        ("x1, not x1, x2, x3", Outcome::Wrong, "x1 has both values"),
        ("x1=true, x2=false", Outcome::Wrong, "x3 has no value, and it matters"),
        ("unsatisfiable", Outcome::Wrong, "an assignment exists: x1=true, x2=false, x3=true"),
        ("x1=true, x2=false, x3=true or unsatisfiable", Outcome::Wrong, "an assignment exists: x1=true, x2=false, x3=true"),
        ("x1=1, x2=0, x3=1, but it is unsatisfiable", Outcome::Wrong, "gives an assignment and says that there is none"),
        ("x1=true or x1=false", Outcome::Unparsed, "'x1=true or x1=false': 'or' leaves it open"),
        ("1 0 1 1 0", Outcome::Unparsed, "'1 0 1 1 0': gives nobody a value"),
        ("satisfiable", Outcome::Unparsed, "'satisfiable': gives nobody a value"),
    ] {
        check_grade(&puzzle, answer, outcome, reason);
    }
    // Variables that do not matter may be left out.
    check_grade(&puzzle, "x2=false, x3=true", Outcome::Right, "all 3 clauses are true");
}

#[test]
fn unsatisfiable_is_right_only_where_it_is() {
    let none = clauses(&[&[1, 2], &[1, -2], &[-1, 2], &[-1, -2]]);
    for answer in [
        "unsatisfiable",
        "UNSAT",
        "The formula is not satisfiable.",
        "No satisfying assignment exists",
        "不可满足",
        "UNSAT, since x1=true fails",
    ] {
        check_grade(&none, answer, Outcome::Right, "no assignment exists");
    }
    check_grade(&none, "x1=true, x2=true", Outcome::Wrong, "clause (not x1 or not x2) is false");
    let known = SatPuzzle { satisfiable: Some(true), ..formula("p -> q") };
    check_grade(&known, "unsatisfiable", Outcome::Wrong, "an assignment exists");
}

#[test]
fn formulas_and_names() {
    let puzzle = formula("(rain -> wet) and rain and (wet xor dry)");
    check_grade(&puzzle, "rain=true, wet=true, dry=false", Outcome::Right, "all 3 clauses are true");
    check_grade(&puzzle, "rain=true, wet=false, dry=true", Outcome::Wrong, "clause (not rain or wet) is false");
    check_grade(&puzzle, "rain=true, wet=true, dry=true", Outcome::Wrong, "part 1 of the formula that is no clause is false");
    check_grade(&formula("a <-> b"), "a, not b", Outcome::Wrong, "the formula is false");
    let named = SatPuzzle { names: vec!["tea".into(), "milk".into()], ..clauses(&[&[1, -2]]) };
    check_grade(&named, "tea: false, milk: true", Outcome::Wrong, "clause (tea or not milk) is false");
}

#[test]
fn gold_is_checked() {
    let solvable = clauses(&[&[1, 2], &[-1]]);
    let wrong = |puzzle: &SatPuzzle, reason: &str| assert_eq!(check(puzzle), Err(reason.to_owned()), "{puzzle:?}");
    assert_eq!(check(&solvable), Ok(()));
    assert_eq!(check(&SatPuzzle { satisfiable: Some(true), ..solvable.clone() }), Ok(()));
    wrong(
        &SatPuzzle { satisfiable: Some(false), ..solvable.clone() },
        "expected an unsatisfiable puzzle, found the assignment x1=false, x2=true",
    );
    let none = formula("a and not a");
    assert_eq!(check(&none), Ok(()));
    wrong(&SatPuzzle { satisfiable: Some(true), ..none.clone() }, "expected a satisfiable puzzle, no assignment exists");
    wrong(&SatPuzzle::default(), "expected either clauses or a formula, found neither");
    wrong(&SatPuzzle { clauses: vec![vec![1]], ..none }, "expected either clauses or a formula, found both");
    wrong(&clauses(&[&[1, 0]]), "a clause holds 0, which is no variable");
    wrong(&clauses(&[&[i32::MIN]]), "expected at most 1000 variables, found number 2147483648");
    wrong(&formula("a and"), "formula 'a and': it ends too early");
    wrong(&SatPuzzle { names: vec!["a".into()], ..formula("a or b") }, "variable 'b' is not among the names");
    wrong(&SatPuzzle { names: vec!["a".into(), "a".into()], ..clauses(&[&[1]]) }, "names of variables must be different and not empty");
    wrong(&formula("a or A"), "two names of variables differ in case only");
}

/// Pigeons and holes: no assignment, and a search without learning needs exponentially many steps to see it.
fn pigeons(n_holes: i32) -> SatPuzzle {
    let hole = |pigeon: i32, hole: i32| pigeon * n_holes + hole + 1;
    let mut clauses: Vec<Vec<i32>> = (0..=n_holes).map(|pigeon| (0..n_holes).map(|idx| hole(pigeon, idx)).collect()).collect();
    for idx in 0..n_holes {
        for pigeon in 0..=n_holes {
            clauses.extend((0..pigeon).map(|other| vec![-hole(pigeon, idx), -hole(other, idx)]));
        }
    }
    SatPuzzle { clauses, ..SatPuzzle::default() }
}

#[test]
fn the_search_is_bounded_and_says_so() {
    check_grade(&pigeons(5), "unsatisfiable", Outcome::Right, "no assignment exists");
    let hard = pigeons(11);
    check_grade(&hard, "unsatisfiable", Outcome::TimedOut, "no assignment found in 10000000 steps");
    assert_eq!(check(&hard), Err("whether an assignment exists is not known after 10000000 steps; leave this puzzle out".into()));
}

fn random_clauses() -> impl Strategy<Value = (usize, Vec<Vec<i32>>)> {
    (1_usize..7).prop_flat_map(|n| {
        let literal = (1..=n as i32, any::<bool>()).prop_map(|(variable, positive)| if positive { variable } else { -variable });
        (Just(n), prop::collection::vec(prop::collection::vec(literal, 1..4), 1..20))
    })
}

proptest! {
    #[test]
    fn search_and_grader_agree_with_trying_everything((n, clauses) in random_clauses()) {
        let names = (0..n).map(|idx| format!("v{idx}")).collect();
        let puzzle = SatPuzzle { clauses: clauses.clone(), names, ..SatPuzzle::default() };
        let as_text: Vec<String> = clauses.iter().map(|clause| {
            let literals: Vec<String> = clause.iter().map(|l| format!("{}v{}", if *l < 0 { "not " } else { "" }, l.abs() - 1)).collect();
            format!("({})", literals.join(" or "))
        }).collect();
        // Written with an implication, so that the parts are searched too.
        let as_formula = SatPuzzle { formula: Some(format!("true -> {}", as_text.join(" and "))), names: puzzle.names.clone(), ..SatPuzzle::default() };
        let mut any = false;
        for row in 0..1_u32 << n {
            let bits: Vec<bool> = (0..n).map(|idx| row >> idx & 1 == 1).collect();
            let holds = clauses.iter().all(|clause| clause.iter().any(|l| bits[l.unsigned_abs() as usize - 1] == (*l > 0)));
            any |= holds;
            let written: Vec<String> = bits.iter().enumerate().map(|(idx, bit)| format!("v{idx}={bit}")).collect();
            let expected = if holds { Outcome::Right } else { Outcome::Wrong };
            for puzzle in [&puzzle, &as_formula] {
                prop_assert_eq!(grade(puzzle, &written.join(", ")).outcome, expected);
            }
        }
        let expected = if any { Outcome::Wrong } else { Outcome::Right };
        for puzzle in [puzzle, as_formula] {
            prop_assert_eq!(grade(&puzzle, "unsatisfiable").outcome, expected);
            prop_assert_eq!(check(&SatPuzzle { satisfiable: Some(any), ..puzzle.clone() }), Ok(()));
            let refused = check(&SatPuzzle { satisfiable: Some(!any), ..puzzle }).is_err();
            prop_assert!(refused);
        }
    }
}
