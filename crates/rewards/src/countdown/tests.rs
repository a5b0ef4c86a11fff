use proptest::prelude::*;

use super::*;

fn check(answer: &str, expected: Outcome, reason: &str) {
    let verdict = grade(&[3, 5, 7], 22, answer);
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
    assert_eq!(grade(&[3], 3, &"(".repeat(100)).outcome, Outcome::TimedOut);
    assert_eq!(grade(&[3], 3, &"3+".repeat(300)).outcome, Outcome::TimedOut);
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
        prop_assert_eq!(grade(&numbers, value, &text).outcome, Outcome::Right);
        prop_assert_eq!(grade(&numbers, value + 1, &text).outcome, Outcome::Wrong);
        prop_assert_eq!(grade(&numbers, value + 1, &format!("{text}+1")).outcome, Outcome::Wrong);
        if numbers.len() <= 4 {
            prop_assert_eq!(reachable(&numbers, value), Some(true));
        }
    }
}
