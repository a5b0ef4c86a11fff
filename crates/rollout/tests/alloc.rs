//! Decoding takes no memory per token: twice the tokens, the same number of allocations.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use ruminate_compute::Device;
use ruminate_core::{PolicyVersion, Seed};
use ruminate_model::{Architecture, ModelConfig, Policy, RopeScaling, Tokenizer, tiny_tokenizer};
use ruminate_rollout::{Engine, EngineLimits, Event, Request, SamplingParams};

/// Allocations of all threads since the start.
static N_ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct Counting;

#[expect(unsafe_code, reason = "an allocator that counts can only be written with it")]
// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
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

#[test]
fn decoding_takes_no_memory_per_token() {
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
