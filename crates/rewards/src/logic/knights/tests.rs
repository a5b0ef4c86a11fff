use proptest::prelude::*;

use super::*;

fn roles(roles: &[(&str, bool)]) -> BTreeMap<String, bool> {
    roles.iter().map(|&(name, role)| (name.to_owned(), role)).collect()
}

fn statements(list: &[(&str, &str)]) -> Vec<Statement> {
    list.iter().map(|&(speaker, says)| Statement { speaker: speaker.into(), says: says.into() }).collect()
}

fn in_tags(answer: &str) -> String {
    format!("<answer>{answer}</answer>")
}

#[test]
fn written_forms() {
    let gold = roles(&[("A", true), ("B", false), ("C", true)]);
    for (answer, expected) in [
        ("A: knight, B: knave, C: knight", Outcome::Right),
        ("A is a knight, B is a knave, C is a knight", Outcome::Right),
        ("A and C are knights. B is a Knave.", Outcome::Right),
        ("Knights: A, C; knaves: B", Outcome::Right),
        ("**Knights:** A, C\n**Knaves:** B", Outcome::Right),
        ("A是骑士，B是无赖，C是骑士", Outcome::Right),
        ("A骑士 B无赖 C骑士", Outcome::Right),
        ("(1) A is a knight\n(2) B is not a knight\n(3) C is a knight", Outcome::Right),
        ("A is a knight, not a knave. B is a knave, not a knight. C is a knight", Outcome::Right),
        ("A is a knight, not a knight. B is a knave. C is a knight", Outcome::Unparsed),
        ("Neither A nor C is a knave. B is a knave", Outcome::Unparsed),
        ("A不是无赖，B不是骑士，C是骑士", Outcome::Right),
        ("{\"A\": \"knight\", \"B\": \"knave\", \"C\": \"knight\"}", Outcome::Right),
        ("{\"knights\": [\"A\", \"C\"], \"knaves\": [\"B\"]}", Outcome::Right),
        ("| person | role |\n|---|---|\n| A | knight |\n| B | knave |\n| C | knight |", Outcome::Right),
        ("so \\boxed{A \\text{ is a knight}, B \\text{ is a knave}, C \\text{ is a knight}}", Outcome::Right),
        ("A: knave, B: knave, C: knight", Outcome::Wrong),
        ("A: knight, B: knave", Outcome::Wrong),
        ("A: knight, B: knave, C: knight, C: knave", Outcome::Wrong),
        ("A is a knight or knave, B is a knave, C is a knight", Outcome::Unparsed),
        ("If A is a knight then B is a knave and C is a knight", Outcome::Unparsed),
        ("no idea", Outcome::Unparsed),
        ("", Outcome::Unparsed),
    ] {
        let verdict = grade(&gold, &[], &in_tags(answer));
        assert_eq!(verdict.outcome, expected, "{answer}: {}", verdict.reason);
    }
}

#[test]
fn answers_without_marks_are_the_last_full_ones() {
    let gold = roles(&[("A", true), ("B", false)]);
    let check = |text: &str, expected| {
        let verdict = grade(&gold, &[], text);
        assert_eq!(verdict.outcome, expected, "{text}: {}", verdict.reason);
    };
    check(
        "<think>A is a knave, B a knave?</think>Suppose A is a knave. Then B is a knight.\n\nSo\nA is a knight\nB is a knave",
        Outcome::Right,
    );
    check("The answer is:\n(1) A is a knight\n(2) B is a knave", Outcome::Right);
    check("A is a knight and B is a knave\n\nA is a knave and B is a knight", Outcome::Wrong);
    check("<think>A is a knight and B is a knave", Outcome::Unparsed);
}

#[test]
fn names_are_whole_words_and_longest_first() {
    let gold = roles(&[("Zoe", true), ("Zoey", false), ("小明", true)]);
    assert_eq!(grade(&gold, &[], "Zoey is a knave, Zoe is a knight, 小明是骑士").outcome, Outcome::Right);
    assert_eq!(grade(&gold, &[], "Zoey is a knave, 小明是骑士").reason, "Zoe has no role");
}

#[test]
fn statements_decide_and_the_broken_one_is_named() {
    // A says that B is a knave, B says that A is a knave: either may be the knight.
    let said = statements(&[("A", "is_knave(B)"), ("B", "is_knave(A)")]);
    let none = BTreeMap::new();
    let check = |answer: &str, expected, reason: &str| {
        let verdict = grade(&none, &said, &in_tags(answer));
        assert_eq!((verdict.outcome, verdict.reason.as_str()), (expected, reason), "{answer}");
    };
    check("A: knight, B: knave", Outcome::Right, "all 2 statements fit the roles");
    check("A: knave, B: knight", Outcome::Right, "all 2 statements fit the roles");
    check("A: knave, B: knave", Outcome::Wrong, "A is a knave but says 'is_knave(B)', which is true");
    check("A: knight, B: knight", Outcome::Wrong, "A is a knight but says 'is_knave(B)', which is false");
    check("A: knight", Outcome::Wrong, "B has no role");
}

