//! The safetensors container: an 8-byte little-endian header length, a JSON header, then the data without gaps.
//!
//! Every number of the header is checked against the file before it is used.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::elements::{ElementType, SAFETENSORS_TYPES};
use crate::ModelError;

/// One tensor's place in a file.
#[derive(Debug)]
pub(crate) struct Entry {
    dtype: String,
    pub(crate) shape: Vec<usize>,
    /// Bytes within the file.
    pub(crate) bytes: Range<usize>,
}

impl Entry {
    /// The element type, if it can be read.
    pub(crate) fn element_type(&self, name: &str) -> Result<ElementType, ModelError> {
        ElementType::from_safetensors(&self.dtype).ok_or_else(|| ModelError::TensorType {
            name: name.to_owned(),
            expected: SAFETENSORS_TYPES,
            found: self.dtype.clone(),
        })
    }
}

/// Reads the header of a whole file.
pub(crate) fn parse(file: &[u8]) -> Result<BTreeMap<String, Entry>, ModelError> {
    let (length, rest) = file.split_first_chunk::<8>().ok_or_else(|| corrupt("file", "at least 8 bytes", file.len()))?;
    let length = u64::from_le_bytes(*length);
    let header = usize::try_from(length).ok().and_then(|length| rest.get(..length));
    let header = header.ok_or_else(|| corrupt("header length", format!("at most {}", rest.len()), length))?;
    let data_start = 8 + header.len();
    let Header(raw) = serde_json::from_slice(header).map_err(|error| corrupt("header", "a JSON object of tensors", error))?;
    let mut entries = BTreeMap::new();
    for (name, tensor) in raw {
        let entry = place(&name, tensor, data_start, file.len())?;
        if entries.contains_key(&name) {
            return Err(corrupt("header", "each tensor once", format!("{name} twice")));
        }
        entries.insert(name, entry);
    }
    without_gaps(&entries, data_start, file.len())?;
    Ok(entries)
}

fn place(name: &str, tensor: RawTensor, data_start: usize, file_len: usize) -> Result<Entry, ModelError> {
    let [start, end] = tensor.data_offsets;
    let n_data = file_len - data_start;
    if start > end || end > n_data {
        return Err(corrupt(&format!("offsets of {name}"), format!("a range within {n_data} bytes of data"), format!("{start}..{end}")));
    }
    let n_elements = tensor.shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
    let n_elements = n_elements.ok_or_else(|| corrupt(&format!("shape of {name}"), "a countable size", format!("{:?}", tensor.shape)))?;
    // Types that cannot be read are an error only when such a tensor is wanted.
    if let Some(element) = ElementType::from_safetensors(&tensor.dtype)
        && element.n_bytes(n_elements) != Some(end - start)
    {
        let expected = format!("the bytes of shape {:?} in {}", tensor.shape, tensor.dtype);
        return Err(corrupt(&format!("size of {name}"), expected, format!("{} bytes", end - start)));
    }
    Ok(Entry { dtype: tensor.dtype, shape: tensor.shape, bytes: data_start + start..data_start + end })
}

/// Tensors follow each other and fill the file; anything else means that it was cut, padded or crafted.
fn without_gaps(entries: &BTreeMap<String, Entry>, data_start: usize, file_len: usize) -> Result<(), ModelError> {
    let mut ranges: Vec<_> = entries.iter().map(|(name, entry)| (entry.bytes.start, entry.bytes.end, name)).collect();
    ranges.sort_unstable();
    let mut at = data_start;
    for (start, end, name) in ranges {
        if start != at {
            return Err(corrupt(&format!("start of {name}"), format!("{}, without gap or overlap", at - data_start), start - data_start));
        }
        at = end;
    }
    if at == file_len { Ok(()) } else { Err(corrupt("file", format!("{at} bytes in all"), file_len)) }
}

#[expect(clippy::needless_pass_by_value, reason = "callers pass numbers and texts alike")]
fn corrupt(what: &str, expected: impl ToString, found: impl ToString) -> ModelError {
    ModelError::Corrupt { format: "safetensors", what: what.to_owned(), expected: expected.to_string(), found: found.to_string() }
}

#[derive(Deserialize)]
struct RawTensor {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// All entries but `__metadata__`, repeated names included.
struct Header(Vec<(String, RawTensor)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<BTreeMap<String, String>>()?;
                    } else {
                        let tensor = map.next_value().map_err(|error| A::Error::custom(format!("{name}: {error}")))?;
                        entries.push((name, tensor));
                    }
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
