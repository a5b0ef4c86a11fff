//! The tokenizer that a GGUF file carries, rebuilt in the form of `tokenizer.json`.
//!
//! `tokenizer.ggml.model` = `gpt2` is byte-level BPE: vocabulary and merges are in the file, the rule that cuts text into words is
//! only named (`tokenizer.ggml.pre`). `llama` is `SentencePiece` BPE: pieces with scores, without merges.

use serde_json::{Map, Value, json};

use super::Tokenizer;
use crate::ModelError;
use crate::checkpoint::GgufMetadata;

/// Token types of GGUF.
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;

/// Longer pieces are refused: finding the merges of one takes time by the square of its length. The longest in use are runs of
/// some hundred spaces.
const MAX_PIECE_BYTES: usize = 1024;

/// Word patterns. A contraction, then words with at most one leading other character, numbers, punctuation, white space; they
/// differ in the case of contractions, the length of numbers and the treatment of line ends. They are facts of the published
/// tokenizers.
const GPT2_WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";
const LLAMA3_WORDS: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Mistral's: runs of upper case and of lower case are words of their own.
const TEKKEN_WORDS: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Builds the tokenizer from `tokenizer.ggml.*`.
pub(crate) fn from_gguf(metadata: &GgufMetadata<'_>) -> Result<Tokenizer, ModelError> {
    let tokens = required(metadata.texts("tokenizer.ggml.tokens")?, "tokenizer.ggml.tokens")?;
    let types = metadata.i32s("tokenizer.ggml.token_type")?.unwrap_or_else(|| vec![1; tokens.len()]);
    same_len("tokenizer.ggml.token_type", tokens.len(), types.len())?;
    let pieces = Pieces { tokens, types };
    let mut json = match required(metadata.text("tokenizer.ggml.model")?, "tokenizer.ggml.model")? {
        "gpt2" => byte_level(metadata, &pieces)?,
        "llama" => sentence_piece(metadata, &pieces)?,
        found => return Err(ModelError::unsupported("tokenizer.ggml.model", "gpt2 or llama", found)),
    };
    json["added_tokens"] = pieces.added();
    let bos = pieces.special(metadata, "tokenizer.ggml.bos_token_id")?;
    let eos = pieces.special(metadata, "tokenizer.ggml.eos_token_id")?;
    let frame = frame(metadata, bos.as_ref(), eos.as_ref())?;
    json["post_processor"] = match (json["post_processor"].take(), frame) {
        (Value::Null, frame) => frame,
        (own, Value::Null) => own,
        (own, frame) => json!({ "type": "Sequence", "processors": [own, frame] }),
    };
    let mut tokenizer = Tokenizer::from_json(&json)?;
    tokenizer.set_special(bos.map(|(_, token)| token), eos.map(|(_, token)| token))?;
    Ok(tokenizer)
}

/// The token list with its types.
struct Pieces<'a> {
    tokens: Vec<&'a str>,
    types: Vec<i32>,
}

impl Pieces<'_> {
    fn vocab(&self) -> Result<Map<String, Value>, ModelError> {
        let mut vocab = Map::new();
        for (id, token) in self.tokens.iter().enumerate() {
            if vocab.insert((*token).to_owned(), json!(id)).is_some() {
                return Err(ModelError::key("tokenizer.ggml.tokens", "each token once", format!("{token:?} twice")));
            }
        }
        Ok(vocab)
    }

    /// Control and user-defined tokens are found in text before anything else; only the former are special.
    fn added(&self) -> Value {
        let added = self.tokens.iter().zip(&self.types).enumerate().filter(|(_, (token, kind))| {
            // An empty text would match everywhere.
            !token.is_empty() && [UNKNOWN, CONTROL, USER_DEFINED].contains(kind)
        });
        let token = |(id, (token, kind)): (usize, (&&str, &i32))| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                "special": *kind != USER_DEFINED,
            })
        };
        added.map(token).collect()
    }

    fn special(&self, metadata: &GgufMetadata<'_>, key: &str) -> Result<Option<(usize, String)>, ModelError> {
        let Some(id) = metadata.usize(key)? else { return Ok(None) };
        let token =
            self.tokens.get(id).ok_or_else(|| ModelError::key(key, format!("an id below {}", self.tokens.len()), id.to_string()))?;
        Ok(Some((id, (*token).to_owned())))
    }
}

/// Cuts words as `tokenizer.ggml.pre` says, writes their bytes as printable characters, merges by rank.
fn byte_level(metadata: &GgufMetadata<'_>, pieces: &Pieces<'_>) -> Result<Value, ModelError> {
    let pre = metadata.text("tokenizer.ggml.pre")?.unwrap_or("default");
    let words = match pre {
        "gpt-2" => vec![split(GPT2_WORDS)],
        "smollm" => vec![json!({ "type": "Digits", "individual_digits": true }), split(GPT2_WORDS)],
        "qwen2" | "deepseek-r1-qwen" => vec![split(QWEN2_WORDS)],
        "llama3" | "llama-v3" | "llama-bpe" => vec![split(LLAMA3_WORDS)],
        "tekken" => vec![split(TEKKEN_WORDS)],
        // llama.cpp's own rule for files from before it named the rules.
        "default" => [r"[\p{P}\$\+<=>\^~\|]+", GPT2_WORDS, r"\p{N}+", "[0-9][0-9][0-9]"].map(split).into(),
        found => return Err(ModelError::unsupported("tokenizer.ggml.pre", "gpt-2, smollm, qwen2, llama-bpe, tekken or default", found)),
    };
    let to_bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false });
    let words: Vec<Value> = words.into_iter().chain([to_bytes.clone()]).collect();
    let mut merges = Vec::new();
    for merge in required(metadata.texts("tokenizer.ggml.merges")?, "tokenizer.ggml.merges")? {
        let pair = merge.split_once(' ').ok_or_else(|| ModelError::key("tokenizer.ggml.merges", "two pieces", format!("{merge:?}")))?;
        merges.push(json!([pair.0, pair.1]));
    }
    Ok(json!({
        "version": "1.0",
        "normalizer": if pre.contains("qwen") { json!({ "type": "NFC" }) } else { Value::Null },
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": words },
        "post_processor": null,
        "decoder": to_bytes,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": WHOLE_WORDS.contains(&pre),
            "vocab": pieces.vocab()?, "merges": merges,
        },
    }))
}

