//! Reasoning as it is written, one line after the other.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Words;
use crate::synthetic::SyntheticLanguage;

#[derive(Debug)]
pub(super) struct Pen {
    pub(super) text: String,
    /// The language of the response.
    pub(super) language: SyntheticLanguage,
    /// Whether each line picks its language anew.
    is_mixed: bool,
    /// Whether the next line goes on behind a word that already stands on its own line.
    is_open: bool,
}

impl Pen {
    pub(super) fn new(language: SyntheticLanguage, is_mixed: bool) -> Self {
        Self { text: String::new(), language, is_mixed, is_open: false }
    }

    /// Starts a line and says whose words it uses.
    pub(super) fn line(&mut self, rng: &mut ChaCha8Rng) -> SyntheticLanguage {
        if !self.text.is_empty() && !std::mem::take(&mut self.is_open) {
            self.text.push('\n');
        }
        if self.is_mixed && rng.random_bool(0.5) { self.language.other() } else { self.language }
    }

    /// Writes a line that begins with a word of the table.
    pub(super) fn write(&mut self, word: fn(&Words) -> &'static str, rest: &str, rng: &mut ChaCha8Rng) {
        let words = Words::of(self.line(rng));
        self.text.push_str(word(words));
        self.text.push_str(rest);
    }

    /// Writes "wait", after which the next line goes on.
    pub(super) fn wait(&mut self, rng: &mut ChaCha8Rng) {
        self.write(|w| w.wait, "", rng);
        self.is_open = true;
    }

    /// Adds a word of the table to the last line, in the language of the response.
    pub(super) fn add(&mut self, word: fn(&Words) -> &'static str) {
        self.text.push_str(word(Words::of(self.language)));
    }
}
