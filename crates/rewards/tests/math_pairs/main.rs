//! The maths verifier against pairs of answers that are known, by construction, to say the same or not, and against hostile texts.
//!
//! `cargo run -p ruminate-rewards --example math_pairs` writes the same pairs as JSON lines.

mod hostile;
mod pairs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use pairs::Pair;
use ruminate_rewards::math::extract::{Extraction, Place, Several};
use ruminate_rewards::math::{Comparison, Options, Verdict, verify};

const SEED: u64 = 1;

/// Families in which no wrong answer may pass: a base or the end of an answer must not be overlooked.
const STRICT: [&str; 6] = ["bases", "real bases", "truncated", "truncated in plain text", "longer than the gold", "cut off in the middle"];

/// Judges all pairs and checks the share of right verdicts.
fn check(set: &[Pair], least_percent: f64) {
    let options = Options::default();
    // Pairs, false negatives and false positives of each family.
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut wrong = String::new();
    for pair in set {
        let Comparison { verdict, reason, .. } = verify(&pair.gold, &pair.response, &options);
        let is_equal = verdict == Verdict::Equal;
        let count = counts.entry(pair.family).or_default();
        count[0] += 1;
        count[1] += usize::from(pair.equal && !is_equal);
        count[2] += usize::from(is_equal && !pair.equal);
        if is_equal != pair.equal {
            let expected = if pair.equal { "equal" } else { "different" };
            let _ = writeln!(
                wrong,
                "{}: gold {:?}, answer {:?}: expected {expected}, {verdict:?}, {reason}",
                pair.family, pair.gold, pair.answer
            );
        }
    }
    let mut table = String::new();
    for (family, [n, negatives, positives]) in counts.iter().filter(|(_, [_, negatives, positives])| negatives + positives > 0) {
        let _ = writeln!(table, "{family}: {n} pairs, {negatives} false negatives, {positives} false positives");
    }
    let n_wrong: usize = counts.values().map(|[_, negatives, positives]| negatives + positives).sum();
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let percent = 100.0 * (set.len() - n_wrong) as f64 / set.len() as f64;
    assert!(percent >= least_percent, "{percent:.2}% of {} pairs are right, expected {least_percent}%\n{table}\n{wrong}", set.len());
    for family in STRICT {
        assert_eq!(counts.get(family).map_or(0, |count| count[2]), 0, "false positives of {family}\n{table}\n{wrong}");
    }
}

#[test]
fn the_set_is_large_balanced_and_the_same_each_time() {
    let set = pairs::built(SEED);
    assert!(set.len() >= 5_000, "{} pairs", set.len());
    let n_equal = set.iter().filter(|pair| pair.equal).count();
    assert!((set.len() * 2 / 5..set.len() * 3 / 5).contains(&n_equal), "{n_equal} of {} are equal", set.len());
    let families: BTreeSet<_> = set.iter().map(|pair| pair.family).collect();
    for family in families {
        for equal in [true, false] {
            assert!(set.iter().any(|pair| pair.family == family && pair.equal == equal), "{family} has no pair that is {equal}");
        }
    }
    let written = |set: &[Pair]| set.iter().map(|pair| format!("{pair:?}")).collect::<Vec<_>>();
    assert_eq!(written(&set), written(&pairs::built(SEED)));
    assert_ne!(written(&set), written(&pairs::built(SEED + 1)));
}

#[test]
fn the_built_pairs_are_judged_as_they_were_made() {
    for seed in SEED..SEED + 3 {
        check(&pairs::built(seed), 99.0);
    }
}

#[test]
fn pairs_of_real_answers_are_judged_as_they_were_made() {
    let sibling = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let folder = std::env::var_os("RUMINATE_ANSWERS").map_or(sibling, PathBuf::from);
    let Some(answers) = pairs::read_answers(&folder) else {
        println!("skipped: no real answers in {}; RUMINATE_ANSWERS may name their folder", folder.display());
        return;
    };
    check(&pairs::from_answers(&answers, SEED), 99.0);
}

#[test]
fn several_answers_count_as_the_options_say() {
    let last = Options::default();
    let agree = Options { extraction: Extraction { several: Several::AllAgree, ..Extraction::default() }, ..Options::default() };
    let hashes_first =
        Options { extraction: Extraction { order: vec![Place::Hashes, Place::Boxed], several: Several::Last }, ..Options::default() };
    for (options, gold, response, expected) in [
        (&last, "1/2", "First \\boxed{3}. It is wrong.\n\nSo we have \\boxed{0.5}.", true),
        (&agree, "1/2", "First \\boxed{3}. It is wrong.\n\nSo we have \\boxed{0.5}.", false),
        (&agree, "1/2", "First \\boxed{\\frac12}. It is right.\n\nSo we have \\boxed{0.5}.", true),
        (&agree, "1/2", "<answer>1/2</answer> or <answer>1/3</answer>", false),
        (&agree, "1/3", "<answer>1/2</answer> or <answer>1/3</answer>", false),
        (&agree, "1/3", "<answer>2/6</answer> or <answer>1/3</answer>", true),
        (&last, "7", "\\boxed{7}\n#### 8", true),
        (&hashes_first, "7", "\\boxed{7}\n#### 8", false),
        (&hashes_first, "8", "\\boxed{7}\n#### 8", true),
        (&hashes_first, "8", "The answer is 8.", false),
    ] {
        let comparison = verify(gold, response, options);
        assert_eq!(comparison.verdict == Verdict::Equal, expected, "{gold:?} in {response:?} by {options:?}: {}", comparison.reason);
    }
}

/// Time that this thread has worked: other tests and programs run at the same time.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).expect("nanoseconds are below a thousand million"))
}

#[test]
fn hostile_texts_end_within_fifty_milliseconds() {
    const LIMIT: Duration = Duration::from_millis(50);
    let options = Options::default();
    let mut slow = String::new();
    for hostile in hostile::hostile() {
        let since = cpu_time();
        let comparison = verify(&hostile.gold, &hostile.response, &options);
        let taken = cpu_time().saturating_sub(since);
        if taken > LIMIT {
            let _ = writeln!(slow, "{}: {taken:?}, {:?}, gold of {} bytes", hostile.name, comparison.verdict, hostile.gold.len());
        }
    }
    assert!(slow.is_empty(), "{slow}");
}
