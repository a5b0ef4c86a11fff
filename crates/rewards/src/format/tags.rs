//! The two format rewards of open-r1: tags with their line breaks.

use ruminate_core::{Outcome, Verdict};

use super::verdict;

/// The tags of [`grade_tag_count`], in order.
const LINES: [&str; 4] = ["<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>"];

/// Reward 1 for what `^<think>\n.*?\n</think>\n<answer>\n.*?\n</answer>$` matches from the beginning, where `.` is any character and `$`
/// the end of any line.
pub(super) fn grade_open_r1(text: &str, prompt_opens_think: bool) -> Verdict {
    verdict(flaw(text, prompt_opens_think).map(str::to_owned), "the tags stand on lines of their own, in order")
}

fn flaw(text: &str, prompt_opens_think: bool) -> Option<&'static str> {
    let reasoning = if prompt_opens_think { Some(text) } else { text.strip_prefix(LINES[0]) };
    let Some(reasoning) = reasoning else { return Some("expected <think> and a line break at the beginning") };
    let Some((_, answer)) = reasoning.split_once("\n</think>\n<answer>\n") else {
        return Some("expected </think> and <answer> on two lines that follow each other");
    };
    let mut ends = answer.match_indices(LINES[3]).map(|(at, tag)| &answer[at + tag.len()..]);
    let ends_line = ends.any(|behind| behind.is_empty() || behind.starts_with('\n'));
    (!ends_line).then_some("expected </answer> on a line of its own behind <answer>")
}

/// A quarter for each tag that occurs exactly once with its line breaks.
pub(super) fn grade_tag_count(text: &str, prompt_opens_think: bool) -> Verdict {
    let mut missing = Vec::new();
    for (tag_idx, tag) in LINES.iter().enumerate() {
        let n_opened = usize::from(prompt_opens_think && tag_idx == 0);
        let found = text.matches(tag).count() + n_opened;
        if found != 1 {
            missing.push(format!("{}: {found}", tag.trim()));
        }
    }
    let reward = 1.0 - 0.25 * missing.len() as f32;
    if missing.is_empty() {
        return Verdict::right("each tag occurs once with its line breaks");
    }
    let outcome = if reward > 0.0 { Outcome::Right } else { Outcome::Wrong };
    Verdict { reward, outcome, reason: format!("expected each tag once with its line breaks, found {}", missing.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "<think>\na\n</think>\n<answer>\nb\n</answer>";

    /// Rewards of both forms.
    fn check(text: &str, open_r1: f32, tag_count: f32) {
        assert_eq!((grade_open_r1(text, false).reward, grade_tag_count(text, false).reward), (open_r1, tag_count), "{text:?}");
    }

    /// The rewards were computed with Python's `re.match(…, re.DOTALL | re.MULTILINE)` and `str.count`.
    #[test]
    fn rewards_are_those_of_open_r1() {
        check(GOOD, 1.0, 1.0);
        check(&format!("{GOOD}\nmore"), 1.0, 1.0);
        check(&format!("{GOOD} more"), 0.0, 1.0);
        check(&format!(" {GOOD}"), 0.0, 1.0);
        check(&format!("{GOOD}\n{GOOD}"), 1.0, 0.0);
        check("<think>\n</think>\n<answer>\nb\n</answer>", 0.0, 1.0);
        check("<think>\n\n</think>\n<answer>\n\n</answer>", 1.0, 1.0);
        check("<think>a</think>\n<answer>\nb\n</answer>", 0.0, 0.5);
        check("<think>\na\n</think>\n\n<answer>\nb\n</answer>", 0.0, 1.0);
        check("<think>\na\n</think>\n<answer>\n</answer>", 0.0, 1.0);
        check("<think>\na\n</think>\n", 0.0, 0.5);
        check("", 0.0, 0.0);
    }

    #[test]
    fn the_prompt_may_open_the_reasoning() {
        assert_eq!(grade_open_r1("a\n</think>\n<answer>\nb\n</answer>", true).reward, 1.0);
        assert_eq!(grade_tag_count("a\n</think>\n<answer>\nb\n</answer>", true).reward, 1.0);
        assert_eq!(grade_tag_count(GOOD, true).reason, "expected each tag once with its line breaks, found <think>: 2");
    }
}
