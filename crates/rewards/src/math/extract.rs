//! Finding the answer in free text, in time linear in its length.

use std::ops::Range;

use serde::{Deserialize, Serialize};

mod rest;

/// An answer and where it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extracted<'a> {
    /// The answer as written, trimmed.
    pub text: &'a str,
    /// The mark that made it an answer.
    pub place: Place,
}

/// What marks an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// `<answer>…</answer>`; a box or a phrase inside comes first.
    Tag,
    /// `\boxed{…}`, `\fbox{…}`, `\framebox{…}`, `\boxed 5`.
    Boxed,
    /// A `#### …` line, as GSM8K writes it.
    Hashes,
    /// "the answer is …", "**Answer:** …", "答案是…".
    Phrase,
    /// The last formula in `$…$`, `$$…$$`, `\(…\)` or `\[…\]`, if nothing but words ends the text behind it. A `$` or `\(` that a line
    /// break parts from its content marks none.
    Math,
    /// The last line: as a whole if it is bare, else the last expression in it.
    Rest,
}

impl Place {
    /// The place in words, for reasons.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "in <answer>",
            Self::Boxed => "in \\boxed",
            Self::Hashes => "after ####",
            Self::Phrase => "after 'answer is'",
            Self::Math => "in the last formula",
            Self::Rest => "at the end",
        }
    }
}

/// Which of several answers at one place counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Several {
    /// The last one.
    #[default]
    Last,
    /// All of them: they must agree.
    AllAgree,
}

/// How answers are looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extraction {
    /// Places, strongest first; the first one that holds an answer decides.
    pub order: Vec<Place>,
    /// Which of several answers at that place counts.
    #[serde(default)]
    pub several: Several,
}

impl Default for Extraction {
    fn default() -> Self {
        let order = vec![Place::Tag, Place::Boxed, Place::Hashes, Place::Phrase, Place::Math, Place::Rest];
        Self { order, several: Several::Last }
    }
}

/// The answers of a completion at the strongest place that has any, in the order of the text: one for [`Several::Last`], all for
/// [`Several::AllAgree`], none if nothing is marked as an answer.
///
/// Tags, boxes and hashes count anywhere; a "final answer" in mathematics behind the last box takes the place of the boxes. Phrases, formulas and unmarked text count only behind the reasoning: a `<think>` that
/// never closes holds no answer, so that a completion cut off in the middle earns nothing by chance. A last `<answer>` that is empty
/// says that there is no answer: weaker places are not looked at.
pub fn candidates<'a>(text: &'a str, extraction: &Extraction) -> Vec<Extracted<'a>> {
    for &place in &extraction.order {
        let mut found = match place {
            Place::Tag => tags(text),
            Place::Boxed => {
                let frames = frames(text);
                // "The final answer is 5" behind a box of something else takes its place.
                let last = frames.last().filter(|_| extraction.several == Several::Last && extraction.order.contains(&Place::Phrase));
                if let Some(text) = last.and_then(|last| final_answer_behind(text, last.outside.end)) {
                    return vec![Extracted { text, place: Place::Phrase }];
                }
                answers_in(text, &frames)
            }
            Place::Hashes => hashes(text),
            Place::Phrase => behind_reasoning(text).map(phrases).unwrap_or_default(),
            Place::Math => behind_reasoning(text).and_then(rest::last_formula).into_iter().collect(),
            Place::Rest => behind_reasoning(text).and_then(rest::last_expression).into_iter().collect(),
        };
        let empty_tag = place == Place::Tag && found.last().is_some_and(|last| last.trim().is_empty());
        if empty_tag {
            return Vec::new();
        }
        found.retain(|text| !text.trim().is_empty());
        if extraction.several == Several::Last {
            // Only the last one stays.
            found.drain(..found.len().saturating_sub(1));
        }
        if !found.is_empty() {
            return found.into_iter().map(|text| Extracted { text: text.trim(), place }).collect();
        }
    }
    Vec::new()
}

