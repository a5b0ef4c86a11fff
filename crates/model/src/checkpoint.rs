//! Model folders and files: Hugging Face folders with safetensors, and GGUF files.

mod elements;
mod gguf;
mod gguf_model;
mod mapped;
mod safetensors;
mod save;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rayon::prelude::*;
use serde_json::Value;

use self::elements::ElementType;
#[cfg(test)]
pub(crate) use self::gguf::Header as GgufHeader;
pub(crate) use self::gguf::Metadata as GgufMetadata;
pub(crate) use self::save::save_reward_checkpoint;
pub use self::save::{SaveDtype, TensorSource, save_checkpoint};
#[cfg(test)]
pub(crate) use self::tests::GgufBuilder;
use crate::config::{Object, reward_head};
use crate::reward::score_spec;
use crate::tokenizer::{from_gguf, special_token};
use crate::{ChatTemplate, ModelConfig, ModelError, RewardHead, TensorSpec, Tokenizer};

/// An opened model: everything but the weights is in memory, the weights are mapped and decoded by
/// [`Checkpoint::read_tensor`].
pub struct Checkpoint {
    /// Sizes and variants; `eos` holds every token that ends a completion, by the generation settings and the tokenizer.
    pub config: ModelConfig,
    /// The tokenizer; all its ids are below `config.vocab`.
    pub tokenizer: Tokenizer,
    /// The chat template, if the model has one.
    pub chat_template: Option<ChatTemplate>,
    /// The score head, if it is a reward model: [`crate::RewardModel`].
    pub reward_head: Option<RewardHead>,
    path: PathBuf,
    weights: Weights,
}

enum Weights {
    /// Mapped files, and for each tensor the file that has it.
    Safetensors { files: Vec<(PathBuf, Mmap)>, entries: BTreeMap<String, (usize, safetensors::Entry)> },
    /// One mapped file.
    Gguf { file: Mmap, header: gguf::Header },
}

/// Where a tensor's elements lie and how they are stored.
struct Stored<'a> {
    element: ElementType,
    bytes: &'a [u8],
    /// Width of heads whose rows are interleaved.
    interleaved: Option<usize>,
}

impl Checkpoint {
    /// Opens a Hugging Face folder (`config.json`, `tokenizer.json`, one or several safetensors files) or a GGUF file, and
    /// checks that every tensor of the configuration is there with its shape and a readable type.
    ///
    /// # Errors
    /// [`ModelError::File`] with the file and what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let kind = std::fs::metadata(path).map_err(ModelError::io("open", path))?;
        let checkpoint = if kind.is_dir() { open_folder(path)? } else { open_gguf(path)? };
        checkpoint.tokenizer.check_vocab(checkpoint.config.vocab).map_err(|error| error.at(path))?;
        let score = checkpoint.reward_head.is_some().then(|| score_spec(&checkpoint.config));
        for spec in checkpoint.config.tensors().iter().chain(&score) {
            checkpoint.stored(spec)?;
        }
        Ok(checkpoint)
    }

    /// Decodes one tensor to f32, row-major, in parallel.
    ///
    /// # Errors
    /// A missing tensor, another shape, an unreadable element type, or an `out` of another length than the tensor.
    pub fn read_tensor(&self, spec: &TensorSpec, out: &mut [f32]) -> Result<(), ModelError> {
        let stored = self.stored(spec)?;
        if out.len() != spec.n_elements() {
            return Err(ModelError::TensorLen { name: spec.name.clone(), expected: spec.n_elements(), found: out.len() });
        }
        if out.is_empty() {
            return Ok(());
        }
        match stored.interleaved {
            None => decode_in_order(&stored, out),
            Some(head_dim) => decode_interleaved(&stored, out, spec.shape[0], head_dim),
        }
        Ok(())
    }

    /// The folder or file that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn stored(&self, spec: &TensorSpec) -> Result<Stored<'_>, ModelError> {
        let missing = || ModelError::MissingTensor { name: spec.name.clone(), shape: spec.shape.clone() }.at(&self.path);
        let (path, shape, stored) = match &self.weights {
            Weights::Safetensors { files, entries } => {
                let (file_idx, entry) = entries.get(&spec.name).ok_or_else(missing)?;
                let (path, file) = &files[*file_idx];
                let element = entry.element_type(&spec.name).map_err(|error| error.at(path))?;
                (path, &entry.shape, Stored { element, bytes: &file[entry.bytes.clone()], interleaved: None })
            }
            Weights::Gguf { file, header } => {
                let name = gguf_model::gguf_name(&spec.name).ok_or_else(missing)?;
                let tensor = header.tensor(&name).ok_or_else(missing)?;
                let element = tensor.element_type(&name).map_err(|error| error.at(&self.path))?;
                let interleaved = gguf_model::interleaved_heads(&self.config, &spec.name).then_some(self.config.head_dim);
                (&self.path, &tensor.shape, Stored { element, bytes: &file[tensor.bytes.clone()], interleaved })
            }
        };
        if *shape != spec.shape {
            let error = ModelError::TensorShape { name: spec.name.clone(), expected: spec.shape.clone(), found: shape.clone() };
            return Err(error.at(path));
        }
        Ok(stored)
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("path", &self.path).field("config", &self.config).finish_non_exhaustive()
    }
}

