//! Rules of the workspace that no compiler knows. Each rule is a function from text to findings, so that its test needs no files.

mod documents;
mod manifests;
mod sources;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Folders that hold nothing to check: what was built and what a run made.
const SKIPPED: [&str; 3] = ["target", "runs", "__pycache__"];

/// Hidden folders that are part of the workspace. Others belong to version control, editors and virtual environments.
const HIDDEN: [&str; 3] = [".cargo", ".ci", ".github"];

/// Checks all files of the workspace.
///
/// # Errors
/// Files that cannot be read, or findings, one in each line.
pub(crate) fn tidy(root: &Path) -> Result<()> {
    let mut findings = Vec::new();
    let paths = files(root)?;
    let names: BTreeSet<String> = paths.iter().map(|path| name(path)).collect();
    let mut texts = Vec::new();
    for path in &paths {
        if let Some(kind) = FileKind::of(path) {
            let text = std::fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {}", path.display()))?;
            texts.push((kind, name(path), text));
        }
    }
    let code: String = texts.iter().filter(|(kind, ..)| *kind == FileKind::Rust).map(|(.., text)| text.as_str()).collect();
    for (kind, name, text) in &texts {
        let found = match kind {
            FileKind::Manifest => manifests::check(name, text)?,
            FileKind::Rust => sources::check_rust(name, text),
            FileKind::Markdown => [sources::check_text(name, text), documents::check(name, text, &names, &code)].concat(),
            FileKind::Text => sources::check_text(name, text),
        };
        findings.extend(found.into_iter().map(|finding| format!("{name}: {finding}")));
    }
    if findings.is_empty() {
        println!("tidy: {} files", texts.len());
        return Ok(());
    }
    bail!("tidy: {} findings\n{}", findings.len(), findings.join("\n"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Manifest,
    Markdown,
    Rust,
    Text,
}

impl FileKind {
    fn of(path: &Path) -> Option<Self> {
        if path.file_name()? == "Cargo.toml" && path.parent() != Some(Path::new("")) {
            return Some(Self::Manifest);
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => Some(Self::Rust),
            Some("md") => Some(Self::Markdown),
            Some("toml" | "py") => Some(Self::Text),
            _ => path.starts_with(".ci").then_some(Self::Text),
        }
    }
}

/// A path with slashes on every system.
fn name(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

/// All files below the root, relative to it, in order.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let is_skipped = SKIPPED.contains(&&*name) || (name.starts_with('.') && !HIDDEN.contains(&&*name));
                if !is_skipped {
                    folders.push(path);
                }
            } else if entry.file_type()?.is_file() {
                found.push(path.strip_prefix(root)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
