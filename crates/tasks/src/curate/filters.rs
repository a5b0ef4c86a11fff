//! Whether people would want to read it.

use std::num::NonZeroUsize;

use ruminate_core::{Gold, Language, Problem};
use ruminate_rewards::{FormatForm, Repetition, WordSplit, count_language};
use serde::{Deserialize, Serialize};

use super::{Filter, Flaw, split_reasoning};

/// Words of the sequences whose repetition counts.
const REPETITION_WORDS: NonZeroUsize = NonZeroUsize::new(4).expect("4 is not 0");

/// What readable means; `None` and `false` switch a filter off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Filters {
    /// Least share of words in the language of the question, of the chain of thought, in [0, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<f32>,
    /// Largest share of repeated sequences of four words, of the whole response, in [0, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition: Option<f32>,
    /// Most characters of a paragraph of the chain of thought. Paragraphs are set apart by blank lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paragraph_chars: Option<usize>,
    /// Whether blocks of code in the chain of thought are refused.
    pub code_blocks: bool,
    /// The form of responses to problems that have a right answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<FormatForm>,
}

impl Default for Filters {
    fn default() -> Self {
        Self {
            language: Some(0.95),
            repetition: Some(0.5),
            paragraph_chars: Some(2000),
            code_blocks: true,
            form: Some(FormatForm::ThinkSummary),
        }
    }
}

/// The first thing that a filter has against a response. What it says is not looked at.
///
/// A response without a chain of thought has no language of its own that it should be in: a translation is in another one.
pub fn unreadable(filters: &Filters, problem: &Problem, response: &str) -> Option<Flaw> {
    let (reasoning, summary) = split_reasoning(response);
    let reasoning = reasoning.filter(|reasoning| !reasoning.trim().is_empty());
    bad_form(filters, problem, response, summary)
        .or_else(|| mixed_language(filters.language?, problem.language, reasoning?))
        .or_else(|| repeats(filters.repetition?, problem.language, response))
        .or_else(|| long_paragraph(filters.paragraph_chars?, reasoning?))
        .or_else(|| {
            let has_code = filters.code_blocks && reasoning?.lines().any(|line| line.trim_start().starts_with("```"));
            has_code.then(|| Flaw::new(Filter::CodeBlock, "a block of code stands in the chain of thought"))
        })
}

fn bad_form(filters: &Filters, problem: &Problem, response: &str, summary: &str) -> Option<Flaw> {
    let form = filters.form?;
    if summary.trim().is_empty() {
        return Some(Flaw::new(Filter::NoSummary, "nothing stands behind the chain of thought"));
    }
    if matches!(problem.gold, Gold::Open(_)) {
        // Chat has no form, but what begins must end.
        let is_open = response.matches("<think>").count() != response.matches("</think>").count();
        return is_open.then(|| Flaw::new(Filter::NoForm, "the marks of the reasoning do not pair"));
    }
    let verdict = form.grade(response, false);
    let has_reasoning = response.trim_start().starts_with("<think>") && response.contains("</think>");
    let filter = if has_reasoning { Filter::NoSummary } else { Filter::NoForm };
    (verdict.reward < 1.0).then(|| Flaw::new(filter, verdict.reason))
}

fn mixed_language(least: f32, language: Language, reasoning: &str) -> Option<Flaw> {
    // Symbols only mix nothing.
    let share = count_language(reasoning, language).share()?;
    (share < least).then(|| {
        let (share, least) = (100.0 * share, 100.0 * least);
        Flaw::new(
            Filter::MixedLanguage,
            format!("expected at least {least:.0}% of the words in the language '{}', found {share:.0}%", language.as_str()),
        )
    })
}

fn repeats(most: f32, language: Language, response: &str) -> Option<Flaw> {
    let split = if matches!(language, Language::Zh | Language::Ja) { WordSplit::Jieba } else { WordSplit::Whitespace };
    // A penalty of at most 1 is the share itself.
    let verdict = Repetition::new(REPETITION_WORDS, -1.0, split).ok()?.grade(response);
    (-verdict.reward > most).then(|| Flaw::new(Filter::Repetition, format!("{}, at most {:.0}% may be", verdict.reason, 100.0 * most)))
}

