//! Finding the model that the user means, and those that are built in.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ruminate_model::{Checkpoint, ModelConfig};

use crate::hub::{Hub, HubName};
use crate::run_dir::{io_context, read_json, write_atomically};
use crate::ui::Ui;

/// What names of built-in models begin with.
const PREFIX: &str = "builtin:";

/// A base model that this program carries: a Hugging Face folder that `recipes/base.toml` made.
#[derive(Debug)]
pub(crate) struct Builtin {
    /// What it is called in recipes and commands.
    pub(crate) name: &'static str,
    files: [(&'static str, &'static [u8]); 5],
}

macro_rules! builtin {
    ($folder:literal) => {
        Builtin {
            name: concat!("builtin:", $folder),
            files: [
                ("config.json", include_bytes!(concat!("../assets/", $folder, "/config.json"))),
                ("generation_config.json", include_bytes!(concat!("../assets/", $folder, "/generation_config.json"))),
                ("model.safetensors", include_bytes!(concat!("../assets/", $folder, "/model.safetensors"))),
                ("tokenizer.json", include_bytes!(concat!("../assets/", $folder, "/tokenizer.json"))),
                ("tokenizer_config.json", include_bytes!(concat!("../assets/", $folder, "/tokenizer_config.json"))),
            ],
        }
    };
}

/// All built-in models, largest first.
const BUILTINS: [Builtin; 3] = [builtin!("tiny"), builtin!("small"), builtin!("mini")];

/// The built-in model that a path names, if it names one.
///
/// # Errors
/// A name that begins as those of built-in models do and is none.
pub(crate) fn builtin(path: &str) -> Result<Option<&'static Builtin>, UnknownBuiltin> {
    match BUILTINS.iter().find(|builtin| builtin.name == path) {
        None if path.starts_with(PREFIX) => Err(UnknownBuiltin(path.to_owned())),
        found => Ok(found),
    }
}

/// Names of all built-in models.
pub(crate) fn builtin_names() -> Vec<String> {
    BUILTINS.iter().map(|builtin| builtin.name.to_owned()).collect()
}

/// A name of no built-in model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no built-in model is called '{0}', expected one of {known}", known = builtin_names().join(", "))]
pub(crate) struct UnknownBuiltin(String);

