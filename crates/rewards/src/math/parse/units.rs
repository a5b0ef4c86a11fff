//! Units of measurement and the quantities that carry them.

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::lex::Kind;
use super::{Fork, ParseError, Parser, words};
use crate::math::answer::{Answer, Dimension, Expr, Number, Unit};

/// One row of the table: names, dimension, numerator and denominator of the factor.
type Row = (&'static [&'static str], Dimension, u64, u64);

const NONE: Dimension =
    Dimension { length: 0, mass: 0, time: 0, angle: 0, temperature: 0, information: 0, currency: 0, current: 0, percent: 0 };
const LENGTH: Dimension = Dimension { length: 1, ..NONE };
const AREA: Dimension = Dimension { length: 2, ..NONE };
const VOLUME: Dimension = Dimension { length: 3, ..NONE };
const MASS: Dimension = Dimension { mass: 1, ..NONE };
const TIME: Dimension = Dimension { time: 1, ..NONE };
const SPEED: Dimension = Dimension { length: 1, time: -1, ..NONE };
const ANGLE: Dimension = Dimension { angle: 1, ..NONE };
const INFORMATION: Dimension = Dimension { information: 1, ..NONE };
const PERCENT: Dimension = Dimension { percent: 1, ..NONE };
const FORCE: Dimension = Dimension { length: 1, mass: 1, time: -2, ..NONE };
const ENERGY: Dimension = Dimension { length: 2, mass: 1, time: -2, ..NONE };
const POWER: Dimension = Dimension { length: 2, mass: 1, time: -3, ..NONE };
const PRESSURE: Dimension = Dimension { length: -1, mass: 1, time: -2, ..NONE };
const FREQUENCY: Dimension = Dimension { time: -1, ..NONE };
const CURRENT: Dimension = Dimension { current: 1, ..NONE };

const fn money(currency: u8) -> Dimension {
    Dimension { currency, ..NONE }
}

