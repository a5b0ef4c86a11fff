//! Cut, changed and lying files: errors, never a panic.

use proptest::prelude::*;

use super::super::{gguf, gguf_model, safetensors};
use super::build::tiny_config;
use super::gguf_files::{open, tiny_file};
use crate::tokenizer::from_gguf;
use crate::{Architecture, ModelError};

/// All that opening does, without a file.
fn read_gguf(file: &[u8]) -> Result<(), ModelError> {
    let header = gguf::Header::parse(file)?;
    let config = gguf_model::config(&header, file)?;
    from_gguf(&header.metadata(file))?.check_vocab(config.vocab)
}

/// Most of the bytes of [`gguf_file`] that are tensor data, in which nothing can be wrong.
const N_DATA: usize = 2000;

fn gguf_file() -> Vec<u8> {
    tiny_file(&tiny_config(Architecture::Llama)).bytes()
}

#[test]
fn a_gguf_file_cut_anywhere_is_an_error() {
    let file = gguf_file();
    read_gguf(&file).unwrap();
    for n in 0..file.len() {
        assert!(read_gguf(&file[..n]).is_err(), "{n} of {} bytes", file.len());
    }
}

#[test]
fn every_word_of_a_gguf_file_may_lie() {
    let file = gguf_file();
    for at in 0..file.len() - N_DATA {
        for lie in [0_u64, 1 << 20, 1 << 40, u64::MAX - 31, u64::MAX] {
            let mut file = file.clone();
            file[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            // The outcome may be either; what counts is that it comes at once and without a panic.
            let config = gguf::Header::parse(&file).and_then(|header| gguf_model::config(&header, &file));
            if let Ok(config) = config {
                assert!(config.n_layers < 20 && config.vocab < file.len(), "{config:?}");
            }
            if at % 16 == 0 {
                let _ = read_gguf(&file);
            }
        }
    }
}

#[test]
fn a_size_of_zero_cannot_hide_an_overflow() {
    let mut file = gguf_file();
    // The first tensor's name is followed by its number of dimensions and their sizes.
    let name = b"token_embd.weight";
    let at = file.windows(name.len()).position(|bytes| bytes == name).unwrap() + name.len() + 4;
    file[at..at + 8].copy_from_slice(&0_u64.to_le_bytes());
    file[at + 8..at + 16].copy_from_slice(&(1_u64 << 63).to_le_bytes());
    let error = read_gguf(&file).unwrap_err().to_string();
    assert!(error.contains("shape of token_embd.weight"), "{error}");
}

#[test]
fn lies_are_told_apart() {
    let change = |at: usize, bytes: &[u8]| {
        let mut file = gguf_file();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        read_gguf(&file).unwrap_err().to_string()
    };
    assert_eq!(change(0, b"GGML"), "corrupt GGUF file: magic: expected GGUF, found GGML");
    assert_eq!(change(4, &[0, 0, 0, 3]), "GGUF version is not supported: expected 2 or 3, little-endian, found 50331648");
    assert!(change(8, &u64::MAX.to_le_bytes()).starts_with("corrupt GGUF file: "));
    assert!(change(16, &u64::MAX.to_le_bytes()).starts_with("corrupt GGUF file: "));
    let left = gguf_file().len() - 32;
    let expected = format!("corrupt GGUF file: metadata key: expected 1099511627776 bytes, found {left} left in the file");
    assert_eq!(change(24, &(1_u64 << 40).to_le_bytes()), expected);

    let twice = tiny_file(&tiny_config(Architecture::Llama)).tensor_f32("token_embd.weight", &[1], &[0.0]);
    let error = read_gguf(&twice.bytes()).unwrap_err().to_string();
    assert_eq!(error, "corrupt GGUF file: tensors: expected each name once, found token_embd.weight twice");
}

fn safetensors_file(header: &str, n_data: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + n_data, 0);
    file
}

const HEADER: &str = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}}"#;

#[test]
fn a_safetensors_file_cut_anywhere_is_an_error() {
    let file = safetensors_file(HEADER, 32);
    assert_eq!(safetensors::parse(&file).unwrap()["b"].shape, [4]);
    for n in 0..file.len() {
        assert!(safetensors::parse(&file[..n]).is_err(), "{n} bytes");
    }
}

#[test]
fn lies_of_a_safetensors_header_are_told_apart() {
    let check = |from: &str, to: &str, expected: &str| {
        assert!(HEADER.contains(from));
        let error = safetensors::parse(&safetensors_file(&HEADER.replace(from, to), 32)).unwrap_err().to_string();
        assert_eq!(error, format!("corrupt safetensors file: {expected}"));
    };
    check("[2,3]", "[2,4]", "size of a: expected the bytes of shape [2, 4] in F32, found 24 bytes");
    check("[0,24]", "[0,240]", "offsets of a: expected a range within 32 bytes of data, found 0..240");
    check("[0,24]", "[24,0]", "offsets of a: expected a range within 32 bytes of data, found 24..0");
    check("[24,32]", "[0,8]", "start of a: expected 8, without gap or overlap, found 0");
    check("\"b\"", "\"a\"", "header: expected each tensor once, found a twice");
    check(
        "[2,3]",
        "[4294967296,4294967296,4294967296]",
        "shape of a: expected a countable size, found [4294967296, 4294967296, 4294967296]",
    );
    let long = safetensors::parse(&u64::MAX.to_le_bytes()).unwrap_err().to_string();
    assert_eq!(long, "corrupt safetensors file: header length: expected at most 0, found 18446744073709551615");
    let padded = safetensors::parse(&safetensors_file(HEADER, 33)).unwrap_err().to_string();
    assert!(padded.contains("bytes in all"), "{padded}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn changed_gguf_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut file = gguf_file();
        let before_data = file.len() - N_DATA;
        for (at, byte) in changes {
            file[at.index(before_data)] = byte;
        }
        if read_gguf(&file).is_ok() && let Ok(checkpoint) = open(&file) {
            for spec in checkpoint.config.tensors() {
                checkpoint.read_tensor(&spec, &mut vec![0.0; spec.n_elements()]).unwrap();
            }
        }
    }

    #[test]
    fn changed_safetensors_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut file = safetensors_file(HEADER, 32);
        let n = file.len();
        for (at, byte) in changes {
            file[at.index(n)] = byte;
        }
        if let Ok(entries) = safetensors::parse(&file) {
            for entry in entries.values() {
                prop_assert!(entry.bytes.end <= n);
            }
        }
    }
}
