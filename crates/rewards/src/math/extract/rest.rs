//! The end of a text without marks: its last sentence, formula, expression.

use std::ops::Range;

use crate::math::parse::month;

/// Where the sentence at the start of `text` stands; the one of the next line if the first line is empty.
pub(super) fn sentence(text: &str) -> Range<usize> {
    let body = text.trim_start();
    let start = text.len() - body.len();
    let line = body.lines().next().unwrap_or_default();
    // A formula that spans lines is taken whole.
    for (open, close) in [("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")] {
        let Some(inside) = line.strip_prefix(open) else { continue };
        // A single dollar may be money, but not at the end of a line or before a matrix.
        if open == "$" && !(inside.trim_matches(['{', ' ']).is_empty() || inside.contains("\\begin{")) {
            break;
        }
        if inside.contains(close) {
            break;
        }
        // Not far, so that many open formulas stay linear work.
        let inside = &body[open.len()..body.floor_char_boundary(2000)];
        if let Some(end) = inside.find(close) {
            return start..start + open.len() + end + close.len();
        }
    }
    start..start + sentence_len(line)
}

/// The length of the first sentence of a line. A point within a formula ends none.
fn sentence_len(line: &str) -> usize {
    let bytes = line.as_bytes();
    let mut dollars = 0_usize;
    for (at, c) in line.char_indices() {
        let ends = match c {
            '$' => {
                dollars += usize::from(at == 0 || bytes[at - 1] != b'\\');
                false
            }
            '。' => true,
            '.' | '!' | '?' => {
                let next = line[at + 1..].trim_start_matches(['*', '"', '_', ')']);
                let spaced = next.is_empty() || next.starts_with(char::is_whitespace);
                // `5!` is a factorial, `2.5!` is not.
                let factorial = c == '!' && bytes[..at].last().is_some_and(u8::is_ascii_digit) && !is_decimal(&line[..at]);
                spaced && !factorial && !abbreviated(&line[..at])
            }
            _ => false,
        };
        if ends && dollars.is_multiple_of(2) {
            return at;
        }
    }
    line.len()
}

/// Whether a text ends with a decimal.
fn is_decimal(text: &str) -> bool {
    let whole = text.trim_end_matches(|c: char| c.is_ascii_digit());
    whole.len() < text.len() && whole.ends_with('.') && whole[..whole.len() - 1].ends_with(|c: char| c.is_ascii_digit())
}

/// Whether a point behind this text belongs to an abbreviation: `p.m`, `sq`.
fn abbreviated(before: &str) -> bool {
    [".m", " sq", " cu", "a.k.a", "i.e", "e.g"].iter().any(|mark| before.ends_with(mark))
}

/// Takes off what announces or explains: bold type, a formula's dollars, "because …".
pub(super) fn narrowed(sentence: &str) -> &str {
    let body = without_type(sentence);
    if let Some(formula) = only_formula(body) {
        return formula;
    }
    const REASONS: [&str; 10] =
        [", since ", ", because ", " because ", " since ", ", as ", ", which ", ", so ", ", where ", ", i.e", ", not "];
    let end = REASONS.iter().filter_map(|reason| body.find(reason)).min().unwrap_or(body.len());
    let body = without_type(&body[..end]);
    // A point that was taken for part of a formula, as in "it costs $5 each."
    let body = if body.ends_with("..") || body.ends_with(".m.") { body } else { body.strip_suffix('.').unwrap_or(body) };
    if let Some(formula) = only_formula(body) {
        return formula;
    }
    let body = stated(body);
    body.strip_prefix("option ").or_else(|| body.strip_prefix("choice ")).unwrap_or(body)
}

/// What a sentence about the answer says: "The volume of the cone is 120".
fn stated(sentence: &str) -> &str {
    let of_a_thing = sentence.starts_with("The ") || sentence.starts_with("the ");
    let Some((_, value)) = sentence.rsplit_once(" is ").filter(|_| of_a_thing) else { return sentence };
    let value = without_type(value);
    only_formula(value).unwrap_or(value)
}

/// Takes off `**bold**` and white space. `**` inside stays: it may be a power.
fn without_type(text: &str) -> &str {
    let mut body = text.trim();
    loop {
        let before = body;
        body = body.strip_prefix("***").or_else(|| body.strip_prefix("**")).unwrap_or(body).trim_start();
        body = body.strip_suffix("***").or_else(|| body.strip_suffix("**")).unwrap_or(body).trim_end();
        for mark in ['_', '*'] {
            if body.starts_with(mark) && body.ends_with(mark) && body.len() > 1 {
                body = &body[1..body.len() - 1];
            }
        }
        if body == before {
            return body;
        }
    }
}

