//! Countdown puzzles made from a hidden expression, so that a solution exists.

use std::fmt;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use ruminate_core::Gold;

use super::Tongue;

const MAX_VALUE: i64 = 999;

#[derive(Clone, Debug)]
pub(super) struct Puzzle {
    /// In the order of the question.
    pub(super) numbers: Vec<i64>,
    pub(super) target: i64,
    pub(super) solution: Expression,
}

impl Puzzle {
    pub(super) fn sample(difficulty: u32, rng: &mut ChaCha8Rng) -> Self {
        let count = if difficulty <= 2 { 3 } else { 4 };
        let (largest, largest_target) = if difficulty % 2 == 1 { (9, 99) } else { (25, 300) };
        loop {
            let mut numbers: Vec<i64> = (0..count).map(|_| rng.random_range(1..=largest)).collect();
            let solution = Expression::sample(&numbers, rng);
            let target = solution.value();
            if (1..=largest_target).contains(&target) && !numbers.contains(&target) {
                numbers.shuffle(rng);
                return Self { numbers, target, solution };
            }
        }
    }

    pub(super) fn question(&self, language: Tongue) -> String {
        let numbers: Vec<String> = self.numbers.iter().map(ToString::to_string).collect();
        let (numbers, target) = (numbers.join(" "), self.target);
        match language {
            Tongue::En => format!("make {target} from {numbers}"),
            Tongue::Zh => format!("用{numbers}得到{target}"),
        }
    }

    pub(super) fn gold(&self) -> Gold {
        Gold::Countdown { numbers: self.numbers.clone(), target: self.target }
    }

    pub(super) fn canonical(&self) -> String {
        let mut numbers = self.numbers.clone();
        numbers.sort_unstable();
        format!("countdown {} from {numbers:?}", self.target)
    }
}

/// An expression whose every value is a whole number in 0..=999.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Number(i64),
    Node(Box<Node>),
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    left: Expression,
    symbol: char,
    right: Expression,
    value: i64,
}

/// One line of an evaluation: `left symbol right = value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) left: i64,
    pub(super) symbol: char,
    pub(super) right: i64,
    pub(super) value: i64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}={}", self.left, self.symbol, self.right, self.value)
    }
}

impl Expression {
    /// A random expression that uses every number once: random pairs are joined until one is left.
    pub(super) fn sample(numbers: &[i64], rng: &mut ChaCha8Rng) -> Self {
        let mut parts: Vec<Self> = numbers.iter().map(|&n| Self::Number(n)).collect();
        while parts.len() > 1 {
            let left = parts.swap_remove(rng.random_range(0..parts.len()));
            let right = parts.swap_remove(rng.random_range(0..parts.len()));
            parts.push(Self::join(left, right, rng));
        }
        parts.pop().unwrap_or(Self::Number(0))
    }

    fn join(left: Self, right: Self, rng: &mut ChaCha8Rng) -> Self {
        // The larger part first: differences are not negative, and a quotient has a chance to be whole.
        let (left, right) = if left.value() < right.value() { (right, left) } else { (left, right) };
        let (a, b) = (left.value(), right.value());
        let (symbol, value) = match rng.random_range(0..20) {
            0..7 if a + b <= MAX_VALUE => ('+', a + b),
            7..13 if b > 1 && a * b <= MAX_VALUE => ('*', a * b),
            13..15 if b > 1 && a % b == 0 => ('/', a / b),
            _ => ('-', a - b),
        };
        Self::Node(Box::new(Node { left, symbol, right, value }))
    }

    pub(super) fn value(&self) -> i64 {
        match self {
            Self::Number(value) => *value,
            Self::Node(node) => node.value,
        }
    }

    /// The evaluation, innermost first.
    pub(super) fn steps(&self) -> Vec<Step> {
        let Self::Node(node) = self else { return Vec::new() };
        let mut steps = node.left.steps();
        steps.extend(node.right.steps());
        steps.push(Step { left: node.left.value(), symbol: node.symbol, right: node.right.value(), value: node.value });
        steps
    }
}

/// Every inner node in parentheses: no precedence to be learned.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part: &Self| match part {
            Self::Number(n) => n.to_string(),
            Self::Node(_) => format!("({part})"),
        };
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Node(node) => write!(f, "{}{}{}", part(&node.left), node.symbol, part(&node.right)),
        }
    }
}
