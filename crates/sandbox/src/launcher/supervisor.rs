//! Starts and watches one job, from outside of its namespaces.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, Signal, WaitOptions};
use serde::{Deserialize, Serialize};

use super::{filter, init};
use crate::cgroup::JobGroups;
use crate::layers::Layer;
use crate::sys::{self, Fork};
use crate::wire::{self, Detected, End, Handles, Report, Request};

/// How often control groups are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What init tells the supervisor. The program cannot: the socket is closed before its first instruction.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// A step before the program's first instruction failed.
    Failed { step: String, message: String },
    /// The program is about to start; a descriptor that reports forbidden calls may come with it.
    Started,
    /// The program has ended.
    Ended(End),
}

/// Namespaces of a job and their flags.
pub(super) const NAMESPACES: [(Layer, libc::c_int); 6] = [
    (Layer::UserNamespace, libc::CLONE_NEWUSER),
    (Layer::MountNamespace, libc::CLONE_NEWNS),
    (Layer::PidNamespace, libc::CLONE_NEWPID),
    (Layer::NetworkNamespace, libc::CLONE_NEWNET),
    (Layer::IpcNamespace, libc::CLONE_NEWIPC),
    (Layer::UtsNamespace, libc::CLONE_NEWUTS),
];

/// User and group of a job inside of its namespace.
pub(super) const INNER_ID: u32 = 1000;

/// User and group that jobs have outside, seen from this process: nobody, if we are root; else ourselves.
pub(crate) fn outer_ids() -> (u32, u32) {
    const NOBODY: u32 = 65534;
    match (rustix::process::geteuid(), rustix::process::getegid()) {
        (uid, _) if uid.is_root() => (NOBODY, NOBODY),
        (uid, gid) => (uid.as_raw(), gid.as_raw()),
    }
}

/// Runs one job to its end.
pub(super) fn supervise(request: &Request, handles: Handles<OwnedFd>) -> Report {
    match try_supervise(request, handles) {
        Ok(report) => report,
        Err((step, error)) => Report::Failed { step: step.to_owned(), message: error.to_string() },
    }
}

fn try_supervise(request: &Request, handles: Handles<OwnedFd>) -> Result<Report, (&'static str, io::Error)> {
    let at = |step| move |error| (step, error);
    // Detached from the terminal: no Ctrl-C reaches the job's parents before the pool decides.
    rustix::process::setsid().map_err(|error| ("setsid", error.into()))?;
    let report = handles.report.try_clone().map_err(at("duplicating a descriptor"))?;
    let name = format!("job-{}", rustix::process::getpid().as_raw_nonzero());
    let groups = JobGroups::make(&request.places, &name, &request.limits).map_err(at("making control groups"))?;
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|error| ("socketpair", error.into()))?;
    let flags = NAMESPACES.iter().filter(|(layer, _)| !request.without.contains(layer)).fold(0, |flags, (_, flag)| flags | flag);
    let doors = groups.doors().map_err(at("opening control groups"))?;
    let pid = match sys::fork_into(flags, doors.birthplace()).map_err(at("making namespaces"))? {
        Fork::Child => {
            drop(ours);
            init::run(request, handles, &theirs, &doors)
        }
        Fork::Parent(pid) => pid,
    };
    drop((theirs, handles, doors));
    let job = Job { pid: Some(pid), groups };
    map_ids(pid).map_err(at("mapping users"))?;
    wire::send(ours.as_fd(), b"go", &[]).map_err(at("starting init"))?;
    watch(request, job, &ours, &report).map_err(at("watching"))
}

/// A running job. Killed when dropped, then its control groups are removed.
struct Job {
    /// `None` once it is reaped: its id may belong to another process then.
    pid: Option<Pid>,
    groups: JobGroups,
}

