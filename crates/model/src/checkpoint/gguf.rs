//! The GGUF container, versions 2 and 3, little-endian: metadata, tensor places, data.
//!
//! Nothing is allocated by a count that the file states; every length is checked against the bytes that are left.

use std::collections::BTreeMap;
use std::ops::Range;

use super::elements::{ElementType, GGUF_TYPES};
use crate::ModelError;

/// Metadata and tensor places of one file. Texts and arrays stay in the file and are decoded when asked for.
#[derive(Debug)]
pub(crate) struct Header {
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Tensor>,
}

/// One tensor's place in a file.
#[derive(Debug)]
pub(crate) struct Tensor {
    /// Row-major shape: slowest dimension first, the reverse of the file's order.
    pub(crate) shape: Vec<usize>,
    element: Result<ElementType, String>,
    /// Bytes within the file; of an unreadable type only the start is known.
    pub(crate) bytes: Range<usize>,
}

#[derive(Clone, Debug)]
enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(Range<usize>),
    Array { kind: u32, len: usize, bytes: Range<usize> },
}

/// Metadata together with the file that its texts and arrays lie in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metadata<'a> {
    header: &'a Header,
    file: &'a [u8],
}

const KIND_TEXT: u32 = 8;
const KIND_ARRAY: u32 = 9;
/// Arrays of arrays occur in no known file; a few levels keep crafted ones from exhausting the stack.
const MAX_DEPTH: usize = 4;

impl Tensor {
    /// The element type, if it can be read.
    pub(crate) fn element_type(&self, name: &str) -> Result<ElementType, ModelError> {
        self.element.clone().map_err(|found| ModelError::TensorType { name: name.to_owned(), expected: GGUF_TYPES, found })
    }
}

impl Header {
    /// Reads everything but the data of a whole file.
    pub(crate) fn parse(file: &[u8]) -> Result<Self, ModelError> {
        let mut cursor = Cursor { file, at: 0 };
        let magic = cursor.array::<4>("magic")?;
        if &magic != b"GGUF" {
            return Err(corrupt("magic", "GGUF", String::from_utf8_lossy(&magic)));
        }
        let version = cursor.u32("version")?;
        if version != 2 && version != 3 {
            return Err(ModelError::unsupported("GGUF version", "2 or 3, little-endian", version.to_string()));
        }
        let n_tensors = cursor.u64("tensor count")?;
        let n_values = cursor.u64("metadata count")?;
        let mut metadata = BTreeMap::new();
        for _ in 0..n_values {
            let key = cursor.name("metadata key")?;
            let kind = cursor.u32(&key)?;
            let value = cursor.value(&key, kind, 0)?;
            if metadata.contains_key(&key) {
                return Err(corrupt("metadata", "each key once", format!("{key} twice")));
            }
            metadata.insert(key, value);
        }
        let alignment = alignment(&metadata)?;
        let mut tensors = BTreeMap::new();
        let mut offsets = Vec::new();
        for _ in 0..n_tensors {
            let name = cursor.name("tensor name")?;
            let (tensor, offset) = cursor.tensor(&name, alignment)?;
            offsets.push((name.clone(), offset));
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(corrupt("tensors", "each name once", format!("{name} twice")));
            }
        }
        let data_start = cursor.at.next_multiple_of(alignment);
        for (name, offset) in offsets {
            let tensor = tensors.get_mut(&name).expect("inserted above");
            tensor.bytes = within(&name, tensor, data_start, offset, file.len())?;
        }
        Ok(Self { metadata, tensors })
    }

    /// The tensor of this name.
    pub(crate) fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Number of tensors.
    pub(crate) fn n_tensors(&self) -> usize {
        self.tensors.len()
    }

    /// Names of all tensors, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The metadata; `file` is what [`Header::parse`] read.
    pub(crate) fn metadata<'a>(&'a self, file: &'a [u8]) -> Metadata<'a> {
        Metadata { header: self, file }
    }
}

