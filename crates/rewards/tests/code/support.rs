//! What the tests share.

use std::sync::OnceLock;

use libtest_mimic::{Failed, Trial};
use ruminate_core::{CodeTask, CodeTest};
use ruminate_rewards::code::{CodeOutcome, CodeVerdict, grade};
use ruminate_sandbox::{Language, Sandbox, SandboxConfig};
use serde_json::{Value, json};

/// Argument that makes the test program a launcher.
pub(crate) const LAUNCHER_ARGUMENT: &str = "--serve-launcher";

/// The sandbox that all tests share.
pub(crate) fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        let config = SandboxConfig::new(std::env::current_exe().unwrap(), [LAUNCHER_ARGUMENT]);
        Sandbox::start(SandboxConfig { slots: 2, ..config }).unwrap()
    })
}

/// A test by name.
pub(crate) fn test(name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, || {
        run();
        Ok::<(), Failed>(())
    })
}

/// A test that needs the toolchain of a language. Without it, it is skipped and says so.
pub(crate) fn test_with(language: Language, name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Trial {
    let name = name.into();
    test(name.clone(), move || match sandbox().toolchain(language) {
        Ok(_) => run(),
        Err(error) => println!("{name}: skipped, {error}"),
    })
}

/// A task from its JSON form.
pub(crate) fn task(fields: Value) -> CodeTask {
    serde_json::from_value(fields).unwrap()
}

/// A Python task of assertions.
pub(crate) fn asserts(texts: &[&str]) -> CodeTask {
    let tests: Vec<CodeTest> = texts.iter().map(|&text| CodeTest::Assert { assert: text.to_owned() }).collect();
    task(json!({"language": "python", "tests": tests, "limits": {"seconds": 3.0}}))
}

pub(crate) fn verdict(task: &CodeTask, program: &str) -> CodeVerdict {
    grade(sandbox(), task, program).unwrap()
}

/// Grades a program and checks the outcome and a part of the reason.
pub(crate) fn check(task: &CodeTask, program: &str, outcome: CodeOutcome, reason: &str) {
    let verdict = verdict(task, program);
    assert_eq!(verdict.verdict, outcome, "{verdict:?}\n{program}");
    assert!(verdict.reason.contains(reason), "expected {reason:?} in the reason of {verdict:?}\n{program}");
}