impl Builtin {
    /// Writes it as a Hugging Face folder.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(io_context("create", folder))?;
        self.files.iter().try_for_each(|(name, bytes)| write_atomically(&folder.join(name), bytes))
    }

    /// Hash of its files.
    pub(crate) fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (_, bytes) in self.files {
            hasher.update(bytes);
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// An opened model. The files of the built-in one live as long as this.
#[derive(Debug)]
pub(crate) struct OpenModel {
    /// The model.
    pub(crate) checkpoint: Checkpoint,
    _files: Option<tempfile::TempDir>,
}

/// Opens a Hugging Face folder, a GGUF file, the directory of a stage, a model of the hub, which is fetched if it is not there, or a
/// built-in model.
///
/// # Errors
/// No such model, or one that cannot be read.
pub(crate) fn open(model: &str) -> Result<OpenModel> {
    if let Some(builtin) = builtin(model)? {
        let files = tempfile::tempdir().context("cannot create a temporary folder")?;
        let folder = files.path().join("model");
        builtin.write(&folder)?;
        return Ok(OpenModel { checkpoint: Checkpoint::open(&folder)?, _files: Some(files) });
    }
    Ok(OpenModel { checkpoint: Checkpoint::open(&resolve(model)?)?, _files: None })
}

/// The shape of a model. Of one of the hub only that is fetched, and a folder need not have more than `config.json` for it.
///
/// # Errors
/// As [`open()`].
pub(crate) fn shape(model: &str) -> Result<ModelConfig> {
    let folder = match HubName::parse(model).transpose()?.filter(HubName::is_folder) {
        Some(name) => Hub::from_env()?.fetch_config(&name, &Ui::new())?,
        None if Path::new(model).join("config.json").is_file() => PathBuf::from(model),
        None => return Ok(open(model)?.checkpoint.config),
    };
    let path = folder.join("config.json");
    let json = read_json(&path)?.with_context(io_context("find", &path))?;
    ModelConfig::from_hf_json(&json).with_context(|| path.display().to_string())
}

/// Where a model is that is not built in. Fetches it from the hub if it is one of there.
///
/// # Errors
/// As [`locate`] and [`Hub::fetch`].
pub(crate) fn resolve(model: &str) -> Result<PathBuf> {
    match HubName::parse(model) {
        Some(name) => Hub::from_env()?.fetch(&name?, &Ui::new()),
        None => {
            let path = locate(Path::new(model))?;
            if !path.exists() && matches!(HubName::parse(&format!("hf:{model}")), Some(Ok(_))) {
                bail!("{model}: there is no such file or folder; a model of the hub is named hf:{model}");
            }
            Ok(path)
        }
    }
}

/// The checkpoint that a path means: itself, or the `checkpoint` folder of a stage's directory.
///
/// # Errors
/// The directory of a run, or of a stage without a checkpoint.
pub(crate) fn locate(path: &Path) -> Result<PathBuf> {
    if path.join("resolved.toml").is_file() {
        bail!("{} is the directory of a run, expected one of its stages, such as {}", path.display(), path.join("zero").display());
    }
    let of_stage = path.join("checkpoint");
    if path.join("config.json").is_file() || !path.join("manifest.json").is_file() {
        return Ok(path.to_owned());
    }
    if !of_stage.is_dir() {
        bail!("{} is the directory of a stage that has no checkpoint yet", path.display());
    }
    Ok(of_stage)
}

/// Hash of a model's files, names and contents.
///
/// # Errors
/// Files that cannot be read.
pub(crate) fn hash_files(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).with_context(io_context("read", path))? {
            let entry = entry.with_context(io_context("read", path))?;
            if entry.path().is_file() {
                files.push(entry.path());
            }
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    for file in files {
        hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        let opened = std::fs::File::open(&file).with_context(io_context("open", &file))?;
        hasher.update_reader(opened).with_context(io_context("read", &file))?;
    }
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_directory_means_its_checkpoint_and_a_run_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let stage = dir.path().join("zero");
        std::fs::create_dir_all(&stage).unwrap();
        std::fs::write(stage.join("manifest.json"), "{}").unwrap();
        assert!(locate(&stage).unwrap_err().to_string().contains("has no checkpoint yet"));
        std::fs::create_dir(stage.join("checkpoint")).unwrap();
        assert_eq!(locate(&stage).unwrap(), stage.join("checkpoint"));
        std::fs::write(dir.path().join("resolved.toml"), "").unwrap();
        assert!(locate(dir.path()).unwrap_err().to_string().contains("is the directory of a run"));
        assert_eq!(locate(Path::new("m.gguf")).unwrap(), Path::new("m.gguf"));
    }

    #[test]
    fn built_in_models_have_names_and_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in builtin_names() {
            let model = open(&name).unwrap();
            assert_eq!(model.checkpoint.config.max_positions, 512, "{name}");
            let builtin = builtin(&name).unwrap().unwrap();
            builtin.write(folder.path()).unwrap();
            assert_eq!(builtin.hash(), builtin.hash());
        }
        assert!(builtin("models/tiny").unwrap().is_none());
        let error = open("builtin:huge").unwrap_err().to_string();
        assert!(error.starts_with("no built-in model is called 'builtin:huge', expected one of builtin:tiny"), "{error}");
    }

    #[test]
    fn hashes_see_every_byte_and_the_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w");
        let hash = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            hash_files(dir.path()).unwrap()
        };
        let zeros = vec![0_u8; 3 << 20];
        let mut last = zeros.clone();
        *last.last_mut().unwrap() = 1;
        let mut first = zeros.clone();
        first[0] = 1;
        let hashes = [hash(&zeros), hash(&zeros[1..]), hash(&last), hash(&first), hash(b""), hash(b"a"), hash(b"b")];
        let different: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(different.len(), hashes.len());
        assert_eq!(hash(&zeros), hashes[0]);
    }
}
