use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use ruminate_core::{Outcome, Uses};
use ruminate_rewards::{check_gold, grade_accuracy, grade_format, language_share, reflection_words};

use super::corpus::{CorpusMix, Document, Style, document};
use super::*;

const SEED: u64 = 17;
const LANGUAGES: [SyntheticLanguage; 2] = [SyntheticLanguage::En, SyntheticLanguage::Zh];

fn problem(kind: SyntheticKind, difficulty: u32, language: SyntheticLanguage, split: Split, index: u64) -> Problem {
    generate(kind, difficulty, language, split, index, Seed::new(SEED)).unwrap()
}

/// What identifies the content of a problem to a test: read from the question and gold, not from the generator.
fn content_key(problem: &Problem) -> String {
    match &problem.gold {
        Gold::Value { .. } => problem.question.replace("compute ", "").replace("计算", ""),
        Gold::Countdown { numbers, target, .. } => {
            let mut numbers = numbers.clone();
            numbers.sort_unstable();
            format!("{numbers:?} {target}")
        }
        Gold::Code(_) => panic!("{problem:?}"),
        Gold::Knights { .. } => problem
            .question
            .replace(" is a knight", "是骑士")
            .replace(" is a knave", "是无赖")
            .replace(" are the same", "相同")
            .replace(" are different", "不同")
            .replace(" and ", "&")
            .replace(['和', '且'], "&")
            .replace(" or ", "或")
            .replace([' ', '.', '。', ':', '：'], ""),
        other => panic!("the synthetic world makes no {other:?}"),
    }
}

#[test]
fn generation_depends_on_every_argument_and_nothing_else() {
    let base = problem(SyntheticKind::Arithmetic, 3, SyntheticLanguage::En, Split::Train, 5);
    assert_eq!(base, problem(SyntheticKind::Arithmetic, 3, SyntheticLanguage::En, Split::Train, 5));
    assert_eq!(base.id.0, "arithmetic/3/train/en/5");
    let others = [
        problem(SyntheticKind::Arithmetic, 4, SyntheticLanguage::En, Split::Train, 5),
        problem(SyntheticKind::Arithmetic, 3, SyntheticLanguage::Zh, Split::Train, 5),
        problem(SyntheticKind::Arithmetic, 3, SyntheticLanguage::En, Split::HeldOut, 5),
        problem(SyntheticKind::Arithmetic, 3, SyntheticLanguage::En, Split::Train, 6),
        generate(SyntheticKind::Arithmetic, 3, SyntheticLanguage::En, Split::Train, 5, Seed::new(18)).unwrap(),
    ];
    assert!(others.iter().all(|other| content_key(other) != content_key(&base)));
    let error = generate(SyntheticKind::Logic, 5, SyntheticLanguage::En, Split::Train, 0, Seed::new(1)).unwrap_err();
    assert_eq!(error.to_string(), "logic has difficulties 1 to 4, found 5");
    assert!(generate(SyntheticKind::Logic, 0, SyntheticLanguage::En, Split::Train, 0, Seed::new(1)).is_err());
}

#[test]
fn splits_are_disjoint_for_all_kinds_difficulties_and_languages() {
    for kind in SyntheticKind::ALL {
        for difficulty in 1..=kind.max_difficulty() {
            let contents = |split| -> BTreeSet<String> {
                let all = LANGUAGES.iter().flat_map(|&language| (0..400).map(move |i| problem(kind, difficulty, language, split, i)));
                all.map(|problem| content_key(&problem)).collect()
            };
            let (train, held_out) = (contents(Split::Train), contents(Split::HeldOut));
            assert!(train.is_disjoint(&held_out), "{kind} {difficulty}");
            assert!(held_out.len() >= 50, "{kind} {difficulty}: only {} held-out problems differ", held_out.len());
        }
    }
}

