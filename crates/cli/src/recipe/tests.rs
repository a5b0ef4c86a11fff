use super::*;

const GOOD: &str = r#"name = "t"
seed = 17

[inputs]
data = { help = "GSM8K file", default = "train.jsonl" }

[evaluation]
n_problems = 5

[[stage]]
id = "zero"
kind = "grpo"
policy = "base"
preset = "r1-zero"
prompts = ["arithmetic", { data = "$data", form = "gsm8k", weight = 2.0 }]
template = "tiny"
steps = 60
learning_rate = 1e-4
reference_refresh_steps = false
max_new_tokens = 100
rewards = { accuracy = 1.0 }

[[stage]]
id = "base"
kind = "load"
path = "builtin:tiny"
"#;

fn read(text: &str, sets: &[&str]) -> Result<RunConfig, String> {
    let overrides = Overrides { seed: None, sets: sets.iter().map(|&set| set.to_owned()).collect() };
    parse("t.toml", text, &overrides).map_err(|error| error.to_string())
}

fn grpo(config: &RunConfig) -> &GrpoConfig {
    match &config.stages[1].kind {
        StageKind::Grpo(config) => config,
        other => panic!("{other:?}"),
    }
}

/// The error of a recipe with one change to the good one.
#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    assert_eq!(read(&GOOD.replacen(from, to, 1), &[]).unwrap_err(), expected);
}

#[track_caller]
fn check_set(set: &str, expected: &str) {
    assert_eq!(read(GOOD, &[set]).unwrap_err(), expected);
}

#[test]
fn everything_is_filled_in() {
    let config = read(GOOD, &[]).unwrap();
    assert_eq!(config.stages.iter().map(|stage| stage.id.as_str()).collect::<Vec<_>>(), ["base", "zero"]);
    let zero = grpo(&config);
    assert_eq!((zero.settings.learning_rate, zero.settings.clip_eps_high, zero.settings.reference_refresh_steps), (1e-4, 0.2, None));
    assert_eq!((zero.settings.max_completion_tokens, zero.settings.group_size, zero.steps), (100, 16, Some(60)));
    assert_eq!((zero.rewards.weights.accuracy, zero.rewards.weights.format, zero.rewards.weights.language), (1.0, 0.0, 0.0));
    let PromptSource::File { data, split: DataSplit::Train, weight: 2.0, .. } = &zero.prompts[1] else { panic!("{:?}", zero.prompts) };
    assert_eq!(data.to_str(), Some("train.jsonl"));
    let evaluation = config.evaluation.as_ref().unwrap();
    assert_eq!((evaluation.n_problems, evaluation.samples, evaluation.temperature, evaluation.max_new_tokens), (5, 4, 0.6, 100));
    assert!(matches!(&evaluation.prompts[1], PromptSource::File { split: DataSplit::HeldOut, .. }));
    assert_eq!(evaluation.template, Template::Tiny);
}

#[test]
fn the_resolved_form_is_toml_with_short_numbers_and_its_hash_tells_recipes_apart() {
    let config = read(GOOD, &[]).unwrap();
    let text = config.to_toml();
    let table: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(table["evaluation"]["top_p"].to_string(), "0.95", "{text}");
    assert_eq!(table["stage"][1]["settings"]["kl_coef"].to_string(), "0.001");
    assert_eq!(table["stage"][0]["kind"].as_str(), Some("load"));
    assert_eq!(config.hash(), read(GOOD, &[]).unwrap().hash());
    assert_ne!(config.hash(), read(GOOD, &["zero.steps=61"]).unwrap().hash());
}

#[test]
fn set_changes_one_value() {
    let config = read(GOOD, &["deterministic=true"]).unwrap();
    assert!(config.deterministic && config.to_toml().contains("deterministic = true"));
    let config = read(
        GOOD,
        &["zero.recompute_layers=2", "zero.steps=5", "seed=3", "evaluation.samples=2", "data=x y.jsonl", "zero.rewards.format=0.5"],
    )
    .unwrap();
    let zero = grpo(&config);
    assert_eq!((zero.steps, config.seed, config.evaluation.as_ref().unwrap().samples, zero.rewards.weights.format), (Some(5), 3, 2, 0.5));
    assert!(matches!(&zero.prompts[1], PromptSource::File { data, .. } if data.to_str() == Some("x y.jsonl")));
    let control = read(GOOD, &["zero.control=zero-advantage", "zero.prompts=[\"logic\"]"]).unwrap();
    assert_eq!((grpo(&control).control, grpo(&control).prompts.len()), (Some(Control::ZeroAdvantage), 1));
}

#[test]
fn sets_that_name_nothing() {
    check_set("sed=3", "--set sed=3: unknown input 'sed'; did you mean 'seed'?");
    check_set("zeros.steps=3", "--set zeros.steps=3: unknown stage 'zeros'; did you mean 'zero'?");
    check_set("seed", "--set seed: expected key=value");
    check_set("zero=3", "--set zero=3: 'zero': expected a key of it, as in zero.key=value");
    check_set("zero.stepz=3", "t.toml: stage 'zero', from --set: unknown key 'stepz'; did you mean 'steps'?");
    check_set("zero.steps.x=3", "--set zero.steps.x=3: 'steps': expected a table, found integer");
    check_set("seed=x", "t.toml:2: 'seed': invalid type: string \"x\", expected u64");
}

