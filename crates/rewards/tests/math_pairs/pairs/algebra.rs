//! Expressions with variables, equations and inequalities.

use super::dice::Dice;
use super::latex::{Fraction, frac, gcd, sum, tight};
use super::{Family, Group, Wrap};

pub(super) const FAMILIES: [Family; 14] = [
    ("polynomials", Wrap::Math, 240, polynomials),
    ("plain-text polynomials", Wrap::Plain, 80, plain_polynomials),
    ("factored forms", Wrap::Math, 200, factored),
    ("rational functions", Wrap::Math, 180, rational_functions),
    ("several variables", Wrap::Math, 200, several_variables),
    ("radicals with variables", Wrap::Math, 80, radicals),
    ("lines", Wrap::Math, 200, lines),
    ("circles", Wrap::Math, 100, circles),
    ("planes", Wrap::Math, 80, planes),
    ("solved equations", Wrap::Math, 160, solved),
    ("functions named f", Wrap::Math, 60, named),
    ("systems solved", Wrap::Math, 100, systems),
    ("inequalities", Wrap::Math, 160, inequalities),
    ("congruences", Wrap::Math, 60, congruences),
];

const VARIABLES: [&str; 6] = ["x", "y", "t", "n", "a", "\\theta"];

/// Whole coefficients, the constant first.
type Polynomial = Vec<i64>;

fn monomial(variable: &str, exponent: usize) -> String {
    match exponent {
        0 => String::new(),
        1 => variable.to_owned(),
        _ => format!("{variable}^{exponent}"),
    }
}

/// Falling exponents.
fn written(polynomial: &[i64], variable: &str) -> String {
    sum(&terms(polynomial, variable))
}

fn terms(polynomial: &[i64], variable: &str) -> Vec<(i64, String)> {
    polynomial.iter().enumerate().rev().map(|(exponent, &factor)| (factor, monomial(variable, exponent))).collect()
}

fn times(a: &[i64], b: &[i64]) -> Polynomial {
    let mut product = vec![0; a.len() + b.len() - 1];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            product[i + j] += x * y;
        }
    }
    product
}

/// A polynomial with at least two terms.
fn random_polynomial(dice: &mut Dice) -> Polynomial {
    loop {
        let degree = dice.int(1, 4);
        let mut polynomial: Polynomial = (0..degree).map(|_| if dice.chance(3) { 0 } else { dice.nonzero(12) }).collect();
        polynomial.push(dice.nonzero(9));
        if polynomial.iter().filter(|&&factor| factor != 0).count() > 1 {
            return polynomial;
        }
    }
}

/// Polynomials that differ from the given one in one place.
fn near_polynomials(polynomial: &[i64], dice: &mut Dice) -> Vec<Polynomial> {
    let present: Vec<usize> = (0..polynomial.len()).filter(|&i| polynomial[i] != 0).collect();
    let at = dice.pick(&present);
    let edit = |change: &dyn Fn(&mut Polynomial)| {
        let mut copy = polynomial.to_vec();
        change(&mut copy);
        copy
    };
    let mut found = vec![
        edit(&|p| p[at] = -p[at]),
        edit(&|p| p[at] += if p[at] == -1 { 2 } else { 1 }),
        edit(&|p| p[at] *= 10),
        edit(&|p| p[0] += 1),
        edit(&|p| p.insert(0, 0)),
        edit(&|p| p.iter_mut().for_each(|factor| *factor = -*factor)),
        edit(&|p| p[at] = 0),
    ];
    found.retain(|other| other != polynomial && other.iter().any(|&factor| factor != 0));
    found
}

