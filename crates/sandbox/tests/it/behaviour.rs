//! What graders rely on: the channel, large inputs and outputs, limits that do not hit the innocent, refusals that name their reason.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use ruminate_sandbox::{
    BuildError, ChannelError, Ending, Language, Launch, Layer, LayerStatus, Limits, Sandbox, SandboxConfig, SandboxError, Source,
    SourceFile, doctor,
};

use crate::leftovers;
use crate::support::{VICTIM_ARGUMENT, config, run_with, sandbox, test, test_with};

use Language::{Bash, C, Java, Python};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test_with(Python, "behaviour::output_is_read_while_the_program_writes", output_is_read_while_the_program_writes),
        test_with(Python, "behaviour::large_input_reaches_the_program", large_input_reaches_the_program),
        test_with(Python, "behaviour::frames_go_both_ways", frames_go_both_ways),
        test_with(Python, "behaviour::bad_frames_are_errors", bad_frames_are_errors),
        test_with(Python, "behaviour::a_silent_program_does_not_hang_the_channel", a_silent_program_does_not_hang_the_channel),
        test_with(Python, "behaviour::files_and_arguments_reach_the_program", files_and_arguments_reach_the_program),
        test_with(Python, "behaviour::two_processes_of_one_slot_run_at_the_same_time", two_processes_of_one_slot_run_at_the_same_time),
        test_with(C, "behaviour::signals_are_reported", signals_are_reported),
        test_with(C, "behaviour::compile_errors_carry_the_words_of_the_compiler", compile_errors_carry_the_words_of_the_compiler),
        test_with(Java, "behaviour::java_classes_in_several_files_are_found", java_classes_in_several_files_are_found),
        test_with(Python, "behaviour::threads_and_subprocesses_work", threads_and_subprocesses_work),
        test("behaviour::bad_limits_and_paths_are_refused", bad_limits_and_paths_are_refused),
        test("behaviour::slots_are_given_back", slots_are_given_back),
        test_with(Bash, "behaviour::a_killed_launcher_is_replaced", a_killed_launcher_is_replaced),
        test_with(Bash, "behaviour::a_killed_trainer_leaves_nothing_behind", a_killed_trainer_leaves_nothing_behind),
        test("behaviour::a_missing_layer_of_the_minimum_is_refused_by_name", a_missing_layer_of_the_minimum_is_refused_by_name),
        test("behaviour::namespaces_cannot_be_waived", namespaces_cannot_be_waived),
        test("behaviour::the_doctor_tries_attacks_and_names_what_is_missing", the_doctor_tries_attacks_and_names_what_is_missing),
        test("behaviour::a_program_that_is_no_launcher_is_refused", a_program_that_is_no_launcher_is_refused),
        test_with(C, "behaviour::without_control_groups_limits_still_hold_each_process", without_control_groups),
        test_with(C, "behaviour::each_inner_layer_holds_without_the_other", each_inner_layer_holds_without_the_other),
    ]
}

fn output_is_read_while_the_program_writes() {
    let finished = run_with(Python, "for i in range(20000): print('123456789')\n", b"", &Limits::default());
    assert_eq!((&finished.ending, finished.stdout.len()), (&Ending::Exited(0), 200_000));
    let both = "import sys\nfor i in range(3000):\n  print('x' * 99)\n  print('y' * 99, file=sys.stderr)\n";
    let finished = run_with(Python, both, b"", &Limits::default());
    assert_eq!((finished.stdout.len(), finished.stderr.len()), (300_000, 300_000));
}

fn large_input_reaches_the_program() {
    let input = "0123456789\n".repeat(500_000);
    let finished = run_with(Python, "import sys\nprint(sum(len(l) for l in sys.stdin))\n", input.as_bytes(), &Limits::default());
    assert_eq!(String::from_utf8_lossy(&finished.stdout), format!("{}\n", input.len()));
    // Not reading it is no error.
    assert_eq!(run_with(Python, "pass", input.as_bytes(), &Limits::default()).ending, Ending::Exited(0));
}

/// Answers each frame by its reverse, and floods standard output meanwhile.
const ECHO: &str = "\
import os, struct
def read(n):
    data = b''
    while len(data) < n:
        piece = os.read(3, n - len(data))
        if not piece: raise SystemExit(7)
        data += piece
    return data
while True:
    frame = read(struct.unpack('<I', read(4))[0])
    print('noise' * 50000, flush=True)
    data = struct.pack('<I', len(frame)) + frame[::-1]
    while data: data = data[os.write(3, data):]
";

fn channel() -> Launch {
    Launch { channel: true, ..Launch::default() }
}

