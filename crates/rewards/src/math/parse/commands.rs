//! What commands of LaTeX and characters of Unicode mean.

/// What a command does to the token stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    /// White space.
    Space,
    /// It leaves no trace.
    Nothing,
    /// It leaves no trace, nor do its arguments.
    Skip(u8),
    /// It changes how its group looks.
    Style,
    /// `\left`, `\big`: the delimiter follows; a point is none.
    Delimiter,
    /// Its group is text.
    Upright,
    /// Its group is the letter of a number set.
    Board,
    /// What follows in its group is text: `\rm`.
    Roman,
    /// It is a sign.
    Sign(char),
    /// It is a name: of a function or a letter.
    Name,
    /// It is another spelling of a name.
    Alias(&'static str),
    /// It takes arguments that are read.
    Command(&'static str),
    /// `\begin`.
    Begin,
    /// `\end`.
    End,
    /// The end of a row.
    Newline,
    /// It is not known.
    Unknown,
}

/// The meaning of a command, without its backslash.
pub(super) fn meaning(name: &str) -> Meaning {
    use Meaning::{Delimiter, Nothing, Skip, Space, Style, Upright};
    match name {
        "quad" | "qquad" | "enspace" | "enskip" | "space" | "thinspace" | "medspace" | "thickspace" | "hfill" | "nobreakspace"
        | "newline" | "hline" => Space,
        "displaystyle" | "textstyle" | "scriptstyle" | "scriptscriptstyle" | "limits" | "nolimits" | "bf" | "it" | "sf" | "tt" | "cal"
        | "mathstrut" | "strut" | "null" | "noindent" | "centering" | "large" | "Large" | "small" | "normalsize" | "relax" | "protect"
        | "allowbreak" | "negthinspace" | "ensuremath" | "hspace*" => Nothing,
        "phantom" | "hphantom" | "vphantom" | "hspace" | "vspace" | "color" | "tag" | "label" | "kern" | "mspace" | "textcolor" => Skip(1),
        "mathbf" | "boldsymbol" | "bm" | "mathit" | "mathcal" | "mathscr" | "mathfrak" | "mathsf" | "mathtt" | "boxed" | "fbox"
        | "framebox" | "vec" | "hat" | "widehat" | "tilde" | "underline" | "mathop" | "mathord" | "mathbin" | "mathrel" | "mathinner"
        | "smash" | "overrightarrow" | "pmb" | "emph" | "textit" | "underbrace" | "overbrace" => Style,
        "left" | "right" | "middle" | "big" | "Big" | "bigg" | "Bigg" | "bigl" | "bigr" | "Bigl" | "Bigr" | "biggl" | "biggr" | "Biggl"
        | "Biggr" | "bigm" | "Bigm" | "biggm" | "Biggm" => Delimiter,
        "text" | "mathrm" | "textrm" | "textbf" | "textsf" | "texttt" | "textnormal" | "textup" | "mbox" | "hbox" | "operatorname"
        | "mathnormal" | "unit" | "rom" => Upright,
        "rm" => Meaning::Roman,
        "mathbb" | "mathds" | "Bbb" => Meaning::Board,
        "cr" => Meaning::Newline,
        "begin" => Meaning::Begin,
        "end" => Meaning::End,
        _ => sign(name).map_or_else(|| named(name), Meaning::Sign),
    }
}

/// A space that a letter is glued to, as in `\quadx = 1`: LaTeX has no such command.
pub(super) fn glued_space(name: &str) -> Option<usize> {
    ["qquad", "quad"].iter().find(|space| name.starts_with(**space)).map(|space| space.len())
}

/// The sign that a command stands for.
fn sign(name: &str) -> Option<char> {
    Some(match name {
        "R" | "reals" | "Reals" => 'ℝ',
        "Z" | "integers" => 'ℤ',
        "times" | "cdot" | "ast" | "cdotp" | "bullet" => '*',
        "div" | "slash" => '/',
        "pm" => '±',
        "mp" => '∓',
        "le" | "leq" | "leqslant" | "leqq" => '≤',
        "ge" | "geq" | "geqslant" | "geqq" => '≥',
        "lt" => '<',
        "gt" => '>',
        "ne" | "neq" => '≠',
        "not" => '̸',
        "approx" | "sim" | "simeq" | "doteq" | "approxeq" | "thickapprox" => '≈',
        "equiv" | "cong" => '≡',
        "colon" | "ratio" => ':',
        "in" | "isin" => '∈',
        "notin" => '∉',
        "cup" | "bigcup" => '∪',
        "cap" | "bigcap" => '∩',
        "setminus" | "smallsetminus" | "backslash" => '∖',
        "emptyset" | "varnothing" => '∅',
        "infty" | "infin" => '∞',
        "lfloor" => '⌊',
        "rfloor" => '⌋',
        "lceil" => '⌈',
        "rceil" => '⌉',
        "langle" => '⟨',
        "rangle" => '⟩',
        "lbrace" => '⦃',
        "rbrace" => '⦄',
        "lbrack" => '[',
        "rbrack" => ']',
        "lparen" => '(',
        "rparen" => ')',
        "vert" | "lvert" | "rvert" => '|',
        "mid" => '∣',
        "Vert" | "lVert" | "rVert" | "parallel" => '‖',
        "circ" | "degree" | "degrees" | "textdegree" => '°',
        "prime" => '\'',
        "percent" => '%',
        "dollar" | "textdollar" => '$',
        "pounds" | "textsterling" => '£',
        "euro" | "texteuro" => '€',
        "yen" => '¥',
        "dots" | "ldots" | "cdots" | "dotsc" | "dotsb" | "dotso" => '…',
        "land" | "wedge" => '∧',
        "lor" | "vee" => '∨',
        "to" | "rightarrow" | "mapsto" => '→',
        "angle" | "measuredangle" => '∠',
        "triangle" => '△',
        _ => return None,
    })
}

/// A command that is a name, or that takes arguments.
fn named(name: &str) -> Meaning {
    use Meaning::{Alias, Command, Name};
    match name {
        "varepsilon" => Alias("epsilon"),
        "vartheta" => Alias("theta"),
        "varphi" => Alias("phi"),
        "varrho" => Alias("rho"),
        "varsigma" => Alias("sigma"),
        "sech" | "arcsin" | "arccos" | "arctan" | "arccot" | "sin" | "cos" | "tan" | "cot" | "sec" | "csc" | "sinh" | "cosh" | "tanh"
        | "coth" | "exp" | "ln" | "log" | "lg" | "gcd" | "lcm" | "min" | "max" | "det" | "arg" | "deg" | "ell" | "hbar" | "imath"
        | "jmath" => Name,
        "tg" => Alias("tan"),
        "ctg" => Alias("cot"),
        "cosec" => Alias("csc"),
        "arctg" => Alias("arctan"),
        "Re" | "real" => Alias("Re"),
        "Im" => Alias("Im"),
        "bmod" | "mod" => Alias("mod"),
        "pmod" => Alias("pmod"),
        "frac" | "dfrac" | "tfrac" | "cfrac" | "sfrac" | "nicefrac" => Command("frac"),
        "binom" | "dbinom" | "tbinom" => Command("binom"),
        "sqrt" | "surd" => Command("sqrt"),
        "sum" => Command("sum"),
        "prod" => Command("prod"),
        "overline" | "bar" => Command("overline"),
        "dot" => Command("dot"),
        "choose" => Command("choose"),
        "over" => Command("over"),
        "abs" => Command("abs"),
        "floor" => Command("floor"),
        "ceil" => Command("ceil"),
        name if is_greek_name(name) => Name,
        _ => Meaning::Unknown,
    }
}

const GREEK: [(char, &str); 34] = [
    ('α', "alpha"),
    ('β', "beta"),
    ('γ', "gamma"),
    ('δ', "delta"),
    ('ε', "epsilon"),
    ('ϵ', "epsilon"),
    ('ζ', "zeta"),
    ('η', "eta"),
    ('θ', "theta"),
    ('ι', "iota"),
    ('κ', "kappa"),
    ('λ', "lambda"),
    ('μ', "mu"),
    ('ν', "nu"),
    ('ξ', "xi"),
    ('π', "pi"),
    ('ρ', "rho"),
    ('σ', "sigma"),
    ('τ', "tau"),
    ('υ', "upsilon"),
    ('φ', "phi"),
    ('ϕ', "phi"),
    ('χ', "chi"),
    ('ψ', "psi"),
    ('ω', "omega"),
    ('Γ', "Gamma"),
    ('Δ', "Delta"),
    ('Θ', "Theta"),
    ('Λ', "Lambda"),
    ('Ξ', "Xi"),
    ('Π', "Pi"),
    ('Φ', "Phi"),
    ('Ψ', "Psi"),
    ('Ω', "Omega"),
];

pub(super) fn greek(c: char) -> Option<&'static str> {
    match c {
        'Σ' => Some("Sigma"),
        'µ' => Some("mu"),
        '𝜋' | '𝝅' => Some("pi"),
        _ => GREEK.iter().find(|&&(letter, _)| letter == c).map(|&(_, name)| name),
    }
}

