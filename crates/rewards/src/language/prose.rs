//! What of a text is prose: everything but code, formulas, LaTeX and tags.
//!
//! A mark that is never closed marks nothing, so that no reasoning hides behind an open one. All work is linear in the text, but for
//! marks that stay open: those look at a bounded stretch each.

/// The longest formula between single dollars, in bytes; two prices are often further apart.
const MAX_DOLLAR: usize = 1_000;
/// The longest argument of a LaTeX command, in bytes.
const MAX_ARGUMENT: usize = 1_000;
/// The longest LaTeX environment, in bytes.
const MAX_ENVIRONMENT: usize = 5_000;
/// The longest tag with attributes, in bytes.
const MAX_TAG: usize = 200;

/// A stretch of a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Words, numbers and punctuation.
    Text(&'a str),
    /// Something that is not prose, whatever its length.
    Notation,
}

/// The paragraphs of a text: what stands between blank lines and fenced blocks of code.
pub(super) fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    Paragraphs { text, at: 0, unclosed: [usize::MAX; 2] }
}

struct Paragraphs<'a> {
    text: &'a str,
    at: usize,
    /// For both kinds of fence, the shortest that was found to have no end: no later one of that length has one either.
    unclosed: [usize; 2],
}

impl<'a> Iterator for Paragraphs<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut start = None;
        while self.at < self.text.len() {
            let line_start = self.at;
            let line = self.line();
            let is_blank = line.trim().is_empty();
            if is_blank || self.skip_fenced(line) {
                if let Some(start) = start {
                    return Some(&self.text[start..line_start]);
                }
            } else {
                start.get_or_insert(line_start);
            }
        }
        start.map(|start| &self.text[start..])
    }
}

impl<'a> Paragraphs<'a> {
    /// The line at the current place, which moves behind it.
    fn line(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let line = rest.split_inclusive('\n').next().unwrap_or(rest);
        self.at += line.len();
        line
    }

    /// Moves behind the block of code that `line` opens; false if it opens none.
    fn skip_fenced(&mut self, line: &str) -> bool {
        let Some((kind, length)) = fence(line) else { return false };
        if self.unclosed[kind] <= length {
            return false;
        }
        let inside = self.at;
        while self.at < self.text.len() {
            let line = self.line();
            if fence(line).is_some_and(|(end, n)| end == kind && n >= length && line.trim().len() == n) {
                return true;
            }
        }
        self.at = inside;
        self.unclosed[kind] = length;
        false
    }
}

/// Kind (0 for backticks, 1 for tildes) and length of the fence that a line begins with.
fn fence(line: &str) -> Option<(usize, usize)> {
    let line = line.trim();
    let kind = ["```", "~~~"].iter().position(|mark| line.starts_with(mark))?;
    let mark = line.as_bytes()[0];
    let length = line.bytes().take_while(|&byte| byte == mark).count();
    // Backticks behind the opening ones make it a code span within the line.
    (kind == 1 || !line[length..].contains('`')).then_some((kind, length))
}

/// The pieces of a paragraph, in order.
pub(super) fn pieces<'a>(paragraph: &'a str, mut emit: impl FnMut(Piece<'a>)) {
    let mut scanner = Scanner::new(paragraph);
    let (mut start, mut at) = (0, 0);
    while let Some(offset) = paragraph.as_bytes()[at..].iter().position(|byte| matches!(byte, b'`' | b'$' | b'\\' | b'<')) {
        at += offset;
        match scanner.notation_end(at) {
            Some(end) => {
                if start < at {
                    emit(Piece::Text(&paragraph[start..at]));
                }
                emit(Piece::Notation);
                (start, at) = (end, end);
            }
            None => at += scanner.run(at),
        }
    }
    if start < paragraph.len() {
        emit(Piece::Text(&paragraph[start..]));
    }
}

