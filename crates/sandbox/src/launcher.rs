//! The launcher: a small process with one thread that starts jobs for the pool.
//!
//! A job is never forked from the trainer, which has gigabytes of page tables, threads, and the expected outputs in its memory.
//!
//! ```text
//! pool (in the trainer) ──socket──> launcher ──fork──> supervisor ──clone(CLONE_NEW*)──> init (pid 1 of the job) ──fork──> program
//! ```
//!
//! The supervisor stays outside of the namespaces: it makes the control groups, watches the time, and reports. Init makes the job's
//! view of the machine, starts the program, and reaps. When the trainer dies, the sockets close: launcher and supervisors kill what
//! they started and end.

pub(crate) mod attacks;
mod filter;
mod init;
mod supervisor;
mod view;

pub(crate) use init::{PROGRAM_FOLDER, WORK_FOLDER};
pub(crate) use supervisor::outer_ids;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, WaitOptions};

use crate::sys::{self, Fork};
use crate::wire::{self, Handles, Report, Request};

/// The launcher's whole life: takes jobs from standard input, a socket to the pool, until the pool is gone.
///
/// The program that the launcher command of [`SandboxConfig`](crate::SandboxConfig) names must call this first thing in `main`, while
/// it has one thread, and exit with the result.
pub fn serve_launcher() -> i32 {
    match serve(io::stdin().as_fd()) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("sandbox launcher: {error}");
            1
        }
    }
}

fn serve(pool: BorrowedFd<'_>) -> io::Result<()> {
    let _reserved = reserve_low_descriptors()?;
    let mut supervisors: Vec<(Pid, OwnedFd)> = Vec::new();
    while let Some(handles) = next_job(pool, &mut supervisors)? {
        match sys::fork_into(0, None)? {
            Fork::Child => {
                let report = handles.report.as_fd().try_clone_to_owned();
                let last_word = take(handles);
                // If the pool is gone, nobody is there to be told.
                drop(report.map(|report| wire::send_json(report.as_fd(), &last_word)));
                sys::exit_now(0);
            }
            Fork::Parent(pid) => supervisors.push((pid, rustix::process::pidfd_open(pid, PidfdFlags::empty())?)),
        }
    }
    // The supervisors see the end of the pool too, and remove what is theirs.
    while rustix::io::retry_on_intr(|| rustix::process::wait(WaitOptions::empty())).is_ok() {}
    Ok(())
}

/// Waits for a job, and reaps supervisors that have ended; `None` when the pool is gone.
fn next_job(pool: BorrowedFd<'_>, supervisors: &mut Vec<(Pid, OwnedFd)>) -> io::Result<Option<Handles<OwnedFd>>> {
    loop {
        let mut fds: Vec<PollFd<'_>> = vec![PollFd::from_borrowed_fd(pool, PollFlags::IN)];
        fds.extend(supervisors.iter().map(|(_, fd)| PollFd::new(fd, PollFlags::IN)));
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, None))?;
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut ended = ready[1..].iter();
        supervisors.retain(|&(pid, _)| {
            let gone = ended.next() == Some(&true);
            if gone {
                let _ = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::empty()));
            }
            !gone
        });
        if ready[0] {
            return wire::receive_job(pool);
        }
    }
}

/// Descriptors 0 to 3 are given to programs. If a descriptor that is still needed had one of these numbers, it would be overwritten.
fn reserve_low_descriptors() -> io::Result<Vec<OwnedFd>> {
    let mut reserved = Vec::new();
    loop {
        let fd = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        if fd.as_raw_fd() > 3 {
            return Ok(reserved);
        }
        reserved.push(fd);
    }
}

fn take(handles: Handles<OwnedFd>) -> Report {
    let request = wire::content_of(&handles.request).and_then(|text| Ok(serde_json::from_slice::<Request>(&text)?));
    match request {
        Ok(request) if matches!(request.action, wire::Action::Detect) => Report::Detected(supervisor::detect()),
        Ok(request) => supervisor::supervise(&request, handles),
        Err(error) => Report::Failed { step: "reading the request".to_owned(), message: error.to_string() },
    }
}
