//! Chat templates: a conversation as the text that the model was trained on.
//!
//! Templates are Jinja programs that come with the checkpoint. They run as in transformers (blocks trimmed, Python's string
//! methods, `raise_exception`, `tojson` without HTML escapes), but for two things: they have a bounded number of steps, and
//! `strftime_now` tells a fixed day, so that a prompt does not depend on when it is made.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, Error, ErrorKind, context};
use ruminate_core::Message;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::ModelError;

/// Steps of the template engine for one rendering. Real templates take some hundred for each message.
const FUEL: u64 = 10_000_000;

/// A compiled chat template with the special tokens that it may name.
#[derive(Clone)]
pub struct ChatTemplate {
    source: String,
    environment: Environment<'static>,
    variables: BTreeMap<String, serde_json::Value>,
}

impl ChatTemplate {
    /// Compiles `source`; `bos_token` and `eos_token` are in its scope when given.
    ///
    /// # Errors
    /// A template that does not parse, with the line.
    pub fn new(source: &str, bos_token: Option<&str>, eos_token: Option<&str>) -> Result<Self, ModelError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(|error| template_error(&error))?;
        environment.set_syntax(syntax);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_function("strftime_now", strftime);
        environment.add_filter("tojson", to_json);
        environment.add_template_owned("chat", without_generation_tags(source)).map_err(|error| template_error(&error))?;
        let named = [("bos_token", bos_token), ("eos_token", eos_token)];
        let variables = named.into_iter().filter_map(|(name, token)| Some((name.to_owned(), token?.into()))).collect();
        Ok(Self { source: source.to_owned(), environment, variables })
    }

    /// Sets a variable that the template knows, such as `enable_thinking` of Qwen3.
    pub fn set_variable(&mut self, name: &str, value: serde_json::Value) {
        self.variables.insert(name.to_owned(), value);
    }

    /// The text of a conversation; with `add_generation_prompt`, up to where the assistant's next turn begins.
    ///
    /// # Errors
    /// What the template raises, for instance on roles that do not alternate.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, ModelError> {
        let messages = Value::from(Serde(messages));
        let own = context! { messages, add_generation_prompt, tools => (), documents => () };
        let context = context! { ..own, ..Value::from(Serde(&self.variables)) };
        let template = self.environment.get_template("chat").map_err(|error| template_error(&error))?;
        template.render(context).map_err(|error| template_error(&error))
    }

    /// The template as the checkpoint has it.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate").field("source", &self.source).field("variables", &self.variables).finish_non_exhaustive()
    }
}

fn template_error(error: &Error) -> ModelError {
    ModelError::Template { what: error.to_string() }
}

/// `{% generation %}` marks the assistant's tokens for transformers and renders as nothing; here it becomes a block that is
/// always taken, so that white space around it is treated the same.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end);
        match tag.trim_start_matches(['{', '%', '-', '+']).trim_end_matches(['-', '+']).trim() {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Formats the day that Llama 3's template itself falls back to, 26 July 2024, a Friday, at midnight.
fn strftime(format: &str) -> Result<String, Error> {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        out.push_str(match chars.next() {
            Some('d' | 'e') => "26",
            Some('m') => "07",
            Some('Y') => "2024",
            Some('y') => "24",
            Some('b' | 'h') => "Jul",
            Some('B') => "July",
            Some('a') => "Fri",
            Some('A') => "Friday",
            Some('j') => "208",
            Some('F') => "2024-07-26",
            Some('H' | 'M' | 'S') => "00",
            Some('I') => "12",
            Some('p') => "AM",
            Some('%') => "%",
            other => {
                let found = other.map_or_else(|| "the end".to_owned(), String::from);
                return Err(Error::new(
                    ErrorKind::InvalidOperation,
                    format!("strftime_now: expected a date or time directive after %, found {found}"),
                ));
            }
        });
    }
    Ok(out)
}

/// Python's `json.dumps(value, ensure_ascii=False, indent=indent)`.
#[expect(clippy::needless_pass_by_value, reason = "the template engine passes keyword arguments by value")]
fn to_json(value: &Value, indent: Option<usize>, options: Kwargs) -> Result<String, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get::<Option<usize>>("indent")?,
    };
    if options.get::<Option<bool>>("ensure_ascii")? == Some(true) {
        return Err(Error::new(ErrorKind::InvalidOperation, "tojson: expected ensure_ascii=false, found true"));
    }
    options.assert_all_used()?;
    let mut out = Vec::new();
    let written = match indent {
        Some(indent) => {
            let indent = " ".repeat(indent.min(16));
            value.serialize(&mut Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(indent.as_bytes())))
        }
        None => value.serialize(&mut Serializer::with_formatter(&mut out, Spaced)),
    };
    written.map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("tojson: {error}")))?;
    String::from_utf8(out).map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("tojson: {error}")))
}

/// A space after commas and colons, as Python writes.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}
