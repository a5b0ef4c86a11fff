//! How long a recipe will take: operations and bytes of its stages over what the device reaches.
//!
//! How long responses become is what a run finds out, so that it is an assumption here. What is not counted: grading by programs or by
//! judges, teachers behind an endpoint, what is computed again because of `recompute_layers`, and writing files.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use ruminate_compute::DeviceKind;
use ruminate_core::Seed;
use ruminate_model::{ModelConfig, flops};
use ruminate_train::losses::KlEstimator;

use super::{longest_question, model_of};
use crate::ceilings::Ceilings;
use crate::problems::ProblemStream;
use crate::recipe::{
    BUILTIN_GENERAL, CollectConfig, EvaluationConfig, GrpoConfig, Method, PretrainConfig, RewardModelConfig, RewardSource, SftConfig,
    SftVariant, Who,
};
use crate::stages::longest;

/// Share of the rate of a large product that training steps and, besides what they read, decoding steps reach. Measured in training: 0.54
/// to 0.83 for 135M to 1.5B parameters on an H200, 0.58 for the built-in model on two CPU cores. With it and the seconds of a layer, the
/// time of decoding on an H200 is estimated 1.1 to 1.4 times as long as it is.
const PRODUCT_SHARE: f64 = 0.65;

/// Seconds of a decoding step for each layer whatever the batch is: kernels too short to fill a GPU, or threads that wait for each other.
const LAYER_SECONDS_GPU: f64 = 20e-6;
const LAYER_SECONDS_CPU: f64 = 5e-6;

/// Bytes that an optimizer step reads and writes for each parameter: weights, gradients and two moments in f32.
const OPTIMIZER_BYTES: f64 = 32.0;

/// Share of the generation budget that responses are taken to be long.
const LENGTH_SHARE: usize = 4;

/// Tokens of a conversation of a file.
const CONVERSATION: usize = 512;

/// What estimates stand on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pace {
    ceilings: Ceilings,
    float_bytes: f64,
    layer_seconds: f64,
    /// Tokens of a response; `None`: a quarter of the budget.
    response_tokens: Option<usize>,
    /// Examples that collecting stages keep at most, and tokens of each, by stage, in the order in which they are planned.
    examples: BTreeMap<String, (usize, usize)>,
}

/// Responses to be sampled.
#[derive(Clone, Copy, Debug)]
struct Sampling {
    /// Different prompts.
    n_prompts: usize,
    /// Responses to each.
    samples: usize,
    /// Tokens of a prompt.
    prompt: usize,
    /// Most tokens of a response.
    budget: usize,
    /// Sequences decoded at once.
    max_batch: usize,
}

impl Pace {
    pub(super) fn new(kind: DeviceKind, ceilings: Ceilings, response_tokens: Option<usize>) -> Self {
        let layer_seconds = if kind == DeviceKind::Cpu { LAYER_SECONDS_CPU } else { LAYER_SECONDS_GPU };
        Self { ceilings, float_bytes: kind.float_bytes() as f64, layer_seconds, response_tokens, examples: BTreeMap::new() }
    }

    /// Seconds of an evaluation.
    pub(super) fn evaluation(&self, evaluation: &EvaluationConfig, model: &ModelConfig, prompt: usize) -> f64 {
        let samples = evaluation.samples as usize;
        let (budget, max_batch) = (evaluation.max_new_tokens, evaluation.max_batch);
        self.sampling(model, Sampling { n_prompts: evaluation.n_problems, samples, prompt, budget, max_batch })
    }

    /// Seconds of pretraining.
    pub(super) fn pretrain(&self, pretrain: &PretrainConfig, model: &ModelConfig) -> f64 {
        // Documents of the built-in corpus have about so many tokens.
        const DOCUMENT: usize = 64;
        self.training(model, pretrain.n_steps(), (pretrain.batch_tokens / DOCUMENT).max(1) as u64, DOCUMENT)
    }

