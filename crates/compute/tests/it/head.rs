//! Log-probabilities and entropies of the language-model head.

use ruminate_compute::Device;
use ruminate_compute::ops::head::{self, HeadGradients, HeadOutputs, HeadScratch, Logits};
use ruminate_compute::ops::linear::Weight;

use crate::cases::*;
use crate::reference;

const D: usize = 24;
/// Around the chunk (512) and beyond the piece (4096) that the vocabulary is walked in.
const VOCABS: [usize; 7] = [1, 2, 96, 511, 513, 5000, 9000];
const TEMPERATURES: [f32; 2] = [1.0, 0.6];

pub(crate) struct Case {
    pub hidden: Vec<f32>,
    pub w: Vec<f32>,
    pub targets: Vec<u32>,
    dlogprobs: Vec<f32>,
}

pub(crate) fn case(rows: usize, vocab: usize) -> Case {
    let mut random = Random::new((rows * 10_000 + vocab) as u64);
    let mut targets = random.indices(rows, vocab);
    // The last token of the vocabulary and the borders between chunks and pieces, if there are such.
    for (target, border) in targets.iter_mut().zip([vocab - 1, 511, 512, 4095, 4096]) {
        *target = border.min(vocab - 1) as u32;
    }
    Case { hidden: random.floats(rows * D, 1.0), w: random.floats(vocab * D, 0.5), targets, dlogprobs: random.floats(rows, 1.0) }
}

/// `[logprobs, entropies, lse]`.
pub(crate) fn forward(device: &Device, case: &Case, temperature: f32, prepared: bool, max_rows: usize) -> [Vec<f32>; 3] {
    let (rows, vocab) = (case.hidden.len() / D, case.w.len() / D);
    let (hidden, w) = (upload(device, rows, D, &case.hidden), upload(device, vocab, D, &case.w));
    let w = if prepared { Weight::prepared(device, w.view()) } else { Weight::new(w.view()) };
    let mut scratch = HeadScratch::new(device, max_rows, vocab).unwrap();
    let [mut logprobs, mut entropies, mut lse] = [(); 3].map(|()| garbage_f32(device, rows, 1));
    let outputs = HeadOutputs { logprobs: logprobs.view_mut(), entropies: entropies.view_mut(), lse: lse.view_mut() };
    let targets = upload_ints(device, &case.targets);
    head::forward(device, &mut scratch, outputs, hidden.view(), &w, &targets, temperature, 0..rows, Logits::Again);
    [logprobs, entropies, lse].map(|x| x.to_vec().unwrap())
}

/// `[dhidden, dw]`, dw on top of w.
fn backward(device: &Device, case: &Case, temperature: f32, max_rows: usize) -> [Vec<f32>; 2] {
    let (rows, vocab) = (case.hidden.len() / D, case.w.len() / D);
    let (hidden, w) = (upload(device, rows, D, &case.hidden), upload(device, vocab, D, &case.w));
    let mut scratch = HeadScratch::new(device, max_rows, vocab).unwrap();
    let (mut dhidden, mut dw) = (garbage(device, rows, D), upload_f32(device, vocab, D, &case.w));
    let [dlogprobs, lse] =
        [&case.dlogprobs, &forward(device, case, temperature, false, max_rows)[2]].map(|x| upload_f32(device, rows, 1, x));
    let targets = upload_ints(device, &case.targets);
    let gradients = HeadGradients { dlogprobs: dlogprobs.view(), lse: lse.view(), targets: &targets, temperature };
    head::backward(device, &mut scratch, dhidden.view_mut(), dw.view_mut(), hidden.view(), w.view(), gradients, 0..rows, Logits::Again);
    [dhidden, dw].map(|x| x.to_vec().unwrap())
}

fn shapes() -> impl Iterator<Item = (usize, usize)> {
    let small = [0, 1, 5].into_iter().flat_map(|rows| VOCABS.map(|vocab| (rows, vocab)));
    // More rows than are handled in one product (1024).
    small.chain([(1030, 96), (1030, 513)])
}

