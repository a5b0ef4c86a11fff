//! The maths verifier: is what a completion answers what the reference answers?
//!
//! Text is read as a tree ([`parse`]), trees are compared kind by kind, and numbers in three stages: exact arithmetic, canonical
//! forms, evaluation with error bounds at random points. Every step pays from a budget, so any text ends in bounded time and memory.
//! `docs/concepts/math-verifier.md` says what is read and what counts as equal.

mod annotations;
pub mod answer;
mod compare;
mod escapes;
pub mod extract;
mod gold;
mod number;
pub mod parse;
mod work;
mod worked;

use annotations::without_annotations;
use compare::{Match, Matcher};
use escapes::with_backslashes;
use extract::{Extraction, Place, candidates};
use number::{Decided, Paths};
use parse::ParseError;
use serde::{Deserialize, Serialize};
use work::{Exhausted, Work};

use answer::Answer;

/// How a judgement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The same answer.
    Equal,
    /// Another answer, or one that could not be shown to be the same.
    Different,
    /// The prediction holds no answer that can be read.
    UnparsedPrediction,
    /// The gold answer cannot be read: a defect of the data.
    UnparsedGold,
    /// The work limit was met before it was decided.
    Timeout,
}

/// What decided, from the surest to the least sure. A comparison of many parts names the least sure one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Arithmetic with exact numbers.
    Exact,
    /// The text or its words.
    Text,
    /// Canonical forms of expressions.
    Symbolic,
    /// Evaluation with error bounds: "different" is proven, "equal" is so but for the error probability in the documentation.
    Numeric,
}

/// The outcome of one comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Whether the answers are equal.
    pub verdict: Verdict,
    /// One line for people.
    pub reason: String,
    /// What decided.
    pub method: Method,
    /// Where the answer stood in a response.
    pub place: Option<Place>,
}

/// How responses are judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Where the answer is looked for.
    pub extraction: Extraction,
    /// Whether a number must be met by a number: `8*3` is then no answer to a question for 24, nor is `(16-4)*2`, which leave the
    /// arithmetic to the reader.
    pub worked_out: bool,
}

/// What each path says on its own; `None` where it cannot decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Exact arithmetic and canonical forms, without evaluation.
    pub exact: Option<Verdict>,
    /// Evaluation of every expression, without canonical forms.
    pub numeric: Option<Verdict>,
    /// The answer that was found.
    pub answer: Option<String>,
}

impl Audit {
    /// Whether both paths decided, and not the same: a defect of the verifier or of the error probability.
    pub fn disagrees(&self) -> bool {
        matches!((self.exact, self.numeric), (Some(exact), Some(numeric)) if exact != numeric)
    }
}

/// Work of one judgement, in steps of 10 to 30 nanoseconds: about 20 ms.
const STEPS: u64 = 800_000;

/// Longest answer, in bytes, that is read. Longer ones are not answers.
pub(crate) const MAX_ANSWER_BYTES: usize = 2000;

/// Answers of one response that are judged where all must agree; more are not an answer.
const MAX_ANSWERS: usize = 16;

/// Judges a response: finds its answer, reads it and the gold answer, and compares them.
///
/// Total: any texts give a comparison after bounded work. Extraction is linear in the length of the response, and the comparison
/// takes at most 800,000 steps, about 20 ms, for each answer found.
pub fn verify(gold: &str, response: &str, options: &Options) -> Comparison {
    let response = with_backslashes(response);
    let response = without_annotations(&response);
    let found = candidates(&response, &options.extraction);
    let Some(last) = found.last() else {
        // A gold answer that cannot be read is reported even so.
        return match parse_gold(gold) {
            Err(error) => unparsed(Verdict::UnparsedGold, format!("gold answer '{}': {error}", shorten(gold))),
            Ok(_) => unparsed(Verdict::UnparsedPrediction, "no answer found".to_owned()),
        };
    };
    let place = Some(last.place);
    if found.len() > MAX_ANSWERS {
        let reason = format!("found {} answers, at most {MAX_ANSWERS} may agree", found.len());
        return Comparison { place, ..unparsed(Verdict::UnparsedPrediction, reason) };
    }
    let mut judged = None;
    for answer in &found {
        let comparison = compare_texts(gold, answer.text, if options.worked_out { Rule::WorkedOut } else { Rule::Answer }, Paths::Both);
        let equal = comparison.verdict == Verdict::Equal;
        let reason = format!("{} {}", comparison.reason, last.place.as_str());
        judged = Some(Comparison { place, reason, ..comparison });
        if !equal {
            break;
        }
    }
    judged.unwrap_or_else(|| unparsed(Verdict::UnparsedPrediction, "no answer found".to_owned()))
}

