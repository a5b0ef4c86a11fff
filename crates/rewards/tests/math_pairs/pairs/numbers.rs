//! Numbers and how they are written.

use super::dice::Dice;
use super::latex::{Fraction, decimal, factorial, frac, gcd, pow, radicand, sqrt, texts};
use super::{Family, Group, Wrap};

pub(super) const FAMILIES: [Family; 15] = [
    ("integers", Wrap::Both, 160, integers),
    ("decimals", Wrap::Both, 160, decimals),
    ("tolerance", Wrap::Math, 120, tolerance),
    ("exact gold, rounded answer", Wrap::Math, 100, rounded),
    ("thousands separators", Wrap::Math, 240, thousands),
    ("thousands separators in plain text", Wrap::Plain, 100, plain_thousands),
    ("scientific notation", Wrap::Math, 160, scientific),
    ("fractions", Wrap::Math, 200, fractions),
    ("mixed numbers", Wrap::Math, 140, mixed),
    ("repeating decimals", Wrap::Math, 80, repeating),
    ("powers", Wrap::Math, 120, powers),
    ("roots", Wrap::Math, 180, roots),
    ("algebraic numbers", Wrap::Math, 200, algebraic),
    ("complex numbers", Wrap::Math, 220, complex),
    ("bases", Wrap::Math, 320, bases),
];

/// Whole numbers that are not `value` but look like it.
pub(super) fn near_integers(value: i64, dice: &mut Dice) -> Vec<i64> {
    let digits = value.abs().to_string();
    let at = dice.below(digits.len());
    let changed: String = digits.char_indices().map(|(i, c)| if i == at { next_digit(c, dice) } else { c }).collect();
    let mut found = vec![value + 1, value - 1, value * 10, value * 10 + dice.int(1, 9), changed.parse().unwrap_or(value + 2) * sign(value)];
    if value != 0 {
        found.push(-value);
    }
    if digits.len() > 1 {
        found.push(value / 10);
        let mut swapped: Vec<char> = digits.chars().collect();
        swapped.swap(0, 1);
        found.push(swapped.into_iter().collect::<String>().parse().unwrap_or(value + 3) * sign(value));
    }
    found.retain(|&other| other != value);
    found
}

fn sign(value: i64) -> i64 {
    if value < 0 { -1 } else { 1 }
}

/// Another digit, never 0.
fn next_digit(digit: char, dice: &mut Dice) -> char {
    let old = digit.to_digit(10).unwrap_or(0);
    let new = (old + u32::try_from(dice.int(1, 8)).unwrap_or(1)) % 10;
    let new = if new == 0 { if old == 5 { 6 } else { 5 } } else { new };
    char::from_digit(new, 10).unwrap_or('1')
}

fn integers(dice: &mut Dice) -> Group {
    let high = dice.pick(&[9, 99, 999, 99_999]);
    let value = dice.int(-high, high);
    let k = dice.int(2, 9);
    let part = dice.int(1, 50);
    let equal = vec![
        value.to_string(),
        format!("{value}.0"),
        format!("{value}.00"),
        format!("({value})"),
        format!("{}/{k}", value * k),
        format!("{value} + 0"),
        format!("{} + {part}", value - part),
        format!("{} - {part}", value + part),
        value.to_string().replace('-', "−"),
    ];
    let mut different: Vec<String> = near_integers(value, dice).iter().map(ToString::to_string).collect();
    different.push(format!("{value}.5"));
    different.push(format!("{value} + {k}"));
    if value != 0 {
        different.push(format!("{value}/{k}"));
    }
    Group::new(value.to_string(), equal, different)
}

fn decimals(dice: &mut Dice) -> Group {
    let n_digits = u32::try_from(dice.int(1, 4)).unwrap_or(1);
    let scale = 10_i64.pow(n_digits);
    // The last digit is not 0, so that dropping it changes the value by more than half a unit.
    let value = loop {
        let value = dice.int(-20 * scale, 20 * scale);
        if value % 10 != 0 {
            break value;
        }
    };
    let gold = decimal(value, n_digits);
    let exact = Fraction::new(value, scale);
    let mut equal = vec![gold.clone(), format!("{gold}0"), format!("{gold}00"), format!("{value}/{scale}"), exact.plain()];
    if value.abs() < scale {
        equal.push(gold.replacen("0.", ".", 1));
    }
    let mut different = vec![decimal(value + 1, n_digits), decimal(value - 1, n_digits), decimal(-value, n_digits)];
    different.push(decimal(value * 10, n_digits));
    different.push(decimal(value, n_digits + 1));
    different.push(format!("{}/{scale}", value + 1));
    if n_digits > 1 {
        different.push(decimal(value / 10, n_digits - 1));
    }
    Group::new(gold, equal, different)
}