/// Whether it names a Greek letter.
pub(super) fn is_greek_name(name: &str) -> bool {
    name == "Sigma" || GREEK.iter().any(|&(_, letter)| letter == name)
}

/// The sign of a number set by its letter.
pub(super) fn number_set(letter: char) -> Option<char> {
    Some(match letter {
        'R' => 'ℝ',
        'Z' => 'ℤ',
        'Q' => 'ℚ',
        'N' => 'ℕ',
        'C' => 'ℂ',
        _ => return None,
    })
}

/// Brings the many forms of one sign to one.
pub(super) fn fold(c: char) -> char {
    match c {
        '，' | '、' | '﹐' => ',',
        '。' | '．' => '.',
        '－' | '−' | '–' | '—' | '‐' | '‑' | '﹣' | '⁻' => '-',
        '×' | '·' | '⋅' | '∙' | '∗' | '•' | '✕' => '*',
        '÷' | '∕' | '⁄' => '/',
        '⩽' | '≦' => '≤',
        '⩾' | '≧' => '≥',
        '＜' => '<',
        '＞' => '>',
        '≒' | '≃' | '∼' | '～' => '≈',
        '％' | '﹪' => '%',
        '“' | '”' | '″' => '"',
        '‘' | '’' | '′' => '\'',
        '【' | '〔' => '[',
        '】' | '〕' => ']',
        'º' | '˚' | '∘' => '°',
        '￥' => '¥',
        '⋯' => '…',
        '∶' => ':',
        '〈' => '⟨',
        '〉' => '⟩',
        '《' => '"',
        '》' => '"',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        c => c,
    }
}

