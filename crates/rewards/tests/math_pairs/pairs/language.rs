//! Answers that are words, choices, dates and times, and mathematics in Chinese.

use super::dice::Dice;
use super::latex::{Fraction, decimal, texts};
use super::{Family, Group, Wrap};

pub(super) const FAMILIES: [Family; 12] = [
    ("words", Wrap::Words, 140, words),
    ("choices", Wrap::Whole, 140, choices),
    ("dates", Wrap::Words, 100, dates),
    ("times", Wrap::Words, 100, times),
    ("number words", Wrap::Words, 50, number_words),
    ("Chinese numerals", Wrap::Plain, 120, chinese_numerals),
    ("Chinese fractions", Wrap::Plain, 50, chinese_fractions),
    ("Chinese units", Wrap::Plain, 60, chinese_units),
    ("Chinese sentences", Wrap::Whole, 100, chinese_sentences),
    ("Chinese dates and times", Wrap::Plain, 50, chinese_dates),
    ("full-width text", Wrap::Plain, 60, full_width),
    ("Unicode mathematics", Wrap::Plain, 100, unicode),
];

/// Words in groups whose members exclude each other.
const WORDS: [&[&str]; 10] = [
    &["yes", "no"],
    &["true", "false"],
    &["north", "south", "east", "west"],
    &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    &["January", "February", "March", "April", "August", "October"],
    &["Alice", "Bob", "Carla", "Dmitri", "Evelyn", "Farid"],
    &["odd", "even", "neither"],
    &["circle", "ellipse", "parabola", "hyperbola", "line", "two lines"],
    &["red", "blue", "green", "yellow"],
    &["acute triangle", "right triangle", "obtuse triangle", "isosceles triangle"],
];

fn words(dice: &mut Dice) -> Group {
    let group = dice.pick(&WORDS);
    let order = dice.shuffled(group);
    let word = order[0];
    let mut capital = word.to_owned();
    capital[..1].make_ascii_uppercase();
    let equal = vec![word.to_owned(), capital, word.to_lowercase(), word.to_uppercase(), format!(" {word} ")];
    let different = order[1..].iter().map(|&other| other.to_owned()).chain([format!("not {word}")]).collect();
    let gold = if dice.chance(2) { format!("\\text{{{word}}}") } else { word.to_owned() };
    Group::new(gold, equal, different)
}

fn choices(dice: &mut Dice) -> Group {
    const FORMS: [&str; 16] = [
        "\\boxed{#}",
        "\\boxed{(#)}",
        "\\boxed{\\text{#}}",
        "\\boxed{\\text{(#)}}",
        "\\boxed{\\textbf{(#)}}",
        "\\boxed{\\mathrm{#}}",
        "\\boxed{\\text{#.}}",
        "The answer is (#).",
        "The answer is #.",
        "The correct answer is $\\boxed{#}$.",
        "**Answer:** #",
        "Answer: (#)",
        "<think>A looks wrong, B too.</think><answer>#</answer>",
        "<think>A looks wrong, B too.</think><answer>(#)</answer>",
        "答案是#。",
        "所以答案为（#）。",
    ];
    let letters = dice.shuffled(&["A", "B", "C", "D", "E"]);
    let fill = |letter: &str| FORMS.iter().map(|form| form.replace('#', letter)).collect::<Vec<_>>();
    let gold = dice.pick(&["#", "(#)", "\\text{#}", "\\text{(#)}", "\\textbf{(#)}"]).replace('#', letters[0]);
    Group::new(gold, fill(letters[0]), [fill(letters[1]), fill(letters[2])].concat())
}

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