/// The inside of a formula if the text is nothing else, but for words that hold no mathematics in front of it.
fn only_formula(text: &str) -> Option<&str> {
    for (open, close) in [("$$", "$$"), ("$", "$"), ("\\[", "\\]"), ("\\(", "\\)")] {
        let Some(start) = text.find(open) else { continue };
        let inside = &text[start + open.len()..];
        let Some(end) = inside.find(close) else { continue };
        let behind = &inside[end + close.len()..];
        let wordy = text[..start].chars().all(|c| c.is_alphabetic() || c.is_whitespace() || matches!(c, ',' | '\'' | ':'));
        let bare = behind.trim_matches(['.', ',', ' ', '*', '。', '!']).is_empty();
        let spaced = inside[..end].starts_with(' ') && open == "$" && inside[end..].starts_with("$ ");
        if wordy && bare && !inside[..end].trim().is_empty() && !spaced {
            return Some(&inside[..end]);
        }
    }
    None
}

/// The last formula of a text, if only words without digits end the text behind it.
pub(super) fn last_formula(text: &str) -> Option<&str> {
    let trimmed = text.trim_end();
    let candidates = [("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")];
    // The mark that closes last.
    let (end, open, close) =
        candidates.iter().filter_map(|&(open, close)| Some((trimmed.rfind(close)?, open, close))).max_by_key(|found| found.0)?;
    let (end, open, close) =
        if close == "$" && end > 0 && trimmed[..end].ends_with('$') { (end - 1, "$$", "$$") } else { (end, open, close) };
    let behind = &trimmed[end + close.len()..];
    if behind.contains(|c: char| c.is_ascii_digit()) || behind.contains('\n') || trimmed[..end].ends_with('\\') {
        return None;
    }
    // `\\\\[2pt]` between the rows of a matrix opens nothing.
    let start =
        trimmed[..end].rmatch_indices(open).map(|(at, _)| at).find(|&at| !trimmed[..at].ends_with('\\') || open.starts_with('$'))?;
    let inside = &trimmed[start + open.len()..end];
    let escaped = open == "$" && trimmed[..start].ends_with('\\');
    // "The answer cannot be $5$" says no answer; "it is not even, so $5$" does.
    let clause = trimmed[..start].rsplit([',', ';', ':', '.', '!', '?', '。', '，', '\n']).next().unwrap_or_default();
    let clause = &clause[clause.ceil_char_boundary(clause.len().saturating_sub(200))..];
    // Marks of formulas within a line do not stand apart from them: such dollars are often of different formulas.
    let bordered = inside.trim_matches(' ');
    let apart = matches!(open, "$" | "\\(") && (bordered.starts_with('\n') || bordered.ends_with('\n'));
    (!escaped && !inside.contains("\n\n") && !apart && !denies(clause)).then_some(inside)
}

/// The last line if it is bare, else the last expression in it, else (a line of words) the line.
pub(super) fn last_expression(text: &str) -> Option<&str> {
    let line = without_type(last_line(text)?);
    // The mark of a list or a heading; `-3` is a number.
    let line = ["- ", "* "].iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line).trim_start_matches('#').trim_start();
    let pieces = pieces(line);
    let wordy = pieces.iter().filter(|piece| !piece.mathematics && piece.text.chars().count() > 2 && !is_joint(piece.text)).count();
    let first_is_word = pieces.first().is_some_and(|piece| !piece.mathematics);
    // `18 eggs` or `5 cm` is bare; a sentence begins with a word.
    let dated = line.split_whitespace().next().and_then(month).is_some();
    if wordy == 0 || (!first_is_word && wordy <= 2) || (dated && wordy <= 2) {
        return Some(line);
    }
    match last_run(line, &pieces) {
        // "The answer cannot be 5" says no answer.
        Some(run) if is_denied(line, run) => None,
        Some(run) => Some(run),
        None => Some(line),
    }
}

/// Whether the sentence of a part of a line holds a negation.
fn is_denied(line: &str, part: &str) -> bool {
    let at = line.rfind(part).unwrap_or(0);
    let ends = |text: &str| text.ends_with(['.', '!', '?', '。']);
    let before = line[..at].rmatch_indices(char::is_whitespace).find(|(space, _)| ends(&line[..*space])).map_or(0, |(space, _)| space);
    let start = line[..at].rfind('。').map_or(before, |han| han.max(before));
    let behind = &line[at + part.len()..];
    let end = behind.find(['.', '!', '?', '。']).unwrap_or(behind.len());
    let corrects = behind[..end].trim().is_empty() && corrects(&line[start..at], part);
    denies(&line[start..at]) && !corrects || denies(&behind[..end])
}

/// Whether the words in front deny another number and then turn to this one: "not 10 but 12", "it is not 10, it is 12".
fn corrects(before: &str, part: &str) -> bool {
    const TURNS: [&str; 7] = [" but", " it's", " it\u{2019}s", " it is", " which is", " instead", " rather"];
    let number = |text: &str| {
        let plain = text.trim_matches(['$', '€', '£']).replace(',', "");
        plain.parse::<f64>().ok().filter(|_| plain.ends_with(|c: char| c.is_ascii_digit()))
    };
    let before = before.trim_end();
    let mut denied = before;
    while let Some(rest) = TURNS.iter().find_map(|turn| denied.strip_suffix(turn)) {
        denied = rest.trim_end_matches([',', ';', ' ']);
    }
    let mut words = denied.rsplit(char::is_whitespace);
    let (Some(other), Some("not")) = (words.next().and_then(number), words.next()) else { return false };
    let said = part.split(|c: char| c.is_alphabetic() || c.is_whitespace()).next().and_then(number);
    denied.len() < before.len() && said.is_some_and(|said| said != other)
}

