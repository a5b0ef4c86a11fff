//! Writing Hugging Face folders.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use half::bf16;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Map, Value, json};

use crate::config::{eos_to_json, write_reward_head};
use crate::reward::score_spec;
use crate::{ChatTemplate, ModelConfig, ModelError, RewardHead, TensorSpec, Tokenizer};

/// Element type of saved weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveDtype {
    /// Exact.
    F32,
    /// Rounded to nearest even: half the size, 8 bits of precision.
    Bf16,
}

/// Gives the elements of one tensor, row-major: borrowed from a host buffer, or copied from a device, which may fail.
pub type TensorSource<'a, 'w> = dyn FnMut(&TensorSpec) -> Result<Cow<'w, [f32]>, ModelError> + 'a;

/// The files of a saved folder.
const FILES: [&str; 5] = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];

/// Writes a folder that transformers and [`crate::Checkpoint::open`] read: configuration, tokenizer with its chat template, and one
/// safetensors file. `tensors` gives the elements of each tensor of [`ModelConfig::tensors`] in that order, row-major.
///
/// Transformers 5 reads every `tokenizer.json` beside a Qwen2 configuration with Qwen2's own rules for words, whatever the folder
/// says; a Qwen2 model with another tokenizer wants `PreTrainedTokenizerFast` there instead of `AutoTokenizer`.
///
/// The folder appears whole or not at all: it is written beside its place, synced and renamed. An older checkpoint in its place
/// is exchanged in one step where the file system can do that. On any error the old state stays.
///
/// # Errors
/// The first system call that fails (a full disk among them), an error of `tensors` or a tensor of another length, or a folder
/// in its place that holds files which no checkpoint has.
pub fn save_checkpoint<'w>(
    dir: &Path,
    config: &ModelConfig,
    tokenizer: &Tokenizer,
    chat_template: Option<&ChatTemplate>,
    dtype: SaveDtype,
    tensors: &mut TensorSource<'_, 'w>,
) -> Result<(), ModelError> {
    save_folder(dir, &Contents { config, head: None, tokenizer, chat_template, dtype }, tensors)
}

/// As [`save_checkpoint`], with a score head: a sequence classifier with one label. `tensors` gives `score.weight` last.
pub(crate) fn save_reward_checkpoint<'w>(
    dir: &Path,
    config: &ModelConfig,
    head: &RewardHead,
    tokenizer: &Tokenizer,
    chat_template: Option<&ChatTemplate>,
    dtype: SaveDtype,
    tensors: &mut TensorSource<'_, 'w>,
) -> Result<(), ModelError> {
    save_folder(dir, &Contents { config, head: Some(head), tokenizer, chat_template, dtype }, tensors)
}

/// What a folder is made of, beside the weights.
struct Contents<'a> {
    config: &'a ModelConfig,
    head: Option<&'a RewardHead>,
    tokenizer: &'a Tokenizer,
    chat_template: Option<&'a ChatTemplate>,
    dtype: SaveDtype,
}

fn save_folder<'w>(dir: &Path, contents: &Contents<'_>, tensors: &mut TensorSource<'_, 'w>) -> Result<(), ModelError> {
    let Contents { config, tokenizer, .. } = contents;
    config.validate()?;
    tokenizer.check_vocab(config.vocab)?;
    refuse_other_contents(dir)?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(ModelError::io("create", parent))?;
    // A fixed name: what an interrupted run left there is written anew.
    let partial = beside(dir, "partial")?;
    remove_folder(&partial)?;
    let written = write_folder(&partial, contents, tensors).and_then(|()| take_place(&partial, dir));
    if written.is_err() {
        // The first error is the one to report.
        let _ = remove_folder(&partial);
    }
    written?;
    sync_folder(parent)
}

fn write_folder<'w>(folder: &Path, contents: &Contents<'_>, tensors: &mut TensorSource<'_, 'w>) -> Result<(), ModelError> {
    let Contents { config, head, tokenizer, chat_template, dtype } = *contents;
    fs::create_dir(folder).map_err(ModelError::io("create", folder))?;
    let mut config_json = config.to_hf_json();
    config_json["dtype"] = dtype.torch_name().into();
    config_json["torch_dtype"] = dtype.torch_name().into();
    let mut specs = config.tensors();
    if let Some(head) = head {
        write_reward_head(&mut config_json, config.architecture, head);
        specs.push(score_spec(config));
    }
    let generation = json!({ "bos_token_id": config.bos, "eos_token_id": eos_to_json(&config.eos) });
    let tokenizer_json = tokenizer.to_json()?;
    let settings = tokenizer_settings(config, tokenizer, chat_template);
    let texts = [pretty(&config_json), pretty(&generation), tokenizer_json, pretty(&settings)];
    for (name, text) in FILES.iter().zip(texts) {
        write_file(&folder.join(name), |file| Ok(file.write_all(text.as_bytes())?))?;
    }
    write_file(&folder.join(FILES[4]), |file| write_safetensors(file, &specs, dtype, tensors))?;
    sync_folder(folder)
}

