//! Toolchains of the machine: where they really are, and which files they need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::error::MissingToolchain;
use crate::language::Language;
use crate::wire::View;

/// A toolchain that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Toolchain {
    /// Its language.
    pub language: Language,
    /// The interpreter, or the compiler.
    pub path: PathBuf,
    /// What it says about its version, one line.
    pub version: String,
    /// A second program that is needed: the linker of Rust, node for TypeScript, the virtual machine of Java and C#.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub companion: Option<PathBuf>,
    #[serde(skip)]
    pub(crate) view: View,
    /// Whether the standard library comes as source text, to be compiled once for all programs (Go since 1.20).
    #[serde(skip)]
    pub(crate) compiles_library: bool,
}

/// Folders of a Linux system that hold programs and libraries, and files that finding libraries needs.
const SYSTEM: [&str; 9] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/etc/alternatives"];

/// Looks for the toolchain of a language.
pub(crate) fn find(language: Language) -> Result<Toolchain, MissingToolchain> {
    let found = match language {
        Language::Python => python(),
        Language::Cpp => compiler(language, &["g++", "c++", "clang++"]),
        Language::C => compiler(language, &["gcc", "cc", "clang"]),
        Language::Rust => rust(),
        Language::JavaScript => node(),
        Language::TypeScript => typescript(),
        Language::Java => java(),
        Language::Bash => bash(),
        Language::Go => go(),
        Language::Php => php(),
        Language::CSharp => csharp(),
    };
    found.map_err(|found| MissingToolchain { language, found, install: install(language) })
}

/// What to install, in words that fit the common package managers.
fn install(language: Language) -> &'static str {
    match language {
        Language::Python => "python3",
        Language::Cpp => "g++",
        Language::C => "gcc",
        Language::Rust => "Rust (rustup or rustc) and gcc, its linker",
        Language::JavaScript => "nodejs",
        Language::TypeScript => "nodejs and the npm package typescript",
        Language::Java => "a JDK, for example openjdk-17-jdk-headless",
        Language::Bash => "bash",
        Language::Go => "Go (golang-go)",
        Language::Php => "php-cli",
        Language::CSharp => "Mono (mono-mcs and mono-runtime)",
    }
}

/// The real path of a program that a shell would find.
fn locate(name: &str) -> Result<PathBuf, String> {
    let missing = || format!("`{name}` is not on the path");
    let text = ask("/bin/sh", &["-c", "command -v \"$1\"", "sh", name]).map_err(|_| missing())?;
    fs::canonicalize(text.trim()).map_err(|_| missing())
}

/// What a program prints to standard output, or to standard error if that is empty.
fn ask(program: impl AsRef<Path>, arguments: &[&str]) -> Result<String, String> {
    let program = program.as_ref();
    // In `/`, so that no settings of a project count.
    let asked = Command::new(program).args(arguments).current_dir("/").stdin(Stdio::null()).output();
    let output = asked.map_err(|error| format!("`{}` cannot be started: {error}", program.display()))?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(format!("`{} {}` failed ({}): {}", program.display(), arguments.join(" "), output.status, first_line(&err)));
    }
    Ok(if out.trim().is_empty() { err } else { out }.into_owned())
}

fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

/// The view of a plain Linux system, and of further folders and files if they are there.
fn view(more: &[&Path]) -> View {
    let mut view = View::default();
    for path in SYSTEM.map(Path::new).iter().chain(more) {
        add(&mut view, path);
    }
    view
}

fn add(view: &mut View, path: &Path) {
    let Ok(kind) = fs::symlink_metadata(path).map(|data| data.file_type()) else { return };
    if kind.is_symlink() {
        if let Ok(target) = fs::read_link(path) {
            view.links.push((path.to_owned(), target));
        }
    } else if !view.visible.iter().any(|shown| path.starts_with(shown)) {
        view.visible.push(path.to_owned());
    }
}

/// The folder that a toolchain is installed in, if the program stands in the `bin` of one; else the program alone.
fn prefix_of(program: &Path) -> &Path {
    let prefix = program.parent().filter(|folder| folder.ends_with("bin")).and_then(Path::parent);
    prefix.filter(|prefix| is_installation(prefix)).unwrap_or(program)
}

