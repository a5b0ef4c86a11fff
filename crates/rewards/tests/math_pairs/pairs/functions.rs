//! Constants, functions, and sums with bounds.

use super::dice::Dice;
use super::latex::{Fraction, binomial, factorial, frac, pow, sqrt, texts};
use super::{Family, Group, Wrap, numbers};

pub(super) const FAMILIES: [Family; 13] = [
    ("pi", Wrap::Math, 160, pi),
    ("e", Wrap::Math, 100, euler),
    ("infinity", Wrap::Math, 20, infinity),
    ("factorials", Wrap::Math, 80, numbers::factorials),
    ("double factorials", Wrap::Math, 24, numbers::double_factorials),
    ("binomials", Wrap::Math, 120, binomials),
    ("absolute values", Wrap::Math, 100, absolute),
    ("floor and ceiling", Wrap::Math, 100, floors),
    ("logarithms", Wrap::Math, 160, logarithms),
    ("trigonometry", Wrap::Math, 160, trigonometry),
    ("hyperbolic functions", Wrap::Math, 40, hyperbolic),
    ("sums and products", Wrap::Math, 120, series),
    ("exponentials", Wrap::Math, 80, exponentials),
];

fn pi(dice: &mut Dice) -> Group {
    let value = Fraction::any(dice, 12);
    let Fraction { above, below } = value;
    if above == 0 {
        return pi(dice);
    }
    let times_pi = |above: i64| match above {
        1 => "\\pi".to_owned(),
        -1 => "-\\pi".to_owned(),
        _ => format!("{above}\\pi"),
    };
    let write = |value: Fraction| match value {
        Fraction { above, below: 1 } => times_pi(above),
        Fraction { above, below } if above < 0 => format!("-\\frac{{{}}}{{{below}}}", times_pi(-above)),
        Fraction { above, below } => frac(times_pi(above), below),
    };
    let shift = dice.int(1, 20);
    let with_shift = dice.chance(4);
    let tail = if with_shift { format!(" + {shift}") } else { String::new() };
    let k = dice.int(2, 5);
    let equal = vec![
        format!("{}{tail}", write(value)),
        format!("\\frac{{{above}}}{{{below}}}\\pi{tail}"),
        format!("\\frac{{{above}}}{{{below}}} \\cdot \\pi{tail}"),
        format!("\\frac{{{}\\pi}}{{{}}}{tail}", above * k, below * k),
        format!("{above}\\pi/{below}{tail}"),
        format!("{above}π/{below}{tail}"),
        format!("\\pi \\cdot \\frac{{{above}}}{{{below}}}{tail}"),
        format!("{above} pi / {below}{tail}"),
        if with_shift { format!("{shift} + \\frac{{{above}}}{{{below}}}\\pi") } else { format!("\\frac{{{above} \\pi }}{{ {below} }}") },
    ];
    let scaled = above * 314_159 / below / 1000 + if with_shift { shift * 100 } else { 0 };
    let mut different = vec![
        format!("{}{tail}", write(value.negative())),
        format!("{}{tail}", write(value.plus(Fraction::new(1, below)))),
        format!("{}^2{tail}", write(Fraction::new(above, 1))),
        format!("{}{tail}", value.latex()),
        format!("\\frac{{{above}}}{{{below}\\pi}}{tail}"),
        numbers_decimal(scaled),
        format!("{} + 1{tail}", write(value)),
        format!("{}e{tail}", above),
    ];
    if with_shift {
        different.push(write(value));
        different.push(format!("{} - {shift}", write(value)));
    }
    Group::new(format!("{}{tail}", write(value)), equal, different)
}

fn numbers_decimal(hundredths: i64) -> String {
    super::latex::decimal(hundredths, 2)
}

