//! Sampling: the distribution that tokens come from, ties, truncation, and the equality with the training forward.

use ruminate_compute::Device;
use ruminate_compute::ops::head::HeadScratch;
use ruminate_compute::ops::linear::Weight;
use ruminate_compute::ops::sample::{SampleParams, SampleScratch, sample};

use crate::cases::*;
use crate::{head, reference};

const D: usize = 24;
const VOCABS: [usize; 7] = [1, 2, 96, 511, 513, 5000, 9000];
const PLAIN: SampleParams = SampleParams { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, uniform: 0.0 };

/// `(tokens, logprobs)`.
fn draw(device: &Device, hidden: &[f32], w: &[f32], params: &[SampleParams], prepared: bool, max_rows: usize) -> (Vec<u32>, Vec<f32>) {
    let (rows, vocab) = (params.len(), w.len() / D);
    let (hidden, w) = (upload(device, rows, D, hidden), upload(device, vocab, D, w));
    let w = if prepared { Weight::prepared(device, w.view()) } else { Weight::new(w.view()) };
    let mut scratch = HeadScratch::new(device, max_rows, vocab).unwrap();
    let (mut tokens, mut logprobs) = (upload_ints(device, &vec![u32::MAX; rows]), garbage_f32(device, rows, 1));
    sample(device, &mut scratch, &mut SampleScratch::default(), &mut tokens, logprobs.view_mut(), hidden.view(), &w, params);
    let mut drawn = Vec::new();
    tokens.read_into(rows, &mut drawn).unwrap();
    (drawn, logprobs.to_vec().unwrap())
}

/// How often each token comes from one row of hidden, over `uniforms`.
fn counts(device: &Device, hidden: &[f32], w: &[f32], params: SampleParams, uniforms: &[f64]) -> Vec<u64> {
    let params: Vec<SampleParams> = uniforms.iter().map(|&uniform| SampleParams { uniform, ..params }).collect();
    let (tokens, _) = draw(device, &hidden.repeat(params.len()), w, &params, false, params.len());
    let mut counts = vec![0; w.len() / D];
    tokens.iter().for_each(|&token| counts[token as usize] += 1);
    counts
}

/// The middles of n equal parts of [0, 1).
fn grid(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i as f64 + 0.5) / n as f64).collect()
}

fn random_case(seed: u64, rows: usize, vocab: usize) -> (Vec<f32>, Vec<f32>) {
    let mut random = Random::new(seed + vocab as u64);
    (random.floats(rows * D, 1.0), random.floats(vocab * D, 0.4))
}

/// What truncation leaves of the distribution, from the definitions: renormalised probabilities, and whether another rounding
/// could have kept another set.
fn truncated(p: &[f64], params: SampleParams) -> (Vec<f64>, bool) {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let mut close_call = false;
    if params.top_k > 0 && (params.top_k as usize) < order.len() {
        let k = params.top_k as usize;
        close_call |= (p[order[k - 1]] - p[order[k]]).abs() < 1e-6 * p[order[k]];
        order.truncate(k);
    }
    let kept: f64 = order.iter().map(|&i| p[i]).sum();
    let mut below = 0.0;
    order.retain(|&i| {
        // A token stays when those before it do not yet have the share top_p.
        let stays = params.top_p >= 1.0 || below < f64::from(params.top_p) * kept;
        close_call |= params.top_p < 1.0 && (below - f64::from(params.top_p) * kept).abs() < 2e-6;
        below += p[i];
        stays
    });
    let least = f64::from(params.min_p) * p[order[0]];
    close_call |= params.min_p > 0.0 && order.iter().any(|&i| (p[i] - least).abs() < 1e-6 * least);
    order.retain(|&i| p[i] >= least);
    let kept: f64 = order.iter().map(|&i| p[i]).sum();
    let mut result = vec![0.0; p.len()];
    order.iter().for_each(|&i| result[i] = p[i] / kept);
    (result, close_call)
}