fn dates(dice: &mut Dice) -> Group {
    let (year, month, day) = (dice.int(1900, 2030), dice.int(1, 12), dice.int(13, 27));
    let name = |month: i64| MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    let write = |year: i64, month: i64, day: i64| format!("{} {day}, {year}", name(month));
    let equal = vec![
        write(year, month, day),
        format!("{day} {} {year}", name(month)),
        format!("{year}-{month:02}-{day:02}"),
        format!("{} {day} {year}", name(month)),
        format!("{} {day}, {year}", &name(month)[..3]),
    ];
    let different = vec![
        write(year, month, day + 1),
        write(year, month % 12 + 1, day),
        write(year + 1, month, day),
        format!("{year}-{month:02}-{:02}", day + 1),
        format!("{} {year}", name(month)),
        year.to_string(),
    ];
    Group::new(write(year, month, day), equal, different)
}

fn times(dice: &mut Dice) -> Group {
    let (hour, minute) = (dice.int(1, 11), dice.int(10, 58));
    let is_afternoon = dice.chance(2);
    let half = |is_afternoon: bool| if is_afternoon { "pm" } else { "am" };
    let write = |hour: i64, minute: i64, is_afternoon: bool| format!("{hour}:{minute:02} {}", half(is_afternoon));
    let gold = write(hour, minute, is_afternoon);
    let upper = half(is_afternoon).to_uppercase();
    let dotted = if is_afternoon { "p.m." } else { "a.m." };
    let mut equal = vec![
        gold.clone(),
        format!("{hour}:{minute:02} {upper}"),
        format!("{hour}:{minute:02}{}", half(is_afternoon)),
        format!("{hour}:{minute:02} {dotted}"),
    ];
    let from_midnight = if is_afternoon { hour + 12 } else { hour };
    if is_afternoon {
        equal.push(format!("{from_midnight}:{minute:02}"));
    }
    let different = vec![
        write(hour, minute, !is_afternoon),
        write(hour, minute + 1, is_afternoon),
        write(hour % 11 + 1, minute, is_afternoon),
        format!("{}:{minute:02}", (from_midnight + 13) % 24),
        hour.to_string(),
    ];
    Group::new(gold, equal, different)
}

/// English for 1 to 99.
fn english(value: i64) -> String {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let index = usize::try_from(value).unwrap_or(0);
    match (index / 10, index % 10) {
        (0 | 1, _) => SMALL[index].to_owned(),
        (tens, 0) => TENS[tens].to_owned(),
        (tens, ones) => format!("{}-{}", TENS[tens], SMALL[ones]),
    }
}

fn number_words(dice: &mut Dice) -> Group {
    let value = dice.int(2, 97);
    Group::new(value.to_string(), vec![english(value)], vec![english(value + 1), english(value - 1)])
}

/// Chinese for 1 to 99,999.
fn chinese(value: i64) -> String {
    const DIGITS: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    const PLACES: [(i64, &str); 5] = [(10_000, "万"), (1_000, "千"), (100, "百"), (10, "十"), (1, "")];
    if (10..20).contains(&value) {
        return format!("十{}", if value == 10 { "" } else { DIGITS[usize::try_from(value - 10).unwrap_or(0)] });
    }
    let mut text = String::new();
    let mut has_gap = false;
    for (place, name) in PLACES {
        let digit = value / place % 10;
        if digit == 0 {
            has_gap |= !text.is_empty();
            continue;
        }
        if has_gap {
            text.push_str(DIGITS[0]);
        }
        has_gap = false;
        text.push_str(DIGITS[usize::try_from(digit).unwrap_or(0)]);
        text.push_str(name);
    }
    text
}

fn chinese_numerals(dice: &mut Dice) -> Group {
    let high = dice.pick(&[9, 99, 999, 9_999, 99_999]);
    let value = dice.int(1, high);
    let other = if value > 1 { value - 1 } else { 3 };
    Group::new(
        value.to_string(),
        vec![chinese(value), value.to_string()],
        vec![chinese(value + 1), chinese(other), chinese((value * 10).min(99_999).max(value + 1)), format!("负{}", chinese(value))],
    )
}

