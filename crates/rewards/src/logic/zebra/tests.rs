use std::collections::BTreeMap;

use proptest::prelude::*;
use ruminate_core::ZebraClue;

use super::*;

fn puzzle(clues: Vec<ZebraClue>) -> ZebraPuzzle {
    let values = |list: [&str; 3]| list.map(str::to_owned).to_vec();
    let categories = BTreeMap::from([
        ("colour".to_owned(), values(["red", "green", "blue"])),
        ("name".to_owned(), values(["Alice", "Bob", "Mary Ann"])),
        ("drink".to_owned(), values(["tea", "green tea", "milk"])),
    ]);
    ZebraPuzzle { houses: 3, categories, clues, unique: false }
}

fn same(a: &str, b: &str) -> ZebraClue {
    ZebraClue::Same(a.into(), b.into())
}

/// House 1: red, Alice, tea. House 2: green, Mary Ann, milk. House 3: blue, Bob, green tea.
fn solvable() -> ZebraPuzzle {
    puzzle(vec![
        ZebraClue::At("red".into(), 1),
        same("Alice", "tea"),
        ZebraClue::DirectlyLeftOf("green".into(), "blue".into()),
        same("Mary Ann", "milk"),
        ZebraClue::NextTo("milk".into(), "green tea".into()),
        ZebraClue::LeftOf("Alice".into(), "Mary Ann".into()),
        ZebraClue::AtEnd("Bob".into()),
    ])
}

