//! What jobs may leave behind: processes, mounts, control groups, files. Tests run one after the other, so nothing else changes these.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The machine as jobs could change it.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) processes: BTreeSet<u32>,
    mounts: String,
    groups: BTreeSet<PathBuf>,
    files: BTreeSet<PathBuf>,
}

impl Machine {
    pub(crate) fn look() -> Self {
        // The shared sandbox has launchers and folders for control groups of its own.
        crate::support::sandbox();
        Self {
            processes: descendants(),
            mounts: fs::read_to_string("/proc/self/mountinfo").unwrap(),
            groups: groups_of(std::process::id()),
            files: files_of_jobs(),
        }
    }
}

/// Waits a moment for the kernel, which removes the last traces of a process after its parent has been told.
pub(crate) fn assert_same(before: &Machine) {
    let begun = Instant::now();
    loop {
        let now = Machine::look();
        // A supervisor may have been about to go when `before` was looked at.
        let gone = now.processes.is_subset(&before.processes);
        if gone && (&now.mounts, &now.groups, &now.files) == (&before.mounts, &before.groups, &before.files) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(2), "left behind:\n{now:#?}\nbefore:\n{before:#?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// All processes below this one.
pub(crate) fn descendants() -> BTreeSet<u32> {
    let mut parents = BTreeMap::new();
    for item in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = item.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(item.path().join("stat")) else { continue };
        // After the name, which may hold anything: state, parent.
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.insert(pid, parent.unwrap_or(0));
    }
    let own = std::process::id();
    let is_below = |mut pid: u32| {
        while let Some(&parent) = parents.get(&pid) {
            if parent == own {
                return true;
            }
            pid = parent;
        }
        false
    };
    parents.keys().copied().filter(|&pid| is_below(pid)).collect()
}

/// Control groups that a pool in process `pid` has made.
pub(crate) fn groups_of(pid: u32) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    walk(Path::new("/sys/fs/cgroup"), &format!("ruminate-{pid}-"), 0, &mut found);
    found
}

fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut BTreeSet<PathBuf>) {
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        if depth < 8 && item.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = item.path();
            if path.to_string_lossy().contains(prefix) {
                found.insert(path.clone());
            }
            walk(&path, prefix, depth + 1, found);
        }
    }
}

/// Files in the folder for temporary files that belong to jobs.
fn files_of_jobs() -> BTreeSet<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    const NOBODY: u32 = 65534;
    let of_job = |item: &fs::DirEntry| {
        let named = item.file_name().to_string_lossy().starts_with("ruminate");
        named || item.metadata().is_ok_and(|data| data.uid() == NOBODY)
    };
    fs::read_dir(std::env::temp_dir()).unwrap().flatten().filter(of_job).map(|item| item.path()).collect()
}
