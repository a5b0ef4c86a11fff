//! Reward hacking: rewards by component in the metrics, a word when one rises while accuracy falls, and the way back to the policy from
//! before.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ruminate_compute::Device;
use ruminate_model::{Checkpoint, Policy, SaveDtype};
use ruminate_rewards::Component;
use ruminate_rewards::alarm::{Alarm, RoundRewards, alarms};
use serde::{Deserialize, Serialize};

use super::rollouts::PolicyText;
use crate::recipe::StopOnHacking;
use crate::run_dir::{MetricsFile, StageDir, io_context, read_json, write_json};
use crate::ui::Ui;

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
    window: usize,
    quiet_until: usize,
}

/// `stopped.json`: a stage that ended before its steps were made, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stopped {
    /// Always `reward_hacking`.
    pub(crate) reason: String,
    /// Optimizer steps made in all.
    pub(crate) step: u64,
    /// Rounds of sampling made in all.
    pub(crate) rounds: u64,
    /// Rounds behind the policy that was kept: it is from before the rounds in which accuracy fell.
    pub(crate) kept_round: u64,
    /// The reward that rose.
    pub(crate) component: String,
    /// By how much.
    pub(crate) rise: f64,
    /// Change of accuracy meanwhile, below 0.
    pub(crate) fall: f64,
}

impl Stopped {
    /// The record of a stage that was stopped; `None` if it was not.
    pub(super) fn read(dir: &StageDir) -> Result<Option<Self>> {
        read_json(&Self::path(dir))
    }

    fn path(dir: &StageDir) -> PathBuf {
        dir.path().join("stopped.json")
    }

    /// The record for people.
    pub(super) fn message(&self) -> String {
        format!(
            "stopped after {} steps, since '{}' rose by {:.3} while accuracy fell by {:.3}: reward hacking; the policy is the one \
             after round {} of {}, from before that",
            self.step, self.component, self.rise, -self.fall, self.kept_round, self.rounds
        )
    }
}

/// Keeps the policy every window of rounds, so that a stage can be stopped with one from before its last window.
pub(super) struct WayBack<'a> {
    dir: &'a StageDir,
    window: usize,
}

impl<'a> WayBack<'a> {
    /// For the directory of a stage.
    pub(super) fn new(dir: &'a StageDir, stop: StopOnHacking) -> Self {
        Self { dir, window: stop.window }
    }

    fn folder(&self, round: usize) -> PathBuf {
        self.dir.state().join("kept").join(format!("round-{round:05}"))
    }

    /// Keeps the policy as it is before round number `round`, where one is due.
    pub(super) fn keep(&self, round: usize, policy: &Policy, text: PolicyText<'_>) -> Result<()> {
        if !round.is_multiple_of(self.window) {
            return Ok(());
        }
        policy.save(&self.folder(round), text.tokenizer, text.chat, SaveDtype::F32)?;
        // An alarm goes back one window at least and less than two. Rounds that a killed sitting made are made again without alarm.
        let old = round.checked_sub(2 * self.window).map(|round| self.folder(round)).filter(|folder| folder.exists());
        old.map_or(Ok(()), |folder| std::fs::remove_dir_all(&folder).with_context(io_context("remove", &folder)))
    }

    /// Ends the stage after `rounds` rounds with the policy from before its last window.
    pub(super) fn stop(&self, alarm: &Alarm, step: u64, rounds: usize) -> Result<Stopped> {
        let kept_round = (rounds - self.window) / self.window * self.window;
        self.restore(&self.folder(kept_round))?;
        let Alarm { component, rise, fall } = alarm.clone();
        let stopped = Stopped {
            reason: "reward_hacking".to_owned(),
            step,
            rounds: rounds as u64,
            kept_round: kept_round as u64,
            component,
            rise,
            fall,
        };
        // Last: where this is, the checkpoint is too. A kill before it makes the last rounds, and the same alarm, again.
        write_json(&Stopped::path(self.dir), &stopped)?;
        Ok(stopped)
    }

    fn restore(&self, kept: &Path) -> Result<()> {
        let checkpoint = Checkpoint::open(kept)?;
        // On the CPU: from file to file it stays f32, and the device need not have room for one policy more.
        let policy = Policy::load(&Device::Cpu, &checkpoint)?;
        Ok(policy.save(&self.dir.checkpoint(), &checkpoint.tokenizer, checkpoint.chat_template.as_ref(), SaveDtype::F32)?)
    }
}

impl HackingWatch {
    /// Goes on where the metrics of earlier sittings end.
    pub(super) fn new(dir: &StageDir, stop: Option<StopOnHacking>) -> Result<Self> {
        let rounds: Vec<RoundRewards> = MetricsFile::read(&dir.metrics())?.iter().map(Self::round).collect();
        Ok(Self { quiet_until: 0, rounds, window: stop.unwrap_or_default().window })
    }

    /// Rounds so far.
    pub(super) fn n_rounds(&self) -> usize {
        self.rounds.len()
    }

    fn round(line: &serde_json::Map<String, serde_json::Value>) -> RoundRewards {
        let reward = |component: Component| Some((component.as_str().to_owned(), line.get(reward_key(component))?.as_f64()?));
        Component::ALL.into_iter().filter_map(reward).collect()
    }

    /// Takes the figures of a round; the number of alarms becomes one of them. Gives back the alarms.
    pub(super) fn watch(&mut self, ui: &Ui, step: u64, figures: &mut Vec<(&'static str, f64)>) -> Vec<Alarm> {
        let reward = |component: Component| {
            let value = figures.iter().find(|(key, _)| *key == reward_key(component))?.1;
            Some((component.as_str().to_owned(), value))
        };
        self.rounds.push(Component::ALL.into_iter().filter_map(reward).collect());
        let alarms = alarms(&self.rounds, self.window);
        figures.push(("rl/alarms", alarms.len() as f64));
        // One window has one cause: it is told once.
        if self.rounds.len() < self.quiet_until {
            return alarms;
        }
        for Alarm { component, rise, fall } in &alarms {
            ui.say(&format!(
                "warning: step {step}: over the last {} rounds '{component}' rose by {rise:.3} while accuracy fell by {:.3}; the \
                 policy may be learning to please that reward: look at its rollouts, or lower its weight",
                self.window, -fall
            ));
            self.quiet_until = self.rounds.len() + self.window;
        }
        alarms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Ui;

    /// The number of alarms after each of so many rounds, accuracy and one reward moving as given.
    fn alarms_of(key: &'static str, accuracy: impl Fn(f64) -> f64, reward: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut watch = HackingWatch { rounds: Vec::new(), quiet_until: 0, window: 20 };
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
