//! Token embedding.

use ruminate_compute::Device;
use ruminate_compute::ops::embedding;

use crate::cases::*;

/// `(tokens, vocab, d)`.
const SHAPES: [(usize, usize, usize); 6] = [(0, 3, 4), (1, 1, 1), (5, 2, 3), (17, 96, 33), (300, 7, 64), (130, 1000, 48)];

fn forward(device: &Device, table: &[f32], tokens: &[u32], d: usize) -> Vec<f32> {
    let (table, mut out) = (upload(device, table.len() / d, d, table), garbage(device, tokens.len(), d));
    embedding::forward(device, out.view_mut(), table.view(), &upload_ints(device, tokens));
    out.to_vec().unwrap()
}

fn backward(device: &Device, table: &[f32], dout: &[f32], tokens: &[u32], d: usize) -> Vec<f32> {
    let (mut dtable, dout) = (upload_f32(device, table.len() / d, d, table), upload(device, tokens.len(), d, dout));
    embedding::backward(device, dtable.view_mut(), dout.view(), &upload_ints(device, tokens));
    dtable.to_vec().unwrap()
}

#[test]
fn forward_copies_rows_and_backward_adds_them_in_order() {
    for Target { device, .. } in devices() {
        for (n, vocab, d) in SHAPES {
            let mut random = Random::new((n * 1000 + vocab) as u64);
            let (table, tokens, dout) = (random.floats(vocab * d, 1.0), random.indices(n, vocab), random.floats(n * d, 1.0));
            let expected: Vec<f32> = tokens.iter().flat_map(|&t| table[t as usize * d..][..d].to_vec()).collect();
            assert_same_bits("out", &forward(&device, &table, &tokens, d), &expected);
            // In f32 and in order of position: the operation promises the order, and with it the bits.
            let mut expected = table.clone();
            for (t, &token) in tokens.iter().enumerate() {
                (0..d).for_each(|i| expected[token as usize * d + i] += dout[t * d + i]);
            }
            assert_same_bits("dtable", &backward(&device, &table, &dout, &tokens, d), &expected);
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for Target { device, .. } in devices() {
        let mut random = Random::new(1);
        let (table, tokens, dout) = (random.floats(900 * 64, 1.0), random.indices(2000, 900), random.floats(2000 * 64, 1.0));
        assert_thread_invariant("embedding", || {
            [forward(&device, &table, &tokens, 64), backward(&device, &table, &dout, &tokens, 64)].concat()
        });
    }
}
