//! `kind = "grpo"`: reinforcement learning.

use ruminate_rewards::{Component, RewardMix};
use ruminate_tasks::difficulty::DifficultySettings;
use ruminate_train::presets::{self, GrpoPreset};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::recipe::checks::Checks;
use crate::recipe::config::{DataSplit, PromptSource, Template};
use crate::recipe::error::{Problem, RecipeError};
use crate::recipe::fields::field_names;
use crate::recipe::prompts::{resolve_prompts, resolve_system};
use crate::recipe::rewards::resolve_rewards;
use crate::recipe::source::{Part, Source};

/// The preset's key that a recipe writes as `max_new_tokens`, the name that evaluation and the command line use too.
const PRESET_BUDGET: &str = "max_completion_tokens";

/// Options of a preset that `false` switches off, since TOML cannot write "none".
const OPTIONAL_SETTINGS: [&str; 4] = ["dual_clip", "importance_cap", "reference_refresh_steps", "overlong_cache_share"];

/// Reinforcement learning from rule-based rewards.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct GrpoConfig {
    /// Id of the stage whose policy is trained.
    pub(crate) policy: String,
    /// Name of the preset that `settings` started from.
    pub(crate) preset: String,
    /// How a question becomes a prompt.
    pub(crate) template: Template,
    /// System message of the template `chat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system: Option<String>,
    /// Optimizer steps; with `compute_of` an upper bound, and not needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<u64>,
    /// Id of the stage whose compute is spent, rather than a number of steps made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compute_of: Option<String>,
    /// When problems that teach nothing are rare; `None`: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) difficulty_memory: Option<DifficultySettings>,
    /// Share of the stage after which rewards of reward models count; `None`: from the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preference_from: Option<f32>,
    /// Whether the stage stops when a reward rises while accuracy falls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop_on_hacking: Option<StopOnHacking>,
    /// Nucleus of sampling; 1 is the whole distribution.
    pub(crate) top_p: f32,
    /// Most probable tokens that are kept; 0 keeps all.
    pub(crate) top_k: u32,
    /// Least share of the largest probability that is kept; 0 keeps all.
    pub(crate) min_p: f32,
    /// Sequences decoded at once.
    pub(crate) max_batch: usize,
    /// Most tokens of a training forward pass.
    pub(crate) microbatch_tokens: usize,
    /// Blocks whose activations are computed again in the backward instead of kept.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub(crate) recompute_layers: usize,
    /// Strings that end a completion.
    pub(crate) stop: Vec<String>,
    /// Steps between saved states.
    pub(crate) save_every: u64,
    /// Steps between evaluations on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evaluate_every: Option<u64>,
    /// What is taken away, in a control run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) control: Option<Control>,
    /// Ids of the stages whose reward models score rollouts.
    #[serde(skip_serializing_if = "RewardModels::is_empty")]
    pub(crate) reward_models: RewardModels,
    /// Weights of the rewards.
    pub(crate) rewards: RewardMix,
    /// Preset with the recipe's changes; its `max_completion_tokens` is the generation budget.
    pub(crate) settings: GrpoPreset,
    /// Where problems come from.
    pub(crate) prompts: Vec<PromptSource>,
}

/// Ids of the stages whose reward models score rollouts, by the reward that they give.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RewardModels {
    /// The model behind the reward `helpful`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) helpful: Option<String>,
    /// The model behind the reward `safe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) safe: Option<String>,
}

impl RewardModels {
    /// Each model with its reward.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Component, &str)> {
        let both = [(Component::Helpful, &self.helpful), (Component::Safe, &self.safe)];
        both.into_iter().filter_map(|(component, id)| Some((component, id.as_deref()?)))
    }

    fn is_empty(&self) -> bool {
        self.each().next().is_none()
    }
}

/// When a stage stops because a reward rises while accuracy falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StopOnHacking {
    /// Rounds that are compared with as many before them.
    pub(crate) window: usize,
}

impl Default for StopOnHacking {
    fn default() -> Self {
        Self { window: 20 }
    }
}

/// What a control run takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Control {
    /// Every advantage is zero: nothing but the KL term and weight decay is left to learn from.
    ZeroAdvantage,
    /// The rewards of each group are given to its completions at random: a group moves the policy as far as ever, towards nothing.
    ShuffledRewards,
}

