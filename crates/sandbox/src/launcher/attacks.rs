//! Attacks of the self-test. They run inside the sandbox in place of a program, so that the self-test needs no toolchain.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sys::{self, Fork};

/// An attack, and how it looks when it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Attack {
    /// Makes processes until it is refused.
    ForkBomb,
    /// Takes memory, in several processes.
    MemoryBomb,
    /// Looks for files of the machine, and for a place to write.
    Files,
    /// Looks for processes other than its own, and for the environment of the first.
    Processes,
    /// Opens sockets.
    Network,
    /// Traces another process.
    Trace,
    /// Makes a user namespace, in which it would have all rights.
    Namespace,
    /// Looks at its own rights.
    Rights,
    /// Fills the disk.
    DiskFill,
    /// Never ends.
    Loop,
}

/// Exit code that says that the attack was held.
pub(crate) const HELD: i32 = 0;
/// Exit code that says that it was not.
pub(crate) const NOT_HELD: i32 = 1;

impl Attack {
    pub(super) fn run(self) -> i32 {
        let held = match self {
            Self::ForkBomb => fork_bomb(),
            Self::MemoryBomb => memory_bomb(),
            Self::Files => files(),
            Self::Processes => processes(),
            Self::Network => network(),
            // Both end here only if they were not forbidden, which without seccomp means that they were tried.
            Self::Trace => sys::attempt(libc::SYS_ptrace, [0, 0, 0]).is_err(),
            Self::Namespace => sys::attempt(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0]).is_err(),
            Self::Rights => rights(),
            Self::DiskFill => disk_fill(),
            Self::Loop => loop {
                std::hint::spin_loop();
            },
        };
        if held { HELD } else { NOT_HELD }
    }
}

/// More processes than any limit of the self-test.
const MANY: usize = 4096;

fn fork_bomb() -> bool {
    for _ in 0..MANY {
        match sys::fork_plainly() {
            Ok(Fork::Child) => {
                std::thread::sleep(Duration::from_secs(60));
                sys::exit_now(0)
            }
            Ok(Fork::Parent(_)) => {}
            Err(_) => return true,
        }
    }
    false
}

/// Several children take more together than one may have.
fn memory_bomb() -> bool {
    for _ in 0..3 {
        if let Ok(Fork::Child) = sys::fork_plainly() {
            let mut pieces: Vec<Vec<u8>> = Vec::new();
            // 256 MiB in pieces; the limit of the self-test is less.
            for _ in 0..256 {
                pieces.push(vec![1; 1 << 20]);
            }
            std::hint::black_box(&pieces);
            std::thread::sleep(Duration::from_secs(60));
            sys::exit_now(0)
        }
    }
    std::thread::sleep(Duration::from_secs(60));
    false
}

fn files() -> bool {
    let hidden = ["/etc/shadow", "/etc/hosts", "/root", "/home", "/sys", "/var", "/boot", "/run"];
    let visible = hidden.iter().any(|path| fs::symlink_metadata(path).is_ok());
    let places = ["/", "/usr", "/etc", "/dev", "/proc", super::init::PROGRAM_FOLDER];
    let writable = places.iter().any(|place| fs::write(format!("{place}/attack"), "x").is_ok());
    !visible && !writable && fs::write(format!("{}/own", super::init::WORK_FOLDER), "x").is_ok()
}

fn processes() -> bool {
    let seen = fs::read_dir("/proc").map(|items| {
        let names = items.flatten().filter_map(|item| item.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
        names.collect::<Vec<_>>()
    });
    let own = std::process::id();
    // Init may be hidden or not; nobody else is there.
    let alone = seen.is_ok_and(|seen| seen.iter().all(|&pid| pid == 1 || pid == own));
    let closed = ["environ", "mem", "maps"].iter().all(|name| fs::read(format!("/proc/1/{name}")).is_err());
    alone && closed
}

fn network() -> bool {
    let refused =
        |error: io::Error| matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NetworkUnreachable | ErrorKind::Unsupported);
    let address = ([192, 0, 2, 1], 80).into();
    let tcp = TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err_and(refused);
    let udp = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"x", address)).is_err_and(|_| true);
    let unix = std::os::unix::net::UnixStream::connect("/run/systemd/private").is_err();
    tcp && udp && unix
}

fn rights() -> bool {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return false };
    let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let none = ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"].iter().all(|name| value(name) == Some("0000000000000000"));
    let inner = super::supervisor::INNER_ID.to_string();
    let nobody = ["Uid:", "Gid:"].iter().all(|name| value(name).is_some_and(|ids| ids.split_whitespace().all(|id| id == inner)));
    none && nobody && value("NoNewPrivs:") == Some("1")
}

fn disk_fill() -> bool {
    let block = vec![1; 1 << 20];
    for n in 0..1024 {
        if fs::write(format!("{}/{n}", super::init::WORK_FOLDER), &block).is_err() {
            return true;
        }
    }
    false
}