struct Scanner<'a> {
    text: &'a str,
    double_dollar: Closer,
    dollar: Closer,
    parenthesis: Closer,
    bracket: Closer,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            double_dollar: Closer::default(),
            dollar: Closer::default(),
            parenthesis: Closer::default(),
            bracket: Closer::default(),
        }
    }

    /// How many bytes like the one at `at` follow each other: a mark that marks nothing is passed over whole.
    fn run(&self, at: usize) -> usize {
        let bytes = self.text.as_bytes();
        bytes[at..].iter().take_while(|&&byte| byte == bytes[at]).count()
    }

    /// Where the notation that begins at `at` ends; `None` if none begins there.
    fn notation_end(&mut self, at: usize) -> Option<usize> {
        match self.text.as_bytes()[at] {
            b'`' => self.code_end(at),
            b'$' => self.dollars_end(at),
            b'<' => tag_end(self.text, at),
            _ => self.latex_end(at),
        }
    }

    /// A code span ends at the next run of as many backticks.
    fn code_end(&self, at: usize) -> Option<usize> {
        let length = self.run(at);
        let mut end = at + length;
        loop {
            end += self.text[end..].find('`')?;
            let n = self.run(end);
            end += n;
            if n == length {
                return Some(end);
            }
        }
    }

    fn dollars_end(&mut self, at: usize) -> Option<usize> {
        let text = self.text;
        if text[at..].starts_with("$$") {
            return self.double_dollar.next(at + 2, |from| text[from..].find("$$").map(|offset| from + offset)).map(|end| end + 2);
        }
        // As in Pandoc: nothing blank inside the dollars, and no digit behind, which would make it a price.
        text[at + 1..].chars().next().filter(|c| !c.is_whitespace())?;
        let end = self.dollar.next(at + 2, |from| closing_dollar(text, from))?;
        (end - at <= MAX_DOLLAR && !reads_as_prose(&text[at + 1..end])).then_some(end + 1)
    }

    fn latex_end(&mut self, at: usize) -> Option<usize> {
        let text = self.text;
        let next = *text.as_bytes().get(at + 1)?;
        let find = |mark: &'static str| move |from: usize| text[from..].find(mark).map(|offset| from + offset);
        match next {
            b'(' => self.parenthesis.next(at + 2, find("\\)")).map(|end| end + 2),
            b'[' => self.bracket.next(at + 2, find("\\]")).map(|end| end + 2),
            _ if next.is_ascii_alphabetic() => Some(environment_end(text, at).unwrap_or_else(|| command_end(text, at))),
            _ if next.is_ascii_punctuation() => Some(at + 2),
            _ => None,
        }
    }
}

/// The next place of a closing mark, searched again only when the last one was passed.
#[derive(Debug, Default)]
struct Closer {
    /// The place found last, or none at all behind any place asked for until now.
    found: Option<Option<usize>>,
}

impl Closer {
    fn next(&mut self, from: usize, search: impl Fn(usize) -> Option<usize>) -> Option<usize> {
        match self.found {
            Some(Some(place)) if place >= from => Some(place),
            Some(None) => None,
            _ => *self.found.insert(search(from)),
        }
    }
}

/// The first dollar from `from` on that can close a formula. `from` may be within a character.
fn closing_dollar(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == b'$')?;
        let closes = !bytes[at - 1].is_ascii_whitespace() && bytes[at - 1] != b'\\' && !bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if closes {
            return Some(at);
        }
        at += 1;
    }
}

/// Whether what stands between two dollars is a sentence rather than a formula: three words in a row, outside all braces.
fn reads_as_prose(inside: &str) -> bool {
    let (mut depth, mut n_words) = (0_usize, 0);
    for word in inside.split(' ') {
        let is_word = depth == 0 && word.chars().count() > 1 && word.chars().all(|c| c.is_alphabetic() || ",.;'’".contains(c));
        n_words = if is_word { n_words + 1 } else { 0 };
        if n_words == 3 {
            return true;
        }
        depth = (depth + word.matches('{').count()).saturating_sub(word.matches('}').count());
    }
    false
}

/// The end of `\begin{name}…\end{name}`.
fn environment_end(text: &str, at: usize) -> Option<usize> {
    let rest = text[at..].strip_prefix("\\begin{")?;
    let name = &rest[..rest.bytes().take(40).position(|byte| byte == b'}')?];
    let mark = format!("\\end{{{name}}}");
    let end = rest.floor_char_boundary(MAX_ENVIRONMENT);
    let offset = rest[..end].find(&mark)?;
    Some(at + "\\begin{".len() + offset + mark.len())
}

/// The end of a command and of the arguments that follow it at once.
fn command_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = at + 1 + bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    if bytes.get(end) == Some(&b'*') {
        end += 1;
    }
    while let Some(next) = argument_end(bytes, end) {
        end = next;
    }
    end
}

/// The end of the group in braces or brackets that begins at `at`.
fn argument_end(bytes: &[u8], at: usize) -> Option<usize> {
    let (open, close) = match bytes.get(at)? {
        b'{' => (b'{', b'}'),
        b'[' => (b'[', b']'),
        _ => return None,
    };
    let mut depth = 0_usize;
    for (offset, &byte) in bytes[at..].iter().take(MAX_ARGUMENT).enumerate() {
        if byte == open {
            depth += 1;
        } else if byte == close {
            depth -= 1;
            if depth == 0 {
                return Some(at + offset + 1);
            }
        }
    }
    None
}

/// The end of `<name>`, `</name>`, `<name/>`, `<|name|>` or `<name key="value">`.
fn tag_end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let start = at + 1 + usize::from(bytes.get(at + 1) == Some(&b'/'));
    bytes.get(start).filter(|byte| byte.is_ascii_alphabetic() || **byte == b'|')?;
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-:|".contains(byte);
    let end = start + bytes[start..].iter().take_while(|byte| in_name(byte)).count();
    match bytes.get(end)? {
        b'>' => Some(end + 1),
        b'/' if bytes.get(end + 1) == Some(&b'>') => Some(end + 2),
        b' ' => {
            let rest = &bytes[end..bytes.len().min(end + MAX_TAG)];
            let close = rest.iter().position(|byte| matches!(byte, b'>' | b'<' | b'\n'))?;
            (rest[close] == b'>' && rest[..close].contains(&b'=')).then_some(end + close + 1)
        }
        _ => None,
    }
}