/// Bytes of a tensor within the file, from its offset within the data.
fn within(name: &str, tensor: &Tensor, data_start: usize, offset: usize, file_len: usize) -> Result<Range<usize>, ModelError> {
    let n_bytes = match tensor.element {
        Ok(element) => {
            let n_elements = tensor.shape.iter().product();
            element
                .n_bytes(n_elements)
                .ok_or_else(|| corrupt(&format!("shape of {name}"), "whole blocks", format!("{:?}", tensor.shape)))?
        }
        Err(_) => 0,
    };
    let start = data_start.checked_add(offset);
    let end = start.and_then(|start| start.checked_add(n_bytes)).filter(|&end| end <= file_len);
    match (start, end) {
        (Some(start), Some(end)) => Ok(start..end),
        _ => {
            let found = format!("{n_bytes} bytes at offset {offset} of the data, which start at {data_start}");
            Err(corrupt(&format!("place of {name}"), format!("a range within the {file_len} bytes of the file"), found))
        }
    }
}

fn alignment(metadata: &BTreeMap<String, Value>) -> Result<usize, ModelError> {
    match metadata.get("general.alignment") {
        None => Ok(32),
        Some(Value::Unsigned(n)) if n.is_power_of_two() && (8..=1 << 16).contains(n) => Ok(*n as usize),
        Some(other) => Err(corrupt("general.alignment", "a power of two from 8 to 65536", format!("{other:?}"))),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "callers pass numbers and texts alike")]
fn corrupt(what: &str, expected: impl ToString, found: impl ToString) -> ModelError {
    ModelError::Corrupt { format: "GGUF", what: what.to_owned(), expected: expected.to_string(), found: found.to_string() }
}

/// Bytes of one element of a kind with fixed size.
fn fixed_size(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

struct Cursor<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: u64, what: &str) -> Result<&'a [u8], ModelError> {
        let left = &self.file[self.at..];
        let taken = usize::try_from(n).ok().and_then(|n| left.get(..n));
        let taken = taken.ok_or_else(|| corrupt(what, format!("{n} bytes"), format!("{} left in the file", left.len())))?;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], ModelError> {
        let bytes = self.take(N as u64, what)?;
        Ok(bytes.try_into().expect("take returns as many as asked"))
    }

    fn u32(&mut self, what: &str) -> Result<u32, ModelError> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64, ModelError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// Range of a length-prefixed text.
    fn text(&mut self, what: &str) -> Result<Range<usize>, ModelError> {
        let n = self.u64(what)?;
        self.take(n, what)?;
        Ok(self.at - n as usize..self.at)
    }

    fn name(&mut self, what: &str) -> Result<String, ModelError> {
        let range = self.text(what)?;
        utf8(&self.file[range], what).map(str::to_owned)
    }

    fn value(&mut self, key: &str, kind: u32, depth: usize) -> Result<Value, ModelError> {
        Ok(match kind {
            0 => Value::Unsigned(self.array::<1>(key)?[0].into()),
            1 => Value::Signed(i8::from_le_bytes(self.array(key)?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array(key)?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array(key)?).into()),
            4 => Value::Unsigned(self.u32(key)?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.array(key)?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array(key)?).into()),
            7 => Value::Bool(self.array::<1>(key)?[0] != 0),
            KIND_TEXT => Value::Text(self.text(key)?),
            KIND_ARRAY if depth < MAX_DEPTH => self.list(key, depth)?,
            10 => Value::Unsigned(self.u64(key)?),
            11 => Value::Signed(i64::from_le_bytes(self.array(key)?)),
            12 => Value::Float(f64::from_le_bytes(self.array(key)?)),
            found => return Err(corrupt(key, "a value type from 0 to 12, nested at most 4 deep", found)),
        })
    }

    /// Walks over an array and notes where it lies.
    fn list(&mut self, key: &str, depth: usize) -> Result<Value, ModelError> {
        let kind = self.u32(key)?;
        let len = self.u64(key)?;
        let start = self.at;
        match fixed_size(kind) {
            Some(size) => {
                let n_bytes = len.checked_mul(size as u64).ok_or_else(|| corrupt(key, "a countable array", len))?;
                self.take(n_bytes, key)?;
            }
            // Each element takes at least its length word, so a lying `len` ends at the end of the file.
            None => {
                for _ in 0..len {
                    self.value(key, kind, depth + 1)?;
                }
            }
        }
        Ok(Value::Array { kind, len: len as usize, bytes: start..self.at })
    }

    /// A tensor's record; its byte range is filled in when the start of the data is known.
    fn tensor(&mut self, name: &str, alignment: usize) -> Result<(Tensor, usize), ModelError> {
        let n_dims = self.u32(name)?;
        if n_dims > 4 {
            return Err(corrupt(&format!("dimensions of {name}"), "at most 4", n_dims));
        }
        let mut shape = Vec::with_capacity(4);
        for _ in 0..n_dims {
            let size = self.u64(name)?;
            shape.push(usize::try_from(size).map_err(|_| corrupt(&format!("shape of {name}"), "a countable size", size))?);
        }
        let element = ElementType::from_ggml(self.u32(name)?);
        // A size of 0 would hide an overflow of the others.
        if shape.contains(&0) || shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size)).is_none() {
            return Err(corrupt(&format!("shape of {name}"), "a countable size", format!("{shape:?}")));
        }
        // Blocks lie within rows.
        if let (Ok(element), Some(row)) = (&element, shape.first())
            && element.n_bytes(*row).is_none()
        {
            return Err(corrupt(&format!("row of {name}"), format!("a multiple of {} elements", element.block().0), row));
        }
        shape.reverse();
        let offset = self.u64(name)?;
        let aligned = usize::try_from(offset).ok().filter(|offset| offset.is_multiple_of(alignment));
        let offset = aligned.ok_or_else(|| corrupt(&format!("offset of {name}"), format!("a multiple of {alignment}"), offset))?;
        Ok((Tensor { shape, element, bytes: 0..0 }, offset))
    }
}

