//! All filters, one after the other, over everything that a stage collected.

use std::collections::BTreeMap;

use ruminate_core::{Example, Role, Seed};
use serde::{Deserialize, Serialize};

use super::{Benchmarks, Candidate, Filter, Filters, Flaw, exact_duplicates, near_duplicates, select, shingles, unreadable, words};

/// Words of the sequences that near duplicates share.
const NEAR_WORDS: usize = 5;

/// Words of the sequences that tell answers to one problem apart.
const SELECT_WORDS: usize = 3;

/// What is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curation {
    /// What readable means.
    pub filters: Filters,
    /// Jaccard similarity of the sequences of five words from which conversations are near duplicates, in (0, 1]; `None` keeps them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_duplicate: Option<f32>,
    /// Most examples of one problem.
    pub per_prompt: usize,
    /// Most examples in all; `None` keeps all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_examples: Option<usize>,
}

/// An example before the filters, with what conversion or grading has against it already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// The example.
    pub example: Example,
    /// Why it cannot be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<Flaw>,
}

/// For each draft why it is not kept; `None` keeps it. Deterministic: `seed` decides which examples make room where there are more than
/// `max_examples`.
///
/// Each draft has one flaw, the first that a filter finds, in the order of [`Filter::ALL`]; duplicates and the choice among the answers
/// to a problem look only at what is left by the filters before.
pub fn curate(drafts: &[Draft], curation: &Curation, benchmarks: &Benchmarks, seed: Seed) -> Vec<Option<Flaw>> {
    let mut flaws: Vec<Option<Flaw>> = drafts.iter().map(|draft| draft.flaw.clone()).collect();
    let readable = |draft: &Draft| unreadable(&curation.filters, &draft.example.problem, draft.example.response());
    mark(&mut flaws, drafts, |draft| readable(draft).or_else(|| contaminated(benchmarks, &draft.example)));

    let left = left(&flaws);
    let texts: Vec<Vec<String>> = left.iter().map(|&idx| words(&conversation(&drafts[idx].example))).collect();
    let id = |place: usize| &drafts[left[place]].example.id;
    for (place, first) in exact_duplicates(&texts).into_iter().enumerate() {
        flaws[left[place]] = first.map(|first| Flaw::new(Filter::Duplicate, format!("the same as {}", id(first))));
    }
    if let Some(threshold) = curation.near_duplicate {
        // An exact duplicate is no candidate: its set is empty.
        let set =
            |(place, words): (usize, &Vec<String>)| if flaws[left[place]].is_none() { shingles(words, NEAR_WORDS) } else { Vec::new() };
        let sets: Vec<Vec<u64>> = texts.iter().enumerate().map(set).collect();
        for (place, first) in near_duplicates(&sets, f64::from(threshold)).into_iter().enumerate() {
            if let Some(first) = first {
                flaws[left[place]] = Some(Flaw::new(Filter::NearDuplicate, format!("nearly the same as {}", id(first))));
            }
        }
    }
    keep_best_of_each_problem(&mut flaws, drafts, curation.per_prompt);
    keep_most(&mut flaws, drafts, curation.max_examples, seed);
    flaws
}

fn mark(flaws: &mut [Option<Flaw>], drafts: &[Draft], find: impl Fn(&Draft) -> Option<Flaw>) {
    for (flaw, draft) in flaws.iter_mut().zip(drafts) {
        if flaw.is_none() {
            *flaw = find(draft);
        }
    }
}

/// Indices of what has no flaw.
fn left(flaws: &[Option<Flaw>]) -> Vec<usize> {
    (0..flaws.len()).filter(|&idx| flaws[idx].is_none()).collect()
}

fn contaminated(benchmarks: &Benchmarks, example: &Example) -> Option<Flaw> {
    let text_of = |is_asked: bool| {
        let turns = example.messages.iter().filter(|message| (message.role != Role::Assistant) == is_asked);
        turns.map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
    };
    let name = benchmarks.overlap(&text_of(true), &text_of(false))?;
    Some(Flaw::new(Filter::Contaminated, format!("shares its words with the evaluation problem {name}")))
}

fn conversation(example: &Example) -> String {
    example.messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
}

fn keep_best_of_each_problem(flaws: &mut [Option<Flaw>], drafts: &[Draft], most: usize) {
    let mut by_problem: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for idx in left(flaws) {
        by_problem.entry(&drafts[idx].example.problem.id.0).or_default().push(idx);
    }
    for indices in by_problem.into_values().filter(|indices| indices.len() > most) {
        let responses: Vec<&str> = indices.iter().map(|&idx| drafts[idx].example.response()).collect();
        let sets: Vec<Vec<u64>> = responses.iter().map(|text| shingles(&words(text), SELECT_WORDS)).collect();
        let lengths = responses.iter().map(|text| text.chars().count());
        let candidates: Vec<Candidate<'_>> = lengths.zip(&sets).map(|(length, shingles)| Candidate { length, shingles }).collect();
        let chosen = select(&candidates, most);
        for place in (0..indices.len()).filter(|place| !chosen.contains(place)) {
            let reason = format!("{most} shorter or more different examples of the problem are kept");
            flaws[indices[place]] = Some(Flaw::new(Filter::Surplus, reason));
        }
    }
}

