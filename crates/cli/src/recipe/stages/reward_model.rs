//! `kind = "reward_model"`: a model that scores responses.

use std::path::PathBuf;

use ruminate_model::Reads;
use ruminate_train::schedule::{ScheduleConfig, ScheduleKind};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::recipe::checks::Checks;
use crate::recipe::config::{DataSplit, PromptSource, Template};
use crate::recipe::error::{Problem, RecipeError};
use crate::recipe::optimizer::AdamW;
use crate::recipe::prompts::resolve_prompts;
use crate::recipe::source::{Part, Source};

/// A reward model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RewardModelConfig {
    /// Id of the stage whose policy it starts from.
    pub(crate) policy: String,
    /// What it reads of a response.
    pub(crate) reads: Reads,
    /// What it learns from.
    pub(crate) loss: RewardLoss,
    /// How prompt and response become a text; `None`: the checkpoint's chat template, or that of the tiny world where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) template: Option<Template>,
    /// Least margin of a pair that is kept, exclusive.
    pub(crate) min_margin: f32,
    /// Whether pairs go until length says little about which response is better.
    pub(crate) balance_lengths: bool,
    /// What a pair's margin is multiplied with before it is taken off the difference of its scores; 0 leaves margins out of the loss.
    pub(crate) loss_margin: f32,
    /// Share of the prompts that are held out.
    pub(crate) held_out: f64,
    /// Passes over the data.
    pub(crate) epochs: u64,
    /// Pairs of an optimizer step; labelled responses are twice as many.
    pub(crate) batch_pairs: usize,
    /// Most tokens of a forward pass.
    pub(crate) microbatch_tokens: usize,
    /// Most tokens of a text; longer ones are left out and counted; `None`: the context of the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_tokens: Option<usize>,
    /// Blocks whose activations are computed again in the backward instead of kept.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub(crate) recompute_layers: usize,
    /// How gradients become steps.
    #[serde(flatten)]
    pub(crate) optimizer: AdamW,
    /// Steps between saved states.
    pub(crate) save_every: u64,
    /// Learning rate by step.
    pub(crate) schedule: ScheduleConfig,
    /// Where pairs or labels come from.
    pub(crate) source: RewardSource,
}

/// What a reward model learns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RewardLoss {
    /// Pairs of responses of which one is better.
    Pairwise,
    /// Responses that are good or not.
    Pointwise,
}

impl RewardLoss {
    /// Sequences of one entry of the data.
    pub(crate) fn n_sequences(self) -> usize {
        match self {
            Self::Pairwise => 2,
            Self::Pointwise => 1,
        }
    }
}

/// Where pairs or labels come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum RewardSource {
    /// A file that holds them.
    File {
        /// JSON lines or Parquet.
        data: PathBuf,
    },
    /// Sampled responses, and a judge.
    Made(MadeSource),
}

/// Responses of policies, compared or labelled by a judge.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct MadeSource {
    /// Prompts.
    pub(crate) n_prompts: usize,
    /// Responses of each policy to each prompt.
    pub(crate) samples: u32,
    /// Ids of the stages whose policies respond.
    pub(crate) responses_from: Vec<String>,
    /// Most pairs of a prompt that are compared.
    pub(crate) pairs_per_prompt: usize,
    /// Who judges.
    pub(crate) judge: JudgeKind,
    /// How often each order of a pair, or each response, is judged.
    pub(crate) rounds: u32,
    /// Sampling temperature.
    pub(crate) temperature: f32,
    /// Nucleus of sampling.
    pub(crate) top_p: f32,
    /// Generation budget.
    pub(crate) max_new_tokens: usize,
    /// Sequences decoded at once.
    pub(crate) max_batch: usize,
    /// Where prompts come from.
    pub(crate) prompts: Vec<PromptSource>,
}

/// Who judges responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JudgeKind {
    /// Rules, with a little noise.
    Rules,
    /// The chat model of `[judge]`.
    Endpoint,
}

impl RewardModelConfig {
    /// Ids of the stages whose policies respond.
    pub(crate) fn responses_from(&self) -> &[String] {
        match &self.source {
            RewardSource::Made(made) => &made.responses_from,
            RewardSource::File { .. } => &[],
        }
    }

    /// Where prompts come from.
    pub(crate) fn prompts(&self) -> &[PromptSource] {
        match &self.source {
            RewardSource::Made(made) => &made.prompts,
            RewardSource::File { .. } => &[],
        }
    }

    /// Whether the chat model of `[judge]` is asked.
    pub(crate) fn asks_judge(&self) -> bool {
        matches!(&self.source, RewardSource::Made(made) if made.judge == JudgeKind::Endpoint)
    }

    /// Sequences of an optimizer step.
    pub(crate) fn n_sequences(&self) -> usize {
        2 * self.batch_pairs
    }
}

