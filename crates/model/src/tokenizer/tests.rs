use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::checkpoint::{GgufBuilder, GgufHeader};

fn tiny(pieces: &[&str]) -> Tokenizer {
    let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
    tiny_tokenizer(&pieces).unwrap()
}

#[test]
fn tiny_takes_the_longest_piece() {
    let tokenizer = tiny(&["a", "b", "ab", "abc", " ", "\n", "think", "<think>", "<", ">", ".", "你", "好", "*", "1", "+"]);
    let check = |text: &str, ids: &[u32]| {
        assert_eq!(tokenizer.encode(text, false).unwrap(), ids, "{text:?}");
        assert_eq!(tokenizer.decode(ids).unwrap(), text);
    };
    check("abcab", &[3, 2]);
    check(" a  b\n\nab ", &[4, 0, 4, 4, 1, 5, 5, 2, 4]);
    check("<think>think<", &[7, 6, 8]);
    check("你好.*1+1", &[11, 12, 10, 13, 14, 15, 14]);
    check("a<eos>b", &[0, 16, 1]);
    check("", &[]);
    assert_eq!((tokenizer.vocab_size(), tokenizer.eos_id(), tokenizer.bos_id()), (17, Some(16), None));
    assert_eq!(tokenizer.decode_without_special(&[0, 16, 1]).unwrap(), "ab");
}

#[test]
fn tiny_refuses_what_no_piece_makes() {
    let tokenizer = tiny(&["a", "b", "ab"]);
    for text in ["axb", "é", " ", "A"] {
        assert!(matches!(tokenizer.encode(text, false), Err(ModelError::Tokenizer { .. })), "{text:?}");
    }
}

#[test]
fn tiny_refuses_unfit_pieces() {
    for pieces in [&["a", ""][..], &["a", "a"], &["x<eos>"], &[]] {
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        assert!(tiny_tokenizer(&pieces).is_err(), "{pieces:?}");
    }
}

