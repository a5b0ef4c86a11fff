//! Published settings of supervised fine-tuning by name.
//!
//! All values are those of DeepSeek-R1 (v2): read from transcriptions of the journal version of the paper and its supplement, not from
//! the PDF itself. `docs/concepts/sft.md` and `docs/concepts/distillation.md` list them.

/// Settings of one stage of supervised fine-tuning. The learning rate falls along a cosine to `floor_ratio` of its peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SftPreset {
    /// Its name in recipes.
    pub name: &'static str,
    /// Peak learning rate.
    pub learning_rate: f32,
    /// Last learning rate as a share of the peak.
    pub floor_ratio: f32,
    /// Conversations of an optimizer step.
    pub batch_examples: u32,
    /// Passes over the examples; the paper says 2 to 3.
    pub epochs: u32,
}

/// The preset of a stage that names none.
pub const DEFAULT: &str = "r1";

/// The cold start and the second stage of R1, then the distilled models by size. 8B and 70B are Llama, the others Qwen2.5.
const PRESETS: [SftPreset; 7] = [
    SftPreset { name: DEFAULT, learning_rate: 5e-5, floor_ratio: 0.1, batch_examples: 128, epochs: 2 },
    distill("distill-1.5b", 1e-4),
    distill("distill-7b", 8e-5),
    distill("distill-8b", 5e-5),
    distill("distill-14b", 7e-5),
    distill("distill-32b", 6e-5),
    distill("distill-70b", 2e-5),
];

const fn distill(name: &'static str, learning_rate: f32) -> SftPreset {
    SftPreset { name, learning_rate, floor_ratio: 0.1, batch_examples: 64, epochs: 2 }
}

/// Names of all presets.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.name)
}

/// The preset of this name.
pub fn preset(name: &str) -> Option<SftPreset> {
    PRESETS.iter().find(|preset| preset.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        let values = |name: &str| preset(name).map(|p| (p.learning_rate, p.floor_ratio, p.batch_examples));
        assert_eq!(values(DEFAULT), Some((5e-5, 0.1, 128)));
        for (name, learning_rate) in [
            ("distill-1.5b", 1e-4),
            ("distill-7b", 8e-5),
            ("distill-14b", 7e-5),
            ("distill-32b", 6e-5),
            ("distill-8b", 5e-5),
            ("distill-70b", 2e-5),
        ] {
            assert_eq!(values(name), Some((learning_rate, 0.1, 64)), "{name}");
        }
        assert!(preset("distill").is_none());
        assert!(names().all(|name| (2..=3).contains(&preset(name).unwrap().epochs)));
    }
}
