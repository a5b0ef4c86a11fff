//! Chores of the workspace: `cargo xtask ci | tidy | check-learning | golden | bench`.

mod learning;
mod scripts;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: cargo xtask COMMAND
  ci                    all that is checked before a change is merged: runs .ci/run
  tidy                  rules of the workspace that no compiler knows
  check-learning DIR    reads DIR/summary.json and fails unless the reward of its `grpo` stages rose
  golden PYTHON [NAME]  remakes the reference numbers in tests/golden with this Python
  bench PYTHON [ARGS]   compares with PyTorch: benches/compare.py";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    match *args.as_slice() {
        ["ci"] => scripts::ci(root),
        ["tidy"] => tidy::tidy(root),
        ["check-learning", dir] => learning::check(Path::new(dir)),
        ["golden", python] => scripts::golden(root, python, None),
        ["golden", python, name] => scripts::golden(root, python, Some(name)),
        ["bench", python, ref rest @ ..] => scripts::bench(root, python, rest),
        _ => bail!("{USAGE}"),
    }
}
