//! What a written answer says, before any arithmetic: the tree that [`parse`](super::parse) builds and the comparison reads.

use dashu_int::UBig;
use dashu_ratio::RBig;

/// One reading of an answer. Text that can be read in several ways (`1,234`, `(1,2)`, `[1,2]`) gives several answers, the likeliest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A number or an expression.
    Expr(Expr),
    /// An expression with a unit: `5 cm`, `50\%`, `90^\circ`, `\$3`.
    Quantity {
        /// What stands before (or behind) the unit.
        value: Expr,
        /// The unit.
        unit: Unit,
    },
    /// Ordered parts in round or angle brackets: `(1, 2)`, `\langle 1, 2\rangle`.
    Tuple(Vec<Answer>),
    /// Parts without brackets, joined by commas, "and" or "or": `1, 2 and 3`. Order does not count.
    List(Vec<Answer>),
    /// Parts in braces: `\{1, 2\}`; `\emptyset` is the empty set. Neither order nor repetition counts.
    Set(Vec<Answer>),
    /// An interval with at least one square bracket or an infinite end, or a two-part bracket in a text that also speaks of intervals.
    Interval {
        /// Lower end.
        low: Expr,
        /// Upper end.
        high: Expr,
        /// The lower end belongs to it.
        low_closed: bool,
        /// The upper end belongs to it.
        high_closed: bool,
    },
    /// `A \cup B`.
    Union(Vec<Answer>),
    /// `A \setminus B`; `x \neq 3` alone is a relation, not a difference.
    Difference(Box<Answer>, Box<Answer>),
    /// Rows of equal length. A vector is a matrix of one column or one row.
    Matrix(Vec<Vec<Expr>>),
    /// A chain of relations: `x = 5`, `2 < x \le 3`, `x \in [1, 2]`. One operator fewer than terms.
    Relation {
        /// What is related, at least two.
        terms: Vec<Answer>,
        /// What stands between them.
        operators: Vec<Operator>,
    },
    /// A choice from a list, upper case: `A`, `(B)`, `\text{(C)}`.
    Choice(char),
    /// A choice together with what it says: `(B) 12`, `C. yes`. Two of them agree in the letter; one of them and a plain answer
    /// agree in either.
    Labelled {
        /// The letter, upper case.
        label: char,
        /// What stands behind it.
        answer: Box<Answer>,
    },
    /// Words that are no mathematics, lower case, single spaces, no punctuation: `yes`, `east`, `alice`.
    Words(String),
    /// A day: `March 5, 2020`, `2020-03-05`, `2020年3月5日`.
    Date {
        /// Year, if written.
        year: Option<i32>,
        /// Month, 1 to 12.
        month: u32,
        /// Day, 1 to 31, if written.
        day: Option<u32>,
    },
    /// A time of day: `3:45 pm`, `15:45`.
    Time {
        /// Hour, 0 to 23, or 0 to 12 if `half` is not known.
        hour: u32,
        /// Minute, 0 to 59.
        minute: u32,
        /// Second, 0 to 59.
        second: u32,
        /// Whether am or pm was written (the hour is then in 24-hour form).
        half: bool,
    },
    /// A numeral with its base written: `1011_2`, `\text{FF}_{16}`.
    Based {
        /// Its value.
        value: UBig,
        /// The base, 2 to 36.
        base: u32,
        /// A minus sign stood before it.
        negative: bool,
    },
}

/// What relates two terms of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `\approx`, `\sim`, `\doteq`.
    About,
    /// `\in`.
    In,
    /// `\equiv`. A `\pmod m` behind the chain makes its last term `Apply(Mod, [term, m])`.
    Congruent,
    /// `:` of a ratio, as in `3:4`.
    Ratio,
}

/// An expression over exact numbers, constants and variables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// A number as written.
    Number(Number),
    /// A variable: `x`, `x_1`, `\alpha`.
    Symbol(String),
    /// A named constant.
    Constant(Constant),
    /// `a + b + …`; `a - b` is a sum with a [`Expr::Negative`].
    Sum(Vec<Expr>),
    /// `a b …`.
    Product(Vec<Expr>),
    /// `a / b`.
    Quotient(Box<Expr>, Box<Expr>),
    /// `-a`.
    Negative(Box<Expr>),
    /// `a^b`.
    Power(Box<Expr>, Box<Expr>),
    /// The root of `radicand`: real for real radicands with odd integer degree, else principal.
    Root {
        /// 2 for a square root.
        degree: Box<Expr>,
        /// What stands under the root.
        radicand: Box<Expr>,
    },
    /// A function applied to its arguments.
    Apply(Function, Vec<Expr>),
    /// `\sum` or `\prod` with bounds.
    Series {
        /// A sum, or a product.
        product: bool,
        /// The running variable.
        index: String,
        /// First value.
        low: Box<Expr>,
        /// Last value, may be infinite.
        high: Box<Expr>,
        /// What is added up or multiplied.
        body: Box<Expr>,
    },
    /// `\pm a`: both signs. All `\pm` and `\mp` of one answer turn together.
    PlusMinus(Box<Expr>),
    /// `\mp a`.
    MinusPlus(Box<Expr>),
}

/// A number as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    /// Its exact value.
    pub value: RBig,
    /// Digits behind the decimal point if it was written as a decimal (`3.140` has 3, `2.5e-3` has 4): the answer may then be
    /// rounded. `None` for integers and repeating decimals, which are exact.
    pub decimals: Option<u32>,
}

/// A named constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Constant {
    Pi,
    E,
    I,
    Infinity,
}

/// A function by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Function {
    Abs,
    Floor,
    Ceiling,
    Factorial,
    DoubleFactorial,
    /// `binom(n, k)`.
    Binomial,
    Exp,
    Ln,
    /// `\log` without a base: 10 to the one, e to the other.
    Log,
    /// `log_base(x)`: arguments are base, x.
    LogBase,
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Arcsin,
    Arccos,
    Arctan,
    Arccot,
    Sinh,
    Cosh,
    Tanh,
    Coth,
    Arsinh,
    Arcosh,
    Artanh,
    Gcd,
    Lcm,
    Min,
    Max,
    /// `a \bmod b`.
    Mod,
    Conjugate,
    Re,
    Im,
    /// Any other name in front of brackets: `f(x)`.
    Other(String),
}

/// A unit of measurement, reduced to base units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// As written, for reasons.
    pub name: String,
    /// What it measures; `None` for words that only say what is counted (`apples`).
    pub dimension: Option<Dimension>,
    /// One of it in the base unit of its dimension (metre, gram, second, degree, kelvin, ampere, cent, bit; for per cent the whole,
    /// so 1/100); 1 if the dimension is not known. A radian is no rational number of degrees: it has no dimension and the name `rad`.
    pub factor: RBig,
    /// What is added behind the factor, for temperatures; else 0.
    pub offset: RBig,
}

/// What a unit measures, as powers of base quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Dimension {
    /// Length.
    pub length: i8,
    /// Mass.
    pub mass: i8,
    /// Time.
    pub time: i8,
    /// Angle.
    pub angle: i8,
    /// Temperature.
    pub temperature: i8,
    /// Information.
    pub information: i8,
    /// A currency, each its own: 0 none, 1 dollar (cents too), 2 euro, 3 pound, 4 yuan, 5 yen, 6 rupee, 7 rouble, …
    pub currency: u8,
    /// Electric current.
    pub current: i8,
    /// Per hundred.
    pub percent: i8,
}
