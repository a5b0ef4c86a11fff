//! The vocabulary of the tiny world.

use super::Tongue;
use super::corpus::Words;
use super::logic::NAMES;

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
    for language in [Tongue::En, Tongue::Zh] {
        pieces.extend(Words::of(language).all().into_iter().map(String::from));
    }
    pieces
}
