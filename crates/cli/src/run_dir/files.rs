//! Files that appear under their name only when complete: written beside it, synced, renamed, and the directory synced.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::parallel::{in_parallel, n_cores};

/// Says what was done to which file, for errors of the system.
pub(crate) fn io_context(action: &'static str, path: &Path) -> impl Fn() -> String + use<> {
    let path = path.display().to_string();
    move || format!("cannot {action} {path}")
}

/// Writes a whole file. On an error, a full disk among them, what was there stays.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// Writes a value as indented JSON.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value).with_context(io_context("write", path))?;
    bytes.push(b'\n');
    write_atomically(path, &bytes)
}

/// Writes values as JSON, one on each line.
pub(crate) fn write_jsonl<T: Serialize>(path: &Path, values: &[T]) -> Result<()> {
    write_with(path, |file| {
        for value in values {
            serde_json::to_writer(&mut *file, value)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// As [`write_jsonl`], for values with long lines: each core makes one, and only these are in memory at a time.
pub(crate) fn write_long_jsonl<T: Serialize + Sync>(path: &Path, values: &[T]) -> Result<()> {
    let n_cores = n_cores();
    write_with(path, |file| {
        for values in values.chunks(n_cores) {
            for line in in_parallel(n_cores, values, |value| serde_json::to_vec(value)) {
                file.write_all(&line?)?;
                file.write_all(b"\n")?;
            }
        }
        Ok(())
    })
}

/// Reads a JSON file; `None` if there is none.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(io_context("read", path)),
    }
}

/// Reads the lines of a JSONL file; none if there is no file.
pub(crate) fn read_jsonl<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(io_context("read", path)),
    };
    let parse =
        |(idx, line): (usize, &str)| serde_json::from_str(line).with_context(|| format!("{}:{} is damaged", path.display(), idx + 1));
    text.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(parse).collect()
}

fn write_with(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<()> {
    replace_file(path, |partial| {
        let write = || -> std::io::Result<()> {
            let mut file = BufWriter::new(File::create(partial)?);
            fill(&mut file)?;
            file.into_inner().map_err(std::io::IntoInnerError::into_error).map(drop)
        };
        write().with_context(io_context("write", path))
    })
}

/// Has `write` make a file beside `path`, which then takes its place. On an error, what was there stays.
pub(crate) fn replace_file(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(io_context("create", parent))?;
    // One fixed name: what a killed process left there is written over. The lock of the run keeps others away.
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let take_place = || -> std::io::Result<()> {
        File::open(partial)?.sync_all()?;
        fs::rename(partial, path)?;
        File::open(parent)?.sync_all()
    };
    let written = write(partial).and_then(|()| take_place().with_context(io_context("write", path)));
    if written.is_err() {
        // The first error is the one to report; the next write replaces what is left.
        drop(fs::remove_file(partial));
    }
    written
}
