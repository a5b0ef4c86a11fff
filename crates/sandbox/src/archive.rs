//! Files on their way into and out of a sandbox.
//!
//! Format: for each file the length of the path (u32), a byte that is 1 for programs, the length of the content (u64), path, content;
//! numbers are little-endian. Who unpacks does not trust who packed: the archive of a compiled program comes out of a sandbox.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path};

/// A file by its path inside a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub path: &'a str,
    pub executable: bool,
    pub content: &'a [u8],
}

/// Deepest folder that is packed.
const MAX_DEPTH: usize = 16;
/// Most files in an archive.
const MAX_FILES: usize = 10_000;

/// Says what is wrong with a path that is to lie inside a folder, if anything is.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let depth = Path::new(path).components().count();
    if path.is_empty() || !plain || path.contains('\0') || path.len() > 1024 || depth > MAX_DEPTH {
        return Err(format!("expected a relative path of at most {MAX_DEPTH} plain names, found {path:?}"));
    }
    Ok(())
}

/// Adds a file to an archive.
pub(crate) fn push(archive: &mut Vec<u8>, entry: &Entry<'_>) {
    // Paths have at most 1024 bytes, see `check_path`.
    let path_len = u32::try_from(entry.path.len()).unwrap_or(u32::MAX);
    archive.extend_from_slice(&path_len.to_le_bytes());
    archive.push(entry.executable.into());
    archive.extend_from_slice(&(entry.content.len() as u64).to_le_bytes());
    archive.extend_from_slice(entry.path.as_bytes());
    archive.extend_from_slice(entry.content);
}

/// The same files inside of a folder.
pub(crate) fn below(folder: &str, archive: &[u8]) -> Result<Vec<u8>, String> {
    let mut moved = Vec::with_capacity(archive.len());
    for entry in entries(archive)? {
        let path = format!("{folder}/{}", entry.path);
        check_path(&path)?;
        push(&mut moved, &Entry { path: &path, ..entry });
    }
    Ok(moved)
}

/// The files of an archive.
///
/// # Errors
/// A damaged archive, or a path that would leave the folder.
pub(crate) fn entries(mut archive: &[u8]) -> Result<Vec<Entry<'_>>, String> {
    fn take<'a>(archive: &mut &'a [u8], n: u64) -> Result<&'a [u8], String> {
        let cut = usize::try_from(n).ok().and_then(|n| archive.split_at_checked(n));
        let (head, tail) = cut.ok_or_else(|| format!("expected {n} more bytes in the archive, found {}", archive.len()))?;
        *archive = tail;
        Ok(head)
    }
    let mut found = Vec::new();
    while !archive.is_empty() {
        if found.len() == MAX_FILES {
            return Err(format!("expected at most {MAX_FILES} files"));
        }
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        let path_len = number(take(&mut archive, 4)?);
        let executable = take(&mut archive, 1)? != [0];
        let content_len = number(take(&mut archive, 8)?);
        let path = std::str::from_utf8(take(&mut archive, path_len)?).map_err(|_| "expected a path in UTF-8".to_owned())?;
        check_path(path)?;
        found.push(Entry { path, executable, content: take(&mut archive, content_len)? });
    }
    Ok(found)
}

/// Writes the files of an archive into `folder`, which must hold no links. `mode` is that of plain files; programs and folders can
/// also be executed by whoever can read them.
pub(crate) fn unpack(archive: &[u8], folder: &Path, mode: u32) -> io::Result<()> {
    let executable_mode = mode | (mode & 0o444) >> 2;
    for entry in entries(archive).map_err(io::Error::other)? {
        let path = folder.join(entry.path);
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(executable_mode).create(parent)?;
        }
        let mode = if entry.executable { executable_mode } else { mode };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        file.write_all(entry.content)?;
    }
    Ok(())
}