/// Whether words say that something is not so.
fn denies(words: &str) -> bool {
    let lower = words.to_lowercase().replace('\u{2019}', "'");
    let word = |word: &str| matches!(word, "not" | "cannot" | "never" | "impossible" | "neither" | "nor") || word.ends_with("n't");
    lower.contains("no longer") || lower.contains('不') || lower.split(|c: char| !c.is_alphabetic() && c != '\'').any(word)
}

/// The last line that is not empty, with the lines above it that hold the rest of its matrix.
fn last_line(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let mut start = text.len();
    // Environments that end below and begin further up.
    let mut open = 0_usize;
    for line in text.lines().rev() {
        start = text[..start].rfind(line).unwrap_or(start);
        open = (open + line.matches("\\end{").count()).saturating_sub(line.matches("\\begin{").count());
        let found = &text[start..];
        if open == 0 && !without_type(found).is_empty() {
            return Some(found);
        }
    }
    // What never began is judged by its last line.
    text.lines().next_back().filter(|line| !line.is_empty())
}

/// Whether a text is mathematics that holds a value, and no words.
pub(super) fn is_value(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit()) && pieces(text).iter().all(|piece| piece.mathematics)
}

struct Piece<'a> {
    text: &'a str,
    start: usize,
    mathematics: bool,
}

/// Splits a line at white space and between Chinese and other characters, but not within a matrix.
fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut start = None;
    let mut han_before = false;
    let mut environments = 0_usize;
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        if c == '\\' {
            environments += usize::from(line[at..].starts_with("\\begin{"));
            environments = environments.saturating_sub(usize::from(line[at..].starts_with("\\end{")));
        }
        let han =
            !c.is_ascii() && (c.is_alphabetic() && !('\u{370}'..='\u{3ff}').contains(&c) || matches!(c, '，' | '。' | '、' | '：' | '！'));
        if let Some(begin) = start
            && (environments == 0 && (c.is_whitespace() || han != han_before) || at == line.len())
        {
            let text = &line[begin..at];
            pieces.push(Piece { text, start: begin, mathematics: text.contains("\\begin{") || is_mathematics(text) });
            start = None;
        }
        if start.is_none() && !c.is_whitespace() {
            start = Some(at);
        }
        han_before = han;
    }
    pieces
}

/// Whether a piece between spaces looks like part of a formula: no run of three letters but behind a backslash.
fn is_mathematics(piece: &str) -> bool {
    let mut letters = 0;
    let mut command = false;
    for c in piece.trim_matches(['.', ',', ';', ':', '!', '?', '"', '\'']).chars() {
        if c == '\\' {
            command = true;
            letters = 0;
        } else if c.is_alphabetic() && !('\u{370}'..='\u{3ff}').contains(&c) {
            letters += 1;
            if (letters > 1 || !c.is_ascii()) && !command {
                return false;
            }
        } else {
            command = false;
            letters = 0;
        }
    }
    true
}

fn is_joint(piece: &str) -> bool {
    matches!(piece, "and" | "or")
}

/// The last run of pieces that look like mathematics and hold a digit or a relation; `and` may stand between two such runs that relate
/// something.
fn last_run<'a>(line: &'a str, pieces: &[Piece<'_>]) -> Option<&'a str> {
    let mut end = pieces.len();
    while end > 0 {
        if !pieces[end - 1].mathematics {
            end -= 1;
            continue;
        }
        let mut start = end;
        while start > 0 {
            let joined = start > 1 && is_joint(pieces[start - 1].text) && pieces[start - 2].mathematics;
            let closed = pieces[start - 1].text.ends_with([',', ';', '.', ':']) && start < end && !pieces[start - 1].text.contains('=');
            if !(pieces[start - 1].mathematics && !closed || joined) {
                break;
            }
            start -= 1;
        }
        // "a 5" begins with an article, and "5 a day" ends with one, as does a sentence that breaks off: "5 a..".
        while end - start > 1
            && (matches!(pieces[end - 1].text, "a" | "A" | "I") && end < pieces.len()
                || matches!(pieces[end - 1].text, "a.." | "a..." | "a…"))
        {
            end -= 1;
        }
        if end - start > 1
            && matches!(pieces[start].text, "a" | "A" | "I")
            && pieces[start + 1].text.starts_with(|c: char| c.is_ascii_digit() || c == '$')
        {
            start += 1;
        }
        let last = &pieces[end - 1];
        let run = &line[pieces[start].start..last.start + last.text.len()];
        if run.contains(|c: char| c.is_ascii_digit() || matches!(c, '=' | '√' | 'π')) || run.contains("\\begin{") {
            return Some(run.trim_end_matches(['.', ',', ';', ':', '!', '?']));
        }
        end = start.min(end - 1);
    }
    None
}
