//! Words by Unicode segmentation (UAX 29), each with its script; Thai by the dictionary of ICU.

use std::sync::LazyLock;

use icu_segmenter::options::WordBreakInvariantOptions;
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};
use unicode_script::{Script as UnicodeScript, UnicodeScript as _};
use unicode_segmentation::UnicodeSegmentation;

use super::prose::{Piece, pieces};
use super::runs::Gap;

/// The writing systems that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Latin,
    Han,
    /// Hiragana and katakana.
    Kana,
    Hangul,
    Cyrillic,
    Arabic,
    Devanagari,
    Thai,
    /// Any other, or several within one word.
    Other,
}

/// A word, or what may be one: the Latin rules decide later about names and identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) script: Script,
    /// What stands between it and the token before.
    pub(super) gap: Gap,
    /// Whether a sentence or line begins with it, so that its capital letter says nothing.
    pub(super) is_initial: bool,
}

/// Adds the words of a paragraph to `tokens`.
pub(super) fn tokenize<'a>(paragraph: &'a str, tokens: &mut Vec<Token<'a>>) {
    let mut reader = Reader { tokens, gap: Gap::Word, is_initial: true };
    pieces(paragraph, |piece| match piece {
        Piece::Text(text) => reader.text(text),
        Piece::Notation => reader.is_initial = false,
    });
}

struct Reader<'t, 'a> {
    tokens: &'t mut Vec<Token<'a>>,
    gap: Gap,
    is_initial: bool,
}

impl<'a> Reader<'_, 'a> {
    fn text(&mut self, text: &'a str) {
        for (line_idx, line) in text.split('\n').enumerate() {
            if line_idx > 0 {
                self.gap = self.gap.max(Gap::Line);
                self.is_initial = true;
            }
            for chunk in line.split_whitespace() {
                self.chunk(chunk);
            }
        }
    }

    /// Reads what stands between two spaces. URLs, addresses and paths within it are passed over.
    fn chunk(&mut self, chunk: &'a str) {
        let may_refer = chunk.starts_with("www.") || chunk.bytes().any(|byte| matches!(byte, b'/' | b'@' | b':' | b'\\'));
        // Chinese text has no spaces around a URL: only a stretch of ASCII can be one.
        let (mut start, mut at) = (0, 0);
        while may_refer && at < chunk.len() {
            let is_ascii = chunk.as_bytes()[at].is_ascii();
            let end = chunk[at..].find(|c: char| c.is_ascii() != is_ascii).map_or(chunk.len(), |offset| at + offset);
            if is_ascii && is_reference(&chunk[at..end]) {
                self.segments(&chunk[start..at]);
                self.is_initial = false;
                start = end;
            }
            at = end;
        }
        self.segments(&chunk[start..]);
    }

    fn segments(&mut self, chunk: &'a str) {
        let mut rest = chunk;
        // Thai is not segmented by UAX 29.
        while let Some(start) = rest.find(is_thai) {
            let (before, thai) = rest.split_at(start);
            let (thai, behind) = thai.split_at(thai.find(|c| !is_thai(c)).unwrap_or(thai.len()));
            self.unicode_words(before);
            self.thai_words(thai);
            rest = behind;
        }
        self.unicode_words(rest);
    }

    fn unicode_words(&mut self, text: &'a str) {
        for (at, segment) in text.split_word_bound_indices() {
            match segment.chars().next() {
                Some(c) if c.is_alphanumeric() || c == '_' => self.word(segment, &text[at + segment.len()..]),
                Some(c) => self.punctuation(c),
                None => {}
            }
        }
    }

    fn punctuation(&mut self, mark: char) {
        let gap = match mark {
            '.' | '!' | '?' | '…' | '。' | '！' | '？' | '．' | '؟' | '۔' | '।' | '॥' => Gap::Sentence,
            '-' | '\'' | '’' | '*' | '_' | '#' | '/' | '\u{200c}' | '\u{200d}' => return,
            _ => Gap::Clause,
        };
        self.gap = self.gap.max(gap);
        self.is_initial |= gap == Gap::Sentence || matches!(mark, ':' | '：');
    }

    /// Reads one segment that begins with a letter, a digit or an underscore.
    fn word(&mut self, segment: &'a str, behind: &str) {
        // Underscores around a word are emphasis.
        let segment = segment.trim_matches('_');
        let has_digits = segment.bytes().any(|byte| byte.is_ascii_digit() || byte == b'_');
        if segment.is_ascii() {
            if !segment.is_empty() && !has_digits && !is_call(behind) {
                return self.dotted(segment);
            }
            self.is_initial = false;
            return;
        }
        let mut start = 0;
        while start < segment.len() {
            let (script, end) = script_run(segment, start);
            // `x1` is an identifier, but the counter of `3개` is a word.
            match script {
                Some(Script::Latin) if has_digits => self.is_initial = false,
                Some(Script::Latin) => self.dotted(&segment[start..end]),
                Some(script) => self.push(&segment[start..end], script),
                None => self.is_initial = false,
            }
            start = end;
        }
    }

    /// Reads letters that full stops may join: `np.array` and `e.g` are no words, `done.Then` is two.
    fn dotted(&mut self, text: &'a str) {
        let Some(at) = text.find('.') else { return self.push(text, Script::Latin) };
        let behind = &text[at + 1..];
        let is_two_sentences = text[..at].chars().count() > 1 && behind.chars().next().is_some_and(char::is_uppercase);
        if is_two_sentences && !behind.contains('.') {
            self.push(&text[..at], Script::Latin);
            self.punctuation('.');
            self.push(behind, Script::Latin);
        } else {
            self.is_initial = false;
        }
    }

    fn thai_words(&mut self, text: &'a str) {
        let mut start = 0;
        for end in THAI.segment_str(text) {
            let word = &text[start..end];
            start = end;
            if word.chars().any(char::is_alphabetic) {
                self.push(word, Script::Thai);
            }
        }
    }

    fn push(&mut self, text: &'a str, script: Script) {
        self.tokens.push(Token { text, script, gap: self.gap, is_initial: self.is_initial });
        (self.gap, self.is_initial) = (Gap::Word, false);
    }
}