/// Gold decimals against what rounds to them.
fn tolerance(dice: &mut Dice) -> Group {
    let exact = Fraction::random(dice, 40);
    let n_digits = u32::try_from(dice.int(2, 4)).unwrap_or(2);
    let scale = 10_i64.pow(n_digits);
    let (scaled, rest) = (exact.above * scale / exact.below, exact.above * scale % exact.below);
    // Halves are left out: people differ about how they are rounded.
    if rest == 0 || 2 * rest.abs() == exact.below {
        return tolerance(dice);
    }
    let rounded = if 2 * rest.abs() > exact.below { scaled + sign(exact.above) } else { scaled };
    let finer = exact.above * scale * 1000 / exact.below;
    Group::new(
        decimal(rounded, n_digits),
        vec![exact.latex(), exact.plain(), decimal(finer, n_digits + 3), frac(exact.above * 3, exact.below * 3)],
        vec![
            decimal(rounded + 1, n_digits),
            decimal(rounded - 1, n_digits),
            decimal(rounded * 10 + 7, n_digits + 1),
            decimal(rounded * 10 - 7, n_digits + 1),
            Fraction::new(exact.above * scale + 2 * exact.below, exact.below * scale).latex(),
            exact.negative().latex(),
        ],
    )
}

/// An exact gold answer is not met by a rounded one.
fn rounded(dice: &mut Dice) -> Group {
    let n_digits = u32::try_from(dice.int(2, 4)).unwrap_or(2);
    let scale = 10_i64.pow(n_digits);
    let prefix = |value: i64| decimal(value, n_digits);
    if dice.chance(2) {
        let below = dice.pick(&[3, 7, 9, 11, 13, 17, 19, 21, 23]);
        let above = dice.int(1, 3 * below);
        if gcd(above, below) > 1 {
            return rounded(dice);
        }
        let exact = Fraction::new(above, below);
        let cut = above * scale / below;
        return Group::new(
            exact.latex(),
            exact.notations(dice).into_iter().filter(|text| !text.contains('.')).collect(),
            vec![prefix(cut), prefix(cut + 1), format!("0{}", prefix(cut).trim_start_matches('0'))],
        );
    }
    let inside = radicand(dice, 60);
    let k = dice.int(1, 5);
    // The whole part of the root times the scale, by counting down from a float that is close enough.
    let square = i128::from(k * k * inside) * i128::from(scale) * i128::from(scale);
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "corrected below")]
    let mut cut = (square as f64).sqrt() as i64;
    while i128::from(cut) * i128::from(cut) > square {
        cut -= 1;
    }
    let gold = if k == 1 { sqrt(inside) } else { format!("{k}{}", sqrt(inside)) };
    Group::new(gold, vec![sqrt(k * k * inside), format!("{k} \\cdot {inside}^{{1/2}}")], vec![prefix(cut), prefix(cut + 1)])
}

/// The digits of `value` in groups of three.
fn grouped(value: i64, mark: &str) -> String {
    let digits = value.abs().to_string();
    let mut text = if value < 0 { "-".to_owned() } else { String::new() };
    for (i, digit) in digits.char_indices() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push_str(mark);
        }
        text.push(digit);
    }
    text
}

