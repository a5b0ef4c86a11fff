//! `reward_model` stages: what they learn from, what they leave, and how rollouts are scored by them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ruminate_core::{Outcome, RolloutGroup};
use ruminate_model::{Checkpoint, Reads};
use serde_json::{Value, json};

use crate::graders::serve;
use crate::training::metrics;
use crate::util::Folder;

/// Responses of random weights are good where they hold a digit or a sign that the request asks for: about half of them do.
const RECIPE: &str = r#"
name = "r"
seed = 7
[[stage]]
id = "base"
kind = "load"
path = "model"
[[stage]]
id = "helpful"
kind = "reward_model"
policy = "base"
reads = "everything"
loss = "pairwise"
judge = "rules"
prompts = [{ data = "p.jsonl", split = "all" }]
n_prompts = 300
samples = 6
pairs_per_prompt = 6
max_new_tokens = 8
held_out = 0.2
learning_rate = 5e-3
epochs = 2
batch_pairs = 16
save_every = 4
"#;

const GRPO: &str = r#"
[[stage]]
id = "r1"
kind = "grpo"
policy = "base"
preset = "r1-zero"
template = "tiny"
prompts = [{ data = "p.jsonl", split = "all" }]
reward_models = { helpful = "helpful" }
rewards = { format = 1.0, kinds = { chat = { helpful = 1.0 } } }
steps = 40
prompts_per_step = 4
group_size = 8
minibatches = 1
max_new_tokens = 8
learning_rate = 1e-2
"#;

fn request(id: usize, kind: &str, question: &str, task: &Value) -> String {
    let mut gold = json!({ "type": "open" });
    gold.as_object_mut().unwrap().extend(task.as_object().cloned().unwrap_or_default());
    format!("{}\n", json!({ "id": format!("p/{id}"), "kind": kind, "question": question, "gold": gold, "language": "zh" }))
}

fn requests(task: &Value) -> String {
    (0..300).map(|id| request(id, "chat", &format!("{id} + {id} = ?"), task)).collect()
}

/// About half of random responses of eight tokens hold one of these characters: 33 of 387 tokens do.
const SIGNS: &str = "0123456789,.:?+-*/=()";

fn signs() -> Value {
    json!({ "any_of": SIGNS.chars().map(String::from).collect::<Vec<_>>() })
}

fn has_sign(text: &Value) -> bool {
    text.as_str().unwrap().contains(|c| SIGNS.contains(c))
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("p.jsonl", &requests(&signs()));
    folder.write("r.toml", RECIPE);
    folder
}

