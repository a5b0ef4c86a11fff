//! Models and files of the Hugging Face hub, kept in the cache that Hugging Face's own programs use.
//!
//! What is complete in the cache is used without a word to the hub, so that a run goes on with the model that it began with and needs no
//! network. A newer commit is named by its revision.

mod cache;
mod name;
mod remote;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use cache::Cache;
pub(crate) use name::HubName;
use remote::{Entry, Remote};

use crate::ui::Ui;

/// Files of a model besides its weights that are fetched if they are there.
const SMALL_FILES: [&str; 6] =
    ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"];

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const WEIGHTS_INDEX: &str = "model.safetensors.index.json";

/// Where the hub and the cache are.
#[derive(Clone, Debug)]
pub(crate) struct Hub {
    endpoint: String,
    token: Option<String>,
    is_offline: bool,
    cache: PathBuf,
}

/// How much of what a name asks for is needed.
#[derive(Clone, Copy, Debug)]
enum Part {
    All,
    /// The configuration of a model.
    Config,
}

impl Hub {
    /// As the usual environment variables say: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`, `HF_HUB_CACHE`, `HF_HOME`.
    ///
    /// # Errors
    /// No variable says where the cache is, and there is no home folder.
    pub(crate) fn from_env() -> Result<Self> {
        let var = |name: &str| std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let home = var("HF_HOME").map(PathBuf::from);
        let home = home.or_else(|| var("XDG_CACHE_HOME").map(|cache| PathBuf::from(cache).join("huggingface")));
        let home = home.or_else(|| var("HOME").map(|home| PathBuf::from(home).join(".cache/huggingface")));
        let cache = var("HF_HUB_CACHE").map(PathBuf::from).or_else(|| home.as_ref().map(|home| home.join("hub")));
        let cache = cache.context("expected HF_HOME, which says where models are kept, or HOME; found neither")?;
        let token_file = var("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| home.map(|home| home.join("token")));
        let saved_token =
            || std::fs::read_to_string(token_file?).ok().map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        Ok(Self {
            endpoint: var("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned()).trim_end_matches('/').to_owned(),
            token: var("HF_TOKEN").or_else(saved_token),
            is_offline: var("HF_HUB_OFFLINE").is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str())),
            cache,
        })
    }

    /// The folder of a model, or the one file that the name ends with. Fetches what is missing.
    ///
    /// # Errors
    /// There is no such repository, revision or file; it is not open to this user; the hub cannot be reached; what arrives is not what
    /// the hub promised; the disk is full.
    pub(crate) fn fetch(&self, name: &HubName, ui: &Ui) -> Result<PathBuf> {
        self.fetch_part(name, Part::All, ui)
    }

    /// The folder with the configuration of a model, without its weights unless they are there.
    ///
    /// # Errors
    /// As [`Hub::fetch`].
    pub(crate) fn fetch_config(&self, name: &HubName, ui: &Ui) -> Result<PathBuf> {
        self.fetch_part(name, Part::Config, ui)
    }

    fn fetch_part(&self, name: &HubName, part: Part, ui: &Ui) -> Result<PathBuf> {
        let cache = Cache::of(&self.cache, name);
        let end = |snapshot: PathBuf| name.file.as_ref().map_or(snapshot.clone(), |file| snapshot.join(file));
        if let Some(snapshot) = cache.snapshot(&name.revision)?
            && part.is_complete(name, &snapshot)
        {
            return Ok(end(snapshot));
        }
        if self.is_offline {
            bail!("{name} is not complete in {}, and HF_HUB_OFFLINE forbids to fetch it", self.cache.display());
        }
        let remote = Remote::list(self, name)?;
        let files = match part {
            Part::All => wanted(name, &remote, &cache)?,
            Part::Config => vec![remote.entry(name, CONFIG)?.clone()],
        };
        remote.download(&files, &cache, ui).with_context(|| format!("cannot fetch {name}"))?;
        cache.set_revision(&name.revision, remote.commit())?;
        Ok(end(cache.snapshot_of(remote.commit())))
    }
}

/// Which files of a repository are fetched.
fn wanted(name: &HubName, remote: &Remote<'_>, cache: &Cache) -> Result<Vec<Entry>> {
    if let Some(file) = &name.file {
        return Ok(vec![remote.entry(name, file)?.clone()]);
    }
    remote.entry(name, CONFIG)?;
    let mut files: Vec<Entry> = SMALL_FILES.iter().filter_map(|file| remote.find(file).cloned()).collect();
    if let Some(weights) = remote.find(WEIGHTS) {
        files.push(weights.clone());
    } else if let Some(index) = remote.find(WEIGHTS_INDEX) {
        // The index says which of the files are the model's.
        remote.download(std::slice::from_ref(index), cache, &Ui::quiet())?;
        files.push(index.clone());
        for shard in shards(&cache.snapshot_of(remote.commit()).join(WEIGHTS_INDEX))? {
            files.push(remote.entry(name, &shard)?.clone());
        }
    } else {
        let others = remote.names().filter(|file| [".gguf", ".bin", ".pth", ".safetensors"].iter().any(|end| file.ends_with(end)));
        let others: Vec<&str> = others.take(5).collect();
        let found = if others.is_empty() { "no weights".to_owned() } else { others.join(", ") };
        bail!("{name}: expected {WEIGHTS} or {WEIGHTS_INDEX}, found {found}; a GGUF file is named as {name}/FILE.gguf");
    }
    Ok(files)
}

impl Part {
    /// Whether a folder of the cache has it.
    fn is_complete(self, name: &HubName, snapshot: &Path) -> bool {
        let has_all = |files: &[&str]| files.iter().all(|file| snapshot.join(file).is_file());
        let has_weights = || {
            let index = snapshot.join(WEIGHTS_INDEX);
            has_all(&[WEIGHTS]) || shards(&index).is_ok_and(|shards| shards.iter().all(|shard| snapshot.join(shard).is_file()))
        };
        match (self, &name.file) {
            (_, Some(file)) => has_all(&[file]),
            (Self::Config, None) => has_all(&[CONFIG]),
            (Self::All, None) => has_all(&[CONFIG, "tokenizer.json"]) && has_weights(),
        }
    }
}

/// The files that an index names.
fn shards(index: &Path) -> Result<std::collections::BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let bytes = std::fs::read(index).with_context(crate::run_dir::io_context("read", index))?;
    let index: Index = serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", index.display()))?;
    Ok(index.weight_map.into_values().collect())
}
