//! The gated activation.

use ruminate_compute::Device;
use ruminate_compute::ops::linear::{self, Weight, Write};
use ruminate_compute::ops::swiglu;

use crate::cases::*;
use crate::reference;

const SHAPES: [(usize, usize); 7] = [(0, 4), (1, 1), (1, 17), (3, 16), (5, 63), (2, 130), (150, 100)];

fn case(rows: usize, f: usize) -> (Vec<f32>, Vec<f32>) {
    let mut random = Random::new((rows * 1000 + f) as u64);
    (random.floats(rows * 2 * f, 3.0), random.floats(rows * f, 1.0))
}

fn forward(device: &Device, gate_up: &[f32], f: usize) -> Vec<f32> {
    let rows = gate_up.len() / (2 * f);
    let (gate_up, mut y) = (upload(device, rows, 2 * f, gate_up), garbage(device, rows, f));
    swiglu::forward(device, y.view_mut(), gate_up.view());
    y.to_vec().unwrap()
}

fn backward(device: &Device, gate_up: &[f32], dy: &[f32], f: usize) -> Vec<f32> {
    let rows = gate_up.len() / (2 * f);
    let y = forward(device, gate_up, f);
    let (mut gate_up, mut dy) = (upload(device, rows, 2 * f, gate_up), upload(device, rows, f, dy));
    swiglu::backward_in_place(device, gate_up.view_mut(), dy.view_mut());
    if y.iter().all(|y| y.is_finite()) {
        assert_same_bits("y after the backward", &dy.to_vec().unwrap(), &y);
    }
    gate_up.to_vec().unwrap()
}

#[test]
fn a_projection_and_the_activation_are_both_after_each_other() {
    for Target { device, tolerance, is_invariant } in all_devices() {
        for (rows, d, f) in [(0, 8, 8), (1, 16, 24), (70, 72, 1000), (256, 64, 1536), (250, 40, 4864), (256, 32, 8960), (5, 3, 7)] {
            let mut random = Random::new((rows + f) as u64);
            let (x, w) =
                (upload(&device, rows, d, &random.floats(rows * d, 1.0)), upload(&device, 2 * f, d, &random.floats(2 * f * d, 0.3)));
            let w = Weight::new(w.view());
            let (mut gate_up, mut y) = (garbage(&device, rows, 2 * f), garbage(&device, rows, f));
            swiglu::project(&device, y.view_mut(), gate_up.view_mut(), x.view(), &w);
            linear::forward(&device, gate_up.view_mut(), x.view(), &w, None, Write::Replace);
            let expected = forward(&device, &gate_up.to_vec().unwrap(), f);
            let (what, y) = (format!("{rows} x {d} x {f}"), y.to_vec().unwrap());
            if is_invariant {
                assert_same_bits(&what, &y, &expected);
            } else {
                assert_close(&what, &y, &wide(&expected), f, tolerance);
            }
        }
    }
}

#[test]
fn matches_the_reference() {
    for Target { device, tolerance, .. } in devices() {
        for (rows, f) in SHAPES {
            let (gate_up, dy) = case(rows, f);
            let expected = reference::swiglu(&wide(&gate_up), f);
            assert_close(&format!("y {rows} x {f}"), &forward(&device, &gate_up, f), &expected, f, tolerance);
            let expected = reference::swiglu_backward(&wide(&dy), &wide(&gate_up), f);
            assert_close(&format!("dgate_up {rows} x {f}"), &backward(&device, &gate_up, &dy, f), &expected, 2 * f, tolerance);
        }
    }
}

#[test]
fn large_gates_saturate() {
    for Target { device, .. } in devices() {
        // Gates -100, 100 and ±0, up 2: silu is 0, the gate and 0; its slope 0, 1 and 1/2.
        let gate_up = [-100.0, 100.0, 0.0, -0.0, 2.0, 2.0, 2.0, 2.0];
        assert_eq!(forward(&device, &gate_up, 4), [0.0, 200.0, 0.0, 0.0]);
        assert_eq!(backward(&device, &gate_up, &[1.0; 4], 4), [0.0, 2.0, 1.0, 1.0, 0.0, 100.0, 0.0, 0.0]);
    }
}

#[test]
fn reference_gradient_matches_finite_differences() {
    let (gate_up, dy) = case(3, 5);
    let (gate_up, dy) = (wide(&gate_up), wide(&dy));
    let differences = finite_differences(&gate_up, &dy, |x| reference::swiglu(x, 5));
    assert_gradient("dgate_up", &reference::swiglu_backward(&dy, &gate_up, 5), &differences);
}

#[test]
fn rows_depend_neither_on_the_batch_nor_on_threads() {
    for Target { device, .. } in devices() {
        for (rows, f) in SHAPES {
            let (gate_up, dy) = case(rows, f);
            let (y, dgate_up) = (forward(&device, &gate_up, f), backward(&device, &gate_up, &dy, f));
            for i in 0..rows {
                let (gate_up, dy) = (&gate_up[i * 2 * f..][..2 * f], &dy[i * f..][..f]);
                assert_same_bits("y", &forward(&device, gate_up, f), &y[i * f..][..f]);
                assert_same_bits("dgate_up", &backward(&device, gate_up, dy, f), &dgate_up[i * 2 * f..][..2 * f]);
            }
        }
        let (gate_up, dy) = case(331, 100);
        assert_thread_invariant("swiglu", || [forward(&device, &gate_up, 100), backward(&device, &gate_up, &dy, 100)].concat());
    }
}

#[test]
fn nan_is_not_hidden() {
    for Target { device, .. } in devices() {
        assert!(forward(&device, &[f32::NAN, 1.0, 1.0, f32::NAN], 2).iter().all(|y| y.is_nan()));
        assert!(backward(&device, &[f32::NAN, 1.0], &[1.0], 1).iter().all(|y| y.is_nan()));
    }
}