#[test]
fn a_reward_model_learns_what_the_judge_prefers_and_says_how_well() {
    let folder = folder();
    let said = folder.ruminate(&["run", "r.toml", "--out", "r"]).well();
    assert!(said.err.contains("helpful: ") && said.err.contains(" pairs of "), "{}", said.err);
    let report = folder.json("r/helpful/reward_model.json");
    println!("{report:#}");
    let number = |path: &str| report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {report}"));
    // From random weights: each of 33 tokens is learned from some forty that it stands in.
    assert!(number("/held_out/accuracy/mean") > 0.65 && number("/held_out/accuracy/lo") > 0.55, "{report}");
    assert!(number("/held_out/calibration/ece") < 0.25 && number("/std") > 0.0, "{report}");
    assert!(number("/held_out/length/correlation").abs() < 0.5, "{report}");
    // Every pair that was judged is accounted for, and longer responses win about half of the time.
    let gone: f64 =
        ["no_preference", "unbalanced", "same_text", "too_long", "unreadable"].map(|key| number(&format!("/data/{key}"))).iter().sum();
    assert_eq!(number("/data/judged"), number("/data/kept") + gone);
    assert_eq!(number("/data/kept"), number("/n_train") + number("/n_held_out"));
    let (longer, shorter) = (number("/data/lengths_after/longer_wins"), number("/data/lengths_after/shorter_wins"));
    assert!(longer.max(shorter) <= 0.55 * (longer + shorter) + 1e-9, "{longer} {shorter}");

    let pairs: Vec<Value> = folder.read("r/helpful/pairs.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(pairs.len() as f64, number("/data/kept"));
    let n_right = pairs.iter().filter(|pair| has_sign(&pair["chosen"]) && !has_sign(&pair["rejected"])).count();
    assert!(n_right as f64 > 0.8 * pairs.len() as f64, "{n_right} of {}", pairs.len());
    assert!(pairs.iter().all(|pair| pair["margin"].as_f64().unwrap() > 1.0 && pair["from"] == json!(["base", "base"])));
    let held_out: Vec<&Value> = pairs.iter().filter(|pair| pair["is_held_out"] == true).collect();
    let is_new = |pair: &&Value| pairs.iter().all(|other| other["prompt"] != pair["prompt"] || other["is_held_out"] == true);
    assert!(held_out.iter().all(is_new), "a held-out prompt is never learned from");

    let checkpoint = Checkpoint::open(&folder.path().join("r/helpful/checkpoint")).unwrap();
    let info = checkpoint.reward_head.unwrap().info.unwrap();
    assert_eq!((info.reads, info.template.as_str(), info.std), (Reads::Everything, "tiny", number("/std")));
    let lines = metrics(&folder, "r/helpful/metrics.jsonl");
    for key in
        ["rm/loss", "rm/accuracy", "rm/score_difference", "rm/learning_rate", "rm/grad_norm", "rm/epoch", "rm/tokens", "seconds/train"]
    {
        assert!(lines.iter().all(|line| line[key].is_number()), "{key}");
    }
    let on_held_out: Vec<f64> = lines.iter().filter_map(|line| line.get("rm/held_out_loss")?.as_f64()).collect();
    // ln 2 is 0.69: the loss of knowing nothing. The second pass learns some pairs by heart.
    assert!(on_held_out.len() == 2 && on_held_out[0] < 0.65, "{on_held_out:?}");
    let stage = &folder.json("r/summary.json")["stages"][1];
    assert_eq!(stage["reward_accuracy"]["mean"], report["held_out"]["accuracy"]["mean"]);
    assert_eq!((&stage["policy"], &stage["steps"]), (&Value::Null, &lines.len().into()));
}

#[test]
fn prompts_that_only_models_grade_come_in_the_last_part() {
    let folder = folder();
    let grpo = GRPO.replace("prompts = [", "prompts = [{ source = \"arithmetic\" }, ").replace("format = 1.0, ", "accuracy = 1.0, ");
    folder.write("r.toml", &format!("{RECIPE}{grpo}"));
    let set = ["helpful.n_prompts=40", "r1.steps=4", "r1.preference_from=0.5", "r1.dynamic_sampling=false"];
    let args: Vec<&str> = ["run", "r.toml", "--out", "r"].into_iter().chain(set.iter().flat_map(|set| ["--set", set])).collect();
    folder.ruminate(&args).well();
    for (step, n_general) in [(0, 0), (1, 0), (2, 2), (3, 2)] {
        let groups = folder.read(&format!("r/r1/rollouts/step-{step:05}.jsonl"));
        let kinds: Vec<Value> =
            groups.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["problem"]["kind"].clone()).collect();
        assert_eq!((kinds.len(), kinds.iter().filter(|&kind| kind == "chat").count()), (4, n_general), "step {step}: {kinds:?}");
    }
    folder
        .ruminate(&[
            "run",
            "r.toml",
            "--out",
            "n",
            "--set",
            "helpful.n_prompts=40",
            "--set",
            "r1.preference_from=0.5",
            "--set",
            "r1.prompts=[{ data = \"p.jsonl\", split = \"all\" }]",
        ])
        .failed(1, "before preference_from, those that only reward models grade are left out");
}

