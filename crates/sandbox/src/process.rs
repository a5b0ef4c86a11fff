//! A running program, seen from the pool: its output is read while it runs, its channel carries frames.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use crate::error::{ChannelError, SandboxError};
use crate::run::{Ending, Finished};
use crate::wire::{self, End, Report};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// A running program. It is killed, with everything that it started, when this is dropped.
#[derive(Debug)]
pub struct Process {
    /// Socket to the supervisor: the end of our side stops the job, and the report comes from it.
    pub(crate) report: OwnedFd,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    pub(crate) channel: Option<OwnedFd>,
    /// Bytes of a frame that is not complete yet.
    pub(crate) inbox: Vec<u8>,
    pub(crate) max_output: usize,
    pub(crate) state: State,
    /// Whether an output limit made us stop it.
    pub(crate) too_much: bool,
}

/// Where a process is in its life.
#[derive(Debug)]
pub(crate) enum State {
    Running,
    Ended { end: End, seconds: f64, cpu_seconds: f64, peak_bytes: Option<u64> },
    Broken { step: String, message: String },
}

/// A pipe that is read, and what came out of it.
#[derive(Debug)]
pub(crate) struct Output {
    pub pipe: Option<OwnedFd>,
    pub bytes: Vec<u8>,
}

impl Output {
    /// Reads what is there. False when there is more than allowed.
    fn read(&mut self, max: usize) -> io::Result<bool> {
        let Some(pipe) = &self.pipe else { return Ok(true) };
        let mut piece = [0; PIECE];
        match rustix::io::read(pipe, &mut piece) {
            Ok(0) => self.pipe = None,
            Ok(n) => {
                let room = max.saturating_sub(self.bytes.len());
                self.bytes.extend_from_slice(&piece[..n.min(room)]);
                return Ok(n <= room);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
}

/// What `turn` waits for besides output and the end of the process.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Nothing,
    Receive,
    Send,
}

impl Process {
    /// Sends a frame to the program.
    ///
    /// # Errors
    /// The program has ended or closed its channel, or was launched without one; or the frame is longer than 4 GiB.
    pub fn send(&mut self, frame: &[u8]) -> Result<(), ChannelError> {
        let len = u32::try_from(frame.len()).map_err(|_| ChannelError::TooLong { found: frame.len() as u64, most: u32::MAX as usize })?;
        let message = [&len.to_le_bytes(), frame].concat();
        let mut rest = message.as_slice();
        while !rest.is_empty() {
            let channel = self.channel.as_ref().ok_or(ChannelError::None)?;
            match rustix::net::send(channel, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(n) => rest = &rest[n..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if !matches!(self.state, State::Running) {
                        return Err(self.why_ended());
                    }
                    self.turn(Wanted::Send, None)?;
                }
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(self.why_ended()),
                Err(error) => return Err(failed("sending a frame", error.into()).into()),
            }
        }
        Ok(())
    }

    /// Waits for a frame from the program.
    ///
    /// # Errors
    /// The program has ended, at a limit or by itself, or has closed its channel; or the frame is longer than the output limit.
    pub fn receive(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.receive_until(None)
    }

    /// Waits for a frame from the program, at most this long. A late frame can still be received afterwards.
    ///
    /// # Errors
    /// As [`Process::receive`], and [`ChannelError::Late`].
    pub fn receive_within(&mut self, seconds: f64) -> Result<Vec<u8>, ChannelError> {
        let deadline = Duration::try_from_secs_f64(seconds).ok().and_then(|time| Instant::now().checked_add(time));
        match self.receive_until(deadline) {
            Err(ChannelError::Late { .. }) => Err(ChannelError::Late { seconds }),
            result => result,
        }
    }

    fn receive_until(&mut self, deadline: Option<Instant>) -> Result<Vec<u8>, ChannelError> {
        loop {
            if let Some(frame) = self.take_frame()? {
                return Ok(frame);
            }
            // What the program sent before it ended is still in the socket.
            let running = matches!(self.state, State::Running);
            match self.read_channel()? {
                Channel::Got => {}
                Channel::Closed => return Err(self.why_ended()),
                Channel::Empty if !running => return Err(self.why_ended()),
                Channel::Empty => {
                    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                    if left == Some(Duration::ZERO) {
                        return Err(ChannelError::Late { seconds: 0.0 });
                    }
                    self.turn(Wanted::Receive, left)?;
                }
            }
        }
    }

    fn take_frame(&mut self) -> Result<Option<Vec<u8>>, ChannelError> {
        let Some((head, body)) = self.inbox.split_first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_le_bytes(*head) as usize;
        if len > self.max_output {
            return Err(ChannelError::TooLong { found: len as u64, most: self.max_output });
        }
        if body.len() < len {
            return Ok(None);
        }
        let frame = body[..len].to_vec();
        self.inbox.drain(..4 + len);
        Ok(Some(frame))
    }

    fn read_channel(&mut self) -> Result<Channel, ChannelError> {
        let channel = self.channel.as_ref().ok_or(ChannelError::None)?;
        let mut piece = [0; PIECE];
        match rustix::net::recv(channel, &mut piece, RecvFlags::DONTWAIT) {
            Ok((0, _)) | Err(Errno::CONNRESET) => Ok(Channel::Closed),
            Ok((n, _)) => {
                self.inbox.extend_from_slice(&piece[..n]);
                Ok(Channel::Got)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Channel::Empty),
            Err(error) => Err(failed("receiving a frame", error.into()).into()),
        }
    }

    fn why_ended(&self) -> ChannelError {
        match &self.state {
            State::Broken { step, message } => ChannelError::Sandbox(SandboxError::Setup { step: step.clone(), message: message.clone() }),
            State::Running | State::Ended { .. } => ChannelError::Ended,
        }
    }

    /// Closes the channel, waits for the end of the program (its limits still hold), and reaps everything.
    ///
    /// # Errors
    /// The sandbox failed, not the program.
    pub fn finish(mut self) -> Result<Finished, SandboxError> {
        self.channel = None;
        self.wait()
    }

    /// As [`Process::finish`], but the program is killed if it has not ended by itself within so many seconds.
    ///
    /// # Errors
    /// The sandbox failed, not the program.
    pub fn finish_within(mut self, seconds: f64) -> Result<Finished, SandboxError> {
        self.channel = None;
        let deadline = Duration::try_from_secs_f64(seconds).ok().and_then(|time| Instant::now().checked_add(time));
        while matches!(self.state, State::Running) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                self.kill();
                break;
            }
            self.turn(Wanted::Nothing, left)?;
        }
        self.wait()
    }