const TABLE: &[Row] = &[
    (&["m", "meter", "meters", "metre", "metres", "米", "公尺"], LENGTH, 1, 1),
    (&["km", "kilometer", "kilometers", "kilometre", "kilometres", "千米", "公里"], LENGTH, 1000, 1),
    (&["dm", "decimeter", "decimeters", "decimetre", "decimetres", "分米"], LENGTH, 1, 10),
    (&["cm", "centimeter", "centimeters", "centimetre", "centimetres", "厘米", "公分"], LENGTH, 1, 100),
    (&["mm", "millimeter", "millimeters", "millimetre", "millimetres", "毫米"], LENGTH, 1, 1000),
    (&["nm", "nanometer", "nanometers", "nanometre", "nanometres"], LENGTH, 1, 1_000_000_000),
    (&["in", "inch", "inches", "英寸"], LENGTH, 254, 10_000),
    (&["ft", "foot", "feet", "英尺"], LENGTH, 3048, 10_000),
    (&["yd", "yard", "yards"], LENGTH, 9144, 10_000),
    (&["mi", "mile", "miles", "英里"], LENGTH, 1_609_344, 1000),
    (&["hectare", "hectares", "ha", "公顷"], AREA, 10_000, 1),
    (&["acre", "acres"], AREA, 40_468_564_224, 10_000_000),
    (&["L", "l", "liter", "liters", "litre", "litres", "升"], VOLUME, 1, 1000),
    (&["mL", "ml", "milliliter", "milliliters", "millilitre", "millilitres", "毫升"], VOLUME, 1, 1_000_000),
    (&["gallon", "gallons", "gal"], VOLUME, 3_785_411_784, 1_000_000_000_000),
    (&["quart", "quarts"], VOLUME, 946_352_946, 1_000_000_000_000),
    (&["pint", "pints"], VOLUME, 473_176_473, 1_000_000_000_000),
    (&["g", "gram", "grams", "gramme", "grammes", "克"], MASS, 1, 1),
    (&["kg", "kilogram", "kilograms", "kilo", "kilos", "千克", "公斤"], MASS, 1000, 1),
    (&["mg", "milligram", "milligrams", "毫克"], MASS, 1, 1000),
    (&["ton", "tons", "tonne", "tonnes", "吨"], MASS, 1_000_000, 1),
    (&["lb", "lbs", "pound", "pounds"], MASS, 45_359_237, 100_000),
    (&["oz", "ounce", "ounces"], MASS, 28_349_523_125, 1_000_000_000),
    (&["s", "sec", "secs", "second", "seconds", "秒", "秒钟"], TIME, 1, 1),
    (&["ms", "millisecond", "milliseconds"], TIME, 1, 1000),
    (&["min", "mins", "minute", "minutes", "分钟"], TIME, 60, 1),
    (&["h", "hr", "hrs", "hour", "hours", "小时", "个小时"], TIME, 3600, 1),
    (&["day", "days", "天"], TIME, 86_400, 1),
    (&["week", "weeks", "周", "星期", "个星期"], TIME, 604_800, 1),
    // Months and years have no fixed length in seconds; twelve of one are one of the other.
    (&["month", "months", "个月"], TIME, 2_629_746, 1),
    (&["year", "years", "yr", "yrs", "年"], TIME, 31_556_952, 1),
    (&["mph"], SPEED, 1_609_344, 3_600_000),
    (&["kph", "kmh"], SPEED, 1000, 3600),
    (&["°", "degree", "degrees", "deg", "度"], ANGLE, 1, 1),
    (&["revolution", "revolutions"], ANGLE, 360, 1),
    (&["%", "percent", "percents", "pct"], PERCENT, 1, 100),
    (&["‰"], PERCENT, 1, 1000),
    (&["$", "dollar", "dollars", "USD", "usd", "美元"], money(1), 100, 1),
    (&["¢", "cent", "cents", "美分"], money(1), 1, 1),
    (&["€", "euro", "euros", "EUR", "欧元"], money(2), 100, 1),
    (&["£", "GBP", "英镑"], money(3), 100, 1),
    (&["pence"], money(3), 1, 1),
    (&["¥", "yuan", "RMB", "CNY", "元", "人民币", "块", "块钱"], money(4), 100, 1),
    (&["角", "毛"], money(4), 10, 1),
    (&["yen", "JPY", "日元"], money(5), 100, 1),
    (&["₹", "rupee", "rupees", "INR", "Rs"], money(6), 100, 1),
    (&["rouble", "roubles", "ruble", "rubles", "RUB"], money(7), 100, 1),
    (&["N", "newton", "newtons"], FORCE, 1000, 1),
    (&["J", "joule", "joules"], ENERGY, 1000, 1),
    (&["kJ"], ENERGY, 1_000_000, 1),
    (&["W", "watt", "watts"], POWER, 1000, 1),
    (&["kW"], POWER, 1_000_000, 1),
    (&["Pa"], PRESSURE, 1000, 1),
    (&["Hz", "hertz"], FREQUENCY, 1, 1),
    (&["ampere", "amperes", "amp", "amps"], CURRENT, 1, 1),
    (&["bit", "bits"], INFORMATION, 1, 1),
    (&["byte", "bytes"], INFORMATION, 8, 1),
    (&["KB", "kB", "kilobyte", "kilobytes"], INFORMATION, 8000, 1),
    (&["MB", "megabyte", "megabytes"], INFORMATION, 8_000_000, 1),
    (&["GB", "gigabyte", "gigabytes"], INFORMATION, 8_000_000_000, 1),
    // No rational number of degrees: without a dimension.
    (&["rad", "radian", "radians"], NONE, 1, 1),
    (&["平方厘米"], AREA, 1, 10_000),
    (&["平方分米"], AREA, 1, 100),
    (&["平方米"], AREA, 1, 1),
    (&["平方千米", "平方公里"], AREA, 1_000_000, 1),
    (&["立方厘米"], VOLUME, 1, 1_000_000),
    (&["立方分米"], VOLUME, 1, 1000),
    (&["立方米"], VOLUME, 1, 1),
    (&["千米/时"], SPEED, 1000, 3600),
];

