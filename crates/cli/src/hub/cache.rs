//! The cache of Hugging Face's programs: contents by their hash, and folders of links to them for each commit.
//!
//! ```text
//! hub/models--ORG--NAME/
//!   refs/main              the commit that a branch meant when it was fetched
//!   blobs/HASH             contents
//!   snapshots/COMMIT/FILE  link to its content
//! hub/.locks/models--ORG--NAME/HASH.lock
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::name::HubName;
use crate::run_dir::{io_context, write_atomically};

/// The part of the cache that belongs to one repository.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    locks: PathBuf,
}

impl Cache {
    pub(super) fn of(cache: &Path, name: &HubName) -> Self {
        let kind = if name.is_dataset { "datasets" } else { "models" };
        let folder = format!("{kind}--{}", name.repo.replace('/', "--"));
        Self { locks: cache.join(".locks").join(&folder), folder: cache.join(folder) }
    }

    /// The folder of a revision, if any of its files was ever fetched.
    pub(super) fn snapshot(&self, revision: &str) -> Result<Option<PathBuf>> {
        let path = self.folder.join("refs").join(revision);
        let commit = match fs::read_to_string(&path) {
            Ok(commit) => commit.trim().to_owned(),
            // A commit needs no reference.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => revision.to_owned(),
            Err(error) => return Err(error).with_context(io_context("read", &path)),
        };
        let snapshot = self.snapshot_of(&commit);
        Ok((!commit.is_empty() && snapshot.is_dir()).then_some(snapshot))
    }

    /// The folder of a commit.
    pub(super) fn snapshot_of(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// Remembers which commit a branch or tag means.
    pub(super) fn set_revision(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit { Ok(()) } else { write_atomically(&self.folder.join("refs").join(revision), commit.as_bytes()) }
    }

    /// Where a content is kept.
    pub(super) fn blob(&self, hash: &str) -> PathBuf {
        self.folder.join("blobs").join(hash)
    }

    /// Waits until no other process fetches a content, and keeps others away until the result is dropped.
    pub(super) fn lock(&self, hash: &str) -> Result<File> {
        for folder in [&self.locks, &self.folder.join("blobs")] {
            fs::create_dir_all(folder).with_context(io_context("create", folder))?;
        }
        let path = self.locks.join(format!("{hash}.lock"));
        let lock = File::options().create(true).append(true).open(&path).with_context(io_context("create", &path))?;
        lock.lock().with_context(io_context("lock", &path))?;
        Ok(lock)
    }

    /// Puts a content into the folder of a commit under the name of its file.
    pub(super) fn link(&self, commit: &str, file: &str, hash: &str) -> Result<()> {
        let link = self.snapshot_of(commit).join(file);
        if link.is_file() {
            return Ok(());
        }
        let parent = link.parent().context("a file has a folder")?;
        fs::create_dir_all(parent).with_context(io_context("create", parent))?;
        let up = "../".repeat(file.matches('/').count() + 2);
        let target = format!("{up}blobs/{hash}");
        let mut partial = link.as_os_str().to_owned();
        partial.push(".partial");
        drop(fs::remove_file(&partial));
        std::os::unix::fs::symlink(target, &partial).and_then(|()| fs::rename(&partial, &link)).with_context(io_context("create", &link))
    }
}