fn chinese_fractions(dice: &mut Dice) -> Group {
    let value = Fraction::random(dice, 15);
    let (above, below) = (value.above.abs(), value.below);
    if above >= below {
        return chinese_fractions(dice);
    }
    if dice.chance(3) {
        let percent = dice.int(2, 98);
        return Group::new(
            format!("{percent}\\%"),
            vec![format!("百分之{}", chinese(percent)), format!("{percent}％")],
            vec![format!("百分之{}", chinese(percent + 1)), format!("{}％", percent + 1)],
        );
    }
    Group::new(
        Fraction::new(above, below).latex(),
        vec![format!("{}分之{}", chinese(below), chinese(above))],
        vec![format!("{}分之{}", chinese(above.max(2)), chinese(below + 1)), format!("{}分之{}", chinese(below + 1), chinese(above))],
    )
}

const CHINESE_UNITS: [(&str, &str); 8] = [
    ("厘米", "\\text{ cm}"),
    ("米", "\\text{ m}"),
    ("千克", "\\text{ kg}"),
    ("小时", "\\text{ hours}"),
    ("分钟", "\\text{ minutes}"),
    ("元", "\\text{ yuan}"),
    ("个", ""),
    ("人", ""),
];

fn chinese_units(dice: &mut Dice) -> Group {
    let value = dice.int(2, 400);
    let (unit, english) = dice.pick(&CHINESE_UNITS);
    let gold = if dice.chance(2) { value.to_string() } else { format!("{value}{english}") };
    Group::new(
        gold,
        vec![format!("{value}{unit}"), format!("{value} {unit}"), value.to_string()],
        vec![format!("{}{unit}", value + 1), format!("{}{unit}", value * 10), format!("-{value}{unit}")],
    )
}

fn chinese_sentences(dice: &mut Dice) -> Group {
    const FORMS: [&str; 12] = [
        "答案是#。",
        "答案是 # 。",
        "所以，答案为#。",
        "答案：#",
        "因此答案是：#。",
        "最终答案是 $#$。",
        "故答案为：$#$。",
        "所以最终答案为 $\\boxed{#}$。",
        "<think>先算 3，再算 4。</think>答案是#。",
        "<think>先算 3，再算 4。</think><answer>#</answer>",
        "解：由题意可得 $x=2$ 不成立，答案是#。",
        "综上所述，\\boxed{#}。",
    ];
    let value = Fraction::any(dice, 60);
    let fill = |text: &str| FORMS.iter().map(|form| form.replace('#', text)).collect::<Vec<_>>();
    let other = value.plus(Fraction::new(1, 1));
    Group::new(
        value.latex(),
        fill(&value.plain()),
        [fill(&other.plain()), fill(&Fraction::new(value.above * 10 + 1, value.below).plain())].concat(),
    )
}

fn chinese_dates(dice: &mut Dice) -> Group {
    if dice.chance(2) {
        let (year, month, day) = (dice.int(1950, 2030), dice.int(1, 12), dice.int(13, 27));
        return Group::new(
            format!("{year}-{month:02}-{day:02}"),
            vec![format!("{year}年{month}月{day}日")],
            vec![
                format!("{year}年{month}月{}日", day + 1),
                format!("{}年{month}月{day}日", year - 1),
                format!("{year}年{}月{day}日", month % 12 + 1),
            ],
        );
    }
    let (hour, minute) = (dice.int(1, 11), dice.int(10, 58));
    Group::new(
        format!("{hour}:{minute} pm"),
        vec![format!("下午{hour}:{minute}"), format!("下午{hour}点{minute}分"), format!("{}:{minute}", hour + 12)],
        vec![format!("上午{hour}:{minute}"), format!("下午{hour}:{}", minute + 1), format!("下午{}:{minute}", hour % 11 + 1)],
    )
}

