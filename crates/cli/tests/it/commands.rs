//! The other commands.

use crate::util::Folder;

const PROBLEMS: &str = r#####"{"question": "Tom has 3 apples and 4 pears", "answer": "3 + 4 = 7\n#### 7"}
{"question": "2 + 2 = ?", "answer": "#### 4"}
"#####;

#[test]
fn eval_reports_pass_at_1_with_an_interval() {
    let folder = Folder::new();
    // Only characters of the built-in world: its tokenizer has no others.
    folder.write("p.jsonl", &PROBLEMS.replace("Tom has 3 apples and 4 pears", "3 + 4 = ?"));
    let args = ["eval", "model", "--data", "p.jsonl", "--samples", "3", "--max-new-tokens", "8", "--json"];
    let report: serde_json::Value = serde_json::from_str(&folder.ruminate(&args).well().out).unwrap();
    assert_eq!((&report["pass_at_1"]["n_problems"], &report["pass_at_1"]["k"]), (&2.into(), &3.into()));
    assert_eq!((&report["template"], &report["model"]), (&"tiny".into(), &"model".into()));
    assert!(report["response_length"].as_f64().unwrap() <= 8.0);
    let again: serde_json::Value = serde_json::from_str(&folder.ruminate(&args).well().out).unwrap();
    assert_eq!(report["response_length"], again["response_length"]);

    let text = folder.ruminate(&["eval", "model", "--data", "p.jsonl", "--limit", "1", "--max-new-tokens", "4"]).well();
    assert!(text.out.contains("1 problems, 1 samples each"), "{}", text.out);
}

#[test]
fn eval_of_a_chat_model_has_a_system_message_or_none() {
    let folder = Folder::new();
    folder.write("p.jsonl", &PROBLEMS.replace("Tom has 3 apples and 4 pears", "3 + 4 = ?"));
    folder.write("model/chat_template.jinja", "{% for message in messages %}{{ message.content }}{% endfor %}");
    let eval =
        |system: &[&str]| folder.ruminate(&[&["eval", "model", "--data", "p.jsonl", "--max-new-tokens", "4", "--json"], system].concat());
    for (system, expected) in [("2 + 3 = 5. ", serde_json::json!("2 + 3 = 5. ")), ("", serde_json::Value::Null)] {
        let report: serde_json::Value = serde_json::from_str(&eval(&["--system", system]).well().out).unwrap();
        assert_eq!((&report["template"], &report["system"]), (&"chat".into(), &expected));
    }
    // Both are part of the prompt: the tokenizer of the built-in world does not have all of these letters.
    eval(&["--system", "Qué?"]).failed(1, "prompt of problem p/1");
    eval(&[]).failed(1, "prompt of problem p/1");
}

#[test]
fn eval_names_what_is_wrong() {
    let folder = Folder::new();
    folder.write("p.jsonl", PROBLEMS);
    folder.ruminate(&["eval", "model", "--data", "p.jsonl"]).failed(1, "prompt of problem p/1");
    folder.ruminate(&["eval", "model", "--data", "no.jsonl"]).failed(1, "cannot read no.jsonl");
    folder.ruminate(&["eval", "gone", "--data", "p.jsonl"]).failed(1, "error: gone: cannot open: No such file or directory (os error 2)\n");
    folder.ruminate(&["eval", "model", "--data", "p.jsonl", "--form", "gsm"]).failed(1, "form: expected one of ruminate, gsm8k");
    folder.ruminate(&["eval", "model", "--data", "p.jsonl", "--template", "chat"]).failed(1, "the checkpoint has no chat template");
    folder.ruminate(&["eval", "model", "--data", "p.jsonl", "--system", "x"]).failed(1, "--system: expected a model with a chat template");
    folder.ruminate(&["eval", "model", "--data", "p.jsonl", "--top-p", "0"]).failed(1, "top_p: expected above 0, at most 1, found 0");
    folder.write("bad.jsonl", "{\"question\": \"1 + 1 = ?\", \"answer\": \"two, or ####\"}\n");
    folder.ruminate(&["eval", "model", "--data", "bad.jsonl"]).failed(1, "bad.jsonl:1: ");
    std::fs::write(folder.path().join("model/model.safetensors"), b"torn").unwrap();
    folder.ruminate(&["eval", "model", "--data", "p.jsonl"]).failed(1, "model.safetensors");
}

#[test]
fn chat_answers_every_line_of_a_pipe() {
    let folder = Folder::new();
    let args = ["chat", "model", "--max-new-tokens", "6", "--temperature", "1"];
    let first = folder.ruminate_with(&args, "1 + 1 = ?\n\n2 + 2 = ?\n").well();
    assert!(first.out.lines().count() >= 2, "{:?}", first.out);
    assert!(!first.out.contains("<eos>"));
    assert_eq!(first.out, folder.ruminate_with(&args, "1 + 1 = ?\n2 + 2 = ?\n").well().out);
    folder.ruminate_with(&["chat", "model", "--system", "x"], "").failed(1, "--system: expected a model with a chat template");
}