fn polynomials(dice: &mut Dice) -> Group {
    let polynomial = random_polynomial(dice);
    let variable = dice.pick(&VARIABLES);
    let gold = written(&polynomial, variable);
    let all = terms(&polynomial, variable);
    let negative: Polynomial = polynomial.iter().map(|factor| -factor).collect();
    let mixed = dice.shuffled(&all);
    let rising: Vec<_> = all.iter().rev().cloned().collect();
    let common = polynomial.iter().fold(0, |common, &factor| gcd(common, factor));
    let lead = all.iter().find(|(factor, _)| *factor != 0).cloned().unwrap_or_default();
    let mut split = vec![(lead.0 - 3, lead.1.clone()), (3, lead.1)];
    split.extend(all[1..].iter().cloned());
    let mut equal = vec![
        tight(&gold),
        sum(&rising),
        sum(&mixed),
        tight(&sum(&mixed)),
        format!("-({})", written(&negative, variable)),
        sum(&split),
        format!("{{{gold}}}"),
        format!("\\left({gold}\\right)"),
        gold.replace('^', "^ "),
        (2..5).fold(gold.clone(), |text, i| text.replace(&format!("^{i}"), &format!("^{{{i}}}"))),
        spaced_products(&all),
        gold.replace(" + ", "+ ").replace(" - ", "- "),
        format!("\\frac{{{}}}{{2}}", written(&polynomial.iter().map(|factor| 2 * factor).collect::<Vec<_>>(), variable)),
    ];
    if variable != "\\theta" {
        equal.push(gold.replace("^2", "²").replace("^3", "³").replace("^4", "⁴"));
        equal.push(horner(&polynomial, variable));
    }
    if common > 1 {
        let inside: Polynomial = polynomial.iter().map(|factor| factor / common).collect();
        equal.push(format!("{common}({})", written(&inside, variable)));
        equal.push(format!("{common}\\left({}\\right)", written(&inside, variable)));
    }
    let mut different: Vec<String> = near_polynomials(&polynomial, dice).iter().map(|other| written(other, variable)).collect();
    let other = if variable == "x" { "y" } else { "x" };
    different.push(written(&polynomial, other));
    different.push(format!("{gold} + 2"));
    Group::new(gold, equal, different)
}

/// `2 \cdot x^2 + 3 \cdot x - 1`.
fn spaced_products(terms: &[(i64, String)]) -> String {
    let with_dots: Vec<_> = terms
        .iter()
        .map(|(factor, name)| (*factor, if factor.abs() > 1 && !name.is_empty() { format!(" \\cdot {name}") } else { name.clone() }))
        .collect();
    sum(&with_dots)
}

/// `(2x + 3)x - 1`.
fn horner(polynomial: &[i64], variable: &str) -> String {
    let mut factors = polynomial.iter().rev();
    let mut text = factors.next().copied().unwrap_or(0).to_string();
    for factor in factors {
        text = format!("({text}){variable}{factor:+}");
    }
    text
}

fn plain_polynomials(dice: &mut Dice) -> Group {
    let polynomial = random_polynomial(dice);
    let variable = dice.pick(&["x", "y", "t"]);
    let gold = written(&polynomial, variable);
    let stars = spaced_products(&terms(&polynomial, variable)).replace(" \\cdot ", "*");
    let equal = vec![gold.clone(), tight(&gold), stars.clone(), sum(&dice.shuffled(&terms(&polynomial, variable)))];
    let different = near_polynomials(&polynomial, dice).iter().map(|other| written(other, variable)).collect();
    Group::new(gold, equal, different)
}

fn factored(dice: &mut Dice) -> Group {
    let x = dice.pick(&VARIABLES);
    let lead = dice.pick(&[1, 1, 1, 2, 3, -1, -2]);
    let (p, q) = ([dice.nonzero(9), dice.pick(&[1, 1, 2, 3])], [dice.nonzero(9), 1]);
    let inside = times(&p, &q);
    let expanded: Polynomial = inside.iter().map(|factor| factor * lead).collect();
    let lead_text = match lead {
        1 => String::new(),
        -1 => "-".to_owned(),
        _ => lead.to_string(),
    };
    let write = |p: &[i64], q: &[i64]| format!("{lead_text}({})({})", written(p, x), written(q, x));
    let minus = |p: &[i64]| p.iter().map(|factor| -factor).collect::<Vec<_>>();
    let product = write(&p, &q);
    let mut equal = vec![
        product.clone(),
        write(&q, &p),
        written(&expanded, x),
        tight(&written(&expanded, x)),
        format!("{lead_text}\\left({}\\right)\\left({}\\right)", written(&p, x), written(&q, x)),
        write(&minus(&p), &minus(&q)),
        format!("{lead_text}({}) \\cdot ({})", written(&p, x), written(&q, x)),
    ];
    if p == q {
        equal.push(format!("{lead_text}({})^2", written(&p, x)));
    }
    let candidates = [
        ([-p[0], p[1]], q),
        (p, [-q[0], q[1]]),
        ([-p[0], p[1]], [-q[0], q[1]]),
        ([p[0] + 1, p[1]], q),
        (p, [q[0] - 1, q[1]]),
        ([p[0], p[1] + 1], q),
    ];
    let mut different: Vec<String> = candidates.iter().filter(|(a, b)| times(a, b) != inside).map(|(a, b)| write(a, b)).collect();
    different.push(format!("{lead_text}({})", written(&p, x)));
    different.extend(near_polynomials(&expanded, dice).iter().map(|other| written(other, x)));
    let gold = if dice.chance(2) { product } else { written(&expanded, x) };
    Group::new(gold, equal, different)
}

