//! Reward hacking: rewards by component in the metrics, and a word when one rises while accuracy falls.

use anyhow::Result;
use ruminate_rewards::Component;
use ruminate_rewards::alarm::{Alarm, RoundRewards, alarms};

use crate::run_dir::{MetricsFile, StageDir};
use crate::ui::Ui;

/// Rounds that are compared with as many before them.
const ALARM_WINDOW: usize = 20;

/// The key of a component's mean reward, before it is weighted.
pub(super) fn reward_key(component: Component) -> &'static str {
    match component {
        Component::Accuracy => "reward/accuracy",
        Component::Format => "reward/format",
        Component::TagCount => "reward/tag_count",
        Component::Boxed => "reward/boxed",
        Component::MarkdownSummary => "reward/markdown_summary",
        Component::Language => "reward/language",
        Component::CosineLength => "reward/cosine_length",
        Component::GroupLength => "reward/group_length",
        Component::Repetition => "reward/repetition",
        Component::Helpful => "reward/helpful",
        Component::Safe => "reward/safe",
    }
}

/// Says when a component rises while accuracy falls: the policy may be learning to please the reward instead of being right.
pub(super) struct HackingWatch {
    rounds: Vec<RoundRewards>,
    quiet_until: usize,
}

impl HackingWatch {
    /// Goes on where the metrics of earlier sittings end.
    pub(super) fn new(dir: &StageDir) -> Result<Self> {
        let rounds: Vec<RoundRewards> = MetricsFile::read(&dir.metrics())?.iter().map(Self::round).collect();
        Ok(Self { quiet_until: 0, rounds })
    }

    fn round(line: &serde_json::Map<String, serde_json::Value>) -> RoundRewards {
        let reward = |component: Component| Some((component.as_str().to_owned(), line.get(reward_key(component))?.as_f64()?));
        Component::ALL.into_iter().filter_map(reward).collect()
    }

    /// Takes the figures of a round; the number of alarms becomes one of them.
    pub(super) fn watch(&mut self, ui: &Ui, step: u64, figures: &mut Vec<(&'static str, f64)>) {
        let reward = |component: Component| {
            let value = figures.iter().find(|(key, _)| *key == reward_key(component))?.1;
            Some((component.as_str().to_owned(), value))
        };
        self.rounds.push(Component::ALL.into_iter().filter_map(reward).collect());
        let alarms = alarms(&self.rounds, ALARM_WINDOW);
        figures.push(("rl/alarms", alarms.len() as f64));
        // One window has one cause: it is told once.
        if self.rounds.len() < self.quiet_until {
            return;
        }
        for Alarm { component, rise, fall } in &alarms {
            ui.say(&format!(
                "warning: step {step}: over the last {ALARM_WINDOW} rounds '{component}' rose by {rise:.3} while accuracy fell by {:.3}; the \
                 policy may be learning to please that reward: look at its rollouts, or lower its weight",
                -fall
            ));
            self.quiet_until = self.rounds.len() + ALARM_WINDOW;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Ui;

    /// The number of alarms after each of so many rounds, accuracy and one reward moving as given.
    fn alarms_of(key: &'static str, accuracy: impl Fn(f64) -> f64, reward: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut watch = HackingWatch { rounds: Vec::new(), quiet_until: 0 };
        let round = |round: u64| {
            let at = round as f64 / 60.0;
            // A little noise of its own in each, or a difference of means would have no error.
            let noise = 0.01 * ((round * 7 % 5) as f64 - 2.0);
            let mut figures = vec![("reward/accuracy", accuracy(at) + noise), (key, reward(at) - noise)];
            watch.watch(&Ui::new(), round, &mut figures);
            figures.last().unwrap().1
        };
        (0..60).map(round).collect()
    }

    #[test]
    fn a_reward_model_that_rises_while_accuracy_falls_is_an_alarm() {
        for key in ["reward/helpful", "reward/safe"] {
            let alarms = alarms_of(key, |at| 0.8 - 0.5 * at, |at| 0.3 + 0.5 * at);
            assert!(alarms[59] == 1.0 && alarms[10] == 0.0, "{key}: {alarms:?}");
            assert_eq!(alarms_of(key, |at| 0.3 + 0.5 * at, |at| 0.3 + 0.5 * at)[59], 0.0, "{key} rises with accuracy");
            assert_eq!(alarms_of(key, |at| 0.8 - 0.5 * at, |at| 0.8 - 0.5 * at)[59], 0.0, "{key} falls with accuracy");
        }
    }
}
