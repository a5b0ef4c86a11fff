//! The readable form of a completion: `<think>` reasoning `</think>`, then a summary in Markdown.

use ruminate_core::{Gold, Problem};
use ruminate_rewards::FormatForm;
use ruminate_rewards::math::extract::{Extraction, candidates};

use super::{Filter, Flaw};
use crate::synthetic::SyntheticKind;

/// Tags that have no place in a text that people read.
const TAGS: [&str; 4] = ["<think>", "</think>", "<answer>", "</answer>"];

/// Most bytes of an answer that a summary is made of; what is longer is text of its own.
const MAX_ANSWER_BYTES: usize = 2000;

/// Brings a completion for a problem with a right answer into the form `think_summary`.
///
/// The reasoning is that of the completion, with its lines cleaned; a summary that is one already stays; any other answer (in `<answer>`
/// or plain behind the reasoning) is written as one. `opens_think` says that the prompt ended with `<think>`. With `is_lenient`, as for
/// the outputs of R1-Zero, marks may be missing: reasoning goes up to `</think>`, else up to `<answer>`, else up to the last line.
///
/// Nothing is added to what the completion says, and whether it is right is to be graded again on the new text.
///
/// # Errors
/// No chain of thought, or nothing behind it.
pub fn think_summary(problem: &Problem, text: &str, opens_think: bool, is_lenient: bool) -> Result<String, Flaw> {
    let text = text.trim();
    let (reasoning, rest) = split(text, opens_think, is_lenient)?;
    let reasoning = clean_lines(reasoning);
    if reasoning.is_empty() {
        return Err(Flaw::new(Filter::NoForm, "the chain of thought is empty"));
    }
    let is_tiny = SyntheticKind::ALL.iter().any(|kind| kind.as_str() == problem.kind);
    let written = |summary: &str| {
        let gap = if is_tiny { "" } else { "\n" };
        format!("<think>{gap}{reasoning}{gap}</think>{gap}{gap}{summary}")
    };
    let as_it_is = written(&clean_lines(rest));
    if !TAGS.iter().any(|tag| rest.contains(tag)) && FormatForm::ThinkSummary.grade(&as_it_is, false).reward == 1.0 {
        return Ok(as_it_is);
    }
    let answer = answer(problem, rest).ok_or_else(|| Flaw::new(Filter::NoSummary, "nothing stands behind the chain of thought"))?;
    Ok(written(&summary(problem, &answer)))
}

/// A response without its chain of thought, as simple requests are answered.
pub fn without_reasoning(text: &str) -> &str {
    text.rsplit_once("</think>").map_or(text, |(_, response)| response).trim()
}

fn split(text: &str, opens_think: bool, is_lenient: bool) -> Result<(&str, &str), Flaw> {
    let begun = text.strip_prefix("<think>").or_else(|| (opens_think || is_lenient).then_some(text));
    let body = begun.ok_or_else(|| Flaw::new(Filter::NoForm, "expected <think> first"))?;
    if let Some(parts) = body.split_once("</think>") {
        return Ok(parts);
    }
    let marked = body.find("<answer>").map(|at| body.split_at(at));
    let parts = marked.or_else(|| body.rsplit_once('\n')).filter(|_| is_lenient);
    parts.ok_or_else(|| Flaw::new(Filter::NoForm, "the chain of thought does not end"))
}

/// Lines without space behind them and without tags, no more than one blank line in a row, none at the ends.
fn clean_lines(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut n_blank = 0;
    for line in text.lines() {
        let line = TAGS.iter().fold(line.to_owned(), |line, tag| line.replace(tag, ""));
        let line = line.trim_end();
        if line.is_empty() {
            n_blank += 1;
            continue;
        }
        if !clean.is_empty() {
            clean.push_str(if n_blank > 0 { "\n\n" } else { "\n" });
        }
        n_blank = 0;
        clean.push_str(line);
    }
    clean.trim_start().to_owned()
}

/// The answer behind the reasoning, without marks.
fn answer(problem: &Problem, rest: &str) -> Option<String> {
    let inside = rest.split_once("<answer>").map_or(rest, |(_, inside)| inside);
    let inside = clean_lines(inside.split_once("</answer>").map_or(inside, |(inside, _)| inside));
    let answer = match &problem.gold {
        Gold::Value { .. } => candidates(&inside, &Extraction::default()).first().map_or(inside.as_str(), |found| found.text),
        _ => &inside,
    };
    (!answer.trim().is_empty()).then(|| answer.trim().to_owned())
}

fn summary(problem: &Problem, answer: &str) -> String {
    let head = if problem.language == ruminate_core::Language::Zh { "**答案：**" } else { "**Answer:**" };
    match &problem.gold {
        // Programs stand in a block; a text of its own stays one.
        Gold::Code(_) if answer.contains("```") => answer.to_owned(),
        Gold::Code(task) => format!("```{}\n{answer}\n```", task.language),
        Gold::Value { .. } if answer.len() <= MAX_ANSWER_BYTES && !answer.contains('\n') => format!("{head} \\boxed{{{answer}}}"),
        _ if answer.contains('\n') => format!("{head}\n\n{answer}"),
        _ => format!("{head} {answer}"),
    }
}

