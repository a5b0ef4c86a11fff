//! Rules about source files and other texts.

/// Longest file. Tests are exempt: their cases are best read together.
const MAX_LINES: usize = 800;

/// Folders at the root of somebody's machine. A path that starts there works on one machine only.
const MACHINE_FOLDERS: [&str; 7] = ["Users", "home", "mnt", "root", "scratch", "tmp", "work"];

/// A name that only some crates may use.
struct Reserved {
    name: &'static str,
    allowed: fn(&str) -> bool,
    reason: &'static str,
}

const RESERVED: [Reserved; 4] = [
    Reserved {
        name: "process::Command",
        allowed: |krate| matches!(krate, "sandbox" | "xtask"),
        reason: "other programs run in the sandbox only",
    },
    Reserved { name: "std::env", allowed: |krate| matches!(krate, "cli" | "xtask"), reason: "only cli reads the environment" },
    Reserved {
        name: "std::fs",
        allowed: |krate| !matches!(krate, "core" | "compute" | "rewards" | "rollout" | "train"),
        reason: "this crate computes and leaves files to others",
    },
    Reserved {
        name: "std::time",
        allowed: |krate| matches!(krate, "cli" | "sandbox" | "xtask"),
        reason: "results must not depend on a clock",
    },
];

/// Findings of one Rust file.
pub(super) fn check_rust(path: &str, text: &str) -> Vec<String> {
    if is_test(path) {
        return Vec::new();
    }
    let mut findings = check_text(path, text);
    let n_lines = text.lines().count();
    if n_lines > MAX_LINES {
        findings.push(format!("expected at most {MAX_LINES} lines, found {n_lines}"));
    }
    let krate = crate_of(path);
    for (line_idx, line) in without_tests(text).lines().enumerate() {
        for reserved in RESERVED.iter().filter(|reserved| !(reserved.allowed)(krate)) {
            if names(line, reserved.name) {
                findings.push(format!("line {}: {} in {krate}: {}", line_idx + 1, reserved.name, reserved.reason));
            }
        }
    }
    findings
}

/// Findings of any text: paths that mean something on one machine only.
pub(super) fn check_text(path: &str, text: &str) -> Vec<String> {
    // This file has to name what it looks for.
    if is_test(path) || path.starts_with("xtask/src/tidy") {
        return Vec::new();
    }
    let is_foreign = |line: &str| line.contains("../shared") || MACHINE_FOLDERS.iter().any(|folder| starts_path(line, folder));
    let lines = without_tests(text).lines().enumerate().filter(|(_, line)| is_foreign(line));
    lines.map(|(line_idx, line)| format!("line {}: a path of one machine: {}", line_idx + 1, line.trim())).collect()
}

/// Whether `/folder/` stands in the line as the start of a path, not inside one.
fn starts_path(line: &str, folder: &str) -> bool {
    let pattern = format!("/{folder}/");
    line.match_indices(&pattern).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '}' | '~')))
    })
}

/// Whether the line uses `module::Item`, alone or out of a group: `module::{Other, Item}`.
fn names(line: &str, name: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    if code.contains(name) {
        return true;
    }
    let Some((module, item)) = name.rsplit_once("::") else { return false };
    let Some((_, group)) = code.split_once(&format!("{module}::{{")) else { return false };
    group.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == item)
}

/// Tests, benches and examples may use what the library must not.
fn is_test(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "examples"))
}

/// The text before the tests at its end.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

fn crate_of(path: &str) -> &str {
    let mut parts = path.split('/');
    match parts.next() {
        Some("crates") => parts.next().unwrap_or_default(),
        Some(first) => first,
        None => "",
    }
}