fn frames_go_both_ways() {
    let slot = sandbox().slot();
    let program = slot.build(&Source::single(Python, ECHO), &Limits::compile()).unwrap();
    let mut process = slot.launch(&program, &channel(), &Limits::default()).unwrap();
    for len in [0, 1, 1000, 300_000] {
        let frame: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        process.send(&frame).unwrap();
        assert!(process.receive().unwrap().iter().eq(frame.iter().rev()), "{len}");
    }
    let finished = process.finish().unwrap();
    assert_eq!((&finished.ending, finished.stdout.len()), (&Ending::Exited(7), 4 * 250_001));
}

fn bad_frames_are_errors() {
    let slot = sandbox().slot();
    let limits = Limits { output_kibibytes: 64, seconds: 3.0, ..Limits::default() };
    let launch = |text: &str, options: &Launch| {
        let program = slot.build(&Source::single(Python, text), &Limits::compile()).unwrap();
        slot.launch(&program, options, &limits).unwrap()
    };
    let mut process = launch("import os\nos.write(3, b'\\xff\\xff\\xff\\x7f' + b'x' * 100)\nimport time\ntime.sleep(9)\n", &channel());
    assert!(matches!(process.receive(), Err(ChannelError::TooLong { found: 0x7fff_ffff, most: 65536 })));
    assert_eq!(process.stop().unwrap().ending, Ending::Stopped);

    // A whole frame, then half of one.
    let mut process = launch("import os\nos.write(3, b'\\x02\\0\\0\\0ab' + b'\\x09\\0\\0\\0half')\n", &channel());
    assert_eq!(process.receive().unwrap(), b"ab");
    assert!(matches!(process.receive(), Err(ChannelError::Ended)));
    assert!(matches!(process.receive(), Err(ChannelError::Ended)));
    assert_eq!(process.finish().unwrap().ending, Ending::Exited(0));

    let mut process = launch("pass", &Launch::default());
    assert!(matches!(process.receive(), Err(ChannelError::None)));
    assert!(matches!(process.send(b"x"), Err(ChannelError::None)));
}

fn a_silent_program_does_not_hang_the_channel() {
    let slot = sandbox().slot();
    let program = slot.build(&Source::single(Python, "import time\ntime.sleep(60)\n"), &Limits::compile()).unwrap();
    let limits = Limits { seconds: 1.0, ..Limits::default() };
    let mut process = slot.launch(&program, &channel(), &limits).unwrap();
    let begun = Instant::now();
    assert!(matches!(process.receive_within(0.1), Err(ChannelError::Late { .. })));
    assert!(begun.elapsed() < Duration::from_millis(900));
    // More than fits the socket: the program never reads.
    let error = process.send(&vec![0; 8 << 20]).unwrap_err();
    assert!(matches!(error, ChannelError::Ended), "{error}");
    assert!(matches!(process.receive(), Err(ChannelError::Ended)));
    assert_eq!(process.finish().unwrap().ending, Ending::TimeLimit);
}

fn files_and_arguments_reach_the_program() {
    let source = Source {
        language: Python,
        files: vec![
            SourceFile {
                path: "main.py".to_owned(),
                text: "import sys\nfrom lib.part import f\nprint(f(sys.argv[1]), open('data/in.txt').read())\n".to_owned(),
            },
            SourceFile { path: "lib/part.py".to_owned(), text: "def f(x): return x * 2\n".to_owned() },
        ],
        main: "main.py".to_owned(),
    };
    let slot = sandbox().slot();
    let program = slot.build(&source, &Limits::compile()).unwrap();
    let options = Launch {
        arguments: vec!["é x".to_owned()],
        files: vec![SourceFile { path: "data/in.txt".to_owned(), text: "content".to_owned() }],
        ..Launch::default()
    };
    let finished = slot.launch(&program, &options, &Limits::default()).unwrap().finish().unwrap();
    assert_eq!(String::from_utf8_lossy(&finished.stdout), "é xé x content\n", "{}", String::from_utf8_lossy(&finished.stderr));
}

fn two_processes_of_one_slot_run_at_the_same_time() {
    let slot = sandbox().slot();
    let program = slot.build(&Source::single(Python, ECHO), &Limits::compile()).unwrap();
    let mut first = slot.launch(&program, &channel(), &Limits::default()).unwrap();
    let mut second = slot.launch(&program, &channel(), &Limits::default()).unwrap();
    for _ in 0..3 {
        first.send(b"ab").unwrap();
        second.send(b"cd").unwrap();
        assert_eq!((first.receive().unwrap(), second.receive().unwrap()), (b"ba".to_vec(), b"dc".to_vec()));
    }
    assert_eq!(first.finish().unwrap().ending, Ending::Exited(7));
    assert_eq!(second.finish().unwrap().ending, Ending::Exited(7));
}