const TRUNCATIONS: [SampleParams; 8] = [
    SampleParams { top_k: 1, ..PLAIN },
    SampleParams { top_k: 7, ..PLAIN },
    SampleParams { top_p: 0.95, temperature: 0.6, ..PLAIN },
    SampleParams { top_p: 0.3, ..PLAIN },
    SampleParams { min_p: 0.1, ..PLAIN },
    SampleParams { top_k: 20, top_p: 0.8, temperature: 1.3, ..PLAIN },
    SampleParams { top_k: 50, top_p: 0.9, min_p: 0.05, temperature: 0.6, ..PLAIN },
    SampleParams { top_k: 100_000, ..PLAIN },
];

/// Pearson's statistic over cells of at least five expected draws must stay below its mean by five standard deviations.
#[test]
fn frequencies_follow_the_softmax() {
    const N: usize = 3000;
    for Target { device, .. } in devices() {
        for (vocab, temperature) in [(1, 1.0), (2, 0.6), (96, 1.0), (96, 0.6), (513, 0.6), (5000, 1.0)] {
            let (hidden, w) = random_case(1, 1, vocab);
            let mut random = Random::new(11);
            let uniforms: Vec<f64> = (0..N).map(|_| random.uniform()).collect();
            let counts = counts(&device, &hidden, &w, SampleParams { temperature, ..PLAIN }, &uniforms);
            let p = reference::probabilities(&wide(&hidden), &wide(&w), D, f64::from(temperature));
            let (mut statistic, mut n_cells, mut cell) = (0.0, 0.0, (0.0, 0.0));
            for (count, p) in counts.iter().zip(&p) {
                cell = (cell.0 + *count as f64, cell.1 + p * N as f64);
                if cell.1 >= 5.0 {
                    statistic += (cell.0 - cell.1).powi(2) / cell.1;
                    n_cells += 1.0;
                    cell = (0.0, 0.0);
                }
            }
            let freedom: f64 = n_cells - 1.0;
            assert!(statistic <= freedom + 5.0 * (2.0 * freedom).sqrt() + 1.0, "vocabulary {vocab}: {statistic} at {freedom} degrees");
        }
    }
}

/// Each token owns one interval of [0, 1), so an even grid of uniforms hits it in proportion, up to one point at each end.
#[test]
fn every_token_owns_its_share_of_the_uniforms() {
    for Target { device, .. } in devices() {
        for params in TRUNCATIONS.into_iter().chain([PLAIN, SampleParams { temperature: 0.6, ..PLAIN }]) {
            let truncates = params.top_k > 0 || params.top_p < 1.0 || params.min_p > 0.0;
            for (vocab, n) in [(1, 10), (2, 100), (96, 1000), (513, 1000), (5000, if truncates { 200 } else { 2000 })] {
                let mut seeds = (0..).map(|seed| {
                    let (hidden, w) = random_case(seed, 1, vocab);
                    let p = reference::probabilities(&wide(&hidden), &wide(&w), D, f64::from(params.temperature));
                    (truncated(&p, params), hidden, w)
                });
                let ((p, _), hidden, w) = seeds.find(|((_, close_call), ..)| !close_call).unwrap();
                for (token, (count, p)) in counts(&device, &hidden, &w, params, &grid(n)).iter().zip(&p).enumerate() {
                    if *p == 0.0 {
                        assert_eq!(*count, 0, "token {token} of {vocab} is not kept by {params:?}");
                    }
                    let expected = p * n as f64;
                    assert!((*count as f64 - expected).abs() < 1.1, "token {token} of {vocab}: {count} of {expected}, {params:?}");
                }
            }
        }
    }
}

