//! Backslashes that a string literal ate.

use std::borrow::Cow;

/// The text with backslashes where a string literal took `\f` of `\frac`, `\b` of `\begin`, `\v` of `\vec` or `\a` of `\alpha` for a control
/// character: nobody writes one in front of a small letter. Tabs and ends of lines are spaces and stay.
pub(super) fn with_backslashes(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, 0x07 | 0x08 | 0x0b | 0x0c)) {
        return Cow::Borrowed(text);
    }
    let mut repaired = String::with_capacity(text.len() + 8);
    repair(text, |_, piece| repaired.push_str(piece));
    Cow::Owned(repaired)
}

/// Where in the text the byte `at` of the repaired text was.
pub(super) fn place(text: &str, at: usize) -> usize {
    let (mut len, mut place) = (0, text.len());
    repair(text, |original, piece| {
        if (len..len + piece.len()).contains(&at) {
            // An escape is longer than the character that stood for it.
            place = original + (at - len).min(text[original..].chars().next().map_or(0, char::len_utf8) - 1);
        }
        len += piece.len();
    });
    place
}

/// Gives out the repaired text in pieces, each with the byte of the text that it comes from.
fn repair(text: &str, mut give: impl FnMut(usize, &str)) {
    const ESCAPES: [(char, &str); 4] = [('\x07', "\\a"), ('\x08', "\\b"), ('\x0b', "\\v"), ('\x0c', "\\f")];
    let escape = |c: char| ESCAPES.iter().find(|(control, _)| *control == c).map(|(_, escape)| *escape);
    let mut previous = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match escape(c).filter(|_| chars.peek().is_some_and(|(_, next)| next.is_ascii_lowercase())) {
            // A backslash that was doubled is there already.
            Some(escape) => give(at, if previous == Some('\\') { &escape[1..] } else { escape }),
            None => give(at, c.encode_utf8(&mut [0; 4])),
        }
        previous = Some(c);
    }
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

    #[test]
    fn places_are_those_of_the_text() {
        let text = "a\x0cb é\x07c";
        assert_eq!(with_backslashes(text), r"a\fb é\ac");
        let places: Vec<usize> = (0..=with_backslashes(text).len()).map(|at| place(text, at)).collect();
        assert_eq!(places, [0, 1, 1, 2, 3, 4, 5, 6, 6, 7, 8]);
    }
}
