//! Answers that differ by very little, that agree on one side only, that say too much, or that are dressed up.

use super::dice::Dice;
use super::latex::{Fraction, frac, radicand, sqrt, sum, texts};
use super::{Family, Group, Wrap};

pub(super) const FAMILIES: [Family; 11] = [
    ("close values", Wrap::Math, 140, close_values),
    ("equal on one side only", Wrap::Math, 100, one_sided),
    ("large integers", Wrap::Math, 100, large_integers),
    ("fractional coefficients", Wrap::Math, 100, fractional),
    ("radicals multiplied out", Wrap::Math, 120, multiplied_out),
    ("symbolic matrices", Wrap::Math, 60, symbolic_matrices),
    ("nested structures", Wrap::Math, 100, nested),
    ("hedged answers", Wrap::Math, 80, hedged),
    ("decorations", Wrap::Math, 160, decorations),
    ("marked-down text", Wrap::Whole, 100, marked_down),
    ("whole solutions", Wrap::Whole, 100, solutions),
];

/// Values that agree in many digits. The gold is exact, so that nothing may be rounded.
fn close_values(dice: &mut Dice) -> Group {
    let n = dice.int(6, 15);
    let (a, b) = (dice.int(2, 30), dice.int(2, 30));
    let r = radicand(dice, 40);
    let tiny = format!("10^{{-{n}}}");
    match dice.below(4) {
        0 => {
            let gold = sqrt(r);
            let equal =
                vec![format!("\\frac{{{r}}}{{{gold}}}"), format!("{gold} + {tiny} - {tiny}"), sqrt(format!("\\frac{{{}}}{{4}}", 4 * r))];
            let different = vec![
                format!("{gold} + {tiny}"),
                format!("{gold} - {tiny}"),
                sqrt(format!("{r} + {tiny}")),
                format!("{gold} \\cdot (1 + {tiny})"),
                sqrt(format!("{r}.{}1", "0".repeat(usize::try_from(n).unwrap_or(6)))),
            ];
            Group::new(gold, equal, different)
        }
        1 => {
            let big = 10_i64.pow(u32::try_from(n).unwrap_or(6));
            let different = vec![
                Fraction::new(big + 1, big).latex(),
                Fraction::new(big, big + 1).latex(),
                sqrt(format!("1 + {tiny}")),
                format!("1 - {tiny}"),
                format!("0.{}", "9".repeat(usize::try_from(n).unwrap_or(6))),
            ];
            Group::new("1", vec![frac(big, big), format!("(1 + {tiny}) - {tiny}"), "0.\\overline{9}".to_owned()], different)
        }
        2 => {
            let power = format!("{a}^{{{}}}", 3 * n);
            let equal = vec![format!("{power} \\cdot {b}"), format!("{b} \\cdot {a} \\cdot {a}^{{{}}}", 3 * n - 1)];
            let different = vec![
                format!("{b} \\cdot {power} + 1"),
                format!("{b} \\cdot {power} - 1"),
                format!("{b} \\cdot ({power} + 1)"),
                format!("\\sqrt{{{}\\cdot {a}^{{{}}} + 1}}", b * b, 6 * n),
            ];
            Group::new(format!("{b} \\cdot {power}"), equal, different)
        }
        _ => Group::new(
            format!("{a}\\pi"),
            vec![format!("{a}\\pi + {tiny} - {tiny}"), format!("\\frac{{{}\\pi}}{{{b}}}", a * b)],
            vec![
                format!("{a}\\pi + {tiny}"),
                format!("{a} \\cdot \\frac{{355}}{{113}}"),
                format!("{a} \\cdot 3.14159265358979"),
                format!("{a}(\\pi - {tiny})"),
                format!("{a} \\cdot \\frac{{\\ln(640320^3 + 744)}}{{\\sqrt{{163}}}}"),
            ],
        ),
    }
}

