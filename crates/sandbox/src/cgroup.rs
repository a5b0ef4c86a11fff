//! Control groups, v1 and v2, as far as the machine lets us make them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::layers::Layer;
use crate::limits::Limits;

/// Interface of a control group hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Version {
    V1,
    V2,
}

/// A folder in which each job gets a control group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub version: Version,
    pub layers: Vec<Layer>,
    pub folder: PathBuf,
}

const CONTROLLED: [(Layer, &str, &str); 3] =
    [(Layer::CgroupPids, "pids", "pids"), (Layer::CgroupMemory, "memory", "memory"), (Layer::CgroupCpu, "cpuacct", "cpu")];

/// Names of our folders begin so, followed by the id of the process that made them and a number.
const PREFIX: &str = "ruminate-";

/// The folders of one sandbox, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Places {
    pub places: Vec<Place>,
    /// Layers without a place, and why.
    pub missing: Vec<(Layer, String)>,
}

impl Places {
    /// Makes folders wherever the machine allows it, and removes those of pools that died.
    pub(crate) fn make(unwanted: &[Layer]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut made = Self { places: Vec::new(), missing: Vec::new() };
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        for (layer, v1, v2) in CONTROLLED {
            if unwanted.contains(&layer) {
                continue;
            }
            let tried = match own_folder(&mounts, &own, v1) {
                Some(parent) => make_v1(&parent, &name).map(|folder| (Version::V1, folder)),
                None => match own_folder(&mounts, &own, "") {
                    Some(own) => make_v2(&own, v2, &name).map(|folder| (Version::V2, folder)),
                    None => Err("no cgroup file system is mounted".to_owned()),
                },
            };
            match tried {
                Ok((version, folder)) => match made.places.iter_mut().find(|place| place.folder == folder) {
                    Some(place) => place.layers.push(layer),
                    None => made.places.push(Place { version, layers: vec![layer], folder }),
                },
                Err(reason) => made.missing.push((layer, reason)),
            }
        }
        made
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        for place in &self.places {
            remove_tree(&place.folder);
        }
    }
}

/// The folder of this process in the hierarchy of a v1 controller, or of v2 for `""`.
fn own_folder(mountinfo: &str, own: &str, controller: &str) -> Option<PathBuf> {
    let has = |list: &str| list.split(',').any(|item| item == controller);
    let path = own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let fits = if controller.is_empty() { id == "0" && controllers.is_empty() } else { has(controllers) };
        fits.then_some(path)
    })?;
    mountinfo.lines().find_map(|line| {
        let (head, tail) = line.split_once(" - ")?;
        let mut tail = tail.split(' ');
        let kind = tail.next()?;
        let fits = if controller.is_empty() { kind == "cgroup2" } else { kind == "cgroup" && has(tail.nth(1)?) };
        let mut head = head.split(' ').skip(3);
        let (root, mount) = (head.next()?, head.next()?);
        // In a container the mount may show only a part of the hierarchy.
        let below = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
        fits.then(|| Path::new(mount).join(below))
    })
}

fn make_v1(parent: &Path, name: &str) -> Result<PathBuf, String> {
    remove_stale(parent);
    make_folder(parent, name)
}

/// In v2, processes and controllers of children exclude each other in one group, the root excepted. So the folder is made beside our
/// group where the controller is already handed down, or below it after moving this process into a group of its own.
fn make_v2(own: &Path, controller: &str, name: &str) -> Result<PathBuf, String> {
    let list = |folder: &Path, file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let has = |text: &str| text.split_whitespace().any(|item| item == controller);
    let own_name = own.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if own_name.starts_with(PREFIX)
        && let Some(parent) = own.parent()
    {
        // An earlier sandbox of this process has moved us already.
        enable(parent, controller)?;
        return make_v2_folder(parent, controller, name);
    }
    if !has(&list(own, "cgroup.controllers")) {
        return Err(format!("{}: the controller {controller} is not handed down to this process", own.display()));
    }
    // The root of the hierarchy, which has no type, may have both processes and controllers.
    if !own.join("cgroup.type").exists() {
        enable(own, controller)?;
    }
    if has(&list(own, "cgroup.subtree_control")) {
        return make_v2_folder(own, controller, name);
    }
    let others = list(own, "cgroup.procs").lines().any(|pid| pid != std::process::id().to_string());
    if others {
        return Err(format!(
            "{}: other processes share the group of this one; start the program in a group of its own, \
             for example by `systemd-run --user --scope -p Delegate=yes`",
            own.display()
        ));
    }
    let home = make_folder(own, &format!("{PREFIX}{}-main", std::process::id()))?;
    write(&home.join("cgroup.procs"), &std::process::id().to_string()).map_err(|error| failed(&home, &error))?;
    enable(own, controller)?;
    make_v2_folder(own, controller, name)
}

