//! The code grader with the real sandbox. This program is its own launcher, so tests are collected by hand: they must not run before `main` has
//! looked at its arguments.

#![expect(clippy::unwrap_used, reason = "these are tests, though without the attribute that says so")]

mod attacks;
mod data;
mod forms;
mod languages;
mod support;

use libtest_mimic::{Arguments, Trial};

fn main() {
    if std::env::args().nth(1).as_deref() == Some(support::LAUNCHER_ARGUMENT) {
        std::process::exit(ruminate_sandbox::serve_launcher());
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let tests: Vec<Trial> = [forms::tests(), languages::tests(), attacks::tests(), data::tests()].into_iter().flatten().collect();
    libtest_mimic::run(&arguments, tests).exit();
}
