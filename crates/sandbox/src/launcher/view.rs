//! What a job sees: a root of its own, made of read-only pieces of the machine, one working folder, and nothing else.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::init::{PROGRAM_FOLDER, WORK_FOLDER};
use crate::archive;
use crate::sys;
use crate::wire::{self, Handles, Request};

/// Where the machine's root is while the view is made.
const OLD_ROOT: &str = "/.machine";
/// Devices that programs may use. None of them leads anywhere.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// Most files and folders in the working folder.
const MAX_INODES: u32 = 20_000;
/// A folder of every Linux machine, on which the new root is built. It keeps its content: the mount is seen in this namespace alone.
const BUILDING_SITE: &str = "/proc";

type Failure = (&'static str, io::Error);

fn at<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| (step, error.into())
}

/// Makes the view in the mount namespace of this process, which must be new.
pub(super) fn make(request: &Request, handles: &Handles<OwnedFd>) -> Result<(), Failure> {
    let step = "making the root";
    rustix::mount::mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE).map_err(at(step))?;
    let root = Path::new(BUILDING_SITE);
    mount_tmpfs(root, "mode=755,size=4m,nr_inodes=4k").map_err(at(step))?;
    let old_root = root.join(&OLD_ROOT[1..]);
    fs::create_dir(&old_root).map_err(at(step))?;
    rustix::process::pivot_root(root, &old_root).map_err(at(step))?;
    rustix::process::chdir("/").map_err(at(step))?;

    for path in &request.view.visible {
        show(path).map_err(|error| ("showing a path", io::Error::other(format!("{}: {error}", path.display()))))?;
    }
    make_devices().map_err(at("making devices"))?;
    make_accounts().map_err(at("making accounts"))?;
    make_working_folders(request, handles)?;
    for (path, text) in &request.view.files {
        make_parent(path).and_then(|()| fs::write(path, text)).map_err(at("making files"))?;
    }
    for (path, target) in &request.view.links {
        make_parent(path).and_then(|()| symlink(target, path)).map_err(at("making links"))?;
    }
    // No user namespace may be made in this one, even without the system call filter. The file cannot be written in some containers.
    drop(fs::write(Path::new(OLD_ROOT).join("proc/sys/user/max_user_namespaces"), "0"));
    mount_proc()?;
    rustix::mount::unmount(OLD_ROOT, UnmountFlags::DETACH).map_err(at("leaving the machine's root"))?;
    fs::remove_dir(OLD_ROOT).map_err(at("leaving the machine's root"))?;
    restrict(Path::new("/"), libc::MOUNT_ATTR_RDONLY, false).map_err(at("making the root read-only"))?;
    rustix::process::chdir(WORK_FOLDER).map_err(at("entering the working folder"))
}

fn mount_tmpfs(path: &Path, options: &str) -> io::Result<()> {
    let options = CString::new(options)?;
    Ok(rustix::mount::mount("tmpfs", path, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str())?)
}

fn restrict(path: &Path, attributes: u64, recursive: bool) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    sys::restrict_mount(&path, attributes | libc::MOUNT_ATTR_NOSUID, recursive)
}

fn on_machine(path: &Path) -> PathBuf {
    Path::new(OLD_ROOT).join(path.strip_prefix("/").unwrap_or(path))
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Makes a path of the machine visible under the same path, read-only.
fn show(path: &Path) -> io::Result<()> {
    let source = on_machine(path);
    // A link would be followed on the wrong side of the root.
    let kind = fs::symlink_metadata(&source)?;
    if kind.is_dir() {
        fs::create_dir_all(path)?;
    } else {
        make_parent(path)?;
        fs::write(path, "")?;
    }
    rustix::mount::mount_bind_recursive(&source, path)?;
    restrict(path, libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV, true)
}

fn make_devices() -> io::Result<()> {
    fs::create_dir_all("/dev")?;
    for name in DEVICES {
        let path = Path::new("/dev").join(name);
        fs::write(&path, "")?;
        rustix::mount::mount_bind(on_machine(&path), &path)?;
        restrict(&path, libc::MOUNT_ATTR_NOEXEC, false)?;
    }
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2"), ("shm", WORK_FOLDER)] {
        symlink(target, Path::new("/dev").join(name))?;
    }
    Ok(())
}

