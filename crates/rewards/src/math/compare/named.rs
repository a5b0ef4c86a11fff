//! Answers that say a value of something: `x = 5`, `x = 1, y = 2`, `(x, y) = (1, 2)`, `x \in S`.

use super::expand::{each_expr, renamed};
use super::relation::is_constant;
use crate::math::answer::{Answer, Expr, Function, Operator};
use crate::math::number::any;

/// A value and the name it was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    /// Names of variables, sorted; several for a point.
    pub(super) names: Vec<String>,
    /// The value; a tuple in order of the names if there are several.
    pub(super) value: Answer,
    /// The tuple in order of appearance, where that is another one.
    pub(super) as_written: Option<Answer>,
    /// The arguments of a function, as in `f(x) = …`.
    pub(super) arguments: Vec<Expr>,
    /// What a chain says behind the value: all of it must be the value.
    pub(super) later: Vec<Answer>,
}

impl Named {
    fn new(names: Vec<String>, value: Answer) -> Self {
        Self { names, value, as_written: None, arguments: Vec::new(), later: Vec::new() }
    }

    /// The name and the arguments of a function of one name, if those are variables.
    fn function_of_variables(&self) -> bool {
        matches!(self.names.as_slice(), [name] if name.ends_with("()")) && variables_of(&self.arguments).is_some()
    }

    /// The value of `other` in the words of this one, if both say something of the same thing: the same names, a function with its
    /// variables renamed, or `y` for a function.
    pub(super) fn value_of(&self, other: &Self) -> Option<Answer> {
        let is_y = |named: &Self| named.names == ["y"];
        if self.names != other.names {
            let same = self.function_of_variables() && is_y(other) || is_y(self) && other.function_of_variables();
            return same.then(|| other.value.clone());
        }
        if self.arguments == other.arguments {
            return Some(other.value.clone());
        }
        let (new, old) = (variables_of(&self.arguments)?, variables_of(&other.arguments)?);
        let distinct = |names: &[&str]| names.iter().collect::<std::collections::BTreeSet<_>>().len() == names.len();
        let captured = new.iter().any(|name| !old.contains(name) && mentions(&other.value, name));
        if new.len() != old.len() || !distinct(&old) || !distinct(&new) || captured {
            return None;
        }
        let pairs: Vec<(&str, &str)> = old.into_iter().zip(new).collect();
        Some(each_expr(&other.value, &|expr| renamed(expr, &pairs)))
    }
}

/// The names of variables, if all arguments are some.
fn variables_of(arguments: &[Expr]) -> Option<Vec<&str>> {
    arguments.iter().map(|argument| if let Expr::Symbol(name) = argument { Some(name.as_str()) } else { None }).collect()
}

/// Reads an answer as a named value, if it is one.
pub(super) fn named(answer: &Answer) -> Option<Named> {
    match answer {
        Answer::Relation { terms, operators } => of_relation(terms, operators),
        Answer::List(parts) | Answer::Set(parts) => of_list(parts),
        _ => None,
    }
}

fn one(name: String, value: Answer) -> Named {
    Named::new(vec![name], value)
}

fn of_relation(terms: &[Answer], operators: &[Operator]) -> Option<Named> {
    if operators.contains(&Operator::Ratio) {
        return of_ratio(terms, operators);
    }
    if operators == [Operator::In] {
        let mut named = of_pair(terms.first()?, terms.get(1)?)?;
        // A member of a set of points keeps the set as it is.
        named.as_written = None;
        return Some(Named { value: terms.get(1)?.clone(), ..named });
    }
    if !operators.iter().all(|operator| matches!(operator, Operator::Equal | Operator::About)) {
        return None;
    }
    // A chain, x = 1/2 = 0.5, says its first value; a = b = 3 gives two names to the last.
    let (first, rest) = terms.split_first()?;
    match rest {
        [value] => of_pair(first, value).or_else(|| of_pair(value, first)),
        [.., last] if rest[..rest.len() - 1].iter().all(|term| name_of(term).is_some()) => {
            let pairs = terms[..terms.len() - 1].iter().map(|term| Some((name_of(term)?, last.clone())));
            point(pairs.collect::<Option<Vec<_>>>()?)
        }
        [value, later @ ..] => {
            // What stands behind ≈ tells how large the value is, and not what it is.
            let exact = operators[1..].iter().take_while(|operator| **operator == Operator::Equal).count();
            of_pair(first, value).map(|named| Named { later: later[..exact].to_vec(), ..named })
        }
        [] => None,
    }
}

/// `A : B = 2 : 3`, where the left side has names only and the right side none: the ratio.
fn of_ratio(terms: &[Answer], operators: &[Operator]) -> Option<Named> {
    let at = operators.iter().position(|operator| *operator == Operator::Equal)?;
    let (left, right) = (&operators[..at], &operators[at + 1..]);
    if left.is_empty() || left.iter().chain(right).any(|operator| *operator != Operator::Ratio) {
        return None;
    }
    let names = terms[..=at].iter().map(|term| name_of(term).or_else(|| label_of(term))).collect::<Option<Vec<_>>>()?;
    let values = &terms[at + 1..];
    let value = match values {
        [value] => value.clone(),
        values => Answer::Relation { terms: values.to_vec(), operators: right.to_vec() },
    };
    values.iter().all(is_constant).then(|| one(names.join(":"), value))
}

