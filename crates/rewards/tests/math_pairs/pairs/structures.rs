//! Tuples, sets, intervals, lists and matrices.

use super::dice::Dice;
use super::latex::{Fraction, radicand, texts, tight};
use super::{Family, Group, Wrap};

pub(super) const FAMILIES: [Family; 16] = [
    ("tuples", Wrap::Math, 200, tuples),
    ("tuples in braces", Wrap::Math, 100, braced_tuples),
    ("tuples in plain text", Wrap::Plain, 120, plain_tuples),
    ("sized brackets", Wrap::Math, 160, sized_brackets),
    ("lists", Wrap::Math, 160, lists),
    ("lists of tuples", Wrap::Math, 80, tuple_lists),
    ("sets", Wrap::Math, 180, sets),
    ("solutions joined by or", Wrap::Math, 80, alternatives),
    ("plus minus", Wrap::Math, 120, plus_minus),
    ("intervals", Wrap::Math, 200, intervals),
    ("unions", Wrap::Math, 160, unions),
    ("intervals and inequalities", Wrap::Math, 160, interval_forms),
    ("empty set and real line", Wrap::Math, 30, special_sets),
    ("matrices", Wrap::Math, 180, matrices),
    ("matrix row spacing", Wrap::Math, 80, row_spacing),
    ("vectors", Wrap::Math, 120, vectors),
];

/// Two or three parts of which the first two differ.
fn parts(dice: &mut Dice) -> Vec<Fraction> {
    let n_parts = dice.int(2, 4);
    loop {
        let found: Vec<Fraction> = (0..n_parts).map(|_| Fraction::any(dice, 12)).collect();
        if found[0] != found[1] {
            return found;
        }
    }
}

fn joined(parts: &[Fraction], between: &str, write: impl Fn(&Fraction) -> String) -> String {
    parts.iter().map(write).collect::<Vec<_>>().join(between)
}

/// Parts with one changed, two swapped, one dropped, one added.
fn near_parts(parts: &[Fraction], dice: &mut Dice) -> Vec<Vec<Fraction>> {
    let mut changed = parts.to_vec();
    let at = dice.below(parts.len());
    changed[at] = changed[at].plus(Fraction::new(dice.nonzero(3), 1));
    let mut swapped = parts.to_vec();
    swapped.swap(0, 1);
    let longer = [parts, &[Fraction::new(1, 1)]].concat();
    let mut found = vec![changed, swapped, longer];
    if parts[0].above != 0 {
        let mut turned = parts.to_vec();
        turned[0] = turned[0].negative();
        found.push(turned);
    }
    // A tuple of one is not a tuple.
    if parts.len() > 2 {
        found.push(parts[..parts.len() - 1].to_vec());
    }
    found
}

fn tuple(parts: &[Fraction]) -> String {
    format!("({})", joined(parts, ", ", |part| part.latex()))
}

fn tuples(dice: &mut Dice) -> Group {
    let parts = parts(dice);
    let gold = tuple(&parts);
    let decimals: Option<Vec<String>> = parts.iter().map(|part| part.decimal()).collect();
    let mut equal = vec![
        tight(&gold),
        format!("\\left({}\\right)", joined(&parts, ",", |part| part.latex())),
        format!("\\left( {} \\right)", joined(&parts, " , ", |part| part.latex())),
        format!("({})", joined(&parts, ",\\,", |part| part.latex())),
        format!("({})", joined(&parts, ",\\ ", |part| part.plain())),
        format!("({})", joined(&parts, "~,~", |part| part.latex())),
        gold.replace("\\frac", "\\dfrac"),
        format!("\\displaystyle {gold}"),
    ];
    equal.extend(decimals.map(|parts| format!("({})", parts.join(", "))));
    let different = near_parts(&parts, dice).iter().map(|other| tuple(other)).collect();
    Group::new(gold, equal, different)
}

fn braced_tuples(dice: &mut Dice) -> Group {
    let parts = parts(dice);
    let write = |parts: &[Fraction]| format!("{{{}}}", tuple(parts));
    let equal = vec![
        write(&parts),
        format!("{{ {} }}", tuple(&parts)),
        format!("{{({})}}", joined(&parts, ",", |part| format!("{{{}}}", part.latex()))),
        format!("{{\\left({}\\right)}}", joined(&parts, ",", |part| part.latex())),
        format!("({{{}}})", joined(&parts, "},{", |part| part.latex())),
    ];
    let different = near_parts(&parts, dice).iter().map(|other| write(other)).collect();
    Group::new(tuple(&parts), equal, different)
}