fn euler(dice: &mut Dice) -> Group {
    let n = dice.int(2, 9);
    let k = dice.int(2, 9);
    if dice.chance(3) {
        // e^{iπ} = -1 and what follows from it.
        let equal = texts(&["-1", "e^{i\\pi}", "e^{\\pi i}", "i^2", "\\cos\\pi", "e^{3\\pi i}"]);
        let different = texts(&["1", "e^{2\\pi i}", "i", "e^{\\pi}", "e^{-2\\pi i}", "i^4"]);
        let gold = dice.pick(&equal);
        return Group::new(gold, equal, different);
    }
    let gold = if dice.chance(2) { pow("e", n) } else { frac(k, pow("e", n)) };
    let is_power = gold.starts_with('e');
    let equal = if is_power {
        vec![
            gold.clone(),
            format!("e^{n}"),
            format!("e \\cdot e^{{{}}}", n - 1),
            format!("\\exp({n})"),
            format!("(e^{{{}}})^{{1/2}}", 2 * n),
            frac(1, pow("e", -n)),
            format!("\\mathrm{{e}}^{{{n}}}"),
        ]
    } else {
        vec![gold.clone(), format!("{k}e^{{-{n}}}"), format!("{k} \\cdot e^{{-{n}}}"), format!("{k}/e^{{{n}}}"), format!("{k}\\exp(-{n})")]
    };
    let different = if is_power {
        vec![pow("e", n + 1), pow("e", -n), format!("{n}e"), pow(3, n), format!("-{gold}"), format!("e^{{{n}}} + 1"), "e".to_owned()]
    } else {
        vec![frac(k + 1, pow("e", n)), format!("{k}e^{{{n}}}"), frac(k, pow("e", n - 1)), frac(pow("e", n), k), format!("-{gold}")]
    };
    Group::new(gold, equal, different)
}

fn infinity(dice: &mut Dice) -> Group {
    let plus = texts(&["\\infty", "+\\infty", "∞", "\\text{infinity}", " \\infty "]);
    let minus = texts(&["-\\infty", "-∞", "- \\infty"]);
    let finite = texts(&["0", "1", "10^{100}", "x"]);
    if dice.chance(2) {
        Group::new("\\infty", plus, [minus, finite].concat())
    } else {
        Group::new("-\\infty", minus, [plus, finite].concat())
    }
}

fn binomials(dice: &mut Dice) -> Group {
    let n = dice.int(5, 20);
    let k = dice.int(2, n - 2);
    let value = binomial(n, k);
    let write = |n: i64, k: i64| format!("\\binom{{{n}}}{{{k}}}");
    let mut equal = vec![
        write(n, k),
        write(n, n - k),
        format!("\\dbinom{{{n}}}{{{k}}}"),
        format!("{{{n} \\choose {k}}}"),
        format!("\\frac{{{n}!}}{{{k}!{}!}}", n - k),
        format!("\\frac{{{n}!}}{{{k}! \\cdot {}!}}", n - k),
        format!("C({n}, {k})"),
        format!("{} + {}", write(n - 1, k - 1), write(n - 1, k)),
        value.to_string(),
    ];
    if n < 10 {
        equal.push(format!("\\binom {n}{k}"));
    }
    let mut different = vec![
        format!("\\frac{{{n}!}}{{{k}!}}"),
        format!("\\frac{{{n}}}{{{k}}}"),
        (value + 1).to_string(),
        write(n + 1, k),
        write(n - 1, k),
        format!("\\frac{{{n}!}}{{{}!}}", n - k),
        format!("-{}", write(n, k)),
    ];
    if binomial(n, k + 1) != value {
        different.push(write(n, k + 1));
    }
    if value < factorial(9) && value != n * k {
        different.push((n * k).to_string());
    }
    let gold = if dice.chance(2) { value.to_string() } else { write(n, k) };
    Group::new(gold, equal, different)
}

