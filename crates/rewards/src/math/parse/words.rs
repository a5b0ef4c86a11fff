//! What runs of letters mean: functions, constants, operators, number words, prose.

use crate::math::answer::{Constant, Expr, Function, Operator};

/// A function by its name.
pub(super) fn function(name: &str) -> Option<Function> {
    Some(match name {
        "sin" => Function::Sin,
        "cos" => Function::Cos,
        "tan" => Function::Tan,
        "cot" => Function::Cot,
        "sec" => Function::Sec,
        "csc" => Function::Csc,
        "arcsin" | "asin" => Function::Arcsin,
        "arccos" | "acos" => Function::Arccos,
        "arctan" | "atan" => Function::Arctan,
        "arccot" | "acot" => Function::Arccot,
        "sinh" => Function::Sinh,
        "cosh" => Function::Cosh,
        "tanh" => Function::Tanh,
        "coth" => Function::Coth,
        "arsinh" | "arcsinh" | "asinh" => Function::Arsinh,
        "arcosh" | "arccosh" | "acosh" => Function::Arcosh,
        "artanh" | "arctanh" | "atanh" => Function::Artanh,
        "exp" => Function::Exp,
        "ln" => Function::Ln,
        "log" => Function::Log,
        "lg" => Function::LogBase,
        "abs" => Function::Abs,
        "floor" => Function::Floor,
        "ceil" | "ceiling" => Function::Ceiling,
        "factorial" => Function::Factorial,
        "binom" | "binomial" | "choose" => Function::Binomial,
        "gcd" => Function::Gcd,
        "lcm" => Function::Lcm,
        "min" => Function::Min,
        "max" => Function::Max,
        "conj" => Function::Conjugate,
        "Re" => Function::Re,
        "Im" => Function::Im,
        "det" | "arg" | "deg" | "sech" | "csch" => Function::Other(name.to_owned()),
        _ => return None,
    })
}

/// How many arguments a function takes; `None` for any number.
pub(super) fn arity(function: &Function) -> Option<usize> {
    match function {
        Function::Gcd | Function::Lcm | Function::Min | Function::Max | Function::Other(_) => None,
        Function::Binomial => Some(2),
        _ => Some(1),
    }
}

/// What `\sin^{-1}` means.
pub(super) fn inverse(function: &Function) -> Option<Function> {
    Some(match function {
        Function::Sin => Function::Arcsin,
        Function::Cos => Function::Arccos,
        Function::Tan => Function::Arctan,
        Function::Cot => Function::Arccot,
        Function::Sinh => Function::Arsinh,
        Function::Cosh => Function::Arcosh,
        Function::Tanh => Function::Artanh,
        _ => return None,
    })
}

/// A constant or a variable.
pub(super) fn letter(name: &str) -> Expr {
    Expr::Constant(match name {
        "pi" => Constant::Pi,
        "e" => Constant::E,
        "i" => Constant::I,
        "infinity" | "Infinity" | "inf" | "oo" => Constant::Infinity,
        _ => return Expr::Symbol(name.to_owned()),
    })
}

/// Whether a whole run is one name that is no function.
pub(super) fn is_name(word: &str) -> bool {
    word.len() == 1 || matches!(word, "infinity" | "Infinity" | "inf" | "oo") || super::commands::is_greek_name(word)
}

/// Words between the items of a list.
pub(super) fn is_joint(word: &str) -> bool {
    matches!(word, "and" | "or" | "AND" | "OR")
}

/// Words that relate two terms.
pub(super) fn relation(word: &str) -> Option<Operator> {
    Some(match word {
        "is" | "equals" => Operator::Equal,
        "in" => Operator::In,
        "to" => Operator::Ratio,
        _ => return None,
    })
}

/// Words that are operators.
pub(super) fn is_operator(word: &str) -> bool {
    matches!(word, "plus" | "minus" | "negative" | "times" | "over" | "mod" | "pmod" | "base" | "choose" | "per")
}

/// Words that say how much something is meant, so that no unit may swallow them.
const QUALIFIERS: [&str; 44] = [
    "more",
    "less",
    "than",
    "least",
    "most",
    "times",
    "plus",
    "minus",
    "over",
    "not",
    "from",
    "by",
    "divided",
    "greater",
    "at",
    "of",
    "about",
    "approximately",
    "between",
    "below",
    "above",
    "under",
    "except",
    "without",
    "if",
    "when",
    "where",
    "for",
    "every",
    "squared",
    "cubed",
    "mod",
    "base",
    "only",
    "or",
    "and",
    "is",
    "are",
    "was",
    "but",
    "fewer",
    "up",
    "to",
    "then",
];

/// Whether a word can say what was counted.
pub(super) fn is_countable(word: &str) -> bool {
    !QUALIFIERS.contains(&word) && !is_command(word) && function(word).is_none() && number(word).is_none() && scale(word).is_none()
}

/// Short words that are never a product of letters.
const SHORT_WORDS: [&str; 60] = [
    "no", "of", "to", "is", "it", "he", "at", "by", "if", "an", "as", "be", "do", "go", "me", "my", "or", "so", "up", "us", "we", "on",
    "yes", "not", "the", "all", "any", "odd", "red", "and", "are", "but", "day", "for", "one", "two", "six", "ten", "cat", "dog", "sun",
    "mon", "tue", "wed", "thu", "fri", "sat", "may", "low", "top", "she", "her", "his", "per", "end", "new", "old", "few", "nor", "dne",
];