fn signals_are_reported() {
    for (text, ending, shown) in [
        ("#include <stdlib.h>\nint main(void) { abort(); }", Ending::Signaled(6), "signal SIGABRT"),
        ("int main(void) { return *(volatile int *)0; }", Ending::Signaled(11), "signal SIGSEGV"),
        ("int main(int n, char **a) { volatile int zero = n - 1; return 100 / zero; }", Ending::Signaled(8), "signal SIGFPE"),
        (
            "int f(int n) { volatile char x[1000]; x[0] = n; return f(n + 1) + x[0]; }\nint main(void) { return f(0); }",
            Ending::Signaled(11),
            "signal SIGSEGV",
        ),
    ] {
        let finished = run_with(C, text, b"", &Limits::default());
        assert_eq!((&finished.ending, finished.ending.to_string().as_str()), (&ending, shown), "{text}");
    }
}

fn compile_errors_carry_the_words_of_the_compiler() {
    match sandbox().slot().build(&Source::single(C, "int main(void) { return missing; }"), &Limits::compile()) {
        Err(BuildError::Compile(finished)) => {
            let text = String::from_utf8_lossy(&finished.stderr).into_owned();
            assert_eq!(finished.ending, Ending::Exited(1));
            assert!(text.contains("missing") && text.contains("undeclared"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

fn java_classes_in_several_files_are_found() {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let source = Source {
        language: Java,
        files: vec![
            file("Main.java", "public class Start { public static void main(String[] a) { System.out.println(Other.f()); } }"),
            file("Other.java", "class Other { static int f() { return 5; } }"),
        ],
        main: "Main.java".to_owned(),
    };
    let slot = sandbox().slot();
    let program = slot.build(&source, &Limits::compile()).unwrap();
    let finished = slot.run(&program, b"", &Limits::default()).unwrap();
    assert_eq!(String::from_utf8_lossy(&finished.stdout), "5\n", "{finished:?}");
}

fn threads_and_subprocesses_work() {
    let text = "\
import concurrent.futures, multiprocessing, subprocess, tempfile
print(subprocess.run(['/bin/echo', 'child'], capture_output=True, text=True).stdout.strip())
with concurrent.futures.ThreadPoolExecutor(4) as pool: print(sum(pool.map(lambda x: x * x, range(10))))
with multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, -2]))
print(len(tempfile.mkdtemp()) > 0)
";
    let finished = run_with(Python, text, b"", &Limits::default());
    let (out, err) = (String::from_utf8_lossy(&finished.stdout), String::from_utf8_lossy(&finished.stderr));
    assert_eq!((&finished.ending, &*out), (&Ending::Exited(0), "child\n285\n[1, 2]\nTrue\n"), "{err}");
}

fn bad_limits_and_paths_are_refused() {
    let slot = sandbox().slot();
    let bash = Source::single(Bash, "true");
    let program = slot.build(&bash, &Limits::compile()).unwrap();
    let error = slot.run(&program, b"", &Limits { seconds: f64::NAN, ..Limits::default() }).unwrap_err();
    assert_eq!(error.to_string(), "seconds: expected more than 0 and at most 31536000, found NaN");
    let mut outside = bash.clone();
    outside.files.push(SourceFile { path: "../x".to_owned(), text: String::new() });
    assert!(matches!(slot.build(&outside, &Limits::compile()), Err(BuildError::Sandbox(SandboxError::Invalid(_)))));
    let options = Launch { files: vec![SourceFile { path: "/etc/x".to_owned(), text: String::new() }], ..Launch::default() };
    assert!(matches!(slot.launch(&program, &options, &Limits::default()), Err(SandboxError::Invalid(_))));
}

fn slots_are_given_back() {
    let sandbox = Sandbox::start(config()).unwrap();
    let slot = sandbox.slot();
    let taken = std::thread::scope(|scope| {
        let other = scope.spawn(|| drop(sandbox.slot()));
        std::thread::sleep(Duration::from_millis(50));
        let taken = !other.is_finished();
        drop(slot);
        taken
    });
    assert!(taken, "the only slot was given to two");
}

fn a_killed_launcher_is_replaced() {
    let outside = leftovers::descendants();
    let sandbox = Sandbox::start(config()).unwrap();
    let program = sandbox.slot().build(&Source::single(Bash, "echo served"), &Limits::compile()).unwrap();
    let new = || leftovers::descendants().difference(&outside).copied().collect::<Vec<_>>();
    // The supervisor of the build may not be gone yet.
    let begun = Instant::now();
    while new().len() > 1 && begun.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let launchers = new();
    assert_eq!(launchers.len(), 1);
    assert!(Command::new("kill").args(["-9", &launchers[0].to_string()]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(50));
    let finished = sandbox.slot().run(&program, b"", &Limits::default()).unwrap();
    assert_eq!(finished.stdout, b"served\n");
}

/// What `a_killed_trainer_leaves_nothing_behind` kills.
pub(crate) fn victim() -> ! {
    let sandbox = Sandbox::start(config()).unwrap();
    let slot = sandbox.slot();
    let program = slot.build(&Source::single(Bash, "sleep 300 & sleep 300 & echo; sleep 300"), &Limits::compile()).unwrap();
    let process = slot.launch(&program, &Launch::default(), &Limits { seconds: 300.0, ..Limits::default() });
    println!("running");
    drop(process.unwrap().finish());
    std::process::exit(1)
}

fn a_killed_trainer_leaves_nothing_behind() {
    let before = leftovers::Machine::look();
    let mut victim = Command::new(std::env::current_exe().unwrap()).arg(VICTIM_ARGUMENT).stdout(Stdio::piped()).spawn().unwrap();
    let pid = victim.id();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(victim.stdout.take().unwrap()));
    assert!(lines.map_while(Result::ok).any(|line| line == "running"));
    // Launcher, supervisor, init, the program, and its children.
    let family = || leftovers::descendants().difference(&before.processes).copied().collect::<Vec<u32>>();
    let begun = Instant::now();
    while family().len() < 7 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", family());
        std::thread::sleep(Duration::from_millis(20));
    }
    let family = family();
    victim.kill().unwrap();
    victim.wait().unwrap();
    let begun = Instant::now();
    let alive = |pid: &u32| std::path::Path::new(&format!("/proc/{pid}")).exists();
    while family.iter().any(alive) {
        assert!(begun.elapsed() < Duration::from_secs(3), "still there: {:?}", family.iter().filter(|pid| alive(pid)).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(10));
    }
    // Empty groups are removed by the next start.
    drop(Sandbox::start(config()).unwrap());
    assert_eq!(leftovers::groups_of(pid), Default::default());
}

fn a_missing_layer_of_the_minimum_is_refused_by_name() {
    for layer in [Layer::Seccomp, Layer::Landlock, Layer::CgroupMemory, Layer::NetworkNamespace] {
        let accepted: Vec<Layer> = config().allow.into_iter().filter(|&other| other != layer).collect();
        let without = SandboxConfig { without: vec![layer], allow: accepted, ..config() };
        let error = Sandbox::start(without.clone()).unwrap_err();
        assert!(
            matches!(&error, SandboxError::BelowMinimum { missing } if missing.iter().any(|(missing, _)| *missing == layer)),
            "{error}"
        );
        assert!(error.to_string().contains(layer.name()), "{error}");
        let allowed = Sandbox::start(SandboxConfig { allow: [config().allow, vec![layer]].concat(), ..without }).unwrap();
        assert!(!allowed.layers().in_force(layer));
        assert!(allowed.layers().layers.iter().any(|report| report.layer == layer && matches!(report.status, LayerStatus::Missing { .. })));
    }
    // Not part of the minimum.
    Sandbox::start(SandboxConfig { without: vec![Layer::CgroupPids, Layer::CgroupCpu], ..config() }).unwrap();
}

fn namespaces_cannot_be_waived() {
    for layer in [Layer::UserNamespace, Layer::MountNamespace, Layer::PidNamespace] {
        let error = Sandbox::start(SandboxConfig { allow: vec![layer], ..config() }).unwrap_err();
        assert!(matches!(error, SandboxError::CannotWaive { layer: refused } if refused == layer), "{error}");
    }
}

fn the_doctor_tries_attacks_and_names_what_is_missing() {
    let has_memory_group = sandbox().layers().in_force(Layer::CgroupMemory);
    let report = doctor(config()).unwrap();
    assert_eq!(report.is_healthy(), has_memory_group, "{report}");
    assert_eq!((report.attacks.len(), report.toolchains.len()), (10, 11));
    println!("{report}");
    // Below the minimum: nothing is tried, the reason stands there.
    let report = doctor(SandboxConfig { without: vec![Layer::Seccomp], ..config() }).unwrap();
    assert!(!report.starts);
    assert!(!report.is_healthy() && report.attacks.is_empty());
    assert!(
        report.to_string().contains("The sandbox does not start: the sandbox is below its minimum on this machine:\n  seccomp"),
        "{report}"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["starts"], &json["layers"]["layers"][6]["status"]), (&false.into(), &"missing".into()));
    // Without the memory control group, a bomb over several processes is not held, and that is said.
    let groups = vec![Layer::CgroupMemory];
    let report = doctor(SandboxConfig { allow: [config().allow, groups.clone()].concat(), without: groups, ..config() }).unwrap();
    let open: Vec<_> = report.attacks.iter().filter(|attack| !attack.held).map(|attack| attack.attack).collect();
    assert_eq!(open, ["memory bomb in several processes"], "{report}");
}

