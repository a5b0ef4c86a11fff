//! Finding the answer to a puzzle in a response: answers here are tables, lists and grids, often of several lines.

use ruminate_core::{Outcome, Verdict};

/// Longest answer that is read, in bytes. A grid of six houses with six categories as indented JSON has about 2000.
pub(super) const MAX_ANSWER_BYTES: usize = 8000;

/// Why a piece of text is no full answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// There is no answer in it.
    Nothing(String),
    /// Something is left open.
    Partial(String),
    /// It says two things at once, which is wrong whatever else is said.
    Conflict(String),
}

/// Reads the answer of a response by `read`, which is given one piece of the text after the other until one is a full answer.
///
/// `<answer>…</answer>` is the only place if there is one, and its whole content counts. Without it the pieces are the last `\boxed{}`,
/// what follows the last `####`, and behind the reasoning: what follows "the answer is", the last fenced block, the last line, the last
/// paragraph, everything. A `<think>` that never closes holds no answer. The first full or contradictory answer counts, and later
/// pieces contain earlier ones or stand before them: a response cannot give two answers and have the better one taken.
///
/// # Errors
/// The verdict on a response without a full answer.
pub(super) fn read<T>(text: &str, read: impl Fn(&str) -> Result<T, Unread>) -> Result<T, Verdict> {
    let mut verdict = Verdict::none(Outcome::Unparsed, "no answer found: no <answer>, \\boxed, #### or text behind the reasoning");
    for piece in pieces(text) {
        if piece.len() > MAX_ANSWER_BYTES {
            if verdict.outcome == Outcome::Unparsed {
                let reason = format!("answer has {} bytes, at most {MAX_ANSWER_BYTES} are read", piece.len());
                verdict = Verdict::none(Outcome::Unparsed, reason);
            }
            continue;
        }
        match read(piece) {
            Ok(answer) => return Ok(answer),
            Err(Unread::Conflict(reason)) => return Err(Verdict::none(Outcome::Wrong, reason)),
            Err(Unread::Partial(reason)) => verdict = Verdict::none(Outcome::Wrong, reason),
            Err(Unread::Nothing(reason)) if verdict.outcome == Outcome::Unparsed => {
                verdict = Verdict::none(Outcome::Unparsed, format!("'{}': {reason}", shorten(piece)));
            }
            Err(Unread::Nothing(_)) => {}
        }
    }
    Err(verdict)
}

/// The pieces of a response that may be its answer, most definite first, without empty ones.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    if let Some(inside) = last_tag(text) {
        pieces.extend(last_box(inside).into_iter().chain(behind_phrase(inside)));
        pieces.push(inside);
    } else {
        pieces.extend(last_box(text));
        pieces.extend(text.rfind("####").and_then(|at| text[at + 4..].lines().next()));
        if let Some(rest) = behind_reasoning(text) {
            let rest = rest.trim();
            pieces.extend(behind_phrase(rest).into_iter().chain(last_fence(rest)));
            pieces.extend(rest.lines().next_back());
            pieces.extend(rest.rsplit("\n\n").next());
            pieces.push(rest);
        }
    }
    pieces.into_iter().map(str::trim).filter(|piece| !piece.is_empty()).collect()
}

fn last_tag(text: &str) -> Option<&str> {
    let end = text.rfind("</answer>")?;
    let start = text[..end].rfind("<answer>")? + "<answer>".len();
    Some(&text[start..end])
}

/// The inside of the last `\boxed{…}` that closes, braces nested.
fn last_box(text: &str) -> Option<&str> {
    // Two marks at most are tried, so that a text full of open boxes stays linear work.
    text.rmatch_indices("\\boxed{").take(2).find_map(|(at, mark)| {
        let rest = &text[at + mark.len()..];
        let mut depth = 1_usize;
        let end = rest.bytes().position(|byte| {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        end.map(|end| &rest[..end])
    })
}

/// What stands after the last `</think>`; the whole text if it has no reasoning tags; `None` if the reasoning never closes.
fn behind_reasoning(text: &str) -> Option<&str> {
    match text.rfind("</think>") {
        Some(at) => Some(&text[at + "</think>".len()..]),
        None => (!text.contains("<think>")).then_some(text),
    }
}

/// What follows the last "answer is" and its like, up to the end.
fn behind_phrase(text: &str) -> Option<&str> {
    const PHRASES: [&str; 10] =
        ["answer is", "Answer is", "answer:", "Answer:", "Answer**:", "olution:", "olution is", "答案是", "答案为", "答案："];
    let start = PHRASES.iter().filter_map(|phrase| Some(text.rfind(phrase)? + phrase.len())).max()?;
    Some(text[start..].trim_start_matches([':', '：', ' ', '*']))
}

/// The inside of the last fenced block.
fn last_fence(text: &str) -> Option<&str> {
    let end = text.rfind("```")?;
    let start = text[..end].rfind("```")? + "```".len();
    // The first line names the language.
    Some(text[start..end].split_once('\n')?.1)
}

/// The text without marks of Markdown and LaTeX: emphasis is dropped, cells of arrays are set apart by bars.
pub(super) fn plain(text: &str) -> String {
    const REPLACED: [(&str, &str); 14] = [
        ("\\\\", "\n"),
        ("\\hline", ""),
        ("\\text", ""),
        ("\\mathrm", ""),
        ("\\mathbf", ""),
        ("\\mathit", ""),
        ("\\quad", " "),
        ("\\land", "∧"),
        ("\\lor", "∨"),
        ("\\lnot", "¬"),
        ("\\neg", "¬"),
        ("\\to", "→"),
        ("&", "|"),
        ("_{", "{"),
    ];
    let mut text = text.to_owned();
    for (from, to) in REPLACED {
        if text.contains(from) {
            text = text.replace(from, to);
        }
    }
    text.chars().filter(|c| !matches!(c, '*' | '`' | '$' | '{' | '}' | '\\')).collect()
}

/// At most 60 characters on one line: reasons are read by people.
pub(super) fn shorten(text: &str) -> String {
    let line: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < text.len() { line + "…" } else { line }
}

/// Whether `text`, which follows the character `previous`, begins with `word` in any case, as a whole word: see [`has_bounds`].
pub(super) fn starts_with_word(text: &str, word: &str, previous: char) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)) && has_bounds(text, word.len(), previous)
}

