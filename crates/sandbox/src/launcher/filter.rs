//! Which system calls a program may make.
//!
//! Two filters lie over each other; the answer that the kernel ranks highest counts (seccomp(2): kill, error, report, allow).
//! - *allowed*: what programs, compilers and virtual machines need. Everything else does not exist (`ENOSYS`), as on an older kernel:
//!   C libraries and virtual machines are used to that and go another way.
//! - *forbidden*: calls that only an attack makes. The program is stopped and the verdict names the call.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch};

use crate::sys;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Names and numbers of system calls.
macro_rules! calls {
    ($($name:ident)*) => { &[$((stringify!($name), libc::$name)),*] };
}

type Calls = &'static [(&'static str, libc::c_long)];

/// Calls that every processor has.
const ALLOWED: Calls = calls! {
    // Files.
    SYS_read SYS_write SYS_readv SYS_writev SYS_pread64 SYS_pwrite64 SYS_preadv SYS_pwritev SYS_preadv2 SYS_pwritev2
    SYS_openat SYS_openat2 SYS_close SYS_close_range SYS_fstat SYS_newfstatat SYS_statx SYS_statfs SYS_fstatfs SYS_lseek
    SYS_faccessat SYS_faccessat2 SYS_readlinkat SYS_getdents64 SYS_getcwd SYS_chdir SYS_fchdir SYS_umask
    SYS_mkdirat SYS_unlinkat SYS_linkat SYS_symlinkat SYS_renameat2 SYS_mknodat SYS_fchmod SYS_fchmodat SYS_fchown SYS_fchownat
    SYS_utimensat SYS_truncate SYS_ftruncate SYS_fallocate SYS_fsync SYS_fdatasync SYS_sync_file_range SYS_flock SYS_fadvise64
    SYS_readahead SYS_copy_file_range SYS_sendfile SYS_splice SYS_tee SYS_vmsplice
    SYS_getxattr SYS_lgetxattr SYS_fgetxattr SYS_listxattr SYS_llistxattr SYS_flistxattr
    SYS_dup SYS_dup3 SYS_pipe2 SYS_fcntl SYS_memfd_create
    SYS_inotify_init1 SYS_inotify_add_watch SYS_inotify_rm_watch
    // Waiting.
    SYS_ppoll SYS_pselect6 SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2
    SYS_signalfd4 SYS_timerfd_create SYS_timerfd_settime SYS_timerfd_gettime
    SYS_nanosleep SYS_clock_nanosleep SYS_clock_gettime SYS_clock_getres SYS_gettimeofday
    SYS_getitimer SYS_setitimer SYS_timer_create SYS_timer_settime SYS_timer_gettime SYS_timer_getoverrun SYS_timer_delete SYS_times
    // Memory.
    SYS_brk SYS_mmap SYS_munmap SYS_mprotect SYS_mremap SYS_madvise SYS_msync SYS_mincore SYS_mlock SYS_mlock2 SYS_munlock
    SYS_mlockall SYS_munlockall SYS_membarrier SYS_pkey_alloc SYS_pkey_free SYS_pkey_mprotect
    SYS_get_mempolicy SYS_shmget SYS_shmat SYS_shmdt SYS_shmctl SYS_semget SYS_semop SYS_semtimedop SYS_semctl
    SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl
    // Processes and threads.
    SYS_clone SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_wait4 SYS_waitid SYS_kill SYS_tkill SYS_tgkill
    SYS_pidfd_open SYS_pidfd_send_signal
    SYS_getpid SYS_getppid SYS_gettid SYS_getpgid SYS_setpgid SYS_getsid SYS_setsid SYS_getuid SYS_geteuid SYS_getgid SYS_getegid
    SYS_getresuid SYS_getresgid SYS_getgroups SYS_capget SYS_setuid SYS_setgid SYS_setreuid SYS_setregid SYS_setresuid SYS_setresgid
    SYS_prctl SYS_prlimit64 SYS_getrlimit SYS_setrlimit SYS_getrusage SYS_getpriority SYS_setpriority SYS_getcpu
    SYS_sched_yield SYS_sched_getaffinity SYS_sched_setaffinity SYS_sched_getparam SYS_sched_getscheduler SYS_sched_setscheduler
    SYS_sched_get_priority_max SYS_sched_get_priority_min SYS_sched_getattr
    SYS_futex SYS_set_robust_list SYS_get_robust_list SYS_set_tid_address SYS_rseq SYS_restart_syscall
    // Signals.
    SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigpending SYS_rt_sigtimedwait
    SYS_rt_sigqueueinfo SYS_rt_tgsigqueueinfo SYS_sigaltstack
    // The machine.
    SYS_uname SYS_sysinfo SYS_getrandom
    // Sockets that have been given, or made in pairs. Others cannot be made.
    SYS_socketpair SYS_sendto SYS_recvfrom SYS_sendmsg SYS_recvmsg SYS_sendmmsg SYS_recvmmsg SYS_shutdown
    SYS_getsockopt SYS_setsockopt SYS_getsockname SYS_getpeername
};

