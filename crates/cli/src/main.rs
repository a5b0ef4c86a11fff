//! `ruminate`: the DeepSeek-R1 training recipe as one program.

mod problems;
mod prompts;
mod recipe;
mod run_dir;
mod shapes;

fn main() {
    let a = std::env::args().nth(1).unwrap_or_default();
    match recipe::load(a.as_ref(), &recipe::Overrides { seed: None, sets: std::env::args().skip(2).collect() }) {
        Ok(c) => println!("{}\n{}", c.to_toml(), c.hash()),
        Err(e) => println!("{e}"),
    }
}
