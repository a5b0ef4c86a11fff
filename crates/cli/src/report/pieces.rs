//! The text that each token adds.

/// Tokens that may make up one character: more are bytes that never become one.
const MAX_OPEN: usize = 8;

/// Pieces of text, one for each token, that together are `decode(ids)`.
///
/// A token of a byte-level vocabulary can be part of a character: it adds nothing, and the token that completes the character adds all of
/// it. Decoders treat the start of a text in their own way (they drop a space there), so each token is decoded behind the one before
/// it and what that one gives is taken away.
pub(super) fn pieces(decode: impl Fn(&[u32]) -> Option<String>, ids: &[u32]) -> Option<Vec<String>> {
    let mut pieces = Vec::with_capacity(ids.len());
    // `ids[start..done]` is the token before, or several that made one character; `done..` waits for its text.
    let (mut start, mut done) = (0, 0);
    for end in 1..=ids.len() {
        let before = decode(&ids[start..done])?;
        let now = decode(&ids[start..end])?;
        let is_open = now.ends_with(char::REPLACEMENT_CHARACTER) && end - done < MAX_OPEN && end < ids.len();
        match now.strip_prefix(&before) {
            Some(added) if !is_open && !added.is_empty() => {
                pieces.push(added.to_owned());
                (start, done) = (done, end);
            }
            _ => pieces.push(String::new()),
        }
    }
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use ruminate_model::{Tokenizer, tiny_tokenizer};
    use serde_json::json;

    use super::*;

    /// A byte-level vocabulary: each byte is a token, and "ab" is one too.
    fn byte_level() -> Tokenizer {
        let unprintable = |byte: u8| !matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let mut n_shifted = 0;
        let mut vocab = serde_json::Map::new();
        for byte in 0..=255_u8 {
            let c = if unprintable(byte) {
                n_shifted += 1;
                char::from_u32(255 + n_shifted).unwrap()
            } else {
                char::from(byte)
            };
            vocab.insert(c.to_string(), json!(byte));
        }
        vocab.insert("ab".into(), json!(256));
        let tokenizer = json!({
            "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null,
            "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
            "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
            "model": { "type": "BPE", "vocab": vocab, "merges": ["a b"] },
        });
        Tokenizer::from_bytes(tokenizer.to_string().as_bytes()).unwrap()
    }

    fn check(tokenizer: &Tokenizer, ids: &[u32], expected: &[&str]) {
        let found = pieces(|ids| tokenizer.decode(ids).ok(), ids).unwrap();
        assert_eq!(found, expected);
        assert_eq!(found.concat(), tokenizer.decode(ids).unwrap());
    }

    #[test]
    fn characters_of_several_tokens_belong_to_the_last() {
        let tokenizer = byte_level();
        check(&tokenizer, &[256, 0xE7, 0xAD, 0x89, 97], &["ab", "", "", "等", "a"]);
        check(&tokenizer, &tokenizer.encode("é 😀b", false).unwrap(), &["", "é", " ", "", "", "", "😀", "b"]);
        // Bytes that are no character, in the middle and at the end.
        check(&tokenizer, &[0xE7, 97, 98, 0xE7, 0xAD], &["", "\u{FFFD}a", "b", "", "\u{FFFD}"]);
        check(&tokenizer, &[], &[]);
        let many = vec![0xFF_u32; 20];
        let found = pieces(|ids| tokenizer.decode(ids).ok(), &many).unwrap();
        assert_eq!((found.len(), found.concat()), (20, tokenizer.decode(&many).unwrap()));
    }

    #[test]
    fn a_tokenizer_of_words_gives_its_words() {
        let tokenizer = tiny_tokenizer(&["so ".to_owned(), "等".to_owned(), "4".to_owned()]).unwrap();
        check(&tokenizer, &[0, 2, 1, 3], &["so ", "4", "等", "<eos>"]);
    }

    #[test]
    fn a_decoder_that_drops_the_first_space_keeps_the_others() {
        // As SentencePiece's decoders do.
        let decode = |ids: &[u32]| Some(ids.iter().map(|id| format!(" w{id}")).collect::<String>().trim_start().to_owned());
        assert_eq!(pieces(decode, &[1, 2, 3]).unwrap(), ["w1", " w2", " w3"]);
    }

    #[test]
    fn ids_that_the_tokenizer_refuses_give_no_pieces() {
        assert_eq!(pieces(|_| None, &[7]), None);
    }
}