fn plain_tuples(dice: &mut Dice) -> Group {
    let parts = parts(dice);
    let write = |parts: &[Fraction]| format!("({})", joined(parts, ", ", |part| part.plain()));
    let equal = vec![write(&parts), tight(&write(&parts)), write(&parts).replace("(", "( ").replace(")", " )")];
    let different = near_parts(&parts, dice).iter().map(|other| write(other)).collect();
    Group::new(if dice.chance(2) { tuple(&parts) } else { write(&parts) }, equal, different)
}

fn sized_brackets(dice: &mut Dice) -> Group {
    const SIZES: [(&str, &str); 9] = [
        ("\\bigl", "\\bigr"),
        ("\\Bigl", "\\Bigr"),
        ("\\biggl", "\\biggr"),
        ("\\Biggl", "\\Biggr"),
        ("\\big", "\\big"),
        ("\\Big", "\\Big"),
        ("\\bigg", "\\bigg"),
        ("\\left", "\\right"),
        ("\\bigl", "\\bigr"),
    ];
    let (open, close) = dice.pick(&SIZES);
    let a = Fraction::any(dice, 12);
    let b = a.plus(Fraction::new(dice.int(1, 9), 1));
    let (first, second) = (a.latex(), b.latex());
    let (left, right) = dice.pick(&[("(", ")"), ("[", ")"), ("(", "]"), ("\\{", "\\}")]);
    let write = |first: &str, second: &str| format!("{left}{first}, {second}{right}");
    let gold = write(&first, &second);
    let sized = |first: &str, second: &str, left: &str, right: &str| format!("{open}{left}{first}, {second}{close}{right}");
    let equal = vec![
        sized(&first, &second, left, right),
        sized(&format!("\\,{first}"), &second, left, right),
        tight(&sized(&first, &second, left, right)),
    ];
    let mut different = vec![
        sized(&first, &b.plus(Fraction::new(1, 1)).latex(), left, right),
        sized(&a.plus(Fraction::new(-1, 1)).latex(), &second, left, right),
        sized(&first, &format!("{second} + 1"), left, right),
    ];
    match left {
        "[" => different.push(sized(&first, &second, "(", right)),
        "(" if right == "]" => different.push(sized(&first, &second, "(", ")")),
        "(" => different.push(sized(&second, &first, "(", ")")),
        _ => {}
    }
    Group::new(gold, equal, different)
}

fn lists(dice: &mut Dice) -> Group {
    let n_values = usize::try_from(dice.int(2, 5)).unwrap_or(2);
    let values = dice.distinct(n_values, -30, 60);
    let write = |values: &[i64], between: &str| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(between);
    let shuffled = dice.shuffled(&values);
    let (last, most) = shuffled.split_last().unwrap_or((&0, &[]));
    let equal = vec![
        write(&values, ","),
        write(&shuffled, ", "),
        write(&shuffled, ",\\,"),
        write(&shuffled, ", \\quad "),
        format!("{} \\text{{ and }} {last}", write(most, ", ")),
        format!("{}, \\text{{ and }} {last}", write(most, ", ")),
        format!("\\{{{}\\}}", write(&shuffled, ", ")),
        write(&shuffled, ";"),
    ];
    let mut changed = values.clone();
    changed[0] += 100;
    let mut different = vec![
        write(&changed, ", "),
        write(&values[1..], ", "),
        write(&[values.clone(), vec![77]].concat(), ", "),
        write(&[vec![values[0] - 50], values[1..].to_vec()].concat(), ", "),
    ];
    if values[0] != 0 && !values.contains(&-values[0]) {
        let mut turned = values.clone();
        turned[0] = -turned[0];
        different.push(write(&turned, ", "));
    }
    // Two numbers of one to three digits could be one number with a separator.
    let gold = write(&values, ", ");
    Group::new(gold, equal, different)
}

