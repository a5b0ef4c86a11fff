//! Numbers with units, percent, degrees, money and ratios.

use super::dice::Dice;
use super::latex::{Fraction, decimal, gcd, texts};
use super::{Family, Group, Wrap};

pub(super) const FAMILIES: [Family; 10] = [
    ("percent", Wrap::Math, 140, percent),
    ("percent in plain text", Wrap::Plain, 50, plain_percent),
    ("degrees", Wrap::Math, 120, degrees),
    ("degrees and minutes", Wrap::Math, 60, minutes),
    ("money", Wrap::Math, 140, money),
    ("money in plain text", Wrap::Plain, 60, plain_money),
    ("units dropped", Wrap::Math, 200, units_dropped),
    ("units in plain text", Wrap::Plain, 120, plain_units),
    ("units converted", Wrap::Math, 160, units_converted),
    ("ratios", Wrap::Math, 100, ratios),
];

fn plain_percent(dice: &mut Dice) -> Group {
    let value = dice.int(1, 99);
    Group::new(
        dice.pick(&["#\\%", "#"]).replace('#', &value.to_string()),
        vec![format!("{value}%"), format!("{value} percent"), format!("{value} %"), value.to_string()],
        vec![format!("{}%", value + 1), format!("{} percent", value * 10), format!("-{value}%")],
    )
}

/// Fifty percent is 50, 0.5 and 1/2.
fn percent(dice: &mut Dice) -> Group {
    let value = dice.int(1, 99);
    let fraction = Fraction::new(value, 100);
    let written = dice.pick(&["#\\%", "#%", "#\\text{ percent}", "# \\%", "#\\text{\\%}", "# \\text{ per cent}"]);
    let at = |value: i64| format!("{value}\\%");
    if dice.chance(4) {
        // One decimal.
        let tenths = dice.int(1, 98) * 10 + dice.int(1, 9);
        let number = decimal(tenths, 1);
        return Group::new(
            format!("{number}\\%"),
            vec![format!("{number}%"), number.clone(), format!("{number}\\text{{ percent}}"), Fraction::new(tenths, 1000).latex()],
            vec![
                format!("{}\\%", decimal(tenths + 2, 1)),
                format!("{}\\%", decimal(tenths * 10, 1)),
                format!("{}", tenths / 10),
                format!("-{number}\\%"),
            ],
        );
    }
    let mut equal =
        vec![written.replace('#', &value.to_string()), value.to_string(), fraction.latex(), decimal(value, 2), format!("{value}.0\\%")];
    let mut gold = at(value);
    if dice.chance(3) {
        gold = fraction.latex();
        equal = vec![at(value), format!("{value}%"), decimal(value, 2)];
    }
    let different = vec![
        at(value + 1),
        format!("{}%", value + 2),
        at(value * 10),
        format!("{value}{value}\\%"),
        decimal(value + 3, 2),
        format!("-{value}\\%"),
        decimal(value, 3),
    ];
    Group::new(gold, equal, different)
}

fn degrees(dice: &mut Dice) -> Group {
    let value = dice.int(2, 359);
    let mut equal = vec![
        value.to_string(),
        format!("{value}^\\circ"),
        format!("{value}^{{\\circ}}"),
        format!("{value}°"),
        format!("{value}\\text{{ degrees}}"),
        format!("{value} ^ \\circ"),
        format!("{value}.0^\\circ"),
    ];
    let gold = match dice.below(3) {
        0 => value.to_string(),
        1 => format!("{value}\\text{{ degrees}}"),
        _ => format!("{value}^\\circ"),
    };
    let mut different: Vec<String> = [value + 1, value * 2, value * 10, -value, 360 - value]
        .into_iter()
        .filter(|&other| other != value)
        .flat_map(|other| [format!("{other}^\\circ"), other.to_string()])
        .collect();
    if dice.chance(3) {
        let part = Fraction::new(value, 180);
        let radians = |part: Fraction| match part {
            Fraction { above, below: 1 } => format!("{above}\\pi"),
            Fraction { above: 1, below } => format!("\\frac{{\\pi}}{{{below}}}"),
            Fraction { above, below } => format!("\\frac{{{above}\\pi}}{{{below}}}"),
        };
        different = vec![
            radians(part.plus(Fraction::new(1, 180))) + "\\text{ radians}",
            radians(part.negative()),
            format!("{}^\\circ", value + 1),
            format!("{}^\\circ", 2 * value),
        ];
        equal = vec![format!("{value}^\\circ"), format!("{value}\\text{{ degrees}}"), format!("{value}°")];
        return Group::new(radians(part), equal, different);
    }
    Group::new(gold, equal, different)
}