/// Judges the last answer of a response by the exact and by the numeric path, each alone.
pub fn audit(gold: &str, response: &str, options: &Options) -> Audit {
    let response = with_backslashes(response);
    let response = without_annotations(&response);
    let Some(answer) = candidates(&response, &options.extraction).pop() else {
        return Audit { exact: None, numeric: None, answer: None };
    };
    let alone = |paths| {
        let (comparison, open) = compare_readings(gold, answer.text, Rule::Answer, paths);
        (!open).then_some(comparison.verdict)
    };
    Audit { exact: alone(Paths::ExactOnly), numeric: alone(Paths::NumericOnly), answer: Some(answer.text.to_owned()) }
}

/// Reads a gold answer, which may be wrapped in `$…$` or `\boxed{…}`, or be a whole solution that marks it so.
///
/// # Errors
/// What in the text cannot be read, so that such data are found before training.
pub fn parse_gold(text: &str) -> Result<Vec<Answer>, ParseError> {
    gold::read(text, &mut Work::new(STEPS))
}

/// Whether a text is a number, with or without a unit: the form that answers of GSM8K have.
pub fn is_number(text: &str) -> bool {
    parse_gold(text).is_ok_and(|readings| readings.first().is_some_and(worked::is_number))
}

/// Whether two answers are the same, for majority votes: symmetric, with decimals taken as the exact numbers that they write.
///
/// Texts that cannot be read are equal to nothing, not even to themselves.
pub fn same_answer(a: &str, b: &str) -> bool {
    // One order for both calls, so that limits of work fall at the same place.
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    compare_texts(a, b, Rule::Vote, Paths::Both).verdict == Verdict::Equal
}

/// Compares a gold answer with a predicted one; both are answers, not responses. A decimal gold answer may be met by rounding.
pub fn compare_answers(gold: &str, prediction: &str) -> Comparison {
    compare_texts(gold, prediction, Rule::Answer, Paths::Both)
}

/// What one text must be to the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The same, whichever of the two comes first.
    Vote,
    /// What the gold answer, the first of them, asks for: a decimal gold answer may be met by rounding.
    Answer,
    /// That, and a number where it asks for one.
    WorkedOut,
}

fn compare_texts(gold: &str, prediction: &str, rule: Rule, paths: Paths) -> Comparison {
    compare_readings(gold, prediction, rule, paths).0
}

/// The comparison, and whether it was left open.
fn compare_readings(gold: &str, prediction: &str, rule: Rule, paths: Paths) -> (Comparison, bool) {
    let mut work = Work::new(STEPS);
    let tolerant = rule != Rule::Vote;
    let too_long = |text: &str| text.len() > MAX_ANSWER_BYTES;
    let length = |text: &str| format!("answer has {} bytes, at most {MAX_ANSWER_BYTES} are read", text.len());
    let expected = match if tolerant { gold::read(gold, &mut work) } else { gold::read_whole(gold, &mut work) } {
        Ok(readings) => readings,
        Err(_) if too_long(gold) => return (unparsed(Verdict::UnparsedGold, length(gold)), false),
        Err(ParseError::Exhausted) => return (timeout("reading the gold answer"), true),
        Err(error) => return (unparsed(Verdict::UnparsedGold, format!("gold answer '{}': {error}", shorten(gold))), false),
    };
    if too_long(prediction) {
        return (unparsed(Verdict::UnparsedPrediction, length(prediction)), false);
    }
    let found = match parse::parse(prediction, &mut work) {
        Ok(readings) => readings,
        Err(ParseError::Exhausted) => return (timeout("reading the prediction"), true),
        Err(error) => return (unparsed(Verdict::UnparsedPrediction, format!("'{}': {error}", shorten(prediction))), false),
    };
    let (mut expected, mut found) = without_unlikely((gold, expected), (prediction, found));
    if tolerant && let Some((decimal, in_gold)) = decimal_comma(gold, prediction) {
        let readings = if in_gold { &mut expected } else { &mut found };
        // It is the likeliest reading, so that its unit may be left out.
        readings.splice(0..0, parse::parse(&decimal, &mut work).unwrap_or_default());
    }
    if gold.trim() == prediction.trim() {
        // Whatever a gold answer marks within it, it is itself.
        expected.extend(found.iter().cloned());
    }
    let mut matcher = Matcher::new(work, paths, tolerant, seed(gold, prediction));
    let texts = || format!("expected {}, found {}", shown(&expected), shown(&found));
    let (verdict, reason, method, open) = match matcher.readings(&expected, &found) {
        Ok(Match { decided: Decided::Equal(method), .. })
            if rule == Rule::WorkedOut && worked::is_missing(&expected, &found, &mut matcher) =>
        {
            (Verdict::Different, format!("found {}, which is not worked out", shown(&found)), method, false)
        }
        Ok(Match { decided: Decided::Equal(method), .. }) => (Verdict::Equal, format!("found {}", shown(&found)), method, false),
        Ok(Match { decided: Decided::Different(method), note }) => {
            let why = note.map_or_else(String::new, |note| format!(" ({note})"));
            (Verdict::Different, texts() + &why, method, false)
        }
        Ok(Match { decided: Decided::Open(why), .. }) => {
            (Verdict::Different, format!("{} (not shown to be equal: {why})", texts()), Method::Numeric, true)
        }
        Err(Exhausted) => return (timeout("comparing"), true),
    };
    (Comparison { verdict, reason, method, place: None }, open)
}

