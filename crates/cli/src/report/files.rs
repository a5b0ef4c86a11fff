//! Reading files of a run that may be missing, torn or damaged: what cannot be read becomes a note, never an error.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What was found wrong, for the reader of the report.
pub(super) type Notes = Vec<String>;

/// A line of `metrics.jsonl`.
pub(super) type MetricsLine = Map<String, Value>;

/// The text of a file; `None` if there is none.
pub(super) fn text(path: &Path, notes: &mut Notes) -> Option<String> {
    match std::fs::read(path) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            notes.push(format!("{} cannot be read: {error}", path.display()));
            None
        }
    }
}

/// A JSON file; `None` if there is none or it is damaged.
pub(super) fn json<T: DeserializeOwned>(path: &Path, notes: &mut Notes) -> Option<T> {
    let text = text(path, notes)?;
    match serde_json::from_str(&text) {
        Ok(value) => Some(value),
        Err(error) => {
            notes.push(format!("{} is left out, it is damaged: {error}", path.display()));
            None
        }
    }
}

/// The lines of a JSONL file that can be read. A last line without its end is what a kill leaves, or a run in progress is writing.
pub(super) fn lines<T: DeserializeOwned>(path: &Path, notes: &mut Notes) -> Vec<T> {
    let Some(text) = text(path, notes) else { return Vec::new() };
    let (whole, torn) = text.rsplit_once('\n').unwrap_or(("", &text));
    if !torn.is_empty() {
        notes.push(format!("{}: the last line is not complete and left out", path.display()));
    }
    let mut damaged = Vec::new();
    let mut parsed = Vec::new();
    for (idx, line) in whole.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(value) => parsed.push(value),
            Err(_) => damaged.push(idx + 1),
        }
    }
    if let Some(first) = damaged.first() {
        notes.push(format!("{}: {} damaged lines are left out, the first is line {first}", path.display(), damaged.len()));
    }
    parsed
}

/// The files `step-NNNNN.jsonl` of a folder with their steps, in order.
pub(super) fn step_files(folder: &Path, notes: &mut Notes) -> Vec<(u64, std::path::PathBuf)> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            notes.push(format!("{} cannot be read: {error}", folder.display()));
            return Vec::new();
        }
    };
    let step = |path: &Path| path.file_name()?.to_str()?.strip_prefix("step-")?.strip_suffix(".jsonl")?.parse().ok();
    let mut found: Vec<_> = entries.flatten().map(|entry| entry.path()).filter_map(|path| Some((step(&path)?, path))).collect();
    found.sort();
    found
}
