use proptest::prelude::*;

use super::*;

fn of(numbers: &[i64], target: i64, text: &str) -> Verdict {
    grade(numbers, target, Uses::ExactlyOnce, &format!("<answer>{text}</answer>"))
}

fn check(answer: &str, expected: Outcome, reason: &str) {
    let verdict = grade_expression(&[3, 5, 7], 22, Uses::ExactlyOnce, answer);
    assert_eq!((verdict.outcome, verdict.reason.as_str()), (expected, reason), "{answer}");
}

#[test]
fn every_broken_rule_has_its_reason() {
    check("(3*5)+7", Outcome::Right, "(3*5)+7 gives 22");
    check("3 × 5 + 7 = 22", Outcome::Right, "3 × 5 + 7 gives 22");
    check("$7+5\\times 3$.", Outcome::Right, "7+5\\times 3 gives 22");
    check("（3＋5）*7", Outcome::Wrong, "expected 22, the expression gives 56");
    check("7/5*3", Outcome::Wrong, "expected 22, the expression gives 21/5");
    check("3*5", Outcome::Wrong, "number 7 is not used");
    check("3*5+7+7-7", Outcome::Wrong, "number 7 is used too often");
    check("3*5+8-1", Outcome::Wrong, "number 8 is not among [3, 5, 7]");
    check("22", Outcome::Wrong, "number 22 is not among [3, 5, 7]");
    check("3*5+7=23", Outcome::Wrong, "the expression gives 22 but the answer states '23'");
    check("7/(5-5)", Outcome::Wrong, "'7/(5-5)': division by zero or overflow");
    check("3*5+", Outcome::Unparsed, "'3*5+': the expression ends too early");
    check("(3*5+7", Outcome::Unparsed, "'(3*5+7': the expression ends too early");
    check("3 5 7", Outcome::Unparsed, "'3 5 7': unexpected part 2 of the expression");
    check("3^5", Outcome::Unparsed, "'3^5': '^' has no place in an expression");
    check("", Outcome::Unparsed, "'': the expression ends too early");
    assert_eq!(of(&[3], 3, &"(".repeat(100)).outcome, Outcome::TimedOut);
    assert_eq!(of(&[3], 3, &"3+".repeat(300)).outcome, Outcome::TimedOut);
}

#[test]
fn each_number_may_be_demanded_or_only_allowed() {
    let of = |uses, text: &str| grade(&[3, 5, 7], 15, uses, text).reason;
    assert_eq!(of(Uses::AtMostOnce, "3*5"), "3*5 gives 15");
    assert_eq!(of(Uses::ExactlyOnce, "3*5"), "number 7 is not used");
    assert_eq!(of(Uses::AtMostOnce, "3*5+7-7"), "number 7 is used too often");
    let unreachable = |numbers: &[i64]| format!("no expression over {numbers:?} gives 15");
    assert_eq!(super::check(&[3, 5, 7], 15, Uses::AtMostOnce), Ok(()));
    assert_eq!(super::check(&[3, 5, 7], 15, Uses::ExactlyOnce), Ok(()));
    assert_eq!(super::check(&[3, 5, 8], 15, Uses::AtMostOnce), Ok(()));
    assert_eq!(super::check(&[3, 6], 15, Uses::AtMostOnce), Err(unreachable(&[3, 6])));
    assert_eq!(super::check(&[3, 5, 1000], 15, Uses::ExactlyOnce), Err(unreachable(&[3, 5, 1000])));
    assert_eq!(super::check(&[], 15, Uses::AtMostOnce), Err(unreachable(&[])));
}

#[test]
fn answers_stand_where_they_are_marked_and_sides_must_agree() {
    for (text, expected) in [
        ("<think>3+5</think>So it works:\n(3*5)+7 = 22", "(3*5)+7 gives 22"),
        ("<think>…</think>The answer is (3*5)+7. I hope this helps", "(3*5)+7 gives 22"),
        ("3+5+7 = 15 fails.\n#### 3*5+7\nDone", "3*5+7 gives 22"),
        ("\\boxed{\\left(3\\times5\\right)+7}", "(3*5)+7 gives 22"),
        ("22 = 3*5+7", "3*5+7 gives 22"),
        ("3*5+7 = 15+7 = 22", "3*5+7 gives 22"),
        ("<answer>3*5+7 = 15+8 = 22</answer>", "the expression gives 22 but the answer states '15+8'"),
        ("<answer>3*5+7 = 22 = 23</answer>", "the expression gives 22 but the answer states '23'"),
    ] {
        let verdict = grade(&[3, 5, 7], 22, Uses::ExactlyOnce, text);
        assert_eq!(verdict.reason.replace("\\left", "").replace("\\right", "").replace("\\times", "*"), expected, "{text}");
    }
    assert_eq!(of(&[3, 5, 7], 22, &"22=".repeat(20)).outcome, Outcome::TimedOut);
}

#[test]
fn precedence_and_left_to_right() {
    for (text, expected) in [("2+3*4", "14"), ("10-4-3", "3"), ("16/4/2", "2"), ("-3+5", "2"), ("2*(3+4)", "14"), ("1/3+1/6", "1/2")] {
        let tokens = tokenize(text).unwrap();
        let value = Parser { tokens: &tokens, at: 0, used: Vec::new() }.whole().unwrap();
        assert_eq!(value.to_string(), expected, "{text}");
    }
}

#[test]
fn reachable_targets() {
    assert_eq!(reachable(&[3, 5, 7], 22), Some(true));
    assert_eq!(reachable(&[1, 1], 7), Some(false));
    // The well-known 24 from 3, 3, 8, 8 needs a fraction: 8/(3-8/3).
    assert_eq!(reachable(&[3, 3, 8, 8], 24), Some(true));
    assert_eq!(reachable(&[], 0), Some(false));
    assert_eq!(reachable(&[1; 7], 7), None);
}

proptest! {
    #[test]
    fn chains_are_evaluated_as_built(start in 1_i64..50, steps in prop::collection::vec((0_u8..3, 1_i64..20), 1..5)) {
        let mut numbers = vec![start];
        let (mut text, mut value) = (start.to_string(), start);
        for (op, n) in steps {
            numbers.push(n);
            (text, value) = match op {
                0 => (format!("{text}+{n}"), value + n),
                1 => (format!("{text}-{n}"), value - n),
                _ => (format!("({text})*{n}"), value * n),
            };
        }
        prop_assert_eq!(of(&numbers, value, &text).outcome, Outcome::Right);
        prop_assert_eq!(of(&numbers, value + 1, &text).outcome, Outcome::Wrong);
        prop_assert_eq!(of(&numbers, value + 1, &format!("{text}+1")).outcome, Outcome::Wrong);
        if numbers.len() <= 4 {
            prop_assert_eq!(reachable(&numbers, value), Some(true));
        }
    }
}
