//! Names of repositories and files of the hub.

use std::fmt;
use std::path::Path;

/// A model `hf:ORG/NAME[@REVISION]`, one of its files `hf:ORG/NAME[@REVISION]/FILE`, or a file of a data set
/// `hf:datasets/ORG/NAME[@REVISION]/FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HubName {
    /// Whether it is a data set.
    pub(super) is_dataset: bool,
    /// `ORG/NAME`.
    pub(super) repo: String,
    /// A branch, tag or commit.
    pub(super) revision: String,
    /// The file within, with `/` between folders.
    pub(super) file: Option<String>,
}

impl HubName {
    /// Reads a name; `None` for a path. Without `hf:` only `ORG/NAME@REVISION` is one, unless there is a file or folder of that name.
    ///
    /// # Errors
    /// What is wrong with a name that begins as one of the hub.
    pub(crate) fn parse(text: &str) -> Option<Result<Self, NameError>> {
        if let Some(rest) = text.strip_prefix("hf:") {
            return Some(Self::read(rest).ok_or_else(|| NameError(text.to_owned())));
        }
        if text.matches('/').count() != 1 || !text.contains('@') || Path::new(text).exists() {
            return None;
        }
        Self::read(text).map(Ok)
    }

    /// Whether it is a whole model, and not one file.
    pub(crate) fn is_folder(&self) -> bool {
        self.file.is_none()
    }

    fn read(text: &str) -> Option<Self> {
        let (is_dataset, text) = text.strip_prefix("datasets/").map_or((false, text), |rest| (true, rest));
        let mut parts = text.splitn(3, '/');
        let (org, name) = (parts.next()?, parts.next()?);
        let file = parts.next().map(str::to_owned);
        let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
        let is_word = |word: &str| {
            let is_letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !word.is_empty() && word.chars().all(is_letter) && !word.starts_with('.') && !word.contains("..")
        };
        let is_good =
            is_word(org) && is_word(name) && is_word(revision) && file.as_deref().is_none_or(is_inside) && (file.is_some() || !is_dataset);
        is_good.then(|| Self { is_dataset, repo: format!("{org}/{name}"), revision: revision.to_owned(), file })
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let datasets = if self.is_dataset { "datasets/" } else { "" };
        write!(f, "hf:{datasets}{}@{}", self.repo, self.revision)?;
        self.file.as_ref().map_or(Ok(()), |file| write!(f, "/{file}"))
    }
}

/// Text that begins as a name of the hub and is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected hf:ORG/NAME, hf:ORG/NAME@REVISION, with /FILE for one file of it, or hf:datasets/ORG/NAME/FILE; found '{0}'")]
pub(crate) struct NameError(String);

/// Whether a file stays inside of its folder.
pub(super) fn is_inside(file: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']);
    file.split('/').all(is_part)
}
