//! Root-mean-square normalisation.

use ruminate_compute::ops::linear::Write;
use ruminate_compute::ops::rms_norm;
use ruminate_compute::{Buffer, Device};

use crate::cases::*;
use crate::reference;

const EPS: f32 = 1e-5;
const SHAPES: [(usize, usize); 13] =
    [(0, 8), (1, 1), (1, 15), (3, 16), (2, 17), (5, 63), (7, 64), (4, 65), (300, 130), (70, 896), (33, 1536), (9, 2056), (4099, 600)];

/// `(x, w, dy)`; the first row is so small that ε counts.
fn case(rows: usize, cols: usize) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let mut random = Random::new((rows * 1000 + cols) as u64);
    let mut x = random.floats(rows * cols, 2.0);
    x.iter_mut().take(cols).for_each(|x| *x *= 1e-3);
    (x, random.floats(cols, 1.0), random.floats(rows * cols, 1.0))
}

/// `(y, inv_rms)`.
fn forward(device: &Device, x: &[f32], w: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (rows, cols) = (x.len() / w.len(), w.len());
    let (x, w) = (upload(device, rows, cols, x), upload(device, 1, cols, w));
    let (mut y, mut inv_rms) = (garbage(device, rows, cols), garbage_f32(device, rows, 1));
    rms_norm::forward(device, y.view_mut(), inv_rms.view_mut(), x.view(), w.view(), EPS);
    let mut again = garbage(device, rows, cols);
    rms_norm::forward_again(device, again.view_mut(), x.view(), inv_rms.view(), w.view());
    let bits = |buffer: &Buffer| buffer.to_vec().unwrap().iter().map(|y| y.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&again), bits(&y), "the same again, NaN included");
    (y.to_vec().unwrap(), inv_rms.to_vec().unwrap())
}

/// `(dx, dw)`, on top of what `dx` and `dw` hold for [`Write::Add`] and of `dw` for both.
fn backward(device: &Device, (dx, dw): (&[f32], &[f32]), dy: &[f32], x: &[f32], w: &[f32], write: Write) -> (Vec<f32>, Vec<f32>) {
    let (rows, cols) = (x.len() / w.len(), w.len());
    let inv_rms = upload_f32(device, rows, 1, &forward(device, x, w).1);
    let (mut dx, mut dw) = (upload(device, rows, cols, dx), upload_f32(device, 1, cols, dw));
    let (dy, x, w) = (upload(device, rows, cols, dy), upload(device, rows, cols, x), upload(device, 1, cols, w));
    rms_norm::backward(device, dx.view_mut(), dw.view_mut(), dy.view(), x.view(), inv_rms.view(), w.view(), write);
    (dx.to_vec().unwrap(), dw.to_vec().unwrap())
}

#[test]
fn forward_matches_the_reference() {
    for Target { device, tolerance, .. } in devices() {
        for (rows, cols) in SHAPES {
            let (x, w, _) = case(rows, cols);
            let (y, inv_rms) = forward(&device, &x, &w);
            let (expected_y, expected_inv_rms) = reference::rms_norm(&wide(&x), &wide(&w), f64::from(EPS));
            assert_close(&format!("y {rows} x {cols}"), &y, &expected_y, cols, tolerance);
            assert_close(&format!("inv_rms {rows} x {cols}"), &inv_rms, &expected_inv_rms, 1, tolerance);
        }
    }
}

#[test]
fn backward_matches_the_reference() {
    for Target { device, tolerance, .. } in devices() {
        for (rows, cols) in SHAPES {
            let (x, w, dy) = case(rows, cols);
            let (dx, dw) = reference::rms_norm_backward(&wide(&dy), &wide(&x), &wide(&w), f64::from(EPS));
            let dw: Vec<f64> = dw.iter().zip(wide(&w)).map(|(a, b)| a + b).collect();
            let replaced = backward(&device, (&vec![f32::NAN; x.len()], &w), &dy, &x, &w, Write::Replace);
            assert_close(&format!("dx {rows} x {cols}"), &replaced.0, &dx, cols, tolerance);
            assert_close(&format!("dw {rows} x {cols}"), &replaced.1, &dw, cols, tolerance);
            let added = backward(&device, (&dy, &w), &dy, &x, &w, Write::Add);
            let dx: Vec<f64> = dx.iter().zip(wide(&dy)).map(|(a, b)| a + b).collect();
            assert_close(&format!("dx added {rows} x {cols}"), &added.0, &dx, cols, tolerance);
            assert_close(&format!("dw after adding {rows} x {cols}"), &added.1, &dw, cols, tolerance);
        }
    }
}

#[test]
fn reference_gradients_match_finite_differences() {
    for (rows, cols) in [(1, 1), (3, 5), (2, 8)] {
        let mut random = Random::new(cols as u64);
        let [x, w, dy] = [rows * cols, cols, rows * cols].map(|n| wide(&random.floats(n, 1.0)));
        let (dx, dw) = reference::rms_norm_backward(&dy, &x, &w, 0.1);
        assert_gradient("dx", &dx, &finite_differences(&x, &dy, |x| reference::rms_norm(x, &w, 0.1).0));
        assert_gradient("dw", &dw, &finite_differences(&w, &dy, |w| reference::rms_norm(&x, w, 0.1).0));
    }
}

#[test]
fn rows_do_not_depend_on_the_batch() {
    for Target { device, .. } in devices() {
        for (rows, cols) in SHAPES {
            let (x, w, dy) = case(rows, cols);
            let (y, inv_rms) = forward(&device, &x, &w);
            let (dx, _) = backward(&device, (&dy, &w), &dy, &x, &w, Write::Add);
            for i in (0..rows).step_by(1 + rows / 100) {
                let at = i * cols..(i + 1) * cols;
                let alone = forward(&device, &x[at.clone()], &w);
                assert_same_bits("y", &alone.0, &y[at.clone()]);
                assert_same_bits("inv_rms", &alone.1, &inv_rms[i..=i]);
                let alone = backward(&device, (&dy[at.clone()], &w), &dy[at.clone()], &x[at.clone()], &w, Write::Add);
                assert_same_bits("dx", &alone.0, &dx[at]);
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for Target { device, .. } in devices() {
        let (x, w, dy) = case(301, 130);
        assert_thread_invariant("rms_norm", || {
            let (y, inv_rms) = forward(&device, &x, &w);
            let (dx, dw) = backward(&device, (&dy, &w), &dy, &x, &w, Write::Replace);
            [y, inv_rms, dx, dw].concat()
        });
    }
}

#[test]
fn nan_is_not_hidden() {
    for Target { device, .. } in devices() {
        for bad in [0, 16, 40] {
            let (mut x, w, dy) = case(3, 41);
            x[41 + bad] = f32::NAN;
            let (y, inv_rms) = forward(&device, &x, &w);
            assert!(y[41..82].iter().all(|y| y.is_nan()) && inv_rms[1].is_nan(), "NaN at {bad}");
            assert!(y[..41].iter().chain(&y[82..]).all(|y| y.is_finite()), "other rows");
            let (dx, dw) = backward(&device, (&dy, &w), &dy, &x, &w, Write::Replace);
            assert!(dx[41..82].iter().chain(&dw).all(|y| y.is_nan()), "gradients of NaN at {bad}");
        }
    }
}