/// Expressions that agree for many values of the variable and not for all.
fn one_sided(dice: &mut Dice) -> Group {
    let x = dice.pick(&["x", "y", "t"]);
    let n = dice.pick(&[1, 5, 40, 300, 5_000, 100_000]);
    match dice.below(4) {
        0 => Group::new(
            format!("|{x}|"),
            vec![format!("|-{x}|"), format!("\\left|{x}\\right|"), format!("\\frac{{|{n}{x}|}}{{{n}}}")],
            vec![x.to_owned(), format!("-{x}"), format!("|{x} + {n}| - {n}"), format!("|{x}| + 1")],
        ),
        1 => Group::new(
            format!("|{x} - {n}|"),
            vec![format!("|{n} - {x}|"), format!("|{x}-{n}|")],
            vec![format!("{x} - {n}"), format!("{n} - {x}"), format!("|{x} + {n}|"), format!("|{x}| - {n}"), format!("{n} - |{x}|")],
        ),
        2 => Group::new(
            format!("|{x} - {n}| + |{x} + {n}|"),
            vec![format!("|{x} + {n}| + |{n} - {x}|")],
            vec![format!("2|{x}|"), (2 * n).to_string(), format!("2{x}"), format!("|2{x}|"), format!("|{x} - {n}| - |{x} + {n}|")],
        ),
        _ => Group::new(
            x.to_owned(),
            vec![format!("\\frac{{{x}^2}}{{{x}}}"), format!("{x} + {n} - {n}")],
            vec![
                format!("|{x}|"),
                format!("\\lfloor {x} \\rfloor"),
                format!("\\max({x}, -{n})"),
                format!("{x}^2"),
                format!("\\min({x}, {n})"),
            ],
        ),
    }
}

fn large_integers(dice: &mut Dice) -> Group {
    let (a, b) = (dice.int(100_000, 3_000_000_000), dice.int(100_000, 3_000_000_000));
    let product = i128::from(a) * i128::from(b);
    let gold = product.to_string();
    let mut swapped: Vec<char> = gold.chars().collect();
    let at = dice.below(swapped.len() - 1);
    swapped.swap(at, at + 1);
    Group::new(
        gold.clone(),
        vec![
            format!("{a} \\cdot {b}"),
            format!("{b} \\times {a}"),
            format!("{} + {a}", product - i128::from(a)),
            format!("{gold}.0"),
            format!("\\frac{{{}}}{{7}}", product * 7),
        ],
        vec![
            (product + 1).to_string(),
            (product - 1).to_string(),
            format!("{a} \\cdot {}", b + 1),
            format!("{gold}0"),
            gold[..gold.len() - 1].to_owned(),
            swapped.into_iter().collect(),
            format!("{gold}.01"),
        ],
    )
}

fn fractional(dice: &mut Dice) -> Group {
    let x = dice.pick(&["x", "t", "n"]);
    let (a, b, c) = (Fraction::random(dice, 9), Fraction::random(dice, 9), Fraction::any(dice, 9));
    let signed = |value: Fraction| if value.above < 0 { format!("- {}", value.negative().latex()) } else { format!("+ {}", value.latex()) };
    let write = |a: Fraction, b: Fraction, c: Fraction| format!("{}{x}^2 {}{x} {}", a.latex(), signed(b), signed(c));
    let common = a.below * b.below * c.below;
    let whole = |value: Fraction| value.above * (common / value.below);
    let terms = [(whole(a), format!("{x}^2")), (whole(b), x.to_owned()), (whole(c), String::new())];
    let gold = write(a, b, c);
    let one = Fraction::new(1, 1);
    let equal = vec![
        frac(sum(&terms), common),
        format!("\\frac{{1}}{{{common}}}({})", sum(&terms)),
        format!("{} {}{x} {}{x}^2", c.latex(), signed(b), signed(a)),
        format!("\\frac{{{}{x}^2}}{{{}}} {}{x} {}", a.above, a.below, signed(b), signed(c)),
        format!("{x}\\left({}{x} {}\\right) {}", a.latex(), signed(b), signed(c)),
    ];
    let different = vec![
        write(a.negative(), b, c),
        write(a, b.negative(), c),
        write(a, b, c.plus(one)),
        write(a.plus(one), b, c),
        frac(sum(&terms), common + 1),
        sum(&terms),
        format!("{}{x}^2 {}{x}", a.latex(), signed(b.plus(one))),
    ];
    Group::new(gold, equal, if common == 1 { Vec::new() } else { different })
}