fn a_program_that_is_no_launcher_is_refused() {
    for (program, arguments) in [("/bin/true", vec![]), ("/bin/cat", vec![]), ("/no/such/program", vec!["x"])] {
        let error = Sandbox::start(SandboxConfig::new(program, arguments)).unwrap_err();
        assert!(matches!(error, SandboxError::Launcher { .. }), "{program}: {error}");
        assert!(error.to_string().contains(program), "{error}");
    }
}

/// A sandbox as on a machine where no control group can be made.
fn without_control_groups() {
    let groups = vec![Layer::CgroupPids, Layer::CgroupMemory, Layer::CgroupCpu];
    let sandbox = Sandbox::start(SandboxConfig { allow: [config().allow, groups.clone()].concat(), without: groups, ..config() }).unwrap();
    let limits = Limits { seconds: 2.0, cpu_seconds: 1.0, mebibytes: 64, processes: 16, ..Limits::default() };
    let run = |text: &str| {
        let slot = sandbox.slot();
        let program = slot.build(&Source::single(C, text), &Limits::compile()).unwrap();
        slot.run(&program, b"", &limits).unwrap()
    };
    // Each child is counted where the job's user namespace counts (Linux 5.14).
    let forks = run(
        "#include <stdio.h>\n#include <unistd.h>\nint main(void) { int n = 0; for (; n < 1000; n++) { int p = fork(); if (p < 0) break; if (!p) { sleep(9); _exit(0); } } printf(\"%d\\n\", n); return 0; }",
    );
    let n_children: u32 = String::from_utf8_lossy(&forks.stdout).trim().parse().unwrap();
    assert!((8..=16).contains(&n_children), "{n_children}");
    let memory = run(
        "#include <stdlib.h>\n#include <string.h>\nint main(void) { for (;;) { char *p = malloc(1 << 20); if (!p) return 1; memset(p, 1, 1 << 20); } }",
    );
    assert_eq!(memory.ending, Ending::MemoryLimit, "{memory:?}");
    assert_eq!(run("int main(void) { for (;;); }").ending, Ending::TimeLimit);
}

