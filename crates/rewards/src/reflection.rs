//! Reflection words, whose frequency DeepSeek-R1 follows over training.

/// The words that R1 counts (version 2 of the paper).
const ENGLISH: [&str; 10] = ["wait", "mistake", "however", "but", "retry", "error", "verify", "wrong", "evaluate", "check"];

/// Their Chinese counterparts. None contains another, so that nothing is counted twice.
const CHINESE: [&str; 13] = ["等等", "等一下", "错误", "错了", "然而", "但是", "不过", "重试", "再试", "验证", "不对", "评估", "检查"];

/// Number of reflection words in `text`: whole English words in any case, and Chinese words.
pub fn reflection_words(text: &str) -> usize {
    let english = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| ENGLISH.iter().any(|reflection| word.eq_ignore_ascii_case(reflection)))
        .count();
    english + CHINESE.iter().map(|word| text.matches(word).count()).sum::<usize>()
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
}