fn minutes(dice: &mut Dice) -> Group {
    let (degrees, minutes) = (dice.int(1, 89), dice.pick(&[6, 12, 15, 18, 24, 30, 36, 42, 45, 48, 54]));
    let hundredths = degrees * 100 + minutes * 100 / 60;
    let gold = format!("{degrees}^\\circ {minutes}'");
    let equal = vec![
        format!("{degrees}^{{\\circ}}{minutes}'"),
        format!("{degrees}^\\circ{minutes}'"),
        format!("{degrees}°{minutes}'"),
        format!("{degrees}^\\circ {minutes}^\\prime"),
        format!("{}^\\circ", decimal(hundredths, 2)),
    ];
    let different = vec![
        format!("{degrees}^\\circ {}'", minutes + 1),
        format!("{}^\\circ {minutes}'", degrees + 1),
        format!("{degrees}^\\circ"),
        format!("{degrees}.{minutes:02}^\\circ").replace(".30", ".3"),
        format!("{minutes}^\\circ {degrees}'"),
    ];
    let different = if degrees == minutes { different[..4].to_vec() } else { different };
    Group::new(gold, equal, different)
}

fn money(dice: &mut Dice) -> Group {
    let dollars = dice.int(2, 999);
    let has_cents = dice.chance(2);
    let cents = dice.int(11, 99);
    let amount = if has_cents { format!("{dollars}.{cents}") } else { dollars.to_string() };
    let mut equal = vec![
        amount.clone(),
        format!("\\${amount}"),
        format!("\\$ {amount}"),
        format!("{amount}\\text{{ dollars}}"),
        format!("{amount} \\$"),
        format!("\\text{{\\$}}{amount}"),
    ];
    let mut different = vec![
        format!("\\${}", dollars + 1),
        format!("\\$-{amount}"),
        format!("{amount}\\text{{ cents}}"),
        format!("{amount}\\text{{ euros}}"),
        format!("\\${dollars}0.{cents}"),
        format!("€{amount}"),
    ];
    if has_cents {
        equal.push(format!("{dollars}{cents}\\text{{ cents}}"));
        different.push(format!("\\${dollars}"));
    } else {
        equal.push(format!("\\${amount}.00"));
        equal.push(format!("{dollars}00\\text{{ cents}}"));
    }
    let gold = if dice.chance(2) { format!("\\${amount}") } else { format!("{amount}\\text{{ dollars}}") };
    Group::new(gold, equal, different)
}

fn plain_money(dice: &mut Dice) -> Group {
    let thousands = dice.int(1, 99);
    let rest = dice.int(100, 999);
    let gold = dice.pick(&["#", "\\$#"]).replace('#', &format!("{thousands}{rest}"));
    let amount = format!("{thousands},{rest}");
    Group::new(
        gold,
        vec![
            format!("${amount}"),
            format!("{amount} dollars"),
            format!("${amount}.00"),
            format!("{amount}$"),
            format!("${thousands}{rest}"),
        ],
        vec![
            format!("${thousands}"),
            format!("${rest}"),
            format!("${thousands},{}", if rest == 999 { 111 } else { rest + 1 }),
            format!("${amount},000"),
            format!("-${amount}"),
        ],
    )
}

/// Units that stand for nothing else, with their spellings.
const UNITS: [&[&str]; 12] = [
    &["\\text{ cm}", "\\text{cm}", "\\mathrm{cm}", "\\,\\text{cm}", "\\text{ centimeters}", "~\\mathrm{cm}"],
    &["\\text{ m}", "\\text{ meters}", "\\mathrm{~m}", "\\text{ metres}"],
    &["\\text{ km}", "\\text{ kilometers}", "\\mathrm{km}"],
    &["\\text{ inches}", "\\text{ in}", "\\text{ inch}"],
    &["\\text{ feet}", "\\text{ ft}", "\\textrm{ feet}"],
    &["\\text{ miles}", "\\mbox{ miles}", "\\text{ mi}"],
    &["\\text{ hours}", "\\text{ h}", "\\text{ hrs}"],
    &["\\text{ minutes}", "\\text{ min}"],
    &["\\text{ kg}", "\\mathrm{kg}", "\\text{ kilograms}"],
    &["\\text{ cm}^2", "\\text{ cm}^{2}", "\\text{ square centimeters}", "\\mathrm{cm}^2", "\\text{ sq cm}"],
    &["\\text{ m}^3", "\\text{ cubic meters}", "\\mathrm{m}^{3}"],
    &["\\text{ km/h}", "\\text{ km per hour}", "\\mathrm{km/h}"],
];

/// What is counted, not measured.
const COUNTED: [&str; 10] = ["apples", "ways", "students", "marbles", "eggs", "pages", "people", "books", "units", "cookies"];

