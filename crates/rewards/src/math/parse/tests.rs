use super::*;
use crate::math::answer::{Answer, Expr};

mod laws;

/// Each reading as its kind and its text.
fn shown(text: &str) -> Vec<String> {
    match read(text) {
        Ok(readings) => readings.iter().map(|answer| format!("{} {answer}", kind(answer))).collect(),
        Err(error) => vec![format!("error {error}")],
    }
}

fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Expr(_) => "expr",
        Answer::Quantity { .. } => "quantity",
        Answer::Tuple(_) => "tuple",
        Answer::List(_) => "list",
        Answer::Set(_) => "set",
        Answer::Interval { .. } => "interval",
        Answer::Union(_) => "union",
        Answer::Difference(..) => "difference",
        Answer::Matrix(_) => "matrix",
        Answer::Relation { .. } => "relation",
        Answer::Choice(_) => "choice",
        Answer::Labelled { .. } => "labelled",
        Answer::Words(_) => "words",
        Answer::Date { .. } => "date",
        Answer::Time { .. } => "time",
        Answer::Based { .. } => "based",
    }
}

/// Checks readings, likeliest first.
fn check(table: &[(&str, &[&str])]) {
    for (text, readings) in table {
        assert_eq!(shown(text), *readings, "{text}");
    }
}

/// Checks the likeliest reading, an expression.
fn check_expr(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(shown(text).first().map(String::as_str), Some(format!("expr {expected}").as_str()), "{text}");
    }
}

#[test]
fn numbers_are_exact_in_every_spelling() {
    check_expr(&[
        ("12", "12"),
        ("12.", "12"),
        ("+5", "5"),
        ("-.5", "-0.5"),
        ("3.140", "3.140"),
        ("1,000", "1000"),
        ("1,234,567", "1234567"),
        ("1\\,000", "1000"),
        ("1{,}234.50", "1234.50"),
        ("10,\\!000", "10000"),
        ("-5,\\! 547", "-5547"),
        ("1\\ 000", "1000"),
        ("1 000 000", "1000000"),
        ("62 {, }405", "62405"),
        ("62 { , } 405", "62405"),
        ("62 , 405", "62405"),
        ("7 , 062 , 405", "7062405"),
        ("3{,}14", "3.14"),
        ("1.5e3", "1500"),
        ("1E5", "100000"),
        ("1e-3", "0.001"),
        ("1.5 \\times 10^5", "150000"),
        ("1.5×10⁻³", "0.0015"),
        ("1.5x10^3", "1500"),
        ("3.0 \\cdot 10^{-4}", "0.00030"),
        ("1e999999", "1*10^999999"),
        ("0.\\overline{3}", "1/3"),
        ("0.1\\overline{6}", "1/6"),
        ("1.\\bar{3}", "4/3"),
        ("0.(3)", "1/3"),
        ("0.333...", "1/3"),
        ("0.1666\\ldots", "1/6"),
        ("0.\\dot{1}4285\\dot{7}", "1/7"),
        ("−7", "-7"),
        ("３．５", "3.5"),
        ("twelve", "12"),
        ("twenty-one", "21"),
        ("one hundred and five", "105"),
        ("21st", "21"),
        ("5^{\\text{th}}", "5"),
        ("1 million", "1000000"),
        ("1.5 billion", "1500000000"),
        ("3 dozen", "36"),
        ("5 hundred", "500"),
        ("三", "3"),
        ("十二", "12"),
        ("一百二十三", "123"),
        ("一万零五", "10005"),
        ("二〇二四", "2024"),
        ("三点一四", "3.14"),
        ("3万", "30000"),
        ("负三", "-3"),
    ]);
}