#[cfg(test)]
mod tests {
    use ruminate_core::{CodeTask, Language, Outcome, ProblemId, Uses};
    use ruminate_rewards::grade_accuracy;

    use super::*;

    fn problem(kind: &str, gold: Gold) -> Problem {
        Problem { id: ProblemId("t/1".into()), kind: kind.into(), question: "?".into(), gold, language: Language::En, difficulty: None }
    }

    fn value(kind: &str) -> Problem {
        problem(kind, Gold::Value { text: "7".into() })
    }

    /// What becomes of a text, strictly and leniently, where nothing is opened by the prompt.
    fn both(text: &str) -> [Result<String, Filter>; 2] {
        [false, true].map(|is_lenient| think_summary(&value("gsm8k"), text, false, is_lenient).map_err(|flaw| flaw.filter))
    }

    #[test]
    fn answers_become_summaries_and_summaries_stay() {
        let expected = Ok("<think>\nso 3+4=7\n</think>\n\n**Answer:** \\boxed{7}".to_owned());
        assert_eq!(both("<think> so 3+4=7 \n</think> <answer>7</answer>"), [expected.clone(), expected.clone()]);
        assert_eq!(both("<think>so 3+4=7</think>The answer is 7."), [expected.clone(), expected.clone()]);
        let summary = Ok("<think>\nso 3+4=7\n\nyes\n</think>\n\nAdding gives **7**.".to_owned());
        assert_eq!(both("<think>so 3+4=7\n\n\n\nyes</think>\nAdding gives **7**.\n"), [summary.clone(), summary]);
        // The tags of R1-Zero may stand in a text that has Markdown too.
        assert_eq!(both("<think>so 3+4=7</think><answer>**7**</answer>").map(|text| text.unwrap().ends_with("\\boxed{7}")), [true, true]);
    }

    #[test]
    fn only_the_lenient_reading_mends_missing_marks() {
        let mended = Ok("<think>\nso 3+4=7\n</think>\n\n**Answer:** \\boxed{7}".to_owned());
        for text in ["so 3+4=7<answer>7</answer>", "<think>so 3+4=7<answer>7", "so 3+4=7\nthe answer is 7"] {
            assert_eq!(both(text), [Err(Filter::NoForm), mended.clone()], "{text}");
        }
        assert_eq!(both("so 3+4=7</think>7"), [Err(Filter::NoForm), mended.clone()]);
        assert_eq!(think_summary(&value("gsm8k"), "so 3+4=7</think>7", true, false).map_err(|flaw| flaw.filter), mended);
        assert_eq!(both("7"), [Err(Filter::NoForm), Err(Filter::NoForm)]);
        assert_eq!(both("<think>so 7"), [Err(Filter::NoForm), Err(Filter::NoForm)]);
        assert_eq!(both("<think> </think>7"), [Err(Filter::NoForm), Err(Filter::NoForm)]);
        assert_eq!(both("<think>so</think> <answer></answer>"), [Err(Filter::NoSummary), Err(Filter::NoSummary)]);
    }

    #[test]
    fn what_was_right_is_right_in_the_new_form() {
        let countdown = Gold::Countdown { numbers: vec![3, 5, 7], target: 22, uses: Uses::ExactlyOnce };
        let knights = Gold::Knights { roles: [("A".to_owned(), true), ("B".to_owned(), false)].into(), statements: Vec::new() };
        for (gold, answer) in [
            (Gold::Value { text: "1/2".into() }, "\\frac{1}{2}"),
            (Gold::Value { text: "72".into() }, "72 apples"),
            (countdown, "3*5+7"),
            (knights.clone(), "A is a knight, B is a knave"),
            (knights, "A is a knight\nB is a knave"),
        ] {
            let problem = problem("other", gold);
            let text = format!("<think>let me see</think><answer>{answer}</answer>");
            let converted = think_summary(&problem, &text, false, false).unwrap();
            let verdict = grade_accuracy(&problem, &converted);
            assert_eq!(verdict.outcome, Outcome::Right, "{converted}: {}", verdict.reason);
            assert_eq!(FormatForm::ThinkSummary.grade(&converted, false).reward, 1.0, "{converted}");
        }
    }

    #[test]
    fn programs_stand_in_a_block() {
        let task: CodeTask = serde_json::from_str(r#"{"language":"python","tests":[{"stdin":"","stdout":"1"}]}"#).unwrap();
        let problem = problem("mbpp", Gold::Code(Box::new(task)));
        let summary = |text: &str| think_summary(&problem, text, false, false).unwrap().split_once("</think>\n\n").unwrap().1.to_owned();
        assert_eq!(summary("<think>easy</think><answer>print(1)</answer>"), "```python\nprint(1)\n```");
        assert_eq!(summary("<think>easy</think><answer>```python\nprint(1)\n```</answer>"), "```python\nprint(1)\n```");
        assert_eq!(summary("<think>easy</think>So:\n```python\nprint(1)\n```"), "So:\n```python\nprint(1)\n```");
    }

    #[test]
    fn simple_responses_lose_their_reasoning() {
        assert_eq!(without_reasoning("<think>they greet</think> Hello"), "Hello");
        assert_eq!(without_reasoning(" Hello "), "Hello");
    }
}