fn tuple_lists(dice: &mut Dice) -> Group {
    let (a, b) = (dice.distinct(3, -9, 15), dice.distinct(3, 16, 30));
    let write = |a: &[i64], b: &[i64], between: &str| a.iter().zip(b).map(|(a, b)| format!("({a},{b})")).collect::<Vec<_>>().join(between);
    let order = dice.shuffled(&[0_usize, 1, 2]);
    let (sa, sb): (Vec<i64>, Vec<i64>) = order.iter().map(|&i| (a[i], b[i])).unzip();
    Group::new(
        write(&a, &b, ", "),
        vec![
            write(&sa, &sb, ", "),
            write(&sa, &sb, ","),
            write(&sa, &sb, ", \\quad "),
            format!("\\{{{}\\}}", write(&sa, &sb, ", ")),
            format!("{} \\text{{ and }} ({},{})", write(&sa[..2], &sb[..2], ", "), sa[2], sb[2]),
        ],
        vec![
            write(&a[..2], &b[..2], ", "),
            write(&b, &a, ", "),
            write(&a, &[b[1], b[0], b[2]], ", "),
            write(&[a[0], a[1], a[2] - 40], &b, ", "),
            format!("({},{})", a[0], b[0]),
        ],
    )
}

fn sets(dice: &mut Dice) -> Group {
    let n_values = usize::try_from(dice.int(1, 5)).unwrap_or(2);
    let values = dice.distinct(n_values, -20, 40);
    let texts_of = |values: &[i64]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    let shuffled = dice.shuffled(&values);
    let write = |values: &[i64]| format!("\\{{{}\\}}", texts_of(values).join(", "));
    let mut equal = vec![
        write(&shuffled),
        tight(&write(&shuffled)),
        format!("\\left\\{{{}\\right\\}}", texts_of(&shuffled).join(",")),
        format!("\\lbrace {} \\rbrace", texts_of(&shuffled).join(", ")),
        write(&[shuffled.clone(), vec![shuffled[0]]].concat()),
        format!("\\{{\\,{}\\,\\}}", texts_of(&shuffled).join(",\\,")),
        format!("\\bigl\\{{{}\\bigr\\}}", texts_of(&shuffled).join(", ")),
    ];
    if n_values > 1 {
        equal.push(texts_of(&shuffled).join(", "));
    }
    let mut different = vec![
        write(&[values.clone(), vec![values[0] + 100]].concat()),
        write(&[&[values[0] - 60], &values[1..]].concat()),
        write(&values.iter().map(|value| value + 70).collect::<Vec<_>>()),
    ];
    if n_values > 1 {
        different.push(write(&values[1..]));
        different.push(write(&values[..n_values - 1]));
    } else {
        different.push("\\emptyset".to_owned());
    }
    Group::new(write(&values), equal, different)
}

fn alternatives(dice: &mut Dice) -> Group {
    let values = dice.distinct(2, -20, 20);
    let (a, b) = (values[0], values[1]);
    let x = dice.pick(&["x", "y", "n"]);
    let equal = vec![
        format!("{x} = {a} \\text{{ or }} {x} = {b}"),
        format!("{x} = {b} \\text{{ or }} {x} = {a}"),
        format!("{x}={a}, {x}={b}"),
        format!("{x} = {a}, {b}"),
        format!("{x} \\in \\{{{a}, {b}\\}}"),
        format!("\\{{{b}, {a}\\}}"),
        format!("{a} \\text{{ or }} {b}"),
        format!("{b}, {a}"),
    ];
    let different = vec![
        format!("{x} = {a}"),
        format!("{x} = {a} \\text{{ or }} {x} = {}", b + 50),
        format!("{x} = {} \\text{{ or }} {x} = {b}", a - 50),
        format!("{a} \\text{{ or }} {}", b + 45),
        format!("{x} \\in \\{{{a}\\}}"),
    ];
    Group::new(
        dice.pick(&[format!("{a}, {b}"), format!("{x} = {a} \\text{{ or }} {x} = {b}"), format!("\\{{{a}, {b}\\}}")]),
        equal,
        different,
    )
}