fn rational_functions(dice: &mut Dice) -> Group {
    let x = dice.pick(&["x", "t", "a", "n"]);
    let (a, b, c, d) = (dice.nonzero(9), dice.nonzero(9), dice.nonzero(5), dice.nonzero(9));
    if a * d == b * c {
        return rational_functions(dice);
    }
    let line = |a: i64, b: i64| written(&[b, a], x);
    let gold = frac(line(a, b), line(c, d));
    let k = dice.int(2, 5);
    let mut equal = vec![
        frac(line(a * k, b * k), line(c * k, d * k)),
        frac(line(-a, -b), line(-c, -d)),
        format!("({})/({})", line(a, b), line(c, d)),
        format!("\\frac{{{}}}{{{}}} + \\frac{{{b}}}{{{}}}", line(a, 0), line(c, d), line(c, d)),
        format!("\\dfrac{{{}}}{{{}}}", sum(&[(b, String::new()), (a, x.to_owned())]), line(c, d)),
        format!("({})({})^{{-1}}", line(a, b), line(c, d)),
        format!("\\frac{{({})({})}}{{({})({})}}", line(a, b), line(1, 7), line(c, d), line(1, 7)),
        format!("\\frac{{{c}({})}}{{{c}({})}}", line(a, b), line(c, d)),
        format!("-\\frac{{{}}}{{{}}}", line(-a, -b), line(c, d)),
    ];
    if c == 1 {
        equal.push(format!("{a} + \\frac{{{}}}{{{}}}", b - a * d, line(c, d)));
    }
    let mut different = vec![
        frac(line(a, b), line(c, -d)),
        frac(line(a, -b), line(c, d)),
        frac(line(a, b), line(-c, -d)),
        line(a, b),
        frac(line(a, b), line(c, d) + " + 1"),
        Fraction::new(a, c).latex(),
        format!("\\frac{{{}}}{{{}}} + {b}", line(a, 0), line(c, d)),
    ];
    if (a, b) != (c, d) && (a, b) != (-c, -d) {
        different.push(frac(line(c, d), line(a, b)));
    }
    // (ax + b) / (cx + d) with ax / (cx + d) + b is the same only if cx + d is 1.
    different.retain(|text| *text != gold);
    Group::new(gold, equal, different)
}