/// The segmenter by dictionary: compiled-in data, no state.
static THAI: LazyLock<WordSegmenterBorrowed<'static>> =
    LazyLock::new(|| WordSegmenter::new_dictionary(WordBreakInvariantOptions::default()));

fn is_thai(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{e7f}')
}

/// Whether what stands behind a word makes it the name of a function: a bracket that is not that of a plural, as in `apple(s)`.
fn is_call(behind: &str) -> bool {
    let Some(arguments) = behind.strip_prefix('(') else { return false };
    let is_plural =
        ["s)", "es)", "e)", "n)", "en)", "er)", "in)", "innen)", "r)", "a)", "as)", "i)"].iter().any(|end| arguments.starts_with(end));
    !is_plural && arguments.bytes().next().is_none_or(|byte| byte.is_ascii())
}

/// The script of the letters from `start` on and where they end; `None` for letters of no script, such as `ℝ` and digits.
///
/// Letters of scripts that are written together, as in Korean `AI가`, are apart; mixed alphabets make one word of no language.
fn script_run(segment: &str, start: usize) -> (Option<Script>, usize) {
    let mut found = None;
    for (offset, c) in segment[start..].char_indices() {
        match (found, script_of(c)) {
            (_, None) => {}
            (None, script) => found = script,
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) if is_alphabet(a) && is_alphabet(b) => found = Some(Script::Other),
            _ => return (found, start + offset),
        }
    }
    (found, segment.len())
}

fn is_alphabet(script: Script) -> bool {
    matches!(script, Script::Latin | Script::Cyrillic | Script::Other)
}

fn script_of(c: char) -> Option<Script> {
    if c.is_ascii() {
        return c.is_ascii_alphabetic().then_some(Script::Latin);
    }
    match c.script() {
        UnicodeScript::Latin => Some(Script::Latin),
        UnicodeScript::Han => Some(Script::Han),
        UnicodeScript::Hiragana | UnicodeScript::Katakana => Some(Script::Kana),
        UnicodeScript::Hangul => Some(Script::Hangul),
        UnicodeScript::Cyrillic => Some(Script::Cyrillic),
        UnicodeScript::Arabic => Some(Script::Arabic),
        UnicodeScript::Devanagari => Some(Script::Devanagari),
        UnicodeScript::Thai => Some(Script::Thai),
        // Marks, digits and the prolonged sound mark belong to the letters around them.
        UnicodeScript::Common | UnicodeScript::Inherited | UnicodeScript::Unknown => None,
        _ => Some(Script::Other),
    }
}

/// Whether a stretch of ASCII without spaces is a URL, an e-mail address or a file path.
fn is_reference(part: &str) -> bool {
    let part = part.trim_matches(|c: char| "()[]{}\"'.,;:!?*".contains(c) && c != '.').trim_end_matches('.');
    if part.contains("://") || part.starts_with("www.") {
        return true;
    }
    if let Some((name, host)) = part.split_once('@') {
        return !name.is_empty() && host.contains('.');
    }
    let has_drive = part.as_bytes().get(1..3) == Some(b":\\");
    let is_rooted = ["./", "../", "~/"].iter().any(|root| part.starts_with(root)) || has_drive;
    let Some((first, behind)) = part.split_once('/') else { return is_rooted };
    let last = behind.rsplit('/').next().unwrap_or(behind);
    let has_extension = last.rsplit_once('.').is_some_and(|(_, extension)| {
        (1..=5).contains(&extension.len())
            && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && !extension.bytes().all(|byte| byte.is_ascii_digit())
    });
    let is_host = first
        .split_once('.')
        .is_some_and(|(name, top)| name.len() > 1 && top.len() > 1 && top.bytes().all(|b| b.is_ascii_alphabetic() || b == b'.'));
    is_rooted || has_extension || is_host || (first.is_empty() && behind.contains('/') && behind.len() > 3)
}