fn plus_minus(dice: &mut Dice) -> Group {
    let inside = radicand(dice, 20);
    let (a, b) = (dice.nonzero(9), dice.int(1, 9));
    if dice.chance(3) {
        let equal = vec![
            format!("{b}, -{b}"),
            format!("-{b}, {b}"),
            format!("\\{{-{b}, {b}\\}}"),
            format!("\\pm{b}"),
            format!("\\mp {b}"),
            format!("x = \\pm {b}"),
            format!("±{b}"),
        ];
        let different =
            vec![b.to_string(), format!("-{b}"), format!("\\pm {}", b + 1), format!("\\{{{b}, -{}\\}}", b + 1), format!("0, {b}")];
        return Group::new(format!("\\pm {b}"), equal, different);
    }
    let b_text = if b == 1 { String::new() } else { b.to_string() };
    let root = format!("{b_text}\\sqrt{{{inside}}}");
    let equal = vec![
        format!("{a} + {root}, {a} - {root}"),
        format!("{a} - {root}, {a} + {root}"),
        format!("\\{{{a} - {root}, {a} + {root}\\}}"),
        format!("{a}\\pm{root}"),
        format!("{a} \\mp {root}"),
        format!("\\frac{{{} \\pm {}\\sqrt{{{inside}}}}}{{2}}", 2 * a, 2 * b),
        format!("x = {a} \\pm {root}"),
        format!("{a} \\pm \\sqrt{{{}}}", b * b * inside),
        format!("{a} ± {root}"),
    ];
    let different = vec![
        format!("{a} + {root}"),
        format!("{a} - {root}"),
        format!("{} \\pm {root}", -a),
        format!("{a} \\pm {b_text}\\sqrt{{{}}}", inside + 1),
        format!("\\pm {root}"),
        format!("{a} + {root}, {} - {root}", a + 1),
        format!("\\pm {a} + {root}"),
    ];
    Group::new(format!("{a} \\pm {root}"), equal, different)
}

/// Ends of an interval, the lower one first.
fn ends(dice: &mut Dice) -> (Fraction, Fraction) {
    let low = Fraction::any(dice, 12);
    (low, low.plus(Fraction::new(dice.int(1, 12), dice.int(1, 3))))
}

fn intervals(dice: &mut Dice) -> Group {
    let (low, high) = ends(dice);
    // Both brackets alike could be a tuple or a list: at least one pair differs, or an end is infinite.
    let kind = dice.below(4);
    let (left, right) = dice.pick(&[("[", ")"), ("(", "]")]);
    let (low_text, high_text) = (low.latex(), high.latex());
    let write = |left: &str, low: &str, high: &str, right: &str| format!("{left}{low}, {high}{right}");
    let (gold, mut different) = match kind {
        0 => (
            write("(", "-\\infty", &high_text, right),
            vec![
                write("(", "-\\infty", &high_text, if right == "]" { ")" } else { "]" }),
                write("(", "-\\infty", &high.plus(Fraction::new(1, 1)).latex(), right),
                write(if right == "]" { "[" } else { "(" }, &high_text, "\\infty", ")"),
                write("(", &low_text, &high_text, "]"),
            ],
        ),
        1 => (
            write(left, &low_text, "\\infty", ")"),
            vec![
                write(if left == "[" { "(" } else { "[" }, &low_text, "\\infty", ")"),
                write(left, &low.plus(Fraction::new(-1, 1)).latex(), "\\infty", ")"),
                write("(", "-\\infty", &low_text, if left == "[" { "]" } else { ")" }),
                write("[", &low_text, &high_text, ")"),
            ],
        ),
        _ => (
            write(left, &low_text, &high_text, right),
            vec![
                write(if left == "[" { "(" } else { "[" }, &low_text, &high_text, if right == "]" { ")" } else { "]" }),
                write("(", &low_text, &high_text, ")"),
                write("[", &low_text, &high_text, "]"),
                write(left, &low_text, &high.plus(Fraction::new(1, 1)).latex(), right),
                write(left, &low.plus(Fraction::new(-1, 2)).latex(), &high_text, right),
            ],
        ),
    };
    if low.above != 0 && kind == 1 {
        different.push(write(left, &low.negative().latex(), "\\infty", ")"));
    }
    let equal = vec![
        tight(&gold),
        gold.replacen(['(', '['], if gold.starts_with('(') { "\\left(" } else { "\\left[" }, 1)
            .replace(')', "\\right)")
            .replace(']', "\\right]"),
        gold.replace("\\frac", "\\tfrac"),
        gold.replace(", ", ",\\,"),
        gold.replace("\\infty", "+\\infty").replace("-+", "-"),
        gold.replace("\\infty", "∞"),
        format!("x \\in {gold}"),
        gold.replace(", ", " , "),
    ];
    Group::new(gold, equal, different)
}

