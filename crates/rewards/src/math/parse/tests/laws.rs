use std::time::Instant;

use dashu_int::UBig;
use dashu_ratio::RBig;
use proptest::prelude::*;

use super::super::*;
use crate::math::answer::{Answer, Constant, Expr, Function, Number, Operator};

fn number(value: u64, decimals: u32) -> Expr {
    let value = RBig::from_parts(value.into(), UBig::from(10_u8).pow(decimals as usize));
    Expr::Number(Number { value, decimals: (decimals > 0).then_some(decimals) })
}

/// A leaf: 10 is left out because a decimal times a power of ten is one number.
fn leaf() -> impl Strategy<Value = Expr> {
    let symbols = ["x", "y", "z", "t", "n", "alpha", "theta", "x_1", "a_n", "AB", "x'"];
    prop_oneof![
        (11..2000_u64).prop_map(|value| number(value, 0)),
        (0..5000_u64, 1..4_u32).prop_map(|(value, decimals)| number(value, decimals)),
        proptest::sample::select(symbols.to_vec()).prop_map(|name| Expr::Symbol(name.to_owned())),
        proptest::sample::select(&[Constant::Pi, Constant::E, Constant::I, Constant::Infinity][..]).prop_map(Expr::Constant),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    let single = [
        Function::Abs,
        Function::Floor,
        Function::Ceiling,
        Function::Factorial,
        Function::DoubleFactorial,
        Function::Exp,
        Function::Ln,
        Function::Log,
        Function::Sin,
        Function::Arctan,
        Function::Tanh,
        Function::Conjugate,
        Function::Re,
        Function::Other("f".to_owned()),
    ];
    let double = [Function::Binomial, Function::LogBase, Function::Gcd, Function::Max, Function::Mod, Function::Other("g".to_owned())];
    leaf().prop_recursive(4, 24, 3, move |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expr::Sum),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expr::Product),
            (boxed(), boxed()).prop_map(|(a, b)| Expr::Quotient(a, b)),
            (boxed(), boxed()).prop_map(|(a, b)| Expr::Power(a, b)),
            (boxed(), boxed()).prop_map(|(degree, radicand)| Expr::Root { degree, radicand }),
            boxed().prop_map(Expr::Negative),
            boxed().prop_map(Expr::PlusMinus),
            boxed().prop_map(Expr::MinusPlus),
            (proptest::sample::select(single.to_vec()), inner.clone()).prop_map(|(function, a)| Expr::Apply(function, vec![a])),
            (proptest::sample::select(double.to_vec()), inner.clone(), inner.clone()).prop_map(|(f, a, b)| Expr::Apply(f, vec![a, b])),
            (any::<bool>(), boxed(), boxed(), boxed()).prop_map(|(product, low, high, body)| Expr::Series {
                product,
                index: "k".to_owned(),
                low,
                high,
                body
            }),
        ]
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    let parts = |most: usize| proptest::collection::vec(expr().prop_map(Answer::Expr), 2..most);
    let operators = [Operator::Equal, Operator::NotEqual, Operator::Less, Operator::LessOrEqual, Operator::Greater, Operator::Congruent];
    let words = ["yes", "no solution", "alice", "right-angled triangle", "monday"];
    prop_oneof![
        4 => expr().prop_map(Answer::Expr),
        // Two parts with an infinite end are an interval.
        1 => parts(5).prop_filter("infinite", |parts| !format!("{parts:?}").contains("Infinity")).prop_map(Answer::Tuple),
        1 => parts(5).prop_map(Answer::Set),
        1 => parts(5).prop_map(Answer::List),
        1 => (expr(), expr(), any::<bool>())
            .prop_map(|(low, high, closed)| Answer::Interval { low, high, low_closed: closed, high_closed: !closed }),
        1 => (expr(), expr(), expr(), expr()).prop_map(|(a, b, c, d)| {
            let interval = |low, high, low_closed| Answer::Interval { low, high, low_closed, high_closed: false };
            Answer::Union(vec![interval(a, b, false), interval(c, d, true)])
        }),
        1 => proptest::collection::vec(proptest::collection::vec(expr(), 2), 1..3).prop_map(Answer::Matrix),
        1 => (parts(3), proptest::sample::select(operators.to_vec())).prop_map(|(terms, operator)| {
            let operators = vec![operator; terms.len() - 1];
            Answer::Relation { terms, operators }
        }),
        1 => proptest::char::range('A', 'Z').prop_map(Answer::Choice),
        1 => proptest::sample::select(words.to_vec()).prop_map(|words| Answer::Words(words.to_owned())),
        1 => (1..13_u32, proptest::option::of(1..29_u32), 1000..3000_i32)
            .prop_map(|(month, day, year)| Answer::Date { year: Some(year), month, day }),
        1 => (0..24_u32, 0..60_u32, 0..60_u32).prop_map(|(hour, minute, second)| Answer::Time { hour, minute, second, half: true }),
        1 => (any::<u64>(), 2..37_u32, any::<bool>())
            .prop_map(|(value, base, negative)| Answer::Based { value: UBig::from(value), base, negative }),
    ]
}

