use std::time::Instant;

use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: Option<(&str, Place)>) {
    let found = candidates(text, &Extraction::default());
    assert_eq!(found.last().map(|found| (found.text, found.place)), expected, "{text}");
}

#[test]
fn the_strongest_mark_wins() {
    check("<answer>1</answer> no, <answer> 2 </answer> \\boxed{3}", Some(("2", Place::Tag)));
    check("<answer>so \\boxed{4}</answer>", Some(("4", Place::Tag)));
    check("<answer>The answer is 4.5.</answer>", Some(("4.5", Place::Tag)));
    check("\\boxed{1} then \\boxed{\\frac{3}{4}}.", Some(("\\frac{3}{4}", Place::Boxed)));
    check("\\boxed{1} then \\boxed{2", Some(("1", Place::Boxed)));
    check("48/2=24\n#### 72\n", Some(("72", Place::Hashes)));
    check("So the answer is 3.5. Done", Some(("3.5", Place::Phrase)));
    check("所以答案是12。", Some(("12", Place::Phrase)));
    check("<think>7</think>\n9 eggs\n", Some(("9 eggs", Place::Rest)));
    check("the value is $7$ metres", Some(("7", Place::Math)));
}

#[test]
fn unfinished_reasoning_and_empty_tags_hold_no_answer() {
    check("<think>the answer is 7", None);
    check("<think>a</think> the answer is 7 <think> wait", None);
    check("<think>so $x = 7$", None);
    check("<answer></answer>", None);
    check("<answer> </answer> \\boxed{3}", None);
    check(" \n ", None);
    // An announcement that was cut off is words.
    check("The answer is", Some(("The answer is", Place::Rest)));
    check("答案是", Some(("答案是", Place::Rest)));
    check("####", None);
    check("$$", Some(("$$", Place::Rest)));
    check("-", Some(("-", Place::Rest)));
}

#[test]
fn boxes_of_all_kinds_are_read() {
    for (text, inside) in [
        ("$\\boxed{\\text{(B)}}$", "\\text{(B)}"),
        ("\\fbox{12}", "12"),
        ("\\framebox{x^{2}}", "x^{2}"),
        ("$\\boxed 5$.", "5"),
        ("\\boxed5", "5"),
        ("\\boxed {7}", "7"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\boxed{[1, 2\\}]}", "[1, 2\\}]"),
        ("\\boxed{\\boxed{3}}", "\\boxed{3}"),
        ("{{ \\boxed{8}", "8"),
        ("}} \\boxed{8} }", "8"),
        ("\\boxed{4} and \\boxed{}", "4"),
    ] {
        check(text, Some((inside, Place::Boxed)));
    }
}

#[test]
fn boxes_that_are_joined_are_one_answer() {
    for (text, inside) in [
        ("\\boxed{1}, \\boxed{2}", "\\boxed{1}, \\boxed{2}"),
        ("$\\boxed{1}$ and $\\boxed{2}$.", "$\\boxed{1}$ and $\\boxed{2}$"),
        ("$$\\boxed{(2, 2)} \\quad \\text{and} \\quad \\boxed{(6, 2)}$$", "\\boxed{(2, 2)} \\quad \\text{and} \\quad \\boxed{(6, 2)}"),
        ("\\boxed{1} or \\boxed{2}, and \\boxed{3}", "\\boxed{1} or \\boxed{2}, and \\boxed{3}"),
        ("\\boxed{1}、\\boxed{2}", "\\boxed{1}、\\boxed{2}"),
        // Nothing between them, a sentence, an empty one: the last one counts.
        ("\\boxed{1}\\boxed{2}", "2"),
        ("\\boxed{1}. So \\boxed{2}", "2"),
        ("(a) \\boxed{1}, (b) \\boxed{2}", "2"),
        ("\\boxed{1}, \\boxed{}, \\boxed{2}", "2"),
        ("\\\\boxed{7}", "7"),
        ("x \\\\\\boxed{7}", "7"),
    ] {
        check(text, Some((inside, Place::Boxed)));
    }
}

#[test]
fn boxes_with_names_or_parts_of_the_question_are_one_answer() {
    for (text, inside) in [
        ("So $a = \\boxed{1}$ and $b = \\boxed{2}$.", "$a = \\boxed{1}$ and $b = \\boxed{2}$"),
        (
            "\\(u_{1}=\\boxed{1}\\), \\(u_{2}=\\boxed{2}\\), \\(u_{3}=\\boxed{5}\\)",
            "u_{1}=\\boxed{1}\\), \\(u_{2}=\\boxed{2}\\), \\(u_{3}=\\boxed{5}",
        ),
        ("\\boxed{1} for part (a) and \\boxed{2} for part (b)", "\\boxed{1} for part (a) and \\boxed{2}"),
        // Only one of them has a name, or the words between say more.
        ("We get \\boxed{1} and $b = \\boxed{2}$.", "2"),
        ("$a = \\boxed{1}$ and \\boxed{2}.", "\\boxed{1}$ and \\boxed{2}"),
        ("\\boxed{1} for n = 3 and \\boxed{2}", "2"),
        ("\\boxed{1} for part (a) is wrong and \\boxed{2}", "2"),
    ] {
        check(text, Some((inside, Place::Boxed)));
    }
}

