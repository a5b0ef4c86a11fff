//! What stands beside a program so that its functions can be called: one driver for each language.
//!
//! Drivers run in the program's process and are not trusted; those of tests run in a process without any text of the program.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ruminate_core::CodeTask;
use ruminate_sandbox::{Language, Source, SourceFile};

const GO_DRIVER: &str = include_str!("drivers/go/driver.go");

/// Whether functions of a program in this language can be called with JSON arguments.
///
/// # Errors
/// Why not, by name.
pub(super) fn calls(language: Language) -> Result<(), String> {
    match language {
        Language::Python
        | Language::JavaScript
        | Language::TypeScript
        | Language::Cpp
        | Language::Java
        | Language::Go
        | Language::Php
        | Language::Bash => Ok(()),
        Language::C | Language::Rust | Language::CSharp => {
            Err(format!("functions cannot be called in {language}: write the test with `stdin` and `stdout`"))
        }
    }
}

/// Whether assertion texts can be run against a program in this language.
///
/// # Errors
/// Why not, by name.
pub(super) fn asserts(language: Language, _task: &CodeTask) -> Result<(), String> {
    match language {
        Language::Python | Language::JavaScript | Language::TypeScript => Ok(()),
        _ => Err(format!(
            "assertions cannot be kept apart from a program in {language}, which could pass them by ending the process: write the test with `call` or with `stdin` and `stdout`"
        )),
    }
}

/// A program that reads and writes.
pub(super) fn whole_program(language: Language, text: &str) -> Source {
    match language {
        Language::Go => Source::single(language, go_text(text)),
        Language::Php => Source::single(language, php_text(text)),
        _ => Source::single(language, text),
    }
}

/// A program whose functions are called over the channel, and what its command line is.
pub(super) fn served_program(language: Language, text: &str, names: &BTreeSet<&str>) -> (Source, Vec<String>) {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let mut arguments = Vec::new();
    let source = match language {
        Language::Python => {
            let files = vec![file("main.py", include_str!("drivers/python/program.py")), file("program_text.py", text)];
            source(language, "main.py", files)
        }
        Language::JavaScript => {
            let files = vec![
                file("main.js", include_str!("drivers/javascript/program.js")),
                file("program_text.js", text),
                // The same text once more: which of the two kinds of module it is, shows when it is read.
                file("program_text.mjs", text),
            ];
            source(language, "main.js", files)
        }
        Language::TypeScript => {
            // The reference makes the compiler read the program; the export makes a module of the driver, so that their names do not meet.
            let head = "/// <reference path=\"./program_text.ts\" />\n// @ts-nocheck\nexport {};\n";
            let driver = format!("{head}{}", include_str!("drivers/javascript/program.js"));
            source(language, "main.ts", vec![file("main.ts", &driver), file("program_text.ts", text)])
        }
        Language::Cpp => {
            let files = vec![
                file("main.cpp", &cpp_table(text, names)),
                file("ruminate.hpp", include_str!("drivers/cpp/ruminate.hpp")),
                file("program_text.inc", text),
            ];
            source(language, "main.cpp", files)
        }
        Language::Java => {
            arguments = java_classes(text);
            let files = vec![
                file("RuminateDriver.java", include_str!("drivers/java/RuminateDriver.java")),
                file(&format!("{}.java", java_public_class(text).unwrap_or_else(|| "Program".to_owned())), text),
            ];
            source(language, "RuminateDriver.java", files)
        }
        Language::Go => source(language, "main.go", vec![file("main.go", &go_served(text, names))]),
        Language::Php => {
            let files = vec![file("main.php", include_str!("drivers/php/driver.php")), file("program_text.php", &php_text(text))];
            source(language, "main.php", files)
        }
        Language::Bash => {
            let files = vec![file("main.sh", include_str!("drivers/bash/driver.sh")), file("program_text.sh", text)];
            source(language, "main.sh", files)
        }
        Language::C | Language::Rust | Language::CSharp => whole_program(language, text),
    };
    (source, arguments)
}

/// The trusted process that runs assertion texts of a language.
pub(super) fn test_runner(language: Language) -> Source {
    match language {
        Language::JavaScript | Language::TypeScript => {
            source(Language::JavaScript, "main.js", vec![("main.js".to_owned(), include_str!("drivers/javascript/tests.js").to_owned())])
        }
        _ => source(Language::Python, "main.py", vec![("main.py".to_owned(), include_str!("drivers/python/tests.py").to_owned())]),
    }
}

