//! `[[stage.source]]`: how responses are made.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ruminate_core::{Gold, Problem as Question, Reasoning};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::path;
use crate::endpoint::EndpointConfig;
use crate::recipe::checks::Checks;
use crate::recipe::config::Template;
use crate::recipe::error::{Problem, RecipeError};
use crate::recipe::fields::field_names;
use crate::recipe::source::{Part, Source};

/// Names the general conversations of the built-in world.
pub(crate) const BUILTIN_GENERAL: &str = "builtin:general";

/// What is asked of models that read more than the words of the tiny world.
const INSTRUCTION: &str = "Reason step by step in detail. Reflect on each step, verify your result in another way, and correct what is wrong \
                           before you answer.";

/// One source of examples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CollectSource {
    /// Name of the source in examples and tables, unique in its stage.
    pub(crate) name: String,
    /// How its examples are made.
    #[serde(flatten)]
    pub(crate) method: Method,
}

/// How examples are made.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub(crate) enum Method {
    /// A policy goes on behind a worked example.
    FewShot {
        /// Who is asked, and how.
        #[serde(flatten)]
        ask: Ask,
        /// File of worked examples; `None`: those of the built-in world.
        #[serde(skip_serializing_if = "Option::is_none")]
        examples: Option<PathBuf>,
    },
    /// A model is asked for reflection and verification.
    Direct {
        /// Who is asked, and how.
        #[serde(flatten)]
        ask: Ask,
        /// What is asked besides the question; empty: nothing; `None`: the words that the tiny world has for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        instruction: Option<String>,
    },
    /// Completions are brought into a readable form.
    Rewrite {
        /// Whose completions, and how they are sampled.
        #[serde(flatten)]
        ask: Ask,
        /// Who rewrites.
        by: Rewriter,
    },
    /// Completions of a policy as they are: rejection sampling.
    Sample {
        /// Who is asked, and how.
        #[serde(flatten)]
        ask: Ask,
    },
    /// Responses of a teacher, with or without a chain of thought.
    Teacher {
        /// Who is asked, and how.
        #[serde(flatten)]
        ask: Ask,
        /// System message; `None`: one that says whether to reason.
        #[serde(skip_serializing_if = "Option::is_none")]
        system: Option<String>,
        /// Which responses have a chain of thought.
        with_reasoning: WithReasoning,
    },
    /// Conversations that are there already.
    Dataset {
        /// A JSONL or Parquet file, or `builtin:general`.
        data: PathBuf,
        /// At most so many, from the start.
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
    },
}

/// Who is asked, and how.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Ask {
    /// Who.
    #[serde(flatten)]
    pub(crate) who: Who,
    /// Responses to each problem.
    pub(crate) samples: u32,
    /// Sampling temperature; 0 is greedy.
    pub(crate) temperature: f32,
    /// Nucleus of sampling.
    pub(crate) top_p: f32,
    /// What a policy's response begins with: it goes on behind these words. A teacher is not given any.
    pub(crate) begin: String,
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    /// The policy of a stage.
    Policy(String),
    /// A model behind an endpoint.
    Teacher(Box<TeacherConfig>),
}

/// A model behind an OpenAI-compatible endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct TeacherConfig {
    /// Name of the model there.
    pub(crate) model: String,
    /// Longest reply in tokens.
    pub(crate) max_tokens: u32,
    /// Where it is and how patiently it is asked.
    pub(crate) endpoint: EndpointConfig,
}

/// Who brings completions into a readable form.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rewriter {
    /// Lines are cleaned, and the answer is written as a summary.
    Rules,
    /// A model writes them anew; the new text is graded again.
    Teacher(Box<TeacherConfig>),
}

/// Which responses of a teacher have a chain of thought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct WithReasoning {
    /// Of kinds that are not listed; `None`: as the problem wants it, and where it does not say, as the teacher does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) all: Option<bool>,
    /// By kind of problem.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) kinds: BTreeMap<String, bool>,
}

impl WithReasoning {
    /// Whether a response should have a chain of thought; `None`: either will do.
    pub(crate) fn of(&self, problem: &Question) -> Option<bool> {
        self.kinds.get(&problem.kind).copied().or(self.all).or(match &problem.gold {
            Gold::Open(task) => match task.reasoning {
                Reasoning::Free => None,
                Reasoning::Unwanted => Some(false),
                Reasoning::Wanted => Some(true),
            },
            _ => Some(true),
        })
    }
}

impl Method {
    /// Who is asked, where anybody is.
    pub(crate) fn ask(&self) -> Option<&Ask> {
        match self {
            Self::FewShot { ask, .. }
            | Self::Direct { ask, .. }
            | Self::Rewrite { ask, .. }
            | Self::Sample { ask }
            | Self::Teacher { ask, .. } => Some(ask),
            Self::Dataset { .. } => None,
        }
    }

