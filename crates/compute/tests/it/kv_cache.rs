//! Decoding over pages: to the bit what [`crate::attention`] computes for the last row of each sequence.

use ruminate_compute::Device;
use ruminate_compute::ops::attention::Heads;
use ruminate_compute::ops::kv_cache::{self, KvCache, Newest, PAGE, PageTable};

use crate::attention::{forward, random_qkv};
use crate::cases::*;

const N_LAYERS: usize = 3;

/// Appends rows of `qkv` as positions `start..` of a sequence that lies in `pages`.
fn append(device: &Device, cache: &mut KvCache, layer: usize, qkv: &[f32], start: usize, pages: &[u32], heads: Heads) {
    let n = qkv.len() / heads.qkv_cols();
    let slot = |i: usize| pages[i / PAGE] * PAGE as u32 + (i % PAGE) as u32;
    let slots: Vec<u32> = (start..start + n).map(slot).collect();
    kv_cache::append(device, cache, layer, upload(device, n, heads.qkv_cols(), qkv).view(), &upload_ints(device, &slots));
}

/// One sequence of a decode batch: its last row and what it attends to.
struct Query<'a> {
    row: &'a [f32],
    pages: &'a [u32],
    length: usize,
}

fn attend(device: &Device, cache: &KvCache, layer: usize, queries: &[Query<'_>], heads: Heads) -> Vec<f32> {
    let max_pages = queries.iter().map(|q| q.pages.len()).max().unwrap_or(0);
    // Unused entries point nowhere: nobody may follow them.
    let pages: Vec<u32> = queries.iter().flat_map(|q| (0..max_pages).map(|i| q.pages.get(i).copied().unwrap_or(u32::MAX))).collect();
    let lengths: Vec<u32> = queries.iter().map(|q| q.length as u32).collect();
    let (pages, lengths) = (upload_ints(device, &pages), upload_ints(device, &lengths));
    let qkv = upload(device, queries.len(), heads.qkv_cols(), &queries.iter().flat_map(|q| q.row).copied().collect::<Vec<_>>());
    let mut out = garbage(device, queries.len(), heads.out_cols());
    let table = PageTable { pages: &pages, max_pages, lengths: &lengths };
    kv_cache::attend(device, out.view_mut(), qkv.view(), cache, layer, table);
    out.to_vec().unwrap()
}

/// Distinct pages in a random order.
fn shuffled_pages(random: &mut Random, n: usize) -> Vec<u32> {
    let mut pages: Vec<u32> = (0..n as u32).collect();
    (1..n).for_each(|i| pages.swap(i, random.below(i + 1)));
    pages
}

#[test]
fn decoding_token_by_token_equals_prefill() {
    for target in all_devices() {
        let device = target.device.clone();
        for heads in HEADS {
            let (n, cols) = (130_usize, heads.qkv_cols());
            let n_pages = n.div_ceil(PAGE);
            let pages = shuffled_pages(&mut Random::new(1), n_pages);
            let mut cache = KvCache::new(&device, N_LAYERS, n_pages, heads).unwrap();
            assert_eq!(cache.n_pages(), n_pages);
            let layers: Vec<Vec<f32>> = (0..N_LAYERS).map(|layer| random_qkv(layer, n, heads)).collect();
            let expected: Vec<Vec<f32>> = layers.iter().map(|qkv| forward(&device, qkv, &[n], heads).0).collect();
            for i in 0..n {
                for layer in 0..N_LAYERS {
                    let row = &layers[layer][i * cols..][..cols];
                    append(&device, &mut cache, layer, row, i, &pages, heads);
                    let query = Query { row, pages: &pages[..=i / PAGE], length: i + 1 };
                    let out = attend(&device, &cache, layer, &[query], heads);
                    let expected = &expected[layer][i * heads.out_cols()..][..heads.out_cols()];
                    target.assert_same(&format!("{heads:?}, layer {layer}, position {i}"), &out, expected, heads.out_cols());
                }
            }
        }
    }
}

#[test]
fn a_batch_of_all_lengths_equals_the_last_rows() {
    for target in all_devices() {
        let device = target.device.clone();
        for heads in HEADS {
            let cols = heads.qkv_cols();
            let n_pages: usize = LENGTHS.iter().map(|n| n.div_ceil(PAGE)).sum();
            let mut free = shuffled_pages(&mut Random::new(2), n_pages);
            let mut cache = KvCache::new(&device, 1, n_pages, heads).unwrap();
            let sequences: Vec<(Vec<f32>, Vec<u32>)> = LENGTHS
                .iter()
                .map(|&n| {
                    let (qkv, pages) = (random_qkv(n, n, heads), free.split_off(free.len() - n.div_ceil(PAGE)));
                    append(&device, &mut cache, 0, &qkv, 0, &pages, heads);
                    (qkv, pages)
                })
                .collect();
            let queries: Vec<Query<'_>> =
                sequences.iter().map(|(qkv, pages)| Query { row: &qkv[qkv.len() - cols..], pages, length: qkv.len() / cols }).collect();
            let batch = attend(&device, &cache, 0, &queries, heads);
            for (i, query) in queries.iter().enumerate() {
                let last = forward(&device, &sequences[i].0, &[query.length], heads).0;
                let expected = &last[last.len() - heads.out_cols()..];
                let actual = &batch[i * heads.out_cols()..][..heads.out_cols()];
                target.assert_same(&format!("{heads:?}, length {}", query.length), actual, expected, heads.out_cols());
            }
            assert_thread_invariant("attend", || attend(&device, &cache, 0, &queries, heads));
        }
    }
}

#[test]
fn all_positions_of_a_long_sequence_at_once_and_some_of_them() {
    for target in all_devices() {
        let device = target.device.clone();
        for (n, n_kv, size) in [(14, 2, 64), (8, 1, 64), (6, 1, 128), (2, 2, 128)] {
            let heads = Heads { n, n_kv, size };
            let (n, cols) = (1_050_usize, heads.qkv_cols());
            let pages = shuffled_pages(&mut Random::new(5), n.div_ceil(PAGE));
            let mut cache = KvCache::new(&device, 1, pages.len(), heads).unwrap();
            let qkv = random_qkv(8, n, heads);
            append(&device, &mut cache, 0, &qkv, 0, &pages, heads);
            let expected = forward(&device, &qkv, &[n], heads).0;
            // A GPU gives each of many sequences to one block, of two to four warps, and each of few to several.
            for step in [1, 2, 17, 109] {
                let positions: Vec<usize> = (0..n).rev().step_by(step).collect();
                let query = |&i: &usize| Query { row: &qkv[i * cols..][..cols], pages: &pages[..=i / PAGE], length: i + 1 };
                let out = attend(&device, &cache, 0, &positions.iter().map(query).collect::<Vec<_>>(), heads);
                let out_cols = heads.out_cols();
                let expected: Vec<f32> = positions.iter().flat_map(|i| &expected[i * out_cols..][..out_cols]).copied().collect();
                target.assert_same(&format!("{heads:?}, every {step}th position"), &out, &expected, out_cols);
            }
        }
    }
}

#[test]
fn no_sequences_attend_to_nothing() {
    for target in all_devices() {
        for heads in HEADS {
            let cache = KvCache::new(&target.device, 1, 1, heads).unwrap();
            assert_eq!(attend(&target.device, &cache, 0, &[], heads), [0.0; 0]);
        }
    }
}

#[test]
fn appending_on_the_way_equals_appending_before() {
    for target in all_devices() {
        let device = target.device.clone();
        for heads in HEADS {
            let cols = heads.qkv_cols();
            let max_pages = LENGTHS.iter().max().unwrap().div_ceil(PAGE);
            let pages = shuffled_pages(&mut Random::new(3), LENGTHS.len() * max_pages);
            let lengths = LENGTHS.map(|n| n as u32);
            let slot = |i: usize, position: usize| pages[i * max_pages + position / PAGE] * PAGE as u32 + (position % PAGE) as u32;
            let positions: Vec<u32> = lengths.iter().map(|n| n - 1).collect();
            let slots: Vec<u32> = positions.iter().enumerate().map(|(i, &position)| slot(i, position as usize)).collect();
            let rows = random_qkv(7, LENGTHS.len(), heads);
            let rope: Vec<f32> = Random::new(4).floats(max_pages * PAGE * heads.size, 0.7);
            let [pages, lengths, positions, slots] = [&pages[..], &lengths, &positions, &slots].map(|ints| upload_ints(&device, ints));
            let mut rope_table = device.zeros_f32(max_pages * PAGE, heads.size).unwrap();
            rope_table.copy_from_host(&rope);
            let table = PageTable { pages: &pages, max_pages, lengths: &lengths };
            let newest = Newest { rope: rope_table.view(), positions: &positions, slots: &slots, table };
            let results = [false, true].map(|on_the_way| {
                let mut cache = KvCache::new(&device, 2, LENGTHS.len() * max_pages, heads).unwrap();
                for (i, &n) in LENGTHS.iter().enumerate().filter(|&(_, &n)| n > 1) {
                    let qkv = upload(&device, n - 1, cols, &random_qkv(n, n - 1, heads));
                    let slots = upload_ints(&device, &(0..n - 1).map(|position| slot(i, position)).collect::<Vec<_>>());
                    kv_cache::append(&device, &mut cache, 1, qkv.view(), &slots);
                }
                let (mut qkv, mut out) = (upload(&device, LENGTHS.len(), cols, &rows), garbage(&device, LENGTHS.len(), heads.out_cols()));
                if on_the_way {
                    kv_cache::append_and_attend(&device, out.view_mut(), &mut cache, 1, qkv.view_mut(), newest);
                } else {
                    kv_cache::rotate_and_append(&device, &mut cache, 1, qkv.view_mut(), newest.rope, newest.positions, newest.slots);
                    kv_cache::attend(&device, out.view_mut(), qkv.view(), &cache, 1, table);
                }
                let first = out.to_vec().unwrap();
                // What is in the cache now.
                let qkv = upload(&device, LENGTHS.len(), cols, &rows);
                kv_cache::attend(&device, out.view_mut(), qkv.view(), &cache, 1, table);
                [first, out.to_vec().unwrap()].concat()
            });
            assert_same_bits(&format!("{heads:?}"), &results[1], &results[0]);
        }
    }
}

/// Two samples of one prompt: all pages but the last are shared, the last one is copied before they part.
#[test]
fn samples_share_the_pages_of_their_prompt() {
    for target in all_devices() {
        let device = target.device.clone();
        for (heads, n_prompt) in HEADS.into_iter().flat_map(|heads| [15_usize, 16, 17, 40].map(|n| (heads, n))) {
            let cols = heads.qkv_cols();
            let mut cache = KvCache::new(&device, N_LAYERS, 9, heads).unwrap();
            let n_shared = n_prompt.div_ceil(PAGE) - 1;
            // Prompt in 8, 7, ...; the second sample's own pages are 0, 1, ...
            let first: Vec<u32> = (0..4).map(|i| 8 - i).collect();
            let second: Vec<u32> = (0..4).map(|i| if i < n_shared { first[i] } else { (i - n_shared) as u32 }).collect();
            let prompts: Vec<Vec<f32>> = (0..N_LAYERS).map(|layer| random_qkv(layer, n_prompt, heads)).collect();
            for (layer, prompt) in prompts.iter().enumerate() {
                append(&device, &mut cache, layer, prompt, 0, &first, heads);
            }
            kv_cache::copy_page(&device, &mut cache, first[n_shared], second[n_shared]);
            for (layer, prompt) in prompts.iter().enumerate() {
                let sample = |seed: usize| [prompt.clone(), random_qkv(100 * seed + layer, 6, heads)].concat();
                let samples = [sample(1), sample(2)];
                for i in n_prompt..n_prompt + 6 {
                    for (qkv, pages) in samples.iter().zip([&first, &second]) {
                        append(&device, &mut cache, layer, &qkv[i * cols..][..cols], i, pages, heads);
                    }
                    let queries = [
                        Query { row: &samples[0][i * cols..][..cols], pages: &first, length: i + 1 },
                        Query { row: &samples[1][i * cols..][..cols], pages: &second, length: i + 1 },
                    ];
                    let out = attend(&device, &cache, layer, &queries, heads);
                    for (qkv, out) in samples.iter().zip(out.chunks(heads.out_cols())) {
                        let expected = forward(&device, &qkv[..(i + 1) * cols], &[i + 1], heads).0;
                        let what = format!("{heads:?}, prompt {n_prompt}, position {i}");
                        target.assert_same(&what, out, &expected[i * heads.out_cols()..], heads.out_cols());
                    }
                }
            }
        }
    }
}