/// Leaves out readings that the form of both texts together speaks against: `1,234` is a list only against the same form, and
/// `2024-1-2` no difference against a number.
fn without_unlikely((gold, mut expected): (&str, Vec<Answer>), (prediction, mut found): (&str, Vec<Answer>)) -> (Vec<Answer>, Vec<Answer>) {
    let collection = |answer: &Answer| matches!(answer, Answer::List(_) | Answer::Set(_) | Answer::Tuple(_) | Answer::Interval { .. });
    if in_thousands(gold) && !in_thousands(prediction) && prediction.contains(',') {
        expected.retain(|answer| !collection(answer));
        found.retain(|answer| !collection(answer));
    }
    let number = |text: &str| bare(text).parse::<i64>().is_ok();
    if is_day(gold) && number(prediction) {
        expected.retain(|answer| !matches!(answer, Answer::Expr(_)));
    }
    if is_day(prediction) && number(gold) {
        found.retain(|answer| !matches!(answer, Answer::Expr(_)));
    }
    (expected, found)
}

/// The one of two texts that writes a number with a decimal comma, with a point instead, and whether it is the gold answer: `3,25` is 3.25
/// for a gold answer with a point, and a gold answer `3,05`, which cannot be a list, is met by the same digits with a point. Three digits
/// behind a comma are thousands, unless a zero stands before it.
fn decimal_comma(gold: &str, prediction: &str) -> Option<(String, bool)> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let halves = |text: &str, mark: char| text.split_once(mark).is_some_and(|(whole, part)| digits(whole) && digits(part));
    let with_comma = |text: &str| halves(text, ',') && (text.starts_with("0,") || !in_thousands(text));
    // A currency does not matter.
    let money = |c: char| matches!(c, '$' | '€' | '£' | ' ');
    let (gold, prediction) = (bare(gold), bare(prediction));
    let (expected, found) = (gold.trim_start_matches('-'), prediction.trim_matches(money).trim_start_matches('-'));
    if halves(expected, '.') && with_comma(found) {
        return Some((prediction.replace(',', "."), false));
    }
    let pointed = gold.replacen(',', ".", 1);
    // `2,5` may be the two solutions of an equation.
    let is_no_list = |(whole, part): (&str, &str)| part.len() > 1 && part.starts_with('0') || whole == "0" && part.len() > 2;
    let is_no_list = expected.split_once(',').is_some_and(is_no_list);
    (is_no_list && with_comma(expected) && pointed == prediction.trim_matches(money)).then_some((pointed, true))
}

fn bare(text: &str) -> &str {
    text.trim_matches(['$', ' ', '\n'])
}

/// `d{1,3}(,ddd)+`
fn in_thousands(text: &str) -> bool {
    let mut groups = bare(text).split(',');
    let digits = |group: &str| !group.is_empty() && group.len() <= 3 && group.bytes().all(|byte| byte.is_ascii_digit());
    let mut behind = 0;
    groups.next().is_some_and(digits)
        && groups.all(|group| {
            behind += 1;
            group.len() == 3 && digits(group)
        })
        && behind > 0
}

/// `2024-1-2`
fn is_day(text: &str) -> bool {
    let lengths: Vec<usize> =
        bare(text).split('-').map(|part| if part.bytes().all(|b| b.is_ascii_digit()) { part.len() } else { 0 }).collect();
    matches!(lengths.as_slice(), [4, 1..=2, 1..=2])
}

fn timeout(doing: &str) -> Comparison {
    Comparison { verdict: Verdict::Timeout, reason: format!("the limit of work was met while {doing}"), method: Method::Text, place: None }
}

fn unparsed(verdict: Verdict, reason: String) -> Comparison {
    Comparison { verdict, reason, method: Method::Text, place: None }
}

/// The likeliest reading in short text.
fn shown(readings: &[Answer]) -> String {
    readings.first().map_or_else(|| "nothing".to_owned(), |answer| shorten(&answer.to_string()))
}

/// At most 60 characters on one line: reasons are read by people.
fn shorten(text: &str) -> String {
    let line: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < text.len() { line + "…" } else { line }
}

/// The same for both orders: a hash of the texts (Fowler, Noll and Vo, FNV-1a).
fn seed(a: &str, b: &str) -> u64 {
    let hash =
        |text: &str| text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    hash(a).wrapping_add(hash(b))
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