/// Older forms that newer processors never had.
#[cfg(target_arch = "x86_64")]
const ALLOWED_OLD: Calls = calls! {
    SYS_open SYS_creat SYS_stat SYS_lstat SYS_access SYS_readlink SYS_getdents SYS_mkdir SYS_rmdir SYS_unlink SYS_link SYS_symlink
    SYS_rename SYS_renameat SYS_mknod SYS_chmod SYS_chown SYS_lchown SYS_utime SYS_utimes SYS_futimesat SYS_dup2 SYS_pipe
    SYS_poll SYS_select SYS_epoll_create SYS_epoll_wait SYS_eventfd SYS_signalfd SYS_inotify_init SYS_alarm SYS_pause SYS_time
    SYS_fork SYS_vfork SYS_getpgrp SYS_arch_prctl
};
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_OLD: Calls = calls! { SYS_renameat };

const FORBIDDEN: Calls = calls! {
    SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_pidfd_getfd
    SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_move_mount SYS_open_tree SYS_fsopen SYS_fsconfig SYS_fsmount SYS_fspick
    SYS_mount_setattr SYS_unshare SYS_setns
    SYS_bpf SYS_perf_event_open SYS_userfaultfd SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register
    SYS_add_key SYS_request_key SYS_keyctl
    SYS_kexec_load SYS_init_module SYS_finit_module SYS_delete_module SYS_reboot SYS_swapon SYS_swapoff SYS_acct SYS_syslog
    SYS_settimeofday SYS_clock_settime SYS_sethostname SYS_setdomainname SYS_open_by_handle_at SYS_quotactl SYS_vhangup
};
#[cfg(target_arch = "x86_64")]
const FORBIDDEN_OLD: Calls = calls! { SYS_iopl SYS_ioperm SYS_kexec_file_load SYS_modify_ldt SYS_uselib };
#[cfg(not(target_arch = "x86_64"))]
const FORBIDDEN_OLD: Calls = &[];

/// Flags of clone that make namespaces.
const NAMESPACE_FLAGS: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Requests of `ioctl` that put words into the mouth of a terminal.
const TERMINAL_INJECTION: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];

/// The filters, ready for the kernel.
pub(super) struct Filters {
    allowed: BpfProgram,
    forbidden: BpfProgram,
}

/// What goes wrong with filters, as text.
fn broken(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

pub(super) fn build() -> io::Result<Filters> {
    // For the kernel an error is stricter than a report, so this filter must let forbidden calls pass for the other to report them.
    let mut allowed = always(&[ALLOWED, ALLOWED_OLD, FORBIDDEN, FORBIDDEN_OLD]);
    let differs = |request: &u64| SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, *request);
    let conditions = TERMINAL_INJECTION.iter().map(differs).collect::<Result<Vec<_>, _>>().map_err(broken)?;
    allowed.insert(libc::SYS_ioctl, vec![SeccompRule::new(conditions).map_err(broken)?]);

    let mut forbidden = always(&[FORBIDDEN, FORBIDDEN_OLD]);
    let mut makes_namespace = Vec::new();
    for flag in NAMESPACE_FLAGS {
        let flag = u64::from(flag.unsigned_abs());
        let has_flag = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag).map_err(broken)?;
        makes_namespace.push(SeccompRule::new(vec![has_flag]).map_err(broken)?);
    }
    forbidden.insert(libc::SYS_clone, makes_namespace);
    Ok(Filters {
        allowed: compile(allowed, SeccompAction::Errno(libc::ENOSYS.unsigned_abs()), SeccompAction::Allow)?,
        forbidden: compile(forbidden, SeccompAction::Allow, SeccompAction::KillProcess)?,
    })
}

