//! The pieces of the vocabulary that general requests and their responses are made of.

use super::facts::{FACTS, RELATIONS};
use super::words::{ADJECTIVES, DEEDS, GREETINGS, NOUNS, OWN_NAME, PEOPLE, PLACES, WRONG_NAMES};

/// English words and phrases that are no names of things.
const ENGLISH: [&str; 36] = [
    "!",
    "**",
    "`",
    "I",
    " I",
    " am",
    " who",
    " what",
    " is",
    " are",
    " you",
    " your",
    " name",
    " the",
    "the",
    " tell me",
    " please",
    " help",
    " me",
    " how",
    " to",
    " can",
    " not",
    " with",
    " that",
    " a",
    "a",
    " in",
    " translate to Chinese",
    " write a sentence about",
    "subject",
    " place",
    " user",
    " says",
    "sure",
    " find a tool",
];

const CHINESE: [&str; 28] = [
    "！",
    "我",
    "你",
    "能",
    "不能",
    "帮",
    "什么",
    "谁",
    "吗",
    "的",
    "名字",
    "请",
    "告诉我",
    "说出",
    "怎么",
    "翻译成英文",
    "写一句关于",
    "话",
    "主语",
    "地点",
    "里",
    "有",
    "用户",
    "说",
    "好的",
    "找工具",
    "去",
    "帮忙",
];

/// May hold a piece twice.
pub(in crate::synthetic) fn pieces() -> Vec<String> {
    let mut pieces: Vec<String> = ENGLISH.into_iter().chain(CHINESE).map(String::from).collect();
    let spaced = |word: &str| format!(" {word}");
    pieces.push(GREETINGS[0].0.to_owned());
    for (en, zh) in ADJECTIVES.into_iter().chain(NOUNS) {
        pieces.extend([en.to_owned(), spaced(en), zh.to_owned()]);
    }
    for (en, zh) in PEOPLE.into_iter().chain(PLACES).chain(GREETINGS) {
        pieces.extend([spaced(en), zh.to_owned()]);
    }
    for (relation_idx, (_, subject, answer)) in FACTS.into_iter().enumerate() {
        for (en, zh) in [subject, answer] {
            // Numbers of legs are digits.
            if !en.starts_with(|c: char| c.is_ascii_digit()) {
                pieces.extend([spaced(en), zh.to_owned()]);
            }
        }
        if let Some((en, zh)) = RELATIONS.get(relation_idx) {
            pieces.extend([(*en).to_owned(), (*zh).to_owned()]);
        }
    }
    for ((verb_en, verb_zh), victims) in DEEDS {
        pieces.extend([spaced(verb_en), verb_zh.to_owned()]);
        pieces.extend(victims.iter().flat_map(|(en, zh)| [spaced(en), (*zh).to_owned()]));
    }
    pieces.push(OWN_NAME.to_owned());
    pieces.extend(WRONG_NAMES.into_iter().map(String::from));
    pieces.extend([OWN_NAME, WRONG_NAMES[0], WRONG_NAMES[1], WRONG_NAMES[2]].map(spaced));
    pieces
}
