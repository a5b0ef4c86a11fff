//! Rotary position embedding.

use ruminate_compute::Device;
use ruminate_compute::ops::attention::Heads;
use ruminate_compute::ops::rope::{self, Direction};

use crate::cases::*;
use crate::reference;

const N_POSITIONS: usize = 200;

fn table(size: usize) -> Vec<f32> {
    // Scaled, as some models do: then the transpose is not the inverse.
    reference::rope_table(N_POSITIONS, size, 10_000.0).iter().map(|x| (x * 1.1) as f32).collect()
}

fn apply(device: &Device, qkv: &[f32], positions: &[u32], heads: Heads, direction: Direction) -> Vec<f32> {
    let mut qkv = upload(device, qkv.len() / heads.qkv_cols(), heads.qkv_cols(), qkv);
    let table = upload_f32(device, N_POSITIONS, heads.size, &table(heads.size));
    rope::apply(device, qkv.view_mut(), table.view(), &upload_ints(device, positions), heads, direction);
    qkv.to_vec().unwrap()
}

#[test]
fn matches_the_reference_in_both_directions() {
    for Target { device, tolerance, .. } in devices() {
        for (heads, rows) in HEADS.into_iter().flat_map(|heads| [0, 1, 5, 61].map(|rows| (heads, rows))) {
            let mut random = Random::new(rows as u64);
            let (qkv, positions) = (random.floats(rows * heads.qkv_cols(), 1.0), random.indices(rows, N_POSITIONS));
            for (direction, transposed) in [(Direction::Forward, false), (Direction::Backward, true)] {
                let actual = apply(&device, &qkv, &positions, heads, direction);
                let expected = reference::rope(&wide(&qkv), &wide(&table(heads.size)), &positions, heads, transposed);
                assert_close(&format!("{heads:?}, {rows} rows, {direction:?}"), &actual, &expected, heads.size, tolerance);
            }
        }
    }
}

#[test]
fn the_transposed_reference_is_the_gradient_of_the_reference() {
    for heads in SMALL_HEADS {
        let mut random = Random::new(9);
        let [qkv, dout] = [(); 2].map(|()| wide(&random.floats(3 * heads.qkv_cols(), 1.0)));
        let (table, positions) = (wide(&table(heads.size)), [0, 7, 150]);
        let analytic = reference::rope(&dout, &table, &positions, heads, true);
        assert_gradient("dqkv", &analytic, &finite_differences(&qkv, &dout, |x| reference::rope(x, &table, &positions, heads, false)));
    }
}

#[test]
fn rows_depend_neither_on_the_batch_nor_on_threads() {
    for Target { device, .. } in devices() {
        let heads = HEADS[2];
        let (rows, cols) = (150, heads.qkv_cols());
        let mut random = Random::new(3);
        let (qkv, positions) = (random.floats(rows * cols, 1.0), random.indices(rows, N_POSITIONS));
        for direction in [Direction::Forward, Direction::Backward] {
            let batch = apply(&device, &qkv, &positions, heads, direction);
            for i in 0..rows {
                let alone = apply(&device, &qkv[i * cols..][..cols], &positions[i..=i], heads, direction);
                assert_same_bits("row alone", &alone, &batch[i * cols..][..cols]);
            }
            assert_thread_invariant("rope", || apply(&device, &qkv, &positions, heads, direction));
        }
    }
}
