//! Linear layers.

use ruminate_compute::Device;
use ruminate_compute::ops::linear::{self, Weight, Write};

use crate::cases::*;
use crate::reference;

/// Rows, inputs, outputs: single ones, odd ones, borders of register tiles (12 rows, 32 columns), of blocks of k (256) and of
/// columns (512), and products large enough to be spread over threads.
const SHAPES: [(usize, usize, usize); 12] = [
    (0, 5, 7),
    (1, 1, 1),
    (1, 257, 33),
    (2, 16, 31),
    (5, 3, 2),
    (12, 32, 32),
    (13, 64, 65),
    (25, 255, 17),
    (64, 48, 1),
    (33, 256, 96),
    (70, 96, 513),
    (3, 700, 1030),
];

/// On a GPU also: tiles of every size that kernels of our own have, whole and cut off at all borders, and rows that are longer than
/// what they load ahead.
fn shapes(device: &Device) -> Vec<(usize, usize, usize)> {
    let tiles = [
        (130, 72, 200),
        (64, 576, 64),
        (200, 40, 4000),
        (130, 136, 9728),
        (256, 64, 17_920),
        (700, 72, 1000),
        (1030, 128, 2000),
        (64, 1544, 64),
        (70, 520, 9000),
    ];
    let is_gpu = !matches!(device, Device::Cpu);
    SHAPES.into_iter().chain(tiles.into_iter().filter(|_| is_gpu)).collect()
}

struct Case {
    x: Vec<f32>,
    w: Vec<f32>,
    bias: Vec<f32>,
    /// Gradient of the output, and what is in results that are added to.
    dy: Vec<f32>,
}

fn case(m: usize, k: usize, n: usize) -> Case {
    let mut random = Random::new((m * 1_000_000 + k * 1000 + n) as u64);
    Case { x: random.floats(m * k, 1.0), w: random.floats(n * k, 0.3), bias: random.floats(n, 1.0), dy: random.floats(m * n, 1.0) }
}

fn forward(device: &Device, case: &Case, m: usize, k: usize, n: usize, prepared: bool, bias: bool) -> Vec<f32> {
    let (x, w, b) = (upload(device, m, k, &case.x), upload(device, n, k, &case.w), upload(device, 1, n, &case.bias));
    let w = if prepared { Weight::prepared(device, w.view()) } else { Weight::new(w.view()) };
    let mut y = garbage(device, m, n);
    linear::forward(device, y.view_mut(), x.view(), &w, bias.then(|| b.view()), Write::Replace);
    y.to_vec().unwrap()
}

#[test]
fn forward_matches_the_reference() {
    for Target { device, tolerance, .. } in all_devices() {
        for (m, k, n) in shapes(&device) {
            let case = case(m, k, n);
            for bias in [false, true] {
                let b = wide(&case.bias);
                let expected = reference::linear(&wide(&case.x), &wide(&case.w), bias.then_some(&b[..]), k, n);
                let plain = forward(&device, &case, m, k, n, false, bias);
                assert_close(&format!("{m} x {k} x {n}, bias {bias}"), &plain, &expected, n, tolerance);
                assert_same_bits("prepared weights", &forward(&device, &case, m, k, n, true, bias), &plain);
            }
        }
    }
}

#[test]
fn forward_adds_to_a_residual() {
    for Target { device, tolerance, .. } in all_devices() {
        for (m, k, n) in shapes(&device) {
            let case = case(m, k, n);
            let (x, w, mut y) = (upload(&device, m, k, &case.x), upload(&device, n, k, &case.w), upload(&device, m, n, &case.dy));
            linear::forward(&device, y.view_mut(), x.view(), &Weight::new(w.view()), None, Write::Add);
            let product = reference::linear(&wide(&case.x), &wide(&case.w), None, k, n);
            let expected: Vec<f64> = product.iter().zip(wide(&case.dy)).map(|(p, y)| p + y).collect();
            assert_close(&format!("{m} x {k} x {n}"), &y.to_vec().unwrap(), &expected, n, tolerance);
        }
    }
}

#[test]
#[should_panic(expected = "bias")]
fn a_bias_cannot_be_added_to_a_residual() {
    let device = Device::Cpu;
    let (x, w, b) = (upload(&device, 1, 1, &[1.0]), upload(&device, 1, 1, &[1.0]), upload(&device, 1, 1, &[1.0]));
    let mut y = upload(&device, 1, 1, &[0.0]);
    linear::forward(&device, y.view_mut(), x.view(), &Weight::new(w.view()), Some(b.view()), Write::Add);
}