    /// Kills the program, and says what it did until then.
    ///
    /// # Errors
    /// The sandbox failed, not the program.
    pub fn stop(mut self) -> Result<Finished, SandboxError> {
        self.kill();
        self.channel = None;
        self.wait()
    }

    fn wait(&mut self) -> Result<Finished, SandboxError> {
        while matches!(self.state, State::Running) {
            self.turn(Wanted::Nothing, None)?;
        }
        // Nobody holds the other ends any more: the pipes end after what is in them.
        let mut too_much = self.too_much;
        for output in [&mut self.stdout, &mut self.stderr] {
            while output.pipe.is_some() && output.read(self.max_output).map_err(|error| failed("reading output", error))? {}
            too_much |= output.pipe.take().is_some();
        }
        match &self.state {
            State::Ended { end, seconds, cpu_seconds, peak_bytes } => Ok(Finished {
                ending: ending(end, too_much),
                stdout: std::mem::take(&mut self.stdout.bytes),
                stderr: std::mem::take(&mut self.stderr.bytes),
                seconds: *seconds,
                cpu_seconds: *cpu_seconds,
                peak_mebibytes: peak_bytes.map(|bytes| bytes >> 20),
            }),
            State::Broken { step, message } => Err(SandboxError::Setup { step: step.clone(), message: message.clone() }),
            State::Running => Err(failed("waiting", io::ErrorKind::Interrupted.into())),
        }
    }

