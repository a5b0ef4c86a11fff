//! The keys that a struct reads, asked of the struct itself: serde hands them to the deserializer before it reads anything.

use std::fmt;

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Names of the fields of a struct, as a file writes them.
pub(crate) fn field_names<T: DeserializeOwned>() -> Vec<String> {
    let mut names: &'static [&'static str] = &[];
    // The answer is always the error below: only the names are wanted.
    drop(T::deserialize(Ask(&mut names)));
    names.iter().map(|&name| name.to_owned()).collect()
}

struct Ask<'a>(&'a mut &'static [&'static str]);

#[derive(Debug)]
struct Asked;

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("asked for field names only")
    }
}

impl std::error::Error for Asked {}

impl de::Error for Asked {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Ask<'_> {
    type Error = Asked;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Asked> {
        Err(Asked)
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, fields: &'static [&'static str], _: V) -> Result<V::Value, Asked> {
        *self.0 = fields;
        Err(Asked)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map enum identifier ignored_any
    }
}