fn make_accounts() -> io::Result<()> {
    fs::create_dir_all("/etc")?;
    let inner = super::supervisor::INNER_ID;
    fs::write("/etc/passwd", format!("nobody:x:{inner}:{inner}::{WORK_FOLDER}:/bin/sh\n"))?;
    fs::write("/etc/group", format!("nobody:x:{inner}:\n"))
}

/// The program folder, read-only once it is filled, and the working folder.
fn make_working_folders(request: &Request, handles: &Handles<OwnedFd>) -> Result<(), Failure> {
    let inner = super::supervisor::INNER_ID;
    let (program, work) = (Path::new(PROGRAM_FOLDER), Path::new(WORK_FOLDER));
    let step = "filling the program folder";
    fs::create_dir(program).map_err(at(step))?;
    mount_tmpfs(program, "mode=755").map_err(at(step))?;
    let archive = wire::content_of(&handles.program).map_err(at(step))?;
    archive::unpack(&archive, program, 0o644).map_err(at(step))?;
    restrict(program, libc::MOUNT_ATTR_RDONLY, false).map_err(at(step))?;

    let step = "filling the working folder";
    fs::create_dir(work).map_err(at(step))?;
    let size = request.limits.disk_bytes();
    mount_tmpfs(work, &format!("mode=700,uid={inner},gid={inner},size={size},nr_inodes={MAX_INODES}")).map_err(at(step))?;
    if let Some(folder) = &request.collect {
        fs::create_dir(folder).map_err(at(step))?;
    }
    let archive = wire::content_of(&handles.work).map_err(at(step))?;
    // Owned by the program's user, which may change them.
    let as_user = || archive::unpack(&archive, work, 0o644).and_then(|()| own_all(work));
    as_user().map_err(at(step))
}

/// Gives everything below `folder` to the program's user.
fn own_all(folder: &Path) -> io::Result<()> {
    let inner = Some(super::supervisor::INNER_ID);
    for item in fs::read_dir(folder)? {
        let item = item?;
        std::os::unix::fs::lchown(item.path(), inner, inner)?;
        if item.file_type()?.is_dir() {
            own_all(&item.path())?;
        }
    }
    Ok(())
}

/// A view of processes that shows the job's own and no other part of the kernel.
fn mount_proc() -> Result<(), Failure> {
    let step = "mounting /proc";
    let path = Path::new("/proc");
    fs::create_dir(path).map_err(at(step))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("proc", path, "proc", flags, c"hidepid=invisible,subset=pid").map_err(at(step))
}

/// Landlock, for this process and its children: read everything in the view, write in the working folder and to devices.
pub(super) fn restrict_by_landlock() -> io::Result<()> {
    // The newest version that this code was written for. Kernels that know less apply what they know; which version that is
    // stands in the report of layers.
    const NEWEST: ABI = ABI::V6;
    let broken = |error: RulesetError| io::Error::other(error.to_string());
    let open = |path: &Path| PathFd::new(path).map_err(|error| io::Error::other(error.to_string()));
    let on_device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    let mut rules = vec![
        PathBeneath::new(open(Path::new("/"))?, AccessFs::from_read(NEWEST)),
        PathBeneath::new(open(Path::new(WORK_FOLDER))?, AccessFs::from_all(NEWEST)),
    ];
    for name in DEVICES {
        rules.push(PathBeneath::new(open(&Path::new("/dev").join(name))?, on_device));
    }
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(NEWEST)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rules(rules.into_iter().map(Ok::<_, RulesetError>)))
        .and_then(RulesetCreated::restrict_self)
        .map_err(broken)?;
    match status.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(io::Error::other("the kernel did not apply the rules")),
    }
}