/// Rules of tokenizers that take a word which is a token as it is, without merging. They are also those with a begin token.
const WHOLE_WORDS: [&str; 4] = ["llama3", "llama-v3", "llama-bpe", "tekken"];

fn split(pattern: &str) -> Value {
    json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false })
}

/// Every way to make a piece from two others is a merge, the piece with the highest score first.
fn sentence_piece(metadata: &GgufMetadata<'_>, pieces: &Pieces<'_>) -> Result<Value, ModelError> {
    let scores = required(metadata.f32s("tokenizer.ggml.scores")?, "tokenizer.ggml.scores")?;
    same_len("tokenizer.ggml.scores", pieces.tokens.len(), scores.len())?;
    let vocab = pieces.vocab()?;
    let mut merges: Vec<(f32, usize, &str, &str)> = Vec::new();
    for (id, token) in pieces.tokens.iter().enumerate().filter(|(id, _)| ![UNKNOWN, CONTROL].contains(&pieces.types[*id])) {
        if token.len() > MAX_PIECE_BYTES {
            return Err(ModelError::key(
                "tokenizer.ggml.tokens",
                format!("at most {MAX_PIECE_BYTES} bytes"),
                format!("{} bytes", token.len()),
            ));
        }
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if vocab.contains_key(left) && vocab.contains_key(right) {
                merges.push((scores[id], id, left, right));
            }
        }
    }
    // Equal scores: the order of ids, as both rank pieces.
    merges.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let merges: Vec<Value> = merges.into_iter().map(|(_, _, left, right)| json!([left, right])).collect();
    let prefix = metadata.bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
    let unknown = pieces.special(metadata, "tokenizer.ggml.unknown_token_id")?.map(|(_, token)| token);
    let spaces = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
    let mut normalizers = vec![spaces];
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if prefix {
        normalizers.insert(0, json!({ "type": "Prepend", "prepend": "▁" }));
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    Ok(json!({
        "version": "1.0",
        "normalizer": { "type": "Sequence", "normalizers": normalizers },
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": { "type": "Sequence", "decoders": decoders },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": true, "byte_fallback": true, "ignore_merges": false, "vocab": vocab, "merges": merges,
        },
    }))
}

/// What goes around plain text: the begin and end tokens, as `add_bos_token` and `add_eos_token` say. A file that does not say
/// has the begin token with `SentencePiece` and with the rules of Llama 3 and Mistral, as in llama.cpp.
fn frame(metadata: &GgufMetadata<'_>, bos: Option<&(usize, String)>, eos: Option<&(usize, String)>) -> Result<Value, ModelError> {
    let by_default = metadata.text("tokenizer.ggml.model")? == Some("llama")
        || metadata.text("tokenizer.ggml.pre")?.is_some_and(|pre| WHOLE_WORDS.contains(&pre));
    let add_bos = metadata.bool("tokenizer.ggml.add_bos_token")?.unwrap_or(by_default);
    let add_eos = metadata.bool("tokenizer.ggml.add_eos_token")?.unwrap_or(false);
    let (bos, eos) = (bos.filter(|_| add_bos), eos.filter(|_| add_eos));
    if bos.is_none() && eos.is_none() {
        return Ok(Value::Null);
    }
    let special = |token: Option<&(usize, String)>| token.map(|(_, text)| json!({ "SpecialToken": { "id": text, "type_id": 0 } }));
    let sequence = |id: &str| Some(json!({ "Sequence": { "id": id, "type_id": 0 } }));
    let single: Vec<Value> = [special(bos), sequence("A"), special(eos)].into_iter().flatten().collect();
    let pair: Vec<Value> = [special(bos), sequence("A"), sequence("B"), special(eos)].into_iter().flatten().collect();
    let tokens: Map<String, Value> =
        bos.into_iter().chain(eos).map(|(id, text)| (text.clone(), json!({ "id": text, "ids": [id], "tokens": [text] }))).collect();
    Ok(json!({ "type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens }))
}

fn required<T>(value: Option<T>, key: &str) -> Result<T, ModelError> {
    value.ok_or_else(|| ModelError::key(key, "a value", "nothing"))
}

fn same_len(key: &str, expected: usize, found: usize) -> Result<(), ModelError> {
    if expected == found { Ok(()) } else { Err(ModelError::key(key, format!("{expected} entries, one for each token"), found.to_string())) }
}