/// A unit by its name, singular or plural.
fn known(name: &str) -> Option<Unit> {
    let lower;
    let row = match TABLE.iter().find(|row| row.0.contains(&name)) {
        Some(row) => row,
        None => {
            // `Hours`, `CM`: only where no other unit is written so.
            if name.len() < 2 || !name.is_ascii() {
                return None;
            }
            lower = name.to_ascii_lowercase();
            TABLE.iter().find(|row| row.0.contains(&lower.as_str()))?
        }
    };
    let dimension = (row.1 != NONE).then_some(row.1);
    let shown = row.0.iter().find(|shown| **shown == name).or(row.0.first()).copied().unwrap_or(name);
    Some(Unit {
        name: if dimension.is_none() { row.0[0].to_owned() } else { shown.to_owned() },
        dimension,
        factor: ratio(row.2, row.3),
        offset: RBig::ZERO,
    })
}

/// Whether a word names a unit.
pub(super) fn is_known(name: &str) -> bool {
    known(name).is_some()
}

fn ratio(numerator: u64, denominator: u64) -> RBig {
    RBig::from_parts(IBig::from(numerator), UBig::from(denominator))
}

impl Dimension {
    /// This dimension with all its powers multiplied.
    fn times(self, power: i8) -> Option<Self> {
        Some(Self {
            length: self.length.checked_mul(power)?,
            mass: self.mass.checked_mul(power)?,
            time: self.time.checked_mul(power)?,
            angle: self.angle.checked_mul(power)?,
            temperature: self.temperature.checked_mul(power)?,
            information: self.information.checked_mul(power)?,
            // A currency is a name, not a power; that it is divided by is rare enough to be left out.
            currency: if self.currency == 0 || power == 1 { self.currency } else { return None },
            current: self.current.checked_mul(power)?,
            percent: self.percent.checked_mul(power)?,
        })
    }

    /// The dimension of a product.
    fn and(self, other: Self) -> Option<Self> {
        let currency = match (self.currency, other.currency) {
            (one, 0) | (0, one) => one,
            _ => return None,
        };
        Some(Self {
            length: self.length.checked_add(other.length)?,
            mass: self.mass.checked_add(other.mass)?,
            time: self.time.checked_add(other.time)?,
            angle: self.angle.checked_add(other.angle)?,
            temperature: self.temperature.checked_add(other.temperature)?,
            information: self.information.checked_add(other.information)?,
            currency,
            current: self.current.checked_add(other.current)?,
            percent: self.percent.checked_add(other.percent)?,
        })
    }
}

impl Unit {
    fn counted(name: String) -> Self {
        Self { name, dimension: None, factor: RBig::ONE, offset: RBig::ZERO }
    }

    fn raised(self, power: i8) -> Option<Self> {
        if power == 1 {
            return Some(self);
        }
        let factor = self.factor.pow(isize::from(power));
        let dimension = match self.dimension {
            Some(dimension) => Some(dimension.times(power)?),
            None => None,
        };
        Some(Self { name: format!("{}^{power}", self.name), dimension, factor, offset: RBig::ZERO })
    }

    fn joined(self, other: Self, mark: char) -> Self {
        let dimension = match (self.dimension, other.dimension) {
            (Some(one), Some(two)) => one.and(two),
            _ => None,
        };
        let name = match mark {
            '/' => format!("{}/{}", self.name, other.name.strip_suffix("^-1").unwrap_or(&other.name)),
            mark => format!("{}{mark}{}", self.name, other.name),
        };
        let factor = if dimension.is_some() { self.factor * other.factor } else { RBig::ONE };
        Self { name, dimension, factor, offset: RBig::ZERO }
    }
}

