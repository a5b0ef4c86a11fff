//! `config.json` as transformers 4 and 5 write it.
//!
//! A key that the file leaves out has the value that transformers gives it: `rope_theta` 10000, `rms_norm_eps` 1e-6,
//! `tie_word_embeddings` false, `head_dim` the width of an even split, Mistral's `sliding_window` 4096.

use serde_json::{Map, Value, json};

use super::{Architecture, ModelConfig, RopeScaling};
use crate::{ModelError, RewardHead, RewardInfo};

/// Key of a `config.json` that holds what scores mean.
const REWARD_INFO: &str = "ruminate_reward";

impl Architecture {
    /// Name in `model_type` of a `config.json` and, but for Mistral, in `general.architecture` of a GGUF file.
    pub fn model_type(self) -> &'static str {
        match self {
            Architecture::Llama => "llama",
            Architecture::Mistral => "mistral",
            Architecture::Qwen2 => "qwen2",
            Architecture::Qwen3 => "qwen3",
        }
    }

    fn from_model_type(name: &str) -> Result<Self, ModelError> {
        [Architecture::Llama, Architecture::Mistral, Architecture::Qwen2, Architecture::Qwen3]
            .into_iter()
            .find(|architecture| architecture.model_type() == name)
            .ok_or_else(|| ModelError::unsupported("model_type", "llama, mistral, qwen2 or qwen3", name))
    }

    /// Name of the class of transformers that has this head: `LlamaForCausalLM`.
    fn class(self, head: &str) -> String {
        let family = match self {
            Architecture::Llama => "Llama",
            Architecture::Mistral => "Mistral",
            Architecture::Qwen2 => "Qwen2",
            Architecture::Qwen3 => "Qwen3",
        };
        format!("{family}For{head}")
    }
}

/// Whether a `config.json` is that of a sequence classifier.
fn is_classifier(json: &Value) -> bool {
    let classes = json.get("architectures").and_then(Value::as_array);
    classes.is_some_and(|classes| classes.iter().filter_map(Value::as_str).any(|class| class.ends_with("ForSequenceClassification")))
}

/// The score head that a `config.json` tells of; none in language models.
pub(crate) fn reward_head(json: &Value) -> Result<Option<RewardHead>, ModelError> {
    if !is_classifier(json) {
        return Ok(None);
    }
    let file = Object::root(json)?;
    let info = file.value(REWARD_INFO).map(|value| {
        let info: RewardInfo = serde_json::from_value(value.clone()).map_err(|error| file.unfit(REWARD_INFO, &error.to_string(), value))?;
        if !(info.mean.is_finite() && info.std.is_finite() && info.std > 0.0) {
            return Err(file.unfit(REWARD_INFO, "a finite mean and a finite std above 0", value));
        }
        Ok(info)
    });
    Ok(Some(RewardHead { pad: file.token_ids("pad_token_id")?.first().copied(), info: info.transpose()? }))
}

/// Makes the `config.json` of a language model that of a sequence classifier with one label.
pub(crate) fn write_reward_head(json: &mut Value, architecture: Architecture, head: &RewardHead) {
    json["architectures"] = json!([architecture.class("SequenceClassification")]);
    json["tie_word_embeddings"] = false.into();
    json["num_labels"] = 1.into();
    json["id2label"] = json!({ "0": "score" });
    json["label2id"] = json!({ "score": 0 });
    json["pad_token_id"] = json!(head.pad);
    if let Some(info) = &head.info {
        json[REWARD_INFO] = json!(info);
    }
}

