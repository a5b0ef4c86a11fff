//! Rows of data files: JSON objects on the lines of a text, or records of a Parquet file, which is what most data sets of the hub are.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::panic::catch_unwind;
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::reader::SerializedFileReader;
use parquet::record::{Field, Row as Record};
use serde_json::{Map, Number, Value};

use crate::TaskError;

/// A row and its number, from 1: the line of a text, the record of a Parquet file.
pub type Row = (usize, Map<String, Value>);

/// The rows of a file, one after the other: of a Parquet file if its name ends in `.parquet`, else of one with a JSON object on each line,
/// empty lines passed over. Columns of a Parquet file that are null are left out, as JSON lines leave them out; dates and times are the
/// numbers that the file has.
///
/// # Errors
/// The file cannot be opened or is no Parquet file; each row in its turn: it cannot be read, is no JSON object, or has bytes that are no text.
pub fn read_rows(path: &Path) -> Result<Box<dyn Iterator<Item = Result<Row, TaskError>> + '_>, TaskError> {
    let read_error = |source| TaskError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read_error)?;
    if path.extension().is_some_and(|extension| extension == "parquet") {
        let error = move |what: String| TaskError::Parquet { path: path.to_owned(), what };
        // The reader asserts what it expects of the schema.
        let records = catch_unwind(|| SerializedFileReader::new(file).map(IntoIterator::into_iter))
            .unwrap_or_else(|_| Err(ParquetError::General("its schema is of no known form".to_owned())))
            .map_err(|source| error(format!("expected a Parquet file, {source}")))?;
        return Ok(Box::new(records.enumerate().map(move |(idx, record)| {
            let number = idx + 1;
            let fields = record.map_err(|source| source.to_string()).and_then(|record| fields(&record));
            fields.map(|fields| (number, fields)).map_err(|what| error(format!("row {number}: {what}")))
        })));
    }
    let lines = BufReader::new(file).lines().enumerate().map(|(idx, text)| (idx + 1, text));
    let not_empty = |(_, text): &(usize, std::io::Result<String>)| text.as_ref().map_or(true, |text| !text.trim().is_empty());
    Ok(Box::new(lines.filter(not_empty).map(move |(line, text)| {
        let text = text.map_err(read_error)?;
        let fields = serde_json::from_str(&text).map_err(|source| TaskError::Json { path: path.to_owned(), line, source })?;
        Ok((line, fields))
    })))
}

fn fields(record: &Record) -> Result<Map<String, Value>, String> {
    let columns = record.get_column_iter().filter(|(_, field)| !matches!(field, Field::Null));
    columns.map(|(name, field)| Ok((name.clone(), value(field).map_err(|what| format!("column '{name}': {what}"))?))).collect()
}

