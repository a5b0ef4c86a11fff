//! What the page is told about an example.

use std::collections::BTreeMap;
use std::time::Instant;

use ruminate_core::{Example, Gold, Role};
use serde::Serialize;

use super::desk::{Desk, Who};
use super::filter::outcome_name;
use super::render::{as_written, split_response, to_html};
use crate::review_file::{Decision, DecisionKind};

/// One example with everything that is known about it, before it is set as HTML.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) idx: usize,
    example: Example,
    decision: Option<Decision>,
    version: u64,
    holder: Option<String>,
}

/// One example as the page shows it. Fields in `*_html` are safe to show, all others are text.
#[derive(Debug, Serialize)]
pub(super) struct Sample {
    idx: usize,
    id: String,
    source: String,
    kind: String,
    language: String,
    difficulty: Option<u32>,
    /// The conversation before the last turn.
    turns: Vec<Turn>,
    reasoning_html: Option<String>,
    summary_html: String,
    /// The last turn, which can be edited.
    text: String,
    /// The last turn as it was collected.
    original: String,
    gold: String,
    verdicts: Vec<Finding>,
    version: u64,
    decision: Option<Taken>,
    /// Who else looks at it.
    holder: Option<String>,
}

/// The last turn alone.
#[derive(Debug, Serialize)]
pub(super) struct Response {
    reasoning_html: Option<String>,
    summary_html: String,
}

#[derive(Debug, Serialize)]
struct Turn {
    role: &'static str,
    html: String,
}

#[derive(Debug, Serialize)]
struct Finding {
    component: String,
    outcome: &'static str,
    reward: f32,
    reason: String,
}

/// A decision that was taken.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    decision: DecisionKind,
    reviewer: String,
    at_unix_secs: u64,
}

impl Shown {
    /// Looks at an example.
    pub(super) fn of(desk: &Desk, who: &Who, idx: usize, now: Instant) -> Self {
        Self {
            idx,
            example: desk.example(idx).clone(),
            decision: desk.decision(idx).cloned(),
            version: desk.version(idx),
            holder: desk.other_holder(who, idx, now).map(str::to_owned),
        }
    }

    /// Sets it as HTML.
    pub(super) fn set(self) -> Sample {
        let Self { idx, example, decision, version, holder } = self;
        let original = example.response().to_owned();
        let edited = decision.as_ref().and_then(|decision| decision.messages.as_ref()?.last()).map(|message| message.content.clone());
        let text = edited.unwrap_or_else(|| original.clone());
        let Response { reasoning_html, summary_html } = Response::set(&text);
        let before = example.messages.split_last().map_or(&[][..], |(_, before)| before);
        let turn = |role: Role, text: &str| Turn { role: role.as_str(), html: html(text) };
        let mut turns: Vec<Turn> = before.iter().map(|message| turn(message.role, &message.content)).collect();
        if turns.is_empty() {
            turns.push(turn(Role::User, &example.problem.question));
        }
        Sample {
            idx,
            turns,
            reasoning_html,
            summary_html,
            text,
            original,
            gold: gold_text(&example.problem.gold),
            verdicts: findings(&example),
            version,
            decision: decision.as_ref().map(Taken::of),
            holder,
            id: example.id,
            source: example.source,
            kind: example.problem.kind,
            language: format!("{:?}", example.problem.language).to_lowercase(),
            difficulty: example.problem.difficulty,
        }
    }
}

impl Response {
    /// Sets a response as HTML.
    pub(super) fn set(text: &str) -> Self {
        let parts = split_response(text);
        Self { reasoning_html: parts.reasoning.map(html), summary_html: html(parts.summary) }
    }
}

impl Taken {
    /// The public part of a decision.
    pub(super) fn of(decision: &Decision) -> Self {
        Self { decision: decision.decision, reviewer: decision.reviewer.clone(), at_unix_secs: decision.at_unix_secs }
    }
}

/// Text that the setter chokes on is shown as it is written: a reviewer must be able to reject it.
fn html(text: &str) -> String {
    std::panic::catch_unwind(|| to_html(text)).unwrap_or_else(|_| as_written(text))
}

fn findings(example: &Example) -> Vec<Finding> {
    let finding = |(component, verdict): (&String, &ruminate_core::Verdict)| Finding {
        component: component.clone(),
        outcome: outcome_name(verdict.outcome),
        reward: verdict.reward,
        reason: verdict.reason.clone(),
    };
    example.verdicts.iter().map(finding).collect()
}

/// What a right answer is, for people.
fn gold_text(gold: &Gold) -> String {
    match gold {
        Gold::Value { text } => text.clone(),
        Gold::Judged { reference } => reference.clone(),
        Gold::Countdown { numbers, target, .. } => {
            let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
            format!("{target} out of {}", numbers.join(", "))
        }
        Gold::Knights { roles, .. } if !roles.is_empty() => roles_text(roles),
        other => serde_json::to_string_pretty(other).unwrap_or_else(|error| format!("cannot be shown: {error}")),
    }
}

fn roles_text(roles: &BTreeMap<String, bool>) -> String {
    let role = |(name, is_knight): (&String, &bool)| format!("{name}: {}", if *is_knight { "knight" } else { "knave" });
    roles.iter().map(role).collect::<Vec<_>>().join("\n")
}