fn thousands(dice: &mut Dice) -> Group {
    const MARKS: [&str; 10] = [",", ",", "{,}", ",\\!", "\\,", "\\;", " ", "\\ ", "\u{202f}", ",\\! "];
    let high = dice.pick(&[9_999, 99_999, 9_999_999, 999_999_999]);
    let mut value = dice.int(1_000, high);
    if dice.chance(6) {
        value = -value;
    }
    let cents = dice.int(11, 99);
    let is_money = dice.chance(4);
    let tail = if is_money { format!(".{cents}") } else { String::new() };
    let write = |value: i64, mark: &str| format!("{}{tail}", grouped(value, mark));
    let gold_mark = dice.pick(&["", "", ",", "{,}", ",\\!", "\\,"]);
    let gold = write(value, gold_mark);
    let equal = MARKS.iter().map(|mark| write(value, mark)).chain([write(value, "")]).collect();
    let mark = dice.pick(&MARKS[..6]);
    let mut different: Vec<String> =
        near_integers(value, dice).into_iter().filter(|other| other.abs() >= 1_000).map(|other| write(other, mark)).collect();
    // The text cut at its separators, and the last group alone.
    different.push(grouped(value / 1_000, mark));
    different.push(format!("{value}000"));
    if value.abs() % 1_000 >= 100 {
        different.push((value.abs() % 1_000).to_string());
    }
    if value > 1_000_000 {
        different.push(grouped(value / 1_000_000, mark));
    }
    Group::new(gold, equal, different)
}

fn plain_thousands(dice: &mut Dice) -> Group {
    let value = dice.int(1_000, 99_999_999);
    let equal = vec![grouped(value, ","), value.to_string(), format!("{value}.00"), format!("{}.0", grouped(value, ","))];
    let mut different: Vec<String> =
        near_integers(value, dice).into_iter().filter(|other| other.abs() >= 1_000).map(|other| grouped(other, ",")).collect();
    different.push(grouped(value / 1_000, ","));
    different.push(format!("{},000", grouped(value, ",")));
    Group::new(if dice.chance(2) { value.to_string() } else { grouped(value, ",") }, equal, different)
}

fn scientific(dice: &mut Dice) -> Group {
    let mantissa = dice.int(11, 98);
    if mantissa % 10 == 0 {
        return scientific(dice);
    }
    let exponent = dice.pick(&[-6, -5, -4, -3, -2, 2, 3, 4, 5, 6, 7, 8]);
    let sign = if dice.chance(5) { "-" } else { "" };
    let write = |mantissa: i64, exponent: i64| format!("{sign}{} \\times 10^{{{exponent}}}", decimal(mantissa, 1));
    let gold = write(mantissa, exponent);
    let m = decimal(mantissa, 1);
    let mut equal = vec![
        gold.clone(),
        format!("{sign}{m} \\cdot 10^{{{exponent}}}"),
        format!("{sign}{m}\\times10^{{{exponent}}}"),
        format!("{sign}{m}e{exponent}"),
        format!("{sign}{m}E{exponent}"),
        format!("{sign}{m} * 10^{{{exponent}}}"),
        format!("{sign}{m} × 10^{{{exponent}}}"),
        format!("{sign}{mantissa} \\times 10^{{{}}}", exponent - 1),
        format!("{sign}10^{{{exponent}}} \\times {m}"),
        format!("{sign}{}", plain_scientific(mantissa, exponent)),
    ];
    if (0..10).contains(&exponent) {
        equal.push(format!("{sign}{m} \\times 10^{exponent}"));
    }
    let different = vec![
        write(mantissa, exponent + 1),
        write(mantissa, exponent - 1),
        write(mantissa, -exponent),
        write(mantissa + 1, exponent),
        format!("{sign}{m}"),
        format!("{sign}{m} \\times {exponent}"),
        format!("{sign}{}", plain_scientific(mantissa, exponent + 1)),
        if sign.is_empty() { format!("-{gold}") } else { gold[1..].to_owned() },
    ];
    Group::new(gold, equal, different)
}

/// `mantissa / 10 * 10^exponent` with all its digits.
fn plain_scientific(mantissa: i64, exponent: i64) -> String {
    match u32::try_from(exponent) {
        Ok(0) => decimal(mantissa, 1),
        Ok(exponent) => (mantissa * 10_i64.pow(exponent - 1)).to_string(),
        Err(_) => decimal(mantissa, 1 + u32::try_from(-exponent).unwrap_or(0)),
    }
}

