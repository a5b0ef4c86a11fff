//! Answers as short text that can be read again.

use std::fmt;

use dashu_base::BitTest;
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use crate::math::answer::{Answer, Constant, Expr, Function, Number, Operator, Unit};

/// How tightly an expression holds together, loosest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tightness {
    Sum,
    Product,
    Power,
    Atom,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expr(expr) => write!(f, "{expr}"),
            Self::Quantity { value, unit } => quantity(f, value, unit),
            Self::Tuple(parts) => bracketed(f, "(", parts, ")"),
            Self::List(parts) => joined(f, parts, ", "),
            Self::Set(parts) if parts.is_empty() => f.write_str("∅"),
            Self::Set(parts) => bracketed(f, "\\{", parts, "\\}"),
            Self::Interval { low, high, low_closed, high_closed } => {
                let open = if *low_closed { '[' } else { '(' };
                let close = if *high_closed { ']' } else { ')' };
                write!(f, "{open}{low}, {high}{close}")
            }
            Self::Union(parts) => joined(f, parts, " ∪ "),
            Self::Difference(left, right) => write!(f, "{left} ∖ {right}"),
            Self::Matrix(rows) => matrix(f, rows),
            Self::Relation { terms, operators } => {
                for (at, term) in terms.iter().enumerate() {
                    if let Some(operator) = at.checked_sub(1).and_then(|at| operators.get(at)) {
                        write!(f, " {} ", symbol(*operator))?;
                    }
                    write!(f, "{term}")?;
                }
                Ok(())
            }
            Self::Choice(letter) => write!(f, "({letter})"),
            Self::Labelled { label, answer } => write!(f, "({label}) {answer}"),
            Self::Words(words) => f.write_str(words),
            Self::Date { year, month, day } => date(f, *year, *month, *day),
            Self::Time { hour, minute, second, half } => time(f, *hour, *minute, *second, *half),
            Self::Based { value, base, negative } => {
                let sign = if *negative { "-" } else { "" };
                let digits = value.in_radix(u8::try_from(*base).unwrap_or(36).clamp(2, 36)).to_string().to_uppercase();
                write!(f, "{sign}\\text{{{digits}}}_{{{base}}}")
            }
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Answer], between: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        write!(f, "{part}")?;
    }
    Ok(())
}

fn bracketed(f: &mut fmt::Formatter<'_>, open: &str, parts: &[Answer], close: &str) -> fmt::Result {
    f.write_str(open)?;
    joined(f, parts, ", ")?;
    f.write_str(close)
}

fn quantity(f: &mut fmt::Formatter<'_>, value: &Expr, unit: &Unit) -> fmt::Result {
    let gap = if matches!(unit.name.as_str(), "%" | "°") { "" } else { " " };
    match unit.name.as_str() {
        "$" | "€" | "£" | "¥" | "₹" => write!(f, "{}{value}", unit.name),
        name => {
            within(f, value, Tightness::Product)?;
            write!(f, "{gap}{name}")
        }
    }
}

fn matrix(f: &mut fmt::Formatter<'_>, rows: &[Vec<Expr>]) -> fmt::Result {
    f.write_str("\\begin{pmatrix} ")?;
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            f.write_str(" \\\\ ")?;
        }
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                f.write_str(" & ")?;
            }
            write!(f, "{cell}")?;
        }
    }
    f.write_str(" \\end{pmatrix}")
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => "=",
        Operator::NotEqual => "≠",
        Operator::Less => "<",
        Operator::LessOrEqual => "≤",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => "≥",
        Operator::About => "≈",
        Operator::In => "∈",
        Operator::Congruent => "≡",
        Operator::Ratio => ":",
    }
}

fn date(f: &mut fmt::Formatter<'_>, year: Option<i32>, month: u32, day: Option<u32>) -> fmt::Result {
    const NAMES: [&str; 12] =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
    let name = month.checked_sub(1).and_then(|at| NAMES.get(at as usize)).copied().unwrap_or("?");
    f.write_str(name)?;
    if let Some(day) = day {
        write!(f, " {day}")?;
    }
    match (year, day) {
        (Some(year), Some(_)) => write!(f, ", {year:04}"),
        (Some(year), None) => write!(f, " {year:04}"),
        (None, _) => Ok(()),
    }
}