impl Parser<'_, '_> {
    /// Whether a unit begins at a token, given that a number or expression stands in front of it.
    pub(super) fn unit_at(&self, at: usize) -> bool {
        match self.kind_at(at) {
            Kind::Sign('%' | '‰' | '°' | '¢' | '$' | '€' | '£' | '¥' | '₹' | '"') => true,
            Kind::Han(run) => !super::commands::HAN_JOINTS.contains(run),
            Kind::Word(word) if word == "per" => self.word_at(at + 1) == Some("cent"),
            Kind::Word(word) => {
                if words::is_joint(word) || words::is_operator(word) || words::relation(word).is_some() && &**word != "in" {
                    return false;
                }
                let upright = self.upright(at);
                let known = known(word).is_some();
                if matches!(&**word, "sq" | "cu" | "square" | "cubic") {
                    return matches!(self.kind_at(at + 1), Kind::Word(_) | Kind::Sign('.'));
                }
                if word.len() == 1 {
                    return known && (upright || (self.single_letter(at) && self.flipped & Fork::Units.bit() == 0));
                }
                if &**word == "in" {
                    return self.is_boundary(at + 1) || upright || self.sign_at(at + 1) == Some('^');
                }
                let glued = !self.spaced(at) && !upright;
                if known {
                    return upright || word.len() > 3 || (self.flipped & Fork::Units.bit() == 0);
                }
                !glued && words::is_countable(word) && (words::is_prose(word) || upright || has_vowel(word))
            }
            _ => false,
        }
    }

    /// Whether a lone letter behind a number looks like a unit: with white space in front, and nothing but a power or `/` behind.
    fn single_letter(&self, at: usize) -> bool {
        let numeric = at.checked_sub(1).is_some_and(|at| matches!(self.kind_at(at), Kind::Number(_) | Kind::Sign('}' | '/' | '*')));
        numeric
            && !self.symbols
            && (self.spaced(at) || self.area_or_volume(at) || matches!(self.sign_at(at.saturating_sub(1)), Some('/' | '*')))
            && (self.is_boundary(at + 1) || matches!(self.sign_at(at + 1), Some('^' | '/')))
            // `2h30m`: a number behind a letter makes it a unit.
            || numeric && matches!((self.word_at(at), self.kind_at(at + 1)), (Some("h" | "m"), Kind::Number(_)))
    }

    /// Whether the letter is that of `12m²`: formulas raise their variables with `^`.
    fn area_or_volume(&self, at: usize) -> bool {
        let raised =
            || self.tokens.get(at + 1).and_then(|token| self.text.get(token.at..)).is_some_and(|rest| rest.starts_with(['²', '³']));
        self.word_at(at) == Some("m") && raised() && self.is_boundary(at + 5)
    }

    /// An expression with or without a unit.
    pub(super) fn quantity(&mut self) -> Result<Answer, ParseError> {
        self.skip_hedges()?;
        self.symbols = false;
        let negative = self.sign() == Some('-') && self.currency_at(self.at + 1).is_some();
        let prefix = self.currency_at(self.at + usize::from(negative));
        let mut unit = None;
        if let Some((found, len)) = prefix {
            self.at += usize::from(negative) + len;
            unit = Some(found);
        }
        let mut value = self.scaled()?;
        if negative {
            value = Expr::negative(value);
        }
        if unit.is_none() {
            self.note_letter_unit();
        }
        if self.unit_at(self.at) || self.sign() == Some('\'') {
            let found = self.unit()?;
            // `$5 dollars`
            unit = Some(match unit {
                Some(first) if found.dimension == first.dimension => first,
                Some(_) if found.dimension.is_some() && self.at > 0 => return Err(self.error("one unit only")),
                Some(first) => first,
                None => found,
            });
        }
        let Some(unit) = unit else { return Ok(Answer::Expr(value)) };
        let value = self.compound(value, &unit)?;
        Ok(Answer::Quantity { value, unit })
    }

    /// Records that a lone letter could be a unit, or that a short unit could be letters.
    fn note_letter_unit(&mut self) {
        let candidate = |parser: &Self, at: usize| {
            !parser.upright(at) && matches!(parser.kind_at(at), Kind::Word(word) if word.len() <= 3 && known(word).is_some())
        };
        let behind = candidate(self, self.at);
        let before = self.at.checked_sub(1).is_some_and(|at| candidate(self, at));
        if (behind || before) && (self.at > 1 || self.area_or_volume(self.at)) {
            self.seen |= Fork::Units.bit();
        }
    }