fn several_variables(dice: &mut Dice) -> Group {
    let names = dice.shuffled(&["a", "b", "c", "x", "y", "z", "p", "q"]);
    let (u, v, w) = (names[0], names[1], names[2]);
    let (m, n) = (dice.int(2, 7), dice.int(2, 7));
    match dice.below(4) {
        0 => Group::new(
            format!("({m}{u} + {n}{v})^2"),
            vec![
                format!("{}{u}^2 + {}{u}{v} + {}{v}^2", m * m, 2 * m * n, n * n),
                format!("{}{v}^2 + {}{v}{u} + {}{u}^2", n * n, 2 * m * n, m * m),
                format!("({n}{v} + {m}{u})^{{2}}"),
                format!("({m}{u}+{n}{v})({m}{u}+{n}{v})"),
                format!("(-{m}{u} - {n}{v})^2"),
            ],
            vec![
                format!("{}{u}^2 + {}{v}^2", m * m, n * n),
                format!("{}{u}^2 + {}{u}{v} + {}{v}^2", m * m, m * n, n * n),
                format!("({m}{u} - {n}{v})^2"),
                format!("({m}{u} + {n}{w})^2"),
                format!("{}{u}^2 - {}{u}{v} + {}{v}^2", m * m, 2 * m * n, n * n),
            ],
        ),
        1 => Group::new(
            format!("{}{u}^2 - {}{v}^2", m * m, n * n),
            vec![
                format!("({m}{u} + {n}{v})({m}{u} - {n}{v})"),
                format!("({m}{u}-{n}{v})({n}{v}+{m}{u})"),
                format!("-({}{v}^2 - {}{u}^2)", n * n, m * m),
                format!("-{}{v}^2 + {}{u}^2", n * n, m * m),
            ],
            vec![
                format!("({m}{u} - {n}{v})^2"),
                format!("({m}{u} + {n}{v})^2"),
                format!("{}{v}^2 - {}{u}^2", n * n, m * m),
                format!("{}{u}^2 + {}{v}^2", m * m, n * n),
                format!("{}{u} - {}{v}", m * m, n * n),
            ],
        ),
        2 => Group::new(
            format!("{u}{v} + {v}{w} + {w}{u}"),
            vec![
                format!("{v}{u} + {w}{v} + {u}{w}"),
                format!("{u}{v}+{u}{w}+{v}{w}"),
                format!("{u}({v}+{w}) + {v}{w}"),
                format!("{u} {v} + {v} {w} + {w} {u}"),
                format!("{u} \\cdot {v} + {v} \\cdot {w} + {u} \\cdot {w}"),
                format!("\\frac{{({u}+{v}+{w})^2 - {u}^2 - {v}^2 - {w}^2}}{{2}}"),
            ],
            vec![
                format!("{u}{v} + {v}{w}"),
                format!("{u}{v} + {v}{w} - {w}{u}"),
                format!("{u}{v}{w}"),
                format!("({u}+{v})({v}+{w})"),
                format!("{u} + {v} + {w}"),
                format!("-({u}{v} + {v}{w} + {w}{u})"),
            ],
        ),
        _ => Group::new(
            frac(format!("{m}{u}{v}^2"), w),
            vec![
                format!("\\frac{{{m}{v}^2{u}}}{{{w}}}"),
                format!("{m}{u}{v}^2{w}^{{-1}}"),
                format!("\\frac{{{m}{u}}}{{{w}}} {v}^2"),
                format!("{m} \\cdot {u} \\cdot {v} \\cdot {v} / {w}"),
                format!("\\frac{{{}{u}{v}^2}}{{{n}{w}}}", m * n),
            ],
            vec![
                format!("\\frac{{{m}{u}^2{v}}}{{{w}}}"),
                format!("\\frac{{{m}{u}{v}^2}}{{{w}^2}}"),
                format!("{m}{u}{v}^2{w}"),
                format!("\\frac{{{m}{u}{v}}}{{{w}}}"),
                format!("\\frac{{{}{u}{v}^2}}{{{w}}}", m + 1),
                format!("\\frac{{{w}}}{{{m}{u}{v}^2}}"),
            ],
        ),
    }
}

fn radicals(dice: &mut Dice) -> Group {
    let x = dice.pick(&["x", "t", "r"]);
    let (k, n) = (dice.int(2, 6), dice.int(1, 9));
    let inside = format!("{x}^2 + {n}");
    Group::new(
        format!("{k}\\sqrt{{{inside}}}"),
        vec![
            format!("\\sqrt{{{inside}}} \\cdot {k}"),
            format!("{k}({inside})^{{1/2}}"),
            format!("{k}\\sqrt{{{n} + {x}^2}}"),
            format!("\\sqrt{{{}{x}^2 + {}}}", k * k, k * k * n),
            format!("\\frac{{{k}({inside})}}{{\\sqrt{{{inside}}}}}"),
            format!("{k} \\left({x}^2+{n}\\right)^{{\\frac12}}"),
        ],
        vec![
            format!("{k}\\sqrt{{{x}^2 - {n}}}"),
            format!("{k}\\sqrt{{{x}^2}} + {n}"),
            format!("\\sqrt{{{k}{x}^2 + {}}}", k * n),
            format!("{k}({inside})"),
            format!("{k}\\sqrt[3]{{{inside}}}"),
            format!("-{k}\\sqrt{{{inside}}}"),
            format!("{k}\\sqrt{{{x} + {n}}}"),
        ],
    )
}

