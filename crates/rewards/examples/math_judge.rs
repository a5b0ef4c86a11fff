//! Judges pairs from standard input with the maths verifier, one JSON object a line.
//!
//! Reads `{id, gold, response}` and writes `{id, verdict, reason, method, nanos}`; `nanos` is the time of this one judgement. A panic
//! is the verdict `panic`.

use std::io::{BufRead, Write};
use std::time::Instant;

use ruminate_rewards::math::{Options, verify};

#[derive(serde::Deserialize)]
struct Item {
    id: u64,
    gold: String,
    response: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let item: Item = serde_json::from_str(&line?)?;
        let since = Instant::now();
        let judged = std::panic::catch_unwind(|| verify(&item.gold, &item.response, &options));
        let nanos = u64::try_from(since.elapsed().as_nanos())?;
        let line = match judged {
            Ok(comparison) => serde_json::json!({
                "id": item.id, "verdict": comparison.verdict, "reason": comparison.reason, "method": comparison.method, "nanos": nanos,
            }),
            Err(_) => serde_json::json!({ "id": item.id, "verdict": "panic", "reason": "a panic", "method": null, "nanos": nanos }),
        };
        writeln!(out, "{line}")?;
    }
    Ok(())
}