#[test]
fn written_forms() {
    for answer in [
        "House 1: red, Alice, tea\nHouse 2: green, Mary Ann, milk\nHouse 3: blue, Bob, green tea",
        "1: red, Alice, tea\n2: green, Mary Ann, milk\n3: blue, Bob, green tea",
        "1. red, Alice, tea\n2. green, Mary Ann, milk\n3. blue, Bob, green tea",
        "House #3 is blue, Bob lives there and drinks green tea. House 1: RED, alice, Tea; house 2: green, Mary Ann, milk",
        "First house: red, Alice, tea\nSecond house: green, Mary Ann, milk\n3rd house: blue, Bob, green tea",
        "**House 1**\n- Colour: red\n- Name: Alice\n- Drink: tea\n\n**House 2**\n- Colour: green\n- Name: Mary Ann\n- Drink: milk\n\n**House 3**\n\
         - Colour: blue\n- Name: Bob\n- Drink: green tea",
        "colour: red, green, blue\nname: Alice, Mary Ann, Bob\ndrink: tea, milk, green tea",
        "1. colours: red, green, blue\n2. names: Alice, Mary Ann, Bob\n3. drinks: tea, milk, green tea",
        "Alice: house 1, Mary Ann: house 2, Bob: house 3\nred: 1, green: 2, blue: 3\ntea -> 1, milk -> 2, green tea -> 3",
        "Alice lives in house 1 which is red and has tea.\nMary Ann lives in house 2, green, milk.\nBob lives in house 3 with blue and green tea.",
        "| House | Colour | Name | Drink |\n|---|---|---|---|\n| 1 | red | Alice | tea |\n| 2 | green | Mary Ann | milk |\n| 3 | blue | Bob | green tea |",
        "| Colour | Name | Drink |\n|---|---|---|\n| red | Alice | tea |\n| green | Mary Ann | milk |\n| blue | Bob | green tea |",
        "| | House 3 | House 1 | House 2 |\n|:-|-|-|-|\n| Name | Bob | Alice | Mary Ann |\n| Colour | blue | red | green |\n| Drink | green tea | tea | milk |",
        "| Category | 1 | 2 | 3 |\n|---|---|---|---|\n| Name | Alice | Mary Ann | Bob |\n| Colour | red | green | blue |\n| Drink | tea | milk | green tea |",
        "House | Name | Colour | Drink\n1 | Alice | red | tea\n2 | Mary Ann | green | milk\n3 | Bob | blue | green tea",
        "red, Alice, tea\ngreen, Mary Ann, milk\nblue, Bob, green tea",
        r#"{"House 1": {"Colour": "red", "Name": "Alice", "Drink": "tea"}, "House 2": {"Colour": "green", "Name": "Mary Ann", "Drink": "milk"},
            "House 3": {"Colour": "blue", "Name": "Bob", "Drink": "green tea"}}"#,
        r#"Here: {"solution": {"1": ["red", "Alice", "tea"], "2": ["green", "Mary Ann", "milk"], "3": ["blue", "Bob", "green tea"]}} Done."#,
        r#"[{"house": 3, "colour": "blue", "name": "Bob", "drink": "green tea"}, {"house": 1, "colour": "red", "name": "Alice", "drink": "tea"},
            {"house": "2", "colour": "green", "name": "Mary Ann", "drink": "milk"}]"#,
        r#"[["red", "Alice", "tea"], ["green", "Mary Ann", "milk"], ["blue", "Bob", "green tea"]]"#,
        r#"{"header": ["House", "Name", "Colour", "Drink"], "rows": [["2", "Mary Ann", "green", "milk"], ["1", "Alice", "red", "tea"],
            ["3", "Bob", "blue", "green tea"]]}"#,
        r#"{"colour": ["red", "green", "blue"], "name": ["Alice", "Mary Ann", "Bob"], "drink": ["tea", "milk", "green tea"]}"#,
        r#"{"red": 1, "green": 2, "blue": "House 3", "Alice": 1, "Mary Ann": 2, "Bob": 3, "tea": 1, "milk": 2, "green tea": 3}"#,
        "第1座房子：red，Alice，tea\n第2座房子：green，Mary Ann，milk\n第3座房子：blue，Bob，green tea",
    ] {
        let verdict = grade(&solvable(), &format!("<answer>{answer}</answer>"));
        assert_eq!(
            (verdict.outcome, verdict.reason.as_str()),
            (Outcome::Right, "all 7 clauses hold".replace("clauses", "clues").as_str()),
            "{answer}"
        );
        let fenced = grade(&solvable(), &format!("<think>House 1: blue, Bob, milk</think>\nI looked at every clue.\n```\n{answer}\n```\n"));
        assert_eq!(fenced.outcome, Outcome::Right, "{answer}: {}", fenced.reason);
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (answer, outcome, reason) in [
        (
            "1: red, Alice, tea\n2: blue, Mary Ann, milk\n3: green, Bob, green tea",
            Outcome::Wrong,
            "clue 3 does not hold: green is directly left of blue",
        ),
        ("1: red, Alice, tea\n2: green, Mary Ann, milk\n3: blue, Bob", Outcome::Wrong, "no house for 'green tea' of 'drink'"),
        (
            "1: red, blue, Alice, tea\n2: green, Mary Ann, milk\n3: Bob, green tea",
            Outcome::Wrong,
            "house 1 has two values of 'colour': red and blue",
        ),
        ("1: red, Alice\n2: green, red", Outcome::Wrong, "'red' is in houses 1 and 2"),
        ("1: red or green, Alice, tea", Outcome::Unparsed, "'1: red or green, Alice, tea': 'or' leaves it open"),
        ("Alice does not live in house 1", Outcome::Unparsed, "'Alice does not live in house 1': 'not' leaves it open"),
        ("House 7: red", Outcome::Unparsed, "'House 7: red': there is no house 7"),
        ("no idea", Outcome::Unparsed, "'no idea': 'no' leaves it open"),
        ("", Outcome::Unparsed, "no answer found: no <answer>, \\boxed, #### or text behind the reasoning"),
        ("| 1 | 2 |\n| red | green |", Outcome::Wrong, "no house for 'blue' of 'colour'"),
    ] {
        let verdict = grade(&solvable(), &format!("<answer>{answer}</answer>"));
        assert_eq!((verdict.outcome, verdict.reason.as_str()), (outcome, reason), "{answer}");
    }
}