fn keep_most(flaws: &mut [Option<Flaw>], drafts: &[Draft], most: Option<usize>, seed: Seed) {
    let (Some(most), mut left) = (most, left(flaws)) else { return };
    // By a hash of the name: no source or kind is cut off as a whole.
    left.sort_by_key(|&idx| seed.with(&drafts[idx].example.id).value());
    for &idx in left.iter().skip(most) {
        flaws[idx] = Some(Flaw::new(Filter::Surplus, format!("the stage keeps {most} examples")));
    }
}

#[cfg(test)]
mod tests {
    use ruminate_core::{Gold, Language, Message, Problem, ProblemId};

    use super::*;

    const REASONING: &str = "first we take the numbers apart and add the ones, then the tens, and so we get the sum that was asked for; \
        to be sure we go the other way and take one of the two from what we found, which leaves just the other one, so that the sum is \
        right as it stands and nothing is left to do";

    fn draft(id: &str, problem: &str, question: &str, response: &str) -> Draft {
        let turn = |role, content: &str| Message { role, content: content.to_owned() };
        let problem = Problem {
            id: ProblemId(problem.into()),
            kind: "t".into(),
            question: question.into(),
            gold: Gold::Value { text: "7".into() },
            language: Language::En,
            difficulty: None,
        };
        let messages = vec![turn(Role::User, question), turn(Role::Assistant, response)];
        Draft { example: Example { id: id.into(), source: "s".into(), problem, messages, verdicts: BTreeMap::new() }, flaw: None }
    }

    fn good(id: &str, problem: &str, words: &str) -> Draft {
        draft(id, problem, &format!("question of {problem}"), &format!("<think>{REASONING} {words}</think>\n\n**7**"))
    }

    fn curation() -> Curation {
        Curation { filters: Filters::default(), near_duplicate: Some(0.8), per_prompt: 2, max_examples: None }
    }

    fn filters(drafts: &[Draft], curation: &Curation, benchmarks: &Benchmarks) -> Vec<Option<Filter>> {
        curate(drafts, curation, benchmarks, Seed::new(1)).into_iter().map(|flaw| flaw.map(|flaw| flaw.filter)).collect()
    }

    #[test]
    fn each_draft_has_the_first_flaw_that_is_found() {
        let mut wrong = good("w", "a", "");
        wrong.flaw = Some(Flaw::new(Filter::Wrong, "8"));
        let drafts = [
            wrong,
            good("1", "a", ""),
            draft("2", "a", "question of a", "no form"),
            good("3", "a", ""),
            good("4", "a", "again"),
            good("5", "bench", ""),
        ];
        let benchmarks = Benchmarks::new([("held/1", "question of bench")], 10);
        let flaws = curate(&drafts, &curation(), &benchmarks, Seed::new(1));
        let names: Vec<Option<Filter>> = flaws.iter().map(|flaw| flaw.as_ref().map(|flaw| flaw.filter)).collect();
        use Filter::{Contaminated, Duplicate, NearDuplicate, NoForm, Wrong};
        assert_eq!(names, [Some(Wrong), None, Some(NoForm), Some(Duplicate), Some(NearDuplicate), Some(Contaminated)]);
        assert_eq!(flaws[3].as_ref().unwrap().reason, "the same as 1");
        assert_eq!(flaws[4].as_ref().unwrap().reason, "nearly the same as 1");
        assert_eq!(flaws[5].as_ref().unwrap().reason, "shares its words with the evaluation problem held/1");
        let lax = Curation { near_duplicate: None, ..curation() };
        assert_eq!(filters(&drafts, &lax, &Benchmarks::default())[4..], [None, None]);
    }

    #[test]
    fn a_problem_and_the_stage_keep_so_many() {
        let lax = Curation { near_duplicate: None, ..curation() };
        let long = good("long", "a", "which is what we said we would do, but in many more words than anybody needs");
        let drafts = [long, good("1", "a", "one"), good("2", "a", "two"), good("3", "b", "one"), good("4", "c", "one")];
        let surplus = Some(Filter::Surplus);
        assert_eq!(filters(&drafts, &lax, &Benchmarks::default()), [surplus, None, None, None, None]);
        let most = Curation { max_examples: Some(2), ..lax };
        let found = filters(&drafts, &most, &Benchmarks::default());
        assert_eq!(found.iter().filter(|filter| filter.is_none()).count(), 2);
        assert_eq!(found, filters(&drafts, &most, &Benchmarks::default()));
        assert!(curate(&[], &most, &Benchmarks::default(), Seed::new(1)).is_empty());
    }
}