#[test]
fn backward_matches_the_reference() {
    for Target { device, tolerance, .. } in devices() {
        for (m, k, n) in SHAPES {
            let what = format!("{m} x {k} x {n}");
            let case = case(m, k, n);
            let (x, w, dy) = (upload(&device, m, k, &case.x), upload(&device, n, k, &case.w), upload(&device, m, n, &case.dy));
            let expected = reference::linear_backward_input(&wide(&case.dy), &wide(&case.w), k, n);
            let mut dx = garbage(&device, m, k);
            linear::backward_input(&device, dx.view_mut(), dy.view(), w.view(), Write::Replace);
            assert_close(&format!("{what}: dx"), &dx.to_vec().unwrap(), &expected, k, tolerance);
            let mut dx = upload(&device, m, k, &case.x);
            linear::backward_input(&device, dx.view_mut(), dy.view(), w.view(), Write::Add);
            let expected: Vec<f64> = expected.iter().zip(wide(&case.x)).map(|(a, b)| a + b).collect();
            assert_close(&format!("{what}: dx added"), &dx.to_vec().unwrap(), &expected, k, tolerance);

            let mut dw = upload_f32(&device, n, k, &case.w);
            linear::backward_weight(&device, dw.view_mut(), dy.view(), x.view(), Write::Add);
            let product = reference::linear_backward_weight(&wide(&case.dy), &wide(&case.x), k, n);
            let expected: Vec<f64> = product.iter().zip(wide(&case.w)).map(|(a, b)| a + b).collect();
            assert_close(&format!("{what}: dw added"), &dw.to_vec().unwrap(), &expected, k, tolerance);
            let mut dw = upload_f32(&device, n, k, &vec![f32::NAN; n * k]);
            linear::backward_weight(&device, dw.view_mut(), dy.view(), x.view(), Write::Replace);
            assert_close(&format!("{what}: dw"), &dw.to_vec().unwrap(), &product, k, tolerance);

            let mut db = upload_f32(&device, 1, n, &case.bias);
            linear::backward_bias(&device, db.view_mut(), dy.view());
            let expected: Vec<f64> = reference::column_sums(&wide(&case.dy), n).iter().zip(wide(&case.bias)).map(|(a, b)| a + b).collect();
            assert_close(&format!("{what}: db"), &db.to_vec().unwrap(), &expected, n, tolerance);
        }
    }
}

#[test]
fn reference_gradients_match_finite_differences() {
    let (m, k, n) = (3, 4, 5);
    let case = case(m, k, n);
    let (x, w, b, dy) = (wide(&case.x), wide(&case.w), wide(&case.bias), wide(&case.dy));
    let by_x = finite_differences(&x, &dy, |x| reference::linear(x, &w, Some(&b), k, n));
    assert_gradient("dx", &reference::linear_backward_input(&dy, &w, k, n), &by_x);
    let by_w = finite_differences(&w, &dy, |w| reference::linear(&x, w, Some(&b), k, n));
    assert_gradient("dw", &reference::linear_backward_weight(&dy, &x, k, n), &by_w);
    let by_b = finite_differences(&b, &dy, |b| reference::linear(&x, &w, Some(b), k, n));
    assert_gradient("db", &reference::column_sums(&dy, n), &by_b);
}

#[test]
fn rows_do_not_depend_on_the_batch() {
    for Target { device, .. } in invariant_devices() {
        for (m, k, n) in SHAPES {
            let case = case(m, k, n);
            let batch = forward(&device, &case, m, k, n, false, true);
            for prepared in [false, true] {
                for i in [0, 1, 2, 11, 12, 24, m.saturating_sub(1)].into_iter().filter(|&i| i < m) {
                    let row = Case { x: case.x[i * k..][..k].to_vec(), w: case.w.clone(), bias: case.bias.clone(), dy: vec![] };
                    let alone = forward(&device, &row, 1, k, n, prepared, true);
                    assert_same_bits(&format!("row {i} of {m} x {k} x {n}"), &alone, &batch[i * n..][..n]);
                }
            }
        }
    }
}

#[test]
fn many_rows_have_the_bits_of_few() {
    for Target { device, tolerance, .. } in invariant_devices() {
        // In one wave of tiles, in several, and in several of the largest.
        for (m, k, n) in [(2053, 72, 2200), (2300, 328, 3504), (4100, 136, 3504)] {
            let mut random = Random::new(m as u64);
            let [x, w, bias] = [m * k, n * k, n].map(|len| random.floats(len, 0.5));
            let case = Case { x, w, bias, dy: vec![] };
            let batch = forward(&device, &case, m, k, n, false, true);
            for rows in [0..1, 127..133, 1000..1064, m - 5..m] {
                let x = case.x[rows.start * k..rows.end * k].to_vec();
                let expected = reference::linear(&wide(&x), &wide(&case.w), Some(&wide(&case.bias)), k, n);
                let few = Case { x, w: case.w.clone(), bias: case.bias.clone(), dy: vec![] };
                let alone = forward(&device, &few, rows.len(), k, n, false, true);
                assert_close(&format!("{rows:?} of {m} x {k} x {n}"), &alone, &expected, n, tolerance);
                assert_same_bits(&format!("{rows:?} of {m} x {k} x {n}"), &alone, &batch[rows.start * n..rows.end * n]);
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for Target { device, .. } in devices() {
        for (m, k, n) in [(97, 300, 131), (2, 300, 999)] {
            let case = case(m, k, n);
            assert_thread_invariant("linear", || {
                let (x, w, dy) = (upload(&device, m, k, &case.x), upload(&device, n, k, &case.w), upload(&device, m, n, &case.dy));
                let (mut dx, mut dw, mut db) = (garbage(&device, m, k), device.zeros_f32(n, k).unwrap(), device.zeros_f32(1, n).unwrap());
                linear::backward_input(&device, dx.view_mut(), dy.view(), w.view(), Write::Replace);
                linear::backward_weight(&device, dw.view_mut(), dy.view(), x.view(), Write::Add);
                linear::backward_bias(&device, db.view_mut(), dy.view());
                let forward = [false, true].map(|prepared| forward(&device, &case, m, k, n, prepared, true)).concat();
                [forward, dx.to_vec().unwrap(), dw.to_vec().unwrap(), db.to_vec().unwrap()].concat()
            });
        }
    }
}
