//! Against a hub of our own on this machine: it redirects large files to another server, and breaks off when it is told to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the servers do and have seen.
#[derive(Default)]
struct State {
    files: BTreeMap<&'static str, Vec<u8>>,
    /// Status and error code of every answer about the repository.
    refusal: Option<(u16, &'static str)>,
    /// Bytes after which answers of the second server break off, the next one last.
    breaks: Vec<usize>,
    /// Whether the second server knows ranges.
    no_ranges: bool,
    /// Bytes of a file are others than those that were promised.
    is_damaged: bool,
    /// Path, range and authorization of each request.
    seen: Vec<(String, Option<String>, Option<String>)>,
}

struct FakeHub {
    hub: Hub,
    state: Arc<Mutex<State>>,
    _home: tempfile::TempDir,
}

impl FakeHub {
    fn new(files: &[(&'static str, &[u8])]) -> Self {
        let state =
            Arc::new(Mutex::new(State { files: files.iter().map(|&(name, bytes)| (name, bytes.to_vec())).collect(), ..State::default() }));
        // By another name, so that it is another host.
        let contents = serve(state.clone(), None).replace("127.0.0.1", "localhost");
        let endpoint = format!("http://{}", serve(state.clone(), Some(contents)));
        let home = tempfile::tempdir().unwrap();
        let hub = Hub { endpoint, token: Some("secret".into()), is_offline: false, cache: home.path().join("hub") };
        Self { hub, state, _home: home }
    }

    fn fetch(&self, name: &str) -> Result<PathBuf> {
        self.hub.fetch(&HubName::parse(name).unwrap().unwrap(), &Ui::quiet())
    }

    #[track_caller]
    fn refuses(&self, name: &str, expected: &str) {
        let error = format!("{:#}", self.fetch(name).unwrap_err());
        assert!(error.contains(expected), "expected '{expected}' in: {error}");
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn n_seen(&self) -> usize {
        self.state.lock().unwrap().seen.len()
    }
}

/// A server on a port of its own. With an address for contents it is the hub, which redirects there; without, it is that place.
fn serve(state: Arc<Mutex<State>>, contents: Option<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that goes away in the middle is none of the server's business.
            drop(answer(stream.unwrap(), &state, contents.as_deref()));
        }
    });
    address
}

fn answer(mut stream: TcpStream, state: &Mutex<State>, contents: Option<&str>) -> std::io::Result<()> {
    let mut head = Vec::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let header = |name: &str| head.iter().find_map(|line| line.to_lowercase().strip_prefix(&format!("{name}: ")).map(str::to_owned));
    let path = head[0].split(' ').nth(1).unwrap().to_owned();
    let mut state = state.lock().unwrap();
    state.seen.push((path.clone(), header("range"), header("authorization")));
    let reply = |status: &str, headers: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let bytes = if let Some((status, code)) = state.refusal {
        reply(&format!("{status} No"), &format!("X-Error-Code: {code}\r\n"), b"")
    } else if path.starts_with("/api/") {
        reply("200 OK", "Content-Type: application/json\r\n", listing(&state.files).to_string().as_bytes())
    } else if let Some(contents) = contents {
        reply("302 Found", &format!("Location: http://{contents}{path}\r\n"), b"")
    } else {
        let (_, file) = path.split_once(&format!("/resolve/{COMMIT}/")).unwrap();
        let mut content = state.files[file].clone();
        if state.is_damaged {
            content[0] ^= 1;
        }
        let from =
            header("range").filter(|_| !state.no_ranges).map(|range| range["bytes=".len()..range.len() - 1].parse::<usize>().unwrap());
        let (status, range) = match from {
            Some(from) => ("206 Partial Content", format!("Content-Range: bytes {from}-{}/{}\r\n", content.len() - 1, content.len())),
            None => ("200 OK", String::new()),
        };
        let mut bytes = reply(status, &range, &content[from.unwrap_or(0)..]);
        if let Some(n) = state.breaks.pop() {
            let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
            bytes.truncate(head + n);
        }
        bytes
    };
    drop(state);
    stream.write_all(&bytes)
}

fn listing(files: &BTreeMap<&str, Vec<u8>>) -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let entry = |(name, bytes): (&&str, &Vec<u8>)| {
        let git = Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize();
        let mut entry = json!({ "rfilename": name, "size": bytes.len(), "blobId": hex(&git) });
        if name.ends_with(".safetensors") {
            entry["lfs"] = json!({ "sha256": hex(&Sha256::digest(bytes)), "size": bytes.len(), "pointerSize": 130 });
        }
        entry
    };
    json!({ "id": "org/name", "sha": COMMIT, "siblings": files.iter().map(entry).collect::<Vec<_>>() })
}

