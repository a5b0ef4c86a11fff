//! Judges pairs from standard input with the maths verifier, one JSON object a line.
//!
//! Reads `{id, gold, response}` and writes `{id, verdict, reason, method, nanos}`; `nanos` is the CPU time of this one judgement. A
//! panic is the verdict `panic`.

use std::io::{BufRead, Write};

use ruminate_rewards::math::{Options, verify};

#[derive(serde::Deserialize)]
struct Item {
    id: u64,
    gold: String,
    response: String,
}

/// Time that this thread has worked.
fn cpu_nanos() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let item: Item = serde_json::from_str(&line?)?;
        let since = cpu_nanos();
        let judged = std::panic::catch_unwind(|| verify(&item.gold, &item.response, &options));
        let nanos = cpu_nanos() - since;
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
