mod labelled;

use labelled::{Sentence, fresh_sentences, sentences};
use proptest::prelude::*;
use ruminate_core::Language::{self, *};

use super::*;

fn of_language(language: Language) -> Vec<Sentence> {
    sentences().into_iter().filter(|sentence| sentence.language == language).collect()
}

fn is_latin(language: Language) -> bool {
    latin::LANGUAGES.contains(&language)
}

/// Expects `target` of `words` words to be in the language.
#[track_caller]
fn check(language: Language, text: &str, target: usize, words: usize) {
    assert_eq!(count_language(text, language), LanguageCount { target, words }, "{language}: {text}");
}

#[test]
fn every_word_of_a_sentence_counts_for_its_language() {
    assert!(Language::ALL.iter().all(|&language| of_language(language).len() >= 12));
    for sentence in sentences() {
        check(sentence.language, &sentence.text, sentence.words, sentence.words);
    }
}

#[test]
fn the_language_of_a_prompt_is_found() {
    for sentence in sentences() {
        assert_eq!(language_of(&sentence.text), Some(sentence.language), "{}", sentence.text);
    }
    for nothing in ["", "1 + 2 = ?", "$x$ `code`", "ελληνικά"] {
        assert_eq!(language_of(nothing), None, "{nothing}");
    }
}

/// They were written when the lists were done, and about half of their words are in none of them.
#[test]
fn sentences_that_no_list_was_made_for_are_of_their_language() {
    let (mut words, mut expected) = (0, 0);
    for sentence in fresh_sentences() {
        let count = count_language(&sentence.text, sentence.language);
        assert_eq!(count.target, count.words, "{}", sentence.text);
        assert_eq!(language_of(&sentence.text), Some(sentence.language), "{}", sentence.text);
        (words, expected) = (words + count.words, expected + sentence.words);
    }
    // `bi` alone is lost: two letters in no list are taken for a symbol.
    assert_eq!((words, expected), (639, 640));
}

/// Six words of one language, then six of another, without any mark between them: the share is off by at most one word in
/// twelve for nine of ten mixtures.
#[test]
fn halves_of_sentences_in_a_row_give_the_share_of_their_words() {
    let fresh = fresh_sentences();
    let half = |text: &str| text.split(' ').take(6).collect::<Vec<_>>().join(" ");
    let mut errors = Vec::new();
    for (own, foreign) in fresh.iter().flat_map(|own| fresh.iter().map(move |foreign| (own, foreign))) {
        if own.language != foreign.language {
            let [a, b] = [own, foreign].map(|sentence| count_language(&half(&sentence.text), sentence.language).words);
            let text = format!("{} {}", half(&own.text), half(&foreign.text).to_lowercase());
            let share = count_language(&text, own.language).share().unwrap();
            errors.push((share - a as f32 / (a + b) as f32).abs());
        }
    }
    errors.sort_by(f32::total_cmp);
    let mean = errors.iter().sum::<f32>() / errors.len() as f32;
    let most = errors[errors.len() * 9 / 10];
    assert!(mean < 0.025 && most < 0.084, "mean error {mean}, of nine in ten at most {most}");
}

/// Words at the start of a sentence that both languages have count for the target: between Latin languages that is one word in forty.
#[test]
fn a_sentence_counts_for_no_other_language() {
    for language in Language::ALL {
        for target in Language::ALL.into_iter().filter(|&target| target != language) {
            let counts: Vec<_> = of_language(language).iter().map(|sentence| count_language(&sentence.text, target)).collect();
            let (hits, words) = counts.iter().fold((0, 0), |(hits, words), count| (hits + count.target, words + count.words));
            let allowed = if is_latin(language) && is_latin(target) { words / 40 } else { 0 };
            assert!(hits <= allowed, "{language} text, target {target}: {hits} of {words}");
        }
    }
}

#[test]
fn sentences_in_turn_give_the_share_of_their_words() {
    for language in Language::ALL {
        for target in Language::ALL.into_iter().filter(|&target| target != language) {
            let (mut text, mut hits, mut words) = (String::new(), 0, 0);
            for (own, foreign) in of_language(target).iter().zip(of_language(language)) {
                text += &format!("{}\n{}\n", own.text, foreign.text);
                hits += own.words;
                words += own.words + foreign.words;
            }
            let share = count_language(&text, target).share().unwrap();
            let (expected, allowed) = (hits as f32 / words as f32, if is_latin(language) && is_latin(target) { 0.02 } else { 0.0 });
            assert!((share - expected).abs() <= allowed, "{target} with {language}: expected {expected}, found {share}");
        }
    }
}

