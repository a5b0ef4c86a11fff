//! Programming problems in the forms of HumanEval (Chen et al. 2021, arXiv 2107.03374), MBPP (Austin et al. 2021, arXiv 2108.07732) and
//! LiveCodeBench (Jain et al. 2024, arXiv 2403.07974).

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ruminate_core::{CodeLimits, CodeTask, CodeTest, Compare, Gold, Problem};
use ruminate_rewards::code::keep_integers;
use serde::Deserialize;
use serde_json::Value;

use super::Row;
use crate::TaskError;

/// What LiveCodeBench's runner gives every program: the libraries that solutions use without asking.
const LIVE_CODE_BENCH_PREFIX: &str = "\
import bisect, builtins, collections, copy, functools, heapq, itertools, math, operator, random, re, string, sys
from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from math import *
from typing import *
pow = builtins.pow
sys.setrecursionlimit(50000)
";

/// Seconds for one test in LiveCodeBench's runner.
const LIVE_CODE_BENCH_SECONDS: f64 = 6.0;

/// Largest text of private tests, in bytes: they are compressed, and a file is not trusted to say how large they become.
const MAX_TESTS: u64 = 1 << 30;

/// One test of LiveCodeBench.
#[derive(Deserialize)]
struct CaseFields {
    input: String,
    output: String,
    testtype: String,
}

