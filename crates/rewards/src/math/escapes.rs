//! Backslashes that a string literal ate.

use std::borrow::Cow;

/// The text with backslashes where a string literal took `\f` of `\frac`, `\b` of `\begin`, `\v` of `\vec` or `\a` of `\alpha` for a control
/// character: nobody writes one in front of a small letter. Tabs and ends of lines are spaces and stay.
pub(super) fn with_backslashes(text: &str) -> Cow<'_, str> {
    const ESCAPES: [(char, &str); 4] = [('\x07', "\\a"), ('\x08', "\\b"), ('\x0b', "\\v"), ('\x0c', "\\f")];
    let escape = |c: char| ESCAPES.iter().find(|(control, _)| *control == c).map(|(_, escape)| *escape);
    if !text.bytes().any(|byte| matches!(byte, 0x07 | 0x08 | 0x0b | 0x0c)) {
        return Cow::Borrowed(text);
    }
    let mut repaired = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match escape(c).filter(|_| chars.peek().is_some_and(char::is_ascii_lowercase)) {
            Some(escape) => {
                // A backslash that was doubled is there already.
                repaired.push_str(if repaired.ends_with('\\') { &escape[1..] } else { escape });
            }
            None => repaired.push(c),
        }
    }
    Cow::Owned(repaired)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_literal_ate_comes_back() {
        for (text, repaired) in [
            ("\x0crac12 \x08ar x \x0bec v \x07lpha", r"\frac12 \bar x \vec v \alpha"),
            ("-\\\x0crac{1}{2}", r"-\frac{1}{2}"),
            ("5\x0c\nPage 2\x0cThe", "5\x0c\nPage 2\x0cThe"),
            ("\ttimes", "\ttimes"),
        ] {
            assert_eq!(with_backslashes(text), repaired);
        }
    }
}
