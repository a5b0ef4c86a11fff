//! How many jobs a second, and what a job costs more than a plain process. Ignored: it takes half a minute and measures the machine.
//! `cargo test -p ruminate-sandbox --test it -- --ignored --nocapture throughput`

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use ruminate_sandbox::{Ending, Language, Limits, Sandbox, SandboxConfig, Source};

use crate::support::{config, test_with};

const TIME: Duration = Duration::from_secs(4);
const PYTHON: &str = "a, b = map(int, input().split())\nprint(a + b)\n";
const C: &str = "#include <stdio.h>\nint main(void) { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\\n\", a + b); return 0; }\n";

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test_with(Language::Python, "throughput::python", || measure(Language::Python, PYTHON)).with_ignored_flag(true),
        test_with(Language::C, "throughput::c", || measure(Language::C, C)).with_ignored_flag(true),
    ]
}

/// Runs `job` on two threads for a while; gives jobs per second.
fn rate(job: impl Fn() + Sync) -> f64 {
    let (begun, count) = (Instant::now(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while begun.elapsed() < TIME {
                    job();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

fn measure(language: Language, text: &str) {
    let sandbox = Sandbox::start(SandboxConfig { slots: 2, ..config() }).unwrap();
    let source = Source::single(language, text);
    let limits = Limits::default();
    let program = sandbox.slot().build(&source, &Limits::compile()).unwrap();
    let check = |stdout: &[u8]| assert_eq!(stdout, b"42\n");
    // In turns, so that another load of the machine hits both.
    let (mut bare, mut inside) = (Vec::new(), Vec::new());
    let path = sandbox.toolchain(language).unwrap().path.clone();
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join(&source.main);
    std::fs::write(&main, text).unwrap();
    let binary = folder.path().join("main");
    if language == Language::C {
        assert!(Command::new(&path).arg("-O2").arg(&main).arg("-o").arg(&binary).status().unwrap().success());
    }
    for _ in 0..2 {
        bare.push(rate(|| {
            let mut command = match language {
                Language::C => Command::new(&binary),
                _ => Command::new(&path),
            };
            if language == Language::Python {
                command.args(["-B", "-s"]).arg(&main);
            }
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(b"20 22\n").unwrap();
            check(&child.wait_with_output().unwrap().stdout);
        }));
        inside.push(rate(|| {
            let finished = sandbox.slot().run(&program, b"20 22\n", &limits).unwrap();
            assert_eq!(finished.ending, Ending::Exited(0));
            check(&finished.stdout);
        }));
    }
    let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len() as f64;
    let (bare, inside) = (mean(&bare), mean(&inside));
    println!("{language}: {bare:.0} plain processes/s, {inside:.0} jobs/s, {:.1} ms more for each job and core", 2e3 / inside - 2e3 / bare);
}
