use std::collections::BTreeMap;

use proptest::prelude::*;
use ruminate_core::{
    Gold, Language, Outcome, Problem, ProblemId, SatPuzzle, Statement, SudokuPuzzle, Uses, Verdict, ZebraClue, ZebraPuzzle,
};

use super::*;

fn problem(gold: Gold) -> Problem {
    Problem { id: ProblemId("test/1".into()), kind: "test".into(), question: "?".into(), gold, language: Language::En, difficulty: None }
}

fn value(text: &str) -> Problem {
    problem(Gold::Value { text: text.into() })
}

fn all_kinds() -> [Problem; 7] {
    let roles = BTreeMap::from([("A".to_owned(), true), ("B".to_owned(), false)]);
    let statements = vec![Statement { speaker: "A".into(), says: "is_knave(B) or count(knights) > 2".into() }];
    let categories = BTreeMap::from([
        ("name".to_owned(), vec!["A".to_owned(), "B".to_owned()]),
        ("colour".to_owned(), vec!["red".to_owned(), "blue".to_owned()]),
    ]);
    let clues = vec![ZebraClue::LeftOf("A".into(), "B".into())];
    let golds = [
        Gold::Value { text: "72".into() },
        Gold::Countdown { numbers: vec![3, 5, 7], target: 22, uses: Uses::ExactlyOnce },
        Gold::Knights { roles, statements: Vec::new() },
        Gold::Knights { roles: BTreeMap::new(), statements },
        Gold::Zebra(ZebraPuzzle { houses: 2, categories, clues, unique: false }),
        Gold::Sat(SatPuzzle { clauses: vec![vec![1, -2], vec![2]], ..SatPuzzle::default() }),
        Gold::Sudoku(SudokuPuzzle { givens: vec![vec![0; 4]; 4], unique: false }),
    ];
    golds.map(problem)
}

fn check(gold: &str, text: &str, expected: Outcome) -> Verdict {
    let verdict = grade_accuracy(&value(gold), text);
    assert_eq!(verdict.outcome, expected, "gold {gold}, text {text}: {}", verdict.reason);
    verdict
}

#[test]
fn values_in_every_place() {
    check("72", "<think>48+24</think><answer>72</answer>", Outcome::Right);
    check("72", "<answer>\\boxed{72}</answer>", Outcome::Right);
    check("72", "She sold \\boxed{72} clips.", Outcome::Right);
    check("72", "48+24=72\n#### 72", Outcome::Right);
    check("72", "The answer is $72.00.", Outcome::Right);
    check("72", "Natalia sold 72 clips", Outcome::Right);
    check("1/2", "<answer>0.5</answer>", Outcome::Right);
    check("1,200", "<answer>1200 people</answer>", Outcome::Right);
    check("\\frac{3}{4}", "so \\boxed{\\dfrac{6}{8}}", Outcome::Right);
    check("72", "<answer>72 or 73</answer>", Outcome::Wrong);
    check("72", "72 is what I say, or 73", Outcome::Wrong);
    check("72", "<think>it is 72", Outcome::Unparsed);
    check("72", "", Outcome::Unparsed);
    check(" ", "<answer>1</answer>", Outcome::BadGold);
    check("72", &format!("<answer>{}</answer>", "1".repeat(5000)), Outcome::Unparsed);
}

#[test]
fn reasons_say_expected_and_found() {
    assert_eq!(check("72", "<answer>73</answer>", Outcome::Wrong).reason, "expected 72, found 73 in <answer>");
    assert_eq!(check("72", "<answer>72</answer>", Outcome::Right).reason, "found 72 in <answer>");
}

#[test]
fn adversarial_texts_end_quickly() {
    let nested = format!("<answer>{}1{}</answer>", "(".repeat(900), ")".repeat(900));
    let boxes = "\\boxed{".repeat(50_000);
    let dollars = format!("<answer>{}</answer>", "$".repeat(1999));
    let tags = "<answer>".repeat(50_000);
    let minus = format!("<answer>{}3</answer>", "-".repeat(1900));
    let names = format!("<answer>{}</answer>", "A ".repeat(900));
    let json = format!("<answer>{}</answer>", "[{\"House 1\":".repeat(600));
    let bars = format!("<answer>{}</answer>", "| 1 | A ".repeat(900));
    let lines = "1\n\nanswer is\n```\n".repeat(20_000);
    let zeros = "0 ".repeat(3900);
    for problem in all_kinds() {
        for text in [&nested, &boxes, &dollars, &tags, &minus, &names, &json, &bars, &lines, &zeros] {
            assert_ne!(grade_accuracy(&problem, text).outcome, Outcome::Right);
        }
    }
}

fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        Just("<think>".to_owned()),
        Just("</think>".to_owned()),
        Just("<answer>".to_owned()),
        Just("</answer>".to_owned()),
        Just("\\boxed{".to_owned()),
        Just("\\frac{".to_owned()),
        Just("}".to_owned()),
        Just("####".to_owned()),
        Just("答案是".to_owned()),
        Just("answer is".to_owned()),
        Just("A是骑士".to_owned()),
        Just("knave:".to_owned()),
        Just("×".to_owned()),
        Just("House 1: ".to_owned()),
        Just("| colour | name |\n".to_owned()),
        Just("| 1 | red | A |\n".to_owned()),
        Just("{\"House 2\": [\"blue\", \"B\"]}".to_owned()),
        Just("x1=true".to_owned()),
        Just("not x2".to_owned()),
        Just("unsatisfiable".to_owned()),
        Just("1 2 3 4\n".to_owned()),
        Just("第2座房子".to_owned()),
        Just("\n\n".to_owned()),
        Just("```".to_owned()),
        "[-0-9+*/()=,.%$ A-C]{1,6}",
        "\\PC{1,4}",
    ];
    prop::collection::vec(fragment, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn graders_are_total(text in fragments(), gold in "\\PC{0,8}") {
        for problem in all_kinds().into_iter().chain([value(&gold)]) {
            let verdict = grade_accuracy(&problem, &text);
            prop_assert!(!verdict.reason.is_empty());
            prop_assert_eq!(verdict.reward == 1.0, verdict.outcome == Outcome::Right);
        }
    }

    #[test]
    fn the_right_number_is_right_and_its_neighbour_wrong(answer in -99_999_i64..99_999) {
        let text = |n: i64| format!("<think>x</think><answer>{n}</answer>");
        prop_assert_eq!(grade_accuracy(&value(&answer.to_string()), &text(answer)).outcome, Outcome::Right);
        prop_assert_eq!(grade_accuracy(&value(&answer.to_string()), &text(answer + 1)).outcome, Outcome::Wrong);
    }
}

#[test]
fn puzzles_are_written_as_in_the_documentation() {
    for (gold, right) in [
        (r#"{"type":"countdown","numbers":[3,5,7],"target":15,"uses":"at_most_once"}"#, "3*5"),
        (r#"{"type":"knights","statements":[{"speaker":"Zoe","says":"is_knave(Max) and count(knights) = 1"}]}"#, "Zoe: knight, Max: knave"),
        (
            r#"{"type":"zebra","houses":2,"categories":{"name":["Ann","Ben"],"pet":["cat","dog"]},
                "clues":[{"same":["Ann","dog"]},{"any_of":[{"at":["cat",1]},{"at_end":"Ann"}]},{"directly_left_of":["cat","Ann"]}],"unique":true}"#,
            "House 1: Ben, cat\nHouse 2: Ann, dog",
        ),
        (r#"{"type":"sat","clauses":[[1,-2],[2]]}"#, "x1=true, x2=true"),
        (r#"{"type":"sat","formula":"(a -> b) and not b","satisfiable":true}"#, "a=false, b=false"),
        (r#"{"type":"sudoku","givens":[[0,4,0,0],[2,0,0,0],[0,0,0,2],[3,0,0,1]],"unique":true}"#, "1423\n2314\n4132\n3241"),
    ] {
        let problem = problem(serde_json::from_str(gold).unwrap());
        assert_eq!(crate::check_gold(&problem), Ok(()), "{gold}");
        let verdict = grade_accuracy(&problem, &format!("<answer>{right}</answer>"));
        assert_eq!(verdict.outcome, Outcome::Right, "{gold}: {}", verdict.reason);
        let again: Gold = serde_json::from_str(&serde_json::to_string(&problem.gold).unwrap()).unwrap();
        assert_eq!(again, problem.gold);
    }
    let misspelt = r#"{"type":"zebra","houses":1,"categories":{},"clues":[],"uniqe":true}"#;
    assert!(serde_json::from_str::<Gold>(misspelt).unwrap_err().to_string().contains("uniqe"));
}