fn make_v2_folder(parent: &Path, controller: &str, name: &str) -> Result<PathBuf, String> {
    remove_stale(parent);
    let folder = make_folder(parent, name)?;
    enable(&folder, controller)?;
    Ok(folder)
}

fn enable(folder: &Path, controller: &str) -> Result<(), String> {
    write(&folder.join("cgroup.subtree_control"), &format!("+{controller}")).map_err(|error| failed(folder, &error))
}

fn make_folder(parent: &Path, name: &str) -> Result<PathBuf, String> {
    let folder = parent.join(name);
    match fs::create_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(&folder, &error)),
        _ => Ok(folder),
    }
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Control files are written by one call, and are not created.
fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}

/// Removes folders whose maker does not live any more. Groups with processes in them stay: the kernel refuses.
fn remove_stale(parent: &Path) {
    let Ok(items) = fs::read_dir(parent) else { return };
    for item in items.flatten() {
        let name = item.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
        if maker.is_some_and(|maker| !Path::new(&format!("/proc/{maker}")).exists()) {
            remove_tree(&item.path());
        }
    }
}

/// Removes a group and the groups in it. A group that is in use stays; the next start removes it.
pub(crate) fn remove_tree(folder: &Path) {
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        if item.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&item.path());
        }
    }
    drop(fs::remove_dir(folder));
}

/// The control groups of one job, removed when dropped.
#[derive(Debug)]
pub(crate) struct JobGroups {
    groups: Vec<Place>,
}

impl JobGroups {
    /// Makes the groups and sets their limits.
    pub(crate) fn make(places: &[Place], name: &str, limits: &Limits) -> io::Result<Self> {
        let mut made = Self { groups: Vec::new() };
        for place in places {
            let folder = place.folder.join(name);
            fs::create_dir(&folder)?;
            made.groups.push(Place { folder: folder.clone(), ..place.clone() });
            for &layer in &place.layers {
                set_limits(&folder, place.version, layer, limits)?;
            }
        }
        Ok(made)
    }

    /// Opens the ways into the groups, with the rights of this process.
    pub(crate) fn doors(&self) -> io::Result<Doors> {
        let mut doors = Doors { tasks: Vec::new(), birthplace: None };
        for group in &self.groups {
            match group.version {
                Version::V1 => doors.tasks.push(fs::OpenOptions::new().write(true).open(group.folder.join("tasks"))?),
                // There is one hierarchy only.
                Version::V2 => doors.birthplace = Some(File::open(&group.folder)?),
            }
        }
        Ok(doors)
    }

    /// Whether the kernel has killed a process for want of memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let file = |version| if version == Version::V1 { "memory.oom_control" } else { "memory.events" };
        self.find(Layer::CgroupMemory).is_some_and(|group| counter(group, file(group.version), "oom_kill").is_some_and(|n| n > 0))
    }

    /// Whether the kernel has refused to make a process.
    pub(crate) fn ran_out_of_processes(&self) -> bool {
        self.find(Layer::CgroupPids).is_some_and(|group| counter(group, "pids.events", "max").is_some_and(|n| n > 0))
    }

    /// Most memory that was used at one time, in bytes.
    pub(crate) fn peak_bytes(&self) -> Option<u64> {
        let group = self.find(Layer::CgroupMemory)?;
        let file = if group.version == Version::V1 { "memory.max_usage_in_bytes" } else { "memory.peak" };
        fs::read_to_string(group.folder.join(file)).ok()?.trim().parse().ok()
    }

    /// Processor time of all processes, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        let group = self.find(Layer::CgroupCpu)?;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53 for weeks of work")]
        let seconds = |count: u64, unit: f64| count as f64 * unit;
        match group.version {
            Version::V1 => Some(seconds(fs::read_to_string(group.folder.join("cpuacct.usage")).ok()?.trim().parse().ok()?, 1e-9)),
            Version::V2 => Some(seconds(counter(group, "cpu.stat", "usage_usec")?, 1e-6)),
        }
    }

    fn find(&self, layer: Layer) -> Option<&Place> {
        self.groups.iter().find(|group| group.layers.contains(&layer))
    }
}