#[test]
fn phrases_of_another_language_are_seen_within_a_sentence() {
    check(En, "so we have donc le résultat est 12", 3, 7);
    check(Fr, "so we have donc le résultat est 12", 4, 7);
    check(En, "We need to find das größte gemeinsame Vielfache of both numbers.", 7, 11);
    check(De, "Wir müssen also the greatest common divisor bestimmen.", 4, 8);
    check(Es, "Primero sumamos los números and then we divide the result entre tres.", 6, 12);
    check(It, "Quindi la risposta è 12, let me double-check that, e poi finiamo.", 6, 11);
    check(Tr, "Önce bu denklemi çözelim, then we substitute the value, sonra kontrol edelim.", 7, 12);
    check(Vi, "Ta có phương trình bậc hai, so the sum of the roots is equal to, vậy đáp án là 5.", 10, 19);
    check(Nl, "Dus het antwoord is twaalf. Wait, let me check that again.", 5, 11);
    check(Pt, "Então a soma é 10. Nein, das ist nicht richtig.", 3, 8);
}

#[test]
fn borrowed_words_and_words_of_both_languages_are_no_change() {
    check(De, "Wir nehmen einen Algorithmus mit einer while Schleife.", 8, 8);
    check(Fr, "On utilise un algorithme simple, ok.", 6, 6);
    check(En, "The ansatz works, so the algorithm is correct.", 8, 8);
    check(En, "so", 1, 1);
    check(De, "so", 1, 1);
    check(Fr, "so", 0, 1);
}

#[test]
fn code_formulas_and_marks_are_no_words() {
    for text in [
        "so\n```python\nprint('hello world')\n```\nso",
        "so\n~~~\nhello world\n~~~\nso",
        "so `hello world` so",
        "so ``a `hello` b`` so",
        "so $hello + world$ so",
        "so $$hello\\text{ if we go}$$ so",
        "so \\(\\text{hello world}\\) so",
        "so \\[\nhello world\n\\] so",
        "so \\begin{align}\nhello &= world\n\\end{align} so",
        "so \\boxed{hello world} \\frac{hello}{world} so",
        "so <answer> so </answer>",
        "so <b class=\"hello world\"> so <br/>",
        "so https://hello.world/this/is?a=word so",
        "so www.hello.org, so",
        "so hello.world@example.com so",
        "so ./hello/world src/hello/world.rs /usr/hello/world C:\\hello so",
        "so hello_world helloWorld hello2 np.array x so",
        "so gcd(a, b) print(x) so",
        "so 3 km, 5.5 kg, 1,000, 2nd, 50% so",
        "so GDP, NATO and so",
        "so Alice asks Bob Hofstadter so",
        "**so** _so_",
    ] {
        let words = count_language(text, En);
        let expected = 2 + usize::from(text.contains("and so")) + usize::from(text.contains("asks"));
        assert_eq!(words, LanguageCount { target: expected, words: expected }, "{text}");
    }
}

#[test]
fn marks_that_are_never_closed_hide_nothing() {
    for open in ["```\n", "~~~\n", "`", "$", "$$", "\\(", "\\[", "\\begin{align} ", "\\frac{", "<t", "<a b=\""] {
        let text = format!("{open}这是中文 这是中文");
        assert_eq!(language_share(&text, Zh), Some(1.0), "{text}");
        let count = count_language(&text, Zh);
        assert_eq!(count.target, 8, "{text}");
    }
    check(En, "It costs $20 and then we pay another $30 for the rest.", 10, 10);
    check(En, "It costs $20 for the two of them and 30$.", 8, 8);
}

#[test]
fn names_do_not_count_but_german_nouns_do() {
    check(En, "Then Hofstadter and Wojciech leave.", 3, 3);
    check(De, "Dann ergibt die Umformung der Ungleichung einen Widerspruch.", 8, 8);
    check(Zh, "Alice 有三个苹果，Bob 没有。", 7, 7);
    check(En, "Alice has three apples.", 3, 3);
    check(En, "Simplifying this expression helps.", 4, 4);
    check(Fr, "Ensuite l'Italie gagne contre Wojciech.", 4, 4);
}