#[test]
fn arithmetic_means_what_an_evaluator_reads() {
    for index in 0..500 {
        let difficulty = 1 + index as u32 % 6;
        let problem = problem(SyntheticKind::Arithmetic, difficulty, SyntheticLanguage::En, Split::Train, index);
        let expression = problem.question.strip_prefix("compute ").unwrap();
        let operations = expression.chars().filter(|c| "+-*".contains(*c)).count();
        assert_eq!(operations, difficulty as usize + 1, "{expression}");
        let Gold::Value { text } = &problem.gold else { panic!("{problem:?}") };
        let value: i64 = text.parse().unwrap();
        assert!((0..=999).contains(&value));
        // The countdown grader has its own parser with the usual precedence: a second opinion on the value.
        let numbers: Vec<i64> = expression.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        let as_countdown = Problem { gold: Gold::Countdown { numbers, target: value, uses: Uses::ExactlyOnce }, ..problem.clone() };
        let verdict = grade_accuracy(&as_countdown, &format!("<answer>{expression}</answer>"));
        assert_eq!(verdict.outcome, Outcome::Right, "{expression}: {}", verdict.reason);
    }
}

#[test]
fn every_gold_answer_can_be_met() {
    for kind in SyntheticKind::ALL {
        for difficulty in 1..=kind.max_difficulty() {
            for index in 0..20 {
                let problem = problem(kind, difficulty, LANGUAGES[index as usize % 2], Split::HeldOut, index);
                check_gold(&problem).unwrap();
            }
        }
    }
}

#[test]
fn logic_puzzles_have_one_solution_by_another_solver() {
    for index in 0..200 {
        let problem = problem(SyntheticKind::Logic, 1 + index as u32 % 4, SyntheticLanguage::En, Split::Train, index);
        let Gold::Knights { roles, .. } = &problem.gold else { panic!("{problem:?}") };
        let names: Vec<&String> = roles.keys().collect();
        let consistent: Vec<BTreeMap<String, bool>> = (0..1_u32 << names.len())
            .map(|bits| names.iter().enumerate().map(|(i, name)| ((*name).clone(), bits >> i & 1 == 1)).collect())
            .filter(|guess: &BTreeMap<String, bool>| says_fit(&problem.question, guess))
            .collect();
        assert_eq!(consistent.iter().collect::<Vec<_>>(), [roles], "{}", problem.question);
    }
}

/// Reads the English question and says whether exactly the knights speak the truth.
fn says_fit(question: &str, roles: &BTreeMap<String, bool>) -> bool {
    let says = question.strip_suffix(" who is who?").unwrap().trim_end_matches('.');
    says.split(". ").all(|line| {
        let (speaker, text) = line.split_once(": ").unwrap();
        let claim = |text: &str| roles[&text[..1]] == text.ends_with("knight");
        let alike = |pair: &str| roles[&pair[..1]] == roles[&pair[6..7]];
        let truth = if let Some(pair) = text.strip_suffix(" are the same") {
            alike(pair)
        } else if let Some(pair) = text.strip_suffix(" are different") {
            !alike(pair)
        } else if let Some((a, b)) = text.split_once(" or ") {
            claim(a) || claim(b)
        } else if let Some((a, b)) = text.split_once(" and ") {
            claim(a) && claim(b)
        } else {
            claim(text)
        };
        truth == roles[speaker]
    })
}

fn documents(count: u64) -> Vec<Document> {
    (0..count).map(|index| document(Seed::new(SEED), index, &CorpusMix::default())).collect()
}

fn count_tokens(text: &str, pieces: &[String]) -> usize {
    let (mut rest, mut count) = (text, 0);
    while !rest.is_empty() {
        let longest = pieces.iter().filter(|piece| rest.starts_with(piece.as_str())).map(String::len).max();
        rest = &rest[longest.unwrap_or_else(|| panic!("no piece for '{rest}'"))..];
        count += 1;
    }
    count
}

#[test]
fn pieces_cover_every_document() {
    let pieces = pieces();
    assert_eq!(pieces.iter().collect::<BTreeSet<_>>().len(), pieces.len(), "a piece stands twice");
    assert!(pieces.len() <= 120);
    for document in documents(3000) {
        assert!(count_tokens(&document.prompt, &pieces) <= 48, "{}", document.prompt);
        assert!(count_tokens(&document.response, &pieces) <= 300, "{}", document.response);
    }
}