    /// The endpoints that it asks.
    pub(crate) fn teachers(&self) -> impl Iterator<Item = &TeacherConfig> {
        let asked = self.ask().and_then(|ask| match &ask.who {
            Who::Teacher(teacher) => Some(teacher.as_ref()),
            Who::Policy(_) => None,
        });
        let rewrites = match self {
            Self::Rewrite { by: Rewriter::Teacher(teacher), .. } => Some(teacher.as_ref()),
            _ => None,
        };
        asked.into_iter().chain(rewrites)
    }
}

/// Names of the methods, as recipes write them.
const METHODS: [&str; 6] = ["few-shot", "direct", "rewrite", "sample", "teacher", "dataset"];

/// What every method has that asks somebody.
#[derive(Debug, Deserialize)]
struct AskFile {
    /// Id of the stage whose policy is asked.
    policy: Option<String>,
    /// A model behind an endpoint that is asked instead.
    teacher: Option<Table>,
    /// Responses to each problem.
    samples: Option<u32>,
    /// Sampling temperature; default 1, for `teacher` 0.6.
    temperature: Option<f32>,
    /// Default 1, for `teacher` 0.95.
    top_p: Option<f32>,
    /// What a policy's response begins with; default: `<think>` for `few-shot` and `direct`, else nothing.
    begin: Option<String>,
}

#[derive(Debug, Deserialize)]
struct DatasetFile {
    data: String,
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct TeacherFile {
    model: String,
    max_tokens: Option<u32>,
}

/// Reads all sources of a stage.
pub(super) fn resolve(
    source: &Source,
    tables: &[Table],
    part: &Part,
    template: Option<Template>,
) -> Result<Vec<CollectSource>, RecipeError> {
    let mut sources: Vec<CollectSource> = Vec::new();
    for (idx, table) in tables.iter().enumerate() {
        let at = part.key("source").below(&idx.to_string(), format!("{}, source {}", part.name(), idx + 1));
        let resolved = Reader { source, part: &at, template }.source(table)?;
        if sources.iter().any(|other| other.name == resolved.name) {
            let message = format!("'{}' is used twice; give one of the sources another name", resolved.name);
            return Err(source.error(&at, None, Problem::value("name", message)));
        }
        sources.push(resolved);
    }
    Ok(sources)
}

/// Reads one source.
#[derive(Clone, Copy)]
struct Reader<'a> {
    source: &'a Source,
    part: &'a Part,
    /// That of the stage.
    template: Option<Template>,
}

