//! What the pool and the launcher say to each other.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde::{Deserialize, Serialize};

use crate::cgroup::Place;
use crate::layers::Layer;
use crate::limits::Limits;

/// Most descriptors in one message.
const MAX_FDS: usize = 8;
/// Longest message. Longer things travel in memory files.
const MAX_MESSAGE: usize = 64 * 1024;

/// A job for the launcher. It travels in a memory file, since arguments may be long.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub action: Action,
    pub environment: Vec<(String, String)>,
    pub view: View,
    pub limits: Limits,
    /// Whether the address space may be limited. Virtual machines reserve more than they use.
    pub limit_address_space: bool,
    /// Layers that are not applied, because the machine lacks them or the user does not want them.
    pub without: Vec<Layer>,
    /// Control groups in which the job gets its own.
    pub places: Vec<Place>,
    /// The folder whose files are wanted when the program ends with 0.
    pub collect: Option<PathBuf>,
}

/// What runs in the sandbox.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Action {
    /// A program, by its path in the sandbox.
    Execute { program: PathBuf, arguments: Vec<String> },
    /// An attack of the self-test.
    Attack(crate::launcher::attacks::Attack),
    /// Nothing: the launcher says which layers the machine has.
    Detect,
}

/// What a job sees of the machine's files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct View {
    /// Files and folders that are visible under their own path, read-only.
    pub visible: Vec<PathBuf>,
    /// Small files: path, content.
    pub files: Vec<(PathBuf, String)>,
    /// Symbolic links: where, and to what.
    pub links: Vec<(PathBuf, PathBuf)>,
}

/// Descriptors of a job, in the order in which they are sent.
#[derive(Debug)]
pub(crate) struct Handles<Fd> {
    pub request: Fd,
    /// The launcher's end of the socket on which the job is reported, and stopped.
    pub report: Fd,
    pub stdin: Fd,
    pub stdout: Fd,
    pub stderr: Fd,
    /// Memory file with the archive of the program folder.
    pub program: Fd,
    /// Memory file with the archive of the working folder; what is collected is written to it.
    pub work: Fd,
    pub channel: Option<Fd>,
}

impl<Fd> Handles<Fd> {
    fn into_vec(self) -> Vec<Fd> {
        let mut all = vec![self.request, self.report, self.stdin, self.stdout, self.stderr, self.program, self.work];
        all.extend(self.channel);
        all
    }

    fn from_vec(fds: Vec<Fd>) -> Option<Self> {
        let mut fds = fds.into_iter();
        let mut next = || fds.next();
        Some(Self {
            request: next()?,
            report: next()?,
            stdin: next()?,
            stdout: next()?,
            stderr: next()?,
            program: next()?,
            work: next()?,
            channel: next(),
        })
    }
}

/// The last word on a job.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The job could not be started as asked.
    Failed {
        step: String,
        message: String,
    },
    Done {
        end: End,
        seconds: f64,
        cpu_seconds: f64,
        peak_bytes: Option<u64>,
    },
    Detected(Detected),
}

/// How a job ended, as the launcher sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    Exited(i32),
    Signaled(i32),
    TimeLimit,
    MemoryLimit,
    ProcessLimit,
    Forbidden(String),
    /// Killed because the pool asked, or by nobody knows whom.
    Stopped,
}

/// What the launcher found out about the machine.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Detected {
    /// Layers that cannot be used, and why.
    pub missing: Vec<(Layer, String)>,
    pub landlock_abi: u32,
}

/// Sends a job to a launcher.
pub(crate) fn send_job(socket: BorrowedFd<'_>, handles: Handles<BorrowedFd<'_>>) -> io::Result<()> {
    send(socket, b"job", &handles.into_vec())
}

/// Waits for a job; `None` when the pool is gone.
pub(crate) fn receive_job(socket: BorrowedFd<'_>) -> io::Result<Option<Handles<OwnedFd>>> {
    let (message, fds) = receive(socket)?;
    if message.is_empty() {
        return Ok(None);
    }
    Handles::from_vec(fds).map(Some).ok_or_else(|| io::Error::other("expected at least 7 descriptors with a job"))
}

/// Sends a message, and descriptors with it.
pub(crate) fn send(socket: BorrowedFd<'_>, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    rustix::io::retry_on_intr(|| rustix::net::sendmsg(socket, &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Receives a message and the descriptors in it; the message is empty when the other end is closed.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut buffer = vec![0; MAX_MESSAGE];
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    buffer.truncate(received.bytes);
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    Ok((buffer, fds))
}

/// Sends a value as JSON.
pub(crate) fn send_json(socket: BorrowedFd<'_>, value: &impl Serialize) -> io::Result<()> {
    send(socket, &serde_json::to_vec(value)?, &[])
}

/// A file in memory that nobody can change any more, opened for reading.
pub(crate) fn sealed_file(name: &str, content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(content)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    // Opened again, it has a position of its own, at the start.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// A file in memory that can be written.
pub(crate) fn open_file(name: &str, content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    Ok(file.into())
}

/// The whole content of a memory file. Its position is left alone: others may read it at the same time.
pub(crate) fn content_of(fd: &impl AsFd) -> io::Result<Vec<u8>> {
    let file = File::from(fd.as_fd().try_clone_to_owned()?);
    let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut content = vec![0; len];
    file.read_exact_at(&mut content, 0)?;
    Ok(content)
}
