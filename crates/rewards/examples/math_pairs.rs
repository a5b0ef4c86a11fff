//! Writes the stress set of the maths verifier as JSON lines: `{id, family, gold, response, answer, equal}`.
//!
//! ```sh
//! cargo run -p ruminate-rewards --example math_pairs -- [FOLDER] > pairs.jsonl
//! ```
//!
//! FOLDER holds real answers: `math500.jsonl.gz`, `math_train.jsonl.gz` and `gsm8k_test.jsonl.gz`, each line with an `answer`.
//! `--hostile` in its place writes texts made to take long: `{name, gold, response}`.

#[path = "../tests/math_pairs/hostile.rs"]
mod hostile;
#[path = "../tests/math_pairs/pairs/mod.rs"]
mod pairs;

use std::io::Write;

const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let argument = std::env::args_os().nth(1);
    if argument.as_ref().is_some_and(|argument| argument == "--hostile") {
        for item in hostile::hostile() {
            writeln!(out, "{}", serde_json::json!({ "name": item.name, "gold": item.gold, "response": item.response }))?;
        }
        return Ok(());
    }
    let mut set = pairs::built(SEED);
    if let Some(folder) = argument {
        let answers =
            pairs::read_answers(folder.as_ref()).ok_or("expected math500, math_train and gsm8k_test as .jsonl.gz in the folder")?;
        set.extend(pairs::from_answers(&answers, SEED));
    }
    for (id, pair) in set.iter().enumerate() {
        let line = serde_json::json!({
            "id": id, "family": pair.family, "gold": pair.gold, "response": pair.response, "answer": pair.answer, "equal": pair.equal,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
