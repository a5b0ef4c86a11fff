//! Reward models: a decoder whose last hidden state becomes one number, the score of a text.
//!
//! On disk they are the sequence classifiers of transformers with one label: `LlamaForSequenceClassification` and its like, whose head is
//! `score.weight`. Transformers scores the last token that is no padding, so the token for padding must not end a text.

use std::borrow::Cow;
use std::path::Path;

use ruminate_compute::{Device, View};
use ruminate_core::{Seed, TokenId};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, SaveDtype, save_reward_checkpoint};
use crate::policy::{Purpose, normal};
use crate::{ChatTemplate, ModelConfig, ModelError, Policy, TensorSpec, Tokenizer};

/// Standard deviation of a fresh score head: that of transformers.
const HEAD_DEVIATION: f64 = 0.02;

/// What a reward model reads of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reads {
    /// What stands behind the reasoning: helpfulness is judged by what the user is given (DeepSeek-R1, section 2.3.4).
    Summary,
    /// Reasoning and summary: harm can stand in either.
    Everything,
}

impl Reads {
    /// Its name in recipes and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Everything => "everything",
        }
    }
}

/// What scores mean: kept with the checkpoint, `ruminate_reward` of its `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewardInfo {
    /// What is read of a response.
    pub reads: Reads,
    /// Name of the template that puts prompt and response together.
    pub template: String,
    /// Mean score of the responses that it was trained on.
    pub mean: f64,
    /// Their standard deviation, above 0.
    pub std: f64,
}

impl RewardInfo {
    /// The score in standard deviations above the mean of the training responses.
    pub fn normalise(&self, score: f64) -> f64 {
        (score - self.mean) / self.std
    }
}

/// What a checkpoint says of its score head, beside the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct RewardHead {
    /// Token for padding: transformers passes over it when it looks for the last token.
    pub pad: Option<TokenId>,
    /// What scores mean; none in checkpoints that were not made here.
    pub info: Option<RewardInfo>,
}

/// A decoder with a score head.
#[derive(Debug)]
pub struct RewardModel {
    /// Behind its tensors lies the head. A separate head for tokens is left out.
    policy: Policy,
    pad: Option<TokenId>,
}

impl RewardModel {
    /// The decoder of a language model, to be trained, with a fresh head: normal with deviation 0.02, a pure function of the seed.
    ///
    /// # Errors
    /// A tensor that cannot be read, by name; out of memory.
    pub fn start(device: &Device, checkpoint: &Checkpoint, seed: Seed) -> Result<Self, ModelError> {
        let config = ModelConfig { tied: true, ..checkpoint.config.clone() };
        let (hidden, specs) = (config.hidden, config.tensors());
        let pad = checkpoint.reward_head.as_ref().map_or(checkpoint.tokenizer.eos_id(), |head| head.pad);
        let mut policy = Policy::zeros(device, config, hidden, Purpose::Training)?;
        policy.read(checkpoint, &specs)?;
        let head: Vec<f32> = (0..hidden as u64).map(|i| (HEAD_DEVIATION * normal(seed.with_index(i))) as f32).collect();
        let n = policy.n_parameters() - hidden;
        policy.write_flat(|flat| flat.split_at(n).1.copy_from_host(&head));
        Ok(Self { policy, pad })
    }

    /// Reads a reward model to score with: as [`Policy::load_frozen`].
    ///
    /// # Errors
    /// A checkpoint without a score head; a tensor that cannot be read, by name; out of memory.
    pub fn load_frozen(device: &Device, checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let Some(head) = &checkpoint.reward_head else {
            let error = ModelError::unsupported("architectures", "a reward model (ForSequenceClassification)", "a model that writes");
            return Err(error.at(checkpoint.path()));
        };
        let config = checkpoint.config.clone();
        let (hidden, mut specs) = (config.hidden, config.tensors());
        specs.push(score_spec(&config));
        let mut policy = Policy::zeros(device, config, hidden, Purpose::Inference)?;
        policy.read(checkpoint, &specs)?;
        Ok(Self { policy, pad: head.pad })
    }

    /// Writes a Hugging Face folder that transformers opens as a sequence classifier, completely or not at all.
    ///
    /// # Errors
    /// The file system's.
    pub fn save(
        &self,
        dir: &Path,
        tokenizer: &Tokenizer,
        chat_template: Option<&ChatTemplate>,
        info: &RewardInfo,
        dtype: SaveDtype,
    ) -> Result<(), ModelError> {
        let weights = self.policy.flat().to_vec()?;
        let mut start = 0;
        let mut tensor = |spec: &TensorSpec| {
            start += spec.n_elements();
            Ok(Cow::Borrowed(&weights[start - spec.n_elements()..start]))
        };
        let head = RewardHead { pad: self.pad, info: Some(info.clone()) };
        save_reward_checkpoint(dir, self.policy.config(), &head, tokenizer, chat_template, dtype, &mut tensor)
    }

    /// The tokens that are scored: at most the last `context` of these, without padding at their end, so that the last one is the one
    /// that transformers scores. At least one is left if there was one.
    pub fn scored<'a>(&self, token_ids: &'a [TokenId]) -> &'a [TokenId] {
        let n_pad = token_ids.iter().rev().take_while(|&&id| Some(id) == self.pad).count();
        let end = (token_ids.len() - n_pad).max(token_ids.len().min(1));
        &token_ids[end.saturating_sub(self.policy.context())..end]
    }

    /// The decoder. Its flat buffers end with the score head, so that an optimizer steps both in one pass.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The decoder and the head behind it, for the optimizer.
    pub fn policy_mut(&mut self) -> &mut Policy {
        &mut self.policy
    }

    /// The head, `[1, D]`.
    pub(crate) fn score_head(&self) -> View<'_> {
        self.policy.behind_config()
    }
}

/// Name and shape of the head's weights.
pub(crate) fn score_spec(config: &ModelConfig) -> TensorSpec {
    TensorSpec { name: "score.weight".into(), shape: vec![1, config.hidden] }
}