#[test]
fn vocabulary_is_compared_by_the_largest_id() {
    let tokenizer = tiny(&["a", "b"]);
    tokenizer.check_vocab(3).unwrap();
    let error = tokenizer.check_vocab(2).unwrap_err().to_string();
    assert_eq!(error, r#"tokenizer and model do not fit: expected token ids below 2, found "<eos>" with id 2"#);
}

#[test]
fn truncation_of_the_file_is_dropped() {
    let mut json: Value = serde_json::from_str(&tiny(&["a"]).to_json().unwrap()).unwrap();
    json["truncation"] = json!({ "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0 });
    let tokenizer = Tokenizer::from_bytes(json.to_string().as_bytes()).unwrap();
    assert_eq!(tokenizer.encode("aaaa", false).unwrap(), [0; 4]);
}

#[test]
fn broken_json_is_an_error() {
    let json = tiny(&["a", "b"]).to_json().unwrap();
    for n in 0..json.len() {
        assert!(Tokenizer::from_bytes(&json.as_bytes()[..n]).is_err(), "{n} bytes");
    }
    assert!(Tokenizer::from_bytes(b"{}").is_err());
}

proptest! {
    #[test]
    fn tiny_decodes_what_it_encodes(text in r"[abc \n\t.\\*+?()\[\]{}^$|<>/=#&~'-]{0,40}", pieces in prop::collection::btree_set("[abc \\n.*]{2,4}", 0..6)) {
        let characters = "abc \n\t.\\*+?()[]{}^$|<>/=#&~'-".chars().map(String::from);
        let all: Vec<String> = characters.chain(pieces).collect();
        let tokenizer = tiny_tokenizer(&all).unwrap();
        let ids = tokenizer.encode(&text, false).unwrap();
        prop_assert_eq!(tokenizer.decode(&ids).unwrap(), text.clone());
        // The saved form is the same tokenizer.
        let again = Tokenizer::from_bytes(tokenizer.to_json().unwrap().as_bytes()).unwrap();
        prop_assert_eq!(again.encode(&text, false).unwrap(), ids);
    }

    #[test]
    fn changed_json_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut json = tiny(&["a", "b", " "]).to_json().unwrap().into_bytes();
        let n = json.len();
        for (at, byte) in changes {
            json[at.index(n)] = byte;
        }
        if let Ok(tokenizer) = Tokenizer::from_bytes(&json) {
            let _ = tokenizer.encode("a b", true);
            let _ = tokenizer.decode(&[0, 1, 2, 3]);
        }
    }
}

fn from_file(builder: &GgufBuilder) -> Result<Tokenizer, ModelError> {
    let file = builder.bytes();
    let header = GgufHeader::parse(&file).unwrap();
    from_gguf(&header.metadata(&file))
}

/// Every byte as a token in the form of byte-level BPE, in an order of our own: printable bytes, then the others as U+0100 and up.
fn byte_tokens() -> Vec<String> {
    let printable: Vec<u8> = (b'!'..=b'~').chain(0xA1..=0xAC).chain(0xAE..=0xFF).collect();
    let others = (0..=255).filter(|byte| !printable.contains(byte)).count() as u32;
    let printable = printable.iter().map(|&byte| char::from(byte));
    printable.chain((0..others).filter_map(|i| char::from_u32(256 + i))).map(String::from).collect()
}

/// A byte-level tokenizer in which `words`, in byte-level form, are whole tokens, each by merges from the left.
fn byte_level(pre: &str, words: &[&str]) -> GgufBuilder {
    let mut tokens = byte_tokens();
    let mut merges = Vec::new();
    for word in words {
        let chars: Vec<char> = word.chars().collect();
        for n in 2..=chars.len() {
            let (left, right): (String, String) = (chars[..n - 1].iter().collect(), chars[n - 1].to_string());
            let whole = format!("{left}{right}");
            if !tokens.contains(&whole) {
                merges.push(format!("{left} {right}"));
                tokens.push(whole);
            }
        }
    }
    tokens.extend(["<|end|>".to_owned(), "<think>".to_owned()]);
    let mut types = vec![1; tokens.len()];
    let n = tokens.len();
    (types[n - 2], types[n - 1]) = (3, 4);
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let merges: Vec<&str> = merges.iter().map(String::as_str).collect();
    GgufBuilder::new()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", pre)
        .texts("tokenizer.ggml.tokens", &tokens)
        .texts("tokenizer.ggml.merges", &merges)
        .i32s("tokenizer.ggml.token_type", &types)
        .u32("tokenizer.ggml.bos_token_id", n as u32 - 2)
        .u32("tokenizer.ggml.eos_token_id", n as u32 - 2)
}

/// Tokens as text, to see where words were cut.
fn cut(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    let ids = tokenizer.encode(text, false).unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    ids.iter().map(|&id| tokenizer.token(id).unwrap()).collect()
}

#[test]
fn words_are_cut_as_the_file_names_it() {
    let words = ["Ġ12", "1234567", "456", "ĠIt", "'S", "It", "!!Ċ", "ĊĊĊ", "ABab"];
    let check = |pre: &str, text: &str, expected: &[&str]| {
        assert_eq!(cut(&from_file(&byte_level(pre, &words)).unwrap(), text), expected, "{pre}: {text:?}");
    };
    check("gpt-2", "1234567 12", &["1234567", "Ġ12"]);
    check("smollm", "12 12", &["1", "2", "Ġ", "1", "2"]);
    check("qwen2", "12 12", &["1", "2", "Ġ", "1", "2"]);
    check("deepseek-r1-qwen", "12", &["1", "2"]);
    check("llama-bpe", "1234567 12", &["123", "456", "7", "Ġ", "12"]);
    check("default", "1234567", &["123", "456", "7"]);
    check("gpt-2", "It It'S", &["It", "ĠIt", "'", "S"]);
    check("llama-bpe", "It'S", &["It", "'S"]);
    check("gpt-2", "!!\n", &["!!", "Ċ"]);
    check("qwen2", "!!\n", &["!!Ċ"]);
    check("qwen2", "\n\n\nIt", &["ĊĊĊ", "It"]);
    check("smollm", "\n\n\nIt", &["ĊĊ", "Ċ", "It"]);
    check("tekken", "ABab12", &["ABab", "1", "2"]);
    check("tekken", "abAB", &["a", "b", "AB"]);
    let error = from_file(&byte_level("gpt-4o", &[])).unwrap_err().to_string();
    assert!(error.starts_with("tokenizer.ggml.pre is not supported") && error.ends_with("found gpt-4o"), "{error}");
}

#[test]
fn control_tokens_are_special_and_user_tokens_are_not() {
    let tokenizer = from_file(&byte_level("qwen2", &[])).unwrap();
    assert_eq!(cut(&tokenizer, "<think>a<|end|>"), ["<think>", "a", "<|end|>"]);
    let ids = tokenizer.encode("<think>é<|end|>", false).unwrap();
    assert_eq!(tokenizer.decode_without_special(&ids).unwrap(), "<think>é");
    assert_eq!(tokenizer.eos_token(), Some("<|end|>"));
}

#[test]
fn the_begin_token_is_added_where_the_file_or_its_kind_says() {
    let first = |builder: &GgufBuilder| {
        let tokenizer = from_file(builder).unwrap();
        let ids = tokenizer.encode("a", true).unwrap();
        assert_eq!(tokenizer.encode("a", false).unwrap().len(), 1);
        ids.iter().map(|&id| tokenizer.token(id).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(first(&byte_level("qwen2", &[])), ["a"]);
    assert_eq!(first(&byte_level("llama-bpe", &[])), ["<|end|>", "a"]);
    assert_eq!(first(&byte_level("llama-bpe", &[]).bool("tokenizer.ggml.add_bos_token", false)), ["a"]);
    let both = byte_level("qwen2", &[]).bool("tokenizer.ggml.add_bos_token", true).bool("tokenizer.ggml.add_eos_token", true);
    assert_eq!(first(&both), ["<|end|>", "a", "<|end|>"]);
}

fn sentence_piece() -> GgufBuilder {
    let bytes: Vec<String> = (0..=255).map(|byte| format!("<0x{byte:02X}>")).collect();
    let pieces = ["▁", "a", "b", "c", "ab", "bc", "▁a", "▁ab", "\n"];
    let scores = [-9.0, -9.0, -9.0, -9.0, -2.0, -1.0, -4.0, -3.0, -9.0];
    let mut tokens = vec!["<unk>", "<s>", "</s>"];
    let mut types = vec![2, 3, 3];
    let mut all_scores = vec![0.0; 3 + bytes.len()];
    tokens.extend(bytes.iter().map(String::as_str));
    types.extend([6; 256]);
    tokens.extend(pieces);
    types.extend([1; 9]);
    all_scores.extend(scores);
    GgufBuilder::new()
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &tokens)
        .i32s("tokenizer.ggml.token_type", &types)
        .f32s("tokenizer.ggml.scores", &all_scores)
        .u32("tokenizer.ggml.unknown_token_id", 0)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
}

#[test]
fn sentence_pieces_merge_by_score() {
    let tokenizer = from_file(&sentence_piece()).unwrap();
    assert_eq!(cut(&tokenizer, "ab"), ["▁ab"]);
    // bc has a higher score than ab.
    assert_eq!(cut(&tokenizer, "abc"), ["▁a", "bc"]);
    assert_eq!(cut(&tokenizer, "a  ab\n"), ["▁a", "▁", "▁ab", "\n"]);
    assert_eq!(cut(&tokenizer, "é"), ["▁", "<0xC3>", "<0xA9>"]);
    assert_eq!(tokenizer.encode("a", true).unwrap()[0], 1);
    assert_eq!(tokenizer.decode_without_special(&tokenizer.encode("ab c", true).unwrap()).unwrap(), "ab c");

    let plain = from_file(&sentence_piece().bool("tokenizer.ggml.add_space_prefix", false)).unwrap();
    assert_eq!(cut(&plain, "ab"), ["ab"]);
}

#[test]
fn token_lists_that_do_not_fit_are_refused() {
    let check = |builder: GgufBuilder, expected: &str| assert_eq!(from_file(&builder).unwrap_err().to_string(), expected);
    let tokens = |tokens: &[&str]| GgufBuilder::new().text("tokenizer.ggml.model", "gpt2").texts("tokenizer.ggml.tokens", tokens);
    check(GgufBuilder::new(), "tokenizer.ggml.tokens: expected a value, found nothing");
    check(tokens(&["a"]), "tokenizer.ggml.merges: expected a value, found nothing");
    check(tokens(&["a", "a"]).texts("tokenizer.ggml.merges", &[]), r#"tokenizer.ggml.tokens: expected each token once, found "a" twice"#);
    check(tokens(&["a"]).texts("tokenizer.ggml.merges", &["ab"]), r#"tokenizer.ggml.merges: expected two pieces, found "ab""#);
    check(
        tokens(&["a"]).i32s("tokenizer.ggml.token_type", &[1, 1]),
        "tokenizer.ggml.token_type: expected 1 entries, one for each token, found 2",
    );
    check(
        tokens(&["a"]).texts("tokenizer.ggml.merges", &[]).u32("tokenizer.ggml.eos_token_id", 1),
        "tokenizer.ggml.eos_token_id: expected an id below 1, found 1",
    );
    assert!(matches!(from_file(&tokens(&["a"]).texts("tokenizer.ggml.merges", &["a b"])), Err(ModelError::Tokenizer { .. })));
}

#[test]
fn unknown_text_is_named_with_and_without_a_token_for_it() {
    let exact = tiny_tokenizer(&["ab".to_owned(), "c".to_owned(), "\n".to_owned()]).unwrap();
    assert_eq!(exact.encode_known("abc", false).unwrap(), exact.encode("abc", false).unwrap());
    let named = |tokenizer: &Tokenizer, text: &str| tokenizer.encode_known(text, false).unwrap_err().to_string();
    assert!(named(&exact, "c\nabxc").contains("found \"x\", which it has no token for"), "{}", named(&exact, "c\nabxc"));
    assert!(named(&exact, "aab").contains("found \"a\""), "{}", named(&exact, "aab"));
    // A tokenizer that would put one token for whatever it does not know.
    let mut json: Value = serde_json::from_str(&exact.to_json().unwrap()).unwrap();
    json["model"]["unk_token"] = "c".into();
    let lossy = Tokenizer::from_bytes(json.to_string().as_bytes()).unwrap();
    assert_eq!(lossy.encode("x", false).unwrap(), lossy.encode("c", false).unwrap());
    assert!(named(&lossy, "abx").contains("found \"x\""), "{}", named(&lossy, "abx"));
}
