//! System calls that no safe wrapper covers.
#![expect(unsafe_code, reason = "each function here is one system call with a safe face")]

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::Pid;
use seccompiler::BpfProgram;

/// Turns the result of a C function into ours.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Which side of a fork one is.
pub(crate) enum Fork {
    Parent(Pid),
    Child,
}

/// Forks with `CLONE_NEW*` flags: the child is in new namespaces, and the first process of a new pid namespace. With a descriptor of a
/// control group (v2), it begins its life there.
///
/// Only for a process with one thread: the launcher and its children.
pub(crate) fn fork_into(namespaces: libc::c_int, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Fork> {
    let flags = u64::from(namespaces.unsigned_abs());
    // SAFETY: all zeros is a valid `clone_args`: it holds integers only.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = flags;
    arguments.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(cgroup.as_raw_fd().unsigned_abs());
    }
    // SAFETY: without CLONE_VM and with a null stack, this is fork: the child has its own copy of the memory. The launcher has one
    // thread, so no lock of the C library or the allocator can be held by a thread that the child lacks. The structure is valid for
    // the call, and the size is its own.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) })?;
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        Some(pid) => Ok(Fork::Parent(pid)),
        None => Ok(Fork::Child),
    }
}

/// Of the kernel's headers; the C library's constant does not fit its own type.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Forks by the system call that the filter allows to programs, for the self-test.
pub(crate) fn fork_plainly() -> io::Result<Fork> {
    // SAFETY: as above; the C library's own bookkeeping is done.
    let pid = check(unsafe { libc::fork() }.into())?;
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        Some(pid) => Ok(Fork::Parent(pid)),
        None => Ok(Fork::Child),
    }
}

/// Ends this process at once: no destructors, no buffers.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: has no preconditions; it does not return.
    unsafe { libc::_exit(code) }
}

/// Kills all other processes of the pid namespace whose first process this is.
pub(crate) fn kill_all_in_namespace() {
    // Anywhere else, -1 would mean every process of the user.
    if rustix::process::getpid() == Pid::INIT {
        // SAFETY: a signal touches no memory of ours: the kernel leaves out the caller and the first process of the namespace.
        unsafe { libc::kill(-1, libc::SIGKILL) };
    }
}

/// Processor time in seconds and peak resident memory in bytes of children that were waited for, and of theirs.
pub(crate) fn usage_of_children() -> (f64, u64) {
    // SAFETY: all zeros is a valid `rusage`: it holds integers only.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for the call. With these arguments it cannot fail.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    #[expect(clippy::cast_precision_loss, reason = "seconds since a process began are far below 2^53")]
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    let peak = u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024);
    (seconds(usage.ru_utime) + seconds(usage.ru_stime), peak)
}

/// Makes `fd` also reachable as `number`, open across exec.
pub(crate) fn duplicate_onto(fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    // SAFETY: `fd` is open. What `number` was before is closed; the caller is about to exec and owns nothing under that number.
    check(unsafe { libc::dup2(fd.as_raw_fd(), number) }.into()).map(drop)
}

/// Marks all descriptors from `first` on to be closed by exec.
pub(crate) fn close_on_exec_from(first: libc::c_uint) -> io::Result<()> {
    // SAFETY: the call only sets a flag of descriptors.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) }).map(drop)
}

/// Adds mount attributes (`MOUNT_ATTR_*`) to the mount at `path`, and to all below it.
pub(crate) fn restrict_mount(path: &std::ffi::CStr, attributes: u64, recursive: bool) -> io::Result<()> {
    let attr = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: path and structure are valid for the call, and the size is that of the structure.
    let result = unsafe {
        libc::syscall(libc::SYS_mount_setattr, libc::AT_FDCWD, path.as_ptr(), flags, &raw const attr, size_of::<libc::mount_attr>())
    };
    check(result).map(drop)
}

/// Version of Landlock's interface; 0 without Landlock.
pub(crate) fn landlock_abi() -> u32 {
    const LANDLOCK_CREATE_RULESET_VERSION: libc::c_uint = 1;
    let null: *const libc::c_void = std::ptr::null();
    // SAFETY: with this flag, the kernel wants a null pointer and size 0, and only answers a number.
    let result = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, null, 0_usize, LANDLOCK_CREATE_RULESET_VERSION) };
    u32::try_from(result).unwrap_or(0)
}

/// Installs a filter whose `SECCOMP_RET_USER_NOTIF` is reported on the returned descriptor.
pub(crate) fn install_notifying_filter(program: &BpfProgram) -> io::Result<OwnedFd> {
    let len = u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let filter = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: `filter` points to `len` instructions that live through the call (`sock_filter` is the kernel's structure, in seccompiler
    // as in libc); the kernel only reads them.
    let fd = check(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER, &raw const filter)
    })?;
    let fd = RawFd::try_from(fd).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Number of the system call that a process behind the listener is about to make.
pub(crate) fn receive_notification(listener: BorrowedFd<'_>) -> io::Result<i64> {
    // SAFETY: all zeros is a valid `seccomp_notif`, and the kernel demands it.
    let mut notification: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    const SECCOMP_IOCTL_NOTIF_RECV: libc::c_ulong = request_code(0, size_of::<libc::seccomp_notif>());
    // SAFETY: this request writes one `seccomp_notif`, which the pointer is valid for.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), SECCOMP_IOCTL_NOTIF_RECV as _, &raw mut notification) }.into())?;
    Ok(notification.data.nr.into())
}

/// `_IOWR('!', number, size)` of the kernel's headers.
const fn request_code(number: libc::c_ulong, size: usize) -> libc::c_ulong {
    (3 << 30) | ((size as libc::c_ulong) << 16) | ((b'!' as libc::c_ulong) << 8) | number
}

/// Makes a raw system call for the self-test, which tries calls that must fail.
pub(crate) fn attempt(number: libc::c_long, arguments: [libc::c_long; 3]) -> io::Result<libc::c_long> {
    let [a, b, c] = arguments;
    // SAFETY: the self-test passes null pointers and small numbers only, so that no call can write to our memory.
    check(unsafe { libc::syscall(number, a, b, c, 0, 0, 0) })
}

/// Runs `program` in place of this process.
pub(crate) fn replace_process(command: &mut std::process::Command) -> Result<Infallible, io::Error> {
    Err(std::os::unix::process::CommandExt::exec(command))
}