/// A model without much sense in its files.
fn model() -> FakeHub {
    let weights: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    FakeHub::new(&[
        ("config.json", b"{\"a\": 1}"),
        ("tokenizer.json", b"{}"),
        ("model.safetensors", &weights),
        ("pytorch_model.bin", b"not wanted"),
        ("README.md", b"not wanted"),
    ])
}

#[test]
fn a_model_is_fetched_once_into_the_usual_places() {
    let fake = model();
    let folder = fake.fetch("hf:org/name").unwrap();
    let repo = fake.hub.cache.join("models--org--name");
    assert_eq!(folder, repo.join("snapshots").join(COMMIT));
    let names: std::collections::BTreeSet<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["config.json", "model.safetensors", "tokenizer.json"]);
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), fake.state.lock().unwrap().files["model.safetensors"]);
    assert_eq!(std::fs::read_to_string(repo.join("refs/main")).unwrap(), COMMIT);
    let link = std::fs::read_link(folder.join("config.json")).unwrap();
    assert!(link.starts_with("../../blobs") && folder.join(&link).is_file(), "{}", link.display());

    // The token goes to the hub and nowhere else.
    for (path, _, authorization) in &fake.state.lock().unwrap().seen {
        assert!(authorization.as_deref().is_none_or(|token| token == "bearer secret"), "{path}");
    }
    let with_token = fake.state.lock().unwrap().seen.iter().filter(|(.., authorization)| authorization.is_some()).count();
    assert_eq!((fake.n_seen(), with_token), (7, 4), "a list, three files at the hub, and three where they are kept");

    // What is there is used without a question, by branch and by commit, also without a network.
    for name in ["hf:org/name", "org/name@main", &format!("hf:org/name@{COMMIT}"), "hf:org/name/config.json"] {
        assert!(fake.fetch(name).unwrap().starts_with(&folder), "{name}");
    }
    assert_eq!(fake.n_seen(), 7);
    let offline = Hub { is_offline: true, ..fake.hub.clone() };
    let fetch = |name: &str| offline.fetch(&HubName::parse(name).unwrap().unwrap(), &Ui::quiet());
    assert_eq!(fetch("hf:org/name").unwrap(), folder);
    let error = fetch("hf:org/other").unwrap_err().to_string();
    assert!(error.contains("hf:org/other@main is not complete") && error.contains("HF_HUB_OFFLINE"), "{error}");
}

#[test]
fn an_interrupted_download_goes_on_where_it_ended() {
    let fake = model();
    fake.set(|state| state.breaks = vec![100_000, 10, 50_000, 2, 0, 8]);
    let folder = fake.fetch("hf:org/name").unwrap();
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), fake.state.lock().unwrap().files["model.safetensors"]);
    let ranges: Vec<String> = fake
        .state
        .lock()
        .unwrap()
        .seen
        .iter()
        .filter(|(path, ..)| path.ends_with(".safetensors"))
        .filter_map(|(_, range, _)| range.clone())
        .collect();
    assert!(["bytes=50000-", "bytes=50010-", "bytes=150010-"].iter().all(|&range| ranges.contains(&range.to_owned())), "{ranges:?}");

    // Given up, killed or whatever: another process goes on with what is there, also with a server that knows no ranges.
    let fake = model();
    fake.set(|state| state.breaks = vec![0, 0, 0, 0, 0, 30_000, 2, 8]);
    fake.refuses("hf:org/name", "interrupted 5 times in a row");
    let blobs = fake.hub.cache.join("models--org--name/blobs");
    let has_partial = |blobs: &Path| {
        std::fs::read_dir(blobs).unwrap().any(|entry| entry.unwrap().path().extension().is_some_and(|end| end == "incomplete"))
    };
    assert!(has_partial(&blobs));
    fake.set(|state| state.no_ranges = true);
    let folder = fake.fetch("hf:org/name").unwrap();
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), fake.state.lock().unwrap().files["model.safetensors"]);
    assert!(!has_partial(&blobs));
}

#[test]
fn what_arrives_damaged_is_not_kept() {
    let fake = model();
    fake.set(|state| state.is_damaged = true);
    fake.refuses("hf:org/name", "config.json: expected the hash");
    let blobs = fake.hub.cache.join("models--org--name/blobs");
    assert_eq!(std::fs::read_dir(blobs).unwrap().count(), 0);
    fake.set(|state| state.is_damaged = false);
    fake.fetch("hf:org/name").unwrap();
}