/// Whether a character (folded) stands for itself as a sign.
pub(super) fn is_sign(c: char) -> bool {
    c.is_ascii_punctuation() || "≤≥≠≈≡∈∉∪∩∖±∓°‰¢€£¥₹⌊⌋⌈⌉⟨⟩‖∅∞√∛∜∑∏…ℝℤℚℕℂ∠△∣→∧∨⇒".contains(c)
}

/// Characters without width, and marks that LaTeX-to-text tools leave behind.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}' | '\u{fe0f}')
}

pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '〇')
}

/// Chinese words that are signs of mathematics, and the sign.
pub(super) const HAN_SIGNS: [(&str, char); 14] = [
    ("不等于", '≠'),
    ("大于等于", '≥'),
    ("小于等于", '≤'),
    ("等于", '='),
    ("大于", '>'),
    ("小于", '<'),
    ("负", '-'),
    ("根号", '√'),
    ("加", '+'),
    ("减", '-'),
    ("乘以", '*'),
    ("除以", '/'),
    ("无穷", '∞'),
    ("空集", '∅'),
];

/// Chinese words that join the parts of a list.
pub(super) const HAN_JOINTS: [&str; 5] = ["或者", "以及", "和", "或", "与"];

/// Whether a run of Chinese characters is a word by itself, so that the run ends behind it.
pub(super) fn han_word(run: &str) -> bool {
    HAN_JOINTS.contains(&run) || HAN_SIGNS.iter().any(|&(word, _)| word == run && !matches!(word, "大于" | "小于"))
}

/// Whether a word that ends a run of Chinese characters begins here.
pub(super) fn han_stops(rest: &str) -> bool {
    HAN_JOINTS.iter().any(|joint| rest.starts_with(joint)) || HAN_SIGNS.iter().any(|&(word, _)| rest.starts_with(word))
}
