//! Loads JSONL problem files and says what is in them, or why they cannot be used.
//!
//! `cargo run --example load -p ruminate-tasks -- FILE...`

use std::path::Path;

use ruminate_core::{Gold, Language, Outcome};
use ruminate_rewards::grade_accuracy;
use ruminate_rewards::math::is_number;
use ruminate_tasks::load_problems;

fn main() {
    for file in std::env::args().skip(1) {
        let problems = match load_problems(Path::new(&file), None, "set", Language::En) {
            Ok(problems) => problems,
            Err(error) => {
                println!("{error}");
                continue;
            }
        };
        let (mut numbers, mut texts, mut lost) = (0, 0, Vec::new());
        for problem in &problems {
            let Gold::Value { text } = &problem.gold else { continue };
            if is_number(text) {
                numbers += 1;
            } else {
                texts += 1;
            }
            // The gold answer itself must earn the reward, however it is presented.
            for response in
                [format!("<answer>{text}</answer>"), format!("So \\boxed{{{text}}}."), format!("<answer>\\boxed{{{text}}}</answer>")]
            {
                let verdict = grade_accuracy(problem, &response);
                if verdict.outcome != Outcome::Right {
                    lost.push(format!("{}: {} ({response})", problem.id, verdict.reason));
                }
            }
        }
        println!(
            "{file}: {} problems, {numbers} gold numbers, {texts} other gold answers, {} presentations lost",
            problems.len(),
            lost.len()
        );
        for line in lost.iter().take(20) {
            println!("    {line}");
        }
    }
}
