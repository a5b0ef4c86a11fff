//! What grading needs besides rules: a sandbox for programs, a judge for answers that no rule can compare.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use ruminate_core::{Gold, Problem};
use ruminate_rewards::Resources;
use ruminate_rewards::judge::Judge;
use ruminate_sandbox::{Language, Sandbox};
use serde::Serialize;

use crate::endpoint::{Breaker, Endpoint, EndpointConfig};
use crate::parallel::n_cores;
use crate::sandbox::{self, SandboxSettings};

/// `[judge]` of a recipe: where it is and who it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct JudgeConfig {
    /// Where it is and how patiently it is asked.
    pub(crate) endpoint: EndpointConfig,
    /// Who is asked, and how often.
    pub(crate) judge: Judge,
}

/// What the problems of a run ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    languages: BTreeSet<Language>,
    /// Why a judge is needed, if one is: the first reason.
    judged: Option<String>,
}

impl Needs {
    /// Adds the needs of these problems.
    ///
    /// # Errors
    /// A programming language that nobody knows, by problem.
    pub(crate) fn add<'a>(&mut self, problems: impl IntoIterator<Item = &'a Problem>) -> Result<()> {
        for problem in problems {
            self.languages.extend(sandbox::languages(problem)?);
            if matches!(problem.gold, Gold::Judged { .. }) {
                self.add_judge(format!("problem {} is graded by a judge", problem.id));
            }
        }
        Ok(())
    }

    /// Adds a reason to have a judge.
    pub(crate) fn add_judge(&mut self, reason: String) {
        self.judged.get_or_insert(reason);
    }
}

/// The graders of a run, started.
#[derive(Debug, Default)]
pub(crate) struct Graders {
    sandbox: Option<Sandbox>,
    judge: Option<(Endpoint, Judge)>,
}

impl Graders {
    /// Starts what is needed, and nothing else.
    ///
    /// # Errors
    /// A layer of isolation or a toolchain that is missing; a judge that is needed and not set up.
    pub(crate) fn start(needs: &Needs, sandbox: &SandboxSettings, judge: Option<&JudgeConfig>) -> Result<Self> {
        let judge = match (&needs.judged, judge) {
            (None, _) => None,
            (Some(_), Some(config)) => Some((Endpoint::open(config.endpoint.clone())?, config.judge.clone())),
            (Some(reason), None) => bail!("{reason}: expected a [judge] table in the recipe with url and model, found none"),
        };
        Ok(Self { sandbox: sandbox.start_for(&needs.languages)?, judge })
    }

    /// The sandbox, if it was needed.
    pub(crate) fn sandbox(&self) -> Option<&Sandbox> {
        self.sandbox.as_ref()
    }

    /// Completions that can be graded at once: on every core, and as many as there are slots for programs. With a judge as many as that
    /// takes at once: whoever waited for it besides would wait in vain when it is down, one after the other.
    pub(crate) fn n_threads(&self) -> usize {
        let sandbox = self.sandbox.as_ref().map_or(0, Sandbox::n_slots);
        let others = self.judge.as_ref().map_or_else(n_cores, |(endpoint, _)| endpoint.concurrency().max(2));
        sandbox.max(others)
    }

    /// The judge's endpoint for one batch: once it is found down, the rest of the batch does not wait for it again.
    pub(crate) fn breaker(&self) -> Option<Breaker<'_>> {
        self.judge.as_ref().map(|(endpoint, _)| Breaker::new(endpoint, endpoint.concurrency()))
    }

    /// For grading, with the breaker of the batch.
    pub(crate) fn resources<'a>(&'a self, breaker: Option<&'a Breaker<'a>>) -> Resources<'a> {
        let judge = breaker.zip(self.judge.as_ref()).map(|(breaker, (_, judge))| (breaker as _, judge));
        Resources { sandbox: self.sandbox.as_ref(), judge }
    }
}