/// `kind = "reward_model"`.
#[derive(Debug, Deserialize)]
struct RewardModelFile {
    /// Id of the stage whose policy it starts from.
    policy: String,
    /// `summary` or `everything`.
    reads: Reads,
    /// `pairwise` or `pointwise`.
    loss: RewardLoss,
    /// Default: the checkpoint's chat template, or that of the tiny world where it has none.
    template: Option<Template>,
    /// A file of pairs or labels, in place of `prompts` and what belongs to them.
    data: Option<String>,
    /// Where prompts come from.
    prompts: Option<Vec<Value>>,
    /// Default 400.
    n_prompts: Option<usize>,
    /// Responses of each policy to each prompt; default 4.
    samples: Option<u32>,
    /// Ids of stages; default: `policy`.
    responses_from: Option<Vec<String>>,
    /// Most pairs of a prompt that are compared; default 4.
    pairs_per_prompt: Option<usize>,
    /// `rules` or `endpoint`.
    judge: Option<JudgeKind>,
    /// How often each order, or each response, is judged; default 2, as DeepSeek-R1 does.
    rounds: Option<u32>,
    /// Sampling temperature; default 1.
    temperature: Option<f32>,
    /// Default 1.
    top_p: Option<f32>,
    /// Generation budget; default 512.
    max_new_tokens: Option<usize>,
    /// Sequences decoded at once; default 64.
    max_batch: Option<usize>,
    /// Least margin of a pair that is kept; default 1, as in DeepSeek-R1.
    min_margin: Option<f32>,
    /// Default: yes for pairs.
    balance_lengths: Option<bool>,
    /// Weight of a pair's margin in the loss; default 0.
    loss_margin: Option<f32>,
    /// Share of the prompts that are held out; default 0.1.
    held_out: Option<f64>,
    /// Peak learning rate.
    learning_rate: f32,
    /// Default `cosine`.
    schedule: Option<ScheduleKind>,
    /// Default 0.
    warmup_steps: Option<u64>,
    /// Last learning rate as a share of the peak; default 0.1.
    floor_ratio: Option<f32>,
    /// Passes over the data; default 1.
    epochs: Option<u64>,
    /// Pairs of an optimizer step, half as many as labelled responses; default 32.
    batch_pairs: Option<usize>,
    /// Tokens of a forward pass; default 4096.
    microbatch_tokens: Option<usize>,
    /// Most tokens of a text; default: the context of the policy.
    max_tokens: Option<usize>,
    /// Blocks whose activations are computed again in the backward instead of kept; default 0.
    recompute_layers: Option<usize>,
    /// Default 0.
    weight_decay: Option<f32>,
    /// Default 0.9 and 0.95.
    adam_betas: Option<[f32; 2]>,
    /// Default 1e-8.
    adam_eps: Option<f32>,
    /// Default 1.
    max_grad_norm: Option<f32>,
    /// Steps between saved states; default 20.
    save_every: Option<u64>,
}

/// Reads the stage's table.
pub(in crate::recipe) fn resolve(source: &Source, body: &Table, part: &Part) -> Result<RewardModelConfig, RecipeError> {
    let file: RewardModelFile = source.read_table(body, part)?;
    refuse_without_effect(source, &file, part)?;
    let of = resolve_source(source, &file, part)?;
    let config = RewardModelConfig {
        policy: file.policy,
        reads: file.reads,
        loss: file.loss,
        template: file.template,
        min_margin: file.min_margin.unwrap_or(1.0),
        balance_lengths: file.balance_lengths.unwrap_or(file.loss == RewardLoss::Pairwise),
        loss_margin: file.loss_margin.unwrap_or(0.0),
        held_out: file.held_out.unwrap_or(0.1),
        epochs: file.epochs.unwrap_or(1),
        batch_pairs: file.batch_pairs.unwrap_or(32),
        microbatch_tokens: file.microbatch_tokens.unwrap_or(4096),
        max_tokens: file.max_tokens,
        recompute_layers: file.recompute_layers.unwrap_or(0),
        optimizer: AdamW::new(file.weight_decay.unwrap_or(0.0), file.adam_betas, file.adam_eps, file.max_grad_norm),
        save_every: file.save_every.unwrap_or(20),
        schedule: ScheduleConfig {
            kind: file.schedule.unwrap_or(ScheduleKind::Cosine),
            learning_rate: file.learning_rate,
            warmup_steps: file.warmup_steps.unwrap_or(0),
            floor_ratio: file.floor_ratio.unwrap_or(0.1),
        },
        source: of,
    };
    check(&Checks { source, part }, &config)?;
    Ok(config)
}