impl ModelConfig {
    /// Reads the contents of a `config.json`.
    ///
    /// # Errors
    /// A missing or unfit key by name; a feature that the forward pass does not implement by its key.
    pub fn from_hf_json(json: &Value) -> Result<Self, ModelError> {
        let file = Object::root(json)?;
        let architecture = Architecture::from_model_type(file.required_str("model_type")?)?;
        refuse_unsupported(&file)?;
        let hidden = file.required_usize("hidden_size")?;
        let n_heads = file.required_usize("num_attention_heads")?;
        let max_positions = file.required_usize("max_position_embeddings")?;
        let head_dim = match file.usize("head_dim")? {
            Some(head_dim) => head_dim,
            None if n_heads > 0 && hidden.is_multiple_of(n_heads) => hidden / n_heads,
            None => {
                return Err(ModelError::key("num_attention_heads", format!("a divisor of hidden_size = {hidden}"), n_heads.to_string()));
            }
        };
        let n_kv_heads = match file.usize("num_key_value_heads")? {
            Some(n_kv_heads) => n_kv_heads,
            None if architecture == Architecture::Llama => n_heads,
            None => return Err(ModelError::key("num_key_value_heads", "a whole number", "nothing")),
        };
        let (rope_theta, rope_scaling) = rope(&file, max_positions)?;
        let config = ModelConfig {
            architecture,
            hidden,
            n_layers: file.required_usize("num_hidden_layers")?,
            n_heads,
            n_kv_heads,
            head_dim,
            ffn: file.required_usize("intermediate_size")?,
            vocab: file.required_usize("vocab_size")?,
            max_positions,
            rope_theta,
            rope_scaling,
            rms_norm_eps: file.f32("rms_norm_eps")?.unwrap_or(1e-6),
            // A classifier has no head for tokens.
            tied: is_classifier(json) || file.bool("tie_word_embeddings")?.unwrap_or(false),
            qkv_bias: architecture == Architecture::Qwen2,
            qk_norm: architecture == Architecture::Qwen3,
            sliding_window: sliding_window(&file, architecture)?,
            bos: file.token_ids("bos_token_id")?.first().copied(),
            eos: file.token_ids("eos_token_id")?,
        };
        config.validate()?;
        Ok(config)
    }

    /// The contents of a `config.json` that transformers 4 and 5 read; the inverse of [`ModelConfig::from_hf_json`].
    pub fn to_hf_json(&self) -> Value {
        let mut json = json!({
            "architectures": [self.architecture.class("CausalLM")],
            "model_type": self.architecture.model_type(),
            "hidden_size": self.hidden,
            "num_hidden_layers": self.n_layers,
            "num_attention_heads": self.n_heads,
            "num_key_value_heads": self.n_kv_heads,
            "head_dim": self.head_dim,
            "intermediate_size": self.ffn,
            "vocab_size": self.vocab,
            "max_position_embeddings": self.max_positions,
            "hidden_act": "silu",
            "rms_norm_eps": shortest(self.rms_norm_eps),
            "rope_theta": shortest(self.rope_theta),
            "rope_scaling": scaling_to_json(&self.rope_scaling),
            "tie_word_embeddings": self.tied,
            "attention_dropout": 0.0,
            "bos_token_id": self.bos,
            "eos_token_id": eos_to_json(&self.eos),
        });
        match self.architecture {
            Architecture::Llama => {
                json["attention_bias"] = false.into();
                json["mlp_bias"] = false.into();
            }
            Architecture::Mistral => json["sliding_window"] = json!(self.sliding_window),
            Architecture::Qwen2 => json["use_sliding_window"] = false.into(),
            Architecture::Qwen3 => {
                json["attention_bias"] = false.into();
                json["use_sliding_window"] = false.into();
            }
        }
        json
    }
}

/// `eos_token_id` as transformers writes it: null, one id, or a list.
pub(crate) fn eos_to_json(eos: &[u32]) -> Value {
    match eos {
        [] => Value::Null,
        [id] => json!(id),
        ids => json!(ids),
    }
}