#[test]
fn units_of_counting_by_script() {
    check(Zh, "所以答案是12", 5, 5);
    check(Ja, "アルゴリズムを使う", 4, 4);
    check(Ko, "AI가 3개를 2는", 3, 3);
    check(Th, "ดังนั้นคำตอบคือ 12", 5, 5);
    check(Hi, "इसलिए उत्तर 12 है।", 3, 3);
    check(Ar, "إذن الجواب هو 12", 3, 3);
    check(Ru, "и в итоге x = 12", 3, 3);
    check(En, "it's the knight's one-way street", 6, 6);
    check(Fr, "c’est l’équation", 2, 2);
    // The same text with its accents apart.
    check(Vi, "ph\u{1b0}\u{1a1}ng tri\u{300}nh co\u{301} hai nghie\u{323}\u{302}m", 5, 5);
}

#[test]
fn chinese_and_japanese_share_characters() {
    check(Zh, "この問題を解きましょう。", 0, 11);
    check(Ja, "この問題を解きましょう。", 11, 11);
    check(Ja, "我们来解决这个问题。", 0, 9);
    // Kanji without kana go with the Japanese around them.
    check(Ja, "計算開始。次の式を見る。三角形面積。", 15, 15);
    check(Zh, "計算開始。次の式を見る。三角形面積。", 0, 15);
    check(Zh, "日语的「ありがとう」是谢谢的意思。", 9, 14);
    check(Ja, "日语的「ありがとう」是谢谢的意思。", 5, 14);
    check(Zh, "這個問題很簡單，我們先計算總和。", 14, 14);
    // Characters of both go with the target.
    check(Zh, "計算", 2, 2);
    check(Ja, "計算", 2, 2);
}

#[test]
fn other_languages_of_a_script_are_not_its_first() {
    check(Ru, "Спочатку обчислимо суму, тому що це простіше і зрозуміліше.", 0, 8);
    check(Ru, "Първо ще намерим сумата, защото това е по лесно и е вярно.", 0, 10);
    check(Ru, "Прво ћемо израчунати збир, јер је то једноставније.", 0, 8);
    check(Ar, "ابتدا مجموع را حساب می‌کنیم چون این کار آسان است", 0, 10);
    check(En, "Ponieważ jest to łatwiejsze, więc kończymy.", 0, 6);
    check(En, "το άθροισμα είναι δέκα", 0, 4);
    check(En, "раypal", 0, 1);
}

#[test]
fn the_two_languages_of_the_synthetic_world_are_as_they_were() {
    let check = |text: &str, en, zh| assert_eq!((language_share(text, En), language_share(text, Zh)), (en, zh), "{text}");
    check("<think>first 1+2=3 so done</think><answer>检查</answer>", Some(1.0), Some(0.0));
    check("<think>检查 1+2=3</think>", Some(0.0), Some(1.0));
    check("<think>wait 等等 A是</think>", Some(0.25), Some(0.75));
    check("<think>1+2=3 x \\frac{1}{2}</think><answer>three</answer>", None, None);
    check("<think>привет hello</think>", Some(0.5), Some(0.0));
    check("it's so</think> 是", Some(1.0), Some(0.0));
    check("<think>so <answer>12", Some(1.0), Some(0.0));
    check("<think>try 9-7=2 no\ntry 3*1=3 yes\n先3*1=3 ok</think>", Some(5.0 / 6.0), Some(1.0 / 6.0));
    check("<think>suppose A is a knight: E and B are different true\nso A is a knave</think>", Some(1.0), Some(0.0));
    check("", None, None);
}

#[test]
fn verdicts_give_the_share() {
    let verdict = grade_language("<think>so 是</think>", En);
    assert_eq!((verdict.reward, verdict.outcome), (0.5, Outcome::Right));
    assert_eq!(verdict.reason, "50% of the words are in the target language");
    assert_eq!(grade_language("<think>是</think>", En).outcome, Outcome::Wrong);
    assert_eq!(grade_language("<think> </think>so", En).outcome, Outcome::Unparsed);
    assert_eq!(grade_language("<think>1+1=2</think>", En).reward, 1.0);
}

