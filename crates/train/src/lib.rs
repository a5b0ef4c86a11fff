//! Training: losses, advantages, packing, schedules, presets, and the loop that uses them.

pub mod advantages;
pub mod losses;
pub mod overlong;
pub mod packing;
pub mod preferences;
pub mod presets;
pub mod schedule;
pub mod sft_presets;
pub mod trainer;