/// One JSON object with the path of keys that leads to it, for messages.
pub(crate) struct Object<'a> {
    prefix: String,
    map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// The whole document.
    pub(crate) fn root(json: &'a Value) -> Result<Self, ModelError> {
        let map = json.as_object().ok_or_else(|| ModelError::key("document", "a JSON object", describe(json)))?;
        Ok(Self { prefix: String::new(), map })
    }

    /// A value that is neither absent nor null.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn object(&self, key: &str) -> Result<Option<Object<'a>>, ModelError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let map = value.as_object().ok_or_else(|| self.unfit(key, "an object", value))?;
        Ok(Some(Object { prefix: format!("{}{key}.", self.prefix), map }))
    }

    fn required<T>(&self, key: &str, expected: &str, value: Option<T>) -> Result<T, ModelError> {
        value.ok_or_else(|| ModelError::key(format!("{}{key}", self.prefix), expected, "nothing"))
    }

    fn usize(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let read =
            |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| self.unfit(key, "a whole number", value));
        self.value(key).map(read).transpose()
    }

    fn required_usize(&self, key: &str) -> Result<usize, ModelError> {
        self.required(key, "a whole number", self.usize(key)?)
    }

    fn f32(&self, key: &str) -> Result<Option<f32>, ModelError> {
        // The cast rounds to the nearest f32; out of range becomes infinite, which validation refuses.
        let read = |value: &Value| value.as_f64().map(|x| x as f32).ok_or_else(|| self.unfit(key, "a number", value));
        self.value(key).map(read).transpose()
    }

    fn required_f32(&self, key: &str) -> Result<f32, ModelError> {
        self.required(key, "a number", self.f32(key)?)
    }

    fn bool(&self, key: &str) -> Result<Option<bool>, ModelError> {
        self.value(key).map(|value| value.as_bool().ok_or_else(|| self.unfit(key, "true or false", value))).transpose()
    }

    fn str(&self, key: &str) -> Result<Option<&'a str>, ModelError> {
        self.value(key).map(|value| value.as_str().ok_or_else(|| self.unfit(key, "a text", value))).transpose()
    }

    fn required_str(&self, key: &str) -> Result<&'a str, ModelError> {
        self.required(key, "a text", self.str(key)?)
    }

    /// No id, one id, or a list of ids.
    pub(crate) fn token_ids(&self, key: &str) -> Result<Vec<u32>, ModelError> {
        let Some(value) = self.value(key) else { return Ok(vec![]) };
        let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        let ids = match value {
            Value::Array(list) => list.iter().map(id).collect(),
            one => id(one).map(|id| vec![id]),
        };
        ids.ok_or_else(|| self.unfit(key, "a token id or a list of them", value))
    }

    fn unfit(&self, key: &str, expected: &str, found: &Value) -> ModelError {
        ModelError::key(format!("{}{key}", self.prefix), expected, describe(found))
    }
}