/// The mathematics that a "final answer" announces behind a byte of the text, and behind the reasoning.
fn final_answer_behind(text: &str, at: usize) -> Option<&str> {
    let reasoning = text.len() - behind_reasoning(text)?.len();
    let behind = &text[at.max(reasoning)..];
    let said = ["inal answer", "inal Answer", "INAL ANSWER"].iter().filter_map(|words| behind.find(words)).min()?;
    let behind = &behind[said..];
    let answer = phrases(behind).into_iter().next()?;
    // What another sentence announces is another answer.
    let between = &behind[..answer.as_ptr().addr() - behind.as_ptr().addr()];
    let is_of_one_sentence = ![". ", ".\n", "! "].iter().any(|end| between.contains(end));
    Some(answer.trim()).filter(|answer| is_of_one_sentence && rest::is_value(answer))
}

/// What stands after the last `</think>`; the whole text if it has no reasoning tags; `None` if the reasoning never closes.
fn behind_reasoning(text: &str) -> Option<&str> {
    match text.rfind("</think>") {
        Some(at) => {
            let rest = &text[at + "</think>".len()..];
            (!rest.contains("<think>")).then_some(rest)
        }
        None => (!text.contains("<think>")).then_some(text),
    }
}

/// The insides of all `<answer>…</answer>`, each narrowed to the box or phrase that it may hold.
fn tags(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find("</answer>") {
        if let Some(start) = rest[..end].rfind("<answer>") {
            let inside = &rest[start + "<answer>".len()..end];
            let marked = boxes(inside).pop().or_else(|| hashes(inside).pop()).or_else(|| phrases(inside).pop());
            found.push(marked.unwrap_or(inside));
        }
        rest = &rest[end + "</answer>".len()..];
    }
    found
}

/// A box: all of it, and its inside.
#[derive(Clone, Debug)]
struct Frame {
    outside: Range<usize>,
    inside: Range<usize>,
}

/// The insides of all boxes that close and stand in no other box; boxes in a row that a comma or an "and" joins are one answer.
fn boxes(text: &str) -> Vec<&str> {
    answers_in(text, &frames(text))
}

/// The answers in boxes that were found.
fn answers_in<'a>(text: &'a str, frames: &[Frame]) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < frames.len() {
        let mut last = at;
        let mut formulas = false;
        let mut start = frames[at].outside.start;
        while let Some(next) = frames.get(last + 1) {
            let between = &text[frames[last].outside.end..next.outside.start];
            let Some(joint) = joint(between) else { break };
            // `x = \boxed{1} and y = \boxed{2}`: all of them have a name, or none.
            if joint == Joint::Named && last == at {
                start -= name_before(&text[..start]);
            }
            if (joint == Joint::Named) != (start < frames[at].outside.start) {
                break;
            }
            formulas |= between.contains('$');
            last += 1;
        }
        found.push(if last == at {
            &text[frames[at].inside.clone()]
        } else {
            let end = frames[last].outside.end;
            // `$\boxed{1}$ and $\boxed{2}$`
            let wider = formulas && text[..start].ends_with('$') && text[end..].starts_with('$');
            if wider { &text[start - 1..=end] } else { &text[start..end] }
        });
        at = last + 1;
    }
    found
}

/// What joins two boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joint {
    /// A comma, "and", "or"; perhaps with "for part (a)" in front.
    Plain,
    /// That, and the name of the second box: `and y =`.
    Named,
}

/// How a text between two boxes makes them parts of one answer, if it does.
fn joint(between: &str) -> Option<Joint> {
    /// Longer than any joint with its spaces.
    const MAX_BYTES: usize = 60;
    const DRESSING: [&str; 14] =
        ["\\qquad", "\\quad", "\\text{", "\\textrm{", "\\mathrm{", "\\,", "\\;", "\\:", "\\ ", "\\(", "\\)", "}", "$", "~"];
    if between.len() > MAX_BYTES {
        return None;
    }
    let name = name_before(between);
    let mut joint = between[..between.len() - name].to_owned();
    for dressing in DRESSING {
        joint = joint.replace(dressing, " ");
    }
    let words: Vec<&str> = joint.split_whitespace().collect();
    let words = if let ["for", "part", _, rest @ ..] = words.as_slice() { rest } else { &words };
    let joins = matches!(words, ["," | ";" | "，" | "；" | "、" | "and" | "or" | "和" | "或" | "&"] | [",", "and" | "or"]);
    joins.then_some(if name > 0 { Joint::Named } else { Joint::Plain })
}

