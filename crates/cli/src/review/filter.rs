//! Which examples a reviewer wants to see.

use std::collections::BTreeMap;

use ruminate_core::{Example, Outcome};
use serde::{Deserialize, Serialize};

use crate::review_file::DecisionKind;

/// What must hold of an example. Empty texts ask for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Filter {
    /// The example's source.
    source: String,
    /// The problem's kind.
    kind: String,
    /// A verdict, as `component: outcome`.
    verdict: String,
    /// Letters that stand in the id, the question or the conversation, without regard to case.
    text: String,
    /// What was decided.
    decision: Decided,
}

/// What was decided, as a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Decided {
    /// Nothing yet.
    #[default]
    Open,
    /// Whatever it is.
    Any,
    Accept,
    Reject,
    Edit,
    Skip,
}

/// What filters can ask for, each with the number of its examples.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Facets {
    sources: BTreeMap<String, usize>,
    kinds: BTreeMap<String, usize>,
    verdicts: BTreeMap<String, usize>,
}

impl Filter {
    /// Whether an example is wanted about which `decision` was taken.
    pub(super) fn wants(&self, example: &Example, decision: Option<DecisionKind>) -> bool {
        let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        is(&self.source, &example.source)
            && is(&self.kind, &example.problem.kind)
            && self.decision.includes(decision)
            && (self.verdict.is_empty() || verdicts(example).any(|verdict| verdict == self.verdict))
            && self.finds_text(example)
    }

    fn finds_text(&self, example: &Example) -> bool {
        let wanted = self.text.trim().to_lowercase();
        let mut texts = [&example.id, &example.problem.question].into_iter().chain(example.messages.iter().map(|message| &message.content));
        wanted.is_empty() || texts.any(|text| text.to_lowercase().contains(&wanted))
    }
}

impl Decided {
    fn includes(self, decision: Option<DecisionKind>) -> bool {
        match self {
            Self::Any => true,
            Self::Open => decision.is_none(),
            Self::Accept => decision == Some(DecisionKind::Accept),
            Self::Reject => decision == Some(DecisionKind::Reject),
            Self::Edit => decision == Some(DecisionKind::Edit),
            Self::Skip => decision == Some(DecisionKind::Skip),
        }
    }
}

impl Facets {
    /// Those of a set of examples.
    pub(super) fn of(examples: &[Example]) -> Self {
        let mut facets = Self { sources: BTreeMap::new(), kinds: BTreeMap::new(), verdicts: BTreeMap::new() };
        for example in examples {
            *facets.sources.entry(example.source.clone()).or_default() += 1;
            *facets.kinds.entry(example.problem.kind.clone()).or_default() += 1;
            for verdict in verdicts(example) {
                *facets.verdicts.entry(verdict).or_default() += 1;
            }
        }
        facets
    }
}

/// The name of an outcome for people.
pub(super) fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Right => "right",
        Outcome::Wrong => "wrong",
        Outcome::Unparsed => "unparsed",
        Outcome::BadGold => "bad gold",
        Outcome::TimedOut => "timed out",
    }
}

fn verdicts(example: &Example) -> impl Iterator<Item = String> {
    example.verdicts.iter().map(|(component, verdict)| format!("{component}: {}", outcome_name(verdict.outcome)))
}