#[test]
fn corpus_has_the_shape_that_r1_zero_needs() {
    let pieces = pieces();
    let documents = documents(6000);
    let of = |style: Style| documents.iter().filter(move |document| document.style == style).collect::<Vec<_>>();
    let right = |documents: &[&Document]| {
        let right = documents.iter().filter(|d| grade_accuracy(&d.problem, &d.response).outcome == Outcome::Right).count();
        right as f64 / documents.len() as f64
    };
    let length = |documents: &[&Document]| {
        documents.iter().map(|d| count_tokens(&d.response, &pieces)).sum::<usize>() as f64 / documents.len() as f64
    };
    let reflections = |documents: &[&Document]| documents.iter().map(|d| reflection_words(&d.response)).sum::<usize>();
    let (direct, worked, checked) = (of(Style::Direct), of(Style::Worked), of(Style::Checked));
    assert!((direct.len() as f64 / 6000.0 - 0.65).abs() < 0.03 && (worked.len() as f64 / 6000.0 - 0.25).abs() < 0.03);
    // Some right answers are lost to missing tags, in every style alike.
    assert!(right(&direct) < 0.25 && right(&worked) > 0.75 && right(&checked) > right(&worked) + 0.03);
    assert!(length(&worked) > 2.0 * length(&direct) && length(&checked) > 1.4 * length(&worked));
    assert_eq!(reflections(&direct) + reflections(&worked), 0);
    assert!(reflections(&checked) > checked.len());
    let hard: Vec<&Document> =
        direct.iter().copied().filter(|d| d.problem.kind == "arithmetic" && d.problem.difficulty >= Some(5)).collect();
    assert!(right(&hard) < 0.12);
    let well_formed = documents.iter().filter(|d| grade_format(&d.response, false).outcome == Outcome::Right).count();
    assert!((well_formed as f64 / 6000.0 - 0.34).abs() < 0.03, "{well_formed}");
    let chinese = documents.iter().filter(|d| d.problem.language == Language::Zh).count();
    assert!((chinese as f64 / 6000.0 - 0.4).abs() < 0.03);
    let mixed = checked.iter().filter(|d| language_share(&d.response, d.problem.language).is_some_and(|share| share < 1.0)).count();
    assert!((0.08..0.22).contains(&(mixed as f64 / checked.len() as f64)), "{mixed} of {}", checked.len());
}

#[test]
fn held_out_problems_never_appear_in_the_corpus() {
    let held_out: BTreeSet<String> = SyntheticKind::ALL
        .into_iter()
        .flat_map(|kind| (1..=kind.max_difficulty()).map(move |difficulty| (kind, difficulty)))
        .flat_map(|(kind, difficulty)| (0..200).map(move |i| problem(kind, difficulty, LANGUAGES[i as usize % 2], Split::HeldOut, i)))
        .map(|problem| content_key(&problem))
        .collect();
    for document in documents(30_000) {
        assert!(!held_out.contains(&content_key(&document.problem)), "{}", document.prompt);
    }
}

#[test]
fn a_checked_correction_is_written_out() {
    let found =
        documents(3000).into_iter().find(|d| d.style == Style::Checked && d.problem.kind == "arithmetic" && d.response.contains("wait "));
    let response = found.unwrap().response;
    // The line in front of "wait" contradicts the step, the line with it corrects it.
    let lines: Vec<&str> = response.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("wait ")).unwrap();
    let (claim, check, fixed) = (lines[at - 2], lines[at - 1], lines[at]);
    assert!(check.starts_with("check ") || check.starts_with("检查"), "{response}");
    let result = |line: &str| line.rsplit('=').next().unwrap().to_owned();
    assert_ne!(result(claim), result(fixed), "{response}");
}

proptest! {
    #[test]
    fn any_mix_gives_documents(index in 0_u64..1_000_000, weight in -1.0_f64..2.0, hardest in 0_u32..100) {
        let mix = CorpusMix { kinds: [weight; 3], max_difficulty: [hardest; 3], mixed: weight, well_formed: weight, ..CorpusMix::default() };
        let document = document(Seed::new(SEED), index, &mix);
        prop_assert_eq!(document.prompt, tiny_prompt(&document.problem.question));
        prop_assert!(!document.response.is_empty());
    }
}