/// The length of `x =` or `y_1 =` at the end of a text; 0 if it ends with no name.
fn name_before(text: &str) -> usize {
    let Some(named) = text.trim_end().strip_suffix('=') else { return 0 };
    let named = named.trim_end();
    let letters = named.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '{' | '}' | '\\'));
    let name = &named[letters.len()..];
    let plain = name.trim_start_matches('\\');
    let indexed = plain.split_once('_').map_or(plain, |(letter, _)| letter);
    let is_name = indexed.starts_with(|c: char| c.is_ascii_alphabetic()) && (indexed.len() == 1 || plain.len() < name.len());
    if is_name && name.matches('{').count() == name.matches('}').count() { text.len() - letters.len() } else { 0 }
}

/// The answers of all boxes of a text as a list, if they stand in one sentence with at most a few words between them. In a gold answer,
/// which nobody revises, all of them are meant.
pub(super) fn boxes_of_one_sentence(text: &str) -> Option<String> {
    /// Words that may say what a box counts: "apples and".
    const MAX_WORDS: usize = 4;
    if !text.contains("box") {
        return None;
    }
    let frames = frames(text);
    let beside = |pair: &[Frame]| {
        let between = &text[pair[0].outside.end..pair[1].outside.start];
        let words = between.split_whitespace().filter(|word| word.contains(char::is_alphabetic)).count();
        words <= MAX_WORDS && !between.contains(['.', '=', '\n', '?', '!'])
    };
    let several = frames.len() > 1 && frames.windows(2).all(beside);
    several.then(|| frames.iter().map(|frame| text[frame.inside.clone()].trim()).collect::<Vec<_>>().join(", "))
}

/// What stands in the box of a text that is nothing else but lost the brace that closes it. A box at the end of a longer text may lack
/// more than that.
pub(super) fn unclosed_box(text: &str) -> Option<&str> {
    let inside = text.trim_start_matches(['$', ' ', '\\']).strip_prefix("boxed{")?;
    (inside.matches('{').count() == inside.matches('}').count()).then_some(inside)
}