#[test]
fn words_that_several_categories_have_are_told_apart() {
    let categories = BTreeMap::from([
        ("colour".to_owned(), vec!["red".to_owned(), "blue".to_owned()]),
        ("hair".to_owned(), vec!["red".to_owned(), "grey".to_owned()]),
    ]);
    let clues = vec![same("colour: red", "grey")];
    let puzzle = ZebraPuzzle { houses: 2, categories, clues, unique: false };
    assert_eq!(check(&puzzle), Ok(()));
    for answer in [
        "House 1: colour red, hair grey\nHouse 2: colour blue, hair red",
        "House 1: red, grey\nHouse 2: blue, red",
        "| house | hair | colour |\n| 1 | grey | red |\n| 2 | red | blue |",
        "colour: red, blue\nhair: grey, red",
        r#"{"colour": {"1": "red", "2": "blue"}, "hair": ["grey", "red"]}"#,
    ] {
        let verdict = grade(&puzzle, answer);
        assert_eq!(verdict.outcome, Outcome::Right, "{answer}: {}", verdict.reason);
    }
    let verdict = grade(&puzzle, "<answer>House 1: red, red\nHouse 2: blue, grey</answer>");
    assert_eq!(verdict.outcome, Outcome::Unparsed, "{}", verdict.reason);
    let unclear = ZebraPuzzle { clues: vec![same("red", "grey")], ..puzzle };
    assert_eq!(check(&unclear), Err("clue 1: 'red' is a value of several categories; write 'colour: red' or another".into()));
}

#[test]
fn gold_is_checked() {
    assert_eq!(check(&ZebraPuzzle { unique: true, ..solvable() }), Ok(()));
    let mut loose = solvable();
    loose.clues.pop();
    loose.clues.pop();
    assert_eq!(check(&loose), Ok(()));
    assert_eq!(check(&ZebraPuzzle { unique: true, ..loose }), Err("expected one assignment that fits all clues, found two".into()));
    let wrong = |clue: ZebraClue, reason: &str| {
        let mut puzzle = solvable();
        puzzle.clues.push(clue);
        assert_eq!(check(&puzzle), Err(reason.to_owned()));
    };
    wrong(ZebraClue::At("Bob".into(), 1), "no assignment fits all clues");
    wrong(ZebraClue::At("Bob".into(), 4), "clue 8: expected a house from 1 to 3, found 4");
    wrong(same("Bob", "coffee"), "clue 8: 'coffee' is no value of any category");
    wrong(ZebraClue::AnyOf(Vec::new()), "clue 8: expected any_of with clues in it, nested at most 8 deep");
    let mut short = solvable();
    short.categories.insert("pet".into(), vec!["cat".into()]);
    assert_eq!(check(&short), Err("expected 3 different values of 'pet', found [\"cat\"]".into()));
    short.categories.insert("pet".into(), vec!["1".into(), "2".into(), "3".into()]);
    assert_eq!(check(&short), Err("value '1' of 'pet' has no letter and cannot be told from a house number; write more".into()));
    assert_eq!(check(&ZebraPuzzle { houses: 0, ..solvable() }), Err("expected 1 to 12 houses, found 0".into()));
}

/// The puzzle that gave the kind its name, as printed in 1962.
#[test]
fn the_zebra_puzzle_has_one_solution() {
    let gold = r#"{"houses":5,"unique":true,"categories":{
        "colour":["red","green","ivory","yellow","blue"],"man":["Englishman","Spaniard","Ukrainian","Norwegian","Japanese"],
        "pet":["dog","snails","fox","horse","zebra"],"drink":["coffee","tea","milk","orange juice","water"],
        "smoke":["Old Gold","Kools","Chesterfields","Lucky Strike","Parliaments"]},
        "clues":[{"same":["Englishman","red"]},{"same":["Spaniard","dog"]},{"same":["coffee","green"]},{"same":["Ukrainian","tea"]},
        {"directly_right_of":["green","ivory"]},{"same":["Old Gold","snails"]},{"same":["Kools","yellow"]},{"at":["milk",3]},
        {"at":["Norwegian",1]},{"next_to":["Chesterfields","fox"]},{"next_to":["Kools","horse"]},{"same":["Lucky Strike","orange juice"]},
        {"same":["Japanese","Parliaments"]},{"next_to":["Norwegian","blue"]}]}"#;
    let puzzle: ZebraPuzzle = serde_json::from_str(gold).unwrap();
    assert_eq!(check(&puzzle), Ok(()));
    let answer = "House 1: yellow, Norwegian, fox, water, Kools\nHouse 2: blue, Ukrainian, horse, tea, Chesterfields\n\
        House 3: red, Englishman, snails, milk, Old Gold\nHouse 4: ivory, Spaniard, dog, orange juice, Lucky Strike\n\
        House 5: green, Japanese, zebra, coffee, Parliaments";
    assert_eq!(grade(&puzzle, answer).reason, "all 14 clues hold");
    assert_eq!(
        grade(&puzzle, &answer.replace("zebra", "X").replace("dog", "zebra").replace('X', "dog")).reason,
        "clue 2 does not hold: Spaniard and dog are in the same house"
    );
}

