//! Rows of data files: JSON objects on the lines of a text, or records of a Parquet file, which is what most data sets of the hub are.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use parquet::file::reader::SerializedFileReader;
use serde_json::{Map, Value};

use crate::TaskError;

/// A row and its number, from 1: the line of a text, the record of a Parquet file.
pub type Row = (usize, Map<String, Value>);

/// The rows of a file, one after the other: of a Parquet file if its name ends in `.parquet`, else of one with a JSON object on each line,
/// empty lines passed over.
///
/// # Errors
/// The file cannot be opened or is no Parquet file; each row in its turn: it cannot be read, or is no JSON object.
pub fn read_rows(path: &Path) -> Result<Box<dyn Iterator<Item = Result<Row, TaskError>> + '_>, TaskError> {
    let read_error = |source| TaskError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read_error)?;
    if path.extension().is_some_and(|extension| extension == "parquet") {
        let parquet_error = |source| TaskError::Parquet { path: path.to_owned(), source: Box::new(source) };
        let records = SerializedFileReader::new(file).map_err(parquet_error)?.into_iter();
        return Ok(Box::new(records.enumerate().map(move |(idx, record)| match record.map_err(parquet_error)?.to_json_value() {
            Value::Object(fields) => Ok((idx + 1, fields)),
            other => unreachable!("a record of a Parquet file is a group of columns, found {other}"),
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
        assert_eq!(rows, [(1, Map::from_iter([("id".to_owned(), Value::Null), ("messages".to_owned(), messages)]))]);
    }

    #[test]
    fn a_damaged_file_is_an_error_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        std::fs::write(&path, "PAR1 and then nothing").unwrap();
        let error = read_rows(&path).err().unwrap().to_string();
        assert!(error.contains("x.parquet: expected a Parquet file"), "{error}");
    }
}
