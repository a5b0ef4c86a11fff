//! What stands behind the reasoning: a boxed answer, a summary in Markdown.

use ruminate_core::Verdict;

use super::{SPECIAL_TOKEN, verdict};

/// Reward 1 for a `\boxed{…}` behind the reasoning whose braces close and that holds something.
pub(super) fn grade_boxed(text: &str, prompt_opens_think: bool) -> Verdict {
    let flaw = match behind_reasoning(text, prompt_opens_think) {
        None => Some("the reasoning does not end"),
        Some(summary) => (!has_box(summary)).then_some("expected a \\boxed{…} that closes and is not empty behind the reasoning"),
    };
    verdict(flaw.map(str::to_owned), "a boxed answer stands behind the reasoning")
}

/// Reward 1 for a summary behind the reasoning that is not empty, repeats no tag of the reasoning, has at least one element of Markdown
/// (a heading, a list, a quotation, a table, strong or emphasised text, code), and leaves no block of code, code span or strong text open.
pub(super) fn grade_markdown(text: &str, prompt_opens_think: bool) -> Verdict {
    let flaw = match behind_reasoning(text, prompt_opens_think) {
        None => Some("the reasoning does not end"),
        Some(summary) => markdown_flaw(summary),
    };
    verdict(flaw.map(str::to_owned), "a summary in Markdown stands behind the reasoning")
}

/// Reward 1 for one `<think>…</think>` that holds something and stands first, and behind it a summary as in [`grade_markdown`].
pub(super) fn grade_think_summary(text: &str, prompt_opens_think: bool) -> Verdict {
    let body = if prompt_opens_think { Some(text) } else { text.trim_start().strip_prefix("<think>") };
    let flaw = match body.map(|body| body.split_once("</think>")) {
        None => Some("expected <think> first"),
        Some(None) => Some("the reasoning does not end"),
        Some(Some((reasoning, _))) if reasoning.trim().is_empty() => Some("the reasoning is empty"),
        Some(Some((reasoning, _))) if reasoning.contains("<think>") => Some("the reasoning opens twice"),
        Some(Some((_, summary))) => markdown_flaw(summary),
    };
    verdict(flaw.map(str::to_owned), "reasoning, then a summary in Markdown")
}

/// What stands behind the last mark that ends the reasoning; the whole text if no mark opens any; `None` if the reasoning never ends.
///
/// `prompt_opens_think`: as in [`FormatForm::grade`](super::FormatForm::grade).
pub fn behind_reasoning(text: &str, prompt_opens_think: bool) -> Option<&str> {
    if let Some(at) = text.rfind("</think>") {
        return Some(&text[at + "</think>".len()..]);
    }
    let mut parts = text.rsplitn(2, SPECIAL_TOKEN);
    match (parts.next(), parts.next()) {
        (Some(summary), Some(before)) if prompt_opens_think || before.contains(SPECIAL_TOKEN) => Some(summary),
        (_, Some(_)) => None,
        _ => (!prompt_opens_think && !text.contains("<think>")).then_some(text),
    }
}

fn has_box(text: &str) -> bool {
    // Two marks are tried, so that a text full of open boxes stays linear work.
    text.rmatch_indices("\\boxed{").take(2).any(|(at, mark)| {
        let inside = &text[at + mark.len()..];
        closing_brace(inside).is_some_and(|end| !inside[..end].trim().is_empty())
    })
}

/// Where the brace closes that was opened before `text`. A brace behind a backslash is a character.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn markdown_flaw(summary: &str) -> Option<&'static str> {
    if summary.trim().is_empty() {
        return Some("the summary is empty");
    }
    if ["<think>", "</think>", SPECIAL_TOKEN].iter().any(|tag| summary.contains(tag)) {
        return Some("a tag of the reasoning stands in the summary");
    }
    let (mut is_code, mut has_element) = (false, false);
    for line in summary.lines().map(str::trim) {
        if line.starts_with("```") {
            is_code = !is_code;
            has_element = true;
        } else if !is_code {
            // Emphasis and code spans end within a paragraph, as a rule within a line.
            if line.matches('`').count() % 2 == 1 {
                return Some("a code span does not end");
            }
            if line.matches("**").count() % 2 == 1 {
                return Some("strong text does not end");
            }
            has_element |= is_block(line) || line.contains("**") || line.contains('`') || has_emphasis(line);
        }
    }
    if is_code {
        return Some("a block of code does not end");
    }
    (!has_element).then_some("expected a heading, a list, a quotation, a table, strong or emphasised text, or code; found plain text")
}

