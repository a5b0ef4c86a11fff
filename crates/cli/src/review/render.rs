//! What models write, as HTML that is safe to show: Markdown and LaTeX without raw HTML, links, pictures, scripts or styles.
//!
//! Three layers, each of which would do alone: the Markdown writer gets HTML of the text as text only; what comes out is cleaned by a list
//! of allowed elements and attributes; and the page that shows it forbids scripts, styles and connections by its policy.

mod math;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, TextMergeStream, html};

use math::{Formula, Source};

/// Longest text that is set as Markdown, bytes. Longer ones are shown as they are written.
const MAX_BYTES: usize = 128 << 10;

/// Deepest nesting of lists, quotations and formulas that is set. Browsers stop at 512, and the cleaner needs time by the square of it.
const MAX_DEPTH: usize = 48;

/// Longest run of signs that open lists and quotations at the start of a line: each would nest.
const MAX_OPENERS: usize = 256;

const MATHML: [&str; 24] = [
    "math",
    "semantics",
    "mrow",
    "mi",
    "mn",
    "mo",
    "mtext",
    "mspace",
    "mfrac",
    "msqrt",
    "mroot",
    "msub",
    "msup",
    "msubsup",
    "munder",
    "mover",
    "munderover",
    "mmultiscripts",
    "mprescripts",
    "mtable",
    "mtr",
    "mtd",
    "mstyle",
    "mpadded",
];

const ELEMENTS: [&str; 23] = [
    "p",
    "br",
    "hr",
    "h3",
    "h4",
    "h5",
    "h6",
    "strong",
    "em",
    "del",
    "code",
    "pre",
    "ul",
    "ol",
    "li",
    "blockquote",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "span",
];

const ATTRIBUTES: [(&str, &[&str]); 10] = [
    ("math", &["display"]),
    ("mo", &["stretchy", "form", "fence", "separator", "symmetric", "largeop", "movablelimits", "lspace", "rspace", "minsize", "maxsize"]),
    ("mi", &["mathvariant"]),
    ("mspace", &["width", "height", "depth"]),
    ("mfrac", &["linethickness"]),
    ("mstyle", &["displaystyle", "scriptlevel"]),
    ("mrow", &["displaystyle", "scriptlevel"]),
    ("munder", &["accentunder"]),
    ("mover", &["accent"]),
    ("ol", &["start"]),
];

/// Classes that tables of formulas are aligned by, and the one of formulas that cannot be set.
const CLASSES: [(&str, &[&str]); 5] = [
    ("mtable", &["menv-alignlike", "menv-align", "menv-arraylike", "menv-cells-left", "menv-cells-right", "menv-cases", "menv-multline"]),
    ("mtd", &["menv-left-solid", "menv-right-solid", "menv-left-dashed", "menv-right-dashed"]),
    ("mrow", &["mop-negated"]),
    ("math", &["boxed"]),
    ("code", &["tex"]),
];

static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = ammonia::Builder::empty();
    let attributes: HashMap<_, HashSet<_>> =
        ATTRIBUTES.iter().map(|&(element, names)| (element, names.iter().copied().collect())).collect();
    let classes: HashMap<_, HashSet<_>> = CLASSES.iter().map(|&(element, names)| (element, names.iter().copied().collect())).collect();
    cleaner.tags(ELEMENTS.into_iter().chain(MATHML).collect()).tag_attributes(attributes).allowed_classes(classes);
    cleaner
});

/// A response, cut where its reasoning ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// What stands between `<think>` at the start and the first `</think>`, if both are there.
    pub(super) reasoning: Option<&'a str>,
    /// The rest; the whole response if it has no reasoning of that form.
    pub(super) summary: &'a str,
}

/// Cuts a response.
pub(super) fn split_response(text: &str) -> Parts<'_> {
    let body = text.trim_start().strip_prefix("<think>");
    match body.and_then(|body| body.split_once("</think>")) {
        Some((reasoning, summary)) => Parts { reasoning: Some(reasoning.trim()), summary: summary.trim() },
        None => Parts { reasoning: None, summary: text },
    }
}