#[test]
fn fractions_and_mixed_numbers() {
    check_expr(&[
        ("3/4", "3/4"),
        ("\\frac{3}{4}", "3/4"),
        ("\\frac34", "3/4"),
        ("\\frac 74", "7/4"),
        ("\\frac{1}2", "1/2"),
        ("\\frac1{12}", "1/12"),
        ("\\frac ab", "a/b"),
        ("\\frac\\pi2", "π/2"),
        ("\\tfrac12", "1/2"),
        ("\\dfrac{a+b}{c}", "(a + b)/c"),
        ("-\\frac{1}{2}", "-1/2"),
        ("\\frac{-1}{2}", "(-1)/2"),
        ("{1 \\over 2}", "1/2"),
        ("½", "1/2"),
        ("10 1/2", "10 + 1/2"),
        ("-2 1/2", "-(2 + 1/2)"),
        ("2\\frac{3}{4}", "2 + 3/4"),
        ("2\\frac34", "2 + 3/4"),
        ("2½", "2 + 1/2"),
        ("2\\frac{x}{3}", "2*(x/3)"),
        ("2\\frac{5}{3}", "2*(5/3)"),
        ("\\frac{3}{4} x", "(3/4)*x"),
        ("二分之一", "1/2"),
        ("三又二分之一", "3 + 1/2"),
    ]);
    check(&[("1/2x", &["expr (1/2)*x", "expr 1/(2*x)"]), ("1/(2x)", &["expr 1/(2*x)"]), ("3 and 1/2", &["list 3, 1/2", "expr 3 + 1/2"])]);
}

#[test]
fn operators_bind_as_in_mathematics() {
    check_expr(&[
        ("2x - 3y + 1", "2*x - 3*y + 1"),
        ("-x^2", "-x^2"),
        ("2^3^2", "2^(3^2)"),
        ("x^10", "x^10"),
        ("x^{-1}", "x^(-1)"),
        ("x^-1", "x^(-1)"),
        ("x²y³", "x^2*y^3"),
        ("10⁻³", "10^(-3)"),
        ("2**3", "2^3"),
        ("a/b/c", "(a/b)/c"),
        ("a \\div b", "a/b"),
        ("2(3)", "2*3"),
        ("x(x+1)", "x*(x + 1)"),
        ("(x+1)(x+2)", "(x + 1)*(x + 2)"),
        ("4 x 5", "4*5"),
        ("2^{3}5^{2}", "2^3*5^2"),
        ("\\frac{17!}{5!12!}", "17!/(5!*12!)"),
        ("3 + 4 i", "3 + 4*i"),
        ("3-\\,4i", "3 - 4*i"),
        ("3 \\pm \\sqrt{5}", "3 ± sqrt(5)"),
        ("\\pm 2", "±2"),
        ("1 +/- 2", "1 ± 2"),
        ("x_1 + x_{12}", "x_{1} + x_{12}"),
        ("\\alpha\\beta", "\\alpha*\\beta"),
        ("θ/2", "\\theta/2"),
        ("xyz", "x*y*z"),
        ("z'", "z'"),
        ("17 \\bmod 5", "17 mod 5"),
        ("12 minus 4", "12 - 4"),
        ("e^{i\\pi}", "e^(i*π)"),
        ("-\\infty", "-∞"),
        ("10^10^10", "10^(10^10)"),
        ("\\frac{1}{7}\\triangle ABC", "(1/7)*△ABC"),
    ]);
}