impl Drop for JobGroups {
    fn drop(&mut self) {
        for group in &self.groups {
            drop(fs::remove_dir(&group.folder));
        }
    }
}

/// Ways into the groups of a job.
///
/// To move another process, or one with threads, the kernel stops all forks of the machine and waits for every processor: about 10 ms
/// for each hierarchy. A thread that moves itself (v1), or a process that is born in its group (v2), costs nothing of the kind.
#[derive(Debug)]
pub(crate) struct Doors {
    tasks: Vec<File>,
    birthplace: Option<File>,
}

impl Doors {
    /// The v2 group that the first process of the job is to be born in.
    pub(crate) fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        self.birthplace.as_ref().map(AsFd::as_fd)
    }

    /// Moves this process, which must have one thread, into the v1 groups.
    pub(crate) fn enter(&self) -> io::Result<()> {
        self.tasks.iter().try_for_each(|mut tasks| tasks.write_all(b"0"))
    }
}

fn set_limits(folder: &Path, version: Version, layer: Layer, limits: &Limits) -> io::Result<()> {
    let bytes = limits.memory_bytes().to_string();
    // The first process of the job is ours.
    let processes = u64::from(limits.processes).saturating_add(1).to_string();
    let optional = |file: &str, text: &str| match write(&folder.join(file), text) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    };
    match (layer, version) {
        (Layer::CgroupPids, _) => write(&folder.join("pids.max"), &processes),
        (Layer::CgroupMemory, Version::V1) => {
            write(&folder.join("memory.limit_in_bytes"), &bytes)?;
            // Memory and swap together. The file is missing where swap is not counted.
            optional("memory.memsw.limit_in_bytes", &bytes)
        }
        (Layer::CgroupMemory, Version::V2) => {
            write(&folder.join("memory.max"), &bytes)?;
            optional("memory.oom.group", "1")?;
            optional("memory.swap.max", "0")
        }
        _ => Ok(()),
    }
}

/// The number after `name` in a file of lines `name number`.
fn counter(group: &Place, file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(group.folder.join(file)).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_folder_is_found_in_both_versions() {
        let mounts = "\
25 20 0:21 / /proc rw - proc proc rw
36 32 0:29 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
37 32 0:30 /docker/7 /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
38 32 0:31 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        let own = "7:memory:/a/b\n3:cpu,cpuacct:/docker/7/x\n0::/user.slice\n";
        for (controller, expected) in [
            ("memory", Some("/sys/fs/cgroup/memory/a/b")),
            ("cpuacct", Some("/sys/fs/cgroup/cpu,cpuacct/x")),
            ("", Some("/sys/fs/cgroup/unified/user.slice")),
            ("pids", None),
        ] {
            assert_eq!(own_folder(mounts, own, controller), expected.map(PathBuf::from), "{controller}");
        }
        assert_eq!(own_folder("", "", ""), None);
    }

    #[test]
    fn only_folders_of_dead_makers_are_stale() {
        let parent = tempfile::tempdir().unwrap();
        let alive = format!("{PREFIX}{}-0", std::process::id());
        // Larger than the largest id that Linux gives.
        let dead = format!("{PREFIX}4194305-3");
        for name in [alive.as_str(), &dead, &format!("{dead}/job-1"), "other", "ruminate-x"] {
            fs::create_dir_all(parent.path().join(name)).unwrap();
        }
        remove_stale(parent.path());
        let mut left: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["other", &alive, "ruminate-x"]);
    }
}