#[test]
fn forward_matches_the_reference() {
    for Target { device, tolerance, .. } in devices() {
        for ((rows, vocab), temperature) in shapes().flat_map(|shape| TEMPERATURES.map(|t| (shape, t))) {
            let what = format!("{rows} rows, vocabulary {vocab}, temperature {temperature}");
            let case = case(rows, vocab);
            let [logprobs, entropies, lse] = forward(&device, &case, temperature, false, rows);
            let expected = reference::head(&wide(&case.hidden), &wide(&case.w), &case.targets, D, f64::from(temperature));
            if vocab == 1 {
                // Certain: zero up to the rounding of `lse`.
                for x in logprobs.iter().chain(&entropies) {
                    assert!(x.abs() < 1e-5, "{what}: {x}");
                }
            } else {
                assert_close(&format!("log-probabilities, {what}"), &logprobs, &expected.logprobs, 1, tolerance);
                assert_close(&format!("entropies, {what}"), &entropies, &expected.entropies, 1, tolerance);
            }
            assert_close(&format!("lse, {what}"), &lse, &expected.lse, 1, tolerance);
        }
    }
}

#[test]
fn backward_matches_the_reference() {
    for Target { device, tolerance, .. } in devices() {
        for ((rows, vocab), temperature) in shapes().flat_map(|shape| TEMPERATURES.map(|t| (shape, t))) {
            let what = format!("{rows} rows, vocabulary {vocab}, temperature {temperature}");
            let case = case(rows, vocab);
            let [dhidden, dw] = backward(&device, &case, temperature, rows);
            let (hidden, w, dlogprobs) = (wide(&case.hidden), wide(&case.w), wide(&case.dlogprobs));
            let (expected_dhidden, expected_dw) =
                reference::head_backward(&dlogprobs, &hidden, &w, &case.targets, D, f64::from(temperature));
            let expected_dw: Vec<f64> = expected_dw.iter().zip(&w).map(|(a, b)| a + b).collect();
            if vocab == 1 {
                assert!(dhidden.iter().all(|x| x.abs() < 1e-5), "{what}: {dhidden:?}");
            } else {
                assert_close(&format!("dhidden, {what}"), &dhidden, &expected_dhidden, D, tolerance);
            }
            assert_close(&format!("dw, {what}"), &dw, &expected_dw, D, tolerance);
        }
    }
}

/// Forward and backward of the runs of groups that end at `ends`, where `max_rows` fit: `[logprobs, entropies, dhidden, dw, lse]`, dw on
/// top of w.
fn in_runs(device: &Device, case: &Case, temperature: f32, ends: &[usize], max_rows: usize) -> [Vec<f32>; 5] {
    let (rows, vocab) = (case.hidden.len() / D, case.w.len() / D);
    let (hidden, w) = (upload(device, rows, D, &case.hidden), upload(device, vocab, D, &case.w));
    let weight = Weight::new(w.view());
    let mut scratch = HeadScratch::new(device, max_rows, vocab).unwrap();
    let [mut logprobs, mut entropies, mut lse] = [(); 3].map(|()| garbage_f32(device, rows, 1));
    let (mut dhidden, mut dw) = (garbage(device, rows, D), upload_f32(device, vocab, D, &case.w));
    let (targets, dlogprobs) = (upload_ints(device, &case.targets), upload_f32(device, rows, 1, &case.dlogprobs));
    for (rows, logits) in scratch.runs(device, ends) {
        let outputs = HeadOutputs { logprobs: logprobs.view_mut(), entropies: entropies.view_mut(), lse: lse.view_mut() };
        head::forward(device, &mut scratch, outputs, hidden.view(), &weight, &targets, temperature, rows.clone(), logits);
        let gradients = HeadGradients { dlogprobs: dlogprobs.view(), lse: lse.view(), targets: &targets, temperature };
        head::backward(device, &mut scratch, dhidden.view_mut(), dw.view_mut(), hidden.view(), w.view(), gradients, rows, logits);
    }
    [logprobs, entropies, dhidden, dw, lse].map(|x| x.to_vec().unwrap())
}

/// Whether rows are read once by a cluster of blocks, which leaves no log-sum-exp.
fn reads_once(target: &Target, vocab: usize) -> bool {
    let is_hopper = target.device.model().is_some_and(|model| ["H100", "H200"].iter().any(|name| model.contains(name)));
    is_hopper && !target.is_f32() && !target.is_invariant && vocab.is_multiple_of(8) && (D..=196_608).contains(&vocab)
}

