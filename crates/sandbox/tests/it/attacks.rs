//! Attacks, each: contained, with the right verdict, and afterwards the pool serves and nothing is left behind.

use std::io::Write;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use ruminate_sandbox::{BuildError, Ending, Finished, Language, Launch, Layer, Limits, Source};

use crate::leftovers;
use crate::support::{run_with, sandbox, test, test_with};

/// Small and short, so that attacks end soon.
fn limits() -> Limits {
    Limits { seconds: 1.5, cpu_seconds: 0.5, mebibytes: 96, output_kibibytes: 256, disk_mebibytes: 8, processes: 24, open_files: 64 }
}

/// What an attack may end with.
type Judge = fn(&Finished) -> bool;

fn out(finished: &Finished) -> String {
    String::from_utf8_lossy(&finished.stdout).trim().to_owned()
}

/// The program printed that it was held, and nothing else.
fn held(finished: &Finished) -> bool {
    finished.ending == Ending::Exited(0) && out(finished) == "held"
}

fn time_limit(finished: &Finished) -> bool {
    finished.ending == Ending::TimeLimit
}

fn memory_limit(finished: &Finished) -> bool {
    finished.ending == Ending::MemoryLimit
}

fn output_limit(finished: &Finished) -> bool {
    finished.ending == Ending::OutputLimit && finished.stdout.len().max(finished.stderr.len()) == 256 * 1024
}

/// Stopped for more processes than allowed, or for going on until its time was over.
fn process_limit(finished: &Finished) -> bool {
    matches!(finished.ending, Ending::ProcessLimit)
}

fn forbidden(call: &str, finished: &Finished) -> bool {
    finished.ending == Ending::Forbidden(call.to_owned())
}

struct Attack {
    name: &'static str,
    language: Language,
    text: &'static str,
    judge: Judge,
}

use Language::{Bash, C, Go, Java, JavaScript, Python};

