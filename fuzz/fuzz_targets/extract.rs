//! Any response: finding its answers ends, and what is found stands in the response.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ruminate_rewards::math::extract::{Extraction, Several, candidates};

fuzz_target!(|text: &str| {
    for several in [Several::Last, Several::AllAgree] {
        let extraction = Extraction { several, ..Extraction::default() };
        for found in candidates(text, &extraction) {
            assert!(text.contains(found.text), "{:?} is not in the response", found.text);
        }
    }
});
