//! `sft` and `compare` stages: they learn, they go on after a kill, and they say what cannot be learned from.

use ruminate_core::{Example, Message, Role, Seed};
use ruminate_tasks::synthetic::corpus::{CorpusMix, document};
use serde_json::{Value, json};

use crate::training::{bytes, kill_after, learned, metrics};
use crate::util::Folder;

const RECIPE: &str = r#"
name = "s"
seed = 5
[evaluation]
template = "tiny"
prompts = [{ source = "arithmetic", difficulties = [3, 4], languages = ["en"] }]
n_problems = 60
samples = 2
max_new_tokens = 120
[[stage]]
id = "base"
kind = "load"
path = "builtin:tiny"
[[stage]]
id = "tuned"
kind = "sft"
policy = "base"
template = "tiny"
examples = [{ data = "examples.jsonl" }]
epochs = 4
batch_examples = 8
microbatch_tokens = 512
learning_rate = 1e-3
held_out = 0.1
save_every = 2
[[stage]]
id = "compared"
kind = "compare"
stages = ["base", "tuned"]
"#;

/// Worked solutions in the right form.
fn examples(n: usize) -> Vec<Example> {
    let mix = CorpusMix {
        kinds: [1.0, 0.0, 0.0],
        max_difficulty: [4, 1, 1],
        styles: [0.0, 1.0, 0.0],
        chinese: 0.0,
        mixed: 0.0,
        well_formed: 1.0,
        worked_errors: 0.0,
        checked_errors: 0.0,
        ..CorpusMix::default()
    };
    let example = |idx: usize| {
        let document = document(Seed::new(9), idx as u64, &mix);
        let turn = |role, content: &str| Message { role, content: content.to_owned() };
        let messages = vec![turn(Role::User, &document.problem.question), turn(Role::Assistant, &document.response)];
        Example { id: format!("e/{idx}"), source: "own".into(), problem: document.problem, messages, verdicts: Default::default() }
    };
    (0..n).map(example).collect()
}

fn lines(examples: &[Example]) -> String {
    examples.iter().map(|example| serde_json::to_string(example).unwrap() + "\n").collect()
}

fn folder(n_examples: usize) -> Folder {
    let folder = Folder::new();
    folder.write("s.toml", RECIPE);
    folder.write("examples.jsonl", &lines(&examples(n_examples)));
    folder
}

/// The same on weights that know nothing, without an evaluation: for what needs no skill.
fn small(folder: &Folder) {
    let (head, stages) = RECIPE.split_once("[evaluation]").unwrap();
    let (_, stages) = stages.split_once("[[stage]]").unwrap();
    let (stages, _) = stages.split_once("[[stage]]\nid = \"compared\"").unwrap();
    folder.write("small.toml", &format!("{head}[[stage]]{stages}").replace("builtin:tiny", "model"));
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("expected a number, found {value}"))
}

