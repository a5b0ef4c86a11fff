//! Finding the answer in a response.

use super::dice::Dice;
use super::latex::{Fraction, sqrt};
use super::{Family, Group, Wrap};

pub(super) const FAMILIES: [Family; 6] = [
    ("boxes", Wrap::Whole, 180, boxes),
    ("phrases", Wrap::Whole, 180, phrases),
    ("tags and hashes", Wrap::Whole, 120, tags),
    ("last of several", Wrap::Whole, 120, several),
    ("sentences without a mark", Wrap::Whole, 80, sentences),
    ("long responses", Wrap::Whole, 8, long),
];

/// A gold answer, another notation of it, and one of something else.
fn answers(dice: &mut Dice) -> (String, String, String) {
    let value = Fraction::any(dice, 40);
    let other = value.plus(Fraction::new(dice.int(1, 5), 1));
    if dice.chance(4) {
        let (a, n) = (dice.int(2, 9), dice.pick(&[2, 3, 5, 6, 7, 10]));
        let root = |a: i64| format!("{a}{}", sqrt(n));
        return (root(a), root(a).replace("\\sqrt", " \\cdot \\sqrt"), root(a + 1));
    }
    let notations = value.notations(dice);
    let other_notations = other.notations(dice);
    (value.latex(), dice.pick(&notations), dice.pick(&other_notations))
}

/// Every form filled with the right and with the wrong answer.
fn filled(dice: &mut Dice, forms: &[&str]) -> Group {
    let (gold, right, wrong) = answers(dice);
    let fill = |answer: &str| forms.iter().map(|form| form.replace('@', answer)).collect::<Vec<_>>();
    Group::new(gold, fill(&right), fill(&wrong))
}

fn boxes(dice: &mut Dice) -> Group {
    filled(
        dice,
        &[
            "The result is \\boxed{@}",
            "\\boxed{ @ }",
            "\\boxed {@}",
            "$$\\boxed{@}$$",
            "\\[\n\\boxed{@}\n\\]\nwhich was to be found.",
            "\\fbox{$@$}",
            "\\fbox{@}",
            "\\framebox{$@$}",
            "\\boxed{{@}}",
            "\\boxed{\\displaystyle @}",
            "\\boxed{x = @}",
            "\\boxed{$@$}",
            "\\boxed{\\boxed{@}}",
            "\\boxed{@.}",
            "**Final Answer**\n\\boxed{@}",
            "**$\\boxed{@}$**",
            "Let $f(x) = \\{x\\}$, then {some text} gives $\\boxed{@}$, since $\\{0\\} \\ne \\{1\\}$.",
            "So \\(\\boxed{@}\\), as $3 < 4$ and $\\frac{1}{2} + \\frac{1}{2} = 1$.",
        ],
    )
}

fn phrases(dice: &mut Dice) -> Group {
    filled(
        dice,
        &[
            "The answer is $@$.",
            "the answer is $@$",
            "The final answer is $@$. I hope it is correct.",
            "Thus the answer is: $@$",
            "Hence, the answer is $x = @$.",
            "**Answer:** $@$",
            "**Answer**: $@$",
            "Answer: $@$",
            "Final answer: $@$",
            "### Final Answer\n\n$@$",
            "We get 3 of 4. So the answer is \\(@\\).",
            "The correct answer is **$@$**.",
            "The answer is \\[@\\]",
            "The answer is $$@$$",
            "The answer is\n$@$",
            "THE ANSWER IS $@$.",
            "答案是$@$。",
            "答案为 $@$。",
            "所以答案：$@$",
            "答案是：\\(@\\)",
        ],
    )
}

fn tags(dice: &mut Dice) -> Group {
    filled(
        dice,
        &[
            "<think>17 is wrong.</think><answer>$@$</answer>",
            "<think>17 is wrong.</think>\n<answer>\n$@$\n</answer>\n",
            "<think>\\boxed{17} is wrong.</think><answer>\\boxed{@}</answer>",
            "<answer>The answer is $@$.</answer>",
            "<answer>So we have $\\boxed{@}$ in all.</answer>",
            "<answer>5</answer> No, I made a mistake. <answer>$@$</answer>",
            "<think>17?</think><answer> $x = @$ </answer>",
            "48 / 2 = 24 and 24 + 1 = 25\n#### $@$",
            "So it is done.\n####$@$\n",
        ],
    )
}

/// Earlier answers do not count, even if they are right.
fn several(dice: &mut Dice) -> Group {
    const FORMS: [&str; 9] = [
        "I first got \\boxed{@first}. That forgets a case. The result is \\boxed{@last}.",
        "$\\boxed{@first}$ is what we get for $n = 1$. In general: $\\boxed{@last}$",
        "The answer is $@first$. Wait, no. The answer is $@last$.",
        "<answer>$@first$</answer> I have to correct that. <answer>$@last$</answer>",
        "<think>The answer is $@first$.</think>The answer is $@last$.",
        "<think>\\boxed{@first}?</think>\n\\boxed{@last}",
        "答案是 $@first$。更正：答案是 $@last$。",
        "#### $@first$\nI made a mistake.\n#### $@last$",
        "First $@first$, then $@last$.",
    ];
    let (gold, right, wrong) = answers(dice);
    let fill = |first: &str, last: &str| FORMS.iter().map(|form| form.replace("@first", first).replace("@last", last)).collect::<Vec<_>>();
    Group::new(gold.clone(), fill(&wrong, &right), fill(&gold, &wrong))
}

fn sentences(dice: &mut Dice) -> Group {
    let (value, k) = (dice.int(5, 900), dice.int(2, 4));
    const FORMS: [&str; 12] = [
        "So she has @ eggs left.",
        "In total, they sold @ tickets.",
        "He needs @ hours for it.",
        "That makes @ in all.",
        "We add 3 and 4 to get there. Altogether there are @ of them.",
        "<think>First 12, then 40.</think>\nJanet earns $@ a day.",
        "First she buys 2 boxes.\nThen she buys 3 more.\nShe pays @ dollars.",
        "Since 2 + 2 = 4, the total is @.",
        "The perimeter is $@$ cm.",
        "Therefore $x = @$.",
        "It follows that $x = @$ is the only solution.",
        "小明一共有@个苹果。",
    ];
    let fill = |value: i64| FORMS.iter().map(|form| form.replace('@', &value.to_string())).collect::<Vec<_>>();
    Group::new(value.to_string(), fill(value), [fill(value + k), fill(value * 10)].concat())
}

/// A hundred thousand characters of reasoning before the answer.
fn long(dice: &mut Dice) -> Group {
    let (gold, right, wrong) = answers(dice);
    let step = dice.pick(&[
        "Let $x = 3$, then {x} is \\boxed{4}, so the answer is 5. ",
        "We try \\frac{1}{2} and find that (1 + 2) = 3. ",
        "Wait, {let me check that: $1 < 2$ and $2 < 3$}. ",
        "\\[ a + b = c \\] and \\( c = d \\) ",
    ]);
    let reasoning = step.repeat(100_000 / step.len());
    let fill = |answer: &str| {
        vec![format!("<think>{reasoning}</think>The answer is $\\boxed{{{answer}}}$."), format!("{reasoning}\n\n\\boxed{{{answer}}}")]
    };
    Group::new(gold, fill(&right), fill(&wrong))
}
