//! Drives the sandbox from outside. This program is its own launcher: the tests must not run before `main` has looked at its
//! arguments, so they are collected by hand.

#![expect(clippy::unwrap_used, reason = "these are tests, which clippy cannot see without the usual harness")]

mod attacks;
mod behaviour;
mod languages;
mod leftovers;
mod support;
mod throughput;

use libtest_mimic::{Arguments, Trial};

fn main() {
    if std::env::args().nth(1).as_deref() == Some(support::LAUNCHER_ARGUMENT) {
        std::process::exit(ruminate_sandbox::serve_launcher());
    }
    if std::env::args().nth(1).as_deref() == Some(support::VICTIM_ARGUMENT) {
        behaviour::victim();
    }
    let mut arguments = Arguments::from_args();
    // Each test has several processes, and looks at what it left on the machine.
    arguments.test_threads = Some(1);
    let tests: Vec<Trial> = [languages::tests(), attacks::tests(), behaviour::tests(), throughput::tests()].into_iter().flatten().collect();
    libtest_mimic::run(&arguments, tests).exit();
}