#[test]
fn a_final_answer_behind_the_boxes_takes_their_place() {
    check("First \\boxed{20}, then \\boxed{30}. Final Answer: The final answer is $50$.", Some(("50", Place::Phrase)));
    check("\\boxed{20}\n\n**Final answer:** 50", Some(("50", Place::Phrase)));
    check("<think>\\boxed{20}</think>The final answer is $50$.", Some(("50", Place::Phrase)));
    // In words, inside the reasoning, in a box of its own, or without "final".
    check("\\boxed{20} is the final answer: see line 3.", Some(("20", Place::Boxed)));
    check("\\boxed{20}. Final answer: the boxed number.", Some(("20", Place::Boxed)));
    check("<think>\\boxed{20} so the final answer is 50", Some(("20", Place::Boxed)));
    check("\\boxed{20}. The final answer is $\\boxed{50}$.", Some(("50", Place::Boxed)));
    check("\\boxed{20}. The answer is 50.", Some(("20", Place::Boxed)));
    check("The final answer is 50. \\boxed{20}", Some(("20", Place::Boxed)));
}

#[test]
fn a_denied_number_is_no_answer_but_the_one_that_corrects_it_is() {
    check("So the number is not 7 but 8.", Some(("8", Place::Rest)));
    check("So the sum is not 7, it is 8.50€", Some(("8.50€", Place::Rest)));
    check("So the sum is not 7 but it's rather 8", Some(("8", Place::Rest)));
    for text in [
        "So the number is not 7.",
        "So the number is not 7 or 8.",
        "So the number is not 8 which is 8.0",
        "So the number is not 2*4 which is 8",
        "So the number is not 7 which is 8 less",
        "We never said that it is 8",
    ] {
        check(text, None);
    }
}

#[test]
fn marks_within_a_line_do_not_stand_apart_from_their_formula() {
    check("so $\n9\n$", Some(("$", Place::Rest)));
    check("so \\(\n9\n\\)", Some(("\\)", Place::Rest)));
    check("so $4 +\n5$", Some(("4 +\n5", Place::Math)));
    check("so $$\n9\n$$", Some(("9", Place::Math)));
    check("so \\[\n9\n\\]", Some(("9", Place::Math)));
    check("They cost 12,50 $ a..", Some(("12,50 $", Place::Rest)));
}

#[test]
fn phrases_give_the_answer_of_their_sentence() {
    for (text, inside) in [
        ("The answer is $x$.", "x"),
        ("**Answer:** 5", "5"),
        ("**Final Answer**: 5", "5"),
        ("### Final answer\n\nThe final answer is:\n\n$$\n\\frac{1}{2}\n$$", "\\frac{1}{2}"),
        ("Answer:\n12", "12"),
        ("The answer to the question is 42.", "42"),
        ("the answer is 5, because 2 + 3 = 5", "5"),
        ("the answer is therefore 12.5!", "12.5"),
        ("the answer is: **$\\frac{1}{2}$**.", "\\frac{1}{2}"),
        ("The answer is (B).", "(B)"),
        ("The correct answer is option C.", "C"),
        ("The answer is 3:45 p.m. today. Yes", "3:45 p.m. today"),
        ("The answer is $3.50 per person.", "$3.50 per person"),
        ("ANSWER: 9", "9"),
        ("My answers are 3 and 4.", "3 and 4"),
        ("答案为：三分之二", "三分之二"),
        ("答案：$12$", "12"),
        ("**答案**：5", "5"),
        ("first the answer is 1. No, the answer is 2.", "2"),
        ("Final Answer: The final answer is 12,000,023. I hope it is correct.", "12,000,023"),
        ("Final answer: the volume of $ABCD$ is 120.", "120"),
        ("Answer: The largest $n$ is $34$.", "34"),
        ("Answer: ***7***", "7"),
        ("Answer: $\\begin{pmatrix} 1\\\\\n2 \\end{pmatrix}$", "\\begin{pmatrix} 1\\\\\n2 \\end{pmatrix}"),
        ("Answer: $\n12\n$", "12"),
        ("Answer: $5.\nShe has $6 left.", "$5"),
        ("Answer: The largest n is not 34.", "not 34"),
        ("The answer is 5!", "5!"),
        ("Answer: x^{2} + 1", "x^{2} + 1"),
    ] {
        check(text, Some((inside, Place::Phrase)));
    }
}

