//! The optimizer step.

use ruminate_compute::ops::adamw::{self, AdamW};

use crate::cases::*;

/// Textbook form of one step in f64, on `(w, m, v)`.
fn reference_step(state: &mut [(f64, f64, f64)], grads: &[f64], c: AdamW) {
    let [lr, beta1, beta2, eps, decay, scale] = [c.learning_rate, c.beta1, c.beta2, c.eps, c.weight_decay, c.grad_scale].map(f64::from);
    for ((w, m, v), g) in state.iter_mut().zip(grads) {
        let g = g * scale;
        *m = beta1 * *m + (1.0 - beta1) * g;
        *v = beta2 * *v + (1.0 - beta2) * g * g;
        let m_hat = *m / (1.0 - beta1.powf(c.step as f64));
        let v_hat = *v / (1.0 - beta2.powf(c.step as f64));
        *w -= lr * (m_hat / (v_hat.sqrt() + eps) + decay * *w);
    }
}

#[test]
fn steps_match_the_reference() {
    for Target { device, tolerance, .. } in devices() {
        for (n, first_step) in [(0, 1), (1, 1), (37, 1), (20_001, 1), (50, 10_000)] {
            let mut random = Random::new(n as u64);
            let start = random.floats(n, 1.0);
            let mut state: Vec<_> = wide(&start).into_iter().map(|w| (w, 0.0, 0.0)).collect();
            let (mut w, mut m, mut v) =
                (upload_f32(&device, 1, n, &start), device.zeros_f32(1, n).unwrap(), device.zeros_f32(1, n).unwrap());
            for step in first_step..first_step + 6 {
                let config = AdamW {
                    learning_rate: 0.01 / (step - first_step + 1) as f32,
                    beta1: 0.9,
                    beta2: 0.95,
                    // Large enough to tell where it is added.
                    eps: 0.01,
                    weight_decay: 0.1,
                    grad_scale: if step % 2 == 0 { 0.25 } else { 1.0 },
                    step,
                };
                let mut grads = random.floats(n, 1.0);
                // A weight that never gets a gradient only decays.
                grads.iter_mut().take(1).for_each(|g| *g = 0.0);
                reference_step(&mut state, &wide(&grads), config);
                let grads = upload_f32(&device, 1, n, &grads);
                adamw::step(&device, w.view_mut(), None, m.view_mut(), v.view_mut(), grads.view(), config);
            }
            let column = |f: fn(&(f64, f64, f64)) -> f64| state.iter().map(f).collect::<Vec<f64>>();
            assert_close("w", &w.to_vec().unwrap(), &column(|s| s.0), n.max(1), tolerance);
            assert_close("m", &m.to_vec().unwrap(), &column(|s| s.1), n.max(1), tolerance);
            assert_close("v", &v.to_vec().unwrap(), &column(|s| s.2), n.max(1), tolerance);
            // What moved, not only where it ended: weights are large beside their steps.
            let moved: Vec<f32> = w.to_vec().unwrap().iter().zip(&start).map(|(w, s)| w - s).collect();
            let expected: Vec<f64> = column(|s| s.0).iter().zip(wide(&start)).map(|(w, s)| w - s).collect();
            assert_close("w - start", &moved, &expected, n.max(1), 10.0 * tolerance);
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for Target { device, .. } in devices() {
        let n = 100_003;
        let mut random = Random::new(2);
        let [w, g, m, v] = [(); 4].map(|()| random.floats(n, 1.0));
        let v: Vec<f32> = v.iter().map(|v| v * v).collect();
        let config = AdamW { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.01, grad_scale: 0.5, step: 3 };
        assert_thread_invariant("adamw", || {
            let [mut w, g, mut m, mut v] = [&w, &g, &m, &v].map(|x| upload_f32(&device, 1, n, x));
            adamw::step(&device, w.view_mut(), None, m.view_mut(), v.view_mut(), g.view(), config);
            [w, m, v].map(|x| x.to_vec().unwrap()).concat()
        });
    }
}

#[test]
fn the_working_copy_is_the_weights_rounded() {
    // Where weights are f32 there is none.
    for Target { device, .. } in devices().into_iter().filter(|target| target.device.float_bytes() == 2) {
        for n in [1, 37, 20_001] {
            let mut random = Random::new(n as u64);
            let [mut w, mut m, mut v] = [1.0, 0.0, 0.0].map(|size| upload_f32(&device, 1, n, &random.floats(n, size)));
            let (grads, mut working) = (upload_f32(&device, 1, n, &random.floats(n, 1.0)), garbage(&device, 1, n));
            let config = AdamW { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.0, grad_scale: 1.0, step: 1 };
            adamw::step(&device, w.view_mut(), Some(working.view_mut()), m.view_mut(), v.view_mut(), grads.view(), config);
            let rounded = upload(&device, 1, n, &w.to_vec().unwrap());
            assert_same_bits("working copy", &working.to_vec().unwrap(), &rounded.to_vec().unwrap());
        }
    }
}