#[test]
fn adversarial_texts_end_quickly() {
    let n = 20_000;
    for piece in [
        "`",
        "``` ",
        "```\n",
        "~~~a\n",
        "$",
        "$a ",
        "$1 ",
        "\\(",
        "\\[",
        "\\begin{a}",
        "\\a{",
        "\\a[",
        "<a",
        "<a b=",
        "\\",
        "_",
        "'",
        ".",
        "http://a中",
        "a@b.c中",
        "a/",
        "//",
        "中",
        "の",
        "กก",
        "aб",
        "a.",
        "e\u{301}",
        "\u{301}",
        "\u{200d}",
        "İ",
        "ß",
        "AB",
        "Ab ",
        "a'",
    ] {
        let text = piece.repeat(n);
        for target in [En, De, Zh, Th] {
            let count = count_language(&text, target);
            assert!(count.target <= count.words && count.words <= text.len(), "{piece}");
        }
    }
    let fences: String = (3..300).rev().map(|length| "`".repeat(length) + "a\n").collect();
    assert_eq!(count_language(&fences, En).words, 0);
}

fn a_language() -> impl Strategy<Value = Language> {
    prop::sample::select(Language::ALL.to_vec())
}

fn some_text() -> impl Strategy<Value = String> {
    prop::sample::select(sentences()).prop_map(|sentence| sentence.text)
}

/// Formulas and code as completions have them.
const NOTATION: [&str; 8] = [
    "$a+b$",
    "$$\\text{if } x > 0$$",
    "\\(x\\)",
    "\\[\n\\frac{1}{2}\n\\]",
    "`let x = 1`",
    "\\boxed{12}",
    "https://example.org/path?q=word",
    "42",
];

proptest! {
    #[test]
    fn paragraphs_add_up(texts in prop::collection::vec(some_text(), 0..6), target in a_language()) {
        let counts: Vec<_> = texts.iter().map(|text| count_language(text, target)).collect();
        let whole = count_language(&texts.join("\n\n"), target);
        prop_assert_eq!(whole.words, counts.iter().map(|count| count.words).sum::<usize>());
        prop_assert_eq!(whole.target, counts.iter().map(|count| count.target).sum::<usize>());
    }

    #[test]
    fn notation_between_words_changes_nothing(
        text in some_text(),
        notation in prop::sample::select(&NOTATION[..]),
        place in any::<prop::sample::Index>(),
        target in a_language(),
    ) {
        // Not within code or a formula of the sentence itself, and not before its first word, whose capital would then count.
        let spaces: Vec<usize> = text.match_indices(' ').map(|(at, _)| at).collect();
        prop_assume!(!spaces.is_empty() && !text.contains(['`', '$', '\\']));
        let at = spaces[place.index(spaces.len())];
        let with = format!("{} {notation}{}", &text[..at], &text[at..]);
        prop_assert_eq!(count_language(&with, target), count_language(&text, target), "{}", with);
    }

    #[test]
    fn a_block_of_code_or_a_formula_below_changes_nothing(text in some_text(), target in a_language()) {
        let expected = count_language(&text, target);
        for block in ["```\nlet words = here;\n```", "\\begin{align}\nx &= y\n\\end{align}", "$$x = y$$"] {
            prop_assert_eq!(count_language(&format!("{text}\n{block}\n"), target), expected);
        }
    }

    #[test]
    fn any_text_has_a_share_between_0_and_1(
        parts in prop::collection::vec(prop_oneof![
            "\\PC{0,6}",
            some_text(),
            prop::sample::select(&["`", "```", "$", "$$", "\\", "\\(", "\\)", "\n", "\n\n", "{", "}", "<", ">", "http://", "@", "_", "'", ".", " "][..])
                .prop_map(String::from),
        ], 0..12),
        target in a_language(),
    ) {
        let count = count_language(&parts.concat(), target);
        prop_assert!(count.target <= count.words);
        prop_assert!(count.share().is_none_or(|share| (0.0..=1.0).contains(&share)));
        prop_assert_eq!(count.share().is_none(), count.words == 0);
    }
}