fn absolute(dice: &mut Dice) -> Group {
    let n = dice.int(2, 30);
    if dice.chance(2) {
        let equal = vec![
            format!("|-{n}|"),
            format!("\\left|-{n}\\right|"),
            format!("\\lvert -{n} \\rvert"),
            format!("|{n}|"),
            format!("\\left\\lvert {} - {}\\right\\rvert", 3, n + 3),
            format!("-(-{n})"),
            format!("\\sqrt{{(-{n})^2}}"),
        ];
        let different =
            vec![format!("-|{n}|"), format!("-\\left|-{n}\\right|"), format!("|-{}|", n + 1), format!("|{n}-1|"), format!("|{n}| + 1")];
        return Group::new(n.to_string(), equal, different);
    }
    let x = dice.pick(&["x", "y", "t"]);
    let gold = format!("|{x} - {n}|");
    let equal = vec![
        format!("|{n} - {x}|"),
        format!("\\left|{x}-{n}\\right|"),
        format!("\\lvert {x} - {n} \\rvert"),
        format!("|-{x}+{n}|"),
        format!("\\frac{{|2{x} - {}|}}{{2}}", 2 * n),
    ];
    let different = vec![
        format!("{x} - {n}"),
        format!("|{x} + {n}|"),
        format!("|{x}| - {n}"),
        format!("|{x} - {}|", n + 1),
        format!("-|{x} - {n}|"),
        format!("|{x}|"),
        format!("{n} - {x}"),
    ];
    Group::new(gold, equal, different)
}

fn floors(dice: &mut Dice) -> Group {
    let value = Fraction::random(dice, 50);
    let floor = value.above.div_euclid(value.below);
    let (number, inside) = (value.decimal(), value.latex());
    let inside = number.unwrap_or(inside);
    let floors = [
        format!("\\lfloor {inside} \\rfloor"),
        format!("\\left\\lfloor {inside} \\right\\rfloor"),
        format!("\\lfloor{inside}\\rfloor"),
        format!("⌊{inside}⌋"),
        format!("\\left \\lfloor {} \\right \\rfloor", value.latex()),
    ];
    let ceilings = [
        format!("\\lceil {inside} \\rceil"),
        format!("\\left\\lceil {inside} \\right\\rceil"),
        format!("⌈{inside}⌉"),
        format!("\\lceil {} \\rceil", value.latex()),
    ];
    if dice.chance(2) {
        Group::new(
            floor.to_string(),
            floors.to_vec(),
            [ceilings.to_vec(), vec![inside.clone(), format!("\\lfloor {inside} \\rfloor + 1")]].concat(),
        )
    } else {
        Group::new(
            (floor + 1).to_string(),
            ceilings.to_vec(),
            [floors.to_vec(), vec![inside.clone(), format!("\\lceil {inside} \\rceil - 1")]].concat(),
        )
    }
}