fn fractions(dice: &mut Dice) -> Group {
    let value = Fraction::random(dice, 60);
    let Fraction { above, below } = value;
    let mut near = vec![
        Fraction::new(above + 1, below),
        Fraction::new(above, below + 1),
        Fraction::new(above * 2, below),
        value.negative(),
        Fraction::new(above * 10 + 1, below),
        Fraction::new(below, above),
        Fraction::new(below * 3, above * 2),
    ];
    near.retain(|other| *other != value);
    let mut different: Vec<String> = near.iter().flat_map(|other| [other.latex(), other.plain()]).collect();
    different.push(above.to_string());
    let gold = if dice.chance(4) { value.plain() } else { value.latex() };
    Group::new(gold, value.notations(dice), different)
}

fn mixed(dice: &mut Dice) -> Group {
    let below = dice.int(2, 12);
    let part = Fraction::new(dice.int(1, below - 1), below);
    let whole = dice.int(1, 30);
    let value = part.plus(Fraction::new(whole, 1));
    let sign = if dice.chance(5) { "-" } else { "" };
    let (a, b) = (part.above, part.below);
    let write = |whole: i64, a: i64, b: i64| format!("{sign}{whole}\\frac{{{a}}}{{{b}}}");
    let mut equal = vec![
        write(whole, a, b),
        format!("{sign}{whole} \\frac{{{a}}}{{{b}}}"),
        format!("{sign}{whole}\\dfrac{{{a}}}{{{b}}}"),
        format!("{sign}{whole}\\tfrac{{{a}}}{{{b}}}"),
        format!("{sign}{whole}\\,\\frac{{{a}}}{{{b}}}"),
        format!("{sign}{whole} {a}/{b}"),
        format!("{sign}{}", value.latex()),
        format!("{sign}{}", value.plain()),
        format!("{sign}\\left({whole}+\\frac{{{a}}}{{{b}}}\\right)"),
    ];
    if a < 10 && b < 10 {
        equal.push(format!("{sign}{whole}\\frac{a}{b}"));
    }
    equal.extend(value.decimal().map(|text| format!("{sign}{text}")));
    let mut different = vec![
        write(whole + 1, a, b),
        write(whole, a, b + 1),
        format!("{sign}{whole}"),
        format!("{sign}{}", part.latex()),
        format!("{sign}{whole} \\cdot \\frac{{{a}}}{{{b}}}"),
        format!("{sign}{}", Fraction::new(value.above + 1, value.below).latex()),
        if sign.is_empty() { format!("-{}", write(whole, a, b)) } else { value.latex() },
    ];
    // 2 times 2/1 would be 2 + 2: such a product is no near miss.
    if Fraction::new(whole * a, b) == value {
        different.remove(4);
    }
    let gold = if dice.chance(2) { write(whole, a, b) } else { format!("{sign}{}", value.latex()) };
    Group::new(gold, equal, different)
}

fn repeating(dice: &mut Dice) -> Group {
    let n_head = u32::try_from(dice.int(0, 2)).unwrap_or(0);
    let n_period = u32::try_from(dice.int(1, 3)).unwrap_or(1);
    let head_scale = 10_i64.pow(n_head);
    let nines = 10_i64.pow(n_period) - 1;
    let head = dice.int(0, head_scale - 1);
    let period = dice.int(1, nines - 1);
    let whole = dice.int(0, 3);
    let value = |head: i64, period: i64| {
        Fraction::new(whole, 1).plus(Fraction::new(head, head_scale)).plus(Fraction::new(period, nines * head_scale))
    };
    let head_text = if n_head == 0 { String::new() } else { format!("{head:0width$}", width = n_head as usize) };
    let period_text = format!("{period:0width$}", width = n_period as usize);
    let exact = value(head, period);
    let gold = format!("{whole}.{head_text}\\overline{{{period_text}}}");
    let equal = vec![
        gold.clone(),
        exact.latex(),
        exact.plain(),
        format!("{whole}.{head_text}({period_text})"),
        format!("{whole}.{head_text}\\overline{{{period_text}{period_text}}}"),
        format!("{whole}.{head_text}{period_text}\\overline{{{period_text}}}"),
    ];
    let other = if period + 1 < nines { period + 1 } else { period - 1 };
    let other_text = format!("{other:0width$}", width = n_period as usize);
    let different = vec![
        format!("{whole}.{head_text}{period_text}"),
        format!("{whole}.{head_text}{period_text}{period_text}"),
        format!("{whole}.{head_text}\\overline{{{other_text}}}"),
        Fraction::new(exact.above + 1, exact.below).latex(),
        value(head, if other == 0 { period + 2 } else { other }).latex(),
    ];
    Group::new(gold, equal, different)
}