#[test]
fn rollouts_are_scored_and_the_policy_learns_to_please_the_model() {
    let folder = folder();
    // One kind of request has a reward model, the other has not.
    folder.write("p.jsonl", &format!("{}{}", requests(&signs()), request(999, "other", "1 = ?", &signs())));
    folder.write("r.toml", &format!("{RECIPE}{GRPO}"));
    folder.ruminate(&["run", "r.toml", "--out", "r"]).well();
    let lines = metrics(&folder, "r/r1/metrics.jsonl");
    let helpful: Vec<f64> = lines.iter().map(|line| line["reward/helpful"].as_f64().unwrap()).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (first, last) = (mean(&helpful[..5]), mean(&helpful[helpful.len() - 5..]));
    println!("helpful {first:.3} -> {last:.3}");
    assert!(last > first + 0.1, "{helpful:?}");
    for (step, line) in lines.iter().enumerate() {
        let groups: Vec<RolloutGroup> =
            folder.read(&format!("r/r1/rollouts/step-{step:05}.jsonl")).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut scores = Vec::new();
        for (group, rollout) in groups.iter().flat_map(|group| group.rollouts.iter().map(move |rollout| (group, rollout))) {
            let verdict = rollout.verdicts.get("helpful");
            assert_eq!(verdict.is_some(), group.problem.kind == "chat");
            if let Some(verdict) = verdict {
                assert_eq!(rollout.reward, verdict.reward);
                let is_said = verdict.reason.contains("standard deviations") && verdict.reason.contains("read reasoning and summary");
                assert!(is_said || verdict.outcome == Outcome::Unparsed, "{}", verdict.reason);
                scores.push(f64::from(verdict.reward));
            }
        }
        assert!((mean(&scores) - line["reward/helpful"].as_f64().unwrap()).abs() < 1e-6);
    }
    let plan = folder.ruminate(&["plan", "r.toml", "--json"]).well();
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    assert!(
        plan["stages"][1]["peak_bytes"]["rollout"].as_u64() > Some(0) && plan["stages"][1]["steps"] == 2 * (300_u64 * 6).div_ceil(16),
        "{plan}"
    );
    // On a GPU a weight that is trained takes 6 bytes, any other 2: of the policy that responds, of the reference, of the reward model.
    let plan = folder.ruminate(&["plan", "r.toml", "--json", "--memory", "80GiB"]).well();
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let n = plan["stages"][0]["n_parameters"].as_u64().unwrap();
    let weights = |stage: usize, phase: &str| plan["stages"][stage]["memory"][phase]["weights"].as_u64().unwrap() / n;
    assert_eq!([weights(1, "rollout"), weights(1, "train"), weights(2, "train")], [6 + 2, 6, 6 + 2 + 2], "{plan}");
}

