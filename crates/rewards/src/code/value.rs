//! Values that a program's functions take and return, as data: read from frames, written to frames, compared with the expected ones.
//!
//! On the channel a value is JSON, and what JSON lacks is an object `{"$": kind, "v": content}`; a JSON object is the kind `dict` with a list of
//! pairs. Integers beyond 2^53 are the kind `int` with their digits as text, so that no reader loses any.

use serde_json::{Value as Json, json};

/// Integers from here on are text on the channel: some languages read JSON numbers as f64.
const SAFE_INTEGER: u64 = 1 << 53;

/// A value that came back from a program, or that a test expects.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// Decimal digits without leading zeros, with `-` if it is below zero.
    Int(String),
    Float(f64),
    Text(String),
    /// A list, tuple or array.
    List(Vec<Value>),
    /// Pairs in the program's order. Keys may be of any kind.
    Dict(Vec<(Value, Value)>),
    /// A value that has no JSON form, such as a set: its kind and content, for the reason only. It equals nothing.
    Other(String),
}

impl Value {
    /// Reads the value of a frame.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub(super) fn from_wire(data: &Json) -> Result<Self, String> {
        Ok(match data {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::number(number),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::from_wire).collect::<Result<_, _>>()?),
            Json::Object(object) => {
                let kind = object.get("$").and_then(Json::as_str).ok_or("an object without a kind")?;
                Self::tagged(kind, object.get("v").unwrap_or(&Json::Null))?
            }
        })
    }

    fn tagged(kind: &str, content: &Json) -> Result<Self, String> {
        let bad = || format!("a value of the kind {kind} that makes no sense");
        Ok(match (kind, content) {
            ("undefined", _) => Self::Null,
            ("int" | "bigint", Json::String(digits)) => Self::Int(integer(digits).ok_or_else(bad)?),
            ("float", Json::String(text)) => Self::Float(text.parse().map_err(|_| bad())?),
            ("tuple", Json::Array(_)) => Self::from_wire(content)?,
            ("typed", Json::Array(parts)) => Self::from_wire(parts.get(1).ok_or_else(bad)?)?,
            ("promise", content) => Self::from_wire(content)?,
            ("dict" | "map", Json::Array(pairs)) => {
                Self::Dict(pairs.iter().map(|pair| pair_of(pair).ok_or_else(bad)?).collect::<Result<_, _>>()?)
            }
            (kind, content) => Self::Other(format!("{kind} {content}")),
        })
    }

    /// Reads a value that a task expects.
    pub(super) fn expected(data: &Json) -> Self {
        match data {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::number(number),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::expected).collect()),
            Json::Object(object) => match big_integer(data) {
                Some(digits) => Self::Int(digits),
                None => Self::Dict(object.iter().map(|(key, value)| (Self::Text(key.clone()), Self::expected(value))).collect()),
            },
        }
    }

    fn number(number: &serde_json::Number) -> Self {
        match number.as_f64() {
            Some(value) if number.is_f64() => Self::Float(value),
            _ => Self::Int(number.to_string()),
        }
    }

    /// Whether a program's value is the expected one.
    ///
    /// Integers and text are equal exactly. A floating-point number may differ by `tolerance`, absolute or relative to the expected one,
    /// whichever is larger; from an expected integer only absolutely. Truth values equal 0 and 1. Tuples equal lists. Keys of any kind equal
    /// their JSON text.
    pub(super) fn is(&self, expected: &Self, tolerance: f64) -> bool {
        match (self, expected) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(got), Self::Bool(expected)) => got == expected,
            (Self::Bool(bool), Self::Int(int)) | (Self::Int(int), Self::Bool(bool)) => int == if *bool { "1" } else { "0" },
            (Self::Int(got), Self::Int(expected)) => got == expected,
            (Self::Int(got), Self::Float(expected)) => got.parse().is_ok_and(|got: f64| is_close(got, *expected, tolerance)),
            (Self::Float(got), Self::Int(expected)) => is_integer(*got, expected, tolerance),
            (Self::Float(got), Self::Float(expected)) => is_close(*got, *expected, tolerance),
            (Self::Text(got), Self::Text(expected)) => got == expected,
            (Self::List(got), Self::List(expected)) => {
                got.len() == expected.len() && got.iter().zip(expected).all(|(got, expected)| got.is(expected, tolerance))
            }
            (Self::Dict(got), Self::Dict(expected)) => same_entries(got, expected, tolerance),
            _ => false,
        }
    }

    fn key(&self) -> Option<String> {
        match self {
            Self::Null => Some("null".to_owned()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(digits) => Some(digits.clone()),
            Self::Float(value) => Some(format!("{value:?}")),
            Self::Text(text) => Some(text.clone()),
            Self::List(_) | Self::Dict(_) | Self::Other(_) => None,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(digits) => f.write_str(digits),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(text) => write!(f, "{}", Json::String(text.clone())),
            Self::List(items) => {
                f.write_str("[")?;
                for (idx, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if idx == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Dict(pairs) => {
                f.write_str("{")?;
                for (idx, (key, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if idx == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// An argument of a test as it stands in a frame.
pub(super) fn to_wire(data: &Json) -> Json {
    match data {
        Json::Number(number) if !number.is_f64() && number.as_i64().is_none_or(|value| value.unsigned_abs() >= SAFE_INTEGER) => {
            json!({"$": "int", "v": number.to_string()})
        }
        Json::Array(items) => items.iter().map(to_wire).collect(),
        Json::Object(object) => match big_integer(data) {
            Some(digits) => json!({"$": "int", "v": digits}),
            None => json!({"$": "dict", "v": object.iter().map(|(key, value)| json!([key, to_wire(value)])).collect::<Vec<_>>()}),
        },
        _ => data.clone(),
    }
}

/// Writes integers of a JSON text that 64 bits do not hold as `{"$int": "digits"}`, which keeps all digits: readers of JSON round them.
///
/// Text that is no JSON comes back with its long digits changed or not, and is no JSON still.
pub fn keep_integers(json: &str) -> String {
    let mut kept = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        let len = if rest.starts_with('"') { string_len(rest) } else { number_len(rest) };
        let (token, after) = rest.split_at(len);
        let is_long = !token.starts_with('"') && token.parse::<i64>().is_err() && token.parse::<u64>().is_err();
        match integer(token).filter(|_| is_long) {
            Some(digits) => kept.push_str(&json!({"$int": digits}).to_string()),
            None => kept.push_str(token),
        }
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// Whether two numbers differ by at most the tolerance, absolute or relative to the expected one, whichever is larger.
pub(super) fn is_close(got: f64, expected: f64, tolerance: f64) -> bool {
    got == expected
        || (got.is_nan() && expected.is_nan())
        || (got - expected).abs() <= tolerance * expected.abs().max(1.0) && expected.is_finite()
}

/// Whether a floating-point number is an expected integer: exactly, or within the absolute tolerance where f64 holds all integers.
pub(super) fn is_integer(got: f64, expected: &str, tolerance: f64) -> bool {
    let is_small = expected.parse::<i64>().is_ok_and(|value| value.unsigned_abs() < SAFE_INTEGER);
    match expected.parse::<f64>() {
        Ok(expected) if is_small => (got - expected).abs() <= tolerance,
        _ => got.is_finite() && format!("{got:.0}") == expected,
    }
}

fn pair_of(pair: &Json) -> Option<Result<(Value, Value), String>> {
    let [key, value] = pair.as_array()?.as_slice() else { return None };
    Some(Value::from_wire(key).and_then(|key| Ok((key, Value::from_wire(value)?))))
}

fn same_entries(got: &[(Value, Value)], expected: &[(Value, Value)], tolerance: f64) -> bool {
    let entries = |pairs: &[(Value, Value)]| {
        let keyed = pairs.iter().map(|(key, value)| Some((key.key()?, value.clone())));
        keyed.collect::<Option<std::collections::BTreeMap<_, _>>>().filter(|map| map.len() == pairs.len())
    };
    match (entries(got), entries(expected)) {
        (Some(got), Some(expected)) => {
            got.len() == expected.len() && expected.iter().all(|(key, value)| got.get(key).is_some_and(|got| got.is(value, tolerance)))
        }
        _ => false,
    }
}

/// The digits of `{"$int": "digits"}`.
fn big_integer(data: &Json) -> Option<String> {
    let object = data.as_object().filter(|object| object.len() == 1)?;
    integer(object.get("$int")?.as_str()?)
}

/// An integer in its shortest form.
fn integer(text: &str) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    Some(if digits.is_empty() { "0".to_owned() } else { format!("{sign}{digits}") })
}

/// Bytes of the JSON string that the text starts with.
fn string_len(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Bytes of the number that the text starts with.
fn number_len(text: &str) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    text.as_bytes().iter().take_while(|byte| is_part(byte)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(got: &str, expected: &str, is: bool) {
        let got = Value::from_wire(&serde_json::from_str(got).unwrap()).unwrap();
        let expected = Value::expected(&serde_json::from_str(&keep_integers(expected)).unwrap());
        assert_eq!(got.is(&expected, 1e-6), is, "{got} {expected}");
    }

    #[test]
    fn values_are_compared_by_kind() {
        for (got, expected, is) in [
            ("null", "null", true),
            (r#"{"$":"undefined","v":null}"#, "null", true),
            ("3", "3", true),
            ("3", "4", false),
            ("3", r#""3""#, false),
            ("3.0", "3", true),
            ("2.9999999999", "3", true),
            ("2.99", "3", false),
            ("1e18", "1000000000000000007", false),
            ("1e18", "1000000000000000000", true),
            ("9007199254740993.0", "9007199254740993", false),
            ("1000000.9", "1000000", false),
            ("1000000.9", "1000000.0", true),
            ("0.30000000000000004", "0.3", true),
            ("0.3001", "0.3", false),
            ("1e-9", "0.0", true),
            (r#"{"$":"float","v":"nan"}"#, "0.0", false),
            (r#"{"$":"float","v":"inf"}"#, "1.5", false),
            ("1.5", "1e308", false),
            ("true", "true", true),
            ("true", "1", true),
            ("0", "false", true),
            ("true", "2", false),
            (r#"{"$":"int","v":"123456789012345678901234567890"}"#, "123456789012345678901234567890", true),
            (r#"{"$":"int","v":"123456789012345678901234567891"}"#, "123456789012345678901234567890", false),
            (r#"{"$":"int","v":"-00123456789012345678901"}"#, "-123456789012345678901", true),
            (r#"{"$":"tuple","v":[1,[2]]}"#, "[1,[2]]", true),
            ("[1,2]", "[1,2,3]", false),
            ("[1,2,3]", "[1,2]", false),
            (r#"{"$":"set","v":[1,2]}"#, "[1,2]", false),
            (r#"{"$":"dict","v":[["a",1],["b",2]]}"#, r#"{"b":2,"a":1}"#, true),
            (r#"{"$":"dict","v":[[1,"x"]]}"#, r#"{"1":"x"}"#, true),
            (r#"{"$":"dict","v":[[1,"x"],["1","x"]]}"#, r#"{"1":"x"}"#, false),
            (r#"{"$":"dict","v":[[true,0],[null,1]]}"#, r#"{"true":0,"null":1}"#, true),
            (r#"{"$":"dict","v":[[{"$":"tuple","v":[1]},0]]}"#, r#"{"[1]":0}"#, false),
            (r#"{"$":"dict","v":[]}"#, "[]", false),
            (r#"{"$":"object","v":0,"type":"Evil"}"#, "0", false),
            (r#"{"$":"promise","v":7}"#, "7", true),
            (r#"{"$":"typed","v":["Int32Array",[1,2]]}"#, "[1,2]", true),
            (r#"{"$":"map","v":[["k",[1]]]}"#, r#"{"k":[1]}"#, true),
        ] {
            check(got, expected, is);
        }
    }

    #[test]
    fn frames_without_sense_are_errors() {
        for text in [
            r#"{"a":1}"#,
            r#"{"$":"int","v":"1x"}"#,
            r#"{"$":"int","v":"-"}"#,
            r#"{"$":"dict","v":[[1]]}"#,
            r#"{"$":"typed","v":[]}"#,
            r#"{"$":"float","v":"x"}"#,
        ] {
            assert!(Value::from_wire(&serde_json::from_str(text).unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn long_integers_keep_their_digits() {
        let long = "98765432109876543210987";
        assert_eq!(
            keep_integers(&format!(r#"{{"a":[{long}, -{long}], "b":"{long}"}}"#)),
            format!(r#"{{"a":[{{"$int":"{long}"}}, {{"$int":"-{long}"}}], "b":"{long}"}}"#)
        );
        for same in [
            "18446744073709551615",
            "-9223372036854775808",
            "1e400",
            "123456789012345678901.5",
            r#""\"123456789012345678901234""#,
            "tru",
            "\"123456789012345678901234",
        ] {
            assert_eq!(keep_integers(same), same);
        }
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            "[a-z\"\\\\é$]{0,6}".prop_map(Json::from)
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
                prop::collection::btree_map("[a-z$]{0,3}", inner, 0..5).prop_map(|map| Json::Object(map.into_iter().collect()))
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_that_comes_back_as_it_was_sent_is_the_expected_one(data in any_json()) {
            let got = Value::from_wire(&to_wire(&data)).unwrap();
            prop_assert!(got.is(&Value::expected(&data), 0.0));
        }

        #[test]
        fn texts_of_json_are_read_as_before(data in any_json()) {
            let text = data.to_string();
            prop_assert_eq!(keep_integers(&text), text);
        }

        #[test]
        fn any_text_is_scanned_to_its_end(text in "[-\"\\\\0-9eé.{}, ]{0,60}") {
            keep_integers(&text);
        }
    }
}
