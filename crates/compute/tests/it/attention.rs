//! Causal grouped-query attention over packed sequences.

use ruminate_compute::Device;
use ruminate_compute::ops::attention::{self, Heads, Sequences};

use crate::cases::*;
use crate::reference;

pub(crate) fn random_qkv(seed: usize, rows: usize, heads: Heads) -> Vec<f32> {
    Random::new(seed as u64).floats(rows * heads.qkv_cols(), 1.0)
}

/// `(out, lse)`.
pub(crate) fn forward(device: &Device, qkv: &[f32], lengths: &[usize], heads: Heads) -> (Vec<f32>, Vec<f32>) {
    let rows: usize = lengths.iter().sum();
    let (mut out, mut lse) = (garbage(device, rows, heads.out_cols()), garbage_f32(device, rows, heads.n));
    let qkv = upload(device, rows, heads.qkv_cols(), qkv);
    let sequences = Sequences::new(device, &cumulative(lengths)).unwrap();
    assert_eq!(sequences.n_tokens(), rows);
    attention::forward(device, out.view_mut(), lse.view_mut(), qkv.view(), &sequences, heads);
    (out.to_vec().unwrap(), lse.to_vec().unwrap())
}

/// dqkv.
fn backward(device: &Device, dout: &[f32], qkv: &[f32], lengths: &[usize], heads: Heads) -> Vec<f32> {
    let rows: usize = lengths.iter().sum();
    let (out, lse) = forward(device, qkv, lengths, heads);
    let [dout, out] = [dout, &out].map(|x| upload(device, rows, heads.out_cols(), x));
    let (lse, qkv) = (upload_f32(device, rows, heads.n, &lse), upload(device, rows, heads.qkv_cols(), qkv));
    let mut dqkv = garbage(device, rows, heads.qkv_cols());
    let sequences = Sequences::new(device, &cumulative(lengths)).unwrap();
    attention::backward(device, dqkv.view_mut(), dout.view(), out.view(), lse.view(), qkv.view(), &sequences, heads);
    dqkv.to_vec().unwrap()
}

fn random_dout(rows: usize, heads: Heads) -> Vec<f32> {
    Random::new(77).floats(rows * heads.out_cols(), 1.0)
}

/// On a GPU also: more tiles than processors, and sequences that are longer than what is loaded ahead.
fn cases(device: &Device) -> Vec<(Heads, Vec<usize>)> {
    let large = [Heads { n: 14, n_kv: 2, size: 64 }, Heads { n: 12, n_kv: 2, size: 128 }].map(|heads| (heads, vec![900, 700, 300, 129]));
    let is_gpu = !matches!(device, Device::Cpu);
    let all = HEADS.into_iter().flat_map(|heads| packed_lengths().into_iter().map(move |lengths| (heads, lengths)));
    all.chain(large.into_iter().filter(|_| is_gpu)).collect()
}

#[test]
fn forward_matches_the_reference() {
    for Target { device, tolerance, .. } in devices() {
        for (heads, lengths) in cases(&device) {
            let what = format!("{heads:?}, lengths {lengths:?}");
            let rows = lengths.iter().sum();
            let qkv = random_qkv(rows, rows, heads);
            let (out, lse) = forward(&device, &qkv, &lengths, heads);
            let (expected_out, expected_lse) = reference::attention(&wide(&qkv), &cumulative(&lengths), heads);
            assert_close(&format!("out, {what}"), &out, &expected_out, heads.size, tolerance);
            assert_close(&format!("lse, {what}"), &lse, &expected_lse, heads.n, tolerance);
        }
    }
}

#[test]
fn backward_matches_the_reference() {
    for Target { device, tolerance, .. } in devices() {
        for (heads, lengths) in cases(&device) {
            let rows = lengths.iter().sum();
            let (qkv, dout) = (random_qkv(rows, rows, heads), random_dout(rows, heads));
            let dqkv = backward(&device, &dout, &qkv, &lengths, heads);
            let expected = reference::attention_backward(&wide(&dout), &wide(&qkv), &cumulative(&lengths), heads);
            assert_close(&format!("dqkv, {heads:?}, lengths {lengths:?}"), &dqkv, &expected, heads.qkv_cols(), tolerance);
        }
    }
}

#[test]
fn reference_gradient_matches_finite_differences() {
    for (heads, lengths) in SMALL_HEADS.into_iter().zip([vec![5], vec![2, 0, 3], vec![1, 3]]) {
        let rows = lengths.iter().sum();
        let (qkv, dout) = (wide(&random_qkv(4, rows, heads)), wide(&random_dout(rows, heads)));
        let borders = cumulative(&lengths);
        let differences = finite_differences(&qkv, &dout, |x| reference::attention(x, &borders, heads).0);
        assert_gradient("dqkv", &reference::attention_backward(&dout, &qkv, &borders, heads), &differences);
    }
}