/// Packs the plain files below `folder`; links, devices, sockets and pipes are left out, so that nothing outside is followed.
///
/// # Errors
/// More than `max_bytes`, too many files, or too deep folders.
pub(crate) fn pack(folder: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut archive = Vec::new();
    let mut n_files = 0;
    pack_below(folder, "", MAX_DEPTH, max_bytes, &mut n_files, &mut archive)?;
    Ok(archive)
}

fn pack_below(folder: &Path, prefix: &str, depth: usize, max_bytes: u64, n_files: &mut usize, archive: &mut Vec<u8>) -> io::Result<()> {
    let mut items = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    items.sort_by_key(fs::DirEntry::file_name);
    for item in items {
        let name = item.file_name();
        let Some(name) = name.to_str() else { return Err(io::Error::other("expected file names in UTF-8")) };
        let path = format!("{prefix}{name}");
        let kind = item.file_type()?;
        if kind.is_dir() {
            if depth <= 1 {
                return Err(io::Error::other(format!("expected folders at most {MAX_DEPTH} deep")));
            }
            pack_below(&item.path(), &format!("{path}/"), depth - 1, max_bytes, n_files, archive)?;
        } else if kind.is_file() {
            *n_files += 1;
            let too_much = || io::Error::other(format!("expected at most {MAX_FILES} files with {max_bytes} bytes together"));
            // A file can be longer than the disk that it is on, if most of it is a hole.
            let size = item.metadata()?.size();
            if *n_files > MAX_FILES || size.saturating_add(archive.len() as u64) > max_bytes {
                return Err(too_much());
            }
            let mut content = Vec::new();
            let file = File::open(item.path())?;
            let executable = file.metadata()?.permissions().mode() & 0o100 != 0;
            file.take(size).read_to_end(&mut content)?;
            push(archive, &Entry { path: &path, executable, content: &content });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_packed_is_unpacked_with_its_modes_and_without_links() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut archive = Vec::new();
        push(&mut archive, &Entry { path: "a/b/c.txt", executable: false, content: b"text" });
        push(&mut archive, &Entry { path: "main", executable: true, content: b"\x7fELF" });
        unpack(&archive, from.path(), 0o600).unwrap();
        std::os::unix::fs::symlink("main", from.path().join("link")).unwrap();
        assert_eq!(fs::metadata(from.path().join("main")).unwrap().mode() & 0o777, 0o700);

        let again = pack(from.path(), 1000).unwrap();
        assert_eq!(again, archive);
        unpack(&again, to.path(), 0o600).unwrap();
        assert_eq!(fs::read(to.path().join("a/b/c.txt")).unwrap(), b"text");
        pack(from.path(), 7).unwrap_err();
    }

    #[test]
    fn a_file_with_a_hole_is_too_long() {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join("hole")).unwrap().set_len(1 << 40).unwrap();
        pack(folder.path(), 1 << 20).unwrap_err();
    }

    #[test]
    fn paths_stay_inside() {
        for path in ["", "/etc/passwd", "../x", "a/../b", ".", "a\0b", &"a/".repeat(17)] {
            check_path(path).unwrap_err();
            let mut archive = Vec::new();
            push(&mut archive, &Entry { path, executable: false, content: b"" });
            entries(&archive).unwrap_err();
        }
        check_path("a/b.py").unwrap();
    }

    proptest! {
        #[test]
        fn any_bytes_are_files_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(entries(&bytes));
        }

        #[test]
        fn entries_give_back_what_was_pushed(files in prop::collection::vec(("[a-z]{1,8}", any::<bool>(), prop::collection::vec(any::<u8>(), 0..50)), 0..5)) {
            let files: Vec<Entry<'_>> = files.iter().map(|(path, executable, content)| Entry { path, executable: *executable, content }).collect();
            let mut archive = Vec::new();
            for file in &files {
                push(&mut archive, file);
            }
            prop_assert_eq!(entries(&archive).unwrap(), files);
        }
    }
}
