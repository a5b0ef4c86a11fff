//! Laws that hold for all answers, tried on random ones.

use proptest::prelude::*;

use super::*;

/// A small expression that can be written in several ways.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(String),
    Sum(Box<Tree>, Box<Tree>),
    Difference(Box<Tree>, Box<Tree>),
    Product(Box<Tree>, Box<Tree>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        (1..20_i32).prop_map(|n| n.to_string()),
        Just("x".to_owned()),
        Just("y".to_owned()),
        Just(r"\pi".to_owned()),
        (2..8_i32).prop_map(|n| format!(r"\sqrt{{{n}}}")),
        (1..9_i32, 2..9_i32).prop_map(|(top, bottom)| format!(r"\frac{{{top}}}{{{bottom}}}")),
    ];
    leaf.prop_map(Tree::Leaf).prop_recursive(4, 24, 2, |inner| {
        let pair = (inner.clone(), inner);
        prop_oneof![
            pair.clone().prop_map(|(a, b)| Tree::Sum(a.into(), b.into())),
            pair.clone().prop_map(|(a, b)| Tree::Difference(a.into(), b.into())),
            pair.prop_map(|(a, b)| Tree::Product(a.into(), b.into())),
        ]
    })
}

fn written(tree: &Tree) -> String {
    match tree {
        Tree::Leaf(text) => text.clone(),
        Tree::Sum(a, b) => format!("({}+{})", written(a), written(b)),
        Tree::Difference(a, b) => format!("({}-{})", written(a), written(b)),
        Tree::Product(a, b) => format!(r"({} \cdot {})", written(a), written(b)),
    }
}

/// The same value in other words: parts change places, products are written out, differences become sums.
fn rewritten(tree: &Tree) -> String {
    match tree {
        Tree::Leaf(text) => format!(r"\frac{{3 {text}}}{{3}}").replace("3 1", r"3\cdot 1").replace("3 ", r"3\cdot "),
        Tree::Sum(a, b) => format!("({}+{})", rewritten(b), rewritten(a)),
        Tree::Difference(a, b) => format!("(-({})+{})", rewritten(b), rewritten(a)),
        Tree::Product(a, b) => match a.as_ref() {
            Tree::Sum(c, d) => {
                let b = rewritten(b);
                format!(r"({b}\cdot {}+{}\cdot {b})", rewritten(c), rewritten(d))
            }
            _ => format!(r"({}\cdot {})", rewritten(b), rewritten(a)),
        },
    }
}

proptest! {
    #[test]
    fn rewriting_keeps_a_value_and_adding_changes_it(tree in tree(), step in 1..5_i32) {
        let (plain, other) = (written(&tree), rewritten(&tree));
        let found = compare_answers(&plain, &other);
        prop_assert_eq!(found.verdict, Verdict::Equal, "{} {}: {}", plain, other, found.reason);
        let found = compare_answers(&plain, &format!(r"{other}+\frac{{1}}{{{step}}}"));
        prop_assert_eq!(found.verdict, Verdict::Different, "{}: {}", plain, found.reason);
    }

    #[test]
    fn the_numeric_path_agrees_with_the_exact_one(left in tree(), right in tree()) {
        let (plain, other) = (written(&left), rewritten(&left));
        for (gold, text) in [(&plain, other), (&plain, written(&right))] {
            let audit = audit(gold, &format!("\\boxed{{{text}}}"), &Options::default());
            prop_assert!(audit.numeric.is_some(), "{} {}", gold, text);
            prop_assert!(!audit.disagrees(), "{} {}: {:?}", gold, text, audit);
        }
    }

    #[test]
    fn fractions_with_roots_are_rationalised(a in 1..30_i32, b in 1..30_i32, n in 2..60_i32) {
        let norm = a * a - b * b * n;
        prop_assume!(norm != 0);
        let gold = format!(r"\frac{{1}}{{{a}+{b}\sqrt{{{n}}}}}");
        let equal = format!(r"\frac{{{a}-{b}\sqrt{{{n}}}}}{{{norm}}}");
        let different = format!(r"\frac{{{a}-{b}\sqrt{{{n}}}}}{{{}}}", norm + 1);
        prop_assert_eq!(compare_answers(&gold, &equal).verdict, Verdict::Equal);
        if norm != -1 {
            prop_assert_eq!(compare_answers(&gold, &different).verdict, Verdict::Different);
        }
    }

    #[test]
    fn equations_may_be_scaled_and_turned(a in 1..9_i32, b in 1..9_i32, c in -9..9_i32, k in 2..7_i32) {
        let gold = format!("{a}x+{b}y={c}");
        let scaled = format!("{} = -{}x - {}y", -k * c, k * a, k * b);
        let solved = format!(r"y = \frac{{{c} - {a}x}}{{{b}}}");
        let other = format!("{a}x+{b}y={}", c + 1);
        prop_assert_eq!(compare_answers(&gold, &scaled).verdict, Verdict::Equal, "{} {}", gold, scaled);
        prop_assert_eq!(compare_answers(&gold, &solved).verdict, Verdict::Equal, "{} {}", gold, solved);
        prop_assert_eq!(compare_answers(&gold, &other).verdict, Verdict::Different);
    }

    #[test]
    fn sets_have_no_order_and_tuples_have(mut parts in prop::collection::vec(-50..50_i32, 2..6)) {
        let text = |parts: &[i32]| parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (set, tuple) = (format!(r"\{{{}\}}", text(&parts)), format!("({})", text(&parts)));
        let turned = parts.iter().rev().copied().collect::<Vec<_>>() != parts;
        parts.reverse();
        prop_assert_eq!(compare_answers(&set, &format!(r"\{{{}\}}", text(&parts))).verdict, Verdict::Equal);
        let reversed = compare_answers(&tuple, &format!("({})", text(&parts)));
        prop_assert_eq!(reversed.verdict == Verdict::Equal, !turned, "{} {}", tuple, reversed.reason);
    }

    #[test]
    fn same_answer_is_symmetric_and_reflexive(a in "[-0-9,./ $%a-cx=<{}()\\[\\]\\\\^_]{0,12}", b in "[-0-9,./ $%a-cx=<{}()\\[\\]\\\\^_]{0,12}") {
        prop_assert_eq!(same_answer(&a, &b), same_answer(&b, &a));
        prop_assert_eq!(same_answer(&a, &a), parse_gold(&a).is_ok(), "{}", a);
    }

    #[test]
    fn trees_are_symmetric_too(a in tree(), b in tree()) {
        prop_assert_eq!(same_answer(&written(&a), &written(&b)), same_answer(&written(&b), &written(&a)));
        prop_assert!(same_answer(&written(&a), &rewritten(&a)));
    }
}
