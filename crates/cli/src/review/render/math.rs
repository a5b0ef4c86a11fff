//! Formulas in a text: where they stand, and their MathML.
//!
//! Markdown would read `_`, `*`, `|` and `\(` of a formula as its own. So formulas are found first and replaced by marks, which Markdown
//! carries through as the letters they are.

use std::ops::Range;

use pulldown_cmark::{Event, Parser};
use pulldown_latex::config::{DisplayMode, RenderConfig};
use pulldown_latex::event::{Content, Event as MathEvent};
use pulldown_latex::{Parser as MathParser, ParserError, Storage, push_mathml};

/// Begins and ends the mark of a formula. Private letters of Unicode, which are taken out of the text before.
const MARKS: [char; 2] = ['\u{E000}', '\u{E001}'];

/// Longest formula that is set, bytes.
const MAX_BYTES: usize = 4 << 10;

/// Longest formula between single dollars, letters. A lone dollar must not be looked after further than that.
const MAX_INLINE: usize = 1000;

/// Deepest nesting of groups that is set.
const MAX_DEPTH: usize = 48;

/// Environments that stand outside of other marks of formulas.
const ENVIRONMENTS: [&str; 13] = [
    "equation",
    "equation*",
    "align",
    "align*",
    "aligned",
    "gather",
    "gather*",
    "multline",
    "multline*",
    "cases",
    "pmatrix",
    "bmatrix",
    "array",
];

/// Commands that define others. A definition can expand without end, and no answer needs one.
const DEFINITIONS: [&str; 9] =
    ["\\def", "\\gdef", "\\edef", "\\xdef", "\\let", "\\futurelet", "\\newcommand", "\\renewcommand", "\\providecommand"];

/// One formula.
#[derive(Debug)]
pub(super) struct Formula<'a> {
    /// With its marks, as it stands in the text.
    pub(super) written: &'a str,
    latex: &'a str,
    is_display: bool,
}

/// A text with its formulas taken out.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The text with a mark in place of each formula.
    pub(super) text: String,
    formulas: Vec<Formula<'a>>,
}

impl<'a> Source<'a> {
    /// Takes the formulas out of a text: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and environments, but not those in code.
    pub(super) fn read(text: &'a str) -> Self {
        let mut source = Self { text: String::with_capacity(text.len()), formulas: Vec::new() };
        let code: Vec<Range<usize>> = code_ranges(text);
        let mut code = code.into_iter().peekable();
        let mut opens = Opens::of(text);
        let mut at = 0;
        while let Some(next) = text[at..].chars().next() {
            while code.next_if(|range| range.end <= at).is_some() {}
            if let Some(range) = code.next_if(|range| range.start <= at) {
                source.push_plain(&text[at..range.end]);
                at = range.end;
                continue;
            }
            let limit = code.peek().map_or(text.len(), |range| range.start);
            if let Some((formula, end)) = opens.formula_at(text, at, limit) {
                source.text.push(MARKS[0]);
                source.text.push_str(&source.formulas.len().to_string());
                source.text.push(MARKS[1]);
                source.formulas.push(formula);
                at = end;
            } else {
                // A backslash takes the next letter with it, so that `\$` and `\\(` open nothing.
                let escaped = if next == '\\' { text[at + 1..].chars().next().filter(char::is_ascii_punctuation) } else { None };
                let end = at + next.len_utf8() + escaped.map_or(0, char::len_utf8);
                source.push_plain(&text[at..end]);
                at = end;
            }
        }
        source
    }

    /// A part of [`Source::text`] with the formulas as they were written.
    pub(super) fn restore(&self, text: &str) -> String {
        let written = |formula: Option<&Formula<'_>>| formula.map_or("", |formula| formula.written).to_owned();
        self.pieces(text).map(|(before, formula)| before.to_owned() + &written(formula)).collect()
    }

    /// A part of [`Source::text`], cut at its formulas: what stands before each, and at last what stands behind them.
    pub(super) fn pieces<'b>(&'b self, text: &'b str) -> impl Iterator<Item = (&'b str, Option<&'b Formula<'a>>)> {
        let mut rest = Some(text);
        std::iter::from_fn(move || {
            let text = rest?;
            let Some((before, behind)) = text.split_once(MARKS[0]) else {
                rest = None;
                return Some((text, None));
            };
            let (number, behind) = behind.split_once(MARKS[1]).unwrap_or((behind, ""));
            rest = Some(behind);
            Some((before, number.parse().ok().and_then(|idx: usize| self.formulas.get(idx))))
        })
    }

    fn push_plain(&mut self, text: &str) {
        self.text.extend(text.chars().map(|c| if MARKS.contains(&c) { char::REPLACEMENT_CHARACTER } else { c }));
    }
}

