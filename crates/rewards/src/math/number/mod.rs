//! Numbers and expressions: exact arithmetic, canonical forms, evaluation with error bounds.

mod algebra;
mod ball;
mod convert;
mod decide;
mod elementary;
mod evaluate;
mod exponent;
mod functions;
mod magnitude;
mod poly;
mod radical;

pub(crate) use decide::{Decided, Judge, Paths, any, infinity, variables};

use super::work::Exhausted;

/// Why a computation gave no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The work budget is spent.
    Exhausted,
    /// A division by zero, or something else without a value.
    Undefined,
    /// The value has more bits, or the expression more terms, than are computed.
    TooBig,
    /// This stage cannot say it: a function of unknown meaning, an infinite series, a sign that the precision does not settle.
    Unknown,
}

impl From<Exhausted> for Stop {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}
