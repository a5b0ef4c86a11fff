//! Prints a few documents of the pretraining corpus and, over 20,000 of them, tokens and accuracy by kind and style.
//!
//! `cargo run --example corpus -p ruminate-tasks`

use std::collections::BTreeMap;

use ruminate_core::{Outcome, Seed};
use ruminate_rewards::{grade_accuracy, grade_format, reflection_words};
use ruminate_tasks::synthetic::corpus::{CorpusMix, document};
use ruminate_tasks::synthetic::{n_pieces, pieces};

#[derive(Default)]
struct Row {
    documents: usize,
    prompt_tokens: usize,
    response_tokens: usize,
    most_tokens: usize,
    right: usize,
    well_formed: usize,
    reflections: usize,
}

fn main() {
    let seed = Seed::new(17);
    let mix = CorpusMix::default();
    println!("{} pieces\n", pieces().len());
    for index in 0..24 {
        let document = document(seed, index, &mix);
        println!("--- {} {:?} {:?}\n{}{}", document.problem.id, document.kind, document.style, document.prompt, document.response);
    }
    let mut rows: BTreeMap<(String, String), Row> = BTreeMap::new();
    for index in 0..20_000 {
        let document = document(seed, index, &mix);
        let tokens = count_tokens(&document.response);
        let level = format!("{} {}", document.problem.kind, document.problem.difficulty.unwrap_or(0));
        let row = rows.entry((level, format!("{:?}", document.style))).or_default();
        row.documents += 1;
        row.prompt_tokens += count_tokens(&document.prompt);
        row.response_tokens += tokens;
        row.most_tokens = row.most_tokens.max(tokens);
        row.right += usize::from(grade_accuracy(&document.problem, &document.response).outcome == Outcome::Right);
        row.well_formed += usize::from(grade_format(&document.response, false).outcome == Outcome::Right);
        row.reflections += reflection_words(&document.response);
    }
    println!(
        "\n{:<14} {:<8} {:>6} {:>7} {:>9} {:>5} {:>6} {:>6} {:>6}",
        "level", "style", "docs", "prompt", "response", "most", "right", "form", "refl"
    );
    for ((level, style), row) in rows {
        let mean = |total: usize| total as f64 / row.documents as f64;
        println!(
            "{level:<14} {style:<8} {:>6} {:>7.1} {:>9.1} {:>5} {:>6.2} {:>6.2} {:>6.2}",
            row.documents,
            mean(row.prompt_tokens),
            mean(row.response_tokens),
            row.most_tokens,
            mean(row.right),
            mean(row.well_formed),
            mean(row.reflections)
        );
    }
}

/// A character outside the vocabulary ends the program.
fn count_tokens(text: &str) -> usize {
    n_pieces(text).unwrap_or_else(|| panic!("no pieces for '{text}'"))
}
