//! Format: one `<think>…</think>`, then one `<answer>…</answer>`, and nothing else.

use ruminate_core::Verdict;

use super::verdict;

const TAGS: [&str; 4] = ["<think>", "</think>", "<answer>", "</answer>"];

/// Grades the shape of a completion: reward 1 for exactly one `<think>…</think>` with non-empty reasoning, then only white space,
/// then exactly one `<answer>…</answer>` with a non-empty answer, and only white space around.
///
/// `prompt_opens_think`: the prompt already ended with `<think>`, so the completion must not open it again.
pub fn grade_format(text: &str, prompt_opens_think: bool) -> Verdict {
    verdict(flaw(text, prompt_opens_think), "one <think> and one <answer>, in order")
}

fn flaw(text: &str, prompt_opens_think: bool) -> Option<String> {
    for (tag_idx, tag) in TAGS.iter().enumerate() {
        let expected = usize::from(!(prompt_opens_think && tag_idx == 0));
        let found = text.matches(tag).count();
        if found != expected {
            return Some(format!("expected {expected} of {tag}, found {found}"));
        }
    }
    let body = if prompt_opens_think {
        text
    } else {
        let Some(body) = text.trim_start().strip_prefix("<think>") else { return Some("text before <think>".into()) };
        body
    };
    // Every tag occurs once, so a split that fails means a wrong order.
    let Some((reasoning, rest)) = body.split_once("</think>") else { return Some("</think> stands before <think>".into()) };
    if reasoning.contains("<answer>") || reasoning.contains("</answer>") {
        return Some("an answer tag stands inside the reasoning".into());
    }
    if reasoning.trim().is_empty() {
        return Some("the reasoning is empty".into());
    }
    let Some(rest) = rest.trim_start().strip_prefix("<answer>") else { return Some("text between </think> and <answer>".into()) };
    let Some((answer, after)) = rest.split_once("</answer>") else { return Some("</answer> stands before <answer>".into()) };
    if answer.trim().is_empty() {
        return Some("the answer is empty".into());
    }
    (!after.trim().is_empty()).then(|| "text after </answer>".into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, reason: &str) {
        let verdict = grade_format(text, false);
        assert_eq!(verdict.reason, reason, "{text}");
        assert_eq!(verdict.reward, 0.0);
    }

    #[test]
    fn flaws_are_named() {
        assert_eq!(grade_format("<think>a</think><answer>b</answer>", false).reward, 1.0);
        assert_eq!(grade_format(" <think>\na\n</think>\n<answer>b</answer>\n", false).reward, 1.0);
        check("", "expected 1 of <think>, found 0");
        check("<think>a<think>b</think><answer>c</answer>", "expected 1 of <think>, found 2");
        check("<think>a</think>", "expected 1 of <answer>, found 0");
        check("<think>a</think><answer>b", "expected 1 of </answer>, found 0");
        check("x<think>a</think><answer>b</answer>", "text before <think>");
        check("<think>a</think>x<answer>b</answer>", "text between </think> and <answer>");
        check("<think>a</think><answer>b</answer>x", "text after </answer>");
        check("<think> </think><answer>b</answer>", "the reasoning is empty");
        check("<think>a</think><answer> </answer>", "the answer is empty");
        check("<think>a<answer>b</answer></think>", "an answer tag stands inside the reasoning");
        check("</think><think>a<answer>b</answer>", "text before <think>");
    }

    #[test]
    fn the_prompt_may_open_the_reasoning() {
        assert_eq!(grade_format("a</think><answer>b</answer>", true).reward, 1.0);
        assert_eq!(grade_format("<think>a</think><answer>b</answer>", true).reason, "expected 0 of <think>, found 1");
        assert_eq!(grade_format("a</think><answer>b</answer>", false).reason, "expected 1 of <think>, found 0");
    }

    proptest! {
        #[test]
        fn total_and_only_the_exact_shape_earns(parts in prop::collection::vec(0_usize..6, 0..9)) {
            let pieces = ["<think>", "</think>", "<answer>", "</answer>", "x", "\n"];
            let text: String = parts.iter().map(|&i| pieces[i]).collect();
            let squeezed: String = text.split_whitespace().collect();
            let inner = squeezed.replace('x', "");
            let good = inner == TAGS.concat()
                && squeezed.starts_with("<think>x")
                && squeezed.contains("</think><answer>x")
                && squeezed.ends_with("</answer>");
            prop_assert_eq!(grade_format(&text, false).reward == 1.0, good, "{}", text);
        }
    }
}
