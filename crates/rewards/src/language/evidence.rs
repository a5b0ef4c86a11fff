//! Which language a word in Han, Cyrillic or Arabic letters is of, by characters and words that only one of the candidates writes.
//!
//! The lists were written for this project; that a character is of one side only was checked with the character sets Shift JIS, GB 2312
//! and Big5.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Log-likelihoods of a word in the language of the script and in the other ones, in nats; only the difference matters.
pub(super) type Fit = [f32; 2];

/// What a character or word that only one side writes is worth: two of them outweigh a change of language there and back.
const STRONG: f32 = 4.5;
/// What a character that one side writes far more often is worth.
const WEAK: f32 = 1.0;

/// What a character or word that says nothing is worth: other languages write frequent words of their own every few words, and Japanese
/// writes kana.
const PLAIN: Fit = [0.0, -0.2];

/// Kana among Han characters, for the sides Chinese and Japanese.
pub(super) const OF_KANA: Fit = [-STRONG, 0.0];

/// Simplified characters that Japanese does not write, and particles.
const SIMPLIFIED: &str = "个从无几很什吧它这们么说时为还问题计设则结应该给让对两线边图长间开关发现样过进运连远选单实变认证试请谁话语读您你她吗呢吧啊哪够另俩仅约减\
    负质错误验检确总积极级经济继续维绝统络绿红纯纸练组细终织绍买卖东车马鸟鱼员圆场块报处备复头夹奖妈审导岁师帮带归录忆态户执\
    扩扫护拟拥择挡损换显晓术杀杂权构标栏树桥欢毕汉汤沟泽测浓润涨渐满灭灵热爱爷环电畅盘监础离种称稳穷简类紧纠纪纷纹绕绘绪绩绵\
    综编缘缩罗罚职联聪脑脸舰艺节药获营虑虽补见观规视览觉订讨训议记讲许论访识诉评词译详课调谈谢谓贝财责败货购贵费资赛赞赢赵趋\
    跃轨转轮软轻较输辆辑达迁违迟适递遗邮邻郑释钟钢钱铁银键镇门闭闲闻阅队阳阴阵阶际陆陈险难雾页顶项顺须顾顿预领频颜额风飞饭饮\
    饼馆驱骑鲜鸡齐龙查每步";

/// Traditional characters that Japanese writes otherwise, and particles.
const TRADITIONAL: &str =
    "這們麼說對從實應讓將兩證讀變總數點圖發關檢驗當嗎妳單圓會經濟繼續與值內稱權學國來處樣轉邊氣擇滿假價顯斷聲體聽萬區醫兒它";

/// Characters that Japanese writes more rarely than Chinese.
const CHINESE_OFTEN: &str = "的是了在我就都也不那已而但之于他把此再如";

/// Characters that Chinese writes otherwise.
const JAPANESE: &str = "々対図値働込円変実応従駅経済検験権歳黒売読続総転様広楽沢択訳釈団囲圧栄営駆険県厳効黙桜斎雑児渋焼乗浄剰畳縄壌譲醸粋酔髄瀬\
    斉摂専戦銭繊捜挿巣荘騒増蔵臓帯滝単弾遅鋳庁徴聴逓鉄闘徳弐悩脳覇廃拝発髪抜払仏辺舗穂満薬揺謡頼覧竜両猟緑塁霊齢労録峠畑枠笹\
    凧関帰処気価仮説査歩毎継絵戻";

/// Frequent words of Russian.
const RUSSIAN: &str = "и в не на что это как по для из с к о у а но или если то так мы он она они я вы его её их все всё от до при за же бы \
    был была было были есть быть нет да где когда почему который которая которое которые этот эта эти того этого чтобы потому поэтому \
    значит тогда затем потом теперь также только ещё уже очень можно нужно надо должны может можем получаем равно число чисел один одна одно \
    два две три четыре пять шесть семь восемь девять десять без под над перед те той та тому того само со во об ко ли лишь";
/// Frequent words of Ukrainian, Bulgarian, Serbian and Belarusian in Cyrillic letters.
const NOT_RUSSIAN: &str = "і и с о к в у не на що це як по для із з та й є а але або якщо то так ми він вона вони я ви його її їх все від до при за \
    був була було були бути ні де коли чому який яка яке які цей ця ці того тому отже тоді потім тепер також тільки ще вже дуже можна \
    треба потрібно може можемо маємо число се са е ще от със като това тази този тези той тя те ние вие аз които който която което \
    защото ако тогава след преди има няма може трябва че си го му ги или но при без под над две три едно един една \
    је су да се није али јер што који која које ово тај та то ми ви они онда затим сада само још већ врло треба број";
