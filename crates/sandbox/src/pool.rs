//! The pool: launchers, slots, and what they are asked to do.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::OFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use crate::archive;
use crate::cgroup::Places;
use crate::error::{BuildError, MissingToolchain, SandboxError};
use crate::language::Language;
use crate::launcher;
use crate::launcher::attacks::{Attack, HELD};
use crate::layers::{Layer, LayerStatus, Layers};
use crate::limits::Limits;
use crate::process::{Output, Process, State, failed};
use crate::recipes::{self, Invocation};
use crate::run::{self, Ending, Finished, Launch, Program, Source, SourceFile};
use crate::toolchain::{self, Toolchain};
use crate::wire::{self, Action, Detected, Handles, Report, Request, View};

/// How to start a sandbox.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Program whose `main` calls [`serve_launcher`](crate::serve_launcher) when it is given `arguments`.
    pub launcher: PathBuf,
    /// Arguments that make it do so.
    pub arguments: Vec<OsString>,
    /// Jobs that run at the same time; at least 1.
    pub slots: usize,
    /// Layers of the minimum that the user accepts to be without.
    pub allow: Vec<Layer>,
    /// Layers that are not used even if the machine has them. They count as missing.
    pub without: Vec<Layer>,
}

impl SandboxConfig {
    /// A sandbox with one slot, all layers, and nothing waived.
    pub fn new(launcher: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            launcher: launcher.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            slots: 1,
            allow: Vec::new(),
            without: Vec::new(),
        }
    }
}

/// A pool of places where programs that nobody trusts can run. Threads share it.
#[derive(Debug)]
pub struct Sandbox {
    config: SandboxConfig,
    layers: Layers,
    /// Layers that are not applied to jobs.
    without: Vec<Layer>,
    launchers: Vec<Mutex<Launcher>>,
    free: Mutex<Vec<usize>>,
    freed: Condvar,
    toolchains: [OnceLock<Result<Toolchain, MissingToolchain>>; Language::ALL.len()],
    /// Archive of Go's compiled standard library, if it does not come with the toolchain.
    go_library: OnceLock<Result<Vec<u8>, String>>,
    // Last: removed when the launchers, and with them all jobs, are gone.
    places: Places,
}

/// A place in the pool. Given back when dropped.
#[derive(Debug)]
pub struct Slot<'a> {
    sandbox: &'a Sandbox,
    index: usize,
}

#[derive(Debug)]
struct Launcher {
    child: Child,
    /// `None` only while the launcher is being dropped.
    socket: Option<OwnedFd>,
}

impl Launcher {
    fn start(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(|error| failed("making a socket", error.into()))?;
        // No environment: it may hold secrets, and programs come near this process.
        let mut command = Command::new(&config.launcher);
        command.args(&config.arguments).env_clear().current_dir("/").stdin(theirs).stdout(Stdio::null()).process_group(0);
        let child = command.spawn().map_err(|error| launcher_error(config, &error.to_string()))?;
        Ok(Self { child, socket: Some(ours) })
    }

    fn send(&self, handles: Handles<std::os::fd::BorrowedFd<'_>>) -> io::Result<()> {
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        wire::send_job(socket.as_fd(), handles)
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // The launcher ends when its socket is closed, after its jobs have ended.
        self.socket = None;
        drop(self.child.wait());
    }
}

fn launcher_error(config: &SandboxConfig, message: &str) -> SandboxError {
    SandboxError::Launcher { command: config.launcher.display().to_string(), message: message.to_owned() }
}

/// A lock whose holder panicked is still good here: nothing is half done under any of them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One job, before its descriptors exist.
struct Job<'a> {
    action: Action,
    environment: Vec<(String, String)>,
    view: View,
    limits: &'a Limits,
    limit_address_space: bool,
    collect: Option<PathBuf>,
    stdin: &'a [u8],
    program: Option<&'a OwnedFd>,
    work: &'a [u8],
    channel: bool,
}