impl Reader<'_> {
    fn source(self, table: &Table) -> Result<CollectSource, RecipeError> {
        let mut body = table.clone();
        let method = self.text(&mut body, "method")?.ok_or_else(|| self.missing("method"))?;
        let name = self.text(&mut body, "name")?.unwrap_or_else(|| method.clone());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
            return Err(self.value("name", format!("expected 1 to 64 letters, digits, '-' or '_', found \"{name}\"")));
        }
        Ok(CollectSource { name, method: self.method(&method, body)? })
    }

    fn method(self, name: &str, mut body: Table) -> Result<Method, RecipeError> {
        Ok(match name {
            "few-shot" => {
                let examples = self.text(&mut body, "examples")?.map(|file| path(&file));
                Method::FewShot { ask: self.ask(&body, &["examples"], Usual { samples: 8, ..Usual::POLICY.begin() })?, examples }
            }
            "direct" => {
                let usual = (self.template != Some(Template::Tiny) || body.contains_key("teacher")).then(|| INSTRUCTION.to_owned());
                let instruction = self.text(&mut body, "instruction")?.or(usual);
                Method::Direct { ask: self.ask(&body, &["instruction"], Usual { samples: 8, ..Usual::POLICY.begin() })?, instruction }
            }
            "rewrite" => {
                let by = self.rewriter(body.remove("by"))?;
                Method::Rewrite { ask: self.ask(&body, &["by"], Usual::POLICY)?, by }
            }
            "sample" => Method::Sample { ask: self.ask(&body, &[], Usual::POLICY)? },
            "teacher" => {
                let system = self.text(&mut body, "system")?;
                let is_told = body.contains_key("teacher") || self.template == Some(Template::Chat);
                if system.is_some() && !is_told {
                    return Err(self.value("system", "only an endpoint and the template 'chat' have a system message"));
                }
                let with_reasoning = self.with_reasoning(body.remove("with_reasoning"))?;
                let usual = Usual { samples: 1, temperature: 0.6, top_p: 0.95, begin: "" };
                Method::Teacher { ask: self.ask(&body, &["system", "with_reasoning"], usual)?, system, with_reasoning }
            }
            "dataset" => {
                let file: DatasetFile = self.source.read_table(&body, self.part)?;
                let check = Checks { source: self.source, part: self.part };
                check.at_least_one("limit", file.limit.unwrap_or(1) as u64)?;
                if file.data == BUILTIN_GENERAL && file.limit.is_none() {
                    return Err(self.missing("limit"));
                }
                Method::Dataset { data: path(&file.data), limit: file.limit }
            }
            other => {
                let known = METHODS.map(str::to_owned).to_vec();
                return Err(self.source.error(self.part, Some("method"), Problem::unknown_name("method", other, known)));
            }
        })
    }

    fn ask(self, body: &Table, other_keys: &[&str], usual: Usual) -> Result<Ask, RecipeError> {
        // Those that were taken out are known too: a suggestion may be one of them.
        let other_keys = ["method", "name"].iter().chain(other_keys).map(|&key| key.to_owned());
        let known: Vec<String> = field_names::<AskFile>().into_iter().chain(other_keys).collect();
        self.source.check_keys(body, self.part, &known)?;
        let file: AskFile = self.source.read_known(body, self.part)?;
        let who = match (file.policy, file.teacher) {
            (Some(policy), None) => Who::Policy(policy),
            (None, Some(teacher)) => Who::Teacher(Box::new(self.teacher("teacher", &teacher)?)),
            (None, None) => return Err(self.value("policy", "expected the policy of a stage or a teacher, found neither")),
            (Some(_), Some(_)) => return Err(self.value("policy", "expected the policy of a stage or a teacher, found both")),
        };
        let ask = Ask {
            who,
            samples: file.samples.unwrap_or(usual.samples),
            temperature: file.temperature.unwrap_or(usual.temperature),
            top_p: file.top_p.unwrap_or(usual.top_p),
            begin: file.begin.unwrap_or_else(|| usual.begin.to_owned()),
        };
        let check = Checks { source: self.source, part: self.part };
        check.at_least_one("samples", ask.samples.into())?;
        check.range("temperature", ask.temperature, 0.0, 100.0)?;
        check.share("top_p", ask.top_p)?;
        Ok(ask)
    }

    /// The keys of the model and those of the endpoint stand side by side.
    fn teacher(self, key: &str, table: &Table) -> Result<TeacherConfig, RecipeError> {
        let part = &self.part.key(key);
        let (own, of_endpoint) = (field_names::<TeacherFile>(), field_names::<EndpointConfig>());
        self.source.check_keys(table, part, &own.iter().chain(&of_endpoint).cloned().collect::<Vec<_>>())?;
        if !table.contains_key("url") {
            return Err(self.source.error(part, None, Problem::MissingKey { key: "url".to_owned() }));
        }
        let (own, endpoint): (Table, Table) = table.clone().into_iter().partition(|(key, _)| own.contains(key));
        let TeacherFile { model, max_tokens } = self.source.read_known(&own, part)?;
        Ok(TeacherConfig { model, max_tokens: max_tokens.unwrap_or(4096), endpoint: self.source.read_known(&endpoint, part)? })
    }

    fn rewriter(self, by: Option<Value>) -> Result<Rewriter, RecipeError> {
        match by {
            None => Ok(Rewriter::Rules),
            Some(Value::String(name)) if name == "rules" => Ok(Rewriter::Rules),
            Some(Value::Table(table)) => Ok(Rewriter::Teacher(Box::new(self.teacher("by", &table)?))),
            Some(other) => Err(self.value("by", format!("expected \"rules\" or a teacher as a table with url and model, found {other}"))),
        }
    }

    fn with_reasoning(self, value: Option<Value>) -> Result<WithReasoning, RecipeError> {
        let expected = "expected true, false, or a table of kinds with true or false";
        match value {
            None => Ok(WithReasoning::default()),
            Some(Value::Boolean(all)) => Ok(WithReasoning { all: Some(all), kinds: BTreeMap::new() }),
            Some(Value::Table(table)) => {
                let kind = |(kind, value): (String, Value)| match value {
                    Value::Boolean(with) => Ok((kind, with)),
                    other => Err(self.value("with_reasoning", format!("{expected}, found {kind} = {other}"))),
                };
                Ok(WithReasoning { all: None, kinds: table.into_iter().map(kind).collect::<Result<_, _>>()? })
            }
            Some(other) => Err(self.value("with_reasoning", format!("{expected}, found {other}"))),
        }
    }

    fn text(self, body: &mut Table, key: &str) -> Result<Option<String>, RecipeError> {
        match body.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.value(key, format!("expected text, found {}", other.type_str()))),
        }
    }

    fn missing(self, key: &str) -> RecipeError {
        self.source.error(self.part, None, Problem::MissingKey { key: key.to_owned() })
    }

    fn value(self, key: &str, message: impl Into<String>) -> RecipeError {
        self.source.error(self.part, Some(key), Problem::value(key, message))
    }
}

/// What a method has where the recipe does not say.
#[derive(Clone, Copy)]
struct Usual {
    samples: u32,
    temperature: f32,
    top_p: f32,
    begin: &'static str,
}

impl Usual {
    /// The whole distribution, as R1-Zero's outputs were sampled for the cold start.
    const POLICY: Self = Self { samples: 4, temperature: 1.0, top_p: 1.0, begin: "" };

    /// With the reasoning begun.
    const fn begin(self) -> Self {
        Self { begin: "<think>", ..self }
    }
}
