//! The words and signs of formulas.

use std::fmt;

use super::{Atoms, Relation};

/// A real formula has some hundred; this bounds the work.
const MAX_TOKENS: usize = 20_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Name(String),
    Person { name: String, is_knight: bool },
    Count { people: Vec<String>, wanted: bool, relation: Relation, n: usize },
    Constant(bool),
    Not,
    And,
    Or,
    Xor,
    Implies,
    Iff,
    If,
    Then,
    Comma,
    Open,
    Close,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "'{name}'"),
            Self::Person { name, is_knight } => write!(f, "'{}({name})'", if *is_knight { "is_knight" } else { "is_knave" }),
            Self::Count { .. } => f.write_str("'count'"),
            Self::Constant(value) => write!(f, "'{value}'"),
            Self::Not => f.write_str("'not'"),
            Self::And => f.write_str("'and'"),
            Self::Or => f.write_str("'or'"),
            Self::Xor => f.write_str("'xor'"),
            Self::Implies => f.write_str("'->'"),
            Self::Iff => f.write_str("'<->'"),
            Self::If => f.write_str("'if'"),
            Self::Then => f.write_str("'then'"),
            Self::Comma => f.write_str("','"),
            Self::Open => f.write_str("'('"),
            Self::Close => f.write_str("')'"),
        }
    }
}

/// Signs, those first that begin with another.
const SIGNS: [(&str, Token); 31] = [
    ("<->", Token::Iff),
    ("<=>", Token::Iff),
    ("↔", Token::Iff),
    ("⇔", Token::Iff),
    ("≡", Token::Iff),
    ("->", Token::Implies),
    ("=>", Token::Implies),
    ("→", Token::Implies),
    ("⇒", Token::Implies),
    ("⊕", Token::Xor),
    ("^", Token::Xor),
    ("||", Token::Or),
    ("|", Token::Or),
    ("∨", Token::Or),
    ("+", Token::Or),
    ("&&", Token::And),
    ("&", Token::And),
    ("∧", Token::And),
    ("*", Token::And),
    ("·", Token::And),
    ("!", Token::Not),
    ("~", Token::Not),
    ("¬", Token::Not),
    ("-", Token::Not),
    ("(", Token::Open),
    ("[", Token::Open),
    (")", Token::Close),
    ("]", Token::Close),
    (",", Token::Comma),
    ("⊤", Token::Constant(true)),
    ("⊥", Token::Constant(false)),
];

const WORDS: [(&str, Token); 10] = [
    ("iff", Token::Iff),
    ("implies", Token::Implies),
    ("xor", Token::Xor),
    ("or", Token::Or),
    ("and", Token::And),
    ("not", Token::Not),
    ("if", Token::If),
    ("then", Token::Then),
    ("true", Token::Constant(true)),
    ("false", Token::Constant(false)),
];

pub(super) fn tokenize(text: &str, atoms: &Atoms) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let (token, behind) = if let Some((sign, token)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            (token.clone(), &rest[sign.len()..])
        } else if is_word(c) {
            word(rest, atoms)?
        } else {
            return Err(format!("'{}' has no place in a formula", c.escape_debug()));
        };
        if tokens.len() == MAX_TOKENS {
            return Err(format!("more than {MAX_TOKENS} parts"));
        }
        tokens.push(token);
        rest = behind.trim_start();
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A word at the start of `rest`, and what follows it.
fn word<'a>(rest: &'a str, atoms: &Atoms) -> Result<(Token, &'a str), String> {
    const LONG_IFF: &str = "if and only if";
    if let Some(behind) = rest.strip_prefix(LONG_IFF)
        && !behind.starts_with(is_word)
    {
        return Ok((Token::Iff, behind));
    }
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let (word, behind) = rest.split_at(end);
    if let Some((_, token)) = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)) {
        return Ok((token.clone(), behind));
    }
    match atoms {
        Atoms::Variables => Ok((Token::Name(word.to_owned()), behind)),
        Atoms::People => person(word, behind),
    }
}

/// `is_knight(NAME)`, `is_knave(NAME)` or a count; `word` is what stands before the parenthesis.
fn person<'a>(word: &str, behind: &'a str) -> Result<(Token, &'a str), String> {
    let arguments = behind.trim_start().strip_prefix('(').and_then(|inner| inner.split_once(')'));
    let Some((inside, behind)) = arguments else {
        return Err(format!("expected is_knight(NAME), is_knave(NAME) or count(knights), found '{word}'"));
    };
    let mut parts = inside.split(',').map(str::trim);
    let first = parts.next().unwrap_or_default();
    let others: Vec<String> = parts.map(str::to_owned).collect();
    if others.iter().any(String::is_empty) || first.is_empty() {
        return Err(format!("an empty name in '{word}({inside})'"));
    }
    match word {
        "is_knight" | "is_knave" if others.is_empty() => {
            Ok((Token::Person { name: first.to_owned(), is_knight: word == "is_knight" }, behind))
        }
        "count" => {
            let wanted = match first {
                "knight" | "knights" => true,
                "knave" | "knaves" => false,
                other => return Err(format!("expected count(knights) or count(knaves), found 'count({other})'")),
            };
            if (1..others.len()).any(|idx| others[..idx].contains(&others[idx])) {
                return Err(format!("a name is counted twice in 'count({inside})'"));
            }
            let (relation, n, behind) =
                comparison(behind).ok_or_else(|| format!("expected 'count({inside}) = NUMBER' or another comparison"))?;
            Ok((Token::Count { people: others, wanted, relation, n }, behind))
        }
        other => Err(format!("expected is_knight(NAME), is_knave(NAME) or count(knights), found '{other}({inside})'")),
    }
}

fn comparison(text: &str) -> Option<(Relation, usize, &str)> {
    const RELATIONS: [(&str, Relation); 10] = [
        (">=", Relation::AtLeast),
        ("≥", Relation::AtLeast),
        ("<=", Relation::AtMost),
        ("≤", Relation::AtMost),
        ("!=", Relation::NotEqual),
        ("≠", Relation::NotEqual),
        ("==", Relation::Equal),
        ("=", Relation::Equal),
        ("<", Relation::Less),
        (">", Relation::Greater),
    ];
    let text = text.trim_start();
    let (sign, relation) = RELATIONS.iter().find(|(sign, _)| text.starts_with(sign))?;
    let behind = text[sign.len()..].trim_start();
    let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
    Some((*relation, behind[..end].parse().ok()?, &behind[end..]))
}