impl Sandbox {
    /// Finds out which layers this machine has, and starts the launchers.
    ///
    /// # Errors
    /// The launcher does not start, or a layer of the minimum is missing and not accepted by name.
    pub fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        let (layers, places) = Self::layers_of(&config)?;
        let without: Vec<Layer> = layers.missing().map(|(layer, _)| layer).collect();
        let refused: Vec<_> = layers
            .missing()
            .filter(|(layer, _)| !layer.can_be_waived() || (layer.in_minimum() && !config.allow.contains(layer)))
            .map(|(layer, reason)| (layer, reason.to_owned()))
            .collect();
        if !refused.is_empty() {
            return Err(SandboxError::BelowMinimum { missing: refused });
        }
        let n_slots = config.slots.max(1);
        let launchers = (0..n_slots).map(|_| Launcher::start(&config).map(Mutex::new)).collect::<Result<_, _>>()?;
        let sandbox = Self {
            layers,
            without,
            launchers,
            free: Mutex::new((0..n_slots).collect()),
            freed: Condvar::new(),
            toolchains: Default::default(),
            go_library: OnceLock::new(),
            places,
            config,
        };
        // What the machine has and what jobs get must be the same.
        let checked = sandbox.attack(Attack::Rights)?;
        if checked.ending != Ending::Exited(HELD) {
            return Err(SandboxError::NotIsolated { found: format!("{:?}", checked.ending) });
        }
        Ok(sandbox)
    }

    /// The layers as a sandbox with this configuration would have them, and its control groups.
    pub(crate) fn layers_of(config: &SandboxConfig) -> Result<(Layers, Places), SandboxError> {
        if let Some(&layer) = config.allow.iter().chain(&config.without).find(|layer| !layer.can_be_waived()) {
            return Err(SandboxError::CannotWaive { layer });
        }
        let detected = detect(config)?;
        let places = Places::make(&config.without);
        let layers = Layers::new(|layer| {
            if config.without.contains(&layer) {
                return LayerStatus::Missing { reason: "not wanted by the configuration".to_owned() };
            }
            if let Some((_, reason)) = detected.missing.iter().chain(&places.missing).find(|(missing, _)| *missing == layer) {
                return LayerStatus::Missing { reason: reason.clone() };
            }
            let version = places.places.iter().find(|place| place.layers.contains(&layer)).map(|place| place.version);
            let detail = match (layer, version) {
                (Layer::Landlock, _) => format!("ABI {}", detected.landlock_abi),
                (_, Some(crate::cgroup::Version::V1)) => "cgroup v1".to_owned(),
                (_, Some(crate::cgroup::Version::V2)) => "cgroup v2".to_owned(),
                _ => String::new(),
            };
            LayerStatus::InForce { detail }
        });
        Ok((layers, places))
    }

    /// The layers in force.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The toolchain of a language.
    ///
    /// # Errors
    /// The machine has none; the error says what to install.
    pub fn toolchain(&self, language: Language) -> Result<&Toolchain, MissingToolchain> {
        let place = &self.toolchains[Language::ALL.iter().position(|&other| other == language).unwrap_or_default()];
        place.get_or_init(|| toolchain::find(language)).as_ref().map_err(Clone::clone)
    }

    /// Jobs that run at the same time.
    pub fn n_slots(&self) -> usize {
        self.launchers.len()
    }

    /// Waits until one of the slots is free.
    pub fn slot(&self) -> Slot<'_> {
        let mut free = lock(&self.free);
        loop {
            if let Some(index) = free.pop() {
                return Slot { sandbox: self, index };
            }
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Runs an attack of the self-test.
    pub(crate) fn attack(&self, attack: Attack) -> Result<Finished, SandboxError> {
        let limits = Limits {
            seconds: if attack == Attack::Loop { 0.5 } else { 4.0 },
            mebibytes: 64,
            disk_mebibytes: 16,
            processes: 32,
            ..Limits::default()
        };
        let job = Job {
            action: Action::Attack(attack),
            environment: Vec::new(),
            view: View::default(),
            limits: &limits,
            limit_address_space: true,
            collect: None,
            stdin: b"",
            program: None,
            work: b"",
            channel: false,
        };
        self.slot().start(job)?.0.finish()
    }
}

/// Asks a launcher of its own what the machine has.
fn detect(config: &SandboxConfig) -> Result<Detected, SandboxError> {
    let launcher = Launcher::start(config)?;
    let request = Request {
        action: Action::Detect,
        environment: Vec::new(),
        view: View::default(),
        limits: Limits::default(),
        limit_address_space: false,
        without: Vec::new(),
        places: Vec::new(),
        collect: None,
    };
    let (mut process, ..) = send(&launcher, &request, b"", None, b"", false).map_err(|error| launcher_error(config, &error.to_string()))?;
    let report = std::mem::replace(&mut process.state, State::Broken { step: String::new(), message: String::new() });
    drop(report);
    let (message, _) = wire::receive(process.report.as_fd()).map_err(|error| launcher_error(config, &error.to_string()))?;
    match serde_json::from_slice(&message) {
        Ok(Report::Detected(detected)) => Ok(detected),
        _ => Err(launcher_error(config, "expected it to serve as launcher; its `main` must call `serve_launcher` for these arguments")),
    }
}

