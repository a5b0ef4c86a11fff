//! Several rewards, weighted and summed.

use std::collections::BTreeMap;

use ruminate_core::{Problem, Verdict};
use serde::{Deserialize, Serialize};

use crate::{grade_accuracy, grade_format, grade_language};

/// Weight of each reward. R1-Zero: accuracy and format with equal weight, no language reward.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardMix {
    /// Weight of the accuracy reward, 0 or 1.
    pub accuracy: f32,
    /// Weight of the format reward, 0 or 1.
    pub format: f32,
    /// Weight of the language reward, in [0, 1].
    pub language: f32,
}

impl Default for RewardMix {
    fn default() -> Self {
        Self { accuracy: 1.0, format: 1.0, language: 0.0 }
    }
}

/// Grades one completion: the verdicts under `accuracy`, `format` and `language`, and their weighted sum.
///
/// All three verdicts are given whatever their weights, since reports show them all.
/// `prompt_opens_think` is as in [`grade_format`].
pub fn grade(problem: &Problem, text: &str, mix: &RewardMix, prompt_opens_think: bool) -> (BTreeMap<String, Verdict>, f32) {
    let accuracy = grade_accuracy(problem, text);
    let format = grade_format(text, prompt_opens_think);
    let language = grade_language(text, problem.language);
    let reward = mix.accuracy * accuracy.reward + mix.format * format.reward + mix.language * language.reward;
    let verdicts = [("accuracy", accuracy), ("format", format), ("language", language)];
    (verdicts.into_iter().map(|(name, verdict)| (name.to_owned(), verdict)).collect(), reward)
}

#[cfg(test)]
mod tests {
    use ruminate_core::{Gold, Language, ProblemId};

    use super::*;

    fn total(text: &str, mix: &RewardMix) -> f32 {
        let problem = Problem {
            id: ProblemId("t/1".into()),
            kind: "t".into(),
            question: "1+1".into(),
            gold: Gold::Value { text: "2".into() },
            language: Language::En,
            difficulty: None,
        };
        let (verdicts, reward) = grade(&problem, text, mix, false);
        assert_eq!(verdicts.keys().map(String::as_str).collect::<Vec<_>>(), ["accuracy", "format", "language"]);
        reward
    }

    #[test]
    fn weighted_sums() {
        let r1_zero = RewardMix::default();
        assert_eq!(total("<think>so 2</think><answer>2</answer>", &r1_zero), 2.0);
        assert_eq!(total("<think>so 3</think><answer>3</answer>", &r1_zero), 1.0);
        assert_eq!(total("the answer is 2", &r1_zero), 1.0);
        assert_eq!(total("", &r1_zero), 0.0);
        let all = RewardMix { accuracy: 2.0, format: 0.5, language: 1.0 };
        assert_eq!(total("<think>so 是</think><answer>2</answer>", &all), 3.0);
        assert_eq!(total("<think>是</think><answer>2</answer>", &all), 2.5);
        assert_eq!(total("<think>1+1=2</think><answer>2</answer>", &all), 3.5);
        assert_eq!(total("<think></think><answer>2</answer>", &all), 2.0);
    }
}
