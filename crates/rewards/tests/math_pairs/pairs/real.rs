//! Pairs made of real answers, which this repository does not hold: their text is rewritten, or changed in one place.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;

use super::dice::Dice;
use super::latex::{Fraction, decimal, tight};
use super::numbers::near_integers;
use super::{Group, Wrap};

/// The answers of the three sets in `folder`, each once; `None` if one of the sets is not there.
pub(crate) fn read_answers(folder: &Path) -> Option<Vec<String>> {
    let mut answers: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for name in ["math500", "math_train", "gsm8k_test"] {
        let file = File::open(folder.join(format!("{name}.jsonl.gz"))).ok()?;
        for line in BufReader::new(GzDecoder::new(file)).lines() {
            let item: serde_json::Value = serde_json::from_str(&line.ok()?).ok()?;
            let answer = item.get("answer")?.as_str()?.to_owned();
            if seen.insert(answer.clone()) {
                answers.push(answer);
            }
        }
    }
    Some(answers)
}

/// What can be made of one answer.
pub(super) fn groups(answer: &str, all: &[String], dice: &mut Dice) -> Vec<(&'static str, Wrap, Group)> {
    let clean = answer.replace(",\\!", "").replace("{,}", "").replace("\\$", "").replace("\\!", "");
    let clean = clean.trim();
    // Gold answers of these sets write separators in one way only, so that what is left is a number.
    if let Ok(value) = clean.replace(", ", "").replace(' ', "").parse::<i64>()
        && value.abs() < 1_000_000_000_000
        && !clean.contains(", ")
    {
        return vec![("real integers", Wrap::Both, integer(answer, value, dice))];
    }
    if let Some((value, n_digits)) = parse_decimal(clean) {
        return vec![("real decimals", Wrap::Both, decimals(answer, value, n_digits))];
    }
    if let Some(value) = parse_fraction(clean) {
        return vec![("real fractions", Wrap::Math, fraction(answer, value, dice))];
    }
    if let Some((numeral, base)) = parse_based(clean) {
        return vec![("real bases", Wrap::Math, based(answer, numeral, base, dice))];
    }
    if let Some(word) = answer.strip_prefix("\\text{").and_then(|rest| rest.strip_suffix('}')) {
        return vec![("real words", Wrap::Words, word_group(answer, word, all, dice))];
    }
    let equal = rewritten(answer, dice);
    let different = changed(answer, dice);
    let family = if answer.contains("matrix") {
        "real matrices"
    } else if is_expression(answer) {
        "real expressions"
    } else if answer.contains("\\text") || answer.contains("\\mbox") || answer.contains("^\\circ") || answer.contains('%') {
        "real quantities"
    } else {
        "real tuples, intervals and relations"
    };
    vec![(family, Wrap::Math, Group::new(answer, equal, different))]
}

fn integer(answer: &str, value: i64, dice: &mut Dice) -> Group {
    let k = dice.int(2, 9);
    let mut equal = vec![value.to_string(), format!("{value}.0"), format!("{}/{k}", value * k), format!("{} + {k}", value - k)];
    if value.abs() >= 1_000 {
        let digits = value.abs().to_string();
        let groups: Vec<String> = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        equal.push(format!("{}{}", if value < 0 { "-" } else { "" }, groups.join(",")));
    }
    Group::new(answer, equal, near_integers(value, dice).iter().map(ToString::to_string).collect())
}

fn parse_decimal(text: &str) -> Option<(i64, u32)> {
    let (whole, part) = text.split_once('.')?;
    let is_number = (whole.is_empty() || whole == "-" || whole.parse::<i64>().is_ok()) && !part.is_empty();
    let n_digits = u32::try_from(part.len()).ok()?;
    (is_number && n_digits < 7 && part.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
    Some((format!("{whole}{part}").parse().ok()?, n_digits))
}

fn decimals(answer: &str, value: i64, n_digits: u32) -> Group {
    let exact = Fraction::new(value, 10_i64.pow(n_digits));
    Group::new(
        answer,
        vec![decimal(value, n_digits), format!("{}0", decimal(value, n_digits)), exact.plain()],
        vec![
            decimal(value + 1, n_digits),
            decimal(value - 2, n_digits),
            decimal(-value, n_digits),
            decimal(value * 10, n_digits),
            decimal(value, n_digits + 1),
            Fraction::new(value + 3, 10_i64.pow(n_digits)).plain(),
        ],
    )
}

fn parse_fraction(text: &str) -> Option<Fraction> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let inside = text.strip_prefix("\\frac{").or_else(|| text.strip_prefix("\\dfrac{")).or_else(|| text.strip_prefix("\\tfrac{"))?;
    let (above, below) = inside.strip_suffix('}')?.split_once("}{")?;
    let (above, below): (i64, i64) = (above.trim().parse().ok()?, below.trim().parse().ok()?);
    (below > 1 && above.abs() < 1_000_000_000 && below < 1_000_000_000).then(|| Fraction::new(sign * above, below))
}

