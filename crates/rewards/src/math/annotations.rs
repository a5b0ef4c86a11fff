//! What a calculator left in a text.

use std::borrow::Cow;

/// Longest calculation that is taken for one.
const MAX_BYTES: usize = 120;

/// The text without the annotations of GSM8K's solutions, which models that learned from them write too: `48+24 = <<48+24=72>>72`.
pub(super) fn without_annotations(text: &str) -> Cow<'_, str> {
    let mut rest = text;
    let mut kept = String::new();
    if !rest.contains("<<") {
        return Cow::Borrowed(text);
    }
    while let Some(start) = rest.find("<<") {
        let inside = &rest[start + 2..];
        let end = inside.bytes().take(MAX_BYTES).position(|byte| byte == b'>');
        let is_calculation =
            |inside: &str| inside.contains('=') && inside.bytes().all(|byte| byte.is_ascii_digit() || b"+-*/().,=% $".contains(&byte));
        match end.filter(|&end| inside[end..].starts_with(">>") && is_calculation(&inside[..end])) {
            Some(end) => {
                kept.push_str(&rest[..start]);
                rest = &inside[end + 2..];
            }
            None => {
                kept.push_str(&rest[..start + 2]);
                rest = inside;
            }
        }
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calculations_go() {
        for (text, without) in [
            ("48+24 = <<48+24=72>>72 clips", "48+24 = 72 clips"),
            ("a <<2*3.5=7>>7 and <<7-1=6>>6", "a 7 and 6"),
            ("<<1=1>>", ""),
            ("1 << 2 >> 3", "1 << 2 >> 3"),
            ("cout << x << endl", "cout << x << endl"),
            ("<<x=2>>", "<<x=2>>"),
            ("<<<<1+1=2>>2", "<<2"),
            ("é<<1+1=2>>é", "éé"),
            ("<<1+1=2> >", "<<1+1=2> >"),
            ("<<", "<<"),
        ] {
            assert_eq!(without_annotations(text), without, "{text}");
        }
        assert!(matches!(without_annotations("nothing"), Cow::Borrowed(_)));
    }
}