/// `ax + by = c`, written as a sum of terms on the left.
fn equation(factors: &[i64], names: &[&str], right: i64) -> String {
    let terms: Vec<_> = factors.iter().copied().zip(names.iter().map(|&name| name.to_owned())).collect();
    format!("{} = {right}", sum(&terms))
}

fn lines(dice: &mut Dice) -> Group {
    let (a, b, c) = (dice.nonzero(9), dice.nonzero(9), dice.nonzero(20));
    let names = ["x", "y"];
    let gold = equation(&[a, b], &names, c);
    let k = dice.int(2, 5);
    let all_left = format!("{} = 0", sum(&[(a, "x".to_owned()), (b, "y".to_owned()), (-c, String::new())]));
    let slope = Fraction::new(-a, b);
    let height = Fraction::new(c, b);
    let slope_text = |slope: Fraction| match slope {
        Fraction { above: 1, below: 1 } => String::new(),
        Fraction { above: -1, below: 1 } => "-".to_owned(),
        slope => slope.latex(),
    };
    let solved = |slope: Fraction, height: Fraction| {
        let join = if height.above < 0 { "-" } else { "+" };
        let size = if height.above < 0 { height.negative() } else { height };
        format!("y = {}x {join} {}", slope_text(slope), size.latex())
    };
    let equal = vec![
        equation(&[a * k, b * k], &names, c * k),
        equation(&[-a, -b], &names, -c),
        tight(&gold),
        equation(&[b, a], &["y", "x"], c),
        all_left.clone(),
        format!("{c} = {}", sum(&[(a, "x".to_owned()), (b, "y".to_owned())])),
        solved(slope, height),
        format!("0 = {}", sum(&[(-a, "x".to_owned()), (-b, "y".to_owned()), (c, String::new())])),
        format!("{} = {}", sum(&[(a, "x".to_owned())]), sum(&[(c, String::new()), (-b, "y".to_owned())])),
    ];
    let mut different = vec![
        equation(&[a, -b], &names, c),
        equation(&[a, b], &names, -c),
        equation(&[a, b], &names, c + 1 + i64::from(c == -1)),
        equation(&[a * k, b], &names, c),
        equation(&[a * k, b * k], &names, c),
        solved(slope.negative(), height),
        solved(slope, height.plus(Fraction::new(1, 1))),
        format!("{} = 0", sum(&[(a, "x".to_owned()), (b, "y".to_owned()), (c, String::new())])),
        sum(&[(a, "x".to_owned()), (b, "y".to_owned())]),
    ];
    // A line of slope 1 or -1 may be its own mirror image.
    if a.abs() != b.abs() {
        different.push(equation(&[b, a], &names, c));
    }
    let gold = match dice.below(3) {
        0 => all_left,
        1 => solved(slope, height),
        _ => gold,
    };
    Group::new(gold, equal, different)
}

fn circles(dice: &mut Dice) -> Group {
    let (h, k, r) = (dice.nonzero(8), dice.nonzero(8), dice.int(1, 9));
    let shifted = |name: &str, by: i64| if by < 0 { format!("({name} + {})^2", -by) } else { format!("({name} - {by})^2") };
    let gold = format!("{} + {} = {}", shifted("x", h), shifted("y", k), r * r);
    let expanded = |h: i64, k: i64, constant: i64| {
        format!(
            "{} = 0",
            sum(&[
                (1, "x^2".to_owned()),
                (1, "y^2".to_owned()),
                (-2 * h, "x".to_owned()),
                (-2 * k, "y".to_owned()),
                (constant, String::new())
            ])
        )
    };
    let constant = h * h + k * k - r * r;
    let equal = vec![
        expanded(h, k, constant),
        format!("{} + {} = {}", shifted("y", k), shifted("x", h), r * r),
        format!("{} = {} + {}", r * r, shifted("x", h), shifted("y", k)),
        tight(&gold),
        format!("{} + {} = {r}^2", shifted("x", h), shifted("y", k)),
        format!("{} + {} - {} = 0", shifted("x", h), shifted("y", k), r * r),
    ];
    let different = vec![
        expanded(-h, k, constant),
        expanded(h, k, constant + 1),
        format!("{} + {} = {}", shifted("x", -h), shifted("y", k), r * r),
        format!("{} + {} = {}", shifted("x", h), shifted("y", -k), r * r),
        format!("{} + {} = {}", shifted("x", h), shifted("y", k), r * r + 1),
        format!("{} - {} = {}", shifted("x", h), shifted("y", k), r * r),
        format!("{} = {}", shifted("x", h), r * r),
    ];
    let gold = if dice.chance(2) { gold } else { expanded(h, k, constant) };
    Group::new(gold, equal, different)
}