    fn kill(&self) {
        // An end of file in place of a message: one that nobody reads would make the kernel throw away the report. If the supervisor is
        // gone, so is the job.
        let _ = rustix::net::shutdown(&self.report, Shutdown::Write);
    }

    /// Waits until something happens: reads output, takes note of the end.
    fn turn(&mut self, wanted: Wanted, time: Option<Duration>) -> Result<(), SandboxError> {
        let mut fds = vec![PollFd::new(&self.report, PollFlags::IN)];
        let outputs: Vec<&OwnedFd> = [&self.stdout, &self.stderr].into_iter().filter_map(|output| output.pipe.as_ref()).collect();
        fds.extend(outputs.into_iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        match (wanted, &self.channel) {
            (Wanted::Receive, Some(channel)) => fds.push(PollFd::new(channel, PollFlags::IN)),
            (Wanted::Send, Some(channel)) => fds.push(PollFd::new(channel, PollFlags::OUT)),
            _ => {}
        }
        let timeout =
            time.map(|time| Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: time.subsec_nanos().into() });
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(failed("waiting", error.into())),
        }
        let reported = !fds[0].revents().is_empty();
        for output in [&mut self.stdout, &mut self.stderr] {
            if !output.read(self.max_output).map_err(|error| failed("reading output", error))? {
                // Nothing more is read: the program is being stopped.
                output.pipe = None;
                self.too_much = true;
            }
        }
        if self.too_much {
            self.kill();
        }
        if reported {
            self.state = self.read_report();
        }
        Ok(())
    }

    fn read_report(&self) -> State {
        let broken = |message: String| State::Broken { step: "supervising".to_owned(), message };
        // A supervisor that ends without having read our "stop" resets the socket: that is reported first, and its report after it.
        let received = wire::receive(self.report.as_fd()).or_else(|error| match error.kind() {
            io::ErrorKind::ConnectionReset => wire::receive(self.report.as_fd()),
            _ => Err(error),
        });
        match received {
            Ok((message, _)) if message.is_empty() => broken("the supervisor died".to_owned()),
            Ok((message, _)) => match serde_json::from_slice(&message) {
                Ok(Report::Done { end, seconds, cpu_seconds, peak_bytes }) => State::Ended { end, seconds, cpu_seconds, peak_bytes },
                Ok(Report::Failed { step, message }) => State::Broken { step, message },
                Ok(Report::Detected(_)) => broken("an answer to another question".to_owned()),
                Err(error) => broken(error.to_string()),
            },
            Err(error) => broken(error.to_string()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Waits, so that the next job of the slot finds the machine as this one found it.
        if matches!(self.state, State::Running) {
            self.kill();
            self.channel = None;
            while matches!(self.state, State::Running) && self.turn(Wanted::Nothing, None).is_ok() {}
        }
    }
}

/// What was in the channel.
enum Channel {
    Got,
    Empty,
    Closed,
}

fn ending(end: &End, too_much: bool) -> Ending {
    match end {
        // What the kernel or the filter saw is worse than the flood that hid it.
        End::Forbidden(call) => Ending::Forbidden(call.clone()),
        End::MemoryLimit => Ending::MemoryLimit,
        _ if too_much => Ending::OutputLimit,
        End::Exited(code) => Ending::Exited(*code),
        End::Signaled(signal) => Ending::Signaled(*signal),
        End::TimeLimit => Ending::TimeLimit,
        End::ProcessLimit => Ending::ProcessLimit,
        End::Stopped => Ending::Stopped,
    }
}

pub(crate) fn failed(doing: &'static str, source: io::Error) -> SandboxError {
    SandboxError::Io { doing, source }
}
