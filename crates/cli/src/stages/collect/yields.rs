//! `yield.json`: how much of each source was kept, and what took the rest.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use ruminate_core::Example;
use ruminate_tasks::curate::Filter;
use serde::{Deserialize, Serialize};

use super::has_right_answer;
use crate::review_file::Reviewed;

/// The yield of a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Yield {
    /// The sources, in the order of the recipe.
    pub(crate) sources: Vec<SourceYield>,
    /// Problems that were asked about.
    pub(crate) n_prompts: usize,
    /// Evaluation problems that nothing may share its words with.
    pub(crate) n_benchmark_problems: usize,
    /// Kept examples of problems with a right answer.
    pub(crate) n_reasoning: usize,
    /// Kept examples of all other kinds.
    pub(crate) n_general: usize,
    /// What reviewers decided; `None`: nobody has reviewed, or their decisions are not asked for.
    pub(crate) reviewed: Option<Reviewed>,
}

/// The yield of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceYield {
    /// Name of the source.
    pub(crate) source: String,
    /// Responses before the filters.
    pub(crate) sampled: usize,
    /// Examples behind them.
    pub(crate) kept: usize,
    /// How many each filter dropped.
    pub(crate) dropped: BTreeMap<Filter, usize>,
}

impl Yield {
    /// Counts examples with the filter that dropped each.
    pub(super) fn count<'a>(
        names: impl Iterator<Item = &'a str>,
        outcomes: impl Iterator<Item = (&'a Example, Option<Filter>)>,
        n_prompts: usize,
        n_benchmark_problems: usize,
    ) -> Self {
        let sources = names.map(|name| SourceYield { source: name.to_owned(), ..SourceYield::default() }).collect();
        let mut yields = Self { sources, n_prompts, n_benchmark_problems, ..Self::default() };
        for (example, filter) in outcomes {
            if filter.is_none() {
                let n = if has_right_answer(&example.problem) { &mut yields.n_reasoning } else { &mut yields.n_general };
                *n += 1;
            }
            let Some(source) = yields.sources.iter_mut().find(|source| source.source == example.source) else { continue };
            source.sampled += 1;
            match filter {
                None => source.kept += 1,
                Some(filter) => *source.dropped.entry(filter).or_default() += 1,
            }
        }
        yields
    }

    /// Examples that were kept.
    pub(crate) fn n_kept(&self) -> usize {
        self.sources.iter().map(|source| source.kept).sum()
    }

    /// Responses before the filters.
    pub(crate) fn n_sampled(&self) -> usize {
        self.sources.iter().map(|source| source.sampled).sum()
    }

    /// If nothing was kept, the filter that took most.
    pub(super) fn emptied_by(&self) -> Option<String> {
        let totals = self.totals();
        let most =
            totals.iter().rev().max_by_key(|(_, n)| **n).map_or_else(|| "nothing was sampled".to_owned(), |(filter, _)| filter.to_string());
        (self.n_kept() == 0).then_some(most)
    }

    /// The yield in a line.
    pub(super) fn line(&self) -> String {
        let decontaminated = match self.n_benchmark_problems {
            0 => "no evaluation problem to keep apart from".to_owned(),
            n => format!("kept apart from {n} evaluation problems"),
        };
        format!(
            "{} of {} responses kept, {} of problems with a right answer and {} general; {decontaminated}",
            self.n_kept(),
            self.n_sampled(),
            self.n_reasoning,
            self.n_general
        )
    }

    /// The yield table: a row for each source and one for all, a column for each filter that dropped something.
    pub(super) fn table(&self) -> String {
        let totals = self.totals();
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["source", "sampled", "kept"].into_iter().map(str::to_owned).chain(totals.keys().map(ToString::to_string)));
        let all = SourceYield { source: "all".to_owned(), sampled: self.n_sampled(), kept: self.n_kept(), dropped: totals.clone() };
        for source in self.sources.iter().chain((self.sources.len() > 1).then_some(&all)) {
            let counts = totals.keys().map(|filter| source.dropped.get(filter).copied().unwrap_or(0));
            let numbers = [source.sampled, source.kept].into_iter().chain(counts).map(|n| n.to_string());
            table.add_row([source.source.clone()].into_iter().chain(numbers));
        }
        for column in 1..totals.len() + 3 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.to_string()
    }

    fn totals(&self) -> BTreeMap<Filter, usize> {
        let mut totals = BTreeMap::new();
        for (&filter, &n) in self.sources.iter().flat_map(|source| &source.dropped) {
            *totals.entry(filter).or_default() += n;
        }
        totals
    }
}