const ATTACKS: &[Attack] = &[
    // Processes.
    Attack { name: "fork_bomb_bash", language: Bash, text: ":(){ :|:& };:; sleep 5; exit 1", judge: process_limit },
    Attack {
        name: "fork_bomb_c",
        language: C,
        text: "#include <unistd.h>\nint main(void) { for (;;) if (fork() < 0) return 1; }",
        judge: process_limit,
    },
    Attack {
        name: "fork_bomb_python",
        language: Python,
        text: "import os, time\nfor i in range(1000):\n  if os.fork() == 0:\n    time.sleep(60)\n",
        judge: process_limit,
    },
    Attack {
        name: "thread_bomb_c",
        language: C,
        text: "#include <pthread.h>\n#include <unistd.h>\nvoid *f(void *x) { sleep(60); return x; }\nint main(void) { pthread_t t; for (int i = 0; i < 1000; i++) if (pthread_create(&t, 0, f, 0)) return 1; return 0; }",
        judge: process_limit,
    },
    Attack {
        name: "orphaned_grandchildren",
        language: Bash,
        text: "for i in 1 2 3; do (setsid sleep 60 > /dev/null 2>&1 &) ; done; echo held",
        judge: held,
    },
    Attack {
        name: "orphans_that_hold_the_output_open",
        language: Python,
        text: "import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    time.sleep(60)\n  os._exit(0)\nprint('held')\n",
        judge: held,
    },
    Attack {
        name: "signals_to_parents",
        language: Python,
        text: "import os, signal\nfor pid in (1, 0 - 1, os.getppid()):\n  for s in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGSEGV):\n    if pid > 0:\n      try: os.kill(pid, s)\n      except OSError: pass\nprint('held')\n",
        judge: held,
    },
    Attack {
        name: "signal_to_everything",
        language: C,
        text: "#include <signal.h>\n#include <stdio.h>\nint main(void) { kill(-1, SIGKILL); puts(\"held\"); return 0; }",
        judge: held,
    },
    // Memory.
    Attack {
        name: "memory_bomb_python",
        language: Python,
        text: "x = []\nwhile True: x.append(bytearray(1 << 20))\n",
        judge: memory_limit,
    },
    Attack {
        name: "memory_bomb_over_children",
        language: C,
        text: "#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\nint main(void) { for (int i = 0; i < 8; i++) if (!fork()) { memset(malloc(40 << 20), 1, 40 << 20); sleep(60); } sleep(60); return 0; }",
        judge: memory_limit,
    },
    Attack {
        name: "memory_bomb_in_shared_memory",
        language: C,
        text: "#include <string.h>\n#include <sys/mman.h>\nint main(void) { for (;;) { void *p = mmap(0, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); if (p == MAP_FAILED) return 1; memset(p, 1, 8 << 20); } }",
        judge: memory_limit,
    },
    Attack {
        name: "memory_bomb_in_memory_files",
        language: C,
        text: "#define _GNU_SOURCE\n#include <stdlib.h>\n#include <sys/mman.h>\n#include <unistd.h>\nint main(void) { int f = memfd_create(\"x\", 0); char *p = calloc(1, 1 << 20); for (int n = 1;; n++) { write(f, p, 1 << 20); if (n % 4 == 0) f = memfd_create(\"x\", 0); } }",
        judge: memory_limit,
    },
    Attack {
        name: "memory_bomb_javascript",
        language: JavaScript,
        text: "const x = []; while (true) x.push(Buffer.alloc(1 << 20, 1));",
        judge: memory_limit,
    },
    // Time.
    Attack { name: "endless_loop", language: C, text: "int main(void) { for (;;); }", judge: time_limit },
    Attack { name: "sleep", language: Bash, text: "sleep 60", judge: time_limit },
    Attack {
        name: "ignored_signals",
        language: Python,
        text: "import signal\nfor s in range(1, 65):\n  try: signal.signal(s, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True: pass\n",
        judge: time_limit,
    },
    Attack { name: "endless_loop_go", language: Go, text: "package main\nfunc main() { for { } }\n", judge: time_limit },
    Attack {
        name: "endless_loop_java",
        language: Java,
        text: "class M { public static void main(String[] a) { while (true) { } } }",
        judge: time_limit,
    },
    // Output and files.
    Attack { name: "output_flood", language: Bash, text: "yes", judge: output_limit },
    Attack { name: "error_flood", language: Python, text: "import sys\nwhile True: sys.stderr.write('x' * 65536)\n", judge: output_limit },
    Attack {
        name: "descriptors",
        language: Python,
        text: "import os\nfds = []\ntry:\n  while True: fds.append(os.open('/dev/null', os.O_RDONLY))\nexcept OSError:\n  os.close(fds[0]); print('held' if len(fds) < 64 else len(fds))\n",
        judge: held,
    },
    Attack {
        name: "disk_fill",
        language: Python,
        text: "n = 0\ntry:\n  while True:\n    with open(f'/tmp/{n}', 'wb') as f: f.write(b'x' * (1 << 20))\n    n += 1\nexcept OSError: pass\nprint('held' if n <= 8 else n)\n",
        judge: held,
    },
    Attack {
        name: "inode_fill",
        language: Python,
        text: "n = 0\ntry:\n  while True:\n    open(f'/tmp/{n}', 'w').close()\n    n += 1\nexcept OSError: pass\nprint('held' if n <= 20000 else n)\n",
        judge: |finished| held(finished) || time_limit(finished),
    },
    Attack { name: "huge_file", language: Bash, text: "trap '' XFSZ; truncate -s 1T /tmp/hole 2> /dev/null || echo held", judge: held },
    // Writing and reading outside.
    Attack {
        name: "writing_outside",
        language: Bash,
        text: "for f in / /usr /etc /dev /proc /box /usr/lib /bin /lib; do (echo x > $f/attack) 2> /dev/null && echo $f; done; mkdir /attack 2> /dev/null && echo mkdir; rm -f /box/main.sh 2> /dev/null; test -e /box/main.sh && echo held",
        judge: held,
    },
    Attack {
        name: "files_of_the_machine",
        language: Python,
        text: "import os\nseen = [p for p in ('/etc/shadow', '/etc/hostname', '/root', '/home', '/var', '/sys', '/run', '/boot', '/mnt', '/.machine', '/work') if os.path.lexists(p) and (not os.path.isdir(p) or any('.pyenv' not in n and not n.startswith('.') for n in os.listdir(p)))]\nprint(seen or 'held')\n",
        judge: held,
    },
    Attack {
        name: "symbolic_links",
        language: Python,
        text: "import os\nfor target in ('/etc/shadow', '/proc/1/root/etc/shadow', '/proc/1/cwd', '../../../../etc/shadow', '/proc/self/root/etc/shadow'):\n  os.symlink(target, '/tmp/l')\n  try: print(open('/tmp/l').read(9))\n  except OSError: pass\n  try: print(os.listdir('/tmp/l'))\n  except OSError: pass\n  os.remove('/tmp/l')\nprint('held')\n",
        judge: held,
    },
    Attack {
        name: "hard_links",
        language: Python,
        text: "import os\nfor target in ('/etc/passwd', '/usr/bin/env', '/box/main.py', '/dev/null'):\n  try:\n    os.link(target, '/tmp/l')\n    print(target)\n  except OSError: pass\nprint('held')\n",
        judge: held,
    },
    Attack {
        name: "climbing_out_of_the_root",
        language: C,
        text: "#include <fcntl.h>\n#include <stdio.h>\n#include <sys/stat.h>\n#include <unistd.h>\nint main(void) { for (int i = 0; i < 100; i++) chdir(\"..\"); struct stat a, b; stat(\".\", &a); stat(\"/\", &b); puts(a.st_ino == b.st_ino && access(\"etc/shadow\", F_OK) ? \"held\" : \"out\"); return 0; }",
        judge: held,
    },
    Attack {
        name: "device_nodes",
        language: Python,
        text: "import os, stat\nfor mode in (stat.S_IFBLK, stat.S_IFCHR):\n  for dev in (os.makedev(8, 0), os.makedev(254, 0), os.makedev(1, 1)):\n    try:\n      os.mknod('/tmp/d', mode | 0o600, dev)\n      print('made')\n    except OSError: pass\nprint('held')\n",
        judge: held,
    },
    // Rights.
    Attack {
        name: "setuid",
        language: C,
        text: "#include <stdio.h>\n#include <sys/stat.h>\n#include <unistd.h>\nint main(void) { int r = setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setresuid(0, 0, 0) == 0; puts(!r && getuid() == 1000 && geteuid() == 1000 ? \"held\" : \"root\"); return 0; }",
        judge: held,
    },
    Attack {
        name: "setuid_programs",
        language: Bash,
        text: "for p in su passwd mount newgrp chsh sudo; do f=$(command -v $p) && \"$f\" --version > /dev/null 2>&1 < /dev/null; done; cp /usr/bin/id /tmp/id; chmod 6755 /tmp/id; test \"$(/tmp/id -u)$(grep CapEff /proc/self/status | tr -d '[:space:]')\" = 1000CapEff:0000000000000000 && echo held",
        judge: held,
    },
    Attack {
        name: "no_capabilities_and_no_new_privileges",
        language: Python,
        text: "s = dict(l.split(':', 1) for l in open('/proc/self/status') if ':' in l)\nzero = all(int(s[c], 16) == 0 for c in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'))\nprint('held' if zero and s['NoNewPrivs'].strip() == '1' and s['Seccomp'].strip() == '2' else s)\n",
        judge: held,
    },
    // Other processes.
    Attack {
        name: "proc_shows_nobody_else",
        language: Python,
        text: "import os\npids = [int(p) for p in os.listdir('/proc') if p.isdigit()]\nopen_ = []\nfor f in ('environ', 'mem', 'maps', 'fd', 'cwd', 'root', 'exe', 'stack', 'syscall'):\n  try:\n    p = f'/proc/1/{f}'\n    os.listdir(p) if f in ('fd', 'cwd', 'root') else open(p).read(1)\n    open_.append(f)\n  except OSError: pass\nrest = [n for n in os.listdir('/proc') if not n.isdigit() and n not in ('self', 'thread-self')]\nprint('held' if set(pids) <= {1, os.getpid()} and not open_ and not rest else (pids, open_, rest))\n",
        judge: held,
    },
    Attack {
        name: "environment_is_ours",
        language: Python,
        text: "import os\nprint('held' if set(os.environ) <= {'PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'PWD', 'SHLVL', '_', 'LC_CTYPE', 'PYTHONHASHSEED', 'PYTHONUTF8', 'PYTHONDONTWRITEBYTECODE', 'PYTHONNOUSERSITE'} else dict(os.environ))\n",
        judge: held,
    },
    Attack {
        name: "no_descriptors_but_three",
        language: Bash,
        text: "test \"$(cd /proc/self/fd && echo *)\" = '0 1 2 3' && ! test -e /proc/$$/fd/3 && echo held",
        judge: held,
    },
    // Forbidden calls.
    Attack {
        name: "ptrace",
        language: C,
        text: "#include <sys/ptrace.h>\nint main(void) { ptrace(PTRACE_ATTACH, 1, 0, 0); return 0; }",
        judge: |finished| forbidden("ptrace", finished),
    },
    Attack {
        name: "reading_memory_of_others",
        language: C,
        text: "#define _GNU_SOURCE\n#include <sys/uio.h>\nint main(void) { char b[8]; struct iovec v = { b, 8 }; process_vm_readv(1, &v, 1, &v, 1, 0); return 0; }",
        judge: |finished| forbidden("process_vm_readv", finished),
    },
    Attack {
        name: "mount",
        language: C,
        text: "#include <sys/mount.h>\nint main(void) { mount(\"none\", \"/tmp\", \"tmpfs\", 0, 0); return 0; }",
        judge: |finished| forbidden("mount", finished),
    },
    Attack {
        name: "mount_by_a_grandchild",
        language: Bash,
        text: "(unshare -rm true); echo went on",
        judge: |finished| forbidden("unshare", finished),
    },
    Attack {
        name: "namespaces_by_clone",
        language: C,
        text: "#define _GNU_SOURCE\n#include <sched.h>\n#include <signal.h>\n#include <sys/syscall.h>\n#include <unistd.h>\nint main(void) { syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); return 0; }",
        judge: |finished| forbidden("clone with a new namespace", finished),
    },
    Attack {
        name: "namespaces_by_clone3",
        language: C,
        text: "#define _GNU_SOURCE\n#include <errno.h>\n#include <linux/sched.h>\n#include <stdio.h>\n#include <sys/syscall.h>\n#include <unistd.h>\nint main(void) { struct clone_args a = { .flags = 0x10000000, .exit_signal = 17 }; puts(syscall(SYS_clone3, &a, sizeof a) < 0 && errno == ENOSYS ? \"held\" : \"made\"); return 0; }",
        judge: held,
    },
    Attack {
        name: "kernel_interfaces",
        language: Python,
        text: "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.keyctl if hasattr(libc, 'keyctl') else None\nlibc.syscall(250, 0, 0, 0, 0)\n",
        judge: |finished| forbidden("keyctl", finished),
    },
    Attack {
        name: "bpf",
        language: C,
        text: "#include <sys/syscall.h>\n#include <unistd.h>\nint main(void) { syscall(SYS_bpf, 0, 0, 0); return 0; }",
        judge: |finished| forbidden("bpf", finished),
    },
    Attack {
        name: "io_uring",
        language: C,
        text: "#include <sys/syscall.h>\n#include <unistd.h>\nint main(void) { char p[256] = {0}; syscall(SYS_io_uring_setup, 8, p); return 0; }",
        judge: |finished| forbidden("io_uring_setup", finished),
    },
    Attack {
        name: "calls_of_another_architecture",
        language: C,
        text: "int main(void) {\n#ifdef __x86_64__\nint r; __asm__ volatile(\"int $0x80\" : \"=a\"(r) : \"a\"(20)); return 0;\n#else\n__builtin_trap();\n#endif\n}",
        judge: |finished| !finished.ending.is_success(),
    },
    // Network.
    Attack {
        name: "network",
        language: Python,
        text: "import socket\nfor family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET):\n  for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):\n    try:\n      socket.socket(family, kind)\n      print(family, kind)\n    except OSError: pass\ntry:\n  print(socket.getaddrinfo('example.com', 80))\nexcept OSError: pass\nprint('held')\n",
        judge: held,
    },
    Attack {
        name: "network_bash",
        language: Bash,
        text: "(exec 5<> /dev/tcp/127.0.0.1/22) 2> /dev/null && echo open; (exec 5<> /dev/udp/192.0.2.1/53) 2> /dev/null && echo open; echo held",
        judge: held,
    },
    Attack {
        name: "network_java",
        language: Java,
        text: "import java.net.*;\nclass M { public static void main(String[] a) { try { new Socket(\"192.0.2.1\", 80); System.out.println(\"open\"); } catch (Exception e) { System.out.println(\"held\"); } } }",
        judge: held,
    },
    Attack {
        name: "network_javascript",
        language: JavaScript,
        text: "const net = require('net'); const s = net.connect(80, '192.0.2.1'); s.on('connect', () => console.log('open')); s.on('error', () => console.log('held'));",
        judge: held,
    },
];

