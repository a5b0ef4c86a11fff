//! Writes the stress set of the maths verifier as JSON lines: `{id, family, gold, response, answer, equal}`.
//!
//! ```sh
//! cargo run -p ruminate-rewards --example math_pairs -- [FOLDER] [--seed N] > pairs.jsonl
//! ```
//!
//! FOLDER holds real answers: `math500.jsonl.gz`, `math_train.jsonl.gz` and `gsm8k_test.jsonl.gz`, each line with an `answer`.
//! Another seed (1 if not given) gives other pairs of the same families. `--hostile` alone writes texts made to take long: `{name, gold, response}`.

#[path = "../tests/math_pairs/hostile.rs"]
mod hostile;
#[path = "../tests/math_pairs/pairs/mod.rs"]
mod pairs;

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut folder = None;
    let mut seed = 1;
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--hostile" {
            for item in hostile::hostile() {
                writeln!(out, "{}", serde_json::json!({ "name": item.name, "gold": item.gold, "response": item.response }))?;
            }
            return Ok(());
        } else if argument == "--seed" {
            let value = arguments.next().ok_or("expected a number behind --seed")?;
            seed = value.to_string_lossy().parse()?;
        } else {
            folder = Some(argument);
        }
    }
    let mut set = pairs::built(seed);
    if let Some(folder) = folder {
        let answers =
            pairs::read_answers(folder.as_ref()).ok_or("expected math500, math_train and gsm8k_test as .jsonl.gz in the folder")?;
        set.extend(pairs::from_answers(&answers, seed));
    }
    for (id, pair) in set.iter().enumerate() {
        let line = serde_json::json!({
            "id": id, "family": pair.family, "gold": pair.gold, "response": pair.response, "answer": pair.answer, "equal": pair.equal,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