#[test]
fn temperature_zero_takes_the_first_of_the_largest() {
    for Target { device, .. } in devices() {
        for vocab in VOCABS {
            let (hidden, mut w) = random_case(3, 1, vocab);
            let best: Vec<f32> = hidden.iter().map(|h| h * 3.0).collect();
            // The same best row at several places, across the borders of chunks and pieces.
            for ties in [
                vec![0],
                vec![vocab - 1],
                vec![vocab / 2, vocab - 1],
                vec![511, 512],
                vec![512, 513],
                vec![300, 4095, 4096],
                vec![4099, 8999],
            ] {
                if ties.iter().any(|&tie| tie >= vocab) {
                    continue;
                }
                let kept = w.clone();
                ties.iter().for_each(|&tie| w[tie * D..][..D].copy_from_slice(&best));
                // Truncation and the uniform do not matter.
                let greedy = SampleParams { temperature: 0.0, uniform: 0.999, ..TRUNCATIONS[6] };
                for params in [SampleParams { temperature: 0.0, ..PLAIN }, SampleParams { temperature: 0.0, ..greedy }] {
                    let (tokens, _) = draw(&device, &hidden, &w, &[params], false, 1);
                    assert_eq!(tokens, [ties[0] as u32], "vocabulary {vocab}, ties {ties:?}");
                }
                w = kept;
            }
        }
    }
}

#[test]
fn tokens_that_tie_share_what_is_kept_in_their_order() {
    const VOCAB: usize = 9000;
    for Target { device, .. } in devices() {
        // Few enough to be looked at apart from the others on a GPU, and too many.
        for n_ties in [2, 41, 3001] {
            let (hidden, mut w) = random_case(12, 1, VOCAB);
            let best: Vec<f32> = hidden.iter().map(|h| h * 3.0).collect();
            let ties: Vec<u32> = (0..n_ties).map(|i| (VOCAB - 1 - i * (VOCAB / n_ties)) as u32).rev().collect();
            ties.iter().for_each(|&tie| w[tie as usize * D..][..D].copy_from_slice(&best));
            let uniforms = grid(50);
            for params in [SampleParams { top_k: n_ties as u32, ..PLAIN }, SampleParams { min_p: 0.9, ..PLAIN }] {
                let params: Vec<_> = uniforms.iter().map(|&uniform| SampleParams { uniform, ..params }).collect();
                let (tokens, _) = draw(&device, &hidden.repeat(50), &w, &params, false, 50);
                let expected: Vec<u32> = uniforms.iter().map(|uniform| ties[(uniform * n_ties as f64) as usize]).collect();
                assert_eq!(tokens, expected, "{n_ties} ties, {:?}", params[0]);
            }
        }
    }
}

#[test]
fn logprobs_equal_the_training_forward() {
    for target in all_devices() {
        let device = target.device.clone();
        // A single token is certain: its log-probability is what rounding leaves of 0, which has no size to hold an error against.
        for vocab in VOCABS.into_iter().filter(|&vocab| vocab > 1 || matches!(device, Device::Cpu)) {
            for params in TRUNCATIONS.into_iter().chain([
                PLAIN,
                SampleParams { temperature: 0.6, ..PLAIN },
                SampleParams { temperature: 0.0, ..PLAIN },
            ]) {
                let mut case = head::case(37, vocab);
                let mut random = Random::new(4);
                let params: Vec<SampleParams> = (0..37).map(|_| SampleParams { uniform: random.uniform(), ..params }).collect();
                let temperature = if params[0].temperature > 0.0 { params[0].temperature } else { 1.0 };
                let (tokens, logprobs) = draw(&device, &case.hidden, &case.w, &params, true, 8);
                assert!(tokens.iter().all(|&token| (token as usize) < vocab));
                case.targets = tokens;
                let [expected, ..] = head::forward(&device, &case, temperature, false, 37);
                target.assert_same(&format!("vocabulary {vocab}, {:?}", params[0]), &logprobs, &expected, 37);
            }
        }
    }
}