/// Whether a line begins as a heading, an item of a list, a quotation or a row of a table.
fn is_block(line: &str) -> bool {
    let behind_hashes = line.trim_start_matches('#');
    let is_heading = (1..=6).contains(&(line.len() - behind_hashes.len())) && behind_hashes.starts_with(' ');
    let is_item = ["- ", "* ", "+ ", "> "].iter().any(|mark| line.starts_with(mark));
    let behind_digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = behind_digits.len() < line.len() && [". ", ") "].iter().any(|mark| behind_digits.starts_with(mark));
    // Two bars are an absolute value.
    let is_row = line.starts_with('|') && line.ends_with('|') && line.matches('|').count() > 2;
    is_heading || is_item || is_numbered || is_row
}

/// Whether a line has `*text*` or `_text_` as a word of its own.
fn has_emphasis(line: &str) -> bool {
    ['*', '_'].iter().any(|&mark| {
        line.split_whitespace().any(|word| {
            let word = word.trim_end_matches(|c: char| ".,;:!?".contains(c));
            word.len() > 2 && word.starts_with(mark) && word.ends_with(mark)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, boxed: &str, markdown: &str) {
        let verdicts = [grade_boxed(text, false), grade_markdown(text, false)];
        for (verdict, expected) in verdicts.iter().zip([boxed, markdown]) {
            assert!(verdict.reason.contains(expected), "{text:?}: expected {expected:?}, found {:?}", verdict.reason);
            assert_eq!(verdict.reward == 1.0, expected.contains("stands behind"), "{text:?}");
        }
    }

    #[test]
    fn boxes_and_summaries() {
        let (boxed, no_box) = ("a boxed answer stands behind", "expected a \\boxed");
        let markdown = "a summary in Markdown stands behind";
        check("<think>a</think>\n**Answer:** \\boxed{\\frac{1}{2}}", boxed, markdown);
        check("**Answer:** \\boxed{\\text{a \\} b}}", boxed, markdown);
        check("<think>\\boxed{1}</think>\n- done", no_box, markdown);
        check("<think>a</think>\\boxed{ }", no_box, "found plain text");
        check("<think>a</think>\\boxed{1", no_box, "found plain text");
        check("<think>a</think> \\boxed{1} \\boxed{", boxed, "found plain text");
        check("<think>a \\boxed{1}", "does not end", "does not end");
        check("|special_token|a|special_token|## Result\n1. one\n2. two \\boxed{3}", boxed, markdown);
        check("|special_token|a **b** \\boxed{3}", "does not end", "does not end");
        check("<think>a</think>", no_box, "the summary is empty");
        check("<think>a</think> <think> **b**", no_box, "a tag of the reasoning");
        check("<think>a</think>\n```\nprint(1)", no_box, "a block of code does not end");
        check("<think>a</think>\n```\n**a\n```\nb", no_box, markdown);
        check("<think>a</think> so **b", no_box, "strong text does not end");
        check("<think>a</think> so `b", no_box, "a code span does not end");
        check("<think>a</think> the answer is 3", no_box, "found plain text");
        for element in ["# a", "- a", "* a", "+ a", "> a", "12. a", "1) a", "| a | b |", "a *b* c", "a _b_.", "a `b`", "**a**"] {
            check(&format!("<think>a</think>\n{element}"), no_box, markdown);
        }
        for plain in ["#a", "####### a", "1.5", "-1", "3 * 4 * 5", "a_b_c", "|x|", "1 - 2"] {
            check(&format!("<think>a</think>\n{plain}"), no_box, "found plain text");
        }
    }

    #[test]
    fn the_prompt_may_open_the_reasoning() {
        assert_eq!(grade_boxed("a</think>\\boxed{1}", true).reward, 1.0);
        assert_eq!(grade_boxed("a|special_token|\\boxed{1}", true).reward, 1.0);
        assert_eq!(grade_boxed("a \\boxed{1}", true).reason, "the reasoning does not end");
        assert_eq!(grade_boxed("a \\boxed{1}", false).reward, 1.0);
    }

    #[test]
    fn reasoning_and_summary_of_r1() {
        let reason = |text: &str| grade_think_summary(text, false).reason;
        assert_eq!(grade_think_summary("<think>a</think>\n**2**", false).reward, 1.0);
        assert_eq!(grade_think_summary("a</think>\n**2**", true).reward, 1.0);
        assert_eq!(reason("**2**"), "expected <think> first");
        assert_eq!(reason("so <think>a</think>**2**"), "expected <think> first");
        assert_eq!(reason("<think>a **2**"), "the reasoning does not end");
        assert_eq!(reason("<think> </think>**2**"), "the reasoning is empty");
        assert_eq!(reason("<think>a<think>b</think>**2**"), "the reasoning opens twice");
        assert!(reason("<think>a</think>2").contains("found plain text"));
        assert!(reason("<think>a</think>**2** </think>").contains("a tag of the reasoning"));
    }
}
