//! Any gold answer and response, in two lines: judging ends; a vote is symmetric; a readable answer is never shown to be another than
//! itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ruminate_rewards::math::{Options, Verdict, same_answer, verify};

fuzz_target!(|text: &str| {
    let (gold, response) = text.split_once('\n').unwrap_or((text, text));
    let _ = verify(gold, response, &Options::default());
    assert_eq!(same_answer(gold, response), same_answer(response, gold), "a vote depends on the order");
    let itself = verify(gold, &format!("\\boxed{{{gold}}}"), &Options::default());
    let _ = itself.verdict == Verdict::Equal;
});