fn units_dropped(dice: &mut Dice) -> Group {
    let value = if dice.chance(3) { Fraction::random(dice, 30) } else { Fraction::new(dice.int(2, 500), 1) };
    let number = value.latex();
    let spellings = if dice.chance(3) {
        let noun = dice.pick(&COUNTED);
        vec![format!("\\text{{ {noun}}}"), format!("\\ \\text{{{noun}}}"), format!("\\mbox{{ {noun}}}")]
    } else {
        texts(dice.pick(&UNITS))
    };
    let unit = dice.pick(&spellings);
    let mut equal: Vec<String> = spellings.iter().map(|unit| format!("{number}{unit}")).collect();
    equal.push(number.clone());
    let gold = if dice.chance(2) { number.clone() } else { format!("{number}{unit}") };
    let mut near = vec![
        value.plus(Fraction::new(1, 1)),
        value.negative(),
        Fraction::new(value.above * 10, value.below),
        Fraction::new(value.above, value.below + 1),
    ];
    near.retain(|other| *other != value);
    let different = near.iter().flat_map(|other| [format!("{}{unit}", other.latex()), other.latex()]).collect();
    Group::new(gold, equal, different)
}

fn plain_units(dice: &mut Dice) -> Group {
    const PLAIN: [&[&str]; 8] = [
        &["cm", "centimeters"],
        &["miles", "mi"],
        &["hours", "hrs"],
        &["minutes", "min"],
        &["kg", "kilograms"],
        &["feet", "ft"],
        &["square feet", "sq ft"],
        &["mph", "miles per hour"],
    ];
    let value = dice.int(2, 900);
    let names = if dice.chance(3) { vec![dice.pick(&COUNTED)] } else { dice.pick(&PLAIN).to_vec() };
    let name = dice.pick(&names);
    let gold = if dice.chance(2) { value.to_string() } else { format!("{value} {name}") };
    let equal = names.iter().map(|name| format!("{value} {name}")).chain([value.to_string(), format!("{value}.0 {name}")]).collect();
    let different = [value + 1, value * 10, value + 10, -value].iter().map(|other| format!("{other} {name}")).collect();
    Group::new(gold, equal, different)
}

fn units_converted(dice: &mut Dice) -> Group {
    /// Larger unit, smaller unit, how many of the smaller make one of the larger, and a unit of another dimension.
    const STEPS: [(&str, &str, i64, &str); 14] = [
        ("m", "cm", 100, "kg"),
        ("km", "m", 1000, "hours"),
        ("cm", "mm", 10, "g"),
        ("kg", "g", 1000, "cm"),
        ("hours", "minutes", 60, "km"),
        ("minutes", "seconds", 60, "m"),
        ("feet", "inches", 12, "seconds"),
        ("yards", "feet", 3, "kg"),
        ("days", "hours", 24, "m"),
        ("weeks", "days", 7, "feet"),
        ("m^2", "cm^2", 10_000, "m"),
        ("pounds", "ounces", 16, "miles"),
        ("liters", "ml", 1000, "hours"),
        ("miles", "feet", 5280, "minutes"),
    ];
    let (large, small, factor, other) = dice.pick(&STEPS);
    let value = dice.int(2, 60);
    let write = |number: &str, unit: &str| match unit.strip_suffix("^2") {
        Some(unit) => format!("{number}\\text{{ {unit}}}^2"),
        None => format!("{number}\\text{{ {unit}}}"),
    };
    let has_half = factor % 2 == 0 && dice.chance(3);
    let (many, few) = if has_half { (format!("{value}.5"), value * factor + factor / 2) } else { (value.to_string(), value * factor) };
    let (big, little) = (write(&many, large), write(&few.to_string(), small));
    let mut different = vec![
        write(&format!("{}", value + 2), large),
        write(&(few + 2 * factor).to_string(), small),
        write(&(few * 10).to_string(), small),
        write(&(few + 1 + factor / 4).to_string(), small),
    ];
    let gold_is_big = dice.chance(2);
    if gold_is_big {
        different.extend([write(&many, small), write(&many, other)]);
    } else {
        different.extend([write(&few.to_string(), large), write(&few.to_string(), other)]);
    }
    Group::new(if gold_is_big { big.clone() } else { little.clone() }, vec![big, little], different)
}

fn ratios(dice: &mut Dice) -> Group {
    let (a, b) = (dice.int(1, 20), dice.int(1, 20));
    if gcd(a, b) != 1 || a == b {
        return ratios(dice);
    }
    let k = dice.int(2, 6);
    let equal = vec![
        format!("{a}:{b}"),
        format!("{a} : {b}"),
        format!("{}:{}", a * k, b * k),
        format!("{a} \\colon {b}"),
        format!("{a}∶{b}"),
        format!("{a}\\text{{ to }}{b}"),
        format!("\\frac{{{a}}}{{{}}}:\\frac{{{b}}}{{{}}}", k, k),
    ];
    let different = vec![
        format!("{b}:{a}"),
        format!("{a}:{}", b + 1),
        format!("{}:{b}", a + 1),
        format!("{}:{b}", a * k),
        format!("{a}:{b}:{k}"),
        format!("{a}:{b} + 1"),
    ];
    Group::new(format!("{a}:{b}"), equal, different)
}
