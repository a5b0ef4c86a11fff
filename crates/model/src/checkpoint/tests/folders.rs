//! Hugging Face folders, written and read.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use ::safetensors::SafeTensors;
use serde_json::{Value, json};

use super::super::save::write_file;
use super::build::{numbers, tiny_config};
use crate::{
    Architecture, ChatTemplate, Checkpoint, ModelConfig, ModelError, SaveDtype, TensorSpec, Tokenizer, save_checkpoint, tiny_tokenizer,
};

fn tokenizer() -> Tokenizer {
    let pieces: Vec<String> = ["0", "1", "2", "+", "=", " ", "\n"].map(str::to_owned).into();
    tiny_tokenizer(&pieces).unwrap()
}

fn index(config: &ModelConfig, spec: &TensorSpec) -> usize {
    config.tensors().iter().position(|other| other == spec).unwrap()
}

fn save(dir: &Path, config: &ModelConfig, dtype: SaveDtype, scale: f32) -> Result<(), ModelError> {
    let template = ChatTemplate::new("{{ messages[0].content }}{{ eos_token }}", None, None).unwrap();
    save_checkpoint(dir, config, &tokenizer(), Some(&template), dtype, &mut |spec| {
        Ok(Cow::Owned(numbers(index(config, spec), spec.n_elements()).iter().map(|x| scale * x).collect()))
    })
}

fn check_numbers(checkpoint: &Checkpoint, scale: f32) {
    for (i, spec) in checkpoint.config.tensors().iter().enumerate() {
        let mut out = vec![f32::NAN; spec.n_elements()];
        checkpoint.read_tensor(spec, &mut out).unwrap();
        let expected: Vec<f32> = numbers(i, out.len()).iter().map(|x| scale * x).collect();
        assert_eq!(out, expected, "{}", spec.name);
    }
}

#[test]
fn what_is_saved_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    for architecture in [Architecture::Llama, Architecture::Mistral, Architecture::Qwen2, Architecture::Qwen3] {
        for (dtype, tied) in [(SaveDtype::F32, false), (SaveDtype::Bf16, true)] {
            let dir = folder.path().join("deep").join(architecture.model_type());
            let config = ModelConfig { tied, ..tiny_config(architecture) };
            save(&dir, &config, dtype, 1.0).unwrap();
            let checkpoint = Checkpoint::open(&dir).unwrap();
            assert_eq!(checkpoint.config, config);
            check_numbers(&checkpoint, 1.0);
            assert_eq!(checkpoint.tokenizer.encode("1 + 2", false).unwrap(), [1, 5, 3, 5, 2]);
            assert_eq!((checkpoint.tokenizer.bos_token(), checkpoint.tokenizer.eos_id()), (None, Some(7)));
            let hi = ruminate_core::Message { role: ruminate_core::Role::User, content: "hi".into() };
            assert_eq!(checkpoint.chat_template.unwrap().render(&[hi], true).unwrap(), "hi<eos>");
        }
    }
}

#[test]
fn bf16_rounds_to_nearest_even() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    let config = tiny_config(Architecture::Llama);
    save_checkpoint(&dir, &config, &tokenizer(), None, SaveDtype::Bf16, &mut |spec| {
        // 1 + 2^-8 lies between 1 and 1 + 2^-7; 1 + 3 * 2^-8 between 1 + 2^-7 and 1 + 2^-6.
        Ok((0..spec.n_elements()).map(|i| if i % 2 == 0 { 1.0 + 1.0 / 256.0 } else { 1.0 + 3.0 / 256.0 }).collect())
    })
    .unwrap();
    let checkpoint = Checkpoint::open(&dir).unwrap();
    let spec = &checkpoint.config.tensors()[0];
    let mut out = vec![0.0; spec.n_elements()];
    checkpoint.read_tensor(spec, &mut out).unwrap();
    assert_eq!(out[..2], [1.0, 1.015_625]);
}

#[test]
fn the_safetensors_crate_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    let config = tiny_config(Architecture::Qwen2);
    save(&dir, &config, SaveDtype::F32, 1.0).unwrap();
    let file = fs::read(dir.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    assert_eq!(tensors.len(), config.tensors().len());
    for (i, spec) in config.tensors().iter().enumerate() {
        let view = tensors.tensor(&spec.name).unwrap();
        let bytes: Vec<u8> = numbers(i, spec.n_elements()).iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!((view.shape(), view.data()), (spec.shape.as_slice(), bytes.as_slice()));
    }
}

#[test]
fn a_failed_save_leaves_the_old_state() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    let config = tiny_config(Architecture::Llama);
    save(&dir, &config, SaveDtype::F32, 1.0).unwrap();
    let short = save_checkpoint(&dir, &config, &tokenizer(), None, SaveDtype::F32, &mut |spec| match spec.name.as_str() {
        "model.norm.weight" => Ok(Cow::Owned(vec![0.0; 3])),
        _ => Ok(Cow::Owned(vec![0.0; spec.n_elements()])),
    });
    let message = short.unwrap_err().to_string();
    assert!(message.ends_with("tensor model.norm.weight: expected a buffer of 8 elements, found 3"), "{message}");
    check_numbers(&Checkpoint::open(&dir).unwrap(), 1.0);

    // What a killed process left behind is no obstacle, and a good save replaces the folder.
    fs::create_dir(folder.path().join(".model.partial")).unwrap();
    fs::write(folder.path().join(".model.partial/config.json"), "{").unwrap();
    save(&dir, &config, SaveDtype::F32, 2.0).unwrap();
    check_numbers(&Checkpoint::open(&dir).unwrap(), 2.0);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["model"]);
}