fn logarithms(dice: &mut Dice) -> Group {
    let base: i64 = dice.pick(&[2, 3, 5, 6, 7, 10]);
    match dice.below(3) {
        0 => {
            let n = dice.int(2, 5);
            let power = base.pow(u32::try_from(n).unwrap_or(2));
            let equal = vec![
                format!("\\log_{{{base}}} {power}"),
                format!("\\log_{{{base}}}({power})"),
                frac(format!("\\ln {power}"), format!("\\ln {base}")),
                format!("\\frac{{\\log {power}}}{{\\log {base}}}"),
                format!("\\ln e^{{{n}}}"),
                format!("\\log_{{{base}}}\\left({power}\\right)"),
                format!("-\\log_{{{base}}}\\frac{{1}}{{{power}}}"),
            ];
            let different = vec![
                format!("\\log_{{{base}}} {}", power + 1),
                format!("\\log_{{{}}} {power}", base + 1),
                format!("\\log_{{{base}}} {}", power * base),
                format!("-\\log_{{{base}}} {power}"),
                format!("\\ln {power}"),
                power.to_string(),
            ];
            Group::new(n.to_string(), equal, different)
        }
        1 => {
            let (a, b) = (dice.int(2, 13), dice.int(2, 13));
            let log = dice.pick(&["\\ln", "\\log_{2}", "\\log_{10}"]);
            let equal = vec![
                format!("{log} {}", a * b),
                format!("{log} {a} + {log} {b}"),
                format!("{log}({a}) + {log}({b})"),
                format!("{log}({a} \\cdot {b})"),
                format!("{log}\\left({}\\right) - {log} {b}", a * b * b),
                format!("\\frac{{{log}({})}}{{2}}", a * a * b * b),
            ];
            let mut different = vec![
                format!("{log} {a} \\cdot {log} {b}"),
                format!("{log} {a} - {log} {b}"),
                format!("{log} {}", a * b + 1),
                format!("-{log} {}", a * b),
                (a * b).to_string(),
                format!("{log} {a}"),
            ];
            // ln 2 + ln 2 = ln 4 = (2 + 2)'s logarithm, and log 4 = log 2 log 4 in base 2.
            if a * b != a + b {
                different.push(format!("{log}({a} + {b})"));
            }
            if [2, 4].contains(&a) || [2, 4].contains(&b) {
                different.remove(0);
            }
            Group::new(format!("{log}({})", a * b), equal, different)
        }
        _ => {
            let a = dice.pick(&[2, 3, 5, 7]);
            let n = dice.int(2, 5);
            let power = i64::pow(a, u32::try_from(n).unwrap_or(2));
            let equal = vec![
                format!("{n}\\ln {a}"),
                format!("{n} \\ln({a})"),
                format!("\\ln {power}"),
                format!("\\ln({a}^{n})"),
                format!("-\\ln\\frac{{1}}{{{power}}}"),
                format!("\\ln({a}) \\cdot {n}"),
                format!("\\ln {a} + {}\\ln {a}", n - 1),
            ];
            let different = vec![
                format!("{}\\ln {a}", n + 1),
                format!("{n}\\ln {}", a + 1),
                format!("\\ln {}", power + 1),
                format!("-{n}\\ln {a}"),
                format!("{n}\\log_{{10}} {a}"),
                format!("(\\ln {a})^{n}"),
                format!("\\ln {a}"),
            ];
            Group::new(format!("{n}\\ln {a}"), equal, different)
        }
    }
}