#[test]
fn unknown_keys_have_a_line_and_a_suggestion() {
    check("seed = 17", "sede = 17", "t.toml:2: unknown key 'sede'; did you mean 'seed'?");
    check("steps = 60", "step = 60", "t.toml:17: stage 'zero': unknown key 'step'; did you mean 'steps'?");
    check("learning_rate =", "learn_rate =", "t.toml:18: stage 'zero': unknown key 'learn_rate'; did you mean 'learning_rate'?");
    check("n_problems", "problems", "t.toml:8: evaluation: unknown key 'problems'; did you mean 'n_problems'?");
    check("accuracy = 1.0", "acuracy = 1.0", "t.toml:21: stage 'zero', 'rewards': unknown key 'acuracy'; did you mean 'accuracy'?");
    check("weight = 2.0", "wait = 2.0", "t.toml:15: stage 'zero', prompts entry 2: unknown key 'wait'; did you mean 'weight'?");
    check("path =", "qqqq =", "t.toml:26: stage 'base': unknown key 'qqqq'; expected one of path");
}

#[test]
fn wrong_values_have_a_line() {
    check("steps = 60", "steps = \"x\"", "t.toml:17: stage 'zero': 'steps': invalid type: string \"x\", expected u64");
    check("steps = 60\n", "", "t.toml:10: stage 'zero': missing key 'steps'");
    check("steps = 60", "steps = 0", "t.toml:17: stage 'zero': 'steps': expected a number >= 1, found 0");
    check("id = \"base\"", "id = \"zero\"", "t.toml:24: stage 2: id 'zero' is used twice");
    check("policy = \"base\"", "policy = \"bass\"", "t.toml:13: stage 'zero': unknown stage 'bass'; did you mean 'base'?");
    check("policy = \"base\"", "policy = \"zero\"", "t.toml:13: stage 'zero': stages wait for each other in a circle: zero -> zero");
    check("\"r1-zero\"", "\"r1zero\"", "t.toml:14: stage 'zero': unknown preset 'r1zero'; did you mean 'r1-zero'?");
    check(
        "\"arithmetic\"",
        "\"aritmetic\"",
        "t.toml:15: stage 'zero', prompts entry 1: unknown source 'aritmetic'; did you mean 'arithmetic'?",
    );
    check(
        "\"arithmetic\"",
        "{ source = \"arithmetic\", languages = [\"fr\"] }",
        "t.toml:15: stage 'zero', prompts entry 1: 'languages[0]': unknown variant `fr`, expected `en` or `zh`",
    );
    check("\"gsm8k\"", "\"gsm\"", "t.toml:15: stage 'zero', prompts entry 2: unknown form 'gsm'; did you mean 'gsm8k'?");
    check("$data", "$dat", "t.toml:10: unknown input 'dat'; did you mean 'data'?");
    check(", default = \"train.jsonl\"", "", "t.toml:5: inputs: input 'data' has no value (GSM8K file); give it with --set data=...");
    check("kind = \"load\"", "kind = \"lod\"", "t.toml:25: stage 'base': unknown kind 'lod'; did you mean 'load'?");
    check("1e-4", "-1.0", "t.toml:10: stage 'zero': learning_rate: expected a finite number >= 0, found -1");
    check(
        "name = \"t\"",
        "name = \"a/b\"",
        "t.toml:1: 'name': expected 1 to 64 letters, digits, '-', '_' or '.', not first, found \"a/b\"",
    );
    check(
        "template = \"tiny\"",
        "template = \"tini\"",
        "t.toml:16: stage 'zero': 'template': unknown variant `tini`, expected one of `tiny`, `r1-zero`, `chat`",
    );
}

#[test]
fn broken_toml_has_a_line() {
    let error = read("name = \"t\"\nseed = = 3\n", &[]).unwrap_err();
    assert!(error.starts_with("t.toml:2: "), "{error}");
    assert_eq!(read("name = \"t\"\n", &[]).unwrap_err(), "t.toml: missing key '[[stage]]'");
    let path = Path::new("no/such.toml");
    assert_eq!(load(path, &Overrides::default()).unwrap_err().to_string(), "cannot read recipe no/such.toml");
}

#[test]
fn the_recipes_of_the_repository_resolve() {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let files = std::fs::read_dir(recipes).unwrap().map(|entry| entry.unwrap().path());
    let mut n = 0;
    for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
        let table: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let inputs = table.get("inputs").and_then(toml::Value::as_table).into_iter().flatten();
        let sets = inputs.filter(|(_, input)| input.get("default").is_none()).map(|(name, _)| format!("{name}=x")).collect();
        let config = load(&path, &Overrides { seed: Some(1), sets }).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((Some(config.name.as_str()), config.seed), (path.file_stem().and_then(|name| name.to_str()), 1));
        n += 1;
    }
    assert!(n > 10, "{n} recipes");
}
