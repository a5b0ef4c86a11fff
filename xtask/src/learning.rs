//! Whether a run learned, from its `summary.json`.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// A reward mean over a few steps of 256 completions moves by a few hundredths by chance.
const LEAST_RISE: f64 = 0.1;

/// Checks the run directory `dir`.
///
/// # Errors
/// No summary, no `grpo` stage, or a stage whose mean reward did not rise.
pub(crate) fn check(dir: &Path) -> Result<()> {
    let path = dir.join("summary.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let summary: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    for line in check_summary(&summary).with_context(|| path.display().to_string())? {
        println!("{line}");
    }
    Ok(())
}

/// One line for each `grpo` stage.
fn check_summary(summary: &Value) -> Result<Vec<String>> {
    let stages = summary["stages"].as_array().context("expected a list under `stages`")?;
    let mut lines = Vec::new();
    for stage in stages.iter().filter(|stage| stage["kind"] == "grpo") {
        let id = stage["id"].as_str().context("a stage without `id`")?;
        let end = |key: &str| stage["reward"][key].as_f64().with_context(|| format!("stage {id}: expected a number under reward.{key}"));
        let (first, last) = (end("first")?, end("last")?);
        let text = format!("stage {id}: mean reward {first:.3} in the first steps, {last:.3} in the last");
        ensure!(last > first + LEAST_RISE, "{text}; expected a rise of more than {LEAST_RISE}");
        lines.push(text);
    }
    if lines.is_empty() {
        bail!("expected a stage of kind grpo, found none");
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn summary(first: f64, last: f64) -> Value {
        json!({ "stages": [{ "id": "base", "kind": "load" }, { "id": "zero", "kind": "grpo", "reward": { "first": first, "last": last } }] })
    }

    #[test]
    fn only_a_rise_passes() {
        assert_eq!(check_summary(&summary(0.5, 1.5)).unwrap(), ["stage zero: mean reward 0.500 in the first steps, 1.500 in the last"]);
        for (first, last) in [(0.5, 0.55), (1.0, 0.5), (0.5, 0.5)] {
            let error = check_summary(&summary(first, last)).unwrap_err().to_string();
            assert!(error.contains("expected a rise of more than 0.1"), "{error}");
        }
    }

    #[test]
    fn a_summary_that_says_nothing_fails() {
        for summary in [json!({}), json!({ "stages": [] }), json!({ "stages": [{ "id": "zero", "kind": "grpo", "reward": null }] })] {
            check_summary(&summary).unwrap_err();
        }
    }
}