fn unions(dice: &mut Dice) -> Group {
    let mut values = dice.distinct(4, -20, 30);
    values.sort_unstable();
    let [a, b, c, d] = values[..] else { return unions(dice) };
    let (close, open) = dice.pick(&[(")", "("), ("]", "("), (")", "["), ("]", "[")]);
    let is_infinite = dice.chance(2);
    let (first, last) = if is_infinite { ("(-\\infty".to_owned(), "\\infty)".to_owned()) } else { (format!("[{a}"), format!("{d}]")) };
    let write = |b: i64, close: &str, open: &str, c: i64| format!("{first}, {b}{close} \\cup {open}{c}, {last}");
    let (one, two) = (format!("{first},{b}{close}"), format!("{open}{c},{last}"));
    let other = |bracket: &str| match bracket {
        ")" => "]",
        "]" => ")",
        "(" => "[",
        _ => "(",
    };
    let equal = vec![
        format!("{one}\\cup{two}"),
        format!("{two} \\cup {one}"),
        format!("x \\in {one} \\cup {two}"),
        format!("{one} ∪ {two}"),
        format!("\\left{}\\right{close} \\cup \\left{two}", one.strip_suffix(close).unwrap_or(&one))
            .replace("\\infty)", "\\infty\\right)")
            .replace(&format!("{d}]"), &format!("{d}\\right]")),
        format!("{one}\\bigcup {two}"),
        format!("{one} \\; \\cup \\; {two}"),
    ];
    let mut different = vec![
        write(b, other(close), open, c),
        write(b, close, other(open), c),
        write(b, close, open, if c + 1 == d { c + 100 } else { c + 1 }),
        one.clone(),
        two.clone(),
        write(b - 40, close, open, c),
        format!("{one} \\cap {two}"),
    ];
    if is_infinite {
        different.push("(-\\infty, \\infty)".to_owned());
    }
    // An interval with its ends turned is another matter than a near miss.
    different.retain(|text| !text.contains(&format!("{}", c + 100)) && (is_infinite || !text.contains(&format!("{}", b - 40))));
    Group::new(write(b, close, open, c), equal, different)
}

fn interval_forms(dice: &mut Dice) -> Group {
    let low = dice.int(-15, 15);
    let high = low + dice.int(1, 15);
    if dice.chance(2) {
        let (bracket, sign, turned) = dice.pick(&[("[", "\\ge", "\\le"), ("(", ">", "<")]);
        let gold = format!("{bracket}{low}, \\infty)");
        let equal = vec![
            format!("x {sign} {low}"),
            format!("{low} {turned} x"),
            format!("x \\in {gold}"),
            format!("\\{{x \\mid x {sign} {low}\\}}"),
            format!("\\{{x : x {sign} {low}\\}}"),
            format!("{bracket}{low}, +\\infty)"),
        ];
        let different = vec![
            format!("x {turned} {low}"),
            format!("x {} {low}", if sign == ">" { "\\ge" } else { ">" }),
            format!("x {sign} {}", low + 1),
            format!("(-\\infty, {low}{}", if bracket == "[" { "]" } else { ")" }),
            format!("x = {low}"),
        ];
        return Group::new(if dice.chance(2) { gold } else { format!("x {sign} {low}") }, equal, different);
    }
    let (left, left_sign) = dice.pick(&[("[", "\\le"), ("(", "<")]);
    let (right, right_sign) = dice.pick(&[("]", "\\le"), (")", "<")]);
    let chain = format!("{low} {left_sign} x {right_sign} {high}");
    let interval = format!("{left}{low}, {high}{right}");
    let equal = vec![
        interval.clone(),
        chain.clone(),
        format!("x \\in {interval}"),
        chain.replace("\\le", "\\leq"),
        format!("\\{{x \\mid {chain}\\}}"),
        chain.replace("\\le", "\\leqslant"),
    ];
    let different = vec![
        format!("{low} {} x {right_sign} {high}", if left_sign == "<" { "\\le" } else { "<" }),
        format!("{low} {left_sign} x {} {high}", if right_sign == "<" { "\\le" } else { "<" }),
        format!("{low} {left_sign} x {right_sign} {}", high + 1),
        format!("{} {left_sign} x {right_sign} {high}", low - 1),
        format!("x {right_sign} {high}"),
    ];
    Group::new(if dice.chance(2) { interval } else { chain }, equal, different)
}

fn special_sets(dice: &mut Dice) -> Group {
    let empty = texts(&["\\emptyset", "\\varnothing", "\\{\\}", "\\{ \\}", "∅"]);
    let line = texts(&["\\mathbb{R}", "(-\\infty, \\infty)", "(-\\infty, +\\infty)", "\\mathbf{R}", "ℝ", "x \\in \\mathbb{R}"]);
    let others = texts(&["\\{0\\}", "0", "[0, \\infty)", "(-\\infty, 0)"]);
    if dice.chance(2) {
        Group::new("\\emptyset", empty, [line, others].concat())
    } else {
        Group::new("(-\\infty, \\infty)", line, [empty, others].concat())
    }
}

type Rows = Vec<Vec<Fraction>>;