/// As [`starts_with_word`], for a name: in its own case, since "a" is no mention of A.
pub(super) fn starts_with_name(text: &str, name: &str, previous: char) -> bool {
    text.starts_with(name) && has_bounds(text, name.len(), previous)
}

/// Whether the first `length` bytes of `text`, which follows the character `previous`, are whole words: where they begin or end with a
/// letter or digit no other one is beside it. Chinese words have no bounds.
fn has_bounds(text: &str, length: usize, previous: char) -> bool {
    let is_bound = |c: char| !c.is_alphanumeric() || is_ideograph(c);
    let (word, behind) = text.split_at(length);
    let first = word.chars().next().is_none_or(|c| is_bound(c) || is_bound(previous));
    first && word.chars().next_back().is_none_or(|c| is_bound(c) || behind.chars().next().is_none_or(is_bound))
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{3040}'..='\u{30ff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_go_from_the_most_definite_to_everything() {
        let check = |text: &str, expected: &[&str]| assert_eq!(pieces(text), expected, "{text}");
        check("<answer>1</answer> no <answer>so \\boxed{2}</answer> \\boxed{3}", &["2", "so \\boxed{2}"]);
        check("<think>a\nb</think>c\n\nd\ne", &["e", "d\ne", "c\n\nd\ne"]);
        check("x\n```json\n{}\n```", &["{}", "```", "x\n```json\n{}\n```", "x\n```json\n{}\n```"]);
        check("<think>The answer is 7", &[]);
        check("<think>\\boxed{1", &[]);
        check("The answer is: 1\n2", &["1\n2", "2", "The answer is: 1\n2", "The answer is: 1\n2"]);
        check("\\boxed{\\text{a}} so", &["\\text{a}", "\\boxed{\\text{a}} so", "\\boxed{\\text{a}} so", "\\boxed{\\text{a}} so"]);
    }

    #[test]
    fn the_first_full_answer_counts_and_a_conflict_ends_the_search() {
        let digits = |piece: &str| match piece.matches(char::is_numeric).count() {
            0 => Err(Unread::Nothing("no digit".into())),
            1 => Err(Unread::Partial("one digit".into())),
            2 => Ok(piece.to_owned()),
            _ => Err(Unread::Conflict("many digits".into())),
        };
        assert_eq!(read("12\n\n34", digits), Ok("34".into()));
        assert_eq!(read("12\n\nso", digits), Ok("12\n\nso".into()));
        assert_eq!(read("123\n\nso 1", digits).unwrap_err().reason, "many digits");
        assert_eq!(read("1\n\nso", digits).unwrap_err(), Verdict::none(Outcome::Wrong, "one digit"));
        assert_eq!(read("<answer>so</answer> 12", digits).unwrap_err(), Verdict::none(Outcome::Unparsed, "'so': no digit"));
        assert_eq!(read("<think>12", digits).unwrap_err().outcome, Outcome::Unparsed);
        let long = format!("<answer>{}</answer>", "x".repeat(9000));
        assert_eq!(read(&long, digits).unwrap_err().reason, "answer has 9000 bytes, at most 8000 are read");
    }

    #[test]
    fn words_have_bounds_where_letters_do() {
        for (text, word, previous, expected) in [
            ("Zoey", "Zoe", ' ', false),
            ("Zoe is", "zoe", ' ', true),
            ("Zoe", "Zoe", 'm', false),
            ("小明是", "小明", '和', true),
            ("x1=", "x1", '(', true),
            ("x10", "x1", ' ', false),
            ("éa", "éa", 'b', false),
        ] {
            assert_eq!(starts_with_word(text, word, previous), expected, "{text} {word}");
        }
    }
}
