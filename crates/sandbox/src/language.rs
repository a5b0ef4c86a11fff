//! Programming languages by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A programming language that programs may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Language {
    Python,
    Cpp,
    C,
    Rust,
    JavaScript,
    TypeScript,
    Java,
    Bash,
    Go,
    Php,
    CSharp,
}

/// A name that no language has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a language out of {}, found {found:?}", Language::ALL.map(Language::name).join(", "))]
pub struct UnknownLanguage {
    /// The name as it was given.
    pub found: String,
}

impl Language {
    /// Every language, in the order in which they are listed to people.
    pub const ALL: [Self; 11] = [
        Self::Python,
        Self::Cpp,
        Self::C,
        Self::Rust,
        Self::JavaScript,
        Self::TypeScript,
        Self::Java,
        Self::Bash,
        Self::Go,
        Self::Php,
        Self::CSharp,
    ];

    /// The name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Cpp => "cpp",
            Self::C => "c",
            Self::Rust => "rust",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Java => "java",
            Self::Bash => "bash",
            Self::Go => "go",
            Self::Php => "php",
            Self::CSharp => "csharp",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    /// Reads a name or a common other name, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "python" | "python3" | "py" => Self::Python,
            "cpp" | "c++" | "cxx" | "cc" => Self::Cpp,
            "c" => Self::C,
            "rust" | "rs" => Self::Rust,
            "javascript" | "js" | "node" | "nodejs" => Self::JavaScript,
            "typescript" | "ts" => Self::TypeScript,
            "java" => Self::Java,
            "bash" | "sh" | "shell" => Self::Bash,
            "go" | "golang" => Self::Go,
            "php" => Self::Php,
            "csharp" | "c#" | "cs" => Self::CSharp,
            _ => return Err(UnknownLanguage { found: text.to_owned() }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for language in Language::ALL {
            assert_eq!(language.name().parse(), Ok(language));
            assert_eq!(serde_json::to_value(language).unwrap(), language.name());
        }
    }

    #[test]
    fn other_names_are_known_in_any_case() {
        for (text, language) in [
            ("C++", Language::Cpp),
            ("js", Language::JavaScript),
            ("ts", Language::TypeScript),
            ("cs", Language::CSharp),
            ("C#", Language::CSharp),
            ("sh", Language::Bash),
            ("Py", Language::Python),
            ("golang", Language::Go),
        ] {
            assert_eq!(text.parse(), Ok(language), "{text}");
        }
        let error = "cobol".parse::<Language>().unwrap_err().to_string();
        assert!(error.starts_with("expected a language out of python, cpp,") && error.ends_with("found \"cobol\""), "{error}");
    }
}