fn random_rows(dice: &mut Dice) -> Rows {
    let (n_rows, n_columns) = dice.pick(&[(2, 2), (2, 2), (3, 3), (2, 3), (3, 2)]);
    (0..n_rows).map(|_| (0..n_columns).map(|_| Fraction::any(dice, 9)).collect()).collect()
}

fn body(rows: &Rows, row_end: &str, write: impl Fn(&Fraction) -> String + Copy) -> String {
    rows.iter().map(|row| joined(row, " & ", write)).collect::<Vec<_>>().join(row_end)
}

fn matrix(rows: &Rows, kind: &str, row_end: &str) -> String {
    format!("\\begin{{{kind}}} {} \\end{{{kind}}}", body(rows, row_end, |part| part.latex()))
}

/// Rows with one entry changed, rows or columns swapped, a row dropped, all signs turned.
fn near_rows(rows: &Rows, dice: &mut Dice) -> Vec<Rows> {
    let (i, j) = (dice.below(rows.len()), dice.below(rows[0].len()));
    let mut changed = rows.clone();
    changed[i][j] = changed[i][j].plus(Fraction::new(dice.nonzero(3), 1));
    let mut swapped = rows.clone();
    swapped.swap(0, 1);
    let turned: Rows = rows.iter().map(|row| row.iter().map(|part| part.negative()).collect()).collect();
    let transposed: Rows = (0..rows[0].len()).map(|j| rows.iter().map(|row| row[j]).collect()).collect();
    let mut found = vec![changed, swapped, turned, transposed, rows[1..].to_vec()];
    found.retain(|other| other != rows);
    found
}

fn matrices(dice: &mut Dice) -> Group {
    let rows = random_rows(dice);
    let n_columns = rows[0].len();
    let gold = matrix(&rows, "pmatrix", " \\\\ ");
    let array = format!("{{{}}}", "c".repeat(n_columns));
    let array = format!("\\begin{{array}}{array} {} \\end{{array}}", body(&rows, " \\\\ ", |part| part.latex()));
    let equal = vec![
        gold.clone(),
        matrix(&rows, "bmatrix", " \\\\ "),
        gold.replace(" & ", "&").replace(" \\\\ ", "\\\\"),
        gold.replace(" \\\\ ", "\\\\\n"),
        format!("\\left({array}\\right)"),
        format!("\\left[{array}\\right]"),
        gold.replace("\\frac", "\\tfrac"),
        format!("\\begin{{pmatrix}} {} \\end{{pmatrix}}", body(&rows, " \\\\ ", |part| part.plain())),
        format!("\\begin{{pmatrix}} {} \\\\ \\end{{pmatrix}}", body(&rows, " \\\\ ", |part| part.latex())),
    ];
    let different = near_rows(&rows, dice).iter().map(|other| matrix(other, "pmatrix", " \\\\ ")).collect();
    Group::new(gold, equal, different)
}

fn row_spacing(dice: &mut Dice) -> Group {
    let rows = random_rows(dice);
    let space = dice.pick(&[" \\\\[2pt] ", "\\\\[4pt]", " \\\\ [6pt] ", "\\\\[0.5em] ", " \\\\[1ex] ", " \\\\* "]);
    let equal = vec![matrix(&rows, "pmatrix", space), matrix(&rows, "bmatrix", space)];
    let different = near_rows(&rows, dice).iter().map(|other| matrix(other, "pmatrix", space)).collect();
    Group::new(matrix(&rows, "pmatrix", " \\\\ "), equal, different)
}

fn vectors(dice: &mut Dice) -> Group {
    let parts = parts(dice);
    let column = |parts: &[Fraction]| format!("\\begin{{pmatrix}} {} \\end{{pmatrix}}", joined(parts, " \\\\ ", |part| part.latex()));
    let equal = vec![
        column(&parts),
        column(&parts).replace("pmatrix", "bmatrix"),
        format!("\\begin{{pmatrix}} {} \\end{{pmatrix}}", joined(&parts, " & ", |part| part.latex())),
        format!("\\langle {} \\rangle", joined(&parts, ", ", |part| part.latex())),
        format!("\\left\\langle {} \\right\\rangle", joined(&parts, ", ", |part| part.latex())),
        tuple(&parts),
    ];
    let different = near_parts(&parts, dice).iter().map(|other| column(other)).collect();
    let gold = if dice.chance(3) { tuple(&parts) } else { column(&parts) };
    Group::new(gold, equal, different)
}