#[test]
fn a_folder_with_other_files_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();
    let error = save(folder.path(), &tiny_config(Architecture::Llama), SaveDtype::F32, 1.0).unwrap_err().to_string();
    assert!(error.ends_with("folder to replace: expected nothing but the files of a checkpoint, found thesis.tex"), "{error}");
    assert_eq!(fs::read_to_string(folder.path().join("thesis.tex")).unwrap(), "years of work");
}

#[test]
fn a_full_disk_is_an_error() {
    let error = write_file(Path::new("/dev/full"), |file| Ok(file.write_all(b"weights")?)).unwrap_err().to_string();
    assert!(error.starts_with("/dev/full: cannot write: No space left on device"), "{error}");
}

/// Rewrites one JSON file of a saved folder and opens it.
fn open_changed(name: &str, change: impl FnOnce(&mut Value)) -> Result<Checkpoint, ModelError> {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    save(&dir, &tiny_config(Architecture::Llama), SaveDtype::F32, 1.0).unwrap();
    let path = dir.join(name);
    let mut json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    fs::write(&path, json.to_string()).unwrap();
    Checkpoint::open(&dir)
}

#[test]
fn faults_name_their_file() {
    let check = |name: &str, change: &dyn Fn(&mut Value), expected: &str| {
        let error = open_changed(name, change).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    };
    check("config.json", &|json| json["hidden_size"] = "8".into(), r#"model/config.json: hidden_size: expected a whole number, found "8""#);
    check(
        "config.json",
        &|json| json["intermediate_size"] = 13.into(),
        "model/model.safetensors: tensor model.layers.0.mlp.gate_proj.weight: expected shape [13, 8], found [12, 8]",
    );
    check(
        "config.json",
        &|json| json["num_hidden_layers"] = 2.into(),
        "model: tensor model.layers.1.input_layernorm.weight is missing: expected shape [8], found no tensor of that name",
    );
    check(
        "config.json",
        &|json| {
            json["vocab_size"] = 5.into();
            json["eos_token_id"] = Value::Null;
        },
        r#"model: tokenizer and model do not fit: expected token ids below 5, found "<eos>" with id 7"#,
    );
    check(
        "tokenizer_config.json",
        &|json| json["eos_token"] = "</s>".into(),
        r#"eos_token: expected a token of tokenizer.json, found "</s>""#,
    );
    check(
        "generation_config.json",
        &|json| json["eos_token_id"] = 9.into(),
        "generation_config.json: bos_token_id or eos_token_id: expected an id below 8, found 9",
    );
}

#[test]
fn ends_come_from_generation_settings_and_tokenizer() {
    let eos = |ids: Value| open_changed("generation_config.json", |json| json["eos_token_id"] = ids).unwrap().config.eos;
    assert_eq!(eos(json!([3, 4])), [3, 4, 7]);
    assert_eq!(eos(Value::Null), [7]);
}

#[test]
fn templates_are_found_in_all_their_places() {
    let template = |json: Value| open_changed("tokenizer_config.json", |settings| settings["chat_template"] = json).unwrap().chat_template;
    assert_eq!(template(json!([{ "name": "tool_use", "template": "t" }, { "name": "default", "template": "d" }])).unwrap().source(), "d");
    assert!(template(Value::Null).is_none());
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    save(&dir, &tiny_config(Architecture::Llama), SaveDtype::F32, 1.0).unwrap();
    fs::write(dir.join("chat_template.jinja"), "file").unwrap();
    assert_eq!(Checkpoint::open(&dir).unwrap().chat_template.unwrap().source(), "file");
}

#[test]
fn sharded_folders_open_through_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    let config = tiny_config(Architecture::Qwen3);
    save(&dir, &config, SaveDtype::F32, 1.0).unwrap();
    let file = fs::read(dir.join("model.safetensors")).unwrap();
    let all = SafeTensors::deserialize(&file).unwrap();
    let mut names = all.names();
    names.sort_unstable();
    let mut weight_map = serde_json::Map::new();
    for (shard_idx, shard) in names.chunks(5).enumerate() {
        let name = format!("model-{shard_idx}.safetensors");
        let views = shard.iter().map(|name| (name.to_string(), all.tensor(name).unwrap()));
        fs::write(dir.join(&name), ::safetensors::serialize(views, None).unwrap()).unwrap();
        weight_map.extend(shard.iter().map(|tensor| (tensor.to_string(), json!(name))));
    }
    fs::remove_file(dir.join("model.safetensors")).unwrap();
    let write_index = |map: &serde_json::Map<String, Value>| {
        fs::write(dir.join("model.safetensors.index.json"), json!({ "weight_map": map }).to_string()).unwrap();
    };
    write_index(&weight_map);
    check_numbers(&Checkpoint::open(&dir).unwrap(), 1.0);

    weight_map.insert("model.norm.weight".into(), json!("../../secret"));
    write_index(&weight_map);
    let error = Checkpoint::open(&dir).unwrap_err().to_string();
    assert!(error.ends_with(r#"weight_map.model.norm.weight: expected a file name, found "../../secret""#), "{error}");
}
