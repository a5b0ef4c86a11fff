//! Normalisation of query and key heads.

use ruminate_compute::Device;
use ruminate_compute::ops::attention::Heads;
use ruminate_compute::ops::qk_norm;

use crate::cases::*;
use crate::reference;

const EPS: f32 = 1e-6;
const ROWS: [usize; 4] = [0, 1, 3, 37];

struct Case {
    qkv: Vec<f32>,
    q_weight: Vec<f32>,
    k_weight: Vec<f32>,
    dout: Vec<f32>,
}

fn case(rows: usize, heads: Heads) -> Case {
    let mut random = Random::new((rows * 1000 + heads.qkv_cols()) as u64);
    let n = rows * heads.qkv_cols();
    Case {
        qkv: random.floats(n, 1.5),
        q_weight: random.floats(heads.size, 1.0),
        k_weight: random.floats(heads.size, 1.0),
        dout: random.floats(n, 1.0),
    }
}

/// `(out, inv_rms)`.
fn forward(device: &Device, case: &Case, heads: Heads) -> (Vec<f32>, Vec<f32>) {
    let (cols, rows) = (heads.qkv_cols(), case.qkv.len() / heads.qkv_cols());
    let [qw, kw] = [&case.q_weight, &case.k_weight].map(|w| upload(device, 1, heads.size, w));
    let (mut out, mut inv_rms) = (garbage(device, rows, cols), garbage_f32(device, rows, heads.n + heads.n_kv));
    let qkv = upload(device, rows, cols, &case.qkv);
    qk_norm::forward(device, out.view_mut(), inv_rms.view_mut(), qkv.view(), qw.view(), kw.view(), heads, EPS);
    (out.to_vec().unwrap(), inv_rms.to_vec().unwrap())
}

/// `[dqkv, dq_weight, dk_weight]`, the last two on top of the weights.
fn backward(device: &Device, case: &Case, heads: Heads) -> [Vec<f32>; 3] {
    let (cols, rows) = (heads.qkv_cols(), case.qkv.len() / heads.qkv_cols());
    let inv_rms = upload_f32(device, rows, heads.n + heads.n_kv, &forward(device, case, heads).1);
    let [qw, kw] = [&case.q_weight, &case.k_weight].map(|w| upload(device, 1, heads.size, w));
    let [mut dqw, mut dkw] = [&case.q_weight, &case.k_weight].map(|w| upload_f32(device, 1, heads.size, w));
    let (qkv, mut dqkv) = (upload(device, rows, cols, &case.qkv), upload(device, rows, cols, &case.dout));
    let (dq, dk) = (dqw.view_mut(), dkw.view_mut());
    qk_norm::backward(device, dqkv.view_mut(), dq, dk, qkv.view(), inv_rms.view(), qw.view(), kw.view(), heads);
    [dqkv, dqw, dkw].map(|buffer| buffer.to_vec().unwrap())
}

#[test]
fn matches_the_reference() {
    for Target { device, tolerance, .. } in devices() {
        for (heads, rows) in HEADS.into_iter().flat_map(|heads| ROWS.map(|rows| (heads, rows))) {
            let what = format!("{heads:?}, {rows} rows");
            let case = case(rows, heads);
            let [qkv, qw, kw, dout] = [&case.qkv, &case.q_weight, &case.k_weight, &case.dout].map(|x| wide(x));
            let (out, inv_rms) = forward(&device, &case, heads);
            let (expected_out, expected_inv_rms) = reference::qk_norm(&qkv, &qw, &kw, heads, f64::from(EPS));
            assert_close(&format!("out, {what}"), &out, &expected_out, heads.size, tolerance);
            assert_close(&format!("inv_rms, {what}"), &inv_rms, &expected_inv_rms, 1, tolerance);
            let [dqkv, dq, dk] = backward(&device, &case, heads);
            let (expected_dqkv, mut expected_dq, mut expected_dk) =
                reference::qk_norm_backward(&dout, &qkv, &qw, &kw, heads, f64::from(EPS));
            expected_dq.iter_mut().zip(qw).for_each(|(a, b)| *a += b);
            expected_dk.iter_mut().zip(kw).for_each(|(a, b)| *a += b);
            assert_close(&format!("dqkv, {what}"), &dqkv, &expected_dqkv, heads.size, tolerance);
            assert_close(&format!("dq_weight, {what}"), &dq, &expected_dq, heads.size, tolerance);
            assert_close(&format!("dk_weight, {what}"), &dk, &expected_dk, heads.size, tolerance);
        }
    }
}

#[test]
fn reference_gradients_match_finite_differences() {
    for heads in SMALL_HEADS {
        let case = case(2, heads);
        let [qkv, qw, kw, dout] = [&case.qkv, &case.q_weight, &case.k_weight, &case.dout].map(|x| wide(x));
        let (dqkv, dq, dk) = reference::qk_norm_backward(&dout, &qkv, &qw, &kw, heads, 0.1);
        assert_gradient("dqkv", &dqkv, &finite_differences(&qkv, &dout, |x| reference::qk_norm(x, &qw, &kw, heads, 0.1).0));
        assert_gradient("dq_weight", &dq, &finite_differences(&qw, &dout, |w| reference::qk_norm(&qkv, w, &kw, heads, 0.1).0));
        assert_gradient("dk_weight", &dk, &finite_differences(&kw, &dout, |w| reference::qk_norm(&qkv, &qw, w, heads, 0.1).0));
    }
}

#[test]
fn rows_do_not_depend_on_the_batch() {
    for Target { device, .. } in devices() {
        for heads in HEADS {
            let (case, cols) = (case(37, heads), heads.qkv_cols());
            let (out, [dqkv, ..]) = (forward(&device, &case, heads).0, backward(&device, &case, heads));
            for i in 0..37 {
                let at = i * cols..(i + 1) * cols;
                let row = Case {
                    qkv: case.qkv[at.clone()].to_vec(),
                    dout: case.dout[at.clone()].to_vec(),
                    q_weight: case.q_weight.clone(),
                    k_weight: case.k_weight.clone(),
                };
                assert_same_bits("out", &forward(&device, &row, heads).0, &out[at.clone()]);
                assert_same_bits("dqkv", &backward(&device, &row, heads)[0], &dqkv[at]);
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for Target { device, .. } in devices() {
        let heads = HEADS[2];
        let case = case(203, heads);
        assert_thread_invariant("qk_norm", || [forward(&device, &case, heads).0, backward(&device, &case, heads).concat()].concat());
    }
}

#[test]
fn nan_is_not_hidden() {
    for Target { device, .. } in devices() {
        let heads = HEADS[1];
        let mut case = case(2, heads);
        case.qkv[heads.qkv_cols() + 5] = f32::NAN;
        let out = forward(&device, &case, heads).0;
        let (bad, good): (Vec<usize>, Vec<usize>) =
            (0..out.len()).partition(|i| (heads.qkv_cols()..heads.qkv_cols() + heads.size).contains(i));
        assert!(bad.iter().all(|&i| out[i].is_nan()) && good.iter().all(|&i| out[i].is_finite()));
    }
}
