use proptest::prelude::*;

use super::*;

fn canonical(text: &str) -> String {
    Value::parse(text).map_or_else(
        || "-".to_owned(),
        |v| match v {
            Value::Number(n) => n.to_string(),
            Value::Text(t) => format!("text {t}"),
        },
    )
}

#[test]
fn numbers() {
    for (text, expected) in [
        ("42", "42"),
        (" 42. ", "42"),
        ("-7", "-7"),
        ("−7", "-7"),
        ("- 7", "-7"),
        ("+7", "7"),
        ("007", "7"),
        ("1,234", "1234"),
        ("1{,}234", "1234"),
        ("12,345,678.50", "24691357/2"),
        ("0.25", "1/4"),
        (".5", "1/2"),
        ("3.", "3"),
        ("$18", "18"),
        (r"\$18.00", "18"),
        ("$18$", "18"),
        (r"\(18\)", "18"),
        ("**18**", "18"),
        ("50%", "50"),
        (r"50\%", "50"),
        ("3/4", "3/4"),
        ("6/8", "3/4"),
        ("-3/4", "-3/4"),
        (r"\frac{3}{4}", "3/4"),
        (r"\dfrac{3}{4}", "3/4"),
        (r"-\frac{3}{4}", "-3/4"),
        (r"\frac{-3}{4}", "-3/4"),
        (r"\frac34", "3/4"),
        (r"1\frac{1}{2}", "3/2"),
        ("1 1/2", "3/2"),
        ("-1 1/2", "-3/2"),
        ("18 eggs", "18"),
        ("18 dollars per day", "18"),
        ("5cm", "5"),
        (r"5\text{ cm}", "5"),
        (r"5 \mathrm{cm}", "5"),
        ("30公里", "30"),
        ("５６", "56"),
        ("x = 5", "5"),
        (r"\boxed{7}", "7"),
        (r"90^\circ", "90"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
    }
}

#[test]
fn what_is_not_a_number_stays_text() {
    for (text, expected) in [
        ("2x", "text 2x"),
        ("2 x", "text 2x"),
        ("1,2", "text 1,2"),
        ("12,34", "text 12,34"),
        ("5 million", "text 5million"),
        ("3 and 4", "text 3and4"),
        ("51 or 52", "text 51or52"),
        ("1/0", "text 1/0"),
        ("--5", "text --5"),
        ("3万", "text 3万"),
        (r"2\pi", r"text 2\pi"),
        (r"\left( 3, \frac{\pi}{2} \right)", r"text (3,\frac{\pi}{2})"),
        (r"\text{east}", "text east"),
        ("p - q", "text p-q"),
        ("1e3", "text 1e3"),
        ("", "-"),
        (" $ ", "-"),
        ("...", "-"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
    }
    let beyond = "9".repeat(60);
    assert_eq!(canonical(&beyond), format!("text {beyond}"));
    assert_eq!(canonical(&"9".repeat(3000)), "-");
}

proptest! {
    #[test]
    fn equality_is_reflexive_and_symmetric(a in "[-0-9,./ $%a-c{}\\\\]{0,12}", b in "[-0-9,./ $%a-c{}\\\\]{0,12}") {
        prop_assert_eq!(same_value(&a, &b), same_value(&b, &a));
        prop_assert_eq!(same_value(&a, &a), Value::parse(&a).is_some());
    }

    #[test]
    fn written_forms_of_one_number_are_equal(top in -9999_i64..9999, bottom in 1_i64..99, factor in 1_i64..9) {
        let plain = format!("{top}/{bottom}");
        let scaled = format!("\\frac{{{}}}{{{}}}", top * factor, bottom * factor);
        prop_assert!(same_value(&plain, &scaled));
        let whole = format!("{}", top * bottom);
        let other = format!("{}/{}", top * bottom * factor, factor);
        prop_assert!(same_value(&whole, &other));
        let next = format!("{}/{}", top + 1, bottom);
        prop_assert!(!same_value(&plain, &next));
    }

    #[test]
    fn parsing_the_canonical_form_changes_nothing(text in "\\PC{0,20}") {
        if let Some(Value::Number(number)) = Value::parse(&text) {
            prop_assert_eq!(Value::parse(&number.to_string()), Some(Value::Number(number)));
        }
    }
}