/// All boxes that close, stand in no other box and are not empty, in one pass.
fn frames(text: &str) -> Vec<Frame> {
    const COMMANDS: [&str; 3] = ["\\boxed", "\\fbox", "\\framebox"];
    let bytes = text.as_bytes();
    let mut found: Vec<Frame> = Vec::new();
    // Where each open brace's content begins, and where its box begins if the brace belongs to one.
    let mut open: Vec<(usize, Option<usize>)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                let rest = &text[at..];
                // `\\\\boxed`: a backslash that was escaped once too often, or the end of a line without a backslash for the box.
                let escaped = rest.strip_prefix('\\').filter(|rest| rest.starts_with('\\')).unwrap_or(rest);
                let command = COMMANDS.iter().find(|command| escaped.starts_with(**command));
                let begin = at;
                at += rest.len() - escaped.len();
                let Some(command) = command else {
                    at = begin;
                    // An escaped brace is no brace; other characters may be more than one byte long.
                    at += if matches!(bytes.get(at + 1), Some(b'{' | b'}' | b'\\')) { 2 } else { 1 };
                    continue;
                };
                at += command.len();
                let spaces = bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                if bytes.get(at + spaces) == Some(&b'{') {
                    at += spaces + 1;
                    open.push((at, Some(begin)));
                } else if let Some(len) = bare_box(&text[at..]) {
                    found.push(Frame { outside: begin..at + len, inside: at..at + len });
                    at += len;
                }
            }
            b'{' => {
                at += 1;
                open.push((at, None));
            }
            b'}' => {
                if let Some((start, Some(begin))) = open.pop() {
                    while found.last().is_some_and(|inner| inner.inside.start >= start) {
                        found.pop();
                    }
                    found.push(Frame { outside: begin..at + 1, inside: start..at });
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    found.retain(|frame| !text[frame.inside.clone()].trim().is_empty());
    found
}

/// The length of what `\boxed` without braces encloses: the next word, as in `\boxed 5`.
fn bare_box(rest: &str) -> Option<usize> {
    let body = rest.trim_start_matches(' ');
    let gap = rest.len() - body.len();
    if gap == 0 && !body.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let len = body.find(|c: char| c.is_whitespace() || matches!(c, '$' | '}' | '。' | '，')).unwrap_or(body.len());
    let word = body[..len].trim_end_matches(['.', ',', ';']).trim_end_matches("\\)").trim_end_matches("\\]");
    (!word.is_empty()).then_some(gap + word.len())
}

/// What follows each `####` on its line.
fn hashes(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("####") {
        let line = rest[at..].lines().next().unwrap_or_default();
        found.push(line.trim_start_matches('#'));
        rest = &rest[at + line.len()..];
    }
    found
}

/// What follows each phrase that announces an answer, to the end of its sentence.
fn phrases(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = next_phrase(text, from) {
        let sentence = rest::sentence(&text[start..]);
        // The search goes on behind the answer, so that each byte is looked at once.
        from = start + sentence.end;
        let mut begin = start + sentence.start;
        // "Final answer: the final answer is 5."
        while let Some(next) = next_phrase(&text[..from], begin).filter(|&next| !text[next..from].trim().is_empty()) {
            begin = next;
        }
        found.push(rest::narrowed(&text[begin..from]));
    }
    found
}

/// Where the answer behind the next phrase begins.
fn next_phrase(text: &str, mut from: usize) -> Option<usize> {
    loop {
        let rest = text.get(from..)?;
        let at = rest.find(['n', 'N', '答', 'e'])?;
        let before = &text[..from + at];
        let word = ["nswer", "NSWER", "答案"].iter().find(|word| rest[at..].starts_with(**word)).or_else(|| {
            // "The correct option is (A)."
            let last = if before.ends_with("orrect optio") { "n" } else { "e" };
            let named = before.ends_with("orrect optio") || before.ends_with("orrect choic");
            (named && rest[at..].starts_with(last)).then_some(if last == "n" { &"n" } else { &"e" })
        });
        let Some(word) = word else {
            from += at + rest[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        let len = word.len();
        let behind = &rest[at + len..];
        let announced = if word.starts_with('答') { announced_in_chinese(behind) } else { announced(behind) };
        from += at + len;
        if let Some(skipped) = announced {
            return Some(from + skipped);
        }
    }
}

/// The length of "is", ":" and so on behind the word "answer".
fn announced(behind: &str) -> Option<usize> {
    let mut rest = behind.strip_prefix(['s', 'S']).unwrap_or(behind);
    rest = rest.trim_start_matches(['*', '_', ' ']);
    // "the answer to the question is 5": the verb stands in the same sentence, not far.
    if rest.starts_with("to ") || rest.starts_with("for ") {
        let near = rest.char_indices().nth(100).map_or(rest, |(end, _)| &rest[..end]);
        let near = near.split(['.', '\n', '?', '$', '\\']).next().unwrap_or_default();
        let verb = near.find(" is ")?;
        rest = &rest[verb + 1..];
    }
    for verb in [":", "：", "=", "is", "are", "IS", "was", "would be", "should be", "must be", "will be", "equals", "has to be"] {
        let Some(tail) = rest.strip_prefix(verb) else { continue };
        let word_ends = !verb.ends_with(char::is_alphabetic) || !tail.starts_with(|c: char| c.is_ascii_alphanumeric());
        if word_ends {
            rest = tail.trim_start_matches(['*', '_', ' ']);
            rest = rest.strip_prefix("therefore ").or_else(|| rest.strip_prefix("thus ")).unwrap_or(rest);
            rest = rest.trim_start_matches([':', '：', ' ', '*']);
            return Some(behind.len() - rest.len());
        }
    }
    None
}

fn announced_in_chinese(behind: &str) -> Option<usize> {
    let rest = behind.trim_start_matches(['*', ' ']);
    let tail = ["应该是", "应为", "就是", "是", "为", "：", ":", "等于"].iter().find_map(|mark| rest.strip_prefix(mark))?;
    let tail = tail.trim_start_matches([':', '：', ' ', '*']);
    Some(behind.len() - tail.len())
}

#[cfg(test)]
mod tests;