pub(crate) fn tests() -> Vec<Trial> {
    let attack = |attack: &'static Attack| {
        let name: &'static str = Box::leak(format!("attacks::{}", attack.name).into_boxed_str());
        test_with(attack.language, name, move || {
            // Without a control group, the attack is held but has no name (processes), or is not held (memory of several processes).
            let needs = match attack.name {
                name if name.contains("fork_bomb") || name.contains("thread_bomb") => Some(Layer::CgroupPids),
                name if name.contains("memory_bomb") => Some(Layer::CgroupMemory),
                _ => None,
            };
            if let Some(layer) = needs.filter(|layer| !sandbox().layers().in_force(*layer)) {
                println!("{}: skipped, this machine has no {layer}", attack.name);
                return;
            }
            let before = leftovers::Machine::look();
            // Virtual machines need more than the attacks of small programs.
            let limits = match attack.language {
                Java | JavaScript | Go => Limits { mebibytes: 256, seconds: 5.0, cpu_seconds: 1.0, ..limits() },
                _ => limits(),
            };
            let finished = run_with(attack.language, attack.text, b"", &limits);
            let shown = format!(
                "{}: {} after {:.2} s, {:.2} s of processor time",
                attack.name, finished.ending, finished.seconds, finished.cpu_seconds
            );
            assert!((attack.judge)(&finished), "{shown}\n{}\n{}", out(&finished), String::from_utf8_lossy(&finished.stderr));
            leftovers::assert_same(&before);
            let next = run_with(Bash, "echo served", b"", &Limits::default());
            assert_eq!(out(&next), "served", "{:?}", next.ending);
        })
    };
    let mut tests: Vec<Trial> = ATTACKS.iter().map(attack).collect();
    tests.extend([
        test_with(Python, "attacks::answers_and_other_jobs_cannot_be_read", answers_and_other_jobs_cannot_be_read),
        test_with(Python, "attacks::nothing_stays_in_the_working_folder", nothing_stays_in_the_working_folder),
        test_with(Python, "attacks::shared_memory_is_not_shared_between_jobs", shared_memory_is_not_shared_between_jobs),
        test_with(C, "attacks::processes_share_their_processor_time", processes_share_their_processor_time),
        test_with(C, "attacks::compile_bombs_are_held", compile_bombs_are_held),
        test_with(C, "attacks::a_compiler_reads_no_file_of_the_machine", a_compiler_reads_no_file_of_the_machine),
        test_with(Python, "attacks::launchers_cannot_be_found", launchers_cannot_be_found),
        test("attacks::a_dropped_process_is_gone_at_once", a_dropped_process_is_gone_at_once),
    ]);
    tests
}

