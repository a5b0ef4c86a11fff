//! The natural languages that Ruminate knows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A natural language that prompts and reasoning are written in; written as its ISO 639-1 code, such as `en`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// Chinese, simplified and traditional.
    Zh,
    /// Japanese.
    Ja,
    /// Korean.
    Ko,
    /// Russian.
    Ru,
    /// Arabic.
    Ar,
    /// Hindi.
    Hi,
    /// Thai.
    Th,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Italian.
    It,
    /// Portuguese.
    Pt,
    /// Dutch.
    Nl,
    /// Turkish.
    Tr,
    /// Vietnamese.
    Vi,
}

impl Language {
    /// All languages, in the order of the declaration.
    pub const ALL: [Self; 16] = [
        Self::En,
        Self::Zh,
        Self::Ja,
        Self::Ko,
        Self::Ru,
        Self::Ar,
        Self::Hi,
        Self::Th,
        Self::De,
        Self::Fr,
        Self::Es,
        Self::It,
        Self::Pt,
        Self::Nl,
        Self::Tr,
        Self::Vi,
    ];

    /// The ISO 639-1 code: two lower-case letters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
            Self::Ja => "ja",
            Self::Ko => "ko",
            Self::Ru => "ru",
            Self::Ar => "ar",
            Self::Hi => "hi",
            Self::Th => "th",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
            Self::It => "it",
            Self::Pt => "pt",
            Self::Nl => "nl",
            Self::Tr => "tr",
            Self::Vi => "vi",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A code that names no known language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLanguage(pub String);

impl fmt::Display for UnknownLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = Language::ALL.iter().map(|language| language.as_str()).collect();
        write!(f, "unknown language {:?}: expected one of {}", self.0, known.join(", "))
    }
}

impl std::error::Error for UnknownLanguage {}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|language| language.as_str() == code).ok_or_else(|| UnknownLanguage(code.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_name_their_languages_and_no_others() {
        for language in Language::ALL {
            assert_eq!(language.as_str().parse(), Ok(language));
        }
        let error = "xx".parse::<Language>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown language \"xx\": expected one of en, zh, ja, ko, ru, ar, hi, th, de, fr, es, it, pt, nl, tr, vi"
        );
    }
}
