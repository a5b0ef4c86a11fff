//! The first process of a job: makes the view, gives up all rights, starts the program, reaps, and says how it ended.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Command;

use rustix::process::{DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

use super::supervisor::{INNER_ID, Word};
use super::{filter, view};
use crate::archive;
use crate::cgroup::Doors;
use crate::layers::Layer;
use crate::sys::{self, Fork};
use crate::wire::{self, Action, End, Handles, Request};

/// Folder of the program in the sandbox, read-only.
pub(crate) const PROGRAM_FOLDER: &str = "/box";
/// Working folder in the sandbox, and the only one that can be written.
pub(crate) const WORK_FOLDER: &str = "/tmp";
/// Descriptor of the channel in the program.
const CHANNEL: i32 = 3;

/// A step that failed, and why.
type Failure = (&'static str, io::Error);

fn at<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| (step, error.into())
}

/// Init's whole life.
pub(super) fn run(request: &Request, handles: Handles<OwnedFd>, supervisor: &OwnedFd, groups: &Doors) -> ! {
    let word = match try_run(request, handles, supervisor, groups) {
        Ok(end) => Word::Ended(end),
        Err((step, error)) => Word::Failed { step: step.to_owned(), message: error.to_string() },
    };
    drop(wire::send_json(supervisor.as_fd(), &word));
    sys::exit_now(0)
}

fn try_run(request: &Request, handles: Handles<OwnedFd>, supervisor: &OwnedFd, groups: &Doors) -> Result<End, Failure> {
    groups.enter().map_err(at("entering control groups"))?;
    // Until the supervisor has mapped our users, nothing may happen.
    let (go, _) = wire::receive(supervisor.as_fd()).map_err(at("waiting for the supervisor"))?;
    if go.is_empty() {
        sys::exit_now(1);
    }
    die_with_parent()?;
    if !request.without.contains(&Layer::UtsNamespace) {
        rustix::system::sethostname(b"sandbox").map_err(at("naming the host"))?;
    }
    view::make(request, &handles)?;
    become_nobody()?;
    die_with_parent()?;
    let program = match sys::fork_into(0, None).map_err(at("forking"))? {
        Fork::Child => match start_program(request, &handles, supervisor) {
            Ok(never) => match never {},
            Err((step, error)) => {
                drop(wire::send_json(supervisor.as_fd(), &Word::Failed { step: step.to_owned(), message: error.to_string() }));
                sys::exit_now(1)
            }
        },
        Fork::Parent(pid) => pid,
    };
    let Handles { work, .. } = handles;
    let end = reap_until_end_of(program)?;
    if let (Some(folder), End::Exited(0)) = (&request.collect, &end) {
        collect(folder, work, request.limits.disk_bytes()).map_err(at("collecting files"))?;
    }
    Ok(end)
}

fn die_with_parent() -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(at("binding to the supervisor"))
}

/// Gives up the users and capabilities that the view needed, for good.
fn become_nobody() -> Result<(), Failure> {
    let step = "dropping rights";
    let (uid, gid) = (rustix::process::Uid::from_raw(INNER_ID), rustix::process::Gid::from_raw(INNER_ID));
    // Where the list of groups cannot be set, a group that is not mapped gives rights of its own; the view shows nothing to use them on.
    if rustix::process::getuid().is_root() {
        rustix::thread::set_thread_groups(&[]).map_err(at(step))?;
    }
    // Once 0 is left behind, an exec cannot bring capabilities back; nor may root's special cases.
    let locked = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    rustix::thread::set_capabilities_secure_bits(locked).map_err(at(step))?;
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // The first number that the kernel does not know.
            Err(rustix::io::Errno::INVAL) => break,
            result => result.map_err(at(step))?,
        }
    }
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(at(step))?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(at(step))?;
    let none = CapabilitySets { effective: CapabilitySet::empty(), permitted: CapabilitySet::empty(), inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, none).map_err(at(step))?;
    rustix::thread::set_no_new_privs(true).map_err(at(step))?;
    // The program has the same user: without this it could look into init.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(at(step))
}