#[test]
fn gold_is_checked_by_its_statements() {
    let check = |gold: &[(&str, bool)], said: &[(&str, &str)]| check(&roles(gold), &statements(said));
    let mutual = [("A", "is_knave(B)"), ("B", "is_knave(A)")];
    assert_eq!(check(&[], &mutual), Ok(()));
    assert_eq!(
        check(&[("A", true), ("B", false)], &mutual),
        Err("the gold roles fit the statements, but others do too; give statements alone if any will do".into())
    );
    assert_eq!(check(&[("A", true), ("B", false)], &[("A", "count(knights) <= 1")]), Ok(()));
    assert_eq!(
        check(&[("A", true), ("B", true)], &[("A", "count(knights) = 1")]),
        Err("the gold roles do not fit: A is a knight but says 'count(knights) = 1', which is false".into())
    );
    assert_eq!(check(&[], &[("A", "is_knave(A)")]), Err("no roles fit the statements".into()));
    assert_eq!(check(&[], &[("A", "B is nice")]).unwrap_err().split(':').next(), Some("statement of A"));
    assert_eq!(
        check(&[("A", true)], &[("A", "is_knight(B)")]),
        Err("B speaks or is spoken of, but the gold roles name only [\"A\"]".into())
    );
    assert_eq!(check(&[], &[]), Err("gold roles name [], expected at least one person and no empty name".into()));
    let crowd: Vec<(String, bool)> = (0..17).map(|idx| (format!("P{idx}"), true)).collect();
    let crowd: Vec<(&str, bool)> = crowd.iter().map(|(name, role)| (name.as_str(), *role)).collect();
    assert_eq!(check(&crowd, &[("P0", "true")]), Err("expected statements about at most 16 people, found 17".into()));
}

const NAMES: [&str; 4] = ["A", "B", "C", "D"];

fn write(bits: &[bool]) -> String {
    let parts: Vec<String> = bits.iter().enumerate().map(|(idx, &bit)| format!("{} is a {}", NAMES[idx], role_name(bit))).collect();
    in_tags(&parts.join(", "))
}

/// Statements that are true of the roles for knights and false for knaves, by construction.
fn fitting(bits: &[bool], links: &[(usize, usize, u8)]) -> Vec<Statement> {
    let is = |idx: usize, role: bool| format!("is_{}({})", role_name(role), NAMES[idx]);
    let each = links.iter().map(|&(speaker, about, form)| {
        let (speaker, about) = (speaker % bits.len(), about % bits.len());
        let n_knights = bits.iter().filter(|&&bit| bit).count();
        let truth = match form % 4 {
            0 => is(about, bits[about]),
            1 => format!("{} <-> {}", is(about, true), is(speaker, bits[about] == bits[speaker])),
            2 => format!("{} or {}", is(about, bits[about]), is(speaker, true)),
            _ => format!("count(knights) = {n_knights}"),
        };
        let says = if bits[speaker] { truth } else { format!("not ({truth})") };
        Statement { speaker: NAMES[speaker].into(), says }
    });
    each.collect()
}

proptest! {
    #[test]
    fn right_roles_are_right_and_one_flip_is_wrong(bits in prop::collection::vec(any::<bool>(), 2..5), flip in 0_usize..4) {
        let gold: BTreeMap<String, bool> = bits.iter().enumerate().map(|(idx, &bit)| (NAMES[idx].to_owned(), bit)).collect();
        prop_assert_eq!(grade(&gold, &[], &write(&bits)).outcome, Outcome::Right);
        let mut other = bits.clone();
        let at = flip % bits.len();
        other[at] = !other[at];
        prop_assert_eq!(grade(&gold, &[], &write(&other)).outcome, Outcome::Wrong);
    }

    #[test]
    fn roles_are_right_exactly_if_every_statement_fits(
        bits in prop::collection::vec(any::<bool>(), 2..5),
        links in prop::collection::vec((0_usize..4, 0_usize..4, any::<u8>()), 1..6),
    ) {
        let statements: Vec<Statement> = NAMES[..bits.len()].iter().map(|name| Statement { speaker: (*name).into(), says: format!("is_knight({name})") })
            .chain(fitting(&bits, &links)).collect();
        prop_assert_eq!(check(&BTreeMap::new(), &statements), Ok(()));
        prop_assert_eq!(grade(&BTreeMap::new(), &statements, &write(&bits)).outcome, Outcome::Right);
        // Whoever is turned round, the verdict follows the statements, told in another way: by the parser's own truth.
        for at in 0..bits.len() {
            let mut other = bits.clone();
            other[at] = !other[at];
            let island = Island::new(&BTreeMap::new(), &statements).unwrap();
            let fits = island.statements.iter().all(|said| {
                said.formula.truth(&other.iter().copied().map(Some).collect::<Vec<_>>()) == Some(other[said.speaker])
            });
            let expected = if fits { Outcome::Right } else { Outcome::Wrong };
            prop_assert_eq!(grade(&BTreeMap::new(), &statements, &write(&other)).outcome, expected);
        }
    }
}