/// Without seccomp, sockets can be made but lead nowhere; without Landlock, files are still read-only.
fn each_inner_layer_holds_without_the_other() {
    let text = "#include <arpa/inet.h>\n#include <fcntl.h>\n#include <stdio.h>\n#include <sched.h>\n#define _GNU_SOURCE\n#include <sys/ptrace.h>\n#include <sys/socket.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n\
        int main(void) {\n\
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(80) }; inet_pton(AF_INET, \"192.0.2.1\", &a.sin_addr);\n\
        int s = socket(AF_INET, SOCK_STREAM, 0);\n\
        int connected = s >= 0 && connect(s, (struct sockaddr *)&a, sizeof a) == 0;\n\
        int wrote = open(\"/usr/x\", O_CREAT | O_WRONLY, 0600) >= 0 || open(\"/box/x\", O_CREAT | O_WRONLY, 0600) >= 0;\n\
        int traced = TRACE;\n\
        puts(connected || wrote || traced ? \"out\" : \"held\"); return 0; }";
    // Tried where seccomp would only stop the program.
    let traced = "ptrace(PTRACE_ATTACH, 1, 0, 0) == 0 || syscall(SYS_unshare, 0x10000000) == 0";
    for (layer, text) in [(Layer::Seccomp, text.replace("TRACE", traced)), (Layer::Landlock, text.replace("TRACE", "0"))] {
        let sandbox =
            Sandbox::start(SandboxConfig { allow: [config().allow, vec![layer]].concat(), without: vec![layer], ..config() }).unwrap();
        let slot = sandbox.slot();
        let program = slot.build(&Source::single(C, text), &Limits::compile()).unwrap();
        let finished = slot.run(&program, b"", &Limits::default()).unwrap();
        assert_eq!(String::from_utf8_lossy(&finished.stdout), "held\n", "without {layer}: {finished:?}");
    }
}
