use proptest::prelude::*;

use super::*;

fn tallies(rights: &[usize], samples: usize) -> Vec<Tally> {
    rights.iter().map(|&right| Tally { right, samples }).collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 5e-5
}

#[test]
fn pass_at_1_with_clusters() {
    // Shares 0, 1/2, 1/2, 1: mean 1/2, variance (1/4 + 1/4)/3 = 1/6, error sqrt(1/24) = 0.204124, half-width 0.400076.
    let interval = pass_at_1(&tallies(&[0, 2, 2, 4], 4)).unwrap();
    assert!(interval.mean == 0.5 && close(interval.lo, 0.099_924) && close(interval.hi, 0.900_076), "{interval:?}");
    assert_eq!((interval.n_problems, interval.k), (4, 4));
    // More samples with the same shares do not narrow it: the problems are the unit.
    let more = pass_at_1(&tallies(&[0, 200, 200, 400], 400)).unwrap();
    assert_eq!((more.lo, more.hi), (interval.lo, interval.hi));
}

#[test]
fn pass_at_1_of_single_samples_is_wilson() {
    // 8 of 10: centre (0.8 + 3.841459/20)/1.3841459 = 0.716739, half 0.226577.
    let mut rights = vec![1; 8];
    rights.extend([0; 2]);
    let interval = pass_at_1(&tallies(&rights, 1)).unwrap();
    assert!(close(interval.lo, 0.490_162) && close(interval.hi, 0.943_318), "{interval:?}");
    // All right: the normal interval would be a point. Lower end n/(n + z^2) = 10/13.841459.
    let perfect = pass_at_1(&tallies(&[4; 10], 4)).unwrap();
    assert!(close(perfect.lo, 0.722_467) && close(perfect.hi, 1.0), "{perfect:?}");
    assert_eq!(pass_at_1(&[]), None);
    assert_eq!(pass_at_1(&tallies(&[1, 0], 0)), None);
}

#[test]
fn pass_at_k_counts_subsets() {
    // 5 samples, 2 right: pairs without a right one C(3,2) = 3 of C(5,2) = 10.
    let tally = Tally { right: 2, samples: 5 };
    assert!(close(pass_at_k(tally, 1).unwrap(), 0.4));
    assert!(close(pass_at_k(tally, 2).unwrap(), 0.7));
    assert!(close(pass_at_k(tally, 3).unwrap(), 0.9));
    assert_eq!(pass_at_k(tally, 4), Some(1.0));
    assert_eq!(pass_at_k(tally, 6), None);
    assert_eq!(pass_at_k(tally, 0), None);
    assert_eq!(pass_at_k(Tally { right: 0, samples: 5 }, 5), Some(0.0));
    let mean = mean_pass_at_k(&[tally, Tally { right: 0, samples: 5 }], 2).unwrap();
    assert!(close(mean.mean, 0.35) && mean.k == 2);
    assert_eq!(mean_pass_at_k(&[tally, Tally { right: 0, samples: 1 }], 2), None);
}

#[test]
fn majority_votes() {
    assert_eq!(majority(&[Some(1), Some(2), Some(1), None], Some(1)), 1.0);
    assert_eq!(majority(&[Some(1), Some(2), Some(2), None], Some(1)), 0.0);
    assert_eq!(majority(&[Some(1), Some(2)], Some(1)), 0.5);
    assert_eq!(majority(&[Some(1), Some(1)], None), 0.0);
    // Samples without an answer do not outvote one with.
    assert_eq!(majority(&[None, None, Some(3)], Some(3)), 1.0);
    assert_eq!(majority(&[None], Some(3)), 0.0);
}

#[test]
fn paired_differences() {
    // Differences 1/2, 0, 1/2, 0: mean 1/4, variance (4/16)/3 = 1/12, error sqrt(1/48) = 0.144338, half-width 0.282896.
    let interval = paired_difference(&tallies(&[0, 2, 2, 4], 4), &tallies(&[2, 2, 4, 4], 4)).unwrap();
    assert!(close(interval.mean, 0.25) && close(interval.lo, -0.032_896) && close(interval.hi, 0.532_896), "{interval:?}");
    assert_eq!(paired_difference(&tallies(&[0], 4), &tallies(&[2, 2], 4)), None);
}

proptest! {
    #[test]
    fn intervals_hold_the_mean_and_pass_at_k_grows(rights in prop::collection::vec(0_usize..=8, 1..20)) {
        let tallies = tallies(&rights, 8);
        let interval = pass_at_1(&tallies).unwrap();
        prop_assert!(0.0 <= interval.lo && interval.lo <= interval.mean + 1e-12);
        prop_assert!(interval.mean <= interval.hi + 1e-12 && interval.hi <= 1.0);
        let means: Vec<f64> = (1..=8).map(|k| mean_pass_at_k(&tallies, k).unwrap().mean).collect();
        prop_assert!((means[0] - interval.mean).abs() < 1e-12);
        prop_assert!(means.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12));
    }

    #[test]
    fn a_difference_changes_sign_with_its_sides(pairs in prop::collection::vec((0_usize..=4, 0_usize..=4), 2..10)) {
        let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let forth = paired_difference(&tallies(&a, 4), &tallies(&b, 4)).unwrap();
        let back = paired_difference(&tallies(&b, 4), &tallies(&a, 4)).unwrap();
        prop_assert!((forth.mean + back.mean).abs() < 1e-12 && (forth.lo + back.hi).abs() < 1e-12);
    }
}

#[test]
fn sign_test_by_hand() {
    let of = |rights: &[usize]| rights.iter().map(|&right| Tally { right, samples: 4 }).collect::<Vec<_>>();
    // 5 better, 1 worse, 1 equal: p = 2 (1 + 6) / 64.
    let test = sign_test(&of(&[0, 1, 2, 0, 0, 4, 3]), &of(&[1, 2, 3, 1, 4, 3, 3])).unwrap();
    assert_eq!((test.n_better, test.n_worse), (5, 1));
    assert!((test.p_value - 14.0 / 64.0).abs() < 1e-12, "{test:?}");
    // Nothing differs: nothing is shown.
    assert_eq!(sign_test(&of(&[2, 3]), &of(&[2, 3])).unwrap().p_value, 1.0);
    // Shares, not counts, are compared.
    let one = [Tally { right: 1, samples: 2 }];
    assert_eq!(sign_test(&one, &of(&[2])).unwrap().n_better, 0);
    // 60 against 40 of 100: binomial tables give 0.0569.
    let (before, after): (Vec<usize>, Vec<usize>) = (0..100).map(|i| if i < 60 { (0, 1) } else { (1, 0) }).unzip();
    assert!((sign_test(&of(&before), &of(&after)).unwrap().p_value - 0.056_887_933_6).abs() < 1e-9);
    let many = sign_test(&of(&vec![0; 5000]), &of(&vec![1; 5000])).unwrap();
    assert!(many.p_value >= 0.0 && many.p_value < 1e-300);
    assert_eq!(sign_test(&of(&[1]), &of(&[1, 2])), None);
    assert_eq!(sign_test(&[], &[]), None);
}
