//! Helpers: a folder with a model of random weights, and the program in it.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use ruminate_compute::Device;
use ruminate_core::Seed;
use ruminate_model::{Architecture, ModelConfig, Policy, RopeScaling, SaveDtype, tiny_tokenizer};
use ruminate_tasks::synthetic::pieces;

/// A temporary folder with a model in `model`.
pub(crate) struct Folder(tempfile::TempDir);

/// What the program said.
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.save_model("model", 1);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Random weights of a very small shape with the tokenizer of the built-in world.
    pub(crate) fn save_model(&self, name: &str, seed: u64) {
        let tokenizer = tiny_tokenizer(&pieces()).unwrap();
        let config = ModelConfig {
            architecture: Architecture::Llama,
            hidden: 16,
            n_layers: 1,
            n_heads: 2,
            n_kv_heads: 1,
            head_dim: 8,
            ffn: 24,
            vocab: tokenizer.vocab_size(),
            max_positions: 256,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::None,
            rms_norm_eps: 1e-5,
            tied: true,
            qkv_bias: false,
            qk_norm: false,
            sliding_window: None,
            bos: None,
            eos: tokenizer.eos_id().into_iter().collect(),
        };
        let policy = Policy::random(&Device::Cpu, config, Seed::new(seed)).unwrap();
        policy.save(&self.path().join(name), &tokenizer, None, SaveDtype::F32).unwrap();
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Runs the program here, without input.
    pub(crate) fn ruminate(&self, args: &[&str]) -> Said {
        self.ruminate_with(args, "")
    }

    pub(crate) fn ruminate_with(&self, args: &[&str], input: &str) -> Said {
        use std::io::Write;
        let mut child = self.spawn(args);
        // A program that refuses its arguments may be gone before it reads.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        Said::of(child)
    }

    /// Starts the program here.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ruminate"));
        command.args(args).current_dir(self.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Waits until a file has so many lines, while a program is at work.
    pub(crate) fn wait_for_lines(&self, name: &str, n_lines: usize, child: &mut Child) {
        for _ in 0..6000 {
            let n_found = std::fs::read_to_string(self.path().join(name)).map_or(0, |text| text.lines().count());
            if n_found >= n_lines {
                return;
            }
            assert!(child.try_wait().unwrap().is_none(), "the program ended before {name} had {n_lines} lines");
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{name} has not {n_lines} lines after 30 seconds");
    }
}

impl Said {
    /// Waits for the end of the program.
    pub(crate) fn of(child: Child) -> Self {
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { status: status.code(), out: text(stdout), err: text(stderr) }
    }

    /// Panics with everything that was said unless the program ended well.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.status, Some(0), "{}\n{}", self.out, self.err);
        self
    }

    /// Panics unless the program failed with this status and message.
    #[track_caller]
    pub(crate) fn failed(&self, status: i32, message: &str) {
        assert_eq!(self.status, Some(status), "{}\n{}", self.out, self.err);
        assert!(self.err.contains(message), "expected '{message}' in:\n{}", self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}
