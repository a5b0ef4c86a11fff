//! Residual connections joined and normalised.

use ruminate_compute::Device;
use ruminate_compute::ops::linear::{self, Weight, Write};
use ruminate_compute::ops::{residual, rms_norm};

use crate::cases::*;
use crate::reference;

const EPS: f32 = 1e-5;

/// Rows, inputs, outputs: odd ones; on a GPU products that are cut into parts, whole and cut off at all borders.
const SHAPES: [(usize, usize, usize); 8] =
    [(0, 5, 8), (1, 1, 1), (3, 17, 9), (2, 72, 64), (70, 1544, 200), (256, 1536, 72), (33, 4000, 136), (300, 520, 64)];

/// On a GPU also what decoding multiplies: tiles of two warpgroups, two to four parts.
fn shapes(device: &Device) -> Vec<(usize, usize, usize)> {
    let large = [(256, 1536, 576), (250, 4864, 896), (256, 2048, 1544), (128, 896, 896)];
    SHAPES.into_iter().chain(large.into_iter().filter(|_| !matches!(device, Device::Cpu))).collect()
}

struct Case {
    x: Vec<f32>,
    a: Vec<f32>,
    w: Vec<f32>,
    gains: Vec<f32>,
}

fn case(m: usize, k: usize, n: usize) -> Case {
    let mut random = Random::new((m * 1_000_000 + k * 1000 + n) as u64);
    Case { x: random.floats(m * n, 1.0), a: random.floats(m * k, 1.0), w: random.floats(n * k, 0.1), gains: random.floats(n, 1.0) }
}

/// `(x, y, inv_rms)`.
fn join(device: &Device, case: &Case, m: usize, k: usize, n: usize) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (a, w, gains) = (upload(device, m, k, &case.a), upload(device, n, k, &case.w), upload(device, 1, n, &case.gains));
    let (mut x, mut y, mut inv_rms) = (upload(device, m, n, &case.x), garbage(device, m, n), garbage_f32(device, m, 1));
    let w = Weight::new(w.view());
    residual::join(device, x.view_mut(), y.view_mut(), inv_rms.view_mut(), a.view(), &w, gains.view(), EPS);
    (x.to_vec().unwrap(), y.to_vec().unwrap(), inv_rms.to_vec().unwrap())
}

#[test]
fn join_matches_the_reference() {
    for Target { device, tolerance, .. } in all_devices() {
        for (m, k, n) in shapes(&device) {
            let what = format!("{m} x {k} x {n}");
            let case = case(m, k, n);
            let (x, y, inv_rms) = join(&device, &case, m, k, n);
            let product = reference::linear(&wide(&case.a), &wide(&case.w), None, k, n);
            let expected: Vec<f64> = product.iter().zip(wide(&case.x)).map(|(p, x)| p + x).collect();
            assert_close(&format!("{what}: x"), &x, &expected, n, tolerance);
            let (expected_y, expected_inv_rms) = reference::rms_norm(&expected, &wide(&case.gains), f64::from(EPS));
            assert_close(&format!("{what}: y"), &y, &expected_y, n, tolerance);
            assert_close(&format!("{what}: inv_rms"), &inv_rms, &expected_inv_rms, 1, tolerance);
        }
    }
}

#[test]
fn where_bits_do_not_depend_on_the_batch_they_are_those_of_product_and_norm() {
    for Target { device, .. } in invariant_devices() {
        for (m, k, n) in shapes(&device) {
            let case = case(m, k, n);
            let (a, w, gains) = (upload(&device, m, k, &case.a), upload(&device, n, k, &case.w), upload(&device, 1, n, &case.gains));
            let (mut x, mut y, mut inv_rms) = (upload(&device, m, n, &case.x), garbage(&device, m, n), garbage_f32(&device, m, 1));
            linear::forward(&device, x.view_mut(), a.view(), &Weight::new(w.view()), None, Write::Add);
            rms_norm::forward(&device, y.view_mut(), inv_rms.view_mut(), x.view(), gains.view(), EPS);
            let joined = join(&device, &case, m, k, n);
            assert_same_bits("x", &joined.0, &x.to_vec().unwrap());
            assert_same_bits("y", &joined.1, &y.to_vec().unwrap());
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for Target { device, .. } in devices() {
        let case = case(97, 300, 131);
        assert_thread_invariant("residual", || {
            let (x, y, inv_rms) = join(&device, &case, 97, 300, 131);
            [x, y, inv_rms].concat()
        });
    }
}