fn planes(dice: &mut Dice) -> Group {
    let factors: Vec<i64> = (0..3).map(|_| dice.nonzero(9)).collect();
    let constant = dice.nonzero(30);
    let names = ["x", "y", "z"];
    let write = |factors: &[i64], constant: i64| {
        let mut terms: Vec<_> = factors.iter().copied().zip(names.iter().map(|&name| name.to_owned())).collect();
        terms.push((constant, String::new()));
        format!("{} = 0", sum(&terms))
    };
    let scaled = |k: i64| factors.iter().map(|factor| factor * k).collect::<Vec<_>>();
    let k = dice.int(2, 5);
    let gold = write(&factors, constant);
    let at = dice.below(3);
    let flipped: Vec<i64> = factors.iter().enumerate().map(|(i, &factor)| if i == at { -factor } else { factor }).collect();
    let equal = vec![
        write(&scaled(k), constant * k),
        write(&scaled(-1), -constant),
        tight(&gold),
        equation(&factors, &names, -constant),
        equation(&[factors[2], factors[0], factors[1]], &["z", "x", "y"], -constant),
    ];
    let different = vec![
        write(&flipped, constant),
        write(&factors, -constant),
        write(&factors, constant + 40),
        write(&scaled(k), constant),
        write(&factors[..2], constant),
    ];
    Group::new(gold, equal, different)
}

/// `x = 5` says 5.
fn solved(dice: &mut Dice) -> Group {
    let value = Fraction::any(dice, 30);
    let x = dice.pick(&["x", "y", "k", "n", "\\theta", "a_1", "m"]);
    let number = value.latex();
    let mut near = vec![value.plus(Fraction::new(1, 1)), value.negative(), Fraction::new(value.above * 10 + 3, value.below)];
    near.retain(|other| *other != value);
    let bare = dice.chance(2);
    let equal = vec![format!("{x} = {number}"), format!("{x}={number}"), format!("{x} = {}", value.plain()), number.clone()];
    let different =
        near.iter().flat_map(|other| [format!("{x} = {}", other.latex()), other.latex()]).chain([format!("{x} \\neq {number}")]).collect();
    Group::new(if bare { number } else { format!("{x} = {number}") }, equal, different)
}

fn named(dice: &mut Dice) -> Group {
    let polynomial = random_polynomial(dice);
    let f = dice.pick(&["f(x)", "g(x)", "P(x)", "h(x)"]);
    let body = written(&polynomial, "x");
    let different = near_polynomials(&polynomial, dice).iter().map(|other| format!("{f} = {}", written(other, "x"))).collect();
    let shuffled = sum(&dice.shuffled(&terms(&polynomial, "x")));
    Group::new(
        format!("{f} = {body}"),
        vec![format!("{f}={}", tight(&body)), format!("{f} = {shuffled}"), body.clone(), shuffled],
        different,
    )
}