#[test]
fn plan_tells_sizes_without_weights() {
    let folder = Folder::new();
    folder.write(
        "t.toml",
        r#"
name = "t"
[[stage]]
id = "made"
kind = "pretrain"
shape = "tiny"
tokens = 10_000
batch_tokens = 4096
learning_rate = 1e-3
[[stage]]
id = "zero"
kind = "grpo"
policy = "made"
preset = "r1-zero"
template = "tiny"
prompts = ["arithmetic"]
steps = 7
prompts_per_step = 2
group_size = 3
max_new_tokens = 50
"#,
    );
    let plan = folder.ruminate(&["plan", "t.toml", "--json"]).well();
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let (made, zero) = (&plan["stages"][0], &plan["stages"][1]);
    assert_eq!((&made["steps"], &made["tokens_per_step"], &zero["steps"]), (&3.into(), &4096.into(), &7.into()));
    let n = made["n_parameters"].as_u64().unwrap();
    assert!(n > 800_000 && made["n_parameters"] == zero["n_parameters"], "{n}");
    // Weights, gradients and two moments in f32 at least.
    assert!(made["peak_bytes"]["train"].as_u64().unwrap() > 16 * n);
    assert!(zero["peak_bytes"]["rollout"].as_u64().unwrap() > 20 * n);
    let text = folder.ruminate(&["plan", "t.toml"]).well().out;
    assert!(text.contains("made") && text.contains("MiB"), "{text}");
    for part in ["weights", "gradients", "moments", "activations", "logits", "cache"] {
        assert!(zero["memory"]["train"][part].as_u64().unwrap() > 0 && text.contains(part), "{part}: {text}");
    }
    let sum: u64 = zero["memory"]["train"].as_object().unwrap().values().map(|bytes| bytes.as_u64().unwrap()).sum();
    assert_eq!(zero["peak_bytes"]["train"], sum);

    // A GPU need not be there: 2 bytes for a weight and 4 for its master, where the CPU has 4.
    folder.write("e.toml", &format!("{}[evaluation]\nn_problems = 4\n", folder.read("t.toml")));
    let elsewhere = ["plan", "e.toml", "--json", "--memory", "80GiB"];
    let plan: serde_json::Value = serde_json::from_str(&folder.ruminate(&elsewhere).well().out).unwrap();
    let weights = |plan: &serde_json::Value, stage: usize, phase: &str| plan["stages"][stage]["memory"][phase]["weights"].clone();
    assert_eq!((&plan["device"], weights(&plan, 0, "train")), (&"cuda".into(), (6 * n).into()));
    // The reference, and a policy that is only evaluated, have no master.
    for phase in ["rollout", "train"] {
        assert_eq!(weights(&plan, 1, phase), 8 * n, "{phase}: {plan}");
    }
    assert_eq!((weights(&plan, 0, "evaluate"), weights(&plan, 1, "evaluate")), ((2 * n).into(), (2 * n).into()), "{plan}");
    // On the way an evaluation finds everything that trains the policy, and takes the place of the engine that samples for it.
    let on_the_way = [&elsewhere[..], &["--set", "zero.evaluate_every=3"]].concat();
    let plan: serde_json::Value = serde_json::from_str(&folder.ruminate(&on_the_way).well().out).unwrap();
    let held = &plan["stages"][1]["memory"];
    for part in ["weights", "gradients", "moments"] {
        assert_eq!(held["evaluate"][part], held["train"][part], "{part}: {plan}");
    }
    let small = folder.ruminate(&["plan", "t.toml", "--memory", "650MiB"]);
    small.failed(1, "stage 'made': train needs ");
    folder.ruminate(&["plan", "t.toml", "--memory", "1GiB", "--device", "cpu"]).failed(1, "--memory: is that of a GPU");
}

#[test]
fn bench_measures_both_directions() {
    let folder = Folder::new();
    let args = ["bench", "--json", "--seconds", "0", "--sequences", "2", "--sequence-tokens", "8", "--batch", "2", "--new-tokens", "4"];
    let report: serde_json::Value = serde_json::from_str(&folder.ruminate(&args).well().out).unwrap();
    let less = [&args[..], &["--microbatch-tokens", "8", "--recompute-layers", "9", "--deterministic"]].concat();
    let less: serde_json::Value = serde_json::from_str(&folder.ruminate(&less).well().out).unwrap();
    assert!(less["planned_bytes"].as_u64() < report["planned_bytes"].as_u64() && less["train"]["sequences"] == 2, "{less}");
    assert_eq!((&report["shape"], &report["n_parameters"]), (&"tiny".into(), &902_656.into()));
    assert!(report["train"]["best_tokens_per_second"].as_f64().unwrap() > 0.0);
    assert!(report["decode"]["best_tokens_per_second"].as_f64().unwrap() > 0.0);
    for (part, share) in [("train", "product_share"), ("decode", "product_share"), ("decode", "memory_share")] {
        let found = report[part][share].as_f64().unwrap();
        assert!(found > 0.0 && found < 1.5, "{part} {share}: {report}");
    }
    assert!(report["ceilings"]["product_flops"].as_f64().unwrap() > 1e8, "{report}");
    folder.ruminate(&["bench", "--shape", "huge"]).failed(1, "--shape: expected one of mini, small, tiny, smollm2-135m");
}

#[test]
fn completions_know_the_commands() {
    let folder = Folder::new();
    let said = folder.ruminate(&["completions", "bash"]).well();
    assert!(said.out.contains("ruminate") && said.out.contains("bench"), "{}", said.out);
}