/// The last steps before the program's first instruction.
fn start_program(request: &Request, handles: &Handles<OwnedFd>, supervisor: &OwnedFd) -> Result<Infallible, Failure> {
    rustix::process::setsid().map_err(at("setsid"))?;
    set_resource_limits(request)?;
    let mut command = match &request.action {
        Action::Execute { program, arguments } => {
            let mut command = Command::new(program);
            command.args(arguments).env_clear().envs(request.environment.iter().map(|(name, value)| (name, value)));
            Some(command)
        }
        Action::Attack(_) | Action::Detect => None,
    };
    let filters = filter::build().map_err(at("building the system call filter"))?;
    for (number, fd) in [(0, &handles.stdin), (1, &handles.stdout), (2, &handles.stderr)] {
        sys::duplicate_onto(fd.as_fd(), number).map_err(at("arranging descriptors"))?;
    }
    let mut first_closed = CHANNEL;
    if let Some(channel) = &handles.channel {
        sys::duplicate_onto(channel.as_fd(), CHANNEL).map_err(at("arranging descriptors"))?;
        first_closed += 1;
    }
    sys::close_on_exec_from(first_closed.unsigned_abs()).map_err(at("arranging descriptors"))?;
    if !request.without.contains(&Layer::Landlock) {
        view::restrict_by_landlock().map_err(at("Landlock"))?;
    }
    let started = serde_json::to_vec(&Word::Started).map_err(at("encoding"))?;
    if request.without.contains(&Layer::Seccomp) {
        wire::send(supervisor.as_fd(), &started, &[]).map_err(at("reporting"))?;
    } else {
        // From here on, forbidden calls wait for the supervisor, which kills.
        let listener = filters.install_forbidden().map_err(at("seccomp"))?;
        let fds: Vec<_> = listener.iter().map(AsFd::as_fd).collect();
        wire::send(supervisor.as_fd(), &started, &fds).map_err(at("reporting"))?;
        drop(listener);
        filters.install_allowed().map_err(at("seccomp"))?;
    }
    match (&mut command, &request.action) {
        (Some(command), _) => sys::replace_process(command).map_err(at("starting the program")),
        (None, Action::Attack(attack)) => sys::exit_now(attack.run()),
        (None, _) => sys::exit_now(0),
    }
}

fn set_resource_limits(request: &Request) -> Result<(), Failure> {
    let limits = &request.limits;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "limits are checked: at most a year")]
    let cpu_seconds = limits.cpu_seconds.ceil() as u64;
    const STACK: u64 = 64 << 20;
    // Counted in the user namespace of the job alone (Linux 5.14); the first process is ours. Where a control group counts too, it comes
    // first, since it remembers that it refused.
    let processes = u64::from(limits.processes) + 1;
    let processes = if request.without.contains(&Layer::CgroupPids) { processes } else { processes * 2 };
    let mut all = vec![
        // SIGXCPU at the limit; SIGKILL for those that ignore it.
        (Resource::Cpu, cpu_seconds, cpu_seconds + 1),
        (Resource::Fsize, limits.disk_bytes(), limits.disk_bytes()),
        (Resource::Nofile, limits.open_files.into(), limits.open_files.into()),
        (Resource::Nproc, processes, processes),
        // 1 and not 0: a program that collects core files, outside of the sandbox, is started in spite of 0.
        (Resource::Core, 1, 1),
        (Resource::Stack, STACK, STACK),
        (Resource::Memlock, 64 << 10, 64 << 10),
        (Resource::Msgqueue, 0, 0),
        (Resource::Sigpending, 1024, 1024),
        (Resource::Nice, 0, 0),
        (Resource::Rtprio, 0, 0),
    ];
    // Where a control group counts the memory that is used, it needs no help from limits of what is reserved.
    if request.without.contains(&Layer::CgroupMemory) {
        let memory = limits.memory_bytes();
        if request.limit_address_space {
            all.push((Resource::As, memory, memory));
        } else {
            // Virtual machines reserve more than they use; their heaps are limited by options, their tables and stacks are not.
            const TABLES: u64 = 1 << 30;
            all.push((Resource::Data, memory.saturating_add(TABLES), memory.saturating_add(TABLES)));
        }
    }
    for (resource, current, maximum) in all {
        // A limit that is already lower stays.
        let old = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Rlimit { current: Some(current.min(old)), maximum: Some(maximum.min(old)) };
        rustix::process::setrlimit(resource, limit).map_err(at("setting limits"))?;
    }
    Ok(())
}

/// Reaps everything until the program has ended. What it left running is killed, so that its files stand still.
fn reap_until_end_of(program: Pid) -> Result<End, Failure> {
    let end = loop {
        let waited = rustix::io::retry_on_intr(|| rustix::process::wait(WaitOptions::empty())).map_err(at("waiting"))?;
        let Some((pid, status)) = waited else { continue };
        if pid == program {
            break match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => End::Exited(code),
                (_, Some(signal)) => End::Signaled(signal),
                (None, None) => continue,
            };
        }
    };
    sys::kill_all_in_namespace();
    while rustix::io::retry_on_intr(|| rustix::process::wait(WaitOptions::empty())).is_ok() {}
    Ok(end)
}

/// Replaces the content of the memory file `out` by an archive of `folder`.
fn collect(folder: &Path, out: OwnedFd, max_bytes: u64) -> io::Result<()> {
    let archive = archive::pack(folder, max_bytes)?;
    let mut out = File::from(out);
    out.set_len(0)?;
    out.rewind()?;
    out.write_all(&archive)
}
