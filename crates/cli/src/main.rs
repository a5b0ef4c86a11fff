//! `ruminate`: the DeepSeek-R1 training recipe as one program.

mod ceilings;
mod commands;
mod dialogue;
mod endpoint;
mod graders;
mod grading;
mod hub;
mod machine;
mod models;
mod parallel;
mod preference_file;
mod problems;
mod prompts;
mod recipe;
mod report;
mod review;
mod review_file;
mod reward_text;
mod run_dir;
mod sandbox;
mod shapes;
mod stages;
mod summary;
mod ui;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

use crate::commands::bench::BenchArgs;
use crate::commands::chat::ChatArgs;
use crate::commands::compare::CompareArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::eval::EvalArgs;
use crate::commands::grade::GradeArgs;
use crate::commands::plan::PlanArgs;
use crate::commands::report::ReportArgs;
use crate::commands::review::ReviewArgs;
use crate::commands::run::RunArgs;
use crate::commands::sandbox::SandboxCommand;
use crate::recipe::RecipeError;

/// Exit status of a recipe or command line that cannot be run; clap uses the same.
const USAGE: u8 = 2;

/// Exit status after Ctrl-C: 128 and the number of the signal.
const INTERRUPTED: i32 = 130;

/// The DeepSeek-R1 training recipe as one program: from a base language model to one that reasons.
#[derive(Debug, Parser)]
#[command(name = "ruminate", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(RunArgs),
    Plan(PlanArgs),
    Report(ReportArgs),
    Eval(EvalArgs),
    Compare(CompareArgs),
    Chat(ChatArgs),
    Grade(GradeArgs),
    Review(ReviewArgs),
    Sandbox(SandboxCommand),
    Bench(BenchArgs),
    Completions(CompletionsArgs),
}

fn main() -> ExitCode {
    // The sandbox starts its launchers from this very program: they must not do anything else first.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == sandbox::LAUNCHER) {
        std::process::exit(ruminate_sandbox::serve_launcher());
    }
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", message(&error));
            if error.downcast_ref::<RecipeError>().is_some() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

/// The error and its causes in one line. Some errors tell their cause themselves: it is not told twice.
fn message(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if message.ends_with(&text) {
            continue;
        }
        if !message.is_empty() {
            message.push_str(": ");
        }
        message.push_str(&text);
    }
    message
}

fn run(cli: &Cli) -> Result<()> {
    // Files appear whole or not at all, so the process may end at any moment.
    ctrlc::set_handler(|| {
        eprintln!("\ninterrupted; the same command goes on from here");
        std::process::exit(INTERRUPTED);
    })?;
    match &cli.command {
        Command::Run(args) => args.run(),
        Command::Plan(args) => args.run(),
        Command::Report(args) => args.run(),
        Command::Eval(args) => args.run(),
        Command::Compare(args) => args.run(),
        Command::Chat(args) => args.run(),
        Command::Grade(args) => args.run(),
        Command::Review(args) => args.run(),
        Command::Sandbox(args) => args.run(),
        Command::Bench(args) => args.run(),
        Command::Completions(args) => args.run(&mut Cli::command()),
    }
}