    /// "about 5", "simply 5": the words say nothing that can be compared.
    fn skip_hedges(&mut self) -> Result<(), ParseError> {
        while matches!(
            self.word_at(self.at),
            Some(
                "about"
                    | "approximately"
                    | "roughly"
                    | "exactly"
                    | "approx"
                    | "About"
                    | "Approximately"
                    | "Exactly"
                    | "indeed"
                    | "simply"
                    | "just"
            )
        ) {
            self.advance()?;
        }
        Ok(())
    }

    /// A sign or name of a currency in front of a number.
    pub(super) fn currency_at(&self, at: usize) -> Option<(Unit, usize)> {
        if self.word_at(at) == Some("US") && self.sign_at(at + 1) == Some('$') {
            return Some((known("$")?, 2));
        }
        let name = match self.kind_at(at) {
            Kind::Sign(sign @ ('$' | '€' | '£' | '¥' | '₹')) => sign.to_string(),
            Kind::Word(word) if matches!(&**word, "USD" | "EUR" | "GBP" | "CNY" | "RMB" | "INR" | "Rs") => word.to_string(),
            // 百分之五十
            Kind::Han("百分之") => "%".to_owned(),
            _ => return None,
        };
        let point = usize::from(name == "Rs" && self.sign_at(at + 1) == Some('.'));
        Some((known(&name)?, 1 + point))
    }

    /// An expression and a word that multiplies it: `1.5 million`.
    fn scaled(&mut self) -> Result<Expr, ParseError> {
        let mut value = self.expression()?;
        loop {
            let scale = match self.kind() {
                Kind::Word(word) => words::scale(word),
                Kind::Han("万") => Some(10_000),
                Kind::Han("亿") => Some(100_000_000),
                _ => None,
            };
            let Some(scale) = scale else { return Ok(value) };
            self.advance()?;
            if matches!(self.word_at(self.at), Some("of")) {
                self.advance()?;
            }
            value = match value {
                Expr::Number(Number { value, .. }) => Expr::Number(Number { value: value * RBig::from(scale), decimals: None }),
                Expr::Product(mut factors) => {
                    factors.push(Expr::whole(scale));
                    Expr::Product(factors)
                }
                other => Expr::Product(vec![other, Expr::whole(scale)]),
            };
        }
    }

    /// A unit: words, signs, powers, and what they are divided by.
    fn unit(&mut self) -> Result<Unit, ParseError> {
        let mut unit = self.unit_factor()?;
        let mut factors = 0;
        loop {
            factors += 1;
            if factors > 8 {
                return Err(self.error("a unit of at most eight parts"));
            }
            let dotted = self.sign() == Some('*') && self.unit_at(self.at + 1);
            let slash = (self.sign() == Some('/') && self.unit_at(self.at + 1))
                || matches!(self.word_at(self.at), Some("per"))
                || *self.kind() == Kind::Han("每");
            if slash || dotted {
                self.advance()?;
                let next = self.unit_factor()?;
                if slash {
                    let inverse = next.raised(-1).ok_or_else(|| self.error("a unit to divide by"))?;
                    unit = unit.joined(inverse, '/');
                } else {
                    unit = unit.joined(next, '·');
                }
            } else if self.unit_at(self.at) && matches!(self.kind(), Kind::Word(_)) {
                let next = self.unit_factor()?;
                // `kWh`-like products are rare; words behind a unit say what was measured: `5 cm long`, `3 red balls`.
                unit = match (unit.dimension, next.dimension) {
                    (Some(_), None) => unit,
                    (None, Some(_)) => next,
                    (None, None) => Unit::counted(format!("{} {}", unit.name, next.name)),
                    (Some(_), Some(_)) => unit.joined(next, ' '),
                };
            } else if self.word_at(self.at) == Some("of") && self.unit_at(self.at + 1) {
                // `20 cups of feed`
                self.advance()?;
                self.unit_factor()?;
            } else {
                return Ok(unit);
            }
        }
    }

