//! Texts made to take long.

/// A gold answer and a response, with a name for reports.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) gold: String,
    pub(crate) response: String,
}

/// All of them. Some have more than a megabyte.
pub(crate) fn hostile() -> Vec<Hostile> {
    let mut found = Vec::new();
    for (name, text) in deep().into_iter().chain(large_values()).chain(long()).chain(many_parts()).chain(hard_to_decide()) {
        let boxed = format!("\\boxed{{{text}}}");
        // Against a plain number, and against itself: the second must not be quick by luck alone.
        found.push(Hostile { name, gold: "5".to_owned(), response: boxed.clone() });
        found.push(Hostile { name, gold: text.clone(), response: format!("\\boxed{{{text} + 1}}") });
        found.push(Hostile { name, gold: text, response: boxed });
    }
    found.extend(responses().into_iter().map(|(name, response)| Hostile { name, gold: "5".to_owned(), response }));
    found
}

type Text = (&'static str, String);

fn nested(open: &str, inside: &str, close: &str, depth: usize) -> String {
    format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
}

fn deep() -> Vec<Text> {
    vec![
        ("brackets, 50 deep", nested("(", "1", ")", 50)),
        ("brackets, 100,000 deep", nested("(", "1", ")", 100_000)),
        ("sized brackets, 10,000 deep", nested("\\left(", "1", "\\right)", 10_000)),
        ("braces, 100,000 deep", nested("{", "1", "}", 100_000)),
        ("fractions, 60 deep", nested("\\frac{1}{1+", "1", "}", 60)),
        ("fractions, 10,000 deep", nested("\\frac{1}{1+", "x", "}", 10_000)),
        ("roots, 40 deep", nested("\\sqrt{1+", "2", "}", 40)),
        ("roots, 10,000 deep", nested("\\sqrt{", "2", "}", 10_000)),
        ("powers, 30 deep", nested("2^{", "2", "}", 30)),
        ("powers, 10,000 deep", nested("x^{", "x", "}", 10_000)),
        ("signs, 100,000", nested("-", "1", "", 100_000)),
        ("absolute values, 20,000", "|".repeat(20_001)),
        ("functions, 50 deep", nested("\\sin(", "1", ")", 50)),
        ("sets, 1,000 deep", nested("\\{", "1", "\\}", 1_000)),
        ("factorials in a row", format!("3{}", "!".repeat(10_000))),
        ("powers of sums, 12 deep", nested("(x+", "1", ")^2", 12)),
        ("unclosed fractions", "\\frac{".repeat(50_000)),
        ("unclosed brackets", "(".repeat(200_000)),
    ]
}

fn large_values() -> Vec<Text> {
    [
        ("tower of tens", "10^{10^{10}}"),
        ("tower of nines", "9^{9^{9^{9^{9}}}}"),
        ("negative tower", "2^{-2^{100}}"),
        ("fractional tower", "(1/3)^{10^{9}}"),
        ("million factorial", "1000000!"),
        ("factorial of a power", "(10^{18})!"),
        ("double factorial", "99999999!!"),
        ("factorial of a factorial", "((20!)!)!"),
        ("large binomial", "\\binom{1000000000}{500000000}"),
        ("many binomials", "\\binom{10000}{5000} \\cdot \\binom{20000}{10000} \\cdot \\binom{40000}{20000}"),
        ("sum with huge bounds", "\\sum_{k=1}^{10^{12}} \\frac{1}{k}"),
        ("sum without end", "\\sum_{k=1}^{\\infty} \\frac{1}{k^2 + k + 1}"),
        ("nested sums", "\\sum_{i=1}^{1000}\\sum_{j=1}^{1000}\\sum_{k=1}^{1000} ijk"),
        ("product with huge bounds", "\\prod_{k=1}^{1000000} (x + k)"),
        ("sum of factorials", "\\sum_{k=1}^{5000} k!"),
        ("root of huge degree", "\\sqrt[1000000007]{3}"),
        ("root of a huge number", "\\sqrt{10^{100000}+1}"),
        ("huge exponent of a decimal", "1.0000001^{100000000}"),
        ("scientific notation", "1e999999999"),
        ("small scientific notation", "1e-999999999"),
        ("sine of a tower", "\\sin(10^{10^{5}})"),
        ("logarithm of a tower", "\\ln(10^{10^{10}})"),
        ("logarithm with a base near one", "\\log_{1.0000000000000001} 10^{1000}"),
        ("exponential of an exponential", "e^{e^{e^{e^{e}}}}"),
        ("modulus of a tower", "7^{7^{7^{7}}} \\bmod 1000"),
        ("greatest common divisor", "\\gcd(10^{5000}+1, 10^{4999}-3)"),
        ("floor of a tower", "\\lfloor \\pi \\cdot 10^{100000} \\rfloor"),
        ("tower with a variable", "x^{10^{10}}"),
        ("huge power of a sum", "(x+y+z)^{100000}"),
        ("huge power of a root", "(1+\\sqrt{2})^{100000}"),
        ("huge power of i", "(1+i)^{1000000007}"),
        ("base 36 of length 3", "ZZZ_{36}"),
    ]
    .map(|(name, text)| (name, text.to_owned()))
    .to_vec()
}

fn long() -> Vec<Text> {
    vec![
        ("a megabyte of digits", "7".repeat(1_000_000)),
        ("a megabyte of decimals", format!("0.{}", "3".repeat(1_000_000))),
        ("10,000 digits", "9".repeat(10_000)),
        ("10,000 digits over 10,000 digits", format!("\\frac{{{}}}{{{}}}", "7".repeat(10_000), "9".repeat(9_999))),
        ("10,000 digits in base 7", format!("{}_7", "6".repeat(10_000))),
        ("a repeating decimal of 5,000 digits", format!("0.\\overline{{{}}}", "1234567890".repeat(500))),
        ("groups of thousands", format!("1{}", ",000".repeat(200_000))),
        ("a megabyte of backslashes", "\\".repeat(1_000_000)),
        ("a megabyte of spaces", format!("1{}2", " ".repeat(1_000_000))),
        ("a megabyte of letters", "x".repeat(1_000_000)),
        ("a megabyte of words", "no way ".repeat(150_000)),
        ("a megabyte of Chinese digits", "一百".repeat(150_000)),
        ("a megabyte of carets", "^".repeat(1_000_000)),
        ("a megabyte of commas", ",".repeat(1_000_000)),
        ("a megabyte of dollars", "$".repeat(1_000_000)),
        ("unknown commands", "\\zzzzzzzz".repeat(100_000)),
        ("a command of a megabyte", format!("\\{}", "a".repeat(1_000_000))),
        ("texts of units", "5\\text{ cm}".repeat(50_000)),
    ]
}

fn many_parts() -> Vec<Text> {
    let numbers = |n: usize, between: &str| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(between);
    let row = numbers(300, " & ");
    vec![
        ("a sum of 100,000 terms", numbers(100_000, " + ")),
        ("a product of 20,000 numbers", numbers(20_000, " \\cdot ").replacen('0', "7", 1)),
        ("a polynomial of 5,000 terms", (0..5_000).map(|i| format!("{i}x^{{{i}}}")).collect::<Vec<_>>().join(" + ")),
        ("400 variables", (0..400).map(|i| format!("a_{{{i}}}")).collect::<Vec<_>>().join(" + ")),
        ("a product of 40 sums", (0..40).map(|i| format!("(a_{{{i}}} + b_{{{i}}})")).collect::<String>()),
        ("a set of 50,000", format!("\\{{{}\\}}", numbers(50_000, ", "))),
        ("a set of 400 roots", format!("\\{{{}\\}}", (2..400).map(|i| format!("\\sqrt{{{i}}}")).collect::<Vec<_>>().join(", "))),
        ("a tuple of 50,000", format!("({})", numbers(50_000, ", "))),
        ("a union of 2,000 intervals", (0..2_000).map(|i| format!("[{}, {})", 3 * i, 3 * i + 1)).collect::<Vec<_>>().join(" \\cup ")),
        ("a matrix of 300 by 300", format!("\\begin{{pmatrix}} {} \\end{{pmatrix}}", vec![row; 300].join(" \\\\ "))),
        ("a product of 40 matrices", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}".repeat(40)),
        (
            "a product of matrices of 20 by 20",
            format!("\\begin{{pmatrix}}{}\\end{{pmatrix}}", vec!["7&".repeat(19) + "7"; 20].join("\\\\")).repeat(2),
        ),
        ("a sum of 40 matrices", ["\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"; 40].join("+")),
        ("inequalities of absolute values, 50 deep", nested("abs(", "x", ")", 50) + " < 5"),
        ("inequalities of 200 absolute values", "|x| < 3, ".repeat(200) + "|x| < 4"),
        ("30 plus minus signs", "1 \\pm ".repeat(30) + "1"),
        ("a chain of 20,000", numbers(20_000, " < ")),
        ("60 roots", (2..62).map(|i| format!("\\sqrt{{{i}}}")).collect::<Vec<_>>().join(" + ")),
        (
            "one over 12 roots",
            format!("\\frac{{1}}{{{}}}", [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37].map(|i| format!("\\sqrt{{{i}}}")).join(" + ")),
        ),
        ("a sum of 300 fractions", (1..300).map(|i| format!("\\frac{{1}}{{{}}}", i * i + 1)).collect::<Vec<_>>().join(" + ")),
        ("40 ambiguous tuples", vec!["(1,234)"; 40].join(", ")),
    ]
}

fn hard_to_decide() -> Vec<Text> {
    [
        ("a difference near zero", "\\sqrt{10^{40}+1} - 10^{20}"),
        ("a zero of roots", "\\sqrt{2} + \\sqrt{3} - \\sqrt{5 + 2\\sqrt{6}}"),
        ("a zero of sines", "\\sin^2(10^{30}) + \\cos^2(10^{30}) - 1"),
        ("one over a zero", "\\frac{1}{\\sqrt{2} + \\sqrt{3} - \\sqrt{5 + 2\\sqrt{6}}}"),
        ("nearly an integer", "e^{\\pi\\sqrt{163}}"),
        ("a power of a sum of 30", "(a+b+c+d+e+f+g+h)^{30}"),
        ("a rational function of high degree", "\\frac{(x+1)^{200}(x+2)^{200}}{(x+3)^{200}(y+4)^{200}}"),
        ("nested functions", "\\sin(\\cos(\\tan(\\ln(\\sqrt{x^{x^{x}} + y^{y^{y}}}))))"),
        (
            "a polynomial of many variables",
            "(1+a)(1+b)(1+c)(1+d)(1+f)(1+g)(1+h)(1+j)(1+k)(1+l)(1+m)(1+n)(1+o)(1+p)(1+q)(1+r)(1+s)(1+t)(1+u)(1+v)",
        ),
    ]
    .map(|(name, text)| (name, text.to_owned()))
    .to_vec()
}

/// Responses that make finding the answer long.
fn responses() -> Vec<Text> {
    vec![
        ("100,000 boxes", "\\boxed{7}".repeat(100_000)),
        ("100,000 open boxes", "\\boxed{".repeat(100_000)),
        ("100,000 tags", "<answer>".repeat(100_000)),
        ("100,000 closing tags", "</answer>".repeat(100_000)),
        ("tags in turns", "<answer></answer>".repeat(50_000)),
        ("100,000 think tags", "<think></think>".repeat(60_000)),
        ("100,000 phrases", "the answer is ".repeat(70_000)),
        ("a megabyte of dollars in a response", "$ ".repeat(500_000)),
        ("a megabyte of displays", "\\[ 1 \\] ".repeat(120_000)),
        ("open displays", "\\[".repeat(500_000)),
        ("hashes", "#### ".repeat(200_000)),
        ("a megabyte of lines", "no\n".repeat(300_000)),
        ("a megabyte of braces", "{".repeat(500_000) + &"}".repeat(500_000)),
        ("a megabyte of zeros behind a point", format!("So it is 0.{}.", "0".repeat(1_000_000))),
        ("zero bytes", "\0".repeat(1_000_000)),
        ("a megabyte of emoji", "🙂".repeat(250_000)),
        ("boxes in boxes", nested("\\boxed{", "7", "}", 50_000)),
        ("boxes with frames", "\\fbox{$".repeat(100_000)),
    ]
}