/// `kind = "grpo"`; every key of a preset but `max_completion_tokens` may stand beside these and replaces the preset's value.
#[derive(Debug, Deserialize)]
struct GrpoFile {
    /// Id of the stage whose policy is trained.
    policy: String,
    /// Name of a preset.
    preset: String,
    /// Where problems come from.
    prompts: Vec<Value>,
    /// How a question becomes a prompt.
    template: Template,
    /// System message of the template `chat`.
    system: Option<String>,
    /// Weights of the rewards; default: accuracy and format, equally.
    rewards: Option<Table>,
    /// Stages whose reward models score rollouts: `{ helpful = "ID", safe = "ID" }`.
    reward_models: Option<Table>,
    /// Optimizer steps.
    steps: Option<u64>,
    /// In place of steps: goes on until it has spent as many floating-point operations as this stage.
    compute_of: Option<String>,
    /// `true`, or a table: solved and hopeless problems are rare.
    difficulty_memory: Option<Value>,
    /// Rewards of reward models count from this share of the stage on; default: from the start.
    preference_from: Option<f32>,
    /// `true`, or a table: stops when a reward rises while accuracy falls, and keeps the policy from before.
    stop_on_hacking: Option<Value>,
    /// Generation budget; replaces `max_completion_tokens` of the preset.
    max_new_tokens: Option<u32>,
    /// Default 1: no truncation.
    top_p: Option<f32>,
    /// Keep the k most probable tokens; default 0: all.
    top_k: Option<u32>,
    /// Keep tokens with at least this share of the largest probability; default 0: all.
    min_p: Option<f32>,
    /// Sequences decoded at once; default 64.
    max_batch: Option<usize>,
    /// Tokens of a training forward pass; default 4096.
    microbatch_tokens: Option<usize>,
    /// Blocks whose activations are computed again in the backward instead of kept; default 0.
    recompute_layers: Option<usize>,
    /// Strings that end a completion; default: the template's.
    stop: Option<Vec<String>>,
    /// Steps between saved states; default 10.
    save_every: Option<u64>,
    /// Steps between evaluations on the way; default: none.
    evaluate_every: Option<u64>,
    /// Takes the reason to learn away, to see that nothing else is at work.
    control: Option<Control>,
}

/// Reads the stage's table.
pub(in crate::recipe) fn resolve(source: &Source, body: &Table, part: &Part) -> Result<GrpoConfig, RecipeError> {
    let own = field_names::<GrpoFile>();
    let settings_keys: Vec<String> = field_names::<GrpoPreset>().into_iter().filter(|key| key != PRESET_BUDGET).collect();
    let known: Vec<String> = own.iter().chain(&settings_keys).cloned().collect();
    source.check_keys(body, part, &known)?;
    let (own_keys, changes): (Table, Table) = body.clone().into_iter().partition(|(key, _)| own.contains(key));
    let file: GrpoFile = source.read_known(&own_keys, part)?;
    let settings = resolve_settings(source, part, &file, changes)?;

    let check = Checks { source, part };
    check.at_least_one("steps", file.steps.unwrap_or(1))?;
    if file.steps.is_none() && file.compute_of.is_none() {
        return Err(source.error(part, None, Problem::MissingKey { key: "steps".into() }));
    }
    let config = GrpoConfig {
        policy: file.policy,
        preset: file.preset,
        template: file.template,
        steps: file.steps,
        compute_of: file.compute_of,
        difficulty_memory: switch(source, part, "difficulty_memory", file.difficulty_memory)?,
        preference_from: file.preference_from,
        stop_on_hacking: switch(source, part, "stop_on_hacking", file.stop_on_hacking)?,
        top_p: file.top_p.unwrap_or(1.0),
        top_k: file.top_k.unwrap_or(0),
        min_p: file.min_p.unwrap_or(0.0),
        max_batch: file.max_batch.unwrap_or(64),
        microbatch_tokens: file.microbatch_tokens.unwrap_or(4096),
        recompute_layers: file.recompute_layers.unwrap_or(0),
        stop: file.stop.unwrap_or_else(|| file.template.default_stop()),
        save_every: file.save_every.unwrap_or(10),
        evaluate_every: file.evaluate_every,
        control: file.control,
        reward_models: match &file.reward_models {
            Some(table) => source.read_table(table, &part.key("reward_models"))?,
            None => RewardModels::default(),
        },
        rewards: match &file.rewards {
            Some(table) => resolve_rewards(source, table, part)?,
            None => RewardMix::default(),
        },
        settings,
        prompts: resolve_prompts(source, &file.prompts, part, DataSplit::Train)?,
        system: resolve_system(source, part, file.template, file.system)?,
    };
    check_reward_models(&check, &config)?;
    check.at_least_one("max_batch", config.max_batch as u64)?;
    check.at_least_one("microbatch_tokens", config.microbatch_tokens as u64)?;
    check.at_least_one("save_every", config.save_every)?;
    check.at_least_one("evaluate_every", config.evaluate_every.unwrap_or(1))?;
    check.share("top_p", config.top_p)?;
    check.hold((0.0..1.0).contains(&config.min_p), "min_p", "a number in [0, 1)", &config.min_p)?;
    check.range("preference_from", config.preference_from.unwrap_or(0.0), 0.0, 1.0)?;
    if let Some(difficulty) = config.difficulty_memory {
        let check = Checks { source, part: &part.key("difficulty_memory") };
        check.share("rare", difficulty.rare as f32)?;
        check.share("smoothing", difficulty.smoothing as f32)?;
        check.share("solved", difficulty.solved as f32)?;
        check.at_least_one("looks", difficulty.looks.into())?;
    }
    if let Some(stop) = config.stop_on_hacking {
        let check = Checks { source, part: &part.key("stop_on_hacking") };
        check.hold(stop.window >= 2, "window", "a number >= 2", &stop.window)?;
    }
    Ok(config)
}