    /// Seconds of reinforcement learning; `None` without a number of steps: how many there are depends on how long responses become.
    pub(super) fn grpo(&self, grpo: &GrpoConfig, model: &ModelConfig) -> Result<Option<f64>> {
        let settings = &grpo.settings;
        let Some(steps) = grpo.steps else { return Ok(None) };
        let (prompt, budget) = (prompt_tokens(longest_question(&grpo.prompts)?), settings.max_completion_tokens as usize);
        let samples = settings.group_size as usize;
        let n_prompts = settings.prompts_per_rollout() as usize;
        let sampling = Sampling { n_prompts, samples, prompt, budget, max_batch: grpo.max_batch };
        let rounds = steps as f64 / (f64::from(settings.minibatches) * f64::from(settings.inner_epochs));
        let sequences = u64::from(settings.prompts_per_step) * u64::from(settings.group_size);
        // Besides the step's own forward and backward: the reference, the policy before the round, reward models.
        let n_forwards = usize::from(settings.kl != KlEstimator::None)
            + usize::from(settings.importance_cap.is_some())
            + grpo.reward_models.each().count();
        let training = self.training(model, steps, sequences, prompt + self.response(budget));
        Ok(Some(rounds * self.sampling(model, sampling) + training * (1.0 + n_forwards as f64 / 3.0)))
    }

    /// Seconds of asking policies; every response that can be kept is taken to be kept.
    pub(super) fn collect(&mut self, id: &str, collect: &CollectConfig, models: &[(String, ModelConfig)]) -> Result<f64> {
        let n_prompts = match collect.n_prompts {
            Some(n) => n,
            None if collect.prompts.is_empty() => 0,
            None => ProblemStream::open(&collect.prompts, Seed::new(0), 0)?.n_problems().unwrap_or(0),
        };
        let prompt = if n_prompts > 0 { prompt_tokens(longest_question(&collect.prompts)?) } else { 0 };
        let (mut seconds, mut n_examples) = (0.0, 0);
        for source in &collect.sources {
            if let Method::Dataset { data, limit } = &source.method {
                let is_built_in = data == Path::new(BUILTIN_GENERAL);
                n_examples += if is_built_in { limit.unwrap_or(0) } else { crate::stages::collect::read_examples(data, *limit)?.len() };
                continue;
            }
            let Some(ask) = source.method.ask() else { continue };
            let samples = ask.samples as usize;
            n_examples += n_prompts * samples.min(collect.curation.per_prompt);
            if let Who::Policy(policy) = &ask.who {
                let model = model_of(models, policy)?;
                let (budget, max_batch) = (collect.max_new_tokens, collect.max_batch);
                seconds += self.sampling(&model, Sampling { n_prompts, samples, prompt, budget, max_batch });
            }
        }
        self.examples.insert(id.to_owned(), (n_examples, prompt + self.response(collect.max_new_tokens)));
        Ok(seconds)
    }

    /// Steps and seconds of supervised fine-tuning, all variants together; held-out examples only take some away.
    pub(super) fn sft(&self, sft: &SftConfig, models: &[(String, ModelConfig)]) -> Result<(u64, f64)> {
        let of_stages = sft.example_stages().filter_map(|id| self.examples.get(id));
        let (n_examples, n_tokens) = of_stages.fold((0, 0), |(n, sum), (examples, tokens)| (n + examples, sum + examples * tokens));
        let of_files =
            sft.example_files().map(|data| Ok(crate::stages::collect::read_examples(data, None)?.len())).sum::<Result<usize>>()?;
        let steps = (n_examples + of_files).div_ceil(sft.batch_examples) as u64 * u64::from(sft.epochs);
        let seconds = |variant: SftVariant| {
            let model = model_of(models, &variant.policy)?;
            let of_file = self.conversation(longest(sft.max_tokens, ruminate_model::context(&model)));
            let tokens = (n_tokens + of_files * of_file) / (n_examples + of_files).max(1);
            Ok(self.training(&model, steps, sft.batch_examples as u64, tokens))
        };
        let variants = sft.variants();
        Ok((steps * variants.len() as u64, variants.into_iter().map(seconds).sum::<Result<f64>>()?))
    }

    /// Seconds of making preferences and learning from them.
    pub(super) fn reward_model(
        &self,
        reward: &RewardModelConfig,
        steps: Option<u64>,
        model: &ModelConfig,
        models: &[(String, ModelConfig)],
    ) -> Result<f64> {
        let (mut seconds, mut tokens) = (0.0, self.conversation(longest(reward.max_tokens, ruminate_model::context(model))));
        if let RewardSource::Made(made) = &reward.source {
            let prompt = prompt_tokens(longest_question(&made.prompts)?);
            tokens = prompt + self.response(made.max_new_tokens);
            for id in &made.responses_from {
                let (samples, budget) = (made.samples as usize, made.max_new_tokens);
                let sampling = Sampling { n_prompts: made.n_prompts, samples, prompt, budget, max_batch: made.max_batch };
                seconds += self.sampling(&model_of(models, id)?, sampling);
            }
        }
        Ok(seconds + self.training(model, steps.unwrap_or(0), reward.n_sequences() as u64, tokens))
    }