/// Pieces that mean something to the parser.
const PIECES: [&str; 96] = [
    "1",
    "23",
    "0.5",
    "1,234",
    "x",
    "y",
    "ab",
    "A",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\\{",
    "\\}",
    "|",
    "\\left(",
    "\\right)",
    "\\bigl[",
    "+",
    "-",
    "*",
    "/",
    "^",
    "_",
    "!",
    "=",
    "<",
    "\\le",
    "\\ne",
    "≥",
    ",",
    ";",
    ":",
    ".",
    "...",
    "'",
    "\"",
    "%",
    "$",
    "\\$",
    "°",
    "^\\circ",
    "\\frac",
    "\\frac{1}{2}",
    "\\sqrt",
    "\\sqrt[3]",
    "√",
    "∛",
    "\\pi",
    "\\infty",
    "e",
    "i",
    "\\sin",
    "\\log_2",
    "ln",
    "\\sum_{i=1}^{n}",
    "\\prod",
    "\\binom{n}{k}",
    "\\choose",
    "\\lfloor",
    "⌉",
    "\\text{",
    "cm",
    "km/h",
    "hours",
    "million",
    "and",
    "or",
    "\\cup",
    "\\setminus",
    "\\mathbb{R}",
    "\\emptyset",
    "\\pm",
    "\\mp",
    "\\overline{3}",
    "\\begin{pmatrix}",
    "\\end{pmatrix}",
    "\\begin{cases}",
    "&",
    "\\\\",
    "\\\\[2pt]",
    "三",
    "百分之",
    "分之",
    "厘米",
    "和",
    "点",
    "（",
    "²",
    "₂",
    "½",
    "mod",
    "base",
    " ",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn what_is_written_is_read_again(answer in answer()) {
        let text = answer.to_string();
        let readings = read(&text);
        prop_assert!(readings.as_ref().is_ok_and(|readings| readings.contains(&answer)), "{text}\n{answer:?}\n{readings:?}");
    }

    #[test]
    fn a_formula_with_something_behind_it_is_no_formula(expr in expr(), behind in proptest::sample::select(&[" )", " ]", " @", "\\foo", " \\}", " 5 5", " ="][..])) {
        let text = format!("({expr}){behind}");
        prop_assert!(read(&text).is_err(), "{text}: {:?}", read(&text));
    }

    #[test]
    fn soup_of_mathematics_is_read_or_refused(picks in proptest::collection::vec((0..PIECES.len(), any::<bool>()), 0..30)) {
        let text: String = picks.iter().map(|&(at, spaced)| format!("{}{}", PIECES[at], if spaced { " " } else { "" })).collect();
        // What is read can be shown and is read again.
        for answer in read(&text).unwrap_or_default() {
            let _ = answer.to_string();
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), bytes in proptest::collection::vec(32..127_u8, 0..60)) {
        let _ = read(&text);
        let _ = read(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn hostile_texts_end_within_their_budget() {
    let mut texts: Vec<String> = PIECES.iter().flat_map(|piece| [60_000, 1_000_000].map(|len| piece.repeat(len / piece.len()))).collect();
    for piece in [
        "2^",
        "\\frac{",
        "1/",
        "((1,",
        "x ",
        "**",
        "- ",
        "1+",
        "1:",
        "5 m ",
        "f(",
        "\\left(",
        "{1,2}",
        "twenty ",
        "\\color{",
        "a_{1,",
        "1\\,000",
        "\\begin{aligned}&",
    ] {
        texts.extend([60_000, 1_000_000].map(|len| piece.repeat(len / piece.len())));
    }
    for digits in [10_000, 100_000, 1_000_000] {
        let sevens = "7".repeat(digits);
        texts.extend([
            sevens.clone(),
            format!("0.{sevens}"),
            format!("{sevens}_8"),
            format!("0.({sevens})"),
            format!("1e{sevens}"),
            format!("{sevens}!"),
        ]);
    }
    for text in &texts {
        let seconds = (0..2).map(|_| {
            let start = Instant::now();
            let _ = read(text);
            start.elapsed().as_secs_f64()
        });
        let best = seconds.fold(f64::INFINITY, f64::min);
        // Far above the budget, so that a busy machine passes, and far below what quadratic work would take.
        assert!(best < 2.0, "{:?} {} bytes: {best} s", &text[..text.floor_char_boundary(12)], text.len());
    }
}

/// Trees stay shallow, so that walking them recursively is safe on a small stack.
#[test]
fn nesting_is_limited() {
    for (text, fits) in [
        (format!("{}x{}", "(".repeat(20), ")".repeat(20)), true),
        (format!("{}x{}", "(".repeat(5000), ")".repeat(5000)), false),
        (format!("{}x", "-".repeat(5000)), false),
        (format!("x{}", "!".repeat(5000)), false),
        (format!("x{}", "/y".repeat(5000)), false),
        (format!("x{}", "^y".repeat(5000)), false),
        (format!("{}x", "\\sqrt".repeat(5000)), false),
        (format!("x{}", "+y".repeat(5000)), true),
    ] {
        assert_eq!(read(&text).is_ok(), fits, "{}", &text[..30]);
    }
}