/// Logits are kept for all groups but the ones that are too large, and nothing else changes. The vocabularies are those that clusters of
/// one, one, one, two, four and eight blocks share, the last with more rows than are fetched ahead, and some that none can.
#[test]
fn run_by_run_equals_all_rows_at_once() {
    let short = (18, vec![3, 5, 5, 14, 18], 5, vec![(0..5, Logits::Kept), (5..14, Logits::Again), (14..18, Logits::Kept)]);
    let long = (64, vec![63, 64], 63, vec![(0..63, Logits::Kept), (63..64, Logits::Kept)]);
    for target in all_devices() {
        let Target { device, tolerance, .. } = &target;
        let vocabs = [8, 96, 513, 5000, 24_576, 30_000, 60_000].map(|vocab| (vocab, &short));
        for (vocab, (rows, ends, max_rows, expected_runs)) in vocabs.into_iter().chain([(120_008, &long), (200_000, &long)]) {
            let (case, temperature) = (case(*rows, vocab), if vocab == 5000 { 1.0 } else { 0.6 });
            let runs = HeadScratch::new(device, *max_rows, vocab).unwrap().runs(device, ends);
            assert_eq!(runs, if matches!(device, Device::Cpu) { vec![(0..*rows, Logits::Again)] } else { expected_runs.clone() });
            let [logprobs, entropies, dhidden, dw, lse] = in_runs(device, &case, temperature, ends, *max_rows);
            let [expected_logprobs, expected_entropies, _] = forward(device, &case, temperature, false, *rows);
            let [expected_dhidden, expected_dw] = backward(device, &case, temperature, *rows);
            for (what, found, expected, cols) in [
                ("log-probabilities", logprobs, expected_logprobs, 1),
                ("entropies", entropies, expected_entropies, 1),
                ("dhidden", dhidden, expected_dhidden, D),
                ("dw", dw, expected_dw, D),
            ] {
                assert_close(&format!("{what}, vocabulary {vocab}"), &found, &wide(&expected), cols, *tolerance);
            }
            for (rows, logits) in runs {
                let is_left = lse[rows].iter().all(|lse| lse.is_nan());
                assert_eq!(is_left, reads_once(&target, vocab) && logits == Logits::Kept, "vocabulary {vocab}");
            }
        }
    }
}

#[test]
fn reference_gradients_match_finite_differences() {
    for temperature in [1.0, 0.6] {
        let mut random = Random::new(1);
        let [hidden, w, dlogprobs] = [3 * 4, 7 * 4, 3].map(|n| wide(&random.floats(n, 1.0)));
        let targets = [0, 6, 3];
        let (dhidden, dw) = reference::head_backward(&dlogprobs, &hidden, &w, &targets, 4, temperature);
        let by_hidden = finite_differences(&hidden, &dlogprobs, |x| reference::head(x, &w, &targets, 4, temperature).logprobs);
        assert_gradient("dhidden", &dhidden, &by_hidden);
        let by_w = finite_differences(&w, &dlogprobs, |w| reference::head(&hidden, w, &targets, 4, temperature).logprobs);
        assert_gradient("dw", &dw, &by_w);
    }
}

#[test]
fn logits_far_apart_neither_overflow_nor_vanish() {
    for Target { device, tolerance, .. } in devices() {
        let mut case = case(5, 5000);
        case.hidden.iter_mut().for_each(|x| *x *= 64.0);
        let [logprobs, entropies, lse] = forward(&device, &case, 1.0, false, 5);
        let expected = reference::head(&wide(&case.hidden), &wide(&case.w), &case.targets, D, 1.0);
        assert!(expected.lse.iter().any(|&lse| lse > 200.0), "the logits are large");
        assert_close("log-probabilities", &logprobs, &expected.logprobs, 5, tolerance);
        assert_close("lse", &lse, &expected.lse, 5, tolerance);
        let [logprobs, entropies_of_runs, ..] = in_runs(&device, &case, 1.0, &[5], 5);
        assert_close("log-probabilities in runs", &logprobs, &expected.logprobs, 5, tolerance);
        // The entropy is a difference of numbers of the size of `lse`.
        for entropies in [entropies, entropies_of_runs] {
            for ((entropy, expected), lse) in entropies.iter().zip(&expected.entropies).zip(&expected.lse) {
                assert!((f64::from(*entropy) - expected).abs() <= tolerance * lse.abs(), "entropy {entropy}, expected {expected}");
            }
        }
    }
}

