//! Which of several variants becomes the policy of the stage.

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use ruminate_model::{Checkpoint, Policy, SaveDtype};
use serde::{Deserialize, Serialize};

use super::VariantResult;
use crate::recipe::{BestBy, SftConfig};
use crate::run_dir::{StageDir, io_context, write_atomically, write_json};
use crate::stages::StageContext;
use crate::stages::evaluate::percent;

/// `variants.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Variants {
    /// What the best variant was chosen by.
    pub(crate) best_by: BestBy,
    /// Name of the variant whose policy is the stage's: the best one of the first policy.
    pub(crate) chosen: String,
    /// All variants, those of the first policy first.
    pub(crate) variants: Vec<VariantResult>,
}

/// Chooses, says why, and gives the stage the checkpoint, metrics and evaluation of the chosen variant.
pub(super) fn take_best(ctx: &StageContext<'_>, dir: &StageDir, config: &SftConfig, results: &[VariantResult]) -> Result<()> {
    let chosen = best(config.best_by, &config.policies[0], results).context("expected a variant of the first policy, found none")?;
    let from = dir.variant(&chosen.name);
    let checkpoint = Checkpoint::open(&from.checkpoint())?;
    let policy = Policy::load(ctx.device, &checkpoint)?;
    policy.save(&dir.checkpoint(), &checkpoint.tokenizer, checkpoint.chat_template.as_ref(), SaveDtype::F32)?;
    let evaluation = [(from.evaluation_rollouts(), dir.evaluation_rollouts()), (from.evaluation(), dir.evaluation())];
    let data = [(from.path().join("data.json"), dir.path().join("data.json")), (from.metrics(), dir.metrics())];
    for (from, to) in data.into_iter().chain(evaluation.into_iter().filter(|(from, _)| from.exists())) {
        let bytes = std::fs::read(&from).with_context(io_context("read", &from))?;
        write_atomically(&to, &bytes)?;
    }
    let variants = Variants { best_by: config.best_by, chosen: chosen.name.clone(), variants: results.to_vec() };
    write_json(&dir.path().join("variants.json"), &variants)?;
    let by = match config.best_by {
        BestBy::HeldOutLoss => "the least held-out loss",
        BestBy::PassAt1 => "the highest pass@1",
        BestBy::Last => "the least training loss in the end",
    };
    ctx.ui.say(&table(&variants));
    ctx.ui.say(&format!(
        "the policy of the stage is {}: of the variants of '{}', the first policy, the one with {by}",
        chosen.name, config.policies[0]
    ));
    Ok(())
}

/// The best variant of a policy; of equal ones the first.
fn best<'a>(by: BestBy, policy: &str, results: &'a [VariantResult]) -> Option<&'a VariantResult> {
    let cost = |result: &VariantResult| match by {
        BestBy::HeldOutLoss => result.held_out_loss.unwrap_or(f64::INFINITY),
        BestBy::PassAt1 => -result.pass_at_1.map_or(f64::NEG_INFINITY, |interval| interval.mean),
        BestBy::Last => result.last_loss,
    };
    results.iter().filter(|result| result.policy == policy).min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

fn table(variants: &Variants) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["variant", "parameters", "steps", "best step", "held-out loss", "pass@1 [95%]", "training FLOPs"]);
    for result in &variants.variants {
        let mark = if result.name == variants.chosen { " *" } else { "" };
        table.add_row([
            format!("{}{mark}", result.name),
            result.n_parameters.to_string(),
            result.steps.to_string(),
            result.best_step.to_string(),
            result.held_out_loss.map_or_else(String::new, |loss| format!("{loss:.4}")),
            result.pass_at_1.as_ref().map_or_else(String::new, percent),
            format!("{:.2e}", result.flops),
        ]);
    }
    for column in 1..7 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use ruminate_tasks::statistics::Interval;

    use super::*;

    fn result(name: &str, policy: &str, held_out_loss: f64, pass_at_1: f64, last_loss: f64) -> VariantResult {
        VariantResult {
            name: name.into(),
            policy: policy.into(),
            learning_rate: 1e-3,
            n_parameters: 10,
            steps: 4,
            best_step: 2,
            held_out_loss_before: Some(3.0),
            held_out_loss: Some(held_out_loss),
            last_loss,
            pass_at_1: Some(Interval { mean: pass_at_1, lo: 0.0, hi: 1.0, n_problems: 5, k: 2 }),
            flops: 1e6,
        }
    }

    #[test]
    fn the_best_of_the_first_policy_is_chosen_by_what_was_asked() {
        let results = [
            result("a1", "a", 1.5, 0.4, 0.9),
            result("a2", "a", 1.2, 0.3, 1.0),
            result("a3", "a", 1.2, 0.4, 0.8),
            result("b1", "b", 0.1, 0.9, 0.1),
        ];
        let chosen = |by| best(by, "a", &results).unwrap().name.as_str();
        assert_eq!([chosen(BestBy::HeldOutLoss), chosen(BestBy::PassAt1), chosen(BestBy::Last)], ["a2", "a1", "a3"]);
        assert!(best(BestBy::Last, "c", &results).is_none());
        let text = table(&Variants { best_by: BestBy::Last, chosen: "a3".into(), variants: results.to_vec() });
        assert!(text.contains("a3 *") && text.contains("1.2000") && text.contains("1.00e6"), "{text}");
    }
}
