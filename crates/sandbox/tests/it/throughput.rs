//! How many jobs a second, and what a job costs more than a plain process. Ignored: it takes half a minute and measures the machine.
//! `cargo test -p ruminate-sandbox --test it -- --ignored throughput`

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use ruminate_sandbox::{Ending, Language, Limits, Sandbox, SandboxConfig, Source};

use crate::support::{config, test_with};

const TIME: Duration = Duration::from_secs(6);
const PROGRAMS: [(Language, &str, &str); 2] = [
    (Language::Python, "throughput::python", "a, b = map(int, input().split())\nprint(a + b)\n"),
    (
        Language::C,
        "throughput::c",
        "#include <stdio.h>\nint main(void) { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\\n\", a + b); return 0; }\n",
    ),
];

pub(crate) fn tests() -> Vec<Trial> {
    PROGRAMS.map(|(language, name, text)| test_with(language, name, move || measure(language, text)).with_ignored_flag(true)).into()
}

/// Jobs a second, and processor time of each in milliseconds.
struct Rate {
    per_second: f64,
    cpu_millis: f64,
}

/// Runs `job` on two threads for a while. The state is dropped before the processor time is read: what supervisors used is counted when
/// their launchers have ended.
fn rate<S: Sync>(state: S, job: impl Fn(&S) + Sync) -> Rate {
    let (begun, cpu, count) = (Instant::now(), cpu_seconds(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while begun.elapsed() < TIME {
                    job(&state);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let n_jobs = count.load(Ordering::Relaxed) as f64;
    let per_second = n_jobs / begun.elapsed().as_secs_f64();
    drop(state);
    Rate { per_second, cpu_millis: (cpu_seconds() - cpu) * 1e3 / n_jobs }
}

/// Processor time of this process and of all that it has waited for.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // User and system time, then those of children, in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(4);
    fields.map(|field| field.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

fn measure(language: Language, text: &str) {
    let sandbox = Sandbox::start(SandboxConfig { slots: 2, ..config() }).unwrap();
    // Its compilers are counted too, but there is one among hundreds of jobs.
    let source = Source::single(language, text);
    let program = sandbox.slot().build(&source, &Limits::compile()).unwrap();
    let tools = sandbox.toolchain(language).unwrap().path.clone();
    let folder = tempfile::tempdir().unwrap();
    let (main, binary) = (folder.path().join(&source.main), folder.path().join("main"));
    std::fs::write(&main, text).unwrap();
    if language == Language::C {
        assert!(Command::new(&tools).arg("-O2").arg(&main).arg("-o").arg(&binary).status().unwrap().success());
    }
    let plain = rate((), |()| run_plainly(language, &tools, &main, &binary));
    let limits = Limits::default();
    let inside = rate(sandbox, |sandbox| {
        let finished = sandbox.slot().run(&program, b"20 22\n", &limits).unwrap();
        assert_eq!((finished.ending, finished.stdout.as_slice()), (Ending::Exited(0), b"42\n".as_slice()));
    });
    println!(
        "{language}: plain {:.0}/s at {:.1} ms of processor time, in the sandbox {:.0}/s at {:.1} ms",
        plain.per_second, plain.cpu_millis, inside.per_second, inside.cpu_millis
    );
}

fn run_plainly(language: Language, tools: &Path, main: &Path, binary: &Path) {
    let mut command = match language {
        Language::C => Command::new(binary),
        _ => Command::new(tools),
    };
    if language == Language::Python {
        command.args(["-S", "-s", "-B"]).arg(main);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"20 22\n").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"42\n");
}
