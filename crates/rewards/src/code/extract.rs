//! The program in a completion.

/// The program that a completion gives as its answer: the text of the last fenced block of code, or the whole text if there is none.
///
/// What stands inside `<think>` is not looked at, and `<answer>` is taken off.
pub fn program_of(completion: &str) -> &str {
    let text = completion.rsplit_once("</think>").map_or(completion, |(_, answer)| answer);
    let text = text.split_once("<answer>").map_or(text, |(_, answer)| answer);
    let text = text.split_once("</answer>").map_or(text, |(answer, _)| answer);
    last_block(text).unwrap_or(text)
}

/// The last block between lines that start with three backticks. A block that is not closed runs to the end.
fn last_block(text: &str) -> Option<&str> {
    let (mut open, mut found, mut at) = (None, None, 0);
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        if line.trim_start().starts_with("```") {
            match open.take() {
                Some(start) => found = text.get(start..at),
                None => open = Some(next),
            }
        }
        at = next;
    }
    match open {
        Some(start) if !text[start..].trim().is_empty() => text.get(start..),
        _ => found,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_block_is_the_program() {
        for (completion, program) in [
            ("x = 1\n", "x = 1\n"),
            ("```python\nx = 1\n```", "x = 1\n"),
            ("First:\n```\na\n```\nbetter:\n```py\nb\n```\ndone", "b\n"),
            ("<think>```\nno\n```</think><answer>```python\nyes\n```</answer>", "yes\n"),
            ("<think>x</think> <answer>y = 2</answer>", "y = 2"),
            ("```python\ncut", "cut"),
            ("```python\na\n```\nand\n```", "a\n"),
            ("  ```\n  indented\n  ```", "  indented\n"),
            ("", ""),
        ] {
            assert_eq!(program_of(completion), program, "{completion}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_program(text in "(`{3}|\n|<think>|</think>|<answer>|</answer>|a| |é){0,30}") {
            prop_assert!(text.contains(program_of(&text)));
        }
    }
}