/// Letters of Cyrillic alphabets that Russian does not have.
const NOT_RUSSIAN_LETTERS: &str = "іїєґўјљњћђџѓќѕ";
/// Letters that of all Slavic languages Russian and Belarusian have.
const RUSSIAN_LETTERS: &str = "ыэё";

/// Frequent words of Arabic.
const ARABIC: &str = "في من على إلى عن مع هذا هذه ذلك التي الذي أن إن أو ثم كان كانت يكون هو هي نحن إذا لأن كل بعد قبل بين لا ما لم لن قد هل كم أي \
    حيث لذلك إذن نجد لدينا يساوي عدد العدد";
/// Frequent words of Persian and Urdu.
const NOT_ARABIC: &str = "که را از به با این آن است می برای هم یا تا اگر پس ما من بر شد شود کند کنیم داریم بود هر باید سپس عدد دو سه یک چون در \
    ہے ہیں کے کی کا کو میں سے پر نے اور یہ وہ تو ہم اگر";
/// Letters of Persian and Urdu that Arabic does not have.
const NOT_ARABIC_LETTERS: &str = "پچژگکیٹڈڑںےہھ";
/// Letters that Persian and Urdu do not write.
const ARABIC_LETTERS: &str = "ةىكيإ";

/// A Han character, for the sides Chinese and Japanese.
pub(super) fn of_han(character: &str) -> Fit {
    character.chars().next().and_then(|c| HAN.get(&c).copied()).unwrap_or(PLAIN)
}

/// A Cyrillic word, for the sides Russian and other.
pub(super) fn of_cyrillic(word: &str) -> Fit {
    CYRILLIC.fit(&word.to_lowercase())
}

/// A word in Arabic letters, for the sides Arabic and other.
pub(super) fn of_arabic(word: &str) -> Fit {
    ARABIC_SCRIPT.fit(word)
}

static HAN: LazyLock<HashMap<char, Fit>> = LazyLock::new(|| {
    let sides = [(CHINESE_OFTEN, [0.0, -WEAK]), (SIMPLIFIED, [0.0, -STRONG]), (TRADITIONAL, [0.0, -STRONG]), (JAPANESE, [-STRONG, 0.0])];
    sides.into_iter().flat_map(|(characters, fit)| characters.chars().map(move |c| (c, fit))).collect()
});

static CYRILLIC: LazyLock<Sides> = LazyLock::new(|| Sides::new([RUSSIAN, NOT_RUSSIAN], [RUSSIAN_LETTERS, NOT_RUSSIAN_LETTERS]));
static ARABIC_SCRIPT: LazyLock<Sides> = LazyLock::new(|| Sides::new([ARABIC, NOT_ARABIC], [ARABIC_LETTERS, NOT_ARABIC_LETTERS]));

/// What the language of a script and the other ones have that their opposite has not.
struct Sides {
    words: [HashSet<&'static str>; 2],
    letters: [&'static str; 2],
}

impl Sides {
    fn new(words: [&'static str; 2], letters: [&'static str; 2]) -> Self {
        Self { words: words.map(|words| words.split_whitespace().collect()), letters }
    }

    fn fit(&self, word: &str) -> Fit {
        let has_letter = self.letters.map(|letters| word.chars().any(|c| letters.contains(c)));
        let is_word = self.words.each_ref().map(|words| words.contains(word));
        let speaks_for = |side: usize| has_letter[side] || (is_word[side] && !is_word[1 - side]);
        match [speaks_for(0), speaks_for(1)] {
            [true, false] => [0.0, -STRONG],
            [false, true] => [-STRONG, 0.0],
            _ => PLAIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_speaks_for_both_sides() {
        for c in JAPANESE.chars() {
            assert!(!SIMPLIFIED.contains(c) && !TRADITIONAL.contains(c) && !CHINESE_OFTEN.contains(c), "{c}");
        }
        for c in RUSSIAN_LETTERS.chars().chain(ARABIC_LETTERS.chars()) {
            assert!(!NOT_RUSSIAN_LETTERS.contains(c) && !NOT_ARABIC_LETTERS.contains(c), "{c}");
        }
    }

    #[test]
    fn words_speak_for_their_side() {
        assert_eq!(of_cyrillic("Что"), [0.0, -STRONG]);
        assert_eq!(of_cyrillic("якщо"), [-STRONG, 0.0]);
        assert_eq!([of_cyrillic("не"), of_cyrillic("интеграл")], [PLAIN; 2]);
        assert_eq!(of_arabic("کتاب"), [-STRONG, 0.0]);
        assert_eq!(of_arabic("المسألة"), [0.0, -STRONG]);
        assert_eq!(of_han("这"), [0.0, -STRONG]);
        assert_eq!(of_han("図"), [-STRONG, 0.0]);
        assert_eq!(of_han("計"), PLAIN);
    }
}