fn powers(dice: &mut Dice) -> Group {
    if dice.chance(2) {
        // Too long to write out.
        let (base, exponent) = (dice.int(2, 9), dice.int(30, 300));
        let gold = pow(base, exponent);
        let k = dice.int(1, 9);
        let equal = vec![
            gold.clone(),
            format!("{base} \\cdot {}", pow(base, exponent - 1)),
            format!("{} \\cdot {}", pow(base, exponent - k), pow(base, k)),
            format!("{} \\times {}", pow(base, k), pow(base, exponent - k)),
            frac(pow(base, exponent + k), pow(base, k)),
            format!("\\left({}\\right)^{{{exponent}/2}}", pow(base, 2)),
        ];
        let different = vec![
            pow(base, exponent + 1),
            pow(base, exponent - 1),
            pow(base + 1, exponent),
            format!("{base} \\cdot {exponent}"),
            pow(base, format!("-{exponent}")),
            format!("{gold} + 1"),
            format!("{gold} - 1"),
            format!("-{gold}"),
            format!("{} \\cdot {}", pow(base, exponent - k), pow(base, k + 1)),
        ];
        return Group::new(gold, equal, different);
    }
    let (base, exponent) = (dice.int(2, 7), dice.int(2, 7));
    let value = base.pow(u32::try_from(exponent).unwrap_or(2));
    let is_inverse = dice.chance(3);
    let (gold, written) = if is_inverse { (frac(1, value), pow(base, -exponent)) } else { (value.to_string(), pow(base, exponent)) };
    let mut equal = vec![written.clone(), written.replacen(&base.to_string(), &format!("({base})"), 1), written.replace(['{', '}'], "")];
    if is_inverse {
        equal = vec![
            written,
            frac(1, pow(base, exponent)),
            format!("\\left(\\frac{{1}}{{{base}}}\\right)^{{{exponent}}}"),
            format!("1/{value}"),
        ];
    } else if exponent % 2 == 0 {
        equal.push(format!("(-{base})^{{{exponent}}}"));
    } else {
        equal.push(format!("-(-{base})^{{{exponent}}}"));
    }
    let mut different =
        vec![pow(base + 1, if is_inverse { -exponent } else { exponent }), pow(base, if is_inverse { exponent } else { -exponent })];
    different.push(pow(base, if is_inverse { -exponent - 1 } else { exponent + 1 }));
    if base * exponent != value || is_inverse {
        different.push((base * exponent).to_string());
    }
    different.push(format!("-{base}^{{{exponent}}}"));
    Group::new(gold, equal, different)
}

fn roots(dice: &mut Dice) -> Group {
    if dice.chance(4) {
        return cube_roots(dice);
    }
    let inside = radicand(dice, 40);
    let k = dice.int(2, 12);
    let sign = if dice.chance(5) { "-" } else { "" };
    let gold = format!("{sign}{k}\\sqrt{{{inside}}}");
    let mut equal = vec![
        gold.clone(),
        format!("{sign}{k} \\sqrt{{{inside}}}"),
        format!("{sign}{k} \\cdot \\sqrt{{{inside}}}"),
        format!("{sign}\\sqrt{{{inside}}} \\cdot {k}"),
        format!("{sign}\\sqrt{{{}}}", k * k * inside),
        format!("{sign}{k}\\sqrt[2]{{{inside}}}"),
        format!("{sign}{k}√{inside}"),
        format!("{sign}{k}\\cdot {inside}^{{1/2}}"),
        format!("{sign}{k}({inside})^{{\\frac{{1}}{{2}}}}"),
        format!("{sign}\\frac{{{}}}{{\\sqrt{{{inside}}}}}", k * inside),
        format!("{sign}\\sqrt[4]{{{}}}", k.pow(4) * inside * inside),
        format!("{sign}{k} sqrt({inside})"),
    ];
    if inside < 10 {
        equal.push(format!("{sign}{k}\\sqrt{inside}"));
        equal.push(format!("{sign}{k}\\sqrt {inside}"));
    }
    let different = vec![
        format!("{sign}{k}\\sqrt{{{}}}", inside + 1),
        format!("{sign}{}\\sqrt{{{inside}}}", k + 1),
        format!("{sign}\\sqrt{{{}}}", k * inside),
        format!("{sign}{k}\\sqrt[3]{{{inside}}}"),
        format!("{sign}\\sqrt{{{inside}}}"),
        format!("{sign}{k} + \\sqrt{{{inside}}}"),
        format!("{sign}{}", k * inside),
        format!("{sign}\\frac{{{k}}}{{\\sqrt{{{inside}}}}}"),
        if sign.is_empty() { format!("-{gold}") } else { gold[1..].to_owned() },
    ];
    Group::new(gold, equal, different)
}