#[test]
fn a_killed_stage_goes_on_and_ends_with_the_same_bytes() {
    let folder = folder();
    folder.ruminate(&["run", "r.toml", "--out", "whole"]).well();
    for (name, n_lines) in [
        ("killed/helpful/samples/base-00001.jsonl", 1),
        ("killed/helpful/judged/00003.jsonl", 1),
        ("killed/helpful/metrics.jsonl", 3),
        ("killed/helpful/metrics.jsonl", 9),
    ] {
        let mut child = folder.spawn(&["run", "r.toml", "--out", "killed"]);
        folder.wait_for_lines(name, n_lines, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    folder.ruminate(&["run", "r.toml", "--out", "killed"]).well();
    for name in ["pairs.jsonl", "data.json", "reward_model.json", "checkpoint/model.safetensors", "checkpoint/config.json"] {
        let bytes = |run: &str| std::fs::read(folder.path().join(run).join("helpful").join(name)).unwrap();
        assert!(bytes("whole") == bytes("killed"), "{name} differs");
    }
}

/// A recipe of a safety model on a few requests, half of them harmful.
fn safety(folder: &Folder, judge: &str) {
    let mut harmful = signs();
    harmful["is_harmful"] = true.into();
    let of = |id: usize| if id.is_multiple_of(2) { ("harmful", &harmful) } else { ("chat", &Value::Null) };
    folder.write("p.jsonl", &(0..40).map(|id| request(id, of(id).0, &format!("{id} = ?"), of(id).1)).collect::<String>());
    let recipe = RECIPE
        .replace("\"pairwise\"", "\"pointwise\"")
        .replace("pairs_per_prompt = 6\n", "")
        .replace("n_prompts = 300", "n_prompts = 40")
        .replace("judge = \"rules\"", judge);
    folder.write("r.toml", &recipe);
}

#[test]
fn a_safety_model_learns_from_labels() {
    let folder = Folder::new();
    safety(&folder, "judge = \"rules\"");
    folder.ruminate(&["run", "r.toml", "--out", "r"]).well();
    let labels: Vec<Value> = folder.read("r/helpful/labels.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(labels.len(), 40 * 6);
    for line in &labels {
        let is_harmful = line["id"].as_str().unwrap().split('/').nth(1).unwrap().parse::<usize>().unwrap().is_multiple_of(2);
        assert_eq!(line["label"], !is_harmful || has_sign(&line["response"]), "{line}");
    }
    let report = folder.json("r/helpful/reward_model.json");
    assert_eq!((&report["loss"], &report["n_train"]), (&"pointwise".into(), &(32 * 6).into()));
    assert!(report["train_accuracy"].as_f64().unwrap() > 0.75, "{report}");
}

#[test]
fn a_judge_that_goes_away_pauses_the_stage_and_is_not_asked_twice() {
    let folder = Folder::new();
    let (n_asked, n_allowed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(100)));
    let (asked, allowed) = (Arc::clone(&n_asked), Arc::clone(&n_allowed));
    let url = serve(move |body| {
        let n = asked.fetch_add(1, Ordering::SeqCst);
        let word = if body.contains("骑士") { "unsafe" } else { "safe" };
        (n < allowed.load(Ordering::SeqCst)).then(|| format!("{{\"reason\": \"so\", \"verdict\": \"{word}\"}}"))
    });
    safety(&folder, "judge = \"endpoint\"\nrounds = 1");
    let recipe = folder.read("r.toml");
    folder.ruminate(&["run", "r.toml", "--out", "other"]).failed(1, "stage 'helpful' asks a judge: expected a [judge] table");
    folder.write("r.toml", &format!("{recipe}[judge]\nurl = \"{url}\"\nmodel = \"m\"\ntries = 1\nconcurrency = 1\n"));
    let said = folder.ruminate(&["run", "r.toml", "--out", "r"]);
    said.failed(1, "no verdict from the judge");
    assert!(said.err.contains("paused with 100 of 240 judged and kept"), "{}", said.err);
    n_allowed.store(usize::MAX, Ordering::SeqCst);
    let n_before = n_asked.load(Ordering::SeqCst);
    folder.ruminate(&["run", "r.toml", "--out", "r"]).well();
    assert_eq!(n_asked.load(Ordering::SeqCst) - n_before, 140, "what was judged is not asked again");
}

#[test]
fn data_without_anything_to_learn_is_an_error_that_says_why() {
    let folder = Folder::new();
    let recipe = |loss: &str| {
        format!(
            "name = \"r\"\n[[stage]]\nid = \"base\"\nkind = \"load\"\npath = \"model\"\n[[stage]]\nid = \"rm\"\nkind = \"reward_model\"\n\
             policy = \"base\"\nreads = \"summary\"\nloss = \"{loss}\"\ndata = \"d.jsonl\"\nlearning_rate = 1e-3\n"
        )
    };
    let longer: String = (0..8).map(|i| format!("{{\"prompt\": \"{i} = ?\", \"chosen\": \"1 + 1 = 2\", \"rejected\": \"3\"}}\n")).collect();
    folder.write("d.jsonl", &longer);
    folder.write("r.toml", &recipe("pairwise"));
    let said = folder.ruminate(&["run", "r.toml", "--out", "a"]);
    said.failed(1, "expected pairs to learn from, none is left of 8");
    assert!(said.err.contains("8 dropped because the longer response always wins"), "{}", said.err);
    // The same pairs are enough where length may be followed.
    folder.ruminate(&["run", "r.toml", "--out", "b", "--set", "rm.balance_lengths=false"]).well();

    let safe: String = (0..8).map(|i| format!("{{\"prompt\": \"{i} = ?\", \"response\": \"{i}\", \"label\": \"safe\"}}\n")).collect();
    folder.write("d.jsonl", &safe);
    folder.write("r.toml", &recipe("pointwise"));
    folder.ruminate(&["run", "r.toml", "--out", "c"]).failed(1, "a model cannot learn from one label");
    folder.write("d.jsonl", &format!("{safe}{{\"prompt\": \"1\"}}\n"));
    folder.ruminate(&["run", "r.toml", "--out", "d"]).failed(1, "d.jsonl:9: expected a key 'response', found none");
}

#[test]
fn mistakes_in_a_recipe_are_usage_errors() {
    let folder = folder();
    let whole = format!("{RECIPE}{GRPO}");
    for (from, to, message) in [
        ("loss = \"pairwise\"", "loss = \"pointwise\"", "expected no such key beside loss = \"pointwise\""),
        ("judge = \"rules\"", "judge = \"rules\"\ndata = \"x\"", "expected no such key beside 'data'"),
        ("judge = \"rules\"", "", "judge"),
        ("reads = \"everything\"", "reads = \"all\"", "summary"),
        ("samples = 6", "samples = 1", "at least two responses to a prompt"),
        ("held_out = 0.2", "held_out = 1.0", "expected a number in [0, 1), found 1"),
        ("samples = 6", "samples = 6\nresponses_from = [\"base\", \"base\"]", "none twice"),
        ("samples = 6", "samples = 6\nresponses_from = [\"bas\"]", "did you mean 'base'"),
        ("helpful = \"helpful\"", "helpful = \"base2\"", "base2"),
        (
            "policy = \"base\"\npreset",
            "policy = \"helpful\"\npreset",
            "expected a stage that makes a policy, found one of kind reward_model",
        ),
        ("reward_models = { helpful = \"helpful\" }", "", "expected reward_models.helpful beside a weight of helpful"),
        ("kinds = { chat = { helpful = 1.0 } }", "accuracy = 1.0", "expected a weight of helpful in rewards beside its model"),
        ("helpful = \"helpful\" }", "helpfull = \"helpful\" }", "unknown key 'helpfull'; did you mean 'helpful'?"),
    ] {
        assert!(whole.contains(from), "{from}");
        folder.write("r.toml", &whole.replacen(from, to, 1));
        folder.ruminate(&["run", "r.toml", "--dry-run"]).failed(2, message);
    }
    // A loaded model that is no reward model is found when it is opened.
    folder.write("r.toml", &whole.replacen("helpful = \"helpful\"", "helpful = \"base\"", 1));
    folder.ruminate(&["run", "r.toml", "--out", "x"]).failed(1, "expected a reward model (ForSequenceClassification)");
}

#[test]
fn the_tiny_base_becomes_a_model_that_tells_answers_from_chatter() {
    let folder = Folder::new();
    let mut lines = String::new();
    for i in 0..260_u32 {
        let (a, b) = (i % 17 + 1, i % 13 + 2);
        // An answer of the kind that was asked for, against one to another question.
        let sum = format!("<think>{a}+{b}={}</think><answer>{}</answer>", a + b, a + b);
        let knights = ["A is a knight, B is a knave", "B is a knight, A is a knave"][i as usize % 2];
        let (prompt, chosen, rejected) = if i % 4 < 2 {
            (format!("compute {a}+{b}"), sum, format!("<think>{a}+{b}</think><answer>{knights}</answer>"))
        } else {
            ("A: B is a knave. who is who?".to_owned(), format!("<think>{i}</think><answer>{knights}</answer>"), sum)
        };
        lines.push_str(&format!("{}\n", json!({ "prompt": prompt, "chosen": chosen, "rejected": rejected })));
    }
    folder.write("d.jsonl", &lines);
    folder.write(
        "r.toml",
        "name = \"r\"\nseed = 2\n[[stage]]\nid = \"base\"\nkind = \"load\"\npath = \"builtin:tiny\"\n[[stage]]\nid = \"rm\"\nkind = \
         \"reward_model\"\npolicy = \"base\"\nreads = \"summary\"\nloss = \"pairwise\"\ndata = \"d.jsonl\"\nlearning_rate = 1e-3\nheld_out = \
         0.2\nbatch_pairs = 16\n",
    );
    folder.ruminate(&["run", "r.toml", "--out", "r"]).well();
    let report = folder.json("r/rm/reward_model.json");
    println!("{report:#}");
    assert!(report["held_out"]["accuracy"]["mean"].as_f64().unwrap() > 0.8, "{report}");
}
