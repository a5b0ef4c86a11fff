//! Comparison of what a program wrote with what it should have written.

use ruminate_core::Compare;

use super::shorten;
use super::value::{is_close, is_integer};

/// Compares an output with the expected one.
///
/// # Errors
/// Where they differ first, for people.
pub(super) fn compare(got: &[u8], expected: &str, how: Compare, tolerance: f64) -> Result<(), String> {
    match how {
        Compare::Exact if got == expected.as_bytes() => Ok(()),
        Compare::Exact => Err(first_difference(got, expected)),
        Compare::Lines => compare_lines(&String::from_utf8_lossy(got), expected),
        Compare::Tokens => compare_words(&String::from_utf8_lossy(got), expected, |got, expected| got == expected),
        Compare::Float => compare_words(&String::from_utf8_lossy(got), expected, |got, expected| same_word(got, expected, tolerance)),
    }
}

fn first_difference(got: &[u8], expected: &str) -> String {
    let at = got.iter().zip(expected.as_bytes()).take_while(|(got, expected)| got == expected).count();
    let rest = |bytes: &[u8]| shorten(&format!("{:?}", String::from_utf8_lossy(bytes.get(at..).unwrap_or_default())));
    format!("at byte {at}: expected {}, got {}", rest(expected.as_bytes()), rest(got))
}

fn compare_lines(got: &str, expected: &str) -> Result<(), String> {
    let (mut got_lines, mut expected_lines) = (lines(got), lines(expected));
    let mut number = 0_usize;
    loop {
        number += 1;
        let line = |line: Option<&str>| line.map_or_else(|| "the end of the output".to_owned(), |line| format!("'{}'", shorten(line)));
        match (got_lines.next(), expected_lines.next()) {
            (None, None) => return Ok(()),
            (got, expected) if got == expected => {}
            (got, expected) => return Err(format!("line {number}: expected {}, got {}", line(expected), line(got))),
        }
    }
}

/// Lines without white space at their ends, and without empty lines at the end of the text.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim_end();
    let n_lines = if text.is_empty() { 0 } else { usize::MAX };
    text.split('\n').map(str::trim_end).take(n_lines)
}

fn compare_words(got: &str, expected: &str, same: impl Fn(&str, &str) -> bool) -> Result<(), String> {
    let (mut got_words, mut expected_words) = (got.split_whitespace(), expected.split_whitespace());
    let mut number = 0_usize;
    loop {
        number += 1;
        let word = |word: Option<&str>| word.map_or_else(|| "the end of the output".to_owned(), |word| format!("'{}'", shorten(word)));
        match (got_words.next(), expected_words.next()) {
            (None, None) => return Ok(()),
            (Some(got), Some(expected)) if same(got, expected) => {}
            (got, expected) => return Err(format!("word {number}: expected {}, got {}", word(expected), word(got))),
        }
    }
}

fn same_word(got: &str, expected: &str, tolerance: f64) -> bool {
    let number = |word: &str| word.parse::<f64>().ok().filter(|value| value.is_finite());
    let is_whole = |word: &str| word.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    match (number(got), number(expected)) {
        _ if got == expected => true,
        // Two integers are compared as such: no tolerance turns 10 000 000 into 10 000 001.
        (Some(_), Some(_)) if is_whole(got) && is_whole(expected) => got.parse::<i128>().is_ok_and(|got| expected.parse() == Ok(got)),
        (Some(got), Some(_)) if is_whole(expected) => is_integer(got, expected, tolerance),
        (Some(got), Some(expected)) => is_close(got, expected, tolerance),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Compare; 4] = [Compare::Exact, Compare::Lines, Compare::Tokens, Compare::Float];

    /// Which comparisons hold, in the order exact, lines, tokens, float.
    fn check(got: &str, expected: &str, holds: [bool; 4]) {
        let found = ALL.map(|how| compare(got.as_bytes(), expected, how, 1e-6).is_ok());
        assert_eq!(found, holds, "{got:?} {expected:?}");
    }

    #[test]
    fn outputs_are_compared_as_asked() {
        for (got, expected, holds) in [
            ("1 2\n3\n", "1 2\n3\n", [true, true, true, true]),
            ("1 2 \r\n3", "1 2\n3\n\n", [false, true, true, true]),
            ("1\n2\n3", "1 2\n3\n", [false, false, true, true]),
            ("1  2\n3", "1 2\n3", [false, false, true, true]),
            (" 1", "1", [false, false, true, true]),
            ("1 2", "1 2\n3\n", [false; 4]),
            ("1 2\n3\n4", "1 2\n3\n", [false; 4]),
            ("", "", [true; 4]),
            ("\n\n", "", [false, true, true, true]),
            ("", "0", [false; 4]),
            ("0.3333333", "0.33333333333", [false, false, false, true]),
            ("0.3334", "0.33333333333", [false; 4]),
            ("3.0", "3", [false, false, false, true]),
            ("1e3", "1000.0", [false, false, false, true]),
            ("10000001", "10000000", [false; 4]),
            ("10000000.9", "10000000", [false; 4]),
            ("0010", "10", [false, false, false, true]),
            ("nan", "1.0", [false; 4]),
            ("inf", "1.0", [false; 4]),
            ("NaN", "nan", [false; 4]),
            ("yes", "YES", [false; 4]),
            ("a\n\nb", "a\nb", [false, false, true, true]),
        ] {
            check(got, expected, holds);
        }
    }

    #[test]
    fn reasons_name_the_first_difference() {
        let reason = |got: &str, expected: &str, how| compare(got.as_bytes(), expected, how, 1e-6).unwrap_err();
        assert_eq!(reason("1\n2\n", "1\n3\n", Compare::Lines), "line 2: expected '3', got '2'");
        assert_eq!(reason("1\n", "1\n3\n", Compare::Lines), "line 2: expected '3', got the end of the output");
        assert_eq!(reason("1 2 9", "1 2", Compare::Tokens), "word 3: expected the end of the output, got '9'");
        assert_eq!(reason("ab\n", "ab", Compare::Exact), r#"at byte 2: expected "", got "\n""#);
        assert!(reason(&"x".repeat(100_000), "y", Compare::Lines).len() < 400);
    }

    proptest! {
        #[test]
        fn an_output_equals_itself_and_no_prefix_of_itself(words in prop::collection::vec("[a-z0-9.]{1,8}", 1..40), cut in any::<prop::sample::Index>()) {
            let text = words.join("\n") + "\n";
            let prefix = words[..cut.index(words.len())].join("\n");
            for how in ALL {
                prop_assert!(compare(text.as_bytes(), &text, how, 1e-6).is_ok());
                prop_assert!(compare(prefix.as_bytes(), &text, how, 1e-6).is_err());
            }
        }

        #[test]
        fn any_bytes_are_compared(got in prop::collection::vec(any::<u8>(), 0..60), expected in ".{0,30}") {
            for how in ALL {
                let _ = compare(&got, &expected, how, 1e-6);
            }
        }
    }
}