/// Another job runs at the same time, and an answer lies on the machine for everybody to read.
fn answers_and_other_jobs_cannot_be_read() {
    let mut answer = tempfile::NamedTempFile::new().unwrap();
    answer.write_all(b"the expected output").unwrap();
    std::fs::set_permissions(answer.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let (slot, other) = (sandbox().slot(), sandbox().slot());
    let victim = "import time\nopen('/tmp/mine', 'w').write('secret of another job')\ntime.sleep(1)\n";
    let spy = "\
import os, sys, time
time.sleep(0.3)
found = []
for path in sys.argv[1:] + ['/tmp/mine']:
    if os.path.exists(path): found.append(path)
for root, _, files in os.walk('/tmp'):
    found += [root + '/' + f for f in files]
for root, folders, files in os.walk('/proc'):
    folders[:] = [f for f in folders if f not in ('self', 'thread-self', 'task', 'net')]
    for f in files:
        if f in ('environ', 'cmdline', 'maps'):
            try: text = open(root + '/' + f, 'rb').read()
            except OSError: continue
            if b'secret' in text and b'spy' not in text: found.append(root + '/' + f)
print(found or 'held')
";
    let build = |text: &str| slot.build(&Source::single(Python, text), &Limits::compile()).unwrap();
    let (victim, spy) = (build(victim), build(spy));
    let running = other.launch(&victim, &Launch::default(), &limits()).unwrap();
    let also_running = slot.launch(&victim, &Launch::default(), &limits()).unwrap();
    let options = Launch { arguments: vec![answer.path().display().to_string()], ..Launch::default() };
    let finished = slot.launch(&spy, &options, &limits()).unwrap().finish().unwrap();
    assert!(held(&finished), "{finished:?}");
    for victim in [running, also_running] {
        assert_eq!(victim.finish().unwrap().ending, Ending::Exited(0));
    }
}

fn nothing_stays_in_the_working_folder() {
    let program = sandbox()
        .slot()
        .build(&Source::single(Python, "import os\nprint(os.listdir('.'))\nopen('left', 'w').write('x')\n"), &Limits::compile())
        .unwrap();
    for _ in 0..2 {
        let finished = sandbox().slot().run(&program, b"", &limits()).unwrap();
        assert_eq!(out(&finished), "[]");
    }
}

/// System V shared memory outlives its maker, if its namespace does.
fn shared_memory_is_not_shared_between_jobs() {
    let text = "import ctypes\nlibc = ctypes.CDLL(None)\nfirst = libc.shmget(1234, 4096, 0)\nlibc.shmget(1234, 4096, 0o1600)\nprint('held' if first < 0 else 'seen')\n";
    let program = sandbox().slot().build(&Source::single(Python, text), &Limits::compile()).unwrap();
    for _ in 0..2 {
        assert!(held(&sandbox().slot().run(&program, b"", &limits()).unwrap()));
    }
}

fn processes_share_their_processor_time() {
    let text = "#include <unistd.h>\nint main(void) { for (int i = 0; i < 3; i++) fork(); for (;;); }";
    let finished = run_with(C, text, b"", &Limits { seconds: 10.0, cpu_seconds: 0.5, ..limits() });
    assert_eq!(finished.ending, Ending::TimeLimit);
    if sandbox().layers().in_force(Layer::CgroupCpu) {
        assert!(finished.cpu_seconds < 1.5, "{finished:?}");
    }
}

fn compile_bombs_are_held() {
    let small = Limits { seconds: 2.5, cpu_seconds: 2.5, mebibytes: 256, disk_mebibytes: 64, ..Limits::compile() };
    for (name, language, text) in [
        ("a huge table", C, "int main[1u << 29] = { 1 };"),
        ("endless inclusion", C, "#include __FILE__\n#include __FILE__\nint main(void) { return 0; }"),
        ("a device as source", C, "#include \"/dev/zero\"\nint main(void) { return 0; }"),
        ("a device without end", C, "#include \"/dev/urandom\"\nint main(void) { return 0; }"),
        (
            "templates without end",
            Language::Cpp,
            "template <int N> struct A { A<N + 1> *p; static const int x = A<N + 1>::x + A<N + 2>::x; };\nint main() { return A<0>::x; }",
        ),
        (
            "macros that grow",
            C,
            "#define A(x) x x x x x x x x x x\n#define B(x) A(A(A(x)))\n#define C(x) B(B(B(x)))\nint main(void) { C(C(;)) }",
        ),
    ] {
        let before = leftovers::Machine::look();
        let begun = Instant::now();
        match sandbox().slot().build(&Source::single(language, text), &small) {
            Err(BuildError::Compile(finished)) => {
                let known = matches!(
                    finished.ending,
                    Ending::Exited(1..) | Ending::TimeLimit | Ending::MemoryLimit | Ending::OutputLimit | Ending::Signaled(_)
                );
                assert!(known, "{name}: {:?}", finished.ending);
            }
            other => panic!("{name}: {other:?}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(9), "{name}: {:?}", begun.elapsed());
        leftovers::assert_same(&before);
    }
}

fn a_compiler_reads_no_file_of_the_machine() {
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    secret.write_all(b"int secret = 42;\n").unwrap();
    std::fs::set_permissions(secret.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    for path in [secret.path().display().to_string(), "/etc/shadow".to_owned(), "/proc/1/environ".to_owned()] {
        let text = format!("#include \"{path}\"\nint main(void) {{ return 0; }}");
        match sandbox().slot().build(&Source::single(C, text), &Limits::compile()) {
            Err(BuildError::Compile(finished)) => {
                let text = String::from_utf8_lossy(&finished.stderr).into_owned();
                assert!(text.contains("No such file") || text.contains("Permission denied"), "{text}");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}

/// No id that a process outside has works inside.
fn launchers_cannot_be_found() {
    let text = "import os, sys\nalive = []\nfor pid in map(int, sys.argv[1:]):\n  try:\n    os.kill(pid, 0)\n    if pid != os.getpid(): alive.append(pid)\n  except OSError: pass\nprint(alive or 'held')\n";
    let slot = sandbox().slot();
    let program = slot.build(&Source::single(Python, text), &Limits::compile()).unwrap();
    let mut pids: Vec<String> = leftovers::descendants().into_iter().map(|pid| pid.to_string()).collect();
    pids.push(std::process::id().to_string());
    let finished = slot.launch(&program, &Launch { arguments: pids, ..Launch::default() }, &limits()).unwrap().finish().unwrap();
    assert!(held(&finished), "{finished:?}");
}

fn a_dropped_process_is_gone_at_once() {
    let before = leftovers::Machine::look();
    let slot = sandbox().slot();
    let program = slot.build(&Source::single(Bash, "sleep 60 & sleep 60"), &Limits::compile()).unwrap();
    let begun = Instant::now();
    drop(slot.launch(&program, &Launch::default(), &Limits::default()).unwrap());
    leftovers::assert_same(&before);
    let process = slot.launch(&program, &Launch::default(), &Limits::default()).unwrap();
    assert_eq!(process.stop().unwrap().ending, Ending::Stopped);
    leftovers::assert_same(&before);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