impl Job {
    /// Kills the job and waits until none of its processes is left.
    fn end(&mut self) {
        if let Some(pid) = self.pid.take() {
            // It may have ended already; it is not reaped before this.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            let _ = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::empty()));
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.end();
    }
}

/// Gives the job its users. Root may map two: its own to make the view, and one without rights for the program.
fn map_ids(pid: Pid) -> io::Result<()> {
    let (uid, gid) = outer_ids();
    let folder = format!("/proc/{}", pid.as_raw_nonzero());
    let (users, groups) = if rustix::process::geteuid().is_root() {
        (format!("0 0 1\n{INNER_ID} {uid} 1\n"), format!("0 0 1\n{INNER_ID} {gid} 1\n"))
    } else {
        // Without rights one may map groups only when nobody can change the list of groups any more.
        fs::write(format!("{folder}/setgroups"), "deny")?;
        (format!("{INNER_ID} {uid} 1\n"), format!("{INNER_ID} {gid} 1\n"))
    };
    fs::write(format!("{folder}/uid_map"), users)?;
    fs::write(format!("{folder}/gid_map"), groups)
}

/// Waits for the end of the job, whatever ends it.
fn watch(request: &Request, mut job: Job, init: &OwnedFd, pool: &OwnedFd) -> io::Result<Report> {
    let limit = Duration::try_from_secs_f64(request.limits.seconds).unwrap_or(Duration::MAX);
    // Making the view may take this long on a busy machine; the program's own time begins after it.
    const SETUP: Duration = Duration::from_secs(20);
    let mut started: Option<Instant> = None;
    let begun = Instant::now();
    let mut listener: Option<OwnedFd> = None;
    // Making the view took some, which is not the program's.
    let mut cpu_before = 0.0;
    let end = loop {
        let left = match started {
            Some(started) => limit.saturating_sub(started.elapsed()),
            None => SETUP.saturating_sub(begun.elapsed()),
        };
        if left.is_zero() {
            if started.is_none() {
                return Ok(Report::Failed { step: "making the view".to_owned(), message: format!("not done after {} s", SETUP.as_secs()) });
            }
            break End::TimeLimit;
        }
        let ready = wait_for(init, pool, listener.as_ref(), left.min(LOOK))?;
        if ready.init {
            let (message, fds) = wire::receive(init.as_fd())?;
            match serde_json::from_slice(&message) {
                Ok(Word::Started) => {
                    started = Some(Instant::now());
                    cpu_before = job.groups.cpu_seconds().unwrap_or(0.0);
                    listener = fds.into_iter().next();
                }
                Ok(Word::Ended(end)) => break end,
                Ok(Word::Failed { step, message }) => return Ok(Report::Failed { step, message }),
                // Init was killed: by the kernel for want of memory, which the control group knows, or from outside.
                Err(_) => break End::Stopped,
            }
        } else if let (true, Some(listener)) = (ready.listener, &listener) {
            match sys::receive_notification(listener.as_fd()) {
                Ok(number) => break End::Forbidden(filter::name_of(number)),
                // The caller was killed meanwhile.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                Err(error) => return Err(error),
            }
        } else if ready.pool {
            // The pool wants the job to end, or is gone.
            break End::Stopped;
        } else if ready.listener_is_idle {
            // Init is about to say how the program ended.
            listener = None;
        } else if job.groups.ran_out_of_memory() {
            break End::MemoryLimit;
        } else if job.groups.cpu_seconds().is_some_and(|seconds| seconds - cpu_before > request.limits.cpu_seconds) {
            break End::TimeLimit;
        }
    };
    let seconds = started.map_or(0.0, |started| started.elapsed().as_secs_f64());
    job.end();
    Ok(conclude(request, &job.groups, end, seconds, cpu_before))
}

/// Which descriptors have something to say.
struct Ready {
    init: bool,
    pool: bool,
    listener: bool,
    /// No process is left behind the listener: it would report that again and again.
    listener_is_idle: bool,
}

fn wait_for(init: &OwnedFd, pool: &OwnedFd, listener: Option<&OwnedFd>, time: Duration) -> io::Result<Ready> {
    let mut fds = vec![PollFd::new(init, PollFlags::IN), PollFd::new(pool, PollFlags::IN)];
    fds.extend(listener.map(|listener| PollFd::new(listener, PollFlags::IN)));
    let timeout = Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: time.subsec_nanos().into() };
    match rustix::event::poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let of_listener = fds.get(2).map_or(PollFlags::empty(), PollFd::revents);
    Ok(Ready {
        init: !fds[0].revents().is_empty(),
        pool: !fds[1].revents().is_empty(),
        listener: of_listener.contains(PollFlags::IN),
        listener_is_idle: of_listener.contains(PollFlags::HUP),
    })
}

/// Reads the counters of a dead job, and lets them say why it ended.
fn conclude(request: &Request, groups: &JobGroups, end: End, seconds: f64, cpu_before: f64) -> Report {
    let (waited_cpu, largest_process) = sys::usage_of_children();
    let cpu_seconds = groups.cpu_seconds().map_or(waited_cpu, |seconds| (seconds - cpu_before).max(0.0));
    let peak_in_group = groups.peak_bytes();
    let peak_bytes = peak_in_group.unwrap_or(largest_process);
    let end = if groups.ran_out_of_memory() {
        End::MemoryLimit
    } else {
        match end {
            End::Exited(0) | End::Forbidden(_) => end,
            _ if groups.ran_out_of_processes() => End::ProcessLimit,
            End::Signaled(libc::SIGXCPU) => End::TimeLimit,
            End::Signaled(libc::SIGKILL) if cpu_seconds >= request.limits.cpu_seconds => End::TimeLimit,
            End::Signaled(libc::SIGSYS) => End::Forbidden("a system call".to_owned()),
            // Without a control group, a process that could get no more memory has nearly all that it may have.
            End::Exited(_) | End::Signaled(_) if peak_in_group.is_none() && peak_bytes >= request.limits.memory_bytes() / 10 * 9 => {
                End::MemoryLimit
            }
            end => end,
        }
    };
    Report::Done { end, seconds, cpu_seconds, peak_bytes: Some(peak_bytes) }
}

/// Finds out which layers can be used on this machine.
pub(super) fn detect() -> Detected {
    let mut missing = Vec::new();
    for (layer, flag) in NAMESPACES {
        if let Err(error) = try_namespace(flag | libc::CLONE_NEWUSER) {
            missing.push((layer, error.to_string()));
        }
    }
    if let Err(error) = filter::available() {
        missing.push((Layer::Seccomp, error.to_string()));
    }
    let landlock_abi = sys::landlock_abi();
    if landlock_abi == 0 {
        missing
            .push((Layer::Landlock, "the kernel has no Landlock (Linux 5.13, and `landlock` in the list of security modules)".to_owned()));
    }
    Detected { missing, landlock_abi }
}

fn try_namespace(flags: libc::c_int) -> io::Result<()> {
    match sys::fork_into(flags, None)? {
        Fork::Child => sys::exit_now(0),
        Fork::Parent(pid) => {
            rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::empty()))?;
            Ok(())
        }
    }
}
