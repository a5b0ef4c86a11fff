//! Rules about Markdown files: what they point to exists.

use std::collections::BTreeSet;

/// Underscores of a name that can only be that of a test: shorter ones may be keys, fields or functions of other programs.
const TEST_NAME_UNDERSCORES: usize = 4;

/// Findings of one Markdown file. `files` are all files and `code` the text of all Rust files of the workspace.
pub(super) fn check(path: &str, text: &str, files: &BTreeSet<String>, code: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for target in links(text) {
        let resolved = resolve(path, target);
        let is_folder = || files.range(format!("{resolved}/")..).next().is_some_and(|file| file.starts_with(&format!("{resolved}/")));
        if !files.contains(&resolved) && !is_folder() {
            findings.push(format!("links to {target}, which does not exist"));
        }
    }
    for name in test_names(text) {
        if !code.contains(&format!("fn {name}(")) {
            findings.push(format!("names the test {name}, which does not exist"));
        }
    }
    findings
}

/// Relative targets of `[text](target)`, without anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let targets = targets.filter(|target| !target.contains("://")).filter_map(|target| target.split('#').next());
    targets.filter(|target| !target.is_empty())
}

/// The path from the root of what a file at `path` calls `target`.
fn resolve(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Names in backticks that are long enough to be those of tests.
fn test_names(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |name: &&str| name.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit());
    let spans = text.split('`').skip(1).step_by(2);
    spans.filter(is_name).filter(|name| name.matches('_').count() >= TEST_NAME_UNDERSCORES)
}