fn source(language: Language, main: &str, files: Vec<(String, String)>) -> Source {
    let files = files.into_iter().map(|(path, text)| SourceFile { path, text }).collect();
    Source { language, files, main: main.to_owned() }
}

/// `main.cpp`: the program's text, and a table of the functions that the tests call.
fn cpp_table(text: &str, names: &BTreeSet<&str>) -> String {
    let scope = if text.contains("class Solution") || text.contains("struct Solution") { "&Solution::" } else { "" };
    let mut table = "#include \"ruminate.hpp\"\n#define main program_main\n#include \"program_text.inc\"\n#undef main\nint main() {\n    ruminate::run({\n".to_owned();
    for name in names {
        let _ = writeln!(table, "        {{\"{name}\", ruminate::serve({scope}{name})}},");
    }
    table + "    });\n}\n"
}

/// A Go program with the driver in the same file: imports of the driver first, its functions and the table last. It serves before `main`, so that a
/// program that has one keeps it and never gets there.
fn go_served(text: &str, names: &BTreeSet<&str>) -> String {
    let text = go_text(text);
    let (imports, driver) = GO_DRIVER.split_once("\n)\n").unwrap_or_default();
    let imports = imports.split_once("import (").map_or("", |(_, imports)| imports);
    let package_end = text.lines().take_while(|line| !line.starts_with("package ")).map(|line| line.len() + 1).sum::<usize>();
    let after_package = text[package_end..].find('\n').map_or(text.len(), |at| package_end + at);
    let mut served = format!(
        "{}\nimport ({imports}\n)\n{}\n{driver}\nfunc init() {{\n\truminateServe(map[string]interface{{}}{{\n",
        &text[..after_package],
        &text[after_package..]
    );
    for name in names {
        let _ = writeln!(served, "\t\t\"{name}\": {name},");
    }
    let has_main =
        text.lines().any(|line| line.trim_start().strip_prefix("func main").is_some_and(|rest| rest.trim_start().starts_with('(')));
    served + "\t})\n}\n" + if has_main { "" } else { "\nfunc main() {}\n" }
}

/// Go wants a package clause, which problem sets leave out.
fn go_text(text: &str) -> String {
    let has_package = text.lines().any(|line| line.starts_with("package "));
    if has_package { text.to_owned() } else { format!("package main\n\n{text}") }
}

fn php_text(text: &str) -> String {
    if text.contains("<?php") { text.to_owned() } else { format!("<?php\n{text}") }
}

/// The public class of a file, after which the file must be named.
fn java_public_class(text: &str) -> Option<String> {
    words_after(text, &["public", "class"]).or_else(|| words_after(text, &["public", "final", "class"]))
}

fn words_after(text: &str, pattern: &[&str]) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.windows(pattern.len() + 1).find(|window| window[..pattern.len()] == *pattern)?;
    Some(identifier(at[pattern.len()])).filter(|name| !name.is_empty())
}

/// Names that follow the word `class`, `Solution` first.
fn java_classes(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| matches!(pair[0], "class" | "record" | "enum" | "interface"));
    let mut names: Vec<String> = pairs.map(|pair| identifier(pair[1])).filter(|name| !name.is_empty()).collect();
    names.sort_by_key(|name| name != "Solution");
    names
}

fn identifier(word: &str) -> String {
    word.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '$')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_java_are_found() {
        for (text, name) in [
            ("public class Main { }", Some("Main")),
            ("import java.util.*;\n\npublic class A{\n}", Some("A")),
            ("class B { } public final class C<T> { }", Some("C")),
            ("class Solution { int f() { return 1; } }", None),
            ("", None),
        ] {
            assert_eq!(java_public_class(text).as_deref(), name, "{text}");
        }
        assert_eq!(java_classes("class A { } enum B { X } class Solution{ }"), ["Solution", "A", "B"]);
    }

    #[test]
    fn go_programs_keep_their_package_imports_and_main() {
        let names = BTreeSet::from(["F"]);
        let served = go_served("import \"math\"\nfunc F() {}", &names);
        let places = ["package main", "ruminateJson", "import \"math\"", "func F()", "func ruminateServe", "\"F\": F,", "func main() {}"];
        let at: Vec<usize> = places.iter().map(|place| served.find(place).expect(place)).collect();
        assert!(at.is_sorted(), "{at:?}");
        assert_eq!(served.matches("package main").count(), 1);
        assert_eq!(go_served("// a\npackage main\nfunc main() {}\n", &names).matches("func main").count(), 1);
        assert!(go_served("package main", &names).starts_with("package main\nimport ("));
    }
}
