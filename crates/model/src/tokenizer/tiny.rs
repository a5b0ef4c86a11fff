//! A tokenizer from a list of pieces, for the tiny built-in models.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Tokenizer;
use crate::ModelError;

/// Text of the end token of [`tiny_tokenizer`].
const EOS: &str = "<eos>";

/// Builds a tokenizer that cuts text into the longest matching piece from left to right. Piece `i` has id `i`; the special end
/// token `<eos>` comes last. Text that no pieces make up is an error of `encode`, not an unknown token, so encoding is exact:
/// decoding gives the text back.
///
/// # Errors
/// No pieces, an empty or repeated piece, or a piece that contains `<eos>`.
pub fn tiny_tokenizer(pieces: &[String]) -> Result<Tokenizer, ModelError> {
    let mut seen = BTreeSet::new();
    for piece in pieces {
        if piece.is_empty() || piece.contains(EOS) || !seen.insert(piece) {
            return Err(ModelError::tokenizer(format!("expected distinct pieces, not empty and without {EOS}, found {piece:?}")));
        }
    }
    if pieces.is_empty() {
        return Err(ModelError::tokenizer("expected at least one piece, found none"));
    }
    let tokens = pieces.iter().map(String::as_str).chain([EOS]);
    let vocab: Map<String, Value> = tokens.enumerate().map(|(id, token)| (token.to_owned(), json!(id))).collect();
    let mut tokenizer = Tokenizer::from_json(&json!({
        "version": "1.0",
        "added_tokens": [{
            "id": pieces.len(), "content": EOS, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
        }],
        "normalizer": null,
        "pre_tokenizer": { "type": "Split", "pattern": { "Regex": longest_first(pieces) }, "behavior": "Isolated", "invert": false },
        "post_processor": null,
        "decoder": { "type": "Fuse" },
        // The unknown token is not in the vocabulary, which makes unknown text an error.
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "<unk>" },
    }))?;
    tokenizer.set_special(None, Some(EOS.to_owned()))?;
    Ok(tokenizer)
}

/// A regular expression that tries longer pieces before shorter ones. ASCII that could be syntax is written as `\x{..}`, which
/// the regex engines of both Rust and Python tokenizers read.
fn longest_first(pieces: &[String]) -> String {
    let mut sorted: Vec<&String> = pieces.iter().collect();
    sorted.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    let mut pattern = String::new();
    for piece in sorted {
        if !pattern.is_empty() {
            pattern.push('|');
        }
        for c in piece.chars() {
            if c.is_ascii() && !c.is_ascii_alphanumeric() {
                write!(pattern, "\\x{{{:02X}}}", u32::from(c)).expect("writing to a string");
            } else {
                pattern.push(c);
            }
        }
    }
    pattern
}
