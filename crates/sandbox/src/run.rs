//! What goes into a run and what comes out.

use std::fmt;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::archive;
use crate::language::Language;

/// A file of a program, or for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Relative path.
    pub path: String,
    /// Content.
    pub text: String,
}

/// A program as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its language.
    pub language: Language,
    /// Its files.
    pub files: Vec<SourceFile>,
    /// Path of the file that is run or compiled. Other files can be imported or included from it.
    ///
    /// A Java file is renamed after its public class, whatever this says, and the class with `main` is run.
    pub main: String,
}

impl Source {
    /// A program of one file, which is named as usual for its language.
    pub fn single(language: Language, text: impl Into<String>) -> Self {
        let main = match language {
            Language::Python => "main.py",
            Language::Cpp => "main.cpp",
            Language::C => "main.c",
            Language::Rust => "main.rs",
            Language::JavaScript => "main.js",
            Language::TypeScript => "main.ts",
            Language::Java => "Main.java",
            Language::Bash => "main.sh",
            Language::Go => "main.go",
            Language::Php => "main.php",
            Language::CSharp => "Main.cs",
        };
        Self { language, files: vec![SourceFile { path: main.to_owned(), text: text.into() }], main: main.to_owned() }
    }
}

/// A program that is ready to run: the files of its folder, which every run sees as `/box`, read-only.
///
/// They are kept in memory, not on a disk: nothing is left behind, however this process ends.
#[derive(Debug)]
pub struct Program {
    pub(crate) language: Language,
    /// What is run: a path in the program's folder, or the name of a Java class.
    pub(crate) main: String,
    /// Sealed memory file with the archive of the folder.
    pub(crate) archive: OwnedFd,
}

impl Program {
    /// Language of the program.
    pub fn language(&self) -> Language {
        self.language
    }
}

/// How to launch a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Launch {
    /// Command line arguments.
    pub arguments: Vec<String>,
    /// Standard input.
    pub stdin: Vec<u8>,
    /// Whether the program gets a socket to us as descriptor 3. Frames on it: length as little-endian u32, then as many bytes.
    pub channel: bool,
    /// Files in the working folder.
    pub files: Vec<SourceFile>,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// How it ended.
    pub ending: Ending,
    /// Standard output, at most as long as the limit.
    pub stdout: Vec<u8>,
    /// Standard error, at most as long as the limit.
    pub stderr: Vec<u8>,
    /// Wall-clock time of the program.
    pub seconds: f64,
    /// Processor time of all its processes. Without a control group that counts it, only of those that had ended by themselves.
    pub cpu_seconds: f64,
    /// Most memory that was in use at one time, if it is known: of all processes with a memory control group, else of the largest.
    pub peak_mebibytes: Option<u64>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
    /// Stopped after its wall-clock or processor time.
    TimeLimit,
    /// Killed for want of memory.
    MemoryLimit,
    /// Stopped for writing too much.
    OutputLimit,
    /// Failed after it was refused more processes.
    ProcessLimit,
    /// Stopped at a system call that only attacks make; its name.
    Forbidden(String),
    /// Stopped because its [`Process`](crate::Process) was given up.
    Stopped,
}

impl Ending {
    /// Whether the program ended by itself and reported no error.
    pub fn is_success(&self) -> bool {
        *self == Self::Exited(0)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signaled(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "signal {name}"),
                None => write!(f, "signal {signal}"),
            },
            Self::TimeLimit => f.write_str("time limit"),
            Self::MemoryLimit => f.write_str("memory limit"),
            Self::OutputLimit => f.write_str("output limit"),
            Self::ProcessLimit => f.write_str("process limit"),
            Self::Forbidden(what) => write!(f, "forbidden: {what}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// Names of the signals by which programs end on their own account.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGFPE => "SIGFPE",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGKILL => "SIGKILL",
        libc::SIGTERM => "SIGTERM",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGTRAP => "SIGTRAP",
        _ => return None,
    })
}

/// Packs files for the way into a sandbox.
pub(crate) fn pack_files(files: &[SourceFile]) -> Result<Vec<u8>, String> {
    let mut packed = Vec::new();
    for file in files {
        archive::check_path(&file.path)?;
        archive::push(&mut packed, &archive::Entry { path: &file.path, executable: false, content: file.text.as_bytes() });
    }
    Ok(packed)
}
