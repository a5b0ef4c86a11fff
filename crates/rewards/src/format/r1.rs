//! The form of R1's cold-start data: reasoning between two special tokens, then a summary (DeepSeek-R1, section 2.3.1).

use ruminate_core::Verdict;

use super::verdict;

/// The token as the paper writes it.
pub const SPECIAL_TOKEN: &str = "|special_token|";

/// Reward 1 for `token reasoning token summary`: exactly two tokens (one if the prompt ended with the first), only white space before
/// the first, and neither part empty.
pub fn grade_special_token(text: &str, token: &str, prompt_opens_reasoning: bool) -> Verdict {
    verdict(flaw(text, token, prompt_opens_reasoning), "reasoning between special tokens, then a summary")
}

fn flaw(text: &str, token: &str, prompt_opens_reasoning: bool) -> Option<String> {
    let expected = if prompt_opens_reasoning { 1 } else { 2 };
    let found = text.matches(token).count();
    if token.is_empty() || found != expected {
        return Some(format!("expected {expected} of {token}, found {found}"));
    }
    let body = if prompt_opens_reasoning { Some(text) } else { text.trim_start().strip_prefix(token) };
    let Some((reasoning, summary)) = body.and_then(|body| body.split_once(token)) else {
        return Some(format!("text before {token}"));
    };
    if reasoning.trim().is_empty() {
        return Some("the reasoning is empty".into());
    }
    summary.trim().is_empty().then(|| "the summary is empty".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, opened: bool, reason: &str) {
        let verdict = grade_special_token(text, SPECIAL_TOKEN, opened);
        assert_eq!(verdict.reason, reason, "{text}");
        assert_eq!(verdict.reward == 1.0, reason.starts_with("reasoning between"), "{text}");
    }

    #[test]
    fn flaws_are_named() {
        let right = "reasoning between special tokens, then a summary";
        check("|special_token|a|special_token|b", false, right);
        check("\n|special_token|\na\n|special_token|\n**b**\n", false, right);
        check("a|special_token|b", true, right);
        check("|special_token|a|special_token|b", true, "expected 1 of |special_token|, found 2");
        check("a|special_token|b", false, "expected 2 of |special_token|, found 1");
        check("x|special_token|a|special_token|b", false, "text before |special_token|");
        check("|special_token| |special_token|b", false, "the reasoning is empty");
        check("|special_token|a|special_token| ", false, "the summary is empty");
        check("", false, "expected 2 of |special_token|, found 0");
        assert_eq!(grade_special_token("a", "", false).reward, 0.0);
        assert_eq!(grade_special_token("<t>a<t>b", "<t>", false).reward, 1.0);
    }
}