/// Elements that one task decodes; a multiple of every block.
const CHUNK: usize = 1 << 16;

fn decode_in_order(stored: &Stored<'_>, out: &mut [f32]) {
    let (elements, bytes) = stored.element.block();
    let chunk_bytes = CHUNK / elements * bytes;
    out.par_chunks_mut(CHUNK).zip(stored.bytes.par_chunks(chunk_bytes)).for_each(|(out, bytes)| stored.element.decode(bytes, out));
}

/// Rows are whole blocks, so each is decoded on its own; the rows of a bias are single f32 numbers.
fn decode_interleaved(stored: &Stored<'_>, out: &mut [f32], n_rows: usize, head_dim: usize) {
    let (width, row_bytes) = (out.len() / n_rows, stored.bytes.len() / n_rows);
    out.par_chunks_mut(width).enumerate().for_each(|(row, out)| {
        let start = row_bytes * gguf_model::interleaved_row(row, head_dim);
        stored.element.decode(&stored.bytes[start..start + row_bytes], out);
    });
}

fn open_gguf(path: &Path) -> Result<Checkpoint, ModelError> {
    let file = mapped::map(path)?;
    let read = || {
        let header = gguf::Header::parse(&file)?;
        let config = gguf_model::config(&header, &file)?;
        let metadata = header.metadata(&file);
        let tokenizer = from_gguf(&metadata)?;
        let template = metadata.text("tokenizer.chat_template")?;
        let template = template.map(|text| ChatTemplate::new(text, tokenizer.bos_token(), tokenizer.eos_token())).transpose()?;
        Ok((header, config, tokenizer, template))
    };
    let (header, config, tokenizer, chat_template) = read().map_err(|error: ModelError| error.at(path))?;
    let weights = Weights::Gguf { file, header };
    Ok(Checkpoint { config, tokenizer, chat_template, reward_head: None, path: path.to_owned(), weights })
}

fn open_folder(folder: &Path) -> Result<Checkpoint, ModelError> {
    let config_path = folder.join("config.json");
    let config_json = read_json(&config_path)?;
    let mut config = ModelConfig::from_hf_json(&config_json).map_err(|error| error.at(&config_path))?;
    let reward_head = reward_head(&config_json).map_err(|error| error.at(&config_path))?;
    let tokenizer_path = folder.join("tokenizer.json");
    let tokenizer_json = std::fs::read(&tokenizer_path).map_err(ModelError::io("read", &tokenizer_path))?;
    let mut tokenizer = Tokenizer::from_bytes(&tokenizer_json).map_err(|error| error.at(&tokenizer_path))?;

    let settings_path = folder.join("tokenizer_config.json");
    let settings = read_json_if_there(&settings_path)?;
    let named = |key| settings.as_ref().and_then(|settings| special_token(settings, key));
    let by_id = |id: Option<u32>| id.and_then(|id| tokenizer.token(id));
    let bos = named("bos_token").or_else(|| by_id(config.bos));
    let eos = named("eos_token").or_else(|| by_id(config.eos.first().copied()));
    tokenizer.set_special(bos, eos).map_err(|error| error.at(&settings_path))?;

    // Generation settings know more ends than the configuration; the tokenizer knows the end of a chat turn.
    let generation_path = folder.join("generation_config.json");
    if let Some(json) = read_json_if_there(&generation_path)? {
        let ids = Object::root(&json).and_then(|object| object.token_ids("eos_token_id")).map_err(|error| error.at(&generation_path))?;
        if !ids.is_empty() {
            config.eos = ids;
        }
    }
    config.eos.extend(tokenizer.eos_id().filter(|id| !config.eos.contains(id)));
    tokenizer.check_vocab(config.vocab).map_err(|error| error.at(folder))?;
    config.validate().map_err(|error| error.at(&generation_path))?;

    let chat_template = folder_template(folder, settings.as_ref(), &tokenizer)?;
    let weights = open_safetensors(folder)?;
    Ok(Checkpoint { config, tokenizer, chat_template, reward_head, path: folder.to_owned(), weights })
}