/// Exact values, identities and inverse functions.
fn trigonometry(dice: &mut Dice) -> Group {
    const VALUES: [(&str, &[&str], &[&str]); 8] = [
        (
            "\\frac{1}{2}",
            &["\\sin 30^\\circ", "\\sin\\frac{\\pi}{6}", "\\cos 60^{\\circ}", "\\cos(\\pi/3)", "\\sin 150^\\circ"],
            &["\\sin 60^\\circ", "\\cos 30^\\circ", "\\sin 30 \\pi", "-\\sin 30^\\circ", "\\tan\\frac{\\pi}{6}"],
        ),
        (
            "\\frac{\\sqrt{3}}{2}",
            &["\\sin 60^\\circ", "\\cos\\frac{\\pi}{6}", "\\sin(\\pi/3)", "\\cos 30^\\circ", "\\frac{3}{2\\sqrt{3}}"],
            &["\\cos 60^\\circ", "\\sin\\frac{\\pi}{6}", "\\tan 60^\\circ", "\\frac{\\sqrt{2}}{2}"],
        ),
        (
            "\\frac{\\sqrt{2}}{2}",
            &["\\sin 45^\\circ", "\\cos\\frac{\\pi}{4}", "\\frac{1}{\\sqrt{2}}", "\\cos 45^{\\circ}", "\\sin 135^\\circ"],
            &["\\tan 45^\\circ", "\\cos 135^\\circ", "\\sqrt{2}", "\\frac{\\sqrt{3}}{2}"],
        ),
        (
            "1",
            &["\\tan 45^\\circ", "\\sin\\frac{\\pi}{2}", "\\sin^2 x + \\cos^2 x", "\\cos 0", "\\sec^2 t - \\tan^2 t", "\\cot 45^\\circ"],
            &["\\sin \\pi", "\\cos\\frac{\\pi}{2}", "\\sin^2 x - \\cos^2 x", "\\tan 0", "\\sin x + \\cos x"],
        ),
        (
            "\\sin 2x",
            &["2\\sin x\\cos x", "2 \\cos(x) \\sin(x)", "\\sin(2x)", "(\\sin x + \\cos x)^2 - 1"],
            &["2\\sin x", "\\sin x \\cos x", "\\sin^2 x", "\\cos 2x", "2\\sin x\\cos 2x"],
        ),
        (
            "\\cos 2x",
            &["\\cos^2 x - \\sin^2 x", "2\\cos^2 x - 1", "1 - 2\\sin^2 x", "\\cos(2x)", "\\cos^4 x - \\sin^4 x"],
            &["2\\cos x", "\\sin^2 x - \\cos^2 x", "1 - 2\\cos^2 x", "\\cos^2 x", "\\sin 2x"],
        ),
        (
            "\\tan\\theta",
            &["\\frac{\\sin\\theta}{\\cos\\theta}", "\\frac{1}{\\cot \\theta}", "\\sin\\theta\\sec\\theta", "\\tan(\\theta)"],
            &["\\cot\\theta", "\\frac{\\cos\\theta}{\\sin\\theta}", "\\sin\\theta", "\\tan 2\\theta", "\\sec \\theta"],
        ),
        (
            "\\frac{\\pi}{4}",
            &["\\arctan 1", "\\arcsin\\frac{\\sqrt{2}}{2}", "\\tan^{-1}(1)", "\\arccos\\frac{1}{\\sqrt{2}}", "\\arctan(1)"],
            &["\\arcsin 1", "\\arctan 0", "\\arccos 0", "\\tan 1", "\\arctan\\sqrt{3}"],
        ),
    ];
    if dice.chance(2) {
        let (gold, equal, different) = dice.pick(&VALUES);
        return Group::new(gold, texts(equal), texts(different));
    }
    // Free angles and factors.
    let (k, n) = (dice.int(2, 9), dice.int(2, 9));
    let x = dice.pick(&["x", "t", "\\theta"]);
    let gold = format!("{k}\\sin({n}{x})");
    let equal = vec![
        format!("{k} \\sin {n}{x}"),
        format!("\\sin({n}{x}) \\cdot {k}"),
        format!("{k}\\sin\\left({n}{x}\\right)"),
        format!("-{k}\\sin(-{n}{x})"),
        format!("{k}\\cos\\left(\\frac{{\\pi}}{{2}} - {n}{x}\\right)"),
        format!("\\frac{{{}\\sin({n}{x})}}{{2}}", 2 * k),
        format!("{k} sin({n}{x})").replace("sin", "\\operatorname{sin}"),
    ];
    let different = vec![
        format!("{k}\\cos({n}{x})"),
        format!("{k}\\sin({}{x})", n + 1),
        format!("{}\\sin({n}{x})", k + 1),
        format!("-{k}\\sin({n}{x})"),
        format!("\\sin({}{x})", k * n),
        format!("{k}\\sin^2({n}{x})"),
        format!("{k}\\sin({n}{x}) + 1"),
        format!("{k}\\sin {x}"),
    ];
    Group::new(gold, equal, different)
}

fn hyperbolic(dice: &mut Dice) -> Group {
    const VALUES: [(&str, &[&str], &[&str]); 4] = [
        ("1", &["\\cosh 0", "\\cosh^2 x - \\sinh^2 x", "e^{0}"], &["\\sinh 0", "\\tanh 0", "\\cosh^2 x + \\sinh^2 x", "\\cosh 1"]),
        (
            "\\sinh x",
            &["\\frac{e^x - e^{-x}}{2}", "\\sinh(x)", "-\\sinh(-x)", "\\tanh x \\cosh x"],
            &["\\cosh x", "\\frac{e^x + e^{-x}}{2}", "\\sin x", "e^x - e^{-x}", "\\sinh 2x"],
        ),
        (
            "\\cosh x",
            &["\\frac{e^x + e^{-x}}{2}", "\\cosh(-x)", "\\cosh(x)"],
            &["\\sinh x", "\\cos x", "\\frac{e^x - e^{-x}}{2}", "-\\cosh x", "e^x + e^{-x}"],
        ),
        (
            "\\tanh x",
            &["\\frac{\\sinh x}{\\cosh x}", "\\frac{e^x - e^{-x}}{e^x + e^{-x}}", "\\frac{e^{2x} - 1}{e^{2x} + 1}"],
            &["\\tan x", "\\frac{\\cosh x}{\\sinh x}", "\\coth x", "-\\tanh x"],
        ),
    ];
    let (gold, equal, different) = dice.pick(&VALUES);
    Group::new(gold, texts(equal), texts(different))
}