/// A reward from a model needs the model, and a model needs a weight.
fn check_reward_models(check: &Checks<'_>, config: &GrpoConfig) -> Result<(), RecipeError> {
    let all = || std::iter::once(&config.rewards.weights).chain(config.rewards.kinds.values());
    for component in [Component::Helpful, Component::Safe] {
        let (name, weighs) = (component.as_str(), all().any(|weights| weights.of(component) != 0.0));
        let has_model = config.reward_models.each().any(|(of, _)| of == component);
        check.hold(!weighs || has_model, "rewards", &format!("reward_models.{name} beside a weight of {name}"), &"none")?;
        check.hold(weighs || !has_model, "reward_models", &format!("a weight of {name} in rewards beside its model"), &"none")?;
    }
    Ok(())
}

/// An option that `true` switches on, and a table with settings of its own.
fn switch<T: Default + DeserializeOwned>(source: &Source, part: &Part, key: &str, value: Option<Value>) -> Result<Option<T>, RecipeError> {
    match value {
        None | Some(Value::Boolean(false)) => Ok(None),
        Some(Value::Boolean(true)) => Ok(Some(T::default())),
        Some(Value::Table(table)) => source.read_table(&table, &part.key(key)).map(Some),
        Some(other) => {
            let message = format!("expected true, false or a table, found {}", other.type_str());
            Err(source.error(part, Some(key), Problem::value(key, message)))
        }
    }
}

fn resolve_settings(source: &Source, part: &Part, file: &GrpoFile, changes: Table) -> Result<GrpoPreset, RecipeError> {
    let text = presets::preset_toml(&file.preset).map_err(|_| {
        let known = presets::preset_names().map(str::to_owned).collect();
        source.error(part, Some("preset"), Problem::unknown_name("preset", &file.preset, known))
    })?;
    let mut table: Table = toml::from_str(text).expect("presets are valid TOML");
    for (key, value) in changes {
        if value == Value::Boolean(false) && OPTIONAL_SETTINGS.contains(&key.as_str()) {
            table.remove(&key);
        } else {
            table.insert(key, value);
        }
    }
    if let Some(budget) = file.max_new_tokens {
        table.insert(PRESET_BUDGET.into(), Value::Integer(budget.into()));
    }
    let settings: GrpoPreset = source.read_known(&table, part)?;
    settings.validate().map_err(|error| source.error(part, None, Problem::Preset(error)))?;
    Ok(settings)
}
