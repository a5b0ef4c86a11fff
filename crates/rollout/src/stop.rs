//! Stop strings.

use ruminate_core::TokenId;
use ruminate_model::{ModelError, Tokenizer};

/// Whether the newest token completed one of the stop strings. Only the tail that can matter is decoded: as many tokens as the
/// longest stop string has bytes, and some more for tokens that decode to nothing or to parts of characters.
pub(crate) fn is_stopped(tokenizer: &Tokenizer, token_ids: &[TokenId], stop: &[String]) -> Result<bool, ModelError> {
    let Some(longest) = stop.iter().map(String::len).max() else {
        return Ok(false);
    };
    let tail = &token_ids[token_ids.len().saturating_sub(longest + 8)..];
    let text = tokenizer.decode(tail)?;
    Ok(stop.iter().any(|stop| text.contains(stop.as_str())))
}
