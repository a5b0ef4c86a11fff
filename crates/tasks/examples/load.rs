//! Loads JSONL problem files and says what is in them, or why they cannot be used.
//!
//! `cargo run --example load -p ruminate-tasks -- FILE...`

use std::path::Path;

use ruminate_core::{Gold, Language, Outcome};
use ruminate_rewards::{Value, grade_accuracy};
use ruminate_tasks::load_jsonl;

fn main() {
    for file in std::env::args().skip(1) {
        let problems = match load_jsonl(Path::new(&file), None, "set", Language::En) {
            Ok(problems) => problems,
            Err(error) => {
                println!("{error}");
                continue;
            }
        };
        let (mut numbers, mut texts, mut lost) = (0, 0, Vec::new());
        for problem in &problems {
            let Gold::Value { text } = &problem.gold else { continue };
            match Value::parse(text) {
                Some(Value::Number(_)) => numbers += 1,
                _ => texts += 1,
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
        println!("{file}: {} problems, {numbers} gold numbers, {texts} gold texts, {} presentations lost", problems.len(), lost.len());
        for line in lost.iter().take(20) {
            println!("    {line}");
        }
    }
}
