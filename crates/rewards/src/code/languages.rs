//! What stands beside a program so that its functions can be called: one driver for each language.
//!
//! Drivers run in the program's process and are not trusted; those of tests run in a process without any text of the program.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ruminate_core::CodeTask;
use ruminate_sandbox::{Language, Source, SourceFile};

/// Whether functions of a program in this language can be called with JSON arguments.
///
/// # Errors
/// Why not, by name.
pub(super) fn calls(language: Language) -> Result<(), String> {
    match language {
        Language::Python | Language::JavaScript | Language::TypeScript | Language::Cpp | Language::Java | Language::Go | Language::Php | Language::Bash => {
            Ok(())
        }
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
    let name = match language {
        Language::Java => format!("{}.java", java_main_class(text)),
        Language::Python => "main.py".to_owned(),
        Language::Cpp => "main.cpp".to_owned(),
        Language::C => "main.c".to_owned(),
        Language::Rust => "main.rs".to_owned(),
        Language::JavaScript => "main.js".to_owned(),
        Language::TypeScript => "main.ts".to_owned(),
        Language::Bash => "main.sh".to_owned(),
        Language::Go => "main.go".to_owned(),
        Language::Php => "main.php".to_owned(),
        Language::CSharp => "main.cs".to_owned(),
    };
    let text = match language {
        Language::Go => go_text(text),
        Language::Php => php_text(text),
        _ => text.to_owned(),
    };
    source(language, &name, vec![(name.clone(), text)])
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
            let driver = format!("// @ts-nocheck\n{}", include_str!("drivers/javascript/program.js"));
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
                file(&format!("{}.java", java_main_class(text)), text),
            ];
            source(language, "RuminateDriver.java", files)
        }
        Language::Go => {
            let files = vec![
                file("main.go", &go_table(text, names)),
                file("driver.go", include_str!("drivers/go/driver.go")),
                file("program_text.go", &go_text(text)),
            ];
            source(language, "main.go", files)
        }
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

/// `main.go`: the table of functions. A program that has a `main` keeps it and never gets there.
fn go_table(text: &str, names: &BTreeSet<&str>) -> String {
    let mut table = "package main\n\nfunc init() {\n\truminateServe(map[string]interface{}{\n".to_owned();
    for name in names {
        let _ = writeln!(table, "\t\t\"{name}\": {name},");
    }
    let has_main = text.lines().any(|line| line.trim_start().strip_prefix("func main").is_some_and(|rest| rest.trim_start().starts_with('(')));
    table + "\t})\n}\n" + if has_main { "" } else { "\nfunc main() {}\n" }
}

/// Go wants a package clause, which problem sets leave out.
fn go_text(text: &str) -> String {
    let has_package = text.lines().any(|line| line.starts_with("package "));
    if has_package { text.to_owned() } else { format!("package main\n\n{text}") }
}

fn php_text(text: &str) -> String {
    if text.contains("<?php") { text.to_owned() } else { format!("<?php\n{text}") }
}

/// The class that the file is named after: the public one, or else that with `main`, or else the first.
fn java_main_class(text: &str) -> String {
    let public = words_after(text, &["public", "class"]).or_else(|| words_after(text, &["public", "final", "class"]));
    let with_main = || text.split_once("static void main").and_then(|(before, _)| java_classes(before).pop());
    public.or_else(with_main).or_else(|| java_classes(text).into_iter().next()).unwrap_or_else(|| "Main".to_owned())
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
    fn java_files_are_named_after_their_class() {
        for (text, name) in [
            ("public class Main { }", "Main"),
            ("import java.util.*;\n\npublic class A{\n}", "A"),
            ("class Helper { }\nclass Run { public static void main(String[] a) { } }", "Run"),
            ("class Solution { int f() { return 1; } }", "Solution"),
            ("class B { } public final class C<T> { }", "C"),
            ("", "Main"),
        ] {
            assert_eq!(java_main_class(text), name, "{text}");
        }
        assert_eq!(java_classes("class A { } enum B { X } class Solution{ }"), ["Solution", "A", "B"]);
    }

    #[test]
    fn go_programs_keep_their_own_main() {
        let names = BTreeSet::from(["F"]);
        assert!(go_table("func F() {}", &names).ends_with("\nfunc main() {}\n"));
        assert!(!go_table("func F() {}\nfunc main() {}", &names).contains("func main"));
        assert_eq!(go_text("// a\npackage main\n"), "// a\npackage main\n");
        assert_eq!(go_text("func F() {}"), "package main\n\nfunc F() {}");
    }
}