fn fraction(answer: &str, value: Fraction, dice: &mut Dice) -> Group {
    let Fraction { above, below } = value;
    let mut near = vec![
        Fraction::new(above + 1, below),
        Fraction::new(above, below + 1),
        value.negative(),
        Fraction::new(below, above),
        Fraction::new(above * 10 + 1, below),
    ];
    near.retain(|other| *other != value);
    let different = near.iter().flat_map(|other| [other.latex(), other.plain()]).chain([above.to_string()]).collect();
    Group::new(answer, value.notations(dice), different)
}

/// The numeral and its base of `1011_2` and `\text{A5}_{11}`.
fn parse_based(text: &str) -> Option<(&str, i64)> {
    let (numeral, base) = text.split_once('_')?;
    let base: i64 = base.trim_start_matches('{').trim_end_matches('}').parse().ok()?;
    let numeral = numeral.strip_prefix("\\text{").and_then(|rest| rest.strip_suffix('}')).unwrap_or(numeral);
    (numeral.len() > 1 && numeral.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()) && base > 1).then_some((numeral, base))
}

fn based(answer: &str, numeral: &str, base: i64, dice: &mut Dice) -> Group {
    let has_letters = numeral.contains(|c: char| c.is_ascii_alphabetic());
    let body = if has_letters { format!("\\text{{{numeral}}}") } else { numeral.to_owned() };
    let mut equal = vec![format!("{body}_{{{base}}}"), format!("({body})_{{{base}}}")];
    let mut different = vec![format!("{body}_{{{}}}", base + dice.int(1, 4)), format!("{body}0_{{{base}}}"), format!("-{body}_{{{base}}}")];
    if !has_letters {
        equal.push(numeral.to_owned());
        different.push(numeral[..numeral.len() - 1].to_owned());
        different.push(format!("{}_{{{base}}}", &numeral[..numeral.len() - 1]));
        if let Ok(value) = i64::from_str_radix(numeral, u32::try_from(base).unwrap_or(10))
            && base != 10
        {
            different.push(value.to_string());
            different.push(format!("{}_{{10}}", value + 1));
            equal.push(format!("{value}_{{10}}"));
        }
    }
    Group::new(answer, equal, different)
}

fn word_group(answer: &str, word: &str, all: &[String], dice: &mut Dice) -> Group {
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let is_choice = |word: &str| letters(word).chars().count() == 1;
    let mut different = Vec::new();
    for _ in 0..200 {
        let other = dice.pick(all);
        if let Some(other) = other.strip_prefix("\\text{").and_then(|rest| rest.strip_suffix('}'))
            && is_choice(other) == is_choice(word)
            && !letters(other).contains(&letters(word))
            && !letters(word).contains(&letters(other))
        {
            different.push(other.to_owned());
        }
    }
    let equal =
        if is_choice(word) { vec![word.to_owned(), letters(word).to_uppercase()] } else { vec![word.to_owned(), word.to_lowercase()] };
    Group::new(answer, equal, different)
}

/// A single value, without units and relations.
fn is_expression(text: &str) -> bool {
    const MARKS: [&str; 24] = [
        ",", "=", "<", ">", "\\le", "\\ge", "\\in", "\\cup", "\\cap", "\\pm", "\\mp", "\\text", "\\mbox", "matrix", "\\{", "[", "%", "$",
        "\\circ", ":", "_", "!", "array", "\\ne",
    ];
    // `\left` begins with `\le`.
    let text = text.replace("\\left", "").replace("\\sqrt[", "\\sqrt");
    text.contains(|c: char| c.is_ascii_digit()) && !MARKS.iter().any(|mark| text.contains(mark))
}

