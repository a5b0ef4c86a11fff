//! Text to token ids and back.

mod gguf;
#[cfg(test)]
mod tests;
mod tiny;

use std::fmt;

use serde::de::IgnoredAny;
use serde_json::Value;
use tokenizers::models::ModelWrapper;

pub(crate) use self::gguf::from_gguf;
pub use self::tiny::tiny_tokenizer;
use crate::ModelError;

/// A tokenizer in the form of Hugging Face's `tokenizer.json`.
///
/// Special tokens are recognised wherever their text stands, as chat templates need it.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    bos: Option<String>,
    eos: Option<String>,
    /// The token with the largest id.
    last: (String, u32),
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. Truncation and padding that it asks for are dropped: a prompt is never cut in silence.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if it is none, or has no tokens.
    pub fn from_bytes(json: &[u8]) -> Result<Self, ModelError> {
        let mut inner = parse(json)?;
        inner.with_truncation(None).map_err(ModelError::tokenizer)?;
        inner.with_padding(None);
        let last = inner.get_vocab(true).into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
        let last = last.ok_or_else(|| ModelError::tokenizer("expected at least one token, found none"))?;
        Ok(Self { inner, bos: None, eos: None, last })
    }

    fn from_json(json: &Value) -> Result<Self, ModelError> {
        Self::from_bytes(json.to_string().as_bytes())
    }

    /// Token ids of `text`. With `add_special`, also those that the tokenizer puts around plain text, such as Llama's begin of
    /// text; a rendered chat template has them already.
    ///
    /// # Errors
    /// Text that the tokenizer has no tokens for.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>, ModelError> {
        let encoding = self.inner.encode_fast(text, add_special).map_err(ModelError::tokenizer)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// As [`Tokenizer::encode`], but text that the vocabulary cannot express is an error in any case and named, also where the
    /// tokenizer has a token for whatever is unknown.
    ///
    /// # Errors
    /// The first piece of text that there is no token for.
    pub fn encode_known(&self, text: &str, add_special: bool) -> Result<Vec<u32>, ModelError> {
        let unknown = |piece: &str| {
            ModelError::tokenizer(format!("expected text that the vocabulary can express, found {piece:?}, which it has no token for"))
        };
        let Ok(encoding) = self.inner.encode(text, add_special) else { return Err(unknown(self.first_unknown(text))) };
        if let Some(unk) = self.unknown_id()
            && let Some(at) = encoding.get_ids().iter().position(|&id| id == unk)
        {
            let (start, end) = encoding.get_offsets()[at];
            return Err(unknown(text.get(start..end).unwrap_or(text)));
        }
        Ok(encoding.get_ids().to_vec())
    }

    /// The token that stands for unknown text, if there is one.
    fn unknown_id(&self) -> Option<u32> {
        match self.inner.get_model() {
            ModelWrapper::BPE(bpe) => self.token_id(bpe.get_unk_token().as_deref()?),
            ModelWrapper::WordPiece(model) => self.token_id(&model.unk_token),
            ModelWrapper::WordLevel(model) => self.token_id(&model.unk_token),
            ModelWrapper::Unigram(_) => self.token_id("<unk>"),
        }
    }

    /// The first character behind the longest start of the first line that cannot be encoded.
    fn first_unknown<'a>(&self, text: &'a str) -> &'a str {
        let fails = |text: &str| self.inner.encode_fast(text, false).is_err();
        let line = text.lines().find(|line| fails(line)).unwrap_or(text);
        let starts = line.char_indices().rev().find(|&(at, _)| !fails(&line[..at]));
        starts.map_or(line, |(at, c)| &line[at..at + c.len_utf8()])
    }

    /// Text of `ids`, special tokens included. Bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// Whatever the tokenizer's decoder refuses.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        self.inner.decode(ids, false).map_err(ModelError::tokenizer)
    }

    /// Text of `ids` without special tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn decode_without_special(&self, ids: &[u32]) -> Result<String, ModelError> {
        self.inner.decode(ids, true).map_err(ModelError::tokenizer)
    }

    /// One more than the largest id: the least vocabulary of a model for this tokenizer.
    pub fn vocab_size(&self) -> usize {
        self.last.1 as usize + 1
    }

    /// Id of a token by its exact form in the vocabulary.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Form in the vocabulary of the token with this id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The token that begins a text, if the model has one.
    pub fn bos_token(&self) -> Option<&str> {
        self.bos.as_deref()
    }

    /// The token that ends a text or a chat turn, if the model has one.
    pub fn eos_token(&self) -> Option<&str> {
        self.eos.as_deref()
    }

    /// Id of [`Tokenizer::bos_token`].
    pub fn bos_id(&self) -> Option<u32> {
        self.token_id(self.bos.as_deref()?)
    }

    /// Id of [`Tokenizer::eos_token`].
    pub fn eos_id(&self) -> Option<u32> {
        self.token_id(self.eos.as_deref()?)
    }

    /// The contents of a `tokenizer.json`.
    ///
    /// # Errors
    /// Whatever the tokenizer's parts refuse to write.
    pub fn to_json(&self) -> Result<String, ModelError> {
        self.inner.to_string(false).map_err(ModelError::tokenizer)
    }

    /// Names the tokens that begin and end a text.
    ///
    /// # Errors
    /// A name that is no token.
    pub fn set_special(&mut self, bos: Option<String>, eos: Option<String>) -> Result<(), ModelError> {
        for (key, token) in [("bos_token", &bos), ("eos_token", &eos)] {
            if let Some(token) = token
                && self.token_id(token).is_none()
            {
                return Err(ModelError::key(key, "a token of tokenizer.json", format!("{token:?}")));
            }
        }
        (self.bos, self.eos) = (bos, eos);
        Ok(())
    }

    /// Checks that every id has a row in an embedding of `vocab` rows.
    ///
    /// # Errors
    /// [`ModelError::VocabMismatch`] with the token of the largest id.
    pub fn check_vocab(&self, vocab: usize) -> Result<(), ModelError> {
        if self.vocab_size() <= vocab {
            return Ok(());
        }
        Err(ModelError::VocabMismatch { vocab, token: self.last.0.clone(), id: self.last.1 })
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Tokenizer");
        debug.field("vocab_size", &self.vocab_size()).field("bos", &self.bos).field("eos", &self.eos).finish_non_exhaustive()
    }
}

/// Parts of the `tokenizers` crate (0.23) panic on files that are not JSON or have a part of an unknown form. The first is found
/// beforehand; the second is caught, with the library's message on stderr.
fn parse(json: &[u8]) -> Result<tokenizers::Tokenizer, ModelError> {
    serde_json::from_slice::<IgnoredAny>(json).map_err(|error| ModelError::tokenizer(format!("expected JSON, found {error}")))?;
    let parsed = std::panic::catch_unwind(|| tokenizers::Tokenizer::from_bytes(json));
    parsed.map_err(|_| ModelError::tokenizer("expected parts of known forms, found another"))?.map_err(ModelError::tokenizer)
}

/// A special token of `tokenizer_config.json`: its text, or an object with `content`.
pub(crate) fn special_token(settings: &Value, key: &str) -> Option<String> {
    let value = settings.get(key)?;
    value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
}