fn cube_roots(dice: &mut Dice) -> Group {
    let inside = radicand(dice, 30);
    let k = dice.int(2, 6);
    let gold = format!("{k}\\sqrt[3]{{{inside}}}");
    let equal = vec![
        gold.clone(),
        format!("\\sqrt[3]{{{}}}", k * k * k * inside),
        format!("{k} \\cdot {inside}^{{1/3}}"),
        format!("{k}∛{inside}"),
        format!("\\sqrt[3]{{{inside}}} \\cdot {k}"),
        format!("-{k}\\sqrt[3]{{-{inside}}}"),
    ];
    let different = vec![
        format!("{k}\\sqrt[3]{{{}}}", inside + 1),
        format!("{k}\\sqrt{{{inside}}}"),
        format!("\\sqrt[3]{{{}}}", k * inside),
        format!("{k}\\sqrt[4]{{{inside}}}"),
        format!("-{gold}"),
    ];
    Group::new(gold, equal, different)
}

/// `(a + b √c) / d` in many ways.
fn algebraic(dice: &mut Dice) -> Group {
    let c = radicand(dice, 30);
    match dice.below(3) {
        0 => {
            // 1 / (√m - √n) = (√m + √n) / (m - n)
            let n = dice.int(2, 20);
            let m = n + dice.int(1, 8);
            let (root_m, root_n) = (sqrt(m), sqrt(n));
            let gap = m - n;
            let gold = if gap == 1 { format!("{root_m} + {root_n}") } else { frac(format!("{root_m} + {root_n}"), gap) };
            let equal = vec![
                frac(1, format!("{root_m} - {root_n}")),
                format!("1/({root_m} - {root_n})"),
                format!("({root_m} - {root_n})^{{-1}}"),
                frac(format!("{root_n} + {root_m}"), gap),
                format!("\\frac{{{root_m}}}{{{gap}}} + \\frac{{{root_n}}}{{{gap}}}"),
            ];
            let different = vec![
                frac(1, format!("{root_m} + {root_n}")),
                frac(format!("{root_m} - {root_n}"), gap),
                frac(format!("{root_m} + {root_n}"), gap + 1),
                frac(format!("-{root_m} - {root_n}"), gap),
                frac(sqrt(m + n), gap),
            ];
            Group::new(gold, equal, different)
        }
        1 => {
            // √(a + b + 2√(ab)) = √a + √b
            let mut ab = dice.distinct(2, 2, 15);
            ab.sort_unstable();
            let (a, b) = (ab[0], ab[1]);
            let gold = format!("{} + {}", sqrt(a), sqrt(b));
            let equal = vec![
                sqrt(format!("{} + 2\\sqrt{{{}}}", a + b, a * b)),
                sqrt(format!("{} + \\sqrt{{{}}}", a + b, 4 * a * b)),
                format!("{} + {}", sqrt(b), sqrt(a)),
            ];
            let different = vec![
                sqrt(a + b),
                sqrt(format!("{} - 2\\sqrt{{{}}}", a + b, a * b)),
                sqrt(format!("{} + \\sqrt{{{}}}", a + b, a * b)),
                format!("{} - {}", sqrt(a), sqrt(b)),
                format!("{} + {}", sqrt(a), sqrt(b + 1)),
            ];
            Group::new(gold, equal, different)
        }
        _ => {
            let (a, b, d) = (dice.nonzero(15), dice.int(1, 9), dice.int(1, 9));
            let b_text = if b == 1 { String::new() } else { b.to_string() };
            let over = |above: String| if d == 1 { above } else { frac(above, d) };
            let gold = over(format!("{a} + {b_text}\\sqrt{{{c}}}"));
            let k = dice.int(2, 5);
            let equal = vec![
                over(format!("{b_text}\\sqrt{{{c}}} + {a}").replace("+ -", "- ")),
                frac(format!("{} + {}\\sqrt{{{c}}}", a * k, b * k), d * k),
                format!("\\frac{{{a}}}{{{d}}} + \\frac{{{b}}}{{{d}}}\\sqrt{{{c}}}"),
                format!("\\frac{{{a}}}{{{d}}} + \\frac{{{b}\\sqrt{{{c}}}}}{{{d}}}"),
                over(format!("{a} + \\sqrt{{{}}}", b * b * c)),
                format!("({a} + {b}\\sqrt{{{c}}})/{d}"),
                format!("\\frac{{1}}{{{d}}}({a} + {b}\\sqrt{{{c}}})"),
            ];
            let different = vec![
                over(format!("{a} - {b_text}\\sqrt{{{c}}}")),
                over(format!("{} + {b_text}\\sqrt{{{c}}}", -a)),
                over(format!("{} + {b_text}\\sqrt{{{c}}}", a + 1)),
                over(format!("{a} + {}\\sqrt{{{c}}}", b + 1)),
                over(format!("{a} + {b_text}\\sqrt{{{}}}", c + 1)),
                frac(format!("{a} + {b}\\sqrt{{{c}}}"), d + 1),
                over(a.to_string()),
            ];
            Group::new(gold, equal, different)
        }
    }
}