fn series(dice: &mut Dice) -> Group {
    let k = dice.pick(&["k", "i", "n", "j"]);
    let high = dice.int(3, 12);
    let low = dice.int(1, 2);
    let step = dice.int(1, 4);
    let (is_product, is_square) = (dice.chance(3), dice.chance(3));
    let term = |n: i64| if is_square { n * n } else { step * n };
    let high = if is_product { high.min(6) } else { high };
    let value: i64 = if is_product { (low..=high).map(term).product() } else { (low..=high).map(term).sum() };
    let sign = if is_product { "\\prod" } else { "\\sum" };
    let body = |k: &str| {
        if is_square {
            format!("{k}^2")
        } else if step == 1 {
            k.to_owned()
        } else {
            format!("{step}{k}")
        }
    };
    let write = |k: &str, low: i64, high: i64| format!("{sign}_{{{k}={low}}}^{{{high}}} {}", body(k));
    let between = if is_product { " \\cdot " } else { " + " };
    let long = |low: i64, high: i64| (low..=high).map(|n| term(n).to_string()).collect::<Vec<_>>().join(between);
    let equal = vec![
        write(k, low, high),
        write("m", low, high),
        long(low, high),
        value.to_string(),
        write(k, low, high).replace("\\sum_", "\\sum\\limits_").replace("\\prod_", "\\prod\\limits_"),
        if is_product {
            format!("\\left({}\\right) \\cdot {}", write(k, low, high - 1), term(high))
        } else {
            format!("{} + {}", term(low), write(k, low + 1, high))
        },
    ];
    let mut different = vec![
        write(k, low, high + 1),
        long(low, high - 1),
        (value + 1).to_string(),
        format!("-{}", write(k, low, high)),
        format!("{sign}_{{{k}={low}}}^{{{high}}} {}^3", k),
        long(low + 1, high + 1),
    ];
    if !is_product || term(low) != 1 {
        different.push(write(k, low + 1, high));
    }
    let gold = if dice.chance(2) { value.to_string() } else { write(k, low, high) };
    Group::new(gold, equal, different)
}

fn exponentials(dice: &mut Dice) -> Group {
    let base = dice.pick(&["2", "3", "5", "e", "10"]);
    let x = dice.pick(&["x", "n", "t"]);
    let k = dice.int(2, 6);
    let gold = format!("{base}^{{{x}+{k}}}");
    let equal = vec![
        format!("{base}^{{{k}+{x}}}"),
        format!("{base}^{k} \\cdot {base}^{x}"),
        format!("{base}^{x} \\cdot {base}^{{{k}}}"),
        format!("\\frac{{{base}^{{2{x}+{k}}}}}{{{base}^{{{x}}}}}"),
        format!("\\frac{{{base}^{{{k}}}}}{{{base}^{{-{x}}}}}"),
        format!("{base} \\cdot {base}^{{{x}+{}}}", k - 1),
    ];
    let different = vec![
        format!("{base}^{{{x}}} + {base}^{{{k}}}"),
        format!("{base}^{{{x}}} + {k}"),
        format!("{base}^{{{x}-{k}}}"),
        format!("{base}^{{{k}{x}}}"),
        format!("{base}^{{{x}+{}}}", k + 1),
        format!("{base}^{{{x}}}"),
        format!("-{gold}"),
        sqrt(&gold),
    ];
    Group::new(gold, equal, different)
}