/// A value for a message, cut when long.
fn describe(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Features that change the forward pass and that the policy does not have.
fn refuse_unsupported(file: &Object<'_>) -> Result<(), ModelError> {
    for key in ["attention_bias", "mlp_bias", "use_sliding_window"] {
        if file.bool(key)? == Some(true) {
            return Err(ModelError::unsupported(key, "false", "true"));
        }
    }
    if let Some(found) = file.value("quantization_config") {
        return Err(ModelError::unsupported("quantization_config", "weights in F32, F16 or BF16", describe(found)));
    }
    if let Some(found) = file.value("layer_types").and_then(Value::as_array).and_then(|types| types.iter().find(|t| *t != "full_attention"))
    {
        return Err(ModelError::unsupported("layer_types", "full_attention in every layer", describe(found)));
    }
    match file.str("hidden_act")? {
        None | Some("silu") => Ok(()),
        Some(found) => Err(ModelError::unsupported("hidden_act", "silu", found)),
    }
}

fn sliding_window(file: &Object<'_>, architecture: Architecture) -> Result<Option<usize>, ModelError> {
    match architecture {
        // Null and absent differ here: null is no window.
        Architecture::Mistral if !file.map.contains_key("sliding_window") => Ok(Some(4096)),
        Architecture::Mistral => file.usize("sliding_window"),
        // Qwen's window counts only under `use_sliding_window`, Llama has none.
        Architecture::Llama | Architecture::Qwen2 | Architecture::Qwen3 => Ok(None),
    }
}

/// Transformers 5 has all of it in `rope_parameters`; 4 has `rope_theta` at the top and the rest in `rope_scaling`.
fn rope(file: &Object<'_>, max_positions: usize) -> Result<(f32, RopeScaling), ModelError> {
    let (theta, scaling) = match file.object("rope_parameters")? {
        Some(parameters) => (parameters.f32("rope_theta")?, Some(parameters)),
        None => (None, file.object("rope_scaling")?),
    };
    let theta = theta.or(file.f32("rope_theta")?).unwrap_or(10_000.0);
    for object in std::iter::once(file).chain(&scaling) {
        if object.f32("partial_rotary_factor")?.is_some_and(|factor| factor != 1.0) {
            return Err(ModelError::unsupported(
                "partial_rotary_factor",
                "1",
                object.value("partial_rotary_factor").map(describe).unwrap_or_default(),
            ));
        }
    }
    let Some(scaling) = scaling else { return Ok((theta, RopeScaling::None)) };
    let kind = match scaling.str("rope_type")? {
        Some(kind) => kind,
        None => scaling.str("type")?.unwrap_or("default"),
    };
    let original = |default: Option<usize>| {
        let value = scaling.usize("original_max_position_embeddings")?.or(default);
        scaling.required("original_max_position_embeddings", "a whole number", value)
    };
    let scaling = match kind {
        "default" => RopeScaling::None,
        "linear" => RopeScaling::Linear { factor: scaling.required_f32("factor")? },
        "llama3" => RopeScaling::Llama3 {
            factor: scaling.required_f32("factor")?,
            low_freq_factor: scaling.required_f32("low_freq_factor")?,
            high_freq_factor: scaling.required_f32("high_freq_factor")?,
            original_max_position: original(None)?,
        },
        "yarn" => yarn(&scaling, original(Some(max_positions))?)?,
        found => return Err(ModelError::unsupported("rope_type", "default, linear, llama3 or yarn", found)),
    };
    Ok((theta, scaling))
}

/// The attention factor is `0.1 ln(factor) + 1` unless given, or the quotient of two such terms when DeepSeek's `mscale`
/// and `mscale_all_dim` are given.
fn yarn(scaling: &Object<'_>, original_max_position: usize) -> Result<RopeScaling, ModelError> {
    let factor = scaling.required_f32("factor")?;
    let term = |mscale: f32| if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 };
    let attention_factor = match (scaling.f32("attention_factor")?, scaling.f32("mscale")?, scaling.f32("mscale_all_dim")?) {
        (Some(given), _, _) => given,
        (None, Some(mscale), Some(all_dim)) if mscale != 0.0 && all_dim != 0.0 => term(mscale) / term(all_dim),
        _ => term(1.0),
    };
    Ok(RopeScaling::Yarn {
        factor,
        original_max_position,
        beta_fast: scaling.f32("beta_fast")?.unwrap_or(32.0),
        beta_slow: scaling.f32("beta_slow")?.unwrap_or(1.0),
        attention_factor,
        truncate: scaling.bool("truncate")?.unwrap_or(true),
    })
}

fn scaling_to_json(scaling: &RopeScaling) -> Value {
    match *scaling {
        RopeScaling::None => Value::Null,
        RopeScaling::Linear { factor } => json!({ "rope_type": "linear", "factor": shortest(factor) }),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position } => json!({
            "rope_type": "llama3",
            "factor": shortest(factor),
            "low_freq_factor": shortest(low_freq_factor),
            "high_freq_factor": shortest(high_freq_factor),
            "original_max_position_embeddings": original_max_position,
        }),
        RopeScaling::Yarn { factor, original_max_position, beta_fast, beta_slow, attention_factor, truncate } => json!({
            "rope_type": "yarn",
            "factor": shortest(factor),
            "original_max_position_embeddings": original_max_position,
            "beta_fast": shortest(beta_fast),
            "beta_slow": shortest(beta_slow),
            "attention_factor": shortest(attention_factor),
            "truncate": truncate,
        }),
    }
}

/// The f64 whose shortest decimal form is that of `x`, so that 1e-5 is written as 1e-5.
fn shortest(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}
