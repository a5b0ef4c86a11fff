//! `ruminate eval`: how well a model solves the problems of a file.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use ruminate_core::{Language, Seed};
use ruminate_model::Policy;
use ruminate_rewards::RewardMix;
use serde::Serialize;

use super::{DeviceChoice, SamplingArgs, print, print_json};
use crate::graders::{Graders, Needs};
use crate::models;
use crate::problems::load_file;
use crate::prompts::system_or_default;
use crate::recipe::Template;
use crate::sandbox::SandboxArgs;
use crate::stages::evaluate::{Evaluation, evaluate, percent};
use crate::stages::rollouts::{PolicyText, SampleSettings, Sampler};
use crate::ui::Ui;

/// Samples a model on a file of problems and reports pass@1 with its 95% interval.
#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// Hugging Face folder, GGUF file, directory of a stage, or builtin:tiny, builtin:small, builtin:mini.
    model: String,
    /// Problems, one JSON object on each line.
    #[arg(long, value_name = "FILE.jsonl")]
    data: PathBuf,
    /// Form of the lines, such as gsm8k, math, humaneval or fields:QUESTION,ANSWER; a wrong one lists them all [default: told from the first line].
    #[arg(long)]
    form: Option<String>,
    /// Language that reasoning should be in, by its code [default: that of each question].
    #[arg(long)]
    language: Option<Language>,
    /// Completions of each problem.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Generation budget.
    #[arg(long, value_name = "N", default_value_t = 512)]
    max_new_tokens: usize,
    /// Only the first problems of the file.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// How a question becomes a prompt [default: chat if the model has a chat template, else tiny].
    #[arg(long, value_enum)]
    template: Option<TemplateChoice>,
    /// System message of the chat template, or none if it is empty [default: one that asks for the tags think and answer].
    #[arg(long)]
    system: Option<String>,
    /// Sequences decoded at once.
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_batch: usize,
    /// Root of all randomness.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    #[command(flatten)]
    sandbox: SandboxArgs,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

/// A template, as the command line writes it.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TemplateChoice {
    /// The fewest marks, for the tiny base model.
    Tiny,
    /// The template of the DeepSeek-R1 paper for base models.
    R1Zero,
    /// The model's own chat template.
    Chat,
}

impl TemplateChoice {
    /// The template; without a choice the model's own, if it has one.
    pub(crate) fn resolve(choice: Option<Self>, has_chat: bool) -> Template {
        match choice {
            Some(Self::Tiny) => Template::Tiny,
            Some(Self::R1Zero) => Template::R1Zero,
            Some(Self::Chat) => Template::Chat,
            None if has_chat => Template::Chat,
            None => Template::Tiny,
        }
    }
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    model: &'a str,
    data: String,
    template: Template,
    system: Option<&'a str>,
    temperature: f32,
    top_p: f32,
    max_new_tokens: usize,
    seed: u64,
    #[serde(flatten)]
    figures: &'a Evaluation,
}

impl EvalArgs {
    /// Evaluates.
    pub(crate) fn run(&self) -> Result<()> {
        let problems = load_file(&self.data, self.form.as_deref(), self.language, self.limit)?;
        let mut needs = Needs::default();
        needs.add(&problems)?;
        let graders = Graders::start(&needs, &self.sandbox.settings(), None)?;
        let model = models::open(&self.model)?;
        let checkpoint = &model.checkpoint;
        let template = TemplateChoice::resolve(self.template, checkpoint.chat_template.is_some());
        let settings = SampleSettings {
            template,
            system: self.system(template)?,
            n_samples: self.samples,
            max_new_tokens: self.max_new_tokens,
            params: self.sampling.params(),
            stop: template.default_stop(),
            rewards: RewardMix::default(),
            max_batch: self.max_batch.max(1),
        };
        settings.params.validate()?;
        let policy = Policy::load_frozen(&self.device.device()?, checkpoint)?;
        let system = settings.system.clone();
        let text = PolicyText { tokenizer: &checkpoint.tokenizer, chat: checkpoint.chat_template.as_ref() };
        let seed = Seed::new(self.seed).with("eval");
        let (figures, _) = evaluate(&policy, text, &problems, Sampler::new(settings, &graders), seed, &Ui::new(), "eval")?;
        if self.json {
            return print_json(&Report {
                model: &self.model,
                data: self.data.display().to_string(),
                template,
                system: system.as_deref(),
                temperature: self.sampling.temperature,
                top_p: self.sampling.top_p,
                max_new_tokens: self.max_new_tokens,
                seed: self.seed,
                figures: &figures,
            });
        }
        print(&lines(&figures))
    }

    fn system(&self, template: Template) -> Result<Option<String>> {
        if self.system.is_some() && template != Template::Chat {
            bail!("--system: expected a model with a chat template, found another template");
        }
        Ok(system_or_default(self.system.clone(), template).filter(|system| !system.is_empty()))
    }
}

fn lines(figures: &Evaluation) -> String {
    let Evaluation { pass_at_1, .. } = figures;
    let mut lines = vec![format!("pass@1       {}, {} problems, {} samples each", percent(pass_at_1), pass_at_1.n_problems, pass_at_1.k)];
    if let Some(pass_at_k) = &figures.pass_at_k {
        lines.push(format!("{:<12} {}", format!("pass@{}", pass_at_k.k), percent(pass_at_k)));
    }
    lines.push(format!("tokens       {:.1} on average, {:.1}% cut off", figures.response_length, 100.0 * figures.truncated_share));
    lines.push(format!("well formed  {:.1}%", 100.0 * figures.format_share));
    if let Some(share) = figures.language_share {
        lines.push(format!("language     {:.1}%", 100.0 * share));
    }
    lines.push(format!("speed        {:.0} tokens/s", figures.n_sampled as f64 / figures.seconds));
    lines.join("\n")
}
