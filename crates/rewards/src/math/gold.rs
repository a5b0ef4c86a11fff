//! Gold answers as data sets have them: an answer, or a whole solution that marks one.

use super::MAX_ANSWER_BYTES;
use super::answer::Answer;
use super::escapes::with_backslashes;
use super::extract::{Extraction, Place, Several, boxes_of_one_sentence, candidates, unclosed_box};
use super::parse::{self, ParseError};
use super::work::Work;

/// The readings of a gold answer. What cannot be read as an answer is read as a solution: its last `<answer>`, box, `####`
/// or "the answer is" counts.
pub(super) fn read(text: &str, work: &mut Work) -> Result<Vec<Answer>, ParseError> {
    let text = &*with_backslashes(text);
    let parts = boxes_of_one_sentence(text).filter(|parts| parts.len() <= MAX_ANSWER_BYTES);
    if let Some(Ok(readings)) = parts.map(|parts| parse::parse(&parts, work)) {
        return Ok(readings);
    }
    let whole = read_whole(text, work);
    if whole.as_ref().is_ok_and(|readings| !readings.first().is_some_and(says_words)) {
        return whole;
    }
    // A solution may be longer than an answer, and marks its answer once or more.
    let Some(marked) = marked(text).filter(|marked| marked.len() <= MAX_ANSWER_BYTES) else { return whole };
    match (parse::parse(marked, work), whole) {
        // What can be read as a whole stays a reading: the answer `x = \\boxed{yes}` is itself.
        (Ok(readings), Ok(whole)) => Ok([readings, whole].concat()),
        (Ok(readings), Err(_)) | (Err(_), Ok(readings)) => Ok(readings),
        (Err(error), Err(_)) => Err(error),
    }
}

/// The readings of an answer without anything around it.
pub(super) fn read_whole(text: &str, work: &mut Work) -> Result<Vec<Answer>, ParseError> {
    if text.len() > MAX_ANSWER_BYTES { Err(ParseError::Exhausted) } else { parse::parse(text, work) }
}

/// The answer that a solution marks.
fn marked(text: &str) -> Option<&str> {
    let place = |place| Extraction { order: vec![place], several: Several::Last };
    let found = |at| candidates(text, &place(at)).pop().map(|found| found.text);
    let marks = [Place::Tag, Place::Boxed, Place::Hashes];
    marks.into_iter().find_map(found).or_else(|| unclosed_box(text)).or_else(|| found(Place::Phrase))
}

/// Whether words are a part of the answer.
fn says_words(answer: &Answer) -> bool {
    match answer {
        Answer::Words(_) => true,
        Answer::Relation { terms, .. } => terms.iter().any(says_words),
        Answer::List(parts) | Answer::Set(parts) | Answer::Tuple(parts) => parts.iter().any(says_words),
        _ => false,
    }
}