#[test]
fn refusals_say_what_to_do() {
    let fake = model();
    for (status, code, expected) in [
        (401, "RepoNotFound", "hf:org/name@main was not found at http://127.0.0.1"),
        (403, "GatedRepo", "is gated: its terms must be accepted at http://127.0.0.1"),
        (404, "RevisionNotFound", "org/name has no revision main"),
        (403, "", "is not open to you: the token of HF_TOKEN does not open it"),
        (500, "", "answered HTTP 500"),
    ] {
        fake.set(|state| state.refusal = Some((status, code)));
        fake.refuses("hf:org/name", expected);
    }
    fake.set(|state| state.refusal = None);
    fake.refuses("hf:org/name/other.gguf", "has no other.gguf; it has README.md, config.json");
    fake.set(|state| drop(state.files.remove("model.safetensors")));
    fake.refuses("hf:org/name", "expected model.safetensors or model.safetensors.index.json, found pytorch_model.bin");
    fake.set(|state| drop(state.files.remove("config.json")));
    fake.refuses("hf:org/name", "has no config.json");
    fake.set(|state| drop(state.files.insert("../../escape", b"x".to_vec())));
    fake.refuses("hf:org/name", "expected names inside of the repository");
    let nowhere = Hub { endpoint: "http://127.0.0.1:9".into(), ..fake.hub.clone() };
    let error = nowhere.fetch(&HubName::parse("hf:a/b").unwrap().unwrap(), &Ui::quiet()).unwrap_err().to_string();
    assert!(error.contains("cannot reach http://127.0.0.1:9") && error.contains("HF_HUB_OFFLINE=1"), "{error}");
}

#[test]
fn shards_files_and_data_sets() {
    let index = json!({ "weight_map": { "a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors" } }).to_string();
    let fake = FakeHub::new(&[
        ("config.json", b"{}"),
        ("tokenizer.json", b"{}"),
        ("model.safetensors.index.json", index.as_bytes()),
        ("model-1.safetensors", b"one"),
        ("model-2.safetensors", b"two"),
        ("model-3.safetensors", b"of another model"),
        ("main/train part.jsonl", b"{}\n"),
    ]);
    let config = fake.hub.fetch_config(&HubName::parse("hf:org/name").unwrap().unwrap(), &Ui::quiet()).unwrap();
    assert_eq!((config.join("config.json").is_file(), config.join("tokenizer.json").is_file(), fake.n_seen()), (true, false, 3));
    let folder = fake.fetch("hf:org/name").unwrap();
    assert_eq!(std::fs::read(folder.join("model-2.safetensors")).unwrap(), b"two");
    assert!(!folder.join("model-3.safetensors").exists());
    let n_seen = fake.n_seen();
    fake.fetch("hf:org/name").unwrap();
    assert_eq!(fake.n_seen(), n_seen);

    fake.set(|state| drop(state.files.insert("main/train%20part.jsonl", b"{}\n".to_vec())));
    let file = fake.fetch("hf:datasets/org/name@v1.0/main/train part.jsonl").unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"{}\n");
    assert!(file.ends_with(format!("datasets--org--name/snapshots/{COMMIT}/main/train part.jsonl")), "{}", file.display());
    assert_eq!(std::fs::read_to_string(fake.hub.cache.join("datasets--org--name/refs/v1.0")).unwrap(), COMMIT);
    assert!(fake.state.lock().unwrap().seen.iter().any(|(path, ..)| path == "/api/datasets/org/name/revision/v1.0?blobs=true"));
}

#[test]
fn names() {
    let parse = |text: &str| HubName::parse(text).map(|name| name.map(|name| name.to_string()).map_err(|error| error.to_string()));
    for (text, expected) in [
        ("hf:org/name", "hf:org/name@main"),
        ("org/name@v1", "hf:org/name@v1"),
        ("hf:o/n@abc/x/y.gguf", "hf:o/n@abc/x/y.gguf"),
        ("hf:datasets/o/n/f.jsonl", "hf:datasets/o/n@main/f.jsonl"),
    ] {
        assert_eq!(parse(text), Some(Ok(expected.into())), "{text}");
    }
    for path in ["org/name", "a/b/c@d", "model", "/abs/x@y/z", "builtin:tiny"] {
        assert_eq!(parse(path), None, "{path}");
    }
    for bad in ["hf:", "hf:name", "hf:o/n@", "hf:../n", "hf:o/n/../x", "hf:o/n//x", "hf:datasets/o/n", "hf:o/n n", "hf:o/..", "hf:o/n@a..b"]
    {
        assert!(parse(bad).unwrap().unwrap_err().contains("expected hf:ORG/NAME"), "{bad}");
    }
}