/// `chat_template.jinja`, or `chat_template` of the tokenizer's settings: a text, or a list of named ones with a `default`.
fn folder_template(folder: &Path, settings: Option<&Value>, tokenizer: &Tokenizer) -> Result<Option<ChatTemplate>, ModelError> {
    let path = folder.join("chat_template.jinja");
    let compile = |text: &str, path: &Path| {
        ChatTemplate::new(text, tokenizer.bos_token(), tokenizer.eos_token()).map(Some).map_err(|error| error.at(path))
    };
    if path.try_exists().map_err(ModelError::io("open", &path))? {
        let text = std::fs::read_to_string(&path).map_err(ModelError::io("read", &path))?;
        return compile(&text, &path);
    }
    let path = folder.join("tokenizer_config.json");
    let template = match settings.and_then(|settings| settings.get("chat_template")) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) => list.iter().find(|entry| entry["name"] == "default").map(|entry| &entry["template"]),
        Some(one) => Some(one),
    };
    match template.and_then(Value::as_str) {
        Some(text) => compile(text, &path),
        None => Err(ModelError::key("chat_template", "a text or a list with one named default", "neither").at(&path)),
    }
}

fn open_safetensors(folder: &Path) -> Result<Weights, ModelError> {
    let index_path = folder.join("model.safetensors.index.json");
    let Some(index) = read_json_if_there(&index_path)? else {
        return map_files(vec![folder.join("model.safetensors")]);
    };
    let names = index.get("weight_map").and_then(Value::as_object);
    let names = names.ok_or_else(|| ModelError::key("weight_map", "an object", "none").at(&index_path))?;
    let mut paths = Vec::new();
    for (tensor, name) in names {
        let name = name.as_str().filter(|name| !name.is_empty() && !name.contains(['/', '\\']) && *name != "..");
        let name =
            name.ok_or_else(|| ModelError::key(format!("weight_map.{tensor}"), "a file name", names[tensor].to_string()).at(&index_path))?;
        paths.push(folder.join(name));
    }
    paths.sort_unstable();
    paths.dedup();
    map_files(paths)
}

fn map_files(paths: Vec<PathBuf>) -> Result<Weights, ModelError> {
    let mut files = Vec::new();
    let mut entries = BTreeMap::new();
    for path in paths {
        let file = mapped::map(&path)?;
        for (name, entry) in safetensors::parse(&file).map_err(|error| error.at(&path))? {
            if let Some((other, _)) = entries.insert(name.clone(), (files.len(), entry)) {
                let (other, _): &(PathBuf, Mmap) = &files[other];
                let found = format!("it also in {}", other.display());
                return Err(ModelError::key(name, "each tensor in one file", found).at(&path));
            }
        }
        files.push((path, file));
    }
    Ok(Weights::Safetensors { files, entries })
}

fn read_json(path: &Path) -> Result<Value, ModelError> {
    read_json_if_there(path)?.ok_or_else(|| ModelError::io("open", path)(std::io::ErrorKind::NotFound.into()))
}

fn read_json_if_there(path: &Path) -> Result<Option<Value>, ModelError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ModelError::io("read", path)(error)),
    };
    let json = serde_json::from_slice(&text);
    json.map(Some).map_err(|error| ModelError::key("document", "JSON", error.to_string()).at(path))
}
