//! Reading which of two values each name is given: roles of people, truth values of variables.

use super::answer::{Unread, starts_with_name, starts_with_word};

/// Words between a name and its value that turn the value round.
pub(super) const NEGATIONS: [&str; 12] = ["not", "isn't", "no", "never", "cannot", "can't", "aren't", "wasn't", "不是", "并非", "¬", "~"];

/// Words that make a sentence say less than which value is given.
pub(super) const HEDGES: [&str; 12] =
    ["if", "or", "either", "neither", "nor", "unless", "iff", "hardly", "impossible", "如果", "或者", "要么"];

/// A word that gives a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct ValueWord {
    /// The word, in any case; a plural `s` may follow.
    pub(super) word: &'static str,
    /// The value it gives.
    pub(super) value: bool,
    /// Whether it counts only behind a sign such as `=` or `:`, since it is short and means other things elsewhere.
    pub(super) marked: bool,
}

/// What is said of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Whether it is given the value `true`.
    pub(super) yes: bool,
    /// Whether it is given the value `false`.
    pub(super) no: bool,
}

impl Said {
    fn add(&mut self, value: bool) {
        if value { self.yes = true } else { self.no = true }
    }

    /// The value if exactly one is given.
    pub(super) fn value(self) -> Option<bool> {
        (self.yes != self.no).then_some(self.yes)
    }
}

/// Reads names and values from left to right: `A: knight, B and C are knaves`, `A is not a knave`, `x1=true`, `Knights: A, C; knaves: B`.
///
/// Names wait for the next value; a value with a colon behind it and no names waiting takes the names that follow. The result has one
/// entry for each name, in their order.
///
/// # Errors
/// [`Unread::Nothing`] if no value is given, or a value without a name, or with a hedge such as "or".
pub(super) fn read(names: &[&str], words: &[ValueWord], text: &str) -> Result<Vec<Said>, Unread> {
    // Longest first, so that a name never hides one that begins with it.
    let mut by_length: Vec<usize> = (0..names.len()).filter(|&idx| !names[idx].is_empty()).collect();
    by_length.sort_by_key(|&idx| std::cmp::Reverse(names[idx].len()));
    let mut said = vec![Said::default(); names.len()];
    let mut waiting: Vec<usize> = Vec::new();
    let (mut heading, mut last, mut negated, mut is_marked) = (None, None, false, false);
    let mut rest = text;
    let mut previous = ' ';
    while let Some(c) = rest.chars().next() {
        let mut step = c.len_utf8();
        if let Some(&idx) = by_length.iter().find(|&&idx| starts_with_name(rest, names[idx], previous)) {
            step = names[idx].len();
            match heading {
                Some(value) => said[idx].add(value),
                None => waiting.push(idx),
            }
            is_marked = false;
        } else if let Some(found) = words.iter().find(|word| gives_value(rest, word, previous, is_marked)) {
            step = found.word.len();
            let behind = rest[step..].trim_start_matches(|c: char| c == 's' || c.is_whitespace() || matches!(c, '"' | '\''));
            if !waiting.is_empty() {
                waiting.drain(..).for_each(|idx| said[idx].add(found.value != negated));
                last = Some(found.value != negated);
            } else if negated && last == Some(!found.value) {
                // "A is a knight, not a knave" says one thing twice.
            } else if behind.starts_with([':', '：']) && !negated {
                (heading, last) = (Some(found.value), Some(found.value));
            } else {
                return Err(Unread::Nothing(format!("'{}' stands without a name", found.word)));
            }
            (negated, is_marked) = (false, false);
        } else if let Some(word) = NEGATIONS.iter().find(|word| starts_with_word(rest, word, previous)) {
            (negated, step) = (!negated, word.len());
        } else if let Some(word) = HEDGES.iter().find(|word| starts_with_word(rest, word, previous)) {
            return Err(Unread::Nothing(format!("'{word}' leaves it open")));
        } else if matches!(c, '=' | ':' | '：' | '|' | '→' | '↦' | '>' | '是' | '为') || starts_with_word(rest, "is", previous) {
            (is_marked, step) = (true, if c == 'i' || c == 'I' { 2 } else { step });
        } else if !c.is_whitespace() && c != '"' {
            is_marked = false;
        }
        previous = rest[..step].chars().next_back().unwrap_or(' ');
        rest = &rest[step..];
    }
    if last.is_some() { Ok(said) } else { Err(Unread::Nothing("gives nobody a value".into())) }
}

/// Whether `text` begins with this word. Plurals and endings may follow a word in letters, but nothing may stand before it.
fn gives_value(text: &str, word: &ValueWord, previous: char, is_marked: bool) -> bool {
    if word.marked {
        return is_marked && starts_with_word(text, word.word, previous);
    }
    let plural = |text: &str| text.get(..word.word.len() + 1).is_some_and(|start| start.ends_with(['s', 'S']));
    let start = text.get(..word.word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.word));
    start
        && (starts_with_word(text, word.word, previous)
            || (plural(text) && starts_with_word(&text[..word.word.len()], word.word, previous)))
}