fn multiplied_out(dice: &mut Dice) -> Group {
    let (m, n) = loop {
        let (m, n) = (radicand(dice, 20), radicand(dice, 20));
        if m != n {
            break (m, n);
        }
    };
    let (a, b) = (dice.int(1, 9), dice.int(1, 9));
    let root = sqrt(m * n);
    match dice.below(3) {
        // (a√m + b√n)^2
        0 => Group::new(
            format!("{} + {}{root}", a * a * m + b * b * n, 2 * a * b),
            vec![
                format!("({a}\\sqrt{{{m}}} + {b}\\sqrt{{{n}}})^2"),
                format!("(-{a}\\sqrt{{{m}}} - {b}\\sqrt{{{n}}})^2"),
                format!("{} + 2\\sqrt{{{}}}", a * a * m + b * b * n, a * a * b * b * m * n),
                format!("\\frac{{{}}}{{({a}\\sqrt{{{m}}} - {b}\\sqrt{{{n}}})^2}}", (a * a * m - b * b * n).pow(2)),
            ]
            .into_iter()
            .filter(|text| a * a * m != b * b * n || !text.contains("frac"))
            .collect(),
            vec![
                format!("({a}\\sqrt{{{m}}} - {b}\\sqrt{{{n}}})^2"),
                (a * a * m + b * b * n).to_string(),
                format!("{} + {}{root}", a * a * m + b * b * n, a * b),
                format!("{} + {}{root}", a * a * m + b * b * n, 2 * a * b + 1),
                format!("{} + {}{root}", a * a * m + b * b * n + 1, 2 * a * b),
            ],
        ),
        // (√m + a)(√n + b)
        1 => Group::new(
            format!("{root} + {b}\\sqrt{{{m}}} + {a}\\sqrt{{{n}}} + {}", a * b),
            vec![
                format!("(\\sqrt{{{m}}} + {a})(\\sqrt{{{n}}} + {b})"),
                format!("({b} + \\sqrt{{{n}}})({a} + \\sqrt{{{m}}})"),
                format!("{} + {a}\\sqrt{{{n}}} + {b}\\sqrt{{{m}}} + \\sqrt{{{m}}}\\sqrt{{{n}}}", a * b),
            ],
            vec![
                format!("(\\sqrt{{{m}}} - {a})(\\sqrt{{{n}}} + {b})"),
                format!("{root} + {}", a * b),
                format!("{root} + {b}\\sqrt{{{m}}} + {a}\\sqrt{{{n}}} + {}", a * b + 1),
                format!("{root} + {b}\\sqrt{{{m}}} + {a}\\sqrt{{{n}}}"),
            ],
        ),
        // 1 / (a + √m)
        _ if a * a != m => Group::new(
            Fraction::new(a, a * a - m).latex()
                + &if a * a > m {
                    format!(" - \\frac{{\\sqrt{{{m}}}}}{{{}}}", a * a - m)
                } else {
                    format!(" + \\frac{{\\sqrt{{{m}}}}}{{{}}}", m - a * a)
                },
            vec![
                format!("\\frac{{1}}{{{a} + \\sqrt{{{m}}}}}"),
                format!("\\frac{{{a} - \\sqrt{{{m}}}}}{{{}}}", a * a - m),
                format!("(\\sqrt{{{m}}} + {a})^{{-1}}"),
            ],
            vec![
                format!("\\frac{{1}}{{{a} - \\sqrt{{{m}}}}}"),
                format!("\\frac{{{a} + \\sqrt{{{m}}}}}{{{}}}", a * a - m),
                format!("\\frac{{1}}{{{} + \\sqrt{{{m}}}}}", a + 1),
                format!("\\frac{{1}}{{{a}}} + \\frac{{1}}{{\\sqrt{{{m}}}}}"),
            ],
        ),
        _ => multiplied_out(dice),
    }
}

fn symbolic_matrices(dice: &mut Dice) -> Group {
    let (k, n) = (dice.int(2, 9), dice.int(2, 9));
    let x = dice.pick(&["x", "a", "t"]);
    let write = |entries: [&str; 4]| {
        format!("\\begin{{pmatrix}} {} & {} \\\\ {} & {} \\end{{pmatrix}}", entries[0], entries[1], entries[2], entries[3])
    };
    let (p, q, r, s) = (format!("{k}{x} + {n}"), format!("\\sqrt{{{k}}}"), format!("{x}^2 - 1"), "\\cos\\theta".to_owned());
    let (p2, r2) = (format!("{n} + {k}{x}"), format!("({x}-1)({x}+1)"));
    Group::new(
        write([&p, &q, &r, &s]),
        vec![
            write([&p2, &q, &r2, &s]),
            write([&p, &format!("{k}^{{1/2}}"), &r2, &s]),
            write([&p2, &q, &r, "\\cos(-\\theta)"]).replace("pmatrix", "bmatrix"),
        ],
        vec![
            write([&q, &p, &r, &s]),
            write([&p, &q, &format!("{x}^2 + 1"), &s]),
            write([&p, &q, &r, "\\sin\\theta"]),
            write([&p, &format!("-\\sqrt{{{k}}}"), &r, &s]),
        ],
    )
}

