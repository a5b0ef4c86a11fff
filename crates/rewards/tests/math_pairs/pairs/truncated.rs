//! Answers of which a prefix is read too easily: the first part of the right answer, or the right answer with more behind it.

use super::dice::Dice;
use super::latex::{frac, radicand, sum};
use super::{Family, Group, Wrap};

pub(super) const FAMILIES: [Family; 5] = [
    ("truncated", Wrap::Math, 300, truncated),
    ("truncated in plain text", Wrap::Plain, 80, plain),
    ("random prefixes", Wrap::Math, 300, prefixes),
    ("longer than the gold", Wrap::Math, 160, longer),
    ("cut off in the middle", Wrap::Whole, 60, cut_off),
];

/// Closed texts that stop before the end of the gold answer.
fn truncated(dice: &mut Dice) -> Group {
    let (a, b, c) = (dice.int(2, 30), dice.int(31, 60), dice.int(61, 99));
    let r = radicand(dice, 30);
    let (gold, equal, cuts) = match dice.below(12) {
        0 => (
            format!("{a} + {b}\\sqrt{{{r}}}"),
            format!("{b}\\sqrt{{{r}}} + {a}"),
            vec![a.to_string(), format!("{a} +"), format!("{a} + {b}"), format!("{a} + {b}\\sqrt"), format!("{a} + {b}\\sqrt{{}}")],
        ),
        1 => (
            format!("\\frac{{{a}}}{{{c}}}"),
            format!("{a}/{c}"),
            vec![
                a.to_string(),
                format!("\\frac{{{a}}}"),
                format!("{a}/"),
                format!("\\frac{{{a}}}{{}}"),
                format!("\\frac{{{a}}}{{{}}}", c / 10),
            ],
        ),
        2 => (
            format!("({a}, {b}, {c})"),
            format!("({a},{b},{c})"),
            vec![format!("({a}, {b})"), format!("({a}, {b},"), format!("({a}"), format!("({a}, {b}, {}", c / 10), a.to_string()],
        ),
        3 => (
            format!("\\{{{a}, {b}, {c}\\}}"),
            format!("\\{{{c}, {b}, {a}\\}}"),
            vec![format!("\\{{{a}, {b}\\}}"), format!("\\{{{a}, {b}"), format!("\\{{{a}, {b},"), a.to_string(), format!("{a}, {b}")],
        ),
        4 => (
            format!("[{a}, {b}) \\cup ({c}, \\infty)"),
            format!("[{a},{b})\\cup({c},\\infty)"),
            vec![
                format!("[{a}, {b})"),
                format!("[{a}, {b}) \\cup"),
                format!("[{a}, {b}) \\cup ({c}"),
                format!("[{a}"),
                format!("[{a}, {b}) \\cup ({c},"),
            ],
        ),
        5 => {
            let gold = sum(&[(a, "x^2".to_owned()), (b, "x".to_owned()), (c, String::new())]);
            let equal = sum(&[(c, String::new()), (b, "x".to_owned()), (a, "x^2".to_owned())]);
            (
                gold,
                equal,
                vec![
                    format!("{a}x^2 + {b}x"),
                    format!("{a}x^2 + {b}x +"),
                    format!("{a}x^2"),
                    format!("{a}x"),
                    format!("{a}x^2 + {b}"),
                    format!("{a}x^"),
                ],
            )
        }
        6 => (
            format!("y = {a}x + {b}"),
            format!("{a}x + {b} = y"),
            vec![format!("y = {a}x"), "y =".to_owned(), format!("y = {a}"), format!("y = {a}x +"), "y".to_owned()],
        ),
        7 => (
            format!("{a} \\times 10^{{{}}}", c - 58),
            format!("{a} \\cdot 10^{{{}}}", c - 58),
            vec![a.to_string(), format!("{a} \\times"), format!("{a} \\times 10"), format!("{a} \\times 10^")],
        ),
        8 => (
            format!("\\begin{{pmatrix}} {a} & {b} \\\\ {c} & {r} \\end{{pmatrix}}"),
            format!("\\begin{{pmatrix}}{a}&{b}\\\\{c}&{r}\\end{{pmatrix}}"),
            vec![
                format!("\\begin{{pmatrix}} {a} & {b} \\end{{pmatrix}}"),
                format!("\\begin{{pmatrix}} {a} & {b} \\\\ {c}"),
                format!("\\begin{{pmatrix}} {a} & {b} \\\\ {c} & \\end{{pmatrix}}"),
                a.to_string(),
            ],
        ),
        9 => (
            format!("{a} < x \\le {b}"),
            format!("{b} \\ge x > {a}"),
            vec![format!("{a} < x"), format!("{a} < x \\le"), format!("{a} <"), a.to_string(), format!("{a} < x \\le {}", b / 10)],
        ),
        10 => (
            format!("{a}, {b}, {c}"),
            format!("{c}, {a}, {b}"),
            vec![format!("{a}, {b}"), a.to_string(), format!("{a}, {b},"), format!("{a}, {b}, {}", c / 10)],
        ),
        _ => {
            let digits = c * 1_000_000 + b * 1_000 + a + 100;
            let text = digits.to_string();
            (
                text.clone(),
                format!("{},{},{}", &text[..2], &text[2..5], &text[5..]),
                vec![text[..7].to_owned(), text[..4].to_owned(), format!("{},{}", &text[..2], &text[2..5]), text[..1].to_owned()],
            )
        }
    };
    Group::new(gold, vec![equal], cuts)
}