fn full_width(dice: &mut Dice) -> Group {
    let value = dice.int(-300, 9_999);
    let wide = |text: &str| {
        text.chars()
            .map(|c| match c {
                '-' => '－',
                '+' => '＋',
                '=' => '＝',
                '(' => '（',
                ')' => '）',
                ',' => '，',
                '.' => '．',
                '/' => '／',
                c => c.to_digit(10).and_then(|digit| char::from_u32('０' as u32 + digit)).unwrap_or(c),
            })
            .collect::<String>()
    };
    if dice.chance(3) {
        let (a, b) = (dice.int(-20, 20), dice.int(21, 40));
        let gold = format!("({a}, {b})");
        return Group::new(gold, vec![wide(&format!("({a},{b})"))], vec![wide(&format!("({b},{a})")), wide(&format!("({a},{})", b + 1))]);
    }
    let tenths = decimal(value, 1);
    let gold = if dice.chance(2) { value.to_string() } else { tenths.clone() };
    let is_whole = !gold.contains('.');
    let other = if is_whole { (value + 1).to_string() } else { decimal(value + 2, 1) };
    Group::new(gold.clone(), vec![wide(&gold), gold], vec![wide(&other), wide(&format!("{}", value * 100 + 7))])
}

fn unicode(dice: &mut Dice) -> Group {
    let (a, b) = (dice.int(2, 9), dice.int(2, 9));
    let raised = |n: i64| ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"][usize::try_from(n).unwrap_or(0)];
    match dice.below(6) {
        0 => Group::new(
            format!("{a}\\sqrt{{{b}}}"),
            vec![format!("{a}√{b}"), format!("{a} √{b}"), format!("{a}√({b})"), format!("{a}·√{b}")],
            vec![format!("{a}√{}", b + 1), format!("{}√{b}", a + 1), format!("−{a}√{b}"), format!("{a}∛{b}")],
        ),
        1 => Group::new(
            format!("{a}x^{b}"),
            vec![format!("{a}x{}", raised(b)), format!("{a}·x{}", raised(b)), format!("{a}×x{}", raised(b))],
            vec![format!("{a}x{}", raised(b - 1)), format!("−{a}x{}", raised(b)), format!("{}x{}", a + 1, raised(b)), format!("{a}x{b}")],
        ),
        2 => Group::new(
            format!("10^{{-{b}}}"),
            vec![format!("10⁻{}", raised(b)), format!("1/10{}", raised(b))],
            vec![format!("10{}", raised(b)), format!("10⁻{}", raised(b - 1)), format!("−10⁻{}", raised(b))],
        ),
        3 => {
            let (text, sign) = dice.pick(&[("½", "1/2"), ("¾", "3/4"), ("⅓", "1/3"), ("⅔", "2/3"), ("⅛", "1/8"), ("¼", "1/4")]);
            let whole = dice.int(1, 20);
            let (above, below) = sign.split_once('/').unwrap_or((sign, "1"));
            Group::new(
                format!("{whole}\\frac{{{above}}}{{{below}}}"),
                vec![format!("{whole}{text}"), format!("{whole} {text}"), format!("{whole} {sign}")],
                vec![format!("{}{text}", whole + 1), text.to_owned(), format!("−{whole}{text}"), whole.to_string()],
            )
        }
        4 => {
            let high = a + b;
            Group::new(
                format!("[{a}, {high}) \\cup (20, \\infty)"),
                vec![format!("[{a}, {high}) ∪ (20, ∞)"), format!("[{a},{high})∪(20,+∞)")],
                vec![
                    format!("[{a}, {high}] ∪ (20, ∞)"),
                    format!("[{a}, {high}) ∪ (20, 30)"),
                    format!("[{a}, {high}) ∩ (20, ∞)"),
                    format!("[{a}, {high})"),
                ],
            )
        }
        _ => Group::new(
            format!("x \\ge {a}"),
            vec![format!("x ≥ {a}"), format!("{a} ≤ x"), format!("x ⩾ {a}"), format!("x≥{a}")],
            texts(&["x ≤ #", "x > #", "x < #", "x = #", "x ≠ #"]).iter().map(|text| text.replace('#', &a.to_string())).collect(),
        ),
    }
}