#[test]
fn roots_functions_and_bounds() {
    check_expr(&[
        ("\\sqrt2", "sqrt(2)"),
        ("\\sqrt12", "sqrt(12)"),
        ("√(x+1)", "sqrt(x + 1)"),
        ("-2 sqrt(38)", "-2*sqrt(38)"),
        ("sqrt3/2", "sqrt(3)/2"),
        ("∛2", "root(3, 2)"),
        ("\\sqrt[3]{2}", "root(3, 2)"),
        ("5!", "5!"),
        ("n!!", "n!!"),
        ("(n+1)!", "(n + 1)!"),
        ("\\binom{n}{k}", "binom(n, k)"),
        ("\\dbinom n k", "binom(n, k)"),
        ("{n \\choose k}", "binom(n, k)"),
        ("5 \\choose 2", "binom(5, 2)"),
        ("_5C_2", "binom(5, 2)"),
        ("C(5,2)", "binom(5, 2)"),
        ("|x-3|", "abs(x - 3)"),
        ("||x|-1|", "abs(abs(x) - 1)"),
        ("2|x|", "2*abs(x)"),
        ("\\left|\\frac{-3}{2}\\right|", "abs((-3)/2)"),
        ("\\left\\lfloor x \\right\\rfloor", "⌊x⌋"),
        ("\\lceil 3.2 \\rceil", "⌈3.2⌉"),
        ("\\log_2 8", "log_{2}(8)"),
        ("\\log_{10} 100", "log_{10}(100)"),
        ("log_2(8)", "log_{2}(8)"),
        ("log2(8)", "log_{2}(8)"),
        ("\\lg 5", "log_{10}(5)"),
        ("\\ln 2x", "ln(2*x)"),
        ("sin^2 x", "sin(x)^2"),
        ("\\sin^{-1} x", "arcsin(x)"),
        ("\\sin x \\cos x", "sin(x)*cos(x)"),
        ("\\sin(x)^2", "sin(x)^2"),
        ("sinx", "sin(x)"),
        ("\\sin 30^\\circ", "sin(30*(π/180))"),
        ("\\cos(60°)", "cos(60*(π/180))"),
        ("\\tanh^{-1}(x)", "artanh(x)"),
        ("\\operatorname{arctan}(2)", "arctan(2)"),
        ("\\gcd(12,18)", "gcd(12, 18)"),
        ("\\max\\{1,2\\}", "max(1, 2)"),
        ("\\overline{z}", "conj(z)"),
        ("f(x)", "f(x)"),
        ("f'(x)", "f'(x)"),
        ("f^{-1}(x)", "f^{-1}(x)"),
        ("\\sum_{i=1}^{n} i^2", "∑_{i=1}^{n} i^2"),
        ("\\sum\\limits_{k=0}^\\infty \\frac{1}{2^k}", "∑_{k=0}^{∞} (1/2^k)"),
        ("\\prod_{j=1}^5 j", "∏_{j=1}^{5} j"),
    ]);
    // The running variable is no imaginary unit.
    let Ok(readings) = read("\\sum_{i=1}^{3} i") else { panic!("a sum") };
    assert!(matches!(&readings[0], Answer::Expr(Expr::Series { body, .. }) if **body == Expr::Symbol("i".to_owned())));
}

#[test]
fn layout_means_nothing() {
    check_expr(&[
        ("\\displaystyle \\frac{1}{2}", "1/2"),
        ("\\boxed{5}", "5"),
        ("**5**", "5"),
        ("`5`", "5"),
        ("$\\frac{1}{2}$", "1/2"),
        ("\\(x\\)", "x"),
        ("\\[ x^2 \\]", "x^2"),
        ("\\ 37\\", "37"),
        ("\\mathbf{x} + \\phantom{y^2} 1", "x + 1"),
        ("\\left( x \\right)", "x"),
        ("\\!\\sqrt{21}~", "sqrt(21)"),
        ("\\textcolor{red}{5}", "5"),
        ("\\\\frac{1}{2}", "1/2"),
        ("= 5", "5"),
        ("about 5", "5"),
        ("５，", "5"),
        ("((((1))))", "1"),
        ("\"5\".", "5"),
    ]);
}