/// Keys that would be read and change nothing.
fn refuse_without_effect(source: &Source, file: &RewardModelFile, part: &Part) -> Result<(), RecipeError> {
    let refuse = |key: &str, why: &str| {
        let message = format!("expected no such key {why}");
        Err(source.error(part, Some(key), Problem::value(key, message)))
    };
    let of_pairs = [
        ("min_margin", file.min_margin.is_some()),
        ("balance_lengths", file.balance_lengths.is_some()),
        ("loss_margin", file.loss_margin.is_some()),
        ("pairs_per_prompt", file.pairs_per_prompt.is_some()),
    ];
    if let Some((key, _)) = of_pairs.iter().find(|(_, is_given)| file.loss == RewardLoss::Pointwise && *is_given) {
        return refuse(key, "beside loss = \"pointwise\": it is about pairs");
    }
    let of_made = [
        ("prompts", file.prompts.is_some()),
        ("n_prompts", file.n_prompts.is_some()),
        ("samples", file.samples.is_some()),
        ("responses_from", file.responses_from.is_some()),
        ("pairs_per_prompt", file.pairs_per_prompt.is_some()),
        ("judge", file.judge.is_some()),
        ("rounds", file.rounds.is_some()),
        ("temperature", file.temperature.is_some()),
        ("top_p", file.top_p.is_some()),
        ("max_new_tokens", file.max_new_tokens.is_some()),
        ("max_batch", file.max_batch.is_some()),
    ];
    if let Some((key, _)) = of_made.iter().find(|(_, is_given)| file.data.is_some() && *is_given) {
        return refuse(key, "beside 'data': the file holds the responses and what was said of them");
    }
    Ok(())
}

fn resolve_source(source: &Source, file: &RewardModelFile, part: &Part) -> Result<RewardSource, RecipeError> {
    if let Some(data) = &file.data {
        return Ok(RewardSource::File { data: PathBuf::from(data) });
    }
    let missing = |key: &str| source.error(part, None, Problem::MissingKey { key: key.to_owned() });
    let prompts = file.prompts.as_ref().ok_or_else(|| missing("prompts"))?;
    Ok(RewardSource::Made(MadeSource {
        n_prompts: file.n_prompts.unwrap_or(400),
        samples: file.samples.unwrap_or(4),
        responses_from: file.responses_from.clone().unwrap_or_else(|| vec![file.policy.clone()]),
        pairs_per_prompt: file.pairs_per_prompt.unwrap_or(4),
        judge: file.judge.ok_or_else(|| missing("judge"))?,
        rounds: file.rounds.unwrap_or(2),
        temperature: file.temperature.unwrap_or(1.0),
        top_p: file.top_p.unwrap_or(1.0),
        max_new_tokens: file.max_new_tokens.unwrap_or(512),
        max_batch: file.max_batch.unwrap_or(64),
        prompts: resolve_prompts(source, prompts, part, DataSplit::Train)?,
    }))
}

fn check(check: &Checks<'_>, config: &RewardModelConfig) -> Result<(), RecipeError> {
    if let RewardSource::Made(made) = &config.source {
        check.at_least_one("n_prompts", made.n_prompts as u64)?;
        check.at_least_one("samples", made.samples.into())?;
        check.at_least_one("pairs_per_prompt", made.pairs_per_prompt as u64)?;
        check.at_least_one("rounds", made.rounds.into())?;
        check.at_least_one("max_new_tokens", made.max_new_tokens as u64)?;
        check.at_least_one("max_batch", made.max_batch as u64)?;
        check.range("temperature", made.temperature, 0.0, 100.0)?;
        check.share("top_p", made.top_p)?;
        let mut ids = made.responses_from.clone();
        ids.sort();
        ids.dedup();
        let is_set = !ids.is_empty() && ids.len() == made.responses_from.len();
        check.hold(is_set, "responses_from", "at least one stage and none twice", &format!("{:?}", made.responses_from))?;
        let n_responses = made.samples as usize * made.responses_from.len();
        let are_enough = config.loss == RewardLoss::Pointwise || n_responses >= 2;
        check.hold(are_enough, "samples", "at least two responses to a prompt, to make pairs of", &n_responses)?;
    }
    check.at_least_one("epochs", config.epochs)?;
    check.at_least_one("batch_pairs", config.batch_pairs as u64)?;
    check.at_least_one("microbatch_tokens", config.microbatch_tokens as u64)?;
    check.at_least_one("max_tokens", config.max_tokens.unwrap_or(1) as u64)?;
    check.at_least_one("save_every", config.save_every)?;
    check.positive("learning_rate", config.schedule.learning_rate)?;
    config.optimizer.check(check)?;
    check.range("floor_ratio", config.schedule.floor_ratio, 0.0, 1.0)?;
    check.range("min_margin", config.min_margin, 0.0, 9.0)?;
    check.range("loss_margin", config.loss_margin, 0.0, f32::MAX)?;
    check.hold((0.0..1.0).contains(&config.held_out), "held_out", "a number in [0, 1)", &config.held_out)?;
    Ok(())
}
