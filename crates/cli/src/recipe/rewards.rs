//! `rewards = { … }` of a stage.

use ruminate_rewards::{RewardMix, RewardOptions, Weights};
use toml::{Table, Value};

use super::error::{Problem, RecipeError};
use super::fields::field_names;
use super::source::{Part, Source};

/// Weights that a recipe leaves out are 0: `{ accuracy = 1.0 }` is the accuracy reward alone. `kinds` has weights for kinds of
/// problems, `options` the settings of rewards that have some.
pub(super) fn resolve_rewards(source: &Source, table: &Table, part: &Part) -> Result<RewardMix, RecipeError> {
    let at = part.key("rewards");
    let known: Vec<String> = field_names::<Weights>().into_iter().chain(["kinds", "options"].map(str::to_owned)).collect();
    source.check_keys(table, &at, &known)?;
    let mut weights = table.clone();
    let sub_table = |value: Option<Value>, key: &str| match value {
        None => Ok(Table::new()),
        Some(Value::Table(table)) => Ok(table),
        Some(other) => Err(source.error(&at, Some(key), Problem::value(key, format!("expected a table, found {}", other.type_str())))),
    };
    let kinds = sub_table(weights.remove("kinds"), "kinds")?;
    let options = sub_table(weights.remove("options"), "options")?;
    let resolve_kind = |(kind, value): (String, Value)| {
        let part = at.key("kinds").key(&kind);
        let table = sub_table(Some(value), "kinds")?;
        Ok((kind, source.read_table::<Weights>(&table, &part)?))
    };
    let options: RewardOptions = source.read_table(&options, &at.key("options"))?;
    if !(options.repetition.max_penalty <= 0.0 && options.repetition.max_penalty.is_finite()) {
        let message = format!("expected max_penalty to be at most 0, found {}", options.repetition.max_penalty);
        return Err(source.error(&at.key("options"), Some("repetition"), Problem::value("repetition", message)));
    }
    Ok(RewardMix {
        weights: source.read_known(&weights, &at)?,
        kinds: kinds.into_iter().map(resolve_kind).collect::<Result<_, RecipeError>>()?,
        options,
    })
}
