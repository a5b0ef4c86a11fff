//! Forty facts: four relations with ten subjects each.

use super::words::{Word, word};
use crate::synthetic::SyntheticLanguage;

/// What a fact says of its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Capital,
    Color,
    Legs,
    Opposite,
}

/// Subjects and answers.
pub(super) const FACTS: [(Relation, Word, Word); 40] = {
    use Relation::{Capital, Color, Legs, Opposite};
    [
        (Capital, ("France", "法国"), ("Paris", "巴黎")),
        (Capital, ("Japan", "日本"), ("Tokyo", "东京")),
        (Capital, ("Italy", "意大利"), ("Rome", "罗马")),
        (Capital, ("Egypt", "埃及"), ("Cairo", "开罗")),
        (Capital, ("China", "中国"), ("Beijing", "北京")),
        (Capital, ("England", "英国"), ("London", "伦敦")),
        (Capital, ("Russia", "俄罗斯"), ("Moscow", "莫斯科")),
        (Capital, ("Spain", "西班牙"), ("Madrid", "马德里")),
        (Capital, ("Germany", "德国"), ("Berlin", "柏林")),
        (Capital, ("Greece", "希腊"), ("Athens", "雅典")),
        (Color, ("sky", "天空"), ("blue", "蓝")),
        (Color, ("grass", "草"), ("green", "绿")),
        (Color, ("snow", "雪"), ("white", "白")),
        (Color, ("coal", "煤"), ("black", "黑")),
        (Color, ("blood", "血"), ("red", "红")),
        (Color, ("sun", "太阳"), ("yellow", "黄")),
        (Color, ("milk", "牛奶"), ("white", "白")),
        (Color, ("cherry", "樱桃"), ("red", "红")),
        (Color, ("sea", "海"), ("blue", "蓝")),
        (Color, ("leaf", "树叶"), ("green", "绿")),
        (Legs, ("dog", "狗"), ("4", "4")),
        (Legs, ("cat", "猫"), ("4", "4")),
        (Legs, ("horse", "马"), ("4", "4")),
        (Legs, ("cow", "牛"), ("4", "4")),
        (Legs, ("bird", "鸟"), ("2", "2")),
        (Legs, ("duck", "鸭子"), ("2", "2")),
        (Legs, ("fly", "苍蝇"), ("6", "6")),
        (Legs, ("bee", "蜜蜂"), ("6", "6")),
        (Legs, ("spider", "蜘蛛"), ("8", "8")),
        (Legs, ("fish", "鱼"), ("0", "0")),
        (Opposite, ("hot", "热"), ("cold", "冷")),
        (Opposite, ("cold", "冷"), ("hot", "热")),
        (Opposite, ("big", "大"), ("small", "小")),
        (Opposite, ("small", "小"), ("big", "大")),
        (Opposite, ("fast", "快"), ("slow", "慢")),
        (Opposite, ("slow", "慢"), ("fast", "快")),
        (Opposite, ("long", "长"), ("short", "短")),
        (Opposite, ("short", "短"), ("long", "长")),
        (Opposite, ("happy", "高兴"), ("sad", "难过")),
        (Opposite, ("sad", "难过"), ("happy", "高兴")),
    ]
};

/// Ways to ask for a fact.
pub(super) const N_FORMS: usize = 3;

/// Pieces of the relations: English ones stand between `the` and the subject, Chinese ones behind the subject and 的.
pub(super) const RELATIONS: [Word; 4] =
    [(" capital of", "首都"), (" color of", "颜色"), (" number of legs of a", "腿数"), (" opposite of", "反义词")];

/// `the capital of France` or `法国的首都`.
fn described(fact: usize, language: SyntheticLanguage) -> String {
    let (relation, subject, _) = FACTS[fact];
    let (relation, subject) = (word(RELATIONS[relation as usize], language), word(subject, language));
    match language {
        SyntheticLanguage::En => format!("the{relation} {subject}"),
        SyntheticLanguage::Zh => format!("{subject}的{relation}"),
    }
}

pub(super) fn question(fact: usize, form: usize, language: SyntheticLanguage) -> String {
    let described = described(fact, language);
    match (language, form) {
        (SyntheticLanguage::En, 0) => format!("what is {described}?"),
        (SyntheticLanguage::En, 1) => format!("tell me {described}."),
        (SyntheticLanguage::En, _) => format!("please name {described}."),
        (SyntheticLanguage::Zh, 0) => format!("{described}是什么？"),
        (SyntheticLanguage::Zh, 1) => format!("告诉我{described}。"),
        (SyntheticLanguage::Zh, _) => format!("请说出{described}。"),
    }
}

/// A sentence that gives `answer`, which need not be right.
pub(super) fn sentence(fact: usize, answer: &str, language: SyntheticLanguage) -> String {
    let described = described(fact, language);
    match language {
        SyntheticLanguage::En => format!("{described} is {answer}."),
        SyntheticLanguage::Zh => format!("{described}是{answer}。"),
    }
}

pub(super) fn answer(fact: usize, language: SyntheticLanguage) -> &'static str {
    word(FACTS[fact].2, language)
}

/// Answers of the same relation that are wrong for this fact, without repeats, and without what the question names.
pub(super) fn wrong_answers(fact: usize, language: SyntheticLanguage) -> Vec<&'static str> {
    let (relation, subject, right) = FACTS[fact];
    let mut wrong = Vec::new();
    for (other, _, answer) in FACTS {
        if other == relation && answer != right && answer != subject && !wrong.contains(&word(answer, language)) {
            wrong.push(word(answer, language));
        }
    }
    wrong
}
