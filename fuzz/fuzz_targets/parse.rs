//! Any answer: reading it ends, with readings that can be written, or with an error that points into the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ruminate_rewards::math::parse::{ParseError, read};

fuzz_target!(|text: &str| {
    match read(text) {
        Ok(readings) => {
            assert!((1..=4).contains(&readings.len()), "{} readings", readings.len());
            for reading in readings {
                let _ = reading.to_string();
            }
        }
        Err(ParseError::Unreadable { at, .. }) => assert!(at <= text.len(), "an error behind the end of the text"),
        Err(ParseError::Exhausted) => {}
    }
});