/// The same text in other notation.
fn rewritten(text: &str, dice: &mut Dice) -> Vec<String> {
    let has_words = text.contains("\\text") || text.contains("\\mbox") || text.contains("\\hbox");
    let mut found = vec![
        text.to_owned(),
        format!("\\displaystyle {text}"),
        text.replace("\\frac", "\\dfrac"),
        text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac"),
        text.replace("\\cdot", "\\times"),
        text.replace(", ", ",\\, "),
        (0..10).fold(text.to_owned(), |text, digit| text.replace(&format!("^{digit}"), &format!("^{{{digit}}}"))),
        text.replace("\\infty", "+\\infty").replace("-+", "-").replace("- +", "-"),
        text.replace("^\\circ", "^{\\circ}"),
        text.replace(" \\\\ ", " \\\\[2pt] "),
        text.replace(" \\\\ ", "\\\\"),
        text.replace("pmatrix", "bmatrix"),
        text.replace("\\left", "").replace("\\right", ""),
    ];
    if !text.contains("\\left") && !text.contains("\\sqrt[") && !text.contains("\\\\") && !text.contains('|') {
        for (open, close) in [("\\left", "\\right"), ("\\bigl", "\\bigr")] {
            let sized = text.replace('(', &format!("{open}(")).replace(')', &format!("{close})"));
            // A square bracket may close a round one, but braces stay as they are.
            found.push(sized.replace('[', &format!("{open}[")).replace(']', &format!("{close}]")));
        }
    }
    if !has_words {
        found.push(text.replace('+', " + ").replace(',', " , "));
        if !text.contains('\\') {
            found.push(tight(text));
        }
    }
    if !text.ends_with(['.', ',']) {
        found.push(format!("{{{text}}}"));
    }
    if is_expression(text) && !text.ends_with('.') {
        found.push(format!("\\left({text}\\right)"));
        if let Some((first, rest)) = split_sum(text)
            && !first.starts_with('-')
        {
            found.push(format!("{rest} + {first}"));
        }
        if !has_variables(text) {
            found.push(format!("x = {text}"));
        }
    }
    if let Some((value, unit)) = text.split_once("\\text{ ")
        && value.contains(|c: char| c.is_ascii_digit())
        && unit.ends_with('}')
        && !["and", "or", "to", "if"].iter().any(|word| unit.starts_with(word))
    {
        found.push(value.trim().to_owned());
    }
    // Only one way of leaving the text as it is.
    let plain = dice.chance(6);
    found.retain(|other| plain || other != text);
    found
}

/// Whether letters stand outside of commands.
fn has_variables(text: &str) -> bool {
    let mut in_command = false;
    text.chars().any(|c| {
        in_command = c == '\\' || (in_command && c.is_ascii_alphabetic());
        c.is_ascii_alphabetic() && !in_command
    })
}

/// The text before and behind the first plus sign outside of all brackets.
fn split_sum(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '+' if depth == 0 && at > 0 => return Some((text[..at].trim(), text[at + 1..].trim())),
            _ => {}
        }
    }
    None
}

/// Texts that say something else.
fn changed(text: &str, dice: &mut Dice) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(other_digit(text, dice));
    found.extend(other_digit(text, dice));
    if is_expression(text) {
        match text.strip_prefix('-') {
            Some(rest) => found.push(rest.trim().to_owned()),
            None if !text.starts_with('0') => found.push(format!("-{text}")),
            None => {}
        }
        found.push(format!("{text} + 1"));
        if let Some((first, _)) = split_sum(text) {
            found.push(first.to_owned());
            found.push(format!("{first} +"));
        }
    }
    if let Some((first, _)) = text.split_once("\\cup") {
        found.push(first.trim().to_owned());
    }
    let is_flat = !text.contains('(') && !text.contains('[') && !text.contains("\\text") && !text.contains("\\mbox");
    if text.contains(", ") && is_flat && !text.contains("\\{") {
        // The last of several is missing.
        found.extend(text.rsplit_once(", ").map(|(most, _)| most.to_owned()));
    }
    found
}

/// Another digit in one place. Left alone are names, subscripts, angles inside of functions (which repeat), and what a zero could
/// make meaningless.
fn other_digit(text: &str, dice: &mut Dice) -> Option<String> {
    const SKIPPED: [&str; 12] =
        ["\\sin", "\\cos", "\\tan", "\\cot", "\\sec", "\\csc", "_", "\\overline", "array", "\\text{", "\\mbox", "i^"];
    if SKIPPED.iter().any(|skipped| text.contains(skipped)) && !text.contains("\\text{ ") {
        return None;
    }
    let until = text.find("\\text{").or_else(|| text.find("\\mbox")).unwrap_or(text.len());
    // Behind a zero, another digit may say the same; an equation with one term may be scaled.
    let places: Vec<usize> = text[..until].char_indices().filter(|(_, c)| c.is_ascii_digit() && *c != '0').map(|(at, _)| at).collect();
    // An improper fraction behind a whole number may be read as a product.
    let is_mixed = text.find("\\frac").is_some_and(|at| text[..at].trim_end().ends_with(|c: char| c.is_ascii_digit()));
    let has_bare_zero = text.contains("= 0") && !text[..until].contains([' ', '+', '-']);
    if places.is_empty() || is_mixed || has_bare_zero || text.contains("^0") || text.contains("{0}") {
        return None;
    }
    let at = dice.pick(&places);
    let old = text[at..].chars().next()?.to_digit(10)?;
    let new = (old + u32::try_from(dice.int(0, 7)).ok()?) % 9 + 1;
    let new = if new == old { old % 9 + 1 } else { new };
    Some(format!("{}{new}{}", &text[..at], &text[at + 1..]))
}