fn time(f: &mut fmt::Formatter<'_>, hour: u32, minute: u32, second: u32, half: bool) -> fmt::Result {
    let shown = match (half, hour) {
        (true, 0) => 12,
        (true, 13..) => hour - 12,
        _ => hour,
    };
    write!(f, "{shown}:{minute:02}")?;
    if second > 0 {
        write!(f, ":{second:02}")?;
    }
    match (half, hour >= 12) {
        (true, true) => f.write_str(" pm"),
        (true, false) => f.write_str(" am"),
        (false, _) => Ok(()),
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Symbol(name) => name_of(f, name),
            Self::Constant(constant) => f.write_str(match constant {
                Constant::Pi => "π",
                Constant::E => "e",
                Constant::I => "i",
                Constant::Infinity => "∞",
            }),
            Self::Sum(terms) => sum(f, terms),
            Self::Product(factors) => {
                for (at, factor) in factors.iter().enumerate() {
                    if at > 0 {
                        f.write_str("*")?;
                    }
                    within(f, factor, Tightness::Power)?;
                }
                Ok(())
            }
            Self::Quotient(numerator, denominator) => {
                within(f, numerator, Tightness::Power)?;
                f.write_str("/")?;
                within(f, denominator, Tightness::Power)
            }
            Self::Negative(inner) => {
                f.write_str("-")?;
                within(f, inner, Tightness::Product)
            }
            Self::PlusMinus(inner) => {
                f.write_str("±")?;
                within(f, inner, Tightness::Product)
            }
            Self::MinusPlus(inner) => {
                f.write_str("∓")?;
                within(f, inner, Tightness::Product)
            }
            Self::Power(base, exponent) => {
                within(f, base, Tightness::Atom)?;
                f.write_str("^")?;
                within(f, exponent, Tightness::Atom)
            }
            Self::Root { degree, radicand } => {
                if **degree == Self::whole(2) {
                    write!(f, "sqrt({radicand})")
                } else {
                    write!(f, "root({degree}, {radicand})")
                }
            }
            Self::Apply(function, arguments) => apply(f, function, arguments),
            Self::Series { product, index, low, high, body } => {
                let sign = if *product { '∏' } else { '∑' };
                write!(f, "{sign}_{{")?;
                name_of(f, index)?;
                write!(f, "={low}}}^{{{high}}} ")?;
                within(f, body, Tightness::Power)
            }
        }
    }
}

fn sum(f: &mut fmt::Formatter<'_>, terms: &[Expr]) -> fmt::Result {
    for (at, term) in terms.iter().enumerate() {
        let (sign, inner) = match term {
            Expr::Negative(inner) => ("-", &**inner),
            Expr::PlusMinus(inner) => ("±", &**inner),
            Expr::MinusPlus(inner) => ("∓", &**inner),
            other => ("+", other),
        };
        match (at, sign) {
            (0, "+") => {}
            (0, sign) => f.write_str(sign)?,
            (_, sign) => write!(f, " {sign} ")?,
        }
        within(f, inner, Tightness::Product)?;
    }
    Ok(())
}

/// Greek letters need their backslash, others none.
fn name_of(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let (head, index) = match name.split_once('_') {
        Some((head, index)) => (head, Some(index)),
        None => (name, None),
    };
    let marks = head.len() - head.trim_end_matches('\'').len();
    let letters = &head[..head.len() - marks];
    if super::commands::is_greek_name(letters) {
        write!(f, "\\{head}")?;
    } else if letters.len() > 1 && letters.bytes().all(|b| b.is_ascii_uppercase()) {
        write!(f, "\\overline{{{letters}}}")?;
    } else {
        f.write_str(head)?;
    }
    match index {
        Some(index) => write!(f, "_{{{index}}}"),
        None => Ok(()),
    }
}

