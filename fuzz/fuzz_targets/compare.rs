//! Any gold answer and response, in two lines: judging ends, a vote does not depend on the order, and no answer is proven to be
//! another than itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ruminate_rewards::math::{Method, Options, Verdict, compare_answers, same_answer, verify};

fuzz_target!(|text: &str| {
    let (gold, response) = text.split_once('\n').unwrap_or((text, text));
    let _ = verify(gold, response, &Options { worked_out: true, ..Options::default() });
    assert_eq!(same_answer(gold, response), same_answer(response, gold), "a vote depends on the order");
    // What has no value, as 1/0, is not shown to be equal to itself; that is not a proof.
    let itself = compare_answers(gold, gold);
    assert!(itself.verdict != Verdict::Different || itself.method == Method::Numeric, "not itself: {}", itself.reason);
});