/// Trained embeddings have a large mean, which cancels in `Σ_v p_v w_v − w_target`: a sum that rounds at the size of its terms
/// would lose it over a large vocabulary.
#[test]
fn the_mean_of_the_embeddings_cancels() {
    for Target { device, tolerance, .. } in devices() {
        let mut case = case(2, 50_000);
        case.targets = vec![49_999, 49_000];
        case.w.iter_mut().for_each(|w| *w += 4.0);
        // Orthogonal to the mean, so that the distributions stay wide.
        for hidden in case.hidden.chunks_mut(D) {
            let mean = hidden.iter().sum::<f32>() / D as f32;
            hidden.iter_mut().for_each(|h| *h -= mean);
        }
        let (hidden, w, dlogprobs) = (wide(&case.hidden), wide(&case.w), wide(&case.dlogprobs));
        let (expected, _) = reference::head_backward(&dlogprobs, &hidden, &w, &case.targets, D, 1.0);
        // The terms' sum is 20 times the result; one chain over the whole vocabulary is off by 2e-4.
        assert_close("dhidden", &backward(&device, &case, 1.0, 2)[0], &expected, D, 3.0 * tolerance);
        assert_close("dhidden in runs", &in_runs(&device, &case, 1.0, &[2], 2)[2], &expected, D, 3.0 * tolerance);
    }
}

#[test]
fn rows_do_not_depend_on_the_batch() {
    for Target { device, .. } in invariant_devices() {
        for (rows, vocab) in [(5, 9000), (37, 513), (1030, 96)] {
            let case = case(rows, vocab);
            let batch = forward(&device, &case, 0.6, false, rows);
            let [dhidden, dw] = backward(&device, &case, 0.6, rows);
            for i in [0, 1, 2, 4, 12, 36, 1023, 1024, 1029].into_iter().filter(|&i| i < rows) {
                let row = Case {
                    hidden: case.hidden[i * D..][..D].to_vec(),
                    w: case.w.clone(),
                    targets: vec![case.targets[i]],
                    dlogprobs: vec![case.dlogprobs[i]],
                };
                for prepared in [false, true] {
                    for (alone, batch) in forward(&device, &row, 0.6, prepared, 1).iter().zip(&batch) {
                        assert_same_bits("forward", alone, &batch[i..=i]);
                    }
                }
                // A GPU promises this of forwards only.
                if matches!(device, Device::Cpu) {
                    assert_same_bits("dhidden", &backward(&device, &row, 0.6, 1)[0], &dhidden[i * D..][..D]);
                }
            }
            // Nor on how many rows the scratch memory has room for.
            let parts = forward(&device, &case, 0.6, false, 3);
            assert_same_bits("in parts of three rows", &parts.concat(), &batch.concat());
            if matches!(device, Device::Cpu) {
                assert_same_bits("in parts of three rows", &backward(&device, &case, 0.6, 3).concat(), &[dhidden, dw].concat());
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for Target { device, .. } in devices() {
        let case = case(67, 5000);
        assert_thread_invariant("head", || {
            [
                forward(&device, &case, 0.6, false, 67).concat(),
                forward(&device, &case, 0.6, true, 67).concat(),
                backward(&device, &case, 0.6, 67).concat(),
            ]
            .concat()
        });
    }
}

#[test]
fn nan_is_not_hidden() {
    for Target { device, .. } in devices() {
        for vocab in [96, 5000, 30_000] {
            let mut bad_row = case(3, vocab);
            bad_row.hidden[D + 3] = f32::NAN;
            for x in forward(&device, &bad_row, 1.0, false, 3) {
                assert_eq!(x.iter().map(|x| x.is_nan()).collect::<Vec<_>>(), [false, true, false]);
            }
            let [dhidden, dw] = backward(&device, &bad_row, 1.0, 3);
            assert!(dhidden[D..2 * D].iter().chain(&dw).all(|x| x.is_nan()));
            let [logprobs, entropies, dhidden, dw, _] = in_runs(&device, &bad_row, 1.0, &[3], 3);
            assert!([logprobs[1], entropies[1]].iter().chain(&dhidden[D..2 * D]).chain(&dw).all(|x| x.is_nan()));
            assert!([0, 2].iter().all(|&row| logprobs[row].is_finite() && entropies[row].is_finite()));
            // One bad weight is in the softmax of every row, wherever it is.
            for token in [0, vocab / 2, vocab - 1] {
                let mut bad_weight = case(3, vocab);
                bad_weight.w[token * D] = f32::NAN;
                assert!(forward(&device, &bad_weight, 1.0, false, 3).iter().flatten().all(|x| x.is_nan()), "token {token}");
                assert!(in_runs(&device, &bad_weight, 1.0, &[3], 3)[..3].iter().flatten().all(|x| x.is_nan()), "token {token}");
            }
        }
    }
}
