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
/// A compiled test knows the program's function by the task's declaration alone, since both must not be in one process.
///
/// # Errors
/// Why not, by name.
pub(super) fn asserts(language: Language, task: &CodeTask) -> Result<(), String> {
    match language {
        Language::Python | Language::JavaScript | Language::TypeScript => Ok(()),
        Language::Cpp | Language::Java => {
            let wanted = "assertions in a compiled language need `declaration`, the head of the function up to its opening brace";
            let declaration = task.declaration.as_deref().ok_or(wanted)?;
            Signature::parse(declaration).map(drop).ok_or_else(|| format!("{wanted}; found {declaration:?}"))
        }
        _ => Err(format!(
            "assertions cannot be kept apart from a program in {language}, which could pass them by ending the process: write the test with `call` or with `stdin` and `stdout`"
        )),
    }
}

/// Name and parameters of a declared function.
#[derive(Debug, PartialEq)]
struct Signature<'a> {
    name: &'a str,
    parameters: Vec<&'a str>,
}

impl<'a> Signature<'a> {
    /// Reads the last head of a function in a text that ends in an opening brace.
    fn parse(declaration: &'a str) -> Option<Self> {
        let head = declaration.trim_end().strip_suffix('{')?;
        let close = head.rfind(')')?;
        let mut depth = 0_u32;
        let open = head[..=close].char_indices().rev().find(|&(_, c)| {
            depth = match c {
                ')' => depth + 1,
                '(' => depth - 1,
                _ => depth,
            };
            depth == 0
        })?;
        let parameters = split_parameters(&head[open.0 + 1..close]).into_iter().map(parameter_name).collect::<Option<_>>()?;
        Some(Self { name: last_identifier(&head[..open.0])?, parameters })
    }
}

/// Parts between the commas that stand in no bracket.
fn split_parameters(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' | ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The name of a parameter, which stands before its default value.
fn parameter_name(text: &str) -> Option<&str> {
    last_identifier(text.split('=').next()?)
}

/// The name at the end of a text, before the brackets of an array.
fn last_identifier(text: &str) -> Option<&str> {
    let text = text.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '[' | ']'));
    let start = text.char_indices().rev().take_while(|&(_, c)| c.is_alphanumeric() || matches!(c, '_' | '$')).last()?.0;
    Some(&text[start..])
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

/// Whether a test is compiled by itself, so that each has a process of its own.
pub(super) fn compiles_tests(language: Language) -> bool {
    matches!(language, Language::Cpp | Language::Java)
}

/// The function that compiled tests call; scripts ask for names as they go.
pub(super) fn declared_name(task: &CodeTask) -> Option<&str> {
    Signature::parse(task.declaration.as_deref()?).map(|signature| signature.name)
}

/// The trusted process that runs assertion texts, and what its command line is. The text of a compiled test is part of it.
pub(super) fn test_runner(language: Language, task: &CodeTask, test: &str) -> (Source, Vec<String>) {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    match language {
        Language::JavaScript | Language::TypeScript => {
            (source(Language::JavaScript, "main.js", vec![file("main.js", include_str!("drivers/javascript/tests.js"))]), Vec::new())
        }
        Language::Cpp => {
            let files = vec![
                file("main.cpp", &cpp_test(task, test)),
                file("ruminate.hpp", include_str!("drivers/cpp/ruminate.hpp")),
                file("ruminate_tests.hpp", include_str!("drivers/cpp/ruminate_tests.hpp")),
            ];
            (source(language, "main.cpp", files), Vec::new())
        }
        Language::Java => {
            let text = java_test(task, test);
            let name = java_public_class(&text).unwrap_or_else(|| "Main".to_owned());
            let files = vec![
                file("RuminateTests.java", include_str!("drivers/java/RuminateTests.java")),
                file("RuminateDriver.java", include_str!("drivers/java/RuminateDriver.java")),
                file(&format!("{name}.java"), &text),
            ];
            (source(language, "RuminateTests.java", files), vec![name])
        }
        _ => (source(Language::Python, "main.py", vec![file("main.py", include_str!("drivers/python/tests.py"))]), Vec::new()),
    }
}

/// Setup, the stand-in for the program's function, and the test, whose last function is `main` and is called by the driver.
fn cpp_test(task: &CodeTask, test: &str) -> String {
    let (setup, declaration) = (task.setup.as_deref().unwrap_or_default(), task.declaration.as_deref().unwrap_or_default());
    let Some(Signature { name, parameters }) = Signature::parse(declaration) else { return String::new() };
    let list = parameters.join(", ");
    // Only a function that is really called `main` may end without a value.
    let test = test.trim_end().strip_suffix('}').map_or_else(|| test.to_owned(), |body| format!("{body}\nreturn 0;\n}}"));
    let arguments: String = parameters.iter().map(|parameter| format!(", {parameter}")).collect();
    format!(
        "#include \"ruminate_tests.hpp\"\n{setup}\n{declaration}\n    return ruminate::call<decltype({name}({list}))>(\"{name}\"{arguments});\n}}\n\
         #define main ruminate_test\n{test}\n#undef main\nint main() {{ return ruminate::run_test([] {{ return ruminate_test(); }}); }}\n"
    )
}

/// The stand-in for the program's class, setup, and the test, whose `main` is called by the driver.
fn java_test(task: &CodeTask, test: &str) -> String {
    let (setup, declaration) = (task.setup.as_deref().unwrap_or_default(), task.declaration.as_deref().unwrap_or_default());
    let Some(Signature { name, parameters }) = Signature::parse(declaration) else { return String::new() };
    let count = |c: char| declaration.matches(c).count();
    let closing = "}".repeat(count('{').saturating_sub(count('}')));
    let owner = java_classes(declaration).into_iter().next().unwrap_or_default();
    let list = parameters.join(", ");
    format!("{declaration}\nreturn RuminateTests.call({owner}.class, \"{name}\", new Object[] {{{list}}});\n{closing}\n{setup}\n{test}\n")
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
    fn signatures_are_read_from_declarations() {
        for (declaration, name, parameters) in [
            ("bool f(vector<float> numbers, float threshold){\n", "f", vec!["numbers", "threshold"]),
            (
                "int helper(int x) { return x; }\nmap<string, int> g(map<string, vector<int>> &m, int a[], string s = \"x\") {",
                "g",
                vec!["m", "a", "s"],
            ),
            ("class Solution {\n public List<Integer> h() {", "h", vec![]),
            ("void k(function<int(int, int)> op, const char *text) {", "k", vec!["op", "text"]),
        ] {
            assert_eq!(Signature::parse(declaration), Some(Signature { name, parameters }), "{declaration}");
        }
        for none in ["", "{", "int x {", "int f(int x)", "f)) {", "(int) {", ") {"] {
            assert_eq!(Signature::parse(none), None, "{none}");
        }
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
