//! Ranges of values.

use super::error::{Problem, RecipeError};
use super::source::{Part, Source};

/// Says which key of a part is outside its range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checks<'a> {
    pub(super) source: &'a Source,
    pub(super) part: &'a Part,
}

impl Checks<'_> {
    pub(super) fn at_least_one(&self, key: &str, value: u64) -> Result<(), RecipeError> {
        self.hold(value >= 1, key, "a number >= 1", &value)
    }

    pub(super) fn positive(&self, key: &str, value: f32) -> Result<(), RecipeError> {
        self.hold(value > 0.0 && value.is_finite(), key, "a finite number > 0", &value)
    }

    pub(super) fn share(&self, key: &str, value: f32) -> Result<(), RecipeError> {
        self.hold(value > 0.0 && value <= 1.0, key, "a number in (0, 1]", &value)
    }

    pub(super) fn range(&self, key: &str, value: f32, low: f32, high: f32) -> Result<(), RecipeError> {
        self.hold((low..=high).contains(&value), key, &format!("a number from {low} to {high}"), &value)
    }

    pub(super) fn hold(&self, holds: bool, key: &str, expected: &str, found: &dyn std::fmt::Display) -> Result<(), RecipeError> {
        if holds {
            return Ok(());
        }
        Err(self.source.error(self.part, Some(key), Problem::value(key, format!("expected {expected}, found {found}"))))
    }
}