fn tokenizer_settings(config: &ModelConfig, tokenizer: &Tokenizer, chat_template: Option<&ChatTemplate>) -> Value {
    let mut settings = Map::new();
    settings.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
    settings.insert("model_max_length".into(), config.max_positions.into());
    // The default of older versions would delete spaces before punctuation.
    settings.insert("clean_up_tokenization_spaces".into(), false.into());
    for (key, token) in [("bos_token", tokenizer.bos_token()), ("eos_token", tokenizer.eos_token()), ("pad_token", tokenizer.eos_token())] {
        settings.extend(token.map(|token| (key.to_owned(), token.into())));
    }
    settings.extend(chat_template.map(|template| ("chat_template".to_owned(), template.source().into())));
    Value::Object(settings)
}

impl SaveDtype {
    fn torch_name(self) -> &'static str {
        match self {
            SaveDtype::F32 => "float32",
            SaveDtype::Bf16 => "bfloat16",
        }
    }

    fn safetensors_name(self) -> &'static str {
        match self {
            SaveDtype::F32 => "F32",
            SaveDtype::Bf16 => "BF16",
        }
    }

    fn n_bytes(self) -> usize {
        match self {
            SaveDtype::F32 => 4,
            SaveDtype::Bf16 => 2,
        }
    }

    fn encode(self, values: &[f32], bytes: &mut Vec<u8>) {
        match self {
            SaveDtype::F32 => bytes.extend(values.iter().flat_map(|x| x.to_le_bytes())),
            SaveDtype::Bf16 => bytes.extend(values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes())),
        }
    }
}

/// Why a file could not be written: its own medium, or what was to be written.
pub(super) enum WriteError {
    Io(io::Error),
    Model(ModelError),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        WriteError::Io(error)
    }
}

/// Elements converted at a time.
const CHUNK: usize = 1 << 16;

/// Header and data of one file, a tensor at a time.
fn write_safetensors<'w>(
    file: &mut dyn Write,
    specs: &[TensorSpec],
    dtype: SaveDtype,
    tensors: &mut TensorSource<'_, 'w>,
) -> Result<(), WriteError> {
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut at = 0;
    for spec in specs {
        let end = at + spec.n_elements() * dtype.n_bytes();
        header.insert(spec.name.clone(), json!({ "dtype": dtype.safetensors_name(), "shape": spec.shape, "data_offsets": [at, end] }));
        at = end;
    }
    let mut header = Value::Object(header).to_string();
    // The data start at a multiple of 8 bytes.
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let mut bytes = Vec::new();
    for spec in specs {
        let values = tensors(spec).map_err(WriteError::Model)?;
        if values.len() != spec.n_elements() {
            let error = ModelError::TensorLen { name: spec.name.clone(), expected: spec.n_elements(), found: values.len() };
            return Err(WriteError::Model(error));
        }
        for chunk in values.chunks(CHUNK) {
            bytes.clear();
            dtype.encode(chunk, &mut bytes);
            file.write_all(&bytes)?;
        }
    }
    Ok(())
}

pub(super) fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<(), WriteError>) -> Result<(), ModelError> {
    let create = || -> Result<(), WriteError> {
        let mut file = BufWriter::new(File::create(path)?);
        write(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(())
    };
    create().map_err(|error| match error {
        WriteError::Io(error) => ModelError::io("write", path)(error),
        WriteError::Model(error) => error.at(path),
    })
}

/// Moves the finished folder to its place.
fn take_place(finished: &Path, dir: &Path) -> Result<(), ModelError> {
    if !dir.exists() {
        return fs::rename(finished, dir).map_err(ModelError::io("rename into place", dir));
    }
    match renameat_with(CWD, finished, CWD, dir, RenameFlags::EXCHANGE) {
        Ok(()) => remove_folder(finished),
        // This file system cannot exchange. Between the two renames there is no folder in its place, but both are on disk.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            let old = beside(dir, "old")?;
            remove_folder(&old)?;
            fs::rename(dir, &old).map_err(ModelError::io("move aside", dir))?;
            if let Err(error) = fs::rename(finished, dir) {
                fs::rename(&old, dir).map_err(ModelError::io("move back", &old))?;
                return Err(ModelError::io("rename into place", dir)(error));
            }
            remove_folder(&old)
        }
        Err(error) => Err(ModelError::io("exchange", dir)(error.into())),
    }
}

/// A hidden sibling of `dir`.
fn beside(dir: &Path, suffix: &str) -> Result<PathBuf, ModelError> {
    let name =
        dir.file_name().ok_or_else(|| ModelError::key("folder to write", "a path that ends in a name", dir.display().to_string()))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".");
    hidden.push(suffix);
    Ok(dir.with_file_name(hidden))
}

/// Replacing deletes what was there, so only a checkpoint or an empty folder may be.
fn refuse_other_contents(dir: &Path) -> Result<(), ModelError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(ModelError::io("list", dir)(error)),
    };
    for entry in entries {
        let name = entry.map_err(ModelError::io("list", dir))?.file_name();
        if !FILES.iter().any(|file| name == *file) {
            let found = name.to_string_lossy().into_owned();
            return Err(ModelError::key("folder to replace", "nothing but the files of a checkpoint", found).at(dir));
        }
    }
    Ok(())
}

fn remove_folder(path: &Path) -> Result<(), ModelError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ModelError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// A rename is on disk when the folder that holds the name is.
fn sync_folder(path: &Path) -> Result<(), ModelError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(ModelError::io("sync", path))
}

fn pretty(json: &Value) -> String {
    format!("{json:#}\n")
}