fn long_paragraph(most: usize, reasoning: &str) -> Option<Flaw> {
    let mut length = 0;
    let mut longest = 0;
    for line in reasoning.lines() {
        length = if line.trim().is_empty() { 0 } else { length + line.chars().count() };
        longest = longest.max(length);
    }
    (longest > most)
        .then(|| Flaw::new(Filter::LongParagraph, format!("expected paragraphs of at most {most} characters, found one of {longest}")))
}

#[cfg(test)]
mod tests {
    use ruminate_core::{OpenTask, ProblemId};

    use super::*;

    fn problem(gold: Gold) -> Problem {
        Problem { id: ProblemId("t/1".into()), kind: "t".into(), question: "1+1?".into(), gold, language: Language::En, difficulty: None }
    }

    fn of(filters: &Filters, gold: Gold, response: &str) -> Option<(Filter, String)> {
        unreadable(filters, &problem(gold), response).map(|flaw| (flaw.filter, flaw.reason))
    }

    fn value(filters: &Filters, response: &str) -> Option<Filter> {
        of(filters, Gold::Value { text: "2".into() }, response).map(|(filter, _)| filter)
    }

    fn open(response: &str) -> Option<Filter> {
        of(&Filters::default(), Gold::Open(OpenTask::default()), response).map(|(filter, _)| filter)
    }

    #[test]
    fn each_filter_has_its_reason_and_can_be_switched_off() {
        let all = Filters::default();
        let good = "<think>first we add one and one, so the result is two</think>\n\n**Answer:** 2";
        assert_eq!(value(&all, good), None);
        let off = |switch: fn(&mut Filters)| {
            let mut filters = Filters::default();
            switch(&mut filters);
            filters
        };

        let mixed = "<think>first we add one and one, so we get two 所以答案是二</think>\n\n**2**";
        assert_eq!(value(&all, mixed), Some(Filter::MixedLanguage));
        assert_eq!(value(&off(|f| f.language = None), mixed), None);
        let (_, reason) = of(&all, Gold::Value { text: "2".into() }, mixed).unwrap();
        assert!(reason.starts_with("expected at least 95% of the words in the language 'en', found "), "{reason}");

        let again = format!("<think>{}</think>\n\n**2**", "wait let me check this again ".repeat(9));
        assert_eq!(value(&all, &again), Some(Filter::Repetition));
        assert_eq!(value(&off(|f| f.repetition = None), &again), None);

        let sentences: Vec<String> = (0..300).map(|n| format!("{n} and {} make {}.", n + 1, 2 * n + 1)).collect();
        let long = format!("<think>{}</think>\n\n**2**", sentences.join(" "));
        assert_eq!(value(&all, &long), Some(Filter::LongParagraph));
        assert_eq!(value(&off(|f| f.paragraph_chars = None), &long), None);
        let short = format!("<think>{}</think>\n\n**2**", sentences.join("\n\n"));
        assert_eq!(value(&all, &short), None);

        let code = "<think>a program says it\n```python\nprint(1 + 1)\n```\nso it is two</think>\n\n**2**";
        assert_eq!(value(&all, code), Some(Filter::CodeBlock));
        assert_eq!(value(&off(|f| f.code_blocks = false), code), None);

        assert_eq!(value(&all, "**2**"), Some(Filter::NoForm));
        assert_eq!(value(&all, "<think>so it is two</think>\n2"), Some(Filter::NoSummary));
        assert_eq!(value(&all, "<think>so it is two</think>"), Some(Filter::NoSummary));
        assert_eq!(value(&off(|f| f.form = None), "so it is two"), None);
    }

    #[test]
    fn general_responses_need_no_form() {
        assert_eq!(open("Good morning to you"), None);
        assert_eq!(open("<think>they greet me</think>Good morning"), None);
        assert_eq!(open("早上好"), None, "a translation is in another language");
        assert_eq!(open("<think>他们问我早上好</think>Good morning"), Some(Filter::MixedLanguage));
        assert_eq!(open("<think>they greet me. Good morning"), Some(Filter::NoForm));
        assert_eq!(open("<think>they greet me</think> "), Some(Filter::NoSummary));
    }
}
