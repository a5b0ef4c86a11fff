//! The things that general requests are about, in both languages. Each word is one piece of the tiny vocabulary, in English two where it
//! also stands without a space in front.

use crate::synthetic::SyntheticLanguage;

/// English and Chinese.
pub(super) type Word = (&'static str, &'static str);

/// What the model is called.
pub(super) const OWN_NAME: &str = "ruminate";

/// What a base model takes itself for.
pub(super) const WRONG_NAMES: [&str; 3] = ["Atlas", "Nova", "Echo"];

/// People who greet, and whom the model may be taken for.
pub(super) const PEOPLE: [Word; 6] =
    [("Tom", "汤姆"), ("Anna", "安娜"), ("Ben", "本"), ("Lily", "莉莉"), ("Max", "马克"), ("Nina", "妮娜")];

pub(super) const GREETINGS: [Word; 4] = [("hello", "你好"), ("hi", "嗨"), ("good morning", "早上好"), ("good evening", "晚上好")];

pub(super) const ADJECTIVES: [Word; 10] = [
    ("red", "红"),
    ("blue", "蓝"),
    ("green", "绿"),
    ("white", "白"),
    ("black", "黑"),
    ("yellow", "黄"),
    ("big", "大"),
    ("small", "小"),
    ("long", "长"),
    ("short", "短"),
];

pub(super) const NOUNS: [Word; 16] = [
    ("dog", "狗"),
    ("cat", "猫"),
    ("horse", "马"),
    ("cow", "牛"),
    ("bird", "鸟"),
    ("duck", "鸭子"),
    ("fly", "苍蝇"),
    ("bee", "蜜蜂"),
    ("spider", "蜘蛛"),
    ("fish", "鱼"),
    ("apple", "苹果"),
    ("book", "书"),
    ("cup", "杯子"),
    ("tree", "树"),
    ("car", "车"),
    ("flower", "花"),
];

pub(super) const PLACES: [Word; 5] = [("garden", "花园"), ("house", "房子"), ("river", "河"), ("street", "街"), ("school", "学校")];

/// What harm is done, and to what.
pub(super) const DEEDS: [(Word, &[Word]); 5] = [
    (("build", "造"), &[("bomb", "炸弹"), ("weapon", "武器"), ("gun", "枪"), ("virus", "病毒")]),
    (
        ("steal", "偷"),
        &[
            ("car", "车"),
            ("phone", "手机"),
            ("horse", "马"),
            ("dog", "狗"),
            ("book", "书"),
            ("cup", "杯子"),
            ("flower", "花"),
            ("cow", "牛"),
        ],
    ),
    (("break into", "闯进"), &[("house", "房子"), ("bank", "银行"), ("school", "学校"), ("car", "车")]),
    (
        ("hurt", "伤害"),
        &[
            ("dog", "狗"),
            ("cat", "猫"),
            ("horse", "马"),
            ("bird", "鸟"),
            ("cow", "牛"),
            ("duck", "鸭子"),
            ("fish", "鱼"),
            ("child", "孩子"),
        ],
    ),
    (("burn", "烧"), &[("house", "房子"), ("bank", "银行"), ("school", "学校"), ("car", "车"), ("tree", "树"), ("book", "书")]),
];

/// The word in a language.
pub(super) fn word((en, zh): Word, language: SyntheticLanguage) -> &'static str {
    match language {
        SyntheticLanguage::En => en,
        SyntheticLanguage::Zh => zh,
    }
}