fn complex(dice: &mut Dice) -> Group {
    let (re, im) = (dice.nonzero(15), dice.nonzero(15));
    let im_text = |im: i64| match im.abs() {
        1 => String::new(),
        size => size.to_string(),
    };
    let join = |im: i64| if im < 0 { "-" } else { "+" };
    let write = |re: i64, im: i64| format!("{re}{}{}i", join(im), im_text(im));
    let spaced = |re: i64, im: i64| format!("{re} {} {} i", join(im), im_text(im));
    let k = dice.int(2, 5);
    let lead = if im < 0 { "-" } else { "" };
    let mut equal = vec![
        write(re, im),
        spaced(re, im),
        format!("{re} {} {}i", join(im), im_text(im)),
        format!("{re} {} i \\cdot {}", join(im), im.abs()),
        format!("{re}{}{}\\cdot i", join(im), im.abs()),
        format!("{lead}{}i {} {}", im_text(im), join(re), re.abs()),
        format!("{lead}{} i {} {}", im_text(im), join(re), re.abs()),
        frac(write(re * k, im * k), k),
        format!("({re}) + ({im})i"),
        format!("{re} {} {}\\mathrm{{i}}", join(im), im_text(im)),
        format!("-({})", write(-re, -im)),
        format!("{re}{}{}\\,i", join(im), im_text(im)),
    ];
    // A square, multiplied out by hand.
    let (p, q) = (dice.int(1, 6), dice.nonzero(6));
    if dice.chance(4) && p * p != q * q {
        let (re, im) = (p * p - q * q, 2 * p * q);
        let equal = vec![format!("({})^2", write(p, q)), spaced(re, im), format!("({0})({0})", write(p, q))];
        let different = vec![re.to_string(), write(p * p + q * q, im), spaced(re, -im), format!("({})^2", write(p, -q)), write(im, re)];
        let different = if re == im { different[..4].to_vec() } else { different };
        return Group::new(write(re, im), equal, different);
    }
    let gold = write(re, im);
    let mut different = vec![
        format!("{gold} + 1"),
        format!("-({gold})"),
        gold.replace('i', ""),
        write(re, -im),
        spaced(re, im + 1),
        write(re + 1, im),
        re.to_string(),
        format!("{im}i"),
    ];
    // The parts swapped.
    if re != im {
        different.push(write(im, re));
    }
    equal.push(gold.replace('i', " i"));
    Group::new(gold, equal, different)
}

/// Digits of a number in a base.
pub(super) fn digits(mut value: i64, base: i64) -> String {
    let mut found = Vec::new();
    while value > 0 {
        found.push(char::from_digit(u32::try_from(value % base).unwrap_or(0), 36).unwrap_or('0').to_ascii_uppercase());
        value /= base;
    }
    found.iter().rev().collect()
}