/// Whether a run of letters is a word of a language: too long for a product of variables, or well known.
pub(super) fn is_prose(word: &str) -> bool {
    if is_name(word) || function(word).is_some() || number(word).is_some() {
        return false;
    }
    let lower = word.to_ascii_lowercase();
    if SHORT_WORDS.contains(&lower.as_str()) {
        return true;
    }
    let bytes = word.as_bytes();
    let first = first_name(word);
    if function(&word[..first]).is_some() && word.len() - first <= 2 {
        return false;
    }
    // `abcd` and `wxyz` are products, `left` is not.
    let ascends = bytes.windows(2).all(|pair| pair[0] < pair[1]);
    if bytes.len() >= 4 {
        return !(ascends && bytes.len() <= 5);
    }
    // `Bob`, `Al`
    bytes[0].is_ascii_uppercase() && bytes[1..].iter().all(u8::is_ascii_lowercase)
}

/// Whether a run of letters can be read as names of mathematics.
pub(super) fn is_mathematics(word: &str) -> bool {
    !is_prose(word) || is_command(word) || (word.len() <= 2 && !matches!(word, "of" | "if" | "is"))
}

/// Names of commands in plain text: `sqrt(2)`.
fn is_command(word: &str) -> bool {
    matches!(word, "sqrt" | "cbrt" | "root" | "frac")
}

/// The length of the first name in a run of letters: `sinx` begins with `sin`, `xy` with `x`.
pub(super) fn first_name(word: &str) -> usize {
    const GLUED: [&str; 14] = ["arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "sin", "cos", "tan", "cot", "log", "exp", "ln", "pi"];
    GLUED.iter().find(|name| word.starts_with(**name)).map_or(1, |name| name.len())
}

/// Number words below a hundred, and `hundred`.
pub(super) fn number(word: &str) -> Option<u64> {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    if !(3..=9).contains(&word.len()) {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    if let Some(value) = SMALL.iter().position(|small| *small == lower) {
        return Some(value as u64);
    }
    if let Some(tens) = TENS.iter().position(|tens| *tens == lower) {
        return Some((tens as u64 + 2) * 10);
    }
    match lower.as_str() {
        "hundred" => Some(100),
        "thousand" => Some(1000),
        _ => None,
    }
}

/// A number that is built from words.
pub(super) struct Count {
    done: u64,
    current: u64,
}

impl Count {
    pub(super) fn new(first: u64) -> Self {
        Self { done: 0, current: first }
    }

    /// Adds a word if it may follow; `false` if not.
    pub(super) fn add(&mut self, word: u64) -> bool {
        match word {
            100 if (1..100).contains(&self.current) => self.current *= 100,
            1000 if (1..1000).contains(&self.current) && self.done == 0 => {
                self.done = self.current * 1000;
                self.current = 0;
            }
            1..10 if self.current.is_multiple_of(10) && (self.current % 100 != 10) && self.current + self.done > 0 => self.current += word,
            10..100 if self.current.is_multiple_of(100) && self.current + self.done > 0 => self.current += word,
            _ => return false,
        }
        true
    }

    pub(super) fn value(&self) -> u64 {
        self.done + self.current
    }
}

/// Words that multiply the number in front: million, dozen.
pub(super) fn scale(word: &str) -> Option<u64> {
    Some(match word {
        "hundred" => 100,
        "thousand" | "thousands" => 1000,
        "million" | "millions" => 1_000_000,
        "billion" | "billions" => 1_000_000_000,
        "trillion" | "trillions" => 1_000_000_000_000,
        "dozen" | "dozens" => 12,
        _ => return None,
    })
}

/// The month that a word names, 1 to 12.
pub(in crate::math) fn month(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] =
        ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
    if word.len() < 3 {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    let short = lower.len() == 3 || lower == "sept";
    MONTHS.iter().zip(1..).find(|(month, _)| **month == lower || (short && month.starts_with(lower.as_str()))).map(|(_, at)| at)
}

/// The text as words, lower case and with single spaces, if it is nothing but words: letters, spaces, hyphens and apostrophes. Marks
/// of type such as `\text{…}` and bold are taken off; a final point is dropped.
pub(super) fn plain_words(text: &str) -> Option<String> {
    const MAX_BYTES: usize = 400;
    if text.len() > MAX_BYTES {
        return None;
    }
    let mut rest = text.trim();
    loop {
        let before = rest;
        for (open, close) in [("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("`", "`"), ("\"", "\""), ("“", "”")]
        {
            if let Some(inner) = rest.strip_prefix(open).and_then(|inner| inner.strip_suffix(close)) {
                rest = inner.trim();
            }
        }
        for command in ["\\text", "\\textbf", "\\textit", "\\mathrm", "\\mbox", "\\boxed", "\\textrm", "\\mathbf", "\\emph"] {
            let inner =
                rest.strip_prefix(command).and_then(|inner| inner.trim_start().strip_prefix('{')).and_then(|inner| inner.strip_suffix('}'));
            if let Some(inner) = inner {
                rest = inner.trim();
            }
        }
        rest = rest.trim_end_matches(['.', '。', '!', '！']).trim();
        if rest == before {
            break;
        }
    }
    let plain = rest.replace("\\ ", " ").replace('~', " ").replace(['’', '‘'], "'");
    let worded = !plain.is_empty()
        && plain.starts_with(char::is_alphabetic)
        && plain.chars().all(|c| c.is_alphabetic() || c.is_whitespace() || matches!(c, '-' | '\''));
    // Greek letters alone are mathematics.
    let latin = plain.chars().any(|c| c.is_alphabetic() && !('\u{370}'..='\u{3ff}').contains(&c));
    let joined = plain.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    if joined.chars().any(super::commands::is_han) {
        // Chinese words with a numeral are words only where they name a day or a rank.
        let named = ["星期", "周", "礼拜", "第"].iter().any(|start| joined.starts_with(start));
        return (named && joined.chars().count() < 8).then_some(joined);
    }
    (worded && latin && joined.chars().count() > 1).then_some(joined)
}