fn apply(f: &mut fmt::Formatter<'_>, function: &Function, arguments: &[Expr]) -> fmt::Result {
    match (function, arguments) {
        (Function::Abs, [inner]) => return write!(f, "abs({inner})"),
        (Function::Floor, [inner]) => return write!(f, "⌊{inner}⌋"),
        (Function::Ceiling, [inner]) => return write!(f, "⌈{inner}⌉"),
        (Function::Factorial, [inner]) => {
            within(f, inner, Tightness::Atom)?;
            return f.write_str("!");
        }
        (Function::DoubleFactorial, [inner]) => {
            within(f, inner, Tightness::Atom)?;
            return f.write_str("!!");
        }
        (Function::LogBase, [base, inner]) => return write!(f, "log_{{{base}}}({inner})"),
        (Function::Conjugate, [inner]) => return write!(f, "conj({inner})"),
        (Function::Mod, [inner, modulus]) => {
            within(f, inner, Tightness::Power)?;
            f.write_str(" mod ")?;
            return within(f, modulus, Tightness::Power);
        }
        (Function::Other(name), _) => write!(f, "{name}(")?,
        _ => write!(f, "{}(", name(function))?,
    }
    for (at, argument) in arguments.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{argument}")?;
    }
    f.write_str(")")
}

fn name(function: &Function) -> &'static str {
    match function {
        Function::Binomial => "binom",
        Function::Exp => "exp",
        Function::Ln => "ln",
        Function::Log | Function::LogBase => "log",
        Function::Sin => "sin",
        Function::Cos => "cos",
        Function::Tan => "tan",
        Function::Cot => "cot",
        Function::Sec => "sec",
        Function::Csc => "csc",
        Function::Arcsin => "arcsin",
        Function::Arccos => "arccos",
        Function::Arctan => "arctan",
        Function::Arccot => "arccot",
        Function::Sinh => "sinh",
        Function::Cosh => "cosh",
        Function::Tanh => "tanh",
        Function::Coth => "coth",
        Function::Arsinh => "arsinh",
        Function::Arcosh => "arcosh",
        Function::Artanh => "artanh",
        Function::Gcd => "gcd",
        Function::Lcm => "lcm",
        Function::Min => "min",
        Function::Max => "max",
        Function::Re => "Re",
        Function::Im => "Im",
        Function::Abs => "abs",
        Function::Floor => "floor",
        Function::Ceiling => "ceil",
        Function::Factorial => "factorial",
        Function::DoubleFactorial => "doublefactorial",
        Function::Conjugate => "conj",
        Function::Mod => "mod",
        Function::Other(_) => "f",
    }
}

fn tightness(expr: &Expr) -> Tightness {
    match expr {
        Expr::Sum(_) | Expr::Negative(_) | Expr::PlusMinus(_) | Expr::MinusPlus(_) => Tightness::Sum,
        Expr::Product(_) | Expr::Quotient(..) | Expr::Apply(Function::Mod, _) | Expr::Series { .. } => Tightness::Product,
        Expr::Power(..) | Expr::Apply(Function::Factorial | Function::DoubleFactorial, _) => Tightness::Power,
        Expr::Number(number) if number.is_plain() => Tightness::Atom,
        Expr::Number(number) if *number.value.numerator() < IBig::ZERO => Tightness::Sum,
        Expr::Number(_) => Tightness::Product,
        _ => Tightness::Atom,
    }
}

/// Writes an expression, in brackets if it is looser than its place.
fn within(f: &mut fmt::Formatter<'_>, expr: &Expr, place: Tightness) -> fmt::Result {
    if tightness(expr) < place { write!(f, "({expr})") } else { write!(f, "{expr}") }
}

impl Number {
    /// Whether it is written with digits and a point only.
    fn is_plain(&self) -> bool {
        let negative = *self.value.numerator() < IBig::ZERO;
        !negative && (self.value.is_int() || self.decimals.is_some())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Longer numbers are cut: this text is for reasons, and turning digits around takes the square of their number.
        const MAX_BITS: usize = 2000;
        let bits = self.value.numerator().bit_len() + self.value.denominator().bit_len();
        if bits > MAX_BITS {
            return write!(f, "(a number of about {} digits)", bits * 3 / 10);
        }
        let Some(decimals) = self.decimals.filter(|&decimals| (1..=600).contains(&decimals)) else {
            return write!(f, "{}", self.value);
        };
        let scale = UBig::from(10_u8).pow(decimals as usize);
        let shifted = &self.value * RBig::from(scale);
        if !shifted.is_int() {
            return write!(f, "{}", self.value);
        }
        let text = shifted.numerator().to_string();
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text.as_str()),
        };
        let width = decimals as usize + 1;
        let padded = format!("{digits:0>width$}");
        let (whole, fraction) = padded.split_at(padded.len() - decimals as usize);
        write!(f, "{sign}{whole}.{fraction}")
    }
}
