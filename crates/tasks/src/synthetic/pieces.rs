//! The vocabulary of the tiny world.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::corpus::Words;
use super::examples::{ANSWER_MARKS, INSTRUCTIONS, SUMMARY_INSTRUCTION};
use super::logic::NAMES;
use super::{SyntheticLanguage, general};

/// The vocabulary of the tiny world: single characters and whole words; cutting a document from left to right into the longest pieces
/// always succeeds. No piece stands for an end of sequence: that one and padding are the tokenizer's.
pub fn pieces() -> Vec<String> {
    const MARKS: [&str; 8] = ["User:", "Assistant:", "<think>", "</think>", "<answer>", "</answer>", "compute ", "make "];
    const ENGLISH: [&str; 8] = [" from ", " is a knight", " is a knave", " and", " or", " are the same", " are different", " who is who?"];
    const CHINESE: [&str; 11] = ["计算", "用", "得到", "是", "骑士", "无赖", "和", "或", "且", "相同", "不同"];
    let mut pieces: Vec<String> = "0123456789+-*/=(),.:? \n，。：？".chars().map(String::from).collect();
    for name in NAMES {
        pieces.push(name.to_string());
        pieces.push(format!(" {name}"));
    }
    pieces.push("谁是谁".to_owned());
    pieces.extend(MARKS.into_iter().chain(ENGLISH).chain(CHINESE).map(String::from));
    for language in [SyntheticLanguage::En, SyntheticLanguage::Zh] {
        pieces.extend(Words::of(language).all().into_iter().map(String::from));
    }
    let asked = INSTRUCTIONS.into_iter().chain([SUMMARY_INSTRUCTION, ANSWER_MARKS]);
    pieces.extend(asked.flat_map(|(en, zh)| [en.to_owned(), zh.to_owned()]));
    pieces.extend(general::pieces());
    let mut seen = BTreeSet::new();
    pieces.retain(|piece| seen.insert(piece.clone()));
    pieces
}

/// How many pieces a text is cut into, the longest first; `None` if it holds something that is no piece.
pub fn n_pieces(text: &str) -> Option<usize> {
    static PIECES: OnceLock<(BTreeSet<String>, usize)> = OnceLock::new();
    let (pieces, longest) = PIECES.get_or_init(|| {
        let pieces: BTreeSet<String> = pieces().into_iter().collect();
        let longest = pieces.iter().map(String::len).max().unwrap_or(0);
        (pieces, longest)
    });
    let (mut rest, mut n) = (text, 0);
    while !rest.is_empty() {
        let len = (1..=rest.len().min(*longest)).rev().find(|&len| rest.is_char_boundary(len) && pieces.contains(&rest[..len]))?;
        rest = &rest[len..];
        n += 1;
    }
    Some(n)
}
