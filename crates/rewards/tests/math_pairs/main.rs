//! The maths verifier against pairs of answers that are known, by construction, to say the same or not.

mod pairs;

#[test]
fn the_set_is_large_and_the_same_each_time() {
    let set = pairs::built(1);
    assert!(set.len() >= 5_000, "{}", set.len());
}