/// What a field says in JSON.
fn value(field: &Field) -> Result<Value, String> {
    let float = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::Bool(*value),
        Field::Byte(value) => Value::from(*value),
        Field::Short(value) => Value::from(*value),
        Field::Int(value) | Field::Date(value) | Field::TimeMillis(value) => Value::from(*value),
        Field::Long(value) | Field::TimeMicros(value) | Field::TimestampMillis(value) | Field::TimestampMicros(value) => {
            Value::from(*value)
        }
        Field::UByte(value) => Value::from(*value),
        Field::UShort(value) => Value::from(*value),
        Field::UInt(value) => Value::from(*value),
        Field::ULong(value) => Value::from(*value),
        Field::Float(value) => float(f64::from(*value)),
        Field::Double(value) => float(*value),
        Field::Str(text) => Value::String(text.clone()),
        // Older writers do not say that their bytes are text.
        Field::Bytes(bytes) => {
            let text =
                std::str::from_utf8(bytes.data()).map_err(|_| format!("expected text, found {} bytes that are none", bytes.len()))?;
            Value::String(text.to_owned())
        }
        Field::Group(record) => Value::Object(fields(record)?),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(value).collect::<Result<_, _>>()?),
        Field::MapInternal(map) => {
            let entry = |(key, field): &(Field, Field)| match value(key)? {
                Value::String(key) => Ok((key, value(field)?)),
                other => Err(format!("expected a map with texts as keys, found the key {other}")),
            };
            Value::Object(map.entries().iter().map(entry).collect::<Result<_, _>>()?)
        }
        other => return Err(format!("expected a text, number, list or group, found {other:?}")),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::data_type::ByteArray;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use serde_json::json;

    use super::*;
    use crate::{ProblemForm, load_problems};

    /// Writes columns of texts, each with its definition and repetition levels.
    fn write_parquet(path: &Path, schema: &str, columns: &[(&[&str], &[i16], &[i16])]) {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(WriterProperties::default())).unwrap();
        let mut group = writer.next_row_group().unwrap();
        for (values, definitions, repetitions) in columns {
            let values: Vec<ByteArray> = values.iter().map(|&value| ByteArray::from(value)).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<parquet::data_type::ByteArrayType>().write_batch(&values, Some(definitions), Some(repetitions)).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn problems_of_a_parquet_file_are_those_of_the_same_lines() {
        let dir = tempfile::tempdir().unwrap();
        let (parquet, lines) = (dir.path().join("sums.parquet"), dir.path().join("sums.jsonl"));
        let schema = "message m { required binary question (UTF8); optional binary answer (UTF8); }";
        write_parquet(&parquet, schema, &[(&["1+1?", "2+2?"], &[0, 0], &[0, 0]), (&["so #### 2", "#### 4"], &[1, 1], &[0, 0])]);
        std::fs::write(&lines, "{\"question\":\"1+1?\",\"answer\":\"so #### 2\"}\n\n{\"question\":\"2+2?\",\"answer\":\"#### 4\"}")
            .unwrap();
        let read = |path: &Path| {
            let problems = load_problems(path, Some(&ProblemForm::Gsm8k), "sums", ruminate_core::Language::En).unwrap();
            problems.into_iter().map(|problem| (problem.question, problem.gold)).collect::<Vec<_>>()
        };
        assert_eq!(read(&parquet), read(&lines));
        assert_eq!(read_rows(&parquet).unwrap().map(|row| row.unwrap().0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(read_rows(&lines).unwrap().map(|row| row.unwrap().0).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn lists_of_messages_and_empty_fields_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("talk.parquet");
        let schema =
            "message m { optional binary id (UTF8); optional group messages (LIST) { repeated group list { optional group element {
            optional binary role (UTF8); optional binary content (UTF8); } } } }";
        let turns: (&[i16], &[i16]) = (&[4, 4], &[0, 1]);
        write_parquet(
            &path,
            schema,
            &[(&[], &[0], &[0]), (&["user", "assistant"], turns.0, turns.1), (&["hi", "hello"], turns.0, turns.1)],
        );
        let rows: Vec<Row> = read_rows(&path).unwrap().collect::<Result<_, _>>().unwrap();
        let messages = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]);
        assert_eq!(rows, [(1, Map::from_iter([("messages".to_owned(), messages)]))]);
    }

    #[test]
    fn a_damaged_file_is_an_error_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        std::fs::write(&path, "PAR1 and then nothing").unwrap();
        let error = read_rows(&path).err().unwrap().to_string();
        assert!(error.contains("x.parquet: expected a Parquet file"), "{error}");
        // Whatever is cut off of a good file, there is an error and no panic.
        let good = dir.path().join("good.parquet");
        let schema = "message m { required binary question; }";
        write_parquet(&good, schema, &[(&["1+1?", "2+2?"], &[0, 0], &[0, 0])]);
        let rows: Vec<Row> = read_rows(&good).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows[1].1["question"], "2+2?", "text that does not say that it is");
        let bytes = std::fs::read(&good).unwrap();
        for len in 0..bytes.len() {
            std::fs::write(&path, &bytes[..len]).unwrap();
            let read = read_rows(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            assert!(read.unwrap_err().to_string().contains("x.parquet"), "cut off after {len} bytes");
        }
        let bytes = ByteArray::from(vec![0xff, 0xfe]);
        assert_eq!(value(&Field::Bytes(bytes)).unwrap_err(), "expected text, found 2 bytes that are none");
        assert_eq!(value(&Field::TimestampMillis(i64::MAX)), Ok(Value::from(i64::MAX)));
    }
}
