mod labelled;

use labelled::sentences;
use ruminate_core::Language;

use super::*;

#[test]
fn explore() {
    for s in sentences() {
        let c = count_language(&s.text, s.language);
        if c.words != s.words || c.target != c.words {
            println!("{} want {} got {:?}: {}", s.language, s.words, c, s.text);
            let mut tokens = Vec::new();
            tokenize(&s.text, &mut tokens);
            println!("    {:?}", tokens.iter().map(|t| t.text).collect::<Vec<_>>());
        }
        for t in Language::ALL {
            let c = count_language(&s.text, t);
            if t != s.language && c.target > 0 {
                println!("  as {t}: {c:?} {}", s.text);
            }
        }
        if language_of(&s.text) != Some(s.language) {
            println!("  of {:?} {}", language_of(&s.text), s.text);
        }
    }
}
