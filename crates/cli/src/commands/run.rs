//! `ruminate run`: runs a recipe.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::Args;
use ruminate_compute::Device;

use super::{DeviceChoice, print, print_json};
use crate::graders::Graders;
use crate::machine::hardware;
use crate::recipe::{self, Overrides, RunConfig};
use crate::report::live::Live;
use crate::run_dir::{RunDir, RunManifest, read_json, write_json};
use crate::stages::{StageContext, check_inputs, run_all};
use crate::summary::{Summary, summarise, table};
use crate::ui::Ui;

/// The recipe, and what is changed in it.
#[derive(Debug, Args)]
pub(crate) struct RecipeArgs {
    /// Recipe file, such as recipes/tiny.toml.
    recipe: PathBuf,
    /// Root of all randomness, instead of the recipe's.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// An input of the recipe, or any of its values: model=PATH, zero.steps=5, evaluation.samples=2.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

impl RecipeArgs {
    /// Reads the recipe.
    pub(crate) fn load(&self) -> Result<RunConfig> {
        Ok(recipe::load(&self.recipe, &Overrides { seed: self.seed, sets: self.sets.clone() })?)
    }
}

/// Runs a recipe; started again, it goes on where it was.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Directory of the run [default: runs/NAME, with the recipe's name].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// Check everything and print the resolved recipe, but run nothing.
    #[arg(long)]
    dry_run: bool,
    /// Serve the report of the run in progress at this address, for instance 127.0.0.1:8080; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    live: Option<SocketAddr>,
    /// Let --live listen where other machines can read the run.
    #[arg(long, requires = "live")]
    live_public: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

impl RunArgs {
    /// Runs it.
    pub(crate) fn run(&self) -> Result<()> {
        let config = self.recipe.load()?;
        let needs = check_inputs(&config)?;
        let path = self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&config.name));
        if self.dry_run {
            let order: Vec<&str> = config.stages.iter().map(|stage| stage.id.as_str()).collect();
            return print(&format!("# would run {} in {}\n{}", order.join(", then "), path.display(), config.to_toml().trim_end()));
        }
        // A port that is in use stops the run before it starts, not later.
        let live = self.live.map(|address| Live::bind(address, self.live_public)).transpose()?;
        let graders = Graders::start(&needs, &config.sandbox, config.judge.as_ref())?;
        let device = self.device.open(config.deterministic)?;
        let run_dir = RunDir::open(&path, &config, &manifest(&config, &device))?;
        let ui = Ui::new();
        if let Some(live) = live {
            ui.say(&format!("live page: {}", live.url()));
            live.serve(run_dir.path())?;
        }
        if let Some(sandbox) = graders.sandbox() {
            // Beside the manifest, since every sitting may find another machine.
            write_json(&run_dir.path().join("sandbox.json"), sandbox.layers())?;
        }
        run_all(&StageContext { config: &config, device: &device, run_dir: &run_dir, graders: &graders, ui: &ui })?;
        let path = run_dir.path().join("summary.json");
        let mut summary = summarise(&config, &run_dir)?;
        if let Ok(Some(before)) = read_json::<Summary>(&path) {
            // A sitting that found everything done needed no memory.
            summary.peak_bytes = summary.peak_bytes.max(before.peak_bytes);
        }
        write_json(&path, &summary)?;
        if self.json { print_json(&summary) } else { print(&table(&summary)) }
    }
}

fn manifest(config: &RunConfig, device: &Device) -> RunManifest {
    #[expect(clippy::disallowed_methods, reason = "the record of a run says when it was started")]
    let now = SystemTime::now();
    RunManifest {
        recipe: config.name.clone(),
        recipe_hash: config.hash(),
        seed: config.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("RUMINATE_COMMIT").map(str::to_owned),
        device: device.name().to_owned(),
        hardware: hardware(device),
        n_threads: device.n_threads(),
        started_unix_secs: now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    }
}