    fn unit_factor(&mut self) -> Result<Unit, ParseError> {
        if self.eat('°')? {
            return self.temperature().map(|found| found.unwrap_or_else(degree));
        }
        if self.word_at(self.at) == Some("per") && self.word_at(self.at + 1) == Some("cent") {
            self.advance()?;
            self.advance()?;
            return known("%").ok_or_else(|| self.error("a unit"));
        }
        if self.sign() == Some('\'') && self.sign_at(self.at + 1) == Some('\'') {
            // Two primes are a double one.
            self.advance()?;
            self.tokens[self.at].kind = Kind::Sign('"');
        }
        let mut power = 1_i8;
        if let Some(word) = self.word_at(self.at) {
            let ahead = match word {
                "square" | "sq" | "Square" => 2,
                "cubic" | "cu" | "Cubic" => 3,
                _ => 1,
            };
            if ahead > 1 {
                power = ahead;
                self.advance()?;
                if self.sign() == Some('.') {
                    self.advance()?;
                }
            }
        }
        let mut unit = match self.kind() {
            Kind::Sign('\'') => Unit { name: "'".to_owned(), ..known("ft").unwrap_or_else(degree) },
            Kind::Sign('"') => Unit { name: "\"".to_owned(), ..known("in").unwrap_or_else(degree) },
            Kind::Sign(sign) => known(&sign.to_string()).ok_or_else(|| self.error("a unit"))?,
            Kind::Word(word) => known(word).unwrap_or_else(|| Unit::counted(word.to_string())),
            Kind::Han(run) => known(run).unwrap_or_else(|| Unit::counted((*run).to_owned())),
            _ => return Err(self.error("a unit")),
        };
        if matches!(self.kind(), Kind::Word(word) if !words::is_countable(word) && known(word).is_none()) {
            return Err(self.error("a unit"));
        }
        self.advance()?;
        match self.word_at(self.at) {
            Some("squared") => {
                power = 2;
                self.advance()?;
            }
            Some("cubed") => {
                power = 3;
                self.advance()?;
            }
            _ => {}
        }
        if self.sign() == Some('^') {
            self.advance()?;
            let braced = self.eat('{')?;
            let negative = self.eat('-')?;
            let Kind::Number(digits) = self.kind() else { return Err(self.error("the power of a unit")) };
            let value: i8 =
                digits.parse().ok().filter(|power| (1..=9).contains(power)).ok_or_else(|| self.error("the power of a unit, 1 to 9"))?;
            self.advance()?;
            if braced {
                self.expect('}', "a closing brace behind the power of a unit")?;
            }
            power = if negative { -value } else { value };
        }
        // `cm.`: a unit that is abbreviated.
        if self.sign() == Some('.') && !self.only_points(self.at) && self.unit_at(self.at + 1) {
            self.advance()?;
        }
        if power != 1 {
            unit = unit.raised(power).ok_or_else(|| self.error("a unit that can be raised to a power"))?;
        }
        Ok(unit)
    }

    /// `C` or `F` behind a degree sign, or in words.
    fn temperature(&mut self) -> Result<Option<Unit>, ParseError> {
        let scale = match self.word_at(self.at) {
            Some("C" | "Celsius" | "celsius") => (1, 1, ratio(27_315, 100)),
            Some("F" | "Fahrenheit" | "fahrenheit") => (5, 9, ratio(45_967 * 5, 900)),
            _ => return Ok(None),
        };
        let name = if scale.1 == 1 { "°C" } else { "°F" };
        self.advance()?;
        let dimension = Some(Dimension { temperature: 1, ..NONE });
        Ok(Some(Unit { name: name.to_owned(), dimension, factor: ratio(scale.0, scale.1), offset: scale.2 }))
    }

    /// Adds the next part of a quantity in several units, `value` being in `unit`. Each part is less than one of the unit before, whose
    /// factor is in `last`: `48 h 24 h` is a sum that is left to the reader.
    fn add_part(&self, value: Expr, unit: &Unit, part: Expr, next: Unit, last: &mut RBig) -> Result<Expr, ParseError> {
        let is_too_large = match &part {
            Expr::Number(number) => &number.value * &next.factor >= *last,
            _ => next.factor >= *last,
        };
        if is_too_large {
            return Err(self.error("less than one of the unit before"));
        }
        *last = next.factor;
        Ok(add(value, part, &(&*last / &unit.factor)))
    }

