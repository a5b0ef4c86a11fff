//! Plain passes.

use ruminate_compute::ops::elementwise::{add, copy, fill, gather_rows, scatter_rows, sum_squares};

use crate::cases::*;

/// Around the block that sums are cut into (65536).
const LENGTHS: [usize; 6] = [0, 1, 1023, 65_536, 65_537, 200_001];

#[test]
fn fill_copy_and_add() {
    for target in devices() {
        let device = target.device.clone();
        for n in LENGTHS {
            let mut random = Random::new(n as u64);
            let (a, b) = (random.floats(n, 1.0), random.floats(n, 1.0));
            let (mut y, x) = (upload(&device, 1, n, &a), upload(&device, 1, n, &b));
            add(&device, y.view_mut(), x.view());
            let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
            if target.is_f32() {
                assert_same_bits("add", &y.to_vec().unwrap(), &expected);
            } else {
                assert_close("add", &y.to_vec().unwrap(), &wide(&expected), n, target.tolerance);
            }
            copy(&device, y.view_mut(), x.view());
            assert_same_bits("copy", &y.to_vec().unwrap(), &b);
            fill(&device, y.view_mut(), -2.5);
            assert_same_bits("fill", &y.to_vec().unwrap(), &vec![-2.5; n]);
        }
    }
}

#[test]
fn gather_and_scatter_rows() {
    for Target { device, .. } in devices() {
        for (n, cols) in [(0, 3), (1, 1), (9, 5), (40, 300)] {
            let total = 2 * n + 1;
            // Distinct rows in no order: 2 is prime to an odd total.
            let rows: Vec<u32> = (0..n).map(|i| ((2 * i + 1) % total) as u32).rev().collect();
            let x = Random::new(n as u64).floats(total * cols, 1.0);
            let (source, mut gathered) = (upload(&device, total, cols, &x), garbage(&device, n, cols));
            let indices = upload_ints(&device, &rows);
            gather_rows(&device, gathered.view_mut(), source.view(), &indices);
            let expected: Vec<f32> = rows.iter().flat_map(|&row| x[row as usize * cols..][..cols].to_vec()).collect();
            assert_same_bits("gather", &gathered.to_vec().unwrap(), &expected);
            let mut scattered = garbage(&device, total, cols);
            scatter_rows(&device, scattered.view_mut(), gathered.view(), &indices);
            let kept = |i: usize| if rows.contains(&((i / cols) as u32)) { x[i] } else { 0.0 };
            assert_same_bits("scatter", &scattered.to_vec().unwrap(), &(0..total * cols).map(kept).collect::<Vec<f32>>());
        }
    }
}

#[test]
fn sum_of_squares() {
    for Target { device, tolerance, .. } in devices() {
        for n in LENGTHS {
            let x = Random::new(n as u64).floats(n, 1.0);
            let actual = sum_squares(&device, upload(&device, 1, n, &x).view());
            let expected: f64 = wide(&x).iter().map(|x| x * x).sum();
            assert!((actual - expected).abs() <= tolerance * expected, "{n} numbers: {actual}, expected {expected}");
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for at in [0, n / 2, n.saturating_sub(1)].into_iter().filter(|_| n > 0) {
                    let mut x = x.clone();
                    x[at] = bad;
                    assert!(!sum_squares(&device, upload(&device, 1, n, &x).view()).is_finite(), "{bad} at {at} of {n}");
                }
            }
        }
    }
}

#[test]
fn sum_of_squares_does_not_depend_on_the_number_of_threads() {
    for Target { device, .. } in devices() {
        let x = Random::new(5).floats(1_000_003, 1.0);
        let buffer = upload(&device, 1, x.len(), &x);
        assert_thread_invariant("sum_squares", || {
            let bits = sum_squares(&device, buffer.view()).to_bits();
            // Four halves of a word each are exact as f32.
            (0..4).map(|i| ((bits >> (16 * i)) & 0xffff) as f32).collect()
        });
    }
}