/// Makes a job's descriptors and sends it. Gives the running process, and the memory file of its working folder.
fn send(
    launcher: &Launcher,
    request: &Request,
    stdin: &[u8],
    program: Option<&OwnedFd>,
    work: &[u8],
    channel: bool,
) -> io::Result<(Process, OwnedFd)> {
    let socketpair = |kind| rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
    let (report, report_there) = socketpair(SocketType::SEQPACKET)?;
    let (stdout, stdout_there) = output_pipe()?;
    let (stderr, stderr_there) = output_pipe()?;
    let stdin = wire::sealed_file("stdin", stdin)?;
    let request_file = wire::sealed_file("request", &serde_json::to_vec(request)?)?;
    let work = wire::open_file("work", work)?;
    let empty = wire::sealed_file("program", b"")?;
    let (channel, channel_there) = match channel {
        true => socketpair(SocketType::STREAM).map(|(ours, theirs)| (Some(ours), Some(theirs)))?,
        false => (None, None),
    };
    launcher.send(Handles {
        request: request_file.as_fd(),
        report: report_there.as_fd(),
        stdin: stdin.as_fd(),
        stdout: stdout_there.as_fd(),
        stderr: stderr_there.as_fd(),
        program: program.unwrap_or(&empty).as_fd(),
        work: work.as_fd(),
        channel: channel_there.as_ref().map(AsFd::as_fd),
    })?;
    let output = |pipe| Output { pipe: Some(pipe), bytes: Vec::new() };
    let process = Process {
        report,
        stdout: output(stdout),
        stderr: output(stderr),
        channel,
        inbox: Vec::new(),
        max_output: request.limits.output_bytes(),
        state: State::Running,
        too_much: false,
    };
    Ok((process, work))
}

/// A pipe for output: our end does not block. It belongs to the job's user, so that programs can open `/dev/stdout`.
fn output_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(&read, OFlags::NONBLOCK)?;
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = launcher::outer_ids();
        std::os::unix::fs::fchown(&write, Some(uid), Some(gid))?;
    }
    Ok((read, write))
}

