//! Finding the answer in free text, in time linear in its length.

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
    /// The last formula in `$…$`, `$$…$$`, `\(…\)` or `\[…\]`, if nothing but words ends the text behind it.
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
/// Tags, boxes and hashes count anywhere. Phrases, formulas and unmarked text count only behind the reasoning: a `<think>` that
/// never closes holds no answer, so that a completion cut off in the middle earns nothing by chance. A last `<answer>` that is empty
/// says that there is no answer: weaker places are not looked at.
pub fn candidates<'a>(text: &'a str, extraction: &Extraction) -> Vec<Extracted<'a>> {
    for &place in &extraction.order {
        let mut found = match place {
            Place::Tag => tags(text),
            Place::Boxed => boxes(text),
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

/// The insides of all boxes that close and stand in no other box, in one pass.
fn boxes(text: &str) -> Vec<&str> {
    const COMMANDS: [&str; 3] = ["\\boxed", "\\fbox", "\\framebox"];
    let bytes = text.as_bytes();
    let mut found: Vec<(usize, usize)> = Vec::new();
    // Where each open brace's content begins, and whether the brace belongs to a box.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                let rest = &text[at..];
                let command = COMMANDS.iter().find(|command| rest.starts_with(**command));
                let Some(command) = command else {
                    // An escaped brace is no brace; other characters may be more than one byte long.
                    at += if matches!(bytes.get(at + 1), Some(b'{' | b'}' | b'\\')) { 2 } else { 1 };
                    continue;
                };
                at += command.len();
                let spaces = bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                if bytes.get(at + spaces) == Some(&b'{') {
                    at += spaces + 1;
                    open.push((at, true));
                } else if let Some(len) = bare_box(&text[at..]) {
                    found.push((at, at + len));
                    at += len;
                }
            }
            b'{' => {
                at += 1;
                open.push((at, false));
            }
            b'}' => {
                if let Some((start, true)) = open.pop() {
                    while found.last().is_some_and(|&(inner, _)| inner >= start) {
                        found.pop();
                    }
                    found.push((start, at));
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    found.into_iter().map(|(start, end)| &text[start..end]).collect()
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
        found.push(rest::narrowed(&text[start..][sentence]));
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