fn utf8<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, ModelError> {
    std::str::from_utf8(bytes).map_err(|error| corrupt(what, "UTF-8 text", error))
}

impl<'a> Metadata<'a> {
    /// A whole number that is not negative.
    pub(crate) fn usize(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let number = |value: &Value| match *value {
            Value::Unsigned(n) => usize::try_from(n).ok(),
            Value::Signed(n) => usize::try_from(n).ok(),
            _ => None,
        };
        self.read(key, "a whole number", number)
    }

    /// A number, rounded to f32.
    pub(crate) fn f32(&self, key: &str) -> Result<Option<f32>, ModelError> {
        let number = |value: &Value| match *value {
            Value::Unsigned(n) => Some(n as f32),
            Value::Signed(n) => Some(n as f32),
            Value::Float(x) => Some(x as f32),
            _ => None,
        };
        self.read(key, "a number", number)
    }

    pub(crate) fn bool(&self, key: &str) -> Result<Option<bool>, ModelError> {
        self.read(key, "true or false", |value| if let Value::Bool(b) = value { Some(*b) } else { None })
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, ModelError> {
        let range = self.read(key, "a text", |value| if let Value::Text(range) = value { Some(range.clone()) } else { None })?;
        range.map(|range| utf8(&self.file[range], key)).transpose()
    }

    /// Texts of an array, in order.
    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<&'a str>>, ModelError> {
        let Some((len, bytes)) = self.array(key, "an array of texts", |kind| kind == KIND_TEXT)? else { return Ok(None) };
        let mut cursor = Cursor { file: &self.file[..bytes.end], at: bytes.start };
        let mut texts = Vec::new();
        for _ in 0..len {
            let range = cursor.text(key)?;
            texts.push(utf8(&self.file[range], key)?);
        }
        Ok(Some(texts))
    }

    /// Numbers of an array of f32.
    pub(crate) fn f32s(&self, key: &str) -> Result<Option<Vec<f32>>, ModelError> {
        let Some((_, bytes)) = self.array(key, "an array of 32-bit floats", |kind| kind == 6)? else { return Ok(None) };
        Ok(Some(self.file[bytes].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()))
    }

    /// Numbers of an array of 32-bit integers.
    pub(crate) fn i32s(&self, key: &str) -> Result<Option<Vec<i32>>, ModelError> {
        let Some((_, bytes)) = self.array(key, "an array of 32-bit integers", |kind| kind == 4 || kind == 5)? else { return Ok(None) };
        Ok(Some(self.file[bytes].as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).collect()))
    }

    fn array(&self, key: &str, expected: &str, fits: impl Fn(u32) -> bool) -> Result<Option<(usize, Range<usize>)>, ModelError> {
        self.read(key, expected, |value| match value {
            Value::Array { kind, len, bytes } if fits(*kind) => Some((*len, bytes.clone())),
            _ => None,
        })
    }

    fn read<T>(&self, key: &str, expected: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, ModelError> {
        let Some(value) = self.header.metadata.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| ModelError::key(key, expected, format!("{value:?}")))
    }
}
