//! Commands that run other programs.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// A script of `tests/golden`, and the file that its standard output becomes; `None` if it writes its files itself.
struct GoldenScript {
    name: &'static str,
    output: Option<&'static str>,
    /// Name of the environment variable that gives the script's only argument.
    argument: Option<&'static str>,
}

const GOLDEN: [GoldenScript; 7] = [
    GoldenScript { name: "grpo_losses", output: Some("grpo_losses.json"), argument: None },
    GoldenScript { name: "models", output: None, argument: None },
    GoldenScript { name: "reward_models", output: None, argument: None },
    GoldenScript { name: "sft_losses", output: Some("sft_losses.json"), argument: None },
    GoldenScript { name: "quantisation", output: Some("quantisation.json"), argument: None },
    GoldenScript { name: "chat", output: Some("chat.json"), argument: None },
    GoldenScript { name: "smollm2", output: Some("smollm2.json"), argument: Some("RUMINATE_SMOLLM2") },
];

/// Runs `.ci/run`, which holds the list of steps.
pub(crate) fn ci(root: &Path) -> Result<()> {
    run(Command::new(root.join(".ci/run")).current_dir(root))
}

/// Remakes reference numbers: all of them, or those of one script.
pub(crate) fn golden(root: &Path, python: &str, name: Option<&str>) -> Result<()> {
    let chosen: Vec<&GoldenScript> = GOLDEN.iter().filter(|script| name.is_none_or(|name| name == script.name)).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = GOLDEN.iter().map(|script| script.name).collect();
        bail!("expected one of {}, found {}", known.join(", "), name.unwrap_or_default());
    }
    for script in chosen {
        let mut command = Command::new(python);
        command.current_dir(root).arg(format!("tests/golden/{}.py", script.name));
        if let Some(variable) = script.argument {
            match std::env::var_os(variable) {
                Some(argument) => command.arg(argument),
                None if name.is_none() => {
                    println!("{}: skipped, since {variable} is not set", script.name);
                    continue;
                }
                None => bail!("{}: expected the path of its model in {variable}", script.name),
            };
        }
        let Some(output) = script.output else {
            run(&mut command)?;
            continue;
        };
        // The old numbers stay until the new ones are complete.
        let path = root.join("tests/golden").join(output);
        let partial = path.with_extension("partial");
        let file = File::create(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
        run(command.stdout(Stdio::from(file)))?;
        fs::rename(&partial, &path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Builds the release program and compares it with PyTorch.
pub(crate) fn bench(root: &Path, python: &str, args: &[&str]) -> Result<()> {
    run(Command::new("cargo").args(["build", "--release"]).current_dir(root))?;
    run(Command::new(python).arg("benches/compare.py").args(args).current_dir(root))
}

fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    println!("$ {shown}");
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    ensure!(status.success(), "{shown} failed: {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_golden_script_is_listed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
        let found: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".py").map(str::to_owned))
            .collect();
        let listed: BTreeSet<String> = GOLDEN.iter().map(|script| script.name.to_owned()).collect();
        assert_eq!(found, listed);
    }
}