/// The name of a length, an area or a ratio of such in a figure: `AB`, `|AB|`, `AB/CD`.
fn label_of(answer: &Answer) -> Option<String> {
    fn label(expr: &Expr) -> Option<String> {
        match expr {
            Expr::Product(parts) if parts.len() <= 4 => parts.iter().map(letter).collect(),
            Expr::Apply(Function::Abs, arguments) => arguments.first().and_then(label),
            Expr::Quotient(top, bottom) => Some(format!("{}/{}", label(top)?, label(bottom)?)),
            _ => None,
        }
    }
    fn letter(expr: &Expr) -> Option<&str> {
        match expr {
            Expr::Symbol(name) if name.starts_with(|c: char| c.is_ascii_uppercase()) => Some(name.as_str()),
            _ => None,
        }
    }
    if let Answer::Expr(expr) = answer { label(expr) } else { None }
}

/// `name = value`, `AB = 5` or `(x, y) = (1, 2)`.
fn of_pair(left: &Answer, right: &Answer) -> Option<Named> {
    // `\text{total cost} = \$18`
    if let (Answer::Words(words), true) = (left, is_constant(right) || matches!(right, Answer::Quantity { .. })) {
        return Some(one(words.clone(), right.clone()));
    }
    if let Some(label) = label_of(left).filter(|_| is_constant(right)) {
        return Some(one(label, right.clone()));
    }
    if let Some(name) = name_of(left) {
        // B = A names two choices.
        let choice = |name: &str| matches!(name.as_bytes(), [b'A'..=b'H']);
        if choice(&name) && name_of(right).is_some_and(|other| choice(&other)) {
            return None;
        }
        let arguments = match left {
            Answer::Expr(Expr::Apply(Function::Other(_), arguments)) => arguments.clone(),
            _ => Vec::new(),
        };
        return (!mentions(right, &name)).then(|| Named { arguments, ..one(name, right.clone()) });
    }
    if let Answer::Tuple(names) = left {
        let names: Vec<String> = names.iter().map(name_of).collect::<Option<_>>()?;
        return match right {
            Answer::Tuple(values) if values.len() == names.len() => point(names.into_iter().zip(values.iter().cloned()).collect()),
            Answer::Tuple(_) => None,
            other => Some(Named::new(names, other.clone())),
        };
    }
    None
}

/// Several names, each with one value.
fn point(pairs: Vec<(String, Answer)>) -> Option<Named> {
    let written: Vec<Answer> = pairs.iter().map(|(_, value)| value.clone()).collect();
    let mut sorted = pairs;
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    if sorted.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let (names, values): (Vec<String>, Vec<Answer>) = sorted.into_iter().unzip();
    let as_written = (values != written).then_some(Answer::Tuple(written));
    Some(Named { as_written, ..Named::new(names, Answer::Tuple(values)) })
}

/// `x = 1, y = 2` is a point; `x = 1 or x = 2` and `x = 1, 2` are values of one name.
fn of_list(parts: &[Answer]) -> Option<Named> {
    let first = named(parts.first()?)?;
    let mut values = vec![first.value.clone()];
    let mut pairs = vec![(first.names.first()?.clone(), first.value.clone())];
    let mut same_name = true;
    for part in &parts[1..] {
        match named(part) {
            Some(next) => {
                same_name &= next.names == first.names && next.arguments == first.arguments;
                values.push(next.value.clone());
                pairs.push((next.names.first()?.clone(), next.value));
            }
            None if matches!(part, Answer::Relation { .. }) => return None,
            // A bare value behind a named one is another value of the same name.
            None => {
                values.push(part.clone());
                pairs.push((first.names.first()?.clone(), part.clone()));
            }
        }
    }
    if let Some(points) = same_points(&pairs) {
        return Some(points);
    }
    if same_name {
        let flat = values.into_iter().flat_map(|value| if let Answer::List(parts) = value { parts } else { vec![value] });
        return Some(Named { arguments: first.arguments, ..Named::new(first.names, Answer::List(flat.collect())) });
    }
    point(pairs)
}

/// `p = 5, q = 2; p = 7, q = 2`: several points with the same names in the same order.
fn same_points(pairs: &[(String, Answer)]) -> Option<Named> {
    let n_names = 1 + pairs.iter().skip(1).position(|(name, _)| *name == pairs[0].0)?;
    let whole = n_names > 1 && pairs.len() > n_names && pairs.len().is_multiple_of(n_names);
    let mut chunks = pairs.chunks(n_names);
    if !whole || !chunks.all(|chunk| chunk.iter().zip(pairs).all(|((name, _), (first, _))| name == first)) {
        return None;
    }
    let points = pairs.chunks(n_names).map(|chunk| point(chunk.to_vec())).collect::<Option<Vec<_>>>()?;
    let names = points.first()?.names.clone();
    let written = points.iter().map(|point| point.as_written.clone()).collect::<Option<Vec<_>>>().map(Answer::List);
    let values = points.into_iter().map(|point| point.value).collect();
    Some(Named { as_written: written, ..Named::new(names, Answer::List(values)) })
}

/// A variable, or a function of variables (`f(x)`), that stands alone.
pub(super) fn name_of(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Expr(Expr::Symbol(name)) => Some(name.clone()),
        Answer::Expr(Expr::Apply(Function::Other(name), _)) => Some(format!("{name}()")),
        Answer::Choice(letter) => Some(letter.to_string()),
        _ => None,
    }
}

/// Whether a name occurs in an answer.
fn mentions(answer: &Answer, name: &str) -> bool {
    let inside = |expr: &Expr| match name.strip_suffix("()") {
        Some(function) => any(expr, &|part| matches!(part, Expr::Apply(Function::Other(own), _) if own == function)),
        None => any(expr, &|part| matches!(part, Expr::Symbol(own) if own == name)),
    };
    match answer {
        Answer::Expr(expr) | Answer::Quantity { value: expr, .. } => inside(expr),
        Answer::Tuple(parts) | Answer::List(parts) | Answer::Set(parts) | Answer::Union(parts) => {
            parts.iter().any(|part| mentions(part, name))
        }
        _ => false,
    }
}