fn systems(dice: &mut Dice) -> Group {
    let values = dice.distinct(2, -20, 20);
    let (a, b) = (values[0], values[1]);
    let equal = vec![
        format!("x={a}, y={b}"),
        format!("x = {a}, \\quad y = {b}"),
        format!("y={b}, x={a}"),
        format!("x = {a} \\text{{ and }} y = {b}"),
        format!("(x, y) = ({a}, {b})"),
        format!("({a}, {b})"),
        format!("(x,y)=\\left({a},{b}\\right)"),
    ];
    let different = vec![
        format!("x={b}, y={a}"),
        format!("({b}, {a})"),
        format!("x={a}, y={}", b + 1),
        format!("x={}, y={b}", -a - 1),
        format!("(x,y) = ({a}, {})", b - 1),
        format!("x={a}"),
    ];
    Group::new(dice.pick(&[format!("x={a}, y={b}"), format!("(x,y) = ({a},{b})")]), equal, different)
}

fn inequalities(dice: &mut Dice) -> Group {
    const SIGNS: [(&str, &str, &str, &str); 4] =
        [("<", "<", ">", "\\le"), ("\\le", "\\leq", "\\ge", "<"), (">", ">", "<", "\\ge"), ("\\ge", "\\geqslant", "\\le", ">")];
    let x = dice.pick(&["x", "y", "a", "k"]);
    if dice.chance(2) {
        let (sign, same, turned, other) = dice.pick(&SIGNS);
        let value = dice.int(-20, 20);
        let k = dice.int(2, 5);
        let gold = format!("{x} {sign} {value}");
        let equal = vec![
            format!("{x} {same} {value}"),
            format!("{value} {turned} {x}"),
            format!("{k}{x} {sign} {}", k * value),
            format!("-{x} {turned} {}", -value),
            format!("{x} - {} {sign} {}", 3, value - 3),
            format!("{x} {} {value}", unicode(sign)),
        ];
        let different = vec![
            format!("{x} {other} {value}"),
            format!("{x} {turned} {value}"),
            format!("{x} {sign} {}", value + 1),
            format!("{k}{x} {sign} {}", k * value + 1),
            format!("-{x} {sign} {}", -value),
            format!("{x} = {value}"),
            format!("{value} {sign} {x}"),
        ];
        return Group::new(gold, equal, different);
    }
    let low = dice.int(-15, 10);
    let high = low + dice.int(2, 15);
    let (left, right) = (dice.pick(&["<", "\\le"]), dice.pick(&["<", "\\le"]));
    let turned = |sign: &str| if sign == "<" { ">" } else { "\\ge" };
    let other = |sign: &str| if sign == "<" { "\\le" } else { "<" };
    let gold = format!("{low} {left} {x} {right} {high}");
    let equal = vec![
        gold.clone(),
        format!("{high} {} {x} {} {low}", turned(right), turned(left)),
        format!("{x} {} {low} \\text{{ and }} {x} {right} {high}", turned(left)),
        format!("{} {left} 2{x} {right} {}", 2 * low, 2 * high),
        format!("{low}{}{x}{}{high}", unicode(left), unicode(right)),
    ];
    let different = vec![
        format!("{low} {} {x} {right} {high}", other(left)),
        format!("{low} {left} {x} {} {high}", other(right)),
        format!("{} {left} {x} {right} {high}", low + 1),
        format!("{low} {left} {x} {right} {}", high + 1),
        format!("{low} {left} {x}"),
        format!("{x} {right} {high}"),
    ];
    Group::new(gold, equal, different)
}

fn unicode(sign: &str) -> &str {
    match sign {
        "\\le" => "≤",
        "\\ge" => "≥",
        sign => sign,
    }
}

fn congruences(dice: &mut Dice) -> Group {
    let modulus = dice.int(3, 17);
    let rest = dice.int(1, modulus - 1);
    let write = |rest: i64, modulus: i64| format!("x \\equiv {rest} \\pmod{{{modulus}}}");
    let mut equal =
        vec![write(rest, modulus), write(rest + modulus, modulus), write(rest - modulus, modulus), write(rest, modulus).replace(' ', "  ")];
    equal.push(format!("x \\equiv {rest} \\; (\\text{{mod }} {modulus})"));
    if modulus < 10 {
        equal.push(format!("x \\equiv {rest} \\pmod {modulus}"));
    }
    let different = vec![write(rest + 1, modulus), write(rest, modulus + 1), write(rest, 2 * modulus), format!("x = {rest}"), write(0, 2)];
    Group::new(write(rest, modulus), equal, different)
}
