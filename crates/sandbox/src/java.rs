//! Names of classes in Java source text: the language ties them to names of files.

/// Words of Java text outside of comments, strings and characters; braces are words of their own.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.get(2..).and_then(|inner| inner.find("*/")).map_or(rest.len(), |end| end + 4)
        } else if rest.starts_with("\"\"\"") {
            rest.get(3..).and_then(|inner| inner.find("\"\"\"")).map_or(rest.len(), |end| end + 6)
        } else if first == '"' || first == '\'' {
            quoted_len(rest, first)
        } else if is_part(first) {
            let len = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            words.push(&rest[..len]);
            len
        } else {
            if matches!(first, '{' | '}') {
                words.push(&rest[..1]);
            }
            first.len_utf8()
        };
        rest = &rest[len..];
    }
    words
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Length of a literal that begins with `quote`, which ends at the same character or at the end of the line.
fn quoted_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Classes at the top of a file: name, whether public, whether it has a `main` method.
fn classes(text: &str) -> Vec<(&str, bool, bool)> {
    let words = words(text);
    let mut found: Vec<(&str, bool, bool)> = Vec::new();
    let (mut depth, mut is_public) = (0_u32, false);
    for (at, &word) in words.iter().enumerate() {
        match word {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                is_public = false;
            }
            "public" if depth == 0 => is_public = true,
            "class" | "interface" | "enum" | "record" if depth == 0 => {
                if let Some(&name) = words.get(at + 1) {
                    found.push((name, is_public, false));
                }
                is_public = false;
            }
            "main" if depth == 1 && at > 0 && words[at - 1] == "void" => {
                if let Some(last) = found.last_mut() {
                    last.2 = true;
                }
            }
            _ => {}
        }
    }
    found
}

/// The public class of a file, after which the file must be named.
pub(crate) fn public_class(text: &str) -> Option<&str> {
    classes(text).into_iter().find(|(_, is_public, _)| *is_public).map(|(name, ..)| name)
}

/// The class that is run, with its package.
pub(crate) fn main_class(text: &str) -> String {
    let classes = classes(text);
    let with_main = classes.iter().find(|(.., has_main)| *has_main);
    let name = with_main.or(classes.first()).map_or("Main", |(name, ..)| *name);
    match package(text) {
        Some(package) => format!("{package}.{name}"),
        None => name.to_owned(),
    }
}

/// The package that a file declares.
fn package(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with(['/', '*']))?;
    let name = line.strip_prefix("package ")?.split(';').next()?.trim();
    (!name.is_empty() && name.chars().all(|c| is_part(c) || c == '.')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_are_found_where_they_are_and_not_in_comments_or_strings() {
        for (text, public, main) in [
            ("public class Main { public static void main(String[] args) {} }", Some("Main"), "Main"),
            ("// public class No {}\n/* class No2 */ class A {} public final class B { static void main(String[] a) {} }", Some("B"), "B"),
            (
                "class Helper { String s = \"public class X { void main\"; char c = '\"'; } class Run { public static void main(String[] a){} }",
                None,
                "Run",
            ),
            ("class Outer { public class Inner { void main() {} } }", None, "Outer"),
            ("package a.b;\npublic class C { public static void main(String... a) {} }", Some("C"), "a.b.C"),
            ("", None, "Main"),
        ] {
            assert_eq!((public_class(text), main_class(text).as_str()), (public, main), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_main_class(text in "\\PC{0,200}") {
            prop_assert!(!main_class(&text).is_empty());
        }

        #[test]
        fn any_java_like_text_has_a_main_class(text in "(class|public|\"|'|/\\*|\\*/|//|\n|\\\\|\\{|\\}| |main|void|é){0,40}") {
            prop_assert!(!main_class(&text).is_empty());
        }
    }
}