fn bases(dice: &mut Dice) -> Group {
    const WORDS: [&str; 10] = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"];
    let base = dice.pick(&[2, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 16]);
    // More than two digits, so that the numeral is no small number by chance.
    let value = dice.int(base * base, base.pow(4).min(60_000));
    let text = digits(value, base);
    let has_letters = text.contains(|c: char| c.is_ascii_alphabetic());
    let body = |text: &str| if text.contains(|c: char| c.is_ascii_alphabetic()) { format!("\\text{{{text}}}") } else { text.to_owned() };
    let numeral = body(&text);
    let gold = format!("{numeral}_{{{base}}}");
    let mut equal = vec![gold.clone(), format!("({numeral})_{{{base}}}"), format!("{numeral}_{{{base}}}").replace("_{", " _ {")];
    if base < 10 {
        equal.push(format!("{numeral}_{base}"));
        equal.push(format!("{numeral}_ {base}"));
    }
    if base <= 11 {
        equal.push(format!("{numeral}_{{\\text{{{}}}}}", WORDS[usize::try_from(base - 2).unwrap_or(0)]));
    }
    if !has_letters {
        equal.push(numeral.clone());
        equal.push(format!("\\left({numeral}\\right)_{{{base}}}"));
        equal.push(format!("{numeral}\\text{{ (base {base})}}"));
        equal.push(format!("{numeral} \\text{{ base }} {base}"));
        equal.push(format!("{numeral}_{{\\text{{base }}{base}}}"));
    }
    // The same value in another base, both bases written.
    let other_base = dice.pick(&[2, 3, 5, 8, 10, 16]);
    if other_base != base {
        equal.push(format!("{}_{{{other_base}}}", body(&digits(value, other_base))));
    }
    let larger = dice.int(base + 1, base + 9);
    let smaller_digit = text.chars().filter_map(|c| c.to_digit(36)).max().unwrap_or(1);
    let mut different = vec![
        format!("{numeral}_{{{larger}}}"),
        format!("{}_{{{base}}}", body(&digits(value + 1, base))),
        format!("{}_{{{base}}}", body(&digits(value - 1, base))),
        format!("{}_{{{base}}}", body(&text[..text.len() - 1])),
        format!("{}_{{{base}}}", body(&digits(value * base, base))),
        format!("-{gold}"),
        value.to_string(),
        format!("{}_{{10}}", value + 1),
        body(&digits(value + 1, base)),
        body(&text[..text.len() - 1]),
        format!("{}_{{{larger}}}", body(&digits(value + 1, larger))),
    ];
    // The same digits in a smaller base, where all of them exist.
    if i64::from(smaller_digit) + 1 < base && smaller_digit >= 1 {
        different.push(format!("{numeral}_{{{}}}", (i64::from(smaller_digit) + 1).max(2)));
    }
    Group::new(gold, equal, different)
}

/// Some bigger numbers for other families.
pub(super) fn factorials(dice: &mut Dice) -> Group {
    let n = dice.int(3, 12);
    let value = factorial(n);
    let equal = vec![
        format!("{n}!"),
        format!("{n} \\cdot {}!", n - 1),
        format!("{n} \\times {}!", n - 1),
        frac(format!("{}!", n + 1), n + 1),
        frac(format!("{}!", n + 2), (n + 1) * (n + 2)),
        format!("({n})!"),
        value.to_string(),
        grouped(value, ","),
    ];
    let different = vec![
        format!("{}!", n + 1),
        format!("{}!", n - 1),
        format!("{n}"),
        format!("{n}! + 1"),
        format!("-{n}!"),
        (value + 1).to_string(),
        format!("{n}!!"),
        frac(1, format!("{n}!")),
    ];
    let gold = if dice.chance(2) { value.to_string() } else { format!("{n}!") };
    Group::new(gold, equal, different)
}

/// `n!!`.
pub(super) fn double_factorials(dice: &mut Dice) -> Group {
    let n = dice.int(5, 13);
    let value: i64 = (1..=n).rev().step_by(2).product();
    Group::new(
        value.to_string(),
        vec![format!("{n}!!"), format!("{n} \\cdot {}!!", n - 2)],
        [vec![format!("{}!!", n + 1), format!("{}!!", n - 1), (value * 2).to_string()], texts(&["0"])].concat(),
    )
}