#[test]
fn scores_far_apart_neither_overflow_nor_vanish() {
    for Target { device, tolerance, .. } in devices() {
        let heads = HEADS[1];
        let qkv: Vec<f32> = random_qkv(1, 60, heads).iter().map(|x| x * 32.0).collect();
        let (out, lse) = forward(&device, &qkv, &[60], heads);
        let (expected_out, expected_lse) = reference::attention(&wide(&qkv), &[0, 60], heads);
        // Scores of some hundreds carry errors of some 1e-5, which the exponential makes relative ones.
        assert_close("out", &out, &expected_out, heads.size, 100.0 * tolerance);
        assert_close("lse", &lse, &expected_lse, heads.n, tolerance);
        assert!(lse.iter().any(|&lse| lse > 500.0), "the scores are large");
    }
}

#[test]
fn sequences_do_not_depend_on_what_they_are_packed_with() {
    for Target { device, .. } in devices() {
        for heads in HEADS {
            let lengths = [17, 0, 1, 130, 48, 1];
            let rows = lengths.iter().sum();
            let (qkv, dout) = (random_qkv(5, rows, heads), random_dout(rows, heads));
            let (out, lse) = forward(&device, &qkv, &lengths, heads);
            let dqkv = backward(&device, &dout, &qkv, &lengths, heads);
            let mut start = 0;
            for length in lengths {
                let part = |x: &[f32], cols: usize| x[start * cols..(start + length) * cols].to_vec();
                let (qkv, dout) = (part(&qkv, heads.qkv_cols()), part(&dout, heads.out_cols()));
                let alone = forward(&device, &qkv, &[length], heads);
                assert_same_bits("out", &alone.0, &part(&out, heads.out_cols()));
                assert_same_bits("lse", &alone.1, &part(&lse, heads.n));
                assert_same_bits("dqkv", &backward(&device, &dout, &qkv, &[length], heads), &part(&dqkv, heads.qkv_cols()));
                start += length;
            }
        }
    }
}

#[test]
fn rows_do_not_depend_on_what_comes_after_them() {
    for Target { device, .. } in devices() {
        for heads in HEADS {
            let longest = LENGTHS[LENGTHS.len() - 1];
            let qkv = random_qkv(6, longest, heads);
            let (out, lse) = forward(&device, &qkv, &[longest], heads);
            for length in LENGTHS {
                let prefix = forward(&device, &qkv[..length * heads.qkv_cols()], &[length], heads);
                assert_same_bits("out", &prefix.0, &out[..length * heads.out_cols()]);
                assert_same_bits("lse", &prefix.1, &lse[..length * heads.n]);
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for Target { device, .. } in devices() {
        let (heads, lengths) = (HEADS[2], [17, 49, 1, 130]);
        let rows = lengths.iter().sum();
        let (qkv, dout) = (random_qkv(7, rows, heads), random_dout(rows, heads));
        assert_thread_invariant("attention", || {
            let (out, lse) = forward(&device, &qkv, &lengths, heads);
            [out, lse, backward(&device, &dout, &qkv, &lengths, heads)].concat()
        });
    }
}

#[test]
fn nan_in_a_key_reaches_every_later_row() {
    for Target { device, .. } in devices() {
        let (heads, at) = (HEADS[0], 20);
        let mut qkv = random_qkv(8, 60, heads);
        qkv[at * heads.qkv_cols() + reference::key(heads, 0).start] = f32::NAN;
        let (out, lse) = forward(&device, &qkv, &[60], heads);
        for row in at..60 {
            assert!(out[row * heads.out_cols()].is_nan() && lse[row * heads.n].is_nan(), "row {row}");
        }
    }
}

#[test]
#[should_panic(expected = "cu_seqlens")]
fn borders_must_ascend() {
    let _ = Sequences::new(&Device::Cpu, &[0, 3, 2]);
}

#[test]
#[should_panic(expected = "attention::forward rows")]
fn rows_must_fit_the_sequences() {
    let (device, heads) = (Device::Cpu, HEADS[0]);
    let [mut out, mut lse, qkv] = [heads.out_cols(), heads.n, heads.qkv_cols()].map(|cols| garbage(&device, 3, cols));
    let sequences = Sequences::new(&device, &[0, 2]).unwrap();
    attention::forward(&device, out.view_mut(), lse.view_mut(), qkv.view(), &sequences, heads);
}
