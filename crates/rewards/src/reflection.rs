//! Reflection words, whose frequency DeepSeek-R1 follows over training.

/// Number of [`REFLECTION_WORDS`].
pub const N_REFLECTION_WORDS: usize = 23;

/// The ten words that R1 counts (version 2 of the paper), then their Chinese counterparts. No Chinese one contains another, so that
/// nothing is counted twice.
pub const REFLECTION_WORDS: [&str; N_REFLECTION_WORDS] = [
    "wait",
    "mistake",
    "however",
    "but",
    "retry",
    "error",
    "verify",
    "wrong",
    "evaluate",
    "check",
    "等等",
    "等一下",
    "错误",
    "错了",
    "然而",
    "但是",
    "不过",
    "重试",
    "再试",
    "验证",
    "不对",
    "评估",
    "检查",
];

/// English words come first in [`REFLECTION_WORDS`].
const N_ENGLISH: usize = 10;

/// Number of reflection words in `text`: whole English words in any case, and Chinese words.
pub fn reflection_words(text: &str) -> usize {
    reflection_word_counts(text).iter().sum()
}

/// How often each of [`REFLECTION_WORDS`] stands in `text`: whole English words in any case, and Chinese words.
pub fn reflection_word_counts(text: &str) -> [usize; N_REFLECTION_WORDS] {
    let mut counts = [0; N_REFLECTION_WORDS];
    let (english, chinese) = REFLECTION_WORDS.split_at(N_ENGLISH);
    for word in text.split(|c: char| !c.is_ascii_alphabetic()) {
        if let Some(idx) = english.iter().position(|reflection| word.eq_ignore_ascii_case(reflection)) {
            counts[idx] += 1;
        }
    }
    for (count, word) in counts[N_ENGLISH..].iter_mut().zip(chinese) {
        *count = text.matches(word).count();
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_in_two_languages() {
        assert_eq!(reflection_words("Wait, check: 1+1=2. waiting, checked"), 2);
        assert_eq!(reflection_words("等等，检查一下，不对"), 3);
        assert_eq!(reflection_words("but检查but"), 3);
        assert_eq!(reflection_words("3+4=7"), 0);
    }

    #[test]
    fn each_word_is_counted_for_itself() {
        let counts = reflection_word_counts("WAIT. wait: check 检查, 检查; a checkpoint is no check");
        let found: Vec<(&str, usize)> = REFLECTION_WORDS.into_iter().zip(counts).filter(|&(_, n)| n > 0).collect();
        assert_eq!(found, [("wait", 2), ("check", 2), ("检查", 2)]);
        for (idx, word) in REFLECTION_WORDS.iter().enumerate() {
            let others = REFLECTION_WORDS.iter().enumerate().filter(|&(other, _)| other != idx);
            assert!(others.filter(|_| !word.is_ascii()).all(|(_, other)| !word.contains(other)), "{word} holds another");
            assert_eq!(reflection_word_counts(word).iter().sum::<usize>(), 1, "{word}");
        }
    }
}
