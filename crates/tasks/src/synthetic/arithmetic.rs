//! Chains of operations that any evaluator reads the same way: a product of a sum stands behind parentheses.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Tongue;

/// Every intermediate result is in 0..=999; products stay at or below this, so that each is a small step.
const MAX_PRODUCT: i64 = 300;
pub(super) const MAX_VALUE: i64 = 999;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
}

impl Op {
    pub(super) fn apply(self, a: i64, b: i64) -> i64 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
        }
    }

    pub(super) fn symbol(self) -> char {
        match self {
            Self::Add => '+',
            Self::Sub => '-',
            Self::Mul => '*',
        }
    }
}

/// `start`, then each operation with its right operand, from left to right.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) start: i64,
    pub(super) steps: Vec<(Op, i64)>,
}

impl Chain {
    pub(super) fn sample(difficulty: u32, rng: &mut ChaCha8Rng) -> Self {
        let start = operand(rng);
        let mut value = start;
        let mut steps = Vec::new();
        while steps.len() <= difficulty as usize {
            let op = match rng.random_range(0..10) {
                0..4 => Op::Add,
                4..8 => Op::Sub,
                _ => Op::Mul,
            };
            let right = if op == Op::Mul { rng.random_range(2..=9) } else { operand(rng) };
            let next = op.apply(value, right);
            let small = op != Op::Mul || (value > 1 && next <= MAX_PRODUCT);
            if small && (0..=MAX_VALUE).contains(&next) {
                steps.push((op, right));
                value = next;
            }
        }
        Self { start, steps }
    }

    pub(super) fn value(&self) -> i64 {
        self.steps.iter().fold(self.start, |value, &(op, right)| op.apply(value, right))
    }

    /// The chain as an expression with the usual precedence.
    pub(super) fn expression(&self) -> String {
        let mut text = self.start.to_string();
        let mut is_sum = false;
        for &(op, right) in &self.steps {
            if op == Op::Mul && is_sum {
                text = format!("({text})");
            }
            is_sum = op != Op::Mul;
            text = format!("{text}{}{right}", op.symbol());
        }
        text
    }

    pub(super) fn question(&self, language: Tongue) -> String {
        match language {
            Tongue::En => format!("compute {}", self.expression()),
            Tongue::Zh => format!("计算{}", self.expression()),
        }
    }

    /// The expression with the operands of a commutative first operation in order.
    pub(super) fn canonical(&self) -> String {
        let mut chain = self.clone();
        if let Some((op, right)) = chain.steps.first_mut()
            && *op != Op::Sub
            && chain.start > *right
        {
            std::mem::swap(&mut chain.start, right);
        }
        format!("arithmetic {}", chain.expression())
    }
}

/// One digit more often than two.
fn operand(rng: &mut ChaCha8Rng) -> i64 {
    if rng.random_bool(0.6) { rng.random_range(2..=9) } else { rng.random_range(10..=99) }
}