impl Slot<'_> {
    /// Compiles a program, inside of the sandbox; a program of an interpreted language is only checked for its toolchain.
    ///
    /// # Errors
    /// No toolchain, or the compiler refuses the program or goes over its limits, or the sandbox fails.
    pub fn build(&self, source: &Source, limits: &Limits) -> Result<Program, BuildError> {
        let tools = self.sandbox.toolchain(source.language)?;
        if !source.files.iter().any(|file| file.path == source.main) {
            return Err(SandboxError::Invalid(format!("expected a file {:?} in the program, found none", source.main)).into());
        }
        let main = recipes::stored_main(source);
        let stored = |file: &SourceFile| {
            let path = if file.path == source.main { main.clone() } else { file.path.clone() };
            SourceFile { path, text: file.text.clone() }
        };
        let files: Vec<SourceFile> = source.files.iter().map(stored).collect();
        let archive = run::pack_files(&files).map_err(SandboxError::Invalid)?;
        let archive = wire::sealed_file("program", &archive).map_err(|error| failed("storing a program", error))?;
        let Some(compilation) = recipes::compilation(tools, source, limits) else {
            return Ok(Program { language: source.language, main, archive });
        };
        let files: Vec<SourceFile> =
            compilation.files.iter().map(|&(path, text)| SourceFile { path: path.to_owned(), text: text.to_owned() }).collect();
        let mut work = run::pack_files(&files).map_err(SandboxError::Invalid)?;
        if tools.compiles_library {
            let library = self.sandbox.go_library.get_or_init(|| self.compile_go_library(tools));
            let message =
                |message: &String| SandboxError::Setup { step: "compiling Go's standard library".to_owned(), message: message.clone() };
            work.extend_from_slice(library.as_ref().map_err(message)?);
        }
        let job = Job {
            action: execute(compilation.invocation),
            environment: recipes::environment(source.language),
            view: tools.view.clone(),
            limits,
            limit_address_space: matches!(source.language, Language::C | Language::Cpp),
            collect: Some(recipes::out_folder()),
            stdin: b"",
            program: Some(&archive),
            work: &work,
            channel: false,
        };
        let (process, made) = self.start(job)?;
        let finished = process.finish()?;
        if !finished.ending.is_success() {
            return Err(BuildError::Compile(Box::new(finished)));
        }
        let content = wire::content_of(&made).map_err(|error| failed("storing a program", error))?;
        let archive = wire::sealed_file("program", &content).map_err(|error| failed("storing a program", error))?;
        Ok(Program { language: source.language, main: compilation.main, archive })
    }

    /// Compiles Go's standard library once for all programs, inside of the sandbox. Each program gets a copy of the result, so that none
    /// can change what another is compiled with.
    fn compile_go_library(&self, tools: &Toolchain) -> Result<Vec<u8>, String> {
        const MINUTES: f64 = 10.0;
        let limits = Limits { seconds: MINUTES * 60.0, cpu_seconds: MINUTES * 60.0, ..Limits::compile() };
        let (invocation, environment) = recipes::go_library(tools);
        let job = Job {
            action: execute(invocation),
            environment,
            view: tools.view.clone(),
            limits: &limits,
            limit_address_space: false,
            collect: Some(recipes::out_folder()),
            stdin: b"",
            program: None,
            work: b"",
            channel: false,
        };
        let (process, made) = self.start(job).map_err(|error| error.to_string())?;
        let finished = process.finish().map_err(|error| error.to_string())?;
        if !finished.ending.is_success() {
            return Err(format!("{}: {}", finished.ending, String::from_utf8_lossy(&finished.stderr)));
        }
        archive::below(recipes::GO_CACHE, &wire::content_of(&made).map_err(|error| error.to_string())?)
    }

    /// Starts a program. Several may run in one slot at the same time; they cannot see each other.
    ///
    /// # Errors
    /// Bad limits or paths, or the sandbox fails. What fails while the job is being isolated is reported when it is waited for.
    pub fn launch(&self, program: &Program, options: &Launch, limits: &Limits) -> Result<Process, SandboxError> {
        let tools = self.sandbox.toolchain(program.language).map_err(|error| SandboxError::Invalid(error.to_string()))?;
        let work = run::pack_files(&options.files).map_err(SandboxError::Invalid)?;
        let job = Job {
            action: execute(recipes::invocation(tools, &program.main, &options.arguments, limits)),
            environment: recipes::environment(program.language),
            view: tools.view.clone(),
            limits,
            limit_address_space: recipes::limits_address_space(program.language),
            collect: None,
            stdin: &options.stdin,
            program: Some(&program.archive),
            work: &work,
            channel: options.channel,
        };
        self.start(job).map(|(process, _)| process)
    }

    /// Runs a program from start to end.
    ///
    /// # Errors
    /// Bad limits, or the sandbox fails. A program that fails is no error.
    pub fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Finished, SandboxError> {
        self.launch(program, &Launch { stdin: stdin.to_owned(), ..Launch::default() }, limits)?.finish()
    }

    fn start(&self, job: Job<'_>) -> Result<(Process, OwnedFd), SandboxError> {
        job.limits.check().map_err(SandboxError::Invalid)?;
        let request = Request {
            action: job.action,
            environment: job.environment,
            view: job.view,
            limits: *job.limits,
            limit_address_space: job.limit_address_space,
            without: self.sandbox.without.clone(),
            places: self.sandbox.places.places.clone(),
            collect: job.collect,
        };
        let mut launcher = lock(&self.sandbox.launchers[self.index]);
        let try_send = |launcher: &Launcher| send(launcher, &request, job.stdin, job.program, job.work, job.channel);
        match try_send(&launcher) {
            // The launcher was killed, perhaps for want of memory. A new one takes its place, once.
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                *launcher = Launcher::start(&self.sandbox.config)?;
                try_send(&launcher).map_err(|error| launcher_error(&self.sandbox.config, &error.to_string()))
            }
            result => result.map_err(|error| failed("starting a job", error)),
        }
    }
}

fn execute(invocation: Invocation) -> Action {
    Action::Execute { program: invocation.program, arguments: invocation.arguments }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        lock(&self.sandbox.free).push(self.index);
        self.sandbox.freed.notify_one();
    }
}