fn nested(dice: &mut Dice) -> Group {
    let r = radicand(dice, 20);
    let (a, b, c) = (dice.int(1, 9), dice.int(10, 19), dice.int(20, 29));
    match dice.below(4) {
        0 => Group::new(
            format!("\\left({a} + \\sqrt{{{r}}}, \\frac{{{b}}}{{{c}}}, -{a}i\\right)"),
            vec![
                format!("(\\sqrt{{{r}}} + {a}, {b}/{c}, -{a} i)"),
                format!("{{({a} + {r}^{{1/2}}, \\tfrac{{{b}}}{{{c}}}, -i \\cdot {a})}}"),
                format!("\\Bigl(\\sqrt{{{r}}}+{a}, \\frac{{{}}}{{{}}}, -{a}i\\Bigr)", 2 * b, 2 * c),
            ],
            vec![
                format!("({a} - \\sqrt{{{r}}}, {b}/{c}, -{a}i)"),
                format!("({a} + \\sqrt{{{r}}}, {c}/{b}, -{a}i)"),
                format!("({a} + \\sqrt{{{r}}}, {b}/{c}, {a}i)"),
                format!("({a} + \\sqrt{{{r}}}, {b}/{c})"),
            ],
        ),
        1 => Group::new(
            format!("\\{{({a}, {b}), ({b}, {c})\\}}"),
            vec![
                format!("({b}, {c}), ({a}, {b})"),
                format!("\\{{({b},{c}),({a},{b})\\}}"),
                format!("({a}, {b}) \\text{{ and }} ({b}, {c})"),
            ],
            vec![
                format!("\\{{({b}, {a}), ({c}, {b})\\}}"),
                format!("({a}, {b})"),
                format!("({a}, {b}, {c})"),
                format!("\\{{({a}, {c}), ({b}, {b})\\}}"),
            ],
        ),
        2 => Group::new(
            format!("\\left[-\\frac{{{a}}}{{{b}}}, \\sqrt{{{r}}}\\right) \\cup \\{{{c}\\}}"),
            vec![format!("\\{{{c}\\}} \\cup [-{a}/{b}, \\sqrt{{{r}}})"), format!("[-\\frac{{{a}}}{{{b}}},{r}^{{1/2}})\\cup\\{{{c}\\}}")],
            vec![
                format!("[-\\frac{{{a}}}{{{b}}}, \\sqrt{{{r}}}) \\cup \\{{{}\\}}", c + 1),
                format!("[-\\frac{{{a}}}{{{b}}}, \\sqrt{{{r}}}] \\cup \\{{{c}\\}}"),
                format!("[-\\frac{{{a}}}{{{b}}}, \\sqrt{{{r}}})"),
                format!("[-\\frac{{{a}}}{{{b}}}, {c}]"),
            ],
        ),
        _ => Group::new(
            format!("\\frac{{\\frac{{{a}}}{{{b}}} + \\frac{{1}}{{{c}}}}}{{1 - \\frac{{{a}}}{{{c}}}}}"),
            vec![
                Fraction::new((a * c + b) * c, b * c * (c - a)).latex(),
                format!("\\frac{{{}}}{{{}}}", a * c + b, b * (c - a)),
                format!("({a}/{b} + 1/{c})/(1 - {a}/{c})"),
            ],
            vec![
                Fraction::new(a * c + b + 1, b * (c - a)).latex(),
                format!("\\frac{{\\frac{{{a}}}{{{b}}} - \\frac{{1}}{{{c}}}}}{{1 - \\frac{{{a}}}{{{c}}}}}"),
                format!("{a}/{b} + 1/{c}/(1 - {a}/{c})"),
                Fraction::new(b * (c - a), a * c + b).latex(),
            ],
        ),
    }
}

/// More than one answer is no answer.
fn hedged(dice: &mut Dice) -> Group {
    let values = dice.distinct(2, 2, 90);
    let (a, b) = (values[0], values[1]);
    Group::new(
        a.to_string(),
        vec![a.to_string(), format!("{a}.0"), format!("x = {a}")],
        vec![
            format!("{a} \\text{{ or }} {b}"),
            format!("{b} \\text{{ or }} {a}"),
            format!("{a}, {b}"),
            format!("\\{{{a}, {b}\\}}"),
            format!("x = {a} \\text{{ or }} x = {b}"),
            format!("{a} \\text{{ to }} {b}"),
            format!("\\pm {a}"),
            format!("({a}, {b})"),
            format!("{a} \\text{{ and }} {b}"),
            format!("\\le {a}"),
            format!("x \\ge {a}"),
        ],
    )
}