fn plain(dice: &mut Dice) -> Group {
    let (a, b, c) = (dice.int(2, 30), dice.int(31, 60), dice.int(61, 99));
    let (gold, cuts) = match dice.below(5) {
        0 => (format!("{a}/{b}"), vec![format!("{a}/"), a.to_string()]),
        1 => (format!("({a}, {b}, {c})"), vec![format!("({a}, {b})"), format!("({a}"), format!("({a}, {b}, ")]),
        2 => (format!("{a}x + {b}"), vec![format!("{a}x"), format!("{a}x +"), a.to_string()]),
        3 => (format!("{a}.{b}{c}"), vec![format!("{a}.{b}"), a.to_string(), format!("{a}.{}", b / 10)]),
        _ => (format!("{a}^{b}"), vec![a.to_string(), format!("{a}^"), format!("{a}^{}", b / 10)]),
    };
    Group::new(gold.clone(), vec![gold], cuts)
}

/// Gold answers in which every digit and letter counts, cut at any place that drops one.
fn prefixes(dice: &mut Dice) -> Group {
    let (a, b, c, d) = (dice.int(11, 99), dice.int(101, 999), dice.int(2, 9), dice.int(11, 99));
    let r = radicand(dice, 30);
    let x = dice.pick(&["x", "y", "t"]);
    let gold = dice.pick(&[
        format!("\\frac{{{a}}}{{{b}}}"),
        format!("\\frac{{{a} + {c}\\sqrt{{{r}}}}}{{{b}}}"),
        format!("{b}{x}^{c} - {a}{x} + {d}"),
        format!("({a}, -{b}, {d})"),
        format!("\\left( {a}, \\frac{{{c}}}{{{b}}} \\right)"),
        format!("\\{{{c}, {a}, {b}\\}}"),
        format!("[{c}, {a}) \\cup ({b}, \\infty)"),
        format!("\\begin{{pmatrix}} {a} & {c} \\\\ {b} & {d} \\end{{pmatrix}}"),
        format!("{a} + {b}i"),
        format!("{a} \\cdot {c}^{{{d}}}"),
        format!("\\sqrt[3]{{{b}}} + {a}"),
        format!("y = -\\frac{{{a}}}{{{c}}} x + {d}"),
        format!("{c} \\le x < {a}"),
        format!("\\log_{{{c}}} {b} + {a}"),
        format!("\\binom{{{a}}}{{{c}}} - {d}"),
        format!("{a}\\pi - {b}\\sqrt{{{r}}}"),
        format!("{b}.{a}{c}"),
        format!("{a}{b}{d}"),
    ]);
    let all = gold.clone();
    let counts = |text: &str| text.chars().any(|c| c.is_ascii_digit()) || text.contains("infty");
    let cuts = (1..all.len()).filter(|&at| counts(&all[at..])).map(|at| all[..at].trim_end().to_owned());
    // A cut may leave one brace that closes the box: only texts with balanced braces stand in a box.
    let cuts = cuts.filter(|text| text.matches('{').count() == text.matches('}').count() && !text.ends_with('\\')).collect();
    Group::new(gold.clone(), vec![gold], cuts)
}

/// The gold answer is a prefix of the response's answer.
fn longer(dice: &mut Dice) -> Group {
    let (a, b) = (dice.int(2, 60), dice.int(2, 9));
    let r = radicand(dice, 30);
    let gold = match dice.below(4) {
        0 => a.to_string(),
        1 => format!("{a}\\sqrt{{{r}}}"),
        2 => frac(a, 61 + b),
        _ => format!("{a}x"),
    };
    let mut different = vec![
        format!("{gold} + {b}"),
        format!("{gold} \\cdot {b}"),
        format!("{gold} - {b}"),
        format!("\\frac{{{gold}}}{{{b}}}"),
        format!("{gold} + \\sqrt{{{r}}}"),
        format!("{gold}, {}", a + 100),
        format!("{gold} \\times 10^{{{b}}}"),
        format!("{gold}y"),
        format!("{gold} < x"),
        format!("({gold}, {b})"),
        format!("{gold} \\pm {b}"),
        format!("{gold} + "),
        format!("{gold} \\cdot"),
    ];
    if a > 2 && gold == a.to_string() {
        different.extend([format!("{gold}!"), format!("{gold}^2"), format!("{gold}.5"), format!("{gold}{b}")]);
    }
    Group::new(gold.clone(), vec![gold], different)
}

/// Responses that stop inside the answer or before it: there is nothing to read yet.
fn cut_off(dice: &mut Dice) -> Group {
    let (a, b) = (dice.int(11, 99), dice.int(100, 999));
    let gold = format!("\\frac{{{a}}}{{{b}}}");
    Group::new(
        gold.clone(),
        vec![format!("Dividing gives $\\boxed{{{gold}}}$."), format!("<think>Divide.</think>The answer is ${a}/{b}$.")],
        vec![
            format!("<think>So the answer is {a}/{b}"),
            format!("<think>Let us divide {a} by {b}. The answer is $\\frac{{{a}}}"),
            format!("So we get \\boxed{{\\frac{{{a}}}"),
            format!("The answer is $\\frac{{{a}}}{{"),
            format!("The answer is {a}/"),
            "The answer is".to_owned(),
            String::new(),
            format!("<think>{a}/{b}"),
        ],
    )
}
