//! Stop strings, budgets and requests that cannot be served.

use ruminate_core::{FinishReason, PolicyVersion, Seed};
use ruminate_model::Architecture;
use ruminate_rollout::{Engine, Request, RolloutError, SamplingParams};

use crate::parity::{generate, limits, policy, tokenizer};

fn request(prompt_ids: Vec<u32>, max_new_tokens: usize, stop: Vec<String>) -> Request {
    Request { key: Seed::new(2), prompt_ids, n_samples: 1, max_new_tokens, params: SamplingParams::default(), stop }
}

#[test]
fn a_stop_string_ends_the_completion_at_its_last_token() {
    let policy = policy(Architecture::Llama);
    let free = generate(&policy, limits(4), &[request(vec![5, 6], 40, vec![])]);
    let free = &free[&(0, 0)].token_ids;
    // The text of the third and fourth token, unless it occurs before.
    let stop = tokenizer().decode(&free[2..4]).unwrap();
    let stopped = generate(&policy, limits(4), &[request(vec![5, 6], 40, vec!["never".into(), stop])]);
    let stopped = &stopped[&(0, 0)];
    assert_eq!(stopped.token_ids, free[..4]);
    assert_eq!(stopped.finish_reason, FinishReason::Stop);
}

#[test]
fn the_context_bounds_the_budget() {
    let policy = policy(Architecture::Llama);
    let mut wide = limits(2);
    wide.max_sequence = 256;
    let completions = generate(&policy, wide, &[request((0..250).map(|i| i % 50 + 1).collect(), 100, vec![])]);
    assert!(completions[&(0, 0)].token_ids.len() <= 6);
}

#[test]
fn requests_that_cannot_be_served_are_refused_by_name() {
    let policy = policy(Architecture::Llama);
    let mut engine = Engine::new(&policy, limits(2)).unwrap();
    let mut refuse = |request: Request| engine.generate(&policy, PolicyVersion(0), &tokenizer(), &[request], &mut |_| {}).unwrap_err();
    assert!(matches!(refuse(request(vec![], 4, vec![])), RolloutError::EmptyPrompt { request_idx: 0 }));
    assert!(matches!(refuse(request(vec![1; 300], 4, vec![])), RolloutError::PromptTooLong { length: 300, context: 256, .. }));
    assert!(matches!(refuse(request(vec![1, 60], 4, vec![])), RolloutError::UnknownToken { id: 60, vocab: 60, .. }));
    assert!(matches!(refuse(request(vec![1; 100], 100, vec![])), RolloutError::CacheTooSmall { needed: 13, .. }));
    let hot = Request { params: SamplingParams { top_p: 0.0, ..SamplingParams::default() }, ..request(vec![1], 4, vec![]) };
    assert_eq!(refuse(hot).to_string(), "top_p: expected above 0, at most 1, found 0");
}

#[test]
fn nan_weights_are_found_when_sampling() {
    let mut policy = policy(Architecture::Llama);
    let mut weights = policy.flat().to_vec().unwrap();
    let last = weights.len() - 1;
    weights[last] = f32::NAN;
    policy.write_flat(|mut flat| flat.copy_from_host(&weights));
    let mut engine = Engine::new(&policy, limits(2)).unwrap();
    let error = engine.generate(&policy, PolicyVersion(0), &tokenizer(), &[request(vec![3], 4, vec![])], &mut |_| {}).unwrap_err();
    assert!(matches!(error, RolloutError::NonFinite { position: 0, .. }), "{error}");
}