impl Row<'_> {
    /// The head of the function stands before the program, which completes or replaces it, and is what the test's helpers come from.
    pub(super) fn human_eval(&self) -> Result<Problem, TaskError> {
        let (prompt, entry_point) = (self.text("prompt")?, self.text("entry_point")?);
        let assert = format!("{}\n\ncheck({entry_point})\n", self.text("test")?);
        let task = CodeTask {
            prefix: Some(prompt.to_owned()),
            setup: Some(prompt.to_owned()),
            entry_point: Some(entry_point.to_owned()),
            ..python(vec![CodeTest::Assert { assert }])
        };
        self.code(prompt, task)
    }

    /// The tests are part of the question: nothing else names the function.
    pub(super) fn mbpp(&self) -> Result<Problem, TaskError> {
        let text = self.text(self.first_of(&["text", "prompt"]))?;
        let tests = self.texts(self.first_of(&["test_list", "tests"]))?;
        let imports = match self.first_of(&["test_imports"]) {
            field if self.fields.contains_key(field) => self.texts(field)?,
            _ => Vec::new(),
        };
        let code = self.first_of(&["test_setup_code", "setup"]);
        let code = self.fields.get(code).and_then(Value::as_str).unwrap_or_default();
        let setup = imports.into_iter().chain([code]).filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n");
        if tests.is_empty() {
            return Err(self.field_error("test_list", "at least one assertion"));
        }
        let question = format!("{}\n\nThe program must pass these tests:\n\n```python\n{}\n```", text.trim(), tests.join("\n"));
        let tests: Vec<_> = tests.into_iter().map(|assert| CodeTest::Assert { assert: assert.to_owned() }).collect();
        let setup = (!setup.is_empty()).then_some(setup);
        let entry_point = self.tested_function(&tests);
        self.code(&question, CodeTask { setup, entry_point, ..python(tests) })
    }

    /// Outputs are compared as its runner does: by words, numbers by value.
    pub(super) fn live_code_bench(&self) -> Result<Problem, TaskError> {
        let mut cases = self.cases("public_test_cases")?;
        if self.fields.get("private_test_cases").and_then(Value::as_str).is_some_and(|text| !text.is_empty()) {
            cases.extend(self.cases("private_test_cases")?);
        }
        let starter = self.fields.get("starter_code").and_then(Value::as_str).unwrap_or_default().trim_end();
        let mut question = self.text("question_content")?.trim().to_owned();
        if !starter.is_empty() {
            question += &format!("\n\nStart with this code:\n\n```python\n{starter}\n```");
        }
        let tests = cases.into_iter().map(|case| self.case(case)).collect::<Result<_, _>>()?;
        let task = CodeTask {
            prefix: Some(LIVE_CODE_BENCH_PREFIX.to_owned()),
            compare: Compare::Float,
            tolerance: Some(0.0),
            limits: CodeLimits { seconds: Some(LIVE_CODE_BENCH_SECONDS), ..CodeLimits::default() },
            ..python(tests)
        };
        self.code(&question, task)
    }

    fn case(&self, case: CaseFields) -> Result<CodeTest, TaskError> {
        if case.testtype != "functional" {
            return Ok(CodeTest::Output { stdin: case.input, stdout: case.output });
        }
        let json = |text: &str| {
            serde_json::from_str::<Value>(&keep_integers(text))
                .map_err(|_| self.field_error("public_test_cases", "JSON as input and output"))
        };
        let args = case.input.lines().filter(|line| !line.trim().is_empty()).map(json).collect::<Result<_, _>>()?;
        Ok(CodeTest::Call { call: self.function()?, args, expect: json(&case.output)? })
    }

    /// Name of the function, in the JSON text of the field `metadata`.
    fn function(&self) -> Result<String, TaskError> {
        let metadata = self.fields.get("metadata").and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
        let name = metadata.as_ref().and_then(|metadata| metadata.get("func_name")?.as_str());
        name.map(str::to_owned).ok_or_else(|| self.field_error("metadata", "JSON text with 'func_name'"))
    }

    /// Tests as JSON text, or as the base64 of compressed pickled JSON text.
    fn cases(&self, field: &str) -> Result<Vec<CaseFields>, TaskError> {
        let text = self.text(field)?;
        let parsed = serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&unpack(text)?).ok());
        parsed.ok_or_else(|| self.field_error(field, "a list of tests as JSON text, or packed as base64, zlib and pickle"))
    }

    fn code(&self, question: &str, task: CodeTask) -> Result<Problem, TaskError> {
        self.build(question, Gold::Code(Box::new(task)), Some(self.first_of(&["task_id", "question_id", "id"])))
    }

    /// The one function of the set's own solution that the tests call. Some are named like builtins, which tests use too.
    fn tested_function(&self, tests: &[CodeTest]) -> Option<String> {
        let solution = self.fields.get(self.first_of(&["code", "answer"])).and_then(Value::as_str)?;
        let defined = solution.lines().filter_map(|line| Some(line.strip_prefix("def ")?.split_once('(')?.0.trim()));
        let is_called =
            |name: &str| tests.iter().all(|test| matches!(test, CodeTest::Assert { assert } if words(assert).any(|word| word == name)));
        let mut called = defined.filter(|name| is_called(name));
        called.next().filter(|name| called.all(|other| other == *name)).map(str::to_owned)
    }

    fn texts(&self, field: &str) -> Result<Vec<&str>, TaskError> {
        let list = self.fields.get(field).and_then(Value::as_array);
        list.and_then(|list| list.iter().map(Value::as_str).collect()).ok_or_else(|| self.field_error(field, "a list of texts"))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

fn python(tests: Vec<CodeTest>) -> CodeTask {
    CodeTask {
        language: "python".to_owned(),
        tests,
        prefix: None,
        setup: None,
        entry_point: None,
        declaration: None,
        compare: Compare::default(),
        tolerance: None,
        checker: None,
        limits: CodeLimits::default(),
        reward: Default::default(),
    }
}

/// The text in LiveCodeBench's packing.
fn unpack(text: &str) -> Option<String> {
    let compressed = BASE64_STANDARD.decode(text.trim()).ok()?;
    let mut pickled = Vec::new();
    flate2::read::ZlibDecoder::new(compressed.as_slice()).take(MAX_TESTS).read_to_end(&mut pickled).ok()?;
    unpickle(&pickled)
}

/// The one text in a pickle that holds nothing else, of protocol 2 to 5 (PEP 3154 has the opcodes). Anything else is `None`: a pickle can be a program.
fn unpickle(mut bytes: &[u8]) -> Option<String> {
    const PROTOCOL: u8 = 0x80;
    const FRAME: u8 = 0x95;
    const SHORT_TEXT: u8 = 0x8c;
    const TEXT: u8 = b'X';
    const LONG_TEXT: u8 = 0x8d;
    loop {
        let (&opcode, rest) = bytes.split_first()?;
        let n_length_bytes = match opcode {
            PROTOCOL => {
                bytes = rest.get(1..)?;
                continue;
            }
            FRAME => {
                bytes = rest.get(8..)?;
                continue;
            }
            SHORT_TEXT => 1,
            TEXT => 4,
            LONG_TEXT => 8,
            _ => return None,
        };
        let mut length = [0; 8];
        length[..n_length_bytes].copy_from_slice(rest.get(..n_length_bytes)?);
        let text = rest[n_length_bytes..].get(..usize::try_from(u64::from_le_bytes(length)).ok()?)?;
        return String::from_utf8(text.to_vec()).ok();
    }
}

#[cfg(test)]
mod tests;