/// Rules without conditions.
fn always(lists: &[Calls]) -> Rules {
    lists.iter().flat_map(|list| list.iter()).map(|&(_, number)| (number, Vec::new())).collect()
}

/// The processor's name. On any other than these there is no filter, and the sandbox does not start.
const ARCH: &str = if cfg!(target_arch = "x86_64") {
    "x86_64"
} else if cfg!(target_arch = "aarch64") {
    "aarch64"
} else {
    "another"
};

/// A process of another architecture is killed by all filters: numbers mean other calls there.
fn compile(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> io::Result<BpfProgram> {
    let arch = TargetArch::try_from(ARCH).map_err(broken)?;
    SeccompFilter::new(rules, otherwise, matched, arch).and_then(BpfProgram::try_from).map_err(broken)
}

impl Filters {
    /// Installs the filter of forbidden calls. They are reported on the descriptor; without one, they kill the process that makes them.
    pub(super) fn install_forbidden(&self) -> io::Result<Option<OwnedFd>> {
        match sys::install_notifying_filter(&self.notifying()) {
            Ok(listener) => Ok(Some(listener)),
            // Something around us listens already, and there can be only one listener: forbidden calls are deadly without a name.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                seccompiler::apply_filter(&self.forbidden).map_err(broken)?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The filter of forbidden calls, with a report in place of death.
    fn notifying(&self) -> BpfProgram {
        let mut notifying = self.forbidden.clone();
        // The library has no action for reports: it takes the place of the one that kills. The check of the architecture, which
        // comes first, goes on killing.
        let kill = u32::from(SeccompAction::KillProcess);
        let is_kill = |code: u16, k: u32| u32::from(code) == libc::BPF_RET | libc::BPF_K && k == kill;
        for instruction in notifying.iter_mut().filter(|instruction| is_kill(instruction.code, instruction.k)).skip(1) {
            instruction.k = libc::SECCOMP_RET_USER_NOTIF;
        }
        notifying
    }

    /// Installs the allow-list.
    pub(super) fn install_allowed(&self) -> io::Result<()> {
        seccompiler::apply_filter(&self.allowed).map_err(broken)
    }
}

/// Whether the kernel knows filters.
pub(super) fn available() -> io::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    if !status.contains("\nSeccomp:") {
        return Err(io::Error::other("the kernel was built without seccomp filters"));
    }
    build().map(drop)
}

/// The name of a forbidden call.
pub(super) fn name_of(number: i64) -> String {
    if number == libc::SYS_clone {
        return "clone with a new namespace".to_owned();
    }
    let known = [FORBIDDEN, FORBIDDEN_OLD].into_iter().flatten().find(|(_, known)| *known == number);
    known.map_or_else(|| format!("system call {number}"), |(name, _)| name.trim_start_matches("SYS_").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_both_allowed_and_forbidden() {
        let allowed = always(&[ALLOWED, ALLOWED_OLD]);
        for (name, number) in FORBIDDEN.iter().chain(FORBIDDEN_OLD) {
            assert!(!allowed.contains_key(number), "{name}");
        }
    }

    #[test]
    fn filters_can_be_built_and_forbidden_calls_have_names() {
        let filters = build().unwrap();
        let kills = filters.notifying().iter().filter(|instruction| instruction.k == u32::from(SeccompAction::KillProcess)).count();
        assert_eq!(kills, 1, "the check of the architecture");
        assert!(filters.allowed.len() > ALLOWED.len() && filters.allowed.len() < 4096);
        assert_eq!(name_of(libc::SYS_ptrace), "ptrace");
        assert_eq!(name_of(libc::SYS_clone), "clone with a new namespace");
    }
}