/// Rows with all kinds of parameters, in one batch.
fn mixed_params(n: usize) -> Vec<SampleParams> {
    let mut random = Random::new(5);
    let kinds: Vec<SampleParams> = TRUNCATIONS
        .into_iter()
        .chain([PLAIN, SampleParams { temperature: 0.0, ..PLAIN }, SampleParams { temperature: 0.6, ..PLAIN }])
        .collect();
    (0..n).map(|_| SampleParams { uniform: random.uniform(), ..kinds[random.below(kinds.len())] }).collect()
}

#[test]
fn a_row_alone_draws_the_same_token_as_in_a_batch() {
    for Target { device, .. } in invariant_devices() {
        for vocab in VOCABS {
            let (hidden, w) = random_case(6, 61, vocab);
            let params = mixed_params(61);
            let batch = draw(&device, &hidden, &w, &params, true, 61);
            assert_eq!(draw(&device, &hidden, &w, &params, true, 7), batch, "in parts of seven rows");
            for i in 0..61 {
                let (token, logprob) = draw(&device, &hidden[i * D..][..D], &w, &params[i..=i], i % 2 == 0, 1);
                assert_eq!(token, batch.0[i..=i], "row {i}, vocabulary {vocab}, {:?}", params[i]);
                assert_same_bits("log-probability", &logprob, &batch.1[i..=i]);
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for Target { device, .. } in devices() {
        let (hidden, w) = random_case(7, 61, 5000);
        assert_thread_invariant("sample", || {
            let (tokens, logprobs) = draw(&device, &hidden, &w, &mixed_params(61), false, 61);
            tokens.iter().map(|&token| token as f32).chain(logprobs).collect()
        });
    }
}

/// The ends of [0, 1) must not fall through rounding into a token that has no probability.
#[test]
fn the_last_uniform_does_not_draw_the_impossible() {
    for Target { device, .. } in devices() {
        for seed in 0..20 {
            let (rows, vocab) = (16, 5000);
            // A probability of zero in f64, and one that is positive but far below rounding.
            let impossible = if seed % 2 == 0 { -1000.0 } else { -300.0 };
            let (mut hidden, mut w) = random_case(100 + seed, rows, vocab);
            // One coordinate is 1 in every row of hidden; it makes the first and the last 600 tokens impossible.
            hidden.chunks_mut(D).for_each(|h| h[0] = 1.0);
            for (token, w) in w.chunks_mut(D).enumerate() {
                w[0] = if (600..4400).contains(&token) { 0.0 } else { impossible };
            }
            // Uniform 0 itself rightly draws the first token whose probability is positive, however small.
            let first = if seed % 2 == 0 { 0.0 } else { 1e-16 };
            for uniform in [first, 1.0 - f64::EPSILON / 2.0] {
                for params in [SampleParams { uniform, ..PLAIN }, SampleParams { uniform, min_p: 1e-9, ..PLAIN }] {
                    let (tokens, logprobs) = draw(&device, &hidden, &w, &vec![params; rows], false, rows);
                    assert!(logprobs.iter().all(|&l| l > -100.0), "seed {seed}, {params:?}: {tokens:?}, {logprobs:?}");
                }
            }
        }
    }
}

#[test]
fn nan_is_not_hidden() {
    for Target { device, .. } in devices() {
        for params in TRUNCATIONS.into_iter().chain([PLAIN, SampleParams { temperature: 0.0, ..PLAIN }]) {
            let (mut hidden, w) = random_case(8, 3, 5000);
            hidden[D + 1] = f32::NAN;
            let (tokens, logprobs) = draw(&device, &hidden, &w, &[params; 3], false, 3);
            assert_eq!(logprobs.iter().map(|l| l.is_nan()).collect::<Vec<_>>(), [false, true, false], "{params:?}");
            assert!(tokens.iter().all(|&token| token < 5000));
        }
    }
}

#[test]
fn no_rows_draw_nothing() {
    for Target { device, .. } in devices() {
        let (_, w) = random_case(9, 0, 96);
        assert_eq!(draw(&device, &[], &w, &[], false, 4), (vec![], vec![]));
    }
}