#[test]
fn forty_examples_lower_the_held_out_loss_and_raise_accuracy() {
    let folder = folder(44);
    let said = folder.ruminate(&["run", "s.toml", "--out", "s"]).well();
    let lines = metrics(&folder, "s/tuned/metrics.jsonl");
    // 40 examples train in 5 batches, 4 are held out; 4 epochs, each with an evaluation.
    assert_eq!(lines.len(), 20);
    let held_out: Vec<f64> = lines.iter().filter_map(|line| line.get("sft/held_out_loss")?.as_f64()).collect();
    let before = number(&lines[0]["sft/held_out_loss_before"]);
    assert_eq!(held_out.len(), 4);
    assert!(held_out[0] < before && *held_out.last().unwrap() < 0.7 * before, "{before} -> {held_out:?}");
    assert!((number(&lines[0]["sft/learning_rate"]) - 1e-3).abs() < 1e-9 && (number(&lines[19]["sft/learning_rate"]) - 1e-4).abs() < 1e-9);

    let comparison = folder.json("s/compared/comparison.json");
    let pass = |idx: usize| number(&comparison["stages"][idx]["pass_at_1"]["mean"]);
    assert!(pass(1) > pass(0) + 0.1, "{} -> {}", pass(0), pass(1));
    let pair = &comparison["pairs"][0];
    assert_eq!((&pair["before"], &pair["after"], &pair["significant"]), (&"base".into(), &"tuned".into(), &true.into()));
    assert!((number(&pair["difference"]["mean"]) - (pass(1) - pass(0))).abs() < 1e-9);
    assert!(number(&pair["sign_test"]["p_value"]) < 0.05, "{pair}");
    assert!(said.err.contains("tuned") && said.err.contains("sign test p"), "{}", said.err);

    // What was learned from, and what it cost.
    let source = &folder.json("s/tuned/data.json")["sources"][0];
    assert_eq!((&source["from"], &source["n_trained"], &source["n_held_out"]), (&"examples.jsonl".into(), &40.into(), &4.into()));
    let (n_tokens, n_trained) = (number(&source["n_tokens"]), number(&source["n_trained_tokens"]));
    assert!(0.3 * n_tokens < n_trained && n_trained < 0.9 * n_tokens, "prompts are read, answers trained: {n_trained} of {n_tokens}");
    let manifest = folder.json("s/tuned/manifest.json");
    let n_parameters = said.err.lines().find_map(|line| line.strip_prefix("builtin:tiny: ")?.strip_suffix(" parameters")).unwrap();
    let least = 6.0 * n_parameters.parse::<f64>().unwrap() * 4.0 * n_tokens;
    assert!((1.0..1.2).contains(&(number(&manifest["flops"]) / least)), "{} and {least}", manifest["flops"]);
    assert_eq!(number(&manifest["sampling_flops"]), 0.0);
    assert!(manifest["peak_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20));

    let printed = folder.ruminate(&["compare", "s", "base", "tuned", "--json"]).well();
    assert_eq!(serde_json::from_str::<Value>(&printed.out).unwrap(), comparison);
    let printed = folder.ruminate(&["compare", "s", "tuned", "base"]).well();
    assert!(printed.out.contains("difference [95%]") && printed.out.contains("60 problems"), "{}", printed.out);
}

#[test]
fn a_killed_stage_goes_on_and_ends_with_the_same_bytes() {
    let folder = folder(44);
    small(&folder);
    let args = |out| ["run", "small.toml", "--set", "tuned.evaluate_every=3", "--set", "tuned.epochs=8", "--out", out];
    folder.ruminate(&args("whole")).well();
    for n_lines in [2, 9, 17] {
        let n_found = kill_after(&folder, &args("killed"), "killed/tuned/metrics.jsonl", n_lines);
        assert!(n_found < 40, "it was killed on the way");
    }
    folder.ruminate(&args("killed")).well();
    assert_eq!(learned(&folder, "killed/tuned/metrics.jsonl"), learned(&folder, "whole/tuned/metrics.jsonl"));
    for name in ["checkpoint/model.safetensors", "state/state.safetensors", "data.json"] {
        assert!(bytes(&folder, &format!("killed/tuned/{name}")) == bytes(&folder, &format!("whole/tuned/{name}")), "{name}");
    }
    assert_eq!(folder.json("killed/tuned/manifest.json")["flops"], folder.json("whole/tuned/manifest.json")["flops"]);
}

#[test]
fn packing_is_a_matter_of_memory_only_and_weights_are_not() {
    let folder = folder(20);
    small(&folder);
    let loss = |out: &str, sets: &[&str]| {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        folder.ruminate(&[["run", "small.toml", "--out", out, "--set", "tuned.epochs=1"].as_slice(), &sets].concat()).well();
        metrics(&folder, &format!("{out}/tuned/metrics.jsonl")).iter().map(|line| number(&line["sft/loss"])).collect::<Vec<_>>()
    };
    let packed = loss("packed", &["tuned.microbatch_tokens=100000"]);
    let alone = loss("alone", &["tuned.microbatch_tokens=1"]);
    for (packed, alone) in packed.iter().zip(&alone) {
        assert!((packed - alone).abs() < 1e-5, "{packed} and {alone}");
    }
    // Equal weights change nothing; what is worth more pulls the mean to itself.
    let all = examples(20);
    folder.write("a.jsonl", &lines(&all[..10]));
    folder.write("b.jsonl", &lines(&all[10..]));
    let of_weight = |out: &str, weight: &str| {
        loss(
            out,
            &[
                &format!("tuned.examples=[{{data='a.jsonl',weight={weight}}},{{data='b.jsonl',weight={weight}}}]"),
                "tuned.batch_examples=100",
            ],
        )[0]
    };
    let plain = loss("plain", &["tuned.batch_examples=100"])[0];
    assert!((of_weight("equal", "3.0") - plain).abs() < 1e-6);
    let only_a = loss("only-a", &["tuned.examples=[{data='a.jsonl'}]", "tuned.batch_examples=100", "tuned.held_out=0"])[0];
    let mostly_a = loss(
        "mostly-a",
        &["tuned.examples=[{data='a.jsonl',weight=1e6},{data='b.jsonl'}]", "tuned.batch_examples=100", "tuned.held_out=0"],
    )[0];
    assert!((only_a - mostly_a).abs() < 1e-4 && (only_a - plain).abs() > 1e-4, "{only_a}, {mostly_a}, {plain}");
}

#[test]
fn several_sizes_and_rates_are_tried_and_the_best_of_the_first_policy_stays() {
    let folder = folder(24);
    small(&folder);
    folder.save_model("other", 2);
    let recipe = folder.read("small.toml").replace("policy = \"base\"", "policies = [\"base\", \"other\"]");
    let recipe = recipe.replace("learning_rate = 1e-3", "learning_rates = [1e-9, 1e-2]");
    let evaluation = RECIPE[RECIPE.find("[evaluation]").unwrap()..RECIPE.find("[[stage]]").unwrap()].replace("= 120", "= 8");
    folder
        .write("v.toml", &format!("{recipe}[[stage]]\nid = \"other\"\nkind = \"load\"\npath = \"other\"\nevaluate = false\n{evaluation}"));
    let args = |out| ["run", "v.toml", "--out", out, "--set", "evaluation.n_problems=6"];
    let said = folder.ruminate(&args("v")).well();
    let variants = folder.json("v/tuned/variants.json");
    let names: Vec<&str> = variants["variants"].as_array().unwrap().iter().map(|variant| variant["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["base-lr1e-9", "base-lr1e-2", "other-lr1e-9", "other-lr1e-2"]);
    assert_eq!(variants["chosen"], "base-lr1e-2");
    let loss = |idx: usize| number(&variants["variants"][idx]["held_out_loss"]);
    assert!(loss(1) < loss(0), "{variants}");
    assert!(number(&variants["variants"][3]["last_loss"]) < number(&variants["variants"][2]["last_loss"]) - 0.5, "{variants}");
    assert!(variants["variants"].as_array().unwrap().iter().all(|variant| variant["pass_at_1"]["n_problems"] == 6));
    assert!(said.err.contains("base-lr1e-2 *") && said.err.contains("of the variants of 'base', the first policy"), "{}", said.err);
    for name in ["checkpoint/model.safetensors", "metrics.jsonl", "evaluation.jsonl"] {
        assert!(bytes(&folder, &format!("v/tuned/{name}")) == bytes(&folder, &format!("v/tuned/variants/base-lr1e-2/{name}")), "{name}");
    }
    assert_eq!(folder.json("v/tuned/manifest.json")["flops"], variants["variants"][1]["flops"]);

    // Killed within the third variant, two are not trained again.
    kill_after(&folder, &args("k"), "k/tuned/variants/other-lr1e-9/metrics.jsonl", 2);
    let record = bytes(&folder, "k/tuned/variants/base-lr1e-9/variant.json");
    folder.ruminate(&args("k")).well();
    assert!(bytes(&folder, "k/tuned/variants/base-lr1e-9/variant.json") == record);
    assert_eq!(folder.json("k/tuned/variants.json"), variants);
}

#[test]
fn what_cannot_be_learned_from_is_named() {
    let folder = folder(6);
    small(&folder);
    let run = |n: usize, sets: &[&str]| {
        let out = format!("e{n}");
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        folder.ruminate(&[["run", "small.toml", "--out", &out].as_slice(), &sets].concat())
    };
    folder.write("empty.jsonl", "\n");
    run(1, &["tuned.examples=[{data='empty.jsonl'}]"]).failed(1, "stage 'tuned': empty.jsonl: expected conversations, found none");
    run(2, &["tuned.examples=[{data='none.jsonl'}]"]).failed(1, "stage 'tuned': cannot read none.jsonl");
    run(3, &["tuned.examples=[{data='examples.jsonl'},{data='examples.jsonl'}]"])
        .failed(1, "id 'e/0' is in 'examples.jsonl' and in 'examples.jsonl', expected each example once");
    run(4, &["tuned.examples=['cold']"]).failed(2, "unknown stage 'cold'");
    run(4, &["tuned.examples=['base']"]).failed(2, "stage 'base': expected a stage of kind collect, found one of kind load");
    run(5, &["tuned.held_out=0", "tuned.best_by='held_out_loss'"]).failed(2, "'pass@1' or 'last' where held_out is 0");
    run(6, &["tuned.best_by='pass@1'"]).failed(2, "'best_by': expected a recipe with an [evaluation]");
    run(7, &["tuned.preset='distil-7b'"]).failed(2, "unknown preset 'distil-7b'; did you mean 'distill-7b'?");
    run(8, &["tuned.learning_rates=[1e-3]"]).failed(2, "expected either this or 'learning_rate', found both");

    // Texts that the student's vocabulary cannot express.
    let turns = |question: &str, answer: &str| {
        json!({"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}).to_string() + "\n"
    };
    folder.write("foreign.jsonl", &(turns("1+1=?", "2") + &turns("2+2=?", "four ☃")));
    run(9, &["tuned.examples=[{data='foreign.jsonl'}]"]).failed(1, "example 'foreign/2': ");
    let said = run(10, &["tuned.examples=[{data='foreign.jsonl'}]"]);
    assert!(
        said.err.contains("expected text that the vocabulary can express, found \"") && said.err.contains("stage 'base'"),
        "{}",
        said.err
    );

    // Longer than the context of 256 tokens: named, and left out only when asked.
    folder.write("long.jsonl", &(turns("1+1=?", "2") + &turns("2+2=?", &"4".repeat(300)) + &turns("3+3=?", "6")));
    let long = "tuned.examples=[{data='long.jsonl'}]";
    run(11, &[long]).failed(1, "expected examples of at most 256 tokens, the context of the policy, found 1 longer ones: long/2");
    let said = run(12, &[long, "tuned.too_long='skip'"]).well();
    assert!(said.err.contains("1 examples are longer than 256 tokens and left out: long/2"), "{}", said.err);
    assert_eq!(folder.json("e12/tuned/data.json")["sources"][0]["too_long"], json!(["long/2"]));
    run(14, &[long, "tuned.max_tokens=20"]).failed(1, "expected examples of at most 20 tokens, max_tokens, found 1 longer ones: long/2");
    folder.write("one.jsonl", &turns("1+1=?", "2"));
    run(13, &["tuned.examples=[{data='one.jsonl'}]"]).failed(1, "expected examples of at least two questions");
}

#[test]
fn only_stages_that_were_evaluated_on_the_same_problems_are_compared() {
    let folder = folder(6);
    folder.write("s.toml", &RECIPE.replace("builtin:tiny", "model").replace("= 120", "= 4").replace("epochs = 4", "epochs = 1"));
    let run = ["run", "s.toml", "--set", "evaluation.n_problems=5", "--out", "s"];
    folder.ruminate(&run).well();
    folder.ruminate(&["compare", "s", "base"]).failed(2, "2 values required");
    folder.ruminate(&["compare", "gone", "base", "tuned"]).failed(1, "gone is not the directory of a run");
    folder.ruminate(&["compare", "s", "base", "tunde"]).failed(1, "stage 'tunde' has not run");
    folder.ruminate(&["compare", "s", "base", "compared"]).failed(1, "stage 'compared' was not evaluated");
    let without = RECIPE.replace("id = \"tuned\"", "id = \"tuned\"\nevaluate = false");
    folder.write("w.toml", &without);
    folder
        .ruminate(&["run", "w.toml", "--out", "w"])
        .failed(2, "stage 'compared': 'stages': expected stages that are evaluated, found 'tuned'");
    // One problem is another one.
    let evaluation = folder.read("s/tuned/evaluation.jsonl");
    folder.write("s/tuned/evaluation.jsonl", &evaluation.replacen("/held-out/", "/held-out/9", 1));
    folder.ruminate(&["compare", "s", "base", "tuned"]).failed(1, "stages 'base' and 'tuned' were evaluated on different problems");
}

#[test]
fn what_a_stage_collected_is_learned_as_reviewers_left_it() {
    let folder = Folder::new();
    let talk = |i: u32| {
        json!({"messages": [{"role": "user", "content": format!("{i}+1=?")}, {"role": "assistant", "content": format!("{}", i + 1)}]})
            .to_string()
            + "\n"
    };
    folder.write("talk.jsonl", &(1..9).map(talk).collect::<String>());
    folder.write(
        "c.toml",
        r#"
name = "c"
[[stage]]
id = "base"
kind = "load"
path = "model"
[[stage]]
id = "cold"
kind = "collect"
review = true
filters = { form = false, language = false }
near_duplicate = false
[[stage.source]]
method = "dataset"
data = "talk.jsonl"
[[stage]]
id = "tuned"
kind = "sft"
policy = "base"
template = "tiny"
examples = [{ from = "cold", weight = 2.0 }]
"#,
    );
    folder.ruminate(&["run", "c.toml", "--out", "c"]).well();
    let source = || folder.json("c/tuned/data.json")["sources"][0].clone();
    assert_eq!((&source()["from"], &source()["weight"], &source()["n_trained"]), (&"cold".into(), &2.0.into(), &7.into()));
    let before = bytes(&folder, "c/tuned/checkpoint/model.safetensors");
    let id = serde_json::from_str::<Example>(folder.read("c/cold/examples.jsonl").lines().next().unwrap()).unwrap().id;
    let decision = json!({"decision": "reject", "reviewer": "ada", "at_unix_secs": 1});
    folder.write("c/cold/review.json", &json!({"version": 1, "decisions": {id: decision}}).to_string());
    let said = folder.ruminate(&["run", "c.toml", "--out", "c"]).well();
    assert!(said.err.contains("tuned: its inputs have changed since it ran, starting over"), "{}", said.err);
    assert_eq!(number(&source()["n_trained"]) + number(&source()["n_held_out"]), 7.0);
    assert!(bytes(&folder, "c/tuned/checkpoint/model.safetensors") != before);
}