    /// Tokens of a conversation of a file, which is not tokenized for a plan: as those of many data sets, where more are allowed.
    fn conversation(&self, longest: usize) -> usize {
        self.response_tokens.unwrap_or(CONVERSATION).min(longest)
    }

    /// Tokens that a response is taken to have.
    fn response(&self, budget: usize) -> usize {
        self.response_tokens.unwrap_or(budget / LENGTH_SHARE).clamp(1, budget.max(1))
    }

    /// Seconds of sampling.
    fn sampling(&self, model: &ModelConfig, work: Sampling) -> f64 {
        let n = work.n_prompts * work.samples;
        let response = self.response(work.budget);
        let batch = work.max_batch.min(n).max(1);
        let steps = (n * response) as f64 / batch as f64;
        let operations = work.n_prompts as f64 * flops::sampling(model, work.prompt, std::iter::repeat_n(response, work.samples));
        let bytes = flops::numbers_read(model, batch, work.prompt, response) * self.float_bytes;
        operations / self.product_flops() + steps * (bytes / self.ceilings.memory_bytes + model.n_layers as f64 * self.layer_seconds)
    }

    /// Seconds of optimizer steps over sequences of one length.
    fn training(&self, model: &ModelConfig, steps: u64, sequences: u64, tokens: usize) -> f64 {
        let operations = steps as f64 * sequences as f64 * flops::training(model, [tokens]);
        operations / self.product_flops() + steps as f64 * model.n_parameters() as f64 * OPTIMIZER_BYTES / self.ceilings.memory_bytes
    }

    fn product_flops(&self) -> f64 {
        PRODUCT_SHARE * self.ceilings.product_flops
    }
}

/// Tokens of a question of so many bytes: what words and digits of most tokenizers come to.
pub(super) fn prompt_tokens(bytes: usize) -> usize {
    bytes / 3 + 1
}

/// A time for people.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "< 1 s".to_owned(),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes;

    fn pace(response_tokens: Option<usize>) -> Pace {
        let ceilings = Ceilings::H200;
        Pace { ceilings, float_bytes: 2.0, layer_seconds: LAYER_SECONDS_GPU, response_tokens, examples: BTreeMap::new() }
    }

    /// The figures of `benches/results/cuda-h200.md`, with the ceilings measured beside them.
    #[test]
    fn estimates_are_near_what_was_measured_on_an_h200() {
        for (shape, train, decode) in
            [("smollm2-135m", 388_376.0, 258_226.0), ("qwen2.5-0.5b", 148_332.0, 198_294.0), ("qwen2.5-1.5b", 55_567.0, 86_351.0)]
        {
            let model = shapes::shape(shape).unwrap();
            let trained = 16.0 * 1024.0 / pace(None).training(&model, 1, 16, 1024);
            let sampling = Sampling { n_prompts: 256, samples: 1, prompt: 64, budget: 128, max_batch: 256 };
            let decoded = 256.0 * 128.0 / pace(Some(128)).sampling(&model, sampling);
            for (estimate, measured) in [(trained, train), (decoded, decode)] {
                let ratio: f64 = estimate / measured;
                assert!((0.6..1.4).contains(&ratio), "{shape}: {estimate:.0} tokens/s for {measured:.0}");
            }
        }
    }

    #[test]
    fn more_work_takes_longer() {
        let model = shapes::shape("tiny").unwrap();
        let work = Sampling { n_prompts: 16, samples: 16, prompt: 40, budget: 240, max_batch: 128 };
        let of = |work| pace(None).sampling(&model, work);
        assert_eq!(pace(None).response(240), 60);
        assert!(of(Sampling { n_prompts: 32, ..work }) > 1.9 * of(work));
        assert!(of(Sampling { max_batch: 64, ..work }) > of(work) && of(Sampling { budget: 480, ..work }) > of(work));
        assert!((pace(None).training(&model, 10, 8, 100) / pace(None).training(&model, 5, 8, 100) - 2.0).abs() < 1e-9);
        assert_eq!([0.2, 59.6, 600.0, 9000.0].map(time), ["< 1 s", "60 s", "10 min", "2.5 h"]);
    }
}
