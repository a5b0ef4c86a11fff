//! Drives the sandbox from outside. This program is its own launcher: the tests must not run before `main` has looked at its
//! arguments, so they are collected by hand.

mod languages;
mod support;
mod throughput;

use libtest_mimic::{Arguments, Trial};

fn main() {
    if std::env::args().nth(1).as_deref() == Some(support::LAUNCHER_ARGUMENT) {
        std::process::exit(ruminate_sandbox::serve_launcher());
    }
    let mut arguments = Arguments::from_args();
    // Each test has several processes, and some measure time.
    arguments.test_threads.get_or_insert(2);
    let tests: Vec<Trial> = [languages::tests(), throughput::tests()].into_iter().flatten().collect();
    libtest_mimic::run(&arguments, tests).exit();
}