impl Formula<'_> {
    /// The formula as MathML; `None` if it cannot be set.
    pub(super) fn mathml(&self) -> Option<String> {
        if self.latex.len() > MAX_BYTES || DEFINITIONS.iter().any(|command| self.latex.contains(command)) {
            return None;
        }
        // The writer knows no frame; one around the whole formula is what answers have.
        let (latex, is_boxed) = match boxed(self.latex) {
            Some(inside) => (inside.to_owned(), true),
            None => (self.latex.replace("\\boxed{", "{"), false),
        };
        let storage = Storage::new();
        let events: Vec<Result<MathEvent<'_>, ParserError>> = MathParser::new(&latex, &storage).collect();
        let is_safe = |event: &Result<MathEvent<'_>, ParserError>| match event {
            Ok(MathEvent::Content(Content::Function(name) | Content::Number(name))) => !name.contains(['<', '>', '&', '"']),
            Ok(_) => true,
            Err(_) => false,
        };
        if !events.iter().all(is_safe) || !is_flat(&events) {
            return None;
        }
        let display_mode = if self.is_display { DisplayMode::Block } else { DisplayMode::Inline };
        let mut mathml = String::new();
        push_mathml(&mut mathml, events.into_iter(), RenderConfig { display_mode, ..RenderConfig::default() }).ok()?;
        Some(if is_boxed { mathml.replacen("<math", "<math class=\"boxed\"", 1) } else { mathml })
    }
}

/// Whether no group lies too deep in others.
fn is_flat(events: &[Result<MathEvent<'_>, ParserError>]) -> bool {
    let mut depth = 0_usize;
    events.iter().all(|event| {
        match event {
            Ok(MathEvent::Begin(_)) => depth += 1,
            Ok(MathEvent::End) => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth <= MAX_DEPTH
    })
}

/// What a formula frames, if it frames all of itself.
fn boxed(latex: &str) -> Option<&str> {
    let inside = latex.trim().strip_prefix("\\boxed{")?.strip_suffix('}')?;
    let mut depth = 0_i32;
    let stays_inside = inside.chars().all(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth >= 0
    });
    stays_inside.then_some(inside)
}

/// Code spans and blocks: nothing in them is a formula.
fn code_ranges(text: &str) -> Vec<Range<usize>> {
    let is_code = |event: &Event<'_>| matches!(event, Event::Code(_) | Event::Start(pulldown_cmark::Tag::CodeBlock(_)));
    Parser::new(text).into_offset_iter().filter(|(event, _)| is_code(event)).map(|(_, range)| range).collect()
}

/// Kinds of marks with what closes them; `$` has rules of its own.
const PAIRS: [(&str, &str, bool); 3] = [("\\(", "\\)", false), ("\\[", "\\]", true), ("$$", "$$", true)];

/// Where a close was looked for in vain: from there on it is not looked for again, so that a text full of opens stays linear work.
#[derive(Debug)]
struct Opens {
    vain_from: [usize; PAIRS.len()],
}

impl Opens {
    fn of(text: &str) -> Self {
        Self { vain_from: [text.len(); PAIRS.len()] }
    }

    /// The formula that begins at `at` and ends before `limit`, and where it ends.
    fn formula_at<'a>(&mut self, text: &'a str, at: usize, limit: usize) -> Option<(Formula<'a>, usize)> {
        let rest = &text[at..limit];
        for (idx, (open, close, is_display)) in PAIRS.into_iter().enumerate() {
            if rest.starts_with(open) && at < self.vain_from[idx] {
                let inside = &rest[open.len()..];
                let Some(len) = inside.find(close) else {
                    // Behind the code that ends this part there may be one for later opens.
                    if !text[limit..].contains(close) {
                        self.vain_from[idx] = at;
                    }
                    return None;
                };
                if inside[..len].trim().is_empty() {
                    return None;
                }
                let end = open.len() + len + close.len();
                return Some((Formula { written: &rest[..end], latex: &inside[..len], is_display }, at + end));
            }
        }
        if let Some(inside) = rest.strip_prefix('$') {
            let len = dollar_len(inside)?;
            return Some((Formula { written: &rest[..len + 2], latex: &inside[..len], is_display: false }, at + len + 2));
        }
        environment_at(rest).map(|len| (Formula { written: &rest[..len], latex: &rest[..len], is_display: true }, at + len))
    }
}

/// Length of the formula between dollars, by the rule that leaves prices alone: no space inside of either dollar, no digit behind the
/// second one, no empty line between them.
fn dollar_len(inside: &str) -> Option<usize> {
    if inside.starts_with(|c: char| c.is_whitespace() || c == '$') {
        return None;
    }
    let mut before = ' ';
    let mut is_escaped = false;
    for (at, c) in inside.char_indices().take(MAX_INLINE) {
        match c {
            '$' if !is_escaped && !before.is_whitespace() => {
                return (!inside[at + 1..].starts_with(|c: char| c.is_ascii_digit())).then_some(at);
            }
            '\n' if before == '\n' => return None,
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
        before = c;
    }
    None
}

/// Length of the environment that begins here.
fn environment_at(text: &str) -> Option<usize> {
    let name = text.strip_prefix("\\begin{")?.split('}').next()?;
    if !ENVIRONMENTS.contains(&name) {
        return None;
    }
    let end = format!("\\end{{{name}}}");
    let near = text.char_indices().nth(MAX_BYTES).map_or(text, |(at, _)| &text[..at]);
    near.find(&end).map(|at| at + end.len())
}
