//! How each language is compiled and run.

use std::path::PathBuf;

use crate::java;
use crate::language::Language;
use crate::launcher::{PROGRAM_FOLDER, WORK_FOLDER};
use crate::limits::Limits;
use crate::run::Source;
use crate::toolchain::{PYTHON_ENVIRONMENT, Toolchain};

/// A command in the sandbox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub program: PathBuf,
    pub arguments: Vec<String>,
}

/// What compiling a program takes, besides its files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compilation {
    pub invocation: Invocation,
    /// Files that go into the working folder: path, text.
    pub files: Vec<(&'static str, &'static str)>,
    /// What is run afterwards.
    pub main: String,
}

/// Folder for what a compiler makes.
pub(crate) fn out_folder() -> PathBuf {
    PathBuf::from(WORK_FOLDER).join("out")
}

/// Settings that are the same for every program, so that it does the same on every machine and in every run.
pub(crate) fn environment(language: Language) -> Vec<(String, String)> {
    let mut all = vec![("PATH", "/usr/bin:/bin"), ("HOME", WORK_FOLDER), ("TMPDIR", WORK_FOLDER), ("LANG", "C.UTF-8"), ("TZ", "UTC")];
    let go_cache = format!("{WORK_FOLDER}/{GO_CACHE}");
    match language {
        Language::Python => {
            all.extend([("PYTHONHASHSEED", "0"), ("PYTHONUTF8", "1"), ("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONNOUSERSITE", "1")]);
        }
        // io_uring would be tried otherwise, and it is forbidden.
        Language::JavaScript | Language::TypeScript => all.push(("UV_USE_IO_URING", "0")),
        Language::Go => {
            all.extend([
                ("GO111MODULE", "off"),
                ("CGO_ENABLED", "0"),
                ("GOFLAGS", "-buildvcs=false"),
                ("GOTOOLCHAIN", "local"),
                ("GOCACHE", &go_cache),
            ]);
        }
        _ => {}
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Folder of Go's compiled packages, while a program is compiled.
pub(crate) const GO_CACHE: &str = "gocache";

/// What programs use of Go's standard library; the rest is compiled when a program asks for it.
const GO_PACKAGES: [&str; 30] = [
    "bufio",
    "bytes",
    "container/heap",
    "container/list",
    "container/ring",
    "context",
    "encoding/json",
    "errors",
    "fmt",
    "io",
    "log",
    "math",
    "math/big",
    "math/bits",
    "math/cmplx",
    "math/rand",
    "os",
    "reflect",
    "regexp",
    "runtime",
    "sort",
    "strconv",
    "strings",
    "sync",
    "sync/atomic",
    "text/tabwriter",
    "time",
    "unicode",
    "unicode/utf8",
    "unsafe",
];

/// Compiles Go's standard library into its cache, which is `out_folder` here.
pub(crate) fn go_library(tools: &Toolchain) -> (Invocation, Vec<(String, String)>) {
    let mut arguments = vec!["build".to_owned()];
    arguments.extend(owned(&GO_PACKAGES));
    let mut environment = environment(Language::Go);
    environment.retain(|(name, _)| name != "GOCACHE");
    environment.push(("GOCACHE".to_owned(), out_folder().display().to_string()));
    (Invocation { program: tools.path.clone(), arguments }, environment)
}

/// Whether the address space of a program can be limited to its memory. Virtual machines with a garbage collector reserve far more.
pub(crate) fn limits_address_space(language: Language) -> bool {
    matches!(language, Language::Python | Language::Cpp | Language::C | Language::Rust | Language::Bash | Language::Php)
}

/// The main file of a program as it is stored: Java wants a file to be named after its public class.
pub(crate) fn stored_main(source: &Source) -> String {
    let text = source.files.iter().find(|file| file.path == source.main).map(|file| file.text.as_str()).unwrap_or_default();
    match (source.language, java::public_class(text)) {
        (Language::Java, Some(class)) => match source.main.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{class}.java"),
            None => format!("{class}.java"),
        },
        _ => source.main.clone(),
    }
}

/// How a program is compiled; `None` for languages that are run as they are.
pub(crate) fn compilation(tools: &Toolchain, source: &Source, limits: &Limits) -> Option<Compilation> {
    let main = stored_main(source);
    let input = format!("{PROGRAM_FOLDER}/{main}");
    let out = out_folder().display().to_string();
    let executable = format!("{out}/main");
    let of_kind = |ending: &str| {
        let files = source.files.iter().map(|file| if file.path == source.main { main.clone() } else { file.path.clone() });
        files.filter(|path| path.ends_with(ending)).map(|path| format!("{PROGRAM_FOLDER}/{path}")).collect::<Vec<_>>()
    };
    let compile = |arguments: &[&str]| Invocation { program: tools.path.clone(), arguments: owned(arguments) };
    let binary = "main".to_owned();
    Some(match source.language {
        Language::Python | Language::JavaScript | Language::Bash | Language::Php => return None,
        Language::C | Language::Cpp => {
            let (standard, ending) = if source.language == Language::C { ("-std=gnu17", ".c") } else { ("-std=gnu++17", ".cpp") };
            let mut inputs = of_kind(ending);
            if !inputs.contains(&input) {
                inputs.push(input);
            }
            let mut invocation = compile(&["-x", if ending == ".c" { "c" } else { "c++" }, standard, "-O2", "-pipe", "-o", &executable]);
            invocation.arguments.extend(inputs);
            invocation.arguments.push("-lm".to_owned());
            Compilation { invocation, files: Vec::new(), main: binary }
        }
        Language::Rust => {
            let linker = format!("-Clinker={}", tools.companion.clone().unwrap_or_default().display());
            let invocation = compile(&["--edition=2021", "-Copt-level=2", "-Cstrip=symbols", &linker, "-o", &executable, &input]);
            Compilation { invocation, files: Vec::new(), main: binary }
        }
        Language::Go => Compilation { invocation: compile(&["build", "-o", &executable, &input]), files: Vec::new(), main: binary },
        Language::Java => {
            let mut invocation = compile(&["-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "-J-Xss64m", "-nowarn", "-proc:none"]);
            invocation.arguments.push(format!("-J-Xmx{}m", heap(limits)));
            invocation.arguments.extend(owned(&["-encoding", "UTF-8", "-d", &out]));
            invocation.arguments.extend(of_kind(".java"));
            let text = source.files.iter().find(|file| file.path == source.main).map(|file| file.text.as_str()).unwrap_or_default();
            Compilation { invocation, files: Vec::new(), main: java::main_class(text) }
        }
        Language::TypeScript => {
            let declarations = format!("{WORK_FOLDER}/{NODE_DECLARATIONS}");
            // Not strict: programs are judged by what they do; and versions differ in what they are by default.
            let options =
                ["--outDir", &out, "--rootDir", PROGRAM_FOLDER, "--target", "es2022", "--module", "commonjs", "--strict", "false"];
            let mut arguments = vec![tools.path.display().to_string()];
            arguments.extend(owned(&options));
            arguments.extend(owned(&["--esModuleInterop", "--skipLibCheck", "--types", "", "--pretty", "false", &declarations, &input]));
            let invocation = Invocation { program: tools.companion.clone().unwrap_or_default(), arguments };
            let main = format!("{}.js", main.trim_end_matches(".ts"));
            Compilation { invocation, files: vec![(NODE_DECLARATIONS, NODE_TYPES)], main }
        }
        Language::CSharp => {
            let mut arguments = vec![tools.path.display().to_string(), "-optimize+".to_owned(), format!("-out:{executable}.exe")];
            arguments.extend(owned(&["-r:System.Numerics", "-r:System.Core", "-nologo"]));
            arguments.extend(of_kind(".cs"));
            let invocation = Invocation { program: tools.companion.clone().unwrap_or_default(), arguments };
            Compilation { invocation, files: Vec::new(), main: "main.exe".to_owned() }
        }
    })
}

/// How a program is run. `main` is a path in its folder, or a Java class.
pub(crate) fn invocation(tools: &Toolchain, main: &str, arguments: &[String], limits: &Limits) -> Invocation {
    let path = format!("{PROGRAM_FOLDER}/{main}");
    let interpreter = tools.path.clone();
    let companion = || tools.companion.clone().unwrap_or_default();
    let (program, mut all) = match tools.language {
        Language::Python => (PathBuf::from(PYTHON_ENVIRONMENT).join("bin").join("python3"), vec!["-B".to_owned(), "-s".to_owned(), path]),
        Language::Bash => (interpreter, vec!["--noprofile".to_owned(), "--norc".to_owned(), path]),
        Language::Php => (interpreter, vec![format!("-dmemory_limit={}M", limits.mebibytes), "-ddisplay_errors=stderr".to_owned(), path]),
        Language::JavaScript => (interpreter, node_options(limits, path)),
        Language::TypeScript => (companion(), node_options(limits, path)),
        Language::Java => {
            let options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xss64m", "-Dfile.encoding=UTF-8"];
            let mut options = owned(&options);
            options.extend([format!("-Xmx{}m", heap(limits)), "-cp".to_owned(), PROGRAM_FOLDER.to_owned(), main.to_owned()]);
            (companion(), options)
        }
        Language::CSharp => (companion(), vec![path]),
        Language::C | Language::Cpp | Language::Rust | Language::Go => (PathBuf::from(path), Vec::new()),
    };
    all.extend_from_slice(arguments);
    Invocation { program, arguments: all }
}

/// Heap of a virtual machine in MiB: the rest is for its code, stacks and tables.
fn heap(limits: &Limits) -> u64 {
    (limits.mebibytes / 4 * 3).max(16)
}

fn node_options(limits: &Limits, path: String) -> Vec<String> {
    vec![format!("--max-old-space-size={}", heap(limits)), path]
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

const NODE_DECLARATIONS: &str = "node.d.ts";

/// The types of Node.js are not part of TypeScript. Programs that read input need its modules; here they have no types.
const NODE_TYPES: &str = "\
declare module '*';
declare var require: any;
declare var module: any;
declare var exports: any;
declare var process: any;
declare var Buffer: any;
declare var global: any;
declare var __dirname: string;
declare var __filename: string;
declare function setImmediate(callback: (...args: any[]) => void, ...args: any[]): any;
";

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(language: Language) -> Toolchain {
        let (path, companion) = (PathBuf::from("/usr/bin/tool"), Some(PathBuf::from("/usr/bin/companion")));
        Toolchain { language, path, version: String::new(), companion, view: Default::default(), compiles_library: false }
    }

    #[test]
    fn a_java_file_is_named_after_its_public_class() {
        let mut source = Source::single(Language::Java, "class A {} public class Solution { public static void main(String[] a) {} }");
        assert_eq!(stored_main(&source), "Solution.java");
        let compilation = compilation(&tools(Language::Java), &source, &Limits::compile()).unwrap();
        assert_eq!(compilation.main, "Solution");
        assert!(compilation.invocation.arguments.contains(&"/box/Solution.java".to_owned()));
        source.files[0].text = "class A {}".to_owned();
        assert_eq!(stored_main(&source), "Main.java");
    }

    #[test]
    fn interpreted_languages_are_not_compiled_and_all_others_are() {
        for language in Language::ALL {
            let interpreted = matches!(language, Language::Python | Language::JavaScript | Language::Bash | Language::Php);
            let compilation = compilation(&tools(language), &Source::single(language, ""), &Limits::compile());
            assert_eq!(compilation.is_none(), interpreted, "{language}");
        }
    }

    #[test]
    fn arguments_of_the_program_come_last() {
        for language in Language::ALL {
            let invocation = invocation(&tools(language), "main", &["x y".to_owned()], &Limits::default());
            assert_eq!(invocation.arguments.last().unwrap(), "x y", "{language}");
        }
    }
}