#[test]
fn the_end_without_marks_gives_its_last_expression() {
    for (text, inside, place) in [
        ("So she has 18 eggs left.", "18", Place::Rest),
        ("Therefore, x = 5.", "x = 5", Place::Rest),
        ("Therefore x = 5 and y = 3.", "x = 5 and y = 3", Place::Rest),
        ("3 + 4 = 7\n\n-3", "-3", Place::Rest),
        ("- 7", "7", Place::Rest),
        ("***7***", "7", Place::Rest),
        ("He pays $12.50 in total.", "$12.50", Place::Rest),
        ("She has $5 and he has $6.", "$6", Place::Rest),
        ("所以她还剩18个鸡蛋。", "18", Place::Rest),
        ("This leaves a 5.", "5", Place::Rest),
        ("yes", "yes", Place::Rest),
        ("Janet earns $228 a day.", "$228", Place::Rest),
        ("May 21, 1926", "May 21, 1926", Place::Rest),
        ("\\[\\begin{bmatrix} 1\\\\[2pt] 2 \\end{bmatrix}\\]", "\\begin{bmatrix} 1\\\\[2pt] 2 \\end{bmatrix}", Place::Math),
        ("x^2 + 1", "x^2 + 1", Place::Rest),
        ("Thus\n\\[ x = 5. \\]", "x = 5.", Place::Math),
        ("so \\(a+b\\) is it", "a+b", Place::Math),
        ("Thus $x = 4$.\n\nIn total 12 apples.", "12", Place::Rest),
    ] {
        check(text, Some((inside, place)));
    }
}

#[test]
fn order_and_number_of_answers_are_choices() {
    let text = "\\boxed{1} \\boxed{2} #### 3";
    let all = Extraction { several: Several::AllAgree, ..Extraction::default() };
    let texts = |extraction: &Extraction| candidates(text, extraction).iter().map(|found| found.text).collect::<Vec<_>>();
    assert_eq!(texts(&all), ["1", "2"]);
    assert_eq!(texts(&Extraction { order: vec![Place::Hashes, Place::Boxed], several: Several::Last }), ["3"]);
    assert_eq!(texts(&Extraction { order: vec![Place::Tag], several: Several::Last }), [""; 0]);
    let tags = candidates("<answer>1</answer><answer>so \\boxed{2}</answer>", &all);
    assert_eq!(tags.iter().map(|found| found.text).collect::<Vec<_>>(), ["1", "2"]);
}

const MARKS: [&str; 40] = [
    "\\boxed{",
    "\\boxed ",
    "\\fbox{",
    "<answer>",
    "</answer>",
    "<think>",
    "</think>",
    "####",
    "#### ",
    "the answer is ",
    "Answer: ",
    "**Answer:** ",
    "answer to ",
    "答案是",
    "答案：",
    "$",
    "$$",
    "\\[",
    "\\]",
    "\\(",
    "\\)",
    "{",
    "}",
    "\\",
    "**",
    "-",
    "- ",
    "_",
    "\n",
    "\n\n",
    " ",
    ".",
    ". ",
    "。",
    "!",
    "5",
    "x = 1",
    "and ",
    "eggs ",
    "ü",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn each_answer_is_a_trimmed_part_of_any_text(picks in proptest::collection::vec(0..MARKS.len(), 0..24)) {
        let text: String = picks.iter().map(|&at| MARKS[at]).collect();
        for several in [Several::Last, Several::AllAgree] {
            for place in Extraction::default().order {
                let found = candidates(&text, &Extraction { order: vec![place], several });
                prop_assert!(found.len() <= 1 || several == Several::AllAgree);
                for answer in found {
                    prop_assert_eq!(answer.place, place);
                    prop_assert!(!answer.text.is_empty() && answer.text.trim() == answer.text && text.contains(answer.text));
                }
            }
        }
    }
}

/// Texts full of marks that lead nowhere. Work that grew with the square of the length would take many seconds here; linear work
/// takes some milliseconds, and a busy machine may take its time.
#[test]
fn extraction_is_linear_in_hostile_text() {
    const BYTES: usize = 400_000;
    let marks = [
        "\\boxed{",
        "<answer>",
        "</answer>",
        "####",
        "the answer is ",
        "answer to ",
        "$",
        "$$",
        "\\[",
        "{",
        "}",
        "\\(",
        "a ",
        "1 ",
        "答案",
        "答案是",
        "\\boxed 1",
        "<think>",
        "</think>",
        "**",
        "-",
        "\\",
        "answer is \\[",
        "x = 1, ",
        "and ",
        "answer is $$\n",
        "answer is\n",
        "1!",
        "n",
    ];
    for mark in marks {
        let text = mark.repeat(BYTES / mark.len());
        for place in Extraction::default().order {
            let extraction = Extraction { order: vec![place], several: Several::AllAgree };
            let seconds = (0..3).map(|_| {
                let start = Instant::now();
                let _ = candidates(&text, &extraction);
                start.elapsed().as_secs_f64()
            });
            let best = seconds.fold(f64::INFINITY, f64::min);
            assert!(best < 2.0, "{mark:?} at {place:?}: {best} s");
        }
    }
}