/// Markdown with LaTeX as safe HTML. Lines stay lines, as models mean them.
pub(super) fn to_html(text: &str) -> String {
    let openers = |line: &str| line.len() - line.trim_start_matches(|c: char| c.is_whitespace() || ">-*+".contains(c)).len();
    if text.len() > MAX_BYTES || text.lines().any(|line| openers(line) > MAX_OPENERS) {
        return as_written(text);
    }
    let source = Source::read(text);
    let events = TextMergeStream::new(Parser::new_ext(&source.text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH));
    let mut shown = Vec::new();
    let mut targets = Vec::new();
    let mut depth = 0_usize;
    for event in events {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return as_written(text);
        }
        show(event, &source, &mut targets, &mut shown);
    }
    let mut unclean = String::new();
    html::push_html(&mut unclean, shown.into_iter());
    CLEANER.clean(&unclean).to_string()
}

/// Text as it is written, as HTML.
pub(super) fn as_written(text: &str) -> String {
    format!("<pre>{}</pre>", ammonia::clean_text(text))
}

/// Replaces what could reach beyond the text: raw HTML becomes text, links and pictures become text with their address.
fn show<'a>(event: Event<'a>, source: &Source<'a>, targets: &mut Vec<CowStr<'a>>, shown: &mut Vec<Event<'a>>) {
    match event {
        Event::Text(text) | Event::InlineHtml(text) => show_text(&text, source, shown),
        Event::Html(html) => {
            for line in html.lines() {
                show_text(line, source, shown);
                shown.push(Event::HardBreak);
            }
        }
        Event::Code(code) => shown.push(Event::Code(source.restore(&code).into())),
        Event::SoftBreak => shown.push(Event::HardBreak),
        Event::Start(Tag::HtmlBlock) => shown.push(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => shown.push(Event::End(TagEnd::Paragraph)),
        // The page has headings of its own above.
        Event::Start(Tag::Heading { level, .. }) => {
            shown.push(Event::Start(Tag::Heading { level: lower(level), id: None, classes: Vec::new(), attrs: Vec::new() }));
        }
        Event::End(TagEnd::Heading(level)) => shown.push(Event::End(TagEnd::Heading(lower(level)))),
        Event::Start(Tag::Link { dest_url, .. }) => targets.push(dest_url),
        Event::Start(Tag::Image { dest_url, .. }) => {
            shown.push(Event::Text("[image: ".into()));
            targets.push(dest_url);
        }
        Event::End(end @ (TagEnd::Link | TagEnd::Image)) => {
            let close = if end == TagEnd::Image { "]" } else { "" };
            let target = targets.pop().map(|target| source.restore(&target)).unwrap_or_default();
            shown.push(Event::Text(format!("{close} ({target})").into()));
        }
        other => shown.push(other),
    }
}

fn show_text<'a>(text: &str, source: &Source<'a>, shown: &mut Vec<Event<'a>>) {
    for (before, formula) in source.pieces(text) {
        if !before.is_empty() {
            shown.push(Event::Text(before.to_owned().into()));
        }
        if let Some(formula) = formula {
            shown.push(Event::InlineHtml(formula_html(formula).into()));
        }
    }
}

/// A formula as MathML, or as it is written where that cannot be.
fn formula_html(formula: &Formula<'_>) -> String {
    formula.mathml().unwrap_or_else(|| format!("<code class=\"tex\">{}</code>", ammonia::clean_text(formula.written)))
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    HeadingLevel::try_from((level as usize + 2).min(6)).unwrap_or(HeadingLevel::H6)
}

/// Whether an element may be in what is shown.
#[cfg(test)]
pub(super) fn is_allowed(name: &str) -> bool {
    ELEMENTS.contains(&name) || MATHML.contains(&name)
}
