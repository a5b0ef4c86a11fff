//! Kept replies, one file for each question, named by the hash of what was asked.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ruminate_rewards::judge::{ChatReply, ChatRequest, content_key};
use serde::{Deserialize, Serialize};

/// A folder of kept replies. Several processes may share one.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// What a file holds: the question too, so that people can read it and a renamed or mixed-up file is noticed.
#[derive(Serialize, Deserialize)]
struct Entry {
    request: ChatRequest,
    reply: ChatReply,
}

impl Cache {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The reply that was kept under a key.
    ///
    /// # Errors
    /// A file that cannot be used, in words.
    pub(super) fn get(&self, key: &str) -> Result<Option<ChatReply>, String> {
        let path = self.path(key);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        let entry: Entry = serde_json::from_slice(&bytes).map_err(|error| format!("{} is damaged: {error}", path.display()))?;
        if content_key(&entry.request) != key || entry.reply.choices.is_empty() {
            return Err(format!("{} holds the reply to another question", path.display()));
        }
        Ok(Some(entry.reply))
    }

    /// Keeps a reply. Its file appears whole or not at all, even if others write it at the same time.
    pub(super) fn put(&self, request: &ChatRequest, reply: &ChatReply) -> Result<()> {
        let path = self.path(&content_key(request));
        let folder = path.parent().context("a key has a folder")?;
        let write = || -> Result<()> {
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            let mut bytes = serde_json::to_vec_pretty(&Entry { request: request.clone(), reply: reply.clone() })?;
            bytes.push(b'\n');
            file.write_all(&bytes)?;
            // Not synced: after a crash of the machine a damaged file is noticed and asked for again.
            file.persist(&path)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Two levels, so that no folder gets too full.
    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(key.get(..2).unwrap_or("__")).join(format!("{key}.json"))
    }
}