/// Whether a folder holds an installed toolchain and nothing of anybody's: a home folder or a project has hidden entries, and a job
/// must see neither. `~/bin/node` shows `node`, not the home folder.
fn is_installation(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let mut names = entries.flatten().map(|entry| entry.file_name());
    let is_home = folder == Path::new("/root") || folder.parent() == Some(Path::new("/home"));
    folder.components().count() > 2 && !is_home && !names.any(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Folder of the virtual environment in the sandbox.
pub(crate) const PYTHON_ENVIRONMENT: &str = "/venv";

fn python() -> Result<Toolchain, String> {
    // A version manager's shim and a virtual environment both lead to the interpreter that they stand for.
    const SCRIPT: &str = "import sys, site; print(getattr(sys, '_base_executable', sys.executable)); print(sys.base_prefix); \
                          print(sys.base_exec_prefix); print('Python', sys.version.split()[0]); \
                          print('python%d.%d' % sys.version_info[:2]); print('\\n'.join(site.getsitepackages()))";
    let answer = ask("python3", &["-s", "-c", SCRIPT])?;
    let lines: Vec<&str> = answer.lines().collect();
    let [path, prefix, exec_prefix, version, name, packages @ ..] = lines.as_slice() else {
        return Err(format!("`python3` gave an unexpected answer: {answer:?}"));
    };
    let path = fs::canonicalize(path).map_err(|error| format!("{path}: {error}"))?;
    // An interpreter that was unpacked into a home folder brings its library and nothing beside it.
    let libraries = [prefix, exec_prefix].map(|prefix| {
        let prefix = Path::new(prefix);
        if is_installation(prefix) { prefix.to_owned() } else { prefix.join("lib").join(name) }
    });
    let mut shown: Vec<&Path> = libraries.iter().map(PathBuf::as_path).collect();
    shown.push(prefix_of(&path));
    shown.extend(packages.iter().map(Path::new));
    let mut view = view(&shown);
    // A virtual environment that sees the packages of the machine, but not what they run at the start of every interpreter: that
    // may take longer than the program.
    let environment = Path::new(PYTHON_ENVIRONMENT);
    let home = path.parent().unwrap_or(&path).display();
    let text = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    view.files.push((environment.join("pyvenv.cfg"), format!("home = {home}\ninclude-system-site-packages = false\n")));
    view.files.push((environment.join("lib").join(name).join("site-packages").join("packages.pth"), text(packages)));
    view.links.push((environment.join("bin").join("python3"), path.clone()));
    Ok(Toolchain { language: Language::Python, view, path, version: (*version).to_owned(), companion: None, compiles_library: false })
}

fn compiler(language: Language, names: &[&str]) -> Result<Toolchain, String> {
    let path = names.iter().find_map(|name| locate(name).ok()).ok_or_else(|| format!("none of `{}` is on the path", names.join("`, `")))?;
    let version = first_line(&ask(&path, &["--version"])?);
    Ok(Toolchain { language, view: view(&[prefix_of(&path)]), path, version, companion: None, compiles_library: false })
}

fn rust() -> Result<Toolchain, String> {
    // `rustc` may be the shim of rustup, which would look for its settings in the sandbox.
    let sysroot = ask("rustc", &["--print", "sysroot"])?;
    let sysroot = Path::new(sysroot.trim());
    let path = sysroot.join("bin").join("rustc");
    let version = first_line(&ask(&path, &["--version"])?);
    let linker = ["cc", "gcc", "clang"].iter().find_map(|name| locate(name).ok()).ok_or("no linker (`cc`) is on the path")?;
    Ok(Toolchain {
        language: Language::Rust,
        view: view(&[sysroot, prefix_of(&linker)]),
        path,
        version,
        companion: Some(linker),
        compiles_library: false,
    })
}

fn node() -> Result<Toolchain, String> {
    let path = PathBuf::from(ask("node", &["-p", "process.execPath"])?.trim());
    let version = format!("Node.js {}", first_line(&ask(&path, &["--version"])?));
    Ok(Toolchain {
        language: Language::JavaScript,
        view: view(&[prefix_of(&path)]),
        path,
        version,
        companion: None,
        compiles_library: false,
    })
}

fn typescript() -> Result<Toolchain, String> {
    let node = node()?;
    let path = locate("tsc")?;
    let version = format!("TypeScript {}, {}", first_line(&ask(&node.path, &[&path.to_string_lossy(), "--version"])?), node.version);
    // The compiler may be a program in a package beside the one that starts it.
    let packages = path.ancestors().find(|folder| folder.ends_with("node_modules")).unwrap_or(prefix_of(&path));
    Ok(Toolchain {
        language: Language::TypeScript,
        view: view(&[prefix_of(&node.path), packages]),
        path,
        version,
        companion: Some(node.path),
        compiles_library: false,
    })
}

fn java() -> Result<Toolchain, String> {
    let properties = ask("java", &["-XshowSettings:properties", "-version"])?;
    let home = properties.lines().find_map(|line| line.trim().strip_prefix("java.home = ")).ok_or("`java` does not name its home")?;
    let home = fs::canonicalize(home).map_err(|error| format!("{home}: {error}"))?;
    let path = home.join("bin").join("javac");
    if !path.exists() {
        return Err(format!("{} has no `javac`: a JDK is needed, not only a runtime", home.display()));
    }
    let version = first_line(&ask(&path, &["-version"])?);
    // Some distributions keep its settings elsewhere, behind links.
    let settings = fs::canonicalize(home.join("conf").join("security").join("java.security")).ok();
    let settings = settings.as_deref().and_then(|file| file.ancestors().nth(2)).filter(|folder| folder.components().count() > 2);
    let companion = Some(home.join("bin").join("java"));
    Ok(Toolchain {
        language: Language::Java,
        view: view(&[&home, settings.unwrap_or(&home)]),
        path,
        version,
        companion,
        compiles_library: false,
    })
}

fn bash() -> Result<Toolchain, String> {
    let path = locate("bash")?;
    let version = first_line(&ask(&path, &["--version"])?);
    Ok(Toolchain { language: Language::Bash, view: view(&[prefix_of(&path)]), path, version, companion: None, compiles_library: false })
}

fn go() -> Result<Toolchain, String> {
    let root = ask("go", &["env", "GOROOT"])?;
    let root = fs::canonicalize(root.trim()).map_err(|error| format!("GOROOT {root}: {error}"))?;
    let path = root.join("bin").join("go");
    let version = first_line(&ask(&path, &["version"])?);
    // Distributions put sources and caches behind links.
    let behind: Vec<PathBuf> =
        ["src", "pkg", "test", "misc", "api"].iter().filter_map(|name| fs::canonicalize(root.join(name)).ok()).collect();
    let more: Vec<&Path> = std::iter::once(root.as_path()).chain(behind.iter().map(PathBuf::as_path)).collect();
    let has_library = fs::read_dir(root.join("pkg")).into_iter().flatten().flatten().any(|folder| folder.path().join("fmt.a").exists());
    Ok(Toolchain { language: Language::Go, view: view(&more), path, version, companion: None, compiles_library: !has_library })
}

fn php() -> Result<Toolchain, String> {
    let path = locate("php")?;
    let version = first_line(&ask(&path, &["--version"])?);
    Ok(Toolchain {
        language: Language::Php,
        view: view(&[prefix_of(&path), Path::new("/etc/php")]),
        path,
        version,
        companion: None,
        compiles_library: false,
    })
}

fn csharp() -> Result<Toolchain, String> {
    let mono = locate("mono")?;
    let script = locate("mcs")?;
    let version = first_line(&ask(&script, &["--version"])?);
    let path = prefix_of(&mono).join("lib").join("mono").join("4.5").join("mcs.exe");
    let path = if path.exists() { path } else { PathBuf::from("/usr/lib/mono/4.5/mcs.exe") };
    if !path.exists() {
        return Err(format!("`mcs` is there, but its compiler is not at {}", path.display()));
    }
    let more = [prefix_of(&mono), Path::new("/etc/mono")];
    Ok(Toolchain { language: Language::CSharp, view: view(&more), path, version, companion: Some(mono), compiles_library: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_an_installation_and_never_a_home_or_a_project() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            path
        };
        let installed = make("gcc-14/bin/gcc");
        assert_eq!(prefix_of(&installed), folder.path().join("gcc-14"));
        for (program, other) in [("home/bin/node", "home/.ssh/id"), ("project/bin/python", "project/.git/config")] {
            let program = make(program);
            make(other);
            assert_eq!(prefix_of(&program), program);
        }
        let alone = make("tools/node");
        assert_eq!(prefix_of(&alone), alone, "a program that is in no bin is shown alone");
        assert_eq!(prefix_of(Path::new("/root/bin/gcc")), Path::new("/root/bin/gcc"));
        assert!(!is_installation(Path::new("/")) && !is_installation(Path::new("/usr")) && !is_installation(Path::new("/home/me")));
    }

    #[test]
    fn nothing_is_shown_twice_and_links_stay_links() {
        let view = view(&[Path::new("/usr/bin"), Path::new("/nowhere/at/all")]);
        assert_eq!(view.visible.iter().filter(|path| path.starts_with("/usr")).count(), 1);
        assert!(!view.visible.iter().any(|path| path.starts_with("/nowhere")));
        assert!(view.links.iter().all(|(path, _)| fs::symlink_metadata(path).unwrap().is_symlink()));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        assert_eq!(locate("no-such-compiler"), Err("`no-such-compiler` is not on the path".to_owned()));
    }
}
