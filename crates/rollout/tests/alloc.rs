//! What is allocated: decoding takes no memory per token (twice the tokens, the same number of allocations), and training and sampling
//! take what [`Memory`] says.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ruminate_compute::{Device, DeviceKind};
use ruminate_core::{PolicyVersion, Seed};
use ruminate_model::training::Activations;
use ruminate_model::{Architecture, Memory, ModelConfig, Policy, RopeScaling, Tokenizer, tiny_tokenizer};
use ruminate_rollout::{Engine, EngineLimits, Event, Request, SamplingParams};

/// Allocations of all threads since the start.
static N_ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Bytes that all threads hold.
static N_BYTES: AtomicI64 = AtomicI64::new(0);

/// The tests of this file count what all threads do: one after the other.
static ALONE: Mutex<()> = Mutex::new(());

#[derive(Debug)]
struct Counting;

#[expect(unsafe_code, reason = "an allocator that counts can only be written with it")]
// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        N_BYTES.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        N_BYTES.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        N_BYTES.fetch_add(new_size as i64 - layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        N_BYTES.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const VOCAB: usize = 700;
const BATCH: usize = 16;

fn policy() -> Policy {
    let config = ModelConfig {
        architecture: Architecture::Qwen3,
        hidden: 64,
        n_layers: 3,
        n_heads: 4,
        n_kv_heads: 2,
        head_dim: 32,
        ffn: 96,
        vocab: VOCAB,
        max_positions: 512,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        rms_norm_eps: 1e-5,
        tied: true,
        qkv_bias: false,
        qk_norm: true,
        sliding_window: None,
        bos: None,
        // No token ends a sample: its length is its budget.
        eos: Vec::new(),
    };
    Policy::random(&Device::Cpu, config, Seed::new(1)).unwrap()
}

/// Allocations of one call that samples `n` tokens of each of [`BATCH`] sequences.
fn allocations(engine: &mut Engine, policy: &Policy, tokenizer: &Tokenizer, params: SamplingParams, n: usize) -> u64 {
    let request = |i: usize| Request {
        key: Seed::new(2).with_index(i as u64),
        prompt_ids: (1..20 + i as u32).collect(),
        n_samples: 2,
        max_new_tokens: n,
        params,
        stop: Vec::new(),
    };
    let requests: Vec<Request> = (0..BATCH / 2).map(request).collect();
    let before = N_ALLOCATIONS.load(Ordering::Relaxed);
    let stats = engine.generate(policy, PolicyVersion(0), tokenizer, &requests, &mut |_: Event| {}).unwrap();
    let after = N_ALLOCATIONS.load(Ordering::Relaxed);
    assert_eq!((stats.n_sampled, stats.n_steps), (BATCH * n, n));
    after - before
}

/// Holds what `make` allocates against a plan.
fn check_plan<T>(what: &str, plan: Memory, make: impl FnOnce() -> T) -> T {
    let before = N_BYTES.load(Ordering::Relaxed);
    let made = make();
    let found = (N_BYTES.load(Ordering::Relaxed) - before) as f64;
    let planned = plan.total() as f64;
    // Buffers end on a cache line; lists of blocks are small.
    assert!((found - planned).abs() <= 0.02 * planned + 8192.0, "{what}: {found} bytes, planned {planned}: {plan:?}");
    made
}

#[test]
fn training_and_sampling_take_what_is_planned() {
    let _alone = ALONE.lock();
    let (kind, policy) = (DeviceKind::Cpu, policy());
    let config = policy.config();
    for (tokens, recompute_layers) in [(100, 0), (700, 0), (700, 1), (700, 3), (1500, 9)] {
        let plan = Memory { other: 0, ..Memory::of_activations(kind, config, tokens, recompute_layers) };
        let what = format!("{tokens} tokens, {recompute_layers} blocks made again");
        check_plan(&what, plan, || Activations::recomputing(&Device::Cpu, config, tokens, recompute_layers).unwrap());
    }
    for max_batch in [1, 16, 100] {
        let limits = EngineLimits { max_batch, max_sequence: 400, max_cache_bytes: 1 << 28 };
        let plan = Memory::of_sampling(kind, config, limits.decoder_limits(config, kind));
        check_plan(&format!("{max_batch} sequences"), plan, || Engine::new(&policy, limits).unwrap());
    }
    check_plan("weights", Memory::of_weights(kind, config), || policy_again(config));
}

fn policy_again(config: &ModelConfig) -> Policy {
    Policy::random(&Device::Cpu, config.clone(), Seed::new(2)).unwrap()
}

#[test]
fn decoding_takes_no_memory_per_token() {
    let _alone = ALONE.lock();
    const N: usize = 150;
    let policy = policy();
    let tokenizer = tiny_tokenizer(&["a".to_owned(), "b".to_owned()]).unwrap();
    let mut engine = Engine::new(&policy, EngineLimits { max_batch: BATCH, max_sequence: 400, max_cache_bytes: 1 << 28 }).unwrap();
    let truncated = SamplingParams { temperature: 0.6, top_k: 50, top_p: 0.95, min_p: 0.01 };
    for params in [SamplingParams::default(), truncated] {
        let mut count = |n| allocations(&mut engine, &policy, &tokenizer, params, n);
        // The buffers of a step and of each thread grow once.
        count(2 * N);
        let (once, twice) = (count(N), count(2 * N));
        // Each step is handed to the thread pool once, whose queue takes a block of memory every 63 entries; its threads'
        // own queues may grow a few times. 150 more steps sample 2400 more tokens.
        let more = twice.saturating_sub(once);
        assert!(more <= 16, "{once} allocations for {N} tokens of each sequence, {twice} for twice as many, {params:?}");
    }
}