    /// What follows a unit and belongs to the same quantity: `2 h 30 min`, `5'10"`, `90^\circ - x`.
    fn compound(&mut self, mut value: Expr, unit: &Unit) -> Result<Expr, ParseError> {
        let mut parts = 0;
        let mut last = unit.factor.clone();
        loop {
            parts += 1;
            if parts > 8 {
                return Err(self.error("a quantity of at most eight parts"));
            }
            let angle = unit.dimension == Some(ANGLE);
            let joined = matches!(self.word_at(self.at), Some("and"));
            let start = self.at;
            let at = self.at + usize::from(joined);
            if matches!(self.kind_at(at), Kind::Number(_) | Kind::HanNumber(_)) && unit.dimension.is_some() {
                self.at = at;
                let part = self.deeper(Self::power)?;
                if unit.dimension == Some(TIME)
                    && let Some(letter @ ("m" | "s")) = self.word_at(self.at)
                {
                    let next = known(if letter == "m" { "min" } else { "s" }).ok_or_else(|| self.error("a unit"))?;
                    self.advance()?;
                    value = self.add_part(value, unit, part, next, &mut last)?;
                    continue;
                }
                let found = if self.unit_at(self.at) || self.sign() == Some('\'') { Some(self.unit()?) } else { None };
                let Some(next) = found.map(|next| if angle { minutes(next) } else { next }).filter(|next| next.dimension == unit.dimension)
                else {
                    if joined {
                        self.at = start;
                        return Ok(value);
                    }
                    return Err(self.error("a smaller unit of the same kind, or the end"));
                };
                value = self.add_part(value, unit, part, next, &mut last)?;
                continue;
            }
            if let Some(sign @ ('+' | '-')) = self.sign() {
                self.advance()?;
                // `$24 + $40`
                match self.currency_at(self.at) {
                    Some((next, _)) if next != *unit => return Err(self.error("the same unit in all terms")),
                    Some((_, len)) => self.at += len,
                    None => {}
                }
                let part = self.deeper(Self::product)?;
                if self.unit_at(self.at) {
                    let next = self.unit()?;
                    if next != *unit {
                        return Err(self.error("the same unit in all terms"));
                    }
                }
                let part = if sign == '-' { Expr::negative(part) } else { part };
                value = match value {
                    Expr::Sum(mut terms) => {
                        terms.push(part);
                        Expr::Sum(terms)
                    }
                    other => Expr::Sum(vec![other, part]),
                };
                continue;
            }
            // `360^\circ k`
            if angle && self.starts_factor(self.at) && matches!(self.kind(), Kind::Word(_)) {
                let factor = self.power()?;
                value = Expr::Product(vec![value, factor]);
                continue;
            }
            return Ok(value);
        }
    }
}

fn degree() -> Unit {
    Unit { name: "°".to_owned(), dimension: Some(ANGLE), factor: RBig::ONE, offset: RBig::ZERO }
}

/// Behind degrees, ' and " are minutes and seconds of arc.
fn minutes(unit: Unit) -> Unit {
    let part = match unit.name.as_str() {
        "'" | "min" | "minutes" | "minute" => 60,
        "\"" | "s" | "seconds" | "second" => 3600,
        _ => return unit,
    };
    Unit { name: unit.name, dimension: Some(ANGLE), factor: ratio(1, part), offset: RBig::ZERO }
}

fn add(value: Expr, part: Expr, factor: &RBig) -> Expr {
    match (value, part) {
        (Expr::Number(a), Expr::Number(b)) => Expr::Number(Number { value: a.value + b.value * factor, decimals: None }),
        (value, part) => {
            let factor = Expr::Number(Number { value: factor.clone(), decimals: None });
            Expr::Sum(vec![value, Expr::Product(vec![part, factor])])
        }
    }
}

fn has_vowel(word: &str) -> bool {
    let ascends = word.as_bytes().windows(2).all(|pair| pair[0] < pair[1]);
    word.len() >= 3 && !ascends && word.bytes().all(|b| b.is_ascii_lowercase()) && word.contains(['a', 'e', 'i', 'o', 'u'])
}