/// Commands that change how an answer looks and not what it says.
fn decorations(dice: &mut Dice) -> Group {
    const FORMS: [&str; 20] = [
        "\\displaystyle @",
        "\\mathbf{@}",
        "\\boldsymbol{@}",
        "{@}",
        "{ @ }",
        "\\,@\\,",
        "\\; @ \\;",
        "~@~",
        "\\!@",
        "\\ @\\ ",
        "\\quad @",
        "\\boxed{@}",
        "\\left(@\\right)",
        "\\bigl(@\\bigr)",
        "@.",
        "@ \\,.",
        "\\textstyle @",
        "\\mathrm{@}",
        "\\phantom{x}@",
        "{{@}}",
    ];
    let value = Fraction::any(dice, 60);
    let other = value.plus(Fraction::new(dice.int(1, 4), 1));
    let fill = |text: &str| FORMS.iter().map(|form| form.replace('@', text)).collect::<Vec<_>>();
    Group::new(value.latex(), fill(&value.latex()), fill(&other.latex()))
}

fn marked_down(dice: &mut Dice) -> Group {
    const FORMS: [&str; 14] = [
        "**@**",
        "**Answer: @**",
        "**Answer:** **@**",
        "`@`",
        "# Answer\n\n@",
        "## Solution\n\nWe add up.\n\n## Answer\n\n**@**",
        "1. We count 3 boxes.\n2. We add 4 more.\n\n**Final answer: @**",
        "- first we add\n- then we get @",
        "Answer: **@**",
        "The answer is **@**.",
        "The final answer is `@`.",
        "***@***",
        "__@__",
        "**The answer is @.**",
    ];
    let value = dice.int(2, 4_000);
    let fill = |value: i64| FORMS.iter().map(|form| form.replace('@', &value.to_string())).collect::<Vec<_>>();
    Group::new(value.to_string(), fill(value), [fill(value + 1), fill(value * 10)].concat())
}

/// Solutions of a few sentences with other formulas before and behind the answer.
fn solutions(dice: &mut Dice) -> Group {
    const FORMS: [&str; 8] = [
        "Let $x$ be the number of boys. Then $x + 4 = 12$, so $x = 8$.\nHence there are $2 \\cdot 8 = 16$ shoes, and the quotient is\n\\[\\boxed{@}.\\]\n",
        "Step 1: Solve $x^2 - 5x + 6 = 0$: the roots are $2$ and $3$.\nStep 2: Their sum is $5$.\n\nThe answer is $@$.\n\nNote that $5 > 4$.",
        "<think>\nOkay, so we have \\frac{a}{b}. Let me try a = 3, b = 4... no, \\boxed{3/4} is too small.\n</think>\n\nThe result is $\\boxed{@}$.",
        "We use $\\sin^2 t + \\cos^2 t = 1$.\n\n\\begin{align*}\nx &= 3 + 4 \\\\\n  &= 7.\n\\end{align*}\n\nThus the value is $\\boxed{@}$.",
        "By symmetry, the two cases $(1, 2)$ and $(2, 1)$ are alike.\n\n**Final Answer**\n\nThe final answer is $\\boxed{@}$. I hope it is correct.",
        "设 $x = 3$，则 $y = 4$，所以 $xy = 12$。\n\n综上，答案为 $\\boxed{@}$。",
        "$$\\int_0^1 x^2 dx = \\frac13$$ and so on. We get\n\n$$\\boxed{@}$$\n\nDone.",
        "First, $3! = 6$. Next, $\\{1, 2\\} \\subset \\{1, 2, 3\\}$. So the answer is: $@$",
    ];
    let value = Fraction::any(dice, 90);
    let notations = value.notations(dice);
    let notation = dice.pick(&notations);
    let other = value.plus(Fraction::new(dice.int(1, 3), 1)).latex();
    let fill = |text: &str| FORMS.iter().map(|form| form.replace('@', text)).collect::<Vec<_>>();
    Group::new(value.latex(), fill(&notation), [fill(&other), texts(&["$@$".replace('@', &other).as_str()])].concat())
}