#[test]
fn units_are_read_and_reduced() {
    for (text, expected) in [
        ("5 cm", "quantity 5 cm"),
        ("5cm", "quantity 5 cm"),
        ("15\\mbox{ cm}^2", "quantity 15 cm^2"),
        ("12 m", "quantity 12 m"),
        ("5 \\mathrm{km/h}", "quantity 5 km/h"),
        ("60 miles per hour", "quantity 60 miles/hour"),
        ("9.8 \\text{ m/s}^2", "quantity 9.8 m/s^2"),
        ("25 sq ft", "quantity 25 ft^2"),
        ("5 cubic feet", "quantity 5 feet^3"),
        ("5'10\"", "quantity 35/6 '"),
        ("5 feet 10 inches", "quantity 35/6 feet"),
        ("2 hours and 30 minutes", "quantity 5/2 hours"),
        ("2h30m", "quantity 5/2 h"),
        ("5 {\\rm cm}", "quantity 5 cm"),
        ("25¢", "quantity 25 ¢"),
        ("\\$1{,}234.50", "quantity $1234.50"),
        ("$5", "quantity $5"),
        ("-\\$5", "quantity $-5"),
        ("US$5 million", "quantity $5000000"),
        ("5 dollars", "quantity 5 dollars"),
        ("€3", "quantity €3"),
        ("50\\%", "quantity 50%"),
        ("23 per cent", "quantity 23%"),
        ("百分之五十", "quantity 50%"),
        ("45^{\\circ}", "quantity 45°"),
        ("45 degrees", "quantity 45 degrees"),
        ("30^{\\circ} 15'", "quantity 121/4°"),
        ("35^\\circ 18^\\prime", "quantity 353/10°"),
        ("180^\\circ - 2x", "quantity (180 - 2*x)°"),
        ("20°C", "quantity 20 °C"),
        ("\\frac{\\pi}{3} \\text{ radians}", "quantity π/3 rad"),
        ("18 eggs", "quantity 18 eggs"),
        ("3 red balls", "quantity 3 red balls"),
        ("5厘米", "quantity 5 厘米"),
        ("5个苹果", "quantity 5 个苹果"),
        ("25平方米", "quantity 25 平方米"),
        ("60千米/小时", "quantity 60 千米/小时"),
        ("twelve hours", "quantity 12 hours"),
        ("twelve eggs", "words twelve eggs"),
    ] {
        assert_eq!(shown(text).first().map(String::as_str), Some(expected), "{text}");
    }
    let unit = |text: &str| match read(text).as_deref() {
        Ok([Answer::Quantity { unit, .. }, ..]) => unit.clone(),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(unit("1 km/h").factor, unit("1000 m/h").factor * dashu_ratio::RBig::from(1000));
    assert_eq!(unit("1 km/h").dimension, unit("1 mph").dimension);
    assert_eq!(unit("1 m^3").dimension, unit("1 litre").dimension);
    assert_ne!(unit("1 \\$").dimension, unit("1 €").dimension);
    assert_eq!(unit("3 apples").dimension, None);
    // Letters behind variables or without a space are variables.
    check(&[("2s", &["expr 2*s"]), ("\\pi r^2 h", &["expr π*r^2*h"]), ("3/m", &["expr 3/m"]), ("14k", &["expr 14*k"])]);
}

#[test]
fn brackets_make_tuples_sets_and_intervals() {
    check(&[
        ("(1,2)", &["tuple (1, 2)", "interval (1, 2)"]),
        ("(2,1)", &["tuple (2, 1)"]),
        ("[1,2]", &["interval [1, 2]", "tuple (1, 2)"]),
        ("[0,1)", &["interval [0, 1)"]),
        ("]0;1]", &["interval (0, 1]"]),
        ("(-\\infty, 3)", &["interval (-∞, 3)"]),
        ("(1, 2, 3)", &["tuple (1, 2, 3)"]),
        ("[1,2,3]", &["tuple (1, 2, 3)"]),
        ("\\langle 1,2\\rangle", &["tuple (1, 2)"]),
        ("{(1,2)}", &["tuple (1, 2)", "interval (1, 2)"]),
        ("\\bigl(1,\\tfrac12\\bigr)", &["tuple (1, 1/2)"]),
        ("(0^\\circ, 90^\\circ)", &["tuple (0°, 90°)"]),
        ("(1,234)", &["tuple (1, 234)", "interval (1, 234)"]),
        ("1,234", &["expr 1234", "list 1, 234"]),
        ("12,34,567", &["list 12, 34, 567"]),
        ("\\{1,000, 2,000\\}", &["set \\{1000, 2000\\}"]),
        ("\\{1,2,3\\}", &["set \\{1, 2, 3\\}"]),
        ("{1,2}", &["set \\{1, 2\\}", "list 1, 2"]),
        ("{5,}", &["expr 5"]),
        ("\\emptyset", &["set ∅"]),
        ("\\{\\}", &["set ∅"]),
        ("\\{x \\mid x > 3\\}", &["relation x > 3"]),
        ("\\{x \\in \\mathbb{R} : x \\neq 3\\}", &["relation x ≠ 3"]),
        ("(-\\infty, 3) \\cup [5, \\infty)", &["union (-∞, 3) ∪ [5, ∞)"]),
        ("(1,2) U (3,4)", &["union (1, 2) ∪ (3, 4)"]),
        ("[1,2]\\cup\\{5\\}", &["union [1, 2] ∪ \\{5\\}"]),
        ("\\mathbb{R}", &["interval (-∞, ∞)"]),
        ("\\mathbb{R}^+", &["interval (0, ∞)"]),
        ("\\mathbb R \\setminus \\{3\\}", &["difference (-∞, ∞) ∖ \\{3\\}"]),
        ("\\mathbb{R} - \\{0\\}", &["difference (-∞, ∞) ∖ \\{0\\}"]),
        ("all real numbers", &["interval (-∞, ∞)"]),
        ("1, 2, and 3", &["list 1, 2, 3"]),
        ("6\\text{ or }8", &["list 6, 8"]),
        ("1，2、3", &["list 1, 2, 3"]),
        ("2和3", &["list 2, 3"]),
        ("(3,4),(6,5)", &["list (3, 4), (6, 5)", "list (3, 4), (6, 5)"]),
    ]);
}

#[test]
fn matrices_with_spacing_and_factors() {
    let square = "matrix \\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}";
    check(&[
        ("\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", &[square]),
        ("\\begin{bmatrix} 1&2\\\\[2pt]3&4\\\\\\end{bmatrix}", &[square]),
        ("\\left(\\begin{array}{cc} 1 & 2 \\\\* 3 & 4 \\end{array}\\right)", &[square]),
        ("\\begin{pmatrix} 1 & 3 \\\\ 2 & 4 \\end{pmatrix}^T", &[square]),
        ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", &["matrix \\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"]),
        ("\\frac12 \\begin{pmatrix} a \\\\ 2 \\end{pmatrix}", &["matrix \\begin{pmatrix} (1/2)*a \\\\ (1/2)*2 \\end{pmatrix}"]),
        ("\\begin{cases} x & \\text{if } x > 0 \\\\ 0 & \\text{otherwise} \\end{cases}", &["list (x, x > 0), (0, otherwise)"]),
        ("\\begin{cases} x = 1 \\\\ y = 2 \\end{cases}", &["list x = 1, y = 2"]),
        ("\\begin{aligned} x &= 1, \\\\ y &= 2 \\end{aligned}", &["list x = 1, y = 2"]),
    ]);
}

#[test]
fn relations_and_chains() {
    check(&[
        ("x = 5", &["relation x = 5"]),
        ("2 < x \\le 3", &["relation 2 < x ≤ 3"]),
        ("x >= 3", &["relation x ≥ 3"]),
        ("x \\not= 0", &["relation x ≠ 0"]),
        ("x \\in [1,2)", &["relation x ∈ [1, 2)"]),
        ("x \\in (1,2)", &["relation x ∈ (1, 2)"]),
        ("x = 5 or x = -5", &["list x = 5, x = -5"]),
        ("x=1, y=2", &["list x = 1, y = 2"]),
        ("x = 2, 3", &["list x = 2, x = 3"]),
        ("x<1 \\cup x>3", &["list x < 1, x > 3"]),
        ("AB=9, CD=4", &["list A*B = 9, C*D = 4"]),
        ("\\angle ABC = 45^\\circ", &["relation ∠ABC = 45°"]),
        ("f(x) = x^2+1", &["relation f(x) = x^2 + 1"]),
        ("P(x) = 2x", &["relation P(x) = 2*x"]),
        ("a \\equiv 3 \\pmod 5", &["relation a ≡ 3 mod 5"]),
        ("x ≡ 3 (mod 5)", &["relation x ≡ 3 mod 5"]),
        ("3:4", &["relation 3 : 4"]),
        ("7 to 3", &["relation 7 : 3"]),
        ("x等于5", &["relation x = 5"]),
        ("\\$\\dfrac23 \\approx \\$0.67", &["relation $2/3 ≈ $0.67"]),
    ]);
}

#[test]
fn choices_and_words() {
    check(&[
        ("A", &["choice (A)", "expr A"]),
        ("X", &["expr X", "choice (X)"]),
        ("(B)", &["choice (B)", "expr B"]),
        ("\\text{(C)}", &["choice (C)", "expr C"]),
        ("（A）", &["choice (A)", "expr A"]),
        ("\\textbf{(B)}\\ 12", &["labelled (B) 12"]),
        ("B. 12", &["labelled (B) 12"]),
        ("(C) yes", &["labelled (C) yes"]),
        ("A, C", &["list (A), (C)", "list A, C"]),
        ("Yes.", &["words yes"]),
        ("\\text{Alice}", &["words alice"]),
        ("Alice and Bob", &["list alice, bob"]),
        ("right-angled triangle", &["words right-angled triangle"]),
        ("\\text{no real solutions}", &["words no real solutions"]),
        ("is", &["words is"]),
        ("Ωmega", &["words ωmega"]),
        ("是", &["words 是"]),
        ("星期三", &["words 星期三"]),
    ]);
}

#[test]
fn dates_times_and_bases() {
    check(&[
        ("March 5, 2020", &["date March 5, 2020"]),
        ("Mar. 5th", &["date March 5"]),
        ("5 March 2020", &["date March 5, 2020"]),
        ("December 14 1908", &["date December 14, 1908"]),
        ("2020-03-05", &["date March 5, 2020"]),
        ("3/5/2020", &["date March 5, 2020"]),
        ("2020年3月5日", &["date March 5, 2020"]),
        ("三月五日", &["date March 5"]),
        ("3:45 pm", &["time 3:45 pm"]),
        ("3:45 p.m.", &["time 3:45 pm"]),
        ("12 am", &["time 12:00 am"]),
        ("15:45", &["time 15:45", "relation 15 : 45"]),
        ("12:30:15", &["time 12:30:15", "relation 12 : 30 : 15"]),
        ("下午3:45", &["time 3:45 pm"]),
        ("下午3点45分", &["time 3:45 pm"]),
        ("1011_2", &["based \\text{1011}_{2}"]),
        ("\\text{A5}_{11}", &["based \\text{A5}_{11}"]),
        ("FF_{16}", &["based \\text{FF}_{16}"]),
        ("1a3_{16}", &["based \\text{1A3}_{16}"]),
        ("-(12_7)", &["based -\\text{12}_{7}"]),
        ("(1011)_{\\text{two}}", &["based \\text{1011}_{2}"]),
        ("1011 (base 2)", &["based \\text{1011}_{2}"]),
        ("1011₂", &["based \\text{1011}_{2}"]),
        ("0xFF", &["based \\text{FF}_{16}"]),
        ("0b101", &["based \\text{101}_{2}"]),
        ("x_2", &["expr x_{2}"]),
        ("3a_{12}", &["expr 3*a_{12}"]),
    ]);
}

#[test]
fn what_is_not_read_as_a_whole_is_an_error() {
    for text in [
        "",
        " ",
        "x +",
        "2 + ",
        "sin(",
        "1 2",
        "0.5 7",
        "x = ",
        "(1,2",
        "[1,2",
        "1,2)",
        "\\frac{1}",
        "\\frac{1}{",
        "5 of them",
        "12 (",
        "|x",
        "yes 5 no",
        "2 three",
        "twenty twenty 5",
        "{1",
        "129_8",
        "x ]",
        "3 @ 4",
        "5 cm 3",
        "\\foo",
        "\\int x dx",
        "1, 2, \\ldots",
        "2 and",
        "\\begin{pmatrix} 1 & 2 \\\\ 3 \\end{pmatrix}",
        "\\begin{pmatrix} 1",
        "\\sqrt{}",
        "5 + + ",
        "3 \\cdot",
        "x^",
        "x_",
        "()",
        "a = b =",
        "f(",
        "\\sum_{i=1} i",
        "\\log_2",
        "[1,2,3)",
        "0.101_2",
        "5 more than x",
        "[1, 2",
        "the value 5",
        "三四五百",
        "负",
        "A \\cap B",
        "\\$",
        "%",
        "= ",
    ] {
        assert!(matches!(read(text), Err(ParseError::Unreadable { .. })), "{text}: {:?}", read(text));
    }
}

#[test]
fn errors_say_where_and_what() {
    let shown = |text: &str| read(text).err().map(|error| error.to_string());
    assert_eq!(shown("3 + ]").as_deref(), Some("expected a number, a name or an opening bracket at byte 4, found \"]\""));
    assert_eq!(shown("x = 2 3").as_deref(), Some("expected an operator, a comma or the end at byte 6, found \"3\""));
    assert_eq!(shown("(1, 2").as_deref(), Some("expected a bracket that closes at byte 0, found \"(1, 2\""));
    assert_eq!(shown("2 +").as_deref(), Some("expected a number, a name or an opening bracket at byte 3, found the end"));
}
