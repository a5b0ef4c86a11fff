use super::*;

/// The values of a formula over all assignments of its names in order, the first name changing slowest.
fn table(text: &str, atoms: &Atoms) -> Result<String, String> {
    let mut names = Names::default();
    let mut formula = Formula::parse(text, atoms, &mut names)?;
    let n = names.list().len();
    everybody(&mut formula, n);
    let rows = (0..1_usize << n).map(|row| {
        let values: Vec<Option<bool>> = (0..n).map(|idx| Some(row >> (n - 1 - idx) & 1 == 1)).collect();
        if formula.truth(&values).expect("all names have a value") { '1' } else { '0' }
    });
    Ok(rows.collect())
}

#[test]
fn connectives_have_their_tables_and_bind_as_usual() {
    for (text, expected) in [
        ("a and b", "0001"),
        ("a & b && a", "0001"),
        ("a or b", "0111"),
        ("a xor b", "0110"),
        ("a -> b", "1101"),
        ("a <-> b", "1001"),
        ("if a then b", "1101"),
        ("If a, then b", "1101"),
        ("a if and only if b", "1001"),
        ("a iff not b", "0110"),
        ("¬a ∨ b", "1101"),
        ("!a || ~b", "1110"),
        ("a or b and c", "00011111"),
        ("(a or b) and c", "00010101"),
        ("not a and b", "0100"),
        ("not (a and b)", "1110"),
        ("a -> b -> c", "11111101"),
        ("a or true", "11"),
        ("a ∧ ⊥", "00"),
        ("iffy or orange", "0111"),
    ] {
        assert_eq!(table(text, &Atoms::Variables).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn people_are_knights_or_knaves_and_can_be_counted() {
    for (text, expected) in [
        ("is_knight(A) and is_knave(B)", "0010"),
        ("is_knave( Mary Ann ) or is_knight(小明)", "1101"),
        ("is_knight(A) <-> is_knight(B) and count(knights) >= 1", "1001"),
        ("is_knight(A) or is_knight(B) or count(knaves) >= 2", "1111"),
        ("count(knights, A, B) == 1", "0110"),
        ("count(knaves, A, B) < 1 and is_knight(C)", "00000001"),
        ("count(knights, A, B) != 1", "1001"),
        ("count(knights, A, B) > 1", "0001"),
        ("count(knights, A, B) <= 1", "1110"),
    ] {
        assert_eq!(table(text, &Atoms::People).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn errors_say_what_was_found() {
    for (text, people, expected) in [
        ("a and", false, "it ends too early"),
        ("", false, "it ends too early"),
        ("a b", false, "unexpected 'b'"),
        ("(a", false, "a parenthesis is not closed"),
        ("a % b", false, "'%' has no place in a formula"),
        ("if a and b", false, "'if' without 'then'"),
        ("A", true, "expected is_knight(NAME), is_knave(NAME) or count(knights), found 'A'"),
        ("is_knight()", true, "an empty name in 'is_knight()'"),
        ("is_knight(A, B)", true, "expected is_knight(NAME), is_knave(NAME) or count(knights), found 'is_knight(A, B)'"),
        ("count(people) = 1", true, "expected count(knights) or count(knaves), found 'count(people)'"),
        ("count(knights)", true, "expected 'count(knights) = NUMBER' or another comparison"),
        ("count(knights, A, A) = 1", true, "a name is counted twice in 'count(knights, A, A)'"),
    ] {
        let atoms = if people { Atoms::People } else { Atoms::Variables };
        assert_eq!(table(text, &atoms), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = [
        "(".repeat(5000) + "a",
        "not ".repeat(5000) + "a",
        "a -> ".repeat(5000) + "a",
        "a <-> ".repeat(5000) + "a",
        "a xor ".repeat(5000) + "a",
        "if a then ".repeat(5000) + "a",
    ];
    for text in deep {
        let error = Formula::parse(&text, &Atoms::Variables, &mut Names::default()).unwrap_err();
        assert!(error.starts_with("more than 60"), "{error}");
    }
    let wide = "a and ".repeat(9000) + "a";
    assert!(Formula::parse(&wide, &Atoms::Variables, &mut Names::default()).is_ok());
    let too_wide = "a and ".repeat(11_000) + "a";
    assert_eq!(Formula::parse(&too_wide, &Atoms::Variables, &mut Names::default()), Err("more than 20000 parts".into()));
}

#[test]
fn open_names_leave_open_what_depends_on_them() {
    let mut names = Names::default();
    let formula = Formula::parse("a or b and c", &Atoms::Variables, &mut names).unwrap();
    assert_eq!(formula.truth(&[Some(true), None, None]), Some(true));
    assert_eq!(formula.truth(&[Some(false), None, Some(false)]), Some(false));
    assert_eq!(formula.truth(&[Some(false), None, Some(true)]), None);
    let mut names = Names::default();
    let count = Formula::parse("count(knights, A, B, C) >= 1", &Atoms::People, &mut names).unwrap();
    assert_eq!(count.truth(&[Some(true), None, None]), Some(true));
    assert_eq!(count.truth(&[Some(false), None, None]), None);
}
