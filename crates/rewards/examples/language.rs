//! Accuracy of the language reward on the labelled sentences, and its speed on one thread.
//!
//! For each language: words found and expected, share with the language as target, largest share with another target, sentences whose
//! language is found without a target, and megabytes per second.

use std::time::Instant;

use ruminate_core::Language;
use ruminate_rewards::{count_language, language_of};

#[path = "../src/language/tests/labelled.rs"]
mod labelled;

use labelled::Sentence;

const BYTES: usize = 1_000_000;

fn main() {
    let sentences = labelled::sentences();
    // Tables are made at first use.
    let start = Instant::now();
    count_language(&join(&sentences), Language::En);
    println!("first use: {:.1} ms", 1e3 * start.elapsed().as_secs_f64());

    println!("language  words  expected  share  foreign target  found  MB/s");
    let mut all = Vec::new();
    for language in Language::ALL {
        let own: Vec<Sentence> = sentences.iter().filter(|sentence| sentence.language == language).cloned().collect();
        let share = |target| {
            let counts: Vec<_> = own.iter().map(|sentence| count_language(&sentence.text, target)).collect();
            let (hits, words) = counts.iter().fold((0, 0), |(hits, words), count| (hits + count.target, words + count.words));
            (hits as f64 / words as f64, words)
        };
        let (own_share, words) = share(language);
        let expected: usize = own.iter().map(|sentence| sentence.words).sum();
        let foreign = Language::ALL.into_iter().filter(|&target| target != language).map(|target| share(target).0).fold(0.0, f64::max);
        let found = own.iter().filter(|sentence| language_of(&sentence.text) == Some(language)).count();
        let speed = speed(&join(&own), language);
        println!("{language:8}  {words:5}  {expected:8}  {own_share:.3}  {foreign:14.3}  {found:2}/{}  {speed:4.1}", own.len());
        all.extend(own);
    }
    let fresh = labelled::fresh_sentences();
    let right = fresh.iter().filter(|sentence| {
        let count = count_language(&sentence.text, sentence.language);
        count.target == sentence.words && count.words == sentence.words && language_of(&sentence.text) == Some(sentence.language)
    });
    println!("fresh sentences with the right words, all in their language: {} of {}", right.count(), fresh.len());
    println!("all, target en: {:.1} MB/s", speed(&join(&all), Language::En));
}

/// The sentences as lines of paragraphs of six.
fn join(sentences: &[Sentence]) -> String {
    let paragraphs = sentences.chunks(6).map(|chunk| chunk.iter().map(|sentence| sentence.text.as_str()).collect::<Vec<_>>().join("\n"));
    paragraphs.collect::<Vec<_>>().join("\n\n") + "\n\n"
}

/// The best of three, in megabytes per second.
fn speed(text: &str, target: Language) -> f64 {
    let text = text.repeat(BYTES.div_ceil(text.len()));
    let secs = (0..3).map(|_| {
        let start = Instant::now();
        std::hint::black_box(count_language(&text, target));
        start.elapsed().as_secs_f64()
    });
    text.len() as f64 / 1e6 / secs.fold(f64::INFINITY, f64::min)
}
