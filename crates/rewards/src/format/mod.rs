//! Format: whether a completion has the shape that was asked for. What it says is not looked at.

mod r1;
mod summary;
mod tags;
mod think_answer;

use std::fmt;
use std::str::FromStr;

use ruminate_core::{Outcome, Verdict};
use serde::{Deserialize, Serialize};

pub use r1::{SPECIAL_TOKEN, grade_special_token};
pub use summary::behind_reasoning;
pub use think_answer::grade_format;

/// A shape that completions can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormatForm {
    /// One `<think>…</think>`, then one `<answer>…</answer>`, and nothing else: [`grade_format`].
    #[default]
    ThinkAnswer,
    /// open-r1's `format_reward`: the four tags, each with its line breaks, by the same regular expression.
    OpenR1,
    /// R1's cold-start form `|special_token|<reasoning>|special_token|<summary>` (DeepSeek-R1, section 2.3.1).
    R1,
    /// open-r1's `tag_count_reward`: a quarter for each tag that occurs exactly once with its line breaks.
    TagCount,
    /// A `\boxed{…}` behind the reasoning that closes and is not empty.
    Boxed,
    /// A summary in well-formed Markdown behind the reasoning.
    MarkdownSummary,
    /// One `<think>…</think>` with reasoning, then a summary in well-formed Markdown: the responses of R1.
    ThinkSummary,
}

impl FormatForm {
    /// All forms, in the order of the declaration.
    pub const ALL: [Self; 7] =
        [Self::ThinkAnswer, Self::OpenR1, Self::R1, Self::TagCount, Self::Boxed, Self::MarkdownSummary, Self::ThinkSummary];

    /// The name of the form in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ThinkAnswer => "think_answer",
            Self::OpenR1 => "open_r1",
            Self::R1 => "r1",
            Self::TagCount => "tag_count",
            Self::Boxed => "boxed",
            Self::MarkdownSummary => "markdown_summary",
            Self::ThinkSummary => "think_summary",
        }
    }

    /// Grades the shape of a completion: 1 or 0, for [`Self::TagCount`] in quarters.
    ///
    /// `prompt_opens_think`: the prompt already ended with the mark that opens the reasoning (with its line break, where the form asks
    /// for one), so the completion must not open it again.
    pub fn grade(self, text: &str, prompt_opens_think: bool) -> Verdict {
        match self {
            Self::ThinkAnswer => grade_format(text, prompt_opens_think),
            Self::OpenR1 => tags::grade_open_r1(text, prompt_opens_think),
            Self::R1 => grade_special_token(text, SPECIAL_TOKEN, prompt_opens_think),
            Self::TagCount => tags::grade_tag_count(text, prompt_opens_think),
            Self::Boxed => summary::grade_boxed(text, prompt_opens_think),
            Self::MarkdownSummary => summary::grade_markdown(text, prompt_opens_think),
            Self::ThinkSummary => summary::grade_think_summary(text, prompt_opens_think),
        }
    }
}

impl fmt::Display for FormatForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name of no form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown form {0:?}: expected one of {known}", known = FormatForm::ALL.map(FormatForm::as_str).join(", "))]
pub struct UnknownForm(pub String);

impl FromStr for FormatForm {
    type Err = UnknownForm;

    fn from_str(name: &str) -> Result<Self, UnknownForm> {
        Self::ALL.into_iter().find(|form| form.as_str() == name).ok_or_else(|| UnknownForm(name.to_owned()))
    }
}

/// The verdict on a shape: right, or not for a reason.
fn verdict(flaw: Option<String>, right: &str) -> Verdict {
    match flaw {
        None => Verdict::right(right),
        Some(reason) => Verdict::none(Outcome::Wrong, reason),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_find_their_forms_and_others_are_listed() {
        for form in FormatForm::ALL {
            assert_eq!(form.as_str().parse(), Ok(form));
        }
        assert_eq!(
            "xml".parse::<FormatForm>().unwrap_err().to_string(),
            "unknown form \"xml\": expected one of think_answer, open_r1, r1, tag_count, boxed, markdown_summary, think_summary"
        );
    }

    proptest! {
        #[test]
        fn every_form_is_total(
            parts in prop::collection::vec(prop::sample::select(&[
                "<think>", "</think>", "<answer>", "</answer>", "\n", "|special_token|", "\\boxed{", "}", "{", "```", "**", "`", "# ", "- ",
                "1. ", "|", "text", "答案", " ",
            ][..]), 0..14),
            prompt_opens_think: bool,
        ) {
            let text = parts.concat();
            for form in FormatForm::ALL {
                let verdict = form.grade(&text, prompt_opens_think);
                prop_assert!([0.0, 0.25, 0.5, 0.75, 1.0].contains(&verdict.reward) && !verdict.reason.is_empty());
                prop_assert_eq!(verdict.reward > 0.0, verdict.outcome == Outcome::Right);
            }
        }

        #[test]
        fn what_open_r1_accepts_has_all_its_tags(reasoning in "[a-z \n]{1,9}", answer in "[0-9 \n]{1,9}") {
            let text = format!("<think>\n{reasoning}\n</think>\n<answer>\n{answer}\n</answer>");
            for form in [FormatForm::OpenR1, FormatForm::TagCount] {
                prop_assert_eq!(form.grade(&text, false).reward, 1.0);
                prop_assert_eq!(form.grade(text.strip_prefix("<think>\n").unwrap(), true).reward, 1.0);
            }
        }
    }
}