const ALL_VALUES: [[&str; 5]; 5] = [
    ["red", "green", "blue", "white", "yellow"],
    ["Alice", "Bob", "Carol", "Dave", "Eve"],
    ["tea", "milk", "juice", "water", "beer"],
    ["cat", "dog", "fish", "horse", "bird"],
    ["rice", "bread", "soup", "pasta", "cake"],
];
const CATEGORIES: [&str; 5] = ["colour", "name", "drink", "pet", "food"];

/// Houses of values by category, and clues that hold for them by construction.
fn solved() -> impl Strategy<Value = (Vec<Vec<usize>>, ZebraPuzzle)> {
    (2_usize..6, 2_usize..6).prop_flat_map(|(houses, n_categories)| {
        let order = Just((0..houses).collect::<Vec<usize>>()).prop_shuffle();
        let orders = prop::collection::vec(order, n_categories);
        let choices = prop::collection::vec((0_usize..25, 0_usize..25, 0_usize..25, any::<u8>()), 1..16);
        (orders, choices).prop_map(move |(orders, choices)| {
            let house_of = |value: usize| orders[value / houses][value % houses];
            let n_values = houses * n_categories;
            let name = |value: usize| ALL_VALUES[value / houses][value % houses].to_owned();
            let clue = |(a, b, c, form): (usize, usize, usize, u8)| {
                let (a, b, c) = (a % n_values, b % n_values, c % n_values);
                let (x, y, z) = (house_of(a), house_of(b), house_of(c));
                let pair = (name(a), name(b));
                let or_same = |holds: bool, clue: fn(String, String) -> ZebraClue| {
                    if holds {
                        clue(pair.0.clone(), pair.1.clone())
                    } else {
                        ZebraClue::Apart(pair.0.clone(), pair.1.clone(), x.abs_diff(y))
                    }
                };
                match form % 12 {
                    0 => or_same(x == y, ZebraClue::Same),
                    1 => or_same(x != y, ZebraClue::NotSame),
                    2 => or_same(x < y, ZebraClue::LeftOf),
                    3 => or_same(x > y, ZebraClue::RightOf),
                    4 => or_same(x + 1 == y, ZebraClue::DirectlyLeftOf),
                    5 => or_same(x == y + 1, ZebraClue::DirectlyRightOf),
                    6 => or_same(x.abs_diff(y) == 1, ZebraClue::NextTo),
                    7 => or_same(x.abs_diff(y) != 1, ZebraClue::NotNextTo),
                    8 if y.min(z) < x && x < y.max(z) => ZebraClue::Between(name(a), name(b), name(c)),
                    9 => ZebraClue::NotAt(name(a), (x + 1) % houses + 1),
                    10 if x == 0 || x + 1 == houses => ZebraClue::AtEnd(name(a)),
                    11 => ZebraClue::AnyOf(vec![ZebraClue::At(name(a), x + 1), ZebraClue::Same(name(b), name(c))]),
                    _ => ZebraClue::At(name(a), x + 1),
                }
            };
            let clues = choices.into_iter().map(clue).collect();
            let categories = (0..n_categories)
                .map(|idx| (CATEGORIES[idx].to_owned(), ALL_VALUES[idx][..houses].iter().map(|value| (*value).to_owned()).collect()));
            let categories = categories.collect();
            (orders, ZebraPuzzle { houses, categories, clues, unique: false })
        })
    })
}

fn write(orders: &[Vec<usize>], form: u8) -> String {
    let houses = orders[0].len();
    let value = |category: usize, house: usize| {
        let idx = orders[category].iter().position(|&at| at == house).unwrap();
        ALL_VALUES[category][idx]
    };
    let of_house = |house: usize| (0..orders.len()).map(move |category| value(category, house)).collect::<Vec<_>>();
    match form % 4 {
        0 => (0..houses).map(|house| format!("House {}: {}\n", house + 1, of_house(house).join(", "))).collect(),
        1 => (0..orders.len())
            .map(|category| {
                let values: Vec<&str> = (0..houses).map(|house| value(category, house)).collect();
                format!("{}: {}\n", CATEGORIES[category], values.join(", "))
            })
            .collect(),
        2 => {
            let rows = (0..houses).map(|house| format!("| {} | {} |\n", house + 1, of_house(house).join(" | ")));
            format!("| House | {} |\n|---|\n{}", CATEGORIES[..orders.len()].join(" | "), rows.collect::<String>())
        }
        _ => {
            let rows = (0..houses).map(|house| format!("\"House {}\": {:?}", house + 1, of_house(house)));
            format!("{{{}}}", rows.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Whether a clue holds, by its words alone.
fn holds(clue: &ZebraClue, at: &dyn Fn(&str) -> i64) -> bool {
    match clue {
        ZebraClue::Same(a, b) => at(a) == at(b),
        ZebraClue::NotSame(a, b) => at(a) != at(b),
        ZebraClue::LeftOf(a, b) => at(a) < at(b),
        ZebraClue::RightOf(a, b) => at(a) > at(b),
        ZebraClue::DirectlyLeftOf(a, b) => at(b) - at(a) == 1,
        ZebraClue::DirectlyRightOf(a, b) => at(a) - at(b) == 1,
        ZebraClue::NextTo(a, b) => (at(a) - at(b)).abs() == 1,
        ZebraClue::NotNextTo(a, b) => (at(a) - at(b)).abs() != 1,
        ZebraClue::Between(a, b, c) => (at(a) - at(b)) * (at(a) - at(c)) < 0,
        ZebraClue::Apart(a, b, n) => (at(a) - at(b)).unsigned_abs() == *n as u64,
        ZebraClue::At(a, n) => at(a) == *n as i64,
        ZebraClue::NotAt(a, n) => at(a) != *n as i64,
        ZebraClue::AtEnd(_) => unreachable!("the caller knows the number of houses"),
        ZebraClue::AnyOf(clues) => clues.iter().any(|clue| holds(clue, at)),
    }
}

proptest! {
    #[test]
    fn constructed_solutions_are_right_and_swaps_are_right_only_if_all_clues_hold(
        (orders, puzzle) in solved(), form in any::<u8>(), category in 0_usize..5, a in 0_usize..5, b in 0_usize..5,
    ) {
        prop_assert_eq!(check(&puzzle), Ok(()));
        let verdict = grade(&puzzle, &write(&orders, form));
        prop_assert_eq!(verdict.outcome, Outcome::Right, "{}", verdict.reason);
        let mut other = orders.clone();
        let category = category % orders.len();
        other[category].swap(a % puzzle.houses, b % puzzle.houses);
        let at = |name: &str| {
            let (category, idx) = (0..orders.len()).find_map(|c| Some((c, ALL_VALUES[c][..puzzle.houses].iter().position(|v| *v == name)?))).unwrap();
            other[category][idx] as i64 + 1
        };
        let all = puzzle.clues.iter().all(|clue| match clue {
            ZebraClue::AtEnd(a) => at(a) == 1 || at(a) == puzzle.houses as i64,
            clue => holds(clue, &at),
        });
        let verdict = grade(&puzzle, &write(&other, form));
        prop_assert_eq!(verdict.outcome == Outcome::Right, all, "{}", verdict.reason);
    }

    #[test]
    fn a_value_in_two_houses_or_in_none_is_wrong((orders, puzzle) in solved(), at in 0_usize..5) {
        let houses = puzzle.houses;
        let text = write(&orders, 0);
        let lines: Vec<&str> = text.lines().collect();
        let line = at % houses;
        let without: Vec<&str> = lines.iter().enumerate().filter(|(idx, _)| *idx != line).map(|(_, line)| *line).collect();
        prop_assert_eq!(grade(&puzzle, &format!("<answer>{}</answer>", without.join("\n"))).outcome, Outcome::Wrong);
        let value = lines[line].rsplit(", ").next().unwrap();
        let twice = format!("<answer>{text}\nHouse {}: {value}</answer>", (line + 1) % houses + 1);
        prop_assert_eq!(grade(&puzzle, &twice).outcome, Outcome::Wrong);
    }
}
